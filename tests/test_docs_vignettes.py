"""Every vignette runs as a script, without a warning, and leaves the file it promises."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

# anndata's, as in pyproject.toml, and scanpy's, of pandas from 3.1 on.
EXCUSED = [
    f"ignore:The {what}:DeprecationWarning"
    for what in (
        "'future.infer_string' option is deprecated",
        "'mode.chained_assignment' option is deprecated",
        "inplace keyword in DataFrame.",
    )
]
FOLDER = Path(__file__).parent.parent / "vignettes"


def screen(path):
    adata = anndata.read_h5ad(path)
    assert np.isfinite(adata.layers["rtdmf"]).all()
    assert set(np.unique(adata.layers["rtdmf_flag"])) == {0, 1, 2, 3}


def table(*columns):
    def check(path):
        found = pd.read_csv(path)
        assert len(found)
        assert set(columns) <= set(found)

    return check


def settings(path):
    assert json.loads(path.read_text())["correct"].keys() == {"depth", "weight_decay"}


PROMISED = {
    "1_correct_your_first_screen.py": ("first_screen_corrected.h5ad", screen),
    "2_two_screens.py": ("concordance.csv", table("source", "specificity_star")),
    "3_from_pharmacoset_to_biomarker.py": ("biomarkers.csv", table("drug", "group", "auroc")),
    "4_how_far_can_flags_be_trusted.py": ("recovery.csv", table("answer", "size", "precision")),
    "5_choosing_settings.py": ("settings.json", settings),
}


def test_index_lists_every_vignette_and_its_file():
    rows = re.findall(
        r"^\| \[\d\]\((\S+)\) .* `(\S+)` \|$", (FOLDER / "README.md").read_text(), re.M
    )
    assert dict(rows) == {name: file for name, (file, _) in PROMISED.items()}
    assert sorted(PROMISED) == sorted(path.name for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", PROMISED)
def test_no_cell_is_empty(name):
    cells = re.split(r"^# %%.*$", (FOLDER / name).read_text(), flags=re.M)[1:]
    assert all(cell.strip("# \n") for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROMISED)
def test_vignette_runs_and_saves_what_it_promises(name, tmp_path):
    """In a process of its own, as a reader runs it; pictures are drawn, not shown."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *(f"-W{it}" for it in EXCUSED), FOLDER / name],
        cwd=tmp_path,
        # Small matrices: a second thread costs more than it brings.
        env={**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    file, check = PROMISED[name]
    check(tmp_path / file)


@pytest.mark.slow
def test_a_notebook_finds_its_data_where_jupyter_opens_it():
    """In its own folder, and without __file__."""
    start = (FOLDER / "3_from_pharmacoset_to_biomarker.py").read_text().split("# ## Correct")[0]
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "BRAF_mut" in done.stdout
