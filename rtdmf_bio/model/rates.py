"""Test groups of lines for a drug's high entries, given how often each line is high at all.

For one side, with h_ij = 1 where drug i is high in line j:

    P(h_ij = 1) = exp(-z_ij),   z_ij = exp(drug_i + line_j)
    p_ig = P(X >= x_ig | sum_j h_ij = K_i),   X = sum of h_ij over j in g

| symbol   | variable              | shape        |
|----------|-----------------------|--------------|
| h        | ``high``              | (n, p)       |
| drug     | ``drug``              | (n, 1)       |
| line     | ``line``              | (1, p)       |
| P(h = 1) | ``rate``              | (n, p)       |
| x, K     | ``inside``, ``total`` | (n, k), (n,) |

exp(-z) is the tail of noise whose size is one of the drug times one of the line: z = (threshold /
size) ^ shape, whatever the shape (some 2 for normal noise). A line twice as noisy then is high far
more often with a quiet drug, and somewhat more often with a wide one; odds that multiply miss that,
and call noise enriched with quiet drugs. In log z the line's part is the same at any threshold. So
it is fitted where much is seen: to the furthest twentieth of each drug, and what is high beyond, by
maximum likelihood with line_j ~ N(0, 1). Fitted to the high entries alone, a tissue that a few
drugs hit hard, in a quiet screen, would pass for tender lines. Drug effects then take each drug's
rates to its K.

Given K, independent entries of unequal odds have the conditional distribution above; where all
lines are alike it is hypergeometric, and p that of Fisher's test. A line's rate knows the entry
tested, as Fisher's margins do: that costs some level where drugs are few.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Share of a drug's lines. With a tissue 2.5 times as noisy, 0.1 finds a few pairs in normal noise,
# whose tail is not quite exp(-z); 0.05 none, nor in heavier tails.
_FAR = 0.05
_ROUNDS, _TOL = 30, 1e-3  # of alternating Newton steps, and of log z
_RANGE = (-30.0, 6.0)  # of log z; beyond it a rate is one or zero
_DRUGS = 128  # taken at once; drugs of alike totals, since the largest decides the cost


def rates(residual: Matrix, high: Mask, seen: Mask) -> Matrix:
    """P(high) of every entry, 0 where not seen; (n, p). A drug's rates add up to its total.

    Parameters
    ----------
    residual
        Positive on the side tested, (n, p).
    high, seen
        Which are high, and which count, (n, p).
    """
    line = line_effects(furthest(residual, seen) | high, seen)
    total, n = high.sum(1, keepdims=True), seen.sum(1, keepdims=True)
    either = ((total > 0) & (total < n)).ravel()
    out = np.where(seen & (total == n), 1.0, 0.0)
    total, n, s = total[either], n[either], seen[either].astype(np.float64)
    drug = _log_z((total + 0.5) / (n + 1))
    for _ in range(_ROUNDS):
        z = np.exp(np.clip(drug + line, *_RANGE))
        rate = s * np.exp(-z)
        excess = rate.sum(1, keepdims=True) - total
        drug = drug + np.clip(excess / (z * rate).sum(1, keepdims=True), -1, 1)
        if np.all(np.abs(excess) <= 1e-9 * total):
            break
    out[either] = rate
    return out


def furthest(residual: Matrix, seen: Mask) -> Mask:
    """The furthest of each drug on the side tested."""
    signed = np.where(seen, residual, -np.inf)
    count = np.ceil(_FAR * seen.sum(1)).astype(np.int64)
    least = np.take_along_axis(np.sort(signed, axis=1), -np.maximum(count, 1)[:, None], axis=1)
    return np.asarray((signed >= least) & (signed > 0))


def line_effects(far: Mask, seen: Mask) -> Matrix:
    """Part of the lines in log z, (1, p), of mean zero."""
    some = far.any(1) & (far.sum(1) < seen.sum(1))
    h, s = far[some].astype(np.float64), seen[some].astype(np.float64)
    line = np.zeros((1, far.shape[1]))
    if not len(h):
        return line
    drug = _log_z((h.sum(1, keepdims=True) + 0.5) / (s.sum(1, keepdims=True) + 1))
    for _ in range(_ROUNDS):
        slope, curvature = _likelihood(h, s, drug + line)
        step = (slope.sum(0) - line) / (curvature.sum(0) + 1)
        line = line + np.clip(step, -1, 1)
        # The split between the two is free, but that line_j ~ N(0, 1).
        drug, line = drug + line.mean(), line - line.mean()
        slope, curvature = _likelihood(h, s, drug + line)
        shift = slope.sum(1) / curvature.sum(1)
        drug = drug + np.clip(shift, -1, 1)[:, None]
        if max(np.abs(step).max(), np.abs(shift).max()) <= _TOL:
            break
    return line


def _log_z(rate: Matrix) -> Matrix:
    return np.asarray(np.log(-np.log(rate)))


def _likelihood(h: Matrix, s: Matrix, log_z: Matrix) -> tuple[Matrix, Matrix]:
    """Derivative of the log likelihood by log z, and its expected curvature, sign turned."""
    z = np.exp(np.clip(log_z, *_RANGE))
    tail = np.exp(-z)
    weight = s * z / -np.expm1(-z)
    return weight * (tail - h), weight * z * tail


def group_tails(rate: Matrix, high: Mask, groups: list[NDArray[np.int64]]) -> Matrix:
    """P(at least as many high entries in the group | those of the drug), (n, k).

    Exact: the distributions of the numbers before, in and after each group, by adding line by
    line, all terms positive.

    Parameters
    ----------
    rate
        P(high) of every entry, 0 where not seen, (n, p).
    high
        (n, p).
    groups
        For each group its lines; together all lines, each once.
    """
    total = high.sum(1)
    out = np.ones((len(high), len(groups)))
    for rows in np.array_split(np.argsort(total), math.ceil(len(high) / _DRUGS)):
        inside = np.stack([high[np.ix_(rows, lines)].sum(1) for lines in groups], axis=1)
        by_line = [np.ascontiguousarray(rate[np.ix_(rows, lines)].T) for lines in groups]
        out[rows] = _tails(by_line, inside, total[rows])
    return out


def _tails(by_line: list[Matrix], inside: NDArray[np.int64], total: NDArray[np.int64]) -> Matrix:
    """Tails of some drugs; ``by_line`` has one row per line of each group, (m, n)."""
    most = int(total.max())
    count, drugs = np.arange(most + 1)[:, None], np.arange(len(total))
    none = np.zeros((most + 1, len(total)))
    none[0] = 1.0
    after = [none]
    for rate in reversed(by_line[1:]):
        after.append(_added(after[-1], rate))
    rest = total - count
    out = np.ones(inside.shape)
    before = none
    chance = _added(after[-1], by_line[0])[total, drugs]
    for g, rate in enumerate(by_line):
        enough = np.where(count >= inside[:, g], _added(none, rate), 0.0)
        joint = np.zeros_like(none)
        for x in range(min(len(rate), most) + 1):
            joint[x:] += enough[x] * before[: most + 1 - x]
        others = np.take_along_axis(after.pop(), np.maximum(rest, 0), axis=0)
        out[:, g] = np.where(rest >= 0, joint * others, 0.0).sum(0) / chance
        before = _added(before, rate)
    return np.where(inside == 0, 1.0, np.minimum(out, 1.0))


def _added(pmf: Matrix, rate: Matrix) -> Matrix:
    """Distribution of a number of high entries, (most + 1, n), once lines (m, n) are added."""
    pmf = pmf.copy()
    for p in rate:
        more = pmf[:-1] * p
        pmf *= 1 - p
        pmf[1:] += more
    return pmf
