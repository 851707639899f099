"""Start the Dagster UI on loopback, with an instance under the output root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.paths import Paths

__all__ = ["INSTANCE", "prepare_home", "serve"]

INSTANCE = Path(__file__).parent / "instance"  # templates of dagster.yaml and workspace.yaml


def prepare_home(home: Path) -> Path:
    """Make a ``DAGSTER_HOME``: a settings file that is there already is kept, an empty or missing one is written.

    Returns
    -------
    Path
        Its workspace file, which gives the code location its fixed name.

    Raises
    ------
    ConfigError
        The folder can't be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        settings = home / "dagster.yaml"
        if not settings.exists() or not settings.read_text(encoding="utf-8").strip():
            settings.write_bytes((INSTANCE / "dagster.yaml").read_bytes())
        workspace = home / "workspace.yaml"
        workspace.write_bytes((INSTANCE / "workspace.yaml").read_bytes())
    except OSError as error:
        raise ConfigError(
            f"The folder of Dagster's records {home} can't be written ({error.strerror}). Set DAGSTER_HOME to one "
            "that can."
        ) from None
    return workspace


def serve(port: int) -> int:
    """Run ``dagster dev`` until it is stopped; returns its exit code."""
    paths = Paths.resolve()
    home = Path(os.environ.get("DAGSTER_HOME") or paths.local_state / "dagster").absolute()
    workspace = prepare_home(home)
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(workspace)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    print(f"The UI comes up at http://127.0.0.1:{port} (stop with Ctrl+C).", file=sys.stderr)  # noqa: T201
    # Files of the folder it is started in (a click.py) must not stand in for installed modules, in children too.
    environment = os.environ | {"DAGSTER_HOME": str(home), "PYTHONSAFEPATH": "1"}
    return subprocess.call(command, env=environment)  # noqa: S603
