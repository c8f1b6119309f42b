"""Small files as public resources distribute them: their headers, invented numbers."""

from __future__ import annotations

import csv
import gzip
import zipfile
from pathlib import Path

import numpy as np

DRUGS = (
    "Dabrafenib",
    "Trametinib",
    "Erlotinib",
    "Olaparib",
    "Paclitaxel",
    "Cisplatin",
    "Gefitinib",
    "Lapatinib",
    "Docetaxel",
    "Gemcitabine",
    "Selumetinib",
    "Nilotinib",
)
_LINES = {
    "Skin": ("A375", "COLO-829", "SK-MEL-28", "UACC-62"),
    "Lung": ("A549", "NCI-H226", "NCI-H460", "PC-9"),
    "Breast": ("MCF7", "T47D", "BT-474", "HCC1937"),
    "Bowel": ("HT-29", "SW480", "RKO"),
    "CNS/Brain": ("U-87-MG", "SF295", "T98G"),
    "Myeloid": ("K-562", "HL-60"),
}
LINES = tuple(name for names in _LINES.values() for name in names)
TISSUES = tuple(tissue for tissue, names in _LINES.items() for _ in names)
MODELS = tuple(f"ACH-00{1900 + j:04d}" for j in range(len(LINES)))
COSMIC = tuple(str(905000 + 7 * j) for j in range(len(LINES)))
SAMPLES = tuple(f"{name.replace('-', '').upper()}_{tissue.split('/')[-1].upper()}"
                for name, tissue in zip(LINES, TISSUES, strict=True))  # fmt: skip

_rng = np.random.default_rng(19)
AUC = np.round(0.05 + 0.9 * _rng.random((len(DRUGS), len(LINES))), 4)
LN_IC50 = np.round(6 * AUC - 3, 4)
LFC = np.round(np.log2(AUC), 4)


def rows(folder: Path, name: str, header, lines, sep: str = ",") -> Path:
    """Write a table of text."""
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=sep)
        writer.writerow(header)
        writer.writerows(lines)
    return path


def pairs():
    """All pairs of drug and line by place."""
    return [(i, j) for i in range(len(DRUGS)) for j in range(len(LINES))]


GDSC = ("DATASET", "NLME_RESULT_ID", "NLME_CURVE_ID", "COSMIC_ID", "CELL_LINE_NAME",
        "SANGER_MODEL_ID", "TCGA_DESC", "DRUG_ID", "DRUG_NAME", "PUTATIVE_TARGET", "PATHWAY_NAME",
        "COMPANY_ID", "WEBRELEASE", "MIN_CONC", "MAX_CONC", "LN_IC50", "AUC", "RMSE",
        "Z_SCORE")  # fmt: skip


def gdsc_rows(twice: bool = False):
    """Rows of GDSC's fitted responses; Olaparib under a second id, .1 above, if `twice`."""
    found = [
        ("GDSC2", 343, 10**7 + 100 * i + j, COSMIC[j], LINES[j], f"SIDM{j:05d}", TISSUES[j],
         1000 + i, DRUGS[i], f"target {i}", "path", 1046, "Y", 0.001, 10,
         LN_IC50[i, j], AUC[i, j], 0.01 * (i + j), round(LN_IC50[i, j] / 2, 3))
        for i, j in pairs()
    ]  # fmt: skip
    if twice:
        i = DRUGS.index("Olaparib")
        more = [row for row in found if row[8] == "Olaparib"]
        found += [(*row[:7], 1495, *row[8:16], round(AUC[i, k] + 0.1, 4), *row[17:])
                  for k, row in enumerate(more)]  # fmt: skip
    return found


def gdsc_fitted(folder: Path, twice: bool = False) -> Path:
    return rows(folder, "GDSC2_fitted_dose_response.csv", GDSC, gdsc_rows(twice))


def gdsc_fitted_xlsx(folder: Path) -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (GDSC, *gdsc_rows()):
        # As it is distributed: ids are numbers.
        book.active.append([int(x) if isinstance(x, str) and x.isdigit() else x for x in row])
    path = folder / "GDSC2_fitted_dose_response_27Oct23.xlsx"
    book.save(path)
    return path


def gdsc_web(folder: Path) -> Path:
    header = ("Drug Name", "Drug ID", "Cell Line Name", "Cosmic ID", "TCGA Classification",
              "Tissue", "Tissue Sub-type", "IC50", "AUC", "Max Conc", "RMSE", "Z score",
              "Dataset Version")  # fmt: skip
    return rows(folder, "PANCANCER_IC50.csv", header, [
        (DRUGS[i], 1000 + i, LINES[j], COSMIC[j], "X", TISSUES[j], "sub", LN_IC50[i, j], AUC[i, j],
         10, 0.1, 0.2, "GDSC2") for i, j in pairs()
    ])  # fmt: skip


