"""Text -> local times. Every format is read for all values at once.

Times are the city's wall clock, as datetime64[s]. Text without a zone is local; text with an offset or ``Z`` and
epochs are instants and are converted. A wall-clock time that occurs twice (the end of daylight saving) is taken as the
first; as only the wall clock is kept, both give the same value.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError

__all__ = ["NAT", "Times", "end_of_period", "read_hours", "read_times"]

Times = NDArray[np.datetime64]
NAT = np.datetime64("NaT", "s")

# Only what is unmistakably ISO 8601: a bare number is no date.
_ISO = r"^\d{4}-\d{2}(?:-\d{2}(?:[T ]\d{2}(?::?\d{2}(?::?\d{2}(?:\.\d{1,9})?)?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?)?$"
_ISO_BASIC = r"^\d{8}(?:T\d{4}(?:\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?$"
_ISO_ZONE = r"\d[T ]\d{2}[:\d.]*(?:Z|[+-]\d{2}(?::?\d{2})?)$"
_EPOCH_UNITS = {"epoch_ms": 1e-3, "epoch_s": 1.0}
# Seconds beyond which a number is no date of this world (years -2000 to 6000).
_EPOCH_LIMIT = 125_000_000_000
_CLOCK = re.compile(r"^(\d{1,2})(?::?([0-5]\d))?(?::?([0-5]\d)(?:\.\d+)?)?\s*([AaPp])?\.?(?:[Mm]\.?)?$")


def read_times(values: pa.StringArray, formats: tuple[str, ...], timezone: str) -> Times:
    """Read text as times; the first of ``formats`` that fits a value wins.

    Parameters
    ----------
    values : pyarrow.StringArray, length k
        None missing.
    formats : tuple of str
        strptime patterns, ``iso``, ``epoch_ms`` or ``epoch_s``.
    timezone : str
        IANA name; instants are converted to its wall clock.

    Returns
    -------
    ndarray of datetime64[s], shape (k,)
        NaT where no format fits. ``%Y`` wants four digits, so that ``1/2/17`` falls to a pattern with ``%y``.

    Raises
    ------
    ConfigError
        If a pattern is no strptime pattern.
    """
    times = np.full(len(values), NAT)
    for pattern in formats:
        open_ = np.flatnonzero(np.isnat(times))
        if not open_.size:
            break
        times[open_] = _read_one(values.take(pa.array(open_)), pattern, timezone)
    return times


def _read_one(values: pa.StringArray, pattern: str, timezone: str) -> Times:
    if pattern in _EPOCH_UNITS:
        return _read_epochs(values, _EPOCH_UNITS[pattern], timezone)
    if pattern == "iso":
        return _read_iso(values, timezone)
    if "%z" in pattern or "%Z" in pattern:
        return _localize(_to_datetimes(values, pattern, utc=True), timezone)
    return _plain(_to_datetimes(values, pattern, utc=False))


def _to_datetimes(values: pa.StringArray, pattern: str, *, utc: bool) -> pd.DatetimeIndex:
    text = values.to_numpy(zero_copy_only=False)
    try:
        found = pd.to_datetime(pd.Index(text, dtype=object), format=pattern, errors="coerce", utc=utc, cache=False)
    except ValueError as error:
        raise ConfigError(
            f"{pattern!r} is not a date format: {error}. Use strptime codes, iso, epoch_ms or epoch_s."
        ) from error
    return pd.DatetimeIndex(found)


def _read_iso(values: pa.StringArray, timezone: str) -> Times:
    times = np.full(len(values), NAT)
    iso = pc.or_(pc.match_substring_regex(values, _ISO), pc.match_substring_regex(values, _ISO_BASIC))
    zoned = pc.match_substring_regex(values, _ISO_ZONE)
    floating = np.flatnonzero(pc.and_not(iso, zoned).to_numpy(zero_copy_only=False))
    if floating.size:
        times[floating] = _plain(_to_datetimes(values.take(pa.array(floating)), "ISO8601", utc=False))
    instants = np.flatnonzero(pc.and_(iso, zoned).to_numpy(zero_copy_only=False))
    if instants.size:
        times[instants] = _localize(_to_datetimes(values.take(pa.array(instants)), "ISO8601", utc=True), timezone)
    return times


def _read_epochs(values: pa.StringArray, unit_s: float, timezone: str) -> Times:
    numbers = pd.to_numeric(pd.Series(values.to_numpy(zero_copy_only=False)), errors="coerce").to_numpy(np.float64)
    seconds = np.floor(numbers * unit_s)
    usable = np.isfinite(seconds) & (np.abs(seconds) < _EPOCH_LIMIT)
    times = np.full(len(values), NAT)
    instants = pd.DatetimeIndex(seconds[usable].astype(np.int64).astype("datetime64[s]"), tz="UTC")
    times[usable] = _localize(instants, timezone)
    return times


def _plain(found: pd.DatetimeIndex) -> Times:
    return found.to_numpy().astype("datetime64[s]")


def _localize(found: pd.DatetimeIndex, timezone: str) -> Times:
    return _plain(found.tz_convert(timezone).tz_localize(None))


def read_hours(values: pa.StringArray) -> NDArray[np.int64]:
    """Seconds after midnight from an hour (``13``) or a time of day (``13:05``, ``1305``, ``01:05 PM``); -1 if neither.

    One pass over distinct values, of which a day has few.
    """
    return np.fromiter((_seconds(text) for text in values.to_pylist()), np.int64, len(values))


def _seconds(text: str) -> int:
    digits = text.removesuffix(".0")
    if digits.isdigit() and len(digits) == 3:
        digits = f"0{digits}"
    match = _CLOCK.match(digits)
    if match is None:
        return -1
    hour, minute, second = (int(part or 0) for part in match.group(1, 2, 3))
    half = match.group(4)
    if half:
        if not 1 <= hour <= 12:
            return -1
        hour = hour % 12 + (12 if half in "Pp" else 0)
    return hour * 3600 + minute * 60 + second if hour <= 23 else -1


def end_of_period(times: Times, period: str = "day") -> Times:
    """The midnight that ends the day, month or year of each time; NaT stays NaT."""
    unit = {"day": "D", "month": "M", "year": "Y"}[period]
    ends: Times = (times.astype(f"datetime64[{unit}]") + 1).astype("datetime64[s]")
    return ends
