"""How often drugs and lines are high, and the tail of a group's count, against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import hypergeom

from rtdmf_bio.model.rates import furthest, group_tails, line_effects, rates


def screen(seed, n=30, p=40, missing=0.2):
    """Noise of a size for each drug and each line; what of it is high, and what was seen."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, 0.3, (n, 1)) + rng.normal(0, 0.4, p))
    residual = size * rng.normal(size=(n, p))
    seen = rng.random((n, p)) >= missing
    return residual, seen & (residual > 1.5), seen


def test_the_furthest_are_a_twentieth_of_each_drug_on_the_side_tested():
    residual, _, seen = screen(0, p=100)
    far = furthest(np.where(seen, residual, np.nan), seen)
    np.testing.assert_array_equal(far.sum(1), np.ceil(0.05 * seen.sum(1)))
    assert not far[~seen].any()
    least = np.where(far, residual, np.inf).min(1, keepdims=True)
    assert (residual[seen & ~far] < np.broadcast_to(least, far.shape)[seen & ~far]).all()
    assert not furthest(-np.abs(residual), seen).any()  # all on the other side


def test_line_effects_are_the_most_likely_ones():
    """Of P = exp(-exp(drug + line)), line ~ N(0, 1), by an optimizer that knows no shortcut."""
    _, high, seen = screen(0)
    some = high.any(1)
    h, s = high[some], seen[some]
    n, p = h.shape

    def loss(x):
        z = np.exp(x[:n, None] + x[n:])
        likely = np.where(h, -z, np.log(-np.expm1(-z)))[s].sum()
        slope = np.where(s, z / -np.expm1(-z) * (np.exp(-z) - h), 0.0)
        gradient = np.concatenate([slope.sum(1), slope.sum(0) - x[n:]])
        return 0.5 * (x[n:] ** 2).sum() - likely, -gradient

    best = minimize(loss, np.full(n + p, 0.1), jac=True, method="BFGS", options={"maxiter": 2000})
    np.testing.assert_allclose(line_effects(high, seen)[0], best.x[n:], atol=0.01)
    assert line_effects(high, seen).mean() == pytest.approx(0, abs=1e-12)


def test_the_rates_of_a_drug_add_up_to_its_total_and_unseen_entries_have_none():
    residual, high, seen = screen(1)
    high[0], high[1] = False, seen[1]
    rate = rates(residual, high, seen)
    np.testing.assert_allclose(rate.sum(1), high.sum(1), rtol=1e-8)
    assert (rate[~seen] == 0).all()
    assert (rate[0] == 0).all()
    assert (rate[1] == seen[1]).all()
    rest = seen & high.any(1, keepdims=True) & (np.arange(30) > 1)[:, None]
    assert ((rate[rest] > 0) & (rate[rest] < 1)).all()


def test_lines_that_are_never_or_always_far_out_have_rates_all_the_same():
    """Nor does a drug that is high but once, or not high but once, stop the fit."""
    residual, high, seen = screen(2, missing=0.0)
    residual[:, 0], residual[:, 1] = -5, 5
    high[:, 0], high[:, 1] = False, True
    high[0] = np.arange(40) == 1
    high[1] = np.arange(40) != 0
    rate = rates(residual, high, seen)
    assert np.isfinite(rate).all()
    assert (rate[2:, 0] < rate[2:, 2:].mean(1)).all()
    assert (rate[2:, 1] > rate[2:, 2:].mean(1)).all()
    np.testing.assert_allclose(rate.sum(1), high.sum(1), rtol=1e-8)


def test_a_noisy_line_stands_out_with_quiet_drugs_the_more():
    """Twice the size takes exp(-4) to exp(-2), and exp(-1.6) to exp(-0.8)."""
    rng = np.random.default_rng(3)
    drugs, lines = np.arange(200) < 100, np.arange(200) < 40
    size = np.where(drugs, 1 / 4, 1 / 1.6)[:, None] * np.where(lines, 2, 1)
    residual = size * rng.exponential(size=(200, 200))
    high = residual > 1
    rate = rates(residual, high, np.ones_like(high))
    for part in (np.ix_(d, l) for d in (drugs, ~drugs) for l in (lines, ~lines)):
        assert rate[part].mean() == pytest.approx(np.exp(-1 / size[part]).mean(), rel=0.25)
    odds = rate / (1 - rate)
    ratio = odds[:, lines].mean(1) / odds[:, ~lines].mean(1)
    assert np.nanmean(ratio[drugs]) > 2 * np.nanmean(ratio[~drugs])


