"""Open Data KC on loopback: the data sets of the live configuration, their columns real, their rows made.

Column names and types, and how they differ from year to year, are those of the portal; values are drawn with a fixed
seed. Columns about persons hold a canary, so that a test can see that they are never asked for.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from fakes.portal import Dataset, FakePortal

HOST = "data.kcmo.org"
CANARY = "CANARY-PERSON"
PERSON = [("race", "text"), ("sex", "text"), ("age", "number")]
REGION = [(":@computed_region_9t2m_phkm", "number")]

KCPD = {
    2015: "kbzx-7ehe", 2016: "wbz8-pdv7", 2017: "98is-shjt", 2018: "dmjw-d28i", 2019: "pxaa-ahcm", 2020: "vsgj-uufz",
    2021: "w795-ffu6", 2022: "x39y-7d3m", 2023: "bfyq-5nh6", 2024: "isbe-v4d8", 2025: "dmnp-9ajg", 2026: "f7wj-ckmw",
}  # fmt: skip
NEIGHBORHOODS, REQUESTS, REQUESTS_BEFORE = "vq6h-tqrf", "d4px-6rwg", "7at3-sxhp"
VIOLATIONS, DANGEROUS, LAND_BANK = "tezm-fh2e", "ax3m-jhxx", "2ebw-sp7f"

WEST, SOUTH = -94.60, 39.00
SIDE = 0.02  # degrees; a city of 4 by 4 neighborhoods
FIREARM = {2015: "firearm_used_flag", 2019: "firearm_used_flag", 2021: "firearm_used", 2023: "firearmused"}


def add_kansas_city(portal: FakePortal, *, reports: int = 60, seed: int = 1) -> None:
    """Put every data set of the live configuration into a portal; ``reports`` is how many a year of KCPD has."""
    draw = random.Random(seed)
    portal.datasets[NEIGHBORHOODS] = _neighborhoods()
    for year, name in KCPD.items():
        portal.datasets[name] = _kcpd(year, reports, draw)
    portal.datasets[REQUESTS] = _requests(draw, 6 * reports)
    portal.datasets[REQUESTS_BEFORE] = _requests_before(draw, 6 * reports)
    portal.datasets[VIOLATIONS] = _violations(draw, 2 * reports)
    portal.datasets[DANGEROUS] = _dangerous(draw, reports)
    portal.datasets[LAND_BANK] = _land_bank(draw, 2 * reports)


def date_names(year: int) -> tuple[str, str]:
    """Headers of the date and the number of a report in a year."""
    return ("report_date", "report") if year in (2023, 2025, 2026) else ("reported_date", "report_no")


def _point(draw: random.Random) -> tuple[float, float]:
    return round(WEST + draw.random() * 4 * SIDE, 6), round(SOUTH + draw.random() * 4 * SIDE, 6)


def _geojson(draw: random.Random) -> dict[str, Any]:
    return {"type": "Point", "coordinates": list(_point(draw))}


def _object(draw: random.Random) -> dict[str, Any]:
    lon, lat = _point(draw)  # location columns tell latitude and longitude as text
    address = '{"address": "", "city": "KANSAS CITY", "state": "MO", "zip": ""}'
    return {"latitude": str(lat), "longitude": str(lon), "human_address": address}


def _day(draw: random.Random, first: datetime, days: int) -> str:
    return (first + timedelta(days=draw.randrange(days))).isoformat(timespec="milliseconds")


def _kcpd(year: int, reports: int, draw: random.Random) -> Dataset:
    """One row for each involvement: a report has one to four."""
    date_name, number_name = date_names(year)
    firearm = FIREARM[max(y for y in FIREARM if y <= year)]
    place: list[tuple[str, str]]
    if year <= 2016:
        place = [("latitude", "number"), ("longitude", "number")]
    elif year <= 2020:
        place = [("location_1" if year in (2017, 2019) else "location", "location")]
    else:
        place = [("location", "point")]
    columns = [(number_name, "text"), (date_name, "calendar_date"), ("ibrs", "text"), ("description", "text"),
               ("involvement", "text"), ("invl_no", "number"), (firearm, "text"), *place, *PERSON, *REGION]  # fmt: skip
    data = Dataset(columns)
    codes = ["09A", "11A", "120", "13A", "13A", "13A", "220", "290", "23F", "13B", None]
    for i in range(reports):
        row: dict[str, Any] = {
            number_name: f"KC{year % 100:02d}{i:06d}",
            date_name: _day(draw, datetime(year, 1, 1), 360),
            "ibrs": draw.choice(codes),
            "description": "made",
            firearm: draw.choice(["Y", "N", "true", "false"] if year >= 2021 else ["Y", "N"]),
        }
        if draw.random() > 0.2 or year < 2019:
            if year <= 2016:
                lon, lat = _point(draw)
                row |= {"latitude": str(lat), "longitude": str(lon)}
            else:
                row[place[0][0]] = _object(draw) if year <= 2020 else _geojson(draw)
        if year == 2022 and i % 10 == 0:
            row[date_name] = _day(draw, datetime(1923, 1, 1), 30_000)  # that year's set has such rows
        if year == 2018 and i % 10 == 0:
            row[place[0][0]] = {"latitude": "0.0", "longitude": "0.0", "human_address": "{}"}
        for involved in range(draw.choice([1, 1, 2, 2, 4])):
            person = {"race": CANARY, "sex": CANARY, "age": CANARY}
            who = {"involvement": draw.choice(["VIC", "SUS", "ARR"]), "invl_no": str(involved + 1)}
            data.insert({**row, **who, **person})
    return data


def _neighborhoods() -> Dataset:
    data = Dataset([("the_geom", "multipolygon"), ("nbhname", "text"), ("nbhid", "number"), ("shape_area", "number")])
    for at in range(16):
        west, south = WEST + SIDE * (at % 4), SOUTH + SIDE * (at // 4)
        ring = [[west, south], [west + SIDE, south], [west + SIDE, south + SIDE], [west, south + SIDE], [west, south]]
        ring = [[round(x, 6), round(y, 6)] for x, y in ring]
        name = {"nbhname": f"Neighborhood {at}"} if at else {}  # the first is an unnamed filler
        data.insert({"the_geom": {"type": "MultiPolygon", "coordinates": [[ring]]}, "nbhid": str(at + 1), **name})
    return data


def _requests(draw: random.Random, n: int) -> Dataset:
    data = Dataset([("reported_issue", "text"), ("workorder_", "text"), ("open_date_time", "calendar_date"),
                    ("issue_type", "text"), ("issue_sub_type", "text"), ("current_status", "text"),
                    ("incident_address", "text"), ("council_district", "number"), ("department_work_group", "text"),
                    ("days_to_close", "number"), ("lat_long", "point"), *REGION])  # fmt: skip
    kinds = ["Trash / Recycling", "Property Violation", "Abandoned Vehicle", "Dangerous Building", "Illegal Dumping"]
    for i in range(n):
        data.insert(
            {
                "reported_issue": f"N{i:07d}",
                "workorder_": f"W{i:07d}",
                "open_date_time": _day(draw, datetime(2021, 3, 1), 1900),
                "issue_type": draw.choice(kinds),
                "issue_sub_type": draw.choice(["Trash", "Open to Entry", "Weeds"]),
                "current_status": draw.choice(["received", "Assigned", "RESOLVED", "closed", "canceled"]),
                "incident_address": f"{i} MADE ST",
                "lat_long": _geojson(draw),
            }
        )
    return data


def _requests_before(draw: random.Random, n: int) -> Dataset:
    data = Dataset([("case_id", "text"), ("creation_date", "calendar_date"), ("request_type", "text"),
                    ("category", "text"), ("type", "text"), ("detail", "text"), ("status", "text"),
                    ("latitude", "number"), ("longitude", "number"), *REGION])  # fmt: skip
    old = ["Property Violations", "Vacant Structure Open to Entry", "Illegal Dumping", "Abandoned Vehicle"]
    new = ["Property / Buildings / Construction-Code", "Trash / Recycling-Dumping"]
    for i in range(n):
        day = _day(draw, datetime(2014, 1, 1), 2600)
        lon, lat = _point(draw)
        data.insert(
            {
                "case_id": f"2014{i:06d}",
                "creation_date": day,
                "request_type": draw.choice(new if day >= "2018-10" else old),
                "status": draw.choice(["RESOL", "OPEN", "CANC"]),
                "latitude": str(lat),
                "longitude": str(lon),
            }
        )
    return data


def _violations(draw: random.Random, n: int) -> Dataset:
    data = Dataset([("workorder_", "text"), ("open_date_time", "calendar_date"), ("issue_type", "text"),
                    ("issue_sub_type", "text"), ("current_status", "text"), ("incident_address", "text"),
                    ("lat_long", "point")])  # fmt: skip
    kinds = ["Open to Entry", "Failure to Register Vacant Property", "Contractor Board Up Referrals", "Weeds"]
    for i in range(n):
        data.insert(
            {
                "workorder_": f"V{i:06d}",
                "open_date_time": _day(draw, datetime(2022, 1, 1), 1600),
                "issue_type": "Property Violation",
                "issue_sub_type": draw.choice(kinds),
                "current_status": "active",
                "lat_long": _geojson(draw),
            }
        )
    return data


def _dangerous(draw: random.Random, n: int) -> Dataset:
    data = Dataset([("casenumber", "text"), ("case_opened", "calendar_date"), ("statusofcase", "text"),
                    ("case_location", "point"), ("address", "text"), ("pin", "text"), ("zip_code", "text"),
                    ("neighborhood", "text")])  # fmt: skip
    for i in range(n):
        data.insert(
            {
                "casenumber": f"DB{i:05d}",
                "case_opened": _day(draw, datetime(2012, 1, 1), 5000),
                "statusofcase": draw.choice(["Ongoing Case", "Pre-Bid", "Demolition", "Asbestos"]),
                "case_location": _geojson(draw),
                "address": f"{i} MADE AV",
            }
        )
    return data


def _land_bank(draw: random.Random, n: int) -> Dataset:
    data = Dataset([("parcel_number", "text"), ("date_of_acquisition", "calendar_date"), ("property_class", "text"),
                    ("property_condition", "text"), ("property_status", "text"), ("inventory_type", "text"),
                    ("demo_needed", "text"), ("square_footage", "number"), ("market_value", "number"),
                    ("zoned_as", "text"), ("neighborhood", "text"), ("location", "point")])  # fmt: skip
    for i in range(n):
        place = {"location": _geojson(draw)} if draw.random() > 0.1 else {}
        data.insert(
            {
                "parcel_number": f"JA{i:08d}",
                "date_of_acquisition": _day(draw, datetime(2012, 8, 1), 4000),
                "property_class": draw.choice(["Residential Vacant", "Residential Improved"]),
                "property_status": "Available",
                "inventory_type": "Land Bank",
                "zoned_as": "R-2.5",
                "neighborhood": "Neighborhood 3",
                **place,
            }
        )
    return data
