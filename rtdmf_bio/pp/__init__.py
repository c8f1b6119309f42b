"""Preprocessing: AnnData in, AnnData out."""

from __future__ import annotations

from ._correct import correct

__all__ = ["correct"]
