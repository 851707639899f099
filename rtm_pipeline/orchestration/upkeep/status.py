"""Age and health of a city's current release, told from the files alone: it works when Dagster does not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import PublishError
from rtm_pipeline.orchestration.upkeep.nights import NightRecord, last_night
from rtm_pipeline.orchestration.upkeep.verdicts import verdict_of
from rtm_pipeline.publication.release.files import release_facts

__all__ = ["CityStatus", "status_of", "status_text"]

_AHEAD = timedelta(minutes=10)  # clocks of two machines may differ by this much


@dataclass(frozen=True, slots=True)
class CityStatus:
    """How a city stands.

    Attributes
    ----------
    state : str
        ``ok``, ``stale``, ``broken`` (the release is damaged, or its time lies ahead) or ``missing``.
    problems : tuple of str
        What is wrong and what to do; empty if nothing is.
    run_id, as_of, written_at, release : str, optional
        Of the current release.
    age_hours : float, optional
        Since it was written.
    verdict : str, optional
        Whether its forecast is better than the best simple rule.
    files : int
        Files that were verified against their digests.
    doubts : tuple of str
        What the night doubted of its sources and published with: stand-ins, piles, columns that came or went.
    last_night : NightRecord, optional
    """

    city: str
    state: str
    problems: tuple[str, ...] = ()
    run_id: str | None = None
    as_of: str | None = None
    written_at: str | None = None
    release: str | None = None
    age_hours: float | None = None
    verdict: str | None = None
    files: int = 0
    doubts: tuple[str, ...] = ()
    last_night: NightRecord | None = field(default=None)

    @property
    def exit_code(self) -> int:
        """0 if all is well, 3 otherwise."""
        return 0 if self.state == "ok" else 3

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def status_of(output: Path, city: str, *, max_age: timedelta, now: datetime | None = None) -> CityStatus:
    """Verify the current release of a city, digest by digest, and tell its age.

    Parameters
    ----------
    output : Path
        Root of an output.
    max_age : timedelta
        An older release is stale.
    now : datetime, optional
        With its time zone; by default the clock's.
    """
    from rtm_pipeline.publication.release.store import ReleaseStore, verify

    night = last_night(output, city)
    store = ReleaseStore(output / "releases", city)
    try:
        current = store.current()
        if current is None:
            problem = f"There is no release in {store.folder}. Run the city."
            return CityStatus(city, "missing", (problem,), last_night=night)
        folder = store.folder / str(current["run_id"])
        manifest = verify(folder)
        written = datetime.fromisoformat(manifest["written_at"])
        facts = {"run_id": str(current["run_id"]), "as_of": str(current["as_of"]), "release": str(folder)}
        verdict, doubts = verdict_of(folder), _doubts(folder)
        age = (now or datetime.now(UTC)) - written
    except (PublishError, OSError) as error:
        return CityStatus(city, "broken", (str(error),), last_night=night)
    except (KeyError, TypeError, ValueError) as error:
        problem = f"latest.json or the manifest in {store.folder} lacks or garbles {error}. Run the city again."
        return CityStatus(city, "broken", (problem,), last_night=night)
    state, problems = _judge(age, max_age, written)
    return CityStatus(
        city,
        state,
        problems,
        **facts,
        written_at=written.isoformat(),
        age_hours=round(age.total_seconds() / 3600, 2),
        verdict=verdict,
        files=len(manifest["files"]),
        doubts=doubts,
        last_night=night,
    )


def _doubts(release: Path) -> tuple[str, ...]:
    """Findings on the sources of a release, source by source."""
    sources = (release_facts(release, "ingest.json") or {}).get("sources", {})
    found = [finding for _, source in sorted(sources.items()) for finding in source.get("health", ())]
    return tuple(f"{one['layer'] or one['source']}: {one['message']}, since {one['since']}" for one in found)


def _judge(age: timedelta, max_age: timedelta, written: datetime) -> tuple[str, tuple[str, ...]]:
    if age < -_AHEAD:
        return "broken", (
            f"The release was written at {written.isoformat()}, which lies ahead. Check the clocks; if it was made "
            "under a wrong one, write the run id of the release before it into latest.json.",
        )
    if age > max_age:
        hours = age.total_seconds() / 3600
        limit = max_age.total_seconds() / 3600
        return "stale", (f"The release is {hours:,.0f} hours old; {limit:,.0f} are allowed. Look why no night ended.",)
    return "ok", ()


def _age_words(hours: float | None) -> str:
    if hours is None:
        return "of unknown age"
    if hours < -_AHEAD / timedelta(hours=1):
        return f"written {-hours:,.1f} hours ahead of the clock"
    return f"{max(0.0, hours):,.1f} hours old"


def status_text(status: CityStatus) -> str:
    """The same for people: one line a fact."""
    lines = [f"{status.city}: {status.state}"]
    if status.run_id is not None:
        lines.append(f"  release {status.run_id}, as of {status.as_of}, {_age_words(status.age_hours)}")
        lines.append(f"  {status.files} files verified; the forecast is {status.verdict or 'not judged'}")
    lines += [f"  {problem}" for problem in status.problems]
    lines += [f"  doubted: {doubt}" for doubt in status.doubts]
    night = status.last_night
    if night is not None and night.state == "failed":
        lines.append(f"  the last night failed at {night.at} in {night.step}: {night.message}")
    elif night is not None and night.state == "running":
        lines.append(f"  a night has been in {night.step} since {night.at}, or was killed there")
    return "\n".join(lines)
