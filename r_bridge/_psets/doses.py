"""The largest or smallest dose of each experiment: of its annotation, or of its single doses.

Both are in micromoles per litre, as PharmacoGx has them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._nodes import node as nodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._nodes.node import Node

    Array = NDArray[np.float64]

_DOSE, _UNIT = "(?:dose|conc|concentration)s?", "(?P<unit>[nuµμ]m)?"
_MOST = "(?:max|maximum|maximal|top|highest|largest)"
_LEAST = "(?:min|minimum|minimal|bottom|lowest|smallest)"
_LARGEST, _SMALLEST = (
    re.compile(
        f"{end}(?:tested|screening)?{_DOSE}{_UNIT}|{_DOSE}{end}{_UNIT.replace('unit', 'of')}"
    )
    for end in (_MOST, _LEAST)
)
_SINGLE = re.compile(rf"{_DOSE}\d+{_UNIT}")


def extreme(response: Node, names: pd.Index, smallest: bool = False) -> Array | None:
    """Return the largest dose of each experiment, NaN where not known; None if none is.

    `response` is a list of tables, `names` are those of its experiments. The `smallest` on request.
    """
    info, raw = response.item("info"), response.item("raw")
    found = np.full(len(names), np.nan)
    for known in (_annotated(info, smallest), _of_doses(raw, names, smallest)):
        if known is not None and len(known) == len(found):
            found = np.where(np.isnan(found), known, found)
    return None if np.isnan(found).all() else found


def numbers(values: Any) -> Array:
    """Return what is a positive number as such, all else as NaN."""
    column = pd.Series(np.asarray(values, dtype=object))
    found = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where((found > 0) & np.isfinite(found), found, np.nan)


def _end(table: Array, smallest: bool) -> Array:
    """Return the largest or smallest of each row, NaN of a row without any."""
    end = np.fmin if smallest else np.fmax
    return np.asarray(end.reduce(table, axis=1, initial=np.nan))


def _annotated(info: Node | None, smallest: bool) -> Array | None:
    if info is None:
        return None
    plain = {name: re.sub(r"[\W_]", "", name.lower()) for name in nodes.columns(info)}
    for pattern in (_SMALLEST if smallest else _LARGEST, _SINGLE):
        found = []
        for name, text in plain.items():
            match = pattern.fullmatch(text)
            values = nodes.column(info, name) if match else None
            if match and values is not None:
                nano = "nm" in match.groupdict().values()
                found.append(numbers(values) * (1e-3 if nano else 1.0))
        if found:
            return _end(np.column_stack(found), smallest)
    return None


def _of_doses(raw: Node | None, names: pd.Index, smallest: bool) -> Array | None:
    """Look into the array of experiments x doses x (dose, viability)."""
    dim = None if raw is None or raw.kind not in nodes.ATOMIC else raw.attr("dim")
    if raw is None or dim is None or len(dim) != 3:
        return None
    n, doses, kinds = (int(size) for size in dim.values())
    dimnames = raw.attr("dimnames")
    axes = [[], [], []] if dimnames is None else [nodes.text(dimnames.item(i)) for i in range(3)]
    at = axes[2].index("Dose") if "Dose" in axes[2] else 0
    if n * doses * kinds != len(raw) or not n or not doses or at >= kinds:
        return None
    values = raw.values()[n * doses * at : n * doses * (at + 1)]
    found = _end(numbers(values).reshape((n, doses), order="F"), smallest)
    rows = pd.Index(axes[0], dtype=object)
    if rows.is_unique and names.is_unique and len(rows) == n:
        where = rows.get_indexer(pd.Index(names, dtype=object))
        if (where >= 0).any():
            return np.where(where >= 0, found[where], np.nan)
    return found if n == len(names) else None
