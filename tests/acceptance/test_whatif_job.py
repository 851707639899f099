"""The what-if job as the UI launches it: through the real webserver, with a run configuration, to its result."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import rasterio
import requests
from support.city import ROOT
from support.server import rtm_ui, wait_for
from support.small_city import oxbow_config, write_oxbow

pytestmark = pytest.mark.acceptance
PROGRAMS = """\
programs:
  lots: {layer: vacant_lots, id: OBJECTID}
  assumed_share: 0.5
  work: {greening: {radius: 500 ft}, mowing: {radius: 500 ft}}
"""
LAUNCH = """
mutation Launch($config: RunConfigData!) {
  launchRun(executionParams: {
    selector: {repositoryLocationName: "rtm_pipeline", repositoryName: "__repository__", jobName: "oxbow_whatif"}
    runConfigData: $config
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PythonError { message }
  }
}
"""
STATUS = "query Run($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
FAILURES = """
query Failures($run: ID!) {
  logsForRun(runId: $run) {
    ... on EventConnection { events { ... on ExecutionStepFailureEvent { error { message cause { message } } } } }
  }
}
"""
OBSERVED = """
{ assetOrError(assetKey: {path: ["oxbow", "risk_terrain"]}) { ... on Asset { assetObservations(limit: 1) {
  runId
  metadataEntries { label ... on JsonMetadataEntry { jsonString } ... on PathMetadataEntry { path }
    ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr } }
} } } }
"""


class Ui:
    """The webserver, as the browser asks it."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, query: str, **variables: Any) -> Any:
        answer = requests.post(f"{self._address}/graphql", json={"query": query, "variables": variables}, timeout=120)
        answer.raise_for_status()
        found = answer.json()
        assert "errors" not in found, found
        return found["data"]

    def try_out(self, **fields: Any) -> tuple[str, str]:
        """Launch the job with these fields and wait for its end: (run, status)."""
        found = self.ask(LAUNCH, config={"ops": {"oxbow__whatif": {"config": fields}}})["launchRun"]
        assert found["__typename"] == "LaunchRunSuccess", found
        run = str(found["run"]["runId"])

        def ended() -> str | None:
            status = str(self.ask(STATUS, run=run)["runOrError"]["status"])
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return run, str(wait_for(ended, 240, "the end of the run"))


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night of Oxbow with programs."""
    root = tmp_path_factory.mktemp("whatif")
    write_oxbow(root / "data")
    (root / "configs").mkdir()
    (root / "configs" / "oxbow.yaml").write_text(oxbow_config() + PROGRAMS)
    command = [sys.executable, "-m", "rtm_pipeline", "run", "oxbow", "--config-dir", str(root / "configs")]
    command += ["--data-dir", str(root / "data"), "--output", str(root / "output")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root / "output"


@pytest.fixture(scope="module")
def ui(output: Path) -> Iterator[Ui]:
    places = {
        "RTM_CONFIG_DIR": str(output.parent / "configs"),
        "RTM_DATA_DIR": str(output.parent / "data"),
        "RTM_OUTPUT": str(output),
    }
    with rtm_ui(places, output.parent / "ui.log") as address:
        yield Ui(address)


def test_sites_are_treated_from_the_launchpad(ui: Ui, output: Path) -> None:
    latest = output / "releases" / "oxbow" / "latest.json"
    before = latest.read_bytes()
    release = output / "releases" / "oxbow" / json.loads(before)["run_id"]
    lots = pq.read_table(release / "restricted" / "priority_lots.parquet").to_pylist()[:2]
    site, other = lots[0]["site_id"], lots[1]["site_id"]
    run, status = ui.try_out(treat=[f"{site}=greening", other])
    assert status == "SUCCESS"
    (seen,) = ui.ask(OBSERVED)["assetOrError"]["assetObservations"]
    assert seen["runId"] == run
    told = {entry.pop("label"): next(iter(entry.values())) for entry in seen["metadataEntries"] if len(entry) > 1}
    benefit = json.loads(told["benefit"])
    # the second site gets what is recommended there
    assert benefit["sites"] == {"greening": 1, lots[1]["action"]: 1}
    assert 0 < benefit["low"] < benefit["prevented"] < benefit["high"]
    assert "never an effect of the work" in told["note"]
    assert told["map of prevented"].startswith("![")
    folder = Path(told["folder"])
    assert folder.parent == output / "artifacts" / "oxbow" / "whatif"
    with rasterio.open(folder / "prevented.tif") as raster:
        assert float(raster.read(1, masked=True).sum()) == pytest.approx(benefit["prevented"], rel=1e-4)
    assert json.loads((folder / "whatif.json").read_text())["benefit"] == benefit
    assert latest.read_bytes() == before, "nothing is released"


def test_a_site_that_is_not_there_is_told(ui: Ui) -> None:
    run, status = ui.try_out(treat=["nowhere"])
    assert status == "FAILURE"
    said = json.dumps(ui.ask(FAILURES, run=run))
    assert "not in the inventory: nowhere" in said
