"""Means: what every other method must beat."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..model.preparation import two_way
from ._shared import Matrix, check, tuned_over

_SWEEPS = 200


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
    data = check(X)
    values = torch.as_tensor(np.nan_to_num(data))
    measured = torch.as_tensor(np.isfinite(data), dtype=torch.float64)
    general = two_way(values, measured)
    size = float(values.abs().max())
    for _ in range(_SWEEPS):
        before = general.matrix()
        general.update(values, measured, sweeps=10)
        if float((general.matrix() - before).abs().max()) <= 1e-10 * size:
            break
    fitted: Matrix = general.matrix().numpy()
    return fitted
