"""The date of a scheduled run: that of its tick where the city is, not of the moment at which the run begins."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

__all__ = ["tick_date"]


def tick_date(scheduled: datetime, timezone: str) -> str:
    """Local date of a tick, as ``2026-01-31``."""
    return scheduled.astimezone(ZoneInfo(timezone)).date().isoformat()
