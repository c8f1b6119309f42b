"""AnnData in h5ad and zarr, as this package or any other writes it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData

from ...model.checks import counted_numbers
from .._finish import with_options
from .._format import Format
from .._source import Source


def _sniff(source: Source) -> bool:
    return source.kind in ("h5ad", "zarr")


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    import anndata

    reader = anndata.read_h5ad if source.kind == "h5ad" else anndata.read_zarr
    try:
        adata = reader(source.path)
    except ImportError:
        raise
    except Exception as error:  # HDF5, zarr and anndata each have their own
        raise ValueError(
            f"{source.path} cannot be read as an AnnData ({type(error).__name__}: {error})."
        ) from None
    _whole_numbers(adata)
    return with_options(adata, source, options)


def _whole_numbers(adata: AnnData) -> None:
    """Read R's NA among whole numbers as missing, and count it."""
    if not isinstance(adata.X, np.ndarray) or adata.X.dtype.kind != "i":
        return
    values, n = counted_numbers(adata.X)
    if n:
        adata.X = values
        said = f"{n} entries are the smallest whole number, R's NA: missing"
        adata.uns["read_table"] = {"notes": [said]}


FORMAT = Format("anndata", "AnnData", _sniff, _read)
