"""Files as they are distributed: recognised, read to the right values, told or refused."""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt
from rtdmf_bio import cli
from rtdmf_bio._adata.measure import KINDS

sys.path.insert(0, str(Path(__file__).parent))
import made_files as made
from made_files import AUC, COSMIC, DRUGS, LFC, LINES, LN_IC50, MODELS, SAMPLES, TISSUES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "formats.md"
LOWER = tuple(name.lower() for name in DRUGS)


class Expected:
    """What reading a made file gives."""

    def __init__(self, make, form, values, kind, drugs=DRUGS, lines=LINES, **more):
        self.make, self.form, self.values, self.kind = make, form, values, kind
        self.drugs, self.lines, self.more = list(drugs), list(lines), more


BROAD = [f"BRD-K{i:08d}-001-01-9" for i in range(len(DRUGS))]
DRUG_IDS = [str(1000 + i) for i in range(len(DRUGS))]
EXPECTED = [
    Expected(made.gdsc_fitted, "gdsc_fitted", AUC, "auc", tissue=TISSUES, also={"ln_ic50": LN_IC50},
             var={"cosmic_id": COSMIC, "sanger_id": [f"SIDM{j:05d}" for j in range(len(LINES))]},
             obs={"drug_id": DRUG_IDS}),
    Expected(made.gdsc_fitted_xlsx, "gdsc_fitted", AUC, "auc", tissue=TISSUES,
             also={"ln_ic50": LN_IC50}, var={"cosmic_id": COSMIC}),
    Expected(made.gdsc_web, "gdsc_web", AUC, "auc", tissue=TISSUES, also={"ln_ic50": LN_IC50},
             var={"cosmic_id": COSMIC}),
    Expected(made.gdsc_anova, "gdsc_anova", LN_IC50, "ln_ic50",
             [f"Drug_{1000 + i}_IC50" for i in range(len(DRUGS))], COSMIC,
             tissue=TISSUES, var={"cosmic_id": COSMIC}, obs={"drug_id": DRUG_IDS}),
    Expected(made.depmap_plain, "depmap", AUC, "auc",
             [f"{name.upper()} (CTRP:{30000 + i})" for i, name in enumerate(DRUGS)], MODELS,
             var={"depmap_id": MODELS}, obs={"drug_name": [name.upper() for name in DRUGS]}),
    Expected(made.depmap_custom, "depmap", AUC, "auc",
             [f"{name.upper()} (GDSC2:{1000 + i})" for i, name in enumerate(DRUGS)], MODELS,
             tissue=TISSUES, var={"cell_line_display_name": LINES}),
    Expected(made.gene_effect, "depmap", LFC, "gene_effect",
             [f"GENE{i} ({i + 1})" for i in range(len(DRUGS))], MODELS, tissue=TISSUES,
             obs={"gene": [f"GENE{i}" for i in range(len(DRUGS))]}, var={"CellLineName": LINES}),
    Expected(made.prism_primary, "prism_primary", LFC, "log_fold_change",
             [f"BRD:BRD-K{i:08d}-001-01-{i}" for i in range(len(DRUGS))], MODELS,
             obs={"drug_name": [name.upper() for name in DRUGS]}),
    Expected(made.prism_primary_old, "prism_primary", LFC, "log_fold_change",
             [f"BRD-K{i:08d}-001-01-{i}::2.5::HTS" for i in range(len(DRUGS))], MODELS,
             obs={"drug_name": LOWER}),
    Expected(made.prism_lfc, "prism_lfc", LFC, "log_fold_change",
             [f"BRD-K{i:08d}" for i in range(len(DRUGS))], MODELS),
    Expected(made.prism_oncref, "prism_oncref", LFC, "log2_auc",
             [f"PRC-{5000000 + i:09d}-001-01" for i in range(len(DRUGS))], MODELS,
             obs={"drug_name": [name.upper() for name in DRUGS]}),
    Expected(made.ccle_np24, "ccle_np24", np.round(8 * (1 - AUC), 4), "activity_area", DRUGS,
             SAMPLES, var={"cell_line_name": LINES}),
    Expected(made.drevalpy, "drevalpy", LN_IC50 + 0.5, "ln_ic50", tissue=TISSUES,
             also={"auc": AUC}, obs={"pubchem_cid": [str(5000 + i) for i in range(len(DRUGS))]}),
    Expected(made.depmap_r, "depmap_r", LFC, "log_fold_change", LOWER, SAMPLES,
             var={"depmap_id": MODELS}, obs={"broad_id": BROAD}),
    Expected(made.oncopredict, "oncopredict", LN_IC50, "ln_ic50",
             [f"{name}_{1000 + i}" for i, name in enumerate(DRUGS)],
             [f"COSMIC_{x}" for x in COSMIC],
             obs={"drug_name": DRUGS, "drug_id": DRUG_IDS}, var={"cosmic_id": COSMIC}),
    Expected(made.nci60, "nci60", -5 - AUC, "log10_gi50",
             [str(740 + i) for i in range(len(DRUGS))], tissue=TISSUES),
    Expected(made.nci60_lst, "nci60_lst", 5 + AUC, "pic50",
             [str(740 + i) for i in range(len(DRUGS))], tissue=TISSUES),
    Expected(made.coderdata, "coderdata", AUC, "auc", [f"SMI_{i}" for i in range(len(DRUGS))],
             [str(5000 + j) for j in range(len(LINES))]),
]  # fmt: skip


