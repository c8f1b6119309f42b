"""What is said of a screen, and what it says itself, before anything is computed."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pandas as pd
import pytest

import r_bridge
import rtdmf_bio as rt
from rtdmf_bio._adata.meaning import (
    check_meaning,
    check_orientation,
    in_micromolar,
    kind_of,
    looks_logarithmic,
    spans_decades,
)
from rtdmf_bio._adata.measure import KINDS, as_measure

DRUGS = ["Dabrafenib", "PLX-4720", "Trametinib", "Erlotinib", "Gefitinib", "Lapatinib", "Imatinib",
         "Nilotinib", "Paclitaxel", "Docetaxel", "Olaparib", "Cisplatin"]  # fmt: skip
LINES = ["A375", "COLO-829", "SK-MEL-28", "A549", "HCC827", "PC-9", "MCF7", "T47D", "HT-29",
         "HCT-116", "SW480", "K-562", "MOLT-4", "HL-60", "U-87-MG"]  # fmt: skip


def of(X, drugs=None, lines=None, measure=None):
    n, p = X.shape
    adata = anndata.AnnData(
        X,
        pd.DataFrame(index=drugs or [f"compound {i}" for i in range(n)]),
        pd.DataFrame(index=lines or [f"sample {j}" for j in range(p)]),
    )
    if measure is not None:
        adata.uns["measure"] = dict(measure)
    return adata


def auc(n=12, p=15, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(1.5, 1, (n, 1)) + 0.5 * rng.normal(size=(n, 2)) @ rng.normal(size=(2, p))
    return 1 / (1 + np.exp(-z)) + 0.03 * rng.normal(size=(n, p))


def ln_ic50(n=40, p=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(2, 2, (n, 1)) + rng.normal(size=(n, 2)) @ rng.normal(size=(2, p))
    return X + 0.6 * rng.normal(size=(n, p))


# -- which way round ------------------------------------------------------------------------------


def test_cell_lines_as_obs_are_to_be_turned():
    """Scanpy's way round: every name, group and result would be of the wrong axis."""
    right = of(auc(), DRUGS, LINES)
    right.var["tissue"] = np.resize(["skin", "lung", "colon"], 15)
    before = right.T.copy()
    turned = before.copy()
    for call in (rt.pp.correct, rt.pp.tune):
        with pytest.raises(ValueError, match=r"other way round.*'A375'.*adata = adata\.T") as said:
            call(turned, progress=False)
        assert "--drugs-in columns" in str(said.value)
        assert list(turned.layers) == list(turned.uns) == []
        pd.testing.assert_frame_equal(turned.obs, before.obs)
    check_orientation(right, "tissue")
    check_orientation(turned.T, "tissue")


ONE_SIDE = {
    "lines alone": (LINES, None),
    "drugs alone": (None, DRUGS),
    "by their ids": ([f"ACH-{k:06d}" for k in range(15)], None),
    "as CCLE writes them": ([f"{name.replace('-', '')}_SKIN" for name in LINES], None),
}


@pytest.mark.parametrize(("obs", "var"), ONE_SIDE.values(), ids=ONE_SIDE)
def test_one_known_side_is_enough(obs, var):
    with pytest.raises(ValueError, match="other way round"):
        check_orientation(of(auc().T, obs, var))


def test_groups_of_lines_in_obs_tell_it_where_names_do_not():
    adata = of(auc().T)
    adata.obs["lineage"] = np.resize(["skin", "lung"], 15)
    with pytest.raises(ValueError, match="'lineage', are a column of its obs"):
        check_orientation(adata, ["lineage"])
    check_orientation(adata)
    # Where names say that it is the right way round, the column is no sign.
    drugs = of(auc(), DRUGS, LINES)
    drugs.obs["lineage"] = "x"
    check_orientation(drugs, "lineage")
    with pytest.raises(ValueError, match="no column 'lineage'"):
        rt.pp.correct(drugs, group_key="lineage", progress=False)


