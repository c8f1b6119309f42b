"""What the values of a matrix mean: one table of measures, and where an AnnData keeps its own."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from anndata import AnnData

_OPEN = (-math.inf, math.inf)


class Kind(NamedTuple):
    """A measure of drug sensitivity."""

    unit: str
    higher_is: str
    bounds: tuple[float, float]
    source: str
    spellings: tuple[str, ...] = ()
    """Other names, without case and punctuation."""
    linear: bool = False
    """A concentration as it is, which spans orders of magnitude: its logarithm is to be taken."""


_SMIRNOV = "Smirnov 2016, PharmacoGx"
_YANG, _CCLE = "Yang 2013, GDSC", "Barretina 2012, CCLE"
_SEASHORE, _CORSELLO = "Seashore-Ludlow 2015, CTRPv2", "Corsello 2020, PRISM"
_HAFNER, _POZDEYEV = "Hafner 2016, GR metrics", "Pozdeyev 2016"
KINDS: dict[str, Kind] = {
    "auc": Kind("fraction of full viability", "resistant", (0, 1), _YANG, ("fitauc",)),
    "auc_percent": Kind("% of full viability", "resistant", (0, 100), _YANG),
    "aac": Kind("fraction of full response", "sensitive", (0, 1), _SMIRNOV),
    "aac_percent": Kind("% of full response", "sensitive", (0, 100), _SMIRNOV),
    "auc_ctrp": Kind(
        "viability x log2 concentration", "resistant", (0, math.inf), _SEASHORE, ("areaundercurve",)
    ),
    "auc_prism": Kind("fraction, 1 = no effect", "resistant", (0, math.inf), _CORSELLO),
    "log2_auc": Kind("log2 of a fraction", "resistant", _OPEN, _CORSELLO, ("log2auc",)),
    "activity_area": Kind("area over 8 doses", "sensitive", (0, 8), _CCLE, ("actarea",)),
    "dss": Kind("drug sensitivity score", "sensitive", (0, 50), "Yadav 2014", ("fitdss", "dss2")),
    "viability": Kind(
        "fraction of control", "resistant", (0, math.inf), _HAFNER, ("meanviability",)
    ),
    "percent_viability": Kind("% of control", "resistant", (0, math.inf), _HAFNER),
    "inhibition": Kind("% of control", "sensitive", (-math.inf, 100), "Yadav 2014"),
    "log_fold_change": Kind(
        "log2 fold change", "resistant", _OPEN, _CORSELLO, ("lfc", "log2fc", "logfc", "dependency")
    ),
    "z_score": Kind("sd of the drug's ln IC50", "resistant", _OPEN, _YANG, ("zscore",)),
    "gr_value": Kind("growth rate, 1 = of control", "resistant", (-1, math.inf), _HAFNER, ("gr",)),
    "gr_aoc": Kind("area over the GR curve", "sensitive", (-math.inf, 2), _HAFNER, ("graoc",)),
    "gr50": Kind("uM", "resistant", (0, math.inf), _HAFNER, linear=True),
    "ic50": Kind("uM", "resistant", (0, math.inf), _YANG, ("ic50um", "fitic50"), True),
    "ec50": Kind("uM", "resistant", (0, math.inf), _CCLE, ("ec50um", "fitec50"), True),
    "gi50": Kind("uM", "resistant", (0, math.inf), "Shoemaker 2006, NCI-60", (), True),
    "ln_ic50": Kind("ln uM", "resistant", _OPEN, _YANG, ("lnic50", "ic50ln")),
    "log10_ic50": Kind("log10 uM", "resistant", _OPEN, _YANG, ("log10ic50",)),
    "log2_ic50": Kind("log2 uM", "resistant", _OPEN, _CORSELLO, ("log2ic50",)),
    "log10_gi50": Kind("log10 M", "resistant", _OPEN, "Shoemaker 2006, NCI-60"),
    "pic50": Kind("-log10 M", "sensitive", _OPEN, _POZDEYEV, ("pgi50", "pec50", "nloggi50")),
    "gene_effect": Kind(
        "-1 = median of essential genes", "resistant", _OPEN, "Dempster 2021, Chronos"
    ),
}
"""Measures by name: the unit, the side that higher values are, what they can be and who says so."""
AT_ONE_DOSE = ("viability", "inhibition", "percent_viability", "gr_value")
"""Kinds that are responses at a dose, of which no curve has made one value."""


# Next to a 50 however it is written; elsewhere, where it may be another word, as it should be.
_MOLES = (
    r"(?:[munp]|milli|micro|nano|pico)?mol(?:ar|es?)?"
    r"(?:[\W_]*(?:per[\W_]*)?l(?:it(?:er|re))?)?"
)
_UNIT = re.compile(
    rf"(?<=50)[\W_]*(?P<near>(?i:[munp]m|{_MOLES})|M)(?![A-Za-z0-9])[)\]]*"
    rf"|(?:^|[\W_])(?P<far>[munp]M|[munp]?mol/[lL]|(?:milli|micro|nano|pico)molar)(?![A-Za-z0-9])"
    r"[)\]]*"
)
_MASS = re.compile(r"(?i)(?:^|[\W_]|50)(?:[munp]|mc)?g[\W_]*(?:per[\W_]*)?[mud]?l(?![a-z0-9])")
_PREFIXES = {"milli": "m", "micro": "u", "nano": "n", "pico": "p"}
MICROMOLAR = {"M": 1e6, "mM": 1e3, "uM": 1.0, "nM": 1e-3, "pM": 1e-6}
"""Micromoles per litre in one of each unit."""


def in_micromolar(unit: Any) -> float | None:
    """How many uM a unit of concentration is; None if it is none, such as "ln uM"."""
    if not isinstance(unit, str):
        return None
    text = _plain(unit).strip("[]() ")
    match = re.fullmatch(rf"(?i:[munp]?m|{_MOLES})", text)
    return None if match is None else MICROMOLAR[_canonical(text)]


def unit_said(name: str) -> str | None:
    """Unit of a concentration that is in a name, such as ``IC50_nM``: "M", "mM", "uM", "nM", "pM".

    Raises
    ------
    ValueError
        The name has two that differ.
    """
    found = _units(name)
    if len(found) > 1:
        raise ValueError(f"{name!r} has two units, {' and '.join(sorted(found))}. Leave one.")
    return found.pop() if found else None


def by_mass(name: str) -> bool:
    """Whether a unit of mass is in a name, such as ``IC50 (ng/ml)``."""
    return _MASS.search(_plain(name)) is not None


def _units(name: str) -> set[str]:
    return {_canonical(match["near"] or match["far"]) for match in _UNIT.finditer(_plain(name))}


def without_unit(name: str) -> str:
    """Return a name without the unit of a concentration that is in it."""
    return name if unit_said(name) is None else _UNIT.sub("", _plain(name)).strip(" _")


def micromolar_of(measure: Mapping[str, Any]) -> tuple[float, str]:
    """How many uM the unit of concentrations is, and this unit; uM where none is stated.

    Raises
    ------
    ValueError
        A unit is stated and not understood, or the name has another one.
    """
    name, unit = measure.get("name"), measure.get("unit")
    name = name if isinstance(name, str) else ""
    said, mass = unit_said(name), by_mass(name)
    stated = isinstance(unit, str) and bool(unit.strip())
    factor = in_micromolar(unit if stated else said or "uM")
    if factor is None or (mass and not stated):
        wrong = unit if stated else name
        raise ValueError(
            f"The unit {wrong!r} is none of a concentration on a linear scale, of which logarithms "
            f"are taken. Known are M, mM, uM, nM and pM. State the one it is in 'unit' of the "
            f"measure, as adata.uns['measure']['unit'] = 'nM', and convert what is in another."
        )
    if said is not None and factor != MICROMOLAR[said]:
        raise ValueError(
            f"The name {name!r} says {said}, but the unit is stated as {unit!r}. Correct 'name' or "
            f"'unit' of the measure, as adata.uns['measure']['unit'] = {said!r}."
        )
    return factor, str(unit) if stated else said or "uM"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u03bc", "u").strip()


def _canonical(unit: str) -> str:
    text = unit.lower()
    for word, letter in _PREFIXES.items():
        text = text.replace(word, letter)
    text = re.sub("mol.*", "m", text)
    return f"{text[:-1]}M"


def kind_name(name: str) -> str | None:
    """Name in `KINDS` of a measure however spelled, None if it is not there."""
    if len(_units(name)) > 1:
        return None
    text = without_unit(name).lower()
    plain = re.sub(r"(published|recomputed|rtdmf)$", "", re.sub(r"[\W_]", "", text))
    if re.match(r"[-\u2212\u2013]|neg|minus", text):
        # Of a logarithm of a concentration, with the sign that makes it grow with sensitivity.
        return "pic50" if re.fullmatch(r"(neg(ative)?|minus)?log10(ic|gi|ec)50m?", plain) else None
    if "%" in text or "percent" in text:
        plain = plain.replace("percent", "")
        return next((k for k, bare in _PERCENT.items() if plain == bare), None)
    for key, kind in KINDS.items():
        if plain == key.replace("_", "") or plain in kind.spellings:
            return key
    return None


_PERCENT = {
    "auc_percent": "auc",
    "aac_percent": "aac",
    "percent_viability": "viability",
    "inhibition": "inhibition",
}


def as_measure(kind: str, name: str | None = None) -> dict[str, Any]:
    """Return ``uns["measure"]`` of a kind in `KINDS`, under the name that the data give it."""
    entry = KINDS[kind]
    return {
        "name": name or kind,
        "kind": kind,
        "unit": _unit_of(entry, name or ""),
        "higher_is": entry.higher_is,
        "bounds": [float(bound) for bound in entry.bounds],
    }


def _unit_of(entry: Kind, name: str) -> str:
    """Unit of a measure under this name; a logarithm is of what its name says, too."""
    *scale, unit = entry.unit.split(" ")
    said = unit_said(name) if unit in MICROMOLAR else None
    return entry.unit if said is None else " ".join([*scale, said])


def bounds_of(measure: Mapping[str, Any]) -> tuple[float, float] | None:
    """Low and high of a measure, None where it states no two numbers."""
    try:
        low, high = (float(bound) for bound in measure["bounds"])
    except (KeyError, TypeError, ValueError):
        return None
    return None if math.isnan(low) or math.isnan(high) else (low, high)


def as_mapping(value: Any) -> Mapping[Any, Any]:
    """Return what is no mapping, as anyone can put into ``uns``, as an empty one."""
    return value if isinstance(value, Mapping) else {}


def measure_of(adata: AnnData, layer: str | None = None) -> dict[str, Any]:
    """Return ``uns["measure"]``, or what ``uns["layer_measures"]`` has on `layer`.

    Empty where there is nothing, or something of another kind.
    """
    if layer in (None, "X"):
        return dict(as_mapping(adata.uns.get("measure")))
    return dict(as_mapping(as_mapping(adata.uns.get("layer_measures")).get(layer)))


def measure_label(measure: Mapping[str, Any], otherwise: str = "value") -> str:
    """Name and direction, for an axis."""
    name, higher = measure.get("name", otherwise), measure.get("higher_is")
    return f"{name} (higher = {higher})" if higher else str(name)
