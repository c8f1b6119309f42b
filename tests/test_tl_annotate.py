"""Tissue and identifiers from a table that the user has."""

from __future__ import annotations

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt

MODEL = pd.DataFrame(
    {
        "ModelID": ["ACH-000219", "ACH-000552", "ACH-000001", "ACH-000002"],
        "PatientID": ["PT-1", "PT-2", "PT-3", "PT-4"],
        "CellLineName": ["A-375", "HT-29", "NIH:OVCAR-3", "T.T"],
        "StrippedCellLineName": ["A375", "HT29", "NIHOVCAR3", "TT"],
        "CCLEName": ["A375_SKIN", "HT29_LARGE_INTESTINE", "NIHOVCAR3_OVARY", "TT_OESOPHAGUS"],
        "COSMICID": [906793.0, 905939.0, 905933.0, np.nan],
        "SangerModelID": ["SIDM00795", "SIDM00136", None, None],
        "RRID": ["CVCL_0132", "CVCL_0320", "CVCL_0465", None],
        "OncotreeLineage": ["Skin", "Bowel", "Ovary/Fallopian Tube", "Esophagus/Stomach"],
        "OncotreePrimaryDisease": ["Melanoma", "Colorectal", "Ovarian", "Esophageal"],
        "ParentModelID": ["ACH-000552", None, None, None],
    }
)


def screen(lines, drugs=("d",), **var):
    adata = anndata.AnnData(
        np.zeros((len(drugs), len(lines))),
        pd.DataFrame(index=list(drugs)),
        pd.DataFrame(var, index=list(lines)),
    )
    adata.X[0, 0] = 1
    return adata


def told_of(column):
    return list(column.astype(object).where(column.notna(), "-"))


def test_tissue_and_identifiers_are_taken_by_name():
    adata = screen(["A375", "HT29_LARGE_INTESTINE", "OVCAR-3"])
    assert rt.tl.annotate(adata, MODEL) is None
    assert list(adata.var["tissue"]) == ["Skin", "Bowel", "Ovary/Fallopian Tube"]
    assert isinstance(adata.var["tissue"].dtype, pd.CategoricalDtype)
    assert list(adata.var["depmap_id"]) == ["ACH-000219", "ACH-000552", "ACH-000001"]
    assert list(adata.var["cosmic_id"]) == [906793, 905939, 905933]
    assert adata.var["cosmic_id"].dtype == np.int64
    assert list(adata.var["sanger_id"][:2]) == ["SIDM00795", "SIDM00136"]
    assert pd.isna(adata.var["sanger_id"].iloc[2])
    assert list(adata.var["cellosaurus_id"]) == ["CVCL_0132", "CVCL_0320", "CVCL_0465"]
    assert adata.var["ccle_name"].iloc[0] == "A375_SKIN"
    assert list(adata.var) == ["tissue", "ccle_name", "depmap_id", "sanger_id", "cosmic_id",
                               "cellosaurus_id"]  # fmt: skip
    report = adata.uns["annotated_lines"]
    assert report["matched_by"] == {"name": 2, "normalised name": 1}
    assert (report["source"], report["n"]) == ("table", 3)
    assert not len(report["unmatched"])


@pytest.mark.parametrize(
    "name, column, how",
    [
        ("ACH-000219", {}, "depmap_id"),
        ("SIDM00795", {}, "sanger_id"),
        ("x", {"RRID": ["RRID:CVCL_0132"]}, "cellosaurus_id"),
        ("x", {"COSMIC_ID": ["906793.0"]}, "cosmic_id"),
        ("906793", {}, "cosmic_id"),
        ("906793.0", {}, "cosmic_id"),
        ("COSMIC_906793", {}, "cosmic_id"),
    ],
)
def test_lines_are_found_by_whichever_identifier_there_is(name, column, how):
    adata = screen([name], **column)
    rt.tl.annotate(adata, MODEL)
    assert adata.var["depmap_id"].iloc[0] == "ACH-000219"
    assert adata.uns["annotated_lines"]["matched_by"] == {how: 1}


