"""Everything that the products of a release are made from. Values in, files out: no product looks anything up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.health import HealthFinding
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.sources.snapshots.snapshot import Snapshot
from rtm_pipeline.units import Duration, Vintage, Window

if TYPE_CHECKING:
    import pyarrow as pa

    from rtm_pipeline.factors import Factor
    from rtm_pipeline.publication.change import Change
    from rtm_pipeline.surface.forecast import Forecast
    from rtm_pipeline.surface.vintage import RiskTerrain

__all__ = [
    "FORECAST",
    "PUBLIC",
    "RESTRICTED",
    "RISK_TERRAIN",
    "AreaPolygons",
    "ComparedRelease",
    "ReleaseContent",
    "SourceCredit",
]

PUBLIC = "public"
RESTRICTED = "restricted"
RISK_TERRAIN = "risk_terrain"
FORECAST = "forecast"


@dataclass(frozen=True, slots=True)
class SourceCredit:
    """Whom a source is owed to, and its terms.

    Attributes
    ----------
    source : str
        Slug of the source.
    attribution, terms_url : str or None
        As the provider words them.
    license : str or None
        SPDX identifier or name of the license.
    disclaimer : str or None
        What the provider asks to be said wherever its data are shown.
    editions : tuple of str
        Which editions its terms allow to carry it, or what is derived from it.
    """

    source: str
    attribution: str | None = None
    terms_url: str | None = None
    license: str | None = None
    disclaimer: str | None = None
    editions: tuple[str, ...] = (PUBLIC, RESTRICTED)


@dataclass(frozen=True, slots=True, eq=False)
class AreaPolygons:
    """The polygons of neighborhoods or council districts.

    Attributes
    ----------
    level : str
        ``neighborhood`` or ``district``.
    names : tuple of str, length a
        As in the column ``area`` of the table ``neighborhoods``.
    polygons : ndarray of object, shape (a,)
        shapely polygons or multipolygons in the CRS of the grid.
    layer : str, optional
        The areas layer that they come from.
    """

    level: str
    names: tuple[str, ...]
    polygons: NDArray[np.object_]
    layer: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRelease:
    """The release that tonight's is compared with, as `rtm_pipeline.publication.release.earlier` reads it.

    Attributes
    ----------
    run_id : str
    as_of : date
    surface : str
        ``forecast`` or ``risk_terrain``.
    values : ndarray of float64, shape (n_cells,)
        That surface on tonight's cells; NaN where the other release has none.
    """

    run_id: str
    as_of: date
    surface: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReleaseContent:
    """One night, as values.

    Attributes
    ----------
    city, label : str
        Slug and name for people.
    run_id : str
    as_of : date
    vintage : Vintage
        Outcome window of the model, and when its factors were known.
    judged : Window
        What the backtest is scored on.
    horizon : Duration
        Of the forecast.
    outcome : str
        Layer that is explained; ``unit`` is what of it is counted.
    grid : StudyGrid
    area : shapely polygon
        Study area in the CRS of the grid.
    terrain : RiskTerrain
    tiers : mapping of str to ndarray of uint8, shape (n_cells,)
        Surface (``risk_terrain``, ``forecast``) -> tier of each cell, 1 (highest) to 5; 0 where there is none.
    factors : mapping of str to Factor
        As applied.
    left_out : tuple of mapping
        ``{factor, reason}`` of factors that the model could not use.
    layers : mapping of str to LayerResult
    snapshots : mapping of str to Snapshot
        By source.
    labels : mapping of str to str
        Names for people of layers and factors.
    credits : tuple of SourceCredit
    timezone : str
        IANA name of the city's time zone; dates are local.
    layer_sources : mapping of str to str
        Layer -> source: what decides which edition may carry what is derived from it.
    forecast : Forecast, optional
    compared : ComparedRelease, optional
        None: there is no earlier release that fits.
    statements : mapping of str to str
        Surface -> what its accuracy is, in a sentence; stands in metadata, legends and reports wherever the surface
        does. A surface that does not beat the best baseline says so here.
    accuracy : mapping, optional
        Content of ``accuracy.json``, as plain values.
    tables : mapping of str to pyarrow.Table
        By the names of `rtm_pipeline.priorities.columns.TABLES` (``priority_lots``, ``priority_buildings``,
        ``neighborhoods``, ``grants``, ``zones``, ``frontier``), plus ``evidence_311`` and others without a place.
        Fields carry ``description`` and ``unit`` in their metadata. Only what exists is written.
    areas : mapping of str to AreaPolygons
        By level, for the rows of ``neighborhoods``.
    all_factor_bands : bool
        Whether factor rasters carry every density that was kept, not only the selected one.
    programs : mapping, optional
        Content of ``restricted/programs.json``, as plain values; None where no programs are configured.
    evaluation, priorities : object, optional
        What the later steps of the night made, for reports.
    contact : str or None
        Whom a reader tells of an error.
    changes : tuple of Change
        What is different from earlier releases, the nearest first.
    missing : mapping of str to str
        Part of the reports (``changes``, ``accuracy``, ``priority_lots``, ``neighborhoods``, ...) -> why it is not
        there.
    findings : tuple of str
        What the diagnostics found (calibration by area, sensitivity, reporting), in sentences that any edition may say.
    origin_reasons : mapping of str to str
        Layer that police activity made -> the written reason why it is used all the same.
    sexual : str or None
        How sexual offenses are told apart in the outcome: the name of a flag of its layer, ``none`` (there are none),
        or None (nobody said, so categories decide; see `rtm_pipeline.publication.editions.sexual_offenses`).
    health : tuple of HealthFinding
        What is doubted of the sources tonight, stand-ins of sources that could not be read included.
    """

    city: str
    label: str
    run_id: str
    as_of: date
    vintage: Vintage
    judged: Window
    horizon: Duration
    outcome: str
    unit: str
    grid: StudyGrid
    area: Any
    terrain: RiskTerrain
    tiers: Mapping[str, NDArray[np.uint8]]
    factors: Mapping[str, Factor]
    left_out: tuple[Mapping[str, str], ...]
    layers: Mapping[str, LayerResult]
    snapshots: Mapping[str, Snapshot]
    labels: Mapping[str, str]
    credits: tuple[SourceCredit, ...] = ()
    timezone: str = "UTC"
    layer_sources: Mapping[str, str] = field(default_factory=dict)
    forecast: Forecast | None = None
    compared: ComparedRelease | None = None
    statements: Mapping[str, str] = field(default_factory=dict)
    accuracy: Mapping[str, Any] | None = None
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    areas: Mapping[str, AreaPolygons] = field(default_factory=dict)
    all_factor_bands: bool = False
    evaluation: Any = None
    priorities: Any = None
    programs: Mapping[str, Any] | None = None
    contact: str | None = None
    changes: tuple[Change, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    origin_reasons: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    sexual: str | None = None
    health: tuple[HealthFinding, ...] = ()

    def name_of(self, layer_or_factor: str) -> str:
        """Its name for people."""
        return self.labels.get(layer_or_factor, layer_or_factor.replace("_", " "))
