"""Stability and threshold path: against pp.correct itself, by hand, and what is drawn."""

from __future__ import annotations

from dataclasses import replace

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import jaccard_score

import rtdmf_bio as rt
from rtdmf_bio.model.holdout import holdout_mask
from rtdmf_bio.pl._stability import stability as draw_stability
from rtdmf_bio.pl._stability import threshold_path as draw_path
from rtdmf_bio.tl._stability import Repeat, agreement, expected_jaccard, stability
from rtdmf_bio.tl._threshold_path import threshold_path

mpl.use("Agg")
import matplotlib.pyplot as plt

# One stage and a coarse end: what is tested here does not depend on how well a fit has settled.
SETTINGS = {"impute": "low-rank", "tol": 0.05, "crossfit": 3}
QUICK = {**SETTINGS, "progress": False}
PAPER = {"preset": "paper", "width": 12, "depth": 3, "max_iter": 30, "learning_rate": 0.03,
         "progress": False}  # fmt: skip

pytestmark = pytest.mark.usefixtures("one_thread")


def make(noise=0.05, shape=(24, 40), missing=0.15):
    """Rank 2, and four drugs to which one of four tissues responds otherwise."""
    rng = np.random.default_rng(0)
    X = 0.6 + 0.08 * rng.normal(size=(shape[0], 2)) @ rng.normal(size=(2, shape[1]))
    tissue = np.repeat(["blood", "colon", "lung", "skin"], shape[1] // 4)
    X[np.ix_(range(4), np.flatnonzero(tissue == "blood"))] -= 0.35
    X += noise * rng.normal(size=shape)
    X[rng.random(shape) < missing] = np.nan
    adata = anndata.AnnData(
        X, var=pd.DataFrame({"tissue": tissue}, index=[f"line{k}" for k in range(shape[1])])
    )
    adata.obs_names = [f"drug{k}" for k in range(shape[0])]
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    return adata


@pytest.fixture(scope="module")
def adata():
    return make()


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def repeat(corrected, flag, **change):
    corrected = np.asarray(corrected, dtype=float)
    one = Repeat(corrected, corrected - 1, corrected**2, np.asarray(flag, np.int8), 0.2, 0.1, {})
    return replace(one, **change)


def same(a, b):
    """Same everything, NaN equal to NaN, bit for bit."""
    for where in ("layers", "obsm", "varm"):
        left, right = getattr(a, where), getattr(b, where)
        assert set(left) == set(right)
        for name in left:
            np.testing.assert_array_equal(np.asarray(left[name]), np.asarray(right[name]))
    pd.testing.assert_frame_equal(a.obs, b.obs)
    pd.testing.assert_frame_equal(a.var, b.var)
    np.testing.assert_array_equal(a.X, b.X)
    return True


def test_equal_repeats_agree_perfectly():
    rng = np.random.default_rng(0)
    one = repeat(rng.normal(size=(6, 8)), rng.integers(0, 4, (6, 8)))
    out = agreement(one, one)
    for name in ("correlation", "specific_correlation", "imputed_correlation"):
        assert out[name] == pytest.approx(1, abs=1e-12)
    assert out["high_jaccard"] == out["retained_jaccard"] == 1
    for name in ("rms_difference", "imputed_rms_difference", "threshold_difference"):
        assert out[name] == 0
    assert out["high_jaccard_chance"] < 1


def test_agreement_by_hand():
    """One drug was measured in neither, one entry in one repeat only, one drug never."""
    a = repeat([[1, 2, 4, 7], [1, 5, 2, 3], [np.nan] * 4], [[3, 2, 1, 1], [0, 0, 0, 1], [0] * 4])
    b = repeat([[1, 3, 4, 6], [2, 7, 3, 9], [np.nan] * 4], [[3, 1, 2, 1], [0, 0, 0, 0], [0] * 4],
               threshold=0.6, unexplained=0.3)  # fmt: skip
    out = agreement(a, b)
    x, y, u, v = [1, 2, 4, 7], [1, 3, 4, 6], [1, 5, 2], [2, 7, 3]
    assert (out["n_measured"], out["n_imputed"]) == (4, 3)
    r = {"": (x, y), "imputed_": (u, v)}
    for prefix, (left, right) in r.items():
        left, right = np.array(left, float), np.array(right, float)
        rms = np.sqrt(np.mean((left - right) ** 2))
        assert out[f"{prefix}correlation"] == pytest.approx(np.corrcoef(left, right)[0, 1])
        assert out[f"{prefix}rms_difference"] == pytest.approx(rms)
        assert out[f"{prefix}rms_difference_unexplained"] == pytest.approx(rms / 0.2)
        trivial = [np.corrcoef(z, z**2)[0, 1] for z in (left, right)]
        assert out[f"{prefix}correlation_two_way"] == pytest.approx(np.mean(trivial))
    assert out["threshold_difference"] == pytest.approx(0.4 / 0.4)
    # High: entries {0, 1} and {0, 2} of 4, retained {0} and {0}.
    assert out["high_jaccard"] == pytest.approx(1 / 3)
    assert out["retained_jaccard"] == 1
    assert out["retained_jaccard_chance"] == pytest.approx(1 / 4)
    # 0, 1 or 2 in common with chances 1/6, 4/6, 1/6.
    assert out["high_jaccard_chance"] == pytest.approx(4 / 6 / 3 + 1 / 6)


def test_nothing_to_compare_gives_nan_and_no_warning():
    none = repeat(np.ones((2, 3)), np.ones((2, 3)), unexplained=0.0)
    out = agreement(none, none)
    missing = {name for name, value in out.items() if np.isnan(value)}
    assert missing >= {"correlation", "imputed_rms_difference", "high_jaccard",
                       "high_jaccard_chance", "rms_difference_unexplained"}  # fmt: skip
    assert (out["n_imputed"], out["rms_difference"]) == (0, 0)


@pytest.mark.parametrize(("n", "a", "b"), [(60, 10, 25), (60, 40, 35), (8, 2, 1), (50, 0, 9)])
def test_chance_overlap_agrees_with_simulation(n, a, b):
    rng = np.random.default_rng(0)
    drawn = [np.argsort(rng.random((20_000, n)), axis=1) < k for k in (a, b)]
    both = (drawn[0] & drawn[1]).sum(1)
    simulated = both / (a + b - both)
    tolerance = 5 * simulated.std() / np.sqrt(len(simulated)) + 1e-12
    assert expected_jaccard(n, a, b) == pytest.approx(simulated.mean(), abs=tolerance)


def test_chance_overlap_where_there_is_no_chance():
    assert expected_jaccard(50, 50, 20) == pytest.approx(0.4)
    assert np.isnan(expected_jaccard(50, 0, 0))


@pytest.mark.slow
def test_repeats_over_holdouts_are_corrections_with_other_seeds(adata):
    """Row by row what a user finds who calls pp.correct with the seeds."""
    seeds = (3, 4, 5)
    table = stability(adata, n_repeats=3, random_state=3, **QUICK)
    assert list(zip(table["repeat_a"], table["repeat_b"], strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert table.attrs == {"over": "hold-outs", "measure": "auc (higher = resistant)"}
    done = [rt.pp.correct(adata, random_state=s, copy=True, **QUICK) for s in seeds]
    measured = np.isfinite(adata.X)
    means = rt.baselines.two_way_means(adata.X)
    for row in table.itertuples():
        a, b = done[row.repeat_a], done[row.repeat_b]
        x, y = a.layers["rtdmf"], b.layers["rtdmf"]
        rms = np.sqrt(np.mean((x - y)[measured] ** 2))
        noise = (a.uns["rtdmf"]["unexplained_sd"] + b.uns["rtdmf"]["unexplained_sd"]) / 2
        assert row.n_measured == measured.sum()
        assert row.correlation == pytest.approx(np.corrcoef(x[measured], y[measured])[0, 1])
        trivial = [np.corrcoef(z[measured], means[measured])[0, 1] for z in (x, y)]
        assert row.correlation_two_way == pytest.approx(np.mean(trivial))
        assert row.rms_difference == pytest.approx(rms)
        assert row.rms_difference_unexplained == pytest.approx(rms / noise)
        f, g = a.layers["rtdmf_flag"][measured], b.layers["rtdmf_flag"][measured]
        assert row.high_jaccard == pytest.approx(jaccard_score(f >= 2, g >= 2))
        assert row.retained_jaccard == pytest.approx(jaccard_score(f == 3, g == 3))
        thresholds = [d.uns["rtdmf"]["threshold"] for d in (a, b)]
        expected = abs(np.diff(thresholds)[0]) / np.mean(thresholds)
        assert row.threshold_difference == pytest.approx(expected)
    assert (table["threshold_difference"] > 0).all()
    assert (table["retained_jaccard"] > 10 * table["retained_jaccard_chance"]).all()
    assert "hidden_rmse" not in table


def test_repeats_over_entries_are_corrections_without_them(adata):
    """Hidden entries are compared with their measurements, and seen by no fit."""
    keywords = {"left_out": 0.2, "n_repeats": 2, "random_state": 1}
    table = stability(adata, over="entries", **keywords, **QUICK)
    observed = np.isfinite(adata.X)
    errors, seen = [], []
    for k in range(2):
        hidden = holdout_mask(observed, 0.2, np.random.default_rng([1, k]))
        assert hidden.sum() == round(0.2 * observed.sum())
        less = adata.copy()
        less.X[hidden] = np.nan
        rt.pp.correct(less, random_state=1, **QUICK)
        truth = adata.X[hidden]
        answers = (less.layers["rtdmf"][hidden], rt.baselines.two_way_means(less.X)[hidden],
                   np.nanmean(less.X))  # fmt: skip
        errors.append([np.sqrt(np.mean((answer - truth) ** 2)) for answer in answers])
        seen.append(observed & ~hidden)
    names = ["hidden_rmse", "hidden_rmse_two_way", "hidden_rmse_grand"]
    np.testing.assert_allclose(table.loc[0, names].astype(float), np.mean(errors, 0), rtol=1e-9)
    assert table["n_measured"][0] == (seen[0] & seen[1]).sum()
    assert table["n_imputed"][0] == (~seen[0] & ~seen[1]).sum()
    assert table["hidden_rmse"][0] < table["hidden_rmse_two_way"][0]


def test_a_noisy_screen_is_less_stable_than_a_clean_one():
    """But for differences of imputed values, which noise also draws together, to the means."""
    clean, noisy = (
        stability(make(noise), over="entries", n_repeats=2, **{**QUICK, "crossfit": 5}).iloc[0]
        for noise in (0.03, 0.15)
    )
    assert 1 - noisy["correlation"] > 3 * (1 - clean["correlation"])
    for name in ("specific_correlation", "imputed_correlation"):
        assert noisy[name] < clean[name] - 0.01, name
    for name in ("rms_difference", "hidden_rmse"):
        assert noisy[name] > 1.5 * clean[name], name


def test_over_starts_only_the_start_changes(adata):
    """Same hold-out, so that the trivial answers do not move."""
    table = stability(adata, over="starts", n_repeats=2, **PAPER)
    assert table["rms_difference"][0] > 0
    observed = np.isfinite(adata.X)
    held_out = holdout_mask(observed, 0.15, np.random.default_rng(0))
    settings = {**PAPER, "progress": False}
    groups = {"tissue": list(adata.var["tissue"])}
    x, y = (
        rt.RTDMF(**settings, random_state=seed)
        .fit(adata.X, groups=groups, validation=held_out)
        .corrected_
        for seed in (0, 1)
    )
    rms = np.sqrt(np.mean((x - y)[observed] ** 2))
    assert table["rms_difference"][0] == pytest.approx(rms)
    # Over hold-outs it is the other way round: the start stays.
    other = holdout_mask(observed, 0.15, np.random.default_rng(1))
    z = rt.RTDMF(**settings).fit(adata.X, groups=groups, validation=other).corrected_
    table = stability(adata, n_repeats=2, **PAPER)
    rms = np.sqrt(np.mean((x - z)[observed] ** 2))
    assert table["rms_difference"][0] == pytest.approx(rms)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"n_repeats": 1}, "n_repeats parameter must be an integer of at least 2. Got 1"),
        ({"over": "seeds"}, r"over parameter must be one of \['hold-outs', 'entries', 'starts'\]"),
        ({"over": "entries", "left_out": 0.0}, "left_out parameter must be a number"),
        ({"over": "starts"}, "width='auto' with init='spectral' has no random start.*'paper'"),
        ({"over": "starts", "width": 8}, "width=8 with init='spectral' has no random start"),
        (
            {"threshold": 0.2, "weight_decay": 1.0, "impute_weight_decay": 1.0},
            "Nothing is chosen on a hold-out.*over='entries'",
        ),
        ({"group_key": "organ"}, "adata.var has no column 'organ'"),
        ({"depth": 1}, "depth parameter must be an integer of at least 2"),
        ({"layer": "raw"}, "adata.layers has no 'raw'"),
    ],
    ids=lambda case: ",".join(case) if isinstance(case, dict) else "",
)
def test_what_stability_cannot_use_is_refused(adata, keywords, message):
    with pytest.raises(ValueError, match=message):
        stability(adata, progress=False, **keywords)


