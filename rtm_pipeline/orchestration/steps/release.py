"""The last step: everything that people open, written aside, checked and made current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from rtm_pipeline.config.city import City
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.artifacts import code_digest
from rtm_pipeline.orchestration.metadata import markdown_picture, records_table
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.evaluation import EVALUATION, area_names
from rtm_pipeline.orchestration.steps.evidence import EVIDENCE, request_layers
from rtm_pipeline.orchestration.steps.evidence_products import evidence_facts, evidence_findings, evidence_table
from rtm_pipeline.orchestration.steps.factors import NIGHTLY, VINTAGES, factor_step
from rtm_pipeline.orchestration.steps.feedback_since import flagging_release, with_feedback
from rtm_pipeline.orchestration.steps.followup import HELPED, PLAN_SCORES
from rtm_pipeline.orchestration.steps.health import HEALTH
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step, snapshot_step
from rtm_pipeline.orchestration.steps.model import TERRAIN, pairs_of
from rtm_pipeline.orchestration.steps.priorities import PRIORITIES
from rtm_pipeline.orchestration.steps.program_release import (
    keep_history,
    program_facts,
    program_tables,
    register_digests,
)
from rtm_pipeline.orchestration.steps.registers import REGISTERS
from rtm_pipeline.orchestration.steps.release_content import compared_content, credits_of, missing_parts
from rtm_pipeline.orchestration.steps.sensitivity import SENSITIVITY
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.steps.zones import ZONES
from rtm_pipeline.orchestration.values import Place, RunVintages

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest import Backtest
    from rtm_pipeline.publication.release.store import Promoted

__all__ = ["RELEASE", "ReleaseFacts", "release_steps"]

RELEASE = "release"
NAMED_PACKAGES = (
    "rtm_pipeline",
    *("dagster", "geopandas", "numba", "numpy", "pandas", "pyarrow", "pyogrio", "rasterio", "scipy", "shapely"),
    "statsmodels",
)


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """Where the release lies, and whether it is current."""

    run_id: str
    path: str
    promoted: bool
    why_not: str | None
    reused: bool


def release_steps(city: City) -> list[Step]:
    """Publishing, after every check that may stop it."""
    inputs = (
        PLACE,
        HEALTH,
        VINTAGES,
        TERRAIN,
        FORECAST,
        EVALUATION,
        SENSITIVITY,
        *((EVIDENCE,) if request_layers(city) else ()),
        *((PRIORITIES, REGISTERS, PLAN_SCORES, HELPED) if city.programs else ()),
        *((ZONES,) if city.programs and city.programs.spec.zones else ()),
        *(layer_step(name) for name in city.layers),
        *(factor_step(name) for name in city.factors),
        *(snapshot_step(name) for name in city.used_sources),
    )

    def reads(city: City, as_of: date) -> Any:
        return [city, as_of]

    return [
        Step(
            name=RELEASE,
            inputs=inputs,
            reads=reads,
            run=_publish,
            group="publication",
            kinds=("geotiff",),
            description="The release: public and restricted editions, verified, then made current in one step.",
        )
    ]


def _publish(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    from rtm_pipeline.publication.products import write_release
    from rtm_pipeline.publication.release.store import ReleaseStore

    store = ReleaseStore(context.output / "releases", context.city.name)
    earlier = store.to_compare(context.as_of)
    flagging = flagging_release(store.promoted(), context.as_of)
    content = compared_content(content_of(context, inputs, earlier, flagging), store.folder, earlier)
    content = with_feedback(content, context, inputs, store.folder, flagging)
    facts = manifest_facts(context, content) | {"compared_with": [item.run_id for item in earlier]}
    release = store.publish(content.run_id, lambda folder: write_release(content, folder), facts)
    why_not = _why_not_promoted(context)
    promoted = why_not is None and store.promote(release, context.as_of, allow_earlier=context.settings.promote)
    if why_not is None and not promoted:
        why_not = "a release with a later as_of is current"
    kept = keep_history(context, inputs, release.run_id, release.path, current=promoted)
    return StepResult(
        ReleaseFacts(release.run_id, str(release.path), promoted, why_not, release.reused),
        {
            "run id": release.run_id,
            "folder": str(release.path),
            "map": markdown_picture(content.grid, 6 - content.tiers["risk_terrain"].astype(np.float64)),
            "files": records_table(_files_to_open(release.path)),
            "current": "yes" if promoted else f"no: {why_not}",
            "reused": release.reused,
            **kept,
        },
    )


# What an analyst opens first.
_OPENED = (
    ("restricted/report.html", "reasons, accuracy and data in words, with the map: a browser"),
    ("restricted/rtm.qgz", "all layers, styled: QGIS"),
    ("public/map.png", "picture of the risk terrain"),
    ("restricted/work_orders.csv", "ranked sites: a spreadsheet"),
    ("MODEL_CARD.md", "data and their gaps, method, accuracy, what it must not be used for"),
)


def _files_to_open(release: Any) -> list[dict[str, Any]]:
    found = [(release / name, what) for name, what in _OPENED]
    return [{"file": str(path), "what it is": what} for path, what in found if path.is_file()]


def _why_not_promoted(context: StepContext) -> str | None:
    if context.settings.changed and not context.settings.promote:
        what = ", ".join(context.settings.changed)
        return f"it is an experiment ({what}); with --promote (in the UI promote: true) it would become current"
    return None


def content_of(
    context: StepContext,
    inputs: Mapping[str, Any],
    earlier: Sequence[Promoted] = (),
    flagging: Promoted | None = None,
) -> Any:
    """Everything that the products are made from.

    ``earlier`` are the releases that the run is compared with, ``flagging`` the one whose flags may have fed back.
    """
    from rtm_pipeline.grid import with_border
    from rtm_pipeline.publication.content import ReleaseContent
    from rtm_pipeline.publication.release.store import run_id_of
    from rtm_pipeline.surface.tiers import tiers_of

    city = context.city
    place: Place = inputs[PLACE]
    vintages: RunVintages = inputs[VINTAGES]
    snapshots = {name: inputs[snapshot_step(name)] for name in city.used_sources}
    pairs = pairs_of(city, inputs, NIGHTLY)
    terrain = inputs[TERRAIN]
    run_id = run_id_of(
        context.as_of,
        {
            "settings": context.settings.identity,
            "as_of": context.as_of.isoformat(),
            "snapshots": {name: snapshot.digest for name, snapshot in sorted(snapshots.items())},
            "compared_with": [item.run_id for item in earlier],
            "registers": register_digests(inputs),
            "flagged_by": flagging and flagging.run_id,
            "code": code_digest(),
        },
    )
    layers: dict[str, LayerResult] = {name: inputs[layer_step(name)] for name in city.layers}
    return ReleaseContent(
        city=city.name,
        label=city.label,
        run_id=run_id,
        as_of=context.as_of,
        vintage=vintages.nightly,
        judged=vintages.judged,
        horizon=city.forecast.horizon,
        outcome=city.outcome.layer,
        unit=city.outcome.unit,
        grid=place.grid if place.reach is None else with_border(place.grid, place.reach, city.area.buffer_u),
        area=place.area,
        terrain=terrain,
        tiers={"risk_terrain": tiers_of(terrain.rrs), "forecast": tiers_of(inputs[FORECAST].expected)},
        forecast=inputs[FORECAST],
        tables=program_tables(inputs) | evidence_table(inputs.get(EVIDENCE)),
        programs=program_facts(context, inputs) if PRIORITIES in inputs else None,
        areas=_areas(city, layers),
        statements=_statements(inputs[EVALUATION]),
        priorities=inputs.get(PRIORITIES),
        evaluation=inputs[EVALUATION],
        accuracy=inputs[EVALUATION].accuracy.as_json() | evidence_facts(inputs),
        timezone=city.timezone,
        layer_sources={name: spec.source for name, spec in city.layers.items()},
        factors={name: pair.apply for name, pair in pairs.items() if pair.apply is not None},
        left_out=tuple(
            {"factor": name, "reason": pair.left_out} for name, pair in pairs.items() if pair.left_out is not None
        ),
        layers=layers,
        snapshots=snapshots,
        labels=city.labels,
        credits=credits_of(city),
        contact=city.contact,
        missing=missing_parts(city, layers),
        origin_reasons={name: spec.origin_reason for name, spec in city.layers.items() if spec.origin_reason},
        sexual=city.outcome.sexual,
        findings=evidence_findings(city, inputs),
        health=inputs[HEALTH].findings,
    )


def _areas(city: City, layers: Mapping[str, LayerResult]) -> dict[str, Any]:
    """Polygons of neighborhoods and districts, by level."""
    from rtm_pipeline.publication.content import AreaPolygons

    named = {"neighborhood": "neighborhoods", "district": "districts"}
    if city.programs is not None:
        named = {"neighborhood": city.programs.neighborhoods or "", "district": city.programs.districts or ""}
    found = {}
    for level, name in named.items():
        result = layers.get(name)
        if result is not None and result.layer.geometry is not None:
            names = area_names(result, city.layers[name].keep)
            found[level] = AreaPolygons(level, names, result.layer.geometry, name)
    return found


def _statements(judged: Backtest) -> dict[str, str]:
    """What the accuracy of each surface is, in a sentence."""
    from rtm_pipeline.publication.facts.words import in_words

    accuracy = judged.accuracy
    rule = accuracy.baseline_chosen
    forecast = {
        "better": f"Ranked places better than {rule} on {accuracy.horizon}.",
        "not_better": f"Did not rank places better than {rule} on {accuracy.horizon}: "
        f"{accuracy.as_json()['verdict_reason']}.",
        "not_judged": f"Not judged: {accuracy.as_json()['verdict_reason']}.",
    }[accuracy.verdict]
    terrain = "Explains where by the landscape; it is not meant to rank places better than past counts do."
    return {"forecast": in_words(forecast), "risk_terrain": terrain}


def manifest_facts(context: StepContext, content: Any) -> dict[str, Any]:
    """What the manifest says beside the digests; clock times and Dagster's run id stand only here."""
    import hashlib
    import json
    from importlib.metadata import version

    from rtm_pipeline.publication.provenance import terms_of

    settings = json.dumps(context.settings.identity, sort_keys=True)
    return {
        "city": content.city,
        "as_of": content.as_of.isoformat(),
        "windows": {
            "fit": [content.vintage.outcome.start.isoformat(), content.vintage.outcome.end.isoformat()],
            "factors_known_at": content.vintage.known_at.isoformat(),
            "applied_at": content.as_of.isoformat(),
        },
        "settings": context.settings.identity,
        "settings_digest": hashlib.sha256(settings.encode()).hexdigest(),
        "changed": list(context.settings.changed),
        "sources": {name: snapshot.digest for name, snapshot in sorted(content.snapshots.items())},
        "registers": dict((content.programs or {}).get("registers", {})),
        "terms": {credit.source: terms_of(credit) for credit in content.credits},
        "packages": {name: version(name) for name in NAMED_PACKAGES},
        "code_digest": code_digest(),
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "dagster_run_id": context.run_id,
    }
