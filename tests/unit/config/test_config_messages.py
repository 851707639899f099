"""A wrong configuration is answered with file, line, key, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtm_pipeline.config.document import load_document
from rtm_pipeline.config.load import city_of, find_config, load_config
from rtm_pipeline.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"
ST_LOUIS = CONFIGS / "st_louis_2018.yaml"

WRONG = [
    ("cell_size: 250 ft", "cell_sise: 250 ft", "area.cell_sise", "Did you mean 'cell_size'?"),
    ("unit: incident", "unit: incidents", "outcome.unit", "allowed: incident, offence"),
    ("c_typeSimple: lot}", "c_typeSimple: {perfix: [lot]}}", "where.c_typeSimple.perfix", "Did you mean 'prefix'?"),
    ("source: vacancy\n", "source: vacncy\n", "layers.vacant_lots.source", "Did you mean 'vacancy'?"),
    ("cell_size: 250 ft", "cell_size: 250 feets", "area.cell_size", "is not a length"),
    ("cell_size: 250 ft", "cell_size: 250", "area.cell_size", "needs its unit, as in '250 ft'"),
    ("lag: 0d", "lag: 30", "outcome.lag", "needs its unit, as in '1y'"),
    ("crs: ESRI:102696  ", "crs: 102696  ", "area.crs", "as in EPSG:102696"),
    ("kind: file, path: city_limits", "kind: fil, path: city_limits", "sources.limits.kind", "Did you mean 'file'?"),
    ("path: city_limits.shp", "path: ../city_limits.shp", "sources.limits.path", "may not contain '..'"),
    ("path: city_limits.shp", "path: /etc/passwd", "sources.limits.path", "must be relative"),
    ("crs: ESRI:102696  ", "crs: EPSG:4326  ", "area.crs", "Choose the projected CRS"),
    ("{lat: lat, lon: lon}", "{lat: lat}", "layers.vacant_lots.geometry", "lat with lon"),
    ("timezone: America/Chicago", "timezone: Chicago", "timezone", "IANA name"),
    ("layer: violence\n", "layer: violense\n", "outcome.layer", "Did you mean 'violence'?"),
    ("as_of: 2019-01-01", "as_of: 2019-13-01", "as_of", "month value"),
    ("alpha: 0.5", "alpha: 5", "model.alpha", "less than or equal to 1"),
    ("lag: 0d", "lag: zero", "outcome.lag", "is not a duration"),
    ("categories: [weeds]", "categories: [weds]", "factors.weeds.categories", "Did you mean 'weeds'?"),
    ("history: assumed\n", "history: assumed\n    reason: ''\n#", "layers.liquor_licenses", "needs a reason"),
    ("layer: violence\n", "layer: vacant_lots\n", "outcome.layer", "must be a layer of kind events"),
    ("area:\n", "editions: {vacancy: [public]}\narea:\n", "editions.vacancy", "[public, restricted]"),
    ("area:\n", "editions: {vacncy: [restricted]}\narea:\n", "editions.vacncy", "Did you mean"),
    ("area:\n", "portals: {data.example.org: {}}\narea:\n", "portals.data.example.org", "no portal of a source"),
    ("area:\n", "health: {shrank: stop}\narea:\n", "health.shrank", "allowed: off, warn, block"),
    ("area:\n", "health: {layers: {violense: {}}}\narea:\n", "health.layers.violense", "Did you mean 'violence'?"),
    ("{lat: lat, lon: lon}", "[{lat: lat, lon: lon}, native]", "layers.vacant_lots.geometry", "no alternatives"),
    ("usd: 500000", "usd: 1.0e+999", "programs.budget.usd", "finite number"),
    ("lookback: 1y, label: 311 graffiti", "lookback: 1y, max_influence: 100 ft", "factors.graffiti", "Raise it"),
]


@pytest.mark.parametrize(("old", "new", "key", "advice"), WRONG, ids=[case[2] + "-" + case[1][:18] for case in WRONG])
def test_message_names_file_line_key_and_remedy(tmp_path: Path, old: str, new: str, key: str, advice: str) -> None:
    text = ST_LOUIS.read_text()
    assert old in text
    broken = tmp_path / "city.yaml"
    broken.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_config(broken)
    message = str(caught.value)
    assert key in message
    assert advice in message
    place = next(line for line in message.splitlines() if key in line)
    number = int(place.split("city.yaml:")[1].split(":")[0])
    written = broken.read_text().splitlines()[number - 1]
    assert key.split(".")[-1] in written or new.split("\n")[0].split(",")[0].strip() in written
    assert caught.value.exit_code == 2


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "city.yaml"
    broken.write_text(ST_LOUIS.read_text().replace("schema: 1", "schema: 1\nschema: 1"))
    with pytest.raises(ConfigError, match=r"city.yaml:\d+: the key 'schema' stands twice"):
        load_config(broken)


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "just words", "a: [1", "a: &x [*x]", "\x00", "a: !!python/object:os.system 1"]
)
def test_what_is_no_configuration_is_a_config_error(tmp_path: Path, text: str) -> None:
    broken = tmp_path / "city.yaml"
    broken.write_text(text)
    with pytest.raises(ConfigError):
        load_config(broken)


def test_codes_and_words_stay_text(tmp_path: Path) -> None:
    config = tmp_path / "city.yaml"
    config.write_text(ST_LOUIS.read_text().replace('prefix: ["01", "03", "04"]', "prefix: [01, 03, 04]"))
    where = load_config(config).city.layers["violence"].where
    assert where is not None
    assert where.groups[0][0].prefix == ("01", "03", "04")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid_and_survives_being_stored(path: Path) -> None:
    loaded = load_config(path)
    assert city_of(loaded.settings) == loaded.city


def test_overrides_are_validated_alike() -> None:
    loaded = load_config(ST_LOUIS, ["area.cell_size=500 ft", "outcome.unit=offence", "model.bootstrap.refits=0"])
    assert loaded.overridden
    assert loaded.city.area.cell_size_u == 500.0
    assert loaded.city.outcome.unit == "offence"
    assert loaded.city.model.bootstrap.refits == 0
    with pytest.raises(ConfigError, match=r"outcome\.unit"):
        load_config(ST_LOUIS, ["outcome.unit=rows"])
    with pytest.raises(ConfigError, match=r"  --set: area.cell_size: found 100: a number needs its unit"):
        load_config(ST_LOUIS, ["area.cell_size=100"])
    with pytest.raises(ConfigError, match=r"write key.path=value"):
        load_config(ST_LOUIS, ["outcome.unit"])


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'st_louis_2018'"):
        find_config("st_luis_2018", CONFIGS)


def test_a_factor_made_by_police_needs_a_reason(tmp_path: Path) -> None:
    text = ST_LOUIS.read_text().replace(
        "  csb:\n    kind: file\n    path: csb_311_blight_2017_2018.csv\n    origin: resident",
        "  csb:\n    kind: file\n    path: csb_311_blight_2017_2018.csv\n    origin: police",
    )
    config = tmp_path / "city.yaml"
    config.write_text(text)
    with pytest.raises(ConfigError, match="made by police"):
        load_config(config)
    config.write_text(text.replace("    source: csb\n", "    source: csb\n    reason: A city council order of 2016.\n"))
    layer = load_config(config).city.layers["requests_311"]
    assert layer.origin == "police"
    assert layer.origin_reason == "A city council order of 2016."


def test_only_declared_columns_are_asked_for() -> None:
    city = load_config(ST_LOUIS).city
    columns = {request.name for request in city.columns["slmpd"]}
    assert columns == {"XCoord", "YCoord", "DateOccur", "CodedMonth", "Complaint", "Crime", "Count"}
    renamed = next(request for request in city.columns["slmpd"] if request.name == "XCoord")
    assert renamed.alternatives == ("X-Coord",)


@pytest.mark.parametrize(
    ("until", "formats"),
    [
        ("ENDED", ("%m/%d/%Y", "iso")),
        ("{column: ENDED}", ("%m/%d/%Y", "iso")),
        ("{column: ENDED, formats: [epoch_ms]}", ("epoch_ms",)),
    ],
)
def test_an_end_is_written_as_the_beginning_unless_told(tmp_path: Path, until: str, formats: tuple[str, ...]) -> None:
    layer = f"    date: {{column: BEGUN, formats: ['%m/%d/%Y']}}\n    until: {until}\n"
    text = ST_LOUIS.read_text().replace("  vacant_lots:\n", f"  vacant_lots:\n{layer}", 1)
    (tmp_path / "city.yaml").write_text(text.replace("    known_at: 2017-12-31\n", "", 1))
    loaded = load_config(tmp_path / "city.yaml")
    for city in (loaded.city, city_of(loaded.settings)):
        assert city.layers["vacant_lots"].until is not None
        assert city.layers["vacant_lots"].until.formats == formats


def test_references_that_mean_billions_of_values_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    path = tmp_path / "city.yaml"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigError, match="refers to its own parts"):
        load_document(path)
    path.write_text("a: &a\n  b: *a\n")
    with pytest.raises(ConfigError, match="refers to itself"):
        load_document(path)


@pytest.mark.parametrize(
    "source",
    [
        "{kind: arcgis, url: 'https://host.example/FeatureServer/0?token=CANARY'}",
        "{kind: arcgis, url: 'https://me:CANARY@host.example/FeatureServer/0'}",
        "{kind: arcgis, url: 'https://host.example/FeatureServer/0', token_env: CANARY-5566}",
        "{kind: socrata, host: 'https://me:CANARY@host.example', dataset: abcd-1234}",
        "{kind: arcgis, url: 'https://host.example/FeatureServer/0', token: CANARY}",
    ],
)
def test_a_secret_in_a_configuration_is_refused_and_not_repeated(tmp_path: Path, source: str) -> None:
    path = tmp_path / "city.yaml"
    path.write_text(f"schema: 1\ncity: town\nsources:\n  shops: {source}\n")
    with pytest.raises(ConfigError, match=r"sources\.shops") as caught:
        load_config(path)
    assert "CANARY" not in str(caught.value)
