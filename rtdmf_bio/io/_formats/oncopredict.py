"""Matrices of oncoPredict: ``COSMIC_906826`` by ``Paclitaxel_1080``, ln IC50 in uM."""

from collections.abc import Mapping
from typing import Any

from anndata import AnnData

from ..._adata.measure import as_measure
from ..._adata.names import LINE_IDS, id_kind
from .._finish import NUMBERED
from .._format import Format, read_wide_format
from .._source import Source


def _sniff(source: Source) -> bool:
    down, across = source.axes
    return any(
        id_kind(lines, LINE_IDS) == "cosmic_id"
        and sum(bool(NUMBERED.fullmatch(drug)) for drug in drugs) > len(drugs) / 2
        for lines, drugs in ((down, across), (across, down))
    )


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    across = id_kind(source.axes[1], LINE_IDS) == "cosmic_id"
    adata = read_wide_format(source, options, drugs="rows" if across else "columns")
    if "measure" not in adata.uns:
        # Logarithms are negative for some; concentrations never are.
        adata.uns["measure"] = as_measure("ln_ic50" if (adata.X < 0).any() else "ic50")
    return adata


FORMAT = Format("oncopredict", "oncoPredict matrix", _sniff, _read)
