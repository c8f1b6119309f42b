"""The bundled GDSC1 screen."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio.datasets
import rtdmf_bio.io
from rtdmf_bio._adata.layers import named_layers

PROJECT = Path(__file__).parents[1]
BUNDLE = files("rtdmf_bio.datasets") / "data"


@pytest.fixture(scope="module")
def gdsc1() -> ad.AnnData:
    return rtdmf_bio.datasets.gdsc1()


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", PROJECT / "scripts" / "build_gdsc1.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_gdsc1_has_the_published_shape_and_coverage(gdsc1):
    """The documentation and the benchmarks quote these numbers."""
    measured = np.isfinite(gdsc1.X)
    assert gdsc1.shape == (378, 970)
    assert measured.sum() == 315094
    assert measured.sum(axis=1).min() == 99
    assert measured.sum(axis=0).min() == 1
    assert (gdsc1.obs_names.name, gdsc1.var_names.name) == ("drug", "cell_line")
    assert gdsc1.obs_names.is_unique
    assert gdsc1.var_names.is_unique


def test_gdsc1_layers_are_missing_at_the_same_pairs(gdsc1):
    """One mask serves both measures, so results on them can be compared pair by pair."""
    ln_ic50 = gdsc1.layers["ln_ic50"]
    assert gdsc1.X.dtype == ln_ic50.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(gdsc1.X), np.isnan(ln_ic50))


def test_gdsc1_auc_respects_the_bounds_it_states(gdsc1):
    """Corrected values are judged against these bounds."""
    low, high = gdsc1.uns["measure"]["bounds"]
    assert low <= np.nanmin(gdsc1.X) <= np.nanmax(gdsc1.X) <= high


def test_gdsc1_measures_agree_on_the_direction(gdsc1):
    """Both measures claim that higher is resistant, so they must rise together."""
    assert gdsc1.uns["measure"]["higher_is"] == "resistant"
    assert gdsc1.uns["layer_measures"]["ln_ic50"]["higher_is"] == "resistant"
    measured = np.isfinite(gdsc1.X)
    assert np.corrcoef(gdsc1.X[measured], gdsc1.layers["ln_ic50"][measured])[0, 1] > 0.5


@pytest.mark.parametrize("column, groups", [("tissue", 19), ("tissue_subtype", 55)])
def test_gdsc1_gives_every_line_a_tissue(gdsc1, column, groups):
    """A line without a group would silently drop out of the enrichment tests."""
    assert gdsc1.var[column].notna().all()
    assert gdsc1.var[column].nunique() == groups
    assert gdsc1.var[column].value_counts().min() >= 1


@pytest.mark.parametrize(
    "line, facts",
    [
        ("A375", {"tissue": "skin", "tissue_subtype": "melanoma", "BRAF_mut": True}),
        ("HCT-116", {"tissue": "large_intestine", "KRAS_mut": True, "msi": "MSI-H"}),
        ("K-562", {"tissue": "leukemia", "tissue_subtype": "chronic_myeloid_leukaemia"}),
        ("LAMA-84", {"tissue": "leukemia", "BCR-ABL_mut": True}),
        ("T-T", {"tissue_subtype": "oesophagus", "cosmic_id": 1299064}),
        ("TT", {"tissue_subtype": "thyroid", "cosmic_id": 930299}),
        ("KM-H2", {"tissue_subtype": "Hodgkin_lymphoma", "cosmic_id": 909976}),
        ("KMH-2", {"tissue_subtype": "thyroid", "cosmic_id": 1298167}),
        ("NCI-H2869", {"tissue": "lung", "tissue_subtype": "mesothelioma"}),
        ("NCI-H3118", {"tissue": "aero_dig_tract", "tissue_subtype": "head and neck"}),
        ("SNU-16", {"tissue": "digestive_system", "tissue_subtype": "stomach"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_gdsc1_knows_textbook_facts(gdsc1, line, facts):
    """A join shifted by one row, or by a name twice used, would show here."""
    assert {key: gdsc1.var.at[line, key] for key in facts} == facts


def test_gdsc1_says_missing_where_a_line_has_no_sequence(gdsc1):
    """Calling an unsequenced line wild type would bias every biomarker test."""
    mutations = gdsc1.var.filter(regex="_mut$")
    assert mutations.shape[1] == 18
    assert (mutations.dtypes == "boolean").all()
    unsequenced = gdsc1.var_names[mutations.isna().any(axis=1)]
    assert list(unsequenced) == ["HuTu-80", "MES-SA", "SC-1", "SKN"]
    assert mutations.loc[unsequenced].isna().all(axis=None)


def test_gdsc1_shows_that_dabrafenib_hits_braf_mutant_melanoma(gdsc1):
    """The best-known biomarker ties values, drug names, line names and mutations together."""
    melanoma = gdsc1["Dabrafenib", gdsc1.var["tissue_subtype"] == "melanoma"]
    mutant = melanoma.var["BRAF_mut"].to_numpy(dtype=bool)
    auc = melanoma.X.ravel()
    assert np.nanmedian(auc[mutant]) < np.nanmedian(auc[~mutant]) - 0.2


def test_gdsc1_is_a_fresh_object_each_time():
    """Correcting one copy must not change the next."""
    one, two = rtdmf_bio.datasets.gdsc1(), rtdmf_bio.datasets.gdsc1()
    one.X[:] = 0
    one.uns["measure"]["name"] = "changed"
    assert np.nanmax(two.X) > 0
    assert two.uns["measure"]["name"] == "auc"


def test_gdsc1_needs_no_network(monkeypatch):
    """The bundle is for machines without internet."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert rtdmf_bio.datasets.gdsc1().n_obs == 378


