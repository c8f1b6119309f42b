"""gCSI growth-rate metrics (gCSI_GRmetrics_v1.3 and similar)."""

from .._format import Format, LongFormat

_TABLE = LongFormat(
    drug="DrugName",
    line="CellLineName",
    measures={"GR_AOC": "gr_aoc", "meanviability": "viability", "GR50": "gr50"},
    needs=("GR_AOC",),
    tissue=("PrimaryTissue",),
    ids={"PrimaryTissue": "tissue"},
    repeats="mean",
)
FORMAT = Format("gcsi", "gCSI growth-rate metrics", _TABLE.sniff, _TABLE.read)
