"""Enrichment of high residuals in groups of lines, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact, hypergeom

from rtdmf_bio.model.enrichment import (
    Enrichment,
    benjamini_hochberg,
    enriched_entries,
    enrichment,
    high,
)

N, P = 12, 60
FIELDS = tuple(Enrichment.__dataclass_fields__)


def case(seed=0, n=N, p=P, share=0.15, missing=0.2, unlabelled=0):
    """Residuals beyond a threshold of 1 on both sides, and two groupings of the lines."""
    rng = np.random.default_rng(seed)
    residual = rng.uniform(-1, 1, (n, p)) / (1 - 2 * share)
    residual[rng.random((n, p)) < missing] = np.nan
    tissue = np.array(["blood", "lung", "skin", "rare"], object)[
        rng.choice(4, p, p=[0.5, 0.25, 0.2, 0.05])
    ]
    tissue[:unlabelled] = None
    return residual, 1.0, {"tissue": tissue, "sex": rng.choice(["f", "m"], p)}


def table(residual, threshold, groups, key, group, drug, side):
    """The fourfold table of one test, counted line by line."""
    counts = np.zeros((2, 2), int)
    for line in range(residual.shape[1]):
        if np.isfinite(residual[drug, line]) and groups[key][line] is not None:
            far = side * residual[drug, line] >= threshold
            counts[int(not far), int(groups[key][line] != group)] += 1
    return counts


def places(tests):
    columns = (getattr(tests, f).tolist() for f in ("group_key", "group", "drug", "side"))
    return list(zip(*columns, strict=True))


def test_high_is_what_lies_at_the_threshold_or_beyond_on_its_side():
    residual = np.array([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, np.nan])
    np.testing.assert_array_equal(high(residual, 1.0, 1), residual >= 1)
    np.testing.assert_array_equal(high(residual, 1.0, -1), residual <= -1)
    np.testing.assert_array_equal(high(residual, 0.0, 1), residual > 0)  # zero has no side


def test_counts_are_those_of_the_fourfold_table():
    args = case(unlabelled=7)
    tests = enrichment(*args)
    assert len(tests) > 80
    assert set(tests.side.tolist()) == {1, -1}
    assert set(tests.group_key.tolist()) == {"tissue", "sex"}
    for k, where in enumerate(places(tests)):
        counts = table(*args, *where)
        (a, b), (c, d) = counts
        assert tests.n_high_group[k] == a
        assert tests.n_high[k] == a + b
        assert tests.n_group[k] == a + c
        assert tests.n_tested[k] == a + b + c + d
        odds, _ = fisher_exact(counts, alternative="greater")
        assert tests.odds_ratio[k] == pytest.approx(odds, rel=1e-12, nan_ok=True)


def test_what_is_expected_in_its_groups_adds_up_to_what_a_drug_has():
    residual, threshold, groups = case(missing=0.1)
    tests = enrichment(residual, threshold, {"sex": groups["sex"]}, min_group_size=1)
    for drug in range(N):
        for side in (1, -1):
            here = (tests.drug == drug) & (tests.side == side)
            assert here.sum() == 2
            assert tests.n_expected[here].sum() == pytest.approx(tests.n_high[here][0], rel=1e-8)


def test_with_all_lines_alike_it_is_the_test_of_fisher():
    """Each line is high with as many drugs, each drug in as many lines."""
    residual = np.zeros((40, 40))
    for drug in range(40):
        residual[drug, (drug + np.array([0, 1, 2, 5, 11])) % 40] = 1
        residual[drug, (drug + np.array([20, 21])) % 40] = -1
    groups = {"block": np.repeat(list("abcd"), 10).astype(object)}
    tests = enrichment(residual, 0.5, groups)
    exact = hypergeom.sf(tests.n_high_group - 1, tests.n_tested, tests.n_high, tests.n_group)
    assert exact.min() < 0.05
    np.testing.assert_allclose(tests.pvalue, exact, rtol=1e-9)
    np.testing.assert_allclose(tests.n_expected, tests.n_high * tests.n_group / 40, rtol=1e-9)


def test_tested_is_every_group_with_enough_lines_and_something_to_compare():
    """Every drug and side; of a size that occurs, so that the bound itself is seen."""
    args = case(unlabelled=7)
    sizes = np.sort(enrichment(*args, min_group_size=1).n_group)
    least = int(sizes[len(sizes) // 2])
    tests = enrichment(*args, min_group_size=least)
    assert tests.n_group.min() == least
    done = set(places(tests))
    assert len(done) == len(tests)
    for key, labels in args[-1].items():
        for group in set(labels) - {None}:
            for drug in range(N):
                for side in (1, -1):
                    (a, b), (c, d) = table(*args, key, group, drug, side)
                    enough = a + c >= least and b + d > 0
                    assert ((key, group, drug, side) in done) == enough
    assert not any(group == "rare" for _, group, _, _ in done)


def test_what_cannot_be_enriched_has_p_and_q_of_one_and_takes_no_power_from_others():
    """A drug with nothing high, or nothing else, on a side; by rank it is tested all the same."""
    residual, threshold, groups = case(missing=0.1)
    sex = {"sex": groups["sex"]}
    before = enrichment(residual, threshold, sex)
    quiet = 0.5 * np.clip(residual[:6], -1, 1)
    quiet[0, groups["sex"] == "f"] = 0.9
    everywhere = np.abs(residual[:2]) + 1
    after = enrichment(np.vstack([residual, quiet, everywhere]), threshold, sex)
    added = after.drug >= N
    assert (after.pvalue[added] == 1).all()
    assert (after.qvalue[added] == 1).all()
    assert np.isnan(after.odds_ratio[added]).all()
    whole = added & (after.n_high > 0)
    assert (after.n_expected[whole] == after.n_group[whole]).all()
    assert (after.n_expected[added & ~whole] == 0).all()
    either = (after.n_high > 0) & (after.n_high < after.n_tested)
    assert either.sum() == len(before)
    np.testing.assert_allclose(after.qvalue[either], by_hand_bh(after.pvalue[either]), rtol=1e-12)
    shifted = (after.drug == N) & (after.group == "f") & (after.side == 1)
    assert after.rank_pvalue[shifted] < 1e-3


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
    residual, threshold, groups = case()
    residual[3, groups["tissue"] == "lung"] += 2
    tests = enrichment(residual, threshold, groups)
    either = (tests.n_high > 0) & (tests.n_high < tests.n_tested)
    np.testing.assert_allclose(tests.qvalue[either], by_hand_bh(tests.pvalue[either]), rtol=1e-12)
    np.testing.assert_allclose(tests.rank_qvalue, by_hand_bh(tests.rank_pvalue), rtol=1e-12)
    alone = enrichment(residual, threshold, {"tissue": groups["tissue"]})
    same = tests.group_key == "tissue"
    np.testing.assert_array_equal(tests.pvalue[same], alone.pvalue)
    assert tests.qvalue.min() > alone.qvalue.min()
    assert tests.rank_qvalue.min() > alone.rank_qvalue.min()


def test_lines_without_a_label_take_no_part():
    """Neither as members nor as the background of others: the result is that without them."""
    residual, threshold, groups = case(unlabelled=9)
    labels = {"tissue": groups["tissue"]}
    some = enrichment(residual, threshold, labels)
    rest = enrichment(residual[:, 9:], threshold, {"tissue": labels["tissue"][9:]})
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(some, field), getattr(rest, field))


def test_sides_are_tested_apart():
    """A group both resistant and sensitive is two findings, and neither dilutes the other."""
    residual, threshold, groups = case()
    tests = enrichment(residual, threshold, groups)
    one = enrichment(np.where(residual < 0, 0.5 * residual, residual), threshold, groups)
    assert (one.pvalue[one.side == -1] == 1).all()
    for field in ("pvalue", "rank_pvalue"):
        np.testing.assert_array_equal(
            getattr(tests, field)[tests.side == 1], getattr(one, field)[one.side == 1]
        )


def test_turning_the_measure_round_turns_the_sides_round():
    """Resistant and sensitive are read from the direction of the measure, so the test is even."""
    residual, threshold, groups = case()
    one = enrichment(residual, threshold, groups)
    other = enrichment(-residual, threshold, groups)
    up, down = one.side == 1, other.side == -1
    for field in set(FIELDS) - {"side", "qvalue", "rank_qvalue"}:
        np.testing.assert_array_equal(getattr(one, field)[up], getattr(other, field)[down])
    np.testing.assert_allclose(one.qvalue[up], other.qvalue[down], rtol=1e-12)


def test_neither_unit_nor_order_matters():
    """A power of two to the last bit; another order to rounding."""
    residual, threshold, groups = case()
    one = enrichment(residual, threshold, groups)
    other = enrichment(residual * 2.0**-60, threshold * 2.0**-60, groups)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    rng = np.random.default_rng(0)
    rows, cols = rng.permutation(N), rng.permutation(P)
    mixed = enrichment(
        residual[np.ix_(rows, cols)], threshold, {k: v[cols] for k, v in groups.items()}
    )
    at = {place: k for k, place in enumerate(places(mixed))}
    back = [at[key, group, int(np.argsort(rows)[drug]), s] for key, group, drug, s in places(one)]
    for field in ("n_expected", "pvalue", "qvalue", "rank_pvalue", "rank_qvalue"):
        np.testing.assert_allclose(
            getattr(mixed, field)[back], getattr(one, field), rtol=1e-6, err_msg=field
        )


def test_no_groups_is_an_empty_table_and_nothing_high_is_nothing_enriched():
    residual, _, groups = case()
    for none in ({}, {"one": np.full(P, "all", object)}, {"none": np.full(P, None)}):
        tests = enrichment(residual, 1.0, none)
        assert len(tests) == 0
        assert all(getattr(tests, field).shape == (0,) for field in FIELDS)
        assert not enriched_entries(tests, residual, 1.0, none, fdr=0.05).any()
    tests = enrichment(residual, 100.0, groups)
    assert (tests.qvalue == 1).all()
    assert not enriched_entries(tests, residual, 100.0, groups, fdr=0.05).any()


@pytest.fixture(scope="module")
def null():
    """400 drugs whose high residuals fall on lines at random."""
    return enrichment(*case(seed=11, n=400, p=120))


def expect_level(p, a):
    """P(p <= a) <= a within four binomial deviations."""
    assert (p <= a).mean() <= a + 4 * np.sqrt(a * (1 - a) / len(p))


@pytest.mark.parametrize("a", [0.001, 0.01, 0.05, 0.2])
def test_under_the_null_p_values_are_no_smaller_than_they_should_be(null, a):
    """P(p <= a) <= a; discreteness may only make it less, and ranks have none to speak of."""
    assert len(null) > 2000
    expect_level(null.pvalue, a)
    for side in (1, -1):
        rank = null.rank_pvalue[null.side == side]
        expect_level(rank, a)
        assert (rank <= a).mean() >= a - 4 * np.sqrt(a * (1 - a) / len(rank)) - a / 10
    if a >= 0.05:  # and it is a test: discreteness costs a part of its level, not all
        assert (null.pvalue <= a).mean() > a / 4


@pytest.mark.slow
def test_false_discovery_rate_is_controlled():
    """Among 200 screens of pure chance, at most one in twenty may report anything."""
    found = []
    for seed in range(200):
        tests = enrichment(*case(seed=seed, n=6, p=60))
        found.append([(tests.qvalue <= 0.05).any(), (tests.rank_qvalue <= 0.05).any()])
    assert (np.mean(found, axis=0) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)).all()


def fisher_pairs(residual, threshold, groups):
    """Number of pairs with q <= 0.05 by the test that takes all lines for alike."""
    tests = enrichment(residual, threshold, groups)
    some = (tests.n_high > 0) & (tests.n_high < tests.n_tested)
    counts = (tests.n_high_group - 1, tests.n_tested, tests.n_high, tests.n_group)
    p = hypergeom.sf(*(c[some] for c in counts))
    return int((false_discovery_control(np.minimum(p, 1)) <= 0.05).sum())


def noisy_tissue(seed, drugs="alike", tail="normal", n=200, p=300):
    """Nothing but noise, in the first of ten tissues 2.5 times as much; a seventh not measured."""
    rng = np.random.default_rng(seed)
    tissue = np.array([f"tissue{k}" for k in rng.integers(0, 10, p)], object)
    noise = rng.normal(size=(n, p)) if tail == "normal" else rng.standard_t(4, (n, p)) / np.sqrt(2)
    residual = noise * np.where(tissue == "tissue0", 2.5, 1.0)
    if drugs == "unequal":
        residual *= np.exp(rng.normal(0, 0.6, (n, 1)))
    residual[rng.random((n, p)) < 1 / 7] = np.nan
    return residual, 3.0, {"tissue": tissue}


@pytest.mark.parametrize("tail", ["normal", "heavy"])
@pytest.mark.parametrize("drugs", ["alike", "unequal"])
@pytest.mark.parametrize("n", [200, 30])
def test_a_noisy_tissue_is_not_taken_for_an_enriched_one(drugs, tail, n):
    """Fisher's test finds it enriched with drug after drug."""
    args = noisy_tissue(1, drugs, tail, n)
    if n == 200:
        assert fisher_pairs(*args) > (50 if tail == "normal" else 20)
    tests = enrichment(*args)
    assert (tests.qvalue <= 0.05).sum() == 0
    assert (tests.rank_qvalue <= 0.05).sum() == 0
    noisy = tests.group == "tissue0"
    for a in (0.01, 0.05):
        for some in (noisy, ~noisy):
            expect_level(tests.pvalue[some], a)
            for side in (1, -1):
                expect_level(tests.rank_pvalue[some & (tests.side == side)], a)


