"""PRISM primary screen as a long table (LFC_COLLAPSED): one row for a profile of a line."""

from collections.abc import Mapping
from typing import Any

from anndata import AnnData

from .._cells import FrameTable
from .._format import Format, LongFormat
from .._source import Source

_TABLE = LongFormat(
    drug="broad_id",
    line="depmap_id",
    measures={"LFC": "log_fold_change"},
    ids={"broad_id": "broad_id", "depmap_id": "depmap_id"},
    repeats="mean",
    drop_unnamed=True,
)


def _sniff(source: Source) -> bool:
    return source.has("row_id", "broad_id", "LFC")


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    frame = source.table.frame()
    row, drug = source.columns["rowid"], source.columns["broadid"]
    # A line is in several pools: ACH-000001::PR500A.
    frame = frame.assign(depmap_id=frame[row].str.split("::").str[0])
    failed = frame[drug].str.contains("fail", case=False, na=False)
    if failed.any():
        source.table.note(f"left out {failed.sum()} rows of compounds that failed")
    table = FrameTable(source.path, frame[~failed].reset_index(drop=True))
    table.notes = source.table.notes
    return _TABLE.read(source.with_table(table), options)


FORMAT = Format("prism_lfc", "PRISM primary profiles", _sniff, _read)
