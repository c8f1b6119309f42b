"""Values that many measurements share: found where they are, left out of the noise, and told."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pytest

import rtdmf_bio as rt
from rtdmf_bio import RTDMF
from rtdmf_bio.cli import summary
from rtdmf_bio.model.pileups import WARN, pile_ups

pytestmark = pytest.mark.usefixtures("one_thread")

N, P = 60, 120
QUICK = {"threshold": 0.15, "impute": "low-rank"}
quiet = pytest.mark.filterwarnings("ignore:.*pile up at shared values:UserWarning")


def auc(seed=0):
    """AUC-like: rank 2, noise of 0.04, 2 % of strong responses, a third of the drugs inactive."""
    rng = np.random.default_rng(seed)
    active = np.arange(N) >= N // 3
    level = np.where(active, rng.uniform(0.5, 0.8, N), 0.95)
    size = np.where(active, 0.06, 0.006)
    X = level[:, None] + size[:, None] * (rng.normal(size=(N, 2)) @ rng.normal(size=(2, P)))
    X += 0.04 * rng.normal(size=X.shape)
    X -= 0.35 * (rng.random(X.shape) < 0.02)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def capped(X, share):
    """The same, with the largest values of this share at one cap."""
    return np.minimum(X, np.nanquantile(X, 1 - share))


def put(X, value, share):
    """The same, with measurements drawn at random standing at a value."""
    X = X.copy()
    measured = np.flatnonzero(np.isfinite(X))
    X.flat[np.random.default_rng(1).permutation(measured)[: round(share * measured.size)]] = value
    return X


# -- what is found ------------------------------------------------------------------------------

CAP = np.nanquantile(auc(), 0.9)
FLOOR = np.nanquantile(auc(), 0.2)
FOUND = {
    "a cap": (capped(auc(), 0.1), [CAP], [0.1]),
    "a floor": (np.maximum(auc(), FLOOR), [FLOOR], [0.2]),
    "a value in the middle": (put(auc(), 0.7, 0.03), [0.7], [0.03]),
    "cap and floor, the larger first": (np.clip(auc(), FLOOR, CAP), [FLOOR, CAP], [0.2, 0.1]),
    "a spike among rounded values": (put(np.round(auc(), 2), 5.0, 0.3), [5.0], [0.3]),
}


@pytest.mark.parametrize(("X", "values", "shares"), FOUND.values(), ids=FOUND)
def test_a_value_that_the_screen_shares_is_found_with_its_share(X, values, shares):
    """Wherever it lies, the most frequent first."""
    found = pile_ups(X)
    np.testing.assert_array_equal(found.values, values)
    # A quantile of m values is met to one of them.
    np.testing.assert_allclose(found.shares, shares, rtol=0, atol=2 / np.isfinite(X).sum())
    assert found.share == pytest.approx(sum(found.shares), abs=1e-12)
    assert found.n_drugs == 0
    np.testing.assert_array_equal(found.piled, np.isin(X, values))


def test_a_drugs_own_largest_dose_is_found():
    """IC50 are cut at the largest dose tried, which differs between drugs: no value of the screen,
    and yet the end of each drug's range."""
    X, top = auc(), np.nanquantile(auc(), 0.7, axis=1, keepdims=True)
    X[:10] = np.minimum(X, top)[:10]
    found = pile_ups(X)
    assert (found.values.size, found.n_drugs) == (0, 10)
    np.testing.assert_array_equal(found.piled[:10], X[:10] == top[:10])
    assert not found.piled[10:].any()
    np.testing.assert_array_equal(found.high[:10], top[:10])
    assert np.isposinf(found.high[10:]).all()
    assert np.isneginf(found.low).all()


ROUNDING = {
    "of float64, two ways to compute one dose": lambda cap, rng: np.nextafter(
        cap, cap + rng.integers(0, 2, cap.size)
    ),
    "of float32": lambda cap, rng: cap * (1 + 6e-8 * rng.integers(-1, 2, cap.size)),
}


@pytest.mark.parametrize("rounded", ROUNDING.values(), ids=ROUNDING)
@pytest.mark.parametrize("own", [False, True], ids=["the screen's", "each drug's"])
def test_values_alike_but_for_rounding_are_one(rounded, own):
    X = auc()
    cap = np.nanquantile(X, 0.6, axis=1 if own else None, keepdims=True)
    at = np.greater_equal(X, cap)
    X[at] = rounded(np.broadcast_to(cap, X.shape)[at], np.random.default_rng(2))
    found = pile_ups(X)
    np.testing.assert_array_equal(found.piled, at)
    if own:
        np.testing.assert_allclose(found.high, cap, rtol=1e-6)
    else:
        assert found.values == pytest.approx([cap.item()], rel=1e-6)


