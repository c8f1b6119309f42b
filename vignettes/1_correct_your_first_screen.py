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
# # 1. Correct your first screen
#
# You have a table of drug response, drugs by cancer cell lines, and want to know what an experiment
# without error would have given. This page takes a table from a file to the best estimate of that,
# with an interval for every value, and says at each step what to look at and what to conclude.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scanpy as sc

import rtdmf_bio as rt

# %% [markdown]
# ## A table to start from
#
# So that this page runs anywhere, we write one: every third drug of GDSC1, which comes with the
# package, as anyone would have it, and a second table that says which tissue a line comes from.
# Yours take the place of these two files.

# %%
gdsc1 = rt.datasets.gdsc1()
gdsc1[2::3].to_df().round(4).to_csv("screen.csv")
gdsc1.var[["tissue", "BRAF_mut"]].to_csv("lines.csv")

print(pd.read_csv("screen.csv", index_col=0).iloc[:4, :6].to_string())

# %% [markdown]
# A drug a row, a cell line a column. Each number is an area under the dose-response curve (AUC): 1
# means that the drug did nothing, 0 that it killed at every dose. `NaN`, an empty cell in the file,
# means **not measured**. That is not the same as no effect, so never fill gaps with 0 or 1 first:
# filling them is what we are here for.
#
# Say in `measure` which way the numbers go. Nothing is guessed from them: an activity area, in
# which higher is *sensitive*, looks just like an AUC.

# %%
adata = rt.io.read_table(
    "screen.csv",
    var="lines.csv",
    measure={"name": "auc", "higher_is": "resistant", "bounds": [0, 1]},
)
print(adata)

# %% [markdown]
# That is an [AnnData](https://anndata.readthedocs.io), the object scanpy works on: drugs are `obs`,
# cell lines are `var`. How full is it?

# %%
measured = np.isfinite(adata.X)
by_drug, by_line = (pd.Series(measured.mean(axis)).describe() for axis in (1, 0))
summary = pd.DataFrame({"share of lines, by drug": by_drug, "share of drugs, by line": by_line})
print(f"{1 - measured.mean():.1%} of the pairs were not measured")
print(summary.loc[["min", "25%", "50%", "75%", "max"]].round(2).to_string())

# %% [markdown]
# Some lines were hardly screened. Nothing much can be said of a line known by a handful of drugs,
# so we leave them out. (A line without any measurement would be refused by name.)

# %%
few = measured.sum(axis=0) < 10
print("left out:", ", ".join(adata.var_names[few]))
adata = adata[:, ~few].copy()

# %% [markdown]
# ## Correct
#
# One choice is yours: the groups. A single melanoma line that dies of a drug may be an error;
# thirty of them are biology. So tell it the column that says which lines belong together.

# %%
rt.pp.correct(adata, group_key="tissue")

# %% [markdown]
# ## Corrected beside measured
#
# Every measurement was predicted from all others, by a fit that had not seen it, and moved towards
# this prediction as far as its noise asks for. Dabrafenib, on a few lines:


# %%
def beside(drug, lines, key="rtdmf"):
    """Measurement, corrected value and its interval."""
    parts = {"measured": "X", "corrected": key, "lower": f"{key}_lower", "upper": f"{key}_upper"}
    columns = {
        name: (adata.to_df() if layer == "X" else adata.to_df(layer)).loc[drug, lines]
        for name, layer in parts.items()
    }
    flag = adata.to_df(f"{key}_flag").loc[drug, lines]
    return pd.DataFrame({"tissue": adata.var["tissue"][lines], **columns, "flag": flag}).round(3)


lines = ["A375", "SK-MEL-28", "A2058", "A549", "HeLa", "MOLT-4"]
print(beside("Dabrafenib", lines).to_string())

# %% [markdown]
# Two melanoma lines that die of it (flag 3) are left as measured: their tissue backs them. A2058
# was not measured: its value is a prediction, and the interval says where a measurement would lie,
# nine times in ten. The others (flag 1) moved by less than 0.01. Their interval is about what an
# experiment without error would give.
#
# Is moving so little right? That depends on the noise, and here one matrix reaches its limit: it
# cannot tell an error from a response of this drug in this line alone, for both are what nothing
# else predicts. So the noise is a guess, on the careful side, and the result says so:

