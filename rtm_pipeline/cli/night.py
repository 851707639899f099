"""Commands that work on a city: run, check, backtest, ui."""

from __future__ import annotations

import json
import logging
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtm_pipeline.cli.app import AsJson, Config, ConfigDir, DataDir, Output, Set, Verbose, app, fail, say
from rtm_pipeline.cli.arguments import date_of, load_city
from rtm_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from rtm_pipeline.config.load import LoadedConfig
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.run import RunReport
    from rtm_pipeline.orchestration.studies.next_step import Missing

__all__: list[str] = []


@app.command()
def run(
    config: Config,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Use only what was known before this day, as 2024-01-01.")
    ] = None,
    data_dir: DataDir = None,
    output: Output = None,
    config_dir: ConfigDir = None,
    assignments: Set = None,
    from_run: Annotated[
        str | None,
        typer.Option("--from-run", help="Run a past night again from its stored snapshots: run id, or latest."),
    ] = None,
    promote: Annotated[bool, typer.Option(help="Make the release current although settings were changed.")] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Run a night: everything from the sources to the release.

    With --set or --as-of it is an experiment, published under its own run id; what planners read stays.
    """
    day = date_of(as_of, "--as-of")
    if from_run and (as_of or assignments):
        raise ConfigError("--from-run takes the date and the settings of that night; leave out --as-of and --set.")
    loaded, paths = load_city(config, config_dir, output, data_dir, assignments)
    if from_run:
        from rtm_pipeline.orchestration.run import loaded_again

        loaded, from_run = loaded_again(loaded, paths, from_run)
    report = _execute(loaded, paths, as_of=day, promote=promote, quiet=as_json, verbose=verbose, from_run=from_run)
    from rtm_pipeline.orchestration.summary import summary_of, summary_text

    facts = summary_of(report)
    say(json.dumps(facts, indent=2) if as_json else summary_text(facts))


@app.command()
def backtest(
    config: Config,
    cutoff: Annotated[str, typer.Option("--cutoff", help="Nothing known later may enter a surface.")],
    horizon: Annotated[str, typer.Option("--horizon", help="How long after the cut-off is scored.")] = "1y",
    rolling: Annotated[int, typer.Option("--rolling", min=1, help="Judge at so many cut-offs, --cutoff the last.")] = 1,
    step: Annotated[str | None, typer.Option("--step", help="From one cut-off to the next; the horizon.")] = None,
    data_dir: DataDir = None,
    output: Output = None,
    config_dir: ConfigDir = None,
    assignments: Set = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Score a past cut-off on what came after it. Never becomes current."""
    day = date_of(cutoff, "--cutoff")
    changes = [*(assignments or ()), "forecast.judge=ahead", f"forecast.horizon={horizon}"]
    loaded, paths = load_city(config, config_dir, output, data_dir, changes)
    from rtm_pipeline.orchestration.studies.rolling import earlier_cutoffs
    from rtm_pipeline.units import Duration

    if day is None:
        raise ConfigError("--cutoff: a date is needed, such as 2026-01-31.")
    cutoffs = earlier_cutoffs(day, rolling, Duration.parse(step or horizon))
    report = _execute(loaded, paths, as_of=day, promote=False, quiet=as_json, verbose=verbose)
    from rtm_pipeline.orchestration.summary import accuracy_text, summary_of

    facts = summary_of(report)
    if rolling > 1:
        _say_rolling(loaded, paths, report, cutoffs, as_json)
        return
    path = f"{facts['release']}/accuracy.json"  # in a bucket it is no path of this machine
    if as_json:
        say(json.dumps({"accuracy": facts["accuracy"], "path": path}, indent=2))
        return
    say(accuracy_text(facts["accuracy"]))
    say(path)


def _say_rolling(
    loaded: LoadedConfig, paths: Paths, report: RunReport, cutoffs: tuple[date, ...], as_json: bool
) -> None:
    """Judge at the earlier cut-offs as well, keep all judgements, print them and where they lie."""
    from rtm_pipeline.orchestration.studies.rolling import rolling_accuracy, rolling_text, write_rolling

    city = loaded.city.name
    found = rolling_accuracy(report, cutoffs, paths.data_for(city, loaded.path), paths.output)
    path = paths.artifacts / city / "rolling.json"
    write_rolling(path, found)
    say(json.dumps({"accuracy": found, "path": str(path)}, indent=2) if as_json else rolling_text(found))
    if not as_json:
        say(str(path))


