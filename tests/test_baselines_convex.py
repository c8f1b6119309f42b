"""Convex rivals against CVXPY, closed forms and what the problems themselves demand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from rtdmf_bio.baselines import convex_mf, rpca, soft_impute
from rtdmf_bio.baselines._nuclear import shrink_singular_values

EXACT = 1e-7  # of ADMM, where it is held against another solver


@pytest.fixture(scope="module")
def cvxpy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its optional solvers are no business of ours
        return pytest.importorskip("cvxpy")


def noisy(shape=(14, 11), missing=0.3, seed=0):
    """Rank 2 around 0.5, noise, some large deviations."""
    rng = np.random.default_rng(seed)
    X = 0.5 + rng.normal(size=(shape[0], 2)) @ rng.normal(size=(2, shape[1])) / 5
    X += 0.05 * rng.normal(size=shape) + 0.5 * (rng.random(shape) < 0.05)
    X[rng.random(shape) < missing] = np.nan
    return X


def nuclear(L):
    return np.linalg.norm(L, "nuc")


def solved(cvxpy, L, cost, constraints):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cvxpy.Problem(cvxpy.Minimize(cvxpy.normNuc(L) + cost), constraints).solve(
            solver="CLARABEL"
        )


@pytest.mark.parametrize("shape", [(14, 11), (9, 15)], ids=["tall", "wide"])
@pytest.mark.parametrize("eps", [0.02, 0.05, 0.1])
def test_convex_mf_is_what_a_general_solver_finds(cvxpy, eps, shape):
    X = noisy(shape)
    measured = np.isfinite(X)
    ours = convex_mf(X, eps=eps, tol=EXACT, max_iter=20_000)
    L = cvxpy.Variable(shape)
    within = cvxpy.abs(cvxpy.multiply(measured, L - np.nan_to_num(X))) <= eps
    least = solved(cvxpy, L, 0, [within])
    assert nuclear(ours) == pytest.approx(least, rel=1e-6)
    assert np.abs(ours - X)[measured].max() <= eps + 1e-5
    # With a wide tolerance several matrices reach the least norm; here it is one.
    assert np.linalg.norm(ours - L.value) <= 1e-4 * np.linalg.norm(L.value)


@pytest.mark.parametrize("shape", [(14, 11), (9, 15)], ids=["tall", "wide"])
@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
def test_rpca_is_what_a_general_solver_finds(cvxpy, tau, shape):
    X = noisy(shape)
    measured, price = np.isfinite(X), tau / np.sqrt(max(shape))
    ours = rpca(X, tau=tau, tol=EXACT, max_iter=20_000)
    L, S = cvxpy.Variable(shape), cvxpy.Variable(shape)
    met = cvxpy.multiply(measured, L + S) == np.nan_to_num(X)
    least = solved(cvxpy, L, price * cvxpy.norm1(S), [met])
    objective = nuclear(ours) + price * np.abs(ours - X)[measured].sum()
    assert objective == pytest.approx(least, rel=1e-6)
    assert np.linalg.norm(ours - L.value) <= 1e-4 * np.linalg.norm(L.value)


@pytest.mark.parametrize("center", ["none", "two-way"])
def test_soft_impute_is_what_a_general_solver_finds(cvxpy, center):
    X = noisy()
    measured = np.isfinite(X)
    ours = soft_impute(X, penalty=0.3, center=center, tol=1e-9)
    general = 0 if center == "none" else soft_impute(X, penalty=1e3, center=center)
    L = cvxpy.Variable(X.shape)
    residual = cvxpy.multiply(measured, L + general - np.nan_to_num(X))
    solved(cvxpy, L, cvxpy.sum_squares(residual) / 2 / 0.3, [])
    np.testing.assert_allclose(ours, L.value + general, rtol=0, atol=1e-4)


def test_default_tolerance_is_close_to_the_exact_answer():
    """The default tolerance must do: benchmarks and users do not change it."""
    X = noisy((40, 30))
    for method, kwargs in ((convex_mf, {"eps": 0.05}), (rpca, {"tau": 1.0})):
        rough, fine = method(X, **kwargs), method(X, **kwargs, tol=EXACT, max_iter=20_000)
        assert nuclear(rough) == pytest.approx(nuclear(fine), rel=1e-3)
        assert np.linalg.norm(rough - fine) <= 5e-3 * np.linalg.norm(fine)


@pytest.mark.parametrize("shape", [(12, 7), (7, 12)], ids=["tall", "wide"])
def test_singular_values_are_shrunk_as_the_svd_says(shape):
    A = np.random.default_rng(0).normal(size=shape)
    u, s, vh = np.linalg.svd(A, full_matrices=False)
    for by in (0.0, s[3], 2 * s[0]):
        expected = (u * np.maximum(s - by, 0)) @ vh
        np.testing.assert_allclose(shrink_singular_values(A, by), expected, rtol=0, atol=1e-12)
    assert not shrink_singular_values(np.zeros(shape), 1.0).any()


def test_soft_impute_of_a_complete_matrix_shrinks_its_singular_values():
    X = noisy(missing=0)
    expected = shrink_singular_values(X, 0.4)
    ours = soft_impute(X, penalty=0.4, center="none")
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


def test_soft_impute_does_not_depend_on_its_start():
    X = noisy((40, 30))
    far = soft_impute(X, penalty=0.05, tol=1e-8)
    cold, warm = (soft_impute(X, penalty=0.3, tol=1e-8, start=s) for s in (None, far))
    np.testing.assert_allclose(cold, warm, rtol=0, atol=1e-6)
    # Begun from the answer, it is there at once, which a path of penalties lives on.
    np.testing.assert_allclose(
        soft_impute(X, penalty=0.3, start=cold, max_iter=1), cold, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("start", [1.0, 1e6])
def test_the_penalty_of_admm_does_not_decide_the_answer(start, monkeypatch):
    """A large one meets the constraint at once, a small one the norm; both must be waited for."""
    X = noisy((40, 30))
    expected = convex_mf(X, eps=0.05)
    monkeypatch.setattr("rtdmf_bio.baselines._nuclear._START", start)
    other = convex_mf(X, eps=0.05)
    assert np.linalg.norm(other - expected) <= 5e-3 * np.linalg.norm(expected)


def test_no_tolerance_returns_a_complete_matrix():
    X = noisy(missing=0)
    np.testing.assert_allclose(convex_mf(X, eps=0, tol=EXACT), X, rtol=0, atol=1e-5)


def test_a_tolerance_as_large_as_the_data_returns_nothing():
    X = noisy()
    assert np.abs(convex_mf(X, eps=2 * np.nanmax(np.abs(X)))).max() < 1e-3


def test_rpca_leaves_low_rank_data_whole_and_takes_spikes_out():
    """The theorem of the paper: with few spikes, both parts are found exactly."""
    rng = np.random.default_rng(0)
    low = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 50))
    X = low + 5 * (rng.random(low.shape) < 0.03)
    X[rng.random(low.shape) < 0.1] = np.nan
    np.testing.assert_allclose(rpca(X, tol=1e-6), low, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "fit",
    [
        lambda X: convex_mf(X, eps=0.05, max_iter=2),
        lambda X: rpca(X, max_iter=2),
        lambda X: soft_impute(X, penalty=0.1, max_iter=2),
    ],
    ids=["convex_mf", "rpca", "soft_impute"],
)
def test_an_unfinished_fit_warns(fit):
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        assert np.isfinite(fit(noisy())).all()
