"""What is refused, and in which words."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import scipy.sparse
from anndata import AnnData

from rtdmf_bio import RTDMF

NAN, INF = np.nan, np.inf
# So few whole numbers, or so many at one end, are what the warning is for.
PILED = pytest.mark.filterwarnings("ignore:.* pile up at shared values:UserWarning")
N, P = 12, 15
# With the choices given no hold-out is needed, and one fit of the small matrix is instant.
QUICK = {"threshold": 0.5, "impute": "low-rank", "max_iter": 1000}


def matrix(dtype=float):
    rng = np.random.default_rng(0)
    return (
        10 * rng.normal(size=(N, 1)) @ rng.normal(size=(1, P)) + rng.normal(size=(N, P))
    ).astype(dtype)


def changed(*entries, dtype=float):
    """The matrix with other values in places: (index, value)."""
    X = matrix(dtype)
    for index, value in entries:
        X[index] = value
    return X


def fit(X, *, groups=None, validation=None, names=False, **settings):
    named = {"drug_names": [f"drug {i}" for i in range(N)],
             "line_names": [f"line {j}" for j in range(P)]} if names else {}  # fmt: skip
    return RTDMF(**{**QUICK, **settings}).fit(X, groups=groups, validation=validation, **named)


EMPTY_ROW = (3, NAN)
EMPTY_COLUMN = (np.s_[:, 7], NAN)
REFUSED = {
    "nothing measured": (np.full((N, P), NAN), ValueError, "None of the 12 x 15 entries"),
    "drug without any": (changed(EMPTY_ROW), ValueError, "1 drug(s) without any measurement: "
                         "'index 3'"),
    "line without any": (changed(EMPTY_COLUMN), ValueError, "1 cell line(s) without any "
                         "measurement: 'index 7'"),
    "both": (changed(EMPTY_ROW, EMPTY_COLUMN), ValueError, "unmeasured='nan'"),
    "constant": (np.full((N, P), 0.7), ValueError, "All measured entries equal 0.7"),
    "constant where measured": (np.where(np.eye(N, P) > 0, NAN, 3.0), ValueError, "equal 3"),
    "infinite": (changed(((0, 0), INF), ((1, 1), -INF), ((2, 2), INF)), ValueError,
                 "3 infinite entries (2 positive, 1 negative)"),
    "sparse": (scipy.sparse.csr_matrix(matrix()), TypeError, "sparse"),
    "sparse array": (scipy.sparse.coo_array(matrix()), TypeError, "NaN for missing"),
    "boolean": (matrix() > 0, TypeError, "boolean"),
    "text": (matrix().astype(str), TypeError, "numeric"),
    "text among objects": (changed(((2, 1), "resistant"), dtype=object), TypeError, "'resistant'"),
    "numeric text among objects": (changed(((2, 1), "0.5"), dtype=object), TypeError, "'0.5'"),
    "bytes among objects": (changed(((2, 1), b"high"), dtype=object), TypeError, "high"),
    "truth among objects": (changed(((2, 1), True), dtype=object), TypeError, "True"),
    "complex": (matrix() + 1j, TypeError, "complex"),
    "complex among objects": (changed(((2, 1), 1j), dtype=object), TypeError, "1j"),
    "dates": (matrix().astype("datetime64[D]"), TypeError, "datetime64"),
    "one dimension": (np.arange(9.0), ValueError, "1 dimension"),
    "three dimensions": (np.zeros((2, 3, 4)), ValueError, "3 dimension"),
    "a number": (3.0, ValueError, "0 dimension"),
    "one drug": (matrix()[:1], ValueError, "1 drug(s) and 15 cell line(s)"),
    "one line": (matrix()[:, :1], ValueError, "at least 2 of each"),
    "no line": (np.zeros((5, 0)), ValueError, "5 drug(s) and 0 cell line(s)"),
}  # fmt: skip


@pytest.mark.parametrize(("X", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_a_matrix_that_cannot_be_used_is_refused_with_what_was_found(X, error, said):
    """In the type that fits, before anything is computed, and before anything is stored."""
    with pytest.raises(error, match=re.escape(said)):
        fit(X)


def test_an_anndata_is_sent_to_where_it_is_taken():
    """What numpy makes of one says nothing of a matrix."""
    with pytest.raises(TypeError, match=r"of type AnnData\. Use rtdmf_bio.pp.correct\(adata\)"):
        fit(AnnData(matrix()))


def test_masked_entries_are_not_measured():
    """What lies under a mask is a filler, 1e20 by default: read as data it would ruin the fit."""
    mask = np.eye(N, P) > 0
    X = np.ma.masked_array(np.where(mask, 1e20, matrix()), mask=mask)
    model = fit(X)
    np.testing.assert_array_equal(model.flag_ == 0, mask)
    np.testing.assert_array_equal(model.corrected_, fit(np.where(mask, NAN, matrix())).corrected_)


@pytest.mark.parametrize("axis", [0, 1])
def test_whoever_was_never_measured_is_named(axis):
    """In a screen of thousands an index is no help; beyond a few, their number is."""
    X = matrix()
    empty = np.s_[2:9] if axis == 0 else np.s_[:, 2:9]
    X[empty] = NAN
    what = "drug" if axis == 0 else "line"
    with pytest.raises(ValueError, match=f"'{what} 2', .*'{what} 6' and 2 more"):
        fit(X, names=True)


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        pytest.param([EMPTY_ROW], (N - 1, P), id="a drug"),
        pytest.param([EMPTY_COLUMN], (N, P - 1), id="a line"),
        pytest.param([EMPTY_ROW, EMPTY_COLUMN], (N - 1, P - 1), id="both"),
    ],
)
def test_whoever_was_never_measured_may_be_carried_along(entries, left):
    """As NaN with flag 0; the others are completed."""
    X = changed(*entries)
    model = fit(X, unmeasured="nan")
    measured = np.isfinite(X)
    assert model.corrected_.shape == (N, P)
    filled = np.isfinite(model.corrected_)
    assert filled.sum() == left[0] * left[1]
    assert filled[measured].all()
    assert (model.flag_[~measured] == 0).all()


def test_too_little_left_after_setting_aside_is_refused():
    X = np.full((N, P), NAN)
    X[0] = np.arange(P)
    with pytest.raises(ValueError, match="Only 1 drug"):
        fit(X, unmeasured="nan")


def test_too_many_missing_is_refused_unless_asked_for():
    rng = np.random.default_rng(0)
    X = np.full((60, 70), NAN)
    rows, cols = np.arange(70) % 60, np.arange(70)
    X[rows, cols] = rng.normal(size=70)
    with pytest.raises(ValueError, match=r"98\.3% of the 60 x 70 .* raise max_missing"):
        fit(X)
    model = fit(X, max_missing=1.0)
    assert np.isfinite(model.corrected_).all()


@PILED
@pytest.mark.parametrize(("policy", "expected"), [("nan", NAN), ("clip", 9.0)])
def test_infinities_are_dropped_or_clipped_on_request(policy, expected):
    """The same result as from the matrix that says so itself, and the count is kept."""
    X = np.clip(matrix(), -9.0, 9.0)
    X[0, 0], X[1, 1] = 9.0, -9.0
    infinite, clean = X.copy(), X.copy()
    infinite[3, 4], infinite[5, 6] = INF, -INF
    clean[3, 4], clean[5, 6] = expected, -expected
    model, same = fit(infinite, infinite=policy), fit(clean)
    np.testing.assert_array_equal(model.corrected_, same.corrected_)
    np.testing.assert_array_equal(model.flag_, same.flag_)
    assert (model.n_infinite_, same.n_infinite_) == (2, 0)
    assert not np.isfinite(infinite[3, 4])


def test_nothing_finite_to_clip_to_is_refused():
    with pytest.raises(ValueError, match="nothing to clip to"):
        fit(np.full((N, P), INF), infinite="clip")


@PILED
@pytest.mark.parametrize(
    "X",
    [
        pytest.param(np.rint(matrix()).astype(int), id="int64"),
        pytest.param(np.rint(matrix()).astype(np.int8), id="int8"),
        pytest.param(np.abs(np.rint(matrix())).astype(np.uint16), id="uint16"),
        pytest.param(np.rint(matrix()).astype(np.float16), id="float16"),
        pytest.param(np.rint(matrix()).astype(object), id="objects"),
        pytest.param(np.rint(matrix()).tolist(), id="lists"),
    ],
)
def test_any_numbers_will_do(X):
    """Counts and half precision are numbers; the answer is that of the same values in float64."""
    same = np.asarray(X, dtype=float)
    np.testing.assert_array_equal(fit(X).corrected_, fit(same).corrected_)


@pytest.mark.parametrize("blank", [None, float("nan"), "pandas"])
def test_blanks_among_objects_are_not_measured(blank):
    """None, NaN and pandas.NA all come out of tables."""
    import pandas as pd

    X = changed(((2, 3), pd.NA if blank == "pandas" else blank), dtype=object)
    assert np.argwhere(fit(X).flag_ == 0).tolist() == [[2, 3]]


# -- degenerate but lawful --------------------------------------------------------------------

ADDITIVE = np.arange(10.0)[:, None] + np.arange(12.0)
DEGENERATE = {
    "additive": ADDITIVE,
    "additive, fractions": ADDITIVE / 7,
    "drug effects alone": np.arange(10.0)[:, None] + np.zeros(12),
    "line effects alone": np.zeros((10, 1)) + np.arange(12.0),
    "rank 1": np.outer(np.arange(1.0, 11), np.arange(12) % 5 - 1.7),
    "additive, some missing": np.where(np.eye(10, 12) > 0, NAN, ADDITIVE),
    "one constant drug": changed((4, 0.5)),
    "one constant line": changed((np.s_[:, 4], 0.5)),
    "most entries alike": changed((np.s_[1:, 1:], 0.5)),
    "one entry apart": np.where(np.arange(N * P).reshape(N, P) == 17, 5.0, 1.0),
    "far from zero": 1e6 + matrix(),
    "huge outlier": changed(((0, 0), 1e12)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("X", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_data_give_a_finite_answer(X, dtype):
    """Nothing to learn beyond means, or hardly anything: no crash, no NaN, no blaming of the
    learning rate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether it settles is another matter
        model = RTDMF(dtype=dtype, extreme="keep").fit(X)
    assert np.isfinite(model.corrected_).all()
    span = np.nanmax(X) - np.nanmin(X)
    assert model.corrected_.min() > np.nanmin(X) - span
    assert model.corrected_.max() < np.nanmax(X) + span


