"""PharmacoSets of every generation, made here: the tests need neither R nor anyone's data.

Below is a writer of R's serialization format, just large enough for them.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

R_NA = np.array([0x7FF00000000007A2], np.uint64).view(np.float64)[0]
NA_INT = np.iinfo(np.int32).min
PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "none": bytes}


@dataclass
class R:
    """A value with attributes.

    Text is a list of str, bytes (no encoding declared) and None (NA); float64 and int32 arrays are
    what they say, int8 is logical with -1 for NA; a dict is a named list, a list any other one.
    """

    value: Any
    attributes: dict[str, Any] = field(default_factory=dict)
    latin1: bool = False


@dataclass
class S4:
    """An S4 object: its slots, its class and the package of that."""

    cls: str
    slots: dict[str, Any]
    package: str = "PharmacoGx"


@dataclass
class Linked:
    """A pairlist, R's linked list, without names."""

    values: list[Any]


@dataclass
class Call:
    """A call of a function by name, which R would run if it were asked for its value."""

    function: str
    arguments: list[Any]


@dataclass
class Function:
    """A function without arguments, of a `Call` or value."""

    body: Any


@dataclass
class Promise:
    """What R evaluates when it is looked at."""

    code: Any


@dataclass
class Environment:
    """Variables by name."""

    variables: dict[str, Any]


POINTER = object()
"""An external pointer, as data.table leaves one behind."""


def matrix(values, rows, cols):
    values = np.asarray(values)
    names = [list(rows), list(cols)]
    flat = values.ravel(order="F")
    flat = flat.tolist() if flat.dtype == object else flat
    return R(flat, {"dim": np.array(values.shape, np.int32), "dimnames": names})


def dframe(frame, rows=None):
    """As S4Vectors has a data frame, perhaps with names of rows."""
    columns = _frame(frame.reset_index(drop=True)).value
    slots = {
        "rownames": rows if rows is None else list(rows),
        "nrows": np.array([len(frame)], np.int32),
        "listData": columns,
        "elementType": ["ANY"],
        "elementMetadata": None,
        "metadata": {},
    }
    return S4("DFrame", slots, "S4Vectors")


def experiment(assays, row_data, col_data, *, metadata=None, holder="simple", ranges=""):
    """Describe a SummarizedExperiment; tables have names as index.

    `holder` is what assays lie in: ``"simple"``, ``"list"`` or ``"environment"``; `ranges` where
    the rows have their names: ``""``, ``"ranges"`` or ``"list"`` of ranges.
    """
    listed = S4("SimpleList", {"listData": assays, "metadata": {}}, "S4Vectors")
    package = "SummarizedExperiment"
    held = {
        "simple": S4("SimpleAssays", {"data": listed}, package),
        "list": listed,
        "environment": S4(
            "ShallowSimpleListAssays",
            {".xData": Environment({"data": Function(Call("stop", [["no"]])), ".->data": listed})},
            package,
        ),
    }
    names, rows = list(row_data.index), dframe(row_data)
    slots = {"colData": dframe(col_data, col_data.index), "assays": held[holder], "NAMES": names}
    if ranges:
        where = "ranges" if ranges == "ranges" else "partitioning"
        inner = S4("IRanges", {"start": np.zeros(len(names), np.int32), "NAMES": names}, "IRanges")
        own = {where: inner, "elementMetadata": rows}
        slots |= {"rowRanges": S4("GRanges", own, "GenomicRanges"), "NAMES": None}
        rows = dframe(row_data.iloc[:, :0])
    slots |= {"elementMetadata": rows, "metadata": metadata or {}}
    return S4(f"{'Ranged' * bool(ranges)}SummarizedExperiment", slots, package)


def data_table(frame, key):
    """As data.table has it: a class, no names of rows, a pointer, and a column it is sorted by."""
    made = _frame(frame.reset_index(drop=True))
    cls = ["data.table", "data.frame"]
    made.attributes |= {"class": cls, ".internal.selfref": POINTER, "sorted": [key]}
    return made


def write(path, content, *, several=False, pack="gzip", version=3):
    """Write an .rds, or with `several` an .rda of a dict of objects."""
    Path(path).write_bytes(PACK[pack](serialized(content, several=several, version=version)))
    return Path(path)


def serialized(content, *, several=False, version=3):
    writer = _Writer()
    writer.ints(version, 0x40202, {2: 0x20300, 3: 0x30500}[version])
    if version == 3:
        writer.ints(5)
        writer.out += b"UTF-8"
    if several:
        writer.pairs(content)
    else:
        writer.put(content)
    return (b"RDX%d\n" % version if several else b"") + b"X\n" + bytes(writer.out)


