"""`pp.correct`: the AnnData shell. The numbers are tested in test_model_*.py."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse

import rtdmf_bio as rt
from rtdmf_bio._adata.layers import named_layers

WRITTEN = {
    "layers": {
        "rtdmf",
        *(f"rtdmf_{x}" for x in ("residual", "flag", "specific", "qvalue", "lower", "upper", "sd")),
    },
    "obs": {
        f"rtdmf_{x}"
        for x in (
            *("n_retained", "n_imputed", "level", "slope", "reliability"),
            *("noise_sd", "moved", "unexplained_sd", "too_few"),
        )
    },
    "var": {"rtdmf_n_retained", "rtdmf_n_imputed", "rtdmf_sensitivity", "rtdmf_too_few"},
    "obsm": {"rtdmf_factors"},
    "varm": {"rtdmf_factors"},
    "uns": {"rtdmf"},
}


def screen(n=40, p=60, seed=0, dtype=np.float32):
    """Low rank + noise, four tissues, and 5 drugs that each kill most of the skin lines."""
    rng = np.random.default_rng(seed)
    x = 0.7 + 0.1 * rng.normal(size=(n, 1)) + 0.05 * rng.normal(size=(1, p))
    x = x + rng.normal(size=(n, 3)) @ rng.normal(size=(3, p)) * 0.04
    x += rng.normal(0, 0.02, (n, p))
    tissue = np.array(["skin", "lung", "breast", "blood"])[np.arange(p) % 4]
    x[:5] -= 0.3 * ((tissue == "skin") & (rng.random((5, p)) < 0.6))
    x[rng.random((n, p)) < 0.15] = np.nan
    adata = anndata.AnnData(
        x.astype(dtype),
        obs=pd.DataFrame(index=[f"drug{i}" for i in range(n)]),
        var=pd.DataFrame({"tissue": pd.Categorical(tissue)}, index=[f"line{j}" for j in range(p)]),
    )
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    adata.layers["doubled"] = adata.X * 2
    return adata


def correct(adata, **kwargs):
    """By fewer and shorter fits than the default's, which ``corrected`` has."""
    return rt.pp.correct(adata, **{"tol": 0.05, "crossfit": 3, "progress": False, **kwargs})


@pytest.fixture(scope="module")
def corrected():
    adata = screen()
    assert rt.pp.correct(adata, progress=False) is None
    return adata


def same(a, b):
    return (
        np.array_equal(a.X, b.X, equal_nan=True)
        and a.obs.equals(b.obs)
        and a.var.equals(b.var)
        and set(a.uns) == set(b.uns)
        and set(named_layers(a)) == set(named_layers(b))
        and all(np.array_equal(a.layers[k], b.layers[k], equal_nan=True) for k in named_layers(a))
    )


def test_writes_the_contract_and_touches_nothing_else(corrected):
    before = screen()
    for where, names in WRITTEN.items():
        added = set(getattr(corrected, where)) - set(getattr(before, where))
        assert added == names
    assert np.array_equal(corrected.X, before.X, equal_nan=True)
    assert np.array_equal(corrected.layers["doubled"], before.layers["doubled"], equal_nan=True)
    assert corrected.uns["measure"] == before.uns["measure"]


def test_result_is_what_the_estimator_gives(corrected):
    """A thin shell: the same numbers as RTDMF on the array, in the input's dtype."""
    before = screen()
    model = rt.RTDMF().fit(before.X, groups={"tissue": before.var["tissue"]})
    assert corrected.layers["rtdmf"].dtype == before.X.dtype
    assert np.array_equal(corrected.layers["rtdmf"], model.corrected_.astype(np.float32))
    assert np.array_equal(corrected.layers["rtdmf_flag"], model.flag_)
    assert corrected.uns["rtdmf"]["threshold"] == model.threshold_


def test_flags_counts_and_values_agree(corrected):
    flag, measured = corrected.layers["rtdmf_flag"], np.isfinite(corrected.X)
    assert flag.dtype == np.int8
    assert np.array_equal(flag == 0, ~measured)
    assert np.isfinite(corrected.layers["rtdmf"]).all()
    assert np.array_equal(np.isfinite(corrected.layers["rtdmf_residual"]), measured)
    high = np.abs(corrected.layers["rtdmf_residual"]) >= corrected.uns["rtdmf"]["threshold"]
    assert np.array_equal(flag >= 2, high & measured)
    for axis, table in ((1, corrected.obs), (0, corrected.var)):
        assert table["rtdmf_n_imputed"].dtype == np.int32
        assert np.array_equal(table["rtdmf_n_imputed"], (flag == 0).sum(axis))
        assert np.array_equal(table["rtdmf_n_retained"], (flag == 3).sum(axis))


