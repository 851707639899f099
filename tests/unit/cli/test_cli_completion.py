"""Completion in the shell, as docs/quick_start.md tells of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_every_shell_is_printed(shell: str, tmp_path: Path) -> None:
    rtm = Path(sys.executable).with_name("rtm")
    done = subprocess.run(
        [rtm],
        env=os.environ | {"_RTM_COMPLETE": f"source_{shell}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "_RTM_COMPLETE=complete_" in done.stdout


def test_commands_are_completed(tmp_path: Path) -> None:
    rtm = Path(sys.executable).with_name("rtm")
    asked = {"_RTM_COMPLETE": "complete_bash", "COMP_WORDS": "rtm back", "COMP_CWORD": "1"}
    done = subprocess.run([rtm], env=os.environ | asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "backtest" in done.stdout