UPRIGHT = {
    "a screen": (DRUGS, LINES),
    "compounds by number": ([str(4962 + 17 * k) for k in range(12)], LINES),
    "genes": ([f"GENE{k} ({k})" for k in range(12)], LINES),
    "ids on both sides": ([f"BRD-K{k:08d}" for k in range(12)],
                          [f"ACH-{k:06d}" for k in range(15)]),
    "nothing known": (None, None),
    "lines beside lines": (LINES[:12], LINES),
}  # fmt: skip


@pytest.mark.parametrize(("obs", "var"), UPRIGHT.values(), ids=UPRIGHT)
def test_what_is_the_right_way_round_passes(obs, var):
    check_orientation(of(auc(), obs, var), "tissue")


@pytest.mark.parametrize("name", ["gdsc1", "gdsc1000", "ctrpv2", "ccle", "fimm", "prism"])
def test_published_screens_are_the_right_way_round_and_turned_are_not(name, published):
    adata = published(name)
    assert check_meaning(adata, "X", "tissue") == 0
    with pytest.raises(ValueError, match="other way round"):
        check_orientation(adata.T)


def test_genes_by_lines_pass(shared_data):
    (file,) = shared_data("expression").glob("*.csv.gz")
    table = pd.read_csv(file, index_col=0)
    check_meaning(anndata.AnnData(table), "X")


def test_a_file_of_lines_as_obs_is_refused_and_the_remedy_works(shared_data):
    adata = anndata.read_h5ad(shared_data("cases/lines_as_obs.h5ad"))
    with pytest.raises(ValueError, match="other way round"):
        rt.pp.correct(adata, progress=False)
    assert not adata.layers
    check_meaning(adata.T, "X", "tissue")


# -- concentrations -------------------------------------------------------------------------------

UNITS = {"uM": 1, "µM": 1, "μM": 1, "um": 1, "micromolar": 1, "umol/L": 1, "nM": 1e-3, "[nM]": 1e-3,
         "M": 1e6, "mol/l": 1e6, "mM": 1e3, "pM": 1e-6,
         "ln uM": None, "log10 uM": None, "-log10 M": None, "fraction": None, "%": None,
         "": None, None: None, 3: None}  # fmt: skip


@pytest.mark.parametrize(("unit", "factor"), UNITS.items(), ids=map(str, UNITS))
def test_units_of_concentration_are_known_however_they_are_written(unit, factor):
    assert in_micromolar(unit) == factor


STATED = {
    "by kind": {"kind": "ic50"},
    "by name": {"name": "IC50"},
    "by PharmacoGx's name": {"name": "ic50_recomputed"},
    "by unit": {"name": "potency", "unit": "nM"},
    "GI50": {"name": "GI50", "higher_is": "resistant"},
    "not at all": None,
    "but as logarithms": {"name": "ln_ic50", "unit": "ln uM"},
}


@pytest.mark.parametrize("measure", STATED.values(), ids=STATED)
def test_linear_concentrations_are_refused_with_the_ways_out(measure):
    """A few resistant lines would decide everything, and nobody would know."""
    adata = of(np.exp(ln_ic50()), measure=measure)
    before = adata.copy()
    with pytest.raises(ValueError, match="concentrations on a linear scale") as raised:
        rt.pp.correct(adata, group_key=None, progress=False)
    for way in ("rtdmf_bio.pp.log_concentrations(adata)", "concentration='log'",
                "--concentration log", "concentration='linear'"):  # fmt: skip
        assert way in str(raised.value)
    assert not adata.layers
    np.testing.assert_array_equal(adata.X, before.X)
    with pytest.raises(ValueError, match="concentrations on a linear scale"):
        rt.pp.tune(adata, {"depth": [2]}, group_key=None, progress=False)
    with pytest.raises(ValueError, match="concentrations on a linear scale"):
        rt.tl.stability(adata, group_key=None, progress=False)


