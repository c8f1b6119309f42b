"""How a fit may end: every named state is reached, and an interruption leaves nothing behind."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from rtdmf_bio import RTDMF
from rtdmf_bio.model import estimator
from rtdmf_bio.model.solver import StopReason

SMALL = {"preset": "paper", "width": 12, "depth": 3, "threshold": 0.15}


def test_converged(screen):
    """The usual end, without a word."""
    model = RTDMF().fit(screen)
    assert model.stop_reason_ is StopReason.CONVERGED
    assert model.n_iter_ < model.params_["max_iter"]


@pytest.mark.slow
def test_early_stopped_keeps_the_best_iterate(screen):
    """Not the last one: the fit returned has the lowest validation error of the curve."""
    settings = {"init_scale": 0.1, "learning_rate": 0.01, "patience": 5, "max_iter": 5000}
    model = RTDMF(**{**SMALL, **settings}).fit(screen)
    assert model.stop_reason_ is StopReason.EARLY_STOPPED
    curve = np.array(model.history_["validation_rmse"])
    best = int(curve.argmin())
    assert model.n_iter_ == model.history_["iteration"][best]
    assert len(curve) == best + 1 + 5
    # Squares of float32 summed.
    assert model.validation_rmse_["low_rank"] == pytest.approx(curve[best], rel=1e-5)
    assert curve[-1] > curve[best]


@pytest.mark.parametrize("max_iter", [1, 7, 10, 13])
def test_max_iterations_warns_with_the_remedy(screen, max_iter):
    """A fit cut short is usable and must not pass for a finished one."""
    with pytest.warns(ConvergenceWarning, match=f"raise max_iter.*max_iter={max_iter}"):
        model = RTDMF(max_iter=max_iter).fit(screen)
    assert model.stop_reason_ is StopReason.MAX_ITERATIONS
    assert model.n_iter_ == max_iter
    assert np.isfinite(model.corrected_).all()


@pytest.mark.parametrize("max_iter", [100, 101, 109])
def test_a_short_last_stretch_is_no_sign_of_an_end(screen, max_iter):
    """``tol`` is the change over ten steps of a descent: over one, any fit looks as if it had
    settled."""
    alone = {"threshold": 0.15, "impute": "low-rank", "retain": "all", "crossfit": 0}
    alone["learning_rate"] = 0.2
    with pytest.warns(ConvergenceWarning, match="in the fit"):
        model = RTDMF(**alone, max_iter=max_iter).fit(screen)
    assert model.stop_reason_ is StopReason.MAX_ITERATIONS


def jittered(screen, share, seed=0):
    """The same, with the largest values of this share at a cap, but for differences of 1e-5."""
    rng = np.random.default_rng(seed)
    cap = np.nanquantile(screen, 1 - share)
    return np.where(screen >= cap, cap + 1e-5 * rng.normal(size=screen.shape), screen)


@pytest.mark.filterwarnings("ignore:.*still changing at max_iter")
@pytest.mark.parametrize("settings", [{}, {"refit": False}], ids=["refit", "no refit"])
@pytest.mark.parametrize("share", [0.6, 0.8])
def test_noise_that_vanishes_is_told_with_the_remedy(screen, share, settings):
    """Values that differ by more than rounding are no pile-up that could be found, and the noise
    becomes their differences: every other entry is flagged, and nothing else would say that it
    means nothing."""
    with pytest.warns(ConvergenceWarning, match="noise was estimated far below.*give threshold"):
        model = RTDMF(**settings).fit(jittered(screen, share))
    assert model.stop_reason_ is StopReason.NOISE_VANISHED
    assert model.pile_ups_["share"] == 0
    assert model.unexplained_sd_ < 0.02 * np.nanstd(screen)
    flagged = (model.flag_ >= 2).sum() / (model.flag_ > 0).sum()
    assert flagged > 0.9 * (1 - share)


def gross(screen, share=0.03):
    """The same, with a few entries far off."""
    return screen + 2.0 * (np.random.default_rng(1).random(screen.shape) < share)


@pytest.mark.parametrize("settings", [{}, {"loss": "squared"}], ids=["mixture", "squared"])
@pytest.mark.parametrize("change", [np.array, gross], ids=["as it is", "gross errors"])
def test_noise_that_is_there_does_not_vanish(screen, change, settings):
    """Nor does it where a few entries make most of the spread."""
    model = RTDMF(**settings).fit(change(screen))  # a warning would be an error
    assert model.stop_reason_ is StopReason.CONVERGED


@pytest.mark.filterwarnings("ignore:.*still changing at max_iter")
@pytest.mark.parametrize("settings", [{}, {"optimizer": "gd"}], ids=["accelerated", "gd"])
def test_a_rate_so_small_that_nothing_moves_is_not_taken_for_an_end(screen, settings):
    model = RTDMF(threshold=0.1, impute="low-rank", max_iter=60, learning_rate=1e-4, **settings)
    assert model.fit(screen).stop_reason_ is StopReason.MAX_ITERATIONS
    assert model.set_params(learning_rate="auto", max_iter=500).fit(screen).n_iter_ < 500


def test_reaching_max_iterations_while_still_improving_is_told(screen):
    """With early stopping too the state is named, and the best iterate so far is kept."""
    model = RTDMF(**{**SMALL, "init_scale": 0.1, "learning_rate": 1e-3, "max_iter": 40})
    model.fit(screen)
    assert model.stop_reason_ is StopReason.MAX_ITERATIONS
    curve = model.history_["validation_rmse"]
    assert model.n_iter_ == model.history_["iteration"][int(np.argmin(curve))]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"learning_rate": 1e9}, id="accelerated"),
        pytest.param({"learning_rate": 1e9, "optimizer": "gd"}, id="gd"),
        pytest.param(
            {**SMALL, "optimizer": "momentum", "init_scale": 1.0, "learning_rate": 1e9}, id="wide"
        ),
        pytest.param({"learning_rate": 1e9, "max_iter": 15}, id="between two checks"),
    ],
)
def test_diverged_is_an_error_that_names_the_remedy(screen, settings):
    """Non-finite values must never reach a corrected matrix."""
    model = RTDMF(**settings)
    with pytest.raises(FloatingPointError, match="learning_rate"):
        model.fit(screen)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


@pytest.mark.parametrize("at", [1, 5, 12])
def test_ctrl_c_passes_through_and_leaves_nothing_behind(screen, monkeypatch, at):
    """Wherever it strikes: not fitted, the input as it was, the threads as they were."""
    calls, seen = [], []

    @contextlib.contextmanager
    def progress(show):
        def tick(done):
            calls.append(done)
            seen.append(torch.get_num_threads())
            if len(calls) == at:
                raise KeyboardInterrupt

        yield lambda name: tick

    monkeypatch.setattr(estimator, "_progress", progress)
    before, X = torch.get_num_threads(), screen.copy()
    model = RTDMF()
    try:
        torch.set_num_threads(2)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}  # it had been changed, so restoring it was something to do
    assert torch.is_grad_enabled()
    np.testing.assert_array_equal(X, screen)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_progress_counts_every_iteration_once(screen, monkeypatch):
    """The bar adds up to the iterations that were run, also when the last block is not full."""
    ticks: dict[str, int] = {}

    @contextlib.contextmanager
    def progress(show):
        def start(name):
            def tick(done):
                ticks[name] = ticks.get(name, 0) + done

            return tick

        yield start

    monkeypatch.setattr(estimator, "_progress", progress)
    settings = {"threshold": 0.1, "impute": "low-rank", "retain": "all", "crossfit": 0}
    model = RTDMF(**settings).fit(screen)
    assert ticks == {"fit": model.n_iter_}
    ticks.clear()
    with pytest.warns(ConvergenceWarning):
        RTDMF(**settings, max_iter=7).fit(screen)
    assert ticks == {"fit": 7}


@pytest.mark.parametrize("show", [True, False])
def test_progress_is_silent_where_there_is_no_terminal(screen, capfd, show):
    """Logs and pipes get no bar, whether asked for or not."""
    RTDMF(progress=show).fit(screen)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["gd", "momentum", "adam", "adagrad", "accelerated"])
@pytest.mark.parametrize("init", ["gaussian", "orthogonal", "identity", "uniform", "spectral"])
def test_every_start_and_optimizer_of_the_paper_learns(screen, init, optimizer):
    """A small network, few iterations: the training error falls, and all outputs are finite."""
    rate = {"adam": 0.01, "adagrad": 0.05}.get(optimizer, "auto")
    model = RTDMF(
        "paper", width=10, depth=3, init=init, init_scale=0.3, optimizer=optimizer,
        learning_rate=rate, max_iter=200, threshold=0.15,
    ).fit(screen)  # fmt: skip
    error = np.array(model.history_["train_rmse"])
    # From the data's own size, 0.5 uncentred, to below the spread that the mean leaves.
    assert error.min() < np.nanstd(screen)
    assert np.isfinite(model.corrected_).all()
    assert model.params_["init"] == init
    assert [w.shape for w in model.factors_] == [(40, 10), (10, 10), (10, 50)]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_early_stopping_with_refit_runs_as_long_as_the_hold_out_said(screen, decay):
    """The number of iterations is what early stopping chose; the refit must not choose again.
    From a small start the fit changes little at first, which is not the end of it."""
    with_refit, without = (
        RTDMF(
            loss="squared", weight_decay=decay, early_stopping=True, impute="low-rank",
            init_scale=1e-4, learning_rate=0.01, max_iter=5000, refit=refit, crossfit=2,
        ).fit(screen)
        for refit in (True, False)
    )  # fmt: skip
    assert without.stop_reason_ is with_refit.stop_reason_ is StopReason.EARLY_STOPPED
    assert with_refit.n_iter_ == without.n_iter_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(
    "start",
    [
        pytest.param({"init_scale": 1e-4}, id="compact"),
        pytest.param({"width": 30, "init": "gaussian", "init_scale": 0.01}, id="wide"),
    ],
)
def test_a_small_start_that_has_not_moved_yet_is_not_called_converged(screen, start, decay):
    """It grows exponentially: little per iteration in proportion to the data, and it is no end."""
    model = RTDMF(
        loss="squared", weight_decay=decay, threshold=0.1, impute="low-rank", learning_rate=0.01,
        max_iter=2000, **start,
    ).fit(screen)  # fmt: skip
    error = model.history_["train_rmse"]
    assert error[-1] < 0.7 * error[0]
