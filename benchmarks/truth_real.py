"""Sections of truth.py on real screens: an independent repeat, and entries held out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import torch
from real import screen
from report import Rows
from rivals import knn, means, rival, rmse, soft_impute, soft_impute_centred
from scipy.stats import norm, spearmanr
from screens import DATA
from truth_common import Array, again, hidden, interval, mean, say

import rtdmf_bio as rt
from rtdmf_bio import baselines
from rtdmf_bio.model import process

BOOTSTRAPS = 1000
FEWEST = 10  # lines of a drug that a repeat is compared on

# --- repeats


@dataclass
class Repeat:
    """One experiment and an independent repeat of some of its drugs, (n, p)."""

    first: Array
    second: Array  # NaN where not measured in both
    drug: Array  # (n,), names
    group: Array  # (p,), of the lines


def nci60(quick: bool) -> list[Repeat]:
    """First and second experiment of each compound."""
    table = pd.read_csv(DATA / "nci60" / "experiments.csv.gz")
    lines = table.columns.drop(["nsc", "prefix", "name"])
    if quick:
        table = table[table["nsc"].isin(table["nsc"].unique()[::6])]
    turn = table.groupby("nsc").cumcount()
    first, second = (table[turn == k].set_index("nsc")[lines] for k in (0, 1))
    first = first[first.notna().sum(axis=1) >= 5]
    second = second.reindex(first.index)
    return [_repeat(first.to_numpy(float), second.to_numpy(float), first.index, lines.str[:2])]


def gdsc1000_twins(quick: bool) -> list[Repeat]:
    """Drugs under two identifiers: either one beside the other drugs, and the other one."""
    adata = screen("gdsc1000")
    drugs = pd.read_csv(DATA / "gdsc1000" / "drugs.csv.gz").set_index("drug")["name"]
    name = drugs.reindex(adata.obs_names).fillna(adata.obs_names.to_series())
    name = name.str.lower().str.replace(r"[\W_]", "", regex=True).to_numpy()
    values = np.asarray(adata.X, dtype=float)
    if quick:
        values, adata = values[:, :150], adata[:, :150]
    rows = pd.Series(range(len(name))).groupby(name).agg(list)
    twins = rows[rows.str.len() > 1]
    out = []
    for way in (0, 1):
        others = {i: pair[1 - way] for pair in twins for i in [pair[way]]}
        left_out = {i for pair in twins for i in pair} - set(others)
        keep = [i for i in range(len(name)) if i not in left_out]
        second = np.full((len(keep), values.shape[1]), np.nan)
        for k, i in enumerate(keep):
            if i in others:
                second[k] = values[others[i]]
        out.append(_repeat(values[keep], second, name[keep], adata.var["tissue"]))
    return out


def _repeat(first: Array, second: Array, drug: Any, group: Any) -> Repeat:
    lines = np.isfinite(first).sum(0) >= 5
    second = np.where(np.isfinite(first), second, np.nan)
    return Repeat(first[:, lines], second[:, lines], np.array(drug), np.array(group)[lines])


def _answers(repeat: Repeat) -> dict[str, Array]:
    """What every method makes of the first experiment."""
    data = repeat.first
    validation = hidden(data, 1)
    model = rt.RTDMF().fit(data, groups=repeat.group.astype(str))
    answers = {
        "measured": data,
        "two-way means": means(data),
        "KNN": knn(data, validation, True).completed,
        "soft-impute, centred": soft_impute_centred(data, validation, True).completed,
        "our prediction alone": model.predicted_,
        "corrected": model.corrected_,
        "corrected, no groups": again(model, grouped=False).corrected,
        "specific_weight 0.7": again(model, specific_weight=0.7).corrected,
    }
    for share in (0.2, 0.4, 0.6, 0.8):
        answers[f"P + {share} (measured - P)"] = model.predicted_ + share * model.unseen_
    return answers


def repeats(given: argparse.Namespace) -> dict[str, Rows]:
    tables = {}
    for title, pairs in (
        ("NCI-60, -log10 GI50: a second experiment", nci60(given.quick)),
        ("GDSC1000, AUC: the same drug under another identifier", gdsc1000_twins(given.quick)),
    ):
        parts: dict[str, list[pd.DataFrame]] = {}
        for repeat in pairs:
            for name, answer in _answers(repeat).items():
                parts.setdefault(name, []).append(_distances(answer, repeat))
        by = {name: pd.concat(part, ignore_index=True) for name, part in parts.items()}
        rows = _distance_rows(by)
        for row in rows:
            say(row)
        count = by["measured"]["drug"].nunique()
        tables[f"{title}; {count} drugs, {int(by['measured']['n'].sum())} entries"] = rows
    return tables


def _distances(answer: Array, repeat: Repeat) -> pd.DataFrame:
    """Of each drug: entries, sum of squares without the shift of its mean, and rank correlation."""
    rows = []
    for drug, ours, other in zip(repeat.drug, answer, repeat.second, strict=True):
        both = np.isfinite(other)
        if both.sum() >= FEWEST:
            apart = ours[both] - other[both]
            rho = spearmanr(ours[both], other[both])[0]
            rows.append((drug, both.sum(), np.sum((apart - apart.mean()) ** 2), rho))
    return pd.DataFrame(rows, columns=["drug", "n", "square", "rho"])


def _distance_rows(by: dict[str, pd.DataFrame]) -> Rows:
    """RMSE and median rho, and their distance to the measurements' with drugs drawn anew."""
    code = pd.factorize(by["measured"]["drug"])[0]
    where = [np.flatnonzero(code == k) for k in range(code.max() + 1)]
    rng = np.random.default_rng(0)
    draws = [
        np.concatenate([where[k] for k in rng.integers(len(where), size=len(where))])
        for _ in range(BOOTSTRAPS)
    ]

    def scores(table: pd.DataFrame, at: Array) -> tuple[float, float]:
        n, square, rho = (table[name].to_numpy()[at] for name in ("n", "square", "rho"))
        return float(np.sqrt(square.sum() / n.sum())), float(np.nanmedian(rho))

    every = np.arange(len(code))
    whole = np.array([scores(by["measured"], at) for at in draws])
    rows = []
    for name, table in by.items():
        error, rho = scores(table, every)
        row: dict[str, Any] = {"": name, "RMSE": error, "median rho": rho}
        if name != "measured":
            drawn = np.array([scores(table, at) for at in draws])
            base = scores(by["measured"], every)
            change = 100 * (drawn[:, 0] / whole[:, 0] - 1)
            row["RMSE, % of measured's"] = f"{100 * (error / base[0] - 1):+.1f} {interval(change)}"
            row["rho, less measured's"] = f"{rho - base[1]:+.3f} {interval((drawn - whole)[:, 1])}"
        rows.append(row)
    return rows


