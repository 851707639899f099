from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.spec import Categories, DateSpec, DefaultGeocode, LayerSpec, Reversal
from rtm_pipeline.layers.yearly import LocatedShare, Tally, YearOfOutcome, outcome_by_year

NOW = datetime(2020, 6, 15, tzinfo=UTC)
GOOD, OUT, PILE, NONE = ("360000", "4325000"), ("354000", "4325000"), ("361000", "4325000"), (None, None)


@pytest.fixture
def spec(site: Callable[..., LayerSpec]) -> LayerSpec:
    return site(
        kind="events",
        date=DateSpec("when"),
        incident=("id",),
        categories=Categories(("code",), {"homicide": ("h",), "robbery": ("r",)}),
        reversal=Reversal("count", "-1", ("id", "code")),
        default_geocodes=(DefaultGeocode("hall", 361000.0, 4325000.0),),
    )


Row = tuple[str, str, str | None, str, tuple[str | None, str | None]]


def table(snapshot: Callable[..., pa.Table], rows: list[Row]) -> pa.Table:
    names = ("id", "code", "when", "count")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return snapshot(columns | {"x": [row[4][0] for row in rows], "y": [row[4][1] for row in rows]})


def test_step_by_step(spec: LayerSpec, snapshot: Callable[..., pa.Table], frame: Frame) -> None:
    rows: list[Row] = [
        ("A", "r", "2018-03-01", "1", GOOD),
        ("A", "r", "2018-03-01", "1", GOOD),
        ("B", "r", "2018-03-01", "1", GOOD),
        ("B", "r", "2018-03-01", "-1", NONE),
        ("C", "h", "2018-03-01", "1", NONE),
        ("D", "h", "2018-03-01", "1", OUT),
        ("E", "h", "2018-03-01", "1", PILE),
        ("F", "h", "2019-03-01", "1", GOOD),
        ("G", "h", None, "1", GOOD),
        ("H", "other", "2018-03-01", "1", GOOD),
    ]
    found = outcome_by_year(spec, table(snapshot, rows), frame, source_crs=None, fetched_at=NOW)
    assert (found.read, found.undated, found.netted, found.without_partner) == (10, 1, 1, 0)
    assert found.year(2018) == YearOfOutcome(
        year=2018,
        wanted=Tally(6, 5),
        unlocated=Tally(1, 1),
        located=Tally(5, 4),
        standing=Tally(4, 3),
        inside=Tally(3, 2),
        counted=Tally(2, 1),
        reversals=1,
    )
    assert found.year(2019).counted == Tally(1, 1)
    shares = {(share.year, share.category): share for share in found.shares}
    # of the five rows that stand one has no place and one lies on the default geocode
    assert shares[2018, None] == LocatedShare(2018, None, rows=5, usable=3)
    assert shares[2018, "homicide"] == LocatedShare(2018, "homicide", rows=3, usable=1)
    assert shares[2018, "homicide"].verdict == "leave_out"
    assert shares[2018, "robbery"].verdict == "ok"
    with pytest.raises(SchemaError, match="no row in 2017; it has rows in 2018, 2019"):
        found.year(2017)
    assert isinstance(found.as_notes()["years"], tuple)


def test_verdicts() -> None:
    verdicts = [LocatedShare(2018, None, 100, usable).verdict for usable in (100, 85, 84, 70, 69)]
    assert verdicts == ["ok", "ok", "warn", "warn", "leave_out"]


def test_an_outcome_needs_a_date(
    site: Callable[..., LayerSpec], snapshot: Callable[..., pa.Table], frame: Frame
) -> None:
    with pytest.raises(SchemaError, match="has no date"):
        outcome_by_year(site(), snapshot({"x": ["1"], "y": ["1"]}), frame, source_crs=None, fetched_at=NOW)
