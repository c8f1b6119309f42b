"""AnnData in R and back. What matters is asked of R itself; a round trip forgives two wrongs."""

import subprocess
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import r_bridge
import rtdmf_bio as rt
from r_bridge._nodes import by_rpy2
from rtdmf_bio._adata.layers import named_layers

try:
    ri = by_rpy2.session()
except ImportError as error:
    pytest.skip(f"R cannot be had: {error}", allow_module_level=True)

from r_bridge._session import objects

pytestmark = pytest.mark.r

KINDS = [
    "list",
    pytest.param(
        "SummarizedExperiment",
        marks=pytest.mark.skipif(
            not objects._has_package(), reason="R lacks the package SummarizedExperiment"
        ),
    ),
]
each_kind = pytest.mark.parametrize("as_", KINDS)

# Names that R's own check.names, make.names or row.names<- would change.
DRUGS = ["β-lapachone", "5-FU", "a b", "NA"]
LINES = ["1", "é.x", "", "if", "Ca9 22"]


def r(code, **objects):
    """The value of R code that sees these objects, as list."""
    into = ri.baseenv["new.env"](parent=ri.globalenv)
    for name, value in objects.items():
        into[name] = value
    value = by_rpy2.RNode(ri.baseenv["eval"](ri.parse(code), into)).values()
    return value.tolist()


def r_object(code):
    return ri.baseenv["eval"](ri.parse(code), ri.baseenv["new.env"](parent=ri.globalenv))


PARTS = """
if (isS4(x)) x <- list(
  assays = as.list(SummarizedExperiment::assays(x)),
  rowData = as.data.frame(SummarizedExperiment::rowData(x), optional = TRUE),
  colData = as.data.frame(SummarizedExperiment::colData(x), optional = TRUE),
  metadata = S4Vectors::metadata(x)
)
"""


def ask(packed, code):
    """R code about the parts of what to_r made."""
    return r(PARTS + code, x=packed)


def table(n):
    """Every kind of column, with and without something missing."""
    odd = np.arange(n) % 2 == 1
    return {
        "float": np.where(odd, np.nan, 0.1 * np.arange(n)),
        "int": np.arange(n, dtype=np.int32),
        "Int 32": pd.array(np.arange(n), dtype="Int32"),
        "1.nullable": pd.array([None if o else -7 for o in odd], dtype="Int32"),
        "bool": odd,
        "boolean": pd.array([None if i == 0 else i == 1 for i in range(n)], dtype="boolean"),
        "text": np.array([None if o else "β\n'é\"" for o in odd], dtype=object),
        "NA as text": np.array(["NA"] * n, dtype=object),
        "no text": np.array([None] * n, dtype=object),
        "no number": np.full(n, np.nan),
        "no int": pd.array([None] * n, dtype="Int32"),
        "no bool": pd.array([None] * n, dtype="boolean"),
        "факт": pd.Categorical([None if o else "z" for o in odd], ["z", "unused", "ä"]),
        "ordered": pd.Categorical(["b"] * n, ["c", "b", "a"], ordered=True),
        "no level": pd.Categorical([None] * n, []),
    }


def example(order="C"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4, 5))
    X[1, 2] = X[3, 0] = np.nan
    X[0, 0], X[0, 1] = 0.5, np.inf
    adata = ad.AnnData(
        np.array(X, order=order),
        obs=pd.DataFrame(table(4), index=DRUGS),
        var=pd.DataFrame(table(5), index=LINES),
        layers={
            "rtdmf flag": np.arange(20, dtype=np.int32).reshape(4, 5),
            "β": np.array(-X, order=order),
            "seen": ~np.isnan(X),
        },
    )
    adata.uns["measure"] = {
        "name": "auc",
        "unit": "µM",
        "higher_is": "resistant",
        "bounds": [0.0, 1.0],
        "log": True,
        "n": 3,
        "none": None,
    }
    return adata


