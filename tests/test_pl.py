"""Pictures: what is drawn is what was computed. How they look is for eyes."""

import re
from pathlib import Path

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

import rtdmf_bio as rt
from rtdmf_bio.pl import _style as style

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(scope="module", params=["tissue", None], ids=["groups", "no groups"])
def adata(request):
    rng = np.random.default_rng(0)
    x = 0.7 + 0.1 * rng.normal(size=(30, 1)) + rng.normal(0, 0.03, (30, 40))
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:4, :10] -= 0.3 * (rng.random((4, 10)) < 0.7)
    var = pd.DataFrame({"tissue": np.repeat(["skin", "lung", "breast", "blood"], 10)})
    adata = anndata.AnnData(
        x,
        pd.DataFrame(index=[f"drug{i}" for i in range(30)]),
        var.set_axis([f"line{j}" for j in range(40)]),
    )
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    rt.pp.correct(adata, group_key=request.param, tol=0.05, crossfit=3, progress=False)
    return adata


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_matrix_shows_the_layer_reordered(adata):
    ax = rt.pl.matrix(adata, layer="rtdmf")
    drawn = np.asarray(ax.images[0].get_array())
    assert np.array_equal(np.sort(drawn.ravel()), np.sort(adata.layers["rtdmf"].ravel()))
    assert "auc (higher = resistant)" in [a.get_ylabel() for a in ax.figure.axes]


@pytest.mark.parametrize("measure", ["auc", ["auc"], None, {}])
def test_a_measure_that_says_nothing_is_no_obstacle(measure, adata):
    adata = adata.copy()
    adata.uns["measure"] = measure
    ax = rt.pl.matrix(adata, layer="rtdmf")
    assert "value" in [a.get_ylabel() for a in ax.figure.axes]


def test_before_and_after_share_order_and_colours(adata):
    before, after = rt.pl.matrix(adata), rt.pl.matrix(adata, layer="rtdmf")
    assert before.images[0].get_clim() == after.images[0].get_clim()
    a = np.ma.filled(before.images[0].get_array(), np.nan)
    drawn = rt.pl.matrix(adata, layer="rtdmf_flag").images[0]
    flag = drawn.get_array()
    assert drawn.get_clim() == (-0.5, 3.5)
    assert np.array_equal(np.isnan(a), flag == 0)


@pytest.mark.parametrize(
    "part, label",
    [
        ("lower", "auc (higher = resistant)"),
        ("sd", "standard deviation, auc (higher = resistant)"),
        ("qvalue", "q-value of the residual"),
        ("residual", "residual, auc (higher = resistant)"),
    ],
)
def test_what_is_no_value_of_the_measure_has_colours_of_its_own(part, label, adata):
    layer = adata.layers[f"rtdmf_{part}"]
    image = rt.pl.matrix(adata, layer=f"rtdmf_{part}").images[0]
    assert image.colorbar.ax.get_ylabel() == label
    far = np.nanpercentile(np.abs(layer), 99)
    expected = {"sd": (0, far), "qvalue": (0, 1), "residual": (-far, far)}
    assert image.get_clim() == expected.get(part, tuple(np.nanpercentile(adata.X, [1, 99])))


@pytest.fixture(scope="module")
def of_a_layer():
    """The correction of a layer; X has another measure and another order of drugs."""
    rng = np.random.default_rng(2)
    potency = 3 * rng.normal(size=(20, 1)) + rng.normal(0, 0.5, (20, 30))
    potency[rng.random(potency.shape) < 0.1] = np.nan
    adata = anndata.AnnData(1 / (1 + np.exp(-potency[::-1])))
    adata.layers["ic50"] = potency
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    adata.uns["layer_measures"] = {"ic50": {"name": "ln IC50", "higher_is": "resistant"}}
    rt.pp.correct(adata, layer="ic50", group_key=None, tol=0.05, crossfit=3, progress=False)
    return adata


