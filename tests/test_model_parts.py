"""General and specific part, and weighing them."""

from __future__ import annotations

import numpy as np
import pytest

from rtdmf_bio import RTDMF
from rtdmf_bio.model.parts import General, general_part


def test_the_general_part_is_found_again():
    rng = np.random.default_rng(3)
    line = rng.normal(size=400)
    line = (line - line.mean()) / line.std()
    truth = General(rng.normal(size=50), rng.uniform(0.2, 2, 50), line)
    noisy = truth.matrix() + 0.3 * rng.normal(size=(50, 400))
    found = general_part(noisy)
    assert found.line.mean() == pytest.approx(0, abs=1e-12)
    assert (found.line**2).mean() == pytest.approx(1)
    assert np.corrcoef(found.line, line)[0, 1] > 0.99
    np.testing.assert_allclose(found.slope, truth.slope, atol=0.08)
    np.testing.assert_allclose(found.level, noisy.mean(1), atol=1e-12)


def test_a_drug_that_does_nothing_says_nothing_about_a_line():
    rng = np.random.default_rng(4)
    line = rng.normal(size=200)
    acting = np.outer(np.ones(5), line)
    quiet = 0.3 * rng.normal(size=(100, 200))
    both = np.vstack([acting, quiet])
    found = general_part(both)
    assert np.corrcoef(found.line, line)[0, 1] > 0.97
    assert np.corrcoef(both.mean(axis=0), line)[0, 1] < 0.9


# -- in the corrected matrix ------------------------------------------------------------------


@pytest.fixture(scope="module")
def fits(screen, tissues):
    return {
        a: RTDMF(specific_weight=a, retain="shrink", dtype="float64").fit(screen, groups=tissues)
        for a in (0.0, 0.5, 1.0)
    }


def test_the_parts_add_up(fits, screen):
    """What is stored apart is the whole: level, slope, sensitivity, specific part, weight."""
    for a, model in fits.items():
        m = model.slope_.mean()
        slope = m + a**2 * (model.slope_ - m)
        whole = model.level_[:, None] + np.outer(slope, model.sensitivity_) + a * model.specific_
        weighed = np.isfinite(screen) & (model.flag_ != 3)
        unweighed = model.level_[:, None] + np.outer(model.slope_, model.sensitivity_)
        unweighed += model.specific_
        np.testing.assert_allclose(model.corrected_[weighed], whole[weighed], atol=1e-12)
        kept, imputed = model.flag_ == 3, model.flag_ == 0
        np.testing.assert_allclose(model.corrected_[kept], unweighed[kept], atol=1e-12)
        np.testing.assert_array_equal(model.corrected_[imputed], model.completed_[imputed])
        assert imputed.any()


def test_weighing_changes_nothing_but_the_corrected_matrix(fits):
    one, half = fits[1.0], fits[0.5]
    for name in ("specific_", "level_", "slope_", "sensitivity_", "flag_", "residual_", "weight_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(half, name))
    assert not np.array_equal(one.corrected_, half.corrected_)


def test_at_zero_every_drug_follows_the_general_sensitivity_alone(fits, screen):
    model = fits[0.0]
    plain = np.isfinite(screen) & (model.flag_ != 3)
    rest = model.corrected_ - model.level_[:, None]
    expected = np.broadcast_to(model.slope_.mean() * model.sensitivity_, rest.shape)
    np.testing.assert_allclose(rest[plain], expected[plain], atol=1e-12)


def test_a_weight_that_means_nothing_is_said(screen):
    with pytest.warns(UserWarning, match=r"specific_weight=0.5 is ignored.*retain='shrink'"):
        RTDMF(specific_weight=0.5, retain="all", threshold=0.1).fit(screen)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_weight_out_of_range_is_refused(screen, value):
    with pytest.raises(ValueError, match="specific_weight parameter must be a number"):
        RTDMF(specific_weight=value).fit(screen)
