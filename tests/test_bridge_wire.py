"""Messages between Python and R: R's serialization, written here and read back by rdata."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import rtdmf_bio as rt
from r_bridge import _reticulate
from r_bridge._nodes.node import R_NA
from r_bridge._nodes.vector import as_vector
from r_bridge._session import wire

VALUES = {
    "nothing": None,
    "bool": True,
    "int": -3,
    "float": 0.1,
    "text": "β-Lapachone",
    "texts": ["a", None, ""],
    "dict": {"a": 1, "b": {"c": [None, "x"]}},
    "mixed list": [1, "a", [True, None, "b"]],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_plain_values_come_back(value):
    assert wire.plain(wire.loads(wire.dumps(value))) == value


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.5, np.nan, -0.0, np.inf]),
        np.array([3, -2, 0], dtype=np.int32),
        np.array([True, False]),
        np.array([2.5]),
        np.zeros(0),
    ],
    ids=["double", "integer", "logical", "one element", "none"],
)
def test_arrays_come_back_with_their_bits(array):
    """One of one element, too, which R itself does not tell from a number."""
    back = wire.plain(wire.loads(wire.dumps(array)))
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


def test_na_and_nan_stay_apart():
    values = np.array([1.0, np.nan, 0.0])
    values.view(np.uint64)[2] = R_NA
    matrix = wire.Matrix(values.reshape(3, 1), ["a", None, "c"])
    back = wire.plain(wire.loads(wire.dumps(matrix)))
    assert back.values.tobytes() == values.tobytes()
    assert (back.rows, back.columns) == (["a", None, "c"], None)


def test_tables_come_back_with_gaps_and_categories():
    table = pd.DataFrame(
        {
            "text": ["a", None, "β"],
            "number": [1.5, np.nan, 2],
            "whole": pd.array([1, None, 3], dtype="Int32"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "group": pd.Categorical(["v", None, "u"], categories=["v", "u"], ordered=True),
        }
    )
    back = wire.plain(wire.loads(wire.dumps(table)))
    pd.testing.assert_frame_equal(back, table)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("a\0b", "NUL", id="NUL"),
        pytest.param(np.array([2**60]), "R would round", id="too large"),
        pytest.param(np.array([1j]), "no vector", id="complex"),
    ],
)
def test_what_r_has_no_place_for_is_refused(value, message):
    with pytest.raises((TypeError, ValueError), match=message):
        wire.dumps(value)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([1, 2], dtype=np.uint8), "integer"),
        (np.array([2**40]), "double"),
        (np.array([None, True], dtype=object), "logical"),
        (np.array([1, None], dtype=object), "integer"),
        (np.array([None, None], dtype=object), "character"),
        (np.array(["a"]), "character"),
    ],
)
def test_every_array_has_one_kind_of_vector(values, kind):
    assert as_vector(values, "x").kind == kind


def ask(name, **arguments):
    """Call as R does, and return what R gets."""
    return wire.plain(wire.loads(_reticulate.call(name, bytearray(wire.dumps(arguments)))))


def screen(**settings):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 1)) @ rng.normal(size=(1, 15)) + 0.1 * rng.normal(size=(12, 15))
    return {
        "matrix": wire.Matrix(X),
        "rows": [f"drug {i}" for i in range(12)],
        "columns": [f"line {j}" for j in range(15)],
        "groups": None,
        "measure": {},
        "settings": settings,
    }


def test_settings_of_a_concordance_go_to_the_table_or_to_its_summary():
    one = screen()
    a = {"assays": {"auc": one["matrix"]}, "rows": one["rows"], "columns": one["columns"]}
    ask_for = {"alpha": 0.05, "n_bootstrap": 200, "random_state": 3}
    adata = AnnData(one["matrix"].values)
    adata.obs_names, adata.var_names = one["rows"], one["columns"]
    expected = rt.tl.concordance_summary(
        rt.tl.concordance(adata, adata, alpha=0.05), n_bootstrap=200, random_state=3
    )
    found = ask("concordance", a=a, b=a, settings=ask_for)["value"]["summary"]
    assert list(found) == ["source", *expected.columns]
    assert list(found["source"]) == list(expected.index)
    np.testing.assert_allclose(
        pd.DataFrame(found)[list(expected.columns)].astype(float), expected, equal_nan=True
    )
    assert "n_bootstrap" in ask("concordance", a=a, b=a, settings={"n_bootstrap": 5})["error"]


def test_a_correction_brings_its_intervals_and_takes_noise_by_name():
    quick = {"tol": 0.05, "crossfit": 3}
    noise = {f"drug {i}": 0.05 + 0.01 * i for i in range(12)}
    answer = ask("correct", **screen(noise_sd=dict(reversed(noise.items())), **quick))["value"][
        "record"
    ]
    X = screen()["matrix"].values
    model = rt.RTDMF(**quick).fit(X, noise_sd=list(noise.values()))
    for name in ("corrected", "residual", "flag", "lower", "upper", "sd", "qvalue"):
        np.testing.assert_array_equal(answer[name].values, getattr(model, f"{name}_"))
    assert answer["noise"]["source"] == "given"
    assert answer["noise"]["sd"] == pytest.approx(np.sqrt(np.mean(np.square([*noise.values()]))))
    assert answer["null"]["lighter_side"] in ("above", "below")
    lost = ask("correct", **screen(noise_sd={"drug 3": 0.1}))["error"]
    assert "11 drugs of X are not in it: 'drug 0'" in lost


def test_errors_are_the_message_and_nothing_else():
    assert ask("correct", **screen(threshold=-1)) == {
        "error": "The threshold parameter must be a number of at least 0, or one of ['auto']. "
        "Got -1.",
        "warnings": [],
    }


def test_a_defect_names_itself(monkeypatch):
    def broken(_):
        raise KeyError("x")

    monkeypatch.setitem(_reticulate._FUNCTIONS, "correct", broken)
    assert "KeyError: 'x' (a defect of rtdmf_bio" in ask("correct")["error"]


def test_an_interrupt_is_told_apart(monkeypatch):
    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(_reticulate._FUNCTIONS, "correct", stopped)
    assert ask("correct") == {"interrupted": "", "warnings": []}


def test_warnings_travel_with_the_answer_each_once():
    """Of both stages the same, and a single text is one in R."""
    answer = ask("correct", **screen(max_iter=11, tol=1e-12, threshold=0.5))
    assert answer["warnings"].startswith("The fit was still changing at max_iter")
    assert answer["value"]["record"]["corrected"].values.shape == (12, 15)


def test_the_path_of_libraries_is_left_as_it_was(monkeypatch):
    """R's own would make a worker of joblib load another libpython."""
    seen = []
    monkeypatch.setenv("LD_LIBRARY_PATH", "/r/lib")
    monkeypatch.setitem(
        _reticulate._FUNCTIONS,
        "correct",
        lambda _: seen.append(_reticulate.os.environ["LD_LIBRARY_PATH"]),
    )
    ask("correct")
    assert seen[0].endswith(":/r/lib")
    assert _reticulate.os.environ["LD_LIBRARY_PATH"] == "/r/lib"