# --- heldout


def real_screens(quick: bool) -> Iterator[tuple[str, Array]]:
    """Smaller ones first."""
    gdsc1 = rt.datasets.gdsc1()

    def published(name: str) -> Any:
        return screen(name).X

    found: dict[str, Callable[[], Any]] = {}
    found |= {name: partial(published, name) for name in ("fimm", "ccle", "prism")}
    if not quick:
        found["nci60"] = lambda: nci60(False)[0].first
        found |= {"gdsc1": lambda: gdsc1.X, "gdsc1 ln IC50": lambda: gdsc1.layers["ln_ic50"]}
        found |= {name: partial(published, name) for name in ("gdsc1000", "ctrpv2")}
    for name, read in found.items():
        if not DATA.exists() and not name.startswith("gdsc1"):
            continue
        matrix = np.asarray(read(), dtype=float)
        for _ in range(3):
            matrix = matrix[np.isfinite(matrix).sum(1) >= 5]
            matrix = matrix[:, np.isfinite(matrix).sum(0) >= 5]
        yield name, matrix


PEERS = {
    "grand mean": rival(baselines.grand_mean),
    "two-way means": rival(means),
    "KNN over drugs": rival(baselines.knn_smooth, center="two-way", over="drugs"),
    "KNN over lines": rival(baselines.knn_smooth, center="two-way", over="lines"),
    "soft-impute": soft_impute,
    "soft-impute, centred": soft_impute_centred,
}
ITERATIVE = "iterative, Bayesian ridge"
WITHOUT = {
    "all four terms": (),
    "without Sd x Sl": (0,),
    "without Ed x El": (1,),
    "without Ed x I": (2,),
    "without I x El": (3,),
    "Sd x Sl alone": (1, 2, 3),
}
ABLATED = ("gdsc1", "ccle")


