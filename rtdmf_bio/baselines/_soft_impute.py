"""Soft-impute: least squares with a nuclear norm penalty."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from ..model.checks import check_number
from ._means import taken_out
from ._nuclear import shrink_singular_values
from ._shared import Grid, Matrix, check, tuned_over


def _grid(data: Matrix) -> Grid:
    """Falling multiples of the largest singular value that pure noise would have.

    Noise of standard deviation s, observed at a share q of n x p entries and zero elsewhere,
    reaches s (sqrt(n) + sqrt(p)) sqrt(q); s is the spread around the two-way means.
    """
    n, p = data.shape
    rest = (data - taken_out(data, "two-way"))[np.isfinite(data)]
    spread = math.sqrt(np.mean(rest**2)) or float(np.nanstd(data))
    edge = spread * (math.sqrt(n) + math.sqrt(p)) * math.sqrt(rest.size / data.size)
    penalties = edge * np.geomspace(2, 0.1, 20)
    return [
        {"penalty": float(penalty), "center": center}
        for center in ("two-way", "none")
        for penalty in penalties
    ]


@tuned_over(_grid)
def soft_impute(
    X: ArrayLike,
    *,
    penalty: float,
    center: str = "two-way",
    start: ArrayLike | None = None,
    tol: float = 1e-4,
    max_iter: int = 1000,
) -> Matrix:
    """Complete the matrix by iterated soft-thresholding of its singular values.

    min 1/2 sum over measured entries of (X_ij - G_ij - L_ij)^2 + penalty ||L||_*

    Parameters
    ----------
    X
        Drugs x cell lines, NaN where not measured, in any unit.
    penalty
        Lambda: by how much singular values are shrunk, in the unit of ``X``.
    center
        ``two-way``: G is the two-way means, not penalised; ``none``: G is 0.
    start
        Fit to begin from, such as that of a neighbouring ``penalty``; shape of ``X``. It saves
        time and does not change the answer beyond ``tol``.
    tol
        Stop when an iteration changes L by no more than this share of its norm.
    max_iter
        Most iterations.

    Returns
    -------
    G + L in the shape and unit of ``X``, float64.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is not numeric, holds infinities, or a drug or line was never measured, and if a
        parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If ``max_iter`` was reached.

    Notes
    -----
    Mazumder, Hastie and Tibshirani (Journal of Machine Learning Research 2010). Each iteration
    fills the missing entries from the last and shrinks the singular values; as it is a proximal
    gradient step, it is sped up by Nesterov's momentum, dropped where it leads uphill
    (O'Donoghue and Candes 2015).
    """
    data = check(X)
    check_number("penalty", penalty, 0.0)
    check_number("tol", tol, 0.0, 1.0)
    check_number("max_iter", max_iter, 1)
    general = taken_out(data, center)
    measured, rest = np.isfinite(data), data - general
    low = np.zeros(data.shape)
    if start is not None:
        low = np.asarray(start, dtype=float)
        if low.shape != data.shape or not np.isfinite(low).all():
            raise ValueError(
                f"The start parameter must be finite, of shape {data.shape}. Got shape {low.shape}."
            )
        low = low - general
    ahead, pace = low, 1.0
    for _ in range(max_iter):
        new = shrink_singular_values(np.where(measured, rest, ahead), penalty)
        step = new - low
        if np.linalg.norm(step) <= tol * np.linalg.norm(new):
            break
        uphill = np.vdot(ahead - new, step) > 0
        before, pace = (1.0, 1.0) if uphill else (pace, (1 + math.sqrt(1 + 4 * pace**2)) / 2)
        ahead = new + (before - 1) / pace * step
        low = new
    else:
        warnings.warn(
            f"Soft-impute was still changing after {max_iter} iterations; raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return general + new
