"""Analyses of a corrected matrix."""

from __future__ import annotations

from ._enrichment import enrichment

__all__ = ["enrichment"]
