"""What PharmacoGx's sensitivity measures mean: kind, unit, direction, bounds.

What measures are is said in `rtdmf_bio._adata.measure.KINDS`. Here is which of them PharmacoGx
means by a name, and what it has besides. A name is a statement, which the values can contradict: a
direction or unit is never guessed from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rtdmf_bio._adata.measure import KINDS, as_measure, bounds_of, kind_name

Array = NDArray[np.float64]

SUFFIX = "_rtdmf"
FLAG = "_flag"

# Area above the curve under its old name: in PharmacoSets until 2021 it grows with response.
_AREA = {"auc_published": "aac", "auc_recomputed": "aac"}
_OWN: dict[str, dict[str, Any]] = {
    "amax_recomputed": {"unit": "%", "higher_is": "sensitive", "bounds": [0.0, 100.0]},
    # CCLE's own: growth beyond control, -100 where no cell is left.
    "amax_published": {"unit": "%", "higher_is": "resistant", "bounds": [-np.inf, np.inf]},
    "E_inf": {"unit": "viability", "higher_is": "resistant", "bounds": [-np.inf, np.inf]},
}
_MISNAMED = {("FIMM", "aac_published"): "dss"}
"""Measures of a study that are of another kind than their name says."""

DEFAULTS = ("aac_recomputed", "auc_recomputed")
"""What PharmacoGx summarises by default, in its newer and older versions."""
WITNESSES = ("ic50_recomputed", "ic50_published", "aac_recomputed")
"""Measures that have only ever been used in one direction, the best first."""

_STRONG, _ENOUGH = 0.5, 30
# Noise goes a little beyond bounds, and a few values are no more than odd.
_SLACK, _SHARE, _FEW = 0.1, 0.05, 3
_PERCENT = {"aac": "aac_percent", "auc": "auc_percent"}
_TURNED = {"aac": "auc", "aac_percent": "auc_percent"}
_LOGARITHMS = ("ln_ic50", "log10_ic50", "log2_ic50")


class Stated(NamedTuple):
    """What the user says of a measure, None for nothing."""

    kind: str | None = None
    higher_is: str | None = None
    unit: str | None = None


class File(NamedTuple):
    """What else of a file bears on a measure."""

    study: str
    """Name of the PharmacoSet."""
    written: Mapping[str, Mapping[str, Any]]
    """What `write_pset` noted of measures of its own."""
    witnesses: Mapping[str, Array]
    """Other measures of the same experiments, whose direction is beyond doubt."""


class _Outside(NamedTuple):
    """Values that break the bounds of a measure, so many that the bounds cannot hold."""

    n: int
    of: int
    bounds: tuple[float, float]
    range: tuple[float, float]
    unit: str

    def __str__(self) -> str:
        """Say it with both figures."""
        (low, high), (least, most) = self.bounds, self.range
        unit = self.unit and f" ({self.unit})"
        share = f"{self.n / self.of:.1%}" if self.n < self.of else "all"
        return (
            f"should lie within {low:g} to {high:g}{unit}, but {self.n} of {self.of} values "
            f"({share}) do not: they go from {least:.4g} to {most:.4g}"
        )


def default(measures: list[str], label: str) -> str:
    """Return the measure to take when none was asked for."""
    for name in DEFAULTS:
        if name in measures:
            return name
    if len(measures) == 1:
        return measures[0]
    raise ValueError(f"{label} has the measures {measures}. Pass measure, one of them.")


def known(name: str) -> dict[str, Any]:
    """Return kind, unit, direction and bounds of a measure, as far as known by its name."""
    plain = name.removesuffix(SUFFIX)
    if plain in _OWN:
        return dict(_OWN[plain])
    kind = _AREA.get(plain.lower(), kind_name(plain))
    # In PharmacoSets the area by its bare name is that above the curve or that under it.
    if kind is None or kind == "auc":
        return {}
    return _of_kind(kind, plain)


def _of_kind(kind: str, name: str | None = None) -> dict[str, Any]:
    """Return what is known of a kind, in the unit that is in the name."""
    entry = as_measure(kind, name)
    del entry["name"]
    return entry


def usable(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return of kind, unit, direction and bounds what is of the kind it should be."""
    found: dict[str, Any] = {}
    kind, unit, higher_is = (entry.get(name) for name in ("kind", "unit", "higher_is"))
    if isinstance(kind, str) and kind in KINDS:
        found["kind"] = kind
    if isinstance(unit, str):
        found["unit"] = unit
    if isinstance(higher_is, str) and higher_is in ("resistant", "sensitive"):
        found["higher_is"] = higher_is
    bounds = bounds_of(entry)
    return {**found, "bounds": list(bounds)} if bounds and bounds[0] <= bounds[1] else found


