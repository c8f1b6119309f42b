"""Robust principal component analysis of a matrix with missing entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..model.checks import check_number
from ._nuclear import minimise
from ._shared import Grid, Matrix, check, tuned_over

_PUBLISHED = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_FINER = (0.3, 0.7, 0.85, 1.2, 1.4, 1.7, 3.0)


def _grid(data: Matrix) -> Grid:
    """The published values of ``tau`` and, around the theory's 1, finer ones."""
    return [{"tau": tau} for tau in sorted(_PUBLISHED + _FINER)]


@tuned_over(_grid)
def rpca(X: ArrayLike, *, tau: float = 1.0, tol: float = 1e-4, max_iter: int = 2000) -> Matrix:
    """Low rank plus sparse: RPCA on the measured entries.

    min ||L||_* + tau / sqrt(max(n, p)) ||S||_1  subject to  L + S = X  where X is measured

    Parameters
    ----------
    X
        Drugs x cell lines, n x p, NaN where not measured, in any unit.
    tau
        Price of the sparse part, without unit; 1 is that of Candes et al. A small one leaves
        nothing to L, a large one nothing to S.
    tol
        Relative size of the primal and the dual residual at which the fit stops.
    max_iter
        Most iterations.

    Returns
    -------
    L in the shape and unit of ``X``, float64; S is ``X - L``.

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
    Candes, Li, Ma and Wright (Journal of the ACM 2011), section 1.6 for missing entries. With S
    put in by its constraint the problem is ||L||_* plus absolute residuals, solved by ADMM:
    singular values are shrunk, then the residual of every measured entry.
    """
    data = check(X)
    check_number("tau", tau, 0.0)
    check_number("tol", tol, 0.0, 1.0)
    check_number("max_iter", max_iter, 1)
    measured = np.isfinite(data)
    start = np.where(measured, data, np.nanmean(data))
    price = np.where(measured, tau / np.sqrt(max(data.shape)), 0.0)

    def prox(V: Matrix, step: float) -> Matrix:
        # V moves towards the data by as much as the price allows, and no further.
        return V + np.clip(start - V, -price * step, price * step)

    return minimise(prox, start, tol=tol, max_iter=max_iter)
