"""Two screens with the same drugs and cell lines, under the same names."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .._measure import as_mapping, measure_of
from ._correct import _matrix
from ._matching import match_drugs, match_lines

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


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
    line_ids: Sequence[str] | None = None,
    align_direction: bool = False,
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
        that is refused.

    Returns
    -------
    A named tuple of

    ``a``, ``b`` : AnnData
        Copies of the shared part, named and ordered as in ``a``. Rows of one screen that are the
        same drug are merged: mean of what was measured, for flags the maximum; the columns of
        ``obs`` are those of the first. Turned over, a value is low + high - value, or -value where
        the measure has no bounds; residuals and specific parts change their sign.
    ``drugs``, ``lines`` : tables
        One row for each row (column) of either screen: ``screen``, ``original`` name, common
        ``name`` (empty if not shared), and ``how`` it was matched: ``name``, ``normalised name``,
        ``alias``, an identifier, or ``none``. Of several lines with one identity the first is
        taken.

    Raises
    ------
    TypeError, ValueError
        If no drug or no line is shared, names are not unique, or the directions differ.

    Warns
    -----
    UserWarning
        If the direction of only one screen is known.

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
    import pandas as pd

    for adata in (a, b):
        # Raises on anything that is no AnnData in memory with unique names.
        empty = getattr(adata, "X", 0) is None and len(adata.layers)
        _matrix(adata, next(iter(adata.layers)) if empty else None)
    flip = _turned(a, b, align_direction)
    drugs = match_drugs(list(a.obs_names), list(b.obs_names), aliases)
    lines = match_lines(a.var, b.var, line_ids)
    order = [drugs[0].drop_duplicates("name").query("name != ''")["name"],
             lines[0].query("name != ''")["name"]]  # fmt: skip
    parts = [
        _shared(adata, table, line, order)
        for adata, table, line in zip((a, b), drugs, lines, strict=True)
    ]
    if flip:
        _turn_over(parts[1])

    def both(tables: tuple[pd.DataFrame, ...]) -> pd.DataFrame:
        return pd.concat(
            [table.assign(screen=name) for name, table in zip("ab", tables, strict=True)],
            ignore_index=True,
        )[["screen", "original", "name", "how"]]

    return Harmonized(parts[0], parts[1], both(drugs), both(lines))


def _turned(a: AnnData, b: AnnData, align: bool) -> bool:
    """Whether ``b`` must be turned over."""
    sides = [measure_of(adata).get("higher_is") for adata in (a, b)]
    known = [side in ("resistant", "sensitive") for side in sides]
    if all(known) and sides[0] != sides[1]:
        if not align:
            raise ValueError(
                f"In the first screen higher is {sides[0]}, in the second {sides[1]}. Pass "
                f"align_direction=True to turn the second one over."
            )
        return True
    if any(known) and not all(known):
        warnings.warn(
            f"The direction of the {'second' if known[0] else 'first'} screen is not known, and is "
            f"taken to be that of the other. Say so in adata.uns['measure']['higher_is'], "
            f"'resistant' or 'sensitive'.",
            stacklevel=3,
        )
    return False


def _shared(
    adata: AnnData, drugs: pd.DataFrame, lines: pd.DataFrame, order: Sequence[Sequence[str]]
) -> AnnData:
    """The shared part, replicates merged, in the order of the common names."""
    import numpy as np

    rows: dict[str, list[int]] = {}
    for i, name in enumerate(drugs["name"]):
        rows.setdefault(name, []).append(i)
    line = {name: j for j, name in enumerate(lines["name"])}
    columns = [line[name] for name in order[1]]
    first = [rows[name][0] for name in order[0]]
    out = adata[first, columns].copy()

    def merged(values: Any) -> NDArray[Any]:
        whole = np.asarray(values)
        part = whole[np.ix_(first, columns)].copy()
        for k, one in enumerate(order[0]):
            if len(rows[one]) > 1:
                part[k] = _merged(whole[np.ix_(rows[one], columns)], whole.dtype.kind in "iu")
        return part

    if adata.X is not None:
        out.X = merged(adata.X)
    for name, values in adata.layers.items():
        out.layers[name] = merged(values)
    out.obs_names, out.var_names = list(order[0]), list(order[1])
    return out


def _merged(rows: NDArray[Any], flags: bool) -> NDArray[Any]:
    import numpy as np

    if flags:
        return rows.max(axis=0)  # type: ignore[no-any-return]
    measured = np.isfinite(rows)
    count = measured.sum(axis=0)
    total = np.where(measured, rows, 0).sum(axis=0)
    out: NDArray[Any] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out


def _turn_over(adata: AnnData) -> None:
    """Turn values of the measure of ``X`` over, and what corrections made of them."""
    import numpy as np

    measure = measure_of(adata)
    low, high = measure.get("bounds", (0.0, 0.0))

    def over(values: Any) -> NDArray[Any]:
        out: NDArray[Any] = (np.asarray(values) * -1 + (low + high)).astype(values.dtype)
        return out

    others = as_mapping(adata.uns.get("layer_measures"))
    made = {
        key: as_mapping(record).get("layer")
        for key, record in adata.uns.items()
        if f"{key}_flag" in adata.layers
    }
    if adata.X is not None:
        adata.X = over(adata.X)
    for name, values in list(adata.layers.items()):
        key = next((k for k in made if name in (k, f"{k}_residual", f"{k}_specific")), None)
        base = made.get(key, name) if key else name
        if base in others or np.asarray(values).dtype.kind in "iub":
            continue
        adata.layers[name] = over(values) if name in (key, base) else -np.asarray(values)
    for key, base in made.items():
        if base in others:
            continue
        if f"{key}_level" in adata.obs:
            adata.obs[f"{key}_level"] = over(adata.obs[f"{key}_level"].to_numpy())
            adata.var[f"{key}_sensitivity"] = -adata.var[f"{key}_sensitivity"]
            adata.varm[f"{key}_factors"] = -np.asarray(adata.varm[f"{key}_factors"])
    turned = {"resistant": "sensitive", "sensitive": "resistant"}[measure["higher_is"]]
    adata.uns["measure"] = {**measure, "higher_is": turned}
