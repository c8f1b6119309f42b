"""Drugs and cell lines of a screen or a table, with all by which they can be known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .identity import (
    COLUMNS,
    IDS,
    Things,
    bare_numbers,
    ids_of_columns,
    ids_of_name,
    kind_of_column,
    merged,
    named_columns,
    names_of_columns,
    only,
    synonyms_of_columns,
    without_placeholders,
)
from .names import normalised

if TYPE_CHECKING:
    import pandas as pd


def kinds_wanted(what: str, wanted: str | Sequence[str] | None) -> list[str]:
    """Kinds of identifiers that are asked for, in that order; None: all that are known."""
    if wanted is None:
        return list(IDS[what])
    given = [wanted] if isinstance(wanted, str) else list(wanted)
    return [kind_of_column(name, what) or name for name in given]


def things_of_screen(
    frame: pd.DataFrame, what: str, kinds: Sequence[str], *, free: bool = False
) -> Things:
    """Return the drugs or lines that are the index of ``obs`` or ``var``.

    One whose own name is an identifier goes by its name in a column, too. With ``free``,
    identifiers in columns may be of any form.
    """
    own = [str(name) for name in frame.index]
    columns = id_columns(frame, what, kinds)
    by_name = [only(ids_of_name(name, what), kinds) for name in own]
    by_column = [only(ids, kinds) for ids in ids_of_columns(frame, what, columns, free=free)]
    numbers = [bare_numbers([name]) if kinds else frozenset() for name in own]
    texts = names_of_columns(frame, [c for c in named_columns(frame, what) if c not in columns])
    names = [
        [name, *(text for text in more if text != name)] if known or number else [name]
        for name, more, known, number in zip(own, texts, by_name, numbers, strict=True)
    ]
    ids = [merged(pair) for pair in zip(by_name, by_column, strict=True)]
    return Things(names, without_placeholders(names, ids), numbers)


def things_of_table(frame: pd.DataFrame, what: str) -> Things:
    """Return the drugs or lines that are the rows of a table, whose columns tell what they are."""
    columns = id_columns(frame, what, list(IDS[what]))
    named = [column for column in named_columns(frame, what) if column not in columns]
    names = names_of_columns(frame, named)
    ids = [
        merged([*(ids_of_name(name, what) for name in row), own])
        for row, own in zip(names, ids_of_columns(frame, what, columns), strict=True)
    ]
    synonyms = synonyms_of_columns(frame)
    ids = without_placeholders(names, ids)
    return Things(names, ids, [bare_numbers(row) for row in names], synonyms)


def id_columns(frame: pd.DataFrame, what: str, kinds: Sequence[str]) -> dict[Any, str]:
    """Columns of identifiers of these kinds, and which kind it is."""
    found = {}
    for column in frame.columns:
        name = normalised(column)
        of = (k for k in kinds if name in COLUMNS[what].get(k, (normalised(k),)))
        if kind := next(of, None):
            found[column] = kind
    return found
