"""What the answer must not depend on: the unit, the order, and additive effects."""

from __future__ import annotations

import numpy as np
import pytest

from rtdmf_bio import RTDMF
from rtdmf_bio.model.holdout import holdout_mask

SCALED = ("corrected_", "low_rank_", "completed_", "residual_", "threshold_", "unexplained_sd_",
          "unexplained_by_drug_", "predicted_")  # fmt: skip
UNSCALED = ("flag_", "weight_", "unexplained_beyond_", "qvalue_", "n_iter_", "weight_decay_",
            "impute_weight_decay_")  # fmt: skip
KINDS = {
    "default": {},
    "squared, all": {"loss": "squared", "retain": "all"},
    "clip, soft": {"loss": "clip", "retain": "soft", "weight_decay": 1.5},
    "hard, abrupt": {"loss": "hard", "retain": "abrupt", "center": "none"},
    "auto decay": {"weight_decay": "auto", "impute": "low-rank"},
    "paper": {
        "preset": "paper", "width": 20, "init_scale": 0.1, "learning_rate": 0.01, "max_iter": 100,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def fitted(screen, tissues):
    """Fits of the screen in its own unit, each done once."""
    done = {}

    def fit(kind, dtype):
        if (kind, dtype) not in done:
            model = RTDMF(**KINDS[kind], dtype=dtype).fit(screen, groups=tissues)
            done[kind, dtype] = model
        return done[kind, dtype]

    return fit


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "power"),
    [
        *[("default", power) for power in (-60, -10, 1, 60)],
        *[(kind, 10) for kind in KINDS if kind != "default"],
    ],
)
def test_a_change_of_unit_by_a_power_of_two_changes_no_bit(fitted, screen, tissues, kind, power):
    """AUC, ln IC50 or nM: the unit carries no information. A factor that the arithmetic holds
    exactly must come out exactly, so that nothing in the code knows an absolute size."""
    c = 2.0**power
    one = fitted(kind, "float32")
    other = RTDMF(**KINDS[kind]).fit(screen * c, groups=tissues)
    for name in SCALED:
        np.testing.assert_array_equal(getattr(other, name), c * getattr(one, name), err_msg=name)
    for name in UNSCALED:
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name), err_msg=name)
    np.testing.assert_array_equal(other.enrichment_.qvalue, one.enrichment_.qvalue)


@pytest.mark.parametrize("c", [0.3, 100.0, 8.0e4])
def test_any_other_change_of_unit_changes_rounding_only(fitted, screen, tissues, c):
    one = fitted("default", "float64")
    other = RTDMF(dtype="float64").fit(c * screen, groups=tissues)
    for name in SCALED:
        expected = c * getattr(one, name)
        # EM stops at a relative change of 1e-6; a rounding can move it by one step.
        np.testing.assert_allclose(
            getattr(other, name), expected, rtol=0, atol=1e-5 * np.nanmax(np.abs(expected))
        )
    assert other.n_iter_ == one.n_iter_
    assert (other.flag_ != one.flag_).mean() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["default", "squared, all", "hard, abrupt"])
def test_the_order_of_drugs_and_lines_does_not_matter(screen, tissues, kind):
    """Given the same entries held out, a sorted screen is the same screen."""
    rng = np.random.default_rng(3)
    rows, cols = rng.permutation(40), rng.permutation(50)
    place = np.ix_(rows, cols)
    held = holdout_mask(np.isfinite(screen), 0.15, rng)
    unfolded = {"crossfit": 0, "retain": "all", "impute": "refined"}  # folds are drawn in order
    fit = {
        name: RTDMF(**{**unfolded, **KINDS[kind]}, dtype="float64").fit(
            X, validation=mask, groups=groups
        )
        for name, X, mask, groups in (
            ("as is", screen, held, tissues),
            ("shuffled", screen[place], held[place], tissues[cols]),
        )
    }
    one, other = fit["as is"], fit["shuffled"]
    assert other.n_iter_ == one.n_iter_
    for name in ("corrected_", "low_rank_", "completed_", "residual_", "weight_"):
        expected = getattr(one, name)[place]
        np.testing.assert_allclose(
            getattr(other, name), expected, rtol=0, atol=1e-5 * np.nanmax(np.abs(expected))
        )
    assert other.threshold_ == pytest.approx(one.threshold_, rel=1e-5)
    assert (other.flag_ != one.flag_[place]).mean() < 1e-3
    np.testing.assert_allclose(
        np.sort(other.enrichment_.qvalue), np.sort(one.enrichment_.qvalue), rtol=0, atol=0.05
    )


