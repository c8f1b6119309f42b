"""Labels of lines and drugs that are tables: matched by name, where there are names."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from rtdmf_bio import RTDMF

# Which drugs are called the same here is drawn by lot.
pytestmark = pytest.mark.filterwarnings("ignore:replicates say that:UserWarning")

N, P = 30, 40
DRUGS = [f"drug {i}" for i in range(N)]
LINES = [f"line {j}" for j in range(P)]
ORDER = np.random.default_rng(5).permutation
# Without a hold-out, a second stage or a robust loss, a fit takes a moment.
QUICK = {"threshold": 0.15, "impute": "low-rank", "loss": "squared"}
TISSUE = np.repeat(["blood", "breast", "colon", "skin"], 10)
SEX = np.tile(["f", "m"], 20)
TWINS = np.repeat([f"compound {k}" for k in range(15)], 2)
HELD_OUT = np.random.default_rng(1).random((N, P)) < 0.15


@pytest.fixture(scope="module")
def table():
    """A screen of named drugs and lines, four of whose drugs act on blood alone. Read-only."""
    rng = np.random.default_rng(0)
    X = 0.5 + 0.1 * rng.normal(size=(N, 2)) @ rng.normal(size=(2, P))
    X += 0.05 * rng.normal(size=X.shape)
    X[:4, :10] -= 0.6
    X[rng.random(X.shape) < 0.1] = np.nan
    X.flags.writeable = False
    return pd.DataFrame(X, DRUGS, LINES)


def shuffled(labels, names):
    """The same labels under the same names, in another order."""
    place = ORDER(len(names))
    return pd.Series(labels, names).iloc[place]


def outcome(model):
    """What a label in the wrong place would change."""
    enriched = () if model.enrichment_ is None else model.enrichment_.qvalue
    return [model.corrected_, model.flag_, model.weight_, enriched]


def assert_same(one, other):
    for a, b in zip(outcome(one), outcome(other), strict=True):
        np.testing.assert_array_equal(a, b)


GROUPS = {
    "series": (TISSUE, shuffled(TISSUE, LINES)),
    "categories": (TISSUE, shuffled(TISSUE, LINES).astype("category")),
    "dict of series": (
        {"tissue": TISSUE, "sex": SEX},
        {"tissue": shuffled(TISSUE, LINES), "sex": shuffled(SEX, LINES)},
    ),
    "series beside a list": (
        {"tissue": TISSUE, "sex": SEX},
        {"tissue": shuffled(TISSUE, LINES), "sex": list(SEX)},
    ),
    "table": (
        {"tissue": TISSUE, "sex": SEX},
        pd.DataFrame({"tissue": TISSUE, "sex": SEX}, LINES).iloc[ORDER(P)],
    ),
}


@pytest.mark.parametrize(("placed", "named"), GROUPS.values(), ids=GROUPS)
def test_groups_are_matched_by_the_names_of_the_lines(table, placed, named):
    """Annotation seldom comes in a screen's order; by position it would name the wrong lines, and
    every enrichment would be lost without a word."""
    expected = RTDMF(**QUICK).fit(table.to_numpy(), groups=placed)
    assert (expected.enrichment_.qvalue < 0.05).sum() >= 2
    model = RTDMF(**QUICK).fit(table, groups=named)
    assert_same(model, expected)
    np.testing.assert_array_equal(model.enrichment_.group, expected.enrichment_.group)


def test_replicates_are_matched_by_the_names_of_the_drugs(table):
    """Rows of another drug disagree by more than noise, so that everything would be kept."""
    wrong, right = (
        RTDMF(**QUICK).fit(table.to_numpy(), replicates=labels)
        for labels in (TWINS[ORDER(N)], TWINS)
    )
    assert not np.array_equal(wrong.reliability_, right.reliability_)
    assert_same(RTDMF(**QUICK).fit(table, replicates=shuffled(TWINS, DRUGS)), right)


@pytest.mark.parametrize("axis", [0, 1, (0, 1)], ids=["drugs", "lines", "both"])
def test_a_hold_out_mask_is_matched_by_both_names(table, axis):
    settings = {**QUICK, "threshold": "auto", "refit": False}
    expected = RTDMF(**settings).fit(table, validation=HELD_OUT)
    mask = pd.DataFrame(HELD_OUT, DRUGS, LINES)
    for k in np.atleast_1d(axis):
        mask = mask.take(ORDER(mask.shape[k]), axis=k)
    assert not np.array_equal(mask.to_numpy(), HELD_OUT)
    model = RTDMF(**settings).fit(table, validation=mask)
    assert_same(model, expected)
    assert model.threshold_ == expected.threshold_


@pytest.mark.parametrize(
    "as_given",
    [list, np.asarray, pd.Categorical, pd.Index],
    ids=["list", "array", "categorical", "index"],
)
def test_what_has_no_names_goes_by_position(table, as_given):
    """An Index holds labels and has no names for them: ``df.columns.map(tissue_of)`` is one."""
    expected = RTDMF(**QUICK).fit(table.to_numpy(), groups=TISSUE, replicates=TWINS)
    model = RTDMF(**QUICK).fit(table, groups=as_given(TISSUE), replicates=as_given(TWINS))
    assert_same(model, expected)


def test_an_array_has_no_names_to_match_so_that_a_series_goes_by_position(table):
    """Whatever its index: there is nothing else to go by."""
    X = table.to_numpy()
    expected = RTDMF(**QUICK).fit(X, groups=TISSUE, replicates=TWINS, validation=HELD_OUT)
    given = {
        "groups": pd.Series(TISSUE, LINES[::-1]),
        "replicates": pd.Series(TWINS, DRUGS[::-1]),
        "validation": pd.DataFrame(HELD_OUT, DRUGS[::-1], LINES[::-1]),
    }
    assert_same(RTDMF(**QUICK).fit(X, **given), expected)


def renamed(labels, names, **changes):
    return pd.Series(labels, [changes.get(name.replace(" ", "_"), name) for name in names])


REFUSED = {
    "stranger": (
        {"groups": renamed(TISSUE, LINES, line_3="HELA")},
        ["groups has names", "1 cell lines of X are not in it: 'line 3'",
         "1 in it are not in X: 'HELA'", "groups.to_numpy()"],
    ),
    "missing": (
        {"groups": pd.Series(TISSUE, LINES)[5:]},
        ["5 cell lines of X are not in it: 'line 0', 'line 1', 'line 2' and 2 more"],
    ),
    "repeated": (
        {"groups": pd.Series([*TISSUE, "skin"], [*LINES, "line 0"])},
        ["1 occur more than once: 'line 0'", "Give it the names of X"],
    ),
    "all at once": (
        {"groups": renamed(TISSUE, LINES, line_3="HELA", line_5="line 4")},
        ["2 cell lines of X are not in it: 'line 3', 'line 5'", "not in X: 'HELA'",
         "1 occur more than once: 'line 4'"],
    ),
    "no names, though X has": (
        {"groups": pd.Series(TISSUE)},
        ["40 cell lines of X are not in it: 'line 0'", "not in X: '0'", "groups.to_numpy()"],
    ),
    "one of several": (
        {"groups": {"sex": SEX, "tissue": renamed(TISSUE, LINES, line_3="HELA")}},
        ["groups['tissue'] has names", "'HELA'", "groups['tissue'].to_numpy()"],
    ),
    "table of groups": (
        {"groups": pd.DataFrame({"tissue": TISSUE})},
        ["groups['tissue'] has names", "'line 0'"],
    ),
    "two columns of one name": (
        {"groups": pd.DataFrame(np.c_[TISSUE, SEX], LINES, ["group", "group"])},
        ["groups['group'] must be one column of labels. Got a table of 2"],
    ),
    "replicates": (
        {"replicates": renamed(TWINS, DRUGS, drug_7="aspirin")},
        ["replicates has names", "1 drugs of X are not in it: 'drug 7'", "'aspirin'",
         "replicates.to_numpy()"],
    ),
    "replicates as a table of two columns": (
        {"replicates": pd.DataFrame({"compound": TWINS, "plate": TWINS}, DRUGS)},
        ["replicates must be one column of labels. Got a table of 2"],
    ),
    "mask, drugs": (
        {"validation": pd.DataFrame(HELD_OUT[1:], DRUGS[1:], LINES)},
        ["validation has names", "1 drugs of X are not in it: 'drug 0'"],
    ),
    "mask, lines": (
        {"validation": pd.DataFrame(HELD_OUT, DRUGS)},
        ["40 cell lines of X are not in it", "validation.to_numpy()"],
    ),
    "mask of one line": (
        {"validation": pd.Series(HELD_OUT[:, 0], DRUGS)},
        ["validation must be a boolean mask of shape (30, 40). Got bool of shape (30,)"],
    ),
    "no name": (
        {"groups": pd.Series(TISSUE, [*LINES[:-2], np.nan, None])},
        ["groups has names of its own", "cell lines lack a name: 2 of groups. Name them",
         "groups.to_numpy()"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED)
def test_names_that_do_not_match_are_refused_and_named(table, given, said):
    """All that is wrong in one message, and how to go by position if that is meant."""
    with pytest.raises(ValueError, match=".*".join(map(re.escape, said))):
        RTDMF(**QUICK).fit(table, **given)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("line 0", ["more than once in X, too: 'line 0'. Make the names of X unique"]),
        (np.nan, ["lack a name: 1 of X and 1 of groups"]),
    ],
    ids=["repeated", "missing"],
)
def test_names_that_are_at_fault_in_x_are_not_asked_for(table, name, said):
    """\"Give it the names of X\" helps nobody whose X has the trouble."""
    names = [*LINES[:-1], name]
    with pytest.raises(ValueError, match=".*".join(map(re.escape, said))) as refused:
        RTDMF(**QUICK).fit(table.set_axis(names, axis=1), groups=pd.Series(TISSUE, names))
    assert "Give it the names" not in str(refused.value)


