"""What the values of a screen say of themselves, against what is said of them.

Looked at before anything is computed: which way round the matrix is, whether concentrations are on
a linear scale, and whether values keep to their stated bounds.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.checks import as_numbers, check_choice, name_some
from ..model.extremes import codes
from .inputs import matrix_of
from .measure import KINDS, kind_name, measure_of
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
_FEW_BELOW = 0.02  # of the values may be 0 or less, where a unit says that they are concentrations
_LOGARITHMS = ("ln_ic50", "log10_ic50", "log2_ic50", "pic50")

_UNITS = {"m": 1e6, "mm": 1e3, "um": 1.0, "nm": 1e-3, "pm": 1e-6}
_WORDS = {
    "molar": "m", "millimolar": "mm", "micromolar": "um", "nanomolar": "nm", "picomolar": "pm",
    "mol/l": "m", "mmol/l": "mm", "umol/l": "um", "nmol/l": "nm", "pmol/l": "pm",
}  # fmt: skip
CONCENTRATION = ("error", "log", "linear")


def in_micromolar(unit: Any) -> float | None:
    """How many uM a unit of concentration is; None if it is none, such as "ln uM"."""
    if not isinstance(unit, str):
        return None
    text = unicodedata.normalize("NFKC", unit).strip().replace("\u03bc", "u").lower()
    text = text.strip("[]() ")
    return _UNITS.get(_WORDS.get(text, text))


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
        return f"{stated} is a concentration"
    if kind is None and in_micromolar(measure.get("unit")) and below <= _FEW_BELOW:
        return f"their unit is {measure['unit']}"
    if (kind is None or kind in _LOGARITHMS) and spans_decades(values):
        return (
            "nothing else is stated, they are all above 0 and span decades, with a long tail to "
            "large values"
        )
    return ""


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
    try:
        low, high = (float(bound) for bound in measure["bounds"])
    except (KeyError, TypeError, ValueError):
        return None
    open_ended = math.isinf(low) and math.isinf(high)
    return (low, high) if low < high and not open_ended else None
