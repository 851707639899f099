"""How numbers, lengths, dates and names are said to people, alike in report, pages, PDF and model card."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date

from rtm_pipeline.units import FOOT_M, Window

__all__ = [
    "SURFACE_NAMES",
    "amount",
    "area_words",
    "count",
    "day",
    "days_of",
    "in_words",
    "length_words",
    "listed",
    "money",
    "percent",
    "plural",
    "several",
    "surface_name",
    "times",
]

NONE = "\u2013"
"""What stands where there is no number."""
HIDDEN = "held back"
"""What stands for a number that the public edition does not show."""

SURFACE_NAMES = {
    "forecast": "Forecast",
    "risk_terrain": "Risk terrain",
    "counts_1y": "Counts of the last year",
    "counts_2y": "Counts of the last two years",
    "counts_decayed": "Counts of all years, newer ones counting more",
    "kde": "Smoothed map of past incidents (KDE)",
    "uniform": "Every place alike",
    "perfect": "Perfect foresight",
}
SHORT_NAMES = {
    "counts_1y": "Last year's counts",
    "counts_2y": "Two years' counts",
    "counts_decayed": "All years' counts",
    "kde": "Smoothed past (KDE)",
    "uniform": "Chance",
}


_WINDOW = re.compile(r"\[([0-9]{4}-[0-9]{2}-[0-9]{2}), ([0-9]{4}-[0-9]{2}-[0-9]{2})\)")


def surface_name(name: str, *, short: bool = False) -> str:
    """A surface of accuracy.json for people."""
    if short and name in SHORT_NAMES:
        return SHORT_NAMES[name]
    return SURFACE_NAMES.get(name, name.replace("_", " "))


def count(value: float | None) -> str:
    """A whole number with separators."""
    return NONE if value is None or not math.isfinite(value) else f"{round(value):,}"


def amount(value: float | None, digits: int = 2) -> str:
    """A measured number with as many digits as can be read: 1,234 or 12.3 or 0.012."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    places = max(0, digits - 1 - size)
    shown = f"{value:,.{min(places, 6)}f}"
    return shown if places <= 6 else f"{value:.1e}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share as per cent; small ones get a digit more, none is rounded to 0 or 100 unless it is that."""
    if share is None or not math.isfinite(share):
        return NONE
    value = 100.0 * share
    places = digits if abs(value) >= 10 or value == 0 else max(digits, 1)
    text = f"{value:.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if share > 0 and float(text) == 0:
        return f"<\u2009{10**-places:g}\u00a0%"
    if share < 1 and float(text) == 100:
        return f">\u2009{100 - 10**-places:g}\u00a0%"
    return f"{text}\u00a0%"


def times(value: float | None) -> str:
    """A multiplier: ``2.7``."""
    return NONE if value is None or not math.isfinite(value) else f"{value:.2f}".rstrip("0").rstrip(".")


def money(value: float | None) -> str:
    """US dollars."""
    return NONE if value is None or not math.isfinite(value) else f"${value:,.0f}"


def day(value: date) -> str:
    """``January 1, 2024``."""
    return f"{value:%B} {value.day}, {value.year}"


def days_of(window: Window) -> str:
    """A half-open window by its first and last day; whole years and months by their name."""
    from datetime import timedelta

    start, last = window.start, window.end - timedelta(days=1)
    if (start.month, start.day) == (1, 1) and (last.month, last.day) == (12, 31):
        return str(start.year) if start.year == last.year else f"{start.year} to {last.year}"
    return f"{day(start)} to {day(last)}"


def in_words(text: str) -> str:
    """A sentence of the evaluation with surfaces and windows in words: ``[2022-01-01, 2023-01-01)`` is 2022."""
    for name, words in SURFACE_NAMES.items():
        if "_" in name:
            text = re.sub(rf"\b{name}\b", words[:1].lower() + words[1:], text)
    return _WINDOW.sub(lambda found: days_of(Window(*map(date.fromisoformat, found.groups()))), text)


def length_words(length_m: float | None, length_u: float | None = None, unit_m: float = 1.0) -> str:
    """``500 ft (152 m)`` where the CRS is in feet or meters alike; a length that is not known is a dash."""
    if length_m is None:
        return NONE
    feet = length_u if length_u is not None and 0.3 < unit_m < 0.31 else length_m / FOOT_M
    return f"{round(feet):,}\u00a0ft ({round(length_m):,}\u00a0m)"


def area_words(km2: float | None) -> str:
    """``12.3 sq mi (31.9 km²)``."""
    if km2 is None or not math.isfinite(km2):
        return NONE
    return f"{amount(km2 / 2.589988, 3)}\u00a0sq\u00a0mi ({amount(km2, 3)}\u00a0km\u00b2)"


def plural(number: float, one: str, many: str | None = None) -> str:
    """``1 site``, ``2 sites``."""
    return f"{count(number)} {one if round(number) == 1 else several(one) if many is None else many}"


def several(noun: str) -> str:
    """The plural of a regular noun."""
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun + "s"


def listed(parts: Sequence[str], word: str = "and") -> str:
    """``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"