def _execute(
    loaded: LoadedConfig,
    paths: Paths,
    *,
    as_of: date | None,
    promote: bool,
    quiet: bool,
    verbose: bool,
    from_run: str | None = None,
) -> RunReport:
    """Run the graph with a progress display; leave with the failure's exit code if it fails."""
    from rtm_pipeline.cli.durations import StepDurations
    from rtm_pipeline.cli.terminal import Progress
    from rtm_pipeline.orchestration.process import cache_folder
    from rtm_pipeline.orchestration.run import run_city

    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    times = StepDurations(cache_folder() / "durations" / f"{loaded.city.name}.json")
    with Progress(loaded.city.label, times, quiet=quiet) as progress:
        report = run_city(loaded, paths, as_of=as_of, promote=promote, from_run=from_run, listen=progress.on_event)
    if report.ok:
        times.save()
    if not report.ok:
        lines = [f"{failure.step}: {failure.message}" for failure in report.failures]
        code = max((failure.exit_code for failure in report.failures), default=1)
        fail("\n     ".join([*lines, f"Nothing was published. The full log: {report.log_file}"]), code)
    return report


@app.command()
def check(
    config: Config,
    data_dir: DataDir = None,
    output: Output = None,
    config_dir: ConfigDir = None,
    assignments: Set = None,
    sources: Annotated[bool, typer.Option("--sources", help="Read every source and account for its rows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell the next thing that a configuration lacks.

    With --sources, read every source and the registers of programs too, and account for every row.
    """
    loaded, paths = load_city(config, config_dir, output, data_dir, assignments)
    from rtm_pipeline.orchestration.studies.next_step import missing_things, next_after_sources

    missing = missing_things(loaded, paths)
    unfinished = any(thing.blocks for thing in missing)
    if unfinished or not sources:
        facts: dict[str, Any] = {
            "config": str(loaded.path),
            "city": loaded.city.name,
            "ok": not unfinished,
            "missing": [thing.what for thing in missing],
        }
        say(json.dumps(facts, indent=2) if as_json else _check_text(loaded, missing, data_dir))
        if unfinished:
            raise typer.Exit(ConfigError.exit_code)
        return
    from rtm_pipeline.orchestration.studies.source_check import check_sources, source_check_text

    found = check_sources(loaded, paths)
    found["next"] = next_after_sources(loaded.city, found, data_dir)
    text = f"{source_check_text(found)}\n\nNext: {found['next']}"
    say(json.dumps(found, indent=2, default=str) if as_json else text)
    if found["errors"]:
        raise typer.Exit(max(error["exit_code"] for error in found["errors"].values()))


def _check_text(loaded: LoadedConfig, missing: list[Missing], data_dir: Path | None) -> str:
    city = loaded.city
    same = f" --data-dir {data_dir}" if data_dir else ""
    if not missing:
        return (
            f"{loaded.path}: fine ({len(city.layers)} layers, {len(city.factors)} factors).\n"
            f"Next: rtm check {city.name} --sources{same} reads the data too."
        )
    head = f"{loaded.path}: well formed; {len(missing)} thing{'s' * (len(missing) > 1)} missing."
    more = [f"  then {thing.what}" for thing in missing[1:8]]
    more += [f"  ... and {len(missing) - 8} more"] if len(missing) > 8 else []
    return "\n".join([head, f"Next: {missing[0].what}", *more])


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on loopback.")] = 3000,
) -> None:
    """Serve the Dagster UI on loopback (extra 'ui')."""
    import importlib.util

    if importlib.util.find_spec("dagster_webserver") is None:
        raise ConfigError("The UI needs the extra 'ui': pip install 'rtm_pipeline[ui]', or use `make ui`.")
    from rtm_pipeline.orchestration.webserver import serve

    raise typer.Exit(serve(port))
