"""Pictures of what depends on chance, and of what depends on the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.checks import check_table
from ._style import (
    BLUE,
    CORRECTED,
    ENRICHED,
    GRAND_MEAN,
    GRID,
    HIGH,
    KEPT,
    LOW_RANK,
    MEASURED,
    TRIVIAL,
    VERMILLION,
    axes_or_new,
    panels_or_new,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HIGHER = {
    "correlation": ("corrected values, correlation", "correlation_two_way"),
    "specific_correlation": ("their specific part, correlation", ""),
    "imputed_correlation": ("imputed values, correlation", "imputed_correlation_two_way"),
    "high_jaccard": ("high residuals, Jaccard", "high_jaccard_chance"),
    "retained_jaccard": ("retained residuals, Jaccard", "retained_jaccard_chance"),
}
_LOWER = {
    "rms_difference_unexplained": "corrected values, RMS difference / unexplained sd",
    "imputed_rms_difference_unexplained": "imputed values, RMS difference / unexplained sd",
    "threshold_difference": "threshold, difference / mean",
}
_OVER = {
    "hold-outs": "other hold-outs",
    "entries": "other entries hidden",
    "starts": "other random starts",
}
_PATH = ("threshold", "auto", "rmse_imputed", "rmse_two_way", "share_high", "n_enriched")


def stability(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far repeated corrections agree, beside what trivial answers give.

    Above the line agreement, where 1 is perfect; below it differences, where 0 is. A point is a
    pair of repeats, the bar their median. Crosses are the trivial answers: for correlations that
    of the answers with drug mean + line mean, for overlaps that of flags placed at random, for the
    error of hidden entries (as a share of the grand mean's) that of drug mean + line mean.

    Parameters
    ----------
    table
        From :func:`rtdmf_bio.tl.stability`.
    ax
        Axes to draw on.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If ``table`` is not of this kind.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.simulate(30, 40, block_size=8)
    >>> table = rt.tl.stability(adata, group_key="group", n_repeats=2, progress=False)
    >>> ax = rt.pl.stability(table)
    """
    check_table(table, ("repeat_a", "repeat_b", *_HIGHER, *_LOWER), "tl.stability")
    rows: list[tuple[str, Any, Any]] = [
        (label, table[name], table[trivial] if trivial else None)
        for name, (label, trivial) in _HIGHER.items()
    ]
    n_higher = len(rows)
    rows += [(label, table[name], None) for name, label in _LOWER.items()]
    if "hidden_rmse" in table:
        grand = table["hidden_rmse_grand"]
        rows.append(
            (
                "hidden entries, RMSE / that of the grand mean",
                table["hidden_rmse"] / grand,
                table["hidden_rmse_two_way"] / grand,
            )
        )
    # What could not be compared, such as imputed values of a complete screen, is said.
    labels = [label if np.isfinite(v).any() else f"{label}: none" for label, v, _ in rows]
    ax = axes_or_new(ax, 8, 0.42 * len(rows) + 1.6)
    place = [k + 0.7 * (k >= n_higher) for k in range(len(rows))]
    for k, (y, (_, values, trivial)) in enumerate(zip(place, rows, strict=True)):
        values = np.asarray(values, dtype=float)
        spread = np.linspace(-0.18, 0.18, values.size) if values.size > 1 else np.zeros(1)
        color, marker = (BLUE, "o") if k < n_higher else (VERMILLION, "s")
        ax.scatter(values, y + spread, s=16, color=color, marker=marker, alpha=0.7, linewidth=0,
                   label="pair of repeats" if k == 0 else None, zorder=2)  # fmt: skip
        if np.isfinite(values).any():
            ax.plot([np.nanmedian(values)] * 2, [y - 0.34, y + 0.34], color="black", linewidth=2,
                    label="median" if k == 0 else None, zorder=3)  # fmt: skip
        if trivial is not None and np.isfinite(trivial).any():
            ax.scatter(np.nanmedian(trivial), y, s=60, color=TRIVIAL, marker="x", zorder=4,
                       label="trivial: two-way means, chance" if k == 0 else None)  # fmt: skip
    split = n_higher - 0.15
    ax.axhline(split, color="0.6", linewidth=0.8)
    for y, text, side in (
        (split - 0.08, "agreement: higher = more stable →", "bottom"),
        (split + 0.08, "← difference, error: lower = more stable", "top"),
    ):
        ax.annotate(text, (0.99, y), xycoords=("axes fraction", "data"), ha="right", va=side,
                    fontsize="x-small", color="0.3")  # fmt: skip
    ax.set_yticks(place, labels, fontsize="small")
    ax.set_ylim(place[-1] + 0.6, -0.6)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, -0.02), max(high, 1.02))
    ax.grid(axis="x", color=GRID, zorder=0)
    n = 1 + int(table[["repeat_a", "repeat_b"]].to_numpy().max())
    over = _OVER.get(str(table.attrs.get("over")), "changed by chance")
    ax.set(xlabel="value, without unit", title=f"{n} corrections, {over}")
    ax.legend(fontsize="x-small", loc="best", framealpha=0.9)
    return ax


