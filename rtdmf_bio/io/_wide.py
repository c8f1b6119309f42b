"""Wide tables: which column names the rows, which are no measurements, and which way round.

A column of text, of identifiers or of a count is no cell line and no drug. It annotates the rows,
or is left out; a row of text annotates the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._adata.names import DRUG_COLUMNS, LINE_COLUMNS, looks_like, normalised
from ..model.checks import name_some
from ._cells import Table
from ._missing import Missing
from ._names import is_name, names
from ._numbers import Bad, settle
from ._roles import (
    is_annotation,
    is_labelled,
    is_measured,
    look_like_repeats,
    names_at,
    refuse_lost_names,
    refuse_spreads,
    refuse_two_headers,
    refuse_two_tables,
    rows_aside,
    rows_of_text,
)

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

    def leave_out(self, rows: Sequence[int] | np.ndarray) -> None:
        """Leave out rows by place."""
        keep = np.setdiff1d(np.arange(len(self.rows)), rows)
        self.rows = [self.rows[i] for i in keep]
        self.values, self.marks = self.values[keep], self.marks[keep]
        self.of_rows = self.of_rows.iloc[keep]


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
    name_at, dropped = names_at(table, sample, key)
    chosen = set(table.positions(list(aside)))
    at = _aside(table, sample, [name_at, *dropped], chosen, missing)
    found, beside, values, bad = table.parts(name_at, at, dropped, missing)
    wrong = []
    for k, j in enumerate(at):
        cells = list(beside.iloc[:, k])
        if j not in chosen and not is_labelled(header[j], cells, missing):
            wrong += [j] if is_measured(cells, missing) else []
    if wrong:
        at = [j for j in at if j not in wrong]
        found, beside, values, bad = table.parts(name_at, at, dropped, missing)
    where = "the first column" if name_at == 0 else f"the column {header[name_at]!r}"
    refuse_lost_names(found, path, where)
    for j in dropped:
        table.note(f"left out the column {header[j]!r}, which counts the rows")
    rest = [header[j] for j in range(len(header)) if j not in (name_at, *dropped, *at)]
    text_rows, bad = rows_of_text(values, bad, [str(cell).strip() for cell in found])
    refuse_two_headers(rest, text_rows, path)
    refuse_two_tables(
        header[name_at], rest, [header[j] for j in at], list(map(str, found)), text_rows, path
    )
    if at:
        table.note(f"took {name_some([header[j] for j in at])} as annotation")
        beside = beside.set_axis(_distinct([header[j] for j in at]), axis=1)
    with_bad = {j for _, j, _ in bad} | {j for cells in text_rows.values() for j in cells}
    lost = [
        j
        for j, name in enumerate(rest)
        if not is_name(name)
        and (drop_unnamed or (np.isnan(values[:, j]).all() and j not in with_bad))
    ]
    if lost:
        table.note(f"left out {len(lost)} columns without a name")
        rest, values, bad, text_rows = _without(lost, rest, values, bad, text_rows)
    named = [is_name(cell) for cell in found]
    if drop_unnamed and not all(named):
        table.note(f"left out {len(named) - sum(named)} rows without a name")
        kept = np.flatnonzero(named).tolist()
        place = {old: new for new, old in enumerate(kept)}
        found, beside, values = [found[i] for i in kept], beside.iloc[kept], values[kept]
        bad = [(place[i], j, cell) for i, j, cell in bad if i in place]
        text_rows = {place[i]: cells for i, cells in text_rows.items() if i in place}
    columns = names(rest, f"{path}: the header", first=2)
    rows = names(found, f"{path}: {where}")
    marks = settle(
        *(values, bad, missing, table, decimal, censored),
        where=lambda i, j: f"row {rows[i]!r}, column {columns[j]!r}",
        hint=" If the table has one measurement a row, pass layout='long'.",
    )
    wide = Wide(rows, columns, values, marks, beside, pd.DataFrame(), header[name_at])
    _set_rows_aside(wide, text_rows, table)
    _drop_duplicates(wide, table)
    _refuse_other_scales(wide, path)
    refuse_spreads(wide.columns, path)
    for what, listed in (("row", wide.rows), ("column", wide.columns)):
        repeats = look_like_repeats(listed)
        if repeats:
            table.note(f"{what}s such as {name_some(repeats, 3)} look like repeats")
    return wide


def _aside(
    table: Table, sample: list[list[Any]], used: list[int], chosen: set[int], missing: Missing
) -> list[int]:
    """Places of columns that annotate the rows."""
    header = table.header
    at = [
        j
        for j in range(len(header))
        if j not in used
        and (j in chosen or is_annotation(header[j], [row[j] for row in sample], missing))
    ]
    # What is empty to the left of annotation belongs to it.
    at += [
        j
        for j in range(max(at, default=0))
        if j not in (*used, *at) and header[j] and all(missing.is_missing(row[j]) for row in sample)
    ]
    if len(at) + len(used) == len(header):
        # Something must be meant for numbers; what stands in their place will be named.
        return sorted(chosen - set(used))
    return sorted(at)


def _distinct(found: Sequence[str]) -> list[str]:
    """Names of columns of annotation, each once and none blank."""
    out: list[str] = []
    for k, name in enumerate(found):
        fresh = name or f"column {k + 1}"
        while fresh in out:
            fresh = f"{fresh}.1"
        out.append(fresh)
    return out


def _without(
    lost: Sequence[int],
    header: list[str],
    values: np.ndarray,
    bad: list[Bad],
    text_rows: dict[int, dict[int, object]],
) -> tuple[list[str], np.ndarray, list[Bad], dict[int, dict[int, object]]]:
    """Leave out columns by place."""
    keep = [j for j in range(len(header)) if j not in set(lost)]
    place = {old: new for new, old in enumerate(keep)}
    left = [(i, place[j], cell) for i, j, cell in bad if j in place]
    text = {
        i: {place[j]: cell for j, cell in cells.items() if j in place}
        for i, cells in text_rows.items()
    }
    return [header[j] for j in keep], values[:, keep], left, text


def _set_rows_aside(wide: Wide, text_rows: dict[int, dict[int, object]], table: Table) -> None:
    """Move rows that are no measurements into `of_columns`."""
    ids = [i for i in rows_aside(wide.rows, wide.values) if i not in text_rows]
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
    wide.leave_out(at)


def _drop_duplicates(wide: Wide, table: Table) -> None:
    """Leave out rows that are there twice, with all their values."""
    twice = pd.Index(wide.rows).duplicated(keep=False)
    if not twice.any():
        return
    frame = pd.DataFrame(wide.values[twice])
    frame["name"] = [name for name, yes in zip(wide.rows, twice, strict=True) if yes]
    again = np.flatnonzero(twice)[frame.duplicated().to_numpy()]
    if not again.size:
        return
    table.note(f"left out {again.size} rows that repeat another to the last cell")
    wide.leave_out(again)


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
        own = part[there[largest]]
        # Concentrations of potent drugs may lie as far apart; identifiers have no fractions.
        far = _FAR if not (own[np.isfinite(own)] % 1 > 0).any() else _FAR**2
        if 0 < far * typical[next_one] < typical[largest]:
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
    at, dropped = names_at(table, sample, None)
    columns = [
        name
        for j, name in enumerate(table.header)
        if j not in (at, *dropped)
        and not is_annotation(name, [row[j] for row in sample], Missing(()))
    ]
    return way_round([str(row[at]).strip() for row in sample], columns, table.header[at])
