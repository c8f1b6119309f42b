"""What PharmacoGx's sensitivity measures mean: unit, direction, bounds.

The direction of a name is recorded here and checked against the data; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

SUFFIX = "_rtdmf"
FLAG = "_flag"

_AREA = {"unit": "fraction of full response", "higher_is": "sensitive", "bounds": [0.0, 1.0]}
_DOSE = {"unit": "uM", "higher_is": "resistant", "bounds": [0.0, np.inf]}
_PERCENT = {"unit": "%", "higher_is": "sensitive", "bounds": [0.0, 100.0]}
KNOWN: dict[str, dict[str, Any]] = {
    "aac_published": _AREA,
    "aac_recomputed": _AREA,
    # Area above the curve under its old name: in PharmacoSets until 2021 it grows with response.
    "auc_published": _AREA,
    "auc_recomputed": _AREA,
    "ic50_published": _DOSE,
    "ic50_recomputed": _DOSE,
    "EC50": _DOSE,
    "amax_recomputed": _PERCENT,
    # CCLE's own: growth beyond control, -100 where no cell is left.
    "amax_published": {"unit": "%", "higher_is": "resistant", "bounds": [-np.inf, np.inf]},
    "E_inf": {"unit": "viability", "higher_is": "resistant", "bounds": [-np.inf, np.inf]},
}
"""Measures by the names PharmacoGx gives them."""

DEFAULTS = ("aac_recomputed", "auc_recomputed")
"""What PharmacoGx summarises by default, in its newer and older versions."""

_STRONG, _ENOUGH = 0.5, 30


def default(measures: list[str], label: str) -> str:
    """Return the measure to take when none was asked for."""
    for name in DEFAULTS:
        if name in measures:
            return name
    if len(measures) == 1:
        return measures[0]
    raise ValueError(f"{label} has the measures {measures}. Pass measure, one of them.")


def known(name: str, written: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return unit, direction and bounds of a measure, None if unknown.

    `written` holds what `write_pset` noted in the file of measures of its own.
    """
    if name in written:
        return dict(written[name])
    found = KNOWN.get(name.removesuffix(SUFFIX))
    return None if found is None else dict(found)


def usable(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return of unit, direction and bounds what is of the kind it should be."""
    found: dict[str, Any] = {}
    unit, higher_is = entry.get("unit"), entry.get("higher_is")
    if isinstance(unit, str):
        found["unit"] = unit
    if isinstance(higher_is, str) and higher_is in ("resistant", "sensitive"):
        found["higher_is"] = higher_is
    try:
        low, high = (float(bound) for bound in entry.get("bounds", ()))
    except (TypeError, ValueError):
        return found
    return {**found, "bounds": [low, high]} if low <= high else found


def meaning(
    name: str,
    values: np.ndarray,
    *,
    higher_is: str | None,
    unit: str | None,
    written: dict[str, dict[str, Any]],
    witnesses: dict[str, np.ndarray],
    label: str,
) -> dict[str, Any]:
    """Return ``uns["measure"]`` for a measure with these values per experiment.

    `witnesses` are other measures of the same experiments, whose direction is beyond doubt.

    Raises
    ------
    ValueError
        The measure is unknown and `higher_is` not given, or the data contradict what is known.
    """
    entry = known(name, written) or {}
    if higher_is is None and "higher_is" not in entry:
        raise ValueError(
            f"{label}: the direction of the measure {name!r} is not known. Say it: "
            "higher_is='resistant' or 'sensitive', and unit if it has one. Known are "
            f"{sorted(KNOWN)}."
        )
    if higher_is is None:
        _check(name, values, entry["higher_is"], witnesses, label)
    else:
        entry["higher_is"] = higher_is
    if unit is not None:
        entry["unit"] = unit
    return {"name": name, **entry}


def _check(
    name: str, values: np.ndarray, higher_is: str, witnesses: dict[str, np.ndarray], label: str
) -> None:
    """See that the measure rises or falls with the IC50 of the same file as it should."""
    for other, theirs in witnesses.items():
        both = np.isfinite(values) & np.isfinite(theirs)
        if both.sum() < _ENOUGH:
            continue
        frame = pd.DataFrame({"a": values[both], "b": theirs[both]})
        rho = float(frame.rank().corr().iloc[0, 1])
        same = higher_is == KNOWN[other]["higher_is"]
        if abs(rho) >= _STRONG and (rho > 0) != same:
            raise ValueError(
                f"{label}: {name!r} should be higher where lines are more {higher_is}, but its "
                f"rank correlation with {other!r} over {both.sum()} experiments is {rho:.2f}. Say "
                "what holds: higher_is='resistant' or 'sensitive'."
            )


WITNESSES = ("ic50_recomputed", "ic50_published", "aac_recomputed")
"""Measures that have only ever been used in one direction, the best first."""
