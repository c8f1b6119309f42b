"""The README and the docstrings' examples run, and print what they say."""

import contextlib
import doctest
import importlib
import io
import re
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

import r_bridge
import rtdmf_bio

sys.path.insert(0, str(Path(__file__).parent))
import made_psets

ROOT = Path(__file__).parent.parent


def block(language):
    return re.search(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)


@pytest.mark.slow
def test_readme_example_prints_what_it_says(tmp_path, monkeypatch):
    """The first thing a newcomer runs. Numbers may move in the last digits between machines."""
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block("python"), "README.md", "exec"), {})
    said, printed = block("text").splitlines(), out.getvalue().splitlines()
    assert len(said) == len(printed)
    # From the fourth pair on, two are as good as tied.
    for a, b in zip(said[:8], printed[:8], strict=True):
        assert re.sub(r"[-\d.e+]+", "#", a).split() == re.sub(r"[-\d.e+]+", "#", b).split()
        one, other = (
            [float(x) for x in re.findall(r"(?<![\w-])\d+\.?\d*(?:e[-+]\d+)?", text)]
            for text in (a, b)
        )
        assert one == pytest.approx(other, rel=0.05, abs=0.011) or "e-" in a
    assert {path.name for path in tmp_path.iterdir()} == {
        "correction.png",
        "gdsc1_corrected.h5ad",
    }


def test_readme_example_with_a_pharmacoset_runs(tmp_path, monkeypatch, needs_r, capsys):
    monkeypatch.chdir(tmp_path)
    screen = rtdmf_bio.datasets.gdsc1()[30:60, :80].to_df()
    tissue = ["lung", "skin", None, "blood"] * 20
    made_psets.write("study.rds", made_psets.pset_of(screen, tissue))
    exec(compile(block("py"), "README.md", "exec"), {"rt": rtdmf_bio})
    said = capsys.readouterr().out
    assert "'generation': 'current'" in said
    assert "wrote    corrected.rds" in said
    assert "corrected_imputed.rds, corrected_imputed.csv" in said


def test_readme_names_only_what_exists():
    text = (ROOT / "README.md").read_text()
    for name in set(re.findall(r"r_bridge\.(\w+)", text)):
        assert name in r_bridge.__all__
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / path).exists(), path
    for name in set(re.findall(r"(?:rt\.|`)((?:pp|tl|pl|io|datasets|baselines)\.\w+)", text)):
        thing = rtdmf_bio
        for part in name.split("."):
            thing = getattr(thing, part)


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "rtdmf_bio.datasets._gdsc1",
        "rtdmf_bio.io._h5ad",
        "rtdmf_bio.io._tables",
        "rtdmf_bio.model.estimator",
        "rtdmf_bio.datasets._simulate",
        "rtdmf_bio.pl._biomarker",
        "rtdmf_bio.pl._clusters",
        "rtdmf_bio.pp._correct",
        "rtdmf_bio.pp._harmonize",
        "rtdmf_bio.pp._holdout",
        "rtdmf_bio.pp._tune",
        "rtdmf_bio.tl._annotate",
        "rtdmf_bio.tl._biomarker",
        "rtdmf_bio.tl._cluster",
        "rtdmf_bio.tl._concordance",
        "rtdmf_bio.tl._factors",
        "rtdmf_bio.tl._predict",
        "rtdmf_bio.tl._recovery",
        "rtdmf_bio.tl._recovery_scores",
        "rtdmf_bio.tl._stability",
        "rtdmf_bio.tl._threshold_path",
    ],
)
def test_docstring_examples_run(module):
    module = importlib.import_module(module)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
