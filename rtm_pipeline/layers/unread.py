"""Columns that could not be read, in words: what stands in them, and what to write so that it can be read."""

from __future__ import annotations

from collections.abc import Mapping

from rtm_pipeline.layers.spec import LayerSpec
from rtm_pipeline.layers.value_shapes import decimal_hint, formats_hint

__all__ = ["unread_words"]


def unread_words(spec: LayerSpec, notes: Mapping[str, object]) -> list[str]:
    """One or two sentences a column of dates or coordinates that has values which can't be read.

    Parameters
    ----------
    spec : LayerSpec
    notes : mapping
        Of the layer: ``unreadable_COLUMN`` holds the shapes of such values and how many have each.
    """
    found = []
    for key, dates in (("date", spec.date), ("until", spec.until)):
        shapes = notes.get(f"unreadable_{dates.column}") if dates else None
        if dates is None or not isinstance(shapes, Mapping):
            continue
        hint = formats_hint(shapes)
        advice = f" Write {hint} at layers.{spec.name}.{key}." if hint else ""
        found.append(f"Dates in {dates.column!r} look like {dict(shapes)}, which none of {dates.formats} fits.{advice}")
    for column in spec.geometry.columns:
        shapes = notes.get(f"unreadable_{column}")
        if isinstance(shapes, Mapping):
            advice = f' Write decimal: "," at sources.{spec.source}.' if decimal_hint(shapes) else ""
            found.append(f"Coordinates in {column!r} look like {dict(shapes)}, which are no numbers.{advice}")
    return found
