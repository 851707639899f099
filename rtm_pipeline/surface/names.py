"""What the parts of the forecast that are no factor are called for people."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PART_LABELS"]

PART_LABELS: Mapping[str, str] = {
    "background": "background",
    "past_nearby": "past incidents nearby",
    "past_here": "past incidents here",
}
"""Name in ``contribution_names`` -> name for people."""
