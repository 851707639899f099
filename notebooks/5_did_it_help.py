# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 Did it help?
#
# Lots are chosen because much happened near them, and what is extreme falls by itself. A before-after comparison of
# chosen places therefore flatters every program. This story plants a known effect and shows which comparison finds it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from rtm_pipeline.priorities.followup.displacement import Counting, Incidents, count_pairs, wdd
from rtm_pipeline.priorities.followup.matching import apart, match_controls
from rtm_pipeline.orchestration.studies.workbench import open_city

bench = open_city("demo_city", data_dir="data/demo_city")
rng = np.random.default_rng(5)
feet = 1 / bench.grid.spec.unit_m * 0.3048
radius, ring = 500 * feet, 1000 * feet

outcome = bench.outcome
incidents = Incidents(np.column_stack([outcome.x, outcome.y]), outcome.time)
lots = bench.layer(bench.city.programs.sites[0].layer)
start = np.datetime64("2023-01-01")
before = (incidents.time >= start - np.timedelta64(365, "D")) & (incidents.time < start)
print(f"{len(lots):,} lots; {int(before.sum()):,} incidents in the year before {start}")

# %% [markdown]
# ## A program that chooses the worst, and helps by 40 %
#
# The twelve lots with the most incidents around them are "greened" on 1 January 2023, far enough apart that no incident
# counts twice. Of what happens within 500 ft of them afterwards, 40 % is taken out: the effect that we know.


# %%
def nearby(x, y, where):
    distance = np.hypot(incidents.xy[where, 0][None] - x[:, None], incidents.xy[where, 1][None] - y[:, None])
    return (distance <= radius).sum(axis=1)


worst = np.argsort(-nearby(lots.x, lots.y, before), kind="stable")
kept = worst[apart(lots.x[worst], lots.y[worst], 2 * ring)]
treated = kept[:12]
treated_xy = np.column_stack([lots.x, lots.y])[treated]
distance = np.hypot(*(incidents.xy[:, None] - treated_xy[None]).transpose(2, 0, 1)).min(axis=1)
after = incidents.time >= start
gone = (distance <= radius) & after & (rng.random(after.size) < 0.4)
world = Incidents(incidents.xy[~gone], incidents.time[~gone])

# %% [markdown]
# ## Three comparisons
#
# 1. *before-after* of the chosen lots: mixes the effect with the fall that comes by itself;
# 2. against *all other lots*: they were never as bad;
# 3. against *matched controls*: lots with the same past that were not chosen.

# %%
others = np.setdiff1d(np.arange(len(lots)), treated)
others = others[nearby(lots.x[others], lots.y[others], before) >= 0]
year_earlier = (incidents.time >= start - np.timedelta64(730, "D")) & (
    incidents.time < start - np.timedelta64(365, "D")
)


def past(index):
    return np.column_stack(
        [nearby(lots.x[index], lots.y[index], before), nearby(lots.x[index], lots.y[index], year_earlier)]
    ).astype(float)


matches = match_controls(
    past(treated),
    past(others),
    treated_xy,
    np.column_stack([lots.x[others], lots.y[others]]),
    names=("incidents of the year before", "and of the one before that"),
    clear_u=2 * radius,
    spacing_u=2 * radius,
    caliper_sd=1.0,
)
print(f"{matches.treated.size} of {treated.size} treated lots have a control; the rest is left out and said so:")
print("; ".join(matches.reasons) or "none")


def counts_of(pairs_treated, pairs_control):
    days = np.full(len(pairs_treated), start)
    xy = np.column_stack([lots.x, lots.y])
    return count_pairs(
        world,
        xy[pairs_treated],
        xy[pairs_control],
        days,
        days,
        Counting(radius, ring),
        ever_treated_xy=treated_xy,
    )


found = counts_of(treated[matches.treated], others[matches.control])
naive = found.treated_1.sum() / found.treated_0.sum() - 1
controls = found.control_1.sum() / found.control_0.sum() - 1
matched = (1 + naive) / (1 + controls) - 1
result = pd.Series(
    {
        "before-after": naive,
        "controls alone (no work there)": controls,
        "against matched controls": matched,
        "planted": -0.4,
    }
)
result.map("{:+.0%}".format)

# %%
figure, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
axes.barh(result.index[::-1], 100 * result.to_numpy()[::-1], color=["#222222", "#9c2160", "#999999", "#f6a860"])
axes.axvline(0, color="#222222", linewidth=0.8)
axes.set_xlabel("change of incidents within 500 ft, %")
plt.show()

# %% [markdown]
# ## With its uncertainty, and with displacement
#
# The weighted displacement difference counts circles and rings, and says how sure it is. With a dozen sites the interval
# is wide: that is honest, and the reason to draw lots at the funding line and to pool years.

# %%
whole = wdd(
    (found.treated_0.sum(), found.treated_1.sum()),
    (found.control_0.sum(), found.control_1.sum()),
    (found.treated_ring_0.sum(), found.treated_ring_1.sum()),
    (found.control_ring_0.sum(), found.control_ring_1.sum()),
)
print(
    f"WDD {whole.wdd:+.0f} incidents (95 %: {whole.low:+.0f} to {whole.high:+.0f}); in the circles {whole.local:+.0f}, in the rings {whole.ring:+.0f}"
)

# %% [markdown]
# For real programs the nightly run does this by itself, from the register of finished work: see `programs` in the
# configuration.
