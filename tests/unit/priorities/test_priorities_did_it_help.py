"""Planted effects are found, planted displacement is found, and a null effect is not found more often than chance."""

from datetime import date

import numpy as np
import pytest

from rtm_pipeline.errors import ConfigError, ModelError
from rtm_pipeline.priorities.effects.evidence import load_registry
from rtm_pipeline.priorities.effects.proposals import accept, propose_update
from rtm_pipeline.priorities.followup.did_it_help import evaluate_programs, evaluate_randomized, expected_before
from rtm_pipeline.priorities.followup.displacement import Counting, Incidents, PairCounts, count_pairs, did, wdd
from rtm_pipeline.priorities.followup.effect_estimate import ControlPool, TreatedSites
from rtm_pipeline.priorities.followup.matching import apart, match_controls

START = np.datetime64("2018-01-01")
RADIUS, RING = 500.0, 1000.0


def test_the_fixture_of_the_method():
    found = wdd(treated=(20, 10), control=(20, 20))
    assert found.wdd == -10.0
    assert found.se == pytest.approx(8.3666, abs=5e-5)
    assert found.z == pytest.approx(-1.1952, abs=1e-4)
    assert found.p == pytest.approx(0.2320, abs=1e-4)


def test_rings_enter_difference_and_variance():
    found = wdd((30, 10), (30, 30), (20, 28), (20, 20))
    assert (found.local, found.ring, found.wdd) == (-20.0, 8.0, -12.0)
    assert found.se**2 == pytest.approx(100 + 88)
    with pytest.raises(ModelError, match="not negative"):
        wdd((-1, 0), (0, 0))