# %%
noise = adata.uns["rtdmf"]["noise"]
print(f"noise: {noise['sd']:.3f} AUC, source: {noise['source']}")
print(f"a typical drug was moved by {noise['moved']:.2f} of its noise")
print(f"drugs left as measured: {noise['n_left_alone']} of {adata.n_obs}")

# %% [markdown]
# ## If you know the noise, say so
#
# Controls on every plate, or a drug screened twice, tell more than any guess. Say that you know the
# errors of two drugs: AUCs of dabrafenib are good to 0.005, those of navitoclax to 0.08. `noise_sd`
# takes a number, or a column with one for each drug; where it is NaN, the guess stays.

# %%
adata.obs["noise"] = np.nan
adata.obs.loc[["Dabrafenib", "Navitoclax"], "noise"] = 0.005, 0.08
rt.pp.correct(adata, group_key="tissue", noise_sd="noise", key_added="known")

columns = ["reliability", "noise_sd", "moved"]
for key in ("rtdmf", "known"):
    print(adata.obs.loc[["Dabrafenib", "Navitoclax"], [f"{key}_{c}" for c in columns]].round(3))
for drug, key in ("Dabrafenib", "known"), ("Navitoclax", "rtdmf"), ("Navitoclax", "known"):
    print(f"\n{drug}, noise {'known' if key == 'known' else 'guessed'}")
    print(beside(drug, lines, key).to_string())

# %% [markdown]
# `reliability` is the share that is kept of what other drugs and lines do not predict. With so
# little noise nothing is to be gained for dabrafenib: reliability 1, all its measurements are left
# alone, and the interval is that of the measurement. That is what a drug left alone looks like;
# without `noise_sd` it happens where next to nothing that is unpredicted can be noise. Navitoclax,
# known to be noisy, keeps less than by the guess and moves farther. The rest of this page goes on
# with the guess.
#
# ## Did it learn anything?
#
# Now look at four numbers. Some measurements were hidden, predicted from all
# others, and compared. The error of that is worth nothing by itself; beside it stand two trivial
# answers, the mean of everything, and drug mean + line mean, which knows how toxic a drug is and
# how sensitive a line, but nothing of the two together.

# %%
result = adata.uns["rtdmf"]
error = pd.Series(result["validation_rmse"], name="error on hidden measurements, AUC")
print(error.sort_values(ascending=False).round(4).to_string())

trivial, ours = error["two_way_means"], error["imputed"]
print(f"\nimputed values: {1 - (ours / trivial) ** 2:.0%} of what the means leave is explained")

# %% [markdown]
# `imputed` is what missing entries get, `low_rank` the broad structure that residuals are measured
# from. If `imputed` were not clearly the smallest, the correction would have learned nothing from
# your screen: use the measurements as they are. (The hidden measurements also helped to choose how
# gaps are filled, so this is a little on the bright side; `pp.tune`, page 5, has a test that
# nothing was chosen by.)
#
# Did the fit end well, and how much does it leave unexplained?

# %%
print("end of the fit:", result["stop_message"])
print(f"unexplained: {result['unexplained_sd']:.3f} AUC, noise and responses of single lines")
print(f"threshold: residuals of {result['threshold']:.3f} AUC and more are called high")

# %% [markdown]
# ## Look at it

# %%
figure = rt.pl.correction(adata)

# %% [markdown]
# **Top**: each row is a drug and each column a line, in the same order and colours before and
# after. White gaps are filled, stripes and blocks must still be there: they are the biology. Were
# the right picture smooth and stripes only, everything particular would be lost.
#
# **Bottom left**: residuals, what the broad structure does not explain. Grey ones are below the
# threshold and were drawn towards the prediction; beyond it, orange ones are retained and blue ones
# are not. Noise would fall off to both sides alike, as the black line does. The long tail to the
# left is lines that die of a drug that hardly touches others.
#
# **Bottom right**: drugs whose high residuals cluster in a tissue. Here you can check the method
# against what you know: BRAF and MEK inhibitors (dabrafenib, CI-1040) should be found in skin,
# since half of all melanomas carry a BRAF mutation, and the BCL-2 inhibitor navitoclax in leukemia.
# It was told nothing of that. Your own screen has its own positive controls; if they are missing,
# ask why.
#
# ## What a flag means
#
# Every entry has a flag that says what was done to it.

