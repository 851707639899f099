"""A whole installation on loopback: Postgres, code server, daemon and webserver, each a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from support.city import ROOT

LAUNCH = """
mutation Launch($job: String!) {
  launchRun(executionParams: {
    selector: {repositoryLocationName: "rtm_pipeline", repositoryName: "__repository__", jobName: $job}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId status } }
    ... on PythonError { message }
  }
}
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(what: Callable[[], Any], seconds: float, name: str) -> Any:
    """Ask again and again until something is true; fails with the name of what did not come."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            found = what()
        except (OSError, requests.RequestException):
            found = None
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"{name} did not come within {seconds:.0f} s")


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """Debian's Postgres on a port of loopback; gives the variables that deploy/dagster.yaml names."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("Postgres is not installed; .ci/install-programs installs it")
    programs, port = found[-1].parent, free_port()
    # Not under pytest's own folder: another session of pytest would take the rights of Postgres' user from it.
    folder = Path(tempfile.mkdtemp(prefix="rtm-postgres-"))
    user: list[str] = []
    if os.getuid() == 0:  # Postgres refuses to run as root
        shutil.chown(folder, "postgres")
        user = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*user, str(programs / "initdb"), "-D", str(data), "-U", "rtm", "-A", "trust"], **quiet)
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    control = [*user, str(programs / "pg_ctl"), "-D", str(data)]
    subprocess.run([*control, "-w", "-l", str(folder / "log"), "-o", options, "start"], **quiet)
    try:
        subprocess.run(
            [*user, str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "rtm", "rtm"], **quiet
        )
        yield {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(port),
            "DAGSTER_PG_USER": "rtm",
            "DAGSTER_PG_PASSWORD": "made",
            "DAGSTER_PG_DB": "rtm",
        }
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL, cwd="/")
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Server:
    """A running installation."""

    url: str
    environment: dict[str, str]
    logs: Path

    def ask(self, query: str, **variables: str) -> Any:
        answer = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=120)
        answer.raise_for_status()
        found = answer.json()
        assert "errors" not in found, found
        return found["data"]

    def launch(self, job: str) -> str:
        """Put a run into the queue."""
        found = self.ask(LAUNCH, job=job)["launchRun"]
        assert found["__typename"] == "LaunchRunSuccess", found
        return str(found["run"]["runId"])


@contextmanager
def rtm_ui(places: dict[str, str], log: Path) -> Iterator[str]:
    """`rtm ui` on loopback; its address."""
    port = free_port()
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "rtm_pipeline", "ui", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | places,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(lambda: requests.get(f"{address}/server_info", timeout=5).ok, 240, "the UI")
            yield address
        finally:
            _end(server)


@contextmanager
def installation(folder: Path, environment: dict[str, str]) -> Iterator[Server]:
    """Code server, daemon and webserver with the files of deploy/, polling faster than an installation would."""
    home, logs = folder / "home", folder / "logs"
    home.mkdir(parents=True)
    logs.mkdir()
    settings = (ROOT / "deploy" / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(re.sub(r"poll_interval_seconds: \d+", "poll_interval_seconds: 5", settings))
    code, web = free_port(), free_port()
    env = os.environ | environment
    env |= {"DAGSTER_HOME": str(home), "RTM_CODE_HOST": "127.0.0.1", "RTM_CODE_PORT": str(code)}
    workspace = ["--workspace", str(ROOT / "deploy" / "workspace.yaml")]
    module = ["--module-name", "rtm_pipeline.definitions", "--location-name", "rtm_pipeline"]
    programs = {
        "dagster": ["code-server", "start", "--host", "127.0.0.1", "--port", str(code), *module],
        "dagster-daemon": ["run", *workspace],
        "dagster-webserver": ["--host", "127.0.0.1", "--port", str(web), *workspace],
    }
    url = f"http://127.0.0.1:{web}"
    with ExitStack() as stack:
        for name, arguments in programs.items():
            log = stack.enter_context((logs / f"{name}.log").open("w"))
            command = [str(Path(sys.executable).parent / name), *arguments]
            process = subprocess.Popen(
                command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
            stack.callback(_end, process)
            if name == "dagster":
                wait_for(lambda: socket.create_connection(("127.0.0.1", code), timeout=1), 180, "the code server")
        wait_for(lambda: requests.get(f"{url}/server_info", timeout=5).ok, 180, "the webserver")
        yield Server(url, env, logs)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
