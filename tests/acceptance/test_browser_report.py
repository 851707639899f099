"""The reports in a browser, opened from disk with the network off: what people see, by mouse, keyboard and reader.

Chromium is driven by Playwright. Tried with Chromium 14x of Debian 12 and axe-core 4.10.3.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyogrio
import pytest

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from fakes.release import Written, make_content, write  # noqa: E402
from support.city import Night  # noqa: E402

pytestmark = pytest.mark.acceptance

AXE = TESTS / "vendor" / "axe-core" / "axe.min.js"
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
DESKTOP, PHONE = (1400, 900), (390, 844)
EDITIONS = ("public", "restricted")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Seen:
    """What a page did that it should not have done."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        return not (self.requests or self.errors or self.dialogs)


class Reader:
    """Opens files of a release in Chromium."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def open(
        self, path: Path, size: tuple[int, int] = DESKTOP, *, settle: bool = True, **context: Any
    ) -> tuple[Any, Seen]:
        page = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, offline=True, reduced_motion="reduce", **context
        ).new_page()
        seen = Seen()
        page.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or seen.requests.append(r.url))
        page.on("console", lambda m: m.type in ("error", "warning") and seen.errors.append(m.text))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(path.resolve().as_uri())
        if settle and path.name == "report.html":
            page.wait_for_selector("html[data-map=ready]", timeout=120_000)
        return page, seen


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as program:
        browser = program.chromium.launch(executable_path=chromium, args=FLAGS)
        yield Reader(browser)
        browser.close()


@pytest.fixture(scope="module")
def release(demo_night: Night) -> Path:
    return demo_night.release


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(make_content(hostile=True), tmp_path_factory.mktemp("hostile") / "run")


def pages_of(release: Path, edition: str) -> list[Path]:
    return sorted((release / edition / "neighborhoods").glob("*.html"))


def neighborhoods(release: Path, edition: str) -> Any:
    name = "neighborhoods" if edition == "public" else "priorities"
    found = pyogrio.read_dataframe(release / edition / f"{name}.gpkg", layer="neighborhoods")
    return (found[found["level"] == "neighborhood"] if "level" in found else found).set_index("area")


def rows_of(page: Any) -> dict[str, str]:
    return dict(
        page.eval_on_selector_all(
            "#details dl div",
            "items => items.map(item => [item.children[0].textContent, item.children[1].textContent])",
        )
    )


@pytest.mark.parametrize("edition", EDITIONS)
def test_reports_and_pages_ask_for_nothing_and_raise_nothing(reader: Reader, release: Path, edition: str) -> None:
    paths = [release / edition / "report.html", *pages_of(release, edition)]
    assert len(paths) == 24
    for path in (paths[0], *paths[1::5]):
        page, seen = reader.open(path)
        assert seen.nothing, (path.name, seen)
        page.context.close()


@pytest.mark.parametrize("edition", EDITIONS)
def test_surfaces_are_switched_and_faded(reader: Reader, release: Path, edition: str) -> None:
    page, seen = reader.open(release / edition / "report.html")
    pictures = {}
    for value in page.eval_on_selector_all("input[name=surface]", "items => items.map(item => item.value)"):
        radio = page.locator(f"input[name=surface][value='{value}']")
        if not radio.is_visible():
            page.locator("#surfaces summary").click()
        radio.check()
        page.wait_for_selector(f"html[data-surface='{value}']")
        page.wait_for_timeout(400)
        pictures[value] = page.locator("#map-canvas canvas").screenshot()
        title = page.locator("#legend-title").inner_text()
        assert title == ("No surface" if value == "none" else radio.locator("xpath=..").inner_text().strip())
    assert len(set(pictures.values())) == len(pictures), "two surfaces look the same"
    assert {"risk_terrain", "areas", "none"} <= set(pictures)
    assert ("forecast" in pictures) is (edition == "restricted")
    page.locator("input[name=surface][value=risk_terrain]").check()
    page.locator("#fade").fill("20")
    assert page.locator("#fade-value").inner_text() == "20 %"
    assert page.evaluate("() => rtmMap.getPaintProperty('overlay-risk_terrain', 'raster-opacity')") == 0.2
    assert seen.nothing


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_click_shows_the_numbers_of_the_geopackage(reader: Reader, release: Path, edition: str) -> None:
    page, seen = reader.open(release / edition / "report.html")
    table = neighborhoods(release, edition)
    names = page.evaluate("() => JSON.parse(document.getElementById('map-data').textContent).places.map(p => p.name)")
    assert sorted(names) == sorted(table.index)
    page.locator("#map-canvas").scroll_into_view_if_needed()
    box = page.locator("#map-canvas").bounding_box()
    for at, name in enumerate(names):
        point = page.evaluate(
            "at => { const d = JSON.parse(document.getElementById('map-data').textContent);"
            " const p = rtmMap.project(d.labels[at]); return [p.x, p.y]; }",
            at,
        )
        page.mouse.click(box["x"] + point[0], box["y"] + point[1])
        assert page.locator("#details-heading").inner_text() == name
        said = rows_of(page)
        row = table.loc[name]
        for key, column in (("Vacant lots", "lots"), ("Vacant or dangerous buildings", "buildings")):
            value = row[column]
            assert said[key] == ("held back" if value != value or value is None else f"{int(value):,}"), (name, key)
        forecast = said["Forecast of violent crime (incidents a year)"]
        assert float(forecast.replace(",", "")) == pytest.approx(row["expected_incidents"], abs=0.5)
        share = said["Share of its area among the city's top 5 % of risk"]
        assert float(re.sub(r"[^0-9.]", "", share)) == pytest.approx(100 * row["risk_high_share"], abs=0.51)
    assert seen.nothing


def test_a_neighborhood_is_found_by_its_name(reader: Reader, release: Path) -> None:
    page, seen = reader.open(release / "public" / "report.html")
    box = page.locator("#search")
    box.fill("pena")
    assert page.locator("#found button").all_inner_texts() == ["Peña Hill"], "accents must not matter"
    assert page.locator("#search-status").inner_text() == "1 neighborhood found:"
    box.press("Enter")
    assert page.locator("#details-heading").inner_text() == "Peña Hill"
    assert page.evaluate("() => document.activeElement.id") == "details-box"
    box.fill("no such place")
    assert "No neighborhood" in page.locator("#search-status").inner_text()
    link = page.locator("#details a")
    assert link.get_attribute("href") == "neighborhoods/pena-hill.html"
    assert seen.nothing


def test_the_keyboard_is_enough(reader: Reader, release: Path) -> None:
    page, seen = reader.open(release / "public" / "report.html")
    visited = []
    for _ in range(60):
        page.keyboard.press("Tab")
        visited.append(
            page.evaluate(
                "() => { const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();"
                " return [e.id || e.className || e.textContent.slice(0, 30), s.outlineStyle !== 'none' &&"
                " parseFloat(s.outlineWidth) >= 2, b.width > 0 && b.height > 0, b.bottom > 0 &&"
                " b.top < innerHeight]; }"
            )
        )
    assert visited[0][0] == "skip"
    assert all(outlined and drawn and seen_ for _, outlined, drawn, seen_ in visited), [
        item for item in visited if not all(item[1:])
    ]
    names = [item[0] for item in visited]
    assert names.index("maplibregl-canvas") < names.index("search") < names.index("fade"), "the order of reading"
    page.locator("#search").focus()
    page.keyboard.type("union")
    page.keyboard.press("Enter")
    assert page.locator("#details-heading").inner_text() == "Union Addition"
    page.keyboard.press("Escape")
    assert page.locator("#details-heading").inner_text() == "Details"
    assert page.evaluate("() => document.activeElement.id") == "search", "focus goes back to where it was"
    page.keyboard.press("Escape")
    assert page.locator("#search").input_value() == ""
    page.locator("#map-canvas canvas").focus()
    page.keyboard.press("Enter")
    assert page.locator("html").get_attribute("data-chosen")
    assert seen.nothing


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("edition", EDITIONS)
def test_axe_finds_no_violation(reader: Reader, release: Path, edition: str, size: tuple[int, int]) -> None:
    for path in (release / edition / "report.html", pages_of(release, edition)[0]):
        page, _ = reader.open(path, size, bypass_csp=True)
        page.evaluate("() => { for (const fold of document.querySelectorAll('details')) { fold.open = true; } }")
        page.add_script_tag(path=str(AXE))
        found = page.evaluate("rules => axe.run(document, { runOnly: rules })", RULES)
        assert found["passes"], "axe must have looked at something"
        assert not found["violations"], [
            (item["id"], [node["html"][:120] for node in item["nodes"][:3]]) for item in found["violations"]
        ]
        page.context.close()


@pytest.mark.parametrize("width", [PHONE[0], 320])
@pytest.mark.parametrize("edition", EDITIONS)
def test_a_phone_scrolls_down_only(reader: Reader, release: Path, edition: str, width: int) -> None:
    for path in (release / edition / "report.html", pages_of(release, edition)[0]):
        page, _ = reader.open(path, (width, 800), has_touch=True, is_mobile=True)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, path
        small = page.eval_on_selector_all(
            "button, input[type=radio] , input[type=checkbox], summary",
            "items => items.map(e => (e.closest('label') || e).getBoundingClientRect())"
            ".filter(b => b.width > 0 && (b.width < 24 || b.height < 24)).length",
        )
        assert small == 0, "targets smaller than 24 pixels (WCAG 2.2, 2.5.8)"
        page.context.close()


@pytest.mark.parametrize("edition", EDITIONS)
def test_it_prints_with_a_still_map(reader: Reader, release: Path, edition: str, tmp_path: Path) -> None:
    page, _ = reader.open(release / edition / "report.html")
    page.emulate_media(media="print")
    assert page.locator("#still-box").is_visible()
    assert not page.locator("#map-canvas").is_visible()
    for control in ("#search", "#fade", "#surfaces", "nav.contents"):
        assert not page.locator(control).is_visible(), control
    # white numbers of the worst hours need their dark ground on paper too
    exact = "cells => cells.every(cell => getComputedStyle(cell).printColorAdjust === 'exact')"
    assert page.locator(".hours td").count()
    assert page.locator(".hours td").evaluate_all(exact)
    path = tmp_path / "report.pdf"
    page.pdf(path=str(path), format="Letter")
    assert path.stat().st_size > 50_000
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout
        assert "Union Addition" in text
        assert "How good it is" in text


def test_without_script_and_without_webgl_there_is_a_map(reader: Reader, release: Path) -> None:
    page, seen = reader.open(release / "public" / "report.html", settle=False, java_script_enabled=False)
    assert page.locator("#still-box svg").is_visible()
    assert not page.locator("#search").is_visible()
    assert seen.nothing


@pytest.mark.parametrize("edition", EDITIONS)
def test_hostile_text_stays_text(reader: Reader, hostile: Written, edition: str) -> None:
    folder = hostile.folder / edition
    for path in (folder / "report.html", *sorted((folder / "neighborhoods").glob("*.html"))):
        page, seen = reader.open(path)
        assert seen.nothing, (path.name, seen)
        assert page.evaluate("() => document.querySelectorAll('img, iframe, object, [onerror]').length") == 0
        if path.name == "report.html":
            page.locator("#search").fill("DROP")
            page.locator("#found button").first.click()
            assert page.locator("#details-heading").inner_text() == "'; DROP TABLE priority_lots;--"
            assert seen.nothing
        page.context.close()
