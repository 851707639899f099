"""What changed since earlier releases: which are compared with, and what is said."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rasterio
from fakes.release import Written, write

from rtm_pipeline.errors import PublishError
from rtm_pipeline.orchestration.steps.release_content import compared_content
from rtm_pipeline.publication.facts.change_lines import change_lines
from rtm_pipeline.publication.facts.night import facts_of
from rtm_pipeline.publication.release.store import Promoted, ReleaseStore


def fill(folder: Path) -> None:
    (folder / "a.txt").write_text("a")


def test_a_night_is_compared_with_the_last_and_with_one_two_weeks_older(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path, "demo")
    assert store.to_compare(date(2026, 3, 20)) == ()
    for day in (1, 5, 6, 18, 19):
        store.promote(store.publish(f"2026-03-{day:02d}-a", fill, {}), date(2026, 3, day))
    again = store.publish("2026-03-19-b", fill, {})
    store.promote(again, date(2026, 3, 19))
    store.publish("2026-03-17-experiment", fill, {})
    assert [item.run_id for item in store.to_compare(date(2026, 3, 20))] == ["2026-03-19-b", "2026-03-06-a"]
    assert [item.run_id for item in store.to_compare(date(2026, 3, 19))] == ["2026-03-18-a", "2026-03-05-a"]
    assert [item.run_id for item in store.to_compare(date(2026, 3, 2))] == ["2026-03-01-a"]
    assert [item.run_id for item in store.to_compare(date(2026, 6, 1))] == ["2026-03-19-b"], "one is both"
    (store.folder / "promoted.json").write_text("{")
    with pytest.raises(PublishError, match=r"promoted\.json"):
        store.to_compare(date(2026, 3, 20))


@pytest.fixture(scope="module")
def earlier(written: Written, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Promoted]:
    """A release of the month before, with another forecast, other ranks and one term less."""
    content = written.content
    rng = np.random.default_rng(5)
    lots = content.tables["priority_lots"]
    ranks = lots.column("rank").to_numpy()
    moved = np.where(ranks <= 3, ranks + 57, np.where(ranks > 57, ranks - 57, ranks))
    at = lots.column_names.index("rank")
    lots = lots.set_column(at, lots.schema.field("rank"), pa.array(moved, pa.int64()))
    forecast = dataclasses.replace(
        content.forecast, expected=content.forecast.expected * rng.uniform(0.5, 2.0, content.grid.n_cells)
    )
    before = dataclasses.replace(
        content,
        run_id="2023-12-01-bbbbbbbbbbbb",
        as_of=date(2023, 12, 1),
        forecast=forecast,
        tables={**content.tables, "priority_lots": lots},
        compared=None,
    )
    folder = tmp_path_factory.mktemp("releases")
    done = write(before, folder / before.run_id)
    model = json.loads((done.folder / "model.json").read_text())
    model["terms"] = model["terms"][:1]
    (done.folder / "model.json").write_text(json.dumps(model))
    ingest = json.loads((done.folder / "ingest.json").read_text())
    ingest["sources"]["police"]["digest"] = "0" * 64
    ingest["layers"]["parks"]["kept"] = 3
    (done.folder / "ingest.json").write_text(json.dumps(ingest))
    manifest = {"run_id": before.run_id, "as_of": "2023-12-01", "files": {}}
    (done.folder / "manifest.json").write_text(json.dumps(manifest))
    return folder, Promoted(before.run_id, before.as_of)


def test_what_is_different_is_said_in_words(written: Written, earlier: tuple[Path, Promoted], tmp_path: Path) -> None:
    folder, item = earlier
    content = compared_content(written.content, folder, [item])
    (change,) = content.changes
    said = " ".join(change_lines(change, facts_of(content, "restricted")))
    assert "Sources with new content: police." in said
    assert "new: 1,000\u00a0ft (305\u00a0m) of liquor outlets" not in said
    assert "liquor outlets" in said, "the factor that was not in the model then, by its name"
    assert "parks 3 to 4" in said
    assert "Vacant lots, the first 25 of the list: new: L0100, L0101 and L0102" in said
    moves = change.forecast
    top = content.tiers["forecast"] <= 2
    assert moves.entered + moves.stayed == np.count_nonzero(top & (content.tiers["forecast"] > 0))
    assert -1.0 <= moves.correlation < 1.0
    public = " ".join(change_lines(change, facts_of(content, "public")))
    assert "forecast" not in public.lower().replace("the forecast was", "")
    assert "L0100" not in public
    now = write(content, tmp_path / "now")
    with rasterio.open(now.restricted / "change.tif") as raster:
        values = raster.read(1, masked=True)
        assert raster.tags()["COMPARED_WITH"] == "2023-12-01-bbbbbbbbbbbb, as of 2023-12-01"
    difference = content.forecast.expected - content.compared.values
    assert np.allclose(values.compressed(), difference[np.isfinite(difference)], atol=1e-5)
    assert not (now.public / "change.tif").exists()
    assert "Since December 1, 2023 (31 days before)" in (now.public / "report.html").read_text()


def test_a_damaged_earlier_release_stops_no_night(
    written: Written, earlier: tuple[Path, Promoted], tmp_path: Path
) -> None:
    folder, item = earlier
    (tmp_path / item.run_id).mkdir()
    (tmp_path / item.run_id / "manifest.json").write_text("{")
    content = compared_content(dataclasses.replace(written.content, compared=None), tmp_path, [item])
    assert content.changes == ()
    assert content.compared is None
    assert "can't be compared with" in content.missing["changes"]
    assert compared_content(written.content, folder, []).missing["changes"] == "no earlier release was current"
