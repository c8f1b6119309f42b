"""The descent against oracles written from the formulas, in NumPy and loops."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
import torch

from rtdmf_bio.model.factorization import random_chain
from rtdmf_bio.model.problem import FitSettings, Problem
from rtdmf_bio.model.solver import fit_chain

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = np.finfo(float).eps
N, P, WIDTH, DEPTH = 12, 9, 15, 3
RATE = 0.3  # far enough for the accelerated descent to restart
# tol=0: every iteration asked for is done, and MAX_ITERATIONS is the end meant.
ORACLE = {"tol": 0.0, "scale_power": 0.0, "learning_rate": RATE}


def problem(missing: float):
    rng = np.random.default_rng(3)
    D = 0.3 + rng.normal(size=(N, 3)) @ rng.normal(size=(3, P)) + rng.normal(size=(N, P))
    return D, (rng.random((N, P)) >= missing).astype(float)


def ours(D, mask, **settings):
    return fit_chain(
        torch.as_tensor(D * mask), torch.as_tensor(mask), FitSettings(**{**ORACLE, **settings})
    )


def multiply(factors):
    return reduce(np.matmul, factors)


# -- the oracle -----------------------------------------------------------------------------


def gradients(factors, target, mask, decay):
    """dF/dW of F = (2/N) [ sum r^2 / 2 + decay / 2 sum W^2 ]."""
    slope = 2 / mask.sum() * mask * (multiply(factors) - target)
    out = []
    for l, w in enumerate(factors):
        left = multiply([np.eye(N), *factors[:l]])
        right = multiply([*factors[l + 1 :], np.eye(P)])
        out.append(left.T @ slope @ right.T + 2 / mask.sum() * decay * w)
    return out


class GD:
    def __init__(self, factors, momentum=0.0):
        self.w, self.momentum = [w.copy() for w in factors], momentum
        self.v = [np.zeros_like(w) for w in factors]

    def step(self, slope):
        for w, v, g in zip(self.w, self.v, slope(self.w), strict=True):
            v[:] = self.momentum * v + g
            w -= RATE * v


class Adam(GD):
    def __init__(self, factors):
        super().__init__(factors)
        self.m, self.t = [np.zeros_like(w) for w in factors], 0

    def step(self, slope):
        self.t += 1
        for w, m, v, g in zip(self.w, self.m, self.v, slope(self.w), strict=True):
            m[:] = 0.9 * m + 0.1 * g
            v[:] = 0.999 * v + 0.001 * g**2
            m_hat, v_hat = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
            w -= RATE * m_hat / (np.sqrt(v_hat) + 1e-8)


class Adagrad(GD):
    def step(self, slope):
        for w, v, g in zip(self.w, self.v, slope(self.w), strict=True):
            v += g**2
            w -= RATE * g / (np.sqrt(v) + 1e-10)


class Nesterov(GD):
    """O'Donoghue & Candes 2015, restarted when the gradient points back along the last move."""

    def __init__(self, factors):
        super().__init__(factors)
        self.y, self.t, self.restarts = [w.copy() for w in factors], 1.0, 0

    def step(self, slope):
        g = slope(self.y)
        new = [y - RATE * s for y, s in zip(self.y, g, strict=True)]
        back = sum(np.sum(s * (x - w)) for s, x, w in zip(g, new, self.w, strict=True)) > 0
        t = 1.0 if back else (1 + np.sqrt(1 + 4 * self.t**2)) / 2
        beta = 0.0 if back else (self.t - 1) / t
        self.restarts += back
        self.y = [x + beta * (x - w) for x, w in zip(new, self.w, strict=True)]
        self.w, self.t = new, t


OPTIMIZERS = {
    "gd": GD,
    "momentum": lambda factors: GD(factors, 0.9),
    "adam": Adam,
    "adagrad": Adagrad,
    "accelerated": Nesterov,
}


def spectral_start(target, mask, scale=1.0):
    """Balanced factors of the SVD, blown up by the share of entries that are zeros for want."""
    u, s, vh = np.linalg.svd(target * mask, full_matrices=False)
    a = np.diag((scale * s / mask.mean()) ** (1 / DEPTH))
    return [u @ a, *[a] * (DEPTH - 2), a @ vh]


