"""Two screens with the same drugs and cell lines, under the same names."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from .._adata.inputs import check_screens
from .._adata.layers import named_layers
from .._adata.measure import as_mapping, measure_of
from ..model.checks import check_choice
from ._matching import match_drugs, match_lines

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_OPPOSITE = {"resistant": "sensitive", "sensitive": "resistant"}
_OTHER_SIDE = {"above": "below", "below": "above"}
# Layers of a correction, by what follows its name: differences, and what has no side.
_SIGNED, _SIZES = ("_residual", "_specific"), ("_sd", "_qvalue")
_PARTS = ("", "_lower", "_upper", *_SIGNED, *_SIZES)
_HOW = {"recomputed", "published"}  # in names of measures, such as auc_recomputed


class Harmonized(NamedTuple):
    """What :func:`harmonize` returns."""

    a: AnnData
    b: AnnData
    drugs: pd.DataFrame
    lines: pd.DataFrame


def harmonize(
    a: AnnData,
    b: AnnData,
    *,
    aliases: Mapping[str, str] | pd.DataFrame | None = None,
    line_ids: str | Sequence[str] | None = None,
    align_direction: bool = False,
    replicates: Literal["mean", "error"] = "mean",
) -> Harmonized:
    """Restrict two screens to the drugs and cell lines they share, in the same order.

    Drugs are the same if their names are, without case, punctuation, and what follows in brackets
    (``AZD6482 [156]``, ``Nutlin-3a (-)``), or if ``aliases`` gives them the same name. Lines are
    the same if their COSMIC or DepMap identifiers are, else if their names are, without case and
    punctuation, and no identifier contradicts it. Correct each screen first, as a whole: what is
    left here is too little to learn from.

    Parameters
    ----------
    a, b
        Drugs (``obs``) x cell lines (``var``), corrected or not.
    aliases
        Name of a drug -> its unified name, as mapping or as table of two columns.
    line_ids
        Columns of ``var`` in both screens that identify lines, in order of trust. None:
        ``cosmic_id`` and ``depmap_id``, in the spellings of GDSC, CCLE and DepMap, where both
        screens have them.
    align_direction
        Turn ``b`` over if in one screen higher is resistant and in the other sensitive; otherwise
        that is refused. Goes for ``X``, and for each layer with a measure of its own in
        ``uns["layer_measures"]``.
    replicates
        What becomes of rows of one screen that are the same drug: ``mean`` of what was measured,
        or ``error``.

    Returns
    -------
    A named tuple of

    ``a``, ``b`` : AnnData
        Copies of the shared part, named and ordered as in ``a``. Of merged rows, flags are the
        maximum, and the columns of ``obs`` those of the first. Turned over, a value is
        low + high - value, or -value where the measure has no finite bounds; residuals and
        specific parts change their sign, and the ends of intervals their places.
    ``drugs``, ``lines`` : tables
        One row for each row (column) of either screen: ``screen``, ``original`` name, common
        ``name`` (empty if not shared), and ``how`` it was matched: ``name``, ``normalised name``,
        ``alias``, an identifier, or ``none``. Merged rows have one ``name``. Of several lines with
        one identity the first is taken, and the others are ``duplicate``; lines that only a name
        would match are ``contradicted`` if their identifiers differ.

    Raises
    ------
    TypeError, ValueError
        If no drug or no line is shared, names are not unique, a matrix is sparse, the directions
        differ, or there are replicates and ``replicates="error"``.

    Warns
    -----
    UserWarning
        If the direction of only one screen is known, or their measures have other names.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> a = rt.datasets.gdsc1()[:40, :200].copy()
    >>> b = a[10:, 50:].copy()
    >>> b.obs_names = b.obs_names.str.upper()
    >>> both = rt.pp.harmonize(a, b)
    >>> both.a.shape, sorted(set(both.lines["how"]))
    ((30, 150), ['cosmic_id', 'none'])
    """
    check_choice("replicates", replicates, ("mean", "error"))
    check_screens(a, b)
    measures, turned = _turned(a, b, align_direction)
    if "X" not in turned:
        _warn_of_kinds(a, b)
    drugs = match_drugs(list(a.obs_names), list(b.obs_names), aliases, replicates)
    lines = match_lines(a.var, b.var, line_ids)
    # A name occurs once in each, where replicates have one.
    order = [list(dict.fromkeys(one["name"][one["name"] != ""])) for one in (drugs[0], lines[0])]
    parts = [
        _shared(adata, table, line, order)
        for adata, table, line in zip((a, b), drugs, lines, strict=True)
    ]
    if turned:
        # A layer that has its measure from X would no longer have it.
        parts[1].uns["layer_measures"] = {**as_mapping(b.uns.get("layer_measures")), **measures}
    for owner in turned:
        _turn_over(parts[1], owner)

    def both(tables: tuple[pd.DataFrame, ...]) -> pd.DataFrame:
        return pd.concat(
            [table.assign(screen=name) for name, table in zip("ab", tables, strict=True)],
            ignore_index=True,
        )[["screen", "original", "name", "how"]]

    return Harmonized(parts[0], parts[1], both(drugs), both(lines))


def _turned(a: AnnData, b: AnnData, align: bool) -> tuple[dict[str, dict[str, Any]], list[str]]:
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


def _warn_of_kinds(a: AnnData, b: AnnData) -> None:
    """Say if ``X`` has measures whose names have nothing in common."""
    names = [str(measure_of(adata).get("name", "")) for adata in (a, b)]
    words = [set(re.findall(r"[^\W_]+", name.lower())) - _HOW for name in names]
    if all(names) and names[0] != names[1] and not words[0] & words[1]:
        warnings.warn(
            f"The first screen holds {names[0]!r}, the second {names[1]!r}. If these are different "
            f"measures, compare the order of their values alone.",
            stacklevel=3,
        )


def _shared(
    adata: AnnData, drugs: pd.DataFrame, lines: pd.DataFrame, order: Sequence[Sequence[str]]
) -> AnnData:
    """The shared part, replicates merged, in the order of the common names."""
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(drugs["name"]):
        rows.setdefault(name, []).append(i)
    line = {name: j for j, name in enumerate(lines["name"])}
    columns = [line[name] for name in order[1]]
    first = [rows[name][0] for name in order[0]]
    out = adata[first, columns].copy()
    several = [k for k, name in enumerate(order[0]) if len(rows[name]) > 1]

    def merged(name: str, values: Any) -> NDArray[Any]:
        whole = np.asarray(values)
        part = whole[np.ix_(first, columns)].copy()
        flags = _is_flags(adata, name, whole)
        if several and not flags and whole.dtype.kind != "f":
            part = part.astype(np.float64)
        for k in several:
            part[k] = _merged(whole[np.ix_(rows[order[0][k]], columns)], flags)
        return part

    if adata.X is not None:
        out.X = merged("X", adata.X)
    for name, values in named_layers(adata).items():
        out.layers[name] = merged(name, values)
    out.obs_names, out.var_names = list(order[0]), list(order[1])
    return out


def _merged(rows: NDArray[Any], flags: bool) -> NDArray[Any]:
    if flags:
        return rows.max(axis=0)  # type: ignore[no-any-return]
    measured = np.isfinite(rows)
    count = measured.sum(axis=0)
    total = np.where(measured, rows, 0).sum(axis=0)
    out: NDArray[Any] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out


def _is_flags(adata: AnnData, name: str, values: NDArray[Any]) -> bool:
    """Whole numbers are flags or counts, unless they are said to measure something."""
    return values.dtype.kind in "iub" and name != "X" and not measure_of(adata, name)


def _turn_over(adata: AnnData, owner: str) -> None:
    """Turn ``X``, or a layer, over, with all that has its measure or was made of it."""
    own = as_mapping(adata.uns.get("layer_measures"))
    measure = measure_of(adata, owner)
    shift = _ends(measure)
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
        if not has_it(name, key) or _is_flags(adata, name, np.asarray(values)):
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
    measure["higher_is"] = _OPPOSITE[measure["higher_is"]]
    if owner == "X":
        adata.uns["measure"] = measure
    else:
        adata.uns["layer_measures"] = {**own, owner: measure}


def _ends(measure: dict[str, Any]) -> float:
    """Low + high of a measure, 0 where it has no finite bounds."""
    try:
        low, high = (float(bound) for bound in measure["bounds"])
    except (KeyError, TypeError, ValueError):
        return 0.0
    return low + high if math.isfinite(low) and math.isfinite(high) else 0.0
