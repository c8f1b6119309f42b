"""The hold-out: who is drawn, and that nobody drawn has a say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtdmf_bio import RTDMF
from rtdmf_bio.model import stages
from rtdmf_bio.model.holdout import holdout_mask
from rtdmf_bio.model.loss import LOSSES
from rtdmf_bio.model.problem import FitSettings
from rtdmf_bio.model.solver import fit_chain

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(observed, fraction, seed=0):
    return holdout_mask(observed, fraction, np.random.default_rng(seed))


def sparse(share, shape=(30, 40), seed=1):
    """Some entries measured, at least one for every drug and line."""
    rng = np.random.default_rng(seed)
    observed = rng.random(shape) < share
    observed[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] = True
    observed[rng.integers(shape[0], size=shape[1]), np.arange(shape[1])] = True
    return observed


@pytest.mark.parametrize("fraction", [0.05, 0.15, 0.5])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 1.0])
def test_mask_leaves_every_drug_and_line_something_to_fit(share, fraction):
    """Without a training entry a drug's fit would be an accident."""
    observed = sparse(share)
    for seed in range(5):
        mask = draw(observed, fraction, seed)
        assert not (mask & ~observed).any()
        left = observed & ~mask
        assert left.any(1).all()
        assert left.any(0).all()
        wanted = round(fraction * observed.sum())
        assert mask.sum() <= wanted
        if share >= 0.5:
            assert mask.sum() == wanted


def test_mask_takes_all_it_may():
    """An entry is spared only as the last of its drug or line: nothing else falls short."""
    observed = sparse(0.0)
    mask = draw(observed, 0.5)
    assert mask.sum() < round(0.5 * observed.sum())
    left = observed & ~mask
    last = (left.sum(1, keepdims=True) == 1) | (left.sum(0, keepdims=True) == 1)
    assert last[left].all()


def test_mask_is_uniform_over_the_observed_entries():
    """Each is drawn as often as any other, within the binomial error of 2,000 draws."""
    observed = sparse(0.5, shape=(6, 7))
    n = 2000
    rng = np.random.default_rng(0)
    counts = sum(holdout_mask(observed, 0.2, rng).astype(int) for _ in range(n))
    share = round(0.2 * observed.sum()) / observed.sum()
    bound = 4.5 * np.sqrt(share * (1 - share) / n)
    assert np.abs(counts[observed] / n - share).max() < bound


def test_mask_is_decided_by_its_generator_alone():
    """The same seed holds out the same entries, whatever else drew numbers before."""
    observed = sparse(0.5)
    np.random.seed(1)  # noqa: NPY002
    first = draw(observed, 0.15)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(first, draw(observed, 0.15))
    assert (first != draw(observed, 0.15, seed=1)).any()


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(4)
    X = 1 + rng.normal(size=(30, 2)) @ rng.normal(size=(2, 25)) + 0.3 * rng.normal(size=(30, 25))
    held = holdout_mask(np.ones(X.shape, bool), 0.2, rng)
    return X, held


OTHERWISE = {
    "zero": 0.0,
    "another number": 5.0,
    "absurd": 1e12,
}


@pytest.mark.parametrize("value", OTHERWISE.values(), ids=OTHERWISE)
@pytest.mark.parametrize("center", ["two-way", "none"])
@pytest.mark.parametrize("loss", LOSSES)
def test_held_out_entries_have_no_say_in_the_fit(split, loss, center, value):
    """Any leak would make the hold-out error, and all that is chosen by it, too good."""
    X, held = split
    settings = FitSettings(loss=loss, center=center, weight_decay=0.8, max_iter=100)
    train, validation = torch.as_tensor(~held).double(), torch.as_tensor(held).double()

    def fit(data):
        return fit_chain(torch.as_tensor(data), train, settings, validation=validation)

    one, other = fit(X), fit(np.where(held, value, X))
    assert torch.equal(one.matrix(), other.matrix())
    assert torch.equal(one.scale, other.scale)
    assert one.n_iter == other.n_iter
    assert one.history["train_rmse"] == other.history["train_rmse"]
    assert one.history["validation_rmse"] != other.history["validation_rmse"]


