"""Losses: what a residual weighs in training."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit, logit, softmax
from scipy.stats import norm

from rtdmf_bio.model.loss import LOSSES, Loss
from rtdmf_bio.model.mixture import Mixture

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = torch.finfo(torch.float64).eps
ETA = 0.8
MIX = Mixture(s=0.5, m=1.0, t=0.8, a=0.7, pi=0.1)


def tensor(array):
    return torch.as_tensor(np.asarray(array, dtype=float))


def parts(mix: Mixture, r) -> list[np.ndarray]:
    """Densities of noise, deviation above and deviation below, each times its share."""
    return [
        (1 - mix.pi) * norm.pdf(r, 0, mix.s),
        mix.pi * mix.a * norm.pdf(r, mix.m, mix.t),
        mix.pi * (1 - mix.a) * norm.pdf(r, -mix.m, mix.t),
    ]


def reference_pull(name: str, r: float) -> tuple[float, float]:
    """The table of the module, one residual at a time: weight, and weight times distance.

    Each part of the mixture draws to its own middle, by its precision in units of the noise's.
    """
    if name == "squared":
        return 1.0, r
    if name == "clip":
        weight = 1.0 if abs(r) <= ETA else ETA / abs(r)
        return weight, weight * r
    if name == "hard":
        weight = 1.0 if abs(r) < ETA else 0.0
        return weight, weight * r
    noise, above, below = (part / sum(parts(MIX, r)) for part in parts(MIX, r))
    q = (MIX.s / MIX.t) ** 2
    force = noise * r + q * (above * (r - MIX.m) + below * (r + MIX.m))
    return noise + q * (above + below), force


def fixed(name: str, mix: Mixture = MIX) -> Loss:
    loss = Loss(name, tensor([[ETA]]), burn_in=0)
    loss.mixture = Mixture(mix.s, mix.m, mix.t, mix.a, mix.pi)
    return loss


def clustered() -> Loss:
    """A mixture loss whose drugs and lines differ in their share of deviations."""
    loss = fixed("mixture")
    loss._by_drug, loss._by_line = (
        tensor([[1.5], [-0.4], [0.0]]),
        tensor([[0.3] * 300 + [-1] * 301]),
    )
    return loss


@pytest.mark.parametrize("name", LOSSES)
def test_pull_is_that_of_the_table(name):
    """Zero, both sides of eta, eta itself, and a residual far beyond anything."""
    r = tensor([[0.0, 0.3, -0.3, ETA, -ETA, 0.81, -0.9, 1.1, -3.0, 15.0]])
    weight, shift = fixed(name).pull(r)
    expected = np.array([reference_pull(name, float(x)) for x in r[0]]).T
    np.testing.assert_allclose(weight[0], expected[0], rtol=64 * EPS, atol=64 * EPS)
    force = (weight * (r - shift))[0]
    np.testing.assert_allclose(force, expected[1], rtol=64 * EPS, atol=64 * EPS)


@pytest.mark.parametrize("name", [*LOSSES, "clustered"])
def test_pull_is_the_slope_of_the_loss(name):
    """Descending on w (r - c) must descend on the loss that is documented."""
    r = torch.linspace(-3, 3, 601, dtype=torch.float64).repeat(3, 1)
    r = torch.where((r.abs() - ETA).abs() > 1e-3, r, 0.1).requires_grad_()
    loss = clustered() if name == "clustered" else fixed(name)
    loss.value(r).sum().backward()
    weight, shift = loss.pull(r.detach())
    np.testing.assert_allclose(r.grad, weight * (r.detach() - shift), rtol=0, atol=64 * EPS)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_zero_at_zero_and_never_above_the_squared_loss(name):
    """Robust losses only ever discount a residual, where neither side is the likelier one."""
    r = torch.linspace(-3, 3, 601, dtype=torch.float64)[None]
    value = fixed(name, Mixture(MIX.s, MIX.m, MIX.t, 0.5, MIX.pi)).value(r)
    middle = r.shape[1] // 2
    assert abs(float(value[0, middle])) <= 4 * EPS
    assert bool((value <= 0.5 * r * r + 4 * EPS).all())
    discounted = bool((value[0, -1] < 0.5 * r[0, -1] ** 2 - 0.1).all())
    assert discounted == (name != "squared")


def test_deviations_to_one_side_lift_the_loss_on_the_other_hardly_at_all():
    """Zero itself is then discounted, and nothing can be lifted by more than that."""
    r = torch.linspace(-3, 3, 601, dtype=torch.float64)[None]
    mix = Mixture(MIX.s, MIX.m, MIX.t, 0.99, MIX.pi)
    noise, *_ = parts(mix, 0.0)
    most = -(mix.s**2) * math.log(noise / sum(parts(mix, 0.0)))
    lifted = fixed("mixture", mix).value(r) - 0.5 * r * r
    assert 0 < float(lifted.max()) <= most * (1 + 64 * EPS) < 0.02
    assert float(lifted[0, -1]) < -0.5


@pytest.mark.parametrize("name", ["hard", "mixture"])
def test_nothing_is_discounted_during_the_burn_in(name):
    """At the start every residual is high; a rule that drops them would never train."""
    r = tensor([[0.1, -0.2, 0.1, 0.15, -0.1, 9.0]])
    loss = Loss(name, tensor([[ETA]]), burn_in=20)
    loss.update(r, torch.ones_like(r), 19)
    assert loss.constant
    assert bool((loss.pull(r)[0] == 1).all())
    assert loss.pull(r)[1] == 0.0
    loss.update(r, torch.ones_like(r), 20)
    assert not loss.constant
    # A lone deviation is one of its own size: drawn fully, to where it is.
    weight, shift = loss.pull(r)
    assert abs(float((weight * (r - shift))[0, -1])) < 0.1


@pytest.mark.parametrize("name", ["clip", "hard"])
def test_automatic_eta_is_two_and_a_half_robust_deviations(name):
    """Re-estimated as the fit goes, and moved by no single outlier."""
    r = tensor(np.random.default_rng(0).normal(0, 0.3, (3, 667)))
    r[0, 0] = 1e6
    loss = Loss(name, None, burn_in=0)
    loss.update(r, torch.ones_like(r), 1)
    deviation = np.median(np.abs(r.numpy())) / norm.ppf(0.75)
    assert float(loss.eta) == pytest.approx(2.5 * deviation, rel=1e-4)  # 1.4826 has 5 digits
    loss.update(2 * r, torch.ones_like(r), 2)
    assert float(loss.eta) == pytest.approx(5 * deviation, rel=1e-4)


@pytest.mark.parametrize("name", ["clip", "hard"])
def test_given_eta_is_kept(name):
    """The user's threshold is per drug in scaled units; the noise estimate runs beside it."""
    eta = tensor([[0.5], [2.0]])
    loss = Loss(name, eta, burn_in=0)
    loss.update(torch.full((2, 25), 0.7, dtype=torch.float64), torch.ones(2, 25), 1)
    assert torch.equal(loss.eta, eta)
    assert loss.noise_sd == pytest.approx(0.7 * 1.4826)
    kept = loss.pull(torch.ones(2, 1, dtype=torch.float64))[0].ravel().tolist()
    assert kept == ([0.5, 1.0] if name == "clip" else [0.0, 1.0])


