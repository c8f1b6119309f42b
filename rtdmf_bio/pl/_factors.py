"""What the modes of the fitted chain hold, in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..model.checks import check_table
from ._style import axes_or_new, grey_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def factors(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how much of each mode every property explains, beyond chance.

    Numbers are adjusted r squared, (r2 - chance) / (1 - chance), blank where the q value is above
    0.05; beneath them, the group that lies furthest out.

    Parameters
    ----------
    table
        From :func:`rtdmf_bio.tl.factors`.
    ax
        Axes to draw on.

    Returns
    -------
    The axes.

    Raises
    ------
    ValueError
        If ``table`` is none of that function.
    """
    needed = {"factor", "share", "axis", "property", "r2", "chance", "qvalue", "group"}
    check_table(table, needed, "tl.factors")
    modes = list(dict.fromkeys(table["factor"]))
    what = list(dict.fromkeys(table["axis"] + ": " + table["property"]))
    shown = np.full((len(what), len(modes)), np.nan)
    size = max(7.5, 2.8 + 1.0 * len(modes)), 1.8 + 0.5 * len(what)
    ax = axes_or_new(ax, *size)
    texts = {}
    for row in table[table["qvalue"] <= 0.05].itertuples():
        i, j = what.index(f"{row.axis}: {row.property}"), modes.index(row.factor)
        shown[i, j] = (row.r2 - row.chance) / (1 - row.chance)
        name = row.group if len(row.group) <= 14 else f"{row.group[:13]}…"
        texts[i, j] = f"{shown[i, j]:.2f}\n{name}".strip()
    label = "adjusted r² (blank: q > 0.05)"
    grey_cells(ax, shown, texts, label, aspect="auto", fontsize="x-small")
    share = table.drop_duplicates("factor")["share"]
    labels = [f"{k}\n{s:.0%}" for k, s in zip(modes, share, strict=True)]
    ax.set_xticks(range(len(modes)), labels, fontsize="small")
    ax.set_yticks(range(len(what)), what, fontsize="small")
    ax.set(
        xlabel="mode, and its share of the broad structure beside drug and line effects",
        title="What the modes go with: loadings of drugs, scores of lines",
    )
    ax.xaxis.label.set_fontsize("small")
    ax.title.set_fontsize("medium")
    return ax
