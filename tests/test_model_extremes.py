"""Values that no experiment gives: named and refused, or kept without moving anything else."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt
from rtdmf_bio import RTDMF, Flag
from rtdmf_bio.model.extremes import check_extremes, harmless, seen_by_fits

pytestmark = pytest.mark.usefixtures("one_thread")

N, P = 60, 90


def auc(seed=0, missing=0.15):
    """A sigmoid of a level and rank 2, noise that differs between drugs; a third do nothing."""
    rng = np.random.default_rng(seed)
    acts = np.arange(N)[:, None] >= N // 3
    z = rng.normal(1.5, 0.8, (N, 1)) + rng.normal(size=(N, 2)) @ rng.normal(size=(2, P))
    X = 1 / (1 + np.exp(-np.where(acts, z, 3.5)))
    X += 0.04 * np.exp(0.4 * rng.normal(size=(N, 1))) * rng.normal(size=X.shape)
    X[rng.random(X.shape) < missing] = np.nan
    return X


def ln_ic50(seed=0):
    """Concentrations on a logarithmic scale, of drugs whose levels differ by decades."""
    rng = np.random.default_rng(seed)
    X = rng.normal(2, 2.5, (N, 1)) + rng.normal(size=(N, 2)) @ rng.normal(size=(2, P))
    X += 0.6 * rng.normal(size=X.shape)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


def mostly_inert(seed=0):
    """Drug sensitivity scores: most drugs have none, some up to 45."""
    rng = np.random.default_rng(seed)
    X = np.maximum(rng.normal(-6, 4, (N, P)), 0)
    X[:12] = np.clip(rng.normal(18, 9, (12, 1)) + rng.normal(0, 6, (12, P)), 0, 45)
    return X


def gene_effect(seed=0):
    """CRISPR: a few genes that all lines need, many that none does, some that a few need."""
    rng = np.random.default_rng(seed)
    X = 0.12 * rng.normal(size=(N, P))
    X[:6] += rng.normal(-1.2, 0.3, (6, 1))
    X[rng.random((N, P)) < 0.01] -= 1.8
    return X


def percent(seed=0):
    """Whole percents of control."""
    return np.rint(100 * auc(seed))


KINDS = {
    "AUC": auc(),
    "AUC x 16": 16 * auc(),
    "1 - AUC": 1 - auc(),
    "ln IC50": ln_ic50(),
    "scores": mostly_inert(),
    "gene effect": gene_effect(),
    "percent": percent(),
}


def put(X, value, n, seed=1):
    """Other values at n measured places, and the first of these places."""
    X = X.copy()
    measured = np.flatnonzero(np.isfinite(X))
    at = np.sort(np.random.default_rng(seed).permutation(measured)[:n])
    X.flat[at] = value
    return X, np.unravel_index(at[0], X.shape)


# -- what is refused ----------------------------------------------------------------------------

CODES = [-999, -9999, 999, 9999, 99999, 2147483647, 3.4028234663852886e38, 1.7e300, 12345]


@pytest.mark.parametrize("count", [2, 50, 2000])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("X", KINDS.values(), ids=KINDS)
def test_a_code_for_not_measured_is_refused_with_its_count_and_place(X, code, count):
    """Whatever the measure, and whether two entries have it or half of the screen."""
    bad, (i, j) = put(X, code, count)
    names = [f"d{k}" for k in range(N)], [f"l{k}" for k in range(P)]
    with pytest.raises(ValueError, match="looks like a code for 'not measured'") as raised:
        check_extremes(bad, *names)
    said = str(raised.value)
    assert f"{code:.10g} stands {count} time(s), first at drug 'd{i}', cell line 'l{j}'" in said
    assert f"X[X == {code:.10g}] = numpy.nan" in said
    assert "na_values=[" in said
    assert "extreme='keep'" in said


def test_two_codes_are_named_both():
    X, _ = put(put(auc(), -999, 400)[0], 9999, 300, seed=2)
    with pytest.raises(
        ValueError, match=r"-999 stands 3\d\d time.*; 9999 stands 300 time"
    ) as raised:
        check_extremes(X)
    assert "X[numpy.isin(X, [-999, 9999])] = numpy.nan" in str(raised.value)
    assert "na_values=[-999, 9999]" in str(raised.value)


@pytest.mark.parametrize("code", [-999, 9999])
@pytest.mark.parametrize("X", KINDS.values(), ids=KINDS)
def test_a_lone_code_is_refused_too(X, code):
    with pytest.raises(ValueError, match=f"{code} stands 1 time"):
        check_extremes(put(X, code, 1)[0])


def test_minus_one_among_fractions_is_a_code():
    """Where nothing else is below zero by much, but not where values may well be -1."""
    with pytest.raises(ValueError, match=r"X\[X == -1\] = numpy.nan"):
        check_extremes(put(np.clip(auc(), 0, None), -1, 30)[0])
    check_extremes(put(ln_ic50(), -1, 30)[0])


@pytest.mark.parametrize("code", [-1, -9, -88, -99, -100])
def test_a_negative_code_is_one_however_near_where_nothing_else_is_negative(code):
    """Where viability in percent spreads as widely as from 0 to the code."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 100, (N, P))
    for Y in (X, np.rint(X)):
        with pytest.raises(ValueError, match=f"{code} stands 30 time"):
            check_extremes(put(Y, code, 30)[0])
    check_extremes(put(X - 50, -9, 30)[0])
    one_drug = X.copy()
    one_drug[7, 3:33] = code
    check_extremes(one_drug)


