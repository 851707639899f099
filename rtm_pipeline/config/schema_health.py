"""The ``health`` and ``editions`` sections: when data are doubted, and what the terms of a source allow."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from rtm_pipeline.config.fields import DurationText, Slug, Strict

__all__ = ["EditionList", "HealthModel", "HealthRulesModel", "SourceHealthModel"]

Level = Literal["off", "warn", "block"]


def _with_restricted(editions: tuple[str, ...]) -> tuple[str, ...]:
    if "restricted" not in editions:
        raise ValueError(
            "write [restricted] or [public, restricted]: a source that planners may not see is left out of 'sources'"
        )
    return tuple(dict.fromkeys(editions))


EditionList = Annotated[
    tuple[Literal["public", "restricted"], ...],
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [value]),
    AfterValidator(_with_restricted),
]


class HealthRulesModel(Strict):
    """What is watched; what is not given here comes from the source, then from the section itself."""

    quiet: Level | None = None
    """Fewer or no rows lately. Default: warn."""
    shrank: Level | None = None
    """Many rows fewer than before. Default: block."""
    columns: Level | None = None
    """Columns that came, went or were renamed. Default: warn."""
    vocabulary: Level | None = None
    """Codes and categories that came or went. Default: warn."""
    moved: Level | None = None
    """Coordinates lie elsewhere than before. Default: block."""
    piled: Level | None = None
    """Many rows on one point. Default: warn."""
    quiet_after: DurationText | None = None
    """Age of the latest row at which a feed counts as quiet; by default judged by its own rhythm."""
    shrink_share: float | None = Field(default=None, gt=0, lt=1)
    """Share of rows that must be gone to count as shrunk. Default: 0.4."""
    pile_share: float | None = Field(default=None, gt=0, le=1)
    """Share of rows on one point that counts as a pile. Default: 0.05."""
    accepted: date | None = None
    """What the source has been since this day is right: earlier nights are no longer compared with."""


class SourceHealthModel(HealthRulesModel):
    """Rules of one source and the layers on it."""

    last_good: DurationText | None = None
    """How old the last good snapshot may be that stands in when the source can't be read; 0d: none does."""


class HealthModel(SourceHealthModel):
    """Rules of all sources, then of single sources and layers."""

    sources: dict[Slug, SourceHealthModel] = {}
    """Source -> its own rules, for it and the layers on it."""
    layers: dict[Slug, HealthRulesModel] = {}
    """Layer -> its own rules."""
