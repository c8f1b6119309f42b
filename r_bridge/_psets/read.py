"""PharmacoSets as AnnData. Only the interface is here, so that importing it costs nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from anndata import AnnData

    from ..backends import Backend
    from .censored import Censored
    from .long_table import Combinations
    from .slots import PSet
    from .summary import Summary

OutOfRange: TypeAlias = Literal["keep", "nan", "clip"]
Unmatched: TypeAlias = Literal["error", "drop"]


def read_pset(
    path_or_object: str | os.PathLike[str] | object,
    measure: str | None = None,
    summary: Summary = "median",
    fill_missing: bool = False,
    backend: Backend = "auto",
    *,
    name: str | None = None,
    layers: Sequence[str] = (),
    higher_is: Literal["resistant", "sensitive"] | None = None,
    unit: str | None = None,
    kind: str | None = None,
    censored: Censored = "bound",
    out_of_range: OutOfRange = "keep",
    combinations: Combinations = "error",
    unmatched: Unmatched = "error",
    progress: bool = True,
) -> AnnData:
    """Read drug response out of a PharmacoSet (PSet) into an AnnData of drugs x cell lines.

    All generations of the class are understood, with and without PharmacoGx and with and without
    R. Replicates are summarised by the rules of PharmacoGx's ``summarizeSensitivityProfiles``, to
    the last bit; drugs and lines stand in the order of their tables.

    Parameters
    ----------
    path_or_object
        An ``.rds``, ``.rda`` or ``.RData`` file, however compressed, or an R object of rpy2.
    measure
        Column of the sensitivity profiles, see `list_measures`. By default ``aac_recomputed`` or
        ``auc_recomputed``, whichever is there, or the only one.
    summary
        One value per drug and line out of its experiments: ``"mean"``, ``"median"``, ``"max"`` and
        ``"min"`` leave missing values out, ``"first"`` and ``"last"`` do not.
    fill_missing
        Whether drugs and lines without any value are kept, as rows and columns of NaN.
    backend
        ``"r"``: base R through rpy2 (``pip install rtdmf-bio[r]``), fast. ``"pharmacogx"``: the
        accessors of PharmacoGx itself, where that is installed too. ``"rdata"``: pure Python, for
        small files (a minute for each 50 MB unpacked). ``"auto"``: R if it can be had, else
        rdata, saying why.
    name
        Which object of a file that holds several.
    layers
        Further measures, summarised alike.
    higher_is, unit
        Direction and unit of the measure. Those of PharmacoGx's own measures are known by name, and
        checked: the direction against the IC50 in the same file, the bounds against the values. For
        any other measure `higher_is` or `kind` must be given. Where values contradict the name,
        `higher_is` goes before it, and of unit and bounds is said what `unit` says.
    kind
        What the measure is, instead of `higher_is` and `unit`: a name such as ``"dss"`` or
        ``"auc_ctrp"``, for which unit, direction and bounds are known. Another word lists them.
    censored
        Values only known to lie beyond a bound: infinite ones of a measure without a bound, such as
        the IC50 of a curve that never comes to a half, text such as ``>8``, and a 0 in a
        concentration, as fits give where all is below the doses. ``"bound"``: the
        bound, marked in ``layers["censored"]``. That of an infinite value is the largest dose of
        its experiment if the PSet says it and the measure is a dose or the logarithm of one, else
        the most extreme finite value of the drug, or of all drugs where it has none. That of a 0
        is the smallest dose of its drug, else its smallest value above 0, and marked -1. ``"nan"``:
        left out. ``"keep"``: infinite values and zeros stay, as PharmacoGx has them. ``"error"``.
    out_of_range
        Values outside the bounds of the measure, before the summary: ``"keep"``, ``"nan"`` (left
        out) or ``"clip"`` (to the bounds). Where more than a few are, the measure is refused.
    combinations
        Combinations of treatments: ``"error"``, or ``"join"`` to read each as a drug named
        ``"A///B"``.
    unmatched
        Experiments whose drug or line is missing, or is not in the tables of drugs and lines:
        ``"error"``, or ``"drop"`` as PharmacoGx does.
    progress
        Whether the slow back end shows how far it is.

    Returns
    -------
    AnnData, drugs (``obs``) x cell lines (``var``), with

    ``X`` : float64, NaN where not measured
    ``layers["n_replicates"]`` : int32
        Number of values behind each entry of ``X``.
    ``layers["censored"]`` : int8
        Where values are censored: 1 if the true summary is ``X`` or above, -1 if it is ``X`` or
        below, else 0. Of replicates the bounds are summarised, with what is exact; the result is
        exact if it does not depend on how far beyond the bounds the true values are, as the median
        of 1, 2 and >8. It is a bound of neither side, and 0, if it depends on both, as the mean of
        <1 and >8.
    ``layers[<measure>]`` : float64, ``layers["<measure>_censored"]`` : int8
        For each of `layers`.
    ``obs["replicate_sd"]`` : float64
        Where at least ten experiments repeat others (not with a summary of max or min): standard
        deviation of the error of a value of ``X``, as far as repeats differ, those of the drug and,
        where it has few, of all drugs; ``pp.correct(adata, noise_sd="replicate_sd")``. What repeats
        have in common, such as a plate, is not in it.
    ``obs`` : annotation of the drugs, ``var`` : annotation of the cell lines
        As in the PSet, under the column names of its current generation, with ``tissueid`` as
        ``tissue``; missing stays missing. Columns that are no plain vectors are left out; dates
        are numbers, as R stores them.
    ``uns["measure"]`` : dict
        ``name``, ``kind``, ``unit``, ``higher_is`` and ``bounds``, as far as known.
    ``uns["layer_measures"][<measure>]`` : dict
        The same for `layers`, as far as their values agree.
    ``uns["pset"]`` : dict
        ``name``, ``file``, ``object``, ``generation``, ``backend``, ``summary`` and the other
        settings; ``n_experiments``, ``n_unmatched``, ``n_infinite``, ``n_below``, ``n_above`` and
        ``n_censored`` (of the measure's experiments, before `censored` and `out_of_range`);
        ``experiments``, a table with ``treatmentid`` and ``sampleid`` of every row of the profiles,
        in the order of the file; ``curation`` tables; ``annotation``; ``notes`` on what is unusual.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ImportError
        The back end asked for is not installed.
    ValueError
        The file is no R file, is damaged or holds no PharmacoSet; a slot is missing or its tables
        do not fit; there is no such measure, its direction is unknown, or its values contradict
        what is said of it; a parameter has no such value. The message names the file and the slot.

    Notes
    -----
    IC50 span orders of magnitude: take logarithms before correcting them
    (``adata.X = np.log(adata.X)``, and say so in ``uns["measure"]``).

    R trusts its files: one that was damaged after unpacking, so that no checksum tells, can crash R
    itself and Python with it, and R 4.2 also overflows over linked lists of 100,000 elements. With
    ``backend="rdata"`` neither happens.

    References
    ----------
    .. [1] Smirnov P. et al. PharmacoGx: an R package for analysis of large pharmacogenomic
       datasets. Bioinformatics 32, 1244-1246 (2016).
    """
    from . import slots
    from .assemble import assemble, check_settings
    from .open import open_pset

    settings = {
        "summary": summary,
        "fill_missing": bool(fill_missing),
        "censored": censored,
        "out_of_range": out_of_range,
        "combinations": combinations,
        "unmatched": unmatched,
    }
    check_settings(settings, higher_is, unit, kind)
    if isinstance(layers, str):
        layers = [layers]
    opened = open_pset(path_or_object, name=name, backend=backend, progress=progress)
    pset = slots.read(opened, combinations)
    adata = assemble(pset, measure, tuple(layers), settings, higher_is, unit, kind)
    adata.uns["pset"] |= {
        "file": "" if opened.path is None else opened.path.name,
        "object": opened.name,
    }
    return adata


def list_measures(
    path_or_object: str | os.PathLike[str] | object,
    *,
    name: str | None = None,
    backend: Backend = "auto",
    progress: bool = True,
) -> list[str]:
    """List the sensitivity measures of a PharmacoSet, any of which `read_pset` reads.

    The flags that `write_pset` adds beside a measure are left out. Parameters and errors are those
    of `read_pset`.
    """
    pset = _look(path_or_object, name, backend, progress)
    return pset.listed


def describe(
    path_or_object: str | os.PathLike[str] | object,
    *,
    name: str | None = None,
    backend: Backend = "auto",
    progress: bool = True,
) -> dict[str, Any]:
    """Say what is in a PharmacoSet, without building a matrix.

    Parameters and errors are those of `read_pset`.

    Returns
    -------
    dict with ``name``, ``generation`` of the class, ``backend``, ``date_created``, ``measures``,
    numbers of drugs, cell lines, tissues, experiments, measured pairs and pairs with replicates as
    ``n_drugs``, ``n_cell_lines``, ``n_tissues``, ``n_experiments``, ``n_pairs``,
    ``n_replicated_pairs``, names of the ``molecular_profiles``, and ``notes``.
    """
    pset = _look(path_or_object, name, backend, progress)
    pairs = pset.rows.iloc[pset.first].groupby(["treatmentid", "sampleid"]).size()
    tissues = pset.sample.get("tissueid")
    return {
        "name": pset.name,
        "generation": pset.generation,
        "backend": pset.backend,
        "date_created": pset.annotation.get("dateCreated", ""),
        "measures": pset.listed,
        "n_drugs": len(pset.treatment),
        "n_cell_lines": len(pset.sample),
        "n_tissues": 0 if tissues is None else int(tissues.nunique()),
        "n_experiments": len(pset.first),
        "n_pairs": len(pairs),
        "n_replicated_pairs": int((pairs > 1).sum()),
        "molecular_profiles": pset.molecular,
        "notes": pset.notes,
    }


def _look(source: object, name: str | None, backend: Backend, progress: bool) -> PSet:
    from . import slots
    from .open import open_pset

    opened = open_pset(source, name=name, backend=backend, progress=progress)
    return slots.read(opened, "join")
