"""Police files: 37 monthly exports, drawn from the planted terrain and then treated as a records system treats them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from maker.land import Land, downtown_point
from maker.ledger import READING, Ledger, write_csv
from maker.places import City
from maker.plan import (
    CANARY_AGE,
    CANARY_RACE,
    CANARY_SEX,
    CELL_FT,
    CENTER_X,
    CENTER_Y,
    YEARS,
    stream,
)
from maker.terrain import Cells, Terrain, season

HEADER = (
    "ReportNo", "CodedMonth", "DateOccur", "FlagUnfounded", "Count", "Crime", "Description", "District",
    "Involvement", "Firearm", "Race", "Sex", "Age", "Address", "XCoord", "YCoord",
)  # fmt: skip
OTHER_HEADER = (
    "Report No", "Coded Month", "Date Occur", "Flag-Unfounded", "Count", "Crime", "Description", "Police District",
    "Involvement", "Firearm Used", "Victim Race", "Victim Sex", "Victim Age", "Block Address", "X-Coord", "Y-Coord",
    "Date Crime Coded",
)  # fmt: skip
OTHER_HEADER_MONTH = "2022-05"
BOM_MONTHS = ("2021-01", "2023-04")
CP1252_MONTHS = ("2022-11",)
ISO_FROM = "2023-07"
VIOLENT = (
    # code as exported (UCR, without its leading zero), description, weight, share with a firearm
    ("10000", "HOMICIDE", 0.018, 0.86),
    ("31111", "ROBBERY-HIGHWAY    /FIREARM USED/SUCCESSFUL", 0.13, 1.0),
    ("34114", "ROBBERY-HIGHWAY    /STRNGARM/INJURY", 0.12, 0.0),
    ("38812", "ROBBERY-CARJACKING /FIREARM USED/ATTEMPT", 0.05, 1.0),
    ("41011", "AGG.ASSAULT-FIREARM/CITIZEN ADULT 1ST DEGREE", 0.33, 1.0),
    ("42021", "AGG.ASSAULT-KNIFE/CITIZEN ADULT 2ND DEGREE", 0.14, 0.0),
    ("44022", "AGG.ASSAULT-HND/FST/FEET/CITIZEN CHILD", 0.212, 0.03),
)
OTHERS = (
    ("51011", "BURGLARY-RESIDENCE/UNK TIM/FORC ENT/UNOCCUPIED", 0.14),
    ("64701", "LARCENY-FROM MTR VEH $500 - $24,999", 0.24),
    ("69702", "LARCENY-ALL OTHER UNDER $500", 0.12),
    ("71013", "AUTO THEFT-PERM RETNT/UNRECOV OVER 48HR", 0.13),
    ("91113", "SIMPLE ASSAULT-ADULT/NO INJURY", 0.17),
    ("101000", "KIDNAPPING", 0.01),
    ("115400", "STLG BY DECEIT/IDENTITY THEFT REPORT", 0.05),
    ("142320", "DESTRUCTION OF PROPERTY-PRIVATE", 0.09),
    ("185400", "DRUGS-POSSESSION", 0.03),
    ("21000", "RAPE -- FORCIBLE", 0.02),
)
SITUATION = {
    "swapped_coordinates": 4, "out_of_state": 4, "century_back": 2, "future_date": 2, "unreadable_date": 1,
    "default_geocode": 14, "just_outside": 12, "outside_city": 9, "missing_coordinates": 25, "zero_coordinates": 60,
}  # fmt: skip
"""Violent reports a year, over and above the planted ones, that must not reach the counts."""
CRIME_READING = READING | {
    "default_geocode": "quarantined",
    "just_outside": "kept",
    "outside_city": "filtered",
    "reversed": "filtered",
    "reversal": "filtered",
    "other_offense": "filtered",
    "second_offense": "kept",
    "further_victim": "duplicate",
    "exported_twice": "duplicate",
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where in a cell a thing can happen: street pieces inside it, else any ground of the study area."""

    piece: NDArray[np.object_]
    cell: NDArray[np.int64]
    street: NDArray[np.int64]
    ground: dict[int, BaseGeometry]


