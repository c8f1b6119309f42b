"""Give a corrected matrix back to the PharmacoSet it came from."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtdmf_bio._adata.inputs import resolve_layer
from rtdmf_bio._adata.layers import named_layers

from ..backends import BACKENDS
from ..files import SUFFIXES, companions
from .place import by_row, check_source, is_whole, note, place

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from ..backends import Backend
    from .open import Opened
    from .slots import PSet


@dataclass(frozen=True)
class WriteReport:
    """What `write_pset` wrote. ``print`` it."""

    path: Path | None
    """The PharmacoSet; None without R, which alone can write one."""
    measure: str
    n_experiments: int
    """Rows of the profiles in the source."""
    n_written: int
    """Rows that got a value; the others got NA."""
    n_imputed: int
    """Pairs of drug and line with a value, but without an experiment to hold it."""
    imputed: tuple[Path, ...] = ()
    """Files with the matrix of those pairs."""
    tables: tuple[Path, ...] = ()
    """Without R: files with the corrected matrix and the values by experiment."""
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        """Say it in a few lines."""
        lines = [
            f"measure  {self.measure}: {self.n_written} of {self.n_experiments} rows have a value"
        ]
        if self.path is not None:
            lines.insert(0, f"wrote    {self.path}")
        if self.tables:
            lines.insert(
                0,
                f"wrote    {', '.join(map(str, self.tables))}, but no PharmacoSet: only R writes "
                "one (pip install rtdmf-bio[r])",
            )
        if self.n_imputed:
            lines.append(
                f"imputed  {self.n_imputed} pairs have no experiment in the PharmacoSet; they are "
                f"in {', '.join(map(str, self.imputed))}"
            )
        return "\n".join([*lines, *(f"note     {note}" for note in self.notes)])


def write_pset(
    adata: AnnData,
    source: str | os.PathLike[str] | object,
    dest: str | os.PathLike[str],
    layer: str = "rtdmf",
    measure_name: str | None = None,
    *,
    name: str | None = None,
    backend: Backend = "auto",
    overwrite: bool = True,
    progress: bool = True,
) -> WriteReport:
    """Write a copy of a PharmacoSet with a corrected measure added to its sensitivity profiles.

    Each row of the profiles gets the value of its drug and line, found by name, so that replicates
    share one; rows of drugs or lines that `adata` does not have get NA. PharmacoGx lists the new
    measure, subsets it and summarises it back to the same matrix. Beside it stands a column of
    flags, as in ``layers["<layer>_flag"]``. Nothing else in the PharmacoSet changes, but a note
    under ``annotation$rtdmf_bio``.

    A PharmacoSet has no place for a pair without an experiment. Values imputed for such pairs go
    to a matrix of their own, NA elsewhere, in ``<dest>_imputed.rds`` and ``.csv``.

    Without R no PharmacoSet can be written. Then ``<dest>_matrix`` (the corrected matrix) and
    ``<dest>_experiments`` (new columns by row of the profiles) are written as ``.rds`` and
    ``.csv``. They are merged in R, where the response is a list of tables, by::

        x <- readRDS("study.rds"); new <- readRDS("out_experiments.rds")
        response <- attr(x, "treatmentResponse")
        response$profiles <- cbind(response$profiles, new[-(1:2)])
        attr(x, "treatmentResponse") <- response
        saveRDS(x, "out.rds")

    Parameters
    ----------
    adata
        Drugs x cell lines, from `read_pset` and `rtdmf_bio.pp.correct`; it may have been subset,
        reordered, saved and loaded.
    source
        The PharmacoSet, as for `read_pset`. It is not changed.
    dest
        File to write, ``.rds``, ``.rda`` or ``.RData``, whole or not at all. A file of several
        objects is not copied: only the PharmacoSet is.
    layer
        Layer of `adata` with the corrected values. ``X``, which was read from `source`, is none.
    measure_name
        Name of the new measure; by default the old one's and the layer's, such as
        ``auc_recomputed_rtdmf``. The flags are called ``<measure_name>_flag``.
    name
        Which object of a file that holds several; by default the one `adata` was read from.
    backend
        As for `read_pset`: all but ``"rdata"`` write through base R.
    overwrite
        Whether existing files may be replaced. `source` never is.
    progress
        As for `read_pset`.

    Returns
    -------
    `WriteReport`, with paths and counts.

    Raises
    ------
    FileExistsError, FileNotFoundError, PermissionError, OSError
        A file cannot be written, or not to its end.
    ImportError
        The back end asked for is not installed.
    TypeError
        `adata` is no AnnData; a layer is no plain array of numbers; `measure_name` is no text.
    ValueError
        `adata` has no such layer or does not fit `source` (no name in common, other experiments
        than it was read from); flags are no small whole numbers; the measure is there already, or
        its name has a meaning of its own; `source` would be replaced, by `dest` or a file beside
        it; the name of `dest` ends otherwise. Nothing is written.
    """
    import numpy as np

    from rtdmf_bio._adata.measure import as_mapping
    from rtdmf_bio._atomic import replacing

    from . import slots
    from .open import open_pset, sniff
    from .tables import write

    dest = _destination(dest, source)
    matrix, flags = _checked(adata, layer)
    meaning = _meaning(adata, layer)
    if measure_name is None:
        if not meaning.get("name"):
            raise ValueError("uns['measure'] has no name for the new measure. Pass measure_name.")
        measure_name = f"{meaning['name']}_{layer}"
    if not isinstance(measure_name, str):
        raise TypeError(f"The measure_name parameter must be text. Got {measure_name!r}.")
    read = as_mapping(adata.uns.get("pset"))
    if name is None and read.get("object"):
        name = str(read["object"])
    if isinstance(source, (str, os.PathLike)) and sniff(Path(source))[0]:
        name = None
    if backend == "pharmacogx":
        backend = "r"  # The rows to be filled are those of the slots.
    opened = open_pset(source, name=name, backend=backend, progress=progress)
    pset = slots.read(opened, "join")
    check_source(adata, pset, measure_name, read.get("experiments"))

    columns, lonely = place(matrix, flags, pset, measure_name)
    n_imputed = int(lonely.notna().to_numpy().sum())
    with_r = BACKENDS[opened.backend].in_r
    tables = {"imputed": lonely} if n_imputed else {}
    if not with_r:
        tables |= {"matrix": matrix, "experiments": by_row(pset, columns)}
    paths = {part: files for part, files in companions(dest).items() if part in tables}
    # Everything is written under other names, then all put in place.
    with ExitStack() as stack:
        for part, files in paths.items():
            for path in files:
                file = stack.enter_context(replacing(path, overwrite=overwrite))
                write(tables[part], file, path.suffix, as_matrix=part != "experiments")
        if with_r:
            file = stack.enter_context(replacing(dest, overwrite=overwrite))
            _save(file, dest, opened, pset, columns, meaning)
    return WriteReport(
        path=dest if with_r else None,
        measure=measure_name,
        n_experiments=len(pset.rows),
        n_written=int((~np.isnan(columns[measure_name])).sum()),
        n_imputed=n_imputed,
        imputed=paths.get("imputed", ()),
        tables=paths.get("matrix", ()) + paths.get("experiments", ()),
        notes=tuple(pset.notes),
    )


def _destination(dest: str | os.PathLike[str], source: object) -> Path:
    path = Path(dest)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: the name of a PharmacoSet must end in .rds, .rda or .RData.")
    if isinstance(source, (str, os.PathLike)) and os.path.exists(source):
        for file in (path, *(file for files in companions(path).values() for file in files)):
            if file.exists() and file.samefile(source):
                raise ValueError(
                    f"{file} is the source, which is never replaced. Choose another name than "
                    f"{path}."
                )
    return path


def _checked(adata: AnnData, layer: str) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The corrected matrix and its flags, with names."""
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        raise TypeError(f"write_pset takes an AnnData. Got {type(adata).__name__} instead.")
    if isinstance(layer, str) and layer not in ("X", *named_layers(adata)):
        raise ValueError(
            f"There is no layer {layer!r}, only {list(named_layers(adata))}. Run "
            "rtdmf_bio.pp.correct first, or pass layer."
        )
    if resolve_layer(adata, layer) == "X":
        raise ValueError(
            f"A corrected layer is written, and layer={layer!r} means adata.X, which was read. "
            f"Pass one of {list(named_layers(adata))}; if X is wanted, copy it to a layer first."
        )
    for what, names in (("drugs", adata.obs_names), ("cell lines", adata.var_names)):
        if names.has_duplicates:
            twice = names[names.duplicated()].unique().tolist()
            raise ValueError(f"The {what} {twice[:3]} are named twice. Make the names unique.")
    matrix = _numbers(adata, layer).astype("float64")
    if f"{layer}_flag" not in adata.layers:
        return matrix, None
    flags = _numbers(adata, f"{layer}_flag")
    if not (flags == flags.round()).all(axis=None) or (flags.abs() > 127).any(axis=None):
        raise ValueError(
            f"The layer '{layer}_flag' holds other values than flags, which are small whole "
            "numbers without gaps. Correct it, or delete it to write no flags."
        )
    return matrix, flags


