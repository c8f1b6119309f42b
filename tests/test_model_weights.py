"""How much of a measurement to keep: by noise that is known, by replicates, by hints."""

from __future__ import annotations

import numpy as np
import pytest

from rtdmf_bio import RTDMF
from rtdmf_bio.model.weights import GIVEN, PRIOR, REPLICATES, keeping

pytestmark = pytest.mark.usefixtures("one_thread")


def rest(n=40, p=300, *, noise=0.1, response=0.1, lopsided=True, seed=0):
    """u = response + noise by drug, and D without drug and line means, of which u is a part."""
    rng = np.random.default_rng(seed)
    noise, response = (np.broadcast_to(x, (n,))[:, None] for x in (noise, response))
    own = rng.gamma(1.0, 1.0, (n, p)) - 1 if lopsided else rng.normal(size=(n, p))
    # Some drugs are all but predicted by others.
    u = noise * rng.normal(size=(n, p)) - response * np.linspace(0.1, 1.9, n)[:, None] * own
    structure = 2 * response * rng.normal(size=(n, 3)) @ rng.normal(size=(3, p))
    return u, structure + u


def test_known_noise_leaves_its_share_of_the_variance():
    """w = 1 - noise^2 / mean square of u: the least squares weight."""
    noise = np.linspace(0.05, 0.2, 40)
    u, specific = rest(noise=noise)
    kept = keeping(u, specific, noise_sd=noise)
    assert kept.source == GIVEN
    response = (0.1 * np.linspace(0.1, 1.9, 40)) ** 2
    np.testing.assert_allclose(kept.weight, response / (response + noise**2), atol=0.12)
    np.testing.assert_array_equal(kept.noise_sd, noise)


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.2])
def test_replicates_tell_the_noise_of_each_drug(noise):
    """Half the mean square of what two of a drug differ by, whatever the drug responds."""
    rng = np.random.default_rng(1)
    sizes = noise * np.exp(rng.normal(0, 0.5, 30))
    truth = 0.3 * rng.normal(size=(30, 2)) @ rng.normal(size=(2, 300))
    truth -= 0.1 * (rng.gamma(1.0, 1.0, truth.shape) - 1)
    data = np.vstack([truth, truth + 0.4]) + np.tile(sizes, 2)[:, None] * rng.normal(size=(60, 300))
    data[rng.random(data.shape) < 0.1] = np.nan
    u = data - np.vstack([truth, truth + 0.4]) + 0.1 * rng.normal(size=data.shape)
    labels = np.array([*range(30)] * 2, dtype=object)
    kept = keeping(u, data, data=data, replicates=labels)
    assert kept.source == REPLICATES
    np.testing.assert_allclose(kept.noise_sd, np.tile(sizes, 2), rtol=0.25)
    # Of a drug without a replicate the noise is that of the others, relative to what it does.
    some = np.where(np.arange(60) % 30 < 20, labels, None)
    part = keeping(u, data, data=data, replicates=some)
    np.testing.assert_allclose(part.noise_sd[:20], kept.noise_sd[:20], rtol=0.1)
    alone = part.noise_sd[20:30]
    assert 0.5 * noise < np.median(alone) < 2 * noise


def test_replicates_without_common_lines_are_refused():
    u, specific = rest(4, 40)
    data = specific.copy()
    data[0, :25] = data[1, 30:] = np.nan  # five
    with pytest.raises(ValueError, match="none were measured on at least 10 common lines"):
        keeping(u, specific, data=data, replicates=np.array(["a", "a", None, None], dtype=object))


def test_hints_tell_much_noise_from_little():
    """Not how much there is, but which of the screens has more of it."""
    kept = [keeping(*rest(60, noise=noise)) for noise in (0.003, 0.1, 0.4)]
    assert {one.source for one in kept} == {PRIOR}
    weights = [np.median(one.weight) for one in kept]
    assert weights[0] > 0.95
    assert weights[0] > weights[1] > weights[2] + 0.1
    assert weights[2] < 0.9


