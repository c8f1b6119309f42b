"""What the R package rtdmfbio calls.

A call is a name and one raw vector, R's serialization of its arguments; so is the answer. Nothing
is left to reticulate to convert, whose older versions cannot convert arrays of today's numpy.
"""

from __future__ import annotations

import importlib
import inspect
import os
import platform
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor

import rtdmf_bio as rt
from rtdmf_bio._adata.columns import text_dtype
from rtdmf_bio._adata.inputs import known_noise
from rtdmf_bio._adata.layers import named_layers

from ._nodes import node as nodes
from ._nodes.node import as_na
from ._psets.slots import LONG
from ._session import wire

if TYPE_CHECKING:
    from anndata import AnnData

    from ._nodes.node import Node
    from ._psets.slots import PSet

_KEY = "rtdmf"
_EXPECTED = (ValueError, TypeError, OSError, ImportError, FloatingPointError)
_SILENT = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
_taken: list[AnnData] = []


def _import_torch() -> None:
    """Let torch multiply by its own BLAS, not by that of the R around it.

    R's comes first in the search for symbols. It is often the reference BLAS, thirty times slower,
    and its results differ in the last bits.
    """
    if "torch" in sys.modules or not hasattr(os, "RTLD_DEEPBIND"):
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        importlib.import_module("torch")
    finally:
        sys.setdlopenflags(flags)


_import_torch()


def call(name: str, message: bytes | bytearray) -> bytearray:
    """Run one of the functions below on the arguments in `message`.

    Returns
    -------
    R's serialization of a list of ``warnings`` and ``value``, or the text of ``error``, or
    ``interrupted``.
    """
    answer: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as caught, _own_libraries():
        warnings.simplefilter("default")
        for category in _SILENT:
            warnings.simplefilter("ignore", category)
        try:
            answer["value"] = _FUNCTIONS[name](wire.loads(message))
        except KeyboardInterrupt as stop:
            answer["interrupted"] = _text(stop)
        except _EXPECTED as error:
            answer["error"] = _text(error)
        except Exception as error:
            # Older versions of reticulate ask R in the midst of an interrupt, and stumble.
            if str(error) == "(Unknown exception occurred)":
                answer["interrupted"] = ""
            else:
                kind = type(error).__name__
                answer["error"] = (
                    f"{kind}: {_text(error)} (a defect of rtdmf_bio; please report it)"
                )
    answer["warnings"] = list(dict.fromkeys(str(w.message) for w in caught))
    return bytearray(wire.dumps(answer))


@contextmanager
def _own_libraries() -> Iterator[None]:
    """Put Python's own folder first in LD_LIBRARY_PATH for a while.

    R fills it for itself, and every Python started from here, such as joblib's workers, would load
    the system's libpython instead of its own.
    """
    name = "LD_LIBRARY_PATH"
    before, own = os.environ.get(name), sysconfig.get_config_var("LIBDIR")
    if before and own:
        os.environ[name] = f"{own}:{before}"
    try:
        yield
    finally:
        if before and own:
            os.environ[name] = before


def take() -> AnnData:
    """Return what the last call left behind for R to hold."""
    return _taken.pop()


def _text(error: BaseException) -> str:
    return " ".join([str(error), *getattr(error, "__notes__", ())]).strip()


def _correct(message: Node) -> dict[str, Any]:
    return _fit(rt.pp.correct, message)


def _tune(message: Node) -> dict[str, Any]:
    try:
        return _fit(rt.pp.tune, message)
    finally:
        # R ends without telling Python, which would leave joblib's workers and files behind.
        if _dict(message.item("settings")).get("n_jobs", 1) != 1:
            executor = get_reusable_executor(reuse=True)
            getattr(executor, "terminate", executor.shutdown)()


def _fit(function: Callable[..., Any], message: Node) -> dict[str, Any]:
    """Correct or tune, and return all there is to know of it."""
    if message.item("pset") is not None:
        return _fit_pset(function, message)
    if _takes_logarithms(message):
        raise ValueError(
            'concentration = "log" is for PharmacoSets. Of a matrix take log(x), and of an '
            "experiment the logarithm of its assay."
        )
    adata = _screen(message)
    groups = list(adata.var)
    _run(function, adata, groups, message)
    return {"record": _record(adata, groups)}


