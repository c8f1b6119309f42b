"""Tables for R, written without R: CSV, and .rds by rdata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rtdmf_bio._adata.columns import is_text

from .._nodes.node import as_na


def write(table: pd.DataFrame, path: Path, suffix: str, *, as_matrix: bool) -> None:
    """Write numbers with the names of rows and columns, as data frame or as matrix of R."""
    if suffix == ".csv":
        table.to_csv(path, na_rep="NA")
        return
    import rdata
    from rdata.conversion.to_r import DEFAULT_CLASS_MAP

    content: Any = _Matrix(table) if as_matrix else table.copy()
    if not as_matrix and is_text(table.index):
        content.index = table.index.astype(object)  # rdata knows no other text
    for name, column in () if as_matrix else table.items():
        if column.dtype == np.float64:
            content[name] = as_na(column.to_numpy())
        elif is_text(column):
            content[name] = column.astype("category")
    rdata.write_rds(path, content, constructor_dict={**DEFAULT_CLASS_MAP, _Matrix: _construct})


class _Matrix:
    """A table that is to become a matrix, which rdata has no name for."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table


def _construct(matrix: _Matrix, converter: Any) -> Any:
    values = matrix.table.to_numpy()
    result = converter.convert_to_r_object(as_na(values.ravel(order="F")))
    names = [np.array(axis, dtype=str) for axis in matrix.table.axes]
    result.attributes = converter.convert_to_r_attributes(
        {"dim": np.array(values.shape, dtype=np.int32), "dimnames": names}
    )
    result.info.attributes = True
    return result
