"""R files through ``rtdmf_bio.io.read`` and the command, which find them as an entry point."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import r_bridge
import rtdmf_bio as rt
from rtdmf_bio import cli

sys.path.insert(0, str(Path(__file__).parent))
import made_files
import made_psets as made
from made_files import AUC, COSMIC, DRUGS, LINES, LN_IC50


def test_matrices_of_oncopredict_know_ids_and_measure(tmp_path, capsys):
    """Lines are in the rows; the names hold the identifiers."""
    rows = [f"COSMIC_{x}" for x in COSMIC]
    columns = [f"{name}_{1000 + i}" for i, name in enumerate(DRUGS)]
    frame = pd.DataFrame(LN_IC50.T, rows, columns)
    frame.to_csv(tmp_path / "GDSC2_Res.csv")
    made.write(tmp_path / "GDSC2_Res.rds", made.matrix(LN_IC50.T, rows, columns))
    for name in ("GDSC2_Res.csv", "GDSC2_Res.rds"):
        adata = rt.io.read(tmp_path / name)
        np.testing.assert_allclose(adata.X, LN_IC50)
        assert list(adata.obs["drug_name"]) == list(DRUGS)
        assert list(adata.obs["drug_id"]) == [str(1000 + i) for i in range(len(DRUGS))]
        assert list(adata.var["cosmic_id"]) == list(COSMIC)
        assert adata.uns["measure"]["kind"] == "ln_ic50"
        assert capsys.readouterr().out.count("\n") == 1


def test_a_data_frame_is_recognised_like_a_file_of_text(tmp_path):
    """Whatever is in the format of GDSC is so in R, too."""
    frame = pd.DataFrame(made_files.gdsc_rows(), columns=list(made_files.GDSC))
    path = made.write(tmp_path / "gdsc.rds", made.dframe(frame.astype({"COSMIC_ID": float})))
    adata = rt.io.read(path, quiet=True)
    np.testing.assert_allclose(adata.X, AUC)
    np.testing.assert_allclose(adata.layers["ln_ic50"], LN_IC50)
    assert list(adata.var["tissue"]) == list(made_files.TISSUES)


def test_an_experiment_with_lines_first_is_turned(tmp_path):
    """Its rows are features, which drugs or lines may be."""
    for rows, columns, values in ((DRUGS, LINES, AUC), (LINES, DRUGS, AUC.T)):
        content = made.experiment(
            {"aac": made.matrix(values, list(rows), list(columns))},
            pd.DataFrame({"n": range(len(rows))}, index=list(rows)),
            pd.DataFrame({"m": range(len(columns))}, index=list(columns)),
        )
        adata = rt.io.read(made.write(tmp_path / "se.rds", content), quiet=True)
        np.testing.assert_allclose(adata.X, AUC)
        assert list(adata.obs_names) == list(DRUGS)
        assert adata.uns["measure"]["higher_is"] == "sensitive"


def test_a_pharmacoset_is_read_as_by_read_pset(tmp_path, rough_fits, capsys):
    """With the measure asked for."""
    path = made.write(tmp_path / "pset.rds", made.pset("2022a"))
    measures = r_bridge.list_measures(path, progress=False)
    for measure in measures[:2]:
        ours = rt.io.read(path, measure=measure, quiet=True)
        theirs = r_bridge.read_pset(path, measure, progress=False)
        np.testing.assert_array_equal(ours.X, theirs.X)
        assert ours.uns["measure"] == theirs.uns["measure"]
    rt.io.read(path)
    assert "pset.rds: R file, " in capsys.readouterr().out


def test_of_several_objects_one_is_named(tmp_path, rough_fits):
    """By sheet, which is --object on the command line."""
    objects = {
        "auc": made.matrix(AUC, list(DRUGS), list(LINES)),
        "ic50": made.matrix(LN_IC50, list(DRUGS), list(LINES)),
    }
    path = made.write(tmp_path / "both.rda", objects, several=True)
    with pytest.raises(ValueError, match=r"several objects. Pass name, one of \['auc', 'ic50'\]"):
        rt.io.read(path)
    np.testing.assert_allclose(rt.io.read(path, sheet="ic50", quiet=True).X, LN_IC50)
    out = tmp_path / "out.csv"
    assert cli.main(["correct", str(path), str(out), "--object", "auc", "--quiet"]) == 0
    assert out.exists()
    out = tmp_path / "out.rds"
    assert cli.main(["correct", str(path), str(out), "--object", "auc", "--quiet"]) == 1
