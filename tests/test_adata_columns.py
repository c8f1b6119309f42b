"""Text is text in every type that some version of pandas gives it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rtdmf_bio._adata.columns import is_text

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


@pytest.mark.parametrize(
    "values", [[1.5], [1], [True], pd.to_datetime(["2020-01-01"]), pd.array([1, None])]
)
def test_numbers_and_dates_are_no_text(values):
    assert is_text(pd.Series(values)) is False


def test_what_pandas_takes_for_text_is_text():
    assert is_text(pd.DataFrame({"name": ["a", "b"]})["name"])
