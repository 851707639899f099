"""One writer a city."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rtm_pipeline.orchestration.locks import CityBusyError, city_lock

HOLD = """
import sys, time
from pathlib import Path
from rtm_pipeline.orchestration.locks import city_lock
with city_lock(Path(sys.argv[1]), "demo", Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLD, str(tmp_path / "locks"), str(tmp_path / "output")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(CityBusyError, match=f"process {holder.pid}"),
            city_lock(tmp_path / "locks", "demo", tmp_path / "output"),
        ):
            pass
        with city_lock(tmp_path / "locks", "other_city", tmp_path / "output"):
            pass
        holder.kill()
    with city_lock(tmp_path / "locks", "demo", tmp_path / "output"):
        pass
