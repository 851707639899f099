"""Whatever stands in a configuration, loading gives a city or one ConfigError; never a traceback."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtm_pipeline.config.load import city_of, load_config
from rtm_pipeline.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"
FUZZ = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ODD = st.sampled_from(
    ["", " ", "0d", "1y", "999999999999y", "0 ft", "1e400 ft", "250 ft", "9" * 400, "(", "[", "\x00", "\u2028",
     "EPSG:0", "EPSG:4326", "EPSG:99999999", "../x", "/etc/passwd", "http://h/0", "native", "auto", "0000-00-00",
     "9999-12-31", "America/../..", "*/5 * * * *", "a.b", "\ud7ff", "NaN", "-1"]
)  # fmt: skip
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | ODD | st.text(max_size=8)
VALUE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "column", "source", "layer", "lat", "lon", "in", "x"]) | ODD, inner, max_size=3
        )
    ),
    max_leaves=6,
)


def paths_of(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [path for key in keys for path in [(*above, key), *paths_of(value[key], (*above, key))]]


@pytest.fixture(scope="module")
def settings_of_demo() -> dict[str, Any]:
    return load_config(CONFIGS / "demo_city.yaml").settings


@FUZZ
@given(data=st.data())
def test_any_value_in_any_place(settings_of_demo: dict[str, Any], data: st.DataObject) -> None:
    values = copy.deepcopy(settings_of_demo)
    paths = paths_of(values)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(paths))
        spot = values
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                spot = spot[key]
            spot[path[-1]] = data.draw(VALUE)
    with contextlib.suppress(ConfigError):
        city_of(values)


@FUZZ
@given(text=st.text(max_size=60) | st.binary(max_size=60))
def test_any_file(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "city.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError):
        load_config(path)


@FUZZ
@given(data=st.data())
def test_a_file_with_damaged_lines(tmp_path: Path, data: st.DataObject) -> None:
    lines = (CONFIGS / "kansas_city.yaml").read_text().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[at])))
        lines[at] = lines[at][:cut] + data.draw(
            st.sampled_from(["", ":", "- ", "{", "]", '"', "\t", "&a *a", "!!x ", "  "])
        )
    path = tmp_path / "city.yaml"
    path.write_text("\n".join(lines))
    with contextlib.suppress(ConfigError):
        load_config(path)


@FUZZ
@given(key=st.text(max_size=20), value=st.text(max_size=20))
def test_any_override(key: str, value: str) -> None:
    with contextlib.suppress(ConfigError):
        load_config(CONFIGS / "demo_city.yaml", [f"{key}={value}"])


def test_the_settings_survive_text(settings_of_demo: dict[str, Any]) -> None:
    assert city_of(json.loads(json.dumps(settings_of_demo))) == city_of(settings_of_demo)
    assert yaml.safe_load(json.dumps(settings_of_demo)) == settings_of_demo
