"""How much of a correction depends on chance: on the hold-out, on single entries, on the start."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..model.checks import Seed, as_seed, check_choice, check_number
from ..model.retention import Flag, is_high, is_measured, is_retained
from ._refits import Screen

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

OVER = ("hold-outs", "entries", "starts")
_RANDOM_STARTS = ("gaussian", "orthogonal", "uniform")


def stability(
    adata: AnnData,
    *,
    layer: str | None = None,
    group_key: str | Sequence[str] | None = "tissue",
    over: str = "hold-outs",
    n_repeats: int = 5,
    left_out: float = 0.1,
    random_state: Seed = 0,
    progress: bool = True,
    **model: Any,
) -> pd.DataFrame:
    """Correct a screen several times, changing nothing but chance, and compare the answers.

    Values and flags are compared between all pairs of repeats. A method that always gives the same
    answer is perfectly stable, so what is stable must also be right, and more than trivial: beside
    each correlation stands how much drug mean + line mean already has of it, beside each overlap
    of flags that of flags placed at random, beside each error those of trivial answers.

    Parameters
    ----------
    adata
        As for :func:`rtdmf_bio.pp.correct`; it is not changed.
    layer, group_key
        As for :func:`rtdmf_bio.pp.correct`.
    over
        What changes from repeat to repeat:

        ``"hold-outs"``
            The entries held out for every choice. Repeat k is what pp.correct gives with seed
            ``random_state`` + k, but for a random start, which stays the same, and with it the
            folds of cross-fitting.
        ``"entries"``
            The measurements: a share ``left_out`` of them is hidden, others each time. Repeat k is
            what pp.correct gives without them, so it has another hold-out too.
        ``"starts"``
            The random start of a wide network, on the same hold-out. It needs an integer ``width``
            with ``init="gaussian"``, ``"orthogonal"`` or ``"uniform"``, or ``preset="paper"``; the
            compact chain (``width="auto"``) has no random start.
    n_repeats
        Number of corrections, at least 2.
    left_out
        Share of the measured entries hidden by ``over="entries"``; every drug and line keeps at
        least one. Ignored otherwise.
    random_state
        Seed of the first repeat.
    progress
        Show a progress bar on a terminal.
    **model
        Parameters of :class:`rtdmf_bio.RTDMF`, as for :func:`rtdmf_bio.pp.correct`.

    Returns
    -------
    Table, one row per pair of repeats. Values of measured entries are compared where both repeats
    saw a measurement, imputed values where neither did.

    ``repeat_a``, ``repeat_b``
        Numbers of the repeats, from 0.
    ``n_measured``, ``n_imputed``
        Entries compared.
    ``correlation``, ``imputed_correlation``
        Pearson correlation of the two answers, over all drugs and lines.
    ``correlation_two_way``, ``imputed_correlation_two_way``
        On the same entries, correlation of the answers with drug mean + line mean of their
        measurements (mean of the two repeats).
    ``specific_correlation``
        Correlation of the specific parts (``layers["rtdmf_specific"]``) on measured entries, of
        which drug mean + line mean has nothing.
    ``rms_difference``, ``imputed_rms_difference``
        Root mean squared difference of the two answers, in the unit of the measure.
    ``rms_difference_unexplained``, ``imputed_rms_difference_unexplained``
        The same as a share of the unexplained spread (``unexplained_sd``, mean of the two repeats).
    ``threshold_difference``
        Absolute difference of the two thresholds as a share of their mean.
    ``high_jaccard``, ``retained_jaccard``
        Overlap of high residuals (flag 2 or 3) and of retained ones (flag 3) on measured entries:
        flagged in both / flagged in either. NaN where neither flags any.
    ``high_jaccard_chance``, ``retained_jaccard_chance``
        What as many flags give on average, placed at random.
    ``hidden_rmse``, ``hidden_rmse_two_way``, ``hidden_rmse_grand``
        With ``over="entries"``: root mean squared error at each repeat's hidden entries against
        their measurements, noise included, in the unit of the measure, beside those of drug mean +
        line mean and of the grand mean (means of the two repeats).

    ``table.attrs`` has ``over`` and ``measure``, name and direction of the measure.

    Raises
    ------
    TypeError, ValueError
        If the data or a parameter cannot be used, or nothing would change from repeat to repeat.

    Notes
    -----
    Pairs share repeats: five repeats make ten pairs, which are not ten independent figures. The
    correlation over all drugs is high for anything that has the drugs' means right; look at
    ``specific_correlation`` and at the differences in units of the unexplained spread.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025 (Figure A2). Jaccard, New Phytologist 11 (1912).

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.simulate(30, 40, block_size=8)
    >>> table = rt.tl.stability(
    ...     adata, group_key="group", over="entries", n_repeats=2, progress=False
    ... )
    >>> bool(table["hidden_rmse"][0] < table["hidden_rmse_two_way"][0])
    True
    """
    from tqdm.auto import tqdm

    check_choice("over", over, OVER)
    check_number("n_repeats", n_repeats, 2)
    check_number("left_out", left_out, 0.001, 0.9)
    random_state = as_seed(random_state)
    screen = Screen.of(adata, "stability", layer, group_key, random_state, model)
    _check_chance(screen, over)
    bar = tqdm(total=n_repeats, desc="repeats", disable=None if progress else True, leave=False)
    repeats = []
    with bar:
        for repeat in _repeats(screen, over, n_repeats, left_out, random_state):
            repeats.append(repeat)
            bar.update()
    rows = [
        {"repeat_a": a, "repeat_b": b, **agreement(repeats[a], repeats[b])}
        for a, b in itertools.combinations(range(n_repeats), 2)
    ]
    table = pd.DataFrame(rows)
    table.attrs.update(over=over, measure=screen.measure)
    return table


@dataclass
class Repeat:
    """One answer: matrices (n drugs, p lines), NaN for what was never measured."""

    corrected: NDArray[np.float64]
    specific: NDArray[np.float64]
    two_way: NDArray[np.float64]
    flag: NDArray[np.int8]
    threshold: float
    unexplained: float
    hidden: dict[str, float]  # errors at the hidden entries


def _check_chance(screen: Screen, over: str) -> None:
    from ..model.settings import resolve

    if over == "hold-outs" and not screen.needs_holdout():
        raise ValueError(
            "Nothing is chosen on a hold-out with threshold, weight_decay and impute_weight_decay "
            "given as numbers: all repeats would be equal. Leave one at 'auto', or pass "
            "over='entries'."
        )
    if over == "starts" and not _has_random_start(screen):
        params = resolve(screen.params)
        raise ValueError(
            f"width={params['width']!r} with init={params['init']!r} has no random start: all "
            f"repeats would be equal. Pass an integer width with init= one of "
            f"{list(_RANDOM_STARTS)} and a small init_scale, or preset='paper'; or another over."
        )


def _has_random_start(screen: Screen) -> bool:
    from ..model.settings import resolve

    params = resolve(screen.params)
    return params["width"] != "auto" and params["init"] in _RANDOM_STARTS


def _repeats(
    screen: Screen, over: str, n_repeats: int, left_out: float, random_state: int
) -> Iterator[Repeat]:
    share = screen.params["validation_fraction"]
    values = screen.full(screen.checked.data, np.nan)
    two_way = screen.two_way_means()
    for k in range(n_repeats):
        errors: dict[str, float] = {}
        seed = (random_state + k) % 2**32  # after the largest comes 0
        if over == "hold-outs":
            start = random_state if _has_random_start(screen) else seed
            fitted = screen.fit(validation=screen.drawn(share, seed), random_state=start)
        elif over == "starts":
            held_out = screen.drawn(share, random_state) if screen.needs_holdout() else None
            fitted = screen.fit(validation=held_out, random_state=seed)
        else:
            hidden = screen.drawn(left_out, [random_state, k])
            seen = np.where(hidden, np.nan, values)
            fitted = screen.fit(seen)
            two_way = screen.two_way_means(hidden)
            for name, answer in (
                ("hidden_rmse", fitted.corrected_),
                ("hidden_rmse_two_way", two_way),
                ("hidden_rmse_grand", np.full(values.shape, np.nanmean(seen))),
            ):
                errors[name] = _rms((answer - values)[hidden])
        yield Repeat(
            fitted.corrected_,
            fitted.specific_,
            two_way,
            fitted.flag_,
            fitted.threshold_,
            fitted.unexplained_sd_,
            errors,
        )


def agreement(a: Repeat, b: Repeat) -> dict[str, float]:
    """Compare two answers; see ``stability`` for the names."""
    measured = is_measured(a.flag) & is_measured(b.flag)
    imputed = (a.flag == Flag.IMPUTED) & (b.flag == Flag.IMPUTED)
    imputed &= np.isfinite(a.corrected) & np.isfinite(b.corrected)
    spread = (a.unexplained + b.unexplained) / 2
    out: dict[str, float] = {}
    for prefix, where in (("", measured), ("imputed_", imputed)):
        x, y = a.corrected[where], b.corrected[where]
        trivial = [_correlation(r.corrected[where], r.two_way[where]) for r in (a, b)]
        out[f"n_{prefix or 'measured_'}"[:-1]] = int(where.sum())
        out[f"{prefix}correlation"] = _correlation(x, y)
        out[f"{prefix}correlation_two_way"] = (trivial[0] + trivial[1]) / 2
        if not prefix:
            out["specific_correlation"] = _correlation(a.specific[where], b.specific[where])
        out[f"{prefix}rms_difference"] = _rms(x - y)
        share = _rms(x - y) / spread if spread > 0 else np.nan
        out[f"{prefix}rms_difference_unexplained"] = share
    mean = (a.threshold + b.threshold) / 2
    out["threshold_difference"] = abs(a.threshold - b.threshold) / mean if mean > 0 else 0.0
    for name, which in (("high", is_high), ("retained", is_retained)):
        x, y = which(a.flag[measured]), which(b.flag[measured])
        either = int((x | y).sum())
        out[f"{name}_jaccard"] = int((x & y).sum()) / either if either else np.nan
        out[f"{name}_jaccard_chance"] = expected_jaccard(x.size, int(x.sum()), int(y.sum()))
    return {**out, **{name: (a.hidden[name] + b.hidden[name]) / 2 for name in a.hidden}}


def expected_jaccard(n: int, n_a: int, n_b: int) -> float:
    """Mean of |A and B| / |A or B| for random sets of `n_a` and `n_b` out of `n`; NaN if empty."""
    from scipy.stats import hypergeom

    if n_a + n_b == 0:
        return float("nan")
    both = np.arange(max(0, n_a + n_b - n), min(n_a, n_b) + 1)
    return float(np.sum(hypergeom.pmf(both, n, n_a, n_b) * both / (n_a + n_b - both)))


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Pearson correlation; NaN where one of them does not vary."""
    if x.size < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _rms(difference: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(difference**2))) if difference.size else float("nan")
