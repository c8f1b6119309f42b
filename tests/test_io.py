"""Reading tables of drug response."""

from __future__ import annotations

import csv
import gzip
import re
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from rtdmf_bio.io import TABLE_SUFFIXES, _cells, read_table, write_h5ad, write_table
from rtdmf_bio.io._missing import Missing, bound
from rtdmf_bio.io._text import Text

NAN = np.nan
DRUGS = ["Torin 2", "Brivanib, BMS-540215", "007", "VNLG/124"]
LINES = ["A375", "697", 'Hs "683"']
MATRIX = np.array([[0.1, NAN, 1 / 3], [0.25, 1e-12, NAN], [NAN, 0.7, 1.0], [0.0, -2.5, 12.354552]])


def needs(suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")


def save(frame: pd.DataFrame, path: Path) -> Path:
    """Write without the package's own writer, so that the reader is tested alone."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, sep="," if ".csv" in path.name else "\t")
    return path


def table(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def assert_matrix(adata: ad.AnnData, matrix=MATRIX, drugs=DRUGS, lines=LINES) -> None:
    assert list(adata.obs_names) == list(drugs)
    assert list(adata.var_names) == list(lines)
    assert (adata.obs_names.name, adata.var_names.name) == ("drug", "cell_line")
    assert adata.X.dtype == np.float64
    np.testing.assert_array_equal(adata.X, matrix)


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
@pytest.mark.parametrize("drugs", ["rows", "columns"])
def test_wide_tables_are_read_to_the_last_bit(tmp_path, suffix, drugs):
    """Names that look like numbers stay names, and values keep every digit."""
    needs(suffix)
    frame = pd.DataFrame(MATRIX, index=DRUGS, columns=LINES)
    frame = (frame if drugs == "rows" else frame.T).rename_axis("name").reset_index()
    assert_matrix(read_table(save(frame, tmp_path / f"wide{suffix}"), drugs=drugs))


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_long_tables_are_read_to_the_last_bit(tmp_path, suffix):
    """Pairs without a row are as unmeasured as pairs with an empty value."""
    needs(suffix)
    frame = pd.DataFrame(MATRIX, index=DRUGS, columns=LINES).rename_axis("DRUG").reset_index()
    frame = frame.melt("DRUG", var_name="LINE", value_name="AUC")
    frame = frame.drop(index=9)  # MATRIX[1, 2], which is missing
    frame["comment"] = "not a number"
    frame["LN_IC50"] = frame["AUC"] * 2
    path = save(frame, tmp_path / f"long{suffix}")
    adata = read_table(path, layout="long", drug="DRUG", cell_line="LINE", value=["AUC", "LN_IC50"])
    assert_matrix(adata)
    np.testing.assert_array_equal(adata.layers["LN_IC50"], MATRIX * 2)


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
@pytest.mark.parametrize("drugs", ["rows", "columns"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_write_table_and_read_table_are_inverse(tmp_path, suffix, drugs, dtype):
    """A corrected matrix goes to a spreadsheet and comes back the same."""
    needs(suffix)
    matrix = np.nan_to_num(MATRIX).astype(np.int8) if dtype == np.int8 else MATRIX.astype(dtype)
    adata = ad.AnnData(
        obs=pd.DataFrame(index=DRUGS), var=pd.DataFrame(index=LINES), layers={"m": matrix}
    )
    write_table(adata, tmp_path / f"out{suffix}", layer="m", drugs=drugs)
    back = read_table(tmp_path / f"out{suffix}", drugs=drugs)
    np.testing.assert_array_equal(back.X.astype(dtype), matrix)
    assert_matrix(back, back.X)


@pytest.mark.parametrize(
    "text, name, options",
    [
        ('"A" "B"\n"x" 1 2\n"y" NA 4\n', "r.txt", {"sep": " "}),
        ("\ufeffdrug,A,B\r\nx,1,2\r\n\r\ny,NaN,4\r\n,,\r\n", "excel.csv", {}),
        ("drug; A ;B\n x ;1; 2\ny;null;4\n", "semicolon.csv", {"sep": ";"}),
        ("drug,A,B\nx,1,2\ny,n.d.,4\n", "text.csv", {"na_values": "n.d."}),
        ("drug,A,B\nx,1,2\ny,-999.0,4\n", "number.csv", {"na_values": -999}),
        ("drug,A,B\nx,1,2\ny,-999.0,4\n", "number_as_text.csv", {"na_values": ["-999", "?"]}),
        ("drug,A,B\nx,1,2\ny,,4\n", "UPPER.CSV", {}),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[-5:] else "",
)
def test_tables_are_read_as_other_programs_write_them(tmp_path, text, name, options):
    """R leaves out the corner, Excel adds a byte-order mark and empty rows, Europe uses ';'."""
    adata = read_table(table(tmp_path, text, name), **options)
    assert_matrix(adata, [[1, 2], [NAN, 4]], ["x", "y"], ["A", "B"])


def test_infinite_values_are_bounds(tmp_path):
    """An infinite IC50 lies beyond the largest dose, of which the largest value tells most."""
    path = table(tmp_path, "drug,A,B,C,D\nx,inf,-Inf,3,4\ny,1,2,inf,\n")
    with pytest.warns(UserWarning, match="3 infinite values are taken at the end"):
        adata = read_table(path)
    np.testing.assert_array_equal(adata.X, [[4, 3, 3, 4], [1, 2, 2, NAN]])
    np.testing.assert_array_equal(adata.layers["censored"], [[1, -1, 0, 0], [0, 0, 1, 0]])
    with pytest.warns(UserWarning, match="3 infinite values are set to missing"):
        adata = read_table(path, censored="nan")
    np.testing.assert_array_equal(adata.X, [[NAN, NAN, 3, 4], [1, 2, NAN, NAN]])
    assert "censored" not in adata.layers
    with pytest.raises(ValueError, match="3 values are infinite"):
        read_table(path, censored="error")


REPEATED = "drug,A,B,A\nx,1,2,5\ny,,4,7\nx,6,,\n"


@pytest.mark.parametrize(
    "aggregate, expected",
    [
        ("mean", [[4, 2], [7, 4]]),
        ("median", [[5, 2], [7, 4]]),
        ("min", [[1, 2], [7, 4]]),
        ("max", [[6, 2], [7, 4]]),
        ("first", [[1, 2], [7, 4]]),
        ("last", [[6, 2], [7, 4]]),
    ],
)
@pytest.mark.parametrize("layout", ["wide", "transposed", "long", "parquet"])
def test_replicates_are_combined_as_asked(tmp_path, layout, aggregate, expected):
    """Repeated rows, columns and measurements are the same thing; blanks never count."""
    path, options = table(tmp_path, REPEATED), {}
    rows = [row.split(",") for row in REPEATED.split()]
    if layout == "transposed":
        flipped = "\n".join(",".join(column) for column in zip(*rows, strict=True))
        path, options = table(tmp_path, flipped), {"drugs": "columns"}
        # Row by row the file now reads 1, 6, 5 for x on A.
        expected = [[5, 2], [7, 4]] if aggregate == "last" else expected
    elif layout == "long":
        cells = [(row[0], rows[0][j], row[j]) for row in rows[1:] for j in (1, 2, 3)]
        lines = ["drug,cell_line,value", *(",".join(cell) for cell in cells)]
        path, options = table(tmp_path, "\n".join(lines)), {"layout": "long"}
    elif layout == "parquet":
        # pandas cannot write columns of one name, other programs do.
        parquet = pytest.importorskip("pyarrow.parquet")
        import pyarrow

        columns = [[row[j] or None for row in rows[1:]] for j in range(4)]
        columns[1:] = [[cell and float(cell) for cell in column] for column in columns[1:]]
        path = tmp_path / "repeated.parquet"
        parquet.write_table(pyarrow.table([pyarrow.array(c) for c in columns], rows[0]), path)
    adata = read_table(path, aggregate=aggregate, **options)
    assert_matrix(adata, expected, ["x", "y"], ["A", "B"])
    assert adata.uns["read_table"]["replicates"] == {
        "aggregate": aggregate,
        "n_pairs": 3,
        "n_values": 5,
        "largest_spread": 5.0,
        "largest_spread_drug": "x",
        "largest_spread_cell_line": "A",
    }
    write_h5ad(adata, tmp_path / "report.h5ad")


def test_replicates_are_counted_and_named_unless_asked_to_combine(tmp_path):
    """Combining silently would hide that two drugs share a name."""
    with pytest.raises(ValueError, match=r"3 pairs .* 'x' on 'A' \(4 times\), 'x' on 'B' \(2 tim"):
        read_table(table(tmp_path, REPEATED))


def test_the_report_says_when_there_was_nothing_to_combine(tmp_path):
    """Asking for an average of a clean table is no error and changes nothing."""
    adata = read_table(table(tmp_path, "drug,A\nx,1\ny,2\n"), aggregate="mean")
    assert_matrix(adata, [[1], [2]], ["x", "y"], ["A"])
    assert adata.uns["read_table"]["replicates"]["n_pairs"] == 0


@pytest.mark.parametrize("given", ["file", "indexed", "first column"])
def test_annotation_is_joined_by_name(tmp_path, given):
    """Rows in another order, and rows about other lines, must not shift the tissues."""
    text = "line,tissue,cosmic,mutated\nHeLa,cervix,1,True\nB,skin,2,\nA,lung,3,False\n"
    annotation = table(tmp_path, text, "lines.csv")
    if given != "file":
        annotation = pd.read_csv(annotation).astype({"mutated": "boolean"})
        annotation = annotation.set_index("line") if given == "indexed" else annotation
    adata = read_table(table(tmp_path, "drug,A,B\nx,1,2\n"), var=annotation)
    assert adata.var["tissue"].tolist() == ["lung", "skin"]
    assert adata.var["cosmic"].tolist() == [3, 2]
    assert adata.var["mutated"].dtype == "boolean"
    assert adata.var["mutated"].isna().tolist() == [False, True]
    assert adata.var_names.name == "cell_line"


@pytest.mark.parametrize("dtype", ["object", "string"])
def test_text_in_parquet_gets_the_type_of_what_it_says(tmp_path, dtype):
    """As text in csv does, whatever type of text wrote it."""
    needs(".parquet")
    text = {"line": ["B", "A"], "cosmic": ["2", " 3"]}
    text |= {"mutated": ["NA", "TRUE"], "tissue": [" a", "b"]}
    save(pd.DataFrame(text, dtype=dtype), tmp_path / "lines.parquet")
    adata = read_table(table(tmp_path, "drug,A,B\nx,1,2\n"), var=tmp_path / "lines.parquet")
    assert pd.api.types.is_integer_dtype(adata.var["cosmic"])
    assert adata.var["cosmic"].tolist() == [3, 2]
    assert adata.var["mutated"].dtype == "boolean"
    assert adata.var["mutated"].tolist() == [True, pd.NA]
    assert adata.var["tissue"].tolist() == ["b", "a"]


def test_lines_without_annotation_are_counted_in_a_warning(tmp_path):
    """A partial join is normal, but the user must know how much of it is missing."""
    drugs = pd.DataFrame({"target": ["BRAF"], "n": [3], "approved": [True]}, index=["x"])
    path = table(tmp_path, "drug,A\nx,1\ny,2\nz,3\n")
    with pytest.warns(UserWarning, match=r"lacks 2 of 3 drugs, first \['y', 'z'\]"):
        adata = read_table(path, obs=drugs)
    write_h5ad(adata, tmp_path / "gaps.h5ad")
    back = ad.read_h5ad(tmp_path / "gaps.h5ad").obs
    assert back.loc["x"].tolist() == ["BRAF", 3, True]
    assert back.loc["y"].isna().all()


def test_measure_is_stored(tmp_path):
    """The direction of the values travels with them."""
    measure = {"name": "auc", "higher_is": "resistant", "bounds": [0, 1]}
    adata = read_table(table(tmp_path, "drug,A\nx,1\n"), measure=measure)
    assert adata.uns["measure"] == measure


LONG = {"layout": "long"}


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("", {}, "table.csv is empty"),
        ("\n \n", {}, "table.csv is empty"),
        ("drug,A\n", {}, "table.csv has a header but no rows"),
        ("drug\nx\n", {}, "single column, 'drug'.* pass sep"),
        ("drug,A,B\nx,1,2\ny,1\n", {}, "line 3: 2 cells, where the header has 3"),
        ("drug,A\nx,\ny,NA\n", {}, "has no numbers: all 2 values are missing"),
        ("drug,A,\nx,1,2\n", {}, "the header lacks 1 of 2 names, the first at position 3.*"
         "drop_unnamed=True"),
        ("drug,A\nx,1\n ,2\n", {}, r"the first column lacks 1 of 2 names, .* position 2 \(''\)"),
        ("drug,A\nx,1\nNA,2\n", {}, r"lacks 1 of 2 names, .* \('NA'\)"),
        ("drug,A,B\nx,1,2\ny,n.d.,?\n", {}, r"2 cells are not .* 'n.d.' in row 'y', column 'A'.*"
         r"na_values=\['n.d.', '\?'\].*layout='long'"),
        ("drug,A\nx,1_0\n", {}, "'1_0' in row 'x'"),
        ("drug,A\nx,True\n", {}, "'True' in row 'x'"),
        ("a,b,c\nx,A,1\n", LONG, "has no column 'drug'. Its columns are 'a', 'b', 'c'"),
        ("drug,drug,cell_line,value\nx,y,A,1\n", LONG, "more than one column 'drug'"),
        ("drug,cell_line,value\nx,,1\n", LONG, "column 'cell_line' lacks 1 of 1 names"),
        ("drug,cell_line,value\nx,A,?\n", LONG, "'[?]' in the row of 'x', 'A', column 'value'"),
        ("drug,A\nx,1\n", {"value": "auc"}, "is for long tables. Pass layout='long'"),
        ("drug,A\nx,1\n", {"where": {"a": 1}}, "where is for long tables. Pass layout='long'"),
        ("drug,A\nx,1\n", {"drug": "a", "cell_line": "b"}, "both for long tables"),
        ("drug,A\nx,1\n", {"obs_key": "a"}, "obs_key is a column of obs. Pass obs, too"),
        ("drug,A\nx,1\n", {**LONG, "drugs": "rows"}, "is for wide tables"),
        ("drug,A\nx,1\n", {**LONG, "value": []}, "value parameter is empty"),
        ("drug,A\nx,1\n", {"layout": "tall"}, "layout parameter must be one of .* Got 'tall'"),
        ("drug,A\nx,1\n", {"drugs": "row"}, "drugs parameter must be one of .* Got 'row'"),
        ("drug,A\nx,1\n", {"aggregate": "sum"}, "aggregate parameter must be .* Got 'sum'"),
        ("drug,A\nx,1\n", {"measure": {"higher_is": "better"}}, "'sensitive'. Got 'better'"),
        ("drug,A\nx,1\n", {"var": pd.DataFrame(index=["B"])},
         r"matches none of the 1 cell lines. It has \['B'\], the table has \['A'\]"),
        ("drug,A\nx,1\n", {"obs": pd.DataFrame({"t": [1, 2]}, index=["x", "x"])},
         "names 1 drugs more than once, first 'x'"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused_with_what_was_found(tmp_path, text, options, message):
    """One line that says what is wrong, where, and what to do."""
    path = table(tmp_path, text)
    with pytest.raises(ValueError, match=message):
        read_table(path, **options)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("table.bin", b"\x00\x01\x02\x03\x00\x00", "is no text, and no other kind of table"),
        (
            "table.csv",
            b"drug,A\nx\xb5,1\nx\xc2\xb5,1\n",
            "is not UTF-8 text, though parts of it are",
        ),
        ("table.csv", b"drug,A\nx\x81,1\n", "is neither UTF-8 nor Windows-1252 text"),
        ("table.csv.gz", gzip.compress(b"drug,A\nx,1\n" * 99)[:-20], "damaged or was cut off"),
        ("table.parquet", b"drug,A\nx,1\n", "cannot be read as parquet"),
    ],
    ids=["binary", "mixed", "encoding", "truncated", "not parquet"],
)
def test_files_of_another_kind_are_refused_by_name(tmp_path, name, content, message):
    """The file is named, because annotation files are read in the same call."""
    needs(Path(name).suffix)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}.*{message}"):
        read_table(tmp_path / name)


def test_a_file_that_does_not_exist_is_named(tmp_path):
    """The usual typing error."""
    with pytest.raises(FileNotFoundError, match=r"There is no file .*missing.csv"):
        read_table(tmp_path / "missing.csv")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    """The remedy is one command."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").touch()
    with pytest.raises(ImportError, match=r"pip install rtdmf-bio\[parquet\]"):
        read_table(tmp_path / "a.parquet")
    adata = ad.AnnData(np.ones((1, 1)))
    with pytest.raises(ImportError, match=r"pip install rtdmf-bio\[parquet\]"):
        write_table(adata, tmp_path / "b.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layer": "rtdmf"}, r"has no 'rtdmf'. It has \['a'\]"),
        ({"layer": None}, r"X is empty. Pass layer=, one of \['a'\]"),
        ({"layer": "a", "drugs": "both"}, "drugs parameter must be one of"),
    ],
    ids=["unknown layer", "no X", "orientation"],
)
def test_write_table_refuses_what_it_cannot_write(tmp_path, options, message):
    """Nothing is written then."""
    adata = ad.AnnData(obs=pd.DataFrame(index=["x"]), var=pd.DataFrame(index=["A"]))
    adata.layers["a"] = np.ones((1, 1))
    with pytest.raises(ValueError, match=message):
        write_table(adata, tmp_path / "out.csv", **options)
    assert not any(tmp_path.iterdir())


