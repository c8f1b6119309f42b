"""Values that are only known to lie beyond a bound, such as an IC50 above the largest dose.

A file says so by an infinite value, or by text such as ``>8``. What is kept is the bound and its
side: 1 where the true value is at the bound or above, -1 where it is at or below, 0 where the
value is exact.

All summaries of replicates rise, or stay, where one of their values rises. So the summary of the
bounds is itself a bound: of the side on which it moves where censored values go on to infinity. It
is exact where it does not move, as the median of 1, 2 and >8, and where it moves to both sides, as
the mean of <1 and >8, it is a bound of none.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rtdmf_bio._adata.measure import KINDS, MICROMOLAR

from .summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .summary import Summary

Array: TypeAlias = NDArray[np.float64]
Sides: TypeAlias = NDArray[np.int8]
Censored: TypeAlias = Literal["bound", "nan", "keep", "error"]
CENSORED = ("bound", "nan", "keep", "error")

_ENTRY = re.compile(
    r"\s*(?P<side>[<>]=?|[≤≥])?\s*(?P<number>[-+\u2212]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"\s*(?P<unit>[a-zA-Zµμ]+|%)?\s*"
)
_MISSING = ("", "NA", "NaN")


def from_text(entries: Sequence[Any], unit: str | None) -> tuple[Array, Sides, list[str]]:
    """Read numbers, and bounds such as ``>8`` or ``<= 10 nM``, from text.

    Parameters
    ----------
    entries
        Text, and None or NaN where missing.
    unit
        That of the measure; one of concentration lets entries have a unit of concentration.

    Returns
    -------
    values, sides, lost
        Numbers to their last digit, NaN where missing; sides of bounds; entries that are neither.
    """
    missing = (math.nan, 0)
    found = {entry: _number(entry, unit) for entry in set(entries) if isinstance(entry, str)}
    read = [found[entry] if isinstance(entry, str) else missing for entry in entries]
    lost = [entry for entry, pair in zip(entries, read, strict=True) if pair is None]
    values, sides = zip(*(pair or missing for pair in read), strict=True) if read else ((), ())
    return np.array(values, dtype=np.float64), np.array(sides, dtype=np.int8), lost


def _number(entry: str, unit: str | None) -> tuple[float, int] | None:
    """Value and side of one entry, None if it is no number."""
    if entry.strip() in _MISSING:
        return math.nan, 0
    match = _ENTRY.fullmatch(entry)
    if match is None:
        # Not by pandas, which reads less than every digit.
        try:
            return None if "_" in entry else (float(entry), 0)
        except ValueError:
            return None
    factor = 1.0
    if match["unit"] == "%":
        factor = 1.0 if unit is not None and unit.startswith("%") else math.nan
    elif match["unit"]:
        factor = _micromolar(match["unit"]) / _micromolar(unit or "")
    if math.isnan(factor):
        return None
    side = {"": 0, ">": 1, "≥": 1, "<": -1, "≤": -1}[(match["side"] or "").rstrip("=")]
    return float(match["number"].replace("\u2212", "-")) * factor, side


def _micromolar(unit: str) -> float:
    return MICROMOLAR.get(re.sub("[µμ]", "u", unit), math.nan)


def infinite_sides(values: Array, bounds: Any) -> Sides:
    """Sides of infinite values, where the measure has no bound that they would break."""
    low, high = bounds or (-np.inf, np.inf)
    above = np.isposinf(values) & np.isposinf(high)
    below = np.isneginf(values) & np.isneginf(low)
    return (above.astype(np.int8) - below.astype(np.int8)).astype(np.int8)


def zero_sides(values: Array, kind: str | None) -> Sides:
    """Sides of zeros in concentrations: a fit gives 0 where all that it knows is that it is small.

    No concentration is 0, and of 0 there is no logarithm.
    """
    return np.where((values == 0) & (kind in DOSES), -1, 0).astype(np.int8)


# What the largest dose in micromoles per litre is, in each kind of measure.
_OF_DOSE: dict[str, Callable[[Array], Array]] = {
    "ln_ic50": np.log,
    "log10_ic50": np.log10,
    "log2_ic50": np.log2,
    "pic50": lambda dose: 6 - np.log10(dose),
}
DOSES = tuple(kind for kind, entry in KINDS.items() if entry.linear)
"""Kinds of measures that are doses themselves, in micromoles per litre."""


def at_bounds(
    values: Array,
    sides: Sides,
    drug: NDArray[np.int64],
    largest: Array | None,
    kind: str | None,
    smallest: Array | None = None,
) -> Array:
    """Put infinite values, and zeros of concentrations, at their bound.

    This is the largest dose of the experiment, where known and the measure is a concentration or
    its logarithm, of zeros the smallest dose of all of the drug; else the most extreme finite value
    of the drug above 0, else of all drugs.

    Parameters
    ----------
    values, sides, drug
        Value, side and number of the drug of each experiment.
    largest
        Largest dose of each experiment in uM, NaN where not known; None if no dose is.
    smallest
        Smallest dose, as `largest`.
    kind
        Name in ``KINDS``, None if not known.

    Raises
    ------
    ValueError
        No value is finite, and doses are not known.
    """
    zero = (values == 0) & (sides == -1) & (kind in DOSES)
    values = np.where(zero, -np.inf, values)
    turn = np.asarray if kind in DOSES else _OF_DOSE.get(kind or "")
    beyond = -1 if kind == "pic50" else 1
    for side in (1, -1):
        at = np.flatnonzero(np.isinf(values) & (sides == side))
        if not at.size:
            continue
        bound = np.full(at.size, np.nan)
        if turn is not None and side == beyond and largest is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                bound = np.asarray(turn(largest[at]), dtype=np.float64)
            bound[~np.isfinite(bound)] = np.nan
        if side == -1 and kind in DOSES and smallest is not None:
            least = pd.Series(smallest).groupby(drug).min()
            bound = least.reindex(drug[at]).to_numpy(dtype=np.float64, copy=True)
        finite = np.isfinite(values)
        extreme = pd.Series(values[finite]).groupby(drug[finite])
        own = (extreme.max() if side > 0 else extreme.min()).reindex(drug[at]).to_numpy()
        bound = np.where(np.isnan(bound), own, bound)
        if np.isnan(bound).any():
            if not finite.any():
                raise ValueError("no value is finite")
            every = values[finite].max() if side > 0 else values[finite].min()
            bound = np.where(np.isnan(bound), every, bound)
        values[at] = bound
    return values


def summarize_sides(
    drug: NDArray[np.int64],
    line: NDArray[np.int64],
    values: Array,
    sides: Sides,
    shape: tuple[int, int],
    how: Summary,
) -> Sides:
    """Sides of summaries of drugs x lines, 0 for what is exact or a bound of neither side."""
    summary = summarize(drug, line, values, shape, how)[0]
    moved = {}
    for side in (1, -1):
        extreme = np.where((sides == side) & ~np.isnan(values), side * np.inf, values)
        moved[side] = summarize(drug, line, extreme, shape, how)[0]
    there = ~np.isnan(summary)
    above, below = (there & (moved[side] != summary) for side in (1, -1))
    return np.asarray(above.astype(np.int8) - below.astype(np.int8))
