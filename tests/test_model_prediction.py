"""Prediction of every entry: folds, the process, how it is blended, intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtdmf_bio import RTDMF
from rtdmf_bio.baselines import two_way_means
from rtdmf_bio.datasets import gdsc1
from rtdmf_bio.model import process
from rtdmf_bio.model.holdout import folds, holdout_mask
from rtdmf_bio.model.prediction import Blend, Parts
from rtdmf_bio.model.process import predict

pytestmark = pytest.mark.usefixtures("one_thread")


def quiet(_):
    return None


# -- folds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_folds", [2, 5])
@pytest.mark.parametrize("held", [False, True])
def test_folds_divide_each_drug_evenly_and_keep_what_is_held_out_for_the_first(n_folds, held):
    rng = np.random.default_rng(0)
    observed = rng.random((30, 47)) < 0.8
    first = holdout_mask(observed, 0.15, rng) if held else None
    fold = folds(observed, n_folds, rng, first)
    np.testing.assert_array_equal(fold >= 0, observed)
    rest = observed if first is None else observed & ~first
    if first is not None:
        np.testing.assert_array_equal(fold == 0, first)
    others = range(1, max(n_folds, 3)) if held else range(n_folds)
    counts = np.array([((fold == k) & rest).sum(1) for k in others])
    assert (counts.max(0) - counts.min(0) <= 1).all()


def test_no_drug_or_line_loses_its_only_entry():
    observed = np.zeros((6, 20), bool)
    observed[:4] = True
    observed[4, 3] = observed[5, 5:7] = True
    observed[:, 19] = False
    observed[2, 19] = True
    fold = folds(observed, 5, np.random.default_rng(1))
    assert fold[4, 3] == fold[2, 19] == -1
    for k in range(5):
        left = observed & (fold != k)
        assert left.any(1).all()
        assert left.any(0).all()


# -- the process --------------------------------------------------------------------------------


def dense(data, train, completed, reach=2.0):
    """The same by the formula: a covariance of all entries, and one solution."""
    count = train.sum(1, keepdims=True)
    mean = (data * train).sum(1, keepdims=True) / count
    centred = (data - mean) * train
    sd = np.sqrt((centred**2).sum(1, keepdims=True) / count)
    scale = (sd / np.sort(sd.ravel())[(sd.size - 1) // 2]) ** 0.5
    scale = scale * np.sqrt(((centred / scale) ** 2).sum() / train.sum())
    filled = np.where(train > 0, centred / scale, (completed - mean) / scale)

    def covariances(rows):
        S = np.cov(rows, bias=True)
        S = S / np.diag(S).mean()
        sd = np.sqrt(np.diag(S))
        return S, np.outer(sd, sd) * np.exp(reach * (S / np.outer(sd, sd) - 1))

    (Sd, Ed), (Sl, El) = covariances(filled), covariances(filled.T)
    n, p = data.shape
    a, b, c, d = process.WEIGHTS
    K = a * np.kron(Sd, Sl) + b * np.kron(Ed, El) + c * np.kron(Ed, np.eye(p))
    K += d * np.kron(np.eye(n), El)
    rest = ((data - completed) / scale * train) ** 2
    noise = np.sqrt(rest.sum(1, keepdims=True) / count) * np.sqrt(rest.sum(0) / train.sum(0))
    here = train.ravel() > 0
    alpha = np.linalg.solve(K[np.ix_(here, here)] + np.diag(noise.ravel()[here]),
                            (centred / scale).ravel()[here])  # fmt: skip
    return mean + scale * (K[:, here] @ alpha).reshape(n, p)


def test_conjugate_gradients_give_what_the_formula_says(monkeypatch):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(9, 2)) @ rng.normal(size=(2, 14)) + 0.5 * rng.normal(size=(9, 14))
    train = (rng.random(data.shape) < 0.8).astype(float)
    completed = data + 0.4 * rng.normal(size=data.shape)
    monkeypatch.setattr(process, "_TOL", 1e-12)
    tensors = [torch.as_tensor(x) for x in (data, train, completed)]
    for reach in process.REACHES:
        ours = predict(*tensors, quiet, reach).numpy()
        np.testing.assert_allclose(ours, dense(data, train, completed, reach), atol=1e-7)


def test_what_is_not_trained_on_is_not_seen():
    rng = np.random.default_rng(0)
    data = torch.as_tensor(rng.normal(size=(20, 30)))
    train = torch.as_tensor((rng.random((20, 30)) < 0.7).astype(float))
    completed = torch.as_tensor(rng.normal(size=(20, 30)))
    other = torch.where(train > 0, data, 1e6)
    assert torch.equal(
        predict(data, train, completed, quiet), predict(other, train, completed, quiet)
    )


@pytest.mark.parametrize("data", [np.zeros((5, 8)), np.arange(8.0) * np.ones((5, 1)),
                                  np.arange(5.0)[:, None] * np.ones((1, 8))],
                         ids=["nothing", "lines", "drugs"])  # fmt: skip
def test_data_without_a_spread_give_a_finite_prediction(data):
    data = torch.as_tensor(data, dtype=torch.float32)
    out = predict(data, torch.ones_like(data), data.clone(), quiet)
    assert torch.isfinite(out).all()


def neighbours(seed=0):
    """Drugs in pairs that share what no other drug does; a low rank; noise."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 80))
    truth += np.repeat(rng.normal(size=(30, 80)), 2, axis=0)
    X = truth + 0.4 * rng.normal(size=truth.shape)
    X[rng.random(X.shape) < 0.2] = np.nan
    return truth, X


