"""The chain of factors: product, gradient, decomposition and starts."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch

from rtdmf_bio.model.factorization import Chain, Modes, random_chain, thin_svd
from rtdmf_bio.model.loss import Loss
from rtdmf_bio.model.mixture import Mixture

pytestmark = pytest.mark.usefixtures("one_thread")

N, P = 7, 6
EPS = torch.finfo(torch.float64).eps
DEPTHS = [2, 3, 4, 5]
WIDTHS = [pytest.param(3, id="compact"), pytest.param(9, id="wide")]
DECAY = 0.3


def draw(depth: int, width: int) -> Chain:
    generator = torch.Generator().manual_seed(depth)
    return random_chain((N, P), depth, width, "gaussian", 0.7, generator, torch.float64)


def active_loss(name: str) -> Loss:
    """A loss past its burn-in, its state fixed, so that it is a function of the residual alone."""
    eta = torch.linspace(0.5, 1.5, N, dtype=torch.float64)[:, None]
    loss = Loss(name, eta, burn_in=0)
    loss.mixture = Mixture(s=0.4, m=1.2, t=0.9, a=0.7, pi=0.2)
    # As after an update: drugs and lines with odds of their own.
    loss._by_drug = torch.linspace(-1, 1, N, dtype=torch.float64)[:, None]
    loss._by_line = torch.linspace(0.5, -0.5, P, dtype=torch.float64)[None]
    return loss


def problem():
    rng = np.random.default_rng(1)
    target = torch.as_tensor(rng.normal(size=(N, P)))
    mask = torch.as_tensor((rng.random((N, P)) < 0.8).astype(float))
    return target, mask


def rho(loss: Loss, r: torch.Tensor) -> torch.Tensor:
    """Of the mixture -s^2 log density, its three parts written out; the others are the loss's."""
    if loss.name != "mixture":
        return loss.value(r)
    mix = loss.mixture
    odds = math.log(mix.pi / (1 - mix.pi)) + loss._by_drug + loss._by_line
    pi = torch.sigmoid(odds.clamp(max=0))
    parts = [
        torch.log(share) - 0.5 * ((r - middle) / spread) ** 2 - math.log(spread)
        for share, middle, spread in (
            (1 - pi, 0.0, mix.s),
            (pi * mix.a, mix.m, mix.t),
            (pi * (1 - mix.a), -mix.m, mix.t),
        )
    ]
    return -(mix.s**2) * torch.logsumexp(torch.stack(parts), 0)


def objective(factors, target, mask, loss):
    """F, the sum of rho over training entries plus half the decay, by torch's own products."""
    residual = target - torch.linalg.multi_dot(factors)
    decay = sum(w.square().sum() for w in factors)
    return (rho(loss, residual) * mask).sum() + DECAY / 2 * decay


def closed_form(chain, target, mask, loss):
    residual = target - chain.product()
    weight, shift = loss.pull(residual)
    through = chain.gradients(-weight * (residual - shift) * mask)
    return [g + DECAY * w for g, w in zip(through, chain.factors, strict=True)]


cases = pytest.mark.parametrize(
    ("depth", "width", "name"),
    [
        pytest.param(depth, width, name, id=f"{depth}-{label}-{name}")
        for depth in DEPTHS
        for width, label in ((3, "compact"), (9, "wide"))
        for name in ("squared", "clip", "hard", "mixture")
    ],
)


@cases
def test_closed_form_gradient_is_that_of_autograd(depth, width, name):
    """Everything the solver does rests on this one formula."""
    chain, (target, mask), loss = draw(depth, width), problem(), active_loss(name)
    leaves = [w.clone().requires_grad_() for w in chain.factors]
    objective(leaves, target, mask, loss).backward()
    for ours, leaf in zip(closed_form(chain, target, mask, loss), leaves, strict=True):
        size = float(leaf.grad.abs().max())
        # One rounding for each of the terms summed, along the whole chain.
        assert float((ours - leaf.grad).abs().max()) <= depth * N * width * EPS * size


