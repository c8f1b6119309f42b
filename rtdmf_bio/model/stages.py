"""From a clean matrix to its low-rank part, its completion and its noise.

Stage 1  L = general part + chain, by the chosen loss: broad structure, robust to spikes.
Stage 2  H = general part + chain of D - a L, by squared loss, a = 1 or 0 by hold-out.
         Missing entries are imputed by a L + H.

One hold-out serves everything that is not given: the weight decay of either stage, and the
noise that the threshold is chosen from. Flags need an L that the spikes did not leak into;
imputation wants all the structure there is: hence two stages. Whatever a user sets of the descent
holds for both; the second is always a compact chain under squared loss, which an optimizer that
does not keep it balanced (``adam``, ``adagrad``) cannot fit: it takes ``accelerated`` instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .noise import DrugNoise
from .pileups import FEWEST, PileUps, Telling
from .prediction import Blend, Parts
from .preparation import two_way
from .problem import FitSettings
from .process import REACHES, predict
from .rows import some_rows
from .solver import Fit, Ground, StopReason, fit_chain
from .workers import Workers

FOLD = "all but a fold"
_FIRST_DECAY = 0.8  # of the spread after centring: few modes, so that it is soon fitted
_RATIO = 1.6
_DECAYS = (0.1, 3.5)
_SAMPLE = 1500  # drugs that tell whether a process helps
# Share of L in the completion: where the decays tried are written, and what a user is told.
_SECOND = {
    1.0: ("impute_weight_decay", "of what L leaves"),
    0.0: ("impute_alone_weight_decay", "alone"),
}
_WORTH = 1e-3  # of the held-out error: what a process has to take off
_VANISHED = 0.1  # of the residuals' spread
_NORMAL_Q90 = 1.6449  # nine tenths of a normal's absolute values lie below

_SOLVER_SETTINGS = (
    "depth", "width", "init", "init_scale", "loss", "burn_in", "optimizer", "learning_rate",
    "momentum", "early_stopping", "patience", "center", "scale_power", "max_iter", "tol",
)  # fmt: skip
_OF_BOTH_STAGES = ("depth", "scale_power", "max_iter", "tol")
_OF_THE_DESCENT = ("optimizer", "learning_rate", "momentum")
_UNBALANCED = ("adam", "adagrad")

Tick = Callable[[int], object]
Array = NDArray[np.float64]


@dataclass
class Plan:
    """What to do, in the model's own terms; None means: choose by hold-out."""

    settings: FitSettings
    second: FitSettings
    threshold: float | None
    weight_decay: float | None
    refine: bool
    refine_decay: float | None
    process: bool
    refit: bool
    track_jumps: bool

    @classmethod
    def of(cls, params: Mapping[str, Any], *, track_jumps: bool, unit: float) -> Plan:
        """Make a plan of the parameters of RTDMF, all of them given, in units of ``unit``."""

        def number(name: str) -> float | None:
            return None if params[name] == "auto" else float(params[name])

        balanced = params["optimizer"] not in _UNBALANCED
        shared = (*_OF_BOTH_STAGES, *(_OF_THE_DESCENT if balanced else ()))
        return cls(
            settings=FitSettings(
                **{name: params[name] for name in _SOLVER_SETTINGS}, seed=params["random_state"]
            ),
            second=FitSettings(loss="squared", **{name: params[name] for name in shared}),
            threshold=None if isinstance(params["threshold"], str) else params["threshold"] / unit,
            weight_decay=number("weight_decay"),
            refine=params["impute"] != "low-rank",
            refine_decay=number("impute_weight_decay"),
            process=params["impute"] == "process",
            refit=params["refit"],
            track_jumps=track_jumps,
        )

    @property
    def needs_holdout(self) -> bool:
        decay = self.weight_decay is None or (self.refine and self.refine_decay is None)
        return decay or self.threshold is None or self.settings.early_stopping