def test_a_lopsided_drug_keeps_more_than_one_that_is_not():
    """Responses lie to one side, noise does not."""
    rng = np.random.default_rng(0)
    even = rng.normal(size=(30, 400))
    lopsided = rng.gamma(1.0, 1.0, (30, 400)) - 1
    u = np.vstack([even, lopsided]) / np.array([1.0, 0.8]).repeat(30)[:, None]
    kept = keeping(u, u + 0.7 * rng.normal(size=u.shape))
    assert kept.weight[30:].mean() > kept.weight[:30].mean() + 0.05


def test_where_there_is_no_noise_the_measurements_are_left_alone():
    u, specific = rest(noise=0.0)
    kept = keeping(u, specific, noise_sd=np.full(40, 1e-3))
    assert (kept.weight == 1).all()
    assert (kept.share_kept(u, np.zeros(u.shape, bool)) == 1).all()


def test_what_is_too_far_out_counts_as_much_as_the_limit():
    u, specific = rest(noise=0.4)
    u[3, 5] = 50.0
    kept = keeping(u, specific)
    assert max(kept.excess) == 0.5  # one entry beyond, on one side
    far, no = kept.limit[3] / 50, np.zeros(u.shape, bool)
    assert kept.share_kept(u, ~no)[3, 5] > 0.99  # its q-value says that it is no noise
    real = 1 - (1 - kept.weight[3]) * 9 * kept.size[3] / 50**2
    expected = 0.5 * kept.weight[3] * far + 0.5 * real
    assert kept.share_kept(u, no)[3, 5] == pytest.approx(expected)
    assert expected < 0.6
    near = np.abs(u) < np.minimum(kept.limit, 3 * np.sqrt(kept.size))[:, None]
    assert near.mean() > 0.99
    weight = np.broadcast_to(kept.weight[:, None], u.shape)
    np.testing.assert_array_equal(kept.share_kept(u, no)[near], weight[near])
    # One wild entry does not tell of the drug either.
    calm = keeping(np.where(u > 10, 0.0, u), specific)
    assert kept.weight[3] == pytest.approx(calm.weight[3], abs=0.02)


def test_a_change_of_unit_changes_nothing():
    u, specific = rest()
    one, other = keeping(u, specific), keeping(8 * u, 8 * specific)
    np.testing.assert_array_equal(one.weight, other.weight)
    np.testing.assert_array_equal(8 * one.limit, other.limit)


def test_a_drug_with_too_few_entries_or_none_that_varies_is_left_alone():
    u, specific = rest()
    u[0, 5:] = np.nan
    u[1] = 0.0
    u[2] = np.nan
    kept = keeping(u, specific)
    assert (kept.weight[:3] == 1).all()
    assert np.isfinite(kept.noise_sd).all()
    assert (kept.weight[3:] < 1).any()


# -- in the corrected matrix -------------------------------------------------------------------


class Screen:
    """Structure of rank 4, own responses to one side in some lines, noise by drug; two runs."""

    def __init__(self, seed=5, n=60, p=150, noise=0.06):
        rng = np.random.default_rng(seed)
        self.truth = 0.7 + 0.05 * rng.normal(size=(n, 4)) @ rng.normal(size=(4, p))
        own = np.linspace(0.0, 0.15, n)[:, None] * rng.gamma(1.0, 1.0, (n, p))
        self.truth -= own * (rng.random((n, p)) < 0.3)
        self.noise = noise * np.exp(rng.normal(0, 0.4, n))
        self.X = self.truth + self.noise[:, None] * rng.normal(size=(n, p))
        self.X[rng.random((n, p)) < 0.2] = np.nan
        self.measured = np.isfinite(self.X)

    def error(self, estimate):
        return float(np.sqrt(np.mean((estimate - self.truth)[self.measured] ** 2)))


@pytest.fixture(scope="module")
def screen_with_truth():
    return Screen()


def test_the_corrected_is_nearer_the_truth_than_the_measurements(screen_with_truth):
    """The reason to do it at all; trivial answers, and the prediction alone, stand further off."""
    s = screen_with_truth
    model = RTDMF().fit(s.X)
    assert s.error(model.corrected_) < 0.95 * s.error(s.X)
    assert s.error(s.X) < s.error(np.nanmean(s.X, 1, keepdims=True) + np.zeros(s.X.shape))
    assert s.error(model.corrected_) < s.error(model.completed_)
    assert model.noise_source_ == "prior"


