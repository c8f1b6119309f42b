"""From a clean matrix to its low-rank part, its completion and its noise.

Stage 1  L = general part + chain, by the chosen loss: broad structure, robust to spikes.
Stage 2  H = general part + chain of D - a L, by squared loss, a = 1 or 0 by hold-out.
         Missing entries are imputed by a L + H.

One hold-out serves everything that is not given: the weight decay of either stage, and the
noise that the threshold is chosen from. Flags need an L that the spikes did not leak into;
imputation wants all the structure there is: hence two stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .noise import DrugNoise
from .problem import FitSettings
from .solver import Fit, fit_chain

_FIRST_DECAY = 0.5  # half of the spread after centring is a usual share of noise
_RATIO = 1.6
_DECAYS = (0.1, 3.5)

_SOLVER_SETTINGS = (
    "depth", "width", "init", "init_scale", "loss", "burn_in", "optimizer", "learning_rate",
    "momentum", "early_stopping", "patience", "center", "scale_power", "max_iter", "tol",
)  # fmt: skip

Tick = Callable[[int], object]
Array = NDArray[np.float64]


@dataclass
class Plan:
    """What to do, in the model's own terms; None means: choose by hold-out."""

    settings: FitSettings
    threshold: float | None
    weight_decay: float | None
    refine: bool
    refine_decay: float | None
    refit: bool
    track_jumps: bool

    @classmethod
    def of(cls, params: Mapping[str, Any], *, track_jumps: bool, unit: float) -> Plan:
        """Make a plan of the parameters of RTDMF, all of them given, in units of ``unit``."""

        def number(name: str) -> float | None:
            return None if params[name] == "auto" else float(params[name])

        settings = FitSettings(
            **{name: params[name] for name in _SOLVER_SETTINGS}, seed=params["random_state"]
        )
        return cls(
            settings=settings,
            threshold=None if params["threshold"] == "auto" else params["threshold"] / unit,
            weight_decay=number("weight_decay"),
            refine=params["impute"] == "refined",
            refine_decay=number("impute_weight_decay"),
            refit=params["refit"],
            track_jumps=track_jumps,
        )

    @property
    def needs_holdout(self) -> bool:
        decay = self.weight_decay is None or (self.refine and self.refine_decay is None)
        return decay or self.threshold is None or self.settings.early_stopping


@dataclass
class Result:
    """Fitted stages and what was chosen on the way."""

    first: Fit
    second: Fit | None
    threshold: float
    noise: DrugNoise  # of D - L
    noise_refined: DrugNoise  # of D - completion
    weight_decay: float
    refine_decay: float
    share: float = 1.0  # of L in the completion
    validation_rmse: dict[str, float] = field(default_factory=dict)
    decay_path: dict[str, list[float]] = field(default_factory=dict)

    def low_rank(self) -> Tensor:
        return self.first.matrix()

    def completed(self) -> Tensor:
        low_rank = self.low_rank()
        return low_rank if self.second is None else self.share * low_rank + self.second.matrix()

    def arrays(self, unit: float) -> Fitted:
        """What the thresholding of residuals needs, in the data's units."""
        return Fitted(
            low_rank=unit * as_array(self.low_rank()),
            completed=unit * as_array(self.completed()),
            scale=as_array(self.first.scale),
            jump=None if self.first.jump is None else as_array(self.first.jump),
            noise=self.noise,
            noise_refined=self.noise_refined,
            threshold=unit * self.threshold,
            unit=unit,
        )


@dataclass
class Fitted:
    """A result as arrays: matrices (n, p) in the data's units, noise in units of ``unit``."""

    low_rank: Array
    completed: Array
    scale: Array  # of the drugs, (n, 1)
    jump: Array | None
    noise: DrugNoise
    noise_refined: DrugNoise
    threshold: float  # as given, or as the noise asks for
    unit: float