def _run(
    function: Callable[..., Any],
    adata: AnnData,
    groups: list[str],
    message: Node,
    repeats: bool = False,
) -> None:
    settings = _dict(message.item("settings"))
    if settings.get("concentration") == "log":
        del settings["concentration"]  # they are taken
    if isinstance(settings.get("noise_sd"), dict):
        settings["noise_sd"] = pd.Series(settings["noise_sd"])
    if repeats:
        settings["noise_sd"] = known_noise(adata, settings)
    function(adata, group_key=groups or None, key_added=_KEY, **settings)


def _takes_logarithms(message: Node) -> bool:
    return bool(_dict(message.item("settings")).get("concentration") == "log")


def _fit_pset(function: Callable[..., Any], message: Node) -> dict[str, Any]:
    """Beside the record, return what R has to add to the PharmacoSet."""
    from ._psets.place import check_source, note, place

    pset, adata = _read(message)
    if _takes_logarithms(message):
        rt.pp.log_concentrations(adata)
    measure = dict(adata.uns["measure"])
    measure_name = wire.plain(message.item("measure_name"))
    if measure_name is None:
        measure_name = f"{measure['name']}_{wire.plain(message.item('key_added'))}"
    check_source(adata, pset, measure_name)
    adata.var = _named_as_in_r(adata.var)
    groups = nodes.text(message.item("groups"))
    unknown = [name for name in groups if name not in adata.var]
    if unknown:
        raise ValueError(
            f"The table of cell lines has no column {unknown[0]!r}. It has {list(adata.var)}; pass "
            "one of them as groups, or NULL to do without groups of cell lines."
        )
    _run(function, adata, groups, message, repeats=True)
    record = _record(adata, groups)
    record["measured"] = _matrix(adata, adata.X)
    record["pset"] = {
        "measure": measure_name,
        **{name: adata.uns["pset"][name] for name in _COUNTS},
        "notes": pset.notes,
    }
    if _KEY not in adata.layers:
        return {"record": record}
    columns, lonely = place(adata.to_df(_KEY), adata.to_df(f"{_KEY}_flag"), pset, measure_name)
    columns[measure_name] = as_na(columns[measure_name])
    record["pset"]["n_without_experiment"] = int(lonely.notna().to_numpy().sum())
    return {
        "record": record,
        "slot": pset.slot,
        "long": pset.generation == LONG,
        "columns": columns,
        "note": note(measure),
    }


def _screen(message: Node) -> AnnData:
    """Matrix, names of rows and columns, groups of lines and meaning, as AnnData."""
    from anndata import AnnData

    groups: Any = message.item("groups")
    drugs, lines = (pd.Index(nodes.text(message.item(axis)), dtype=text_dtype()) for axis in _AXES)
    keys = [] if groups is None else groups.names
    return AnnData(
        np.ascontiguousarray(wire.plain(message.item("matrix")).values, dtype=np.float64),
        obs=pd.DataFrame(index=drugs),
        var=pd.DataFrame({key: nodes.column(groups, key) for key in keys}, index=lines),
        uns={"measure": _dict(message.item("measure"))},
    )


def _read(message: Node) -> tuple[PSet, AnnData]:
    """Read the tables of a PharmacoSet as `read_pset` does."""
    from ._psets import slots
    from ._psets.assemble import assemble, check_settings
    from ._psets.open import Opened

    settings = {"fill_missing": False, **_dict(message.item("reading"))}
    measure, *stated = (settings.pop(name) for name in ("measure", "higher_is", "unit", "kind"))
    check_settings(settings, *stated)
    opened = Opened(message.item("pset"), "The PharmacoSet", "r", None, "")  # type: ignore[arg-type]
    pset = slots.read(opened, settings["combinations"])
    return pset, assemble(pset, measure, (), settings, *stated)


def _named_as_in_r(table: pd.DataFrame) -> pd.DataFrame:
    """Undo what `read_pset` calls tissue."""
    return table.rename(columns={"tissue": "tissueid", "tissue_original": "tissue"})


def _record(adata: AnnData, groups: list[str]) -> dict[str, Any]:
    """All that a correction or a search left in `adata`."""
    record = {
        name: _matrix(adata, adata.layers[layer])
        for name, layer in _LAYERS.items()
        if layer in adata.layers
    }
    return {
        **record,
        "measure": dict(adata.uns["measure"]),
        "groups": adata.var[groups].astype(object) if groups else None,
        **adata.uns[_KEY],
        **({"unexplained_sd_by_drug": adata.obs[_NOISE].to_numpy()} if _NOISE in adata.obs else {}),
    }


