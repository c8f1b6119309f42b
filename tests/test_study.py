"""The simulation study in small: the default finds what was planted, and beats its rivals.

Results are compared with trivial answers and rivals on the same screen, and the true low rank shows
what there is to reach. The full study is benchmarks/simulation.py.
"""

from __future__ import annotations

import numpy as np
import pytest

import rtdmf_bio as rt
from rtdmf_bio import baselines
from rtdmf_bio.tl import recovery_scores

pytestmark = pytest.mark.usefixtures("one_thread")

THRESHOLD = 0.15


@pytest.fixture(scope="module", params=["two_block", "mixed", "residual"])
def simulated(request):
    """A simulated screen and the scores of every answer; no method has seen a test entry."""
    adata = rt.datasets.simulate(200, 120, signal=request.param, random_state=3)
    split = adata.layers["split"]
    model = rt.RTDMF(refit=False).fit(adata.X, validation=split == 1)
    seen = np.where(split == 0, adata.X, np.nan)
    soft = min(
        (baselines.soft_impute(seen, **params) for params in baselines.soft_impute.grid(seen)[::4]),
        key=lambda fit: np.mean((fit - adata.X)[split == 1] ** 2),
    )
    answers = {
        "grand mean": baselines.grand_mean(seen),
        "two-way means": baselines.two_way_means(seen),
        "soft-impute": soft,
    }
    scores = {
        name: rt.tl.recovery(adata, answer, threshold=THRESHOLD) for name, answer in answers.items()
    }
    scores["truth"] = rt.tl.recovery(adata, adata.layers["low_rank"], threshold=THRESHOLD)
    completed = model.completed_
    scores["default"] = rt.tl.recovery(
        adata, model.low_rank_, completed=completed, threshold=THRESHOLD
    )
    return adata, model, scores


@pytest.mark.slow
def test_default_beats_trivial_answers_and_soft_impute(simulated):
    """In every metric but IBRE, which the grand mean can win by flagging nearly all."""
    _, _, scores = simulated
    ours = scores["default"]
    for name in ("grand mean", "two-way means", "soft-impute"):
        other = scores[name]
        assert ours["re"] < 0.7 * other["re"], name
        assert ours["test_mse"] < 0.97 * other["test_mse"], name
        assert ours["low_rank_rmse"] < 0.8 * other["low_rank_rmse"], name
        assert ours["auprc"] > other["auprc"], name
    assert ours["auprc"] > 0.9
    assert ours["test_mse"] < 1.4 * scores["truth"]["test_mse"]


@pytest.mark.slow
def test_own_threshold_lies_between_noise_and_signal(simulated):
    """Planted signal is 0.2 and more, the noise 0.05: flags from either side would be wrong."""
    adata, model, _ = simulated
    assert 0.12 < model.threshold_ < 0.25
    own = rt.tl.recovery(adata, model.low_rank_, threshold=model.threshold_)
    assert own["precision"] > 0.85
    assert own["recall"] > 0.7


@pytest.mark.parametrize(
    ("name", "re", "ibre", "test_mse"),
    [
        pytest.param("twoblock_b20", 290, 12, 6.20e-3, id="two-block"),
        pytest.param("mixed_b20", 310, 50, 6.65e-3, id="mixed"),
        pytest.param("residual_p0.01", 16, 7, 17.5e-3, id="residual"),
    ],
)
def test_default_on_the_published_matrices(name, re, ibre, test_mse, shared_data):
    """RE, IBRE and test error, at 0.15 and at the threshold that the fit chose itself."""
    with np.load(shared_data(f"synthetic/{name}.npz")) as content:
        z = dict(content)

    def mask(flat):
        out = np.zeros(z["observed"].shape, bool)
        out.flat[flat] = True
        return out

    block = np.zeros(z["observed"].shape, bool)
    block[np.ix_(z["row_sort"], z["column_sort"])] = mask(z["block"])
    test, validation = mask(z["test"]), mask(z["validation"])
    model = rt.RTDMF(refit=False).fit(np.where(test, np.nan, z["observed"]), validation=validation)
    for threshold in (THRESHOLD, model.threshold_):
        scores = recovery_scores(
            model.low_rank_, z["observed"], truth_signal=z["signal"], truth_low_rank=z["low_rank"],
            heldout=mask(z["heldout"]), block=block, threshold=threshold, test=test,
            completed=model.completed_,
        )  # fmt: skip
        assert scores["re"] <= re
        assert scores["ibre"] <= ibre
        assert scores["test_mse"] <= test_mse
