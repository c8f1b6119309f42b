"""One look for all pictures: a colour for each thing, and what several of them draw alike.

What colours tell apart, markers, hatches, line styles or names do, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Okabe-Ito, which differ in lightness too: readable in greyscale and by the colour-blind.
OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#000000", "#F0E442")
ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE, BLACK, YELLOW = OKABE_ITO

MEASURED, CORRECTED, LOW_RANK = BLUE, ORANGE, GREEN
TRIVIAL, GRAND_MEAN = BLACK, "0.45"
# High residuals: retained, not retained, all of them. R's plot.R has the first two, the sides and
# what is plain alike.
KEPT, DROPPED, HIGH = VERMILLION, BLUE, PURPLE
ENRICHED = SKY
WILD_TYPE, MUTATED = BLUE, VERMILLION
CHOSEN = VERMILLION
PLAIN = "0.75"  # noise, not significant, not chosen
GRID = "0.9"
# Colour and marker of what lies to one side.
SIDES = {
    "sensitive": (VERMILLION, "o"),
    "resistant": (BLUE, "s"),
    "below": (VERMILLION, "o"),
    "above": (BLUE, "s"),
    "lower": (VERMILLION, "v"),
    "higher": (BLUE, "^"),
}
# Boxes of quartiles, with points of their own beneath or above.
BOXES: dict[str, Any] = {
    "showfliers": False,
    "medianprops": {"color": "black", "linewidth": 2},
    "zorder": 2,
}


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes given, or new ones of a size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def panels_or_new(
    axes: Sequence[Axes] | None, names: Sequence[str], width: float, height: float, **share: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes, one for each name: those given, or a row of new ones."""
    if axes is not None:
        panels = list(axes)
        if len(panels) != len(names):
            raise ValueError(
                f"The axes parameter must have one for each of {list(names)}. Got {len(panels)}."
            )
        return cast("Figure", panels[0].figure), panels
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(
        1, len(names), squeeze=False, figsize=(width, height), layout="constrained", **share
    )
    return figure, list(grid[0])


def spread_out(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places from -0.5 to 0.5 beside each other, at which points hide few of their neighbours."""
    places = np.empty(values.size)
    # Multiples of the golden ratio, modulo 1, in order of value: neighbours lie far apart.
    steps = (np.arange(values.size) * 0.6180339887 + 0.5) % 1 - 0.5
    places[np.argsort(values, kind="stable")] = steps
    return places


def grey_cells(
    ax: Axes,
    values: NDArray[np.float64],
    texts: Mapping[tuple[int, int], str],
    label: str,
    *,
    aspect: Literal["equal", "auto"] = "equal",
    fontsize: str | None = None,
) -> None:
    """Draw values from 0 to 1 in greys, some with a text, and name them beside a colour bar."""
    image = ax.imshow(values, aspect=aspect, cmap="Greys", vmin=0, vmax=1)
    for (i, j), text in texts.items():
        ax.text(
            j, i, text, ha="center", va="center", fontsize=fontsize,
            color="white" if values[i, j] > 0.5 else "black",
        )  # fmt: skip
    ax.figure.colorbar(image, ax=ax, label=label)
