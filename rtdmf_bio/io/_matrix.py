"""Named measurements to a matrix: replicates and annotation."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from .._adata.columns import is_text
from .._adata.identity import same_names
from .._adata.inputs import REPLICATE_SD, censored_name
from ..model.repeats import noise_of_summaries
from ._cells import open_table
from ._long import Long
from ._missing import MISSING_NAMES
from ._names import names
from ._wide import Wide


@dataclass
class Pairs:
    """Measurements of pairs of drug and line.

    Each of `values` has either one number a measurement, whose pair is `place` in the raveled
    matrix of `drugs` x `lines`, or is that matrix, and `place` None. `marks` are of the same form:
    the side of a bound, 0 where the value is none.
    """

    drugs: pd.Index
    lines: pd.Index
    place: np.ndarray | None
    values: dict[str, np.ndarray]
    marks: dict[str, np.ndarray]
    apart: str = ""
    """Says what tells repeats apart, if anything does."""


def long_pairs(long: Long, apart: str) -> Pairs:
    row, drug_names = _numbered(long.drugs, "drug")
    column, line_names = _numbered(long.lines, "cell_line")
    place = row * len(line_names) + column
    return Pairs(drug_names, line_names, place, long.values, long.marks, apart)


def wide_pairs(wide: Wide, *, transpose: bool) -> Pairs:
    drugs, lines = (wide.columns, wide.rows) if transpose else (wide.rows, wide.columns)
    row, drug_names = _numbered(drugs, "drug")
    column, line_names = _numbered(lines, "cell_line")
    given = (wide.values, wide.marks)
    if len(drug_names) == len(drugs) and len(line_names) == len(lines):
        values, marks = (np.ascontiguousarray(x.T) if transpose else x for x in given)
        return Pairs(drug_names, line_names, None, {"": values}, {"": marks})
    place = row[:, None] * len(line_names) + column
    # In the order of the file, which "first" and "last" refer to.
    place = place.T if transpose else place
    values, marks = (x.ravel() for x in given)
    return Pairs(drug_names, line_names, place.ravel(), {"": values}, {"": marks})


def _numbered(names: list[str], what: str) -> tuple[np.ndarray, pd.Index]:
    """Number the names, repeated ones alike; also return each of them once."""
    code, unique = pd.factorize(np.array(names, dtype=object))
    return code, pd.Index(unique, name=what)


def assemble(
    pairs: Pairs, aggregate: str | None, path: Path, censored: str, notes: list[str]
) -> AnnData:
    """Put the measurements into matrices, the first of `values` into ``X``."""
    main = next(iter(pairs.values.values()))
    if np.isnan(main).all():
        raise ValueError(f"{path} has no numbers: all {main.size} values are missing.")
    matrices, marks = list(pairs.values.values()), list(pairs.marks.values())
    place, again = np.empty(0, dtype=np.intp), np.empty(0)  # of pairs that occur more than once
    if pairs.place is not None:
        shape = len(pairs.drugs), len(pairs.lines)
        count = np.bincount(pairs.place, minlength=shape[0] * shape[1])
        repeated = count[pairs.place] > 1
        if aggregate is None and repeated.any():
            raise ValueError(_describe_repeats(pairs, pairs.place[repeated], count, path))
        place, again = pairs.place[repeated], main[repeated]
        for k, (values, sides) in enumerate(zip(matrices, marks, strict=True)):
            matrix = np.full(count.size, np.nan)
            matrix[pairs.place] = values
            low, high = np.zeros((2, count.size), dtype=np.int8)
            np.minimum.at(low, pairs.place, sides)
            np.maximum.at(high, pairs.place, sides)
            if place.size:
                combined = pd.Series(values[repeated]).groupby(place).agg(aggregate)
                matrix[combined.index] = combined
            matrices[k] = matrix.reshape(shape)
            # Bounds to both sides, or none, say nothing of what they make together.
            marks[k] = (low + high).reshape(shape)
    for k, matrix in enumerate(matrices):
        marks[k] = _at_the_ends(matrix, marks[k], censored, path, notes)

    names = ["X", *list(pairs.values)[1:]]
    layers = dict(zip(names[1:], matrices[1:], strict=True))
    for name, sides in zip(names, marks, strict=True):
        if sides.any():
            layers[censored_name(name)] = sides
    adata = AnnData(
        X=matrices[0],
        obs=pd.DataFrame(index=pairs.drugs),
        var=pd.DataFrame(index=pairs.lines),
        layers=layers,
    )
    if aggregate is not None:
        if pairs.place is not None:
            row, column = np.divmod(pairs.place, len(pairs.lines))
            noise = noise_of_summaries(main, row, column, matrices[0], aggregate)
            if noise is not None:
                adata.obs[REPLICATE_SD] = noise
        report = {"aggregate": aggregate, **_spread(pairs, place, again)}
        adata.uns["read_table"] = {"replicates": report}
    return adata


def _at_the_ends(
    matrix: np.ndarray, marks: np.ndarray, censored: str, path: Path, notes: list[str]
) -> np.ndarray:
    """Set what is infinite, beyond the largest dose, to the end of what its drug has."""
    infinite = np.isinf(matrix)
    if not infinite.any():
        return marks
    if censored == "error":
        raise ValueError(
            f"{path}: {infinite.sum()} values are infinite, which is beyond what was tested. Pass "
            f"censored='bound' to take them at the end of what their drug has, and mark them, or "
            f"censored='nan' to leave them out."
        )
    marks = marks.copy()
    if censored == "nan":
        notes.append(f"{infinite.sum()} infinite values are set to missing")
        matrix[infinite] = np.nan
        return marks
    finite = matrix[np.isfinite(matrix)]
    if not finite.size:
        raise ValueError(f"{path}: all values are infinite or missing.")
    for i in np.flatnonzero(infinite.any(1)):
        own = matrix[i][np.isfinite(matrix[i])]
        own = own if own.size else finite
        for side, end in ((1, own.max()), (-1, own.min())):
            at = np.isinf(matrix[i]) & (np.sign(matrix[i]) == side)
            matrix[i, at], marks[i, at] = end, side
    notes.append(
        f"{infinite.sum()} infinite values are taken at the end of what their drug has, and marked"
    )
    return marks


def _describe_repeats(pairs: Pairs, place: np.ndarray, count: np.ndarray, path: Path) -> str:
    n_lines = len(pairs.lines)
    first = pd.unique(place)[:3]
    shown = ", ".join(
        f"{pairs.drugs[k // n_lines]!r} on {pairs.lines[k % n_lines]!r} ({count[k]} times)"
        for k in first
    )
    remedy = pairs.apart or (
        "Pass aggregate='mean' (or median, min, max, first, last) to combine them, or give the "
        "drugs and cell lines different names."
    )
    return (
        f"{path}: {(count > 1).sum()} pairs of drug and cell line occur more than once, first "
        f"{shown}. {remedy}"
    )


def _spread(pairs: Pairs, place: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    """Report on the repeated measurements; plain values, so that h5ad can hold them."""
    report: dict[str, Any] = {
        "n_pairs": len(np.unique(place)),
        "n_values": int((~np.isnan(values)).sum()),
        "largest_spread": 0.0,
        "largest_spread_drug": "",
        "largest_spread_cell_line": "",
    }
    groups = pd.Series(values).groupby(place)
    spread = (groups.max() - groups.min()).dropna()
    if len(spread):
        worst = spread.idxmax()
        report["largest_spread"] = float(spread[worst])
        report["largest_spread_drug"] = str(pairs.drugs[worst // len(pairs.lines)])
        report["largest_spread_cell_line"] = str(pairs.lines[worst % len(pairs.lines)])
    return report


def annotate(
    table: pd.DataFrame,
    annotation: str | os.PathLike[str] | pd.DataFrame,
    what: str,
    key: str | None = None,
) -> pd.DataFrame:
    """Join `annotation` to `table` by name; `what` names the things annotated in messages.

    The names are in the column `key` of the annotation, in its index or its first column. Columns
    that only `table` has stay.
    """
    if isinstance(annotation, pd.DataFrame):
        source, frame = f"The annotation of {what}", annotation
        if key is not None and key not in frame.columns:
            raise ValueError(f"{source} has no column {key!r}. It has {list(frame.columns)}.")
        if key is not None:
            frame = frame.set_index(key)
        elif isinstance(frame.index, pd.RangeIndex) and frame.shape[1]:
            frame = frame.set_index(frame.columns[0])
    elif not isinstance(annotation, (str, os.PathLike)):
        raise TypeError(
            f"The annotation of {what} must be a table (pandas.DataFrame) or the path of one. Got "
            f"{type(annotation).__name__}."
        )
    else:
        source, frame = str(annotation), _read_annotation(annotation, key)
    frame = frame.set_axis(names(frame.index, f"{source}: the column of names"), axis=0)
    if frame.index.has_duplicates:
        twice = frame.index[frame.index.duplicated()].unique()
        raise ValueError(
            f"{source} names {len(twice)} {what} more than once, first {twice[0]!r}. "
            f"Keep one row for each."
        )
    # Identifiers are the same as text, as floats, and with their kind before them.
    places = same_names(list(table.index), list(frame.index))
    missed = table.index[[place < 0 for place in places]]
    if len(missed) == len(table):
        raise ValueError(
            f"{source} matches none of the {len(table)} {what}. It has {list(frame.index[:3])}, "
            f"the table has {list(table.index[:3])}. The names must be its index or first column."
        )
    if len(missed):
        warnings.warn(
            f"{source} lacks {len(missed)} of {len(table)} {what}, first {list(missed[:3])}.",
            UserWarning,
            stacklevel=3,
        )
        # Their gaps would make objects of booleans, which h5ad refuses, and floats of integers.
        nullable = {"b": "boolean", "i": "Int64", "u": "UInt64"}
        kinds = {name: getattr(dtype, "kind", "") for name, dtype in frame.dtypes.items()}
        plain = {name: nullable[kind] for name, kind in kinds.items() if kind in nullable}
        frame = frame.astype(plain)
    labels = [
        name if k < 0 else frame.index[k] for name, k in zip(table.index, places, strict=True)
    ]
    joined = frame.reindex(labels).set_axis(table.index, axis=0)
    for name in table.columns.difference(joined.columns, sort=False):
        joined[name] = table[name]
    return joined


def _read_annotation(path: str | os.PathLike[str], key: str | None) -> pd.DataFrame:
    table = open_table(path)
    frame = table.frame()
    if key is not None:
        table.positions([key])
    frame = frame.set_index(frame.columns[0] if key is None else key)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()].tolist()
        raise ValueError(f"{path} has the columns {twice} more than once. Rename them.")
    return frame.apply(typed)


def typed(column: pd.Series) -> pd.Series:
    """Give a column of text the type of what it says."""
    if not is_text(column):
        return column
    cells = column.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    cells = cells.mask(cells.isin(MISSING_NAMES))
    if cells.dropna().isin(["True", "False", "TRUE", "FALSE"]).all() and cells.notna().any():
        return cells.map({"True": True, "TRUE": True, "False": False, "FALSE": False}).astype(
            "boolean"
        )
    try:
        return pd.to_numeric(cells)
    except (TypeError, ValueError):
        return cells
