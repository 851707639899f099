"""The head of a report: what this is, how good it is, where risk lies, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Sequence

from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.sites import rests_on
from rtm_pipeline.publication.facts.uses import USES, WRONG_USES
from rtm_pipeline.publication.facts.words import amount, area_words, count, day, money, percent, plural, times
from rtm_pipeline.publication.html.tags import Html, join, tag

__all__ = ["banner", "contact_line", "missing", "section", "summary_section", "use_section"]


def section(identity: str, title: str, *children: Html | str | None, lead: str | None = None) -> Html:
    """A section with its heading; what is None is left out."""
    return tag(
        "section",
        tag("h2", title, id=f"{identity}-heading"),
        tag("p", lead, class_="lead") if lead else None,
        *children,
        id=identity,
        aria_labelledby=f"{identity}-heading",
    )


def missing(what: str, facts: Facts, part: str) -> Html:
    """What stands where a part is not there."""
    return tag("p", f"{what}: not available ({facts.why_missing(part)}).", class_="missing")


def banner(facts: Facts) -> Html:
    """Title, date, edition."""
    restricted = tag("p", facts.notice, class_="notice") if facts.notice else None
    return tag(
        "header",
        tag(
            "div",
            tag("p", f"{facts.edition.capitalize()} edition", class_="edition"),
            tag("h1", f"Risk terrain of {facts.label}"),
            tag(
                "p",
                f"Where {facts.outcome} comes together with features of the landscape, why, and what can be done about "
                f"it there. As of {day(facts.as_of)}.",
                class_="subtitle",
            ),
            restricted,
            class_="wrap",
        ),
        class_="banner",
    )


def summary_section(facts: Facts) -> Html:
    """The answers first: how good, why, where; in the restricted edition also what to do."""
    cards = [_verdict_card(facts), _why_card(facts), _where_card(facts)]
    cards += [_work_card(facts)] if facts.programs.get("portfolio") else []
    return section("summary", "In short", tag("div", *cards, class_="cards"))


def use_section(facts: Facts) -> Html:
    """What the report is, and its right and wrong uses."""
    model = facts.model
    return section(
        "use",
        "What this is, and what it may not be used for",
        tag(
            "p",
            f"A risk terrain model compares {count(facts.n_cells)} squares of {facts.cell} that cover {facts.label} "
            f"({area_words(facts.area_km2)}). It explains {plural(model.n_events, facts.unit)} of {facts.outcome} in "
            f"{facts.fitted_on} by what was near or dense in each square on {day(facts.known_at)}, and applies what it "
            f"found to what is there on {day(facts.as_of)}.",
        ),
        None
        if facts.public
        else tag(
            "p",
            f"The forecast is a second map. It says where incidents are to be expected in the next {facts.horizon}, "
            "from the same features and from what happened before. It ranks places better; the risk terrain says why.",
        ),
        tag(
            "div",
            tag("div", tag("h3", "Made for"), _list(USES), class_="good"),
            tag("div", tag("h3", "Not to be used for"), _list(WRONG_USES), class_="bad"),
            class_="pair",
        ),
        tag("p", facts.disclaimer, class_="disclaimer"),
    )


def contact_line(facts: Facts) -> Html:
    """Where an error is reported, as a link where it is an address."""
    contact = facts.contact
    if "@" in contact and " " not in contact.strip() and ":" not in contact:
        link: Html | str = tag("a", contact, href=f"mailto:{contact.strip()}")
    elif contact.startswith(("https://", "http://")) and " " not in contact:
        link = tag("a", contact, href=contact)
    else:
        link = contact
    return join(["Something is wrong here? Tell ", link, "."])


def _list(items: Sequence[str]) -> Html:
    return tag("ul", *(tag("li", item) for item in items))


def _work_card(facts: Facts) -> Html:
    funded = facts.programs["portfolio"]
    low, high = funded.get("prevented_low"), funded.get("prevented_high")
    interval = f" ({amount(low)} to {amount(high)})" if low is not None and high is not None else ""
    return tag(
        "div",
        tag("h3", "What to do?"),
        tag("p", tag("strong", str(funded.get("work") or "Nothing is funded")), "."),
        tag(
            "p",
            f"{money(funded.get('spent_usd'))} over {times(funded.get('horizon_years'))} years; expected to prevent "
            f"{amount(funded.get('prevented'))}{interval} incidents a year, as far as the evidence carries.",
        ),
        tag("p", rests_on(facts)) if rests_on(facts) else None,
        tag("p", tag("a", "The list, its evidence and what it rests on", href="#priorities")),
        class_="card",
    )


def _verdict_card(facts: Facts) -> Html:
    accuracy = facts.accuracy
    if accuracy is None:
        return tag("div", tag("h3", "How good is it?"), missing("The judgment", facts, "accuracy"), class_="card")
    verdict = accuracy.verdict
    mark = {"better": "\u2713", "not_better": "=", "not_judged": "?"}.get(verdict.code, "?")
    return tag(
        "div",
        tag("h3", "How good is it?"),
        tag(
            "p",
            tag("span", mark, class_="mark", aria_hidden="true"),
            tag("strong", verdict.headline),
            class_=f"verdict {verdict.code.replace('_', '-')}",
        ),
        tag("p", verdict.text),
        tag("p", tag("a", "All numbers", href="#accuracy")),
        class_="card",
    )


def _why_card(facts: Facts) -> Html:
    terms = facts.model.terms
    if not terms:
        body = tag("p", "No risk factor explains where incidents are: the model has no terms, all places count alike.")
    else:
        rows = [
            tag("li", tag("strong", f"{times(term.rrv)}\u00d7"), f" {facts.outcome} {term.where}") for term in terms[:4]
        ]
        more = len(terms) - 4
        body = join(
            [
                tag("ul", *rows, class_="plain"),
                tag(
                    "p",
                    f"and {plural(more, 'weaker factor')}. " if more > 0 else None,
                    tag("a", "All of them", href="#why"),
                ),
            ]
        )
    return tag("div", tag("h3", "Why there?"), body, class_="card")


def _where_card(facts: Facts) -> Html:
    places = [] if facts.places is None else [p for p in facts.places.places if p.risk_high_share is not None]
    if not places:
        return tag("div", tag("h3", "Where?"), tag("p", tag("a", "See the map", href="#map")), class_="card")
    top = sorted(places, key=lambda p: (-(p.risk_high_share or 0.0), p.name))[:5]
    rows = [
        tag("li", tag("a", place.name, href=f"#place-{place.id}"), f" {percent(place.risk_high_share)}")
        for place in top
    ]
    return tag(
        "div",
        tag("h3", "Where?"),
        tag("p", "Neighborhoods with most of their area among the city's top 5 % of risk:"),
        tag("ol", *rows, class_="plain"),
        tag("p", tag("a", "See the map", href="#map")),
        class_="card",
    )
