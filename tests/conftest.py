"""What several test files share."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import MutableMapping
from pathlib import Path

import numpy as np
import pytest

NO_R = "R, or rpy2 for it, is not here (make test gets both, as root on Debian)"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

# Whoever asks for one of these fixtures has the marker, by which make quick leaves tests out.
MARKERS = {"needs_r": "r", "rscript": "r", "shared_data": "data"}


# Files that take minutes begin first, so that no worker is left alone with one at the end.
LONG = ("test_r_package", "test_docs_vignettes", "test_tl_concordance", "test_docs")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    places = {name: k for k, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))
    for item in items:
        for fixture in MARKERS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKERS[fixture])


def pytest_terminal_summary(terminalreporter):
    """Say in one line for each reason what was skipped."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, n in reasons.items():
        terminalreporter.write_line(f"{n} skipped: {reason}")


@pytest.fixture(scope="session")
def needs_r():
    """Skip where R cannot be reached through rpy2."""
    from r_bridge._nodes import by_rpy2

    try:
        by_rpy2.session()
    except ImportError:
        pytest.skip(NO_R)


@pytest.fixture(params=["rdata", pytest.param("r", marks=pytest.mark.r)])
def backend(request):
    """Each back end that reads files, those with R where there is one."""
    if request.param == "r":
        request.getfixturevalue("needs_r")
    return request.param


@pytest.fixture(scope="module")
def rough_fits():
    """Have the default settings make fewer and shorter fits, where a test is not about the fit."""
    from rtdmf_bio.model.settings import PRESETS

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"tol": 0.05, "crossfit": 3}.items():
            patch.setitem(PRESETS["default"], name, value)
        yield


@pytest.fixture(scope="session")
def screen():
    """A small screen: rank 2 around 0.5, noise of 0.05, a fifth not measured. Read-only."""
    rng = np.random.default_rng(0)
    X = 0.5 + 0.1 * rng.normal(size=(40, 2)) @ rng.normal(size=(2, 50))
    X += 0.05 * rng.normal(size=X.shape)
    X[rng.random(X.shape) < 0.2] = np.nan
    X.flags.writeable = False
    return X


@pytest.fixture(scope="session")
def loaded_after():
    """Which of some modules a new Python has loaded once it has run some code, in order."""

    def find(code, *names):
        show = f"\nimport sys\nprint(*sorted({set(names)} & set(sys.modules)))"
        out = subprocess.run(
            [sys.executable, "-c", code + show], capture_output=True, text=True, check=True
        )
        return out.stdout.split()

    return find


@pytest.fixture(scope="session")
def shared_data():
    """Find a file or folder of the data that cannot be bundled; skip where it is not."""

    def find(name):
        if not (SHARED / name).exists():
            pytest.skip(f"{name} is not here (../shared/data beside the project)")
        return SHARED / name

    return find


@pytest.fixture(scope="session")
def published(shared_data):
    """Load a published screen by name, as AUC, lines known by name alone; or its table of aliases.

    Lines have their tissue, but for PRISM, where it is not known. Skips where the data are not.
    """
    import anndata
    import pandas as pd

    tissues = {
        "gdsc1000": "GDSC Tissue descriptor 1",
        "ctrpv2": "cancer_type",
        "ccle": "Site_Primary",
        "fimm": "Tissue",
    }

    def load(name):
        if name == "aliases":
            return pd.read_csv(shared_data("drug_alias.csv.gz"))
        file = {"ccle": "matrix_auc_from_actarea"}.get(name, "matrix")
        table = pd.read_csv(shared_data(name) / f"{file}.csv.gz", index_col=0)
        table = table[~table.index.str.contains(":")]  # combinations
        var = pd.DataFrame(index=table.columns)
        if name in tissues:
            cells = pd.read_csv(shared_data(name) / "cells.csv.gz").set_index("cell_line")
            var["tissue"] = cells[tissues[name]].reindex(table.columns).fillna("unknown")
        adata = anndata.AnnData(table.to_numpy(), pd.DataFrame(index=table.index), var)
        adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
        return adata

    return load


@pytest.fixture(scope="session")
def tissues():
    """One label for each line of ``screen``."""
    return np.repeat(["blood", "breast", "colon", "lung", "skin"], 10)


@pytest.fixture
def x_among_layers(monkeypatch):
    """Have ``X`` among the layers, under None, as anndata from 0.13 on does by itself."""
    from anndata import AnnData

    if None in AnnData(np.zeros((1, 1))).layers:
        return
    layers = vars(AnnData)["layers"]

    class WithX(MutableMapping):
        def __init__(self, adata):
            self.adata, self.own = adata, layers.__get__(adata)

        def __getattr__(self, name):
            return getattr(self.own, name)

        def __iter__(self):
            yield from self.own if self.adata.X is None else (None, *self.own)

        def __len__(self):
            return len(list(self))

        def __getitem__(self, name):
            return self.adata.X if name is None else self.own[name]

        def __setitem__(self, name, value):
            if name is None:
                self.adata.X = value
            else:
                self.own[name] = value

        def __delitem__(self, name):
            del self.own[name]

    def put(adata, values):
        layers.__set__(adata, {k: v for k, v in (values or {}).items() if k is not None})

    monkeypatch.setattr(AnnData, "layers", property(WithX, put))


@pytest.fixture
def one_thread():
    """Small matrices on one torch thread: a second costs more than it brings."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
