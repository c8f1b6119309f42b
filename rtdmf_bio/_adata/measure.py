"""What the values of a matrix mean: one table of measures, and where an AnnData keeps its own."""

from __future__ import annotations

import math
import re
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


def kind_name(name: str) -> str | None:
    """Name in `KINDS` of a measure however spelled, None if it is not there."""
    text = re.sub("[\u00b5\u03bc]", "u", name.lower()).strip()
    plain = re.sub(r"(published|recomputed|rtdmf)$", "", re.sub(r"[\W_]", "", text))
    if re.match(r"[-\u2212\u2013]|neg|minus", text):
        # Of a logarithm of a concentration, with the sign that makes it grow with sensitivity.
        return "pic50" if re.fullmatch(r"(neg(ative)?|minus)?log10(ic|gi|ec)50m?", plain) else None
    if "%" in text or "percent" in text:
        plain = plain.replace("percent", "")
        return next((k for k, bare in _PERCENT.items() if plain == bare), None)
    plain = re.sub(r"(?<=50)([unpm]m|[unpm]?moll?|[a-z]*molar)$", "", plain)
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


def unit_said(name: str) -> str | None:
    """Unit of a concentration that is in the name of a column, such as ``IC50_nM``."""
    found = re.search(r"(?:^|[\W_])([un\u00b5\u03bcpm])M\b", name)
    return None if found is None else re.sub("[\u00b5\u03bc]", "u", found[1]) + "M"


def as_measure(kind: str, name: str | None = None) -> dict[str, Any]:
    """Return ``uns["measure"]`` of a kind in `KINDS`, under the name that the data give it."""
    entry = KINDS[kind]
    return {
        "name": name or kind,
        "kind": kind,
        "unit": (unit_said(name or "") if entry.linear else None) or entry.unit,
        "higher_is": entry.higher_is,
        "bounds": [float(bound) for bound in entry.bounds],
    }


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
