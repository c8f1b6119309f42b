"""Tables to names, numbers and text, whatever kind of file they are in.

A `Table` gives its header, a sample and its cells. Of a wide table only the names and the numbers
are kept: as cells it takes several times the memory.
"""

from __future__ import annotations

import datetime
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..model.checks import name_some
from ._files import import_excel, import_parquet, kind_of
from ._missing import MISSING_NAMES, Missing, bound, with_comma
from ._text import Text, decoded, open_text

Bad: TypeAlias = tuple[int, int, object]
"""Row, column and content of a cell that is no number."""
Parts: TypeAlias = tuple[list[Any], pd.DataFrame, np.ndarray, list[Bad]]
"""Names of the rows, the columns set aside, the numbers of the others, and what is none."""

_AT_ONCE = 2**15  # cells of a wide text
_SAMPLE, _LOOK = 50, 2**15  # rows and cells that tell what a table is
_FLOAT_ID = re.compile(r"\d+\.0+")


class Table(ABC):
    """A table in a file, or at hand."""

    path: Path
    """The file, or what stands for it in messages."""
    notes: list[str]
    header: list[str]

    @abstractmethod
    def sample(self) -> list[list[Any]]:
        """Return the first rows."""

    @abstractmethod
    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the cells as they stand, of all columns or some; names may repeat."""

    @abstractmethod
    def parts(
        self, names: int, aside: Sequence[int], dropped: Sequence[int], how: Missing
    ) -> Parts:
        """Read all, with the column of names, those set aside, and those left out."""

    def note(self, said: str) -> None:
        """Remember what was found and passed over."""
        if said not in self.notes:
            self.notes.append(said)

    def positions(self, columns: Sequence[str] | None) -> list[int]:
        """Places of columns by name."""
        if columns is None:
            return list(range(len(self.header)))
        for column in columns:
            if self.header.count(column) != 1:
                found = "no column" if column not in self.header else "more than one column"
                known = ", ".join(map(repr, self.header[:20]))
                known += ", ..." if len(self.header) > 20 else ""
                raise ValueError(f"{self.path} has {found} {column!r}. Its columns are {known}.")
        return [self.header.index(column) for column in columns]


class TextTable(Table):
    """A table of text."""

    def __init__(self, text: Text, encoding: str | None) -> None:
        self.path, self.notes = text.path, text.notes
        self._text, self._given = text, encoding
        self._sample: list[list[str]] = []
        self.header = self._parse(self._begin)

    def _begin(self, text: Text) -> list[str]:
        rows = text.rows()
        header = next(rows)
        self._sample = list(islice(rows, max(3, min(_SAMPLE, _LOOK // len(header)))))
        return header

    def _parse(self, parse: Callable[[Text], Any]) -> Any:
        return decoded(self._text, self._given, parse)

    def sample(self) -> list[list[Any]]:
        """Return the first rows."""
        return self._sample

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the cells as text."""
        wanted = self.positions(columns)
        every = wanted == list(range(len(self.header)))

        def cells(text: Text) -> list[list[str]]:
            rows = text.rows()
            next(rows)
            # Names and labels repeat: each is kept once.
            once: dict[str, str] = {}
            keep = once.setdefault
            if every:
                return [[keep(cell, cell) for cell in row] for row in rows]
            return [[keep(row[i], row[i]) for i in wanted] for row in rows]

        found = pd.DataFrame(
            self._parse(cells), columns=[self.header[i] for i in wanted], dtype=object
        )
        return _not_empty(found, self.path)

    def parts(
        self, names: int, aside: Sequence[int], dropped: Sequence[int], how: Missing
    ) -> Parts:
        """Read all, some rows at a time."""
        left_out = {names, *aside, *dropped}
        kept = [j for j in range(len(self.header)) if j not in left_out]
        width = len(kept)
        rest = slice(kept[0], kept[-1] + 1) if kept and kept[-1] - kept[0] == width - 1 else None

        def read(text: Text) -> Parts:
            rows = text.rows()
            next(rows)
            column: list[str] = []
            others: list[list[str]] = []
            parts: list[np.ndarray] = []
            bad: list[Bad] = []
            while some := list(islice(rows, max(1, _AT_ONCE // len(self.header)))):
                wanted = (row[rest] if rest else [row[j] for j in kept] for row in some)
                cells = list(chain.from_iterable(wanted))
                values, wrong = how.read(cells)
                bad += [(len(column) + k // width, k % width, cells[k]) for k in wrong]
                column += [row[names] for row in some]
                others += [[row[j] for j in aside] for row in some]
                parts.append(values)
            if not column:
                raise ValueError(f"{self.path} has a header but no rows.")
            beside = pd.DataFrame(others, columns=[self.header[j] for j in aside], dtype=object)
            return column, beside, np.concatenate(parts).reshape(len(column), width), bad

        found: Parts = self._parse(read)
        return found


class FrameTable(Table):
    """A table whose columns have types, of a parquet or Excel file or of R."""

    def __init__(self, path: Path, frame: pd.DataFrame) -> None:
        if frame.columns.nlevels > 1:
            raise ValueError(f"{path} has names of columns of several levels. Keep one level.")
        self.path, self.notes = path, []
        # pandas and R store an index that is more than a count; it is where the names are.
        if frame.index.names != [None] or not pd.api.types.is_integer_dtype(frame.index):
            frame = frame.rename_axis(
                index=["" if name is None else name for name in frame.index.names]
            ).reset_index()
        frame.columns = frame.columns.map(str)
        self._frame = frame
        self.header = [str(name).strip() for name in frame.columns]

    def sample(self) -> list[list[Any]]:
        """Return the first rows."""
        some = self._frame.iloc[:_SAMPLE]
        columns = [some.iloc[:, j] for j in range(some.shape[1])]
        return [list(row) for row in zip(*columns, strict=True)]

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the cells, each column with its type."""
        found = self._frame.iloc[:, self.positions(columns)]
        return _not_empty(found.set_axis([self.header[i] for i in self.positions(columns)], axis=1),
                          self.path)  # fmt: skip

    def parts(
        self, names: int, aside: Sequence[int], dropped: Sequence[int], how: Missing
    ) -> Parts:
        """Read all, a column at a time."""
        frame = self.frame()
        left_out = {names, *aside, *dropped}
        kept = [j for j in range(len(self.header)) if j not in left_out]
        values, bad = by_column(frame.iloc[:, kept], how)
        return list(frame.iloc[:, names]), frame.iloc[:, list(aside)], values, bad


def _not_empty(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    if frame.empty:
        raise ValueError(f"{path} has a header but no rows.")
    return frame


def open_table(
    path: str | os.PathLike[str],
    *,
    sep: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    skip_rows: int = 0,
) -> Table:
    """Open a table by its content."""
    path = Path(path)
    kind = kind_of(path)
    if kind == "excel":
        return FrameTable(path, _read_excel(path, sheet, skip_rows))
    if sheet is not None:
        raise ValueError(f"{path} is no Excel file and has no sheet {sheet!r}. Leave sheet out.")
    if kind == "parquet":
        return FrameTable(path, _read_parquet(path))
    return TextTable(open_text(path, sep, encoding, skip_rows), encoding)


def _read_parquet(path: Path) -> pd.DataFrame:
    parquet = import_parquet()
    try:
        # Unlike read_table, ParquetFile allows columns of one name and adds none from the path.
        with parquet.ParquetFile(path) as file:
            frame: pd.DataFrame = file.read().to_pandas()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as parquet ({error}).") from None
    return frame


def sheets_of(path: Path) -> list[str]:
    """Names of the sheets of an Excel file that hold something."""
    with _workbook(path) as book:
        return [name for name in book.sheet_names if book.get_sheet_by_name(name).height]


def _said(row: Sequence[Any]) -> int:
    return sum(str(cell).strip() != "" for cell in row)


def _numbers_in(book: Any, sheet: str) -> int:
    rows = book.get_sheet_by_name(sheet).to_python(nrows=50)
    return sum(isinstance(cell, float) for row in rows for cell in row)


def _workbook(path: Path) -> Any:
    try:
        return import_excel().CalamineWorkbook.from_path(str(path))
    except ImportError:
        raise
    except Exception as error:  # the library's own, of several kinds
        raise ValueError(f"{path} cannot be read as an Excel file ({error}).") from None


def _read_excel(path: Path, sheet: str | int | None, skip_rows: int) -> pd.DataFrame:
    with _workbook(path) as book:
        filled = [name for name in book.sheet_names if book.get_sheet_by_name(name).height]
        if sheet is None:
            tables = [name for name in filled if _numbers_in(book, name) > 5]
            if len(filled) != 1 and len(tables) == 1:
                filled = tables
            if len(filled) != 1:
                raise ValueError(
                    f"{path} has {len(filled)} sheets with content: {filled}. Pass sheet, one of "
                    f"them."
                )
            sheet = filled[0]
        elif isinstance(sheet, int) and 0 <= sheet < len(book.sheet_names):
            sheet = book.sheet_names[sheet]
        if sheet not in book.sheet_names:
            raise ValueError(f"{path} has no sheet {sheet!r}. It has {book.sheet_names}.")
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)[skip_rows:]
    rows = [row for row in rows if any(cell != "" for cell in row)]
    while len(rows) > 1 and _said(rows[0]) <= 2 < _said(rows[1]) > 3:
        rows = rows[1:]  # a title
    if not rows:
        raise ValueError(f"{path} is empty.")
    # A sheet is as wide as its widest row.
    header = [_name(cell) for cell in rows[0]]
    while header and not header[-1] and all(row[len(header) - 1] == "" for row in rows):
        header.pop()
    if sum(map(bool, header)) <= 2 < len(header):
        raise ValueError(
            f"{path}: the first row has {sum(map(bool, header))} cells, where the table has "
            f"{len(header)} columns. If the header is further down, pass skip_rows, the lines "
            f"before it."
        )
    frame = pd.DataFrame([row[: len(header)] for row in rows[1:]], dtype=object)
    return frame.set_axis(header[: frame.shape[1]], axis=1) if len(frame) else frame


def names(cells: Iterable[object], where: str, *, first: int = 1) -> list[str]:
    """Read names as text without the spaces around it; none may be missing."""
    found = [_name(cell) for cell in cells]
    blank = [i for i, name in enumerate(found) if name in MISSING_NAMES]
    if blank:
        raise ValueError(
            f"{where} lacks {len(blank)} of {len(found)} names, the first at position "
            f"{blank[0] + first} ({found[blank[0]]!r}). Name every drug and cell line"
            + (", filling down cells that were merged" if blank[0] and len(blank) > 5 else "")
            + ", or pass drop_unnamed=True to leave out what has no name."
        )
    # As text, too, identifiers may have been floats.
    if all(map(_FLOAT_ID.fullmatch, found)):
        found = [name.partition(".")[0] for name in found]
    return found


def is_name(cell: object) -> bool:
    """Whether a cell is a name, or blank."""
    return _name(cell) not in MISSING_NAMES


def _name(cell: object) -> str:
    if cell is None or cell is pd.NA or cell != cell:
        return ""
    if isinstance(cell, datetime.date):
        raise ValueError(
            f"The name {cell} is a date: a spreadsheet has turned a name such as SEPT-1 into one. "
            f"Write the name as text."
        )
    # Identifiers become floats where a table had gaps: 905940.0 is 905940.
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def by_column(cells: pd.DataFrame, missing: Missing) -> tuple[np.ndarray, list[Bad]]:
    """Read cells as float64, NaN where missing, and what is no number."""
    values = np.empty(cells.shape)
    bad: list[Bad] = []
    for j in range(cells.shape[1]):
        column = cells.iloc[:, j]
        if pd.api.types.is_any_real_numeric_dtype(column):
            values[:, j] = column.to_numpy(dtype=float, na_value=np.nan)
            if pd.api.types.is_integer_dtype(column):
                # R's NA among integers, and that of others.
                values[values[:, j] <= np.iinfo(np.int32).min, j] = np.nan
            continue
        texts = list(column)
        values[:, j], wrong = missing.read(texts)
        bad += [(i, j, texts[i]) for i in wrong]
    return values, bad


def settle(
    values: np.ndarray,
    bad: list[Bad],
    missing: Missing,
    table: Table,
    decimal: str | None,
    censored: str,
    where: Callable[[int, int], str],
    hint: str = "",
) -> np.ndarray:
    """Read into `values` what is a number in another form, and return the side of bounds, int8.

    Raises
    ------
    ValueError
        Something is no number, or `censored` is ``"error"`` and there are bounds. `where` tells
        what to call a cell.
    """
    marks = np.zeros(values.shape, dtype=np.int8)
    comma = decimal == ","
    texts = [cell for _, _, cell in bad if isinstance(cell, str)]
    if decimal is None or comma:
        told = with_comma(texts, values)
        if comma and told is None and (values[np.isfinite(values)] % 1 != 0).any():
            raise ValueError(f"{table.path} holds numbers with points; decimal=',' is not so.")
        comma = comma or bool(told)
        if told and decimal is None:
            table.note("read ',' as the decimal mark")
    left = []
    for i, j, cell in bad:
        found = bound(cell, comma)
        if found is None:
            left.append((i, j, cell))
        else:
            values[i, j], marks[i, j] = found
    values[np.isin(values, missing.numbers)] = np.nan
    _refuse(left, table.path, where, comma, texts, hint)
    if marks.any():
        i, j = (int(k) for k in np.argwhere(marks)[0])
        n = int((marks != 0).sum())
        if censored == "error":
            sign = ">" if marks[i, j] > 0 else "<"
            raise ValueError(
                f"{table.path}: {n} values are bounds, the first {sign}{values[i, j]:g} in "
                f"{where(i, j)}. Pass censored='bound' to take them at the bound and mark them, or "
                f"censored='nan' to leave them out."
            )
        said = "set to missing" if censored == "nan" else "taken at the bound and marked"
        table.note(f"{n} values are bounds such as '>8', {said}")
        if censored == "nan":
            values[marks != 0] = np.nan
            marks[:] = 0
    return marks


def _refuse(
    bad: list[Bad],
    path: Path,
    where: Callable[[int, int], str],
    comma: bool,
    texts: Sequence[str],
    hint: str,
) -> None:
    """Raise ValueError if there is anything `bad`."""
    if not bad:
        return
    i, j, cell = min(bad, key=lambda item: item[:2])
    by_place = sorted(bad, key=lambda item: (item[1], item[0]))
    kinds = list(dict.fromkeys(str(item[2]) for item in by_place))
    # What has a digit in it says something.
    wordless = [text for text in kinds if not any(map(str.isdigit, text))]
    said = f"{path}: {len(bad)} cells are not numbers, the first {cell!r} in {where(i, j)}."
    with_commas = [text for text in kinds if bound(text, True) and "," in text]
    if with_commas and not comma:
        said += (
            f" Say whether the comma of {with_commas[0]!r} is the decimal mark, decimal=','; it "
            f"cannot be told from the other numbers."
        )
    if wordless:
        more = "" if len(wordless) <= 20 else f" and {len(wordless) - 20} more"
        said += f" If they mean 'not measured', pass na_values={wordless[:20]}{more}."
    rest = [text for text in kinds if text not in wordless and text not in with_commas]
    if rest:
        said += f" Correct {name_some(rest, 3)} in the file."
    raise ValueError(said + hint)
