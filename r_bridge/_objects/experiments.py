"""SummarizedExperiments as AnnData: S4 objects as they are stored, without their classes.

Assays are a list of matrices, wrapped by S4 objects and, until 2017, an environment, as versions
of the class went by. Rows of a RangedSummarizedExperiment have names and annotation in ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from rtdmf_bio._adata.columns import text_dtype

from .._nodes import node as nodes
from .._psets.assemble import storable
from .choose import describe
from .frames import frame, matrix, of_dframe

if TYPE_CHECKING:
    from .._nodes.node import Node


def experiment(node: Node, label: str) -> tuple[AnnData, list[str]]:
    """Return the AnnData, rows as ``obs``, and what had to be left out.

    Raises
    ------
    ValueError
        There is no assay, the first is no matrix of numbers in memory, or parts do not fit.
    """
    listed = _listed(node.attr("assays"))
    if listed is None or not len(listed):
        raise ValueError(f"{label} is a SummarizedExperiment without any assay. Add one in R.")
    names = listed.names or [""] * len(listed)
    left_out: list[str] = []
    with nodes.within(label):
        row_data, col_data = (_annotation(node, axis, left_out) for axis in ("row", "col"))
        first = _assay(listed.item(0))
        if isinstance(first, str):
            raise ValueError(
                f"{label}: the first assay {names[0]!r} is {first}. Make it a matrix of numbers in "
                "R: assay(x) <- as.matrix(assay(x))."
            )
        X, rows, columns = first
        obs, var = _named(node, row_data, rows, "row"), _named(node, col_data, columns, "col")
        layers = {}
        for i, name in enumerate(names[1:], 2):
            found = _assay(listed.item(i - 1))
            if isinstance(found, str):
                left_out.append(f"the assay {name or i!r}, which is {found}")
                continue
            name = name or f"assay{i}"
            layers[f"{name}.{i}" if name in layers else name] = found[0]
        for name, values in [(names[0], X), *layers.items()]:
            if values.shape != (len(obs), len(var)):
                raise nodes.TableError(
                    f"the assay {name!r} is of {' x '.join(map(str, values.shape))}, where rowData "
                    f"and colData say {len(obs)} x {len(var)}"
                )
    adata = AnnData(X.astype(np.float64), obs=obs, var=var, layers=layers)
    measure = _measure(node.attr("metadata"), names[0])
    if measure:
        adata.uns["measure"] = measure
    adata.uns["read_r"] = {"class": describe(node), "assays": [names[0], *layers]}
    return adata, left_out


def _listed(assays: Any) -> Node | None:
    """The list of matrices in whatever holds it."""
    for _ in range(5):
        if assays is None or assays.kind == "list":
            return assays  # type: ignore[no-any-return]
        # A field of a reference class, kept under another name than the function that gives it.
        within = _first(*map(assays.binding, ("data", ".->data")))
        slots = ("data", "listData", ".xData") if assays.kind == "S4" else ()
        assays = _first(within, *map(assays.attr, slots))
    return None


def _first(*found: Node | None) -> Node | None:
    """The first that is there; an S4 object has no length, and is so no truth."""
    return next((node for node in found if node is not None), None)


def _assay(node: Any) -> tuple[Any, pd.Index, pd.Index] | str:
    """Values with the names of rows and columns, or what it is instead."""
    if node is None:
        return "empty"
    if nodes.is_matrix(node):
        values, rows, columns, _ = matrix(node)
    elif nodes.is_table(node) or {"listData", "nrows"} <= set(node.attributes):
        table, left_out = frame(node, "the assay")
        if left_out:
            return f"a table with {left_out[0]}"
        values, rows, columns = table.to_numpy(), table.index, table.columns
    else:
        return node.word or f"of class {describe(node)}, which is sparse or not in memory"
    if values.dtype == object and node.kind == "logical":
        values = pd.array(values.ravel(), dtype="boolean").to_numpy(np.float64, na_value=np.nan)
        values = values.reshape(len(rows), len(columns))
    if values.dtype.kind not in "biuf":
        return "not of numbers"
    return np.ascontiguousarray(values), rows, columns


def _annotation(node: Node, axis: str, left_out: list[str]) -> pd.DataFrame:
    """``rowData`` or ``colData``; that of ranges is theirs."""
    ranges = _ranges(node) if axis == "row" else None
    slot = "elementMetadata" if axis == "row" else "colData"
    table = (node if ranges is None else ranges).attr(slot)
    if table is None:
        raise nodes.TableError(f"there is no {axis}Data")
    found, lost = of_dframe(table)
    left_out += [f"{what}, of {axis}Data" for what in lost]
    return found


def _ranges(node: Node) -> Node | None:
    """Ranges of the rows, under the name of their slot now or until 2015."""
    return _first(node.attr("rowRanges"), node.attr("rowData"))


def _named(node: Node, table: pd.DataFrame, of_assay: pd.Index, axis: str) -> pd.DataFrame:
    """Annotation by the names of the rows, or columns, as the object has them."""
    names: list[Any] = []
    if axis == "row":
        # Ranges keep their names, a list of ranges in how it is parted.
        ranges = _ranges(node)
        parts = (
            [ranges.attr(slot) for slot in ("ranges", "partitioning")] if ranges is not None else []
        )
        named = _first(*(part.attr("NAMES") for part in (node, *parts) if part is not None))
        names = nodes.text(named)
    index = pd.Index(names, dtype=text_dtype()) if names else table.index
    if isinstance(index, pd.RangeIndex) and len(of_assay) == len(index):
        index = of_assay
    if isinstance(index, pd.RangeIndex):
        index = pd.Index([str(i + 1) for i in index], dtype=text_dtype())
    if len(index) != len(table):
        raise nodes.TableError(f"{axis}Data has {len(table)} rows for {len(index)} names")
    return storable(table.set_axis(index))


def _measure(metadata: Node | None, name: str) -> dict[str, Any]:
    """``metadata$measure`` if it is that of the assay called `name`."""
    known = nodes.settings(None if metadata is None else metadata.item("measure"))
    if known.get("name", name) == name and known:
        return known
    return {} if name in ("", "X") else {"name": name}
