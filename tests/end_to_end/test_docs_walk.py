"""Every command in the documentation runs, in its order, on the files that the documentation speaks of.

Blocks fenced as ``sh`` are extracted from the README and docs/*.md. One under a comment ``not run: REASON`` is left
out; ``sh exit=N`` says which exit code is right. The walk through adding_a_city.md also does what the page asks to be
edited.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml
from support.city import DEMO_DATA, ROOT, Answer, Command
from support.small_city import OxbowNight, write_oxbow

_FENCE = re.compile(
    r"(?P<mark><!-- not run: (?P<why>[^>]+) -->\n)?```sh(?: exit=(?P<code>\d))?\n(?P<body>.*?)```", re.S
)
_YAML = re.compile(r"```yaml\n(.*?)```", re.S)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of commands."""

    page: str
    commands: tuple[str, ...]
    code: int
    not_run: str | None


def blocks_of(page: Path) -> list[Block]:
    found = []
    for match in _FENCE.finditer(page.read_text(encoding="utf-8")):
        body = match["body"].replace("\\\n", " ")
        lines = tuple(line.split("  #")[0].strip() for line in body.splitlines() if line.strip() and line[0] != "#")
        found.append(Block(page.name, lines, int(match["code"] or 0), match["why"]))
    return found


OTHER_PAGES = [page for page in PAGES if page.name != "adding_a_city.md"]
RUN = [
    (block.page, command, block.code)
    for page in OTHER_PAGES
    for block in blocks_of(page)
    if block.not_run is None
    for command in block.commands
]


def words_of(command: str) -> list[str]:
    """The words after ``rtm``; a command that is no ``rtm`` can't be run here and must be marked."""
    words = shlex.split(command)
    program = words[0].rpartition("/")[2]
    assert program == "rtm", f"{command!r}: mark the block as not run, with the reason"
    return words[1:]


@pytest.fixture
def workplace(oxbow_night: OxbowNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages speak of: the made city's data, Oxbow's release, a table of cells."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo_city").symlink_to(DEMO_DATA)
    (tmp_path / "configs").mkdir()
    for path in [*(ROOT / "configs").glob("*.yaml"), *oxbow_night.configs.glob("*.yaml")]:
        (tmp_path / "configs" / path.name).write_bytes(path.read_bytes())
    rows = [f"{number % 3},{number % 2},{(number // 2) % 2}" for number in range(400)]
    (tmp_path / "cells.csv").write_text("\n".join(["incidents,near_tavern,near_school", *rows]) + "\n")
    monkeypatch.setenv("RTM_OUTPUT", str(oxbow_night.output))
    return tmp_path


