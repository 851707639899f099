"""Commands for whoever keeps nights running: nights of many cities, status, maintain."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from rtm_pipeline.cli.app import AsJson, Config, ConfigDir, DataDir, Output, app, say

__all__: list[str] = []


@app.command()
def status(
    config: Config,
    max_age: Annotated[str, typer.Option("--max-age", help="An older release is stale.")] = "36h",
    alert: Annotated[bool, typer.Option("--alert", help="Send an alert if all is not well.")] = False,
    output: Output = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Age and health of the current release.

    Ends with 0 if all is well, 3 if it is stale, broken or missing.
    """
    from rtm_pipeline.config.load import find_config, load_config
    from rtm_pipeline.config.operations import span_of
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.upkeep.alerts import STALE, Alert, send
    from rtm_pipeline.orchestration.upkeep.status import status_of, status_text

    paths = Paths.resolve(config_dir=config_dir, output=output)
    city = load_config(find_config(config, paths.config_dir)).city
    found = status_of(paths.output, city.name, max_age=span_of(max_age))
    say(json.dumps(found.as_json(), indent=2) if as_json else status_text(found))
    if found.exit_code and alert:
        title = f"{city.label}: the release is {found.state}"
        send(Alert(STALE, city.name, title, "\n".join(found.problems)), city.operations.alerts)
    raise typer.Exit(found.exit_code)


@app.command()
def maintain(
    configs: Annotated[list[str] | None, typer.Argument(help="Names or files; all configurations without.")] = None,
    output: Output = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove what retention lets go.

    Releases, snapshots, logs; with DAGSTER_HOME set, Dagster's old runs too.
    """
    from contextlib import ExitStack

    from rtm_pipeline.config.load import find_config, load_config
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.upkeep.maintenance_job import maintain_all

    paths = Paths.resolve(config_dir=config_dir, output=output)
    names = configs or [str(path) for path in sorted(paths.config_dir.glob("*.yaml"))]
    loaded = [load_config(find_config(name, paths.config_dir)) for name in names]
    with ExitStack() as stack:
        instance = None
        if os.environ.get("DAGSTER_HOME"):
            from rtm_pipeline.orchestration.home import named_instance

            instance = stack.enter_context(named_instance())
        done, left = maintain_all(loaded, paths, instance)
    if as_json:
        say(json.dumps({"removed": done, "left": left}, indent=2))
    else:
        for city, removed in done.items():
            facts = ", ".join(f"{name.replace('_', ' ')} {value or 0}" for name, value in removed.items())
            say(f"{city}: {facts}")
        for city, reason in left.items():
            say(f"{city} was left: {reason}")
    if left:
        raise typer.Exit(1)


@app.command()
def nights(
    configs: Annotated[list[str] | None, typer.Argument(help="Names or files; all configurations without.")] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Dask scheduler: 'local', or its address (extra 'dask').")
    ] = None,
    data_dir: DataDir = None,
    output: Output = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Run many cities, each as `rtm run` would.

    One that fails stops no other. Ends with the worst exit code.
    """
    from contextlib import ExitStack

    from rtm_pipeline.config.load import find_config
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.studies.cluster import cluster_client
    from rtm_pipeline.orchestration.upkeep.many import run_cities

    paths = Paths.resolve(config_dir=config_dir, output=output, data_dir=data_dir)
    named = [find_config(name, paths.config_dir) for name in configs or ()]
    files = named or sorted(paths.config_dir.glob("*.yaml"))
    found = []
    with ExitStack() as stack:
        client = stack.enter_context(cluster_client(scheduler)) if scheduler else None
        for night in run_cities(
            files, config_dir=paths.config_dir, output=str(paths.output), data_dir=paths.data_dir, client=client
        ):
            found.append(night)
            if not as_json:
                how = night.run_id if night.ok else "failed: " + "; ".join(night.problems)
                cost = f"{night.cpu_seconds:.1f} s of processor, {night.peak_mb:,.0f} MB"
                say(f"{night.city or night.config}: {how} ({cost})")
    if as_json:
        say(json.dumps([night.as_json() for night in found], indent=2))
    raise typer.Exit(max((night.exit_code for night in found), default=2))