def test_gdsc1_is_small_and_carries_its_licences(gdsc1):
    """Below 2 MB keeps the package light; the BSD and Apache licences ask for their notices."""
    assert len((BUNDLE / "gdsc1.h5ad").read_bytes()) < 2_000_000
    notice = (BUNDLE / "LICENSES.md").read_text(encoding="utf-8")
    assert "Copyright (c) 2015- GDSCTools Development Team" in notice
    assert "TERMS AND CONDITIONS" in (BUNDLE / "LICENSE-Apache-2.0.txt").read_text()
    for part in ("matrix", "annotation"):
        source = gdsc1.uns["source"][part]
        assert f"{source['package']} {source['version']}" in notice


def test_gdsc1_survives_write_h5ad(gdsc1, tmp_path):
    """Every type of column it holds is one that a user will hand to us."""
    rtdmf_bio.io.write_h5ad(gdsc1, tmp_path / "copy.h5ad")
    assert_same(ad.read_h5ad(tmp_path / "copy.h5ad"), gdsc1)


def test_importing_datasets_and_io_loads_nothing_heavy():
    """The command line answers --help at once only if these stay out."""
    code = (
        "import sys, rtdmf_bio.datasets, rtdmf_bio.io;"
        "print(*{'numpy', 'pandas', 'anndata', 'h5py', 'pyarrow'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == ""


def test_rebuilding_gives_the_shipped_contents(gdsc1, builder, tmp_path, shared_data):
    """The script is the proof of where the file comes from."""
    builder.write(builder.build(shared_data("gdsc1").parent), tmp_path / "gdsc1.h5ad")
    assert_same(ad.read_h5ad(tmp_path / "gdsc1.h5ad"), gdsc1)


@pytest.mark.parametrize(
    "file, layer, decimals", [("matrix", None, 6), ("matrix_lnic50", "ln_ic50", 4)]
)
def test_rounding_gives_back_the_published_decimals(gdsc1, file, layer, decimals, shared_data):
    """What the file gave up is stated, and nothing more."""
    path = shared_data(f"gdsc1/{file}.csv.gz")
    published = pd.read_csv(path, index_col=0, dtype=str)
    published = published.astype(float)
    stored = gdsc1.to_df(layer).astype(np.float64)
    assert list(stored.index) == list(published.index)
    assert list(stored.columns) == list(published.columns)
    np.testing.assert_array_equal(stored.round(decimals), published.round(decimals))


def test_exact_names_win_over_similar_ones(builder):
    """T-T is an oesophagus line and TT a thyroid line; their normalised names are the same."""
    known = ["TT", "T-T", "Hs 1", "H5"]
    matched = builder.match_lines(["T-T", "TT", "HS-1", "NCI-H5"], known)
    assert matched == {"T-T": "T-T", "TT": "TT", "HS-1": "Hs 1", "NCI-H5": "H5"}


@pytest.mark.parametrize(
    "names, known, message",
    [
        (["T.T"], ["T-T", "TT"], "are alike"),
        (["HeLa"], ["A375"], "No annotation for the cell lines .'HeLa'"),
    ],
    ids=["ambiguous", "unknown"],
)
def test_names_that_cannot_be_matched_stop_the_build(builder, names, known, message):
    """A guess would put a line into the wrong tissue."""
    with pytest.raises(ValueError, match=message):
        builder.match_lines(names, known)


def assert_same(left: ad.AnnData, right: ad.AnnData) -> None:
    np.testing.assert_array_equal(left.X, right.X)
    assert left.X.dtype == right.X.dtype
    assert set(named_layers(left)) == set(named_layers(right))
    for name, layer in named_layers(right).items():
        np.testing.assert_array_equal(left.layers[name], layer)
    pd.testing.assert_frame_equal(left.obs, right.obs)
    pd.testing.assert_frame_equal(left.var, right.var)
    assert set(left.uns) == set(right.uns)
    bounds = left.uns["measure"]["bounds"], right.uns["measure"]["bounds"]
    np.testing.assert_array_equal(*bounds)
    assert repr(sorted_dict(left.uns)) == repr(sorted_dict(right.uns))


def sorted_dict(value: object) -> object:
    if isinstance(value, dict):
        return {key: sorted_dict(value[key]) for key in sorted(value)}
    return value
