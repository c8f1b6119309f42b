"""What a correction is inside an AnnData: its keys, what is stored and how it is read back.

A correction goes by one name, such as ``rtdmf``. What it stores is the table ``STORED`` and one
dict, ``uns["rtdmf"]``; a new result is a new row of the one or a new entry of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..model.repeats import REPLICATES
from ..model.retention import Flag, is_retained
from ..model.settings import fdr_of
from .assign import assign
from .inputs import REPLICATE_SD
from .measure import as_mapping, measure_of

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from ..model.enrichment import Enrichment
    from ..model.estimator import RTDMF

KEY = "rtdmf"
SPECIFIC = "specific"
LOGARITHM = "ln"  # layer: what was corrected in place of linear concentrations
_ASSUMPTION = "noise is alike to both sides; the side that deviates less shows all of it"

# Where, and what follows the name of the correction -> how it is made of a fitted model. Floating
# layers have the dtype of the input.
STORED: dict[tuple[str, str], Callable[[RTDMF], NDArray[Any]]] = {
    ("layers", ""): lambda model: model.corrected_,
    ("layers", "_residual"): lambda model: model.residual_,
    ("layers", "_flag"): lambda model: model.flag_,
    ("layers", "_qvalue"): lambda model: model.qvalue_,
    ("layers", "_lower"): lambda model: model.lower_,
    ("layers", "_upper"): lambda model: model.upper_,
    ("layers", "_sd"): lambda model: model.sd_,
    ("layers", f"_{SPECIFIC}"): lambda model: model.specific_,
    ("obs", "_n_retained"): lambda model: _count(is_retained(model.flag_), 1),
    ("obs", "_n_imputed"): lambda model: _count(_is_imputed(model), 1),
    ("var", "_n_retained"): lambda model: _count(is_retained(model.flag_), 0),
    ("var", "_n_imputed"): lambda model: _count(_is_imputed(model), 0),
    ("obs", "_too_few"): lambda model: model.too_few_drugs_,
    ("var", "_too_few"): lambda model: model.too_few_lines_,
    ("obs", "_level"): lambda model: model.level_,
    ("obs", "_slope"): lambda model: model.slope_,
    ("obs", "_reliability"): lambda model: model.reliability_,
    ("obs", "_noise_sd"): lambda model: model.noise_by_drug_,
    ("obs", "_moved"): lambda model: model.moved_by_drug_,
    ("obs", "_unexplained_sd"): lambda model: model.unexplained_by_drug_,
    ("var", "_sensitivity"): lambda model: model.sensitivity_,
    ("obsm", "_factors"): lambda model: model.modes()[0],
    ("varm", "_factors"): lambda model: model.modes()[1],
}


def keys_of(key: str) -> list[tuple[str, str]]:
    """Where everything lies that a correction stores, as (attribute of AnnData, name)."""
    return [*((where, f"{key}{part}") for where, part in STORED), ("uns", key)]


def check_keys(adata: AnnData, key: str, overwrite: bool) -> None:
    """Refuse a name that cannot be one, or that holds results already."""
    if not isinstance(key, str) or not key or "/" in key:
        raise ValueError(f"key_added must be a name without '/'. Got {key!r}.")
    taken = [f"{where}[{name!r}]" for where, name in keys_of(key) if name in getattr(adata, where)]
    if taken and not overwrite:
        raise ValueError(
            f"adata already holds {', '.join(taken)}. Pass overwrite=True to replace the results, "
            f"or another key_added."
        )


def store(
    adata: AnnData,
    model: RTDMF,
    data: Any,
    key: str,
    layer: str,
    group_keys: list[str],
    keys: Mapping[str, Any] | None = None,
    *,
    n_outside: int = 0,
    logarithm: Mapping[str, Any] | None = None,
) -> None:
    """Write what a fitted model found, all or nothing.

    Parameters
    ----------
    adata, model, key
        Where, what, and the name it goes by.
    data, layer
        What was fitted, and the name of the matrix that it is or was made of.
    group_keys, keys
        Columns of groups; what else was named, such as ``replicate_key``.
    n_outside
        Measurements outside the stated bounds.
    logarithm
        What ``data`` measures, if these are logarithms of the layer; else None.
    """
    given = getattr(data, "dtype", np.dtype(float))
    dtype = given if given.kind == "f" else np.dtype(np.float64)
    results: dict[tuple[str, str], Any] = {}
    for (where, part), make in STORED.items():
        values = make(model)
        floating = where == "layers" and values.dtype.kind == "f"
        results[where, f"{key}{part}"] = values.astype(dtype) if floating else values
    at = f"{key}_{LOGARITHM}"
    measures = dict(as_mapping(adata.uns.get("layer_measures")))
    stale = [name for name in (at, key) if measures.pop(name, None) is not None]
    if logarithm is not None:
        results["layers", at], layer = data, at
        measures |= {at: dict(logarithm), key: dict(logarithm)}
    if logarithm is not None or stale:
        results["uns", "layer_measures"] = measures
    results["uns", key] = _uns(adata, model, layer, group_keys, keys or {}, logarithm)
    results["uns", key]["found"] = _found(model, n_outside)
    assign(adata, results)
    if logarithm is None and stale and at in adata.layers:
        del adata.layers[at]


def is_stored(adata: AnnData, key: str) -> bool:
    """Whether there is a correction of this name."""
    return key in adata.uns and f"{key}_flag" in adata.layers


def stored(adata: AnnData, key: str) -> dict[str, Any]:
    """Return ``uns[key]`` of a correction, or say how to make one."""
    if not is_stored(adata, key):
        raise ValueError(
            f"adata holds no correction under {key!r}. Run rtdmf_bio.pp.correct(adata) first, or "
            f"pass the key it was given."
        )
    return adata.uns[key]  # type: ignore[no-any-return]


def groups_used(adata: AnnData, key: str) -> list[str]:
    """Columns of ``var`` that a correction was given as groups; none if this is no correction."""
    if not is_stored(adata, key):
        return []
    return list(adata.uns[key]["params"].get("group_key", []))


def measure_at(adata: AnnData, layer: str) -> dict[str, Any]:
    """The measure of a layer; one of which nothing is known is that of what it was made from."""
    own = measure_of(adata, layer)
    if own or layer == "X":
        return own
    made = layer.removesuffix(f"_{SPECIFIC}")
    came_from = as_mapping(adata.uns.get(made)).get("layer")
    measure = measure_of(adata, came_from) or measure_of(adata)
    if layer != made and measure:
        measure["name"] = f"{measure.get('name', 'value')}, specific part"
    return measure


def _is_imputed(model: RTDMF) -> NDArray[np.bool_]:
    # What was never measured may be carried along as NaN.
    return np.asarray((model.flag_ == Flag.IMPUTED) & np.isfinite(model.corrected_))


def _count(entries: NDArray[np.bool_], axis: int) -> NDArray[np.int32]:
    return np.asarray(entries.sum(axis), dtype=np.int32)


def _uns(
    adata: AnnData,
    model: RTDMF,
    layer: str,
    group_keys: list[str],
    keys: Mapping[str, Any],
    logarithm: Mapping[str, Any] | None,
) -> dict[str, Any]:
    from importlib.metadata import version

    auto, by_fdr = model.params_["threshold"] == "auto", fdr_of(model.params_["threshold"])
    # A layer of which nothing is known is another version of X.
    higher_is = _higher_is(logarithm or measure_of(adata, layer) or measure_of(adata))
    out: dict[str, Any] = {
        # None and tuples do not survive h5ad: None is left out, tuples become lists.
        "params": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in model.params_.items()
            if value is not None
        },
        "layer": layer,
        "threshold": model.threshold_,
        "threshold_how": (
            f"false discovery rate {by_fdr:g}, by residuals of fits that have not seen the entry"
            if by_fdr is not None
            else "held-out residuals: noise and large deviation are equally likely"
            if auto and model.validation_rmse_
            else "fitted residuals: noise and large deviation are equally likely"
            if auto
            else "given"
        ),
        "unexplained_sd": model.unexplained_sd_,
        "unexplained_beyond": model.unexplained_beyond_,
        "noise": _noise(model),
        "prediction": model.prediction_,
        "null": {**model.null_, "assumption": _ASSUMPTION},
        "mean_slope": float(np.nanmean(model.slope_)),
        "weight_decay": model.weight_decay_,
        "impute_weight_decay": model.impute_weight_decay_,
        "validation_rmse": dict(model.validation_rmse_),
        "decay_path": {k: np.asarray(v) for k, v in model.decay_path_.items()},
        "history": {k: np.asarray(v) for k, v in model.history_.items()},
        "n_iter": model.n_iter_,
        "stop_reason": model.stop_reason_.name.lower(),
        "stop_message": model.stop_reason_.value,
        "fits": _fits_table(model),
        "pile_ups": model.pile_ups_,
        "rank": model.factors_[0].shape[1],
        "n_infinite": model.n_infinite_,
        "device": model.device_,
        "dtype": model.params_["dtype"],
        "versions": {
            "rtdmf_bio": __version__,
            **{name: version(name) for name in ("numpy", "torch", "anndata")},
        },
    }
    if model.threshold_range_ is not None:
        out["threshold_range"] = list(model.threshold_range_)
    if group_keys:
        out["params"]["group_key"] = group_keys
    out["params"] |= {name: value for name, value in keys.items() if value is not None}
    if keys.get("noise_sd") == REPLICATE_SD:
        out["noise"]["source"] = REPLICATES
    if model.enrichment_ is not None:
        out["enrichment"] = _enrichment_table(model.enrichment_, adata, higher_is)
    return out


def _found(model: RTDMF, n_outside: int) -> dict[str, int]:
    """Counts of what was found in the data and does not go without saying."""
    return {
        "n_integer_na": model.n_integer_na_,
        "n_extreme": model.n_extreme_,
        "n_outside_bounds": n_outside,
        "n_censored": model.n_censored_,
        "n_too_few_drugs": int(model.too_few_drugs_.sum()),
        "n_too_few_lines": int(model.too_few_lines_.sum()),
    }


def _noise(model: RTDMF) -> dict[str, Any]:
    """Where the noise of the measurements comes from, and how far it moved them."""
    moved, sd = model.moved_by_drug_, model.noise_by_drug_
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(sd > 0, moved / sd, np.nan)
    known = np.isfinite(ratio)
    return {
        "source": model.noise_source_ or "none",
        "sd": float(np.sqrt(np.nanmean(sd**2))) if np.isfinite(sd).any() else np.nan,
        "moved": float(np.median(ratio[known])) if known.any() else np.nan,
        "n_left_alone": int((model.reliability_ == 1).sum()),
    }


def _fits_table(model: RTDMF) -> pd.DataFrame:
    """One row per fit, in the order they were made."""
    import pandas as pd

    rows = [{**vars(fit), "stop_reason": fit.stop_reason.name.lower()} for fit in model.fits_]
    return pd.DataFrame(rows, index=pd.Index([str(k) for k in range(len(rows))]))


def _higher_is(measure: Mapping[str, Any]) -> str | None:
    value = measure.get("higher_is")
    return value if value in ("resistant", "sensitive") else None


def _enrichment_table(tests: Enrichment, adata: AnnData, higher_is: str | None) -> pd.DataFrame:
    """Name drugs and sides, one row per test, most significant first."""
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
            "n_expected": tests.n_expected,
            "n_high": tests.n_high,
            "n_group": tests.n_group,
            "n_tested": tests.n_tested,
            "odds_ratio": tests.odds_ratio,
            "pvalue": tests.pvalue,
            "qvalue": tests.qvalue,
            "rank_pvalue": tests.rank_pvalue,
            "rank_qvalue": tests.rank_qvalue,
        }
    )
    table = table.sort_values(
        ["pvalue", "odds_ratio", "drug", "group"], ascending=[True, False, True, True]
    )
    # String row names: h5ad would turn integers into strings and the round trip would differ.
    return table.set_axis(pd.Index([str(k) for k in range(len(table))]))
