"""A first configuration of a city: what the boundary and the files tell is filled in, the rest is marked."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from rtm_pipeline.config.json_schema import editor_line
from rtm_pipeline.config.placeholders import PLACEHOLDER
from rtm_pipeline.config.zone_proposal import propose_zone
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.crs_proposal import CrsProposal, propose_crs
from rtm_pipeline.sources.files.look import FileLook, look_at_folder

__all__ = ["NewCity", "new_city"]

_SLUG = re.compile(r"^[a-z][a-z0-9_]{1,40}$")
_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_./*-]*$")
# Names of columns as portals give them, the likelier first.
_LAT = re.compile(r"^(lat|latitude|y_?lat|lat_?dd)$", re.IGNORECASE)
_LON = re.compile(r"^(lon|long|lng|longitude|x_?lon|lon_?dd)$", re.IGNORECASE)
_X = re.compile(r"^(x|x_?coord(inate)?|easting|point_?x)$", re.IGNORECASE)
_Y = re.compile(r"^(y|y_?coord(inate)?|northing|point_?y)$", re.IGNORECASE)
_WKT = re.compile(r"^(wkt|the_geom|geom|shape|geometry)$", re.IGNORECASE)
_DATE = re.compile(r"occur|incident_?date|event_?date|offen[cs]e_?date|date|_dt$|time|opened|created", re.IGNORECASE)
_ID = re.compile(r"(^|_)(id|no|num|number|key|case|report)(_|$)|(id|no|number)$", re.IGNORECASE)
_OUTCOME = re.compile(r"crime|incident|offen[cs]e|police|violen", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NewCity:
    """A configuration to be filled in.

    Attributes
    ----------
    text : str
        The YAML, with comments.
    crs : CrsProposal
    timezone : str
        A guess by the place.
    files : tuple of str
        Files of the data folder for which a part was proposed.
    """

    text: str
    crs: CrsProposal
    timezone: str
    files: tuple[str, ...]


def new_city(name: str, boundary: Path, data_dir: Path | None = None) -> NewCity:
    """Propose a configuration.

    Parameters
    ----------
    name : str
        Slug of the city.
    boundary : Path
        Vector file with the polygon of the study area.
    data_dir : Path, optional
        Folder whose files are looked at (their headers only); by default the boundary's.

    Raises
    ------
    ConfigError
        The name is no slug, or the boundary has no polygon or no CRS, or does not lie in the data folder.
    """
    if not _SLUG.match(name):
        raise ConfigError(
            f"{name!r} can't name a city: write small letters, digits and underscores, beginning with a letter, as in "
            "kansas_city."
        )
    folder = (data_dir or boundary.parent).resolve()
    if not boundary.resolve().is_relative_to(folder):
        raise ConfigError(f"The boundary {boundary} does not lie in the data folder {folder}. Copy it there.")
    bounds = _bounds(boundary)
    crs, zone = propose_crs(bounds), propose_zone(bounds)
    limits = boundary.resolve().relative_to(folder).as_posix()
    looks = _series([look for look in look_at_folder(folder) if look.path != limits])
    outcome = _outcome(looks)
    others = [look for look in looks if look is not outcome]
    parts = [_head(name, limits, crs, zone), _sources(outcome, others), _layers(outcome, others), _tail(others)]
    text = "\n".join(parts).replace("@LIMITS@", _quoted(limits))
    return NewCity(text, crs, zone, tuple(look.path for look in looks))


def _series(looks: Sequence[FileLook]) -> list[FileLook]:
    """Files of one folder with the same columns and like names (one a month) as one, under a glob."""
    groups: dict[tuple[object, ...], list[FileLook]] = {}
    for look in looks:
        path = PurePosixPath(look.path)
        stem = re.sub(r"\d+", "", path.name)
        groups.setdefault((path.parent, stem, look.columns, look.delimiter), []).append(look)
    return [_one_of(group) for group in groups.values()]


def _outcome(looks: Sequence[FileLook]) -> FileLook | None:
    """The file of incidents by its name in English; else the one series (one file a year, a month) that is there."""
    named = next((look for look in looks if _OUTCOME.search(look.path)), None)
    series = [look for look in looks if "*" in look.path]
    return named or (series[0] if len(series) == 1 else None)


def _one_of(group: Sequence[FileLook]) -> FileLook:
    if len(group) == 1:
        return group[0]
    path = PurePosixPath(group[0].path)
    names = [PurePosixPath(look.path).name for look in group]
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    start = re.sub(r"[\d_-]*$", "", "".join(letters[0] for letters in same))
    glob = (path.parent / f"{start}*{path.suffix}").as_posix()
    return replace(group[0], path=glob)


def _bounds(path: Path) -> tuple[float, float, float, float]:
    import pyogrio
    from pyogrio.errors import DataSourceError

    if not path.is_file():
        raise ConfigError(f"There is no boundary file {path}.")
    try:
        frame = pyogrio.read_dataframe(path, columns=[])
    except DataSourceError as error:
        raise ConfigError(
            f"The boundary {path} can't be read as a vector file ({error}). GeoJSON, GeoPackage and Shapefile work."
        ) from None
    shapes: Any = getattr(frame, "geometry", None)
    if shapes is None or not shapes.geom_type.isin(["Polygon", "MultiPolygon"]).any():
        raise ConfigError(f"The boundary {path} holds no polygon. Give the file of the city's limits.")
    if shapes.crs is None:
        raise ConfigError(f"The boundary {path} does not say its CRS. Export it again with one, as GeoJSON say.")
    shapes = shapes[shapes.geom_type.isin(["Polygon", "MultiPolygon"])].to_crs("EPSG:4326")
    west, south, east, north = (float(value) for value in shapes.total_bounds)
    return west, south, east, north


def _head(name: str, limits: str, crs: CrsProposal, zone: str) -> str:
    length = ("250 ft", "500 ft") if crs.in_feet else ("75 m", "150 m")
    also = "; ".join(f"{code} ({name})" for code, name in crs.others)
    others = f"\n                              # It lies in these regions too: {also}." if also else ""
    return f"""\
{editor_line()}
# What only you can tell is marked {PLACEHOLDER}. This tells the next thing that is missing:
#   rtm check {name} --data-dir FOLDER
schema: 1
city: {name}
label: {name.replace("_", " ").title()}
timezone: {zone}     # a guess by the place: check it
# as_of: 2025-01-01           # use only what was known before this day; without it, the day of the run

