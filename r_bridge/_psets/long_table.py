"""Response kept as TreatmentResponseExperiment, CoreGx's LongTable.

Drugs (with dose) are rows, cell lines columns, and each assay a table of its own; an index joins
the three by integer keys. A profile belongs to a whole curve and is repeated for each of its
doses, so that the experiments are the distinct profiles of a drug and line.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from rtdmf_bio._adata.columns import text_dtype

from .._nodes import node as nodes
from . import doses

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._nodes.node import Node

Combinations: TypeAlias = Literal["error", "join"]
JOINT = "///"
SAMPLE = ("sampleid", "cellid")
_TREATMENT = re.compile(r"(treatment|drug)\d*id")
_DOSE = re.compile(r"(treatment|drug)\d*dose")


def read(
    response: Node, label: str, slot: str, combinations: Combinations
) -> tuple[pd.DataFrame, Node, NDArray[np.intp], partial[NDArray[np.float64] | None]]:
    """Return ids of each row of the profiles, the profiles, and the rows that are experiments.

    And what finds the largest or smallest dose of the experiment of each row, as `doses.extreme`.

    Raises
    ------
    ValueError
        A part is missing, keys do not join, or treatments are combined.
    """
    where = f"{label}: the slot {slot}"
    profiles, keys = _joined(response, where)
    names = list(keys.columns)
    drugs = sorted(name for name in names if _TREATMENT.fullmatch(name))
    line = next((name for name in SAMPLE if name in names), None)
    if not drugs or line is None:
        raise ValueError(f"{where} has no ids of treatment and sample, only {names}.")
    keys = keys.drop(columns=[name for name in names if _DOSE.fullmatch(name)])
    for name in (*drugs, line):
        ids = keys[name].astype(object)
        keys[name] = ids.where(ids.notna() & (ids != ""), None)
    joint = keys[drugs[1:]].notna().any(axis=1)
    if joint.any() and combinations == "error":
        pair = keys.loc[joint, drugs].iloc[0].tolist()
        raise ValueError(
            f"{where} holds combinations of treatments in {joint.sum()} of {len(keys)} rows, such "
            f"as {' with '.join(map(str, pair))}. A matrix of drugs x cell lines has no place for "
            "two drugs. Pass combinations='join' to read each combination as a drug of its own, "
            f"named 'A{JOINT}B'."
        )
    drug = keys[drugs[0]]
    for name in drugs[1:]:
        drug = drug.where(keys[name].isna(), drug + JOINT + keys[name].fillna(""))
    rows = pd.DataFrame({"treatmentid": drug, "sampleid": keys[line]})
    replicate = keys.drop(columns=[*drugs, line])
    measured = nodes.table(profiles, measures(profiles))
    distinct = pd.concat(
        [part.reset_index(drop=True) for part in (rows, replicate, measured)], axis=1
    )
    distinct.columns = pd.RangeIndex(distinct.shape[1])
    first = np.flatnonzero(~distinct.duplicated())
    name = [f"{drug}_{line}" for drug, line in rows.itertuples(index=False)]
    rows = rows.set_axis(pd.Index(name, dtype=text_dtype()))
    return rows, profiles, first, partial(_extreme_dose, response, profiles, distinct, joint)


def _extreme_dose(
    response: Node,
    profiles: Node,
    distinct: pd.DataFrame,
    joint: pd.Series,
    smallest: bool = False,
) -> NDArray[np.float64] | None:
    """Take the largest, or smallest, of rows that repeat a profile; a combination has no dose."""
    end = "min" if smallest else "max"
    by_row = _doses(response, profiles, end)
    if by_row is None:
        return None
    experiment = distinct.groupby(list(distinct), sort=False, dropna=False).ngroup()
    dose = pd.Series(by_row).groupby(experiment.to_numpy()).transform(end).to_numpy(float)
    found = np.where(joint, np.nan, dose)
    return None if np.isnan(found).all() else found


def _doses(response: Node, profiles: Node, end: str) -> NDArray[np.float64] | None:
    """Dose of each row of the profiles; that at the `end`, if the index gives it several."""

    def column(table: Node) -> str | None:
        return min((name for name in table.names if _DOSE.fullmatch(name)), default=None)

    joined = response.item("joined")
    if joined is not None:
        name = column(joined)
        return None if name is None else doses.numbers(nodes.column(joined, name))
    rows: Any = response.attr("rowData")
    name = column(rows)
    if name is None:
        return None
    by_key = nodes.required(rows, ["rowKey", name])
    dose = pd.Series(doses.numbers(by_key[name]), index=by_key["rowKey"])
    if "rowKey" in profiles.names:
        own = nodes.required(profiles, ["rowKey"])["rowKey"]
        return np.asarray(dose.reindex(own), dtype=np.float64)
    intern: Any = response.attr(".intern")
    index = nodes.required(intern.item("assayIndex"), ["rowKey", ".profiles"]).dropna()
    several = pd.Series(dose.reindex(index["rowKey"]).to_numpy()).groupby(index[".profiles"].values)
    own = nodes.required(profiles, [".profiles"])[".profiles"]
    return np.asarray(several.agg(end).reindex(own), dtype=np.float64)


def measures(profiles: Node) -> list[str]:
    """Columns of the profiles that are values, not keys."""
    return [
        name
        for name in profiles.names
        if not is_key(name) and nodes.column(profiles, name) is not None
    ]


def is_key(name: str) -> bool:
    """Whether a column of this name joins tables and holds no values."""
    return name.startswith(".") or name in ("rowKey", "colKey") or _is_id(name)


def _joined(response: Node, where: str) -> tuple[Node, pd.DataFrame]:
    """The profiles, and for each of their rows the id columns of drug and line."""
    joined = response.item("joined")
    if joined is not None:
        ids = [name for name in joined.names if _is_id(name)]
        return joined, nodes.table(joined, ids).reset_index(drop=True)
    assays = response.attr("assays")
    profiles = None if assays is None else assays.item("profiles")
    if profiles is None or not nodes.is_table(profiles):
        raise ValueError(
            f"{where} has no assay 'profiles', only {[] if assays is None else assays.names}."
        )
    parts = {name: response.attr(name) for name in ("rowData", "colData")}
    for name, part in parts.items():
        if not nodes.is_table(part):
            raise ValueError(f"{where} has no table {name!r}.")
    intern = response.attr(".intern")
    if {"rowKey", "colKey"} <= set(profiles.names):
        index = nodes.required(profiles, ["rowKey", "colKey"])
    else:
        index = _index(profiles, intern, where)
    rows = _ids(parts["rowData"], "rowKey", index, intern, f"{where}: rowData")
    lines = _ids(parts["colData"], "colKey", index, intern, f"{where}: colData")
    return profiles, pd.concat([rows, lines], axis=1)


def _ids(data: Any, key: str, index: pd.DataFrame, intern: Node | None, where: str) -> pd.DataFrame:
    """The id columns of rows or columns, for each key of the index."""
    if key not in data.names:
        raise ValueError(f"{where} has no column {key!r}, only {data.names}.")
    listed = None if intern is None else intern.item("rowIDs" if key == "rowKey" else "colIDs")
    wanted = nodes.text(listed) or [name for name in data.names if _is_id(name)]
    with nodes.within(where):
        ids = nodes.required(data, [key, *(name for name in wanted if name in data.names)])
    ids = ids.set_index(key)
    if ids.index.has_duplicates:
        raise ValueError(f"{where} has keys ({key}) that occur twice.")
    lost = ~index[key].isin(ids.index)
    if lost.any():
        raise ValueError(
            f"{where} lacks the keys ({key}) of {lost.sum()} of {len(index)} profiles."
        )
    return ids.loc[index[key]].reset_index(drop=True)


def _is_id(name: str) -> bool:
    return bool(name in SAMPLE or _TREATMENT.fullmatch(name) or _DOSE.fullmatch(name))


def _index(profiles: Node, intern: Node | None, where: str) -> pd.DataFrame:
    """Row and column keys of each profile, by the index of all assays."""
    index = None if intern is None else intern.item("assayIndex")
    keys = ["rowKey", "colKey", ".profiles"]
    if index is None or set(keys) - set(index.names) or ".profiles" not in profiles.names:
        raise ValueError(
            f"{where} has no index ('.intern$assayIndex') that joins its profiles by {keys}."
        )
    with nodes.within(f"{where}: .intern$assayIndex"):
        table = nodes.required(index, keys).dropna()
    table = table.drop_duplicates(".profiles").set_index(".profiles")
    with nodes.within(f"{where}: the profiles"):
        own = nodes.required(profiles, [".profiles"])[".profiles"]
    lost = ~own.isin(table.index)
    if lost.any():
        raise ValueError(
            f"{where}: {lost.sum()} of {len(own)} profiles are not in the index that joins them."
        )
    return table.loc[own].reset_index(drop=True)
