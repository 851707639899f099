"""When data are doubted: the rules, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from rtm_pipeline.units import Duration

__all__ = ["KINDS", "HealthRules"]

KINDS = ("quiet", "shrank", "columns", "vocabulary", "moved", "piled")


@dataclass(frozen=True, slots=True)
class HealthRules:
    """What becomes of each kind of doubt: ``off``, ``warn`` or ``block``.

    Attributes
    ----------
    quiet : str
        Hardly any rows came lately.
    shrank : str
        Many rows fewer than on the nights before, in the source or among those that the layer keeps.
    columns : str
        Columns came, went or were renamed.
    vocabulary : str
        Codes or categories that the configuration tests came or went.
    moved : str
        The coordinates lie elsewhere than on the nights before.
    piled : str
        Many rows stand on one point.
    quiet_after : Duration, optional
        Age of the latest row at which a feed counts as quiet; None: judged by its own rhythm.
    shrink_share : float
        Share of rows that must be gone.
    pile_share : float
        Share of located rows on one point.
    accepted : date, optional
        Nights before this day are no longer compared with.
    """

    quiet: str = "warn"
    shrank: str = "block"
    columns: str = "warn"
    vocabulary: str = "warn"
    moved: str = "block"
    piled: str = "warn"
    quiet_after: Duration | None = None
    shrink_share: float = 0.4
    pile_share: float = 0.05
    accepted: date | None = None

    def level(self, kind: str) -> str:
        """What becomes of a kind of doubt."""
        return str(getattr(self, kind))
