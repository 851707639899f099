"""Which peers are installed: a benchmark runs with those that are there, and says which are not."""

from __future__ import annotations

import shutil
import subprocess

__all__ = ["peers_in_r"]


def peers_in_r(package: str) -> bool:
    """Whether R and a package of it can be run; prints what is missing and how Debian installs it."""
    program = shutil.which("Rscript")
    if program is not None:
        found = subprocess.run([program, "-e", f"library({package})"], capture_output=True, check=False)
        if found.returncode == 0:
            return True
    print(
        f"R with {package} is not installed, so its times are left out "
        f"(Debian: apt-get install r-base-core r-cran-{package.lower()}).",
        flush=True,
    )
    return False
