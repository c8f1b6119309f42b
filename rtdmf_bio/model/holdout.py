"""Hold-out masks over observed entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def holdout_mask(observed: Mask, fraction: float, rng: np.random.Generator) -> Mask:
    """Draw ``fraction`` of the observed entries, leaving every drug and line something to fit.

    Parameters
    ----------
    observed
        Which entries are measured, shape (n drugs, p lines).
    fraction
        Share of the observed entries to hold out, in (0, 1).
    rng
        The only source of randomness.

    Returns
    -------
    Boolean mask of held-out entries, shape (n, p). Entries that are the only training entry
    left of their drug or of their line are never held out, so the share may fall just short.
    """
    flat = np.flatnonzero(observed)
    wanted = round(fraction * flat.size)
    order = rng.permutation(flat)
    drug, line = np.unravel_index(order, observed.shape)
    left_drug, left_line = observed.sum(1), observed.sum(0)
    # Almost always nobody runs out, and the plain draw is right as it stands.
    take = np.zeros(flat.size, dtype=bool)
    take[:wanted] = True
    n_drug = np.bincount(drug[take], minlength=observed.shape[0])
    n_line = np.bincount(line[take], minlength=observed.shape[1])
    if (n_drug >= left_drug).any() or (n_line >= left_line).any():
        take[:] = False
        left_drug, left_line = left_drug.copy(), left_line.copy()
        taken = 0
        for k in range(flat.size):
            if taken == wanted:
                break
            i, j = drug[k], line[k]
            if left_drug[i] > 1 and left_line[j] > 1:
                left_drug[i] -= 1
                left_line[j] -= 1
                take[k] = True
                taken += 1
    mask = np.zeros(observed.shape, dtype=bool)
    mask.flat[order[take]] = True
    return mask
