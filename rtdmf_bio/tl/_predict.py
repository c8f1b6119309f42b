"""Drug sensitivity of held-out cell lines from their gene expression."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._adata.inputs import check_adata, groups_of, matrix_of, named, resolve_layer
from ..model.checks import Seed, as_seed, check_choice, check_matrix, check_number
from ..model.settings import check_names
from ._expression import chosen_drugs, expression_of, finite, folds_of, further, too_few_shared
from ._held_out_lines import DRUG_MEAN, GENERAL, MODELS, TRAININGS, Task, predict_all

if TYPE_CHECKING:
    from anndata import AnnData

Array = NDArray[np.float64]


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
    random_state: Seed = 0,
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
    check_choice("model", model, MODELS)
    trainings = named("training", training)
    for name in trainings:
        check_choice("training", name, TRAININGS)
    check_number("n_folds", n_folds, 2)
    check_number("n_genes", n_genes, 1)
    check_number("min_lines", min_lines, 2)
    random_state = as_seed(random_state)
    if pretrain is not None and model != "transfer":
        warnings.warn(f"pretrain is ignored by model={model!r}.", stacklevel=2)
        pretrain = None
    check_adata(adata)
    data = matrix_of(adata, resolve_layer(adata, layer))
    checked = check_matrix(data, infinite="nan", unmeasured="nan", max_missing=1.0)
    lines = np.asarray(adata.var_names, dtype=str)[checked.lines]
    names = np.asarray(adata.obs_names, dtype=str)[checked.drugs]
    table = expression_of(expression, "expression")
    known = np.isin(lines, table.index)
    needed = max(min_lines, 2 * n_folds)
    if known.sum() < needed:
        raise ValueError(too_few_shared(lines, table, int(known.sum()), needed))
    genes = np.full((lines.size, table.shape[1]), np.nan)
    genes[known] = finite(table.loc[lines[known]], "expression")
    chosen = chosen_drugs(
        adata, drugs, names, np.isfinite(checked.data[:, known]).sum(1), min_lines
    )
    groups = groups_of(adata, group_key) or {}
    task = Task(
        values=checked.data,
        genes=genes,
        fold=folds_of(known, n_folds, random_state),
        groups={key: np.array(g, dtype=object)[checked.lines] for key, g in groups.items()},
        chosen=chosen,
        model=model,
        correction=_parameters(correction, device, random_state),
        n_genes=n_genes,
        pretrain=None if pretrain is None else further(pretrain, table.columns),
        device=device,
        random_state=random_state,
    )
    every = [*trainings, GENERAL, DRUG_MEAN]
    predictions, corrected = predict_all(task, every, n_folds, n_jobs, progress)
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
