"""RTDMF's manners: scikit-learn's contract, reproducibility, and leaving things as found."""

from __future__ import annotations

import logging
import pickle
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from rtdmf_bio import RTDMF
from rtdmf_bio.model.settings import PRESETS

ARRAYS = ("corrected_", "low_rank_", "completed_", "residual_", "weight_", "flag_")


def assert_same_fit(one, other):
    for name in (*ARRAYS, "threshold_", "unexplained_sd_", "n_iter_", "scale_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for a, b in zip(one.factors_, other.factors_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def fitted(screen, tissues):
    return RTDMF().fit(screen, groups=tissues)


def test_parameters_survive_get_set_and_clone():
    """Grid search and pipelines rebuild an estimator from its parameters alone."""
    model = RTDMF("paper", threshold=0.2, retain=("all", "shrink"), width=7, weight_decay="auto")
    params = model.get_params()
    assert params["retain"] == ("all", "shrink")
    assert clone(model).get_params() == params
    assert RTDMF().set_params(**params).get_params() == params
    with pytest.raises(ValueError, match="Invalid parameter"):
        RTDMF().set_params(dept=3)


def test_fitting_changes_no_parameter_and_returns_the_estimator(screen, tissues):
    model = RTDMF(retain=["all"])
    before = model.get_params()
    assert model.fit(screen, groups=tissues) is model
    assert model.get_params() == before
    assert model.retain == ["all"]


def test_a_fit_is_logged_in_one_line_for_those_who_listen(screen, caplog):
    with caplog.at_level(logging.INFO, "rtdmf_bio"):
        model = RTDMF().fit(screen)
    (record,) = (record for record in caplog.records if record.name == "rtdmf_bio")
    assert record.levelno == logging.INFO
    said = record.getMessage()
    assert f"40 drugs x 50 lines, {100 * np.isnan(screen).mean():.1f} % missing: " in said
    n_iter = sum(fit.n_iter for fit in model.fits_)
    assert f"{n_iter} iterations in {len(model.fits_)} fits, converged, " in said
    assert said.endswith(" s on cpu")


@pytest.mark.slow
def test_nothing_is_printed_unasked():
    """Not by a process that has set up no logging, either."""
    code = (
        "import numpy as np, rtdmf_bio, logging\n"
        "rng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(40, 1)) @ rng.normal(size=(1, 60)) + rng.normal(0, 0.1, (40, 60))\n"
        "rtdmf_bio.RTDMF().fit(X)\n"
        "logger = logging.getLogger('rtdmf_bio')\n"
        "assert not logger.handlers and logger.level == logging.NOTSET"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unfitted_estimator_says_so(screen):
    with pytest.raises(NotFittedError):
        check_is_fitted(RTDMF())
    check_is_fitted(RTDMF().fit(screen))


@pytest.mark.parametrize("when", ["before the fit", "after the fit"])
def test_a_pickle_comes_back_the_same(fitted, screen, tissues, when):
    """Also to another process, which is how jobs are spread."""
    if when == "before the fit":
        model = pickle.loads(pickle.dumps(RTDMF(random_state=3)))
        assert model.get_params() == RTDMF(random_state=3).get_params()
        return
    model = pickle.loads(pickle.dumps(fitted))
    assert_same_fit(model, fitted)
    assert model.stop_reason_ is fitted.stop_reason_
    np.testing.assert_array_equal(model.enrichment_.pvalue, fitted.enrichment_.pvalue)
    assert model.params_ == fitted.params_


def test_fit_transform_is_fit_then_corrected(fitted, screen, tissues):
    out = RTDMF().fit_transform(screen, groups=tissues)
    np.testing.assert_array_equal(out, fitted.corrected_)


def test_a_second_fit_forgets_the_first(fitted, screen, tissues):
    """An estimator is its parameters; what it saw before must not show."""
    model = RTDMF().fit(screen[::-1, :40] * 3)
    model.fit(screen, groups=tissues)
    assert_same_fit(model, fitted)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_input_is_not_written_to(screen, order, dtype):
    """Whatever its layout, and though it may be shared with torch without a copy."""
    X = np.array(screen, dtype=dtype, order=order)
    before = X.copy()
    model = RTDMF(dtype=dtype, threshold=0.1, impute="low-rank").fit(X)
    np.testing.assert_array_equal(X, before)
    assert not np.shares_memory(model.corrected_, X)
    model.corrected_[:] = 0
    np.testing.assert_array_equal(X, before)


def test_documented_attributes_have_their_shapes(fitted, screen):
    n, p = screen.shape
    for name in ARRAYS:
        assert getattr(fitted, name).shape == (n, p), name
    assert fitted.flag_.dtype == np.int8
    assert np.isfinite(fitted.corrected_).all()
    assert [a.shape for a in fitted.effects_] == [(n,), (p,)]
    assert fitted.scale_.shape == fitted.unexplained_by_drug_.shape == (n,)
    assert 0 <= fitted.unexplained_beyond_ <= 1
    assert set(fitted.validation_rmse_) == {"low_rank", "imputed", "grand_mean", "two_way_means"}


def test_the_factors_and_the_general_part_are_the_fit(fitted):
    """What is reported as W1 ... WL and as effects must multiply and add up to L."""
    drug, line = fitted.effects_
    chain = np.linalg.multi_dot(fitted.factors_)
    rebuilt = drug[:, None] + line + fitted.scale_[:, None] * chain
    atol = 100 * np.finfo(np.float32).eps * np.abs(rebuilt).max()
    np.testing.assert_allclose(rebuilt, fitted.low_rank_, rtol=0, atol=atol)


def test_drugs_and_lines_without_measurement_keep_their_place(screen, tissues):
    """Carried along as NaN, in every output that has a drug or a line for an axis."""
    X = screen.copy()
    X[3], X[:, 7] = np.nan, np.nan
    settings = {"threshold": 0.06, "impute_weight_decay": 1.0}
    model = RTDMF(unmeasured="nan", **settings).fit(X, groups=tissues)
    rest = np.ix_(np.arange(40) != 3, np.arange(50) != 7)
    without = RTDMF(**settings).fit(X[rest], groups=tissues[np.arange(50) != 7])
    for name in ARRAYS:
        full = getattr(model, name)
        np.testing.assert_array_equal(full[rest], getattr(without, name), err_msg=name)
        blank = 0 if name in ("flag_", "weight_") else np.nan
        np.testing.assert_array_equal(full[3], np.full(50, blank), err_msg=name)
        np.testing.assert_array_equal(full[:, 7], np.full(40, blank), err_msg=name)
    drugs = np.delete(np.arange(40), 3)
    assert without.enrichment_.drug.max() > 3
    np.testing.assert_array_equal(model.enrichment_.drug, drugs[without.enrichment_.drug])
    drug, line = model.effects_
    assert (drug.shape, line.shape) == ((40,), (50,))
    assert np.isnan(drug[3])
    assert np.isnan(line[7])
    assert model.scale_.shape == model.unexplained_by_drug_.shape == (40,)


# -- reproducibility --------------------------------------------------------------------------

PAPER = {"preset": "paper", "width": 12, "max_iter": 60, "learning_rate": 0.01, "init_scale": 0.3}


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, PAPER], ids=["default", "paper"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(screen, tissues, settings):
    """Whatever numbers were drawn elsewhere before."""

    def fit(seed):
        return RTDMF(**settings, random_state=seed).fit(screen, groups=tissues)

    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    one = fit(0)
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(2)
    assert_same_fit(fit(0), one)
    assert fit(1).threshold_ != one.threshold_


def test_without_anything_random_the_seed_does_not_matter(screen):
    """The compact chain starts from the data; with the choices given, and no folds, nothing is
    drawn."""
    given = {"threshold": 0.1, "impute_weight_decay": 1.0, "crossfit": 0, "retain": "all"}
    assert_same_fit(*(RTDMF(**given, random_state=seed).fit(screen) for seed in (0, 1)))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_fitting_leaves_the_process_as_it_was(screen, tissues, threads):
    """Global random states, thread count, gradient mode, default dtype and warning filters."""

    def state():
        return (
            random.getstate(), np.random.get_state()[1].tolist(),  # noqa: NPY002
            torch.random.get_rng_state().tolist(), torch.get_num_threads(),
            torch.is_grad_enabled(), torch.get_default_dtype(), list(warnings.filters),
            np.geterr(),
        )  # fmt: skip

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = state()
        RTDMF().fit(screen, groups=tissues)
        RTDMF(**PAPER).fit(screen, groups=tissues)
        with pytest.raises(FloatingPointError):
            RTDMF(learning_rate=1e9).fit(screen)
        assert state() == found
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("settings", [{}, PAPER], ids=["default", "paper"])
def test_single_and_double_precision_agree(screen, tissues, settings):
    """Far closer to each other than to anything that matters in a screen with noise of 0.05."""
    one, two = (
        RTDMF(**settings, dtype=dtype).fit(screen, groups=tissues)
        for dtype in ("float32", "float64")
    )
    for name in ("low_rank_", "completed_"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-3)
    assert one.threshold_ == pytest.approx(two.threshold_, rel=0.01)
    assert (one.flag_ == two.flag_).mean() > 0.998


# -- groups and presets -------------------------------------------------------------------------


@pytest.mark.slow
def test_groups_may_be_a_list_an_array_or_named(screen, tissues):
    """One grouping is one grouping, however it is written down."""
    import pandas as pd

    fitted = RTDMF(threshold=0.06).fit(screen, groups=tissues)  # low enough for some to be flagged
    assert len(fitted.enrichment_) > 0
    for groups in (list(tissues), pd.Series(tissues), pd.Categorical(tissues), {"group": tissues}):
        model = RTDMF(threshold=0.06).fit(screen, groups=groups)
        assert_same_fit(model, fitted)
        np.testing.assert_array_equal(model.enrichment_.group, fitted.enrichment_.group)
        assert set(model.enrichment_.group_key) == {"group"}
    sex = np.tile(["f", "m"], 25)
    both = RTDMF(threshold=0.06).fit(screen, groups={"tissue": tissues, "sex": sex})
    assert set(both.enrichment_.group_key) == {"tissue", "sex"}


@pytest.mark.parametrize("groups", [True, False], ids=["groups", "no groups"])
@pytest.mark.parametrize("preset", PRESETS)
def test_parameters_left_open_come_from_the_preset(screen, tissues, preset, groups):
    """And ``params_`` says what was used."""
    small = {"width": 10, "max_iter": 30, "learning_rate": 0.01} if preset == "paper" else {}
    model = RTDMF(preset, **small).fit(screen, groups=tissues if groups else None)
    expected = {**PRESETS[preset], **small}
    expected["retain"] = expected["retain" if groups else "retain_without_groups"]
    for name in set(expected) - {"retain_without_groups"}:
        assert model.params_[name] == expected[name], name


def test_params_can_be_given_back(fitted, screen, tissues):
    """A record of what was used is one that can be run again as it stands."""
    assert_same_fit(RTDMF(**fitted.params_).fit(screen, groups=tissues), fitted)
