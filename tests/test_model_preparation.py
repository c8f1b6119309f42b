"""What is taken out before the chain: general part and scale of each drug."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from rtdmf_bio.model.noise import DrugNoise
from rtdmf_bio.model.preparation import Effects, drug_scale, noise_scale, two_way

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


# -- the general part, shrunk -------------------------------------------------------------------


def shrunk_mean(data, weights, other, noise):
    """Weighted means of the rows of data less ``other``, drawn to their common mean: each is the
    truth and an error of variance noise / weight, and the truth's variance is what is left of
    theirs. Row by row."""
    raw = [np.average(row - other, weights=w) for row, w in zip(data, weights, strict=True)]
    size = [w.sum() for w in weights]
    middle = np.average(raw, weights=size)
    error = noise / np.array(size)
    true = max(np.average((raw - middle) ** 2 - error, weights=size), 0.0)
    return middle, true / (true + error) * (raw - middle)


def shrunk(D, weights, noise, sweeps, line=None):
    """Drug effects and line effects of mean near zero, by turns."""
    line = np.zeros(D.shape[1]) if line is None else line
    for _ in range(sweeps):
        drug = np.add(*shrunk_mean(D, weights, line, noise))
        shift, line = shrunk_mean(D.T, weights.T, drug, noise)
        drug = drug + shift
    return drug, line


@pytest.mark.parametrize("noise", [0.3, 3.0, 30.0])
def test_update_shrinks_the_effects_by_their_reliability(noise):
    """A drug tried on few lines, or where the robust loss believes few, is sooner average."""
    D, mask = data()
    weights = mask * np.random.default_rng(1).random((N, P))
    general = Effects(tensor(np.zeros((N, 1))), tensor(np.zeros((1, P))))
    general.update(tensor(D), tensor(weights), noise, sweeps=7)
    drug, line = shrunk(D, weights, noise, 7)
    np.testing.assert_allclose(general.drug.ravel(), drug, rtol=0, atol=1e-12)
    np.testing.assert_allclose(general.line.ravel(), line, rtol=0, atol=1e-12)
    raw = two_way(tensor(D * mask), tensor(weights))
    ratio = float(general.line.std() / raw.line.std())
    assert ratio < {0.3: 1.0, 3.0: 0.99, 30.0: 0.8}[noise]


def test_two_way_takes_the_noise_from_what_it_leaves():
    """Least squares first; what that leaves is noise enough to judge the effects by."""
    D, mask = data(0.15)
    ours = two_way(tensor(D * mask), tensor(mask), shrink=True)
    plain = two_way(tensor(D * mask), tensor(mask))
    left = (D - plain.matrix().numpy())[mask > 0]
    drug, line = shrunk(D * mask, mask, np.mean(left**2), 20, plain.line.numpy().ravel())
    np.testing.assert_allclose(ours.drug.ravel(), drug, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.line.ravel(), line, rtol=0, atol=1e-10)


def test_in_pure_noise_the_effects_vanish():
    """Means of noise differ by chance; taking them for effects adds their error to every entry."""
    plain, ours = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise, mask = rng.normal(size=(60, 80)), (rng.random((60, 80)) < 0.8).astype(float)
        for shrink, to in ((False, plain), (True, ours)):
            general = two_way(tensor(noise * mask), tensor(mask), shrink=shrink).matrix()
            to.append(float(general.square().mean()))
    # (1 / 48 + 1 / 64), the variance of such means, against a tenth of it at the most.
    assert np.mean(plain) == pytest.approx(1 / 48 + 1 / 64, rel=0.1)
    assert np.mean(ours) < 0.1 * np.mean(plain)


def test_strong_effects_are_those_of_least_squares():
    """Where chance explains next to nothing of their spread, it takes next to nothing off."""
    rng = np.random.default_rng(7)
    D = 5 * rng.normal(size=(60, 1)) + 5 * rng.normal(size=80) + rng.normal(size=(60, 80))
    mask = (rng.random(D.shape) < 0.8).astype(float)
    ours = two_way(tensor(D * mask), tensor(mask), shrink=True)
    plain = two_way(tensor(D * mask), tensor(mask))
    for name in ("drug", "line"):
        one, other = getattr(ours, name), getattr(plain, name)
        assert float((one - other).std() / other.std()) < 0.01
        assert float(one.std()) < float(other.std())


def test_shrunk_effects_are_nearer_the_truth():
    """What it is for: weak effects, few entries each."""
    plain = ours = 0.0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        truth = 0.2 * rng.normal(size=(60, 1)) + 0.2 * rng.normal(size=40)
        D, mask = truth + rng.normal(size=(60, 40)), (rng.random((60, 40)) < 0.6).astype(float)
        for shrink in (False, True):
            fitted = two_way(tensor(D * mask), tensor(mask), shrink=shrink).matrix().numpy()
            error = np.mean((fitted - truth) ** 2)
            ours, plain = (ours + error, plain) if shrink else (ours, plain + error)
    assert ours < 0.8 * plain


def test_shrunk_effects_know_no_order_no_unit_and_no_zero():
    """Drugs and lines shuffled, another unit, another origin: the same effects, moved along."""
    D, mask = data()
    rng = np.random.default_rng(2)
    rows, cols = rng.permutation(N), rng.permutation(P)
    place = np.ix_(rows, cols)

    def effects(D, mask):
        general = two_way(tensor(D * mask), tensor(mask), shrink=True)
        return general.drug.numpy(), general.line.numpy()

    drug, line = effects(D, mask)
    for (other_drug, other_line), c, origin, r, k in (
        (effects(D[place], mask[place]), 1, 0, rows, cols),
        (effects(-300 * D, mask), -300, 0, slice(None), slice(None)),
        (effects(D + 40, mask), 1, 40, slice(None), slice(None)),
    ):
        atol = 1e-12 * abs(c) + 1e-11 * (origin > 0)
        np.testing.assert_allclose(other_drug, c * drug[r] + origin, rtol=0, atol=atol)
        np.testing.assert_allclose(other_line, c * line[:, k], rtol=0, atol=atol)


@pytest.mark.parametrize(
    "D",
    [
        pytest.param(np.zeros((4, 5)), id="nothing"),
        pytest.param(np.full((4, 5), 7.0), id="constant"),
        pytest.param(np.arange(4.0)[:, None] + np.zeros(5), id="drugs alone"),
        pytest.param(np.zeros((4, 1)) + np.arange(5.0), id="lines alone"),
        pytest.param(np.arange(4.0)[:, None] + np.arange(5.0), id="both"),
    ],
)
def test_without_noise_nothing_is_shrunk(D):
    """No spread and no noise is nothing divided by nothing, and means no effect."""
    ours = two_way(tensor(D), tensor(np.ones(D.shape)), shrink=True)
    np.testing.assert_allclose(ours.matrix(), D, rtol=0, atol=1e-12)


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


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_noise_scale_is_the_spread_of_the_noise_to_a_power(power):
    """Weighted standard deviations, less what chance explains, of geometric mean one."""
    _, R = spread_out()
    noise = np.random.default_rng(8).random(R.shape)
    R = np.where(noise < 0.3, 100.0, R)  # deviations, and known as such
    noise = np.where(noise < 0.3, 0.0, noise)
    ours = noise_scale(tensor(R), tensor(noise), power).numpy().ravel()
    spread = [np.sqrt(np.average(r**2, weights=w)) for r, w in zip(R, noise, strict=True)]
    relative = np.log(spread / np.sort(spread)[19])  # torch's median is the lower of the two
    # A logarithm of a standard deviation of n values has variance 1 / (2 n).
    n = noise.sum(1)
    true = (n @ relative**2 - 0.5 * len(n)) / n.sum()
    expected = power * relative * true / (true + 0.5 / n)
    np.testing.assert_allclose(np.log(ours), expected - expected.mean(), rtol=0, atol=1e-9)
    assert np.exp(np.log(ours).mean()) == pytest.approx(1, abs=1e-12)
    assert ours[20:].mean() / ours[:20].mean() == pytest.approx(4.0**power, rel=0.05)


def test_drugs_of_one_noise_have_one_noise_scale():
    """What differs by chance alone is not used; a drug without any noise entry gets the middle."""
    R = np.random.default_rng(3).normal(size=(200, 25))
    noise = np.ones(R.shape)
    noise[5] = 0
    ours = np.log(noise_scale(tensor(R), tensor(noise)).numpy()).ravel()
    raw = np.log(R.std(1))
    assert np.isfinite(ours).all()
    assert np.std(np.delete(ours, 5)) < 0.5 * np.std(raw)
    assert bool((noise_scale(tensor(R), tensor(noise), 0.0) == 1).all())


def half_deviates():
    """Noise of 0.05 and 3 % deviations of 0.25; drug 0 works on half of the lines, drug 1 was
    measured badly."""
    rng = np.random.default_rng(0)
    R = 0.05 * rng.normal(size=(40, 300))
    R[1] *= 2.5
    deviates = rng.random(R.shape) < 0.03
    deviates[0] = rng.random(300) < 0.5
    return R + 0.25 * deviates, deviates


def test_noise_scale_tells_a_drug_of_which_half_deviates_from_a_noisy_one():
    """The same spread, by and large, and only the second has more noise."""
    R, deviates = half_deviates()
    by_spread = drug_scale(tensor(R), torch.ones(R.shape).double(), 1.0).numpy().ravel()
    assert by_spread[:2].min() > 1.5 * np.median(by_spread)
    ours = noise_scale(tensor(R), tensor(~deviates)).numpy().ravel()
    assert ours[0] < 1.2 * np.median(ours)
    assert ours[1] == pytest.approx(2.5 * np.median(ours), rel=0.15)


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
    s, m, t, a, pi = (getattr(noise.mixture, k) for k in ("s", "m", "t", "a", "pi"))
    scale = noise.scale.numpy()
    above, below = (norm.pdf(R, side * m * scale, t * scale) for side in (1, -1))
    spike = a * above + (1 - a) * below
    density = (1 - pi) * norm.pdf(R, scale=s * scale) + pi * spike
    expected = -np.log(density)[where.numpy()].mean()
    assert noise.nll(tensor(R), where) == pytest.approx(expected, abs=2.1e-9)  # see softplus
