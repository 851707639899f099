"""The command line. Arguments in, one clear message or a short summary out; the work is elsewhere.

Heavy libraries are imported inside the commands, so that ``rtm --help`` answers at once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtm_pipeline import __version__
from rtm_pipeline.errors import ConfigError, RtmError

if TYPE_CHECKING:
    from rtm_pipeline.config.load import LoadedConfig
    from rtm_pipeline.orchestration.paths import Paths

__all__ = ["app", "main"]

app = typer.Typer(
    name="rtm",
    help="Risk terrain modeling for cities: where greening a lot or abating a building should come first.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[str, typer.Argument(help="A name in the folder of configurations, or the path of a YAML file.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the city's files.")]
Output = Annotated[Path | None, typer.Option("--output", help="Where releases go. Default: ./output or RTM_OUTPUT.")]
ConfigDir = Annotated[Path | None, typer.Option("--config-dir", help="Folder of configurations. Default: ./configs.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change one setting: a.b=value. May be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show detail.")]


def main() -> None:
    """Entry point: errors become one message and an exit code, never a traceback."""
    try:
        app(standalone_mode=False)
    except RtmError as error:
        _fail(str(error), error.exit_code)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        _fail("Stopped.", 130)
    except KeyboardInterrupt:
        _fail("Stopped.", 130)
    except Exception as error:
        usage = getattr(error, "format_message", None)
        if usage is not None:
            _fail(f"{usage()} Try 'rtm --help'.", 2)
        if os.environ.get("RTM_DEBUG"):
            raise
        _fail(f"Unexpected {type(error).__name__}: {error}. Set RTM_DEBUG=1 to see where, and please report it.", 1)


def _fail(message: str, code: int) -> None:
    print(f"rtm: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


def _say(text: str = "") -> None:
    print(text)  # noqa: T201


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        _say(f"rtm_pipeline {__version__}")
        raise typer.Exit


def _load(
    config: str, config_dir: Path | None, output: Path | None, data_dir: Path | None, assignments: list[str] | None
) -> tuple[LoadedConfig, Paths]:
    from rtm_pipeline.config.load import find_config, load_config
    from rtm_pipeline.orchestration.paths import Paths

    paths = Paths.resolve(config_dir=config_dir, output=output, data_dir=data_dir)
    return load_config(find_config(config, paths.config_dir), assignments or ()), paths


def _date(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option}: {text!r} is not a date; write it as 2026-01-31.") from None


@app.command()
def run(
    config: Config,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Use only what was known before this day.")] = None,
    data_dir: DataDir = None,
    output: Output = None,
    config_dir: ConfigDir = None,
    assignments: Set = None,
    promote: Annotated[bool, typer.Option(help="Make the release current although settings were changed.")] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Run the whole pipeline once, through the asset graph, in this process."""
    day = _date(as_of, "--as-of")
    loaded, paths = _load(config, config_dir, output, data_dir, assignments)
    from rtm_pipeline.orchestration.run import run_city
    from rtm_pipeline.orchestration.summary import summary_of, summary_text
    from rtm_pipeline.terminal import Progress

    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    with Progress(f"{loaded.city.label}", quiet=as_json) as progress:
        report = run_city(loaded, paths, as_of=day, promote=promote, listen=progress.on_event)
    if not report.ok:
        lines = [f"{failure.step}: {failure.message}" for failure in report.failures]
        code = max((failure.exit_code for failure in report.failures), default=1)
        _fail("\n     ".join([*lines, f"Nothing was published. The full log: {report.log_file}"]), code)
    facts = summary_of(report)
    _say(json.dumps(facts, indent=2) if as_json else summary_text(facts))


@app.command()
def check(
    config: Config,
    data_dir: DataDir = None,
    config_dir: ConfigDir = None,
    assignments: Set = None,
    sources: Annotated[bool, typer.Option("--sources", help="Read every source and account for its rows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Validate a configuration; with --sources, read every source too."""
    loaded, paths = _load(config, config_dir, None, data_dir, assignments)
    if not sources:
        facts: dict[str, Any] = {"config": str(loaded.path), "city": loaded.city.name, "ok": True}
        _say(
            json.dumps(facts)
            if as_json
            else f"{loaded.path}: fine ({len(loaded.city.layers)} layers, "
            f"{len(loaded.city.factors)} factors). Add --sources to read the data too."
        )
        return
    from rtm_pipeline.orchestration.source_check import check_sources, source_check_text

    found = check_sources(loaded, paths)
    _say(json.dumps(found, indent=2, default=str) if as_json else source_check_text(found))
    if found["errors"]:
        raise typer.Exit(max(error["exit_code"] for error in found["errors"].values()))


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on loopback.")] = 3000,
) -> None:
    """Serve the Dagster UI on loopback (needs the extra 'ui')."""
    import importlib.util

    if importlib.util.find_spec("dagster_webserver") is None:
        raise ConfigError("The UI needs the extra 'ui': pip install 'rtm_pipeline[ui]', or use `make ui`.")
    from rtm_pipeline.orchestration.webserver import serve

    raise typer.Exit(serve(port))
