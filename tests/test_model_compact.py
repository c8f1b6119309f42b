"""The compact chain: as good as a wide network, and never too narrow for the data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from scipy.stats import norm

from rtdmf_bio import RTDMF
from rtdmf_bio.model import optimizers, problem, rank
from rtdmf_bio.model.mixture import Mixture
from rtdmf_bio.model.problem import FitSettings
from rtdmf_bio.model.solver import StopReason, fit_chain

pytestmark = pytest.mark.usefixtures("one_thread")


def tensors(*arrays):
    return [torch.as_tensor(np.asarray(a, dtype=float)) for a in arrays]


def distance(a, b):
    return float((a - b).norm() / b.norm())


def low_rank_matrix(rank, noise, shape=(40, 50), seed=0):
    rng = np.random.default_rng(seed)
    L = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1])) / np.sqrt(rank)
    return tensors(L, L + noise * rng.normal(size=shape))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_compact_differs_from_wide_networks_no_more_than_they_from_each_other(seed, monkeypatch):
    """The paper's objective and stopping, from a small start: same path, so the compact chain
    may stand for the network. It starts narrow here, and must widen on the way up."""
    monkeypatch.setattr(rank, "_START_RANK", 8)
    _, X = low_rank_matrix(3, 0.9, seed=seed)
    held = np.random.default_rng(seed).random(X.shape) < 0.2
    train, validation = tensors(~held, held)
    settings = {
        "depth": 3, "loss": "squared", "optimizer": "gd", "center": "none", "scale_power": 0.0,
        "early_stopping": True, "patience": 60, "max_iter": 10_000,
    }  # fmt: skip

    def run(**start):
        fit = fit_chain(X, train, FitSettings(**settings, **start), validation=validation)
        assert fit.stop_reason is StopReason.EARLY_STOPPED
        return fit.matrix(), min(fit.history["validation_rmse"])

    wide = [run(width=60, init="gaussian", init_scale=1e-2, seed=s) for s in range(5)]
    compact, error = run(init_scale=1e-5)
    among = max(distance(a, b) for a, _ in wide for b, _ in wide)
    assert 0 < np.median([distance(compact, a) for a, _ in wide]) <= among < 0.5
    assert error <= max(e for _, e in wide)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("start", [2, 4])
def test_rank_grows_when_it_is_too_small(start, depth, monkeypatch):
    """A start rank is a guess about cost and must never cap the fit."""
    _, X = low_rank_matrix(12, 0.05)
    (train,) = tensors(np.random.default_rng(1).random(X.shape) < 0.8)
    settings = FitSettings(
        depth=depth, center="none", scale_power=0.0, weight_decay=0.05, tol=1e-6, max_iter=5000
    )

    def run():
        fit = fit_chain(X, train, settings, track_jumps=True)  # by descent
        assert fit.stop_reason is StopReason.CONVERGED
        return fit

    large = run()
    monkeypatch.setattr(rank, "_START_RANK", start)
    small = run()
    assert small.history["rank"][0] == start
    assert small.chain.rank >= 12
    # Depth 2 has one minimum; deeper chains may end in neighbouring ones.
    assert distance(small.matrix(), large.matrix()) < (1e-3 if depth == 2 else 1e-2)


def test_rank_stays_when_it_is_enough(monkeypatch):
    """The reverse of growth: rank 2 with decay needs no more than its two modes."""
    monkeypatch.setattr(rank, "_START_RANK", 4)
    _, X = low_rank_matrix(2, 0.05)
    settings = FitSettings(center="none", weight_decay=0.5, tol=1e-6, max_iter=2000)
    fit = fit_chain(X, torch.ones_like(X), settings, track_jumps=True)
    assert max(fit.history["rank"]) == 4
    assert fit.chain.rank == 2


@pytest.mark.parametrize(("decay", "rank"), [(0.3, 3), (1.0, 2), (2.0, 1)])
def test_modes_that_decay_away_are_dropped(decay, rank):
    """What has been shrunk to nothing should not be paid for on every iteration."""
    rng = np.random.default_rng(0)
    u, _ = np.linalg.qr(rng.normal(size=(40, 3)))
    v, _ = np.linalg.qr(rng.normal(size=(50, 3)))
    # Scaled to unit spread: 39, 20 and 10, where noise alone reaches sqrt(40) + sqrt(50) = 13.
    (X,) = tensors((u * [4, 2, 1]) @ v.T)
    settings = FitSettings(
        center="none", scale_power=0.0, weight_decay=decay, tol=1e-6, max_iter=2000
    )
    fit = fit_chain(X, torch.ones_like(X), settings, track_jumps=True)
    assert fit.history["rank"][0] == 40
    assert fit.chain.rank == fit_chain(X, torch.ones_like(X), settings).chain.rank == rank


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_dropping_modes_is_an_economy_and_changes_no_fit(depth, monkeypatch):
    """A mode that has been shrunk away stays away, so that carrying it on would buy nothing."""
    truth, X = low_rank_matrix(20, 0.05, shape=(150, 120))
    settings = FitSettings(depth=depth, weight_decay=0.5, tol=1e-3, max_iter=400)

    def error():
        fit = fit_chain(X, torch.ones_like(X), settings, track_jumps=True)
        return float((fit.matrix() - truth).square().mean().sqrt())

    with_dropping = error()
    monkeypatch.setattr(rank, "DEAD", -1.0)
    monkeypatch.setattr(problem, "DEAD", -1.0)
    assert with_dropping <= 1.05 * error()


@pytest.mark.slow
def test_clean_structure_is_not_taken_for_noise():
    """Rank 20 and hardly any noise. The robust stage may take the weakest of so many equal modes
    for noise; what the data show plainly is then the second stage's to find."""
    truth, X = low_rank_matrix(20, 0.05, shape=(150, 120))
    model = RTDMF().fit(X.numpy())
    error = np.sqrt(np.mean((model.completed_ - truth.numpy()) ** 2))
    # Fitting every entry to itself would leave the noise, 0.05; the spread is 1.
    assert error < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "decay"),
    [("clip", 1.0), ("hard", 0.1), ("hard", 1.0), ("mixture", 0.3), ("mixture", 1.0)],
)
def test_the_noise_estimate_does_not_run_away(loss, decay):
    """The robust losses take the noise from the fitted residuals and set the decay by it. Less
    decay, smaller residuals, less noise, less decay: the end would be a copy of the data. Compare
    squared loss on data without the spikes, its decay set by the noise that was put in."""
    truth, clean = low_rank_matrix(2, 0.3)
    rng = np.random.default_rng(1)
    spikes, train = tensors(rng.random(clean.shape) < 0.03, rng.random(clean.shape) < 0.8)

    def error(data, **settings):
        settings = FitSettings(**settings, scale_power=0.0, tol=1e-4, max_iter=2000)
        return float((fit_chain(data, train, settings).matrix() - truth).square().mean().sqrt())

    spread = float(clean[train > 0].std())
    oracle = error(clean, loss="squared", weight_decay=decay * 0.3 / spread)
    assert error(clean + 2 * spikes, loss=loss, weight_decay=decay) < 1.25 * oracle


