"""Two or more screens side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._adata.measure import measure_label
from .._adata.record import KEY, measure_at
from .._adata.sources import TWO_WAY_MEANS, TWO_WAY_RESIDUAL, layers_of
from ..model.checks import check_choice, check_table
from ..pp import harmonize
from ..tl import concordance_summary
from ._style import CORRECTED, MEASURED, TRIVIAL, axes_or_new, grey_cells, panels_or_new

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELS = {
    "share_significant": "share of drugs with significant concordance",
    "median_rho": "median Spearman's rho",
    "specificity": "specificity (0.5 = chance)",
    "median_rho_star": "median rho*, general sensitivity taken out",
    "specificity_star": "specificity*, general sensitivity taken out (0.5 = chance)",
}
_COLORS = {"measured": MEASURED, "corrected": CORRECTED}


def concordance(
    tables: Mapping[tuple[str, str], pd.DataFrame],
    *,
    metric: str = "median_rho_star",
    ax: Axes | None = None,
) -> Axes:
    """Draw how well several screens agree: measured above the diagonal, corrected below.

    In each cell stand the value, its 95 % interval over drugs, in brackets the value of the trivial
    answer (drug mean + line mean), which knows nothing particular to a drug, and the number of
    drugs. A dash stands for no value: of the trivial answer nothing is left in the starred scores.

    Parameters
    ----------
    tables
        Names of two screens -> table of :func:`rtdmf_bio.tl.concordance`.
    metric
        ``share_significant``, ``median_rho``, ``specificity``, ``median_rho_star`` or
        ``specificity_star``. The first two alone can be had by making all drugs alike.
    ax
        Axes to draw on.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If ``tables`` are none of that function, or ``metric`` is not known.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025, Table 1.
    """
    check_choice("metric", metric, tuple(_LABELS))
    if not isinstance(tables, Mapping) or not tables:
        raise ValueError(
            "tables must map pairs of names to tables, such as {('GDSC', 'CCLE'): "
            "rtdmf_bio.tl.concordance(gdsc, ccle)}."
        )
    names = list(dict.fromkeys(name for pair in tables for name in pair))
    shown = np.full((len(names), len(names)), np.nan)
    size = 1.6 * len(names)
    ax = axes_or_new(ax, size + 2.2, size + 0.6)
    texts = {}
    for pair, table in tables.items():
        summary = concordance_summary(table)
        i, j = sorted(names.index(name) for name in pair)
        trivial = _number(summary.loc[TWO_WAY_MEANS, metric])
        for source, place in (("measured", (i, j)), ("corrected", (j, i))):
            if source in summary.index:
                row = summary.loc[source]
                shown[place] = row[metric]
                low, high = (_number(row[f"{metric}_{bound}"], 2) for bound in ("low", "high"))
                texts[place] = (
                    f"{_number(row[metric])}\n{low} to {high}\n({trivial})\n"
                    f"{row['n_drugs']:.0f} drugs"
                )
    grey_cells(ax, shown, texts, _LABELS[metric])
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.plot([-0.5, len(names) - 0.5], [-0.5, len(names) - 0.5], color="black", linewidth=0.8)
    ax.set_title(
        "above: measured, below: corrected\n"
        f"95 % interval over drugs (in brackets: {TWO_WAY_MEANS})",
        fontsize="medium",
    )
    return ax


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"


def scatter(
    a: AnnData,
    b: AnnData,
    drug: str,
    *,
    names: tuple[str, str] = ("first screen", "second screen"),
    key: str = KEY,
    aliases: Mapping[str, str] | pd.DataFrame | None = None,
    line_ids: str | Sequence[str] | None = None,
    drug_ids: str | Sequence[str] | None = None,
    crosswalk: str | os.PathLike[str] | pd.DataFrame | None = None,
    align_direction: bool = False,
) -> Figure:
    """Draw a drug in two screens, one point per cell line, before and after correction.

    Parameters
    ----------
    a, b
        Two screens, as for :func:`rtdmf_bio.tl.concordance`.
    drug
        Its name in ``a``.
    names
        Names of the screens, for the axes.
    key
        The ``key_added`` of the corrections.
    aliases, line_ids, drug_ids, crosswalk, align_direction
        As in :func:`rtdmf_bio.pp.harmonize`.

    Returns
    -------
    The figure, with a panel for each of measured and corrected; the dotted line is y = x where
    both screens have the same measure.

    Raises
    ------
    ValueError
        As :func:`rtdmf_bio.pp.harmonize`, or if the drug is not shared, or measured in both screens
        on fewer than 3 lines.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025, Figure A5.
    """
    from scipy.stats import spearmanr

    both = harmonize(
        a,
        b,
        aliases=aliases,
        line_ids=line_ids,
        drug_ids=drug_ids,
        crosswalk=crosswalk,
        align_direction=align_direction,
    )
    layers = [layers_of(adata, None, key) for adata in (a, b)]
    known = both.drugs[(both.drugs["screen"] == "a") & (both.drugs["name"] != "")]
    name = dict(zip(known["original"], known["name"], strict=True)).get(drug)
    if name is None:
        raise ValueError(
            f"{drug!r} is not a drug of both screens. They share {both.a.n_obs}: "
            f"{', '.join(known['original'].iloc[:5])}..."
        )

    def profile(adata: AnnData, layer: str) -> np.ndarray:
        one = adata[name]
        values = one.X if layer == "X" else one.layers[layer]
        return np.asarray(values, dtype=float).ravel()

    sources = [s for s in ("measured", "corrected") if all(s in own for own in layers)]
    measured = np.isfinite(profile(both.a, layers[0]["measured"])) & np.isfinite(
        profile(both.b, layers[1]["measured"])
    )
    if measured.sum() < 3:
        raise ValueError(
            f"{drug!r} was measured on {measured.sum()} line(s) of both screens; 3 are needed."
        )
    labels = [
        f"{screen}: {measure_label(measure_at(one, own['measured']))}"
        for screen, one, own in zip(names, (both.a, both.b), layers, strict=True)
    ]
    alike = len({label.split(": ", 1)[1] for label in labels}) == 1
    figure, panels = panels_or_new(None, sources, 4.2 * len(sources), 4.2, sharex=True, sharey=True)
    for ax, source in zip(panels, sources, strict=True):
        x, y = (
            profile(one, own[source])[measured]
            for one, own in zip((both.a, both.b), layers, strict=True)
        )
        ax.scatter(x, y, s=10, color=_COLORS[source], alpha=0.6, linewidth=0)
        if alike:
            ax.axline((x.mean(), x.mean()), slope=1, color="black", linestyle=":", linewidth=1)
        rho = spearmanr(x, y).statistic
        ax.set(
            title=f"{drug}, {source}\nrho = {rho:.2f}, {x.size} lines",
            xlabel=labels[0],
            ylabel=labels[1],
        )
    return figure


def frontier(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw concordance against specificity, one point per setting: up and to the right is better.

    Lines to both sides of a point are its 95 % intervals over drugs. Much of their width is which
    drugs there are, the same for all settings.

    Parameters
    ----------
    table
        Rows of :func:`rtdmf_bio.tl.concordance_summary`, its index naming the settings.
        ``measured`` is marked; ``two-way residual``, which lies about there, and settings without
        a score are left out. ``two-way means``, far off or without a score, are given in words.
    ax
        Axes to draw on.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If the columns of the two scores are not there, or there are no rows.
    """
    x, y = "specificity_star", "median_rho_star"
    needed = [f"{score}{end}" for score in (x, y) for end in ("", "_low", "_high")]
    check_table(table, needed, "tl.concordance_summary")
    ax = axes_or_new(ax, 7, 4.5)
    known = table.dropna(subset=[x, y]).sort_values(y)
    shown = known.drop(index=[TWO_WAY_MEANS, TWO_WAY_RESIDUAL], errors="ignore")
    # Settings lie close together: names stand in a column beside the axes, in the order of points.
    heights = np.linspace(0.05, 0.95, len(shown))
    for (name, row), height in zip(shown.iterrows(), heights, strict=True):
        color, marker = (MEASURED, "s") if name == "measured" else (CORRECTED, "o")
        ax.hlines(row[y], row[f"{x}_low"], row[f"{x}_high"], color=color, alpha=0.4, linewidth=1)
        ax.vlines(row[x], row[f"{y}_low"], row[f"{y}_high"], color=color, alpha=0.4, linewidth=1)
        ax.scatter(row[x], row[y], color=color, marker=marker, s=45, zorder=3)
        ax.annotate(
            str(name), (row[x], row[y]), xytext=(1.06, height), textcoords="axes fraction",
            fontsize="small", va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "0.7", "relpos": (0, 0.5)},
        )  # fmt: skip
    ax.margins(0.15)
    notes = ["lines: 95 % intervals over drugs"]
    if TWO_WAY_MEANS in table.index:
        # Far off: were it drawn to scale, all others would be one point.
        where = table.loc[TWO_WAY_MEANS, [x, y]]
        said = f"{where[x]:.2f}, {where[y]:.2f} (not drawn)" if where.notna().all() else "no score"
        notes.append(f"{TWO_WAY_MEANS}: {said}")
    ax.text(0.03, 0.04, "\n".join(notes), transform=ax.transAxes, fontsize="small", color=TRIVIAL)
    if "measured" in table.index:
        ax.axvline(table.loc["measured", x], color="0.7", linestyle=":", linewidth=1, zorder=1)
        ax.axhline(table.loc["measured", y], color="0.7", linestyle=":", linewidth=1, zorder=1)
    ax.set(xlabel=_LABELS[x], ylabel=_LABELS[y])
    return ax