# %%
meaning = {
    0: "not measured: imputed",
    1: "measured, residual below the threshold: drawn towards the prediction",
    2: "measured, high residual not retained: drawn towards the prediction, too",
    3: "measured, high residual retained: unchanged if its group is enriched, else nearly",
}
flag = adata.layers["rtdmf_flag"]
moved = np.abs(adata.layers["rtdmf"] - adata.X)
table = pd.DataFrame(
    {
        "share": [f"{(flag == code).mean():.1%}" for code in meaning],
        "moved by (median)": [
            f"{np.median(moved[flag == code]):.3f} AUC" if code else "-" for code in meaning
        ],
        "meaning": list(meaning.values()),
    },
    index=pd.Index(meaning, name="flag"),
)
print(table.to_string())

# %% [markdown]
# - **3** is a strong response that was trusted, because its tissue backs it or because residuals so
#   far out are hardly ever noise (`layers["rtdmf_qvalue"]` of at most 0.05). It may still be an
#   error that was large.
# - **2** is a question, not a verdict: strong, but no group backs it and it may be noise. Before
#   you build on such a value, or throw it away, look at its curve. Page 4 measures how often it is
#   right.
# - **0** has never been measured. Do not count imputed values as evidence for themselves.
#
# ## Which drugs have a tissue of their own?

# %%
found = rt.tl.enrichment(adata, fdr=0.05)
print(f"{len(found)} of {len(rt.tl.enrichment(adata))} tests at a false discovery rate of 5 %")
shown = ["drug", "group", "side", "n_high_group", "n_expected", "n_group", "n_high", "qvalue"]
print(found[shown].head(8).to_string(float_format="{:.1e}".format))

# %% [markdown]
# Read a row as: of so many lines of the group (`n_group`) so many respond far more than the broad
# structure says (`n_high_group`), out of `n_high` such lines in all. Some lines do so with many
# drugs; by that alone there would be `n_expected`.
#
# ## One drug in detail
#
# Dabrafenib inhibits mutant BRAF.

# %%
drug = "Dabrafenib"
of_drug = adata.obs.loc[drug]
print(f"level:       {of_drug['rtdmf_level']:.2f} AUC on a line of average sensitivity")
mean_slope = adata.obs["rtdmf_slope"].mean()
print(f"slope:       {of_drug['rtdmf_slope']:.2f} AUC (mean drug: {mean_slope:.2f})")
print(f"flag 3:      {int(of_drug['rtdmf_n_retained'])} lines")

# %% [markdown]
# Its values have two parts. The **general** part, level + slope x general sensitivity of the line,
# holds that some drugs are more toxic than others and some lines die of nearly anything; the slope
# says by how much the drug follows that, for one standard deviation between lines. The **specific**
# part is what this drug does beyond it. To ask for a target or a mutation, look at the specific
# part: a line that dies of everything tells nothing about BRAF.

# %%
general = of_drug["rtdmf_level"] + of_drug["rtdmf_slope"] * adata.var["rtdmf_sensitivity"]
one = pd.DataFrame(
    {
        "tissue": adata.var["tissue"],
        "measured": adata.to_df().loc[drug],
        "corrected": adata.to_df("rtdmf").loc[drug],
        "general": general,
        "specific": adata.to_df("rtdmf_specific").loc[drug],
        "residual": adata.to_df("rtdmf_residual").loc[drug],
        "flag": adata.to_df("rtdmf_flag").loc[drug],
    }
)
print(one.loc[lines].round(2).to_string())

# %% [markdown]
# Low numbers are sensitive. `residual` is the measurement minus the broad structure, for you to
# judge by yourself. Does the mutation separate the lines?

# %%
figure = rt.pl.biomarker(adata, drug, "BRAF_mut")

# %% [markdown]
# Each point is a line. AUROC is the chance that a mutant line is more sensitive than a wild-type
# line: 0.5 is nothing. *two-way means* in brackets knows the general sensitivity only; it stays
# near 0.5, so that the difference is not one of lines that die of anything. The specific part
# stands beside *two-way residual*, the measurements with drug and line means taken out and nothing
# else done.

# %%
scores = rt.tl.biomarker(adata, drug, "BRAF_mut")
print(scores[["source", "n_mutated", "n_wild_type", "effect", "auroc"]].round(2).to_string())