def test_of_a_layer_its_own_measure_counts():
    adata = of(ln_ic50(), measure=as_measure("ln_ic50"))
    adata.layers["raw"] = np.exp(adata.X)
    adata.layers["other"] = auc(40, 50)
    adata.uns["layer_measures"] = {"raw": {"name": "IC50"}}
    check_meaning(adata, "X")
    check_meaning(adata, "other")
    with pytest.raises(ValueError, match=r"log_concentrations\(adata, layer='raw'\)"):
        check_meaning(adata, "raw")


def test_logarithms_that_are_called_concentrations_are_told_so():
    """Half of all tables called IC50 hold ln IC50."""
    adata = of(ln_ic50(), measure={"name": "IC50"})
    with pytest.raises(ValueError, match=r"% of the values are 0 or less.*'kind'\] = 'ln_ic50'"):
        check_meaning(adata, "X")
    adata.uns["measure"]["kind"] = "ln_ic50"
    check_meaning(adata, "X")
    # A unit alone says less than the values do: "ln IC50 (uM)" has it, too.
    adata.uns["measure"] = {"name": "IC50, logarithm", "unit": "uM"}
    check_meaning(adata, "X")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_with_values_of_its_own_passes(kind):
    """As they are read: names and bounds of the one table of measures."""
    low, high = KINDS[kind].bounds
    X = auc(40, 50)
    if np.isfinite([low, high]).all():
        X = low + (high - low) * np.clip(X, 0.001, 1)
    elif KINDS[kind].unit.startswith(("ln", "log", "-log", "sd")):
        X = ln_ic50()
    adata = of(X, measure=as_measure(kind))
    if KINDS[kind].linear:
        with pytest.raises(ValueError, match="linear scale"):
            check_meaning(adata, "X")
    check_meaning(adata, "X", concentration="linear")
    assert kind_of(adata.uns["measure"]) == kind


def inert(scale, seed=0):
    """Areas of drugs most of which do nothing: small, above 0, with a long tail."""
    rng = np.random.default_rng(seed)
    low = rng.gamma(1.5, 0.006, (300, 120)) + 1e-4
    return scale * np.where(rng.random((300, 1)) < 0.9, low, rng.beta(1.5, 4, (300, 120)))


NO_CONCENTRATIONS = {
    "AUC": auc(40, 50),
    "AAC": np.maximum(1 - auc(40, 50), 1e-4),
    "inert AAC": inert(1),
    "inert areas": inert(8),
    "inert scores": inert(50),
    "CTRP's AUC": 15 * auc(40, 50),
    "percent": 100 * auc(40, 50),
    "ln IC50": ln_ic50(),
    "pIC50": 9 + ln_ic50() / 3,
}


@pytest.mark.parametrize("X", NO_CONCENTRATIONS.values(), ids=NO_CONCENTRATIONS)
def test_what_is_no_concentration_is_not_taken_for_one(X):
    assert not spans_decades(X)
    for scale in (1, 1e3, 1e-6):
        assert not spans_decades(scale * X[:24, :40])
    check_meaning(of(X), "X")


@pytest.mark.parametrize("unit", [1, 1e3, 1e-6], ids=["uM", "nM", "M"])
@pytest.mark.parametrize("shape", [(40, 50), (24, 40), (300, 15), (120, 300)])
def test_concentrations_are_known_in_every_unit_and_size(shape, unit):
    found = [spans_decades(unit * np.exp(ln_ic50(*shape, seed))) for seed in range(5)]
    assert all(found)


def test_codes_do_not_hide_concentrations_nor_make_them():
    X = np.exp(ln_ic50())
    X[::9, ::7] = 9999999
    with pytest.raises(ValueError, match="linear scale"):
        check_meaning(of(X), "X")
    Y = auc(40, 50)
    Y[::9, ::7] = 9999
    check_meaning(of(Y), "X")
    with pytest.raises(ValueError, match="9999 stands"):
        rt.pp.correct(of(Y), group_key=None, progress=False)


