"""What the values of a matrix mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData


def as_mapping(value: Any) -> Mapping[Any, Any]:
    """Return what is no mapping, as anyone can put into ``uns``, as an empty one."""
    return value if isinstance(value, Mapping) else {}


def measure_of(adata: AnnData, layer: str | None = None) -> dict[str, Any]:
    """Return ``uns["measure"]``, or what ``uns["layer_measures"]`` has on `layer`.

    Empty where there is nothing, or something of another kind.
    """
    if layer in (None, "X"):
        return dict(as_mapping(adata.uns.get("measure")))
    return dict(as_mapping(as_mapping(adata.uns.get("layer_measures")).get(layer)))


def measure_label(measure: Mapping[str, Any], otherwise: str = "value") -> str:
    """Name and direction, for an axis."""
    name, higher = measure.get("name", otherwise), measure.get("higher_is")
    return f"{name} (higher = {higher})" if higher else str(name)