# %% [markdown]
# A correction that is worth it keeps what was there (`corrected` beside `measured`); expect small
# differences for a strong biomarker like this one, which needs no help.
#
# ## Save
#
# One file holds it all: measurements, corrected matrix, flags, parts, tables, and every parameter.

# %%
rt.io.write_h5ad(adata, "first_screen_corrected.h5ad")
rt.io.write_table(adata, "first_screen_corrected.csv", layer="rtdmf")

# %% [markdown]
# `anndata.read_h5ad` brings it back; the table is for a spreadsheet or R.
#
# ## Go on in scanpy
#
# scanpy takes a matrix without gaps, and `.T` makes lines the observations. But imputed values take
# part in all that follows, so some of it is the method's own doing. Put beside it the measurements,
# gaps filled by drug mean + line mean, and these means alone. The control of the specific part is
# what the means leave of the measurements. Tissues are no control: they only decide which high
# residuals are kept, and predictions do not see them.
#
# The targets are from the literature.

# %%
means, measured = rt.baselines.two_way_means(adata.X), np.isfinite(adata.X)
sources = {
    "two-way means": means,
    "measured": np.where(measured, adata.X, means),
    "corrected": adata.layers["rtdmf"],
    "two-way residual": np.where(measured, adata.X - means, 0),
    "specific": adata.layers["rtdmf_specific"],
}
targets = {
    "RAF, MEK": ["Dabrafenib", "RAF_9304", "CI-1040", "Trametinib"],
    "EGFR, ERBB2": ["Afatinib", "Lapatinib", "PF-00299804", "Cetuximab", "CP724714"],
    "PI3K, MTOR": ["Pictilisib", "AZD8186", "Rapamycin", "AZD2014", "OSI-027", "torin2"],
    "BET": ["I-BET-762", "JQ1", "PFI-1"],
    "HSP90": ["SNX-2112", "Tanespimycin", "CCT-018159"],
    "mitosis": ["Paclitaxel", "Vinblastine", "AZD4877", "BI-2536", "GW843682X"],
}
target = pd.Series({drug: name for name in targets for drug in targets[name]})
adata.obs["target"] = target.reindex(adata.obs_names).astype("category")
adata.obs["mean"], adata.var["mean"] = means.mean(axis=1), means.mean(axis=0)
tissue, target = adata.var["tissue"].to_numpy(), adata.obs["target"].to_numpy()
sparse = measured.mean(axis=0) < 2 / 3

lines, drugs, rows = {}, {}, {}
for name, values in sources.items():
    lines[name], drugs[name] = adata.T.copy(), adata.copy()
    lines[name].X, drugs[name].X = values.T, values
    for one in lines[name], drugs[name]:
        sc.pp.pca(one, n_comps=20, random_state=0)
        sc.pp.neighbors(one, n_neighbors=10, random_state=0)
        one.obs["PC1"] = one.obsm["X_pca"][:, 0]
    (i, j), (k, m) = (x[name].obsp["distances"].nonzero() for x in (lines, drugs))
    known = pd.notna(target[k]) & pd.notna(target[m])
    rows[name] = {
        "lines, PC1 ~ mean": abs(lines[name].obs["PC1"].corr(adata.var["mean"])),
        "same tissue": (tissue[i] == tissue[j]).mean(),
        "of sparse lines": (tissue[i] == tissue[j])[sparse[i]].mean(),
        "sparse near sparse": sparse[j][sparse[i]].mean(),
        "drugs, PC1 ~ mean": abs(drugs[name].obs["PC1"].corr(adata.obs["mean"])),
        "same target": (target[k] == target[m])[known].mean(),
    }
print(pd.DataFrame(rows).T.round(2).to_string())
print(f"of all lines {sparse.mean():.2f} are sparse: less than two thirds of the drugs measured")

# %% [markdown]
# - **The first component of lines is general sensitivity**, not tissue, measured or corrected; that
#   of drugs is how toxic they are. To take means out is not enough, since drugs follow general
#   sensitivity by different slopes. The specific part is free of it.
# - The correction hardly brings lines of a tissue closer. What changes are sparse
#   lines: filled by means, they lie beside each other because their gaps are alike. Corrected they
#   do so less, but more than by chance, and lie where other lines put them: no evidence for itself.
# - Of 26 drugs, differences of 0.1 are chance.

