"""Long tables, one measurement a row: names, numbers, repeats and annotation.

Rows of one pair of drug and line are repeats only if no other column tells them apart; a column
that does is named before anything is averaged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from .._adata.names import DRUG_COLUMNS, LINE_COLUMNS, normalised
from ..model.checks import name_some
from ._cells import Table
from ._missing import MISSING_NAMES, Missing
from ._names import is_name, names
from ._numbers import by_column, settle

_FEW = 50  # values of a column that tells kinds apart, and not single rows
_SHOWN = 6


@dataclass
class Long:
    """A long table; all that is of one measurement has one place."""

    drugs: list[str]
    lines: list[str]
    values: dict[str, np.ndarray]
    marks: dict[str, np.ndarray]
    rest: pd.DataFrame
    """The other columns, as they stand."""
    differ: list[str] = field(default_factory=list)
    """Columns that tell repeats of a pair apart, those that tell most first."""


def read_long(
    table: Table,
    drug: Sequence[str],
    line: Sequence[str],
    values: Sequence[str],
    missing: Missing,
    *,
    where: Mapping[str, Any] | None = None,
    drop_unnamed: bool = False,
    decimal: str | None = None,
    censored: str = "bound",
    every: bool = False,
) -> Long:
    """Read the columns named, and all others where they are needed or `every` is True.

    Raises
    ------
    ValueError
        A column or a name is missing, a cell is no number, or `where` leaves nothing.
    """
    keys = [*drug, *line]
    table.positions([*keys, *values])  # the first to be missed is named
    needed = list(dict.fromkeys([*keys, *values, *(where or {})]))
    frame = table.frame(None if every else needed)
    chosen = _chosen(frame, where or {}, table)
    named = np.ones(len(frame), dtype=bool)
    if drop_unnamed:
        for column in keys:
            named &= np.array([is_name(cell) for cell in frame[column]], dtype=bool)
        lost = int((chosen & ~named).sum())
        if lost:
            table.note(f"left out {lost} rows without a name of drug or cell line")
    keep = np.flatnonzero(chosen & named)
    frame = frame.iloc[keep]
    drugs, lines = _keys(frame, drug, table), _keys(frame, line, table)
    numbers, marks = {}, {}
    for name in values:
        read, bad = by_column(frame[[name]], missing)
        side = settle(
            *(read, bad, missing, table, decimal, censored),
            where=lambda i, _, name=name: (  # type: ignore[misc]
                f"the row of {drugs[i]!r}, {lines[i]!r}, column {name!r}"
            ),
        )
        numbers[name], marks[name] = read[:, 0], side[:, 0]
    out = Long(drugs, lines, numbers, marks, frame)
    if not _repeated(out).any():
        return out
    if not every:
        out.rest = table.frame().iloc[keep]
    _drop_duplicates(out, table)
    out.differ = _differing(out, [*keys, *values])
    return out


def _chosen(frame: pd.DataFrame, where: Mapping[str, Any], table: Table) -> np.ndarray:
    """Rows that `where` asks for."""
    chosen = np.ones(len(frame), dtype=bool)
    for column, wanted in where.items():
        listed = [wanted] if isinstance(wanted, str) or not isinstance(wanted, Sequence) else wanted
        texts = {_text(value) for value in listed}
        found = frame[column].map(_text)
        lost = texts - set(found.unique())
        if lost:
            raise ValueError(
                f"{table.path} has no row with {column!r} of {sorted(lost)}. It has "
                f"{name_some(sorted(found.unique()), _SHOWN)}."
            )
        chosen &= found.isin(texts).to_numpy()
    if not chosen.any():
        raise ValueError(f"{table.path} has no row with all of {dict(where)}.")
    return chosen


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def _keys(frame: pd.DataFrame, columns: Sequence[str], table: Table) -> list[str]:
    """Names from one column, or from several as ``first [second, third]``."""
    found = [names(frame[column], f"{table.path}: column {column!r}") for column in columns]
    if len(found) == 1:
        return found[0]
    return [f"{first} [{', '.join(rest)}]" for first, *rest in zip(*found, strict=True)]


def _repeated(long: Long) -> np.ndarray:
    pairs = pd.DataFrame({"drug": long.drugs, "line": long.lines})
    repeated: np.ndarray = pairs.duplicated(keep=False).to_numpy()
    return repeated


def _drop_duplicates(long: Long, table: Table) -> None:
    """Leave out measurements that are there twice to the last cell."""
    measured = np.any([np.isfinite(values) for values in long.values.values()], axis=0)
    keys = pd.DataFrame({"drug": long.drugs, "line": long.lines})
    cells = pd.concat([keys, long.rest.reset_index(drop=True)], axis=1)
    cells.columns = range(cells.shape[1])
    again = cells.duplicated().to_numpy() & measured
    if not again.any():
        return
    table.note(f"left out {again.sum()} rows that repeat another to the last cell")
    keep = np.flatnonzero(~again)
    long.drugs = [long.drugs[i] for i in keep]
    long.lines = [long.lines[i] for i in keep]
    long.values = {name: values[keep] for name, values in long.values.items()}
    long.marks = {name: marks[keep] for name, marks in long.marks.items()}
    long.rest = long.rest.iloc[keep]


def _differing(long: Long, known: Sequence[str]) -> list[str]:
    """Columns, beside those that are known, in which rows of one pair differ.

    First those that tell all repeats apart and have few values, as labels have; a column that
    differs in every row numbers the rows, or measures something.
    """
    repeated = np.flatnonzero(_repeated(long))
    if not repeated.size:
        return []
    drugs, lines = np.array(long.drugs)[repeated], np.array(long.lines)[repeated]
    pair = pd.Series(pd.MultiIndex.from_arrays([drugs, lines]).factorize()[0])
    size = pair.map(pair.value_counts())
    found = []
    for place, column in enumerate(long.rest.columns):
        if column in known:
            continue
        cells = long.rest.iloc[repeated, place].map(_text).reset_index(drop=True)
        distinct = cells.groupby(pair).nunique()
        told = float((pair.map(distinct) == size).mean())
        n_values, measure = cells.nunique(), _is_measure(cells)
        if (distinct > 1).any() and not (n_values > _FEW and measure):
            found.append((-told, measure, n_values, str(column)))
    return [column for *_, column in sorted(found)]


def _is_measure(cells: pd.Series) -> bool:
    """Whether a column has fractions, or another number in each row."""
    numbers = pd.to_numeric(cells, errors="coerce")
    fractions = bool((numbers.dropna() % 1 > 0).any())
    return fractions or bool(cells.nunique() == len(cells) and numbers.notna().all())


def describe_difference(long: Long, keys: Mapping[str, Sequence[str]]) -> str:
    """Say which column tells repeats apart and what to do; empty if none does."""
    if not long.differ:
        return ""
    column = long.differ[0]
    found = list(dict.fromkeys(long.rest[column].map(_text)))
    which = "cell_line" if normalised(column) in LINE_COLUMNS else "drug"
    again = f"{which}={[*keys[which], column]}"
    more = f" (and in {name_some(long.differ[1:], 3)})" if len(long.differ) > 1 else ""
    said = (
        f"They differ in the column {column!r}{more}, which has {name_some(found, _SHOWN)}. Keep "
        f"one of these, where={{{column!r}: {found[0]!r}}}"
    )
    # A metric is no part of a name.
    if any(word in column.lower() for word in ("metric", "measure", "unit", "statistic")):
        return f"{said}: they measure different things."
    if re.search(r"rep|experiment|run|plate|well|passage|batch", column, re.IGNORECASE):
        return f"{said}; keep them apart, {again}; or, if they repeat each other, aggregate='mean'."
    return f"{said}, or keep them apart, {again}."


def annotation_of(
    long: Long, keys: Sequence[str], columns: Sequence[str] | None, taken: Sequence[str], what: str
) -> pd.DataFrame:
    """Columns with one value for each of `keys`; of None, all that are so.

    Raises
    ------
    ValueError
        A column asked for has several values for one drug or line.
    """
    elsewhere = LINE_COLUMNS if what == "drug" else DRUG_COLUMNS
    wanted = list(columns) if columns is not None else [
        str(column)
        for column in long.rest.columns
        if column not in taken and normalised(column) not in elsewhere
    ]  # fmt: skip
    code, once = pd.factorize(np.array(keys, dtype=object))
    out = {}
    for column in wanted:
        cells = long.rest[column].reset_index(drop=True)
        blank = cells.map(lambda cell: not is_name(cell))
        known = cells.mask(blank)
        first = known.groupby(code).first()
        differs = known.groupby(code).nunique() > 1
        if columns is None and (differs.any() or blank.all()):
            continue
        if differs.any():
            which = once[int(np.flatnonzero(differs)[0])]
            raise ValueError(
                f"The column {column!r} has several values for the {what} {which!r}, and cannot "
                f"annotate it."
            )
        out[column] = first.reindex(range(len(once))).to_numpy()
    found = pd.DataFrame(out, index=pd.Index(once))
    return found.mask(found.isin(list(MISSING_NAMES)))
