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
# # 2 Fitting and reading a risk terrain
#
# A risk terrain says *why here*: it explains where violence concentrates by features of the landscape, each with its
# relative risk value (RRV).

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from rtm_pipeline.orchestration.studies.workbench import open_city

bench = open_city("demo_city", data_dir="data/demo_city")
fit = bench.terrain.fit.terrain
print(f"{fit.family}, {fit.n_events:,} incidents in {fit.n_cells:,} cells, BIC {fit.bic:,.1f}")
print(f"explains {bench.vintages.nightly.outcome}, factors as known at {bench.vintages.nightly.known_at}")

# %% [markdown]
# ## The factors that the model found
#
# An RRV of 2 means: twice the risk where it holds, all else alike. The interval is that of refits given the selection;
# `selected in` is how often replicates of the whole search find the very same variable. Below a half, believe the
# factor more than its radius.

# %%
terms = pd.DataFrame(
    {
        "factor": bench.city.labels[term.variable.factor],
        "operationalization": term.variable.operationalization,
        "influence (m)": round(term.variable.spatial_influence_m),
        "RRV": term.rrv,
        "low": term.rrv_low,
        "high": term.rrv_high,
        "selected in": term.selection_frequency,
    }
    for term in fit.terms
)
terms.round(2)

# %%
figure, axes = plt.subplots(figsize=(7, 0.5 * len(terms) + 1.2), layout="constrained")
at = np.arange(len(terms))[::-1]
axes.errorbar(
    terms["RRV"],
    at,
    xerr=[terms["RRV"] - terms["low"], terms["high"] - terms["RRV"]],
    fmt="o",
    color="#3b0f51",
    capsize=3,
)
axes.axvline(1, color="#999999", linewidth=0.8)
axes.set_yticks(at, terms["factor"])
axes.set_xlabel("relative risk value, interval of 90 %")
plt.show()

# %% [markdown]
# ## The terrain
#
# The score multiplies the RRVs that hold in a cell; 1 is the lowest. Beside it, the factor with the largest RRV.

# %%
strongest = max(fit.terms, key=lambda term: term.rrv).variable.factor
distance = bench.factor(strongest).apply.distance_u * bench.grid.spec.unit_m
figure, axes = plt.subplots(1, 2, figsize=(11, 6), layout="constrained")
image = bench.draw(axes[0], bench.terrain.rrs, title="relative risk score", cmap="inferno_r")
figure.colorbar(image, ax=axes[0], shrink=0.6)
image = bench.draw(
    axes[1], distance, title=f"distance to {bench.city.labels[strongest]} (m)", cmap="cividis_r", vmax=1000
)
figure.colorbar(image, ax=axes[1], shrink=0.6, extend="max")
plt.show()

# %% [markdown]
# ## Reading it with care
#
# How many cells share a score? A binary model has few distinct values, so it ranks places coarsely: that is not its
# purpose. To rank, use the forecast (notebook 3).

# %%
scores, cells = np.unique(np.round(bench.terrain.rrs, 6), return_counts=True)
print(
    f"{scores.size} distinct scores; the most common ({scores[cells.argmax()]:.2f}) has {cells.max() / cells.sum():.0%} of the cells"
)

# %% [markdown]
# What did not enter? Factors that the search left out may still matter; they add nothing to those above.

# %%
left = sorted(set(bench.city.factors) - {term.variable.factor for term in fit.terms})
print(", ".join(bench.city.labels[name] for name in left))
