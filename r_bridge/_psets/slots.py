"""A PharmacoSet of any generation, as tables.

The class carries no version. Its slots were renamed in 2022: ``sensitivity``, ``cell``, ``drug``
became ``treatmentResponse``, ``sample``, ``treatment``, with transitional files that have some of
both, empty ones among them; the response was a list of tables and is now often a
TreatmentResponseExperiment. Whatever is found is given under the new names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rtdmf_bio._adata.columns import is_text, text_dtype

from .._nodes import node as nodes
from . import doses, long_table
from .censored import from_text
from .measures import FLAG, usable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .._nodes.node import Node
    from .long_table import Combinations
    from .open import Opened

SLOTS = {
    "response": ("treatmentResponse", "sensitivity"),
    "sample": ("sample", "cell"),
    "treatment": ("treatment", "drug"),
}
LONG = "TreatmentResponseExperiment"
"""Generation whose response is no list of tables."""
TREATMENT = ("treatmentid", "drugid")


@dataclass
class PSet:
    """Tables of a PharmacoSet."""

    label: str
    backend: str
    slot: str
    """The slot that holds the response."""
    generation: str
    name: str
    treatment: pd.DataFrame
    """Annotation of the drugs, by id."""
    sample: pd.DataFrame
    """Annotation of the cell lines, by id."""
    rows: pd.DataFrame
    """``treatmentid`` and ``sampleid`` of each row of the profiles, in the order of the file."""
    first: NDArray[np.intp]
    """Rows that are experiments of their own: all, unless doses repeat them."""
    find_dose: Callable[..., NDArray[np.float64] | None]
    profiles: Node
    measures: list[str]
    curation: dict[str, pd.DataFrame]
    annotation: dict[str, str]
    written: dict[str, dict[str, Any]]
    """Measures that `write_pset` added, and what they mean."""
    molecular: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def listed(self) -> list[str]:
        """Measures without the flags that `write_pset` added beside its own."""
        flags = {measure + FLAG for measure in self.measures}
        return [measure for measure in self.measures if measure not in flags]

    def values(self, measure: str) -> NDArray[np.float64]:
        """Return a measure for each row, NaN for NA; of a bound such as ``>8`` the number.

        Raises
        ------
        ValueError
            There is no such measure, or it is text without numbers.
        """
        return self.censored(measure)[0]

    def censored(
        self, measure: str, unit: str | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.int8], bool]:
        """Return `values`, the side of each that is a bound, and whether they are text in the file.

        Text may have units of concentration if that of the measure is `unit` "uM".
        """
        if measure not in self.measures:
            raise ValueError(f"{self.label} has no measure {measure!r}. It has {self.measures}.")
        with nodes.within(f"{self.label}: the profiles of the slot {self.slot}"):
            values = nodes.column(self.profiles, measure)
        if isinstance(values, pd.Categorical) or is_text(values):
            numbers, sides, lost = from_text(np.asarray(values, dtype=object).tolist(), unit)
            if lost:
                raise ValueError(
                    f"{self.label}: the column {measure!r} of the profiles is text, and "
                    f"{len(lost)} entries are no numbers, nor bounds such as '>8', but such as "
                    f"{lost[0]!r}. Correct them in R, or choose another measure."
                )
            return numbers, sides, True
        numbers = np.asarray(pd.array(values).to_numpy(np.float64, na_value=np.nan))
        return numbers, np.zeros(len(numbers), dtype=np.int8), False

    def largest_dose(self) -> NDArray[np.float64] | None:
        """Return the largest dose of each row in uM, NaN where not known; None if none is."""
        with nodes.within(f"{self.label}: the slot {self.slot}"):
            return self.find_dose()

    def smallest_dose(self) -> NDArray[np.float64] | None:
        """Return the smallest dose of each row, as `largest_dose`."""
        with nodes.within(f"{self.label}: the slot {self.slot}"):
            return self.find_dose(smallest=True)


def read(opened: Opened, combinations: Combinations = "error") -> PSet:
    """Find the tables of a PharmacoSet, and see that they fit together.

    Raises
    ------
    ValueError
        A slot is missing or empty, tables disagree in length or order, ids are missing or occur
        twice; the message names file and slot.
    """
    label = opened.label
    parts, used = _slots(opened.node, label)
    slot = used["response"]
    generation = _generation(opened.node, parts["response"])
    if opened.backend == "pharmacogx":
        from .._nodes import by_rpy2 as r

        parts = r.accessors(opened.node, label)
    response = parts["response"]
    with nodes.within(f"{label}: the slot {slot}"):
        if generation == LONG:
            rows, profiles, first, find_dose = long_table.read(response, label, slot, combinations)
            measures = long_table.measures(profiles)
        else:
            rows, profiles = _lists(response, label, slot)
            measures, first = _measures(profiles), np.arange(len(rows))
            find_dose = partial(doses.extreme, response, rows.index)
    if len(rows) == 0:
        raise ValueError(f"{label}: the slot {slot} has no experiments.")
    if not measures:
        raise ValueError(f"{label}: the profiles of the slot {slot} have no measures.")

    with nodes.within(f"{label}: the slot curation"):
        curation = _curation(parts.get("curation"))
    annotation, written = _annotation(parts.get("annotation"))
    tables, notes = {}, list(opened.warnings)
    for kind, key in (("treatment", "treatmentid"), ("sample", "sampleid")):
        node = None if nodes.is_empty(parts[kind]) else parts[kind]
        with nodes.within(f"{label}: the slot {used[kind]}"):
            tables[kind] = _annotated(node, curation.get(kind), rows[key])
        if node is None:
            notes.append(
                f"the slot {used[kind]} is empty: its ids are known, its annotation is not"
            )
        if kind == "treatment" and combinations == "join":
            tables[kind] = _with_joint(tables[kind], rows[key])
        _unique(tables[kind].index, f"{label}: the slot {used[kind]}")
    molecular = parts.get("molecularProfiles")
    return PSet(
        label=label,
        backend=opened.backend,
        slot=slot,
        generation=generation,
        name=annotation.get("name", ""),
        **tables,
        rows=rows,
        first=first,
        find_dose=find_dose,
        profiles=profiles,
        measures=measures,
        curation=curation,
        annotation=annotation,
        written=written,
        molecular=molecular.names if molecular is not None and molecular.kind == "list" else [],
        notes=notes,
    )


def _slots(node: Node, label: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The first of each pair of slots that is not empty, and which it was."""
    parts: dict[str, Any] = {
        name: node.attr(name) for name in ("curation", "annotation", "molecularProfiles")
    }
    used = {}
    for kind, names in SLOTS.items():
        if not set(names) & set(node.attributes):
            raise ValueError(
                f"{label}: the slot {names[0]} (or {names[1]}) is missing. This PharmacoSet has "
                f"{node.attributes}."
            )
        found = [name for name in names if not nodes.is_empty(node.attr(name))]
        used[kind] = found[0] if found else names[0]
        parts[kind] = node.attr(found[0]) if found else None
    if parts["response"] is None:
        raise ValueError(
            f"{label}: the slot {used['response']} is empty. Only a PharmacoSet with drug response "
            "can be read."
        )
    for kind in ("sample", "treatment"):
        if parts[kind] is not None and not nodes.is_table(parts[kind]):
            raise ValueError(f"{label}: the slot {used[kind]} is no data frame.")
    return parts, used


