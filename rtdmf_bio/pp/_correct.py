"""The AnnData shell around ``RTDMF``; everything numerical is in ``rtdmf_bio.model``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._adata.inputs import (
    REPLICATE_SD,
    censored_name,
    censored_of,
    check_adata,
    groups_of,
    matrix_of,
    noise_of,
    replicates_of,
    resolve_layer,
)
from .._adata.meaning import check_meaning
from .._adata.record import check_keys, store
from ._logs import logarithms

if TYPE_CHECKING:
    from anndata import AnnData

    from ..model.checks import Seed


def correct(
    adata: AnnData,
    *,
    layer: str | None = None,
    key_added: str = "rtdmf",
    group_key: str | Sequence[str] | None = "tissue",
    replicate_key: str | Sequence[str] | None = None,
    noise_sd: float | str | Sequence[float] | None = None,
    concentration: str = "error",
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

    The corrected value is an estimate of what an error-free experiment would have given. Every
    entry is predicted from the others by fits that have not seen it; a measurement is drawn
    towards this prediction as far as the noise of its drug asks for, and not at all where it
    cannot gain. High residuals that cluster in a group of cell lines are kept. What was not
    measured is imputed.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``), NaN where not measured. The direction of the
        measure is read from ``adata.uns["measure"]["higher_is"]``, ``"resistant"`` or
        ``"sensitive"``; without it the sides of the enrichment are called above and below.
        ``layers["censored"]`` beside ``X``, or ``layers["<layer>_censored"]``, marks values that
        are bounds, such as ">8": 1 where the true value is at or above the one stored, -1 where at
        or below, 0 elsewhere.
    layer
        Layer to correct; None or ``"X"``: ``X``.
    key_added
        Name of what is written.
    group_key
        Column of ``adata.var``, or several, whose groups of lines are tested for enrichment, such
        as tissue, disease or subtype. None: no groups.
    replicate_key
        Column of ``adata.obs`` in which rows of the same drug, screened more than once, have the
        same label, or of ``adata.var`` for columns of the same line, or one of each. ``shrink``
        then takes the noise from their disagreement.
    noise_sd
        Standard deviation of the error of a measurement, in the measure's unit: a number, one per
        drug, a column of ``adata.obs`` (NaN: not known), or a layer with one per measurement, such
        as standard errors of curve fits. ``"replicate_sd"`` is what readers of files leave where
        experiments were repeated. What is too far out for it is kept. With neither this nor
        ``replicate_key`` the noise is a guess, from what one matrix shows; it is worth a lot to
        know it.
    concentration
        What to do with concentrations on a linear scale, such as an IC50 in uM: ``"error"`` to
        refuse them; ``"log"`` to take logarithms, as :func:`rtdmf_bio.pp.log_concentrations` does,
        and store all results as ln uM; ``"linear"`` to correct them as they are. They are known by
        the measure's kind, name or unit, or, where none is stated, by values all above 0 that span
        decades with a long tail. With ``"log"`` noise is that of the logarithms.
    preset
        ``"default"`` or ``"paper"`` (Algorithm 1 as published); see :class:`rtdmf_bio.RTDMF`.
    threshold
        Residuals of at least this size are high, in the measure's unit. ``"auto"``: chosen from
        residuals of fits that have not seen the entry, where noise and a large deviation are
        equally likely. ``"fdr:0.05"``: those with a q-value of at most this.
    retain
        Which high residuals are retained: ``"enriched"``, ``"shrink"``, ``"all"``, ``"soft"``,
        ``"abrupt"``, ``"none"``, or several. Those in an enriched group are kept whole, those that
        ``shrink`` retains, for their q-value, nearly so, the more the farther out they lie. None:
        enriched and shrink; without groups, shrink.
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
        ``weight_decay``, ``crossfit``, ``coverage`` of the intervals, or ``extreme="keep"`` for
        values that are refused as codes for missing ones, slips of a unit or impossible.

    Returns
    -------
    None, or the copy. Written are, and nothing else is touched:

    ``layers["rtdmf"]`` : array (n drugs, p lines), dtype of the input
        Corrected on measured entries, imputed on the others. An entry that is a bound is not drawn
        to the side of it that it rules out.
    ``layers["rtdmf_ln"]`` : array (n, p), dtype of the input
        With ``concentration="log"``: the logarithms that were corrected. What they and the results
        measure is in ``uns["layer_measures"]``.
    ``layers["rtdmf_lower"]``, ``["rtdmf_upper"]``, ``["rtdmf_sd"]`` : arrays (n, p), dtype of input
        Interval and standard deviation. Where imputed: of a measurement; where measured: of its
        error-free value. NaN without ``shrink``.
    ``layers["rtdmf_residual"]`` : array (n, p), dtype of the input
        Measurement minus broad structure by a fit that has not seen it, NaN where not measured.
    ``layers["rtdmf_qvalue"]`` : array (n, p), dtype of the input
        Of each residual: the false discovery rate at which it is more than noise, on the assumption
        in ``uns["rtdmf"]["null"]``; NaN where not measured.
    ``layers["rtdmf_flag"]`` : int8 array (n, p)
        0 imputed, 1 measured and corrected, 2 high residual not retained, 3 high and retained.
    ``layers["rtdmf_specific"]`` : array (n, p), dtype of the input
        What is particular to a drug: denoised and completed, not weighed, without the general part.
    ``obs["rtdmf_n_retained"]``, ``obs["rtdmf_n_imputed"]`` : int32, and the same in ``var``
        Counts of flags 3 and 0.
    ``obs["rtdmf_too_few"]``, ``var["rtdmf_too_few"]`` : bool
        Fewer than 5 measurements, or than the rank of the broad structure: nothing is learned of
        such a drug or line, and what is imputed of it has the interval of a trivial prediction.
    ``obs["rtdmf_level"]``, ``obs["rtdmf_slope"]``, ``var["rtdmf_sensitivity"]`` : float64
        The general part is level + slope x general sensitivity of the line. The sign of the latter
        is the measure's: of an AUC, positive lines are the resistant ones.
    ``obs["rtdmf_reliability"]`` : float64
        Share kept of what other drugs and lines do not predict, 1 for a drug left as measured; NaN
        without ``shrink``.
    ``obs["rtdmf_noise_sd"]``, ``obs["rtdmf_moved"]`` : float64
        Standard deviation of the error of a measurement, as far as it is known
        (``uns["rtdmf"]["noise"]["source"]``), and root mean square of how far the measurements of
        the drug were moved, in the unit of the measure.
    ``obs["rtdmf_unexplained_sd"]`` : float64
        Spread of what broad structure leaves of a drug, noise and own response together.
    ``obsm["rtdmf_factors"]``, ``varm["rtdmf_factors"]`` : float64 (n, r), (p, r)
        The chain beside drug and line effects as r modes, largest first: loadings of the drugs in
        the measure's unit, scores of the lines of mean square 1. Their product is the chain.
    ``uns["rtdmf"]`` : dict
        Parameters, threshold, how it was chosen and its range over the folds, ``noise`` and where
        it is known from, ``prediction`` (errors on entries unseen, beside that of drug mean + line
        mean, and how much of each predictor was taken), held-out error beside trivial predictions,
        loss curve, worst end of all ``fits`` and their table, values that measurements
        pile up at (``pile_ups``), counts of what was found in the data (``found``), enrichment
        table, versions and device.

    Raises
    ------
    TypeError, ValueError
        If the data or a parameter cannot be used: among others, cell lines as ``obs``,
        concentrations on a linear scale, values that contradict their stated bounds (more than 2 %
        lie outside by more than a quarter of their width), and values that no experiment gives.
        ``adata`` is then as it was, as it is after an interruption.

    Warns
    -----
    UserWarning
        If entries hold the smallest integer, which stands for a missing one and is taken for that.

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
    check_keys(adata, key_added, overwrite)
    n_outside = check_meaning(adata, layer, group_key, concentration)
    data, measure = matrix_of(adata, layer), None
    if concentration == "log":
        if isinstance(noise_sd, str) and noise_sd == REPLICATE_SD:
            raise ValueError(
                f"noise_sd={REPLICATE_SD!r} is the noise of the linear values, and logarithms are "
                f"corrected. Give the noise of these, or leave noise_sd out."
            )
        data, measure = logarithms(adata, layer)
    groups = groups_of(adata, group_key)
    replicates = replicates_of(adata, replicate_key)
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
    marks = censored_of(adata, layer)
    check_names(model, estimator.get_params(), "correct() got", "its own and those of RTDMF")
    estimator.set_params(**model)
    estimator.fit(
        data,
        groups=groups,
        **replicates,
        noise_sd=noise_of(adata, noise_sd),
        censored=marks,
        drug_names=adata.obs_names,
        line_names=adata.var_names,
    )
    out = adata.copy() if copy else adata
    keys = {
        "censored": None if marks is None else censored_name(layer),
        "replicate_key": replicate_key,
        "noise_sd": noise_sd if isinstance(noise_sd, str) else None,
    }
    store(
        *(out, estimator, data, key_added, layer, list(groups or {}), keys),
        n_outside=n_outside,
        logarithm=measure,
    )
    return out if copy else None
