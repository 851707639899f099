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
# # 4 Choosing lots under a budget
#
# From surface to work: every lot ranked by what work there is expected to prevent, the funded set within the budget,
# and what the next dollar would buy.

# %%
import matplotlib.pyplot as plt
import numpy as np

from rtm_pipeline.orchestration.studies.workbench import open_city

bench = open_city("demo_city", data_dir="data/demo_city")
work = bench.value("priorities")
lots = work.lots.to_pandas()
funded = lots[lots["funded"]]
print(f"{len(lots):,} lots, {int(lots['selectable'].sum()):,} may be worked on, {len(funded)} are funded")
print(
    f"{funded['cost_usd'].sum():,.0f} USD, {funded['marginal_prevented'].sum():.2f} incidents a year expected to be prevented"
)

# %% [markdown]
# ## The first ten, with their reasons
#
# Read the reasons aloud to someone who knows the place. A vacant lot may be a garden.

# %%
shown = ["rank", "neighborhood", "action", "expected_prevented", "prevented_low", "prevented_high", "cost_usd", "why"]
lots.sort_values("rank")[shown].head(10).round(3)

# %% [markdown]
# ## Where the funded lots lie

# %%
figure, axes = plt.subplots(figsize=(7, 7), layout="constrained")
lowest, highest = np.percentile(bench.forecast.expected, [2, 99.5])
shade = np.log10(np.clip(bench.forecast.expected, lowest, highest))
bench.draw(axes, shade, title="funded lots on the forecast", cmap="Greys", vmax=np.log10(highest) + 1)
axes.scatter(lots["x"], lots["y"], s=2, color="#f6a860", label="lots")
axes.scatter(funded["x"], funded["y"], s=22, color="#9c2160", edgecolor="white", linewidth=0.5, label="funded")
axes.legend(frameon=False, fontsize=8, loc="lower left")
plt.show()

# %% [markdown]
# ## What the next dollar buys
#
# The curve flattens: the best sites come first. Where it bends is an argument for a budget, and so is its slope
# against what an incident costs a city.

# %%
if work.frontier is not None:
    steps = work.frontier.to_pandas()
    figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
    axes.plot(steps["budget_usd"] / 1000, steps["expected_prevented"], marker="o", color="#3b0f51")
    axes.set_xlabel("budget, thousand USD")
    axes.set_ylabel("expected prevented a year")
    axes.set_ylim(0)
    plt.show()

# %% [markdown]
# ## Who gets it?
#
# Money by neighborhood beside its share of expected incidents. If the two differ, know why before you sign.

# %%
share = funded.groupby("neighborhood")["cost_usd"].sum() / funded["cost_usd"].sum()
areas = work.neighborhoods.to_pandas()
areas = areas[areas["level"] == "neighborhood"].set_index("area")
expected = areas["expected_incidents"] / areas["expected_incidents"].sum()
names = expected.sort_values().index[-15:]
figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
at = np.arange(len(names))
axes.barh(at + 0.2, expected.reindex(names), height=0.4, color="#3b0f51", label="expected incidents")
axes.barh(at - 0.2, share.reindex(names).fillna(0), height=0.4, color="#f6a860", label="money")
axes.set_yticks(at, names, fontsize=8)
axes.set_xlabel("share of the city")
axes.legend(frameon=False, fontsize=8)
plt.show()
