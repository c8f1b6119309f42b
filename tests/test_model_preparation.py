"""What is taken out before the chain: general part and scale of each drug."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtdmf_bio.model.noise import DrugNoise
from rtdmf_bio.model.preparation import drug_scale, two_way

pytestmark = pytest.mark.usefixtures("one_thread")

N, P = 14, 11


def tensor(array):
    return torch.as_tensor(np.asarray(array, dtype=float))


def data(missing=0.25, seed=0):
    rng = np.random.default_rng(seed)
    D = np.linspace(-2, 2, N)[:, None] + np.linspace(0, 9, P) + rng.normal(size=(N, P))
    return D, (rng.random((N, P)) >= missing).astype(float)


def regression(D, weights):
    """Weighted least squares on indicators of drugs and lines."""
    rows, cols = np.nonzero(weights)
    root = np.sqrt(weights[rows, cols])
    design = np.zeros((len(rows), N + P))
    design[np.arange(len(rows)), rows] = root
    design[np.arange(len(rows)), N + cols] = root
    effect = np.linalg.lstsq(design, root * D[rows, cols], rcond=None)[0]
    return effect[:N, None] + effect[N:]


@pytest.mark.parametrize("missing", [0.0, 0.15, 0.4])
def test_two_way_fit_is_the_regression_on_drugs_and_lines(missing):
    """By alternation, which is exact at once when nothing is missing, and nearly so otherwise."""
    D, mask = data(missing)
    ours = two_way(tensor(D * mask), tensor(mask)).matrix().numpy()
    expected = regression(D, mask)
    # Each sweep shrinks the error by the square of the largest correlation between effects.
    u = mask / np.sqrt(mask.sum(1, keepdims=True) * mask.sum(0))
    contraction = np.linalg.svd(u, compute_uv=False)[1] ** 2
    bound = np.abs(D).max() * (10 * contraction**20 + 64 * np.finfo(float).eps)
    assert np.abs(ours - expected).max() <= bound
    assert bound < 0.1


def test_line_effects_have_mean_zero_over_the_entries():
    """The split between drugs and lines is free; so the drug effects are in the data's units."""
    D, mask = data()
    general = two_way(tensor(D * mask), tensor(mask))
    assert abs(float((general.line * tensor(mask)).sum())) < 1e-12 * np.abs(D * mask).sum()
    assert general.drug.shape == (N, 1)
    assert general.line.shape == (1, P)


def test_update_is_weighted_least_squares():
    """The robust losses weigh every entry, and the general part must feel it as the chain does."""
    D, mask = data()
    weights = mask * np.random.default_rng(1).random((N, P))
    general = two_way(tensor(D * mask), tensor(mask))
    for sweeps in (1, 500):
        general.update(tensor(D), tensor(weights), sweeps=sweeps)
        assert abs(float((general.line * tensor(weights)).sum())) < 1e-12 * np.abs(D).sum()
    np.testing.assert_allclose(general.matrix(), regression(D, weights), rtol=0, atol=1e-9)


def test_values_outside_the_mask_are_not_seen():
    D, mask = data()
    other = np.where(mask > 0, D, 1e6)
    one, two = (two_way(tensor(x), tensor(mask)) for x in (D, other))
    assert torch.equal(one.matrix(), two.matrix())
    scales = [drug_scale(tensor(x), tensor(mask), 1.0) for x in (D * mask, other)]
    assert torch.equal(*scales)


# -- the scale of each drug -------------------------------------------------------------------