@pytest.mark.parametrize(
    "layer, of, label",
    [(None, "ic50", "ln IC50"), ("ic50", "ic50", "ln IC50"), ("X", "X", "auc")],
    ids=str,
)
def test_x_is_drawn_where_a_layer_was_corrected(layer, of, label, of_a_layer):
    """None is what was corrected; what has another measure has colours of its own."""
    ax = rt.pl.matrix(of_a_layer, layer=layer, group_key=None)
    given, corrected = (
        of_a_layer.X if name == "X" else of_a_layer.layers[name] for name in (of, "ic50")
    )
    drugs = np.argsort(-np.nanmean(corrected, axis=1))
    lines = np.argsort(np.nanmean(corrected, axis=0))
    image = ax.images[0]
    drawn = np.ma.filled(image.get_array(), np.nan)
    np.testing.assert_array_equal(drawn, given[np.ix_(drugs, lines)])
    assert image.get_clim() == tuple(np.nanpercentile(given, [1, 99]))
    assert image.colorbar.ax.get_ylabel() == f"{label} (higher = resistant)"
    assert ax.get_title() == (layer or "measured")


def test_after_is_in_the_colours_of_the_layer_that_was_corrected(of_a_layer):
    before, after = (rt.pl.matrix(of_a_layer, layer=name) for name in (None, "rtdmf"))
    assert before.images[0].get_clim() == after.images[0].get_clim()
    assert "ln IC50 (higher = resistant)" in [a.get_ylabel() for a in after.figure.axes]


def test_what_was_never_measured_or_is_infinite_is_blank():
    rng = np.random.default_rng(3)
    x = 0.7 + 0.1 * rng.normal(size=(20, 1)) + rng.normal(0, 0.03, (20, 30))
    x[4], x[7, 7] = np.nan, np.inf
    adata = anndata.AnnData(x)
    rt.pp.correct(adata, group_key=None, unmeasured="nan", infinite="nan", progress=False)
    before = rt.pl.correction(adata).axes[0]
    assert np.ma.getmaskarray(before.images[0].get_array()).sum() == 31
    assert np.isfinite(before.images[0].get_clim()).all()


def test_lines_are_ordered_by_several_groups(adata):
    """By the first, within it by the second, within that by mean; edges grow thinner."""
    adata = adata.copy()
    rng = np.random.default_rng(1)
    adata.var["lab"] = rng.choice(["east", "west"], adata.n_vars)
    ax = rt.pl.matrix(adata, group_key=["lab", "nothing", "tissue"])
    table = adata.var.assign(mean=np.nanmean(adata.X, axis=0)).sort_values(
        ["lab", "tissue", "mean"]
    )
    drugs = np.argsort(-np.nanmean(adata.X, axis=1))
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn, adata[:, table.index].X[drugs])
    assert ax.get_xlabel() == "40 cell lines, by lab, then tissue"
    edges = {line.get_xdata()[0]: line.get_linewidth() for line in ax.lines}
    changes = (table[["lab", "tissue"]] != table[["lab", "tissue"]].shift()).iloc[1:]
    at = np.flatnonzero(changes.any(axis=1)) + 0.5
    assert sorted(edges) == list(at)
    wide = [edges[x] for x in np.flatnonzero(changes["lab"]) + 0.5]
    assert len(wide) == 1
    assert wide[0] > max(width for x, width in edges.items() if edges[x] != wide[0])
    alone = rt.pl.matrix(adata, group_key=("tissue",))
    assert alone.get_xlabel() == rt.pl.matrix(adata).get_xlabel() == "40 cell lines, by tissue"
    for none in (None, [], "nothing"):
        assert rt.pl.matrix(adata, group_key=none).get_xlabel() == "40 cell lines"
    panels = rt.pl.correction(adata, group_key=["lab", "tissue"]).axes
    assert panels[0].get_xlabel() == panels[1].get_xlabel() == "40 cell lines, by lab, then tissue"


def test_what_lies_around_zero_has_colours_of_its_own(adata):
    for name, said in (("residual", "residual"), ("specific", "specific part")):
        drawn = rt.pl.matrix(adata, layer=f"rtdmf_{name}").images[0]
        low, high = drawn.get_clim()
        assert high == -low == np.nanpercentile(np.abs(adata.layers[f"rtdmf_{name}"]), 99)
        assert drawn.colorbar.ax.get_ylabel() == f"{said}, auc (higher = resistant)"
    with pytest.raises(ValueError, match=r"adata\.layers has no 'nothing'"):
        rt.pl.matrix(adata, layer="nothing")