@dataclass
class Inputs:
    """A matrix as fits take it: tensors (n, p), less ``offset``, in units of ``unit``."""

    data: Tensor  # 0 where not measured
    observed: Tensor  # 1 where measured
    held_out: Tensor | None  # 1 where held out
    folds: Tensor | None  # of cross-fitting, -1 where in none; what is held out is fold 0
    telling: Telling | None  # which residuals tell of noise; None: all
    unit: float
    offset: float

    @classmethod
    def of(
        cls,
        data: Array,
        held_out: NDArray[np.bool_] | None,
        folds: NDArray[np.int8] | None,
        piles: PileUps,
        *,
        unit: float,
        center: bool,
        device: torch.device,
        dtype: torch.dtype,
    ) -> Inputs:
        """From a matrix with NaN where not measured.

        Far from zero there are few digits left in float32, so that what is taken out anyway is
        taken out before.
        """
        observed = np.isfinite(data)
        # Of the training entries, as nothing held out may have a say in a fit, and a multiple of
        # the unit, so that it is the same with and without them.
        train = observed if held_out is None else observed & ~held_out
        offset = unit * round(float(data[train].mean()) / unit) if center else 0.0

        def tensor(array: NDArray[Any]) -> Tensor:
            return torch.as_tensor(array, dtype=dtype, device=device)

        scaled = tensor(np.where(observed, (data - offset) / unit, 0.0))
        telling = None
        if piles.share:
            low, high = (tensor((end - offset) / unit) for end in (piles.low, piles.high))
            telling = Telling(scaled, tensor(piles.piled), low, high, piles.most)
        held = None if held_out is None else tensor(held_out)
        fold = None if folds is None else torch.as_tensor(folds, device=device)
        return cls(scaled, tensor(observed), held, fold, telling, unit, offset)


@dataclass
class FitRecord:
    """How one fit went."""

    stage: str  # low-rank, or refinement
    fitted_to: str  # training entries, all, or all but a fold
    weight_decay: float
    n_iter: int
    rank: int
    stop_reason: StopReason


@dataclass
class Result:
    """Fitted stages and what was chosen on the way."""

    first: Fit
    second: Fit | None
    weight_decay: float
    refine_decay: float
    noise: DrugNoise | None = None  # of D - L; known once it is judged, as is the threshold
    threshold: float = math.nan
    share: float = 1.0  # of L in the completion
    reach: float = REACHES[0]  # of the process
    parts: Parts | None = None  # predictions by what was fitted last
    unseen: Parts | None = None  # by fits that did not see the entry, where it is in a fold
    blend: Blend = field(default_factory=Blend)
    validation_rmse: dict[str, float] = field(default_factory=dict)
    unseen_rmse: dict[str, float] = field(default_factory=dict)
    threshold_range: tuple[float, float] | None = None  # over the folds
    decay_path: dict[str, list[float]] = field(default_factory=dict)
    fits: list[FitRecord] = field(default_factory=list)
    noise_vanished: bool = False
    fallen_back: bool = False  # L is drug + line means, which predict better

    @property
    def stop_reason(self) -> StopReason:
        """The worst end of all fits but those of the folds, which only judge."""
        ends = [fit.stop_reason for fit in self.fits if fit.fitted_to != FOLD]
        if self.noise_vanished:
            ends.append(StopReason.NOISE_VANISHED)
        return max(ends, key=list(StopReason).index)

    def arrays(self, inputs: Inputs) -> Fitted:
        """What the thresholding of residuals needs, in the data's units."""
        unit, offset, telling = inputs.unit, inputs.offset, inputs.telling

        def array(part: Tensor) -> Array:
            return unit * as_array(part) + offset

        assert self.parts is not None
        assert self.noise is not None
        unseen = unseen_low = None
        if self.unseen is not None and inputs.folds is not None:
            outside = (inputs.folds < 0).cpu().numpy()
            unseen, unseen_low = array(self.blend.of(self.unseen)), array(self.unseen.low_rank)
            unseen[outside] = unseen_low[outside] = np.nan
        return Fitted(
            low_rank=array(self.parts.low_rank),
            predicted=array(self.blend.of(self.parts)),
            unseen=unseen,
            unseen_low_rank=unseen_low,
            fold=None if inputs.folds is None else inputs.folds.cpu().numpy(),
            jump=None if self.first.jump is None else as_array(self.first.jump),
            noise=self.noise,
            telling=None if telling is None else telling.to_cpu(),
            threshold=unit * self.threshold,
            unit=unit,
        )


