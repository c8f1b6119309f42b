"""Sections of truth.py on simulated screens: distance to the truth, and false discovery rate."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from assays import CONDITIONS, UNSEEN, Assay, make
from report import Rows
from rivals import knn, means, rmse, soft_impute_centred
from scipy.stats import norm
from truth_common import Array, again, hidden, mean, say

import rtdmf_bio as rt
from rtdmf_bio.model.enrichment import benjamini_hochberg
from rtdmf_bio.model.retention import is_high

FIRST_SEED = 10  # on 0 and 1 constants were fitted

# --- simulated


def simulated(given: argparse.Namespace) -> dict[str, Rows]:
    tables: dict[str, Rows] = {}
    seeds = range(FIRST_SEED, FIRST_SEED + (given.seeds or (1 if given.quick else 3)))
    for title, conditions in (
        ("Conditions that constants were fitted on, on other seeds", CONDITIONS),
        ("Others", UNSEEN),
    ):
        rows = tables[f"{title}: RMSE to the truth at measured entries, {len(seeds)} seeds"] = []
        for name, assay in list(conditions.items())[: 2 if given.quick else None]:
            if given.quick:
                assay = replace(assay, n_drugs=60, n_lines=80)
            rows.append({"": name, **mean([_one_simulated(assay, seed) for seed in seeds])})
            say(rows[-1])
    return tables


def _one_simulated(assay: Assay, seed: int) -> dict[str, Any]:
    made = make(assay, seed)
    data, truth, here = made.measured, made.truth, np.isfinite(made.measured)
    validation = hidden(data, seed)
    model = rt.RTDMF().fit(data, groups=made.tissue.astype(str))
    base = rmse(made.complete, truth, here)
    replicated = np.nan
    if assay.replicates > 1:
        labels = made.drug.astype(str).astype(object)
        replicated = rmse(again(model, replicates=labels).corrected, truth, here)
    apart = np.abs(truth - means(truth))
    far = here & (apart >= np.quantile(apart, 0.99))
    noise = np.where(made.noise_sd > 0, made.noise_sd, np.nan)

    def ratio(where: Array) -> float:
        before = rmse(made.complete, truth, where) if where.any() else 0.0
        return rmse(model.corrected_, truth, where) / before if before else np.nan

    given = again(model, noise_sd=made.noise_sd)
    holds = (truth >= model.lower_) & (truth <= model.upper_)
    assert given.interval is not None
    holds_given = (truth >= given.interval.lower) & (truth <= given.interval.upper)
    holds_new = (made.complete >= model.lower_) & (made.complete <= model.upper_)
    return {
        "measured": base,
        "two-way means": rmse(means(data), truth, here),
        "KNN": rmse(knn(data, validation, True).completed, truth, here),
        "soft-impute": rmse(soft_impute_centred(data, validation, True).completed, truth, here),
        "corrected": rmse(model.corrected_, truth, here),
        "noise_sd given": rmse(given.corrected, truth, here),
        "replicates given": replicated,
        "corrected / measured": ratio(here),
        "at hits": ratio(made.hit & here),
        "at the farthest 1 %": ratio(far),
        "noise, guessed / true": float(np.median(model.noise_by_drug_ / noise)),
        "moved / noise": float(np.median(model.moved_by_drug_ / noise)),
        "covers truth": float(holds[here].mean()),
        "with noise_sd": float(holds_given[here].mean()),
        "covers gaps": float(holds_new[~here].mean()) if (~here).any() else np.nan,
        "source": str(model.noise_source_),
    }


# --- flags

# How the low rank is made, where signal lies, how large it is, and what the noise is.
GENERATORS: dict[str, tuple[str, str, tuple[float, float], str]] = {
    "nmf, two-block, normal": ("nmf", "two_block", (0.2, 0.3), "normal"),
    "deep, mixed, normal": ("deep", "mixed", (0.2, 0.3), "normal"),
    "nmf, mixed, t4": ("nmf", "mixed", (0.2, 0.3), "t4"),
    "deep, two-block, by drug and line": ("deep", "two_block", (0.2, 0.3), "uneven"),
    "nmf, two-block, weak signal": ("nmf", "two_block", (0.1, 0.15), "normal"),
    "nmf, no signal, t4 by drug and line": ("nmf", "two_block", (0.0, 0.0), "t4 uneven"),
}


def planted(name: str, seed: int) -> tuple[Array, Array]:
    """Measurements with gaps, and where there is signal, (150, 120)."""
    low_rank, signal, size, kind = GENERATORS[name]
    sizes: dict[str, Any] = {"magnitude_inside": size, "magnitude_outside": size}
    adata = rt.datasets.simulate(
        150, 120, low_rank=low_rank, signal=signal, random_state=seed, **sizes
    )
    rng = np.random.default_rng(seed + 1000)
    noise = rng.normal(size=adata.shape)
    if "t4" in kind:
        noise /= np.sqrt(rng.chisquare(4, adata.shape) / 2)  # of variance 1
    if "uneven" in kind:
        noise *= np.exp(rng.normal(0, 0.4, (150, 1))) * np.exp(rng.normal(0, 0.2, 120))
    data = adata.layers["low_rank"] + adata.layers["signal"] + 0.05 * noise
    return np.where(adata.layers["split"] == 2, np.nan, data), adata.layers["signal"] > 0


def trivial_qvalues(data: Array) -> Array:
    """Of what drug and line effects leave, normal, each drug with a scale of its own."""
    rest = data - means(data)
    scale = np.nanmedian(np.abs(rest), axis=1, keepdims=True) / norm.ppf(0.75)
    here, q = np.isfinite(rest), np.ones(rest.shape)
    q[here] = benjamini_hochberg(2 * norm.sf(np.abs(rest / scale)[here]))
    return q


def flags(given: argparse.Namespace) -> dict[str, Rows]:
    rows: Rows = []
    seeds = range(given.seeds or (2 if given.quick else 20))
    for name in GENERATORS:
        found: dict[str, list[tuple[int, int, int]]] = {}
        for seed in seeds:
            data, signal = planted(name, seed)
            here = np.isfinite(data)
            model = rt.RTDMF().fit(data)
            marked = {
                "qvalue_ <= 0.05": np.nan_to_num(model.qvalue_, nan=1.0) <= 0.05,
                "beyond the threshold": is_high(model.flag_),
                "two-way residual, normal": trivial_qvalues(data) <= 0.05,
            }
            for rule, high in marked.items():
                false = int((high & here & ~signal).sum())
                counts = (false, int((high & signal & here).sum()), int((signal & here).sum()))
                found.setdefault(rule, []).append(counts)
        for rule, counted in found.items():
            false, true, all_true = np.array(counted, dtype=float).T
            rate = false / np.maximum(false + true, 1)
            rows.append(
                {
                    "": name,
                    "rule": rule,
                    "signal": all_true.mean(),
                    "flagged": (false + true).mean(),
                    "false": false.mean(),
                    "false discovery rate": rate.mean(),
                    "+-": rate.std() / np.sqrt(max(len(rate) - 1, 1)),
                    "power": true.sum() / all_true.sum() if all_true.any() else np.nan,
                }
            )
            say(rows[-1])
    title = f"Flags at a nominal rate of 5 %, 150 x 120, means over {len(seeds)} seeds"
    return {title: rows}
