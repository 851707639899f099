"""What an analyst sees beside an asset: small tables and pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.layer import LayerCounts

__all__ = ["counts_table", "frontier_picture", "markdown_curve", "markdown_picture", "note_value", "records_table"]


def markdown_picture(grid: StudyGrid, values: NDArray[np.generic]) -> dg.MarkdownMetadataValue:
    """A thumbnail of one value a cell, inline; under 100 kB because it enters the event log."""
    from rtm_pipeline.publication.rasters.picture import thumbnail

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
    from rtm_pipeline.publication.rasters.picture import curve

    image = curve(x, y, error, chosen, x_name, y_name)
    return dg.MetadataValue.md(f"![{y_name}](data:image/png;base64,{base64.b64encode(image).decode()})")


def frontier_picture(frontier: pa.Table) -> dg.MarkdownMetadataValue:
    """Budget against expected prevented incidents, as a small inline plot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    budget, prevented = (frontier.column(name).to_numpy() for name in ("budget_usd", "expected_prevented"))
    figure = Figure(figsize=(4.8, 3.0), dpi=80, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(budget / 1000.0, prevented, marker="o", markersize=3, linewidth=1.5, color="#1b6ca8")
    axes.set_xlabel("budget (1,000 USD)")
    axes.set_ylabel("incidents a year prevented")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return dg.MetadataValue.md(f"![frontier](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})")


def counts_table(counts: LayerCounts) -> dg.TableMetadataValue:
    """The account of a layer's rows."""
    rows = [("kept", "", counts.kept), ("duplicate", "", counts.duplicate)]
    rows += [("filtered", reason, number) for reason, number in counts.filtered_by.items()]
    rows += [("quarantined", reason, number) for reason, number in counts.quarantined.items()]
    return records_table([{"what": what, "why": why, "rows": int(number)} for what, why, number in rows])


def records_table(records: list[dict[str, Any]]) -> dg.TableMetadataValue:
    """Plain records as an inline table; numbers and text only."""
    return dg.MetadataValue.table(records=[dg.TableRecord(_scalars(record)) for record in records])


def note_value(note: object) -> dg.TableMetadataValue | str:
    """A fact about a layer as people read it: a table of what is told by year or by value, else words."""
    if not isinstance(note, Mapping) or not note:
        return str(note)
    if all(isinstance(told, Mapping) for told in note.values()):
        return records_table([{"of": str(name), **told} for name, told in note.items()])
    return records_table([{"of": str(name), "rows": told} for name, told in note.items()])


def _scalars(record: dict[str, Any]) -> dict[str, str | int | float | bool]:
    return {key: _scalar(value) for key, value in record.items()}


def _scalar(value: Any) -> str | int | float | bool:
    """Four digits are what a table in the UI has room for; every digit stands in the release."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if isinstance(value, str | int | bool) else str(value)
