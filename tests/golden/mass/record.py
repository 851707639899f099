"""Record fits.csv: write the RAND table to a temporary folder beside copies of the others and run record.R.

python tests/golden/mass/record.py
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import make_tables

HERE = Path(__file__).parent


def main():
    with tempfile.TemporaryDirectory() as folder:
        for table in HERE.glob("table_*.csv"):
            shutil.copy(table, folder)
        make_tables.HERE = Path(folder)
        X, names, counts, exposure = make_tables.rand_table()
        make_tables.write("rand", X, names, counts, exposure)
        for script, target in (
            (HERE / "record.R", HERE / "fits.csv"),
            (HERE.parent / "step" / "record.R", HERE.parent / "step" / "selections.csv"),
        ):
            done = subprocess.run(["Rscript", str(script), folder], check=True, capture_output=True, text=True)
            target.write_text(done.stdout)


if __name__ == "__main__":
    main()
