"""Class breaks by share of cells, ties upward, and colors that survive a copier."""

from __future__ import annotations

import numpy as np
import pytest

from rtm_pipeline.surface.tiers import TIERS, tier_shares, tiers_of


def test_a_thousand_different_values_split_by_share():
    values = np.random.default_rng(0).permutation(1000).astype(float)
    tiers = tiers_of(values)
    assert [int((tiers == t).sum()) for t in range(1, 6)] == [10, 40, 50, 100, 800]
    assert values[tiers == 1].min() == 990
    assert tier_shares(tiers) == pytest.approx({1: 0.01, 2: 0.04, 3: 0.05, 4: 0.10, 5: 0.80})


def test_ties_raise_the_class_together_and_the_share_tells():
    values = np.zeros(1000)
    values[:30] = 2.0
    values[30:60] = 1.0
    tiers = tiers_of(values)
    assert set(tiers[:30]) == {1}  # ten were wanted, thirty tie
    assert set(tiers[30:60]) == {2}
    assert tier_shares(tiers)[1] == pytest.approx(0.03)
    # All zeros tie across every further border, but nothing lifts them above any other cell: they are the rest.
    assert set(tiers[60:]) == {5}


def test_a_tie_above_the_lowest_value_is_raised_however_wide():
    values = np.ones(1000)
    values[0], values[-1] = 2.0, 0.0
    assert set(tiers_of(values)[1:-1]) == {1}


def test_a_constant_surface_rates_no_cell_above_another():
    assert set(tiers_of(np.ones(50))) == {5}


def test_unknown_cells_have_no_tier():
    values = np.arange(200.0)
    values[:100] = np.nan
    tiers = tiers_of(values)
    assert (tiers[:100] == 0).all()
    assert (tiers == 1).sum() == 1
    assert (tiers_of(np.full(5, np.nan)) == 0).all()


def luminance(color: str) -> float:
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def lightness(color: str) -> float:
    y = luminance(color)
    return 116 * y ** (1 / 3) - 16


def test_colors_print_in_grey():
    steps = np.diff([lightness(tier.color) for tier in TIERS])
    assert (steps > 12).all()  # each class clearly lighter than the one above it


def test_colors_differ_for_color_blind_readers():
    # Vienot, Brettel & Mollon 1999: what protanopes and deuteranopes see, in linear RGB.
    protan = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
    deutan = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    for matrix in (protan, deutan):
        seen = []
        for tier in TIERS:
            rgb = np.array([int(tier.color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
            seen.append(np.clip(matrix @ rgb**2.2, 0, 1) ** (1 / 2.2))
        distances = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[i + 1 :]]
        assert min(distances) > 0.15


def test_tiers_descend():
    assert [tier.number for tier in TIERS] == [1, 2, 3, 4, 5]
    assert [tier.share for tier in TIERS] == [0.01, 0.05, 0.10, 0.20, 1.00]