@pytest.mark.parametrize(("page", "command", "code"), RUN, ids=[f"{page}: {command}" for page, command, _ in RUN])
def test_every_command_of_the_docs_runs(
    page: str, command: str, code: int, workplace: Path, rtm: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [word.replace("data/demo_city", str(DEMO_DATA)) for word in words_of(command)]
    words = [str(workplace / word) if word in ("cells.csv", "differences") else word for word in words]
    monkeypatch.setenv("RTM_CONFIG_DIR", str(workplace / "configs"))
    answer = rtm(*words)
    assert answer.code == code, f"{page}: {command}\n{answer.err}"
    assert (answer.out + answer.err).strip()


WHOLE_RUNS = "whole runs of the made city"


@pytest.mark.acceptance
def test_the_whole_runs_of_the_docs_run_as_they_are_written(
    rtm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order, each once, in the project's folder as a reader would; only the output lies elsewhere."""
    monkeypatch.setenv("RTM_OUTPUT", str(tmp_path / "output"))
    blocks = [block for page in PAGES for block in blocks_of(page) if (block.not_run or "").startswith(WHOLE_RUNS)]
    commands = dict.fromkeys(tuple(words_of(command)) for block in blocks for command in block.commands)
    assert ("run", "demo_city", "--from-run", "latest") in commands
    for words in commands:
        answer = rtm(*words)
        assert answer.code == 0, f"{' '.join(words)}\n{answer.err}"
        assert (tmp_path / "output" / "releases").is_dir() or words[0] == "check"


# In running text, in tables and in indented blocks: a synopsis can't be run, but its names have to exist.
_MENTION = re.compile(r"(?:^ {4}|`)rtm ([a-z][a-z-]*)([^`\n]*)", re.M)


def mentions() -> list[tuple[str, str, str]]:
    found = {}
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
        for match in _MENTION.finditer(text):
            found[(page.name, match[1], match[2].strip())] = None
    return list(found)


@pytest.mark.parametrize(("page", "name", "rest"), mentions(), ids=lambda value: value[:40])
def test_every_command_that_the_docs_speak_of_exists_with_its_options(page: str, name: str, rest: str) -> None:
    from rtm_pipeline.cli import app

    command: Any = typer.main.get_command(app)
    for word in [name, *rest.split()]:
        if not isinstance(command, click.Group):
            break
        assert word in command.commands, f"{page}: rtm {name} {rest}"
        command = command.commands[word]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    used = {word.partition("=")[0].strip("[](),.;:") for word in rest.split() if word.lstrip("[(").startswith("--")}
    assert used <= options, f"{page}: rtm {name} {rest}"


def test_a_block_that_is_not_run_says_why() -> None:
    for page in PAGES:
        for block in blocks_of(page):
            if block.not_run is None:
                for command in block.commands:
                    words_of(command)
            else:
                assert len(block.not_run) > 10, f"{block.page}: {block.not_run}"


def test_a_stranger_adds_a_city_by_the_page_alone(tmp_path: Path, rtm: Command) -> None:
    """Does what docs/adding_a_city.md says, in its order, with its own YAML and commands."""
    page = ROOT / "docs" / "adding_a_city.md"
    write_oxbow(tmp_path / "data")
    pieces = _YAML.findall(page.read_text(encoding="utf-8"))
    commands = [(command, block.code) for block in blocks_of(page) for command in block.commands]

    def follow(command: str, code: int) -> Answer:
        words = [
            str(tmp_path / word) if word.split("/")[0] in ("data", "configs", "output") else word
            for word in words_of(command)
        ]
        answer = rtm(*words)
        assert answer.code == code, f"{command}\n{answer.out}\n{answer.err}"
        return answer

    begun, led, read, run, explained = commands
    follow(*begun)
    told = follow(*led).out
    assert "REPLACE_ME" in told
    path = tmp_path / "configs" / "oxbow.yaml"
    for name in ("taverns", "vacant_parcels", "transit_stops"):
        assert f"# {name}:" in path.read_text()  # every file of the folder was seen

    edited = _edited(path.read_text(encoding="utf-8"), pieces)
    path.write_text(edited, encoding="utf-8")
    assert "Next: rtm check oxbow --sources" in follow(led[0], 0).out
    assert "Next: rtm run oxbow" in follow(*read).out
    summary = follow(*run).out
    assert "taverns_proximity" in summary
    assert "vacant_lots" in summary
    assert (tmp_path / "output" / "releases" / "oxbow" / "latest" / "public" / "map.png").is_file()
    assert "taverns" in follow(*explained).out


def _edited(text: str, pieces: list[str]) -> str:
    """The configuration after the page's pieces were put in, as a person would: sections by their names."""
    values = yaml.safe_load(text)
    violence, layers, factors, sources = (yaml.safe_load(piece) for piece in pieces[:4])
    dated = next(piece for piece in map(yaml.safe_load, pieces) if "as_of" in piece)
    values["layers"] = violence | layers
    values["factors"] = factors["factors"]
    values["sources"] = sources["sources"]
    values |= dated
    values["model"]["bootstrap"] = {"refits": 50, "selections": 4}  # few, to be quick
    return yaml.safe_dump(values, sort_keys=False)


def test_the_sketch_of_another_city_is_valid(tmp_path: Path) -> None:
    from rtm_pipeline.config.load import load_config

    sketch = _YAML.findall((ROOT / "docs" / "adding_a_city.md").read_text(encoding="utf-8"))[-1]
    (tmp_path / "kck.yaml").write_text(sketch)
    city = load_config(tmp_path / "kck.yaml").city
    assert city.name == "kansas_city_kansas"
