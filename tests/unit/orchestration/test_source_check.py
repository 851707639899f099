"""What `rtm check --sources` says of the registers that a night reads beside its sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.city import Command
from support.made_city import write_made_city

PROGRAMS = "programs: {lots: {layer: vacant_lots, id: id}}\n"
GOOD = "site,status,who,date,expiry\nl1,garden,Ann,2023-05-01,\nl2,garden,Ann,2024-05-01,\n"


@pytest.fixture
def city(tmp_path: Path) -> Path:
    made = write_made_city(tmp_path, more=PROGRAMS)
    text = made.config.read_text()
    head, tail = text.split("  liquor:\n    source: shops", 1)
    made.config.write_text(f"{head}    keep: [id]\n  liquor:\n    source: shops{tail}")
    (tmp_path / "output" / "history" / "smallville" / "plans").mkdir(parents=True)
    return tmp_path


def check(rtm: Command, city: Path, *options: str) -> Any:
    folders = (
        "--config-dir",
        city / "configs",
        "--data-dir",
        city / "data" / "smallville",
        "--output",
        city / "output",
    )
    return rtm("check", "smallville", *folders, "--sources", *options)


def test_registers_are_read_as_the_night_reads_them(city: Path, rtm: Command) -> None:
    history = city / "output" / "history" / "smallville"
    (history / "corrections.csv").write_text(GOOD)
    answer = check(rtm, city, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["registers"]["before"] == "2024-01-01"
    assert answer.json["registers"]["corrections"] == 1  # the other was entered after the day
    for name, content, words in (
        (
            "corrections.csv",
            b"site,status,who,date\nl1,gone,Ann,2023-05-01\n",
            "row 1: status must be",
        ),
        ("corrections.csv", b"site;status;who;date\nl1;garden;Ann;2023-05-01\n", "Columns are parted by commas"),
        ("corrections.csv", b"site,status,who,date\nl1,garden,J\xfcrgen,2023-05-01\n", "Save it as UTF-8"),
        (
            "treated_sites.csv",
            b"site,program,started\nl1,greening,May\n",
            "row 1: dates are written",
        ),
        ("plans/a.json", b'{"expected": 1, "rows": [1]}', "a.json: The rows of a plan can't be read"),
        ("zones.jsonl", b'{"run_id": "a"}\n\xff\n', "zones.jsonl, row 2: no JSON object"),
        ("evidence.json", b'{"effects": []}', "effects must hold keys and fields"),
    ):
        before = (history / name).read_bytes() if (history / name).exists() else None
        (history / name).write_bytes(content)
        answer = check(rtm, city)
        assert answer.code in (2, 3), name
        assert "registers failed: " in answer.out, name
        assert words in answer.out, (name, answer.out)
        assert "Next: mend registers (above)" in answer.out
        assert "violence" in answer.out, "the layers are accounted for beside it"
        (history / name).unlink() if before is None else (history / name).write_bytes(before)
    assert check(rtm, city).code == 0


def test_an_outcome_that_ends_before_its_window_is_said_before_and_by_the_night(tmp_path: Path, rtm: Command) -> None:
    """Files of past years and no as_of: the window would be the year before today."""
    write_made_city(tmp_path, as_of=False)
    answer = check(rtm, tmp_path)
    assert answer.code == 0, answer.err
    advice = "Set as_of: 2024-01-01, the day after the files end"
    assert "Next: the outcome ends on 2023-12-31" in answer.out
    assert "no row lies in it" in answer.out
    assert advice in answer.out
    good = check(rtm, tmp_path, "--set", "as_of=2024-01-05").out
    assert f"Next: rtm run smallville --data-dir {tmp_path / 'data' / 'smallville'}\n" in good  # to be pasted
    assert "no row lies in its last 59 days" in check(rtm, tmp_path, "--set", "as_of=2024-02-29").out
    folders = ("--config-dir", tmp_path / "configs", "--data-dir", tmp_path / "data" / "smallville")
    night = rtm("run", "smallville", *folders, "--output", tmp_path / "output")
    assert night.code == 3
    assert advice in night.err
