"""How well a method finds again what a simulation planted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._adata.layers import named_layers
from ._recovery_scores import recovery_scores

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

_TRUTH = ("low_rank", "signal", "noise", "block", "split")


def recovery(
    adata: AnnData,
    low_rank: str | ArrayLike = "rtdmf",
    *,
    completed: str | ArrayLike | None = None,
    threshold: float | None = None,
) -> pd.Series:
    """Score a correction, or any low-rank estimate, against the truth of a simulated screen.

    An entry is flagged where the measurement lies at least ``threshold`` from the estimate.

    Parameters
    ----------
    adata
        From :func:`rtdmf_bio.datasets.simulate`.
    low_rank
        What is scored: the ``key_added`` of a correction by :func:`rtdmf_bio.pp.correct`, a
        layer, or an array of n drugs x p cell lines. Trivial answers are scored as arrays.
    completed
        Prediction for the test entries, a layer or an array. None: for a correction its
        ``layers[key]``, else ``low_rank``.
    threshold
        In the unit of the screen. None: the threshold of the correction.

    Returns
    -------
    One number per metric; named after ``low_rank`` if that is a name.

    ``test_mse``
        Mean squared error of ``completed`` on the test entries against D, noise included.
    ``re``
        Recovery error: training entries whose positive flag and planted signal disagree.
    ``ibre``
        Those of them that are planted inside a block.
    ``precision``, ``recall``
        Of the flags on training entries, both signs. A flag is right where signal of its sign was
        planted; recall is over all planted signal.
    ``auprc``
        Area under precision against recall over all thresholds (average precision).
    ``low_rank_rmse``
        Root mean squared error of ``low_rank`` against D1, over all entries; for a correction over
        those not missing, as it stores no low rank at the others.

    Held-out entries, validation as well as test, take no part in flags. A value is NaN where there
    is nothing to average.

    Raises
    ------
    ValueError
        If ``adata`` holds no truth, the estimate is not there or not finite where it is needed, or
        no threshold is known.

    Notes
    -----
    ``re`` and ``ibre`` are computed as the published plots do. Do not read ``ibre`` alone: it
    counts misses only, so that an estimate of 0, which flags everything, has 0, and the grand mean
    scores well.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.simulate(100, 80, block_size=10)
    >>> mean = np.full(adata.shape, adata.X[adata.layers["split"] == 0].mean())
    >>> rows = {
    ...     "truth": rt.tl.recovery(adata, "low_rank", threshold=0.15),
    ...     "grand mean": rt.tl.recovery(adata, mean, threshold=0.15),
    ...     "flag all": rt.tl.recovery(adata, 0 * mean, threshold=0.15),
    ... }
    >>> bool(pd.DataFrame(rows).T["re"].is_monotonic_increasing)
    True
    """
    lost = [name for name in _TRUTH if name not in adata.layers]
    if lost:
        raise ValueError(
            f"adata holds no planted truth: layers {lost} are missing. Make a screen with "
            f"rtdmf_bio.datasets.simulate, or score arrays with "
            f"rtdmf_bio.tl.recovery_scores."
        )
    parts = {name: np.asarray(adata.layers[name]) for name in _TRUTH}
    name = low_rank if isinstance(low_rank, str) else None
    if name is not None and f"{name}_residual" in adata.layers and name in adata.uns:
        result = adata.uns[name]
        layer = result["layer"]
        measured = np.asarray(adata.X if layer == "X" else adata.layers[layer], dtype=float)
        estimate = measured - np.asarray(adata.layers[f"{name}_residual"], dtype=float)
        completed = name if completed is None else completed
        threshold = result["threshold"] if threshold is None else threshold
    else:
        estimate = _matrix(adata, low_rank, "low_rank")
    if threshold is None:
        raise ValueError(
            "No threshold is known: low_rank is not the key of a correction. Pass threshold=, the "
            "least residual that is flagged."
        )
    scores = recovery_scores(
        estimate,
        parts["low_rank"] + parts["signal"] + parts["noise"],
        truth_signal=parts["signal"],
        truth_low_rank=parts["low_rank"],
        heldout=parts["split"] > 0,
        block=parts["block"].astype(bool),
        threshold=float(threshold),
        test=parts["split"] == 2,
        completed=None if completed is None else _matrix(adata, completed, "completed"),
    )
    return pd.Series(scores, name=name, dtype=float)


def _matrix(adata: AnnData, what: Any, parameter: str) -> NDArray[np.float64]:
    if isinstance(what, str):
        if what not in adata.layers:
            raise ValueError(
                f"{parameter}={what!r} is neither the key of a correction nor a layer. Run "
                f"rtdmf_bio.pp.correct first, or pass one of {sorted(named_layers(adata))}, "
                f"or an array."
            )
        what = adata.layers[what]
    return np.asarray(what, dtype=float)
