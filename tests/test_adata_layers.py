"""What goes over all layers must not take X for one of them, as anndata from 0.13 on has it."""

from types import SimpleNamespace

import anndata as ad
import numpy as np
import pytest

from rtdmf_bio._adata.layers import named_layers


def test_x_is_no_layer():
    x, layer = np.zeros((2, 2)), np.ones((2, 2))
    # As a mapping with X under None, whatever the anndata here.
    assert named_layers(SimpleNamespace(layers={None: x, "a": layer})) == {"a": layer}
    assert named_layers(SimpleNamespace(layers={None: x})) == {}


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
