"""Measurements that are bounds, and drugs and lines of which nothing is learned."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from rtdmf_bio import RTDMF, Flag
from rtdmf_bio.model.intervals import Few
from rtdmf_bio.model.pileups import pile_ups

pytestmark = pytest.mark.usefixtures("one_thread")

N, P = 60, 100
SHRINK = {"retain": "shrink"}


def made(seed=0):
    """ln IC50-like: the truth, of rank 2, and what is measured of it."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(2, 1.5, (N, 1)) + rng.normal(size=(N, 2)) @ rng.normal(size=(2, P))
    return truth, truth + 0.5 * rng.normal(size=truth.shape)


def cut(X, share=0.3, seed=1):
    """Largest doses that differ between entries, and marks of what lies beyond."""
    rng = np.random.default_rng(seed)
    top = np.quantile(X, 1 - share, axis=1, keepdims=True) + 0.2 * rng.normal(size=X.shape)
    return np.minimum(X, top), (top < X).astype(np.int8)


# -- bounds -------------------------------------------------------------------------------------


def test_a_corrected_value_is_on_no_side_that_a_bound_rules_out():
    """What is ">8" is no 7: not by any rule, nor under another weight of the specific part."""
    _, X = made()
    stored, marks = cut(X)
    marks[:20] *= -1  # as if they were bounds from above
    for settings in (SHRINK, {"retain": "none"}, {"retain": "all"}, {"specific_weight": 0.5}):
        model = RTDMF(**settings).fit(stored, censored=marks)
        above, below = marks > 0, marks < 0
        assert (model.corrected_[above] >= stored[above]).all()
        assert (model.corrected_[below] <= stored[below]).all()
        assert model.n_censored_ == (marks != 0).sum()
        plain = RTDMF(**settings).fit(stored)
        assert (plain.corrected_[above] < stored[above]).mean() > 0.1


def test_a_bound_may_be_surpassed_as_far_as_predictions_say():
    truth, X = made()
    stored, marks = cut(X)
    model = RTDMF(**SHRINK).fit(stored, censored=marks)
    beyond = model.corrected_ > stored
    assert beyond[marks > 0].mean() > 0.1
    held = (model.lower_ <= truth) & (truth <= model.upper_)
    # The interval is that of a value that was not measured.
    wide = (model.upper_ - model.lower_)[marks > 0].mean()
    assert wide > 1.5 * (model.upper_ - model.lower_)[marks == 0].mean()
    assert held[marks > 0].mean() > held[marks == 0].mean() - 0.3


@pytest.mark.filterwarnings("ignore:.*pile up")
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("cap", ["of the screen", "of each drug"])
def test_intervals_of_bounds_hold_what_would_have_been_measured(cap, seed):
    """Of values capped at the 70 % quantile; others keep what they have."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(2, 1.5, (100, 1)) + rng.normal(size=(100, 2)) @ rng.normal(size=(2, 150))
    X = truth + 0.5 * rng.normal(size=truth.shape)
    top = (
        np.quantile(X, 0.7, axis=1, keepdims=True) if cap == "of each drug" else np.quantile(X, 0.7)
    )
    for sign in (1, -1):
        Y, marks = sign * np.minimum(X, top), sign * (top < X)
        model = RTDMF().fit(Y, censored=marks)
        held = (model.lower_ <= sign * X) & (sign * X <= model.upper_)
        assert 0.85 <= held[marks != 0].mean() <= 0.97
        bound = model.lower_ if sign > 0 else model.upper_
        np.testing.assert_array_equal(bound[marks != 0], Y[marks != 0])
        assert (model.lower_ <= model.corrected_).all()
        assert (model.corrected_ <= model.upper_).all()
        free = RTDMF().fit(Y)
        near = [
            ((m.lower_ <= sign * truth) & (sign * truth <= m.upper_))[marks == 0].mean()
            for m in (model, free)
        ]
        assert near[0] > near[1] - 0.02


def test_bounds_tell_nothing_of_noise():
    """Values at the largest dose hardly differ from each other, but not for want of noise."""
    _, X = made()
    dose = np.quantile(X, 0.55, axis=1, keepdims=True)
    stored, marks = np.minimum(X, dose), (dose < X).astype(np.int8)
    # Of several doses each, so that they are no pile-ups.
    stored += np.where(marks > 0, np.random.default_rng(2).uniform(0, 0.05, X.shape), 0)
    assert pile_ups(stored).share < 0.2
    free, told, untold = (
        RTDMF(**SHRINK).fit(Y, censored=m) for Y, m in ((X, None), (stored, marks), (stored, None))
    )
    size = [np.median(m.noise_by_drug_) for m in (free, told, untold)]
    assert abs(np.log(size[1] / size[0])) < abs(np.log(size[2] / size[0]))
    spread = [m.unexplained_sd_ for m in (free, told, untold)]
    assert abs(np.log(spread[1] / spread[0])) < abs(np.log(spread[2] / spread[0]))


def test_no_mark_changes_no_bit(screen):
    one, other = (RTDMF().fit(screen, censored=m) for m in (None, np.zeros(screen.shape, int)))
    for name in ("corrected_", "flag_", "upper_", "noise_by_drug_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert other.n_censored_ == 0


def test_marks_go_with_drugs_and_lines_left_out_and_by_name():
    _, X = made()
    X, marks = cut(X)
    marks[3, 5], marks[9] = 1, 1
    X[9], X[:, 4] = np.nan, np.nan
    X[3, 6], marks[3, 6] = np.nan, 1  # a mark without a measurement is none
    model = RTDMF(unmeasured="nan", **SHRINK).fit(X, censored=marks)
    known = np.isfinite(X) & (marks == 1)
    assert model.n_censored_ == known.sum()
    assert (model.corrected_[known] >= X[known]).all()
    names = [f"d{i}" for i in range(N)], [f"l{j}" for j in range(P)]
    table, frame = pd.DataFrame(X, *names), pd.DataFrame(marks, *names)
    shuffled = frame.iloc[::-1, np.random.default_rng(0).permutation(P)]
    again = RTDMF(unmeasured="nan", **SHRINK).fit(table, censored=shuffled)
    np.testing.assert_array_equal(again.corrected_, model.corrected_)


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (np.zeros((N, P - 1), int), f"in an array of shape ({N}, {P})"),
        (np.zeros(N * P, int), "1 where the true value is at or above"),
        (np.full((N, P), ">"), "Got <U1"),
        (np.full((N, P), 2), f"Got np.int64(2) at {N * P} of them"),
        (np.full((N, P), 0.5), "must be 1, 0 or -1 at every measurement"),
    ],
    ids=["shape", "flat", "text", "two", "halves"],
)
def test_marks_must_be_such(marks, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        RTDMF().fit(made()[1], censored=marks)


# -- too few measurements ------------------------------------------------------------------------


def sparse(seed=0):
    """Drugs of very different levels, of some of which one or two lines were measured."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 3, (N, 1)) + rng.normal(size=(N, 2)) @ rng.normal(size=(2, P))
    X = truth + 0.3 * rng.normal(size=truth.shape)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:6] = np.nan
    for i in range(6):
        at = rng.permutation(P)[: 1 + i % 3]
        X[i, at] = truth[i, at] + 0.3 * rng.normal(size=at.size)
    return truth, X


