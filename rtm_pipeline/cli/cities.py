"""Commands by which a city is added: schema, new-city."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rtm_pipeline.cli.app import AsJson, ConfigDir, DataDir, app, say
from rtm_pipeline.errors import ConfigError

__all__: list[str] = []


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option("--out", help="Write it here instead of printing it.")] = None,
) -> None:
    """JSON schema of configurations, for editors.

    Editors with a YAML language server (VS Code, Neovim, IntelliJ) read it by the first line of the configuration:
    # yaml-language-server: $schema=rtm.schema.json
    """
    from rtm_pipeline.config.json_schema import config_schema, editor_line

    text = json.dumps(config_schema(), indent=2)
    if out is None:
        say(text)
        return
    _write(out, text + "\n")
    say(f"Written to {out}. First line of a configuration beside it:\n{editor_line(out.name)}")


@app.command("new-city")
def new_city(
    name: Annotated[str, typer.Argument(help="Short name: small letters, digits, underscores.")],
    boundary: Annotated[Path, typer.Option("--boundary", help="Vector file with the polygon of the study area.")],
    data_dir: DataDir = None,
    config_dir: ConfigDir = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a configuration that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Begin a city: a commented configuration.

    CRS, time zone and grid are proposed from the boundary, sources and layers from the headers of the files beside it.
    """
    from rtm_pipeline.config.json_schema import SCHEMA_FILE, config_schema
    from rtm_pipeline.config.new_city import new_city as propose
    from rtm_pipeline.orchestration.paths import Paths

    folder = Paths.resolve(config_dir=config_dir).config_dir
    path = folder / f"{name}.yaml"
    if path.exists() and not force:
        raise ConfigError(f"{path} exists. Choose another name, or replace it with --force.")
    made = propose(name, boundary, data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    _write(path, made.text)
    _write(folder / SCHEMA_FILE, json.dumps(config_schema(), indent=2) + "\n")
    data = data_dir or boundary.parent
    follow = f"rtm check {path} --data-dir {data}"
    if as_json:
        facts = {"config": str(path), "crs": asdict(made.crs), "timezone": made.timezone, "files": list(made.files)}
        say(json.dumps(facts | {"next": follow}, indent=2))
        return
    say(
        f"Written: {path}\n"
        f"  CRS {made.crs.code} ({made.crs.name}), time zone {made.timezone}: check both\n"
        f"  files looked at: {', '.join(made.files) or 'none beside the boundary'}\n"
        f"Next: {follow}"
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror or error}.") from None
