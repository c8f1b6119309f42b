"""Another threshold on the same fit: what a fit with it would have said, without the fit."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from rtdmf_bio import RTDMF

pytestmark = pytest.mark.usefixtures("one_thread")

THRESHOLD = 0.06  # a little over the noise of 0.05, so that every rule has something to judge
SETTINGS = {
    "mixture": {"impute_weight_decay": 1.0},
    "squared": {"loss": "squared", "retain": ("soft", "enriched"), "impute": "low-rank"},
}
TIED = ("params_", "threshold_", "_basis")  # compared apart, or the cause of the others


@pytest.fixture(scope="module")
def fits(screen, tissues):
    """By loss: a fit with the automatic threshold, and one with the threshold given."""

    def fit(settings, **more):
        model = RTDMF(**settings, **more)
        return model.fit(screen, groups=tissues, validation=held_out(screen))

    return {
        loss: (fit(settings), fit(settings, threshold=THRESHOLD))
        for loss, settings in SETTINGS.items()
    }


def held_out(screen):
    return np.isfinite(screen) & (np.random.default_rng(2).random(screen.shape) < 0.15)


def fitted_attributes(model):
    return {name: value for name, value in vars(model).items() if name.endswith("_")}


def assert_equal(one, other, name):
    """Whatever an attribute is made of, to the last bit."""
    if isinstance(one, (tuple, list)) and not isinstance(one, str):
        assert len(one) == len(other), name
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b, name)
    elif isinstance(one, dict):
        assert list(one) == list(other), name
        for key in one:
            assert_equal(one[key], other[key], f"{name}[{key!r}]")
    elif hasattr(one, "__dataclass_fields__"):
        assert_equal(asdict(one), asdict(other), name)
    else:
        np.testing.assert_array_equal(one, other, err_msg=name, strict=True)


@pytest.mark.parametrize("loss", SETTINGS)
def test_another_threshold_gives_what_a_fit_with_it_gives(fits, loss):
    """Where it does not act on training, everything else stands; also what only the thresholding
    makes: enrichment, reliability, the parts."""
    auto, given = fits[loss]
    other = auto.rethreshold(THRESHOLD)
    assert auto.threshold_ != THRESHOLD
    assert not np.array_equal(auto.flag_, given.flag_)
    ours, expected = fitted_attributes(other), fitted_attributes(given)
    assert set(ours) == set(expected)
    assert {"flag_", "corrected_", "enrichment_", "weight_", "reliability_", "specific_",
            "unexplained_beyond_", "fits_", "pile_ups_"} <= set(ours)  # fmt: skip
    for name in set(ours) - set(TIED):
        assert_equal(ours[name], expected[name], name)
    assert other.threshold_ == given.threshold_ == THRESHOLD
    assert other.params_ == given.params_


@pytest.mark.parametrize("loss", SETTINGS)
def test_the_fit_it_came_from_is_not_changed(fits, loss):
    """One fit, many thresholds: each stands beside the others."""
    auto, _ = fits[loss]
    before = copy.deepcopy(fitted_attributes(auto))
    other = auto.rethreshold(THRESHOLD)
    other.corrected_[:] = 0
    other.flag_[:] = 9
    other.params_["fdr"] = 1.0
    for name, value in fitted_attributes(auto).items():
        assert_equal(value, before[name], name)
    assert auto.get_params()["threshold"] == "auto"
    back = auto.rethreshold(THRESHOLD).rethreshold(auto.threshold_)
    np.testing.assert_array_equal(back.corrected_, auto.corrected_)


def test_its_parameter_is_the_threshold_it_was_judged_by(fits):
    """So that a clone is a model with this threshold, and a print of it says so."""
    model = fits["squared"][0].rethreshold(THRESHOLD)
    assert model.get_params() == fits["squared"][1].get_params()
    assert clone(model).threshold == THRESHOLD
    assert f"threshold={THRESHOLD}" in repr(model)


@pytest.mark.parametrize("threshold", [0.0, 0, np.float64(0.3), 1e6])
def test_any_size_is_a_threshold(fits, threshold):
    auto, _ = fits["squared"]
    model = auto.rethreshold(threshold)
    measured = model.flag_ > 0
    high = np.abs(model.residual_[measured]) >= threshold
    np.testing.assert_array_equal(model.flag_[measured] >= 2, high)
    assert high.all() if threshold == 0 else not high.all()
    assert type(model.threshold_) is float


BAD = {
    "auto": ("auto", TypeError),
    "none": (None, TypeError),
    "truth": (True, TypeError),
    "negative": (-0.1, ValueError),
    "not a number": (float("nan"), ValueError),
    "infinite": (float("inf"), ValueError),
}


@pytest.mark.parametrize(("threshold", "error"), BAD.values(), ids=BAD)
def test_what_is_no_threshold_is_refused(fits, threshold, error):
    """``"auto"`` too: it is what the fit had, or a matter of its hold-out."""
    with pytest.raises(error, match=r"threshold parameter must be a number of at least 0. Got"):
        fits["squared"][0].rethreshold(threshold)


def test_without_a_fit_there_is_nothing_to_judge():
    with pytest.raises(NotFittedError):
        RTDMF().rethreshold(0.1)


def test_a_pickle_can_be_judged_by_another_threshold(fits):
    """In another process or on another day, with all that it takes."""
    auto, given = fits["mixture"]
    model = pickle.loads(pickle.dumps(auto)).rethreshold(THRESHOLD)
    for name in ("corrected_", "flag_", "weight_", "reliability_", "enrichment_"):
        assert_equal(getattr(model, name), getattr(given, name), name)


def test_drugs_and_lines_without_measurement_keep_their_place(screen, tissues):
    X = screen.copy()
    X[3], X[:, 7] = np.nan, np.nan
    settings = {**SETTINGS["squared"], "unmeasured": "nan"}
    one, given = (
        RTDMF(**settings, threshold=threshold).fit(X, groups=tissues) for threshold in (1, 0.06)
    )
    other = one.rethreshold(0.06)
    for name in ("corrected_", "flag_", "residual_", "level_", "sensitivity_", "enrichment_"):
        assert_equal(getattr(other, name), getattr(given, name), name)
