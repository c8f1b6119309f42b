"""Convex matrix factorization: the least nuclear norm within a tolerance of the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..model.checks import check_number
from ._nuclear import minimise
from ._shared import Grid, Matrix, check, tuned_over


def _grid(data: Matrix) -> Grid:
    """From the spread of the data to a 50th of it, and none."""
    shares = (*np.geomspace(1, 0.02, 9), 0.0)
    return [{"eps": float(share * np.nanstd(data))} for share in shares]


@tuned_over(_grid)
def convex_mf(X: ArrayLike, *, eps: float, tol: float = 1e-4, max_iter: int = 2000) -> Matrix:
    """Nuclear norm minimisation with a tolerance for every entry.

    min ||L||_*  subject to  |X_ij - L_ij| <= eps  where X is measured

    Parameters
    ----------
    X
        Drugs x cell lines, NaN where not measured, in any unit.
    eps
        Tolerance of each measured entry, in the unit of ``X``. At 0 measured entries are met.
    tol
        Relative size of the primal and the dual residual at which the fit stops.
    max_iter
        Most iterations.

    Returns
    -------
    L in the shape and unit of ``X``, float64. It is of low rank; the tolerance is exceeded by
    ``tol`` times the norm of the data at most, over all entries together.

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
    The "convex MF" of Hu et al. (Briefings in Bioinformatics 2025), after Candes and Plan (Proc.
    IEEE 2010), there posed to a general solver with eps between 0.01 and 0.3 on AUC. Solved here
    by ADMM: singular values are shrunk, then every measured entry is moved into its tolerance.
    """
    data = check(X)
    check_number("eps", eps, 0.0)
    check_number("tol", tol, 0.0, 1.0)
    check_number("max_iter", max_iter, 1)
    measured = np.isfinite(data)
    start = np.where(measured, data, np.nanmean(data))
    low, high = np.where(measured, data - eps, -np.inf), np.where(measured, data + eps, np.inf)

    def prox(V: Matrix, step: float) -> Matrix:
        return np.clip(V, low, high)

    return minimise(prox, start, tol=tol, max_iter=max_iter)
