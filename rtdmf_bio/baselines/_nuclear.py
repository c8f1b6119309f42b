"""Nuclear norm minimisation by ADMM, for any separable cost of the entries.

    min ||L||_* + g(Z)   subject to L = Z

| symbol | variable | shape               | meaning                                     |
|--------|----------|---------------------|---------------------------------------------|
| L      | ``low``  | (n drugs, p lines)  | exactly of low rank                         |
| Z      | ``near`` | (n, p)              | exactly what g asks for                     |
| Y      | ``dual`` | (n, p)              | scaled dual: rho Y is a subgradient of -||L||_* |
| rho    | ``rho``  | -                   | penalty, in 1 / (unit of the data)          |

Source: Boyd et al., Foundations and Trends in Machine Learning 3 (2011) 1-122, sections 3.3
(stopping) and 3.4 (over-relaxation, balance of the two residuals).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh
from sklearn.exceptions import ConvergenceWarning

from ._shared import Matrix

_RELAXATION = 1.6
_START = 60.0  # rho times the largest singular value; from 10 to 100 it matters little
_BALANCE_EVERY, _BALANCE_UNTIL = 10, 300  # iterations; with a moving rho nothing is proven


def shrink_singular_values(A: Matrix, by: float) -> Matrix:
    """Reduce every singular value of ``A`` by ``by``, those below to zero.

    Only what stays is computed, from the Gram matrix of the shorter side: a multiple faster than
    the SVD. Singular values below about 1e-7 of the largest are lost in its rounding.
    """
    if A.shape[0] > A.shape[1]:
        return shrink_singular_values(A.T, by).T
    gram = A @ A.T
    low = max(by**2, len(gram) * np.finfo(float).eps * float(np.trace(gram)))
    square, u = eigh(gram, subset_by_value=(low, np.inf), check_finite=False)
    shrunk: Matrix = (u * (1 - by / np.sqrt(square))) @ (u.T @ A)
    return shrunk


def minimise(
    prox: Callable[[Matrix, float], Matrix], start: Matrix, *, tol: float, max_iter: int
) -> Matrix:
    """Minimise ||L||_* + g(L).

    Parameters
    ----------
    prox
        ``prox(V, 1 / rho)`` minimises g(Z) + rho/2 ||Z - V||^2.
    start
        Where to begin, finite, shape (n drugs, p lines); its norm is the unit of ``tol``.
    tol
        Stop when primal residual ||L - Z|| <= tol ||start||, and dual residual rho ||Z - Z_before||
        <= tol max(||rho Y||, 1).
    max_iter
        Most iterations; reaching it warns.
    """
    size = float(np.linalg.norm(start))
    rho = _START / float(np.linalg.norm(start, 2))
    near, dual = start, np.zeros(start.shape)
    for iteration in range(1, max_iter + 1):
        low = shrink_singular_values(near - dual, 1 / rho)
        relaxed = _RELAXATION * low + (1 - _RELAXATION) * near
        before, near = near, prox(relaxed + dual, 1 / rho)
        dual = dual + relaxed - near
        primal_residual = float(np.linalg.norm(low - near)) / size
        dual_residual = float(np.linalg.norm(near - before)) / max(
            float(np.linalg.norm(dual)), 1 / rho
        )
        if primal_residual <= tol and dual_residual <= tol:
            break
        if iteration % _BALANCE_EVERY == 0 and iteration <= _BALANCE_UNTIL:
            if primal_residual > 5 * dual_residual:
                rho, dual = 2 * rho, dual / 2
            elif dual_residual > 5 * primal_residual:
                rho, dual = rho / 2, 2 * dual
    else:
        warnings.warn(
            f"ADMM was still changing after {max_iter} iterations (primal residual "
            f"{primal_residual:.1e}, dual {dual_residual:.1e}, tol {tol:.1e}); raise max_iter or "
            f"tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return low
