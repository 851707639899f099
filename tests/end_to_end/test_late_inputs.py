"""Inputs that became known after a cut-off, planted in every kind of source: the judged surfaces must not see them."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.city import Command
from support.small_city import STOPS_LAYER, oxbow_config, write_oxbow

CUTOFF = "2023-01-01"
STOPS = STOPS_LAYER.splitlines()[-1]  # the day on which the list of stops was known
CITY = (
    oxbow_config()
    .replace("factors:\n", STOPS_LAYER + "factors:\n  bus_stops: {layer: bus_stops}\n")
    .replace("    key: [Case Nbr]\n", "    key: [Case Nbr]\n    known_at: {column: Filed, formats: ['%d.%m.%Y']}\n")
)


def judge(rtm: Command, root: Path, config: str = CITY) -> dict[str, Any]:
    (root / "configs").mkdir(exist_ok=True)
    (root / "configs" / "oxbow.yaml").write_text(config)
    answer = rtm(
        *("backtest", "oxbow", "--cutoff", CUTOFF, "--config-dir", root / "configs", "--data-dir", root / "data"),
        *("--output", root / "output", "--set", "model.bootstrap.refits=0", "--set", "model.bootstrap.selections=0"),
        "--json",
    )
    assert answer.code == 0, answer.err
    return json.loads(Path(answer.json["path"]).read_text())  # type: ignore[no-any-return]


def surfaces(facts: dict[str, Any]) -> Any:
    return facts["surfaces"], facts["baseline_chosen"], facts["calibration"], facts["newest_input"]


def add_lots(folder: Path, day: datetime) -> None:
    """Fifty lots in the empty east, listed at one day."""
    path = folder / "vacant_parcels.geojson"
    whole = json.loads(path.read_text())
    first = whole["features"][0]
    for number in range(50):
        lot = json.loads(json.dumps(first))
        lot["id"] = lot["properties"]["OBJECTID"] = 1000 + number
        lot["properties"]["DATE_LISTED"] = int(day.timestamp() * 1000)
        lot["geometry"]["coordinates"] = [
            [[x + 0.012, y + 0.0002 * (number % 10)] for x, y in ring] for ring in lot["geometry"]["coordinates"]
        ]
        whole["features"].append(lot)
    path.write_text(json.dumps(whole))


def add_offenses(folder: Path, filed: str) -> None:
    """Two hundred robberies of 2022 in one corner, filed at one day."""
    with (folder / "offenses_2022.csv").open("a") as file:
        for number in range(200):
            file.write(
                f"22-L{number:04d};{1 + number % 28:02d}.06.2022 12:00;ROBBERY - ARMED;353950.0;4330050.0;{filed}\n"
            )


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("late")
    write_oxbow(root / "data")
    for path in (root / "data").glob("offenses_*.csv"):
        head, *rows = path.read_text().splitlines()
        filed = [f"{row};{row.split(';')[1][:10]}" for row in rows]  # known the midnight after
        path.write_text("\n".join([f"{head};Filed", *filed]) + "\n")
    return root


def test_what_is_filed_or_listed_later_moves_no_judged_surface(city: Path, tmp_path: Path, rtm: Command) -> None:
    plain = judge(rtm, city)
    late = tmp_path / "late"
    shutil.copytree(city, late, ignore=shutil.ignore_patterns("output"))
    add_offenses(late / "data", "02.01.2023")
    add_lots(late / "data", datetime(2023, 2, 1, tzinfo=UTC))
    assert surfaces(judge(rtm, late)) == surfaces(plain)
    assert plain["newest_input"] <= CUTOFF

    known = tmp_path / "known"
    shutil.copytree(city, known, ignore=shutil.ignore_patterns("output"))
    add_offenses(known / "data", "30.12.2022")
    assert surfaces(judge(rtm, known))[0] != surfaces(plain)[0]  # the same rows, filed in time, do count


def test_a_list_of_a_later_day_is_left_out_with_the_reason(city: Path, tmp_path: Path, rtm: Command) -> None:
    """An undated list has one day on which it was known; one of after the cut-off is in no judged surface."""
    at = CITY.index(STOPS, CITY.index("source: stops_file"))
    late = CITY[:at] + STOPS.replace("2020", "2023") + CITY[at + len(STOPS) :]
    facts = judge(rtm, city, late)
    assert [item["factor"] for item in facts["left_out"]] == ["bus_stops"]
    assert facts["newest_input"] <= CUTOFF
