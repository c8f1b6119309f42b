"""Files that are no PharmacoSets, damaged ones, and PharmacoSets whose parts do not fit.

Each gives one clear error, which names the file and the slot, the same through every back end.
"""

import random
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import r_bridge
import rtdmf_bio

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made
from made_psets import NA_INT, S4, Linked, R, slots

MEASURE = "auc_recomputed"


def read(path, backend, **kwargs):
    return r_bridge.read_pset(path, MEASURE, "mean", backend=backend, progress=False, **kwargs)


# The file


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"A",
        b"drug,A375\nx,0.1\n",
        b"\x89PNG\r\n\x1a\n1234",
        b"\x89HDF\r\n\x1a\n1234",
        b"RDX9\n",
    ],
    ids=["empty", "one byte", "csv", "png", "h5ad", "unknown version"],
)
@pytest.mark.parametrize("pack", made.PACK)
def test_a_file_that_is_no_r_file_is_called_so(content, pack, backend, tmp_path):
    path = tmp_path / "pset.rds"
    path.write_bytes(made.PACK[pack](content))
    with pytest.raises(ValueError, match=r"pset.rds is not an R file: it begins with b'"):
        read(path, backend)


@pytest.mark.parametrize("pack", made.PACK)
def test_a_truncated_file_is_called_damaged(pack, backend, tmp_path):
    path = tmp_path / "pset.rds"
    whole = made.PACK[pack](made.serialized(made.pset("current")))
    rng = random.Random(0)
    for _ in range(15):
        path.write_bytes(whole[: rng.randrange(20, len(whole) - 9)])
        with pytest.raises(
            ValueError, match=r"pset.rds cannot be read as an R file; it may be tru"
        ):
            read(path, backend)