def test_planted_tissue_leads_the_table_and_is_kept(corrected):
    """Drugs that kill skin lines, and no others, are enriched; their entries stay. The five lead
    the table; of drug2, which has four high entries, four of five such drugs among 40 also say
    that skin is tender."""
    table = rt.tl.enrichment(corrected)
    assert set(table["drug"].head(5)) == {f"drug{i}" for i in range(5)}
    found = rt.tl.enrichment(corrected, fdr=0.05)
    assert set(found["side"]) == {"sensitive"}
    assert set(found["group"]) == {"skin"}
    assert sorted(found["drug"]) == ["drug0", "drug1", "drug3", "drug4"]
    block = np.zeros(corrected.shape, dtype=bool)
    block[np.ix_([0, 1, 3, 4], corrected.var["tissue"] == "skin")] = True
    high = block & (corrected.layers["rtdmf_flag"] >= 2) & (corrected.layers["rtdmf_residual"] < 0)
    assert high.sum() > 20
    assert (corrected.layers["rtdmf_flag"][high] == 3).all()
    assert np.array_equal(corrected.layers["rtdmf"][high], corrected.X[high])


def test_table_is_sorted_and_complete(corrected):
    table = rt.tl.enrichment(corrected)
    assert list(table.columns) == [
        "drug", "group_key", "group", "side", "n_high_group", "n_expected", "n_high", "n_group",
        "n_tested", "odds_ratio", "pvalue", "qvalue", "rank_pvalue", "rank_qvalue",
    ]  # fmt: skip
    assert table["pvalue"].is_monotonic_increasing
    assert (rt.tl.enrichment(corrected, fdr=0.01)["qvalue"] <= 0.01).all()


@pytest.mark.parametrize(
    ("measure", "sides"),
    [
        ({"higher_is": "resistant"}, {"resistant", "sensitive"}),
        ({"higher_is": "sensitive"}, {"resistant", "sensitive"}),
        ({}, {"above", "below"}),
    ],
)
def test_sides_follow_the_stated_direction(measure, sides):
    """Which side is sensitive is data, never guessed: the planted drop changes its name."""
    adata = screen()
    adata.uns["measure"] = measure
    correct(adata)
    table = rt.tl.enrichment(adata)
    assert set(table["side"]) <= sides
    expected = {"resistant": "sensitive", "sensitive": "resistant", None: "below"}
    assert table["side"].iloc[0] == expected[measure.get("higher_is")]


def test_result_survives_h5ad(corrected, tmp_path):
    """Everything written comes back from a file as it was: types, table, curves."""
    rt.io.write_h5ad(corrected, tmp_path / "a.h5ad")
    back = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert same(back, corrected)
    for where, names in WRITTEN.items():
        assert names <= set(getattr(back, where))
    ours, theirs = corrected.uns["rtdmf"], back.uns["rtdmf"]
    pd.testing.assert_frame_equal(ours["enrichment"], theirs["enrichment"])
    assert set(ours) == set(theirs)
    for name in (
        *("threshold", "unexplained_sd", "unexplained_beyond", "stop_reason", "device", "n_iter"),
        "noise",
    ):
        assert theirs[name] == ours[name]
    assert list(theirs["threshold_range"]) == list(ours["threshold_range"])
    assert list(theirs["null"].pop("factors")) == ours["null"]["factors"]
    assert theirs["null"] == {k: v for k, v in ours["null"].items() if k != "factors"}
    assert theirs["prediction"].pop("rmse") == ours["prediction"]["rmse"]
    assert theirs["prediction"] == {k: v for k, v in ours["prediction"].items() if k != "rmse"}
    assert dict(theirs["validation_rmse"]) == ours["validation_rmse"]
    for name, values in ours["history"].items():
        assert np.array_equal(theirs["history"][name], values, equal_nan=True)
    assert set(theirs["params"]) == set(ours["params"])
    assert list(theirs["params"]["retain"]) == ["enriched", "shrink"]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("transpose", [False, True], ids=["drugs as obs", "lines as obs"])
