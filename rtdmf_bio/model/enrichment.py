"""Test whether a drug's high residuals are over-represented in a group of cell lines.

For drug i, group g and one side (residual above or below the fit):

| symbol | column           | meaning                                                      |
|--------|------------------|--------------------------------------------------------------|
| N      | ``n_tested``     | lines measured with the drug                                 |
| K      | ``n_high``       | of these, lines with a high residual on this side            |
| m      | ``n_group``      | of these, lines in the group                                 |
| x      | ``n_high_group`` | lines both in the group and high                             |
|        | ``n_expected``   | x by the rates of the group's lines; K over all groups       |

p = P(X >= x | K), X a sum of entries each of which is high as often as its drug and its line are
(rates.py); q by Benjamini-Hochberg over all tests of all drugs, groups, sides and group columns
that could come out either way, 0 < K < N. Beside it a test that needs no threshold (savage.py), q
over all rows; nothing is kept for it alone.
Source: Hu et al. 2025, RT-DMF step (iii). There X ~ Hypergeometric(N, K, m), the one-sided Fisher
test, which takes all lines for alike: a tissue of noisy or of tender lines looks enriched by it
with drug after drug.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rates import group_tails, rates
from .savage import rank_tails

MIN_GROUP_SIZE = 3
SIDES = (1, -1)  # above the fit, below


@dataclass
class Enrichment:
    """Tests, one per drug x group x side, and the entries that enriched groups cover.

    ``drug`` is the row index, ``side`` is +1 (above the fit) or -1 (below). ``pvalue`` and
    ``qvalue`` are those of the count of high residuals, both 1 where all or none of the drug's are
    high on this side; ``odds_ratio``, of the bare counts, is NaN there. ``rank_pvalue`` and
    ``rank_qvalue`` need no threshold.
    """

    drug: NDArray[np.int64]
    group_key: NDArray[np.object_]
    group: NDArray[np.object_]
    side: NDArray[np.int8]
    n_high_group: NDArray[np.int64]
    n_expected: NDArray[np.float64]
    n_high: NDArray[np.int64]
    n_group: NDArray[np.int64]
    n_tested: NDArray[np.int64]
    odds_ratio: NDArray[np.float64]
    pvalue: NDArray[np.float64]
    qvalue: NDArray[np.float64]
    rank_pvalue: NDArray[np.float64]
    rank_qvalue: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.drug)


def benjamini_hochberg(pvalue: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p values controlling the false discovery rate (Benjamini & Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    if pvalue.size == 0:
        return pvalue.copy()
    return np.asarray(false_discovery_control(pvalue, method="bh"))


def high(residual: NDArray[np.float64], threshold: float, side: int) -> NDArray[np.bool_]:
    """High residuals on one side; NaN is none."""
    signed = side * residual
    return np.asarray((signed >= threshold) & (signed > 0))


def enrichment(
    residual: NDArray[np.float64],
    threshold: float,
    groups: Mapping[str, NDArray[np.object_]],
    *,
    min_group_size: int = MIN_GROUP_SIZE,
) -> Enrichment:
    """Test every drug x group x side.

    Parameters
    ----------
    residual
        Measurement minus fit, NaN where not measured, shape (n drugs, p lines).
    threshold
        Size from which a residual is high.
    groups
        For each grouping, its name and one label per line (p,). A label of None leaves the
        line out of that grouping's tests altogether.
    min_group_size
        A group with fewer lines measured with a drug is not tested for it; nor is one that has
        all of them.

    Returns
    -------
    The tests, ordered by group column, side, group and drug.
    """
    parts = [
        part
        for key, labels in groups.items()
        for part in _grouping(key, labels, residual, threshold, min_group_size)
    ]
    columns = {
        name: np.concatenate([part[name] for part in parts]).astype(dtype)
        if parts
        else np.zeros(0, dtype=dtype)
        for name, dtype in _COLUMNS.items()
    }
    x, n_high, n_group, n_tested = (
        columns[name] for name in ("n_high_group", "n_high", "n_group", "n_tested")
    )
    b, c = n_high - x, n_group - x
    d = n_tested - n_high - c
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where((b * c) > 0, (x * d) / (b * c), np.where(x * d > 0, np.inf, np.nan))
    either = (n_high > 0) & (n_high < n_tested)
    qvalue = np.ones(len(x))
    qvalue[either] = benjamini_hochberg(columns["pvalue"][either])
    return Enrichment(
        **columns,
        odds_ratio=odds,
        qvalue=qvalue,
        rank_qvalue=benjamini_hochberg(columns["rank_pvalue"]),
    )


_COLUMNS: dict[str, Any] = {
    "drug": np.int64,
    "group_key": object,
    "group": object,
    "side": np.int8,
    "n_high_group": np.int64,
    "n_expected": np.float64,
    "n_high": np.int64,
    "n_group": np.int64,
    "n_tested": np.int64,
    "pvalue": np.float64,
    "rank_pvalue": np.float64,
}


def _grouping(
    key: str,
    labels: NDArray[np.object_],
    residual: NDArray[np.float64],
    threshold: float,
    min_group_size: int,
) -> Iterator[dict[str, NDArray[Any]]]:
    """Columns of the tests of one grouping, for each side."""
    column = np.asarray(labels, dtype=object)
    known = np.array([label is not None for label in column])
    residual, column = residual[:, known], column[known]
    names = sorted(set(column), key=str)
    member = np.array([column == name for name in names]).reshape(len(names), column.size).T
    lines = [np.flatnonzero(column == name) for name in names]
    seen = np.isfinite(residual)
    n_tested, n_group = seen.sum(1), _counts(seen, member)
    testable = (n_group >= min_group_size) & (n_group < n_tested[:, None])
    group, drug = np.nonzero(testable.T)
    if not drug.size:
        return
    for side in SIDES:
        here = high(residual, threshold, side)
        n_high = here.sum(1)
        rate = rates(side * residual, here, seen)
        pvalue = np.ones(n_group.shape)
        either = np.flatnonzero((n_high > 0) & (n_high < n_tested))
        if either.size:
            pvalue[either] = group_tails(rate[either], here[either], lines)
        matrices = {
            "n_high_group": _counts(here, member),
            "n_expected": rate @ member,
            "n_group": n_group,
            "pvalue": pvalue,
            "rank_pvalue": rank_tails(side * residual, seen, member.astype(np.float64)),
        }
        yield {
            "drug": drug,
            "group_key": np.full(drug.size, key, dtype=object),
            "group": np.array(names, dtype=object)[group],
            "side": np.full(drug.size, side),
            "n_high": n_high[drug],
            "n_tested": n_tested[drug],
            **{name: matrix[drug, group] for name, matrix in matrices.items()},
        }


def _counts(entries: NDArray[np.bool_], member: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.rint(entries.astype(np.float64) @ member).astype(np.int64)


def enriched_entries(
    tests: Enrichment,
    residual: NDArray[np.float64],
    threshold: float,
    groups: Mapping[str, NDArray[np.object_]],
    *,
    fdr: float,
) -> NDArray[np.bool_]:
    """High residuals that lie in a group enriched for their drug and side, (n, p)."""
    out = np.zeros(residual.shape, dtype=bool)
    columns = {key: np.asarray(labels, dtype=object) for key, labels in groups.items()}
    for k in np.flatnonzero(tests.qvalue <= fdr):
        row = tests.drug[k]
        inside = columns[tests.group_key[k]] == tests.group[k]
        out[row] |= high(residual[row], threshold, tests.side[k]) & inside
    return out
