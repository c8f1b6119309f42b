"""Pictures. Every function draws on given axes or its own, and returns them."""

from __future__ import annotations

from ._biomarker import biomarker, volcano
from ._clusters import clusters
from ._correction import correction, enrichment, matrix, threshold
from ._factors import factors
from ._tuning import tuning

__all__ = [
    "biomarker",
    "clusters",
    "correction",
    "enrichment",
    "factors",
    "matrix",
    "threshold",
    "tuning",
    "volcano",
]