def test_corrected_layer_opens_in_scanpy(corrected, transpose, tmp_path):
    """The point of a complete matrix in AnnData: PCA, dendrogram and heatmap just work."""
    import matplotlib

    matplotlib.use("Agg")
    adata = corrected.T if transpose else corrected.copy()
    adata = adata.copy()
    adata.X = np.array(adata.layers["rtdmf"])
    adata.obs["kind"] = pd.Categorical(["a", "b"] * (adata.n_obs // 2))
    key = "tissue" if transpose else "kind"
    sc.pp.pca(adata, n_comps=5)
    assert np.isfinite(adata.obsm["X_pca"]).all()
    sc.tl.dendrogram(adata, groupby=key)
    axes = sc.pl.heatmap(adata, list(adata.var_names[:5]), groupby=key, dendrogram=True, show=False)
    assert "heatmap_ax" in axes


def test_a_layer_and_several_columns_can_be_chosen():
    adata = screen()
    adata.var["site"] = np.where(adata.var["tissue"] == "skin", "outside", "inside")
    correct(adata, layer="doubled", group_key=["tissue", "site"], key_added="two")
    assert set(rt.tl.enrichment(adata, key="two")["group_key"]) == {"tissue", "site"}
    assert adata.uns["two"]["layer"] == "doubled"
    assert {"two", "two_residual", "two_flag"} <= set(adata.layers)


def test_without_groups_it_works_too():
    adata = screen()
    del adata.var["tissue"]
    rt.pp.correct(adata, group_key=None, progress=False)
    assert "enrichment" not in adata.uns["rtdmf"]
    assert (adata.layers["rtdmf_flag"] == 3).any()
    with pytest.raises(ValueError, match="ran without groups"):
        rt.tl.enrichment(adata)


def test_copy_leaves_the_original_alone():
    adata = screen()
    out = correct(adata, copy=True)
    assert same(adata, screen())
    assert "rtdmf" in out.layers


def test_a_view_becomes_an_object_of_its_own():
    """Writing to a slice works without a warning, and never reaches the parent."""
    adata = screen()
    view = adata[:30]
    correct(view)
    assert view.layers["rtdmf"].shape == (30, 60)
    assert same(adata, screen())


@pytest.mark.parametrize("dtype", [np.float64, np.int64], ids=["float64", "integer"])
def test_other_number_types(dtype):
    adata = screen(dtype=np.float64)
    if dtype is np.int64:
        # Integers have no NaN; what is filled in must not pile up at one value.
        filled = np.where(np.isnan(adata.X), 0.6 + 0.001 * np.arange(adata.n_vars), adata.X)
        adata.X = np.rint(filled * 1000).astype(dtype)
    del adata.layers["doubled"]
    correct(adata)
    assert adata.layers["rtdmf"].dtype == np.float64
    assert adata.X.dtype == dtype


def drop_tissue(adata):
    del adata.var["tissue"]


def unlabel(adata):
    adata.var.loc["line3", "tissue"] = np.nan


def rename(adata):
    adata.obs_names = ["same", "same", *adata.obs_names[2:]]


def rename_lines(adata):
    adata.var_names = ["same", "same", *adata.var_names[2:]]


def fill(value, rows=slice(None), columns=slice(None)):
    def change(adata):
        x = np.array(adata.X)
        x[rows, columns] = value
        adata.X = x

    return change


def make_sparse(adata):
    adata.X = scipy.sparse.csr_matrix(np.nan_to_num(adata.X))


def make_boolean(adata):
    adata.X = np.nan_to_num(adata.X) > 0.7


def sparse_measurements(adata):
    x = np.array(adata.X)
    keep = np.zeros(x.shape, dtype=bool)
    keep[np.arange(60) % 40, np.arange(60)] = True
    adata.X = np.where(keep, np.nan_to_num(x, nan=0.5), np.nan)


def nothing(adata):
    pass


BAD = [
    ("no column", drop_tissue, {}, ValueError, "no column 'tissue'"),
    ("unknown group", nothing, {"group_key": "organ"}, ValueError, "no column 'organ'"),
    ("missing label", unlabel, {}, ValueError, "missing for 1 of 60 cell lines"),
    ("unknown layer", nothing, {"layer": "raw"}, ValueError, "no 'raw'. It has ..doubled"),
    ("same drug twice", rename, {}, ValueError, "1 drug name.s. occur more than once: 'same'"),
    ("same line twice", rename_lines, {}, ValueError, "1 cell line name"),
    ("nothing measured", fill(np.nan), {}, ValueError, "None of the 40 x 60"),
    ("unmeasured drug", fill(np.nan, 7), {}, ValueError, "'drug7'"),
    ("unmeasured line", fill(np.nan, slice(None), 9), {}, ValueError, "'line9'"),
    ("constant", fill(0.5), {}, ValueError, "All measured entries equal 0.5"),
    ("infinite", fill(np.inf, 0, 0), {}, ValueError, "1 infinite entries .1 positive"),
    ("sparse", make_sparse, {}, TypeError, "The matrix is sparse"),
    ("boolean", make_boolean, {}, TypeError, "The matrix is boolean"),
    ("too empty", sparse_measurements, {}, ValueError, "are missing; with more than 95%"),
    ("threshold", nothing, {"threshold": -0.1}, ValueError, "threshold parameter must be"),
    ("rule", nothing, {"retain": "some"}, ValueError, "retain parameter must be one of"),
    ("parameter", nothing, {"dept": 3}, TypeError, "unknown parameter.s. ..dept"),
    ("value", nothing, {"depth": 1}, ValueError, "depth parameter must be"),
    ("key", nothing, {"key_added": "a/b"}, ValueError, "without '/'"),
]


@pytest.mark.parametrize(
    ("change", "kwargs", "error", "message"), [c[1:] for c in BAD], ids=[c[0] for c in BAD]
)
def test_bad_input_gets_one_clear_error_and_changes_nothing(change, kwargs, error, message):
    adata, untouched = screen(), screen()
    change(adata)
    change(untouched)
    with pytest.raises(error, match=message):
        correct(adata, **kwargs)
    if scipy.sparse.issparse(adata.X):
        adata.X, untouched.X = adata.X.toarray(), untouched.X.toarray()
    assert same(adata, untouched)


@pytest.mark.parametrize("what", [None, np.zeros((3, 3)), pd.DataFrame(np.zeros((3, 3)))])
def test_something_else_than_anndata_is_refused(what):
    with pytest.raises(TypeError, match="must be an AnnData"):
        correct(what)


def test_one_drug_is_refused():
    with pytest.raises(ValueError, match="1 drug"):
        correct(screen()[:1].copy())


def test_backed_data_say_how_to_load(tmp_path):
    screen().write_h5ad(tmp_path / "a.h5ad")
    backed = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    with pytest.raises(ValueError, match="to_memory"):
        correct(backed)
    backed.file.close()


def test_existing_results_are_replaced_only_when_asked(corrected):
    again = corrected.copy()
    with pytest.raises(ValueError, match=r"already holds.*overwrite=True"):
        correct(again)
    correct(again, overwrite=True, threshold=0.2)
    assert again.uns["rtdmf"]["threshold"] == 0.2
    assert again.uns["rtdmf"]["threshold_how"] == "given"


def interrupt_once(monkeypatch, owner, name):
    """Ctrl-C at the first assignment of a count, when the layers are already in place."""
    original, armed = getattr(owner, name), [True]

    def interrupted(self, key, value):
        if key == "rtdmf_n_retained" and armed:
            armed.clear()
            raise KeyboardInterrupt
        return original(self, key, value)

    monkeypatch.setattr(owner, name, interrupted)


@pytest.mark.parametrize("moment", ["fit", "write"])
def test_interruption_leaves_the_object_as_it_was(moment, monkeypatch, corrected):
    """Ctrl-C during the fit, or between two assignments, must not leave half a result."""
    fresh, again = screen(), corrected.copy()

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    if moment == "fit":
        monkeypatch.setattr("rtdmf_bio.model.stages.fit_chain", interrupt)
    for adata, kwargs in ((fresh, {}), (again, {"overwrite": True})):
        if moment == "write":
            interrupt_once(monkeypatch, pd.DataFrame, "__setitem__")
        with pytest.raises(KeyboardInterrupt):
            correct(adata, **kwargs)
    monkeypatch.undo()
    assert same(fresh, screen())
    assert same(again, corrected)


def test_lines_without_a_label_can_be_left_out():
    adata = screen()
    unlabel(adata)
    correct(adata, group_missing="ignore")
    assert np.isfinite(adata.layers["rtdmf"]).all()
    assert rt.tl.enrichment(adata)["n_tested"].max() <= 59


def test_tissues_that_are_no_word_are_none(shared_data):
    """Text "nan" of an h5ad that pandas wrote, and blanks around a tissue."""
    adata = anndata.read_h5ad(shared_data("cases/tissue_text_nan.h5ad"))
    tissue = adata.var["tissue"].astype(object)
    tissue.iloc[:2] = [" SKCM ", ""]
    adata.var["tissue"] = tissue
    with pytest.raises(ValueError, match="missing for 7 of 40"):
        correct(adata)
    correct(adata, group_missing="ignore", impute="low-rank")
    table = rt.tl.enrichment(adata)
    assert set(table["group"]) == {"SKCM", "LUAD", "BRCA", "COREAD", "KIRC", "GBM"}  # 2 of OV
    assert table.loc[table["group"] == "SKCM", "n_group"].max() == 5


def test_unmeasured_drugs_can_be_carried_along():
    adata = screen()
    fill(np.nan, 7)(adata)
    correct(adata, unmeasured="nan")
    assert np.isnan(adata.layers["rtdmf"][7]).all()
    assert (adata.layers["rtdmf_flag"][7] == 0).all()
    assert adata.obs["rtdmf_n_imputed"].iloc[7] == 0
    assert np.isfinite(np.delete(adata.layers["rtdmf"], 7, axis=0)).all()


def test_enrichment_needs_a_correction():
    with pytest.raises(ValueError, match="holds no correction under 'rtdmf'"):
        rt.tl.enrichment(screen())


def test_the_stored_parts_make_up_the_corrected_matrix_and_the_broad_structure(corrected):
    """What is kept apart can be put together again by anyone who reads the docstring."""
    level, slope, reliable = (
        corrected.obs[f"rtdmf_{x}"].to_numpy() for x in ("level", "slope", "reliability")
    )
    line = corrected.var["rtdmf_sensitivity"].to_numpy()
    whole = level[:, None] + np.outer(slope, line) + corrected.layers["rtdmf_specific"]
    np.testing.assert_allclose(corrected.layers["rtdmf"], whole, atol=1e-6)
    assert corrected.uns["rtdmf"]["params"]["specific_weight"] == 1
    assert ((reliable >= 0) & (reliable <= 1)).all()
    drugs, lines = corrected.obsm["rtdmf_factors"], corrected.varm["rtdmf_factors"]
    np.testing.assert_allclose((lines**2).mean(0), 1, rtol=1e-5)
    assert (np.diff((drugs**2).sum(0)) <= 1e-12).all()
    # What is left of the broad structure without the chain is a drug effect plus a line effect.
    model = rt.RTDMF().fit(corrected.X, groups={"tissue": corrected.var["tissue"]})
    rest = model.low_rank_ - drugs @ lines.T
    np.testing.assert_allclose(rest, rt.baselines.two_way_means(rest), atol=1e-5)
    assert np.std(rest) > 0.01


def test_measurements_are_drawn_to_what_has_not_seen_them_as_said(corrected):
    """Reliability, noise, how far each drug moved and the intervals are those of the values."""
    measured, x = np.isfinite(corrected.X), corrected.layers["rtdmf"].astype(float)
    flag, qvalue = corrected.layers["rtdmf_flag"], corrected.layers["rtdmf_qvalue"]
    obs, noise = corrected.obs, corrected.uns["rtdmf"]["noise"]
    assert noise["source"] == "prior"
    assert noise["n_left_alone"] == (obs["rtdmf_reliability"] == 1).sum()
    moved = np.sqrt(np.nanmean((x - corrected.X) ** 2, axis=1))
    np.testing.assert_allclose(obs["rtdmf_moved"], moved, rtol=1e-4)
    assert noise["moved"] == pytest.approx(np.median(obs["rtdmf_moved"] / obs["rtdmf_noise_sd"]))
    assert noise["sd"] == pytest.approx(np.sqrt(np.mean(obs["rtdmf_noise_sd"] ** 2)))
    np.testing.assert_array_equal(np.isfinite(qvalue), measured)
    whole = (flag == 3) & (qvalue > 0.05)  # for its group alone
    assert (x[whole] == corrected.X[whole]).all()
    lower, upper, sd = (corrected.layers[f"rtdmf_{name}"] for name in ("lower", "upper", "sd"))
    np.testing.assert_allclose((lower.astype(float) + upper) / 2, x, atol=1e-6)
    assert ((upper > lower) & (sd > 0)).all()
    # Measured values are known better than imputed ones of the same drug.
    ratio = [np.median(s[m]) / np.median(s[~m]) for s, m in zip(sd, measured, strict=True)]
    assert max(ratio) < 1


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.0, 0.4, 1])
@pytest.mark.parametrize(
    "given", [{}, {"retain": "shrink", "group_key": None, "noise_sd": "error"}]
)
def test_parts_are_weighed_anew_as_a_correction_with_that_weight_does_it(weight, given):
    adata = small()
    adata.X[7] = np.nan
    adata.obs["error"] = np.where(np.arange(24) < 5, 1e-6, 0.02)  # so that five are left alone
    given = {"unmeasured": "nan", **given}
    correct(adata, key_added="mine", **given)
    before = adata.copy()
    found = rt.tl.weighed(adata, weight, key="mine")
    assert found.dtype == adata.layers["mine"].dtype
    np.testing.assert_array_equal(adata.layers["mine"], before.layers["mine"])
    correct(adata, key_added="fitted", specific_weight=weight, **given)
    np.testing.assert_allclose(found, adata.layers["fitted"], atol=1e-6)
    alone = adata.obs["mine_reliability"].to_numpy() == 1
    assert alone[:5].all() == ("noise_sd" in given)
    assert alone.sum() < 8
    shrunk = np.isin(adata.layers["mine_flag"], (1, 2)) & ~alone[:, None]
    assert (found == adata.layers["mine"])[~shrunk & np.isfinite(found)].all()
    if weight == 1:  # the default
        np.testing.assert_allclose(found, adata.layers["mine"], atol=1e-6)
    else:
        kept = shrunk & (adata.layers["mine_qvalue"] > 0.05)
        assert (found != adata.layers["mine"])[kept].mean() > 0.99
    np.testing.assert_array_equal(rt.tl.weighed(adata, 0.7, key="mine")[7], adata.X[7])
    # A part of a screen is weighed as within the whole.
    np.testing.assert_array_equal(rt.tl.weighed(adata[:9, ::2], weight, key="mine"), found[:9, ::2])


