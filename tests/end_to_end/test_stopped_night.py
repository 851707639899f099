"""Ctrl-C or the system's signal in the middle of a night: one plain message, nothing published, said by the status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.city import ROOT
from support.small_city import oxbow_config, write_oxbow


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_a_night_that_is_stopped_says_so(tmp_path: Path, sent: signal.Signals) -> None:
    city = write_oxbow(tmp_path / "data")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "oxbow.yaml").write_text(oxbow_config())
    output, record = tmp_path / "output", tmp_path / "output" / "artifacts" / "oxbow" / "last_night.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "rtm_pipeline", "run", "oxbow", "--config-dir", tmp_path / "configs", "--data-dir",
         city.folder, "--output", output],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if record.exists() and json.loads(record.read_text())["step"] == "risk_terrain":
            break
        time.sleep(0.01)
    os.kill(process.pid, sent)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopped from outside" in err
    assert "Nothing was published" in err
    assert "Traceback" not in err
    assert json.loads(record.read_text())["state"] == "failed"
    assert "stopped from outside" in json.loads(record.read_text())["message"]
    assert not (output / "releases" / "oxbow" / "latest.json").exists()
