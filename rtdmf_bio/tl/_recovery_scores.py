"""How well planted signal is found again.

    D = L0 + S + noise,  R = D - L,  flag = |R| >= threshold

| symbol    | variable           | shape              |
|-----------|--------------------|--------------------|
| D         | ``observed``       | (n drugs, p lines) |
| L         | ``low_rank``       | (n, p)             |
| L0        | ``truth_low_rank`` | (n, p)             |
| S         | ``truth_signal``   | (n, p)             |
| threshold | ``threshold``      | -                  |

RE counts the training entries where [R >= threshold] and [S >= threshold] differ: positive
residuals only, as the published plots count. IBRE counts those of them that are planted inside a
block. As no entry without signal is among them, IBRE knows misses and no false alarms, and is
won by flagging everything: L = 0 scores 0. Read it beside RE, or read precision and recall.

Source: Hu et al. 2025, recovery error (RE) and in-block recovery error (IBRE), as computed by the
published plotting scripts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]


def recovery_scores(
    low_rank: Matrix,
    observed: Matrix,
    *,
    truth_signal: Matrix,
    truth_low_rank: Matrix,
    heldout: Mask,
    block: Mask,
    threshold: float,
    test: Mask | None = None,
    completed: Matrix | None = None,
) -> dict[str, float]:
    """Score an estimate L of the low-rank part, and the flags that follow from it, on arrays.

    An entry is flagged where |R| >= threshold, R = D - L. :func:`rtdmf_bio.tl.recovery` is the
    same for a screen of :func:`rtdmf_bio.datasets.simulate`.

    Parameters
    ----------
    low_rank
        L, finite on the training entries, shape (n drugs, p lines).
    observed
        D, held-out entries included, shape (n, p).
    truth_signal, truth_low_rank
        S and L0, the planted signal and low-rank part, shape (n, p).
    heldout
        Validation and test entries; all others are training entries, shape (n, p).
    block
        Entries inside a planted block, shape (n, p).
    threshold
        Positive, in the unit of ``observed``.
    test
        Entries for the test error, shape (n, p). None: all held-out ones.
    completed
        Prediction for the test entries, finite there, shape (n, p). None: ``low_rank``.

    Returns
    -------
    ``test_mse``
        Mean squared error of ``completed`` against D on the test entries.
    ``re``
        Recovery error: training entries where R >= threshold and S >= threshold disagree.
    ``ibre``
        Those of them that are planted inside a block; it counts misses only.
    ``precision``, ``recall``
        Of the flags on training entries, of both signs: a flag is right where S has the sign of
        R. Recall is over all training entries with signal, whatever its size.
    ``auprc``
        Area under precision against recall as the threshold falls to zero (average precision).
    ``low_rank_rmse``
        Of L against L0, over all entries where L is finite.

    NaN where there is nothing to average: no test entries, no flags, or no signal.

    Raises
    ------
    ValueError
        If a shape is not that of ``observed``, the threshold is not positive, or an estimate is
        missing where it is needed.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025.

    Examples
    --------
    >>> import numpy as np
    >>> import rtdmf_bio as rt
    >>> signal = np.array([[0.5, 0.0, 0.0], [0.0, 0.0, 0.4]])
    >>> flat, no_entry = np.zeros((2, 3)), np.zeros((2, 3), dtype=bool)
    >>> scores = rt.tl.recovery_scores(
    ...     flat, signal, truth_signal=signal, truth_low_rank=flat, heldout=no_entry,
    ...     block=signal > 0, threshold=0.45,
    ... )
    >>> scores["re"], scores["precision"], scores["recall"]
    (0, 1.0, 0.5)
    """
    completed = low_rank if completed is None else completed
    test = heldout if test is None else test
    for name, array in (
        ("low_rank", low_rank),
        ("truth_signal", truth_signal),
        ("truth_low_rank", truth_low_rank),
        ("heldout", heldout),
        ("block", block),
        ("test", test),
        ("completed", completed),
    ):
        if array.shape != observed.shape:
            raise ValueError(f"{name} must have shape {observed.shape}. Got {array.shape}.")
    if not 0 < threshold < math.inf:
        raise ValueError(f"The threshold must be a positive number. Got {threshold!r}.")
    for name, array, where, what in (
        ("low_rank", low_rank, ~heldout, "training"),
        ("completed", completed, test, "test"),
    ):
        lost = int((~np.isfinite(array[where])).sum())
        if lost:
            raise ValueError(
                f"{name} is not finite at {lost} of {int(where.sum())} {what} entries; an estimate "
                f"is needed at each."
            )

    residual, signal = (observed - low_rank)[~heldout], truth_signal[~heldout]
    wrong = (residual >= threshold) != (signal >= threshold)
    right = residual * signal > 0
    flagged = np.abs(residual) >= threshold
    known = np.isfinite(low_rank)
    return {
        "test_mse": _mean((observed - completed)[test] ** 2),
        "re": int(wrong.sum()),
        "ibre": int((wrong & block[~heldout] & (signal != 0)).sum()),
        "precision": _mean(right[flagged]),
        "recall": _mean((right & flagged)[signal != 0]),
        "auprc": _average_precision(np.abs(residual), right, int((signal != 0).sum())),
        "low_rank_rmse": math.sqrt(_mean((low_rank - truth_low_rank)[known] ** 2)),
    }


def _mean(values: Matrix | Mask) -> float:
    return float(np.mean(values)) if values.size else math.nan


def _average_precision(score: Matrix, hit: Mask, n_signal: int) -> float:
    """Sum of precision x step in recall over falling distinct scores."""
    if n_signal == 0:
        return math.nan
    order = np.argsort(-score, kind="stable")
    score, hits = score[order], np.cumsum(hit[order])
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))  # equal scores go together
    steps = np.diff(hits[last], prepend=0)
    return float((steps * hits[last] / (last + 1)).sum() / n_signal)
