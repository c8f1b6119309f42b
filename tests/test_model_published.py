"""The paper's own simulated matrices, against trivial predictions of the same entries."""

from __future__ import annotations

import numpy as np
import pytest

from rtdmf_bio import RTDMF

THRESHOLD = 0.15


def recovery_errors(published, prediction):
    """RE: disagreements between thresholded residual and thresholded signal, held-out aside."""
    residual = np.where(np.abs(published.D - prediction) >= THRESHOLD, published.D - prediction, 0)
    truth = np.where(np.abs(published.signal) >= THRESHOLD, published.signal, 0)
    residual[published.held] = truth[published.held] = 0
    return int(((residual > 0) != (truth > 0)).sum())


class Published:
    def __init__(self, path):
        with np.load(path) as z:
            self.D, self.signal = z["observed"], z["signal"]
            self.validation, self.test = self.mask(z["validation"]), self.mask(z["test"])
        self.held = self.validation | self.test
        self.model = RTDMF(refit=False).fit(
            np.where(self.test, np.nan, self.D), validation=self.validation
        )
        self.trivial = {
            "grand mean": np.full(self.D.shape, self.D[~self.held].mean()),
            "two-way means": self.two_way(),
        }

    def mask(self, flat):
        out = np.zeros(self.D.size, bool)
        out[flat] = True
        return out.reshape(self.D.shape)

    def two_way(self):
        train = (~self.held).astype(float)
        drug, line = np.zeros((len(self.D), 1)), np.zeros((1, self.D.shape[1]))
        for _ in range(100):
            drug = ((self.D - line) * train).sum(1, keepdims=True) / train.sum(1, keepdims=True)
            line = ((self.D - drug) * train).sum(0, keepdims=True) / train.sum(0, keepdims=True)
        return drug + line


@pytest.fixture(scope="module", params=["twoblock_b20", "mixed_b20", "residual_p0.01"])
def published(request, shared_data):
    return Published(shared_data(f"synthetic/{request.param}.npz"))


def test_missing_entries_are_predicted_better_than_by_means(published):
    """Test error of the completion, on entries that neither fit nor choice has seen."""

    def mse(prediction):
        return np.mean((published.D - prediction)[published.test] ** 2)

    ours = mse(published.model.completed_)
    assert ours < 0.97 * min(mse(prediction) for prediction in published.trivial.values())


def test_planted_signal_is_recovered_better_than_by_means(published):
    """A low rank fit that absorbs the blocks scores worse than the grand mean: L must not."""
    ours = recovery_errors(published, published.model.low_rank_)
    errors = [recovery_errors(published, prediction) for prediction in published.trivial.values()]
    assert ours < 0.9 * min(errors)
    # The task is not empty, and flagging nothing is no answer to it.
    nothing = recovery_errors(published, published.D)
    assert 0 < ours < 0.5 * nothing


def test_reported_errors_are_those_of_the_entries_given(published):
    """What the user reads as held-out error is computed on the mask passed in."""
    where = published.validation
    expected = np.sqrt(np.mean((published.D - published.model.completed_)[where] ** 2))
    # Sums of thousands of float32 residuals.
    assert published.model.validation_rmse_["imputed"] == pytest.approx(expected, rel=1e-5)
