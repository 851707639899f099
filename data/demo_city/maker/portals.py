"""Files of the other portals, each with the habits and the faults of its kind; the clean rows come from ``places``."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from maker.ledger import READING, Ledger, write_csv
from maker.places import City, degrees, text_date
from maker.plan import (
    CANARY_AGE,
    CANARY_CALLERS,
    CANARY_OWNERS,
    CANARY_SEX,
    CENTER_X,
    CENTER_Y,
    CRS,
    NEIGHBORHOODS,
    stream,
)

CUTOVER = np.datetime64("2022-07-01T00:00")
VOCABULARY: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # kind: (spellings of the old system, spellings of the new one)
    "illegal_dumping": (("Illegal Dumping", "Trash Dumped in Alley"), ("Dumping-Right of Way", "Dumping-Private Lot")),
    "tall_grass_weeds": (("Tall Grass / Weeds",), ("Nuisance-Rank Weeds",)),
    "street_light_out": (("Streetlight Out",), ("Street Light-Outage", "Street Light-Flickering")),
    "pothole": (("Pothole",), ("Pavement-Pothole",)),
    "graffiti": (("Graffiti Removal",), ("Graffiti-Private Property", "Graffiti-Public Property")),
    "abandoned_vehicle": (("Abandoned Vehicle on Street",), ("Vehicle-Abandoned",)),
    "open_vacant_building": (("Vacant Structure Open to Entry",), ("Dangerous Building-Open to Entry",)),
    "missed_trash": (("Missed Trash Pickup",), ("Collection-Missed Trash", "Collection-Missed Recycling")),
    "stray_animal": (("Animal at Large",), ("Animal-Stray",)),
    "sidewalk": (("Sidewalk Repair",), ("Sidewalk-Trip Hazard",)),
    "sewer_backup": (("Sewer Backup",), ("Sewer-Backup",)),
    "tree_down": (("Tree Down – Street",), ("Tree-Fallen Limb",)),
}
NO_KIND = (("General Inquiry", "Test Request"), ("Information-General", "ZZ Test - Do Not Use"))


def _owner(rng: np.random.Generator, at: int) -> str:
    if at % 41 == 7:
        return CANARY_OWNERS[(at // 41) % len(CANARY_OWNERS)]
    return f"HOLDER {rng.integers(100_000, 999_999)}"


def _add(
    rng: np.random.Generator, clean: pd.DataFrame, faults: dict[str, int], extra: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Clean rows plus rows with one fault each: ``duplicate`` copies a clean row, the others are rows of their own."""
    parts = [clean.assign(tag="clean") if "tag" not in clean else clean]
    for tag, size in faults.items():
        pool = clean if tag == "duplicate" or extra is None else extra
        chosen = pool.iloc[np.sort(rng.choice(len(pool), size, replace=False))].copy()
        chosen["tag"] = tag
        parts.append(chosen)
    return pd.concat(parts, ignore_index=True)


def _latlon(row: object, blank: str = "") -> tuple[str, str]:
    """Latitude and longitude as the export has them, by the row's fault."""
    lat, lon, tag = f"{row.lat:.7f}", f"{row.lon:.7f}", row.tag  # type: ignore[attr-defined]
    if tag == "missing_coordinates":
        return blank, blank
    if tag == "zero_coordinates":
        return "0", "0"
    if tag == "swapped_coordinates":
        return lon, lat
    if tag == "out_of_state":
        return f"{row.lat - 13.2:.7f}", f"{row.lon + 8.9:.7f}"  # type: ignore[attr-defined]
    return lat, lon


def _date(value: object, tag: str, pattern: str) -> str:
    """A date as the export has it, by the row's fault."""
    if tag == "unreadable_date":
        return "0000-00-00"
    text = text_date(value, pattern)
    year = text_date(value, "%Y")
    if tag == "century_back":
        return text.replace(year, str(int(year) - 100), 1)
    return text.replace(year, "2096", 1) if tag == "future_date" else text


