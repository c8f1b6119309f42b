"""How much of a measurement to keep.

    corrected = P + k_ij u,    u = D - P,    w_i = 1 - share_i
    k = (1 - e) w_i / max(|u| / limit_i, 1) + e (1 - share_i / max(|u| / (c sd_i), 1)^2)

| symbol  | variable    | shape  | meaning                                                     |
|---------|-------------|--------|-------------------------------------------------------------|
| D, P    |             | (n, p) | measurements, predictions by fits that have not seen them   |
| u       | ``unseen``  | (n, p) | what other drugs and lines do not say                       |
| share_i | ``share``   | (n,)   | share of the variance of u that is noise                    |
| limit_i | ``limit``   | (n,)   | what is farther out may be no measurement                   |
| e       | ``excess``  | (2,)   | share of the entries beyond the limit that is no noise: what|
|         |             |        | the other side does not have, or, where the noise is known, |
|         |             |        | what it is too small for; 1 where the q-value says so       |
| c       |             |        | 3, 1.5 where the q-value says so                            |
| sd_i    | ``size``    | (n,)   | root mean square of u                                       |

What noise has not brought there loses less to it the farther out it lies: a share of a response of
ten standard deviations is more than noise ever is.

u is noise, or response of this drug in this line alone. Known noise (``noise_sd``), or what was
screened more than once (repeats.py), tell which. One matrix by itself does not; what it has are
hints, each of which can be explained away:

    share_i = e^-1 r^1.5 / m v^-0.9 s^1.7 t^0.7 a_i     (spreads: squared MAD)

| hint | what it is                                       | what it says                        |
|------|--------------------------------------------------|-------------------------------------|
| r    | spread of u to that of D less drug + line means, | no more of such a drug can be noise |
|      | at the tenth of the drugs predicted best         |                                     |
| m    | the same of the median drug                      | of what is unpredicted, the more is |
|      |                                                  | response                            |
| v    | spread of u at the tenth of the drugs that vary  | where it is small, noise differs    |
|      | least, to the median drug's; at least .08        | between drugs as u does             |
| s    | mean square of u on the lighter side to that on  | noise is alike to both sides,       |
|      | the other, over all drugs                        | responses are not                   |
| t    | mean of both, in units of the drugs' spread      | tails are noise more often than not |
| a_i  | mean square of the drug on its lighter side, to  | a lopsided drug has more response   |
|      | the mean drug's, drawn to it by n / (n + 50)     | of its own                          |

Moving a good measurement does more harm than leaving a bad one, so the guess leans that way: of
simulated assays the noise is some twice as much, which is what is said of it, and in intervals.

The constants are a prior: they were fitted once to the simulated assays of benchmarks/assays.py
and the repeats of NCI-60 and GDSC1000, and rounded (benchmarks/truth.py has other seeds, and other
screens). Where little of u is noise, the measurement is left alone.

Source: shrinkage by reliability is Kelley's (1927); the hints and their weights are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mixture import NORMAL_MAD
from .repeats import FEWEST, REPLICATES, pooled, within_columns, within_rows

Array = NDArray[np.float64]
Labels = NDArray[np.object_]

_PRIOR, _OF_BEST, _OF_TYPICAL, _OF_FLOOR = -1.0, 1.5, -1.0, -0.9  # as above
_OF_SIDES, _OF_TAILS = 1.7, 0.7
_QUANTILE = 0.1  # of the drugs
_LEAST_FLOOR = 0.08
_SOME = 50  # entries that the drug's own sides count as much as the screen's at
_CAP = 4.0  # spreads: what lies beyond counts as much as this to its side
_TOO_LITTLE = 0.02  # of u that is noise: the measurements are left alone
_LIMIT = 5.0  # spreads, over the root of the share of noise
_FAR = 3.0  # root mean squares
_LEAST_REAL = 0.05  # of u: no prediction is without error
_FEWEST = 8  # entries that a spread is of
_LEANING = 2.0  # the guess leans towards the measurement: noise is about this times as much

GIVEN, PRIOR = "given", "prior"


@dataclass
class Keeping:
    """By drug, (n,); in units of the data where they have one."""

    weight: Array
    limit: Array
    size: Array  # mean square of u
    noise: Array  # share of it that is noise: more than is drawn in, where that is a guess
    excess: tuple[float, float]  # above, below
    noise_sd: Array  # NaN where it cannot be told
    source: str  # of the noise: given, replicates, or prior
    unseen_sd: float  # root mean square of u where the noise is known
    known_sd: float  # of that noise

    def share_kept(self, unseen: Array, free: NDArray[np.bool_]) -> Array:
        """Share of u that is kept, (n, p); all where u is not known; ``free``: what is no noise."""
        weight, size = self.weight[:, None], np.abs(np.nan_to_num(unseen))
        excess = np.where(free, 1.0, np.where(unseen > 0, *self.excess))
        noise = weight / np.maximum(size / self.limit[:, None], 1.0)
        far = self.far(unseen, np.where(free, _FAR / 2, _FAR))
        real = 1 - (1 - weight) / far**2
        kept: Array = np.where(np.isfinite(unseen), (1 - excess) * noise + excess * real, 1.0)
        return kept

    def far(self, unseen: Array, unit: Array | float = _FAR) -> Array:
        """Absolute u in so many root mean squares of the drug's, at least 1, (n, p)."""
        end = unit * np.sqrt(np.where(self.size > 0, self.size, np.inf))[:, None]
        far: Array = np.maximum(np.abs(np.nan_to_num(unseen)) / end, 1.0)
        return far


