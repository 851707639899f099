"""The section that tells how good the surfaces are: verdict, plots, tables, ties, calibration, who bears the errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date

from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN
from rtm_pipeline.publication.facts.accuracy import AccuracyFacts
from rtm_pipeline.publication.facts.disparity import DISPARITY_HEADS, disparity_rows
from rtm_pipeline.publication.facts.measures import PERFECT, UNIFORM, At, SurfaceAccuracy, ties_sentence
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.plots import PLOT_COLORS, Point, Series, plot_series
from rtm_pipeline.publication.facts.words import NONE, amount, count, day, percent, surface_name, times
from rtm_pipeline.publication.html.charts import Axis, line_chart
from rtm_pipeline.publication.html.summary import missing, section
from rtm_pipeline.publication.html.tables import Head, table
from rtm_pipeline.publication.html.tags import Child, Html, tag

__all__ = ["accuracy_section"]


def accuracy_section(facts: Facts) -> Html:
    """Everything on accuracy that a reader may ask for, the verdict first."""
    accuracy = facts.accuracy
    if accuracy is None:
        return section("accuracy", "How good it is", missing("Accuracy", facts, "accuracy"))
    verdict = accuracy.verdict
    return section(
        "accuracy",
        "How good it is",
        tag(
            "p",
            tag("strong", f"{verdict.headline}. "),
            verdict.text,
            class_=f"verdict {verdict.code.replace('_', '-')}",
        ),
        tag(
            "p",
            f"Everything here is as it would have been said on {_day(accuracy.cutoff)}, judged on what came in "
            f"{accuracy.judged_on} ({count(accuracy.n_events)} {facts.unit}s in {count(accuracy.n_cells)} cells). The "
            f"rule to beat, {surface_name(accuracy.baseline).lower()}, was chosen before that day"
            + (f": {accuracy.baseline_reason}." if accuracy.baseline_reason else "."),
        ),
        _charts(accuracy),
        _measure_table(accuracy, "hit_rate", "Share of incidents inside the flagged area (hit rate)"),
        _more(facts, accuracy),
        _statements(facts),
    )


def _day(text: str) -> str:
    """An ISO date in words."""
    try:
        return day(date.fromisoformat(text))
    except ValueError:
        return text


def _charts(accuracy: AccuracyFacts) -> Html:
    shares = accuracy.shares
    x_ticks = tuple((share, percent(share)) for share in shares)
    x = Axis(
        "share of the city that is flagged", x_ticks, min(shares, default=0.005), max(shares, default=0.2), log=True
    )
    hits = line_chart(
        "hits",
        "Share of incidents inside the flagged area",
        _describe(accuracy, "hit_rate", percent),
        x,
        Axis("share of incidents", tuple((v / 10, f"{v * 10} %") for v in range(0, 11, 2)), 0.0, 1.0),
        plot_series(accuracy, "hit_rate"),
    )
    top = max((at.maximum for item in accuracy.surfaces for at in item.pai.values()), default=10.0)
    ticks = tuple((float(v), f"{v}\u00d7") for v in (1, 2, 5, 10, 20, 50, 100, 200) if v <= top * 1.4)
    pai = line_chart(
        "pai",
        "Prediction accuracy index (PAI) by share of the city",
        _describe(accuracy, "pai", times),
        x,
        Axis("times its share (PAI)", ticks, 0.8, max(top * 1.2, 2.0), log=True),
        plot_series(accuracy, "pai"),
    )
    figures = [
        tag("figure", hits, tag("figcaption", "How many incidents fell where the map pointed.")),
        tag("figure", pai, tag("figcaption", "The same, as a multiple of what chance gives (PAI).")),
    ]
    if accuracy.calibration:
        figures.append(_calibration(accuracy))
    return tag("div", *figures, class_="plots")


def _describe(accuracy: AccuracyFacts, measure: str, say: Callable[[float], str]) -> str:
    names = (FORECAST, RISK_TERRAIN, accuracy.baseline, PERFECT)
    parts = []
    for name in dict.fromkeys(names):
        item = accuracy.surface(name)
        values = getattr(item, measure) if item is not None else {}
        if values:
            parts.append(
                f"{surface_name(name)}: "
                + ", ".join(f"{say(at.expected)} at {percent(share)}" for share, at in values.items())
            )
    return ". ".join(parts) or "No surface was judged."


def _calibration(accuracy: AccuracyFacts) -> Html:
    rows = accuracy.calibration
    top = max(max(row.expected, row.observed, row.high or 0.0) for row in rows) or 1.0
    step = _nice(top / 4)
    ticks = tuple((step * at, count(step * at) if step >= 1 else f"{step * at:g}") for at in range(int(top / step) + 2))
    chart = line_chart(
        "calibration",
        "Expected and observed incidents by tenth of the cells",
        "; ".join(
            f"tenth {row.number}: expected {amount(row.expected)}, observed {amount(row.observed)}" for row in rows
        ),
        Axis("tenth of cells by forecast", tuple((r.number, str(r.number)) for r in rows), 0.7, len(rows) + 0.3),
        Axis("incidents", ticks, 0.0, ticks[-1][0]),
        [
            Series("Expected", tuple(Point(r.number, r.expected, r.low, r.high) for r in rows), PLOT_COLORS[FORECAST]),
            Series("Observed", tuple(Point(r.number, r.observed) for r in rows), "#b3314f", 2.0, "5 3"),
        ],
    )
    return tag("figure", chart, tag("figcaption", "Are as many incidents found as were expected? Tenths of the cells."))


def _nice(value: float) -> float:
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * size >= value)


def _measure_table(accuracy: AccuracyFacts, measure: str, caption: str) -> Html:
    heads = [Head("Surface"), *(Head(percent(share), number=True, note="of area") for share in accuracy.shares)]
    say = percent if measure in ("hit_rate", "pei") else times
    rows = [_measure_row(item, measure, accuracy.shares, say) for item in accuracy.surfaces]
    rows += [[surface_name(name), *[NONE] * len(accuracy.shares)] for name, _ in accuracy.missing]
    return table(caption, heads, rows)


def _measure_row(
    item: SurfaceAccuracy, measure: str, shares: Sequence[float], say: Callable[[float], str]
) -> list[Child]:
    values = getattr(item, measure)

    def cell(at: At | None) -> str:
        if at is None:
            return NONE
        text = say(at.expected)
        return f"{text} ({say(at.minimum)} to {say(at.maximum)})" if at.tied and item.name != UNIFORM else text

    return [surface_name(item.name), *(cell(values.get(share)) for share in shares)]


def _more(facts: Facts, accuracy: AccuracyFacts) -> Html:
    """Other measures, the interval of the difference, ties, what is missing, disparity."""
    parts: list[Html] = [
        _measure_table(accuracy, "pai", "PAI: share of incidents over share of cells"),
        _measure_table(accuracy, "pei", "PEI: PAI over that of perfect foresight"),
    ]
    if accuracy.differences:
        parts.append(_difference_table(accuracy))
    notes = [text for item in accuracy.surfaces if (text := ties_sentence(item)) and item.name != UNIFORM]
    notes += [f"{surface_name(name)} could not be made: {reason}." for name, reason in accuracy.missing]
    notes += [
        f"Not used here because it was not known at {accuracy.cutoff}: {f} ({why})." for f, why in accuracy.left_out
    ]
    notes += list(accuracy.notes)
    if notes:
        parts.append(tag("ul", *(tag("li", note) for note in notes)))
    if accuracy.with_assumed:
        parts.append(_assumed_table(accuracy))
    if accuracy.calibration:
        parts.append(_calibration_table(accuracy))
    parts.append(_disparity(facts))
    return tag("details", tag("summary", "All measures, intervals, ties and who bears the errors"), *parts)


def _difference_table(accuracy: AccuracyFacts) -> Html:
    rows = [
        (
            percent(share),
            amount(ratio.value, 3),
            NONE if ratio.low is None or ratio.high is None else f"{amount(ratio.low, 3)} to {amount(ratio.high, 3)}",
        )
        for share, ratio in accuracy.differences.items()
    ]
    heads = (
        Head("Share of area"),
        Head("Incidents caught", number=True, note="forecast over the rule to beat"),
        Head("Interval", number=True, note=f"{percent(accuracy.level)}, spatial blocks"),
    )
    return table(f"The forecast against {surface_name(accuracy.baseline).lower()}", heads, rows)


def _assumed_table(accuracy: AccuracyFacts) -> Html:
    heads = [Head("Surface"), *(Head(percent(share), number=True, note="of area") for share in accuracy.shares)]
    rows = [_measure_row(item, "hit_rate", accuracy.shares, percent) for item in accuracy.with_assumed]
    return table(
        "Hit rate with factors whose history is only assumed (no headline: they may know too much)", heads, rows
    )


def _calibration_table(accuracy: AccuracyFacts) -> Html:
    rows = [
        (
            f"{row.number}",
            count(row.cells),
            amount(row.expected, 3),
            amount(row.observed, 3),
            NONE if row.low is None or row.high is None else f"{amount(row.low, 3)} to {amount(row.high, 3)}",
        )
        for row in accuracy.calibration
    ]
    heads = (
        Head("Tenth of cells"),
        Head("Cells", number=True),
        Head("Expected", number=True),
        Head("Observed", number=True),
        Head("90 % interval", number=True, note="of what is to be observed"),
    )
    return table("Calibration by tenth of cells, lowest forecast first", heads, rows)


def _disparity(facts: Facts) -> Html:
    levels = disparity_rows(facts)
    if not levels:
        return missing("Errors by area group", facts, "disparity")
    heads = [Head(text, number=at > 0, note=note) for at, (text, note) in enumerate(DISPARITY_HEADS)]
    tables = [table(f"Who bears the errors: {level}", heads, rows, tall=True) for level, rows in levels.items()]
    return tag("div", *tables, tag("p", "* differs from the city's by more than chance allows.", class_="note"))


def _statements(facts: Facts) -> Html | None:
    if not facts.statements:
        return None
    pairs = [tag("div", tag("dt", surface_name(name)), tag("dd", text)) for name, text in facts.statements.items()]
    return tag("dl", *pairs, class_="facts")
