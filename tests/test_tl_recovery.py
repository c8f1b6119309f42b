"""Recovery metrics, by hand, against the published figures, and on simulated screens."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import rtdmf_bio as rt
from rtdmf_bio._adata.layers import named_layers
from rtdmf_bio.tl import recovery_scores

THRESHOLD = 0.15
METRICS = ["test_mse", "re", "ibre", "precision", "recall", "auprc", "low_rank_rmse"]


def by_hand():
    """Two drugs x four lines; the last line is held out, its first entry for testing."""
    residual = np.array([[0.5, 0.2, 0.3, 0.9], [-0.4, 0.6, 0.1, 0.7]])
    signal = np.array([[0.5, 0.0, 0.4, 0.9], [-0.4, -0.5, 0.3, 0.0]])
    block = np.array([[True, True, True, True], [False, False, True, True]])
    truth = np.full((2, 4), 1.0)
    heldout = np.zeros((2, 4), bool)
    heldout[:, 3] = True
    test = np.zeros((2, 4), bool)
    test[0, 3] = True
    low_rank = truth + 0.5
    observed = low_rank + residual
    return low_rank, observed, signal, truth, heldout, block, test


def scored(low_rank, observed, signal, truth, heldout, block, threshold, **keywords):
    """``recovery_scores``, with what it takes by name in the order of ``by_hand``."""
    return recovery_scores(
        low_rank, observed, truth_signal=signal, truth_low_rank=truth, heldout=heldout,
        block=block, threshold=threshold, **keywords,
    )  # fmt: skip


def test_scores_agree_with_those_counted_by_hand():
    """Every kind of agreement and disagreement once."""
    low_rank, observed, signal, truth, heldout, block, test = by_hand()
    scores = scored(low_rank, observed, signal, truth, heldout, block, 0.25, test=test)
    # Positive flags: (0,0), (0,2), (1,1); positive signal: (0,0), (0,2), (1,2). Both signs:
    # flags (0,0), (0,2), (1,0), (1,1), the last of the wrong sign; signal (0,0), (0,2), (1,*).
    # Falling |R|: .6 wrong, .5 right, .4 right, .3 right, .2 empty, .1 right.
    expected = {
        "test_mse": 0.9**2,
        "re": 2,
        "ibre": 1,
        "precision": 3 / 4,
        "recall": 3 / 5,
        "auprc": (1 / 2 + 2 / 3 + 3 / 4 + 4 / 6) / 5,
        "low_rank_rmse": 0.5,
    }
    assert list(scores) == METRICS
    assert scores == pytest.approx(expected, rel=1e-12)


def test_a_residual_equal_to_the_threshold_is_flagged():
    """As published: only what is below the threshold is set to zero."""
    D = np.array([[0.25, -0.25], [0.0, 0.0]])
    no = np.zeros((2, 2), bool)
    scores = scored(np.zeros((2, 2)), D, D, np.zeros((2, 2)), no, ~no, 0.25)
    assert (scores["re"], scores["precision"], scores["recall"]) == (0, 1, 1)
    assert np.isnan(scores["test_mse"])


def test_false_alarms_inside_a_block_are_no_part_of_ibre():
    """The published index of a block lists its planted entries only."""
    signal = np.array([[0.0, 0.5], [0.0, 0.0]])
    no, zero = np.zeros((2, 2), bool), np.zeros((2, 2))
    scores = scored(zero, 1 - 2 * signal, signal, zero, no, ~no, 0.4)
    assert (scores["re"], scores["ibre"]) == (4, 1)


def test_average_precision_agrees_with_scikit_learn():
    """With ties, and with hits missed for their sign, which its normalisation leaves out."""
    rng = np.random.default_rng(0)
    signal = np.where(rng.random((30, 40)) < 0.1, rng.choice([-1, 1], (30, 40)), 0)
    residual = np.round(0.5 * signal + 0.5 * rng.normal(size=signal.shape), 1)
    zero, no = np.zeros(signal.shape), np.zeros(signal.shape, bool)
    ours = scored(zero, residual, signal, zero, no, no, 0.1)["auprc"]
    hit = residual * signal > 0
    theirs = average_precision_score(hit.ravel(), np.abs(residual).ravel())
    assert ours == pytest.approx(theirs * hit.sum() / (signal != 0).sum(), rel=1e-12)


def test_nothing_to_average_gives_nan_and_no_warning():
    zero, no = np.zeros((3, 3)), np.zeros((3, 3), bool)
    scores = scored(zero, zero, zero, zero, no, no, 0.1)
    missing = {name for name, value in scores.items() if np.isnan(value)}
    assert missing == {"test_mse", "precision", "recall", "auprc"}
    assert scores["re"] == scores["ibre"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 0}, "threshold must be a positive number. Got 0"),
        ({"block": np.ones((4, 2), bool)}, r"block must have shape \(2, 4\). Got \(4, 2\)"),
        ({"low_rank": np.full((2, 4), np.nan)}, "low_rank is not finite at 6 of 6 training"),
        ({"completed": np.full((2, 4), np.nan)}, "completed is not finite at 1 of 1 test"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_unusable_arrays_are_refused(change, message):
    names = ("low_rank", "observed", "truth_signal", "truth_low_rank", "heldout", "block", "test")
    arguments = dict(zip(names, by_hand(), strict=True))
    with pytest.raises(ValueError, match=message):
        recovery_scores(**{**arguments, "threshold": 0.25, **change})


class Published:
    def __init__(self, path):
        with np.load(path) as z:
            self.observed, self.low_rank = z["observed"], z["low_rank"]
            self.signal = z["signal"]
            self.heldout, self.test = self.mask(z["heldout"]), self.mask(z["test"])
            # The block is given in the order before shuffling.
            self.block = np.zeros(self.observed.shape, bool)
            self.block[np.ix_(z["row_sort"], z["column_sort"])] = self.mask(z["block"])

    def mask(self, flat):
        out = np.zeros(self.observed.size, bool)
        out[flat] = True
        return out.reshape(self.observed.shape)

    def scores(self, estimate):
        return scored(
            estimate,
            self.observed,
            self.signal,
            self.low_rank,
            self.heldout,
            self.block,
            THRESHOLD,
            test=self.test,
        )


@pytest.mark.parametrize(
    ("name", "mean", "truth"),
    [
        ("twoblock_b20", (501, 31, 6.90), (200, 9, 5.90)),
        ("mixed_b20", (478, 64, 7.18), (213, 32, 6.52)),
        ("residual_p0.01", (20, 17, 18.46), (8, 6, 18.38)),
    ],
    ids=["twoblock", "mixed", "residual"],
)
def test_figures_on_the_published_matrices_are_reproduced(name, mean, truth, shared_data):
    """RE, IBRE and test error of the mean of the training entries and of the true low rank."""
    published = Published(shared_data(f"synthetic/{name}.npz"))
    grand = np.full(published.observed.shape, published.observed[~published.heldout].mean())
    for estimate, expected in ((grand, mean), (published.low_rank, truth)):
        scores = published.scores(estimate)
        assert (scores["re"], scores["ibre"]) == expected[:2]
        assert 1e3 * scores["test_mse"] == pytest.approx(expected[2], abs=0.005)


@pytest.fixture(scope="module")
def corrected():
    adata = rt.datasets.simulate(120, 100)
    rt.pp.correct(adata, group_key="group", progress=False)
    return adata


def grand_mean(adata):
    return np.full(adata.shape, adata.X[adata.layers["split"] == 0].mean())


def test_ibre_alone_is_won_by_trivial_answers(corrected):
    """The lower a constant estimate, the better its IBRE and the worse its RE."""
    mean = grand_mean(corrected)
    truth = rt.tl.recovery(corrected, "low_rank", threshold=THRESHOLD)
    flag_all = rt.tl.recovery(corrected, 0 * mean, threshold=THRESHOLD)
    assert flag_all["ibre"] == 0 < truth["ibre"]
    assert flag_all["re"] > 100 * truth["re"]
    assert flag_all["precision"] < 0.15 < 0.9 < truth["precision"]
    ladder = [rt.tl.recovery(corrected, k * mean, threshold=THRESHOLD) for k in (1, 0.8, 0.6, 0)]
    assert [row["ibre"] for row in ladder] == sorted((row["ibre"] for row in ladder), reverse=True)
    assert [row["re"] for row in ladder] == sorted(row["re"] for row in ladder)


def test_a_correction_is_scored_by_its_own_threshold_and_completion(corrected):
    """Flags come from the low rank, the test error from the imputed values."""
    scores = rt.tl.recovery(corrected)
    assert scores.name == "rtdmf"
    assert scores.index.tolist() == METRICS
    test = corrected.layers["split"] == 2
    train = corrected.layers["split"] == 0
    D = sum(corrected.layers[part] for part in ("low_rank", "signal", "noise"))
    R = corrected.layers["rtdmf_residual"]
    expected = np.mean((D - corrected.layers["rtdmf"])[test] ** 2)
    assert scores["test_mse"] == pytest.approx(expected, rel=1e-12)
    error = (D - R - corrected.layers["low_rank"])[~test]
    assert scores["low_rank_rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    # The flags stored by the correction are those that are scored.
    flag = corrected.layers["rtdmf_flag"][train] >= 2
    S = corrected.layers["signal"][train]
    assert scores["precision"] == pytest.approx((R[train] * S > 0)[flag].mean(), abs=2e-3)
    larger = rt.tl.recovery(corrected, threshold=0.25)
    assert larger["recall"] < scores["recall"]
    assert larger["auprc"] == scores["auprc"]


def test_a_correction_beats_the_trivial_answers(corrected):
    """On every metric but IBRE, which is no contest."""
    ours = rt.tl.recovery(corrected, threshold=THRESHOLD)
    trivial = rt.tl.recovery(corrected, grand_mean(corrected), threshold=THRESHOLD)
    truth = rt.tl.recovery(corrected, "low_rank", threshold=THRESHOLD)
    for name in ("test_mse", "re", "low_rank_rmse"):
        assert truth[name] * 0.9 <= ours[name] < 0.5 * trivial[name]
    for name in ("precision", "recall", "auprc"):
        assert trivial[name] < ours[name] <= truth[name] * 1.1


def test_a_correction_of_a_layer_under_another_key_is_found(corrected):
    adata = corrected.copy()
    adata.layers["given"] = adata.X.copy()
    adata.X = np.zeros(adata.shape)
    rt.pp.correct(adata, layer="given", key_added="mine", group_key="group", progress=False)
    expected = rt.tl.recovery(corrected)
    np.testing.assert_array_equal(rt.tl.recovery(adata, "mine"), expected)


def test_scores_survive_h5ad(corrected, tmp_path):
    import anndata as ad

    corrected.write_h5ad(tmp_path / "corrected.h5ad")
    back = rt.tl.recovery(ad.read_h5ad(tmp_path / "corrected.h5ad"))
    np.testing.assert_array_equal(back, rt.tl.recovery(corrected))


def test_the_completion_can_be_given_apart(corrected):
    """A test error of the noise alone: only the true signal and structure give it."""
    perfect = corrected.layers["low_rank"] + corrected.layers["signal"]
    scores = rt.tl.recovery(corrected, "low_rank", completed=perfect, threshold=THRESHOLD)
    noise = corrected.layers["noise"][corrected.layers["split"] == 2]
    assert scores["test_mse"] == pytest.approx(np.mean(noise**2), rel=1e-9)
    assert scores["low_rank_rmse"] == 0
    by_name = rt.tl.recovery(corrected, completed="low_rank")
    structure = rt.tl.recovery(corrected, "low_rank", threshold=THRESHOLD)
    assert by_name["test_mse"] == structure["test_mse"] > scores["test_mse"]
    assert by_name["re"] == rt.tl.recovery(corrected)["re"]


def test_only_the_asked_for_is_computed_and_nothing_written(corrected):
    before = corrected.copy()
    rt.tl.recovery(corrected)
    np.testing.assert_array_equal(before.X, corrected.X)
    assert set(named_layers(before)) == set(named_layers(corrected))
    assert set(before.uns) == set(corrected.uns)


def test_what_cannot_be_scored_is_said(corrected):
    with pytest.raises(ValueError, match=r"no planted truth: layers \['low_rank', 'signal'"):
        rt.tl.recovery(rt.datasets.gdsc1()[:5, :5], "nothing")
    with pytest.raises(ValueError, match="'other' is neither the key of a correction nor a layer"):
        rt.tl.recovery(corrected, "other", threshold=0.1)
    with pytest.raises(ValueError, match="No threshold is known"):
        rt.tl.recovery(corrected, "low_rank")
    with pytest.raises(ValueError, match="low_rank is not finite at"):
        rt.tl.recovery(corrected, corrected.layers["rtdmf_residual"] * np.nan, threshold=0.1)
    with pytest.raises(ValueError, match="completed is not finite at 1800 of 1800 test"):
        rt.tl.recovery(corrected, "low_rank", completed=corrected.X, threshold=0.1)