def whole(frame):
    """Nullable columns where nothing is missing as plain ones: R knows no difference."""
    plain = {"Int32": np.int32, "boolean": bool}
    full = [name for name in frame if str(frame[name].dtype) in plain and frame[name].notna().all()]
    return frame.astype({name: plain[str(frame[name].dtype)] for name in full})


def assert_equal(a, b):
    pd.testing.assert_frame_equal(whole(a.obs), b.obs, check_column_type=False)
    pd.testing.assert_frame_equal(whole(a.var), b.var, check_column_type=False)
    assert list(named_layers(a)) == list(named_layers(b))
    for x, y in ((a.X, b.X), *((layer, b.layers[name]) for name, layer in named_layers(a).items())):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
    assert a.uns.get("measure") == b.uns.get("measure")


@each_kind
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_goes_to_r_comes_back_equal(as_, order):
    adata = example(order)
    back = r_bridge.from_r(r_bridge.to_r(adata, as_=as_))
    assert_equal(adata, back)
    assert back.X.flags.c_contiguous


@each_kind
@pytest.mark.parametrize("shape", [(0, 0), (0, 2), (2, 0), (1, 1), (1, 3)])
def test_small_and_empty_matrices_come_back_equal(as_, shape):
    adata = ad.AnnData(np.arange(float(np.prod(shape))).reshape(shape))
    assert_equal(adata, r_bridge.from_r(r_bridge.to_r(adata, as_=as_)))


@each_kind
def test_r_sees_each_value_at_its_drug_and_line(as_):
    adata = example()
    packed = r_bridge.to_r(adata, as_=as_)
    assert ask(packed, "identical(dim(x$assays[[1]]), c(4L, 5L))") == [True]
    assert ask(packed, "identical(x$assays$auc['β-lapachone', '1'], 0.5)") == [True]
    assert ask(packed, "x$assays$auc['β-lapachone', ]")[1:] == adata.X[0, 1:].tolist()
    assert ask(packed, "x$assays[['rtdmf flag']]['5-FU', 'if']") == [8]
    assert ask(packed, "names(x$assays)") == ["auc", "rtdmf flag", "β", "seen"]


@each_kind
def test_every_matrix_and_table_in_r_bears_the_names(as_):
    packed = r_bridge.to_r(example(), as_=as_)
    for i in range(1, 5):
        assert ask(packed, f"rownames(x$assays[[{i}]])") == DRUGS
        assert ask(packed, f"colnames(x$assays[[{i}]])") == LINES
    assert ask(packed, "c(row.names(x$rowData), row.names(x$colData))") == DRUGS + LINES
    assert ask(packed, "names(x$rowData)") == list(table(4))
    assert ask(packed, "anyNA(c(rownames(x$assays$auc), row.names(x$rowData)))") == [False]


@each_kind
def test_missing_is_na_in_r_and_never_nan(as_):
    packed = r_bridge.to_r(example(), as_=as_)
    assert ask(packed, "which(is.na(x$assays$auc))") == [4, 10]
    assert ask(packed, "any(is.nan(x$assays$auc))") == [False]
    missing = {
        name: np.asarray(pd.isna(np.asarray(column, dtype=object)))
        for name, column in table(4).items()
    }
    for i, (name, expected) in enumerate(missing.items(), 1):
        assert ask(packed, f"is.na(x$rowData[[{i}]])") == expected.tolist(), name
        assert ask(packed, f"is.double(x$rowData[[{i}]]) && any(is.nan(x$rowData[[{i}]]))") == [
            False
        ]


@each_kind
def test_types_in_r_are_those_of_the_columns(as_):
    packed = r_bridge.to_r(example(), as_=as_)
    expected = {
        **dict.fromkeys(["float", "no number"], "numeric"),
        **dict.fromkeys(["int", "Int 32", "1.nullable", "no int"], "integer"),
        **dict.fromkeys(["bool", "boolean", "no bool"], "logical"),
        **dict.fromkeys(["text", "NA as text", "no text"], "character"),
        **dict.fromkeys(["факт", "no level"], "factor"),
        "ordered": "ordered/factor",
    }
    code = "vapply(x$rowData, function(v) paste(class(v), collapse = '/'), '')"
    assert dict(zip(table(4), ask(packed, code), strict=True)) == expected
    assert ask(packed, "vapply(x$assays, typeof, '')") == [
        *("double", "integer", "double", "logical"),
    ]
    assert ask(packed, "levels(x$rowData[[13]])") == ["z", "unused", "ä"]
    assert ask(packed, "x$rowData[[14]][1] > 'c'") == [True]
    assert ask(packed, "x$rowData$text[1] == 'β\\n\\'é\"'") == [True]


