"""Matrices, data frames and SummarizedExperiments of R files, alike through every back end."""

import logging
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import r_bridge
import rtdmf_bio

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made
from made_psets import NA_INT, S4, Call, Environment, Function, Linked, Promise, R

DRUGS, LINES = ["Paclitaxel_1080", "β-Lapachone", "NA"], ["COSMIC_906826", "COSMIC_1", "x", "y"]
VALUES = np.array([[-4.5, np.nan, np.inf, 0], [1.25, 2, 3, 4], [5, 6, 7, 8.5]])


def read(path, **kwargs):
    return r_bridge.read_r(path, **{"progress": False, **kwargs})


@pytest.fixture
def one(tmp_path, backend):
    """Write a lone object and read it."""
    return lambda content, **kwargs: read(
        made.write(tmp_path / "x.rds", content), backend=backend, **kwargs
    )


def with_na(values):
    values = np.array(values, dtype=float)
    values[np.isnan(values)] = made.R_NA
    return values


def whole(values, rows=None, columns=None, titles=None):
    """Matrix of R with its dimnames, of text, int32, int8 or float64."""
    flat = values.ravel(order="F")
    names = [rows, columns]
    dimnames = dict(zip(titles, names, strict=True)) if titles else R(names)
    attributes = {"dim": np.array(values.shape, np.int32)}
    if rows is not None or columns is not None:
        attributes["dimnames"] = dimnames
    return R(flat.tolist() if flat.dtype == object else flat, attributes)


# Matrices


@pytest.mark.parametrize("pack", made.PACK)
def test_a_matrix_keeps_names_values_and_gaps(pack, backend, tmp_path):
    matrix = whole(with_na(VALUES), DRUGS, LINES)
    path = made.write(tmp_path / "GDSC2_Res.rds", matrix, pack=pack)
    table = read(path, backend=backend)
    expected = pd.DataFrame(VALUES, index=DRUGS, columns=LINES)
    pd.testing.assert_frame_equal(table, expected, check_index_type=False)
    several = made.write(tmp_path / "x.rda", {"x": matrix}, several=True, pack=pack)
    pd.testing.assert_frame_equal(read(several, backend=backend), table)


def test_na_among_whole_numbers_is_nan(one):
    """R keeps it as the smallest number there is."""
    values = np.array([[1, NA_INT, 3], [4, 5, 6]], np.int32)
    table = one(whole(values, ["a", "b"], None))
    assert set(table.dtypes) == {np.dtype(np.float64)}
    np.testing.assert_array_equal(table, [[1, np.nan, 3], [4, 5, 6]])
    assert set(one(whole(np.abs(values) % 7)).dtypes) == {np.dtype(np.int32)}


def test_names_that_r_would_count_are_counted(one):
    table = one(whole(VALUES))
    assert table.index.equals(pd.RangeIndex(3))
    assert table.columns.equals(pd.RangeIndex(4))
    assert table.index.name is None
    table = one(whole(VALUES, None, LINES))
    assert (type(table.index), list(table.columns)) == (pd.RangeIndex, LINES)
    table = one(whole(VALUES[:0], None, LINES))
    assert table.shape == (0, 4)


@pytest.mark.parametrize(
    "values, expected, dtype",
    [
        (np.array([[1, 0], [0, 1]], np.int8), [[True, False], [False, True]], bool),
        (np.array([[1, -1], [0, 1]], np.int8), [[True, pd.NA], [False, True]], "boolean"),
        (np.array([[-1, -1]], np.int8), [[np.nan, np.nan]], float),
        (np.array([["mut", None], ["wt", "mut"]], object), [["mut", None], ["wt", "mut"]], None),
    ],
    ids=["logical", "logical with NA", "NA alone", "text"],
)
def test_matrices_of_other_types_are_what_they_are(values, expected, dtype, one):
    table = one(whole(values, None, ["BRAF_mut", "TP53_mut"]))
    pd.testing.assert_frame_equal(
        table, pd.DataFrame(expected, columns=table.columns, dtype=dtype), check_column_type=False
    )


