"""What a back end gives: R objects as a tree, whoever read them.

A back end wraps R objects as `Node`; everything that is known about PharmacoSets is written once,
on top of this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from rtdmf_bio._adata.columns import text_dtype

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray


class Node(ABC):
    """One R object."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """R's ``typeof``: ``"list"``, ``"double"``, ``"S4"``, ``"NULL"``, and ``"other"``."""

    @property
    @abstractmethod
    def word(self) -> str:
        """What an object of the kind ``"other"`` is, if it is no data, else empty.

        ``"a function"``, ``"an environment"``, or ``"code"``: a promise, a call, a name. None of
        it is ever run.
        """

    @property
    @abstractmethod
    def attributes(self) -> list[str]:
        """Names of the attributes, which are the slots of an S4 object."""

    @abstractmethod
    def __len__(self) -> int:
        """Return R's ``length``, of the bare vector."""

    @abstractmethod
    def _attribute(self, name: str) -> Self | None:
        """Return `attr` of an object of a kind that is known."""

    @abstractmethod
    def _element(self, position: int) -> Self | None:
        """Return `item` of a list that is long enough."""

    @abstractmethod
    def binding(self, name: str) -> Self | None:
        """Return a variable of an environment, None if there is none, it is NULL or code."""

    @property
    def names(self) -> list[str]:
        """Names of the elements; empty without names, ``""`` for NA."""
        return [name or "" for name in text(self.attr("names"))]

    def attr(self, name: str) -> Self | None:
        """Return an attribute or slot, None if there is none or it is NULL."""
        # What is no vector or object may be code, and be run.
        return None if self.kind == "other" else self._attribute(name)

    def item(self, key: str | int) -> Self | None:
        """Return an element of a list by name or position, None if there is none or it is NULL."""
        if self.kind != "list":
            return None
        if isinstance(key, str):
            names = self.names
            if key not in names:
                return None
            key = names.index(key)
        return self._element(key) if key < len(self) else None

    @abstractmethod
    def values(self) -> Any:
        """Return an atomic vector as array.

        float64; int32, or pandas ``Int32`` with NA; bool, or pandas ``boolean`` with NA; objects
        with str, and None for NA. R's NA and NaN are both NaN. Text that is neither UTF-8 nor
        declared as another encoding is read as Windows-1252, a superset of Latin-1.
        """


R_NA = 0x7FF00000000007A2
"""Bits of R's NA among the NaNs."""

ATOMIC = ("logical", "integer", "double", "character")


def as_na(values: Any) -> NDArray[np.float64]:
    """Copy `values` with every NaN as R's NA, which says "missing" to more of R."""
    array = np.array(values, dtype=np.float64)
    array.view(np.uint64)[np.isnan(array)] = R_NA
    return array


class DamagedError(ValueError):
    """A file cannot be read as what it is; the text says why."""


class TableError(ValueError):
    """A table that is none; `within` says where."""


@contextmanager
def within(where: str) -> Iterator[None]:
    """Name the file and slot in what goes wrong with a table."""
    try:
        yield
    except TableError as error:
        raise ValueError(f"{where}: {error}") from None


def classes(node: Node) -> tuple[str, ...]:
    """Class attribute of `node`; empty for a bare vector."""
    return tuple(name for name in text(node.attr("class")) if name is not None)


def text(node: Node | None) -> list[Any]:
    """Character vector as list, None for NA; empty for anything else."""
    return list(node.values()) if node is not None and node.kind == "character" else []


def is_table(node: Node | None) -> bool:
    """Whether `node` is a data frame or a matrix."""
    if node is None:
        return False
    return "data.frame" in classes(node) or shape(node) is not None


def is_matrix(node: Node) -> bool:
    """Whether `node` is a matrix."""
    return shape(node) is not None


def is_empty(node: Node | None) -> bool:
    """Whether `node` is NULL, an empty list, or a table without columns."""
    return node is None or (node.kind in (*ATOMIC, "list", "NULL") and len(node) == 0)


def columns(node: Node) -> list[str]:
    """Names of the columns of a table."""
    if shape(node) is None:
        return node.names
    dimnames = node.attr("dimnames")
    names = None if dimnames is None else dimnames.item(1)
    return [name or "" for name in text(names)]


def row_names(node: Node) -> pd.Index:
    """Names of the rows of a table; ``"1"``, ``"2"``, ... where R would count them."""
    names = _row_names(node)
    if names is None or _is_short(names):
        return pd.Index([str(i) for i in range(1, height(node) + 1)], dtype=text_dtype())
    if names.kind not in ("integer", "double", "character"):
        raise TableError(f"the names of the rows are no text, but of type {names.kind}")
    values = names.values()
    if names.kind != "character":
        values = pd.array(values).astype("string")
    return pd.Index(np.asarray(values, dtype=object), dtype=text_dtype())


