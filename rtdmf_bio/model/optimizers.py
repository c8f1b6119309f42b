"""Ways down: each takes a gradient function and moves a chain.

Rates are for the mean squared error of data scaled to unit spread, gradients are of half the sum of
squares: the factor between the two is 2 / N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from .factorization import Chain

Gradients = Callable[[Chain], list[Tensor]]


class Optimizer(Protocol):
    """Moves a chain, one step at a time."""

    def reset(self, chain: Chain, step: float) -> None:
        """Begin anew from ``chain``, with the step that the curvature now allows."""

    def step(self, chain: Chain) -> Chain:
        """The chain one step on."""


def make(
    name: str, gradients: Gradients, rate: float | str, momentum: float, n_train: int
) -> Optimizer:
    """One of ``accelerated``, ``gd``, ``momentum``, ``adam`` or ``adagrad``."""
    fixed = None if rate == "auto" else float(rate)
    if name == "accelerated":
        return Accelerated(gradients, None if fixed is None else fixed * 2 / n_train)
    return TorchOptimizer(name, gradients, fixed, momentum, n_train)


class Accelerated:
    """Nesterov's method with the step of the problem's scale and restart by gradient.

    Restart: O'Donoghue & Candes 2015, the gradient scheme.
    """

    def __init__(self, gradients: Gradients, size: float | None) -> None:
        self.gradients, self.fixed = gradients, size

    def reset(self, chain: Chain, step: float) -> None:
        self.size = step if self.fixed is None else self.fixed
        self.t = 1.0
        self.ahead = chain.clone()

    def step(self, chain: Chain) -> Chain:
        ahead, old = self.ahead, chain.factors
        gradients = self.gradients(ahead)
        new = [w - self.size * g for w, g in zip(ahead.factors, gradients, strict=True)]
        uphill = sum(
            float(((y - n) * (n - o)).sum())
            for y, n, o in zip(ahead.factors, new, old, strict=True)
        )
        t = 1.0 if uphill > 0 else (1 + math.sqrt(1 + 4 * self.t**2)) / 2
        beta = 0.0 if uphill > 0 else (self.t - 1) / t
        self.t = t
        self.ahead = Chain([n + beta * (n - o) for n, o in zip(new, old, strict=True)])
        return Chain(new)


class TorchOptimizer:
    """Gradient descent, momentum, Adam or Adagrad from torch, on the mean squared error."""

    def __init__(
        self, name: str, gradients: Gradients, rate: float | None, momentum: float, n_train: int
    ) -> None:
        self.name, self.gradients, self.fixed = name, gradients, rate
        self.momentum, self.n_train = momentum, n_train

    def reset(self, chain: Chain, step: float) -> None:
        plain = self.name in ("gd", "momentum")
        rate = self.fixed
        if rate is None:
            rate = step * self.n_train / 2 if plain else 1e-3
        self.optimizer: torch.optim.Optimizer
        if self.name == "adam":
            self.optimizer = torch.optim.Adam(chain.factors, rate)
        elif self.name == "adagrad":
            self.optimizer = torch.optim.Adagrad(chain.factors, rate)
        else:
            momentum = self.momentum if self.name == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(chain.factors, rate, momentum=momentum)

    def step(self, chain: Chain) -> Chain:
        for w, g in zip(chain.factors, self.gradients(chain), strict=True):
            w.grad = g * (2 / self.n_train)
        self.optimizer.step()
        return chain