@pytest.mark.parametrize("function", [stability, threshold_path])
def test_unknown_parameters_are_refused(adata, function):
    name = function.__name__
    with pytest.raises(TypeError, match=rf"{name}\(\) got unknown parameter\(s\) \['widht'\]"):
        function(adata, widht=3, progress=False)


@pytest.mark.parametrize("function", [stability, threshold_path])
def test_adata_is_not_changed(function):
    """Also where a layer is corrected, and where a drug was never measured."""
    adata = make()
    adata.X[5] = np.nan
    adata.layers["given"] = adata.X.astype(np.float32)
    adata.X = np.zeros(adata.shape)
    before = adata.copy()
    few = {"n_repeats": 2} if function is stability else {"thresholds": [0.2]}
    table = function(adata, layer="given", unmeasured="nan", group_key=None, **few, **QUICK)
    assert same(adata, before)
    assert set(adata.uns) == set(before.uns)
    assert len(table) == (1 if function is stability else 2)
    assert table.attrs["measure"] == "auc (higher = resistant)"


class Collect:
    """A score that keeps what it was given."""

    def __init__(self):
        self.seen = []

    def __call__(self, adata):
        self.seen.append(adata)
        return np.float32(adata.layers["rtdmf"].mean())


def test_the_automatic_row_is_the_correction_itself(adata):
    """And the others are those with that threshold, to the last bit."""
    score = Collect()
    table = threshold_path(adata, [0.3, 0.1, 0.3], score=score, random_state=2, **QUICK)
    assert table["threshold"].is_monotonic_increasing
    assert len(table) == 3
    assert table["auto"].sum() == 1
    auto = rt.pp.correct(adata, random_state=2, copy=True, **QUICK)
    first, measured, trivial, *others = score.seen
    assert same(first, auto)
    for name in (
        *("threshold_how", "threshold_range", "unexplained_sd", "unexplained_beyond", "noise"),
        *("prediction", "weight_decay", "n_iter"),
    ):
        assert first.uns["rtdmf"][name] == auto.uns["rtdmf"][name]
    row = table[table["auto"]].iloc[0]
    found = auto.uns["rtdmf"]
    assert row["threshold"] == found["threshold"]
    assert row["threshold_unexplained"] == found["threshold"] / found["unexplained_sd"]
    rmse = found["validation_rmse"]
    names = ["rmse_low_rank", "rmse_two_way", "rmse_grand"]
    assert list(row[names]) == [rmse[k] for k in ("low_rank", "two_way_means", "grand_mean")]
    held_out = holdout_mask(np.isfinite(adata.X), 0.15, np.random.default_rng(2))
    for threshold, ours in zip((0.3, 0.1), others, strict=True):
        # By itself it would hold nothing out, and estimate the noise from the fitted entries.
        theirs = rt.RTDMF(**{**SETTINGS, "threshold": threshold, "random_state": 2}).fit(
            adata.X, groups={"tissue": list(adata.var["tissue"])}, validation=held_out
        )
        np.testing.assert_array_equal(ours.layers["rtdmf"], theirs.corrected_)
        np.testing.assert_array_equal(ours.layers["rtdmf_flag"], theirs.flag_)
        assert ours.uns["rtdmf"]["threshold"] == threshold
        assert ours.uns["rtdmf"]["threshold_how"] == "given"
        row = table[table["threshold"] == threshold].iloc[0]
        flag = theirs.flag_
        assert row["share_high"] == (flag >= 2).sum() / (flag > 0).sum()
        assert row["share_retained"] == (flag == 3).sum() / (flag > 0).sum()
        assert row["unexplained_beyond"] == theirs.unexplained_beyond_
        assert row["n_enriched"] == (theirs.enrichment_.qvalue <= 0.05).sum()
        assert row["score"] == pytest.approx(float(ours.layers["rtdmf"].mean()), rel=1e-6)
    assert table["n_enriched"].max() > 0
    means = rt.baselines.two_way_means(adata.X)
    filled = np.where(np.isfinite(adata.X), adata.X, means)
    np.testing.assert_array_equal(measured.layers["rtdmf"], filled)
    np.testing.assert_array_equal(trivial.layers["rtdmf"], means)
    np.testing.assert_array_equal(measured.layers["rtdmf_specific"], filled - means)
    assert not trivial.layers["rtdmf_specific"].any()
    assert table["score_measured"].unique() == pytest.approx([filled.mean()], rel=1e-6)
    assert table["score_trivial"].unique() == pytest.approx([means.mean()], rel=1e-6)