class _Writer:
    def __init__(self):
        self.out = bytearray()
        self.seen = {}

    def ints(self, *values):
        self.out += np.array(values, ">i4").tobytes()

    def put(self, thing):
        if isinstance(thing, S4):
            # Type 25, the bits for an object with attributes, and that of S4.
            self.ints(25 | 0x300 | (1 << 4 << 12))
            cls = R([thing.cls], {"package": [thing.package]})
            self.pairs({**thing.slots, "class": cls})
            return
        if isinstance(thing, Call):
            self.ints(6)
            self.symbol(thing.function)
            self.put(Linked(thing.arguments))
            return
        if isinstance(thing, (Function, Promise)):
            # Both of the global environment; without arguments, and without a value yet.
            number, second = (3, 254) if isinstance(thing, Function) else (5, 252)
            self.ints(number | 0x400, 253, second)
            self.put(thing.body if number == 3 else thing.code)
            return
        if isinstance(thing, Environment):
            self.seen[object()] = len(self.seen) + 1
            self.ints(4, 0, 242)
            self.pairs(thing.variables)
            self.ints(254, 254)
            return
        if isinstance(thing, Linked):
            for value in thing.values:
                self.ints(2)
                self.put(value)
            self.ints(254)
            return
        if isinstance(thing, (pd.DataFrame, pd.Series)):
            thing = _frame(thing) if isinstance(thing, pd.DataFrame) else _column(thing)
        value, attributes, latin1 = (
            (thing.value, thing.attributes, thing.latin1)
            if isinstance(thing, R)
            else (thing, {}, False)
        )
        if isinstance(value, dict):
            value, attributes = list(value.values()), {"names": list(value), **attributes}
            as_list = True
        else:
            as_list = isinstance(value, list) and not all(
                item is None or isinstance(item, (str, bytes)) for item in value
            )
        flags = (0x200 if attributes else 0) | (0x100 if "class" in attributes else 0)
        if value is None:
            self.ints(254)
            return
        if value is POINTER:
            self.seen[object()] = len(self.seen) + 1
            self.ints(22, 254, 254)
            return
        if as_list:
            self.ints(19 | flags, len(value))
            for item in value:
                self.put(item)
        elif isinstance(value, list):
            self.ints(16 | flags, len(value))
            for text in value:
                self.char(text, latin1)
        elif value.dtype == np.float64:
            self.ints(14 | flags, len(value))
            self.out += value.view(np.uint64).astype(">u8").tobytes()
        elif value.dtype == np.int8:
            value = value.astype(np.int32)
            self.ints(10 | flags, len(value), *np.where(value < 0, NA_INT, value))
        else:
            assert value.dtype == np.int32, value.dtype
            self.ints(13 | flags, len(value), *value)
        if attributes:
            self.pairs(attributes)

    def pairs(self, items):
        for name, value in items.items():
            self.ints(2 | 0x400)
            self.symbol(name)
            self.put(value)
        self.ints(254)

    def symbol(self, name):
        if name in self.seen:
            self.ints(255 | self.seen[name] << 8)
            return
        self.seen[name] = len(self.seen) + 1
        self.ints(1)
        self.char(name, False)

    def char(self, text, latin1):
        if text is None:
            self.ints(9, -1)
            return
        data = text if isinstance(text, bytes) else text.encode("cp1252" if latin1 else "utf-8")
        mark = 4 if latin1 else 0 if isinstance(text, bytes) else 64 if text.isascii() else 8
        self.ints(9 | mark << 12, len(data))
        self.out += data


def slots(change):
    """Make an `edit` of `pset` that changes the slots, a dict."""
    return lambda parts: change(parts.slots) if hasattr(parts, "slots") else None


def bend(tables, name, change):
    """Let `change` do to a data frame in `tables` what pandas would not: it is given the `R`."""
    frame = _frame(tables[name])
    change(frame)
    tables[name] = frame


def _frame(frame):
    columns = {str(name): _column(frame.iloc[:, i]) for i, name in enumerate(frame)}
    if isinstance(frame.index, pd.RangeIndex):
        names = np.array([NA_INT, -len(frame)], np.int32)
    else:
        names = [None if pd.isna(name) else name for name in frame.index]
    return R(columns, {"class": ["data.frame"], "row.names": names})


def _column(column):
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy().astype(np.int32) + 1
        codes[codes == 0] = NA_INT
        return R(codes, {"levels": list(column.cat.categories), "class": ["factor"]})
    if column.dtype in (object, "string"):
        values = column.to_list()
        if any(isinstance(value, (R, np.ndarray)) for value in values):
            return values
        missing = [value is None or value is pd.NA or value != value for value in values]
        return [None if gone else value for value, gone in zip(values, missing, strict=True)]
    if column.dtype in (bool, "boolean"):
        return column.astype("Int8").fillna(-1).to_numpy(np.int8)
    if column.dtype.kind in "iu" or column.dtype == "Int32":
        return pd.array(column, dtype="Int32").fillna(NA_INT).to_numpy(np.int32)
    return column.to_numpy()