def test_a_contingency_table_keeps_the_titles_of_its_axes(one):
    table = whole(np.array([[1, 2], [3, 4]], np.int32), ["a", "b"], ["x", "y"], ["line", "drug"])
    table.attributes["class"] = ["table"]
    found = one(table)
    assert (found.index.name, found.columns.name) == ("line", "drug")
    assert found.loc["b", "x"] == 3


def test_repeated_names_are_kept(one):
    table = one(whole(VALUES, ["a", "a", "b"], ["x", "x", "y", "x"]))
    assert (list(table.index), list(table.columns)) == (["a", "a", "b"], ["x", "x", "y", "x"])
    np.testing.assert_array_equal(table, VALUES)


# Data frames


FRAME = pd.DataFrame(
    {
        "ln_ic50": [0.5, np.nan, -1.0],
        "n": [1, 2, 3],
        "gap": pd.array([1, None, 3], dtype="Int32"),
        "tissue": pd.Categorical(["skin", None, "lung"], categories=["lung", "skin"]),
        "name": pd.Series(["β", None, "c"], dtype=object),
        "on": [True, False, True],
        "maybe": pd.array([True, None, False], dtype="boolean"),
        "none": pd.array([None] * 3, dtype="boolean"),
    }
)


@pytest.mark.parametrize(
    "cls", [["data.frame"], ["tbl_df", "tbl", "data.frame"], ["data.table", "data.frame"]]
)
def test_a_data_frame_of_any_class_keeps_types_and_gaps(cls, one):
    frame = made._frame(FRAME)
    frame.attributes["class"] = cls
    table = one(frame)
    assert table.index.equals(pd.RangeIndex(3))
    assert [str(dtype) for dtype in table.drop(columns="name").dtypes] == [
        *("float64", "int32", "float64", "category", "bool", "boolean", "float64")
    ]
    for name in table:
        assert table[name].isna().tolist() == FRAME[name].isna().tolist(), name
        assert table[name].dropna().tolist() == FRAME[name].dropna().tolist(), name
    assert list(table["tissue"].cat.categories) == ["lung", "skin"]


def test_names_of_rows_are_the_index(one):
    assert list(one(FRAME.set_axis(["A375", "β", "3"])).index) == ["A375", "β", "3"]
    numbered = made._frame(FRAME)
    numbered.attributes["row.names"] = np.array([683665, 7, 9], np.int32)
    assert list(one(numbered).index) == ["683665", "7", "9"]


def test_columns_of_one_name_are_all_kept(one):
    frame = made._frame(FRAME[["n", "ln_ic50"]])
    frame.attributes["names"] = ["x", "x"]
    table = one(frame)
    assert list(table.columns) == ["x", "x"]
    assert table.iloc[:, 0].tolist() == [1, 2, 3]


def test_columns_that_are_no_vectors_are_left_out_with_a_warning(one, caplog):
    frame = made._frame(FRAME[["n"]])
    frame.value |= {"curves": [np.zeros(2), np.zeros(1), ["a"]], "m": whole(VALUES[:, :2])}
    frame.attributes["names"] = list(frame.value)
    with caplog.at_level(logging.WARNING, "r_bridge"):
        assert list(one(frame).columns) == ["n"]
    assert "x.rds: left out the column 'curves', which is no plain vector" in caplog.text
    assert "left out the column 'm'" in caplog.text


def test_a_dataframe_of_bioconductor_is_one_too(one):
    table = one(made.dframe(FRAME[["n", "tissue"]], ["a", "b", "c"]))
    assert (list(table.index), list(table.columns)) == (["a", "b", "c"], ["n", "tissue"])
    assert one(made.dframe(FRAME[["n"]])).index.equals(pd.RangeIndex(3))


# SummarizedExperiments