@cases
def test_closed_form_gradient_is_the_slope_of_the_objective(depth, width, name):
    """Autograd shares code with the loss; finite differences do not believe it either."""
    chain, (target, mask), loss = draw(depth, width), problem(), active_loss(name)
    generator = torch.Generator().manual_seed(99)
    along = [
        torch.randn(w.shape, generator=generator, dtype=w.dtype) / w.numel() ** 0.5
        for w in chain.factors
    ]
    step = EPS ** (1 / 3)

    def moved(h):
        factors = [w + h * v for w, v in zip(chain.factors, along, strict=True)]
        return float(objective(factors, target, mask, loss))

    if name == "hard":  # has no slope where a residual crosses eta
        ends = [Chain([w + h * v for w, v in zip(chain.factors, along, strict=True)])
                for h in (-step, step)]  # fmt: skip
        sides = [(target - end.product()).abs() < loss.eta for end in ends]
        assert torch.equal(*sides)
    slope = (moved(step) - moved(-step)) / (2 * step)
    gradients = closed_form(chain, target, mask, loss)
    ours = sum(float((g * v).sum()) for g, v in zip(gradients, along, strict=True))
    # Error of central differences: step^2 times a third derivative, plus rounding of F / step.
    scale = abs(moved(0)) + sum(float(g.norm()) for g in gradients)
    assert abs(ours - slope) <= 10 * EPS ** (2 / 3) * scale


