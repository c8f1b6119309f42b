"""Correct and complete drug-sensitivity screens with RT-DMF.

``pp`` works on AnnData (drugs x cell lines), ``tl`` analyses the result, ``pl`` draws it, ``io``
reads and writes files, ``datasets`` holds a real screen, ``baselines`` holds the rivals, and
``RTDMF`` is the method on arrays. Everything loads at first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import baselines, datasets, io, pl, pp, tl
    from .model.enrichment import Enrichment
    from .model.estimator import RTDMF
    from .model.retention import Flag
    from .model.solver import StopReason

__all__ = [
    "RTDMF",
    "Enrichment",
    "Flag",
    "StopReason",
    "__version__",
    "baselines",
    "datasets",
    "io",
    "pl",
    "pp",
    "tl",
]

_MODULES = ("baselines", "datasets", "io", "pl", "pp", "tl")
_HOME = {
    "Enrichment": "enrichment",
    "Flag": "retention",
    "RTDMF": "estimator",
    "StopReason": "solver",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.model.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