def _vacant_lots(city: City, folder: Path, ledger: Ledger) -> None:
    rng = stream("vacant lots file")
    faults = {
        "duplicate": 44, "missing_coordinates": 26, "zero_coordinates": 13, "swapped_coordinates": 5,
        "out_of_state": 4, "future_date": 3, "century_back": 3, "unreadable_date": 2,
    }  # fmt: skip
    nameless = np.isin(np.arange(len(city.vacant_lots)), rng.choice(len(city.vacant_lots), 6, replace=False))
    rows = _add(rng, city.vacant_lots[~nameless], faults, city.misfiled_lots)
    rows = pd.concat([rows, city.vacant_lots[nameless].assign(tag="null_key")], ignore_index=True)
    fresh = ~rows.tag.isin(["clean", "duplicate", "null_key"])
    rows.loc[fresh, "parcel_id"] = [f"98-{n // 100:03d}-{n % 100:03d}" for n in range(int(fresh.sum()))]
    rows = rows.sort_values("parcel_id", kind="stable").reset_index(drop=True)
    lines = []
    for at, row in enumerate(rows.itertuples(index=False)):
        lat, lon = _latlon(row, "NA" if at % 2 else "")
        key = "" if row.tag == "null_key" else row.parcel_id
        lines.append([
            key, row.address, _owner(rng, at), row.owner_type, _date(row.listed, row.tag, "%Y-%m-%d"),
            text_date(row.removed, "%Y-%m-%d"), row.sqft, "REMOVED" if pd.notna(row.removed) else "VACANT",
            f"N{row.hood + 1:02d}", lat, lon,
        ])  # fmt: skip
    header = (
        "PARCEL_ID", "SITUS_ADDRESS", "OWNER_NAME", "OWNER_TYPE", "LISTED_DATE", "REMOVED_DATE", "LOT_SQFT", "STATUS",
        "NBHD_ID", "LATITUDE", "LONGITUDE",
    )  # fmt: skip
    write_csv(folder / "vacant_lots.csv", header, lines, quote_all=True)
    ledger.file("vacant_lots.csv", rows.tag, null_values=["", "NA"])
    ledger.layer("vacant_lots", rows.tag, reading=READING)


def _geojson(path: Path, features: Sequence[tuple[dict[str, object], BaseGeometry | None]]) -> None:
    """Write GeoJSON, one feature a line, degrees rounded to 7 places."""
    lines = []
    for properties, geometry in features:
        shape = None if geometry is None else json.loads(shapely.to_geojson(geometry))
        lines.append(json.dumps({"type": "Feature", "properties": properties, "geometry": shape}, ensure_ascii=False))
    body = ",\n".join(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{body}\n]}}\n', encoding="utf-8", newline="\n")


