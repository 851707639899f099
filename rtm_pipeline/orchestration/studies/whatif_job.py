"""The what-if in the Dagster UI: one job a city, with a small run configuration."""

# No `from __future__ import annotations` here: see assets.py.

import dagster as dg
from pydantic import Field

from rtm_pipeline.orchestration.assets import lock_key
from rtm_pipeline.orchestration.metadata import markdown_picture, records_table
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.studies.whatif import WhatIf, parse_site, run_whatif

__all__ = ["WhatIfFields", "whatif_job", "whatif_name"]


class WhatIfFields(dg.Config):
    """What to try against the last run. Nothing of it is released, and `latest` stays where it is."""

    treat: list[str] = Field([], description="Sites to treat, as SITE or SITE=work (greening, mowing, repair ...).")
    demolish: list[str] = Field([], description="Buildings to demolish.")
    without_311: list[str] = Field([], description="Categories of 311 requests to take away, as in the layer.")


def whatif_name(city: str) -> str:
    """Name of a city's what-if job."""
    return f"{city}_whatif"


def whatif_job(city: str, paths: Paths) -> dg.JobDefinition:
    """The job of one city."""

    @dg.op(
        name=f"{city}__whatif",
        required_resource_keys={lock_key(city)},
        description="Treat sites, demolish buildings or take a 311 category away, against the last run.",
    )
    def whatif(context: dg.OpExecutionContext, config: WhatIfFields) -> None:
        request = WhatIf(
            tuple(parse_site(text) for text in config.treat), tuple(config.demolish), tuple(config.without_311)
        )
        result = run_whatif(city, paths, request)
        facts = result.facts
        before = {term["variable"]: term["rrv"] for term in facts["model"]["before"]}
        after = {term["variable"]: term["rrv"] for term in facts["model"]["after"]}
        terms = [
            {"variable": name, "RRV before": before.get(name, "-"), "RRV after": after.get(name, "-")}
            for name in dict.fromkeys([*before, *after])
        ]
        context.log_event(
            dg.AssetObservation(
                asset_key=dg.AssetKey([city, "risk_terrain"]),
                metadata={
                    "note": facts["note"],
                    "benefit": dg.MetadataValue.json(facts["benefit"] or {}),
                    "model": records_table(terms or [{"variable": "no factor was selected"}]),
                    "surfaces": dg.MetadataValue.json({name: facts[name] for name in ("risk_terrain", "forecast")}),
                    "funded set": dg.MetadataValue.json(facts["programs"] or {}),
                    "folder": dg.MetadataValue.path(str(result.folder)),
                    **{f"map of {name}": markdown_picture(result.grid, values) for name, values in result.maps.items()},
                },
            )
        )

    @dg.job(
        name=whatif_name(city),
        description="What if these sites were treated, these buildings demolished, these requests never made? "
        "Numbers and maps of the difference; nothing is released.",
        tags={"city": city},
    )
    def job() -> None:
        whatif()

    return job
