"""From the tables of a PharmacoSet to an AnnData."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from rtdmf_bio._adata.columns import is_text, text_dtype
from rtdmf_bio._adata.inputs import REPLICATE_SD
from rtdmf_bio.model.checks import check_choice
from rtdmf_bio.model.repeats import noise_of_summaries

from . import measures
from .summary import SUMMARIES, summarize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .slots import PSet


def check_settings(settings: dict[str, Any], higher_is: str | None) -> None:
    """Refuse settings of `assemble` that have no meaning."""
    check_choice("higher_is", higher_is, (None, "resistant", "sensitive"))
    check_choice("summary", settings["summary"], SUMMARIES)
    check_choice("out_of_range", settings["out_of_range"], ("keep", "nan", "clip"))
    check_choice("combinations", settings["combinations"], ("error", "join"))
    check_choice("unmatched", settings["unmatched"], ("error", "drop"))


def assemble(
    pset: PSet,
    measure: str | None,
    layers: tuple[str, ...],
    settings: dict[str, Any],
    higher_is: str | None,
    unit: str | None,
) -> AnnData:
    """Summarise `measure` and `layers`, and put annotation and experiments beside them."""
    if measure is None:
        measure = measures.default(pset.listed, pset.label)
    drug, line, dropped = _codes(pset, settings["unmatched"])
    kept = pset.first[~dropped]
    shape = (len(pset.treatment), len(pset.sample))

    values = pset.values(measure)[kept]
    meaning = measures.meaning(
        *(measure, values),
        higher_is=higher_is,
        unit=unit,
        written=pset.written,
        witnesses={} if higher_is else _witnesses(pset, kept, measure),
        label=pset.label,
    )
    counts = {
        "n_experiments": len(pset.first),
        "n_unmatched": int(dropped.sum()),
        **_out_of_range(values, meaning.get("bounds")),
    }
    policy, how = settings["out_of_range"], settings["summary"]
    X, n = summarize(drug, line, _treat(values, meaning.get("bounds"), policy), shape, how)
    if not n.any():
        raise ValueError(
            f"{pset.label}: the measure {measure!r} has no value in {len(values)} experiments."
        )
    further = {}
    for name in layers:
        bounds = (measures.known(name, pset.written) or {}).get("bounds")
        own = _treat(pset.values(name)[kept], bounds, policy)
        further[name] = summarize(drug, line, own, shape, how)[0]

    there = ~np.isnan(X)
    full = settings["fill_missing"]
    rows = np.flatnonzero(there.any(axis=1) | full)
    cols = np.flatnonzero(there.any(axis=0) | full)
    at = np.ix_(rows, cols)
    adata = AnnData(
        X=X[at],
        obs=_axis(pset.treatment.iloc[rows], "drug"),
        var=_axis(_tissue(pset.sample).iloc[cols], "cell_line"),
        layers={"n_replicates": n[at], **{name: matrix[at] for name, matrix in further.items()}},
    )
    noise = noise_of_summaries(_treat(values, meaning.get("bounds"), policy), drug, line, X, how)
    if noise is not None and REPLICATE_SD not in adata.obs:
        adata.obs[REPLICATE_SD] = noise[rows]
    adata.uns["measure"] = meaning
    if layers:
        adata.uns["layer_measures"] = {
            name: {"name": name, **(measures.known(name, pset.written) or {})} for name in layers
        }
    adata.uns["pset"] = {
        "name": pset.name,
        "generation": pset.generation,
        "backend": pset.backend,
        **settings,
        **counts,
        "experiments": storable(pset.rows),
        "curation": {name: storable(table) for name, table in pset.curation.items()},
        "annotation": pset.annotation,
        "notes": pset.notes,
    }
    return adata


def _witnesses(pset: PSet, kept: NDArray[np.intp], measure: str) -> dict[str, NDArray[np.float64]]:
    """Values of the other measures that a direction can be checked against."""
    found = {}
    for name in measures.WITNESSES:
        if name in pset.measures and name != measure:
            # Text, such as ">10", is no reason not to read another measure.
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
    if policy == "keep":
        return values
    low, high = bounds or (-np.inf, np.inf)
    if policy == "nan":
        fine = np.isfinite(values) & (values >= low) & (values <= high)
        return np.where(fine, values, np.nan)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.where(np.isinf(values), np.nan, values)
    lowest = low if np.isfinite(low) else finite.min()
    highest = high if np.isfinite(high) else finite.max()
    return np.clip(values, lowest, highest)


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
