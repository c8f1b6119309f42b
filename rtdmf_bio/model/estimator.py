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
    check_censored,
    check_groups,
    check_matrix,
    check_noise,
    check_number,
    check_replicates,
)
from .device import inner_width, limited_threads, pick_device
from .enrichment import Enrichment
from .extremes import as_fitted
from .factorization import Chain
from .holdout import folds, validation_mask
from .intervals import Few
from .labels import groups_in_order, in_order, matrix_in_order, names_of, noise_in_order
from .pileups import WARN, pile_ups
from .preparation import trivial_answers
from .settings import fdr_of, resolve
from .solver import StopReason
from .stages import FOLD, FitRecord, Fitted, Inputs, Plan, Result, as_array, run, unit_of
from .thresholding import Judged, Thresholded, Thresholding, judge, threshold_residuals
from .weights import GIVEN
from .workers import Workers

logger = logging.getLogger("rtdmf_bio")

_CONTRADICTION = 1.2  # known noise, of what predictions miss measurements by
_SMALLEST_MODE = 1e-3  # of the largest: what lies below is rounding
_FEW = 5  # measurements, of which nothing is learned of a drug or a line


class RTDMF(BaseEstimator):  # type: ignore[misc]
    """Correct and complete a drug-sensitivity matrix.

    The matrix is split into broad structure, high residuals and noise: D = L + R. L is a general
    part (drug effect + line effect) plus a deep linear factorization W1 W2 ... WL fitted to the
    measured entries. Residuals of at least ``threshold`` are high; the retention rule says how
    much of each residual is kept. Missing entries are imputed.

    The corrected value is an estimate of what an error-free experiment would have given. By default
    each measurement is drawn to a prediction by fits that have not seen it, as far as the noise of
    its drug asks for; a drug that cannot gain is left as measured. How large the noise is one
    matrix cannot tell for sure: give ``fit`` the ``noise_sd``, or ``replicates``, where they are
    known.

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
    impute               process                    low-rank
    crossfit             5                          0
    center, scale_power  two-way, 0.5               none, 0
    refit                True                       False
    max_iter, tol        1000, 5e-3                 50,000, 1e-3
    retain               enriched + shrink          enriched; abrupt without groups
    specific_weight      1                          1
    ==================== ========================== ==========================================

    Parameters
    ----------
    preset
        ``"default"`` or ``"paper"``.
    threshold
        Size from which a residual is high, in the data's units; ``"auto"``: where, among
        residuals of fits that have not seen the entry, noise and large deviation are equally
        likely. ``"fdr:0.05"``: high is what has a q-value of at most this, see ``qvalue_``.
    retain
        One rule or several: ``all``, ``enriched``, ``abrupt``, ``soft``, ``shrink``, ``none``.
    specific_weight
        With ``shrink``, what is particular to a drug counts this much, from 0 to 1, beside the
        general part (level of the drug, general sensitivity of the line). Below 1 it makes a matrix
        for comparison between laboratories, where the general part carries over better, and no
        estimate of the truth. Retained and imputed entries are not weighed.
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
        held-out entries better. ``"process"``: beside that a Gaussian process, which adds what
        near neighbours among drugs and lines say, as far as it helps on unseen entries. Where it
        takes off less than a thousandth of the hold-out's error it is left out. Above 2,500 drugs
        or lines their covariance is taken by 400 of them.
    early_stopping, patience
        Stop when the validation error has not improved for ``patience`` checks, 10 iterations
        apart, and keep the best iterate.
    refit
        After choosing on the hold-out, fit again to everything observed.
    crossfit
        Number of folds: each measured entry is judged by a fit without its fold. 0: none, and
        residuals are those of the fit itself, which are too small; ``shrink`` needs it.
    center
        ``"two-way"``: take out drug and line effects, shrunk by their reliability; ``"none"``.
    scale_power
        Drugs are divided by their residual spread to this power, from 0 (alike) to 1; above 0,
        ``mixture`` goes on to each drug's own noise once it can tell it from deviations.
    max_iter, tol, burn_in
        Iterations per fit; relative change that ends it, between two looks at the weights (of a
        descent: over 10 iterations); squared-loss iterations before ``hard`` and ``mixture`` begin,
        fewer if the fit rests before. A compact chain by ``accelerated`` at rate ``"auto"`` is
        fitted by shrinkage of its singular values, which ends where a descent does, mostly in a
        sixth of the iterations (not where a robust loss has hardly any weight decay); with early
        stopping, ``retain="abrupt"`` or no weight decay it descends.
    validation_fraction
        Share of measured entries held out for every choice.
    coverage
        Of the intervals ``lower_`` to ``upper_``.
    fdr
        False discovery rate at which a group counts as enriched, and at which ``shrink`` takes a
        high residual for more than noise.
    min_group_size, group_missing
        Enrichment: smallest group tested; ``"error"`` or ``"ignore"`` for
        lines without a label.
    infinite
        ``"error"``, ``"nan"`` (not measured) or ``"clip"`` (to the finite range).
    extreme
        Values that no experiment gives, such as -999 or one of a million among fractions:
        ``"error"`` names them, ``"keep"`` keeps them as measured, and fits do not see them: codes
        are not measured to them; a drug or line of another size they see divided by a power of
        ten, and what is imputed of it is in its own unit. Of entries beyond 25 robust spreads of
        their drug and of the screen fits see the drug's median, so that they move nothing else.
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
        The prediction of every entry by fits to all that was fitted: L, or what ``impute`` makes of
        it. Missing entries are imputed by it.
    predicted_ : array (n, p)
        The same, of measured entries by fits that have not seen them.
    unseen_ : array (n, p)
        D less ``predicted_``; NaN where not measured, or in no fold.
    lower_, upper_, sd_ : arrays (n, p)
        Interval and standard deviation of every value: where imputed, of a measurement that would
        be made, where measured, of its error-free value. Of an entry marked as ``censored`` one end
        is the bound, the other as far from ``corrected_`` as of an imputed value of the drug. NaN
        without ``shrink``.
    specific_ : array (n, p)
        What is particular to a drug: the matrix denoised and completed, before any weighing,
        without the general part ``level_ + slope_ * sensitivity_``.
    level_, slope_ : arrays (n,)
        Of each drug: its mean, and how far it follows the general sensitivity of the lines.
    sensitivity_ : array (p,)
        General sensitivity of the lines, of mean 0 and variance 1; its sign is the measure's.
    reliability_ : array (n,)
        With ``shrink``, the share kept of what other drugs and lines do not predict, 1 for a drug
        left as measured; NaN otherwise.
    residual_ : array (n, p)
        D - L, L by a fit that has not seen the entry; NaN where not measured.
    qvalue_ : array (n, p)
        False discovery rate at which a residual is more than noise, by its size in units of drug,
        line and level, the side that deviates less being all noise; NaN where not measured.
    null_ : dict
        That noise: degrees of freedom ``nu`` and scale ``sigma`` of a t, the ``lighter_side``, and
        the ``factors`` of the scale.
    weight_ : array (n, p)
        Share kept of the distance to what the entry is drawn to, L or, with ``shrink``,
        ``predicted_``; 0 where not measured.
    flag_ : int8 array (n, p)
        0 imputed, 1 measured and corrected, 2 high residual not retained, 3 high and retained.
    threshold_ : float
        Threshold used, in the data's units.
    threshold_range_ : tuple of float or None
        Smallest and largest of the thresholds that single folds would have chosen.
    noise_by_drug_, moved_by_drug_ : arrays (n,)
        Standard deviation of the error of a measurement of each drug, NaN without ``shrink``; root
        mean square of how far its measurements were moved.
    noise_source_ : str or None
        Where the noise is known from: ``"given"``, ``"replicates"``, or ``"prior"``, a guess.
    unexplained_sd_, unexplained_by_drug_ : float, array (n,)
        Spread of what L leaves, without rare large deviations (root mean square over drugs), and
        of each drug: noise and own response together.
    unexplained_beyond_ : float
        Share of normal noise of that spread that exceeds the threshold, on average over drugs.
    prediction_ : dict
        Share of the ``process`` beside the chain's completion, its ``reach``, share that is taken
        of what goes ``beyond_means``, whether drug + line means stand for L, and ``rmse`` of each
        predictor on entries unseen.
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
        The worst end of all fits but those of the folds, which only judge.
    fits_ : list of FitRecord
        Of every fit, those of the hold-out too: its stage, what it was fitted to, weight decay,
        iterations, rank and end.
    n_infinite_, n_integer_na_, n_extreme_, n_censored_ : int
        Counts of entries that were infinite; that held the smallest integer, which stands for a
        missing one; that lie so far out that fits did not see them; that were marked as censored.
    too_few_drugs_, too_few_lines_ : boolean arrays (n,), (p,)
        Drugs and lines with fewer than 5 measurements, or than the rank of the chain: nothing is
        learned of them, and their imputed values have the interval of a trivial prediction.
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
        crossfit: int | None = None,
        center: str | None = None,
        scale_power: float | None = None,
        max_iter: int | None = None,
        tol: float | None = None,
        burn_in: int | None = None,
        validation_fraction: float = 0.15,
        coverage: float = 0.9,
        fdr: float = 0.05,
        min_group_size: int = 3,
        group_missing: str = "error",
        infinite: str = "error",
        extreme: str = "error",
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
        self.crossfit = crossfit
        self.center = center
        self.scale_power = scale_power
        self.max_iter = max_iter
        self.tol = tol
        self.burn_in = burn_in
        self.validation_fraction = validation_fraction
        self.coverage = coverage
        self.fdr = fdr
        self.min_group_size = min_group_size
        self.group_missing = group_missing
        self.infinite = infinite
        self.extreme = extreme
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
        line_replicates: Any = None,
        noise_sd: ArrayLike | None = None,
        censored: ArrayLike | None = None,
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
        replicates, line_replicates
            One label per drug (n,), or per line (p,); rows, or columns, with the same label are the
            same drug, or line, screened more than once. ``shrink`` then takes the noise from their
            disagreement; None or NaN is one of its own.
        noise_sd
            Standard deviation of the error of a measurement, in the data's unit: a number, one per
            drug (n,), NaN where it is not known, or one per measurement (n, p), such as standard
            errors of curve fits, of which the drug's root mean square counts. ``shrink`` then knows
            the noise, and need not guess it. What is too far out for it is kept.
        censored
            Marks (n, p): 1 where the true value is at or above the one stored, such as ">8", -1
            where at or below, 0 elsewhere. Such entries are fitted as they are stored, and left out
            where noise is estimated; what they are corrected to is never on the side of the bound
            that they rule out.
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
        line_replicates = in_order(line_replicates, lines, "line_replicates", "cell lines")
        validation = matrix_in_order(validation, drugs, lines, "validation")
        censored = matrix_in_order(censored, drugs, lines, "censored")
        checked = check_matrix(
            X,
            infinite=params["infinite"],
            unmeasured=params["unmeasured"],
            max_missing=params["max_missing"],
            extreme=params["extreme"],
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
        line_twins = check_replicates(line_replicates, shape[1], checked.lines, rules, "cell line")
        noise = noise_in_order(noise_sd, drugs, lines)
        repeated = not (twins is None and line_twins is None)
        noise = check_noise(noise, shape, checked, rules, repeated)
        if "shrink" in rules and not params["crossfit"]:
            raise ValueError(
                "retain='shrink' weighs residuals of fits that have not seen the entry, and "
                "crossfit is 0. Give crossfit a number of folds, such as 5, or use another rule."
            )
        marks = check_censored(censored, shape, checked)
        device = pick_device(params["device"], params["dtype"])
        if checked.n_integer_na:
            warnings.warn(_said_of_integer_na(checked.n_integer_na), UserWarning, stacklevel=2)
        seen = as_fitted(checked.data, keep=params["extreme"] == "keep")
        data, beyond = seen.data, seen.hidden
        if noise is not None and seen.unit is not None:
            noise = noise / np.median(seen.unit, axis=1)
        unit = unit_of(data)
        plan = Plan.of(params, track_jumps="abrupt" in rules, unit=unit)
        rng = np.random.default_rng(params["random_state"])
        held_out = None
        if plan.needs_holdout or validation is not None:
            held_out = validation_mask(
                validation,
                np.isfinite(data),
                np.ix_(checked.drugs, checked.lines),
                shape,
                params["validation_fraction"],
                rng,
            )
        divided = None
        if params["crossfit"]:
            divided = folds(np.isfinite(data), params["crossfit"], rng, held_out)
        piles = pile_ups(data)
        if piles.share >= WARN:
            warnings.warn(piles.message(), UserWarning, stacklevel=2)
        inputs = Inputs.of(
            data,
            held_out,
            divided,
            piles.with_censored(marks, np.isfinite(data)),
            unit=unit,
            center=params["center"] == "two-way",
            device=device,
            dtype=getattr(torch, params["dtype"]),
        )
        try:
            with (
                limited_threads(data.size * inner_width(params["width"])) as idle,
                torch.no_grad(),
                _progress(params["progress"]) as tick,
            ):
                workers = Workers(idle if device.type == "cpu" else 1)
                result = run(inputs, plan, tick, workers)
        except KeyboardInterrupt as stop:
            stop.add_note(StopReason.INTERRUPTED.value)
            raise
        fitted = result.arrays(inputs)
        # The rank of a wide network is its width, and says nothing.
        rank = result.first.chain.rank if params["width"] == "auto" else 0
        few = Few.of(data, max(_FEW, rank))
        judged = judge(
            fitted,
            checked.data,
            twins,
            noise,
            line_twins,
            seen=data,
            whole=beyond if params["extreme"] == "keep" else None,
            censored=marks,
            few=few,
            unit=seen.unit,
        )
        basis = _Basis(checked, shape, fitted, judged, named)
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
        self.n_integer_na_ = checked.n_integer_na
        self.n_extreme_ = 0 if beyond is None else int(beyond.sum())
        self.n_censored_ = 0 if marks is None else int((marks != 0).sum())
        self.too_few_drugs_ = basis.per_drug(few.drugs.astype(float)) == 1
        self.too_few_lines_ = basis.per_line(few.lines.astype(float)) == 1
        self.device_ = str(device)
        self.pile_ups_ = piles.summary()
        self._spread_fit(result, inputs)
        if held_out is not None:
            self.validation_rmse_.update(_trivial(data, held_out))
        self._spread_thresholding(found)
        logger.info(
            "fitted %d drugs x %d lines, %.1f %% missing: %d iterations in %d fits, %s, %.1f s on "
            "%s",
            *(*data.shape, 100 * np.isnan(data).mean()),
            *(sum(fit.n_iter for fit in self.fits_), len(self.fits_)),
            *(self.stop_reason_.name.lower(), time.perf_counter() - start, device),
        )
        self._warn_of_ends()
        self._warn_of_noise()
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
        modes = Chain([torch.as_tensor(w) for w in self.factors_]).modes()
        u, s, v = (as_array(part) for part in (modes.u, modes.size, modes.v))
        kept = s > _SMALLEST_MODE * s.max(initial=0.0)
        n_lines = len(v)
        here = np.isfinite(self.scale_)
        loadings = self.scale_[here, None] * (u * s)[:, kept] / math.sqrt(n_lines)
        # The drugs' scale changes the order.
        order = np.argsort(-(loadings**2).sum(0), kind="stable")
        drugs = np.full((here.size, order.size), np.nan)
        lines = np.full((self.n_features_in_, order.size), np.nan)
        drugs[here] = loadings[:, order]
        lines[np.isfinite(self.sensitivity_)] = v[:, kept][:, order] * math.sqrt(n_lines)
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
        other._spread_thresholding(self._basis.threshold(float(threshold), other.params_))
        return other

    def _warn_of_ends(self) -> None:
        """Say which fits were cut short, and whether flags mean anything."""
        max_iter, early = self.params_["max_iter"], self.params_["early_stopping"]
        cut = [
            fit
            for fit in self.fits_
            # With early stopping the best iterate of the first stage is kept, whatever came last.
            if fit.stop_reason is StopReason.MAX_ITERATIONS
            and fit.fitted_to != FOLD
            and not (early and fit.stage == "low-rank")
        ]
        if cut:
            n_fits = sum(fit.fitted_to != FOLD for fit in self.fits_)
            which = f"{len(cut)} of {n_fits} fits" if n_fits > 1 else "the fit"
            warnings.warn(
                f"{StopReason.MAX_ITERATIONS.value} (max_iter={max_iter}, in {which}; see fits_)",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.stop_reason_ is StopReason.NOISE_VANISHED:
            warnings.warn(StopReason.NOISE_VANISHED.value, ConvergenceWarning, stacklevel=3)

    def _warn_of_noise(self) -> None:
        """Say where known noise is more than there is to be explained."""
        kept = self._basis.judged.kept
        if kept is None or kept.known_sd <= _CONTRADICTION * kept.unseen_sd:
            return
        said = "noise_sd says" if kept.source == GIVEN else "replicates say"
        warnings.warn(
            f"{said} that measurements err by {kept.known_sd:.3g}, but predictions that have not "
            f"seen them, and err too, miss them by {kept.unseen_sd:.3g} only. So errors cannot be "
            f"as large: check {'its unit' if kept.source == GIVEN else 'the labels'}. Next to "
            f"nothing is kept of what is not predicted.",
            UserWarning,
            stacklevel=3,
        )

    def _spread_fit(self, result: Result, inputs: Inputs) -> None:
        """Say of the whole screen what the fit says of the drugs and lines that were measured."""
        basis, unit, first = self._basis, inputs.unit, result.first
        fitted = basis.fitted
        as_measured = basis.judged.as_measured
        self.low_rank_ = basis.full(as_measured(fitted.low_rank))
        self.completed_ = basis.full(as_measured(fitted.predicted))
        self.predicted_ = basis.full(as_measured(basis.judged.predicted.copy()))
        self.residual_ = basis.full(basis.judged.residual)
        self.unseen_ = basis.full(basis.judged.unseen)
        found, kept = basis.judged.found, basis.judged.kept
        self.qvalue_ = basis.full(found.qvalue)
        self.null_ = {
            "nu": found.nu,
            "sigma": found.sigma,
            "lighter_side": "above" if found.lighter > 0 else "below",
            "factors": list(found.factors),
        }
        unknown = np.full(len(basis.checked.drugs), np.nan)
        self.noise_source_ = None if kept is None else kept.source
        of_drug = 1.0 if basis.judged.unit is None else np.median(basis.judged.unit, axis=1)
        noise = unknown if kept is None else kept.noise_sd * of_drug
        self.noise_by_drug_ = basis.per_drug(noise)
        self.reliability_ = basis.per_drug(unknown if kept is None else kept.weight)
        self.prediction_ = {
            "process": result.blend.process if self.params_["impute"] == "process" else 0.0,
            "beyond_means": result.blend.beyond,
            "reach": result.reach,
            "low_rank_is_means": result.fallen_back,
            "rmse": {k: unit * v for k, v in result.unseen_rmse.items()},
        }
        ends = result.threshold_range
        self.threshold_range_ = None if ends is None else (unit * ends[0], unit * ends[1])
        self.unexplained_sd_ = unit * fitted.noise.sd
        self.unexplained_by_drug_ = basis.per_drug(unit * as_array(fitted.noise.sd_by_drug))
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

    def _spread_thresholding(self, found: Thresholded) -> None:
        """Say of the whole screen what came of its residuals."""
        basis = self._basis
        self.threshold_ = found.threshold
        self.corrected_ = basis.full(found.corrected)
        self.specific_ = basis.full(found.specific)
        self.weight_ = basis.full(found.weight, 0.0)
        self.flag_ = basis.full(found.flag, 0)
        self.level_ = basis.per_drug(found.parts.level)
        self.slope_ = basis.per_drug(found.parts.slope)
        self.sensitivity_ = basis.per_line(found.parts.line)
        unknown = np.full(basis.checked.data.shape, np.nan)
        ends = found.interval
        self.lower_ = basis.full(unknown if ends is None else ends.lower)
        self.upper_ = basis.full(unknown if ends is None else ends.upper)
        self.sd_ = basis.full(unknown if ends is None else ends.sd)
        moved = np.sqrt(np.nanmean((found.corrected - basis.checked.data) ** 2, axis=1))
        self.moved_by_drug_ = basis.per_drug(moved)
        self.unexplained_beyond_ = found.beyond
        self.enrichment_: Enrichment | None = None
        if found.tests is not None:
            self.enrichment_ = replace(found.tests, drug=basis.checked.drugs[found.tests.drug])


@dataclass
class _Basis:
    """What a fit was made of and gave, of the drugs and lines that were measured."""

    checked: Checked
    shape: tuple[int, ...]
    fitted: Fitted
    judged: Judged
    groups: dict[str, NDArray[np.object_]]

    def threshold(self, threshold: float, params: dict[str, Any]) -> Thresholded:
        """Threshold the residuals by the parameters of RTDMF."""
        settings = Thresholding(
            threshold=threshold,
            by_fdr=fdr_of(params["threshold"]),
            rules=params["retain"],
            fdr=params["fdr"],
            min_group_size=params["min_group_size"],
            specific_weight=params["specific_weight"],
            coverage=params["coverage"],
        )
        return threshold_residuals(
            self.judged, self.fitted, self.checked.data, self.groups, settings
        )

    def full(self, part: NDArray[Any], blank: Any = np.nan) -> NDArray[Any]:
        """Put a matrix of these into one of the whole screen, or leave it where it is that."""
        if part.shape == self.shape:
            return part
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


def _said_of_integer_na(n: int) -> str:
    return (
        f"{n} entries hold the smallest integer, such as -2147483648, which is how R and others "
        f"write a missing one: they are taken for not measured."
    )


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
