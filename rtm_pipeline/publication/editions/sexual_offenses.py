"""Sexual offenses are told for the city as a whole, never for a smaller place in the public edition.

The configuration says which rows they are (``outcome.sexual_offenses``), or that there are none. If it says nothing,
categories whose names speak of them are told apart; without such categories nobody knows, and the public edition then
holds back every count of the outcome by neighborhood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.publication.content import ReleaseContent

__all__ = ["NONE_THERE", "SexualOffenses", "sexual_offenses"]

NONE_THERE = "none"
_NAMED = re.compile(r"rape|sex|sodom|indecen|molest|incest", re.IGNORECASE)
_UNKNOWN = (
    "the configuration does not say which rows of the outcome are sexual offenses, which may be told for the city only "
    "(outcome.sexual_offenses)"
)
_INSIDE = "the forecast counts sexual offenses too, which may be told for the city only"


@dataclass(frozen=True, slots=True)
class SexualOffenses:
    """What is known of sexual offenses in the outcome.

    Attributes
    ----------
    counts_withheld : str
        Why the public edition tells no count of the outcome by neighborhood; empty: it may.
    forecast_withheld : str
        Why it tells no forecast by neighborhood, and no measure of accuracy by neighborhood; empty: it may.
    flag : str or None
        Flag of the outcome's layer that marks them.
    """

    counts_withheld: str
    forecast_withheld: str
    flag: str | None

    def rows(self, layer: Layer) -> NDArray[np.bool_]:
        """Rows (m,) of incidents with a sexual offense: the whole incident is told for the city only."""
        found = layer.flags.get(self.flag or "")
        if found is None:
            found = np.isin(layer.category, _named(layer))
        return np.asarray(np.isin(layer.incident, layer.incident[found]), bool)


def sexual_offenses(content: ReleaseContent) -> SexualOffenses:
    """What the configuration and the layer of the outcome say of them."""
    if content.sexual == NONE_THERE:
        return SexualOffenses("", "", None)
    result = content.layers.get(content.outcome)
    if result is None:
        return SexualOffenses(_UNKNOWN, _UNKNOWN, None)
    if content.sexual is not None and content.sexual in result.layer.flags:
        inside = bool(np.any(result.layer.flags[content.sexual]))
        return SexualOffenses("", _INSIDE if inside else "", content.sexual)
    if content.sexual is None and _named(result.layer):
        return SexualOffenses("", _INSIDE, None)
    return SexualOffenses(_UNKNOWN, _UNKNOWN, None)


def _named(layer: Layer) -> list[int]:
    return [at for at, name in enumerate(layer.category_names) if _NAMED.search(name)]
