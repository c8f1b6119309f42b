# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5. Choosing settings
#
# Most settings are best left alone. This page says which, and goes through the few that are yours:
# measure, threshold, `specific_weight`, what to do with a sparse screen, and a search by hold-out
# for those who want to see for themselves.

# %%
import json

import numpy as np
import pandas as pd

import rtdmf_bio as rt

# %% [markdown]
# ## What to leave alone
#
# - `depth`, `weight_decay`, `loss` and their like: chosen once, on several kinds of data. Unless a
#   search on your screen finds something clearly better (below).
# - `preset`: `"paper"` is the published method, slower, to compare with.
# - `retain`: keeps what a group backs, or what is more than noise. Unless only the former shall
#   stay: `"enriched"` (page 4).
# - `threshold`: the screen itself says how large noise is. Unless you want more or fewer flags
#   (below).
# - `noise_sd`, `replicate_key`: not needed, but worth a lot. The noise of a measurement, if you know
#   it, or, if drugs were screened twice, the column that says so: the noise is then taken from what
#   repeats disagree by. Without either it is a guess.
# - `random_state`: only draws which measurements are hidden. Change it to see how much depends on
#   that.
#
# What you must say is the measure with its direction, and `group_key`, the column of groups.
#
# A small screen for this page, every sixth drug of GDSC1 on every second line:

# %%
gdsc1 = rt.datasets.gdsc1()[::6]
enough = np.isfinite(gdsc1.X).sum(axis=0) >= 10
small = gdsc1[:, enough][:, ::2].copy()
adata = small.copy()
rt.pp.correct(adata)
print(f"{adata.n_obs} drugs x {adata.n_vars} lines, {np.isnan(adata.X).mean():.0%} not measured")

# %% [markdown]
# ## A search by hold-out
#
# `pp.tune` hides 15 % of the measurements to choose by, and 15 % more to test the chosen settings,
# and them alone. Six candidates here; without a grid it tries a wider one.

# %%
tuned = small.copy()
rt.pp.tune(tuned, {"depth": [2, 3], "weight_decay": [0.7, 1, 1.4]})
figure = rt.pl.tuning(tuned)

# %% [markdown]
# Each point is a candidate, lower is better, and the star is the one chosen. The score is a squared
# error of the broad structure in which large residuals count no more than twice the noise: a plain
# squared error rewards a fit that swallows specific responses, so that nothing is left to flag. (If
# you only want gaps filled, say `criterion="mse"`.)
#
# **Look first** at the range of the axis beside the trivial answers, in the title or as dashed
# lines. Differences among candidates much smaller than their distance to the means are not worth a
# departure from the defaults.

# %%
search = tuned.uns["rtdmf"]
print(search["tuning_scores"].set_index("answer").round(5).to_string())

table = search["tuning"]
default = table[(table["depth"] == 3) & (table["weight_decay"] == 1)].iloc[0]
best = table[table["chosen"]].iloc[0]
means = search["tuning_scores"].set_index("answer").loc["two-way means", "validation_robust"]
gained = (default["validation_robust"] - best["validation_robust"]) / (
    means - default["validation_robust"]
)
print("\nchosen:", search["tuning_params"]["chosen"])
print(f"beyond the defaults it gains {gained:.0%} of what those gain over drug + line means")

# %% [markdown]
# **Conclude**: if that share is a few per cent, or none, keep the defaults, which others use, too.
# Of many candidates the best always looks a little better than it is; the columns `test_` in the
# table above were not used to choose and tell the truth about it.
#
# The hidden entries were single gaps. If your question is a drug tried on few lines, or a drug
# never tried in a tissue, hide those instead: `by="drug"`, `by="group"`.
#
# ## AUC or ln IC50?
#
# The bundled screen has both. An IC50 is often extrapolated far beyond the doses tested, so that
# its noise grows with resistance; an AUC stays within the doses, but all values of inactive drugs
# press against 1. Correct each by itself, under a key of its own:

# %%
rt.pp.correct(adata, layer="ln_ic50", key_added="ln")
rows = {}
for name, key in {"AUC": "rtdmf", "ln IC50": "ln"}.items():
    error = adata.uns[key]["validation_rmse"]
    flag = adata.layers[f"{key}_flag"]
    rows[name] = {
        "threshold": adata.uns[key]["threshold"],
        "error, imputed": error["imputed"],
        "error, drug + line means": error["two_way_means"],
        "explained beyond means": 1 - (error["imputed"] / error["two_way_means"]) ** 2,
        "flag 2": (flag == 2).sum(),
        "flag 3": (flag == 3).sum(),
        "enriched pairs": len(rt.tl.enrichment(adata, key=key, fdr=0.05)),
    }
print(pd.DataFrame.from_dict(rows, orient="index").round(3).to_string())

flags = [adata.layers[f"{key}_flag"].ravel() for key in ("rtdmf", "ln")]
names = ["by AUC", "by ln IC50"]
print()
print(pd.crosstab(*(pd.Series(f, name=n)[flags[0] > 0] for f, n in zip(flags, names, strict=True))))

# %% [markdown]
# Errors have the unit of the measure, so compare `explained beyond means`, which has none. The
# second table says which flags the same entries get: a strong response by one measure need not be
# one by the other. **Conclude**: what both retain is the safest; what only one does, ask its curve
# about.
#
# ## A sparse screen
#
# How much may be missing? We hide ever more of this screen, and correct what is left. Below 95 %
# missing nothing is refused, but that does not make the answer good.

