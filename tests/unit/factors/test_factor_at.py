"""From a layer to a factor: what counts, which columns come out, what is frozen, what is refused."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
import shapely
from shapely.geometry import Point, box

from rtm_pipeline import factors
from rtm_pipeline.errors import ConfigError, GridError, ModelError, SchemaError, StaleArtifactError
from rtm_pipeline.factors import FactorSpec, Features, operationalize
from rtm_pipeline.grid import study_grid
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.units import Duration

CRS = "EPSG:26915"
WHEN = date(2020, 1, 1)
BANDS = (150.0, 300.0, 450.0)


def layer_of(xy, *, kind="sites", geometry=None, time=None, known_at=None, until=None, category=None, names=(), **more):
    n = len(xy)

    def times(values):
        return (
            np.full(n, np.datetime64("NaT"), "datetime64[s]") if values is None else np.array(values, "datetime64[s]")
        )

    return Layer(
        name="lots",
        kind=kind,
        origin="registry",
        crs=CRS,
        x=np.asarray(xy, float).reshape(-1, 2)[:, 0].copy(),
        y=np.asarray(xy, float).reshape(-1, 2)[:, 1].copy(),
        geometry=geometry,
        time=times(time),
        known_at=times(known_at if known_at is not None else ["2000-01-01"] * n),
        until=times(until),
        category=np.full(n, -1, np.int16) if category is None else np.array(category, np.int16),
        category_names=names,
        incident=more.pop("incident", np.arange(n)),
        flags={},
        attributes=pa.table({"_file": ["made"] * n, "_row": np.arange(n)}),
        **more,
    )


def spec_of(how="both", **settings):
    return FactorSpec("vacant", "lots", how, settings.pop("bands_u", BANDS), **settings)


@pytest.fixture(scope="module")
def grid():
    return study_grid(Point(2000, 2000).buffer(2000), crs=CRS, cell_size_u=100.0)


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(3)
    return np.vstack([rng.normal(1500, 200, (150, 2)), rng.uniform(0, 4000, (60, 2))])


def brute_columns(xy, grid, bands, known=None):
    squared = (xy[:, 0] - grid.center_x_u[:, None]) ** 2 + (xy[:, 1] - grid.center_y_u[:, None]) ** 2
    known = np.ones(grid.n_cells, bool) if known is None else known
    near = [squared.min(axis=1) <= band**2 for band in bands]
    dense = []
    for band in bands:
        sums = (np.maximum(1 - squared / band**2, 0) ** 2).sum(axis=1)
        dense.append(sums > sums[known].mean() + 2 * sums[known].std())
    return np.array([*near, *dense]).T


def columns(factor):
    return np.column_stack([factor.column(j) for j in range(len(factor.variables))])


def test_columns_equal_brute_force(grid, cloud):
    factor = factors.at(layer_of(cloud), grid, spec_of(), WHEN)
    assert [variable.name for variable in factor.variables] == [
        "vacant_proximity_150m", "vacant_proximity_300m", "vacant_proximity_450m",
        "vacant_density_150m", "vacant_density_300m", "vacant_density_450m",
    ]  # fmt: skip
    expected = brute_columns(cloud, grid, BANDS)
    assert np.array_equal(columns(factor), expected)
    assert factor.codes.dtype == np.uint8
    assert factor.bits.dtype == np.uint8
    assert len(np.unique(factor.bits, axis=0)) == len(factor.bits)
    assert np.array_equal(np.unique(factor.codes), np.arange(len(factor.bits)))
    np.testing.assert_allclose(factor.shares(), expected.mean(axis=0))
    nearest = np.sqrt(((cloud[:, None, :] - np.column_stack([grid.center_x_u, grid.center_y_u])) ** 2).sum(-1).min(0))
    assert np.array_equal(factor.distance_u, nearest.astype(np.float32))
    assert factor.distance_u.max() > BANDS[-1]  # not capped
    assert (factor.n_features, factor.dropped, factor.known, factor.density) == (len(cloud), (), None, None)


def test_the_distance_that_equals_a_band_is_within_it(grid):
    factor = factors.at(layer_of([[2050.0, 2050.0]]), grid, spec_of("proximity", bands_u=(100.0,)), WHEN)
    assert factor.column(0).sum() == 5  # the cell itself and its four neighbors, whose centers are 100 away


def test_each_operationalization_has_its_columns(grid, cloud):
    both = columns(factors.at(layer_of(cloud), grid, spec_of(), WHEN))
    assert np.array_equal(columns(factors.at(layer_of(cloud), grid, spec_of("proximity"), WHEN)), both[:, :3])
    assert np.array_equal(columns(factors.at(layer_of(cloud), grid, spec_of("density"), WHEN)), both[:, 3:])


def test_many_bands_need_wider_codes():
    """More patterns than a byte or a table can hold."""
    grid = study_grid(Point(2000, 2000).buffer(2000), crs=CRS, cell_size_u=30.0)
    rng = np.random.default_rng(5)
    cloud = rng.uniform(0, 4000, (60, 1, 2)) + rng.normal(0, 1, (60, 12, 2)) * rng.choice(
        [20.0, 150.0, 500.0], (60, 1, 1)
    )
    cloud = cloud.reshape(-1, 2)
    bands = tuple(np.linspace(110, 900, 26).round(1))
    spec = spec_of(bands_u=bands)
    factor = factors.at(layer_of(cloud), grid, spec, WHEN)
    expected = brute_columns(cloud, grid, bands)
    names = [variable.name for variable in factor.variables]
    everything = [f"vacant_{kind}_{round(b)}m" for kind in ("proximity", "density") for b in bands]
    assert np.array_equal(columns(factor), expected[:, [everything.index(name) for name in names]])
    assert len(factor.bits) > 256
    assert factor.codes.dtype == np.uint16


def test_lengths_in_names_are_meters(cloud):
    area = box(880_000, 980_000, 890_000, 990_000)
    grid = study_grid(area, crs="ESRI:102696", cell_size_u=250.0)
    layer = replace(layer_of(cloud + np.array([882_000, 982_000])), crs="ESRI:102696")
    factor = factors.at(layer, grid, spec_of("proximity", bands_u=(250.0, 500.0)), WHEN)
    assert [variable.name for variable in factor.variables] == ["vacant_proximity_76m", "vacant_proximity_152m"]
    assert factor.variables[1].spatial_influence_u == 500.0
    assert factor.variables[1].spatial_influence_m == pytest.approx(152.4003)


def test_bands_under_a_meter_apart_are_refused(grid, cloud):
    with pytest.raises(ConfigError, match="less than a meter"):
        factors.at(layer_of(cloud), grid, spec_of(bands_u=(150.0, 150.2)), WHEN)


# --- what is dropped ---


def test_bandwidths_below_the_cell_are_reported(grid, cloud):
    factor = factors.at(layer_of(cloud), grid, spec_of(bands_u=(50.0, 100.0, 300.0)), WHEN)
    dropped = {variable.name: reason for variable, reason in factor.dropped}
    assert "below 1 cell" in dropped["vacant_density_50m"]
    assert "vacant_density_100m" not in dropped
    assert any(variable.name == "vacant_proximity_50m" for variable in factor.variables)
    wide = factors.at(layer_of(cloud), grid, spec_of(bands_u=(50.0, 300.0), smallest_density_cells=0.0), WHEN)
    assert any(variable.name == "vacant_density_50m" for variable in wide.variables)


def test_constant_near_constant_and_duplicate_columns_are_reported(grid):
    factor = factors.at(
        layer_of([[2010.0, 2010.0]]), grid, spec_of("proximity", bands_u=(80.0, 84.0, 150.0, 6000.0)), WHEN
    )
    dropped = {variable.name: reason for variable, reason in factor.dropped}
    assert dropped["vacant_proximity_80m"].startswith(
        "near-constant: 1 in 3 of 1,"
    )  # centers at 57, 72 and 72; the next at 85
    assert dropped["vacant_proximity_6000m"].startswith("constant: 1 in all")
    assert [variable.name for variable in factor.variables] == ["vacant_proximity_150m"]
    lenient = spec_of("proximity", bands_u=(80.0, 84.0, 150.0, 6000.0), rare_cells=1, rare_share=0.0)
    again = factors.at(layer_of([[2010.0, 2010.0]]), grid, lenient, WHEN)
    reasons = {variable.name: reason for variable, reason in again.dropped}
    assert reasons["vacant_proximity_84m"] == "duplicate of vacant_proximity_80m"
    strict = spec_of("proximity", rare_share=0.5)
    assert all(
        "near-constant" in reason for _, reason in factors.at(layer_of([[2010.0, 2010.0]]), grid, strict, WHEN).dropped
    )


def test_nothing_known_leaves_no_variable(grid):
    factor = factors.at(layer_of(np.zeros((0, 2))), grid, spec_of(), WHEN)
    assert factor.variables == ()
    assert factor.bits.shape == (1, 0)
    assert np.isinf(factor.distance_u).all()
    assert len(factor.dropped) == 6
    assert (factor.n_features, factor.geometry) == (0, "none")
    assert factors.continuous(factor).columns.shape == (grid.n_cells, 1)
    assert np.isfinite(factors.continuous(factor).columns).all()


# --- which rows count ---


def features_used(layer, spec, when=WHEN, **more):
    grid = study_grid(box(0, 0, 4000, 4000), crs=CRS, cell_size_u=500.0)
    return factors.at(layer, grid, spec, when, **more).n_features


def test_rows_count_when_known_and_not_ceased():
    layer = layer_of(
        np.full((5, 2), 2000.0),
        known_at=["2019-12-31", "2020-01-01", "2020-01-01T00:00:01", "2019-01-01", "2019-01-01"],
        until=["NaT", "NaT", "NaT", "2020-01-01", "2020-01-02"],
    )
    assert features_used(layer, spec_of("proximity")) == 3


def test_lookback_is_half_open():
    layer = layer_of(
        np.full((5, 2), 2000.0), kind="requests",
        time=["2018-12-31T23:59:59", "2019-01-01", "2019-12-31T23:59:59", "2020-01-01", "NaT"],
    )  # fmt: skip
    assert features_used(layer, spec_of("proximity", lookback=Duration(1, "y"))) == 2
    assert features_used(layer, spec_of("proximity")) == 4  # what is dated later is not there yet


def test_categories_are_chosen_by_name():
    layer = layer_of(np.full((4, 2), 2000.0), category=[0, 1, 1, -1], names=("dumping", "board-up"))
    assert features_used(layer, spec_of("proximity", categories=("board-up",))) == 2
    assert features_used(layer, spec_of("proximity", categories=("board-up", "dumping"))) == 3
    with pytest.raises(ConfigError, match="no category 'weeds'; it has: dumping, board-up"):
        features_used(layer, spec_of("proximity", categories=("weeds",)))


def test_rows_of_one_incident_are_one_feature():
    events = layer_of(np.full((4, 2), 2000.0), kind="events", time=["2019-05-05"] * 4, incident=np.array([7, 7, 8, 7]))
    assert features_used(events, spec_of("proximity")) == 2
    assert features_used(events, spec_of("proximity", unit="row")) == 4
    assert features_used(replace(events, kind="sites"), spec_of("proximity")) == 4


def test_rows_that_were_taken_back_later_still_stood_then():
    stood = layer_of(np.full((1, 2), 2000.0), known_at=["2019-01-01"], until=["2020-06-01"])
    layer = replace(layer_of(np.full((2, 2), 2000.0)), withdrawn=stood)
    assert features_used(layer, spec_of("proximity"), date(2020, 1, 1)) == 3
    assert features_used(layer, spec_of("proximity"), date(2020, 7, 1)) == 2
    assert features_used(layer, spec_of("proximity"), date(2018, 7, 1)) == 2


def test_a_layer_that_did_not_exist_yet_is_unknown_not_empty():
    known_at = ["2017-12-31"] * 3
    layer = layer_of(np.full((3, 2), 2000.0), known_at=known_at, earliest_known=date(2017, 12, 31), history="assumed")
    with pytest.raises(ModelError, match="first known at 2017-12-31, after 2017-01-01"):
        features_used(layer, spec_of("proximity"), date(2017, 1, 1))
    assert features_used(layer, spec_of("proximity"), date(2017, 1, 1), assume_history=True) == 3
    assert factors.unknown_at(layer, date(2017, 12, 31)) is None
    grid = study_grid(box(0, 0, 4000, 4000), crs=CRS, cell_size_u=500.0)
    factor = factors.at(layer, grid, spec_of("proximity"), WHEN)
    assert factor.assumed
    assert factor.earliest_known == date(2017, 12, 31)


# --- frozen cut-offs ---


def test_a_later_vintage_is_seen_with_the_cuts_of_the_fit(grid, cloud):
    rng = np.random.default_rng(8)
    more = np.vstack([cloud, rng.normal(2600, 300, (500, 2))])
    known = ["2019-06-01"] * len(cloud) + ["2020-06-01"] * 500
    layer = layer_of(more, known_at=known)
    fit = factors.at(layer, grid, spec_of(), WHEN)
    assert fit.n_features == len(cloud)
    later = factors.at(layer, grid, spec_of(), date(2021, 1, 1), frozen=fit.cuts)
    assert later.cuts is fit.cuts
    assert later.variables == fit.variables
    squared = (more[:, 0] - grid.center_x_u[:, None]) ** 2 + (more[:, 1] - grid.center_y_u[:, None]) ** 2
    for j, band in enumerate(BANDS):
        sums = (np.maximum(1 - squared / band**2, 0) ** 2).sum(axis=1)
        assert np.array_equal(later.column(3 + j), sums > fit.cuts.cut(band).threshold)
    anew = factors.at(layer, grid, spec_of(), date(2021, 1, 1))
    assert not np.array_equal(columns(anew), columns(later))
    same = factors.at(layer, grid, spec_of(), WHEN, frozen=fit.cuts)
    assert np.array_equal(columns(same), columns(fit))


def test_frozen_variables_stay_though_they_no_longer_vary(grid, cloud):
    known = ["2019-06-01"] * len(cloud)
    layer = layer_of(cloud, known_at=known, until=["2020-06-01"] * len(cloud))
    fit = factors.at(layer, grid, spec_of(), WHEN)
    empty = factors.at(layer, grid, spec_of(), date(2021, 1, 1), frozen=fit.cuts)
    assert empty.variables == fit.variables
    assert not columns(empty).any()
    assert empty.dropped == ()


def test_auto_is_decided_at_the_fit_only(grid, cloud):
    fit = factors.at(layer_of(cloud), grid, spec_of("auto"), WHEN)
    assert (fit.operationalization, fit.clustering.clustered) == ("density", True)
    spread = np.stack(np.meshgrid(np.arange(50, 4000, 300.0), np.arange(50, 4000, 300.0)), -1).reshape(-1, 2)
    assert factors.at(layer_of(spread), grid, spec_of("auto"), WHEN).operationalization == "proximity"
    frozen = factors.at(layer_of(spread), grid, spec_of("auto"), WHEN, frozen=fit.cuts)
    assert frozen.operationalization == "density"


def test_cuts_of_another_grid_or_factor_are_refused(grid, cloud):
    fit = factors.at(layer_of(cloud), grid, spec_of(), WHEN)
    other = study_grid(Point(2000, 2000).buffer(2000), crs=CRS, cell_size_u=125.0)
    with pytest.raises(StaleArtifactError, match=r"another grid.*100; now.*125"):
        factors.at(layer_of(cloud), other, spec_of(), WHEN, frozen=fit.cuts)
    with pytest.raises(StaleArtifactError, match="can't serve"):
        factors.at(layer_of(cloud), grid, replace(spec_of(), name="other"), WHEN, frozen=fit.cuts)


# --- auto ---


@pytest.mark.parametrize(
    ("make", "chosen"),
    [
        (lambda rng: rng.normal(2000, 150, (300, 2)), "density"),
        (lambda rng: rng.uniform(600, 3400, (300, 2)) * [1, 0] + [0, 2000], "density"),  # along one street
        (lambda rng: np.array([[2000.0, 2000.0]] * 5), "proximity"),  # too few to tell
        (lambda rng: np.array([[1000.0, 1000], [1001, 1000], [3000, 3000], [3000, 3001]] * 2), "density"),
        (lambda rng: np.array([[2000.0, 2000.0]]), "proximity"),
        (lambda rng: np.zeros((0, 2)), "proximity"),
    ],
)
def test_auto_chooses_by_clustering(grid, make, chosen):
    assert (
        factors.at(layer_of(make(np.random.default_rng(0))), grid, spec_of("auto"), WHEN).operationalization == chosen
    )


def test_auto_prefers_proximity_where_neighbors_are_beyond_the_influence():
    grid = study_grid(box(0, 0, 400_000, 400_000), crs=CRS, cell_size_u=4000.0)
    rng = np.random.default_rng(1)
    wide = rng.normal(200_000, 15_000, (40, 2))  # clustered, but their mean spacing exceeds the top band
    factor = factors.at(layer_of(wide), grid, spec_of("auto", bands_u=(500.0, 1000.0)), WHEN)
    assert factor.clustering.clustered
    assert factor.clustering.mean_distance_u > 1000
    assert factor.operationalization == "proximity"


def test_nearest_neighbor_test_is_calibrated():
    """On random points its standard score is standard normal, with the edge correction and only with it."""
    from rtm_pipeline.factors.clustering import nearest_neighbor_test

    grid = study_grid(box(0, 0, 6000, 6000), crs=CRS, cell_size_u=250.0)
    assert grid.perimeter_u == 24_000
    rng = np.random.default_rng(12)
    tests = [nearest_neighbor_test(*rng.uniform(0, 6000, (2, 60)), grid) for _ in range(600)]
    z = np.array([test.z for test in tests])
    assert abs(z.mean()) < 0.15
    assert abs(z.std() - 1) < 0.1
    assert 0.02 < np.mean([test.clustered for test in tests]) < 0.09
    plain = [
        nearest_neighbor_test(*rng.uniform(0, 6000, (2, 60)), replace(grid, perimeter_u=0.0)).z for _ in range(300)
    ]
    assert np.mean(plain) > 0.5


@pytest.mark.parametrize("threads", [1, 2])
def test_nearest_neighbor_distance_against_a_tree(threads):
    from scipy.spatial import cKDTree

    from rtm_pipeline.factors.clustering import nearest_neighbor_test
    from rtm_pipeline.factors.lattice import Workers

    grid = study_grid(box(0, 0, 5000, 5000), crs=CRS, cell_size_u=100.0)
    rng = np.random.default_rng(6)
    piles = np.repeat(rng.uniform(0, 4999, (30, 2)), rng.integers(1, 9, 30), axis=0)
    xy = np.vstack([rng.uniform(0, 4999, (200, 2)), rng.normal(2500, 20, (100, 2)), piles])
    with Workers(threads) as workers:
        found = nearest_neighbor_test(xy[:, 0], xy[:, 1], grid, workers).mean_distance_u
    assert found == pytest.approx(cKDTree(xy).query(xy, k=2)[0][:, 1].mean(), rel=1e-12)


def test_nearest_neighbor_distance_by_hand():
    from rtm_pipeline.factors.clustering import nearest_neighbor_test

    grid = study_grid(box(0, 0, 1000, 1000), crs=CRS, cell_size_u=100.0)
    x = np.array([100.0, 103.0, 500.0, 500.0, 900.0, 5000.0])  # the last lies outside
    y = np.array([100.0, 104.0, 500.0, 500.0, 500.0, 5000.0])
    test = nearest_neighbor_test(x, y, grid)
    assert test.n == 5
    assert test.mean_distance_u == pytest.approx((5 + 5 + 0 + 0 + 400) / 5)
    expected = 0.5 * np.sqrt(1e6 / 5) + (0.0514 + 0.041 / np.sqrt(5)) * 4000 / 5
    assert test.expected_u == pytest.approx(expected)
    assert test.index == pytest.approx(82 / expected)
    assert nearest_neighbor_test(x[2:4], y[2:4], grid).mean_distance_u == 0


# --- coverage ---


def test_outside_its_coverage_a_layer_is_unknown(grid, cloud):
    coverage = box(0, 0, 2600, 4000)
    factor = factors.at(layer_of(cloud, coverage=coverage), grid, spec_of(), WHEN, keep_density="all")
    known = (grid.center_x_u <= 2600 - 450) & (grid.center_x_u >= 450) & (np.abs(grid.center_y_u - 2000) <= 1550)
    assert np.array_equal(factor.known, known)
    assert np.isnan(factor.distance_u[~known]).all()
    assert np.isfinite(factor.distance_u[known]).all()
    assert np.isnan(factor.density[:, ~known]).all()
    expected = brute_columns(cloud, grid, BANDS, known)
    assert np.array_equal(columns(factor)[known], expected[known])
    np.testing.assert_allclose(factor.shares(), expected[known].mean(axis=0))
    assert np.array_equal(np.isnan(factors.continuous(factor).columns).all(axis=1), ~known)


def test_columns_are_judged_where_the_layer_is_known(grid):
    """One that varies only outside the coverage is constant."""
    xy = np.array([[3500.0, 2000.0]])
    factor = factors.at(layer_of(xy, coverage=box(0, 0, 2600, 4000)), grid, spec_of("proximity"), WHEN)
    assert factor.variables == ()
    with pytest.raises(ModelError, match="leaves no study cell known"):
        factors.at(layer_of(xy, coverage=box(0, 0, 500, 500)), grid, spec_of("proximity"), WHEN)


# --- density on request, continuous forms ---


def test_densities_are_kept_on_request(grid, cloud):
    factor = factors.at(layer_of(cloud), grid, spec_of("proximity"), WHEN, keep_density=(450.0, 150.0))
    assert factor.density_bands_u == (450.0, 150.0)
    assert len(factor.variables) == 3
    squared = (cloud[:, 0] - grid.center_x_u[:, None]) ** 2 + (cloud[:, 1] - grid.center_y_u[:, None]) ** 2
    for k, band in enumerate((450.0, 150.0)):
        sums = (np.maximum(1 - squared / band**2, 0) ** 2).sum(axis=1)
        np.testing.assert_allclose(factor.density[k], sums, rtol=1e-6)
        assert factor.cuts.cut(band).mean == pytest.approx(sums.mean(), rel=1e-9)
        assert factor.cuts.cut(band).sd == pytest.approx(sums.std(), rel=1e-8)
    assert factors.at(
        layer_of(cloud), grid, spec_of(bands_u=(50.0, 300.0)), WHEN, keep_density="all"
    ).density_bands_u == (300.0,)
    with pytest.raises(ConfigError, match="no band of 7"):
        factors.at(layer_of(cloud), grid, spec_of(), WHEN, keep_density=(7.0,))
    with pytest.raises(ConfigError, match="keep_density"):
        factor.intensity(300.0)


def test_intensity_is_in_units_people_know():
    grid = study_grid(box(0, 0, 4000, 4000), crs=CRS, cell_size_u=50.0)
    cell_km2 = 0.05**2
    rng = np.random.default_rng(0)
    spec = spec_of("density", bands_u=(300.0,))
    points = layer_of(rng.uniform(1000, 3000, (80, 2)))
    made = factors.at(points, grid, spec, WHEN, keep_density="all")
    assert float(made.intensity(300.0).sum()) * cell_km2 == pytest.approx(80, rel=1e-3)
    street = shapely.LineString([(1000, 1111), (3000, 2222)])
    lines = layer_of([[2000, 1666]], geometry=np.array([street], dtype=object))
    made = factors.at(lines, grid, spec, WHEN, keep_density="all")
    assert float(made.intensity(300.0).sum()) * cell_km2 == pytest.approx(street.length / 1000, rel=1e-3)
    park = box(1000, 1000, 3000, 3000)
    parks = layer_of([[2000, 2000]], geometry=np.array([park], dtype=object))
    made = factors.at(parks, grid, spec, WHEN, keep_density="all")
    assert float(made.intensity(300.0).max()) == pytest.approx(1.0, rel=1e-6)
    assert float(made.intensity(300.0).sum()) * cell_km2 == pytest.approx(4.0, rel=1e-3)


def test_continuous_forms_are_measured_by_the_fit(grid, cloud):
    known = ["2019-06-01"] * 100 + ["2020-06-01"] * (len(cloud) - 100)
    layer = layer_of(cloud, known_at=known)
    fit = factors.at(layer, grid, spec_of(), WHEN, keep_density=(300.0,))
    later = factors.at(layer, grid, spec_of(), date(2021, 1, 1), frozen=fit.cuts, keep_density=(300.0,))
    made = factors.continuous(later)
    assert made.names == ("vacant_log_distance", "vacant_log_density_300m")
    assert made.columns.dtype == np.float32
    np.testing.assert_allclose(made.columns[:, 0], np.log(later.distance_u / 100.0 + 0.5), rtol=1e-5, atol=1e-6)
    mean = float(fit.density[0].astype(float).mean())
    np.testing.assert_allclose(made.columns[:, 1], np.log1p(later.density[0] / mean), rtol=1e-5, atol=1e-6)
    without = factors.at(layer, grid, spec_of("proximity"), WHEN)
    with pytest.raises(ConfigError, match="not computed at the fit"):
        factors.at(layer, grid, spec_of("proximity"), WHEN, frozen=without.cuts, keep_density=(300.0,))


# --- lines, polygons, threads, errors ---


def test_polygons_and_lines_are_taken_natively(grid):
    park = box(1000, 1000, 1800, 2200)
    layer = layer_of([[1400, 1600]], geometry=np.array([park], dtype=object))
    factor = factors.at(layer, grid, spec_of("proximity"), WHEN)
    centers = shapely.points(grid.center_x_u, grid.center_y_u)
    assert np.array_equal(factor.distance_u == 0, shapely.contains_properly(park, centers))
    assert np.array_equal(columns(factor), np.array([shapely.distance(park, centers) <= b for b in BANDS]).T)
    assert factor.geometry == "polygons"
    bent = shapely.LineString([(500, 500), (2500, 700), (2600, 3000)])
    lines = factors.at(layer_of([[500, 500]], geometry=np.array([bent], dtype=object)), grid, spec_of(), WHEN)
    assert np.array_equal(columns(lines)[:, :3], np.array([shapely.distance(bent, centers) <= b for b in BANDS]).T)
    assert lines.geometry == "lines"


def test_a_mixture_can_be_near_but_not_dense(grid):
    shapes = np.array([Point(1000, 1000), box(2000, 2000, 2200, 2200)] * 10, dtype=object)
    layer = layer_of(np.full((20, 2), 2100.0), geometry=shapes)
    assert factors.at(layer, grid, spec_of("auto"), WHEN).operationalization == "proximity"
    with pytest.raises(SchemaError, match="can't be added"):
        factors.at(layer, grid, spec_of("density"), WHEN)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(cloud, threads):
    grid = study_grid(Point(2000, 2000).buffer(2000), crs=CRS, cell_size_u=11.0)
    assert grid.n_cells > 65_536  # more than one block of a sum
    spec = spec_of("both")
    one = factors.at(layer_of(cloud), grid, spec, WHEN, keep_density="all", threads=1)
    two = factors.at(layer_of(cloud), grid, spec, WHEN, keep_density="all", threads=threads)
    assert one.cuts == two.cuts
    for name in ("codes", "bits", "distance_u", "density"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def test_points_without_a_layer(grid, cloud):
    direct = operationalize(Features.of_points(cloud[:, 0], cloud[:, 1]), grid, spec_of(), WHEN)
    assert np.array_equal(direct.codes, factors.at(layer_of(cloud), grid, spec_of(), WHEN).codes)


def test_wrong_requests_are_named(grid, cloud):
    with pytest.raises(GridError, match="is in EPSG:26916, the grid in EPSG:26915"):
        factors.at(replace(layer_of(cloud), crs="EPSG:26916"), grid, spec_of(), WHEN)
    with pytest.raises(ConfigError, match="made of layer 'lots'; found layer 'trees'"):
        factors.at(replace(layer_of(cloud), name="trees"), grid, spec_of(), WHEN)
    for how, bands, words in [
        ("near", BANDS, "operationalization is 'near'; allowed: proximity"),
        ("both", (), "rising positive lengths"),
        ("both", (300.0, 150.0), "rising positive lengths"),
        ("both", (-1.0, 150.0), "rising positive lengths"),
        ("both", (np.nan,), "rising positive lengths"),
    ]:
        with pytest.raises(ConfigError, match=words):
            FactorSpec("vacant", "lots", how, bands)
    with pytest.raises(ConfigError, match="unit is 'victim'"):
        FactorSpec("vacant", "lots", "both", BANDS, unit="victim")
