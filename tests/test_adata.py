"""The room that knows what a screen and a correction are inside an AnnData."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import rtdmf_bio as rt
from rtdmf_bio._adata.inputs import resolve_layer
from rtdmf_bio._adata.record import STORED, keys_of

QUIET = {"progress": False}


@pytest.fixture
def small(screen, tissues):
    return AnnData(
        screen.copy(),
        pd.DataFrame(index=[f"drug {i}" for i in range(40)]),
        pd.DataFrame({"tissue": tissues}, index=[f"line {j}" for j in range(50)]),
        layers={"half": screen / 2},
    )


def corrected(adata, layer):
    rt.pp.correct(adata, layer=layer, **QUIET)
    return adata.layers["rtdmf"]


def held_out(adata, layer):
    rt.pp.holdout(adata, layer=layer)
    return adata.layers["holdout"]


def tuned(adata, layer):
    rt.pp.tune(adata, {"depth": [2]}, layer=layer, refit=False, **QUIET)
    return adata.uns["rtdmf"]["tuning"]["validation_mse"].to_numpy()


def stable(adata, layer):
    return rt.tl.stability(adata, layer=layer, n_repeats=2, **QUIET)["correlation"].to_numpy()


def path(adata, layer):
    return rt.tl.threshold_path(adata, [0.1], layer=layer, **QUIET)["threshold"].to_numpy()


def predicted(adata, layer):
    genes = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 5)), index=adata.var_names)
    table = rt.tl.predict(adata, genes, layer=layer, training="measured", n_folds=2, **QUIET)
    return table["rmse"].to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize("function", [corrected, held_out, tuned, stable, path, predicted])
def test_no_layer_and_x_are_the_same_layer(small, function):
    """``layer="X"`` was an unknown layer to half of the package."""
    one, other = (function(small.copy(), layer) for layer in (None, "X"))
    np.testing.assert_array_equal(one, other)
    # Of half the screen everything but places is half as large, to the last bit, so that the
    # comparison above is not one of things that no layer acts on.
    if function not in (held_out, stable):
        assert not np.array_equal(one, function(small.copy(), "half"))


def test_written_tables_take_x_for_no_layer(small, tmp_path):
    for layer in (None, "X"):
        rt.io.write_table(small, tmp_path / f"{layer}.csv", layer=layer)
    assert (tmp_path / "None.csv").read_bytes() == (tmp_path / "X.csv").read_bytes()


def test_a_layer_called_x_is_not_mistaken_for_x(small):
    """Which of the two was meant cannot be told."""
    small.layers["X"] = small.X + 1
    assert resolve_layer(small, None) == "X"
    with pytest.raises(ValueError, match="Rename that layer"):
        resolve_layer(small, "X")


def test_a_correction_stores_what_the_record_says_and_nothing_else(small):
    """The table of the record is all that a new result has to be entered in."""
    before = {where: set(getattr(small, where)) for where, _ in keys_of("rtdmf")}
    rt.pp.correct(small, **QUIET)
    after = {where: set(getattr(small, where)) for where in before}
    new = {(where, name) for where in after for name in after[where] - before[where]}
    assert new == set(keys_of("rtdmf"))
    assert len(new) == len(STORED) + 1
