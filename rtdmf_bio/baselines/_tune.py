"""The parameters with the least validation error."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._shared import Baseline, Grid, Matrix, check, hide

if TYPE_CHECKING:
    import pandas as pd


class Tuned(NamedTuple):
    """What ``tune`` found."""

    fit: Matrix
    params: dict[str, Any]
    table: pd.DataFrame


def tune(
    method: Baseline[Any],
    X: ArrayLike,
    validation: NDArray[np.bool_],
    *,
    grid: Grid | None = None,
    random_state: int = 0,
) -> Tuned:
    """Fit a method with every parameter of its grid, and keep the best.

    Parameters
    ----------
    method
        One of ``METHODS``.
    X
        Drugs x cell lines, NaN where not measured, in any unit.
    validation
        Boolean mask of measured entries, shape of ``X``: hidden from every fit, and predicted.
    grid
        Parameters to try; by default ``method.grid`` of what is left to see.
    random_state
        Seed, for methods that draw.

    Returns
    -------
    ``fit``
        The fit with the least root mean square error on ``validation``, made without it; float64,
        shape and unit of ``X``.
    ``params``
        Its parameters.
    ``table``
        One row per fit: the parameters, ``validation_rmse`` in the unit of ``X``, ``seconds``.

    Raises
    ------
    TypeError, ValueError
        If ``X`` or ``validation`` cannot be used, or nothing would be left of a drug or line.
    """
    import pandas as pd

    data, validation = check(X), np.asarray(validation)
    seen = check(hide(data, validation))
    accepts = inspect.signature(method).parameters
    fits: list[Matrix] = []
    errors, rows = [], []
    for params in method.grid(seen) if grid is None else grid:
        extra: dict[str, Any] = {}
        if "random_state" in accepts:
            extra["random_state"] = random_state
        if "validation" in accepts:
            extra["validation"] = validation
        if "start" in accepts and fits:
            extra["start"] = fits[-1]
        began = time.perf_counter()
        fits.append(method(data if "validation" in accepts else seen, **params, **extra))
        seconds = time.perf_counter() - began
        errors.append(float(np.sqrt(np.mean((fits[-1] - data)[validation] ** 2))))
        rows.append({**params, "validation_rmse": errors[-1], "seconds": seconds})
    best = int(np.argmin(errors))
    params = {k: v for k, v in rows[best].items() if k not in ("validation_rmse", "seconds")}
    return Tuned(fits[best], params, pd.DataFrame(rows))