def read(path, **options):
    """Read without a warning, whatever is printed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return rt.io.read(path, **options)


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case.make.__name__)
def test_public_files_need_no_option(tmp_path, capsys, case):
    """Values, names, measure, identifiers and tissue, and one line that says what it is."""
    adata = read(case.make(tmp_path))
    assert set(adata.obs_names) == set(case.drugs)
    assert list(adata.var_names) == case.lines
    adata = adata[case.drugs].copy()
    np.testing.assert_allclose(adata.X, case.values, atol=1e-12)
    for name, values in case.more.get("also", {}).items():
        np.testing.assert_allclose(adata.layers[name], values, atol=1e-12)
        assert adata.uns["layer_measures"][name]["kind"] in KINDS
    kind = KINDS[case.kind]
    assert adata.uns["measure"]["higher_is"] == kind.higher_is
    assert adata.uns["measure"]["unit"] == kind.unit
    assert adata.uns["measure"]["bounds"] == list(kind.bounds)
    if "tissue" in case.more:
        assert list(adata.var["tissue"]) == list(case.more["tissue"])
    for axis in ("obs", "var"):
        for column, values in case.more.get(axis, {}).items():
            found = getattr(adata, axis)[column]
            assert [str(value).removesuffix(".0") for value in found] == list(values), column
    assert adata.uns["read"]["format"] == case.form
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert f"{kind.higher_is})" in said


def test_what_is_read_can_be_written_and_corrected(tmp_path, rough_fits):
    """The whole of it survives h5ad."""
    adata = read(made.gdsc_fitted(tmp_path), quiet=True)
    rt.io.write_h5ad(adata, tmp_path / "screen.h5ad")
    back = read(tmp_path / "screen.h5ad", quiet=True)
    np.testing.assert_array_equal(back.X, adata.X)
    assert list(back.var["tissue"]) == list(TISSUES)
    assert back.uns["read"]["format"] == "anndata"
    rt.pp.correct(back, progress=False, group_key=None)
    assert np.isfinite(back.layers["rtdmf"]).all()


def test_two_identifiers_of_one_drug_stay_apart(tmp_path, capsys):
    """They are experiments of their own, and replicates for the noise."""
    adata = read(made.gdsc_fitted(tmp_path, twice=True))
    assert sorted(adata.obs_names[adata.obs["drug_name"] == "Olaparib"]) == [
        "Olaparib [1003]",
        "Olaparib [1495]",
    ]
    i = DRUGS.index("Olaparib")
    np.testing.assert_allclose(adata["Olaparib [1495]"].X[0], AUC[i] + 0.1)
    np.testing.assert_allclose(adata["Olaparib [1003]"].X[0], AUC[i])
    assert "1 drugs in several rows each ('Olaparib')" in capsys.readouterr().out


def test_screens_of_prism_stay_apart_and_failed_rows_are_counted(tmp_path, capsys):
    """Some rows have neither line nor profile."""
    adata = read(made.prism_secondary(tmp_path))
    assert adata.n_obs == len(DRUGS) + 1
    np.testing.assert_allclose(adata["dabrafenib [MTS010]"].X[0], AUC[0] + 0.1)
    np.testing.assert_allclose(adata["dabrafenib [HTS002]"].X[0], AUC[0])
    np.testing.assert_allclose(adata["trametinib"].X[0], AUC[1])
    assert list(adata.var_names) == list(SAMPLES)
    assert adata.uns["measure"]["kind"] == "auc_prism"
    assert "left out 2 rows without a name" in capsys.readouterr().out


def test_a_folder_of_ctrp_is_one_screen(tmp_path, capsys):
    """Experiments by name of line and drug; what was repeated is averaged, and that is told."""
    folder = made.ctrpv2(tmp_path)
    adata = read(folder)
    assert sorted(adata.obs_names) == sorted(LOWER)
    assert list(adata.var_names) == [name.replace("-", "") for name in LINES]
    expected = 15 * AUC
    expected[:, 0] += 1
    np.testing.assert_allclose(adata[list(LOWER)].X, expected, atol=1e-4)
    assert list(adata.var["tissue"]) == [tissue.lower() for tissue in TISSUES]
    assert adata.uns["measure"]["kind"] == "auc_ctrp"
    said = capsys.readouterr().out
    assert "12 pairs measured repeatedly, combined by mean, at most 2 apart" in said
    np.testing.assert_array_equal(
        read(folder / "v20.data.curves_post_qc.txt", quiet=True).X, adata.X
    )
    (folder / "v20.meta.per_compound.txt").unlink()
    with pytest.raises(ValueError, match="0 files with 'per_compound' in their names"):
        read(folder)


def test_repeats_of_gcsi_are_averaged_and_infinite_values_marked(tmp_path, capsys):
    """The areas of some experiments differ; a GR50 beyond the doses is a bound."""
    adata = read(made.gcsi(tmp_path))
    np.testing.assert_allclose(adata.X[0, :4], 1 - AUC[0, :4] + 0.01)
    np.testing.assert_allclose(adata.layers["viability"], AUC)
    assert adata.uns["measure"]["kind"] == "gr_aoc"
    assert (adata.layers["gr50_censored"][:, 0] == 1).all()
    np.testing.assert_allclose(adata.layers["gr50"][:, 0], 0.5 + np.arange(len(DRUGS)))
    assert "combined by mean, at most 0.02 apart" in capsys.readouterr().out


def test_another_measure_may_come_first(tmp_path):
    """By its name or by that of the column; a wrong one lists those there are."""
    path = made.gdsc_fitted(tmp_path)
    for name in ("ln_ic50", "LN_IC50"):
        adata = read(path, measure=name, quiet=True)
        np.testing.assert_allclose(adata.X, LN_IC50)
        np.testing.assert_allclose(adata.layers["auc"], AUC)
        assert adata.uns["measure"]["name"] == "ln_ic50"
    with pytest.raises(ValueError, match=r"no measure 'dss'. It has \['auc', 'ln_ic50'\]"):
        read(path, measure="dss")


def test_areas_above_one_lose_unit_and_bound(tmp_path):
    """Under one name some resources give fractions, others sums."""
    path = made.drevalpy(tmp_path)
    text = path.read_text().splitlines()
    lines = [row.split(",") for row in text]
    for row in lines[1:]:
        row[6] = str(15 * float(row[6]))
    path.write_text("\n".join(map(",".join, lines)))
    adata = read(path, measure="auc", quiet=True)
    assert adata.uns["measure"] == {
        "name": "auc", "higher_is": "resistant", "bounds": [0.0, np.inf]
    }  # fmt: skip


def test_tables_tell_the_way_round_by_their_names(tmp_path, capsys):
    """Names of lines or drugs that are known, identifiers, or what the first column is called."""
    wide = made.wide(tmp_path)
    turned = made.rows(tmp_path, "turned.csv", ["", *DRUGS],
                       [[LINES[j], *AUC[:, j]] for j in range(len(LINES))])  # fmt: skip
    called = made.rows(tmp_path, "called.csv", ["cell_line", *"abcdefghijkl"],
                       [[f"x{j}", *AUC[:, j]] for j in range(len(LINES))])  # fmt: skip
    for path in (wide, turned, called):
        np.testing.assert_allclose(read(path).X, AUC)
    assert capsys.readouterr().out.count("measure not known (pass measure=)") == 3
    adata = read(wide, measure="AAC", quiet=True)
    assert adata.uns["measure"]["higher_is"] == "sensitive"
    with pytest.raises(ValueError, match="The measure 'potency' is not known"):
        read(wide, measure="potency")
    with pytest.raises(ValueError, match=r"the rows \('A375', .*are cell lines.*drugs='columns'"):
        rt.io.read_table(turned)
    np.testing.assert_allclose(rt.io.read_table(turned, drugs="rows").X, AUC.T)
    np.testing.assert_allclose(rt.io.read_table(turned, drugs="columns", transpose=True).X, AUC.T)


def test_plain_long_tables_are_found_out(tmp_path):
    """A column of drugs, one of lines, and one whose name is that of a measure."""
    path = made.rows(
        tmp_path, "long.tsv", ("Compound", "Cell line", "AAC", "note"),
        [(DRUGS[i], LINES[j], AUC[i, j], "x") for i, j in made.pairs()], "\t",
    )  # fmt: skip
    adata = read(path, quiet=True)
    np.testing.assert_allclose(adata.X, AUC)
    assert adata.uns["measure"]["higher_is"] == "sensitive"


REFUSED = {
    "raw.csv": (("drug", "cell_line", "dose", "viability"), "raw responses at each dose"),
    "GDSC2_public_raw_data.csv": (
        ("RESEARCH_PROJECT", "BARCODE", "SCAN_ID", "CELL_ID", "COSMIC_ID", "CELL_LINE_NAME", "TAG",
         "DRUG_ID", "CONC", "INTENSITY"), "raw responses at each dose"),
    "v20.data.per_cpd_post_qc.txt": (
        ("experiment_id", "cpd_conc_umol", "cpd_avg_pv", "master_cpd_id"),
        "raw responses at each dose"),
    "gCSI_GRvalues.tsv": (
        ("DrugName", "CellLineName", "log10Concentration", "GR", "relative_cell_count"),
        "raw responses at each dose"),
    "combo.csv": (("drug1", "drug2", "cell_line", "synergy_score"), "combinations of drugs"),
    "drugcomb.csv": (
        ("block_id", "drug_row", "drug_col", "cell_line_name", "css_ri", "synergy_zip"),
        "combinations of drugs"),
    "almanac.csv": (("NSC1", "NSC2", "CELLNAME", "PERCENTGROWTH"), "combinations of drugs"),
    "Model.csv": (("ModelID", "StrippedCellLineName", "OncotreeLineage"), "table of cell lines"),
    "lines.csv": (("cell_line", "tissue", "BRAF_mut"), "table of cell lines"),
    "screened_compounds.csv": (("DRUG_ID", "SCREENING_SITE", "DRUG_NAME", "TARGET"),
                               "table of drugs"),
    "v20.meta.per_compound.txt": (("master_cpd_id", "cpd_name", "top_test_conc_umol"),
                                  "one of the tables of CTRPv2"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_screen_is_refused_with_what_it_is(tmp_path, name):
    """And with what to do."""
    header, message = REFUSED[name]
    sep = "," if name.endswith("csv") else "\t"
    numbers = {"viability", "dose", "CONC", "INTENSITY", "cpd_conc_umol", "cpd_avg_pv", "GR",
               "synergy_score", "css_ri", "synergy_zip"}  # fmt: skip
    lines = [[0.5 + k if c in numbers else f"{c}{k}" for c in header] for k in range(4)]
    path = made.rows(tmp_path, name, header, lines, sep)
    with pytest.raises(ValueError, match=f"{re.escape(name)} holds .*{message}.*[.]"):
        read(path)


def test_a_format_of_ones_own_is_tried_first(tmp_path, capsys):
    """Twenty lines: a title, a sniff and a read."""
    from rtdmf_bio.io import Format, LongFormat, formats, register_format
    from rtdmf_bio.io._registry import _ADDED

    table = LongFormat(
        drug="substance", line="cells", measures={"potency": "pic50"}, needs=("lab",)
    )
    path = made.rows(tmp_path, "ours.csv", ("lab", "substance", "cells", "potency"),
                     [("x", DRUGS[i], LINES[j], AUC[i, j]) for i, j in made.pairs()])  # fmt: skip
    try:
        with pytest.raises(TypeError, match="A format must be an"):
            register_format("ours")
        register_format(Format("ours", "our own table", table.sniff, table.read))
        assert formats()[0].name == "ours"
        adata = read(path)
    finally:
        _ADDED.clear()
    np.testing.assert_allclose(adata.X, AUC)
    assert adata.uns["measure"]["higher_is"] == "sensitive"
    assert capsys.readouterr().out.startswith("ours.csv: our own table, 12 drugs x 20 cell lines")
    with pytest.raises(ValueError, match="There is no format 'ours'"):
        read(path, format="ours")


def test_options_that_are_none_are_named(tmp_path):
    """Also options of reading by hand that contradict each other."""
    path = made.wide(tmp_path)
    with pytest.raises(TypeError, match=r"read\(\) got \['skiprows'\]"):
        read(path, skiprows=1)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read(tmp_path / "none.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is of no known kind"):
        read(tmp_path / "empty")
    (tmp_path / "not.h5ad").write_text("drug,A\n")
    with pytest.raises(ValueError, match="is no HDF5 file"):
        read(tmp_path / "not.h5ad")


def test_zarr_is_read(tmp_path):
    """As a folder."""
    pytest.importorskip("zarr")
    adata = ad.AnnData(AUC, pd.DataFrame(index=list(DRUGS)), pd.DataFrame(index=list(LINES)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata.write_zarr(tmp_path / "screen.zarr")
    back = rt.io.read(tmp_path / "screen.zarr", quiet=True)
    np.testing.assert_array_equal(back.X, AUC)


def test_whole_numbers_of_r_that_mean_missing_are_counted(tmp_path, capsys):
    """R's NA is the smallest 32-bit integer."""
    X = np.arange(AUC.size, dtype=np.int32).reshape(AUC.shape)
    X[0, 0] = X[3, 5] = np.iinfo(np.int32).min
    adata = ad.AnnData(X, pd.DataFrame(index=list(DRUGS)), pd.DataFrame(index=list(LINES)))
    adata.write_h5ad(tmp_path / "r.h5ad")
    back = read(tmp_path / "r.h5ad")
    assert np.isnan(back.X).sum() == 2
    assert back.X[0, 1] == 1
    assert "2 entries are the smallest whole number" in capsys.readouterr().out


