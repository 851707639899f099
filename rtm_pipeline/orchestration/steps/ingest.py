"""Steps that bring rows in: one snapshot a source, the study area with its grid, one layer a layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from rtm_pipeline.config.city import COVERS_AREA, City, Selection
from rtm_pipeline.errors import SchemaError
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.health_facts import vocabulary_of
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.spec import LayerSpec
from rtm_pipeline.orchestration.metadata import counts_table, markdown_picture, note_value
from rtm_pipeline.orchestration.snapshots import READ, take_snapshot
from rtm_pipeline.orchestration.step import Check, CheckReport, Step, StepContext, StepResult
from rtm_pipeline.orchestration.values import Place, Rows
from rtm_pipeline.sources.snapshots.snapshot import Snapshot, SnapshotStore
from rtm_pipeline.sources.spec import Source, host_of

if TYPE_CHECKING:
    from rtm_pipeline.grid.spec import StudyGrid

__all__ = [
    "PLACE",
    "frame_of",
    "ingest_steps",
    "layer_step",
    "place_of",
    "read_layer",
    "snapshot_step",
]

PLACE = "study_area"
VOCABULARY = "vocabulary"
PLAUSIBLE_M = 60_000.0  # farther than this from the study area's bounding box is an error, not a place next door


def snapshot_step(source: str) -> str:
    """Name of a source's step."""
    return f"{source}_snapshot"


def layer_step(layer: str) -> str:
    """Name of a layer's step."""
    return f"{layer}_layer"


def plausible_u(city: City) -> float:
    """Distance from the study area beyond which coordinates are taken for wrong, CRS units."""
    return max(PLAUSIBLE_M / city.area.unit_m, 2 * city.area.buffer_u)


def ingest_steps(city: City) -> list[Step]:
    """Snapshots of all sources that anything draws on, the study area, all layers."""
    return [
        *(_snapshot(city, name) for name in city.used_sources),
        _place(city),
        *(_layer(spec) for spec in city.layers.values()),
    ]


def _pool(source: Source) -> str | None:
    """One pool a portal: an installation limits there how many runs ask it at once."""
    host = host_of(source)
    return f"portal_{re.sub('[^A-Za-z0-9]', '_', host)}" if host else None


def _snapshot(city: City, name: str) -> Step:
    def reads(city: City, _: Any) -> Any:
        return [city.sources[name], city.columns[name], name in city.native_geometry]

    return Step(
        name=snapshot_step(name),
        inputs=(),
        reads=reads,
        run=lambda context, _: take_snapshot(context, name),
        checks={READ: Check("The source was read tonight; no older snapshot stands in for it.", blocking=False)},
        group="sources",
        live=True,
        pool=_pool(city.sources[name]),
        kinds=("parquet",),
        description=f"The declared columns of the source '{name}', as they were when it was read. Immutable.",
    )


def _place(city: City) -> Step:
    def reads(city: City, _: Any) -> Any:
        area = city.area
        grid = [area.cell_size_u, area.offset_x_u, area.offset_y_u]
        return [area.polygons, area.exclude, area.crs, *grid, area.reach]

    return Step(
        name=PLACE,
        inputs=tuple(snapshot_step(source) for source in city.area_sources),
        reads=reads,
        run=lambda context, inputs: _make_place(context, inputs),
        group="grid",
        kinds=("shapely",),
        description="The study area and the cells of the grid that meet it, each with its exact share of area inside.",
    )