GENERATIONS = ("2016", "2019", "2021", "2022a", "2022b", "current", "tre")
MEASURES = ("auc_published", "auc_recomputed", "ic50_published", "ic50_recomputed")

DRUGS = ["vorinostat", "5-FU", "17-AAG", "β-Lapachone", "AZD 6482", "Nutlin-3", "untested"]
LINES = ["A375", "22RV1", "NCI-H1703", "K562", "HeLa", "U.2 OS", "MCF7", "no data"]


def truth(seed=0):
    """The tables behind every generation, as pandas: the oracle of the tests.

    The last drug and line have no experiment, "Nutlin-3" has no value, "AZD 6482" two experiments
    on three lines, "17-AAG" three on one. Rows are in no order; some values are NA, some NaN, and
    of the IC50 some infinite.
    """
    rng = np.random.default_rng(seed)
    pairs = [(d, c) for d in DRUGS[:-1] for c in LINES[:-1] if rng.random() < 0.9]
    pairs += [("AZD 6482", c) for c in LINES[:3]] * 2 + [("17-AAG", "K562")] * 3
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    n = len(pairs)
    experiments = pd.DataFrame(pairs, columns=["treatmentid", "sampleid"])
    experiments.index = [f"drugid_{i}_{line}" for i, (_, line) in enumerate(pairs)]
    response = rng.random(n)
    values = {}
    for name in MEASURES:
        own = np.clip(response + 0.1 * rng.normal(size=n), 0, 1)
        values[name] = own if name.startswith("auc") else 10 * np.exp(-8 * own)
    profiles = pd.DataFrame(values, index=experiments.index)
    profiles.iloc[rng.permutation(n)[:4], 1] = R_NA
    profiles.iloc[rng.permutation(n)[:2], 1] = np.nan
    profiles.iloc[rng.permutation(n)[:6], 3] = np.inf
    profiles[experiments["treatmentid"] == "Nutlin-3"] = R_NA
    treatment = pd.DataFrame(
        {
            "treatmentid": DRUGS,
            "Targets": ["HDAC", None, "HSP90", "NQO1", "PI3Kβ", "MDM2", None],
            "PubCHEM": pd.array([5311, 3385, None, 3885, 44137675, 216345, 7], dtype="Int32"),
            "approved": pd.array([True, True, None, False, False, False, None], dtype="boolean"),
            "class": pd.Categorical(list("abacaab"), categories=list("cab")),
        },
        index=DRUGS,
    )
    sample = pd.DataFrame(
        {
            "sampleid": LINES,
            "tissueid": ["skin", "prostate", "lung", "blood", "cervix", None, "breast", "skin"],
            "Sample.size": np.arange(8, dtype=np.int32),
            "Comments": pd.array([None] * 8, dtype="boolean"),
            "doubling": np.array([20.5, R_NA, 31.25, np.nan, 1.0, 2.0, 3.0, 4.0]),
        },
        index=LINES,
    )
    return SimpleNamespace(
        experiments=experiments, profiles=profiles, treatment=treatment, sample=sample
    )


def pset(generation, *, seed=0, edit=None):
    """Describe a PharmacoSet holding `truth`, for `write`.

    `edit` is called with the tables before they are put together, and may change them: ``info``,
    ``profiles``, ``sample``, ``treatment`` and, last of all, ``slots``.
    """
    made = truth(seed)
    info = made.experiments.assign(**{"min.Dose.uM": 0.01, "duration_h": 72})
    parts = SimpleNamespace(
        info=info, profiles=made.profiles, sample=made.sample, treatment=made.treatment
    )
    if edit is not None:
        edit(parts)
    old = generation < "2022"
    if old:
        for name in ("info", "sample", "treatment"):
            table = getattr(parts, name)
            new = {"treatmentid": "drugid", "sampleid": "cellid"}
            setattr(parts, name, table.rename(columns=new))
    elif generation == "2022a":
        # Its real file has new names of lines and old names of drugs in one table.
        parts.info = parts.info.rename(columns={"treatmentid": "drugid"})
    if generation == "tre":
        response = long_table(parts.info, parts.profiles)
    else:
        profiles = parts.profiles
        if generation == "2016":
            profiles = matrix(profiles.to_numpy(), profiles.index, profiles.columns)
        response = {"info": parts.info, "raw": R(["1"]), "profiles": profiles, "n": None}
    treatment, sample = ("drug", "cell") if old else ("treatment", "sample")
    curation = {
        treatment: pd.DataFrame({"unique.id": DRUGS}, index=DRUGS),
        sample: pd.DataFrame({"unique.id": LINES}, index=LINES),
        "tissue": parts.sample[["tissueid"]] if "tissueid" in parts.sample else None,
    }
    empty = R({}, {"class": ["data.frame"], "row.names": np.zeros(0, np.int32)})
    slots = {
        "annotation": {"name": ["made"], "dateCreated": ["Mon Nov 23 2026"]},
        "molecularProfiles": S4("MultiAssayExperiment", {}, "MultiAssayExperiment")
        if generation == "2021"
        else {},
        "datasetType": ["sensitivity"],
        "perturbation": {},
        "curation": curation,
    }
    slots |= {
        "current": {"treatmentResponse": response, "sample": parts.sample},
        "tre": {"treatmentResponse": response, "sample": parts.sample},
        "2022a": {"drug": empty, "sensitivity": response, "sample": parts.sample},
        "2022b": {"treatmentResponse": response, "sample": parts.sample, "treatment": empty},
    }.get(generation, {"sensitivity": response, "cell": parts.sample})
    slots |= {"2022a": {"treatment": empty}, "2022b": {"drug": parts.treatment}}.get(
        generation, {treatment: parts.treatment}
    )
    parts.slots = slots
    if edit is not None:
        edit(parts)
    return S4("PharmacoSet", parts.slots)