def has_row_names(node: Node) -> bool:
    """Whether the rows of a table have names, and R does not count them."""
    names = _row_names(node)
    return names is not None and not _is_short(names)


def height(node: Node) -> int:
    """Return the number of rows of a table."""
    size = shape(node)
    if size is not None:
        return size[0]
    names = _row_names(node)
    if names is None:
        raise TableError("the data frame has no row names, so that its length is unknown")
    if not _is_short(names):
        return len(names)
    rows = names.values()[1]
    n = 0 if pd.isna(rows) else abs(int(rows))
    # A damaged count must not be counted out; the first column that has it will do.
    longest = None
    for column in map(node.item, range(len(node))):
        if column is not None and column.kind in ATOMIC:
            if len(column) == n:
                return n
            longest = max(longest or 0, len(column))
    if longest is not None:
        raise TableError(f"the data frame claims {n} rows, where columns have {longest}")
    return n


def _row_names(node: Node) -> Node | None:
    if shape(node) is None:
        return node.attr("row.names")
    dimnames = node.attr("dimnames")
    return None if dimnames is None else dimnames.item(0)


def _is_short(names: Node) -> bool:
    """Whether row names are c(NA, -n), R's shorthand for 1 to n."""
    return names.kind == "integer" and len(names) == 2 and bool(pd.isna(names.values()[0]))


def column(node: Node, name: str) -> Any:
    """One column of a table as array, a factor as Categorical; None if it is no plain vector."""
    size = shape(node)
    if size is not None:
        position = columns(node).index(name)
        return node.values()[position * size[0] : (position + 1) * size[0]]
    item = node.item(name)
    if item is None or item.kind not in ATOMIC or item.attr("dim") is not None:
        return None
    if "data.frame" in classes(node) and len(item) != height(node):
        raise TableError(f"the column {name!r} has {len(item)} entries for {height(node)} rows")
    return vector(item, name)


def vector(item: Node, name: str = "") -> Any:
    """Read an atomic vector as `Node.values`, but a factor as Categorical, integer64 as Int64."""
    if "integer64" in classes(item) and item.kind == "double":
        whole = item.values().view(np.int64)
        return pd.arrays.IntegerArray(whole, whole == np.iinfo(np.int64).min)
    if "factor" not in classes(item):
        return item.values()
    levels = text(item.attr("levels"))
    codes = pd.array(item.values(), dtype="Int64").fillna(0).to_numpy(np.int64) - 1
    if len(set(levels)) < len(levels) or (codes >= len(levels)).any() or (codes < -1).any():
        raise TableError(f"the factor {name!r} has codes that do not fit its levels")
    if None in levels:  # addNA(): missing as a level, which sorts last.
        codes[codes == levels.index(None)] = -1
        codes[codes > levels.index(None)] -= 1
        levels.remove(None)
    return pd.Categorical.from_codes(codes, levels, ordered="ordered" in classes(item))


def table(node: Node, names: Iterable[str] | None = None) -> pd.DataFrame:
    """Read a data frame or matrix with its row names, without columns that are no plain vectors."""
    wanted = dict.fromkeys(columns(node) if names is None else names)
    data = {name: column(node, name) for name in wanted}
    data = {name: values for name, values in data.items() if values is not None}
    return pd.DataFrame(data, index=row_names(node))


def required(node: Node, names: list[str]) -> pd.DataFrame:
    """Read columns of a table, without which it is of no use; rows are numbered from 0."""
    found = table(node, names)
    for name in names:
        if name not in found:
            raise TableError(f"the column {name!r} is no plain vector")
    return found.reset_index(drop=True)


def shape(node: Node) -> tuple[int, int] | None:
    """Return the numbers of rows and columns of a matrix, None of anything else."""
    if node.kind not in ATOMIC:
        return None
    dim = node.attr("dim")
    if dim is None or len(dim) != 2 or dim.kind not in ("integer", "double"):
        return None
    rows, cols = (-1 if pd.isna(n) else int(n) for n in dim.values())
    if min(rows, cols) < 0 or rows * cols != len(node):
        raise TableError(f"the matrix of {rows} x {cols} has {len(node)} entries")
    return rows, cols


def settings(node: Node | None) -> dict[str, Any]:
    """Read a named list of vectors, those of one element as scalars, None for NA."""
    found = {name: node.item(name) for name in node.names if name} if node is not None else {}
    plain = {}
    for name, item in found.items():
        if item is not None and item.kind in ATOMIC:
            values = [None if value is pd.NA else value for value in item.values().tolist()]
            plain[name] = values[0] if len(values) == 1 else values
    return plain