def wide_start():
    generator = torch.Generator().manual_seed(7)
    chain = random_chain((N, P), DEPTH, WIDTH, "gaussian", 0.3, generator, torch.float64)
    return [w.numpy() for w in chain.factors]


def spread(residual, mask):
    return np.sqrt((residual**2 * mask).sum() / mask.sum())


def assert_same_path(fit, factors, before):
    assert fit.stop_reason.name == "MAX_ITERATIONS"
    expected = multiply(factors)
    moved = np.linalg.norm(expected - multiply(before)) / np.linalg.norm(expected)
    assert moved > 0.05  # else the start alone would pass
    product = fit.chain.product().numpy()
    assert np.linalg.norm(product - expected) <= 1e-9 * np.linalg.norm(expected)


@pytest.mark.parametrize("decay", [0.0, 0.5], ids=["no decay", "decay"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_wide_network_takes_the_steps_of_the_textbook(optimizer, decay):
    """The published network, its optimisers and its objective, iterate for iterate."""
    D, mask = problem(missing=0.25)
    n_iter = 37
    settings = {"width": WIDTH, "init": "gaussian", "init_scale": 0.3, "seed": 7}
    fit = ours(
        D, mask, **settings, center="none", optimizer=optimizer, weight_decay=decay, max_iter=n_iter
    )
    scale = spread(D, mask)
    # At depth 3 a mode of size x survives above x = 2 y, y = (rho / 2)^(1 / 1.5) ... : a = 1/3.
    edge = decay * (np.sqrt(N) + np.sqrt(P)) / np.sqrt(mask.mean())
    rho = (edge / 4) ** (4 / 3) * 3
    descent = OPTIMIZERS[optimizer](wide_start())
    for _ in range(n_iter):
        descent.step(lambda w: gradients(w, D / scale, mask, mask.mean() * rho))
    assert_same_path(fit, descent.w, wide_start())
    np.testing.assert_allclose(fit.matrix(), scale * multiply(descent.w), rtol=0, atol=1e-8)


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "accelerated"])
def test_compact_chain_takes_the_steps_of_the_textbook(optimizer):
    """It differs from the wide network in shape and start, and in nothing else."""
    D, mask = problem(missing=0.25)
    n_iter = 137
    fit = ours(D, mask, center="none", optimizer=optimizer, max_iter=n_iter)
    target = D / spread(D, mask)
    start = spectral_start(target, mask)
    descent = OPTIMIZERS[optimizer](start)
    for _ in range(n_iter):
        descent.step(lambda w: gradients(w, target, mask, 0.0))
    assert_same_path(fit, descent.w, start)
    assert optimizer != "accelerated" or descent.restarts > 0


def least_squares_two_way(D, mask):
    """Drug effect + line effect by a regression on indicators, as a matrix."""
    rows, cols = np.nonzero(mask)
    design = np.zeros((len(rows), N + P))
    design[np.arange(len(rows)), rows] = 1
    design[np.arange(len(rows)), N + cols] = 1
    effect = np.linalg.lstsq(design, D[rows, cols], rcond=None)[0]
    return effect[:N, None] + effect[None, N:]


def shrunk_mean(data, weights, other, noise):
    """Weighted means of the rows of data less ``other``, and how far each is from their mean once
    the part of their variance that is error, noise / weight, is taken off."""
    raw = [np.average(row - other, weights=w) for row, w in zip(data, weights, strict=True)]
    size = weights.sum(1)
    middle = np.average(raw, weights=size)
    true = max(np.average((raw - middle) ** 2 - noise / size, weights=size), 0.0)
    return middle, true / (true + noise / size) * (raw - middle)


def shrunk_two_way(D, weights, noise, line, sweeps):
    """Drug effects and line effects, each shrunk by its reliability, by turns."""
    for _ in range(sweeps):
        drug = np.add(*shrunk_mean(D, weights, line, noise))
        shift, line = shrunk_mean(D.T, weights.T, drug, noise)
        drug = drug + shift
    return drug[:, None] + line, line