def test_lines_without_a_group_are_drawn_side_by_side(adata):
    """Missing as text of any pandas has it."""
    part = adata.copy()
    tissue = part.var["tissue"].astype(object)
    tissue[::7] = np.nan
    for kind in (object, "category", pd.StringDtype("python", na_value=np.nan)):
        part.var["tissue"] = tissue.astype(kind)
        drawn = rt.pl.matrix(part, layer="rtdmf_flag", group_key="tissue").images[0].get_array()
        assert sorted(drawn.sum(0)) == sorted(part.layers["rtdmf_flag"].sum(0))


def test_threshold_marks_the_threshold_and_counts_every_entry(adata):
    ax = rt.pl.threshold(adata)
    eta = adata.uns["rtdmf"]["threshold"]
    dashed = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == [-eta, eta]
    share = [float(t.get_text().split("(")[1].rstrip("%)")) for t in ax.get_legend().texts[:3]]
    assert sum(share) == pytest.approx(100, abs=0.2)
    assert "auc" in ax.get_xlabel()


def test_every_flag_of_a_measurement_has_a_histogram(adata):
    labels = [text.get_text() for text in rt.pl.threshold(adata).get_legend().texts]
    curves = [label.startswith("unexplained") for label in labels]
    assert curves == [False] * (len(rt.Flag) - 1) + [True]
    flag = rt.pl.matrix(adata, layer="rtdmf_flag").images[0]
    assert flag.get_clim() == (min(rt.Flag) - 0.5, max(rt.Flag) + 0.5)


def test_a_part_of_a_screen_is_drawn_with_what_is_unexplained_of_its_own_drugs(adata):
    """Also in another order, and as a view, which is what indexing gives."""
    part = adata[::-2, 5:]
    ax = rt.pl.threshold(part)
    rt.pl.correction(part)
    x, noise = next(
        line.get_data() for line in ax.lines if line.get_label().startswith("unexplained")
    )
    sd = adata.obs["rtdmf_unexplained_sd"].to_numpy()[::-2]
    entries = np.isfinite(part.layers["rtdmf_residual"]).sum(1)
    expected = (entries * norm.pdf(x[:, None], scale=sd)).sum(1) * (x[1] - x[0])
    np.testing.assert_allclose(noise, expected)


def test_enrichment_shows_the_leading_pairs(adata):
    if "enrichment" not in adata.uns["rtdmf"]:
        with pytest.raises(ValueError, match="without groups"):
            rt.pl.enrichment(adata)
        return
    table = rt.tl.enrichment(adata).head(3)
    ax = rt.pl.enrichment(adata, n_top=3)
    shown = [t.get_text() for t in ax.get_yticklabels()][::-1]
    assert shown == [f"{d} · {g}" for d, g in zip(table["drug"], table["group"], strict=True)]


def test_correction_is_one_figure(adata):
    figure = rt.pl.correction(adata)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 4 + ("enrichment" in adata.uns["rtdmf"])
    figure.canvas.draw()


@pytest.mark.parametrize("name", ["matrix", "threshold"])
def test_given_axes_are_used(adata, name):
    ax = plt.subplots()[1]
    assert getattr(rt.pl, name)(adata, ax=ax) is ax
    assert isinstance(ax, Axes)


@pytest.mark.parametrize("name", ["correction", "enrichment", "matrix", "threshold", "tuning"])
def test_a_picture_needs_a_correction(name):
    with pytest.raises(ValueError, match=r"Run rtdmf_bio\.pp\.(correct|tune)"):
        getattr(rt.pl, name)(anndata.AnnData(np.zeros((3, 3))))


def test_r_draws_in_the_same_colours():
    """One screen drawn from both languages must not swap what a colour means."""
    source = Path(rt.__file__).parents[1] / "r_bridge" / "rtdmfbio" / "R" / "plot.R"
    table = re.search(r"^colours <- c\(([^)]*)\)", source.read_text(), re.MULTILINE)
    colours = dict(re.findall(r'(\w+) = "([^"]+)"', table.group(1)))
    assert colours.pop("noise") == f"grey{100 * float(style.PLAIN):.0f}"
    assert colours == {
        "kept": style.KEPT,
        "dropped": style.DROPPED,
        "sensitive": style.SIDES["sensitive"][0],
        "resistant": style.SIDES["resistant"][0],
    }
