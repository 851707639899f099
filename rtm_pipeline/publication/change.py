"""What differs between tonight and an earlier release, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

__all__ = ["Change", "RankMoves", "TierMoves"]


@dataclass(frozen=True, slots=True)
class TierMoves:
    """Cells that rose into the top 5 % of a surface, that fell out of it, and that stayed.

    ``correlation`` is the rank correlation of the two surfaces over the cells that both have; None without variation.
    """

    entered: int
    left: int
    stayed: int
    correlation: float | None


@dataclass(frozen=True, slots=True)
class RankMoves:
    """What moved among the first sites of a list.

    Attributes
    ----------
    table : str
    first : int
        How many sites are looked at.
    came : tuple of str
        Ids of those that were not among the first then, by rank.
    funded, no_longer_funded : int
        Sites that are funded now and were not then, and the other way round.
    """

    table: str
    first: int
    came: tuple[str, ...]
    funded: int
    no_longer_funded: int


@dataclass(frozen=True, slots=True)
class Change:
    """Tonight against one earlier release.

    Attributes
    ----------
    run_id : str
    as_of : date
    new_sources : tuple of str
        Sources that had another content then, or were not there.
    terms : tuple of (str, float or None, float or None)
        Terms of the model of either night: in words, RRV then, RRV now; None where it was not in the model.
    verdict : tuple of str
        Then and now; empty where not known.
    rows : tuple of (str, int, int)
        Layers (by their names for people) with another number of rows that were kept: then and now.
    ranks : tuple of RankMoves
        For the restricted edition: what moved at the head of the lists of sites.
    risk_terrain, forecast : TierMoves or None
        None where the earlier release has no such surface on tonight's cells.
    """

    run_id: str
    as_of: date
    new_sources: tuple[str, ...]
    terms: tuple[tuple[str, float | None, float | None], ...]
    verdict: tuple[str, str]
    rows: tuple[tuple[str, int, int], ...]
    ranks: tuple[RankMoves, ...]
    risk_terrain: TierMoves | None
    forecast: TierMoves | None
