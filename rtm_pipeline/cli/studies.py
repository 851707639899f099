"""Commands that ask a question about a city beside the nightly run: stability."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rtm_pipeline.cli.app import AsJson, Config, ConfigDir, DataDir, Set, app, say
from rtm_pipeline.cli.arguments import date_of, load_city

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
