"""Drug-response tables: text or parquet to AnnData and back.

Only the interface is here, so that importing it costs nothing; `_formats` tells what a file is by
its name, `_cells` turns files into names and numbers, with `_missing` to tell which are none, and
`_matrix` turns those into a matrix.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .._atomic import replacing
from ._formats import SEPARATORS, file_kind, import_parquet, is_gzip, open_for_writing

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

PathLike: TypeAlias = "str | os.PathLike[str]"
Aggregate: TypeAlias = Literal["mean", "median", "min", "max", "first", "last"]


def read_table(
    path: PathLike,
    *,
    layout: Literal["wide", "long"] = "wide",
    drugs: Literal["rows", "columns"] | None = None,
    drug: str | None = None,
    cell_line: str | None = None,
    value: str | Iterable[str] | None = None,
    sep: str | None = None,
    na_values: str | float | Iterable[str | float] = (),
    aggregate: Aggregate | None = None,
    obs: PathLike | pd.DataFrame | None = None,
    var: PathLike | pd.DataFrame | None = None,
    measure: Mapping[str, Any] | None = None,
) -> AnnData:
    r"""Read a table of drug response into an AnnData of drugs x cell lines.

    A wide table has one drug a row (or a column), the drug names in its first column and the
    cell lines in its header. A long table has one measurement a row. Drugs and lines keep the order
    of the file. Spaces around names are dropped, and so are blank rows. Infinite values are kept.

    Parameters
    ----------
    path
        File named as one of `TABLE_SUFFIXES`: comma- or tab-separated UTF-8 text, also gzipped, or
        parquet (``pip install rtdmf-bio[parquet]``, which also speeds up large texts). A header
        without a name for the first column, as R's ``write.table`` writes it, is understood.
    layout
        Whether the table is wide or long.
    drugs
        Wide only: whether the drugs are the rows (the default) or the columns.
    drug, cell_line
        Long only: the columns with the names; ``"drug"`` and ``"cell_line"`` by default.
    value
        Long only: the column with the measurements, ``"value"`` by default. Of several the first
        becomes ``X`` and the others become layers of that name.
    sep
        Separator of a text file, where its name does not tell.
    na_values
        Cells that mean "not measured", besides blank, ``NA``, ``N/A``, ``NaN``, ``null``, ``None``
        and their variants. Numbers are compared as numbers: -999 is -999.0.
    aggregate
        How to combine replicates, pairs of drug and line that occur more than once; a drug or line
        named twice in a wide table makes replicates, too. Unmeasured replicates are left out, and
        ``"first"`` and ``"last"`` follow the order of the file. By default replicates are an error.
    obs, var
        Annotation of the drugs and of the cell lines, such as tissue: a table, or a file like
        `path`, whose index or first column holds the names. It is joined by name; rows about
        others are left out.
    measure
        What the values are, stored in ``uns["measure"]``, such as ``{"name": "auc",
        "higher_is": "resistant", "bounds": [0, 1]}``.

    Returns
    -------
    AnnData, drugs (``obs``) x cell lines (``var``), with

    ``X`` : float64, NaN where not measured
    ``layers[<value>]`` : float64
        Each further column of `value`.
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

    Raises
    ------
    FileNotFoundError
        A file does not exist.
    ImportError
        The file is parquet and pyarrow is not installed.
    ValueError
        The file cannot be read as a table, has no numbers, lacks a column or a name, holds text
        where numbers belong, or repeats a pair while `aggregate` is None; no name of an annotation
        matches, or one occurs twice; a parameter has no such value or does not go with `layout`.

    Warns
    -----
    UserWarning
        Some drugs or cell lines have no annotation.

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
    from ..model.checks import check_choice

    check_choice("layout", layout, ("wide", "long"))
    check_choice("drugs", drugs, (None, "rows", "columns"))
    check_choice("aggregate", aggregate, (None, "mean", "median", "min", "max", "first", "last"))
    if layout == "wide" and (drug, cell_line, value) != (None, None, None):
        raise ValueError(
            "The parameters drug, cell_line and value are for long tables. Pass layout='long'."
        )
    if layout == "long" and drugs is not None:
        raise ValueError("The parameter drugs is for wide tables. Pass drug, the column of names.")
    if measure is not None and measure.get("higher_is") not in (None, "resistant", "sensitive"):
        raise ValueError(
            f"measure['higher_is'] must be 'resistant' or 'sensitive'. "
            f"Got {measure['higher_is']!r} instead."
        )

    from . import _cells, _matrix
    from ._missing import Missing

    path = Path(path)
    missing = Missing(na_values)
    if layout == "wide":
        names, header, numbers = _cells.wide(path, sep, missing)
        pairs = _matrix.wide_pairs(names, header, numbers, transpose=drugs == "columns")
    else:
        values = [value or "value"] if value is None or isinstance(value, str) else list(value)
        if not values:
            raise ValueError("The value parameter is empty. Name the column of measurements.")
        columns = [drug or "drug", cell_line or "cell_line", *values]
        pairs = _matrix.long_pairs(*_cells.long(path, sep, missing, columns))
    adata = _matrix.assemble(pairs, aggregate, path)
    if obs is not None:
        own = adata.obs
        adata.obs = _matrix.annotate(own, obs, "drugs")
        for name in own.columns.difference(adata.obs.columns):
            adata.obs[name] = own[name]
    if var is not None:
        adata.var = _matrix.annotate(adata.var, var, "cell lines")
    if measure is not None:
        adata.uns["measure"] = dict(measure)
    return adata


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
