"""R objects through rpy2: the fast back end.

Objects stay in R and are looked at through rpy2's low-level interface, which converts nothing and
needs no R class to be defined. Text crosses as bytes, so that the locale plays no part.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .node import DamagedError, Node, as_na

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@functools.cache
def session() -> Any:
    """Start R, once, and return rpy2's low-level interface.

    Raises
    ------
    ImportError
        rpy2 or R is missing, or they do not fit; the message says what to do.
    """
    if importlib.util.find_spec("rpy2") is None:
        raise ImportError("rpy2 is not installed. With R on the PATH: pip install rtdmf-bio[r]")
    with _same_environment():
        # Where rpy2 was built without R's headers, it prints that it does without.
        if importlib.util.find_spec("_rinterface_cffi_api") is None:
            os.environ["RPY2_CFFI_MODE"] = "ABI"
        try:
            import rpy2.rinterface as ri

            ri.initr()
        # Without R rpy2 raises what it likes: RuntimeError, ValueError, OSError, ImportError.
        except Exception as error:
            raise ImportError(
                f"R could not be started through rpy2 ({error or type(error).__name__}). Install "
                "R, see that `R RHOME` works, and reinstall: pip install --force-reinstall "
                "rtdmf-bio[r]"
            ) from error
    return ri


@contextmanager
def _same_environment() -> Iterator[None]:
    """Undo what starting R does to the environment, but for R's own variables.

    Its LD_LIBRARY_PATH would make every Python started from here, such as joblib's workers, load
    the system's libpython instead of its own. This process has read it long ago.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(before) | set(os.environ):
            if name.startswith(("R_", "PYTHON_SESSION")):
                continue
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


_SOURCES = (
    "_nodes/bridge.R",
    "_session/session.R",
    "rtdmfbio/R/profiles.R",
    "rtdmfbio/R/parts.R",
)
"""The last two are shared with the R package."""


@functools.cache
def functions() -> dict[str, Any]:
    """Functions in R of this package, in an environment of their own."""
    ri = session()
    files = [Path(__file__).parents[1] / name for name in _SOURCES]
    code = "\n".join(file.read_text() for file in files)
    base = ri.baseenv
    home = base["new.env"](parent=base)
    base["eval"](ri.parse(code), home)
    return {str(name): home[name] for name in home.keys()}  # noqa: SIM118 - no iterator in rpy2


class RError(ValueError):
    """R said no; the text is R's."""


def call(name: str, *args: Any) -> tuple[Any, list[str]]:
    """Call a function of ``bridge.R`` and return its value and R's warnings.

    Raises
    ------
    RError
        R stopped with an error.
    """
    known = functions()
    value, error, warnings = known["quietly"](known[name], *args)
    said = RNode(error).values() if error.typeof == session().RTYPES.STRSXP else []
    if len(said):
        raise RError(" ".join(said[0].split()))
    return value, [" ".join(text.split()) for text in RNode(warnings).values()]


def strings(values: Iterable[str | None]) -> Any:
    """Character vector in R; None and NaN become NA."""
    encoded = [None if pd.isna(text) else str(text).encode() for text in values]
    sizes = np.array([-1 if text is None else len(text) for text in encoded], dtype=np.int32)
    data = b"".join(text for text in encoded if text is not None)
    if b"\0" in data:  # R would drop one at an end silently.
        raise RError("text holds NUL")
    return call("decode", session().ByteSexpVector(data), integers(sizes))[0]


@functools.cache
def _symbol(name: str) -> Any:
    """Name of an attribute in R: few are asked for, and each often."""
    return strings([name])


def integers(values: Any) -> Any:
    """Integer vector in R; missing values of pandas become NA."""
    if isinstance(values, pd.api.extensions.ExtensionArray):
        values = values.to_numpy(np.int32, na_value=np.iinfo(np.int32).min)
    return session().IntSexpVector.from_memoryview(_view(np.array(values, dtype=np.int32)))


def _view(array: Any) -> memoryview:
    # Arrays from zarr name their byte order, which rpy2 takes for another type.
    return memoryview(array.view(array.dtype.newbyteorder("=")))


def logical(value: bool) -> Any:
    """TRUE or FALSE in R."""
    return session().BoolSexpVector([value])


def named(items: dict[str, Any]) -> Any:
    """Named list in R, of R objects."""
    return functions()["named_list"](strings(items), *items.values())


def doubles(values: Any) -> Any:
    """Double vector in R; NaN becomes NA."""
    return session().FloatSexpVector.from_memoryview(_view(as_na(values)))


