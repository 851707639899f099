"""The one reader of a release's JSON files: missing, damaged, and whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.release.files import LATEST, latest_of, manifest_of, release_facts


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 5000, b"null"])
def test_a_damaged_manifest_is_told_with_the_next_step(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(PublishError, match=r"damaged.*manifest\.json.*Restore it from a backup"):
        manifest_of(tmp_path)


def test_a_missing_file_is_none_and_a_missing_manifest_no_release(tmp_path: Path) -> None:
    assert release_facts(tmp_path, "model.json") is None
    with pytest.raises(PublishError, match=r"has no manifest\.json, so it is none"):
        manifest_of(tmp_path)
    (tmp_path / "manifest.json").write_text('{"run_id": "a"}')
    assert manifest_of(tmp_path) == {"run_id": "a"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "lacks or garbles"),
        ("{}", "lacks or garbles 'as_of'"),
        ('{"run_id": "a", "as_of": "tomorrow"}', "garbles"),
        ('{"run_id": "../../elsewhere", "as_of": "2024-01-01"}', "is no run id"),
        ('{"run_id": "..", "as_of": "2024-01-01"}', "is no run id"),
        ("{", "it is not JSON"),
    ],
)
def test_what_is_current_is_never_guessed(tmp_path: Path, content: str, words: str) -> None:
    assert latest_of(tmp_path) is None
    (tmp_path / LATEST).write_text(content)
    with pytest.raises(PublishError, match=words):
        latest_of(tmp_path)