def mixture_weights(mix, r, train):
    """Weight of each residual and the force on it, from scipy's densities: each part draws to its
    own middle. The odds of a spike are those of its drug and line, at most one."""
    noise = norm.pdf(r, 0, mix.s)
    above, below = mix.a * norm.pdf(r, mix.m, mix.t), (1 - mix.a) * norm.pdf(r, -mix.m, mix.t)
    posterior = mix.pi * (above + below)
    posterior = posterior / (posterior + (1 - mix.pi) * noise) * train
    odds = logit(mix.pi)
    for axis in (0, 1):
        count, size = posterior.sum(axis, keepdims=True), train.sum(axis, keepdims=True)
        odds = odds + logit((count + 20 * mix.pi) / (size + 20)) - logit(mix.pi)
    prior = expit(np.minimum(odds, 0))
    noise, above, below = (1 - prior) * noise, prior * above, prior * below
    total, q = noise + above + below, (mix.s / mix.t) ** 2
    force = (noise * r + q * (above * (r - mix.m) + below * (r + mix.m))) / total
    return (noise + q * (above + below)) / total, force


def shrunk_mean(data, weights, other, noise):
    """Weighted means of the rows of data less ``other``, and how far each is from their mean once
    the part of their variance that is error, noise / weight, is taken off."""
    size = weights.sum(1)
    raw = (weights * (data - other)).sum(1) / size
    middle = np.average(raw, weights=size)
    true = max(np.average((raw - middle) ** 2 - noise / size, weights=size), 0.0)
    return middle, true / (true + noise / size) * (raw - middle)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["squared", "clip", "hard", "mixture"])