def test_with_a_second_stage_every_row_is_a_correction_by_the_same_seed(adata):
    """Its decay is left to the hold-out, which pp.correct then draws too."""
    score = Collect()
    threshold_path(adata, [0.15], score=score, tol=0.05, progress=False)
    theirs = rt.pp.correct(adata, threshold=0.15, tol=0.05, copy=True, progress=False)
    assert same(score.seen[-1], theirs)


def test_the_grid_surrounds_the_automatic_threshold(adata):
    table = threshold_path(adata, **QUICK)
    auto = table.loc[table["auto"], "threshold_unexplained"].item()
    steps = table["threshold_unexplained"] - auto
    expected = [k for k in (-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3) if auto + k > 0]
    np.testing.assert_allclose(steps, expected, atol=1e-9)
    for name in ("share_high", "unexplained_beyond"):
        assert table[name].is_monotonic_decreasing
    assert table["share_high"].iloc[0] > 2 * table["share_high"].iloc[-1]
    assert (table["share_retained"] <= table["share_high"]).all()
    assert table["rmse_low_rank"].nunique() == 1  # the threshold does not train
    assert (table["rmse_low_rank"] < table["rmse_two_way"]).all()
    # One pass more adds the automatic threshold but once.
    again = threshold_path(adata, table["threshold"], **QUICK)
    pd.testing.assert_frame_equal(again, table)


