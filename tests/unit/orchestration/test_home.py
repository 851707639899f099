"""Dagster's records that can't be reached are told in words, without the login."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.city import ROOT

from rtm_pipeline.orchestration.home import recording_instance

POSTGRES = """\
storage:
  postgres:
    postgres_db: {username: rtm, password: CANARY-PASSWORD, hostname: 127.0.0.1, port: 9, db_name: rtm}
"""
# In a process of its own: an instance that fails half-made stays in Dagster's own globals.
OPEN = """\
import time
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.home import recording_instance
time.sleep = lambda _: None  # Dagster asks several times
try:
    with recording_instance():
        pass
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize("settings", [POSTGRES, "storage: {nonsense: 1}\n"])
def test_records_that_cannot_be_reached_are_told_with_the_next_step(tmp_path: Path, settings: str) -> None:
    (tmp_path / "dagster.yaml").write_text(settings)
    env = os.environ | {"DAGSTER_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", OPEN], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert f"DAGSTER_HOME ({tmp_path}) can't be reached" in done.stdout
    assert "Start the database that its dagster.yaml names" in done.stdout
    assert "or unset DAGSTER_HOME" in done.stdout
    assert "CANARY" not in done.stdout


def test_without_a_home_records_are_forgotten() -> None:
    with recording_instance() as instance:
        assert instance.is_ephemeral
