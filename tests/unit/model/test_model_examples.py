"""The examples of the documentation run and print what they say."""

from __future__ import annotations

import doctest

import pytest

import rtm_pipeline.model.engine
import rtm_pipeline.model.table


@pytest.mark.parametrize("module", [rtm_pipeline.model.engine, rtm_pipeline.model.table], ids=lambda m: m.__name__)
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
