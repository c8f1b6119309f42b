"""Cells to names."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

from ..model.blanks import is_missing
from ._missing import MISSING_NAMES

_FLOAT_ID = re.compile(r"\d+\.0+")


def names(cells: Iterable[object], where: str, *, first: int = 1) -> list[str]:
    """Read names as text without the spaces around it; none may be missing."""
    found = [as_name(cell) for cell in cells]
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
    return as_name(cell) not in MISSING_NAMES


def as_name(cell: object) -> str:
    """Read one name, empty where there is none."""
    if is_missing(cell):
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
