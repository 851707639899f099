"""Rows of a register: a small CSV that people keep by hand, in whatever program they have."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rtm_pipeline.errors import ConfigError

__all__ = ["register_rows"]


def register_rows(path: Path, needed: Sequence[str], where: str | None = None) -> list[dict[str, str]]:
    """Rows of a CSV file in UTF-8, with or without a byte-order mark; an empty file has none.

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
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{where} is not a CSV file in UTF-8: {error}. Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{where} can't be read ({error.strerror}): {path}. Mend its rights.") from None
    header = [name or "" for name in reader.fieldnames or ()]
    missing = [name for name in needed if name not in header]
    if header and missing:
        found = ", ".join(header)[:200]
        raise ConfigError(
            f"{where} has no column {', '.join(missing)}; its header is: {found}. Columns are parted by commas."
        )
    return rows
