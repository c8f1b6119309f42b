"""Drug sensitivity of held-out cell lines from their gene expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._adata.inputs import check_adata, groups_of, matrix_of, named
from ..model.checks import check_choice, check_matrix, check_number, name_some
from ..model.settings import check_names

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

Array = NDArray[np.float64]

MODELS = ("elastic-net", "transfer")
TRAININGS = ("rtdmf", "knn", "measured")
GENERAL, DRUG_MEAN = "general only", "drug mean"
_INNER = 0.2  # of the training lines, as many as five folds hold out


def predict(
    adata: AnnData,
    expression: pd.DataFrame | AnnData,
    *,
    drugs: str | Sequence[str] | None = None,
    model: str = "elastic-net",
    training: str | Sequence[str] = TRAININGS,
    layer: str | None = None,
    group_key: str | Sequence[str] | None = "tissue",
    correction: Mapping[str, Any] | None = None,
    n_folds: int = 5,
    n_genes: int = 1000,
    min_lines: int = 20,
    pretrain: pd.DataFrame | AnnData | None = None,
    device: str = "auto",
    n_jobs: int | None = None,
    random_state: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Predict drug sensitivity from expression, trained on a corrected, completed or bare matrix.

    Cell lines are held out in turn. In each fold the matrix of the training lines alone is
    corrected or completed, a model learns it from their expression, and its predictions for the
    held-out lines are compared with what was measured on them.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``), NaN where not measured; infinite entries count as
        not measured. All drugs take part in correction and completion.
    expression
        Gene expression, cell lines x genes, named as in ``adata.var_names``; a table, or an
        AnnData whose ``obs`` are the lines. Lines without expression are never held out and no
        model sees them; their measurements help to complete the training matrix.
    drugs
        Drugs to predict. None: all. Those measured on fewer than ``min_lines`` lines with
        expression are left out.
    model
        ``"elastic-net"``: one for each drug, l1 and l2 penalty alike. ``"transfer"``: an
        autoencoder of expression, refined with a layer that predicts all drugs at once.
    training
        What is trained on, one or several. ``"rtdmf"``: the matrix as RT-DMF corrects and
        completes it; ``"knn"``: as :func:`rtdmf_bio.baselines.knn_impute` completes it;
        ``"measured"``: the measurements, with what is missing left out.
    layer
        Layer to use instead of ``X``.
    group_key
        Column of ``adata.var``, or several, with the groups of lines that RT-DMF tests. None:
        no groups.
    correction
        Other parameters of :class:`rtdmf_bio.RTDMF`, by name. Unless given here,
        ``specific_weight`` is 1: the weighing of general and specific part serves comparisons
        between laboratories, and what is predicted here is this screen.
    n_folds
        Parts into which the lines with expression are divided at random.
    n_genes
        Genes that vary most over the training lines of a fold. 1000 are about as many as a large
        screen has lines; the time grows with their square.
    min_lines
        See ``drugs``. With fewer than 20, five folds leave hardly 3 lines to choose a penalty by.
    pretrain
        Expression of further samples, such as tumours, x the same genes, for the autoencoder. Each
        gene is standardised among them.
    device
        Where RT-DMF and the transfer model compute: ``"cpu"``, ``"cuda"``, ``"mps"`` or ``"auto"``.
    n_jobs
        Fits at a time. None: as set by ``joblib.parallel_config``, else 1.
    random_state
        Seed of the folds, of RT-DMF and of the transfer model.
    progress
        Show a progress bar on a terminal.

    Returns
    -------
    Table, one row per drug x training x target, drugs in the order of ``adata``. All rows of a drug
    are scored on the same entries: those measured on held-out lines.

    ``drug``, ``model``
        As given.
    ``training``
        As asked for, and two controls. ``"general only"``: the same model predicts each line's
        general sensitivity (line effect of the training measurements) and a straight line leads
        from it to the drug. ``"drug mean"``: mean of the drug's training measurements, which
        knows nothing of the held-out line.
    ``scored_against``
        ``"measured"``: the measurements. ``"corrected"``: the same entries of the whole matrix
        corrected by RT-DMF, held-out lines included. This target is smooth, made like that of
        the training ``"rtdmf"``, and flatters; compare methods by the first.
    ``n_lines``
        Entries scored.
    ``rmse``
        Root mean squared error, in the unit of the measure.
    ``pearson``, ``spearman``
        Correlation over all entries scored; NaN if the predictions of every fold are constant.

    Raises
    ------
    TypeError, ValueError
        If the data or a parameter cannot be used, or too few lines have expression.

    Warns
    -----
    UserWarning
        If a drug asked for by name is left out, or ``pretrain`` is given to a model without use
        for it.

    Notes
    -----
    Nothing measured on a held-out line enters its prediction: scaling and choice of genes,
    correction and model are made anew in each fold. Within it a fifth of the training lines is set
    aside, and the penalty, or the epoch to stop at, is the one that predicts their measurements
    best, whatever the training. Correction and completion see these lines, in all trainings alike.
    Lines are held out at random, not by tissue: a model may go by the tissue it recognises.

    The elastic net is then fitted to all training lines; the network stays as it was stopped.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025. Zou & Hastie, Journal of the Royal Statistical
    Society B 67 (2005). Yeh et al., Genomics Proteomics Bioinformatics 22 (2024), qzad008
    (TransCell).

    Examples
    --------
    >>> import pandas as pd
    >>> import rtdmf_bio as rt
    >>> screen = rt.datasets.simulate(40, 80)
    >>> genes = pd.DataFrame(screen.layers["low_rank"].T, index=screen.var_names)
    >>> table = rt.tl.predict(
    ...     screen, genes, training="knn", group_key="group", correction={"loss": "squared"},
    ...     n_folds=2, progress=False,
    ... )
    >>> error = table[table["scored_against"] == "measured"].groupby("training")["rmse"].mean()
    >>> bool(error["knn"] < error["drug mean"])
    True
    """
    import warnings

    import pandas as pd

    check_choice("model", model, MODELS)
    trainings = named("training", training)
    for name in trainings:
        check_choice("training", name, TRAININGS)
    check_number("n_folds", n_folds, 2)
    check_number("n_genes", n_genes, 1)
    check_number("min_lines", min_lines, 2)
    check_number("random_state", random_state, 0)
    if pretrain is not None and model != "transfer":
        warnings.warn(f"pretrain is ignored by model={model!r}.", stacklevel=2)
        pretrain = None
    check_adata(adata)
    checked = check_matrix(
        matrix_of(adata, layer), infinite="nan", unmeasured="nan", max_missing=1.0
    )
    lines = np.asarray(adata.var_names, dtype=str)[checked.lines]
    names = np.asarray(adata.obs_names, dtype=str)[checked.drugs]
    table = _expression(expression, "expression")
    known = np.isin(lines, table.index)
    needed = max(min_lines, 2 * n_folds)
    if known.sum() < needed:
        raise ValueError(_too_few_shared(lines, table, int(known.sum()), needed))
    genes = np.full((lines.size, table.shape[1]), np.nan)
    genes[known] = _finite(table.loc[lines[known]], "expression")
    chosen = _chosen(adata, drugs, names, np.isfinite(checked.data[:, known]).sum(1), min_lines)
    groups = groups_of(adata, group_key) or {}
    task = Task(
        values=checked.data,
        genes=genes,
        fold=_folds(known, n_folds, random_state),
        groups={key: np.array(g, dtype=object)[checked.lines] for key, g in groups.items()},
        chosen=chosen,
        model=model,
        correction=_parameters(correction, device, random_state),
        n_genes=n_genes,
        pretrain=None if pretrain is None else _further(pretrain, table.columns),
        device=device,
        random_state=random_state,
    )
    every = [*trainings, GENERAL, DRUG_MEAN]
    predictions, corrected = _run(task, every, n_folds, n_jobs, progress)
    targets = {"measured": task.values[chosen], "corrected": corrected[chosen]}
    scored = known & np.isfinite(np.stack([*targets.values(), *predictions.values()])).all(0)
    parts = []
    for row, drug in enumerate(names[chosen]):
        for name in every:
            for against, truth in targets.items():
                here = scored[row]
                scores = score(predictions[name][row, here], truth[row, here], task.fold[here])
                parts.append((drug, model, name, against, int(here.sum()), *scores))
    columns = ["drug", "model", "training", "scored_against", "n_lines"]
    return pd.DataFrame(parts, columns=[*columns, "rmse", "pearson", "spearman"])