def test_what_a_few_drugs_do_to_a_tissue_does_not_make_its_lines_noisy():
    """Three of 60 drugs, where hardly anything else is high: its rates stay below a half."""
    rng = np.random.default_rng(8)
    residual = rng.normal(size=(60, 100))
    residual[:3, :20] += 6
    high = residual > 4
    rate = rates(residual, high, np.ones_like(high))
    assert high[:3, :20].mean() > 0.95
    assert (rate[:3, :20].sum(1) < 0.5 * high[:3].sum(1)).all()


def test_order_does_not_matter():
    residual, high, seen = screen(4)
    rng = np.random.default_rng(0)
    place = np.ix_(rng.permutation(30), rng.permutation(40))
    np.testing.assert_allclose(
        rates(residual[place], high[place], seen[place]),
        rates(residual, high, seen)[place],
        rtol=1e-6,
    )


def brute_force(rate, high, lines):
    """Sum over every way to be high as often."""
    seen = np.flatnonzero(rate)
    odds = rate / (1 - rate)
    chance = {True: 0.0, False: 0.0}
    for chosen in itertools.combinations(seen, int(high.sum())):
        as_many = np.isin(chosen, lines).sum() >= high[lines].sum()
        chance[bool(as_many)] += np.prod(odds[list(chosen)])
    return chance[True] / (chance[True] + chance[False])


def test_the_tail_is_that_of_every_way_to_be_high_as_often():
    rng = np.random.default_rng(5)
    seen = rng.random((9, 11)) > 0.15
    rate = np.where(seen, rng.uniform(0.02, 0.9, (9, 11)), 0.0)
    high = seen & (rng.random((9, 11)) < 0.4)
    high[0] = seen[0] & (np.arange(11) < 5)
    groups = [np.array([0, 4, 7]), np.array([1]), np.array([2, 3, 5, 6, 8, 9, 10])]
    out = group_tails(rate, high, groups)
    for i in range(9):
        for g, lines in enumerate(groups):
            assert out[i, g] == pytest.approx(brute_force(rate[i], high[i], lines), rel=1e-12)


def test_with_all_lines_alike_the_tail_is_hypergeometric_however_far_out():
    """To the last digits of a relative error, at 1e-60, too; many drugs are taken in turns."""
    rng = np.random.default_rng(6)
    groups = np.split(np.arange(300), [60, 61, 200])
    total = rng.integers(1, 150, 300)
    high = np.zeros((300, 300), bool)
    for row, k in zip(high, total, strict=True):
        row[rng.permutation(300)[:k]] = True
    high[0] = np.arange(300) < 60
    rate = np.repeat(high.mean(1, keepdims=True), 300, axis=1)
    out = group_tails(rate, high, groups)
    inside = np.stack([high[:, g].sum(1) for g in groups], 1)
    sizes = np.array([len(g) for g in groups])
    exact = hypergeom.sf(inside - 1, 300, high.sum(1)[:, None], sizes)
    assert out[0, 0] < 1e-60
    np.testing.assert_allclose(out, exact, rtol=1e-8)
    assert (out[inside == 0] == 1).all()


def test_the_level_of_a_drug_makes_no_difference():
    """Only how much likelier one line is than another."""
    rng = np.random.default_rng(7)
    rate, high = rng.uniform(0.05, 0.5, (5, 60)), rng.random((5, 60)) < 0.3
    odds = 0.3 * rate / (1 - rate)
    groups = np.split(np.arange(60), [20, 30])
    np.testing.assert_allclose(
        group_tails(odds / (1 + odds), high, groups), group_tails(rate, high, groups), rtol=1e-10
    )
