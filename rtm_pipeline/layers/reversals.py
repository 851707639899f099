"""Rows that take other rows back (a count of -1), matched as a stack over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.layers.dates import NAT, Times

__all__ = ["Netting", "net_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Netting:
    """Which rows reversals take back.

    Attributes
    ----------
    netted_by : ndarray of int64, shape (n,)
        For a netted row the index of its reversal, else -1.
    unpartnered : int
        Reversals that take back nothing that is here.
    """

    netted_by: NDArray[np.int64]
    unpartnered: int

    @property
    def netted(self) -> NDArray[np.bool_]:
        """Rows (n,) that a reversal took back."""
        return self.netted_by >= 0

    def reversed_at(self, known_at: Times) -> Times:
        """When each row's reversal became known, (n,); NaT for rows that stand."""
        return np.where(self.netted, known_at[self.netted_by], NAT)


def net_rows(identity: NDArray[np.int64], reversal: NDArray[np.bool_], known_at: Times) -> Netting:
    """Match every reversal with the latest-known row of its identity that was known when it was.

    Parameters
    ----------
    identity : ndarray of int64, shape (n,)
        Equal for rows that a reversal may net; -1 for rows without identity, which are never matched.
    reversal : ndarray of bool, shape (n,)
        The rows that take back.
    known_at : ndarray of datetime64[s], shape (n,)
        Rows known at the same time as a reversal stand before it. A reversal of unknown date comes last, a row of
        unknown date first.

    Notes
    -----
    Read in the order of time, rows open and reversals close, like brackets: each reversal closes the bracket that was
    opened last. The matches of a beginning of the sequence are therefore the beginning of the matches, so that what
    became known later never changes what had been netted by a date. Brackets match where, within one identity, the
    depth is the same; no loop over rows is needed.
    """
    netted_by = np.full(identity.size, -1, np.int64)
    # Only identities that have a reversal matter.
    relevant = np.flatnonzero(np.isin(identity, np.unique(identity[reversal & (identity >= 0)])) & (identity >= 0))
    unpartnered = int(np.count_nonzero(reversal & (identity < 0)))
    if not relevant.size:
        return Netting(netted_by, unpartnered)
    closes = reversal[relevant]
    moment = known_at[relevant].astype(np.int64)
    unknown = np.isnat(known_at[relevant])
    moment[unknown] = np.where(closes[unknown], np.iinfo(np.int64).max, np.iinfo(np.int64).min)
    order = np.lexsort((relevant, closes, moment, identity[relevant]))
    rows, closes = relevant[order], closes[order]
    group = np.cumsum(np.diff(identity[rows], prepend=-2) != 0) - 1
    matched = ~_closes_nothing(closes, group)
    unpartnered += int(np.count_nonzero(~matched))
    rows, closes, group = rows[matched], closes[matched], group[matched]
    depth = _running_total(np.where(closes, -1, 1), group) + closes
    # At one depth of one identity rows and reversals alternate: a reversal nets the row right before it.
    order = np.lexsort((np.arange(rows.size), depth, group))
    rows, closes = rows[order], closes[order]
    closing = np.flatnonzero(closes)
    netted_by[rows[closing - 1]] = rows[closing]
    return Netting(netted_by, unpartnered)


def _running_total(steps: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Running sum of ``steps`` that begins anew with each group (groups are contiguous and ascending)."""
    total = np.cumsum(steps)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    before = np.repeat(total[starts] - steps[starts], np.diff(np.append(starts, group.size)))
    result: NDArray[np.int64] = total - before
    return result


def _closes_nothing(closes: NDArray[np.bool_], group: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Reversals that come when no row is open: where the running sum falls to a new low below zero."""
    total = _running_total(np.where(closes, -1, 1), group)
    # A running minimum per group: shift each group below the one before it, so that its predecessors never matter.
    shift = group * np.int64(2 * closes.size + 2)
    low = np.minimum.accumulate(total - shift)
    before = np.empty_like(low)
    before[1:] = low[:-1]
    first = np.flatnonzero(np.diff(group, prepend=-1))
    before[first] = -shift[first]
    nothing: NDArray[np.bool_] = closes & (total - shift < np.minimum(before, -shift))
    return nothing