@dataclass(frozen=True)
class Task:
    """What all folds share."""

    values: Array  # (n drugs, p lines), NaN where not measured
    genes: Array  # (p, genes), NaN for lines without expression
    fold: NDArray[np.intp]  # (p,), -1 for lines without expression
    groups: dict[str, NDArray[np.object_]]
    chosen: NDArray[np.intp]  # rows to predict
    model: str
    correction: dict[str, Any]
    n_genes: int
    pretrain: Array | None
    device: str
    random_state: int


def predict_fold(task: Task, fold: int, training: str) -> Array:
    """Predict the chosen drugs for the held-out lines of a fold, shape (chosen, held out)."""
    held_out = task.fold == fold
    # From here on there are only the training lines.
    values = task.values[:, ~held_out]
    if training == DRUG_MEAN:
        return np.repeat(_means(values[task.chosen]), held_out.sum(), axis=1)
    known = task.fold[~held_out] >= 0
    groups = {key: labels[~held_out] for key, labels in task.groups.items()}
    with _one_thread():
        matrix = _trained_on(values, groups, training, task.correction)
        truth = matrix if training == GENERAL else values
        rows = slice(None) if training == GENERAL or task.model == "transfer" else task.chosen
        predicted = _model(
            task, fold, task.genes[~held_out][known], matrix[rows][:, known],
            truth[rows][:, known], task.genes[held_out],
        )  # fmt: skip
    if training == GENERAL:
        return _from_general(values[task.chosen], matrix[0], predicted[0])
    return predicted[task.chosen] if task.model == "transfer" else predicted


