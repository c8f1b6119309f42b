"""PharmacoGx's summary of replicates, against its rules written out one pair at a time."""

import numpy as np
import pytest

from r_bridge._psets.summary import SUMMARIES, summarize

SHAPE = (7, 5)


def one_pair(values, how):
    """The rule for one drug and line, as R would follow it."""
    values = np.asarray(values)
    if np.isnan(values).all():
        return np.nan
    if how in ("first", "last"):
        return values[0 if how == "first" else -1]
    there = sorted(values[~np.isnan(values)]) if how == "median" else values[~np.isnan(values)]
    if how in ("max", "min"):
        return {"max": max, "min": min}[how](there)
    if how == "median":
        middle = (len(there) - 1) // 2
        there = there[middle : len(there) - middle]
    total = np.longdouble(0)
    for value in there:
        total += np.longdouble(value)
    mean = total / len(there)
    if not np.isfinite(mean):
        return float(mean)
    rest = np.longdouble(0)
    for value in there:
        rest += np.longdouble(value) - mean
    return float(mean + rest / len(there))


def experiments(seed, n=200):
    rng = np.random.default_rng(seed)
    value = rng.lognormal(sigma=4, size=n)
    value[rng.random(n) < 0.2] = np.nan
    # The last drug and line stay without any.
    return rng.integers(SHAPE[0] - 1, size=n), rng.integers(SHAPE[1] - 1, size=n), value


@pytest.mark.parametrize("how", SUMMARIES)
@pytest.mark.parametrize("seed", range(4))
def test_each_pair_follows_the_rule_to_the_last_bit(how, seed):
    drug, line, value = experiments(seed)
    matrix, count = summarize(drug, line, value, SHAPE, how)
    for i in range(SHAPE[0]):
        for j in range(SHAPE[1]):
            mine = value[(drug == i) & (line == j)]
            expected = one_pair(mine, how) if len(mine) else np.nan
            assert np.array_equal([matrix[i, j]], [expected], equal_nan=True), (i, j)
            assert count[i, j] == (~np.isnan(mine)).sum()


@pytest.mark.parametrize(
    "how, expected",
    [("mean", np.inf), ("median", 3.0), ("max", np.inf), ("min", 1.0), ("first", 1.0)],
)
def test_infinite_values_are_values(how, expected):
    zeros = np.zeros(3, dtype=int)
    value = np.array([1.0, np.inf, 3.0])
    with np.errstate(all="raise"):
        assert summarize(zeros, zeros, value, (1, 1), how)[0].item() == expected


def test_first_and_last_do_not_skip_a_missing_value():
    zeros = np.zeros(3, dtype=int)
    value = np.array([np.nan, 1.0, np.nan])
    for how in ("first", "last"):
        matrix, count = summarize(zeros, zeros, value, (1, 1), how)
        assert np.isnan(matrix.item())
        assert count.item() == 1


def test_no_experiments_give_an_empty_matrix():
    none = np.zeros(0, dtype=int)
    for how in SUMMARIES:
        matrix, count = summarize(none, none, none.astype(float), (2, 3), how)
        assert np.isnan(matrix).all()
        assert not count.any()


def test_mean_of_many_is_summed_in_order():
    """Pairwise summation, as NumPy's own, gives other last bits than R."""
    value = np.random.default_rng(1).lognormal(sigma=9, size=1001)
    zeros = np.zeros(len(value), dtype=int)
    assert summarize(zeros, zeros, value, (1, 1), "mean")[0].item() == one_pair(value, "mean")
