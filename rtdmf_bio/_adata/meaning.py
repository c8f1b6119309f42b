"""What the values of a screen say of themselves, against what is said of them.

Looked at before anything is computed: which way round the matrix is, whether concentrations are on
a linear scale, and whether values keep to their stated bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.checks import as_numbers, check_choice, name_some
from ..model.extremes import codes
from .inputs import matrix_of
from .measure import KINDS, bounds_of, in_micromolar, kind_name, measure_of
from .names import looks_like

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

# A few values outside are noise, as of an AUC of 1.02; a unit or a direction that is another one
# puts a good share of them far outside. In simulated assays with noise of a seventh of the bounds'
# width 1 % lie beyond a quarter of it.
MOST_OUTSIDE = 0.02
_MARGIN = 0.25  # of the width of the bounds, or of the middle nine tenths where they are open

# What tells concentrations on a linear scale, where nothing is stated. Chosen on exp(ln IC50) of
# GDSC1 and on GI50 of NCI-60, and on 24 drugs x 40 lines of either; GDSC1000, FIMM and PharmacoGx's
# GDSC and CCLE agree. In brackets: these two, then the most that AUC, 1 - AUC, activity areas and
# drug sensitivity scores of six screens and all simulated assays have.
_TAIL = 12.0  # hundredth of the largest values, in medians of all (53, 48; 9.4)
_DECADES = 3.0  # between the extreme half hundredths (5.7, 4.0; 4.0)
_SKEW = 0.45  # of the typical drug, (q95 + q5 - 2 q50) / (q95 - q5) (0.76, 0.57; 0.52)
_SKEW_OF_LOG = -0.2  # the same of the logarithm, at least: areas are few and small (-0.04, -0.06)
_UP = 2.5  # q95 of the typical drug, in its median (7.1, 3.6)
_FRACTION = 1e-3  # median at least, where none is above 1: fractions, not molar concentrations
_FEWEST, _FEWEST_OF_DRUG = 50, 5  # values
_SAMPLE, _SOME = 1_000_000, 1_000  # values, and drugs, that are looked at
# What tells logarithms of concentrations under the name of a concentration. In brackets: ln nM,
# log10 nM and pIC50 of GDSC1 and GDSC1000; then their IC50.
_LOG_RANGE = (0.3, 16.0)  # of the extreme hundredths (0.5 to 13.7; 0.003 to 850)
_LOG_DECADES = 1.5  # between them, at most (1.04; 5.1)
_LOG_DECADES_OF_DRUG = 0.5  # between q5 and q95 of the typical drug (0.3; 1.7)
_LOG_SKEW = 0.45  # of all values and of the typical drug, to either side (0.3 and 0.1; 0.9 and 0.8)
_FEW_BELOW = 0.02  # of the values may be 0 or less, where a unit says that they are concentrations
_LOGARITHMS = ("ln_ic50", "log10_ic50", "log2_ic50", "pic50")

CONCENTRATION = ("error", "log", "linear")


def kind_of(measure: dict[str, Any]) -> str | None:
    """Kind of measure in KINDS, as it is stated or as the name tells."""
    for said in (measure.get("kind"), measure.get("name")):
        found = kind_name(said) if isinstance(said, str) else None
        if found is not None:
            return found
    return None


def check_orientation(adata: AnnData, group_key: str | Sequence[str] | None = None) -> None:
    """Refuse cell lines as ``obs``, which is scanpy's way round.

    Raises
    ------
    ValueError
        If the names of ``obs`` are those of cell lines, or the names of ``var`` those of drugs, or
        the groups of lines are a column of ``obs``.
    """
    obs, var = looks_like(list(adata.obs_names)), looks_like(list(adata.var_names))
    keys = [group_key] if isinstance(group_key, str) else list(group_key or ())
    turned = [key for key in keys if key in adata.obs and key not in adata.var]
    why = ""
    if obs == "lines" and var != "lines":
        why = f"its obs have names of cell lines: {name_some(list(adata.obs_names), 3)}"
    elif var == "drugs" and obs != "drugs":
        why = f"its var have names of drugs: {name_some(list(adata.var_names), 3)}"
    elif turned and obs != "drugs" and var != "lines":
        why = f"the groups of cell lines, {turned[0]!r}, are a column of its obs"
    if why:
        raise ValueError(
            f"adata seems to be the other way round, cell lines x drugs: {why}. Drugs must be obs "
            f"and cell lines var. Turn it: adata = adata.T (of a table, rtdmf-bio correct takes "
            f"--drugs-in columns; if you passed that, leave it out)."
        )


def linear_concentrations(measure: dict[str, Any], values: NDArray[np.float64]) -> str:
    """Why values are taken for concentrations on a linear scale; empty if they are not.

    Parameters
    ----------
    measure
        What is said of them.
    values
        (n drugs, p lines), NaN where there is none, without codes for missing ones.

    Raises
    ------
    ValueError
        If they are said to be concentrations and can be none.
    """
    kind = kind_of(measure)
    below = float((values <= 0).sum() / max(np.isfinite(values).sum(), 1))
    stated = str(measure.get("name") or kind or "a concentration")
    if kind is not None and KINDS[kind].linear:
        if below > _FEW_BELOW:
            raise ValueError(
                f"The measure is stated as {stated!r}, a concentration, but {below:.1%} of the "
                f"values are 0 or less. If they are logarithms already, say so: "
                f"adata.uns['measure']['kind'] = 'ln_ic50' (or 'log10_ic50', 'log2_ic50', 'pic50')."
            )
        refuse_logarithms(values, stated)
        return f"{stated} is a concentration"
    if kind is None and in_micromolar(measure.get("unit")) and below <= _FEW_BELOW:
        refuse_logarithms(values, stated)
        return f"their unit is {measure['unit']}"
    if kind in _LOGARITHMS and spans_decades(values):
        raise ValueError(
            f"The measure is stated as {stated!r}, which are logarithms, but its values contradict "
            f"that: they are concentrations on a linear scale, all above 0, and span decades with "
            f"a long tail to large values. State what they are: adata.uns['measure'] = "
            f"{{'name': 'IC50', 'kind': 'ic50', 'unit': 'uM'}} (of a table, rtdmf-bio correct "
            f"--measure ic50). Then take logarithms: rtdmf_bio.pp.log_concentrations(adata), or "
            f"concentration='log' in pp.correct (rtdmf-bio correct --concentration log). "
            f"concentration='linear' corrects them as they are."
        )
    if kind is None and spans_decades(values):
        return (
            "nothing else is stated, they are all above 0 and span decades, with a long tail to "
            "large values"
        )
    return ""


def refuse_logarithms(values: NDArray[np.float64], stated: str) -> None:
    """Refuse what is called a concentration and has the values of a logarithm of one.

    Raises
    ------
    ValueError
        If :func:`looks_logarithmic`.
    """
    if looks_logarithmic(values):
        known = values[np.isfinite(values)]
        raise ValueError(
            f"The measure is stated as {stated!r}, a concentration, but its values look like "
            f"logarithms already: they go from {known.min():.4g} to {known.max():.4g}, evenly, "
            f"where concentrations span decades. State which: adata.uns['measure'] = {{'name': "
            f"'pic50', 'kind': 'pic50', 'higher_is': 'sensitive'}} where higher is sensitive (of "
            f"a table, rtdmf-bio correct --measure pic50), or {{'name': 'log10_ic50', 'kind': "
            f"'log10_ic50', 'higher_is': 'resistant'}} (--measure log10_ic50, or ln_ic50, "
            f"log2_ic50). If they are concentrations nevertheless, take their logarithms by "
            f"numpy.log and state 'ln_ic50', or correct them by concentration='linear'."
        )


def looks_logarithmic(values: NDArray[np.float64]) -> bool:
    """Whether values under the name of a concentration have the distribution of its logarithm.

    As pIC50, log10 nM or ln nM, they lie in a narrow range above 0, and evenly in it, as do those
    of each drug. Nothing is said of few values, nor of many at one bound.

    Parameters
    ----------
    values
        (n drugs, p lines), NaN where there is none, without codes for missing ones.
    """
    known = values[np.isfinite(values)]
    if known.size < _FEWEST:
        return False
    sample = known[:: math.ceil(known.size / _SAMPLE)]
    low, q5, middle, q95, high = np.quantile(sample, [0.01, 0.05, 0.5, 0.95, 0.99])
    if low < _LOG_RANGE[0] or high > _LOG_RANGE[1] or math.log10(high / low) > _LOG_DECADES:
        return False
    some = values[np.isfinite(values).sum(1) >= _FEWEST_OF_DRUG]
    some = some[:: math.ceil(max(len(some), 1) / _SOME)]
    if not len(some) or not q95 > q5:
        return False
    ends = np.nanquantile(some, [0.05, 0.5, 0.95], axis=1)
    ends = ends[:, (ends[2] > ends[0]) & (ends[0] > 0)]
    if not ends.size:
        return False
    skew = float(np.median((ends[2] + ends[0] - 2 * ends[1]) / (ends[2] - ends[0])))
    of_all = (q95 + q5 - 2 * middle) / (q95 - q5)
    decades = float(np.median(np.log10(ends[2] / ends[0])))
    return max(abs(skew), abs(of_all)) <= _LOG_SKEW and decades <= _LOG_DECADES_OF_DRUG


def spans_decades(values: NDArray[np.float64]) -> bool:
    """Whether values have the distribution of concentrations on a linear scale.

    They are all above 0, span decades, and so does each drug, to large values more than to small
    ones, and evenly on a logarithmic scale.

    Parameters
    ----------
    values
        (n drugs, p lines), NaN where there is none, without codes for missing ones.
    """
    known = values[np.isfinite(values)]
    if known.size < _FEWEST or not known.min() > 0:
        return False
    sample = known[:: math.ceil(known.size / _SAMPLE)]
    low, middle, tail, high = np.quantile(sample, [0.005, 0.5, 0.99, 0.995])
    if tail < _TAIL * middle or math.log10(high / low) < _DECADES:
        return False
    some = values[np.isfinite(values).sum(1) >= _FEWEST_OF_DRUG]
    if not len(some) or (known.max() <= 1 and middle >= _FRACTION):
        return False
    some = some[:: math.ceil(len(some) / _SOME)]
    ends = np.nanquantile(some, [0.05, 0.5, 0.95], axis=1)
    ends = ends[:, ends[2] > ends[0]]
    if not ends.size:
        return False
    skew, skew_of_log = (
        float(np.median((x[2] + x[0] - 2 * x[1]) / (x[2] - x[0]))) for x in (ends, np.log(ends))
    )
    up = float(np.median(ends[2] / ends[1]))
    return skew >= _SKEW and skew_of_log >= _SKEW_OF_LOG and up >= _UP


def _said_of_concentrations(why: str, layer: str) -> str:
    at = "" if layer == "X" else f", layer={layer!r}"
    return (
        f"These are concentrations on a linear scale: {why}. Their errors grow with them, so that "
        f"a few large ones would decide everything. Take logarithms: "
        f"rtdmf_bio.pp.log_concentrations(adata{at}) first, or concentration='log' in pp.correct "
        f"(rtdmf-bio correct --concentration log; in R, log() of a matrix, or of a PharmacoSet "
        f'concentration = "log"). '
        f"concentration='linear' corrects them as they are."
    )


def outside_bounds(measure: dict[str, Any], values: NDArray[np.float64], layer: str = "X") -> int:
    """How many values lie outside the stated bounds, 0 where there are none.

    Parameters
    ----------
    measure, values
        As for :func:`linear_concentrations`.
    layer
        Of these values, for the message.

    Raises
    ------
    ValueError
        If so many lie so far outside that values and statement contradict each other.
    """
    bounds, values = _bounds(measure), values[np.isfinite(values)]
    if bounds is None or not values.size:
        return 0
    low, high = bounds
    width = high - low
    if not math.isfinite(width):
        ends = np.quantile(values, [0.05, 0.95])
        width = float(ends[1] - ends[0])
    outside = (values < low) | (values > high)
    far = (values < low - _MARGIN * width) | (values > high + _MARGIN * width)
    if far.mean() > MOST_OUTSIDE:
        name = measure.get("name") or "the measure"
        where = "adata.uns['measure']" if layer == "X" else f"uns['layer_measures'][{layer!r}]"
        raise ValueError(
            f"{where} says that {name} lies from {low:g} to {high:g}, but {outside.mean():.1%} of "
            f"the measured values lie outside, {far.mean():.1%} far outside (more than a quarter "
            f"of the width): they go from {values.min():.4g} to {values.max():.4g}. Values and "
            f"statement do not belong together: is it another measure, unit or layer? Correct "
            f"what is wrong, or take out its 'bounds'."
        )
    return int(outside.sum())


def check_meaning(
    adata: AnnData,
    layer: str,
    group_key: str | Sequence[str] | None = None,
    concentration: str = "error",
) -> int:
    """Refuse what is the wrong way round, on a linear scale, or not what it is said to be.

    Parameters
    ----------
    adata, layer
        A screen, and the name of a matrix of it as ``resolve_layer`` gives it.
    group_key
        Columns with groups of lines.
    concentration
        ``"error"`` to refuse linear concentrations.

    Returns
    -------
    How many measurements lie outside the stated bounds.

    Raises
    ------
    ValueError
        See :func:`check_orientation`, :func:`linear_concentrations` and :func:`outside_bounds`.
    """
    check_choice("concentration", concentration, CONCENTRATION)
    check_orientation(adata, group_key)
    measure, values = measure_of(adata, layer), _known(adata, layer)
    if concentration == "error":
        why = linear_concentrations(measure, values)
        if why:
            raise ValueError(_said_of_concentrations(why, layer))
    return outside_bounds(measure, values, layer)


def _known(adata: AnnData, layer: str) -> NDArray[np.float64]:
    """A matrix, NaN where it is not finite or has what looks like a code for missing ones."""
    values = as_numbers(matrix_of(adata, layer))
    values[np.isinf(values)] = np.nan
    far = [code.value for code in codes(values)]
    if far:
        values[np.isin(values, far)] = np.nan
    return values


def _bounds(measure: dict[str, Any]) -> tuple[float, float] | None:
    """The bounds of a measure; None where there are none that can be used."""
    known = bounds_of(measure)
    if known is None:
        return None
    low, high = known
    open_ended = math.isinf(low) and math.isinf(high)
    return (low, high) if low < high and not open_ended else None
