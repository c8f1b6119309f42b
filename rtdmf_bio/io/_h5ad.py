"""Write AnnData to h5ad."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

from .._adata.columns import is_text
from .._adata.layers import named_layers
from .._atomic import replacing

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def write_h5ad(
    adata: AnnData,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = True,
    compression: Literal["gzip", "lzf"] | None = "gzip",
) -> None:
    """Write `adata` to an h5ad file, whole or not at all.

    The file is written under a temporary name in the same folder and put in place when complete.
    An error, an interrupt or a killed process leaves an older file untouched. `adata` is not
    changed: columns of text are stored as categorical, as anndata does, but stay text in memory.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``), or any other AnnData. A view is written as what it
        shows; an object backed by another file is read into memory first.
    path
        File to write. A symbolic link is followed.
    overwrite
        Whether an existing file may be replaced.
    compression
        Compression of the arrays; None is quicker and larger.

    Raises
    ------
    TypeError
        `adata` is not an AnnData.
    ValueError
        Something in `adata` cannot be stored, named by its key; or `adata` is backed by `path`.
    FileExistsError
        `path` exists and `overwrite` is False, or is a folder.
    FileNotFoundError
        The folder of `path` does not exist.
    PermissionError
        The old file or its folder is read-only.

    Examples
    --------
    >>> import tempfile, rtdmf_bio.datasets, rtdmf_bio.io
    >>> adata = rtdmf_bio.datasets.gdsc1()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rtdmf_bio.io.write_h5ad(adata, f"{folder}/gdsc1.h5ad")
    """
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        raise TypeError(f"write_h5ad writes an AnnData. Got {type(adata).__name__} instead.")
    if adata.isbacked:
        if os.path.exists(path) and os.path.samefile(adata.filename, path):
            raise ValueError(
                f"This AnnData is backed by {path} and would lose its matrix. Load it with "
                f"adata = adata.to_memory() first, or write to another file."
            )
        adata = adata.to_memory()
    elif adata.is_view:
        adata = adata.copy()
    with replacing(path, overwrite=overwrite) as temporary:
        try:
            _shell(adata).write_h5ad(temporary, compression=compression)
        except OSError:
            raise
        except Exception as error:
            key = _failed_key(error)
            if key is None:
                raise
            raise ValueError(
                f"Cannot write {path}: h5ad cannot hold what is in {key} ({error}). "
                f"Convert or remove it."
            ) from error


def _shell(adata: AnnData) -> AnnData:
    """Return an AnnData around the same arrays, whose tables anndata may convert as it writes."""
    from anndata import AnnData

    raw = adata.raw
    return AnnData(
        X=adata.X,
        obs=_storable(adata.obs),
        var=_storable(adata.var),
        uns=dict(adata.uns),
        obsm=dict(adata.obsm),
        varm=dict(adata.varm),
        obsp=dict(adata.obsp),
        varp=dict(adata.varp),
        layers=named_layers(adata),
        raw=None
        if raw is None
        else {"X": raw.X, "var": _storable(raw.var), "varm": dict(raw.varm)},
    )


def _storable(table: pd.DataFrame) -> pd.DataFrame:
    """Copy `table`. A text column without any text, as a subset may have, is no text to anndata."""
    table = table.copy()
    for name, column in table.items():
        if is_text(column) and column.isna().all():
            table[name] = column.astype("category")
    return table


def _failed_key(error: BaseException) -> str | None:
    """Find in anndata's note on `error` the element that failed, such as ``uns/rtdmf/history``."""
    for note in getattr(error, "__notes__", []):
        match = re.search(r"writing key (.+) of <class .+> to (/.*)", note)
        if match:
            key, group = match[1].strip("'\""), match[2]
            return (key if key.startswith("/") else f"{group.rstrip('/')}/{key}").lstrip("/")
    return None
