"""Losses: what a residual weighs in training."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from rtdmf_bio.model.loss import LOSSES, Loss
from rtdmf_bio.model.mixture import ScaleMixture

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = torch.finfo(torch.float64).eps
ETA = 0.8
MIX = ScaleMixture(s=0.5, t=2.0, pi=0.1)


def reference_weight(name: str, r: float) -> float:
    """The table of the module, one residual at a time."""
    if name == "squared":
        return 1.0
    if name == "clip":
        return 1.0 if abs(r) <= ETA else ETA / abs(r)
    if name == "hard":
        return 1.0 if abs(r) < ETA else 0.0
    noise = (1 - MIX.pi) * norm.pdf(r, scale=MIX.s)
    spike = MIX.pi * norm.pdf(r, scale=MIX.t)
    return noise / (noise + spike) + spike / (noise + spike) * (MIX.s / MIX.t) ** 2


def fixed(name: str) -> Loss:
    loss = Loss(name, torch.tensor([[ETA]], dtype=torch.float64), burn_in=0)
    loss.mixture = ScaleMixture(MIX.s, MIX.t, MIX.pi)
    return loss


@pytest.mark.parametrize("name", LOSSES)
def test_weights_are_those_of_the_table(name):
    """Zero, both sides of eta, eta itself, and a residual far beyond anything."""
    r = torch.tensor([[0.0, 0.3, -0.3, ETA, -ETA, 0.81, -3.0, 50.0]], dtype=torch.float64)
    expected = [[reference_weight(name, float(x)) for x in r[0]]]
    np.testing.assert_allclose(fixed(name).weights(r), expected, rtol=64 * EPS, atol=64 * EPS)


@pytest.mark.parametrize("name", LOSSES)
def test_weight_times_residual_is_the_slope_of_the_loss(name):
    """Descending on w r must descend on the loss that is documented: d value / dr = w r."""
    r = torch.linspace(-3, 3, 601, dtype=torch.float64)[None]
    r = r[(r.abs() - ETA).abs() > 1e-3][None].requires_grad_()
    loss = fixed(name)
    loss.value(r).sum().backward()
    np.testing.assert_allclose(r.grad, (loss.weights(r) * r).detach(), rtol=0, atol=64 * EPS)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_zero_at_zero_and_never_above_the_squared_loss(name):
    """Robust losses only ever discount a residual."""
    r = torch.linspace(-3, 3, 601, dtype=torch.float64)[None]
    value = fixed(name).value(r)
    middle = r.shape[1] // 2
    assert abs(float(value[0, middle])) <= 4 * EPS
    assert bool((value <= 0.5 * r * r + 4 * EPS).all())
    discounted = bool((value[0, -1] < 0.5 * r[0, -1] ** 2 - 0.1).all())
    assert discounted == (name != "squared")


@pytest.mark.parametrize("name", ["hard", "mixture"])
def test_nothing_is_discounted_during_the_burn_in(name):
    """At the start every residual is high; a rule that drops them would never train."""
    r = torch.tensor([[0.1, -0.2, 0.1, 0.15, -0.1, 9.0]], dtype=torch.float64)
    loss = Loss(name, torch.tensor([[ETA]], dtype=torch.float64), burn_in=20)
    loss.update(r.ravel(), 19)
    assert loss.constant
    assert bool((loss.weights(r) == 1).all())
    loss.update(r.ravel(), 20)
    assert not loss.constant
    assert float(loss.weights(r)[0, -1]) < 0.1


@pytest.mark.parametrize("name", ["clip", "hard"])
def test_automatic_eta_is_two_and_a_half_robust_deviations(name):
    """Re-estimated as the fit goes, and moved by no single outlier."""
    r = torch.as_tensor(np.random.default_rng(0).normal(0, 0.3, 2001))
    r[0] = 1e6
    loss = Loss(name, None, burn_in=0)
    loss.update(r, 1)
    deviation = np.median(np.abs(r.numpy())) / norm.ppf(0.75)
    assert float(loss.eta) == pytest.approx(2.5 * deviation, rel=1e-4)  # 1.4826 has 5 digits
    loss.update(2 * r, 2)
    assert float(loss.eta) == pytest.approx(5 * deviation, rel=1e-4)


@pytest.mark.parametrize("name", ["clip", "hard"])
def test_given_eta_is_kept(name):
    """The user's threshold is per drug in scaled units; the noise estimate runs beside it."""
    eta = torch.tensor([[0.5], [2.0]], dtype=torch.float64)
    loss = Loss(name, eta, burn_in=0)
    loss.update(torch.full((50,), 0.7, dtype=torch.float64), 1)
    assert torch.equal(loss.eta, eta)
    assert loss.noise_sd == pytest.approx(0.7 * 1.4826)
    kept = loss.weights(torch.ones(2, 1, dtype=torch.float64)).ravel().tolist()
    assert kept == ([0.5, 1.0] if name == "clip" else [0.0, 1.0])


# -- the scale mixture ----------------------------------------------------------------------

RESIDUALS = torch.linspace(-9, 9, 181, dtype=torch.float64)
MIXTURES = [
    pytest.param(ScaleMixture(0.5, 2.0, 0.1), id="usual"),
    pytest.param(ScaleMixture(1.0, 1.5, 0.5), id="barely apart"),
    pytest.param(ScaleMixture(0.05, 0.3, 1e-4), id="rare spikes"),
]