@pytest.mark.parametrize("named", [True, False], ids=["named", "bare"])
def test_replicates_may_be_a_table_of_one_column(table, named):
    """As ``obs[["compound"]]`` is, and as groups may be."""
    given = shuffled(TWINS, DRUGS) if named else pd.Series(TWINS)
    X = table if named else table.to_numpy()
    expected = RTDMF(**QUICK).fit(table.to_numpy(), replicates=TWINS)
    assert_same(RTDMF(**QUICK).fit(X, replicates=given.to_frame()), expected)


@pytest.mark.parametrize("named", [True, False], ids=["named", "bare"])
def test_a_hold_out_mask_may_be_of_booleans_that_could_be_missing(table, named):
    """pandas makes such of many a comparison; where none is missing, it says what bool says."""
    X = table if named else table.to_numpy()
    mask = pd.DataFrame(HELD_OUT, DRUGS, LINES).astype("boolean")
    settings = {**QUICK, "threshold": "auto", "refit": False}
    model = RTDMF(**settings).fit(X, validation=mask)
    assert_same(model, RTDMF(**settings).fit(X, validation=HELD_OUT))
    mask.iloc[3, 4] = pd.NA
    with pytest.raises(ValueError, match=r"1 are neither, such as <NA>; fill .*fillna\(False\)"):
        RTDMF(**settings).fit(X, validation=mask)
    RTDMF(**settings).fit(X, validation=mask.fillna(False))


