"""Write several results into an AnnData: all of them, or none."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData


def assign(adata: AnnData, results: dict[tuple[str, str], Any]) -> None:
    """Set ``adata.<where>[name]`` for each ``(where, name)``; after an error nothing is changed."""
    from anndata import ImplicitModificationWarning

    with warnings.catch_warnings():
        # Writing to a view makes it an object of its own, which is what the user asked for.
        warnings.simplefilter("ignore", ImplicitModificationWarning)
        before = {
            (where, name): getattr(adata, where)[name]
            for where, name in results
            if name in getattr(adata, where)
        }
        try:
            for (where, name), value in results.items():
                getattr(adata, where)[name] = value
        except BaseException:
            for where, name in results:
                target = getattr(adata, where)
                if (where, name) in before:
                    target[name] = before[where, name]
                elif name in target:
                    del target[name]
            raise
