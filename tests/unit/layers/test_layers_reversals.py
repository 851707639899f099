from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.reversals import net_rows
from rtm_pipeline.layers.spec import DateSpec, KnownAt, LayerSpec, Reversal
from rtm_pipeline.layers.vintage import as_known

Site = Callable[..., LayerSpec]
Snapshot = Callable[..., pa.Table]
Read = Callable[..., LayerResult]


def netted(identity: list[int], signs: str, months: list[str]) -> tuple[list[int], int]:
    known = np.array([month if month == "NaT" else f"2018-{month}-01" for month in months], "datetime64[s]")
    result = net_rows(np.array(identity, np.int64), np.array([sign == "-" for sign in signs], bool), known)
    return result.netted_by.tolist(), result.unpartnered


@pytest.mark.parametrize(
    ("identity", "signs", "months", "expected", "unpartnered"),
    [
        # the latest known of two
        ([1, 1, 1], "++-", ["01", "02", "03"], [-1, 2, -1], 0),
        # not one that became known later: it was found again
        ([1, 1, 1], "+-+", ["01", "02", "03"], [1, -1, -1], 0),
        ([1, 1], "-+", ["01", "02"], [-1, -1], 1),
        # in one month the row stands first, whatever the order of the file
        ([1, 1], "-+", ["01", "01"], [-1, 0], 0),
        # each reversal takes one
        ([1, 1, 1, 1], "++--", ["01", "02", "03", "04"], [3, 2, -1, -1], 0),
        ([1, 1, 1, 1], "+---", ["01", "02", "03", "04"], [1, -1, -1, -1], 2),
        ([1, 2, 1, 2], "++--", ["01", "01", "02", "02"], [2, 3, -1, -1], 0),
        # no identity: nothing to match
        ([-1, -1], "+-", ["01", "02"], [-1, -1], 1),
        # a reversal of unknown date comes last, a row of unknown date first
        ([1, 1, 1], "+-+", ["NaT", "NaT", "05"], [-1, -1, 1], 0),
        ([], "", [], [], 0),
    ],
)
def test_matching(identity: list[int], signs: str, months: list[str], expected: list[int], unpartnered: int) -> None:
    assert netted(identity, signs, months) == (expected, unpartnered)


@pytest.fixture
def offences(site: Site) -> LayerSpec:
    return site(
        kind="events",
        date=DateSpec("when"),
        known_at=KnownAt(column="coded", formats=("%Y-%m",), period="month"),
        reversal=Reversal("count", "-1", ("id", "code")),
        incident=("id",),
    )


def crimes(snapshot: Snapshot, rows: list[tuple[str, str, str, str, str | None]]) -> pa.Table:
    names = ("id", "code", "count", "coded", "x")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return snapshot(columns | {"y": ["4325000"] * len(rows), "when": ["2018-01-10"] * len(rows)})


def test_both_rows_are_filtered(read: Read, offences: LayerSpec, snapshot: Snapshot) -> None:
    rows: list[tuple[str, str, str, str, str | None]] = [
        ("A", "1", "1", "2018-01", "360000"),
        ("A", "1", "-1", "2018-03", None),  # a reversal need not have a place
        ("B", "1", "1", "2018-01", "360000"),
        ("B", "2", "-1", "2018-01", "360000"),  # another offence of B
        ("C", "1", "1", "2018-01", None),  # taken back before anyone asks where it was
        ("C", "1", "-1", "2018-01", "360000"),
    ]
    result = read(offences, crimes(snapshot, rows))
    assert result.layer.attributes.column("_row").to_pylist() == [3]
    assert result.counts.filtered_by == {"reversal": 5}
    assert result.notes["reversals"] == {"rows": 3, "netted": 2, "netted_later_than_known": 1, "without_partner": 1}


def test_a_row_stood_until_it_was_taken_back(read: Read, offences: LayerSpec, snapshot: Snapshot) -> None:
    rows: list[tuple[str, str, str, str, str | None]] = [
        ("A", "1", "1", "2018-01", "360000"),
        ("B", "1", "1", "2018-01", "360000"),
        ("A", "1", "-1", "2018-03", None),
    ]
    layer = read(offences, crimes(snapshot, rows)).layer
    assert layer.withdrawn is not None
    assert str(layer.withdrawn.until[0]) == "2018-04-01T00:00:00"
    seen = {
        day: as_known(layer, day) for day in (date(2018, 1, 31), date(2018, 2, 1), date(2018, 3, 31), date(2018, 4, 1))
    }
    assert [part.attributes.column("_row").to_pylist() for part in seen.values()] == [[], [1, 2], [1, 2], [2]]
    assert seen[date(2018, 2, 1)].withdrawn is None