def first_general(D, mask):
    """Least squares, then shrunk by what that leaves."""
    plain = least_squares_two_way(D, mask)
    line = (plain - plain[:, :1])[0]
    line = line - np.average(line, weights=mask.sum(0))
    return shrunk_two_way(D, mask, spread(D - plain, mask) ** 2, line, sweeps=20)


def test_centring_descends_on_what_drug_and_line_effects_leave():
    """Up to the first refresh the general part is the two-way fit, shrunk by its own noise."""
    D, mask = problem(missing=0.25)
    D = D + np.linspace(-3, 3, N)[:, None] + np.linspace(0, 5, P)
    n_iter = 9
    fit = ours(D, mask, center="two-way", optimizer="gd", max_iter=n_iter)
    residual = D - first_general(D, mask)[0]
    scale = spread(residual, mask)
    start = spectral_start(residual / scale, mask)
    descent = GD(start)
    for _ in range(n_iter):
        descent.step(lambda w: gradients(w, residual / scale, mask, 0.0))
    assert_same_path(fit, descent.w, start)


def test_general_part_is_re_estimated_given_the_chain_every_ten_iterations():
    """The two share what they explain: one sweep, shrunk by the noise that is left by then."""
    D, mask = problem(missing=0.25)
    D = D + np.linspace(-3, 3, N)[:, None]
    settings = {"width": WIDTH, "init": "gaussian", "init_scale": 0.3, "seed": 7}
    fit = ours(D, mask, **settings, center="two-way", optimizer="gd", max_iter=35)
    general, line = first_general(D, mask)
    scale = spread(D - general, mask)
    descent = GD(wide_start())
    for iteration in range(1, 36):
        target = (D - general) / scale
        descent.step(lambda w, target=target: gradients(w, target, mask, 0.0))
        if iteration % 10 == 0 or iteration == 35:
            rest = D - scale * multiply(descent.w)
            noise = spread(rest - general, mask) ** 2
            general, line = shrunk_two_way(rest, mask, noise, line, sweeps=1)
    assert_same_path(fit, descent.w, wide_start())
    np.testing.assert_allclose(
        fit.matrix(), general + scale * multiply(descent.w), rtol=0, atol=1e-8
    )
    assert np.abs(general - least_squares_two_way(rest, mask)).max() > 0.01


# -- the drugs' own noise -----------------------------------------------------------------------


def uneven_screen(seed=0, n=40, p=60):
    """Rank 2, noise of 0.3 that differs between drugs by a factor of 3, and 3 % deviations."""
    rng = np.random.default_rng(seed)
    sd = np.where(np.arange(n) % 2, 0.17, 0.5)
    D = rng.normal(size=(n, 2)) @ rng.normal(size=(2, p)) + sd[:, None] * rng.normal(size=(n, p))
    D += 2.5 * (rng.random((n, p)) < 0.03)
    fold = rng.random((n, p))
    return D, (fold < 0.7).astype(float), ((fold >= 0.7) & (fold < 0.85)).astype(float), sd


def robust(D, train, validation=None, *, track_jumps=True, **settings):
    """By descent, unless it is told not to track its jumps."""
    settings = {"loss": "mixture", "weight_decay": 1.0, **settings}
    held = None if validation is None else torch.as_tensor(validation)
    return fit_chain(
        torch.as_tensor(D),
        torch.as_tensor(train),
        FitSettings(**settings),
        validation=held,
        track_jumps=track_jumps,
    )


@pytest.fixture
def rescalings(monkeypatch):
    """Iterations at which the drugs were given another scale, and the fit before and after."""
    done = []
    rescale, refresh = Problem.rescale, Problem.refresh
    at = []

    def refreshed(self, sizes, product, iteration):
        at.append(iteration)
        refresh(self, sizes, product, iteration)

    def watched(self, modes, product):
        before, old = self.matrix(product).numpy(), self.scale.numpy().ravel()
        modes = rescale(self, modes, product)
        after = self.matrix(modes.product()).numpy()
        done.append((at[-1], old, self.scale.numpy().ravel(), before, after))
        return modes

    monkeypatch.setattr(Problem, "refresh", refreshed)
    monkeypatch.setattr(Problem, "rescale", watched)
    return done


