"""What a correction did: matrices, threshold, enriched groups, and all in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._adata.columns import labels_of, with_labels
from .._adata.inputs import resolve_layer, values_of
from .._adata.measure import measure_label, measure_of
from .._adata.record import SPECIFIC, stored
from ..model.retention import Flag, is_measured
from ..tl import enrichment as enrichment_table
from ._style import DROPPED, KEPT, PLAIN, SIDES, axes_or_new

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_STEP = {"histtype": "step", "linewidth": 1.5}
# Of each flag but IMPUTED, which has no residuals: name and look of their histogram.
_LOOKS: dict[Flag, tuple[str, dict[str, Any]]] = {
    Flag.CORRECTED: ("corrected", {"color": PLAIN, "histtype": "stepfilled"}),
    Flag.NOT_RETAINED: ("high, not retained", {"color": DROPPED, **_STEP}),
    Flag.RETAINED: ("high, retained", {"color": KEPT, **_STEP}),
}


def matrix(
    adata: AnnData,
    *,
    layer: str | None = None,
    key: str = "rtdmf",
    group_key: str | Sequence[str] | None = "tissue",
    ax: Axes | None = None,
    title: str | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw a matrix of drugs x cell lines; before and after share order and colours.

    Drugs are sorted by their mean measurement; lines by group, within it by the next group where
    there are several columns of them, and by their mean. White lines separate the groups of the
    first column, thinner ones those of the next. The colour range is the 1st to 99th percentile of
    the measurements; residuals and the specific part lie around 0 and have their own, and so has a
    layer of another measure. Missing entries are white, or grey where white means 0.

    Parameters
    ----------
    adata
        Corrected by :func:`rtdmf_bio.pp.correct`.
    layer
        Layer to draw, ``"X"`` for ``X``. None: the measurements that were corrected.
    key
        The ``key_added`` of the correction.
    group_key
        Column of ``var`` that orders the lines, or several; ignored where it is missing.
    ax
        Axes to draw on.
    title
        Title of the picture.
    colorbar
        Whether to add a colour bar.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If there is no correction, or no such layer.
    """
    corrected = stored(adata, key)["layer"]
    measured = values_of(adata, corrected)
    drawn = measured if layer is None else values_of(adata, resolve_layer(adata, layer))
    ax = axes_or_new(ax, 7, 4)
    # Of what was never measured there is no mean: it comes last.
    by_drug, mean = (np.ma.masked_invalid(measured).mean(axis).filled(np.nan) for axis in (1, 0))
    drugs = np.argsort(-by_drug, kind="stable")
    asked = [group_key] if isinstance(group_key, str) else list(group_key or ())
    labels = {name: labels_of(with_labels(adata.var[name])) for name in asked if name in adata.var}
    lines = np.lexsort((mean, *reversed(labels.values())))
    low, high, label = _colours(adata, key, layer or corrected, drawn, measured)
    flags, signed = layer == f"{key}_flag", low == -high
    image = ax.imshow(
        drawn[np.ix_(drugs, lines)], aspect="auto", cmap="RdBu_r" if signed else "viridis",
        vmin=low, vmax=high, interpolation="nearest", rasterized=True,
    )  # fmt: skip
    if flags:
        image.set_cmap(image.get_cmap().resampled(len(Flag)))
    if signed:
        ax.set_facecolor("0.7")
    ax.set(
        xlabel=f"{mean.size} cell lines" + (", by " + ", then ".join(labels) if labels else ""),
        ylabel=f"{drugs.size} drugs, by mean",
        xticks=[],
        yticks=[],
        title=title or (layer or "measured"),
    )
    _separate(ax, [groups[lines] for groups in labels.values()])
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label=label, ticks=list(Flag) if flags else None)
    return ax


def threshold(adata: AnnData, *, key: str = "rtdmf", ax: Axes | None = None) -> Axes:
    """Draw the residuals, the noise estimate and the threshold, on a logarithmic scale.

    Parameters
    ----------
    adata
        Corrected by :func:`rtdmf_bio.pp.correct`.
    key
        Its ``key_added``.
    ax
        Axes to draw on.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If there is no such correction.
    """
    ax = axes_or_new(ax, 5, 4)
    result = stored(adata, key)
    residual = np.asarray(adata.layers[f"{key}_residual"], dtype=float)
    flag = np.asarray(adata.layers[f"{key}_flag"])
    limit = float(np.nanpercentile(np.abs(residual), 99.9))
    edges = np.linspace(-limit, limit, 161)
    for code in sorted(set(Flag) - {Flag.IMPUTED}):
        label, look = _LOOKS[code]
        share = (flag == code).sum() / is_measured(flag).sum()
        values = np.clip(residual[flag == code], -limit, limit)
        ax.hist(values, bins=list(edges), label=f"{label} ({share:.1%})", **look)
    eta, beyond = result["threshold"], result["unexplained_beyond"]
    step = edges[1] - edges[0]
    center = (edges[1:] + edges[:-1]) / 2
    measured = np.isfinite(residual)
    counts = np.histogram(residual[measured], edges)[0]
    # Every drug has its own size of what is not explained, so the curve is a sum of normals.
    noise = np.zeros(center.size)
    for entries, s in zip(measured.sum(1), adata.obs[f"{key}_unexplained_sd"], strict=True):
        if entries:
            noise += entries * step / (s * np.sqrt(2 * np.pi)) * np.exp(-0.5 * (center / s) ** 2)
    ax.plot(
        center,
        noise,
        color="black",
        linewidth=1,
        label=f"unexplained, sd {result['unexplained_sd']:.3g}",
    )
    said = f"threshold ±{eta:.3g}\n(of the unexplained, taken as normal, {beyond:.1%} beyond)"
    if not np.isfinite(eta):
        said = "no residual is high at this false discovery rate"
    for side in (-eta, eta) if np.isfinite(eta) else ():
        ax.axvline(side, color="black", linestyle="--", linewidth=1)
    ax.set(
        yscale="log", ylim=(0.5, counts.max() * 3), xlim=(-limit, limit),
        xlabel=f"residual, {_measure_label(adata, key)}", ylabel="entries",
        title=said,
    )  # fmt: skip
    ax.legend(fontsize="x-small", loc="upper right", framealpha=0.9)
    return ax


