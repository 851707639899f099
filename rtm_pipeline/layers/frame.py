"""What a layer is read against: the city's CRS, its study area, and how far from it a row may lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import shapely
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError, GridError

__all__ = ["Frame"]


@dataclass(frozen=True, slots=True)
class Frame:
    """The place and the clock of a city.

    Attributes
    ----------
    crs : str
        The city's CRS, an authority code of a projected CRS such as ``ESRI:102696``.
    unit_m : float
        Meters in one CRS unit.
    area : shapely.Polygon or shapely.MultiPolygon
        The study area in the city's CRS, valid and not empty.
    buffer_u : float
        The largest spatial influence, CRS units: what lies within it of the study area is kept.
    plausible_u : float
        What lies farther than this (CRS units) from the study area's bounding box is an error of coordinates, not a
        place next door: it is quarantined, while rows between are filtered.
    timezone : str
        IANA name of the city's time zone.

    Raises
    ------
    GridError
        If the study area is no valid polygon or a length is out of range.
    ConfigError
        If the time zone is unknown.
    """

    crs: str
    unit_m: float
    area: shapely.Polygon | shapely.MultiPolygon
    buffer_u: float
    plausible_u: float
    timezone: str
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_area(self.area)
        if not (np.isfinite(self.unit_m) and self.unit_m > 0):
            raise GridError(f"The unit of the CRS {self.crs} must be a positive number of meters; found {self.unit_m}.")
        if not (0 <= self.buffer_u <= self.plausible_u < np.inf):
            raise GridError(
                "The buffer around the study area must be at least 0 and at most the distance within which places are "
                f"plausible; found {self.buffer_u:g} and {self.plausible_u:g} CRS units."
            )
        try:
            object.__setattr__(self, "_zone", ZoneInfo(self.timezone))
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(
                f"timezone: {self.timezone!r} is not a known time zone. Use an IANA name such as America/Chicago."
            ) from error
        shapely.prepare(self.area)

    @property
    def plausible_box(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of the study area's bounding box widened by ``plausible_u``, CRS units."""
        west, south, east, north = self.area.bounds
        reach = self.plausible_u
        return west - reach, south - reach, east + reach, north + reach

    def local_date(self, moment: datetime) -> date:
        """The city's calendar date at a moment; a moment without a zone is taken as UTC."""
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return aware.astimezone(self._zone).date()

    def inside(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (n,), CRS units, lie in the study area, its edge included; NaN lies nowhere."""
        inside: NDArray[np.bool_] = shapely.intersects_xy(self.area, x, y)
        return inside

    def near(self, x: NDArray[np.float64], y: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which points (n,), CRS units, lie within ``buffer_u`` of the study area, those ``inside`` it among them."""
        near = inside.copy()
        if self.buffer_u > 0:
            west, south, east, north = self.area.bounds
            reach = self.buffer_u
            within_box = (x >= west - reach) & (x <= east + reach) & (y >= south - reach) & (y <= north + reach)
            rest = np.flatnonzero(within_box & ~near)
            near[rest] = shapely.dwithin(self.area, shapely.points(x[rest], y[rest]), reach)
        return near


def _check_area(area: object) -> None:
    if not isinstance(area, (shapely.Polygon, shapely.MultiPolygon)):
        raise GridError(f"The study area must be a polygon; found {type(area).__name__}.")
    if area.is_empty:
        raise GridError("The study area is empty. Check the boundary file and its CRS.")
    if not area.is_valid or not area.area > 0:
        raise GridError(f"The study area is not a valid polygon: {shapely.is_valid_reason(area)}. Repair the boundary.")
