"""Simple answers to hold RTDMF against, each as ``fit(data, validation, refit)``.

``data`` is drugs x cell lines with NaN where not to be seen. What is open is chosen on
``validation``; with ``refit`` the fit is then repeated on everything seen, as RTDMF does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.impute import KNNImputer

from rtdmf_bio.model.estimator import RTDMF
from rtdmf_bio.model.noise import DrugNoise
from rtdmf_bio.model.preparation import two_way


@dataclass
class Answer:
    """Prediction of every entry, low-rank part (None where there is none), and threshold."""

    completed: np.ndarray
    low_rank: np.ndarray | None
    threshold: float
    model: RTDMF | None = None


def grand_mean(data: np.ndarray, validation: np.ndarray, refit: bool) -> Answer:
    return _choose(lambda seen, _: np.full(seen.shape, np.nanmean(seen)), data, validation, refit)


def two_way_means(data: np.ndarray, validation: np.ndarray, refit: bool) -> Answer:
    return _choose(lambda seen, _: means(seen), data, validation, refit)


def knn(data: np.ndarray, validation: np.ndarray, refit: bool) -> Answer:
    """Nearest lines, on what the two-way means leave."""

    def fit(seen: np.ndarray, k: int) -> np.ndarray:
        general = means(seen)
        imputer = KNNImputer(n_neighbors=k, weights="distance", keep_empty_features=True)
        return general + imputer.fit_transform((seen - general).T).T

    answer = _choose(fit, data, validation, refit, (10, 20, 40))
    answer.low_rank = None  # it says nothing of entries that are measured
    return answer


def soft_impute(data: np.ndarray, validation: np.ndarray, refit: bool) -> Answer:
    """Nuclear-norm completion of what the two-way means leave (Mazumder et al. 2010)."""

    def fit(seen: np.ndarray, share: float) -> np.ndarray:
        if seen.shape[0] > seen.shape[1]:
            return fit(seen.T, share).T
        general = means(seen)
        rest = seen - general
        observed, filled = np.isfinite(rest), np.nan_to_num(rest)
        top, fitted = np.linalg.norm(filled, 2), np.zeros(rest.shape)
        # A falling penalty, each started from the one before, is quicker than the last alone.
        for penalty in np.geomspace(0.5, share, 4) * top:
            for _ in range(100):
                full = np.where(observed, filled, fitted)
                square, u = np.linalg.eigh(full @ full.T)  # quicker than the SVD
                kept = 1 - penalty / np.sqrt(np.maximum(square, penalty**2))
                new = (u * kept) @ (u.T @ full)
                change = np.linalg.norm(new - fitted)
                fitted = new
                if change <= 2e-3 * np.linalg.norm(new):
                    break
        return general + fitted

    return _choose(fit, data, validation, refit, (0.35, 0.22, 0.14, 0.09, 0.055, 0.035, 0.02))


def rtdmf(**params: Any) -> Any:
    def fit(data: np.ndarray, validation: np.ndarray, refit: bool) -> Answer:
        model = RTDMF(**params, refit=refit).fit(data, validation=validation)
        return Answer(model.completed_, model.low_rank_, model.threshold_, model)

    return fit


def means(seen: np.ndarray) -> np.ndarray:
    """Drug mean + line mean over the measured entries."""
    mask = torch.as_tensor(np.isfinite(seen), dtype=torch.float64)
    return two_way(torch.as_tensor(np.nan_to_num(seen)), mask).matrix().numpy()


def rmse(fitted: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    return float(np.sqrt(np.mean((fitted - truth)[where] ** 2)))


def _choose(
    fit: Any, data: np.ndarray, validation: np.ndarray, refit: bool, grid: tuple[Any, ...] = (0,)
) -> Answer:
    """Walk along ``grid`` while the validation error falls; threshold as RTDMF chooses it."""
    hidden = np.where(validation, np.nan, data)
    best: Any = None
    for value in grid:
        fitted = fit(hidden, value)
        error = rmse(fitted, data, validation)
        if best is not None and error >= best[0]:
            break
        best = (error, value, fitted)
    _, value, fitted = best
    observed = torch.as_tensor(np.isfinite(data), dtype=torch.float64)
    residual = torch.as_tensor(np.nan_to_num(data - fitted))
    noise = DrugNoise.fit(residual, observed, torch.as_tensor(validation))
    fitted = fit(data, value) if refit else fitted
    return Answer(fitted, fitted, noise.even_odds())
