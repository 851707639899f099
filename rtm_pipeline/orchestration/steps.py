"""The whole night of a city, in order: read this list from top to bottom and you have read what happens."""

from __future__ import annotations

from rtm_pipeline.config.city import City
from rtm_pipeline.orchestration.step import Step
from rtm_pipeline.orchestration.steps_evaluation import evaluation_steps
from rtm_pipeline.orchestration.steps_evidence import evidence_steps
from rtm_pipeline.orchestration.steps_factors import factor_steps
from rtm_pipeline.orchestration.steps_followup import followup_steps
from rtm_pipeline.orchestration.steps_health import health_steps
from rtm_pipeline.orchestration.steps_ingest import ingest_steps
from rtm_pipeline.orchestration.steps_model import model_steps
from rtm_pipeline.orchestration.steps_priorities import priority_steps
from rtm_pipeline.orchestration.steps_registers import register_steps
from rtm_pipeline.orchestration.steps_release import release_steps
from rtm_pipeline.orchestration.steps_surface import surface_steps
from rtm_pipeline.orchestration.steps_zones import zone_steps

__all__ = ["steps_of"]


def steps_of(city: City) -> dict[str, Step]:
    """All steps of a city by name; a step stands after its inputs."""
    steps = [
        *ingest_steps(city),
        *health_steps(city),
        *factor_steps(city),
        *model_steps(city),
        *surface_steps(city),
        *evaluation_steps(city),
        *evidence_steps(city),
        *register_steps(city),
        *priority_steps(city),
        *zone_steps(city),
        *followup_steps(city),
        *release_steps(city),
    ]
    return {step.name: step for step in steps}
