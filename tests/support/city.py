"""The made city and answers of the command line, as tests speak of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEMO_DATA = ROOT / "data" / "demo_city"
# Few replicates: what is tested here does not depend on them.
QUICK = ("--set", "model.bootstrap.refits=50", "--set", "model.bootstrap.selections=4")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the command line answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Night:
    """A finished run of the made city."""

    output: Path
    release: Path
    facts: dict[str, Any]
