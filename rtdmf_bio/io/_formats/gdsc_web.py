"""Tables that the GDSC web site exports, by drug, tissue or line (PANCANCER_IC50 and the like)."""

from .._format import Format, LongFormat

# The column called IC50 holds logarithms there.
_TABLE = LongFormat(
    drug="Drug Name",
    line="Cell Line Name",
    measures={"AUC": "auc", "IC50": "ln_ic50"},
    needs=("Drug ID", "TCGA Classification", "Tissue"),
    ids={"Drug ID": "drug_id", "Cosmic ID": "cosmic_id", "Cosmic sample Id": "cosmic_id"},
    tissue=("Tissue", "TCGA Classification"),
    apart=("Drug ID", "Dataset Version"),
)
FORMAT = Format("gdsc_web", "GDSC web export", _TABLE.sniff, _TABLE.read)