def test_where_the_threshold_trains_each_is_fitted_on_the_same_holdout(adata):
    table = threshold_path(adata, [0.05, 0.4], loss="clip", group_key=None, **QUICK)
    assert table["rmse_low_rank"].nunique() == 3
    assert table["rmse_grand"].nunique() == table["rmse_two_way"].nunique() == 1
    assert table["n_enriched"].isna().all()
    held_out = holdout_mask(np.isfinite(adata.X), 0.15, np.random.default_rng(0))
    fitted = rt.RTDMF(threshold=0.4, loss="clip", **SETTINGS).fit(adata.X, validation=held_out)
    row = table[table["threshold"] == 0.4].iloc[0]
    assert row["rmse_low_rank"] == fitted.validation_rmse_["low_rank"]


def test_decays_are_chosen_once(adata, monkeypatch):
    """Each further threshold takes the numbers that the first correction found."""
    used, fit = [], rt.RTDMF.fit

    def watched(self, *arguments, **keywords):
        used.append((self.weight_decay, self.impute_weight_decay))
        return fit(self, *arguments, **keywords)

    monkeypatch.setattr(rt.RTDMF, "fit", watched)
    threshold_path(adata, [0.2], loss="clip", tol=0.05, weight_decay="auto", progress=False)
    assert used[0] == ("auto", None)
    assert len(used) == 2
    assert all(isinstance(value, float) for value in used[1])
    # Where the threshold does not train, nothing is fitted again.
    used.clear()
    threshold_path(adata, [0.2, 0.3], **QUICK)
    assert len(used) == 1


