"""DBDNMF: a linear and a nonlinear function of the same latent drug factors.

    M = (1 - alpha) f(L) + alpha L R,    f = linear . relu . linear . relu . linear

| symbol | variable     | shape                                                        |
|--------|--------------|--------------------------------------------------------------|
| M      | ``fitted``   | (n drugs, p lines)                                           |
| L      | ``latent``   | (n, rank), free: the network has no other input              |
| R      | ``right``    | (rank, p)                                                    |
| f      | ``layers``   | rank -> hidden -> hidden -> p, weights and biases            |

Source: Liu et al., PLoS Computational Biology 20 (2024) e1012012; in the form that Hu et al.,
Briefings in Bioinformatics 2025, compare with. Liu et al. differ: both branches have one hidden
layer, tanh and linear, weights are penalised, and the descent is resilient propagation.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..model.checks import Seed, as_seed, check_number
from ..model.device import limited_threads
from ._shared import Grid, Matrix, check, hide, tuned_over

_CHECK = 10  # iterations between looks at the validation error
_START = 0.01  # standard deviation of the first L and R, for data of unit size


def _grid(data: Matrix) -> Grid:
    """The published mixtures and learning rate, and a tenfold one, which real screens like."""
    return [
        {"alpha": alpha, "learning_rate": rate}
        for rate in (1e-3, 1e-2)
        for alpha in (0.2, 0.4, 0.5, 0.6, 0.8)
    ]


@tuned_over(_grid)
def dbdnmf(
    X: ArrayLike,
    *,
    alpha: float = 0.5,
    rank: int = 10,
    hidden: int = 100,
    learning_rate: float = 1e-3,
    max_iter: int = 2000,
    patience: int = 200,
    validation: NDArray[np.bool_] | None = None,
    random_state: Seed = 0,
) -> Matrix:
    """Dual-branch deep neural matrix factorization.

    Parameters
    ----------
    X
        Drugs x cell lines, NaN where not measured, in any unit.
    alpha
        Weight of the linear branch, 0 to 1; the network has the rest.
    rank
        Number of latent factors of a drug.
    hidden
        Units in each of the network's two hidden layers.
    learning_rate
        Of Adam, for data divided by their root mean square.
    max_iter
        Most iterations, each over all entries.
    patience
        With ``validation``: stop after so many iterations without a lower error.
    validation
        Boolean mask of measured entries, shape of ``X``, that are not fitted: the fit with the
        least error on them is returned. Without, the last: it has seen everything, and nothing
        but ``max_iter`` keeps it from fitting the noise.
    random_state
        Seed of the first weights; a NumPy Generator or RandomState to draw it from; or None for
        any.

    Returns
    -------
    M in the shape and unit of ``X``, float64 (computed in float32).

    Raises
    ------
    TypeError, ValueError
        If ``X`` is not numeric, holds infinities, or a drug or line was never measured (or only
        in ``validation``), and if a parameter is out of range.
    FloatingPointError
        If the descent diverges.

    Notes
    -----
    Plain mean squared error and Adam, as in the comparison of Hu et al., who keep every 1000th of
    50,000 iterations and choose by validation error; here every 10th is looked at.
    """
    check_number("alpha", alpha, 0.0, 1.0)
    check_number("learning_rate", learning_rate, 0.0)
    random_state = as_seed(random_state)
    for name, value in (
        ("rank", rank),
        ("hidden", hidden),
        ("max_iter", max_iter),
        ("patience", patience),
    ):
        check_number(name, value, 1)
    data = seen = check(X)
    if validation is not None:
        validation = np.asarray(validation)
        seen = check(hide(data, validation))
    size = math.sqrt(np.nanmean(seen**2))
    target = torch.as_tensor(np.nan_to_num(seen / size), dtype=torch.float32)
    train = torch.as_tensor(np.isfinite(seen), dtype=torch.float32)
    n, p = data.shape
    widths = (rank, hidden, hidden, p)
    cost = n * (rank * p + sum(a * b for a, b in itertools.pairwise(widths)))
    with limited_threads(cost), torch.enable_grad():
        generator = torch.Generator().manual_seed(random_state)
        latent = _START * torch.randn(n, rank, generator=generator)
        right = _START * torch.randn(rank, p, generator=generator)
        layers = [_layer(a, b, generator) for a, b in itertools.pairwise(widths)]
        parameters = [w.requires_grad_() for w in (latent, right, *itertools.chain(*layers))]
        descent = torch.optim.Adam(parameters, lr=learning_rate)
        best, best_error, best_iteration = None, math.inf, 0
        for iteration in range(max_iter + 1):
            fitted = (1 - alpha) * _network(latent, layers) + alpha * (latent @ right)
            if validation is not None and iteration % _CHECK == 0:
                now = fitted.detach().numpy().astype(float) * size
                error = float(np.mean((now - data)[validation] ** 2))
                if error < best_error:
                    best, best_error, best_iteration = now, error, iteration
                elif iteration - best_iteration >= patience:
                    break
            if iteration == max_iter:
                break
            descent.zero_grad()
            loss = ((fitted - target) * train).square().sum() / train.sum()
            torch.autograd.backward(loss)
            descent.step()
    answer: Matrix = fitted.detach().numpy().astype(float) * size if best is None else best
    if not np.isfinite(answer).all():
        raise FloatingPointError("DBDNMF produced non-finite values; use a smaller learning_rate.")
    return answer


def _layer(n_in: int, n_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weights and biases as torch's linear layers begin: uniform within 1 / sqrt(n_in)."""
    bound = 1 / math.sqrt(n_in)
    weight, bias = (torch.rand(s, generator=generator) for s in ((n_in, n_out), (n_out,)))
    return bound * (2 * weight - 1), bound * (2 * bias - 1)


def _network(out: Tensor, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
    for weight, bias in layers[:-1]:
        out = torch.relu(out @ weight + bias)
    weight, bias = layers[-1]
    return out @ weight + bias
