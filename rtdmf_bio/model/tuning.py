"""Score settings by hold-out.

    mse     mean over held-out entries of (D - C)^2
    robust  mean over held-out entries of min((D - L)^2, c^2)

| symbol | variable     | meaning                                                        |
|--------|--------------|----------------------------------------------------------------|
| D      | ``values``   | measurements, (n, p), NaN where not measured                   |
| C      | ``completed``| what missing entries are imputed with                          |
| L      | ``low_rank`` | the broad structure, what residuals are measured from          |
| c      | ``cut``      | CUT x noise of the default settings, the same for all settings |

``mse`` is the criterion of Hu et al. 2025. Blocks of specific response are low rank themselves, so
it rewards an L that absorbs them, and nothing is left to flag. ``robust`` counts no residual for
more than c, so that fitting a spike pays little, while structure that spikes displaced from L
costs on the entries around them. Rank correlation over 60 settings (depth 2-4, four losses, decay
0.5-2) with the number of wrongly recovered entries, on three published simulations (52 x 50 real
residual; 800 x 100 mixed; 800 x 100 two blocks), by ``benchmarks/criteria.py``:

| criterion                        |      |      |      |
|----------------------------------|------|------|------|
| mse of C                         | 0.47 | 0.55 | 0.46 |
| mse of L                         | 0.00 | 0.27 | 0.55 |
| robust, c = 2 x noise            | 0.93 | 0.81 | 0.61 |
| robust, c = 3 x noise            | 0.95 | 0.76 | 0.62 |
| robust, c = 4 x noise            | 0.95 | 0.66 | 0.61 |
| the same of C, c = 3 x noise     | 0.56 | 0.51 | 0.53 |
| Welsch, c = 2 x noise            | 0.94 | 0.78 | 0.61 |
| noise + spike mixture likelihood | 0.95 | 0.78 | 0.60 |
| Huber, 1.5 x noise               | 0.91 | 0.58 | 0.66 |
| median of abs(D - L)             | 0.90 | 0.82 | 0.64 |
| error of L against the truth     | 0.95 | 0.91 | 0.67 |
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .device import limited_threads
from .estimator import RTDMF
from .holdout import TRAIN, VALIDATION
from .preparation import trivial_answers
from .settings import PRESETS, resolve

CRITERIA = ("robust", "mse")
CUT = 2.0

# What a held-out prediction depends on; the rest acts on measured entries, or on the final fit.
TUNABLE = (
    "preset", "threshold", "loss", "depth", "width", "init", "init_scale", "optimizer",
    "learning_rate", "momentum", "weight_decay", "impute", "impute_weight_decay",
    "early_stopping", "patience", "center", "scale_power", "max_iter", "tol", "burn_in",
)  # fmt: skip

_DEFAULT_GRID: tuple[dict[str, list[Any]], ...] = (
    {"loss": ["mixture"], "depth": [3, 2, 4], "weight_decay": [1.0, 0.7, 1.4]},
    # In units of the whole spread, which is larger than the noise.
    {"loss": ["squared"], "depth": [3, 2], "weight_decay": [0.5, 0.3]},
)


@dataclass(frozen=True)
class Task:
    """What all candidates share."""

    values: NDArray[np.float64]  # (n, p), NaN where not measured
    fold: NDArray[np.int8]  # as ``split`` returns it
    cut: float = np.inf


def default_candidates(fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For want of a grid: the settings as they are, then variations of what is not ``fixed``."""
    from sklearn.model_selection import ParameterGrid

    names = [name for name in _DEFAULT_GRID[0] if name not in fixed]
    base = resolve({**RTDMF().get_params(), **fixed})
    grid = [{name: part[name] for name in names} for part in _DEFAULT_GRID]
    out = [{name: base[name] for name in names}]
    for candidate in ParameterGrid(grid):
        if candidate not in out:
            out.append(candidate)
    return out


def filled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter as ``settings`` and their preset make it, right or wrong."""
    params = {**RTDMF().get_params(), **settings}
    preset = PRESETS.get(str(params["preset"]), {})
    return {name: preset.get(name) if value is None else value for name, value in params.items()}


def score(residual: NDArray[np.float64], cut: float = np.inf) -> float:
    """Mean squared residual, none counted for more than ``cut``."""
    return float(np.mean(np.minimum(residual**2, cut**2)))


def cut_of(task: Task, settings: Mapping[str, Any]) -> float:
    """The truncation c of ``robust``: CUT x noise found by the default settings."""
    return CUT * float(_fit(task, settings).unexplained_sd_)


def evaluate(task: Task, settings: Mapping[str, Any], fold: int = VALIDATION) -> dict[str, Any]:
    """Fit to the training entries and score on ``fold``; an error becomes a field of the result.

    Choices that a fit makes by hold-out itself are made on the validation entries.
    """
    start = time.perf_counter()
    try:
        model = _fit(task, settings)
        out: dict[str, Any] = {**scores(task, model.low_rank_, model.completed_, fold)}
        if not np.isfinite(list(out.values())).all():
            raise FloatingPointError("The prediction of held-out entries is not finite.")
        out |= {"n_iter": model.n_iter_, "stop_reason": model.stop_reason_.name.lower()}
    except Exception as error:
        # The search goes on: a setting that cannot run is a result, too.
        out = {"error": f"{type(error).__name__}: {error}"}
    return out | {"seconds": time.perf_counter() - start}


def scores(
    task: Task, low_rank: NDArray[np.float64], completed: NDArray[np.float64], fold: int
) -> dict[str, float]:
    """Both criteria on the entries of ``fold``."""
    inside = task.fold == fold
    truth = task.values[inside]
    return {
        "mse": score(truth - completed[inside]),
        "robust": score(truth - low_rank[inside], task.cut),
    }


def trivial(task: Task) -> dict[str, NDArray[np.float64]]:
    """Predictions (n, p) that know no structure, from the training entries."""
    grand, means = trivial_answers(task.values, task.fold == TRAIN)
    return {"two-way means": means, "grand mean": np.full(task.values.shape, grand)}


def _fit(task: Task, settings: Mapping[str, Any]) -> RTDMF:
    # Of retention nothing is needed here, nor folds; training entries are all a refit may see.
    model = RTDMF(**settings, retain="none", crossfit=0, unmeasured="nan", max_missing=1.0)
    # What is no measurement was refused before, or is to be kept.
    model.set_params(refit=False, progress=False, extreme="keep")
    validation = task.fold == VALIDATION
    seen = validation | (task.fold == TRAIN)
    # One thread each, so that the bits do not depend on how many run at a time. Filters are of
    # the whole process: other threads leave them to whoever started them.
    alone = threading.current_thread() is threading.main_thread()
    with limited_threads(0), warnings.catch_warnings() if alone else nullcontext():
        if alone:
            warnings.simplefilter("ignore", ConvergenceWarning)  # stop_reason says it
        return model.fit(np.where(seen, task.values, np.nan), validation=validation)
