"""What importing the package costs, and conventions every public function keeps."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import r_bridge
import rtdmf_bio

ROOT = Path(rtdmf_bio.__file__).parent
REPO = ROOT.parent

# Rooms by floor, lowest first. What is imported lies on the same floor or further down.
FLOORS = (
    ("rtdmf_bio._atomic", "rtdmf_bio._version"),
    ("rtdmf_bio.model",),
    ("rtdmf_bio._adata",),
    ("rtdmf_bio.pp", "rtdmf_bio.baselines", "rtdmf_bio.io", "rtdmf_bio.datasets"),
    ("rtdmf_bio.tl",),
    ("rtdmf_bio.pl",),
    ("rtdmf_bio",),
    ("r_bridge.files",),
    ("r_bridge._nodes",),
    ("r_bridge.backends",),
    ("r_bridge._psets",),
    ("r_bridge._session", "r_bridge._download", "r_bridge._objects"),
    ("r_bridge",),
    ("rtdmf_bio.cli",),
)
# Of rtdmf_bio, but r_bridge ships with it.
SHARED = ("_adata", "_atomic", "_version")


def public_functions():
    for room in ("baselines", "datasets", "io", "pl", "pp", "tl"):
        module = getattr(rtdmf_bio, room)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing):
                yield pytest.param(thing, id=f"{room}.{name}")


def test_import_loads_nothing_heavy(loaded_after):
    """An import of the package must not cost seconds, nor need R, a GPU or a display."""
    heavy = ("torch", "scanpy", "anndata", "matplotlib", "pandas", "rpy2", "sklearn")
    assert loaded_after("import rtdmf_bio", "rtdmf_bio", *heavy) == ["rtdmf_bio"]


@pytest.mark.slow
def test_correcting_loads_no_plotting(loaded_after):
    """A cluster node without a display, or without matplotlib's cache, can run the main job."""
    code = (
        "import rtdmf_bio as rt\n"
        "adata = rt.datasets.gdsc1()[:20, :60].copy()\n"
        "rt.pp.correct(adata, unmeasured='nan', progress=False)"
    )
    assert loaded_after(code, "torch", "matplotlib.pyplot", "rpy2") == ["torch"]


@pytest.mark.slow
def test_importing_the_pictures_loads_no_plotting(loaded_after):
    """Whatever lists the rooms, such as a help page, needs no display."""
    loaded = loaded_after("import rtdmf_bio.pl", "rtdmf_bio.pl", "matplotlib")
    assert loaded == ["rtdmf_bio.pl"]


