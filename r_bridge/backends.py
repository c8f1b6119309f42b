"""The back ends, each a way to read R's data, by name. They load when they are used.

A new one is a file in ``_nodes``, which makes a ``Node`` of what it reads, and a row of
``BACKENDS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ._nodes.node import Node

    # Objects by name, "" for a lone one, and warnings.
    Found: TypeAlias = tuple[Mapping[str, Node], list[str]]

Backend: TypeAlias = Literal["auto", "r", "pharmacogx", "rdata"]
"""``"auto"`` and the names in ``BACKENDS``, for type checkers."""


@dataclass(frozen=True)
class Reader:
    """A back end."""

    check: Callable[[], object]
    """Raises ImportError if something is missing, and says what to do."""
    read: Callable[[Path, bool, Any, bool], Found]
    """The objects in a file, given its path, whether it holds a single one, what unpacks it (None
    if only R can) and whether to show progress. Raises DamagedError."""
    in_r: bool
    """Whether the objects are in R: those at hand can be taken, and R can write them."""


def choices() -> tuple[str, ...]:
    """All values of a parameter ``backend``."""
    return ("auto", *BACKENDS)


def _check_r() -> None:
    from ._nodes import by_rpy2

    by_rpy2.session()


def _check_pharmacogx() -> None:
    from ._nodes import by_rpy2

    by_rpy2.session()
    by_rpy2.require_pharmacogx()


def _read_with_r(path: Path, single: bool, unpack: Any, progress: bool) -> Found:
    from ._nodes import by_rpy2

    return by_rpy2.read(path, single)


def _read_with_rdata(path: Path, single: bool, unpack: Any, progress: bool) -> Found:
    from ._nodes import by_rdata

    return by_rdata.read(path, single, unpack, progress)


BACKENDS: dict[str, Reader] = {
    "r": Reader(_check_r, _read_with_r, in_r=True),
    "pharmacogx": Reader(_check_pharmacogx, _read_with_r, in_r=True),
    "rdata": Reader(lambda: None, _read_with_rdata, in_r=False),
}
AUTO = ("r", "rdata")
"""What ``"auto"`` stands for: the first if it can be had, else the second."""