@pytest.mark.slow
@pytest.mark.parametrize("generation", ["current", "tre"])
def test_damage_inside_is_refused_or_harmless(generation, tmp_path):
    """In pure Python: some such files crash R itself, in its own readRDS."""
    path = tmp_path / "pset.rds"
    whole = made.serialized(made.pset(generation))
    rng = random.Random(1)
    said = []
    for _ in range(80):
        data = bytearray(whole)
        data[rng.randrange(20, len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            read(path, "rdata")
        except ValueError as error:
            said.append(str(error))
    assert 10 < len(said) < 75
    assert all("pset.rds" in text for text in said)


def test_a_missing_file_or_a_folder_is_called_so(backend, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no.rds does not exist. Pass the path of an .rds"):
        read(tmp_path / "no.rds", backend)
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read(tmp_path, backend)
    with pytest.raises(
        TypeError, match=r"path of an .rds or .rda file, or as an R object.*Got int"
    ):
        read(3, backend)


@pytest.mark.parametrize(
    "content, kind",
    [
        (pd.DataFrame({"a": [1.0]}), "data.frame"),
        (np.array([1.0]), "double"),
        ({"a": np.array([1.0])}, "list"),
        (S4("ToxicoSet", {}, "ToxicoGx"), "ToxicoSet"),
        (None, "NULL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_r_file_without_a_pharmacoset_is_called_so(content, kind, backend, tmp_path):
    made.write(tmp_path / "x.rds", content)
    with pytest.raises(ValueError, match=rf"x.rds is no PharmacoSet, but of class {kind}\."):
        read(tmp_path / "x.rds", backend)
    made.write(tmp_path / "x.rda", {"a": content, "b": content}, several=True)
    with pytest.raises(ValueError, match=rf"x.rda holds no PharmacoSet, only .*'b': '{kind}'"):
        read(tmp_path / "x.rda", backend)


# The slots


def tables(change):
    """Change the tables before the PharmacoSet is put together."""
    return lambda parts: None if hasattr(parts, "slots") else change(parts)


def ids(**new):
    def change(parts):
        for name, values in new.items():
            values = values(parts.info[name]) if callable(values) else values
            parts.info = parts.info.assign(**{name: values})

    return tables(change)


def put(slot, value):
    return slots(lambda all_: all_.update({slot: value}))


def put_in_response(name, value):
    return slots(lambda all_: all_["treatmentResponse"].update({name: value}))


def column(slot, name, value):
    """Put something into a data frame that pandas would not."""
    return slots(
        lambda all_: made.bend(all_, slot, lambda frame: frame.value.update({name: value}))
    )


def rows(table, index):
    return tables(lambda parts: setattr(parts, table, getattr(parts, table).set_axis(index(parts))))


def cut(n):
    def change(parts):
        parts.info, parts.profiles = parts.info.iloc[:n], parts.profiles.iloc[:n]

    return tables(change)


CUBE = R(np.zeros(8), {"dim": np.array([2, 2, 2], np.int32)})
UNKNOWN = "in the slot treatmentResponse, {} of 46 experiments have ids that are not in the tables"
BAD = {
    **{
        f"no slot {name}": (
            slots(lambda all_, name=name: all_.pop(name)),
            rf"the slot {name} \(or {old}\) is missing. This PharmacoSet has \['annotation'",
        )
        for name, old in {
            "treatmentResponse": "sensitivity",
            "sample": "cell",
            "treatment": "drug",
        }.items()
    },
    "response NULL": (put("treatmentResponse", None), "the slot treatmentResponse is empty"),
    "response text": (put("treatmentResponse", ["x"]), "no table 'info' among"),
    "response unnamed": (
        slots(lambda s: s.update(treatmentResponse=[R(["x"]), R(["y"]), np.zeros(1)])),
        "the slot treatmentResponse has no table 'info' among",
    ),
    "sample text": (put("sample", ["x"]), "the slot sample is no data frame"),
    "treatment list": (put("treatment", {"a": ["x"]}), "the slot treatment is no data frame"),
    "no info": (
        slots(lambda s: s["treatmentResponse"].pop("info")),
        r"the slot treatmentResponse has no table 'info' among \['raw', 'profiles', 'n'\]",
    ),
    "profiles NULL": (put_in_response("profiles", None), "has no table 'profiles' among"),
    "profiles text": (put_in_response("profiles", ["x"]), "has no table 'profiles' among"),
    "profiles cube": (put_in_response("profiles", CUBE), "has no table 'profiles' among"),
    "profiles shorter": (
        tables(lambda p: setattr(p, "profiles", p.profiles.iloc[:-3])),
        "in the slot treatmentResponse, info has 46 rows and profiles 43",
    ),
    "profiles reversed": (
        tables(lambda p: setattr(p, "profiles", p.profiles.iloc[::-1])),
        r"info and profiles have the same rows in another order \(row 1: 'drugid_0",
    ),
    "no experiments": (cut(0), "the slot treatmentResponse has no experiments"),
    "no measures": (
        tables(lambda p: setattr(p, "profiles", p.profiles.iloc[:, :0])),
        "the profiles of the slot treatmentResponse have no measures",
    ),
    "nothing measured": (
        tables(lambda p: setattr(p, "profiles", p.profiles * np.nan)),
        "the measure 'auc_recomputed' has no value in 46 experiments",
    ),
    "measure of text": (
        tables(lambda p: setattr(p, "profiles", p.profiles.assign(auc_recomputed="high"))),
        "column 'auc_recomputed' of the profiles is text, and 46 entries are no numbers.*'high'",
    ),
    "measure with underscores": (
        tables(lambda p: setattr(p, "profiles", p.profiles.assign(auc_recomputed="1_0"))),
        "column 'auc_recomputed' of the profiles is text, and 46 entries are no numbers.*'1_0'",
    ),
    "no id column": (
        tables(lambda p: setattr(p, "info", p.info.drop(columns="sampleid"))),
        r"table info of the slot treatmentResponse has no column 'sampleid' \(or 'cellid'\)",
    ),
    "ids that match nothing": (
        ids(treatmentid="zzz"),
        UNKNOWN.format(46) + ".*'zzz'.*None is left",
    ),
    "some ids that match nothing": (
        ids(sampleid=lambda v: ["zz"] * 3 + list(v[3:])),
        UNKNOWN.format(3) + ".*sampleid of 3 .*'zz'.*unmatched='drop'",
    ),
    "ids missing": (
        ids(sampleid=lambda v: [None] * 3 + list(v[3:])),
        UNKNOWN.format(3) + r".*sampleid of 3 \(3 missing\)",
    ),
    "ids empty": (ids(sampleid=lambda v: [""] * 2 + list(v[2:])), UNKNOWN.format(2)),
    "ids that are numbers": (
        ids(sampleid=lambda v: np.arange(46, dtype=np.int32)),
        UNKNOWN.format(46) + ".*'0', '1', '2'.*row names of the table are such as 'A375'",
    ),
    "drugs twice": (
        rows("treatment", lambda p: ["a", "a", *p.treatment.index[2:]]),
        r"the slot treatment has ids that occur twice: \['a'\]",
    ),
    "line without a name": (
        rows("sample", lambda p: [None, *p.sample.index[1:]]),
        "the slot sample has 1 rows without a name, which is their id",
    ),
    "column of another length": (
        column("sample", "tissueid", ["skin", "lung"]),
        "the slot sample: the column 'tissueid' has 2 entries for 8 rows",
    ),
    "factor beyond its levels": (
        column("sample", "f", R(np.full(8, 9, np.int32), {"levels": ["a"], "class": ["factor"]})),
        "the slot sample: the factor 'f' has codes that do not fit its levels",
    ),
    "data frame without row names": (
        slots(lambda s: s.update(sample=R({"a": ["x"]}, {"class": ["data.frame"]}))),
        "the slot sample: the data frame has no row names",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_parts_that_do_not_fit_are_named_with_file_and_slot(case, backend, tmp_path):
    edit, message = BAD[case]
    path = made.write(tmp_path / "bent.rds", made.pset("current", edit=edit))
    with pytest.raises(ValueError, match=r"^bent.rds: .*" + message):
        read(path, backend)


def long(change):
    """Change the slots of the TreatmentResponseExperiment."""
    return slots(lambda all_: change(all_["treatmentResponse"].slots))


def intern(name, value):
    return long(lambda s: s[".intern"].value.update({name: value}))


def keys(slot, name, change):
    def bend(s):
        values = s[slot].value.pop(name)
        if change is not None:
            s[slot].value[name] = change(values)

    return long(bend)


LONG = {
    **{
        f"no {name}": (long(lambda s, name=name: s.pop(name)), f"has no table '{name}'")
        for name in ("rowData", "colData")
    },
    "colData text": (long(lambda s: s.update(colData=["x"])), "has no table 'colData'"),
    "no assays": (long(lambda s: s.pop("assays")), r"has no assay 'profiles', only \[\]"),
    "no profiles": (
        long(lambda s: s["assays"].pop("profiles")),
        r"has no assay 'profiles', only \['sensitivity'\]",
    ),
    "no .intern": (long(lambda s: s.pop(".intern")), r"has no index \('.intern\$assayIndex'\)"),
    "index NULL": (intern("assayIndex", None), r"has no index \('.intern\$assayIndex'\)"),
    "index text": (intern("assayIndex", ["x"]), r"has no index \('.intern\$assayIndex'\)"),
    "no row keys": (keys("rowData", "rowKey", None), "rowData has no column 'rowKey'"),
    "no treatments": (keys("rowData", "treatment1id", None), "has no ids of treatment and sample"),
    "no samples": (keys("colData", "sampleid", None), "has no ids of treatment and sample"),
    "keys twice": (
        keys("rowData", "rowKey", np.ones_like),
        r"rowData has keys \(rowKey\) that occur twice",
    ),
    "keys shifted": (
        keys("colData", "colKey", lambda v: v + np.int32(1)),
        r"colData lacks the keys \(colKey\) of \d+ of 138 profiles",
    ),
    "keys missing": (
        keys("rowData", "rowKey", lambda v: np.where(v == 1, NA_INT, v).astype(np.int32)),
        r"rowData lacks the keys \(rowKey\) of \d+ of 138 profiles",
    ),
}


@pytest.mark.parametrize("case", LONG)
def test_keys_that_do_not_join_are_named_with_file_and_slot(case, backend, tmp_path):
    edit, message = LONG[case]
    path = made.write(tmp_path / "bent.rds", made.pset("tre", edit=edit))
    with pytest.raises(ValueError, match=r"^bent.rds: the slot treatmentResponse:? " + message):
        read(path, backend)


# What looks bad and is not


FINE = {
    "annotation NULL": put("annotation", None),
    "a call of many arguments": put("annotation", {"call": Linked([np.zeros(1)] * 5000)}),
    "no curation": slots(lambda all_: all_.pop("curation")),
    "curation text": put("curation", ["x"]),
    "molecular profiles missing": slots(lambda all_: all_.pop("molecularProfiles")),
    "molecular profiles text": put("molecularProfiles", ["x"]),
    "ids as factors": tables(lambda p: setattr(p, "info", p.info.astype({"sampleid": "category"}))),
    "counted rows": tables(lambda p: setattr(p, "info", p.info.reset_index(drop=True))),
    "a measure twice": tables(
        lambda p: setattr(
            p,
            "profiles",
            p.profiles.set_axis([MEASURE if c == MEASURE else "x" for c in p.profiles], axis=1),
        )
    ),
    "row names that are not UTF-8": rows("info", lambda p: [b"\xff\xfe", *p.info.index[1:]]),
}


@pytest.mark.parametrize("case", FINE)
def test_what_does_not_matter_changes_nothing(case, backend, tmp_path):
    path = made.write(tmp_path / "bent.rds", made.pset("current", edit=FINE[case]))
    whole = made.write(tmp_path / "whole.rds", made.pset("current"))
    assert np.array_equal(read(path, backend).X, read(whole, backend).X, equal_nan=True)


def test_ids_that_are_not_utf8_match_across_tables(backend, tmp_path):
    def change(parts):
        new = {"5-FU": b"5\xb5FU"}
        parts.info = parts.info.assign(treatmentid=parts.info["treatmentid"].replace(new))
        parts.treatment = parts.treatment.rename(index=new)

    path = made.write(tmp_path / "bent.rds", made.pset("current", edit=tables(change)))
    assert "5µFU" in read(path, backend).obs_names


@pytest.mark.parametrize("slot", ["sample", "treatment"])
def test_an_empty_table_leaves_the_ids_without_annotation_and_says_so(slot, backend, tmp_path):
    path = made.write(tmp_path / "bent.rds", made.pset("current", edit=put(slot, None)))
    adata = read(path, backend)
    assert adata.shape == (5, 7)
    assert list((adata.var if slot == "sample" else adata.obs).columns) == []
    assert adata.uns["pset"]["notes"] == [
        f"the slot {slot} is empty: its ids are known, its annotation is not"
    ]


def test_unmatched_experiments_are_left_out_if_asked(backend, tmp_path):
    edit = ids(sampleid=lambda v: [None, "zz", *v[2:]])
    path = made.write(tmp_path / "bent.rds", made.pset("current", edit=edit))
    adata = read(path, backend, unmatched="drop")
    assert adata.uns["pset"]["n_unmatched"] == 2
    values = made.truth().profiles[MEASURE]
    assert adata.layers["n_replicates"].sum() == values.iloc[2:].notna().sum()
    # All experiments keep their row, for the way back.
    assert len(adata.uns["pset"]["experiments"]) == len(values)


def test_every_experiment_of_a_long_table_has_a_name(backend, tmp_path):
    """Of what ids it has: h5ad holds no table with a row without a name."""
    edit = keys("colData", "sampleid", lambda v: [None, *v[1:]])
    path = made.write(tmp_path / "bent.rds", made.pset("tre", edit=edit))
    adata = read(path, backend, unmatched="drop")
    table = adata.uns["pset"]["experiments"]
    assert table["sampleid"].isna().any()
    ids = table[["treatmentid", "sampleid"]].astype(object)
    ids = ids.where(ids.notna(), None).to_numpy()
    assert table.index.tolist() == [f"{drug}_{line}" for drug, line in ids]
    rtdmf_bio.io.write_h5ad(adata, tmp_path / "out.h5ad")


def test_one_experiment_is_read(backend, tmp_path):
    path = made.write(tmp_path / "one.rds", made.pset("current", edit=cut(1)))
    assert read(path, backend).shape == (1, 1)


def test_bad_settings_are_found_before_the_file_is_read(tmp_path):
    with pytest.raises(ValueError, match=re.escape("summary parameter must be one of")):
        r_bridge.read_pset(tmp_path / "no.rds", summary="mode")
