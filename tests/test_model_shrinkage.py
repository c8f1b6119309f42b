"""Shrinkage of singular values: where it ends, what it carries, and what helps it on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from rtdmf_bio.model import covariances, rows, shrinkage
from rtdmf_bio.model.covariances import Side
from rtdmf_bio.model.problem import FitSettings, Ground, Problem
from rtdmf_bio.model.rows import by_rows
from rtdmf_bio.model.shrinkage import shrunk
from rtdmf_bio.model.solver import StopReason, fit_chain

pytestmark = pytest.mark.usefixtures("one_thread")


def screen(rank=4, noise=0.3, shape=(50, 40), seed=0, missing=0.3):
    """Low rank, noise and a few spikes; data and the training mask."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    data += np.linspace(0, 2, shape[1]) + noise * rng.normal(size=shape)
    data += 4.0 * (rng.random(shape) < 0.02)
    train = (rng.random(shape) >= missing).astype(float)
    return torch.as_tensor(data), torch.as_tensor(train)


def objective(fit, data, train, settings):
    """What both ways down minimise, at the end of a fit."""
    problem = Problem(Ground(data, train, settings), settings, 1.0)
    problem.effects, problem.scale = fit.effects, fit.scale
    problem._set_target()
    if settings.loss != "squared":
        problem.decay = problem.decay_at(0.4)
    residual = problem.residual(fit.chain.product())
    weight_decay = sum(float(w.square().sum()) for w in fit.chain.factors)
    return float(fit.loss.value(residual).sum()) + problem.decay / 2 * weight_decay