@each_kind
def test_metadata_in_r_says_what_the_measure_is(as_):
    packed = r_bridge.to_r(example(), as_=as_)
    assert ask(packed, "names(x$metadata)") == ["measure"]
    assert ask(packed, "x$metadata$measure$higher_is") == ["resistant"]
    assert ask(packed, "identical(x$metadata$measure$bounds, c(0, 1))") == [True]
    assert ask(packed, "identical(x$metadata$measure$n, 3L)") == [True]


MATRICES = [
    # dtype, values, R's type, dtype on the way back
    (np.int8, [-128, 127], "integer", np.int32),
    (np.uint16, [0, 65535], "integer", np.int32),
    (np.int64, [-(2**31) + 1, 2**31 - 1], "integer", np.int32),
    # The smallest int32 is R's NA.
    (np.int32, [-(2**31), 0], "double", np.float64),
    (np.uint32, [0, 2**32 - 1], "double", np.float64),
    (np.float16, [0.5, np.nan], "double", np.float64),
    (np.float32, [0.1, -np.inf], "double", np.float64),
    (np.float64, [5e-324, -0.0], "double", np.float64),
    (np.float64, [np.nan, np.nan], "double", np.float64),
    (bool, [True, False], "logical", bool),
]


@pytest.mark.parametrize("dtype, values, in_r, back", MATRICES)
@pytest.mark.parametrize("where", ["X", "layer", "column"])
def test_numbers_become_the_type_of_r_that_holds_them(dtype, values, in_r, back, where):
    values = np.array([values], dtype=dtype).T
    layers = {"a": values if where == "layer" else np.zeros((2, 1))}
    adata = ad.AnnData(values if where == "X" else np.zeros((2, 1)), layers=layers)
    if where == "column":
        adata.obs["a"] = values[:, 0]
    packed = r_bridge.to_r(adata, as_="list")
    element = {"X": "assays$X", "layer": "assays$a", "column": "rowData$a"}[where]
    assert ask(packed, f"typeof(x${element})") == [in_r]
    again = r_bridge.from_r(packed)
    result = {"X": again.X, "layer": again.layers["a"]}.get(where)
    result = again.obs[["a"]].to_numpy() if where == "column" else result
    assert result.dtype == back
    np.testing.assert_array_equal(result, values.astype(back))
    if np.issubdtype(dtype, np.floating):
        assert np.array_equal(np.signbit(result), np.signbit(values)) or np.isnan(values).any()


def test_columns_of_mixed_storage_follow_their_values():
    adata = ad.AnnData(np.zeros((2, 1)))
    adata.obs["ints"] = pd.Series([1, None], dtype=object, index=adata.obs_names)
    adata.obs["bools"] = pd.Series([True, None], dtype=object, index=adata.obs_names)
    adata.obs["floats"] = pd.Series([1, 2.5], dtype=object, index=adata.obs_names)
    adata.obs["Float32"] = pd.array([None, 0.5], dtype="Float32")
    adata.obs["string"] = pd.array([None, "a"], dtype="string")
    adata.obs["doses"] = pd.Categorical([10, None], [10, 2])
    packed = r_bridge.to_r(adata, as_="list")
    code = "vapply(x$rowData, function(v) class(v), '')"
    assert ask(packed, code) == [
        *("integer", "logical", "numeric", "numeric", "character", "factor"),
    ]
    assert ask(packed, "vapply(x$rowData, function(v) sum(is.na(v)), 1L)") == [1, 1, 0, 1, 1, 1]
    assert ask(packed, "levels(x$rowData$doses)") == ["10", "2"]