def meaning(
    name: str, values: Array, stated: Stated, file: File, label: str
) -> tuple[dict[str, Any], list[str]]:
    """Return ``uns["measure"]`` for a measure with these values per experiment, and notes on it.

    Raises
    ------
    ValueError
        The measure is unknown and nothing is stated, or the values contradict what its name or
        the user says.
    """
    entry = _of_kind(stated.kind, name) if stated.kind else _by_name(name, file)
    if stated.higher_is is None and "higher_is" not in entry:
        raise ValueError(
            f"{label}: the direction of the measure {name!r} is not known. Say what it is: kind, "
            f"one of {list(KINDS)}, or higher_is='resistant' or 'sensitive', and unit if it has "
            "one."
        )
    outside, turned = _objections(values, entry, file)
    if outside and not stated.kind:
        other = _misnamed(name, values, file)
        if other and stated.higher_is in (None, other["higher_is"]):
            note = f"{name} of {file.study} is a {other['unit']}, not what its name says"
            return {"name": name, **other, **_given(stated)}, [note]
    notes = []
    if outside and stated.higher_is:
        # Who says a direction has seen that the name is wrong; nothing else it says is kept.
        notes.append(f"{name} {outside}; nothing is said of it but what was passed")
        entry = {}
    elif outside or (turned and not stated.higher_is):
        text = _refusal(name, values, entry, stated, file, outside, turned)
        raise ValueError(f"{label}: {text}")
    given = _given(stated)
    # What has another direction or unit is another measure.
    if entry.get("higher_is") not in (None, given.get("higher_is", entry.get("higher_is"))):
        entry = {}
    elif entry.get("unit") not in (None, given.get("unit", entry.get("unit"))):
        entry = {key: value for key, value in entry.items() if key == "higher_is"}
    return {"name": name, **entry, **given}, notes


def meaning_beside(name: str, values: Array, file: File) -> tuple[dict[str, Any], list[str]]:
    """Return `meaning` of a measure of which nothing is stated, and only what values agree with."""
    entry = _by_name(name, file)
    if "higher_is" not in entry:
        return {"name": name, **entry}, []
    outside, turned = _objections(values, entry, file)
    other = _misnamed(name, values, file) if outside else None
    if not other and (outside or turned):
        note = f"{name} {_against(outside, turned)}; nothing is said of it but its name"
        return {"name": name}, [note]
    return {"name": name, **(other or entry)}, []


def _by_name(name: str, file: File) -> dict[str, Any]:
    return dict(file.written[name]) if name in file.written else known(name)


def _given(stated: Stated) -> dict[str, str]:
    given = {"higher_is": stated.higher_is, "unit": stated.unit}
    return {key: value for key, value in given.items() if value is not None}


def _objections(
    values: Array, entry: Mapping[str, Any], file: File
) -> tuple[_Outside | None, str | None]:
    """What speaks against the bounds and the direction of a measure, if they are known."""
    higher_is = entry.get("higher_is")
    turned = _turned(values, higher_is, file.witnesses) if higher_is else None
    return _outside(values, entry), turned