def keeping(
    unseen: Array,
    specific: Array,
    *,
    noise_sd: Array | None = None,
    data: Array | None = None,
    replicates: Labels | None = None,
    line_replicates: Labels | None = None,
) -> Keeping:
    """Decide by drug how much of u to keep.

    Parameters
    ----------
    unseen
        u, (n drugs, p lines), NaN where it is not known, or tells nothing of noise.
    specific
        D without drug and line means, (n, p), NaN where not measured.
    noise_sd
        Root mean square error of a measurement of each drug, (n,), NaN where it is not known; None:
        nowhere.
    data, replicates, line_replicates
        D (n, p), and one label per drug (n,) or line (p,), rows or columns with the same label
        being the same; or None.
    """
    spread, size = np.array([_spread(row) for row in unseen]), _mean_squares(unseen)
    able = spread > 0
    source, variance = PRIOR, np.full(len(unseen), np.nan)
    if noise_sd is not None:
        source, variance = GIVEN, noise_sd**2
    elif data is not None and not (replicates is None and line_replicates is None):
        source = REPLICATES
        variance = _replicated(data, _mean_squares(specific), replicates, line_replicates)
    known, share = np.isfinite(variance), np.full(len(unseen), np.nan)
    if not known[able].all():
        share[able] = _prior(unseen[able], specific[able], spread[able])
    np.divide(variance, size, out=share, where=known & (size > 0))
    share = np.clip(share, 0, 1)
    if (known & able).any():
        # The mean square of a few entries may well lie below the noise: no drug is all noise.
        room = max((1 - float(share[known & able].mean())) / 8, _LEAST_REAL)
        share[known] = np.minimum(share[known], 1 - room)
    real = np.where(known, share, np.minimum(_LEANING * share, 1.0))
    sd = np.where(known, np.sqrt(variance), np.sqrt(real * size))
    # What cannot be judged is left alone, and taken to be as noisy as the others.
    share = np.where(able, np.nan_to_num(share), 0.0)
    usual = np.nanmedian(real) if np.isfinite(real).any() else np.nan
    real = np.where(np.isfinite(real), real, usual)
    sd = np.where(np.isfinite(sd), sd, np.sqrt(real * size))
    alone = share < _TOO_LITTLE
    limit = np.where(alone, np.inf, _LIMIT * spread / np.sqrt(np.where(alone, 1.0, share)))
    weight = np.where(alone, 1.0, 1 - share)
    excess = _excess(unseen, limit, variance)
    there = np.isfinite(unseen) & known[:, None]
    noise = np.broadcast_to(variance[:, None], unseen.shape)[there]
    spreads = _root_mean(unseen[there] ** 2), _root_mean(noise)
    return Keeping(weight, limit, size, real, excess, sd, source, *spreads)