def test_a_remedy_that_is_named_works(table):
    model = RTDMF(**QUICK).fit(table, groups=pd.Series(TISSUE).to_numpy())
    assert_same(model, RTDMF(**QUICK).fit(table, groups=TISSUE))


def test_names_of_the_lines_are_kept_as_features_if_all_are_text(table):
    """As scikit-learn has it; a refit to something else must not leave those of before."""
    model = RTDMF(**QUICK).fit(table)
    assert model.n_features_in_ == P
    assert model.feature_names_in_.tolist() == LINES
    assert model.feature_names_in_.dtype == object
    model.fit(table.to_numpy()[:, :20])
    assert model.n_features_in_ == 20
    assert not hasattr(model, "feature_names_in_")
    mixed = table.set_axis([*LINES[:-1], 7], axis=1)
    for X in (table.set_axis(range(P), axis=1), mixed):
        assert not hasattr(RTDMF(**QUICK).fit(X), "feature_names_in_")


@pytest.mark.parametrize("axis", [0, 1], ids=["drug", "cell line"])
def test_an_error_names_drugs_and_lines_of_a_table(table, axis):
    """An index would have to be counted out by hand; names given beside the table go first."""
    empty = np.s_[[3]] if axis == 0 else np.s_[:, [3]]
    X = table.to_numpy(copy=True)
    X[empty] = np.nan
    name = (DRUGS if axis == 0 else LINES)[3]
    X = pd.DataFrame(X, DRUGS, LINES)
    with pytest.raises(ValueError, match=f"without any measurement: '{name}'"):
        RTDMF(**QUICK).fit(X)
    names = {"drug_names": [f"d{i}" for i in range(N)], "line_names": [f"l{j}" for j in range(P)]}
    with pytest.raises(ValueError, match=f"without any measurement: '{'dl'[axis]}3'"):
        RTDMF(**QUICK).fit(X, **names)


WORDS = ["nan", "", " ", "NA", "None", "null", "<NA>", None, np.nan]


def test_words_for_nothing_are_no_group(table):
    """As in a file: else lines that nobody knows the tissue of would be a tissue."""
    named = np.where(np.arange(P) % 10 < 9, TISSUE, None).astype(object)
    written = [
        WORDS[k % len(WORDS)] if label is None else f" {label} " for k, label in enumerate(named)
    ]
    for settings in ({}, {"groups": dict.fromkeys("ab", written)}):
        with pytest.raises(ValueError, match=r"are missing for 4 of 40 cell lines"):
            RTDMF(**QUICK).fit(table, **{"groups": written, **settings})
    fits = [
        RTDMF(**QUICK, group_missing="ignore", retain="enriched").fit(table, groups=groups)
        for groups in (written, list(named))
    ]
    assert set(fits[0].enrichment_.group) == set(TISSUE)
    for name in ("group", "n_tested", "pvalue"):
        one, other = (getattr(fit.enrichment_, name) for fit in fits)
        np.testing.assert_array_equal(one, other)


def test_replicates_go_by_the_same_rule(table):
    """Two drugs without a name are not one drug."""
    written = [["nan", "", "None"][i % 3] if i > 9 else f"compound {i // 2} " for i in range(N)]
    named = [label.strip() if i <= 9 else None for i, label in enumerate(written)]
    settings = {"threshold": 0.15, "impute": "low-rank", "crossfit": 2}
    one, other = (RTDMF(**settings).fit(table, replicates=labels) for labels in (written, named))
    np.testing.assert_array_equal(one.noise_by_drug_, other.noise_by_drug_)