def gdsc_anova(folder: Path) -> Path:
    header = ["", "COSMIC_ID", "TISSUE_FACTOR", "MSI_FACTOR",
              *(f"Drug_{1000 + i}_IC50" for i in range(len(DRUGS)))]  # fmt: skip
    lines = [[j, f"{COSMIC[j]}.0", TISSUES[j], j % 2, *LN_IC50[:, j]] for j in range(len(LINES))]
    return rows(folder, "IC50_v17.csv", header, lines)


def model_table(folder: Path) -> Path:
    header = ("ModelID", "CellLineName", "StrippedCellLineName", "OncotreeLineage", "COSMICID")
    lines = zip(MODELS, LINES, [n.replace("-", "") for n in LINES], TISSUES, COSMIC, strict=True)
    return rows(folder, "Model.csv", header, lines)


def depmap_plain(folder: Path) -> Path:
    header = ["", *(f"{name.upper()} (CTRP:{30000 + i})" for i, name in enumerate(DRUGS))]
    return rows(folder, "Drug_sensitivity_AUC_(CTD^2).csv", header,
                [[MODELS[j], *AUC[:, j]] for j in range(len(LINES))])  # fmt: skip


def depmap_custom(folder: Path) -> Path:
    header = ["", "cell_line_display_name", "lineage_1", "lineage_2", "lineage_6", "lineage_3",
              *(f"{name.upper()} (GDSC2:{1000 + i})" for i, name in enumerate(DRUGS))]  # fmt: skip
    return rows(folder, "Drug_sensitivity_AUC_(Sanger_GDSC2)_subsetted.csv", header,
                [[MODELS[j], LINES[j], TISSUES[j], "X", "", "Y", *AUC[:, j]]
                 for j in range(len(LINES))])  # fmt: skip


def gene_effect(folder: Path) -> Path:
    model_table(folder)
    header = ["", *(f"GENE{i} ({i + 1})" for i in range(len(DRUGS)))]
    return rows(folder, "CRISPRGeneEffect.csv", header,
                [[MODELS[j], *LFC[:, j]] for j in range(len(LINES))])  # fmt: skip


def prism_primary(folder: Path) -> Path:
    ids = [f"BRD:BRD-K{i:08d}-001-01-{i}" for i in range(len(DRUGS))]
    rows(
        folder,
        "Repurposing_Public_24Q2_Extended_Primary_Compound_List.csv",
        ("IDs", "Drug.Name", "MOA", "repurposing_target", "Synonyms"),
        [(ids[i], DRUGS[i].upper(), "inhibitor", f"T{i}", "") for i in range(len(DRUGS))],
    )
    return rows(folder, "Repurposing_Public_24Q2_Extended_Primary_Data_Matrix.csv",
                ["", *MODELS], [[ids[i], *LFC[i]] for i in range(len(DRUGS))])  # fmt: skip


def prism_primary_old(folder: Path) -> Path:
    ids = [f"BRD-K{i:08d}-001-01-{i}::2.5::HTS" for i in range(len(DRUGS))]
    rows(
        folder,
        "primary-screen-replicate-collapsed-treatment-info.csv",
        ("column_name", "broad_id", "name", "dose", "screen_id", "moa"),
        [
            (ids[i], ids[i].split("::")[0], DRUGS[i].lower(), 2.5, "HTS", "inhibitor")
            for i in range(len(DRUGS))
        ],
    )
    return rows(folder, "primary-screen-replicate-collapsed-logfold-change.csv",
                ["", *ids], [[MODELS[j], *LFC[:, j]] for j in range(len(LINES))])  # fmt: skip


def prism_lfc(folder: Path) -> Path:
    found = [(f"{MODELS[j]}::PR500", f"BRD-K{i:08d}", LFC[i, j], "PR500") for i, j in pairs()]
    failed = [(f"{MODELS[0]}::PR500", "BRD-K1 (QC Failure)", 9.5, "PR500")]
    return rows(folder, "Repurposing_Public_24Q2_LFC_COLLAPSED.csv",
                ("row_id", "broad_id", "LFC", "pool"), [*found, *failed])  # fmt: skip


