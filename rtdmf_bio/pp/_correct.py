"""The AnnData shell around ``RTDMF``; everything numerical is in ``rtdmf_bio.model``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._adata.inputs import check_adata, groups_of, matrix_of, replicates_of, resolve_layer
from .._adata.record import check_keys, store

if TYPE_CHECKING:
    from anndata import AnnData

    from ..model.checks import Seed


def correct(
    adata: AnnData,
    *,
    layer: str | None = None,
    key_added: str = "rtdmf",
    group_key: str | Sequence[str] | None = "tissue",
    replicate_key: str | None = None,
    preset: str = "default",
    threshold: float | str = "auto",
    retain: str | Sequence[str] | None = None,
    fdr: float = 0.05,
    group_missing: str = "error",
    infinite: str = "error",
    unmeasured: str = "error",
    device: str = "auto",
    dtype: str = "float32",
    random_state: Seed = 0,
    progress: bool = True,
    overwrite: bool = False,
    copy: bool = False,
    **model: Any,
) -> AnnData | None:
    """Correct and complete a drug-sensitivity matrix with RT-DMF.

    Splits the matrix into broad structure, high residuals and noise, keeps the high residuals
    that cluster in a group of cell lines, shrinks the rest and imputes what was not measured.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``), NaN where not measured. The direction of the
        measure is read from ``adata.uns["measure"]["higher_is"]``, ``"resistant"`` or
        ``"sensitive"``; without it the sides of the enrichment are called above and below.
    layer
        Layer to correct; None or ``"X"``: ``X``.
    key_added
        Name of what is written.
    group_key
        Column of ``adata.var``, or several, whose groups of lines are tested for enrichment, such
        as tissue, disease or subtype. None: no groups.
    replicate_key
        Column of ``adata.obs`` in which rows of the same drug, screened more than once, have the
        same label. ``shrink`` then takes the noise from their disagreement. None: from the drugs
        that act least.
    preset
        ``"default"`` or ``"paper"`` (Algorithm 1 as published); see :class:`rtdmf_bio.RTDMF`.
    threshold
        Residuals of at least this size are high, in the measure's unit. ``"auto"``: chosen from
        held-out entries, where noise and a large deviation are equally likely.
    retain
        Which high residuals are kept: ``"enriched"``, ``"shrink"``, ``"all"``, ``"soft"``,
        ``"abrupt"``, ``"none"``, or several. None: enriched and shrink; without groups, shrink.
    fdr
        False discovery rate at which a group counts as enriched.
    group_missing
        Lines without a group: ``"error"``, or ``"ignore"`` to leave them out of the tests.
    infinite
        Infinite entries: ``"error"``, ``"nan"`` (not measured) or ``"clip"`` to the finite range.
    unmeasured
        Drugs or lines without any measurement: ``"error"``, or ``"nan"`` to carry them along.
    device, dtype
        Where and in what precision to compute.
    random_state
        Seed of the hold-out; a NumPy Generator or RandomState to draw it from; or None for
        any. It is stored.
    progress
        Show a progress bar on a terminal.
    overwrite
        Replace results already stored under ``key_added``.
    copy
        Return a corrected copy instead of writing to ``adata``.
    **model
        Any other parameter of :class:`rtdmf_bio.RTDMF`, such as ``depth``, ``loss``,
        ``weight_decay``, or ``specific_weight``: its default serves comparison between
        laboratories, 1 is closer to a repeat of the same screen.

    Returns
    -------
    None, or the copy. Written are, and nothing else is touched:

    ``layers["rtdmf"]`` : array (n drugs, p lines), dtype of the input
        Corrected on measured entries, imputed on the others.
    ``layers["rtdmf_residual"]`` : array (n, p), dtype of the input
        Measurement minus broad structure, NaN where not measured.
    ``layers["rtdmf_flag"]`` : int8 array (n, p)
        0 imputed, 1 measured and corrected, 2 high residual not retained, 3 high and retained.
    ``layers["rtdmf_specific"]`` : array (n, p), dtype of the input
        What is particular to a drug: denoised and completed, not weighed, without the general part.
    ``obs["rtdmf_n_retained"]``, ``obs["rtdmf_n_imputed"]`` : int32, and the same in ``var``
        Counts of flags 3 and 0.
    ``obs["rtdmf_level"]``, ``obs["rtdmf_slope"]``, ``var["rtdmf_sensitivity"]`` : float64
        The general part is level + slope x general sensitivity of the line. The sign of the latter
        is the measure's: of an AUC, positive lines are the resistant ones.
    ``obs["rtdmf_reliability"]`` : float64
        Share kept of what the other drugs do not predict; NaN without ``shrink``.
    ``obs["rtdmf_noise_sd"]`` : float64
        Standard deviation of the noise of a drug, in the unit of the measure.
    ``obsm["rtdmf_factors"]``, ``varm["rtdmf_factors"]`` : float64 (n, r), (p, r)
        The chain beside drug and line effects as r modes, largest first: loadings of the drugs in
        the measure's unit, scores of the lines of mean square 1. Their product is the chain.
    ``uns["rtdmf"]`` : dict
        Parameters, threshold and how it was chosen, noise, held-out error beside that of trivial
        predictions, loss curve, worst end of all ``fits`` and their table, values that measurements
        pile up at (``pile_ups``), enrichment table, versions and device.

    Raises
    ------
    TypeError, ValueError
        If the data or a parameter cannot be used. ``adata`` is then as it was, as it is after an
        interruption.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()[:60, :200].copy()
    >>> rt.pp.correct(adata, progress=False)
    >>> adata.layers["rtdmf"].shape
    (60, 200)
    """
    from ..model.estimator import RTDMF
    from ..model.settings import check_names

    check_adata(adata)
    layer = resolve_layer(adata, layer)
    data = matrix_of(adata, layer)
    check_keys(adata, key_added, overwrite)
    groups = groups_of(adata, group_key)
    replicates = None if replicate_key is None else replicates_of(adata, replicate_key)
    estimator = RTDMF(
        preset=preset,
        threshold=threshold,
        retain=retain if retain is None or isinstance(retain, str) else tuple(retain),
        fdr=fdr,
        group_missing=group_missing,
        infinite=infinite,
        unmeasured=unmeasured,
        device=device,
        dtype=dtype,
        random_state=random_state,
        progress=progress,
    )
    check_names(model, estimator.get_params(), "correct() got", "its own and those of RTDMF")
    estimator.set_params(**model)
    estimator.fit(
        data,
        groups=groups,
        replicates=replicates,
        drug_names=adata.obs_names,
        line_names=adata.var_names,
    )
    out = adata.copy() if copy else adata
    store(out, estimator, data, key_added, layer, list(groups or {}), replicate_key)
    return out if copy else None