EFFECTS = np.linspace(-1, 3, 40)[:, None] + np.linspace(0, 2, 50)


@pytest.mark.parametrize(
    ("before", "after", "atol"),
    [
        pytest.param(0.0, 7.0, 1e-5, id="an offset"),
        # Effects are shrunk by the share of their spread that chance explains. Of drug effects of
        # 1.2 that share is one in thousands; multiplied they are shrunk less, by as little.
        pytest.param(10 * EFFECTS, 20 * EFFECTS, 2e-3, id="effects"),
    ],
)
@pytest.mark.parametrize("loss", ["squared", "mixture", "clip"])
def test_what_every_line_adds_to_a_drug_and_the_reverse_moves_the_general_part_alone(
    screen, loss, before, after, atol
):
    """Two-way centring: potency of a drug and sensitivity of a line leave residuals, flags and
    threshold where they were. A twenty-fifth of the noise of 0.05 is where they were."""
    model = {"loss": loss, "dtype": "float64", "retain": "all", "impute": "low-rank"}
    one, other = (RTDMF(**model).fit(screen + effects) for effects in (before, after))
    shift = after - before
    for name in ("low_rank_", "completed_", "corrected_"):
        expected = getattr(one, name) + shift
        np.testing.assert_allclose(getattr(other, name), expected, rtol=0, atol=atol)
    np.testing.assert_allclose(other.residual_, one.residual_, rtol=0, atol=atol)
    assert other.threshold_ == pytest.approx(one.threshold_, rel=10 * atol)
    assert (other.flag_ != one.flag_).mean() < 1e-3
    effect = [a.effects_[0][:, None] + a.effects_[1] for a in (one, other)]
    np.testing.assert_allclose(effect[1], effect[0] + shift, rtol=0, atol=atol)


def test_an_offset_costs_single_precision_its_digits_and_no_more(screen):
    """ln IC50 or a log dose may lie far from zero; that is rounding, not structure lost."""
    one, other = RTDMF().fit(screen), RTDMF().fit(screen + 100)
    # Half a spacing of float32 at 100, in the data and again in the fit.
    atol = 8 * float(np.spacing(np.float32(100)))
    np.testing.assert_allclose(other.low_rank_, one.low_rank_ + 100, rtol=0, atol=atol)
    assert other.threshold_ == pytest.approx(one.threshold_, rel=1e-3)


def near(screen, offset):
    """Spacing of float64 at the offset, and of float32 at the data's own size, at most."""
    size = np.nanmax(np.abs(screen - np.nanmean(screen)))
    # What was lost before the fit: one rounding; in single precision, one for each of the drugs
    # and lines that a value is a sum over.
    n = sum(screen.shape)
    return np.spacing(abs(offset)) + n * float(np.spacing(np.float32(size)))


