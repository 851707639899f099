"""The report of one edition: one file that opens from disk with the network off."""

from __future__ import annotations

from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.html.accuracy import accuracy_section
from rtm_pipeline.publication.html.data import changes_section, health_section, sources_section
from rtm_pipeline.publication.html.evidence import evidence_section
from rtm_pipeline.publication.html.hours import hours_section
from rtm_pipeline.publication.html.map import map_section
from rtm_pipeline.publication.html.model import model_section
from rtm_pipeline.publication.html.page import Page, render_page, template, vendored
from rtm_pipeline.publication.html.priorities import grants_section, priorities_section
from rtm_pipeline.publication.html.summary import banner, contact_line, summary_section, use_section
from rtm_pipeline.publication.html.tags import Html, join, json_block, tag
from rtm_pipeline.publication.webmap.data import MapData

__all__ = ["report_html"]

CONTENTS = (
    ("summary", "In short"),
    ("map", "Map"),
    ("why", "Why there"),
    ("accuracy", "How good"),
    ("hours", "When"),
    ("priorities", "What to do"),
    ("grants", "Grants"),
    ("changes", "What changed"),
    ("evidence-311", "311"),
    ("data", "Data"),
    ("use", "Use and misuse"),
    ("sources", "Sources and contact"),
)


def report_html(facts: Facts, data: MapData) -> str:
    """The whole report as one HTML text.

    Parameters
    ----------
    facts : Facts
        Of one edition.
    data : MapData
        Made from the same facts.
    """
    about = f"Where {facts.outcome} comes together with features of the landscape in {facts.label}, and why."
    body = join(
        [
            tag("a", "Skip to the report", href="#main", class_="skip"),
            banner(facts),
            _contents(),
            tag(
                "main",
                summary_section(facts),
                map_section(facts, data),
                model_section(facts),
                accuracy_section(facts),
                hours_section(facts),
                priorities_section(facts),
                grants_section(facts),
                changes_section(facts),
                evidence_section(facts),
                health_section(facts),
                use_section(facts),
                sources_section(facts),
                id="main",
                tabindex="-1",
            ),
            tag(
                "footer",
                tag("div", tag("p", facts.disclaimer), tag("p", contact_line(facts)), tag("p", f"Run {facts.run_id}.")),
            ),
        ],
        "\n",
    )
    return render_page(
        Page(
            title=f"Risk terrain of {facts.label}, {facts.as_of} ({facts.edition} edition)",
            description=about,
            body=body,
            styles=(vendored("maplibre-gl.css"), template("page.css"), template("report_map.css")),
            scripts=(vendored("maplibre-gl.js"), template("report_map.js")) if data.overlays else (),
            data=(json_block("map-data", data.plain),) if data.overlays else (),
            with_map=bool(data.overlays),
        )
    )


def _contents() -> Html:
    links = (tag("li", tag("a", title, href=f"#{identity}")) for identity, title in CONTENTS)
    return tag("nav", tag("ul", *links), class_="contents", aria_label="Contents")
