"""What is done to an AnnData once it is read: options, identifiers, tissue, measures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from .._adata.measure import (
    KINDS,
    as_mapping,
    as_measure,
    in_micromolar,
    kind_name,
    measure_of,
    unit_said,
)
from .._adata.names import DRUG_IDS, LINE_IDS, id_kind, normalised
from ..model.checks import as_numbers
from ._matrix import annotate
from ._source import Source

TOO_MANY = 0.05  # of values beyond a bound, where noise puts some
_CCLE, _NEARLY_ALL = re.compile(r"[A-Z0-9]+_([A-Z][A-Z_]{3,})"), 0.8
_TISSUES = (
    "tissue", "tissuefactor", "oncotreelineage", "lineage", "lineage1", "primarytissue",
    "primarysite", "ccleprimarysite", "tcgadesc", "primarydisease", "tissuesubtype",
)  # fmt: skip


def with_tissue(var: pd.DataFrame, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Have a column ``tissue``, a copy of what is called otherwise, if there is one.

    Else of what CCLE puts behind the name of a line, as in ``A375_SKIN``.
    """
    if "tissue" in var:
        return var
    spelled = {normalised(name): name for name in reversed(list(var.columns))}
    for column in (*map(normalised, columns), *_TISSUES):
        if column in spelled:
            return var.assign(tissue=var[spelled[column]])
    found = [_CCLE.fullmatch(str(name)) for name in var.index]
    if sum(match is not None for match in found) > _NEARLY_ALL * len(found):
        return var.assign(tissue=[match[1].lower() if match else np.nan for match in found])
    return var


_OF_ANY = {"drugs", "measure", "obs", "var", "obs_key", "var_key", "transpose"}


def with_options(adata: AnnData, source: Source, options: Mapping[str, Any]) -> AnnData:
    """Obey options of `read` where they can be, for what is an AnnData from the start.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``), as it is in the file.
    source, options
        What a format's ``read`` was given.

    Returns
    -------
    AnnData, with ``measure`` in ``X``, annotated by ``obs`` and ``var``, turned by ``transpose``

    Raises
    ------
    ValueError
        An option has no meaning for it, or there is no such measure.
    """
    of_r = {"sheet", "censored"} if source.kind == "r" else set()
    strange = sorted(set(source.asked) - _OF_ANY - of_r)
    if strange:
        raise ValueError(f"{source.path} is no table, which {strange} are for. Leave them out.")
    if options["drugs"] == "columns":
        adata = adata.T
    if options["measure"] is not None:
        _take(adata, options["measure"], source)
    for axis, what in (("obs", "drugs"), ("var", "cell lines")):
        if options[axis] is not None:
            own = getattr(adata, axis)
            setattr(adata, axis, annotate(own, options[axis], what, options[f"{axis}_key"]))
    return adata.T if options["transpose"] else adata


def _take(adata: AnnData, wanted: str, source: Source) -> None:
    """Put the measure that is wanted into ``X``, or say that it is what ``X`` is."""
    own, kind = measure_of(adata), kind_name(wanted)
    own_kind = own.get("kind") or kind_name(str(own.get("name", "")))
    if wanted == own.get("name") or (kind and kind == own_kind):
        if kind and unit_said(wanted) and own.get("unit"):
            _agree(wanted, kind, str(own["unit"]), str(own.get("name")))
        return
    layers = [str(name) for name in adata.layers if name]
    found = next((n for n in layers if n == wanted or (kind and kind_name(n) == kind)), None)
    if found is not None:
        before = str(own.get("name", "X_before"))
        measures = dict(as_mapping(adata.uns.get("layer_measures")))
        adata.layers[before], adata.X = adata.X, adata.layers[found]
        adata.uns["measure"] = measures.pop(found, None) or {"name": found}
        adata.uns["layer_measures"] = {**measures, before: own or {"name": before}}
        del adata.layers[found]
    elif own or kind is None:
        raise ValueError(
            f"{source.path} has no measure {wanted!r}. It has {own.get('name', 'none named')!r} "
            f"and the layers {layers}."
        )
    else:
        adata.uns["measure"] = as_measure(kind, wanted if unit_said(wanted) else None)


def _agree(stated: str, kind: str, unit: str, name: str) -> None:
    """Refuse a unit in what the user stated that is another one than is known."""
    said = as_measure(kind, stated)["unit"]
    if in_micromolar(said.split(" ")[-1]) != in_micromolar(unit.split(" ")[-1]):
        raise ValueError(
            f"measure={stated!r} says {said}, but {name!r} is in {unit}. Leave the unit out, or "
            f"correct what is wrong."
        )


