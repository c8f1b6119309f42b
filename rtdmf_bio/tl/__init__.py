"""Analyses of a corrected matrix."""

from __future__ import annotations

from ._enrichment import enrichment
from ._recovery import recovery

__all__ = ["enrichment", "recovery"]
