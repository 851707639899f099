"""The model card says that zones were in force while its incidents happened, never where, and no small count."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.model_card.document import model_card


def card(content: ReleaseContent, in_fit: dict[str, Any] | None) -> str:
    zones = None if in_fit is None else {"note": "", "fresh": True, "in_fit": in_fit}
    return model_card(dataclasses.replace(content, programs={"work": {}, "zones": zones}))


@pytest.mark.parametrize(
    ("in_fit", "days", "share"),
    [
        (
            {"periods": 3, "days": 12, "incidents": 41, "share": 0.137},
            "on 12 days while",
            "14 % of these incidents",
        ),
        (
            {"periods": 1, "days": 4, "incidents": 3, "share": 0.01},
            "on 4 days while",
            "Fewer than 5 of these incidents",
        ),
    ],
)
def test_zones_in_force_stand_among_the_limits(
    content: ReleaseContent, in_fit: dict[str, Any], days: str, share: str
) -> None:
    text = card(content, in_fit)
    assert days in text
    assert share in text


def test_zones_that_were_not_in_force_or_are_off(content: ReleaseContent) -> None:
    nothing = {"periods": 0, "days": 0, "incidents": 0, "share": 0.0}
    assert "none was in force while the incidents" in card(content, nothing)
    assert "short-lived zones" not in card(content, None)