NUMBERED = re.compile(r"(.+)_(\d{1,5})")
"""Drugs of oncoPredict, with GDSC's number behind the name: ``Paclitaxel_1080``."""


def with_ids(adata: AnnData) -> None:
    """Have identifiers that the names are, or hold, as columns of their own."""
    lines, drugs = list(adata.var_names), list(adata.obs_names)
    kind = id_kind(lines, LINE_IDS)
    if kind is not None and kind not in adata.var:
        adata.var[kind] = [re.sub(r"\D", "", x) if kind == "cosmic_id" else x for x in lines]
    brackets = bracket_ids(drugs)
    numbered = [NUMBERED.fullmatch(name) for name in drugs]
    found: dict[str, list[Any]] = {}
    if len(brackets.columns):
        found = {column: list(brackets[column]) for column in brackets}
    elif kind == "cosmic_id" and sum(match is not None for match in numbered) > len(drugs) / 2:
        found["drug_name"] = [match[1] if match else np.nan for match in numbered]
        found["drug_id"] = [match[2] if match else np.nan for match in numbered]
    if id_kind(drugs, DRUG_IDS) == "broad_id":
        found["broad_id"] = [name.removeprefix("BRD:").split("::")[0] for name in drugs]
    for column, values in found.items():
        if column not in adata.obs:
            adata.obs[column] = values


def measure_told(adata: AnnData, stated: str | None) -> None:
    """See that values can be what they are called; say what is known where only the name is.

    Raises
    ------
    ValueError
        The values cannot be what the user `stated`.
    """
    notes: list[str] = []
    measure = _checked(adata, None, notes)
    if stated is not None and notes and kind_name(stated) == measure.get("kind", kind_name(stated)):
        raise ValueError(f"measure={stated!r} cannot be: {notes[0]}. Name another measure.")
    if stated is not None and unit_said(stated) and measure.get("kind") == kind_name(stated):
        own = str(measure.get("name", ""))
        told_unit = as_measure(str(measure["kind"]), stated)["unit"]
        if unit_said(own):
            _agree(stated, str(measure["kind"]), str(measure.get("unit", "")), own)
        else:
            measure = {**measure, "unit": told_unit}
    if measure:
        adata.uns["measure"] = measure
    named = as_mapping(adata.uns.get("layer_measures"))
    layers = {name: _checked(adata, name, notes) for name in named if name in adata.layers}
    if layers:
        adata.uns["layer_measures"] = layers
    if notes:
        told = [f"{note}: unit and direction are left open" for note in notes]
        before = as_mapping(adata.uns.get("read_table"))
        adata.uns["read_table"] = {**before, "notes": [*before.get("notes", ()), *told]}


def _checked(adata: AnnData, layer: str | None, notes: list[str]) -> dict[str, Any]:
    """What is known of a measure, or only its name where values contradict that."""
    measure = measure_of(adata, layer)
    name = str(measure.get("name", ""))
    kind = str(measure.get("kind", "")) or ("" if "higher_is" in measure else kind_name(name))
    given = adata.X if layer is None else adata.layers[layer]
    if kind not in KINDS or given is None:
        return measure
    low, high = KINDS[kind].bounds
    values = as_numbers(given)
    values = values[np.isfinite(values)]
    slack = 0.1 * (high - low) if np.isfinite(high - low) else 0.0
    outside = (values < low - slack) | (values > high + slack)
    if values.size and outside.mean() > TOO_MANY:
        notes.append(
            f"values from {values.min():.3g} to {values.max():.3g} are none of {name!r}, which is "
            f"{low:g} to {high:g}"
        )
        return {"name": name}
    return measure if "kind" in measure else {**as_measure(kind, name), **measure}


def bracket_ids(names: Sequence[str]) -> pd.DataFrame:
    """Columns of names as DepMap writes them, ``NAME (SOURCE:ID)`` and ``GENE (ID)``, or none."""
    form = re.compile(r"(?P<name>.+?) \((?:(?P<source>[A-Za-z][A-Za-z0-9_^]*):)?(?P<id>[^()]+)\)")
    found = [form.fullmatch(name) for name in names]
    if not names or sum(match is not None for match in found) < 0.8 * len(names):
        return pd.DataFrame(index=pd.Index(list(names)))
    sources = [match["source"] for match in found if match and match["source"]]
    if not sources and not all(match["id"].isdigit() for match in found if match):
        return pd.DataFrame(index=pd.Index(list(names)))
    key = f"{max(set(sources), key=sources.count).lower()}_id" if sources else "entrez_id"
    return pd.DataFrame(
        {
            "gene" if not sources else "drug_name": [m["name"] if m else np.nan for m in found],
            key: [m["id"] if m else np.nan for m in found],
        },
        index=pd.Index(list(names)),
    )
