"""From the tables of a PharmacoSet to an AnnData."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData

from rtdmf_bio._adata.columns import is_text, text_dtype
from rtdmf_bio._adata.inputs import REPLICATE_SD, censored_name
from rtdmf_bio._adata.measure import KINDS, as_measure, in_micromolar
from rtdmf_bio.model.checks import check_choice
from rtdmf_bio.model.repeats import noise_of_summaries

from . import measures
from .censored import CENSORED, DOSES, at_bounds, infinite_sides, summarize_sides, zero_sides
from .summary import SUMMARIES, summarize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .slots import PSet


def check_settings(
    settings: dict[str, Any], higher_is: str | None, unit: str | None, kind: str | None
) -> None:
    """Refuse settings of `assemble` that have no meaning."""
    check_choice("kind", kind, (None, *KINDS))
    check_choice("higher_is", higher_is, (None, "resistant", "sensitive"))
    if kind and (higher_is or unit):
        raise ValueError(
            f"kind={kind!r} says direction and unit. Leave higher_is and unit out, or kind."
        )
    check_choice("summary", settings["summary"], SUMMARIES)
    check_choice("censored", settings["censored"], CENSORED)
    check_choice("out_of_range", settings["out_of_range"], ("keep", "nan", "clip"))
    check_choice("combinations", settings["combinations"], ("error", "join"))
    check_choice("unmatched", settings["unmatched"], ("error", "drop"))


class _Experiments(NamedTuple):
    """Row and column of each experiment."""

    drug: NDArray[np.int64]
    line: NDArray[np.int64]
    kept: NDArray[np.intp]
    """Rows of the profiles."""
    shape: tuple[int, int]


class _Summary(NamedTuple):
    """A measure, one value per drug and line."""

    matrix: NDArray[np.float64]
    sides: NDArray[np.int8] | None
    """Of bounds among the values; None where there are none."""
    n: NDArray[np.int32]
    noise: NDArray[np.float64] | None
    meaning: dict[str, Any]
    counts: dict[str, int]


def assemble(
    pset: PSet,
    measure: str | None,
    layers: tuple[str, ...],
    settings: dict[str, Any],
    higher_is: str | None = None,
    unit: str | None = None,
    kind: str | None = None,
) -> AnnData:
    """Summarise `measure` and `layers`, and put annotation and experiments beside them.

    What `settings` do not say is done as PharmacoGx does it.
    """
    settings = {"censored": "keep", **settings}
    stated = measures.Stated(kind, higher_is, unit)
    if measure is None:
        measure = measures.default(pset.listed, pset.label)
    drug, line, dropped = _codes(pset, settings["unmatched"])
    shape = (len(pset.treatment), len(pset.sample))
    experiments = _Experiments(drug, line, pset.first[~dropped], shape)
    X = _summarised(pset, measure, experiments, settings, stated)
    if not X.n.any():
        raise ValueError(
            f"{pset.label}: the measure {measure!r} has no value in {len(drug)} experiments."
        )
    further = {name: _summarised(pset, name, experiments, settings, None) for name in layers}

    there = ~np.isnan(X.matrix)
    full = settings["fill_missing"]
    rows = np.flatnonzero(there.any(axis=1) | full)
    cols = np.flatnonzero(there.any(axis=0) | full)
    at = np.ix_(rows, cols)
    found: dict[str, NDArray[Any] | None] = {"n_replicates": X.n, censored_name("X"): X.sides}
    for name, one in further.items():
        found |= {name: one.matrix, censored_name(name): one.sides}
    adata = AnnData(
        X=X.matrix[at],
        obs=_axis(pset.treatment.iloc[rows], "drug"),
        var=_axis(_tissue(pset.sample).iloc[cols], "cell_line"),
        layers={name: matrix[at] for name, matrix in found.items() if matrix is not None},
    )
    if X.noise is not None and REPLICATE_SD not in adata.obs:
        adata.obs[REPLICATE_SD] = X.noise[rows]
    adata.uns["measure"] = X.meaning
    if layers:
        adata.uns["layer_measures"] = {name: one.meaning for name, one in further.items()}
    adata.uns["pset"] = {
        "name": pset.name,
        "generation": pset.generation,
        "backend": pset.backend,
        **settings,
        "n_experiments": len(pset.first),
        "n_unmatched": int(dropped.sum()),
        **X.counts,
        "experiments": storable(pset.rows),
        "curation": {name: storable(table) for name, table in pset.curation.items()},
        "annotation": pset.annotation,
        "notes": pset.notes,
    }
    return adata


def _summarised(
    pset: PSet,
    name: str,
    of: _Experiments,
    settings: dict[str, Any],
    stated: measures.Stated | None,
) -> _Summary:
    """Read, judge and summarise a measure.

    One beside the main one, of which nothing can be `stated`, is judged but not refused.
    """
    named = measures.known(name)
    unit = as_measure(stated.kind, name)["unit"] if stated and stated.kind else named.get("unit")
    values, sides, is_text = pset.censored(name, unit)
    values, sides = values[of.kept], sides[of.kept]
    if is_text:
        pset.notes.append(f"the measure {name} is stored as text and was read as numbers")
    file = measures.File(pset.name, pset.written, _witnesses(pset, of.kept, name))
    if stated is None:
        meaning, notes = measures.meaning_beside(name, values, file)
    else:
        meaning, notes = measures.meaning(name, values, stated, file, pset.label)
    pset.notes.extend(notes)
    bounds = meaning.get("bounds")
    counts = _out_of_range(values, bounds)
    infinite = infinite_sides(values, bounds)
    sides = np.where(sides == 0, infinite + zero_sides(values, meaning.get("kind")), sides)
    counts["n_censored"] = int((sides != 0).sum())
    if counts["n_censored"]:
        values, sides = _censor(pset, name, values, sides, of, settings["censored"], meaning)
    values = _treat(values, bounds, settings["out_of_range"])
    how = settings["summary"]
    matrix, n = summarize(of.drug, of.line, values, of.shape, how)
    marked = (sides != 0) & ~np.isnan(values)
    return _Summary(
        matrix,
        summarize_sides(of.drug, of.line, values, sides, of.shape, how) if marked.any() else None,
        n,
        # A bound is as far from the truth as nobody knows.
        noise_of_summaries(np.where(marked, np.nan, values), of.drug, of.line, matrix, how),
        meaning,
        counts,
    )


def _censor(
    pset: PSet,
    name: str,
    values: NDArray[np.float64],
    sides: NDArray[np.int8],
    of: _Experiments,
    policy: str,
    meaning: dict[str, Any],
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Do with bounds and infinite values as the `policy` says."""
    infinite = np.isinf(values) & (sides != 0)
    zero = (values == 0) & (sides < 0) & (meaning.get("kind") in DOSES)
    text = (sides != 0) & ~infinite & ~zero
    said = f"{(sides != 0).sum()} of {(~np.isnan(values)).sum()} values of {name} are censored"
    kinds = {"infinite": infinite.sum(), "0": zero.sum(), "bounds in text": text.sum()}
    which = ", ".join(f"{n} {kind}" for kind, n in kinds.items() if n)
    if policy == "error":
        raise ValueError(
            f"{pset.label}: {said} ({which}). Pass censored='bound' to take each as its bound, "
            "marked in layers['censored']."
        )
    if policy == "nan":
        pset.notes.append(f"{said} ({which}) and were left out")
        return np.where(sides != 0, np.nan, values), np.zeros_like(sides)
    if policy == "keep" or not (infinite | zero).any():
        if text.any():
            pset.notes.append(f"{said} ({which}); bounds stand in their place")
        return values, np.where(infinite | zero, 0, sides).astype(np.int8)
    largest, smallest = (
        None if dose is None else dose[of.kept] / _of_default(meaning)
        for dose in (
            pset.largest_dose() if infinite.any() else None,
            pset.smallest_dose() if zero.any() else None,
        )
    )
    try:
        bounds = at_bounds(values, sides, of.drug, largest, meaning.get("kind"), smallest)
    except ValueError as error:
        n = int((infinite | zero).sum())
        what = "infinite" if not zero.any() else "infinite or 0"
        raise ValueError(
            f"{pset.label}: the measure {name!r} has no bound for its {n} {what} values, as "
            f"{error} and its doses are not known. Pass censored='keep' to keep them."
        ) from error
    pset.notes.append(f"{said} ({which}); bounds stand in their place")
    if largest is not None and meaning.get("kind") in DOSES:
        beyond = int((np.isfinite(values) & (sides == 0) & (values > largest)).sum())
        if beyond:
            pset.notes.append(
                f"{beyond} finite values of {name} lie beyond the largest dose of their "
                "experiment, and so above the bounds of infinite ones: a fit has extrapolated them"
            )
    return bounds, sides


