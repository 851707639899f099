"""What became of the last night of a city, kept beside its artifacts for `rtm status` and for alerts.

A night that is killed can't say so: its record then still reads ``running``, and tells which step it had reached.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rtm_pipeline.errors import RtmError
from rtm_pipeline.storage.atomic import write_atomic

__all__ = ["STOPPED", "NightRecord", "last_night", "record_night"]

STOPPED = "stopped from outside while it worked (Ctrl-C, or a signal of the system)"
"""Why a night failed that somebody ended."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NightRecord:
    """The last night.

    Attributes
    ----------
    state : str
        ``running``, ``failed`` or ``done``.
    at : str
        When this was written, ISO 8601 in UTC.
    run : str
        Dagster's id of the run.
    step : str
        The step that was reached.
    message : str
        Why it failed; empty otherwise.
    """

    state: str
    at: str
    run: str
    step: str
    message: str = ""


def record_night(output: Path, city: str, *, state: str, run: str, step: str, message: str = "") -> None:
    """Write the record; a record that can't be written is logged and stops nothing.

    A failure is not overwritten by the steps of the same run that don't depend on it and go on.
    """
    if state == "running":
        before = last_night(output, city)
        if before is not None and before.run == run and before.state == "failed":
            return
    record = NightRecord(state, datetime.now(UTC).isoformat(timespec="seconds"), run, step, message)
    try:
        write_atomic(_file(output, city), json.dumps(asdict(record), indent=1).encode())
    except RtmError as error:
        logger.warning("The record of the night of %s was not kept: %s", city, error)


def last_night(output: Path, city: str) -> NightRecord | None:
    """The record of the last night; None before the first, or if it is damaged."""
    try:
        return NightRecord(**json.loads(_file(output, city).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("The record of the last night of %s can't be read: %s", city, error)
        return None


def _file(output: Path, city: str) -> Path:
    return output / "artifacts" / city / "last_night.json"
