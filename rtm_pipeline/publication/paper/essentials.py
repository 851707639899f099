"""``essentials.pdf``: two pages for a meeting, the same bytes for the same night."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.uses import WRONG_USES
from rtm_pipeline.publication.facts.words import day, percent, times
from rtm_pipeline.publication.paper.second_page import second_page
from rtm_pipeline.publication.paper.sheet import BRAND, INK, MUTED, Column, Sheet
from rtm_pipeline.publication.rasters.geotiff import to_classes
from rtm_pipeline.surface.tiers import TIERS
from rtm_pipeline.units import MILE_M

__all__ = ["write_essentials"]

LEFT, RIGHT = 0.55, 7.95
_MAP_WIDTH = 3.95  # inches
_PIXELS = 1600
_COLUMN = 4.75  # where the right column of the first page begins


def write_essentials(content: ReleaseContent, facts: Facts, path: Path) -> None:
    """Write the two pages of one edition."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import PdfPages

    undated = {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None}
    title = f"Risk terrain of {facts.label}, {facts.as_of} ({facts.edition} edition)"
    with (
        rc_context({"pdf.fonttype": 3, "font.family": "DejaVu Sans"}),
        PdfPages(path, metadata={"Title": title, **undated}) as file,
    ):
        for sheet in (first_page(content, facts), second_page(facts)):
            _foot(sheet, facts)
            file.savefig(sheet.figure)


def first_page(content: ReleaseContent, facts: Facts) -> Sheet:
    """Map, how good it is, why, where."""
    sheet = Sheet()
    sheet.box(0, 0, 8.5, 1.12, color=BRAND)
    sheet.text(LEFT, 0.24, f"Risk terrain of {facts.label}"[:60], size=20, color="#ffffff", weight="bold")
    subtitle = f"{facts.outcome.capitalize()}, as of {day(facts.as_of)}. {facts.edition.capitalize()} edition."
    sheet.text(LEFT, 0.72, subtitle, size=10.5, color="#f3eaf7")
    name = FORECAST if not facts.public and FORECAST in content.tiers else RISK_TERRAIN
    _map(sheet, content, facts, name)
    y = _verdict(sheet, facts, 1.4)
    y = _why(sheet, facts, y)
    _where(sheet, facts, y)
    return sheet


def _map(sheet: Sheet, content: ReleaseContent, facts: Facts, name: str) -> None:
    title = "Forecast by tier" if name == FORECAST else "Risk terrain by tier"
    y = sheet.heading(LEFT, 1.4, title)
    if name not in facts.tiers:
        sheet.paragraph(LEFT, y, 3.8, "This edition may not show the surface (terms of a source).", color=MUTED)
        return
    spec = content.grid.spec
    wide, high = 1.04 * (spec.east_u - spec.west_u), 1.07 * (spec.north_u - spec.south_u)
    tall = min(7.2, _MAP_WIDTH * high / wide)
    axes = sheet.axes(LEFT, y, _MAP_WIDTH, tall)
    _cells(axes, content, content.tiers[name])
    _outline(axes, list(facts.places.polygons) if facts.places is not None else [], "#4a4655", 0.35)
    _outline(axes, [content.area], INK, 0.9)
    width, height = spec.east_u - spec.west_u, spec.north_u - spec.south_u
    axes.set_xlim(spec.west_u - 0.02 * width, spec.east_u + 0.02 * width)
    axes.set_ylim(spec.south_u - 0.05 * height, spec.north_u + 0.02 * height)
    axes.set_aspect("equal")
    axes.set_axis_off()
    _scale(axes, content)
    shares = facts.tiers[name]
    y += tall + 0.12
    for tier in TIERS:
        sheet.box(LEFT, y + 0.01, 0.16, 0.13, color=tier.color, edge=MUTED)
        sheet.text(LEFT + 0.24, y, f"{tier.label} (holds {percent(shares.get(tier.number), 1)} of them)", size=8.2)
        y += 0.19
    statement = facts.statements.get(name)
    if statement:
        sheet.paragraph(LEFT, y + 0.04, 3.9, statement, size=8.2, weight="bold", most=2)


