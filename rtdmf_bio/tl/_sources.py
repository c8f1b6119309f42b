"""The matrices an analysis compares: measured, corrected, specific, or the layers asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._adata.layers import named_layers
from .._measure import as_mapping, measure_of
from ..model.checks import as_numbers
from ._enrichment import stored

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

KEY = "rtdmf"
SPECIFIC = "specific"
# What needs no method: drug effect + line effect is the control of a whole matrix, and what they
# leave of the measurements that of a specific part.
TRIVIAL, CENTRED = "two-way means", "two-way residual"
_ROUNDING = 1e-9  # of the fit of the means, relative to the largest value


def named(parameter: str, value: str | Sequence[str]) -> list[str]:
    """Return the names in the order given, each once."""
    names = [value] if isinstance(value, str) else list(dict.fromkeys(value))
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"The {parameter} parameter must be a name or several. Got {value!r}.")
    return names


def layers_of(
    adata: AnnData, layer: str | Sequence[str] | None = None, key: str = KEY
) -> dict[str, str]:
    """Layers by name of source, "X" for ``X``.

    ``measured`` is what was corrected; ``corrected`` and ``specific`` are what the correction
    made of it. Without a correction there is ``X`` alone; with ``layer``, the layers named.
    """
    if layer is not None:
        names = named("layer", layer)
        for taken in {TRIVIAL, CENTRED}.intersection(names):
            raise ValueError(f"Rename layer {taken!r}: a trivial answer goes by this name.")
        return {name: name for name in names}
    # Without a correction the measurements are all there is, but another key was meant.
    if key == KEY and not (key in adata.uns and f"{key}_flag" in adata.layers):
        return {"measured": "X"}
    out = {"measured": str(stored(adata, key)["layer"]), "corrected": key}
    if f"{key}_{SPECIFIC}" in adata.layers:
        out[SPECIFIC] = f"{key}_{SPECIFIC}"
    return out


def values_of(adata: AnnData, layer: str) -> NDArray[np.float64]:
    """Return ``X`` or a layer as numbers, NaN where not measured or infinite."""
    import numpy as np

    if layer != "X" and layer not in adata.layers:
        raise ValueError(
            f"adata.layers has no {layer!r}. It has {sorted(named_layers(adata))}; 'X' takes X."
        )
    if layer == "X" and adata.X is None:
        raise ValueError(f"adata.X is empty. Pass layer=, one of {sorted(named_layers(adata))}.")
    values = as_numbers(adata.X if layer == "X" else adata.layers[layer])
    values[~np.isfinite(values)] = np.nan
    if np.isnan(values).all():
        raise ValueError(f"{layer!r} has no measured entry: all are missing.")
    return values


def trivial_answers(measured: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Drug effect + line effect where measured, and the measurements without them, by name."""
    import numpy as np

    from ..baselines import two_way_means

    finite = np.isfinite(measured)
    known = np.ix_(finite.any(1), finite.any(0))
    means = np.full(measured.shape, np.nan)
    means[known] = two_way_means(measured[known])
    means[~finite] = np.nan
    rest = measured - means
    rest[np.abs(rest) <= _ROUNDING * np.nanmax(np.abs(measured))] = 0
    return {TRIVIAL: means, CENTRED: rest}


def measure_at(adata: AnnData, layer: str) -> dict[str, Any]:
    """The measure of a layer; one of which nothing is known is that of what it was made from."""
    own = measure_of(adata, layer)
    if own or layer == "X":
        return own
    made = layer.removesuffix(f"_{SPECIFIC}")
    came_from = as_mapping(adata.uns.get(made)).get("layer")
    measure = measure_of(adata, came_from) or measure_of(adata)
    if layer != made and measure:
        measure["name"] = f"{measure.get('name', 'value')}, specific part"
    return measure