def enrichment(
    adata: AnnData, *, key: str = "rtdmf", n_top: int = 15, ax: Axes | None = None
) -> Axes:
    """Draw the most enriched drug-group pairs: how strong, how sure, and how many lines.

    Parameters
    ----------
    adata
        Corrected by :func:`rtdmf_bio.pp.correct` with groups.
    key
        Its ``key_added``.
    n_top
        Number of pairs.
    ax
        Axes to draw on.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If there is no such correction, or it was made without groups.
    """
    ax = axes_or_new(ax, 6, 0.3 * n_top + 1)
    table = enrichment_table(adata, key=key).head(n_top).iloc[::-1]
    y = np.arange(len(table))
    score = -np.log10(np.maximum(table["qvalue"], 1e-300))
    enriched = bool((table["qvalue"] <= 0.05).any())
    for side, (color, marker) in SIDES.items():
        here = table["side"] == side
        if here.any():
            ax.scatter(score[here], y[here], s=30, color=color, marker=marker, label=side, zorder=3)
    ax.hlines(y, 0, score, color="0.8", zorder=1)
    for k, row in zip(y, table.itertuples(), strict=True):
        ax.annotate(
            f"{row.n_high_group} of {row.n_group}", (score.iloc[k], k), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize="x-small",
        )  # fmt: skip
    names = [f"{r.drug} · {r.group}" for r in table.itertuples()]
    ax.set_yticks(y, names, fontsize="small")
    ax.axvline(-np.log10(0.05), color="black", linestyle=":", linewidth=1)
    ax.set(
        xlabel="-log10 q (dotted: q = 0.05); high lines of the group's lines beside each",
        xlim=(0, max(float(score.max()) * 1.25, 2) if len(table) else 2),
        title="enriched drug - group pairs" if enriched else "no drug - group pair is enriched",
    )
    ax.xaxis.label.set_fontsize("small")
    if len(table):
        ax.legend(fontsize="small", loc="lower right")
    return ax


def correction(
    adata: AnnData, *, key: str = "rtdmf", group_key: str | Sequence[str] | None = "tissue"
) -> Figure:
    """Draw a correction in one figure: before, after, threshold and enriched pairs.

    Parameters
    ----------
    adata
        Corrected by :func:`rtdmf_bio.pp.correct`.
    key
        Its ``key_added``.
    group_key
        Column of ``var`` that orders the cell lines, or several; ignored where it is missing.

    Returns
    -------
    The figure.

    Raises
    ------
    ValueError
        If there is no such correction.
    """
    import matplotlib.pyplot as plt

    result = stored(adata, key)
    has_groups = "enrichment" in result
    figure = plt.figure(figsize=(13, 9), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.1))
    before, after = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    matrix(adata, key=key, group_key=group_key, ax=before, colorbar=False,
           title="before: measured, white = missing")  # fmt: skip
    matrix(adata, layer=key, key=key, group_key=group_key, ax=after, colorbar=False,
           title="after: corrected and completed")  # fmt: skip
    figure.colorbar(after.images[0], ax=after, label=_measure_label(adata, key))
    if has_groups:
        threshold(adata, key=key, ax=figure.add_subplot(grid[1, 0]))
        enrichment(adata, key=key, ax=figure.add_subplot(grid[1, 1]))
    else:
        threshold(adata, key=key, ax=figure.add_subplot(grid[1, :]))
    return figure


def _colours(
    adata: AnnData,
    key: str,
    layer: str,
    drawn: NDArray[np.float64],
    measured: NDArray[np.float64],
) -> tuple[float, float, str]:
    """Range of the colours of a layer, and what they mean."""
    label = _measure_label(adata, key)
    around_zero = {f"{key}_residual": "residual", f"{key}_{SPECIFIC}": "specific part"}
    if layer == f"{key}_flag":
        return min(Flag) - 0.5, max(Flag) + 0.5, "flag"
    if layer in around_zero:
        high = np.nanpercentile(np.abs(drawn), 99)
        return -high, high, f"{around_zero[layer]}, {label}"
    if layer == f"{key}_qvalue":
        return 0, 1, "q-value of the residual"
    if layer == f"{key}_sd":
        return 0, np.nanpercentile(drawn, 99), f"standard deviation, {label}"
    own = measure_of(adata, layer)
    if own and own != measure_of(adata, stored(adata, key)["layer"]):
        measured, label = drawn, measure_label(own)
    low, high = np.nanpercentile(measured, [1, 99])
    return low, high, label


def _separate(ax: Axes, labels: Sequence[NDArray[np.str_]]) -> None:
    """White lines where groups end, the thinner the later they come."""
    width, separated = 1.2 if len(labels) > 1 else 0.4, np.zeros(1, dtype=bool)
    for groups in labels:
        ends = groups[1:] != groups[:-1]
        for edge in np.flatnonzero(ends & ~separated):
            ax.axvline(edge + 0.5, color="white", linewidth=width)
        separated = separated | ends
        width /= 3


def _measure_label(adata: AnnData, key: str) -> str:
    layer = stored(adata, key)["layer"]
    return measure_label(measure_of(adata, layer), "value" if layer == "X" else layer)
