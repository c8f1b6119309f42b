"""CCLE pharmacologic profiles of 24 drugs (CCLE_NP24.2009_Drug_data)."""

from .._format import Format, LongFormat

_TABLE = LongFormat(
    drug="Compound",
    line="CCLE Cell Line Name",
    measures={"ActArea": "activity_area", "IC50 (uM)": "ic50", "EC50 (uM)": "ec50"},
    needs=("Primary Cell Line Name", "Amax"),
    ids={"Primary Cell Line Name": "cell_line_name", "Target": "target"},
)
FORMAT = Format("ccle_np24", "CCLE drug data (NP24)", _TABLE.sniff, _TABLE.read)