def density(mix: ScaleMixture, r: np.ndarray) -> np.ndarray:
    return (1 - mix.pi) * norm.pdf(r, scale=mix.s) + mix.pi * norm.pdf(r, scale=mix.t)


@pytest.mark.parametrize("mix", MIXTURES)
def test_nll_is_that_of_scipy(mix):
    r = RESIDUALS * mix.t / 3
    expected = -np.log(density(mix, r.numpy()))
    np.testing.assert_allclose(mix.nll(r), expected, rtol=1e3 * EPS, atol=1e3 * EPS)


@pytest.mark.parametrize("mix", MIXTURES)
def test_precision_weight_is_the_slope_of_the_log_density(mix):
    """-s^2 d/dr log density = w r, by central differences on scipy's density."""
    r = RESIDUALS.numpy() * mix.t / 9
    h = EPS ** (1 / 3) * mix.s
    slope = (np.log(density(mix, r + h)) - np.log(density(mix, r - h))) / (2 * h)
    ours = mix.precision_weight(torch.as_tensor(r)).numpy() * r
    # Rounding of a logarithm of size up to 50, divided by the step.
    np.testing.assert_allclose(ours, -(mix.s**2) * slope, rtol=0, atol=200 * EPS ** (2 / 3) * mix.s)


@pytest.mark.parametrize("mix", MIXTURES)
def test_even_odds_is_where_noise_and_spike_are_equally_likely(mix):
    at = torch.tensor([mix.even_odds()], dtype=torch.float64)
    assert float(mix.noise_probability(at)) == pytest.approx(0.5, abs=1e3 * EPS)
    assert float(mix.noise_probability(0.9 * at)) > 0.5 > float(mix.noise_probability(1.1 * at))


@pytest.mark.parametrize("mix", MIXTURES)
def test_tail_is_the_two_sided_tail_of_the_noise(mix):
    """It is reported as the false-flag rate."""
    for threshold in (0.0, mix.s, 3 * mix.s, 8 * mix.s):
        expected = 2 * norm.sf(threshold, scale=mix.s)
        assert mix.tail(threshold) == pytest.approx(expected, rel=1e-12)


def test_signal_weight_is_the_posterior_mean_of_the_signal_over_the_residual():
    """r = noise, or noise + N(0, t^2 - s^2): E[signal | r] by integration on a grid."""
    signal = np.linspace(-30, 30, 120_001)
    width = signal[1] - signal[0]
    prior = norm.pdf(signal, scale=math.sqrt(MIX.t**2 - MIX.s**2))
    for r in (-4.0, -1.0, 0.3, 2.0, 7.0):
        joint = MIX.pi * prior * norm.pdf(r - signal, scale=MIX.s) * width
        total = joint.sum() + (1 - MIX.pi) * norm.pdf(r, scale=MIX.s)
        mean = float((joint * signal).sum() / total)
        ours = float(MIX.signal_weight(torch.tensor(r, dtype=torch.float64))) * r
        assert ours == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize(
    ("s", "t", "pi"),
    [
        pytest.param(0.05, 0.25, 0.1, id="AUC"),
        pytest.param(1.0, 4.0, 0.02, id="few spikes"),
        pytest.param(2e-4, 1e-3, 0.2, id="small unit"),
        pytest.param(30.0, 200.0, 0.3, id="large unit"),
    ],
)
def test_fit_recovers_the_mixture_that_was_simulated(s, t, pi):
    """Within four standard errors of the spikes, the scarcer component."""
    rng = np.random.default_rng(0)
    n = 20_000
    spike = rng.random(n) < pi
    mix = ScaleMixture.fit(torch.as_tensor(rng.normal(size=n) * np.where(spike, t, s)))
    spikes = 4 / math.sqrt(2 * pi * n)
    assert mix.s == pytest.approx(s, rel=0.03)
    assert mix.t == pytest.approx(t, rel=1.5 * spikes)
    # Spikes below 2 s look like noise, which costs some precision beyond the binomial error.
    assert mix.pi == pytest.approx(pi, rel=3 * spikes)


@pytest.mark.parametrize("power", [-40, -20, -10, 10, 20, 40])
def test_fit_knows_no_unit(power):
    """A screen in mol/L holds the same deviations as one in uM: s and t scale, pi stays."""
    rng = np.random.default_rng(1)
    r = torch.as_tensor(rng.normal(size=5000) * np.where(rng.random(5000) < 0.1, 0.3, 0.05))
    one, other = ScaleMixture.fit(r), ScaleMixture.fit(r * 2.0**power)
    assert (other.s, other.t, other.pi) == (one.s * 2.0**power, one.t * 2.0**power, one.pi)


@pytest.mark.parametrize(
    "r",
    [
        pytest.param([0.0] * 20, id="all zero"),
        pytest.param([0.0] * 19 + [1.0], id="median zero"),
        pytest.param([0.5] * 20, id="all alike"),
        pytest.param([0.1], id="one"),
        pytest.param([1e-3] * 19 + [1e6], id="absurd outlier"),
    ],
)
def test_degenerate_residuals_give_a_usable_mixture(r):
    """The threshold and the shrink weight are computed from it whatever the data."""
    mix = ScaleMixture.fit(torch.tensor(r, dtype=torch.float64))
    assert mix.t > mix.s > 0
    assert 0 < mix.pi <= 0.5
    assert 0 < mix.even_odds() < math.inf
    weight = mix.signal_weight(torch.tensor([*r, 0.0, 1e9], dtype=torch.float64))
    assert bool(((weight >= 0) & (weight <= 1)).all())
