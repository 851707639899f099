"""The report tells of finished work what the night found: change, interval, what moved; restricted edition only."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
import pytest

from rtm_pipeline.publication.content import PUBLIC, RESTRICTED, ReleaseContent
from rtm_pipeline.publication.facts.night import facts_of
from rtm_pipeline.publication.facts.sites import rests_on
from rtm_pipeline.publication.html.followup import followup_parts

HELPED = [
    {"program": "mowing", "year": 2022, "design": "matched", "n_pairs": 41, "relative_change": -0.124, "low": -0.31,
     "high": 0.04, "ring": 1.5, "note": None},
    {"program": "repair", "year": 2022, "design": "matched", "n_pairs": 0, "relative_change": None, "low": None,
     "high": None, "ring": 0.0, "note": "no control was like enough"},
]  # fmt: skip


def test_finished_work_is_told_with_its_interval(content: ReleaseContent) -> None:
    night = dataclasses.replace(content, tables=dict(content.tables) | {"did_it_help": pa.Table.from_pylist(HELPED)})
    (part,) = followup_parts(facts_of(night, RESTRICTED))
    said = str(part).replace("\u00a0", " ")
    for words in ("Did it help?", "mowing", "-12 % (-31 % to 4 %)", "41", "no control was like enough"):
        assert words in said, words
    assert followup_parts(facts_of(night, PUBLIC)) == []
    assert followup_parts(facts_of(content, RESTRICTED)) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [("better", ""), ("not_better", "does not beat the best simple rule"), ("not_judged", "could not be judged")],
)
def test_a_list_says_what_its_forecast_is_worth(content: ReleaseContent, code: str, words: str) -> None:
    facts = facts_of(content, RESTRICTED)
    assert facts.accuracy is not None
    verdict = dataclasses.replace(facts.accuracy.verdict, code=code)
    said = rests_on(dataclasses.replace(facts, accuracy=dataclasses.replace(facts.accuracy, verdict=verdict)))
    assert words in said
    assert bool(said) is bool(words)
    assert "could not be judged" in rests_on(dataclasses.replace(facts, accuracy=None))
