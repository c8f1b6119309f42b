"""Tables as people hold them: what is said in another way, and what is no measurement."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt
from rtdmf_bio import cli
from rtdmf_bio._adata.measure import as_measure, kind_name
from rtdmf_bio.io import read_table

sys.path.insert(0, str(Path(__file__).parent))
import made_files as made
from made_files import AUC, DRUGS, LINES

NAN = np.nan
LONG = {"layout": "long"}


def written(folder: Path, text: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def noted(path: Path, **options):
    """Read, and return also what was said about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        adata = read_table(path, **options)
    # anndata warns of what it does with pandas.
    said = " ".join(str(w.message) for w in caught if w.category is UserWarning)
    assert list(adata.uns.get("read_table", {}).get("notes", [])) == (
        [part.rstrip(".") for part in said.split(": ", 1)[1].split("; ")] if said else []
    )
    return adata, said


# Text in other forms ------------------------------------------------------------------------------

FORMS = {
    "semicolons": ("drug;A;B\nx;1.5;2\ny;;4\n", "utf-8"),
    "decimal commas": ("drug;A;B\nx;1,5;2\ny;;4\n", "utf-8"),
    "one decimal comma": ("drug;A;B\nx;1,5;2\ny;;4,0\n", "utf-8"),
    "decimal commas in quotes": ('drug,A,B\nx,"1,5",2\ny,,"4,0"\n', "utf-8"),
    "tabs, named csv": ("drug\tA\tB\nx\t1.5\t2\ny\t\t4\n", "utf-8"),
    "bars": ("drug|A|B\nx|1.5|2\ny||4\n", "utf-8"),
    "spaces": ('"A" "B"\n"x" 1.5 2\n"y" NA 4\n', "utf-8"),
    "UTF-16": ("drug\tA\tB\r\nx\t1.5\t2\r\ny\t\t4\r\n", "utf-16"),
    "UTF-16 without a mark": ("drug\tA\tB\r\nx\t1.5\t2\r\ny\t\t4\r\n", "utf-16-le"),
    "UTF-16, the other end": ("drug,A,B\r\nx,1.5,2\r\ny,,4\r\n", "utf-16-be"),
    "UTF-8 with a mark": ("drug,A,B\nx,1.5,2\ny,,4\n", "utf-8-sig"),
    "a comma at each end": ("drug,A,B,\nx,1.5,2,\ny,,4,\n", "utf-8"),
    "a comma at each end of the rows": ("drug,A,B\nx,1.5,2,\ny,,4,\n", "utf-8"),
    "a comma at the end of the header": ("drug,A,B,\nx,1.5,2\ny,,4\n", "utf-8"),
    "comments above": ("# made by us\n#, really\ndrug,A,B\nx,1.5,2\ny,,4\n", "utf-8"),
    "comments between": ("drug,A,B\nx,1.5,2\n# half way\ny,,4\n# end\n", "utf-8"),
    "a header that begins with #": ("#drug,A,B\nx,1.5,2\ny,,4\n", "utf-8"),
    "errors of a spreadsheet": ("drug,A,B\nx,1.5,2\ny,#DIV/0!,4\n", "utf-8"),
}


@pytest.mark.parametrize("form", FORMS)
def test_text_is_read_in_the_form_it_has(tmp_path, form):
    """Nothing need be said of it."""
    text, encoding = FORMS[form]
    adata, said = noted(written(tmp_path, text, encoding=encoding))
    np.testing.assert_array_equal(adata.X, [[1.5, 2], [NAN, 4]])
    assert list(adata.obs_names) == ["x", "y"]
    assert list(adata.var_names) == ["A", "B"]
    assert ("decimal mark" in said) == ("decimal" in form)
    assert ("lines that begin with '#'" in said) == form.startswith("comments")


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip", ".zst"])
@pytest.mark.parametrize("named", [True, False])
def test_packed_text_is_known_by_its_first_bytes(tmp_path, suffix, named):
    """Whatever it is called."""
    path = made.wide(tmp_path)
    content = path.read_bytes()
    packed = tmp_path / (f"packed.csv{suffix}" if named else "packed.csv")
    if suffix == ".zip":
        packed.write_bytes(made.zipped(tmp_path).read_bytes())
    elif suffix == ".zst":
        pyarrow = pytest.importorskip("pyarrow")
        with pyarrow.output_stream(str(packed), compression="zstd") as stream:
            stream.write(content)
    else:
        pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
        packed.write_bytes(pack(content))
    np.testing.assert_array_equal(read_table(packed).X, AUC)


