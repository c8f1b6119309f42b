"""Labels that come with names of their own, matched by name.

A table carries its order with it: labels in another order, taken by position, would go to other
drugs and lines without a word. Nothing of pandas is imported; what looks like a Series or a
DataFrame is taken for one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .blanks import is_missing
from .checks import name_some

Names = Sequence[Any] | None


def names_of(X: Any) -> tuple[Names, Names]:
    """Names of the drugs and of the lines of a table; None of an array."""
    if _is_table(X):
        return list(X.index), list(X.columns)
    return None, None


def in_order(labels: Any, names: Names, parameter: str, things: str) -> Any:
    """Return the labels in the order of ``names``; as they are where either side has no names.

    Raises
    ------
    ValueError
        If the names are not the same, one is missing or occurs twice, or there is more than one
        column.
    """
    if _is_table(labels):
        if labels.shape[1] != 1:
            raise ValueError(
                f"{parameter} must be one column of labels. Got a table of {labels.shape[1]}; give "
                f"one of its columns."
            )
        labels = labels.iloc[:, 0]
    if names is None or not hasattr(labels, "iloc"):
        return labels
    place = _places(labels.index, names, parameter, things)
    values = list(labels)
    return [values[k] for k in place]


def groups_in_order(groups: Any, names: Names) -> Any:
    """The same of one or several groupings of the lines."""
    if _is_table(groups):
        groups = {name: groups[name] for name in groups.columns}
    if isinstance(groups, Mapping):
        return {
            key: in_order(labels, names, f"groups[{str(key)!r}]", "cell lines")
            for key, labels in groups.items()
        }
    return in_order(groups, names, "groups", "cell lines")


def matrix_in_order(matrix: Any, drugs: Names, lines: Names, parameter: str) -> Any:
    """The same of a table of drugs x lines."""
    if drugs is None or lines is None or not _is_table(matrix):
        return matrix
    rows = _places(matrix.index, drugs, parameter, "drugs")
    columns = _places(matrix.columns, lines, parameter, "cell lines")
    return matrix.to_numpy()[np.ix_(rows, columns)]


def noise_in_order(noise_sd: Any, drugs: Names, lines: Names) -> Any:
    """The same of a noise by drug or by measurement."""
    if _is_table(noise_sd) and noise_sd.shape[1] != 1:
        return matrix_in_order(noise_sd, drugs, lines, "noise_sd")
    return in_order(noise_sd, drugs, "noise_sd", "drugs")


def _is_table(X: Any) -> bool:
    return hasattr(X, "iloc") and hasattr(X, "columns")


def _places(own: Any, names: Sequence[Any], parameter: str, things: str) -> list[int]:
    own = list(own)
    nameless = {"X": sum(map(is_missing, names)), parameter: sum(map(is_missing, own))}
    if any(nameless.values()):
        where = " and ".join(f"{n} of {what}" for what, n in nameless.items() if n)
        raise ValueError(
            f"{parameter} has names of its own, and is matched by them, but {things} lack a name: "
            f"{where}. Name them, or pass {parameter}.to_numpy() to match by position."
        )
    place = {name: k for k, name in enumerate(own)}
    known = Counter(names)
    lost = [name for name in names if name not in place]
    strange = [name for name in place if name not in known]
    repeated = [name for name, count in Counter(own).items() if count > 1]
    if lost or strange or repeated:
        what = []
        if lost:
            what.append(f"{len(lost)} {things} of X are not in it: {name_some(lost, 3)}")
        if strange:
            what.append(f"{len(strange)} in it are not in X: {name_some(strange, 3)}")
        if repeated:
            what.append(f"{len(repeated)} occur more than once: {name_some(repeated, 3)}")
        remedy = "Give it the names of X"
        twice = [name for name in repeated if known[name] > 1]
        if twice:
            what.append(f"more than once in X, too: {name_some(twice, 3)}")
            remedy = "Make the names of X unique and give it the same"
        raise ValueError(
            f"{parameter} has names of its own, and is matched by them, but {'; '.join(what)}. "
            f"{remedy}, or pass {parameter}.to_numpy() to match by position."
        )
    return [place[name] for name in names]