def test_write_table_refuses_repeated_names(tmp_path):
    """read_table would refuse the file."""
    index = pd.DataFrame(index=["x", "x"])
    with pytest.warns(UserWarning, match="not unique"):
        adata = ad.AnnData(np.ones((2, 1)), obs=index)
    with pytest.raises(ValueError, match=r"drugs \['x'\] are named twice"):
        write_table(adata, tmp_path / "out.csv")


def test_write_table_gives_the_same_bytes_again(tmp_path):
    """Results under version control do not change by the clock."""
    adata = ad.AnnData(np.ones((2, 2)))
    write_table(adata, tmp_path / "a.csv.gz")
    write_table(adata, tmp_path / "b.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


# Many cells are read at a time, which must give the same numbers and messages as cell by cell.

PLAIN = ["0.1", "-2.5", "12", "", "NA", "1e-7"]
AWKWARD = (
    " 1", "1 ", "\t1\t", "\u00a01", "\x1f1", "", " ", "NA", " NA ", "na", "n/a", "nan", "-nan",
    "+nan", "NAN", "NaN", "nan(1)", "NAN(x)", "nan()", "null", "None", "<NA>", "inf", "-inf",
    "Inf", "+INF", "infinity", "Infinity", "infinit", "1e400", "-1e400", "1e-400", "1e99999999999",
    "1e-99999999999", "0e99999999999", "-0", "+5", "++5", "-+5", "5.", ".5", ".", "-", "+", "e5",
    "1e", "1e+", "1E5", "1e+05", "1d5", "1f", "0x10", "0x1p3", "0b1", "1_0", "_", "1__0", "1,000",
    "1 000", "1;0", "1\x000", "True", "False", "T", "%", "1%", "$1", "\uff11", "\u0661\u0662",
    "\u2212\u0031", "00012", "1" * 400, "0." + "0" * 400 + "1", "999", "-999", "-999.0", "-9.99e2",
    "n_a", "?", "9007199254740993", "5e-324", "2.4703282292062327e-324", "2.47032822920623272e-324",
    "2.2250738585072011e-308", "1.7976931348623157e308", "1.7976931348623159e308", "é",
)  # fmt: skip
NA_VALUES = ((), (-999,), ("-999", "?"), ("n_a", "1_0"), (np.nan, np.inf), (" - ", True))


@pytest.fixture(params=["pyarrow", "float"])
def by(request, monkeypatch):
    """Numbers come from pyarrow where it is installed, and from float() elsewhere."""
    if request.param == "pyarrow":
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setitem(sys.modules, "pyarrow", None)


def one_by_one(missing: Missing, cells: list[object]) -> tuple[bytes, list[int]]:
    values, bad = np.full(len(cells), np.nan), []
    for k, cell in enumerate(cells):
        try:
            values[k] = missing.number(cell)
        except (TypeError, ValueError):
            bad.append(k)
    return values.tobytes(), bad


def assert_read_as_one_by_one(cells: list[object], na_values=()) -> None:
    missing = Missing(na_values)
    values, bad = missing.read(cells)
    assert (values.tobytes(), bad) == one_by_one(missing, cells)


@pytest.mark.usefixtures("by")
@pytest.mark.parametrize("na_values", NA_VALUES, ids=repr)
def test_awkward_cells_are_what_they_are_alone(na_values):
    """Whatever stands beside them, and also where nothing is plain."""
    for cell in AWKWARD:
        assert_read_as_one_by_one([cell], na_values)
        assert_read_as_one_by_one([*PLAIN, cell, *PLAIN], na_values)
    assert_read_as_one_by_one(list(AWKWARD), na_values)
    assert_read_as_one_by_one([], na_values)


@pytest.mark.usefixtures("by")
@pytest.mark.parametrize("cell", [None, True, np.True_, b"NA", b"1", 1, 2.5, np.nan, [1]], ids=repr)
def test_cells_of_parquet_need_not_be_text(cell):
    """Text, numbers and gaps may share a column of objects."""
    assert_read_as_one_by_one([cell])
    assert_read_as_one_by_one(["1", cell, "NA"])


@pytest.mark.usefixtures("by")
def test_numbers_are_rounded_as_float_rounds():
    """Also those halfway between two floats, and with more digits than a float has."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**64, 20_000, dtype=np.uint64)
    every = bits.view(float)
    cells = [repr(x) for x in every[np.isfinite(every)].tolist()]
    for digits in (15, 17, 18, 19, 20, 25, 40):
        for number in rng.random(500):
            cells.append(f"{number:.{digits}f}")
            cells.append(f"{number * 1e5:.{digits}e}")
    for whole in rng.integers(2**53, 2**54, 500):
        middle = 2 * int(whole) + 1 << 3
        cells += [str(middle), f"{middle}.{'0' * 30}1", f"{middle - 1}.{'9' * 30}"]
    values, bad = Missing(()).read(cells)
    assert not bad
    assert values.tobytes() == np.array(list(map(float, cells))).tobytes()


TEXTS = (
    "d,A,B\nx,1,2\ny,3,4\n",
    "d,A,B\nx,1,2\ny,3,4",
    "d,A,B\r\nx,1,2\r\n\r\ny,3,4\r\n",
    "d,A,B\rx,1,2\r\ry,3,4\r",
    "\ufeff\n\nd,A,B\n \n , ,\t\nx,1,2\n,,\n\ny,3,4\n\n",
    '"d","A","B"\n"x",1,2\n"y","3","4"\n',
    '"x ""y""","A, B"\n"a\nb",1\nc,"2\n"\nd,3\n',
    'd,A\n"a\r\nb",1\r\nc,"2"\r\n',
    'd,A\nx"y,1\nx "y",2\n"x"y,3\n ""z"",4\n',
    'd,A\nx,1\n"y,2\nz,3\n',
    "A,B\nx,1,2\ny,3,4\n",
    "A,A, A \nx,1,2,3\nx,4,5,6\n",
    "d,A\nNA,1\n",
    "d,A\nx,1\u2028\u0085\x0b\x0c\n",
    "d,A\nx,1\x00\n",
    "d,A\nx,1\nn\u0131\u0307,2\n",
    "d,A\nx,1\ny\n",
    "d,A\nx,1\ny,2,\n",
    'd,A\n"x\n\ny",1\n\n"y\n",2,3\n',
    "d,A,B\nx,1\n",
    "d\nx\ny\n",
    "d\n\n",
    'd,A\nx,"' + "9" * 150_000 + '"\n',
    "",
    "\n\n",
)


