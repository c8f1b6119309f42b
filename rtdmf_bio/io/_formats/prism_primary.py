"""PRISM primary screen: log2 fold change by Broad id and model, with its list of compounds."""

from collections.abc import Mapping
from typing import Any

from anndata import AnnData

from ..._adata.names import DRUG_IDS, LINE_IDS, id_kind
from .._format import Format, join_beside
from .._source import Source
from .depmap import read_models

_COMPOUNDS = (("compound_list", "treatment-info", "treatment_info", "treatment_meta"),
              ("IDs", "column_name", "broad_id"))  # fmt: skip


def _sniff(source: Source) -> bool:
    down, across = source.axes
    return "auc" not in source.path.name.lower() and any(
        id_kind(lines, LINE_IDS) == "depmap_id" and id_kind(drugs, DRUG_IDS) == "broad_id"
        for lines, drugs in ((down, across), (across, down))
    )


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    adata = read_models(source, options, "log_fold_change")
    if options["obs"] is None:
        join_beside(adata, source, "obs", *_COMPOUNDS)
        for name in ("Drug.Name", "name"):
            if name in adata.obs and "drug_name" not in adata.obs:
                adata.obs = adata.obs.rename(columns={name: "drug_name"})
    return adata


FORMAT = Format("prism_primary", "PRISM primary screen", _sniff, _read)
