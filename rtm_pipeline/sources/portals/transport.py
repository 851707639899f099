"""The one way to a portal: https to the configured host, patient with it, and never trusting what it sends."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.sources.portals.answers import Answer, Passing, check_status, hidden, parsed, redirect_target
from rtm_pipeline.sources.portals.pace import Pace
from rtm_pipeline.sources.secret import Secret

if TYPE_CHECKING:
    import requests
    from urllib3.util import Retry

__all__ = ["Endpoint", "Transport"]

logger = logging.getLogger(__name__)

_BLOCK = 64 * 1024
_MAX_REDIRECTS = 3
_HOST = re.compile(r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a request goes, and what it may carry.

    Attributes
    ----------
    host : str
        Host name, with a port where it is not the usual one.
    headers : mapping of str to str or Secret
        Headers such as a token.
    allow_http : bool
        Whether the configuration allows this host to be read without encryption.
    requests_per_second : float, optional
        At most so many requests are sent to the host, by all runs of this machine together.
    """

    host: str
    headers: Mapping[str, str | Secret]
    allow_http: bool = False
    requests_per_second: float | None = None


class Transport:
    """Requests with time limits, bounded answers and retries.

    Parameters
    ----------
    connect_timeout_s, read_timeout_s : float
        Longest wait for a connection, and for the next bytes.
    answer_timeout_s : float
        Longest time that one whole answer may take, so that a portal that drips is not waited for all night.
    retries : int
        How often a request is repeated after a fault that may pass.
    backoff_s, backoff_max_s : float
        The wait doubles from the first to the last, with up to ``backoff_s`` of jitter.
    wait_max_s : float
        Longest ``Retry-After`` that is honored; a portal that asks for more is given up for this night.
    max_bytes : int
        Largest answer, unpacked.
    allow_http_hosts : collection of str
        Hosts (with port) that may be read without encryption, whatever the configuration says; for tests.
    routes : mapping of str to str
        Host -> another host (with port) of ``allow_http_hosts`` that stands in for it; for tests of whole cities.
    turns : Path, optional
        Folder in which all processes of a machine share their turns at hosts with a limit (see `Pace`).
    sleep, clock : callable
        Injected by tests.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float = 15.0,
        read_timeout_s: float = 90.0,
        answer_timeout_s: float = 900.0,
        retries: int = 6,
        backoff_s: float = 2.0,
        backoff_max_s: float = 120.0,
        wait_max_s: float = 900.0,
        max_bytes: int = 256 * 1024 * 1024,
        allow_http_hosts: Collection[str] = (),
        routes: Mapping[str, str] | None = None,
        turns: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeouts_s = (connect_timeout_s, read_timeout_s)
        self.answer_timeout_s = answer_timeout_s
        self.retries = retries
        self.backoff_s = backoff_s
        self.backoff_max_s = backoff_max_s
        self.wait_max_s = wait_max_s
        self.max_bytes = max_bytes
        self.allow_http_hosts = frozenset(allow_http_hosts)
        self.routes = dict(routes or {})
        self._sleep = sleep
        self._clock = clock
        self._session: requests.Session | None = None
        self._turns = Pace(turns)

    def get_json(
        self,
        endpoint: Endpoint,
        path: str,
        params: Mapping[str, str],
        *,
        where: str,
        check: Callable[[object], None] | None = None,
    ) -> Answer:
        """Ask for a JSON document.

        Parameters
        ----------
        endpoint : Endpoint
        path : str
            Path on the host, beginning with ``/``.
        params : mapping of str to str
            Query.
        where : str
            Source and data set, for messages.
        check : callable, optional
            Looks at the parsed document; raises `Passing` if it is a fault in disguise that may pass, or an error.

        Raises
        ------
        ConfigError
            If the host is not one that may be asked.
        SourceError
            If the portal refuses, redirects to another host, sends too much, or does not recover.
        """
        url = self._url(endpoint, path)
        secrets = [value for value in endpoint.headers.values() if isinstance(value, Secret)]
        retry = self._retry()
        while True:
            try:
                answer = self._once(url, endpoint, params, where, secrets)
                if check is not None:
                    check(answer.value)
                return answer
            except Passing as fault:
                fault.args = (hidden(str(fault), secrets),)
                retry = self._wait(retry, fault, where)
            except SourceError as error:  # whatever a portal said of itself may repeat what it was sent
                error.args = (hidden(str(error), secrets),)
                raise

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _url(self, endpoint: Endpoint, path: str) -> str:
        host = self.routes.get(endpoint.host, endpoint.host)
        if not _HOST.match(host):
            raise ConfigError(f"{host!r} is no host name. Write it without https:// and path, as in data.kcmo.org.")
        plain = host in self.allow_http_hosts or (endpoint.allow_http and host == endpoint.host)
        return f"{'http' if plain else 'https'}://{host}{path}"

    def _retry(self) -> Retry:
        from urllib3.util import Retry

        return Retry(
            total=self.retries,
            backoff_factor=self.backoff_s,
            backoff_max=self.backoff_max_s,
            backoff_jitter=self.backoff_s,
        )

    def _wait(self, retry: Retry, fault: Passing, where: str) -> Retry:
        from urllib3.exceptions import MaxRetryError, ProtocolError

        if fault.wait_s is not None and fault.wait_s > self.wait_max_s:
            raise SourceError(
                f"{where}: {fault}; it asks to wait {fault.wait_s:,.0f} s, more than the {self.wait_max_s:,.0f} s that "
                "are waited. Run again later, or ask the portal for a token with a higher limit."
            ) from None
        try:
            # urllib3 counts and backs off; the fault itself may lie in the answer, which urllib3 does not look at.
            retry = retry.increment("GET", where, error=ProtocolError(str(fault)))
        except MaxRetryError:
            raise SourceError(
                f"{where}: {fault}, {self.retries + 1} times in a row. Look whether the portal is up, then run again."
            ) from None
        wait = max(retry.get_backoff_time(), fault.wait_s or 0.0)
        if wait == 0.0:
            wait = random.uniform(0.0, self.backoff_s)  # noqa: S311 - jitter is no secret
        logger.warning("%s: %s; asking again in %.1f s", where, fault, wait)
        self._sleep(wait)
        return retry

    def _once(
        self, url: str, endpoint: Endpoint, params: Mapping[str, str], where: str, secrets: list[Secret]
    ) -> Answer:
        for _ in range(_MAX_REDIRECTS + 1):
            self._pace(endpoint)
            with self._response(url, endpoint, params, where) as response:
                target = redirect_target(url, response, where)
                if target is None:
                    body = self._body(response, where)
                    check_status(response, body, where, secrets)
                    return parsed(body, secrets)
            url, params = target, {}
        raise SourceError(f"{where}: the portal redirects in circles. Look at its address in the configuration.")

    def _pace(self, endpoint: Endpoint) -> None:
        """Wait until the host may be asked again."""
        if endpoint.requests_per_second is None:
            return
        now = self._clock()
        turn = self._turns.turn(endpoint.host, 1.0 / endpoint.requests_per_second, now)
        if turn > now:
            self._sleep(turn - now)

    def _response(self, url: str, endpoint: Endpoint, params: Mapping[str, str], where: str) -> requests.Response:
        import requests

        if self._session is None:
            self._session = requests.Session()
            self._session.headers["User-Agent"] = "rtm_pipeline"
        headers = {n: v.reveal() if isinstance(v, Secret) else v for n, v in endpoint.headers.items()}
        # A host on one's own machine is not reached through a proxy.
        proxies = {"no_proxy": urlsplit(url).hostname or ""} if url.startswith("http:") else None
        try:
            return self._session.get(
                url,
                params=dict(params),
                headers=headers,
                timeout=self.timeouts_s,
                stream=True,
                allow_redirects=False,
                proxies=proxies,
            )
        except requests.exceptions.Timeout:
            raise Passing(f"{urlsplit(url).netloc} does not answer within {self.timeouts_s[1]:g} s") from None
        except requests.exceptions.ConnectionError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise SourceError(
                    f"{where}: the certificate of {urlsplit(url).netloc} can't be verified. Look at the clock and the "
                    "certificates of this machine; without them it is not read."
                ) from None
            raise Passing(f"no connection to {urlsplit(url).netloc}") from None
        except (requests.exceptions.RequestException, ValueError) as error:
            raise SourceError(f"{where}: the request can't be made ({type(error).__name__}).") from None

    def _body(self, response: requests.Response, where: str) -> bytes:
        from urllib3.exceptions import HTTPError

        stated = response.headers.get("Content-Length", "")
        if stated.isdigit() and int(stated) > self.max_bytes:
            raise SourceError(f"{where}: {self._too_much(f'{int(stated):,} bytes')}")
        deadline = self._clock() + self.answer_timeout_s
        blocks, size = [], 0
        try:
            while block := response.raw.read1(_BLOCK, decode_content=True):
                blocks.append(block)
                size += len(block)
                if size > self.max_bytes:
                    raise SourceError(f"{where}: {self._too_much(f'more than {self.max_bytes:,} bytes')}")
                if self._clock() > deadline:
                    raise Passing(f"the answer is not there after {self.answer_timeout_s:g} s")
        except (HTTPError, OSError) as error:
            raise Passing(f"the answer broke off after {size:,} bytes ({type(error).__name__})") from None
        return b"".join(blocks)

    def _too_much(self, size: str) -> str:
        return f"the portal sends {size} for one page; {self.max_bytes:,} are taken. It is not read on."
