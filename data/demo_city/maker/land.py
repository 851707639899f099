"""The ground: outline with an enclave and a state line, river, lake, airfield, streets, blocks, neighborhoods.

Coordinates inside this module are feet from the center of the city.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from maker.plan import HALF_MILE, NEIGHBORHOODS, PEOPLE, TREES, ripple

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """A street grid of one age: turned, stretched, and (in the newer parts) bent."""

    name: str
    origin: tuple[float, float]
    angle_deg: float
    pitch_u: float
    pitch_v: float
    bend: float = 0.0
    steps: int = 1

    def world(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Frame to city coordinates."""
        bent_u = u + self.bend * np.sin(2 * np.pi * v / 3100.0)
        bent_v = v + self.bend * np.sin(2 * np.pi * u / 3700.0 + 1.0)
        turn = np.deg2rad(self.angle_deg)
        x = self.origin[0] + np.cos(turn) * bent_u - np.sin(turn) * bent_v
        y = self.origin[1] + np.sin(turn) * bent_u + np.cos(turn) * bent_v
        return x, y


FRAMES = (
    Frame("downtown", (-5400.0, 700.0), 19.0, 380.0, 380.0),
    Frame("bluff", (-5600.0, 6400.0), -14.0, 470.0, 340.0),
    Frame("east", (8000.0, 0.0), 0.0, 700.0, 470.0, bend=150.0, steps=6),
    Frame("south", (-500.0, -8000.0), 5.0, 620.0, 420.0, bend=70.0, steps=5),
    Frame("main", (0.0, 0.0), 0.0, HALF_MILE / 5, HALF_MILE / 8),
)


def river_course(y: Floats) -> Floats:
    """X of the middle of the river, which bends around downtown."""
    bend = -2500.0 * np.exp(-(((y - 1000.0) / 4300.0) ** 2))
    return -8000.0 + bend + 350.0 * np.sin(y / 2300.0) + 120.0 * np.sin(y / 760.0 + 1.0)


def _band(course: Floats, y: Floats, west: float, east: float) -> Polygon:
    right = np.column_stack([course + east, y])
    left = np.column_stack([course - west, y])[::-1]
    return Polygon(np.vstack([right, left]))


def _river() -> Polygon:
    y = np.arange(-14_300.0, 14_301.0, 200.0)
    return _band(river_course(y), y, 950.0, 780.0)


def _outline() -> Polygon:
    """City limits: the middle of the river in the west, annexations along section lines elsewhere, one enclave."""
    y = np.arange(-10_900.0, 10_501.0, 150.0)
    bank = [(float(a), float(b)) for a, b in zip(river_course(y), y, strict=True)]
    corners = [
        (-1510.0, 10_520.0), (-1490.0, 11_640.0), (4180.0, 11_655.0), (4205.0, 9840.0), (9520.0, 9860.0),
        (9560.0, 6310.0), (12_320.0, 6290.0), (12_355.0, -1290.0), (11_305.0, -1330.0), (11_280.0, -6315.0),
        (8740.0, -6290.0), (8705.0, -10_310.0), (2330.0, -10_290.0), (2290.0, -11_620.0), (-2990.0, -11_590.0),
        (-3030.0, -10_920.0),
    ]  # fmt: skip
    enclave = [
        (3760.0, -1320.0), (6450.0, -1310.0), (6470.0, -2890.0), (5710.0, -2905.0), (5690.0, -3430.0), (3780.0, -3405.0)
    ]  # fmt: skip
    return Polygon(bank + corners, holes=[enclave])


def _lake() -> Polygon:
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    reach = 1.0 + 0.13 * np.sin(3 * turn + 0.6) + 0.07 * np.sin(5 * turn)
    return Polygon(np.column_stack([8150.0 + 1250.0 * reach * np.cos(turn), -3150.0 + 800.0 * reach * np.sin(turn)]))


def _airfield() -> Polygon:
    return shapely.affinity.rotate(shapely.box(5150.0, 5900.0, 9150.0, 8400.0), 9.0, origin=(7150.0, 7150.0))


