"""Files to cells, cells to names and numbers.

Text is parsed by the csv module and not by pandas, which would rename repeated columns ("A",
"A.1"), take names such as "NA" for missing and fill up rows that were cut off.
"""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from ._formats import SEPARATORS, file_kind, import_parquet, is_gzip

MISSING_NAMES = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "null", "NULL", "None"]
)


class Missing:
    """What stands for "not measured" in a cell."""

    def __init__(self, extra: str | float | Iterable[str | float]) -> None:
        single = isinstance(extra, str) or not isinstance(extra, Iterable)
        given = [extra] if single else list(extra)  # type: ignore[arg-type]
        self.texts = MISSING_NAMES | {str(item).strip() for item in given}
        self.numbers = []
        for item in given:
            with suppress(ValueError):
                self.numbers.append(float(item))  # type: ignore[arg-type]

    def number(self, cell: object) -> float:
        """Read one cell, NaN if missing. Raises ValueError or TypeError if it is not a number."""
        if isinstance(cell, str):
            text = cell.strip()
            if text in self.texts:
                return np.nan
            if "_" in text:  # float() reads "1_0" as 10
                raise ValueError(text)
            return float(text)
        if isinstance(cell, bool | np.bool_):
            raise TypeError(cell)
        return np.nan if cell is None or cell is pd.NA else float(cell)  # type: ignore[arg-type]


def read_cells(
    path: str | os.PathLike[str], sep: str | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table as it stands, or only `columns` of it; column names may repeat.

    Cells of a text file stay text, columns of a parquet file keep their type.
    """
    path = Path(path)
    kind = file_kind(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if kind == "parquet":
        frame = _read_parquet(path)
        frame = frame.iloc[:, _positions(list(frame.columns), columns, path)]
    else:
        try:
            frame = _read_text(path, sep or SEPARATORS[kind], columns)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is not gzip, or was cut off ({error}).") from None
        except csv.Error as error:
            raise ValueError(f"{path} cannot be read as a table ({error}).") from None
    if frame.empty:
        raise ValueError(f"{path} has a header but no rows.")
    return frame


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


def _read_text(path: Path, sep: str, columns: Sequence[str] | None) -> pd.DataFrame:
    opened = gzip.open if is_gzip(path) else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=sep)
        lines = (row for row in reader if any(cell.strip() for cell in row))
        header = [name.strip() for name in next(lines, [])]
        if not header:
            raise ValueError(f"{path} is empty.")
        first = next(lines, None)
        if first is not None and len(first) == len(header) + 1:
            header.insert(0, "")
        wanted = _positions(header, columns, path)

        def rows() -> Iterator[list[str]]:
            row = first
            while row is not None:
                if len(row) != len(header):
                    raise ValueError(
                        f"{path}, line {reader.line_num}: {len(row)} cells, where the header has "
                        f"{len(header)}. Is the file complete, and the separator {sep!r}?"
                    )
                yield row if columns is None else [row[i] for i in wanted]
                row = next(lines, None)

        return pd.DataFrame(list(rows()), columns=[header[i] for i in wanted], dtype=object)


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
    frame = read_cells(path, sep)
    if frame.shape[1] < 2:
        raise ValueError(
            f"{path} has a single column, {frame.columns[0]!r}, and so no values. "
            f"If another separator is used, pass sep."
        )
    header = names(frame.columns[1:], f"{path}: the header", first=2)
    rows = names(frame.iloc[:, 0], f"{path}: the first column")
    cells = frame.iloc[:, 1:].set_axis(header, axis=1)
    hint = " If the table has one measurement a row, pass layout='long'."
    return rows, header, numbers(cells, path, missing, lambda i: f"row {rows[i]!r}", hint)


def long(
    path: Path, sep: str | None, missing: Missing, columns: Sequence[str]
) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Read drug names, cell line names and the numbers of each value column."""
    frame = read_cells(path, sep, columns)
    drugs = names(frame.iloc[:, 0], f"{path}: column {columns[0]!r}")
    lines = names(frame.iloc[:, 1], f"{path}: column {columns[1]!r}")
    cells = frame.iloc[:, 2:]
    values = numbers(cells, path, missing, lambda i: f"the row of {drugs[i]!r}, {lines[i]!r}")
    return drugs, lines, {name: values[:, j] for j, name in enumerate(cells.columns)}


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


def numbers(
    cells: pd.DataFrame, path: Path, missing: Missing, row: Callable[[int], str], hint: str = ""
) -> np.ndarray:
    """Read cells as float64, NaN where missing; `row` tells an error what to call a row."""
    values = np.empty(cells.shape)
    bad: list[tuple[int, int, object]] = []
    for j in range(cells.shape[1]):
        column = cells.iloc[:, j]
        if pd.api.types.is_any_real_numeric_dtype(column):
            values[:, j] = column.to_numpy(dtype=float, na_value=np.nan)
            continue
        for i, cell in enumerate(column):
            try:
                values[i, j] = missing.number(cell)
            except (TypeError, ValueError):
                bad.append((i, j, cell))
    if bad:
        i, j, cell = min(bad, key=lambda item: item[:2])
        texts = list(dict.fromkeys(str(item[2]) for item in bad))[:3]
        raise ValueError(
            f"{path}: {len(bad)} cells are not numbers, the first {cell!r} in {row(i)}, column "
            f"{cells.columns[j]!r}. If they mean 'not measured', pass na_values={texts}.{hint}"
        )
    values[np.isin(values, missing.numbers)] = np.nan
    return values
