"""PRISM secondary screen, dose-response curve parameters (19Q4 and later)."""

from .._format import Format, LongFormat

# Rows of batches of cells that failed their quality checks have no line.
_TABLE = LongFormat(
    drug="name",
    line="ccle_name",
    measures={"auc": "auc_prism", "ic50": "ic50"},
    needs=("broad_id", "depmap_id", "screen_id"),
    drug_or="broad_id",
    line_or="depmap_id",
    ids={"broad_id": "broad_id", "depmap_id": "depmap_id"},
    apart=("broad_id", "screen_id"),
    drop_unnamed=True,
)
FORMAT = Format("prism_secondary", "PRISM secondary curve parameters", _TABLE.sniff, _TABLE.read)
