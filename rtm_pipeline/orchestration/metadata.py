"""What an analyst sees beside an asset: small tables and pictures."""

from __future__ import annotations

import base64
from typing import Any

import dagster as dg
import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.layer import LayerCounts

__all__ = ["counts_table", "markdown_curve", "markdown_picture", "records_table"]


def markdown_picture(grid: StudyGrid, values: NDArray[np.generic]) -> dg.MarkdownMetadataValue:
    """A thumbnail of one value a cell, inline; under 100 kB because it enters the event log."""
    from rtm_pipeline.publication.picture import thumbnail

    pixels = 360
    image = thumbnail(grid, values, pixels=pixels)
    while len(image) > 70_000 and pixels > 60:
        pixels //= 2
        image = thumbnail(grid, values, pixels=pixels)
    return dg.MetadataValue.md(f"![map](data:image/png;base64,{base64.b64encode(image).decode()})")


def markdown_curve(
    x: NDArray[np.float64], y: NDArray[np.float64], error: NDArray[np.float64], chosen: int, x_name: str, y_name: str
) -> dg.MarkdownMetadataValue:
    """A small plot of a curve with its errors over a logarithmic axis, and the point that was chosen; inline."""
    from rtm_pipeline.publication.picture import curve

    image = curve(x, y, error, chosen, x_name, y_name)
    return dg.MetadataValue.md(f"![{y_name}](data:image/png;base64,{base64.b64encode(image).decode()})")


def counts_table(counts: LayerCounts) -> dg.TableMetadataValue:
    """The account of a layer's rows."""
    rows = [("kept", "", counts.kept), ("duplicate", "", counts.duplicate)]
    rows += [("filtered", reason, number) for reason, number in counts.filtered_by.items()]
    rows += [("quarantined", reason, number) for reason, number in counts.quarantined.items()]
    return records_table([{"what": what, "why": why, "rows": int(number)} for what, why, number in rows])


def records_table(records: list[dict[str, Any]]) -> dg.TableMetadataValue:
    """Plain records as an inline table; numbers and text only."""
    return dg.MetadataValue.table(records=[dg.TableRecord(_scalars(record)) for record in records])


def _scalars(record: dict[str, Any]) -> dict[str, str | int | float | bool]:
    return {key: value if isinstance(value, str | int | float | bool) else str(value) for key, value in record.items()}