@pytest.mark.parametrize("X", KINDS.values(), ids=KINDS)
def test_a_code_beside_a_drug_that_kills_all_is_refused(X):
    X = X.copy()
    X[7] = np.nanmin(X)
    for code in (-999, 9999):
        with pytest.raises(ValueError, match=f"{code} stands 40 time"):
            check_extremes(put(X, code, 40)[0])


IMPOSSIBLE = {
    "AUC": (auc(), [1e3, 1e6, 1e9, -1e4]),
    "1 - AUC": (1 - auc(), [1234.5, 1e6]),
    "ln IC50": (ln_ic50(), [1e4, 1e6, -1e9]),
    "gene effect": (gene_effect(), [1e3, -1e6]),
    "percent": (percent(), [1e6]),
    "scores": (mostly_inert(), [1e5]),
}


@pytest.mark.parametrize(("X", "values"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_entry_that_no_experiment_gives_is_refused_by_name(X, values):
    for value in values:
        bad, (i, j) = put(X, value, 1)
        with pytest.raises(ValueError, match="1 measured entries lie farther out") as raised:
            check_extremes(bad, range(N), range(P))
        assert f"{value:.6g} (drug '{i}', cell line '{j}')" in str(raised.value)


def test_several_such_entries_are_named_the_farthest_first():
    X = auc()
    places = [(30, 3), (31, 4), (32, 5), (33, 6)]
    for k, place in enumerate(places):
        X[place] = 700.0 * (k + 1)
    with pytest.raises(ValueError, match=r"4 measured entries.*: 2800 \(drug.*33.*and 1 more"):
        check_extremes(X)


@pytest.mark.parametrize("factor", [1000, 1e5])
@pytest.mark.parametrize("what", ["drug", "cell line"])
@pytest.mark.parametrize("X", KINDS.values(), ids=KINDS)
def test_a_drug_or_line_in_another_unit_is_named(X, what, factor):
    """nM among uM; the other entries of that drug do not say so."""
    X = X.copy()
    X[(8, slice(None)) if what == "drug" else (slice(None), 8)] *= factor
    with pytest.raises(ValueError, match=rf"1 {what}\(s\) have values of another size .*'index 8'"):
        check_extremes(X)


def test_percent_among_fractions_and_the_other_way_round():
    X = auc()
    X[41] *= 100
    with pytest.raises(ValueError, match=r"'index 41'.*percent among fractions"):
        check_extremes(X)
    X = auc()
    X[:, 41] /= 1000
    with pytest.raises(ValueError, match=r"cell line\(s\).*th of what is usual.*'index 41'"):
        check_extremes(X)


def test_the_fit_refuses_what_the_check_refuses(screen):
    X = np.array(screen)
    X[3, 4], X[20, 7] = -999, -999
    table = pd.DataFrame(X, [f"d{i}" for i in range(40)], [f"l{j}" for j in range(50)])
    with pytest.raises(ValueError, match=r"stands 2 time.s., first at drug 'd3', cell line 'l4'"):
        RTDMF().fit(table)


# -- what is not --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [auc, ln_ic50, mostly_inert, gene_effect, percent])
def test_what_experiments_give_passes(make, seed):
    for X in (make(seed), np.round(make(seed), 2), make(seed)[:20, :25], make(seed)[::7, ::11]):
        check_extremes(X)
        assert seen_by_fits(X)[1] is None


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6])
def test_caps_and_floors_pass(share):
    """Where many values are alike, but not apart from the rest."""
    for X in (auc(), ln_ic50()):
        low, high = np.nanquantile(X, [share, 1 - share])
        for cut in (np.minimum(X, high), np.maximum(X, low), np.clip(X, min(low, high), high)):
            check_extremes(cut)


