"""How much of a measurement to keep.

    corrected = P + w_i clip(u, -limit_i, limit_i),    u = D - P,    w_i = 1 - share_i

| symbol  | variable    | shape  | meaning                                                     |
|---------|-------------|--------|-------------------------------------------------------------|
| D, P    |             | (n, p) | measurements, predictions by fits that have not seen them   |
| u       | ``unseen``  | (n, p) | what other drugs and lines do not say                       |
| share_i | ``share``   | (n,)   | share of the variance of u that is noise                    |
| limit_i | ``limit``   | (n,)   | what is farther out than this is no measurement, up to it   |

u is noise, or response of this drug in this line alone. Known noise (``noise_sd``) or drugs that
were screened more than once tell which. One matrix by itself does not; what it has are hints, each
of which can be explained away:

    share_i = e^-1.1 r v^-0.6 a^2 a_i,    spreads are squared median absolute deviations

| hint | what it is                                            | what it says                         |
|------|-------------------------------------------------------|--------------------------------------|
| r    | spread of u to that of D without drug and line means, | no more of such a drug can be noise  |
|      | at the tenth of the drugs that are predicted best     |                                      |
| v    | spread of u of the tenth that vary least, to the      | where r is small for some do nothing |
|      | median drug's                                         | else, noise differs between drugs    |
| a    | mean square of u to its lighter side, in units of the | noise is alike to both sides,        |
|      | drug's spread, over all drugs                         | responses are not                    |
| a_i  | the same of the drug beside the mean drug, drawn to   | a lopsided drug has more response    |
|      | it by n / (n + 50)                                    | of its own                           |

The five constants are a prior: they were fitted once to 41 kinds of simulated assay
(benchmarks/assays.py) and the repeats of NCI-60 and GDSC1000, rounded, and confirmed on others
(benchmarks/truth.py). Where little of u is noise, the measurement is left alone.

Source: shrinkage by reliability is Kelley's (1927); the hints and their weights are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mixture import NORMAL_MAD

Array = NDArray[np.float64]

_PRIOR, _OF_FLOOR, _OF_SIDES = -1.1, -0.6, 2.0  # the exponents above
_QUANTILE = 0.1  # of the drugs
_SOME = 50  # entries that the drug's own sides count as much as the screen's at
_CAP = 4.0  # spreads: what lies beyond counts as much as this to its side
_TOO_LITTLE = 0.02  # of u that is noise: the measurements are left alone
_LIMIT = 5.0  # spreads, over the root of the share of noise
_FEWEST = 8  # entries that a spread is of
_FEWEST_COMMON = 10  # lines of two replicates
_PSEUDO = 20  # lines' worth of the screen's ratio that a drug's replicates are drawn by

GIVEN, REPLICATES, PRIOR = "given", "replicates", "prior"


@dataclass
class Keeping:
    """By drug, (n,); in units of the data where they have one."""

    weight: Array
    limit: Array
    noise_sd: Array
    source: str  # of the noise: given, replicates, or prior

    def of(self, unseen: Array) -> Array:
        """What is kept of u, (n, p)."""
        limit = self.limit[:, None]
        kept: Array = self.weight[:, None] * np.clip(unseen, -limit, limit)
        return kept


def keeping(
    unseen: Array,
    specific: Array,
    *,
    noise_sd: Array | None = None,
    data: Array | None = None,
    replicates: NDArray[np.object_] | None = None,
) -> Keeping:
    """Decide by drug how much of u to keep.

    Parameters
    ----------
    unseen
        u, (n drugs, p lines), NaN where it is not known, or tells nothing of noise.
    specific
        D without drug and line means, (n, p), NaN where not measured.
    noise_sd
        Root mean square error of a measurement of each drug, (n,), if it is known.
    data, replicates
        D (n, p) and one label per drug (n,), rows with the same label being the same drug; or None.
    """
    spread = np.array([_spread(row) for row in unseen])
    size = np.array([_mean_square(row, s) for row, s in zip(unseen, spread, strict=True)])
    known = spread > 0
    share = np.zeros(len(unseen))
    if noise_sd is not None:
        source, noise = GIVEN, noise_sd**2
        np.divide(noise, size, out=share, where=known)
    elif replicates is not None and data is not None:
        source = REPLICATES
        share[known] = (_replicated(data, specific, size, replicates) / size)[known]
    else:
        source = PRIOR
        share[known] = _prior(unseen[known], specific[known], spread[known])
    share = np.clip(share, 0, 1)
    alone = share < _TOO_LITTLE
    with np.errstate(divide="ignore", invalid="ignore"):  # of no noise, and of no spread
        limit = np.where(alone, np.inf, _LIMIT * spread / np.sqrt(share))
    sd = np.sqrt(share * size) if noise_sd is None else noise_sd
    return Keeping(np.where(alone, 1.0, 1 - share), limit, sd, source)


def _prior(unseen: Array, specific: Array, spread: Array) -> Array:
    """Share of noise by the hints of one matrix, (n,)."""
    if not len(unseen):
        return np.zeros(0)
    whole = np.array([max(_mean_square(row, _spread(row)), 0) for row in specific])
    relative = np.divide(spread**2, whole, out=np.ones_like(whole), where=whole > 0)
    ratio = np.quantile(relative, _QUANTILE)
    floor = np.quantile(spread, _QUANTILE) ** 2 / np.median(spread) ** 2
    scaled = np.clip(unseen / spread[:, None], -_CAP, _CAP)
    sides = np.array([_side(scaled > 0, scaled), _side(scaled < 0, scaled)])
    lighter = np.nanmin(np.nanmean(sides, axis=1))
    own = np.log(np.fmax(np.fmin(*sides), 1e-3))
    count = np.isfinite(unseen).sum(1)
    own = (own - np.nanmean(own)) * count / (count + _SOME)
    share: Array = np.exp(_PRIOR + np.nan_to_num(own)) * ratio * floor**_OF_FLOOR
    return share * lighter**_OF_SIDES


def _side(here: NDArray[np.bool_], scaled: Array) -> Array:
    """Mean square of each drug to one side, NaN where there is nothing."""
    count = here.sum(1)
    total = (np.where(here, scaled, 0) ** 2).sum(1)
    return np.divide(total, count, out=np.full(len(scaled), np.nan), where=count > 0)


def _spread(row: Array) -> float:
    """Median absolute deviation from zero, as a standard deviation; 0 where it is of too few."""
    row = row[np.isfinite(row)]
    return NORMAL_MAD * float(np.median(np.abs(row))) if row.size >= _FEWEST else 0.0


def _mean_square(row: Array, spread: float) -> float:
    """Mean square, of what lies far out as much as the limit of a drug that is noise alone."""
    row = row[np.isfinite(row)]
    if not row.size:
        return 0.0
    end = _LIMIT * spread
    return float(np.mean(np.clip(row, -end, end) ** 2))


def _replicated(
    data: Array, specific: Array, size: Array, replicates: NDArray[np.object_]
) -> Array:
    """Variance of the noise of every drug, (n,), from how far replicates differ.

    A drug without replicates has the screen's ratio of noise to what is specific.
    """
    rows: dict[object, list[int]] = {}
    for i, label in enumerate(replicates):
        if label is not None:
            rows.setdefault(label, []).append(i)
    whole = np.array([_mean_square(row, _spread(row)) for row in specific])
    found, count = np.zeros(len(data)), np.zeros(len(data))
    for twins in rows.values():
        if len(twins) < 2:
            continue
        block = data[twins]
        here = np.isfinite(block).all(0) if len(twins) == 2 else np.isfinite(block).sum(0) > 1
        if here.sum() < _FEWEST_COMMON:
            continue
        block = block[:, here] - np.nanmedian(block[:, here], axis=1, keepdims=True)
        variance = np.nanvar(block, axis=0, ddof=1)
        found[twins], count[twins] = _trimmed(variance), here.sum()
    pairs = count > 0
    if not pairs.any():
        raise ValueError(
            f"replicates names {sum(len(twins) > 1 for twins in rows.values())} drug(s) that were "
            f"screened more than once, none of them on at least {_FEWEST_COMMON} common lines. "
            f"Leave replicates out."
        )
    ratio = (count * found)[pairs].sum() / (count * whole)[pairs].sum()
    noise: Array = (count * found + _PSEUDO * ratio * whole) / (count + _PSEUDO)
    return noise


def _trimmed(variance: Array) -> float:
    """Mean, of what lies far out as much as the limit allows."""
    middle = np.median(variance) / 0.4549  # of a chi-squared variable with one degree of freedom
    return float(np.mean(np.minimum(variance, _LIMIT**2 * middle)))