def test_views_go_as_they_look_and_nothing_changes():
    adata = example()
    before = adata.copy()
    view = adata[[2, 0], [4, 1, 0]]
    back = r_bridge.from_r(r_bridge.to_r(view, as_="list"))
    assert view.is_view
    assert_equal(view.copy(), back)
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    np.testing.assert_array_equal(adata.X, before.X)
    # R's copy is its own.
    packed = r_bridge.to_r(adata, as_="list")
    adata.X[0, 0] = 99
    assert ask(packed, "x$assays$auc[1, 1]") == [0.5]


@each_kind
def test_a_correction_goes_to_r_and_back(as_, screen, tissues, one_thread):
    adata = ad.AnnData(
        screen.copy(),
        obs=pd.DataFrame(index=[f"drug{i}" for i in range(40)]),
        var=pd.DataFrame({"tissue": tissues}, index=[f"line{j}" for j in range(50)]),
    )
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    rt.pp.correct(adata, group_key="tissue", progress=False)
    packed = r_bridge.to_r(adata, as_=as_)
    assert ask(packed, "names(x$metadata)") == ["measure", "enrichment"]
    assert ask(packed, "is.data.frame(x$metadata$enrichment)") == [True]
    assert ask(packed, "sum(x$assays$rtdmf_flag == 0L)") == [np.isnan(screen).sum()]
    back = r_bridge.from_r(packed)
    flag = adata.layers["rtdmf_flag"].astype(np.int32)
    np.testing.assert_array_equal(back.layers["rtdmf_flag"], flag)
    adata.layers["rtdmf_flag"] = flag
    assert_equal(adata, back)
    pd.testing.assert_frame_equal(
        rt.tl.enrichment(back), rt.tl.enrichment(adata), check_dtype=False
    )


def test_auto_is_a_list_where_r_lacks_the_package(monkeypatch):
    monkeypatch.setattr(objects, "_has_package", lambda: False)
    assert r("is.list(x) && !isS4(x)", x=r_bridge.to_r(example())) == [True]
    with pytest.raises(ImportError, match=r"BiocManager::install.*r-bioc-summ.*as_='list'"):
        r_bridge.to_r(example(), as_="SummarizedExperiment")


@pytest.mark.parametrize("as_", KINDS[1:])
def test_auto_is_a_summarizedexperiment_where_r_has_the_package(as_, monkeypatch):
    packed = r_bridge.to_r(example())
    assert r("methods::is(x, 'SummarizedExperiment') && methods::validObject(x)", x=packed) == [
        True
    ]
    monkeypatch.setattr(objects, "_has_package", lambda: False)
    with pytest.raises(ImportError, match="BiocManager::install"):
        r_bridge.from_r(packed)


@pytest.mark.parametrize("as_", KINDS[1:])
def test_an_experiment_changed_in_r_comes_back_changed(as_):
    """Subset, reordered, with new columns as Bioconductor likes them."""
    into = ri.baseenv["new.env"](parent=ri.globalenv)
    into["se"] = r_bridge.to_r(example(), as_=as_)
    code = """{
      se <- se[c(3, 1), 5:2]
      SummarizedExperiment::rowData(se)$run <- S4Vectors::Rle(c(7L, 7L))
      SummarizedExperiment::rowData(se)$day <- as.Date(c("2020-02-29", NA))
      SummarizedExperiment::rowData(se)$listed <- list(1, 2)
      SummarizedExperiment::assay(se, "auc") <- 2 * SummarizedExperiment::assay(se, "auc")
      se
    }"""
    back = r_bridge.from_r(ri.baseenv["eval"](ri.parse(code), into))
    expected = example()[[2, 0], [4, 3, 2, 1]].copy()
    expected.X = 2 * expected.X
    # R keeps the levels that a subset does not use, AnnData does not.
    for name in ("факт", "ordered"):
        for frame in (expected.obs, expected.var):
            frame[name] = frame[name].cat.set_categories(table(1)[name].categories)
    expected.obs["run"] = np.array([7, 7], dtype=np.int32)
    expected.obs["day"] = np.array(["2020-02-29", None], dtype=object)
    assert_equal(expected, back)


