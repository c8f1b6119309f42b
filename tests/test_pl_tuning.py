"""`pl.tuning`: what is drawn is what was scored."""

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt

mpl.use("Agg")
import matplotlib.pyplot as plt


def tuned(scores=None, trivial=(3.0, 8.0), **parameters):
    """Tables as pp.tune writes them, with scores to order."""
    parameters = parameters or {
        "loss": ["mixture", "mixture", "clip", "clip"],
        "depth": [2, 3, 2, 3],
    }
    n = len(next(iter(parameters.values())))
    scores = np.array(scores or np.linspace(1, 2, n))
    rank = pd.Series(scores).rank(method="first").fillna(0).astype(int).to_numpy()
    table = pd.DataFrame(
        {
            **parameters,
            "validation_mse": 10 * scores, "validation_robust": scores, "n_iter": 5,
            "stop_reason": "converged", "seconds": 1.0, "error": "", "rank": rank,
            "chosen": rank == 1,
        },
        index=[str(k) for k in range(n)],
    )  # fmt: skip
    answers = ["chosen", "two-way means", "grand mean"]
    values = np.array([np.nanmin(scores), *trivial])
    beside = pd.DataFrame(
        {
            "answer": answers,
            "validation_mse": 10 * values, "validation_robust": values,
            "test_mse": 10 * values, "test_robust": values,
        }
    )  # fmt: skip
    adata = anndata.AnnData(np.zeros((3, 3)))
    adata.uns["rtdmf"] = {
        "tuning": table,
        "tuning_scores": beside,
        "tuning_params": {"criterion": "robust", "by": "drug"},
    }
    return adata


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def points(ax):
    """Every marker of the candidates, as (x, y)."""
    drawn = [c.get_offsets() for c in ax.collections if c.get_label() != "chosen"]
    return np.array([xy for offsets in drawn for xy in np.asarray(offsets)])


def star(ax):
    return np.asarray(next(c for c in ax.collections if c.get_label() == "chosen").get_offsets())


def test_one_panel_per_parameter_that_varies_with_every_candidate():
    parameters = {"depth": [3, 2, 4], "loss": ["clip"] * 3, "weight_decay": [1.0, 0.5, 0.5]}
    figure = rt.pl.tuning(tuned([1.5, 1.0, 2.0], **parameters))
    figure.canvas.draw()
    assert [ax.get_xlabel() for ax in figure.axes] == ["depth", "weight_decay"]
    depth, decay = figure.axes
    assert [t.get_text() for t in depth.get_xticklabels()] == ["2", "3", "4"]
    assert [t.get_text() for t in decay.get_xticklabels()] == ["0.5", "1"]
    expected = {(1, 1.5), (0, 1.0), (2, 2.0)}
    assert set(map(tuple, points(depth).tolist())) == expected
    assert star(depth).tolist() == [[0, 1.0]]
    line = next(line for line in decay.lines if len(line.get_xdata()) == 2)
    assert list(line.get_ydata())[:2] == [1.0, 1.5]


@pytest.mark.parametrize(("criterion", "factor"), [(None, 1), ("robust", 1), ("mse", 10)])
def test_either_score_can_be_drawn(criterion, factor):
    figure = rt.pl.tuning(tuned(), criterion=criterion)
    assert star(figure.axes[0])[0, 1] == factor
    assert ("mean squared" if factor == 10 else "truncated") in figure.axes[0].get_ylabel()
    assert "held out by drug, chosen by robust" in figure.get_suptitle()


def test_trivial_answers_are_lines_or_named_with_their_distance():
    """A line far off would squash what is to be seen; left out, it would be forgotten."""
    figure = rt.pl.tuning(tuned(trivial=(1.9, 8.0)))
    for ax in figure.axes:
        assert [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [1.9]
        assert ax.get_ylim()[1] < 3
    assert "two-way means" in [t.get_text() for t in figure.axes[-1].texts]
    assert "grand mean 8 (8.0 x best)" in figure.get_suptitle()
    assert "two-way" not in figure.get_suptitle()


def test_candidates_far_off_are_triangles_and_failed_ones_are_counted():
    adata = tuned([1.0, 1.2, 90.0, np.nan, 1.1], depth=[2, 3, 4, 5, 6])
    ax = rt.pl.tuning(adata).axes[0]
    assert ax.get_ylim()[1] < 10
    at_edge = [c for c in ax.collections if c.get_transform() is not None and len(c.get_offsets())]
    edge = [xy for c in at_edge for xy in np.asarray(c.get_offsets()).tolist() if xy[1] == 0.97]
    assert [x for x, _ in edge] == [2]
    assert "4 candidates" in ax.figure.get_suptitle()
    assert "1 failed" in ax.figure.get_suptitle()
    assert "5" not in [t.get_text() for t in ax.get_xticklabels()]


def test_names_are_told_by_colour():
    figure = rt.pl.tuning(tuned())
    labels = [t.get_text() for t in figure.legends[0].texts]
    assert labels == ["loss = mixture", "loss = clip", "chosen", "best at each value"]


def test_a_single_candidate_and_equal_scores_can_be_drawn():
    rt.pl.tuning(tuned([1.0], depth=[3])).canvas.draw()
    rt.pl.tuning(tuned([1.0, 1.0], depth=[3, 2])).canvas.draw()


def test_given_axes_are_used_for_one_parameter_only():
    figure, ax = plt.subplots()
    assert rt.pl.tuning(tuned([1.0, 2.0], depth=[3, 2]), ax=ax) is figure
    assert "held out by drug" in ax.get_title()
    with pytest.raises(ValueError, match="2 parameters were varied"):
        rt.pl.tuning(tuned(), ax=ax)


def test_what_is_not_there_is_said():
    with pytest.raises(ValueError, match=r"no tuning under 'rtdmf'. Run rtdmf_bio\.pp\.tune"):
        rt.pl.tuning(anndata.AnnData(np.zeros((3, 3))))
    with pytest.raises(ValueError, match="criterion parameter must be one of"):
        rt.pl.tuning(tuned(), criterion="mae")


@pytest.mark.slow
def test_a_real_search_can_be_drawn_after_a_file(tmp_path):
    """Text columns come back from h5ad as another type."""
    adata = rt.datasets.gdsc1()[:30, :60].copy()
    rt.pp.tune(
        adata, {"loss": ["squared", "clip"], "weight_decay": [1.0, "auto"]}, refit=False,
        impute="low-rank", unmeasured="nan", progress=False,
    )  # fmt: skip
    before = rt.pl.tuning(adata)
    rt.io.write_h5ad(adata, tmp_path / "a.h5ad")
    after = rt.pl.tuning(anndata.read_h5ad(tmp_path / "a.h5ad"))
    for a, b in zip(before.axes, after.axes, strict=True):
        assert np.array_equal(points(a), points(b))