def test_drugs_that_do_nothing_or_kill_everything_are_of_no_other_unit():
    """An AAC of nearly 0 on all lines, or an AUC: small, but noise about zero."""
    rng = np.random.default_rng(0)
    for X in (1 - auc(), auc(), percent()):
        X = X.copy()
        X[7] = np.abs(rng.normal(0, 2e-4, P))
        check_extremes(X)


@pytest.mark.parametrize("controls", [[7], [7, 30]])
def test_positive_controls_are_no_codes(controls):
    """Viability in rounded percent, where nearly all drugs do little."""
    rng = np.random.default_rng(0)
    X = np.rint(rng.normal(95, 4, (N, P)))
    X[controls] = rng.integers(0, 4, (len(controls), P))
    for Y in (X, X.T, X / 100):
        check_extremes(Y)


@pytest.mark.parametrize("killers", [[7], [7, 30, 31]])
def test_growth_rates_at_their_bound_are_no_codes(killers):
    """-1 is what a drug that kills all comes to."""
    rng = np.random.default_rng(0)
    X = rng.normal(0.95, 0.06, (N, P))
    X[killers] = np.maximum(rng.normal(-1.02, 0.05, (len(killers), P)), -1)
    check_extremes(X)
    check_extremes(X.T)
    X[killers] = -1
    check_extremes(X)


def test_tied_hits_are_no_code():
    """Two drugs that kill one line each, to the same rounded value."""
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(0.95, 0.03, (N, P)), 3)
    X[7, 40], X[30, 8] = 0.102, 0.102
    check_extremes(X)
    X[40, 41] = 0.102
    check_extremes(X)


@pytest.mark.parametrize("share", [0.002, 0.01])
def test_zero_is_no_code_of_what_is_never_negative(share):
    rng = np.random.default_rng(0)
    X = np.clip(rng.normal(0.95, 0.03, (N, P)), 0.5, None)
    check_extremes(put(X, 0.0, int(share * X.size))[0])
    check_extremes(put(X - 0.95, 0.0, 20)[0])


@pytest.mark.parametrize("seed", range(5))
def test_whole_numbers_pass(seed):
    """Each has many entries, and nothing lies between one and the next."""
    rng = np.random.default_rng(seed)
    for X in (rng.poisson(3, (N, P)), rng.integers(0, 2, (N, P)), np.rint(3 * ln_ic50(seed))):
        check_extremes(X.astype(float))


