"""Situations people meet, as small files: each is read to what it says, or refused for what it is.

Each kind has a test on data that the tests make, too: test_io_read, test_io_meaning and
test_bridge_read_r.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt
from rtdmf_bio import cli

# File -> shape, value of the first drug on the first line, kind of measure, names of these two.
READ = {
    "auc.csv": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "bom.csv": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "ccle_names.csv": ((6, 40), 0.1783, None, "Dabrafenib", "A375_SKIN"),
    "ccle_np24.csv": ((8, 16), 6.57362, "activity_area", "Dabrafenib", "A375_SKIN"),
    "censored_ic50.csv": ((8, 10), 0.015, "ic50", "Dabrafenib", "A375"),
    "coderdata_experiments.tsv.gz": ((24, 40), 0.1783, "auc", "SMI_0", "5000"),
    "collide_a.csv": ((12, 4), 0.317, None, "Dabrafenib", "TT"),
    "collide_b.csv": ((12, 3), 0.833, None, "Dabrafenib", "T.T"),
    "ctrp_curves_post_qc.txt": ((24, 40), None, "auc_ctrp", "dabrafenib", "A375"),
    "depmap_custom_auc.csv": (
        (24, 40), 0.17829733721018626, "auc", "DABRAFENIB (CTRP:30000)", "ACH-000100"),
    "depmap_r_drug_sensitivity.csv": (
        (8, 16), -2.4876, "log_fold_change", "dabrafenib", "A375_SKIN"),
    "depmap_rows_are_lines.csv": (
        (24, 40), 0.17829733721018626, "auc", "DABRAFENIB (CTRP:30000)", "ACH-000100"),
    "drevalpy_gdsc.csv": ((8, 16), -4.06721, "ln_ic50", "Dabrafenib", "A375"),
    "drug_with_one_line.csv": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "gcsi_grmetrics.tsv": ((8, 16), 0.8217, "gr_aoc", "Dabrafenib", "A375"),
    "gdsc_fitted.csv": ((24, 40), 0.178297, "auc", "Dabrafenib", "A375"),
    "gdsc_names.csv": ((6, 40), 0.1783, None, "Dabrafenib", "A375"),
    "gdsc_twice.csv": ((25, 40), 0.178297, "auc", "Dabrafenib", "A375"),
    "gdsctools_float_cosmic.csv": (
        (24, 40), -4.067210193731178, "ln_ic50", "Drug_1000_IC50", "900000"),
    "gdsctools_unnamed_index.csv": (
        (24, 40), -4.067210193731178, "ln_ic50", "Drug_1000_IC50", "900000"),
    "german_excel.csv": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "german_one_comma.csv": ((3, 2), 0, None, "Dabrafenib", "A375"),
    "jq1_a.csv": ((2, 4), 0.357, None, "JQ1", "A375"),
    "jq1_b.csv": ((3, 4), 0.761, None, "(+)-JQ1", "A375"),
    "prism_primary.csv": (
        (24, 40), -2.487642937759257, "log_fold_change", "BRD:BRD-K00000000-001-00-0",
        "ACH-000100"),
    "prism_secondary.csv": (
        (12, 16), 0.189, "auc_prism", "dabrafenib [HTS002]", "A375_SKIN"),
    "r_integer_na.h5ad": ((24, 40), 18, None, "Dabrafenib", "A375"),
    "screen.csv.gz": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "screen.csv.zip": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "semicolon_point.csv": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "tabs_named.csv": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "tissue_text_nan.h5ad": ((24, 40), 0.1783, None, "Dabrafenib", "A375"),
    "unicode_minus.csv": ((6, 8), 0.1783, None, "Dabrafenib", "A375"),
    "unicode_text_utf16.txt": ((6, 8), 0.1783, None, "Dabrafenib", "A375"),
    "windows1252.csv": ((24, 8), 0.1783, None, "Dabrafenib", "A375"),
}  # fmt: skip
READ_OF_R = {
    "GDSC2_Res_like.rds": ((24, 40), -4.067210193731178, "ln_ic50", "Dabrafenib_1000",
                           "COSMIC_900000"),
    "pset_ic50_inf.rds": ((24, 40), 0.017125100949327184, "ic50", "Dabrafenib", "A375"),
    "pset_ic50_text.rds": ((24, 40), 0.017125101, "ic50", "Dabrafenib", "A375"),
    "pset_raw_is_table.rds": ((24, 40), 0.821703, "aac", "Dabrafenib", "A375"),
    "r_integer_matrix_with_NA.rds": ((24, 40), None, None, "drug1", "line1"),
    "summarized_experiment.rds": ((24, 40), -4.067210193731178, None, "Dabrafenib_1000",
                                  "COSMIC_900000"),
}  # fmt: skip
REFUSED_OF_R = {
    "pset_auc_named_aac.rds": "839 of 839 values .* go from 1.285 to 15.84",
    "pset_auc_named_aac_ic50.rds": "has the measures .* Pass measure",
    "pset_ids_differ.rds": "609 of 839 experiments have ids that are not in the tables",
}
REFUSED = {
    "Model.csv.gz": "a table of cell lines",
    "ctrp_meta_per_cell_line.txt": "a table of cell lines",
    "ctrp_meta_per_compound.txt": "one of the tables of CTRPv2",
    "ctrp_meta_per_experiment.txt": "one of the tables of CTRPv2",
    "depmap_model.csv": "a table of cell lines",
    "gdsctools_lines.csv": "a table of cell lines",
    "lines_mut_wt.csv": "a table of cell lines",
    "missing_spellings.csv": r"na_values=\['-', '\?', '\.', 'n\.d\.', 'ND'\]",
}


@pytest.fixture
def cases(shared_data):
    return shared_data("cases")


def read(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return rt.io.read(path, quiet=True, **options)


@pytest.mark.parametrize("name", [*READ, *READ_OF_R])
def test_each_is_read_to_what_it_says(cases, name):
    """Shape, names, a value and the measure."""
    shape, value, kind, drug, line = (READ | READ_OF_R)[name]
    adata = read(cases / name)
    assert adata.shape == shape
    assert adata.obs_names[0] == drug
    assert adata.var_names[0] == line
    if value is not None:
        assert adata.X[0, 0] == pytest.approx(value, abs=1e-12)
    assert adata.uns.get("measure", {}).get("kind") == kind


@pytest.mark.parametrize("name", [*REFUSED, *REFUSED_OF_R])
def test_each_other_is_refused_for_what_it_is(cases, name, tmp_path, capsys):
    """By the function and by the command."""
    with pytest.raises(ValueError, match=(REFUSED | REFUSED_OF_R)[name]):
        read(cases / name)
    assert cli.main(["correct", str(cases / name), str(tmp_path / "out.csv")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_every_file_is_in_one_of_the_tables(cases):
    """None is left out, but what is said below."""
    there = {path.name for path in cases.iterdir() if path.suffix != ".md"}
    assert there == {*READ, *READ_OF_R, *REFUSED, *REFUSED_OF_R, "lines_as_obs.h5ad"}


def test_tissue_comes_from_the_same_file(cases):
    """Or from the table that is given."""
    for name, line, tissue in (
        ("gdsc_fitted.csv", "A375", "SKCM"),
        ("gcsi_grmetrics.tsv", "A375", "Skin"),
        ("drevalpy_gdsc.csv", "A375", "SKCM"),
        ("depmap_custom_auc.csv", "ACH-000100", "Skin"),
        ("ctrp_curves_post_qc.txt", "A375", "skin"),
        ("ccle_np24.csv", "A375_SKIN", "skin"),
    ):
        assert read(cases / name).var.loc[line, "tissue"] == tissue
    adata = read(cases / "depmap_rows_are_lines.csv", var=cases / "depmap_model.csv")
    assert adata.var.loc["ACH-000100", "tissue"] == "Skin"
    assert adata.var.loc["ACH-000100", "CellLineName"] == "A375"
    adata = read(cases / "gdsctools_float_cosmic.csv", var=cases / "gdsctools_lines.csv")
    assert adata.var.loc["900000", "tissue"] == "SKCM"
    assert adata.var["CELL_LINE"].notna().all()


def test_the_two_olaparibs_are_a_quarter_apart(cases):
    """As they were made."""
    adata = read(cases / "gdsc_twice.csv")
    two = adata.obs_names[adata.obs["drug_name"] == "Olaparib"]
    assert len(two) == 2
    difference = np.abs(np.diff(adata[two].X, axis=0))
    assert np.nanmedian(difference) == pytest.approx(0.25, abs=0.02)


def test_bounds_in_pharmacosets_are_marked(cases):
    """Infinite ones and those written as text."""
    for name in ("pset_ic50_inf.rds", "pset_ic50_text.rds"):
        adata = read(cases / name)
        assert np.isfinite(adata.X[~np.isnan(adata.X)]).all()
        assert (adata.layers["censored"] == 1).any()


def test_a_measure_whose_values_contradict_it_has_no_direction(cases):
    """The assay is called auc, and holds logarithms."""
    adata = read(cases / "summarized_experiment.rds")
    assert adata.uns["measure"] == {"name": "auc"}
    assert "are none of 'auc'" in adata.uns["read"]["said"]
    assert adata.var.loc["COSMIC_900000", "cosmic_id"] == "900000"
    assert adata.obs.loc["Dabrafenib_1000", "drug_name"] == "Dabrafenib"
    with pytest.raises(ValueError, match="rank correlation with 'ic50_recomputed'"):
        read(cases / "pset_auc_named_aac_ic50.rds", measure="aac_published")


def test_bounds_are_marked(cases):
    """Those above the largest dose and below the smallest."""
    adata = read(cases / "censored_ic50.csv")
    cells = pd.read_csv(cases / "censored_ic50.csv", index_col=0, dtype=str)
    marks = adata.to_df("censored")
    assert ((marks == 1) == cells.apply(lambda c: c.str.startswith(">", na=False))).all().all()
    assert ((marks == -1) == cells.apply(lambda c: c.str.startswith("<", na=False))).all().all()
    assert adata["PLX-4720", "A549"].X[0, 0] == 8


def test_repeats_that_another_column_tells_apart_are_named_by_it(cases):
    """By hand, without any average proposed."""
    for name, columns, found in (
        ("coderdata_experiments.tsv.gz",
         {"drug": "improve_drug_id", "cell_line": "improve_sample_id",
          "value": "dose_response_value"}, "dose_response_metric"),
        ("gdsc_twice.csv",
         {"drug": "DRUG_NAME", "cell_line": "CELL_LINE_NAME", "value": "AUC"}, "DRUG_ID"),
        ("prism_secondary.csv",
         {"drug": "name", "cell_line": "ccle_name", "value": "auc", "drop_unnamed": True},
         "screen_id"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"They differ in the column '{found}'") as info:
            rt.io.read_table(cases / name, layout="long", **columns)
        assert "aggregate" not in str(info.value)
        assert "where=" in str(info.value)


def test_rs_smallest_integer_is_missing(cases):
    """And counted."""
    adata = read(cases / "r_integer_na.h5ad")
    assert np.isnan(adata.X).sum() == 121
    assert np.nanmin(adata.X) >= 0
