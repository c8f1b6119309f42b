"""Tables that say more of drugs or lines, from a file or as they are."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .identity import COLUMNS, NAMES
from .names import normalised


def read_frame(table: Any, what: str) -> pd.DataFrame:
    """Return a table whose columns are all columns, with its names, if they are its index.

    Parameters
    ----------
    table
        A table, or the path of one: text, packed or not, with commas, semicolons or tabs, or
        ``.xlsx`` or ``.parquet``. Cells of text stay text.
    what
        Name of the parameter, for messages.
    """
    if isinstance(table, (str, os.PathLike)):
        table = _read(Path(table), what)
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{what} must be a table (pandas.DataFrame) or the path of one. Got "
            f"{type(table).__name__}."
        )
    counted = isinstance(table.index, pd.RangeIndex) or (
        table.index.name is None and pd.api.types.is_integer_dtype(table.index)
    )
    if not counted:
        # An index that is called nothing known holds names.
        name, known = table.index.name, {x for of in (NAMES, COLUMNS) for x in _spellings(of)}
        if normalised(name) not in known:
            name = "index" if "name" in table else "name"
        table = table.rename_axis(name).reset_index(allow_duplicates=True)
    if table.columns.has_duplicates:
        twice = list(table.columns[table.columns.duplicated()].unique())
        raise ValueError(f"{what} has the columns {twice} more than once. Rename them.")
    if not len(table):
        raise ValueError(f"{what} has no rows.")
    return table


def _spellings(of: Mapping[str, Any]) -> Iterator[str]:
    for names in of.values():
        for name in names.values() if isinstance(names, dict) else [names]:
            yield from name


def _read(path: Path, what: str) -> pd.DataFrame:
    if not path.exists():
        raise FileNotFoundError(f"{what}: there is no file {path}.")
    name = path.name.lower()
    try:
        if name.endswith((".xlsx", ".xls")):
            return pd.read_excel(path, dtype=str)
        if name.endswith(".parquet"):
            return pd.read_parquet(path)
        text = _text(path.read_bytes())
        header = text.lstrip().split("\n", 1)[0]
        sep = max(",\t;", key=header.count)
        frame = pd.read_csv(io.StringIO(text), sep=sep, dtype=str, keep_default_na=False)
    except ImportError as error:
        raise ImportError(f"{what}: {path} needs another package to be read ({error}).") from None
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(f"{what}: {path} cannot be read as a table ({error}).") from None
    # A first column without a name holds names, or a count.
    first = frame.columns[0]
    if first.startswith("Unnamed:") and not frame[first].str.fullmatch(r"\d{1,4}").all():
        frame = frame.rename(columns={first: "name"})
    return frame


def _text(packed: bytes) -> str:
    if packed.startswith(b"\x1f\x8b"):
        packed = gzip.decompress(packed)
    elif packed.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            packed = archive.read(archive.namelist()[0])
    if packed.startswith((b"\xff\xfe", b"\xfe\xff")):
        return packed.decode("utf-16")
    try:
        return packed.decode("utf-8-sig")
    except UnicodeDecodeError:
        return packed.decode("cp1252")