SHAPES = [pytest.param((11, 4), id="tall"), pytest.param((4, 11), id="wide"),
          pytest.param((6, 6), id="square")]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_either_side_gives_the_same_product_and_gradients(shape, depth, width):
    """A tall chain is multiplied from the right, which is the transposed problem's left; written
    out by NumPy, in the order in which the formula stands, it is the same."""
    generator = torch.Generator().manual_seed(depth)
    chain = random_chain(shape, depth, width, "gaussian", 0.7, generator, torch.float64)
    through = torch.randn(shape, generator=generator, dtype=torch.float64)
    turned = Chain([w.T.clone() for w in reversed(chain.factors)])
    assert chain.is_tall == (shape[0] > shape[1])
    factors, G = [w.numpy() for w in chain.factors], through.numpy()

    def product(parts, size):
        return functools.reduce(np.matmul, parts, np.eye(size))

    def close(ours, expected):
        tolerance = depth * sum(shape) * width * EPS * np.abs(expected).max()
        np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance)

    close(chain.product(), product(factors, shape[0]))
    close(chain.product(), turned.product().T.numpy())
    gradients = chain.gradients(through)
    assert [g.shape for g in gradients] == [w.shape for w in chain.factors]
    for g, other in zip(gradients, reversed(turned.gradients(through.T)), strict=True):
        close(g, other.T.numpy())
    for k, g in enumerate(gradients):
        left, right = product(factors[:k], shape[0]), product(factors[k + 1 :], factors[k].shape[1])
        close(g, left.T @ G @ right.T)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_svd_of_a_chain_is_that_of_its_product(depth, width):
    """It is computed without forming the product, from thin decompositions."""
    chain = draw(depth, width)
    modes = chain.modes()
    s = modes.size
    product = np.linalg.multi_dot([w.numpy() for w in chain.factors])
    tolerance = depth * N * width * EPS * np.linalg.norm(product, 2)
    np.testing.assert_allclose(chain.product().numpy(), product, rtol=0, atol=tolerance)
    expected = np.linalg.svd(product, compute_uv=False)[: len(s)]
    np.testing.assert_allclose(s.numpy(), expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(modes.product().numpy(), product, rtol=0, atol=tolerance)


@pytest.mark.parametrize("depth", DEPTHS)
def test_balanced_chain_has_the_product_asked_for_and_is_balanced(depth):
    """Under Wl' Wl = W(l+1) W(l+1)' descent on a narrow chain follows that on a wide one."""
    target, _ = problem()
    u, s, vh = torch.linalg.svd(target, full_matrices=False)
    chain = Modes(u, s, vh.T).chain(depth)
    tolerance = depth * N * P * EPS * float(s[0])
    np.testing.assert_allclose(chain.product(), target, rtol=0, atol=tolerance)
    np.testing.assert_allclose(chain.mode_sizes(), s, rtol=0, atol=tolerance)
    for w, after in zip(chain.factors, chain.factors[1:], strict=False):
        np.testing.assert_allclose(w.T @ w, after @ after.T, rtol=0, atol=tolerance)
    assert (chain.depth, chain.rank) == (depth, min(N, P))


@pytest.mark.parametrize("shape", [(7, 12), (12, 7), (9, 9)])
def test_thin_svd_is_that_of_numpy(shape):
    """By the smaller product of the matrix with itself, whichever side that is."""
    matrix = np.random.default_rng(1).normal(size=shape)
    modes = thin_svd(torch.as_tensor(matrix))
    expected = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(modes.size, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(modes.product(), matrix, rtol=0, atol=1e-12)
    for vectors in (modes.u, modes.v):
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(min(shape)), atol=1e-12)


def start(init, *, depth=3, width=5, scale=0.2, shape=(N, P), seed=0) -> Chain:
    generator = torch.Generator().manual_seed(seed)
    return random_chain(shape, depth, width, init, scale, generator, torch.float64)


@pytest.mark.parametrize("init", ["gaussian", "orthogonal", "identity", "uniform"])
def test_random_start_is_decided_by_its_seed_alone(init):
    """Neither does it read the global random state, nor does it move it."""
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = start(init)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    again, other = start(init), start(init, seed=1)
    assert [tuple(w.shape) for w in first.factors] == [(N, 5), (5, 5), (5, P)]
    for a, b, c in zip(first.factors, again.factors, other.factors, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c) == (init == "identity")


@pytest.mark.parametrize("init", ["gaussian", "orthogonal", "identity", "uniform"])
def test_random_start_is_the_same_network_in_either_precision(init):
    """A seed names a network; how many digits it is carried with is another matter."""
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    one, two = (
        random_chain((N, P), 3, 5, init, 0.2, generator, dtype)
        for generator, dtype in zip(generators, (torch.float32, torch.float64), strict=True)
    )
    for a, b in zip(one.factors, two.factors, strict=True):
        assert a.dtype == torch.float32
        assert torch.equal(a, b.float())


def test_gaussian_start_has_the_standard_deviation_asked_for():
    """The published start: every weight N(0, init_scale^2)."""
    weights = torch.cat([w.ravel() for w in start("gaussian", width=100, scale=1e-3).factors])
    # Standard error of a standard deviation: sigma / sqrt(2 n).
    assert float(weights.std()) == pytest.approx(1e-3, rel=4 / (2 * len(weights)) ** 0.5)
    assert abs(float(weights.mean())) < 4 * 1e-3 / len(weights) ** 0.5


def test_uniform_start_is_uniform_within_its_edge():
    """sqrt(3) init_scale^(1/L) (rows x columns)^(-1/4), so the product is of size init_scale."""
    for w in start("uniform", width=100, scale=0.2).factors:
        edge = 3**0.5 * 0.2 ** (1 / 3) * w.numel() ** -0.25
        assert float(w.abs().max()) <= edge
        # Standard error of the variance of a uniform: edge^2 sqrt(4 / 45 / n).
        spread = 4 * (4 / 45 / w.numel()) ** 0.5
        assert float(w.square().mean()) / edge**2 == pytest.approx(1 / 3, abs=spread)


def test_identity_start_is_a_scaled_identity_from_end_to_end():
    product = start("identity", width=9).product().numpy()
    np.testing.assert_allclose(product, 0.2 * np.eye(N, P), rtol=0, atol=8 * EPS)


def test_orthogonal_start_is_orthogonal_factor_by_factor():
    """Scaled as in the published code for deep factorization: (init_scale sqrt n)^(1/L)."""
    expected = (0.2 * N**0.5) ** (1 / 3)
    for w in start("orthogonal", width=9).factors:
        sizes = np.linalg.svd(w.numpy(), compute_uv=False)
        np.testing.assert_allclose(sizes, expected, rtol=0, atol=32 * EPS)