def _creek() -> BaseGeometry:
    x = np.arange(-9500.0, 7200.0, 150.0)
    y = -3900.0 + 700.0 * np.sin(x / 1900.0) + 0.06 * x
    return shapely.LineString(np.column_stack([x, y])).buffer(190.0 + 0.0, quad_segs=4)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Tiles from street middle to street middle, over all frames."""

    polygon: NDArray[np.object_]
    x: Floats
    y: Floats
    frame: NDArray[np.int64]
    i: NDArray[np.int64]
    j: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Streets:
    """Street pieces, one a block side, with name, class and hundred block."""

    line: NDArray[np.object_]
    name: NDArray[np.object_]
    kind: NDArray[np.object_]
    number: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Land:
    """The ground of the city."""

    limits: Polygon
    river: BaseGeometry
    lake: Polygon
    airfield: BaseGeometry
    study: BaseGeometry
    buildable: BaseGeometry
    blocks: Blocks
    streets: Streets
    parks: list[tuple[str, BaseGeometry]]
    neighborhoods: list[BaseGeometry]


def _zones(land: BaseGeometry) -> list[BaseGeometry]:
    """One part of the land for each frame; the main grid takes what is left."""
    y = np.arange(-13_200.0, 13_201.0, 220.0)
    downtown = shapely.affinity.rotate(shapely.box(-10_500.0, -1900.0, -3700.0, 3300.0), 19.0, origin=(-5400.0, 700.0))
    bluff = Polygon([(-14_000, 4050), (-3250, 4050), (-2640, 5280), (-2640, 14_000), (-14_000, 14_000)])
    east = _band(np.full(y.size, 5280.0) + 180.0 * np.sin(y / 1500.0), y, 0.0, 9000.0)
    south = Polygon([(-14_000, -6650), (-2000, -6650), (9000, -5600), (9000, -14_000), (-14_000, -14_000)])
    zones: list[BaseGeometry] = []
    rest = land
    for wanted in (downtown, bluff, east, south):
        zones.append(shapely.intersection(rest, wanted))
        rest = shapely.difference(rest, wanted)
    return [*zones, rest]


def _blocks(zones: list[BaseGeometry]) -> Blocks:
    parts: list[tuple[BaseGeometry, float, float, int, int, int]] = []
    for number, (frame, zone) in enumerate(zip(FRAMES, zones, strict=True)):
        reach_u, reach_v = int(26_000 / frame.pitch_u), int(26_000 / frame.pitch_v)
        i, j = (part.ravel() for part in np.meshgrid(np.arange(-reach_u, reach_u), np.arange(-reach_v, reach_v)))
        x, y = frame.world((i + 0.5) * frame.pitch_u, (j + 0.5) * frame.pitch_v)
        near = (np.abs(x) < 14_500) & (np.abs(y) < 13_800)
        i, j = i[near], j[near]
        n = frame.steps
        k = np.arange(n)
        side_u = np.concatenate([k, np.full(n, n), n - k, np.zeros(n, dtype=np.int64)])
        side_v = np.concatenate([np.zeros(n, dtype=np.int64), k, np.full(n, n), n - k])
        u = (i[:, None] * n + side_u) * (frame.pitch_u / n)
        v = (j[:, None] * n + side_v) * (frame.pitch_v / n)
        tiles = shapely.polygons(np.stack(frame.world(u, v), axis=-1))
        tiles = shapely.intersection(tiles, zone)
        for tile, a, b in zip(tiles, i, j, strict=True):
            if tile.area > 400.0:
                center = tile.representative_point()
                parts.append((tile, center.x, center.y, number, int(a), int(b)))
    polygon = np.empty(len(parts), dtype=object)
    polygon[:] = [part[0] for part in parts]
    numbers = np.array([part[1:] for part in parts])
    whole = numbers[:, 2:].astype(np.int64)
    return Blocks(polygon, numbers[:, 0], numbers[:, 1], whole[:, 0], whole[:, 1], whole[:, 2])


def street_name(frame: int, axis: str, index: int) -> str:
    """Name of the street at one line of a frame: numbers run north-south in the main grid, trees run east-west."""
    if FRAMES[frame].name == "main":
        if axis == "u":
            number = index + 22
            ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number // 10 != 1 else 0, "th")
            return f"{number}{ending} St"
        side = "N" if index > 0 else "S"
        return f"{side} {TREES[abs(index) % len(TREES)]} Ave"
    names, suffix = (PEOPLE, "St") if axis == "u" else (TREES, "Ln")
    place = (index * 7 + frame * 11 + (3 if axis == "u" else 0)) % len(names)
    return f"{names[place]} {('Way', 'Pl', 'Dr', 'Ct')[frame] if suffix == 'Ln' else suffix}"


def _local_streets(frame_number: int, zone: BaseGeometry) -> list[tuple[BaseGeometry, str, str, int]]:
    frame = FRAMES[frame_number]
    found: list[tuple[BaseGeometry, str, str, int]] = []
    n = frame.steps
    k = np.arange(n + 1)
    for axis in ("u", "v"):
        reach = int(26_000 / min(frame.pitch_u, frame.pitch_v))
        lines, along = (part.ravel() for part in np.meshgrid(np.arange(-reach, reach), np.arange(-reach, reach)))
        steady = lines[:, None] * n + np.zeros(n + 1)
        moving = along[:, None] * n + k
        if axis == "u":
            x, y = frame.world(steady * (frame.pitch_u / n), moving * (frame.pitch_v / n))
        else:
            x, y = frame.world(moving * (frame.pitch_u / n), steady * (frame.pitch_v / n))
        near = (np.abs(x[:, 0]) < 14_500) & (np.abs(y[:, 0]) < 13_800)
        pieces = shapely.intersection(shapely.linestrings(np.stack([x[near], y[near]], axis=-1)), zone)
        for piece, line, step in zip(pieces, lines[near], along[near], strict=True):
            for part in shapely.get_parts(piece):
                if part.length > 60.0:
                    kind = "collector" if line % 4 == 0 and frame.name != "downtown" else "local"
                    found.append((part, street_name(frame_number, axis, int(line)), kind, 100 * (abs(int(step)) + 1)))
    return found


def _seams(zones: list[BaseGeometry], ground: BaseGeometry) -> list[tuple[BaseGeometry, str, str, int]]:
    """Streets along which the grids of two ages meet."""
    found: list[tuple[BaseGeometry, str, str, int]] = []
    for name, zone in zip(("Division St", "Bluff Rd", "Range Line Rd", "Old Town Rd"), zones, strict=False):
        edge = shapely.intersection(zone.boundary, ground)
        for part in shapely.get_parts(shapely.segmentize(edge, 400.0)):
            for number, (start, end) in enumerate(pairwise(part.coords)):
                piece = shapely.LineString([start, end])
                if piece.length > 20.0:
                    found.append((piece, name, "collector", 100 * (number + 1)))
    return found


def _arterials(ground: BaseGeometry) -> list[tuple[BaseGeometry, str, str, int]]:
    """Half-mile section roads, and the old plank road that cuts across them."""
    found: list[tuple[BaseGeometry, str, str, int]] = []
    steps = np.arange(-26, 26)
    for line in range(-5, 6):
        for step in steps:
            a, b = step * HALF_MILE / 5, (step + 1) * HALF_MILE / 5
            c, d = step * HALF_MILE / 8, (step + 1) * HALF_MILE / 8
            across = shapely.LineString([(a, line * HALF_MILE), (b, line * HALF_MILE)])
            upward = shapely.LineString([(line * HALF_MILE, c), (line * HALF_MILE, d)])
            number = 100 * (abs(int(step)) + 1)
            found.append((across, street_name(4, "v", 8 * line), "arterial", number))
            found.append((upward, street_name(4, "u", 5 * line), "arterial", number))
        for step in (*range(-42, -26), *range(26, 42)):
            upward = shapely.LineString(
                [(line * HALF_MILE, step * HALF_MILE / 8), (line * HALF_MILE, (step + 1) * HALF_MILE / 8)]
            )
            found.append((upward, street_name(4, "u", 5 * line), "arterial", 100 * (abs(step) + 1)))
    start, end = np.array([-4300.0, 1500.0]), np.array([4800.0, 9300.0])
    cuts = np.linspace(0, 1, 25)
    for index, (a, b) in enumerate(pairwise(cuts)):
        piece = shapely.LineString([start + a * (end - start), start + b * (end - start)])
        found.append((piece, "Old Plank Rd", "arterial", 100 * (index + 1)))
    clipped = []
    for piece, name, kind, number in found:
        for part in shapely.get_parts(shapely.intersection(piece, ground)):
            if part.length > 60.0:
                clipped.append((part, name, kind, number))
    return clipped


def _parks(land: BaseGeometry, lake: Polygon, blocks: Blocks) -> list[tuple[str, BaseGeometry]]:
    parks = [
        ("Mill Creek Greenway", shapely.difference(shapely.intersection(_creek(), land), lake.buffer(450.0))),
        ("Lakeside Park", shapely.difference(shapely.intersection(lake.buffer(430.0), land), lake)),
    ]
    wanted = (
        ("Courthouse Square", -5282.0, 941.0, 120.0),
        ("Levee Park", -8200.0, 2000.0, 600.0),
        ("Peña Park", -2700.0, 3300.0, 420.0),
        ("Carthage Park", 700.0, 1000.0, 560.0),
        ("Douglass Park", 1500.0, -2900.0, 420.0),
        ("Northside Commons", -1000.0, 6200.0, 430.0),
        ("Sycamore Park", 2300.0, 5100.0, 480.0),
        ("Prairie Green", 6900.0, 2300.0, 620.0),
        ("Hickory Glen Park", 9900.0, 2700.0, 520.0),
        ("Walnut Grove Park", 200.0, -5700.0, 430.0),
        ("Quarry Park", -3300.0, -8700.0, 800.0),
        ("Bluff Overlook", -6200.0, 7400.0, 520.0),
    )
    for name, x, y, reach in wanted:
        inside = np.maximum(np.abs(blocks.x - x), np.abs(blocks.y - y)) < reach
        ground = shapely.union_all(shapely.buffer(blocks.polygon[inside], 2.0, join_style="mitre"))
        parks.append((name, ground.buffer(-32.0, join_style="mitre")))
    return parks


def _neighborhoods(land: BaseGeometry, blocks: Blocks) -> list[BaseGeometry]:
    """Blocks go to the nearest seed, so that borders run along the middle of streets."""
    seeds = np.array([(x, y) for _, x, y, _ in NEIGHBORHOODS])
    wobble = 350.0 * ripple("neighborhoods", blocks.x, blocks.y, 2500.0)
    gaps_x = np.abs(blocks.x[:, None] - seeds[:, 0] + wobble[:, None])
    gaps_y = np.abs(blocks.y[:, None] - seeds[:, 1])
    owner = np.argmin(np.hypot(gaps_x, gaps_y) + 0.5 * np.maximum(gaps_x, gaps_y), axis=1)
    taken: BaseGeometry = Polygon()
    found: list[BaseGeometry] = []
    for number in range(len(NEIGHBORHOODS)):
        tiles = shapely.buffer(blocks.polygon[owner == number], 1.5, join_style="mitre")
        ground = shapely.union_all(tiles).buffer(-1.5, join_style="mitre")
        ground = shapely.difference(shapely.intersection(ground, land), taken)
        whole = [part for part in shapely.get_parts(ground) if part.area > 30_000.0]
        ground = MultiPolygon(whole) if len(whole) > 1 else whole[0]
        found.append(ground.simplify(1.0))
        taken = shapely.union(taken, found[-1])
    return found


def _join(pieces: list[tuple[BaseGeometry, str, str, int]]) -> Streets:
    line = np.empty(len(pieces), dtype=object)
    line[:] = [piece[0] for piece in pieces]
    name, kind = (np.array([piece[at] for piece in pieces], dtype=object) for at in (1, 2))
    return Streets(line, name, kind, np.array([piece[3] for piece in pieces]))


def make_land() -> Land:
    """Lay out the city."""
    limits, river, lake, airfield = _outline(), _river(), _lake(), _airfield()
    limits_land = shapely.difference(limits, river)
    airfield = shapely.intersection(airfield, limits_land)
    zones = _zones(limits_land)
    blocks = _blocks(zones)
    parks = _parks(limits_land, lake, blocks)
    green = shapely.union_all([ground for _, ground in parks])
    closed = shapely.union_all([green, lake, airfield])
    outer = shapely.difference(shapely.box(-14_300, -13_700, 14_300, 13_700), river.buffer(-200.0))
    outer = shapely.intersection(outer, shapely.difference(limits_land.buffer(1500.0), Polygon(limits.interiors[0])))
    west = shapely.union(river, _band(river_course(np.linspace(-15e3, 15e3, 90)), np.linspace(-15e3, 15e3, 90), 9e3, 0))
    outer = shapely.difference(outer, west)
    arterial_ground = shapely.difference(outer, shapely.union(lake, airfield))
    arterials = _arterials(arterial_ground)
    corridor = shapely.union_all([piece[0] for piece in arterials]).buffer(60.0)
    local: list[tuple[BaseGeometry, str, str, int]] = []
    for number, zone in enumerate(zones):
        local += _local_streets(number, shapely.difference(zone, closed.buffer(-5.0)))
    local += _seams(zones, shapely.difference(limits_land.buffer(-60.0), closed.buffer(-5.0)))
    # Where a section road runs along a line of the grid there is one street, not two.
    sides = np.array([piece[0] for piece in local], dtype=object)
    twin = shapely.length(shapely.intersection(sides, corridor)) > 0.6 * shapely.length(sides)
    local = [piece for piece, double in zip(local, twin, strict=True) if not double]
    study = shapely.difference(limits, shapely.union_all([river, lake, airfield]))
    return Land(
        limits=limits,
        river=river,
        lake=lake,
        airfield=airfield,
        study=study,
        buildable=shapely.difference(limits_land, closed),
        blocks=blocks,
        streets=_join([*arterials, *local]),
        parks=parks,
        neighborhoods=_neighborhoods(limits_land, blocks),
    )


def neighborhood_of(land: Land, x: Floats, y: Floats) -> NDArray[np.int64]:
    """Index of the neighborhood of each point; the nearest one for points outside all."""
    tree = shapely.STRtree(land.neighborhoods)
    return np.asarray(tree.nearest(shapely.points(x, y)), dtype=np.int64)


def downtown_point() -> Point:
    """Police headquarters, on which the records system piles what it can't place."""
    return Point(-4923.4, 1065.8)