@pytest.mark.parametrize("make", [made.gdsc_fitted, made.depmap_custom, made.zipped])
def test_the_command_reads_the_same(tmp_path, rough_fits, capsys, make):
    """Recognised, corrected, written with the drugs as columns if asked."""
    path, out = make(tmp_path), tmp_path / "out.csv"
    assert cli.main(["correct", str(path), str(out), "--transpose"]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        corrected = rt.io.read_table(out, drugs="columns")
    assert corrected.shape == (len(DRUGS), len(LINES))
    assert capsys.readouterr().out.startswith(f"{path.name}: ")


def test_the_page_lists_every_format(tmp_path):
    """It is written from what was read; RENEW_PAGES=1 renews it."""
    lines = [
        "| format | example | measure, direction | identifiers | tissue |",
        "|---|---|---|---|---|",
    ]
    more = [
        Expected(made.prism_secondary, "prism_secondary", AUC, "auc_prism"),
        Expected(made.ctrpv2, "ctrpv2", AUC, "auc_ctrp"),
        Expected(made.gcsi, "gcsi", AUC, "gr_aoc"),
    ]
    titles = {form.name: form.title for form in rt.io.formats()}
    for k, case in enumerate([*EXPECTED, *more]):
        (tmp_path / str(k)).mkdir()
        path = case.make(tmp_path / str(k))
        adata = read(path, quiet=True)
        measure = adata.uns["measure"]
        ids = [c for t in (adata.obs, adata.var) for c in t
               if c.endswith(("_id", "_cid", "_name")) and not c.startswith("NLME")]  # fmt: skip
        lines.append(
            f"| {titles[case.form]} | `{path.name}` | {measure['name']}, higher = "
            f"{measure['higher_is']} | {', '.join(ids) or 'names'} | "
            f"{'yes' if 'tissue' in adata.var else ''} |"
        )
    lines += of_other_kinds(tmp_path)
    measures = [
        "| measure | unit | higher is | bounds | source |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {kind.unit} | {kind.higher_is} | {kind.bounds[0]:g} to "
            f"{kind.bounds[1]:g} | {kind.source} |"
            for name, kind in KINDS.items()
        ),
    ]
    page = PAGE.read_text()
    new = between(page, "formats", lines)
    new = between(new, "measures", measures)
    if os.environ.get("RENEW_PAGES"):
        PAGE.write_text(new)
        page = new
    assert page == new, "run RENEW_PAGES=1 pytest tests/test_io_read.py -k page"


