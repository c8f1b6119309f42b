"""Response tables of DrEvalPy (GDSC1, GDSC2, CCLE, CTRPv1, CTRPv2, ...)."""

from .._format import Format, LongFormat

_TABLE = LongFormat(
    drug="drug_name",
    line="cell_line_name",
    measures={
        "LN_IC50_curvecurator": "ln_ic50", "LN_IC50": "ln_ic50",
        "AUC_curvecurator": "auc", "AUC": "auc",
    },
    needs=("pubchem_id",),
    drug_or="pubchem_id",
    ids={"pubchem_id": "pubchem_cid", "cellosaurus_id": "cellosaurus_id", "tissue": "tissue"},
    tissue=("tissue",),
    apart=("pubchem_id",),
)  # fmt: skip
FORMAT = Format("drevalpy", "DrEvalPy response table", _TABLE.sniff, _TABLE.read)
