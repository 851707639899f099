"""Makes ``tests/fakes`` importable: tests are imported by path and have no packages."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))