area:
  source: limits
  crs: {crs.code}             # {crs.name}; lengths here are off by {crs.parts_in_10_000:g} in 10,000{others}
  cell_size: {length[0]}           # half a block is usual; smaller cells need more incidents
  block: {length[1]}               # mean length of a block of your city
  # exclude: [water]          # sources with polygons that do not count, such as water or an airfield
"""


def _sources(outcome: FileLook | None, others: Sequence[FileLook]) -> str:
    path = _quoted(outcome.path) if outcome else f"{PLACEHOLDER}.csv"
    mark = _delimiter(outcome) if outcome else ""
    lines = [
        "# Where rows come from. kind: file (CSV, GeoJSON, GeoPackage, Shapefile, Parquet; zip and gz too), socrata or",
        "# arcgis; docs/adding_a_city.md shows each. origin says who made the rows: resident (reported crimes too),",
        "# registry, inspector, or police (stops, arrests).",
        "sources:",
        "  limits: {kind: file, path: @LIMITS@, expect_files: 1, origin: registry}",
        f"  incidents: {{kind: file, path: {path}{mark}, origin: resident}}   # one file, or several: crime/*.csv",
    ]
    for look in others:
        form = f"path: {_quoted(look.path)}{_delimiter(look)}, origin: {PLACEHOLDER}"
        lines.append(f"  # {_slug(look)}_file: {{kind: file, {form}}}")
    return "\n".join(lines) + "\n"


def _layers(outcome: FileLook | None, others: Sequence[FileLook]) -> str:
    columns = _columns(outcome, "    # its columns: ") if outcome else ""
    date = _first(_DATE, outcome) or PLACEHOLDER
    key = _first(_ID, outcome) or PLACEHOLDER
    text = f"""\