def _generation(node: Node, response: Node) -> str:
    if response.kind == "S4":
        return LONG
    old = [name for _, name in SLOTS.values() if name in node.attributes]
    if not old:
        return "current"
    new = [name for name, _ in SLOTS.values() if name in node.attributes]
    return "transitional (2022)" if new else "2016-2021"


def _lists(response: Node, label: str, slot: str) -> tuple[pd.DataFrame, Node]:
    """Ids and profiles of a response kept as a list of tables."""
    for name in ("info", "profiles"):
        if not nodes.is_table(response.item(name)):
            raise ValueError(
                f"{label}: the slot {slot} has no table {name!r} among {response.names}."
            )
    info: Any = response.item("info")
    profiles: Any = response.item("profiles")
    there = nodes.columns(info)
    ids = {}
    for names in (TREATMENT, long_table.SAMPLE):
        key = next((name for name in names if name in there), None)
        if key is None:
            raise ValueError(
                f"{label}: the table info of the slot {slot} has no column {names[0]!r} (or "
                f"{names[1]!r}), but {there}."
            )
        values = nodes.column(info, key)
        if values is None:
            raise ValueError(
                f"{label}: in the slot {slot}, the column {key!r} of info is no plain vector."
            )
        ids[names[0]] = _as_text(values)
    index, other = nodes.row_names(info), nodes.row_names(profiles)
    if len(index) != len(other):
        raise ValueError(
            f"{label}: in the slot {slot}, info has {len(index)} rows and profiles {len(other)}. "
            "They belong together by position, so that one of them is incomplete."
        )
    if not index.equals(other) and len(index.symmetric_difference(other)) == 0:
        at = int(np.flatnonzero(index != other)[0])
        raise ValueError(
            f"{label}: in the slot {slot}, info and profiles have the same rows in another order "
            f"(row {at + 1}: {index[at]!r} and {other[at]!r}), but belong together by position. "
            "Put them in one order in R."
        )
    return pd.DataFrame(ids, index=index), profiles