def spread_out(n=40, p=400, ratio=4.0, seed=2):
    """Half of the drugs vary ``ratio`` times as much as the others."""
    rng = np.random.default_rng(seed)
    sd = np.where(np.arange(n) < n // 2, 1.0, ratio)
    return sd, sd[:, None] * rng.normal(size=(n, p))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_scale_is_the_spread_to_a_power(power):
    """From alike (0) to each by its own (1): the ratio of spreads is 4^power."""
    _, R = spread_out()
    scale = drug_scale(tensor(R), torch.ones(R.shape).double(), power).numpy().ravel()
    ratio = np.median(scale[20:]) / np.median(scale[:20])
    # The log of a MAD of 400 has standard error sqrt(1.36 / 400) = 0.06; of a median of 20, 0.02.
    assert np.log(ratio) == pytest.approx(power * np.log(4), abs=4 * 0.03)
    if power == 0:
        np.testing.assert_allclose(scale, np.sqrt((R**2).mean()), rtol=1e-12)


def test_drugs_that_differ_by_chance_alone_are_scaled_alike():
    """With 25 lines the spread of a spread is 23 %; using it as it is would add noise."""
    R = np.random.default_rng(3).normal(size=(200, 25))
    scale = drug_scale(tensor(R), torch.ones(R.shape).double(), 1.0).numpy()
    raw = np.median(np.abs(R), axis=1)
    assert np.std(np.log(raw)) > 0.2
    assert np.std(np.log(scale)) < 0.5 * np.std(np.log(raw))


def test_a_few_selective_responses_do_not_change_a_drugs_scale():
    """Else a drug with a strong response in one tissue would have that response shrunk."""
    _, R = spread_out(ratio=1.5)
    other = R.copy()
    other[0, :20] += 50.0
    one, two = (
        drug_scale(tensor(x), torch.ones(R.shape).double(), 1.0).ravel() for x in (R, other)
    )
    relative = (two / two.median()) / (one / one.median())
    # 5 % of outliers move a median by 5 percentiles at most.
    assert 1.0 <= float(relative[0]) < 1.1


@pytest.mark.parametrize("case", ["all zero", "most drugs constant", "one entry a drug"])
def test_scale_is_positive_and_finite_or_zero_for_all(case):
    R, mask = np.zeros((6, 8)), np.ones((6, 8))
    if case == "most drugs constant":
        R[0] = np.arange(8)
    elif case == "one entry a drug":
        mask[:, 1:] = 0
        R[:, 0] = np.arange(6) - 2.5
    scale = drug_scale(tensor(R * mask), tensor(mask), 0.5)
    assert scale.shape == (6, 1)
    assert bool(torch.isfinite(scale).all())
    assert bool((scale == 0).all()) if case == "all zero" else bool((scale > 0).all())


# -- the noise of each drug ---------------------------------------------------------------------


def test_noise_of_each_drug_is_recovered():
    """Quiet drugs beside widely varying ones: one level for all would be wrong for each."""
    sd, R = spread_out(ratio=3.0)
    rng = np.random.default_rng(5)
    R = R + sd[:, None] * 4 * rng.normal(size=R.shape) * (rng.random(R.shape) < 0.05)
    every = torch.ones(R.shape).double()
    noise = DrugNoise.fit(tensor(R), every, every > 0)
    # Of a median of 400, 6 %; four of these for the worst of 40 drugs.
    np.testing.assert_allclose(noise.sd_by_drug.ravel(), sd, rtol=0.25)
    assert noise.sd == pytest.approx(np.sqrt((sd**2).mean()), rel=0.05)


def test_deviations_and_tail_are_in_the_data_s_units():
    """What is even odds, and the share of noise beyond it, drug by drug."""
    sd, R = spread_out()
    every = torch.ones(R.shape).double()
    noise = DrugNoise.fit(tensor(R), every, every > 0)
    threshold = noise.even_odds()
    z = threshold / noise.sd
    assert z == pytest.approx(noise.mixture.even_odds() / noise.mixture.s, rel=1e-12)
    from scipy.stats import norm

    expected = 2 * norm.sf(threshold, scale=noise.sd_by_drug.numpy()).mean()
    assert noise.tail(threshold) == pytest.approx(expected, rel=1e-9)
    beyond = (np.abs(R) >= 2.0).mean()
    assert noise.tail(2.0) == pytest.approx(beyond, rel=0.1)
    assert len(sd) == noise.sd_by_drug.numel()


def test_noise_is_estimated_where_asked():
    """Fitted entries have residuals that are too small; those held out decide."""
    rng = np.random.default_rng(6)
    where = rng.random((30, 200)) < 0.2
    R = np.where(where, 2.0, 1.0) * rng.normal(size=where.shape)
    noise = DrugNoise.fit(tensor(R), torch.ones(R.shape).double(), torch.as_tensor(where))
    assert noise.sd == pytest.approx(2.0, rel=4 / np.sqrt(2 * where.sum()))


def test_negative_log_density_counts_the_drugs_scales():
    """A density of the residual itself: comparable between fits with different scales."""
    _, R = spread_out()
    where = torch.as_tensor(np.random.default_rng(0).random(R.shape) < 0.3)
    noise = DrugNoise.fit(tensor(R), torch.ones(R.shape).double(), where)
    from scipy.stats import norm

    s, t, pi = (getattr(noise.mixture, k) for k in ("s", "t", "pi"))
    scale = noise.scale.numpy()
    density = (1 - pi) * norm.pdf(R, scale=s * scale) + pi * norm.pdf(R, scale=t * scale)
    expected = -np.log(density)[where.numpy()].mean()
    assert noise.nll(tensor(R), where) == pytest.approx(expected, rel=1e-9)