def test_what_cannot_be_weighed_is_refused(corrected):
    with pytest.raises(ValueError, match=r"specific_weight parameter must be a number .* Got 2"):
        rt.tl.weighed(corrected, 2)
    with pytest.raises(TypeError, match="specific_weight"):
        rt.tl.weighed(corrected, "1")
    with pytest.raises(ValueError, match="holds no correction under 'other'"):
        rt.tl.weighed(corrected, 1, key="other")
    adata = small()
    correct(adata, retain="all")
    with pytest.raises(ValueError, match=r"retain=\['all'\], where nothing is weighed"):
        rt.tl.weighed(adata, 1)


@pytest.mark.slow
def test_replicates_are_a_column_of_the_drugs():
    adata = small()
    adata.obs["drug"] = [f"d{i // 2}" for i in range(adata.n_obs)]
    model = rt.RTDMF(tol=0.05, crossfit=3).fit(
        adata.X, groups=adata.var["tissue"], replicates=adata.obs["drug"]
    )
    correct(adata, replicate_key="drug")
    np.testing.assert_array_equal(adata.layers["rtdmf"], model.corrected_.astype(np.float32))
    assert adata.uns["rtdmf"]["params"]["replicate_key"] == "drug"
    with pytest.raises(ValueError, match=r"has a column 'name'. They have \['error', 'drug'"):
        rt.pp.correct(adata, replicate_key="name", overwrite=True)