def threshold_path(table: pd.DataFrame, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Draw errors, flags and score against the threshold.

    The automatic threshold is a dashed vertical line in every panel, trivial answers are dotted.

    Parameters
    ----------
    table
        From :func:`rtdmf_bio.tl.threshold_path`. ``table.attrs`` may hold ``measure``, its name
        and direction, and ``score``, the name of the score.
    axes
        Axes to draw on: one each for the error, the flags, the enriched pairs where there are
        groups, and the score where there is one.

    Returns
    -------
    The figure.

    Raises
    ------
    ValueError
        If ``table`` is not of this kind, or the number of ``axes`` is wrong.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.simulate(30, 40, block_size=8)
    >>> table = rt.tl.threshold_path(adata, group_key="group", progress=False)
    >>> figure = rt.pl.threshold_path(table)
    """
    check_table(table, _PATH, "tl.threshold_path")
    measure = str(table.attrs.get("measure", "unit of the measure"))
    panels: list[tuple[str, list[tuple[str, str, dict[str, Any]]]]] = [
        (f"held-out RMSE, {measure.split(' (')[0]}", _ERRORS),
        ("share", _SHARES),
    ]
    if table["n_enriched"].notna().any():
        panels.append(("enriched drug - group pairs", _PAIRS))
    if "score" in table:
        panels.append((str(table.attrs.get("score", "score")), _SCORES))
    names = [name for name, _ in panels]
    figure, axes = panels_or_new(axes, names, 0.6 + 3.5 * len(panels), 3.6)
    for ax, (name, lines) in zip(axes, panels, strict=True):
        for column, label, style in lines:
            ax.plot(table["threshold"], table[column], label=label, linewidth=1.3, markersize=4,
                    **style)  # fmt: skip
        for auto in table.loc[table["auto"], "threshold"]:
            ax.axvline(auto, color="black", linestyle="--", linewidth=1,
                       label=f"automatic, {auto:.3g}")  # fmt: skip
        ax.set(xlabel=f"threshold, {measure}", ylabel=name)
        ax.grid(color=GRID, zorder=0)
        ax.legend(fontsize="x-small", framealpha=0.9)
    return figure


_DOTTED: dict[str, Any] = {"color": TRIVIAL, "linestyle": ":"}
_ERRORS = [
    ("rmse_imputed", "imputed", {"color": CORRECTED, "marker": "o"}),
    ("rmse_low_rank", "broad structure", {"color": LOW_RANK, "marker": "s"}),
    ("rmse_two_way", "two-way means", _DOTTED),
    ("rmse_grand", "grand mean", {**_DOTTED, "color": GRAND_MEAN}),
]
_SHARES = [
    ("share_high", "high, of measured entries", {"color": HIGH, "marker": "o"}),
    ("share_retained", "retained, of measured entries", {"color": KEPT, "marker": "s"}),
    ("unexplained_beyond", "high, of normal noise so large", _DOTTED),
]
_PAIRS = [("n_enriched", "q value within the FDR", {"color": ENRICHED, "marker": "D"})]
_SCORES = [
    ("score", "corrected", {"color": CORRECTED, "marker": "o"}),
    ("score_measured", "measured", {"color": MEASURED, "linestyle": "-."}),
    ("score_trivial", "two-way means", _DOTTED),
]
