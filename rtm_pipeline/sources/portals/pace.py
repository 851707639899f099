"""Turns at a portal: at most so many requests a second, by all processes of a machine together.

Every process that asks a host takes the next turn from a small locked file, so that two cities on one portal, run side
by side, ask it no faster than one.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Pace"]

logger = logging.getLogger(__name__)

_MOST_AHEAD = 1000
"""Turns farther ahead than so many come from before a restart of the machine, where its clock began anew."""


@dataclass(slots=True)
class Pace:
    """Turns of one machine.

    Attributes
    ----------
    folder : Path, optional
        The same for every process that asks; None: only this object's own requests are paced.
    """

    folder: Path | None = None
    _last: dict[str, float] = field(default_factory=dict)
    _own: bool = False

    def turn(self, host: str, interval_s: float, now: float) -> float:
        """Take the next turn at a host.

        Parameters
        ----------
        host : str
        interval_s : float
            Between two turns, seconds.
        now : float
            Of a clock that all processes of the machine share and that never jumps (`time.monotonic`), seconds.

        Returns
        -------
        float
            When the host may be asked, by the same clock; now or later.
        """
        if self.folder is None or self._own:
            return self._next(host, interval_s, now)
        path = self.folder / f"{hashlib.sha256(host.encode()).hexdigest()[:16]}.turn"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("a+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                self._last[host] = _number(file.read())
                turn = self._next(host, interval_s, now)
                file.seek(0)
                file.truncate()
                file.write(repr(turn))
            return turn
        except OSError as error:
            logger.warning("Turns at %s are not shared with other processes: %s", host, error)
            self._own = True
            return self._next(host, interval_s, now)

    def _next(self, host: str, interval_s: float, now: float) -> float:
        last = self._last.get(host, -interval_s)
        turn = max(now, last + interval_s) if last - now < _MOST_AHEAD * interval_s else now
        self._last[host] = turn
        return turn


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # new, or cut by a full disk
        return float("-inf")
