"""DepMap matrices: models (``ACH-``) by drugs or genes, plain or as a custom download.

A custom download has columns of names and lineages to the left of the values. What is measured is
told by the name of the file, which DepMap gives; names such as ``DABRAFENIB (CTRP:375)`` and
``A1BG (1)`` tell identifiers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData

from ..._adata.measure import as_measure, measure_of
from ..._adata.names import LINE_IDS, id_kind
from .._finish import with_ids
from .._format import Format, join_beside, name_said, read_wide_format
from .._source import Source

# The first that is in the name of the file.
_SAID = {
    "geneeffect": "gene_effect",
    "log2auc": "log2_auc",
    "log2ic50": "log2_ic50",
    "log2viability": "log_fold_change",
    "logfoldchange": "log_fold_change",
    "lfc": "log_fold_change",
    "extendedprimarydatamatrix": "log_fold_change",
    "auc": "auc",
}
_MODELS = (("model", "sample_info", "cell-line-info", "cell_line_info"),
           ("ModelID", "DepMap_ID", "depmap_id", "row_name"))  # fmt: skip
_ABOVE = 1.5  # an area over doses, not a fraction


def _sniff(source: Source) -> bool:
    return "depmap_id" in [id_kind(names, LINE_IDS) for names in source.axes]


def read_models(source: Source, options: Mapping[str, Any], kind: str | None = None) -> AnnData:
    """Read a matrix of which one axis is DepMap's models, with Model.csv if it lies beside."""
    across = id_kind(source.axes[1], LINE_IDS) == "depmap_id"
    adata = read_wide_format(source, options, drugs="rows" if across else "columns")
    with_ids(adata)
    if options["var"] is None and "tissue" not in adata.var:
        join_beside(adata, source, "var", *_MODELS)
    if not measure_of(adata):
        said = kind or next((k for word, k in _SAID.items() if word in name_said(source)), None)
        said = said or ("gene_effect" if "gene" in adata.obs else None)
        if said is None and "ctrp_id" in adata.obs:
            said = "auc"  # of CTRP there is nothing else
        if said == "auc" and np.nanmax(adata.X) > _ABOVE:
            said = "auc_ctrp" if "ctrp_id" in adata.obs else "auc_prism"
        if said is not None:
            adata.uns["measure"] = as_measure(said)
    return adata


FORMAT = Format("depmap", "DepMap matrix", _sniff, read_models)
