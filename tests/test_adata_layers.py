"""What goes over all layers must not take X for one of them, as anndata from 0.13 on has it."""

import re

import anndata as ad
import numpy as np
import pytest

import r_bridge
import rtdmf_bio as rt
from r_bridge import _reticulate
from rtdmf_bio._adata.layers import named_layers


def test_x_is_no_layer(x_among_layers):
    adata = ad.AnnData(np.zeros((2, 2)), layers={"a": np.ones((2, 2))})
    assert set(adata.layers) == {None, "a"}
    assert list(named_layers(adata)) == list(named_layers(adata[:1])) == ["a"]
    del adata.layers["a"]
    assert named_layers(adata) == {}


@pytest.mark.parametrize("how", ["whole", "view", "copy", "no X"])
def test_layers_come_by_name_and_in_order(how):
    adata = ad.AnnData(np.zeros((3, 2)), layers={"b": np.ones((3, 2)), "a": np.full((3, 2), 2)})
    if how != "whole":
        adata = adata[:2] if how == "view" else adata.copy()
    if how == "no X":
        adata.X = None
    found = named_layers(adata)
    assert list(found) == ["b", "a"]
    assert all(np.array_equal(found[name], adata.layers[name]) for name in found)


ASK = {
    "correct": lambda adata: rt.pp.correct(adata, layer="lost"),
    "holdout": lambda adata: rt.pp.holdout(adata, layer="lost"),
    "concordance": lambda adata: rt.tl.concordance(adata, adata, layer="lost"),
    "recovery": lambda adata: rt.tl.recovery(adata, "lost"),
    "write_table": lambda adata: rt.io.write_table(adata, "out.csv", layer="lost"),
    "write_pset": lambda adata: r_bridge.write_pset(adata, "in.rds", "out.rds", layer="lost"),
    "write_pset of X": lambda adata: r_bridge.write_pset(adata, "in.rds", "out.rds", layer=None),
}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_the_layers_there_are_named_where_one_is_not(x_among_layers, ask):
    names = ["block", "low_rank", "noise", "signal", "split"]  # tl.recovery needs them
    adata = ad.AnnData(np.eye(3), layers={name: np.eye(3) for name in names})
    with pytest.raises(ValueError, match=re.escape(str(names))):
        ask(adata)


def test_the_bundled_screen_goes_to_r_under_its_measures(x_among_layers):
    """Two matrices of one name would be refused there, and so would one without a name."""
    assert list(_reticulate._gdsc1(None)["assays"]) == ["auc", "ln_ic50"]