@pytest.mark.parametrize("name", ["clip", "hard", "mixture"])
def test_entries_that_are_not_trained_on_teach_the_loss_nothing(name):
    """Neither the noise nor anybody's share of deviations: held-out entries are among them."""
    rng = np.random.default_rng(4)
    r, train = tensor(rng.normal(size=(20, 30))), tensor(rng.random((20, 30)) < 0.7)
    states = []
    for filler in (0.0, 9.0):
        loss = Loss(name, None, burn_in=0)
        loss.update(torch.where(train > 0, r, filler), train, 1)
        states.append((loss.noise_sd, loss.mixture, loss.pull(r)))
    (sd, mix, pull), (other_sd, other_mix, other_pull) = states
    assert (sd, mix) == (other_sd, other_mix)
    assert torch.equal(pull[0], other_pull[0])
    assert torch.equal(tensor(pull[1]), tensor(other_pull[1]))


# -- deviations cluster -------------------------------------------------------------------------


def screen_of_deviations(seed=0, n=30, p=200):
    """Noise of 1; half of drug 0 and half of line 0 deviate by 5, of the rest one in fifty."""
    rng = np.random.default_rng(seed)
    share = np.full((n, p), 0.02)
    share[0], share[:, 0] = 0.5, 0.5
    deviates = rng.random((n, p)) < share
    return rng.normal(size=(n, p)) + 5.0 * deviates, deviates