@pytest.mark.parametrize("name", ["gdsc1", "gdsc1000"])
def test_published_concentrations_are_known_by_their_values(name, shared_data):
    table = pd.read_csv(shared_data(f"{name}/matrix_lnic50.csv.gz"), index_col=0)
    check_meaning(anndata.AnnData(table), "X")
    for part in (table, table.iloc[:120, :300], table.iloc[::9, ::19]):
        with pytest.raises(ValueError, match="linear scale"):
            check_meaning(anndata.AnnData(np.exp(part)), "X")


@pytest.mark.parametrize("name", ["ccle/matrix", "fimm/matrix_aac_recomputed"])
def test_published_areas_are_not_taken_for_concentrations(name, shared_data):
    table = pd.read_csv(shared_data(f"{name}.csv.gz"), index_col=0)
    check_meaning(anndata.AnnData(table), "X")
    check_meaning(anndata.AnnData(table.where(table > 0)), "X")


LOGARITHMS = {
    "pIC50": lambda ln: 6 - ln / np.log(10),
    "log10 nM": lambda ln: 3 + ln / np.log(10),
    "ln nM": lambda ln: np.log(1e3) + ln,
}


@pytest.mark.parametrize("turn", LOGARITHMS.values(), ids=LOGARITHMS)
@pytest.mark.parametrize("name", ["gdsc1", "gdsc1000"])
def test_published_logarithms_called_ic50_are_told_so(name, turn, shared_data):
    """A second logarithm would be taken, without a word."""
    table = pd.read_csv(shared_data(f"{name}/matrix_lnic50.csv.gz"), index_col=0)
    adata = anndata.AnnData(turn(table))
    for measure in ({"name": "IC50"}, {"name": "potency", "unit": "nM"}):
        adata.uns["measure"] = measure
        with pytest.raises(ValueError, match=r"look like logarithms already.*--measure pic50"):
            check_meaning(adata, "X")
        check_meaning(adata, "X", concentration="linear")
    adata.uns["measure"] = {"name": "pic50", "kind": "pic50", "higher_is": "sensitive"}
    check_meaning(adata, "X")