def correct_all(values: Array, groups: Mapping[str, Any], correction: dict[str, Any]) -> Array:
    """Correct a matrix by RT-DMF; drugs without a measurement are NaN."""
    from ..model.estimator import RTDMF

    corrected: Array = RTDMF(**correction).fit(values, groups=groups or None).corrected_
    return corrected


def score(predicted: Array, truth: Array, fold: NDArray[np.intp]) -> tuple[float, float, float]:
    """Root mean squared error, Pearson and Spearman correlation."""
    from scipy.stats import pearsonr, spearmanr

    if truth.size == 0:
        return np.nan, np.nan, np.nan
    rmse = float(np.sqrt(np.mean((predicted - truth) ** 2)))
    # Means of training lines are low where the held-out lines are high: constants that differ by
    # fold alone would correlate negatively.
    flat = all(np.ptp(predicted[fold == k]) == 0 for k in np.unique(fold))
    if flat or np.ptp(truth) == 0:
        return rmse, np.nan, np.nan
    return rmse, float(pearsonr(predicted, truth)[0]), float(spearmanr(predicted, truth)[0])


def _trained_on(
    values: Array, groups: Mapping[str, Any], training: str, correction: dict[str, Any]
) -> Array:
    from ..baselines import knn_impute, two_way_means

    if training == "measured":
        return values
    if training == "rtdmf":
        return correct_all(values, groups, correction)
    measured = np.isfinite(values).any(1)
    if training == GENERAL:
        return np.asarray(two_way_means(values[measured]).mean(0, keepdims=True))
    out = np.full(values.shape, np.nan)
    out[measured] = knn_impute(values[measured])
    return out


