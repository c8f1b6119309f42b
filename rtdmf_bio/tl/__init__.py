"""Analyses of a corrected matrix, and of two screens."""

from __future__ import annotations

from ._annotate import annotate
from ._biomarker import biomarker
from ._cluster import cluster
from ._concordance import concordance, concordance_summary
from ._enrichment import enrichment
from ._factors import factors
from ._predict import predict
from ._recovery import recovery
from ._recovery_scores import recovery_scores
from ._stability import stability
from ._threshold_path import threshold_path
from ._weighed import weighed

__all__ = [
    "annotate",
    "biomarker",
    "cluster",
    "concordance",
    "concordance_summary",
    "enrichment",
    "factors",
    "predict",
    "recovery",
    "recovery_scores",
    "stability",
    "threshold_path",
    "weighed",
]
