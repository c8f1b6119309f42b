"""Excel and OpenDocument files to a table with types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ._files import import_excel
from ._names import as_name


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


def read_excel(path: Path, sheet: str | int | None, skip_rows: int) -> pd.DataFrame:
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
    header = [as_name(cell) for cell in rows[0]]
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