# -- groups and validation --------------------------------------------------------------------

LABELS = np.array(["lung", "skin", "blood"] * (P // 3), dtype=object)
SOME = np.where(np.arange(P) < 2, None, LABELS)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        pytest.param(LABELS[:-1], f"one label per cell line ({P}). Got {P - 1}", id="too short"),
        pytest.param({"tissue": LABELS, "sex": ["f"]}, "'sex'", id="one of two too short"),
        pytest.param("tissue", f"one label per cell line ({P})", id="a name"),
        pytest.param([None] * P, "missing for every cell line", id="all missing"),
        pytest.param([NAN] * P, "missing for every cell line", id="all NaN"),
        pytest.param(SOME, f"missing for 2 of {P} cell lines", id="some missing"),
        pytest.param({"t": np.where(SOME == None, NAN, SOME)}, "'t'", id="some NaN"),  # noqa: E711
        pytest.param("l" * P, "pp.correct takes the name of a column", id="as many letters"),
        pytest.param(b"l" * P, "pp.correct takes the name of a column", id="as many bytes"),
        pytest.param(3, "in a list, an array or a Series", id="a number"),
        pytest.param(set(range(P)), "in a list, an array or a Series", id="without an order"),
        pytest.param(
            dict(zip(range(P), LABELS, strict=True)),
            "{'tissue': labels}. Under 0 it holds 'lung'; if it holds labels by line, pass "
            "pandas.Series(groups)",
            id="a dict of labels",
        ),
        pytest.param({0: None}, "Under 0 it holds None", id="a dict of nothing"),
        pytest.param(
            np.c_[LABELS, LABELS], f"Got shape ({P}, 2); give several groupings", id="two columns"
        ),
    ],
)
def test_groups_must_label_every_line(groups, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        fit(matrix(), groups=groups)


@pytest.mark.parametrize("replicates", [3, "d" * N, b"d" * N, dict.fromkeys(range(N), "a")])
def test_replicates_must_label_every_drug(replicates):
    """Letters of a word, and the keys of a dict, are no labels."""
    with pytest.raises(ValueError, match=r"replicates must be one label per drug, which are 12, i"):
        RTDMF(**QUICK).fit(matrix(), replicates=replicates)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"drug_names": ["a"]}, "drug_names must be a list of 12 names, as X has. Got 1."),
        ({"line_names": "l" * P}, "line_names must be a list of 15 names, as X has. Got 'lll"),
        ({"line_names": 3}, "Got 3."),
    ],
    ids=["too few", "text", "number"],
)
def test_names_for_messages_must_be_as_many_as_there_are_things_to_name(names, said):
    """Else the message that they are for would be another one."""
    for X in (changed(EMPTY_ROW), matrix()):
        with pytest.raises(ValueError, match=re.escape(said)):
            RTDMF(**QUICK).fit(X, **names)