ROWS = pd.DataFrame({"target": ["EGFR", None, "MEK"]}, index=DRUGS)
COLUMNS = pd.DataFrame({"tissue": pd.Categorical(list("abab")), "n": [1, 2, 3, 4]}, index=LINES)
RUNS = {"values": np.array([7, 9], np.int32), "lengths": np.array([1, 3], np.int32)}


def assays():
    return {
        "auc": whole(with_na(VALUES), DRUGS, LINES),
        "n": whole(np.arange(12, dtype=np.int32).reshape(3, 4)),
        "gaps": whole(np.where(np.isnan(VALUES), NA_INT, 1).astype(np.int32)),
    }


@pytest.mark.parametrize(
    "holder, ranges",
    [("simple", ""), ("list", ""), ("environment", ""), ("simple", "ranges"), ("simple", "list")],
    ids=["", "list", "environment", "ranges", "list of ranges"],
)
def test_an_experiment_is_read_as_it_stands_whatever_version_wrote_it(holder, ranges, one):
    adata = one(made.experiment(assays(), ROWS, COLUMNS, holder=holder, ranges=ranges))
    np.testing.assert_array_equal(adata.X, VALUES)
    assert adata.X.dtype == np.float64
    assert (list(adata.obs_names), list(adata.var_names)) == (DRUGS, LINES)
    assert adata.obs["target"].isna().tolist() == [False, True, False]
    assert adata.var["tissue"].tolist() == list("abab")
    assert adata.var["n"].tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(adata.layers["n"], np.arange(12).reshape(3, 4))
    assert adata.layers["n"].dtype == np.int32
    np.testing.assert_array_equal(np.isnan(adata.layers["gaps"]), np.isnan(VALUES))
    assert adata.uns["measure"] == {"name": "auc"}
    found = dict(adata.uns["read_r"])
    assert found.pop("class") == f"{'Ranged' * bool(ranges)}SummarizedExperiment"
    assert found.pop("backend") in ("r", "rdata")
    assert found == {"assays": ["auc", "n", "gaps"], "file": "x.rds", "object": ""}


def test_an_experiment_of_the_first_version_has_its_ranges_in_a_slot_of_another_name(one):
    content = made.experiment(assays(), ROWS, COLUMNS, holder="environment", ranges="ranges")
    content.slots["rowData"] = content.slots.pop("rowRanges")
    for slot in ("elementMetadata", "NAMES", "metadata"):
        del content.slots[slot]
    content.cls = "SummarizedExperiment"
    adata = one(content)
    assert (list(adata.obs_names), list(adata.var_names)) == (DRUGS, LINES)
    assert adata.obs["target"].isna().tolist() == [False, True, False]
    np.testing.assert_array_equal(adata.X, VALUES)