def run(
    data: Tensor,
    observed: Tensor,
    held_out: Tensor | None,
    plan: Plan,
    tick: Callable[[str], Tick],
) -> Result:
    """Choose what is open on the hold-out, then fit to everything (or not, without refit).

    Parameters
    ----------
    data
        Finite everywhere, (n, p).
    observed, held_out
        1 where measured, and 1 where held out; ``held_out`` is needed if the plan has gaps.
    tick
        Given the name of a step, returns the progress callback for it.
    """
    if held_out is None:
        return _fit_all(data, observed, plan, None, tick("fit"))
    train = observed * (1 - held_out)
    inside = held_out > 0
    path: dict[str, list[float]] = {}

    def first_stage(decay: float) -> tuple[float, Fit]:
        fit = fit_chain(
            data,
            train,
            replace(plan.settings, weight_decay=decay),
            eta=plan.threshold,
            validation=held_out,
            track_jumps=plan.track_jumps and not plan.refit,
            tick=tick(f"hold-out, weight decay {decay:.3g}"),
        )
        error = data - fit.matrix()
        if plan.settings.loss == "squared":
            return _rms(error[inside]), fit
        return DrugNoise.fit(error, observed, inside).nll(error, inside), fit

    decay, first = _search(first_stage, plan.weight_decay, path, "weight_decay")
    low_rank = first.matrix()
    error = data - low_rank
    noise = DrugNoise.fit(error, observed, inside)
    rmse = {"low_rank": _rms(error[inside])}
    second, refine_decay, noise_refined, share = None, 0.0, noise, 1.0
    if plan.refine:
        # Where the broad structure is all there is to learn, the robust L is the better half of
        # the answer; where single responses teach about others, squared loss alone is.
        trials = []
        for a in (1.0, 0.0):
            rest = data - a * low_rank

            def second_stage(decay: float, rest: Tensor = rest) -> tuple[float, Fit]:
                settings = replace(_second_settings(plan.settings), weight_decay=decay)
                note = f"hold-out, second stage, weight decay {decay:.3g}"
                fit = fit_chain(rest, train, settings, tick=tick(note))
                return _rms((rest - fit.matrix())[inside]), fit

            name = "impute_weight_decay" if a else "impute_alone_weight_decay"
            trial_decay, fit = _search(second_stage, plan.refine_decay, path, name)
            wrong = rest - fit.matrix()
            trials.append((_rms(wrong[inside]), a, trial_decay, fit, wrong))
        rmse["imputed"], share, refine_decay, second, error = min(trials, key=lambda t: t[0])
        noise_refined = DrugNoise.fit(error, observed, inside)

    threshold = noise.even_odds() if plan.threshold is None else plan.threshold
    chosen = Result(
        first, second, threshold, noise, noise_refined, decay, refine_decay, share, rmse, path
    )
    if not plan.refit:
        return chosen
    settings = plan.settings
    if settings.early_stopping:
        steps = max(first.n_iter, 1)
        settings = replace(settings, early_stopping=False, max_iter=steps, tol=0.0)
    final = replace(plan, settings=settings, weight_decay=decay, refine_decay=refine_decay)
    fitted = _fit_all(data, observed, final, chosen, tick("fit"))
    if plan.settings.early_stopping:
        fitted.first.stop_reason = first.stop_reason
    return fitted


def _fit_all(
    data: Tensor, observed: Tensor, plan: Plan, chosen: Result | None, tick: Tick
) -> Result:
    """Both stages on everything observed, with nothing left to choose."""
    decay, refine_decay = plan.weight_decay or 0.0, plan.refine_decay or 0.0
    first = fit_chain(
        data,
        observed,
        replace(plan.settings, weight_decay=decay),
        eta=plan.threshold,
        track_jumps=plan.track_jumps,
        tick=tick,
    )
    share = 1.0 if chosen is None else chosen.share
    inside = observed > 0
    low_rank = first.matrix()
    second = None
    if plan.refine:
        settings = replace(_second_settings(plan.settings), weight_decay=refine_decay)
        second = fit_chain(data - share * low_rank, observed, settings, tick=tick)
    if chosen is not None:
        return replace(chosen, first=first, second=second)
    rest = data - low_rank
    # Without a hold-out the noise is that of the fitted residuals, which is on the small side.
    noise = DrugNoise.fit(rest, observed, inside)
    refined = noise
    if second is not None:
        refined = DrugNoise.fit(rest - second.matrix(), observed, inside)
    threshold = noise.even_odds() if plan.threshold is None else plan.threshold
    return Result(first, second, threshold, noise, refined, decay, refine_decay)


def as_array(tensor: Tensor) -> Array:
    """Return float64, on the CPU."""
    array: Array = tensor.cpu().double().numpy()
    return array


def _rms(error: Tensor) -> float:
    return float(error.cpu().double().square().mean().sqrt())


def _second_settings(settings: FitSettings) -> FitSettings:
    """The second stage is always the compact chain under squared loss, on centred data."""
    return FitSettings(
        depth=settings.depth,
        loss="squared",
        scale_power=settings.scale_power,
        max_iter=FitSettings.max_iter,
        tol=FitSettings.tol,
    )


def _search(
    evaluate: Callable[[float], tuple[float, Fit]],
    given: float | None,
    path: dict[str, list[float]],
    name: str,
) -> tuple[float, Fit]:
    """Walk downhill over a geometric grid of decays; or take the given one."""
    if given is not None:
        return given, evaluate(given)[1]
    score, fit = evaluate(_FIRST_DECAY)
    scores, best, best_fit = {0: score}, 0, fit
    # Both ways from the middle, each until it gets worse: the curve may be flat there.
    for direction in (-1, 1):
        k = direction
        while _DECAYS[0] <= _decay(k) <= _DECAYS[1]:
            scores[k], fit = evaluate(_decay(k))
            if scores[k] < scores[best]:
                best, best_fit = k, fit
            if not scores[k] < scores[k - direction]:
                break
            k += direction
    path[name] = [_decay(k) for k in sorted(scores)]
    path[f"{name}_score"] = [scores[k] for k in sorted(scores)]
    return _decay(best), best_fit


def _decay(k: int) -> float:
    return float(_FIRST_DECAY * _RATIO**k)
