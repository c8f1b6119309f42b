"""PRISM oncology reference set: areas by sample (``PRC-``) and model, with its compound list."""

from collections.abc import Mapping
from typing import Any

from anndata import AnnData

from ..._adata.names import DRUG_IDS, LINE_IDS, id_kind
from .._format import Format, join_beside, name_said
from .._source import Source
from .depmap import read_models

_COMPOUNDS = (("compoundlist", "compound_list"), ("SampleID", "CompoundID"))


def _sniff(source: Source) -> bool:
    down, across = source.axes
    models = "depmap_id" in (id_kind(down, LINE_IDS), id_kind(across, LINE_IDS))
    samples = "prism_id" in (id_kind(down, DRUG_IDS), id_kind(across, DRUG_IDS))
    return models and (samples or "oncologyreference" in name_said(source))


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    adata = read_models(source, options, None)
    if options["obs"] is None:
        join_beside(adata, source, "obs", *_COMPOUNDS)
        if "CompoundName" in adata.obs:
            adata.obs = adata.obs.rename(columns={"CompoundName": "drug_name"})
    return adata


FORMAT = Format("prism_oncref", "PRISM oncology reference", _sniff, _read)
