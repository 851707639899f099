"""Reports, pages, PDF and model card hold whatever text a source has, and hold it as text."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fakes.release import INJECTION, SCRIPT, Names, Written, make_content

from rtm_pipeline.publication.content import PUBLIC, RESTRICTED, AreaPolygons, ReleaseContent
from rtm_pipeline.publication.facts.night import facts_of
from rtm_pipeline.publication.html.neighborhood_pages import write_pages
from rtm_pipeline.publication.html.report import report_html
from rtm_pipeline.publication.paper.essentials import write_essentials
from rtm_pipeline.publication.webmap.data import map_data

ALLOWED = (
    " html head meta title link style script body a p div span header nav main section footer h1 h2 h3 h4 ul ol li dl "
    "dt dd table caption thead tbody tr th td small strong svg path rect circle line text title desc image g figure "
    "figcaption label input output fieldset legend details summary pre button "
)
SCHEMES = ("#", "https://", "http://", "mailto:", "data:image/png;base64,", "data:,", "../", "neighborhoods/")


class Page(HTMLParser):
    """What a browser would make of it: elements, attributes, inline scripts and styles, text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        self._inside = tag
        if tag == "style" or (tag == "script" and dict(attrs).get("type") != "application/json"):
            self.inline[tag].append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside in self.inline:
            if self.inline[self._inside]:
                self.inline[self._inside][-1] += data
        else:
            self.text += data

    @property
    def policy(self) -> dict[str, str]:
        content = next(a["content"] for t, a in self.elements if a.get("http-equiv") == "Content-Security-Policy")
        return {rule.split()[0]: rule.partition(" ")[2] for rule in content.split("; ")}


def check_harmless(text: str) -> Page:
    page = Page(text)
    for tag, attributes in page.elements:
        assert f" {tag} " in ALLOWED, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            if name in ("href", "src"):
                relative = re.fullmatch(r"[a-z0-9-]+\.html|MODEL_CARD\.md", value)
                assert relative or value.startswith(SCHEMES), value[:80]
    policy = page.policy
    assert policy["default-src"] == "'none'"
    for kind in ("script", "style"):
        rule = policy[f"{kind}-src"]
        assert "unsafe" not in rule
        for inline in page.inline[kind]:
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rule, f"a {kind} would not run"
    return page


@pytest.mark.parametrize("edition", [PUBLIC, RESTRICTED])
def test_hostile_text_is_only_text_in_every_page(hostile: Written, edition: str) -> None:
    folder = hostile.folder / edition
    paths = [folder / "report.html", *(folder / "neighborhoods").glob("*.html")]
    assert len(paths) == 6
    whole = ""
    for path in paths:
        whole += check_harmless(path.read_text()).text
    assert SCRIPT in whole, "the label is there, as text"
    assert INJECTION in whole


def test_hostile_text_is_only_text_in_the_model_card(hostile: Written) -> None:
    card = (hostile.folder / "MODEL_CARD.md").read_text()
    assert "<img" not in card
    assert "onerror" in card
    assert "<b>" not in card
    assert card == (hostile.public / "MODEL_CARD.md").read_text()


def named(content: ReleaseContent, names: list[str]) -> ReleaseContent:
    """The same city whose neighborhoods are called otherwise."""
    old = content.areas["neighborhood"]
    table = content.tables["neighborhoods"]
    again = dict(zip(old.names, names, strict=True))
    column = pa.array([again.get(name, name) for name in table.column("area").to_pylist()])
    at = table.column_names.index("area")
    table = table.set_column(at, table.schema.field("area"), column)
    return dataclasses.replace(
        content,
        tables={**content.tables, "neighborhoods": table},
        areas={**content.areas, "neighborhood": AreaPolygons("neighborhood", tuple(names), old.polygons)},
    )


STRANGE = [
    "../../etc/passwd",
    "Süd/Nord \\ \u202eOst\u0007",
    "北区 🏙",
    "A" * 300,
    "con.html?x=1#y",
]


def test_files_of_pages_have_plain_names_whatever_places_are_called(content: ReleaseContent, tmp_path: Path) -> None:
    strange = named(content, STRANGE)
    facts = facts_of(strange, PUBLIC)
    data = map_data(strange, facts)
    write_pages(facts, data, tmp_path)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == 5
    for name in files:
        assert re.fullmatch(r"neighborhoods/[a-z0-9-]{1,64}\.html", name), name
    page = check_harmless(report_html(facts, data))
    links = {a["href"] for t, a in page.elements if t == "a" and a.get("href", "").startswith("neighborhoods/")}
    assert links == set(files), "every link of the report leads to a page"
    write_essentials(strange, facts, tmp_path / "essentials.pdf")
    assert (tmp_path / "essentials.pdf").read_bytes().startswith(b"%PDF")


def test_names_that_look_alike_get_pages_of_their_own(content: ReleaseContent, tmp_path: Path) -> None:
    alike = named(content, ["St. Mary's", "St Marys", "ST. MARYS", "st-marys", "St. Mary's (2)"])
    facts = facts_of(alike, PUBLIC)
    write_pages(facts, map_data(alike, facts), tmp_path)
    headings = {
        re.search(r"<h1>(.*?)</h1>", path.read_text()).group(1) for path in (tmp_path / "neighborhoods").iterdir()
    }
    assert len(headings) == 5


def test_a_city_without_anything_but_a_model_has_its_reports(content: ReleaseContent, tmp_path: Path) -> None:
    """No programs, neighborhoods, forecast or accuracy: each place of the report says that it is missing, and why."""
    bare = dataclasses.replace(
        content,
        forecast=None,
        compared=None,
        accuracy=None,
        tables={},
        areas={},
        tiers={"risk_terrain": content.tiers["risk_terrain"]},
        missing={"priority_lots": "no programs are configured", "changes": "no earlier release was current"},
    )
    for edition in (PUBLIC, RESTRICTED):
        facts = facts_of(bare, edition)
        page = check_harmless(report_html(facts, map_data(bare, facts)))
        assert "no earlier release was current" in page.text
        write_essentials(bare, facts, tmp_path / f"{edition}.pdf")
    assert "no programs are configured" in page.text


def test_the_contact_stands_on_every_page(content: ReleaseContent, tmp_path: Path) -> None:
    for contact, link in (
        ("errors@city.example", 'href="mailto:errors@city.example"'),
        ("https://city.example/report", 'href="https://city.example/report"'),
        ("Office <b>of</b> Data, 816 555 0100", "Office &lt;b&gt;of&lt;/b&gt; Data, 816 555 0100"),
        ("javascript:alert(1)", "Tell javascript:alert(1)."),
    ):
        said = dataclasses.replace(content, contact=contact)
        facts = facts_of(said, PUBLIC)
        write_pages(facts, map_data(said, facts), tmp_path)
        for path in (tmp_path / "neighborhoods").iterdir():
            text = path.read_text()
            assert link in text
            check_harmless(text)


def test_hostile_names_reach_every_product_of_a_release(hostile: Written) -> None:
    """So that the tests above look at what they mean to look at."""
    names = Names(SCRIPT, "", INJECTION)
    assert names.neighborhood in make_content(hostile=True).areas["neighborhood"].names
    assert np.array(hostile.content.areas["neighborhood"].names).size == 5