def _cells(axes: Any, content: ReleaseContent, tiers: NDArray[np.uint8]) -> None:
    """Squares in the colors of their tiers; sharp in every viewer, because each is drawn as many pixels."""
    spec = content.grid.spec
    colors = np.array([(255, 255, 255, 0), *(_rgba(tier.color) for tier in TIERS)], np.uint8)
    image = colors[to_classes(content.grid, tiers)]
    times = max(1, _PIXELS // max(image.shape[:2]))
    axes.imshow(
        image.repeat(times, axis=0).repeat(times, axis=1),
        extent=(spec.west_u, spec.east_u, spec.south_u, spec.north_u),
        interpolation="none",
    )


def _rgba(color: str) -> tuple[int, int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255


def _scale(axes: Any, content: ReleaseContent) -> None:
    """A bar of a round length and an arrow to the north, under the map."""
    spec = content.grid.spec
    length_m, words = max(
        ((miles * MILE_M, f"{miles:g} mi") for miles in (0.1, 0.25, 0.5, 1, 2, 5, 10)),
        key=lambda pair: pair[0] if pair[0] <= 0.25 * (spec.east_u - spec.west_u) * spec.unit_m else -pair[0],
    )
    x, y = spec.west_u, spec.south_u - 0.03 * (spec.north_u - spec.south_u)
    axes.plot([x, x + length_m / spec.unit_m], [y, y], color=INK, linewidth=2.2, solid_capstyle="butt")
    axes.annotate(f"{words}, north is up", (x, y), (0, 4), textcoords="offset points", fontsize=7, color=INK)


def _outline(axes: Any, shapes: list[Any], color: str, width: float) -> None:
    from matplotlib.collections import LineCollection

    rings = []
    for shape in shapes:
        for polygon in shapely.get_parts(shape):
            rings += [np.asarray(ring.coords)[:, :2] for ring in (polygon.exterior, *polygon.interiors)]
    axes.add_collection(LineCollection(rings, colors=color, linewidths=width))


def _verdict(sheet: Sheet, facts: Facts, y: float) -> float:
    y = sheet.heading(_COLUMN, y, "How good is it?")
    width = RIGHT - _COLUMN
    if facts.accuracy is None:
        return sheet.paragraph(_COLUMN, y, width, f"Not judged: {facts.why_missing('accuracy')}.") + 0.18
    verdict = facts.accuracy.verdict
    y = sheet.paragraph(_COLUMN, y, width, verdict.headline, weight="bold", size=10)
    return sheet.paragraph(_COLUMN, y + 0.04, width, verdict.text, size=8.6, most=11) + 0.18


def _why(sheet: Sheet, facts: Facts, y: float) -> float:
    y = sheet.heading(_COLUMN, y, "Why there?")
    width = RIGHT - _COLUMN
    if not facts.model.terms:
        return sheet.paragraph(_COLUMN, y, width, "No factor explains where incidents are.", size=8.6) + 0.18
    for term in facts.model.terms[:5]:
        sheet.text(_COLUMN, y, f"{times(term.rrv)}\u00d7", size=9.5, weight="bold", color=BRAND)
        y = sheet.paragraph(_COLUMN + 0.55, y, width - 0.55, f"places {term.where}", size=8.6, most=3) + 0.05
    note = (
        f"times the {facts.outcome} of other places, all other factors being equal; what goes together, not what causes"
    )
    return sheet.paragraph(_COLUMN, y, width, note, size=7.6, color=MUTED) + 0.18


def _where(sheet: Sheet, facts: Facts, y: float) -> None:
    y = sheet.heading(_COLUMN, y, "Where?")
    places = [] if facts.places is None else [p for p in facts.places.places if p.risk_high_share is not None]
    if not places:
        sheet.paragraph(_COLUMN, y, RIGHT - _COLUMN, "There are no neighborhoods to tell of; see the map.", size=8.6)
        return
    top = sorted(places, key=lambda p: (-(p.risk_high_share or 0.0), p.name))[:8]
    columns = (Column("Neighborhood", _COLUMN, 1.95), Column("in the top 5 %", _COLUMN + 1.95, 1.25, True))
    y = sheet.table(y, columns, [[place.name, percent(place.risk_high_share)] for place in top])
    if y < 8.6:
        y = sheet.heading(_COLUMN, y + 0.1, "Not to be used for")
        for use in WRONG_USES[:3]:
            y = sheet.paragraph(_COLUMN, y, RIGHT - _COLUMN, f"\u2013 {use}", size=8.0, most=3) + 0.02


def _foot(sheet: Sheet, facts: Facts) -> None:
    sheet.rule(LEFT, 10.42, RIGHT - LEFT)
    y = sheet.paragraph(
        LEFT, 10.48, RIGHT - LEFT, f"{facts.disclaimer} {facts.notice}".strip(), size=6.8, color=MUTED, most=3
    )
    sheet.text(LEFT, min(y + 0.02, 10.86), f"Run {facts.run_id}. Errors: {facts.contact}"[:150], size=6.8, color=MUTED)
