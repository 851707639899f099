"""How to read a layer out of a source: place, dates, identity, meaning; declared, not coded.

Column names here are names of the snapshot (alternatives for headers are a matter of the source).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.conditions import Filter
from rtm_pipeline.units import Duration

__all__ = [
    "Categories",
    "DateSpec",
    "DefaultGeocode",
    "GeometrySpec",
    "History",
    "KnownAt",
    "LayerSpec",
    "Reversal",
]

KINDS = ("events", "sites", "requests", "areas")
GEOMETRY_COLUMNS = {"xy": 2, "latlon": 2, "wkt": 1, "geojson": 1, "location": 1, "native": 0}
PERIODS = ("day", "month", "year")
OTHERS = ("filtered", "other", "quarantined")
HISTORIES = ("recorded", "assumed")


def _one_of(what: str, found: str, allowed: Collection[str]) -> None:
    if found not in allowed:
        raise ConfigError(f"{what} is {found!r}; allowed: {', '.join(allowed)}.")


@dataclass(frozen=True, slots=True)
class GeometrySpec:
    """Where the place of a row stands.

    Attributes
    ----------
    kind : str
        ``xy`` (two number columns in ``crs``), ``latlon`` (two number columns, degrees), ``wkt`` (text column in
        ``crs``), ``geojson`` (text column holding a GeoJSON geometry), ``location`` (Socrata location object: JSON or
        Python-repr text with latitude/longitude keys, or a GeoJSON point) or ``native`` (the geometry of a vector
        file).
    columns : tuple of str
        (x, y), (lat, lon) or one column; empty for ``native``.
    crs : str, optional
        CRS of the numbers; ``latlon``, ``geojson`` and ``location`` are EPSG:4326; ``native`` uses the file's.
    missing : tuple of tuple of float
        Coordinate pairs that mean "no place", such as (0, 0), which always counts: (lat, lon) for ``latlon``,
        ``geojson`` and ``location``, else (x, y).
    alternatives : tuple of GeometrySpec
        Other columns that tell the point of a row that has no readable one here, tried in this order; for sources
        whose years give places in different ways. Points only.
    """

    kind: str
    columns: tuple[str, ...] = ()
    crs: str | None = None
    missing: tuple[tuple[float, float], ...] = ()
    alternatives: tuple[GeometrySpec, ...] = ()

    def __post_init__(self) -> None:
        if self.alternatives and "native" in (self.kind, *(other.kind for other in self.alternatives)):
            raise ConfigError("A native geometry has no alternatives: a file has one geometry.")
        _one_of("The kind of a geometry", self.kind, GEOMETRY_COLUMNS)
        needed = GEOMETRY_COLUMNS[self.kind]
        if len(self.columns) != needed:
            raise ConfigError(
                f"A geometry of kind {self.kind!r} needs {needed} column(s); found {len(self.columns)}: "
                f"{', '.join(self.columns) or 'none'}."
            )

    @property
    def latitude_first(self) -> bool:
        """Whether people write the raw pair as (lat, lon), not as (x, y)."""
        return self.kind in ("latlon", "geojson", "location")


@dataclass(frozen=True, slots=True)
class DateSpec:
    """When a thing happened (local). ``formats`` are strptime patterns, ``iso``, ``epoch_ms`` or ``epoch_s``; the
    first that fits a value wins. Text with an offset or ``Z`` is an instant and becomes local time; where a portal
    writes ``Z`` behind local times, a pattern with a plain ``Z`` (``%Y-%m-%dT%H:%M:%SZ``) reads them as they are.

    ``hour`` names a column with the hour of the day where the date column has none: a number from 0 to 23 or a time
    of day (``13:05``, ``01:05 PM``, ``1305``). ``required`` quarantines rows without a usable date; a date after the
    snapshot was fetched, or before ``earliest`` (1900-01-02 unless given: a day before that stands for "unknown" in
    many systems), is quarantined too. As ``until`` a missing date means that the thing still stands.
    """

    column: str
    formats: tuple[str, ...] = ("iso",)
    hour: str | None = None
    earliest: date | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class KnownAt:
    """From when on a row could be known. Exactly one of ``column`` and ``fixed``, or neither (then: the date itself).

    A period is known at its end: a day at the midnight that ends it, a month (``period="month"``) at the first
    instant of the next month. Cut-offs are midnights, so that a row dated on the day of a cut-off is never known at
    it. ``delay`` is added to the date where no column says when a row was published. A row is never known before it
    happened.
    """

    column: str | None = None
    formats: tuple[str, ...] = ("iso",)
    period: str = "day"
    fixed: date | None = None
    delay: Duration | None = None

    def __post_init__(self) -> None:
        if self.column is not None and self.fixed is not None:
            raise ConfigError("known_at takes a column or a fixed date, not both.")
        if self.delay is not None and (self.column is not None or self.fixed is not None):
            raise ConfigError(
                "known_at.delay is added to the date of a row; it goes with neither a column nor a fixed date."
            )
        _one_of("known_at.period", self.period, PERIODS)


@dataclass(frozen=True, slots=True)
class History:
    """Whether past states of the layer are recorded, or only assumed from a later snapshot (then with a reason)."""

    kind: str = "recorded"
    reason: str | None = None

    def __post_init__(self) -> None:
        _one_of("history", self.kind, HISTORIES)
        if self.kind == "assumed" and not self.reason:
            raise ConfigError("history: assumed needs a reason; it stands on the model card.")


@dataclass(frozen=True, slots=True)
class Reversal:
    """Rows that take another row back: those where ``column`` equals ``value`` net one row with equal ``match``.

    A reversal nets the latest-known row that was known when the reversal was: it can't take back what did not exist.
    """

    column: str
    value: str
    match: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.match:
            raise ConfigError(
                f"A reversal by column {self.column!r} needs match: the columns that identify the row it nets."
            )


@dataclass(frozen=True, slots=True)
class Categories:
    """A vocabulary: raw values -> canonical categories, as spelled in any year.

    Attributes
    ----------
    columns : tuple of str
        Columns whose values are joined with `` / `` before they are looked up (often one); missing ones are left out.
    names : mapping of str to tuple of str
        Canonical category -> raw values. A value that ends in ``*`` is a prefix: an exact value goes before it, and a
        longer prefix before a shorter one. The order of the names is that of seriousness, where it matters.
    other : str
        What becomes of the rest: ``filtered`` (default), ``other`` (kept under that name) or ``quarantined``.
    pad : int, optional
        Fill each value with zeros on the left to this width first.
    """

    columns: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    other: str = "filtered"
    ignore_case: bool = True
    pad: int | None = None

    def __post_init__(self) -> None:
        _one_of("categories.other", self.other, OTHERS)
        if not self.columns or not self.names:
            raise ConfigError("categories needs at least one column and one name.")
        homes: dict[str, str] = {}
        for name, values in self.names.items():
            for value in values:
                raw = value.strip().casefold() if self.ignore_case else value.strip()
                if homes.setdefault(raw, name) != name:
                    raise ConfigError(f"categories: {value!r} stands under both {homes[raw]!r} and {name!r}.")


@dataclass(frozen=True, slots=True)
class DefaultGeocode:
    """A point on which a geocoder piles what it can't place; rows on it are quarantined.

    ``first`` and ``second`` are in the order and CRS of the layer's raw coordinates: (lat, lon) for ``latlon``,
    ``geojson`` and ``location``, else (x, y). ``tolerance`` is in their unit.
    """

    name: str
    first: float
    second: float
    tolerance: float = 1e-6


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One layer: which rows of a source, where, when, what.

    Attributes
    ----------
    kind : str
        ``events`` (dated happenings), ``sites`` (things that stand there), ``requests`` (311) or ``areas`` (polygons
        with a name).
    key : tuple of str
        Identity of a row; repeats are ``duplicate`` (the row that was known first stays). Empty: no row is a repeat.
        A row without any value in these columns is no repeat.
    incident : tuple of str
        What unit ``incident`` counts once; defaults to ``key``.
    until : DateSpec, optional
        When a site or request ceased (closed, demolished): it counts at t if known before and not ceased by then.
    keep : tuple of str
        Further declared columns carried along for products (address, status, parcel number).
    restricted : tuple of str
        Those of ``keep`` that only the restricted edition may show.
    coverage : str, optional
        Name of an areas source or a file; outside it the layer is unknown, not 0.
    """

    name: str
    source: str
    kind: str
    geometry: GeometrySpec
    date: DateSpec | None = None
    known_at: KnownAt = field(default_factory=KnownAt)
    until: DateSpec | None = None
    key: tuple[str, ...] = ()
    incident: tuple[str, ...] = ()
    where: Filter | None = None
    categories: Categories | None = None
    reversal: Reversal | None = None
    default_geocodes: tuple[DefaultGeocode, ...] = ()
    keep: tuple[str, ...] = ()
    restricted: tuple[str, ...] = ()
    origin: str = "registry"
    origin_reason: str | None = None
    history: History = field(default_factory=History)
    coverage: str | None = None
    may_be_empty: bool = False
    flags: Mapping[str, Filter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of(f"The kind of layer {self.name!r}", self.kind, KINDS)

    def columns(self) -> tuple[str, ...]:
        """Every snapshot column that this layer reads, each once, in a stable order."""
        found: list[str] = [name for way in (self.geometry, *self.geometry.alternatives) for name in way.columns]
        for dates in (self.date, self.until):
            if dates is not None:
                found += [dates.column, *([dates.hour] if dates.hour else [])]
        if self.known_at.column:
            found.append(self.known_at.column)
        found += [*self.key, *self.incident, *self.keep]
        for filters in (*([self.where] if self.where else []), *self.flags.values()):
            found += [condition.column for group in filters.groups for condition in group]
        if self.categories is not None:
            found += self.categories.columns
        if self.reversal is not None:
            found += [self.reversal.column, *self.reversal.match]
        return tuple(dict.fromkeys(found))
