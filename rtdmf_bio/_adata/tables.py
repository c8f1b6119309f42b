"""Tables that say more of drugs or lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from .identity import COLUMNS, NAMES
from .names import normalised


def with_names(table: Any, what: str) -> pd.DataFrame:
    """Return a table whose columns are all columns, with its names, if they are its index.

    Parameters
    ----------
    table
        A table. Of one read from a file, a first column without a name holds names, or a count.
    what
        Name of the parameter, for messages.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{what} must be a table (pandas.DataFrame) or the path of one. Got "
            f"{type(table).__name__}."
        )
    if table.columns[:1].isin([""]).any():
        count = table.iloc[:, 0].astype(str).str.fullmatch(r"\d{1,4}").all()
        table = table.set_axis(["index" if count else "name", *table.columns[1:]], axis=1)
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
