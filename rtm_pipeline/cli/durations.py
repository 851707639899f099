"""How long steps took last time: what an honest estimate of the rest is made from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["StepDurations", "words"]


class StepDurations:
    """Durations of a city's steps, kept between runs in the cache; an estimate, never a promise.

    Parameters
    ----------
    file : Path
        Where they are kept. One that is missing or damaged is as if there had been no run.
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._clock = file, clock
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._known = _read(file)

    def started(self, step: str) -> None:
        """A step begins."""
        self._began[step] = self._clock()

    def ended(self, step: str) -> None:
        """A step is done."""
        if step in self._began:
            self._took[step] = self._clock() - self._began.pop(step)

    def remaining(self) -> float | None:
        """Seconds that are left, at the pace of this run against the last one; None where nothing is known."""
        if not self._known:
            return None
        left = {step: seconds for step, seconds in self._known.items() if step not in self._took}
        done = sum(self._known.get(step, 0.0) for step in self._took)
        # The pace of a few quick steps says little: it counts as much as the share of the last run that is done.
        share = done / max(done + sum(left.values()), 1e-9)
        measured = sum(self._took[step] for step in self._took if step in self._known) / done if done else 1.0
        pace = share * measured + (1 - share)
        now = self._clock()
        seconds = 0.0
        for step, expected in left.items():
            passed = now - self._began[step] if step in self._began else 0.0
            seconds += max(pace * expected - passed, 0.0)
        return seconds

    def save(self) -> None:
        """Keep what this run took; without a place to write to, the next run has no estimate."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            aside = self._file.with_suffix(".tmp")
            aside.write_text(json.dumps({step: round(seconds, 3) for step, seconds in self._took.items()}))
            aside.replace(self._file)
        except OSError:
            return


def words(seconds: float | None) -> str:
    """An estimate as a person would give it.

    Examples
    --------
    >>> words(None), words(3), words(47), words(200)
    ('', 'almost done', 'about 45 s left', 'about 3 min left')
    """
    if seconds is None:
        return ""
    if seconds < 5:
        return "almost done"
    if seconds < 57.5:
        return f"about {5 * round(seconds / 5)} s left"
    return f"about {max(1, round(seconds / 60))} min left"


def _read(file: Path) -> dict[str, float]:
    try:
        found = json.loads(file.read_text())
        return {str(step): max(float(seconds), 0.0) for step, seconds in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
