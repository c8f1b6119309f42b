"""CTRPv2: curves after quality control, with the tables of experiments, lines and compounds."""

from collections.abc import Mapping
from typing import Any

from anndata import AnnData

from .._cells import FrameTable, Table, open_table
from .._format import Format, LongFormat
from .._source import Source

_TABLE = LongFormat(
    drug="cpd_name",
    line="ccl_name",
    measures={"area_under_curve": "auc_ctrp", "apparent_ec50_umol": "ec50"},
    ids={"broad_cpd_id": "broad_id", "master_cpd_id": "master_cpd_id",
         "master_ccl_id": "master_ccl_id"},
    tissue=("ccle_primary_site",),
    repeats="mean",
)  # fmt: skip
_CURVES = "curves_post_qc"
_PARTS = {
    "per_experiment": "experiment_id",
    "per_cell_line": "master_ccl_id",
    "per_compound": "master_cpd_id",
}


def _sniff(source: Source) -> bool:
    if source.kind == "folder":
        return bool(source.beside(_CURVES))
    return source.has("experiment_id", "area_under_curve", "master_cpd_id")


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    curves = source.path if source.kind == "table" else _one(source, _CURVES)
    table = open_table(curves)
    frame = table.frame()
    for part, key in _PARTS.items():
        other = open_table(_one(source, part)).frame()
        # Experiments have a row for each run; what identifies the line is the same in all.
        other = other[~other[key].duplicated()]
        new = [key, *other.columns.difference(frame.columns, sort=False)]
        if part == "per_experiment":
            new = ["experiment_id", "master_ccl_id"]
        frame = frame.merge(other[new], on=key, how="left", validate="many_to_one")
    joined: Table = FrameTable(source.path, frame)
    joined.notes = table.notes
    return _TABLE.read(Source(curves, options).with_table(joined), options)


def _one(source: Source, word: str) -> Any:
    found = source.beside(word)
    if len(found) != 1:
        raise ValueError(
            f"{source.path} is part of CTRPv2, whose tables belong in one folder: curves_post_qc, "
            f"per_experiment, per_cell_line and per_compound. There are {len(found)} files with "
            f"{word!r} in their names."
        )
    return found[0]


FORMAT = Format("ctrpv2", "CTRPv2 curves", _sniff, _read)
