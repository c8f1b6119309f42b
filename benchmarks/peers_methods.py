"""Other people's matrix completion, each as peers.py runs it: one fit, and the settings to try.

    python benchmarks/peers_methods.py METHOD FOLDER LIMIT

reads FOLDER/seen.npz, chooses, fits, writes FOLDER/answer.npy and prints what it took. A process
for each, so that a crash is one row.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
Grid = list[dict[str, Any]]
Answer = tuple[Array, dict[str, Any]]  # the completed matrix, and columns of the table


@dataclass
class Method:
    """``fit(data, **setting)`` completes drugs x lines, NaN where not to be seen."""

    fit: Callable[..., Any]
    module: str = "rtdmf_bio.baselines"
    package: str = ""  # as it is installed; none for this one
    grid: Grid = field(default_factory=list)
    kind: str = "peer"  # or ours, published, trivial
    chooses: bool = False  # by itself: takes ``validation`` too, and returns an Answer


def every(**values: Any) -> Grid:
    """All combinations."""
    return [dict(zip(values, v, strict=True)) for v in itertools.product(*values.values())]


# --- what several share


def effects(data: Array) -> Array:
    from rtdmf_bio import baselines

    return baselines.two_way_means(data)


def standard(data: Array, center: str) -> tuple[Array, Array, float]:
    """Data of unit spread, without drug + line means unless ``none``; and the way back."""
    base = effects(data) if center == "two-way" else np.full(data.shape, np.nanmean(data))
    spread = float(np.nanstd(data - base))
    return (data - base) / spread, base, spread


def triplets(data: Array) -> tuple[Array, Array, Array]:
    drug, line = np.nonzero(np.isfinite(data))
    return drug, line, data[drug, line]


# --- peers


def knn_imputer(data: Array, neighbours: int, over: str, center: str) -> Array:
    from sklearn.impute import KNNImputer

    scaled, base, spread = standard(data, center)
    imputer = KNNImputer(n_neighbors=neighbours, weights="distance", keep_empty_features=True)
    if over == "lines":
        return base + spread * imputer.fit_transform(scaled.T).T
    return base + spread * imputer.fit_transform(scaled)


def iterative_imputer(data: Array, nearest: int, center: str) -> Array:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    scaled, base, spread = standard(data, center)
    turned = scaled.shape[0] < scaled.shape[1]  # what is fewer are the features
    imputer = IterativeImputer(
        n_nearest_features=nearest, max_iter=10, random_state=0, keep_empty_features=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged in 10 rounds, its default
        filled = imputer.fit_transform(scaled.T if turned else scaled)
    return base + spread * (filled.T if turned else filled)


def smurff_bpmf(data: Array, rank: int) -> Array:
    import scipy.sparse as sp
    import smurff

    scaled, base, spread = standard(data, "two-way")
    drug, line, values = triplets(scaled)
    train = sp.coo_matrix((values, (drug, line)), shape=data.shape)
    asked = np.nonzero(np.isnan(data))
    test = sp.coo_matrix((np.ones(asked[0].size), asked), shape=data.shape)
    session = smurff.BPMFSession(
        Ytrain=train, Ytest=test, num_latent=rank, burnin=40, nsamples=80, verbose=0, seed=1,
        num_threads=1,
    )  # fmt: skip
    out = base.copy()
    for answer in session.run():
        out[answer.coords] += spread * answer.pred_avg
    return out


def cmfrec(data: Array, rank: int, penalty: float) -> Array:
    import pandas as pd
    from cmfrec import CMF

    scaled, base, spread = standard(data, "none")
    drug, line, values = triplets(scaled)
    table = pd.DataFrame({"UserId": drug, "ItemId": line, "Rating": values})
    model = CMF(k=rank, lambda_=penalty, scale_lam=True, nthreads=1, verbose=False)
    model.fit(table)
    drug, line = (index.ravel() for index in np.indices(data.shape))
    return base + spread * model.predict(drug, line).reshape(data.shape)


def libmf(data: Array, rank: int, penalty: float) -> Array:
    from libmf import mf

    scaled, base, spread = standard(data, "two-way")
    model = mf.MF(
        fun=0, k=rank, nr_iters=50, nr_threads=1, lambda_p1=0, lambda_q1=0, lambda_p2=penalty,
        lambda_q2=penalty, quiet=True,
    )  # fmt: skip
    model.fit(np.column_stack(triplets(scaled)))
    where = np.indices(data.shape).reshape(2, -1).T.astype(np.int32)
    return base + spread * model.predict(where).reshape(data.shape)


def cornac_mf(data: Array, rank: int, penalty: float, rate: float) -> Array:
    from cornac.data import Dataset
    from cornac.models import MF

    scaled, base, spread = standard(data, "none")
    drug, line, values = triplets(scaled)
    # So that its own numbers for drugs and lines are ours.
    own = [{k: k for k in range(size)} for size in data.shape]
    table = Dataset(*data.shape, *own, (drug, line, values), seed=0)
    model = MF(
        k=rank, max_iter=200, learning_rate=rate, lambda_reg=penalty, use_bias=True, seed=0,
        num_threads=1, verbose=False,
    )  # fmt: skip
    model.fit(table)
    biases = model.u_biases[:, None] + model.i_biases + model.global_mean
    return base + spread * (biases + model.u_factors @ model.i_factors.T)


def magic(data: Array, neighbours: int, steps: int, center: str) -> Array:
    from magic import MAGIC

    scaled, base, spread = standard(data, center)
    filled = np.where(np.isfinite(scaled), scaled, effects(scaled))
    operator = MAGIC(knn=neighbours, t=steps, n_jobs=1, random_state=0, verbose=False)
    return base + spread * np.asarray(operator.fit_transform(filled.T)).T


def iterative_svd(data: Array, rank: int, center: str) -> Array:
    from fancyimpute import IterativeSVD

    scaled, base, spread = standard(data, center)
    return base + spread * IterativeSVD(rank=rank, verbose=False).fit_transform(scaled)


def hyperimpute(data: Array, plugin: str, center: str) -> Array:
    import pandas as pd
    from hyperimpute.plugins.imputers import Imputers

    scaled, base, spread = standard(data, center)
    table = pd.DataFrame(scaled.T, columns=[f"drug {i}" for i in range(len(data))])
    return base + spread * np.asarray(Imputers().get(plugin).fit_transform(table.copy())).T


# --- this package


def trivial(data: Array, name: str) -> Array:
    from rtdmf_bio import baselines

    return getattr(baselines, name)(data)


def soft_impute(data: Array, validation: Array) -> Answer:
    from rtdmf_bio import baselines

    fit = baselines.soft_impute
    grid = fit.grid(np.where(validation, np.nan, data))[::2]  # both centrings
    best = baselines.tune(fit, data, validation, grid=grid)
    start = time.perf_counter()
    fitted = fit(data, **best.params)
    final = time.perf_counter() - start
    return fitted, {"final": final, "tried": len(grid), "chosen": in_words(best.params)}


def rtdmf(data: Array, validation: Array, **params: Any) -> Answer:
    from rtdmf_bio import RTDMF

    return RTDMF(**params).fit(data, validation=validation).completed_, {}


def wide(data: Array, validation: Array, affordable: float = 120) -> Answer:
    """As many iterations as it takes to leave its start, if they can be afforded.

    The long run is ``LONG_RUN`` iterations; ``wide.py`` ran it, and after 1,180 nothing was gained.
    """

    def descend(iterations: int) -> tuple[Array, float]:
        start = time.perf_counter()
        fitted, _ = rtdmf(data, validation, preset="paper", retain="all", max_iter=iterations)
        return fitted, time.perf_counter() - start

    descend(10)
    each = (descend(30)[1] - descend(10)[1]) / 20
    long_run = {"seconds": each * LONG_RUN, "cpu": each * LONG_RUN}
    note = f"extrapolated to {LONG_RUN} iterations"
    if each * ENOUGH > affordable:
        return np.full(data.shape, np.nan), {**long_run, "note": f"{note} from 20"}
    fitted, took = descend(ENOUGH)
    long_run = dict.fromkeys(("seconds", "cpu"), took / ENOUGH * LONG_RUN)
    return fitted, {**long_run, "note": f"{note} from {ENOUGH}, whose error this is"}


LONG_RUN, ENOUGH = 24_000, 2_000
CENTERS = ("two-way", "none")
FACTORS = every(rank=(16, 32, 64, 128), penalty=(0.01, 0.02, 0.05))
BARE: dict[str, Any] = {"crossfit": 0, "retain": "all"}
OWN: dict[str, Any] = {"module": "rtdmf_bio.model.estimator", "kind": "ours", "chooses": True}
METHODS = {
    "RTDMF, default": Method(rtdmf, **OWN),
    "RTDMF, crossfit 0": Method(partial(rtdmf, **BARE), **OWN),
    "RTDMF, refined, crossfit 0": Method(partial(rtdmf, impute="refined", **BARE), **OWN),
    "wide network, as published": Method(wide, OWN["module"], kind="published", chooses=True),
    "grand mean": Method(partial(trivial, name="grand_mean"), kind="trivial"),
    "drug + line means": Method(partial(trivial, name="two_way_means"), kind="trivial"),
    "soft-impute (rtdmf_bio)": Method(soft_impute, chooses=True),
    "KNNImputer": Method(
        knn_imputer,
        "sklearn.impute",
        "scikit-learn",
        every(neighbours=(5, 15, 40), over=("drugs", "lines"), center=CENTERS),
    ),
    "IterativeImputer": Method(
        iterative_imputer,
        "sklearn.impute",
        "scikit-learn",
        every(nearest=(30, 100), center=CENTERS),
    ),
    "SMURFF, BPMF": Method(smurff_bpmf, "smurff", "smurff", every(rank=(16, 32, 64))),
    "cmfrec": Method(cmfrec, "cmfrec", "cmfrec", FACTORS),
    "LibMF": Method(libmf, "libmf", "libmf", FACTORS),
    "Cornac, MF": Method(
        cornac_mf,
        "cornac.models",
        "cornac",
        every(rank=(16, 32, 64, 128), penalty=(0.01, 0.02, 0.05), rate=(0.02,)),
    ),
    "MAGIC": Method(
        magic, "magic", "magic-impute", every(neighbours=(5, 15), steps=(1, 3), center=CENTERS)
    ),
    "fancyimpute, IterativeSVD": Method(
        iterative_svd,
        "fancyimpute",
        "fancyimpute",
        every(rank=(5, 10, 20), center=CENTERS),
    ),
    **{
        f"HyperImpute, {plugin}": Method(
            partial(hyperimpute, plugin=plugin, center=center),
            "hyperimpute.plugins.imputers",
            "hyperimpute",
        )
        for plugin, center in (
            ("softimpute", "two-way"),
            ("missforest", "none"),
            ("hyperimpute", "none"),
        )
    },
}


# --- one process


def in_words(setting: dict[str, Any]) -> str:
    texts = (f"{v:.3g}" if isinstance(v, float) else str(v) for v in setting.values())
    return ", ".join(f"{k} {v}" for k, v in zip(setting, texts, strict=True))


def choose(method: Method, data: Array, validation: Array, limit: float) -> Answer:
    """The setting with the least validation error, of as many as the limit leaves time for."""
    train = np.where(validation, np.nan, data)
    start, longest, errors = time.perf_counter(), 0.0, []
    for setting in method.grid:
        began = time.perf_counter()
        fitted = method.fit(train, **setting)
        errors.append(np.sqrt(np.mean((fitted - data)[validation] ** 2)))
        longest = max(longest, time.perf_counter() - began)
        if time.perf_counter() - start + 2.2 * longest > limit:  # another, and the final fit
            break
    chosen = method.grid[int(np.nanargmin(errors))] if errors else {}
    began = time.perf_counter()
    fitted = method.fit(data, **chosen)
    final = time.perf_counter() - began
    tried = {"tried": len(errors), "chosen": in_words(chosen)} if errors else {}
    return fitted, {"final": final, **tried}


def answer(name: str, folder: Path, limit: float) -> dict[str, Any]:
    method = METHODS[name]
    try:
        importlib.import_module(method.module)  # is no part of the time
    except ImportError as error:
        return {"note": f"does not import: {error}" if installed(method) else "not installed"}
    importlib.import_module("rtdmf_bio.baselines")
    with np.load(folder / "seen.npz") as seen:
        data, validation = seen["data"], seen["validation"]
    warnings.simplefilter("ignore")
    start, cpu = time.perf_counter(), time.process_time()
    if method.chooses:
        fitted, row = method.fit(data, validation)
    else:
        fitted, row = choose(method, data, validation, limit)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    np.save(folder / "answer.npy", fitted)
    return {"seconds": seconds, "cpu": cpu, "version": installed(method), **row}


def installed(method: Method) -> str:
    try:
        return version(method.package) if method.package else ""
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(json.dumps(answer(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))))