# %%
figure, axes = plt.subplots(3, 3, figsize=(14, 12), layout="constrained")
look = {"show": False, "na_in_legend": False}
some = ["skin", "leukemia", "lymphoma", "lung_SCLC", "breast"]
with warnings.catch_warnings():
    # scanpy 1.11 calls what matplotlib 3.11 says it will drop.
    warnings.filterwarnings("ignore", "The set_bad function", PendingDeprecationWarning)
    for ax, name in zip(axes.T, ["measured", "corrected", "specific"], strict=True):
        sc.tl.umap(lines[name], random_state=0)
        sc.tl.umap(drugs[name], random_state=0)
        where = ("right margin", "right") if name == "specific" else (None, None)
        look["legend_loc"], look["colorbar_loc"] = where
        sc.pl.umap(lines[name], color="mean", title=f"{name}: mean AUC", ax=ax[0], **look)
        sc.pl.umap(lines[name], color="tissue", title="tissue", groups=some, ax=ax[1], **look)
        sc.pl.umap(drugs[name], color="target", title="drugs", ax=ax[2], **look)

# %% [markdown]
# Colour by line mean (**top**) before you believe any island: measured or corrected, leukemias lie
# where lines die of everything. Melanomas stand apart for a reason of their own, and do so in the
# specific part, too. Drugs (**bottom**) lie on a band from harmless to toxic, which only the
# specific part opens.
#
# `rank_genes_groups` ranks what it takes for genes: here drugs that distinguish a tissue, or lines
# that distinguish a target.

# %%
first, tree, rows = {}, {}, {}
for name in sources:
    for one, key in (lines[name], "tissue"), (drugs[name], "target"):
        with np.errstate(invalid="ignore"):  # in fold changes, which mean nothing here
            sc.tl.rank_genes_groups(one, key, method="t-test")
    sc.tl.dendrogram(lines[name], "tissue")
    tree[name] = lines[name].uns["dendrogram_tissue"]["correlation_matrix"].ravel()
    ranked = sc.get.rank_genes_groups_df(lines[name], None)
    first[name] = ranked.groupby("group", observed=True)["names"].last()  # the most sensitive
    best = sc.get.rank_genes_groups_df(drugs[name], "RAF, MEK")["names"].tail(30)
    rows[name] = {
        "drugs x tissues, p < 0.05": (ranked["pvals_adj"] < 0.05).mean(),
        "30 lines, BRAF mutated": adata.var.loc[best, "BRAF_mut"].mean(),
    }
scores = pd.DataFrame(rows).T
scores["dendrogram ~ measured"] = pd.DataFrame(tree).corr()["measured"]
print(scores.round(2).to_string())
print(f"of all lines {adata.var['BRAF_mut'].mean():.2f} are BRAF mutated\n")

table = pd.DataFrame(first)[["measured", "corrected", "specific"]]
table["enriched"] = found[found["side"] == "sensitive"].groupby("group")["drug"].first()
print(table.to_string(na_rep="-"))

look = {"layer": "rtdmf_specific", "vcenter": 0, "cmap": "RdBu", "show": False}
look["colorbar_title"] = "mean specific part, AUC"
_ = sc.pl.rank_genes_groups_matrixplot(lines["corrected"], n_genes=-1, **look)

# %% [markdown]
# - **These p values are not p values.** Two-way means shift all drugs of a tissue alike and have
#   nothing to rank, yet as many are small: a sensitive tissue makes any drug significant, imputed
#   entries count as observations, and what is corrected has lost its noise. Read ranks.
# - Means over many lines hardly need a correction: most first drugs, the dendrogram, and BRAF
#   among the 30 lines most sensitive to RAF and MEK inhibitors are about as measured.
# - Where a tissue is sensitive to everything, ask the specific part (picture: red is sensitive, and
#   a pale column came first with next to nothing). In leukemia it begins with I-BET-762, as
#   `tl.enrichment` does. Often the two differ: a ranking compares means, enrichment counts the
#   measured lines far beyond the broad structure.

# %% [markdown]
# ## What to keep in mind
#
# - The correction draws on the screen itself. A batch effect that many drugs and lines share looks
#   like structure to it, and stays.
# - A true response that no group and no other drug supports cannot be told from an error.
# - An imputed AUC may come out slightly above 1: no biological limit is imposed.
# - Do not correct two screens together if you want to compare them: correct each alone.
#
# Go on with page 4 (how far flags can be trusted) or page 5 (settings).
