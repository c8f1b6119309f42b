"""The rivals: other ways to complete a drug-sensitivity matrix, all with one signature.

``method(X, *, <parameters>)`` takes drugs x cell lines with NaN where not measured and returns
the fitted matrix, finite, of the same shape. Its residual ``X - fit`` is thresholded like that of
RT-DMF. ``method.grid(X)`` lists parameters to try, ``tune`` tries them, and ``METHODS`` names all.
"""

from __future__ import annotations

from typing import Any

from ._convex_mf import convex_mf
from ._dbdnmf import dbdnmf
from ._knn import knn_impute, knn_smooth
from ._means import grand_mean, two_way_means
from ._rpca import rpca
from ._shared import Baseline
from ._soft_impute import soft_impute
from ._tune import tune

METHODS: dict[str, Baseline[Any]] = {
    "grand_mean": grand_mean,
    "two_way_means": two_way_means,
    "knn_impute": knn_impute,
    "knn_smooth": knn_smooth,
    "soft_impute": soft_impute,
    "convex_mf": convex_mf,
    "rpca": rpca,
    "dbdnmf": dbdnmf,
}

__all__ = [
    "METHODS",
    "convex_mf",
    "dbdnmf",
    "grand_mean",
    "knn_impute",
    "knn_smooth",
    "rpca",
    "soft_impute",
    "tune",
    "two_way_means",
]
