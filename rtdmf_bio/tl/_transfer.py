"""A small network trained twice: to reconstruct expression, then to predict all drugs from it.

    first    min over E, G   mean (x - G(E(x)))^2              autoencoder, further samples if given
    then     min over E, H   sum_M (y - H(E(x)))^2 / |M|       E taken over, H new

| symbol | variable  | shape                                                        |
|--------|-----------|--------------------------------------------------------------|
| x      | ``x``     | (n training lines, p genes)                                  |
| y      | ``targets`` | (d drugs, n), each drug scaled to its mean and deviation   |
| M      | ``seen``  | (n, d), 1 where there is a target                            |
| E      | ``encoder`` | p -> 128 -> 32, rectified                                  |
| G, H   | ``decoder``, ``head`` | 32 -> 128 -> p; 32 -> d                          |

Either stage stops by its error on training lines set aside and keeps its best state. In the manner
of TransCell: Yeh et al., Genomics Proteomics Bioinformatics 22 (2024), qzad008.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..model.device import limited_threads, pick_device

Array = NDArray[np.float64]

_WIDTHS = (128, 32)
_RATE, _BATCH = 1e-3, 64  # Adam's own default, and a dozen steps an epoch on a screen of 800 lines
_MAX_EPOCHS, _PATIENCE = 200, 10


def transfer(
    x: Array,
    targets: Array,
    truth: Array,
    x_new: Array,
    inner: NDArray[np.bool_],
    *,
    pretrain: Array | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> Array:
    """Predict every row of ``targets`` for new lines.

    Parameters
    ----------
    x
        Standardised expression of the training lines, shape (n, p).
    targets
        What to train on, one row per drug, shape (d, n), NaN where there is nothing.
    truth
        What stops the training, shape (d, n), NaN where there is nothing.
    x_new
        Expression of the new lines, shape (m, p).
    inner
        The training lines set aside to stop by, shape (n,); neither stage is fitted to them.
    pretrain
        Standardised expression of further samples for the first stage, shape (k, p).
    device
        As torch knows it, or ``"auto"``.
    seed
        Of the start and of the order of the lines.

    Returns
    -------
    Shape (d, m); NaN for a drug without a target outside ``inner``.
    """
    place = pick_device(device, "float32")
    generator = torch.Generator().manual_seed(seed)
    fit = ~inner
    seen = np.isfinite(targets[:, fit])
    trainable = seen.any(1, keepdims=True)
    count = np.maximum(seen.sum(1, keepdims=True), 1)
    level = np.nansum(targets[:, fit], axis=1, keepdims=True) / count
    deviation = np.nan_to_num(targets[:, fit] - level)
    spread = np.sqrt((deviation**2).sum(1, keepdims=True) / count)
    spread[spread == 0] = 1

    def tensor(array: Array) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=place)

    def scaled(rows: Array, lines: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        part = np.where(trainable, (rows - level) / spread, np.nan)[:, lines].T
        return tensor(np.nan_to_num(part)), tensor(np.isfinite(part).astype(float))

    widths = (x.shape[1], *_WIDTHS)
    encoder = nn.Sequential(*_layers(widths, generator), nn.ReLU())
    decoder = nn.Sequential(*_layers(widths[::-1], generator))
    # From zero, which is each drug's mean: the noise of a random start would be learned first.
    head = _linear(_WIDTHS[-1], len(targets))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    samples = x[fit] if pretrain is None else np.concatenate([x[fit], pretrain])
    with limited_threads(0):
        for network, examples, goal, check in (
            (nn.Sequential(encoder, decoder), samples, _all(tensor(samples)),
             _all(tensor(x[inner]))),
            (nn.Sequential(encoder, head), x[fit], scaled(targets, fit), scaled(truth, inner)),
        ):  # fmt: skip
            _descend(network.to(place), tensor(examples), goal, tensor(x[inner]), check, generator)
    with torch.no_grad():
        scores = head(encoder(tensor(x_new))).cpu().double().numpy().T
    return np.asarray(np.where(trainable, level + spread * scores, np.nan))


def _all(values: Tensor) -> tuple[Tensor, Tensor]:
    return values, torch.ones_like(values)


def _linear(n_in: int, n_out: int) -> nn.Linear:
    # By way of "meta", or its own start would advance the global random state.
    return nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")


def _layers(widths: tuple[int, ...], generator: torch.Generator) -> list[nn.Module]:
    """Return linear layers with random starts, rectified in between."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layer = _linear(n_in, n_out)
        with torch.no_grad():
            layer.weight.normal_(0, (2 / n_in) ** 0.5, generator=generator)
            layer.bias.zero_()
        layers += [layer, nn.ReLU()]
    return layers[:-1]


def _loss(output: Tensor, values: Tensor, seen: Tensor) -> Tensor:
    return (seen * (output - values) ** 2).sum() / seen.sum().clamp(min=1)


def _descend(
    network: nn.Module,
    x: Tensor,
    goal: tuple[Tensor, Tensor],
    x_check: Tensor,
    check: tuple[Tensor, Tensor],
    generator: torch.Generator,
) -> None:
    """Train until the error on the lines set aside stops improving; leave the best state."""
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
    values, seen = goal
    best, state, waited = np.inf, None, 0
    for _ in range(_MAX_EPOCHS):
        with torch.no_grad():
            error = float(_loss(network(x_check), *check))
        if error < best:
            best, state, waited = error, deepcopy(network.state_dict()), 0
        else:
            waited += 1
            if waited == _PATIENCE:
                break
        for batch in torch.split(torch.randperm(len(x), generator=generator), _BATCH):
            rows = batch.to(x.device)
            optimizer.zero_grad()
            _loss(network(x[rows]), values[rows], seen[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    if state is not None:
        network.load_state_dict(state)
