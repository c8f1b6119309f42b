"""What a file is by its name and its first bytes, and how it is opened."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, Any

TABLE_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet")
"""File name endings that `write_table` knows; ``.txt`` is separated by tabs. `read_table` goes by
the content, and by the ending only where the content leaves a choice."""

SEPARATORS = {"csv": ",", "tsv": "\t", "txt": "\t", "tab": "\t"}
_PACKED = (".gz", ".zip", ".xz", ".bz2", ".zst")
_ZIP, _ZSTD, _PARQUET = b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"PAR1"
_OPEN = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


def suffix_of(path: str | os.PathLike[str]) -> str:
    """Return what the name of a file ends in, such as ``csv``, without what it is packed by."""
    name = os.fspath(path).lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix.lstrip(".")


def file_kind(path: str | os.PathLike[str]) -> str:
    """Return the format of a file to write, by its name: csv, tsv, txt or parquet."""
    if not os.fspath(path).lower().endswith(TABLE_SUFFIXES):
        raise ValueError(
            f"The name of {path} does not tell its format. "
            f"Use one of the endings {', '.join(TABLE_SUFFIXES)}."
        )
    return suffix_of(path)


def kind_of(path: Path) -> str:
    """Return what a file is by its content: text, parquet or excel."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Pass a file in it.")
    with open(path, "rb") as file:
        head = file.read(8)
    if head.startswith(_PARQUET) or suffix_of(path) in ("parquet", "pq"):
        return "parquet"
    if head.startswith(_OLD_EXCEL):
        return "excel"
    if head.startswith(_ZIP):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is not zip, or was cut off ({error}).") from None
        if any(name.startswith("xl/") or name == "content.xml" for name in names):
            return "excel"
    return "text"


def is_gzip(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).lower().endswith(".gz")


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, packed or not, for reading bytes."""
    with open(path, "rb") as file:
        head = file.read(6)
    if head.startswith(_ZIP):
        with zipfile.ZipFile(path) as archive:
            try:
                inner = archive.open(_only_member(archive, path))
            except (RuntimeError, NotImplementedError) as error:
                raise ValueError(f"{path} cannot be unpacked ({error}). Unpack it.") from None
            with inner:
                yield inner
        return
    if head.startswith(_ZSTD):
        try:
            import pyarrow
        except ImportError:
            raise ImportError("Files packed by zstd need pyarrow: pip install pyarrow") from None
        with pyarrow.input_stream(str(path), compression="zstd") as stream:
            yield io.BufferedReader(stream)
        return
    opened: Any = next((f for magic, f in _OPEN.items() if head.startswith(magic)), open)
    with opened(path, "rb") as inner:
        yield inner


def _only_member(archive: zipfile.ZipFile, path: Path) -> str:
    names = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not Path(name).name.startswith((".", "__MACOSX"))
        if not name.startswith("__MACOSX")
    ]
    if len(names) != 1:
        raise ValueError(f"{path} holds {len(names)} files, {names[:5]}. Unpack it and pass one.")
    return names[0]


@contextmanager
def open_for_writing(path: Path, *, packed: bool) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with open(path, "wb") as file:
        if not packed:
            yield file
            return
        # Without the name of the temporary file and the time, the same matrix is the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packer:
            yield packer


def import_parquet() -> ModuleType:
    try:
        from pyarrow import parquet
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install rtdmf-bio[parquet]") from None
    return parquet  # type: ignore[no-any-return]


def import_excel() -> ModuleType:
    try:
        import python_calamine
    except ImportError:
        raise ImportError("Excel files need calamine: pip install rtdmf-bio[excel]") from None
    return python_calamine  # type: ignore[no-any-return]