def updated(r, train, n_updates=30) -> Loss:
    loss = Loss("mixture", None, burn_in=0)
    for iteration in range(1, n_updates + 1):
        loss.update(tensor(r), tensor(train), iteration)
    return loss


def test_a_drug_or_line_with_many_deviations_is_sooner_believed_another():
    """The same residual means more where deviations are common."""
    r, _ = screen_of_deviations()
    loss = updated(r, np.ones(r.shape))
    at = torch.full(r.shape, 2.6, dtype=torch.float64)
    spike = loss.spike_probability(at).numpy()
    elsewhere = np.median(spike)
    assert elsewhere < 0.1
    for cluster in (spike[0, 1:], spike[1:, 0]):
        # In truth the odds are 49 times as high; twenty prior entries and the sum of two margins
        # each counting both leave less.
        assert logit(np.median(cluster)) > logit(elsewhere) + np.log(7)
    weight, shift = loss.pull(at)
    force = (weight * (at - shift)).numpy()
    assert force[0, 1:].max() < np.median(force)


def test_the_odds_of_a_drug_and_a_line_are_those_of_their_posteriors():
    """Logit of the share of deviations with twenty entries of the screen's share added, less the
    screen's own: drug plus line, at most to even odds. One entry at a time, by scipy's densities;
    a drug that is not trained on has the screen's odds."""
    r, _ = screen_of_deviations(n=8, p=40)
    train = (np.random.default_rng(1).random(r.shape) < 0.7).astype(float)
    train[3] = 0
    loss = updated(r, train, 3)
    mix = loss.mixture
    noise, above, below = parts(mix, r)
    posterior = (above + below) / (noise + above + below) * train
    by = [
        logit((posterior.sum(k) + 20 * mix.pi) / (train.sum(k) + 20)) - logit(mix.pi)
        for k in (1, 0)
    ]
    expected = np.empty_like(r)
    for i, j in np.ndindex(*r.shape):
        prior = expit(min(logit(mix.pi) + by[0][i] + by[1][j], 0.0))
        spike = prior * (above + below)[i, j] / mix.pi
        expected[i, j] = spike / (spike + (1 - prior) * noise[i, j] / (1 - mix.pi))
    np.testing.assert_allclose(loss.spike_probability(tensor(r)), expected, rtol=1e-9, atol=1e-12)
    assert by[0][3] == pytest.approx(0, abs=1e-12)
    assert max(by[0][0], by[1][0]) > 1  # somebody differs


def test_nobody_is_mostly_deviation():
    """Odds of one at most, whatever clusters: a drug that is high throughout is a high drug."""
    r, _ = screen_of_deviations()
    r[0] = 5.0
    loss = updated(r, np.ones(r.shape))
    even = loss.mixture.a * norm.pdf(r, loss.mixture.m, loss.mixture.t) + (
        1 - loss.mixture.a
    ) * norm.pdf(r, -loss.mixture.m, loss.mixture.t)
    most = even / (even + norm.pdf(r, 0, loss.mixture.s))
    assert (loss.spike_probability(tensor(r)).numpy() <= most + 1e-9).all()


# -- the mixture ----------------------------------------------------------------------------

RESIDUALS = torch.linspace(-9, 9, 181, dtype=torch.float64)
MIXTURES = [
    pytest.param(Mixture(0.5, 0.0, 2.0, 0.5, 0.1), id="heavy tail"),
    pytest.param(Mixture(1.0, 0.0, 1.5, 0.5, 0.5), id="barely apart"),
    pytest.param(Mixture(0.05, 0.0, 0.3, 0.5, 1e-4), id="rare spikes"),
    pytest.param(Mixture(0.05, 0.25, 0.06, 0.97, 0.05), id="one side"),
    pytest.param(Mixture(0.05, 0.25, 0.06, 0.03, 0.05), id="the other side"),
    pytest.param(Mixture(1.0, 3.0, 1.2, 0.7, 0.2), id="both sides"),
    pytest.param(Mixture(1.0, 4.0, 1.0, 0.999, 0.01), id="of one size"),
    pytest.param(Mixture(1.0, 0.8, 1.5, 0.6, 0.3), id="a lopsided tail"),
]
mixtures = pytest.mark.parametrize("mix", MIXTURES)


