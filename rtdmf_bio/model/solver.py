"""From a matrix to a fit: by shrinkage of singular values where it ends alike, else by descent.

A compact chain under weight decay comes to rest where its singular values are those of
shrinkage.py, which is mostly there in a sixth of the iterations, but not under a robust loss with
hardly any decay. What is asked of the way down itself - random starts, other optimizers and rates,
early stopping, jumps - is asked of a descent (descent.py).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .descent import descend
from .fit import Fit, StopReason, Watch
from .pileups import Telling
from .problem import FitSettings, Ground, Problem
from .shrinkage import shrink_to_rest

__all__ = ["Fit", "FitSettings", "Ground", "StopReason", "fit_chain"]


def fit_chain(
    data: Tensor,
    train: Tensor,
    settings: FitSettings,
    *,
    eta: float | None = None,
    telling: Telling | None = None,
    validation: Tensor | None = None,
    track_jumps: bool = False,
    ground: Ground | None = None,
    tick: Callable[[int], object] | None = None,
) -> Fit:
    """Fit drug and line effects and chain to the entries where ``train`` is 1.

    Parameters
    ----------
    data
        Finite everywhere (zero where not measured), shape (n drugs, p lines).
    train
        1 on entries to fit, 0 elsewhere, shape and dtype of ``data``. Entries at 0 have no
        influence on the fit.
    settings
        The fit's settings.
    eta
        In-training threshold of ``clip`` and ``hard``, in the data's units; None: automatic.
    telling
        Which residuals tell of noise; None: all.
    validation
        Mask of entries whose error is monitored, and stopped on with ``early_stopping``.
    track_jumps
        Record the largest single-iteration change of each fitted value, in units of that
        iteration's root mean square change (for ``retain="abrupt"``).
    ground
        What to begin with, if it is known: of the same data, entries, ``center`` and
        ``scale_power``.
    tick
        Called with the number of iterations done since the last call.

    Raises
    ------
    FloatingPointError
        If the descent diverges.
    """
    ground = ground or Ground(data, train, settings, telling)
    problem = Problem(ground, settings, eta)
    watch = Watch(data, problem, validation)
    tick = tick or (lambda _: None)
    if _only_the_end_counts(settings) and not track_jumps:
        return shrink_to_rest(problem, watch, tick)
    return descend(problem, watch, track_jumps, tick)


def _only_the_end_counts(s: FitSettings) -> bool:
    """Whether nothing is asked of the way that only a descent has."""
    spectral = s.init == "spectral" and s.init_scale == 1 and s.weight_decay > 0
    own_pace = s.optimizer == "accelerated" and s.learning_rate == "auto"
    return spectral and own_pace and not s.early_stopping
