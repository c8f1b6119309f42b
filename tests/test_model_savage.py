"""The rank test: its scores, its tail, and what is made of noisy lines."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rtdmf_bio.model.savage import rank_tails, scores, unnoisy


def seen(x):
    return np.ones(x.shape, dtype=bool)


def test_scores_are_the_means_of_ordered_exponentials_less_one():
    x = np.random.default_rng(0).normal(size=(2, 5))
    steps = np.cumsum(1 / np.arange(5, 0, -1)) - 1
    np.testing.assert_allclose(scores(x, seen(x)), steps[np.argsort(np.argsort(x))], rtol=1e-12)


def test_ties_share_their_mean_score_and_what_was_not_seen_has_none():
    x = np.array([[3.0, 1.0, np.nan, 1.0, 2.0], [4.0, 4.0, 4.0, 4.0, np.nan]])
    out = scores(np.nan_to_num(x), np.isfinite(x))
    steps = np.cumsum(1 / np.arange(4, 0, -1)) - 1
    np.testing.assert_allclose(out[0, [1, 3, 4, 0]], [*[steps[:2].mean()] * 2, *steps[2:]])
    assert out[0, 2] == 0
    assert (out[1] == 0).all()
    np.testing.assert_allclose(out.sum(1), 0, atol=1e-12)


def test_where_all_is_alike_nothing_is_further_out():
    x = np.zeros((2, 6))
    x[1] = 0.5
    member = np.eye(6)[:, :2]
    assert (rank_tails(x, seen(x), member) == 1).all()
    assert (rank_tails(x, np.zeros_like(seen(x)), member) == 1).all()


@pytest.mark.parametrize("m", [3, 6, 9])
def test_the_tail_is_close_to_that_of_all_choices_of_lines(m):
    """12 lines: all 220 or 924 groups of that size. Over half of them the skewness turns."""
    x = np.arange(12.0)[None]
    choices = np.array(list(itertools.combinations(range(12), m)))
    member = np.zeros((12, len(choices)))
    member[choices.T, np.arange(len(choices))] = 1
    approximate = rank_tails(x, seen(x), member)[0]
    total = (scores(unnoisy(x, seen(x)), seen(x)) @ member)[0]
    exact = (total[:, None] <= total + 1e-12).mean(1)
    np.testing.assert_allclose(approximate, exact, atol=0.05)
    far = exact < 0.01
    assert (exact[far] <= 1.5 * approximate[far] + 2 / len(choices)).all()


@pytest.mark.slow
@pytest.mark.parametrize("m", [3, 10, 50])
def test_far_in_the_tail_p_is_that_of_random_groups_where_a_normal_one_is_far_off(m):
    """What share of 200,000 random groups of 400 lines has p below: that very p, or fewer."""
    rng = np.random.default_rng(m)
    x = np.sort(rng.normal(size=(1, 400)))
    p = []
    for _ in range(40):
        member = np.zeros((400, 5000))
        lines = np.argpartition(rng.random((5000, 400)), m, axis=1)[:, :m]
        member[lines.T, np.arange(5000)] = 1
        p.append(rank_tails(x, seen(x), member)[0])
    p = np.concatenate(p)
    for a in (0.5, 0.05, 0.01, 1e-3, 1e-4):
        share = (p <= a).mean()
        chance = 4 * np.sqrt(a / len(p))
        assert share <= 1.05 * a + chance
        assert share >= 0.6 * a - chance


def test_lines_are_measured_by_their_own_size_on_that_side():
    """Of 400 drugs of any size each, half the lines noisy, a third tender on one side alone."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 90)) * np.exp(rng.normal(size=(400, 1)))
    x[:, :45] *= 2.5
    x[:, 60:] = np.where(x[:, 60:] > 0, 2 * x[:, 60:], x[:, 60:])
    x[rng.random(x.shape) < 0.2] = np.nan
    for side in (1, -1):
        out = unnoisy(side * x, np.isfinite(x))
        assert (out[np.isnan(x)] == 0).all()
        size = [np.maximum(out[:, lines], 0).mean() for lines in np.split(np.arange(90), [45, 60])]
        assert max(size) / min(size) < 1.1
