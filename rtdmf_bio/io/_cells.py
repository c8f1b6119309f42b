"""Files to cells, cells to names and numbers.

Text is parsed by the csv module and not by pandas, which would rename repeated columns ("A",
"A.1"), take names such as "NA" for missing and fill up rows that were cut off. Of a wide table only
the names and the numbers are kept: as cells it takes several times the memory.
"""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
import pandas as pd

from ._formats import SEPARATORS, file_kind, import_parquet, is_gzip
from ._missing import MISSING_NAMES, Missing

Bad: TypeAlias = tuple[int, int, object]
"""Row, column and content of a cell that is no number."""

_AT_ONCE = 2**15  # cells of a wide text


def read_cells(
    path: str | os.PathLike[str], sep: str | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table as it stands, or only `columns` of it; column names may repeat.

    Cells of a text file stay text, columns of a parquet file keep their type.
    """
    path = Path(path)
    if _kind(path) == "parquet":
        frame = _read_parquet(path)
        frame = frame.iloc[:, _positions(list(frame.columns), columns, path)]
    else:
        rows = _text_rows(path, sep)
        header = next(rows)
        wanted = _positions(header, columns, path)
        frame = pd.DataFrame(
            [row if columns is None else [row[i] for i in wanted] for row in rows],
            columns=[header[i] for i in wanted],
            dtype=object,
        )
    if frame.empty:
        raise ValueError(f"{path} has a header but no rows.")
    return frame


def _kind(path: Path) -> str:
    kind = file_kind(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    return kind


def _read_parquet(path: Path) -> pd.DataFrame:
    parquet = import_parquet()
    try:
        # Unlike read_table, ParquetFile allows columns of one name and adds none from the path.
        with parquet.ParquetFile(path) as file:
            frame: pd.DataFrame = file.read().to_pandas()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as parquet ({error}).") from None
    # pandas stores an index that is more than a count; it is where the names are.
    if frame.index.names != [None] or not pd.api.types.is_integer_dtype(frame.index):
        frame = frame.reset_index()
    frame.columns = frame.columns.map(str)
    return frame


def _text_rows(path: Path, sep: str | None) -> Iterator[list[str]]:
    """Yield the header and then the rows of a text file, each with as many cells."""
    sep = sep or SEPARATORS[file_kind(path)]
    opened = gzip.open if is_gzip(path) else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = _split(file, sep)
            header = [name.strip() for name in next(rows, (0, []))[1]]
            if not header:
                raise ValueError(f"{path} is empty.")
            first = list(islice(rows, 1))
            if first and len(first[0][1]) == len(header) + 1:
                header.insert(0, "")
            yield header
            for number, row in chain(first, rows):
                if len(row) != len(header):
                    raise ValueError(
                        f"{path}, line {number}: {len(row)} cells, where the header has "
                        f"{len(header)}. Is the file complete, and the separator {sep!r}?"
                    )
                yield row
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not gzip, or was cut off ({error}).") from None
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as a table ({error}).") from None


def _split(file: IO[str], sep: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its last line."""
    number = 0
    for line in file:
        # The csv module is for quotes, behind which a row may go on in the next line, and for the
        # first line, where it refuses what cannot separate; without, it takes twice the time.
        if '"' in line or number == 0:
            reader = csv.reader(chain([line], file), delimiter=sep)
            row = next(reader)
            number += reader.line_num
        else:
            row = line.rstrip("\r\n").split(sep)
            number += 1
        if any(cell.strip() for cell in row):
            yield number, row


def _positions(header: list[str], columns: Sequence[str] | None, path: Path) -> list[int]:
    if columns is None:
        return list(range(len(header)))
    for column in columns:
        if header.count(column) != 1:
            found = "no column" if column not in header else "more than one column"
            known = ", ".join(map(repr, header[:20])) + (", ..." if len(header) > 20 else "")
            raise ValueError(f"{path} has {found} {column!r}. Its columns are {known}.")
    return [header.index(column) for column in columns]


def wide(path: Path, sep: str | None, missing: Missing) -> tuple[list[str], list[str], np.ndarray]:
    """Read row names, column names and the numbers between them."""
    if _kind(path) == "parquet":
        frame = read_cells(path)
        header, column = list(frame.columns), list(frame.iloc[:, 0])
        values, bad = _by_column(frame.iloc[:, 1:], missing)
    else:
        header, column, values, bad = _wide_text(path, sep, missing)
    if len(header) < 2:
        raise ValueError(
            f"{path} has a single column, {header[0]!r}, and so no values. "
            f"If another separator is used, pass sep."
        )
    header = names(header[1:], f"{path}: the header", first=2)
    rows = names(column, f"{path}: the first column")
    hint = " If the table has one measurement a row, pass layout='long'."
    _refuse(bad, path, lambda i: f"row {rows[i]!r}", header, hint)
    values[np.isin(values, missing.numbers)] = np.nan
    return rows, header, values


def _wide_text(
    path: Path, sep: str | None, missing: Missing
) -> tuple[list[str], list[str], np.ndarray, list[Bad]]:
    """Read header, first column, the numbers beside it and what is none."""
    rows = _text_rows(path, sep)
    header = next(rows)
    width = len(header) - 1
    column: list[str] = []
    parts: list[np.ndarray] = []
    bad: list[Bad] = []
    while some := list(islice(rows, max(1, _AT_ONCE // len(header)))):
        cells = list(chain.from_iterable(row[1:] for row in some))
        values, wrong = missing.read(cells)
        bad += [(len(column) + k // width, k % width, cells[k]) for k in wrong]
        column += [row[0] for row in some]
        parts.append(values)
    if not column:
        raise ValueError(f"{path} has a header but no rows.")
    return header, column, np.concatenate(parts).reshape(len(column), width), bad


def long(
    path: Path, sep: str | None, missing: Missing, columns: Sequence[str]
) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Read drug names, cell line names and the numbers of each value column."""
    frame = read_cells(path, sep, columns)
    drugs = names(frame.iloc[:, 0], f"{path}: column {columns[0]!r}")
    lines = names(frame.iloc[:, 1], f"{path}: column {columns[1]!r}")
    values, bad = _by_column(frame.iloc[:, 2:], missing)
    _refuse(bad, path, lambda i: f"the row of {drugs[i]!r}, {lines[i]!r}", columns[2:])
    values[np.isin(values, missing.numbers)] = np.nan
    return drugs, lines, {name: values[:, j] for j, name in enumerate(columns[2:])}


def names(cells: Iterable[object], where: str, *, first: int = 1) -> list[str]:
    """Read names as text without the spaces around it; none may be missing."""
    found = [_name(cell) for cell in cells]
    blank = [i for i, name in enumerate(found) if name in MISSING_NAMES]
    if blank:
        raise ValueError(
            f"{where} lacks {len(blank)} of {len(found)} names, the first at position "
            f"{blank[0] + first} ({found[blank[0]]!r}). Name every drug and cell line."
        )
    return found


def _name(cell: object) -> str:
    if cell is None or cell is pd.NA or cell != cell:
        return ""
    # Identifiers become floats where a table had gaps: 905940.0 is 905940.
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def _by_column(cells: pd.DataFrame, missing: Missing) -> tuple[np.ndarray, list[Bad]]:
    """Read cells as float64, NaN where missing, and what is no number."""
    values = np.empty(cells.shape)
    bad: list[Bad] = []
    for j in range(cells.shape[1]):
        column = cells.iloc[:, j]
        if pd.api.types.is_any_real_numeric_dtype(column):
            values[:, j] = column.to_numpy(dtype=float, na_value=np.nan)
            continue
        texts = list(column)
        values[:, j], wrong = missing.read(texts)
        bad += [(i, j, texts[i]) for i in wrong]
    return values, bad


def _refuse(
    bad: list[Bad], path: Path, row: Callable[[int], str], header: Sequence[str], hint: str = ""
) -> None:
    """Raise ValueError if there is anything `bad`; `row` tells it what to call a row."""
    if not bad:
        return
    i, j, cell = min(bad, key=lambda item: item[:2])
    by_column = sorted(bad, key=lambda item: (item[1], item[0]))
    texts = list(dict.fromkeys(str(item[2]) for item in by_column))[:3]
    raise ValueError(
        f"{path}: {len(bad)} cells are not numbers, the first {cell!r} in {row(i)}, column "
        f"{header[j]!r}. If they mean 'not measured', pass na_values={texts}.{hint}"
    )