def test_windows_text_is_told(tmp_path):
    """Its letters beyond ASCII stand in names only."""
    path = written(tmp_path, "drug,A\nAra-Cµ,1\n", encoding="cp1252")
    adata, said = noted(path)
    assert list(adata.obs_names) == ["Ara-Cµ"]
    assert "read as Windows-1252" in said
    assert read_table(path, encoding="latin-1").obs_names[0] == "Ara-Cµ"
    with pytest.raises(ValueError, match=r"is not text in ascii .* Pass another encoding"):
        read_table(path, encoding="ascii")
    with pytest.raises(ValueError, match="There is no encoding 'ebcdic-x'"):
        read_table(path, encoding="ebcdic-x")


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("drug;A\nx;1,234\n", {}, "whether the comma of '1,234' is the decimal mark"),
        ("drug;A;B\nx;1,5;2.5\n", {}, "whether the comma of '1,5' is the decimal mark"),
        ("drug;A;B\nx;1,5;2.5\n", {"decimal": ","}, "holds numbers with points; decimal=','"),
        ("drug;A;B\nx;1,5;2\n", {"decimal": "."}, "whether the comma of '1,5'"),
        ('drug,A\nx,1\n"y,2\nz,3\n', {}, "line 3: a quote opens there that is not closed"),
        ('drug,A\nx,1\n"y,2\nz",3\nu,4,5\n', {}, "line 5: 3 cells"),
        ('drug,A\nx,1\n"y\nz",2,3\n', {}, "line 4: 3 cells.* quote opens a cell of 2 lines"),
        ("Our screen\n\ndrug,A,B\nx,1,2\n", {}, "line 3: 3 cells.* pass skip_rows"),
        ("drug,A,\nx,1,\ny,2,3\n", {}, "lacks 1 of 2 names"),
        ("drug,A\nx,12 uM\n", {}, "'12 uM' in row 'x', column 'A'. Correct '12 uM' in the file"),
        ("drug,A\nx,1*\ny,n.d.\n", {}, r"na_values=\['n.d.'\]. Correct '1\*' in the file"),
        ("drug,A\nx,2020-03-01\n", {}, "Correct '2020-03-01' in the file"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_asked(tmp_path, text, options, message):
    """And nothing with a digit in it is called missing."""
    with pytest.raises(ValueError, match=message) as info:
        read_table(written(tmp_path, text), **options)
    advised = str(info.value).partition("na_values=")[2].partition("]")[0]
    assert not any(map(str.isdigit, advised))


def test_rows_above_the_header_are_skipped_on_request(tmp_path):
    """A title, as people write above a table."""
    path = written(tmp_path, "Our screen\n\ndrug,A,B\nx,1,2\n")
    np.testing.assert_array_equal(read_table(path, skip_rows=2).X, [[1, 2]])


def test_signs_of_word_processors_are_signs(tmp_path):
    """A minus as typeset, and comparisons of one character."""
    path = written(tmp_path, "drug,A,B,C\nx,\u22121.5,\u20130.2,3\ny,\u22648,\u22650.1,2\n")
    adata, _ = noted(path)
    np.testing.assert_array_equal(adata.X, [[-1.5, -0.2, 3], [8, 0.1, 2]])
    np.testing.assert_array_equal(adata.layers["censored"], [[0, 0, 0], [-1, 1, 0]])


@pytest.fixture
def book(tmp_path):
    """An Excel file of a title, a table and another sheet."""
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "auc"
    for row in (["Our screen"], [], ["drug", "A", "B", None], ["x", 0.1, ">8"], [7, None, 2]):
        sheet.append(row)
    workbook.create_sheet("empty")
    workbook.save(tmp_path / "one.xlsx")
    workbook.create_sheet("ic50").append(["drug", "A"])
    workbook["ic50"].append(["x", 5])
    workbook.save(tmp_path / "two.xlsx")
    return tmp_path


def test_excel_is_read_with_its_sheets(book):
    """Numbers keep their digits, names of drugs may be numbers."""
    adata, said = noted(book / "one.xlsx", skip_rows=2)
    np.testing.assert_array_equal(adata.X, [[0.1, 8], [NAN, 2]])
    assert list(adata.obs_names) == ["x", "7"]
    assert "1 values are bounds" in said
    np.testing.assert_array_equal(read_table(book / "two.xlsx", sheet="ic50").X, [[5]])
    np.testing.assert_array_equal(read_table(book / "two.xlsx", sheet=2).X, [[5]])
    with pytest.raises(ValueError, match=r"2 sheets with content: \['auc', 'ic50'\]. Pass sheet"):
        read_table(book / "two.xlsx")
    with pytest.raises(ValueError, match="has no sheet 'dss'"):
        read_table(book / "two.xlsx", sheet="dss")
    with pytest.raises(ValueError, match="If the header is further down, pass skip_rows"):
        read_table(book / "one.xlsx")
    with pytest.raises(ValueError, match=r"two.xlsx is no text, which sep and encoding are for"):
        read_table(book / "two.xlsx", sheet="auc", sep=";", encoding="utf-8")
    with pytest.raises(ValueError, match="is no Excel file and has no sheet"):
        read_table(made.wide(book), sheet="auc")
    (book / "broken.xlsx").write_bytes((book / "one.xlsx").read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"cut off|cannot be read"):
        read_table(book / "broken.xlsx")


def test_names_that_excel_made_dates_are_refused(tmp_path):
    """SEPT2 and MARCH1 are genes, and so are their dates."""
    openpyxl = pytest.importorskip("openpyxl")
    import datetime

    workbook = openpyxl.Workbook()
    for row in (["drug", "A"], [datetime.datetime(2020, 3, 1), 1.0]):
        workbook.active.append(row)
    workbook.save(tmp_path / "dates.xlsx")
    with pytest.raises(ValueError, match="is a date: a spreadsheet has turned a name"):
        read_table(tmp_path / "dates.xlsx")


# Bounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_bounds_are_marked_left_out_or_refused(tmp_path, layout):
    """An IC50 beyond the doses is known to be so."""
    if layout == "wide":
        path = written(tmp_path, "drug,A,B,C\nx,>8,0.5,< 0.01\ny,1,>=8,2\n")
    else:
        path = written(
            tmp_path,
            "drug,cell_line,value\nx,A,>8\nx,B,0.5\nx,C,< 0.01\ny,A,1\ny,B,>=8\ny,C,2\n",
        )
    adata, said = noted(path, layout=layout)
    np.testing.assert_array_equal(adata.X, [[8, 0.5, 0.01], [1, 8, 2]])
    np.testing.assert_array_equal(adata.layers["censored"], [[1, 0, -1], [0, 1, 0]])
    assert adata.layers["censored"].dtype == np.int8
    assert "3 values are bounds such as '>8', taken at the bound and marked" in said
    adata, said = noted(path, layout=layout, censored="nan")
    np.testing.assert_array_equal(adata.X, [[NAN, 0.5, NAN], [1, NAN, 2]])
    assert "censored" not in adata.layers
    assert "set to missing" in said
    with pytest.raises(ValueError, match=r"3 values are bounds, the first >8 in .*'A'"):
        read_table(path, layout=layout, censored="error")
    with pytest.raises(ValueError, match="censored parameter must be one of"):
        read_table(path, layout=layout, censored="drop")


def test_bounds_among_replicates_mark_their_summary(tmp_path):
    """To both sides they say nothing."""
    path = written(tmp_path, "drug,A,A,B,B\nx,>8,6,>8,<2\n")
    adata, _ = noted(path, aggregate="mean")
    np.testing.assert_array_equal(adata.X, [[7, 5]])
    np.testing.assert_array_equal(adata.layers["censored"], [[1, 0]])


def test_turned_tables_keep_their_bounds(tmp_path):
    """The marks turn with the values."""
    path = written(tmp_path, "line,x,y\nA,>8,1\nB,2,3\n")
    adata, _ = noted(path, drugs="columns")
    np.testing.assert_array_equal(adata.layers["censored"], [[1, 0], [0, 0]])


# What is no measurement ---------------------------------------------------------------------------


def test_text_and_identifiers_annotate_and_counts_are_left_out(tmp_path):
    """A nameless count, ids that became floats, text, and an empty column among them."""
    path = written(
        tmp_path,
        ",COSMIC_ID,tissue,note,organ,Drug_1,Drug_2\n"
        "0,905940.0,skin,,leg,0.5,1\n1,905949.0,lung,,chest,0.25,\n2,905950.0,skin,,arm,0,2\n",
    )
    adata, said = noted(path, drugs="columns")
    assert list(adata.var_names) == ["905940", "905949", "905950"]
    assert list(adata.obs_names) == ["Drug_1", "Drug_2"]
    np.testing.assert_array_equal(adata.X, [[0.5, 0.25, 0], [1, NAN, 2]])
    assert list(adata.var["tissue"]) == ["skin", "lung", "skin"]
    assert set(adata.var.columns) == {"tissue", "note", "organ"}
    assert "left out the column '', which counts the rows" in said
    assert "took 'tissue', 'note', 'organ' as annotation" in said


def test_rows_of_text_annotate_the_columns(tmp_path):
    """Tissue below the header, as spreadsheets have it."""
    path = written(
        tmp_path, "drug,A,B,C\ntissue,skin,lung,skin\ncosmic_id,5,6,7\nx,0.1,0.2,0.3\ny,1,2,3.5\n"
    )
    adata, said = noted(path)
    assert list(adata.obs_names) == ["x", "y"]
    assert list(adata.var["tissue"]) == ["skin", "lung", "skin"]
    assert list(adata.var["cosmic_id"]) == [5, 6, 7]
    assert "took the rows 'tissue', 'cosmic_id' as annotation" in said


@pytest.mark.parametrize("axis", ["row", "column"])
def test_another_scale_is_refused_by_name(tmp_path, axis):
    """An identifier among measurements, whatever it is called."""
    X = AUC.copy()
    if axis == "row":
        X[3] = 900000 + np.arange(X.shape[1])
    else:
        X[:, 3] = 900000 + np.arange(X.shape[0])
    path = made.rows(tmp_path, "scale.csv", ["drug", *LINES],
                     [[DRUGS[i], *X[i]] for i in range(len(DRUGS))])  # fmt: skip
    name = DRUGS[3] if axis == "row" else LINES[3]
    with pytest.raises(ValueError, match=f"the {axis} '{name}' has values around 9000.* unit"):
        read_table(path)
    if axis == "column":
        adata, _ = noted(path, obs_columns=[LINES[3]])
        assert adata.shape == (len(DRUGS), len(LINES) - 1)
        assert list(adata.obs[LINES[3]]) == list(X[:, 3])
        with pytest.raises(ValueError, match="annotate its rows, which are drugs"):
            read_table(path, var_columns=[LINES[3]])


def test_concentrations_of_drugs_may_differ_a_thousandfold(tmp_path):
    """Paclitaxel acts at nM, temozolomide hardly at mM."""
    X = AUC * 10.0 ** np.linspace(-3, 3, len(DRUGS))[:, None]
    path = made.rows(tmp_path, "ic50.csv", ["drug", *LINES],
                     [[DRUGS[i], *X[i]] for i in range(len(DRUGS))])  # fmt: skip
    np.testing.assert_array_equal(read_table(path).X, X)


def test_nameless_rows_are_counted_and_left_out_on_request(tmp_path):
    """By default each needs its name."""
    path = written(tmp_path, "drug,A,,B\nx,1,2,3\n,4,5,6\ny,7,8,9\n")
    adata, said = noted(path, drop_unnamed=True)
    np.testing.assert_array_equal(adata.X, [[1, 3], [7, 9]])
    assert "left out 1 rows without a name" in said
    assert "left out 1 columns without a name" in said
    long = written(tmp_path, "drug,cell_line,value\nx,A,1\n,A,2\nx,NA,3\ny,A,4\n", "long.csv")
    with pytest.raises(ValueError, match="drop_unnamed=True"):
        read_table(long, **LONG)
    adata, said = noted(long, drop_unnamed=True, **LONG)
    np.testing.assert_array_equal(adata.X, [[1], [4]])
    assert "left out 2 rows without a name of drug or cell line" in said


# Long tables --------------------------------------------------------------------------------------

HEADER = "drug,cell_line,screen,metric,RMSE,auc\n"


def test_the_column_that_tells_repeats_apart_is_named_before_any_average(tmp_path):
    """Two screens are not two repeats of one."""
    path = written(tmp_path, HEADER + "x,A,S1,m,0.1,1\nx,A,S2,m,0.2,2\nx,B,S1,m,0.3,3\n")
    with pytest.raises(ValueError, match="They differ in the column 'screen'") as info:
        read_table(path, value="auc", **LONG)
    said = str(info.value)
    assert "which has 'S1', 'S2'. Keep one of these, where={'screen': 'S1'}" in said
    assert "or keep them apart, drug=['drug', 'screen']" in said
    assert "aggregate" not in said
    adata = read_table(path, value="auc", where={"screen": "S2"}, **LONG)
    np.testing.assert_array_equal(adata.X, [[2]])
    adata = read_table(path, value="auc", drug=["drug", "screen"], **LONG)
    assert list(adata.obs_names) == ["x [S1]", "x [S2]"]
    adata, said = noted(path, value="auc", aggregate="mean", **LONG)
    np.testing.assert_array_equal(adata.X, [[1.5, 3]])
    assert "combined rows that differ in the column 'screen'" in said
    assert adata.uns["read_table"]["replicates"]["largest_spread"] == 1


def test_metrics_are_filtered_and_never_averaged_or_named(tmp_path):
    """A mean of an area and an IC50 is nothing."""
    path = written(tmp_path, HEADER + "x,A,S1,auc,0.1,1\nx,A,S1,ic50,0.1,2\n")
    with pytest.raises(ValueError, match=r"column 'metric'.*they measure different") as info:
        read_table(path, value="auc", **LONG)
    assert "keep them apart" not in str(info.value)


def test_repeats_that_nothing_tells_apart_may_be_averaged(tmp_path):
    """Numbers that go with the measurement tell nothing."""
    many = "".join(f"x,L{k},S1,m,{0.01 * k + 0.001},{k}\n" for k in range(60))
    again = "".join(f"x,L{k},S1,m,{0.01 * k + 0.002},{k + 1}\n" for k in range(60))
    path = written(tmp_path, HEADER + many + again)
    with pytest.raises(ValueError, match=r"60 pairs .*Pass aggregate='mean'"):
        read_table(path, value="auc", **LONG)


def test_rows_that_are_there_twice_are_left_out_and_counted(tmp_path):
    """To the last cell; files are concatenated."""
    path = written(tmp_path, HEADER + "x,A,S1,m,0.1,1\nx,A,S1,m,0.1,1\nx,B,S1,m,0.3,3\n")
    adata, said = noted(path, value="auc", **LONG)
    np.testing.assert_array_equal(adata.X, [[1, 3]])
    assert "left out 1 rows that repeat another to the last cell" in said


def test_rows_are_chosen_by_values_of_columns(tmp_path):
    """One or several; as text, or as numbers that became floats."""
    path = written(tmp_path, "drug,cell_line,dose,value\nx,A,2.5,1\nx,B,10.0,2\ny,A,10,3\n")
    adata = read_table(path, where={"dose": 2.5}, **LONG)
    np.testing.assert_array_equal(adata.X, [[1]])
    assert read_table(path, where={"dose": ["2.5", "10.0"], "drug": "x"}, **LONG).shape == (1, 2)
    with pytest.raises(ValueError, match=r"no row with 'dose' of \['7'\]. It has '10', '10.0'"):
        read_table(path, where={"dose": 7}, **LONG)
    with pytest.raises(ValueError, match="no column 'lab'"):
        read_table(path, where={"lab": 7}, **LONG)
    with pytest.raises(ValueError, match="has no row with all of"):
        read_table(path, where={"dose": 2.5, "drug": "y"}, **LONG)


def test_columns_of_a_long_table_annotate(tmp_path):
    """They have one value for each drug, or line."""
    path = written(
        tmp_path,
        "drug,cell_line,target,tissue,plate,value\nx,A,T1,skin,1,1\nx,B,T1,lung,2,2\ny,A,T2,skin,1,3\n",
    )
    adata = read_table(path, obs_columns=["target"], var_columns=["tissue", "plate"], **LONG)
    assert list(adata.obs["target"]) == ["T1", "T2"]
    assert list(adata.var["tissue"]) == ["skin", "lung"]
    assert list(adata.var["plate"]) == [1, 2]
    with pytest.raises(ValueError, match="'plate' has several values for the drug 'x'"):
        read_table(path, obs_columns=["plate"], **LONG)
    with pytest.raises(ValueError, match="no column 'moa'"):
        read_table(path, obs_columns=["moa"], **LONG)


def test_annotation_is_matched_by_the_column_named(tmp_path):
    """DepMap's tables begin with an identifier, and screens go by names."""
    path = made.wide(tmp_path)
    models = made.model_table(tmp_path)
    adata = read_table(path, var=models, var_key="CellLineName")
    assert list(adata.var["OncotreeLineage"]) == list(made.TISSUES)
    adata = read_table(path, var=pd.read_csv(models), var_key="CellLineName")
    assert list(adata.var["OncotreeLineage"]) == list(made.TISSUES)
    with pytest.raises(ValueError, match="no column 'Name'"):
        read_table(path, var=models, var_key="Name")
    with pytest.raises(ValueError, match="has no column 'Name'"):
        read_table(path, var=pd.read_csv(models), var_key="Name")


def test_identifiers_that_became_floats_match_their_annotation(tmp_path):
    """905940.0 is 905940, as number and as text."""
    path = written(tmp_path, "COSMIC_ID,x,y\n905940.0,1,2\n905949.0,3,4.5\n")
    lines = written(tmp_path, "COSMIC_ID,tissue\n905949,lung\n905940,skin\n", "lines.csv")
    adata = read_table(path, drugs="columns", var=lines)
    assert list(adata.var_names) == ["905940", "905949"]
    assert list(adata.var["tissue"]) == ["skin", "lung"]


def test_ccle_names_tell_the_tissue(tmp_path):
    """It stands behind the name."""
    path = written(tmp_path, "drug,A375_SKIN,HL60_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE\nx,1,2\n")
    adata = rt.io.read(path, quiet=True)
    assert list(adata.var["tissue"]) == ["skin", "haematopoietic_and_lymphoid_tissue"]


def test_what_excel_leaves_is_passed_over(tmp_path):
    """A first line that tells the separator, empty columns, and averages below and beside."""
    path = written(tmp_path, "sep=;\ndrug;A;B;;\nx;1,5;2;;\ny;;4;;\n")
    adata, said = noted(path)
    np.testing.assert_array_equal(adata.X, [[1.5, 2], [NAN, 4]])
    assert "left out" in said
    path = written(tmp_path, "drug,A,B,Mean\nx,1.5,2,1.75\ny,,4,4\nAverage,1.5,3,2.25\n")
    adata, said = noted(path)
    np.testing.assert_array_equal(adata.X, [[1.5, 2], [NAN, 4]])
    assert list(adata.obs["Mean"]) == [1.75, 4]
    assert list(adata.var["Average"]) == [1.5, 3]


def test_a_long_table_read_as_wide_is_told(tmp_path):
    """Instead of advising to average it."""
    path = made.rows(tmp_path, "long.csv", ("drug", "cells", "potency"),
                     [(DRUGS[i], LINES[j], AUC[i, j]) for i, j in made.pairs()])  # fmt: skip
    for read in (read_table, rt.io.read):
        with pytest.raises(ValueError, match=r"as in a long table.*Pass layout='long'") as info:
            read(path)
        assert "aggregate" not in str(info.value)
    columns = {"cell_line": "cells", "value": "potency"}
    np.testing.assert_array_equal(rt.io.read(path, quiet=True, **columns, **LONG).X, AUC)


def test_a_screen_at_one_dose_is_no_raw_data(tmp_path):
    """Its viabilities are what there is."""
    table = [(DRUGS[i], LINES[j], 2.5, AUC[i, j]) for i, j in made.pairs()]
    path = made.rows(tmp_path, "single.csv", ("drug", "cell_line", "dose", "viability"), table)
    adata = rt.io.read(path, quiet=True)
    np.testing.assert_array_equal(adata.X, AUC)
    assert adata.uns["measure"]["kind"] == "viability"


@pytest.mark.parametrize("suffix", [".parquet", ".xlsx"])
def test_typed_columns_are_recognised_like_text(tmp_path, suffix):
    """Identifiers are numbers there, and gaps make them floats."""
    frame = pd.DataFrame(made.gdsc_rows(), columns=list(made.GDSC))
    frame["COSMIC_ID"] = frame["COSMIC_ID"].astype(float)
    frame.loc[frame["CELL_LINE_NAME"] == "A549", "COSMIC_ID"] = NAN
    path = tmp_path / f"fitted{suffix}"
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    else:
        pytest.importorskip("openpyxl")
        frame.to_excel(path, index=False)
    adata = rt.io.read(path, quiet=True)
    np.testing.assert_allclose(adata.X, AUC)
    assert adata.var.loc["A375", "cosmic_id"] == 905000
    assert pd.isna(adata.var.loc["A549", "cosmic_id"])
    assert adata.obs.loc["Dabrafenib", "drug_id"] == 1000


@pytest.mark.parametrize(
    "text, names",
    [
        ('"","X","COSMIC_ID","D1"\n"1",0,905940,1.5\n"2",1,905949,2\n', ["905940", "905949"]),
        ("Unnamed: 0,cell_line,D1\n0,A375,1.5\n1,A549,2\n", ["A375", "A549"]),
        (",D1,D2\n0,1.5,2\n1,2,2\n", ["0", "1"]),
        ("tissue,cell_line,D1\nskin,A375,1.5\nskin,A549,2\n", ["A375", "A549"]),
        ("cell_line,tissue,D1\nA375,skin,1.5\nA549,skin,2\n", ["A375", "A549"]),
    ],
)
def test_names_of_rows_are_where_they_are(tmp_path, text, names):
    """Behind counts, behind a label, or all there is."""
    adata, _ = noted(written(tmp_path, text), drugs="columns")
    assert list(adata.var_names) == names
    np.testing.assert_array_equal(adata["D1"].X, [[1.5, 2]])


@pytest.mark.parametrize(
    "text, message",
    [
        ("<!DOCTYPE html>\n<html></html>\n", "is a web page, and no data"),
        ("version https://git-lfs.github.com/spec/v1\noid x\n", "is a pointer of git LFS"),
        ("drug,A375\nx,45%\n", "Correct '45%' in the file"),
        ("drug,A375\nx,0.5 uM\n", "Correct '0.5 uM' in the file"),
        ("drug,cell_line,potency\nx,a,1\ny,b,2\n", "a single column of numbers, 'potency'"),
    ],
)
def test_what_is_no_table_of_numbers_is_named(tmp_path, text, message):
    """Downloads that failed, and units beside numbers."""
    with pytest.raises(ValueError, match=message):
        rt.io.read(written(tmp_path, text))


def test_gct_is_read(tmp_path):
    """Two lines above the header, and a column of descriptions."""
    text = "#1.2\n2\t2\nName\tDescription\tA375\tA549\nx\tone\t1\t2\ny\ttwo\t3\t4.5\n"
    adata = rt.io.read(written(tmp_path, text, "screen.gct"), quiet=True)
    np.testing.assert_array_equal(adata.X, [[1, 2], [3, 4.5]])
    assert list(adata.obs["Description"]) == ["one", "two"]


# What a fresh pair of eyes found ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, kind, unit",
    [
        ("-log10(IC50)", "pic50", "-log10 M"),
        ("neg_log10_GI50", "pic50", "-log10 M"),
        ("log10(IC50)", "log10_ic50", "log10 uM"),
        ("ln IC50", "ln_ic50", "ln uM"),
        ("IC50 (\u00b5M)", "ic50", "uM"),
        ("IC50_nM", "ic50", "nM"),
        ("EC50 [uM]", "ec50", "uM"),
        ("IC50nM", "ic50", "nM"),
        ("IC50_nm", "ic50", "nM"),
        ("ic50_nM_published", "ic50", "nM"),
        ("nM IC50", "ic50", "nM"),
        ("IC50 [nmol/L]", "ic50", "nM"),
        ("IC50 (nanomolar)", "ic50", "nM"),
        ("GI50_umol_per_l", "gi50", "uM"),
        ("IC50_M", "ic50", "M"),
        ("LN_IC50_nM", "ln_ic50", "ln nM"),
        ("log10_IC50_nM", "log10_ic50", "log10 nM"),
        ("log10(GI50 [uM])", "log10_gi50", "log10 uM"),
        ("-log10(IC50 nM)", "pic50", "-log10 nM"),
        ("-log10(IC50 [M])", "pic50", "-log10 M"),
        ("AUC (%)", "auc_percent", "% of full viability"),
        ("Viability (%)", "percent_viability", "% of control"),
        ("AAC", "aac", "fraction of full response"),
    ],
)
def test_names_of_measures_keep_sign_and_unit(name, kind, unit):
    """A minus turns the direction over; nM are not uM."""
    assert kind_name(name) == kind
    assert as_measure(kind, name)["unit"] == unit