def of_other_kinds(folder: Path) -> list[str]:
    """Rows of what is no table: AnnData and objects of R."""
    import made_psets

    rt.io.write_h5ad(read(made.gdsc_fitted(folder), quiet=True), folder / "screen.h5ad")
    made_psets.write(folder / "PSet.rds", made_psets.pset("2022a"))
    matrix = made_psets.matrix(LN_IC50.T, [f"COSMIC_{x}" for x in COSMIC], list(DRUGS))
    made_psets.write(folder / "GDSC2_Res.rds", matrix)
    content = made_psets.experiment(
        {"aac": made_psets.matrix(1 - AUC, list(DRUGS), list(LINES))},
        pd.DataFrame(index=list(DRUGS)),
        pd.DataFrame({"tissue": list(TISSUES)}, index=list(LINES)),
    )
    made_psets.write(folder / "experiment.rds", content)
    out = []
    for title, name in (
        ("AnnData", "screen.h5ad"),
        ("PharmacoSet", "PSet.rds"),
        ("matrix or data frame of R", "GDSC2_Res.rds"),
        ("SummarizedExperiment", "experiment.rds"),
    ):
        adata = read(folder / name, quiet=True)
        measure = adata.uns.get("measure", {})
        said = f"{measure['name']}, higher = {measure['higher_is']}" if measure else "to be said"
        tissue = "yes" if "tissue" in adata.var else ""
        out.append(f"| {title} | `{name}` | {said} | those it holds | {tissue} |")
    return out


