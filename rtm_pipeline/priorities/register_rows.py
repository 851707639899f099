"""Rows of a register: a small CSV that people keep by hand, in whatever program they have."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from rtm_pipeline.errors import ConfigError

__all__ = ["is_blank", "register_rows"]


def is_blank(row: Mapping[str, object]) -> bool:
    """Whether nothing is written in a row, as in those that spreadsheets leave at the end."""
    return not any(text.strip() for text in row.values() if isinstance(text, str))


def register_rows(path: Path, needed: Sequence[str], where: str | None = None) -> list[dict[str, str]]:
    """Rows of a CSV file in UTF-8, with or without a byte-order mark; an empty file has none.

    Names of columns are told by their letters: blanks around them and capitals do not count.

    Parameters
    ----------
    path : Path
        Of a file that exists.
    needed : sequence of str
        Columns that its header must have; others may be missing, and more may be there.
    where : str, optional
        What a message calls the file; its name by default.

    Raises
    ------
    ConfigError
        It can't be read, is not in UTF-8, is no CSV, or lacks a column; the message names the file and the next step.
    """
    where = where or path.name
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        names = {name.casefold(): name for name in needed}
        reader.fieldnames = [_plain(name, names) for name in reader.fieldnames or ()]
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{where} is not a CSV file in UTF-8: {error}. Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{where} can't be read ({error.strerror}): {path}. Mend its rights.") from None
    header = list(reader.fieldnames)
    missing = [name for name in needed if name not in header]
    if header and missing:
        found = ", ".join(header)[:200]
        raise ConfigError(
            f"{where} has no column {', '.join(missing)}; its header is: {found}. Columns are parted by commas."
        )
    return rows


def _plain(name: str, needed: Mapping[str, str]) -> str:
    """A column's name without blanks around it; one that is needed as it is needed."""
    bare = (name or "").strip()
    return needed.get(bare.casefold(), bare)
