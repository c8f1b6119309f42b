"""Mutated beside wild-type cell lines, for one pair and for all."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._adata.inputs import yes_or_no
from .._adata.measure import measure_label
from .._adata.record import SPECIFIC
from .._adata.sources import TWO_WAY_MEANS, TWO_WAY_RESIDUAL, compared
from ..model.checks import check_choice, check_number, check_table
from ..tl import biomarker as biomarker_table
from ._style import (
    BOXES,
    MUTATED,
    PLAIN,
    SIDES,
    WILD_TYPE,
    axes_or_new,
    panels_or_new,
    spread_out,
)

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from numpy.typing import NDArray

# Where to put a name, in points from its mark, nearest first; a name ends there or begins there.
_OFFSETS = [
    (dx, sign * dy) for dy in range(0, 80, 8) for sign in (1, -1) for dx in (8, -8, 30, -30)
]
_WIDEST = 32  # letters above a panel
_COLUMNS = {"drug", "group", "source", "effect", "direction", "pvalue", "qvalue"}


def biomarker(
    adata: AnnData,
    drug: str,
    group: str,
    *,
    layer: str | Sequence[str] | None = None,
    key: str = "rtdmf",
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw the lines with and without a mutation, before and after a correction.

    One panel for each source, with a point for each line measured, and boxes of quartiles, whose
    whiskers reach to the last line within 1.5 times their height. Above each panel are the scores
    of :func:`rtdmf_bio.tl.biomarker`, and in brackets the AUROC of a trivial answer: of two-way
    means, which know only the general sensitivity of the lines in the first source, or, above a
    specific part, of what these leave of the first source.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``).
    drug
        Name of a drug.
    group
        Column of ``adata.var`` that says which lines are mutated.
    layer
        Layer to draw, or several, ``"X"`` for ``X``. None: the matrix that was corrected, the
        corrected one and its specific part; without a correction, ``X``.
    key
        The ``key_added`` of the correction.
    axes
        Axes to draw on, one for each source.

    Returns
    -------
    The figure.

    Raises
    ------
    TypeError, ValueError
        As :func:`rtdmf_bio.tl.biomarker`, or if the number of ``axes`` is wrong.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025, Figure 4.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> figure = rt.pl.biomarker(rt.datasets.gdsc1(), "Dabrafenib", "BRAF_mut")
    """
    for name, value in (("drug", drug), ("group", group)):
        if not isinstance(value, str):
            raise TypeError(f"The {name} parameter must be one name. Got {value!r}.")
    table = biomarker_table(adata, drug, group, layer=layer, key=key).set_index("source")
    sources = compared(adata, layer, key)
    del sources[TWO_WAY_MEANS], sources[TWO_WAY_RESIDUAL]
    units = [measure_label(source.measure) for source in sources.values()]
    figure, panels = panels_or_new(axes, list(sources), 1 + 2.8 * len(sources), 4.4)
    mutated, row = yes_or_no(adata.var[group]), adata.obs_names.get_loc(drug)
    for ax, (name, source) in zip(panels, sources.items(), strict=True):
        values, scores = source.values[row], table.loc[name]
        trivial = TWO_WAY_RESIDUAL if name.endswith(SPECIFIC) else TWO_WAY_MEANS
        sides = [values[(mutated == side) & np.isfinite(values)] for side in (0, 1)]
        _boxes(ax, sides)
        ax.set_xticks((0, 1), [f"wild type\nn = {sides[0].size}", f"{group}\nn = {sides[1].size}"])
        ax.set_title(
            f"{textwrap.fill(f'{drug}, {name}', _WIDEST)}\n"
            f"g = {scores['effect']:.2f}, p = {scores['pvalue']:.1e}\n"
            f"AUROC {scores['auroc']:.2f} ({trivial}: {table.loc[trivial, 'auroc']:.2f})",
            fontsize="medium",
        )
        ax.set_ylabel(measure_label(source.measure))
    for ax, unit in zip(panels, units, strict=True):
        alike = [panels[k].get_ylim() for k, other in enumerate(units) if other == unit]
        ax.set_ylim(min(low for low, _ in alike), max(high for _, high in alike))
    return figure