def test_the_high_level_interface_takes_and_gives_the_same():
    import rpy2.robjects as ro

    adata = example()
    for as_ in ("auto", "list"):
        packed = r_bridge.to_r(adata, as_=as_)
        ro.globalenv["rtdmf_test"] = packed
        try:
            assert_equal(adata, r_bridge.from_r(ro.globalenv["rtdmf_test"]))
        finally:
            del ro.globalenv["rtdmf_test"]
    matrix = ro.r("matrix(c(1, NA), 1, dimnames = list('a', c('x', 'y')))")
    np.testing.assert_array_equal(r_bridge.from_r(matrix).X, [[1, np.nan]])


FROM_MATRIX = [
    ("c(0.5, NaN, NA, -Inf, 1, 2)", [[0.5, np.nan, 1], [np.nan, -np.inf, 2]], np.float64),
    ("1:6", [[1, 3, 5], [2, 4, 6]], np.int32),
    ("c(NA, 2:6)", [[np.nan, 3, 5], [2, 4, 6]], np.float64),
    ("c(T, F, F, F, T, T)", [[1, 0, 1], [0, 0, 1]], bool),
    ("c(NA, F, F, F, T, T)", [[np.nan, 0, 1], [0, 0, 1]], np.float64),
]


@pytest.mark.parametrize("values, expected, dtype", FROM_MATRIX)
def test_a_matrix_is_drugs_by_lines(values, expected, dtype):
    names = "list(drug = c('a.b', '\\u03b2'), line = c('1', 'x y', 'NA'))"
    adata = r_bridge.from_r(r_object(f"matrix({values}, 2, dimnames = {names})"))
    assert adata.X.dtype == dtype
    np.testing.assert_array_equal(adata.X, expected)
    assert adata.obs_names.tolist() == ["a.b", "β"]
    assert adata.var_names.tolist() == ["1", "x y", "NA"]
    assert "measure" not in adata.uns


def test_names_of_dimnames_do_not_matter():
    one = "matrix(1, 1, dimnames = list('d', 'l'))"
    two = "matrix(2, 1, dimnames = list(drug = 'd', line = 'l'))"
    adata = r_bridge.from_r(r_object(f"list(assays = list(a = {one}, b = {two}))"))
    assert adata.layers["b"].tolist() == [[2]]


def two_assays(extra="", names="c('one', 'two')"):
    """A list of two matrices, 1 x 1, with values 1 and 2."""
    matrices = ", ".join(f"matrix({i}, 1, dimnames = list('d', 'l'))" for i in (1, 2))
    return f"list(assays = structure(list({matrices}), names = {names}){extra})"


META = ", metadata = list(measure = list(name = 'two', unit = 'u'))"


@pytest.mark.parametrize(
    "extra, measure, x, meaning",
    [
        ("", None, 1, {"name": "one"}),
        ("", "two", 2, {"name": "two"}),
        ("", {"higher_is": "sensitive"}, 1, {"higher_is": "sensitive", "name": "one"}),
        (META, None, 2, {"name": "two", "unit": "u"}),
        (META, "two", 2, {"name": "two", "unit": "u"}),
        (META, {"unit": "v"}, 2, {"name": "two", "unit": "v"}),
        # The unit was another measure's.
        (META, "one", 1, {"name": "one"}),
        (META.replace("'two'", "'gone'"), None, 1, {"name": "gone", "unit": "u"}),
    ],
)
def test_x_is_the_assay_of_the_measure_or_the_first(extra, measure, x, meaning):
    adata = r_bridge.from_r(r_object(two_assays(extra)), measure=measure)
    assert adata.X.tolist() == [[x]]
    assert {name: layer.tolist() for name, layer in named_layers(adata).items()} == {
        "one" if x == 2 else "two": [[3 - x]]
    }
    assert adata.uns["measure"] == meaning