def reach(mix: Mixture, z=RESIDUALS) -> torch.Tensor:
    """Residuals out to well beyond the deviations, in float64."""
    return z / 9 * (mix.m + 3 * mix.t)


@mixtures
def test_nll_is_that_of_scipy(mix):
    r = reach(mix)
    expected = -np.log(sum(parts(mix, r.numpy())))
    # Beyond log odds of 20 torch's softplus(x) is x, which is off by exp(-20).
    np.testing.assert_allclose(mix.nll(r), expected, rtol=1e3 * EPS, atol=1.01 * math.exp(-20))


@mixtures
def test_spike_probability_is_that_of_scipy(mix):
    r = reach(mix)
    noise, above, below = parts(mix, r.numpy())
    expected = (above + below) / (noise + above + below)
    np.testing.assert_allclose(mix.spike_probability(r), expected, rtol=1e4 * EPS, atol=0)


@mixtures
def test_pull_is_the_slope_of_the_log_density(mix):
    """-s^2 d/dr log density = w (r - c), by central differences on scipy's density."""
    r = reach(mix).numpy()
    h = EPS ** (1 / 3) * mix.s
    ends = [np.log(sum(parts(mix, r + step))) for step in (h, -h)]
    slope = (ends[0] - ends[1]) / (2 * h)
    weight, shift = mix.pull(*mix.odds(tensor(r)))
    ours = (weight * (tensor(r) - shift)).numpy()
    # Rounding of a logarithm of size up to 50, divided by the step.
    np.testing.assert_allclose(ours, -(mix.s**2) * slope, rtol=0, atol=200 * EPS ** (2 / 3) * mix.s)
    assert bool(((weight > 0) & (weight <= 1)).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pull_on_what_is_all_but_certainly_a_deviation_is_towards_the_deviations(dtype):
    """Data without noise make s tiny beside t, and the weight with it; a weight that rounds to
    zero leaves a whole drug without any, and the shift divides by it."""
    mix = Mixture(1e-10, 0.03, 0.07, 0.9, 0.5)
    r = torch.tensor([0.05, 0.5, -0.5], dtype=dtype)
    weight, shift = mix.pull(*mix.odds(r))
    np.testing.assert_allclose(weight, (mix.s / mix.t) ** 2, rtol=1e-5)
    _, above, below = parts(mix, r.double().numpy())
    np.testing.assert_allclose(shift, mix.m * (above - below) / (above + below), rtol=1e-4)


@mixtures
def test_even_odds_is_where_noise_and_spike_are_equally_likely(mix):
    """To whichever side: densities of the size of a residual, by scipy."""

    def difference(size):
        noise = 2 * (1 - mix.pi) * norm.pdf(size, 0, mix.s)
        spike = mix.pi * (norm.pdf(size, mix.m, mix.t) + norm.pdf(-size, mix.m, mix.t))
        return np.log(spike) - np.log(noise)

    expected = brentq(difference, 0, 20 * mix.s, xtol=1e-14 * mix.s)
    assert mix.even_odds() == pytest.approx(expected, rel=1e-9)
    assert difference(0.9 * mix.even_odds()) < 0 < difference(1.1 * mix.even_odds())


# -- its fit --------------------------------------------------------------------------------


def draw(mix: Mixture, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    side = np.where(rng.random(n) < mix.a, 1, -1)
    spike = side * mix.m + mix.t * rng.normal(size=n)
    return np.where(rng.random(n) < mix.pi, spike, mix.s * rng.normal(size=n))


@pytest.mark.parametrize(
    ("s", "t", "pi"),
    [
        pytest.param(0.05, 0.25, 0.1, id="AUC"),
        pytest.param(1.0, 4.0, 0.02, id="few spikes"),
        pytest.param(2e-4, 1e-3, 0.2, id="small unit"),
        pytest.param(30.0, 200.0, 0.3, id="large unit"),
    ],
)
def test_fit_finds_a_heavy_tail(s, t, pi):
    """Within four standard errors of the spikes, the scarcer component. How a tail is shared out
    between m and t is hardly determined; their root mean square is, and so is the density."""
    n = 20_000
    truth = Mixture(s, 0.0, t, 0.5, pi)
    mix = Mixture.fit(tensor(draw(truth, n, 0)))
    spikes = 4 / math.sqrt(2 * pi * n)
    assert mix.s == pytest.approx(s, rel=0.03)
    assert math.hypot(mix.m, mix.t) == pytest.approx(t, rel=1.5 * spikes)
    # Spikes below 2 s look like noise, which costs some precision beyond the binomial error.
    assert mix.pi == pytest.approx(pi, rel=3 * spikes)
    # Five parameters cost 5 / (2 n) on average; ten times that is far in the tail.
    fresh = draw(truth, 200_000, 1)
    lost = np.mean(np.log(sum(parts(truth, fresh))) - np.log(sum(parts(mix, fresh))))
    assert abs(lost) < 25 / n


@pytest.mark.parametrize(
    ("pi", "a"),
    [
        pytest.param(0.05, 1.0, id="above"),
        pytest.param(0.05, 0.0, id="below"),
        pytest.param(0.2, 0.75, id="mostly above"),
        pytest.param(0.01, 1.0, id="few"),
    ],
)
@pytest.mark.parametrize("unit", [1.0, 1e-4, 1e5])
def test_fit_finds_deviations_of_one_size(pi, a, unit):
    """U(0.2, 0.3) and noise of 0.05: the size is 0.25, its spread that of both. Errors are four
    times those of as many deviations told apart for certain, and half as much again since they
    are not."""
    rng = np.random.default_rng(0)
    n = 20_000
    spike = rng.random(n) < pi
    signal = np.where(rng.random(n) < a, 1, -1) * rng.uniform(0.2, 0.3, n)
    mix = Mixture.fit(tensor(unit * (0.05 * rng.normal(size=n) + spike * signal)))
    count = spike.sum()
    t = math.sqrt(0.05**2 + 0.1**2 / 12)
    assert mix.s / unit == pytest.approx(0.05, rel=0.03)
    assert mix.m / unit == pytest.approx(0.25, abs=6 * t / math.sqrt(count))
    assert mix.t / unit == pytest.approx(t, rel=6 / math.sqrt(2 * count))
    assert mix.pi == pytest.approx(pi, rel=6 / math.sqrt(count))
    assert mix.a == pytest.approx(a, abs=6 * math.sqrt(a * (1 - a) / count) + 1 / count)


def em_on_every_value(r: np.ndarray, n_iter: int) -> Mixture:
    """The same steps in the plain way: one responsibility for each value and part."""
    s = np.median(np.abs(r)) / norm.ppf(0.75)
    mix = Mixture(s, 2.7 * s, 1.8 * s, 0.5, 0.1)
    for _ in range(n_iter):
        # In logarithms: far out every density is zero.
        shares = np.log([[1 - mix.pi], [mix.pi * mix.a], [mix.pi * (1 - mix.a)]])
        middles, spreads = [[0], [mix.m], [-mix.m]], [[mix.s], [mix.t], [mix.t]]
        noise, above, below = softmax(shares + norm.logpdf(r, middles, spreads), axis=0)
        spikes = (above + below).sum()
        mix.pi, mix.a = spikes / len(r), (above.sum() + 0.5) / (spikes + 1)
        mix.s = math.sqrt((noise * r**2).sum() / noise.sum())
        mix.m = ((above - below) * r).sum() / spikes
        around = above * (r - mix.m) ** 2 + below * (r + mix.m) ** 2
        mix.t = max(math.sqrt(around.sum() / spikes), mix.s)
    return mix


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param(Mixture(0.5, 0.0, 2.0, 0.5, 0.1), id="tail"),
        pytest.param(Mixture(0.05, 0.25, 0.06, 0.97, 0.05), id="one side"),
        pytest.param(Mixture(1.0, 3.0, 1.2, 0.7, 0.2), id="both sides"),
        pytest.param(Mixture(1.0, 0.0, 60.0, 0.5, 0.1), id="far out"),
    ],
)
@pytest.mark.parametrize("n_iter", [1, 10, 200])
def test_binning_costs_no_precision_that_matters(truth, n_iter):
    """Bins of a fiftieth of the noise displace a second moment by 0.02^2 / 12, step by step no
    more."""
    r = draw(truth, 5000, 2)
    mix = Mixture()
    mix.update(tensor(r), n_iter)
    expected = em_on_every_value(r, n_iter)
    ours, theirs = ([x.s, x.m, x.t, x.a, x.pi] for x in (mix, expected))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)