@pytest.mark.parametrize("blank", [None, NAN])
def test_lines_without_a_label_may_be_left_out_of_the_tests(blank):
    """They are corrected all the same, and take no part in the enrichment."""
    groups = [blank if label is None else label for label in SOME]
    model = fit(matrix(), groups=groups, group_missing="ignore", retain="enriched")
    assert np.isfinite(model.corrected_).all()
    assert len(model.enrichment_) > 0
    assert model.enrichment_.n_tested.max() == P - 2
    assert set(model.enrichment_.group) <= set(LABELS)


@pytest.mark.parametrize("groups", [None, {}], ids=["none", "empty"])
def test_enriched_without_groups_is_refused(groups):
    """Asked for by name it cannot be done; as a preset's default it gives way to another rule."""
    with pytest.raises(ValueError, match="retain='enriched' tests groups"):
        fit(matrix(), retain="enriched", groups=groups)
    assert fit(matrix(), groups=groups).params_["retain"] == ("shrink",)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        pytest.param(np.zeros((N, P - 1), bool), "boolean mask of shape", id="wrong shape"),
        pytest.param(np.zeros(N * P, bool), "boolean mask of shape", id="flat"),
        pytest.param(np.zeros((N, P)), "Got float64", id="numbers"),
        pytest.param(np.arange(20), "boolean mask", id="indices"),
        pytest.param(np.zeros((N, P), bool), "Only 0 entries", id="empty"),
        pytest.param(
            np.arange(P) == np.full((N, 1), 4),
            "leaves a drug or a cell line without",
            id="a whole line",
        ),
        pytest.param(np.ones((N, P), bool), "leaves a drug or a cell line", id="everything"),
    ],
)
def test_a_hold_out_mask_must_be_one(mask, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        RTDMF().fit(matrix(), validation=mask)


def test_a_hold_out_mask_that_no_choice_needs_is_held_out_all_the_same():
    """Without refit nothing is trained on it, and what it would have been predicted is told."""
    X, mask = matrix(), np.random.default_rng(0).random((N, P)) < 0.2
    one, other = (
        fit(np.where(mask, value, X), validation=mask, refit=False, center="none", dtype="float64")
        for value in (X, X + np.where(X > 0, 1, -1))
    )
    np.testing.assert_array_equal(other.low_rank_, one.low_rank_)
    expected = np.sqrt(np.mean((X - one.low_rank_)[mask] ** 2))
    assert one.validation_rmse_["low_rank"] == pytest.approx(expected, rel=1e-9)
    assert one.validation_rmse_ != other.validation_rmse_
    refitted = fit(X, validation=mask)
    np.testing.assert_array_equal(refitted.low_rank_, fit(X).low_rank_)


def test_too_few_entries_to_choose_by_are_refused_with_what_to_give():
    """Three entries are no basis for a threshold; given as numbers, a tiny matrix is fine."""
    X = matrix()[:4, :5]
    with pytest.raises(ValueError, match="Give threshold, weight_decay and impute_weight_decay"):
        RTDMF().fit(X)
    model = RTDMF(threshold=1.0, impute_weight_decay=1.0).fit(X)
    assert np.isfinite(model.corrected_).all()


def test_the_missing_value_of_r_is_like_any_other():
    """It is a signalling NaN: numpy.nanmin of (1, NA, 3, 4) is 3."""
    X = changed(*((k, NAN) for k in [(0, 0), (3, 4), (11, 14)]))
    from_r = X.copy()
    from_r.view(np.uint64)[np.isnan(X)] = 0x7FF00000000007A2
    with np.errstate(invalid="raise"):
        ours, plain = fit(from_r), fit(X)
    np.testing.assert_array_equal(ours.corrected_, plain.corrected_, strict=True)
    with pytest.raises(ValueError, match="All measured entries equal 2"):
        fit(np.where(np.isnan(X), from_r, 2.0))
