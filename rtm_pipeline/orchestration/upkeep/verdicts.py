"""The verdict on the forecast of a release, and whether a night lost it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtm_pipeline.errors import PublishError
from rtm_pipeline.orchestration.upkeep.alerts import LOST_VERDICT, Alert
from rtm_pipeline.publication.release.files import release_facts
from rtm_pipeline.publication.release.store import ReleaseStore

if TYPE_CHECKING:
    from rtm_pipeline.config.city import City

__all__ = ["current_verdict", "lost_verdict_alert", "verdict_of"]

BETTER = "better"
_WORDS = {
    "better": "better than the best simple rule",
    "not_better": "not better than the best simple rule",
    "not_judged": "not judged",
}


def verdict_of(release: Path) -> str | None:
    """``better``, ``not_better`` or ``not_judged``; None where a release does not tell."""
    try:
        found = release_facts(release, "accuracy.json") or {}
    except PublishError:
        return None
    return str(found["verdict"]) if "verdict" in found else None


def current_verdict(output: Path, city: str) -> str | None:
    """The verdict of what is current; None before the first release."""
    store = ReleaseStore(output / "releases", city)
    try:
        current = store.current()
    except PublishError:
        return None
    return verdict_of(store.folder / str(current["run_id"])) if current else None


def lost_verdict_alert(city: City, before: str | None, after: str | None) -> Alert | None:
    """What people are told when the forecast was better than the simple rules and no longer is."""
    if before != BETTER or after in (BETTER, None):
        return None
    title = f"{city.label}: the forecast is {_WORDS.get(str(after), str(after))}"
    text = (
        "The release before was better than the best simple rule. Look at the accuracy and the data of the new release "
        "before you plan by its forecast; the risk terrain is not judged by this."
    )
    return Alert(LOST_VERDICT, city.name, title, text)
