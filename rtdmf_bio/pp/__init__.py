"""Preprocessing: AnnData in, AnnData out."""

from __future__ import annotations

from ._correct import correct
from ._harmonize import Harmonized, harmonize
from ._holdout import holdout
from ._logs import log_concentrations
from ._tune import tune

__all__ = ["Harmonized", "correct", "harmonize", "holdout", "log_concentrations", "tune"]
