"""Where a city's files are looked for when nobody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtm_pipeline.orchestration.paths import Paths


def test_the_data_folder_is_found_without_being_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "configs" / "oxbow.yaml"
    paths = Paths.resolve()
    assert paths.data_for("oxbow", config) == tmp_path / "configs"
    (tmp_path / "data" / "oxbow").mkdir(parents=True)
    assert paths.data_for("oxbow", config) == tmp_path / "data" / "oxbow"
    assert paths.data_for("elsewhere", config) == tmp_path / "configs"
    (tmp_path / "feeds").mkdir()
    monkeypatch.setenv("RTM_DATA_DIR", str(tmp_path / "feeds"))
    assert paths.data_for("oxbow", config) == tmp_path / "feeds"
    assert Paths.resolve(data_dir=tmp_path).data_for("oxbow", config) == tmp_path
