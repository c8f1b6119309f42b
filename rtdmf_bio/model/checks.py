"""One place where a matrix is looked at before anything is computed."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .blanks import cleaned, is_missing
from .extremes import check_extremes

_MOST_NOISE = 10.0  # standard deviations of all measurements
_SPREADS = (1e-100, 1e100)  # squares and products of these are far from what a float can hold
# What a missing integer of R, and of pandas and others, becomes in a matrix of numbers.
_INTEGER_NA = (-(2.0**31), -(2.0**63))

Seed: TypeAlias = int | np.random.Generator | np.random.RandomState | None


@dataclass
class Checked:
    """A usable matrix: float64 with NaN where not measured, and what was set aside."""

    data: NDArray[np.float64]
    drugs: NDArray[np.intp]  # rows that have a measurement
    lines: NDArray[np.intp]  # columns that have a measurement
    n_infinite: int
    n_integer_na: int = 0  # entries that held the smallest integer, which is R's NA


def name_some(names: Sequence[Any], limit: int = 5) -> str:
    """'a', 'b', 'c' and 7 more."""
    text = ", ".join(repr(str(name)) for name in names[:limit])
    return text if len(names) <= limit else f"{text} and {len(names) - limit} more"


def is_sparse(X: object) -> bool:
    """Whether blanks are zero. A view of an AnnData has dense matrices with a toarray, too."""
    return hasattr(X, "toarray") and not isinstance(X, np.ndarray)


def as_numbers(X: ArrayLike) -> NDArray[np.float64]:
    """``X`` as a matrix of floats of its own, whatever its values.

    R's missing value of integers, -2147483648, and the smallest of whatever integers ``X`` holds
    are NaN in it: they stand for nothing else.

    Raises
    ------
    TypeError
        Sparse, boolean, complex or text input, or an AnnData.
    ValueError
        Not two dimensions.
    """
    return counted_numbers(X)[0]


def counted_numbers(X: ArrayLike) -> tuple[NDArray[np.float64], int]:
    """The same, and how many missing integers were set to NaN."""
    if hasattr(X, "obs") and hasattr(X, "layers"):
        raise TypeError(
            f"The matrix is of type {type(X).__name__}. Use rtdmf_bio.pp.correct(adata) for it, or "
            f"pass the matrix alone, adata.X."
        )
    if is_sparse(X):
        raise TypeError(
            "The matrix is sparse, where a blank means zero, not 'not measured'. Pass a dense "
            "array with NaN for missing entries, e.g. X = X.toarray(), then X[X == 0] = numpy.nan "
            "if the blanks are missing measurements."
        )
    if isinstance(X, np.ma.MaskedArray):
        X = np.where(np.ma.getmaskarray(X), np.nan, X.data) if X.dtype.kind in "fiu" else X.data
    array = np.asarray(X)
    if array.dtype == bool:
        raise TypeError(
            "The matrix is boolean; a drug-sensitivity measure is a number. Convert it with "
            ".astype(float) if 0 and 1 are measurements."
        )
    if array.dtype == object:
        array = _from_objects(array)
    if array.dtype.kind not in "fiu":
        raise TypeError(
            f"The matrix must be numeric. Got dtype {array.dtype}; convert text to numbers, with "
            f"NaN for missing entries."
        )
    if array.ndim != 2:
        raise ValueError(f"The matrix must be drugs x cell lines. Got {array.ndim} dimension(s).")
    data = array.astype(np.float64)
    # R's NA is a signalling NaN, which np.fmin and its like do not pass over.
    data[np.isnan(data)] = np.nan
    codes = {*_INTEGER_NA, float(np.iinfo(array.dtype).min)} if array.dtype.kind == "i" else set()
    none = np.isin(data, list(codes or _INTEGER_NA))
    data[none] = np.nan
    return data, int(none.sum())


def check_matrix(
    X: ArrayLike,
    *,
    infinite: str,
    unmeasured: str,
    max_missing: float,
    extreme: str = "keep",
    drug_names: Sequence[Any] | None = None,
    line_names: Sequence[Any] | None = None,
) -> Checked:
    """Turn ``X`` into a matrix that can be fitted, or say why it cannot.

    With ``extreme="error"`` it must hold nothing that is no measurement, see extremes.py.

    Raises
    ------
    TypeError, ValueError
        As :func:`as_numbers`; infinities, unmeasured drugs or lines, too little or constant data;
        another number of names.
    """
    data, n_integer_na = counted_numbers(X)
    n, p = data.shape
    for parameter, names, size in (("drug_names", drug_names, n), ("line_names", line_names, p)):
        given = None if names is None else _listed(names)
        if names is not None and (given is None or len(given) != size):
            raise ValueError(
                f"{parameter} must be a list of {size} names, as X has. Got "
                f"{reprlib.repr(names) if given is None else len(given)}."
            )
    if n < 2 or p < 2:
        raise ValueError(
            f"The matrix has {n} drug(s) and {p} cell line(s); at least 2 of each are needed, "
            f"since structure is learned across both."
        )
    if extreme == "error":
        check_extremes(data, drug_names, line_names)
    n_infinite = int(np.isinf(data).sum())
    if n_infinite:
        data = _without_infinities(data, infinite, n_infinite)
    observed = np.isfinite(data)
    if not observed.any():
        raise ValueError(f"None of the {n} x {p} entries is measured: all are missing.")
    drugs, lines = np.flatnonzero(observed.any(1)), np.flatnonzero(observed.any(0))
    if unmeasured == "error" and (drugs.size < n or lines.size < p):
        raise ValueError(_unmeasured(n, p, drugs, lines, drug_names, line_names))
    data = data[np.ix_(drugs, lines)]
    if min(data.shape) < 2:
        raise ValueError(
            f"Only {drugs.size} drug(s) and {lines.size} cell line(s) have measurements; at least "
            f"2 of each are needed."
        )
    missing = 1 - np.isfinite(data).mean()
    if missing > max_missing:
        raise ValueError(
            f"{missing:.1%} of the {data.shape[0]} x {data.shape[1]} entries are missing; with "
            f"more than {max_missing:.0%} there is too little to learn from. Drop sparsely "
            f"measured drugs or lines, or raise max_missing."
        )
    low, high = np.nanmin(data), np.nanmax(data)
    if low == high:
        raise ValueError(f"All measured entries equal {low:g}: there is nothing to correct.")
    with np.errstate(over="ignore", under="ignore"):
        spread = float(np.nanstd(data))
    if not _SPREADS[0] < spread < _SPREADS[1]:
        raise ValueError(
            f"The measured entries lie between {low:g} and {high:g}, a spread that cannot be "
            f"computed with: it must lie between {_SPREADS[0]:g} and {_SPREADS[1]:g}. Give the "
            f"measure in another unit, or look for values that are no measurements."
        )
    return Checked(data, drugs, lines, n_infinite, n_integer_na)


def check_groups(groups: Any, n_lines: int, *, missing: str) -> dict[str, NDArray[np.object_]]:
    """Groupings of the lines as name -> one label per line, None where missing.

    ``groups`` is None, one label per line, or a mapping of such. Of text, blanks around it do not
    count, and what stands for nothing (``MISSING_NAMES``) is missing.
    """
    if groups is None:
        return {}
    named: Mapping[Any, Any] = groups if isinstance(groups, Mapping) else {"group": groups}
    out = {}
    for key, labels in named.items():
        given = _listed(labels)
        if given is None:
            raise ValueError(_no_labels(groups, key, n_lines))
        column = np.array(given, dtype=object)
        if column.shape != (n_lines,):
            got: object = len(column)
            if column.ndim > 1:
                got = f"shape {column.shape}; give several groupings as a dict, name -> labels"
            raise ValueError(
                f"Groups {str(key)!r} need one label per cell line ({n_lines}). Got {got}."
            )
        for k, label in enumerate(column):  # one by one: a label may be a sequence
            column[k] = cleaned(label)
        blank = np.array([label is None for label in column])
        if blank.all():
            raise ValueError(f"Groups {str(key)!r} are missing for every cell line.")
        if blank.any() and missing == "error":
            raise ValueError(
                f"Groups {str(key)!r} are missing for {blank.sum()} of {n_lines} cell lines. Label "
                f"them, or pass group_missing='ignore' to leave those lines out of the enrichment "
                f"tests (they are corrected all the same)."
            )
        out[str(key)] = column
    return out


def check_censored(
    censored: Any, shape: tuple[int, ...], checked: Checked
) -> NDArray[np.int8] | None:
    """Marks of the drugs and lines that were measured, 0 where nothing is; None: nowhere a mark.

    1 where the true value is at or above the one stored, -1 where at or below, (n, p).
    """
    if censored is None:
        return None
    marks = np.asarray(censored)
    if marks.shape != shape or marks.dtype.kind not in "iufbO":
        raise ValueError(
            f"censored must mark each entry, in an array of shape {shape}: 1 where the true value "
            f"is at or above the one stored, -1 where at or below, 0 where it is the value. Got "
            f"{marks.dtype} of shape {marks.shape}."
        )
    marks = marks[np.ix_(checked.drugs, checked.lines)]
    marks = np.where(np.isfinite(checked.data), marks, 0)
    known = np.isin(marks, (-1, 0, 1))
    if not known.all():
        raise ValueError(
            f"censored must be 1, 0 or -1 at every measurement. Got {marks[~known][0]!r} at "
            f"{(~known).sum()} of them."
        )
    marks = marks.astype(np.int8)
    return marks if marks.any() else None


def check_replicates(
    replicates: Any, n: int, kept: NDArray[np.intp], rules: tuple[str, ...], what: str = "drug"
) -> NDArray[np.object_] | None:
    """One label for each measured drug, or cell line, None where it has no replicate."""
    if replicates is None:
        return None
    name = "replicates" if what == "drug" else "line_replicates"
    given = _listed(replicates)
    if given is None:
        raise ValueError(
            f"{name} must be one label per {what}, which are {n}, in a list, an array or a "
            f"Series. Got {reprlib.repr(replicates)}."
        )
    labels = np.array(given, dtype=object)
    if labels.shape != (n,):
        raise ValueError(
            f"{name} must be one label per {what}, which are {n}. Got shape {labels.shape}."
        )
    labels = np.array([cleaned(x) for x in labels], dtype=object)[kept]
    known = [x for x in labels if x is not None]
    if len(set(known)) == len(known):
        raise ValueError(
            f"{name} has no label twice, so that no {what} was screened more than once. Leave it "
            f"out."
        )
    if "shrink" not in rules:
        raise ValueError(
            f"{name} serves retain='shrink', and retain is {rules}. Leave {name} out, or add "
            f"'shrink'."
        )
    return labels


def check_noise(
    noise_sd: Any,
    shape: tuple[int, ...],
    checked: Checked,
    rules: tuple[str, ...],
    twins: bool,
) -> NDArray[np.float64] | None:
    """Noise of each measured drug, above 0; None where it was not given.

    Of one for each entry it is the root mean square over the measurements of the drug.
    """
    if noise_sd is None:
        return None
    n_drugs = shape[0]
    must_be = (
        f"noise_sd must be a positive number, one for each of the {n_drugs} drugs (NaN: not known) "
        f"or one for each measurement, in the unit of the measure."
    )
    plain = np.asarray(noise_sd)
    try:
        noise = plain.astype(float) if plain.dtype.kind in "iufO" else None
    except (TypeError, ValueError):
        noise = None
    if noise is None:
        raise ValueError(f"{must_be} Got {reprlib.repr(noise_sd)}.")
    if noise.ndim == 0:
        noise = np.full(n_drugs, float(noise))
    if noise.shape == shape:
        here = np.isfinite(checked.data)
        by_entry = np.where(here, noise[np.ix_(checked.drugs, checked.lines)], 0.0)
        bad = int((~((by_entry >= 0) & np.isfinite(by_entry))).sum())
        if bad:
            raise ValueError(f"{must_be} {bad} of those of measurements are none, or negative.")
        noise = np.full(n_drugs, np.nan)
        noise[checked.drugs] = np.sqrt((by_entry**2).sum(1) / here.sum(1))
    if noise.shape != (n_drugs,):
        raise ValueError(f"{must_be} Got shape {noise.shape}.")
    noise = noise[checked.drugs]
    if np.isnan(noise).all() or not (np.isnan(noise) | (np.isfinite(noise) & (noise > 0))).all():
        wrong = noise[~(np.isfinite(noise) & (noise > 0))]
        raise ValueError(f"{must_be} Got {wrong[0]:g} for {wrong.size} drug(s).")
    spread = float(np.nanstd(checked.data))
    if np.nanmax(noise) > _MOST_NOISE * spread:
        raise ValueError(
            f"noise_sd is up to {np.nanmax(noise):.3g}, and all measurements together have a "
            f"standard deviation of {spread:.3g}. Give it in the unit of the measure."
        )
    if twins:
        raise ValueError("noise_sd and replicates both tell the noise. Give one of them.")
    if "shrink" not in rules:
        raise ValueError(
            f"noise_sd serves retain='shrink', and retain is {rules}. Leave noise_sd out, or add "
            f"'shrink'."
        )
    return noise


def _listed(labels: Any) -> list[Any] | None:
    """Labels as a list; None of what holds none in an order, such as text, a number or a dict."""
    if isinstance(labels, (str, bytes, set, frozenset, Mapping)):
        return None
    try:
        return list(labels)
    except TypeError:
        return None


def _no_labels(groups: Any, key: Any, n_lines: int) -> str:
    if isinstance(groups, Mapping):
        return (
            f"groups as a dict must hold one label per cell line ({n_lines}) under the name of "
            f"each grouping, as {{'tissue': labels}}. Under {key!r} it holds "
            f"{reprlib.repr(groups[key])}; if it holds labels by line, pass pandas.Series(groups), "
            f"with X as a DataFrame."
        )
    return (
        f"groups must be one label per cell line ({n_lines}), in a list, an array or a Series, "
        f"such as adata.var['tissue']. Got {reprlib.repr(groups)}; pp.correct takes the name of a "
        f"column, as group_key."
    )


def _from_objects(array: NDArray[Any]) -> NDArray[Any]:
    values = [np.nan if is_missing(x) else x for x in array.ravel()]
    for x in values:
        if isinstance(x, (bool, np.bool_)) or not isinstance(
            x, (float, int, np.floating, np.integer)
        ):
            raise TypeError(
                f"The matrix must be numeric. It holds {x!r}; convert text to numbers, with NaN "
                f"for missing entries."
            )
    return np.array(values, dtype=np.float64).reshape(array.shape)


def _without_infinities(data: NDArray[np.float64], policy: str, count: int) -> NDArray[np.float64]:
    positive = int(np.isposinf(data).sum())
    if policy == "error":
        raise ValueError(
            f"The matrix holds {count} infinite entries ({positive} positive, {count - positive} "
            f"negative). Pass infinite='nan' to treat them as not measured, or 'clip' to set them "
            f"to the largest and smallest finite value."
        )
    if policy == "nan":
        return np.where(np.isinf(data), np.nan, data)
    finite = data[np.isfinite(data)]
    if finite.size == 0:
        raise ValueError(f"All {count} measured entries are infinite: there is nothing to clip to.")
    return np.clip(data, finite.min(), finite.max())


def _unmeasured(
    n: int,
    p: int,
    drugs: NDArray[np.intp],
    lines: NDArray[np.intp],
    drug_names: Sequence[Any] | None,
    line_names: Sequence[Any] | None,
) -> str:
    said = []
    for what, total, kept, names in (
        ("drug", n, drugs, drug_names),
        ("cell line", p, lines, line_names),
    ):
        lost = np.setdiff1d(np.arange(total), kept)
        if lost.size:
            shown = [names[i] if names is not None else f"index {i}" for i in lost]
            said.append(f"{lost.size} {what}(s) without any measurement: {name_some(shown)}")
    return (
        "; ".join(said) + ". Drop them, or pass unmeasured='nan' to carry them along as NaN with "
        "flag 0."
    )


def check_choice(name: str, value: object, allowed: Collection[str | None]) -> None:
    """Refuse what is not one of ``allowed``."""
    if not (value is None or isinstance(value, str)) or value not in allowed:
        raise ValueError(f"The {name} parameter must be one of {list(allowed)}. Got {value!r}.")


def check_number(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    named: Collection[str] = (),
    others: str = "",
) -> None:
    """Refuse what is not a finite number from ``low`` to ``high``, or no integer for an integer.

    The type of ``low`` says which of the two is wanted; with ``above`` it must be greater. One of
    the words in ``named`` may stand for a number. ``others`` are what the caller takes besides.
    """
    if isinstance(value, str) and value in named:
        return
    whole = isinstance(low, int)
    wanted = f"{'an integer' if whole else 'a number'} {'greater than' if above else 'of at least'}"
    wanted += f" {_plain(low)}" + ("" if high == math.inf else f" and at most {_plain(high)}")
    wanted += f", or one of {list(named)}" if named else ""
    wanted += f", {others}" if others else ""
    message = f"The {name} parameter must be {wanted}. Got {value!r}."
    if isinstance(value, bool) or not hasattr(value, "__index__" if whole else "__float__"):
        raise TypeError(message)
    number = float(value)
    if not low <= number <= high or (above and number == low) or math.isinf(number):
        raise ValueError(message)


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def as_seed(random_state: Seed) -> int:
    """The seed that a ``random_state`` stands for: itself, one drawn from a generator, or any.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.
    """
    if random_state is None:
        random_state = np.random.default_rng()
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))  # the next ones are seeds, too
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))  # as in scikit-learn
    check_number(
        *("random_state", random_state, 0, 2**32 - 1),
        others="None, or a NumPy Generator or RandomState",
    )
    return int(random_state)


def check_table(table: Any, columns: Collection[str], maker: str) -> None:
    """Refuse what is no table with these columns; ``maker`` is the function that makes one."""
    if not set(columns) <= set(getattr(table, "columns", ())) or not len(table):
        raise ValueError(f"table must be what rtdmf_bio.{maker} returns, with rows.")
