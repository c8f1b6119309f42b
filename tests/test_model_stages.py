"""Two stages: what reaches both of them, how each fit ended, and what the second one can hold."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

import rtdmf_bio as rt
from rtdmf_bio import RTDMF, StopReason
from rtdmf_bio.baselines import two_way_means
from rtdmf_bio.model import stages

pytestmark = pytest.mark.usefixtures("one_thread")

# With the choices given, and nothing held out, there is one fit a stage.
ALONE = {"crossfit": 0, "retain": "all", "impute": "refined"}
GIVEN = {"threshold": 0.15, "impute_weight_decay": 0.5, **ALONE}
WIDE = {"width": 8, "init": "gaussian", "init_scale": 0.3, "loss": "squared", "max_iter": 60}


@pytest.fixture
def settings(monkeypatch):
    """The settings of every fit, as they are made."""
    seen, fit_chain = [], stages.fit_chain

    def watched(data, train, settings, **options):
        seen.append(settings)
        return fit_chain(data, train, settings, **options)

    monkeypatch.setattr(stages, "fit_chain", watched)
    return seen


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_iter", 23), ("tol", 0.04), ("optimizer", "gd"), ("optimizer", "momentum"),
        ("learning_rate", 0.01), ("momentum", 0.5), ("depth", 2), ("scale_power", 0.0),
    ],
)  # fmt: skip
def test_what_is_set_of_the_descent_holds_for_both_stages(screen, settings, name, value):
    """A user who allows more iterations, or a finer end, means the answer and not half of it."""
    RTDMF(**GIVEN, **{"max_iter": 40, name: value}).fit(screen)
    assert len(settings) == 2
    assert [getattr(one, name) for one in settings] == [value, value]
    assert [one.loss for one in settings] == ["mixture", "squared"]


@pytest.mark.parametrize(
    ("setting", "value", "n_iter"),
    [
        pytest.param("max_iter", 3, lambda n: n == 3, id="an end"),
        pytest.param("tol", 0.05, lambda n: n < 30, id="a coarser end"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_fit_shows_the_iterations_it_was_allowed(screen, setting, value, n_iter):
    """On the hold-out as on everything; by default each of these takes longer."""
    full, short = (RTDMF(**GIVEN, **more).fit(screen) for more in ({}, {setting: value}))
    assert [(fit.stage, fit.fitted_to) for fit in short.fits_] == [
        ("low-rank", "all"), ("refinement", "all")
    ]  # fmt: skip
    assert all(n_iter(fit.n_iter) for fit in short.fits_)
    for fit, longer in zip(short.fits_, full.fits_, strict=True):
        assert fit.n_iter < longer.n_iter
    chosen = RTDMF(**ALONE, **{setting: value}, threshold="auto", impute_weight_decay=0.5)
    chosen.fit(screen)
    assert [(fit.stage, fit.fitted_to) for fit in chosen.fits_] == [
        ("low-rank", "training entries"), ("refinement", "training entries"),
        ("refinement", "training entries"), ("low-rank", "all"), ("refinement", "all"),
    ]  # fmt: skip
    assert all(n_iter(fit.n_iter) for fit in chosen.fits_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_an_optimizer_for_wide_networks_alone_leaves_the_second_stage_its_own(
    screen, settings, optimizer
):
    """They do not keep the compact chain balanced, which it must be; the network has its rate."""
    model = RTDMF(**GIVEN, **WIDE, optimizer=optimizer, learning_rate=0.02).fit(screen)
    first, second = settings
    assert (first.optimizer, first.learning_rate, first.width) == (optimizer, 0.02, 8)
    assert (second.optimizer, second.learning_rate, second.width) == ("accelerated", "auto", "auto")
    assert second.max_iter == first.max_iter == 60
    # It learns: half of what drug and line means leave, of which the noise is a third.
    error, means = (screen - fit for fit in (model.completed_, two_way_means(screen)))
    assert np.nanstd(error) < 0.5 * np.nanstd(means)


@pytest.mark.parametrize(
    ("slow", "settings"),
    [
        ("low-rank", {"loss": "mixture", "impute_weight_decay": 2.0}),
        ("refinement", {"loss": "squared", "impute_weight_decay": 0.3}),
    ],
)
def test_the_worst_end_of_all_fits_is_the_end(screen, slow, settings):
    """A second stage cut short is as unfinished as a first one, whichever is the slower."""
    settings = {**GIVEN, **settings}
    n_iter = {fit.stage: fit.n_iter for fit in RTDMF(**settings).fit(screen).fits_}
    assert max(n_iter, key=n_iter.get) == slow
    with pytest.warns(ConvergenceWarning, match="in 1 of 2 fits; see fits_") as told:
        model = RTDMF(**settings, max_iter=max(n_iter.values()) - 10).fit(screen)
    assert len(told) == 1
    assert {fit.stage: fit.stop_reason for fit in model.fits_} == {
        stage: StopReason.MAX_ITERATIONS if stage == slow else StopReason.CONVERGED
        for stage in n_iter
    }
    assert model.stop_reason_ is StopReason.MAX_ITERATIONS


def test_the_end_and_the_table_of_fits_survive_a_file(screen, tmp_path):
    """What was cut short must still be known where the file is opened."""
    adata = anndata.AnnData(np.array(screen))
    with pytest.warns(ConvergenceWarning, match="max_iter=5"):
        rt.pp.correct(adata, group_key=None, max_iter=5, progress=False)
    adata.write_h5ad(tmp_path / "screen.h5ad")
    back = anndata.read_h5ad(tmp_path / "screen.h5ad").uns["rtdmf"]
    with pytest.warns(ConvergenceWarning):
        model = RTDMF(max_iter=5).fit(screen)
    assert back["stop_reason"] == "max_iterations"
    assert back["stop_message"] == StopReason.MAX_ITERATIONS.value
    assert list(back["fits"]) == [
        "stage", "fitted_to", "weight_decay", "n_iter", "rank", "stop_reason"
    ]  # fmt: skip
    expected = [
        (f.stage, f.fitted_to, f.weight_decay, f.n_iter, f.rank, f.stop_reason.name.lower())
        for f in model.fits_
    ]
    assert list(back["fits"].itertuples(index=False, name=None)) == expected
    pd.testing.assert_frame_equal(back["fits"], adata.uns["rtdmf"]["fits"], check_dtype=False)


EARLY = {
    "loss": "squared", "early_stopping": True, "init_scale": 1e-4, "learning_rate": 0.01,
    "impute_weight_decay": 0.5, "threshold": "auto", **ALONE,
}  # fmt: skip


def test_a_refit_keeps_the_end_that_early_stopping_had_on_the_hold_out(screen):
    """It runs as many iterations, without a hold-out of its own to say why."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = RTDMF(**EARLY, max_iter=2000).fit(screen)
    first = [fit for fit in model.fits_ if fit.stage == "low-rank"]
    assert [fit.fitted_to for fit in first] == ["training entries", "all"]
    assert {fit.stop_reason for fit in first} == {StopReason.EARLY_STOPPED}
    assert first[0].n_iter == first[1].n_iter < 2000
    assert model.stop_reason_ is StopReason.EARLY_STOPPED