@pytest.mark.parametrize("loss", ["squared", "clip"])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_shrinkage_and_descent_end_at_the_same_point(depth, loss, monkeypatch):
    """The balanced chain is the cheapest of its product; so the two have the same minima. With
    robust weights the noise is given: estimated on the way, it would be part of where they end."""
    monkeypatch.setattr(Problem, "noise_sd", lambda self, sizes: 0.4)
    data, train = screen()
    settings = FitSettings(depth=depth, loss=loss, weight_decay=0.6, tol=1e-7, max_iter=20_000)
    by_shrinkage, by_descent = (
        fit_chain(data, train, settings, eta=1.0, track_jumps=jumps) for jumps in (False, True)
    )
    assert by_shrinkage.jump is None
    assert by_shrinkage.stop_reason is by_descent.stop_reason is StopReason.CONVERGED
    assert by_shrinkage.n_iter < by_descent.n_iter / 2
    one, other = by_shrinkage.matrix(), by_descent.matrix()
    assert float((one - other).norm()) < 1e-3 * float(other.norm())
    assert by_shrinkage.chain.rank == by_descent.chain.rank
    values = [objective(fit, data, train, settings) for fit in (by_shrinkage, by_descent)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_the_mixture_finds_as_much_by_either():
    """Its weights depend on the way; what is found of the truth does not."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 60))
    data = truth + 0.3 * rng.normal(size=truth.shape) + 3.0 * (rng.random(truth.shape) < 0.03)
    train = torch.as_tensor(1.0 * (rng.random(truth.shape) < 0.8))
    settings = FitSettings(loss="mixture", weight_decay=1.0, max_iter=2000)
    fits = [
        fit_chain(torch.as_tensor(data), train, settings, track_jumps=jumps).matrix().numpy()
        for jumps in (False, True)
    ]
    errors = [np.sqrt(np.mean((fit - truth) ** 2)) for fit in fits]
    assert errors[0] < 1.02 * errors[1] < 0.3 * np.std(data - truth)


@pytest.mark.parametrize("depth", [2, 3, 4, 7])
@pytest.mark.parametrize("rho", [0.01, 1.0, 30.0])
def test_shrunk_solves_its_equation_or_gives_nothing(depth, rho):
    a = 1 - 2 / depth
    x = torch.linspace(0, 60, 400, dtype=torch.float64)
    y = shrunk(x, rho, depth).numpy()
    lowest = (a * rho) ** (1 / (1 + a)) if a else 0.0
    for seen, found in zip(x.numpy(), y, strict=True):

        def left(y, seen=seen):
            return y + rho * y**-a - seen

        if a == 0:
            assert found == pytest.approx(max(seen - rho, 0))
        elif left(lowest) >= 0:  # nowhere below
            assert found == 0 or left(found) == pytest.approx(0, abs=1e-6)
        else:
            assert found == pytest.approx(brentq(left, lowest, seen), rel=1e-6)
    assert (np.diff(y) >= 0).all()


@pytest.mark.parametrize("start", [0.8, 5.0])
def test_modes_come_up_however_few_it_begins_with(start, monkeypatch):
    """A start is a guess about cost and must never cap the fit."""
    data, train = screen(rank=12, noise=0.05)
    settings = FitSettings(weight_decay=0.05, tol=1e-6, max_iter=3000, center="none")
    expected = fit_chain(data, train, settings)
    monkeypatch.setattr(shrinkage, "_START", start)
    monkeypatch.setattr(shrinkage, "_SPARE", 3)
    fit = fit_chain(data, train, settings)
    assert fit.stop_reason is StopReason.CONVERGED
    assert fit.chain.rank >= 12
    assert float((fit.matrix() - expected.matrix()).norm()) < 0.01 * float(data.norm())


def test_a_width_is_the_most_it_carries():
    data, train = screen(rank=12, noise=0.05)
    fit = fit_chain(data, train, FitSettings(weight_decay=0.05, width=5))
    assert fit.chain.rank == 5


@pytest.mark.parametrize("burn_in", [0, 2, 100])
def test_a_robust_loss_begins_after_its_burn_in_and_scales_the_drugs(burn_in):
    """Or sooner, once nothing changes any more; never before the fit has begun."""
    rng = np.random.default_rng(0)
    data, train = screen(rank=2, noise=0.0, shape=(50, 120))
    sd = torch.as_tensor(np.where(np.arange(50) % 2, 0.1, 0.4))[:, None]
    data = data + sd * torch.as_tensor(rng.normal(size=data.shape))
    settings = FitSettings(loss="mixture", weight_decay=1.0, burn_in=burn_in, max_iter=500)
    fit = fit_chain(data, train, settings)
    assert fit.stop_reason is StopReason.CONVERGED
    scale = fit.scale.ravel()
    ratio = float(scale[sd.ravel() > 0.2].median() / scale[sd.ravel() < 0.2].median())
    assert ratio == pytest.approx(4, rel=0.3)


# -- rows ---------------------------------------------------------------------------------------


def test_some_rows_at_a_time_give_what_all_do(monkeypatch):
    rng = np.random.default_rng(0)
    parts = [torch.as_tensor(rng.normal(size=shape)) for shape in ((37, 11), (37, 1), (1, 11))]

    def formula(a, drug, line):
        return a * drug + line, a.abs().sqrt()

    whole = by_rows(formula, *parts)
    monkeypatch.setattr(rows, "_WHOLE", 0)
    for at_once in (5, 11, 50, 1000):
        monkeypatch.setattr(rows, "_ENTRIES", at_once)
        for one, other in zip(by_rows(formula, *parts), whole, strict=True):
            assert torch.equal(one, other)


# -- covariances --------------------------------------------------------------------------------


def filled(n=90, p=70, seed=0):
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(n, 3)) @ rng.normal(size=(3, p)) + 0.5 * rng.normal(size=(n, p))
    return torch.as_tensor(made)


def test_landmarks_that_are_all_of_the_rows_lose_nothing(monkeypatch):
    exact = Side.of(filled(), 2.0).local
    monkeypatch.setattr(covariances, "LARGE", 10)
    monkeypatch.setattr(covariances, "LANDMARKS", 90)
    by_landmarks = Side.of(filled(), 2.0).local
    assert isinstance(by_landmarks, covariances.ByLandmarks)
    v = filled(90, 8, 1)
    torch.testing.assert_close(by_landmarks.left(v), exact.left(v), rtol=0, atol=1e-6)
    torch.testing.assert_close(by_landmarks.right(v.T), exact.right(v.T), rtol=0, atol=1e-6)
    torch.testing.assert_close(by_landmarks.diagonal, exact.diagonal)


def test_fewer_landmarks_keep_the_diagonal_and_most_of_the_rest(monkeypatch):
    exact = Side.of(filled(), 2.0).local
    monkeypatch.setattr(covariances, "LARGE", 10)
    monkeypatch.setattr(covariances, "LANDMARKS", 60)
    local = Side.of(filled(), 2.0).local
    eye = torch.eye(90, dtype=torch.float64)
    matrix = local.left(eye)
    torch.testing.assert_close(matrix, matrix.T)
    torch.testing.assert_close(matrix.diagonal(), exact.diagonal)
    assert float(torch.linalg.eigvalsh(matrix)[0]) > -1e-9
    between = float((matrix - exact.matrix).norm())
    assert between < 0.3 * float((exact.matrix - torch.diag(exact.diagonal)).norm())


def test_the_leading_eigenvectors_are_those_of_numpy():
    """As far as they stand out; what follows is for speed alone."""
    side = Side.of(filled(), 2.0)
    values = np.linalg.eigvalsh(side.local.matrix.numpy())[::-1]
    np.testing.assert_allclose(side.top[1][:3], values[:3], rtol=1e-3)
    vectors = side.top[0]
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=1e-9)