def in_degrees(geometry: BaseGeometry) -> BaseGeometry:
    """City coordinates (feet from the center) to degrees as written."""

    def turn(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(degrees(points[:, 0] + CENTER_X, points[:, 1] + CENTER_Y))

    return shapely.transform(geometry, turn)


def _vacant_parcels(city: City, folder: Path, ledger: Ledger) -> None:
    rng = stream("vacant parcels file")
    standing = city.vacant_lots[city.vacant_lots.removed.isna()].copy()
    tag = np.full(len(standing), "clean", dtype=object)
    tag[rng.choice(len(standing), 11, replace=False)] = "invalid_polygon"
    tag[rng.choice(np.flatnonzero(tag == "clean"), 3, replace=False)] = "missing_geometry"
    rows = _add(rng, standing.assign(tag=tag), {})
    again = rows[rows.tag == "clean"].iloc[[40, 41, 500, 1200, 1900]].assign(tag="duplicate")
    rows = pd.concat([rows, again], ignore_index=True).sort_values("parcel_id", kind="stable")
    features: list[tuple[dict[str, object], BaseGeometry | None]] = []
    for at, row in enumerate(rows.itertuples(index=False)):
        corners = np.column_stack([city.lots.corner_x[row.lot], city.lots.corner_y[row.lot]])
        if row.tag == "invalid_polygon":
            corners = corners[[0, 1, 3, 2]]  # a bow tie
        shape = None if row.tag == "missing_geometry" else in_degrees(shapely.Polygon(corners))
        properties: dict[str, object] = {
            "parcel_id": row.parcel_id, "address": row.address, "owner_name": _owner(rng, at),
            "owner_type": row.owner_type, "lot_sqft": int(row.sqft), "zoning": "R-1" if row.lot % 3 else "R-2",
        }  # fmt: skip
        features.append((properties, shape))
    _geojson(folder / "vacant_parcels.geojson", features)
    ledger.file("vacant_parcels.geojson", rows.tag)
    ledger.layer("vacant_parcels", rows.tag, reading=READING)


def _dilapidated(city: City, folder: Path, ledger: Ledger) -> None:
    rng = stream("dangerous buildings file")
    faults = {
        "duplicate": 9, "missing_coordinates": 11, "zero_coordinates": 4, "swapped_coordinates": 3,
        "out_of_state": 2, "century_back": 3, "future_date": 2,
    }  # fmt: skip
    rows = _add(rng, city.dilapidated, faults)
    fresh = ~rows.tag.isin(["clean", "duplicate"])
    rows.loc[fresh, "case"] = [f"DB20-9{n:04d}" for n in range(int(fresh.sum()))]
    rows.loc[fresh & (rows.opened < np.datetime64("2019-01-05")), "closed"] = pd.NaT
    rows = rows.sort_values(["opened", "case"], kind="stable").reset_index(drop=True)
    lines = []
    for at, row in enumerate(rows.itertuples(index=False)):
        lat, lon = _latlon(row)
        pattern = "%m/%d/%Y" if row.opened >= pd.Timestamp("2022-09-01") else "%Y-%m-%dT00:00:00.000"
        location = "" if lat == "" else json.dumps({"type": "Point", "coordinates": [float(lon), float(lat)]})
        if location and row.opened < pd.Timestamp("2020-01-01"):
            human = json.dumps({"address": str(row.address), "city": "Riverbend", "state": "IL", "zip": ""})
            location = json.dumps({"latitude": lat, "longitude": lon, "human_address": human})
        lines.append([
            row.case, _date(row.opened, row.tag, pattern), text_date(row.closed, pattern), row.status, row.address,
            f"6{1400 + row.hood % 4}.0", NEIGHBORHOODS[row.hood][0], _owner(rng, at), location,
        ])  # fmt: skip
    header = (
        "casenumber", "case_opened", "case_closed", "statusofcase", "address", "zip_code", "neighborhood",
        "owner_name", "location",
    )  # fmt: skip
    write_csv(folder / "dangerous_buildings.csv", header, lines)
    ledger.file("dangerous_buildings.csv", rows.tag, location="GeoJSON points; Socrata location objects before 2020")
    ledger.layer("dilapidated", rows.tag, reading=READING)


OLD_HEADER = (
    "CASE ID", "SOURCE", "DEPARTMENT", "REQUEST TYPE", "CREATION DATE", "CREATION TIME", "STATUS", "CLOSED DATE",
    "ADDRESS WITH GEOCODE", "ZIP CODE", "NEIGHBORHOOD", "CALLER NAME", "LATITUDE", "LONGITUDE",
)  # fmt: skip
NEW_HEADER = (
    "reported_issue", "issue_type", "issue_sub_type", "open_date_time", "resolved_date", "current_status",
    "incident_address", "caller_name", "council_district", "latitude", "longitude",
)  # fmt: skip


def _caller(at: int) -> str:
    return CANARY_CALLERS[(at // 83) % len(CANARY_CALLERS)] if at % 83 == 5 else ""


def _requests(city: City, folder: Path, ledger: Ledger) -> None:
    rng = stream("311 files")
    clean = city.requests.assign(tag=np.where(city.requests.repeat, "repeat_request", "clean"))
    tags: list[str] = []
    for old in (True, False):
        mine = clean[(clean.opened < CUTOVER) == old].reset_index(drop=True)
        mine["id"] = _request_ids(mine, old)
        faults = {
            "duplicate": 70, "missing_coordinates": 110, "zero_coordinates": 45, "swapped_coordinates": 9,
            "out_of_state": 8, "century_back": 3, "future_date": 3, "unreadable_date": 2, "other_kind": 240,
        }  # fmt: skip
        rows = _add(rng, mine, faults)
        fresh = ~rows.tag.isin(["clean", "duplicate", "repeat_request"])
        rows.loc[fresh, "id"] = rows.id[fresh] + rng.choice(range(200, 900), int(fresh.sum()), replace=False).astype(
            str
        )
        rows = rows.sort_values(["opened", "id"], kind="stable").reset_index(drop=True)
        spelling = rng.integers(0, 100, len(rows))
        write = _old_line if old else _new_line
        lines = [write(row, at, int(spelling[at])) for at, row in enumerate(rows.itertuples(index=False))]
        name = "311/actioncenter_2021_2022.csv" if old else "311/my311_2022_2024.csv"
        encoding = "cp1252" if old else "utf-8-sig"
        write_csv(
            folder / name, OLD_HEADER if old else NEW_HEADER, lines, encoding=encoding, newline="\r\n" if old else "\n"
        )
        ledger.file(name, rows.tag, encoding=encoding, embedded_newlines=len(rows) if old else 0)
        tags += list(rows.tag)
    ledger.layer("requests", tags, reading=READING)


def _request_ids(rows: pd.DataFrame, old: bool) -> list[str]:
    if old:
        return [f"{when.year}{100_000 + 3 * n}" for n, when in enumerate(rows.opened)]
    return [f"{when.year % 100}-{40_000_000 + 7 * n}" for n, when in enumerate(rows.opened)]


def _raw_kind(row: object, old: bool, draw: int) -> str:
    names = NO_KIND if row.tag == "other_kind" else VOCABULARY[row.kind]  # type: ignore[attr-defined]
    mine = names[0 if old else 1]
    return mine[0] if draw < 62 else mine[-1]


def _old_line(row: object, at: int, draw: int) -> list[object]:
    lat, lon = _latlon(row)
    lat, lon = lat[:-1] if len(lat) > 8 else lat, lon[:-1] if len(lon) > 8 else lon
    tag = row.tag  # type: ignore[attr-defined]
    opened, closed, address, hood = row.opened, row.closed, row.address, row.hood  # type: ignore[attr-defined]
    geocode = f"\n({lat}, {lon})" if lat else "\n"
    closed_text = text_date(closed, "%m/%d/%Y") if closed < CUTOVER + np.timedelta64(200, "D") else ""
    return [
        row.id, "PHONE" if draw % 3 else "WEB", "Public Works" if draw % 2 else "Neighborhoods",  # type: ignore[attr-defined]
        _raw_kind(row, True, draw), _date(opened, tag, "%m/%d/%Y"), text_date(opened, "%I:%M %p"),
        "RESOL" if closed_text else "OPEN", closed_text, f"{address}, Riverbend{geocode}", f"6{1400 + hood % 4}.0",
        NEIGHBORHOODS[hood][0], _caller(at), lat, lon,
    ]  # fmt: skip


def _new_line(row: object, at: int, draw: int) -> list[object]:
    lat, lon = _latlon(row)
    lat, lon = lat[:-1] if len(lat) > 8 else lat, lon[:-1] if len(lon) > 8 else lon
    raw = _raw_kind(row, False, draw)
    opened, closed = row.opened, row.closed  # type: ignore[attr-defined]
    status = (
        ("resolved", "Resolved", "closed", "Closed") if pd.notna(closed) else ("assigned", "New", "received", "Open")
    )
    return [
        row.id, raw.split("-")[0], raw, _date(opened, row.tag, "%Y-%m-%dT%H:%M:00.000"),  # type: ignore[attr-defined]
        text_date(closed, "%Y-%m-%dT%H:%M:00.000"), status[draw % 4], row.address, _caller(at),  # type: ignore[attr-defined]
        NEIGHBORHOODS[row.hood][3], lat, lon,  # type: ignore[attr-defined]
    ]  # fmt: skip


def _gpkg(path: Path, frame: gpd.GeoDataFrame, layer: str, geometry_type: str) -> None:
    """Write a GeoPackage whose bytes don't depend on the clock."""
    path.unlink(missing_ok=True)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2024-01-16T06:00:00.000Z"})
    try:
        pyogrio.write_dataframe(
            frame, path, layer=layer, driver="GPKG", geometry_type=geometry_type, dataset_options={"VERSION": "1.3"}
        )
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _liquor(city: City, folder: Path, ledger: Ledger) -> None:
    rng = stream("liquor file")
    clean = city.liquor.copy()
    clean["license"] = [f"LQ-{4000 + 13 * n}" for n in range(len(clean))]
    rows = _add(rng, clean, {"duplicate": 6, "missing_geometry": 3, "zero_coordinates": 2})
    fresh = ~rows.tag.isin(["clean", "duplicate"])
    rows.loc[fresh, "license"] = [f"LQ-9{n:03d}" for n in range(int(fresh.sum()))]
    rows = rows.sort_values("license", kind="stable").reset_index(drop=True)
    points = shapely.points(rows.east.to_numpy(), rows.north.to_numpy())
    points[rows.tag == "zero_coordinates"] = shapely.Point(0.0, 0.0)
    points[rows.tag == "missing_geometry"] = None
    frame = gpd.GeoDataFrame(
        {
            "license_no": rows.license,
            "trade_name": [
                f"{('River', 'Corner', 'Plank Road', 'Levee')[n % 4]} {kind.title()} {n + 1}"
                for n, kind in enumerate(rows.type)
            ],
            "licensee_name": [_owner(rng, n) for n in range(len(rows))],
            "license_type": rows.type,
            "issued_date": [text_date(when, "%Y-%m-%d") for when in rows.issued],
            "ended_date": [text_date(when, "%Y-%m-%d") or None for when in rows.ended],
        },
        geometry=points,
        crs="EPSG:3857",
    )
    _gpkg(folder / "liquor_licenses.gpkg", frame, "liquor_licenses", "Point")
    ledger.file("liquor_licenses.gpkg", rows.tag, crs="EPSG:3857")
    ledger.layer("liquor", rows.tag, reading=READING)


def _bus_stops(city: City, folder: Path, ledger: Ledger) -> None:
    rng = stream("bus stops file")
    clean = city.bus_stops.copy()
    clean["stop"] = [1000 + n for n in range(len(clean))]
    rows = _add(rng, clean, {"duplicate": 5, "zero_coordinates": 3, "wrong_unit": 2})
    fresh = ~rows.tag.isin(["clean", "duplicate"])
    rows.loc[fresh, "stop"] = range(8001, 8001 + int(fresh.sum()))
    rows = rows.sort_values("stop", kind="stable").reset_index(drop=True)
    lon, lat = degrees(rows.x.to_numpy(), rows.y.to_numpy(), 6)
    lines = []
    for at, row in enumerate(rows.itertuples(index=False)):
        place = [f"{row.x:.2f}", f"{row.y:.2f}"]
        if row.tag == "zero_coordinates":
            place = ["0", "0"]
        elif row.tag == "wrong_unit":  # degrees in the columns for feet
            place = [f"{lon[at]:.6f}", f"{lat[at]:.6f}"]
        lines.append([row.stop, row.name, f"{1 + row.stop % 7}", "Y" if row.stop % 5 == 0 else "N", *place])
    write_csv(folder / "bus_stops.csv", ("stop_id", "stop_name", "route", "shelter", "x_coord", "y_coord"), lines)
    ledger.file("bus_stops.csv", rows.tag, crs=CRS)
    ledger.layer("bus_stops", rows.tag, reading=READING)


def _overdoses(city: City, folder: Path, ledger: Ledger) -> None:
    rng = stream("overdoses file")
    clean = city.overdoses.copy()
    clean["number"] = [f"EMS{str(when)[2:4]}{n:05d}" for n, when in enumerate(clean.when)]
    faults = {"duplicate": 14, "missing_coordinates": 28, "zero_coordinates": 5, "century_back": 1}
    rows = _add(rng, clean, faults)
    fresh = ~rows.tag.isin(["clean", "duplicate"])
    rows.loc[fresh, "number"] = [f"EMS9{n:06d}" for n in range(int(fresh.sum()))]
    rows = rows.sort_values(["when", "number"], kind="stable").reset_index(drop=True)
    lines = []
    for at, row in enumerate(rows.itertuples(index=False)):
        lat, lon = _latlon(row)
        lat, lon = lat[:-2] if len(lat) > 8 else lat, lon[:-2] if len(lon) > 8 else lon
        person = (CANARY_SEX, CANARY_AGE) if at % 120 == 17 else ("FMU"[at % 3], str(18 + at % 50))
        when = _date(row.when, row.tag, "%Y-%m-%d %H:%M:00")
        lines.append([row.number, when, f"UNIT {1 + at % 6}", *person, lat, lon])
    header = ("incident_number", "incident_datetime", "unit", "patient_sex", "patient_age", "lat", "lon")
    write_csv(folder / "overdoses.csv", header, lines)
    ledger.file("overdoses.csv", rows.tag)
    ledger.layer("overdoses", rows.tag, reading=READING)


def _crashes(city: City, folder: Path, ledger: Ledger) -> None:
    rng = stream("crashes file")
    clean = city.crashes.copy()
    clean["tag"] = np.where(clean.severity == "K", "clean", "other_kind")
    clean["number"] = [f"CR{n:05d}" for n in range(len(clean))]
    fatal = clean[clean.tag == "clean"]
    again = fatal.iloc[np.sort(rng.choice(len(fatal), 30, replace=False))].assign(tag="duplicate")
    lost = fatal.iloc[[3, 9, 15, 30]].assign(tag="missing_coordinates", number=[f"CR9000{n}" for n in range(4)])
    rows = pd.concat([clean, again, lost], ignore_index=True).sort_values(["when", "number"], kind="stable")
    lines = []
    for at, row in enumerate(rows.itertuples(index=False)):
        lat, lon = _latlon(row)
        lat, lon = lat[:-1] if len(lat) > 8 else lat, lon[:-1] if len(lon) > 8 else lon
        moment = pd.Timestamp(row.when).tz_localize(
            ZoneInfo("America/Chicago"), ambiguous=True, nonexistent="shift_forward"
        )
        lines.append([row.number, int(moment.timestamp() * 1000), row.severity, 1 + at % 2, lat, lon])
    write_csv(folder / "crashes.csv.gz", ("crash_id", "crash_epoch_ms", "severity", "vehicle", "lat", "lon"), lines)
    ledger.file("crashes.csv.gz", rows.tag, dates="epoch milliseconds, UTC")
    ledger.layer("fatal_crashes", rows.tag, reading=READING)


def _streets(city: City, folder: Path, ledger: Ledger) -> None:
    streets = city.land.streets
    order = pd.DataFrame({"name": streets.name, "kind": streets.kind}).groupby(["name", "kind"], sort=True).indices
    names, kinds, lines = [], [], []
    for (name, kind), mine in order.items():
        whole = shapely.line_merge(shapely.multilinestrings(streets.line[mine]))
        parts = shapely.get_parts(whole)
        keys = np.round(
            np.column_stack([shapely.get_x(shapely.centroid(parts)), shapely.get_y(shapely.centroid(parts))])
        )
        for part in parts[np.lexsort((keys[:, 1], keys[:, 0]))]:
            moved = shapely.simplify(part, 2.0)
            lines.append(shapely.transform(moved, lambda c: np.round(c + np.array([CENTER_X, CENTER_Y]), 2)))
            names.append(name)
            kinds.append(kind)
    frame = gpd.GeoDataFrame(
        {"street_id": range(1, len(lines) + 1), "street_name": names, "road_class": kinds}, geometry=lines, crs=CRS
    )
    _gpkg(folder / "streets.gpkg", frame, "streets", "LineString")
    ledger.file("streets.gpkg", ["clean"] * len(lines), crs=CRS)
    tags = ["clean" if kind == "arterial" else "other_kind" for kind in kinds]
    ledger.layer("arterials", tags, reading=READING)


def _parks(city: City, folder: Path, ledger: Ledger) -> None:
    names = [name for name, _ in city.land.parks]
    shapes = [
        shapely.transform(shape.simplify(1.0), lambda c: np.round(c + np.array([CENTER_X, CENTER_Y]), 2))
        for _, shape in city.land.parks
    ]
    tie = [(5200.0, 1000.0), (5700.0, 1400.0), (5700.0, 1000.0), (5200.0, 1400.0)]
    names.append("Eastgate Tot Lot")
    shapes.append(shapely.transform(shapely.Polygon(tie), lambda c: c + np.array([CENTER_X, CENTER_Y])))
    frame = gpd.GeoDataFrame(
        {"PARK_NAME": names, "ACRES": [round(s.area / 43_560, 2) for s in shapes]}, geometry=shapes, crs=CRS
    )
    with TemporaryDirectory() as scratch:
        pyogrio.write_dataframe(
            frame, Path(scratch) / "parks.shp", driver="ESRI Shapefile", encoding="UTF-8",
            layer_options={"DBF_DATE_LAST_UPDATE": "2023-10-02"},
        )  # fmt: skip
        with zipfile.ZipFile(folder / "parks.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(os.listdir(scratch)):  # noqa: PTH208 - names only
                entry = zipfile.ZipInfo(part, date_time=(2023, 10, 2, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, (Path(scratch) / part).read_bytes())
    tags = ["clean"] * (len(names) - 1) + ["invalid_polygon"]
    ledger.file("parks.zip", tags, crs=CRS)
    ledger.layer("parks", tags, reading=READING)


def _small_layers(city: City, folder: Path, ledger: Ledger) -> None:
    lines = [
        [f"S{n + 1:02d}", r.name, f"POINT ({r.lon:.7f} {r.lat:.7f})"]
        for n, r in enumerate(city.schools.itertuples(index=False))
    ]
    write_csv(folder / "schools.csv", ("school_id", "school_name", "wkt"), lines, quote_all=True)
    ledger.file("schools.csv", ["clean"] * len(lines))
    ledger.layer("schools", ["clean"] * len(lines), reading=READING)
    features = [
        ({"site_id": f"G{n + 1:03d}", "brand": row.brand}, shapely.Point(row.lon, row.lat))
        for n, row in enumerate(city.gas_stations.itertuples(index=False))
    ]
    _geojson(folder / "gas_stations.geojson", features)
    ledger.file("gas_stations.geojson", ["clean"] * len(features))
    ledger.layer("gas_stations", ["clean"] * len(features), reading=READING)


def _areas(city: City, folder: Path, ledger: Ledger) -> None:
    land = city.land
    areas: list[tuple[dict[str, object], BaseGeometry | None]] = []
    poverty_lines = []
    for number, ((name, _, _, district), shape) in enumerate(zip(NEIGHBORHOODS, land.neighborhoods, strict=True)):
        key = f"N{number + 1:02d}"
        areas.append(({"nbhd_id": key, "nbhd_name": name, "council_district": district}, in_degrees(shape)))
        row = city.poverty.iloc[number]
        airport = name == "Airport"  # too few households to publish a rate
        rate = ["-", "-"] if airport else [row.poverty, row.margin]
        poverty_lines.append([key, name, 60 if airport else int(row.people), *rate])
    _geojson(folder / "neighborhoods.geojson", areas)
    districts: list[tuple[dict[str, object], BaseGeometry | None]] = []
    for district in sorted({row[3] for row in NEIGHBORHOODS}):
        mine = [shape for row, shape in zip(NEIGHBORHOODS, land.neighborhoods, strict=True) if row[3] == district]
        whole = shapely.union_all(mine, grid_size=0.5).buffer(2.0, join_style="mitre").buffer(-2.0, join_style="mitre")
        districts.append(({"district": district, "district_name": f"District {district}"}, in_degrees(whole)))
    _geojson(folder / "council_districts.geojson", districts)
    write_csv(
        folder / "neighborhood_poverty.csv",
        ("nbhd_id", "nbhd_name", "population", "poverty_pct", "margin_of_error"),
        poverty_lines,
    )
    for name, shapes in boundary_files(city).items():
        _geojson(folder / name, shapes)
        ledger.file(name, ["clean"] * len(shapes))
    ledger.layer("neighborhoods", ["clean"] * len(areas), reading=READING)
    ledger.layer("council_districts", ["clean"] * len(districts), reading=READING)
    ledger.file("neighborhoods.geojson", ["clean"] * len(areas))
    ledger.file("council_districts.geojson", ["clean"] * len(districts))
    ledger.file("neighborhood_poverty.csv", ["clean"] * len(poverty_lines), null_values=["-"])


def boundary_files(city: City) -> dict[str, list[tuple[dict[str, object], BaseGeometry | None]]]:
    """City limits and what is cut out of them, in degrees as written."""
    land = city.land
    near = shapely.box(-14_500.0, -13_500.0, 14_500.0, 13_500.0)
    return {
        "city_limits.geojson": [({"name": "City of Riverbend", "state": "IL"}, in_degrees(land.limits))],
        "water.geojson": [
            ({"name": "Wapsa River"}, in_degrees(shapely.intersection(land.river, near))),
            ({"name": "Crescent Lake"}, in_degrees(land.lake)),
        ],
        "airfield.geojson": [({"name": "Riverbend Municipal Airport"}, in_degrees(land.airfield))],
    }


def write_portals(city: City, folder: Path, ledger: Ledger) -> None:
    """Write every file but the police's."""
    folder.mkdir(parents=True, exist_ok=True)
    for write in (
        _vacant_lots, _vacant_parcels, _dilapidated, _requests, _liquor, _bus_stops, _overdoses, _crashes, _streets,
        _parks, _small_layers, _areas,
    ):  # fmt: skip
        write(city, folder, ledger)
