"""Settings by hold-out: the search around ``model.tuning``, and its AnnData shell."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._adata.assign import assign
from .._adata.inputs import (
    censored_name,
    censored_of,
    check_adata,
    groups_of,
    matrix_of,
    noise_of,
    replicates_of,
    resolve_layer,
)
from .._adata.meaning import check_meaning
from .._adata.record import check_keys, keys_of
from .._version import __version__
from ..model.checks import Seed, as_seed, check_choice, check_matrix
from ._checkpoint import FIXED, Checkpoint, saved_seed
from ._correct import correct
from ._holdout import draw
from ._tuning_tables import beside_trivial, summary

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from ..model.tuning import Task

logger = logging.getLogger("rtdmf_bio")

Settings = dict[str, Any]
Grid = Mapping[str, Sequence[Any]]

_FRACTIONS = (0.15, 0.15)
_STORED = ("tuning", "tuning_scores", "tuning_params")


def tune(
    adata: AnnData,
    grid: Grid | Sequence[Grid] | None = None,
    *,
    criterion: str = "robust",
    by: str = "entry",
    layer: str | None = None,
    key_added: str = "rtdmf",
    group_key: str | Sequence[str] | None = "tissue",
    n_jobs: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    refit: bool = True,
    random_state: Seed = 0,
    progress: bool = True,
    overwrite: bool = False,
    copy: bool = False,
    **correct_keywords: Any,
) -> AnnData | None:
    """Choose settings by hold-out, then correct with them.

    70 % of the measured entries train, 15 % validate, 15 % test. Every candidate is fitted to the
    training entries and scored on the validation entries; the best one, and it alone, is scored
    on the test entries; then :func:`rtdmf_bio.pp.correct` runs on everything measured with its
    settings. All scores stand beside those of two trivial answers.

    Parameters
    ----------
    adata
        As for :func:`rtdmf_bio.pp.correct`.
    grid
        Values to try for each parameter, all combined, or several such dicts. Any parameter of
        :class:`rtdmf_bio.RTDMF` that acts on what is predicted: ``threshold`` (of ``loss="clip"``
        and ``"hard"``; for other losses it only says what is called high), ``max_iter``,
        ``depth``, ``width``, ``weight_decay``, ``loss``, ``preset``, ... None: the settings as
        they are, ``loss="mixture"`` with depth 2 to 4 and weight decay 0.7, 1 and 1.4, and
        ``loss="squared"`` with depth 2 and 3 and weight decay 0.3 and 0.5.
    criterion
        ``"robust"``
            Mean over held-out entries of min(r², c²), r = D - L the residual from the broad
            structure, c twice the noise that the default settings find on the same split. A
            specific response that L absorbs earns little, so it rather stays where it can be
            flagged. Parameters of imputation do not act on it; of equals, mse decides.
        ``"mse"``
            Mean squared error of the imputed value, as published. The one to take if only the
            imputation matters: it prefers an L that absorbs blocks of specific response. Of
            equals, robust decides: with ``impute="refined"`` the second stage may do without L.
    by
        What is held out together: ``"entry"``, ``"drug"``, ``"line"`` or ``"group"``; see
        :func:`rtdmf_bio.pp.holdout`, which gives the same split for the same ``random_state``.
    layer, key_added, group_key, overwrite
        As for :func:`rtdmf_bio.pp.correct`; ``by="group"`` holds out the groups of ``group_key``.
    n_jobs
        Candidates fitted at a time, each on one thread. None: as set by
        ``joblib.parallel_config``, whose backend is used in any case, else 1. The result does
        not depend on it.
    checkpoint
        File that keeps every finished candidate, so that the same call takes up an interrupted
        search where it ended, with the same or another grid. Delete it when done. A file of
        another search is refused and left as it is. Candidates that failed are tried again.
    refit
        Correct with the best settings. False: store the tables only.
    random_state
        Seed of the split and of the model; a NumPy Generator or RandomState to draw it
        from; or None for any, or for that of the ``checkpoint``. The seed is stored.
    progress
        Show progress bars on a terminal.
    copy
        Return a tuned copy instead of writing to ``adata``.
    **correct_keywords
        Settings for all candidates, and for :func:`rtdmf_bio.pp.correct`.

    Returns
    -------
    None, or the copy. Written is all that :func:`rtdmf_bio.pp.correct` writes, and

    ``uns["rtdmf"]["tuning"]`` : DataFrame
        One row per candidate in the order of the grid: its parameters, ``validation_mse`` and
        ``validation_robust`` (squared units of the measure), ``n_iter``, ``stop_reason``,
        ``seconds``, ``error`` (empty, or why it failed), ``rank`` (1 is best by the criterion,
        0 failed) and ``chosen``.
    ``uns["rtdmf"]["tuning_scores"]`` : DataFrame
        ``answer`` (chosen, two-way means, grand mean), ``validation_mse``, ``validation_robust``,
        ``test_mse``, ``test_robust``.
    ``uns["rtdmf"]["tuning_params"]`` : dict
        ``criterion``, ``by``, ``cut`` (c, in the measure's unit), ``layer``, ``random_state``,
        counts of entries, and ``chosen``, the settings as keywords for pp.correct.

    Raises
    ------
    TypeError, ValueError
        If the data, a parameter or the checkpoint cannot be used, or every candidate failed.
        ``adata`` is then as it was, as it is after an interruption.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025, for the split and the mean squared error.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()[:60, :200].copy()
    >>> rt.pp.tune(adata, {"depth": [3, 2]}, progress=False)
    >>> adata.uns["rtdmf"]["tuning"].columns[:3].to_list()
    ['depth', 'validation_mse', 'validation_robust']
    """
    from ..model.tuning import CRITERIA, TUNABLE, Task

    check_adata(adata)
    if random_state is None:
        random_state = saved_seed(checkpoint)
    random_state = as_seed(random_state)
    layer = resolve_layer(adata, layer)
    data = matrix_of(adata, layer)
    check_choice("criterion", criterion, CRITERIA)
    _check_names(correct_keywords)
    _check_store(adata, key_added, refit, overwrite)
    concentration = correct_keywords.get("concentration", "error")
    check_meaning(adata, layer, group_key, concentration)
    if concentration == "log":
        raise ValueError(
            "pp.tune takes no logarithms. Call rtdmf_bio.pp.log_concentrations(adata) first."
        )
    groups = groups_of(adata, group_key)
    known = {name: correct_keywords.get(name) for name in ("noise_sd", "replicate_key")}
    noise_of(adata, known["noise_sd"])
    replicates_of(adata, known["replicate_key"])
    acting = ("device", "dtype", *TUNABLE)
    fixed = {name: value for name, value in correct_keywords.items() if name in acting}
    fixed["random_state"] = random_state
    candidates = _candidates(grid, fixed, TUNABLE)
    checked = check_matrix(
        data,
        infinite=correct_keywords.get("infinite", "error"),
        unmeasured=correct_keywords.get("unmeasured", "error"),
        max_missing=correct_keywords.get("max_missing", 0.95),
        extreme=correct_keywords.get("extreme", "error"),
        drug_names=adata.obs_names,
        line_names=adata.var_names,
    )
    values = np.full(adata.shape, np.nan)
    values[np.ix_(checked.drugs, checked.lines)] = checked.data
    fold = draw(adata, np.isfinite(values), by, group_key, _FRACTIONS, random_state)
    task, results = _search(
        Task(values, fold), candidates, fixed, n_jobs=n_jobs, path=checkpoint, progress=progress
    )
    table = summary(candidates, results, fixed, criterion)
    best = candidates[int(np.argmax(table["chosen"]))]
    added = {
        "tuning": table,
        "tuning_scores": beside_trivial(task, {**fixed, **best}, table),
        "tuning_params": {
            "criterion": criterion,
            "by": by,
            "cut": task.cut,
            "layer": layer,
            "random_state": random_state,
            **{
                f"n_{name}": int((fold == k).sum())
                for k, name in enumerate(("train", "validation", "test"))
            },
            "chosen": {name: value for name, value in best.items() if value is not None},
        },
    }
    written: dict[tuple[str, str], Any] = {}
    if refit:
        bare = _bare(adata, data, layer, [*(groups or {}), *_names(known.values())])
        if (marks := censored_of(adata, layer)) is not None:
            bare.layers[censored_name(layer)] = marks
        keywords = {**correct_keywords, **best, "random_state": random_state, "refit": True}
        correct(
            bare,
            layer=layer,
            key_added=key_added,
            group_key=group_key,
            progress=progress,
            **keywords,
        )
        written = {(where, name): getattr(bare, where)[name] for where, name in keys_of(key_added)}
        written["uns", key_added] = {**bare.uns[key_added], **added}
    else:
        written["uns", key_added] = {**adata.uns.get(key_added, {}), **added}
    out = adata.copy() if copy else adata
    assign(out, written)
    return out if copy else None


def _check_names(keywords: Settings) -> None:
    from ..model.estimator import RTDMF
    from ..model.settings import check_names

    allowed = {"noise_sd", "replicate_key", "concentration", *RTDMF().get_params()} - {
        "progress",
        "random_state",
        "refit",
    }
    check_names(keywords, allowed, "tune() got", "its own and those of rtdmf_bio.pp.correct")


def _check_store(adata: AnnData, key: str, refit: bool, overwrite: bool) -> None:
    if refit:
        check_keys(adata, key, overwrite)
        return
    check_keys(adata, key, overwrite=True)
    if not overwrite and any(name in adata.uns.get(key, {}) for name in _STORED):
        raise ValueError(
            f"adata already holds a tuning under uns[{key!r}]. Pass overwrite=True to replace it, "
            f"or another key_added."
        )


def _candidates(
    grid: Grid | Sequence[Grid] | None, fixed: Settings, tunable: Sequence[str]
) -> list[Settings]:
    """Plain dicts in the order of the grid, without repetition, or one clear error."""
    from sklearn.model_selection import ParameterGrid

    from ..model.tuning import default_candidates

    if grid is None:
        return default_candidates(fixed)
    parts: list[Any] = list(grid) if isinstance(grid, (list, tuple)) else [grid]
    if not parts or not all(isinstance(part, Mapping) for part in parts):
        raise TypeError(
            f"grid must be a dict of lists, such as {{'depth': [2, 3]}}, or a list of such dicts. "
            f"Got {grid!r}."
        )
    names = {name for part in parts for name in part}
    unknown = sorted(str(name) for name in names - set(tunable))
    if unknown:
        raise ValueError(
            f"grid names {unknown}, which cannot be tuned. These can, the others do not act on "
            f"the prediction of a held-out entry: {sorted(tunable)}."
        )
    twice = sorted(names & set(fixed))
    if twice:
        raise ValueError(f"{twice} stand both in grid and among the keywords. Give each once.")
    out: list[Settings] = []
    for candidate in ParameterGrid(parts):
        plain = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in candidate.items()
        }
        if plain not in out:
            out.append(plain)
    return out


def _search(
    task: Task,
    candidates: list[Settings],
    fixed: Settings,
    *,
    n_jobs: int | None,
    path: str | os.PathLike[str] | None,
    progress: bool,
) -> tuple[Task, list[dict[str, Any]]]:
    """Evaluate what the checkpoint does not hold; results are in the order of the candidates."""
    import joblib
    from sklearn.exceptions import ConvergenceWarning
    from tqdm.auto import tqdm

    from ..model.device import limited_threads
    from ..model.tuning import cut_of, evaluate

    saved = Checkpoint(path, _identity(task, fixed))
    results = [saved.get(candidate) for candidate in candidates]
    todo = [k for k, result in enumerate(results) if result is None]

    def run(task: Task, k: int) -> tuple[int, dict[str, Any]]:
        return k, evaluate(task, {**fixed, **candidates[k]})

    with warnings.catch_warnings(), limited_threads(0):
        warnings.simplefilter("ignore", ConvergenceWarning)  # the column stop_reason says it
        if "cut" not in saved.notes:
            saved.note()  # a file that cannot be written is better known now
            plain = {k: v for k, v in fixed.items() if k in ("device", "dtype", "random_state")}
            saved.note(cut=cut_of(task, plain))
        task = replace(task, cut=saved.notes["cut"])
        bar = tqdm(
            total=len(candidates), initial=len(candidates) - len(todo), desc="candidates",
            disable=None if progress else True, leave=False,
        )  # fmt: skip
        try:
            with bar:
                parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
                for k, result in parallel(joblib.delayed(run)(task, k) for k in todo):
                    results[k] = result
                    if "error" not in result:
                        saved.add(candidates[k], result)
                    bar.update()
                    logger.info(
                        "candidate %d of %d, %s: %s", k + 1, len(candidates), candidates[k], result
                    )
        except KeyboardInterrupt as stop:
            if path is not None:
                n = len(saved.results)
                stop.add_note(f"{path} keeps the {n} candidates finished. Run it again to go on.")
            raise
    done = [result for result in results if result is not None]
    if all("error" in result for result in done):
        raise ValueError(
            f"None of the {len(done)} candidates could be fitted. The first said: "
            f"{done[0]['error']}"
        )
    return task, done


def _identity(task: Task, fixed: Settings) -> dict[str, str]:
    """What a score depends on besides the candidate."""

    def digest(array: NDArray[Any]) -> str:
        return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()

    return {
        "data": f"{task.values.shape} {digest(np.nan_to_num(task.values))}",
        "hold-out": digest(task.fold),
        FIXED: json.dumps(fixed, sort_keys=True, default=str),
        "version of rtdmf_bio": __version__,
    }


def _bare(adata: AnnData, data: Any, layer: str, names: list[str]) -> AnnData:
    """An object with nothing but what ``correct`` reads, to be thrown away if that fails.

    ``names`` are those of columns and layers that it is told to look at.
    """
    from anndata import AnnData

    uns = {name: adata.uns[name] for name in ("measure", "layer_measures") if name in adata.uns}
    named = {name: adata.layers[name] for name in names if name in adata.layers}
    return AnnData(
        X=data if layer == "X" else None,
        layers=named if layer == "X" else {**named, layer: data},
        obs=adata.obs[[name for name in adata.obs if name in names]].copy(),
        var=adata.var[[name for name in adata.var if name in names]].copy(),
        uns=uns,
    )


def _names(keys: Iterable[Any]) -> list[str]:
    """Names among what may also be a number, a list of names, or None."""
    names: list[str] = []
    for key in keys:
        if isinstance(key, str):
            names.append(key)
        elif isinstance(key, (list, tuple)):
            names += [name for name in key if isinstance(name, str)]
    return names
