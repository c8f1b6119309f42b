"""GDSC fitted dose response, as cancerrxgene.org distributes it (csv and xlsx, GDSC1 and GDSC2)."""

from .._format import Format, LongFormat

_TABLE = LongFormat(
    drug="DRUG_NAME",
    line="CELL_LINE_NAME",
    measures={"AUC": "auc", "LN_IC50": "ln_ic50"},
    needs=("DRUG_ID", "COSMIC_ID"),
    ids={"DRUG_ID": "drug_id", "COSMIC_ID": "cosmic_id", "SANGER_MODEL_ID": "sanger_id"},
    tissue=("TCGA_DESC",),
    apart=("DRUG_ID", "DATASET"),
)
FORMAT = Format("gdsc_fitted", "GDSC fitted dose response", _TABLE.sniff, _TABLE.read)
