from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.spec import DateSpec, KnownAt, LayerSpec
from rtm_pipeline.units import Duration

Read = Callable[..., LayerResult]
Site = Callable[..., LayerSpec]
Snapshot = Callable[..., pa.Table]


@pytest.fixture
def dated(read: Read, site: Site, snapshot: Snapshot) -> Callable[..., LayerResult]:
    """Rows at one good place with the given columns."""

    def run(columns: dict[str, list[str | None]], **spec: object) -> LayerResult:
        n = len(next(iter(columns.values())))
        return read(site(**spec), snapshot({"x": ["360000"] * n, "y": ["4325000"] * n, **columns}))

    return run


def texts(values: np.ndarray) -> list[str]:
    return [str(value) for value in values]


def test_reasons_of_dates(dated: Callable[..., LayerResult]) -> None:
    # fetched on 15 June 2020 local: the 16th is let pass, the 17th is not
    when = [None, "soon", "1900-01-01", "1900-01-02", "2020-06-16T23:59", "2020-06-17", "2020-06-01"]
    result = dated({"when": when}, date=DateSpec("when"))
    assert result.counts.quarantined == {
        "no_date": 1,
        "unreadable_date": 1,
        "date_too_early": 1,
        "date_in_future": 1,
    }
    assert texts(result.layer.time) == ["1900-01-02T00:00:00", "2020-06-16T23:59:00", "2020-06-01T00:00:00"]
    assert result.quarantine.column("_reason").to_pylist() == [
        "no_date",
        "unreadable_date",
        "date_too_early",
        "date_in_future",
    ]
    assert result.quarantine.column("when").to_pylist() == [None, "soon", "1900-01-01", "2020-06-17"]


def test_dates_that_no_format_fits_are_shown_by_their_shape(dated: Callable[..., LayerResult]) -> None:
    when = ["05/10/2017 03:30 PM", "06/11/2017 03:31 AM", "Mai", "2020-01-01"]
    assert dated({"when": when}, date=DateSpec("when")).notes["unreadable_when"] == {"99/99/9999 99:99 AA": 2, "AAA": 1}
    with pytest.raises(
        SchemaError, match=r"Dates in 'when' look like \{'99/99/9999 99:99 AA': 2, .* none of \('iso',\) fits"
    ):
        dated({"when": when[:3]}, date=DateSpec("when"), may_be_empty=False)
    advice = r'Write formats: \["%m/%d/%Y %I:%M %p"\] \(or \["%d/%m/%Y %I:%M %p"\], if the day comes first\) at layers'
    with pytest.raises(SchemaError, match=advice):
        dated({"when": when[:3]}, date=DateSpec("when"), may_be_empty=False)


def test_the_fetch_date_is_local(site: Site, snapshot: Snapshot, read: Read) -> None:
    # 03:00 UTC on the 16th is still the 15th in the city
    table = snapshot({"x": ["360000"] * 2, "y": ["4325000"] * 2, "when": ["2020-06-16", "2020-06-17"]})
    fetched = datetime.fromisoformat("2020-06-16T03:00:00+00:00")
    assert read(site(date=DateSpec("when")), table, fetched_at=fetched).counts.quarantined == {"date_in_future": 1}


def test_earliest_is_declared(dated: Callable[..., LayerResult]) -> None:
    result = dated({"when": ["2015-12-31", "2016-01-01"]}, date=DateSpec("when", earliest=date(2016, 1, 1)))
    assert result.counts.quarantined == {"date_too_early": 1}


def test_dates_that_are_not_required(dated: Callable[..., LayerResult]) -> None:
    result = dated({"when": [None, "soon", "2020-06-17", "2020-01-01"]}, date=DateSpec("when", required=False))
    assert result.counts.quarantined == {"date_in_future": 1}
    assert texts(result.layer.time) == ["NaT", "NaT", "2020-01-01T00:00:00"]
    # what has no date is known since the day of the snapshot
    assert texts(result.layer.known_at)[:2] == ["2020-06-15T00:00:00"] * 2
    assert result.notes["undated_rows"] == 2


