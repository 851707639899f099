"""Every run keeps a log of its own, and an output that can't hold one is told of plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.run_log import open_log


def test_runs_of_one_second_keep_their_logs_apart(tmp_path: Path) -> None:
    paths = Paths.resolve(output=tmp_path / "out", config_dir=tmp_path)
    kept = []
    for run in range(20):
        with open_log(paths, "smallville") as log:
            log.stream.write(f"run {run}")
        kept.append(log.path)
    assert [path.read_text() for path in kept] == [f"run {run}" for run in range(20)]
    assert sorted(kept) == kept, "the last log is the last by name"


def test_an_output_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    paths = Paths.resolve(output=tmp_path / "out", config_dir=tmp_path)
    with pytest.raises(ConfigError, match=r"can't be written .*--output"), open_log(paths, "smallville"):
        pass
