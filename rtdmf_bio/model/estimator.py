"""RTDMF: residual thresholded deep matrix factorization of one array."""

from __future__ import annotations

import contextlib
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from .checks import (
    Checked,
    Seed,
    as_seed,
    check_groups,
    check_matrix,
    check_number,
    check_replicates,
)
from .device import inner_width, limited_threads, pick_device
from .enrichment import Enrichment
from .factorization import Chain
from .holdout import validation_mask
from .labels import groups_in_order, in_order, mask_in_order, names_of
from .pileups import WARN, pile_ups
from .preparation import trivial_answers
from .settings import resolve
from .solver import StopReason
from .stages import FitRecord, Fitted, Inputs, Plan, Result, as_array, run, unit_of
from .thresholding import Thresholded, Thresholding, threshold_residuals

logger = logging.getLogger("rtdmf_bio")

_SMALLEST_MODE = 1e-3  # of the largest: what lies below is rounding


class RTDMF(BaseEstimator):  # type: ignore[misc]
    """Correct and complete a drug-sensitivity matrix.

    The matrix is split into broad structure, high residuals and noise: D = L + R. L is a general
    part (drug effect + line effect) plus a deep linear factorization W1 W2 ... WL fitted to the
    measured entries. Residuals of at least ``threshold`` are high; the retention rule says how
    much of each residual is kept. Missing entries are imputed.

    A parameter left at None takes its value from ``preset``:

    ==================== ========================== ==========================================
    parameter            ``"default"``              ``"paper"`` (Algorithm 1 as published)
    ==================== ========================== ==========================================
    depth                3                          5
    width                "auto": compact chain      500
    init, init_scale     spectral, 1                gaussian, 1e-3
    loss                 mixture                    squared
    optimizer            accelerated                adam
    learning_rate        "auto"                     1e-4
    weight_decay         1                          0
    early_stopping       False                      True
    impute               refined                    low-rank
    center, scale_power  two-way, 0.5               none, 0
    refit                True                       False
    max_iter, tol        1000, 5e-3                 50,000, 1e-3
    retain               enriched + shrink          enriched; abrupt without groups
    specific_weight      0.7                        1
    ==================== ========================== ==========================================

    Parameters
    ----------
    preset
        ``"default"`` or ``"paper"``.
    threshold
        Size from which a residual is high, in the data's units; ``"auto"``: where, among
        held-out residuals, noise and large deviation are equally likely.
    retain
        One rule or several: ``all``, ``enriched``, ``abrupt``, ``soft``, ``shrink``, ``none``.
    specific_weight
        With ``shrink``, what is particular to a drug counts this much, from 0 to 1, beside the
        general part (level of the drug, general sensitivity of the line). Between laboratories
        the general part carries over better; 1 weighs nothing. Retained and imputed entries are
        not weighed.
    loss
        ``squared``, ``clip`` (Huber at the threshold), ``hard`` (high residuals do not train) or
        ``mixture`` (residuals are noise, or deviations of some size to either side, more common
        in some drugs and lines than in others; deviations hardly train).
    depth
        Number of factors, at least 2.
    width
        Inner width of a random network, or ``"auto"``: a compact chain started from the data's
        spectrum, whose rank grows when it is too small. It needs no seed.
    init, init_scale
        Start: ``spectral`` (balanced), ``gaussian``, ``orthogonal``, ``identity``, ``uniform``.
    optimizer, learning_rate, momentum
        ``accelerated`` (Nesterov with restart), ``gd``, ``momentum``, ``adam`` or ``adagrad``. A
        rate is for the mean squared error of data scaled to unit spread; ``"auto"``: from the
        largest singular value (``adam``, ``adagrad``: 1e-3). The second stage's compact chain
        takes ``accelerated`` at ``"auto"`` for these two.
    weight_decay, impute_weight_decay
        Decay of either stage in units of noise: at 1, a mode no larger than the largest that
        noise alone has just vanishes. The noise is estimated by the robust losses; for
        ``squared`` loss, the second stage's, it is the whole spread. ``"auto"``: by hold-out.
    impute
        ``"low-rank"``: missing entries get L. ``"refined"``: a second, squared-loss chain,
        fitted either to the residual and added to L, or to the data alone, whichever predicts
        held-out entries better.
    early_stopping, patience
        Stop when the validation error has not improved for ``patience`` checks, 10 iterations
        apart, and keep the best iterate.
    refit
        After choosing on the hold-out, fit again to everything observed.
    center
        ``"two-way"``: take out drug and line effects, shrunk by their reliability; ``"none"``.
    scale_power
        Drugs are divided by their residual spread to this power, from 0 (alike) to 1; above 0,
        ``mixture`` goes on to each drug's own noise once it can tell it from deviations.
    max_iter, tol, burn_in
        Iterations per fit; relative change over 10 iterations that ends it; squared-loss
        iterations before ``hard`` and ``mixture`` begin.
    validation_fraction
        Share of measured entries held out for every choice.
    fdr, min_group_size, group_missing
        Enrichment: false discovery rate; smallest group tested; ``"error"`` or ``"ignore"`` for
        lines without a label.
    infinite
        ``"error"``, ``"nan"`` (not measured) or ``"clip"`` (to the finite range).
    unmeasured
        Drugs or lines without measurement: ``"error"``, or ``"nan"`` to carry them along.
    max_missing
        Refuse a matrix with a larger share of missing entries.
    device, dtype
        ``cpu``, ``cuda``, ``mps`` or ``auto`` (cuda if present, else cpu); ``float32`` or
        ``float64``.
    random_state
        Seed of the hold-out and of a random start; a NumPy Generator or RandomState to draw it
        from; or None for any. ``params_`` has the seed.
    progress
        Show a progress bar on a terminal.

    Attributes
    ----------
    corrected_ : array (n, p)
        Corrected and completed matrix.
    low_rank_ : array (n, p)
        L, what residuals are measured from.
    completed_ : array (n, p)
        The prediction of every entry, measured or not: L, or what the second stage makes of it.
    specific_ : array (n, p)
        What is particular to a drug: the matrix denoised and completed, before any weighing,
        without the general part ``level_ + slope_ * sensitivity_``.
    level_, slope_ : arrays (n,)
        Of each drug: its mean, and how far it follows the general sensitivity of the lines.
    sensitivity_ : array (p,)
        General sensitivity of the lines, of mean 0 and variance 1; its sign is the measure's.
    reliability_ : array (n,)
        With ``shrink``, the share kept of what the other drugs do not predict; NaN otherwise.
    residual_ : array (n, p)
        D - L, NaN where not measured.
    weight_ : array (n, p)
        Share kept of the distance to what the entry is drawn to, L or, with ``shrink``, the
        prediction from the other drugs; 0 where not measured.
    flag_ : int8 array (n, p)
        0 imputed, 1 measured and corrected, 2 high residual not retained, 3 high and retained.
    threshold_, noise_ : float
        Threshold used, and standard deviation of the noise (root mean square over drugs), in
        the data's units.
    noise_by_drug_ : array (n,)
        Standard deviation of each drug's noise; NaN for a drug never measured.
    false_flag_rate_ : float
        Share of pure noise that exceeds the threshold, on average over drugs.
    weight_decay_, impute_weight_decay_ : float
        As used.
    validation_rmse_ : dict
        Held-out root mean square error of L and of the completion, beside that of the grand mean
        and of drug mean + line mean; empty without hold-out. The same entries chose the threshold
        and the completion's weight decay: :func:`rtdmf_bio.pp.tune` has a test that chose nothing.
    effects_ : tuple of arrays (n,), (p,)
        Drug effects and line effects that the chain was fitted beside.
    factors_ : list of arrays
        W1 ... WL over the drugs and lines that were measured, in units of ``scale_`` (n,).
    enrichment_ : Enrichment or None
        One row per drug x group x side tested.
    history_ : dict
        Iteration, training and validation error and rank of the first stage.
    decay_path_ : dict
        Decays tried on the hold-out and their scores, in units of a power of two near the spread.
    n_iter_ : int
        Iterations of the first stage.
    stop_reason_ : StopReason
        The worst end of all fits.
    fits_ : list of FitRecord
        Of every fit, those of the hold-out too: its stage, what it was fitted to, weight decay,
        iterations, rank and end.
    pile_ups_ : dict
        Measurements at a value that many share, such as a cap: ``share`` of all, the ``values``
        that the whole screen shares with their ``shares``, and ``n_drugs`` with one of their own.
        They are fitted, but tell nothing of noise.
    params_ : dict
        Every parameter as used.
    n_features_in_, feature_names_in_
        Number of lines, and their names where ``X`` is a DataFrame with text for columns.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025 (RT-DMF).

    Examples
    --------
    >>> import numpy as np
    >>> from rtdmf_bio import RTDMF
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 1)) @ rng.normal(size=(1, 60)) + rng.normal(0, 0.1, (40, 60))
    >>> X[rng.random(X.shape) < 0.2] = np.nan
    >>> model = RTDMF().fit(X)
    >>> bool(np.isfinite(model.corrected_).all())
    True
    """

    def __init__(
        self,
        preset: str = "default",
        *,
        threshold: float | str = "auto",
        retain: str | tuple[str, ...] | None = None,
        specific_weight: float | None = None,
        loss: str | None = None,
        depth: int | None = None,
        width: int | str | None = None,
        init: str | None = None,
        init_scale: float | None = None,
        optimizer: str | None = None,
        learning_rate: float | str | None = None,
        momentum: float | None = None,
        weight_decay: float | str | None = None,
        impute: str | None = None,
        impute_weight_decay: float | str | None = None,
        early_stopping: bool | None = None,
        patience: int | None = None,
        refit: bool | None = None,
        center: str | None = None,
        scale_power: float | None = None,
        max_iter: int | None = None,
        tol: float | None = None,
        burn_in: int | None = None,
        validation_fraction: float = 0.15,
        fdr: float = 0.05,
        min_group_size: int = 3,
        group_missing: str = "error",
        infinite: str = "error",
        unmeasured: str = "error",
        max_missing: float = 0.95,
        device: str = "auto",
        dtype: str = "float32",
        random_state: Seed = 0,
        progress: bool = False,
    ) -> None:
        self.preset = preset
        self.threshold = threshold
        self.retain = retain
        self.specific_weight = specific_weight
        self.loss = loss
        self.depth = depth
        self.width = width
        self.init = init
        self.init_scale = init_scale
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.impute = impute
        self.impute_weight_decay = impute_weight_decay
        self.early_stopping = early_stopping
        self.patience = patience
        self.refit = refit
        self.center = center
        self.scale_power = scale_power
        self.max_iter = max_iter
        self.tol = tol
        self.burn_in = burn_in
        self.validation_fraction = validation_fraction
        self.fdr = fdr
        self.min_group_size = min_group_size
        self.group_missing = group_missing
        self.infinite = infinite
        self.unmeasured = unmeasured
        self.max_missing = max_missing
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.progress = progress

    def fit(
        self,
        X: ArrayLike,
        y: None = None,
        *,
        groups: Any = None,
        replicates: Any = None,
        validation: ArrayLike | None = None,
        drug_names: Any = None,
        line_names: Any = None,
    ) -> RTDMF:
        """Fit to ``X``, drugs x cell lines, NaN where not measured.

        Parameters
        ----------
        X
            Shape (n drugs, p lines), one measure, any unit. Where it is a DataFrame, what else is a
            Series or a DataFrame is matched by name, and otherwise by position.
        y
            Ignored, for scikit-learn.
        groups
            One label per line (p,), or a mapping of several such groupings, name -> labels.
        replicates
            One label per drug (n,); rows with the same label are the same drug, screened more than
            once. ``shrink`` then takes the noise from their disagreement; None or NaN is a drug of
            its own.
        validation
            Boolean mask (n, p) of the entries to hold out for every choice; with ``refit=False``
            they are never trained on. None: drawn at random, where a choice is left.
        drug_names, line_names
            Used in error messages.

        Raises
        ------
        TypeError, ValueError
            If a parameter, the matrix or the groups cannot be used.
        FloatingPointError
            If the descent diverges.
        """
        start = time.perf_counter()
        params = resolve({**self.get_params(), "random_state": as_seed(self.random_state)})
        drugs, lines = names_of(X)
        groups = groups_in_order(groups, lines)
        replicates = in_order(replicates, drugs, "replicates", "drugs")
        validation = mask_in_order(validation, drugs, lines)
        checked = check_matrix(
            X,
            infinite=params["infinite"],
            unmeasured=params["unmeasured"],
            max_missing=params["max_missing"],
            drug_names=drugs if drug_names is None else drug_names,
            line_names=lines if line_names is None else line_names,
        )
        shape = np.shape(X)
        named = check_groups(groups, shape[1], missing=params["group_missing"])
        named = {key: labels[checked.lines] for key, labels in named.items()}
        rules = params["retain"] if named else params["retain_without_groups"]
        if "enriched" in rules and not named:
            raise ValueError(
                "retain='enriched' tests groups of cell lines, and none were given. Give groups "
                "(group_key in pp.correct), or use 'shrink', 'all', 'soft' or 'abrupt'."
            )
        if self.specific_weight is not None and "shrink" not in rules:
            warnings.warn(
                f"specific_weight={self.specific_weight} is ignored: it belongs to "
                f"retain='shrink', and retain is {rules}.",
                UserWarning,
                stacklevel=2,
            )
        params["retain"] = rules
        twins = check_replicates(replicates, shape[0], checked.drugs, rules)
        device = pick_device(params["device"], params["dtype"])
        data = checked.data
        unit = unit_of(data)
        plan = Plan.of(params, track_jumps="abrupt" in rules, unit=unit)
        held_out = None
        if plan.needs_holdout or validation is not None:
            held_out = validation_mask(
                validation,
                np.isfinite(data),
                np.ix_(checked.drugs, checked.lines),
                shape,
                params["validation_fraction"],
                np.random.default_rng(params["random_state"]),
            )
        piles = pile_ups(data)
        if piles.share >= WARN:
            warnings.warn(piles.message(), UserWarning, stacklevel=2)
        inputs = Inputs.of(
            data,
            held_out,
            piles,
            unit=unit,
            center=params["center"] == "two-way",
            device=device,
            dtype=getattr(torch, params["dtype"]),
        )
        try:
            with (
                limited_threads(data.size * inner_width(params["width"])),
                torch.no_grad(),
                _progress(params["progress"]) as tick,
            ):
                result = run(inputs, plan, tick)
        except KeyboardInterrupt as stop:
            stop.add_note(StopReason.INTERRUPTED.value)
            raise
        fitted = result.arrays(inputs)
        basis = _Basis(checked, shape, fitted, named, twins)
        found = basis.threshold(fitted.threshold, params)
        # From here on nothing can fail: a fit is stored whole or not at all.
        self._basis = basis
        self.params_ = {name: params[name] for name in self.get_params()}
        self.n_features_in_ = shape[1]
        if lines is not None and all(isinstance(name, str) for name in lines):
            self.feature_names_in_ = np.array(lines, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.n_infinite_ = checked.n_infinite
        self.device_ = str(device)
        self.pile_ups_ = piles.summary()
        self._spread_fit(result, inputs)
        if held_out is not None:
            self.validation_rmse_.update(_trivial(data, held_out))
        self._spread_thresholding(fitted.threshold, found)
        logger.info(
            "fitted %d drugs x %d lines, %.1f %% missing: %d iterations in %d fits, %s, %.1f s on "
            "%s",
            *(*data.shape, 100 * np.isnan(data).mean()),
            *(sum(fit.n_iter for fit in self.fits_), len(self.fits_)),
            *(self.stop_reason_.name.lower(), time.perf_counter() - start, device),
        )
        self._warn_of_ends()
        return self

    def fit_transform(self, X: ArrayLike, y: None = None, **fit_params: Any) -> NDArray[Any]:
        """Fit to ``X`` and return ``corrected_``; see ``fit``."""
        return self.fit(X, **fit_params).corrected_

    @property
    def general_(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Deprecated: ``effects_``, which is not the general part ``level_ + slope_ x g``."""
        check_is_fitted(self)
        warnings.warn("general_ is called effects_ now.", FutureWarning, stacklevel=2)
        return self.effects_

    def modes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The fitted chain as modes, largest first.

        Returns
        -------
        Loadings of the drugs (n, r), in the data's units, and scores of the lines (p, r), each of
        mean square 1 over the lines measured; NaN where never measured. The chain, beside drug
        and line effects, is their product. Modes below a thousandth of the largest are left out.
        """
        factors = Chain([torch.as_tensor(w) for w in self.factors_])
        u, s, vh = (as_array(part) for part in factors.svd())
        kept = s > _SMALLEST_MODE * s.max()
        n_lines = vh.shape[1]
        here = np.isfinite(self.scale_)
        loadings = self.scale_[here, None] * (u * s)[:, kept] / math.sqrt(n_lines)
        # The drugs' scale changes the order.
        order = np.argsort(-(loadings**2).sum(0), kind="stable")
        drugs = np.full((here.size, order.size), np.nan)
        lines = np.full((self.n_features_in_, order.size), np.nan)
        drugs[here] = loadings[:, order]
        lines[np.isfinite(self.sensitivity_)] = vh[kept][order].T * math.sqrt(n_lines)
        return drugs, lines

    def rethreshold(self, threshold: float) -> RTDMF:
        """Judge the residuals of this fit by another threshold.

        With ``loss="clip"`` and ``"hard"`` a threshold acts on training too, which this does not
        repeat.

        Parameters
        ----------
        threshold
            Size from which a residual is high, in the data's units, at least 0.

        Returns
        -------
        A copy of the fitted model, as it would be with this ``threshold``, which is its parameter,
        too. What does not depend on it, such as ``low_rank_``, is shared, not copied.

        Raises
        ------
        TypeError, ValueError
            If the threshold is no such number.
        sklearn.exceptions.NotFittedError
            If there is no fit.
        """
        check_is_fitted(self)
        check_number("threshold", threshold, 0.0)
        other = copy(self)
        other.threshold = threshold
        other.params_ = {**self.params_, "threshold": threshold}
        found = self._basis.threshold(float(threshold), other.params_)
        other._spread_thresholding(float(threshold), found)
        return other

    def _warn_of_ends(self) -> None:
        """Say which fits were cut short, and whether flags mean anything."""
        max_iter, early = self.params_["max_iter"], self.params_["early_stopping"]
        cut = [
            fit
            for fit in self.fits_
            # With early stopping the best iterate of the first stage is kept, whatever came last.
            if fit.stop_reason is StopReason.MAX_ITERATIONS
            and not (early and fit.stage == "low-rank")
        ]
        if cut:
            which = f"{len(cut)} of {len(self.fits_)} fits" if len(self.fits_) > 1 else "the fit"
            warnings.warn(
                f"{StopReason.MAX_ITERATIONS.value} (max_iter={max_iter}, in {which}; see fits_)",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.stop_reason_ is StopReason.NOISE_VANISHED:
            warnings.warn(StopReason.NOISE_VANISHED.value, ConvergenceWarning, stacklevel=3)

    def _spread_fit(self, result: Result, inputs: Inputs) -> None:
        """Say of the whole screen what the fit says of the drugs and lines that were measured."""
        basis, unit, first = self._basis, inputs.unit, result.first
        fitted = basis.fitted
        self.low_rank_ = basis.full(fitted.low_rank)
        self.completed_ = basis.full(fitted.completed)
        self.noise_ = unit * result.noise.sd
        self.noise_by_drug_ = basis.per_drug(unit * as_array(result.noise.sd_by_drug))
        self.weight_decay_ = result.weight_decay
        self.impute_weight_decay_ = result.refine_decay
        self.validation_rmse_ = {k: unit * v for k, v in result.validation_rmse.items()}
        self.effects_ = (
            basis.per_drug(unit * as_array(first.effects.drug) + inputs.offset),
            basis.per_line(unit * as_array(first.effects.line)),
        )
        self.scale_ = basis.per_drug(unit * as_array(first.scale))
        self.factors_ = [as_array(w) for w in first.chain.factors]
        self.history_ = {
            k: [unit * x for x in v] if k.endswith("rmse") else v for k, v in first.history.items()
        }
        self.decay_path_ = result.decay_path
        self.n_iter_ = first.n_iter
        self.fits_: list[FitRecord] = result.fits
        self.stop_reason_ = result.stop_reason

    def _spread_thresholding(self, threshold: float, found: Thresholded) -> None:
        """Say of the whole screen what came of its residuals."""
        basis = self._basis
        self.threshold_ = threshold
        self.corrected_ = basis.full(found.corrected)
        self.specific_ = basis.full(found.specific)
        self.residual_ = basis.full(found.residual)
        self.weight_ = basis.full(found.weight, 0.0)
        self.flag_ = basis.full(found.flag, 0)
        self.level_ = basis.per_drug(found.parts.level)
        self.slope_ = basis.per_drug(found.parts.slope)
        self.sensitivity_ = basis.per_line(found.parts.line)
        unknown = np.full(len(basis.checked.drugs), np.nan)
        self.reliability_ = basis.per_drug(
            unknown if found.reliability is None else found.reliability
        )
        self.false_flag_rate_ = found.false_flag_rate
        self.enrichment_: Enrichment | None = None
        if found.tests is not None:
            self.enrichment_ = replace(found.tests, drug=basis.checked.drugs[found.tests.drug])


@dataclass
class _Basis:
    """What a fit was made of and gave, of the drugs and lines that were measured."""

    checked: Checked
    shape: tuple[int, ...]
    fitted: Fitted
    groups: dict[str, NDArray[np.object_]]
    replicates: NDArray[np.object_] | None

    def threshold(self, threshold: float, params: dict[str, Any]) -> Thresholded:
        """Threshold the residuals by the parameters of RTDMF."""
        settings = Thresholding(
            threshold=threshold,
            rules=params["retain"],
            fdr=params["fdr"],
            min_group_size=params["min_group_size"],
            specific_weight=params["specific_weight"],
        )
        return threshold_residuals(
            self.fitted, self.checked.data, self.groups, settings, self.replicates
        )

    def full(self, part: NDArray[Any], blank: Any = np.nan) -> NDArray[Any]:
        """Put a matrix of these into one of the whole screen."""
        out = np.full(self.shape, blank, dtype=part.dtype)
        out[np.ix_(self.checked.drugs, self.checked.lines)] = part
        return out

    def per_drug(self, part: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same of a vector over drugs."""
        out = np.full(self.shape[0], np.nan)
        out[self.checked.drugs] = part.ravel()
        return out

    def per_line(self, part: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same of a vector over lines."""
        out = np.full(self.shape[1], np.nan)
        out[self.checked.lines] = part.ravel()
        return out


@contextlib.contextmanager
def _progress(show: bool) -> Iterator[Callable[[str], Callable[[int], object]]]:
    from tqdm.auto import tqdm

    # disable=None: silent where the output is no terminal.
    with tqdm(disable=None if show else True, unit=" iterations", leave=False) as bar:

        def step(name: str) -> Callable[[int], object]:
            bar.set_description(name)
            update: Callable[[int], object] = bar.update
            return update

        yield step


def _trivial(data: NDArray[np.float64], held_out: NDArray[np.bool_]) -> dict[str, float]:
    """Held-out error of the grand mean and of drug mean + line mean, from the training entries."""
    grand, means = trivial_answers(data, np.isfinite(data) & ~held_out)
    truth = data[held_out]
    return {
        "grand_mean": float(np.sqrt(np.mean((truth - grand) ** 2))),
        "two_way_means": float(np.sqrt(np.mean((truth - means[held_out]) ** 2))),
    }
