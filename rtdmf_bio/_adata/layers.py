"""The layers of an AnnData, whatever its version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData


def named_layers(adata: AnnData) -> dict[str, Any]:
    """Return the layers by name, without ``X``, which anndata from 0.13 on has there as None."""
    layers = adata.layers
    return {name: layers[name] for name in layers if name is not None}
