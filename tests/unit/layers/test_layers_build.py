from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.layers.account import Fate, count_rows, describe_rows
from rtm_pipeline.layers.conditions import Condition, Filter
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.spec import Categories, DateSpec, GeometrySpec, History, KnownAt, LayerSpec, Reversal

Read = Callable[..., LayerResult]
Site = Callable[..., LayerSpec]
Snapshot = Callable[..., pa.Table]


def at_center(n: int, **columns: list[str | None]) -> dict[str, list[str | None]]:
    return {"x": ["360000"] * n, "y": ["4325000"] * n, **columns}


def test_repeats(read: Read, site: Site, snapshot: Snapshot) -> None:
    columns = at_center(6, id=["1", "1", None, None, "2", "1"], kind=["a", "a", "b", "b", "a", "b"])
    columns["x"][0] = None  # without a place it is no good, so the second of its key is the first that is
    result = read(site(key=("id",)), snapshot(columns))
    assert result.layer.attributes.column("_row").to_pylist() == [2, 3, 4, 5]
    assert (result.counts.duplicate, result.counts.quarantined) == (1, {"no_location": 1})


def test_of_repeats_the_first_known_stays(read: Read, site: Site, snapshot: Snapshot) -> None:
    columns = at_center(3, id=["1", "1", "1"], when=["2020-03-01", "2020-01-01", "2020-01-01"])
    result = read(site(key=("id",), date=DateSpec("when")), snapshot(columns))
    assert result.layer.attributes.column("_row").to_pylist() == [2]


def test_incidents(read: Read, site: Site, snapshot: Snapshot) -> None:
    columns = at_center(5, id=["1", "1", "2", None, None], code=["a", "b", "a", "a", "a"])
    shared = read(site(incident=("id",)), snapshot(columns)).layer.incident
    assert shared[0] == shared[1]
    assert len(set(shared.tolist())) == 4
    assert len(set(read(site(key=("id", "code")), snapshot(columns)).layer.incident.tolist())) == 4
    assert len(set(read(site(), snapshot(columns)).layer.incident.tolist())) == 5


def test_categories_flags_and_attributes(read: Read, site: Site, snapshot: Snapshot) -> None:
    columns = at_center(4, code=["A1", "B1", "Z", "A2"], gun=["Y", None, "Y", "N"], address=["1", "2", "3", "4"])
    spec = site(
        categories=Categories(("code",), {"a": ("A*",), "b": ("B*",)}),
        flags={"firearm": Filter(((Condition("gun", isin=("Y",)),),))},
        keep=("address",),
    )
    result = read(spec, snapshot(columns))
    assert result.layer.category.tolist() == [0, 1, 0]
    assert result.layer.category.dtype == np.int16
    assert result.layer.flags["firearm"].tolist() == [True, False, False]
    assert result.layer.attributes.column_names == ["address", "_file", "_row"]
    assert result.counts.filtered_by == {"category": 1}
    assert result.notes["categories"] == {"a": 2, "b": 1}
    unknown = Categories(("code",), {"a": ("A*",), "b": ("B*",)}, other="quarantined")
    assert read(site(categories=unknown), snapshot(columns)).counts.quarantined == {"unknown_category": 1}


