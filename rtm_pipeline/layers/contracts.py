"""What every later room may rely on: the contracts of the canonical layers, checked once, at the end of the reading."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import shapely

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.layers.layer import Layer

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import DataFrameSchema

__all__ = ["check_layer", "contract"]

MOST_FAULTS_SHOWN = 3


@cache
def contract(kind: str, *, dated: bool) -> DataFrameSchema:
    """The contract of a canonical layer of a kind, as a pandera schema over its columns.

    Parameters
    ----------
    kind : str
        ``events``, ``sites``, ``requests`` or ``areas``.
    dated : bool
        Whether every row has a time.
    """
    import pandera.pandas as pa

    finite = pa.Check(np.isfinite, error="is finite")
    columns = {
        "x": pa.Column("float64", finite),
        "y": pa.Column("float64", finite),
        "time": pa.Column("datetime64[s]", nullable=not dated),
        "known_at": pa.Column("datetime64[s]"),
        "until": pa.Column("datetime64[s]", nullable=True),
        "category": pa.Column("int16", pa.Check.ge(-1)),
        "incident": pa.Column("int64", pa.Check.ge(0)),
        "known_after_it_happened": pa.Column("bool", pa.Check(_is_so, error="is so")),
        "polygon": pa.Column("bool", pa.Check(_is_so, error="is so") if kind == "areas" else None),
    }
    return pa.DataFrameSchema(columns, strict=True, name=kind)


def _is_so(facts: pd.Series[bool]) -> pd.Series[bool]:
    return facts


def check_layer(layer: Layer, *, dated: bool = False) -> None:
    """Check a layer, and its withdrawn rows, against the contract of its kind.

    Parameters
    ----------
    layer : Layer
    dated : bool
        Whether every row must have a time.

    Raises
    ------
    SchemaError
        Naming the column, the check and the first rows that fail.
    """
    _check_shape(layer)
    if layer.category.size and int(layer.category.max()) >= len(layer.category_names):
        raise SchemaError(
            f"Layer {layer.name!r}: a row has a category beyond the {len(layer.category_names)} declared."
        )
    _check_columns(layer, dated)
    if layer.withdrawn is not None:
        check_layer(layer.withdrawn, dated=dated)


def _check_shape(layer: Layer) -> None:
    columns = {
        "y": layer.y,
        "time": layer.time,
        "known_at": layer.known_at,
        "until": layer.until,
        "category": layer.category,
        "incident": layer.incident,
        **layer.flags,
        **({} if layer.geometry is None else {"geometry": layer.geometry}),
        **({} if layer.inside is None else {"inside": layer.inside}),
    }
    for name in ("time", "known_at", "until"):
        if columns[name].dtype != np.dtype("datetime64[s]"):
            raise SchemaError(f"Layer {layer.name!r}: {name} must be datetime64[s]; found {columns[name].dtype}.")
    sizes = {name: int(column.size) for name, column in columns.items()} | {"attributes": layer.attributes.num_rows}
    wrong = {name: size for name, size in sizes.items() if size != len(layer)}
    if wrong:
        raise SchemaError(f"Layer {layer.name!r} has {len(layer)} rows, but {wrong} differ.")


def _check_columns(layer: Layer, dated: bool) -> None:
    import pandas as pd
    from pandera.errors import SchemaErrors

    frame = pd.DataFrame(
        {
            "x": layer.x,
            "y": layer.y,
            "time": layer.time,
            "known_at": layer.known_at,
            "until": layer.until,
            "category": layer.category,
            "incident": layer.incident,
            "known_after_it_happened": np.isnat(layer.time) | np.isnat(layer.known_at) | (layer.known_at > layer.time),
            "polygon": _are_polygons(layer),
        }
    )
    try:
        contract(layer.kind, dated=dated).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases
        shown = [
            f"{case['column']} {case['check']} (row {case['index']}: {case['failure_case']})"
            for case in cases.head(MOST_FAULTS_SHOWN).to_dict("records")
        ]
        raise SchemaError(
            f"Layer {layer.name!r} breaks the contract of {layer.kind} {len(cases)} time(s): {'; '.join(shown)}."
        ) from error


def _are_polygons(layer: Layer) -> np.ndarray:
    if layer.geometry is None:
        return np.zeros(len(layer), bool)
    polygons = [int(shapely.GeometryType.POLYGON), int(shapely.GeometryType.MULTIPOLYGON)]
    return np.isin(shapely.get_type_id(layer.geometry), polygons)
