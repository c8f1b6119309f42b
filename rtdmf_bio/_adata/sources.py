"""The matrices an analysis compares: measured, corrected, specific, or the layers asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.preparation import two_way_means
from .inputs import named, resolve_layer, values_of
from .record import KEY, SPECIFIC, is_stored, measure_at, stored

if TYPE_CHECKING:
    from anndata import AnnData

# What needs no method: drug effect + line effect is the control of a whole matrix, and what they
# leave of the measurements that of a specific part.
TWO_WAY_MEANS, TWO_WAY_RESIDUAL = "two-way means", "two-way residual"
_ROUNDING = 1e-9  # of the fit of the means, relative to the largest value


def layers_of(
    adata: AnnData, layer: str | Sequence[str] | None = None, key: str = KEY
) -> dict[str, str]:
    """Layers by name of source, "X" for ``X``.

    ``measured`` is what was corrected; ``corrected`` and ``specific`` are what the correction
    made of it. Without a correction there is ``X`` alone; with ``layer``, the layers named.
    """
    if layer is not None:
        names = named("layer", layer)
        for taken in {TWO_WAY_MEANS, TWO_WAY_RESIDUAL}.intersection(names):
            raise ValueError(f"Rename layer {taken!r}: a trivial answer goes by this name.")
        return {name: resolve_layer(adata, name) for name in names}
    # Without a correction the measurements are all there is, but another key was meant.
    if key == KEY and not is_stored(adata, key):
        return {"measured": "X"}
    out = {"measured": str(stored(adata, key)["layer"]), "corrected": key}
    if f"{key}_{SPECIFIC}" in adata.layers:
        out[SPECIFIC] = f"{key}_{SPECIFIC}"
    return out


def trivial_sources(measured: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Drug effect + line effect where measured, and the measurements without them, by name."""
    finite = np.isfinite(measured)
    known = np.ix_(finite.any(1), finite.any(0))
    means = np.full(measured.shape, np.nan)
    means[known] = two_way_means(measured[known])
    means[~finite] = np.nan
    rest = measured - means
    rest[np.abs(rest) <= _ROUNDING * np.nanmax(np.abs(measured))] = 0
    return {TWO_WAY_MEANS: means, TWO_WAY_RESIDUAL: rest}


class Source(NamedTuple):
    """A matrix of drugs x cell lines, NaN where nothing is compared, and what its values mean."""

    values: NDArray[np.float64]
    measure: dict[str, Any]


def compared(
    adata: AnnData, layer: str | Sequence[str] | None = None, key: str = KEY
) -> dict[str, Source]:
    """Sources by name, all on the same entries, the trivial answers last."""
    if adata.n_obs < 2:
        raise ValueError(
            "adata holds a single drug, but the line means of the trivial answers come from many. "
            "Pass the whole screen, and the drug by name."
        )
    layers = layers_of(adata, layer, key)
    base = layers_of(adata, None, key)["measured"]
    values = {source: values_of(adata, name) for source, name in layers.items()}
    same = np.all([np.isfinite(x) for x in values.values()], axis=0)
    if adata.X is not None or base != "X":
        same &= np.isfinite(values_of(adata, base))
    out = {
        source: Source(np.where(same, values[source], np.nan), measure_at(adata, name))
        for source, name in layers.items()
    }
    first = next(iter(out.values()))
    trivial = trivial_sources(first.values)
    return out | {name: Source(values, first.measure) for name, values in trivial.items()}
