"""The sensor's look at a portal: it notices every change, reads no rows, and survives a portal that is down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from fakes import portal as fake
from fakes.portal import FakePortal
from support.portal_city import CRIMES, LOTS, SHOPS, PortalCity, point

from rtm_pipeline.orchestration.build import build_defs
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.upkeep.sensors import sources_mark


@pytest.fixture
def city(tmp_path: Path) -> Iterator[PortalCity]:
    with FakePortal() as portal:
        yield PortalCity(portal, tmp_path / "city")


def test_every_change_of_a_portal_changes_the_mark_and_no_row_is_read(city: PortalCity) -> None:
    paths = Paths.resolve(config_dir=city.folder, output=city.output)

    def mark() -> str:
        return sources_mark(city.loaded(), paths)

    marks = [mark()]
    assert mark() == marks[0]
    city.add_crime(city.as_of)
    marks.append(mark())
    lots = city.portal.datasets[LOTS]
    lots.delete(lots.rows[0][":id"])
    marks.append(mark())
    lots.update(lots.rows[0][":id"], lat="39.001")
    marks.append(mark())
    shops = city.portal.layers[SHOPS]
    shops.edited = (shops.edited or 0) + 1
    marks.append(mark())
    shops.edited = None  # many servers do not tell when they were edited: their rows are counted
    marks.append(mark())
    shops.rows.append(({"OBJECTID": 99, "name": "new"}, point(-94.59, 39.01)))
    marks.append(mark())
    lots.tells_version = False
    marks.append(mark())
    lots.update(lots.rows[0][":id"], lat="39.002")
    marks.append(mark())
    assert len(set(marks)) == len(marks)
    assert mark() == marks[-1]
    assert city.portal.asked("page") == []


def test_the_sensor_starts_one_run_when_a_portal_changed_and_none_while_it_is_down(city: PortalCity) -> None:
    city.loaded()
    defs = build_defs(config_dir=city.folder, output=city.output)
    sensor = defs.resolve_sensor_def("portalville_sources_changed")
    cursor: str | None = None

    def look() -> tuple[int, str]:
        nonlocal cursor
        with dg.instance_for_test() as instance:
            found = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))
        cursor = found.cursor
        return len(found.run_requests or ()), found.skip_message or ""

    assert look()[0] == 0
    city.portal.datasets[CRIMES].update(city.portal.datasets[CRIMES].rows[3][":id"], code="C")
    assert look() == (0, "Sources are changing; waiting until they stand still.")
    city.portal.faults = [fake.status(403)]
    runs, why = look()
    assert runs == 0
    assert "can't be asked now" in why
    assert "403" in why
    city.portal.faults = []
    assert look()[0] == 1, "what had changed before the portal was down is not forgotten"
    assert look() == (0, "No source has changed.")