@pytest.mark.parametrize(
    "code",
    [
        *("NULL", "mean", "sum", "data.frame(a = 1)", "list()", "list(assays = 1)", "1:3", "'a'"),
        *("matrix('a', 1)", "globalenv()", "quote(no_such_thing)", "quote(stop('run'))"),
        *("y ~ x", "methods::new('numeric')", "array(1, c(1, 1, 1))", "factor('a')"),
    ],
)
def test_other_objects_of_r_are_refused_by_class(code, capfd):
    with pytest.raises(TypeError, match=r"R object of class .* Pass a SummarizedExperiment"):
        r_bridge.from_r(r_object(code))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("obj", [np.eye(2), None, pd.DataFrame(), "se"])
def test_objects_of_python_are_refused(obj):
    with pytest.raises(TypeError, match="R objects of rpy2"):
        r_bridge.from_r(obj)


NAMED = "dimnames = list(c('a', 'b'), c('x', 'y'))"
ONE = f"list(assays = list(matrix(1, 2, 2, {NAMED}))"


@pytest.mark.parametrize(
    "code, message",
    [
        ("matrix(1, 2, 2)", r"names of drugs.*rownames\(x\) <-"),
        ("matrix(1, 1, 1, dimnames = list('a', NULL))", r"cell lines.*colnames\(x\) <-"),
        ("matrix(1, 1, 1, dimnames = list(NA, 'a'))", "rownames"),
        ("matrix(1, 2, 1, dimnames = list(c('d', 'd'), 'a'))", "rownames 'd' occur more"),
        ("matrix(1, 1, 2, dimnames = list('a', c('l', 'l')))", "colnames 'l' occur more"),
        ("list(assays = list())", "no assay"),
        ("list(assays = list(matrix('a', 1, 1)))", "Assay 1 is no matrix of numbers"),
        ("list(assays = list(array(1, c(1, 1, 1))))", "Assay 1 is no matrix"),
        (f"{ONE[:-1]}, b = matrix(1, 2, 1)))", "Assay 2 has other rows or columns"),
        (
            f"{ONE[:-1]}, b = matrix(1, 2, 2, dimnames = list(c('b', 'a'), c('x', 'y')))))",
            "Assay 2 has other",
        ),
        (f"{ONE}, rowData = data.frame(k = 1:2, row.names = c('b', 'a')))", "rowData has other"),
        (f"{ONE}, colData = data.frame(k = 1:3))", "colData has other"),
        (f"{ONE}, rowData = data.frame(k = 1:2, k = 1:2, check.names = F))", "one name"),
        (two_assays(names="NULL"), "no name"),
        (two_assays(names="c('a', 'a')"), "need a name each"),
    ],
)
def test_matrices_that_do_not_fit_or_lack_names_are_refused(code, message):
    with pytest.raises(ValueError, match=message):
        r_bridge.from_r(r_object(code))


def test_a_measure_that_is_no_assay_is_refused_where_there_is_a_choice():
    with pytest.raises(ValueError, match=r"no assay 'tow', only \['one', 'two'\]"):
        r_bridge.from_r(r_object(two_assays()), measure="tow")
    adata = r_bridge.from_r(r_object(f"matrix(1, 2, 2, {NAMED})"), measure="auc")
    assert adata.uns["measure"] == {"name": "auc"}


def test_tables_without_row_names_are_taken_in_their_order():
    adata = r_bridge.from_r(r_object(f"{ONE}, rowData = data.frame(k = c('p', 'q')))"))
    assert adata.obs.loc["b", "k"] == "q"


def plain():
    return ad.AnnData(np.zeros((2, 2)), layers={"a": np.zeros((2, 2))})


def with_obs(**columns):
    adata = plain()
    for name, values in columns.items():
        adata.obs[name] = values
    return adata


def renamed(what, names):
    adata = plain()
    setattr(adata, what, names)
    return adata


