"""`pp.holdout`: which entries move together, and what everyone keeps."""

import anndata
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt
from rtdmf_bio._adata.layers import named_layers

N, P = 40, 60
TISSUE = np.repeat(["skin", "lung", "blood", "breast", "colon", "ovary"], 10)


def screen(missing=0.2, n=N, p=P, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    x[rng.random(x.shape) < missing] = np.nan
    var = pd.DataFrame({"tissue": np.resize(TISSUE, p)}, index=[f"line{j}" for j in range(p)])
    return anndata.AnnData(x, pd.DataFrame(index=[f"drug{i}" for i in range(n)]), var)


def split(adata, **kwargs):
    return rt.pp.holdout(adata, copy=True, **kwargs).layers["holdout"]


def lost(fold, axis):
    """Share of each drug's (axis 1) or line's (0) entries in validation, and in test."""
    measured = (fold >= 0).sum(axis)
    return [(fold == code).sum(axis) / measured for code in (1, 2)]


@pytest.mark.parametrize("by", ["entry", "drug", "line", "group"])
@pytest.mark.parametrize("fractions", [(0.15, 0.15), (0.3, 0.1)])
def test_every_measured_entry_is_in_one_set_of_the_asked_size(by, fractions):
    adata = screen()
    fold = split(adata, by=by, fractions=fractions)
    assert fold.dtype == np.int8
    assert np.array_equal(fold == -1, np.isnan(adata.X))
    assert set(np.unique(fold)) == {-1, 0, 1, 2}
    for code, fraction in zip((1, 2), fractions, strict=True):
        # Half a block: the largest is 80 % of the 60 entries of a drug.
        assert (fold == code).sum() == pytest.approx(fraction * (fold >= 0).sum(), abs=25)


@pytest.mark.parametrize("by", ["entry", "drug", "line", "group"])
@pytest.mark.parametrize("missing", [0.0, 0.2, 0.8])
def test_everyone_keeps_two_training_entries_or_all(by, missing):
    """Otherwise there is a row or column that no factorization can say anything about."""
    adata = screen(missing)
    fold = split(adata, by=by)
    for axis in (0, 1):
        measured = (fold >= 0).sum(axis)
        assert ((fold == 0).sum(axis) >= np.minimum(2, measured)).all()


@pytest.mark.parametrize(("by", "axis"), [("drug", 1), ("line", 0)])
def test_whole_drugs_or_lines_lose_all_but_the_anchor(by, axis):
    """As a drug added lately would: little of it is known, and it is in one set only."""
    validation, test = lost(split(screen(), by=by), axis)
    for share in (validation, test):
        assert ((share == 0) | (abs(share - 0.8) < 0.03)).all()
        assert (share > 0).sum() >= 3
    assert not ((validation > 0) & (test > 0)).any()


def test_a_drug_in_a_held_out_tissue_has_no_training_entry_there():
    """One entry left would answer the question the block is to ask."""
    fold = split(screen(), by="group")
    for tissue in np.unique(TISSUE):
        block = fold[:, tissue == TISSUE]
        assert all(len(set(row[row >= 0])) <= 1 for row in block)
    starts = range(0, P, 10)
    code = np.array([[row[j : j + 10].max() for j in starts] for row in fold])
    assert 0.2 < (code > 0).mean() < 0.4
    # Each by itself: no drug or tissue, and no neighbour, goes along with it.
    for a, b in (
        (code[1:], code[:-1]),
        (code[:, 1:], code[:, :-1]),
        (code[1:, :-1], code[:-1, 1:]),
    ):
        assert (a == b).mean() < 0.7


def test_lines_without_a_label_train_and_several_columns_are_combined():
    adata = screen()
    adata.var["sex"] = np.where(np.arange(P) % 2, "f", "m")
    adata.var.loc["line3", "tissue"] = None
    fold = split(adata, by="group", group_key=["tissue", "sex"])
    assert (fold[:, 3] <= 0).all()
    for lines in adata.var.groupby(["tissue", "sex"]).indices.values():
        assert all(len(set(row[row >= 0])) <= 1 for row in fold[:, lines])
    mixed = [len(set(row[row >= 0])) > 1 for row in fold[:, TISSUE == "lung"]]
    assert any(mixed)


def test_single_entries_leave_no_trace_of_drugs_or_tissues():
    fold = split(screen(0.0), by="entry")
    assert max(share.max() for share in lost(fold, 1)) < 0.4


def test_only_the_layer_is_written_and_the_seed_says_all():
    adata = screen()
    x = adata.X.copy()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert rt.pp.holdout(adata, random_state=3) is None
    assert np.array_equal(adata.X, x, equal_nan=True)
    assert set(named_layers(adata)) == {"holdout"}
    assert not adata.uns
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert np.array_equal(adata.layers["holdout"], split(screen(), random_state=3))
    assert not np.array_equal(adata.layers["holdout"], split(screen(), random_state=4))


def test_a_layer_can_be_split_and_infinite_is_not_measured():
    adata = screen()
    adata.layers["other"] = np.where(np.arange(P) < 30, adata.X, np.nan)
    adata.layers["other"][0, 0] = np.inf
    out = rt.pp.holdout(adata, layer="other", key_added="mine", copy=True)
    fold = out.layers["mine"]
    assert (fold[:, 30:] == -1).all()
    assert fold[0, 0] == -1
    assert "mine" not in adata.layers


def test_an_existing_layer_is_replaced_only_when_asked():
    adata = screen()
    rt.pp.holdout(adata)
    with pytest.raises(ValueError, match=r"already holds layers\['holdout'\]"):
        rt.pp.holdout(adata, by="drug")
    rt.pp.holdout(adata, by="drug", overwrite=True)
    assert np.array_equal(adata.layers["holdout"], split(screen(), by="drug"))


ONE_TISSUE = {"by": "group", "group_key": "one"}
BAD = [
    ("by", {"by": "tissue"}, "by parameter must be one of"),
    ("column", {"by": "group", "group_key": "organ"}, "no column 'organ'"),
    ("no column", {"by": "group", "group_key": None}, "needs groups of cell lines"),
    ("fractions", {"fractions": (0.5, 0.5)}, "sum below 1"),
    ("one fraction", {"fractions": 0.2}, "two numbers above 0"),
    ("negative", {"fractions": (-0.1, 0.2)}, "two numbers above 0"),
    ("key", {"key_added": "a/b"}, "without '/'"),
    ("layer", {"layer": "raw"}, "no 'raw'"),
    ("one block a drug", ONE_TISSUE, "by='group'.*every drug and cell line keeps 2"),
]


@pytest.mark.parametrize(("kwargs", "message"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_what_cannot_be_split_gets_one_clear_error(kwargs, message):
    adata = screen()
    adata.var["one"] = "all"
    with pytest.raises(ValueError, match=message):
        rt.pp.holdout(adata, **kwargs)
    assert not adata.layers


def test_too_small_a_screen_is_refused():
    with pytest.raises(ValueError, match=r"Only \d of 16 measured entries"):
        rt.pp.holdout(screen(0.0, 4, 4))
