"""ArcGIS FeatureServer: every row exactly once, or one clear error; whatever the server does."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import shapely
from fakes import portal as fake
from fakes.portal import FakePortal, Layer

from rtm_pipeline.errors import ConfigError, SchemaError, SourceError
from rtm_pipeline.sources.portals.arcgis import read_arcgis
from rtm_pipeline.sources.portals.transport import Transport
from rtm_pipeline.sources.read import read_source
from rtm_pipeline.sources.spec import ArcGISSource, ColumnRequest

NOW = datetime(2024, 5, 1, 7, tzinfo=UTC)
PATH = "/arcgis/rest/services/Lots/FeatureServer/0"
FIELDS = [("OBJECTID", "esriFieldTypeOID"), ("PIN", "esriFieldTypeString"), ("BUILT", "esriFieldTypeDate"),
          ("AREA", "esriFieldTypeDouble"), ("OWNER", "esriFieldTypeString")]  # fmt: skip
REQUEST = (ColumnRequest("PIN"), ColumnRequest("BUILT"), ColumnRequest("AREA"))
N = 23


def made_row(i: int) -> tuple[dict, dict | None]:
    shape = None if i == 4 else {"type": "Point", "coordinates": [-94.5 - i / 100, 39.0]}
    built = None if i == 5 else 1_400_000_000_000 + 86_400_000 * i
    return {"OBJECTID": i, "PIN": f"p{i:04d}", "BUILT": built, "AREA": i / 4, "OWNER": "CANARY"}, shape


@pytest.fixture
def portal():
    with FakePortal() as portal:
        portal.layers[PATH] = Layer(list(FIELDS), [made_row(i) for i in range(1, N + 1)])
        yield portal


def read(portal, request=REQUEST, *, geometry=True, page_rows=5, state_dir=None, path=PATH, **more):
    spec_keys = {key: more.pop(key) for key in ("order_by", "where", "token_env", "aliases") if key in more}
    source = ArcGISSource("lots", f"http://{portal.host}{path}", **spec_keys)
    settings = {"backoff_s": 0.001, "retries": 3, "read_timeout_s": 5.0, "allow_http_hosts": {portal.host}}
    way = Transport(**{**settings, **more})
    try:
        return read_arcgis(
            source, request, transport=way, now=NOW, geometry=geometry, state_dir=state_dir, page_rows=page_rows
        )
    finally:
        way.close()


def pins(result) -> list[str]:
    return sorted(result.table.column("PIN").to_pylist())


def expected(portal) -> list[str]:
    return sorted(row["PIN"] for row, _ in portal.layers[PATH].rows)


def test_rows_values_and_geometry(portal):
    result = read(portal)
    assert pins(result) == expected(portal)
    rows = {row["PIN"]: row for row in result.table.to_pylist()}
    assert rows["p0001"]["BUILT"] == "1400086400000"
    assert rows["p0005"]["BUILT"] is None
    assert [rows[pin]["AREA"] for pin in ("p0001", "p0002", "p0004")] == ["0.25", "0.5", "1.0"]
    assert shapely.from_wkb(rows["p0001"]["geometry"]).x == -94.51
    assert rows["p0004"]["geometry"] is None
    assert result.crs == "EPSG:4326"
    assert result.files[0].dropped == ("OBJECTID", "OWNER")
    assert result.files[0].path == f"{portal.host}{PATH}"
    assert result.part_by == ("BUILT", 4)


def test_only_declared_fields_are_asked_for(portal):
    read(portal, REQUEST[:1], geometry=False)
    for request in portal.asked("page"):
        assert request.query["outFields"] == "OBJECTID,PIN"
        assert request.query["returnGeometry"] == "false"
        assert request.query["orderByFields"] == "OBJECTID"


def test_without_geometry(portal):
    result = read(portal, geometry=False)
    assert "geometry" not in result.table.column_names
    assert result.crs is None


@pytest.mark.parametrize("n", [0, 1, 4, 5, 6, 10])
def test_page_borders(portal, n):
    portal.layers[PATH].rows = portal.layers[PATH].rows[:n]
    assert pins(read(portal)) == expected(portal)


def test_server_that_gives_smaller_pages(portal):
    portal.layers[PATH].max_record_count = 3
    result = read(portal, page_rows=1000)
    assert pins(result) == expected(portal)
    assert {request.query["resultRecordCount"] for request in portal.asked("page")} == {"3"}


def test_other_object_id_and_order(portal):
    layer = portal.layers[PATH]
    layer.object_id = "FID"
    layer.fields = [("FID", "esriFieldTypeOID"), *FIELDS[1:]]
    layer.rows = [({"FID": row["OBJECTID"], **{k: v for k, v in row.items() if k != "OBJECTID"}}, s)
                  for row, s in layer.rows]  # fmt: skip
    assert pins(read(portal)) == expected(portal)
    assert portal.asked("page")[0].query["orderByFields"] == "FID"
    assert pins(read(portal, order_by="PIN")) == expected(portal)
    assert portal.asked("page")[-1].query["orderByFields"] == "PIN,FID"
    with pytest.raises(SchemaError, match=r"no field 'PINS' to order by.*Did you mean 'PIN'"):
        read(portal, order_by="PINS")


PASSING = {
    "error 500 with 200": fake.times(2, fake.arcgis_error(500)),
    "error 504 on the count": fake.times(1, fake.arcgis_error(504), "count"),
    "error 503 on the description": fake.times(1, fake.arcgis_error(503), "describe"),
    "429": fake.times(1, fake.status(429, Retry_After="0")),
    "html": fake.times(1, fake.html),
    "broken off": fake.times(1, fake.truncated(), after=1),
    "cut json": fake.times(1, fake.truncated(honest_length=True), after=1),
}


@pytest.mark.parametrize("name", PASSING)
def test_faults_that_pass(portal, name):
    portal.faults.append(PASSING[name])
    assert pins(read(portal)) == expected(portal)


LASTING = {
    "error 400 with 200": (fake.arcgis_error(400), "error 400: Unable to complete operation"),
    "error 498 with 200": (fake.arcgis_error(498, "Invalid token."), "error 498: Invalid token.*Look at the token"),
    "error 500 with 200": (fake.arcgis_error(500), "error 500.*4 times in a row"),
    "not features": (fake.body({"objectIdFieldName": "OBJECTID"}), "other than features"),
    "features of nothing": (fake.body({"features": [1, 2]}), "without properties"),
    "more but none": (fake.body({"features": [], "exceededTransferLimit": True}), "exceededTransferLimit"),
    "no ids": (fake.body({"features": [{"properties": {"PIN": "1"}}]}), "without OBJECTID"),
}


@pytest.mark.parametrize("name", LASTING)
def test_faults_that_last(portal, name):
    fault, text = LASTING[name]
    portal.faults.append(fake.times(10**6, fault))
    with pytest.raises(SourceError, match=text) as caught:
        read(portal)
    assert "'lots'" in str(caught.value)


@pytest.mark.parametrize("by", [-3, 1])
def test_wrong_counts(portal, by):
    portal.faults.append(fake.wrong_count(by))
    with pytest.raises(SourceError, match=rf"{N + by} rows were promised and {N} came"):
        read(portal)


def test_count_that_is_none(portal):
    portal.faults.append(fake.times(10, fake.body({"objectIds": []}), "count"))
    with pytest.raises(SourceError, match="does not tell how many"):
        read(portal)


def test_shuffled_pages(portal):
    portal.faults.append(fake.shuffled())
    assert pins(read(portal)) == expected(portal)


def change(portal, kind: str) -> None:
    layer = portal.layers[PATH]
    if kind in ("delete", "swap"):
        layer.rows = [row for row in layer.rows if row[0]["OBJECTID"] != 2]
    if kind in ("insert", "swap"):
        layer.rows.append(made_row(0))
    layer.edited = (layer.edited or 0) + 1


@pytest.mark.parametrize("kind", ["insert", "delete", "swap"])
@pytest.mark.parametrize("page", [1, 2, 4, 6])
def test_rows_that_move_while_paging(portal, kind, page):
    portal.faults.append(fake.before_page(page, lambda: change(portal, kind)))
    assert pins(read(portal)) == expected(portal)


def test_cut_pull_goes_on(portal, tmp_path):
    portal.faults.append(fake.times(10**6, fake.status(500), after=3))
    with pytest.raises(SourceError):
        read(portal, state_dir=tmp_path)
    portal.faults.clear()
    portal.requests.clear()
    assert pins(read(portal, state_dir=tmp_path)) == expected(portal)
    assert min(int(request.query["resultOffset"]) for request in portal.asked("page")) == 12


@pytest.mark.parametrize("kind", ["insert", "delete", "swap"])
def test_rows_that_move_between_cut_and_resumption(portal, tmp_path, kind):
    portal.faults.append(fake.times(10**6, fake.status(500), after=3))
    with pytest.raises(SourceError):
        read(portal, state_dir=tmp_path)
    portal.faults.clear()
    change(portal, kind)
    assert pins(read(portal, state_dir=tmp_path)) == expected(portal)


def test_schema_renamed_while_paging(portal):
    def rename():
        layer = portal.layers[PATH]
        layer.fields = [("PARCEL" if name == "PIN" else name, kind) for name, kind in layer.fields]
        layer.rows = [({("PARCEL" if k == "PIN" else k): v for k, v in row.items()}, s) for row, s in layer.rows]

    portal.faults.append(fake.before_page(3, rename))
    with pytest.raises(SchemaError, match="'PIN' were there when the reading began and are gone"):
        read(portal)


def test_schema_renamed_in_what_is_sent(portal):
    def careless(portal, request):
        if request.kind != "page":
            return None
        value = json.loads(portal.honest(request).body)
        for feature in value["features"]:
            feature["properties"]["PARCEL"] = feature["properties"].pop("PIN")
        return fake.body(value)(portal, request)

    portal.faults.append(careless)
    with pytest.raises(SchemaError, match="rows without 'PIN'"):
        read(portal)


def test_schema_renamed_before_the_last_look(portal):
    def rename(portal, _request):
        layer = portal.layers[PATH]
        layer.fields = [("PARCEL" if name == "PIN" else name, kind) for name, kind in layer.fields]

    portal.faults.append(fake.times(1, rename, "describe", after=2))
    with pytest.raises(SchemaError, match=r"'PIN'.*gone.*'PARCEL'"):
        read(portal)


def test_missing_field(portal):
    with pytest.raises(SchemaError, match=r"required column 'PINN'.*Did you mean 'PIN'"):
        read(portal, (ColumnRequest("PINN"),))


@pytest.mark.parametrize(
    "url",
    [
        "https://host/arcgis/rest/services/X/FeatureServer",
        "https://host/FeatureServer/0?token=x",
        "https://user:pw@host/FeatureServer/0",
        "http://host/FeatureServer/0",
        "ftp://host/FeatureServer/0",
        "host/FeatureServer/0",
    ],
)
def test_addresses(url):
    with pytest.raises(ConfigError, match="lots"):
        read_arcgis(ArcGISSource("lots", url), REQUEST, transport=Transport(), now=NOW)


def test_token_is_in_a_header_only(portal, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("GIS_TOKEN", "CANARY-TOKEN")
    read(portal, token_env="GIS_TOKEN")  # noqa: S106
    assert all(request.headers["X-Esri-Authorization"] == "Bearer CANARY-TOKEN" for request in portal.requests)
    assert not any("CANARY" in str(request.query) for request in portal.requests)
    portal.faults.append(fake.times(9, fake.arcgis_error(400, "bad CANARY-TOKEN")))
    with pytest.raises(SourceError, match=r"bad \*\*\*"):
        read(portal, token_env="GIS_TOKEN")  # noqa: S106
    assert "CANARY" not in caplog.text


def test_shapes_that_can_not_be_read_are_told(portal, caplog):
    row, _ = portal.layers[PATH].rows[0]
    portal.layers[PATH].rows[0] = (row, {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})
    result = read(portal)
    assert result.table.column("geometry").null_count == 2
    assert "1 shapes can't be read" in caplog.text


def test_one_entrance(portal, tmp_path):
    source = ArcGISSource("lots", f"http://{portal.host}{PATH}", allow_http=True)
    assert pins(read_source(source, REQUEST, data_dir=tmp_path, geometry=True)) == expected(portal)
