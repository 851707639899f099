"""Whether a source is what it was: tonight's facts of a source and its layers against those of earlier nights.

Facts are small plain values that a city keeps of every night (`source_facts`, `layer_facts`); findings say what
changed, since when, and whether that warns or blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any

from rtm_pipeline.layers.health_rules import HealthRules

__all__ = ["HealthFinding", "baseline", "judge_layer", "judge_source"]

NIGHTS = 28  # how many earlier nights say what is usual
FEW_ROWS = 50
LEAST_DAYS = 7
TIMES_USUAL_GAP = 3.0
QUIET_SHARE = 0.2
LEAST_USUAL = 10
NEW_VALUE_ROWS = 10
NEW_VALUE_SHARE = 0.01
LEAST_MOVE_M = 150.0
STANDARD_ERRORS = 8.0
FEW_PILED = 20
PILE_GROWTH = 3.0
MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One doubt.

    Attributes
    ----------
    source : str
    layer : str or None
        None: it is about the source as a whole.
    kind : str
        One of `rtm_pipeline.layers.health_rules.KINDS`, or ``stands_in``: an older snapshot is used.
    level : str
        ``warn`` or ``block``.
    message : str
        What changed, in a sentence without a period.
    since : date
        First night (or day of the data, for a quiet feed) of which it is known.
    """

    source: str
    layer: str | None
    kind: str
    level: str
    message: str
    since: date

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "since": self.since.isoformat()}

    def sentence(self) -> str:
        """For people: of what, what and since when."""
        return f"{self.layer or self.source}: {self.message}, since {self.since}"


def baseline(records: Sequence[Mapping[str, Any]], as_of: date, rules: HealthRules) -> list[Mapping[str, Any]]:
    """Records of the nights that say what is usual: the last 28 before, accepted and not blocked, oldest first."""
    by_night = {str(record["as_of"]): record for record in records}  # of several runs of one night the last counts
    first = rules.accepted.isoformat() if rules.accepted else ""
    usual = [
        record
        for night, record in sorted(by_night.items())
        if first <= night < as_of.isoformat() and not any(f["level"] == "block" for f in record.get("findings", ()))
    ]
    return usual[-NIGHTS:]


def judge_source(
    name: str, facts: Mapping[str, Any], usual: Sequence[Mapping[str, Any]], rules: HealthRules, as_of: date
) -> list[HealthFinding]:
    """Findings on the source as a whole: rows and columns."""
    found: list[tuple[str, str]] = []
    before = _middle(usual, "rows")
    if before is not None and _shrunk(facts["rows"], before, rules):
        found.append(("shrank", f"{facts['rows']:,} rows where {before:,.0f} were usual"))
    else:
        for part, rows in sorted(usual[-1]["files"].items()) if usual else ():
            now = facts["files"].get(part, 0)
            if len(facts["files"]) > 1 and _shrunk(now, rows, rules):
                found.append(("shrank", f"{part} has {now:,} rows where {rows:,} were"))
    if usual:
        new = sorted(set(facts["headers"]) - {header for record in usual for header in record["headers"]})
        gone = sorted(set(usual[-1]["headers"]) - set(facts["headers"]))
        if new or gone:
            found.append(("columns", _came_and_went("columns", new, gone)))
    return _findings(name, None, found, rules, as_of)


def judge_layer(
    source: str,
    name: str,
    facts: Mapping[str, Any],
    usual: Sequence[Mapping[str, Any]],
    rules: HealthRules,
    as_of: date,
) -> list[HealthFinding]:
    """Findings on one layer: recent rows, kept rows, codes, places."""
    before = [record["layers"][name] for record in usual if name in record.get("layers", {})]
    found: list[tuple[str, str]] = []
    kept = _middle(before, "kept")
    if kept is not None and _shrunk(facts["kept"], kept, rules):
        found.append(("shrank", f"{facts['kept']:,} usable rows where {kept:,.0f} were usual"))
    for kind, message in (
        ("vocabulary", _vocabulary(facts, before)),
        ("moved", _moved(facts, before)),
        ("piled", _piled(facts, before, rules)),
    ):
        if message:
            found.append((kind, message))
    findings = _findings(source, name, found, rules, as_of)
    quiet = _quiet(facts, before, rules, as_of)
    if quiet and rules.quiet != "off":
        latest = facts.get("latest")
        since = date.fromisoformat(latest) + timedelta(days=1) if latest else as_of
        findings.append(HealthFinding(source, name, "quiet", rules.quiet, quiet, since))
    return findings


def _findings(
    source: str, layer: str | None, found: Sequence[tuple[str, str]], rules: HealthRules, as_of: date
) -> list[HealthFinding]:
    return [
        HealthFinding(source, layer, kind, rules.level(kind), message, as_of)
        for kind, message in found
        if rules.level(kind) != "off"
    ]


