"""GDSC's ANOVA input and gdsctools: COSMIC ids down, ``Drug_1003_IC50`` across, ln IC50 in uM."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData

from ..._adata.measure import as_measure
from ..._adata.names import normalised
from .._format import Format, read_wide_format
from .._source import Source

_DRUG = re.compile(r"Drug_(\d+)(_IC50|_AUC)?", re.IGNORECASE)


def _is_drug(name: str) -> bool:
    return _DRUG.fullmatch(name) is not None or normalised(name).startswith("unnamed")


def _sniff(source: Source) -> bool:
    drugs = [name for name in source.header if _DRUG.fullmatch(name)]
    return source.has("COSMIC_ID") and len(drugs) > len(source.header) / 2


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    cosmic = source.columns["cosmicid"]
    # Factors of the lines, such as MSI, are 0 and 1.
    others = [name for name in source.header if name not in ("", cosmic) and not _is_drug(name)]
    given = {**options, "cell_line": cosmic, "var_columns": [*options["var_columns"], *others]}
    adata = read_wide_format(source, given, drugs="columns")
    adata.obs["drug_id"] = [m[1] if (m := _DRUG.fullmatch(n)) else np.nan for n in adata.obs_names]
    adata.var["cosmic_id"] = adata.var_names.to_numpy()
    if "measure" not in adata.uns:
        area = all(name.lower().endswith("auc") for name in adata.obs_names)
        # Logarithms are negative for some; concentrations never are.
        kind = "auc" if area else "ln_ic50" if (np.asarray(adata.X) < 0).any() else "ic50"
        adata.uns["measure"] = as_measure(kind)
    return adata


FORMAT = Format("gdsc_anova", "GDSC matrix by COSMIC id", _sniff, _read)
