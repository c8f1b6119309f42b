"""Drugs x cell lines in the order of their clusters, with the groups they belong to."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._adata.columns import labels_of, with_labels
from .._adata.inputs import named, values_of
from .._adata.measure import measure_label
from .._adata.profiles import AXES, axis_of, named_profiles, ward
from .._adata.record import measure_at
from .._adata.sources import layers_of
from ._style import OKABE_ITO

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_REST = "0.65"
_MOST_NAMES = 60
_LANE, _TREE, _TEXT, _LETTER = 0.16, 0.9, 0.14, 0.07  # inches


def clusters(
    adata: AnnData,
    group_key: str | Sequence[str],
    *,
    layer: str | None = None,
    key: str = "rtdmf",
) -> Figure:
    """Draw drugs x cell lines ordered by hierarchical clustering, with their groups beside them.

    Both sides are clustered as :func:`rtdmf_bio.tl.cluster` does it: Ward's linkage of profiles
    by their correlation. Colours are differences from the mean of each drug, which is what is
    clustered; beyond the 98th percentile they are cut. Missing entries are white.

    Beside the matrix each of the largest groups has a lane, marked where a drug or line belongs to
    it, with its name and size; the last lane holds all other groups. Unlabelled items have no mark.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``).
    group_key
        Column of ``adata.obs`` or ``adata.var``, or one of each.
    layer
        Layer to draw, ``"X"`` for ``X``. None: the corrected matrix; without a correction, ``X``.
    key
        The ``key_added`` of the correction.

    Returns
    -------
    The figure. Drugs or lines are named if there are at most 60.

    Raises
    ------
    TypeError, ValueError
        If a column or layer is not there, two columns are of the same side, or the profile of a
        drug or line is constant.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025, Figure 6.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> figure = rt.pl.clusters(rt.datasets.gdsc1()[:50, :200].copy(), "tissue")
    """
    columns: dict[str, str] = {}
    for name in named("group_key", group_key):
        side = axis_of(adata, name)
        if side in columns:
            raise ValueError(
                f"Columns {columns[side]!r} and {name!r} are both of adata.{AXES[side]}. Pass one "
                f"for drugs and one for lines at most."
            )
        columns[side] = name
    sources = layers_of(adata, layer, key)
    source = "corrected" if "corrected" in sources else list(sources)[-1]
    at = sources[source]
    values = values_of(adata, at)
    drugs, lines = (np.flatnonzero(np.isfinite(values).any(along)) for along in (1, 0))
    values = values[np.ix_(drugs, lines)]
    sides = {
        side: _side(adata, side, items, values, source, columns.get(side))
        for side, items in (("drugs", drugs), ("lines", lines))
    }
    left, top = sides["drugs"], sides["lines"]
    figure, axes = _panels(left, top)
    ax = axes["matrix"]
    difference = values - np.nanmean(values, axis=1, keepdims=True)
    limit = float(np.nanpercentile(np.abs(difference), 98))
    image = ax.imshow(
        difference[np.ix_(left.order, top.order)], aspect="auto", cmap="viridis", vmin=-limit,
        vmax=limit, interpolation="nearest", rasterized=True,
    )  # fmt: skip
    _tree(axes["left tree"], left, upright=False)
    _tree(axes["top tree"], top, upright=True)
    if left.lanes:
        _lanes(axes["left lanes"], left, upright=True)
    if top.lanes:
        _lanes(axes["top lanes"], top, upright=False)
    _names(ax, left, top)
    figure.colorbar(
        image, ax=ax, location="bottom", extend="both", shrink=0.7, aspect=50,
        label=_difference_label(adata, at),
    )  # fmt: skip
    axes["top tree"].set_title(f"{source}: Ward's linkage, by correlation")
    return figure


class _Side(NamedTuple):
    """The drugs, or the lines, in the order of their tree."""

    what: str
    names: list[str]
    order: NDArray[np.int_]
    tree: Matrix
    group_key: str
    lanes: dict[str, NDArray[np.bool_]]  # by name and size: which are marked, in the order drawn


def _side(
    adata: AnnData,
    side: str,
    items: NDArray[np.intp],
    values: Matrix,
    source: str,
    group_key: str | None,
) -> _Side:
    from scipy.cluster.hierarchy import leaves_list

    table = getattr(adata, AXES[side]).iloc[items]
    names = np.asarray(table.index, dtype=str)
    tree = ward(named_profiles(values, side, names, source))
    order = leaves_list(tree)
    lanes = {} if group_key is None else _members(with_labels(table[group_key].iloc[order]))
    what = "drugs" if side == "drugs" else "cell lines"
    return _Side(what, list(names[order]), order, tree, group_key or "", lanes)


def _members(column: pd.Series) -> dict[str, NDArray[np.bool_]]:
    """Items of each of the largest groups, and of all others."""
    known = np.asarray(column.notna())
    labels = labels_of(column)
    groups, sizes = np.unique(labels[known], return_counts=True)
    by_size = groups[np.argsort(-sizes, kind="stable")]
    named = by_size[: len(OKABE_ITO)]
    lanes = {str(name): known & (labels == name) for name in named}
    if groups.size > named.size:
        lanes[f"{groups.size - named.size} other group(s)"] = known & ~np.isin(labels, named)
    return {f"{name} ({marked.sum()})": marked for name, marked in lanes.items()}


def _panels(left: _Side, top: _Side) -> tuple[Figure, dict[str, Axes]]:
    """Make a tree, then lanes if there are any, on both sides of the matrix."""
    import matplotlib.pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    sizes = []
    for side, least, most in ((left, 4.0, 7.0), (top, 5.0, 9.0)):
        matrix = min(max(_TEXT * len(side.names), least), most)
        sizes.append([_TREE, *([_LANE * len(side.lanes)] if side.lanes else []), matrix])
    widths, heights = sizes
    room = [2 + _LETTER * max(map(len, side.lanes), default=0) for side in (top, left)]
    close = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure = plt.figure(figsize=(sum(widths) + room[0], sum(heights) + room[1]), layout=close)
    grid = figure.add_gridspec(
        len(heights), len(widths), width_ratios=widths, height_ratios=heights
    )
    ax = figure.add_subplot(grid[-1, -1])
    axes = {"matrix": ax, "left tree": figure.add_subplot(grid[-1, 0], sharey=ax)}
    axes["top tree"] = figure.add_subplot(grid[0, -1], sharex=ax)
    if left.lanes:
        axes["left lanes"] = figure.add_subplot(grid[-1, 1], sharey=ax)
    if top.lanes:
        axes["top lanes"] = figure.add_subplot(grid[1, -1], sharex=ax)
    return figure, axes


def _tree(ax: Axes, side: _Side, *, upright: bool) -> None:
    """Draw the tree; scipy's own drawing recurses, and fails on deep trees."""
    from matplotlib.collections import LineCollection

    n = len(side.order)
    at, height = np.empty(2 * n - 1), np.zeros(2 * n - 1)
    at[side.order] = np.arange(n)
    height[n:] = side.tree[:, 2]
    a, b = side.tree[:, :2].astype(int).T
    for k in range(n - 1):
        at[n + k] = (at[a[k]] + at[b[k]]) / 2
    across = np.stack([at[a], at[a], at[b], at[b]], axis=1)
    up = np.stack([height[a], height[n:], height[n:], height[b]], axis=1)
    lines = np.stack([across, up] if upright else [up, across], axis=2)
    ax.add_collection(LineCollection(list(lines), colors="0.2", linewidths=0.5), autolim=False)
    limits = (0, 1.02 * height.max())
    ax.set(ylim=limits) if upright else ax.set(xlim=limits[::-1])
    ax.axis("off")