def test_converged_fit_is_a_stationary_point_of_the_documented_objective(loss):
    """No factor has a slope left, and drug and line effects are where their reliability puts them.
    The weights are worked out again from the residuals: eta is in the data's units, spikes are
    what the mixture says; so is the noise, for the degrees of freedom that the chain uses up."""
    rng = np.random.default_rng(2)
    _, X = low_rank_matrix(2, 0.3)
    X = X + 3.0 * torch.as_tensor(rng.random(X.shape) < 0.03) + torch.linspace(0, 4, 50)
    X[:15] *= 1.7  # drugs on another scale
    (train,) = tensors(rng.random(X.shape) < 0.6)
    eta, settings = 2.0, FitSettings(loss=loss, weight_decay=1.0, tol=1e-8, max_iter=20_000)
    fit = fit_chain(X, train, settings, eta=eta)
    assert fit.stop_reason is StopReason.CONVERGED
    assert float(fit.scale.max()) > 1.2 * float(fit.scale.min())
    assert 0 < fit.chain.rank < 10
    scale, inside = fit.scale.numpy(), train.numpy()
    residual = (X - fit.matrix()).numpy()
    r = residual / scale
    noise = 1.4826 * float(torch.as_tensor(r[inside > 0]).abs().median())
    weights = np.ones(r.shape)
    if loss == "squared":
        noise = 1.0
    elif loss == "clip":
        weights = np.minimum(eta / np.abs(residual), 1)
    elif loss == "hard":
        weights = (np.abs(residual) < eta).astype(float)
    force = weights * r
    if loss == "mixture":
        mixture = Mixture.fit(torch.as_tensor(r[inside > 0]), n_iter=5000, tol=1e-10)
        (weights, force), noise = mixture_weights(mixture, r, inside), mixture.s
    weights, force = weights * inside, force * inside
    assert fit.loss.noise_sd == pytest.approx(noise, rel=1e-5)
    n, p = X.shape
    q = inside.mean()
    product = fit.chain.product().numpy()
    modes = np.linalg.svd(product, compute_uv=False)
    modes = modes[modes > 1e-6 * modes[0]]

    def rho(noise):
        # At depth 3 a mode of the size of the noise's largest, x, just vanishes at x = 3 y.
        return 3 * (noise * (n**0.5 + p**0.5) / q**0.5 / 4) ** (4 / 3)

    corrected = noise
    for _ in range(100 if loss != "squared" else 0):
        rank = (1 / (1 + rho(corrected) * modes ** (2 / 3 - 2))).sum()  # y / x, summed
        corrected = noise / np.sqrt(1 - rank * (n + p - rank) / weights.sum())
    assert (corrected > 1.03 * noise) == (loss != "squared")
    slopes = fit.chain.gradients(torch.as_tensor(-force))
    for slope, w in zip(slopes, fit.chain.factors, strict=True):
        assert float((slope + q * rho(corrected) * w).norm()) <= 1e-4 * float(slope.norm())
    # The effects: what each entry is drawn to, its spike left out, by its weight.
    rest = fit.effects.matrix().numpy() + scale * np.divide(
        force, weights, where=weights > 0, out=np.zeros_like(force)
    )
    variance = np.mean(r[inside > 0] ** 2) if loss == "squared" else corrected**2
    drug, line = fit.effects.drug.numpy().ravel(), fit.effects.line.numpy().ravel()
    from_lines = np.add(*shrunk_mean(rest, weights / scale**2, line, variance))
    shift, from_drugs = shrunk_mean(rest.T, (weights / scale**2).T, from_lines, variance)
    np.testing.assert_allclose(from_lines + shift, drug, rtol=0, atol=5e-5)
    np.testing.assert_allclose(from_drugs, line, rtol=0, atol=5e-5)


def test_growing_is_not_mistaken_for_an_abrupt_change(monkeypatch):
    """``retain='abrupt'`` reads jumps of the descent; modes added to the chain are no descent."""
    _, X = low_rank_matrix(12, 0.05)
    X[:20] *= 5  # a jump is one of the data, not of the drugs' own scales
    (train,) = tensors(np.random.default_rng(1).random(X.shape) < 0.8)
    settings = FitSettings(
        depth=2, center="none", scale_power=1.0, weight_decay=0.05, tol=1e-3, max_iter=2000
    )
    monkeypatch.setattr(rank, "_START_RANK", 4)
    steps: list[torch.Tensor] = []
    step = optimizers.Accelerated.step

    def measured(self, chain):
        before = chain.product()
        after = step(self, chain)
        steps.append((after.product() - before).abs())
        return after

    monkeypatch.setattr(optimizers.Accelerated, "step", measured)
    fit = fit_chain(X, train, settings, track_jumps=True)
    assert max(fit.history["rank"]) > 4  # it grew
    changes = [fit.scale * change for change in steps]
    jumps = [change / change.square().mean().sqrt() for change in changes]
    torch.testing.assert_close(fit.jump, torch.stack(jumps).amax(0))