def test_malformed_rows_lose_their_values(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot(at_center(2, code=["Jane Doe", "A"]), malformed=[0])
    spec = site(categories=Categories(("code",), {"a": ("A",)}), where=Filter(((Condition("code", isin=("A",)),),)))
    result = read(spec, table)
    assert result.counts.quarantined == {"malformed_row": 1}
    assert result.quarantine.drop(["_file", "_row", "_reason"]).to_pylist() == [{"x": None, "y": None, "code": None}]
    assert b"Jane Doe" not in pickle.dumps(result)


def test_undeclared_columns_go_nowhere(read: Read, site: Site, snapshot: Snapshot) -> None:
    columns = at_center(3, name=["Jane Doe"] * 3, id=["1", "2", "2"])
    columns["x"][0] = "?"
    result = read(site(key=("id",)), snapshot(columns))
    assert result.quarantine.column_names == ["x", "y", "id", "_file", "_row", "_reason"]
    assert b"Jane Doe" not in pickle.dumps(result)


def test_an_empty_layer_says_where_its_rows_went(read: Read, site: Site, snapshot: Snapshot) -> None:
    columns = at_center(3, kind=["a", "b", "b"])
    columns["x"][1] = None
    spec = site(where=Filter(((Condition("kind", isin=("b",)),),)), may_be_empty=False)
    columns["x"][2] = "0"
    columns["y"][2] = "0"
    message = r"'things' from source 'somewhere' is empty: 3 rows read: 0 kept, 1 filtered \(where\), 2 quarantined"
    with pytest.raises(SchemaError, match=message) as caught:
        read(spec, snapshot(columns))
    assert caught.value.exit_code == 3


def test_no_rows_at_all(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot(at_center(0, when=[], id=[], count=[], code=[]))
    spec = site(
        kind="events",
        date=DateSpec("when", hour="id"),
        known_at=KnownAt(column="when", period="month"),
        until=DateSpec("when"),
        key=("id", "code"),
        categories=Categories(("code", "id"), {"a": ("x",)}, other="other"),
        reversal=Reversal("count", "-1", ("id",)),
        flags={"some": Filter(((Condition("code", pattern="x"),),))},
    )
    result = read(spec, table)
    assert len(result.layer) == 0
    assert result.counts.read == 0
    assert result.quarantine.num_rows == 0
    with pytest.raises(SchemaError, match="0 rows read"):
        read(site(may_be_empty=False), table)


def test_a_missing_column_is_named(read: Read, site: Site, snapshot: Snapshot) -> None:
    with pytest.raises(SchemaError, match=r"Layer 'things' needs the column\(s\) 'Handle'.*Did you mean 'handle'"):
        read(site(key=("Handle",)), snapshot(at_center(1, handle=["1"])))


def test_the_account_must_add_up() -> None:
    fates = np.array([Fate.KEPT, Fate.DUPLICATE, Fate.WHERE, Fate.NO_DATE, Fate.NO_DATE], np.int8)
    counts = count_rows(fates, layer="x")
    assert (counts.read, counts.kept, counts.duplicate, counts.filtered, counts.set_aside) == (5, 1, 1, 1, 2)
    assert describe_rows(counts) == "5 rows read: 1 kept, 1 filtered (where), 1 duplicate, 2 quarantined (no_date)"
    with pytest.raises(SchemaError, match="5 rows were read but 4 are accounted for"):
        count_rows(np.append(fates[:4], np.int8(2)), layer="x")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GeometrySpec("xyz"), "The kind of a geometry is 'xyz'; allowed: xy, latlon"),
        (lambda: GeometrySpec("xy", ("x",)), r"kind 'xy' needs 2 column\(s\); found 1: x"),
        (lambda: KnownAt(column="a", delay=__import__("rtm_pipeline.units").units.Duration(1, "d")), "delay"),
        (lambda: History("assumed"), "needs a reason"),
        (lambda: Reversal("count", "-1", ()), "needs match"),
        (lambda: Categories(("a",), {"b": ("c",)}, other="dropped"), "allowed: filtered, other, quarantined"),
        (lambda: LayerSpec("a", "b", "lots", GeometrySpec("native")), "allowed: events, sites, requests, areas"),
    ],
)
def test_specs_that_make_no_sense(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_chunks_and_types_do_not_matter(read: Read, site: Site, snapshot: Snapshot) -> None:
    table = snapshot(at_center(4, id=["1", "2", "1", "3"]))
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 3)])
    large = chunked.set_column(0, "x", chunked.column("x").cast(pa.large_string()))
    spec = site(key=("id",), where=Filter(((Condition("id", isin=("1", "2")),),)))
    whole, other = read(spec, table), read(spec, large)
    assert whole.counts == other.counts
    assert whole.layer.attributes.equals(other.layer.attributes)
    np.testing.assert_array_equal(whole.layer.x, other.layer.x)


def test_a_layer_survives_pickling(read: Read, site: Site, snapshot: Snapshot) -> None:
    result = read(site(), snapshot(at_center(2)))
    again = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(again.layer.x, result.layer.x)
    assert again.counts == result.counts