def between(page: str, mark: str, lines: list[str]) -> str:
    """Put lines between two marks of a page."""
    table = "\n".join(lines)
    return re.sub(
        rf"<!-- {mark} -->\n.*?<!-- end -->",
        lambda _: f"<!-- {mark} -->\n{table}\n<!-- end -->",
        page,
        flags=re.DOTALL,
    )


def test_the_example_of_the_page_reads_a_table(tmp_path):
    """As a user would take it over."""
    from rtdmf_bio.io._registry import _ADDED

    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[-1]
    path = made.rows(
        tmp_path, "plates.csv", ("plate", "organ", "substance", "substance_no", "cells", "potency"),
        [(1, TISSUES[j], DRUGS[i], 70 + i, LINES[j], AUC[i, j]) for i, j in made.pairs()],
    )  # fmt: skip
    try:
        exec(code, {})
        adata = read(path, quiet=True)
    finally:
        _ADDED.clear()
    np.testing.assert_allclose(adata.X, AUC)
    assert adata.uns["read"]["format"] == "ours"
    assert list(adata.var["tissue"]) == list(TISSUES)
    assert list(adata.obs["drug_id"]) == [70 + i for i in range(len(DRUGS))]


def test_layers_without_x_are_read(tmp_path, rough_fits):
    """And corrected by name, as before."""
    adata = ad.AnnData(
        obs=pd.DataFrame(index=list(DRUGS)), var=pd.DataFrame(index=list(LINES)), layers={"a": AUC}
    )
    adata.write_h5ad(tmp_path / "layers.h5ad")
    assert read(tmp_path / "layers.h5ad", quiet=True).X is None
    out = tmp_path / "out.h5ad"
    assert cli.main(["correct", str(tmp_path / "layers.h5ad"), str(out), "--layer", "a"]) == 0


@pytest.mark.parametrize("given", [{"A375": "skin"}, pd.Series(["skin"], ["A375"]), 3])
def test_annotation_is_a_table(tmp_path, given):
    """What else it may be is told in one line."""
    with pytest.raises(TypeError, match="annotation of cell lines must be a table"):
        read(made.wide(tmp_path), var=given)
