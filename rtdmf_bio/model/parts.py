"""The general and the specific part of a screen.

    G_ij  = level_i + slope_i g_j                            general part
    S     = X - G                                            specific part
    weighed = level_i + (m + a^2 (slope_i - m)) g_j + a S_ij

| symbol  | variable              | shape  | meaning                                             |
|---------|-----------------------|--------|-----------------------------------------------------|
| X       | ``corrected``         | (n, p) | the corrected matrix                                |
| g       | ``General.line``      | (p,)   | general sensitivity of a line, mean 0, variance 1   |
| level   | ``General.level``     | (n,)   | mean of a drug                                      |
| slope   | ``General.slope``     | (n,)   | how far a drug follows g; m is the mean over drugs  |
| a       | ``specific_weight``   | scalar | 1 leaves X as it is                                 |

Between laboratories the general part carries over better. A matrix weighed for such a comparison
is no better estimate of what a repeat of the experiment would give.

Source: general levels of drug sensitivity, Geeleher et al. (Genome Biology 2016); the split and
the weights are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class General:
    """Level and slope of every drug, general sensitivity of every line."""

    level: Array
    slope: Array
    line: Array

    def matrix(self) -> Array:
        return self.level[:, None] + np.outer(self.slope, self.line)

    def weighed(self, weight: float, mean: float) -> Array:
        """The general part with each drug's own slope drawn towards the mean slope."""
        return General(self.level, mean + weight**2 * (self.slope - mean), self.line).matrix()


def general_part(predicted: Array) -> General:
    """Split off what one number per line explains.

    g is the mean over drugs, each centred and weighed by its spread: drugs that act on nothing
    say nothing about a line.

    Parameters
    ----------
    predicted
        Finite matrix (n, p), with as little noise as can be had.
    """
    level = predicted.mean(axis=1)
    centred = predicted - level[:, None]
    spread = np.sqrt((centred**2).mean(axis=1))
    # Without a unit of its own, since the square of a product of two units may leave a float; by a
    # power of two, which changes no bit.
    line = np.ldexp(spread, -np.frexp(spread.max())[1]) @ centred
    size = np.sqrt((line**2).mean())
    line = line / size if size > 0 else line
    return General(level, centred @ line / line.size, line)
