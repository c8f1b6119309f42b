"""Means: what every other method must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..model.checks import check_choice
from ..model.preparation import CENTERS
from ..model.preparation import two_way_means as fitted_means
from ._shared import Matrix, check, tuned_over


@tuned_over(lambda data: [{}])
def grand_mean(X: ArrayLike) -> Matrix:
    """Mean of all measured entries, everywhere.

    Parameters
    ----------
    X
        Drugs x cell lines, NaN where not measured, in any unit.

    Returns
    -------
    The mean in the shape and unit of ``X``, float64.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is not numeric, holds infinities, or a drug or line was never measured.
    """
    data = check(X)
    return np.full(data.shape, np.nanmean(data))


@tuned_over(lambda data: [{}])
def two_way_means(X: ArrayLike) -> Matrix:
    """Drug effect plus line effect: the least squares fit to the measured entries.

    Parameters
    ----------
    X
        Drugs x cell lines, NaN where not measured, in any unit.

    Returns
    -------
    The fit in the shape and unit of ``X``, float64.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is not numeric, holds infinities, or a drug or line was never measured.

    Notes
    -----
    Solved by alternation, until a round of sweeps changes the fit by less than 1e-10 of the
    data's size. Drugs and lines that share no measurement with the rest, not even through others,
    have no unique fit; they get the one that alternation from zero leads to.
    """
    return fitted_means(check(X))


def taken_out(data: Matrix, center: str) -> Matrix:
    """What ``center`` takes out before a fit: the two-way means, or nothing."""
    check_choice("center", center, CENTERS)
    return fitted_means(data) if center == "two-way" else np.zeros(data.shape)
