"""What the name of a file tells, and how such a file is opened."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO

TABLE_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet")
"""File name endings that `read_table` and `write_table` know; ``.txt`` is separated by tabs."""

SEPARATORS = {"csv": ",", "tsv": "\t", "txt": "\t"}


def file_kind(path: str | os.PathLike[str]) -> str:
    """Return the format that the name of a file tells: csv, tsv, txt or parquet."""
    name = os.fspath(path).lower()
    if not name.endswith(TABLE_SUFFIXES):
        raise ValueError(
            f"The name of {path} does not tell its format. "
            f"Use one of the endings {', '.join(TABLE_SUFFIXES)}."
        )
    return name.removesuffix(".gz").rsplit(".", 1)[1]


def is_gzip(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).lower().endswith(".gz")


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
