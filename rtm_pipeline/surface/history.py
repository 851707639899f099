"""What was recorded, where and when, and what of it could be known at a date.

Every surface is made from a `History`. It never hands out rows that were known later than the date it is asked about,
and it refuses to be used for a cut-off that some of its rows are newer than: a leak is an error, not a bias.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.units import Window

__all__ = ["DAYS_PER_YEAR", "DecayedPast", "History", "refuse_known_after"]

DAYS_PER_YEAR = 365.25
_SPARSE_MONTH = 0.25
_LONGEST_SILENCE = 100  # days
_USUAL_DAYS = 365
_SILENT_RATE = 0.05  # of the usual one
_SILENCE_ODDS = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class DecayedPast:
    """The past of every cell as seen from one date, newer incidents counting more.

    Attributes
    ----------
    counts : ndarray of float64, shape (n,)
        Sum of ``c * decay ** age`` over the incidents of each cell, age in years. The constant ``c``, the mean weight
        over the mean squared weight, makes their variance equal to their mean while rates stand still, as for counts.
    years : float
        The same weights integrated over the days that were observed: the exposure of ``counts`` in years.
    """

    counts: NDArray[np.float64]
    years: float

    @property
    def total(self) -> float:
        """Decayed incidents of the whole study area."""
        return float(self.counts.sum())


def refuse_known_after(known_at: NDArray[np.datetime64], cutoff: date, what: str) -> None:
    """Raise if any row became known after the local midnight that begins ``cutoff``.

    Parameters
    ----------
    known_at : ndarray of datetime64
        From when on each row could be known.
    cutoff : date
    what : str
        The input, for the message.

    Raises
    ------
    ModelError
        If a row is newer than the cut-off, or does not say when it was known.
    """
    late = ~(known_at <= np.datetime64(cutoff))
    if late.any():
        example = known_at[int(np.argmax(late))]
        raise ModelError(
            f"{what}: {int(late.sum())} of {known_at.size} rows were not known at the cut-off {cutoff} "
            f"(the first of them: known at {example}). Nothing later than the cut-off may enter; pass only what "
            "was known then."
        )


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Incidents of the outcome, by cell.

    Attributes
    ----------
    cell : ndarray of int32, shape (m,)
        Cell of each row (index into the study grid), -1 where it lies in none.
    time : ndarray of datetime64[s], shape (m,)
        When it happened, city-local.
    known_at : ndarray of datetime64[s], shape (m,)
        From when on the row could be known.
    incident : ndarray of int64, shape (m,)
        Rows of one incident share a number. Where every row is an incident of its own, all differ.
    n_cells : int
        Number of cells of the study grid.
    observed : Window
        The days for which the record is held to be complete. Rows outside it are never used.
    gaps : tuple of Window
        Spans inside ``observed`` that are not to be used, such as a year with too few located rows.
    """

    cell: NDArray[np.int32]
    time: NDArray[np.datetime64]
    known_at: NDArray[np.datetime64]
    incident: NDArray[np.int64]
    n_cells: int
    observed: Window
    gaps: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        sizes = {self.cell.shape, self.time.shape, self.known_at.shape, self.incident.shape}
        if len(sizes) != 1 or self.cell.ndim != 1:
            raise ModelError(f"The columns of a history must be vectors of one length; found shapes {sorted(sizes)}.")
        if self.cell.size and not (int(self.cell.min()) >= -1 and int(self.cell.max()) < self.n_cells):
            raise ModelError(
                f"Cells of a history must lie in -1 .. {self.n_cells - 1}; found {int(self.cell.min())} .. "
                f"{int(self.cell.max())}. Locate the rows on the grid that is forecast."
            )

    @classmethod
    def of(
        cls,
        cell: NDArray[np.integer],
        time: NDArray[np.datetime64],
        known_at: NDArray[np.datetime64],
        n_cells: int,
        *,
        incident: NDArray[np.integer] | None = None,
        observed: Window | None = None,
        cutoff: date | None = None,
        gaps: tuple[Window, ...] = (),
    ) -> History:
        """Build a history from arrays, working out what is not given.

        Parameters
        ----------
        cell, time, known_at : ndarrays, shape (m,)
            As in the class.
        n_cells : int
        incident : ndarray of int, optional
            Default: every row is an incident.
        observed : Window, optional
            Default: from the first month that has at least a quarter of the median month's rows (stray old dates do
            not make a history), to ``cutoff``, else to the day after the last row.
        cutoff : date, optional
            End of the default window.
        gaps : tuple of Window
            As in the class.
        """
        times = np.asarray(time).astype("datetime64[s]")
        numbers = np.arange(times.size) if incident is None else np.asarray(incident)
        window = observed if observed is not None else _observed(times, cutoff)
        return cls(
            cell=np.asarray(cell).astype(np.int32),
            time=times,
            known_at=np.asarray(known_at).astype("datetime64[s]"),
            incident=numbers.astype(np.int64),
            n_cells=int(n_cells),
            observed=window,
            gaps=tuple(gaps),
        )

    def __len__(self) -> int:
        return int(self.cell.size)

    def refuse_known_after(self, cutoff: date) -> None:
        """Raise ModelError if a row was known, or happened, at or after the cut-off."""
        refuse_known_after(self.known_at, cutoff, "The history of the outcome")
        late = self.time >= np.datetime64(cutoff)
        if late.any():
            raise ModelError(
                f"The history of the outcome: {int(late.sum())} of {len(self)} rows happened on or after the cut-off "
                f"{cutoff} although they claim to have been known by then. Check the dates of the layer."
            )

    def known_by(self, day: date) -> History:
        """The history as it could be known at ``day``: rows known and past by then, the observed window cut to it."""
        keep = (self.known_at <= np.datetime64(day)) & (self.time < np.datetime64(day))
        end = min(self.observed.end, day)
        start = min(self.observed.start, end - timedelta(days=1))
        return History(
            self.cell[keep],
            self.time[keep],
            self.known_at[keep],
            self.incident[keep],
            self.n_cells,
            Window(start, end),
            self.gaps,
        )

    def told_by(self, day: date) -> History:
        """`known_by`, cut where the record falls silent because its last days are not told yet.

        A portal that lags a week, or a file a month, has no rows of the days just before ``day``. They say nothing of
        how much happens and must not count as quiet days. The record is cut where silence (a twentieth of the usual
        rate) is likelier than the usual rate by a factor of a thousand, and half as long again as any before it: a
        record that knows the month only is silent all the time. Silence of 100 days is taken at its word.
        """
        past = self.known_by(day)
        days = past.days()
        if days.size == 0:
            return past
        daily = np.bincount(
            np.searchsorted(days, past.time[past.usable()].astype("datetime64[D]")), minlength=days.size
        )
        tail = min(_LONGEST_SILENCE, days.size // 2)
        usual = float(daily[: days.size - tail][-_USUAL_DAYS:].mean()) if days.size > tail else 0.0
        step = (1.0 - _SILENT_RATE) * usual + np.log(_SILENT_RATE) * daily[days.size - tail :]
        evidence = np.cumsum(step[::-1])
        if tail == 0 or float(evidence.max()) < np.log(_SILENCE_ODDS):
            return past
        silent = int(np.argmax(evidence)) + 1
        if silent >= tail or silent <= 1.5 * _longest_silence(daily[: days.size - silent]):
            return past
        first: date = days[days.size - silent].item()
        kept = past.time < np.datetime64(first)
        return replace(
            past,
            cell=past.cell[kept],
            time=past.time[kept],
            known_at=past.known_at[kept],
            incident=past.incident[kept],
            observed=Window(past.observed.start, first),
        )

    def days(self, window: Window | None = None) -> NDArray[np.datetime64]:
        """Days that were observed (and lie in ``window``), without the gaps."""
        start = self.observed.start if window is None else max(self.observed.start, window.start)
        end = self.observed.end if window is None else min(self.observed.end, window.end)
        days = np.arange(np.datetime64(start), np.datetime64(max(start, end)))
        for gap in self.gaps:
            days = days[~gap.contains(days)]
        return days

    def covers(self, window: Window) -> bool:
        """Whether every day of ``window`` was observed."""
        return int(self.days(window).size) == window.days

    def usable(self) -> NDArray[np.bool_]:
        """Rows, shape (m,), that lie on the grid and on observed days."""
        good = self.observed.contains(self.time) & (self.cell >= 0)
        for gap in self.gaps:
            good &= ~gap.contains(self.time)
        return good

    def rows(self, window: Window) -> NDArray[np.int64]:
        """Rows of each cell in ``window``, shape (n,): what the outcome's unit counts."""
        keep = window.contains(self.time) & (self.cell >= 0)
        return np.bincount(self.cell[keep], minlength=self.n_cells).astype(np.int64)

    def incidents(self, window: Window) -> NDArray[np.int64]:
        """Distinct incidents of each cell in ``window``, shape (n,); several rows of one incident count once."""
        keep = np.flatnonzero(window.contains(self.time) & (self.cell >= 0))
        return np.bincount(self.cell[keep[self._first(keep)]], minlength=self.n_cells).astype(np.int64)

    def batches(self) -> tuple[float, float]:
        """Rows of an incident in a cell: their mean, and the mean of the square over the mean (both 1 for incidents).

        The second is what makes counts of rows vary more than counts of incidents: a Poisson number of batches has
        that many times its mean as variance.
        """
        rows = np.flatnonzero(self.usable())
        if rows.size == 0:
            return 1.0, 1.0
        key = self.incident[rows] * np.int64(self.n_cells + 1) + self.cell[rows]
        sizes = np.unique(key, return_counts=True)[1].astype(np.float64)
        return float(sizes.mean()), float(np.mean(sizes**2) / sizes.mean())

    def decayed(self, day: date, decay: float, *, by_row: bool = False) -> DecayedPast:
        """The past as seen from ``day``.

        Parameters
        ----------
        day : date
            Rows known by its midnight are used; ages are counted from it.
        decay : float
            Weight of an incident that is a year older, in (0, 1].
        by_row : bool
            Count rows, not distinct incidents.
        """
        if not 0 < decay <= 1:
            raise ModelError(f"The decay must lie in (0, 1]; found {decay!r}.")
        midnight = np.datetime64(day)
        keep = np.flatnonzero(self.usable() & (self.known_at <= midnight) & (self.time < midnight))
        keep = keep if by_row else keep[self._first(keep)]
        days = self.days()
        ages = (midnight - days[days < midnight]) / np.timedelta64(1, "D") - 0.5
        if ages.size == 0:
            return DecayedPast(np.zeros(self.n_cells), 0.0)
        weights = decay ** (ages / DAYS_PER_YEAR)
        scale = float(weights.sum() / np.square(weights).sum())
        age = _years(np.datetime64(day, "s") - self.time[keep])
        counts = np.bincount(self.cell[keep], weights=scale * decay**age, minlength=self.n_cells)
        return DecayedPast(counts.astype(np.float64), scale * float(weights.sum()) / DAYS_PER_YEAR)

    def _first(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Positions in ``rows`` of the first row of each (incident, cell), ascending."""
        key = self.incident[rows] * np.int64(self.n_cells + 1) + self.cell[rows]
        _, first = np.unique(key, return_index=True)
        return np.sort(first)


def _longest_silence(daily: NDArray[np.int64]) -> int:
    """Most days in a row without any row, between days that have some."""
    told = np.flatnonzero(daily)
    return int(np.diff(told).max(initial=1)) - 1


def _years(ages: NDArray[np.timedelta64]) -> NDArray[np.float64]:
    return ages / np.timedelta64(1, "D") / DAYS_PER_YEAR


def _observed(times: NDArray[np.datetime64], cutoff: date | None) -> Window:
    dated = times[~np.isnat(times)]
    if cutoff is not None:
        dated = dated[dated < np.datetime64(cutoff)]
    if dated.size == 0:
        end = cutoff if cutoff is not None else date(1970, 1, 2)
        return Window(end - timedelta(days=1), end)
    months = dated.astype("datetime64[M]")
    names, counts = np.unique(months, return_counts=True)
    usual = names[counts >= _SPARSE_MONTH * float(np.median(counts))]
    start: date = usual[0].astype("datetime64[D]").item()
    last: date = dated.max().astype("datetime64[D]").item()
    end = cutoff if cutoff is not None else last + timedelta(days=1)
    return Window(start, end)
