"""What RTDMF is held against, each as ``fit(data, validation, refit)``.

``data`` is drugs x cell lines with NaN where not to be seen. What is open is chosen on
``validation``; with ``refit`` the fit is then repeated on everything seen, as RTDMF does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rtdmf_bio import baselines
from rtdmf_bio.model.estimator import RTDMF
from rtdmf_bio.model.noise import DrugNoise

# The paper's objective and rules on the compact chain: from a small start, ended by validation.
PAPER: dict[str, Any] = {
    "preset": "paper", "width": "auto", "init": "spectral", "init_scale": 1e-3,
    "optimizer": "accelerated", "learning_rate": "auto", "patience": 100,
}  # fmt: skip


@dataclass
class Answer:
    """Prediction of every entry, low-rank part, and threshold."""

    completed: np.ndarray
    low_rank: np.ndarray
    threshold: float


def rival(method: Any, every: int = 1, **fixed: Any) -> Any:
    """A baseline, tuned over its own grid where that agrees with ``fixed``, or part of it."""

    def fit(data: np.ndarray, validation: np.ndarray, refit: bool) -> Answer:
        grid = method.grid(np.where(validation, np.nan, data))
        grid = [params for params in grid if fixed.items() <= params.items()][::every]
        best = baselines.tune(method, data, validation, grid=grid)
        fitted = method(data, **best.params) if refit else best.fit
        return Answer(fitted, fitted, even_odds(data, best.fit, validation))

    return fit


def even_odds(data: np.ndarray, fitted: np.ndarray, validation: np.ndarray) -> float:
    """The threshold that RTDMF's rule gives a fit that has not seen ``validation``."""
    observed = torch.as_tensor(np.isfinite(data), dtype=torch.float64)
    residual = torch.as_tensor(np.nan_to_num(data - fitted))
    return DrugNoise.fit(residual, observed, torch.as_tensor(validation)).even_odds()


def rtdmf(**params: Any) -> Any:
    def fit(data: np.ndarray, validation: np.ndarray, refit: bool) -> Answer:
        model = RTDMF(**params, refit=refit).fit(data, validation=validation)
        return Answer(model.completed_, model.low_rank_, model.threshold_)

    return fit


means = baselines.two_way_means
grand_mean, two_way_means = rival(baselines.grand_mean), rival(means)
# 2 to 64 neighbours, over drugs and over lines.
knn = rival(baselines.knn_smooth, center="two-way")
# Ten penalties from 2 to 0.12 times the edge of noise; neighbours differ by a third in penalty.
soft_impute = rival(baselines.soft_impute, every=2, center="none")
soft_impute_centred = rival(baselines.soft_impute, every=2, center="two-way")


def rmse(fitted: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    return float(np.sqrt(np.mean((fitted - truth)[where] ** 2)))
