"""Test whether a drug's high residuals are over-represented in a group of cell lines.

For drug i, group g and one side (residual above or below the fit):

| symbol | column         | meaning                                             |
|--------|----------------|-----------------------------------------------------|
| N      | ``n_tested``   | lines measured with the drug                        |
| K      | ``n_high``     | of these, lines with a high residual on this side   |
| m      | ``n_group``    | of these, lines in the group                        |
| x      | ``n_high_group`` | lines both in the group and high                  |

p = P(X >= x), X ~ Hypergeometric(N, K, m), the one-sided Fisher test; q by Benjamini-Hochberg
over all tests of all drugs, groups, sides and group columns.
Source: Hu et al. 2025, RT-DMF step (iii).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_GROUP_SIZE = 3
SIDES = ("above", "below")


@dataclass
class Enrichment:
    """Tests, one per drug x group x side, and the entries that enriched groups cover.

    ``drug`` is the row index, ``side`` is +1 (above the fit) or -1 (below).
    """

    drug: NDArray[np.int64]
    group_key: NDArray[np.object_]
    group: NDArray[np.object_]
    side: NDArray[np.int8]
    n_high_group: NDArray[np.int64]
    n_high: NDArray[np.int64]
    n_group: NDArray[np.int64]
    n_tested: NDArray[np.int64]
    odds_ratio: NDArray[np.float64]
    pvalue: NDArray[np.float64]
    qvalue: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.drug)


def benjamini_hochberg(pvalue: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p values controlling the false discovery rate (Benjamini & Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    if pvalue.size == 0:
        return pvalue.copy()
    return np.asarray(false_discovery_control(pvalue, method="bh"))


def enrichment(
    high_above: NDArray[np.bool_],
    high_below: NDArray[np.bool_],
    observed: NDArray[np.bool_],
    groups: Mapping[str, NDArray[np.object_]],
    *,
    min_group_size: int = MIN_GROUP_SIZE,
) -> Enrichment:
    """Test every drug x group x side that has something to test.

    Parameters
    ----------
    high_above, high_below
        High residuals on either side, shape (n drugs, p lines).
    observed
        Measured entries, shape (n, p).
    groups
        For each grouping, its name and one label per line (p,). A label of None leaves the
        line out of that grouping's tests altogether.
    min_group_size
        A group with fewer lines measured with a drug is not tested for it.

    Returns
    -------
    The tests, ordered by group column, side, group and drug.
    """
    from scipy.stats import hypergeom

    parts: list[tuple[Any, ...]] = []
    for key, labels in groups.items():
        column = np.asarray(labels, dtype=object)
        known = np.array([label is not None for label in column])
        names = sorted({label for label in column if label is not None}, key=str)
        member = np.array([column == name for name in names]).reshape(len(names), column.size)
        indicator = member.T.astype(np.float64)
        seen = observed & known
        n_group = np.rint(seen @ indicator).astype(np.int64)
        n_tested = seen.sum(1)
        for sign, high in ((1, high_above & seen), (-1, high_below & seen)):
            x = np.rint(high @ indicator).astype(np.int64)
            n_high = high.sum(1)
            testable = (n_group >= min_group_size) & (n_high > 0)[:, None]
            testable &= (n_group < n_tested[:, None]) & (n_high < n_tested)[:, None]
            group, drug = np.nonzero(testable.T)
            parts.append((key, sign, names, drug, group, x, n_high, n_group, n_tested))
    drug = _join([part[3] for part in parts], np.int64)
    x = _join([part[5][part[3], part[4]] for part in parts], np.int64)
    n_high = _join([part[6][part[3]] for part in parts], np.int64)
    n_group = _join([part[7][part[3], part[4]] for part in parts], np.int64)
    n_tested = _join([part[8][part[3]] for part in parts], np.int64)
    pvalue = hypergeom.sf(x - 1, n_tested, n_high, n_group)
    pvalue = np.minimum(np.asarray(pvalue, dtype=np.float64), 1.0)
    a, b, c = x, n_high - x, n_group - x
    d = n_tested - n_high - c
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.where((b * c) > 0, (a * d) / (b * c), np.where(a * d > 0, np.inf, np.nan))
    return Enrichment(
        drug=drug,
        group_key=_join([np.full(part[3].size, part[0], object) for part in parts], object),
        group=_join([np.array(part[2], object)[part[4]] for part in parts], object),
        side=_join([np.full(part[3].size, part[1]) for part in parts], np.int8),
        n_high_group=x,
        n_high=n_high,
        n_group=n_group,
        n_tested=n_tested,
        odds_ratio=odds,
        pvalue=pvalue,
        qvalue=benjamini_hochberg(pvalue),
    )


def enriched_entries(
    tests: Enrichment,
    high_above: NDArray[np.bool_],
    high_below: NDArray[np.bool_],
    groups: Mapping[str, NDArray[np.object_]],
    *,
    fdr: float,
) -> NDArray[np.bool_]:
    """High residuals that lie in a group enriched for their drug and side, (n, p)."""
    out = np.zeros(high_above.shape, dtype=bool)
    columns = {key: np.asarray(labels, dtype=object) for key, labels in groups.items()}
    for k in np.flatnonzero(tests.qvalue <= fdr):
        high = high_above if tests.side[k] > 0 else high_below
        row = tests.drug[k]
        out[row] |= high[row] & (columns[tests.group_key[k]] == tests.group[k])
    return out


def _join(parts: list[Any], dtype: Any) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype=dtype)
