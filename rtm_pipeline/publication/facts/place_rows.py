"""What is said of one neighborhood, name by name, in the same words and the same order everywhere."""

from __future__ import annotations

from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.places import PlaceFacts
from rtm_pipeline.publication.facts.words import HIDDEN, amount, area_words, count, percent

__all__ = ["place_number", "place_rows", "withheld_notes"]


def place_rows(place: PlaceFacts, facts: Facts) -> list[tuple[str, str]]:
    """Names and values of one neighborhood; what is not known or not told of any neighborhood is left out."""
    told = facts.places.told if facts.places is not None else frozenset()
    names = {
        "incidents": f"{facts.outcome.capitalize()}, {facts.counted_on} ({facts.unit}s)",
        "expected": f"Forecast of {facts.outcome} ({facts.unit}s a year)",
        "lots": "Vacant lots",
        "buildings": "Vacant or dangerous buildings",
        "open_311": "Open 311 requests",
    }
    rows = [("Area", area_words(place.area_km2))]
    for key, name in names.items():
        if key in told:
            rows.append((name, place_number(place, key)))
        if key == "expected" and place.risk_high_share is not None:
            rows.append(("Share of its area among the city's top 5 % of risk", percent(place.risk_high_share)))
    if place.district:
        rows.insert(0, ("Council district", place.district))
    if place.grant_rank is not None:
        rows.append(("Place in the grant list", count(place.grant_rank)))
    if place.top_factors:
        rows.append(("What raises its forecast", place.top_factors))
    if place.work:
        rows.append(("Planned or possible work", place.work))
    if place.prevented is not None:
        rows.append((f"Prevented by the funded work ({facts.unit}s a year)", amount(place.prevented)))
    return rows


def place_number(place: PlaceFacts, key: str) -> str:
    """A number of a neighborhood, or that it is held back."""
    if place.holds_back(key):
        return HIDDEN
    value = getattr(place, key)
    return count(value) if value is None or value >= 10 or float(value).is_integer() else amount(value)


def withheld_notes(facts: Facts) -> list[str]:
    """Why counts or forecasts of neighborhoods are not told in this edition, in sentences."""
    places = facts.places
    if places is None:
        return []
    notes = []
    if places.counts_withheld:
        notes.append(f"Counts of {facts.outcome} by neighborhood are held back: {places.counts_withheld}.")
    if places.forecast_withheld:
        notes.append(f"Forecasts by neighborhood are held back: {places.forecast_withheld}.")
    return notes
