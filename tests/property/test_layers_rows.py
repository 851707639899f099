"""No row is lost, none is counted twice, and nothing later changes what was known: for arbitrary small sources."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm_pipeline.layers.build import build_layer
from rtm_pipeline.layers.conditions import Condition, Filter
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.reversals import net_rows
from rtm_pipeline.layers.spec import Categories, DateSpec, DefaultGeocode, GeometrySpec, KnownAt, LayerSpec, Reversal
from rtm_pipeline.layers.vintage import as_known
from rtm_pipeline.layers.yearly import outcome_by_year

NOW = datetime(2020, 6, 15, tzinfo=UTC)
CANARY = "Jane Canary"
FRAME = Frame("EPSG:26915", 1.0, shapely.box(355000, 4320000, 365000, 4330000), 500.0, 20000.0, "America/Chicago")
SPEC = LayerSpec(
    name="crime",
    source="somewhere",
    kind="events",
    geometry=GeometrySpec("xy", ("x", "y"), "EPSG:26915"),
    date=DateSpec("when", ("%m/%d/%Y", "iso")),
    known_at=KnownAt(column="coded", formats=("%Y-%m",), period="month"),
    where=Filter(((Condition("part", isin=("one",)),),)),
    categories=Categories(("code",), {"robbery": ("R*",), "assault": ("A",)}),
    reversal=Reversal("count", "-1", ("id", "code")),
    incident=("id",),
    default_geocodes=(DefaultGeocode("hall", 361000.0, 4325000.0),),
    keep=("id",),
    may_be_empty=True,
)
WITH_KEY = LayerSpec(**{name: getattr(SPEC, name) for name in SPEC.__slots__} | {"reversal": None, "key": ("id",)})

# Values and what they mean: the oracle below needs no parser of its own.
PLACES: dict[tuple[str | None, str | None], str | None] = {
    ("360000", "4325000"): None,
    ("354700", "4325000"): None,
    ("350000", "4325000"): "outside_study_area",
    ("361000", "4325000"): "default_geocode",
    ("4325000", "360000"): "swapped_coordinates",
    ("-94.6", "39.06"): "implausible_location",
    ("0", "0.0"): "no_location",
    (None, "4325000"): "no_location",
    ("360000", "here"): "unreadable_location",
}
DATES = {
    "03/04/2018": None,
    "2018-03-05": None,
    "3/40/2018": "unreadable_date",
    None: "no_date",
    "1900-01-01": "date_too_early",
    "2031-01-01": "date_in_future",
}
CODED = {"2018-03": None, "2018-05": None, "2019-01": None, "Q1": "unreadable_known_at", None: "no_known_at"}


@dataclass(frozen=True)
class Row:
    place: tuple[str | None, str | None]
    when: str | None
    coded: str | None
    part: str | None
    code: str | None
    count: str
    id: str | None
    malformed: bool


# Good values are drawn more often, so that rows get far enough to meet one another.
rows = st.builds(
    Row,
    place=st.sampled_from([("360000", "4325000")] * 12 + list(PLACES)),
    when=st.sampled_from(["03/04/2018"] * 8 + list(DATES)),
    coded=st.sampled_from(["2018-03", "2018-05"] * 4 + list(CODED)),
    part=st.sampled_from(["one"] * 8 + ["two", None]),
    code=st.sampled_from(["R1", "R1", "R2", "A", "A", "Z", None]),
    count=st.sampled_from(["1", "1", "1", "-1"]),
    id=st.sampled_from(["a", "b", "c", None]),
    malformed=st.sampled_from([False] * 15 + [True]),
)
sources = st.lists(rows, max_size=25)


def table_of(source: list[Row]) -> pa.Table:
    names = ("when", "coded", "part", "code", "count", "id")
    columns = {name: pa.array([getattr(row, name) for row in source], pa.string()) for name in names}
    columns |= {name: pa.array([row.place[i] for row in source], pa.string()) for i, name in enumerate(("x", "y"))}
    # a column that the source should not even have kept
    columns["name"] = pa.array([CANARY] * len(source), pa.string())
    columns["_file"] = pa.array([0] * len(source), pa.int32())
    columns["_row"] = pa.array(range(1, len(source) + 1), pa.int64())
    columns["_malformed"] = pa.array([row.malformed for row in source], pa.bool_())
    return pa.table(columns)


def read(source: list[Row], spec: LayerSpec = SPEC) -> LayerResult:
    return build_layer(spec, table_of(source), FRAME, source_crs=None, fetched_at=NOW)


def netted_by(source: list[Row], wanted: list[int]) -> dict[int, int]:
    """Row -> its reversal, by a stack for each identity in the order of time."""
    pairs: dict[int, int] = {}

    def known(number: int) -> str:
        row = source[number]
        if CODED[row.coded] is None:
            return str(row.coded)
        return "9999" if row.count == "-1" else "0000"

    stacks: dict[tuple[str | None, str | None], list[int]] = {}
    for number in sorted(wanted, key=lambda i: (known(i), source[i].count == "-1", i)):
        row = source[number]
        stack = stacks.setdefault((row.id, row.code), [])
        if row.count != "-1":
            stack.append(number)
        elif stack:
            pairs[stack.pop()] = number
    return pairs


def expected_fates(source: list[Row], spec: LayerSpec) -> list[str]:
    fates = [""] * len(source)
    for number, row in enumerate(source):
        if row.malformed:
            fates[number] = "malformed_row"
        elif row.part != "one":
            fates[number] = "where"
        elif row.code in ("Z", None):
            fates[number] = "category"
    wanted = [number for number, fate in enumerate(fates) if not fate]
    if spec.reversal is not None:
        for number in netted_by(source, wanted):
            fates[number] = "reversal"
        for number in wanted:
            if source[number].count == "-1":
                fates[number] = "reversal"
    for number in wanted:
        row = source[number]
        fates[number] = fates[number] or DATES[row.when] or CODED[row.coded] or PLACES[row.place] or ""
    if spec.key:
        seen: set[str] = set()
        for number in sorted((i for i in wanted if not fates[i]), key=lambda i: (str(source[i].coded), i)):
            identity = source[number].id
            if identity is not None and identity in seen:
                fates[number] = "duplicate"
            elif identity is not None:
                seen.add(identity)
    return [fate or "kept" for fate in fates]


def tally(result: LayerResult) -> dict[str, int]:
    counts = result.counts
    everything = {"kept": counts.kept, "duplicate": counts.duplicate, **counts.filtered_by, **counts.quarantined}
    return {name: number for name, number in everything.items() if number}


@given(source=sources, spec=st.sampled_from([SPEC, WITH_KEY]))
@settings(deadline=None, max_examples=60)
def test_every_row_has_the_fate_that_it_should(source: list[Row], spec: LayerSpec) -> None:
    result = read(source, spec)
    fates = expected_fates(source, spec)
    counts = result.counts
    assert counts.read == len(source)
    assert counts.read == counts.kept + counts.filtered + counts.duplicate + sum(counts.quarantined.values())
    assert counts.filtered == sum(counts.filtered_by.values())
    assert tally(result) == {fate: fates.count(fate) for fate in set(fates)}
    kept = [number for number, fate in enumerate(fates, 1) if fate == "kept"]
    assert result.layer.attributes.column("_row").to_pylist() == kept
    aside = dict(zip(*(result.quarantine.column(name).to_pylist() for name in ("_row", "_reason")), strict=True))
    assert aside == {number: fate for number, fate in enumerate(fates, 1) if fate in counts.quarantined}


@given(source=sources.filter(bool), spec=st.sampled_from([SPEC, WITH_KEY]), data=st.data())
@settings(deadline=None, max_examples=60)
def test_without_one_row_two_counts_are_lower_by_one(source: list[Row], spec: LayerSpec, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(source) - 1))
    whole, cut = read(source, spec), read(source[:number] + source[number + 1 :], spec)
    assert cut.counts.read == whole.counts.read - 1
    before, after = tally(whole), tally(cut)
    change = {name: after.get(name, 0) - before.get(name, 0) for name in before | after}
    assert sum(change.values()) == -1
    row = source[number]
    peers = [r for r in source if (r.id, r.code) == (row.id, row.code)]
    if spec.reversal is None or not any(r.count == "-1" for r in peers):
        assert sorted(value for value in change.values() if value) == [-1]


@given(source=sources, month=st.sampled_from(["2018-03", "2018-05", "2019-01", "2020-01"]))
@settings(deadline=None, max_examples=60)
def test_what_came_later_changes_nothing_that_was_known(source: list[Row], month: str) -> None:
    year, number = map(int, month.split("-"))
    at = date(year + number // 12, number % 12 + 1, 1)
    # what could be read at the end of a month: the rows that were coded by then
    early = [row for row in source if CODED[row.coded] is not None or str(row.coded) <= month]
    # a row without a readable month can't be told to be late; it never takes part in either
    early = [row for row in early if CODED[row.coded] is None]
    dated = [row for row in source if CODED[row.coded] is None]
    then, now = read(early).layer, as_known(read(dated).layer, at)
    np.testing.assert_array_equal(then.x, now.x)
    np.testing.assert_array_equal(then.known_at, now.known_at)
    assert then.attributes.column("id").to_pylist() == now.attributes.column("id").to_pylist()
    with_key_then, with_key_now = read(early, WITH_KEY).layer, as_known(read(dated, WITH_KEY).layer, at)
    assert with_key_then.attributes.column("id").to_pylist() == with_key_now.attributes.column("id").to_pylist()


@given(source=sources)
@settings(deadline=None, max_examples=25)
def test_no_undeclared_value_is_found_anywhere(source: list[Row]) -> None:
    result = read(source)
    assert CANARY.encode() not in pickle.dumps(result)
    assert CANARY not in repr(result.notes)
    yearly = outcome_by_year(SPEC, table_of(source), FRAME, source_crs=None, fetched_at=NOW)
    assert CANARY not in repr(yearly)


@given(source=sources)
@settings(deadline=None, max_examples=25)
def test_the_yearly_table_ends_where_the_layer_begins(source: list[Row]) -> None:
    layer = read(source).layer
    years = layer.time.astype("datetime64[Y]").astype(int) + 1970
    yearly = outcome_by_year(SPEC, table_of(source), FRAME, source_crs=None, fetched_at=NOW)
    unknown = ("no_known_at", "unreadable_known_at")
    late = sum(number for reason, number in read(source).counts.quarantined.items() if reason in unknown)
    for found in yearly.years:
        assert found.wanted.rows == found.located.rows + found.unlocated.rows
        steps = (found.wanted, found.located, found.standing, found.inside, found.counted)
        assert all(a.rows >= b.rows and a.incidents >= b.incidents for a, b in pairwise(steps))
        assert all(step.incidents <= step.rows for step in steps)
        if layer.inside is not None and not late:
            assert found.counted.rows == np.count_nonzero(layer.inside & (years == found.year))


@given(
    st.lists(
        st.tuples(st.integers(-1, 3), st.booleans(), st.sampled_from(["2018-01", "2018-02", "2018-03", "NaT"])),
        max_size=40,
    )
)
@settings(deadline=None, max_examples=300)
def test_reversals_match_as_a_stack_does(entries: list[tuple[int, bool, str]]) -> None:
    identity = np.array([entry[0] for entry in entries], np.int64)
    reversal = np.array([entry[1] for entry in entries], bool)
    known = np.array([entry[2] for entry in entries], "datetime64[s]")
    found = net_rows(identity, reversal, known)
    expected, alone = np.full(identity.size, -1), 0
    stacks: dict[int, list[int]] = {}

    def moment(i: int) -> str:
        return entries[i][2] if entries[i][2] != "NaT" else ("9999" if entries[i][1] else "0000")

    for i in sorted(range(len(entries)), key=lambda i: (moment(i), reversal[i], i)):
        stack = stacks.setdefault(int(identity[i]), [])
        if not reversal[i]:
            stack.append(i)
        elif stack and identity[i] >= 0:
            expected[stack.pop()] = i
        else:
            alone += 1
    np.testing.assert_array_equal(found.netted_by, expected)
    assert found.unpartnered == alone
