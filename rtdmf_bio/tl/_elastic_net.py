"""One elastic net per drug from expression, its penalty chosen within the training lines.

    min_w  |y - X w|^2 / (2 n) + a (b |w|_1 + (1 - b) |w|^2 / 2)

| symbol | variable             | shape                                                      |
|--------|----------------------|------------------------------------------------------------|
| X      | ``x``                | (n training lines, p genes), centred before a fit          |
| y      | a row of ``targets`` | (n,), NaN where not trained on, centred before a fit       |
| a      | ``alphas``           | from where all coefficients are zero down to 1 % of that   |
| b      | ``_RATIO``           | 0.5: genes act in groups, of which a lasso would keep one  |

The coordinate descent works on X'X, which all drugs trained on the same lines share, and goes down
the path of penalties, each from the solution before, until the error has ceased to fall.
Source: Zou & Hastie, JRSS B 67 (2005); Friedman et al., Journal of Statistical Software 33 (2010).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import enet_path

Array = NDArray[np.float64]

_RATIO = 0.5
_N_ALPHAS, _LOWEST = 20, 0.01
_PATIENCE = 3  # penalties without improvement that end a path: the next ones cost most
_TOL = 1e-3  # duality gap in shares of |y|^2: far below what expression leaves unexplained
_MAX_ITER = 10_000


class _Design(NamedTuple):
    """Centred expression of the lines of one fit."""

    x: Array
    mean: Array
    gram: Array


def elastic_net(
    x: Array, targets: Array, truth: Array, x_new: Array, inner: NDArray[np.bool_]
) -> Array:
    """Predict every row of ``targets`` for new lines.

    Parameters
    ----------
    x
        Standardised expression of the training lines, shape (n, p).
    targets
        What to train on, one row per drug, shape (d, n), NaN where there is nothing.
    truth
        What a penalty is judged by, shape (d, n), NaN where there is nothing.
    x_new
        Expression of the new lines, shape (m, p).
    inner
        The training lines on which penalties are judged, shape (n,). The model with the chosen
        penalty is fitted again to all.

    Returns
    -------
    Shape (d, m). A drug without a target is NaN; without a judgement it gets its mean.
    """

    @lru_cache(maxsize=2)  # complete targets share the two; others have lines of their own
    def design(lines: bytes) -> _Design:
        part = x[np.frombuffer(lines, dtype=bool)]
        mean = part.mean(0)
        part = np.asfortranarray(part - mean)
        return _Design(part, mean, part.T @ part)

    out = np.full((len(targets), len(x_new)), np.nan)
    for row, (target, judge) in enumerate(zip(targets, truth, strict=True)):
        has = np.isfinite(target)
        if not has.any():
            continue
        whole, level = design(has.tobytes()), target[has].mean()
        alphas = _alphas(whole, target[has] - level)
        fit, check = has & ~inner, inner & np.isfinite(judge)
        varies = np.ptp(target[has]) > 0 and alphas[0] > 0
        if not varies or fit.sum() < 2 or not check.any():
            out[row] = level
            continue
        chosen = _choose(design(fit.tobytes()), target[fit], x[check], judge[check], alphas)
        coef = _path(whole, target[has] - level, alphas[: chosen + 1])
        out[row] = level + (x_new - whole.mean) @ coef
    return out


def _choose(design: _Design, y: Array, x_check: Array, truth: Array, alphas: Array) -> int:
    """Index of the penalty with the least squared error on the lines set aside."""
    level, coef, best, chosen = y.mean(), None, np.inf, 0
    for k, alpha in enumerate(alphas):
        coef = _path(design, y - level, np.array([alpha]), coef)
        error = np.mean((truth - level - (x_check - design.mean) @ coef) ** 2)
        if error < best:
            best, chosen = error, k
        elif k - chosen == _PATIENCE:
            break
    return chosen


def _alphas(design: _Design, y: Array) -> Array:
    largest = np.abs(design.x.T @ y).max() / (y.size * _RATIO)
    return np.asarray(largest * np.geomspace(1, _LOWEST, _N_ALPHAS))


def _path(design: _Design, y: Array, alphas: Array, start: Array | None = None) -> Array:
    """Coefficients at the last of the penalties."""
    coefs: Array = enet_path(
        design.x, y, l1_ratio=_RATIO, alphas=alphas, precompute=design.gram, Xy=design.x.T @ y,
        coef_init=start, tol=_TOL, max_iter=_MAX_ITER, check_input=False, random_state=0,
    )[1]  # fmt: skip
    return coefs[:, -1]
