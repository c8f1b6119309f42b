"""Retention: how much of each residual is kept, by rule and in the corrected matrix."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from rtdmf_bio import RTDMF, Flag
from rtdmf_bio.model.retention import (
    ABRUPT,
    HIGH,
    RETAIN,
    RETAINED,
    flags,
    is_high,
    is_measured,
    is_retained,
    retain,
)

ROOT = Path(__file__).parent.parent

ETA = 0.2
# Zero, below, at and above the threshold on both sides, far beyond, not measured.
RESIDUAL = np.array([[0.0, 0.1, -0.1, ETA, -ETA, 0.5, -0.5, 0.5, -0.5, 9.0, np.nan]])
ENRICHED = np.array([[1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1]], dtype=bool)
JUMP = np.array([[9, 9, 0, ABRUPT, 3.9, 3.9, 4.1, 0, 9, 0, 9.0]])
SIGNIFICANT = np.array([[0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1]], dtype=bool)
KEPT = np.array([[0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.2, 0.3, 0.1, 0.3]])
HIGH_ONES = np.nan_to_num(np.abs(RESIDUAL)) >= ETA
INPUTS = {
    "enriched": ENRICHED,
    "jump": JUMP,
    "significant": SIGNIFICANT,
    "reliability": KEPT,
}


def reference(rule, r, enriched, jump, significant, share):
    """(weight, retained) of one entry, by the table of the module."""
    if np.isnan(r):
        return 0.0, False
    high = abs(r) >= ETA
    if rule == "none":
        return 0.0, False
    if rule == "shrink":
        kept = high and significant
        return share, kept
    if rule == "soft":
        return ((abs(r) - ETA) / abs(r) if high else 0.0), high
    keep = high and {"all": True, "enriched": enriched, "abrupt": jump >= ABRUPT}[rule]
    return float(keep), keep


def by_hand(rules):
    columns = zip(*(a[0] for a in (RESIDUAL, ENRICHED, JUMP, SIGNIFICANT, KEPT)), strict=True)
    each = [[reference(rule, *entry) for rule in rules] for entry in columns]
    weight = [max(w for w, _ in entry) for entry in each]
    retained = [any(k for _, k in entry) for entry in each]
    return np.array([weight]), np.array([retained])


@pytest.mark.parametrize(
    "rules",
    [
        *[(rule,) for rule in RETAIN],
        *itertools.combinations([m for m in RETAIN if m != "none"], 2),
        ("all", "enriched", "abrupt", "soft", "shrink"),
    ],
    ids="+".join,
)
def test_weights_are_those_of_the_table_and_rules_compose(rules):
    """An entry keeps the largest weight that any rule gives it."""
    out = retain(rules, RESIDUAL, HIGH_ONES, ETA, **INPUTS)
    weight, retained = by_hand(rules)
    np.testing.assert_allclose(out.weight, weight, rtol=0, atol=4 * np.finfo(float).eps)
    np.testing.assert_array_equal(out.retained, retained)


def test_flags_say_what_was_done():
    """0 imputed, 1 corrected, 2 high and not retained, 3 high and retained."""
    observed = np.array([[True, True, True, True, False]])
    residual = np.array([[0.1, -ETA, 0.3, 0.1, np.nan]])
    retained = np.array([[False, False, True, True, True]])
    high = observed & (np.nan_to_num(np.abs(residual)) >= ETA)
    out = flags(observed, high, retained)
    assert out.dtype == np.int8
    assert out.tolist() == [[1, 2, 3, 1, 0]]
    np.testing.assert_array_equal(is_measured(out), observed)
    np.testing.assert_array_equal(is_high(out), high)
    np.testing.assert_array_equal(is_retained(out), is_high(out) & retained)


def test_only_high_residuals_are_retained_and_only_measurements_are_high():
    every = list(Flag)
    assert (is_retained(every) <= is_high(every)).all()
    assert (is_high(every) <= is_measured(every)).all()
    assert [flag for flag in Flag if not is_measured(flag)] == [Flag.IMPUTED]


def test_r_has_the_same_flags():
    """Its plot.R draws them."""
    text = (ROOT / "r_bridge/rtdmfbio/R/flags.R").read_text()
    said = dict(re.findall(r"^(\w+) <- (.*)$", text, re.M))
    codes = {
        name.upper(): int(code) for name, code in re.findall(r"(\w+) = (\d)L", said["flag_codes"])
    }
    assert codes == Flag.__members__
    for name, kind in (("high_codes", HIGH), ("retained_codes", RETAINED)):
        assert [Flag[part.upper()] for part in re.findall(r'"(\w+)"', said[name])] == list(kind)


@pytest.mark.parametrize(
    "file, before, each",
    [
        ("rtdmf_bio/model/estimator.py", "flag_ : int8", r" (\d) [a-z]"),
        ("rtdmf_bio/pp/_correct.py", '_flag"]`` : int8', r" (\d) [a-z]"),
        ("r_bridge/rtdmfbio/R/correct.R", "Flags are", r" (\d) [a-z]"),
        ("r_bridge/rtdmfbio/R/result.R", "`rtdmf_flags`: integer matrix", r" (\d) [a-z]"),
        ("README.md", "\n| flag |", r"\n\| (\d) \|"),
    ],
)
def test_every_flag_is_explained(file, before, each):
    said = (ROOT / file).read_text().partition(before)[2]
    end = "\n\n" if file.endswith("md") else "."
    assert [int(code) for code in re.findall(each, said.partition(end)[0])] == list(Flag), file


@pytest.mark.parametrize("rule", ["enriched", "abrupt", "shrink"])
def test_a_rule_without_what_it_needs_is_refused(rule):
    """Passing over it in silence would turn a slip of the caller into plain factorization."""
    with pytest.raises((TypeError, ValueError), match=rule):
        retain((rule,), RESIDUAL, HIGH_ONES, ETA)


@pytest.mark.parametrize(
    "file, begin, end, written",
    [
        ("rtdmf_bio/model/retention.py", "| rule  ", "\n\n", "| {} "),
        ("rtdmf_bio/model/estimator.py", "\n    retain\n", "\n    specific_weight\n", "``{}``"),
        ("rtdmf_bio/pp/_correct.py", "\n    retain\n", "\n    fdr\n", '``"{}"``'),
        ("README.md", "| rule | keeps |", "\n\n", "`{}`"),
    ],
)
def test_every_rule_is_explained(file, begin, end, written):
    """The command's help and R's manual are compared where those of all parameters are."""
    said = (ROOT / file).read_text().partition(begin)[2].partition(end)[0]
    assert [rule for rule in RETAIN if written.format(rule) not in said] == [], file


# -- in the corrected matrix ------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted(screen, tissues):
    """Fits by retention rule and imputation, each done once."""
    done = {}

    def fit(retain, impute="low-rank", threshold=0.06, crossfit=3):
        key = (retain, impute, threshold, crossfit)
        if key not in done:
            model = RTDMF(
                threshold=threshold,
                retain=retain,
                impute=impute,
                impute_weight_decay=1.0,
                crossfit=crossfit,
            )
            done[key] = model.fit(screen, groups=tissues)
        return done[key]

    return fit


def one_rounding(screen):
    return 4 * np.finfo(float).eps * np.nanmax(np.abs(screen))


impute = pytest.mark.parametrize("impute", ["low-rank", "refined"])


@impute
@pytest.mark.parametrize("rule", ["all", "soft"])
def test_measurements_move_by_no_more_than_the_threshold(fitted, screen, rule, impute):
    """The promise of the paper, and of the clamp in its code, whatever fills the gaps."""
    model = fitted(rule, impute)
    assert model.threshold_ == 0.06
    observed = np.isfinite(screen)
    moved = np.abs(model.corrected_ - screen)[observed]
    assert moved.max() <= 0.06 + one_rounding(screen)
    assert moved.max() > 0.05  # the bound is reached, not merely respected
    high = (np.abs(model.residual_) >= 0.06)[observed]
    assert 0.05 < high.mean() < 0.5
    expected = 0.0 if rule == "all" else 0.06
    np.testing.assert_allclose(moved[high], expected, rtol=0, atol=one_rounding(screen))


@impute
def test_none_gives_the_fit_itself(fitted, screen, impute):
    """Plain deep matrix factorization: L where measured, the completion elsewhere."""
    model = fitted("none", impute, crossfit=0)
    observed = np.isfinite(screen)
    np.testing.assert_array_equal(model.corrected_[observed], model.low_rank_[observed])
    np.testing.assert_array_equal(model.corrected_[~observed], model.completed_[~observed])
    assert np.array_equal(model.completed_, model.low_rank_) == (impute == "low-rank")
    assert set(np.unique(model.flag_)) == {0, 1, 2}


@pytest.mark.parametrize(
    "rules", ["all", "abrupt", ("all", "shrink"), ("abrupt", "shrink"), ("enriched", "shrink")]
)
def test_kept_entries_are_the_measurements_to_the_last_bit(fitted, screen, rules):
    """A kept measurement that differs in its last digits is no longer the measurement."""
    model = fitted(rules)
    kept = model.weight_ == 1
    np.testing.assert_array_equal(model.corrected_[kept], screen[kept])
    if "all" in rules:
        assert np.array_equal(kept, model.flag_ == 3)
    assert np.isin(model.flag_[kept], 3).all()
    assert 0 < kept.sum() < np.isfinite(screen).sum() or "enriched" in rules


@pytest.mark.parametrize("rule", RETAIN)
def test_residual_weight_and_flag_belong_together(fitted, screen, rule):
    """The four outputs are one statement about each entry."""
    model = fitted(rule, "refined")
    observed, high = np.isfinite(screen), np.abs(model.residual_) >= model.threshold_
    np.testing.assert_array_equal(np.isfinite(model.residual_), observed)
    assert np.abs((screen - model.low_rank_ - model.residual_)[observed]).max() > 0.01  # unseen
    published = fitted(rule if rule != "shrink" else "all", "refined", crossfit=0)
    np.testing.assert_array_equal(
        published.residual_[observed], (screen - published.low_rank_)[observed]
    )
    np.testing.assert_array_equal(model.flag_ == 0, ~observed)
    np.testing.assert_array_equal(model.flag_ >= 2, high)
    assert (model.weight_[~observed] == 0).all()
    assert ((model.weight_ >= 0) & (model.weight_ <= 1)).all()
    if rule != "shrink":
        expected = screen - model.residual_ + model.weight_ * model.residual_
        np.testing.assert_allclose(
            model.corrected_[observed], expected[observed], rtol=0, atol=one_rounding(screen)
        )


@impute
def test_shrink_keeps_one_share_of_each_drug_up_to_a_limit(fitted, screen, impute):
    """One entry alone cannot say how much of it is noise; a drug can. What is too far out for a
    measurement counts as much as the limit, unless it is more than noise."""
    model = fitted("shrink", impute)
    observed, whole = np.isfinite(screen), model.flag_ == 3
    assert ((model.reliability_ > 0) & (model.reliability_ <= 1)).all()
    share = np.where(observed, model.reliability_[:, None], 0.0)
    assert (model.weight_ <= share + 1e-12).all()
    assert (model.weight_ == share)[observed].mean() > 0.97
    assert (model.weight_ == share)[whole].all()
    expected = model.predicted_ + model.weight_ * model.unseen_
    np.testing.assert_allclose(model.corrected_[observed], expected[observed], rtol=0, atol=1e-12)
    assert np.isnan(fitted("all", impute, crossfit=0).reliability_).all()
