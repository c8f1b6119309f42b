"""Enrichment of high residuals in groups of lines, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, hypergeom

from rtdmf_bio.model.enrichment import benjamini_hochberg, enriched_entries, enrichment

N, P = 12, 60
FIELDS = (
    "drug", "group_key", "group", "side", "n_high_group", "n_high", "n_group", "n_tested",
    "odds_ratio", "pvalue", "qvalue",
)  # fmt: skip


def case(seed=0, n=N, p=P, share=0.15, missing=0.2, unlabelled=0):
    """Random flags on both sides, and two groupings of the lines."""
    rng = np.random.default_rng(seed)
    observed = rng.random((n, p)) >= missing
    side = rng.random((n, p))
    above, below = observed & (side < share), observed & (side > 1 - share)
    tissue = np.array(["blood", "lung", "skin", "rare"], object)[
        rng.choice(4, p, p=[0.5, 0.25, 0.2, 0.05])
    ]
    tissue[:unlabelled] = None
    return above, below, observed, {"tissue": tissue, "sex": rng.choice(["f", "m"], p)}


def table(above, below, observed, groups, key, group, drug, side):
    """The fourfold table of one test, counted line by line."""
    counts = np.zeros((2, 2), int)
    for line in range(observed.shape[1]):
        if observed[drug, line] and groups[key][line] is not None:
            high = (above if side > 0 else below)[drug, line]
            counts[int(not high), int(groups[key][line] != group)] += 1
    return counts


def test_every_test_is_that_of_scipy():
    """p is the one-sided Fisher test, which is the hypergeometric tail; counts as documented."""
    args = case(unlabelled=7)
    tests = enrichment(*args)
    assert len(tests) > 80
    assert set(tests.side.tolist()) == {1, -1}
    assert set(tests.group_key.tolist()) == {"tissue", "sex"}
    for k in range(len(tests)):
        where = tests.group_key[k], tests.group[k], tests.drug[k], tests.side[k]
        counts = table(*args, *where)
        (a, b), (c, d) = counts
        assert tests.n_high_group[k] == a
        assert tests.n_high[k] == a + b
        assert tests.n_group[k] == a + c
        assert tests.n_tested[k] == a + b + c + d
        odds, p = fisher_exact(counts, alternative="greater")
        tail = hypergeom(a + b + c + d, a + b, a + c).sf(a - 1)
        # Both sum the same tail, in different order.
        assert tests.pvalue[k] == pytest.approx(p, rel=1e-9)
        assert tests.pvalue[k] == pytest.approx(tail, rel=1e-9)
        assert tests.odds_ratio[k] == pytest.approx(odds, rel=1e-12)


def test_tested_is_whatever_could_have_come_out_either_way():
    """Every drug, side and group with enough lines, a high residual, and something to compare."""
    args = case(unlabelled=7)
    groups = args[-1]
    # A size that occurs, so that the bound itself is seen to be tested.
    sizes = np.sort(enrichment(*args, min_group_size=1).n_group)
    least = int(sizes[len(sizes) // 2])
    tests = enrichment(*args, min_group_size=least)
    assert tests.n_group.min() == least
    done = set(
        zip(*(getattr(tests, f).tolist() for f in ("group_key", "group", "drug", "side")),
            strict=True)
    )  # fmt: skip
    assert len(done) == len(tests)
    for key, labels in groups.items():
        for group in set(labels) - {None}:
            for drug in range(N):
                for side in (1, -1):
                    (a, b), (c, d) = table(*args, key, group, drug, side)
                    informative = a + b > 0 and c + d > 0 and b + d > 0 and a + c >= least
                    assert ((key, group, drug, side) in done) == informative
    assert not any(group == "rare" for _, group, _, _ in done)


def by_hand_bh(p):
    """Benjamini & Hochberg 1995: the smallest p_(k) n / k among those at or above one's own."""
    order = np.argsort(p)
    q, smallest = np.empty(len(p)), 1.0
    for rank in range(len(p), 0, -1):
        smallest = min(smallest, p[order[rank - 1]] * len(p) / rank)
        q[order[rank - 1]] = smallest
    return q


@pytest.mark.parametrize(
    "p", [[], [0.03], [0.01, 0.02, 0.03, 0.5], [0.5, 0.01, 0.01, 1.0, 0.9], [1.0, 1.0]]
)
def test_q_is_that_of_benjamini_and_hochberg(p):
    p = np.array(p)
    np.testing.assert_allclose(benjamini_hochberg(p), by_hand_bh(p), rtol=8 * np.finfo(float).eps)


