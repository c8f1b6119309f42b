"""Why the defaults are what they are: each choice changed one at a time.

Real screens: root mean square error on test entries nobody saw, mean over random hold-outs of
70 % training, 15 % validation, 15 % test; and how high published drug-tissue pairs rank among
all enrichment tests. Published simulations: test error, and how well the planted residual signal
is found again (RE, and IBRE inside the planted block).
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from report import Rows
from rivals import (
    Answer,
    grand_mean,
    knn,
    rmse,
    rtdmf,
    soft_impute,
    soft_impute_centred,
    two_way_means,
)
from screens import SYNTHETIC, THRESHOLD, published

from rtdmf_bio.datasets import gdsc1
from rtdmf_bio.model.enrichment import enrichment
from rtdmf_bio.model.holdout import holdout_mask
from rtdmf_bio.tl import recovery_scores

PAIRS = (
    ("PLX-4720", "skin"),
    ("Dabrafenib", "skin"),
    ("SB590885", "skin"),
    ("Nilotinib", "leukemia"),
    ("Imatinib", "leukemia"),
)
UNTESTED = 10_000
DEFAULT = "RTDMF default"

METHODS: dict[str, Any] = {
    "grand mean": grand_mean,
    "drug mean + line mean": two_way_means,
    "KNN smoother, centred": knn,
    "soft-impute, plain": soft_impute,
    "soft-impute, centred": soft_impute_centred,
    DEFAULT: rtdmf(),
    "loss squared, decay auto": rtdmf(loss="squared", weight_decay="auto"),
    "loss clip": rtdmf(loss="clip"),
    "loss hard": rtdmf(loss="hard"),
    "depth 2": rtdmf(depth=2),
    "depth 4": rtdmf(depth=4),
    "center none": rtdmf(center="none"),
    "scale_power 0": rtdmf(scale_power=0.0),
    "scale_power 1": rtdmf(scale_power=1.0),
    "impute low-rank": rtdmf(impute="low-rank"),
    "weight_decay 0.7": rtdmf(weight_decay=0.7),
    "weight_decay 1.4": rtdmf(weight_decay=1.4),
    "weight_decay auto": rtdmf(weight_decay="auto"),
}
QUICK = ("grand mean", "drug mean + line mean", "soft-impute, centred", DEFAULT)


def measure(quick: bool, n_holdouts: int = 3) -> tuple[Rows, Rows]:
    """Return one row per method and real measure, and one per method and simulation."""
    adata = gdsc1()
    if quick:
        adata = adata[::6, ::8].copy()
    measures = {"AUC": adata.X, "ln IC50": adata.layers["ln_ic50"]}
    tissue, drugs = adata.var["tissue"].astype(str).to_numpy(), list(adata.obs_names)
    files = sorted(SYNTHETIC.glob("*.npz"))
    if quick:
        files = [file for file in files if file.stem.startswith("residual")]
    real: Rows = []
    simulated: Rows = []
    for name, fit in METHODS.items():
        if quick and name not in QUICK:
            continue
        for measure_name, X in measures.items():
            X = np.asarray(X, dtype=float)
            row = {"method": name, "measure": measure_name}
            row |= held_out(fit, X, n_holdouts) | pair_ranks(fit, X, tissue, drugs)
            real.append(row)
            print(_say(row), flush=True)
        for file in files:
            row = {"method": name, "set": file.stem} | recovery(fit, file)
            simulated.append(row)
            print(_say(row), flush=True)
    return real, simulated


def tables(real: Rows, simulated: Rows) -> dict[str, Rows]:
    """What is shown: errors and ranks, recovery, and each alternative relative to the default."""
    shown: Rows = []
    for name in dict.fromkeys(row["method"] for row in real):
        line: dict[str, Any] = {"method": name}
        for row in (r for r in real if r["method"] == name):
            m = row["measure"]
            base = next(r for r in real if r["method"] == DEFAULT and r["measure"] == m)
            apart = [row[k] - base[k] for k in row if k.startswith("rmse_") and k != "rmse_L"]
            line[f"{m} RMSE"] = row["rmse"]
            line[f"{m}, L alone"] = row["rmse_L"]
            line[f"{m} - default"] = f"{np.mean(apart):+.4f} (sd {np.std(apart):.4f})"
            ranks = [row.get(f"{drug}/{group}", np.nan) for drug, group in PAIRS]
            line[f"{m} ranks"] = ", ".join("-" if r != r else str(int(r)) for r in ranks)
        line["seconds"] = next(r["seconds"] for r in real if r["method"] == name)
        shown.append(line)
    found: Rows = []
    for name in dict.fromkeys(row["method"] for row in simulated):
        line = {"method": name}
        for row in (r for r in simulated if r["method"] == name):
            line[f"{row['set']} MSE"] = row["mse_x1000"]
            for label, suffix in ((str(THRESHOLD), ""), ("chosen", "_auto")):
                pair = f"{row.get('RE' + suffix, '-')} / {row.get('IBRE' + suffix, '-')}"
                line[f"RE / IBRE, {label}" + f" ({row['set']})"] = pair
        found.append(line)
    base = _summary(real, simulated, DEFAULT)
    relative: Rows = []
    for name in METHODS:
        if name == DEFAULT or not any(row["method"] == name for row in real):
            continue
        here = _summary(real, simulated, name)
        relative.append(
            {"method": name} | {k: f"{100 * (here[k] / base[k] - 1):+.1f} %" for k in base}
        )
    notes = {
        "Real screen: test RMSE, and ranks of "
        + ", ".join(f"{drug} ({group})" for drug, group in PAIRS): shown,
        "Each row against the default; below zero it does better": relative,
    }
    if found:
        notes["Simulations: test MSE x 1000, RE and IBRE"] = found
    return notes


def _summary(real: Rows, simulated: Rows, name: str) -> dict[str, float]:
    out = {}
    for row in (r for r in real if r["method"] == name):
        out[f"{row['measure']} RMSE"] = row["rmse"]
        # A pair that is no longer tested, for want of high residuals, ranks behind all others.
        ranks = [row.get(f"{drug}/{group}", np.nan) for drug, group in PAIRS]
        ranks = [UNTESTED if r != r else r for r in ranks]
        out[f"{row['measure']} pair rank"] = float(np.exp(np.mean(np.log(ranks))))
    rows = [r for r in simulated if r["method"] == name]
    if rows:
        out["simulated MSE"] = sum(r["mse_x1000"] for r in rows)
        for key in ("RE", "IBRE", "RE_auto", "IBRE_auto"):
            out[key.replace("_auto", ", chosen threshold")] = sum(r.get(key, np.nan) for r in rows)
    return out


def held_out(fit: Any, X: np.ndarray, n_holdouts: int) -> dict[str, float]:
    """Test error of the completed matrix and of L alone, and seconds per fit."""
    out: dict[str, float] = {}
    seconds, completed, low_rank = [], [], []
    for seed in range(n_holdouts):
        rng = np.random.default_rng(seed)
        observed = np.isfinite(X)
        test = holdout_mask(observed, 0.15, rng)
        validation = holdout_mask(observed & ~test, 0.15 / 0.85, rng)
        start = time.perf_counter()
        answer = _quietly(fit, np.where(test, np.nan, X), validation, True)
        seconds.append(time.perf_counter() - start)
        completed.append(rmse(answer.completed, X, test))
        out[f"rmse_{seed}"] = completed[-1]
        low_rank.append(rmse(answer.low_rank, X, test))
    out["rmse"] = float(np.mean(completed))
    out["rmse_L"] = float(np.mean(low_rank))
    out["seconds"] = float(np.median(seconds))
    return out


def pair_ranks(fit: Any, X: np.ndarray, tissue: np.ndarray, drugs: list[str]) -> dict[str, float]:
    """Rank of each published pair on the sensitive side among all tests, smallest p first."""
    observed = np.isfinite(X)
    validation = holdout_mask(observed, 0.15, np.random.default_rng(0))
    answer = _quietly(fit, X, validation, True)
    residual = X - answer.low_rank
    tests = enrichment(residual, answer.threshold, {"tissue": tissue})
    out = {
        "threshold": answer.threshold,
        "share_high": float((np.abs(residual) >= answer.threshold).sum() / observed.sum()),
    }
    for drug, group in PAIRS:
        found = (tests.group == group) & (tests.side == -1)
        found &= tests.drug == (drugs.index(drug) if drug in drugs else -1)
        rank = 1 + int((tests.pvalue < tests.pvalue[found].min()).sum()) if found.any() else np.nan
        out[f"{drug}/{group}"] = rank
    return out


def recovery(fit: Any, file: Path) -> dict[str, float]:
    """Test error x 1000, RE and IBRE on a published simulation, with its own masks."""
    screen = published(file.stem)
    answer: Answer = _quietly(fit, screen.seen, screen.validation, False)
    out: dict[str, float] = {"threshold": answer.threshold}
    for label, threshold in (("", THRESHOLD), ("_auto", answer.threshold)):
        scores = recovery_scores(
            answer.low_rank,
            screen.data,
            truth_signal=screen.signal,
            truth_low_rank=screen.low_rank,
            heldout=screen.validation | screen.test,
            block=screen.block,
            threshold=threshold,
            test=screen.test,
            completed=answer.completed,
        )
        out["mse_x1000"] = 1e3 * scores["test_mse"]
        out |= {f"RE{label}": scores["re"], f"IBRE{label}": scores["ibre"]}
    return out


def _quietly(fit: Any, *args: Any) -> Any:
    # A setting that needs more iterations than the default allows is judged as it stands.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(*args)


def _say(row: dict[str, Any]) -> str:
    return "  ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
