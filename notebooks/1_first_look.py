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
# # 1 A first look at a city's data
#
# Before any model: what is there, what was set aside, and where things lie. Change the name of the city to bend this
# to yours; `open_city` runs the night if there is none yet.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from rtm_pipeline.grid.locate import count
from rtm_pipeline.orchestration.studies.workbench import open_city

bench = open_city("demo_city", data_dir="data/demo_city")
city = bench.city
print(
    f"{city.label}: {bench.grid.n_cells:,} cells of {bench.grid.spec.cell_size_m:.1f} m, as of {bench.settings.as_of}"
)

# %% [markdown]
# ## What became of every row
#
# Nothing is dropped silently: a row is kept, filtered (not meant), a duplicate, or in quarantine with its reason. Look
# at a layer with many rows in quarantine before you believe its map.

# %%
rows = pd.DataFrame(
    {
        name: {
            "read": result.counts.read,
            "kept": result.counts.kept,
            "filtered": result.counts.filtered,
            "duplicate": result.counts.duplicate,
            "quarantined": result.counts.set_aside,
        }
        for name, result in ((name, bench.read(name)) for name in city.layers)
    }
).T
rows

# %%
reasons = (
    pd.Series(
        {
            f"{name}: {reason}": number
            for name in city.layers
            for reason, number in bench.read(name).counts.quarantined.items()
        }
    )
    .sort_values()
    .tail(15)
)
figure, axes = plt.subplots(figsize=(7, 0.3 * len(reasons) + 1), layout="constrained")
axes.barh(reasons.index, reasons.to_numpy(), color="#9c2160")
axes.set_xlabel("rows in quarantine")
axes.tick_params(axis="y", labelsize=7)
plt.show()

# %% [markdown]
# ## When
#
# Does the yearly total agree with what the police publish? A month that falls away is a file that is missing, not peace.

# %%
outcome = bench.outcome
month = outcome.time.astype("datetime64[M]")
months, numbers = np.unique(month[~np.isnat(month)], return_counts=True)
figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
axes.bar(months.astype("datetime64[D]"), numbers, width=25, color="#3b0f51")
axes.set_ylabel("rows a month")
axes.set_title(city.labels[outcome.name], loc="left", fontsize=10)
plt.show()

# %% [markdown]
# ## Where
#
# The outcome beside six layers of points, rows a cell. Layers that lie alike will compete in the model: only one of two that say
# the same is likely to enter.

# %%
names = [outcome.name, *(spec.layer for spec in city.factors.values())]
names = [name for name in dict.fromkeys(names) if bench.layer(name).geometry is None][:7]
figure, grid_of_axes = plt.subplots(2, 4, figsize=(11, 6), layout="constrained")
for axes in grid_of_axes.flat:
    axes.set_axis_off()
for axes, name in zip(grid_of_axes.flat, names, strict=False):
    layer = bench.layer(name)
    axes.set_axis_on()
    bench.draw(axes, np.sqrt(count(bench.grid, layer.x, layer.y)), title=f"{city.labels[name]} ({len(layer):,})")
plt.show()

# %% [markdown]
# Next: `2_risk_terrain` fits the model and reads it.