# How to read a layer out of a source. Rows that don't fit are set aside with their reason, never dropped silently.
layers:
  violence:
    label: violent crime
    source: incidents
    kind: events
{columns}    geometry: {_geometry(outcome)}
    date: {{column: {_quoted(date)}, formats: [iso]}}   # or as it is written: ["%m/%d/%Y %H:%M"], [epoch_ms]
    # known_at: {{delay: 7d}}     # when a row becomes known; its date by default
    key: [{_quoted(key)}]         # identity of a row: repeats are set aside as duplicates
    where:
      {PLACEHOLDER}_OFFENSE_COLUMN: [{PLACEHOLDER}]   # codes or names of homicide, robbery, aggravated assault
"""
    for look in others:
        text += _sketch(look)
    if not others:
        text += """\
  # vacant_lots:
  #   label: vacant lots
  #   source: vacant_lots_file
  #   kind: sites
  #   geometry: {lat: latitude, lon: longitude}
  #   known_at: 2025-01-01    # the day the list was made, if its rows have no date
"""
    return text


def _sketch(look: FileLook) -> str:
    geometry = "native" if look.shape else _geometry(look)
    areas = bool(look.shape) and "Polygon" in str(look.shape)
    kind = "areas     # named areas such as neighborhoods; sites, if they are parks and the like" if areas else "sites"
    date = _first(_DATE, look)
    when = f"date: {_quoted(date)}" if date else "known_at: 2025-01-01   # the day the list was made"
    return f"""\
{_columns(look, "  # columns: ")}  # {_slug(look)}:
  #   source: {_slug(look)}_file
  #   kind: {kind}
  #   geometry: {geometry}
  #   {when}
"""


def _tail(others: Sequence[FileLook]) -> str:
    names = [_slug(look) for look in others] or ["vacant_lots"]
    lines = "\n".join(f"  # {name}: {{layer: {name}}}" for name in names)
    return f"""\
# Risk factors: layers that may explain where violence concentrates. A layer made by enforcement is none.
# Take the marks off those that you mean (and write `factors:` alone).
factors: {{}}
{lines}

outcome: {{layer: violence, window: 1y, unit: incident}}
model: {{family: auto, direction: aggravating}}
forecast: {{horizon: 1y, history: all}}
# schedule: {{cron: "0 2 * * *"}}   # every night at two, local time
"""


def _columns(look: FileLook, head: str) -> str:
    indent = head[: head.index("#") + 1] + " " * 3
    lines = textwrap.wrap(", ".join(look.columns), 116, initial_indent=head, subsequent_indent=indent)
    return "".join(f"{line}\n" for line in lines)


def _slug(look: FileLook) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", Path(look.path.replace("*", "")).stem.lower()).strip("_")
    return (stem if stem[:1].isalpha() else f"layer_{stem}")[:36]


def _geometry(look: FileLook | None) -> str:
    if look is not None and look.shape:
        return "native"
    lat, lon = _first(_LAT, look), _first(_LON, look)
    if lat and lon:
        return f"{{lat: {_quoted(lat)}, lon: {_quoted(lon)}}}"
    x, y, wkt = _first(_X, look), _first(_Y, look), _first(_WKT, look)
    if x and y:
        return f"{{x: {_quoted(x)}, y: {_quoted(y)}, crs: {PLACEHOLDER}}}   # crs: as the file's publisher says"
    if wkt:
        return f"{{wkt: {_quoted(wkt)}, crs: {PLACEHOLDER}}}   # crs: as the file's publisher says"
    return f"{{lat: {PLACEHOLDER}, lon: {PLACEHOLDER}}}   # or {{x: X, y: Y, crs: EPSG:...}}, {{wkt: COLUMN, crs: ...}}"


def _first(pattern: re.Pattern[str], look: FileLook | None) -> str | None:
    return next((name for name in look.columns if pattern.search(name)), None) if look else None


def _delimiter(look: FileLook) -> str:
    return "" if look.shape or look.delimiter == "," else f', delimiter: "{_escaped(look.delimiter)}"'


def _escaped(mark: str) -> str:
    return "\\t" if mark == "\t" else mark


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return text if _PLAIN.match(text) and text.lower() not in ("null", "true", "false") else f'"{escaped}"'