def _middle(records: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [float(record[key]) for record in records]
    return median(values) if values else None


def _shrunk(now: int, before: float, rules: HealthRules) -> bool:
    return before >= FEW_ROWS and now <= (1.0 - rules.shrink_share) * before


def _came_and_went(what: str, new: Sequence[str], gone: Sequence[str]) -> str:
    parts = [f"{word} {what}: {_named(names)}" for word, names in (("new", new), ("gone", gone)) if names]
    return "; ".join(parts)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(repr(name) for name in names[:MOST_NAMED]) + more


def _quiet(
    facts: Mapping[str, Any], before: Sequence[Mapping[str, Any]], rules: HealthRules, as_of: date
) -> str | None:
    if facts.get("latest") is None:
        return None
    age = (as_of - date.fromisoformat(facts["latest"])).days
    if rules.quiet_after is not None:
        if age > rules.quiet_after.approximate_days:
            return f"its latest row is {age} days old; {rules.quiet_after} is the most"
        return None
    rhythm = facts.get("rhythm")
    if rhythm is None:
        return None
    usual_age = _middle([record for record in before if record.get("age_days") is not None], "age_days")
    allowed = (rhythm["delay_days"] if usual_age is None else usual_age) + max(
        LEAST_DAYS, TIMES_USUAL_GAP * rhythm["gap_days"]
    )
    if age > allowed:
        return f"its latest row is {age} days old, where rows come every {max(1.0, rhythm['gap_days']):.0f} days"
    if rhythm["usual"] >= LEAST_USUAL and rhythm["recent"] < QUIET_SHARE * rhythm["usual"]:
        return f"{rhythm['recent']:,} rows in the last 30 days, where {rhythm['usual']:,.0f} are usual"
    return None


def _vocabulary(facts: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> str | None:
    if not before:
        return None
    said = []
    grown = max(0, facts["read"] - before[-1]["read"]) or facts["read"]
    least = max(NEW_VALUE_ROWS, NEW_VALUE_SHARE * grown)
    for column, values in sorted(facts["values"].items()):
        known = {value for record in before for value in record["values"].get(column, {})}
        if not known:
            continue
        new = [value for value, rows in values.items() if value not in known and rows >= least]
        last = before[-1]["values"].get(column, {})
        gone = [value for value, rows in last.items() if rows >= least and values.get(value, 0) < 0.1 * rows]
        if new or gone:
            said.append(_came_and_went(f"values of {column}", sorted(new), sorted(gone)))
    return "; ".join(said) or None


def _moved(facts: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> str | None:
    """Whether the middle or an edge of the points lies farther off than chance and slow change allow."""
    now = facts.get("place")
    then = [record["place"] for record in before if record.get("place")]
    if now is None or not then or now["rows"] < FEW_ROWS or then[-1]["rows"] < FEW_ROWS:
        return None
    rows = min(now["rows"], then[-1]["rows"])
    for what, factor in (("middle", 1.0), ("low", 2.0), ("high", 2.0)):
        shift = [now[what][axis] - median([place[what][axis] for place in then]) for axis in (0, 1)]
        spread = max(max(place["spread_m"]) for place in (now, then[-1]))
        allowed = factor * max(LEAST_MOVE_M, STANDARD_ERRORS * spread / rows**0.5)
        distance = (shift[0] ** 2 + shift[1] ** 2) ** 0.5
        if distance > allowed:
            where = {"middle": "the middle", "low": "the south-west edge", "high": "the north-east edge"}[what]
            return f"{where} of its points lies {distance:,.0f} m from where it was ({_direction(shift)})"
    return None


def _direction(shift: Sequence[float]) -> str:
    east, north = shift
    parts = [f"{abs(east):,.0f} m {'east' if east > 0 else 'west'}"] if abs(east) >= 1 else []
    parts += [f"{abs(north):,.0f} m {'north' if north > 0 else 'south'}"] if abs(north) >= 1 else []
    return ", ".join(parts)


def _piled(facts: Mapping[str, Any], before: Sequence[Mapping[str, Any]], rules: HealthRules) -> str | None:
    pile = facts.get("pile")
    if pile is None or pile["rows"] < FEW_PILED:
        return None
    usual = median([record["pile"]["share"] for record in before if record.get("pile")] or [0.0])
    grown = bool(before) and pile["share"] >= rules.pile_share / 5 and pile["share"] > PILE_GROWTH * max(usual, 1e-9)
    if pile["share"] < rules.pile_share and not grown:
        return None
    if before and pile["share"] <= 1.5 * usual:
        return None  # it was always so, and the nights before said it
    was = f", where {usual:.1%} were usual" if before else ""
    return f"{pile['rows']:,} of its rows ({pile['share']:.1%}) stand on one point{was}"