def test_in_a_small_screen_a_few_at_the_end_of_most_drugs_are_found():
    """Five of 14 lines with one value are no news of one drug; of half of the drugs they are."""
    X = auc()[:, :14]
    cap = np.nanquantile(X, 0.6, axis=1, keepdims=True)
    cut = np.minimum(X, cap)
    reached = cut == cap
    assert reached.sum(1).max() < 10
    np.testing.assert_array_equal(pile_ups(cut).piled, reached)
    X[:6] = cut[:6]
    assert not pile_ups(X).piled.any()


def test_a_cap_ends_the_range_of_the_drugs_that_reach_it_and_of_no_others():
    """A drug all of whose lines respond may have any noise above its values."""
    X = capped(auc(), 0.3)
    found = pile_ups(X)
    reached = (np.isclose(X, found.values[0], rtol=0, atol=0)).sum(1) / np.isfinite(X).sum(1)
    ends = np.where(reached >= 0.05, found.values[0], np.inf)
    assert 0 < np.isinf(ends).sum() < N
    np.testing.assert_array_equal(found.high[:, 0], ends)
    assert np.isneginf(found.low).all()


NOT_FOUND = {
    "plain numbers": auc(),
    "nine entries of a small screen": put(auc()[:12, :15], 0.7, 0.056),
    "under a hundredth of a large one": put(auc(), 0.7, 0.008),
}


@pytest.mark.parametrize("X", NOT_FOUND.values(), ids=NOT_FOUND)
def test_a_few_alike_are_no_pile_up(X):
    found = pile_ups(X)
    assert found.values.tolist() == []
    assert (found.share, found.n_drugs) == (0.0, 0)
    assert not found.piled.any()
    assert np.isinf(found.high).all()
    assert np.isinf(found.low).all()


ROUNDED = {
    "two decimals": np.round(auc(), 2),
    "one decimal": np.round(auc(), 1),
    "whole numbers from 0 to 10": np.round(np.clip(10 * auc(), 0, 10)),
}


@pytest.mark.parametrize("X", ROUNDED.values(), ids=ROUNDED)
def test_values_with_few_digits_are_no_pile_up(X):
    """Each of them is frequent, and none more than the next. Drugs that vary by less than a step
    have one value before all others, which is theirs alone and no news."""
    assert np.unique(X[np.isfinite(X)], return_counts=True)[1].max() > 0.02 * X.size
    found = pile_ups(X)
    assert found.values.tolist() == []
    assert found.n_drugs <= 3
    assert found.share < 0.6 * WARN


# -- what is told -------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "told"), [(0.03, False), (0.045, False), (0.055, True)])
def test_a_warning_comes_from_one_in_twenty(share, told):
    """A filler or a cap that nobody knows of; a few entries at a round value are no news."""
    X = put(auc(), 0.7, share)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = RTDMF(**QUICK).fit(X)
    said = [str(one.message) for one in caught if "pile up" in str(one.message)]
    assert len(said) == told
    if told:
        assert "5.5% of the measurements pile up at shared values: 0.7 (5.5%)" in said[0]
        assert "set them to NaN" in said[0]
        assert caught[0].filename == __file__  # the user's line
    assert model.pile_ups_["values"].tolist() == [0.7]
    assert model.pile_ups_["share"] == pytest.approx(share, abs=1e-4)


def test_the_message_names_the_values_and_the_drugs_with_their_own():
    X = np.clip(auc(), FLOOR, CAP)
    X[0, :60] = np.where(np.isfinite(X[0, :60]), 0.66, np.nan)
    found = pile_ups(X)
    assert found.n_drugs == 1
    said = found.message()
    for part in (f"{FLOOR:.6g} (", f"{CAP:.6g} (", "and 1 drug(s) with a value of their own"):
        assert part in said


