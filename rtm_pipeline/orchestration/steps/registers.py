"""The step that reads what a city keeps beside its sources: registers, plans, zones, accepted evidence, poverty."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rtm_pipeline.config.city import City
from rtm_pipeline.config.programs import PovertyTable
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.registers.history import CityHistory, KeptPlan
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult
from rtm_pipeline.priorities.effects.evidence import load_registry
from rtm_pipeline.priorities.effects.registry import Registry
from rtm_pipeline.priorities.eligibility import Correction, read_corrections
from rtm_pipeline.priorities.followup.treated import TreatedRecord, read_treated
from rtm_pipeline.priorities.register_rows import is_blank, register_rows

__all__ = ["REGISTERS", "Registers", "read_registers", "register_steps", "registry_of"]

REGISTERS = "registers"
# Registers are no sources: no snapshot of them is kept, so a past night reads them anew too.
_WHERE = "Put it there, or name the folder with --data-dir (also with --from-run: registers are read anew)."
UNKNOWN = ("", "-", "N", "NA", "(X)", "**")  # how census tables write that a rate is not known


@dataclass(frozen=True, slots=True)
class Registers:
    """What a night takes from the registers: all that was entered by its day, nothing of the day itself.

    Attributes
    ----------
    corrections : tuple of Correction
    treated : tuple of TreatedRecord
        Of the registers, and sites of plans that were reported done.
    evidence : mapping
        Overrides of the effect registry that people accepted.
    plans : tuple of KeptPlan
        Frozen before the day, with what was reported before it.
    zones : tuple of mapping
        Audit log of the zones of current releases that began before the day.
    poverty : mapping of str to float
        Share of people in poverty by neighborhood.
    """

    corrections: tuple[Correction, ...] = ()
    treated: tuple[TreatedRecord, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    plans: tuple[KeptPlan, ...] = ()
    zones: tuple[Mapping[str, Any], ...] = ()
    poverty: Mapping[str, float] = field(default_factory=dict)

    def digests(self) -> dict[str, str]:
        """sha256 of each part that is not empty: they belong to the inputs of a release."""
        found = {}
        for part in dataclasses.fields(self):
            value = getattr(self, part.name)
            if value:
                plain = [dataclasses.asdict(row) if dataclasses.is_dataclass(row) else row for row in _rows(value)]  # type: ignore[arg-type]
                text = json.dumps(plain, sort_keys=True, default=str)
                found[part.name] = hashlib.sha256(text.encode()).hexdigest()
        return found

    def summary(self) -> dict[str, int | str]:
        """What is in it, in words for people."""
        return {
            "corrections": len(self.corrections),
            "treated sites": len(self.treated),
            "plans": ", ".join(kept.plan.plan_id for kept in self.plans) or "none",
            "accepted evidence": ", ".join(self.evidence.get("effects", {})) or "none",
            "logged zones": len(self.zones),
            "neighborhoods with poverty": len(self.poverty),
        }


def _rows(value: Any) -> list[Any]:
    return [value] if isinstance(value, Mapping) else list(value)


def register_steps(city: City) -> list[Step]:
    """Reading the registers, where the city configured programs."""
    if city.programs is None:
        return []

    def reads(city: City, as_of: date) -> Any:
        plan = city.programs
        return [plan.corrections, plan.treated, plan.poverty, plan.registry, as_of] if plan else []

    return [
        Step(
            name=REGISTERS,
            inputs=(),
            reads=reads,
            run=_read,
            group="priorities",
            kinds=("csv",),
            description="Corrections from the ground, treated sites, frozen plans, logged zones and accepted evidence, "
            "as entered before the day.",
        )
    ]


def _read(context: StepContext, _: Mapping[str, Any]) -> StepResult:
    value = read_registers(context.city, context.as_of, context.data_dir, context.output)
    registry_of(context.city, value)  # a registry that can't be used stops the night here, before anything is computed
    return StepResult(
        value,
        value.summary(),
    )


def read_registers(city: City, as_of: date, data_dir: Path, output: Path) -> Registers:
    """Everything that was entered before a day.

    Raises
    ------
    ConfigError
        A file that the configuration names is missing, or a row can't be read; the message has file and row.
    SchemaError
        A plan was changed after it was frozen, or a log is damaged.
    """
    plan = city.programs
    if plan is None:
        return Registers()
    history = CityHistory(output, city.name)
    corrections = (*_named(plan.corrections, data_dir, "corrections", read_corrections), *history.corrections())
    treated = (*_named(plan.treated, data_dir, "treated", read_treated), *history.treated())
    plans = tuple(_before(kept, as_of) for kept in history.plans() if kept.plan.frozen_on < as_of)
    zones = tuple(row for row in history.zones() if row.get("current") and str(row["period_start"]) < str(as_of))
    return Registers(
        corrections=tuple(row for row in corrections if row.on <= as_of),
        treated=_with_done(tuple(row for row in treated if row.started < as_of), plans),
        evidence=history.evidence(),
        plans=plans,
        zones=zones,
        poverty=_poverty(plan.poverty, data_dir) if plan.poverty else {},
    )


def _named(path: str | None, data_dir: Path, key: str, read: Any) -> Any:
    """Rows of a register that the configuration names; it has to be there."""
    if path is None:
        return ()
    if not (data_dir / path).is_file():
        raise ConfigError(f"programs.{key}: there is no file {path} in the data folder {data_dir}. {_WHERE}")
    return read(data_dir / path)


def _before(kept: KeptPlan, as_of: date) -> KeptPlan:
    return dataclasses.replace(kept, log=tuple(entry for entry in kept.log if entry.on < as_of))


def _with_done(treated: tuple[TreatedRecord, ...], plans: tuple[KeptPlan, ...]) -> tuple[TreatedRecord, ...]:
    """The register with the sites that a plan reports as done: from the day they were ordered to the day of done."""
    known = {record.site_id for record in treated}
    found = list(treated)
    for kept in plans:
        sites = {site.site_id: site for site in kept.plan.sites}
        ordered = {entry.site_id: entry.on for entry in kept.log if entry.status == "ordered"}
        for entry in kept.log:
            if entry.status == "done" and entry.site_id not in known:
                site = sites[entry.site_id]
                start, end = ordered.get(entry.site_id, entry.on), entry.on + timedelta(days=1)
                found.append(TreatedRecord(entry.site_id, site.action, start, end, site.x, site.y))
                known.add(entry.site_id)
    return tuple(found)


def _poverty(table: PovertyTable, data_dir: Path) -> dict[str, float]:
    path = data_dir / table.path
    if not path.is_file():
        raise ConfigError(f"programs.poverty: there is no file {table.path} in the data folder {data_dir}. {_WHERE}")
    found: dict[str, float] = {}
    for number, row in enumerate(register_rows(path, (table.neighborhood, table.rate)), start=1):
        if is_blank(row):
            continue
        text = (row[table.rate] or "").strip()
        try:
            rate = math.nan if text in UNKNOWN else float(text) * table.scale
        except ValueError:
            raise ConfigError(f"{path.name}, row {number}: {table.rate} must be a number; found {text!r}.") from None
        if rate < 0 or rate > 1:
            raise ConfigError(
                f"{path.name}, row {number}: a rate of poverty lies between 0 and 1 (0 and 100 %); found {text}."
            )
        if math.isfinite(rate):
            found[(row[table.neighborhood] or "").strip()] = rate
    return found


def registry_of(city: City, registers: Registers) -> Registry:
    """The effect registry of a city: what ships, its configuration over it, and what a person accepted over that."""
    overrides: dict[str, dict[str, Any]] = {}
    for layer in (city.programs.registry if city.programs else {}, registers.evidence):
        for section, rows in layer.items():
            known = overrides.setdefault(section, {})
            for key, row in rows.items():
                known[key] = {**known.get(key, {}), **row}  # what was accepted of an entry leaves its other fields
    return load_registry(overrides)
