"""A written release of the made content, once for all tests of the room; makes ``tests/fakes`` importable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from fakes.release import Written, make_content, write  # noqa: E402

from rtm_pipeline.publication.content import ReleaseContent  # noqa: E402


@pytest.fixture(scope="session")
def content() -> ReleaseContent:
    return make_content()


@pytest.fixture(scope="session")
def written(content: ReleaseContent, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The whole release; tests only read it."""
    return write(content, tmp_path_factory.mktemp("release") / "run")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The same with text that attacks browsers, databases and spreadsheets."""
    return write(make_content(hostile=True), tmp_path_factory.mktemp("hostile") / "run")
