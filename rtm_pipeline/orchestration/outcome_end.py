"""Where the rows of the outcome end long before its window does: said before a model is fitted to silence."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rtm_pipeline.layers.layer import Layer
    from rtm_pipeline.units import Window

__all__ = ["last_day", "silence"]

SILENT_SHARE = 0.1  # a tenth of the window without a row is no delay of reporting any more
SILENT_DAYS = 14


def last_day(layer: Layer) -> date | None:
    """The latest local day that has a row; None without any dated row."""
    dated = layer.time[~np.isnat(layer.time)]
    return dated.max().astype("datetime64[D]").item() if dated.size else None


def silence(last: date, window: Window) -> str | None:
    """What is wrong and what to do, in words; None where the rows reach far enough into the window.

    Parameters
    ----------
    last : date
        The latest day with a row of the outcome.
    window : Window
        The days whose incidents are to be explained.
    """
    silent = min((window.end - last).days - 1, window.days)
    if silent <= max(SILENT_DAYS, SILENT_SHARE * window.days):
        return None
    what = "no row lies in it" if silent == window.days else f"no row lies in its last {silent:,} days"
    return (
        f"the outcome ends on {last}, and the window to be explained is {window}: {what}. Set as_of: "
        f"{last + timedelta(days=1)}, the day after the files end, or outcome.lag: auto, which waits for late rows; or "
        "fetch newer files."
    )
