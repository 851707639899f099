"""Alerts reach a webhook and a command, and never fail a night."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from rtm_pipeline.config.operations import AlertsSpec
from rtm_pipeline.orchestration.upkeep.alerts import FAILURE, LOST_VERDICT, STALE, Alert, send
from rtm_pipeline.orchestration.upkeep.verdicts import lost_verdict_alert

ALL = (FAILURE, STALE, LOST_VERDICT)
ALERT = Alert(FAILURE, "demo", "Demo: the night failed", "police_snapshot: the portal did not answer")


@dataclass
class Hook:
    address: str = ""
    status: int = 200
    bodies: list[Any] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(found.status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}/canary-of-the-address"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_title_text_city_and_kind(hook: Hook) -> None:
    assert send(ALERT, AlertsSpec(ALL, "HOOK", ()), {"HOOK": hook.address}) == ()
    (body,) = hook.bodies
    assert body["kind"] == FAILURE
    assert body["city"] == "demo"
    assert body["text"].startswith("Demo: the night failed\npolice_snapshot")


def test_nothing_is_sent_that_was_not_asked_for(hook: Hook) -> None:
    assert send(ALERT, AlertsSpec((STALE,), "HOOK", ()), {"HOOK": hook.address}) == ()
    assert send(ALERT, AlertsSpec(ALL, "OTHER", ()), {"HOOK": hook.address}) == ()
    assert hook.bodies == []


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_webhook_that_refuses_is_told_of_without_its_address(
    hook: Hook, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = status
    with caplog.at_level(logging.DEBUG):  # urllib3 logs the path of every request there
        problems = send(ALERT, AlertsSpec(ALL, "HOOK", ()), {"HOOK": hook.address})
    assert str(status) in problems[0]
    assert "canary" not in caplog.text + "".join(problems)
    assert len(hook.bodies) == 1


def test_hooks_that_are_not_there_stop_nothing_and_do_not_stop_each_other(caplog: pytest.LogCaptureFixture) -> None:
    spec = AlertsSpec(ALL, "HOOK", ("/no/such/program",))
    with caplog.at_level(logging.DEBUG, logger="rtm_pipeline"):
        problems = send(ALERT, spec, {"HOOK": "http://127.0.0.1:9/canary-of-the-address"})
    assert len(problems) == 2
    assert "canary" not in caplog.text + "".join(problems)
    assert send(ALERT, AlertsSpec(ALL, "HOOK", ()), {"HOOK": "no address at all"})


def test_a_command_gets_the_text_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "mail.txt"
    program = "import sys; open(sys.argv[1], 'w').write(sys.argv[2] + '|' + sys.stdin.read())"
    alert = Alert(STALE, "demo", "old; touch /tmp/never $(id)", "36 hours")
    spec = AlertsSpec(ALL, "HOOK", (sys.executable, "-c", program, str(out), "{city}: {title}"))
    assert send(alert, spec, {}) == ()
    assert out.read_text() == "demo: old; touch /tmp/never $(id)|old; touch /tmp/never $(id)\n\n36 hours\n"
    assert send(replace(alert, title="old\nBcc: x@example.org"), spec, {}) == ()
    assert out.read_text().startswith("demo: old Bcc: x@example.org|"), "no line break begins another header of a mail"
    failing = AlertsSpec(ALL, "HOOK", (sys.executable, "-c", "raise SystemExit(7)"))
    assert send(alert, failing, {}) == (f"the command {sys.executable} ended with 7",)


def test_a_verdict_is_lost_only_from_better() -> None:
    city: Any = type("City", (), {"label": "Demo", "name": "demo"})()
    assert lost_verdict_alert(city, "better", "better") is None
    assert lost_verdict_alert(city, "not_better", "not_better") is None
    assert lost_verdict_alert(city, None, "not_better") is None
    for after in ("not_better", "not_judged"):
        alert = lost_verdict_alert(city, "better", after)
        assert alert is not None
        assert alert.kind == LOST_VERDICT
