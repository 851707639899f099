"""What is held back from the public edition can't be worked out from what is told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm_pipeline.publication.content import ReleaseContent, SourceCredit
from rtm_pipeline.publication.editions.protected_counts import LEAST_COUNT, held_back
from rtm_pipeline.publication.editions.suppression import LEAST_CELLS, public_neighborhoods


@given(st.lists(st.one_of(st.integers(0, 12), st.just(None)), min_size=1, max_size=20), st.data())
def test_no_small_count_is_told_nor_found_by_difference(counts: list[int | None], data: st.DataObject) -> None:
    values = np.array([np.nan if count is None else float(count) for count in counts])
    more = np.array(data.draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts))))
    hidden = held_back(values, more)
    known = np.isfinite(values)
    told = values[known & ~hidden]
    assert not (told < LEAST_COUNT).any()
    assert not (hidden & ~known).any()
    assert (hidden | ~more | ~known).all()
    if hidden.any() and told.size:
        # The total of the city gives the sum of what is held back, and no more.
        assert np.count_nonzero(hidden) >= 2
        assert values[hidden].sum() >= LEAST_COUNT


def test_nothing_is_held_back_without_need() -> None:
    assert held_back(np.array([5.0, 9.0, np.nan]), np.zeros(3, bool)).tolist() == [False, False, False]
    # 3 alone would follow from the total: the next smallest goes with it, and no other.
    assert held_back(np.array([30.0, 3.0, 6.0, 8.0]), np.zeros(4, bool)).tolist() == [False, True, True, False]
    # 1 and 2 together are still small.
    assert held_back(np.array([1.0, 2.0, 40.0, 50.0]), np.zeros(4, bool)).tolist() == [True, True, True, False]


def with_column(content: ReleaseContent, name: str, values: list[object]) -> ReleaseContent:
    table = content.tables["neighborhoods"]
    at = table.column_names.index(name)
    table = table.set_column(at, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    return dataclasses.replace(content, tables={**content.tables, "neighborhoods": table})


def test_only_aggregates_of_neighborhoods_are_told(content: ReleaseContent) -> None:
    rows = public_neighborhoods(content)
    assert set(rows.column("level").to_pylist()) == {"neighborhood"}
    for name in ("lots", "buildings", "open_311", "expected_incidents"):
        told = [value for value in rows.column(name).to_pylist() if value is not None]
        assert told, name
        assert min(told) >= LEAST_COUNT
        assert all(isinstance(value, int) for value in told)
    assert not {"expected_per_km2", "expected_prevented", "potential_prevented", "funded_usd"} & set(rows.column_names)


def test_texts_lose_their_numbers_but_keep_their_names(content: ReleaseContent) -> None:
    seven = ["311 illegal dumping x1.8, past incidents here x10 or more", "xylophones x2.0", None, "", "a", "b", "c"]
    rows = public_neighborhoods(with_column(content, "top_factors", seven))
    assert rows.column("top_factors").to_pylist()[:4] == [
        "311 illegal dumping, past incidents here",
        "xylophones",
        None,
        "",
    ]
    work = [
        "funded: 1,203 lots for greening, 1 building for repair",
        "possible: 12 mowing",
        "",
        None,
        "4 demolition",
        "x",
        "y",
    ]
    rows = public_neighborhoods(with_column(content, "recommended_work", work))
    assert rows.column("recommended_work").to_pylist() == [
        "funded: lots for greening, building for repair",
        "possible: mowing",
        "",
        None,
        "demolition",
    ]


def test_an_area_of_a_few_cells_has_no_forecast(content: ReleaseContent) -> None:
    cells = content.tables["neighborhoods"].column("cells").to_pylist()
    cells[0] = LEAST_CELLS - 1
    rows = public_neighborhoods(with_column(content, "cells", cells))
    told = rows.column("expected_incidents").to_pylist()
    assert told[0] is None
    assert sum(value is None for value in told) >= 2, "else the city's total would tell it"


@pytest.mark.parametrize(
    ("source", "gone"), [("police", {"risk_mean", "lots", "expected_incidents"}), ("park_land", {"lots", "open_311"})]
)
def test_terms_of_sources_keep_columns_out(content: ReleaseContent, source: str, gone: set[str]) -> None:
    """Parks are in no term of the model: the risk terrain may be shown, what rests on all sources may not."""
    credits = (SourceCredit(source, "Someone", editions=("restricted",)),)
    rows = public_neighborhoods(dataclasses.replace(content, credits=credits))
    assert not gone & set(rows.column_names)
    assert {"area", "cells"} <= set(rows.column_names)
    assert ("risk_mean" in rows.column_names) == (source == "park_land")
