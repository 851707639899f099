"""Has what was flagged fed back into the record? Asked of an earlier release that was current."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtm_pipeline.errors import PublishError
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.step import StepContext
from rtm_pipeline.orchestration.steps.ingest import layer_step
from rtm_pipeline.units import Window

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.feedback import Feedback
    from rtm_pipeline.publication.content import ReleaseContent
    from rtm_pipeline.publication.release.store import Promoted

__all__ = ["flagging_release", "with_feedback"]

logger = logging.getLogger(__name__)
_DAYS = (28, 366)


def flagging_release(promoted: Sequence[Promoted], as_of: date) -> Promoted | None:
    """The oldest release that was current four weeks to a year before: what it flagged had time to be acted on."""
    fitting = [item for item in promoted if _DAYS[0] <= (as_of - item.as_of).days <= _DAYS[1]]
    return min(fitting, key=lambda item: (item.as_of, item.run_id), default=None)


def with_feedback(
    content: ReleaseContent, context: StepContext, inputs: Mapping[str, Any], folder: Path, flagging: Promoted | None
) -> ReleaseContent:
    """The content with what the record since an earlier release says; a release that is damaged stops no night."""
    if flagging is None or content.accuracy is None:
        return content
    try:
        found = _feedback(content, context, inputs, folder / flagging.run_id, flagging.as_of)
    except PublishError as error:
        logger.warning("Feedback since %s is not judged: %s", flagging.run_id, error)
        return content
    if found is None:
        return content
    facts = {
        "since": flagging.as_of.isoformat(),
        "run_id": flagging.run_id,
        "ratio": found.ratio,
        "p_value": found.p_value,
        "incidents": found.incidents,
        "detected": found.detected,
    }
    return replace(
        content,
        accuracy={**content.accuracy, "feedback": facts},
        findings=(*content.findings, _sentence(found, flagging.as_of)),
    )


def _feedback(
    content: ReleaseContent, context: StepContext, inputs: Mapping[str, Any], release: Path, since: date
) -> Feedback | None:
    from rtm_pipeline.evaluation.feedback import feedback_at_the_line
    from rtm_pipeline.publication.content import FORECAST
    from rtm_pipeline.publication.release.earlier import read_release
    from rtm_pipeline.surface.vintage import outcome_counts

    compared = read_release(release, content.grid)
    if compared is None or compared.surface != FORECAST:
        return None
    city = context.city
    outcome: LayerResult = inputs[layer_step(city.outcome.layer)]
    window = Window(since, max(context.as_of, since + timedelta(days=1)))
    counts = outcome_counts(outcome.layer, content.grid, window, "incident", known_at=context.as_of)
    return feedback_at_the_line(compared.values, counts)


def _sentence(found: Feedback, since: date) -> str:
    if found.ratio is None:
        return f"Whether flagging since {since} fed back into the record can't be told: {found.incidents} incidents."
    grown = (
        f"Since {since}, places just above the line of the priority area had {found.ratio:.2f} times the incidents, "
        "against what was expected, of those just below it"
    )
    if found.detected:
        return (
            f"{grown}: more than chance allows. Being flagged seems to draw recording; look at who records, and do not "
            "read the rise as more violence."
        )
    return f"{grown}: within what chance allows, no sign that being flagged draws recording."
