"""Drug-response tables: text, Excel or parquet to AnnData and back.

Only the interface is here, so that importing it costs nothing; `_files` tells what a file is,
`_text` and `_cells` turn it into cells, with `_missing` to tell what is no number, `_wide` and
`_long` into names, numbers and annotation, and `_matrix` makes a matrix of those.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .._atomic import replacing
from ._files import SEPARATORS, file_kind, import_parquet, is_gzip, open_for_writing

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from ._cells import Table
    from ._matrix import Pairs

PathLike: TypeAlias = "str | os.PathLike[str]"
Aggregate: TypeAlias = Literal["mean", "median", "min", "max", "first", "last"]
Censored: TypeAlias = Literal["bound", "nan", "error"]


def read_table(
    path: PathLike,
    *,
    layout: Literal["wide", "long"] = "wide",
    drugs: Literal["rows", "columns"] | None = None,
    drug: str | Sequence[str] | None = None,
    cell_line: str | Sequence[str] | None = None,
    value: str | Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
    obs_columns: Sequence[str] = (),
    var_columns: Sequence[str] = (),
    drop_unnamed: bool = False,
    sep: str | None = None,
    decimal: Literal[".", ","] | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    skip_rows: int = 0,
    na_values: str | float | Iterable[str | float] = (),
    censored: Censored = "bound",
    aggregate: Aggregate | None = None,
    obs: PathLike | pd.DataFrame | None = None,
    var: PathLike | pd.DataFrame | None = None,
    obs_key: str | None = None,
    var_key: str | None = None,
    measure: Mapping[str, Any] | None = None,
    transpose: bool = False,
) -> AnnData:
    r"""Read a table of drug response into an AnnData of drugs x cell lines.

    A wide table has one drug a row (or a column), the drug names in its first column and the
    cell lines in its header. A long table has one measurement a row. Drugs and lines keep the order
    of the file. Spaces around names are dropped, and so are blank rows. For files as public
    resources distribute them :func:`read` needs none of what follows.

    Parameters
    ----------
    path
        Text, also packed (gz, zip, xz, bz2, zst), Excel (``pip install rtdmf-bio[excel]``) or
        parquet (``pip install rtdmf-bio[parquet]``, which also speeds up large texts). What it is
        is told by the content. A header without a name for the first column, as R's
        ``write.table`` writes it, is understood; lines that begin with ``#`` and are no rows, and
        a separator at the end of each line, are passed over.
    layout
        Whether the table is wide or long.
    drugs
        Wide only: whether the drugs are the rows (the default) or the columns. Left out, rows that
        are plainly cell lines are refused.
    drug, cell_line
        Long only: the columns with the names; ``"drug"`` and ``"cell_line"`` by default. Of several
        columns the names become ``"first [second]"``. Of a wide table: the column with the names
        of the rows, where that is not the first.
    value
        Long only: the column with the measurements, ``"value"`` by default. Of several the first
        becomes ``X`` and the others become layers of that name.
    where
        Long only: column -> value, or several; only such rows are read.
    obs_columns, var_columns
        Columns of the same table that annotate its drugs or its cell lines; in a long table they
        have one value for each. In a wide one columns of text and of identifiers are taken so
        anyway.
    drop_unnamed
        Leave out, and count, what has no name, instead of refusing it.
    sep, decimal, encoding
        Separator, decimal mark and encoding of a text; by default found out. A text that is not
        UTF-8 or UTF-16 is read as Windows-1252, and that is said.
    sheet
        Name or position of the sheet of an Excel file that has several.
    skip_rows
        Number of lines before the header.
    na_values
        Cells that mean "not measured", besides blank, ``NA``, ``N/A``, ``NaN``, ``null``, ``None``
        and their variants. Numbers are compared as numbers: -999 is -999.0.
    censored
        What becomes of values that are bounds, such as ``>8``, ``<0.01`` or infinite ones:
        ``"bound"`` takes them at the bound, infinite ones at the largest or smallest value of
        their drug, and marks them in ``layers["censored"]``; ``"nan"`` leaves them out;
        ``"error"`` refuses them.
    aggregate
        How to combine replicates, pairs of drug and line that occur more than once; a drug or line
        named twice in a wide table makes replicates, too. Unmeasured replicates are left out, and
        ``"first"`` and ``"last"`` follow the order of the file. By default replicates are an error
        that names the column by which they can be told apart, if there is one. Rows that repeat
        another to the last cell are left out.
    obs, var
        Annotation of the drugs and of the cell lines, such as tissue: a table, or a file like
        `path`, whose index or first column holds the names. It is joined by name; rows about
        others are left out.
    obs_key, var_key
        Column of `obs`, of `var`, that holds the names instead.
    measure
        What the values are, stored in ``uns["measure"]``, such as ``{"name": "auc",
        "higher_is": "resistant", "bounds": [0, 1]}``.
    transpose
        Return cell lines x drugs, as scanpy has it; :func:`rtdmf_bio.pp.correct` takes drugs x
        cell lines.

    Returns
    -------
    AnnData, drugs (``obs``) x cell lines (``var``), with

    ``X`` : float64, NaN where not measured
    ``layers[<value>]`` : float64
        Each further column of `value`.
    ``layers["censored"]`` : int8
        Where there are bounds: 1 where the true value is at or above that of ``X``, -1 where it is
        at or below, else 0. ``layers["<value>_censored"]`` is the same of another value. Of
        replicates some may be exact; their summary is marked all the same.
    ``obs``, ``var`` : the columns of the annotation
    ``obs["replicate_sd"]`` : float64
        With `aggregate` of mean, median, first or last, where at least ten measurements repeat
        others: standard deviation of the error of a value of ``X``, as far as repeats differ, those
        of the drug and, where it has few, of all; ``pp.correct(adata, noise_sd="replicate_sd")``.
    ``uns["measure"]`` : dict
        `measure`, if given.
    ``uns["read_table"]["replicates"]`` : dict
        With `aggregate` only: ``aggregate``, ``n_pairs`` repeated pairs made of ``n_values``
        measurements, and the largest difference within a pair as ``largest_spread`` (0 without
        replicates) at ``largest_spread_drug`` and ``largest_spread_cell_line``, of ``X``.
    ``uns["read_table"]["notes"]`` : list of str
        What was found and passed over, if anything.

    Raises
    ------
    FileNotFoundError
        A file does not exist.
    ImportError
        The file is parquet and pyarrow is not installed, or Excel and calamine is not.
    ValueError
        The file cannot be read as a table, has no numbers, lacks a column or a name, holds text
        where numbers belong, or repeats a pair while `aggregate` is None; a row or column is on
        another scale than all others; rows are plainly cell lines; no name of an annotation
        matches, or one occurs twice; a parameter has no such value or does not go with `layout`.

    Warns
    -----
    UserWarning
        Some drugs or cell lines have no annotation, or something was passed over (``notes``).

    Examples
    --------
    >>> import tempfile, pathlib, rtdmf_bio.io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "auc.csv")
    ...     _ = path.write_text("drug,A375,HeLa\nDabrafenib,0.04,0.98\nPaclitaxel,,0.31\n")
    ...     adata = rtdmf_bio.io.read_table(path)
    >>> adata.to_df()
    cell_line   A375  HeLa
    drug
    Dabrafenib  0.04  0.98
    Paclitaxel   NaN  0.31
    """
    options = {name: value for name, value in locals().items() if name != "path"}
    from ._cells import open_table

    check_options(options)
    table = open_table(path, sep=sep, encoding=encoding, sheet=sheet, skip_rows=skip_rows)
    try:
        adata = matrix_from(table, options)
    except ValueError as error:
        from ._read import recognise

        form = recognise(path, options) if layout == "wide" and drugs is drug is None else None
        if form is None:
            raise
        raise ValueError(
            f"{error} It looks like {form.title}, which rtdmf_bio.io.read({str(path)!r}) knows."
        ) from None
    if table.notes:
        warnings.warn(f"{path}: {'; '.join(table.notes)}.", UserWarning, stacklevel=2)
    return adata


OPTIONS: dict[str, Any] = {
    name: parameter.default
    for name, parameter in inspect.signature(read_table).parameters.items()
    if name != "path"
}
"""The options of `read_table` and their defaults."""


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options of `read_table` that have no meaning, or none together."""
    from ..model.checks import check_choice, check_number

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
    if layout == "wide" and options["where"]:
        raise ValueError("The parameter where is for long tables. Pass layout='long'.")
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
    from ._missing import Missing

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
    from . import _matrix

    adata = _matrix.assemble(
        *(pairs, options["aggregate"], table.path, options["censored"], table.notes)
    )
    for axis, found, what in (("obs", of_drugs, "drugs"), ("var", of_lines, "cell lines")):
        own = getattr(adata, axis)
        found = found.reindex(own.index)
        for name in found.columns.difference(own.columns, sort=False):
            own[name] = found[name].to_numpy()
        given = options[axis]
        if given is not None:
            joined = _matrix.annotate(own, given, what, options[f"{axis}_key"])
            for name in own.columns.difference(joined.columns, sort=False):
                joined[name] = own[name]
            setattr(adata, axis, joined)
    if options["measure"] is not None:
        adata.uns["measure"] = dict(options["measure"])
    if table.notes:
        adata.uns["read_table"] = {**adata.uns.get("read_table", {}), "notes": list(table.notes)}
    return adata.T if options["transpose"] else adata