def _numbers(adata: AnnData, layer: str) -> pd.DataFrame:
    import numpy as np

    values = adata.layers[layer]
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        raise TypeError(
            f"The layer {layer!r} is a {type(values).__name__} of {values.dtype}. Only a plain "
            "array of numbers can be written."
        )
    return adata.to_df(layer)


def _meaning(adata: AnnData, layer: str) -> dict[str, Any]:
    """What was corrected: ``uns["measure"]``, or that of the layer which `pp.correct` was given."""
    from rtdmf_bio._adata.measure import as_mapping, measure_of

    source = str(as_mapping(adata.uns.get(layer)).get("layer", "X"))
    return {**({} if source == "X" else {"name": source}), **measure_of(adata, source)}


def _save(
    file: Path,
    dest: Path,
    opened: Opened,
    pset: PSet,
    columns: dict[str, Any],
    meaning: dict[str, Any],
) -> None:
    """Let R add `columns`, a measure and perhaps its flags, to the PharmacoSet and save it."""
    from .._nodes import by_rpy2 as r
    from .slots import LONG

    measure_name, *flag = columns
    vectors = {measure_name: r.doubles(columns[measure_name])}
    vectors |= {name: r.integers(columns[name]) for name in flag}
    changed, _ = r.call(
        "add_measure",
        opened.node.sexp,  # type: ignore[attr-defined]
        r.strings([pset.slot]),
        r.logical(pset.generation == LONG),
        r.named(vectors),
        r.strings([measure_name]),
        r.named(
            {
                key: r.doubles(value) if key == "bounds" else r.strings([value])
                for key, value in note(meaning).items()
            }
        ),
    )
    # Within an .rda the object keeps its name.
    name = "" if dest.suffix.lower() == ".rds" else opened.name or "pset"
    try:
        with r.plain_path(file) as path:
            r.call("save_object", changed, r.strings([path]), r.strings([name]))
    except r.RError as error:
        raise OSError(f"R could not write {dest}: {error}") from error
    if not is_whole(file):
        raise OSError(f"R could not write {dest} to its end. Is the disk full?")