BURN_INS = [0, 1, 9, 10, 25, 30, 37, 100]


@pytest.mark.parametrize("burn_in", BURN_INS)
def test_drugs_are_rescaled_twice_after_any_burn_in(rescalings, burn_in):
    """Once the loss tells noise from deviations, and again when it does so better."""
    D, train, *_ = uneven_screen()
    robust(D, train, burn_in=burn_in, tol=0.0, max_iter=burn_in + 120)
    first = max(10 * int(np.ceil(burn_in / 10)), 10)  # the first refresh under the robust loss
    assert [done[0] for done in rescalings] == [first + 10, first + 50]


@pytest.mark.parametrize("burn_in", BURN_INS)
def test_no_fit_settles_before_its_drugs_were_rescaled(rescalings, burn_in):
    """A fit in the wrong scale is no end, however little it changes: here anything is little."""
    D, train, *_ = uneven_screen()
    fit = robust(D, train, burn_in=burn_in, tol=0.5, max_iter=1000)
    assert fit.stop_reason.name == "CONVERGED"
    assert len(rescalings) >= 1


@pytest.mark.parametrize("settings", [{"scale_power": 0.0}, {"loss": "hard"}, {"loss": "squared"}])
def test_drugs_keep_their_scale_where_nothing_tells_their_noise(rescalings, settings):
    D, train, *_ = uneven_screen()
    robust(D, train, **settings, max_iter=100, tol=0.0)
    assert not rescalings


def test_rescaling_takes_each_drug_to_its_own_noise_and_keeps_the_fit(rescalings):
    """Noise of 0.17 and 0.5, where the spread, signal included, hardly differs; what was fitted
    stays, since only the units of the descent change."""
    D, train, _, sd = uneven_screen()
    robust(D, train, tol=0.0, max_iter=150)
    for *_, before, after in rescalings:
        # What the chain must leave to the general part is far below the noise of 0.3.
        assert np.sqrt(np.mean((after - before) ** 2)) < 0.03
    first, second = rescalings[0][1], rescalings[-1][2]
    noisy = sd > 0.3
    ratio = [np.median(s[noisy]) / np.median(s[~noisy]) for s in (first, second)]
    assert ratio[1] == pytest.approx(0.5 / 0.17, rel=0.25)
    assert ratio[0] < 1.7
    assert np.exp(np.log(second).mean()) == pytest.approx(np.exp(np.log(first).mean()))


@pytest.mark.parametrize("burn_in", [0, 30])
@pytest.mark.parametrize("patience", [3, 10])
@pytest.mark.parametrize("decay", [0.3, 3.0])
def test_the_best_iterate_is_kept_whole(rescalings, decay, patience, burn_in):
    """Chain, general part and scale of one and the same iteration: a chain of before a rescaling
    in the units of after it would be no fit at all."""
    D, train, held, _ = uneven_screen()
    fit = robust(
        D, train, held, early_stopping=True, patience=patience, burn_in=burn_in, weight_decay=decay,
        max_iter=400,
    )  # fmt: skip
    assert len(rescalings) >= 1
    history = fit.history
    at = history["iteration"].index(fit.n_iter)
    error = np.sqrt(np.mean((D - fit.matrix().numpy())[held > 0] ** 2))
    assert error == pytest.approx(history["validation_rmse"][at], rel=1e-10)
    last = rescalings[-1]
    assert fit.n_iter > last[0]
    np.testing.assert_array_equal(fit.scale.ravel(), last[2])
    since = [k for k, done in enumerate(history["iteration"]) if done > last[0]]
    assert at == min(since, key=lambda k: history["validation_rmse"][k])


