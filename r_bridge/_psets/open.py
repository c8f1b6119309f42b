"""From a path or an R object to the one PharmacoSet meant, through the best back end there is."""

from __future__ import annotations

import bz2
import gzip
import logging
import lzma
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtdmf_bio.model.checks import check_choice

from .._nodes.node import DamagedError, classes
from ..backends import AUTO, BACKENDS, choices
from ..files import NoPharmacoSetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._nodes.node import Node
    from ..backends import Backend

logger = logging.getLogger("r_bridge")

_UNPACK = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_ZSTD = b"\x28\xb5\x2f\xfd"
_SEVERAL = tuple(f"RD{form}{version}\n".encode() for form in "XAB" for version in "23")
_SINGLE = (b"X\n", b"A\n", b"B\n", b"A\r\n")
_OTHERS = "Matrices, data frames and SummarizedExperiments are read by r_bridge.read_r."
MAGIC = (*_UNPACK, _ZSTD, *_SEVERAL, *_SINGLE)
"""What the first bytes of an R file can be."""


@dataclass(frozen=True)
class Opened:
    """A PharmacoSet as found."""

    node: Node
    label: str
    """File name, or what stands for it in messages."""
    backend: str
    path: Path | None
    name: str
    """Name of the object in the file; empty in an .rds."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class File:
    """What an R file holds."""

    objects: Mapping[str, Node]
    """By name, "" for a lone one."""
    backend: str
    warnings: tuple[str, ...]


def open_pset(
    source: object, *, name: str | None = None, backend: Backend = "auto", progress: bool = True
) -> Opened:
    """Open the PharmacoSet in a file, or take the R object at hand.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ImportError
        The back end asked for is not installed.
    TypeError
        `source` is neither a path nor an R object.
    ValueError
        The file is no R file, is damaged, or does not hold the PharmacoSet asked for.
    """
    check_choice("backend", backend, choices())
    if isinstance(source, Opened):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _open_file(Path(source), name, backend, progress)
    if not hasattr(source, "__sexp__"):
        raise TypeError(
            "A PharmacoSet comes as the path of an .rds or .rda file, or as an R object of rpy2. "
            f"Got {type(source).__name__} instead."
        )
    chosen = AUTO[0] if backend == "auto" else backend
    if not BACKENDS[chosen].in_r:
        raise ValueError(f"The backend {chosen} reads files. Pass a path, or backend='auto'.")
    from .._nodes import by_rpy2 as r

    node = r.RNode(source)
    label = "the R object"
    _check_class(node, label)
    return Opened(node, label, chosen, None, "")


def _open_file(path: Path, name: str | None, backend: Backend, progress: bool) -> Opened:
    file = open_file(path, backend, progress)
    name = _pick(file.objects, name, path)
    return Opened(file.objects[name], path.name, file.backend, path, name, file.warnings)


def open_file(path: Path, backend: Backend, progress: bool) -> File:
    """Read all objects of an R file; errors are those of `open_pset`."""
    check_choice("backend", backend, choices())
    single, packed = sniff(path)
    chosen, why = _choose(backend)
    size = path.stat().st_size / 1e6
    if why and progress:
        logger.warning(
            "Reading %s (%.1f MB) with %s, in pure Python, because %s. This can take minutes "
            "where R takes seconds.",
            *(path.name, size, chosen, why),
        )
    else:
        logger.info("Reading %s (%.1f MB) with the back end %s.", path.name, size, chosen)
    try:
        found, warnings = BACKENDS[chosen].read(path, single, packed, progress)
    except DamagedError as error:
        raise _damaged(path, str(error)) from error
    return File(found, chosen, tuple(warnings))


def sniff(path: Path) -> tuple[bool, Any]:
    """Say whether an R file holds a single object, and what opens it (None if only R can).

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file, or it is no R file.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}. Pass the path of an .rds or .rda file.")
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(_ZSTD):
        return path.suffix.lower() == ".rds", None
    packed: Any = next((f for magic, f in _UNPACK.items() if head.startswith(magic)), open)
    try:
        with packed(path, "rb") as file:
            head = file.read(5)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    if not head.startswith((*_SEVERAL, *_SINGLE)):
        raise ValueError(
            f"{path} is not an R file: it begins with {head!r}. Pass an .rds file (from saveRDS) "
            "or an .rda or .RData file (from save)."
        )
    return head.startswith(_SINGLE), lambda path: packed(path, "rb")


def _choose(backend: Backend) -> tuple[str, str]:
    """Resolve ``auto``, and say why it had to be a slow one."""
    if backend != "auto":
        BACKENDS[backend].check()
        return backend, ""
    fast, slow = AUTO
    try:
        BACKENDS[fast].check()
    except ImportError as error:
        return slow, str(error).rstrip(".")
    return fast, ""


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(
        f"{path} cannot be read as an R file; it may be truncated or damaged ({why}). Fetch or "
        "save it again."
    )


def _pick(found: Mapping[str, Node], name: str | None, path: Path) -> str:
    """Return the name of the PharmacoSet meant."""
    if name is None:
        psets = [key for key, node in found.items() if "PharmacoSet" in classes(node)]
        if len(psets) == 1:
            return psets[0]
        if psets:
            raise ValueError(f"{path} holds several PharmacoSets. Pass name, one of {psets}.")
        if len(found) == 1:
            (node,) = found.values()
            _check_class(node, str(path))
        kinds = {key: _kind(node) for key, node in found.items()}
        raise NoPharmacoSetError(
            f"{path} holds no PharmacoSet, only {kinds or 'nothing'}. {_OTHERS}"
        )
    if name not in found or name == "":
        there = [key for key in found if key] or "one object without a name; leave name out"
        raise ValueError(f"{path} holds no object named {name!r}. It has {there}.")
    _check_class(found[name], f"{name} in {path}")
    return name


def _kind(node: Any) -> str:
    return "/".join(classes(node)) or str(node.kind)


def _check_class(node: Any, label: str) -> None:
    if "PharmacoSet" not in classes(node):
        raise NoPharmacoSetError(
            f"{label} is no PharmacoSet, but of class {_kind(node)}. {_OTHERS}"
        )
