"""What surrounds every command: the cache folder whose code is run, and what reaches the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtm_pipeline.cli.app import fail, say
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.process import prepare_process


def test_a_cache_folder_that_everybody_may_write_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link of the usual name to such a folder would let another user's compiled code be run."""
    everybody = tmp_path / "everybody"
    everybody.mkdir()
    everybody.chmod(0o1777)
    link = tmp_path / "cache"
    link.symlink_to(everybody)
    monkeypatch.setenv("RTM_CACHE_DIR", str(link))
    with pytest.raises(ConfigError, match="Everybody may write to the cache folder"):
        prepare_process()
    everybody.chmod(0o700)
    prepare_process()


def test_names_of_a_source_write_no_escapes_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "Älm St.\t\x1b]0;another title\x07\u202e\x9b2J\r"
    say(f"layers\n  {name}")
    with pytest.raises(SystemExit):
        fail(name, 2)
    captured = capsys.readouterr()
    assert captured.out == "layers\n  Älm St.\t\ufffd]0;another title\ufffd\ufffd\ufffd2J\ufffd\n"
    assert not {"\x1b", "\x07", "\u202e", "\x9b", "\r"} & set(captured.err)
