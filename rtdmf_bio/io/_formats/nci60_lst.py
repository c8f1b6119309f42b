"""NCI-60 growth inhibition, the older file (CANCER60GI50.LST), with -log10 GI50."""

from .._format import Format, LongFormat

_TABLE = LongFormat(
    drug="NSC",
    line="CELL",
    measures={"NLOGGI50": "pic50"},
    needs=("CONCUNIT", "PANEL"),
    tissue=("PANEL",),
    apart=("CONCUNIT",),
    repeats="mean",
)
FORMAT = Format("nci60_lst", "NCI-60 GI50, older file", _TABLE.sniff, _TABLE.read)
