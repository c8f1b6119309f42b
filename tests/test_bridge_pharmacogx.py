"""The back end that asks PharmacoGx itself.

Where R does not have it, a package of that name stands in, made here, with the accessors of the
real one but none of its code.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made

STAND_IN = {
    "DESCRIPTION": "Package: PharmacoGx\nVersion: 0.0.1\nTitle: Stand-In\nDescription: For tests.\n"
    "License: none\nAuthor: nobody\nMaintainer: nobody <no@body>\nImports: methods\n",
    "NAMESPACE": "import(methods)\nexportClasses(PharmacoSet)\nexport(sampleInfo, treatmentInfo,\n"
    "sensitivityInfo, sensitivityProfiles, treatmentResponse, curation, annotation)\n",
    "R/all.R": """
    setClass("PharmacoSet", representation(annotation = "list", molecularProfiles = "list",
      sample = "data.frame", treatment = "data.frame", treatmentResponse = "list",
      curation = "list", datasetType = "character", perturbation = "list"))
    sampleInfo <- function(object) object@sample
    treatmentInfo <- function(object) object@treatment
    treatmentResponse <- function(object) object@treatmentResponse
    sensitivityInfo <- function(object) object@treatmentResponse$info
    sensitivityProfiles <- function(object) object@treatmentResponse$profiles
    curation <- function(object) object@curation
    annotation <- function(object) object@annotation
    """,
}
COMPARE = """
import sys, numpy as np, pandas as pd, r_bridge
for path in sys.argv[1:]:
    one, other = (
        r_bridge.read_pset(path, "auc_recomputed", backend=b) for b in ("pharmacogx", "r")
    )
    assert one.uns["pset"]["backend"] == "pharmacogx"
    assert np.array_equal(one.X, other.X, equal_nan=True)
    pd.testing.assert_frame_equal(one.obs, other.obs)
    pd.testing.assert_frame_equal(one.var, other.var)
    if one.uns["pset"]["generation"] != "TreatmentResponseExperiment":
        experiments = [a.uns["pset"]["experiments"] for a in (one, other)]
        pd.testing.assert_frame_equal(*experiments)
    one.layers["rtdmf"] = one.X / 2
    r_bridge.write_pset(one, path, path + ".out.rds", backend="pharmacogx")
    again = r_bridge.read_pset(path + ".out.rds", "auc_recomputed_rtdmf", backend="r")
    assert np.array_equal(again.X, one.X / 2, equal_nan=True)
print("equal")
"""


def has(package, env=None):
    code = f"cat(requireNamespace('{package}', quietly = TRUE))"
    out = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, env=env)
    return out.stdout == "TRUE"


@pytest.fixture(scope="module")
def env(needs_r, tmp_path_factory):
    if has("PharmacoGx"):
        return dict(os.environ)
    folder = tmp_path_factory.mktemp("PharmacoGx")
    library = tmp_path_factory.mktemp("library")
    for name, text in STAND_IN.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    command = ["R", "CMD", "INSTALL", "--no-test-load", f"--library={library}", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return {**os.environ, "R_LIBS": str(library)}


def run(code, env, *args):
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_pharmacogx_and_base_r_give_the_same(env, tmp_path):
    """The stand-in knows the current generation only; PharmacoGx no longer reads all others."""
    names = ["current"]
    if has("CoreGx", env):
        names += ["2019", "2022a"]
    files = [made.write(tmp_path / f"{name}.rds", made.pset(name)) for name in names]
    out = run(COMPARE, env, *files)
    assert (out.returncode, out.stdout) == (0, "equal\n"), out.stderr


def test_what_pharmacogx_cannot_read_is_one_clear_error(env, tmp_path):
    def edit(parts):
        if hasattr(parts, "slots"):
            del parts.slots["curation"]

    path = made.write(tmp_path / "broken.rds", made.pset("current", edit=edit))
    code = (
        "import sys, r_bridge\n"
        "try: r_bridge.read_pset(sys.argv[1], backend='pharmacogx')\n"
        "except ValueError as error: print(error)"
    )
    out = run(code, env, path)
    assert out.stdout.startswith("broken.rds: PharmacoGx cannot read it (")
    assert "Try backend='r'." in out.stdout
    assert out.stderr == ""


def test_without_pharmacogx_the_error_says_how_to_get_it(needs_r, tmp_path):
    from r_bridge._nodes import by_rpy2

    if has("PharmacoGx"):
        pytest.skip("PharmacoGx is here")
    with pytest.raises(ImportError, match=r"not installed.*In R: BiocManager::install\('Pharmaco"):
        by_rpy2.require_pharmacogx()
