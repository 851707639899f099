"""Kansas City, fitted on 2017, against the neighborhood counts of 2018 to 2024: by rank only.

    rtm run kansas_city_2017 --data-dir FOLDER --output output
    python benchmarks/kansas_city_areas.py --data-dir FOLDER --output output

The counts (``neighborhood_crime_monthly_2015_2026.json``) are of the group ``persons``, which holds simple assault and
not robbery: they are not the outcome, so they can confirm an order of places and no level. 2016 and 2017 stand beside
the forecast as the simple rules; 2017 and 2019 to 2021 are depressed by incidents whose place was not released.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

GROUP = "persons"
BASELINES = ("2016", "2017")
YEARS = tuple(str(year) for year in (2016, 2017, *range(2018, 2025)))


def yearly(path: Path) -> pa.Table:
    """One row a neighborhood, one column a year."""
    found = json.loads(path.read_text(encoding="utf-8"))
    months = [month[:4] for month in found["months"]]
    rows: dict[str, list[object]] = {"area": list(found["cells"])}
    for year in YEARS:
        rows[year] = [
            sum(cell[GROUP] for cell, of in zip(cells, months, strict=True) if of == year)
            for cells in found["cells"].values()
        ]
    return pa.table(rows)


def main() -> int:
    """Compare the newest release with the counts, with `rtm areas`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("output"))
    parser.add_argument("--surface", default="restricted/forecast.tif")
    given = parser.parse_args()
    release = given.output / "releases" / "kansas_city_2017" / "latest"
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "persons.csv"
        pyarrow.csv.write_csv(yearly(given.data_dir / "neighborhood_crime_monthly_2015_2026.json"), table)
        command = [sys.executable, "-m", "rtm_pipeline", "areas", str(table), "--name", "nbhname"]
        command += ["--raster", str(release / given.surface)]
        command += ["--areas", str(given.data_dir / "neighborhoods.geojson")]
        for year in BASELINES:
            command += ["--baseline", year]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
