"""What a city keeps beside its sources, under ``history/CITY``: registers, frozen plans, zones, accepted evidence.

Unlike artifacts these files are never made anew: people and nights add to them. Every reader names file and row of
what it can't read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import ConfigError, RtmError, SchemaError
from rtm_pipeline.priorities.eligibility import Correction, read_corrections
from rtm_pipeline.priorities.followup.treated import TreatedRecord, read_treated
from rtm_pipeline.priorities.plans.plan import Plan, StatusEntry, advance
from rtm_pipeline.priorities.portfolio.funding_line import LineDraw, draw_from_rows
from rtm_pipeline.priorities.register_rows import is_blank, register_rows
from rtm_pipeline.storage.atomic import write_atomic

__all__ = ["CityHistory", "KeptDraw", "KeptPlan"]

STATUS_COLUMNS = ("site", "status", "date", "by", "note")


@dataclass(frozen=True, slots=True)
class KeptDraw:
    """A randomized order at the funding line of one kind of work, with the places of its sites (CRS units)."""

    action: str
    draw: LineDraw
    xy: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A frozen plan with what was kept beside it.

    Attributes
    ----------
    plan : Plan
    expected : float
        Incidents a year that were expected within reach of any of its sites when it was frozen.
    log : tuple of StatusEntry
    draws : tuple of KeptDraw
    """

    plan: Plan
    expected: float
    log: tuple[StatusEntry, ...] = ()
    draws: tuple[KeptDraw, ...] = ()


