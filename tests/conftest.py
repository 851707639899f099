"""Fixtures that several rooms' tests share: the command line in process, trial data, a night of the made city."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.city import DEMO_DATA, ROOT, Answer, Command, Night
from support.small_city import OxbowNight, oxbow_config, write_oxbow

EXPECTED_SKIPS = (
    r"this GDAL can't write a File Geodatabase",
    r"a file system of limited size can't be mounted here",
    r"systemd-analyze is not installed",
    r"nginx is not installed",
)
"""Reasons for which a test may be skipped in CI (regular expressions). Everything else CI installs or has beside it."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip that nobody expects fails the run: a test that silently stops running proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or hasattr(session.config, "workerinput") or reporter is None:
        return
    for report in reporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(re.search(expected, reason) for expected in EXPECTED_SKIPS):
            reporter.write_line(f"\nunexpected skip of {report.nodeid}: {reason}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RTM_DATA_DIR", "RTM_OUTPUT", "RTM_CONFIG_DIR", "DAGSTER_HOME", "RTM_ALERT_WEBHOOK", "RTM_UNATTENDED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RTM_FETCH_RETRIES", "0")  # a portal that fails is meant to; the waits are tested apart


@pytest.fixture
def rtm(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Call the command line in this process."""

    def call(*arguments: str | Path) -> Answer:
        from rtm_pipeline.cli import main

        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["rtm", *map(str, arguments)])
        monkeypatch.chdir(ROOT)
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def trial_data() -> Path:
    """Folder of the real files of two cities."""
    folder = Path(os.environ.get("RTM_TRIAL_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "st_louis").is_dir():
        pytest.skip(f"trial data is not at {folder}; docs/trial_data.md says where to obtain it")
    return folder


@pytest.fixture(scope="session")
def demo_night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """One whole night of the made city as its configuration says, promoted; run once for all tests."""
    output = tmp_path_factory.mktemp("night") / "output"
    command = [sys.executable, "-m", "rtm_pipeline", "run", "demo_city"]
    command += ["--data-dir", str(DEMO_DATA), "--output", str(output), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    return Night(output, Path(facts["release"]), facts)


@pytest.fixture(scope="session")
def oxbow_night(tmp_path_factory: pytest.TempPathFactory) -> OxbowNight:
    """One whole night of a small made city (320 cells), promoted; run once for all tests."""
    root = tmp_path_factory.mktemp("oxbow")
    city = write_oxbow(root / "data")
    (root / "configs").mkdir()
    (root / "configs" / "oxbow.yaml").write_text(oxbow_config())
    command = [sys.executable, "-m", "rtm_pipeline", "run", "oxbow", "--config-dir", str(root / "configs")]
    command += ["--data-dir", str(city.folder), "--output", str(root / "output"), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    return OxbowNight(city, root / "configs", root / "output", Path(facts["release"]), facts)