@pytest.mark.parametrize("truth", [MIXTURES[3].values[0], MIXTURES[5].values[0]])
def test_turning_the_residuals_round_turns_the_sides_round(truth):
    """Viability or inhibition: a becomes 1 - a and all else stays."""
    r = tensor(draw(truth, 5000, 3))
    one, other = Mixture.fit(r), Mixture.fit(-r)
    assert other.a == pytest.approx(1 - one.a, rel=1e-6)
    for name in ("s", "m", "t", "pi"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6)
    ours = other.spike_probability(-r)
    np.testing.assert_allclose(ours, one.spike_probability(r), rtol=0, atol=1e-5)
    assert other.even_odds() == pytest.approx(one.even_odds(), rel=1e-6)


@pytest.mark.parametrize("power", [-40, -20, -10, 10, 20, 40])
def test_fit_knows_no_unit(power):
    """A screen in mol/L holds the same deviations as one in uM: s, m and t scale, a and pi stay."""
    r = tensor(draw(MIX, 5000, 1))
    one, other, c = Mixture.fit(r), Mixture.fit(r * 2.0**power), 2.0**power
    expected = [one.s * c, one.m * c, one.t * c, one.a, one.pi]
    # Powers in C are not rounded correctly, and EM may stop a step sooner for it.
    ours = [other.s, other.m, other.t, other.a, other.pi]
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_without_deviations_there_is_nothing_to_flag():
    """Plain noise: what is called deviation is rare, or so alike to noise that even odds lie far
    out."""
    for seed in range(5):
        r = np.random.default_rng(seed).normal(size=10_000)
        mix = Mixture.fit(tensor(r))
        assert mix.s == pytest.approx(1.0, rel=0.05)
        assert np.mean(np.abs(r) > mix.even_odds()) < 0.002


