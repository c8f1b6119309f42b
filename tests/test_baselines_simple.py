"""Means and nearest neighbours, against their definitions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.impute import KNNImputer

from rtdmf_bio.baselines import grand_mean, knn_impute, knn_smooth, two_way_means

pytestmark = pytest.mark.usefixtures("one_thread")


def test_grand_mean_is_the_mean_of_what_was_measured(screen):
    assert (grand_mean(screen) == np.nanmean(screen)).all()


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.8])
def test_two_way_means_are_exact_on_additive_data(missing):
    rng = np.random.default_rng(0)
    additive = rng.normal(size=(30, 1)) + rng.normal(size=(1, 20))
    X = np.where(rng.random(additive.shape) < missing, np.nan, additive)
    np.testing.assert_allclose(two_way_means(X), additive, rtol=0, atol=1e-8)


def test_residuals_of_two_way_means_sum_to_zero(screen):
    """The normal equations of least squares, for every drug and every line."""
    residual = screen - two_way_means(screen)
    for axis in (0, 1):
        assert np.abs(np.nanmean(residual, axis=axis)).max() < 1e-9


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("over", ["lines", "drugs"])
def test_neighbours_are_those_of_scikit_learn(screen, over, weights):
    turned = screen.T if over == "lines" else screen
    expected = KNNImputer(n_neighbors=4, weights=weights).fit_transform(turned)
    expected = expected.T if over == "lines" else expected
    kwargs = {"n_neighbors": 4, "over": over, "center": "none", "weights": weights}
    np.testing.assert_allclose(knn_impute(screen, **kwargs), expected)
    missing = np.isnan(screen)
    np.testing.assert_allclose(knn_smooth(screen, **kwargs)[missing], expected[missing])


def test_imputing_leaves_what_was_measured_and_smoothing_does_not(screen):
    """Only the smoother has residuals, so only it can flag or correct."""
    measured = np.isfinite(screen)
    assert (knn_impute(screen)[measured] == screen[measured]).all()
    assert (knn_smooth(screen)[measured] != screen[measured]).all()


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_smoothing_is_the_mean_of_the_nearest_that_have_the_entry(screen, weights):
    """Entry by entry, from the definition."""
    X = screen[:12, :15]
    smooth = knn_smooth(X, n_neighbors=3, over="drugs", center="none", weights=weights)
    for i, j in np.ndindex(X.shape):
        candidates = []
        for other in range(len(X)):
            common = np.isfinite(X[i]) & np.isfinite(X[other])
            if other != i and np.isfinite(X[other, j]) and common.any():
                distance = np.sqrt(np.mean((X[i] - X[other])[common] ** 2))
                candidates.append((distance, X[other, j]))
        near = np.array(sorted(candidates)[:3])
        w = 1 / near[:, 0] if weights == "distance" else np.ones(len(near))
        assert smooth[i, j] == pytest.approx(np.average(near[:, 1], weights=w), rel=1e-9)


def test_a_twin_decides_alone(screen):
    """Two lines at distance zero must not divide by it."""
    X = np.array(screen)
    X[:, 1] = X[:, 0]
    smooth = knn_smooth(X, center="none")
    measured = np.isfinite(X[:, 0])
    np.testing.assert_allclose(smooth[measured, 0], X[measured, 0])


def test_without_neighbours_the_mean_is_left():
    """A drug that shares no line with any other has no distances."""
    X = np.array([[1.0, 2, np.nan, np.nan], [2, 3, np.nan, np.nan], [np.nan, np.nan, 5, 7]])
    for method in (knn_impute, knn_smooth):
        fit = method(X, n_neighbors=1, over="drugs", center="none", weights="uniform")
        assert fit[2, :2] == pytest.approx([1.5, 2.5])


@pytest.mark.parametrize("method", [knn_impute, knn_smooth])
def test_centring_keeps_what_drugs_and_lines_differ_by(method):
    """On additive data the centred neighbours say nothing, and the means say all."""
    rng = np.random.default_rng(0)
    additive = 5 * rng.normal(size=(20, 1)) + rng.normal(size=(1, 15))
    X = np.where(rng.random(additive.shape) < 0.2, np.nan, additive)
    np.testing.assert_allclose(method(X, center="two-way"), additive, rtol=0, atol=1e-7)
    assert np.abs(method(X, over="drugs", center="none") - additive).max() > 0.1
