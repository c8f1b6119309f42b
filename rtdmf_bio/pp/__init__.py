"""Preprocessing: AnnData in, AnnData out."""

from __future__ import annotations

from ._correct import correct
from ._harmonize import harmonize
from ._holdout import holdout
from ._tune import tune

__all__ = ["correct", "harmonize", "holdout", "tune"]