def test_shuffled_labels_are_enriched_with_nothing_whatever_the_lines_are_like():
    residual, threshold, groups = noisy_tissue(2, "unequal", "heavy")
    tissue = np.random.default_rng(0).permutation(groups["tissue"])
    tests = enrichment(residual, threshold, {"tissue": tissue})
    assert min(tests.qvalue.min(), tests.rank_qvalue.min()) > 0.05
    for a in (0.01, 0.05, 0.2):
        expect_level(tests.pvalue, a)
        expect_level(tests.rank_pvalue, a)


@pytest.mark.parametrize("n", [200, 20])
def test_planted_responses_are_found_in_noisy_tissues_and_quiet_ones(n):
    """In a third of a tissue's lines, four times their noise; a tenth of the drugs on either
    side. That a line's rate knows its own hit costs little, even with 20 drugs. The false discovery
    rate is a promise about the rest."""
    residual, threshold, groups = noisy_tissue(3, n=n)
    rng = np.random.default_rng(0)
    planted = set()
    for drug in range(n // 5):
        tissue, side = f"tissue{drug % 10}", (1, -1)[drug % 2]
        lines = np.flatnonzero(groups["tissue"] == tissue)
        hit = rng.permutation(lines)[: len(lines) // 3 + 1]
        residual[drug, hit] += side * 4 * (2.5 if tissue == "tissue0" else 1)
        planted.add(("tissue", tissue, drug, side))
    tests = enrichment(residual, threshold, groups)
    for q in (tests.qvalue, tests.rank_qvalue):
        found = {place for place, small in zip(places(tests), q <= 0.05, strict=True) if small}
        assert len(found & planted) >= 0.7 * len(planted)
        allowed = 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(found))
        assert len(found - planted) <= allowed * len(found)


def test_small_deviations_of_many_lines_are_found_by_rank_alone():
    """None of them high by itself."""
    residual, threshold, groups = noisy_tissue(4)
    residual[0] = np.clip(residual[0], -2.9, 2.9)
    residual[0, groups["tissue"] == "tissue3"] = 2.2
    tests = enrichment(residual, threshold, groups)
    place = (tests.drug == 0) & (tests.group == "tissue3") & (tests.side == 1)
    assert tests.qvalue[place] == 1
    assert tests.rank_qvalue[place] < 1e-6
    assert not enriched_entries(tests, residual, threshold, groups, fdr=0.05)[0].any()


def test_enriched_entries_are_the_high_residuals_of_what_was_found():
    """Of the drug, of the side and in the group; not the group's other lines, nor others' flags."""
    residual, threshold, groups = case(missing=0.0, share=0.05)
    lung = np.flatnonzero(groups["tissue"] == "lung")
    residual[3, lung[:-1]], residual[3, lung[-1]] = -2, 2
    tests = enrichment(residual, threshold, groups)
    out = enriched_entries(tests, residual, threshold, groups, fdr=0.001)
    expected = np.zeros(residual.shape, dtype=bool)
    expected[3, lung[:-1]] = True
    np.testing.assert_array_equal(out, expected)
    found = tests.qvalue <= 0.001
    assert (tests.drug[found], tests.group[found], tests.side[found]) == (3, "lung", -1)