@dataclass
class Fitted:
    """A result as arrays: matrices (n, p) in the data's units, noise in units of ``unit``."""

    low_rank: Array
    predicted: Array  # every entry, by fits that saw what was measured
    unseen: Array | None  # measured entries, by fits that did not; NaN where there is none
    unseen_low_rank: Array | None
    fold: NDArray[np.int8] | None
    jump: Array | None
    noise: DrugNoise
    telling: Telling | None
    threshold: float  # as given, or as the noise asks for
    unit: float


def unit_of(data: Array) -> float:
    """A power of two near the spread, so that no bit is lost and no code below knows a unit."""
    return float(2.0 ** round(math.log2(np.nanstd(data))))


def run(
    inputs: Inputs, plan: Plan, tick: Callable[[str], Tick], workers: Workers | None = None
) -> Result:
    """Choose what is open on the hold-out, then fit to everything (or not, without refit).

    Parameters
    ----------
    inputs
        The matrix; entries must be held out if the plan has gaps.
    tick
        Given the name of a step, returns the progress callback for it.
    workers
        Who do what is independent at the same time; None: one after the other.
    """
    return _Run(inputs, plan, tick, workers or Workers(1)).result()


class _Run:
    def __init__(
        self, inputs: Inputs, plan: Plan, tick: Callable[[str], Tick], workers: Workers
    ) -> None:
        self.plan, self.tick, self.workers = plan, tick, workers
        self.data, self.observed = inputs.data, inputs.observed
        self.held_out, self.folds = inputs.held_out, inputs.folds
        self.telling = inputs.telling
        self.fits: dict[str, list[FitRecord]] = {}  # by what was done, in its order

    def result(self) -> Result:
        plan = self.plan
        if self.held_out is None:
            result = self._judged(None, plan, self.observed)
        else:
            train = self.observed * (1 - self.held_out)
            chosen = self._choose(self.held_out, train)
            settings, why = plan.settings, None
            if settings.early_stopping:
                steps, why = max(chosen.first.n_iter, 1), chosen.first.stop_reason
                settings = replace(settings, early_stopping=False, max_iter=steps, tol=0.0)
            decays = chosen.weight_decay, chosen.refine_decay
            final = replace(plan, settings=settings, weight_decay=decays[0], refine_decay=decays[1])
            result = self._judged(chosen, final, self.observed if plan.refit else train, why)
        return replace(result, fits=[fit for done in self.fits.values() for fit in done])

    def _choose(self, held_out: Tensor, train: Tensor) -> Result:
        """Both stages on the training entries, with what the others say of them."""
        plan, data, inside = self.plan, self.data, held_out > 0
        path: dict[str, list[float]] = {}

        def first_stage(decay: float) -> tuple[float, Fit]:
            fit = self._fit(
                "low-rank",
                data,
                train,
                replace(plan.settings, weight_decay=decay),
                note=f"hold-out, weight decay {decay:.3g}",
                eta=plan.threshold,
                validation=held_out,
                track_jumps=plan.track_jumps and not plan.refit,
            )
            if plan.weight_decay is not None:  # nothing to compare it with
                return math.nan, fit
            error = data - fit.matrix()
            if plan.settings.loss == "squared":
                return _rms(error[inside]), fit
            return self._noise(error, inside).nll(error, inside), fit

        decay, first = _search(first_stage, plan.weight_decay, path, "weight_decay")
        low_rank = first.matrix()
        rmse = {"low_rank": _rms((data - low_rank)[inside])}
        second, refine_decay, share = None, plan.refine_decay or 0.0, 1.0
        if plan.refine:
            # Where the broad structure is all there is to learn, the robust L is the better half
            # of the answer; where single responses teach about others, squared loss alone is.
            rests = {a: data - a * low_rank for a in _SECOND}
            grounds = {
                a: Ground(rest, train, plan.second, self.telling) for a, rest in rests.items()
            }

            def second_stage(a: float, group: str, decay: float) -> tuple[float, Fit]:
                fit = self._fit(
                    "refinement",
                    rests[a],
                    train,
                    replace(plan.second, weight_decay=decay),
                    note=f"hold-out, second stage {_SECOND[a][1]}, weight decay {decay:.3g}",
                    group=group,
                    ground=grounds[a],
                )
                return _rms((rests[a] - fit.matrix())[inside]), fit

            def search(a: float) -> tuple[float, Fit]:
                name, _ = _SECOND[a]
                return _search(partial(second_stage, a, name), plan.refine_decay, path, name)

            self._in_order(name for name, _ in _SECOND.values())
            found = self.workers.each([partial(search, a) for a in _SECOND])
            trials = [
                (_rms((rests[a] - fit.matrix())[inside]), a, best, fit)
                for a, (best, fit) in zip(_SECOND, found, strict=True)
            ]
            rmse["imputed"], share, refine_decay, second = min(trials, key=lambda t: t[0])
            if plan.refine_decay is None:
                # Between the steps of the grid, of the better share.
                near = {f"near, {half}": refine_decay * _RATIO**half for half in (-0.5, 0.5)}
                self._in_order(near)
                tasks = [partial(second_stage, share, *one) for one in near.items()]
                tried = self.workers.each(tasks)
                _note(path, _SECOND[share][0], list(near.values()), [score for score, _ in tried])
                for other, (score, fit) in zip(near.values(), tried, strict=True):
                    if score < rmse["imputed"]:
                        rmse["imputed"], refine_decay, second = score, other, fit
        return Result(
            first=first,
            second=second,
            weight_decay=decay,
            refine_decay=refine_decay,
            share=share,
            validation_rmse=rmse,
            decay_path=path,
        )

    def _both(
        self,
        plan: Plan,
        share: float,
        train: Tensor,
        *,
        note: str = "fit",
        track_jumps: bool = False,
        **how: Any,
    ) -> tuple[Fit, Fit | None]:
        """Both stages on ``train``, with nothing left to choose."""
        settings = replace(plan.settings, weight_decay=plan.weight_decay or 0.0)
        how["note"] = note
        first = self._fit(
            "low-rank",
            self.data,
            train,
            settings,
            eta=plan.threshold,
            track_jumps=track_jumps,
            **how,
        )
        if not plan.refine:
            return first, None
        settings = replace(plan.second, weight_decay=plan.refine_decay or 0.0)
        rest = self.data - share * first.matrix()
        how.pop("why", None)
        return first, self._fit("refinement", rest, train, settings, **how)

    def _judged(
        self, chosen: Result | None, final: Plan, seen: Tensor, why: StopReason | None = None
    ) -> Result:
        """Fit to all that may be seen; predict measured entries by fits that have not seen them.

        Parameters
        ----------
        chosen
            The fit to the training entries that choices were made by, or None.
        final
            What to do, nothing being left to choose.
        seen
            1 at the entries that the fit may see: those of ``chosen``, or all.
        why
            How the fits end, if that was chosen, too.
        """
        plan, folds, held_out = self.plan, self.folds, self.held_out
        share = 1.0 if chosen is None else chosen.share
        reach = REACHES[0] if plan.process else None
        judged = None
        if chosen is not None and held_out is not None:
            reach, judged = self._reach(chosen, self.observed * (1 - held_out), held_out > 0)

        n_folds = 0 if folds is None else int(folds.max()) + 1
        # What is held out is the first fold.
        left = list(range(0 if judged is None else 1, n_folds))
        again = chosen is None or plan.refit
        kinds: list[int | None] = [*left]
        if again:
            kinds.insert(0, None)  # all that may be seen

        def entries(k: int | None) -> Tensor:
            return seen if k is None else seen * (folds != k)

        def fits(k: int | None) -> tuple[Fit, Fit | None]:
            if k is None:
                return self._both(final, share, seen, why=why, track_jumps=plan.track_jumps)
            note = f"without fold {k + 1} of {n_folds}"
            return self._both(final, share, entries(k), note=note, why=why, fold=True)

        def predictions(
            k: int | None, both: tuple[Fit, Fit | None]
        ) -> tuple[Fit, Fit | None, Parts]:
            return *both, self._parts(*both, share, entries(k), reach)

        self._in_order(["fit", *(f"without fold {k + 1} of {n_folds}" for k in left)])
        done = self.workers.each(
            [partial(fits, k) for k in kinds], [partial(predictions, k) for k in kinds]
        )
        if again:
            first, second, parts = done.pop(0)
        else:
            assert chosen is not None
            assert judged is not None
            first, second, parts = chosen.first, chosen.second, judged
        base = Result(first, second, final.weight_decay or 0.0, final.refine_decay or 0.0)
        result = replace(chosen or base, first=first, second=second, reach=reach or REACHES[0])
        where = None if held_out is None else held_out > 0
        if folds is not None:
            unseen = parts if judged is None else judged
            for k, (_, _, without_k) in zip(left, done, strict=True):
                unseen = without_k.at(folds == k, unseen)
            judged, where = unseen, folds >= 0
        return self._told(result, parts, judged, where, final)

    def _told(
        self, result: Result, parts: Parts, judged: Parts | None, where: Tensor | None, final: Plan
    ) -> Result:
        """What entries at ``where``, of which ``judged`` has not seen any, tell of the fit."""
        data, folds, held_out, threshold = self.data, self.folds, self.held_out, self.plan.threshold
        if judged is None or where is None or int(where.sum()) < FEWEST:
            # The noise is that of the fitted residuals then, which is on the small side.
            error, where = data - result.first.matrix(), self.observed > 0
            noise = self._noise(error, where)
            return replace(
                result,
                parts=parts,
                noise=noise,
                threshold=noise.even_odds() if threshold is None else threshold,
                noise_vanished=_has_vanished(noise, error[where]),
            )
        # By absolute errors: a robust L does not follow the spikes that means are dragged by.
        fallen_back = self.plan.process and bool(
            (data - judged.low_rank)[where].abs().mean() > (data - judged.means)[where].abs().mean()
        )
        unseen = None if folds is None else judged
        if fallen_back:
            judged, parts = judged.without_low_rank(), parts.without_low_rank()
            unseen = judged
        error = data - judged.low_rank
        each = [] if folds is None else [folds == k for k in range(int(folds.max()) + 1)]
        each = [fold for fold in each if int(fold.sum()) >= FEWEST]
        noise, *single = DrugNoise.fit_each(error, self.observed, [where, *each], self.telling)
        sizes = [one.even_odds() for one in single]
        blend = Blend.fit(data, judged, where) if self.plan.process else result.blend
        rmse = {
            "low_rank": _rms(error[where]),
            "completed": _rms((data - judged.completed)[where]),
            "predicted": _rms((data - blend.of(judged))[where]),
            "two_way_means": _rms((data - judged.means)[where]),
        }
        if judged.process is not None:
            rmse["process"] = _rms((data - judged.process)[where])
        validation = dict(result.validation_rmse)
        if held_out is not None and final.refine:
            validation["imputed"] = _rms((data - blend.of(judged))[held_out > 0])
        return replace(
            result,
            parts=parts,
            unseen=unseen,
            blend=blend,
            noise=noise,
            threshold=noise.even_odds() if threshold is None else threshold,
            noise_vanished=_has_vanished(noise, error[where]),
            validation_rmse=validation,
            unseen_rmse=rmse,
            threshold_range=(min(sizes), max(sizes)) if sizes else None,
            fallen_back=fallen_back,
        )

    def _reach(self, chosen: Result, train: Tensor, held_out: Tensor) -> tuple[float | None, Parts]:
        """The reach that predicts held-out entries best, and the parts with it; None: none helps.

        In a large screen some of the drugs tell.
        """
        parts = self._without_process(chosen.first, chosen.second, chosen.share, train)
        if not self.plan.process:
            return None, parts
        n, large = len(train), len(train) > 2 * _SAMPLE
        rows = some_rows(n, _SAMPLE).to(train.device) if large else slice(None)
        data, held = self.data[rows], held_out[rows]
        few = parts.rows(rows)
        tasks = [partial(self._process, few, data, train[rows], h) for h in REACHES]
        each = self.workers.each(tasks)
        errors = [_rms((data - process)[held]) for process in each]
        best = errors.index(min(errors))
        reach, tried = REACHES[best], replace(few, process=each[best])
        blended = Blend(Blend.fit(data, tried, held).process).of(tried)
        if _rms((data - blended)[held]) > (1 - _WORTH) * _rms((data - few.completed)[held]):
            return None, parts
        if large:
            tried = replace(parts, process=self._process(parts, self.data, train, reach))
        return reach, tried

    def _parts(
        self, first: Fit, second: Fit | None, share: float, train: Tensor, reach: float | None
    ) -> Parts:
        """What a fit to ``train`` says of every entry; without a reach no process does."""
        parts = self._without_process(first, second, share, train)
        if reach is None:
            return parts
        return replace(parts, process=self._process(parts, self.data, train, reach))

    def _without_process(
        self, first: Fit, second: Fit | None, share: float, train: Tensor
    ) -> Parts:
        means = two_way(self.data * train, train).matrix()
        low_rank = first.matrix()
        completed = low_rank if second is None else share * low_rank + second.matrix()
        return Parts(low_rank, completed, None, means)

    def _process(self, parts: Parts, data: Tensor, train: Tensor, reach: float) -> Tensor:
        return predict(data * train, train, parts.completed, self.tick("process"), reach)

    def _in_order(self, groups: Iterable[str]) -> None:
        """Keep what is about to be done in this order, whoever is first."""
        self.fits.update({group: [] for group in groups})

    def _fit(
        self,
        stage: str,
        data: Tensor,
        train: Tensor,
        settings: FitSettings,
        *,
        note: str = "fit",
        group: str | None = None,
        why: StopReason | None = None,
        fold: bool = False,
        **options: Any,
    ) -> Fit:
        """One fit, and how it went; ``why`` is known of one that repeats another."""
        fit = fit_chain(
            data, train, settings, telling=self.telling, tick=self.tick(note), **options
        )
        fit.stop_reason = why or fit.stop_reason
        self.fits.setdefault(group or note, []).append(
            FitRecord(
                stage,
                "all" if train is self.observed else FOLD if fold else "training entries",
                settings.weight_decay,
                fit.n_iter,
                fit.chain.rank,
                fit.stop_reason,
            )
        )
        return fit

    def _noise(self, error: Tensor, inside: Tensor) -> DrugNoise:
        return DrugNoise.fit(error, self.observed, inside, self.telling)