def test_held_out_entries_reach_the_estimator_only_through_its_choices(screen):
    """Without refit L is that of the training entries; the threshold alone is of the others."""
    rng = np.random.default_rng(0)
    held = holdout_mask(np.isfinite(screen), 0.15, rng)
    other = np.where(held, screen + rng.normal(0, 0.2, screen.shape), screen)
    model = RTDMF(impute="low-rank", refit=False, retain="all", crossfit=0)
    one = model.fit(screen, validation=held)
    threshold, low_rank = one.threshold_, one.low_rank_
    two = model.fit(other, validation=held)
    np.testing.assert_array_equal(two.low_rank_, low_rank)
    assert two.threshold_ > 1.2 * threshold


def test_hold_out_error_is_that_of_the_entries_held_out(screen):
    """And the trivial predictions beside it are of the training entries, on the same entries."""
    held = holdout_mask(np.isfinite(screen), 0.15, np.random.default_rng(0))
    model = RTDMF(refit=False).fit(screen, validation=held)
    train = np.where(held, np.nan, screen)

    def rmse(prediction):
        return np.sqrt(np.mean((screen - prediction)[held] ** 2))

    rows, cols = np.nonzero(np.isfinite(train))
    n, p = screen.shape
    design = np.zeros((len(rows), n + p))
    design[np.arange(len(rows)), rows] = design[np.arange(len(rows)), n + cols] = 1
    effect = np.linalg.lstsq(design, train[rows, cols], rcond=None)[0]
    expected = {
        "low_rank": rmse(model.low_rank_),
        "imputed": rmse(model.completed_),
        "grand_mean": rmse(np.nanmean(train)),
        "two_way_means": rmse(effect[:n, None] + effect[n:]),
    }
    # Computed in the precision of the fit.
    assert model.validation_rmse_ == pytest.approx(
        expected, rel=100 * float(np.finfo(np.float32).eps)
    )


@pytest.mark.slow
def test_a_mask_over_entries_that_were_not_measured_holds_out_the_rest(screen):
    """A mask drawn over the whole matrix is as good as one drawn over its measurements."""
    mask = np.random.default_rng(0).random(screen.shape) < 0.15
    assert (mask & np.isnan(screen)).any()
    one = RTDMF().fit(screen, validation=mask)
    two = RTDMF().fit(screen, validation=mask & np.isfinite(screen))
    np.testing.assert_array_equal(one.corrected_, two.corrected_)
    assert one.validation_rmse_ == two.validation_rmse_


@pytest.mark.parametrize("given", [None, 0.7])
@pytest.mark.parametrize("best", [0.01, 0.2, 0.5, 0.9, 2.1, 50.0])
def test_the_decay_chosen_is_the_best_of_those_within_reach(best, given):
    """One minimum, wherever it lies: the search must walk to it and not stop a step away."""
    path: dict[str, list[float]] = {}

    def evaluate(decay):
        return abs(np.log(decay / best)), decay

    decay, fit = stages._search(evaluate, given, path, "decay")
    assert fit == decay
    if given is not None:
        assert (decay, path) == (given, {})
        return
    grid = [stages._decay(k) for k in range(-20, 21)]
    within = [d for d in grid if stages._DECAYS[0] <= d <= stages._DECAYS[1]]
    assert decay == min(within, key=lambda d: abs(np.log(d / best)))
    assert path["decay"] == sorted(path["decay"])
    assert path["decay_score"] == [evaluate(d)[0] for d in path["decay"]]


def test_refit_sees_the_entries_that_were_held_out(screen):
    """They were held out to choose, not to be thrown away."""
    held = holdout_mask(np.isfinite(screen), 0.3, np.random.default_rng(0))

    def error(refit):
        model = RTDMF(refit=refit, impute="low-rank", crossfit=2).fit(screen, validation=held)
        return np.sqrt(np.mean((screen - model.low_rank_)[held] ** 2))

    assert error(True) < 0.97 * error(False)