def test_a_biomarker_can_be_the_score():
    """Of drug mean + line mean the specific part is zero everywhere, which is no error."""
    adata = make()
    adata.var["mutated"] = np.arange(adata.n_vars) % 3 == 0

    def auroc(corrected):
        table = rt.tl.biomarker(corrected, corrected.obs_names[0], "mutated")
        trivial = ["two-way means", "two-way residual"]
        assert list(table["source"]) == ["measured", "corrected", "specific", *trivial]
        return float(table.set_index("source").loc["corrected", "auroc"])

    table = threshold_path(adata, [0.2], score=auroc, **QUICK)
    assert table[["score", "score_measured", "score_trivial"]].notna().all(axis=None)


def test_an_error_of_the_score_is_passed_on_and_nothing_changed():
    adata = make()
    before = adata.copy()

    def fails(corrected):
        corrected.X[:] = 0
        corrected.obs["mine"] = 1
        raise RuntimeError("no such screen")

    with pytest.raises(RuntimeError, match="no such screen") as caught:
        threshold_path(adata, [0.2], score=fails, **QUICK)
    assert "Raised by score, called with the" in caught.value.__notes__[0]
    assert same(adata, before)


@pytest.mark.parametrize("answer", [None, "0.5", True, [0.5]], ids=str)
def test_a_score_must_be_a_number(adata, answer):
    with pytest.raises(TypeError, match="score must return a number"):
        threshold_path(adata, [0.2], score=lambda _: answer, **QUICK)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"thresholds": []}, ValueError, "thresholds is empty"),
        ({"thresholds": 0.2}, TypeError, "thresholds must be a sequence of numbers.* Got 0.2"),
        ({"thresholds": "auto"}, TypeError, "thresholds must be a sequence of numbers"),
        ({"thresholds": [0.1, "auto"]}, TypeError, r"thresholds\[1\].*number.*Got 'auto'"),
        ({"thresholds": [-0.1]}, ValueError, r"thresholds\[0\].*at least 0. Got -0.1"),
        ({"thresholds": [np.nan]}, ValueError, "at least 0. Got nan"),
        ({"thresholds": [np.inf]}, ValueError, "at least 0. Got inf"),
        ({"thresholds": [0], "loss": "clip"}, ValueError, "must be greater than 0"),
        ({"threshold": 0.2}, TypeError, "pass thresholds="),
        ({"score": 3}, TypeError, "score must be a function.*Got 3"),
    ],
    ids=str,
)
def test_what_the_path_cannot_use_is_refused(adata, keywords, error, message):
    with pytest.raises(error, match=message):
        threshold_path(adata, progress=False, **keywords)


