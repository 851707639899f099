"""The step that compares tonight's sources with what they were, and remembers tonight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from rtm_pipeline.config.city import City
from rtm_pipeline.layers.health import HealthFinding, baseline, judge_layer, judge_source
from rtm_pipeline.layers.health_facts import layer_facts, source_facts
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.step import Check, CheckReport, Step, StepContext, StepResult
from rtm_pipeline.orchestration.steps.ingest import VOCABULARY, layer_step, snapshot_step
from rtm_pipeline.sources.health_history import HealthHistory
from rtm_pipeline.sources.snapshots.snapshot import Snapshot

__all__ = ["HEALTH", "DataHealth", "health_steps"]

HEALTH = "data_health"


@dataclass(frozen=True, slots=True)
class DataHealth:
    """What is doubted tonight.

    Attributes
    ----------
    findings : tuple of HealthFinding
        By source, in the order of the configuration.
    nights : mapping of str to int
        Source -> earlier nights that it was compared with.
    """

    findings: tuple[HealthFinding, ...]
    nights: Mapping[str, int]


def health_steps(city: City) -> list[Step]:
    """One step for all sources, with a check for each: what blocks there keeps the release from being made."""

    def reads(city: City, as_of: date) -> Any:
        return [city.health, as_of]

    return [
        Step(
            name=HEALTH,
            inputs=(
                *(snapshot_step(name) for name in city.used_sources),
                *(layer_step(name) for name in city.layers),
            ),
            reads=reads,
            run=_judge,
            group="sources",
            kinds=("json",),
            description="Sources and layers beside what they were on the nights before: rows, columns, codes, places.",
            checks={
                name: Check(f"'{name}' is what it was: rows keep coming, none vanished, codes and places are the same.")
                for name in city.used_sources
            },
        )
    ]


def _judge(context: StepContext, inputs: Mapping[str, Any]) -> StepResult:
    city = context.city
    history = HealthHistory(context.output / "history", city.name)
    layers: dict[str, LayerResult] = {name: inputs[layer_step(name)] for name in city.layers}
    findings: list[HealthFinding] = []
    reports, nights = [], {}
    for name in city.used_sources:
        records = history.records(name)
        snapshot: Snapshot = inputs[snapshot_step(name)]
        record, found, nights[name] = _of_source(context, snapshot, layers, records)
        # What an experiment or a rerun sees is no news of the source; a snapshot that stands in is none either.
        if not context.settings.changed and snapshot.stands_in is None:
            history.add(name, record)
        findings += found
        reports.append(_report(name, found, nights[name]))
    table = "\n".join(f"- {finding.level}: {finding.sentence()}" for finding in findings) or "nothing is doubted"
    return StepResult(
        DataHealth(tuple(findings), nights), {"findings": len(findings), "what changed": table}, tuple(reports)
    )


def _of_source(
    context: StepContext, snapshot: Snapshot, layers: Mapping[str, LayerResult], records: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[HealthFinding], int]:
    """Tonight's record, the findings, and how many earlier nights they rest on."""
    city, as_of, name = context.city, context.as_of, snapshot.source
    rules = city.health.sources[name]
    usual = baseline(records, as_of, rules)
    facts = source_facts(snapshot)
    found = judge_source(name, facts, usual, rules, as_of)
    facts["layers"] = {}
    for layer in city.layers_of(name):
        values: Any = layers[layer].notes.get(VOCABULARY, {})
        of_layer = layer_facts(city.layers[layer], layers[layer], values, as_of, city.area.unit_m)
        facts["layers"][layer] = of_layer
        own = city.health.layers[layer]
        found += judge_layer(name, layer, of_layer, baseline(records, as_of, own), own, as_of)
    found = [_since(finding, records, as_of) for finding in found]
    if snapshot.stands_in is not None:
        day = date.fromisoformat(snapshot.fetched_at[:10])
        found.insert(0, HealthFinding(name, None, "stands_in", "warn", snapshot.stands_in.rstrip("."), day))
    record = {
        "as_of": as_of.isoformat(),
        "fetched_at": snapshot.fetched_at,
        **facts,
        "findings": [finding.to_json() for finding in found],
    }
    return record, found, len(usual)


def _since(finding: HealthFinding, records: list[dict[str, Any]], as_of: date) -> HealthFinding:
    """The finding with the night on which it was first made, if the night before made it too."""
    before = [record for record in records if record["as_of"] < as_of.isoformat()]
    for known in before[-1]["findings"] if before else ():
        if (known["layer"], known["kind"]) == (finding.layer, finding.kind):
            return replace(finding, since=min(finding.since, date.fromisoformat(known["since"])))
    return finding


def _report(name: str, found: list[HealthFinding], nights: int) -> CheckReport:
    if not found:
        return CheckReport(
            name, True, f"As on the {nights} nights before." if nights else "Nothing to compare with yet."
        )
    blocks = any(finding.level == "block" for finding in found)
    said = "; ".join(finding.sentence() for finding in found)
    if not blocks:
        return CheckReport(name, False, f"{said}.", warns=True)
    advice = (
        f"Look at the source. If this is right, write health: {{sources: {{{name}: {{accepted: DATE}}}}}} with the "
        "date from which it is so."
    )
    return CheckReport(name, False, f"{said}. {advice}")
