"""The whole night of a city, in order: read this list from top to bottom and you have read what happens."""

from __future__ import annotations

from rtm_pipeline.config.city import City
from rtm_pipeline.orchestration.step import Step
from rtm_pipeline.orchestration.steps.evaluation import evaluation_steps
from rtm_pipeline.orchestration.steps.evidence import evidence_steps
from rtm_pipeline.orchestration.steps.factors import factor_steps
from rtm_pipeline.orchestration.steps.followup import followup_steps
from rtm_pipeline.orchestration.steps.health import health_steps
from rtm_pipeline.orchestration.steps.ingest import ingest_steps
from rtm_pipeline.orchestration.steps.model import model_steps
from rtm_pipeline.orchestration.steps.priorities import priority_steps
from rtm_pipeline.orchestration.steps.registers import register_steps
from rtm_pipeline.orchestration.steps.release import release_steps
from rtm_pipeline.orchestration.steps.sensitivity import sensitivity_steps
from rtm_pipeline.orchestration.steps.surface import surface_steps
from rtm_pipeline.orchestration.steps.zones import zone_steps

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
        *sensitivity_steps(city),
        *register_steps(city),
        *priority_steps(city),
        *zone_steps(city),
        *followup_steps(city),
        *release_steps(city),
    ]
    return {step.name: step for step in steps}