class City:
    """Sites on a lattice wide enough that circles and rings never meet; Poisson incidents around each."""

    def __init__(self, n: int, seed: int, *, mean: float = 12.0, spread: float = 2.0) -> None:
        self.rng = np.random.default_rng(seed)
        side = int(np.ceil(np.sqrt(n)))
        at = np.arange(n)
        self.xy = np.stack([at % side, at // side], axis=1) * 2600.0
        self.rate = self.rng.gamma(spread, mean / spread, n)
        self.ring_rate = self.rng.gamma(spread, mean / spread, n)

    def year(self, offset: int, circle: np.ndarray, ring: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Incidents of one year; counts by site are returned too."""
        places, counts = [], []
        for rate, low, high in ((circle, 0.0, RADIUS), (ring, RADIUS, RING)):
            count = self.rng.poisson(rate)
            owner = np.repeat(np.arange(count.size), count)
            radius = np.sqrt(self.rng.uniform(low**2, high**2, owner.size)) * 0.999 + (0.5 if low else 0.0)
            angle = self.rng.uniform(0, 2 * np.pi, owner.size)
            places.append(self.xy[owner] + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None])
            counts.append(count)
        xy = np.concatenate(places)
        day = (
            START + np.timedelta64(365 * offset, "D") + self.rng.integers(0, 365, xy.shape[0]).astype("timedelta64[D]")
        )
        return xy, day, counts[0]


def simulate_city(seed: int, *, n: int = 500, effect: float = 0.0, displaced: float = 0.0, choose: str = "counts"):
    """A city in which 80 sites are treated, chosen for high counts (with noise) or at random."""
    city = City(n, seed)
    before = [city.year(offset, city.rate, city.ring_rate) for offset in (-2, -1)]
    pull = before[1][2] + city.rng.normal(0, 6.0, n) if choose == "counts" else city.rng.random(n)
    chosen = np.argsort(-pull)[:80]
    circle, ring = city.rate.copy(), city.ring_rate.copy()
    circle[chosen] *= 1 - effect
    ring[chosen] *= 1 + displaced
    after = city.year(0, circle, ring)
    incidents = Incidents(
        np.concatenate([part[0] for part in (*before, after)]), np.concatenate([part[1] for part in (*before, after)])
    )
    other = np.setdiff1d(np.arange(n), chosen)
    forecast = 0.5 * (before[0][2] + before[1][2])
    started = np.full(80, START)
    treated = TreatedSites(
        np.array([f"t{i:03d}" for i in chosen]),
        np.full(80, "greening"),
        city.xy[chosen],
        started,
        started,
        np.zeros(80, np.int64),
        forecast[chosen],
    )
    pool = ControlPool(
        np.array([f"c{i:03d}" for i in other]), city.xy[other], np.zeros(other.size, np.int64), forecast[other]
    )
    naive = (before[1][2][chosen].sum(), after[2][chosen].sum(), before[1][2][other].sum(), after[2][other].sum())
    return treated, pool, incidents, naive


COUNTING = Counting(RADIUS, RING, 365)
UNTIL = START + np.timedelta64(366, "D")


def evaluate(seed: int, **how):
    treated, pool, incidents, naive = simulate_city(seed, **how)
    (estimate,), waiting = evaluate_programs(treated, pool, incidents, COUNTING, until=UNTIL, seed=seed)
    assert waiting == []
    return estimate, naive


def test_a_planted_effect_is_recovered():
    ratios, covered, detected = [], 0, 0
    for seed in range(30):
        estimate, _ = evaluate(seed, effect=0.30)
        ratios.append(estimate.did.log_ratio)
        covered += estimate.did.low <= -0.30 <= estimate.did.high
        detected += estimate.did.high < 0
        assert max(abs(value) for value in estimate.imbalance.values()) < 0.1
    assert np.expm1(np.mean(ratios)) == pytest.approx(-0.30, abs=0.02)
    assert covered >= 25  # of 30 at 95 %; below that with probability 0.5 %
    assert detected >= 27


def test_planted_displacement_is_found():
    rings = [evaluate(seed, effect=0.30, displaced=0.30)[0].wdd for seed in range(20)]
    assert np.mean([found.ring / found.ring_se for found in rings]) > 1.5
    assert np.mean([found.local / found.local_se for found in rings]) < -1.5
    none = [evaluate(seed, effect=0.30)[0].wdd for seed in range(20)]
    assert abs(np.mean([found.ring / found.ring_se for found in none])) < 0.5


def test_a_null_effect_on_sites_chosen_for_high_counts_shows_nothing():
    """Regression to the mean: the naive before-after and unmatched controls cry wolf, matched pairs do not."""
    n, wrong_wdd, wrong_did, naive_wrong, drift = 80, 0, 0, 0, []
    for seed in range(n):
        estimate, naive = evaluate(1000 + seed)
        wrong_wdd += abs(estimate.wdd.local / estimate.wdd.local_se) > 1.96
        wrong_did += not estimate.did.low <= 0.0 <= estimate.did.high
        drift.append(estimate.did.log_ratio)
        unmatched = wdd(naive[:2], naive[2:])
        naive_wrong += unmatched.p < 0.05
    assert naive_wrong > 0.5 * n  # what matching is for
    assert abs(np.mean(drift)) < 0.02
    assert wrong_wdd <= 9  # 5 % of 80 are 4; more than 9 with probability 1 %
    assert wrong_did <= 9


def test_sites_without_a_control_are_refused():
    treated, pool, incidents, _ = simulate_city(3, n=200)
    high = TreatedSites(
        treated.site_id,
        treated.program,
        treated.xy,
        treated.started,
        treated.ended,
        treated.target,
        treated.forecast + np.where(np.arange(80) < 40, 500.0, 0.0),
    )
    (estimate,), _ = evaluate_programs(high, pool, incidents, COUNTING, until=UNTIL)
    assert sum(estimate.refused.values()) == estimate.n_apart - estimate.n_pairs
    assert estimate.refused["no control within the caliper"] >= 40
    building = TreatedSites(
        treated.site_id,
        treated.program,
        treated.xy,
        treated.started,
        treated.ended,
        np.ones(80, np.int64),
        treated.forecast,
    )
    none, waiting = evaluate_programs(building, pool, incidents, COUNTING, until=UNTIL)
    assert none == []
    assert "Without matched controls no effect is reported" in waiting[0]


def test_unfinished_windows_wait():
    treated, pool, incidents, _ = simulate_city(3)
    estimates, waiting = evaluate_programs(treated, pool, incidents, COUNTING, until=START + np.timedelta64(100, "D"))
    assert estimates == []
    assert "80 sites" in waiting[0]


def test_each_incident_counts_once_and_treatment_is_no_ring():
    xy = np.array([[0.0, 0.0], [700.0, 0.0]])
    control = np.array([[10_000.0, 0.0], [20_000.0, 0.0]])
    points = np.array([[0, 300], [350, 0], [700, 800], [0, 700], [10_000, 100], [20_000, 900], [0, 400]], float)
    time = np.array(["2017-06-01"] * 6 + ["2018-06-01"], dtype="datetime64[D]")
    start = np.full(2, START)
    # a third treated site covers (0, 700), so that it is no displacement ring
    ever = np.array([[0.0, 0.0], [700.0, 0.0], [0.0, 1100.0]])
    found = count_pairs(Incidents(points, time), xy, control, start, start, COUNTING, ever_treated_xy=ever)
    assert found.treated_0.tolist() == [2, 0] or found.treated_0.tolist() == [1, 1]
    assert found.treated_0.sum() == 2
    assert found.treated_1.tolist() == [1, 0]
    assert found.treated_ring_0.tolist() == [0, 1]
    assert found.control_0.tolist() == [1, 0]
    assert found.control_ring_0.tolist() == [0, 1]


def test_matching_keeps_its_promises():
    rng = np.random.default_rng(0)
    treated, pool = rng.normal(0, 1, (60, 2)), rng.normal(0, 1, (2000, 2))
    t_xy, c_xy = rng.uniform(0, 50_000, (60, 2)), rng.uniform(0, 50_000, (2000, 2))
    code_t, code_c = rng.integers(0, 2, 60), rng.integers(0, 2, 2000)
    found = match_controls(
        treated,
        pool,
        t_xy,
        c_xy,
        names=("a", "b"),
        clear_u=1500.0,
        spacing_u=1000.0,
        exact_treated=code_t,
        exact_candidates=code_c,
    )
    sd = np.concatenate([treated, pool]).std(axis=0)
    assert (np.abs(treated[found.treated] - pool[found.control]) <= 0.2 * sd + 1e-9).all()
    assert (code_t[found.treated] == code_c[found.control]).all()
    assert np.unique(found.control).size == found.control.size
    gap = (
        np.linalg.norm(c_xy[found.control][:, None] - c_xy[found.control][None], axis=2)
        + np.eye(found.control.size) * 1e9
    )
    assert gap.min() >= 1000.0
    away = np.linalg.norm(c_xy[found.control][:, None] - t_xy[None], axis=2)
    assert away.min() >= 1500.0
    assert set(found.treated) | set(found.refused) == set(range(60))


def test_thinned_sites_are_apart_and_every_site_is_near_one():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 8000, (2, 200))
    kept = apart(x, y, 1000.0)
    distance = np.hypot(x[:, None] - x[kept], y[:, None] - y[kept])
    own = distance[kept] + np.eye(kept.size) * 1e9
    assert own.min() >= 1000.0 * (1 - 1e-9)
    assert distance.min(axis=1).max() < 1000.0


def test_randomized_line_is_evaluated_without_matching():
    hits = []
    for seed in range(12):
        treated, pool, incidents, _ = simulate_city(seed, effect=0.3, choose="random")
        estimate = evaluate_randomized(
            "greening", treated, pool.xy[:80], incidents, COUNTING, ever_treated_xy=treated.xy, seed=seed
        )
        assert estimate.design == "randomized"
        assert estimate.n_pairs == 80
        hits.append(estimate.did.relative_change)
    assert np.mean(hits) == pytest.approx(-0.3, abs=0.04)


def test_too_few_incidents_give_no_ratio():
    zero = np.zeros(6, np.int64)
    with pytest.raises(ModelError, match="at least 5 pairs"):
        did(PairCounts(zero, zero, zero, zero, zero, zero, zero, zero))


def test_only_matched_or_randomized_results_propose_and_a_person_accepts():
    estimate, _ = evaluate(5, effect=0.30)
    registry = load_registry()
    proposal = propose_update(estimate, registry, "greening_shootings", city="riverbend", treated_share=0.8)
    assert proposal.row()["status"] == "proposed"
    assert proposal.measured == pytest.approx(estimate.did.relative_change / 0.8)
    assert min(proposal.in_use, proposal.measured) < proposal.pooled < max(proposal.in_use, proposal.measured)
    # the trial's narrow interval weighs more than one city's year
    assert abs(proposal.pooled - proposal.in_use) < abs(proposal.pooled - proposal.measured)
    with pytest.raises(ConfigError, match="give a name"):
        accept(proposal, by=" ", on=date(2020, 1, 1))
    override = accept(proposal, by="Ann Planner", on=date(2020, 1, 1))
    known = load_registry(override)
    assert known.effect(proposal.key).relative_change == pytest.approx(proposal.measured, abs=1e-6)
    assert "Ann Planner" in known.effect(proposal.key).note
    assert load_registry().effects.keys().isdisjoint({proposal.key})
    from dataclasses import replace

    with pytest.raises(ConfigError, match="Only matched or randomized"):
        propose_update(replace(estimate, design="before-after"), registry, "greening_shootings", city="riverbend")
    with pytest.raises(ConfigError, match="no relative change"):
        propose_update(replace(estimate, did=None, note="too few"), registry, "greening_shootings", city="riverbend")
    row = estimate.row()
    assert row["n_pairs"] == estimate.n_pairs
    assert isinstance(row["treated_0"], int)


def test_what_was_to_be_expected_before_knows_nothing_of_later():
    day = np.datetime64("2018-01-01")
    place = np.array([[0.0, 0.0]])
    past = np.array([day - 100, day - 200, day - 500, day + 1, day + 400])
    incidents = Incidents(np.array([[50.0, 0.0], [0.0, 900.0], [600.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), past)
    # within twice the radius: two in the year before, one in the year before that; earlier years are not in the data
    by_hand = (2 + 0.7 * 1) / (1 + 0.7) / 4
    early = Incidents(np.vstack([incidents.xy, [9e9, 9e9]]), np.append(past, day - 730))
    assert expected_before(place, early, day, 500.0)[0] == pytest.approx(by_hand)
    assert expected_before(place, incidents, day, 500.0)[0] == pytest.approx(2 / 4)  # 500 days are no whole second year
