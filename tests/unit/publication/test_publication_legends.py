"""Legends: the class that a value is shown in is the tier it has, and every color stands apart."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rtm_pipeline.publication.rasters import legends
from rtm_pipeline.publication.rasters.styles import RasterClass, paletted_renderer, shaded_renderer
from rtm_pipeline.surface.tiers import TIERS, tiers_of

VALUES = arrays(
    np.float64,
    st.integers(1, 300),
    elements=st.one_of(st.floats(0, 50, width=32), st.sampled_from([1.0, 2.0, 2.5]), st.just(float("nan"))),
)


def shown(legend: tuple[RasterClass, ...], value: float) -> RasterClass:
    """The class that QGIS shows a value in: the first whose upper bound is not below it."""
    return next(item for item in legend if value <= item.value)


@given(VALUES)
def test_a_ranked_surface_is_shown_in_the_colors_of_its_tiers(values: np.ndarray) -> None:
    tiers = tiers_of(values)
    legend = legends.tier_value_legend(values, tiers)
    bounds = [item.value for item in legend]
    assert bounds == sorted(bounds)
    assert bounds[-1] == float("inf")
    colors = {tier.number: tier.color for tier in TIERS}
    for value, tier in zip(values.astype(np.float32), tiers, strict=True):
        if tier:
            assert shown(legend, float(value)).color == colors[int(tier)]


def test_the_lower_bound_stands_in_the_label() -> None:
    values = np.arange(1.0, 1001.0)
    labels = [item.label for item in legends.tier_value_legend(values, tiers_of(values), "expected")]
    assert labels == [
        "5: the rest",
        "4: to 20 % (801 expected or more)",
        "3: to 10 % (901 expected or more)",
        "2: to 5 % (951 expected or more)",
        "1: top 1 % of cells (991 expected or more)",
    ]


@pytest.mark.parametrize(
    "legend",
    [
        legends.uncertainty_legend(),
        legends.probability_legend(),
        legends.multiplier_legend(),
        legends.distance_legend([250, 500, 750, 1000, 1250, 1500], "ft"),
        legends.distance_legend([500.0], "ft"),
        legends.change_legend(np.array([-0.3, -0.01, 0.0, 0.02, 0.5, np.nan])),
        legends.change_legend(np.zeros(5)),
        legends.quantile_legend(np.array([0.0, 0.0, 0.0, 1.0])),
        legends.quantile_legend(np.full(3, np.nan)),
        legends.tier_value_legend(np.full(3, np.nan), np.zeros(3, np.uint8)),
    ],
)
def test_bounds_rise_and_the_last_class_is_open(legend: tuple[RasterClass, ...]) -> None:
    bounds = [item.value for item in legend]
    assert bounds == sorted(set(bounds))
    assert bounds[-1] == float("inf")
    assert len({item.color for item in legend}) == len(legend)
    assert len({item.label for item in legend}) == len(legend)


def test_the_middle_of_a_change_is_no_change() -> None:
    legend = legends.change_legend(np.random.default_rng(0).normal(size=1000))
    assert shown(legend, 0.0).color == legends.DIVERGING[2]
    assert shown(legend, 100.0).label.startswith("much more")
    assert shown(legend, -100.0).label.startswith("much less")


def lightness(color: str) -> float:
    """CIE L*, 0 to 100."""
    parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    y = float(linear @ [0.2126, 0.7152, 0.0722])
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def seen_by(color: str, matrix: np.ndarray) -> np.ndarray:
    parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return np.clip(matrix @ linear, 0, 1) ** (1 / 2.2) * 255


# Machado, Oliveira & Fernandes 2009, severity 1.0.
DEFICIENCIES = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def test_sequences_print_in_grey() -> None:
    for ramp in (legends.SEQUENTIAL, tuple(tier.color for tier in reversed(TIERS))):
        steps = np.diff([lightness(color) for color in ramp])
        assert (steps < -8).all(), ramp


@pytest.mark.parametrize("kind", DEFICIENCIES)
def test_colors_stand_apart_for_color_blind_readers(kind: str) -> None:
    matrix = np.array(DEFICIENCIES[kind])
    for ramp in (legends.SEQUENTIAL, legends.DIVERGING, tuple(tier.color for tier in TIERS)):
        seen = [seen_by(color, matrix) for color in ramp]
        gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
        assert min(gaps) > 40, (kind, ramp)


def test_labels_can_not_break_the_style() -> None:
    nasty = RasterClass(1, "<img src=x onerror=alert(1)>\x00\"'&", "#112233")
    for renderer in (paletted_renderer([nasty]), shaded_renderer([nasty], 0.0, 1.0)):
        root = ET.fromstring(f"<x>{renderer}</x>")  # noqa: S314  (our own text)
        entry = root.find(".//paletteEntry") if root.find(".//paletteEntry") is not None else root.find(".//item")
        assert entry.get("label") == "<img src=x onerror=alert(1)>\"'&"
