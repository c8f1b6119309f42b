"""Clusters of drugs or cell lines beside known groups, before and after a correction.

| symbol | variable    | shape          | meaning                                              |
|--------|-------------|----------------|------------------------------------------------------|
| X      | ``values``  | (n, p)         | drugs x cell lines, NaN where not measured           |
| C      | ``centred`` | (n, p)         | X minus the mean of each drug, 0 where not measured  |
| z      | ``units``   | (items, p/n)   | profiles of the items, each of mean 0 and length 1   |

A profile is a row (drugs) or a column (lines) of C. Without the drug's mean taken out, all lines
look alike: each is mostly the potencies of the drugs. |z_a - z_b|^2 = 2 (1 - correlation), so that
k-means and Ward's linkage, which both minimise squared distances within clusters, go by
correlation. Average linkage, cut to as many clusters as there are groups, tends to give one large
cluster and a few outliers.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from .._adata.columns import with_labels
from .._adata.inputs import named, values_of
from .._adata.profiles import AXES, axis_of, named_profiles, profiles, ward
from .._adata.record import KEY, SPECIFIC, groups_used
from .._adata.sources import TWO_WAY_MEANS, TWO_WAY_RESIDUAL, layers_of, trivial_sources
from ..model.checks import Seed, as_seed, check_choice, check_number, name_some

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

METHODS = ("hierarchical", "k-means")
_STARTS, _SHUFFLES = 10, 100


def cluster(
    adata: AnnData,
    group_key: str,
    *,
    axis: str | None = None,
    layer: str | Sequence[str] | None = None,
    key: str = KEY,
    method: str | Sequence[str] = METHODS,
    n_clusters: int | None = None,
    min_group_size: int = 5,
    random_state: Seed = 0,
) -> pd.DataFrame:
    """Score how well clusters of drugs or cell lines agree with known groups.

    Drugs or lines are clustered by the correlation of their profiles, before and after a
    correction, and the clusters compared with the groups of a column, such as the pathways of
    drugs or the tissues of lines.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``).
    group_key
        Column of ``adata.obs``, which groups drugs, or of ``adata.var``, which groups lines. Set
        labels that are no group, such as "other", to missing first.
    axis
        What is clustered, ``"drugs"`` or ``"lines"``. None: whichever has the column.
    layer
        Layer to cluster, or several, ``"X"`` for ``X``. None: the matrix that was corrected,
        the same with its missing entries imputed by nearest neighbours, the corrected one and its
        specific part; without a correction, ``X`` and its imputation.
    key
        The ``key_added`` of the correction.
    method
        ``"hierarchical"``, Ward's linkage; ``"k-means"``, the best of 10 starts; or both.
    n_clusters
        Number of clusters. None: as many as groups.
    min_group_size
        Groups with fewer drugs or lines are left out, as agreement on a handful is luck.
    random_state
        Seed of k-means and of the shuffling.

    Returns
    -------
    Table, one row per method x source:

    ``method``
        How it was clustered.
    ``source``
        ``"measured"``, ``"KNN-imputed"``, ``"corrected"``, ``"specific"``, or the name of the
        layer. Then the trivial answers: ``"two-way means"``, clusters of items of like mean alone
        (of drugs as potent, of lines as sensitive in general); for drugs ``"two-way residual"``,
        the first source without drug and line effects, the control of a specific part (profiles
        of lines are without both anyway); and ``"one cluster"`` of all. Below each but the last is
        ``"<source>, shuffled"``: the same clusters filled at random, mean of 100 times; this, not
        0, is the chance level of ``accuracy`` and ``nmi``.
    ``n_items``, ``n_left_out``
        Drugs or lines clustered, and those left out: never measured in the first source, without
        a label, or of a small group.
    ``n_groups``, ``n_clusters``
        Numbers of both; there are fewer clusters than asked for if fewer items differ.
    ``accuracy``
        Share of items in the cluster matched to their group, in the best one-to-one matching.
    ``ari``
        Adjusted Rand index: 0 is chance, 1 agreement.
    ``nmi``
        Normalised mutual information (arithmetic mean): 1 is agreement.

    Raises
    ------
    TypeError, ValueError
        If a column or layer is not there, fewer than two groups are large enough, a profile is
        constant, or a parameter is out of range.

    Warns
    -----
    UserWarning
        If lines are compared by groups that the correction used itself, which is no independent
        test of it; nor are groups much like those, such as lineage beside tissue.

    Notes
    -----
    A clustering needs complete data: missing entries of a layer are filled by the drug's mean,
    which speaks neither for nor against a similarity. Profiles are differences from the mean of
    each drug; those of drugs hold the general sensitivity of the lines, which most drugs share.
    Items left out take no part in the clustering, but in the means and in the imputation. Lines
    and drugs never measured in the first source are dropped everywhere. Nearest neighbours have
    the defaults of :func:`rtdmf_bio.baselines.knn_impute`.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025 (Figure 6). Ward, Journal of the American
    Statistical Association 58 (1963). Hubert & Arabie, Journal of Classification 2 (1985).

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()[:60, :200].copy()
    >>> table = rt.tl.cluster(adata, "tissue", method="hierarchical")
    >>> list(table["source"][:4])
    ['measured', 'measured, shuffled', 'KNN-imputed', 'KNN-imputed, shuffled']
    """
    from ..baselines import knn_impute, two_way_means

    methods = named("method", method)
    for name in methods:
        check_choice("method", name, METHODS)
    check_number("min_group_size", min_group_size, 2)
    random_state = as_seed(random_state)
    axis = axis_of(adata, group_key, axis)
    layers = layers_of(adata, layer, key)
    values = {name: values_of(adata, at) for name, at in layers.items()}
    measured = next(iter(values.values()))
    drugs, lines = (np.flatnonzero(np.isfinite(measured).any(along)) for along in (1, 0))
    values = {name: x[np.ix_(drugs, lines)] for name, x in values.items()}
    items = _grouped(adata, group_key, axis, drugs if axis == "drugs" else lines, min_group_size)
    n_groups = np.unique(items.groups).size
    if n_clusters is None:
        n_clusters = n_groups
    check_number("n_clusters", n_clusters, 2, items.groups.size)
    made = dict.fromkeys(at.removesuffix(f"_{SPECIFIC}") for at in layers.values())
    own = [at for at in made if axis == "lines" and group_key in groups_used(adata, at)]
    if own:
        warnings.warn(
            f"The correction {name_some(own)} was given the groups {group_key!r} and keeps high "
            f"residuals by them: that its clusters agree with them may be its own doing. "
            f"Compare one without: rtdmf_bio.pp.correct with group_key=None and its own key_added.",
            stacklevel=2,
        )
    measured = next(iter(values.values()))
    if layer is None:
        values = {"measured": measured, "KNN-imputed": knn_impute(measured), **values}
    clustered = {
        name: named_profiles(x, axis, items.names, name, items.at) for name, x in values.items()
    }
    level = two_way_means(measured).mean(1 if axis == "drugs" else 0)[items.at, None]
    clustered[TWO_WAY_MEANS] = level / np.nanmax(np.abs(measured))
    if axis == "drugs":
        # Drugs of which the means leave nothing are alike.
        rest = profiles(trivial_sources(measured)[TWO_WAY_RESIDUAL], axis)[items.at]
        clustered[TWO_WAY_RESIDUAL] = np.nan_to_num(rest)

    rows = []
    for how in methods:
        same = {"method": how, "n_items": items.groups.size}
        same |= {"n_left_out": items.n_left_out, "n_groups": n_groups}
        for name, z in clustered.items():
            found = find_clusters(z, how, n_clusters, random_state)
            both = {**same, "n_clusters": np.unique(found).size}
            rows += [
                {**both, "source": name, **agreement(items.groups, found)},
                {
                    **both,
                    "source": f"{name}, shuffled",
                    **chance(items.groups, found, random_state),
                },
            ]
        one = agreement(items.groups, np.zeros(items.groups.size, dtype=int))
        rows.append({**same, "source": "one cluster", "n_clusters": 1, **one})
    columns = ["method", "source", "n_items", "n_left_out", "n_groups", "n_clusters"]
    return pd.DataFrame(rows, columns=[*columns, "accuracy", "ari", "nmi"])


def find_clusters(
    units: Matrix, method: str, n_clusters: int, random_state: int
) -> NDArray[np.int_]:
    """Number of the cluster of each item."""
    from scipy.cluster.hierarchy import cut_tree
    from sklearn.cluster import KMeans

    units = np.round(units, 9)  # equal but for rounding is equal
    n_clusters = min(n_clusters, len(np.unique(units, axis=0)))
    if method == "hierarchical":
        return np.asarray(cut_tree(ward(units), n_clusters)[:, 0], dtype=int)
    model = KMeans(n_clusters, n_init=_STARTS, random_state=random_state)
    return np.asarray(model.fit_predict(units), dtype=int)


def agreement(groups: NDArray[np.int_], clusters: NDArray[np.int_]) -> dict[str, float]:
    """Accuracy, ARI and NMI of two partitions, numbered from 0; there must be several groups.

    As in scikit-learn, which checks its input each time and takes ten times as long for it.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.special import comb, entr

    shape = groups.max() + 1, clusters.max() + 1
    cells = np.bincount(groups * shape[1] + clusters, minlength=shape[0] * shape[1])
    counts = cells.reshape(shape)
    rows, columns, n = counts.sum(1), counts.sum(0), groups.size
    together, a, b = (comb(x, 2).sum() for x in (counts, rows, columns))
    expected = a * b / comb(n, 2)
    h_groups, h_clusters, h_both = (entr(x / n).sum() for x in (rows, columns, counts))
    return {
        "accuracy": float(counts[linear_sum_assignment(counts, maximize=True)].sum() / n),
        "ari": float((together - expected) / ((a + b) / 2 - expected)),
        "nmi": float(2 * (h_groups + h_clusters - h_both) / (h_groups + h_clusters)),
    }