def small():
    """Fewer drugs and lines: for what is told of a correction, not for how good it is."""
    adata = screen(24, 32)
    adata.obs["error"] = np.linspace(0.01, 0.03, 24)
    return adata


def test_known_noise_is_a_number_one_per_drug_or_a_column():
    """All the same as the estimator's; a Series goes by the names of the drugs, in any order."""
    adata = small()
    error = adata.obs["error"].copy()
    groups = {"tissue": adata.var["tissue"]}
    model = rt.RTDMF(tol=0.05, crossfit=3).fit(adata.X, groups=groups, noise_sd=error.to_numpy())
    for given in ("error", list(error), error.to_numpy(), error[::-1]):
        out = correct(adata, noise_sd=given, copy=True)
        np.testing.assert_array_equal(out.layers["rtdmf"], model.corrected_.astype(np.float32))
        np.testing.assert_array_equal(out.obs["rtdmf_noise_sd"], error)
        assert out.uns["rtdmf"]["noise"]["source"] == "given"
    correct(adata, noise_sd=0.02)
    assert (adata.obs["rtdmf_noise_sd"] == 0.02).all()
    assert adata.uns["rtdmf"]["noise"]["sd"] == pytest.approx(0.02)
    # The more noise, the less is kept of a measurement.
    more = correct(adata, noise_sd=0.04, copy=True, key_added="more")
    assert (more.obs["more_reliability"] < adata.obs["rtdmf_reliability"]).all()
    assert more.uns["more"]["noise"]["n_left_alone"] == 0
    # Noise that is hardly there leaves every measurement as it is.
    least = correct(adata, noise_sd=1e-6, copy=True, key_added="least")
    measured = np.isfinite(adata.X)
    np.testing.assert_array_equal(least.layers["least"][measured], adata.X[measured])
    assert least.uns["least"]["noise"]["n_left_alone"] == 24
    assert (least.obs["least_moved"] == 0).all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (
            {"noise_sd": "sd"},
            r"obs has no column 'sd'. It has \['error'\], and there are the layers",
        ),
        ({"noise_sd": 0}, r"noise_sd must be a positive number.* 24 drugs.* Got 0 for 24"),
        ({"noise_sd": -0.1}, r"noise_sd must be a positive number"),
        ({"noise_sd": np.nan}, r"noise_sd must be a positive number.* Got nan"),
        ({"noise_sd": [0.1, 0.2]}, r"noise_sd must be .* one for each of the 24 drugs"),
        ({"noise_sd": [[0.1] * 24]}, r"noise_sd must be .* one for each of the 24 drugs"),
        ({"noise_sd": ["a"] * 24}, r"noise_sd must be .* one for each of the 24 drugs"),
        ({"noise_sd": pd.Series([0.1], ["drug3"])}, "23 drugs of X are not in it: 'drug0'"),
        ({"noise_sd": 0.1, "replicate_key": "error"}, "noise_sd and replicates both tell"),
        ({"noise_sd": 0.1, "retain": "all"}, "noise_sd serves retain='shrink'"),
        ({"noise_sd": 0.1, "preset": "paper"}, "noise_sd serves retain='shrink'"),
        ({"crossfit": 0}, "crossfit is 0. Give crossfit a number of folds, such as 5"),
        ({"crossfit": 1}, "crossfit parameter is a number of folds, at least 2, or 0"),
        ({"coverage": 1}, "coverage parameter must be a number .* Got 1"),
        ({"threshold": "fdr:2"}, "a false discovery rate between 0 and 1, such as 'fdr:0.05'"),
        ({"threshold": "fdr:"}, "a false discovery rate between 0 and 1, such as 'fdr:0.05'"),
    ],
)
def test_what_tells_the_noise_is_checked_and_changes_nothing(kwargs, message):
    adata, untouched = small(), small()
    adata.obs["error"] = untouched.obs["error"] = 0.1
    with pytest.raises(ValueError, match=message):
        correct(adata, **kwargs)
    assert same(adata, untouched)


