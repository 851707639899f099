"""Make Riverbend: ``python data/demo_city/generate.py --out DIR`` writes every file of this folder but the code.

The same bytes each time with the locked versions of numpy, shapely, PROJ and GDAL; in a few seconds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from maker import plan
from maker.land import downtown_point, make_land
from maker.ledger import Ledger
from maker.places import City, feet, make_city
from maker.police import write_police
from maker.portals import boundary_files, write_portals
from maker.terrain import Terrain, make_terrain, table


def study_as_written(city: City) -> BaseGeometry:
    """The study area as a reader gets it back from the files: limits less water and airfield, in feet."""

    def back(points: np.ndarray) -> np.ndarray:
        return np.column_stack(feet(points[:, 0], points[:, 1]))

    files = {
        name: shapely.union_all([shapely.transform(shape, back) for _, shape in shapes])
        for name, shapes in boundary_files(city).items()
    }
    holes = shapely.union(files["water.geojson"], files["airfield.geojson"])
    return shapely.difference(files["city_limits.geojson"], holes)


def known_counts(terrain: Terrain, reports: pd.DataFrame) -> pd.DataFrame:
    """Truth per cell, with the incidents of each year that were known at the following January 1."""
    found = table(terrain)
    clean = reports[reports.tag == "clean"]
    for year in plan.YEARS:
        mine = clean[(clean["when"].dt.year == year) & (clean.known <= date(year + 1, 1, 1))]
        found[f"known_{year}"] = np.bincount(mine.cell, minlength=len(found))
        drawn = clean[clean["when"].dt.year == year]
        found[f"published_{year}"] = np.bincount(drawn.cell, minlength=len(found))
    return found


def _years(reports: pd.DataFrame, terrain: Terrain) -> dict[str, dict[str, int]]:
    found = {}
    clean = reports[reports.tag == "clean"]
    year = clean["when"].dt.year
    for each in (2020, *plan.YEARS, 2024):
        mine = clean[year == each]
        row = {
            "incidents_published": len(mine),
            "offenses_published": len(mine) + int(mine.two_offenses.sum()),
            "firearm_published": int(mine.armed.sum()),
            "incidents_taken_back": int(((reports.tag == "reversed") & (reports["when"].dt.year == each)).sum()),
        }
        if each in plan.YEARS:
            row["incidents_drawn"] = int(terrain.count[each].sum())
            row["incidents_known_at_year_end"] = int((mine.known <= date(each + 1, 1, 1)).sum())
        found[str(each)] = row
    return found


def truth(city: City, terrain: Terrain, reports: pd.DataFrame, ledger: Ledger) -> dict[str, object]:
    """What is true of the city, for tests."""
    hq = downtown_point()
    return {
        "seed": plan.SEED,
        "crs": plan.CRS,
        "cell_size_ft": plan.CELL_FT,
        "n_cells": int(terrain.cells.column.size),
        "area_cells": round(float(terrain.cells.exposure.sum()), 6),
        "planted": [
            {
                "variable": planted.name,
                "factor": planted.factor,
                "operationalization": planted.operationalization,
                "radius_ft": planted.radius_ft,
                "rrv": planted.rrv,
                "beta": round(planted.beta, 10),
                "exposed_share": {at.isoformat(): round(float(x[:, number].mean()), 5) for at, x in terrain.x.items()},
                "density_cutoff_per_sqft": {
                    at.isoformat(): cut[planted.name] for at, cut in terrain.cutoff.items() if planted.name in cut
                },
            }
            for number, planted in enumerate(plan.PLANTED)
        ],
        "intercept": {str(year): value for year, value in terrain.intercept.items()},
        "family": "nb1",
        "dispersion": plan.NB1_DISPERSION,
        "persistent_share": plan.PERSISTENT_SHARE,
        "expected_incidents": {str(year): round(float(mean.sum()), 3) for year, mean in terrain.mean.items()},
        "incidents": _years(reports, terrain),
        "requests": {
            "repeats_planted": int(city.requests.repeat.sum()),
            "repeats_by_kind": {k: int(v) for k, v in city.requests.groupby("kind").repeat.sum().items()},
            "reporting_rate": dict(
                zip((row[0] for row in plan.NEIGHBORHOODS), city.poverty.reporting_rate.tolist(), strict=True)
            ),
        },
        "police_headquarters": {"x": hq.x + plan.CENTER_X, "y": hq.y + plan.CENTER_Y},
        "canaries": sorted(
            [*plan.CANARY_OWNERS, *plan.CANARY_CALLERS, plan.CANARY_RACE, plan.CANARY_SEX, plan.CANARY_AGE]
        ),
        "layers": ledger.layers,
        "files": dict(sorted(ledger.files.items())),
    }


def make(folder: Path) -> None:
    """Write the city into a folder."""
    city = make_city(make_land())
    terrain = make_terrain(city, study_as_written(city))
    ledger = Ledger()
    write_portals(city, folder, ledger)
    reports = write_police(city, terrain, folder, ledger)
    text = json.dumps(truth(city, terrain, reports, ledger), indent=1, ensure_ascii=False)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    cells = known_counts(terrain, reports).to_csv(index=False, lineterminator="\n").encode()
    (folder / "truth_cells.csv.gz").write_bytes(gzip.compress(cells, compresslevel=9, mtime=0))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write into; made if absent")
    folder: Path = parser.parse_args().out
    make(folder)
    print(f"Riverbend lies in {folder}.")


if __name__ == "__main__":
    main()
