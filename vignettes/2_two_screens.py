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
# # 2. Two screens: do they agree, and about what?
#
# Two laboratories screen the same drugs on the same lines, and their numbers agree poorly. Does a
# correction bring them together? That is easy to fake, so this vignette is mostly about controls.
#
# Only one real screen comes with the package. So we make two laboratories out of it: both measure
# the same biology, each with noise of its own, a batch effect of its own, its own names and its own
# gaps. With two real screens everything below `# Two laboratories` stays the same.

# %%
import numpy as np
import pandas as pd

import rtdmf_bio as rt

# %%
# Two laboratories
gdsc1 = rt.datasets.gdsc1()
gdsc1 = gdsc1[::5, np.isfinite(gdsc1.X).mean(axis=0) > 0.5][:, ::3].copy()
biology = rt.baselines.knn_impute(gdsc1.X)


def laboratory(seed):
    rng = np.random.default_rng(seed)
    batch = 0.04 * rng.normal(size=(gdsc1.n_obs, 2)) @ rng.normal(size=(2, gdsc1.n_vars))
    measured = np.clip(biology + batch + rng.normal(0, 0.12, biology.shape), 0, 1.2)
    measured[rng.random(measured.shape) < 0.15] = np.nan
    adata = gdsc1.copy()
    adata.X = measured.astype(np.float32)
    return adata


first, second = laboratory(1), laboratory(2)
second.obs_names = second.obs_names.str.lower()
second.var_names = second.var_names.str.lower()

# %% [markdown]
# ## Who is who
#
# Laboratories spell names as they like. `pp.harmonize` matches drugs and lines by identifiers, where
# both screens have some (or a table has those of both, `crosswalk=`), then by name, and by name
# without case and punctuation where that is clear (drugs also by aliases, if you have a table). It
# tells how each was matched, names what is near, and leaves out what could be several. It refuses
# to compare measures of opposite direction.

# %%
both = rt.pp.harmonize(first, second)
print(both.drugs.groupby(["screen", "how"]).size())
print(both.lines.groupby(["screen", "how"]).size())

# %% [markdown]
# ## Correct each screen alone
#
# As a whole, before matching, and without a look at the other one. What agrees afterwards agrees
# because of what each laboratory measured. The layer `rtdmf` is an estimate of what *this*
# laboratory would have found without error, and was not made to resemble another one; a matrix for
# that purpose is asked for by name, further down.

# %%
for adata in (first, second):
    rt.pp.correct(adata, progress=False)
    # The same once more for a laboratory that knows the size of its errors.
    rt.pp.correct(adata, progress=False, noise_sd=0.12, key_added="noise known")

# %% [markdown]
# ## Concordance, and its controls
#
# One row per drug and source; the summary has one row per source, and after each score the ends of
# its 95 % interval over drugs.

# %%
table = rt.tl.concordance(first, second)
summary = rt.tl.concordance_summary(table)
scores = ["share_significant", "median_rho", "specificity", "median_rho_star", "specificity_star"]
print(summary[["n_drugs", *scores]].round(3).to_string())
print(summary.filter(regex="_star").round(3).to_string())

# %% [markdown]
# Read it in this order:
#
# 1. `median_rho` rises a little with correction. Good news? Look at *two-way means*: drug mean +
#    line mean, which knows nothing particular to any drug, is far above. Some lines die of
#    anything, both laboratories see it, and that alone makes every drug "agree".
# 2. `specificity` tells whether a drug resembles itself in the other laboratory more than it
#    resembles other drugs. Two-way means stand near 0.5, which is chance. But this number can be
#    had for nothing, too: *two-way residual*, what the means leave of the measurements, raises it.
# 3. The starred columns take the level of each drug and the general sensitivity of each line out,
#    fitted together in each laboratory by itself. They ask what a pharmacologist asks: does what is
#    *particular* to the drug agree? Of two-way means nothing is left, so they have no score.
#    Compare the other rows: how much `median_rho_star` gains, and what `specificity_star` pays for
#    it. A correction whose rho* falls has only made the drugs alike.
# 4. The intervals say how much a score depends on which drugs there are. That is the same for all
#    rows, so a difference between two rows is surer than their intervals look.

# %%
_ = rt.pl.frontier(summary)

# %% [markdown]
# Up and to the right is better, and a method that erases the drugs falls to the left. Thin lines
# are the intervals.
#
# ## A single drug
#
# One point per line. The cloud narrows as noise goes. Look whether the lines that respond are still
# those.

# %%
best = table[table["source"] == "corrected"].sort_values("rho_star")["drug"].iloc[-1]
_ = rt.pl.scatter(first, second, best, names=("first laboratory", "second laboratory"))

# %% [markdown]
# ## A matrix for comparison between laboratories
#
# The correction keeps a general part (level of the drug, general sensitivity of the line) and a
# specific one apart. Between laboratories the general part carries over better, so some let the
# specific part count less. That is no estimate of the truth, and so it has a layer of its own. The
# parts are stored: `tl.weighed` needs no other fit.

# %%
weighed = {f"weight {weight}": weight for weight in (0.0, 0.4, 0.7, 1.0)}
for name, weight in weighed.items():
    for adata in (first, second):
        adata.layers[name] = rt.tl.weighed(adata, weight)
layers = ["X", "noise known", *weighed]
weights = rt.tl.concordance_summary(rt.tl.concordance(first, second, layer=layers))
print(weights[scores].round(3).to_string())

# %% [markdown]
# At 0 little but the general part is left: concordance is high, and even rho\* is, since drugs
# follow general sensitivity by slopes of their own, which no means take out. Specificity pays for
# it. 0.7 lies between: more agreement, a little less of what is particular.
#
# `noise known` tells more. These laboratories know the size of their errors (page 1), and rho\*
# gains several times what it gains by the careful guess of the default, with no weight at all.
#
# `weight 1.0` is the layer `rtdmf` itself. Take that for all but raw agreement between
# laboratories, and always to rank lines beside imputed ones, which are not weighed. If you do
# weigh, say so where you show it: lower weights win the first columns without knowing anything
# more.
#
# ## Several screens
#
# `pl.concordance` draws any number of pairs, measured above the diagonal and corrected below.

# %%
_ = rt.pl.concordance({("first", "second"): table}, metric="median_rho_star")

# %% [markdown]
# ## Keep it

# %%
pd.concat([summary, weights.filter(like="weight", axis=0)]).to_csv("concordance.csv")
print("concordance.csv written")