def long_table(info, profiles, second=None):
    """A TreatmentResponseExperiment: three doses an experiment, each with the whole profile.

    `second` names the second treatment of each experiment, None for none.
    """
    repeat = info.groupby(["treatmentid", "sampleid"], dropna=False).cumcount().to_numpy()
    doses = [(i, dose + repeat[i] / 8) for i in range(len(info)) for dose in (0.01, 0.1, 1.0)]
    at = np.array([i for i, _ in doses])
    wells = pd.DataFrame(
        {
            "treatment1id": info["treatmentid"].to_numpy()[at],
            "treatment1dose": [dose for _, dose in doses],
            "sampleid": info["sampleid"].to_numpy()[at],
        }
    )
    rows = ["treatment1id", "treatment1dose"]
    if second is not None:
        wells.insert(2, "treatment2id", np.asarray(second, dtype=object)[at])
        rows.append("treatment2id")
    wells["row"] = wells.groupby(rows, dropna=False).ngroup() + 1
    wells["col"] = wells.groupby("sampleid", dropna=False).ngroup() + 1
    by_row = wells.drop_duplicates("row").sort_values("row")
    by_col = wells.drop_duplicates("col").sort_values("col")
    number = np.arange(1, len(wells) + 1, dtype=np.int32)
    index = pd.DataFrame(
        {
            "rowKey": wells["row"].astype(np.int32),
            "colKey": wells["col"].astype(np.int32),
            ".sensitivity": number,
            ".profiles": number[::-1].copy(),
        }
    )
    values = profiles.iloc[at[::-1]].reset_index(drop=True).assign(**{".profiles": number})
    viability = pd.DataFrame({"viability": np.linspace(0, 100, len(wells)), ".sensitivity": number})
    row_data = by_row[rows].assign(rowKey=by_row["row"].astype(np.int32))
    col_data = by_col[["sampleid"]].assign(colKey=by_col["col"].astype(np.int32))
    return S4(
        "TreatmentResponseExperiment",
        {
            "rowData": data_table(row_data, "rowKey"),
            "colData": data_table(col_data, "colKey"),
            "assays": {
                "sensitivity": data_table(viability, ".sensitivity"),
                "profiles": data_table(values, ".profiles"),
            },
            "metadata": {},
            ".intern": R(
                {
                    "rowIDs": R(rows, {"names": rows}),
                    "colIDs": R(["sampleid"], {"names": ["sampleid"]}),
                    "assayKeys": {
                        name: [*rows, "sampleid"] for name in ("sensitivity", "profiles")
                    },
                    "assayIndex": data_table(index, ".sensitivity"),
                },
                {"class": ["immutable"]},
            ),
        },
        "CoreGx",
    )


def pset_of(frame, tissue, measure="auc_recomputed"):
    """Describe a PharmacoSet whose experiments are the entries of `frame`, drugs x lines."""
    flat = frame.stack().dropna().sort_index(level=1, sort_remaining=False)

    def edit(parts):
        if hasattr(parts, "slots"):
            return
        ids = flat.index.to_frame(index=False).set_axis(["treatmentid", "sampleid"], axis=1)
        parts.info = ids.set_axis([f"{d}_{c}" for d, c in flat.index])
        parts.profiles = pd.DataFrame({measure: flat.to_numpy(float)}, index=parts.info.index)
        parts.treatment = pd.DataFrame({"treatmentid": frame.index}, index=list(frame.index))
        parts.sample = pd.DataFrame({"tissueid": list(tissue)}, index=list(frame.columns))

    return pset("current", edit=edit)