def volcano(
    table: pd.DataFrame,
    *,
    source: str | None = None,
    fdr: float = 0.05,
    n_label: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw the effect of every drug-mutation pair against its significance.

    Parameters
    ----------
    table
        From :func:`rtdmf_bio.tl.biomarker`.
    source
        Whose rows to draw. None: those of the specific part, if there are any, else the corrected
        ones, else the first source.
    fdr
        Pairs with a q value of at most this are coloured by the direction of the mutated lines;
        a dashed line separates them from the rest.
    n_label
        Number of pairs to name, most significant first; those beyond ``fdr`` are not named.
    ax
        Axes to draw on.

    Returns
    -------
    The axes. Infinite effects lie at the edge.

    Raises
    ------
    TypeError, ValueError
        If ``table`` is not of this kind or has no rows of ``source``.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> ax = rt.pl.volcano(rt.tl.biomarker(rt.datasets.gdsc1(), group="BRAF_mut"))
    """
    check_table(table, _COLUMNS, "tl.biomarker")
    sources = list(table["source"].unique())
    source = source or next((s for s in (SPECIFIC, "corrected") if s in sources), sources[0])
    check_choice("source", source, sources)
    check_number("fdr", fdr, 0.0, 1.0)
    check_number("n_label", n_label, 0)
    table = table[table["source"] == source].sort_values("pvalue", kind="stable")
    ax = axes_or_new(ax, 6.5, 5)
    effect = np.asarray(table["effect"], dtype=float)
    edge = 1.05 * float(np.max(np.abs(effect[np.isfinite(effect)]), initial=1e-3))
    x = np.clip(effect, -edge, edge)
    y = -np.log10(np.maximum(table["pvalue"], np.finfo(float).tiny))
    y = np.asarray(y, dtype=float)
    chosen = np.asarray((table["qvalue"] <= fdr) & (table["direction"] != "none"))
    ax.scatter(x[~chosen], y[~chosen], s=8, color=PLAIN, marker=".", label="not significant",
               rasterized=True)  # fmt: skip
    for side, (color, marker) in SIDES.items():
        here = chosen & np.asarray(table["direction"] == side)
        if here.any():
            ax.scatter(x[here], y[here], s=22, color=color, marker=marker, alpha=0.8,
                       edgecolor="white", linewidth=0.3, label=f"{side} ({here.sum()})",
                       zorder=2)  # fmt: skip
    if chosen.any():
        ax.axhline(y[chosen].min(), color="black", linestyle="--", linewidth=0.8,
                   label=f"q = {fdr:g}")  # fmt: skip
    ax.set(
        ylim=(-0.02 * y.max(), 1.12 * max(y.max(), 1)),
        xlabel=_effect_label(table),
        ylabel="-log10 p, Mann-Whitney",
        title=f"{source}: {chosen.sum()} of {len(table)} pairs with q ≤ {fdr:g}",
    )
    ax.margins(x=0.2)  # room for names
    legend = ax.legend(fontsize="small", framealpha=0.9)
    named = table[chosen].head(n_label)
    texts = [f"{r.drug} · {r.group.removesuffix('_mut')}" for r in named.itertuples()]
    _label_points(ax, np.column_stack([x, y])[chosen], texts, legend)
    return ax


def _boxes(ax: Axes, sides: list[NDArray[np.float64]]) -> None:
    """Wild type at 0, mutated at 1."""
    styles: tuple[dict[str, Any], ...] = (
        {"color": WILD_TYPE, "marker": "o", "s": 9, "alpha": 0.4, "linewidth": 0},
        {"color": MUTATED, "marker": "^", "s": 22, "edgecolor": "white", "linewidth": 0.4},
    )
    for at, (values, style) in enumerate(zip(sides, styles, strict=True)):
        ax.scatter(at + 0.6 * spread_out(values), values, rasterized=True, zorder=1, **style)
    ax.boxplot(sides, positions=[0, 1], widths=0.7, **BOXES)
    ax.set_xlim(-0.5, 1.5)


def _effect_label(table: pd.DataFrame) -> str:
    """Say on which side the mutated lines are sensitive, and on which resistant."""
    label = "effect of the mutation, Hedges' g"
    for side in SIDES:
        effect = table.loc[table["direction"] == side, "effect"]
        if len(effect):
            label = f"← {side}    {label}" if effect.iloc[0] < 0 else f"{label}    {side} →"
    return label


def _label_points(ax: Axes, points: NDArray[np.float64], texts: list[str], legend: Legend) -> None:
    """Name the first points, each as near as can be without covering names or points."""
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    ax.figure.canvas.figure.draw_without_rendering()  # settles the size of the axes
    pixel = ax.figure.dpi / 72
    at = ax.transData.transform(points)
    frame, taken = ax.get_window_extent(), [legend.get_window_extent()]
    for k, text in enumerate(texts):
        label = ax.annotate(
            text, points[k], xytext=(0, 0), textcoords="offset points", fontsize="x-small",
            va="center", zorder=3,
            bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5},
            arrowprops={"arrowstyle": "-", "color": "0.4", "linewidth": 0.5, "shrinkB": 2},
        )  # fmt: skip
        # Of the text alone: that of an annotation includes its arrow.
        extent = Text.get_window_extent(label)
        places = []
        for dx, dy in _OFFSETS:
            left = at[k, 0] + dx * pixel - (extent.width if dx < 0 else 0)
            bottom = at[k, 1] + dy * pixel - extent.height / 2
            box = Bbox.from_bounds(left, bottom, extent.width, extent.height)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and box.y1 <= frame.y1
            covered = 100 * box.count_overlaps(taken) + box.padded(3 * pixel).count_contains(at)
            places.append((covered + (not inside) * 1000, dx, dy, box))
        _, dx, dy, box = min(places, key=lambda place: place[0])  # the first of the best
        label.set(position=(dx, dy), horizontalalignment="right" if dx < 0 else "left")
        taken.append(box)
