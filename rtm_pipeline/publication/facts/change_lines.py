"""What changed since an earlier release, in sentences."""

from __future__ import annotations

from rtm_pipeline.publication.change import Change, RankMoves, TierMoves
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.sites import SITE_KINDS
from rtm_pipeline.publication.facts.words import count, day, listed, plural, times

__all__ = ["change_lines"]

VERDICTS = {"better": "better than the rule to beat", "not_better": "not better than it", "not_judged": "not judged"}


def change_lines(change: Change, facts: Facts) -> list[str]:
    """What is different, in sentences."""
    items = [
        _source_changes(change),
        _term_changes(change),
        _moves("risk terrain", change.risk_terrain),
        None if facts.public else _moves("forecast", change.forecast),
        _verdict_change(change),
        _row_changes(change),
        *(() if facts.public else (_rank_changes(moves) for moves in change.ranks)),
    ]
    return [item for item in items if item]


def _source_changes(change: Change) -> str:
    if not change.new_sources:
        return f"All sources had the same content on {day(change.as_of)}."
    return f"Sources with new content: {listed(change.new_sources)}."


def _rank_changes(moves: RankMoves) -> str:
    name = SITE_KINDS[moves.table]
    few = listed(moves.came[:5]) + (f" and {count(len(moves.came) - 5)} more" if len(moves.came) > 5 else "")
    came = f"new: {few}" if moves.came else "the same as then"
    return (
        f"{name}, the first {moves.first} of the list: {came}. Funded now and not then: {count(moves.funded)}; no "
        f"longer funded: {count(moves.no_longer_funded)}."
    )


def _term_changes(change: Change) -> str:
    new = [f"{name} (RRV {times(now)})" for name, before, now in change.terms if before is None]
    gone = [f"{name} (RRV {times(before)})" for name, before, now in change.terms if now is None]
    moved = [
        f"{name} {times(before)} to {times(now)}"
        for name, before, now in change.terms
        if before is not None and now is not None and abs(now / before - 1.0) >= 0.05
    ]
    parts = [
        f"{word}: {', '.join(names)}" for word, names in (("new", new), ("gone", gone), ("changed", moved)) if names
    ]
    if not parts:
        return "The model has the same risk factors, and no relative risk value (RRV) changed by 5 % or more."
    return f"Risk factors of the model: {'; '.join(parts)}."


def _moves(surface: str, moves: TierMoves | None) -> str | None:
    if moves is None:
        return None
    similar = (
        ""
        if moves.correlation is None
        else f" The rank correlation of the two maps is {moves.correlation:.3f} (1: the same order)."
    )
    return (
        f"The city's top 5 % by {surface}: {plural(moves.entered, 'square')} came in, {count(moves.left)} fell out, "
        f"{count(moves.stayed)} stayed.{similar}"
    )


def _verdict_change(change: Change) -> str | None:
    before, now = (VERDICTS.get(code, code) for code in change.verdict)
    if not before or not now or before == now:
        return None
    return f"The forecast was {before}; now it is {now}."


def _row_changes(change: Change) -> str | None:
    if not change.rows:
        return None
    parts = [f"{name} {count(before)} to {count(now)}" for name, before, now in change.rows]
    return f"Rows kept: {'; '.join(parts)}."
