"""What stands for a seed: an integer, a generator, new or old, that draws one, or None for any."""

from __future__ import annotations

import copy

import anndata
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt
from rtdmf_bio._adata.layers import named_layers

pytestmark = pytest.mark.usefixtures("one_thread")

# The hold-out alone is random, and chooses the threshold.
QUICK = {"impute": "low-rank", "loss": "squared", "tol": 0.05, "crossfit": 3}
LARGEST = 2**32 - 1


@pytest.fixture(scope="module")
def adata():
    """Twenty drugs on thirty lines of three tissues, rank 2 and noise. Read-only."""
    rng = np.random.default_rng(0)
    X = 0.6 + 0.1 * rng.normal(size=(20, 2)) @ rng.normal(size=(2, 30))
    X += 0.05 * rng.normal(size=X.shape)
    X[rng.random(X.shape) < 0.1] = np.nan
    lines = pd.DataFrame({"tissue": np.resize(["skin", "lung", "bone"], 30)})
    return anndata.AnnData(
        X,
        pd.DataFrame(index=[f"drug{i}" for i in range(20)]),
        lines.set_axis([f"line{j}" for j in range(30)]),
    )


def numbers(table):
    return table.select_dtypes("number").to_numpy(dtype=float)


def model(adata, seed):
    fitted = rt.RTDMF(**QUICK, random_state=seed).fit(adata.X)
    return [fitted.corrected_, fitted.threshold_, fitted.params_["random_state"]]


def correct(adata, seed):
    out = rt.pp.correct(adata, random_state=seed, copy=True, progress=False, **QUICK)
    return [out.layers["rtdmf"], out.uns["rtdmf"]["params"]["random_state"]]


def holdout(adata, seed):
    return [rt.pp.holdout(adata, random_state=seed, copy=True).layers["holdout"]]


def tune(adata, seed):
    out = rt.pp.tune(
        adata, {"depth": [2, 3]}, random_state=seed, copy=True, progress=False, n_jobs=1, **QUICK
    )
    found = out.uns["rtdmf"]
    return [
        out.layers["rtdmf"],
        numbers(found["tuning"].drop(columns="seconds")),
        found["tuning_params"]["random_state"],
        found["params"]["random_state"],
    ]


def stability(adata, seed):
    table = rt.tl.stability(adata, n_repeats=2, random_state=seed, progress=False, **QUICK)
    return [numbers(table)]


def threshold_path(adata, seed):
    table = rt.tl.threshold_path(adata, [0.1], random_state=seed, progress=False, **QUICK)
    return [numbers(table)]


def predict(adata, seed):
    genes = np.random.default_rng(1).normal(size=(30, 4))
    table = rt.tl.predict(
        adata,
        pd.DataFrame(genes, adata.var_names, list("abcd")),
        drugs="drug0",
        training="measured",
        n_folds=2,
        n_jobs=1,
        random_state=seed,
        progress=False,
    )
    return [numbers(table)]


def cluster(adata, seed):
    table = rt.tl.cluster(adata, "tissue", method="k-means", layer="X", random_state=seed)
    return [numbers(table)]


def simulate(adata, seed):
    out = rt.datasets.simulate(20, 25, block_size=5, rank=3, random_state=seed)
    return [out.X, out.uns["simulation"]["random_state"]]


EVERY = [model, correct, holdout, tune, stability, threshold_path, predict, cluster, simulate]


def same(one, other):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("function", EVERY, ids=lambda function: function.__name__)
def test_a_generator_stands_for_the_seed_it_draws(adata, function):
    """So that whoever hands one generator round gets a chain of results that repeats itself as a
    whole; and it has moved on, or two steps would share their chance."""
    rng, twin = np.random.default_rng(3), np.random.default_rng(3)
    found = function(adata, rng)
    seed = int(twin.integers(2**31))
    assert rng.bit_generator.state == twin.bit_generator.state
    assert same(found, function(adata, seed))
    assert not same(found, function(adata, seed + 1))


@pytest.mark.slow
@pytest.mark.parametrize("function", EVERY, ids=lambda function: function.__name__)
def test_a_random_state_stands_for_the_seed_it_draws(adata, function):
    """NumPy's old generator, in the way of scikit-learn, whose programs hand one round."""
    old, twin = np.random.RandomState(3), np.random.RandomState(3)
    found = function(adata, old)
    seed = int(twin.randint(2**31 - 1))
    np.testing.assert_array_equal(old.get_state()[1], twin.get_state()[1])
    assert old.get_state()[2] == twin.get_state()[2]
    assert same(found, function(adata, seed))


