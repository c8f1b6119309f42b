"""General and specific part: prediction without the entry itself, reliability, weighing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from rtdmf_bio import RTDMF
from rtdmf_bio.model import parts
from rtdmf_bio.model.parts import General, general_part, leave_one_out, reliability


@pytest.fixture(scope="module")
def full():
    rng = np.random.default_rng(1)
    return rng.normal(size=(8, 3)) @ rng.normal(size=(3, 30)) + 0.3 * rng.normal(size=(8, 30))


def by_refitting(full, scale, penalty):
    """Regress every drug on the others, once for every line left out, as the table says."""
    Y = (full - full.mean(1, keepdims=True)) / scale
    out = np.empty(full.shape)
    for i in range(len(Y)):
        others = np.delete(Y, i, axis=0).T
        for j in range(Y.shape[1]):
            kept = np.delete(np.arange(Y.shape[1]), j)
            model = Ridge(alpha=penalty, fit_intercept=False).fit(others[kept], Y[i, kept])
            out[i, j] = model.predict(others[[j]])[0]
    return out * scale + full.mean(1, keepdims=True)


@pytest.mark.parametrize("shape", [(8, 30), (8, 6)], ids=["more lines", "more drugs"])
def test_leaving_out_in_closed_form_is_leaving_out(full, shape, monkeypatch):
    """Thousands of regressions for the price of one decomposition, and the same numbers."""
    full = full[:, : shape[1]]
    scale = np.linspace(0.5, 2, 8)[:, None]
    monkeypatch.setattr(parts, "_PENALTIES", np.array([0.7]))
    observed = np.ones(full.shape, bool)
    Y = (full - full.mean(1, keepdims=True)) / scale
    expected = by_refitting(full, scale, 0.7 * (Y**2).sum() / full.shape[1])
    np.testing.assert_allclose(leave_one_out(full, observed, scale), expected, atol=1e-10)


def test_the_penalty_is_the_best_over_measured_entries(full, monkeypatch):
    observed = np.random.default_rng(0).random(full.shape) < 0.7
    scale = np.geomspace(0.1, 10, 8)[:, None]  # the error counts in the unit of the data

    def error(grid, where):
        monkeypatch.setattr(parts, "_PENALTIES", grid)
        return ((leave_one_out(full, observed, scale) - full)[where] ** 2).sum()

    every = parts._PENALTIES
    alone = [error(np.array([p]), observed) for p in every]
    assert error(every, observed) == min(alone) < max(alone)


def test_a_prediction_does_not_see_its_entry():
    """Were it to, a single wrong measurement would confirm itself."""
    rng = np.random.default_rng(2)
    signal = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 60))
    noise = rng.normal(size=signal.shape)
    observed = np.ones(signal.shape, bool)
    predicted = leave_one_out(signal + noise, observed, np.ones((20, 1)))
    # It correlates with the signal beyond its own noise, and with that noise not at all.
    assert np.corrcoef(predicted.ravel(), signal.ravel())[0, 1] > 0.7
    assert abs(np.corrcoef(predicted.ravel(), noise.ravel())[0, 1]) < 0.06


def test_a_constant_matrix_predicts_itself():
    level = np.array([[1.0], [2.0]])
    constant = np.repeat(level, 5, axis=1)
    out = leave_one_out(constant, np.ones(constant.shape, bool), np.ones((2, 1)))
    np.testing.assert_array_equal(out, constant)


def test_the_general_part_is_found_again():
    rng = np.random.default_rng(3)
    line = rng.normal(size=400)
    line = (line - line.mean()) / line.std()
    truth = General(rng.normal(size=50), rng.uniform(0.2, 2, 50), line)
    noisy = truth.matrix() + 0.3 * rng.normal(size=(50, 400))
    found = general_part(noisy)
    assert found.line.mean() == pytest.approx(0, abs=1e-12)
    assert (found.line**2).mean() == pytest.approx(1)
    assert np.corrcoef(found.line, line)[0, 1] > 0.99
    np.testing.assert_allclose(found.slope, truth.slope, atol=0.08)
    np.testing.assert_allclose(found.level, noisy.mean(1), atol=1e-12)


def test_a_drug_that_does_nothing_says_nothing_about_a_line():
    rng = np.random.default_rng(4)
    line = rng.normal(size=200)
    acting = np.outer(np.ones(5), line)
    quiet = 0.3 * rng.normal(size=(100, 200))
    both = np.vstack([acting, quiet])
    found = general_part(both)
    assert np.corrcoef(found.line, line)[0, 1] > 0.97
    assert np.corrcoef(both.mean(axis=0), line)[0, 1] < 0.9


def test_reliability_takes_the_quietest_drugs_for_noise():
    spread = np.concatenate([np.full(20, 1.0), np.full(80, 2.0)])
    kept = reliability(spread)
    own = np.where(spread == 1, 0.0, 1 - 1 / 4)
    np.testing.assert_allclose(kept, (own + own.mean()) / 2)
    np.testing.assert_allclose(reliability(7 * spread), kept)
    # Where all drugs vary alike, nothing speaks for more than noise.
    assert (reliability(np.full(10, 0.3)) == 0).all()


# -- in the corrected matrix ------------------------------------------------------------------


@pytest.fixture(scope="module")
def fits(screen, tissues):
    return {
        a: RTDMF(specific_weight=a, retain="shrink", dtype="float64").fit(screen, groups=tissues)
        for a in (0.0, 0.5, 1.0)
    }


def test_the_parts_add_up(fits, screen):
    """What is stored apart is the whole: level, slope, sensitivity, specific part, weight."""
    for a, model in fits.items():
        m = model.slope_.mean()
        slope = m + a**2 * (model.slope_ - m)
        whole = model.level_[:, None] + np.outer(slope, model.sensitivity_) + a * model.specific_
        weighed = np.isfinite(screen) & (model.flag_ != 3)
        np.testing.assert_allclose(model.corrected_[weighed], whole[weighed], atol=1e-12)
        kept, imputed = model.flag_ == 3, model.flag_ == 0
        np.testing.assert_array_equal(model.corrected_[kept], screen[kept])
        np.testing.assert_array_equal(model.corrected_[imputed], model.completed_[imputed])
        assert kept.any()
        assert imputed.any()


def test_weighing_changes_nothing_but_the_corrected_matrix(fits):
    one, half = fits[1.0], fits[0.5]
    for name in ("specific_", "level_", "slope_", "sensitivity_", "flag_", "residual_", "weight_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(half, name))
    assert not np.array_equal(one.corrected_, half.corrected_)


def test_at_zero_every_drug_follows_the_general_sensitivity_alone(fits, screen):
    model = fits[0.0]
    plain = np.isfinite(screen) & (model.flag_ != 3)
    rest = model.corrected_ - model.level_[:, None]
    expected = np.broadcast_to(model.slope_.mean() * model.sensitivity_, rest.shape)
    np.testing.assert_allclose(rest[plain], expected[plain], atol=1e-12)


def test_denoising_comes_closer_to_the_truth_than_the_measurements():
    """The reason to do it at all; trivial answers stand further off."""
    rng = np.random.default_rng(5)
    truth = 0.7 + 0.1 * rng.normal(size=(60, 4)) @ rng.normal(size=(4, 150)) / 2
    spread = np.linspace(0.02, 0.2, 60)[:, None]
    truth = truth + spread * rng.normal(size=truth.shape) * (rng.random(truth.shape) < 0.3)
    noise = 0.06
    X = truth + noise * rng.normal(size=truth.shape)
    X[rng.random(X.shape) < 0.2] = np.nan
    model = RTDMF(specific_weight=1.0).fit(X)
    measured = np.isfinite(X)

    def error(estimate):
        return float(np.sqrt(np.mean((estimate - truth)[measured] ** 2)))

    assert error(model.corrected_) < 0.9 * error(X)
    assert error(model.corrected_) < error(model.completed_)
    assert error(X) < error(np.nanmean(X, 1, keepdims=True) + np.zeros(X.shape))


def test_a_weight_that_means_nothing_is_said(screen):
    with pytest.warns(UserWarning, match=r"specific_weight=0.5 is ignored.*retain='shrink'"):
        RTDMF(specific_weight=0.5, retain="all", threshold=0.1).fit(screen)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_weight_out_of_range_is_refused(screen, value):
    with pytest.raises(ValueError, match="specific_weight parameter must be a number"):
        RTDMF(specific_weight=value).fit(screen)


# -- replicates -------------------------------------------------------------------------------


def twice(share, seed=0, n=60, p=200):
    """Drugs screened twice: structure of rank 3, a rest of which ``share`` repeats itself."""
    rng = np.random.default_rng(seed)
    structure = rng.normal(size=(n, 3)) @ rng.normal(size=(3, p))
    own = np.sqrt(share) * rng.normal(size=(n, p))
    runs = [structure + own + np.sqrt(1 - share) * rng.normal(size=(n, p)) for _ in range(2)]
    return np.vstack(runs), [f"drug{i}" for i in range(n)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_replicates_tell_how_much_of_the_rest_repeats_itself(share):
    """Which one matrix without them cannot."""
    X, labels = twice(share)
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    model = RTDMF(retain="shrink").fit(X, replicates=labels)
    assert np.unique(model.reliability_).size == 1
    assert model.reliability_[0] == pytest.approx(share, abs=0.06)


@pytest.mark.slow
def test_drugs_without_a_replicate_take_no_part():
    X, labels = twice(0.5)
    few = [label if i % 60 < 30 else (None, np.nan)[i % 2] for i, label in enumerate(labels)]
    model = RTDMF(retain="shrink").fit(X, replicates=few)
    assert model.reliability_[0] == pytest.approx(0.5, abs=0.1)


def test_a_third_replicate_does_not_predict_the_others():
    """It would take away what the first two have in common."""
    rng = np.random.default_rng(3)
    structure = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 200))
    own = np.sqrt(0.7) * rng.normal(size=(30, 200))
    X = np.vstack([structure + own + np.sqrt(0.3) * rng.normal(size=(30, 200)) for _ in range(3)])
    labels = np.array([f"drug{i}" for i in range(30)] * 3, dtype=object)
    everywhere = np.ones(X.shape, bool)
    share = parts.replicated(X, everywhere, np.ones((90, 1)), labels)
    assert share == pytest.approx(0.7, abs=0.06)


def test_replicates_that_contradict_each_other_keep_nothing():
    rng = np.random.default_rng(4)
    structure, own = (rng.normal(size=(20, 100)) for _ in range(2))
    structure = 5 * structure[:, :1] * structure[:1]
    X = np.vstack([structure + own, structure - own])
    labels = np.array([*range(20)] * 2, dtype=object)
    assert parts.replicated(X, np.ones(X.shape, bool), np.ones((40, 1)), labels) == 0


@pytest.mark.parametrize(
    "replicates, retain, message",
    [
        (["a"] * 5, "shrink", r"one label per drug, which are 40. Got shape \(5,\)"),
        (list(range(40)), "shrink", "no label twice"),
        ([0, 0, *range(38)], "all", "replicates serve retain='shrink'"),
    ],
)
def test_replicates_that_say_nothing_are_refused(screen, replicates, retain, message):
    with pytest.raises(ValueError, match=message):
        RTDMF(retain=retain, threshold=0.1).fit(screen, replicates=replicates)


def test_replicates_without_common_lines_are_refused(screen):
    X = screen.copy()
    X[0, :25] = X[1, 30:] = np.nan  # five
    with pytest.raises(ValueError, match=r"1 drug\(s\).*at least 10 common lines"):
        RTDMF(retain="shrink").fit(X, replicates=["a", "a", *[None] * 38])
