"""Cut one row from a file of the made city: in every layer on it `read` and exactly one other count lose one."""

from __future__ import annotations

import gzip
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.city import DEMO_DATA, ROOT

from rtm_pipeline.config.city import City
from rtm_pipeline.config.load import load_config
from rtm_pipeline.errors import RtmError, SchemaError
from rtm_pipeline.orchestration.snapshots import source_rows
from rtm_pipeline.orchestration.steps.ingest import place_of, read_layer
from rtm_pipeline.orchestration.values import Place, Rows

WHEN = datetime(2024, 1, 16, 6, tzinfo=UTC)
ROWS_CUT = 3
# Source -> a file of it. All others than those two are read row by row without looking at each other.
FILES = {
    "registry": "vacant_lots.csv",
    "buildings": "dangerous_buildings.csv",
    "calls": "311/*.csv",
    "transit": "bus_stops.csv",
    "ems": "overdoses.csv",
    "crash_reports": "crashes.csv.gz",
    "school_list": "schools.csv",
    "police": "crime/rpd_incidents_2022-0[35].csv",
}


@pytest.fixture(scope="module")
def city() -> City:
    return load_config(ROOT / "configs" / "demo_city.yaml").city


@pytest.fixture(scope="module")
def place(city: City) -> Place:
    return place_of(city, {name: rows_of(city, name, DEMO_DATA) for name in city.area_sources})


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    shutil.copytree(DEMO_DATA, folder, ignore=shutil.ignore_patterns("maker", "__pycache__", "*.py", "*.md", "truth*"))
    yield folder
    shutil.rmtree(folder)


def rows_of(city: City, source: str, data: Path) -> Rows:
    read = source_rows(city, source, data)
    return Rows(read.table, read.crs, WHEN)


def account(city: City, source: str, data: Path, place: Place) -> tuple[int, dict[str, Counter[str]]]:
    """Rows of the source, and the counts of every layer on it."""
    rows = rows_of(city, source, data)
    found = {}
    for name in city.layers_of(source):
        counts = read_layer(city, name, rows, place, None).counts
        found[name] = Counter(
            {"read": counts.read, "kept": counts.kept, "filtered": counts.filtered, "duplicate": counts.duplicate}
            | dict(counts.quarantined)
        )
    return rows.table.num_rows, found


def content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def replace_content(path: Path, new: bytes) -> None:
    path.write_bytes(gzip.compress(new, mtime=0) if path.suffix == ".gz" else new)


def records(path: Path) -> list[bytes]:
    """Header and rows with their line ends; a quoted line break is no end."""
    found, open_ = [b""], False
    for line in content(path).splitlines(keepends=True):
        found[-1] += line
        open_ ^= line.count(b'"') % 2 == 1
        if not open_:
            found.append(b"")
    return [record for record in found if record]


def cut(path: Path, at: int) -> bytes:
    """Remove a record; gives it back."""
    rows = records(path)
    replace_content(path, b"".join(rows[:at] + rows[at + 1 :]))
    return rows[at]


@pytest.mark.parametrize("source", FILES)
def test_one_row_less(source: str, city: City, place: Place, data: Path) -> None:
    paths = sorted(data.glob(FILES[source]))
    assert paths
    draw = random.Random(source)
    read, before = account(city, source, data, place)
    reversal = city.layers["violence"].reversal
    assert reversal is not None
    tried = 0
    while tried < ROWS_CUT:
        path = draw.choice(paths)
        kept = content(path)
        row = cut(path, draw.randrange(1, len(records(path))))
        now, after = account(city, source, data, place)
        replace_content(path, kept)
        if source == "police" and before["violence"]["filtered"] - after["violence"]["filtered"] == 2:
            continue  # a row of a reversal pair: tested on its own below
        tried += 1
        assert now == read - 1, row
        assert before
        for name, counts in before.items():
            lower = {key: number - after[name][key] for key, number in counts.items() if number != after[name][key]}
            assert set(after[name]) <= set(counts), (name, row)
            assert lower.pop("read") == 1, (name, row)
            assert list(lower.values()) == [1], (name, row, lower)


def test_a_reversal_and_the_row_it_takes_back_go_together(city: City, place: Place, data: Path) -> None:
    """Without the reversal the row that it took back counts again; without that row the reversal nets nothing."""
    spec = city.layers["violence"].reversal
    assert spec is not None
    _, before = account(city, "police", data, place)
    checked = 0
    for path in sorted(data.glob("crime/rpd_incidents_2022-*.csv")):
        rows = records(path)
        header = rows[0].decode("utf-8-sig").strip().replace('"', "").split(",")
        column = header.index(spec.column)
        for at, row in enumerate(rows[1:], 1):
            fields = row.decode("latin-1").strip().split(",")
            if checked == 2 or len(fields) != len(header) or fields[column].strip('" ') != spec.value:
                continue
            kept = content(path)
            cut(path, at)
            _, after = account(city, "police", data, place)
            replace_content(path, kept)
            lost = before["violence"] - after["violence"]
            won = after["violence"] - before["violence"]
            assert lost["read"] == 1
            assert lost["filtered"] in (1, 2)
            assert sum(won.values()) == lost["filtered"] - 1
            checked += int(lost["filtered"] == 2)
    assert checked


def test_a_row_of_a_default_geocode_pile_counts_there_only(city: City, place: Place, data: Path) -> None:
    (spot,) = city.layers["violence"].default_geocodes
    _, before = account(city, "police", data, place)
    assert before["violence"]["default_geocode"] > 1
    for path in sorted(data.glob("crime/*.csv")):
        piled = [at for at, row in enumerate(records(path)) if f"{spot.first}".encode() in row]
        for at in piled:
            kept = content(path)
            cut(path, at)
            _, after = account(city, "police", data, place)
            replace_content(path, kept)
            lost = before["violence"] - after["violence"]
            assert not after["violence"] - before["violence"]
            if lost["default_geocode"]:
                assert lost == Counter({"read": 1, "default_geocode": 1})
                return
    pytest.fail("no row of the pile was found")


@pytest.mark.parametrize("source", FILES)
def test_every_required_column_is_missed_by_name(source: str, city: City, data: Path) -> None:
    path = sorted(data.glob(FILES[source]))[0]
    whole = content(path)
    head, end, rest = whole.partition(b"\n")
    for column in city.columns[source]:
        names = (column.name, *column.alternatives, *city.sources[source].aliases.get(column.name, ()))
        bare = head
        for name in sorted(names, key=len, reverse=True):
            bare = bare.replace(name.encode(), b"Zz")
        if bare == head or not column.required:
            continue
        replace_content(path, bare + end + rest)
        with pytest.raises(SchemaError) as caught:
            source_rows(city, source, data)
        assert path.name in str(caught.value)
        replace_content(path, whole)


def test_fewer_files_than_expected_are_named(city: City, data: Path) -> None:
    sorted(data.glob("crime/*.csv"))[3].unlink()
    with pytest.raises(RtmError, match=r"'police': 'crime/rpd_incidents_\*.csv' should find 37 files .* finds 36"):
        source_rows(city, "police", data)
