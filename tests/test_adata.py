"""The room that knows what a screen and a correction are inside an AnnData."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import rtdmf_bio as rt
from rtdmf_bio._adata.inputs import resolve_layer
from rtdmf_bio._adata.record import STORED, keys_of

QUIET = {"progress": False}

pytestmark = pytest.mark.usefixtures("rough_fits")


@pytest.fixture
def small(screen, tissues):
    return AnnData(
        screen[:24].copy(),
        pd.DataFrame(index=[f"drug {i}" for i in range(24)]),
        pd.DataFrame({"tissue": tissues}, index=[f"line {j}" for j in range(50)]),
        layers={"half": screen[:24] / 2},
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


def concorded(adata, layer):
    other = adata.copy()
    other.X = other.X[:, ::-1].copy()
    return rt.tl.concordance(adata, other, layer=layer)["rho"].to_numpy()


def clustered(adata, layer):
    return rt.tl.cluster(adata, "tissue", layer=layer)["nmi"].to_numpy()


def mutated(adata, layer):
    adata.var["mutated"] = np.arange(50) % 3 == 0
    return rt.tl.biomarker(adata, adata.obs_names[0], "mutated", layer=layer)["pvalue"].to_numpy()


def drawn(adata, layer):
    if "rtdmf" not in adata.uns:
        rt.pp.correct(adata, **QUIET)
    return rt.pl.matrix(adata, layer=layer).images[0].get_array()


def drawn_clusters(adata, layer):
    figure = rt.pl.clusters(adata, "tissue", layer=layer)
    return np.ma.concatenate([im.get_array().ravel() for ax in figure.axes for im in ax.images])


def written(adata, layer):
    with tempfile.TemporaryDirectory() as folder:
        rt.io.write_table(adata, f"{folder}/table.csv", layer=layer)
        return pd.read_csv(f"{folder}/table.csv", index_col=0).to_numpy()


TAKES_X = [corrected, held_out, tuned, stable, path, predicted, written]
EVERY = [*TAKES_X, concorded, clustered, mutated, drawn, drawn_clusters]


@pytest.mark.slow
@pytest.mark.parametrize("function", EVERY)
def test_beside_a_layer_called_x_none_still_means_what_it_means(small, function):
    """Nobody who never names a layer has to rename one; asked for by name, X is either."""
    beside = small.copy()
    beside.layers["X"] = beside.X[::-1].copy()
    np.testing.assert_array_equal(function(beside.copy(), None), function(small.copy(), None))
    with pytest.raises(ValueError, match="Rename that layer"):
        function(beside, "X")


@pytest.mark.slow
@pytest.mark.parametrize("function", [concorded, clustered, mutated])
def test_a_correction_of_x_is_compared_with_x_beside_a_layer_called_x(small, function):
    rt.pp.correct(small, group_key=None, **QUIET)
    expected = function(small.copy(), None)
    small.layers["X"] = small.X[::-1].copy()
    np.testing.assert_array_equal(function(small, None), expected)


@pytest.mark.parametrize("function", TAKES_X)
@pytest.mark.parametrize("layer", [["X"], 3])
def test_a_layer_that_is_no_name_is_refused(small, function, layer):
    with pytest.raises(TypeError, match="layer must be the name of one layer"):
        function(small, layer)


def test_a_correction_stores_what_the_record_says_and_nothing_else(small):
    """The table of the record is all that a new result has to be entered in."""
    before = {where: set(getattr(small, where)) for where, _ in keys_of("rtdmf")}
    rt.pp.correct(small, **QUIET)
    after = {where: set(getattr(small, where)) for where in before}
    new = {(where, name) for where in after for name in after[where] - before[where]}
    assert new == set(keys_of("rtdmf"))
    assert len(new) == len(STORED) + 1