def iterative(seen: Array) -> Array:
    """The smaller side is regressed on the 100 most alike at a time; NaN where that takes long."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    turned = seen.shape[0] < seen.shape[1]
    table = seen.T if turned else seen
    if table.shape[1] > 400:
        return np.full(seen.shape, np.nan)
    imputer = IterativeImputer(n_nearest_features=100, max_iter=5, random_state=0)
    filled = imputer.fit_transform(table)
    return filled.T if turned else filled


def heldout(given: argparse.Namespace) -> dict[str, Rows]:
    errors: dict[str, dict[str, float]] = {}
    terms: dict[str, dict[str, float]] = {}
    ranges: Rows = []
    seeds = given.seeds or 1
    for name, data in real_screens(given.quick):
        runs = [_one_heldout(data, seed, name in ABLATED) for seed in range(seeds)]
        errors[name] = dict(pd.DataFrame([run[0] for run in runs]).mean())
        ranges.append({"screen": name, **mean([run[1] for run in runs])})
        if name in ABLATED:
            terms[name] = dict(pd.DataFrame([run[2] for run in runs]).mean())
        say(ranges[-1] | errors[name] | terms.get(name, {}))
    left_out = (
        "Not run: MissForest, which takes hours; SMURFF, which is "
        f"{'' if find_spec('smurff') else 'not '}installed; what has no number, which takes long"
    )
    return {
        f"RMSE on 15 % of the measurements, which no method has seen. {left_out}.": _turned(errors),
        "Beside the best peer, and 90 % intervals of these entries": ranges,
        "The process alone, without each term of its kernel: RMSE on the same": _turned(terms),
    }


def _one_heldout(
    data: Array, seed: int, ablated: bool
) -> tuple[dict[str, float], dict[str, Any], dict[str, float]]:
    test = hidden(data, seed)
    seen = np.where(test, np.nan, data)
    validation = hidden(seen, seed + 1000)
    fits = {name: peer(seen, validation, True).completed for name, peer in PEERS.items()}
    fits[ITERATIVE] = iterative(seen)
    errors = {name: rmse(fit, data, test) for name, fit in fits.items()}
    best = min(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    model = rt.RTDMF().fit(seen)
    chain = rt.RTDMF(impute="refined", retain="all", crossfit=0).fit(seen).completed_
    ours = {"ours, L": model.low_rank_, "ours, refined": chain, "ours, default": model.completed_}
    errors |= {name: rmse(fit, data, test) for name, fit in ours.items()}
    square = [np.where(test, (fit - data) ** 2, 0).sum(1) for fit in (model.completed_, fits[best])]
    rng = np.random.default_rng(0)
    draws = rng.multinomial(len(data), np.full(len(data), 1 / len(data)), BOOTSTRAPS)
    gain = 100 * (1 - np.sqrt((draws @ square[0]) / (draws @ square[1])))
    half = norm.ppf(0.95) * np.nanstd(seen, axis=1, keepdims=True)
    trivial = np.abs(data - np.nanmean(seen, axis=1, keepdims=True)) <= half
    inside = (data >= model.lower_) & (data <= model.upper_)
    width = (model.upper_ - model.lower_)[test].mean()
    row = {
        "best peer": best,
        "% below it": 100 * (1 - errors["ours, default"] / errors[best]),
        "drugs drawn anew": interval(gain),
        "share of the process": model.prediction_["process"],
        "coverage": float(inside[test].mean()),
        "drug mean +- 1.645 sd": float(trivial[test].mean()),
        "width, of theirs": float(width / (2 * np.broadcast_to(half, data.shape)[test]).mean()),
    }
    return errors, row, _terms(seen, chain, data, test) if ablated else {}


def _terms(seen: Array, chain: Array, data: Array, test: Array) -> dict[str, float]:
    here = np.isfinite(seen)
    parts = (torch.as_tensor(x) for x in (np.where(here, seen, 0.0), here * 1.0, chain))
    measured, train, completed = parts
    errors, weights = {"the chain that it starts from": rmse(chain, data, test)}, process.WEIGHTS
    for name, absent in WITHOUT.items():
        a, b, c, d = (0.0 if k in absent else w for k, w in enumerate(weights))
        process.WEIGHTS = a, b, c, d
        fitted = process.predict(measured, train, completed, lambda _: None)
        errors[name] = rmse(fitted.numpy(), data, test)
    process.WEIGHTS = weights
    return errors


def _turned(columns: dict[str, dict[str, float]]) -> Rows:
    return [{"": i, **row} for i, row in pd.DataFrame(columns).to_dict("index").items()]
