"""The AnnData shell around ``RTDMF``; everything numerical is in ``rtdmf_bio.model``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._adata.layers import named_layers
from .._version import __version__
from ._write import assign

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from ..model.enrichment import Enrichment
    from ..model.estimator import RTDMF


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
    random_state: int = 0,
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
        Layer to correct instead of ``X``.
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
        Seed of the hold-out.
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
        predictions, loss curve, stop reason, enrichment table, versions and device.

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

    data = _matrix(adata, layer)
    _check_keys(adata, key_added, overwrite)
    groups = _groups(adata, group_key)
    replicates = None if replicate_key is None else _replicates(adata, replicate_key)
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
    _write(out, estimator, data, key_added, layer, list(groups or {}), replicate_key)
    return out if copy else None


def check_adata(adata: Any) -> None:
    """Refuse what is no AnnData in memory with unique names."""
    from anndata import AnnData

    from ..model.checks import name_some

    if not isinstance(adata, AnnData):
        raise TypeError(
            f"adata must be an AnnData of drugs x cell lines. Got {type(adata).__name__}; for a "
            f"plain array use rtdmf_bio.RTDMF, for a file rtdmf_bio.io.read_table."
        )
    if adata.isbacked:
        raise ValueError(
            f"adata is backed by {adata.filename}, where results cannot be stored. Load it first: "
            f"adata = adata.to_memory()."
        )
    for what, names in (("drug", adata.obs_names), ("cell line", adata.var_names)):
        if not names.is_unique:
            twice = list(names[names.duplicated()].unique())
            raise ValueError(
                f"{len(twice)} {what} name(s) occur more than once: {name_some(twice)}. Aggregate "
                f"the replicates (rtdmf_bio.io.read_table(aggregate=...)), or make names unique."
            )


def _matrix(adata: AnnData, layer: str | None) -> Any:
    check_adata(adata)
    if layer is None:
        if adata.X is None:
            raise ValueError(
                f"adata.X is empty. Pass layer=, one of {sorted(named_layers(adata))}."
            )
        return adata.X
    if layer not in adata.layers:
        raise ValueError(
            f"adata.layers has no {layer!r}. It has {sorted(named_layers(adata))}; "
            f"layer=None takes X."
        )
    return adata.layers[layer]


def _written(key: str) -> list[tuple[str, str]]:
    counts = [f"{key}_n_retained", f"{key}_n_imputed"]
    return [
        *[("layers", f"{key}{part}") for part in ("", "_residual", "_flag", "_specific")],
        *[(where, name) for where in ("obs", "var") for name in counts],
        *[("obs", f"{key}_{name}") for name in ("level", "slope", "reliability", "noise_sd")],
        ("var", f"{key}_sensitivity"),
        *[(where, f"{key}_factors") for where in ("obsm", "varm")],
        ("uns", key),
    ]


def _check_keys(adata: AnnData, key: str, overwrite: bool) -> None:
    if not isinstance(key, str) or not key or "/" in key:
        raise ValueError(f"key_added must be a name without '/'. Got {key!r}.")
    taken = [f"{where}[{name!r}]" for where, name in _written(key) if name in getattr(adata, where)]
    if taken and not overwrite:
        raise ValueError(
            f"adata already holds {', '.join(taken)}. Pass overwrite=True to replace the results, "
            f"or another key_added."
        )


def _groups(adata: AnnData, group_key: str | Sequence[str] | None) -> dict[str, list[Any]] | None:
    if group_key is None:
        return None
    keys = [group_key] if isinstance(group_key, str) else list(group_key)
    for key in keys:
        if key not in adata.var:
            raise ValueError(
                f"adata.var has no column {key!r}. It has {list(adata.var.columns)}; pass one of "
                f"them as group_key, or None to do without groups of cell lines."
            )
    return {key: list(adata.var[key]) for key in keys}


def _replicates(adata: AnnData, key: str) -> list[Any]:
    if key not in adata.obs:
        raise ValueError(
            f"adata.obs has no column {key!r}. It has {list(adata.obs.columns)}; pass one of them "
            f"as replicate_key, or None."
        )
    labels = adata.obs[key]
    return list(labels.astype(object).where(labels.notna(), None))


def _write(
    adata: AnnData,
    model: RTDMF,
    data: Any,
    key: str,
    layer: str | None,
    group_keys: list[str],
    replicate_key: str | None = None,
) -> None:
    import numpy as np

    given = getattr(data, "dtype", np.dtype(float))
    dtype = given if given.kind == "f" else np.dtype(np.float64)
    flag = model.flag_
    retained, imputed = flag == 3, (flag == 0) & np.isfinite(model.corrected_)
    drugs, lines = model.modes()
    results: dict[tuple[str, str], Any] = {
        ("layers", key): model.corrected_.astype(dtype),
        ("layers", f"{key}_residual"): model.residual_.astype(dtype),
        ("layers", f"{key}_flag"): flag,
        ("layers", f"{key}_specific"): model.specific_.astype(dtype),
        ("obs", f"{key}_n_retained"): retained.sum(1).astype(np.int32),
        ("obs", f"{key}_n_imputed"): imputed.sum(1).astype(np.int32),
        ("var", f"{key}_n_retained"): retained.sum(0).astype(np.int32),
        ("var", f"{key}_n_imputed"): imputed.sum(0).astype(np.int32),
        ("obs", f"{key}_level"): model.level_,
        ("obs", f"{key}_slope"): model.slope_,
        ("obs", f"{key}_reliability"): model.reliability_,
        ("obs", f"{key}_noise_sd"): model.noise_by_drug_,
        ("var", f"{key}_sensitivity"): model.sensitivity_,
        ("obsm", f"{key}_factors"): drugs,
        ("varm", f"{key}_factors"): lines,
        ("uns", key): _uns(adata, model, layer, group_keys, replicate_key),
    }
    assign(adata, results)


def _uns(
    adata: AnnData,
    model: RTDMF,
    layer: str | None,
    group_keys: list[str],
    replicate_key: str | None,
) -> dict[str, Any]:
    from importlib.metadata import version

    import numpy as np

    auto = model.params_["threshold"] == "auto"
    higher_is = _higher_is(adata, layer)
    out: dict[str, Any] = {
        # None and tuples do not survive h5ad: None is left out, tuples become lists.
        "params": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in model.params_.items()
            if value is not None
        },
        "layer": "X" if layer is None else layer,
        "threshold": model.threshold_,
        "threshold_how": (
            "held-out residuals: noise and large deviation are equally likely"
            if auto and model.validation_rmse_
            else "fitted residuals: noise and large deviation are equally likely"
            if auto
            else "given"
        ),
        "false_flag_rate": model.false_flag_rate_,
        "noise_sd": model.noise_,
        "mean_slope": float(np.nanmean(model.slope_)),
        "weight_decay": model.weight_decay_,
        "impute_weight_decay": model.impute_weight_decay_,
        "validation_rmse": dict(model.validation_rmse_),
        "decay_path": {k: np.asarray(v) for k, v in model.decay_path_.items()},
        "history": {k: np.asarray(v) for k, v in model.history_.items()},
        "n_iter": model.n_iter_,
        "stop_reason": model.stop_reason_.name.lower(),
        "stop_message": model.stop_reason_.value,
        "rank": model.factors_[0].shape[1],
        "n_infinite": model.n_infinite_,
        "device": model.device_,
        "dtype": model.params_["dtype"],
        "versions": {
            "rtdmf_bio": __version__,
            **{name: version(name) for name in ("numpy", "torch", "anndata")},
        },
    }
    if group_keys:
        out["params"]["group_key"] = group_keys
    if replicate_key is not None:
        out["params"]["replicate_key"] = replicate_key
    if model.enrichment_ is not None:
        out["enrichment"] = enrichment_table(model.enrichment_, adata, higher_is)
    return out


def _higher_is(adata: AnnData, layer: str | None) -> str | None:
    from .._measure import measure_of

    # A layer of which nothing is known is another version of X.
    value = (measure_of(adata, layer) or measure_of(adata)).get("higher_is")
    return value if value in ("resistant", "sensitive") else None


def enrichment_table(tests: Enrichment, adata: AnnData, higher_is: str | None) -> pd.DataFrame:
    """Name drugs and sides, one row per test, most significant first."""
    import numpy as np
    import pandas as pd

    above, below = {
        "resistant": ("resistant", "sensitive"),
        "sensitive": ("sensitive", "resistant"),
        None: ("above", "below"),
    }[higher_is]
    table = pd.DataFrame(
        {
            "drug": np.asarray(adata.obs_names, dtype=str)[tests.drug],
            "group_key": tests.group_key.astype(str),
            "group": tests.group.astype(str),
            "side": np.where(tests.side > 0, above, below),
            "n_high_group": tests.n_high_group,
            "n_high": tests.n_high,
            "n_group": tests.n_group,
            "n_tested": tests.n_tested,
            "odds_ratio": tests.odds_ratio,
            "pvalue": tests.pvalue,
            "qvalue": tests.qvalue,
        }
    )
    table = table.sort_values(
        ["pvalue", "odds_ratio", "drug", "group"], ascending=[True, False, True, True]
    )
    # String row names: h5ad would turn integers into strings and the round trip would differ.
    return table.set_axis(pd.Index([str(k) for k in range(len(table))]))