@pytest.mark.parametrize(("offset", "threshold"), [(1e6, "auto"), (1e6, 0.1), (-1e6, 0.1)])
def test_an_offset_of_a_million_spreads_changes_no_flag(screen, tissues, offset, threshold):
    """Single precision has a spacing of 0.06 there, more than the noise: it must not see the
    offset at all."""
    settings = {"threshold": threshold, "impute_weight_decay": 1.0}
    screen = screen + 0.3 * (np.random.default_rng(0).random(screen.shape) < 0.02)
    one, other = (RTDMF(**settings).fit(X, groups=tissues) for X in (screen, screen + offset))
    assert (one.flag_ > 1).any()
    np.testing.assert_array_equal(other.flag_, one.flag_)
    atol = near(screen, offset)
    assert atol < 1e-4  # of a noise of 0.05
    for name in ("corrected_", "low_rank_", "completed_"):
        expected = getattr(one, name)
        # Conjugate gradients end within a hundredth of what is left; a rounding can move that.
        near_by = atol if name == "low_rank_" else 60 * atol
        np.testing.assert_allclose(getattr(other, name) - offset, expected, rtol=0, atol=near_by)
    np.testing.assert_allclose(other.residual_, one.residual_, rtol=0, atol=atol)
    np.testing.assert_allclose(other.level_ - offset, one.level_, rtol=0, atol=60 * atol)
    effects = [model.effects_[0][:, None] + model.effects_[1] for model in (one, other)]
    np.testing.assert_allclose(effects[1] - offset, effects[0], rtol=0, atol=atol)
    assert other.threshold_ == pytest.approx(one.threshold_, rel=1e-4)


def test_without_centring_nothing_is_taken_out(screen):
    """The published method sees the data as they are, offset and all."""
    model = RTDMF(center="none", impute="low-rank", threshold=0.15, crossfit=2).fit(screen)
    for effect in model.effects_:
        np.testing.assert_array_equal(effect, 0)
    chain = model.scale_[:, None] * np.linalg.multi_dot(model.factors_)
    atol = 100 * np.finfo(np.float32).eps * np.nanmax(np.abs(screen))
    np.testing.assert_allclose(model.low_rank_, chain, rtol=0, atol=atol)
    assert np.mean(chain) > 0.5 * np.nanmean(screen)


# -- units at the edge of what a float holds -----------------------------------------------------


@pytest.mark.parametrize("c", [2.0**-299, 2.0**299, 1e-90, 1e90])
def test_units_far_beyond_any_measure_change_nothing(fitted, screen, tissues, c):
    """A unit of 1e-90 has a square that a float holds, and a fourth power that it does not."""
    one, other = fitted("default", "float32"), RTDMF().fit(c * screen, groups=tissues)
    exact = np.frexp(c)[0] == 0.5
    for name in (*SCALED, "specific_", "level_", "slope_"):
        expected = getattr(one, name)
        atol = 0 if exact else 1e-5 * np.nanmax(np.abs(expected))  # see the units above
        np.testing.assert_allclose(getattr(other, name) / c, expected, rtol=0, atol=atol)
    np.testing.assert_array_equal(other.flag_, one.flag_)
    np.testing.assert_allclose(other.sensitivity_, one.sensitivity_, rtol=0, atol=1e-5)


@pytest.mark.parametrize("c", [1e-320, 1e-200, 1e-101, 1e102, 1e200])
def test_a_spread_whose_square_is_no_float_is_refused(screen, c):
    """Said once and before anything is computed; not a math domain error, nor a matrix of NaN."""
    with pytest.raises(ValueError, match=r"a spread that cannot be computed with.*another unit"):
        RTDMF().fit(c * screen)


def test_one_value_beyond_all_others_is_refused_with_its_size(screen):
    """Such as a filler for 'not measured': beside it everything else is rounding."""
    X = screen.copy()
    X[0, 0] = 1e200
    with pytest.raises(ValueError, match=r"1 measured entries lie farther .*1e\+200 \(drug 'index"):
        RTDMF().fit(X)
    with pytest.raises(ValueError, match=r"and 1e\+200, a spread .*are no measurements"):
        RTDMF(extreme="keep").fit(X)


def test_turning_the_measure_round_turns_the_answer_round(screen, tissues):
    """Viability or inhibition, c = -1: the same flags, the other side."""
    one = RTDMF(dtype="float64").fit(screen, groups=tissues)
    other = RTDMF(dtype="float64").fit(-screen, groups=tissues)
    for name in ("corrected_", "low_rank_", "residual_"):
        np.testing.assert_allclose(getattr(other, name), -getattr(one, name), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(other.flag_, one.flag_)
    for side in (1, -1):
        np.testing.assert_array_equal(
            other.enrichment_.pvalue[other.enrichment_.side == side],
            one.enrichment_.pvalue[one.enrichment_.side == -side],
        )
