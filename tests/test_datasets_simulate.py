"""Simulated screens hold what they say."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest

import rtdmf_bio as rt
from rtdmf_bio._adata.layers import named_layers
from rtdmf_bio.datasets import simulate

SMALL = {"n_drugs": 90, "n_lines": 84}
PARTS = ("low_rank", "signal", "noise")
KINDS = ("two_block", "mixed", "residual")


def in_order(adata, name):
    """A layer with drugs and lines where they stood before shuffling."""
    back = np.ix_(np.argsort(adata.obs["position"]), np.argsort(adata.var["position"]))
    return adata.layers[name][back]


def assert_share(hits, p):
    """The share of True is within five binomial standard deviations of p, and no better known."""
    assert abs(hits.mean() - p) <= 5 * np.sqrt(p * (1 - p) / hits.size)


@pytest.fixture(scope="module")
def source():
    """A real-looking screen with two planted biclusters, and a tenth not measured."""
    rng = np.random.default_rng(1)
    X = rng.random((60, 1)) + 0.3 * rng.random((1, 70)) + 0.03 * rng.normal(size=(60, 70))
    X[:12, :15] += 0.5 * (rng.random((12, 15)) < 0.6)
    X[20:35, 30:40] += 0.5 * (rng.random((15, 10)) < 0.6)
    X += 0.5 * (rng.random(X.shape) < 0.03)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


@pytest.fixture(scope="module", params=KINDS)
def screen(request, source):
    extra = {"source": source} if request.param == "residual" else {"block_size": 20}
    return simulate(**SMALL, signal=request.param, **extra)


def test_the_default_screen_has_the_stated_size_and_parts():
    """The default is what the documentation and the benchmarks speak of."""
    adata = simulate()
    assert adata.shape == (800, 400)
    assert {name: layer.dtype for name, layer in named_layers(adata).items()} == {
        **{part: np.dtype(np.float64) for part in PARTS},
        "block": np.dtype(bool),
        "split": np.dtype(np.int8),
    }
    assert (adata.obs_names.name, adata.var_names.name) == ("drug", "cell_line")
    signal, block = adata.layers["signal"], adata.layers["block"]
    assert_share(signal[block] != 0, 0.6)
    assert_share(signal[~block] != 0, 0.05)
    inside, outside = signal[block & (signal != 0)], signal[~block & (signal != 0)]
    assert 0.2 <= inside.min() < 0.21
    assert 0.29 < inside.max() <= 0.3
    assert set(outside) == {0.3}
    assert np.std(adata.layers["noise"]) == pytest.approx(0.05, rel=0.01)
    assert abs(adata.layers["noise"].mean()) < 5 * 0.05 / np.sqrt(adata.X.size)


def test_what_a_method_sees_is_the_sum_of_the_parts_without_the_test_entries(screen):
    """A test entry in X would be leaked."""
    split = screen.layers["split"]
    total = sum(screen.layers[part] for part in PARTS)
    np.testing.assert_array_equal(screen.X, np.where(split == 2, np.nan, total))


@pytest.mark.parametrize("shares", [(0.15, 0.15), (0.0, 0.3), (0.2, 0.0)], ids=str)
def test_entries_are_split_as_asked(shares):
    adata = simulate(40, 50, block_size=10, validation=shares[0], test=shares[1])
    counts = np.bincount(adata.layers["split"].ravel(), minlength=3)
    assert counts.tolist() == [round(2000 * s) for s in (1 - sum(shares), *shares)]


@pytest.mark.parametrize("low_rank", ["nmf", "deep"])
def test_structure_has_the_rank_and_range_asked(low_rank):
    """More rank than stated would be signal that no one planted."""
    low = simulate(80, 60, low_rank=low_rank, rank=4, low_rank_range=(0.2, 0.6)).layers["low_rank"]
    sizes = np.linalg.svd(low, compute_uv=False)
    assert sizes[4] < 1e-10 * sizes[0]
    assert sizes[3] > 0.01 * sizes[0]
    assert low.mean() == pytest.approx(0.4, rel=0.02)
    if low_rank == "nmf":
        assert low.min() >= 0


def test_the_way_back_restores_two_blocks():
    adata = simulate(70, 60, block_size=15, p_inside=1.0, p_outside=0.0)
    expected = np.zeros((70, 60), dtype=bool)
    expected[:15, :15] = expected[15:30, 15:30] = True
    np.testing.assert_array_equal(in_order(adata, "block"), expected)
    np.testing.assert_array_equal(in_order(adata, "signal") > 0, expected)
    assert not np.array_equal(adata.layers["block"], expected)
    unshuffled = simulate(70, 60, block_size=15, p_inside=1.0, p_outside=0.0, shuffle=False)
    for part in PARTS:
        np.testing.assert_array_equal(in_order(adata, part), unshuffled.layers[part])


@pytest.mark.parametrize(("side", "halves"), [(20, (10, 30, 50, 70)), (5, (2, 7, 12, 17))])
def test_the_mixed_regions_lie_as_published(side, halves):
    """2B x B, B x B/2, B x 3B/2 and a stripe of one drug over 4B lines, odd sides rounded down."""
    adata = simulate(4 * side + 6, 4 * side + 20, signal="mixed", block_size=side, p_outside=0.0)
    expected = np.zeros(adata.shape, dtype=bool)
    expected[: 2 * side, :side] = True
    expected[:side, 3 * side : halves[3]] = True
    expected[halves[2] : halves[3], halves[0] : 2 * side] = True
    expected[4 * side, : 4 * side] = True
    np.testing.assert_array_equal(in_order(adata, "block"), expected)
    inside = in_order(adata, "signal")[expected]
    assert_share(inside != 0, 0.6)
    assert not in_order(adata, "signal")[~expected].any()


def test_residual_signal_is_that_of_the_source(source):
    """Its biclusters are found, and every signal is a large residual of the source."""
    adata = simulate(
        90, 84, signal="residual", source=source, n_biclusters=2, naive_rank=1, p_outside=0.0
    )
    block, signal = in_order(adata, "block"), in_order(adata, "signal")
    assert not signal[~block].any()
    assert signal[signal != 0].min() >= 0.2
    assert (signal[block] != 0).mean() > 0.3
    assert adata.var["group"].cat.categories[:2].tolist() == ["block 1", "block 2"]
    # The first bicluster stands in the corner, and nothing lies beyond the source.
    corner = block[: block[:, 0].sum(), : block[0].sum()]
    assert corner.all()
    assert corner.size > 1
    assert not signal[60:].any()
    assert not signal[:, 70:].any()


def test_a_bicluster_kept_alone_is_one_of_those_in_the_source(source):
    """They hold 15 x 10 and 12 x 15 entries, three fifths high, of which a tenth is missing."""
    adata = simulate(60, 70, signal="residual", source=source, n_biclusters=1, naive_rank=1)
    signal, block = adata.layers["signal"], adata.layers["block"]
    assert 100 < block.sum() < 250
    assert (signal[block] != 0).mean() > 0.35


def test_scattered_residuals_are_a_share_of_all_entries_outside(source):
    parameters = {"signal": "residual", "source": source, "naive_rank": 1, "n_biclusters": 2}
    less, more = (simulate(60, 70, p_outside=p, **parameters) for p in (0.005, 0.015))
    outside = ~in_order(less, "block")
    few, many = (in_order(adata, "signal")[outside] for adata in (less, more))
    assert_share(few != 0, 0.005)
    assert_share(many != 0, 0.015)
    assert (few != 0).sum() < (many != 0).sum()
    np.testing.assert_array_equal(few[few != 0], many[few != 0])


def test_sources_are_read_with_their_direction(source):
    """A resistant measure is turned round, so that signal always points to sensitivity."""
    up = ad.AnnData(source, uns={"measure": {"higher_is": "sensitive"}})
    down = ad.AnnData(-source, uns={"measure": {"higher_is": "resistant"}})
    plain, *others = (
        simulate(50, 50, signal="residual", source=s, n_biclusters=2) for s in (source, up, down)
    )
    for other in others:
        np.testing.assert_array_equal(plain.layers["signal"], other.layers["signal"])
    assert plain.uns["simulation"]["source"] == "ndarray"


def test_the_bundled_screen_is_the_default_source():
    adata = simulate(200, 150, signal="residual")
    assert adata.uns["simulation"]["source"] == "gdsc1"
    signal, block = adata.layers["signal"], adata.layers["block"]
    assert (signal[block] != 0).mean() > 5 * (signal[~block] != 0).mean() > 0
    assert_share(signal[~block] != 0, 0.01)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"sigma": 0.2}, ("low_rank", "signal", "block", "split")),
        ({"rank": 3}, ("signal", "noise", "block", "split")),
        ({"p_outside": 0.2}, ("low_rank", "noise", "block", "split")),
        ({"signal": "mixed"}, ("low_rank", "noise", "split")),
        ({"signal": "residual"}, ("low_rank", "noise", "split")),
        ({"test": 0.3}, ("low_rank", "signal", "noise", "block")),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_parts_are_drawn_independently(change, kept):
    """Only so can one thing be varied at a time."""
    before, after = simulate(**SMALL), simulate(**SMALL, **change)
    same = {
        name
        for name, layer in named_layers(before).items()
        if np.array_equal(layer, after.layers[name])
    }
    assert same == set(kept)
    np.testing.assert_array_equal(before.obs["position"], after.obs["position"])


@pytest.mark.parametrize("low_rank", ["nmf", "deep"])
def test_the_seed_decides_everything(low_rank):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (
        simulate(60, 50, low_rank=low_rank, random_state=seed) for seed in (3, 3, 4)
    )
    for name in named_layers(first):
        np.testing.assert_array_equal(first.layers[name], again.layers[name])
        assert not np.array_equal(first.layers[name], other.layers[name])
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_line_groups_follow_the_blocks(screen):
    """Every block is a union of groups, and no group is cut by one."""
    block = screen.layers["block"]
    for lines in screen.var.groupby("group", observed=True).indices.values():
        columns = block[:, lines]
        assert (columns == columns[:, :1]).all()
    others = screen.var["group"].str.startswith("other")
    np.testing.assert_array_equal(others, ~block.any(0))


def test_groups_of_other_lines_are_as_large_as_those_of_blocks():
    sizes = simulate(80, 130, block_size=20).var["group"].value_counts()
    assert sizes.to_dict() == {
        **{f"block {k}": 20 for k in (1, 2)},
        **{f"other {k}": 23 if k < 3 else 22 for k in (1, 2, 3, 4)},
    }


def test_a_screen_survives_h5ad(screen, tmp_path):
    screen.write_h5ad(tmp_path / "screen.h5ad")
    back = ad.read_h5ad(tmp_path / "screen.h5ad")
    np.testing.assert_array_equal(back.X, screen.X)
    for name in named_layers(screen):
        np.testing.assert_array_equal(back.layers[name], screen.layers[name])
        assert back.layers[name].dtype == screen.layers[name].dtype
    assert back.var.equals(screen.var)
    assert back.obs.equals(screen.obs)
    for key in ("measure", "simulation"):
        assert set(back.uns[key]) == set(screen.uns[key])
        for name, value in screen.uns[key].items():
            np.testing.assert_array_equal(back.uns[key][name], value, err_msg=name)


def test_parameters_are_recorded_so_that_a_screen_can_be_made_again():
    adata = simulate(60, 50, sigma=0.1, magnitude_inside=0.4, random_state=7)
    params = {
        name: tuple(value) if isinstance(value, np.ndarray) else value
        for name, value in adata.uns["simulation"].items()
    }
    assert params["p_outside"] == 0.05
    np.testing.assert_array_equal(simulate(**params).X, adata.X)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"low_rank": "svd"}, ValueError, r"low_rank .* one of \['nmf', 'deep'\]. Got 'svd'"),
        ({"signal": "stripe"}, ValueError, "signal .* Got 'stripe'"),
        ({"n_drugs": 3.5}, TypeError, "n_drugs .* an integer of at least 2. Got 3.5"),
        ({"rank": 61}, ValueError, "rank .* at most 60 for 90 drugs x 60 lines. Got 61"),
        ({"p_inside": 1.2}, ValueError, "p_inside .* at least 0 and at most 1. Got 1.2"),
        ({"p_outside": "some"}, TypeError, "p_outside .* Got 'some'"),
        ({"sigma": -1}, ValueError, "sigma .* at least 0. Got -1"),
        ({"sigma": float("nan")}, ValueError, "sigma .* Got nan"),
        ({"sigma": True}, TypeError, "sigma .* Got True"),
        ({"magnitude_inside": (0.3, 0.2)}, ValueError, r"magnitude_inside .* Got \(0.3, 0.2\)"),
        ({"magnitude_outside": "large"}, ValueError, "magnitude_outside .* Got 'large'"),
        ({"low_rank_range": (0, 1, 2)}, ValueError, r"low_rank_range .* Got \(0, 1, 2\)"),
        ({"validation": 0.5, "test": 0.5}, ValueError, r"tenth .* Got 0.5 \+ 0.5"),
        (
            {"block_size": 31},
            ValueError,
            "block_size=31 needs at least 62 drugs x 62 lines. Got 90",
        ),
        ({"signal": "mixed"}, ValueError, "needs at least 81 drugs x 80 lines. Got 90 x 60"),
        ({"random_state": -1}, ValueError, "random_state .* Got -1"),
        ({"shuffle": "yes"}, TypeError, "shuffle .* Got 'yes'"),
    ],
    ids=lambda case: "-".join(case) if isinstance(case, dict) else "",
)
def test_a_parameter_out_of_range_is_named_with_its_value(parameters, error, message):
    with pytest.raises(error, match=message):
        simulate(**{"n_drugs": 90, "n_lines": 60, **parameters})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.random.default_rng(0).random((8, 50)), "8 drugs x 50 lines; at least 12 .* n_bicl"),
        (0.01 * np.random.default_rng(0).random((40, 40)), "residual_min=0.2; the largest is 0.0"),
        (np.full((40, 40), np.inf), "infinite"),
        (np.full((40, 40), np.nan), "missing"),
    ],
    ids=["small", "flat", "infinite", "empty"],
)
def test_a_source_without_use_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        simulate(50, 50, signal="residual", source=source)


def test_a_parameter_without_effect_is_reported(source):
    with pytest.warns(UserWarning, match="'two_block' does not use source, n_biclusters"):
        simulate(50, 50, source=source, n_biclusters=2)
    with pytest.warns(UserWarning, match="'residual' does not use block_size"):
        simulate(50, 50, signal="residual", source=source, block_size=5)


def test_planted_groups_are_found_by_the_correction(one_thread):
    """The purpose of the groups: drugs of a block respond in its lines, and in no others."""
    adata = simulate(160, 120, block_size=20)
    rt.pp.correct(adata, group_key="group", retain="enriched", progress=False)
    found = rt.tl.enrichment(adata, fdr=0.05)
    drug = adata.obs["position"].reindex(found["drug"]).to_numpy()
    planted = np.select([drug < 20, drug < 40], ["block 1", "block 2"], "none")
    right = (found["group"].to_numpy() == planted) & (found["side"] == "sensitive").to_numpy()
    assert right.sum() >= 29  # of 40 drugs
    assert right.mean() >= 0.9
    kept = adata.layers["rtdmf_flag"] == 3
    assert (adata.layers["signal"] != 0)[kept].mean() > 0.95
