from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.priorities.eligibility import (
    Correction,
    EligibilitySpec,
    apply_eligibility,
    corrections_from_rows,
    read_corrections,
)
from rtm_pipeline.priorities.followup.treated import read_treated
from rtm_pipeline.priorities.reach import areas_at
from rtm_pipeline.priorities.sites import OwnerRule, join_sites, make_sites, sites_from_layer


def layer(n: int = 4) -> Layer:
    never = np.full(n, np.datetime64("NaT"), dtype="datetime64[s]")
    return Layer(
        name="vacancy",
        kind="sites",
        origin="registry",
        crs="ESRI:102696",
        x=np.arange(n, dtype=float),
        y=np.zeros(n),
        geometry=None,
        time=never,
        known_at=never,
        until=never,
        category=np.array([0, 1, 2, -1], np.int16)[:n],
        category_names=("lot", "building", "park"),
        incident=np.arange(n),
        flags={},
        attributes=pa.table(
            {
                "handle": ["c", "b", "a", "d"],
                "lra": ["True", "False", None, "False"],
                "bank": ["False", "True", "True", "False"],
                "street": ["1 First St", "2 First St", None, "4 First St"],
                "_row": [0, 1, 2, 3],
                "owner_name": ["J. Doe", "J. Doe", "J. Doe", "J. Doe"],
            }
        ),
    )


def test_sites_of_a_layer_are_sorted_and_carry_owner_types_only():
    rules = [OwnerRule("lra", ("True",), "city"), OwnerRule("bank", ("True",), "land_bank")]
    lots = sites_from_layer(
        layer(),
        site_id="handle",
        target="lot",
        rows=np.array([0]),
        owners=rules,
        neighborhood=np.array([5], np.int32),
        address="street",
    )
    buildings = sites_from_layer(
        layer(),
        site_id="handle",
        target="building",
        rows=np.array([1, 0]),
        owners=rules,
        neighborhood=np.array([6, 5], np.int32),
    )
    sites = join_sites([lots, buildings])  # "c" is in both layers and stays a lot
    assert sites.site_id.tolist() == ["b", "c"]
    assert sites.target.tolist() == [1, 0]
    assert sites.owner.tolist() == ["land_bank", "city"]
    assert sites.neighborhood.tolist() == [6, 5]
    assert sites.address.tolist() == ["", "1 First St"]
    assert not any("Doe" in str(getattr(sites, name)) for name in ("owner", "status", "site_id", "reason"))


def test_a_site_without_an_id_is_told_by_its_row_and_an_id_counts_once():
    sites = sites_from_layer(layer(), site_id="lra", target="lot", rows=np.arange(4))
    assert sites.site_id.tolist() == ["False", "True", "vacancy-row-2"]
    assert sites.x.tolist() == [1.0, 0.0, 2.0]


def test_wrong_layers_and_sites_are_refused():
    with pytest.raises(ConfigError, match="no attribute 'parcel'"):
        sites_from_layer(layer(), site_id="parcel", target="lot", rows=np.arange(4))
    with pytest.raises(ConfigError, match="are of the targets"):
        sites_from_layer(layer(), site_id="handle", target="tree", rows=np.arange(4))
    with pytest.raises(SchemaError, match="unique; 1 repeat: a"):
        make_sites(["a", "a"], np.zeros(2), np.zeros(2), np.zeros(2, np.int8))
    with pytest.raises(SchemaError, match="finite"):
        make_sites(["a"], np.array([np.nan]), np.zeros(1), np.zeros(1, np.int8))
    with pytest.raises(SchemaError, match="Owner types"):
        make_sites(["a"], np.zeros(1), np.zeros(1), np.zeros(1, np.int8), owner=["John"])
    with pytest.raises(SchemaError, match="2 rows"):
        make_sites(["a", "b"], np.zeros(1), np.zeros(2), np.zeros(2, np.int8))
    with pytest.raises(ConfigError, match="owner type"):
        OwnerRule("x", ("y",), "John")


def some_sites():
    n = 8
    return make_sites(
        [f"s{i}" for i in range(n)],
        np.zeros(n),
        np.zeros(n),
        np.zeros(n, np.int8),
        owner=["city", "private", "city", "private", "city", "city", "city", "city"],
        status=["", "", "", "", "demolished", "", "", ""],
    )