def test_drugs_and_lines_with_too_few_measurements_are_marked():
    """Fewer than five, or than the rank of the chain; what was never measured is another matter."""
    _, X = sparse()
    X[10] = np.nan
    X[20:, 7] = np.nan
    X[:17, 7] = np.nan
    model = RTDMF(unmeasured="nan").fit(X)
    few = max(5, model.factors_[0].shape[1])
    for counts, found in (
        (np.isfinite(X).sum(1), model.too_few_drugs_),
        (np.isfinite(X).sum(0), model.too_few_lines_),
    ):
        assert found.dtype == bool
        np.testing.assert_array_equal(found, (counts > 0) & (counts < few))
    assert model.too_few_drugs_[:6].all()
    assert model.too_few_lines_[7]
    assert not model.too_few_drugs_[10]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_imputed_of_them_has_an_honest_interval(seed):
    """The level of a drug that was measured once is hardly known: as wide as the levels differ."""
    truth, X = sparse(seed)
    model = RTDMF(coverage=0.9).fit(X)
    imputed = model.flag_ == Flag.IMPUTED
    held = (model.lower_ <= truth) & (truth <= model.upper_)
    assert held[:6][imputed[:6]].mean() > 0.8
    half = (model.upper_ - model.lower_) / 2
    trivial = np.nanquantile(np.abs(X - np.nanmean(X, axis=0)), 0.9)
    assert (half[:6][imputed[:6]] >= 0.999 * trivial).all()
    assert np.median(half[6:][imputed[6:]]) < 0.5 * trivial
    # The value itself is what it was, and in the middle.
    np.testing.assert_allclose((model.lower_ + model.upper_) / 2, model.corrected_, atol=1e-9)


def test_others_keep_their_intervals():
    _, X = sparse()
    model = RTDMF().fit(X)
    rest = ~model.too_few_drugs_
    assert not model.too_few_lines_.any()
    few = Few.of(X, 0)
    assert not few.drugs.any()
    basis = model._basis
    basis.judged.few = few
    plain = model.rethreshold(model.threshold_)
    for name in ("lower_", "upper_", "sd_"):
        one, other = getattr(model, name), getattr(plain, name)
        np.testing.assert_array_equal(one[rest], other[rest])
        assert not np.array_equal(one[~rest], other[~rest])


def test_the_width_of_a_wide_network_is_no_rank(screen):
    model = RTDMF("paper", width=60, max_iter=20, threshold=0.2, retain="all", early_stopping=False)
    with pytest.warns(UserWarning, match="max_iter"):
        model.fit(screen)
    assert not model.too_few_drugs_.any()
