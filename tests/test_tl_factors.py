"""What the modes of the chain hold: planted drivers are named, everything else is at chance."""

from __future__ import annotations

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway, pearsonr

import rtdmf_bio as rt

mpl.use("Agg")


@pytest.fixture(scope="module")
def planted():
    """One mode that a tissue and a target drive, beside noise and labels that drive nothing."""
    rng = np.random.default_rng(0)
    n, p = 60, 150
    tissue = np.repeat(["blood", "lung", "skin"], 50)
    target = np.where(np.arange(n) < 15, "MEK", np.where(np.arange(n) < 40, "HDAC", "other"))
    x = 0.6 + 0.02 * rng.normal(size=(n, p)) + 0.05 * rng.normal(size=(n, 1))
    x += 0.2 * np.outer(target == "MEK", (tissue == "skin") - 1 / 3)
    adata = anndata.AnnData(
        x,
        pd.DataFrame(
            {"target": target, "dose": rng.normal(size=n), "shuffled": rng.permutation(target)},
            index=[f"drug{i}" for i in range(n)],
        ),
        pd.DataFrame({"tissue": tissue}, index=[f"line{j}" for j in range(p)]),
    )
    adata.obs.loc["drug3", "target"] = None
    rt.pp.correct(adata, progress=False)
    return adata


@pytest.mark.slow
def test_the_planted_drivers_are_named(planted):
    table = rt.tl.factors(planted, obs=["target", "dose", "shuffled"], n_factors=1)
    row = table.set_index("property")
    assert row.loc["tissue", "r2"] > 0.9
    assert row.loc["tissue", "group"] == "skin"
    assert row.loc["target", "r2"] > 0.9
    assert row.loc["target", "group"] == "MEK"
    assert row.loc["target", "n"] == 59  # without the drug that has no target
    assert set(row.loc["target", "top"].split(", ")) <= {f"drug{i}" for i in range(15)}
    for name in ("dose", "shuffled"):
        assert row.loc[name, "r2"] < 0.15
        assert row.loc[name, "qvalue"] > 0.01
    assert table["share"].iloc[0] > 0.8


@pytest.mark.slow
def test_what_is_infinite_is_not_known(planted):
    adata = planted.copy()
    adata.obs.loc["drug3", "dose"] = np.inf
    found = rt.tl.factors(adata, obs=["dose"], n_factors=1).set_index("property")
    adata.obs.loc["drug3", "dose"] = np.nan
    expected = rt.tl.factors(adata, obs=["dose"], n_factors=1).set_index("property")
    pd.testing.assert_frame_equal(found, expected)


def test_numbers_are_those_of_scipy(planted):
    table = rt.tl.factors(planted, obs=["shuffled", "dose"], n_factors=1).set_index("property")
    loading = planted.obsm["rtdmf_factors"][:, 0]
    r, p = pearsonr(loading, planted.obs["dose"])
    assert table.loc["dose", "correlation"] == pytest.approx(r)
    assert table.loc["dose", "r2"] == pytest.approx(r**2)
    assert table.loc["dose", "pvalue"] == pytest.approx(p)
    assert table.loc["dose", "chance"] == pytest.approx(1 / 59)
    groups = [loading[planted.obs["shuffled"] == name] for name in ("HDAC", "MEK", "other")]
    assert table.loc["shuffled", "pvalue"] == pytest.approx(f_oneway(*groups).pvalue)
    assert table.loc["shuffled", "chance"] == pytest.approx(2 / 59)
    assert np.isnan(table.loc["shuffled", "correlation"])


def test_chance_is_what_labels_without_a_relation_explain(planted):
    rng = np.random.default_rng(1)
    some = planted.copy()
    names = [f"random{k}" for k in range(40)]
    for name in names:
        some.obs[name] = rng.permutation(np.repeat(list("abcdef"), 10))
    table = rt.tl.factors(some, obs=names, n_factors=1)
    random = table[table["property"].isin(names)]
    assert random["r2"].mean() == pytest.approx(random["chance"].iloc[0], abs=0.02)


def test_rows_are_modes_by_properties_and_nothing_is_written(planted):
    before = planted.copy()
    table = rt.tl.factors(planted, n_factors=3)
    assert list(table["factor"].unique()) == [1, 2, 3][: planted.obsm["rtdmf_factors"].shape[1]]
    assert set(table["property"]) == {"general sensitivity", "tissue", "level", "slope"}
    assert table["share"].is_monotonic_decreasing
    assert set(before.obs) == set(planted.obs)
    assert set(before.uns) == set(planted.uns)


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"obs": "nonsense"}, r"adata.obs has no column 'nonsense'. It has \['target'"),
        ({"var": "nonsense"}, "adata.var has no column 'nonsense'"),
        ({"obs": "name"}, r"'name' has 0 group\(s\) of at least 3; 2 are needed"),
        ({"obs": "constant"}, "'constant' cannot be compared"),
        ({"n_factors": 0}, "n_factors"),
        ({"key": "nothing"}, "holds no correction under 'nothing'"),
    ],
)
def test_what_cannot_be_compared_is_refused(planted, kwargs, message):
    some = planted.copy()
    some.obs["name"] = some.obs_names
    some.obs["constant"] = 1.0
    with pytest.raises(ValueError, match=message):
        rt.tl.factors(some, **kwargs)


def test_a_correction_without_any_mode_has_no_factor(planted):
    adata = planted.copy()
    adata.obsm["rtdmf_factors"], adata.varm["rtdmf_factors"] = np.zeros((60, 0)), np.zeros((150, 0))
    with pytest.raises(ValueError, match="no structure beside drug and line effects"):
        rt.tl.factors(adata)


def test_a_correction_of_an_earlier_version_has_no_modes(planted):
    old = planted.copy()
    del old.obsm["rtdmf_factors"]
    with pytest.raises(ValueError, match=r"corrected by an earlier version.*overwrite=True"):
        rt.tl.factors(old)


def test_the_picture_says_what_the_table_says(planted):
    table = rt.tl.factors(planted, obs=["target", "shuffled"], n_factors=2)
    ax = rt.pl.factors(table)
    rows = [t.get_text() for t in ax.get_yticklabels()]
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    for row in table.itertuples():
        value = drawn[rows.index(f"{row.axis}: {row.property}"), row.factor - 1]
        if row.qvalue > 0.05:
            assert np.isnan(value)
        else:
            assert value == pytest.approx((row.r2 - row.chance) / (1 - row.chance))
    assert any("MEK" in text.get_text() for text in ax.texts)
    mpl.pyplot.close(ax.figure)
    with pytest.raises(ValueError, match=r"rtdmf_bio\.tl\.factors"):
        rt.pl.factors(table.drop(columns="chance"))
