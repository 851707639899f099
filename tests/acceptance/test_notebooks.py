"""The notebooks run from top to bottom on the made city, draw pictures, and are the same as the scripts beside them."""

from __future__ import annotations

from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient
from support.city import ROOT, Night

pytestmark = pytest.mark.acceptance
SCRIPTS = sorted((ROOT / "notebooks").glob("*.py"))
PICTURES = {"1_first_look": 3, "2_risk_terrain": 2, "3_how_good": 3, "4_choosing_lots": 3, "5_did_it_help": 1}


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_it_is_the_same_as_its_script(script: Path) -> None:
    one, other = jupytext.read(script), jupytext.read(script.with_suffix(".ipynb"))
    cells = [[(cell.cell_type, cell.source) for cell in notebook.cells] for notebook in (one, other)]
    assert cells[0] == cells[1], f"run: jupytext --sync notebooks/{script.stem}.ipynb"
    assert not any(cell.get("outputs") for cell in other.cells), "commit it without outputs"


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_it_runs(script: Path, demo_night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTM_OUTPUT", str(demo_night.output))
    notebook = jupytext.read(script)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == PICTURES[script.stem]
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]


def test_every_notebook_is_known_here() -> None:
    assert {path.stem for path in SCRIPTS} == set(PICTURES)
