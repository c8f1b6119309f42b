"""Matrices and data frames of R as DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rtdmf_bio._adata.columns import text_dtype

from .._nodes import node as nodes

if TYPE_CHECKING:
    from .._nodes.node import Node


def frame(node: Node, label: str) -> tuple[pd.DataFrame, list[str]]:
    """Return a matrix, data.frame or DataFrame, and what of it had to be left out.

    Raises
    ------
    ValueError
        Its parts do not fit together.
    """
    with nodes.within(label):
        if node.kind == "S4":
            return of_dframe(node)
        return (_matrix(node), []) if nodes.is_matrix(node) else _data_frame(node)


def of_dframe(node: Node) -> tuple[pd.DataFrame, list[str]]:
    """Return a DataFrame of S4Vectors, and what of it had to be left out."""
    data, size = node.attr("listData"), node.attr("nrows")
    n = 0 if size is None else int(size.values()[0])
    items = [] if data is None else [data.item(i) for i in range(len(data))]
    names = nodes.text(node.attr("rownames"))
    if names and len(names) != n:
        raise nodes.TableError(f"the DataFrame of {n} rows has {len(names)} names of rows")
    return _columns(items, [] if data is None else data.names, _index(names, n))


def _data_frame(node: Node) -> tuple[pd.DataFrame, list[str]]:
    items = [node.item(i) for i in range(len(node))]
    index = nodes.row_names(node) if nodes.has_row_names(node) else nodes.height(node)
    if isinstance(index, int):
        index = pd.RangeIndex(index)
    return _columns(items, node.names, index)


def _columns(items: list[Any], names: list[str], index: pd.Index) -> tuple[pd.DataFrame, list[str]]:
    """Put plain vectors of one length side by side; names may repeat."""
    kept, left_out = {}, []
    names = names or [""] * len(items)
    for i, (name, item) in enumerate(zip(names, items, strict=True)):
        values = None if item is None else _values(item, name)
        if values is None:
            left_out.append(f"the column {name!r}, which is no plain vector")
        elif len(values) != len(index):
            raise nodes.TableError(
                f"the column {name!r} has {len(values)} entries for {len(index)} rows"
            )
        else:
            kept[i] = values
    table = pd.DataFrame(kept, index=index)
    return table.set_axis(pd.Index([names[i] for i in kept], dtype=text_dtype()), axis=1), left_out


def _values(item: Node, name: str) -> Any:
    """A column as array, None if it is no plain vector."""
    if {"values", "lengths"} <= set(item.attributes) and item.kind == "S4":  # Rle, run by run
        runs: Any = item.attr("values")
        values = None if runs is None else _values(runs, name)
        lengths: Any = item.attr("lengths")
        if values is None or lengths is None or len(lengths) != len(values):
            return None
        return pd.Series(values).repeat(lengths.values()).array
    if item.kind not in nodes.ATOMIC or item.attr("dim") is not None:
        return None
    return _plain(nodes.vector(item, name))


def _plain(values: Any) -> Any:
    """Whole numbers with gaps as float, R's NA as NaN."""
    if isinstance(values, pd.arrays.IntegerArray):
        if values.isna().any():
            return values.to_numpy(np.float64, na_value=np.nan)
        return values.to_numpy(values.dtype.numpy_dtype)
    if isinstance(values, pd.arrays.BooleanArray) and values.isna().all():
        return np.full(len(values), np.nan)
    if getattr(values, "dtype", None) == np.float64:
        return np.where(np.isnan(values), np.nan, values)
    return values


def _matrix(node: Node) -> pd.DataFrame:
    values, rows, columns, titles = matrix(node)
    table = pd.DataFrame(values)
    if isinstance(values, np.ndarray) and values.dtype == object and node.kind == "logical":
        table = table.astype("boolean")
    table = table.set_axis(rows).set_axis(columns, axis=1)
    return table.rename_axis(index=titles[0], columns=titles[1])


def matrix(node: Node) -> tuple[Any, pd.Index, pd.Index, list[str | None]]:
    """Return the values of a matrix as array, the names of rows and columns, and their titles."""
    shape = nodes.shape(node)
    if shape is None:
        raise nodes.TableError("it is no matrix")
    values = _plain(nodes.vector(node))
    if not isinstance(values, np.ndarray):
        values = np.asarray(values, dtype=object)
    dimnames = node.attr("dimnames")
    names = [nodes.text(None if dimnames is None else dimnames.item(i)) for i in range(2)]
    for axis, found, n in zip(("rows", "columns"), names, shape, strict=True):
        if found and len(found) != n:
            raise nodes.TableError(f"the matrix of {n} {axis} has {len(found)} names of them")
    titles = [] if dimnames is None else [title or None for title in dimnames.names]
    rows, columns = (_index(found, n) for found, n in zip(names, shape, strict=True))
    return values.reshape(shape, order="F"), rows, columns, titles or [None, None]


def _index(names: list[Any], n: int) -> pd.Index:
    return pd.Index(names, dtype=text_dtype()) if names else pd.RangeIndex(n)