def test_every_exclusion_is_counted_once_under_its_first_reason():
    corrections = [
        Correction("s0", "garden", "ann", date(2020, 1, 1)),
        Correction("s2", "permit", "bob", date(2020, 1, 1), date(2020, 6, 1)),
        Correction("s5", "not_vacant", "bob", date(2019, 1, 1), date(2019, 6, 1)),  # expired
        Correction("gone", "garden", "bob", date(2019, 1, 1)),
    ]
    found = apply_eligibility(
        some_sites(),
        EligibilitySpec(owners=("city",), status_out=("demolished",), min_area_m2=50.0),
        as_of=date(2020, 3, 1),
        corrections=corrections,
        treated=["s6", "elsewhere"],
        area_m2=np.array([100.0, 10.0, 100.0, 100.0, 100.0, 100.0, 100.0, np.nan]),
    )
    assert dict(found.excluded) == {
        "corrected: garden": 1,
        "corrected: permit": 1,
        "treated before": 1,
        "status": 1,
        "too small": 1,
        "ownership": 1,
    }
    assert sum(found.excluded.values()) == int((~found.selectable).sum())
    assert found.eligible.tolist() == [False, True, True, True, False, True, False, True]
    assert found.selectable.tolist() == [False, False, False, False, False, True, False, True]
    assert found.reason.tolist() == [
        "corrected: garden",
        "too small",
        "corrected: permit",
        "ownership",
        "status",
        "",
        "treated before",
        "",
    ]


def test_the_latest_correction_that_holds_wins():
    corrections = [
        Correction("s0", "garden", "ann", date(2020, 1, 1)),
        Correction("s0", "unsafe", "bob", date(2020, 2, 1)),
    ]
    now = apply_eligibility(some_sites(), EligibilitySpec(), as_of=date(2020, 3, 1), corrections=corrections)
    assert now.reason[0] == "corrected: unsafe"
    assert now.eligible[0]
    before = apply_eligibility(some_sites(), EligibilitySpec(), as_of=date(2020, 1, 15), corrections=corrections)
    assert before.reason[0] == "corrected: garden"
    assert not before.eligible[0]


def test_corrections_file_is_read_with_its_faults_named(tmp_path):
    path = tmp_path / "corrections.csv"
    path.write_text(
        "\ufeffsite,status,who,date,expiry\ns1, Not vacant ,ann,2020-01-01,\ns2,permit,bob,2020-01-01,2021-01-01\n"
    )
    found = read_corrections(path)
    assert found[0] == Correction("s1", "not_vacant", "ann", date(2020, 1, 1))
    assert found[1].holds(date(2020, 12, 31))
    assert not found[1].holds(date(2021, 1, 1))
    assert read_corrections(tmp_path / "none.csv") == ()
    base = {"site": "a", "status": "garden", "who": "x", "date": "2020-01-01", "expiry": ""}
    for change, match in [
        ({"who": ""}, "row 1: who"),
        ({"status": "sold"}, "status must be one of"),
        ({"date": "1/1/20"}, "2026-03-31"),
        ({"expiry": "2019-01-01"}, "expires"),
    ]:
        with pytest.raises(ConfigError, match=match):
            corrections_from_rows([{**base, **change}])


def test_sites_outside_the_study_area_are_none_of_the_citys(grid):
    sites = make_sites(
        ["in", "out"],
        np.array([grid.center_x_u[3], grid.spec.west_u - 10.0]),
        np.array([grid.center_y_u[3], grid.center_y_u[3]]),
        np.zeros(2, np.int8),
    )
    found = apply_eligibility(sites, EligibilitySpec(), as_of=date(2020, 1, 1), grid=grid)
    assert found.eligible.tolist() == [True, False]
    assert found.reason.tolist() == ["", "outside the study area"]
    areas = areas_at(grid, np.arange(grid.n_cells, dtype=np.int32), sites.x, sites.y)
    assert areas.tolist() == [3, -1]


def test_registers_from_spreadsheets_are_read(tmp_path):
    file = tmp_path / "corrections.csv"
    lines = [
        b"\xef\xbb\xbf Site ,STATUS,who,Date,expiry,",
        b"1-2,garden,Ann,2020-01-02,,",
        b",,,,,",
        b"",
        b"  ,,,,,",
        b"",
    ]
    file.write_bytes(b"\r\n".join(lines))
    assert read_corrections(file) == (Correction("1-2", "garden", "Ann", date(2020, 1, 2)),)
    file.write_text("Site,Program,Started\n1-2,mowing,2020-01-02\n,,\n")
    assert [row.site_id for row in read_treated(file)] == ["1-2"]
    file.write_text("site,program,started\n1-2,mowing,2020-01-02\n,,\n1-2,mowing,2021-01-02\n")
    with pytest.raises(ConfigError, match=r"row 3: site 1-2 .* Give one row with its first and its last day"):
        read_treated(file)
