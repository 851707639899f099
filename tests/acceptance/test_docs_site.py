"""The documentation builds without a warning, every link inside it leads somewhere, and it names what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.city import ROOT

pytestmark = pytest.mark.acceptance


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-E", "--keep-going", "-b", "html", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "dictionary_of_outputs.html").read_text()
    assert "expected_prevented" in page
    method = (tmp_path / "method.html").read_text()
    assert method.count('<img class="math" src="data:image/svg+xml;base64,') > 30
    assert "https://cdn" not in method


def test_relative_links_lead_to_files() -> None:
    lost = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:\s]+)\)", page.read_text()):
            made = target == "dictionary_of_outputs.md"  # written by the build
            if not made and not (page.parent / target).exists():
                lost.append(f"{page.name}: {target}")
    assert lost == []
