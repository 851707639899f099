"""What stands in the city and what its people report: the clean rows, before any portal has touched them.

Places are feet in the city's CRS, **already rounded as their file will hold them**: what is true of the city is worked
out from the coordinates that a reader can get back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from maker.land import FRAMES, Land, neighborhood_of, street_name
from maker.plan import CENTER_X, CENTER_Y, CRS, FIRST_DAY, LAST_DAY, bump, hardship, ripple, stream

Floats = NDArray[np.float64]
_TO_DEGREES = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
_TO_FEET = Transformer.from_crs("EPSG:4326", CRS, always_xy=True)
_TO_MERCATOR = Transformer.from_crs(CRS, "EPSG:3857", always_xy=True)
_FROM_MERCATOR = Transformer.from_crs("EPSG:3857", CRS, always_xy=True)


def degrees(x: Floats, y: Floats, digits: int = 7) -> tuple[Floats, Floats]:
    """Longitude and latitude, rounded as written."""
    lon, lat = _TO_DEGREES.transform(x, y)
    return np.round(lon, digits), np.round(lat, digits)


def feet(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Feet in the city's CRS."""
    x, y = _TO_FEET.transform(lon, lat)
    return np.asarray(x), np.asarray(y)


def mercator(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Web mercator meters, rounded as written."""
    east, north = _TO_MERCATOR.transform(x, y)
    return np.round(east, 3), np.round(north, 3)


def _settle(frame: pd.DataFrame, digits: int = 7) -> pd.DataFrame:
    """Give rows with city coordinates (cx, cy) their lon, lat as written, and x, y as a reader gets them back."""
    lon, lat = degrees(frame.cx.to_numpy() + CENTER_X, frame.cy.to_numpy() + CENTER_Y, digits)
    x, y = feet(lon, lat)
    return frame.assign(lon=lon, lat=lat, x=x, y=y)


@dataclass(frozen=True, slots=True)
class Lots:
    """All parcels of the city, vacant or not."""

    corner_x: Floats
    corner_y: Floats
    x: Floats
    y: Floats
    block: NDArray[np.int64]
    address: NDArray[np.object_]
    neighborhood: NDArray[np.int64]

    def take(self, index: NDArray[np.int64]) -> pd.DataFrame:
        """Rows for these parcels, with city coordinates."""
        return pd.DataFrame(
            {
                "lot": index,
                "cx": self.x[index],
                "cy": self.y[index],
                "address": self.address[index],
                "hood": self.neighborhood[index],
            }
        )


@dataclass(frozen=True, slots=True)
class City:
    """The clean rows of everything but crime; ``misfiled_lots`` are those that only faulty rows speak of."""

    land: Land
    lots: Lots
    vacant_lots: pd.DataFrame
    misfiled_lots: pd.DataFrame
    dilapidated: pd.DataFrame
    liquor: pd.DataFrame
    bus_stops: pd.DataFrame
    requests: pd.DataFrame
    overdoses: pd.DataFrame
    crashes: pd.DataFrame
    schools: pd.DataFrame
    gas_stations: pd.DataFrame
    poverty: pd.DataFrame


def make_lots(land: Land) -> Lots:
    """Cut every block into two rows of lots."""
    widths = {"downtown": 50.0, "bluff": 50.0, "east": 80.0, "south": 65.0, "main": 50.0}
    xs, ys, blocks, streets, numbers = [], [], [], [], []
    for number, frame in enumerate(FRAMES):
        mine = np.flatnonzero(land.blocks.frame == number)
        count = int((frame.pitch_u - 60.0) // widths[frame.name])
        left = 30.0 + np.arange(count) * ((frame.pitch_u - 60.0) / count)
        right = left + (frame.pitch_u - 60.0) / count
        middle = frame.pitch_v / 2
        for low, high, side in ((30.0, middle, 0), (middle, frame.pitch_v - 30.0, 1)):
            u0 = (land.blocks.i[mine] * frame.pitch_u)[:, None]
            v0 = (land.blocks.j[mine] * frame.pitch_v)[:, None]
            u = u0[..., None] + np.stack([left, right, right, left], axis=-1)
            v = np.broadcast_to(v0[..., None] + np.array([low, low, high, high]), u.shape)
            x, y = frame.world(u, v)
            xs.append(x.reshape(-1, 4))
            ys.append(y.reshape(-1, 4))
            blocks.append(np.repeat(mine, count))
            names = [street_name(number, "v", int(j) + side) for j in land.blocks.j[mine]]
            streets.append(np.repeat(np.array(names, dtype=object), count))
            hundreds = 100 * (np.abs(land.blocks.i[mine]) + 1)
            numbers.append((hundreds[:, None] + 4 * np.arange(count) + 1 + side).ravel())
    corner_x, corner_y = np.concatenate(xs), np.concatenate(ys)
    x, y = corner_x.mean(axis=1), corner_y.mean(axis=1)
    ground = land.buildable.buffer(-15.0)
    shapely.prepare(ground)
    arterial = shapely.union_all(land.streets.line[land.streets.kind == "arterial"]).buffer(55.0)
    shapely.prepare(arterial)
    points = shapely.points(x, y)
    good = shapely.contains(ground, points) & ~shapely.contains(arterial, points)
    # At the seam of two grids a lot is whole or it is not there.
    outline = shapely.polygons(np.stack([corner_x, corner_y], axis=-1))
    good &= shapely.contains(shapely.buffer(land.blocks.polygon, -8.0)[np.concatenate(blocks)], outline)
    street, house = np.concatenate(streets)[good], np.concatenate(numbers)[good]
    address = np.array([f"{n} {s}" for n, s in zip(house, street, strict=True)], dtype=object)
    return Lots(
        corner_x[good], corner_y[good], x[good], y[good], np.concatenate(blocks)[good], address,
        neighborhood_of(land, x[good], y[good]),
    )  # fmt: skip


def _pick(rng: np.random.Generator, weight: Floats, count: int) -> NDArray[np.int64]:
    """Draw without replacement, with these weights (exponential races)."""
    race = rng.exponential(1.0, weight.size) / weight
    return np.sort(np.argpartition(race, count)[:count])


def _days(rng: np.random.Generator, first: date, last: date, count: int) -> NDArray[np.datetime64]:
    span = (last - first).days
    found = np.datetime64(first) + rng.integers(0, span + 1, count)
    # No office works on New Year's Day: a date never falls on the edge of a window.
    new_year = found == found.astype("datetime64[Y]").astype("datetime64[D]")
    return np.asarray(found + new_year.astype(np.int64))


def _ends(
    rng: np.random.Generator, start: NDArray[np.datetime64], mean_days: float, floor: int
) -> NDArray[np.datetime64]:
    """When a thing ceased; NaT while it stands at the last day."""
    end = start + np.ceil(rng.exponential(mean_days, start.size)).astype(np.int64) + floor
    new_year = end == end.astype("datetime64[Y]").astype("datetime64[D]")
    end = end + new_year.astype(np.int64)
    return np.where(end > np.datetime64(LAST_DAY), np.datetime64("NaT"), end)


def _vacant_lots(lots: Lots) -> pd.DataFrame:
    rng = stream("vacant lots")
    block_luck = rng.gamma(0.8, 1.0 / 0.8, lots.block.max() + 1)
    weight = np.exp(1.45 * hardship(lots.x, lots.y)) * (0.08 + block_luck[lots.block])
    frame = lots.take(_pick(rng, weight, 3160))
    count = len(frame)
    old = rng.random(count) < 0.80
    listed = np.where(
        old, _days(rng, date(2011, 3, 1), date(2020, 12, 30), count), _days(rng, FIRST_DAY, date(2024, 1, 14), count)
    )
    frame["listed"] = listed
    frame["removed"] = _ends(rng, np.maximum(listed, np.datetime64("2020-06-01")), 3900.0, 60)
    owner = rng.choice(5, count, p=[0.52, 0.17, 0.21, 0.06, 0.04])
    frame["owner_type"] = np.array(["PRIVATE", "CITY", "LAND BANK", "COUNTY", "CHURCH"], dtype=object)[owner]
    frame["sqft"] = np.round(
        shapely.area(shapely.polygons(np.stack([lots.corner_x[frame.lot], lots.corner_y[frame.lot]], axis=-1)))
    ).astype(int)
    frame["parcel_id"] = [f"{11 + b // 400:02d}-{b % 400:03d}-{n % 1000:03d}" for b, n in _parcel_parts(lots, frame)]
    return _settle(frame)


def _parcel_parts(lots: Lots, frame: pd.DataFrame) -> list[tuple[int, int]]:
    first = np.searchsorted(np.sort(lots.block), lots.block[frame.lot])
    order = np.argsort(np.argsort(lots.block, kind="stable"), kind="stable")
    return list(zip(lots.block[frame.lot].tolist(), (order[frame.lot] - first + 1).tolist(), strict=True))


def _dilapidated(lots: Lots, vacant: pd.DataFrame) -> pd.DataFrame:
    rng = stream("dilapidated buildings")
    weight = np.exp(0.95 * hardship(lots.x, lots.y) + 0.3 * ripple("old houses", lots.x, lots.y, 3000.0))
    weight[vacant.lot.to_numpy()] = 1e-9
    frame = lots.take(_pick(rng, weight, 690))
    count = len(frame)
    frame["opened"] = _days(rng, date(2018, 2, 1), date(2024, 1, 12), count)
    frame["closed"] = _ends(rng, frame.opened.to_numpy().astype("datetime64[D]"), 850.0, 45)
    stage = rng.choice(4, count, p=[0.7, 0.12, 0.1, 0.08])
    frame["status"] = np.array(["Ongoing Case", "Pre-Bid", "Demolition", "Asbestos"], dtype=object)[stage]
    frame.loc[frame.closed.notna(), "status"] = "Closed"
    frame = frame.sort_values("opened", kind="stable").reset_index(drop=True)
    frame["case"] = [f"DB{str(when)[2:4]}-{number + 1:05d}" for number, when in enumerate(frame.opened)]
    return _settle(frame)


def _corners(land: Land, kind: str, spacing: float) -> tuple[Floats, Floats]:
    """Points along the streets of a kind, about this far apart, 35 ft off the middle."""
    lines = land.streets.line[land.streets.kind == kind]
    steps = np.maximum(1, np.round(shapely.length(lines) / spacing)).astype(int)
    piece = np.repeat(np.arange(lines.size), steps)
    share = (np.concatenate([np.arange(n) for n in steps]) + 0.5) / np.repeat(steps, steps)
    points = shapely.line_interpolate_point(lines[piece], share, normalized=True)
    x, y = shapely.get_x(points), shapely.get_y(points)
    along = shapely.get_coordinates(shapely.line_interpolate_point(lines[piece], share + 0.01, normalized=True))
    dx, dy = along[:, 0] - x, along[:, 1] - y
    side = np.where(np.arange(x.size) % 2 == 0, 35.0, -35.0) / np.maximum(np.hypot(dx, dy), 1e-6)
    x, y = x - dy * side, y + dx * side
    reach = shapely.buffer(land.study, 1350.0)  # what lies farther out says nothing about the city
    shapely.prepare(reach)
    near = shapely.contains_xy(reach, x, y)
    return x[near], y[near]


def _liquor(land: Land) -> pd.DataFrame:
    rng = stream("liquor")
    ax, ay = _corners(land, "arterial", 160.0)
    cx, cy = _corners(land, "local", 330.0)
    x, y = np.concatenate([ax, cx]), np.concatenate([ay, cy])
    middle = 2.6 * bump(x, y, (-5200.0, 900.0), 1500.0)
    weight = np.where(np.arange(x.size) < ax.size, 1.0, 0.04) * np.exp(
        middle + 0.35 * hardship(x, y) + 0.9 * ripple("shops", x, y, 2600.0)
    )
    index = _pick(rng, weight, 255)
    frame = pd.DataFrame({"cx": np.round(x[index], 2), "cy": np.round(y[index], 2)})
    count = len(frame)
    frame["issued"] = np.where(
        rng.random(count) < 0.8,
        _days(rng, date(2004, 1, 2), date(2020, 11, 30), count),
        _days(rng, date(2020, 12, 1), date(2023, 12, 20), count),
    )
    frame["ended"] = _ends(
        rng, np.maximum(frame.issued.to_numpy().astype("datetime64[D]"), np.datetime64("2020-03-01")), 3300.0, 200
    )
    frame["type"] = np.array(["PACKAGE", "BY DRINK", "CONVENIENCE", "RESTAURANT-BAR"], dtype=object)[
        rng.choice(4, count, p=[0.3, 0.25, 0.25, 0.2])
    ]
    east, north = mercator(frame.cx.to_numpy() + CENTER_X, frame.cy.to_numpy() + CENTER_Y)
    back_x, back_y = _FROM_MERCATOR.transform(east, north)
    return frame.assign(east=east, north=north, x=back_x, y=back_y)


def _bus_stops(land: Land) -> pd.DataFrame:
    rng = stream("bus stops")
    x, y = _corners(land, "arterial", 330.0)
    center = np.exp(-np.hypot(x + 2500.0, y) / 9000.0)
    index = _pick(rng, 0.15 + center, 560)
    kept: list[int] = []
    for candidate in index:  # stops keep their distance from one another
        near = np.hypot(x[kept] - x[candidate], y[kept] - y[candidate]) < 420.0
        if not near.any():
            kept.append(int(candidate))
    frame = pd.DataFrame({"cx": x[kept], "cy": y[kept]})
    names = land.streets.name[
        shapely.STRtree(land.streets.line).nearest(shapely.points(frame.cx.to_numpy(), frame.cy.to_numpy()))
    ]
    frame["name"] = [f"{name} @ stop {number + 1}" for number, name in enumerate(names)]
    return frame.assign(x=np.round(frame.cx + CENTER_X, 2), y=np.round(frame.cy + CENTER_Y, 2))


KINDS = (
    # kind, requests a year, weight of hardship, of its own field, share reported more than once
    ("illegal_dumping", 930, 0.95, 0.7, 0.0),
    ("tall_grass_weeds", 560, 1.0, 0.4, 0.9),
    ("street_light_out", 380, 0.0, 0.6, 1.2),
    ("pothole", 500, -0.1, 0.7, 1.3),
    ("graffiti", 260, 0.4, 0.9, 0.9),
    ("abandoned_vehicle", 380, 0.7, 0.4, 0.8),
    ("open_vacant_building", 230, 1.2, 0.3, 0.8),
    ("missed_trash", 430, 0.1, 0.3, 0.5),
    ("stray_animal", 280, 0.5, 0.5, 0.5),
    ("sidewalk", 160, 0.0, 0.6, 0.6),
    ("sewer_backup", 190, 0.2, 0.6, 0.5),
    ("tree_down", 210, -0.4, 0.6, 0.8),
)


def _stamp(rng: np.random.Generator, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Office hours on those days, to the minute."""
    minutes = np.clip(rng.normal(12.5 * 60, 170.0, days.size), 6 * 60, 22 * 60).astype(int)
    return np.asarray(days.astype("datetime64[m]") + minutes)


def _requests(lots: Lots, poverty: pd.DataFrame) -> pd.DataFrame:
    parts = []
    span_years = (LAST_DAY - FIRST_DAY).days / 365.25
    for kind, per_year, weight_hardship, weight_own, repeats in KINDS:
        rng = stream(f"311 {kind}")
        own = ripple(f"311 {kind}", lots.x, lots.y, 2200.0)
        block_luck = rng.gamma(0.7, 1 / 0.7, lots.block.max() + 1)
        rate = poverty.reporting_rate.to_numpy()[lots.neighborhood]
        weight = np.exp(weight_hardship * hardship(lots.x, lots.y) + weight_own * own) * (0.1 + block_luck[lots.block])
        weight = weight * (1.0 - np.exp(-4.0 * rate))
        count = int(per_year * span_years)
        chosen = rng.choice(weight.size, count, p=weight / weight.sum())
        things = lots.take(chosen)
        things["cx"] += rng.normal(0, 14.0, count)
        things["cy"] += rng.normal(0, 14.0, count)
        things["opened"] = _stamp(rng, _days(rng, date(2021, 1, 2), LAST_DAY, count))
        if repeats == 0.0:
            things = _apart(things)
            count = len(things)
        things["repeat"] = False
        things["thing"] = np.arange(count)
        extra = rng.poisson(repeats * poverty.reporting_rate.to_numpy()[things.hood])
        again = things.loc[np.repeat(np.arange(count), extra)].copy()
        again["opened"] = again.opened + rng.integers(60, 29 * 24 * 60, len(again)).astype("timedelta64[m]")
        again["cx"] += rng.uniform(-50.0, 50.0, len(again))
        again["cy"] += rng.uniform(-50.0, 50.0, len(again))
        again["repeat"] = True
        again = again[(again.opened < np.datetime64(LAST_DAY + timedelta(days=1))) & _not_new_year(again.opened)]
        parts.append(pd.concat([things, again], ignore_index=True).assign(kind=kind))
    frame = pd.concat(parts, ignore_index=True).sort_values(["opened", "kind", "lot"], kind="stable")
    frame = frame.reset_index(drop=True)
    rng = stream("311 closing")
    closed = frame.opened.to_numpy() + (rng.gamma(1.2, 9.0, len(frame)) * 1440).astype("timedelta64[m]")
    frame["closed"] = np.where(closed > np.datetime64(LAST_DAY), np.datetime64("NaT"), closed)
    return _settle(frame, digits=6)


def _apart(things: pd.DataFrame) -> pd.DataFrame:
    """Leave out what a rule for repeats (50 m, 30 days) could take for a repeat, so that all ways of counting agree."""
    things = things.sort_values(["opened", "lot"], kind="stable").reset_index(drop=True)
    x, y = things.cx.to_numpy(), things.cy.to_numpy()
    day = things.opened.to_numpy().astype("datetime64[D]").astype(np.int64)
    kept: list[int] = []
    for at in range(len(things)):
        recent = [other for other in kept if day[at] - day[other] <= 32]
        if not (np.hypot(x[recent] - x[at], y[recent] - y[at]) < 200.0).any():
            kept.append(at)
    return things.iloc[kept].reset_index(drop=True)


def _not_new_year(when: pd.Series) -> pd.Series:
    return ~((when.dt.month == 1) & (when.dt.day == 1))


def _poverty(land: Land) -> pd.DataFrame:
    rng = stream("poverty")
    centers = [ground.representative_point() for ground in land.neighborhoods]
    x, y = np.array([p.x for p in centers]), np.array([p.y for p in centers])
    rate = np.clip(13.0 + 13.0 * hardship(x, y) + rng.normal(0, 2.0, x.size), 3.0, 48.0)
    area = np.array([ground.area for ground in land.neighborhoods]) / 27_878_400.0
    people = np.round(area * rng.uniform(2800, 5200, x.size), -1).astype(int)
    frame = pd.DataFrame({"poverty": np.round(rate, 1), "people": people})
    frame["margin"] = np.round(rng.uniform(1.8, 5.5, x.size), 1)
    # Poorer neighborhoods report more slowly: between the ends lies more than a factor of three.
    frame["reporting_rate"] = np.round(np.clip(0.62 - 0.014 * rate + rng.normal(0, 0.04, x.size), 0.10, 0.60), 3)
    return frame


def _overdoses(lots: Lots) -> pd.DataFrame:
    rng = stream("overdoses")
    weight = np.exp(
        0.7 * hardship(lots.x, lots.y)
        + 1.2 * bump(lots.x, lots.y, (-5200.0, 900.0), 1600.0)
        + 0.6 * ripple("overdoses", lots.x, lots.y, 2400.0)
    )
    count = 780
    frame = lots.take(rng.choice(weight.size, count, p=weight / weight.sum()))
    frame["cx"] += rng.normal(0, 60.0, count)
    frame["cy"] += rng.normal(0, 60.0, count)
    days = _days(rng, FIRST_DAY, LAST_DAY, count)
    frame["when"] = days.astype("datetime64[m]") + rng.integers(1, 1440, count)
    frame = frame.sort_values("when", kind="stable").reset_index(drop=True)
    return _settle(frame, digits=5)


def _crashes(land: Land) -> pd.DataFrame:
    rng = stream("crashes")
    x, y = _corners(land, "arterial", 60.0)
    inside = shapely.contains(shapely.buffer(land.study, -20.0), shapely.points(x, y))
    x, y = x[inside], y[inside]
    crossing = np.minimum(np.abs((x + 1320.0) % 2640.0 - 1320.0), np.abs((y + 1320.0) % 2640.0 - 1320.0))
    weight = np.exp(-crossing / 500.0) + 0.15
    count = 330
    index = rng.choice(x.size, count, p=weight / weight.sum())
    frame = pd.DataFrame({"cx": x[index], "cy": y[index]})
    frame["when"] = _days(rng, FIRST_DAY, LAST_DAY, count).astype("datetime64[m]") + rng.integers(240, 1440, count)
    frame["severity"] = np.array(["K", "A", "B"], dtype=object)[rng.choice(3, count, p=[0.2, 0.38, 0.42])]
    frame = frame.sort_values("when", kind="stable").reset_index(drop=True)
    return _settle(frame, digits=6)


def _schools(lots: Lots) -> pd.DataFrame:
    rng = stream("schools")
    index = _pick(rng, np.ones(lots.x.size), 900)
    kept: list[int] = []
    for candidate in rng.permutation(index):
        if not (np.hypot(lots.x[kept] - lots.x[candidate], lots.y[kept] - lots.y[candidate]) < 2100.0).any():
            kept.append(int(candidate))
    frame = lots.take(np.array(kept[:34]))
    saints = ("Peña", "Lovejoy", "Addams", "Grimké", "Carver", "Douglass", "Palmer", "Medill", "Koerner", "Bradwell")
    frame["name"] = [
        f"{saints[n % len(saints)]} {('Elementary', 'Middle', 'Academy', 'High')[n // len(saints)]}"
        for n in range(len(frame))
    ]
    return _settle(frame)


def _gas_stations(land: Land) -> pd.DataFrame:
    rng = stream("gas stations")
    x, y = _corners(land, "arterial", 300.0)
    weight = 0.3 + np.exp(0.8 * ripple("shops", x, y, 2600.0))
    index = _pick(rng, weight, 58)
    return _settle(pd.DataFrame({"cx": x[index], "cy": y[index], "brand": rng.choice(["A", "B", "C", "none"], 58)}))


def make_city(land: Land) -> City:
    """Everything but crime."""
    lots = make_lots(land)
    poverty = _poverty(land)
    vacant = _vacant_lots(lots)
    misfiled = np.isin(np.arange(len(vacant)), stream("misfiled lots").choice(len(vacant), 100, replace=False))
    return City(
        land=land,
        lots=lots,
        vacant_lots=vacant[~misfiled].reset_index(drop=True),
        misfiled_lots=vacant[misfiled].reset_index(drop=True),
        dilapidated=_dilapidated(lots, vacant),
        liquor=_liquor(land),
        bus_stops=_bus_stops(land),
        requests=_requests(lots, poverty),
        overdoses=_overdoses(lots),
        crashes=_crashes(land),
        schools=_schools(lots),
        gas_stations=_gas_stations(land),
        poverty=poverty,
    )


def text_date(value: object, pattern: str) -> str:
    """A date as text; empty for NaT."""
    stamp = pd.Timestamp(value)  # type: ignore[arg-type]
    return "" if stamp is pd.NaT else datetime.strftime(stamp.to_pydatetime(), pattern)
