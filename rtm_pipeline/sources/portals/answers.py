"""What a portal's answers mean: data, a fault that may pass, a refusal, or a way to somewhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from rtm_pipeline.errors import SourceError
from rtm_pipeline.sources.portals.json_text import parse
from rtm_pipeline.sources.secret import Secret

if TYPE_CHECKING:
    import requests

__all__ = ["Answer", "Passing", "RefusedError", "check_status", "hidden", "parsed", "redirect_target", "shortened"]

_TRY_AGAIN = (202, 408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,4096})", re.IGNORECASE)


class Passing(Exception):  # noqa: N818 - it becomes an error only when it does not pass
    """A fault that may pass if one asks again, such as a stall or a maintenance page.

    Attributes
    ----------
    wait_s : float, optional
        How long the portal asks to wait.
    """

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class RefusedError(SourceError):
    """The portal refused a request.

    Attributes
    ----------
    status : int
        Status of HTTP.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """Parsed JSON and how many bytes it had."""

    value: object
    n_bytes: int


def redirect_target(url: str, response: requests.Response, where: str) -> str | None:
    """Where an answer sends the request on the same host; None if it does not.

    Raises
    ------
    SourceError
        If it is another host, or no longer encrypted.
    """
    if response.status_code not in _REDIRECTS:
        return None
    target = urljoin(url, response.headers.get("Location", ""))
    old, new = urlsplit(url), urlsplit(target)
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        raise SourceError(
            f"{where}: {old.netloc} redirects to {new.scheme}://{new.netloc}, which is not the configured host, so "
            "it is not followed. If the portal has moved, mend its address in the configuration."
        )
    return target


def check_status(response: requests.Response, body: bytes, where: str, secrets: Sequence[Secret]) -> None:
    """Let an answer of status 200 pass.

    Raises
    ------
    Passing
        If the status is one that may pass.
    RefusedError
        If it is another; what the portal says of it is shortened and its secrets are hidden.
    """
    status = response.status_code
    if status == 200:
        return
    if status in _TRY_AGAIN:
        raise Passing(f"the portal answers with status {status}", _retry_after(response))
    said = _message(body, secrets)
    hint = {
        401: " Look at the token.",
        403: " Look at the token, and whether the data set is public.",
        404: " Look whether the data set still exists.",
    }.get(status, "")
    raise RefusedError(f"{where}: the portal answers with status {status}{said}.{hint}", status)


def hidden(text: str, secrets: Sequence[Secret]) -> str:
    """A text with all secrets hidden."""
    for secret in secrets:
        text = secret.redact(text)
    return text


def shortened(text: str, most: int = 200) -> str:
    """A portal's own words on one line; hide secrets before, since half a secret is not found any more."""
    return " ".join(text.split())[:most]


def _message(body: bytes, secrets: Sequence[Secret]) -> str:
    """What a portal says of its refusal, shortened; nothing if it is not JSON with a message."""
    try:
        said = parse(body)
    except ValueError:
        return ""
    text = said.get("message") if isinstance(said, dict) else None
    return f": {shortened(hidden(text, secrets))}" if isinstance(text, str) else ""


def _retry_after(response: requests.Response) -> float | None:
    """Seconds of a ``Retry-After`` header, which tells seconds or a date (RFC 9110, 10.2.3)."""
    header = response.headers.get("Retry-After", "").strip()
    if header.isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def parsed(body: bytes, secrets: Sequence[Secret] = ()) -> Answer:
    """Parse an answer; raises Passing if it is a web page or JSON that was cut."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        title = _TITLE.search(body)
        words = hidden(unescape(title.group(1).decode("utf-8", "replace")), secrets) if title else ""
        named = f" titled {shortened(words, 80)!r}" if title else ""
        raise Passing(f"the portal sends a web page{named} in place of data")
    try:
        return Answer(parse(body), len(body))
    except ValueError as error:
        raise Passing(f"the portal sends {error}") from None