def test_the_hour_belongs_to_the_date(dated: Callable[..., LayerResult]) -> None:
    result = dated(
        {"when": ["2020-01-01T00:00:00.000", "2020-01-01", "2020-01-01"], "hour": ["18:15", "7", "late"]},
        date=DateSpec("when", hour="hour"),
    )
    assert texts(result.layer.time) == ["2020-01-01T18:15:00", "2020-01-01T07:00:00", "2020-01-01T00:00:00"]
    assert result.notes["hour_missing_or_unreadable"] == 1


def test_a_date_is_known_when_its_day_is_over(dated: Callable[..., LayerResult]) -> None:
    result = dated({"when": ["2020-01-01", "2020-01-01T23:59:59"]}, date=DateSpec("when"))
    assert texts(result.layer.known_at) == ["2020-01-02T00:00:00"] * 2


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        ("72h", "2020-02-03T00:00:00"),
        ("2w", "2020-02-14T00:00:00"),
        ("1mo", "2020-02-29T00:00:00"),
        ("1y", "2021-01-31T00:00:00"),
    ],
)
def test_delays(dated: Callable[..., LayerResult], delay: str, expected: str) -> None:
    result = dated({"when": ["2020-01-30"]}, date=DateSpec("when"), known_at=KnownAt(delay=Duration.parse(delay)))
    assert texts(result.layer.known_at) == [expected]


def test_a_coded_month_is_known_at_its_end(dated: Callable[..., LayerResult]) -> None:
    result = dated(
        {
            "when": ["2018-12-30", "2018-12-30", "2018-12-30", "2018-12-30"],
            "coded": ["2018-12", "2019-01", None, "Q4"],
        },
        date=DateSpec("when"),
        known_at=KnownAt(column="coded", formats=("%Y-%m",), period="month"),
    )
    assert texts(result.layer.known_at) == ["2019-01-01T00:00:00", "2019-02-01T00:00:00"]
    assert result.counts.quarantined == {"no_known_at": 1, "unreadable_known_at": 1}


def test_nothing_is_known_before_it_happened(dated: Callable[..., LayerResult]) -> None:
    result = dated(
        {"when": ["2018-12-30"], "coded": ["2017-01"]},
        date=DateSpec("when"),
        known_at=KnownAt(column="coded", period="month"),
    )
    assert texts(result.layer.known_at) == ["2018-12-31T00:00:00"]
    assert result.notes["known_before_it_happened"] == 1


def test_a_list_is_known_from_the_day_after_its_date(dated: Callable[..., LayerResult]) -> None:
    result = dated({"id": ["1"]}, known_at=KnownAt(fixed=date(2017, 12, 31)))
    assert texts(result.layer.known_at) == ["2018-01-01T00:00:00"]
    assert result.layer.earliest_known == date(2018, 1, 1)
    assert texts(result.layer.time) == ["NaT"]


def test_an_inventory_without_dates_is_known_from_its_fetch(dated: Callable[..., LayerResult]) -> None:
    result = dated({"id": ["1"]})
    assert texts(result.layer.known_at) == ["2020-06-15T00:00:00"]
    assert result.layer.earliest_known == date(2020, 6, 15)


def test_until(dated: Callable[..., LayerResult]) -> None:
    result = dated(
        {"closed": [None, "2020-01-05T10:00", "1900-01-01", "2030-01-01", "?"]},
        until=DateSpec("closed"),
    )
    assert texts(result.layer.until) == ["NaT", "2020-01-06T00:00:00", "NaT", "2030-01-02T00:00:00"]
    assert result.counts.quarantined == {"unreadable_until": 1}
    assert result.notes["placeholder_until_taken_as_standing"] == 1


def test_local_date_of_a_naive_moment_is_utc(frame: Frame) -> None:
    assert frame.local_date(datetime.fromisoformat("2020-01-01T03:00:00")) == date(2019, 12, 31)