def _model(task: Task, fold: int, genes: Array, targets: Array, truth: Array, new: Array) -> Array:
    """Scale expression by the training lines, set lines aside among them, fit and predict."""
    rng = np.random.default_rng((task.random_state, fold))
    inner = np.zeros(len(genes), dtype=bool)
    inner[rng.permutation(len(genes))[: max(1, round(_INNER * len(genes)))]] = True
    spread = _spread(genes)
    top = np.sort(np.argsort(-spread, kind="stable")[: task.n_genes])
    mean, spread = genes[:, top].mean(0), np.where(spread > 0, spread, 1)[top]
    x, x_new = (genes[:, top] - mean) / spread, (new[:, top] - mean) / spread
    if task.model == "elastic-net":
        from ._elastic_net import elastic_net

        return elastic_net(x, targets, truth, x_new, inner)
    from ._transfer import transfer

    further = None
    if task.pretrain is not None:
        further = task.pretrain[:, top]
        deviation = _spread(further)
        further = (further - further.mean(0)) / np.where(deviation > 0, deviation, 1)
    return transfer(
        x, targets, truth, x_new, inner,
        pretrain=further, device=task.device, seed=task.random_state,
    )  # fmt: skip


def _spread(genes: Array) -> Array:
    """Standard deviation of each gene, 0 of one that does not vary, whatever rounding says."""
    return np.where(np.ptp(genes, axis=0) > 0, genes.std(0), 0.0)


def _from_general(values: Array, general: Array, predicted: Array) -> Array:
    """Lead from general sensitivity to each drug by least squares on the training lines."""
    measured = np.isfinite(values)
    level = _means(values)
    center = _means(np.where(measured, general, np.nan))
    deviation = np.where(measured, general - center, 0)
    slope = (deviation * np.nan_to_num(values - level)).sum(1, keepdims=True)
    size = (deviation**2).sum(1, keepdims=True)
    slope = np.divide(slope, size, out=np.zeros_like(slope), where=size > 0)
    return np.asarray(level + slope * (predicted - center))


def _means(values: Array) -> Array:
    """Mean of each row's measurements as a column, NaN without any."""
    count = np.isfinite(values).sum(1, keepdims=True)
    total = np.nansum(values, axis=1, keepdims=True)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _run(
    task: Task, trainings: list[str], n_folds: int, n_jobs: int | None, progress: bool
) -> tuple[dict[str, Array], Array]:
    """Predictions by training, (chosen, p lines), and the whole matrix corrected."""
    import joblib
    from tqdm.auto import tqdm

    jobs = [(fold, name) for name in trainings for fold in range(n_folds)]
    shape = (task.chosen.size, task.fold.size)
    predictions = {name: np.full(shape, np.nan) for name in trainings}
    corrected = np.empty(0)
    bar = tqdm(total=len(jobs) + 1, desc="predict", disable=None if progress else True, leave=False)
    # Around all jobs too: those that run as threads would restore each other's setting.
    with _one_thread(), bar:
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        for done, result in parallel(joblib.delayed(_job)(task, job) for job in [None, *jobs]):
            if done is None:
                corrected = result
            else:
                predictions[done[1]][:, task.fold == done[0]] = result
            bar.update()
    return predictions, corrected


def _job(task: Task, job: tuple[int, str] | None) -> tuple[tuple[int, str] | None, Array]:
    if job is None:
        return job, correct_all(task.values, task.groups, task.correction)
    return job, predict_fold(task, *job)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Products of this size do not repay a second thread, and bits must not depend on it."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from ..model.device import limited_threads

    with limited_threads(0), threadpool_limits(1, "blas"):
        yield


def _expression(given: Any, parameter: str) -> pd.DataFrame:
    """Return samples x genes as a table with unique names."""
    import pandas as pd
    from anndata import AnnData

    table = given.to_df() if isinstance(given, AnnData) else given
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{parameter} must be a table or an AnnData of cell lines x genes. Got "
            f"{type(given).__name__}."
        )
    table = table.set_axis(table.index.astype(str)).set_axis(table.columns.astype(str), axis=1)
    for what, names in (("line", table.index), ("gene", table.columns)):
        if not names.is_unique:
            twice = list(names[names.duplicated()].unique())
            raise ValueError(
                f"{len(twice)} {what} name(s) occur more than once in {parameter}: "
                f"{name_some(twice)}. Aggregate or rename them."
            )
    return table


