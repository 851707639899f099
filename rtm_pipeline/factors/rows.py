"""Which rows of a layer are features of a factor at a date."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.factors.spec import FactorSpec

if TYPE_CHECKING:
    from rtm_pipeline.layers.layer import Layer

__all__ = ["earliest_known", "features_known", "unknown_at"]

Places = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.object_] | None]


def features_known(layer: Layer, spec: FactorSpec, known_at: date, *, assume_history: bool = False) -> Places:
    """Places and geometry of the rows that count.

    Parameters
    ----------
    layer : Layer
        Rows that a reversal took back after ``known_at`` count, as nobody knew of it then; rows that are dated
        ``known_at`` or later do not.
    spec : FactorSpec
    known_at : date
    assume_history : bool

    Returns
    -------
    x, y : ndarray of float64, shape (m,)
    geometry : ndarray of object, shape (m,), or None

    Raises
    ------
    ConfigError
        A category that the layer does not have.
    """
    from rtm_pipeline.layers.vintage import as_known, assert_known, in_lookback, rows_known

    codes = _category_codes(layer, spec)
    if layer.withdrawn is not None:
        layer = as_known(layer, known_at, assume_history=assume_history)
        rows = np.ones(len(layer), np.bool_)
    else:
        rows = rows_known(layer, known_at, assume_history=assume_history)
    # What is known but dated later (a licence from next month on) is not there yet.
    rows = rows & in_lookback(layer, known_at, spec.lookback) & ~(layer.time >= np.datetime64(known_at, "s"))
    assert_known(layer, rows, known_at, assume_history=assume_history)
    if codes is not None:
        rows &= np.isin(layer.category, codes)
    chosen = np.flatnonzero(rows)
    if spec.unit == "incident" and layer.kind in ("events", "requests"):
        chosen = chosen[np.sort(np.unique(layer.incident[chosen], return_index=True)[1])]
    return layer.x[chosen], layer.y[chosen], None if layer.geometry is None else layer.geometry[chosen]


def _category_codes(layer: Layer, spec: FactorSpec) -> list[int] | None:
    if not spec.categories:
        return None
    unknown = [name for name in spec.categories if name not in layer.category_names]
    if unknown:
        found = ", ".join(layer.category_names) or "none"
        raise ConfigError(
            f"factors.{spec.name}.categories: layer {layer.name!r} has no category {unknown[0]!r}; it has: {found}."
        )
    return [layer.category_names.index(name) for name in spec.categories]


def earliest_known(layer: Layer) -> date | None:
    """The first date at which anything of a layer was known; None if it has no dated row and does not say."""
    if layer.earliest_known is not None:
        return layer.earliest_known
    dated = layer.known_at[~np.isnat(layer.known_at)]
    if not dated.size:
        return None
    first: date = dated.min().astype("datetime64[D]").item()
    return first


def unknown_at(layer: Layer, known_at: date) -> str | None:
    """Why a layer can't be a factor at a date, if it did not exist for us then; None if it did."""
    if layer.earliest_known is not None and layer.earliest_known > known_at:
        return f"layer {layer.name!r} was first known at {layer.earliest_known}, after {known_at}"
    return None
