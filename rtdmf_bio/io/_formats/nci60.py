"""NCI-60 growth inhibition, as the Developmental Therapeutics Program distributes it (GI50)."""

from .._format import Format, LongFormat

# A compound was tested in several experiments, and in several ranges of doses.
_TABLE = LongFormat(
    drug="NSC",
    line="CELL_NAME",
    measures={"AVERAGE": "log10_gi50"},
    needs=("EXPID", "PANEL_NAME", "CONCENTRATION_UNIT"),
    tissue=("PANEL_NAME",),
    apart=("CONCENTRATION_UNIT",),
    repeats="mean",
)
FORMAT = Format("nci60", "NCI-60 GI50", _TABLE.sniff, _TABLE.read)
