"""The door between PharmacoGx and AnnData.

``read_pset`` turns a PharmacoSet into an AnnData, ``write_pset`` returns a corrected matrix to a
copy of it; ``list_measures`` and ``describe`` look into a file, ``available_psets`` and
``download_pset`` fetch one; ``read_r`` reads matrices, data frames and SummarizedExperiments of R
files, ``to_r`` and ``from_r`` pass an AnnData to a running R and back.
Everything loads at first use; R is needed by none but the last two.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._download.catalogue import available_psets
    from ._download.pull import download_pset
    from ._objects.read import read_r
    from ._psets.read import describe, list_measures, read_pset
    from ._psets.write import WriteReport, write_pset
    from ._session.objects import from_r, to_r

__all__ = [
    "WriteReport",
    "available_psets",
    "describe",
    "download_pset",
    "from_r",
    "list_measures",
    "read_pset",
    "read_r",
    "to_r",
    "write_pset",
]

_HOME = {
    "_download.catalogue": ("available_psets",),
    "_download.pull": ("download_pset",),
    "_objects.read": ("read_r",),
    "_psets.read": ("describe", "list_measures", "read_pset"),
    "_psets.write": ("WriteReport", "write_pset"),
    "_session.objects": ("from_r", "to_r"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