def prism_secondary(folder: Path) -> Path:
    header = ("broad_id", "depmap_id", "ccle_name", "screen_id", "upper_limit", "lower_limit",
              "slope", "r2", "auc", "ec50", "ic50", "name", "moa", "target", "disease.area",
              "indication", "smiles", "phase", "passed_str_profiling", "row_name")  # fmt: skip
    found = []
    for i, j in pairs():
        for k, screen in enumerate(("HTS002", "MTS010")[: 2 if i == 0 else 1]):
            found.append((f"BRD-K{i:08d}-001-01-9", MODELS[j], SAMPLES[j], screen, 1, 0.1, 0.9, 0.5,
                          round(AUC[i, j] + 0.1 * k, 4), 1.2, "", DRUGS[i].lower(), "a, b", "T",
                          "oncology", "", "CC", "Launched", "TRUE", MODELS[j]))  # fmt: skip
    failed = [("BRD-K00000001-001-01-9", "", "", "HTS002", *found[0][4:19], "PR500") for _ in "ab"]
    failed[1] = (*failed[1][:8], 0.77, *failed[1][9:])
    return rows(folder, "secondary-screen-dose-response-curve-parameters.csv", header,
                [*found, *failed])  # fmt: skip


def prism_oncref(folder: Path) -> Path:
    ids = [f"PRC-{5000000 + i:09d}-001-01" for i in range(len(DRUGS))]
    rows(
        folder,
        "PRISMOncologyReferenceCompoundList.csv",
        ("SampleID", "CompoundName", "CompoundPlate", "GeneSymbolOfTargets", "PubChemCID"),
        [(ids[i], DRUGS[i].upper(), "PLATE", f"T{i}", 10 + i) for i in range(len(DRUGS))],
    )
    return rows(folder, "PRISMOncologyReferenceLog2AUCMatrix.csv", ["", *ids],
                [[MODELS[j], *LFC[:, j]] for j in range(len(LINES))])  # fmt: skip


def ctrpv2(folder: Path) -> Path:
    folder = folder / "CTRPv2.0_2015_ctd2_ExpandedDataset"
    folder.mkdir()
    experiments = [(j + 1, run, 20120501, "RPMI", 1.0, 500, "adherent", "match", 200 + j)
                   for j in range(len(LINES)) for run in (1, 2)]  # fmt: skip
    rows(
        folder,
        "v20.meta.per_experiment.txt",
        (
            "experiment_id",
            "run_id",
            "experiment_date",
            "culture_media",
            "baseline_signal",
            "cells_per_well",
            "growth_mode",
            "snp_fp_status",
            "master_ccl_id",
        ),
        [*experiments, (99, 1, 20120502, "RPMI", 1.0, 500, "adherent", "match", 200)],
        "\t",
    )
    rows(
        folder,
        "v20.meta.per_cell_line.txt",
        ("master_ccl_id", "ccl_name", "ccl_availability", "ccle_primary_site", "ccle_primary_hist"),
        [
            (200 + j, LINES[j].replace("-", ""), "ccle", TISSUES[j].lower(), "carcinoma")
            for j in range(len(LINES))
        ],
        "\t",
    )
    rows(
        folder,
        "v20.meta.per_compound.txt",
        ("master_cpd_id", "cpd_name", "broad_cpd_id", "top_test_conc_umol"),
        [(35000 + i, DRUGS[i].lower(), f"BRD-K{i:08d}", 66) for i in range(len(DRUGS))],
        "\t",
    )
    curves = [(j + 1, 16, 3, 0.9, 0.2, round(15 * AUC[i, j], 4), 35000 + i) for i, j in pairs()]
    again = [
        (99, 16, 3, 0.9, 0.2, round(15 * AUC[i, 0] + 2, 4), 35000 + i) for i in range(len(DRUGS))
    ]
    rows(folder, "v20.data.curves_post_qc.txt",
         ("experiment_id", "conc_pts_fit", "fit_num_param", "p1_center", "apparent_ec50_umol",
          "area_under_curve", "master_cpd_id"), [*curves, *again], "\t")  # fmt: skip
    return folder


def ccle_np24(folder: Path) -> Path:
    header = ("CCLE Cell Line Name", "Primary Cell Line Name", "Compound", "Target", "Doses (uM)",
              "Activity Data (median)", "Activity SD", "Num Data", "FitType", "EC50 (uM)",
              "IC50 (uM)", "Amax", "ActArea")  # fmt: skip
    return rows(folder, "CCLE_NP24.2009_Drug_data_2015.02.24.csv", header, [
        (SAMPLES[j], LINES[j], DRUGS[i], "T", ".0025,.008", "-3,-8", "5,6", 8, "Sigmoid", "NA",
         8, -70, round(8 * (1 - AUC[i, j]), 4)) for i, j in pairs()
    ])  # fmt: skip