def _measures(profiles: Node) -> list[str]:
    """Columns of the profiles that are plain vectors."""
    if profiles.kind != "list":
        return list(dict.fromkeys(nodes.columns(profiles)))
    items = {name: profiles.item(name) for name in profiles.names}
    return [
        name
        for name, item in items.items()
        if item is not None and item.kind in nodes.ATOMIC and item.attr("dim") is None
    ]


def _as_text(values: Any) -> Any:
    """Ids as text, None where missing."""
    ids = pd.Series(values).astype(object)
    text = [None if gone else str(name) for name, gone in zip(ids, ids.isna(), strict=True)]
    return np.array(text, dtype=object)


def rename(name: str) -> str:
    """Column names as PharmacoGx itself updates them."""
    return re.sub("cellid", "sampleid", re.sub("drugid", "treatmentid", name))


def _annotated(node: Node | None, curation: pd.DataFrame | None, ids: pd.Series) -> pd.DataFrame:
    """Annotation of drugs or lines; where the table is empty, the ids that are known otherwise."""
    if node is not None:
        return nodes.table(node).rename(columns=rename)
    if curation is not None and len(curation):
        return pd.DataFrame(index=curation.index)
    return pd.DataFrame(index=pd.Index(ids.dropna().unique(), dtype=text_dtype()))


def _with_joint(table: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """Add rows, without annotation, for combinations that the table of treatments does not have."""
    names = ids.dropna().unique()
    new = [name for name in names if long_table.JOINT in name and name not in table.index]
    if not new:
        return table
    # Whole numbers and booleans need a type that can be missing.
    kinds = {"i": "Int32", "b": "boolean"}
    table = table.astype(
        {
            name: kinds[t.kind]
            for name, t in table.dtypes.items()
            if isinstance(t, np.dtype) and t.kind in kinds
        }
    )
    return table.reindex(table.index.append(pd.Index(new, dtype=text_dtype())))


def _unique(index: pd.Index, where: str) -> None:
    missing = index.isna() | (index == "")
    if missing.any():
        raise ValueError(f"{where} has {missing.sum()} rows without a name, which is their id.")
    if index.has_duplicates:
        twice = index[index.duplicated()].unique().tolist()
        raise ValueError(f"{where} has ids that occur twice: {twice[:3]}. Make them unique in R.")


def _curation(node: Node | None) -> dict[str, pd.DataFrame]:
    if node is None:
        return {}
    new = {"drug": "treatment", "cell": "sample"}
    items = {new.get(name, name): node.item(name) for name in node.names}
    return {
        name: nodes.table(item).rename(columns=rename)
        for name, item in items.items()
        if item is not None and nodes.is_table(item)
    }


def _annotation(node: Node | None) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Name and date, and what `write_pset` noted."""
    if node is None:
        return {}, {}
    plain = {}
    for name in ("name", "dateCreated"):
        values = nodes.text(node.item(name))
        if values and values[0] is not None:
            plain[name] = values[0]
    ours = node.item("rtdmf_bio")
    written = {} if ours is None else {name: _entry(ours.item(name)) for name in ours.names}
    return plain, written


def _entry(node: Node | None) -> dict[str, Any]:
    if node is None:
        return {}
    entry: dict[str, Any] = {}
    for name in ("kind", "unit", "higher_is"):
        if values := nodes.text(node.item(name)):
            entry[name] = values[0]
    bounds = node.item("bounds")
    if bounds is not None and bounds.kind == "double":
        entry["bounds"] = bounds.values()
    return usable(entry)
