"""Where the values of a matrix go in a PharmacoSet, whether it takes them, and keeps them whole."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from .slots import PSet


def check_source(adata: AnnData, pset: PSet, measure_name: str, before: Any = None) -> None:
    """Refuse a measure that `pset` cannot take; `before` are the experiments as once read."""
    from .._nodes.node import columns
    from .long_table import is_key
    from .measures import FLAG

    if not measure_name.isprintable() or not measure_name or is_key(measure_name):
        raise ValueError(f"{measure_name!r} cannot be the name of a measure. Pass measure_name.")
    if measure_name.endswith(FLAG) and measure_name.removesuffix(FLAG) in pset.measures:
        raise ValueError(
            f"{measure_name!r} is the name for flags of another measure. Pass another measure_name."
        )
    there = columns(pset.profiles)
    for column in (measure_name, measure_name + FLAG):
        if column in there:
            raise ValueError(
                f"{pset.label} already has a measure {column!r}. Pass another measure_name."
            )
    for what, ours, theirs in (
        ("drugs", adata.obs_names, pset.treatment.index),
        ("cell lines", adata.var_names, pset.sample.index),
    ):
        if not ours.isin(theirs).any():
            raise ValueError(
                f"None of the {what} ({', '.join(map(str, ours[:3]))}, ...) is in {pset.label} "
                f"({', '.join(theirs[:3])}, ...). Pass the PharmacoSet the data were read from."
            )
    if before is not None:
        keys = ["treatmentid", "sampleid"]
        if not set(keys) <= set(getattr(before, "columns", ())):
            raise ValueError(
                f"uns['pset']['experiments'] is no table with the columns {keys}, as read_pset "
                "left it. Read the data anew, or delete uns['pset'] to place the values by name "
                "alone."
            )
        old, new = (frame[keys].astype(object).to_numpy() for frame in (before, pset.rows))
        if old.shape != new.shape or not _same(old, new):
            raise ValueError(
                f"{pset.label} has other experiments than the PharmacoSet these data were read "
                f"from ({len(new)} rows, {len(old)} then). Pass the file they were read from, or "
                "delete uns['pset'] to place the values by name alone."
            )


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    import pandas as pd

    return bool(((a == b) | (pd.isna(a) & pd.isna(b))).all())


def place(
    matrix: pd.DataFrame, flags: pd.DataFrame | None, pset: PSet, measure_name: str
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Columns of value and flag by row of the profiles, and the values that no row can hold."""
    import numpy as np
    import pandas as pd

    from .measures import FLAG

    drug = matrix.index.get_indexer(pd.Index(pset.rows["treatmentid"], dtype=object))
    line = matrix.columns.get_indexer(pd.Index(pset.rows["sampleid"], dtype=object))
    placed = (drug >= 0) & (line >= 0)
    values = np.full(len(drug), np.nan)
    values[placed] = matrix.to_numpy()[drug[placed], line[placed]]
    columns: dict[str, Any] = {measure_name: values}
    if flags is not None:
        flag = pd.array(np.zeros(len(drug), dtype=np.int32), dtype="Int32")
        flag[placed] = flags.to_numpy()[drug[placed], line[placed]].astype(np.int32)
        flag[~placed] = pd.NA
        columns[measure_name + FLAG] = flag
    lonely = matrix.to_numpy(copy=True)
    lonely[drug[placed], line[placed]] = np.nan
    return columns, pd.DataFrame(lonely, index=matrix.index, columns=matrix.columns)


def by_row(pset: PSet, columns: dict[str, Any]) -> pd.DataFrame:
    """Ids and new columns of each row of the profiles."""
    import pandas as pd

    table = pd.concat([pset.rows, pd.DataFrame(columns, index=pset.rows.index)], axis=1)
    # Doses have one name for several rows, which R does not allow.
    return table.reset_index(drop=True) if table.index.has_duplicates else table


def note(meaning: dict[str, Any]) -> dict[str, Any]:
    """Say what the new measure is, for whoever opens the file."""
    from rtdmf_bio import __version__

    from .measures import usable

    return {
        "by": f"rtdmf_bio {__version__}",
        "corrected_from": str(meaning.get("name", "")),
        **usable(meaning),
    }


def is_whole(file: Path) -> bool:
    """Whether a packed file ends where it should: R says nothing where the last finds no room."""
    try:
        with gzip.open(file) as packed:
            size = 0
            while part := packed.read(1 << 20):
                size += len(part)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False
    return size > 0
