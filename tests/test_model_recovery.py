"""Planted tissue responses: found where they are, and nothing found where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from rtdmf_bio import RTDMF

pytestmark = pytest.mark.usefixtures("one_thread")

N, P, NOISE, THRESHOLD = 60, 120, 0.05, 0.15
TISSUES = np.repeat(["blood", "breast", "colon", "lung", "ovary", "skin"], P // 6)
RESPONSES = [([3, 17, 31, 44], "blood", 0.25), ([8, 25, 52], "lung", -0.25)]
PLANTED = {(drug, group, int(np.sign(v))) for drugs, group, v in RESPONSES for drug in drugs}


class Screen:
    """Drug and line effects, structure of rank 3, noise of 0.05, and signal if planted."""

    def __init__(self, seed, *, planted, structure=0.06):
        rng = np.random.default_rng(seed)
        low_rank = 0.6 + structure * rng.normal(size=(N, 3)) @ rng.normal(size=(3, P))
        low_rank += 0.05 * rng.normal(size=(N, 1)) + 0.05 * rng.normal(size=(1, P))
        self.signal = np.zeros((N, P))
        for drugs, group, value in RESPONSES if planted else []:
            self.signal[np.ix_(drugs, group == TISSUES)] = value
        self.truth = low_rank + self.signal
        self.X = self.truth + NOISE * rng.normal(size=(N, P))
        self.X[rng.random((N, P)) < 0.15] = np.nan
        self.observed = np.isfinite(self.X)

    def fit(self, **settings):
        return RTDMF(**settings).fit(self.X, groups=TISSUES)

    def precision_and_recall(self, called, side):
        called, true = called & self.observed, (side * self.signal > 0) & self.observed
        both = (called & true).sum()
        return both / max(called.sum(), 1), both / true.sum()

    def means(self):
        """Grand mean, and drug mean + line mean."""
        drug, line = np.zeros((N, 1)), np.zeros((1, P))
        for _ in range(100):
            drug = np.nanmean(self.X - line, axis=1, keepdims=True)
            line = np.nanmean(self.X - drug, axis=0, keepdims=True)
        return {"grand mean": np.nanmean(self.X), "two-way means": drug + line}


def f1(precision, recall):
    return 2 * precision * recall / max(precision + recall, 1e-12)


def discoveries(model):
    tests = model.enrichment_
    found = tests.qvalue < 0.05
    rows = zip(tests.drug[found], tests.group[found], tests.side[found], strict=True)
    return {(int(drug), str(group), int(side)) for drug, group, side in rows}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_responses_are_retained_and_little_else(seed):
    """Both signs, against thresholding what simple means leave, at the same threshold."""
    screen = Screen(seed, planted=True)
    model = screen.fit(threshold=THRESHOLD, retain="enriched")
    for side in (1, -1):
        retained = (model.flag_ == 3) & (side * model.residual_ > 0)
        precision, recall = screen.precision_and_recall(retained, side)
        assert precision > 0.9
        assert recall > 0.8
        for name, mean in screen.means().items():
            called = side * (screen.X - mean) >= THRESHOLD
            trivial = screen.precision_and_recall(called, side)
            assert f1(precision, recall) > f1(*trivial) + 0.2, name


@pytest.mark.slow
def test_enrichment_finds_the_planted_groups_and_not_more_than_its_rate_allows():
    """Drug, tissue and side, all of them; the false discovery rate is a promise about the rest."""
    n_found = n_false = 0
    for seed in range(5):
        found = discoveries(Screen(seed, planted=True).fit(threshold=THRESHOLD))
        assert found >= PLANTED
        n_found += len(found)
        n_false += len(found - PLANTED)
    assert n_false / n_found <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_found)


@pytest.mark.parametrize("noise_sd, at_most", [(NOISE, 0.5), (None, 1.0)])
def test_planted_entries_keep_their_value_and_the_others_lose_noise(noise_sd, at_most):
    """What correction is for: nearer the noiseless truth than the measurement, signal included.
    Where all structure is shared and all noise alike, it helps a lot to know that noise."""
    screen = Screen(0, planted=True)
    model = RTDMF(threshold=THRESHOLD).fit(screen.X, groups=TISSUES, noise_sd=noise_sd)
    planted = (screen.signal != 0) & (model.flag_ == 3)
    assert planted.sum() > 80
    whole = planted & (model.weight_ == 1)
    assert whole.sum() > 0.9 * planted.sum()
    np.testing.assert_array_equal(model.corrected_[whole], screen.X[whole])
    rest = screen.observed & (screen.signal == 0)
    truth = screen.truth[rest]
    before = np.sqrt(np.mean((screen.X[rest] - truth) ** 2))
    after = np.sqrt(np.mean((model.corrected_[rest] - truth) ** 2))
    assert before == pytest.approx(NOISE, rel=0.05)
    assert after < at_most * before


def test_a_response_as_broad_as_the_structure_is_kept_without_a_flag():
    """Where hardly anything else is low rank, a response shared by several drugs and a whole tissue
    is itself the broad structure. It carries no flag then (the README says so), but most of it
    must stay in the denoised matrix."""
    screen = Screen(0, planted=True, structure=0.03)
    model = screen.fit(threshold=THRESHOLD, specific_weight=1.0)
    planted = screen.observed & (screen.signal != 0)
    kept = model.corrected_[planted] - (screen.truth - screen.signal)[planted]
    assert 0.75 < np.mean(kept / screen.signal[planted]) < 1.05


@pytest.fixture(scope="module")
def null():
    return [Screen(seed, planted=False) for seed in range(4)]


def flagged(screen, model):
    return (model.flag_ >= 2).sum() / screen.observed.sum()


def test_without_deviations_the_share_flagged_is_the_rate_reported(null):
    """At a given threshold, within the binomial error of some 6,000 entries."""
    for screen in null:
        # Nothing held out: the noise is that of the residuals which are flagged.
        model = screen.fit(threshold=0.1, impute="low-rank", retain="all", crossfit=0)
        rate = model.unexplained_beyond_
        error = np.sqrt(rate * (1 - rate) / screen.observed.sum())
        assert abs(flagged(screen, model) - rate) < 4 * error
        # A fit takes up noise, so the true tail is somewhat larger; never several times.
        assert 0.6 < rate / (2 * norm.sf(0.1 / NOISE)) < 1.0


@pytest.mark.slow
def test_with_a_hold_out_the_rate_reported_errs_on_the_safe_side(null):
    """New entries carry the error of the fit as well: more noise, never less than there is."""
    for screen in null:
        model = screen.fit(threshold=0.1)
        true = 2 * norm.sf(0.1 / NOISE)
        assert true < model.unexplained_beyond_ < 2 * true
        assert NOISE < model.unexplained_sd_ < 1.2 * NOISE


@pytest.mark.slow
def test_without_deviations_the_automatic_threshold_flags_almost_nothing(null):
    """A method that always finds something has found nothing."""
    for screen in null:
        model = screen.fit()
        assert flagged(screen, model) < 0.002
        assert model.threshold_ > 3 * NOISE
        assert not discoveries(model)


@pytest.mark.slow
def test_with_deviations_the_automatic_threshold_lies_between_noise_and_signal():
    """Where the two are equally likely: above what noise reaches, below what was planted."""
    for seed in range(3):
        model = Screen(seed, planted=True).fit()
        assert 2 * NOISE < model.threshold_ < 0.25
        assert discoveries(model) >= PLANTED


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_drug_that_acts_on_many_lines_does_not_move_its_own_low_rank_row(seed):
    """Drug 7 acts on 30 % of the lines, whichever they are, as one entry in twenty does elsewhere.
    Least squares takes the mean of it for potency, and what it can for structure; once deviations
    have a size and cluster by drug, they stay what they are."""
    screen = Screen(seed, planted=False)
    rng = np.random.default_rng(100 + seed)
    deviates = rng.random((N, P)) < 0.05
    deviates[7] = rng.random(P) < 0.3
    screen.X = screen.X + 0.25 * deviates

    def moved(**settings):
        model = screen.fit(threshold=THRESHOLD, impute="low-rank", **settings)
        error = (model.low_rank_ - screen.truth)[7]
        flagged = (np.abs(model.residual_[7]) >= THRESHOLD)[screen.observed[7]]
        return error, np.mean(flagged == deviates[7, screen.observed[7]])

    error, agree = moved()
    assert abs(error[deviates[7]].mean()) < 0.03
    assert abs(error[~deviates[7]].mean()) < 0.03
    assert np.abs(error).mean() < 0.05
    plain, plain_agree = moved(loss="squared")
    assert agree > plain_agree + 0.05
    assert plain[deviates[7]].mean() > 0.05
    assert plain[~deviates[7]].mean() > 0.03
