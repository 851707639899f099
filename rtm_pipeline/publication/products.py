"""All files of a release, in the order in which they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtm_pipeline import __version__
from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.picture import Picture, draw_picture
from rtm_pipeline.publication.raster import RasterBand, to_raster, write_cog
from rtm_pipeline.publication.release import write_json

__all__ = ["DISCLAIMER", "ingest_json", "write_release"]

DISCLAIMER = (
    "Rates places, not persons. For prevention work on places; not for decisions about individuals, for enforcement "
    "against residents, or as evidence against anyone."
)


def write_release(content: ReleaseContent, folder: Path) -> None:
    """Write every product but the manifest."""
    public, restricted = folder / "public", folder / "restricted"
    public.mkdir()
    restricted.mkdir()
    write_json(folder / "model.json", model_json(content))
    write_json(folder / "ingest.json", ingest_json(content))
    write_cog(
        public / "risk_terrain.tif",
        to_raster(content.grid, content.terrain.rrs),
        content.grid.spec,
        RasterBand("Relative risk score of the risk terrain", "relative risk score", raster_tags(content)),
    )
    draw_map(content, public / "map.png")


def model_json(content: ReleaseContent) -> dict[str, Any]:
    """The fitted model, as plain values."""
    from rtm_pipeline.model.report import model_report

    return dict(model_report(content.terrain.fit))


def ingest_json(content: ReleaseContent) -> dict[str, Any]:
    """What was read and what became of every row."""
    return {
        "sources": {
            name: {"read": snapshot.rows, "digest": snapshot.digest, "fetched_at": str(snapshot.fetched_at)}
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


def raster_tags(content: ReleaseContent) -> dict[str, str]:
    """What every raster says of itself."""
    return {
        "RUN_ID": content.run_id,
        "MODEL_VERSION": __version__,
        "CITY": content.label,
        "AS_OF": content.as_of.isoformat(),
        "OUTCOME_WINDOW": str(content.vintage.outcome),
        "FACTORS_KNOWN_AT": content.vintage.known_at.isoformat(),
        "CELL_SIZE_M": f"{content.grid.spec.cell_size_m:.6g}",
        "SOURCES_SHA256": " ".join(f"{name}:{s.digest[:16]}" for name, s in sorted(content.snapshots.items())),
        "TIFFTAG_COPYRIGHT": "; ".join(credit.attribution for credit in content.credits if credit.attribution),
        "DISCLAIMER": DISCLAIMER,
    }


def draw_map(content: ReleaseContent, path: Path) -> None:
    """The picture of the risk terrain."""
    from rtm_pipeline.surface.tiers import TIERS

    window = content.vintage.outcome
    outcome = content.labels.get(content.outcome, content.outcome)
    draw_picture(
        path,
        content.grid,
        content.tiers["risk_terrain"],
        [tier.label for tier in TIERS],
        [tier.color for tier in TIERS],
        content.area,
        Picture(
            title=f"Risk terrain of {content.label}",
            subtitle=f"{outcome.capitalize()}, {window.start} to {window.end}; as of {content.as_of}",
            note=f"{DISCLAIMER}  Run {content.run_id}.",
        ),
    )
