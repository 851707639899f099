"""Resolve the locks: `locks/run.txt` (what a run needs), `locks/server.txt` (with UI, Postgres, S3, Kubernetes, Dask)
and `locks/dev.txt` (with tests and tools).

Both carry hashes for every platform and Python 3.11 to 3.13 and name no registry host. ``--check`` resolves anew with
the pins as preferences and fails if the files would change; where no registry answers it says so and passes, because
installing from the lock then fails by itself.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

UNREACHABLE = ("error sending request", "Failed to fetch", "dns error", "timed out", "Could not connect")
ROOT = Path(__file__).resolve().parent.parent
COMMON = [
    *(
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-header",
        "--quiet",
        "--no-strip-extras",
    ),
    *("--constraint", "locks/constraints.txt"),
]
BUILD = "hatchling\neditables\n"
LOCKS = {
    "run.txt": [],
    "server.txt": [
        *("--extra", "ui", "--extra", "postgres", "--extra", "s3", "--extra", "k8s", "--extra", "dask"),
        *("--constraint", "locks/run.txt"),
    ],
    "dev.txt": ["--all-extras", "--group", "dev", "--constraint", "locks/run.txt"],
}


def compile_lock(name: str, options: list[str], target: Path) -> None:
    """One lock; the build backend is pinned in it too, so that the project installs without isolation."""
    with tempfile.NamedTemporaryFile("w", suffix=".in", dir=ROOT / "locks") as backend:
        backend.write(BUILD)
        backend.flush()
        command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", backend.name, *COMMON, *options]
        done = subprocess.run(  # noqa: S603
            [*command, "--output-file", str(target), "--no-annotate"],
            cwd=ROOT,
            check=False,
            stderr=subprocess.PIPE,
            text=True,
        )
    sys.stderr.write(done.stderr)
    if done.returncode and any(sign in done.stderr for sign in UNREACHABLE):
        raise ConnectionError(name)
    done.check_returncode()


def main() -> int:
    """Write the locks, or with ``--check`` compare."""
    if "--check" not in sys.argv:
        for name, options in LOCKS.items():
            compile_lock(name, options, ROOT / "locks" / name)
        return 0
    drifted = []
    for name, options in LOCKS.items():
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / name
            target.write_bytes((ROOT / "locks" / name).read_bytes())
            try:
                compile_lock(name, options, target)
            except ConnectionError:
                print("No registry answers: whether the locks have drifted is not known.", file=sys.stderr)  # noqa: T201
                return 0
            if target.read_text() != (ROOT / "locks" / name).read_text():
                drifted.append(name)
    if drifted:
        print(f"pyproject.toml and {', '.join(drifted)} no longer agree; run `make lock` and commit.", file=sys.stderr)  # noqa: T201
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
