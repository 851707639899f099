"""What a city remembers of its sources: one small file a source, one line a night, older lines never changed.

::

    history/CITY/health/SOURCE.jsonl
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import SourceError
from rtm_pipeline.storage.atomic import write_atomic

__all__ = ["HealthHistory"]

FORMAT = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HealthHistory:
    """Records of one city.

    Attributes
    ----------
    root : Path
        The ``history`` folder of an output.
    city : str
    """

    root: Path
    city: str

    def records(self, source: str) -> list[dict[str, Any]]:
        """All records of a source, in the order in which they were added; lines that can't be read are logged.

        Raises
        ------
        SourceError
            The file can't be read at all.
        """
        found = []
        for number, line in enumerate(self._text(source).split("\n"), 1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if isinstance(record, dict) and record.get("format") == FORMAT:
                found.append(record)
            elif line.strip():
                logger.warning("%s: line %d is damaged and is passed over", self._path(source), number)
        return found

    def add(self, source: str, record: Mapping[str, Any]) -> bool:
        """Add a record; False if the last one says the same."""
        known = self.records(source)
        new = {"format": FORMAT, **record}
        if known and known[-1] == json.loads(json.dumps(new)):
            return False
        before = self._text(source)
        if before and not before.endswith("\n"):
            before += "\n"
        line = json.dumps(new, sort_keys=True, allow_nan=False)
        write_atomic(self._path(source), f"{before}{line}\n".encode())
        return True

    def _text(self, source: str) -> str:
        path = self._path(source)
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise SourceError(
                f"{path} can't be read ({error.strerror}). Mend its rights, or restore it from a backup."
            ) from None

    def _path(self, source: str) -> Path:
        return self.root / self.city / "health" / f"{source}.jsonl"