def test_what_there_is_stays_and_gaps_are_filled():
    """A gap reads "nan" or "unknown" where a table was read as text."""
    tissue = pd.Categorical(["melanoma", "nan", "unknown"], ["melanoma", "nan", "other", "unknown"])
    adata = screen(["A375", "HT29", "OVCAR-3"], cosmic_id=[906793.0, np.nan, np.nan])
    adata.var["tissue"] = tissue
    before = adata.copy()
    rt.tl.annotate(adata, MODEL)
    assert list(adata.var["tissue"]) == ["melanoma", "Bowel", "Ovary/Fallopian Tube"]
    assert list(adata.var["tissue"].cat.categories) == ["melanoma", "other", "Bowel",
                                                        "Ovary/Fallopian Tube"]  # fmt: skip
    assert list(adata.var["cosmic_id"]) == [906793.0, 905939.0, 905933.0]
    assert adata.var["cosmic_id"].dtype == np.float64
    rt.tl.annotate(before, MODEL, overwrite=True)
    assert list(before.var["tissue"]) == ["Skin", "Bowel", "Ovary/Fallopian Tube"]
    again = before.copy()
    rt.tl.annotate(again, MODEL)
    assert list(again.uns["annotated_lines"]["columns"]) == []
    pd.testing.assert_frame_equal(again.var, before.var)


def test_those_not_found_are_named():
    adata = screen(["A375", "nobody", "TT", "T-T"])
    message = "lacks 3 of 4 lines: 'nobody'; of these could be several: 'TT', 'T-T'"
    with pytest.warns(UserWarning, match=message) as told:
        rt.tl.annotate(adata, MODEL[["ModelID", "CellLineName", "OncotreeLineage"]])
    assert len(told) == 1
    assert told_of(adata.var["tissue"]) == ["Skin", "-", "-", "-"]
    report = adata.uns["annotated_lines"]
    assert list(report["unmatched"]) == ["nobody", "TT", "T-T"]
    assert list(report["ambiguous"]) == ["TT", "T-T"]
    adata = screen(["A375", "HT29"], depmap_id=["ACH-000552", "ACH-000999"])
    with pytest.warns(UserWarning, match="lacks 1 of 2 lines: 'HT29'"):
        rt.tl.annotate(adata, MODEL)
    assert list(adata.uns["annotated_lines"]["contradicted"]) == ["HT29"]
    assert adata.var["tissue"].iloc[0] == "Bowel"