def test_all_group_columns_drugs_and_sides_share_one_correction():
    """Asking about one more grouping is one more chance to be wrong."""
    above, below, observed, groups = case()
    above[3] |= observed[3] & (groups["tissue"] == "lung")
    tests = enrichment(above, below, observed, groups)
    np.testing.assert_allclose(tests.qvalue, by_hand_bh(tests.pvalue), rtol=1e-12)
    alone = enrichment(above, below, observed, {"tissue": groups["tissue"]})
    same = tests.group_key == "tissue"
    np.testing.assert_array_equal(tests.pvalue[same], alone.pvalue)
    assert tests.qvalue.min() > alone.qvalue.min()


def test_lines_without_a_label_take_no_part():
    """Neither as members nor as the background of others: the result is that without them."""
    above, below, observed, groups = case(unlabelled=9)
    labels = {"tissue": groups["tissue"]}
    some = enrichment(above, below, observed, labels)
    rest = enrichment(above[:, 9:], below[:, 9:], observed[:, 9:], {"tissue": labels["tissue"][9:]})
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(some, field), getattr(rest, field))


def test_sides_are_tested_apart():
    """A group both resistant and sensitive is two findings, and neither dilutes the other."""
    above, below, observed, groups = case()
    tests = enrichment(above, below, observed, groups)
    one = enrichment(above, np.zeros_like(below), observed, groups)
    assert set(one.side.tolist()) == {1}
    np.testing.assert_array_equal(tests.pvalue[tests.side == 1], one.pvalue)


def test_turning_the_measure_round_turns_the_sides_round():
    """Resistant and sensitive are read from the direction of the measure, so the test is even."""
    above, below, observed, groups = case()
    one, other = (
        enrichment(above, below, observed, groups),
        enrichment(below, above, observed, groups),
    )
    up, down = one.side == 1, other.side == -1
    for field in ("drug", "group", "n_high_group", "pvalue"):
        np.testing.assert_array_equal(getattr(one, field)[up], getattr(other, field)[down])


def test_nothing_to_test_is_an_empty_table():
    _, _, observed, groups = case()
    nothing = np.zeros_like(observed)
    for tests in (enrichment(nothing, nothing, observed, groups),
                  enrichment(nothing, nothing, observed, {})):  # fmt: skip
        assert len(tests) == 0
        assert all(getattr(tests, field).shape == (0,) for field in FIELDS)
        assert not enriched_entries(tests, nothing, nothing, groups, fdr=0.05).any()


@pytest.fixture(scope="module")
def null():
    """400 drugs whose high residuals fall on lines at random."""
    return enrichment(*case(seed=11, n=400, p=120))


@pytest.mark.parametrize("a", [0.001, 0.01, 0.05, 0.2])
def test_under_the_null_p_values_are_no_smaller_than_they_should_be(null, a):
    """P(p <= a) <= a, within four binomial deviations; discreteness may only make it less."""
    n = len(null)
    assert n > 2000
    share = (null.pvalue <= a).mean()
    assert share <= a + 4 * np.sqrt(a * (1 - a) / n)
    if a >= 0.05:  # and it is a test: discreteness costs a part of its level, not all
        assert share > a / 4


def test_false_discovery_rate_is_controlled():
    """Among 200 screens of pure chance, at most one in twenty may report anything."""
    found = []
    for seed in range(200):
        above, below, observed, groups = case(seed=seed, n=6, p=60)
        tests = enrichment(above, below, observed, groups)
        found.append((tests.qvalue <= 0.05).any())
    assert np.mean(found) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)


def test_enriched_entries_are_the_high_residuals_of_what_was_found():
    """Of the drug, of the side and in the group; not the group's other lines, nor others' flags."""
    above, below, observed, groups = case(missing=0.0, share=0.05)
    lung = np.flatnonzero(groups["tissue"] == "lung")
    below[3, lung[:-1]], above[3, lung[:-1]] = True, False
    below[3, lung[-1]], above[3, lung[-1]] = False, True
    tests = enrichment(above, below, observed, groups)
    out = enriched_entries(tests, above, below, groups, fdr=0.001)
    expected = np.zeros_like(above)
    expected[3, lung[:-1]] = True
    np.testing.assert_array_equal(out, expected)
    found = tests.qvalue <= 0.001
    assert (tests.drug[found], tests.group[found], tests.side[found]) == (3, "lung", -1)