def test_an_experiment_survives_h5ad(one, tmp_path):
    adata = one(made.experiment(assays(), ROWS.assign(**{"a/b": 1.0}), COLUMNS))
    rtdmf_bio.io.write_h5ad(adata, tmp_path / "x.h5ad")
    again = anndata.read_h5ad(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(again.X, adata.X)
    assert "a_b" in again.obs


def test_a_measure_in_the_metadata_is_that_of_its_assay(one):
    measure = {"name": ["auc"], "higher_is": ["resistant"], "bounds": np.array([0.0, 1.0])}
    adata = one(made.experiment(assays(), ROWS, COLUMNS, metadata={"measure": measure}))
    assert adata.uns["measure"] == {"name": "auc", "higher_is": "resistant", "bounds": [0, 1]}
    measure["name"] = ["ic50"]
    adata = one(made.experiment(assays(), ROWS, COLUMNS, metadata={"measure": measure}))
    assert adata.uns["measure"] == {"name": "auc"}
    unnamed = R(list(assays().values())[:2])
    adata = one(made.experiment(unnamed, ROWS, COLUMNS))
    assert "measure" not in adata.uns
    assert "assay2" in adata.layers


def test_an_experiment_without_names_is_counted_from_one(one):
    content = made.experiment({"x": whole(VALUES)}, ROWS, COLUMNS)
    content.slots |= {"NAMES": None, "colData": made.dframe(COLUMNS)}
    adata = one(content)
    assert (list(adata.obs_names), list(adata.var_names)) == (list("123"), list("1234"))
    content.slots["assays"].slots["data"].slots["listData"] = {"x": whole(VALUES, DRUGS, LINES)}
    assert list(one(content).var_names) == LINES


def test_runs_in_an_annotation_are_written_out(one):
    content = made.experiment(assays(), ROWS, COLUMNS)
    content.slots["colData"].slots["listData"]["run"] = S4("Rle", RUNS, "S4Vectors")
    assert one(content).var["run"].tolist() == [7, 9, 9, 9]


def test_further_assays_that_are_no_numbers_are_left_out_with_a_warning(one, caplog):
    more = {"call": whole(np.full((3, 4), "P", object)), "far": S4("DelayedMatrix", {"seed": None})}
    with caplog.at_level(logging.WARNING, "r_bridge"):
        adata = one(made.experiment(assays() | more, ROWS, COLUMNS))
    assert set(adata.layers) - {None} == {"n", "gaps"}
    assert "x.rds: left out the assay 'call', which is not of numbers." in caplog.text
    assert "left out the assay 'far', which is of class DelayedMatrix" in caplog.text


BAD_EXPERIMENTS = {
    "no assay": ({}, "SummarizedExperiment without any assay"),
    "text": (
        {"a": whole(np.full((3, 4), "P", object))},
        "first assay 'a' is not of numbers. Make it a matrix",
    ),
    "sparse": ({"a": S4("dgCMatrix", {"Dim": None}, "Matrix")}, "of class dgCMatrix, which is spa"),
    "code": ({"a": Function(Call("stop", [["no"]]))}, "first assay 'a' is a function"),
    "shape": ({"a": whole(VALUES.T)}, r"assay 'a' is of 4 x 3, where rowData .* say 3 x 4"),
    "names": ({"a": whole(VALUES, DRUGS[:2], LINES)}, "matrix of 3 rows has 2 names"),
}


@pytest.mark.parametrize("assays, message", BAD_EXPERIMENTS.values(), ids=BAD_EXPERIMENTS)
def test_an_experiment_that_cannot_be_read_says_why(assays, message, one):
    with pytest.raises(ValueError, match=rf"x.rds.*{message}"):
        one(made.experiment(assays, ROWS, COLUMNS))


# Which object


def test_a_pharmacoset_is_read_as_by_read_pset(one, tmp_path):
    adata = one(made.pset("current"))
    expected = r_bridge.read_pset(tmp_path / "x.rds", progress=False)
    np.testing.assert_array_equal(adata.X, expected.X)
    assert adata.uns["measure"] == expected.uns["measure"]
    assert adata.uns["pset"]["file"] == "x.rds"
    other = made.pset("current", edit=lambda parts: _drop(parts, "auc_recomputed"))
    with pytest.raises(
        ValueError, match=r"has the measures \['auc_published', .* Pass measure"
    ) as e:
        one(other)
    assert "r_bridge.read_pset" in str(e.value.__notes__)


def _drop(parts, name):
    if not hasattr(parts, "slots"):
        parts.profiles = parts.profiles.drop(columns=name)


MATRIX = whole(VALUES)
SEVERAL = {"auc": MATRIX, "se": made.experiment(assays(), ROWS, COLUMNS), "f": Function(None)}


def test_of_several_objects_one_is_chosen_by_name(backend, tmp_path):
    path = made.write(tmp_path / "x.rda", SEVERAL | {"pset": made.pset("current")}, several=True)
    with pytest.raises(
        ValueError, match=r"x.rda holds several objects. Pass name, one of \['auc', "
    ):
        read(path, backend=backend)
    assert read(path, name="auc", backend=backend).shape == (3, 4)
    assert read(path, name="se", backend=backend).uns["read_r"]["object"] == "se"
    assert read(path, name="pset", backend=backend).uns["pset"]["object"] == "pset"
    with pytest.raises(ValueError, match=r"no object named 'AUC'. It has \['auc', 'se', 'f', 'ps"):
        read(path, name="AUC", backend=backend)
    with pytest.raises(ValueError, match=r"f in .*x.rda holds a function"):
        read(path, name="f", backend=backend)


@pytest.mark.parametrize(
    "content, choices",
    [
        ({"auc": MATRIX, "ic50": MATRIX, "note": ["x"]}, ["auc", "ic50"]),
        ([MATRIX, MATRIX], ["[[1]]", "[[2]]"]),
        ({"a": {"b": MATRIX, "c": FRAME}, "d": MATRIX}, ["a$b", "a$c", "d"]),
        (R([MATRIX, FRAME], {"names": ["a", ""]}), ["a", "[[2]]"]),
    ],
    ids=["named", "unnamed", "nested", "half named"],
)
def test_of_a_list_the_choices_are_named(content, choices, one, backend, tmp_path):
    with pytest.raises(ValueError, match=r"holds several objects. Pass name, one of") as error:
        one(content)
    assert f"one of {choices}." in str(error.value)
    assert all(len(one(content, name=name)) == 3 for name in choices)
    path = made.write(tmp_path / "x.rda", {"x": content, "y": MATRIX}, several=True)
    with pytest.raises(ValueError, match=r"x in .*x.rda is a list. Pass name, one of \['x\$"):
        read(path, name="x", backend=backend)
    assert len(read(path, name=f"x${choices[0]}", backend=backend)) == 3


def test_what_alone_can_be_read_needs_no_name(one, backend, tmp_path):
    assert one({"note": ["x"], "auc": MATRIX, "f": Function(None)}).shape == (3, 4)
    path = made.write(tmp_path / "x.rda", {"f": Function(None), "m": MATRIX}, several=True)
    assert read(path, backend=backend).shape == (3, 4)
    path = made.write(tmp_path / "x.rda", {"l": {"m": MATRIX}, "f": Function(None)}, several=True)
    assert read(path, name="l", backend=backend).shape == (3, 4)


# What is not read


def evil(path):
    """Code that leaves a trace if it is run."""
    return Call("file.create", [[str(path)]])


@pytest.mark.parametrize(
    "kind, word",
    [
        (lambda code: code, "code"),
        (Promise, "code"),
        (Function, "a function"),
        (lambda code: Environment({"x": Promise(code)}), "an environment"),
    ],
    ids=["call", "promise", "function", "environment"],
)
def test_code_is_refused_in_a_word_and_never_run(kind, word, one, backend, tmp_path):
    trace = tmp_path / "trace"
    content = kind(evil(trace))
    with pytest.raises(ValueError, match=f"x.rds holds {word}. Only data are read, and nothing is"):
        one(content)
    path = made.write(tmp_path / "x.rda", {"x": content, "m": MATRIX}, several=True)
    with pytest.raises(ValueError, match=f"x in .*x.rda holds {word}"):
        read(path, name="x", backend=backend)
    assert read(path, backend=backend).shape == (3, 4)
    assert one({"x": content, "m": MATRIX}).shape == (3, 4)
    frame = made._frame(FRAME[["n"]])
    frame.value["x"], frame.attributes["names"] = content, ["n", "x"]
    assert list(one(frame).columns) == ["n"]
    held = made.experiment(assays(), ROWS, COLUMNS, holder="environment")
    held.slots["assays"].slots[".xData"] = Environment({"data": content})
    with pytest.raises(ValueError, match="without any assay"):
        one(held)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "holds an object of class NULL. Save what is wanted of it as a matrix, a data f"),
        (np.arange(3.0), "holds a vector of 3 values, without rows and columns"),
        (R(np.zeros(8), {"dim": np.full(3, 2, np.int32)}), r"an array of 2 x 2 x 2. Save a matrix"),
        (R({"coef": MATRIX}, {"class": ["lm"]}), "an object of class lm"),
        (S4("MultiAssayExperiment", {"colData": None}), "object of class MultiAssayExperiment"),
        (S4("dgCMatrix", {"Dim": None}, "Matrix"), r"class dgCMatrix, which is sparse or not in"),
        ({}, "object of class list"),
        (Linked([["x"]]), "an object that is no table"),
        (R(MATRIX.value[:5], MATRIX.attributes), "the matrix of 3 x 4 has 5 entries"),
    ],
    ids=["NULL", "vector", "array", "fit", "S4", "sparse", "empty", "pairlist", "damaged"],
)
def test_what_is_no_table_is_called_so(content, message, one):
    with pytest.raises(ValueError, match=rf"x.rds.*{message}"):
        one(content)


