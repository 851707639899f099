"""Cities that nobody tuned anything on: does the forecast hold against the best simple rule, and does nothing break?

    python benchmarks/generality.py --seeds 5

Made cities of other sizes, cell sizes, lengths of record and numbers of incidents; rates are smooth surroundings times
differences between cells, some with hot spots, some drifting from year to year, half with factors that matter. In each
the forecast and the rule chosen before the cut-off rank the cells, and are scored on the **true** rates of the next
year, so that little is left to the luck of one outcome. One line a kind of city: mean over seeds of the mean log ratio
of expected hits over the shares (above 0: the forecast is ahead), the worst seed, and how often it is ahead.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtm_pipeline.evaluation.baseline import choose_baseline
from rtm_pipeline.evaluation.compare import mean_log_pai
from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.surface.forecast import forecast
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.past import past_surfaces
from rtm_pipeline.surface.windows import Features
from rtm_pipeline.units import Window

FOOT_M = 0.3048
START = date(2012, 1, 1)


@dataclass(frozen=True)
class Kind:
    """A kind of city."""

    label: str
    size: int = 50
    cell_ft: float = 250.0
    years: int = 3
    per_year: int = 1000
    shape: float = 0.7
    hot_spots: bool = False
    drift: float = 0.0
    factors: bool = True


KINDS = (
    Kind("as a small city: 2,500 cells, 3 years, 1,000 a year"),
    Kind("300 cells", size=17, per_year=300),
    Kind("300 cells, 20 a year", size=17, per_year=20),
    Kind("2 years", years=2),
    Kind("5 years", years=5),
    Kind("10 years, drifting", years=10, drift=0.25),
    Kind("no factors", factors=False),
    Kind("100 ft cells", size=70, cell_ft=100.0),
    Kind("500 ft cells", size=30, cell_ft=500.0),
    Kind("1,000 ft cells", size=20, cell_ft=1000.0),
    Kind("100 a year", per_year=100),
    Kind("20 a year", per_year=20),
    Kind("1 a year", per_year=1),
    Kind("no incident", per_year=0),
    Kind("hot spots", hot_spots=True),
    Kind("cells much alike", shape=5.0),
    Kind("cells very different", shape=0.2),
    Kind("fast drift", drift=0.6),
)


def city(kind: Kind, seed: int) -> tuple[StudyGrid, History, tuple[Features, ...], date, NDArray[np.float64]]:
    """Grid, record, factors, cut-off and the true rates of the year after it."""
    rng = np.random.default_rng(seed)
    n = kind.size**2
    spec = GridSpec("EPSG:26915", 1.0, kind.cell_ft * FOOT_M, 0, 0, kind.size, kind.size)
    grid = StudyGrid(spec, np.arange(n, dtype=np.int32), np.ones(n), np.zeros(n, bool))
    scale = 250.0 / kind.cell_ft  # surroundings have a size on the ground

    def field(sigma: float) -> NDArray[np.float64]:
        values = ndimage.gaussian_filter(rng.normal(size=(kind.size, kind.size)), max(sigma * scale, 0.4), mode="wrap")
        return np.asarray((values / values.std()).ravel())

    first, second = field(4.0), field(2.0)
    rates = np.exp((0.5 * first + 0.4 * second if kind.factors else 0.0) + 0.8 * field(8.0))
    rates *= rng.gamma(kind.shape, 1.0 / kind.shape, n)
    if kind.hot_spots:
        rates = np.where(rng.random(n) < 0.02, rates * rng.gamma(2.0, 5.0, n), rates)
    rates *= kind.per_year / rates.sum()
    cells, times = [], []
    for year in range(kind.years):
        found = np.repeat(np.arange(n), rng.poisson(rates))
        days = 365 * year + rng.integers(0, 365, found.size)
        cells.append(found)
        times.append(np.datetime64(START) + days.astype("timedelta64[D]"))
        rates = rates * np.exp(rng.normal(-(kind.drift**2) / 2, kind.drift, n)) if kind.drift else rates
    cutoff = START + timedelta(days=365 * kind.years)
    when = np.concatenate(times)
    history = History.of(np.concatenate(cells), when, when, n, observed=Window(START, cutoff))
    values = np.column_stack([first, second]).astype(np.float32)
    features = (Features(START, values, ("a", "b"), ("a", "b")),) if kind.factors else ()
    return grid, history, features, cutoff, rates


def lead(kind: Kind, seed: int) -> float | None:
    """Mean log ratio of expected hits, forecast over the chosen rule; None without a true rate or a rule."""
    grid, history, features, cutoff, rates = city(kind, seed)
    ahead = forecast(grid, history, features, cutoff, Window(cutoff, cutoff + timedelta(days=365)), seed=seed)
    sane = np.isfinite(ahead.expected).all() and (ahead.expected > 0).all() and (ahead.low <= ahead.high).all()
    if not sane or not 0.0 <= float(ahead.p_top5.min()) <= float(ahead.p_top5.max()) <= 1.0:
        raise SystemExit(f"{kind.label}, seed {seed}: the forecast is not sane.")
    rules = past_surfaces(grid, history, cutoff)
    chosen = choose_baseline(grid, history, cutoff).name
    if rates.sum() <= 0 or chosen not in rules.surfaces:
        return None
    exact = rates * (1e6 / rates.sum())  # shares of hits, not half-hit corrections
    return mean_log_pai(exact, ahead.expected) - mean_log_pai(exact, rules.surfaces[chosen])


def main() -> int:
    """Print one line a kind of city."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--size", type=int, help="Side of every city in cells, to be quick.")
    given = parser.parse_args()
    sys.stdout.write(f"{'kind of city':<54}{'mean':>8}{'worst':>8}{'ahead':>9}\n")
    for kind in KINDS:
        kind = replace(kind, size=given.size) if given.size else kind
        leads = [value for seed in range(given.seeds) if (value := lead(kind, seed)) is not None]
        text = (
            f"{np.mean(leads):>8.3f}{min(leads):>8.3f}{sum(v > 0 for v in leads):>5} of {len(leads)}"
            if leads
            else "   made, and sane; nothing to be ahead of"
        )
        sys.stdout.write(f"{kind.label:<54}{text}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