def test_the_process_sees_neighbours_that_no_low_rank_does():
    """On real data, whose drugs share targets and whose lines share origins."""
    rmse = RTDMF().fit(gdsc1()[:80, :200].X).prediction_["rmse"]
    assert rmse["process"] < 0.985 * rmse["completed"] < 0.9 * rmse["two_way_means"]
    assert rmse["predicted"] <= 1.001 * rmse["process"]
    assert set(rmse) == {"low_rank", "completed", "predicted", "two_way_means", "process"}


# -- unseen -------------------------------------------------------------------------------------


def test_an_entry_has_no_part_in_its_own_prediction():
    """Its noise is not in it; in what the fit to everything says, a good share of it is."""
    truth, X = neighbours(1)
    measured, noise = np.isfinite(X), X - truth
    model = RTDMF().fit(X)
    share = {
        name: np.sum((estimate * noise)[measured]) / np.sum(noise[measured] ** 2)
        for name, estimate in (("unseen", model.predicted_), ("seen", model.completed_))
    }
    assert abs(share["unseen"]) < 0.05
    assert share["seen"] > 0.2
    assert np.nanmean(model.unseen_**2) > 1.3 * np.mean((X - model.completed_)[measured] ** 2)
    np.testing.assert_allclose(model.unseen_, X - model.predicted_, atol=1e-12)
    np.testing.assert_array_equal(model.predicted_[~measured], model.completed_[~measured])


# -- blending -----------------------------------------------------------------------------------


def test_what_does_not_help_is_refused():
    rng = np.random.default_rng(0)
    truth, means = (torch.as_tensor(rng.normal(size=(40, 50))) for _ in range(2))
    data = truth + 0.3 * torch.as_tensor(rng.normal(size=(40, 50)))
    useless = torch.as_tensor(rng.normal(size=(40, 50)))
    where = torch.ones(40, 50, dtype=torch.bool)

    def blend(completed, process):
        return Blend.fit(data, Parts(completed, completed, process, means), where)

    assert blend(truth, useless).process < 0.1
    assert blend(useless, truth).process > 0.9
    half = blend(truth + 0.5 * useless, truth - 0.5 * useless)
    assert half.process == pytest.approx(0.5, abs=0.05)
    nothing = Parts(useless, useless, None, truth)
    assert Blend.fit(data, nothing, where).beyond < 0.1
    assert blend(truth, None).process == 0


def test_means_stand_for_broad_structure_that_predicts_worse():
    """Noise about drug and line effects: any structure found in it is none."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 1)) + rng.normal(size=(1, 40)) + rng.normal(size=(30, 40))
    model = RTDMF(weight_decay=0.1).fit(X)
    assert model.prediction_["low_rank_is_means"]
    np.testing.assert_allclose(model.low_rank_, two_way_means(X), atol=1e-3)


# -- intervals ----------------------------------------------------------------------------------


def test_intervals_hold_what_they_are_of():
    """Imputed: a measurement that would be made; measured: its error-free value."""
    rng = np.random.default_rng(4)
    noise = 0.3 * np.exp(0.5 * rng.normal(size=(60, 1)))
    truth, _ = neighbours(4)
    full = truth + noise * rng.normal(size=truth.shape)
    X = np.where(rng.random(truth.shape) < 0.2, np.nan, full)
    gaps = np.isnan(X)
    model = RTDMF().fit(X, noise_sd=noise.ravel())
    inside = (model.lower_ <= full) & (full <= model.upper_)
    assert 0.86 < inside[gaps].mean() < 0.94
    width = (model.upper_ - model.lower_)[gaps].mean()
    assert width < 0.8 * 2 * 1.645 * np.nanstd(X, axis=1).mean()  # the trivial one
    inside = (model.lower_ <= truth) & (truth <= model.upper_)
    assert 0.85 < inside[~gaps].mean() < 0.95
    assert np.abs((full - model.completed_) / model.sd_)[gaps].std() == pytest.approx(0.6, abs=0.1)
    narrow = RTDMF(coverage=0.5).fit(X, noise_sd=noise.ravel())
    inside = (narrow.lower_ <= full) & (full <= narrow.upper_)
    assert 0.43 < inside[gaps].mean() < 0.6


def test_without_shrink_there_are_no_intervals(screen):
    model = RTDMF(retain="all", crossfit=0, threshold=0.1).fit(screen)
    assert np.isnan(model.lower_).all()
    assert np.isnan(model.sd_).all()