# %%
rng = np.random.default_rng(0)
draw = rng.random(adata.shape)
rows = []
for hidden in [0, 0.5, 0.75]:
    sparse = adata if hidden == 0 else small.copy()  # the first was corrected above
    if hidden:
        sparse.X[draw < hidden] = np.nan
        rt.pp.correct(sparse, unmeasured="nan")
    error = sparse.uns["rtdmf"]["validation_rmse"]
    rows.append(
        {
            "not measured": np.isnan(sparse.X).mean(),
            "error, imputed": error["imputed"],
            "error, drug + line means": error["two_way_means"],
            "threshold": sparse.uns["rtdmf"]["threshold"],
            "flag 3": (sparse.layers["rtdmf_flag"] == 3).sum(),
            "enriched pairs": len(rt.tl.enrichment(sparse, fdr=0.05)),
        }
    )
print(pd.DataFrame(rows).set_index("not measured").round(3).to_string())

# %% [markdown]
# **Conclude**: with more gaps the imputed values come close to drug + line means, and the threshold
# rises: what deviates can less and less be told from noise. Enriched pairs fade first, since each
# group has fewer lines to speak for it. When the first two columns
# meet, imputed values say nothing that the means do not. Your own screen's two numbers are in
# `uns["rtdmf"]["validation_rmse"]`: look at them before you use a single imputed value.
#
# ## The threshold by hand
#
# `"auto"` takes the size at which noise and deviation are equally likely. A number, in the unit of
# the measure, is stricter or looser:

# %%
loose = small.copy()
rt.pp.correct(loose, threshold=0.15)
ax = rt.pl.threshold(loose)

# %%
rows = {}
for name, one in {"auto": adata, "by hand": loose}.items():
    result, flag = one.uns["rtdmf"], one.layers["rtdmf_flag"]
    rows[name] = {
        "threshold": result["threshold"],
        "unexplained beyond it": result["unexplained_beyond"],
        "flag 2": (flag == 2).sum(),
        "flag 3": (flag == 3).sum(),
        "enriched pairs": len(rt.tl.enrichment(one, fdr=0.05)),
    }
print(pd.DataFrame.from_dict(rows, orient="index").round(3).to_string())

# %% [markdown]
# The dashed lines of the picture are the threshold, the black line is what is not explained
# otherwise, taken as normal. Where the histogram lies on the black line, a flag is mostly noise. **Conclude**: a lower threshold mainly adds
# questions (flag 2) and not answers (enriched pairs). Lower it to miss less, raise it to look at
# fewer.
#
# ## `specific_weight`: for whom is the corrected value?
#
# A corrected value has a general part (how toxic the drug, how sensitive the line) and a specific
# one (page 1). `specific_weight` says how much the specific one counts. It is a choice of purpose:
#
# - **1**, the default: an estimate of the *truth*, what this screen would measure without error.
# - **0.7**, say: between laboratories the general part carries over better than the specific one, so
#   that this can agree better with *another laboratory's* screen (page 2). It is no estimate of the
#   truth.
#
# The first can be checked in simulation, where a repeat costs nothing: the same truth with new
# noise.

# %%
screen = rt.datasets.simulate(240, 160)
truth = screen.layers["low_rank"] + screen.layers["signal"]
repeat = truth + rng.normal(0, 0.05, truth.shape)
seen = np.isfinite(screen.X)
error = {"measured, as it is": screen.X - repeat}
rt.pp.correct(screen, group_key="group", key_added="weighed")
for weight in (0.7, 1):
    error[f"corrected, {weight}"] = rt.tl.weighed(screen, weight, key="weighed") - repeat
error["drug + line means"] = rt.baselines.two_way_means(screen.X) - repeat
error["the truth itself"] = truth - repeat
rmse = pd.Series({name: np.sqrt((e[seen] ** 2).mean()) for name, e in error.items()})
print("error against a repeat, on measured entries")
print(rmse.round(4).to_string())

# %% [markdown]
# With 1 the corrected values are nearer to the repeat than the first measurement is. With 0.7 they
# gain little here: this "laboratory" repeats the specific part perfectly, which real ones do not.
# Neither choice changes flags, retained or imputed values, and both parts are always stored, so
# that `tl.weighed` can weigh them anew without another fit.
#
# ## Honest limits
#
# Small screens choose badly: of sixty drugs, one search more or less decides nothing. Repeat what
# matters with another `random_state` before you believe a difference. And settings cannot mend what
# the screen does not hold.
#
# ## Save
#
# The chosen settings, as keywords for `pp.correct` on the next screen of the same kind:

# %%
settings = {
    "rtdmf_bio": search["versions"]["rtdmf_bio"],
    "criterion": search["tuning_params"]["criterion"],
    "correct": search["tuning_params"]["chosen"],
}
with open("settings.json", "w", encoding="utf-8") as file:
    json.dump(settings, file, indent=2)
print(json.dumps(settings, indent=2))

# %% [markdown]
# Used as `rt.pp.correct(another, **settings["correct"])`. `uns["rtdmf"]["params"]` keeps every
# parameter of a correction, chosen or not.
