"""What is installed: the wheel, built here and unpacked."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import r_bridge

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(folder))
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_holds_the_r_package_without_its_tests_and_vignettes(installed):
    """Installing from it works, and Python evaluates R files of its own and two of the package."""
    found = {path.name for path in (installed / "r_bridge" / "rtdmfbio").iterdir()}
    assert found == {".Rbuildignore", "DESCRIPTION", "LICENSE", "NAMESPACE", "R", "man"}
    sources = {path.relative_to(ROOT) for path in (ROOT / "r_bridge").rglob("*.R")}
    tests = {path for path in sources if path.is_relative_to("r_bridge/rtdmfbio/tests")}
    assert tests
    assert {path.relative_to(installed) for path in installed.rglob("*.R")} == sources - tests


@pytest.mark.slow
def test_the_wheel_alone_reads_a_pharmacoset(installed, backend, tmp_path):
    path = made.write(tmp_path / "pset.rds", made.pset("current"))
    code = (
        "import sys, r_bridge, rtdmf_bio\n"
        "path, backend, table = sys.argv[1:]\n"
        "adata = r_bridge.read_pset(path, 'auc_recomputed', backend=backend, progress=False)\n"
        "adata.to_df().to_pickle(table)\n"
        "print(r_bridge.__file__, rtdmf_bio.__file__)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(path), backend, str(tmp_path / "table")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {Path(file).parents[1] for file in out.stdout.split()} == {installed}
    here = r_bridge.read_pset(path, "auc_recomputed", backend=backend, progress=False)
    pd.testing.assert_frame_equal(pd.read_pickle(tmp_path / "table"), here.to_df())