def test_known_noise_is_worth_more(screen_with_truth):
    s = screen_with_truth
    guessed, known = RTDMF().fit(s.X), RTDMF().fit(s.X, noise_sd=s.noise)
    assert s.error(known.corrected_) < 0.95 * s.error(guessed.corrected_)
    assert known.noise_source_ == "given"
    np.testing.assert_array_equal(known.noise_by_drug_, s.noise)


@pytest.mark.filterwarnings("ignore:.*still changing at max_iter")
def test_a_precise_assay_is_hardly_moved():
    """How little noise there is shows in the drugs that are predicted well, if at all: one matrix
    cannot tell own responses from noise."""
    s = Screen(noise=0.004)
    model = RTDMF().fit(s.X)
    assert s.error(model.corrected_) < 1.6 * s.error(s.X)
    assert np.median(model.reliability_) > 0.9


def test_one_number_is_the_noise_of_every_drug(screen):
    one, many = RTDMF().fit(screen, noise_sd=0.05), RTDMF().fit(screen, noise_sd=[0.05] * 40)
    np.testing.assert_array_equal(one.corrected_, many.corrected_)


@pytest.mark.parametrize(
    "noise, retain, message",
    [
        (-0.1, "shrink", "noise_sd must be a positive number.* Got -0.1 for 40 drug"),
        (True, "shrink", "noise_sd must be a positive number.* Got True"),
        ("0.05", "shrink", "noise_sd must be a positive number.*'0.05'"),
        ([0.1] * 39 + [np.inf], "shrink", r"Got inf for 1 drug\(s\)"),
        (1e308, "shrink", "standard deviation of 0.1.*unit of the measure"),
        ([0.1] * 5, "shrink", "one for each of the 40 drugs"),
        ("small", "shrink", "noise_sd must be a positive number.*'small'"),
        (np.nan, "shrink", "noise_sd must be a positive number.* Got nan for 40"),
        (0.1, "all", "noise_sd serves retain='shrink'"),
    ],
)
def test_noise_that_says_nothing_is_refused(screen, noise, retain, message):
    with pytest.raises(ValueError, match=message):
        RTDMF(retain=retain, threshold=0.1).fit(screen, noise_sd=noise)


def test_noise_and_replicates_are_not_both_taken(screen):
    with pytest.raises(ValueError, match="Give one of them"):
        RTDMF().fit(screen, noise_sd=0.1, replicates=[0, 0, *range(1, 39)])


def test_shrink_without_cross_fitting_is_refused(screen):
    """A fit cannot judge the entries that it was fitted to."""
    with pytest.raises(ValueError, match=r"retain='shrink' weighs residuals.*crossfit is 0"):
        RTDMF(crossfit=0).fit(screen)
    with pytest.raises(ValueError, match="crossfit parameter is a number of folds, at least 2"):
        RTDMF(crossfit=1).fit(screen)


@pytest.mark.parametrize(
    "replicates, retain, message",
    [
        (["a"] * 5, "shrink", r"one label per drug, which are 40. Got shape \(5,\)"),
        (list(range(40)), "shrink", "no label twice"),
        ([0, 0, *range(38)], "all", "replicates serves retain='shrink'"),
    ],
)
def test_replicates_that_say_nothing_are_refused(screen, replicates, retain, message):
    with pytest.raises(ValueError, match=message):
        RTDMF(retain=retain, threshold=0.1).fit(screen, replicates=replicates)


def test_replicates_of_a_screen_tell_its_noise(screen_with_truth):
    s = screen_with_truth
    rng = np.random.default_rng(9)
    again = s.truth + s.noise[:, None] * rng.normal(size=s.truth.shape)
    X = np.vstack([s.X, again])
    model = RTDMF().fit(X, replicates=[*range(60)] * 2)
    assert model.noise_source_ == "replicates"
    np.testing.assert_allclose(model.noise_by_drug_[:60], s.noise, rtol=0.3)
    assert s.error(model.corrected_[:60]) < 0.75 * s.error(s.X)


