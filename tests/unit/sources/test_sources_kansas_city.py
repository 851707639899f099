"""The live data sets of Kansas City as the portal shapes them: years that differ become one source."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
import shapely
from fakes import kansas_city as kc
from fakes.portal import FakePortal

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.sources.portals.transport import Transport
from rtm_pipeline.sources.read import read_source
from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore
from rtm_pipeline.sources.spec import ColumnRequest, SocrataSource

NOW = datetime(2026, 5, 1, 7, tzinfo=UTC)
ALIASES = {
    "reported_date": ("report_date",),
    "report_no": ("report",),
    "location": ("location_1",),
    "firearm_used_flag": ("firearmused", "firearm_used"),
}
CRIME = (
    *(ColumnRequest(name) for name in ("reported_date", "report_no", "ibrs")),
    *(ColumnRequest(name, required=False) for name in ("location", "latitude", "longitude", "firearm_used_flag")),
)


@pytest.fixture(scope="module")
def portal():
    with FakePortal() as portal:
        kc.add_kansas_city(portal, reports=25)
        yield portal


def read(portal, tmp_path, datasets, request, *, geometry=False, aliases=None, state_dir=None):
    sender = Transport(allow_http_hosts={portal.host}, routes={kc.HOST: portal.host}, backoff_s=0.001)
    spec = SocrataSource("src", kc.HOST, tuple(datasets), aliases=aliases or {})
    try:
        return read_source(
            spec, request, data_dir=tmp_path, geometry=geometry, transport=sender, now=NOW, state_dir=state_dir
        )
    finally:
        sender.close()


def test_twelve_years_of_crime(portal, tmp_path):
    portal.requests.clear()
    result = read(portal, tmp_path, kc.KCPD.values(), CRIME, aliases=ALIASES, state_dir=tmp_path / "state")
    rows = result.table.to_pylist()
    assert len(rows) == sum(len(portal.datasets[name].rows) for name in kc.KCPD.values())
    for at, (year, name) in enumerate(kc.KCPD.items()):
        mine = [row for row in rows if row["_file"] == at]
        date_name, number_name = kc.date_names(year)
        made = portal.datasets[name].rows
        assert Counter(row["report_no"] for row in mine) == Counter(row[number_name] for row in made)
        assert Counter(row["reported_date"] for row in mine) == Counter(row[date_name] for row in made)
        assert all(row["firearm_used_flag"] for row in mine)
        located = [row for row in mine if row["location"] or row["latitude"]]
        assert len(located) == sum(any(k in row for k in ("location", "location_1", "latitude")) for row in made)
    shapes = {frozenset(json.loads(row["location"])) for row in rows if row["location"]}
    assert shapes == {frozenset({"type", "coordinates"}), frozenset({"latitude", "longitude", "human_address"})}
    assert result.dropped_columns[-3:] == ("involvement", "race", "sex")
    assert not any(name in str(request.query) for request in portal.requests for name in ("race", "sex", "age"))
    stored = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert kc.CANARY.encode() not in stored
    assert kc.CANARY not in str(rows)


def test_a_year_without_its_alias_is_named(portal, tmp_path):
    with pytest.raises(SchemaError, match=rf"{kc.KCPD[2023]}.*'report_no'.*Did you mean 'report'"):
        read(portal, tmp_path, kc.KCPD.values(), CRIME, aliases={**ALIASES, "report_no": ()})


def test_neighborhoods_have_their_shapes(portal, tmp_path):
    result = read(
        portal, tmp_path, [kc.NEIGHBORHOODS], (ColumnRequest("nbhname"), ColumnRequest("nbhid")), geometry=True
    )
    areas = shapely.area(shapely.from_wkb(result.table.column("geometry").to_numpy(zero_copy_only=False)))
    assert areas == pytest.approx([kc.SIDE**2] * 16)
    assert result.table.column("nbhname").null_count == 1


def test_a_night_of_all_sources_and_the_next(portal, tmp_path):
    store = SnapshotStore(tmp_path / "snapshots")
    wanted = {
        "requests_now": ([kc.REQUESTS], ("reported_issue", "open_date_time", "issue_type", "lat_long")),
        "requests_before": (
            [kc.REQUESTS_BEFORE],
            ("case_id", "creation_date", "request_type", "latitude", "longitude"),
        ),
        "violations": ([kc.VIOLATIONS], ("workorder_", "open_date_time", "issue_sub_type", "lat_long")),
        "dangerous": ([kc.DANGEROUS], ("casenumber", "case_opened", "statusofcase", "case_location")),
        "land_bank": ([kc.LAND_BANK], ("parcel_number", "date_of_acquisition", "property_class", "location")),
    }
    nights = []
    for _ in range(2):
        digests = {}
        for name, (datasets, columns) in wanted.items():
            request = tuple(ColumnRequest(column) for column in columns)
            result = read(portal, tmp_path, datasets, request, state_dir=tmp_path / "state" / name)
            snapshot = store.put("kansas_city", name, result, NOW)
            digests[name] = snapshot.digest
            assert store.table(snapshot).num_rows == len(portal.datasets[datasets[0]].rows)
        nights.append(digests)
    assert nights[0] == nights[1]