def _finite(table: pd.DataFrame, parameter: str) -> Array:
    try:
        values: Array = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        text = [name for name, kind in table.dtypes.items() if kind.kind not in "fiub"]
        raise TypeError(
            f"{parameter} must be numeric. Column(s) {name_some(text)} are not; drop them."
        ) from None
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(
            f"{parameter} has {bad.sum()} missing or infinite values in {bad.any(0).sum()} of "
            f"{bad.shape[1]} genes: {name_some(list(table.columns[bad.any(0)]))}. Drop these genes "
            f"or fill them in."
        )
    if np.ptp(values, axis=0).max(initial=0) == 0:
        raise ValueError(f"None of the {bad.shape[1]} genes of {parameter} varies between lines.")
    return values


def _too_few_shared(lines: NDArray[Any], table: pd.DataFrame, n: int, needed: int) -> str:
    hint = "Make the names agree."
    if n:
        hint = "Make the names agree, or pass fewer n_folds or min_lines."
    if n == lines.size:
        hint = "Pass fewer n_folds or min_lines."
    if np.isin(lines, table.columns).sum() > n:
        hint = "Lines are its columns: pass expression.T."
    return (
        f"{n} of the {lines.size} cell lines measured have expression by that name; at least "
        f"{needed} are needed. adata.var_names has {name_some(list(lines), 3)}, expression has "
        f"{name_some(list(table.index), 3)}. {hint}"
    )


def _further(given: Any, genes: pd.Index) -> Array:
    table = _expression(given, "pretrain")
    lost = [name for name in genes if name not in table.columns]
    if lost:
        raise ValueError(
            f"pretrain lacks {len(lost)} of the {len(genes)} genes of expression: "
            f"{name_some(lost)}. Keep the genes both have."
        )
    return _finite(table[genes], "pretrain")


def _chosen(
    adata: AnnData, drugs: Any, measured: NDArray[Any], count: NDArray[np.intp], least: int
) -> NDArray[np.intp]:
    """Rows, among the drugs with a measurement, of those to predict."""
    import warnings

    asked = list(adata.obs_names) if drugs is None else named("drugs", drugs)
    for name in asked:
        if name not in adata.obs_names:
            raise ValueError(
                f"adata.obs_names has no {name!r}. It has {name_some(list(adata.obs_names))}."
            )
    enough = measured[count >= least]
    lost = [name for name in asked if name not in enough]
    if len(lost) == len(asked):
        raise ValueError(
            f"None of {len(asked)} drug(s) is measured on {least} lines with expression "
            f"(min_lines): {name_some(lost)}."
        )
    if lost and drugs is not None:
        warnings.warn(
            f"{len(lost)} drug(s) are not in the table, measured on fewer than {least} lines with "
            f"expression (min_lines): {name_some(lost)}.",
            stacklevel=3,
        )
    return np.flatnonzero(np.isin(measured, asked) & (count >= least))


def _folds(known: NDArray[np.bool_], n_folds: int, seed: int) -> NDArray[np.intp]:
    fold = np.full(known.size, -1)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(known))
    fold[order] = np.arange(order.size) % n_folds
    return fold


def _parameters(given: Mapping[str, Any] | None, device: str, seed: int) -> dict[str, Any]:
    from ..model.estimator import RTDMF
    from ..model.settings import resolve

    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise TypeError(f"correction must be a dict of parameters. Got {type(given).__name__}.")
    check_names(given, RTDMF().get_params(), "correction holds", "those of RTDMF")
    # A drug without a training entry in one fold is no reason to stop.
    own = {"unmeasured": "nan", "device": device, "random_state": seed}
    if "shrink" in resolve(RTDMF(**given).get_params())["retain"]:  # others do not weigh
        own["specific_weight"] = 1.0
    return {**own, **given}