def drawn(table):
    ax = draw_stability(table)
    ax.figure.canvas.draw()
    names = [t.get_text() for t in ax.get_yticklabels()]
    place = dict(zip(names, ax.get_yticks(), strict=True))
    marks = [np.asarray(c.get_offsets()) for c in ax.collections]

    def at(label):
        y = place[label]
        return [m[:, 0] for m in marks if len(m) and abs(m[:, 1].mean() - y) < 0.1]

    return ax, at


def made_table(n=3, **columns):
    """What stability returns, with figures to order."""
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    one = agreement(repeat([[1, 2], [3, 5]], [[3, 2], [1, 0]]),
                    repeat([[1, 2], [3, 4]], [[3, 1], [1, 0]]))  # fmt: skip
    rows = [{"repeat_a": a, "repeat_b": b, **one} for a, b in pairs]
    table = pd.DataFrame(rows).assign(**columns)
    table.attrs["over"] = "entries"
    return table


def test_every_pair_is_drawn_beside_the_trivial_answer():
    table = made_table(
        high_jaccard=[0.5, 0.7, 0.6], high_jaccard_chance=[0.1, 0.2, 0.3],
        rms_difference_unexplained=[0.2, 0.3, 1.4], hidden_rmse=[1.0, 2.0, 3.0],
        hidden_rmse_two_way=[3.0, 3.0, 3.0], hidden_rmse_grand=[4.0, 4.0, 4.0],
    )  # fmt: skip
    ax, at = drawn(table)
    assert [list(x) for x in at("high residuals, Jaccard")] == [[0.5, 0.7, 0.6], [0.2]]
    assert [list(x) for x in at("corrected values, RMS difference / unexplained sd")] == [
        [0.2, 0.3, 1.4]
    ]
    hidden = at("hidden entries, RMSE / that of the grand mean")
    assert [list(x) for x in hidden] == [[0.25, 0.5, 0.75], [0.75]]
    assert "imputed values, correlation: none" in [t.get_text() for t in ax.get_yticklabels()]
    medians = [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]
    assert {0.6, 0.3, 0.5} <= set(medians)
    assert ax.get_title() == "3 corrections, other entries hidden"
    assert ax.get_xlim()[1] > 1.4


