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
# # 3 How good is it really?
#
# Everything was made anew as of an earlier date and scored on what came after, beside rules that need no model. A
# forecast that can't beat last year's counts should say so, and this one does.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from rtm_pipeline.orchestration.studies.workbench import open_city

bench = open_city("demo_city", data_dir="data/demo_city")
accuracy = bench.judged.accuracy
found = accuracy.as_json()
print(f"judged on {accuracy.horizon}: {found['n_events']:,} incidents in {found['n_cells']:,} cells")
print(f"verdict: the forecast is {accuracy.verdict.replace('_', ' ')} than {accuracy.baseline_chosen}")
if found["verdict_reason"]:
    print(found["verdict_reason"])

# %% [markdown]
# ## The accuracy of each surface
#
# PAI is the share of incidents caught over the share of cells looked at. `perfect` is what hindsight would give; PEI
# divides by it and is the only one of the two that may be compared between grids.

# %%
shares = ["0.01", "0.02", "0.05", "0.1", "0.2"]
table = pd.DataFrame(
    {
        name: {f"{float(share):.0%}": surface["pai"][share]["expected"] for share in shares if surface["pai"][share]}
        for name, surface in found["surfaces"].items()
        if surface
    }
).T
table.round(2)

# %%
figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
strong = {"forecast": ("#9c2160", 2.5), "risk_terrain": ("#f6a860", 2.5), "perfect": ("#222222", 1.0)}
greys = iter(["#555555", "#777777", "#999999", "#bbbbbb", "#dddddd"])
for (name, values), dashes in zip(
    table.iterrows(), ("-", "-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), "-"), strict=False
):
    color, width = strong[name] if name in strong else (next(greys), 1.2)
    axes.plot(range(len(values)), values, color=color, linewidth=width, linestyle=dashes, label=name.replace("_", " "))
axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
axes.set_xticks(range(len(table.columns)), table.columns)
axes.set_xlabel("share of cells")
axes.set_ylabel("PAI")
axes.set_yscale("log")
plt.show()

# %% [markdown]
# ## Is the difference more than chance?
#
# The ratio of hits to the best simple rule, with its interval from resampled blocks of the city. An interval that
# holds 1 is no proof of anything.

# %%
difference = {share: item for share, item in found["difference"].items() if item}
if difference:
    figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
    for place, (share, item) in enumerate(difference.items()):
        axes.plot([item["low"], item["high"]], [place, place], color="#9c2160")
        axes.plot(item["hit_ratio"], place, "o", color="#9c2160")
    axes.axvline(1, color="#999999", linewidth=0.8)
    axes.set_yticks(range(len(difference)), [f"{float(share):.1%}" for share in difference])
    axes.set_xlabel(f"hits of the forecast over hits of {accuracy.baseline_chosen}")
    axes.set_ylabel("share of cells")
    plt.show()

# %% [markdown]
# ## How sure is tonight's forecast?
#
# Left: expected incidents. Right: how sure it is that a cell is among the top 5 %. Work where both are high.

# %%
lowest = np.percentile(bench.forecast.expected, 2)  # slivers at the border would stretch the colors
figure, axes = plt.subplots(1, 2, figsize=(11, 6), layout="constrained")
for spot, values, title in (
    (axes[0], np.log10(np.maximum(bench.forecast.expected, lowest)), "expected incidents, log10"),
    (axes[1], bench.forecast.p_top5, "probability of being among the top 5 %"),
):
    figure.colorbar(bench.draw(spot, values, title=title, cmap="inferno_r"), ax=spot, shrink=0.6)
plt.show()
