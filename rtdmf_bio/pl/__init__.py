"""Pictures. Every function draws on given axes or its own, and returns them."""

from __future__ import annotations

from ._biomarker import biomarker, volcano
from ._clusters import clusters
from ._concordance import concordance, frontier, scatter
from ._correction import correction, enrichment, matrix, threshold
from ._factors import factors
from ._predict import prediction
from ._stability import stability, threshold_path
from ._tuning import tuning

__all__ = [
    "biomarker",
    "clusters",
    "concordance",
    "correction",
    "enrichment",
    "factors",
    "frontier",
    "matrix",
    "prediction",
    "scatter",
    "stability",
    "threshold",
    "threshold_path",
    "tuning",
    "volcano",
]
