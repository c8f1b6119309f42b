"""Pictures. Every function draws on given axes or its own, and returns them."""

from __future__ import annotations

from ._correction import correction, enrichment, matrix, threshold
from ._tuning import tuning

__all__ = ["correction", "enrichment", "matrix", "threshold", "tuning"]
