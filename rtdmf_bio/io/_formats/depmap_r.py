"""``drug_sensitivity`` of the Bioconductor package depmap: PRISM primary, one value a row."""

from .._format import Format, LongFormat

_TABLE = LongFormat(
    drug="name",
    line="cell_line",
    measures={"dependency": "log_fold_change"},
    needs=("depmap_id", "compound", "broad_id"),
    drug_or="broad_id",
    line_or="depmap_id",
    ids={"broad_id": "broad_id", "depmap_id": "depmap_id"},
    apart=("broad_id", "dose", "screen_id"),
)
FORMAT = Format("depmap_r", "drug sensitivity of R's depmap", _TABLE.sniff, _TABLE.read)
