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
# # 3. From a PharmacoSet to a biomarker
#
# Does a mutation tell which cell lines a drug kills? We start from a PharmacoSet, the format of
# [PharmacoGx](https://bioconductor.org/packages/PharmacoGx), and end with a table of drugs and
# mutations, before and after correction, with what a trivial answer finds beside it.
#
# `data/gdsc1_part.rds` is a PharmacoSet made of a part of GDSC1: 96 drugs on 485 lines. A whole one
# of any study is one call away: `r_bridge.available_psets()` lists them, `r_bridge.download_pset`
# fetches one. R is not needed to read them.

# %%
from pathlib import Path

import pandas as pd

import r_bridge
import rtdmf_bio as rt

here = Path(__file__).parent if "__file__" in globals() else Path()
path = here / "data" / "gdsc1_part.rds"
print(r_bridge.describe(path))

# %% [markdown]
# `describe` says what is in the file before anything is read. `read_pset` takes one measure and
# summarises replicates as PharmacoGx does. Look at the direction: this one is the area *above* the
# curve, so that higher is more sensitive.

# %%
adata = r_bridge.read_pset(path)
print(adata)
print(adata.uns["measure"])
print(adata.var[["BRAF_mut", "TP53_mut", "EGFR_mut"]].sum())

# %% [markdown]
# ## Correct
#
# The correction needs no mutations; it knows only the numbers and the tissues. So whatever it says
# about mutations afterwards is no circle.

# %%
rt.pp.correct(adata, group_key="tissue", progress=False)
held_out = adata.uns["rtdmf"]["validation_rmse"]
print(
    f"held-out error {held_out['imputed']:.3f}, drug mean + line mean "
    f"{held_out['two_way_means']:.3f}, grand mean {held_out['grand_mean']:.3f}"
)

# %% [markdown]
# ## One drug, one mutation
#
# Dabrafenib inhibits BRAF. The three panels are the measurements, the corrected values, and their
# *specific part*: what is particular to the drug once the general sensitivity of each line is taken
# out. A mutation of one gene is a question about the specific part.
#
# Read the AUROC: the chance that a mutated line is more sensitive than a wild-type one, 0.5 is
# nothing. In brackets stands a trivial answer. Above the first two panels it is *two-way means*,
# drug mean + line mean, which knows no more than how sensitive a line is in general. Above the
# specific part it is *two-way residual*, what these means leave of the measurements: general
# sensitivity is out of that, too, without any correction. And look at the boxes: most, but not all
# mutated lines respond.

# %%
_ = rt.pl.biomarker(adata, "Dabrafenib", "BRAF_mut")

# %% [markdown]
# TP53 works the other way: nutlin-3a frees p53 from MDM2, and a line whose p53 is broken has
# nothing to free.

# %%
_ = rt.pl.biomarker(adata, "Nutlin-3a (-)", "TP53_mut")

# %% [markdown]
# ## All drugs, all mutations
#
# One row per drug, mutation and source. `qvalue` is corrected for all tests of the same source.

# %%
table = rt.tl.biomarker(adata)
specific = table[table["source"] == "specific"].sort_values("pvalue")
columns = ["drug", "group", "n_mutated", "effect", "direction", "auroc", "qvalue"]
print(specific[columns].head(10).to_string(index=False))

# %%
_ = rt.pl.volcano(table)

# %% [markdown]
# BRAF with the inhibitors of RAF and MEK, TP53 with nutlin-3a: the pairs that pharmacology expects
# stand apart.
#
# ## What not to do
#
# Do not count significant pairs to say which source is better. Here is the count:

# %%
found = table.assign(significant=table["qvalue"] <= 0.05)
print(found.groupby("source", sort=False)["significant"].sum())

# %% [markdown]
# The specific part leads, and some of that is real: noise and general sensitivity are out of it
# (*two-way residual* says what the latter alone is worth). But denoising lets drugs borrow from
# each other, so that one true response of the lines with a mutation can make several similar drugs
# significant, and no count tells the two apart. Compare *pairs* instead: effect and AUROC of those
# with a known mechanism.

# %%
known = [
    ("Dabrafenib", "BRAF_mut"),
    ("PLX-4720", "BRAF_mut"),
    ("Nutlin-3a (-)", "TP53_mut"),
    ("Gefitinib", "EGFR_mut"),
]
chosen = pd.MultiIndex.from_tuples(known)
pairs = table[table.set_index(["drug", "group"]).index.isin(chosen)]
wide = pairs.pivot(index=["drug", "group"], columns="source", values="auroc")
print(wide[table["source"].unique()].round(3).to_string())

# %% [markdown]
# An AUROC below 0.5 means that mutated lines are the more resistant ones. The specific part is as
# clear as the measurements or clearer; compare it with *two-way residual*, too: what it has over
# that is the work of the correction, all else is general sensitivity taken out. Where a pair is no
# biomarker in the measurements (few mutated lines, as for EGFR), correction does not make it one:
# it removes noise, it does not add evidence.
#
# ## Keep it
#
# The table goes into a file for a spreadsheet; the corrected screen could go back into a copy of
# the PharmacoSet with `r_bridge.write_pset(adata, path, "corrected.rds")`, where there is R.

# %%
table.to_csv("biomarkers.csv", index=False)
print("biomarkers.csv:", len(table), "rows")
