"""Concentrations on a logarithmic scale, in the AnnData and on the way through a correction."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt
from rtdmf_bio._adata.measure import measure_of
from rtdmf_bio._adata.record import measure_at

pytestmark = pytest.mark.usefixtures("rough_fits")


def linear(unit="uM", seed=0, dtype=np.float64):
    """IC50 of 30 drugs on 40 lines; a tenth not measured."""
    rng = np.random.default_rng(seed)
    ln = rng.normal(2, 2, (30, 1)) + rng.normal(size=(30, 2)) @ rng.normal(size=(2, 40))
    ln += 0.5 * rng.normal(size=ln.shape)
    factor = {"uM": 1, "nM": 1e3, "M": 1e-6}[unit]
    X = (factor * np.exp(ln)).astype(dtype)
    X[rng.random(X.shape) < 0.1] = np.nan
    adata = anndata.AnnData(
        X,
        pd.DataFrame(index=[f"drug {i}" for i in range(30)]),
        pd.DataFrame({"tissue": np.resize(["skin", "lung"], 40)}, [f"l {j}" for j in range(40)]),
    )
    adata.uns["measure"] = {
        "name": "IC50", "unit": unit, "higher_is": "resistant", "bounds": [0.0, np.inf]
    }  # fmt: skip
    return adata


@pytest.mark.parametrize("unit", ["uM", "nM", "M"])
def test_logarithms_are_of_micromolar_and_can_be_taken_back(unit):
    adata = linear(unit)
    before = adata.copy()
    assert rt.pp.log_concentrations(adata) is None
    np.testing.assert_allclose(adata.X, np.log(linear("uM").X), atol=1e-12)
    factor = {"uM": 1, "nM": 1e3, "M": 1e-6}[unit]
    np.testing.assert_allclose(factor * np.exp(adata.X), before.X, rtol=1e-12)
    measure = adata.uns["measure"]
    assert (measure["name"], measure["kind"], measure["unit"]) == ("ln_IC50", "ln_ic50", "ln uM")
    assert (measure["higher_is"], measure["linear_unit"]) == ("resistant", unit)
    assert list(measure["bounds"]) == [-np.inf, np.inf]
    rt.pp.correct(adata, progress=False)
    with pytest.raises(ValueError, match="stated as 'ln_IC50', of which no logarithms are taken"):
        rt.pp.log_concentrations(adata)


def test_a_layer_keeps_to_itself_and_a_copy_leaves_the_original():
    adata = linear(dtype=np.float32)
    adata.layers["ec50"] = adata.X * 2
    adata.uns["layer_measures"] = {"ec50": {"name": "EC50", "unit": "µM"}, "x": {"name": "x"}}
    before = adata.copy()
    out = rt.pp.log_concentrations(adata, layer="ec50", copy=True)
    assert out.layers["ec50"].dtype == np.float32
    np.testing.assert_allclose(out.layers["ec50"], np.log(2 * adata.X), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(out.X, before.X)
    np.testing.assert_array_equal(adata.layers["ec50"], before.layers["ec50"])
    assert measure_of(out, "ec50")["name"] == "ln_EC50"
    assert measure_of(out, "x") == measure_of(adata, "x") == {"name": "x"}
    assert out.uns["measure"] == before.uns["measure"] == adata.uns["measure"]
    assert measure_of(adata, "ec50")["name"] == "EC50"


def test_marks_of_bounds_and_infinite_values_stay_and_noise_of_linear_values_goes():
    adata = linear()
    adata.X[3, 4] = np.inf
    adata.layers["censored"] = np.zeros(adata.shape, dtype=np.int8)
    adata.layers["censored"][3, 5] = 1
    adata.obs["replicate_sd"] = 0.5
    with pytest.warns(UserWarning, match=r"obs\['replicate_sd'\] is deleted"):
        rt.pp.log_concentrations(adata)
    assert adata.layers["censored"].sum() == 1
    assert np.isposinf(adata.X[3, 4])
    assert "replicate_sd" not in adata.obs


def test_without_a_statement_micromolar_is_meant_and_counts_are_numbers():
    adata = linear()
    del adata.uns["measure"]
    adata.X = np.rint(np.nan_to_num(100 * adata.X) + 1).astype(np.int64)
    values = adata.X.copy()
    rt.pp.log_concentrations(adata)
    np.testing.assert_array_equal(adata.X, np.log(values))
    assert adata.uns["measure"]["name"] == "ln_concentration"
    assert adata.uns["measure"]["higher_is"] == "resistant"


def test_a_view_becomes_an_object_of_its_own():
    adata = linear()
    view = adata[:20]
    rt.pp.log_concentrations(view)
    np.testing.assert_array_equal(view.X, np.log(adata.X[:20]))
    assert adata.uns["measure"]["name"] == "IC50"


def test_what_is_no_concentration_is_counted_and_nothing_changes():
    adata = linear()
    adata.X[2, 3], adata.X[2, 4], adata.X[9, 1] = 0, 0, -999
    before = adata.copy()
    with pytest.raises(ValueError, match="no concentrations") as raised:
        rt.pp.log_concentrations(adata)
    said = str(raised.value)
    measured = np.isfinite(adata.X).sum()
    assert f"3 of {measured} values are no concentrations: 2 are 0, 1 below, down to -999" in said
    assert "drug 'drug 2', cell line 'l 3'" in said
    np.testing.assert_array_equal(adata.X, before.X)
    assert adata.uns["measure"] == before.uns["measure"]
    adata.uns["measure"] = {"name": "auc"}
    with pytest.raises(ValueError, match="stated as 'auc', of which no logarithms are taken"):
        rt.pp.log_concentrations(adata)
    with pytest.raises(TypeError, match="must be an AnnData"):
        rt.pp.log_concentrations(adata.X)


@pytest.mark.parametrize("code", [9999, 999999])
def test_a_code_for_missing_concentrations_is_refused_before_it_looks_like_one(code):
    """ln 9999 is 9.2, where the logarithm of a resistant line may well lie."""
    adata = linear()
    adata.X = np.minimum(adata.X, 500)
    adata.X[2, 3:7] = code
    for call in (
        lambda: rt.pp.log_concentrations(adata),
        lambda: rt.pp.correct(adata, concentration="log", progress=False),
    ):
        with pytest.raises(ValueError, match=rf"4 values are {code}, far .*== {code}\] = numpy"):
            call()
    rt.pp.log_concentrations(adata[3:].copy())


# -- in a correction ------------------------------------------------------------------------------


def test_a_correction_of_logarithms_says_so_and_leaves_x_alone(tmp_path):
    """Everything stored is of one scale, and named by it: nothing compares uM with ln uM."""
    adata, before = linear("nM"), linear("nM")
    rt.pp.correct(adata, concentration="log", progress=False)
    logged = rt.pp.log_concentrations(linear("nM"), copy=True)
    rt.pp.correct(logged, progress=False)
    np.testing.assert_array_equal(adata.X, before.X)
    assert adata.uns["measure"] == before.uns["measure"]
    for name in ("rtdmf", "rtdmf_residual", "rtdmf_upper", "rtdmf_flag"):
        np.testing.assert_array_equal(adata.layers[name], logged.layers[name])
    np.testing.assert_array_equal(adata.layers["rtdmf_ln"], logged.X)
    assert adata.uns["rtdmf"]["layer"] == "rtdmf_ln"
    rt.io.write_h5ad(adata, tmp_path / "a.h5ad")
    for one in (adata, anndata.read_h5ad(tmp_path / "a.h5ad")):
        for layer in ("rtdmf", "rtdmf_ln"):
            assert measure_at(one, layer)["unit"] == "ln uM"
            assert measure_at(one, layer)["name"] == "ln_IC50"
        assert measure_at(one, "rtdmf_specific")["name"] == "ln_IC50, specific part"
    assert set(rt.tl.enrichment(adata)["side"]) == {"resistant", "sensitive"}
    # Analyses compare logarithms with logarithms.
    adata.var["mutated"] = np.arange(40) % 3 == 0
    one, other = adata.copy(), logged
    other.var["mutated"] = one.var["mutated"]
    pd.testing.assert_frame_equal(
        rt.tl.biomarker(one, "drug 0", "mutated"), rt.tl.biomarker(other, "drug 0", "mutated")
    )


def test_a_correction_afterwards_of_something_else_leaves_nothing_of_it_behind():
    adata = linear()
    rt.pp.correct(adata, concentration="log", progress=False)
    adata.layers["auc"] = 1 / (1 + np.exp(-np.log(adata.X) / 4))
    rt.pp.correct(adata, layer="auc", overwrite=True, progress=False)
    assert "rtdmf_ln" not in adata.layers
    assert measure_of(adata, "rtdmf") == measure_of(adata, "rtdmf_ln") == {}
    assert adata.uns["rtdmf"]["layer"] == "auc"


def test_linear_values_are_corrected_when_asked_for():
    adata = linear()
    rt.pp.correct(adata, concentration="linear", progress=False)
    assert adata.uns["rtdmf"]["layer"] == "X"
    assert "layer_measures" not in adata.uns
    assert np.nanmax(adata.layers["rtdmf"]) > 100


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        ({"name": "auc"}, {"concentration": "log"}, "of which no logarithms are taken"),
        ({}, {"concentration": "ln"}, "concentration parameter must be one of"),
        ({}, {"concentration": "log", "noise_sd": "replicate_sd"}, "noise of the linear values"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(change, given, said):
    adata = linear()
    adata.uns["measure"] = {**adata.uns["measure"], **change}
    adata.obs["replicate_sd"] = 0.1
    with pytest.raises(ValueError, match=said):
        rt.pp.correct(adata, progress=False, **given)
    assert not adata.layers
    assert set(adata.uns) == {"measure"}


def test_a_search_for_settings_wants_logarithms_first():
    with pytest.raises(ValueError, match=r"log_concentrations\(adata\) first"):
        rt.pp.tune(linear(), {"depth": [2]}, concentration="log", progress=False)


def test_the_published_concentrations_come_out_as_from_their_logarithms(shared_data):
    table = pd.read_csv(shared_data("gdsc1000/matrix_lnic50.csv.gz"), index_col=0).iloc[:40, :80]
    table = table.dropna(how="all").dropna(how="all", axis=1)
    plain, taken = anndata.AnnData(table), anndata.AnnData(np.exp(table))
    rt.pp.correct(plain, group_key=None, progress=False)
    rt.pp.correct(taken, group_key=None, concentration="log", progress=False)
    # Rounding of the exponential; EM stops at a relative change of 1e-6.
    np.testing.assert_allclose(taken.layers["rtdmf"], plain.layers["rtdmf"], atol=1e-3)


# -- units and logarithms -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["IC50_nM", "IC50 (nM)", "potency_nM", "ic50nm"])
def test_the_unit_in_the_name_is_the_unit(name):
    adata = linear("nM")
    adata.uns["measure"] = {"name": name}
    rt.pp.log_concentrations(adata)
    np.testing.assert_allclose(adata.X, np.log(linear("uM").X), atol=1e-12)
    measure = adata.uns["measure"]
    assert (measure["unit"], measure["linear_unit"]) == ("ln uM", "nM")
    assert "nm" not in measure["name"].lower()


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ({"name": "IC50", "unit": "ng/ml"}, "The unit 'ng/ml' is none of a concentration"),
        ({"name": "IC50", "unit": "log10 nM"}, "The unit 'log10 nM' is none"),
        ({"name": "IC50 (ng/ml)"}, r"The unit 'IC50 \(ng/ml\)' is none"),
        ({"name": "IC50_nM", "unit": "uM"}, "says nM, but the unit is stated as 'uM'"),
        ({"name": "IC50_nM (uM)"}, "two units, nM and uM"),
    ],
)
def test_a_unit_that_is_not_understood_or_contradicted_is_refused(measure, message):
    adata = linear()
    adata.uns["measure"] = measure
    before = adata.X.copy()
    with pytest.raises(ValueError, match=message):
        rt.pp.log_concentrations(adata)
    np.testing.assert_array_equal(adata.X, before)


def test_no_second_logarithm_is_taken():
    adata = linear()
    adata.X = 6 - np.log10(adata.X)
    adata.uns["measure"] = {"name": "IC50"}
    for take in (
        lambda: rt.pp.log_concentrations(adata),
        lambda: rt.pp.correct(adata, concentration="log", group_key=None, progress=False),
    ):
        with pytest.raises(ValueError, match=r"look like logarithms already.*--measure pic50"):
            take()


def test_linear_values_stated_as_logarithms_are_taken_after_the_remedy():
    adata = linear()
    adata.uns["measure"] = {"name": "ln_ic50", "kind": "ln_ic50", "unit": "ln uM"}
    with pytest.raises(ValueError, match="of which no logarithms are taken") as raised:
        rt.pp.log_concentrations(adata)
    remedy = "{'name': 'IC50', 'kind': 'ic50', 'unit': 'uM'}"
    assert f"adata.uns['measure'] = {remedy}" in str(raised.value)
    adata.uns["measure"] = {"name": "IC50", "kind": "ic50", "unit": "uM"}
    rt.pp.log_concentrations(adata)
    np.testing.assert_allclose(adata.X, np.log(linear().X))