def _places(land: Land, cells: Cells) -> Places:
    inner = shapely.buffer(shapely.transform(land.study, _shift), -4.0)
    shapely.prepare(inner)
    west, south = cells.column * CELL_FT, cells.row * CELL_FT
    boxes = shapely.box(west + 2.0, south + 2.0, west + CELL_FT - 2.0, south + CELL_FT - 2.0)
    ground = shapely.intersection(boxes, inner)
    lines = shapely.transform(land.streets.line, _shift)
    cell, street = shapely.STRtree(lines).query(ground, predicate="intersects")
    piece = shapely.intersection(lines[street], ground[cell])
    long = shapely.length(piece) > 12.0
    piece, cell, street = piece[long], cell[long], street[long]
    order = np.lexsort((street, cell))
    piece, cell, street = piece[order], cell[order], street[order]
    bare = np.setdiff1d(np.arange(cells.column.size), cell)
    thin = shapely.is_empty(ground)  # slivers at the edge of the study area
    whole = shapely.box(west, south, west + CELL_FT, south + CELL_FT)
    ground[thin] = shapely.intersection(whole[thin], shapely.transform(land.study, _shift))
    return Places(piece, cell, street, {int(at): ground[at] for at in bare})


def _shift(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points + np.array([CENTER_X, CENTER_Y])


def _spots(
    rng: np.random.Generator, places: Places, wanted: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """One spot (rounded to 0.1 ft as the export has it) in each wanted cell, and the street it lies on."""
    first = np.searchsorted(places.cell, wanted)
    last = np.searchsorted(places.cell, wanted, side="right")
    along, choice = rng.random(wanted.size), rng.random(wanted.size)
    x, y = np.empty(wanted.size), np.empty(wanted.size)
    street = np.full(wanted.size, -1)
    on_street = last > first
    pick = first[on_street] + np.floor(choice[on_street] * (last - first)[on_street]).astype(int)
    point = shapely.line_interpolate_point(places.piece[pick], along[on_street], normalized=True)
    x[on_street], y[on_street], street[on_street] = shapely.get_x(point), shapely.get_y(point), places.street[pick]
    for at in np.flatnonzero(~on_street):
        spot = places.ground[int(wanted[at])].representative_point()
        x[at], y[at] = spot.x, spot.y
    return np.round(x, 1), np.round(y, 1), street


def _reports(
    rng: np.random.Generator, places: Places, cells: NDArray[np.int64], when: NDArray[np.datetime64], tag: str
) -> pd.DataFrame:
    """Violent reports in these cells."""
    x, y, street = _spots(rng, places, cells)
    kind = rng.choice(len(VIOLENT), cells.size, p=np.array([row[2] for row in VIOLENT]))
    armed = rng.random(cells.size) < np.array([row[3] for row in VIOLENT])[kind]
    return pd.DataFrame({"when": when, "x": x, "y": y, "street": street, "kind": kind, "armed": armed, "tag": tag})


def _coded(rng: np.random.Generator, when: pd.Series) -> NDArray[np.int64]:
    """Month of coding, as months since 1970: mostly the month itself, some one later, a few much later."""
    late = rng.choice(6, len(when), p=[0.90, 0.07, 0.015, 0.007, 0.005, 0.003])
    return when.to_numpy().astype("datetime64[M]").astype(np.int64) + late


def _month(number: int) -> str:
    return str(np.datetime64(number, "M"))


def _planted_reports(rng: np.random.Generator, terrain: Terrain, places: Places) -> pd.DataFrame:
    parts = []
    for year in YEARS:
        cells = np.repeat(np.arange(terrain.cells.column.size), terrain.count[year])
        parts.append(_reports(rng, places, cells, season(rng, year, cells.size), "clean").assign(cell=cells))
    for year, size in ((2020, 40), (2024, 75)):  # coded in 2021 though of 2020; and the first half of January 2024
        mean = terrain.mean[2021 if year == 2020 else 2023] * (0.2 + terrain.count[2022])
        cells = rng.choice(mean.size, size, p=mean / mean.sum())
        when = season(rng, year, size)
        day = when.astype("datetime64[D]")
        start = np.datetime64("2020-11-01") if year == 2020 else np.datetime64("2024-01-01")
        span = 61 if year == 2020 else 15
        when = start + (day - day.astype("datetime64[Y]")).astype(int) % span + (when - day)
        parts.append(_reports(rng, places, cells, when.astype("datetime64[m]"), "clean").assign(cell=cells))
    return pd.concat(parts, ignore_index=True)


def _faulty_reports(rng: np.random.Generator, land: Land, terrain: Terrain, places: Places) -> pd.DataFrame:
    """Reports over and above the planted ones: each has one fault and must not reach the counts."""
    rings = {"just_outside": _ring(land, 200.0, 1300.0), "outside_city": _ring(land, 1800.0, 3200.0)}
    parts = []
    for year in YEARS:
        for tag, size in SITUATION.items():
            cells = rng.choice(terrain.cells.column.size, size, p=terrain.mean[year] / terrain.mean[year].sum())
            part = _reports(rng, places, cells, season(rng, year, size), tag)
            if tag in rings:
                part["x"], part["y"] = _outside(rng, rings[tag], size)
            parts.append(part)
        size = 30
        cells = rng.choice(terrain.cells.column.size, size, p=terrain.mean[year] / terrain.mean[year].sum())
        part = _reports(rng, places, cells, season(rng, year, size), "reversed")
        month = part["when"].dt.month.to_numpy() - 1
        shift = ((month % 9) - month).astype("timedelta64[M]")  # reversed in the same year: within January to September
        whole = part["when"].to_numpy().astype("datetime64[M]")
        part["when"] = (whole + shift).astype("datetime64[D]") + (part["when"].dt.day.to_numpy() - 1) % 28
        part["when"] = part["when"].astype("datetime64[s]") + np.timedelta64(13, "h")
        parts.append(part)
    return pd.concat(parts, ignore_index=True).assign(cell=-1)


def _ring(land: Land, near: float, far: float) -> BaseGeometry:
    """Ground on this side of the river, so far from the study area (the enclave is outside too)."""
    ring = shapely.difference(land.study.buffer(far), shapely.union(land.study.buffer(near), land.river.buffer(60.0)))
    closed = shapely.union(land.lake, land.airfield).buffer(far)
    return shapely.intersection(shapely.difference(ring, closed), shapely.box(-6500.0, -15_000.0, 16_000.0, 15_000.0))


def _outside(
    rng: np.random.Generator, ring: BaseGeometry, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = rng.uniform(-6500.0, 16_000.0, 4000), rng.uniform(-15_000.0, 15_000.0, 4000)
    good = np.flatnonzero(shapely.contains(ring, shapely.points(x, y)))[:size]
    return np.round(x[good] + CENTER_X, 1), np.round(y[good] + CENTER_Y, 1)


def _written_place(rng: np.random.Generator, reports: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Coordinates as the export has them."""
    hq = downtown_point()
    xs, ys = [f"{x:.1f}" for x in reports.x], [f"{y:.1f}" for y in reports.y]
    far_x, far_y = rng.uniform(2.5e5, 9e5, len(reports)), rng.uniform(4.0e6, 6.5e6, len(reports))
    for at, tag in enumerate(reports.tag):
        if tag == "zero_coordinates":
            xs[at], ys[at] = "0", "0"
        elif tag == "missing_coordinates":
            xs[at], ys[at] = "", ""
        elif tag == "swapped_coordinates":
            xs[at], ys[at] = ys[at], xs[at]
        elif tag == "out_of_state":
            xs[at], ys[at] = f"{far_x[at]:.1f}", f"{far_y[at]:.1f}"
        elif tag == "default_geocode":
            xs[at], ys[at] = f"{hq.x + CENTER_X:.1f}", f"{hq.y + CENTER_Y:.1f}"
    return xs, ys


def _written_date(when: object, tag: str, month: str, at: int) -> str:
    stamp = pd.Timestamp(when)  # type: ignore[arg-type]
    if tag == "unreadable_date":
        return "00/00/0000 00:00"
    year = stamp.year - 100 if tag == "century_back" else (2094 + at % 5 if tag == "future_date" else stamp.year)
    leap_safe = min(stamp.day, 28) if year != stamp.year else stamp.day
    if month >= ISO_FROM:
        return f"{year:04d}-{stamp.month:02d}-{leap_safe:02d}T{stamp.hour:02d}:{stamp.minute:02d}:00.000"
    if month == OTHER_HEADER_MONTH:
        return f"{stamp.month}/{leap_safe}/{year:04d} {stamp.hour}:{stamp.minute:02d}"
    return f"{stamp.month:02d}/{leap_safe:02d}/{year:04d} {stamp.hour:02d}:{stamp.minute:02d}"


def _rows(rng: np.random.Generator, land: Land, reports: pd.DataFrame) -> list[dict[str, object]]:
    """One or several rows for each violent report: further victims, a second offense, exports made twice, reversals."""
    xs, ys = _written_place(rng, reports)
    people = rng.choice([0, 1, 2, 3], len(reports), p=[0.78, 0.15, 0.05, 0.02])
    twice = rng.random(len(reports)) < 0.006
    later = rng.integers(1, 3, len(reports))
    rows: list[dict[str, object]] = []
    for at, report in enumerate(reports.itertuples(index=False)):
        code, description = VIOLENT[report.kind][:2]
        row = {
            "report": report.report, "coded": report.coded, "when": report.when, "count": 1, "code": code,
            "description": description, "armed": report.armed, "x": xs[at], "y": ys[at], "tag": report.tag,
            "address": _address(land, report.street), "involvement": "VIC", "cell": report.cell,
        }  # fmt: skip
        rows.append(row)
        if report.tag == "reversed":
            rows.append(row | {"coded": report.coded + int(later[at]), "count": -1, "tag": "reversal"})
        if report.tag != "clean":
            continue
        rows += [row | {"tag": "further_victim"} for _ in range(int(people[at]))]
        if report.two_offenses:
            other, text = VIOLENT[6][:2]
            rows.append(row | {"code": other, "description": text, "tag": "second_offense"})
        if twice[at]:
            rows.append(row | {"coded": report.coded + 1, "tag": "exported_twice"})
    return rows


def _address(land: Land, street: int) -> str:
    if street < 0:
        return "UNKNOWN"
    return f"{land.streets.number[street]} BLOCK {str(land.streets.name[street]).upper()}"


def _other_rows(rng: np.random.Generator, land: Land, terrain: Terrain, places: Places) -> list[dict[str, object]]:
    """Offenses that are none of the outcome; a share of them faulty too, which must make no difference."""
    hq = downtown_point()
    rows: list[dict[str, object]] = []
    for year, size in ((2021, 2500), (2022, 2400), (2023, 2450), (2024, 90)):
        weight = terrain.cells.exposure * (0.3 + terrain.mean[min(year, 2023)])
        cells = rng.choice(weight.size, size, p=weight / weight.sum())
        x, y, street = _spots(rng, places, cells)
        when = season(rng, year, size) if year < 2024 else season(rng, 2024, size)
        if year == 2024:
            day = when.astype("datetime64[D]")
            when = np.datetime64("2024-01-01") + (day - day.astype("datetime64[Y]")).astype(int) % 15 + (when - day)
        coded = _coded(rng, pd.Series(when))
        kind = rng.choice(len(OTHERS), size, p=np.array([row[2] for row in OTHERS]))
        fate = rng.random(size)
        for at in range(size):
            code, description, _ = OTHERS[kind[at]]
            place = (f"{x[at]:.1f}", f"{y[at]:.1f}")
            if code == "21000" or fate[at] < 0.03:
                place = ("0", "0")
            elif fate[at] < 0.045:
                place = (f"{hq.x + CENTER_X:.1f}", f"{hq.y + CENTER_Y:.1f}")
            rows.append({
                "coded": int(coded[at]), "when": when[at], "count": 1, "code": code, "description": description,
                "armed": bool(fate[at] > 0.93), "x": place[0], "y": place[1], "tag": "other_offense", "cell": -1,
                "address": _address(land, int(street[at])), "involvement": "VIC",
            })  # fmt: skip
    return rows


def _number(rng: np.random.Generator, coded: NDArray[np.int64], order: NDArray[np.float64]) -> NDArray[np.object_]:
    """Report numbers that rise with time within a year."""
    year = coded // 12 + 1970
    numbers = np.empty(coded.size, dtype=object)
    for each in np.unique(year):
        mine = np.flatnonzero(year == each)
        ranked = mine[np.argsort(order[mine], kind="stable")]
        steps = np.cumsum(rng.integers(1, 15, ranked.size))
        numbers[ranked] = [f"{each % 100:02d}-{step:06d}" for step in steps]
    return numbers


def _line(row: dict[str, object], month: str, at: int, person: tuple[str, str, str]) -> list[object]:
    address = str(row["address"])
    line: list[object] = [
        row["report"], month, _written_date(row["when"], str(row["tag"]), month, at), " ", row["count"], row["code"],
        row["description"], 1 + at % 4, row["involvement"], "Y" if row["armed"] else "N", *person, address,
        row["x"], row["y"],
    ]  # fmt: skip
    return [*line, f"{month[5:].lstrip('0')}/28/{month[:4]}"] if month == OTHER_HEADER_MONTH else line


def write_police(city: City, terrain: Terrain, folder: Path, ledger: Ledger) -> pd.DataFrame:
    """Write the monthly files; returns the clean reports with their cell and coded month, for the truth."""
    land, rng = city.land, stream("police")
    places = _places(land, terrain.cells)
    reports = pd.concat(
        [_planted_reports(rng, terrain, places), _faulty_reports(rng, land, terrain, places)], ignore_index=True
    )
    reports["coded"] = _coded(rng, reports["when"])
    first, last = 51 * 12, 54 * 12
    reports["coded"] = np.maximum(reports.coded, first)
    reversed_ones = reports.tag == "reversed"
    reports.loc[reversed_ones, "coded"] = reports["when"][reversed_ones].to_numpy().astype("datetime64[M]").astype(int)
    others = _other_rows(rng, land, terrain, places)
    moments = reports["when"].to_numpy().astype("datetime64[m]").astype(float)
    other_moments = np.array([np.datetime64(row["when"], "m").astype(float) for row in others])  # type: ignore[call-overload]
    coded = np.concatenate([reports.coded.to_numpy(), np.array([row["coded"] for row in others])])
    numbers = _number(rng, coded, np.concatenate([moments, other_moments]))
    reports["report"] = numbers[: len(reports)]
    hand_to_hand = reports.kind == len(VIOLENT) - 1
    reports["two_offenses"] = (reports.tag == "clean") & (rng.random(len(reports)) < 0.035) & ~hand_to_hand
    rows = _rows(rng, land, reports)
    rows += [row | {"report": number} for row, number in zip(others, numbers[len(reports) :], strict=True)]
    by_month: dict[int, list[dict[str, object]]] = {}
    for row in rows:
        by_month.setdefault(int(str(row["coded"])), []).append(row)
    everything = []
    for month in range(first, last + 1):
        mine = sorted(by_month[month], key=lambda row: (str(row["report"]), -int(str(row["count"]))))
        everything += mine
        _write_month(rng, folder, _month(month), mine, ledger)
    ledger.layer("violence", (str(row["tag"]) for row in everything), reading=CRIME_READING)
    published = reports[(reports.coded <= last)]
    after = published.coded.to_numpy() + 1  # a coded month is known at its end
    return published.assign(known=[date(int(c // 12) + 1970, int(c % 12) + 1, 1) for c in after])


def _write_month(
    rng: np.random.Generator, folder: Path, month: str, rows: list[dict[str, object]], ledger: Ledger
) -> None:
    people = rng.integers(0, 1000, len(rows))
    lines = []
    for at, row in enumerate(rows):
        code = int(people[at])
        person = (f"{code % 5 + 1}", "FMU"[code % 3], str(15 + code % 60))
        if at % 97 == 11:
            person = (CANARY_RACE, CANARY_SEX, CANARY_AGE)
        lines.append(_line(row, month, at, person))
    name = f"crime/rpd_incidents_{month}.csv"
    other = month == OTHER_HEADER_MONTH
    encoding = "utf-8-sig" if month in BOM_MONTHS else "cp1252" if month in CP1252_MONTHS else "utf-8"
    newline = "\r\n" if month < "2022-01" else "\n"
    write_csv(folder / name, OTHER_HEADER if other else HEADER, lines, encoding=encoding, newline=newline)
    ledger.file(
        name, (str(row["tag"]) for row in rows), encoding=encoding, other_header=other, iso_dates=month >= ISO_FROM
    )
