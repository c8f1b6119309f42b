"""What the modes of the fitted chain hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._adata.columns import labels_of, with_labels
from .._adata.record import KEY, stored
from ..model.checks import check_number
from ..model.enrichment import benjamini_hochberg

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def factors(
    adata: AnnData,
    *,
    key: str = KEY,
    obs: str | Sequence[str] | None = None,
    var: str | Sequence[str] | None = None,
    n_factors: int = 10,
    min_group_size: int = 3,
) -> pd.DataFrame:
    """Say what each mode of the broad structure goes with: tissue, target, general sensitivity.

    The broad structure of a correction is drug effects + line effects + modes, each a loading for
    every drug times a score for every line. A mode that follows the general sensitivity of the
    lines, or a batch of the screen, is nuisance to most questions; one that follows a target or a
    tissue is biology that carries no flag.

    Parameters
    ----------
    adata
        Corrected by :func:`rtdmf_bio.pp.correct`.
    key
        Its ``key_added``.
    obs
        Columns of ``obs`` to compare the loadings of the drugs with, such as target or mechanism;
        numbers or labels. Level and slope of the drugs are always among them.
    var
        The same for the scores of the lines. None: the ``group_key`` of the correction. General
        sensitivity is always among them.
    n_factors
        Modes to report, largest first.
    min_group_size
        Smaller groups of a column of labels are left out.

    Returns
    -------
    Table, one row per mode x property:

    ``factor``, ``share``
        Number of the mode from 1, and its share of the sum of squares of all modes.
    ``axis``, ``property``
        ``drugs`` or ``lines``; the column, or ``general sensitivity``, ``level``, ``slope``.
    ``n``, ``n_groups``
        Drugs or lines compared; groups of a column of labels, 0 for numbers.
    ``r2``, ``chance``
        Share of the variance of loadings or scores that the property explains (for groups, eta
        squared), and what one without any relation is expected to explain.
    ``correlation``
        Pearson's, NaN for labels. The sign of a mode as such is free.
    ``pvalue``, ``qvalue``
        Of the correlation or the one-way analysis of variance; Benjamini-Hochberg over all rows.
    ``group``
        For labels, the group whose mean lies furthest out, in standard errors.
    ``top``
        The three drugs or lines of largest loading or score.

    Raises
    ------
    TypeError, ValueError
        If there is no correction, or a column is not there or cannot be compared.

    Notes
    -----
    Scores of related lines are not independent, so that p values are small throughout; read
    ``r2`` beside ``chance``. The general sensitivity is itself part of the correction: a mode that
    follows it holds how differently drugs act on generally sensitive lines.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025, outlook.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()[:60, :200].copy()
    >>> rt.pp.correct(adata, progress=False)
    >>> table = rt.tl.factors(adata, n_factors=2)
    >>> sorted(set(table["property"]))
    ['general sensitivity', 'level', 'slope', 'tissue']
    """
    result = stored(adata, key)
    check_number("n_factors", n_factors, 1)
    check_number("min_group_size", min_group_size, 2)
    if f"{key}_factors" not in adata.obsm:
        raise ValueError(
            f"adata.obsm has no '{key}_factors': it was corrected by an earlier version. Run "
            f"rtdmf_bio.pp.correct(adata, overwrite=True) again."
        )
    loadings, scores = (
        np.asarray(where[f"{key}_factors"], dtype=float) for where in (adata.obsm, adata.varm)
    )
    if not loadings.shape[1]:
        raise ValueError(
            f"The correction {key!r} found no structure beside drug and line effects, so there is "
            f"no factor to explain."
        )
    size = np.nansum(loadings**2, axis=0)
    properties = [
        ("lines", "general sensitivity", adata.var[f"{key}_sensitivity"]),
        *_columns(
            "lines", adata.var, result["params"].get("group_key", []) if var is None else var
        ),
        ("drugs", "level", adata.obs[f"{key}_level"]),
        ("drugs", "slope", adata.obs[f"{key}_slope"]),
        *_columns("drugs", adata.obs, [] if obs is None else obs),
    ]
    rows = []
    for k in range(min(n_factors, size.size)):
        for axis, name, column in properties:
            values = (loadings if axis == "drugs" else scores)[:, k]
            order = np.argsort(-np.abs(np.nan_to_num(values)), kind="stable")[:3]
            rows.append(
                {
                    "factor": k + 1,
                    "share": size[k] / size.sum(),
                    "axis": axis,
                    "property": name,
                    **_explained(values, column, name, min_group_size),
                    "top": ", ".join(str(item) for item in column.index[order]),
                }
            )
    table = pd.DataFrame(rows)
    table.insert(
        table.columns.get_loc("pvalue") + 1,
        "qvalue",
        benjamini_hochberg(table["pvalue"].to_numpy()),
    )
    return table


def _columns(
    axis: str, frame: pd.DataFrame, names: str | Sequence[str]
) -> list[tuple[str, str, pd.Series]]:
    names = [names] if isinstance(names, str) else list(names)
    where = "obs" if axis == "drugs" else "var"
    for name in names:
        if name not in frame:
            raise ValueError(f"adata.{where} has no column {name!r}. It has {list(frame.columns)}.")
    return [(axis, name, frame[name]) for name in names]


def _explained(
    values: NDArray[np.float64], column: pd.Series, name: str, min_group_size: int
) -> dict[str, Any]:
    """How much of the variance of ``values`` the column explains."""
    from scipy.stats import f_oneway, pearsonr

    column = with_labels(column)
    known = np.isfinite(values) & column.notna().to_numpy()
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        known[known] = np.isfinite(column[known].to_numpy(dtype=float))
        x, y = values[known], column[known].to_numpy(dtype=float)
        if x.size < 3 or np.ptp(y) == 0:
            raise ValueError(
                f"{name!r} cannot be compared with the factors: it has {x.size} value(s), all "
                f"equal or fewer than 3."
            )
        r, p = pearsonr(x, y)
        return {
            "n": x.size, "n_groups": 0, "r2": r**2, "chance": 1 / (x.size - 1),
            "correlation": r, "pvalue": p, "group": "",
        }  # fmt: skip
    labels = labels_of(column)
    names, counts = np.unique(labels[known], return_counts=True)
    names = names[counts >= min_group_size]
    if names.size < 2:
        raise ValueError(
            f"{name!r} has {names.size} group(s) of at least {min_group_size}; 2 are needed to "
            f"compare. Choose another column, or a smaller min_group_size."
        )
    known &= np.isin(labels, names)
    x, labels = values[known], labels[known]
    groups = [x[labels == label] for label in names]
    means, n = np.array([g.mean() for g in groups]), np.array([g.size for g in groups])
    between = float(n @ (means - x.mean()) ** 2)
    total = float(((x - x.mean()) ** 2).sum())
    furthest = int(np.argmax(np.abs(means - x.mean()) * np.sqrt(n)))
    return {
        "n": x.size, "n_groups": names.size, "r2": between / total,
        "chance": (names.size - 1) / (x.size - 1), "correlation": np.nan,
        "pvalue": float(f_oneway(*groups).pvalue), "group": str(names[furthest]),
    }  # fmt: skip