def test_high_can_be_what_has_a_low_false_discovery_rate(corrected):
    """The fit is the same, the flags are by q-value."""
    out = screen()
    rt.pp.correct(out, threshold="fdr:0.05", progress=False)
    qvalue, flag = out.layers["rtdmf_qvalue"], out.layers["rtdmf_flag"]
    np.testing.assert_array_equal(qvalue, corrected.layers["rtdmf_qvalue"])
    np.testing.assert_array_equal(out.layers["rtdmf_residual"], corrected.layers["rtdmf_residual"])
    assert 0 < (qvalue <= 0.05).sum() < 0.1 * qvalue.size
    np.testing.assert_array_equal(flag >= 2, qvalue <= 0.05)
    # What is more than noise is retained, whether or not in a group.
    assert (flag != 2).all()
    result = out.uns["rtdmf"]
    assert result["params"]["threshold"] == "fdr:0.05"
    assert result["threshold_how"].startswith("false discovery rate 0.05, by residuals of fits")
    assert np.isfinite(result["threshold"])
    assert set(rt.tl.enrichment(out, fdr=0.05)["group"]) == {"skin"}


def test_folds_and_coverage_are_parameters_of_the_model():
    adata = small()
    correct(adata, crossfit=5)
    wide = correct(adata, coverage=0.99, copy=True, key_added="wide")
    assert wide.uns["wide"]["params"]["crossfit"] == 3
    assert adata.uns["rtdmf"]["params"]["crossfit"] == 5
    fits = {key: (out.uns[key]["fits"]["stage"] == "low-rank").sum()
            for key, out in (("wide", wide), ("rtdmf", adata))}  # fmt: skip
    assert fits["rtdmf"] - fits["wide"] == 2
    same_fit = correct(adata, coverage=0.99, crossfit=5, copy=True, key_added="same")
    np.testing.assert_array_equal(same_fit.layers["same"], adata.layers["rtdmf"])
    size = {
        key: out.layers[f"{key}_upper"] - out.layers[f"{key}_lower"]
        for key, out in (("same", same_fit), ("rtdmf", adata))
    }
    assert (size["same"] >= size["rtdmf"]).all()
    assert np.median(size["same"] / size["rtdmf"]) > 1.4
    # Without shrink nothing needs folds, and nothing is said of noise.
    plain = correct(adata, crossfit=0, retain="all", copy=True, key_added="plain")
    assert plain.uns["plain"]["noise"]["source"] == "none"
    assert "threshold_range" not in plain.uns["plain"]
    for name in ("lower", "upper", "sd"):
        assert np.isnan(plain.layers[f"plain_{name}"]).all()
    for name in ("noise_sd", "reliability"):
        assert np.isnan(plain.obs[f"plain_{name}"]).all()
    assert np.isfinite(plain.obs["plain_moved"]).all()