def as_array(tensor: Tensor) -> Array:
    """Return float64, on the CPU."""
    array: Array = tensor.cpu().double().numpy()
    return array


def _rms(error: Tensor) -> float:
    return float(error.cpu().double().square().mean().sqrt())


def _has_vanished(noise: DrugNoise, residual: Tensor) -> bool:
    """Whether the noise lies far below the residuals' own spread, by what is not their tail."""
    spread = float(residual.cpu().double().abs().quantile(0.9)) / _NORMAL_Q90
    return noise.sd < _VANISHED * spread


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
    # Up first, where fewer modes are left; down, if that is no better.
    for direction in (1, -1):
        k = direction
        if best > 0:
            break
        while _DECAYS[0] <= _decay(k) <= _DECAYS[1]:
            scores[k], fit = evaluate(_decay(k))
            if scores[k] < scores[best]:
                best, best_fit = k, fit
            if not scores[k] < scores[k - direction]:
                break
            k += direction
    _note(path, name, [_decay(k) for k in scores], list(scores.values()))
    return _decay(best), best_fit


def _note(
    path: dict[str, list[float]], name: str, decays: list[float], scores: list[float]
) -> None:
    """Add decays that were tried, and keep them in their order."""
    known = zip(path.get(name, []), path.get(f"{name}_score", []), strict=True)
    both = sorted([*known, *zip(decays, scores, strict=True)])
    path[name] = [decay for decay, _ in both]
    path[f"{name}_score"] = [score for _, score in both]


def _decay(k: int) -> float:
    return float(_FIRST_DECAY * _RATIO**k)
