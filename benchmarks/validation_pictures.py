"""The pictures of docs/validation.md, drawn from three releases.

rtm backtest st_louis_2018 --cutoff 2019-01-01 --set outcome.unit=offence --data-dir FOLDER --output output
rtm run st_louis_2018 --data-dir FOLDER --output output
rtm run kansas_city_2017 --data-dir FOLDER --output output
python benchmarks/validation_pictures.py --st-louis output/releases/st_louis/RUN_ID \
        --st-louis-night output/releases/st_louis/latest --kansas-city output/releases/kansas_city_2017/latest
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

SURFACES = {
    "perfect": ("perfect foresight", "#9a97a3", "--", 1.2),
    "forecast": ("forecast", "#3b0f51", "-", 2.4),
    "counts_decayed": ("counts, decayed (the rule to beat)", "#1f6391", "-", 1.8),
    "counts_2y": ("counts of two years", "#6f6c78", "-.", 1.2),
    "counts_1y": ("counts of one year", "#6f6c78", ":", 1.2),
    "kde": ("kernel density", "#3a8f6b", "-", 1.2),
    "risk_terrain": ("risk terrain", "#b3314f", "-", 1.8),
}


def hits(accuracy: dict[str, Any], path: Path) -> None:
    """Share of incidents caught by share of cells flagged; and PAI over that of the rule to beat, with intervals."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
    for name, (label, color, dash, width) in SURFACES.items():
        surface = accuracy["surfaces"].get(name)
        if surface is not None:
            points = [(float(share), value["expected"]) for share, value in surface["hit_rate"].items()]
            left.plot(*zip(*points, strict=True), dash, color=color, lw=width, label=label)
    left.set(xscale="log", xlabel="share of cells flagged", ylabel="share of incidents caught", ylim=(0, 1))
    shares = [float(share) for share in accuracy["difference"]]
    left.set_xticks(shares, [f"{share:.1%}".replace(".0%", "%") for share in shares], minor=False)
    left.minorticks_off()
    left.legend(frameon=False, fontsize=8)
    ratios = list(accuracy["difference"].values())
    low = [item["hit_ratio"] - item["low"] for item in ratios]
    high = [item["high"] - item["hit_ratio"] for item in ratios]
    right.errorbar(
        range(len(ratios)),
        [item["hit_ratio"] for item in ratios],
        yerr=[low, high],
        fmt="o",
        color="#3b0f51",
        capsize=4,
    )
    right.axhline(1.0, color="#1f6391", lw=1.5)
    right.set_xticks(range(len(ratios)), [f"{share:.1%}".replace(".0%", "%") for share in shares])
    right.set(xlabel="share of cells flagged", ylabel="hits over those of the rule to beat")
    right.set_title("95 % intervals, spatial blocks", fontsize=9, loc="left")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def calibration(accuracy: dict[str, Any], path: Path) -> None:
    """Expected and observed by tenth of the cells; the randomized PIT."""
    import matplotlib.pyplot as plt

    found = accuracy["calibration"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.6), layout="constrained")
    rows = found["deciles"]
    at = [row["decile"] for row in rows]
    left.errorbar(
        at,
        [row["expected"] for row in rows],
        yerr=[[row["expected"] - row["low"] for row in rows], [row["high"] - row["expected"] for row in rows]],
        fmt="s",
        color="#3b0f51",
        capsize=4,
        label="expected, 90 % interval",
    )
    left.plot(at, [row["observed"] for row in rows], "o", color="#b3314f", ms=5, label="observed")
    left.set(yscale="log", xlabel="tenth of the cells by forecast, lowest first", ylabel="incidents")
    left.set_xticks(at)
    left.legend(frameon=False, fontsize=9)
    right.bar([0.05 + 0.1 * k for k in range(10)], found["pit"], width=0.095, color="#6f6c78")
    right.axhline(0.1, color="#3b0f51", lw=1.5)
    right.set(xlabel="randomized PIT", ylabel="share of cells", xlim=(0, 1), ylim=(0, 0.15))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def shrunk(source: Path, path: Path, width: int = 760) -> None:
    """The public map of a release, small enough for a document."""
    from PIL import Image

    image = Image.open(source).convert("RGB")
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.quantize(96).save(path, optimize=True)


def main() -> int:
    """Draw all four."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--st-louis", type=Path, required=True)
    parser.add_argument("--st-louis-night", type=Path, required=True)
    parser.add_argument("--kansas-city", type=Path, required=True)
    parser.add_argument("--to", type=Path, default=Path("docs/pictures"))
    given = parser.parse_args()
    accuracy = json.loads((given.st_louis / "accuracy.json").read_text(encoding="utf-8"))
    hits(accuracy, given.to / "st_louis_hits.png")
    calibration(accuracy, given.to / "st_louis_calibration.png")
    shrunk(given.st_louis_night / "public" / "map.png", given.to / "st_louis_risk.png")
    shrunk(given.kansas_city / "public" / "map.png", given.to / "kansas_city_risk.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
