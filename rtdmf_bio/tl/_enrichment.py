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
        Keep rows with a ``qvalue`` of at most this.

    Returns
    -------
    Table, one row per drug x group x side tested:

    ``drug``, ``group_key``, ``group``, ``side``
        What was tested; the side is resistant or sensitive (above or below, if the direction of
        the measure is not known).
    ``n_high_group``, ``n_expected``, ``n_high``, ``n_group``, ``n_tested``
        Lines with a high residual on this side within the group; how many there would be if each
        line were high with this drug as often as it is with any; lines with a high residual in
        all; lines of the group measured with the drug, and of all groups.
    ``odds_ratio``
        Of these counts as they are; NaN where no line is high, or every one.
    ``pvalue``, ``qvalue``
        Probability of as many high lines in the group, or more, given how many the drug has and
        how often each line is high; one-sided. Benjamini-Hochberg over all rows in which it could
        be below 1: where no line is high, or every one, both are 1. What is retained goes by this
        one. (Fisher's test, which this was before, takes all lines for alike: a tissue whose
        lines are noisy, or tender, is enriched by it with many drugs.)
    ``rank_pvalue``, ``rank_qvalue``
        The same question without a threshold: do the residuals of the group's lines, each in
        units of the line's mean size on this side, rank further out among those of the drug?
        Savage scores, one-sided; Benjamini-Hochberg over all rows. It sees groups in which many
        lines deviate a little, and those of drugs that have no high residual; shared structure
        that the fit has left is among them, so that fewer repeat in another screen.

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
