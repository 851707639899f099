"""The 90 % interval of a cell's rate covers the true rate in 87 to 93 %, overall and in every tenth by forecast."""

from __future__ import annotations

import numpy as np
import pytest
from support.cells import made_city

from rtm_pipeline.surface.forecast import forecast

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize(
    "changes",
    [{}, {"power": True}, {"shape": 2.0, "years": 5}, {"hot_spots": True, "per_year": 2500}, {"years": 2}],
    ids=["gamma", "addresses", "five years", "hot spots", "two years"],
)
def test_coverage_over_many_cities(changes: dict[str, object]) -> None:
    hits, cells = np.zeros(10), np.zeros(10)
    for seed in range(8):
        city = made_city(90, seed=100 + seed, **changes)  # type: ignore[arg-type]
        found = forecast(city.grid, city.history, city.vintages, city.cutoff, city.next_year)
        covered = (found.low <= city.rates) & (city.rates <= found.high)
        for tenth, part in enumerate(np.array_split(np.argsort(found.expected), 10)):
            hits[tenth] += covered[part].sum()
            cells[tenth] += part.size
    assert 0.87 <= hits.sum() / cells.sum() <= 0.93
    tenths = hits / cells
    assert 0.87 <= tenths.min() <= tenths.max() <= 0.93, tenths.round(3)
