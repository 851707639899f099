"""A run that Dagster started and that failed is told of with its reason, whatever failed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.made_city import write_made_city

from rtm_pipeline.config.load import load_config
from rtm_pipeline.errors import SourceError
from rtm_pipeline.orchestration.locks import CityBusyError
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.upkeep import sensors
from rtm_pipeline.orchestration.upkeep.nights import last_night


@dg.resource
def busy(_: dg.InitResourceContext) -> None:
    raise CityBusyError("Another run of smallville is writing")


@dg.op
def read() -> None:
    raise SourceError("the portal gave 3 of 5 rows")


@dg.job(resource_defs={"lock": dg.ResourceDefinition.hardcoded_resource(1)})
def portal_fails() -> None:
    read()


@dg.op(required_resource_keys={"lock"})
def write() -> None:
    pass


@dg.job(resource_defs={"lock": busy})
def lock_refuses() -> None:
    write()


@pytest.mark.parametrize(
    ("job", "tags", "told"),
    [
        (portal_fails, {"city": "smallville"}, "read: rtm_pipeline.errors.SourceError: the portal gave 3 of 5 rows"),
        (lock_refuses, {"city": "smallville"}, "Another run of smallville is writing"),
        (portal_fails, {"city": "smallville", sensors.CLI_TAG: "yes"}, None),
        (portal_fails, {}, None),
    ],
)
def test_people_are_told_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Any, tags: dict[str, str], told: str | None
) -> None:
    loaded = load_config(write_made_city(tmp_path).config)
    paths = Paths.resolve(output=tmp_path / "out", config_dir=tmp_path / "configs")
    sent: list[Any] = []
    monkeypatch.setattr(sensors, "send", lambda alert, spec: sent.append(alert))
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
        failed = [e for e in result.all_events if e.event_type_value in ("RUN_FAILURE", "PIPELINE_FAILURE")]
        context = dg.build_run_status_sensor_context(
            sensor_name="alert_on_failure",
            dagster_instance=instance,
            dagster_run=instance.get_run_by_id(result.run_id),  # type: ignore[arg-type]
            dagster_event=failed[0],
        ).for_run_failure()
        sensors.failure_sensor([loaded], paths)(context)
    assert [told in alert.text for alert in sent] == ([True] if told else []), sent
    night = last_night(paths.output, "smallville")
    assert (night is not None and night.state == "failed") is (told is not None)
