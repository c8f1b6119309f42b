"""The general and the specific part of a screen, and how much of a measurement ``shrink`` trusts.

    P_ij  = ridge regression of drug i on all other drugs, fitted without line j
    X_ij  = P_ij + w_ij (D_ij - P_ij)                        denoised
    G_ij  = level_i + slope_i g_j                            general part
    S     = X - G                                            specific part
    corrected = level_i + (m + a^2 (slope_i - m)) g_j + a S_ij

| symbol  | variable              | shape  | meaning                                             |
|---------|-----------------------|--------|-----------------------------------------------------|
| Z       | ``filled``            | (n, p) | D, completed where not measured                     |
| P       | ``predicted``         | (n, p) | what the other drugs say of an entry unseen         |
| w       | ``reliability``       | (n, 1) | share of D - P that is kept                         |
| g       | ``General.line``      | (p,)   | general sensitivity of a line, mean 0, variance 1   |
| level   | ``General.level``     | (n,)   | mean of a drug                                      |
| slope   | ``General.slope``     | (n,)   | how far a drug follows g; m is the mean over drugs  |
| a       | ``specific_weight``   | scalar | 1 leaves X as it is                                 |

The fit itself cannot judge an entry that it was fitted to: a chain rich enough for a small screen
passes through its noise. P has not seen the entry.

D - P is noise or response of this drug in this line alone, and no single matrix can tell one from
the other. What it does say: a drug that acts on nothing shows the noise of the assay. So the
quietest tenth of the drugs gives the noise, w_i = 1 - (noise / spread of D_i - P_i)^2, and half of
the way to the mean over drugs, since noise also grows where a drug acts. Drugs screened twice can
tell them apart: w is then how far the rest of one agrees with that of the other.

Sources: the leave-one-out residual of a ridge regression is that of Allen's PRESS (Technometrics
1974); general levels of drug sensitivity, Geeleher et al. (Genome Biology 2016). The split into
parts and the weights are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PENALTIES = np.geomspace(0.03, 30, 13)  # times the mean eigenvalue over lines
_QUIET = 0.1  # share of the drugs that is taken to do nothing
_FEWEST = 10  # common lines of two replicates


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


def leave_one_out(filled: Array, observed: NDArray[np.bool_], scale: Array) -> Array:
    """Predict every entry from the other drugs, by a regression that has not seen its line.

    With K = Y'Y + penalty over lines and z = Y_i, taking drug i out of K is a rank-one update, and
    the residual at line j left out is closed form, so that one decomposition serves all entries
    and penalties. The penalty with the least error over measured entries is taken.

    Parameters
    ----------
    filled
        Finite everywhere, (n, p); of value where ``observed``, completed elsewhere.
    observed
        Which entries are measured, (n, p).
    scale
        Each drug is divided by this, (n, 1), positive.

    Returns
    -------
    P, shape and unit of ``filled``.
    """
    mean = filled.mean(axis=1, keepdims=True)
    Y = (filled - mean) / scale
    _, size, right = np.linalg.svd(Y, full_matrices=False)
    energy = size**2
    if not energy.sum() > 0:
        return np.broadcast_to(mean, filled.shape).copy()
    inside = right**2  # (k, p)
    outside = np.maximum(1 - inside.sum(axis=0), 0)
    scores = Y @ right.T
    best, least = Y, np.inf
    for penalty in _PENALTIES * energy.sum() / Y.shape[1]:
        inverse = 1 / (energy + penalty)
        solved = (scores * inverse) @ right  # K^-1 z for every drug; z lies in the span
        left = 1 - ((scores**2) @ inverse)[:, None]  # 1 - z'K^-1 z
        diagonal = inverse @ inside + outside / penalty  # of K^-1
        residual = solved / left / (diagonal + solved**2 / left)
        error = float(((residual * scale)[observed] ** 2).sum())
        if error < least:
            best, least = residual, error
    predicted: Array = filled - best * scale
    return predicted


def reliability(spread: Array) -> Array:
    """Share of its unpredicted rest that each drug keeps, from the spread of that rest.

    Parameters
    ----------
    spread
        Standard deviation of D - P by drug, without rare large deviations, (n,), above 0.

    Returns
    -------
    (n,), in [0, 1]
    """
    noise = np.quantile(spread, _QUIET)
    own = np.maximum(0.0, 1 - (noise / spread) ** 2)
    kept: Array = (own + own.mean()) / 2
    return kept


def replicated(
    filled: Array, observed: NDArray[np.bool_], scale: Array, labels: NDArray[np.object_]
) -> float:
    """Share of the unpredicted rest that drugs screened twice have in common.

    Neither of two replicates may predict the other, so that each half of the screen, with one of
    every two, is predicted by itself. Of more than two, the first two are compared.

    Parameters
    ----------
    filled, observed, scale
        As for :func:`leave_one_out`.
    labels
        Which drug each row is (n,); rows with the same label are replicates, None is none.

    Returns
    -------
    Correlation of the two rests over all pairs, each drug by its own spread; at least 0.

    Raises
    ------
    ValueError
        If no two rows are replicates measured on enough common lines.
    """
    rows: dict[object, list[int]] = {}
    for i, label in enumerate(labels):
        if label is not None:
            rows.setdefault(label, []).append(i)
    pairs = [one[:2] for one in rows.values() if len(one) > 1]
    others = [one for one in rows.values() if len(one) > 1]
    halves = []
    for k in (0, 1):
        out = {i for one in others for i in one} - {pair[k] for pair in pairs}
        kept = np.array([i for i in range(len(filled)) if i not in out])
        rest = np.full(filled.shape, np.nan)
        rest[kept] = filled[kept] - leave_one_out(filled[kept], observed[kept], scale[kept])
        halves.append(np.where(observed, rest, np.nan))
    product = size = 0.0
    for i, j in pairs:
        a, b = halves[0][i], halves[1][j]
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() < _FEWEST:
            continue
        a, b = a[both] - a[both].mean(), b[both] - b[both].mean()
        spread = np.sqrt((a**2).mean() * (b**2).mean())
        if spread > 0:
            product += float((a * b).sum() / spread)
            size += both.sum()
    if not size:
        raise ValueError(
            f"replicates names {len(pairs)} drug(s) that were screened twice, none of them on at "
            f"least {_FEWEST} common lines. Leave replicates out."
        )
    return max(product / size, 0.0)
