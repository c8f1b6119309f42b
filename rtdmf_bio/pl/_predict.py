"""How well held-out cell lines are predicted, beside the drug mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..model.checks import check_table
from ._style import BOXES, CORRECTED, MEASURED, TRIVIAL, axes_or_new, spread_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS = {"measured": (MEASURED, "", "o"), "corrected": (CORRECTED, "////", "^")}
_COLUMNS = {"drug", "model", "training", "scored_against", "rmse"}
_DRUG_MEAN = "drug mean"


def prediction(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the error of each drug's predictions relative to that of the drug mean.

    One point per drug for each training, with boxes of quartiles, whose whiskers reach to the last
    drug within 1.5 times their height. The two targets stand side by side. That of the corrected
    values is smooth and flatters: compare trainings by the measurements.

    Parameters
    ----------
    table
        From :func:`rtdmf_bio.tl.predict`, or several of different models joined by
        :func:`pandas.concat`.
    ax
        Axes to draw on.

    Returns
    -------
    The axes. Below the line at 1 a drug is predicted better than by its mean over other lines.

    Raises
    ------
    ValueError
        If ``table`` is not of this kind, or holds the same row twice.

    Examples
    --------
    >>> import pandas as pd
    >>> import rtdmf_bio as rt
    >>> screen = rt.datasets.simulate(40, 80)
    >>> genes = pd.DataFrame(screen.layers["low_rank"].T, index=screen.var_names)
    >>> table = rt.tl.predict(
    ...     screen, genes, training="knn", group_key="group", correction={"loss": "squared"},
    ...     n_folds=2, progress=False,
    ... )
    >>> ax = rt.pl.prediction(table)
    """
    from matplotlib.patches import Patch

    check_table(table, _COLUMNS, "tl.predict")
    if _DRUG_MEAN not in set(table["training"]):
        raise ValueError(
            "table must be what rtdmf_bio.tl.predict returns, with the rows of the drug mean."
        )
    keys = ["model", "drug", "scored_against"]
    if table.duplicated([*keys, "training"]).any():
        raise ValueError(
            "table holds a drug, model, training and target twice. Draw one run of "
            "rtdmf_bio.tl.predict for each model."
        )
    drawn = table[table["training"] != _DRUG_MEAN]
    trivial = table[table["training"] == _DRUG_MEAN].set_index(keys)["rmse"]
    drawn = drawn.assign(
        relative=drawn["rmse"] / trivial.reindex(pd.MultiIndex.from_frame(drawn[keys])).to_numpy()
    )
    boxes = list(drawn.groupby(["model", "training"], sort=False))
    ax = axes_or_new(ax, 2 + 1.3 * len(boxes), 4.6)
    for k, (against, (color, hatch, marker)) in enumerate(_LOOKS.items()):
        side = 0.2 * (2 * k - 1)
        for at, (_, rows) in enumerate(boxes):
            values = np.asarray(
                rows.loc[rows["scored_against"] == against, "relative"], dtype=float
            )
            values = np.sort(values[np.isfinite(values)])
            ax.scatter(
                at + side + 0.24 * spread_out(values), values, s=9, color="black", marker=marker,
                alpha=0.4, linewidth=0, rasterized=True, zorder=3,
            )  # fmt: skip
            ax.boxplot(
                [values], positions=[at + side], widths=0.34, manage_ticks=False,
                patch_artist=True, boxprops={"facecolor": color, "alpha": 0.6, "hatch": hatch},
                **BOXES,
            )  # fmt: skip
    ax.axhline(1, color=TRIVIAL, linestyle="--", linewidth=0.8, zorder=1)
    several = table["model"].nunique() > 1
    ax.set_xticks(
        range(len(boxes)),
        [f"{training}\n({model})" if several else training for (model, training), _ in boxes],
    )
    ax.set(
        xlabel="trained on",
        xlim=(-0.6, len(boxes) - 0.4),
        ylabel="RMSE / RMSE of the drug mean\n(below 1 = better)",
        title=f"held-out cell lines, {table['drug'].nunique()} drugs"
        + ("" if several else f", {table['model'].iloc[0]}"),
    )
    ax.legend(
        handles=[
            Patch(facecolor=color, alpha=0.6, hatch=hatch, edgecolor="black",
                  label=f"against {name} values" + " (flatters)" * (name == "corrected"))
            for name, (color, hatch, _) in _LOOKS.items()
        ],
        fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False,
    )  # fmt: skip
    return ax
