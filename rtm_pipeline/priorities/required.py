"""Sites that a budget requires, parted from those that nobody can be sent to any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from rtm_pipeline.priorities.sites import Sites

__all__ = ["part_required"]


def part_required(
    must: Sequence[str], sites: Sites, treated: Collection[str] = ()
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Required sites to be asked for, and those to be left out with the reason.

    A list of required sites outlives its work: once a site is done, or people say that it is a garden, asking for it
    would stop every later night. An id that was never heard of stays in the first part, to be refused as a mistake.

    Parameters
    ----------
    must : sequence of str
        Ids as configured.
    sites : Sites
        With exclusions applied.
    treated : collection of str
        Ids of sites whose work is done; they may have left the inventory.
    """
    kept, left = [], {}
    for name in must:
        at = int(np.searchsorted(sites.site_id, name))
        here = at < len(sites) and str(sites.site_id[at]) == name
        if here and not sites.selectable[at]:
            left[name] = str(sites.reason[at])
        elif not here and name in treated:
            left[name] = "treated before"
        else:
            kept.append(name)
    return tuple(kept), left
