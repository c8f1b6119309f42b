"""Wide tables: which column names the rows, which are no measurements, and which way round.

A column of text, of identifiers or of a count is no cell line and no drug. It annotates the rows,
or is left out; a row of text annotates the columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._adata.names import DRUG_COLUMNS, LINE_COLUMNS, looks_like, normalised
from ..model.checks import name_some
from ._cells import Bad, Table, is_name, names, settle
from ._missing import Missing, bound

_COUNTS = {"", "unnamed0", "index", "x", "row", "rownumber", "no", "nr"}
# What spreadsheets compute below or beside a table.
_SUMMARIES = {"mean", "average", "median", "sd", "stdev", "stddev", "sem", "total", "count"}
_NUMBERLIKE = re.compile(r"[<>~=+\-\u2212]*\s*[.,]?\d+([.,]\d+)?\s*([%*]|[a-zA-Z\u00b5]{0,3}$|$)")
_FAR = 1000.0
_ENOUGH = 100  # entries of a row or column that tell its scale


@dataclass
class Wide:
    """A wide table as it stands in the file."""

    rows: list[str]
    columns: list[str]
    values: np.ndarray
    marks: np.ndarray
    """Side of bounds, int8; 0 where a value is none."""
    of_rows: pd.DataFrame
    """Columns that annotate the rows."""
    of_columns: pd.DataFrame
    """Rows that annotate the columns."""
    corner: str
    """What the column of names is called."""


def read_wide(
    table: Table,
    missing: Missing,
    *,
    key: str | None = None,
    aside: Sequence[str] = (),
    decimal: str | None = None,
    censored: str = "bound",
    drop_unnamed: bool = False,
) -> Wide:
    """Read names, numbers and annotation.

    Raises
    ------
    ValueError
        There are no values, a name is missing, a cell is no number, or a row or column is on
        another scale than the rest.
    """
    header, path = table.header, table.path
    if len(header) < 2:
        raise ValueError(
            f"{path} has a single column, {header[0]!r}, and so no values. "
            f"If another separator is used, pass sep."
        )
    sample = table.sample()
    name_at, dropped = _names_at(table, sample, key)
    chosen = set(table.positions(list(aside)))
    at = [
        j
        for j in range(len(header))
        if j not in (name_at, *dropped)
        and (j in chosen or _is_annotation(header[j], [row[j] for row in sample], missing))
    ]
    # What is empty to the left of annotation belongs to it.
    at += [
        j
        for j in range(max(at, default=0))
        if j not in (name_at, *dropped, *at) and all(missing.is_missing(row[j]) for row in sample)
    ]
    at.sort()
    if len(at) + 1 + len(dropped) == len(header):
        # Something must be meant for numbers; what stands in their place will be named.
        at = sorted(chosen - {name_at})
    found, beside, values, bad = table.parts(name_at, at, dropped, missing)
    for j in dropped:
        table.note(f"left out the column {header[j]!r}, which counts the rows")
    if at:
        table.note(f"took {name_some([header[j] for j in at])} as annotation")
    rest = [header[j] for j in range(len(header)) if j not in (name_at, *dropped, *at)]
    if not rest:
        raise ValueError(
            f"{path} has no column of numbers: {name_some(header)} are text or identifiers. If "
            f"the table has one measurement a row, pass layout='long'."
        )
    empty = [
        j
        for j, name in enumerate(rest)
        if not is_name(name) and np.isnan(values[:, j]).all() and j not in {b[1] for b in bad}
    ]
    if empty:
        table.note(f"left out {len(empty)} columns without a name or a value")
        rest, values, bad = _without(empty, rest, values, bad)
    named = [is_name(cell) for cell in found]
    if drop_unnamed and not all(named):
        table.note(f"left out {len(named) - sum(named)} rows without a name")
        rows_kept = np.flatnonzero(named).tolist()
        place = {old: new for new, old in enumerate(rows_kept)}
        found, beside = [found[i] for i in rows_kept], beside.iloc[rows_kept]
        values = values[rows_kept]
        bad = [(place[i], j, cell) for i, j, cell in bad if i in place]
    if drop_unnamed and not all(map(is_name, rest)):
        lost = [j for j, name in enumerate(rest) if not is_name(name)]
        table.note(f"left out {len(lost)} columns without a name")
        rest, values, bad = _without(lost, rest, values, bad)
    columns = names(rest, f"{path}: the header", first=2)
    where = "the first column" if name_at == 0 else f"the column {header[name_at]!r}"
    rows = names(found, f"{path}: {where}")
    text_rows, bad = _rows_of_text(values, bad, missing, rows)
    marks = settle(
        *(values, bad, missing, table, decimal, censored),
        where=lambda i, j: f"row {rows[i]!r}, column {columns[j]!r}",
        hint=" If the table has one measurement a row, pass layout='long'.",
    )
    wide = Wide(rows, columns, values, marks, beside, pd.DataFrame(), header[name_at])
    _set_rows_aside(wide, text_rows, table)
    _refuse_other_scales(wide, path)
    return wide


def _without(
    lost: Sequence[int], header: list[str], values: np.ndarray, bad: list[Bad]
) -> tuple[list[str], np.ndarray, list[Bad]]:
    """Leave out columns by place."""
    keep = [j for j in range(len(header)) if j not in set(lost)]
    place = {old: new for new, old in enumerate(keep)}
    left = [(i, place[j], cell) for i, j, cell in bad if j in place]
    return [header[j] for j in keep], values[:, keep], left


def _names_at(table: Table, sample: list[list[Any]], key: str | None) -> tuple[int, list[int]]:
    """Place of the column of names, and of those before it that only count the rows."""
    header = table.header
    counts: list[int] = []
    while len(counts) + 2 < len(header) and _counts(header[len(counts)], sample, len(counts)):
        counts.append(len(counts))
    if key is not None:
        return table.positions([key])[0], counts
    known = LINE_COLUMNS | DRUG_COLUMNS
    first = len(counts)
    cells = [row[first] for row in sample]
    if counts and normalised(header[first]) not in known and not any(map(_is_word, cells)):
        return 0, []  # numbers come next, so that the count is all there is of names
    if normalised(header[first]) not in known and len(set(map(str, cells))) < len(cells):
        # Labels that repeat, such as the tissue; the names may stand beside them.
        for j, name in enumerate(header):
            column = {str(row[j]) for row in sample}
            if normalised(name) in known and len(column) == len(sample):
                return j, counts
    return first, counts


def _counts(name: str, sample: list[list[Any]], j: int) -> bool:
    """Whether a column without much of a name is 0, 1, 2, ... or 1, 2, 3, ..."""
    if normalised(name) not in _COUNTS or not sample or j >= len(sample[0]):
        return False
    try:
        found = [float(row[j]) for row in sample]
    except (TypeError, ValueError):
        return False
    return found in ([*range(len(found))], [*range(1, len(found) + 1)])


def _is_annotation(name: str, cells: Sequence[Any], missing: Missing) -> bool:
    plain = normalised(name)
    if plain in _SUMMARIES:
        return True
    if plain in LINE_COLUMNS | DRUG_COLUMNS and not any(_is_fraction(cell) for cell in cells):
        return True
    said = [cell for cell in cells if isinstance(cell, str) and not missing.is_missing(cell)]
    if any(isinstance(cell, (int, float)) and cell == cell for cell in cells):
        return False
    words = [cell for cell in said if _is_word(cell)]
    if len(words) * 2 <= len(said) or any(bound(cell, True) for cell in said):
        return False
    # "n.d." and "?" stand for nothing, and are told when they are met.
    nothing = ("", "nd", "na", "no", "nt", "ns")
    return any(len(word.strip()) > 4 or normalised(word) not in nothing for word in words)


def _is_word(cell: Any) -> bool:
    """Whether a cell is text that does not begin like a number, as "5 uM" and "45%" do."""
    return isinstance(cell, str) and bool(cell.strip()) and not _NUMBERLIKE.match(cell.strip())


def _is_fraction(cell: Any) -> bool:
    try:
        return float(cell) % 1 > 0
    except (TypeError, ValueError):
        return False


def _rows_of_text(
    values: np.ndarray, bad: list[Bad], missing: Missing, rows: list[str]
) -> tuple[dict[int, dict[int, object]], list[Bad]]:
    """Take rows out of `bad` of which no cell is a number but some have letters."""
    by_row: dict[int, dict[int, object]] = {}
    for i, j, cell in bad:
        by_row.setdefault(i, {})[j] = cell
    found = {}
    for i, cells in by_row.items():
        letters = sum(any(map(str.isalpha, str(cell))) for cell in cells.values())
        words = letters == len(cells) and len({str(cell).strip() for cell in cells.values()}) > 1
        known = normalised(rows[i]) in LINE_COLUMNS | DRUG_COLUMNS | {"tissue", "lineage"}
        most = len(cells) > max(1, values.shape[1] / 2)
        if most and (words or known) and not np.isfinite(values[i]).any():
            found[i] = cells
    return found, [item for item in bad if item[0] not in found]


def _set_rows_aside(wide: Wide, text_rows: dict[int, dict[int, object]], table: Table) -> None:
    """Move rows that are no measurements into `of_columns`."""
    others = LINE_COLUMNS | DRUG_COLUMNS
    ids = [
        i
        for i, name in enumerate(wide.rows)
        if i not in text_rows
        and (
            normalised(name) in _SUMMARIES
            or (
                normalised(name) in others
                and not (wide.values[i][np.isfinite(wide.values[i])] % 1 > 0).any()
            )
        )
    ]
    at = sorted([*ids, *text_rows])
    if not at or len(at) == len(wide.rows):
        return
    for i in at:
        cells = text_rows.get(i)
        column: list[Any] = (
            list(wide.values[i])
            if cells is None
            else [cells.get(j) for j in range(len(wide.columns))]
        )
        wide.of_columns[wide.rows[i]] = pd.Series(column, dtype=object)
    table.note(f"took the rows {name_some([wide.rows[i] for i in at])} as annotation")
    keep = np.setdiff1d(np.arange(len(wide.rows)), at)
    wide.rows = [wide.rows[i] for i in keep]
    wide.values, wide.marks = wide.values[keep], wide.marks[keep]
    wide.of_rows = wide.of_rows.iloc[keep]


def _refuse_other_scales(wide: Wide, path: Any) -> None:
    """Refuse a row or column a thousand times off all others: it measures something else."""
    n, p = wide.values.shape
    for what, labels, part in (
        ("row", wide.rows, wide.values[:, :: p // _ENOUGH + 1]),
        ("column", wide.columns, wide.values[:: n // _ENOUGH + 1].T),
    ):
        size = np.where(np.isfinite(part), np.abs(part), np.nan)
        there = np.flatnonzero(np.isfinite(size).any(1))
        if len(there) < 3:
            continue
        typical = np.nanmedian(size[there], axis=1)
        *_, next_one, largest = np.argsort(typical)
        if 0 < _FAR * typical[next_one] < typical[largest]:
            raise ValueError(
                f"{path}: the {what} {labels[there[largest]]!r} has values around "
                f"{typical[largest]:g}, all others are at most around {typical[next_one]:g}. It "
                f"measures something else, or is in another unit: take it out, put it into the "
                f"same unit, or, of a column, name it as annotation (obs_columns, var_columns)."
            )


def way_round(rows: Sequence[str], columns: Sequence[str], corner: str) -> str | None:
    """``rows`` or ``columns``, where the drugs are, by what the names and the corner tell."""
    of_rows, of_columns = looks_like(rows), looks_like(columns)
    if normalised(corner) in LINE_COLUMNS:
        of_rows = of_rows or "lines"
    elif normalised(corner) in DRUG_COLUMNS:
        of_rows = of_rows or "drugs"
    if of_rows == of_columns:
        return None
    return "columns" if of_rows == "lines" or of_columns == "drugs" else "rows"


def way_round_of(table: Table) -> str | None:
    """The same by the header and the first rows."""
    sample = table.sample()
    at, dropped = _names_at(table, sample, None)
    columns = [
        name
        for j, name in enumerate(table.header)
        if j not in (at, *dropped)
        and not _is_annotation(name, [row[j] for row in sample], Missing(()))
    ]
    return way_round([str(row[at]).strip() for row in sample], columns, table.header[at])