def _make_place(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    place = place_of(context.city, {name: stored_rows(context, inputs, name) for name in context.city.area_sources})
    grid = place.grid
    square_miles = float(grid.exposure.sum()) * (grid.spec.cell_size_m / 1609.344) ** 2
    return StepResult(
        place,
        {
            "cells": grid.n_cells,
            "cell size (m)": round(grid.spec.cell_size_m, 3),
            "area (square miles)": round(square_miles, 3),
            "crs": grid.spec.crs,
            "cells cut by the border": int((grid.exposure < 1).sum()),
            "map": markdown_picture(grid, grid.exposure),
        },
    )


def stored_rows(context: StepContext, inputs: Mapping[str, Any], source: str) -> Rows:
    """The rows of a snapshot among the inputs."""
    snapshot: Snapshot = inputs[snapshot_step(source)]
    table = SnapshotStore(context.output / "snapshots").table(snapshot)
    # The first reading of this content, so that the same digest gives the same layers on whatever day it is read again.
    return Rows(table, snapshot.crs, datetime.fromisoformat(snapshot.first_fetched_at))


def place_of(city: City, rows: Mapping[str, Rows]) -> Place:
    """Study area and grid from the rows of their sources."""
    from rtm_pipeline.grid.area import study_area, study_grid

    spec = city.area
    shapes, crs = polygons(spec.polygons, rows[spec.polygons.source], where="area.source")
    area = study_area(shapes, crs, spec.crs)
    excluded = []
    for index, selection in enumerate(spec.exclude):
        shapes, crs = polygons(selection, rows[selection.source], where=f"area.exclude.{index}")
        excluded.append(study_area(shapes, crs, spec.crs))
    grid = study_grid(
        area,
        crs=spec.crs,
        cell_size_u=spec.cell_size_u,
        exclude=excluded,
        offset_x_u=spec.offset_x_u,
        offset_y_u=spec.offset_y_u,
    )
    return Place(area, grid, _reach(city, area, rows), tuple(excluded))


def _reach(city: City, area: Any, rows: Mapping[str, Rows]) -> Any:
    """The polygon that the files cover; None where they reach beyond."""
    from rtm_pipeline.grid.area import study_area

    if city.area.reach in (None, COVERS_AREA):
        return area if city.area.reach else None
    shapes, crs = polygons(Selection(city.area.reach, None), rows[city.area.reach], where="area.reach")
    return study_area(shapes, crs, city.area.crs)


def polygons(selection: Selection, rows: Rows, *, where: str) -> tuple[Any, str]:
    """WKB of the selected rows, and their CRS.

    Raises
    ------
    SchemaError
        No row is left, or the source has no geometry.
    """
    from rtm_pipeline.layers.columns import TextColumns
    from rtm_pipeline.layers.filters import passes

    table = rows.table
    if selection.where is not None:
        table = table.filter(passes(selection.where, TextColumns(table)))
    if table.num_rows == 0 or rows.crs is None:
        raise SchemaError(
            f"{where}: of the {rows.table.num_rows} rows of source '{selection.source}' none with geometry serves as "
            "study area. Check the file and the filter."
        )
    return table.column("geometry"), rows.crs


def read_layer(city: City, name: str, rows: Rows, place: Place, covering: Rows | None) -> LayerResult:
    """One layer out of the rows of its source.

    Parameters
    ----------
    covering : Rows, optional
        Rows of the source that covers the layer, where one is declared.
    """
    from rtm_pipeline.grid.area import study_area
    from rtm_pipeline.layers.build import build_layer

    spec = city.layers[name]
    coverage = place.area if spec.coverage == COVERS_AREA else None
    if covering is not None:
        shapes, crs = polygons(Selection(str(spec.coverage)), covering, where=f"layers.{name}.coverage")
        coverage = study_area(shapes, crs, city.area.crs)
    return build_layer(
        spec,
        rows.table,
        frame_of(city, place),
        source_crs=rows.crs,
        fetched_at=rows.fetched_at,
        coverage=coverage,
    )


def frame_of(city: City, place: Place) -> Frame:
    """What layers are read against."""
    return Frame(
        crs=city.area.crs,
        unit_m=city.area.unit_m,
        area=place.area,
        buffer_u=city.area.buffer_u,
        plausible_u=plausible_u(city),
        timezone=city.timezone,
    )


def _layer(spec: LayerSpec) -> Step:
    name = spec.name
    coverage = spec.coverage if spec.coverage != COVERS_AREA else None

    def reads(city: City, _: Any) -> Any:
        return [city.layers[name], city.area.unit_m, city.area.buffer_u, city.timezone]

    return Step(
        name=layer_step(name),
        inputs=(snapshot_step(spec.source), PLACE, *([snapshot_step(coverage)] if coverage else [])),
        reads=reads,
        run=lambda context, inputs: _make_layer(context, name, inputs),
        group="layers",
        kinds=("arrow",),
        description=f"{spec.kind.capitalize()} of '{name}', cleaned; every row is kept, filtered, a duplicate or in "
        "quarantine with its reason.",
        checks={
            "rows_accounted_for": Check("read == kept + filtered + duplicate + quarantined"),
            "not_nearly_all_lost": Check("No more than four fifths of the rows that matter are in quarantine."),
            "mostly_usable": Check("At most a third of the rows that matter are in quarantine.", blocking=False),
        },
    )


def _layer_picture(grid: StudyGrid, result: LayerResult) -> Any:
    """Where the kept rows lie: rows a cell, brighter where there are more."""
    from rtm_pipeline.grid.locate import count

    return markdown_picture(grid, np.sqrt(count(grid, result.layer.x, result.layer.y)))


def _make_layer(context: StepContext, name: str, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.layers.unread import unread_words

    city = context.city
    spec = city.layers[name]
    covering = stored_rows(context, inputs, spec.coverage) if spec.coverage not in (None, COVERS_AREA) else None
    rows = stored_rows(context, inputs, spec.source)
    result = read_layer(city, name, rows, inputs[PLACE], covering)
    result = replace(result, notes={**result.notes, VOCABULARY: vocabulary_of(spec, rows.table)})
    unread = unread_words(spec, result.notes)
    counts = result.counts
    quarantined = sum(counts.quarantined.values())
    total = counts.kept + counts.filtered + counts.duplicate + quarantined
    usable = counts.kept + counts.duplicate
    return StepResult(
        result,
        {
            "read": counts.read,
            "kept": counts.kept,
            "rows": counts_table(counts),
            "map": _layer_picture(inputs[PLACE].grid, result),
            **{key: note_value(value) for key, value in result.notes.items() if key != VOCABULARY},
            **({"to mend": " ".join(unread)} if unread else {}),
        },
        (
            CheckReport(
                "rows_accounted_for",
                total == counts.read,
                f"{counts.read:,} rows read, {total:,} accounted for.",
            ),
            CheckReport(
                "not_nearly_all_lost",
                quarantined <= 4 * usable,
                f"layer {name}: {quarantined:,} rows are in quarantine and only {usable:,} are usable. Most likely the "
                "CRS, a column or a date format of the layer is wrong; `rtm check --sources` tells the reasons.",
            ),
            CheckReport(
                "mostly_usable",
                quarantined * 2 <= usable or quarantined == 0,
                f"{quarantined:,} rows in quarantine beside {usable:,} usable ones. Look at the reasons; the "
                "source may have changed its columns, codes or coordinates.",
            ),
        ),
    )
