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
        If the names are not the same, one occurs twice, or there is more than one column.
    """
    if _is_table(labels):
        raise ValueError(
            f"{parameter} must be one column of labels. Got a table of {labels.shape[1]}; give one "
            f"of its columns."
        )
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


def mask_in_order(mask: Any, drugs: Names, lines: Names) -> Any:
    """The same of a table of drugs x lines."""
    if drugs is None or lines is None or not hasattr(mask, "iloc"):
        return mask
    rows = _places(mask.index, drugs, "validation", "drugs")
    columns = _places(mask.columns, lines, "validation", "cell lines")
    return mask.to_numpy()[np.ix_(rows, columns)]


def _is_table(X: Any) -> bool:
    return hasattr(X, "iloc") and hasattr(X, "columns")


def _places(own: Any, names: Sequence[Any], parameter: str, things: str) -> list[int]:
    own = list(own)
    place = {name: k for k, name in enumerate(own)}
    known = set(names)
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
        raise ValueError(
            f"{parameter} has names of its own, and is matched by them, but {'; '.join(what)}. "
            f"Give it the names of X, or pass {parameter}.to_numpy() to match by position."
        )
    return [place[name] for name in names]