def test_a_file_without_any_table_says_what_there_is(backend, tmp_path):
    path = made.write(tmp_path / "x.rda", {"f": Function(None), "v": np.zeros(2)}, several=True)
    with pytest.raises(
        ValueError, match=r"nothing that is .*only {'f': 'a function', 'v': 'double'"
    ):
        read(path, backend=backend)
    with pytest.raises(ValueError, match="only nothing"):
        read(made.write(tmp_path / "y.rda", {}, several=True), backend=backend)


def test_files_are_refused_as_by_read_pset(backend, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"does not exist. Pass the path of an .rds"):
        read(tmp_path / "no.rds", backend=backend)
    (tmp_path / "x.rds").write_bytes(b"drug,A\n")
    with pytest.raises(ValueError, match=r"x.rds is not an R file"):
        read(tmp_path / "x.rds", backend=backend)
    with pytest.raises(ValueError, match="backend parameter must be one of"):
        read(tmp_path / "x.rds", backend="python")
    made.write(tmp_path / "x.rds", MATRIX)
    with pytest.raises(ValueError, match=r"SummarizedExperiments are read by r_bridge.read_r\."):
        r_bridge.read_pset(tmp_path / "x.rds", backend=backend, progress=False)


# As R itself writes them


WRITTEN = """
setwd(commandArgs(TRUE)[1])
m <- matrix(c(1.5, NA, 3, NaN, 5, Inf), 2, dimnames = list(c("d1", "d2"), c("a", "b", "c")))
d <- data.frame(x = 1:3, y = c(1.5, NA, 2), z = factor(c("u", NA, "v")), s = c("a", NA, "c"))
saveRDS(m, "m.rds"); saveRDS(d, "d.rds"); saveRDS(d[c(3, 1), ], "part.rds")
saveRDS(matrix(1:6, 2), "i.rds"); saveRDS(table(d$z, d$s), "t.rds")
saveRDS(m, "text.rds", ascii = TRUE); saveRDS(m, "old.rds", version = 2)
suppressMessages({
  se <- SummarizedExperiment::SummarizedExperiment(
    list(auc = m, n = matrix(1:6, 2)),
    rowData = S4Vectors::DataFrame(moa = c("k", NA)),
    colData = S4Vectors::DataFrame(t = factor(c("x", "y", "x")), r = S4Vectors::Rle(c(1L, 1L, 2L)),
                                   row.names = colnames(m))
  )
  saveRDS(se, "se.rds")
  saveRDS(methods::as(se, "RangedSummarizedExperiment"), "rse.rds")
  shallow <- se
  attr(shallow, "assays") <- methods::new("ShallowSimpleListAssays",
    data = S4Vectors::SimpleList(auc = m, n = matrix(1:6, 2)))
  saveRDS(shallow, "shallow.rds")
})
"""