def test_integers_that_are_missing_in_r_are_not_measured(shared_data):
    """As R's integers have no NaN: 121 of them would be minus two billion."""
    adata = anndata.read_h5ad(shared_data("cases/r_integer_na.h5ad"))
    before = adata.X.copy()
    with pytest.warns(UserWarning, match=r"121 entries hold the smallest integer"):
        correct(adata)
    np.testing.assert_array_equal(adata.layers["rtdmf_flag"] == 0, before == -(2**31))
    assert adata.uns["rtdmf"]["found"]["n_integer_na"] == 121
    np.testing.assert_array_equal(adata.X, before)
    assert np.abs(adata.layers["rtdmf"]).max() < 200
    # Analyses of X take them for missing, too.
    adata.var["mutated"] = np.arange(40) % 3 == 0
    table = rt.tl.biomarker(adata, "Dabrafenib", "mutated", layer="X")
    measured = (before[adata.obs_names.get_loc("Dabrafenib")] != -(2**31)).sum()
    assert table["n_mutated"].iloc[0] + table["n_wild_type"].iloc[0] == measured


def test_a_drug_measured_once_is_marked_and_its_intervals_say_so(shared_data):
    adata = rt.io.read_table(shared_data("cases/drug_with_one_line.csv"))
    rt.pp.correct(adata, group_key=None, progress=False)
    few = adata.obs["rtdmf_too_few"]
    assert few.dtype == bool
    assert list(adata.obs_names[few]) == ["Venetoclax"]
    assert adata.uns["rtdmf"]["found"]["n_too_few_drugs"] == 1
    width = adata.layers["rtdmf_upper"] - adata.layers["rtdmf_lower"]
    imputed = adata.layers["rtdmf_flag"] == 0
    assert width[few][imputed[few]].min() > 2 * np.median(width[~few][imputed[~few]])
    assert not adata.var["rtdmf_too_few"].any()


