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
        UTF-8 or UTF-16 is read as Windows-1252, and that is said. ``sep="tab"`` is ``"\\t"``.
    sheet
        Name or position of the sheet of an Excel file that has several; for :func:`read` also the
        name of an object of an R file.
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
    from ._build import check_options, matrix_from
    from ._cells import open_table

    check_options(options)
    table = open_table(path, sep=sep, encoding=encoding, sheet=sheet, skip_rows=skip_rows)
    try:
        adata = matrix_from(table, options)
    except ValueError as error:
        from ._registry import recognise

        form = recognise(path, options) if layout == "wide" and drugs is drug is None else None
        if form is None:
            raise
        raise ValueError(
            f"{error} It looks like {form.title}, which rtdmf_bio.io.read({str(path)!r}) knows."
        ) from None
    if table.notes:
        warnings.warn(f"{path}: {'; '.join(table.notes)}.", UserWarning, stacklevel=2)
    return adata


def read_frame(
    path: PathLike,
    *,
    sep: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    skip_rows: int = 0,
) -> pd.DataFrame:
    """Read a table as it stands, such as one of cell lines or of drugs.

    Parameters
    ----------
    path, sep, encoding, sheet, skip_rows
        As of :func:`read_table`.

    Returns
    -------
    DataFrame, one column for each of the file, rows counted from 0
        Cells of a text stay text, those of Excel and parquet keep their types. Spaces around names
        of columns are dropped; names may repeat.

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        As of :func:`read_table`.
    """
    from ._cells import open_table

    return open_table(path, sep=sep, encoding=encoding, sheet=sheet, skip_rows=skip_rows).frame()


OPTIONS: dict[str, Any] = {
    name: parameter.default
    for name, parameter in inspect.signature(read_table).parameters.items()
    if name != "path"
}
"""The options of `read_table` and their defaults."""


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