def _prior(unseen: Array, specific: Array, spread: Array) -> Array:
    """Share of noise by the hints of one matrix, (n,)."""
    if not len(unseen):
        return np.zeros(0)
    whole = _mean_squares(specific)
    relative = np.divide(spread**2, whole, out=np.ones_like(whole), where=whole > 0)
    ratio = np.quantile(relative, _QUANTILE) ** _OF_BEST * np.median(relative) ** _OF_TYPICAL
    floor = max(np.quantile(spread, _QUANTILE) ** 2 / np.median(spread) ** 2, _LEAST_FLOOR)
    scaled = np.clip(unseen / spread[:, None], -_CAP, _CAP)
    sides = np.array([_side(scaled > 0, scaled), _side(scaled < 0, scaled)])
    lighter, heavier = np.sort(np.nanmean(sides, axis=1))
    even, tails = (lighter / heavier) ** _OF_SIDES, ((lighter + heavier) / 2) ** _OF_TAILS
    own = np.log(np.fmax(np.fmin(*sides), 1e-3))
    count = np.isfinite(unseen).sum(1)
    own = (own - np.nanmean(own)) * count / (count + _SOME)
    share: Array = np.exp(_PRIOR + np.nan_to_num(own)) * (ratio * floor**_OF_FLOOR * even * tails)
    return share


def _excess(unseen: Array, limit: Array, variance: Array) -> tuple[float, float]:
    """Of the entries beyond the limit on each side, the share that is no noise.

    That is what the other side does not have; and, where the variance of the noise is known, what
    all of it together could not have brought there.
    """
    far = np.abs(unseen) > limit[:, None]
    above, below = (1 + int((far & (side * unseen > 0)).sum()) for side in (1, -1))
    known = np.isfinite(variance)
    there = float((unseen[known] ** 2)[far[known]].sum())
    noise = float((np.isfinite(unseen[known]).sum(1) * variance[known]).sum())
    beyond = max(1 - noise / there, 0.0) if there > 0 else 0.0
    return max(1 - below / above, beyond), max(1 - above / below, beyond)


def _side(here: NDArray[np.bool_], scaled: Array) -> Array:
    """Mean square of each drug to one side, NaN where there is nothing."""
    count = here.sum(1)
    total = (np.where(here, scaled, 0) ** 2).sum(1)
    mean: Array = np.divide(total, count, out=np.full(len(scaled), np.nan), where=count > 0)
    return mean


def _root_mean(square: Array) -> float:
    return math.sqrt(float(square.mean())) if square.size else 0.0


def _spread(row: Array) -> float:
    """Median absolute deviation from zero, as a standard deviation; 0 where it is of too few."""
    row = row[np.isfinite(row)]
    return NORMAL_MAD * float(np.median(np.abs(row))) if row.size >= _FEWEST else 0.0


def _mean_squares(matrix: Array) -> Array:
    """Mean square of each drug, (n,); what is far out counts as the limit where all is noise."""
    out = np.zeros(len(matrix))
    for i, row in enumerate(matrix):
        end, known = _LIMIT * _spread(row) or np.inf, row[np.isfinite(row)]
        if known.size:
            out[i] = np.mean(np.clip(known, -end, end) ** 2)
    return out


def _replicated(
    data: Array, whole: Array, replicates: Labels | None, line_replicates: Labels | None
) -> Array:
    """Variance of the noise of every drug, (n,), from how far replicates differ."""
    square, count = np.zeros(len(data)), np.zeros(len(data))
    for labels, within in ((replicates, within_rows), (line_replicates, within_columns)):
        if labels is not None:
            more, freedom = within(data, labels)
            square, count = square + more, count + freedom
    if not count.any():
        raise ValueError(
            f"Of the replicates that are named, none were measured on at least {FEWEST} common "
            f"lines, or lines with at least {FEWEST} common drugs. Leave replicates out."
        )
    return pooled(square, count, whole)
