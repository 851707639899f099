"""What to do next with a configuration: the first thing that is missing, in the order in which a person would go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtm_pipeline.config.city import City
from rtm_pipeline.config.load import LoadedConfig
from rtm_pipeline.config.placeholders import placeholders
from rtm_pipeline.errors import RtmError
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.sources.spec import FileSource, Source

__all__ = ["Missing", "missing_things", "next_after_sources"]


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a run would stop at or suffer from.

    Attributes
    ----------
    what : str
        In words, with what to do.
    blocks : bool
        Whether the configuration can't be used before it is mended, whatever the data folder.
    """

    what: str
    blocks: bool = False


def missing_things(loaded: LoadedConfig, paths: Paths) -> list[Missing]:
    """What is missing, the next thing first; reads the headers of files, never their rows.

    Raises
    ------
    ConfigError
        The data folder that was named does not exist.
    """
    from rtm_pipeline.config.document import load_document

    city = loaded.city
    marks = placeholders(load_document(loaded.path))
    found = [Missing(f"{where}: {key} is still to be filled in", blocks=True) for where, key in marks]
    if marks:
        return found
    data_dir = paths.data_for(city.name, loaded.path)
    unnamed = paths.data_dir is None and data_dir == loaded.path.absolute().parent
    if unnamed and not any(_is_there(source, data_dir) for source in city.sources.values()):
        return [Missing(f"the data folder: none of the files lies in {data_dir}. Give --data-dir FOLDER.")]
    for name, source in city.sources.items():
        if isinstance(source, FileSource):
            found += _file_source(city, name, source, data_dir)
    if not city.factors:
        found.append(Missing("factors: none is declared, so there is nothing to explain the outcome with. Add one."))
    return found


def _is_there(source: Source, data_dir: Path) -> bool:
    from rtm_pipeline.sources.files.paths import find_files

    try:
        return not isinstance(source, FileSource) or bool(find_files(source, data_dir))
    except RtmError:
        return False


def _file_source(city: City, name: str, source: FileSource, data_dir: Path) -> list[Missing]:
    from rtm_pipeline.sources.files.look import csv_columns
    from rtm_pipeline.sources.files.paths import find_files
    from rtm_pipeline.sources.headers import match_headers, merge_requests

    try:
        files = find_files(source, data_dir)
        wanted = merge_requests(city.columns[name], source.aliases, source=name)
        for file in files:
            ending = file.path.name.lower().removesuffix(".gz").rpartition(".")[2]
            if ending in ("csv", "tsv", "txt") and source.format in ("auto", "csv"):
                columns, delimiter = csv_columns(file.path)
                if delimiter != source.delimiter and len(columns) > 1 and source.encoding is None:
                    mark = "\\t" if delimiter == "\t" else delimiter
                    text = f"Source '{name}', {file.name}: its fields seem to be parted by '{mark}'."
                    return [Missing(f'{text} Write delimiter: "{mark}" at sources.{name}.')]
                if source.encoding is None:
                    match_headers(wanted, columns, where=f"Source '{name}', {file.name}")
    except RtmError as error:
        return [Missing(str(error))]
    return []


def next_after_sources(city: City, found: Mapping[str, Any], data_dir: Path | None = None) -> str:
    """One sentence: what to do now that every source was read and accounted for."""
    if found["errors"]:
        first = next(iter(found["errors"]))
        return f"mend {first} (above), then check again."
    layers = found["layers"]
    for name, layer in layers.items():
        lost = sum(layer["quarantined"].values())
        if lost * 2 > layer["kept"] + layer["duplicate"]:
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(layer["quarantined"].items()))
            return f"look at layers.{name}: {lost:,} of {layer['read']:,} rows are in quarantine ({reasons})."
    outcome = layers.get(city.outcome.layer)
    if outcome is not None and outcome["inside"] < 50:
        return (
            f"look at layers.{city.outcome.layer}: only {outcome['inside']:,} rows lie in the study area; a model "
            "needs 50 incidents and more. Check its filter, its CRS and the boundary."
        )
    if found.get("outcome_silence"):
        return str(found["outcome_silence"])
    empty = [name for name, layer in layers.items() if not layer["kept"]]
    if empty:
        return f"look at layers.{empty[0]}: no row was kept. Check its filter and columns."
    return f"rtm run {city.name}" + (f" --data-dir {data_dir}" if data_dir else "")