@pytest.mark.slow
def test_nothing_needs_scanpy(tmp_path):
    """Nor what comes with it alone: it is an extra, for those who go on in it."""
    code = (
        "import sys\n"
        "for name in ('scanpy', 'numba', 'seaborn', 'statsmodels', 'umap'):\n"
        "    sys.modules[name] = None\n"  # its import fails
        "import r_bridge, rtdmf_bio as rt\n"
        "adata = rt.datasets.gdsc1()[:20, :60].copy()\n"
        "rt.pp.correct(adata, group_key='tissue', unmeasured='nan', progress=False)\n"
        "rt.pl.correction(adata).savefig('a.png')\n"
        "rt.pl.biomarker(adata, adata.obs_names[0], 'TP53_mut').savefig('b.png')\n"
        "rt.io.write_h5ad(adata, 'a.h5ad')\n"
        "rt.io.write_table(adata, 'a.csv', layer='rtdmf')\n"
        "print(rt.io.read_table('a.csv').shape, len(rt.tl.cluster(adata, 'TP53_mut')) > 0)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "(20, 60) True"
    for path in [*ROOT.rglob("*.py"), *Path(r_bridge.__file__).parent.rglob("*.py")]:
        assert not re.search(r"^\s*(import|from) scanpy", path.read_text(), re.M), path


def test_everything_promised_is_there():
    for name in rtdmf_bio.__all__:
        assert getattr(rtdmf_bio, name) is not None
    assert set(rtdmf_bio.__all__) <= set(dir(rtdmf_bio))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = rtdmf_bio.nonsense


def test_what_a_flag_means_is_public_and_is_what_layers_hold(screen):
    """So that nobody writes 3 where RETAINED is meant, and an h5ad of years ago is read right."""
    assert {flag.name: flag.value for flag in rtdmf_bio.Flag} == {
        "IMPUTED": 0, "CORRECTED": 1, "NOT_RETAINED": 2, "RETAINED": 3
    }  # fmt: skip
    X = np.array(screen)
    X[np.random.default_rng(0).random(X.shape) < 0.03] -= 0.6  # what is more than noise
    adata = anndata.AnnData(X)
    settings = {"threshold": 0.1, "retain": "shrink", "tol": 0.05, "crossfit": 3}
    rtdmf_bio.pp.correct(adata, group_key=None, progress=False, **settings)
    model = rtdmf_bio.RTDMF(**settings).fit(adata.X)
    flag = adata.layers["rtdmf_flag"]
    np.testing.assert_array_equal(flag, model.flag_)
    assert set(np.unique(flag)) == set(rtdmf_bio.Flag)
    np.testing.assert_array_equal(flag == rtdmf_bio.Flag.IMPUTED, np.isnan(screen))
    high = np.abs(model.residual_) >= 0.1
    np.testing.assert_array_equal(flag >= rtdmf_bio.Flag.NOT_RETAINED, high)
    np.testing.assert_array_equal(flag == rtdmf_bio.Flag.RETAINED, high & (model.qvalue_ <= 0.05))
    share = np.broadcast_to(model.reliability_[:, None], flag.shape)
    kept = flag == rtdmf_bio.Flag.RETAINED
    assert (model.weight_[kept] > share[kept]).all()
    corrected = flag == rtdmf_bio.Flag.CORRECTED
    np.testing.assert_allclose(np.median(model.weight_[corrected] - share[corrected]), 0, atol=1e-9)


def flags_by_number(text):
    """Comparisons of flags with the number of one, as they are written."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("isin"):
            sides = [part for side in node.args for part in getattr(side, "elts", [side])]
        else:
            continue
        numbers = [side.value for side in sides if isinstance(side, ast.Constant)]
        flags = [side for side in sides if re.search(r"flags?_?\b", ast.unparse(side))]
        if flags and any(type(n) is int and n in list(rtdmf_bio.Flag) for n in numbers):
            yield ast.unparse(node)


def test_flags_are_compared_by_name():
    """A number goes on meaning one flag where there come to be several of its kind."""
    for path in modules(ROOT, REPO / "r_bridge", REPO / "benchmarks").values():
        assert list(flags_by_number(path.read_text())) == [], path


@pytest.mark.parametrize(
    "line, found",
    [
        ("model.flag_ == 3", True),
        ("2 <= a.flag[here]", True),
        ("np.isin(adata.layers[f'{key}_flag'], (1, 2))", True),
        ("flag == Flag.RETAINED", False),
        ("flags.abs() > 127", False),
        ("len(table) == 3", False),
    ],
)
def test_a_flag_compared_by_number_is_found(line, found):
    assert bool(list(flags_by_number(line))) == found


def test_ends_and_tests_have_public_types(screen, tissues):
    """What a fit and a match of screens return can be named and compared with."""
    model = rtdmf_bio.RTDMF(threshold=0.1, impute="low-rank").fit(screen, groups=tissues)
    assert type(model.stop_reason_) is rtdmf_bio.StopReason
    assert model.stop_reason_ is rtdmf_bio.StopReason.CONVERGED
    assert type(model.enrichment_) is rtdmf_bio.Enrichment
    adata = anndata.AnnData(np.array(screen))
    found = rtdmf_bio.pp.harmonize(adata, adata.copy())
    assert type(found) is rtdmf_bio.pp.Harmonized
    assert found._fields == ("a", "b", "drugs", "lines")
    assert found.a.shape == adata.shape


def test_the_old_name_of_the_effects_warns_and_still_works(screen):
    """They are no general part, which is what the name said."""
    model = rtdmf_bio.RTDMF(threshold=0.1, impute="low-rank").fit(screen)
    with pytest.warns(FutureWarning, match="general_ is called effects_ now") as told:
        general = model.general_
    assert told[0].filename == __file__
    for one, other in zip(general, model.effects_, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        _ = rtdmf_bio.RTDMF().general_
    assert not hasattr(rtdmf_bio.RTDMF(), "general_")


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


def modules(*folders):
    """Files by the dotted name of their module."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def at_run_time(node):
    """All nodes below one, without what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from at_run_time(child)


def imports(name, found, nodes):
    """Yield dotted names that a module imports, and the name each goes by in it."""
    folder = name if found[name].name == "__init__.py" else name.rpartition(".")[0]

    def whole(target):
        # Scripts import those beside them by their bare name.
        return f"{folder}.{target}" if f"{folder}.{target.split('.')[0]}" in found else target

    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield whole(alias.name), alias.asname or alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                above = folder.split(".")[: folder.count(".") + 2 - node.level]
                base = ".".join([*above, *filter(None, [node.module])])
            else:
                base = whole(node.module)
            for alias in node.names:
                yield f"{base}.{alias.name}", alias.asname or alias.name


def uses(name, found):
    """Dotted names that a module imports, or reaches by attributes of what it imports."""
    tree = ast.parse(found[name].read_text())
    known = {local: target for target, local in imports(name, found, ast.walk(tree))}
    yield from known.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            if first in known and re.fullmatch(r"[\w.]+", rest):
                yield f"{known[first]}.{rest}"


def trespasses(found):
    """Uses of a name with a leading underscore outside the folder that holds it."""
    for name in found:
        for target in dict.fromkeys(uses(name, found)):
            parts = target.split(".")
            if not any(other.split(".")[0] == parts[0] for other in found):
                continue
            for k, part in enumerate(parts):
                holder = ".".join(parts[:k])
                if holder in found and found[holder].name != "__init__.py":
                    holder = holder.rpartition(".")[0]
                inside = f"{name}.".startswith(f"{holder}.")
                shared = name.startswith("r_bridge") and (holder, part) in (
                    ("rtdmf_bio", shared) for shared in SHARED
                )
                private = part.startswith("_") and not part.startswith("__")
                if private and not inside and not shared:
                    yield f"{name} uses {target}"
                    break


def arrows(found):
    """Pairs of modules of which the first imports the second, be it within a function."""
    for name, path in found.items():
        for target, _ in imports(name, found, at_run_time(ast.parse(path.read_text()))):
            while target not in found and "." in target:
                target = target.rpartition(".")[0]
            if target in found and target != name:
                yield name, target


def circle(found):
    """Modules that import each other in a ring, as one line; empty if there is none."""
    below = {name: set() for name in found}
    for name, target in arrows(found):
        below[name].add(target)
    done = set()

    def search(name, path):
        if name in path:
            return " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return ""
        ring = next(filter(None, (search(t, [*path, name]) for t in sorted(below[name]))), "")
        done.add(name)
        return ring

    return next(filter(None, (search(name, []) for name in sorted(below))), "")


def floor(name):
    """Number of the floor of a module: that of the longest name that it begins with."""
    having = [
        (len(room), k)
        for k, rooms in enumerate(FLOORS)
        for room in rooms
        if f"{name}.".startswith(f"{room}.")
    ]
    return max(having)[1]


def climbs(found):
    """Arrows that point up."""
    return [f"{a} -> {b}" for a, b in arrows(found) if floor(a) < floor(b)]


def test_private_names_stay_in_their_folder():
    """What has a leading underscore can be changed by who reads that folder alone."""
    found = modules(ROOT, REPO / "r_bridge", REPO / "benchmarks", REPO / "scripts")
    assert list(trespasses(found)) == []


def test_imports_run_in_no_circle():
    assert circle(modules(ROOT, REPO / "r_bridge")) == ""


def test_imports_point_down():
    assert climbs(modules(ROOT, REPO / "r_bridge")) == []


def made_house(folder, files):
    """A small package with these files beside a few that are in order."""
    plain = {
        "rtdmf_bio/__init__.py": "from ._version import __version__",
        "rtdmf_bio/_version.py": "__version__ = '0'",
        "rtdmf_bio/_adata/__init__.py": "",
        "rtdmf_bio/_adata/keys.py": "from .._version import __version__\nKEY = _OWN = 'key'",
        "rtdmf_bio/pp/__init__.py": "from ._a import a",
        "rtdmf_bio/pp/_a.py": "from ._b import _held\nfrom .._adata.keys import KEY\na = KEY",
        "rtdmf_bio/pp/_b.py": "_held = 1",
        "rtdmf_bio/tl/__init__.py": "import numpy._core",
        "r_bridge/__init__.py": "import rtdmf_bio as rt\nfrom rtdmf_bio._adata.keys import KEY",
        "benchmarks/report.py": "def _row(): ...",
        "benchmarks/real.py": "from report import _row\nimport report\nreport._row",
    }
    for name, text in {**plain, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return modules(*(folder / name for name in ("rtdmf_bio", "r_bridge", "benchmarks")))


@pytest.mark.parametrize(
    "file, text, said",
    [
        ("rtdmf_bio/tl/_c.py", "from ..pp._a import a", "rtdmf_bio.tl._c uses rtdmf_bio.pp._a.a"),
        ("rtdmf_bio/tl/_c.py", "from ..pp import _a", "rtdmf_bio.tl._c uses rtdmf_bio.pp._a"),
        ("rtdmf_bio/tl/_c.py", "from .._adata.keys import _OWN",
         "rtdmf_bio.tl._c uses rtdmf_bio._adata.keys._OWN"),
        ("r_bridge/a.py", "def f():\n    import rtdmf_bio.pp._a",
         "r_bridge.a uses rtdmf_bio.pp._a"),
        ("r_bridge/a.py", "from rtdmf_bio import pp\npp._a.a",
         "r_bridge.a uses rtdmf_bio.pp._a.a"),
        ("benchmarks/more.py", "import rtdmf_bio as rt\nrt._version.__version__",
         "benchmarks.more uses rtdmf_bio._version.__version__"),
    ],
    ids=["from", "module", "of a shared room", "in a function", "attribute", "alias"],
)  # fmt: skip
def test_a_private_name_taken_elsewhere_is_found(file, text, said, tmp_path):
    assert list(trespasses(made_house(tmp_path, {}))) == []
    found = list(trespasses(made_house(tmp_path, {file: text})))
    assert found[:1] == [said]


@pytest.mark.parametrize(
    "text, ring",
    [
        ("from ._a import a", True),
        ("def f():\n    from . import _a", True),
        ("def f():\n    import rtdmf_bio.pp._a", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ._a import a", False),
    ],
    ids=["at the top", "in a function", "absolute", "for type checkers"],
)
def test_a_circle_is_found(text, ring, tmp_path):
    found = made_house(tmp_path, {"rtdmf_bio/pp/_b.py": f"{text}\n_held = 1"})
    assert circle(found) == ring * "rtdmf_bio.pp._a -> rtdmf_bio.pp._b -> rtdmf_bio.pp._a"


@pytest.mark.parametrize(
    "file, text, said",
    [
        ("rtdmf_bio/pp/_b.py", "from ..tl import c", ["rtdmf_bio.pp._b -> rtdmf_bio.tl"]),
        ("rtdmf_bio/pp/_b.py", "from .. import tl", ["rtdmf_bio.pp._b -> rtdmf_bio.tl"]),
        ("rtdmf_bio/pp/_b.py", "from .. import c", ["rtdmf_bio.pp._b -> rtdmf_bio"]),
        ("rtdmf_bio/_adata/keys.py", "def f():\n    from ..pp import a",
         ["rtdmf_bio._adata.keys -> rtdmf_bio.pp"]),
        ("rtdmf_bio/tl/_c.py", "import r_bridge", ["rtdmf_bio.tl._c -> r_bridge"]),
        ("rtdmf_bio/cli.py", "import r_bridge\nfrom . import tl", []),
    ],
    ids=["room", "from the top", "the top itself", "in a function", "bridge", "command"],
)  # fmt: skip
def test_an_arrow_that_points_up_is_found(file, text, said, tmp_path):
    found = made_house(tmp_path, {file: text})
    assert climbs({k: path for k, path in found.items() if "benchmarks" not in k}) == said
