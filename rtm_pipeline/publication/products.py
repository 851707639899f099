"""All files of a release, in the order in which they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rtm_pipeline.publication.content import PUBLIC, RESTRICTED, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.explanations import explanations_of, write_explanation
from rtm_pipeline.publication.picture import Picture, draw_picture
from rtm_pipeline.publication.provenance import DISCLAIMER
from rtm_pipeline.publication.release import write_json
from rtm_pipeline.publication.surfaces import surfaces_of, write_surface

__all__ = ["DISCLAIMER", "ingest_json", "write_release"]


def write_release(content: ReleaseContent, folder: Path) -> None:
    """Write every product but the manifest."""
    public, restricted = folder / PUBLIC, folder / RESTRICTED
    public.mkdir()
    restricted.mkdir()
    write_json(folder / "model.json", model_json(content))
    write_json(folder / "ingest.json", ingest_json(content))
    if content.accuracy is not None:
        write_json(folder / "accuracy.json", dict(content.accuracy))
    for edition in (PUBLIC, RESTRICTED):
        for surface in surfaces_of(content, edition):
            write_surface(content, surface, folder / edition)
    for explanation in explanations_of(content):
        write_explanation(content, explanation, restricted)
    draw_map(content, public / "map.png")


def model_json(content: ReleaseContent) -> dict[str, Any]:
    """The fitted model, as plain values."""
    from rtm_pipeline.model.report import model_report

    return model_report(content.terrain.fit)


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


def draw_map(content: ReleaseContent, path: Path) -> None:
    """The picture of the risk terrain."""
    from rtm_pipeline.surface.tiers import TIERS

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
