"""Whether a column of numbers of drugs holds those of GDSC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .drug_names import DrugName, drug_names
from .identity import COLUMNS, as_text, is_blank
from .names import normalised

if TYPE_CHECKING:
    import pandas as pd

# Columns beside it that are GDSC's alone.
_BESIDE = {
    "putativetarget", "pathwayname", "targetpathway", "companyid", "webrelease", "nlmeresultid",
    "nlmecurveid",
}  # fmt: skip
_SAID = ("gdsc", "genomics of drug sensitivity")
_MOST = 0.8


def says_gdsc(uns: Mapping[str, Any], depth: int = 2) -> bool:
    """Whether what is stored with a screen says that it is GDSC's."""
    for value in uns.values():
        if isinstance(value, str) and any(said in value.lower() for said in _SAID):
            return True
        if isinstance(value, Mapping) and depth and says_gdsc(value, depth - 1):
            return True
    return False


def numbers_of_gdsc(a: pd.DataFrame, b: pd.DataFrame, of_gdsc: tuple[bool, bool]) -> bool:
    """Whether both screens number their drugs as GDSC does, so that one number is one drug.

    A column of numbers alone could number anything: it counts beside names such as ``Drug_1003``
    or ``1003``, where both screens call it the same and are GDSC's, or where the names of one
    number agree.
    """
    frames = (a, b)
    names = [drug_names([str(name) for name in frame.index]) for frame in frames]
    columns = [_column(frame) for frame in frames]
    formed = [any(one.ids.get("drug_id") for one in side) for side in names]
    bare = [sum(one.text.isdecimal() for one in side) >= _MOST * len(side) for side in names]
    if any(formed) or any(bare):
        return True
    if None in columns or normalised(columns[0]) != normalised(columns[1]):
        return False
    sides = list(zip(frames, names, columns, strict=True))
    evident = [flag or _is_gdsc(*side) for flag, side in zip(of_gdsc, sides, strict=True)]
    return all(evident) or _agree(sides)


def _column(frame: pd.DataFrame) -> Any:
    found = (c for c in frame.columns if normalised(c) in COLUMNS["drugs"]["drug_id"])
    return next(found, None)


def _is_gdsc(frame: pd.DataFrame, names: list[DrugName], column: Any) -> bool:
    called = {normalised(c) for c in frame.columns}
    if called & _BESIDE or any("gdsc" in name for name in called):
        return True
    if any("gdsc" in str(x).lower() for c in frame if normalised(c) == "dataset" for x in frame[c]):
        return True
    numbers = [as_text(value) for value in frame[column]]
    return any(
        one.number and one.number == number for one, number in zip(names, numbers, strict=True)
    )


def _agree(sides: list[tuple[pd.DataFrame, list[DrugName], Any]]) -> bool:
    """Whether drugs of one number have one name, nearly always."""
    found = []
    for frame, names, column in sides:
        numbers = [as_text(value) for value in frame[column]]
        found.append(
            {n: one.base for n, one in zip(numbers, names, strict=True) if not is_blank(n)}
        )
    shared = found[0].keys() & found[1].keys()
    same = sum(found[0][number] == found[1][number] for number in shared)
    return len(shared) > 1 and same >= _MOST * len(shared)
