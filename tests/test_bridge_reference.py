"""The readers on PharmacoGx's own example PharmacoSets, against what PharmacoGx itself answers."""

import itertools

import numpy as np
import pandas as pd
import pytest

import r_bridge
from r_bridge._psets import slots
from r_bridge._psets.assemble import assemble
from r_bridge._psets.open import open_pset

MEASURES = ("auc_published", "auc_recomputed", "ic50_published", "ic50_recomputed")
SUMMARIES = ("mean", "median", "first", "last", "max", "min")
GENERATIONS = ("2016", "2019", "2021MAE", "2022a", "current", "TRE")


@pytest.fixture
def folder(shared_data):
    """PharmacoGx's example PharmacoSets, and what it answers in ``reference``."""
    return shared_data("psets")


@pytest.fixture
def file(folder):
    def find(generation):
        (path,) = folder.glob(f"GDSCsmall_{generation}.rd?")
        return path

    return find


@pytest.fixture
def reference(folder):
    def read(measure, summary, fill):
        name = f"GDSCsmall__{measure}__{summary}__fill{str(fill).upper()}.csv.gz"
        return pd.read_csv(folder / "reference" / name, index_col=0, dtype=str).astype(float)

    return read


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_summary_is_pharmacogx_own_to_the_last_bit(generation, backend, file, reference):
    """Names and order included. A TreatmentResponseExperiment has lost the order of experiments."""
    opened = open_pset(file(generation), backend=backend, progress=False)
    pset = slots.read(opened)
    for measure, summary, fill in itertools.product(MEASURES, SUMMARIES, (False, True)):
        settings = {
            "summary": summary,
            "fill_missing": fill,
            "censored": "keep",
            "out_of_range": "keep",
            "combinations": "error",
            "unmatched": "error",
        }
        adata = assemble(pset, measure, (), settings)
        expected = reference(measure, summary, fill)
        assert list(adata.obs_names) == list(expected.index)
        assert list(adata.var_names) == list(expected.columns)
        ours, theirs = adata.X, expected.to_numpy()
        if generation == "TRE" and summary in ("first", "last"):
            once = adata.layers["n_replicates"] < 2
            ours, theirs = ours[once], theirs[once]
        assert np.array_equal(ours, theirs, equal_nan=True), (measure, summary, fill)


def read_ic50(path, **kwargs):
    return r_bridge.read_pset(path, "ic50_recomputed", "median", True, progress=False, **kwargs)


def test_read_pset_itself_answers_so(file, reference):
    adata = read_ic50(file("current"), censored="keep")
    expected = reference("ic50_recomputed", "median", True)
    pd.testing.assert_frame_equal(adata.to_df(), expected, check_names=False, check_exact=True)
    assert adata.uns["pset"]["n_infinite"] == 363
    assert adata.uns["measure"]["higher_is"] == "resistant"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_what_is_not_censored_is_pharmacogx_own(generation, backend, file, reference):
    """And an infinite IC50 is above the largest dose of its experiment, which the file says."""
    adata = read_ic50(file(generation), backend=backend)
    expected, censored = reference("ic50_recomputed", "median", True), adata.layers["censored"]
    assert censored.dtype == np.int8
    assert np.isinf(expected.to_numpy()[censored == 1]).all()
    assert np.array_equal(
        adata.X[censored == 0], expected.to_numpy()[censored == 0], equal_nan=True
    )
    assert np.isfinite(adata.X[censored == 1]).all()
    assert (censored == 1).sum() > 300
    # Of each drug one dose is the largest, in all lines but few.
    for drug in ("Doxorubicin", "etoposide"):
        bounds = adata[drug].X[adata[drug].layers["censored"] == 1]
        assert set(bounds) <= {"Doxorubicin": {1.024}, "etoposide": {16.0}}[drug]


def test_tables_are_pharmacogx_own(file, folder):
    adata = r_bridge.read_pset(file("current"), "auc_recomputed", fill_missing=True, progress=False)
    folder = folder / "reference"
    info = pd.read_csv(folder / "GDSCsmall__sensitivityInfo.csv.gz", index_col=0, dtype=str)
    ours = adata.uns["pset"]["experiments"]
    assert list(ours.index) == list(info.index)
    for name in ("sampleid", "treatmentid"):
        assert list(ours[name]) == list(info[name])
    for table, name in ((adata.var, "sampleInfo"), (adata.obs, "treatmentInfo")):
        theirs = pd.read_csv(folder / f"GDSCsmall__{name}.csv.gz", index_col=0, dtype=str)
        assert list(table.index) == list(theirs.index)
        assert list(table.columns) == [c.replace("tissueid", "tissue") for c in theirs.columns]
        for mine, column in zip(table, theirs, strict=True):
            as_text = table[mine].astype(object).map(str, na_action="ignore")
            assert list(as_text.fillna("NA")) == list(theirs[column].fillna("NA")), column
    number = pd.read_csv(folder / "GDSCsmall__sensNumber.csv.gz", index_col=0).T
    assert np.array_equal(adata.layers["n_replicates"], number)


def test_all_generations_hold_the_same(backend, file):
    first, *others = (
        r_bridge.read_pset(file(name), "auc_recomputed", backend=backend, progress=False)
        for name in GENERATIONS
    )
    for other in others:
        assert np.array_equal(first.X, other.X, equal_nan=True)
        assert list(first.var["tissue"]) == list(other.var["tissue"])
        # The transitional file has lost its table of treatments, but for their names; the first
        # ones kept GDSC's own numbers as drugid.
        if other.obs.shape[1]:
            common = [name for name in other.obs if name != "treatmentid"]
            pd.testing.assert_frame_equal(first.obs[common], other.obs[common])


def test_a_file_with_text_that_is_not_utf8_is_read(needs_r, folder):
    """Small by number of drugs, but too large for a quick test without R."""
    path = folder / "CCLEsmall_current.rda"
    adata = r_bridge.read_pset(path, "auc_recomputed", backend="r")
    assert adata.shape == (24, 504)
    assert "Camptosar\xa0" in set(adata.obs["Compound..brand.name."])


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_written_measure_reads_back_everywhere(generation, needs_r, tmp_path, file, folder):
    """The values PharmacoGx itself wrote: 0.9 times the AUC plus 0.01."""
    adata = r_bridge.read_pset(file(generation), "auc_recomputed", "mean", backend="r")
    adata.layers["corrected"] = 0.9 * adata.X + 0.01
    r_bridge.write_pset(
        *(adata, file(generation), tmp_path / "out.rds", "corrected", "auc_corrected"),
        backend="r",
    )
    for reader in ("rdata", "r"):
        again = r_bridge.read_pset(
            tmp_path / "out.rds", "auc_corrected", backend=reader, progress=False
        )
        assert np.array_equal(again.X, adata.layers["corrected"], equal_nan=True)
    if generation == "TRE":
        return
    written = pd.read_csv(
        folder / "reference" / "GDSCsmall__writeback_auc_corrected_0.9x+0.01.csv.gz",
        dtype={"auc_corrected": str},  # Python's float reads every digit
    )
    opened = open_pset(tmp_path / "out.rds", backend="r")
    ours = slots.read(opened)
    assert list(ours.rows.index) == list(written["exp"])
    single = ~written.duplicated(["treatmentid", "sampleid"], keep=False)
    values = pd.Series(ours.values("auc_corrected"))
    np.testing.assert_allclose(
        values[single], written["auc_corrected"][single].astype(float), rtol=1e-15
    )
