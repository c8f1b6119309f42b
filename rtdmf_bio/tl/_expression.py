"""Tables of expression, checked, and the lines and drugs that go with them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._adata.inputs import named
from ..model.checks import name_some

if TYPE_CHECKING:
    from anndata import AnnData

Array = NDArray[np.float64]


def expression_of(given: Any, parameter: str) -> pd.DataFrame:
    """Return samples x genes as a table with unique names."""
    from anndata import AnnData

    table = given.to_df() if isinstance(given, AnnData) else given
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{parameter} must be a table or an AnnData of cell lines x genes. Got "
            f"{type(given).__name__}."
        )
    table = table.set_axis(table.index.astype(str)).set_axis(table.columns.astype(str), axis=1)
    for what, names in (("line", table.index), ("gene", table.columns)):
        if not names.is_unique:
            twice = list(names[names.duplicated()].unique())
            raise ValueError(
                f"{len(twice)} {what} name(s) occur more than once in {parameter}: "
                f"{name_some(twice)}. Aggregate or rename them."
            )
    return table


def finite(table: pd.DataFrame, parameter: str) -> Array:
    """Return a table as numbers, all of them finite and some gene of which varies."""
    try:
        values: Array = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        text = [name for name, kind in table.dtypes.items() if kind.kind not in "fiub"]
        raise TypeError(
            f"{parameter} must be numeric. Column(s) {name_some(text)} are not; drop them."
        ) from None
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(
            f"{parameter} has {bad.sum()} missing or infinite values in {bad.any(0).sum()} of "
            f"{bad.shape[1]} genes: {name_some(list(table.columns[bad.any(0)]))}. Drop these genes "
            f"or fill them in."
        )
    if np.ptp(values, axis=0).max(initial=0) == 0:
        raise ValueError(f"None of the {bad.shape[1]} genes of {parameter} varies between lines.")
    return values


def too_few_shared(lines: NDArray[Any], table: pd.DataFrame, n: int, needed: int) -> str:
    """Say how few of the lines have expression, and what may be wrong."""
    hint = "Make the names agree."
    if n:
        hint = "Make the names agree, or pass fewer n_folds or min_lines."
    if n == lines.size:
        hint = "Pass fewer n_folds or min_lines."
    if np.isin(lines, table.columns).sum() > n:
        hint = "Lines are its columns: pass expression.T."
    return (
        f"{n} of the {lines.size} cell lines measured have expression by that name; at least "
        f"{needed} are needed. adata.var_names has {name_some(list(lines), 3)}, expression has "
        f"{name_some(list(table.index), 3)}. {hint}"
    )


def further(given: Any, genes: pd.Index) -> Array:
    """Return the expression of further samples, for the same genes."""
    table = expression_of(given, "pretrain")
    lost = [name for name in genes if name not in table.columns]
    if lost:
        raise ValueError(
            f"pretrain lacks {len(lost)} of the {len(genes)} genes of expression: "
            f"{name_some(lost)}. Keep the genes both have."
        )
    return finite(table[genes], "pretrain")


def chosen_drugs(
    adata: AnnData, drugs: Any, measured: NDArray[Any], count: NDArray[np.intp], least: int
) -> NDArray[np.intp]:
    """Rows, among the drugs with a measurement, of those to predict."""
    asked = list(adata.obs_names) if drugs is None else named("drugs", drugs)
    for name in asked:
        if name not in adata.obs_names:
            raise ValueError(
                f"adata.obs_names has no {name!r}. It has {name_some(list(adata.obs_names))}."
            )
    enough = measured[count >= least]
    lost = [name for name in asked if name not in enough]
    if len(lost) == len(asked):
        raise ValueError(
            f"None of {len(asked)} drug(s) is measured on {least} lines with expression "
            f"(min_lines): {name_some(lost)}."
        )
    if lost and drugs is not None:
        warnings.warn(
            f"{len(lost)} drug(s) are not in the table, measured on fewer than {least} lines with "
            f"expression (min_lines): {name_some(lost)}.",
            stacklevel=3,
        )
    return np.flatnonzero(np.isin(measured, asked) & (count >= least))


def folds_of(known: NDArray[np.bool_], n_folds: int, seed: int) -> NDArray[np.intp]:
    """Deal the lines with expression out at random; -1 for the others."""
    fold = np.full(known.size, -1)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(known))
    fold[order] = np.arange(order.size) % n_folds
    return fold
