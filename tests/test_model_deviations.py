"""Which residuals are more than noise: scale, null, false discovery rate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rtdmf_bio import RTDMF
from rtdmf_bio.model.deviations import deviations, half_t, levels, spread

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = (80, 150)


def made(seed, *, tails=None, hits=0.0, size=6.0, drugs=0.5, lines=0.3):
    """Residuals of unequal noise, with deviations below; what the noise alone is; the fit."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=SHAPE) if tails is None else rng.standard_t(tails, SHAPE)
    scale = 0.1 * np.exp(drugs * rng.normal(size=(SHAPE[0], 1)) + lines * rng.normal(size=SHAPE[1]))
    level = rng.normal(size=SHAPE)
    scale = scale * np.where(level > 0, 1.5, 0.7)
    hit = rng.random(SHAPE) < hits
    residual = scale * (noise - size * hit)
    residual[rng.random(SHAPE) < 0.1] = np.nan
    fold = np.where(np.isfinite(residual), rng.integers(0, 5, SHAPE), -1).astype(np.int8)
    return residual, hit & np.isfinite(residual), level, fold, scale


def found_in(seed, **kind):
    residual, hit, level, fold, _ = made(seed, **kind)
    called = np.nan_to_num(deviations(residual, level, fold).qvalue, nan=1.0) <= 0.05
    return called, hit


@pytest.mark.parametrize("kind", [
    {"hits": 0.02}, {"hits": 0.05}, {"hits": 0.02, "size": 4.0}, {"hits": 0.02, "tails": 6},
    {"hits": 0.02, "drugs": 0.0, "lines": 0.0},
], ids=["few", "many", "weak", "tails", "equal noise"])  # fmt: skip
def test_of_what_is_called_a_twentieth_is_noise(kind):
    """On average over screens; the trivial answer, three standard deviations of all, is not."""
    rates, power, trivial = [], [], []
    for seed in range(6):
        called, hit = found_in(seed, **kind)
        rates.append((called & ~hit).sum() / max(called.sum(), 1))
        power.append((called & hit).sum() / hit.sum())
        residual = np.nan_to_num(made(seed, **kind)[0])
        plain = residual < -3 * residual.std()
        trivial.append((plain & ~hit).sum() / plain.sum())
    assert np.mean(rates) <= 0.07
    assert np.mean(power) > (0.5 if kind.get("size", 6.0) > 5 and "tails" not in kind else 0.04)
    if "drugs" not in kind:
        assert np.mean(trivial) > 1.5 * np.mean(rates)


@pytest.mark.parametrize("tails", [None, 3, 2])
def test_where_nothing_deviates_next_to_nothing_is_called(tails):
    called = [found_in(seed, tails=tails)[0].sum() for seed in range(6)]
    assert np.mean(called) < 1.5  # of 10,800 entries


def test_the_scale_is_that_of_drug_line_and_level():
    residual, _, level, fold, scale = made(0)
    found = deviations(residual, level, fold)
    assert found.factors == ("drug", "line", "level")
    ratio = np.log(found.scale / scale)[np.isfinite(residual)]
    assert ratio.std() < 0.15
    plain, _, level, fold, _ = made(0, lines=0.0)
    assert "drug" in deviations(plain, level, fold).factors


def test_factors_of_few_entries_are_drawn_to_one():
    size = np.full((20, 40), np.nan)
    size[:, :30] = 1.0
    size[3, :30] = np.nan
    size[3, :2] = 5.0
    here = np.isfinite(size)
    scale = spread(size, levels(np.zeros(size.shape), here), here, ("drug",))
    assert 1.0 < scale[3, 0] < 2.5


@pytest.mark.parametrize("nu", [3.0, 8.0])
def test_the_null_is_found_again(nu):
    size = np.abs(0.3 * np.random.default_rng(0).standard_t(nu, 20_000))
    found, sigma = half_t(size)
    assert found == pytest.approx(nu, rel=0.2)
    assert sigma == pytest.approx(0.3, rel=0.04)
    assert half_t(np.abs(stats.norm.rvs(size=20_000, random_state=1)))[0] > 30


def test_turning_the_measure_round_turns_the_side_round():
    residual, _, level, fold, _ = made(1, hits=0.03)
    one, other = deviations(residual, level, fold), deviations(-residual, level, fold)
    assert one.lighter == -other.lighter == 1
    np.testing.assert_array_equal(one.qvalue, other.qvalue)


def test_a_threshold_by_rate_flags_what_has_the_q_value(screen, tissues):
    spiked = screen - 0.4 * (np.random.default_rng(0).random(screen.shape) < 0.02)
    model = RTDMF(threshold="fdr:0.05", crossfit=3).fit(spiked, groups=tissues)
    called = np.nan_to_num(model.qvalue_, nan=1.0) <= 0.05
    assert called.sum() > 5
    np.testing.assert_array_equal(model.flag_ >= 2, called)
    np.testing.assert_array_equal(model.flag_ == 3, called)  # fdr is 0.05, too
    assert 0.1 < model.threshold_ < 0.5
    assert model.threshold_range_[0] <= model.threshold_range_[1]


@pytest.mark.parametrize("threshold", ["fdr:", "fdr:0", "fdr:1", "fdr:x", "fdr:nan"])
def test_a_rate_that_is_none_is_refused(screen, threshold):
    with pytest.raises(ValueError, match=r"between 0 and 1, such as 'fdr:0.05'. Got"):
        RTDMF(threshold=threshold).fit(screen)
