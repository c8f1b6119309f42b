"""What a search for settings found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.checks import check_choice
from ._style import BLUE, CHOSEN, GREEN, GRID, ORANGE, PLAIN, PURPLE, TRIVIAL, panels_or_new

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEVELS = ((BLUE, "o"), (GREEN, "s"), (PURPLE, "D"), (ORANGE, "v"))
_RESULTS = ("validation_mse", "validation_robust")
_LABELS = {
    "mse": "mean squared error\nof imputed values",
    "robust": "truncated squared error\nof the broad structure",
}


def tuning(
    adata: AnnData, *, key: str = "rtdmf", criterion: str | None = None, ax: Axes | None = None
) -> Figure:
    """Draw the validation score of every candidate, one panel for each parameter varied.

    A point is a candidate; the line joins the best candidate at each value, so that its slope
    says what the parameter is worth once the others are well chosen. The star is the one chosen.
    Colours and symbols tell the values of the first parameter that is a name, such as the loss.
    Trivial answers are dashed lines, or named above the panels with the factor by which they are
    worse, if they lie far off; candidates beyond the axis are triangles at its upper edge.

    Parameters
    ----------
    adata
        Tuned by :func:`rtdmf_bio.pp.tune`.
    key
        Its ``key_added``.
    criterion
        Score to draw, ``"robust"`` or ``"mse"``. None: the one that chose.
    ax
        Axes to draw on, if a single parameter was varied.

    Returns
    -------
    The figure.

    Raises
    ------
    ValueError
        If there is no tuning under ``key``, or ``ax`` is given for several parameters.
    """
    found = adata.uns.get(key, {})
    if "tuning" not in found:
        raise ValueError(
            f"adata holds no tuning under {key!r}. Run rtdmf_bio.pp.tune(adata) first, or pass "
            f"the key it was given."
        )
    table, params = found["tuning"], found["tuning_params"]
    criterion = criterion or params["criterion"]
    check_choice("criterion", criterion, _LABELS)
    column = f"validation_{criterion}"
    names = list(table.columns[: table.columns.get_loc(_RESULTS[0])])
    names = [name for name in names if table[name].nunique() > 1] or names[:1] or [""]
    if ax is not None and len(names) > 1:
        raise ValueError(f"{len(names)} parameters were varied, which one ax cannot hold.")
    figure, panels = panels_or_new(
        None if ax is None else [ax], names, 1.5 + 2.4 * len(names), 3.8, sharey=True
    )
    fitted = table[np.isfinite(table[column])]
    low, high = _limits(np.asarray(fitted[column]))
    scores = found["tuning_scores"].set_index("answer")[column].drop("chosen")
    hue = next((n for n in names if n and 2 <= table[n].nunique() <= 4 and _is_name(table[n])), "")
    for panel, name in zip(panels, names, strict=True):
        _panel(panel, fitted, name, hue, column, high)
        panel.set_ylim(low, high)
        for answer, value in scores.items():
            if value < high:
                panel.axhline(value, color=TRIVIAL, linestyle="--", linewidth=1)
                if panel is panels[-1]:
                    panel.annotate(
                        str(answer), (1, value), xycoords=("axes fraction", "data"),
                        xytext=(-3, 3), textcoords="offset points", ha="right", fontsize="small",
                    )  # fmt: skip
    panels[0].set_ylabel(f"validation: {_LABELS[criterion]}", fontsize="small")
    best = fitted[column].min()
    far = [f"{name} {v:.3g} ({v / best:.1f} x best)" for name, v in scores.items() if v >= high]
    title = f"{len(fitted)} candidates, held out by {params['by']}, chosen by {params['criterion']}"
    if len(fitted) < len(table):
        title += f", {len(table) - len(fitted)} failed"
    if far:
        title += "\n↑ off the scale: " + ", ".join(far)
    if ax is None:
        figure.suptitle(title, fontsize="medium")
        handles, labels = panels[0].get_legend_handles_labels()
        handles.append(panels[0].plot([], [], color="0.3", linewidth=1.2)[0])
        labels.append("best at each value")
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small",
            frameon=False,
        )  # fmt: skip
    else:
        ax.set_title(title, fontsize="medium")
        ax.legend(fontsize="small")
    return figure


def _limits(scores: Any) -> tuple[float, float]:
    """From the best to the worst, unless a few are so bad that the others would look alike."""
    low, middle, high = np.min(scores), np.median(scores), np.max(scores)
    high = min(high, low + 4 * (middle - low)) if middle > low else high
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return float(low - room), float(high + room)


def _is_name(values: pd.Series) -> bool:
    return values.dtype.kind not in "iuf"


def _panel(ax: Axes, table: pd.DataFrame, name: str, hue: str, column: str, high: float) -> None:
    """Scores against the values of one parameter, evenly spaced in their order."""
    values = table[name] if name else table["error"]
    known = list(values.unique()) if _is_name(values) else sorted(values.unique())
    x = np.array([known.index(value) for value in values])
    y = np.asarray(table[column])
    inside = y < high
    levels = list(table[hue].unique()) if hue else [None]
    for k, level in enumerate(levels):
        here = np.asarray(table[hue] == level) if hue else np.full(len(y), True)
        color, marker = _LEVELS[k] if hue else (PLAIN, "o")
        label = f"{hue} = {level}" if hue else "candidate"
        shown, beyond = here & inside, here & ~inside
        ax.scatter(x[shown], y[shown], s=24, color=color, marker=marker, label=label, zorder=2)
        ax.scatter(
            x[beyond], np.full(beyond.sum(), 0.97), s=24, marker="^", color=color, zorder=2,
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip
    best = np.array([y[x == k].min() for k in range(len(known))])
    # Names have no order that a line could follow.
    style: Any = {"linestyle": "none", "marker": "_", "markersize": 30} if _is_name(values) else {}
    ax.plot(range(len(known)), best, color="0.3", linewidth=1.2, zorder=1.5, **style)
    chosen = np.asarray(table["chosen"])
    ax.scatter(
        x[chosen], y[chosen], s=170, marker="*", color=CHOSEN, zorder=4, label="chosen",
        edgecolor="black", linewidth=0.5,
    )  # fmt: skip
    labels = [f"{value:g}" if values.dtype.kind == "f" else str(value) for value in known]
    crowded = sum(map(len, labels)) > 18
    ax.set_xticks(range(len(known)), labels, rotation=45 if crowded else 0, fontsize="small")
    ax.set(xlabel=name, xlim=(-0.5, len(known) - 0.5))
    ax.grid(axis="y", color=GRID, zorder=0)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
