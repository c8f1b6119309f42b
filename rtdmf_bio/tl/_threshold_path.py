"""What the threshold of a correction changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._adata.record import KEY, SPECIFIC, store
from ..model.checks import Seed, as_seed, check_number
from ..model.retention import is_high, is_measured, is_retained
from ._refits import Screen

if TYPE_CHECKING:
    from anndata import AnnData

# From the automatic threshold, in units of the unexplained spread: from where a good part of all
# entries is high to where hardly any is.
_STEPS = (-2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 3.0)
_THRESHOLD_TRAINS = ("clip", "hard")  # losses


def threshold_path(
    adata: AnnData,
    thresholds: Sequence[float] | None = None,
    *,
    layer: str | None = None,
    group_key: str | Sequence[str] | None = "tissue",
    score: Callable[[AnnData], float] | None = None,
    random_state: Seed = 0,
    progress: bool = True,
    **model: Any,
) -> pd.DataFrame:
    """Correct a screen with one threshold after the other.

    The first correction chooses its threshold and, where they are ``"auto"``, the weight decays;
    the others keep these decays. All use the same hold-out, also where a threshold given to
    pp.correct would leave nothing to choose and so hold nothing out.

    With ``loss="mixture"``, the default, and ``"squared"`` the threshold does not act on the fit,
    which is done once: the error is the same all along, and the threshold only decides which
    residuals are called high and, of those, which are kept. With ``"clip"`` and ``"hard"`` the
    threshold acts on training, and each is a fit of its own; the automatic one trains at 2.5
    robust standard deviations of the residuals, so it need not lie on the line of the others.

    Parameters
    ----------
    adata
        As for :func:`rtdmf_bio.pp.correct`; it is not changed.
    thresholds
        In the unit of the measure, at least 0. None: from 2 times the unexplained spread below the
        automatic threshold to 3 times above it. The automatic one is always added.
    layer, group_key
        As for :func:`rtdmf_bio.pp.correct`.
    score
        A function of an AnnData that returns a number, such as the concordance with another screen
        or the AUROC of a biomarker. It gets a copy of ``adata`` with the correction as pp.correct
        gives it, under the key ``"rtdmf"``.
    random_state
        Seed of the hold-out.
    progress
        Show a progress bar on a terminal.
    **model
        Parameters of :class:`rtdmf_bio.RTDMF`, as for :func:`rtdmf_bio.pp.correct`, but
        ``threshold``.

    Returns
    -------
    Table, one row per threshold, smallest first:

    ``threshold``
        In the unit of the measure.
    ``auto``
        Whether this is the automatic threshold; the correction is then that of pp.correct.
    ``threshold_unexplained``
        The threshold in units of the unexplained spread (``unexplained_sd``).
    ``rmse_low_rank``, ``rmse_imputed``, ``rmse_two_way``, ``rmse_grand``
        Root mean squared error on the held-out entries, in the unit of the measure: of the broad
        structure, of the imputed value, and of the trivial answers drug mean + line mean and grand
        mean.
    ``share_high``, ``share_retained``
        Shares of the measured entries with flag 2 or 3, and with flag 3. The latter need not fall
        all along: with fewer high residuals, others are the groups in which they cluster.
    ``unexplained_beyond``
        Share of normal noise as large as the unexplained spread that would be high, on average
        over drugs.
    ``n_enriched``
        Tests of drug x group x side with a q value of at most ``fdr``; NaN without groups.
    ``score``, ``score_measured``, ``score_trivial``
        With ``score``: of the correction; of the measurements, completed by drug mean + line mean;
        and of drug mean + line mean everywhere. The copies for the latter two are automatic
        corrections with other ``layers["rtdmf"]`` and, as ``layers["rtdmf_specific"]``, what
        these have beyond drug mean + line mean; flags and all else are those of the correction.

    ``table.attrs`` has ``measure``, name and direction of the measure, and ``score``, the name of
    the function.

    Raises
    ------
    TypeError, ValueError
        If the data or a parameter cannot be used, or ``score`` returns no number. What ``score``
        raises is passed on.

    Notes
    -----
    A threshold picked for its score is fitted to that score: judge it on other data. Held-out
    error is no guide to the threshold either, as it rewards a fit that absorbs specific responses.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025 (Figure A4).

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.simulate(30, 40, block_size=8)
    >>> table = rt.tl.threshold_path(adata, [0.1, 0.3], group_key="group", progress=False)
    >>> len(table), bool(table["share_high"].is_monotonic_decreasing)
    (3, True)
    """
    from tqdm.auto import tqdm

    from ..model.settings import resolve

    if "threshold" in model:
        raise TypeError(
            "threshold_path() varies the threshold itself: pass thresholds=, a sequence of "
            "numbers, instead of threshold=."
        )
    if score is not None and not callable(score):
        raise TypeError(f"score must be a function of an AnnData, or None. Got {score!r}.")
    given = None if thresholds is None else _checked(thresholds)
    random_state = as_seed(random_state)
    screen = Screen.of(adata, "threshold_path", layer, group_key, random_state, model)
    for threshold in given or ():
        resolve({**screen.params, "threshold": threshold})
    judge = None if score is None else _Judge(adata, screen, score)

    def row(fitted: Any, auto: bool) -> dict[str, Any]:
        scores = {} if judge is None else judge(fitted)
        return {"auto": auto, **_row(fitted), **scores}

    path = _Path(screen, random_state)
    first = path.first
    rows = {first.threshold_: row(first, True)}
    if given is None:
        steps = [first.threshold_ + step * first.unexplained_sd_ for step in _STEPS]
        given = [threshold for threshold in steps if threshold > 0]
    rest = [threshold for threshold in given if threshold not in rows]
    for threshold in tqdm(rest, desc="thresholds", disable=None if progress else True, leave=False):
        rows[threshold] = row(path.at(threshold), False)
    table = pd.DataFrame([{"threshold": t, **rows[t]} for t in sorted(rows)])
    table.attrs["measure"] = screen.measure
    if score is not None:
        name = getattr(score, "__name__", "score")
        table.attrs["score"] = "score" if name == "<lambda>" else name
    return table


def _checked(thresholds: Any) -> list[float]:
    """Each threshold once."""
    if isinstance(thresholds, (str, Mapping)) or not isinstance(thresholds, Iterable):
        raise TypeError(f"thresholds must be a sequence of numbers, or None. Got {thresholds!r}.")
    values = list(thresholds)
    if not values:
        raise ValueError("thresholds is empty. Give at least one, or None for a grid.")
    for k, value in enumerate(values):
        check_number(f"thresholds[{k}]", value, 0.0)
    return list(dict.fromkeys(float(value) for value in values))


class _Path:
    """Corrections of one screen, alike but for the threshold."""

    def __init__(self, screen: Screen, random_state: int) -> None:
        self.screen = screen
        self.held_out = screen.drawn(screen.params["validation_fraction"], random_state)
        self.first = screen.fit(validation=self.held_out)

    def at(self, threshold: float) -> Any:
        first = self.first
        if first.params_["loss"] not in _THRESHOLD_TRAINS:
            return first.rethreshold(threshold)
        return self.screen.fit(
            validation=self.held_out,
            threshold=threshold,
            weight_decay=first.weight_decay_,
            impute_weight_decay=first.impute_weight_decay_,
        )


def _row(fitted: Any) -> dict[str, float]:
    measured = max(int(is_measured(fitted.flag_).sum()), 1)
    rmse, tests, sd = fitted.validation_rmse_, fitted.enrichment_, fitted.unexplained_sd_
    return {
        "threshold_unexplained": fitted.threshold_ / sd if sd > 0 else np.nan,
        "rmse_low_rank": rmse["low_rank"],
        "rmse_imputed": rmse.get("imputed", rmse["low_rank"]),
        "rmse_two_way": rmse["two_way_means"],
        "rmse_grand": rmse["grand_mean"],
        "share_high": int(is_high(fitted.flag_).sum()) / measured,
        "share_retained": int(is_retained(fitted.flag_).sum()) / measured,
        "unexplained_beyond": fitted.unexplained_beyond_,
        "n_enriched": (
            np.nan if tests is None else int((tests.qvalue <= fitted.params_["fdr"]).sum())
        ),
    }


class _Judge:
    """The user's score, of a correction and of the two answers it must beat."""

    def __init__(self, adata: AnnData, screen: Screen, score: Callable[[AnnData], float]) -> None:
        self.adata, self.screen, self.score = adata, screen, score
        self.controls: dict[str, float] = {}

    def __call__(self, fitted: Any) -> dict[str, float]:
        corrected = self._corrected(fitted)
        # Before the score, which may change what it is given.
        controls = [] if self.controls else self._made_controls(corrected)
        what = f"the correction with threshold {fitted.threshold_:.4g}"
        out = {"score": self._value(corrected, what)}
        for name, control, what in controls:
            self.controls[name] = self._value(control, what)
        return {**out, **self.controls}

    def _corrected(self, fitted: Any) -> AnnData:
        out = self.adata.copy()
        screen = self.screen
        store(out, fitted, screen.data, KEY, screen.layer, list(screen.groups or {}))
        return out

    def _made_controls(self, corrected: AnnData) -> list[tuple[str, AnnData, str]]:
        measured = self.screen.full(self.screen.checked.data, np.nan)
        two_way = self.screen.two_way_means()
        out = []
        for name, matrix, what in (
            ("score_measured", np.where(np.isfinite(measured), measured, two_way), "measurements"),
            ("score_trivial", two_way, "two-way means"),
        ):
            control = corrected.copy()
            dtype = control.layers[KEY].dtype
            control.layers[KEY] = matrix.astype(dtype)
            control.layers[f"{KEY}_{SPECIFIC}"] = (matrix - two_way).astype(dtype)
            out.append((name, control, f"the {what} in place of a correction"))
        return out

    def _value(self, adata: AnnData, what: str) -> float:
        try:
            value = self.score(adata)
        except Exception as error:
            error.add_note(f"Raised by score, called with {what}.")
            raise
        if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
            raise TypeError(f"score must return a number. Got {value!r}, for {what}.")
        return float(value)
