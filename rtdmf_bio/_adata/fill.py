"""Columns of obs and var that are made of, or filled up from, another table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from .columns import is_text
from .identity import is_blank


def is_gap(value: Any) -> bool:
    """Whether a cell says nothing; unlike an identifier, a value may be 0."""
    return is_blank(value) and str(value).strip() != "0"


def column_of(values: Sequence[Any], index: pd.Index, *, labels: bool) -> pd.Series:
    """Make a column, missing where None: whole numbers, numbers, truth values, or text.

    With ``labels``, text is categorical.
    """
    known = [value for value in values if value is not None]
    column = pd.Series(list(values), index=index, dtype=object)
    if known and all(isinstance(value, bool) for value in known):
        return column.astype("boolean" if len(known) < len(values) else bool)
    if known and all(isinstance(value, int) for value in known):
        return column.astype("Int64" if len(known) < len(values) else "int64")
    if known and all(isinstance(value, (int, float)) for value in known):
        return column.astype(float)
    text = column.map(lambda value: value if value is None else str(value))
    return text.astype("category") if labels else text


def typed(values: Sequence[Any]) -> list[Any]:
    """Return plain values, None where a cell says nothing; text that is all numbers as these."""
    plain = [None if is_gap(value) else _plain(value) for value in values]
    texts = [value for value in plain if isinstance(value, str)]
    if not texts or len(texts) < sum(value is not None for value in plain):
        return plain
    if {text.lower() for text in texts} <= {"true", "false"}:
        return [None if value is None else value.lower() == "true" for value in plain]
    for number in (int, float):
        try:
            return [None if value is None else number(value) for value in plain]
        except ValueError:
            continue
    return plain


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, (bool, int, float)) else str(value).strip()


def filled(column: pd.Series, values: Sequence[Any], *, overwrite: bool) -> pd.Series | None:
    """Return a column with its gaps filled, of its own type; None if there is nothing to fill.

    With ``overwrite``, all that is known is put in. Text such as ``"nan"`` is a gap, too.

    Raises
    ------
    ValueError
        If the column is of numbers, and what is to be filled in is none.
    """
    out = list(column)
    changed = False
    for k, value in enumerate(values):
        if value is not None and (overwrite or is_gap(out[k])) and str(value) != str(out[k]):
            out[k], changed = value, True
    if not changed:
        return None
    if isinstance(column.dtype, pd.CategoricalDtype):
        old = list(column.cat.categories)
        text = bool(old) and all(isinstance(label, str) for label in old)
        out = [str(v) if text and not pd.isna(v) else v for v in out]
        used = {v for v in out if not pd.isna(v)}
        kept = [label for label in old if label in used or not is_gap(label)]
        new = sorted(used - set(kept), key=str)
        return pd.Series(pd.Categorical(out, categories=[*kept, *new]), index=column.index)
    if is_text(column):
        return pd.Series(out, index=column.index, dtype=object).map(
            lambda value: value if pd.isna(value) else str(value)
        )
    try:
        return pd.Series(out, index=column.index).astype(column.dtype)
    except (TypeError, ValueError):
        raise ValueError(
            f"{column.name!r} holds {column.dtype}, and the table other values, such as "
            f"{next(v for v in values if v is not None)!r}. Rename the column, or drop it."
        ) from None