def test_early_stopping_excuses_no_second_stage_that_was_cut_short(screen):
    """It keeps the best iterate of the first; the second has none to keep."""
    with pytest.warns(ConvergenceWarning, match=r"max_iter=300, in 3 of 5 fits"):
        model = RTDMF(**EARLY, max_iter=300).fit(screen)
    cut = {fit.stage for fit in model.fits_ if fit.stop_reason is StopReason.MAX_ITERATIONS}
    assert cut == {"refinement"}
    assert model.stop_reason_ is StopReason.MAX_ITERATIONS


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("max_iter", "end"),
    [(None, StopReason.CONVERGED), (20, StopReason.MAX_ITERATIONS)],
    ids=["settled", "cut short"],
)
def test_the_second_stage_holds_more_modes_than_it_starts_with(max_iter, end):
    """Ninety modes, hardly any noise: even the best 64 of the truth itself leave more."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(160, 90)) @ rng.normal(size=(90, 220)) / np.sqrt(90)
    X = truth + 0.02 * rng.normal(size=truth.shape)
    gaps = rng.random(X.shape) < 0.05
    X[gaps] = np.nan
    model = RTDMF(
        loss="squared", threshold=1.0, impute_weight_decay=0.03, retain="none", max_iter=max_iter,
        impute="refined", crossfit=0,
    ).fit(X)  # fmt: skip
    second = model.fits_[1]
    assert (second.stage, second.stop_reason) == ("refinement", end)
    assert second.rank > 64
    sizes = np.linalg.svd(truth, compute_uv=False)
    best_of_64 = np.sqrt(np.sum(sizes[64:] ** 2) / truth.size)

    def error(completed):
        return np.sqrt(np.mean((completed - truth)[gaps] ** 2))

    assert error(model.completed_) < 0.6 * best_of_64
    assert error(model.completed_) < 0.2 * error(two_way_means(X))
