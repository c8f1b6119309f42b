"""What the values of a matrix mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData


def measure_of(adata: AnnData, layer: str | None = None) -> dict[str, Any]:
    """Return ``uns["measure"]``, or what ``uns["layer_measures"]`` has on `layer`.

    Empty where there is nothing, or something of another kind.
    """
    found: Any = adata.uns.get("measure")
    if layer not in (None, "X"):
        found = adata.uns.get("layer_measures")
        found = found.get(layer) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}
