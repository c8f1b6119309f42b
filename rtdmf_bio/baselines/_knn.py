"""Nearest neighbours, over cell lines or over drugs.

``knn_impute`` fills what is missing and leaves what was measured: its residuals are zero there,
so it can neither flag nor correct. ``knn_smooth`` replaces every entry by its neighbours' mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.impute import KNNImputer
from sklearn.metrics.pairwise import nan_euclidean_distances

from ..model.checks import check_choice, check_number
from ._means import taken_out
from ._shared import Grid, Matrix, check, tuned_over

_NEIGHBORS = (2, 4, 8, 16, 32, 64)
_TINY = 1e-100  # distance of twins, which then decide alone


def _grid(data: Matrix) -> Grid:
    return [
        {"n_neighbors": k, "over": over, "center": center}
        for over, size in (("lines", data.shape[1]), ("drugs", data.shape[0]))
        for center in ("two-way", "none")
        for k in _NEIGHBORS
        if k < size
    ] or [{"n_neighbors": 1}]


@tuned_over(_grid)
def knn_impute(
    X: ArrayLike,
    *,
    n_neighbors: int = 10,
    over: str = "lines",
    center: str = "two-way",
    weights: str = "distance",
) -> Matrix:
    """Fill each missing entry by the mean of the nearest lines or drugs that have it.

    Parameters
    ----------
    X
        Drugs x cell lines, NaN where not measured, in any unit.
    n_neighbors
        Neighbours to average, of those measured there.
    over
        Neighbours are ``lines`` or ``drugs``.
    center
        ``two-way``: the two-way means are taken out first and put back; ``none``.
    weights
        ``distance``: neighbours weigh in proportion to 1 / distance; ``uniform``: all alike.

    Returns
    -------
    Shape and unit of ``X``, float64. Measured entries are those of ``X``: the residual is zero.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is not numeric, holds infinities, or a drug or line was never measured, and if a
        parameter is out of range.

    Notes
    -----
    Troyanskaya et al. (Bioinformatics 2001) as in :class:`sklearn.impute.KNNImputer`: distances
    are Euclidean over what two have in common, scaled up for what they have not; where no
    neighbour has the entry and a distance, the mean over all that have it.
    """
    data = check(X)
    rest, general = _oriented(data, n_neighbors, over, center, weights)
    filled = KNNImputer(n_neighbors=n_neighbors, weights=weights).fit_transform(rest)
    filled = (filled.T if over == "lines" else filled) + general
    return np.where(np.isfinite(data), data, filled)


@tuned_over(_grid)
def knn_smooth(
    X: ArrayLike,
    *,
    n_neighbors: int = 10,
    over: str = "lines",
    center: str = "two-way",
    weights: str = "distance",
) -> Matrix:
    """Replace each entry, measured or not, by the mean of the nearest lines or drugs that have it.

    Parameters
    ----------
    X
        Drugs x cell lines, NaN where not measured, in any unit.
    n_neighbors
        Neighbours to average, of those measured there; a line or drug is not its own neighbour.
    over
        Neighbours are ``lines`` or ``drugs``.
    center
        ``two-way``: the two-way means are taken out first and put back; ``none``.
    weights
        ``distance``: neighbours weigh in proportion to 1 / distance; ``uniform``: all alike.

    Returns
    -------
    Shape and unit of ``X``, float64. On missing entries it is that of :func:`knn_impute`.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is not numeric, holds infinities, or a drug or line was never measured, and if a
        parameter is out of range.

    Notes
    -----
    Distances and what to do without neighbours as in :func:`knn_impute`. An entry takes part in
    its line's distances, so neighbours lean towards it.
    """
    data = check(X)
    rest, general = _oriented(data, n_neighbors, over, center, weights)
    measured, values = np.isfinite(rest), np.nan_to_num(rest)
    distance: Any = nan_euclidean_distances(rest)
    np.fill_diagonal(distance, np.nan)
    smooth = np.tile(np.nanmean(rest, axis=0), (len(rest), 1))
    for i, to_others in enumerate(distance):
        near = np.argsort(to_others, kind="stable")[: np.isfinite(to_others).sum()]
        has = measured[near]
        used = has & (np.cumsum(has, axis=0, dtype=np.int32) <= n_neighbors)
        some = used.any(1)  # far fewer than all
        near, used = near[some], used[some]
        weight = 1 / np.maximum(to_others[near], _TINY) if weights == "distance" else 1.0
        share = used * np.reshape(weight, (-1, 1))
        total = share.sum(0)
        np.divide((share * values[near]).sum(0), total, out=smooth[i], where=total > 0)
    return (smooth.T if over == "lines" else smooth) + general


def _oriented(
    data: Matrix, n_neighbors: int, over: str, center: str, weights: str
) -> tuple[Matrix, NDArray[np.float64]]:
    """What is left of ``data`` with the neighbours in rows, and the general part as it lies."""
    check_choice("over", over, ("lines", "drugs"))
    check_choice("weights", weights, ("uniform", "distance"))
    check_number("n_neighbors", n_neighbors, 1)
    general = taken_out(data, center)
    rest = data - general
    return (rest.T if over == "lines" else rest), general
