"""Cells to numbers, with the side of those that are bounds, or why they are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from ..model.checks import name_some
from ._missing import Missing, bound, with_comma

if TYPE_CHECKING:
    from ._cells import Table

Bad: TypeAlias = tuple[int, int, object]
"""Row, column and content of a cell that is no number."""


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
