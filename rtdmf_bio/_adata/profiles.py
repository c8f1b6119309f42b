"""Profiles of drugs or cell lines, which clusters go by.

| symbol | variable    | shape          | meaning                                              |
|--------|-------------|----------------|------------------------------------------------------|
| X      | ``values``  | (n, p)         | drugs x cell lines, NaN where not measured           |
| C      | ``centred`` | (n, p)         | X minus the mean of each drug, 0 where not measured  |
| z      | ``units``   | (items, p/n)   | profiles of the items, each of mean 0 and length 1   |

A profile is a row (drugs) or a column (lines) of C. Without the drug's mean taken out, all lines
look alike: each is mostly the potencies of the drugs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model.checks import check_choice, name_some

if TYPE_CHECKING:
    from anndata import AnnData

Matrix = NDArray[np.float64]

AXES = {"drugs": "obs", "lines": "var"}
_ROUNDING = 1e-6  # of float32, relative to the values a profile was made from


def axis_of(adata: AnnData, group_key: str, axis: str | None = None) -> str:
    """``drugs`` or ``lines``, whichever has the column."""
    check_choice("axis", axis, (None, *AXES))
    columns = {name: list(getattr(adata, table).columns) for name, table in AXES.items()}
    having = [name for name in columns if group_key in columns[name]]
    if axis is None and len(having) > 1:
        raise ValueError(
            f"Both adata.obs and adata.var have a column {group_key!r}. Pass axis='drugs' or "
            f"axis='lines'."
        )
    if not having or axis not in (None, *having):
        where = f"adata.{AXES[axis]} has no" if axis else "Neither adata.obs nor adata.var has a"
        raise ValueError(
            f"{where} column {group_key!r}. Drugs (obs) have {columns['drugs']}, lines (var) "
            f"{columns['lines']}."
        )
    return axis or having[0]


def profiles(values: Matrix, axis: str) -> Matrix:
    """Profiles of mean 0 and length 1, one item a row, NaN where a profile is constant."""
    measured = np.isfinite(values)
    centred = np.where(measured, values - np.nanmean(values, axis=1, keepdims=True), 0)
    largest = np.where(measured, np.abs(values), 0).max(axis=1 if axis == "drugs" else 0)
    if axis == "lines":
        centred = centred.T - centred.mean(0)[:, None]
    length = np.linalg.norm(centred, axis=1)
    constant = length <= _ROUNDING * largest * np.sqrt(centred.shape[1])
    units: Matrix = centred / np.where(constant, np.nan, length)[:, None]
    return units


def named_profiles(
    values: Matrix,
    axis: str,
    names: NDArray[np.str_],
    source: str,
    at: NDArray[np.intp] | slice = slice(None),
) -> Matrix:
    """Profiles of the items at these places, whose names are given, or say which have none."""
    empty = int((~np.isfinite(values).any(1)).sum())
    if empty:
        raise ValueError(
            f"{empty} drug(s) measured elsewhere have no value at all in {source!r}, and so no "
            f"mean to fill it by. Drop them, or cluster another layer."
        )
    units = profiles(values, axis)[at]
    constant = np.isnan(units[:, 0])
    if constant.any():
        raise ValueError(
            f"{constant.sum()} of the {axis} have a constant profile in {source!r}, which "
            f"correlates with nothing: {name_some(list(names[constant]))}. Drop them, or set their "
            f"group to missing."
        )
    return units


def ward(units: Matrix) -> Matrix:
    """Ward's linkage as of :func:`scipy.cluster.hierarchy.linkage`, (items - 1, 4)."""
    from scipy.cluster.hierarchy import linkage

    tree: Matrix = linkage(units, "ward")
    return tree
