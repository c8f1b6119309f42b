"""Which way is up in two screens, and turning one of them over."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .._adata.inputs import censored_name
from .._adata.layers import named_layers
from .._adata.measure import as_mapping, bounds_of, measure_of

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_OPPOSITE = {"resistant": "sensitive", "sensitive": "resistant"}
_OTHER_SIDE = {"above": "below", "below": "above"}
# Layers of a correction, by what follows its name: differences, and what has no side.
_SIGNED, _SIZES = ("_residual", "_specific"), ("_sd", "_qvalue")
_PARTS = ("", "_lower", "_upper", *_SIGNED, *_SIZES)


def directions(a: AnnData, b: AnnData, align: bool) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Say what the layers of ``b`` measure, where either screen says so, and what to turn over."""
    own = {*as_mapping(a.uns.get("layer_measures")), *as_mapping(b.uns.get("layer_measures"))}
    shared = [name for name in named_layers(a) if name in b.layers and name in own]
    found, out = {}, []
    for name in ["X", *shared]:
        # A layer of which nothing is known has the measure of X.
        measures = [measure_of(adata, name) or measure_of(adata) for adata in (a, b)]
        if name != "X":
            found[name] = measures[1]
        sides = [measure.get("higher_is") for measure in measures]
        known = [side in _OPPOSITE for side in sides]
        where = "" if name == "X" else f" of layer {name!r}"
        if all(known) and sides[0] != sides[1]:
            if not align:
                raise ValueError(
                    f"In the first screen higher{where} is {sides[0]}, in the second {sides[1]}. "
                    f"Pass align_direction=True to turn the second one over."
                )
            out.append(name)
        elif any(known) and not all(known):
            warnings.warn(
                f"The direction{where} of the {'second' if known[0] else 'first'} screen is not "
                f"known, and is taken to be that of the other. Say so in "
                f"adata.uns['measure']['higher_is'], 'resistant' or 'sensitive'.",
                stacklevel=3,
            )
    return found, out


def is_flags(adata: AnnData, name: str, values: NDArray[Any]) -> bool:
    """Whole numbers are flags or counts, unless they are said to measure something."""
    return values.dtype.kind in "iub" and name != "X" and not measure_of(adata, name)


def turn_over(adata: AnnData, owner: str) -> None:
    """Turn ``X``, or a layer, over, with all that has its measure or was made of it."""
    own = as_mapping(adata.uns.get("layer_measures"))
    measure = measure_of(adata, owner)
    both = sum(bounds_of(measure) or (0.0,))
    shift = both if math.isfinite(both) else 0.0
    made = {
        key: str(as_mapping(record).get("layer"))
        for key, record in adata.uns.items()
        if f"{key}_flag" in adata.layers
    }

    def has_it(name: str, key: str | None) -> bool:
        base = made[key] if key else "X"
        return owner == (name if name in own else base if base in own else "X")

    def over(values: Any) -> NDArray[Any]:
        whole = np.asarray(values)
        out = shift - whole.astype(np.float64)
        return out.astype(whole.dtype) if whole.dtype.kind == "f" else out

    if owner == "X" and adata.X is not None:
        adata.X = over(adata.X)
    for name, values in named_layers(adata).items():
        key, part = next(
            ((k, name.removeprefix(k)) for k in made if name in {f"{k}{x}" for x in _PARTS}),
            (None, ""),
        )
        if not has_it(name, key) or is_flags(adata, name, np.asarray(values)):
            continue
        if part in _SIGNED:
            adata.layers[name] = -np.asarray(values)
        elif part not in _SIZES:
            adata.layers[name] = over(values)
    for key in made:
        ends = [f"{key}_{end}" for end in ("lower", "upper")]
        if has_it(key, key) and all(end in adata.layers for end in ends):
            low, high = (np.asarray(adata.layers[end]) for end in ends)
            adata.layers[ends[0]], adata.layers[ends[1]] = high, low
        null = as_mapping(as_mapping(adata.uns[key]).get("null"))
        if has_it(key, key) and null.get("lighter_side") in _OTHER_SIDE:
            side = _OTHER_SIDE[null["lighter_side"]]
            adata.uns[key] = {**adata.uns[key], "null": {**null, "lighter_side": side}}
        if has_it(key, key) and f"{key}_level" in adata.obs:
            adata.obs[f"{key}_level"] = over(adata.obs[f"{key}_level"].to_numpy())
            adata.var[f"{key}_sensitivity"] = -adata.var[f"{key}_sensitivity"]
            adata.varm[f"{key}_factors"] = -np.asarray(adata.varm[f"{key}_factors"])
    marks = censored_name(owner)
    if marks in adata.layers:
        adata.layers[marks] = -np.asarray(adata.layers[marks])
    _say_turned(measure, shift)
    if owner == "X":
        adata.uns["measure"] = measure
    else:
        adata.uns["layer_measures"] = {**own, owner: measure}


def _say_turned(measure: dict[str, Any], shift: float) -> None:
    """What a measure is once it is turned over: no longer of its kind."""
    measure["higher_is"] = _OPPOSITE[measure["higher_is"]]
    measure.pop("kind", None)
    if "name" in measure:
        measure["name"] = f"{shift:g} - {measure['name']}" if shift else f"-{measure['name']}"
    known = bounds_of(measure)
    if known and not shift:
        measure["bounds"] = [-known[1], -known[0]]