@pytest.mark.parametrize(
    "r",
    [
        pytest.param([0.0] * 20, id="all zero"),
        pytest.param([0.0] * 19 + [1.0], id="median zero"),
        pytest.param([0.5] * 20, id="all alike"),
        pytest.param([-0.5, 0.5] * 10, id="two values"),
        pytest.param(list(np.linspace(1, 2, 20)), id="one side"),
        pytest.param([0.1], id="one"),
        pytest.param([0.1, -7.0], id="two"),
        pytest.param([1e-3] * 19 + [1e6], id="absurd outlier"),
        pytest.param([0.0] * 9 + [1e-300], id="next to nothing"),
    ],
)
def test_degenerate_residuals_give_a_usable_mixture(r):
    """The threshold, the shrink weight and the descent rest on it whatever the data."""
    mix = Mixture.fit(tensor(r))
    assert mix.t >= mix.s > 0
    assert math.hypot(mix.m, mix.t) >= 1.49 * mix.s
    assert mix.m >= 0
    assert 0 < mix.a < 1
    assert 0 < mix.pi <= 0.5
    assert 0 < mix.even_odds() < math.inf
    some = tensor([*r, 0.0, 1e9])
    weight = mix.spike_probability(some)
    assert bool(((weight >= 0) & (weight <= 1)).all())
    assert bool(torch.isfinite(mix.nll(tensor(r))).all())
    for drawn in mix.pull(*mix.odds(some)):
        assert bool(torch.isfinite(drawn).all())