def test_without_a_seed_the_one_that_was_taken_reproduces_the_fit(adata):
    """None is for any seed, and not for a result that nobody can have again."""
    one, other = (rt.RTDMF(**QUICK, random_state=None).fit(adata.X) for _ in range(2))
    seeds = [fitted.params_["random_state"] for fitted in (one, other)]
    assert [type(seed) for seed in seeds] == [int, int]
    assert seeds[0] != seeds[1]  # equal once in two thousand million runs
    assert one.threshold_ != other.threshold_
    assert one.random_state is None  # the parameter stays as given
    for fitted in (one, other):
        again = rt.RTDMF(**fitted.params_).fit(adata.X)
        np.testing.assert_array_equal(again.corrected_, fitted.corrected_)
        assert again.threshold_ == fitted.threshold_


@pytest.mark.parametrize(
    ("made_by", "seed"),
    [
        ("correct", 7),
        ("correct", None),
        ("correct", "generator"),
        ("simulate", None),
        ("simulate", "generator"),
    ],
)
def test_the_seed_is_stored_as_a_number_that_a_file_keeps(adata, tmp_path, made_by, seed):
    """A generator has no place in a file, and None would say nothing of what was done."""
    seed = np.random.default_rng(5) if seed == "generator" else seed
    out, file = adata.copy(), tmp_path / "screen.h5ad"
    if made_by == "correct":
        rt.pp.correct(out, random_state=seed, progress=False, **QUICK)
    else:
        out = rt.datasets.simulate(20, 25, block_size=5, rank=3, random_state=seed)
    out.write_h5ad(file)
    back = anndata.read_h5ad(file)
    stored = [
        one.uns["simulation"]["random_state"]
        if made_by == "simulate"
        else one.uns["rtdmf"]["params"]["random_state"]
        for one in (out, back)
    ]
    assert type(stored[0]) is int
    assert stored[0] == stored[1]
    if made_by != "simulate":
        again = correct(adata, int(stored[1]))
        np.testing.assert_array_equal(again[0], back.layers["rtdmf"])
    assert set(named_layers(back)) == set(named_layers(out))


BAD = {
    "text": ("0", TypeError),
    "a fraction": (0.5, TypeError),
    "truth": (True, TypeError),
    "several": ([0, 1], TypeError),
    "a module": (np.random, TypeError),
    "negative": (-1, ValueError),
    "too large": (LARGEST + 1, ValueError),
}


@pytest.mark.parametrize(("seed", "error"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("function", EVERY, ids=lambda function: function.__name__)
def test_what_is_no_seed_is_refused_by_name(adata, function, seed, error):
    """With what it may be and what was given, wherever it is given."""
    with pytest.raises(
        error, match=r"random_state parameter must be an integer.*, None, or .* Got "
    ):
        function(adata, seed)


@pytest.mark.parametrize("seed", [0, LARGEST, np.int64(4), np.uint32(LARGEST)])
def test_every_whole_number_of_32_bits_is_a_seed(adata, seed):
    """Also those of NumPy; what is stored is a plain integer."""
    *values, kept = model(adata, seed)
    assert type(kept) is int
    assert same([*values, kept], model(adata, int(seed)))


@pytest.mark.slow
@pytest.mark.parametrize("over", ["hold-outs", "entries", "starts"])
def test_stability_counts_on_from_the_largest_seed(adata, over):
    """Repeat k has seed k more than the first; after the last seed comes the first one."""
    paper = {"preset": "paper", "width": 4, "depth": 2, "max_iter": 10, "learning_rate": 0.03}
    settings = paper if over == "starts" else QUICK

    def table(seed, n):
        return rt.tl.stability(
            adata, over=over, n_repeats=n, random_state=seed, progress=False, **settings
        )

    found = table(LARGEST, 3 if over == "hold-outs" else 2).set_index(["repeat_a", "repeat_b"])
    # Hold-outs choose the threshold alone, as the settings are.
    changed = "threshold_difference" if over == "hold-outs" else "rms_difference"
    assert (found[changed] > 0).all()
    if over == "hold-outs":
        first = table(0, 2).set_index(["repeat_a", "repeat_b"])
        pd.testing.assert_series_equal(
            found.loc[(1, 2)], first.loc[(0, 1)], check_names=False, check_exact=True
        )


def test_a_generator_survives_cloning_and_copies(adata):
    """scikit-learn copies parameters: a copy of a generator draws what the first would have."""
    from sklearn.base import clone

    estimator = rt.RTDMF(**QUICK, random_state=np.random.default_rng(3))
    twins = [clone(estimator), copy.deepcopy(estimator), estimator]
    seeds = {twin.fit(adata.X).params_["random_state"] for twin in twins}
    assert seeds == {int(np.random.default_rng(3).integers(2**31))}