@pytest.mark.parametrize(
    "name",
    [
        "-ln(IC50)",
        "logIC50",
        "DSS (%)",
        "potency",
        "IC90",
        "IC50 (ng/ml)",
        "IC50_ug_ml",
        "10 uM, 5 nM",
    ],
)
def test_measures_that_are_not_known_stay_so(name):
    """Which logarithm, and of what, nobody says."""
    assert kind_name(name) is None


def test_measures_must_fit_their_values(tmp_path):
    """What a file says is left open where values contradict it; what a user says is refused."""
    path = made.rows(tmp_path, "long.csv", ("drug", "cell_line", "AUC"),
                     [(DRUGS[i], LINES[j], 100 * AUC[i, j]) for i, j in made.pairs()])  # fmt: skip
    adata = rt.io.read(path, quiet=True)
    assert adata.uns["measure"] == {"name": "AUC"}
    assert "are none of 'AUC', which is 0 to 1" in adata.uns["read"]["said"]
    wide = made.rows(tmp_path, "wide.csv", ["drug", *LINES],
                     [[DRUGS[i], *(100 * AUC[i])] for i in range(len(DRUGS))])  # fmt: skip
    with pytest.raises(ValueError, match=r"measure='auc' cannot be: values from .* to .* are none"):
        rt.io.read(wide, measure="auc")
    assert rt.io.read(wide, measure="AUC (%)", quiet=True).uns["measure"]["kind"] == "auc_percent"