class CityHistory:
    """The folder ``history/CITY`` of an output root."""

    def __init__(self, output: Path, city: str) -> None:
        self.folder = output / "history" / city

    @property
    def corrections_file(self) -> Path:
        """Corrections by people on the ground: site, status, who, date, expiry."""
        return self.folder / "corrections.csv"

    @property
    def treated_file(self) -> Path:
        """Treated sites: site, program, started, ended, x, y."""
        return self.folder / "treated_sites.csv"

    @property
    def evidence_file(self) -> Path:
        """Results of the city's own that a person accepted, laid over the effect registry."""
        return self.folder / "evidence.json"

    @property
    def zones_file(self) -> Path:
        """Audit log of zones, one JSON object a line."""
        return self.folder / "zones.jsonl"

    def corrections(self) -> tuple[Correction, ...]:
        """Corrections of ``corrections.csv``; none without the file."""
        return read_corrections(self.corrections_file)

    def treated(self) -> tuple[TreatedRecord, ...]:
        """Records of ``treated_sites.csv``; none without the file."""
        return read_treated(self.treated_file)

    def evidence(self) -> dict[str, dict[str, dict[str, object]]]:
        """Overrides of the registry that people accepted."""
        found = self._json(self.evidence_file) or {}
        for section, rows in found.items():
            if not isinstance(rows, dict):
                raise SchemaError(f"{self.evidence_file}: {section} must hold keys and fields. Restore it from a copy.")
        return found

    def accept(self, override: Mapping[str, Mapping[str, Mapping[str, object]]]) -> None:
        """Add accepted entries; those that are there already stay, unless they have the same key."""
        merged = self.evidence()
        for section, rows in override.items():
            merged[section] = {**merged.get(section, {}), **{key: dict(row) for key, row in rows.items()}}
        write_atomic(self.evidence_file, (json.dumps(merged, indent=2, sort_keys=True) + "\n").encode())

    def plans(self) -> tuple[KeptPlan, ...]:
        """All frozen plans, oldest first, each checked against its id.

        Raises
        ------
        SchemaError
            A plan was changed after it was frozen, or can't be read.
        ConfigError
            A row of a status file makes no sense.
        """
        files = sorted((self.folder / "plans").glob("*.json"))
        kept = [self._plan(path) for path in files]
        return tuple(sorted(kept, key=lambda one: (one.plan.frozen_on, one.plan.plan_id)))

    def _plan(self, path: Path) -> KeptPlan:
        found = self._json(path)
        if found is None or not {"rows", "expected"} <= set(found):
            raise SchemaError(f"{path} is no frozen plan. Restore it from a copy, or move it away.")
        try:
            plan = Plan.from_rows(found["rows"])
        except SchemaError as error:
            raise SchemaError(f"{path.name}: {error}") from None
        try:
            draws = tuple(
                KeptDraw(
                    str(draw["action"]),
                    draw_from_rows(draw["rows"]),
                    tuple((row["x"], row["y"]) for row in draw["rows"]),
                )
                for draw in found.get("draws", ())
            )
            expected = float(found["expected"])
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"{path.name} lacks or garbles {error}. Restore it from a copy.") from None
        return KeptPlan(plan, expected, self._log(plan), draws)

    def status_file(self, plan_id: str) -> Path:
        """What happened to a plan's sites: site, status, date, by, note."""
        return self.folder / "plans" / f"{plan_id}.status.csv"

    def _log(self, plan: Plan) -> tuple[StatusEntry, ...]:
        path = self.status_file(plan.plan_id)
        if not path.exists():
            return ()
        log: tuple[StatusEntry, ...] = ()
        for number, row in enumerate(register_rows(path, STATUS_COLUMNS[:3]), start=1):
            if is_blank(row):
                continue
            try:
                day = date.fromisoformat((row.get("date") or "").strip())
                texts = [(row.get(name) or "").strip() for name in ("site", "status", "by", "note")]
                entry = StatusEntry(plan.plan_id, texts[0], texts[1], day, texts[2], texts[3])
                log = advance(plan, log, entry)
            except ValueError as error:
                raise ConfigError(f"{path.name}, row {number}: dates are written 2026-03-31; {error}.") from None
            except RtmError as error:
                raise ConfigError(f"{path.name}, row {number}: {error}") from None
        return log

    def keep_plan(self, kept: KeptPlan) -> Path:
        """Store a new plan; one that is there stays as it is.

        Raises
        ------
        ConfigError
            Another plan was frozen with the same id, which can't be unless a file was changed.
        """
        path = self.folder / "plans" / f"{kept.plan.plan_id}.json"
        if path.exists():
            if self._plan(path).plan != kept.plan:
                raise ConfigError(f"{path} holds another plan of the same id; it was changed. Restore it from a copy.")
            return path
        document = {
            "plan_id": kept.plan.plan_id,
            "expected": kept.expected,
            "draws": [{"action": draw.action, "rows": _draw_rows(draw)} for draw in kept.draws],
            "rows": kept.plan.rows(),
        }
        write_atomic(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
        return path

    def add_status(self, kept: KeptPlan, entry: StatusEntry) -> tuple[StatusEntry, ...]:
        """Log what happened to a site; the plan's own file is not touched.

        Raises
        ------
        ConfigError
            The step is not one forward, or the entry makes no sense.
        """
        log = advance(kept.plan, kept.log, entry)
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(STATUS_COLUMNS)
        writer.writerows([known.site_id, known.status, known.on.isoformat(), known.by, known.note] for known in log)
        write_atomic(self.status_file(kept.plan.plan_id), buffer.getvalue().encode())
        return log

    def zones(self) -> list[dict[str, Any]]:
        """Rows of the audit log, oldest first."""
        if not self.zones_file.exists():
            return []
        rows = []
        # As bytes: a byte that is no UTF-8 damages its own row, and JSON may hold characters that end lines of text.
        for number, line in enumerate(self.zones_file.read_bytes().split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                rows.append(dict(json.loads(line)))
            except (ValueError, TypeError):
                raise SchemaError(f"{self.zones_file.name}, row {number}: no JSON object. Restore the log.") from None
        return rows

    def log_zones(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Add rows of one run to the audit log, once."""
        known = self.zones()
        run_ids = {row["run_id"] for row in rows}
        if not rows or any(row.get("run_id") in run_ids for row in known):
            return
        text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in [*known, *rows])
        write_atomic(self.zones_file, text.encode())

    @staticmethod
    def _json(path: Path) -> dict[str, Any] | None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            raise SchemaError(f"{path} is not JSON. Restore it from a copy, or move it away.") from None
        if not isinstance(found, dict):
            raise SchemaError(f"{path} must hold a JSON object; found {type(found).__name__}.")
        return found


def _draw_rows(kept: KeptDraw) -> list[dict[str, object]]:
    return [{**row, "x": x, "y": y} for row, (x, y) in zip(kept.draw.rows(), kept.xy, strict=True)]
