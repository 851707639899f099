"""Reports for people: HTML, neighborhood pages and PDF of both editions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.content import PUBLIC, RESTRICTED, ReleaseContent
from rtm_pipeline.publication.facts.night import Facts, facts_of
from rtm_pipeline.publication.html.neighborhood_pages import write_pages
from rtm_pipeline.publication.html.report import report_html
from rtm_pipeline.publication.paper.essentials import write_essentials
from rtm_pipeline.publication.webmap.data import map_data
from rtm_pipeline.publication.webmap.overlay import cell_picture

__all__ = ["write_reports"]


def write_reports(content: ReleaseContent, folder: Path, facts_by_edition: Mapping[str, Facts] | None = None) -> None:
    """Write ``report.html`` and ``essentials.pdf`` of both editions and the public pages of neighborhoods.

    Parameters
    ----------
    content : ReleaseContent
    folder : Path
        Of the release; the folders ``public`` and ``restricted`` are made where they are missing.
    facts_by_edition : mapping of str to Facts, optional
        Where they are there already.

    Raises
    ------
    PublishError
        A file can't be written.
    """
    picture = cell_picture(content.grid)
    for edition in (PUBLIC, RESTRICTED):
        target = folder / edition
        try:
            target.mkdir(exist_ok=True)
            facts = facts_of(content, edition) if facts_by_edition is None else facts_by_edition[edition]
            data = map_data(content, facts, picture)
            write_essentials(content, facts, target / "essentials.pdf")
            write_pages(facts, data, target)
            (target / "report.html").write_text(report_html(facts, data), encoding="utf-8")
        except OSError as error:
            raise PublishError(
                f"The reports of the {edition} edition could not be written to {target}: {error}."
            ) from None
