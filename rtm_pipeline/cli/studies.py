"""Commands that ask a question about a city beside the nightly run: stability, zone-trial."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rtm_pipeline.cli.app import AsJson, Config, ConfigDir, DataDir, Output, Set, app, say
from rtm_pipeline.cli.arguments import date_of, load_city
from rtm_pipeline.errors import ConfigError

__all__: list[str] = []


@app.command()
def stability(
    config: Config,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Use only what was known before this day.")] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Dask scheduler to map the fits over, or 'local'.")
    ] = None,
    data_dir: DataDir = None,
    config_dir: ConfigDir = None,
    assignments: Set = None,
    as_json: AsJson = False,
) -> None:
    """Does the model hang on the grid?

    Fit the risk terrain on other cell sizes, grid origins and rotations.
    """
    from rtm_pipeline.orchestration.studies.grid_study import (
        grid_study,
        stability_of,
        stability_records,
        stability_text,
    )

    day = date_of(as_of, "--as-of")
    loaded, paths = load_city(config, config_dir, None, data_dir, assignments)
    rows = stability_of(grid_study(loaded, paths, day), scheduler=scheduler)
    if as_json:
        say(json.dumps(stability_records(rows), indent=2))
        return
    say(stability_text(rows, loaded.city.area.unit_m))


@app.command(short_help="Would zones have been in the right places?")
def zone_trial(
    config: Config,
    first: Annotated[str, typer.Option("--from", help="First day that zones are tried on.")],
    last: Annotated[str, typer.Option("--to", help="The day after the last.")],
    data_dir: DataDir = None,
    output: Output = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Would zones have been in the right places? Past periods, against zones drawn from a kernel density."""
    from rtm_pipeline.cli.terminal import counted
    from rtm_pipeline.orchestration.studies.workbench import open_city
    from rtm_pipeline.orchestration.studies.zone_study import zone_study, zone_study_record, zone_study_text

    begin, end = date_of(first, "--from"), date_of(last, "--to")
    if begin is None or end is None:
        raise ConfigError("zone-trial needs --from and --to, such as --from 2025-01-01 --to 2026-01-01.")
    if end <= begin:  # before a night is run for it
        raise ConfigError(f"--to must be later than --from; found {begin} to {end}.")
    bench = open_city(config, data_dir=data_dir, output=output, config_dir=config_dir)
    with counted("periods", quiet=as_json) as listen:
        found = zone_study(bench, begin, end, listen=listen)
    say(json.dumps(zone_study_record(found), indent=2) if as_json else zone_study_text(found))
