"""Mutated against wild-type cell lines, before and after a correction."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .._adata.inputs import named, yes_or_no
from .._adata.record import KEY
from .._adata.sources import compared
from ..model.checks import check_number, name_some
from ..model.enrichment import benjamini_hochberg
from ._rank_tests import RankTests, rank_tests

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def biomarker(
    adata: AnnData,
    drug: str | Sequence[str] | None = None,
    group: str | Sequence[str] | None = None,
    *,
    layer: str | Sequence[str] | None = None,
    key: str = KEY,
    min_size: int = 3,
) -> pd.DataFrame:
    """Test whether mutated cell lines respond to a drug otherwise than wild-type lines.

    Every pair of drug and mutation is tested in each source: the measurements, the corrected
    values, their specific part, and two trivial answers: drug mean + line mean, and what these
    leave of the measurements. All sources are compared on the same entries: those measured in the
    matrix that was corrected (``X`` without a correction) and finite in every source.

    A mutation of one gene is a question about what is particular to a drug: the general
    sensitivity of the lines only blurs it. So look at the specific part first, and beside it at
    ``"two-way residual"``, which takes general sensitivity out without any correction.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``). The direction of the measure is read from
        ``adata.uns["measure"]["higher_is"]``, ``"resistant"`` or ``"sensitive"``.
    drug
        Name of a drug, or several. None: all.
    group
        Column of ``adata.var``, or several, that says which lines are mutated: boolean, or 0 and
        1; lines without a value are left out. None: every column named ``<gene>_mut``.
    layer
        Layer to test, or several, ``"X"`` for ``X``. None: the matrix that was corrected, the
        corrected one and its specific part; without a correction, ``X``.
    key
        The ``key_added`` of the correction.
    min_size
        Pairs with fewer mutated or fewer wild-type lines measured are left out.

    Returns
    -------
    Table, one row per drug x group x source. The rows of a pair stay together; pairs are sorted by
    the p value of their first source, which is the measured one unless ``layer`` says otherwise.

    ``drug``, ``group``
        What was tested.
    ``source``
        ``"measured"``, ``"corrected"``, ``"specific"`` or the name of the layer; last
        ``"two-way means"``, drug effect + line effect fitted to the first source, which is what a
        line's general sensitivity alone gives, and ``"two-way residual"``, the first source less
        these, which is what the specific part has to surpass.
    ``n_mutated``, ``n_wild_type``
        Lines compared; the same for all sources of a pair.
    ``difference``
        Mean of the mutated minus mean of the wild-type lines, in the unit of the measure.
    ``effect``
        Hedges' g, in pooled standard deviations, with the sign of ``difference``; infinite where
        neither side varies.
    ``direction``
        Mutated lines are on average ``"sensitive"`` or ``"resistant"``, ``"higher"`` or
        ``"lower"`` if the direction of the measure is not known, ``"none"`` without a difference.
    ``auroc``
        Probability that a mutated line is more sensitive than a wild-type line, ties counted half:
        0.5 is chance. If the direction is not known, that it has the lower value.
    ``pvalue``, ``qvalue``
        Two-sided Mann-Whitney test, normal approximation with corrections for ties and
        continuity; Benjamini-Hochberg over all rows of the same source.

    Where all values of a drug are equal, ``effect`` is 0, ``auroc`` 0.5 and ``pvalue`` 1.

    Raises
    ------
    TypeError, ValueError
        If a drug, column or layer is not there, a column is no yes or no, or no pair has enough
        lines.

    Warns
    -----
    UserWarning
        If a drug or group asked for by name is in no pair with enough lines.

    Notes
    -----
    Lines are compared over all tissues: where a mutation is common in one tissue, a difference may
    be that of the tissue. A corrected value borrows from similar drugs and lines, so that a drug
    without any response of its own may show that of its neighbours; a pair that only the corrected
    source finds needs more evidence. Do not count significant pairs to compare sources: a mutation
    whose lines are generally sensitive makes the trivial answer significant for every drug. The
    line effects of the trivial answers include the drug tested, which matters where there are but
    few drugs. The normal approximation is rough with fewer than about eight lines on a side.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025 (Figure 4). Geeleher et al., Genome Biology 17
    (2016), on general levels of drug sensitivity. Mann & Whitney, Annals of Mathematical
    Statistics 18 (1947). Hedges, Journal of Educational Statistics 6 (1981).

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()
    >>> table = rt.tl.biomarker(adata, "Dabrafenib", "BRAF_mut")
    >>> print(table[["source", "n_mutated", "effect", "direction", "auroc"]].round(2).to_string())
                 source  n_mutated  effect  direction  auroc
    0          measured         70   -3.46  sensitive   0.89
    1     two-way means         70   -0.09  sensitive   0.56
    2  two-way residual         70   -3.61  sensitive   0.90
    """
    check_number("min_size", min_size, 2)
    drugs = _drugs(adata, drug)
    groups = _groups(adata, group)
    sources = compared(adata, layer, key)
    members = np.array(list(groups.values()))
    tests = {name: rank_tests(s.values[drugs], members) for name, s in sources.items()}
    first = next(iter(tests.values()))
    enough = np.minimum(first.n_in, first.n_out) >= min_size
    names = np.asarray(adata.obs_names, dtype=str)[drugs]
    columns = np.array(list(groups), dtype=str)
    if not enough.any():
        raise ValueError(_too_few(first, names, columns, min_size))
    for asked, kind, lost in (
        (drug, "drug", names[~enough.any(1)]),
        (group, "group", columns[~enough.any(0)]),
    ):
        if asked is not None and lost.size:
            warnings.warn(
                f"{lost.size} {kind}(s) are not in the table, for want of {min_size} mutated and "
                f"{min_size} wild-type lines in any pair: {name_some(list(lost))}.",
                stacklevel=2,
            )
    i, j = np.nonzero(enough)
    order = np.lexsort((-np.abs(first.effect[i, j]), first.pvalue[i, j]))
    i, j = i[order], j[order]
    parts = []
    for name, test in tests.items():
        higher_is = str(sources[name].measure.get("higher_is"))
        high, low = {
            "resistant": ("resistant", "sensitive"),
            "sensitive": ("sensitive", "resistant"),
        }.get(higher_is, ("higher", "lower"))
        difference, above = test.difference[i, j], test.auroc[i, j]
        part = {
            "drug": names[i],
            "group": columns[j],
            "source": name,
            "n_mutated": test.n_in[i, j],
            "n_wild_type": test.n_out[i, j],
            "difference": difference,
            "effect": test.effect[i, j],
            "direction": np.select([difference > 0, difference < 0], [high, low], "none"),
            "auroc": above if higher_is == "sensitive" else 1 - above,
            "pvalue": test.pvalue[i, j],
            "qvalue": benjamini_hochberg(test.pvalue[i, j]),
        }
        parts.append(pd.DataFrame(part))
    # Stable, so that the rows of a pair, at the same place in every part, come together in order.
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _drugs(adata: AnnData, drug: str | Sequence[str] | None) -> NDArray[np.intp]:
    """Rows of the drugs asked for."""
    if not adata.obs_names.is_unique:
        twice = list(adata.obs_names[adata.obs_names.duplicated()].unique())
        raise ValueError(
            f"{len(twice)} drug name(s) occur more than once: {name_some(twice)}. Make them unique "
            f"first: adata.obs_names_make_unique()."
        )
    if drug is None:
        return np.arange(adata.n_obs)
    wanted = named("drug", drug)
    for name in wanted:
        if name not in adata.obs_names:
            lower = {str(known).lower(): str(known) for known in adata.obs_names}
            close = difflib.get_close_matches(name.lower(), lower)
            hint = name_some([lower[match] for match in close] or list(adata.obs_names))
            raise ValueError(f"adata.obs_names has no {name!r}. It has {hint}.")
    return np.asarray(adata.obs_names.get_indexer(wanted))


def _groups(adata: AnnData, group: str | Sequence[str] | None) -> dict[str, NDArray[np.float64]]:
    """1 for mutated lines, 0 for wild type, NaN for lines left out."""
    names = [name for name in adata.var.columns if str(name).endswith("_mut")]
    if group is not None:
        names = named("group", group)
    if not names:
        raise ValueError(
            f"No group of cell lines to test: adata.var has no column named <gene>_mut. Pass "
            f"group=, boolean columns of {list(adata.var.columns)}."
        )
    for name in names:
        if name not in adata.var:
            raise ValueError(
                f"adata.var has no column {name!r}. It has {list(adata.var.columns)}; pass boolean "
                f"columns as group."
            )
    return {name: yes_or_no(adata.var[name]) for name in names}


def _too_few(
    tests: RankTests, drugs: NDArray[np.str_], groups: NDArray[np.str_], min_size: int
) -> str:
    """Say how many lines the best pair has."""
    smaller = np.minimum(tests.n_in, tests.n_out)
    i, j = np.unravel_index(smaller.argmax(), smaller.shape)
    many = f"None of {smaller.size} pairs has enough lines. " if smaller.size > 1 else ""
    return (
        f"{many}{drugs[i]} was measured on {tests.n_in[i, j]} lines with {groups[j]} and "
        f"{tests.n_out[i, j]} without; at least {min_size} of each are needed (min_size)."
    )
