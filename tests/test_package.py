"""What importing the package costs, and conventions every public function keeps."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import r_bridge
import rtdmf_bio

ROOT = Path(rtdmf_bio.__file__).parent


def public_functions():
    for room in ("baselines", "datasets", "io", "pl", "pp", "tl"):
        module = getattr(rtdmf_bio, room)
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing):
                yield pytest.param(thing, id=f"{room}.{name}")


def test_import_loads_nothing_heavy():
    """An import of the package must not cost seconds, nor need R, a GPU or a display."""
    code = (
        "import sys, rtdmf_bio\n"
        "heavy = {'torch', 'scanpy', 'anndata', 'matplotlib', 'pandas', 'rpy2', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_correcting_loads_no_plotting():
    """A cluster node without a display, or without matplotlib's cache, can run the main job."""
    code = (
        "import sys, rtdmf_bio as rt\n"
        "adata = rt.datasets.gdsc1()[:20, :60].copy()\n"
        "rt.pp.correct(adata, unmeasured='nan', progress=False)\n"
        "print('matplotlib.pyplot' in sys.modules, 'rpy2' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False False"


def test_importing_the_pictures_loads_no_plotting():
    """Whatever lists the rooms, such as a help page, needs no display."""
    code = "import sys, rtdmf_bio.pl; print('matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_everything_promised_is_there():
    for name in rtdmf_bio.__all__:
        assert getattr(rtdmf_bio, name) is not None
    assert set(rtdmf_bio.__all__) <= set(dir(rtdmf_bio))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = rtdmf_bio.nonsense


def test_the_bridge_documents_every_parameter():
    """Its positional parameters are those of the agreed signatures, also beyond three."""
    for name in r_bridge.__all__:
        thing = getattr(r_bridge, name)
        if inspect.isfunction(thing):
            signature = inspect.signature(thing)
            assert signature.return_annotation is not inspect.Signature.empty
            doc = inspect.getdoc(thing)
            # Short relatives refer to read_pset.
            known = doc + inspect.getdoc(r_bridge.read_pset) if "`read_pset`" in doc else doc
            assert [p for p in signature.parameters if p not in known] == []


def test_only_the_command_knows_the_bridge():
    """Arrows point down: r_bridge imports rtdmf_bio, never the reverse."""
    for path in ROOT.rglob("*.py"):
        assert path.name == "cli.py" or "r_bridge" not in path.read_text(), path


@pytest.mark.parametrize("function", list(public_functions()))
def test_public_functions_keep_the_conventions(function):
    """At most 3 positional parameters, annotated, documented, `copy` by keyword only."""
    signature = inspect.signature(function)
    positional = [
        p
        for p in signature.parameters.values()
        if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert len(positional) <= 3
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    if "copy" in signature.parameters:
        assert signature.parameters["copy"].kind is inspect.Parameter.KEYWORD_ONLY
    doc = inspect.getdoc(function) or ""
    for name in signature.parameters:
        assert name in doc, f"{name} is not documented"


def test_model_knows_arrays_only():
    """Arrows point down: the model must not import AnnData, pandas, plotting or its callers."""
    banned = {"anndata", "pandas", "scanpy", "matplotlib", "rpy2"}
    callers = {"baselines", "pp", "tl", "pl", "io", "datasets", "cli"}
    for path in (ROOT / "model").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                assert not (node.level >= 2 and (node.module or "").split(".")[0] in callers), path
            assert not {name.split(".")[0] for name in names} & banned, path