def by_the_csv_module(path: Path, sep: str) -> list[list[str]] | str:
    """Read header and rows, or why not."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=sep)
        rows: list[list[str]] = []
        try:
            for row in reader:
                if not any(map(str.strip, row)):
                    continue
                rows.append(row if rows else [name.strip() for name in row])
                if len(rows) == 2 and len(row) == len(rows[0]) + 1:
                    rows[0].insert(0, "")
                if len(rows) == 2 and len(row) == len(rows[0]) - 1 and not rows[0][-1]:
                    rows[0].pop()
                if len(row) != len(rows[0]):
                    return f"line {reader.line_num}: {len(row)} cells, where the header has"
        except csv.Error as error:
            return str(error)
    return rows or "is empty"


@pytest.mark.parametrize("sep", [",", "\t", " ", ";", "."])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_rows_are_those_of_the_csv_module(tmp_path, text, sep):
    """Lines without quotes do not go through it."""
    path = tmp_path / "table.csv"
    path.write_bytes(text.replace(",", sep).encode())
    expected = by_the_csv_module(path, sep)
    if '\n"y,2\n' in text:
        # The module takes what follows an open quote into the cell.
        expected = "a quote opens there that is not closed"
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=re.escape(expected)):
            list(Text(path, sep).rows())
    else:
        assert list(Text(path, sep).rows()) == expected


@pytest.mark.parametrize("sep", ["", "::", "ab"])
def test_what_cannot_separate_is_refused(tmp_path, sep):
    """One character does; none stands for what is found out."""
    path = tmp_path / "table.csv"
    path.write_text("d,A\nx,1\n")
    if sep:
        with pytest.raises(ValueError, match=r"sep must be one character.*or 'tab'"):
            read_table(path, sep=sep)
    else:
        assert read_table(path, sep=sep).X.tolist() == [[1]]
        path.write_text("d\tA\nx\t1\n")
        assert read_table(path, sep="tab").X.tolist() == read_table(path, sep=r"\t").X.tolist()


def is_infinite(cell: str) -> bool:
    try:
        return bool(np.isinf(Missing(()).number(cell)))
    except ValueError:
        return False


def awkward_table(folder: Path, cells: list[str], columns: int) -> Path:
    path = folder / "awkward.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["drug", *(f"L {j}" for j in range(columns))])
        for i in range(0, len(cells), columns):
            writer.writerow([f"D{i}", *cells[i : i + columns]])
    return path


def read_or_why_not(path: Path, **options) -> tuple[list[str], list[str], bytes] | str:
    try:
        adata = read_table(path, **options)
    except ValueError as error:
        return str(error)
    assert adata.X.flags.c_contiguous
    return list(adata.obs_names), list(adata.var_names), adata.X.tobytes()


@pytest.mark.usefixtures("by")
@pytest.mark.parametrize("drugs", ["rows", "columns"])
@pytest.mark.parametrize("kept", ["numbers", "all"])
@pytest.mark.parametrize("at_once", [1, 7, 30, 10**6])
def test_parts_make_the_same_table_or_error(tmp_path, monkeypatch, at_once, kept, drugs):
    """However many rows are read at a time; what is no number is listed by column."""
    cells = [cell for cell in AWKWARD if "\x00" not in cell and not is_infinite(cell)]
    missing = Missing(["-999"])
    if kept == "numbers":
        bad = one_by_one(missing, cells)[1]
        cells = [cell for k, cell in enumerate(cells) if k not in bad]
    columns = 6
    cells += ["0.25"] * (-len(cells) % columns)
    path = awkward_table(tmp_path, cells, columns)
    monkeypatch.setattr(_cells, "_AT_ONCE", at_once)
    found = read_or_why_not(path, na_values="-999", drugs=drugs)

    values, bad = np.frombuffer(one_by_one(missing, cells)[0]), one_by_one(missing, cells)[1]
    values = np.where(values == -999, np.nan, values).reshape(-1, columns)
    if kept == "numbers":
        rows = [f"D{i}" for i in range(0, len(cells), columns)]
        header = [f"L {j}" for j in range(columns)]
        expected = (rows, header, values) if drugs == "rows" else (header, rows, values.T)
        assert found == (*expected[:2], expected[2].tobytes())
    else:
        bad = [k for k in bad if bound(cells[k], False) is None]
        texts = [cells[k] for k in sorted(bad, key=lambda k: (k % columns, k))]
        texts = [text for text in dict.fromkeys(texts) if not any(map(str.isdigit, text))]
        row, column = f"D{bad[0] // columns * columns}", f"L {bad[0] % columns}"
        assert f"{len(bad)} cells are not numbers, the first {cells[bad[0]]!r} in" in found
        assert f"in row {row!r}, column {column!r}. " in found
        assert f"na_values={texts[:20]}" in found


@pytest.mark.parametrize("aggregate", [None, "mean", "last"])
@pytest.mark.parametrize("drugs", ["rows", "columns"])
@pytest.mark.parametrize("twice", ["nothing", "rows", "columns", "both"])
def test_wide_tables_are_the_same_as_long_ones(tmp_path, twice, drugs, aggregate):
    """The long table has the measurements in the order in which the wide one has them."""
    rng = np.random.default_rng(1)
    rows, columns = [f"r{i}" for i in range(30)], [f"c{j}" for j in range(20)]
    if twice in ("rows", "both"):
        rows[7] = rows[20] = rows[3]
    if twice in ("columns", "both"):
        columns[9] = columns[2]
    values = rng.random((30, 20)).astype(str)
    values[rng.random(values.shape) < 0.1] = "NA"
    wide, long = tmp_path / "wide.csv", tmp_path / "long.csv"
    lines = [[name, *line] for name, line in zip(rows, values.tolist(), strict=True)]
    wide.write_text("\n".join(map(",".join, [["name", *columns], *lines])))
    names = ("drug", "cell_line") if drugs == "rows" else ("cell_line", "drug")
    pairs = [
        [row, column, values[i, j]]
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    long.write_text("\n".join(map(",".join, [[*names, "value"], *pairs])))

    def read(path: Path, **options) -> ad.AnnData | str:
        try:
            return read_table(path, aggregate=aggregate, **options)
        except ValueError as error:
            return str(error).replace(path.name, "file")

    found, expected = read(wide, drugs=drugs), read(long, layout="long")
    if twice != "nothing" and aggregate is None:
        assert found == expected
        assert "occur more than once" in found
        return
    assert found.X.tobytes() == expected.X.tobytes()
    assert found.obs.equals(expected.obs)
    assert found.var.equals(expected.var)
    assert found.obs.index.name == expected.obs.index.name == "drug"
    assert found.uns == expected.uns
    assert ("replicate_sd" in found.obs) == (twice != "nothing")


def test_identifiers_match_an_annotation_as_text_and_as_numbers(tmp_path):
    """COSMIC identifiers become 905940.0 where a table had gaps."""
    (tmp_path / "a.csv").write_text("COSMIC_ID,p,q\n905940.0,1,2\n906826.0,3,4\n")
    (tmp_path / "b.csv").write_text("COSMIC_ID,tissue\n906826,skin\n905940,lung\n")
    adata = read_table(tmp_path / "a.csv", drugs="columns", var=tmp_path / "b.csv")
    assert list(adata.var["tissue"]) == ["lung", "skin"]
    assert list(adata.var_names) == ["905940", "906826"]
    table = pd.DataFrame({"tissue": ["lung", "skin"]}, index=["COSMIC_905940", "COSMIC_906826"])
    again = read_table(tmp_path / "a.csv", drugs="columns", var=table)
    assert list(again.var["tissue"]) == ["lung", "skin"]


def test_annotations_that_people_have_match(shared_data):
    cases = shared_data("cases")
    adata = read_table(
        cases / "gdsctools_float_cosmic.csv", drugs="columns", var=cases / "gdsctools_lines.csv"
    )
    assert adata.var["tissue"].notna().all()