def gcsi(folder: Path) -> Path:
    header = ("DrugName", "CellLineName", "PrimaryTissue", "ExperimentNumber", "TrtDuration",
              "doublingtime", "GR_AOC", "meanviability", "GR50")  # fmt: skip
    found = [(DRUGS[i], LINES[j], TISSUES[j], "2a", 72, 30 + j, round(1 - AUC[i, j], 4), AUC[i, j],
              "Inf" if j == 0 else 0.5 + i) for i, j in pairs()]  # fmt: skip
    again = [(*row[:3], "3a", *row[4:6], round(row[6] + 0.02, 4), *row[7:]) for row in found[:4]]
    return rows(folder, "gCSI_GRmetrics_v1.3.tsv", header, [*found, *again], "\t")


def drevalpy(folder: Path) -> Path:
    header = ("cell_line_name", "pubchem_id", "drug_name", "cellosaurus_id", "tissue", "LN_IC50",
              "AUC", "LN_IC50_curvecurator")  # fmt: skip
    return rows(folder, "GDSC2.csv", header, [
        (LINES[j], 5000 + i, DRUGS[i], f"CVCL_{j:04d}", TISSUES[j], LN_IC50[i, j], AUC[i, j],
         round(LN_IC50[i, j] + 0.5, 4)) for i, j in pairs()
    ])  # fmt: skip


def depmap_r(folder: Path) -> Path:
    header = ("depmap_id", "cell_line", "compound", "dependency", "broad_id", "name", "dose",
              "screen_id", "moa", "target", "disease_area", "indication", "smiles")  # fmt: skip
    return rows(folder, "drug_sensitivity_21Q2.csv", header, [
        (MODELS[j], SAMPLES[j], f"BRD-K{i:08d}-001-01-9::2.5::HTS", LFC[i, j],
         f"BRD-K{i:08d}-001-01-9", DRUGS[i].lower(), 2.5, "HTS", "moa", "t", "oncology", "", "")
        for i, j in pairs()
    ])  # fmt: skip


def coderdata(folder: Path) -> Path:
    found = [("source", "improve_sample_id", "improve_drug_id", "dose_response_value", "time",
              "time_unit", "dose_response_metric", "study")]  # fmt: skip
    for i, j in pairs():
        key = ("gdscv2", 5000 + j, f"SMI_{i}")
        row = (*key, AUC[i, j], 72, "hours", "fit_auc", "gdscv2")
        found += [row, row] if i == j else [row]
        found.append((*key, 0.8, 72, "hours", "fit_r2", "gdscv2"))
    path = folder / "gdscv2_experiments.tsv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines("\t".join(map(str, row)) + "\n" for row in found)
    return path


def oncopredict(folder: Path) -> Path:
    header = ["", *(f"{name}_{1000 + i}" for i, name in enumerate(DRUGS))]
    return rows(folder, "GDSC2_Res.csv", header,
                [[f"COSMIC_{COSMIC[j]}", *LN_IC50[:, j]] for j in range(len(LINES))])  # fmt: skip


def nci60(folder: Path) -> Path:
    header = ("RELEASE_DATE", "EXPID", "PREFIX", "NSC", "CONCENTRATION_UNIT",
              "LOG_HI_CONCENTRATION", "PANEL_NUMBER", "CELL_NUMBER", "PANEL_NAME", "CELL_NAME",
              "PANEL_CODE", "COUNT", "AVERAGE", "STDDEV")  # fmt: skip
    found = [("20210223", f"0001MD{k:02d}", "S", 740 + i, "M", -4, 1, j, TISSUES[j], LINES[j],
              "X", 1, round(-5 - AUC[i, j] + (-0.1, 0.1)[k], 4), 0)
             for i, j in pairs() for k in (0, 1)]  # fmt: skip
    return rows(folder, "GI50.csv", header, found)


def nci60_lst(folder: Path) -> Path:
    header = ("NSC", "CONCUNIT", "LCONC", "PANEL", "CELL", "PANELNBR", "CELLNBR", "NLOGGI50",
              "INDN", "TOTN", "STDDEV")  # fmt: skip
    return rows(folder, "CANCER60GI50.LST", header, [
        (740 + i, "M", -4.0, TISSUES[j], LINES[j], 1, j, round(5 + AUC[i, j], 4), 1, 1, 0)
        for i, j in pairs()
    ])  # fmt: skip


def wide(folder: Path, name: str = "screen.csv") -> Path:
    return rows(folder, name, ["drug", *LINES],
                [[DRUGS[i], *AUC[i]] for i in range(len(DRUGS))])  # fmt: skip


def zipped(folder: Path) -> Path:
    inner = wide(folder)
    with zipfile.ZipFile(folder / "screen.zip", "w") as archive:
        archive.write(inner, "screen.csv")
    inner.unlink()
    return folder / "screen.zip"