@pytest.mark.parametrize("df", [2, 3])
def test_heavy_tails_pass(df):
    """They go on and on, with no gap: of a hundred screens none is refused."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        check_extremes(auc(seed) + 0.04 * rng.standard_t(df, size=(N, P)))
        check_extremes(ln_ic50(seed) + 0.5 * rng.standard_t(df, size=(N, P)))


@pytest.mark.parametrize(
    "X",
    [
        np.full((12, 15), 0.7),
        np.zeros((12, 15)),
        np.where(np.eye(12, 15) > 0, 5.0, 1.0),
        np.where(np.arange(180).reshape(12, 15) == 17, 5.0, 1.0),
        np.full((3, 4), np.nan),
        np.where(np.arange(12).reshape(3, 4) == 7, 1e9, 0.5),
        1e6 + auc(),
    ],
    ids=["constant", "nothing", "a few", "one", "empty", "tiny", "far from zero"],
)
def test_where_nothing_can_be_told_nothing_is_refused(X):
    check_extremes(X)


@pytest.mark.parametrize(
    "name",
    ["gdsc1", "gdsc1000", "ctrpv2", "ccle", "fimm", "prism"],
)
def test_published_screens_pass(name, published):
    X = published(name).X
    check_extremes(X)
    assert seen_by_fits(X)[0] is X


@pytest.mark.parametrize("name", ["gdsc1/matrix_lnic50", "gdsc1000/matrix_lnic50", "ccle/matrix"])
def test_published_concentrations_and_areas_pass(name, shared_data):
    X = pd.read_csv(shared_data(f"{name}.csv.gz"), index_col=0).to_numpy(float)
    check_extremes(X)
    assert seen_by_fits(X)[0] is X


def test_repeated_experiments_of_compounds_pass(shared_data):
    X = pd.read_csv(shared_data("nci60/experiments.csv.gz")).iloc[:, 3:].to_numpy(float)
    check_extremes(X)
    assert seen_by_fits(X)[0] is X


@pytest.mark.slow
def test_the_check_of_a_large_screen_takes_no_time():
    X = np.random.default_rng(0).standard_t(5, size=(18_000, 1_100)) * 0.2
    start = time.perf_counter()
    check_extremes(X)
    assert time.perf_counter() - start < 4  # 0.7 s on an idle machine


# -- what is kept moves nothing else --------------------------------------------------------------


@pytest.mark.parametrize("make", [auc, ln_ic50])
def test_an_entry_that_is_kept_moves_nothing_outside_its_row_and_column(make):
    """By more than a fraction of the noise, however far out it lies."""
    X = make()
    i, j = np.argwhere(np.isfinite(X))[2500]
    plain = RTDMF().fit(X)
    noise = np.nanmedian(plain.noise_by_drug_)
    outside = np.ones(X.shape, dtype=bool)
    outside[i], outside[:, j] = False, False
    seen = []
    for value in (1e3, 1e6, 1e9, -1e9):
        bad = X.copy()
        bad[i, j] = value
        model = RTDMF(extreme="keep").fit(bad)
        moved = np.abs(model.corrected_ - plain.corrected_)[outside]
        assert moved.max() < noise
        assert np.sqrt(np.mean(moved**2)) < 0.1 * noise
        for name in ("lower_", "upper_"):
            there = np.abs(getattr(model, name) - getattr(plain, name))[outside]
            assert np.median(there) < 0.2 * noise
        assert model.corrected_[i, j] == value
        assert model.flag_[i, j] == Flag.RETAINED
        assert model.residual_[i, j] == pytest.approx(value, rel=0.01)
        assert model.n_extreme_ == 1
        assert np.isfinite(model.corrected_).all()
        seen.append(np.where(outside, model.corrected_, 0))
    # How far out it lies beyond the bound is all the same.
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[1], seen[2])


def slipped(X, rows, factor):
    X = X.copy()
    X[rows] *= factor
    return X


REFUSED = {
    "a drug x 1000": ([40], 1000),
    "5 % of drugs x 100": ([25, 41, 55], 100),
    "a line x 1000": (np.s_[:, 17], 1000),
}


@pytest.mark.parametrize(("at", "factor"), REFUSED.values(), ids=REFUSED)
def test_a_slip_of_a_unit_that_is_kept_leaves_all_else_as_it_is(at, factor):
    """What fits see is the screen without it; the drug itself stays, in its own unit."""
    X, slip = auc(), np.zeros((N, P), dtype=bool)
    slip[at] = True
    bad = slipped(X, at, factor)
    with pytest.raises(ValueError, match="of another size"):
        check_extremes(bad)
    plain, model = RTDMF().fit(X), RTDMF(extreme="keep").fit(bad)
    for name in ("corrected_", "lower_", "upper_", "predicted_"):
        one, other = getattr(model, name), getattr(plain, name)
        np.testing.assert_allclose(one[~slip], other[~slip], atol=1e-3)
        imputed = slip & ~np.isfinite(X)
        np.testing.assert_allclose(one[imputed] / factor, other[imputed], atol=1e-3)
    known = slip & np.isfinite(X)
    np.testing.assert_array_equal(model.corrected_[known], bad[known])
    assert (model.flag_[known] == Flag.RETAINED).all()
    assert model.n_extreme_ == known.sum()
    assert model.threshold_ == pytest.approx(plain.threshold_, rel=0.01)
    per_drug = model.noise_by_drug_ / plain.noise_by_drug_
    np.testing.assert_allclose(per_drug[~slip.all(1)], 1, rtol=0.02)
    np.testing.assert_allclose(per_drug[slip.all(1)], factor, rtol=0.02)


def test_codes_that_are_kept_are_not_measured_to_fits():
    """As many as 500: the fit is that of the screen without them."""
    bad, _ = put(auc(), -999, 500)
    coded = bad == -999
    without = RTDMF().fit(np.where(coded, np.nan, bad))
    model = RTDMF(extreme="keep").fit(bad)
    np.testing.assert_array_equal(model.corrected_[~coded], without.corrected_[~coded])
    np.testing.assert_array_equal(model.upper_[~coded], without.upper_[~coded])
    np.testing.assert_array_equal(model.noise_by_drug_, without.noise_by_drug_)
    assert (model.corrected_[coded] == -999).all()
    assert model.n_extreme_ == 500


def test_codes_and_slips_that_are_kept_go_with_marks_and_known_noise():
    bad, _ = put(slipped(auc(), [40], 1000), -999, 300)
    marks = np.where(np.isfinite(bad) & (bad > 0.9), 1, 0)
    marks[bad == -999] = -1
    model = RTDMF(extreme="keep").fit(bad, censored=marks, noise_sd=np.full(N, 0.04))
    known = np.isfinite(bad)
    assert np.isfinite(model.corrected_).all()
    assert (model.lower_ <= model.corrected_).all()
    assert (model.corrected_ <= model.upper_).all()
    assert model.n_extreme_ == (known & ((bad == -999) | (np.arange(N) == 40)[:, None])).sum()


def test_a_drug_or_line_of_nothing_but_codes_can_be_kept():
    bad, _ = put(auc(), -999, 300)
    bad[5], bad[:, 6] = -999, -999
    seen = harmless(bad)
    assert np.isfinite(seen.data).any(1).all()
    assert np.isfinite(seen.data).any(0).all()
    assert np.nanmin(seen.data) > -1
    plain, model = RTDMF().fit(auc()), RTDMF(extreme="keep").fit(bad)
    ratio = np.nanmedian(model.noise_by_drug_) / np.nanmedian(plain.noise_by_drug_)
    assert 0.7 < ratio < 1.4
    assert (model.corrected_[5] == -999).all()


@pytest.mark.parametrize("settings", [{"retain": "none"}, {"retain": "all", "crossfit": 0}])
def test_by_other_rules_a_slipped_drug_has_its_own_unit_too(settings):
    model = RTDMF(extreme="keep", **settings).fit(slipped(auc(), [40], 1000))
    assert 200 < np.median(model.corrected_[40]) < 1100
    assert np.abs(np.delete(model.corrected_, 40, 0)).max() < 3


def test_where_nothing_lies_far_out_keeping_changes_no_bit(screen):
    one, other = (RTDMF(extreme=extreme).fit(screen) for extreme in ("error", "keep"))
    for name in ("corrected_", "low_rank_", "upper_", "qvalue_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.n_extreme_, other.n_extreme_) == (0, 0)


def test_what_lies_far_but_not_alone_is_bounded_and_judged_like_the_rest():
    """Heavy tails: neither refused nor kept whole."""
    X = ln_ic50() + 0.5 * np.random.default_rng(3).standard_t(2, size=(N, P))
    X[40, 7], X[41, 8] = 80, 130  # 26 and 42 spreads
    check_extremes(X)
    seen, beyond = seen_by_fits(X)
    assert {(40, 7), (41, 8)} <= set(map(tuple, np.argwhere(beyond)))
    np.testing.assert_array_equal(seen[~beyond], X[~beyond])
    assert np.abs(seen[beyond]).max() < 30
    model = RTDMF().fit(X)
    assert model.n_extreme_ == beyond.sum()
    assert model.flag_[41, 8] in (Flag.NOT_RETAINED, Flag.RETAINED)
    assert model.residual_[41, 8] > 100


def test_without_retention_even_they_become_broad_structure():
    X = auc()
    X[30, 3] = 1e6
    model = RTDMF(extreme="keep", retain="none", crossfit=0).fit(X)
    assert model.corrected_[30, 3] < 3
    assert model.flag_[30, 3] == Flag.NOT_RETAINED


@pytest.mark.parametrize("retain", ["all", "soft", "shrink"])
def test_by_every_other_rule_they_stay(retain):
    X = auc()
    X[30, 3] = 1e6
    model = RTDMF(extreme="keep", retain=retain, impute="low-rank").fit(X)
    assert model.corrected_[30, 3] == 1e6


def test_a_drug_of_two_measurements_has_no_say_in_what_is_far():
    """Their median may be the error itself."""
    X = auc()
    X[5] = np.nan
    X[5, [3, 40]] = 0.9, 1e6
    _, beyond = seen_by_fits(X)
    assert np.argwhere(beyond).tolist() == [[5, 40]]


# -- integers that are missing --------------------------------------------------------------------

SMALLEST = {
    "int32": (np.int32, -(2**31)),
    "int64": (np.int64, -(2**63)),
    "R's in int64": (np.int64, -(2**31)),
    "R's in float64": (float, -(2.0**31)),
    "R's in float32": (np.float32, -(2.0**31)),
    "int64's in float64": (float, -(2.0**63)),
    "int16": (np.int16, -(2**15)),
}


@pytest.mark.parametrize(("dtype", "value"), SMALLEST.values(), ids=SMALLEST)
def test_a_missing_integer_is_not_measured_and_told(dtype, value):
    """As integers have no NaN, the smallest of them stands for it: in R, pandas and NumPy."""
    X = np.rint(1000 * auc(missing=0)).astype(dtype)
    blank = [(3, 4), (20, 7), (59, 89)]
    for place in blank:
        X[place] = value
    with pytest.warns(UserWarning, match="3 entries hold the smallest integer"):
        model = RTDMF(threshold=200, impute="low-rank").fit(X)
    assert model.n_integer_na_ == 3
    assert list(map(tuple, np.argwhere(model.flag_ == Flag.IMPUTED))) == blank
    same = X.astype(float)
    for place in blank:
        same[place] = np.nan
    plain = RTDMF(threshold=200, impute="low-rank").fit(same)
    np.testing.assert_array_equal(model.corrected_, plain.corrected_)
    assert plain.n_integer_na_ == 0


def test_analyses_take_it_for_missing_too():
    import anndata

    adata = anndata.AnnData(np.rint(1000 * auc(missing=0)).astype(np.int32))
    adata.X[3, 4] = np.iinfo(np.int32).min
    means = rt.baselines.two_way_means(adata.X)
    assert np.abs(means).max() < 2000
    assert re.match("int32", str(adata.X.dtype))