def with_layer(matrix):
    adata = plain()
    adata.layers["a"] = matrix
    return adata


def with_measure(name):
    adata = plain()
    adata.uns["measure"] = {"name": name}
    return adata


def without_x():
    return ad.AnnData(layers={"a": np.zeros((2, 2))})


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: renamed("obs_names", ["d", "d"]), ValueError, r"drugs need a name.*\['d'\]"),
        (lambda: renamed("var_names", ["l", "l"]), ValueError, "cell lines need a name"),
        (lambda: with_measure("a"), ValueError, r"assays, .*\['a'\]"),
        (without_x, ValueError, "X is empty"),
        (lambda: with_layer(scipy.sparse.csr_matrix(np.eye(2))), TypeError, "'a' .*sparse"),
        (lambda: with_layer(np.ma.masked_equal(np.eye(2), 0)), TypeError, "Masked"),
        (lambda: with_layer(np.full((2, 2), "a")), TypeError, "numbers"),
        (lambda: with_layer(np.eye(2) * 1j), TypeError, "complex128"),
        (lambda: with_layer(np.full((2, 2), 2**53 + 1)), ValueError, "'a' holds 9007199254740993"),
        (lambda: with_obs(when=pd.to_datetime(["2020-01-01"] * 2)), TypeError, r"obs\['when'\]"),
        (lambda: with_obs(mix=[1, "a"]), TypeError, r"obs\['mix'\] is mixed"),
        (lambda: with_obs(big=np.array([2**63, 0], np.uint64)), ValueError, r"\['big'\] holds"),
        (lambda: with_obs(nul=["a\0b", ""]), ValueError, "R does not take these data"),
        (
            lambda: with_obs(nul=["a\0", "b"]),
            ValueError,
            "R does not take these data: text holds NUL",
        ),
        (lambda: with_obs(k=pd.Categorical([1, "1"])), ValueError, r"levels of obs\['k'\]"),
        (lambda: np.eye(2), TypeError, "takes an AnnData"),
    ],
)
def test_what_r_cannot_hold_is_refused_by_name(make, error, message, capfd):
    adata = make()
    with pytest.raises(error, match=message):
        r_bridge.to_r(adata, as_="list")
    assert capfd.readouterr() == ("", "")


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match=r"as_ parameter must be one of .*'matrix'"):
        r_bridge.to_r(plain(), as_="matrix")


def test_settings_r_has_nothing_for_are_left_out():
    adata = plain()
    adata.uns["measure"] = {"name": "auc", "f": print, "d": {"a": 1}, "m": np.eye(2)}
    adata.uns["other"] = {"a": 1}
    adata.obsm["pca"] = np.eye(2)
    packed = r_bridge.to_r(adata, as_="list")
    assert ask(packed, "names(x$metadata$measure)") == ["name"]
    assert dict(r_bridge.from_r(packed).uns) == {"measure": {"name": "auc"}}


def test_r_and_the_console_stay_as_they_were(capfd):
    r_bridge.to_r(plain())  # Packages set options of their own when they load.
    state = "c(ls(all.names = TRUE, envir = globalenv()), search(), Sys.getlocale(), "
    state += "getwd(), capture.output(str(options()[names(options()) != 'expressions'])))"
    capfd.readouterr()
    before = r(state)
    for as_ in ("auto", "list"):
        r_bridge.from_r(r_bridge.to_r(example(), as_=as_))
    assert r(state) == before
    assert capfd.readouterr() == ("", "")


def test_importing_the_bridge_does_not_import_rpy2():
    code = "import sys, r_bridge; r_bridge.to_r; sys.exit('rpy2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_session_without_r_says_what_to_install(monkeypatch):
    def fail():
        raise ImportError("rpy2 is not installed.")

    monkeypatch.setattr(by_rpy2, "session", fail)
    monkeypatch.setattr(by_rpy2, "functions", fail)
    for use in (lambda: r_bridge.to_r(plain()), lambda: r_bridge.from_r(None)):
        with pytest.raises(ImportError, match="rpy2 is not installed"):
            use()
