"""The formats that `read` knows, each in a file of its own, in the order they are tried in."""

from .._format import Format
from . import (
    anndata_files,
    ccle_np24,
    coderdata,
    ctrpv2,
    depmap,
    depmap_r,
    drevalpy,
    gcsi,
    gdsc_anova,
    gdsc_fitted,
    gdsc_web,
    nci60,
    nci60_lst,
    oncopredict,
    prism_lfc,
    prism_oncref,
    prism_primary,
    prism_secondary,
    refused,
    table,
)

FORMATS: list[Format] = [
    module.FORMAT
    for module in (
        nci60,
        nci60_lst,
        gdsc_web,
        gdsc_fitted,
        prism_secondary,
        prism_lfc,
        ccle_np24,
        gcsi,
        drevalpy,
        depmap_r,
        coderdata,
        ctrpv2,
        refused,
        gdsc_anova,
        oncopredict,
        prism_primary,
        prism_oncref,
        depmap,
        anndata_files,
        table,
    )
]