def _matrix(adata: AnnData, values: Any) -> wire.Matrix:
    values = as_na(values) if values.dtype.kind == "f" else values
    return wire.Matrix(values, adata.obs_names, adata.var_names)


def _anndata(message: Node) -> None:
    """Leave an AnnData for `take`."""
    _taken[:] = [_adata(message)]


def _adata(message: Node) -> AnnData:
    """Make an AnnData: of a PharmacoSet, of a record, or of assays and tables."""
    if message.item("pset") is not None:
        adata = _read(message)[1]
    else:
        from ._session.objects import adata_of

        adata = adata_of(message)
    record = message.item("record")
    if record is not None:
        result = {name: value for name, value in _dict(record).items() if value is not None}
        for name in ("enrichment", "fits", "tuning", "tuning_scores"):
            if name in result:  # Names of rows that survive h5ad.
                rows = pd.Index([str(i) for i in range(len(result[name]))])
                result[name] = result[name].set_axis(rows)
        if "unexplained_sd_by_drug" in result:
            adata.obs[_NOISE] = result.pop("unexplained_sd_by_drug")
        adata.uns[_KEY] = result
    return adata


def _write_h5ad(message: Node) -> None:
    """Write what `_anndata` makes."""
    path, overwrite = (wire.plain(message.item(name)) for name in ("path", "overwrite"))
    rt.io.write_h5ad(_adata(message), path, overwrite=overwrite)


def _concordance(message: Node) -> dict[str, Any]:
    """Compare two screens, each as for `_anndata`."""
    settings = _dict(message.item("settings"))
    if "aliases" in settings:
        pairs = settings["aliases"]
        settings["aliases"] = dict(zip(pairs["name"], pairs["unified"], strict=True))
    screens = [_adata(node) for name in "ab" if (node := message.item(name)) is not None]
    draws = {k: settings.pop(k) for k in ("n_bootstrap", "random_state") if k in settings}
    table = rt.tl.concordance(screens[0], screens[1], **settings)
    return {"drugs": table, "summary": rt.tl.concordance_summary(table, **draws).reset_index()}


def _gdsc1(_: Node) -> dict[str, Any]:
    """Return the bundled screen in parts."""
    adata = rt.datasets.gdsc1()
    assays = {"auc": adata.X, **named_layers(adata)}
    return {
        "assays": {name: _matrix(adata, matrix.astype(float)) for name, matrix in assays.items()},
        "colData": adata.var,
        "measure": dict(adata.uns["measure"]),
    }


def _status(_: Node) -> dict[str, Any]:
    """Return the versions at work."""
    names = ("numpy", "torch", "anndata")
    versions = {"rtdmf_bio": rt.__version__, **{name: version(name) for name in names}}
    return {"version": platform.python_version(), "packages": versions}


def _defaults(_: Node) -> dict[str, dict[str, Any]]:
    """Return the parameters of each function that R has, with their defaults."""
    from r_bridge import read_pset

    functions: dict[str, Callable[..., Any]] = {
        "correct": rt.pp.correct,
        "tune": rt.pp.tune,
        "read_pset": read_pset,
        "enrichment": rt.tl.enrichment,
        "concordance": rt.tl.concordance,
        "concordance_summary": rt.tl.concordance_summary,
        "model": rt.RTDMF,
    }
    return {
        name: {
            p.name: p.default
            for p in inspect.signature(function).parameters.values()
            if p.default is not p.empty
        }
        for name, function in functions.items()
    }


def _dict(node: Node | None) -> dict[str, Any]:
    return dict(wire.plain(node) or {})


_AXES = ("rows", "columns")
_COUNTS = ("n_experiments", "n_unmatched", "n_infinite", "n_below", "n_above", "n_censored")
_NOISE = f"{_KEY}_unexplained_sd"
_LAYERS = {
    "corrected": _KEY,
    **{name: f"{_KEY}_{name}" for name in ("residual", "flag", "lower", "upper", "sd", "qvalue")},
}
_FUNCTIONS: dict[str, Callable[[Node], Any]] = {
    "correct": _correct,
    "tune": _tune,
    "anndata": _anndata,
    "write_h5ad": _write_h5ad,
    "concordance": _concordance,
    "gdsc1": _gdsc1,
    "status": _status,
    "defaults": _defaults,
    "echo": lambda message: wire.plain(message.item(0)),
}