def bounded(layer="X"):
    """IC50-like, on a logarithmic scale, with marks where the largest dose was not enough."""
    adata = small()
    X = 10 * np.asarray(adata.X)
    top = np.nanquantile(X, 0.7, axis=1, keepdims=True)
    top = top + 0.1 * np.random.default_rng(0).random(X.shape)
    marks = (top < X).astype(np.int8)
    stored = np.fmin(X, top)
    stored[np.isnan(X)] = np.nan
    if layer == "X":
        adata.X = stored
        adata.layers["censored"] = marks
    else:
        adata.layers[layer], adata.layers[f"{layer}_censored"] = stored, marks
    return adata, stored, marks


@pytest.mark.parametrize("layer", ["X", "ic50"])
def test_marks_of_bounds_beside_the_matrix_are_obeyed(layer):
    """What a reader leaves of ">8": corrected to no less than 8, and counted."""
    adata, stored, marks = bounded(layer)
    correct(adata, layer=layer)
    model = rt.RTDMF(tol=0.05, crossfit=3).fit(stored, groups=adata.var["tissue"], censored=marks)
    np.testing.assert_array_equal(adata.layers["rtdmf"], model.corrected_.astype(stored.dtype))
    assert (adata.layers["rtdmf"] >= stored)[marks == 1].all()
    assert adata.uns["rtdmf"]["found"]["n_censored"] == (marks == 1).sum()
    weighed = rt.tl.weighed(adata, 0.5)
    assert (weighed >= stored)[marks == 1].all()
    # Marks of one matrix are not those of another.
    del adata.layers["censored" if layer == "X" else "ic50_censored"]
    correct(adata, layer=layer, overwrite=True)
    assert adata.uns["rtdmf"]["found"]["n_censored"] == 0
    assert not (adata.layers["rtdmf"] >= stored)[marks == 1].all()


def test_marks_go_with_parts_of_a_screen_and_through_a_search_for_settings():
    adata, stored, marks = bounded()
    part = adata[::2, 4:].copy()
    correct(part)
    assert part.uns["rtdmf"]["found"]["n_censored"] == (marks[::2, 4:] == 1).sum()
    rt.pp.tune(adata, {"depth": [2]}, tol=0.05, crossfit=3, progress=False)
    assert (adata.layers["rtdmf"] >= stored)[marks == 1].all()


def test_marks_that_are_none_are_refused():
    adata, _, _ = bounded()
    adata.layers["censored"] = adata.layers["censored"] * 3
    with pytest.raises(ValueError, match=r"censored must be 1, 0 or -1 .* Got np.int8\(3\)"):
        correct(adata)
    assert "rtdmf" not in adata.layers


def test_values_that_no_experiment_gives_are_refused_or_kept():
    adata = screen()
    adata.X[3, 5] = adata.X[20, 9] = -999
    untouched = adata.copy()
    with pytest.raises(ValueError, match=r"-999 stands 2 time.*'drug3', cell line 'line5'"):
        correct(adata)
    assert same(adata, untouched)
    with pytest.raises(ValueError, match=r"-999 stands 2 time"):
        rt.pp.tune(adata, {"depth": [2]}, progress=False)
    with pytest.raises(ValueError, match=r"-999 stands 2 time"):
        rt.tl.threshold_path(adata, [0.1], progress=False)
    correct(adata, extreme="keep")
    assert adata.uns["rtdmf"]["found"]["n_extreme"] == 2
    assert (adata.layers["rtdmf"][[3, 20], [5, 9]] == -999).all()
    assert np.sort(adata.layers["rtdmf"].ravel())[2] > -0.5


def test_counts_of_what_was_found_are_stored(corrected):
    found = corrected.uns["rtdmf"]["found"]
    assert set(found.values()) == {0}
    adata = screen()
    adata.uns["measure"]["bounds"] = [0.0, 1.0]
    adata.X[3, 5] = 1.1
    n = int((adata.X > 1).sum())
    correct(adata)
    assert adata.uns["rtdmf"]["found"]["n_outside_bounds"] == n