@pytest.mark.parametrize(
    "text, message",
    [
        ("drug,A375,HT-29,MCF7\nDabrafenib,.1,.9,.8\n\ndrug,MCF7,A375,HT-29\nPaclitaxel,.2,.3,.4\n",
         "row 3 repeats the header, as where several tables"),
        ("drug,A375,HT-29,,drug,PC-9\nDabrafenib,.1,.9,,Paclitaxel,.3\n",
         "the column 'drug' stands twice, as where tables are side by side"),
        ("A375,HT-29,MCF7\n0.642,0.301,0.088\n0.847,0.2,0.3\n", "holds numbers such as '0.642'"),
        (",Skin,Lung,Skin\n,A375,A549,UACC-62\nDabrafenib,.1,.2,.3\n",
         r"two rows of names, \['Skin', 'Lung', 'Skin'\] above \['A375'"),
        (",Skin,,Lung\n,A375,UACC-62,A549\nDabrafenib,.1,.2,.3\n", "two rows of names"),
        ("drug,A375,A375 SD,MCF7,MCF7 SD\nx,1.5,.1,2,.2\n", "has spreads .*'A375 SD'"),
        ("drug,A375,MCF7\nx,0.5 uM,50 nM\ny,.1,.2\n", "first '0.5 uM' in row 'x'"),
        ("drug,A375,MCF7\nx,0.12 \u00b1 0.03,1\ny,0.5 \u00b1 0.1,2\n", "0.12 .* column 'A375'"),
    ],
)  # fmt: skip
def test_tables_that_would_be_read_wrong_are_refused(tmp_path, text, message):
    """Several in one file, names that are lost, names of two levels, spreads and units."""
    with pytest.raises(ValueError, match=message) as info:
        rt.io.read(written(tmp_path, text))
    assert "aggregate" not in str(info.value)
    assert "drop_unnamed" not in str(info.value)


