"""R objects through rdata: no R at all, and slow for it.

The parser reads the whole file into a tree; only what is asked for is turned into arrays.
"""

from __future__ import annotations

import functools
import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .node import DamagedError, Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class RDataNode(Node):
    """A parsed object as `Node`."""

    def __init__(self, parsed: Any) -> None:
        # What was there before, such as an environment, is referred to.
        if parsed.info.type.name == "REF" and parsed.referenced_object is not None:
            parsed = parsed.referenced_object
        self._object = parsed
        self._attributes = dict(_pairs(parsed.attributes))

    @property
    def kind(self) -> str:
        """R's ``typeof``."""
        return _KINDS.get(self._object.info.type.name, "other")

    @property
    def is_symbol(self) -> bool:
        """Whether it is a name."""
        return bool(self._object.info.type.name == "SYM")

    @property
    def word(self) -> str:
        """What is no data."""
        return _WORDS.get(self._object.info.type.name, "")

    @property
    def attributes(self) -> list[str]:
        """Names of the attributes."""
        return list(self._attributes)

    def __len__(self) -> int:
        """R's ``length``."""
        value = self._object.value
        return len(value) if self.kind in _KINDS.values() and value is not None else 0

    def _attribute(self, name: str) -> RDataNode | None:
        return _node(self._attributes[name]) if name in self._attributes else None

    def _element(self, position: int) -> RDataNode | None:
        return _node(self._object.value[position])

    def binding(self, name: str) -> RDataNode | None:
        """Return a variable of an environment."""
        found = self._object.value if self._object.info.type.name == "ENV" else None
        if found is None:
            return None
        frames = [found.frame, *(found.hash_table.value or ())]
        at = next((v for f in frames for key, v in _pairs(f) if key == name), None)
        node = None if at is None else _node(at)
        return None if node is None or node.word else node

    def values(self) -> Any:
        """Atomic vector as array."""
        value = self._object.value
        if self.kind == "character":
            array = np.empty(len(value), dtype=object)
            for i, char in enumerate(value):
                array[i] = _decode(char.value, char.info.gp)
            return array
        if not np.ma.isMaskedArray(value) or not np.ma.is_masked(value):
            return np.asarray(value)
        mask = np.ma.getmaskarray(value)
        wrap = pd.arrays.BooleanArray if self.kind == "logical" else pd.arrays.IntegerArray
        return wrap(np.asarray(value.data), mask)


_KINDS = {
    "NIL": "NULL",
    "NILVALUE": "NULL",
    "LGL": "logical",
    "INT": "integer",
    "REAL": "double",
    "STR": "character",
    "VEC": "list",
    "S4": "S4",
}
_WORDS = {
    **dict.fromkeys(("CLO", "SPECIAL", "BUILTIN"), "a function"),
    **dict.fromkeys(("ENV", "GLOBALENV", "BASEENV", "EMPTYENV", "NAMESPACE"), "an environment"),
    **dict.fromkeys(("SYM", "PROM", "LANG", "DOT", "EXPR", "BCODE", "MISSINGARG"), "code"),
}
_LATIN1 = 1 << 2


@functools.lru_cache(maxsize=4096)
def _decode(data: bytes | None, flags: int) -> str | None:
    if data is None:
        return None
    if not flags & _LATIN1:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        # Five bytes stand for nothing; R shows them so.
        return "".join(
            f"<{byte:02x}>" if byte in b"\x81\x8d\x8f\x90\x9d" else bytes([byte]).decode("cp1252")
            for byte in data
        )


def _node(parsed: Any) -> RDataNode | None:
    # NULL, or the symbol that stands for it in an empty slot of an S4 object.
    node = RDataNode(parsed)
    return None if node.kind == "NULL" or node.is_symbol else node


def _pairs(parsed: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of a pairlist."""
    while parsed is not None and parsed.info.type.name == "LIST":
        tag = parsed.tag
        if tag is not None and tag.info.type.name == "REF":
            tag = tag.referenced_object
        value, rest = parsed.value
        # Damage can put anything in the place of a name.
        name = tag.value.value if tag is not None and tag.info.type.name == "SYM" else b""
        yield (name or b"").decode(errors="replace"), value
        parsed = rest


def read(
    path: Path, single: bool, unpack: Any, progress: bool
) -> tuple[dict[str, RDataNode], list[str]]:
    """Return the objects in a file by name, and no warnings; a lone object has the name "".

    Raises
    ------
    DamagedError, ValueError
        The file is damaged, or packed as only R can unpack it (`unpack` is None).
    """
    if unpack is None:
        raise ValueError(
            f"{path} is packed with zstd, which only R 4.5 and newer can read. Install R and "
            "pip install rtdmf-bio[r], or save the file anew in R with compress='gzip'."
        )
    with unpack(path) as file:
        try:
            return objects(file.read(), single, progress), []
        # A damaged file makes the parser stumble anywhere.
        except Exception as error:
            raise DamagedError(f"{type(error).__name__}: {error}") from error


def objects(data: bytes, single: bool, progress: bool) -> dict[str, RDataNode]:
    """Return the objects in an unpacked file by name; a lone object has the name ""."""
    with _room_for_a_tree():
        parsed = _parse(data, progress)
    if single:
        return {"": RDataNode(parsed.object)}
    return {name: RDataNode(value) for name, value in _pairs(parsed.object)}


def _parse(data: bytes, progress: bool) -> Any:
    from . import parser

    body = data[5:] if data[:2] == b"RD" else data
    if not progress or body[:2] != b"X\n":
        return parser.parse(body)

    from tqdm.auto import tqdm

    with tqdm(total=len(body), unit="B", unit_scale=True, desc="parsing", leave=False) as bar:

        def watch(at: int) -> None:
            if at > bar.n + len(body) / 1000:
                bar.update(at - bar.n)

        return parser.parse(body, watch)


@contextmanager
def _room_for_a_tree() -> Iterator[None]:
    """Let the parser go as deep as R's linked lists are long, one call an element.

    And spare the garbage collector millions of objects, none of them garbage.
    """
    enabled, limit = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(limit, 1_000_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        if enabled:
            gc.enable()