@quiet
def test_pile_ups_survive_a_file_and_stand_in_the_summary(tmp_path):
    adata = anndata.AnnData(np.clip(auc(), FLOOR, CAP))
    rt.pp.correct(adata, group_key=None, progress=False, **QUICK)
    adata.write_h5ad(tmp_path / "screen.h5ad")
    back = anndata.read_h5ad(tmp_path / "screen.h5ad")
    found = back.uns["rtdmf"]["pile_ups"]
    np.testing.assert_array_equal(found["values"], [FLOOR, CAP])
    np.testing.assert_allclose(found["shares"], [0.2, 0.1], rtol=0, atol=1e-3)
    assert found["share"] == pytest.approx(0.3, abs=1e-3)
    assert found["n_drugs"] == 0
    line = f"pile-ups 30.0% of the measured entries at shared values: {FLOOR:.4g} (20.0%), "
    assert line + f"{CAP:.4g} (10.0%); not used for the noise" in summary(back)


def test_the_summary_says_nothing_of_pile_ups_where_there_are_none(tmp_path):
    adata = anndata.AnnData(auc())
    rt.pp.correct(adata, group_key=None, progress=False, **QUICK)
    adata.write_h5ad(tmp_path / "screen.h5ad")
    back = anndata.read_h5ad(tmp_path / "screen.h5ad")
    assert back.uns["rtdmf"]["pile_ups"]["values"].size == 0
    assert "pile-ups" not in summary(back)


# -- what it is for -----------------------------------------------------------------------------


@quiet
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_cap_makes_no_deviations_and_hides_no_noise(seed):
    """Measurements at a cap look free of noise. Taken at their word they halve the noise and make
    deviations of a good share of the rest."""
    free, *cut = (
        RTDMF(impute="low-rank").fit(capped(auc(seed), share) if share else auc(seed))
        for share in (0, 0.3, 0.5)
    )

    def flagged(model):
        return (model.flag_ >= 2).sum() / (model.flag_ > 0).sum()

    assert 0.015 < flagged(free) < 0.03  # of 2 % that deviate
    for model in cut:
        assert 1 / 1.7 < flagged(model) / flagged(free) < 1.7
        assert 1 / 1.3 < model.unexplained_sd_ / free.unexplained_sd_ < 1.3


def ln_ic50():
    """Like ln IC50: rank 2, heavy-tailed noise, 3 % of strong responses."""
    rng = np.random.default_rng(0)
    X = rng.normal(3, 1.5, (N, 1)) + 0.8 * rng.normal(size=(N, 2)) @ rng.normal(size=(2, P))
    X += 0.5 * rng.standard_t(4, size=X.shape)
    X -= 2.5 * (rng.random(X.shape) < 0.03)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


@quiet
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_what_a_largest_dose_of_each_drug_leaves_does_not_pass_for_deviations(share):
    """It lies below the fit: taken at its word, up to a quarter deviates downwards."""
    X = ln_ic50()
    cut = np.minimum(X, np.nanquantile(X, 1 - share, axis=1, keepdims=True))
    one, other = (RTDMF(impute="low-rank").fit(Y) for Y in (X, cut))
    assert 1 / 1.5 < (other.flag_ >= 2).sum() / (one.flag_ >= 2).sum() < 1.5
    assert 1 / 1.3 < other.unexplained_sd_ / one.unexplained_sd_ < 1.3


@quiet
def test_a_floor_is_a_cap_upside_down():
    """Viability has the one, inhibition the other."""
    X = capped(auc(), 0.3)
    one, other = (RTDMF(impute="low-rank", dtype="float64").fit(Y) for Y in (X, 1 - X))
    np.testing.assert_array_equal(other.flag_, one.flag_)
    for name, sign, offset in (("corrected_", -1, 1), ("low_rank_", -1, 1), ("residual_", -1, 0)):
        expected = offset + sign * getattr(one, name)
        # EM stops at a relative change of 1e-6; a rounding can move it by one step.
        np.testing.assert_allclose(getattr(other, name), expected, rtol=0, atol=1e-5)
    assert other.unexplained_sd_ == pytest.approx(one.unexplained_sd_, rel=1e-5)
    assert other.pile_ups_["share"] == one.pile_ups_["share"]


@quiet
@pytest.mark.parametrize("loss", ["squared", "clip", "hard", "mixture"])
def test_where_everything_piles_up_everything_is_looked_at(loss):
    """Drugs of a constant each, but for a few entries: what is left to tell of noise is none."""
    X = np.repeat(np.arange(12.0)[:, None], 20, axis=1)
    X[3, 4] = 40.0
    model = RTDMF(loss=loss).fit(X)
    assert model.pile_ups_["share"] > 0.99
    assert np.isfinite(model.corrected_).all()
    assert np.isfinite(model.threshold_)
    assert model.flag_[3, 4] >= 2
