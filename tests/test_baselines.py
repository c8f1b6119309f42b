"""What every rival promises, DBDNMF, and the choice of parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from rtdmf_bio import baselines
from rtdmf_bio.baselines import METHODS, dbdnmf, grand_mean, soft_impute, tune
from rtdmf_bio.model.holdout import holdout_mask

pytestmark = pytest.mark.usefixtures("one_thread")

PARAMS = {
    "convex_mf": {"eps": 0.05},
    "soft_impute": {"penalty": 0.5},
    "dbdnmf": {"max_iter": 60, "hidden": 16},
}
UNITS = {"eps", "penalty"}  # parameters in the unit of the data
EVERY = pytest.mark.parametrize("name", list(METHODS))


def fitted(name, X, scale=1.0, **more):
    params = {k: v * scale if k in UNITS else v for k, v in PARAMS.get(name, {}).items()}
    return METHODS[name](X, **params, **more)


@pytest.fixture(scope="module")
def validation(screen):
    return holdout_mask(np.isfinite(screen), 0.2, np.random.default_rng(0))


def test_every_rival_is_named_and_exported():
    assert set(METHODS) == set(baselines.__all__) - {"METHODS", "tune"}
    assert all(METHODS[name] is getattr(baselines, name) for name in METHODS)
    assert all(name == METHODS[name].__name__ for name in METHODS)


@EVERY
def test_answer_is_finite_and_the_input_as_it_was(name, screen):
    X = np.array(screen)
    fit = fitted(name, X)
    assert fit.shape == X.shape
    assert fit.dtype == np.float64
    assert np.isfinite(fit).all()
    np.testing.assert_array_equal(X, screen)


@EVERY
def test_the_same_input_gives_the_same_bits(name, screen):
    np.testing.assert_array_equal(fitted(name, screen), fitted(name, screen))


@EVERY
def test_answer_scales_with_the_data(name, screen):
    """AUC and ln IC50 differ in unit; no method may care. A power of two rounds nothing."""
    # Turning the sign over is no change of unit to relu.
    for scale in (1024.0,) if name == "dbdnmf" else (1024.0, -0.125):
        scaled, fit = fitted(name, scale * screen, abs(scale)), fitted(name, screen)
        np.testing.assert_allclose(scaled / scale, fit, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", [n for n in METHODS if n != "dbdnmf"])
def test_answer_follows_the_order_of_drugs_and_lines(name, screen):
    """All but DBDNMF, whose random start is drawn in the order of the drugs."""
    rng = np.random.default_rng(0)
    drugs, lines = rng.permutation(40), rng.permutation(50)
    mixed = fitted(name, screen[drugs][:, lines])
    np.testing.assert_allclose(mixed, fitted(name, screen)[drugs][:, lines], rtol=0, atol=1e-8)


@EVERY
def test_grid_scales_with_the_data(name, screen):
    method = METHODS[name]
    small, large = method.grid(screen), method.grid(1024 * screen)
    assert len(small) >= 1
    for one, two in zip(small, large, strict=True):
        assert two == {k: pytest.approx(1024 * v) if k in UNITS else v for k, v in one.items()}


@pytest.mark.parametrize(
    "bad, message",
    [
        (lambda X: np.where(np.nanmax(X) == X, np.inf, X), "1 infinite entries"),
        (lambda X: np.vstack([X, np.full(50, np.nan)]), "1 drug.*index 40.*Drop them"),
        (lambda X: np.column_stack([X, np.full(40, np.nan)]), "1 line.*index 50.*Drop them"),
        (lambda X: X[0], "drugs x cell lines"),
        (lambda X: np.ones((4, 5)), "equal 1"),
    ],
    ids=["infinite", "empty drug", "empty line", "1-D", "constant"],
)
@EVERY
def test_unusable_data_are_refused(name, bad, message, screen):
    for call in (lambda X: fitted(name, X), METHODS[name].grid):
        with pytest.raises(ValueError, match=message):
            call(bad(np.array(screen)))


@pytest.mark.parametrize(
    "name, params, error",
    [
        ("convex_mf", {"eps": -1.0}, ValueError),
        ("convex_mf", {"eps": np.nan}, ValueError),
        ("convex_mf", {"eps": "0.1"}, TypeError),
        ("convex_mf", {"eps": 0.1, "tol": 2.0}, ValueError),
        ("rpca", {"tau": np.inf}, ValueError),
        ("rpca", {"max_iter": 0}, ValueError),
        ("rpca", {"max_iter": 1.5}, TypeError),
        ("soft_impute", {"penalty": -1}, ValueError),
        ("soft_impute", {"penalty": 1, "center": "both"}, ValueError),
        ("soft_impute", {"penalty": 1, "start": np.zeros((2, 2))}, ValueError),
        ("knn_impute", {"n_neighbors": 0}, ValueError),
        ("knn_impute", {"n_neighbors": True}, TypeError),
        ("knn_smooth", {"over": "rows"}, ValueError),
        ("knn_smooth", {"weights": "both"}, ValueError),
        ("dbdnmf", {"alpha": 1.1}, ValueError),
        ("dbdnmf", {"rank": 0}, ValueError),
        ("dbdnmf", {"random_state": -1}, ValueError),
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused_by_name(name, params, error, screen):
    with pytest.raises(error, match=list(params)[-1]):
        METHODS[name](screen, **params)


@pytest.mark.parametrize("name", [n for n in METHODS if n not in ("grand_mean", "two_way_means")])
def test_structure_is_found(name):
    """Tuned, every method must beat the grand mean where rank 2 is all there is."""
    rng = np.random.default_rng(0)
    low = 0.5 + 0.1 * rng.normal(size=(40, 2)) @ rng.normal(size=(2, 50))
    hidden = rng.random(low.shape) < 0.15
    X = np.where(hidden, np.nan, low + 0.01 * rng.normal(size=low.shape))
    grid = [{"learning_rate": 0.01}] if name == "dbdnmf" else None
    validation = holdout_mask(np.isfinite(X), 0.15, rng)
    error = tune(METHODS[name], X, validation, grid=grid).fit - low
    trivial = grand_mean(X) - low
    assert np.std(error[hidden]) < 0.7 * np.std(trivial[hidden])


def test_dbdnmf_of_the_linear_branch_alone_is_of_low_rank(screen):
    """alpha weighs the linear branch: 1 is plain factorization, and the network has no say."""
    linear = dbdnmf(screen, alpha=1.0, rank=3, max_iter=50)
    assert np.linalg.matrix_rank(linear, tol=1e-5 * np.linalg.norm(linear)) <= 3
    both = dbdnmf(screen, alpha=0.5, rank=3, max_iter=50)
    assert np.linalg.matrix_rank(both, tol=1e-5 * np.linalg.norm(both)) > 3


@pytest.mark.slow
def test_dbdnmf_learns_from_both_branches(screen):
    """Each alone must come closer to the data than the grand mean."""
    for alpha in (0.0, 1.0):
        fit = dbdnmf(screen, alpha=alpha, max_iter=400, learning_rate=0.01)
        assert np.nanstd(screen - fit) < 0.7 * np.nanstd(screen)


@pytest.mark.slow
def test_dbdnmf_keeps_the_iterate_of_least_validation_error(screen, validation):
    """Longer training fits the noise; the best seen, not the last, is returned."""
    kwargs = {"learning_rate": 0.01, "random_state": 1}
    seen = np.where(validation, np.nan, screen)
    stopped = dbdnmf(screen, validation=validation, **kwargs)
    errors = [
        np.mean((dbdnmf(seen, max_iter=k, **kwargs) - screen)[validation] ** 2)
        for k in (10, 50, 200, 1000)
    ]
    assert np.mean((stopped - screen)[validation] ** 2) <= min(errors)
    assert errors[-1] > min(errors)


def test_dbdnmf_never_sees_validation_entries_but_to_stop(screen, validation):
    """With nothing to stop early, their values must not matter at all."""
    kwargs = {"max_iter": 1, "patience": 10}
    other = np.where(validation, screen + 0.001, screen)
    one, two = (dbdnmf(X, validation=validation, **kwargs) for X in (screen, other))
    np.testing.assert_array_equal(one, two)


def test_dbdnmf_draws_from_its_own_seed_and_leaves_torch_as_it_was(screen):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    torch.set_num_threads(2)
    one, two = (dbdnmf(screen, max_iter=5, random_state=s) for s in (0, 1))
    drawn = (dbdnmf(screen, max_iter=5, random_state=np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(*drawn)
    assert not np.array_equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == 2


def test_dbdnmf_says_when_it_diverges(screen):
    with pytest.raises(FloatingPointError, match="learning_rate"):
        dbdnmf(screen, learning_rate=1e30, max_iter=5)


def test_tune_keeps_the_least_validation_error(screen, validation):
    tuned = tune(soft_impute, screen, validation)
    table = tuned.table
    seen = np.where(validation, np.nan, screen)
    assert isinstance(table, pd.DataFrame)
    assert len(table) == len(soft_impute.grid(seen))
    best = table.loc[table["validation_rmse"].idxmin()]
    assert {k: best[k] for k in tuned.params} == tuned.params
    error = np.sqrt(np.mean((tuned.fit - screen)[validation] ** 2))
    assert error == pytest.approx(table["validation_rmse"].min())
    # Refitted from scratch, with the validation entries gone, it is the same.
    again = soft_impute(seen, **tuned.params)
    assert np.linalg.norm(again - tuned.fit) < 1e-2 * np.linalg.norm(tuned.fit)


def test_tune_hides_the_validation_entries(screen, validation):
    """Their values may decide between the fits, but enter none of them."""
    grid = [{"penalty": 0.3}]
    other = np.where(validation, 100.0, screen)
    one, two = (tune(soft_impute, X, validation, grid=grid).fit for X in (screen, other))
    np.testing.assert_array_equal(one, two)


def test_tune_passes_the_seed_and_the_mask_to_methods_that_take_them(screen, validation):
    grid = [{"alpha": 0.5, "max_iter": 30}]
    tuned = tune(dbdnmf, screen, validation, grid=grid, random_state=7)
    direct = dbdnmf(screen, **grid[0], validation=validation, random_state=7)
    np.testing.assert_array_equal(tuned.fit, direct)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda v, X: v.astype(int), "boolean"),
        (lambda v, X: v.T, "shape"),
        (lambda v, X: np.zeros_like(v), "at least one"),
        (lambda v, X: v | np.isnan(X), "not measured"),
        (lambda v, X: v | (np.isfinite(X) & (np.arange(40) == 3)[:, None]), "index 3"),
    ],
    ids=["integers", "transposed", "empty", "unmeasured", "a whole drug"],
)
def test_an_unusable_validation_mask_is_refused(spoil, message, screen, validation):
    mask = spoil(validation, screen)
    for call in (lambda: tune(grand_mean, screen, mask), lambda: dbdnmf(screen, validation=mask)):
        with pytest.raises(ValueError, match=message):
            call()
