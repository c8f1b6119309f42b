"""Predictions for cell lines that nothing was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MODELS = ("elastic-net", "transfer")
TRAININGS = ("rtdmf", "knn", "measured")
GENERAL, DRUG_MEAN = "general only", "drug mean"
_INNER = 0.2  # of the training lines, as many as five folds hold out


@dataclass(frozen=True)
class Task:
    """What all folds share."""

    values: Array  # (n drugs, p lines), NaN where not measured
    genes: Array  # (p, genes), NaN for lines without expression
    fold: NDArray[np.intp]  # (p,), -1 for lines without expression
    groups: dict[str, NDArray[np.object_]]
    chosen: NDArray[np.intp]  # rows to predict
    model: str
    correction: dict[str, Any]
    n_genes: int
    pretrain: Array | None
    device: str
    random_state: int


def predict_all(
    task: Task, trainings: list[str], n_folds: int, n_jobs: int | None, progress: bool
) -> tuple[dict[str, Array], Array]:
    """Predictions by training, (chosen, p lines), and the whole matrix corrected."""
    import joblib
    from tqdm.auto import tqdm

    jobs = [(fold, name) for name in trainings for fold in range(n_folds)]
    shape = (task.chosen.size, task.fold.size)
    predictions = {name: np.full(shape, np.nan) for name in trainings}
    corrected = np.empty(0)
    bar = tqdm(total=len(jobs) + 1, desc="predict", disable=None if progress else True, leave=False)
    # Around all jobs too: those that run as threads would restore each other's setting.
    with _one_thread(), bar:
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        for done, result in parallel(joblib.delayed(_job)(task, job) for job in [None, *jobs]):
            if done is None:
                corrected = result
            else:
                predictions[done[1]][:, task.fold == done[0]] = result
            bar.update()
    return predictions, corrected


def predict_fold(task: Task, fold: int, training: str) -> Array:
    """Predict the chosen drugs for the held-out lines of a fold, shape (chosen, held out)."""
    held_out = task.fold == fold
    # From here on there are only the training lines.
    values = task.values[:, ~held_out]
    if training == DRUG_MEAN:
        return np.repeat(_means(values[task.chosen]), held_out.sum(), axis=1)
    known = task.fold[~held_out] >= 0
    groups = {key: labels[~held_out] for key, labels in task.groups.items()}
    with _one_thread():
        matrix = _trained_on(values, groups, training, task.correction)
        truth = matrix if training == GENERAL else values
        rows = slice(None) if training == GENERAL or task.model == "transfer" else task.chosen
        predicted = _model(
            task, fold, task.genes[~held_out][known], matrix[rows][:, known],
            truth[rows][:, known], task.genes[held_out],
        )  # fmt: skip
    if training == GENERAL:
        return _from_general(values[task.chosen], matrix[0], predicted[0])
    return predicted[task.chosen] if task.model == "transfer" else predicted


def correct_all(values: Array, groups: Mapping[str, Any], correction: dict[str, Any]) -> Array:
    """Correct a matrix by RT-DMF; drugs without a measurement are NaN."""
    from ..model.estimator import RTDMF

    corrected: Array = RTDMF(**correction).fit(values, groups=groups or None).corrected_
    return corrected


def _trained_on(
    values: Array, groups: Mapping[str, Any], training: str, correction: dict[str, Any]
) -> Array:
    from ..baselines import knn_impute, two_way_means

    if training == "measured":
        return values
    if training == "rtdmf":
        return correct_all(values, groups, correction)
    measured = np.isfinite(values).any(1)
    if training == GENERAL:
        return np.asarray(two_way_means(values[measured]).mean(0, keepdims=True))
    out = np.full(values.shape, np.nan)
    out[measured] = knn_impute(values[measured])
    return out


def _model(task: Task, fold: int, genes: Array, targets: Array, truth: Array, new: Array) -> Array:
    """Scale expression by the training lines, set lines aside among them, fit and predict."""
    rng = np.random.default_rng((task.random_state, fold))
    inner = np.zeros(len(genes), dtype=bool)
    inner[rng.permutation(len(genes))[: max(1, round(_INNER * len(genes)))]] = True
    spread = _spread(genes)
    top = np.sort(np.argsort(-spread, kind="stable")[: task.n_genes])
    mean, spread = genes[:, top].mean(0), np.where(spread > 0, spread, 1)[top]
    x, x_new = (genes[:, top] - mean) / spread, (new[:, top] - mean) / spread
    if task.model == "elastic-net":
        from ._elastic_net import elastic_net

        return elastic_net(x, targets, truth, x_new, inner)
    from ._transfer import transfer

    further = None
    if task.pretrain is not None:
        further = task.pretrain[:, top]
        deviation = _spread(further)
        further = (further - further.mean(0)) / np.where(deviation > 0, deviation, 1)
    return transfer(
        x, targets, truth, x_new, inner,
        pretrain=further, device=task.device, seed=task.random_state,
    )  # fmt: skip


def _spread(genes: Array) -> Array:
    """Standard deviation of each gene, 0 of one that does not vary, whatever rounding says."""
    return np.where(np.ptp(genes, axis=0) > 0, genes.std(0), 0.0)


def _from_general(values: Array, general: Array, predicted: Array) -> Array:
    """Lead from general sensitivity to each drug by least squares on the training lines."""
    measured = np.isfinite(values)
    level = _means(values)
    center = _means(np.where(measured, general, np.nan))
    deviation = np.where(measured, general - center, 0)
    slope = (deviation * np.nan_to_num(values - level)).sum(1, keepdims=True)
    size = (deviation**2).sum(1, keepdims=True)
    slope = np.divide(slope, size, out=np.zeros_like(slope), where=size > 0)
    return np.asarray(level + slope * (predicted - center))


def _means(values: Array) -> Array:
    """Mean of each row's measurements as a column, NaN without any."""
    count = np.isfinite(values).sum(1, keepdims=True)
    total = np.nansum(values, axis=1, keepdims=True)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _job(task: Task, job: tuple[int, str] | None) -> tuple[tuple[int, str] | None, Array]:
    if job is None:
        return job, correct_all(task.values, task.groups, task.correction)
    return job, predict_fold(task, *job)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Products of this size do not repay a second thread, and bits must not depend on it."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from ..model.device import limited_threads

    with limited_threads(0), threadpool_limits(1, "blas"):
        yield
