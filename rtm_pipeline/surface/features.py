"""The continuous features of a forecast, from risk factors of one vintage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.factors.continuous import continuous
from rtm_pipeline.factors.factor import Factor
from rtm_pipeline.surface.windows import Features

__all__ = ["features_of"]


def features_of(factors: Mapping[str, Factor], known_at: date, n_cells: int) -> Features:
    """Log distance and the kept log densities of every factor.

    Parameters
    ----------
    factors : mapping of str to Factor
        As known at ``known_at`` or before (an undated layer may have an earlier vintage).
    known_at : date
    n_cells : int

    Raises
    ------
    ModelError
        If a factor is newer than ``known_at``.
    """
    columns: list[NDArray[np.float32]] = []
    names: list[str] = []
    owners: list[str] = []
    newest = known_at
    for name, factor in factors.items():
        newest = max(newest, factor.known_at)
        forms = continuous(factor)
        columns.append(forms.columns)
        names += forms.names
        owners += [name] * len(forms.names)
    values = np.concatenate(columns, axis=1) if columns else np.empty((n_cells, 0), np.float32)
    features = Features(newest, values, tuple(names), tuple(owners))
    features.refuse_known_after(known_at)
    return features
