"""The enrichment table of a correction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._adata.record import KEY, stored

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def enrichment(adata: AnnData, *, key: str = KEY, fdr: float | None = None) -> pd.DataFrame:
    """Groups of cell lines in which a drug's high residuals cluster, most significant first.

    Parameters
    ----------
    adata
        Corrected by :func:`rtdmf_bio.pp.correct` with a ``group_key``.
    key
        Its ``key_added``.
    fdr
        Keep rows with a q value of at most this.

    Returns
    -------
    Table, one row per drug x group x side tested:

    ``drug``, ``group_key``, ``group``, ``side``
        What was tested; the side is resistant or sensitive (above or below, if the direction of
        the measure is not known).
    ``n_high_group``, ``n_high``, ``n_group``, ``n_tested``
        Lines with a high residual on this side within the group, and in all; lines of the group
        measured with the drug, and of all groups.
    ``odds_ratio``, ``pvalue``, ``qvalue``
        One-sided Fisher test, Benjamini-Hochberg over all rows.

    Raises
    ------
    ValueError
        If there is no such result, or it was made without groups.
    """
    result = stored(adata, key)
    if "enrichment" not in result:
        raise ValueError(
            f"uns[{key!r}] holds no enrichment: the correction ran without groups. Run "
            f"rtdmf_bio.pp.correct with group_key=, one of {list(adata.var.columns)}."
        )
    table = result["enrichment"]
    if fdr is not None:
        table = table[table["qvalue"] <= fdr]
    return table.reset_index(drop=True)
