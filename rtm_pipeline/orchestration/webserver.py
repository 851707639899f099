"""Start the Dagster UI on loopback, with an instance under the output root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rtm_pipeline.orchestration.paths import Paths

__all__ = ["serve"]

INSTANCE = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs:
    max_concurrent_runs: 1
"""


def serve(port: int) -> int:
    """Run ``dagster dev`` until it is stopped; returns its exit code."""
    paths = Paths.resolve()
    home = Path(os.environ.get("DAGSTER_HOME") or paths.output / "dagster").absolute()
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists() or not settings.read_text(encoding="utf-8").strip():
        settings.write_text(INSTANCE, encoding="utf-8")
    command = [sys.executable, "-m", "dagster", "dev", "--module-name", "rtm_pipeline.definitions"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    print(f"The UI comes up at http://127.0.0.1:{port} (stop with Ctrl+C).", file=sys.stderr)  # noqa: T201
    return subprocess.call(command, env=os.environ | {"DAGSTER_HOME": str(home)})  # noqa: S603