def test_rows_of_one_line_are_taken_together_unless_they_disagree():
    table = pd.DataFrame(
        {
            "COSMIC_ID": [1, 1, 2, 2, 3],
            "CELL_LINE_NAME": ["p", "p", "q", "q", "r"],
            "TCGA_DESC": ["SKCM", "SKCM", "LUAD", "BRCA", "UNCLASSIFIED"],
            "LN_IC50": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    adata = screen(["P", "Q", "R"])
    with pytest.warns(UserWarning, match="says different things of 1 lines.*: 'Q'"):
        rt.tl.annotate(adata, table)
    assert told_of(adata.var["tissue"]) == ["SKCM", "-", "UNCLASSIFIED"]
    assert list(adata.uns["annotated_lines"]["disagreeing"]) == ["Q"]
    assert list(adata.var["cosmic_id"]) == [1, 2, 3]


@pytest.mark.parametrize(
    "column",
    ["tissue", "lineage", "lineage_1", "TCGA_DESC", "primary_disease", "GDSC\nTissue descriptor 1",
     "Site_Primary", "Cancer Type\n(matching TCGA label)"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["cell_line", "model_name", "Sample Name", "CELL_LINE", "cell"])
def test_columns_are_known_however_tables_call_them(column, name):
    adata = screen(["A375"])
    rt.tl.annotate(adata, pd.DataFrame({name: ["a-375"], column: [" skin "]}))
    assert list(adata.var["tissue"]) == ["skin"]
    adata = screen(["A375"])
    rt.tl.annotate(adata, pd.DataFrame({column: ["skin"]}, index=pd.Index(["a-375"], name=name)))
    assert list(adata.var["tissue"]) == ["skin"]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "txt.gz"])
def test_a_table_may_be_a_file(tmp_path, suffix):
    path = tmp_path / f"model.{suffix}"
    MODEL.to_csv(path, index=False, sep="," if "csv" in suffix else "\t")
    adata = screen(["A375", "HT29"])
    rt.tl.annotate(adata, path, columns="OncotreePrimaryDisease")
    assert list(adata.var["OncotreePrimaryDisease"]) == ["Melanoma", "Colorectal"]
    assert list(adata.var["cosmic_id"]) == [906793, 905939]
    assert adata.uns["annotated_lines"]["source"] == str(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_files_of_spreadsheets_are_read(tmp_path, encoding):
    text = "name;tissue;age\nA375;peau\u00e9;54\nHT29;c\u00f4lon;\n"
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    adata = screen(["A375", "HT29"])
    rt.tl.annotate(adata, tmp_path / "a.csv", columns=["age"])
    assert list(adata.var["tissue"]) == ["peau\u00e9", "c\u00f4lon"]
    assert adata.var["age"].dtype == "Int64"


def test_drugs_are_annotated_too():
    """As with PRISM's list of compounds, which has a row for each screen."""
    table = pd.DataFrame(
        {
            "IDs": ["BRD:BRD-K12345678-001-01-9", "BRD:BRD-K12345678-001-02-7",
                    "BRD:BRD-K00000002-001-01-1"],
            "Drug.Name": ["DABRAFENIB", "DABRAFENIB", "TRAMETINIB"],
            "MOA": ["RAF INHIBITOR", "RAF INHIBITOR", "MEK INHIBITOR"],
            "repurposing_target": ["BRAF", "BRAF", "MAP2K1, MAP2K2"],
            "dose": [2.5, 10, 2.5],
        }
    )  # fmt: skip
    names = ["BRD-K12345678::2.5::HTS", "dabrafenib", "Trametinib [1372]", "Trametinib [2000]"]
    adata = screen(["k"], names)
    rt.tl.annotate(adata, table, axis="drugs")
    assert list(adata.obs["moa"]) == ["RAF INHIBITOR"] * 2 + ["MEK INHIBITOR"] * 2
    assert list(adata.obs["target"]) == ["BRAF"] * 2 + ["MAP2K1, MAP2K2"] * 2
    assert list(adata.obs["broad_id"]) == ["BRD-K12345678"] * 2 + ["BRD-K00000002"] * 2
    assert adata.uns["annotated_drugs"]["matched_by"] == {"broad_id": 1, "normalised name": 3}
    assert not len(adata.var.columns)


def test_gdsc_s_numbers_name_its_drugs():
    table = pd.DataFrame({"DRUG_ID": [1003, 1004], "DRUG_NAME": ["Camptothecin", "Vinblastine"],
                          "PUTATIVE_TARGET": ["TOP1", "Microtubule"],
                          "PATHWAY_NAME": ["DNA replication", "Mitosis"]})  # fmt: skip
    adata = screen(["k"], ["Drug_1004_IC50", "camptothecin"])
    rt.tl.annotate(adata, table, axis="drugs")
    assert list(adata.obs["target"]) == ["Microtubule", "TOP1"]
    assert list(adata.obs["pathway"]) == ["Mitosis", "DNA replication"]
    assert list(adata.obs["drug_id"]) == [1004, 1003]
    # One isomer is not told from the other.
    table = pd.DataFrame({"name": ["(+)-JQ1", "(-)-JQ1"], "target": ["BRD4", "nothing"]})
    adata = screen(["k"], ["JQ1", "(-)-JQ1"])
    with pytest.warns(UserWarning, match="could be several: 'JQ1'|lacks 1 of 2 drugs: 'JQ1'"):
        rt.tl.annotate(adata, table, axis="drugs")
    assert told_of(adata.obs["target"]) == ["-", "nothing"]


def test_columns_keep_their_type():
    table = pd.DataFrame({"name": ["A375", "HT29"], "n": [1, 2], "x": [0.5, np.nan],
                          "yes": [True, False], "label": ["a", "b"]})  # fmt: skip
    adata = screen(["A375", "HT29", "nobody"])
    with pytest.warns(UserWarning, match="lacks 1 of 3"):
        rt.tl.annotate(adata, table, columns=["n", "x", "yes", "label"])
    assert [str(dtype) for dtype in adata.var.dtypes][:3] == ["Int64", "float64", "boolean"]
    assert adata.var["yes"].isna().tolist() == [False, False, True]
    # 0 is a value, and no gap.
    adata = screen(["A375", "HT29"], n=[0, 5])
    rt.tl.annotate(adata, pd.DataFrame({"name": ["A375", "HT29"], "n": [3, 0]}), columns="n")
    assert list(adata.var["n"]) == [0, 5]
    rt.tl.annotate(adata, table.assign(n=[0, 0]), columns="n", overwrite=True)
    assert list(adata.var["n"]) == [0, 0]


def test_the_result_survives_a_file(tmp_path):
    adata = screen(["A375", "HT29", "nobody"])
    with pytest.warns(UserWarning, match="lacks 1 of 3"):
        rt.tl.annotate(adata, MODEL)
    rt.io.write_h5ad(adata, tmp_path / "a.h5ad")
    back = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert list(back.var["cosmic_id"].fillna(0)) == [906793, 905939, 0]
    assert list(back.uns["annotated_lines"]["unmatched"]) == ["nobody"]
    with pytest.warns(UserWarning, match="lacks 1 of 3"):
        rt.tl.annotate(back, MODEL[:2].replace("Skin", "Melanoma"), overwrite=True)
    assert told_of(back.var["tissue"]) == ["Melanoma", "Bowel", "-"]


def test_an_annotated_screen_is_matched_by_identifier():
    one, two = screen(["A375", "HT29"]), screen(["ACH-000552", "SIDM00795"])
    with pytest.raises(ValueError, match="share no cell line"):
        rt.pp.harmonize(one, two)
    for adata in (one, two):
        rt.tl.annotate(adata, MODEL)
    found = rt.pp.harmonize(one, two)
    assert list(found.lines["original"][found.lines["name"] == "A375"]) == ["A375", "SIDM00795"]


@pytest.mark.parametrize(
    "table, kwargs, error, message",
    [
        (MODEL, {"axis": "genes"}, ValueError, r"axis parameter must be one of \['lines', 'drugs'"),
        (MODEL, {"columns": "age"}, ValueError, "table has no column 'age'"),
        (MODEL.iloc[3:], {}, ValueError, "table has none of the 2 lines: they are 'A375', 'HT29'"),
        (MODEL.iloc[:0], {}, ValueError, "table has no rows"),
        (pd.DataFrame({"tissue": ["a"]}), {}, ValueError, "no column of identifiers or names"),
        (pd.DataFrame({"name": ["A375"]}), {}, ValueError, "nothing to take"),
        ({"A375": "skin"}, {}, TypeError, "table must be a table"),
        ("nowhere.csv", {}, FileNotFoundError, "There is no file nowhere.csv"),
        (pd.DataFrame([["a", 1, 2]], columns=["name", "x", "x"]), {}, ValueError, "more than once"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_and_nothing_is_written(table, kwargs, error, message):
    adata = screen(["A375", "HT29"])
    before = adata.copy()
    with pytest.raises(error, match=message):
        rt.tl.annotate(adata, table, **kwargs)
    pd.testing.assert_frame_equal(adata.var, before.var)
    assert not adata.uns
    with pytest.raises(TypeError, match="must be an AnnData"):
        rt.tl.annotate(adata.X, MODEL)


def test_numbers_are_not_filled_with_text():
    adata = screen(["A375", "HT29"], tissue=[1.0, np.nan])
    with pytest.raises(ValueError, match=r"'tissue' holds float64.*such as 'Skin'"):
        rt.tl.annotate(adata, MODEL)
    assert not adata.uns


def test_broken_files_are_refused(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"name,tissue\n" * 50)[:-12])
    (tmp_path / "b.csv").write_text("")
    for name in ("a.csv.gz", "b.csv"):
        with pytest.raises(ValueError, match=r"is empty|damaged or was cut off"):
            rt.tl.annotate(screen(["A375"]), tmp_path / name)


def test_depmap_s_table_annotates_gdsc(shared_data):
    """It has CCLE's names alone; two TT and two KMH2 among them."""
    adata = rt.datasets.gdsc1()[:5].copy()
    known, adata.var = adata.var, adata.var[["tissue"]]
    adata.var = adata.var.drop(columns="tissue")
    with pytest.warns(UserWarning, match="could be several: 'KM-H2', 'KMH-2', 'MS-1', 'T-T', 'TT'"):
        rt.tl.annotate(adata, shared_data("cases") / "Model.csv.gz")
    assert adata.var["depmap_id"].notna().sum() > 950
    skin = known.index[known["tissue"] == "skin"]
    assert (adata.var.loc[skin, "tissue"].dropna() == "Skin").mean() > 0.9


def test_published_tables_agree_on_the_lines(shared_data):
    adata = rt.datasets.gdsc1()[:5].copy()
    known, adata.var = adata.var["cosmic_id"], adata.var[[]]
    with pytest.warns(UserWarning, match="lacks"):
        rt.tl.annotate(adata, shared_data("ctrpv2") / "cells.csv.gz")
    found = adata.var["cosmic_id"].dropna()
    assert len(found) > 560
    assert (found == known[found.index]).all()
    by_number = rt.datasets.gdsc1()[:5].copy()
    del by_number.var["tissue"]
    with pytest.warns(UserWarning, match="lacks 3 of 970"):
        rt.tl.annotate(by_number, shared_data("gdsc1000") / "cells.csv.gz")
    assert by_number.uns["annotated_lines"]["matched_by"] == {"cosmic_id": 967}