def _lanes(ax: Axes, side: _Side, *, upright: bool) -> None:
    """Mark the members of each group in a lane with its name."""
    from matplotlib.colors import to_rgba

    shape = len(side.lanes), len(side.order)
    picture = np.ones((*shape, 4))
    for lane, color, marked in zip(picture, (*OKABE_ITO, _REST), side.lanes.values(), strict=False):
        lane[marked] = to_rgba(color)
    across, along = (np.arange(size + 1) - 0.5 for size in shape)
    # No image, which would lose marks narrower than a pixel.
    if upright:
        ax.pcolormesh(across, along, picture.swapaxes(0, 1), antialiased=True, rasterized=True)
    else:
        ax.pcolormesh(along, across, picture, antialiased=True, rasterized=True)
        ax.invert_yaxis()
    names = list(side.lanes)
    places = range(len(names))
    if upright:
        ax.set_xticks(places, names, rotation=90, fontsize="small")
        ax.tick_params(left=False, labelleft=False, bottom=False)
        ax.set_xlabel(side.group_key)
    else:
        ax.set_yticks(places, names, fontsize="small")
        ax.tick_params(right=False, labelright=True, left=False, labelleft=False, bottom=False,
                       labelbottom=False)  # fmt: skip
        ax.set_ylabel(side.group_key, rotation=0, ha="right", va="center")
    for edge in list(places)[1:]:
        (ax.axvline if upright else ax.axhline)(edge - 0.5, color="0.85", linewidth=0.5)
    ax.spines[:].set(color="0.85")


def _names(ax: Axes, left: _Side, top: _Side) -> None:
    """Name drugs on the right and lines below, if there is room."""
    ax.yaxis.set_label_position("right")
    ax.yaxis.tick_right()
    for axis, side, rotation in ((ax.yaxis, left, 0), (ax.xaxis, top, 90)):
        named = len(side.names) <= _MOST_NAMES
        axis.set_ticks(range(len(side.names)) if named else [], side.names if named else [])
        axis.set_tick_params(length=0, labelsize="x-small", labelrotation=rotation)
        axis.set_label_text(f"{len(side.names)} {side.what}")


def _difference_label(adata: AnnData, layer: str) -> str:
    """Name, direction and unit of the colours."""
    measure = measure_at(adata, layer)
    label = f"{measure_label(measure)}, minus the drug's mean"
    unit = measure.get("unit")
    return "\n".join([label, *(textwrap.wrap(str(unit), 80) if unit else [])])
