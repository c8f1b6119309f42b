"""From an open table and options of `read_table` to an AnnData."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from anndata import AnnData

from .._adata.names import DRUG_COLUMNS, LINE_COLUMNS, normalised
from ..model.checks import check_choice, check_number, name_some
from ._cells import Table
from ._long import annotation_of, describe_difference, read_long
from ._matrix import Pairs, annotate, assemble, long_pairs, typed, wide_pairs
from ._missing import Missing
from ._wide import read_wide, way_round


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options of `read_table` that have no meaning, or none together."""
    layout, measure = options["layout"], options["measure"]
    check_choice("layout", layout, ("wide", "long"))
    check_choice("drugs", options["drugs"], (None, "rows", "columns"))
    check_choice("decimal", options["decimal"], (None, ".", ","))
    check_choice("censored", options["censored"], ("bound", "nan", "error"))
    known = (None, "mean", "median", "min", "max", "first", "last")
    check_choice("aggregate", options["aggregate"], known)
    check_number("skip_rows", options["skip_rows"], 0)
    if layout == "wide" and options["value"] is not None:
        raise ValueError("The parameter value is for long tables. Pass layout='long'.")
    if layout == "wide" and None not in (options["drug"], options["cell_line"]):
        raise ValueError(
            "The parameters drug and cell_line are both for long tables. Pass layout='long'."
        )
    if layout == "long" and options["drugs"] is not None:
        raise ValueError("The parameter drugs is for wide tables. Pass drug, the column of names.")
    if measure is not None and measure.get("higher_is") not in (None, "resistant", "sensitive"):
        raise ValueError(
            f"measure['higher_is'] must be 'resistant' or 'sensitive'. "
            f"Got {measure['higher_is']!r} instead."
        )
    for key, file in (("obs_key", "obs"), ("var_key", "var")):
        if options[key] is not None and options[file] is None:
            raise ValueError(f"{key} is a column of {file}. Pass {file}, too.")


def matrix_from(table: Table, options: Mapping[str, Any]) -> AnnData:
    """Make an AnnData of an open table, by options of `read_table`."""
    missing = Missing(options["na_values"])
    how = {name: options[name] for name in ("decimal", "censored", "drop_unnamed")}
    made = _wide if options["layout"] == "wide" else _long
    pairs, of_drugs, of_lines = made(table, missing, options, how)
    return matrix_of_pairs(pairs, table, options, of_drugs, of_lines)


def matrix_of_pairs(
    pairs: Pairs,
    table: Table,
    options: Mapping[str, Any],
    of_drugs: pd.DataFrame,
    of_lines: pd.DataFrame,
) -> AnnData:
    """Put measurements and annotation into an AnnData."""
    adata = assemble(*(pairs, options["aggregate"], table.path, options["censored"], table.notes))
    for axis, found, what in (("obs", of_drugs, "drugs"), ("var", of_lines, "cell lines")):
        own = getattr(adata, axis)
        found = found.reindex(own.index)
        for name in found.columns.difference(own.columns, sort=False):
            own[name] = found[name].to_numpy()
        if options[axis] is not None:
            setattr(adata, axis, annotate(own, options[axis], what, options[f"{axis}_key"]))
    if options["measure"] is not None:
        adata.uns["measure"] = dict(options["measure"])
    if table.notes:
        adata.uns["read_table"] = {**adata.uns.get("read_table", {}), "notes": list(table.notes)}
    return adata.T if options["transpose"] else adata


def _wide(table: Table, missing: Missing, options: Mapping[str, Any], how: dict[str, Any]) -> Any:
    """Measurements of a wide table, and annotation of its drugs and of its lines."""
    if options["where"]:
        raise ValueError("The parameter where is for long tables. Pass layout='long'.")
    key = options["drug"] or options["cell_line"]
    if key is not None and not isinstance(key, str):
        raise ValueError(f"The names of a wide table are in one column. Got {key}.")
    aside = [*options["obs_columns"], *options["var_columns"]]
    wide = read_wide(table, missing, key=key, aside=aside, **how)
    if len(set(wide.rows)) * 2 < len(wide.rows):
        raise ValueError(
            f"{table.path}: {len(wide.rows)} rows have only {len(set(wide.rows))} names, as in a "
            f"long table with one measurement a row. Pass layout='long' and the columns drug, "
            f"cell_line and value. Its columns are {name_some(table.header, 20)}."
        )
    others = {normalised(name) for name in wide.of_rows} & (LINE_COLUMNS | DRUG_COLUMNS)
    if len(wide.columns) == 1 and others and len(wide.rows) > 1:
        raise ValueError(
            f"{table.path} has a single column of numbers, {wide.columns[0]!r}, beside "
            f"{name_some(list(wide.of_rows.columns))}, as in a long table with one measurement a "
            f"row. Pass layout='long' and the columns drug, cell_line and value."
        )
    drugs = options["drugs"]
    if key is not None and drugs is None:
        drugs = "rows" if options["drug"] is not None else "columns"
    if drugs is None and way_round(wide.rows, wide.columns, wide.corner) == "columns":
        raise ValueError(
            f"{table.path}: the rows ({name_some(wide.rows, 3)}) are cell lines, by their names, "
            f"and the columns ({name_some(wide.columns, 3)}) are drugs. Pass drugs='columns' "
            f"(--drugs-in columns); if that is wrong, drugs='rows'."
        )
    transpose = drugs == "columns"
    wrong = options["obs_columns"] if transpose else options["var_columns"]
    if wrong:
        which, other = ("obs", "var") if transpose else ("var", "obs")
        raise ValueError(
            f"Columns of {table.path} annotate its rows, which are "
            f"{'cell lines' if transpose else 'drugs'}. Pass {other}_columns instead of "
            f"{which}_columns."
        )
    pairs = wide_pairs(wide, transpose=transpose)
    rows = _first_of_each(wide.of_rows.set_axis(wide.rows, axis=0)).apply(typed)
    columns = _first_of_each(wide.of_columns.set_axis(wide.columns, axis=0)
                             if len(wide.of_columns.columns) else
                             wide.of_columns.reindex(wide.columns)).apply(typed)  # fmt: skip
    return (pairs, columns, rows) if transpose else (pairs, rows, columns)


def _first_of_each(table: pd.DataFrame) -> pd.DataFrame:
    return table[~table.index.duplicated()]


def _long(table: Table, missing: Missing, options: Mapping[str, Any], how: dict[str, Any]) -> Any:
    """Measurements of a long table, and annotation of its drugs and of its lines."""
    keys = {
        "drug": _listed(options["drug"], "drug"),
        "cell_line": _listed(options["cell_line"], "cell_line"),
    }
    values = _listed(options["value"], "value")
    if not values:
        raise ValueError("The value parameter is empty. Name the column of measurements.")
    beside = [*options["obs_columns"], *options["var_columns"]]
    table.positions(beside)
    long = read_long(
        *(table, keys["drug"], keys["cell_line"], values, missing),
        where=options["where"],
        every=bool(beside),
        **how,
    )
    pairs = long_pairs(long, describe_difference(long, keys))
    if options["aggregate"] is not None and long.differ:
        table.note(f"combined rows that differ in the column {long.differ[0]!r}")
    obs = annotation_of(long, long.drugs, options["obs_columns"], (), "drug").apply(typed)
    var = annotation_of(long, long.lines, options["var_columns"], (), "cell line").apply(typed)
    return pairs, obs, var


def _listed(given: Any, default: str) -> list[str]:
    if given is None:
        return [default]
    return [given] if isinstance(given, str) else list(given)