@pytest.mark.parametrize("jumps", [True, False], ids=["descent", "shrinkage"])
@pytest.mark.parametrize("noise", [0.03, 0.1, 0.3, 0.6])
def test_noise_is_not_fitted_however_little_of_it_there_is(noise, jumps):
    """Rank 2 of size 1.4 with every entry measured: the error is that of the degrees of freedom
    of rank 2 and the effects, 2 (n + p) + n + p of n p, and not a copy of the data."""
    rng = np.random.default_rng(0)
    n, p = 150, 120
    truth = rng.normal(size=(n, 2)) @ rng.normal(size=(2, p)) + np.linspace(-1, 2, p)
    data = truth + noise * rng.normal(size=(n, p))
    fit = robust(data, np.ones((n, p)), max_iter=1000, track_jumps=jumps)
    assert fit.stop_reason.name == "CONVERGED"
    error = np.sqrt(np.mean((fit.matrix().numpy() - truth) ** 2)) / noise
    oracle = np.sqrt(3 * (n + p) / (n * p))
    assert error < 1.5 * oracle


# -- the global minimum at depth 2 ----------------------------------------------------------


def soft_threshold(matrix, by):
    u, s, vh = np.linalg.svd(matrix, full_matrices=False)
    return (u * np.maximum(s - by, 0)) @ vh


def soft_impute(target, mask, penalty):
    """min sum r^2 / 2 + penalty ||M||_*, by Mazumder, Hastie & Tibshirani 2010."""
    M = np.zeros_like(target)
    for _ in range(20_000):
        previous, M = M, soft_threshold(mask * target + (1 - mask) * M, penalty)
        if np.linalg.norm(M - previous) <= 1e-13 * np.linalg.norm(M):
            return M
    raise AssertionError("the oracle did not converge")


@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["complete", "30 % missing"])
@pytest.mark.parametrize("decay", [0.15, 0.5, 0.8])
def test_depth_two_with_decay_is_the_nuclear_norm_solution(decay, missing):
    """||W1||^2 + ||W2||^2 = 2 ||M||_* at the minimum, so the end is known in advance: the
    global minimum of a convex problem, whatever the descent's path. Complete data are a
    soft-threshold of the singular values."""
    D, mask = problem(missing)
    fit = ours(
        D, mask, depth=2, center="none", weight_decay=decay, learning_rate="auto",
        tol=1e-12, max_iter=20_000,
    )  # fmt: skip
    assert fit.stop_reason.name == "CONVERGED"
    target = D / spread(D, mask)
    # Noise of the whole spread, 1 in scaled units, seen at a share q of the entries.
    penalty = decay * np.sqrt(mask.mean()) * (np.sqrt(N) + np.sqrt(P))
    expected = soft_impute(target, mask, penalty)
    sizes = np.linalg.svd(expected, compute_uv=False)
    if not missing:
        np.testing.assert_allclose(expected, soft_threshold(target, penalty), atol=1e-12)
    rank = int((sizes > 1e-8).sum())
    assert 0 < rank < P  # a threshold that neither spares nor kills everything
    product = fit.chain.product().numpy()
    # tol stops the change over ten iterations, not the distance left: hence its square root.
    assert np.linalg.norm(product - expected) <= 1e-6 * np.linalg.norm(expected)
    # The certificate of the minimum needs no second solver: the slope lies in the subgradient.
    slope = mask * (target - product)
    u, _, vh = np.linalg.svd(product)
    assert np.linalg.norm(slope, 2) <= penalty * (1 + 1e-5)
    np.testing.assert_allclose(
        u[:, :rank].T @ slope @ vh[:rank].T, penalty * np.eye(rank), rtol=0, atol=1e-5 * penalty
    )


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_at_a_decay_of_one_pure_noise_leaves_no_mode(depth):
    """The unit of weight_decay: a mode as large as the largest of noise just vanishes."""
    rng = np.random.default_rng(5)
    noise, mask = rng.normal(size=(60, 80)), (rng.random((60, 80)) < 0.8).astype(float)

    def left(decay):
        fit = ours(
            noise, mask, depth=depth, center="none", weight_decay=decay, learning_rate="auto",
            tol=1e-6, max_iter=5000,
        )  # fmt: skip
        return np.linalg.norm(fit.chain.product().numpy(), 2)

    # The edge of the spectrum is sharp to n^(-2/3): ten per cent either side at this size.
    edge = np.sqrt(60) + np.sqrt(80)
    assert left(1.1) <= 1e-3 * edge
    assert left(0.8) > 0.01 * edge
