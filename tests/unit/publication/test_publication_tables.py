"""Parquet, work orders and quarantine: what analysts and work-order systems read."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from fakes.release import FORMULA
from hypothesis import given
from hypothesis import strategies as st

from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.vectors.delimited import neutralized, write_csv
from rtm_pipeline.publication.vectors.parquet import quarantine_table
from rtm_pipeline.publication.vectors.work_orders import COLUMNS, work_orders


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_geoparquet_has_the_rows_and_the_crs(written) -> None:
    for name in ("priority_lots", "zones", "neighborhoods", "districts"):
        frame = geopandas.read_parquet(written.restricted / f"{name}.parquet")
        assert frame.crs.to_epsg() == 3436
        assert frame.geometry.notna().all()
        assert json.loads(pq.read_schema(written.restricted / f"{name}.parquet").metadata[b"geo"])["version"] == "1.1.0"
    table = written.content.tables["priority_lots"]
    frame = geopandas.read_parquet(written.restricted / "priority_lots.parquet")
    assert frame["site_id"].tolist() == table.column("site_id").to_pylist()
    assert str(frame["funded_order"].dtype) == "Int64", "null integers stay integers"


def test_plain_tables_keep_the_meaning_of_their_columns(written) -> None:
    schema = pq.read_schema(written.restricted / "frontier.parquet")
    assert schema.field("budget_usd").metadata[b"unit"] == b"USD"
    assert (written.restricted / "evidence_311.csv").is_file()


def test_the_quarantine_has_every_row_with_its_reason(written) -> None:
    table = pq.read_table(written.restricted / "quarantine.parquet")
    assert table.column_names[:4] == ["_layer", "_reason", "_file", "_row"]
    assert table.num_rows == sum(result.counts.set_aside for result in written.content.layers.values())
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["_layer"], first["_reason"], first["_row"]) == ("vacant_lots", "no_location", 3)
    assert first["PARCEL_ID"] == "17"
    assert first["ReportNo"] is None
    empty = dataclasses.replace(written.content, layers={"parks": written.content.layers["parks"]})
    assert quarantine_table(empty) is None


def test_work_orders_are_what_is_funded(written) -> None:
    path = written.restricted / "work_orders.csv"
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == raw.count(b"\n")
    rows = rows_of(path)
    assert tuple(rows[0]) == COLUMNS
    tables = written.content.tables
    funded = [pc.sum(tables[name].column("funded")).as_py() for name in ("priority_lots", "priority_buildings")]
    assert len(rows) == sum(funded) > 0
    assert len({row["service_request_id"] for row in rows}) == len(rows)
    first = rows[0]
    site = tables["priority_lots"].filter(pc.equal(tables["priority_lots"].column("site_id"), first["parcel_id"]))
    assert first["service_request_id"] == f"rtm-testville-lot-{first['parcel_id']}"
    assert first["requested_datetime"] == "2024-01-01T00:00:00-06:00"
    assert first["description"].startswith(f"cleaning and greening of lot {first['parcel_id']}: vacant lots")
    assert float(first["expected_prevented"]) == pytest.approx(site.column("expected_prevented")[0].as_py(), abs=5e-7)
    assert int(first["priority_rank"]) == site.column("rank")[0].as_py()
    assert first["run_id"] == written.content.run_id


def test_a_work_order_lies_where_its_site_lies(written) -> None:
    """Degrees by another library's route: geopandas on the GeoParquet."""
    frame = geopandas.read_parquet(written.restricted / "priority_lots.parquet").to_crs(4326).set_index("site_id")
    for row in rows_of(written.restricted / "work_orders.csv"):
        if row["site_type"] == "lot":
            point = frame.geometry[row["parcel_id"]]
            assert float(row["long"]) == pytest.approx(point.x, abs=5e-7)
            assert float(row["lat"]) == pytest.approx(point.y, abs=5e-7)
            assert len(row["lat"].split(".")[1]) <= 6
            assert float(row["long"]) < 0, "a minus before a number is no formula"


def test_without_a_budget_every_site_that_may_be_worked_on(content: ReleaseContent) -> None:
    tables = dict(content.tables)
    for name in ("priority_lots", "priority_buildings"):
        table = tables[name]
        at = table.column_names.index("funded")
        tables[name] = table.set_column(at, table.schema.field("funded"), pa.array([False] * table.num_rows))
    orders = work_orders(dataclasses.replace(content, tables=tables))
    selectable = [pc.sum(tables[name].column("selectable")).as_py() for name in ("priority_lots", "priority_buildings")]
    assert orders.num_rows == sum(selectable)
    assert work_orders(dataclasses.replace(content, tables={})) is None
    # a budget that funds nothing orders nothing, least of all everything
    nothing = {"work": {"portfolio": {"spent_usd": 0.0}}}
    assert work_orders(dataclasses.replace(content, tables=tables, programs=nothing)).num_rows == 0


def test_the_key_is_the_same_tomorrow(content: ReleaseContent) -> None:
    tomorrow = dataclasses.replace(content, run_id="2024-01-02-bbbbbbbbbbbb")
    keys = [set(work_orders(night).column("service_request_id").to_pylist()) for night in (content, tomorrow)]
    assert keys[0] == keys[1]


@given(st.text(max_size=12))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    safe = neutralized(text)
    assert not safe.lstrip(" \u00a0\ufeff").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert safe in (text, f"'{text}")


@pytest.mark.parametrize("text", [FORMULA, "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\ufeff=1"])
def test_formulas_are_neutralized(text: str) -> None:
    assert neutralized(text) == f"'{text}"
    assert neutralized("12 River St") == "12 River St"


def test_hostile_cells_are_harmless_in_every_csv(hostile) -> None:
    seen = 0
    for path in hostile.folder.rglob("*.csv"):
        for row in rows_of(path):
            for value in row.values():
                seen += "cmd" in value
                try:
                    float(value)
                except ValueError:
                    assert not value.startswith(("=", "+", "-", "@")), (path, value)
    assert seen, "the formula must have come through, neutralized"


def test_csv_comes_back_as_it_was(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": ['a "b", c', "x;=cmd()", "line\nbreak", None],
            "number": [-1.5, 1e-9, 123456.7890123, None],
            "count": pa.array([1, -2, None, 3], pa.int64()),
            "yes": [True, False, None, True],
            "=name": ["a", "b", "c", "d"],
        }
    )
    write_csv(tmp_path / "x.csv", table)
    frame = pd.read_csv(tmp_path / "x.csv", encoding="utf-8-sig", keep_default_na=False)
    assert list(frame.columns) == ["text", "number", "count", "yes", "'=name"]
    assert frame["text"].tolist() == ['a "b", c', "x;=cmd()", "line\nbreak", ""]
    assert frame["number"].tolist() == ["-1.5", "0", "123456.789012", ""]
    assert frame["count"].tolist() == ["1", "-2", "", "3"]
    assert frame["yes"].tolist() == ["true", "false", "", "true"]
    assert np.char.count((tmp_path / "x.csv").read_bytes().decode("utf-8-sig"), '"x;=cmd()"') == 1
