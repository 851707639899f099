"""A step of the night: its inputs, the settings it reads, and the one function that it calls.

Dagster assets, `rtm run` and the staleness rule are all made from these steps, so the flow is described once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtm_pipeline.config.city import City
from rtm_pipeline.orchestration.artifacts import ArtifactStore, code_digest
from rtm_pipeline.orchestration.settings import Settings

if TYPE_CHECKING:
    from rtm_pipeline.sources.portals.transport import Transport

__all__ = ["Check", "CheckReport", "Step", "StepContext", "StepResult", "recipes", "stale_inputs"]


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step may know beside its inputs.

    Attributes
    ----------
    settings : Settings
    data_dir : Path
        Where file sources lie.
    output : Path
        Root of snapshots and releases.
    run_id : str
        Of Dagster; stands in manifests only.
    transport : Transport, optional
        The way to portals; only steps that are ``live`` have one.
    now : callable
        The clock, with its time zone; what it says stands in snapshots and records, never in numbers.
    """

    settings: Settings
    data_dir: Path
    output: Path
    run_id: str
    transport: Transport | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def city(self) -> City:
        """The city, resolved."""
        return self.settings.city

    @property
    def as_of(self) -> date:
        """The run's date."""
        return self.settings.as_of


@dataclass(frozen=True, slots=True)
class Check:
    """A promise about a step's value. A blocking check that fails stops everything downstream of it."""

    description: str
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Outcome of a check: passed or not, and in words what to do.

    ``warns`` makes this failure of a blocking check a warning.
    """

    name: str
    passed: bool
    message: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warns: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step made: the value, facts for the analyst, and its checks."""

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[CheckReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One asset.

    Attributes
    ----------
    name : str
        Last part of the asset key, distinct within the city.
    inputs : tuple of str
        Names of the steps whose values it takes. The settings are not among them: every step reads them, and what it
        read of them is in its recipe.
    reads : callable
        (city, as_of) -> the part of the settings that the value depends on, as plain values.
    run : callable
        (context, inputs) -> StepResult.
    checks : mapping of str to Check
        What is promised of the value, by name.
    live : bool
        Whether it speaks with the outside world.
    pool : str, optional
        Steps of one pool share a limit across runs, such as those that ask one portal.
    """

    name: str
    inputs: tuple[str, ...]
    reads: Callable[[City, date], Any]
    run: Callable[[StepContext, Mapping[str, Any]], StepResult]
    group: str
    description: str
    kinds: tuple[str, ...] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    live: bool = False
    pool: str | None = None


def recipes(steps: Mapping[str, Step], settings: Settings, code: str | None = None) -> dict[str, str]:
    """For every step, the digest of all in the settings and the code that its value depends on.

    ``code`` is the digest of the code, of the one that is running unless another is given.
    """
    code = code or code_digest()
    found: dict[str, str] = {}
    city = settings.city

    def digest(step: Step) -> str:
        if step.name not in found:
            reads = _plain(step.reads(city, settings.as_of))
            above = {name: digest(steps[name]) for name in step.inputs}
            text = json.dumps([step.name, reads, above, code], sort_keys=True)
            found[step.name] = hashlib.sha256(text.encode()).hexdigest()
        return found[step.name]

    for step in steps.values():
        digest(step)
    return found


def stale_inputs(step: Step, steps: Mapping[str, Step], wanted: Mapping[str, str], store: ArtifactStore) -> list[str]:
    """Steps that must be rerun, in order, before ``step`` can use its inputs; ``wanted`` are tonight's `recipes`."""
    stale: dict[str, bool] = {}

    def visit(name: str) -> bool:
        if name not in stale:
            above = [visit(parent) for parent in steps[name].inputs]
            header = store.header(name)
            fresh = (
                header is not None
                and header.recipe == wanted[name]
                and all(_content(store, parent) == header.inputs.get(parent) for parent in steps[name].inputs)
            )
            stale[name] = not fresh or any(above)
        return stale[name]

    for name in step.inputs:
        visit(name)
    return [name for name, is_stale in stale.items() if is_stale]


def _content(store: ArtifactStore, name: str) -> str | None:
    header = store.header(name)
    return header.content if header else None


def _plain(value: Any) -> Any:
    """Frozen specs as JSON values, in a stable form."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_plain(item) for item in value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
