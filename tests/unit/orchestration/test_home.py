"""Dagster's records that can't be reached are told in words, without the login."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.home import recording_instance

POSTGRES = """\
storage:
  postgres:
    postgres_db: {username: rtm, password: CANARY-PASSWORD, hostname: 127.0.0.1, port: 9, db_name: rtm}
"""


def test_a_database_that_does_not_answer_is_told_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # Dagster asks five times
    (tmp_path / "dagster.yaml").write_text(POSTGRES)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with (
        pytest.raises(ConfigError, match=r"Start the database .* or unset DAGSTER_HOME") as caught,
        recording_instance(),
    ):
        pass
    assert "CANARY" not in str(caught.value)
    (tmp_path / "dagster.yaml").write_text("storage: {nonsense: 1}\n")
    with pytest.raises(ConfigError, match="can't be reached"), recording_instance():
        pass


def test_without_a_home_records_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording_instance() as instance:
        assert instance.is_ephemeral
