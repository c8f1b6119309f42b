"""Tables to names, numbers and text, whatever kind of file they are in.

A `Table` gives its header, a sample and its cells. Of a wide table only the names and the numbers
are kept: as cells it takes several times the memory.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ._excel import read_excel
from ._files import import_parquet, kind_of
from ._missing import Missing
from ._numbers import Bad, by_column
from ._text import Text, decoded, open_text

Parts: TypeAlias = tuple[list[Any], pd.DataFrame, np.ndarray, list[Bad]]
"""Names of the rows, the columns set aside, the numbers of the others, and what is none."""

_AT_ONCE = 2**15  # cells of a wide text
_SAMPLE, _LOOK = 50, 2**15  # rows and cells that tell what a table is


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
    of_text = {"sep": sep, "encoding": encoding}
    if kind in ("excel", "parquet") and (given := [k for k, v in of_text.items() if v is not None]):
        raise ValueError(f"{path} is no text, which {' and '.join(given)} are for. Leave them out.")
    if kind == "excel":
        return FrameTable(path, read_excel(path, sheet, skip_rows))
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