@pytest.mark.parametrize("name", ["gdsc1", "gdsc1000", "nci60", "ccle"])
def test_published_concentrations_are_not_taken_for_logarithms(name, shared_data):
    """In any unit, whole and in parts."""
    if name == "nci60":
        table = pd.read_csv(shared_data("nci60/experiments.csv.gz"))
        X = 10 ** (6 - table.iloc[:, 3:].to_numpy(float))
    elif name == "ccle":
        adata = r_bridge.read_pset(
            shared_data("psets/CCLEsmall_current.rda"), "ic50_published", progress=False
        )
        X = adata.X
        assert np.nanmax(X) == 8
    else:
        table = pd.read_csv(shared_data(f"{name}/matrix_lnic50.csv.gz"), index_col=0)
        X = np.exp(table.to_numpy(float))
    rng = np.random.default_rng(0)
    parts = [X, *(X[i : i + 12] for i in range(0, len(X), max(len(X) // 40, 1)))]
    parts += [X[:, rng.permutation(X.shape[1])[:30]] for _ in range(10)]
    parts += [X[np.ix_(rng.permutation(len(X))[:20], rng.permutation(X.shape[1])[:20])]
              for _ in range(50)]  # fmt: skip
    for part in parts:
        for unit in (1, 1e3, 1e-3, 1e-6):
            assert not looks_logarithmic(unit * part)


@pytest.mark.parametrize("name", ["ln_ic50", "pIC50", "log10_ic50"])
def test_concentrations_stated_as_logarithms_are_told_so_and_the_remedy_works(name):
    adata = of(np.exp(ln_ic50()), measure={"name": name})
    with pytest.raises(ValueError, match=f"stated as '{name}', which are logarithms, but its val"):
        check_meaning(adata, "X")
    adata.uns["measure"] = {"name": "IC50", "kind": "ic50", "unit": "uM"}
    rt.pp.log_concentrations(adata)
    check_meaning(adata, "X")


# -- bounds ---------------------------------------------------------------------------------------

FRACTION = {"name": "auc", "higher_is": "resistant", "bounds": [0.0, 1.0]}
CONTRADICT = {
    "percent": (100 * auc(), FRACTION),
    "another AUC": (15 * auc(), {"name": "aac_published", "bounds": [0, 1]}),
    "a score": (45 * auc(), as_measure("aac")),
    "logarithms": (ln_ic50(), {"name": "auc", "bounds": [0, 1]}),
    "fold changes": (-3 * auc(), {"name": "viability", "bounds": [0, np.inf]}),
    "response": (200 * auc(), {"name": "inhibition", "bounds": [-np.inf, 100]}),
}


@pytest.mark.parametrize(("X", "measure"), CONTRADICT.values(), ids=CONTRADICT)
def test_values_that_contradict_their_bounds_are_refused_with_both(X, measure):
    """A unit or a direction that is another one: what is called sensitive may be resistant."""
    adata = of(X, measure=measure)
    with pytest.raises(ValueError, match="do not belong together") as raised:
        rt.pp.correct(adata, group_key=None, progress=False)
    low, high = measure["bounds"]
    share = np.mean((low > X) | (high < X))
    said = str(raised.value)
    assert f"{measure['name']} lies from {low:g} to {high:g}" in said
    assert f"{share:.1%} of the measured values lie outside" in said
    assert f"from {X.min():.4g} to {X.max():.4g}" in said
    del adata.uns["measure"]["bounds"]
    check_meaning(adata, "X")


def test_three_in_a_hundred_far_outside_are_too_many_one_is_not():
    X = np.clip(auc(40, 50), 0, 1)
    for share, refused in ((0.01, False), (0.03, True)):
        Y = X.copy()
        Y.flat[: int(share * Y.size)] = 1.6
        adata = of(Y, measure=FRACTION)
        if refused:
            with pytest.raises(ValueError, match=re.escape("3.0% of the measured values lie out")):
                check_meaning(adata, "X")
        else:
            assert check_meaning(adata, "X") == int(share * Y.size)


def test_noise_around_a_bound_is_counted_and_no_contradiction():
    """A third of the drugs does nothing, and half of their AUC lies above 1 by chance."""
    rng = np.random.default_rng(0)
    X = np.where(np.arange(60)[:, None] < 20, 1.0, 0.7) + 0.05 * rng.normal(size=(60, 90))
    n = int((X > 1).sum())
    assert n > 0.15 * X.size
    assert check_meaning(of(X, measure=FRACTION), "X") == n


@pytest.mark.parametrize("bounds", [None, [], [0], "x", [1, 0], [np.nan, 1], [-np.inf, np.inf], 3])
def test_bounds_that_are_none_bound_nothing(bounds):
    assert check_meaning(of(100 * auc(), measure={"name": "auc", "bounds": bounds}), "X") == 0


def test_published_screens_keep_to_the_bounds_of_their_kind(published):
    kinds = {"gdsc1": "auc", "gdsc1000": "auc", "ccle": "auc", "fimm": "auc",
             "ctrpv2": "auc_ctrp", "prism": "auc_prism"}  # fmt: skip
    for name, kind in kinds.items():
        adata = published(name)
        adata.uns["measure"] = as_measure(kind)
        assert check_meaning(adata, "X") == 0


def test_the_bundled_screen_passes():
    adata = rt.datasets.gdsc1()
    for layer in ("X", "ln_ic50"):
        assert check_meaning(adata, layer, "tissue") == 0