def test_what_r_writes_is_read_alike_by_all_back_ends(needs_r, tmp_path):
    (tmp_path / "write.R").write_text(WRITTEN)
    out = subprocess.run(
        ["Rscript", "write.R", str(tmp_path)], cwd=tmp_path, capture_output=True, text=True
    )
    paths = sorted(tmp_path.glob("*.rds"))
    assert len(paths) == 10 or (len(paths) == 7 and "SummarizedExperiment" in out.stderr)
    found = {}
    for path in paths:
        ours, theirs = (read(path, backend=backend) for backend in ("r", "rdata"))
        found[path.stem] = ours
        if isinstance(ours, pd.DataFrame):
            pd.testing.assert_frame_equal(ours, theirs)
            continue
        np.testing.assert_array_equal(ours.X, theirs.X)
        np.testing.assert_array_equal(ours.layers["n"], theirs.layers["n"])
        pd.testing.assert_frame_equal(ours.obs, theirs.obs)
        pd.testing.assert_frame_equal(ours.var, theirs.var)
        assert ours.var["r"].tolist() == [1, 1, 2]
        assert ours.obs["moa"].isna().tolist() == [False, True]
        np.testing.assert_array_equal(ours.X, found["m"])
    assert found["part"].index.tolist() == ["3", "1"]
    pd.testing.assert_frame_equal(found["text"], found["m"])
    pd.testing.assert_frame_equal(found["old"], found["m"])


