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
# the noise, if you know it, measure, threshold, what to do with a sparse screen, and a search by
# hold-out for those who want to see for themselves.

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
# - `retain`: keeps what a group backs, or what is more than noise. Unless you want to know what
#   groups alone back, and no estimate of the truth: `"enriched"` (page 4).
# - `threshold`: the screen itself says how large noise is. Unless you want more or fewer flags
#   (below).
# - `crossfit`: every entry is judged by one of five fits that have not seen it. 0 is quicker, but
#   then residuals are too small, there are no intervals, and `retain` must do without `"shrink"`.
# - `random_state`: only draws which measurements are hidden. Change it to see how much depends on
#   that.
#
# What you must say is the measure with its direction, and `group_key`, the column of groups. What
# is worth most to say, if you know it, is the noise.
#
# ## The noise: `noise_sd`, `replicate_key`, or a guess
#
# The corrected value is an estimate of what an experiment without error would have given. How far
# to move a measurement depends on how large its error is, and one matrix cannot tell an error from
# a response of one drug in one line: both are what nothing else predicts. So say what you know: the
# standard deviation of errors (`noise_sd`: a number, a column of `obs`, or a layer of standard
# errors), or which rows are the same drug, or columns the same line (`replicate_key`). A file in
# which experiments were repeated says it itself: readers leave `obs["replicate_sd"]`, for
# `noise_sd="replicate_sd"`. Otherwise it is guessed, on the careful side. In simulation the truth is
# known:

# %%
screen = rt.datasets.simulate(180, 140)  # noise of 0.05
truth = screen.layers["low_rank"] + screen.layers["signal"]
rt.pp.correct(screen, group_key="group", key_added="guess")
rt.pp.correct(screen, group_key="group", key_added="given", noise_sd=0.05)
seen, responds = np.isfinite(screen.X), screen.layers["signal"] > 0
values = {
    "measured, as it is": screen.X,
    "corrected, noise guessed": screen.layers["guess"],
    "corrected, noise given": screen.layers["given"],
    "the same, specific part x 0.7": rt.tl.weighed(screen, 0.7, key="given"),
    "drug + line means": rt.baselines.two_way_means(screen.X),
}
rows = {}
for name, value in values.items():
    square = (value - truth) ** 2
    rows[name] = {
        "error": np.sqrt(square[seen].mean()),
        "where planted": np.sqrt(square[seen & responds].mean()),
    }
for name, key in {"corrected, noise guessed": "guess", "corrected, noise given": "given"}.items():
    inside = (truth >= screen.layers[f"{key}_lower"]) & (truth <= screen.layers[f"{key}_upper"])
    rows[name]["in the 90 % interval"] = inside[seen].mean()
    noise = screen.uns[key]["noise"]
    print(f"{name}: sd {noise['sd']:.3f}, a typical drug moved by {noise['moved']:.2f} of that")
print("\ndistance to the truth, on measured entries")
print(pd.DataFrame(rows).T.round(3).to_string(na_rep="-"))

# %% [markdown]
# **Conclude**: by the guess, far too small here, little is moved and little gained, and the
# interval holds the truth much less often than it says. That is the price of care: a guess that is
# too large would erase responses. With the noise given the error falls by a quarter, and the
# interval holds what it says. Where responses were planted nothing gains: they are unlike what
# predicts them. What is too far out for the noise is left nearly as measured, the rest drawn in; so
# known noise costs a little there. To let the specific part count 0.7 costs nearly all of the gain;
# more on that below.
#
# A small screen for this page, every sixth drug of GDSC1 on every second line:

# %%
gdsc1 = rt.datasets.gdsc1()[1::6]
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
for hidden in [0, 0.6]:
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
# ## The threshold
#
# `"auto"` takes the size at which noise and deviation are equally likely. `"fdr:0.05"` goes by
# q-values, each residual in units of what is usual for its drug and line (page 4). A number, in the
# unit of the measure, is stricter or looser:

# %%
results = {"auto": adata}
for name in ("fdr:0.05", 0.15):
    results[name] = small.copy()
    rt.pp.correct(results[name], threshold=name)
rows = {}
for name, one in results.items():
    flag, q = one.layers["rtdmf_flag"], one.layers["rtdmf_qvalue"]
    rows[name] = {
        "threshold": one.uns["rtdmf"]["threshold"],
        "high": (flag >= 2).sum(),
        "of these q <= 0.05": (q[flag >= 2] <= 0.05).mean(),
        "flag 2": (flag == 2).sum(),
        "flag 3": (flag == 3).sum(),
        "drugs with flag 3": (flag == 3).any(axis=1).sum(),
        "enriched pairs": len(rt.tl.enrichment(one, fdr=0.05)),
    }
print(pd.DataFrame.from_dict(rows, orient="index").round(3).to_string())
ax = rt.pl.threshold(results[0.15])

# %% [markdown]
# The dashed lines of the picture are the last threshold, the black line is what is unexplained,
# taken as normal. Where the histogram lies on the black line, a flag is mostly noise. **Conclude**:
# `"auto"` goes by the size of a response, `"fdr:..."` by its size beside what is usual for the drug
# and the line, so that it has more drugs and fewer entries, and with `fdr` as it is nothing is left
# for flag
# 2. A lower number adds questions (flag 2) by the thousand, few of which are answered by a q-value;
# but more pairs, as a group speaks of sizes where a single entry cannot. Lower it to miss less,
# raise it to look at fewer.
#
# ## `specific_weight`: another purpose
#
# A corrected value has a general part (how toxic the drug, how sensitive the line) and a specific
# one (page 1). By default both count whole. Below 1 the specific part counts less: a matrix for raw
# agreement with *another laboratory's* screen (page 2), and no estimate of the truth, as the table
# above shows. Leave the parameter at 1 and put such a matrix into a layer of its own, under its
# name:

# %%
adata.layers["weighed 0.7"] = rt.tl.weighed(adata, 0.7)
# %% [markdown]
# Flags, retained and imputed values are the same in both; so do not rank measured lines beside
# imputed or retained ones in the second.
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
