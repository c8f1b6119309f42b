"""Concordance of two screens, with the controls it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from .._adata.inputs import check_screens, values_of
from .._adata.record import KEY, measure_at
from .._adata.sources import TWO_WAY_MEANS, TWO_WAY_RESIDUAL, layers_of, trivial_sources
from ..model.checks import Seed, as_seed, check_number, check_table
from ..model.retention import is_measured
from ..pp import harmonize
from ._correlation import concordance as scores

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_COLUMNS = (
    "drug", "source", "n_lines", "rho", "pvalue", "ci_low", "ci_high", "pearson",
    "pearson_pvalue", "significant", "specificity", "rho_star", "specificity_star",
)  # fmt: skip
# Score over drugs -> what it sums up, and how.
_SUMMARY: dict[str, tuple[str, Any]] = {
    "share_significant": ("significant", np.mean),
    "median_rho": ("rho", np.median),
    "specificity": ("specificity", np.mean),
    "median_rho_star": ("rho_star", np.median),
    "specificity_star": ("specificity_star", np.mean),
}
_BOUNDS = (0.025, 0.975)


def concordance(
    a: AnnData,
    b: AnnData,
    *,
    layer: str | Sequence[str] | None = None,
    key: str = KEY,
    aliases: Mapping[str, str] | pd.DataFrame | None = None,
    line_ids: str | Sequence[str] | None = None,
    drug_ids: str | Sequence[str] | None = None,
    crosswalk: str | os.PathLike[str] | pd.DataFrame | None = None,
    align_direction: bool = False,
    replicates: Literal["mean", "error"] = "mean",
    alpha: float = 0.01,
    min_lines: int = 10,
) -> pd.DataFrame:
    """Correlate every drug that two screens share, before and after correction.

    A correction that makes all drugs alike raises the correlation between screens, since the
    general sensitivity of the lines is well reproduced: drug mean + line mean, which knows no drug,
    beats the measurements. So each correlation comes with its controls: ``specificity`` tells
    whether a drug still looks more like itself than like other drugs, the starred columns take the
    general sensitivity out, and two trivial answers are scored like any other source: these
    means, and what they leave of the measurements, which a specific part has to surpass.

    Parameters
    ----------
    a, b
        Two screens, drugs (``obs``) x cell lines (``var``), each corrected as a whole by itself.
        They are matched by :func:`rtdmf_bio.pp.harmonize`.
    layer
        Layer to compare, or several, in both screens, ``"X"`` for ``X``. None: the matrices that
        were corrected and, where both screens have them, the corrected ones and their specific
        parts.
    key
        The ``key_added`` of the corrections.
    aliases, line_ids, drug_ids, crosswalk, align_direction, replicates
        As in :func:`rtdmf_bio.pp.harmonize`.
    alpha
        Level of the two-sided test.
    min_lines
        Drugs measured on fewer lines in both screens are left out.

    Returns
    -------
    Table, one row per shared drug x source; :func:`concordance_summary` has one row per source.
    Whatever the source, correlations are over the entries measured in both screens.

    ``drug``, ``source``, ``n_lines``
        Name in ``a``; ``measured``, ``corrected``, ``specific``, or the layer, and last
        ``two-way means``, drug effect + line effect over each whole screen, and ``two-way
        residual``, the first source less these; lines compared.
    ``rho``, ``pvalue``, ``ci_low``, ``ci_high``
        Spearman's rank correlation, its two-sided p value, and its 95 % confidence interval.
    ``pearson``, ``pearson_pvalue``
        The same of the values themselves.
    ``significant``
        ``pvalue < alpha`` and ``rho > 0``.
    ``specificity``
        Share of the other drugs of ``b`` that correlate less with this drug of ``a`` than its own
        twin does; 0.5 is chance.
    ``rho_star``, ``specificity_star``
        The same of what drug effects and line effects, the general sensitivity, leave of each
        screen. They are fitted together, by least squares over the shared drugs and lines, to what
        was measured of the source in this screen alone; line means without them would tell which
        drugs a line lacks, which gaps in common turn into agreement. ``two-way residual`` has about
        those of the first source, and of ``two-way means`` nothing is left: NaN, unless
        replicates were averaged. One value far beyond all others moves every line's effect: give
        doses as logarithms.

    Scores are NaN where a profile is constant, but for rounding.

    Raises
    ------
    TypeError, ValueError
        As :func:`rtdmf_bio.pp.harmonize`, or if a layer is missing or no drug was measured on
        enough lines in both screens.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025 (Table 1). Bonett & Wright, Psychometrika 65
    (2000), for the interval. Specificity and the starred scores are ours.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()[:30, :200].copy()
    >>> table = rt.tl.concordance(adata, adata, layer="ln_ic50")
    >>> print(rt.tl.concordance_summary(table)[["n_drugs", "median_rho", "specificity"]])
                      n_drugs  median_rho  specificity
    source
    ln_ic50                30         1.0          1.0
    two-way means          30         1.0          0.5
    two-way residual       30         1.0          1.0
    """
    check_number("alpha", alpha, 0.0, 1.0)
    check_number("min_lines", min_lines, 4)
    check_screens(a, b)
    layers = [layers_of(adata, layer, key) for adata in (a, b)]
    sources = [name for name in layers[0] if name in layers[1]]
    reduced = [
        _reduced(adata, own, sources, key) for adata, own in zip((a, b), layers, strict=True)
    ]
    both = harmonize(
        *reduced,
        aliases=aliases,
        line_ids=line_ids,
        drug_ids=drug_ids,
        crosswalk=crosswalk,
        align_direction=align_direction,
        replicates=replicates,
    )
    measured = np.isfinite(both.a.layers[sources[0]]) & np.isfinite(both.b.layers[sources[0]])
    enough = measured.sum(axis=1) >= min_lines
    if not enough.any():
        raise ValueError(
            f"The screens share {both.a.n_obs} drug(s) and {both.a.n_vars} cell line(s), but no "
            f"drug was measured on at least {min_lines} of them in both; the most is "
            f"{measured.sum(axis=1).max()}. Compare larger screens, or pass a smaller min_lines."
        )
    parts = []
    for source in [*sources, TWO_WAY_MEANS, TWO_WAY_RESIDUAL]:
        found = scores(
            np.asarray(both.a.layers[source], dtype=float)[enough],
            np.asarray(both.b.layers[source], dtype=float)[enough],
            min_lines,
        )
        part = pd.DataFrame(
            {
                "drug": np.asarray(both.a.obs_names, dtype=str)[enough],
                "source": source,
                **found._asdict(),
            }
        )
        parts.append(part.rename(columns={"low": "ci_low", "high": "ci_high"}))
    table = pd.concat(parts, ignore_index=True)
    table["significant"] = (table["pvalue"] < alpha) & (table["rho"] > 0)
    # Sources of a drug together, as drugs come in ``a``.
    place = np.tile(np.arange(enough.sum()), len(parts))
    return table.iloc[np.argsort(place, kind="stable")][list(_COLUMNS)].reset_index(drop=True)


def concordance_summary(
    table: pd.DataFrame, *, n_bootstrap: int = 1000, random_state: Seed = 0
) -> pd.DataFrame:
    """Sum a concordance up over drugs, one row per source, with intervals.

    Parameters
    ----------
    table
        From :func:`concordance`.
    n_bootstrap
        Number of times that the drugs are drawn anew for the intervals, at least 100.
    random_state
        Seed of the draws.

    Returns
    -------
    Table by ``source``:

    ``n_drugs``
        Drugs compared.
    ``share_significant``
        Of the drugs, those that correlate significantly and positively.
    ``median_rho``, ``median_rho_star``
        Medians over drugs.
    ``specificity``, ``specificity_star``
        Means over drugs; 0.5 is chance.
    ``<score>_low``, ``<score>_high``
        After each of these five, its 95 % interval: percentiles of the score over as many drugs,
        drawn with replacement. NaN where fewer than two drugs have the score.

    Medians and means are over the drugs that have the score; one without is not significant.

    Raises
    ------
    TypeError, ValueError
        If ``table`` is none of :func:`concordance`, or a parameter is out of range.

    Notes
    -----
    The intervals say how much a score depends on which drugs two screens share, as if these were
    independent; other lines, or another measurement of the same, are not in them. Sources are
    drawn alike, and share what is easy or hard about a drug: where two intervals overlap, their
    difference over drugs may still be clear.
    """
    check_table(table, _COLUMNS, "tl.concordance")
    check_number("n_bootstrap", n_bootstrap, 100)
    seed = as_seed(random_state)
    rows = {}
    for source, part in table.groupby("source", sort=False):
        row: dict[str, float] = {"n_drugs": len(part)}
        for score, (column, of) in _SUMMARY.items():
            values = part[column].to_numpy(dtype=float)
            values = values[np.isfinite(values)]
            row[score] = of(values) if values.size else np.nan
            row[f"{score}_low"], row[f"{score}_high"] = _interval(values, of, n_bootstrap, seed)
        rows[source] = row
    out = pd.DataFrame.from_dict(rows, orient="index").rename_axis("source")
    return out.astype({"n_drugs": int})


def _interval(
    values: NDArray[np.float64], of: Any, n_bootstrap: int, seed: int
) -> tuple[float, float]:
    """Percentiles of a statistic over values drawn with replacement, the same draws every time."""
    if values.size < 2:
        return np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(values.size, size=(n_bootstrap, values.size))
    low, high = np.quantile(of(values[drawn], axis=1), _BOUNDS)
    return float(low), float(high)


def _reduced(
    adata: AnnData, layers: Mapping[str, str], sources: Sequence[str], key: str
) -> AnnData:
    """The sources alone, and the trivial answers over the whole screen, where measured."""
    import anndata

    values = {name: values_of(adata, layers[name]) for name in sources}
    measured = np.isfinite(values[sources[0]])
    if f"{key}_flag" in adata.layers:  # a corrected matrix is complete
        measured &= is_measured(adata.layers[f"{key}_flag"])
    drugs, lines = np.flatnonzero(measured.any(1)), np.flatnonzero(measured.any(0))
    here = np.ix_(drugs, lines)
    values = {name: np.where(measured, x, np.nan)[here] for name, x in values.items()}
    trivial = trivial_sources(values[sources[0]])
    values |= trivial
    # What is called X has the measure of X, whatever comes first.
    main = "X" if "X" in sources else sources[0]
    out = anndata.AnnData(values[main], adata.obs.iloc[drugs], adata.var.iloc[lines])
    out.layers.update(values)
    measures = {name: measure_at(adata, layers[name]) for name in sources}
    measures |= dict.fromkeys(trivial, measures[sources[0]])
    if "source" in adata.uns:
        out.uns["source"] = adata.uns["source"]
    out.uns["measure"] = own = measures[main]
    # Those that go the way of X are left to it, so that what is said of it is said once.
    out.uns["layer_measures"] = {
        name: measure
        for name, measure in measures.items()
        if measure.get("higher_is") != own.get("higher_is")
    }
    return out