def test_what_to_r_gives_comes_back_by_a_file(needs_r, tmp_path):
    from r_bridge._nodes import by_rpy2 as r

    adata = anndata.AnnData(VALUES.copy(), obs=ROWS, var=COLUMNS)
    adata.layers["rtdmf"] = VALUES * 2
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    packed = r_bridge.to_r(adata)
    if "SummarizedExperiment" not in packed.rclass:
        pytest.skip("R lacks SummarizedExperiment")
    r.session().baseenv["saveRDS"](packed, str(tmp_path / "x.rds"))
    for backend in ("r", "rdata"):
        again = read(tmp_path / "x.rds", backend=backend)
        np.testing.assert_array_equal(again.X, adata.X)
        np.testing.assert_array_equal(again.layers["rtdmf"], adata.layers["rtdmf"])
        assert again.uns["measure"] == adata.uns["measure"]
        assert again.var["tissue"].tolist() == adata.var["tissue"].tolist()


def test_importing_it_loads_nothing_heavy(loaded_after):
    heavy = ("rpy2", "rdata", "pandas", "anndata", "numpy")
    assert loaded_after("from r_bridge import read_r", "r_bridge", *heavy) == ["r_bridge"]


# Made cases


def test_made_cases_of_other_objects_are_read(shared_data, backend):
    table = read(shared_data("cases/GDSC2_Res_like.rds"), backend=backend)
    assert table.shape == (40, 24)
    assert all(name.startswith("COSMIC_") for name in table.index)
    assert table.columns[0] == "Dabrafenib_1000"
    adata = read(shared_data("cases/summarized_experiment.rds"), backend=backend)
    np.testing.assert_array_equal(adata.X, table.T)
    assert list(adata.var_names) == list(table.index)
    table = read(shared_data("cases/r_integer_matrix_with_NA.rds"), backend=backend)
    assert 0 < table.isna().to_numpy().sum() < table.size
    assert 0 <= np.nanmin(table) < np.nanmax(table) <= 100


def test_made_cases_that_were_right_stay_so(shared_data, backend):
    """Ids of experiments that are not those of the tables; single doses kept as a table."""
    with pytest.raises(
        ValueError, match=r"609 of 839 experiments .*'COLO829'.*row names .* such as .*'COLO-829'"
    ):
        r_bridge.read_pset(
            shared_data("cases/pset_ids_differ.rds"), backend=backend, progress=False
        )
    adata = read(shared_data("cases/pset_raw_is_table.rds"), backend=backend)
    assert (adata.shape, adata.uns["measure"]["name"]) == ((24, 40), "aac_recomputed")
