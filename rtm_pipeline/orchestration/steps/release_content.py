"""What a release says beside its values: whom data are owed to, what is missing and why, what changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtm_pipeline.config.city import EDITIONS, City
from rtm_pipeline.errors import PublishError
from rtm_pipeline.layers.layer import LayerResult

if TYPE_CHECKING:
    from rtm_pipeline.publication.content import ReleaseContent, SourceCredit
    from rtm_pipeline.publication.release.store import Promoted

__all__ = ["compared_content", "credits_of", "missing_parts"]

logger = logging.getLogger(__name__)


def compared_content(content: ReleaseContent, folder: Path, earlier: Sequence[Promoted]) -> ReleaseContent:
    """The content with what is different from earlier releases; an earlier one that is damaged stops no night.

    Parameters
    ----------
    content : ReleaseContent
    folder : Path
        Of the city's releases.
    earlier : sequence of Promoted
        The nearest first: tonight's ``change.tif`` is measured against it.
    """
    from rtm_pipeline.publication.facts.changes import change_since
    from rtm_pipeline.publication.release.earlier import read_release

    if not earlier:
        return replace(content, missing={**content.missing, "changes": "no earlier release was current"})
    changes, why_not = [], []
    compared = None
    for at, item in enumerate(earlier):
        try:
            changes.append(change_since(folder / item.run_id, content))
            if at == 0:
                compared = read_release(folder / item.run_id, content.grid)
        except PublishError as error:
            logger.warning("Tonight is not compared with %s: %s", item.run_id, error)
            why_not.append(str(error))
    missing = {**content.missing, **({"changes": " ".join(why_not)} if why_not else {})}
    return replace(content, changes=tuple(changes), compared=compared, missing=missing)


def credits_of(city: City) -> tuple[SourceCredit, ...]:
    """Attribution, terms, license, disclaimer and editions of every source of which any is configured."""
    from rtm_pipeline.publication.content import SourceCredit

    found = []
    for name, source in city.sources.items():
        said = (source.attribution, source.terms_url, source.license, source.disclaimer)
        if any(said) or city.editions[name] != EDITIONS:
            found.append(SourceCredit(name, *said, city.editions[name]))
    return tuple(found)


def missing_parts(city: City, layers: Mapping[str, LayerResult]) -> dict[str, str]:
    """Parts that this city's nights have not got, with the reason; reports say it where the part would stand."""
    found: dict[str, str] = {}
    programs = city.programs
    if programs is None:
        off = "no programs are configured"
        found |= dict.fromkeys(("priority_lots", "priority_buildings", "grants", "neighborhoods"), off)
    else:
        targets = {plan.target for plan in programs.sites}
        for target in sorted({"lot", "building"} - targets):
            found[f"priority_{target}s"] = f"programs names no layer of {target}s"
        if programs.spec.grants is None:
            found["grants"] = "programs has no grants"
        if programs.neighborhoods is None:
            found["neighborhoods"] = "programs names no layer of neighborhoods"
    if not any(result.layer.kind == "requests" for result in layers.values()):
        found["evidence_311"] = "there is no layer of 311 requests"
    return found
