"""`rtm check --sources`: read everything, store nothing, and account for every row."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rtm_pipeline.config.city import COVERS_AREA, City
from rtm_pipeline.config.load import LoadedConfig
from rtm_pipeline.errors import RtmError
from rtm_pipeline.orchestration.outcome_end import last_day, silence
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.process import turns_folder
from rtm_pipeline.orchestration.snapshots import source_rows
from rtm_pipeline.orchestration.steps.ingest import frame_of, place_of, read_layer
from rtm_pipeline.orchestration.steps.registers import read_registers, registry_of
from rtm_pipeline.orchestration.values import Rows

if TYPE_CHECKING:
    from rtm_pipeline.sources.portals.transport import Transport

__all__ = ["check_sources", "source_check_text"]


def check_sources(
    loaded: LoadedConfig, paths: Paths, transport: Transport | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """Read every source and layer of a city; the findings as JSON values.

    A layer that fails does not hide the others: its error stands beside them under ``errors``. So does one of the
    registers of programs (corrections, treated sites, plans, accepted evidence), which the night reads too.
    """
    from rtm_pipeline.layers.unread import unread_words
    from rtm_pipeline.layers.yearly import outcome_by_year

    city = loaded.city
    data_dir = paths.data_for(city.name, loaded.path)
    now = now or datetime.now(UTC)
    found: dict[str, Any] = {"city": city.name, "sources": {}, "layers": {}, "errors": {}}
    _registers(city, paths, data_dir, now, found)
    rows = _sources(city, data_dir, transport, now, found)
    if set(city.area_sources) - set(rows):
        return found
    place = place_of(city, {name: rows[name] for name in city.area_sources})
    found["study_area"] = {"cells": place.grid.n_cells, "cell_size_m": place.grid.spec.cell_size_m}
    for name, spec in city.layers.items():
        covering = spec.coverage if spec.coverage not in (None, COVERS_AREA) else None
        if spec.source not in rows or (covering is not None and covering not in rows):
            continue
        try:
            result = read_layer(city, name, rows[spec.source], place, rows[covering] if covering else None)
        except RtmError as error:
            found["errors"][f"{name}_layer"] = {"message": str(error), "exit_code": error.exit_code}
            continue
        counts = result.counts
        found["layers"][name] = {
            "read": counts.read,
            "kept": counts.kept,
            "inside": int(_inside(result, city, place)),
            "filtered": counts.filtered,
            "filtered_by": dict(counts.filtered_by),
            "duplicate": counts.duplicate,
            "quarantined": dict(counts.quarantined),
            "notes": dict(result.notes),
            "unread": unread_words(spec, result.notes),
        }
        last = last_day(result.layer) if name == city.outcome.layer and city.outcome.lag is not None else None
        if last is not None:
            day = city.as_of or now.astimezone(ZoneInfo(city.timezone)).date()
            found["outcome_silence"] = silence(last, city.fit_vintage(day).outcome)
    outcome = city.layers[city.outcome.layer]
    if outcome.source in rows:
        source = rows[outcome.source]
        years = outcome_by_year(outcome, source.table, frame_of(city, place), source_crs=source.crs, fetched_at=now)
        found["outcome_by_year"] = years.as_notes()
    return found


def _sources(
    city: City, data_dir: Path, transport: Transport | None, now: datetime, found: dict[str, Any]
) -> dict[str, Rows]:
    """Rows of every source that can be read; one way to portals for all of them, as in a night."""
    from rtm_pipeline.sources.portals.transport import Transport

    rows: dict[str, Rows] = {}
    with ExitStack() as stack:
        way = transport or stack.enter_context(closing(Transport(turns=turns_folder())))
        for name in city.sources:
            try:
                read = source_rows(city, name, data_dir, transport=way, now=now)
            except RtmError as error:
                found["errors"][name] = {"message": str(error), "exit_code": error.exit_code}
                continue
            rows[name] = Rows(read.table, read.crs, now)
            found["sources"][name] = {"read": read.table.num_rows, "files": [file.to_json() for file in read.files]}
    return rows


def _registers(city: City, paths: Paths, data_dir: Path, now: datetime, found: dict[str, Any]) -> None:
    """Read what the city keeps beside its sources as the night would, the effect registry included."""
    if city.programs is None:
        return
    day = city.as_of or now.astimezone(ZoneInfo(city.timezone)).date()
    try:
        value = read_registers(city, day, data_dir, paths.output)
        registry_of(city, value)
    except RtmError as error:
        found["errors"]["registers"] = {"message": str(error), "exit_code": error.exit_code}
        return
    found["registers"] = {"before": day.isoformat(), "history": str(paths.history / city.name), **value.summary()}


def _inside(result: Any, city: Any, place: Any) -> int:
    frame = frame_of(city, place)
    return int(frame.inside(result.layer.x, result.layer.y).sum())


def source_check_text(found: Mapping[str, Any]) -> str:
    """The findings for people."""
    lines = ["sources                   rows   files"]
    for name, source in found["sources"].items():
        files = source["files"]
        lines.append(f"  {name:<20}{source['read']:>9,}   {len(files):>5,}")
        for file in files:
            odd = [f"{header} -> {column}" for column, header in file["renamed"]]
            if odd:
                lines.append(f"      {file['path']}: other headers ({', '.join(odd)})")
    lines += ["", "layers                    read      kept    inside  filtered duplicate quarantined"]
    for name, layer in found["layers"].items():
        quarantined = sum(layer["quarantined"].values())
        numbers = (layer["read"], layer["kept"], layer["inside"], layer["filtered"], layer["duplicate"], quarantined)
        lines.append("  {:<20}{:>9,} {:>9,} {:>9,} {:>9,} {:>9,} {:>11,}".format(name[:20], *numbers))
        for what in ("filtered_by", "quarantined"):
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(layer[what].items()))
            if reasons:
                lines.append(f"      {what.replace('_', ' ')}: {reasons}")
        lines += [f"      {text}" for text in layer["unread"]]
    lines += _years_text(found.get("outcome_by_year"))
    lines += _registers_text(found.get("registers"))
    for name, error in found["errors"].items():
        lines += ["", f"{name} failed: {error['message']}"]
    return "\n".join(lines)


def _registers_text(registers: Any) -> list[str]:
    if not registers:
        return []
    head = f"registers, as entered before {registers['before']} (the data folder and {registers['history']})"
    named = {name: value for name, value in registers.items() if name not in ("before", "history")}
    return ["", head, *(f"  {name}: {value}" for name, value in named.items())]


def _years_text(by_year: Any) -> list[str]:
    if not by_year:
        return []
    steps = ("wanted", "unlocated", "located", "standing", "inside", "counted")
    lines = [
        "",
        "outcome by year of occurrence: rows / distinct incidents",
        "  year" + "".join(f"{s:>18}" for s in steps),
    ]
    for year in by_year["years"]:
        cells = [f"{year[step]['rows']:,} / {year[step]['incidents']:,}" for step in steps]
        lines.append(f"  {year['year']}" + "".join(f"{cell:>18}" for cell in cells))
    lines += [
        "  wanted: pass the filter, reversals aside; unlocated and located: without and with a readable place;",
        "  standing: without rows that a reversal took back; inside: in the study area; counted: on no default geocode",
    ]
    return lines