def _wide(table: Table, missing: Any, options: Mapping[str, Any], how: dict[str, Any]) -> Any:
    """Measurements of a wide table, and annotation of its drugs and of its lines."""
    from .._adata.names import DRUG_COLUMNS, LINE_COLUMNS, normalised
    from ..model.checks import name_some
    from ._matrix import typed, wide_pairs
    from ._wide import read_wide, way_round

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


def _long(table: Table, missing: Any, options: Mapping[str, Any], how: dict[str, Any]) -> Any:
    """Measurements of a long table, and annotation of its drugs and of its lines."""
    from ._long import annotation_of, describe_difference, read_long
    from ._matrix import long_pairs, typed

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


def write_table(
    adata: AnnData,
    path: PathLike,
    *,
    layer: str | None = None,
    drugs: Literal["rows", "columns"] = "rows",
    overwrite: bool = True,
) -> None:
    """Write one matrix of `adata` as a wide table, whole or not at all.

    `read_table` reads it back with the same names, in the same order, to the same float of the
    type of the matrix. The file is put in place as by `write_h5ad`.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``).
    path
        File named as one of `TABLE_SUFFIXES`, which sets the format.
    layer
        The layer to write; None or ``"X"``: ``X``.
    drugs
        Whether the drugs become rows, with the cell lines in the header, or columns.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    TypeError
        `adata` is not an AnnData.
    ValueError
        `adata` has no such layer, or names twice; the file name has another ending.
    ImportError
        The file is to be parquet and pyarrow is not installed.
    FileExistsError, FileNotFoundError, PermissionError
        As for `write_h5ad`.
    """
    from anndata import AnnData

    from .._adata.inputs import resolve_layer
    from ..model.checks import check_choice

    if not isinstance(adata, AnnData):
        raise TypeError(f"write_table writes an AnnData. Got {type(adata).__name__} instead.")
    check_choice("drugs", drugs, ("rows", "columns"))
    kind = file_kind(path)
    if kind == "parquet":
        import_parquet()
    layer = resolve_layer(adata, layer)
    for what, names in (("drugs", adata.obs_names), ("cell lines", adata.var_names)):
        if names.has_duplicates:
            twice = names[names.duplicated()].unique().tolist()
            raise ValueError(f"The {what} {twice[:3]} are named twice. Make the names unique.")

    frame = adata.to_df(None if layer == "X" else layer)
    frame = frame.rename_axis(index=adata.obs_names.name or "drug")
    if drugs == "columns":
        frame = frame.T.rename_axis(index=adata.var_names.name or "cell_line")
    frame = frame.rename_axis(columns=None)
    with replacing(path, overwrite=overwrite) as temporary:
        if kind == "parquet":
            frame.reset_index().to_parquet(temporary, engine="pyarrow", index=False)
        else:
            with open_for_writing(temporary, packed=is_gzip(path)) as file:
                frame.to_csv(file, sep=SEPARATORS[kind])