def test_axes_given_are_used(adata):
    figure, ax = plt.subplots()
    assert draw_stability(made_table(2), ax=ax) is ax
    table = threshold_path(adata, [0.2], **QUICK)
    figure, axes = plt.subplots(1, 3)
    assert draw_path(table, axes=list(axes)) is figure
    with pytest.raises(
        ValueError, match=r"one for each of \['held-out RMSE, auc', 'share', .*Got 2"
    ):
        draw_path(table, axes=list(axes[:2]))


def test_the_path_is_drawn_with_its_controls(adata):
    def concordance(corrected):
        return float(corrected.layers["rtdmf_flag"].mean())

    table = threshold_path(adata, [0.1, 0.2], score=concordance, **QUICK)
    figure = draw_path(table)
    figure.canvas.draw()
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert labels == ["held-out RMSE, auc", "share", "enriched drug - group pairs", "concordance"]
    columns = {
        "imputed": "rmse_imputed", "broad structure": "rmse_low_rank", "grand mean": "rmse_grand",
        "high, of measured entries": "share_high", "corrected": "score",
        "measured": "score_measured",
    }  # fmt: skip
    lines = {line.get_label(): line for ax in figure.axes for line in ax.lines}
    for label, column in columns.items():
        np.testing.assert_array_equal(lines[label].get_ydata(), table[column])
    for ax in figure.axes:
        assert ax.get_xlabel() == "threshold, auc (higher = resistant)"
        dashed = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
        assert dashed == list(table.loc[table["auto"], "threshold"])
    errors, scores = figure.axes[0], figure.axes[3]
    dotted = [line for ax in (errors, scores) for line in ax.lines if line.get_linestyle() == ":"]
    drawn = [list(line.get_ydata()) for line in dotted]
    trivial = ["rmse_two_way", "rmse_grand", "score_trivial"]
    assert drawn == [list(table[name]) for name in trivial]
    assert len(draw_path(table.drop(columns="score").assign(n_enriched=np.nan)).axes) == 2


@pytest.mark.parametrize("function", [draw_stability, draw_path])
@pytest.mark.parametrize("table", [None, pd.DataFrame(), pd.DataFrame({"threshold": [1]})],
                         ids=["none", "empty", "other"])  # fmt: skip
def test_other_tables_are_refused(function, table):
    with pytest.raises(ValueError, match=rf"what rtdmf_bio\.tl\.{function.__name__} returns"):
        function(table)