def test_a_column_is_no_annotation_for_how_it_begins(tmp_path):
    """A drug that was not tested on the first lines of a long list."""
    lines = [f"L{k},{'not tested' if k < 60 else k},{k + 0.5}" for k in range(120)]
    path = written(tmp_path, "cell_line,D1,D2\n" + "\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"na_values=\['not tested'\]"):
        read_table(path, drugs="columns")
    adata = read_table(path, drugs="columns", na_values="not tested")
    assert np.isnan(adata["D1"].X).sum() == 60


@pytest.mark.parametrize(
    "header", [",cell_line,tissue", "Unnamed: 0,cell_line,tissue", ",name,tissue"]
)
def test_the_index_of_a_part_of_a_table_is_no_name(tmp_path, header):
    """Rows 3, 5 and 6 of a longer one."""
    path = written(tmp_path, f"{header},D1\n3,A375,skin,.1\n5,MCF7,breast,.2\n6,A549,lung,.3\n")
    adata, said = noted(path, drugs="columns")
    assert list(adata.var_names) == ["A375", "MCF7", "A549"]
    assert list(adata.var["tissue"]) == ["skin", "breast", "lung"]
    assert "which counts the rows" in said


def test_identifiers_without_a_title_stay_names(tmp_path):
    """They are too large to count rows."""
    path = written(tmp_path, ",tissue,D1\n905940,skin,.1\n905949,breast,.2\n905950,lung,.3\n")
    adata, _ = noted(path, drugs="columns")
    assert list(adata.var_names) == ["905940", "905949", "905950"]


def test_what_is_computed_or_said_beside_a_table_is_no_drug(tmp_path):
    """Age, mutations, extremes and totals."""
    path = written(
        tmp_path,
        "cell_line,Age,BRAF_mut,Max,D1,D2\nA375,55,1,.3,.1,.3\nMCF7,69,0,.4,.2,.4\n"
        "Grand Total,124,1,.7,.3,.7\n",
    )
    adata, _ = noted(path, drugs="columns")
    assert list(adata.obs_names) == ["D1", "D2"]
    assert list(adata.var_names) == ["A375", "MCF7"]
    assert list(adata.var["Age"]) == [55, 69]


def test_options_for_what_is_no_table_are_obeyed_or_refused(tmp_path):
    """A measure among layers, annotation and turning; nothing is passed over."""
    path = made.gdsc_fitted(tmp_path)
    rt.io.write_h5ad(rt.io.read(path, quiet=True), tmp_path / "a.h5ad")
    adata = rt.io.read(tmp_path / "a.h5ad", measure="ln_ic50", quiet=True)
    np.testing.assert_allclose(adata.X, made.LN_IC50)
    np.testing.assert_allclose(adata.layers["auc"], AUC)
    assert adata.uns["measure"]["kind"] == "ln_ic50"
    assert adata.uns["layer_measures"]["auc"]["kind"] == "auc"
    models = made.model_table(tmp_path)
    adata = rt.io.read(
        tmp_path / "a.h5ad", var=models, var_key="CellLineName", transpose=True, quiet=True
    )
    assert list(adata.obs["OncotreeLineage"]) == list(made.TISSUES)
    with pytest.raises(ValueError, match="has no measure 'dss'"):
        rt.io.read(tmp_path / "a.h5ad", measure="dss")
    with pytest.raises(ValueError, match=r"is no table, which \['na_values', 'sep'\] are for"):
        rt.io.read(tmp_path / "a.h5ad", sep=";", na_values=[-999])


def test_advice_can_be_followed(tmp_path, capsys):
    """Where a filter is advised, it works; a line is told apart as a line."""
    path = made.prism_secondary(tmp_path)
    adata = rt.io.read(path, where={"screen_id": "MTS010"}, quiet=True)
    assert list(adata.obs_names) == ["dabrafenib"]
    with pytest.raises(ValueError, match="where is for long tables"):
        rt.io.read(made.wide(tmp_path), where={"drug": "x"})
    text = "drug,cell_line,COSMIC_ID,value\nx,KMH2,1,.1\nx,KMH2,2,.2\n"
    with pytest.raises(ValueError, match=r"cell_line=\['cell_line', 'COSMIC_ID'\]"):
        read_table(written(tmp_path, text), **LONG)
    text = "drug,cell_line,replicate,value\nx,A,1,.1\nx,A,2,.2\n"
    with pytest.raises(ValueError, match=r"column 'replicate'.* or, if they repeat .*'mean'"):
        read_table(written(tmp_path, text), **LONG)
    out = tmp_path / "out.csv"
    wanted = ["--where", "screen_id=MTS010", "--quiet"]
    assert cli.main(["correct", str(path), str(out), *wanted]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_other_tables_of_one_measurement_a_row_are_read(tmp_path):
    """By what their columns are called."""
    for drug, line, value, kind in (
        ("inhibitor", "lab_id", "auc", "auc"),
        ("cpd_name", "ccl_name", "area_under_curve", "auc_ctrp"),
        ("DRUG_ID", "COSMIC_ID", "LN_IC50", "ln_ic50"),
        ("agent", "cell_line", "GR_AOC", "gr_aoc"),
    ):
        path = made.rows(tmp_path, "long.csv", (drug, line, value),
                         [(f"d{i}", f"l{j}", AUC[i, j]) for i, j in made.pairs()])  # fmt: skip
        adata = rt.io.read(path, quiet=True)
        np.testing.assert_array_equal(adata.X, AUC)
        assert adata.uns["measure"]["kind"] == kind


def test_titles_above_a_table_are_left_out(tmp_path):
    """Padded with commas, or not."""
    table = "drug,A,B,C\nx,1,2.5,3\ny,4,5,6\n"
    for title in ("Our screen\n", "Our screen,,,\n\n", "Lab,2020\n"):
        adata, said = noted(written(tmp_path, title + table))
        np.testing.assert_array_equal(adata.X, [[1, 2.5, 3], [4, 5, 6]])
        assert "left out 1 lines above the header" in said


def test_one_sheet_with_numbers_is_the_one_that_is_meant(tmp_path):
    """Beside one that explains."""
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    workbook.active.append(["Read me: this is our screen", 2020])
    sheet = workbook.create_sheet("data")
    for row in (["Our screen"], ["drug", *LINES], *([DRUGS[i], *AUC[i]] for i in range(3))):
        sheet.append(list(row))
    workbook.save(tmp_path / "two.xlsx")
    np.testing.assert_array_equal(rt.io.read(tmp_path / "two.xlsx", quiet=True).X, AUC[:3])


def test_rows_that_are_there_twice_in_a_wide_table_are_left_out(tmp_path):
    """With all their values; others are replicates."""
    adata, said = noted(written(tmp_path, "drug,A,B\nx,1,2\ny,3,\nx,1,2\ny,3,\n"))
    np.testing.assert_array_equal(adata.X, [[1, 2], [3, NAN]])
    assert "left out 2 rows that repeat another" in said


def test_columns_that_look_like_repeats_are_told(tmp_path):
    """As pandas writes names that were there twice."""
    _, said = noted(written(tmp_path, "drug,A375,A375.1,MCF7\nx,1,2,3\ny,1,2,3.5\n"))
    assert "columns such as 'A375.1' look like repeats" in said
    _, said = noted(written(tmp_path, "drug,A375_rep1,A375_rep2,MCF7\nx,1,2,3\ny,1,2,3.5\n"))
    assert "'A375_rep1', 'A375_rep2' look like repeats" in said


def test_a_tissue_of_all_lines_is_theirs(tmp_path):
    """As in GDSC's download of one tissue."""
    rows = [(*row[:6], "SKCM", *row[7:]) for row in made.gdsc_rows()]
    path = made.rows(tmp_path, "SKCM.csv", made.GDSC, rows)
    assert set(rt.io.read(path, quiet=True).var["tissue"]) == {"SKCM"}


def test_formats_asked_for_must_fit(tmp_path):
    """By one line."""
    with pytest.raises(ValueError, match="is no GDSC fitted dose response: it has other columns"):
        rt.io.read(made.wide(tmp_path), format="gdsc_fitted")
    with pytest.raises(TypeError, match="measure must be the name of one"):
        rt.io.read(made.wide(tmp_path), measure=3)


def test_the_name_of_a_file_tells_concentrations(tmp_path):
    """They would be corrected on a linear scale otherwise, without a word."""
    path = made.wide(tmp_path, "our_IC50.csv")
    adata = rt.io.read(path, quiet=True)
    assert adata.uns["measure"]["kind"] == "ic50"
    assert "taken for ic50 by the name of the file" in adata.uns["read"]["said"]
    for name in ("our_ln_IC50.csv", "ic50x.csv"):
        assert "measure" not in rt.io.read(made.wide(tmp_path, name), quiet=True).uns
    assert rt.io.read(path, measure="auc", quiet=True).uns["measure"]["kind"] == "auc"


NANO = 1000 * AUC


@pytest.mark.parametrize(
    "name", ["our_IC50_nM.csv", "IC50(nM).csv", "IC50nM.csv", "IC50_nM_2020.csv", "ic50_nm.csv"]
)
def test_the_unit_in_the_name_of_a_file_counts(tmp_path, name):
    path = made.rows(tmp_path, name, ["drug", *LINES],
                     [[DRUGS[i], *NANO[i]] for i in range(len(DRUGS))])  # fmt: skip
    adata = rt.io.read(path, quiet=True)
    assert (adata.uns["measure"]["kind"], adata.uns["measure"]["unit"]) == ("ic50", "nM")
    rt.pp.log_concentrations(adata)
    np.testing.assert_allclose(adata.X, np.log(AUC))


def test_a_unit_of_mass_in_the_name_of_a_file_is_not_micromolar(tmp_path):
    adata = rt.io.read(made.wide(tmp_path, "IC50_ng_ml.csv"), quiet=True)
    assert adata.uns["measure"] == {"name": "IC50_ng_ml"}
    with pytest.raises(ValueError, match="'IC50_ng_ml' is none of a concentration"):
        rt.pp.log_concentrations(adata)


@pytest.mark.parametrize("measure", ["IC50 (nM)", "ic50_nM", "IC50 [nmol/L]"])
def test_the_unit_in_a_stated_measure_counts(tmp_path, measure):
    path = made.rows(tmp_path, "x.csv", ["drug", *LINES],
                     [[DRUGS[i], *NANO[i]] for i in range(len(DRUGS))])  # fmt: skip
    adata = rt.io.read(path, measure=measure, quiet=True)
    assert (adata.uns["measure"]["kind"], adata.uns["measure"]["unit"]) == ("ic50", "nM")
    rt.pp.log_concentrations(adata)
    np.testing.assert_allclose(adata.X, np.log(AUC))
    assert rt.io.read(path, measure="ln_ic50_nM", quiet=True).uns["measure"]["unit"] == "ln nM"
    with pytest.raises(ValueError, match="is not known"):
        rt.io.read(path, measure="IC50 (ng/ml)", quiet=True)


@pytest.mark.parametrize("column", ["IC50nM", "IC50_nm", "IC50 [nmol/L]", "IC50_nM"])
def test_the_unit_in_the_name_of_a_column_counts(tmp_path, column):
    path = made.rows(tmp_path, "long.csv", ("drug", "cell_line", column),
                     [(DRUGS[i], LINES[j], NANO[i, j]) for i, j in made.pairs()])  # fmt: skip
    for measure in (None, "ic50", "IC50 (nM)"):
        adata = rt.io.read(path, measure=measure, quiet=True)
        assert adata.uns["measure"]["unit"] == "nM"
        rt.pp.log_concentrations(adata)
        assert np.nanmax(np.abs(adata.X)) == pytest.approx(np.nanmax(np.abs(np.log(AUC))))
    with pytest.raises(ValueError, match=r"measure='IC50 \(uM\)' says uM, but .* is in nM"):
        rt.io.read(path, measure="IC50 (uM)", quiet=True)


def test_the_unit_of_an_anndata_stays_and_is_not_contradicted(tmp_path):
    adata = rt.io.read(made.wide(tmp_path), quiet=True)
    adata.uns["measure"] = {"name": "IC50", "unit": "nM"}
    rt.io.write_h5ad(adata, tmp_path / "x.h5ad")
    for measure in (None, "IC50", "ic50_nM"):
        assert (
            rt.io.read(tmp_path / "x.h5ad", measure=measure, quiet=True).uns["measure"]["unit"]
            == "nM"
        )
    adata.uns["measure"] = as_measure("ic50", "IC50_nM")
    rt.io.write_h5ad(adata, tmp_path / "y.h5ad")
    with pytest.raises(ValueError, match="says uM, but 'IC50_nM' is in nM"):
        rt.io.read(tmp_path / "y.h5ad", measure="IC50 (uM)", quiet=True)


def test_an_anndata_of_lines_is_turned_on_request(tmp_path):
    """The command says so, and takes it."""
    frame = rt.io.read(made.wide(tmp_path), quiet=True)
    rt.io.write_h5ad(frame.T.copy(), tmp_path / "turned.h5ad")
    adata = rt.io.read(tmp_path / "turned.h5ad", drugs="columns", quiet=True)
    np.testing.assert_array_equal(adata.X, AUC)
    assert list(adata.obs_names) == list(DRUGS)