def _outside(values: Array, entry: Mapping[str, Any]) -> _Outside | None:
    """Count values beyond the bounds, None if so few are that the bounds can hold."""
    values = values[~np.isnan(values)]
    if "bounds" not in entry or not values.size:
        return None
    low, high = (float(bound) for bound in entry["bounds"])
    slack = _SLACK * (high - low) if np.isfinite([low, high]).all() else 0.0
    far = (values < low - slack) | (values > high + slack)
    if far.mean() <= _SHARE or (far.sum() <= _FEW and not far.all()):
        return None
    out = int(((values < low) | (values > high)).sum())
    least, most = float(values.min()), float(values.max())
    return _Outside(out, len(values), (low, high), (least, most), str(entry.get("unit", "")))


def _rank(values: Array, theirs: Array) -> tuple[float, int]:
    """Rank correlation of two measures, 0 of too few experiments, and the number of these."""
    both = np.isfinite(values) & np.isfinite(theirs)
    n = int(both.sum())
    if n < _ENOUGH:
        return 0.0, n
    rho = pd.DataFrame({"a": values[both], "b": theirs[both]}).rank().corr().iloc[0, 1]
    return (0.0 if np.isnan(rho) else float(rho)), n


def _turned(values: Array, higher_is: str, witnesses: Mapping[str, Array]) -> str | None:
    """Say which measure of the same file speaks against a direction, None if none does."""
    for other, theirs in witnesses.items():
        rho, n = _rank(values, theirs)
        same = higher_is == known(other)["higher_is"]
        if abs(rho) >= _STRONG and (rho > 0) != same:
            return (
                f"should be higher where lines are more {higher_is}, but its rank correlation "
                f"with {other!r} over {n} experiments is {rho:.2f}"
            )
    return None


def _misnamed(name: str, values: Array, file: File) -> dict[str, Any] | None:
    """Return what a measure is known to be under a wrong name, if range and direction agree."""
    kind = next(
        (
            kind
            for (study, wrong), kind in _MISNAMED.items()
            if study.lower() in file.study.lower() and name == wrong
        ),
        None,
    )
    if kind is None:
        return None
    entry = _of_kind(kind)
    low, high = entry["bounds"]
    within = low <= np.nanmin(values) and np.nanmax(values) <= high
    opposite = {"resistant": "sensitive", "sensitive": "resistant"}[entry["higher_is"]]
    # What speaks against the other direction speaks for this one.
    right = _turned(values, opposite, file.witnesses)
    wrong = _turned(values, entry["higher_is"], file.witnesses)
    return entry if within and right and not wrong else None


def _against(outside: _Outside | None, turned: str | None) -> str:
    return "; and it ".join(str(found) for found in (outside, turned) if found)


def _refusal(
    name: str,
    values: Array,
    entry: Mapping[str, Any],
    stated: Stated,
    file: File,
    outside: _Outside | None,
    turned: str | None,
) -> str:
    direction = "higher_is='resistant' or 'sensitive'"
    text = f"{name!r} {_against(outside, turned)}. "
    if stated.kind:
        return (
            f"{text}It is no {stated.kind!r}. Pass the kind that it is, or {direction} and unit "
            "instead."
        )
    if outside is None:
        turned_kind = _TURNED.get(str(entry.get("kind")))
        return (
            f"{text}Say what holds: {f'kind={turned_kind!r}, or ' * bool(turned_kind)}{direction}."
        )
    kind, (least, most) = str(entry.get("kind")), outside.range
    likely: tuple[str, ...] = ("auc_ctrp", "activity_area", "dss")
    hint = ""
    if kind in _PERCENT and least > -20 and 50 < most < 120:
        likely, hint = (_PERCENT[kind],), "They look like percentages. "
    elif kind in KINDS and KINDS[kind].linear and least < 0:
        likely, hint = _LOGARITHMS, "A concentration is above 0; they may be logarithms. "
    fits = [
        one
        for one in likely
        if (hint or (KINDS[one].bounds[0] <= least and most <= KINDS[one].bounds[1]))
        and not _turned(values, KINDS[one].higher_is, file.witnesses)
    ]
    such = f", such as {' or '.join(map(repr, fits))}" if fits else ""
    return (
        f"{text}{hint}It is another measure than its name says. Say which: kind{such}, or "
        f"{direction} and unit; or read another measure."
    )