class RNode(Node):
    """An object in R as `Node`."""

    def __init__(self, sexp: Any) -> None:
        self.sexp = sexp

    @property
    def kind(self) -> str:
        """R's ``typeof``."""
        return _KINDS.get(int(self.sexp.typeof), "other")

    @property
    def word(self) -> str:
        """What is no data."""
        return _WORDS.get(int(self.sexp.typeof), "")

    @property
    def attributes(self) -> list[str]:
        """Names of the attributes."""
        return list(self.sexp.list_attrs())

    def __len__(self) -> int:
        """R's ``length``."""
        return len(self.sexp) if self.kind in _VECTORS else 0

    def _attribute(self, name: str) -> RNode | None:
        return _node(functions()["attribute"](self.sexp, _symbol(name)))

    def _element(self, position: int) -> RNode | None:
        return _node(self.sexp[position])

    def binding(self, name: str) -> RNode | None:
        """Return a variable of an environment."""
        if self.word != "an environment":
            return None
        node = _node(functions()["binding"](_symbol(name), self.sexp))
        return None if node is None or node.word else node

    def values(self) -> Any:
        """Atomic vector as array."""
        if self.kind == "character":
            return self._text()
        # rpy2 gives a matrix as one, and believes what it says of its shape.
        plain = self.attr("dim") is None
        array = np.array(self.sexp if plain else functions()["bare"](self.sexp))
        if self.kind == "double":
            return array
        missing = array == np.iinfo(np.int32).min
        if self.kind == "logical":
            array = array.astype(bool)
            return pd.arrays.BooleanArray(array, missing) if missing.any() else array
        return pd.arrays.IntegerArray(array, missing) if missing.any() else array

    def _text(self) -> Any:
        codes, data, sizes = functions()["encode"](self.sexp)
        raw = bytes(np.asarray(data))
        distinct = np.empty(len(sizes), dtype=object)
        start = 0
        for i, size in enumerate(np.asarray(sizes).tolist()):
            if size >= 0:  # NA is negative.
                distinct[i] = raw[start : start + size].decode()
                start += size
        if codes.typeof != session().RTYPES.INTSXP:
            return distinct
        return distinct[np.asarray(codes) - 1]


_KINDS = {
    0: "NULL",
    10: "logical",
    13: "integer",
    14: "double",
    16: "character",
    19: "list",
    25: "S4",
}
_WORDS = {
    **dict.fromkeys((3, 7, 8), "a function"),
    4: "an environment",
    # Symbol, promise, call, dots, expression, byte code.
    **dict.fromkeys((1, 5, 6, 17, 20, 21), "code"),
}
_VECTORS = ("logical", "integer", "double", "character", "list")


def _node(sexp: Any) -> RNode | None:
    node = RNode(sexp)
    # An empty slot of an S4 object is a symbol that stands for NULL.
    return None if node.kind == "NULL" or int(sexp.typeof) == 1 else node


def read(path: Path, single: bool) -> tuple[dict[str, RNode], list[str]]:
    """Return the objects in a file by name, and R's warnings; a lone object has the name "".

    Raises
    ------
    DamagedError
        R cannot read the file.
    """
    try:
        return _objects(path, single)
    except RError as error:
        raise DamagedError(str(error)) from error


def _objects(path: Path, single: bool) -> tuple[dict[str, RNode], list[str]]:
    with plain_path(path) as name:
        found, warnings = call("open_file", strings([name]), logical(single))
    node = RNode(found)
    names = [""] if single else node.names
    return {name: RNode(found[i]) for i, name in enumerate(names)}, warnings


@contextmanager
def plain_path(path: Path) -> Iterator[str]:
    """Name a file so that R finds it in any locale, and takes no ``~`` in it for a home."""
    path = path.absolute()
    if str(path).isascii():
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "link")
        link.symlink_to(path)
        yield str(link)


def require_pharmacogx() -> None:
    """See that R has PharmacoGx.

    Raises
    ------
    ImportError
        It has not.
    """
    if not RNode(call("can_load", strings(["PharmacoGx"]))[0]).values()[0]:
        raise ImportError(
            "The R package PharmacoGx is not installed, and nothing else here needs it. In R: "
            "BiocManager::install('PharmacoGx')."
        )


def accessors(node: Any, label: str) -> dict[str, Any]:
    """Return the tables of a PharmacoSet by PharmacoGx's own accessors."""
    try:
        value, _ = call("accessors", node.sexp)
    except RError as error:
        raise ValueError(
            f"{label}: PharmacoGx cannot read it ({error}). Try backend='r'."
        ) from error
    tables = RNode(value)
    return {name: tables.item(name) for name in tables.names}
