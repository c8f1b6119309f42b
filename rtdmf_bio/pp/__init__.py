"""Preprocessing: AnnData in, AnnData out."""

from __future__ import annotations

from ._correct import correct
from ._harmonize import Harmonized, harmonize
from ._holdout import holdout
from ._tune import tune

__all__ = ["Harmonized", "correct", "harmonize", "holdout", "tune"]
