"""R's own serialization, which carries messages between Python and the R package rtdmfbio.

R reads and writes it natively and to the last bit, so that one raw vector is all that crosses.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._nodes import node as nodes
from .._nodes.vector import R_INT_NA, Vector, as_vector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from .._nodes.node import Node

_HEADER = b"X\n" + struct.pack(">iii", 2, 0x40000, 0x20300)
_NULL = struct.pack(">i", 254)
# Types of R's serialization, and bits that stand beside them.
_TYPES = {"logical": 10, "integer": 13, "double": 14, "character": 16}
_SYMBOL, _PAIRLIST, _CHAR, _LIST = 1, 2, 9, 19
_OBJECT, _ATTRIBUTES, _TAG = 1 << 8, 1 << 9, 1 << 10
_UTF8, _ASCII = 8 << 12, 64 << 12


_Extension = pd.api.extensions.ExtensionArray


@dataclass(frozen=True)
class Matrix:
    """A matrix of R, with the names of its rows and columns, None for none."""

    values: NDArray[Any]
    rows: Sequence[str | None] | None = None
    columns: Sequence[str | None] | None = None


def dumps(value: Any) -> bytes:
    """Turn `value` into what R's ``unserialize`` reads.

    None is NULL; bool, int, float and str are vectors of one element; a list is a vector if all
    its elements are of one such kind, else a list; a mapping is a named list; arrays of numpy and
    pandas are vectors, a `Matrix` is a matrix and a DataFrame a data frame with its text as text
    and its categories as factors. An array of one element keeps its ``dim``, so that `loads` can
    tell it from a number. NaN and NA keep their bits.
    """
    parts = [_HEADER]
    _put(parts, value)
    return b"".join(parts)


def loads(data: bytes | bytearray) -> Node:
    """Read what R's ``serialize`` wrote in its binary formats."""
    from .._nodes import by_rdata

    return by_rdata.objects(bytes(data), single=True, progress=False)[""]


def plain(node: Node | None) -> Any:
    """Python value of an R object, the inverse of `dumps`.

    Vectors of one element without ``dim`` and names are scalars, other text is a list, and named
    vectors and lists are dicts.

    Raises
    ------
    TypeError
        Something, such as a function, has no counterpart.
    """
    if node is None or node.kind == "NULL":
        return None
    if "data.frame" in nodes.classes(node):
        return nodes.table(node).reset_index(drop=True)
    if node.kind == "list":
        items = [plain(node.item(i)) for i in range(len(node))]
        return dict(zip(node.names, items, strict=True)) if node.names else items
    if node.kind not in nodes.ATOMIC:
        raise TypeError(f"an R object of class {'/'.join(nodes.classes(node)) or node.kind}")
    values, dim = nodes.vector(node), node.attr("dim")
    if dim is not None:
        shape = tuple(int(n) for n in dim.values())
        if len(shape) != 2:
            return np.asarray(values)
        names = node.attr("dimnames")
        rows, columns = (
            None if names is None or (axis := names.item(i)) is None else nodes.text(axis)
            for i in (0, 1)
        )
        whole = values.astype(object) if isinstance(values, _Extension) else values
        return Matrix(np.reshape(whole, shape, order="F"), rows, columns)
    if isinstance(values, pd.Categorical):
        return values
    listed = values.tolist()
    if node.names:
        return dict(zip(node.names, listed, strict=True))
    if len(listed) == 1:
        return None if listed[0] is pd.NA else listed[0]
    return listed if node.kind == "character" else values


def _put(parts: list[bytes], value: Any) -> None:
    """Append `value`; a tuple stays a list, whatever is in it."""
    attributes: dict[str, Any] = {}
    if isinstance(value, Matrix):
        attributes["dim"] = _integers(np.shape(value.values))
        if value.rows is not None or value.columns is not None:
            attributes["dimnames"] = (_names(value.rows), _names(value.columns))
        value = as_vector(np.asarray(value.values).ravel(order="F"), "a matrix")
    elif isinstance(value, pd.DataFrame):
        attributes["names"] = _names(value.columns)
        attributes["class"] = _names(["data.frame"])
        attributes["row.names"] = _integers([R_INT_NA, -len(value)])
        value = tuple(
            as_vector(value.iloc[:, i].values, f"the column {name!r}")
            for i, name in enumerate(value.columns)
        )
    elif isinstance(value, Mapping):
        attributes["names"] = _names(value)
        value = tuple(value.values())
    elif isinstance(value, list):
        kinds = {type(item) for item in value if item is not None}
        one_kind = len(kinds) == 1 and kinds <= {str, bool, int, float}
        value = as_vector(np.array(value, dtype=object), "a list") if one_kind else tuple(value)
    elif isinstance(value, (np.ndarray, _Extension)):
        if len(value) == 1:
            attributes["dim"] = _integers([1])
        value = as_vector(value, "an array")
    elif value is not None and not isinstance(value, (Vector, tuple)):
        value = as_vector(np.array([value]), "a value")

    if value is None:
        parts.append(_NULL)
        return
    if isinstance(value, Vector) and value.levels is not None:
        attributes["levels"] = _names(value.levels)
        attributes["class"] = _names([*(["ordered"] if value.ordered else []), "factor"])
    kind = _LIST if isinstance(value, tuple) else _TYPES[value.kind]
    flags = kind | (_ATTRIBUTES if attributes else 0) | (_OBJECT if "class" in attributes else 0)
    content: Any = value if isinstance(value, tuple) else value.values
    parts.append(struct.pack(">ii", flags, len(content)))
    if isinstance(value, tuple):
        for item in value:
            _put(parts, item)
    elif value.kind == "character":
        known = {text: _char(text) for text in set(content)}
        parts.extend(known[text] for text in content)
    else:
        parts.append(content.astype(content.dtype.newbyteorder(">")).tobytes())
    if attributes:
        for name, attribute in attributes.items():
            parts.append(struct.pack(">ii", _PAIRLIST | _TAG, _SYMBOL) + _char(name))
            _put(parts, attribute)
        parts.append(_NULL)


def _names(names: Iterable[str | None] | None) -> Vector | None:
    return (
        None
        if names is None
        else Vector("character", [None if n is None else str(n) for n in names])
    )


def _integers(numbers: Iterable[int]) -> Vector:
    return Vector("integer", np.array(list(numbers), dtype=np.int32))


def _char(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">ii", _CHAR, -1)
    data = text.encode()
    if b"\0" in data:
        raise ValueError("text holds NUL, which R has no place for")
    return struct.pack(">ii", _CHAR | (_ASCII if text.isascii() else _UTF8), len(data)) + data