def test_giants_that_the_known_noise_is_too_small_for_are_kept():
    """To whatever side; where it is large enough for all of them, the other side decides."""
    rng = np.random.default_rng(3)
    u = 0.4 * rng.normal(size=(40, 300))
    giant = rng.random(u.shape) < 0.01
    specific = u + 0.3 * rng.normal(size=u.shape)
    one = u - 8.0 * giant
    both = u - 8.0 * giant * rng.choice([-1, 1], u.shape)
    no = np.zeros(u.shape, dtype=bool)
    for far in (one, both):
        small = keeping(far, specific, noise_sd=np.full(40, 0.2))
        assert min(small.excess) > 0.9
        assert (np.abs(far) * (1 - small.share_kept(far, no)))[giant].max() < 0.6
    large = np.full(40, np.sqrt(0.3**2 + 0.01 * 8**2))
    kept = keeping(one, specific, noise_sd=large)
    assert kept.excess[1] > 0.9
    assert max(keeping(both, specific, noise_sd=large).excess) < 0.4
    # What the q-value says is no noise is kept all the same.
    assert (kept.share_kept(both, giant)[giant] > 0.9).all()


def test_less_is_taken_off_the_farther_out_something_is():
    u, specific = rest(noise=0.4)
    u[3, :3] = 4.0, 10.0, 50.0
    kept = keeping(u, specific, noise_sd=np.full(40, 0.4))
    taken = (u * (1 - kept.share_kept(u, np.ones(u.shape, bool))))[3, :3]
    assert taken[0] > taken[1] > taken[2] > 0


def test_responses_of_single_lines_survive_known_noise():
    """Eight tenths, 27 standard deviations of the noise: no weight of a drug may erase them."""
    rng = np.random.default_rng(0)
    truth = np.full((60, 100), 0.9)
    alone = rng.random(truth.shape) < 0.02
    truth[alone] = 0.1
    X = truth + rng.normal(0, 0.03, truth.shape)
    model = RTDMF().fit(X, noise_sd=0.03)
    error = model.corrected_ - truth
    assert np.sqrt(np.mean(error**2)) < 0.7 * 0.03
    assert np.abs(error[alone]).max() < 0.15
    inside = (model.lower_ <= truth) & (truth <= model.upper_)
    assert inside.mean() > 0.88
    assert inside[alone].mean() > 0.8


def test_noise_may_be_known_of_some_drugs(screen_with_truth):
    s = screen_with_truth
    known = np.where(np.arange(60) < 30, s.noise, np.nan)
    some, none = RTDMF().fit(s.X, noise_sd=known), RTDMF().fit(s.X)
    assert some.noise_source_ == "given"
    np.testing.assert_allclose(some.noise_by_drug_[:30], s.noise[:30])
    for name in ("noise_by_drug_", "reliability_"):
        np.testing.assert_allclose(getattr(some, name)[30:], getattr(none, name)[30:])


def test_drugs_too_small_to_judge_have_intervals_of_the_others_noise(screen_with_truth):
    s = screen_with_truth
    X = s.X.copy()
    X[0, 6:] = np.nan
    guess, given = RTDMF().fit(X), RTDMF().fit(X, noise_sd=0.06)
    for model in (guess, given):
        assert model.reliability_[0] == 1
        assert (model.sd_[0, :6][np.isfinite(X[0, :6])] > 0.01).all()
    assert given.noise_by_drug_[0] == 0.06
    # Where none can be judged, nothing is known, and nothing is said.
    few = X[1:, :7][np.isfinite(X[1:, :7]).sum(1) > 2]
    alone = RTDMF().fit(few)
    measured = np.isfinite(few)
    np.testing.assert_array_equal(alone.corrected_[measured], few[measured])
    assert np.isnan(alone.sd_[measured]).all()
    assert np.isnan(alone.noise_by_drug_).all()


def test_noise_that_the_predictions_contradict_is_told(screen_with_truth):
    s = screen_with_truth
    with pytest.warns(UserWarning, match="noise_sd says that measurements err by 0.3, .*its unit"):
        model = RTDMF().fit(s.X, noise_sd=0.3)
    assert (model.sd_[s.measured] > 0).all()
    labels = np.arange(60) // 30  # of drugs that have nothing in common
    with pytest.warns(UserWarning, match="replicates say .*check the labels"):
        RTDMF().fit(s.X + np.linspace(0, 3, 150) * (np.arange(60) % 2)[:, None], replicates=labels)
