"""An analyst's round through the real UI, offline: find a layer, rerun it, rerun the night with another setting."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.server import rtm_ui
from support.small_city import OxbowNight

pytestmark = pytest.mark.acceptance
CHROMIUM = shutil.which("chromium")
PATIENCE_S = 240


@pytest.fixture(scope="module")
def output(oxbow_night: OxbowNight, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The night's output, to be worked on."""
    folder = tmp_path_factory.mktemp("ui") / "output"
    shutil.copytree(oxbow_night.output, folder, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def ui(oxbow_night: OxbowNight, output: Path) -> Iterator[str]:
    """`rtm ui` on loopback; its address."""
    places = {
        "RTM_CONFIG_DIR": str(oxbow_night.configs),
        "RTM_DATA_DIR": str(oxbow_night.city.folder),
        "RTM_OUTPUT": str(output),
    }
    with rtm_ui(places, output / "ui.log") as address:
        yield address


@pytest.fixture(scope="module")
def page(ui: str) -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = browser.new_page(viewport={"width": 1600, "height": 1000})
        found.set_default_timeout(60_000)
        asked: list[str] = []
        found.on("request", lambda request: asked.append(request.url))
        yield found
        browser.close()
        strangers = [url for url in asked if not url.startswith((ui, "data:", "blob:"))]
        assert strangers == []


def _wait_for(done: Any, what: str) -> Any:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = done()
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"waited {PATIENCE_S} s in vain until {what}")


def _ask(address: str, query: str) -> dict[str, Any]:
    return dict(requests.post(f"{address}/graphql", json={"query": query}, timeout=30).json()["data"])


def _runs(address: str) -> list[dict[str, Any]]:
    query = "{ runsOrError { ... on Runs { results { runId status } } } }"
    return list(_ask(address, query)["runsOrError"]["results"])


def _after(address: str, before: int) -> str:
    """Wait until one more run than before has ended; its state."""

    def ended() -> str | None:
        runs = _runs(address)
        state = runs[0]["status"] if len(runs) > before else ""
        return state if state in ("SUCCESS", "FAILURE", "CANCELED") else None

    return str(_wait_for(ended, "the run ends"))


def _current(output: Path) -> str:
    return str(json.loads((output / "releases" / "oxbow" / "latest.json").read_text())["run_id"])


def _launch_night(page: Any, ui: str, fields: str) -> None:
    """Fill the launchpad of the nightly job in, and launch it."""
    page.goto(f"{ui}/locations/rtm_pipeline/jobs/oxbow_nightly/playground")
    editor = page.locator(".CodeMirror").first
    editor.wait_for()
    text = f"ops:\n  oxbow__settings:\n    config:\n{fields}"
    editor.evaluate("(element, text) => element.CodeMirror.setValue(text)", text)
    button = page.get_by_role("button", name="Launch Run").last
    button.wait_for()
    page.wait_for_function("b => !b.disabled", arg=button.element_handle())
    button.click()


def test_a_layer_is_found_rerun_and_looked_at(page: Any, ui: str) -> None:
    page.goto(f"{ui}/assets/oxbow/taverns_layer")
    page.get_by_text("cleaned; every row is kept").first.wait_for()
    page.get_by_text("oxbow_3_layers").first.wait_for()
    before = len(_runs(ui))
    page.get_by_role("button", name="Materialize").first.click()
    # These records are new, so the UI does not know yet that the inputs are stored, and asks.
    page.get_by_role("button", name="Confirm").click()
    assert _after(ui, before) == "SUCCESS"
    page.goto(f"{ui}/assets/oxbow/taverns_layer")
    page.get_by_text("kept", exact=True).first.wait_for()
    picture = page.locator('img[src^="data:image/png;base64"]').first
    behind = page.get_by_text("[Show Markdown]").first
    picture.or_(behind).first.wait_for()
    if not picture.is_visible():  # a larger city's map opens on a click
        behind.click()
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") >= 100


def test_another_setting_from_the_launchpad_leaves_what_is_current(page: Any, ui: str, output: Path) -> None:
    current, before = _current(output), len(_runs(ui))
    _launch_night(page, ui, "      family: poisson\n")
    assert _after(ui, before) == "SUCCESS"
    page.goto(f"{ui}/assets/oxbow/risk_terrain")
    page.get_by_text("poisson", exact=True).first.wait_for()
    page.goto(f"{ui}/assets/oxbow/release")
    page.get_by_text("it is an experiment (family)").first.wait_for()
    assert _current(output) == current


def test_with_promote_it_becomes_current(page: Any, ui: str, output: Path) -> None:
    current, before = _current(output), len(_runs(ui))
    _launch_night(page, ui, "      family: poisson\n      promote: true\n")
    assert _after(ui, before) == "SUCCESS"
    assert _current(output) != current


def test_a_value_out_of_range_is_answered_with_what_is_allowed(page: Any, ui: str) -> None:
    before = len(_runs(ui))
    _launch_night(page, ui, "      family: gaussian\n")
    assert _after(ui, before) == "FAILURE"
    run = _runs(ui)[0]["runId"]
    page.goto(f"{ui}/runs/{run}")
    page.get_by_text("found 'gaussian'; allowed: auto, poisson, nb1, nb2").first.wait_for()