def chance(
    groups: NDArray[np.int_], clusters: NDArray[np.int_], random_state: int
) -> dict[str, float]:
    """Mean agreement if the same clusters were filled at random."""
    rng = np.random.default_rng(random_state)
    scores = [agreement(groups, rng.permutation(clusters)) for _ in range(_SHUFFLES)]
    return {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}


class _Items(NamedTuple):
    """What is clustered: place among the measured drugs or lines, name, and number of its group."""

    at: NDArray[np.intp]
    names: NDArray[np.str_]
    groups: NDArray[np.int_]
    n_left_out: int


def _grouped(
    adata: AnnData, group_key: str, axis: str, measured: NDArray[np.intp], min_size: int
) -> _Items:
    table = getattr(adata, AXES[axis])
    column = with_labels(table[group_key].iloc[measured])
    labels = column[column.notna()].astype(str)
    sizes = labels.value_counts()
    large = sizes.index[sizes >= min_size]
    if large.size < 2:
        found = [f"{name} ({size})" for name, size in sizes.items()]
        raise ValueError(
            f"adata.{AXES[axis]}[{group_key!r}] has {large.size} group(s) of at least {min_size} "
            f"measured {axis}; two are needed to compare. It has {name_some(found)}. Pass another "
            f"column, or a smaller min_group_size."
        )
    kept = np.asarray(column.notna() & column.astype(str).isin(large))
    groups = np.unique(np.asarray(column.astype(str))[kept].astype(str), return_inverse=True)[1]
    names = np.asarray(column.index, dtype=str)[kept]
    return _Items(np.flatnonzero(kept), names, groups, len(table) - int(kept.sum()))
