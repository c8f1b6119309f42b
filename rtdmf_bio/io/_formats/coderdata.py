"""Experiments of CoderData: one row for each measure of a curve."""

from .._format import Format, LongFormat

# The sign of IC50 and EC50 differs between releases, dss has a scale of its own, and what describes
# the curve (fit_r2, fit_hs, ...) is no response.
_TABLE = LongFormat(
    drug="improve_drug_id",
    line="improve_sample_id",
    measures={"fit_auc": "auc", "auc": "auc", "aac": "aac"},
    ids={"improve_drug_id": "improve_drug_id", "improve_sample_id": "improve_sample_id"},
    metric="dose_response_metric",
    value="dose_response_value",
    apart=("study", "source", "time"),
)
FORMAT = Format("coderdata", "CoderData experiments", _TABLE.sniff, _TABLE.read)
