"""All files of a release, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rtm_pipeline.publication.catalog.project_layers import explanation_layer, project_groups
from rtm_pipeline.publication.catalog.qgis_project import ProjectLayer, write_project
from rtm_pipeline.publication.catalog.stac import write_catalog, write_public_manifest
from rtm_pipeline.publication.content import PUBLIC, RESTRICTED, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.editions.suppression import public_neighborhoods
from rtm_pipeline.publication.facts.night import facts_of
from rtm_pipeline.publication.model_card.document import model_card
from rtm_pipeline.publication.provenance import DISCLAIMER, barred_sources, sources_text
from rtm_pipeline.publication.rasters.explanations import explanations_of, write_explanation
from rtm_pipeline.publication.rasters.picture import Picture, draw_picture
from rtm_pipeline.publication.rasters.surfaces import Surface, surfaces_of, write_surface
from rtm_pipeline.publication.release.store import write_json
from rtm_pipeline.publication.reports import write_reports
from rtm_pipeline.publication.vectors.delimited import write_csv
from rtm_pipeline.publication.vectors.feature_tables import (
    FeatureTable,
    area_table,
    data_dictionary,
    feature_tables,
    run_metadata,
    study_area_table,
)
from rtm_pipeline.publication.vectors.geopackage import write_geopackage
from rtm_pipeline.publication.vectors.parquet import quarantine_table, write_parquet, write_plain_parquet
from rtm_pipeline.publication.vectors.work_orders import work_orders

__all__ = ["DISCLAIMER", "ingest_json", "write_release"]


def write_release(content: ReleaseContent, folder: Path) -> None:
    """Write every product but the manifest of the whole.

    Each edition is complete by itself. The catalog and the manifest of the public edition list its files, so they
    come last.

    Parameters
    ----------
    content : ReleaseContent
    folder : Path
        Exists and is empty.

    Raises
    ------
    PublishError
        A product could not be written.
    """
    public, restricted = folder / PUBLIC, folder / RESTRICTED
    public.mkdir()
    restricted.mkdir()
    write_facts(content, folder)
    shown = write_surfaces(content, public, PUBLIC)
    write_neighborhoods(content, public)
    draw_map(content, public / "map.png")
    surfaces = write_surfaces(content, restricted, RESTRICTED)
    explanations = write_explanations(content, restricted)
    tables = write_tables(content, restricted)
    write_project(
        restricted / "rtm.qgz",
        f"{content.label}, as of {content.as_of}",
        project_groups(content, tables, surfaces, explanations),
        content.grid.spec,
    )
    for edition in (PUBLIC, RESTRICTED):
        (folder / edition / "SOURCES.txt").write_text(sources_text(content, edition), encoding="utf-8")
    facts = {edition: facts_of(content, edition) for edition in (PUBLIC, RESTRICTED)}
    card = model_card(content, facts[PUBLIC])
    for target in (folder, public):
        (target / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    write_reports(content, folder, facts)
    write_catalog(content, public, shown)
    write_public_manifest(content, public)


def write_facts(content: ReleaseContent, folder: Path) -> None:
    """The release's numbers for programs: ``model.json``, ``ingest.json`` and, once judged, ``accuracy.json``."""
    from rtm_pipeline.model.report import model_report

    write_json(folder / "model.json", model_report(content.terrain.fit))
    write_json(folder / "ingest.json", ingest_json(content))
    if content.accuracy is not None:
        write_json(folder / "accuracy.json", dict(content.accuracy))


def write_surfaces(content: ReleaseContent, folder: Path, edition: str) -> tuple[Surface, ...]:
    """The rasters of an edition."""
    surfaces = surfaces_of(content, edition)
    for surface in surfaces:
        write_surface(content, surface, folder)
    return surfaces


def write_explanations(content: ReleaseContent, folder: Path) -> list[ProjectLayer]:
    """``contributions/`` and ``factors/``; gives back what the project shows of them."""
    layers = []
    for explanation in explanations_of(content):
        write_explanation(content, explanation, folder)
        layers.append(explanation_layer(explanation))
    return layers


def write_tables(content: ReleaseContent, folder: Path) -> Sequence[FeatureTable]:
    """GeoPackage, Parquet and CSV of the restricted edition; gives back what the GeoPackage has."""
    found = feature_tables(content)
    tables = (*found, data_dictionary(found))
    write_geopackage(folder / "priorities.gpkg", tables, crs=content.grid.spec.crs, as_of=content.as_of)
    for item in tables:
        write_parquet(folder / f"{item.name}.parquet", item, crs=content.grid.spec.crs)
    written = {item.name for item in tables}
    for name, table in content.tables.items():
        if name not in written and name != "zones":
            write_plain_parquet(folder / f"{name}.parquet", table)
            write_csv(folder / f"{name}.csv", table)
    orders = work_orders(content)
    if orders is not None:
        write_csv(folder / "work_orders.csv", orders)
    if content.programs is not None:
        write_json(folder / "programs.json", dict(content.programs))
    quarantine = quarantine_table(content)
    if quarantine is not None:
        write_plain_parquet(folder / "quarantine.parquet", quarantine)
    return tables


def write_neighborhoods(content: ReleaseContent, folder: Path) -> None:
    """``public/neighborhoods.gpkg``: aggregates that tell nothing of a small place."""
    polygons = content.areas.get("neighborhood")
    own = [polygons.layer] if polygons is not None and polygons.layer is not None else []
    if "neighborhoods" not in content.tables or barred_sources(content, PUBLIC, own):
        return
    rows = public_neighborhoods(content)
    if rows.num_rows == 0:  # a city may have districts only
        return
    tables = (
        area_table(content, "neighborhood", "neighborhoods", rows),
        study_area_table(content),
        run_metadata(content),
    )
    write_geopackage(
        folder / "neighborhoods.gpkg", tables, crs=content.grid.spec.crs, as_of=content.as_of, edition=PUBLIC
    )


def ingest_json(content: ReleaseContent) -> dict[str, Any]:
    """What was read and what became of every row."""
    return {
        "sources": {
            name: {
                "read": snapshot.rows,
                "digest": snapshot.digest,
                "fetched_at": str(snapshot.fetched_at),
                "stands_in": snapshot.stands_in,
                "health": [finding.to_json() for finding in content.health if finding.source == name],
            }
            for name, snapshot in content.snapshots.items()
        },
        "layers": {
            name: {
                "read": result.counts.read,
                "kept": result.counts.kept,
                "filtered": result.counts.filtered,
                "filtered_by": dict(result.counts.filtered_by),
                "duplicate": result.counts.duplicate,
                "quarantined": dict(result.counts.quarantined),
            }
            for name, result in content.layers.items()
        },
    }


def draw_map(content: ReleaseContent, path: Path) -> None:
    """The picture of the risk terrain; none where the terms of a source keep it from the public edition."""
    from rtm_pipeline.surface.tiers import TIERS

    if not any(surface.spec.name == RISK_TERRAIN for surface in surfaces_of(content, PUBLIC)):
        return
    window = content.vintage.outcome
    outcome = content.name_of(content.outcome)
    draw_picture(
        path,
        content.grid,
        content.tiers[RISK_TERRAIN],
        [tier.label for tier in TIERS],
        [tier.color for tier in TIERS],
        content.area,
        Picture(
            title=f"Risk terrain of {content.label}",
            subtitle=f"{outcome.capitalize()}, {window.start} to {window.end}; as of {content.as_of}",
            note=f"{DISCLAIMER}  Run {content.run_id}.",
        ),
    )