def _of_default(meaning: dict[str, Any]) -> float:
    """How many of the unit that its kind has by default the unit of a measure is."""
    units = str(meaning.get("unit")), KINDS[meaning["kind"]].unit if "kind" in meaning else ""
    own, default = (in_micromolar(unit.split(" ")[-1]) for unit in units)
    return own / default if own and default else 1.0


def _witnesses(pset: PSet, kept: NDArray[np.intp], measure: str) -> dict[str, NDArray[np.float64]]:
    """Values of the other measures that a direction can be checked against."""
    found = {}
    for name in measures.WITNESSES:
        if name in pset.measures and name != measure:
            # Text that is no number is no reason not to read another measure.
            with suppress(ValueError):
                found[name] = pset.values(name)[kept]
    return found


def _codes(
    pset: PSet, unmatched: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Row and column of each experiment, and which experiments have none."""
    rows = pset.rows.iloc[pset.first]
    codes = {}
    for key, table in (("treatmentid", pset.treatment), ("sampleid", pset.sample)):
        codes[key] = table.index.get_indexer(pd.Index(rows[key], dtype=object))
    lost = {key: found < 0 for key, found in codes.items()}
    dropped = lost["treatmentid"] | lost["sampleid"]
    if dropped.all() or (dropped.any() and unmatched == "error"):
        found = []
        for key, where in lost.items():
            if where.any():
                names = rows.loc[where, key]
                example = [f"{names.isna().sum()} missing", *map(repr, names.dropna().unique()[:3])]
                table = pset.treatment if key == "treatmentid" else pset.sample
                known = ", ".join(map(repr, table.index[:3]))
                found.append(
                    f"{key} of {where.sum()} ({', '.join(example)}), where the row names of the "
                    f"table are such as {known}"
                )
        remedy = (
            "None is left."
            if dropped.all()
            else "Correct the ids in R, or pass unmatched='drop' to leave these experiments out, "
            "as PharmacoGx does."
        )
        raise ValueError(
            f"{pset.label}: in the slot {pset.slot}, {dropped.sum()} of {len(rows)} experiments "
            f"have ids that are not in the tables of drugs and lines: {'; '.join(found)}. {remedy}"
        )
    keep = ~dropped
    return codes["treatmentid"][keep], codes["sampleid"][keep], dropped


def _out_of_range(values: NDArray[np.float64], bounds: list[float] | None) -> dict[str, int]:
    finite = values[np.isfinite(values)]
    low, high = bounds or (-np.inf, np.inf)
    return {
        "n_infinite": int(np.isinf(values).sum()),
        "n_below": int((finite < low).sum()),
        "n_above": int((finite > high).sum()),
    }


def _treat(
    values: NDArray[np.float64], bounds: list[float] | None, policy: str
) -> NDArray[np.float64]:
    """Do with values outside the bounds as the `policy` says; infinite ones may be within."""
    if policy == "keep" or bounds is None:
        return values
    low, high = bounds
    if policy == "nan":
        return np.where((values >= low) & (values <= high), values, np.nan)
    return np.clip(values, low, high)


def _tissue(sample: pd.DataFrame) -> pd.DataFrame:
    """Call ``tissueid`` what everything else calls it."""
    if "tissueid" not in sample:
        return sample
    sample = sample.rename(columns={"tissue": "tissue_original"})
    sample = sample.rename(columns={"tissueid": "tissue"})
    return sample.assign(tissue=sample["tissue"].astype("category"))


def _axis(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Annotation of an axis, named ``name`` unless a column is."""
    table = storable(table)
    table.index = pd.Index(table.index, dtype=text_dtype(), name=None if name in table else name)
    return table


def storable(table: pd.DataFrame) -> pd.DataFrame:
    """Make a copy that h5ad can hold, with nothing changed but types and names of columns."""
    table = table.copy()
    names = [str(name).replace("/", "_") for name in table.columns]
    table.columns = pd.Index(_distinct(["index" if name == "_index" else name for name in names]))
    for name, column in table.items():
        # Text with gaps survives only as categories, and repeated text is smaller so.
        if is_text(column) and (column.isna().any() or column.duplicated().any()):
            table[name] = column.astype("category")
        elif isinstance(column.dtype, pd.CategoricalDtype):
            table[name] = column.cat.remove_unused_categories()
    return table


def _distinct(names: list[str]) -> list[str]:
    used: set[str] = set()
    result = []
    for name in names:
        fresh, n = name, 1
        while fresh in used:
            fresh, n = f"{name}.{n}", n + 1
        used.add(fresh)
        result.append(fresh)
    return result
