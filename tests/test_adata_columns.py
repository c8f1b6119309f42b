"""Text is text in every type that some version of pandas gives it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import rdata

from r_bridge._psets import tables
from r_bridge._psets.assemble import storable
from rtdmf_bio._adata.columns import is_text, labels_of, text_dtype, with_labels

TEXT = ["a", None, "b"]
KINDS = {
    "object": (object, True),
    "string": ("string", True),
    "string[python]": ("string[python]", True),
    "string[pyarrow]": ("string[pyarrow]", True),
    "str of pandas 3": (pd.StringDtype("python", na_value=np.nan), True),
    "str of pandas 3, arrow": (pd.StringDtype("pyarrow", na_value=np.nan), True),
    "arrow": (pd.ArrowDtype(pa.string()), True),
    "arrow, large": (pd.ArrowDtype(pa.large_string()), True),
    "category": ("category", False),
}


@pytest.mark.parametrize("dtype, text", KINDS.values(), ids=KINDS)
def test_text_is_known_by_its_type(dtype, text):
    assert is_text(pd.Series(TEXT, dtype=dtype)) is text
    assert is_text(pd.Series([None, None], dtype=dtype)) is text


@pytest.mark.parametrize("dtype", [dtype for dtype, _ in KINDS.values()], ids=list(KINDS))
def test_labels_are_text_also_where_one_is_missing(dtype):
    """A float among text can be neither sorted nor compared."""
    labels = labels_of(pd.Series(TEXT, dtype=dtype))
    assert labels.dtype.kind == "U"
    assert labels[[0, 2]].tolist() == ["a", "b"]
    assert labels[1] not in ("a", "b", "")


def test_text_has_the_type_of_this_pandas():
    names = pd.Index(["a", None], dtype=text_dtype())
    assert names.dtype == pd.DataFrame(index=["a"]).index.dtype
    assert names.isna().tolist() == [False, True]


@pytest.mark.parametrize("dtype", [dtype for dtype, text in KINDS.values() if text], ids=str)
def test_text_of_any_type_goes_to_r_without_r(dtype, tmp_path):
    """As the categories of a factor, beside names that are text."""
    names = pd.Index(["x", "y", "z"], dtype=dtype)
    table = pd.DataFrame({"t": ["a", "b", "a"]}, index=names, dtype=dtype)
    tables.write(table, tmp_path / "out.rds", ".rds", as_matrix=False)
    back = rdata.read_rds(tmp_path / "out.rds")
    assert back.index.tolist() == ["x", "y", "z"]
    assert back["t"].tolist() == ["a", "b", "a"]


@pytest.mark.parametrize("dtype", [dtype for dtype, text in KINDS.values() if text], ids=str)
def test_text_of_any_type_that_repeats_or_lacks_becomes_categories(dtype):
    """Only so does h5ad hold gaps, and repeated text in little room."""
    text = {"gap": TEXT, "twice": ["a", "a", "b"], "once": ["a", "b", "c"]}
    table = pd.DataFrame(text, dtype=dtype)
    found = storable(table)
    assert found["gap"].dtype == found["twice"].dtype == "category"
    assert found["once"].dtype == table["once"].dtype


@pytest.mark.parametrize(
    "values", [[1.5], [1], [True], pd.to_datetime(["2020-01-01"]), pd.array([1, None])]
)
def test_numbers_and_dates_are_no_text(values):
    assert is_text(pd.Series(values)) is False


def test_what_pandas_takes_for_text_is_text():
    assert is_text(pd.DataFrame({"name": ["a", "b"]})["name"])


@pytest.mark.parametrize("dtype", [dtype for dtype, _ in KINDS.values()], ids=list(KINDS))
def test_labels_follow_the_rule_of_the_reader(dtype):
    """A tissue called "nan" is none, wherever it comes from, and " breast " is breast."""
    text = ["breast", " breast ", "nan", "", "NA", " None ", None, "<NA>", "lung\t", "none such"]
    found = with_labels(pd.Series(text, dtype=dtype))
    kept = ["breast", "breast", *[None] * 6, "lung", "none such"]
    assert found.dtype == object
    assert [None if pd.isna(x) else x for x in found] == kept
    assert found.isna().tolist() == [x is None for x in kept]


@pytest.mark.parametrize("values", [[1.5, np.nan], [1, 2], [True, False], pd.array([1, None])])
def test_what_is_no_text_has_no_labels_to_clean(values):
    column = pd.Series(values)
    assert with_labels(column) is column
