"""Formats: what a file is recognised by, and how it becomes an AnnData.

A format is a title, a `sniff` and a `read`. Long and wide tables need no code of their own: they
say which columns are what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._adata.measure import KINDS, as_measure, kind_name
from .._adata.names import normalised
from ..model.checks import name_some
from ._build import matrix_from, matrix_of_pairs
from ._cells import FrameTable, open_table
from ._finish import TOO_MANY, with_tissue
from ._long import annotation_of, describe_difference, read_long
from ._matrix import long_pairs, typed
from ._missing import Missing
from ._names import is_name
from ._source import Source
from ._wide import way_round_of

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Format:
    """A kind of file that `read` knows."""

    name: str
    """By which it can be asked for, such as ``"gdsc_fitted"``."""
    title: str
    """What it is called in a sentence."""
    sniff: Callable[[Source], bool] = field(repr=False)
    """Whether a source is of this kind; sees the header and the first rows."""
    read: Callable[[Source, Mapping[str, Any]], AnnData] = field(repr=False)
    """The AnnData, by the source and the options of `read_table`, with ``measure`` the name of
    one of several."""
    generic: bool = False
    """Whether anything like a table is of this kind."""


@dataclass(frozen=True)
class LongFormat:
    """One measurement a row. Columns are named as in the file; case and punctuation do not count.

    Columns with one value for each drug annotate the drugs, those with one for each line the lines.
    """

    drug: str
    line: str
    measures: Mapping[str, str]
    """Column -> name in the table of measures, the one to take first."""
    needs: tuple[str, ...] = ()
    """Further columns that a file has to be recognised by."""
    drug_or: str = ""
    """Column of names for drugs that have none."""
    line_or: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Column -> what it is called in obs or var."""
    tissue: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    """Columns whose values keep rows of one drug apart, such as its identifier in the library."""
    metric: str = ""
    """Column that says which measure a row holds; its values are then those of `measures`."""
    value: str = ""
    """With `metric`: the column of values."""
    repeats: str | None = None
    """How measurements that nothing tells apart are combined."""
    drop_unnamed: bool = False

    def sniff(self, source: Source) -> bool:
        """Whether the header has the columns."""
        values = [self.metric, self.value] if self.metric else []
        if not source.has(self.drug, self.line, *self.needs, *values):
            return False
        return bool(self.metric) or any(source.has(column) for column in self.measures)

    def read(self, source: Source, options: Mapping[str, Any]) -> AnnData:
        """Read it."""
        column = source.columns
        frame = source.table.frame()
        name = column[normalised(self.drug)]
        line = column[normalised(self.line)]
        frame = _filled(frame, name, column.get(normalised(self.drug_or)))
        frame = _filled(frame, line, column.get(normalised(self.line_or)))
        where = dict(options["where"] or {})
        values, kinds = self._values(source, frame, where, options["measure"])
        if self.metric:
            again = frame.duplicated()
            if again.any():
                said = f"left out {again.sum()} rows that repeat another to the last cell"
                source.table.note(said)
            others = sorted(set(frame[column[normalised(self.metric)]]) - set(self.measures))
            if others:
                source.table.note(f"did not read {name_some(others)}, which are no measures")
            frame = _one_column_each(frame[~again], column, self, list(values))
        table = FrameTable(source.path, frame.reset_index(drop=True))
        table.notes = source.table.notes
        return self._assembled(table, source, options, values, kinds, name, line, where)

    def _assembled(
        self,
        table: FrameTable,
        source: Source,
        options: Mapping[str, Any],
        values: Mapping[str, str],
        kinds: Mapping[str, str],
        name: str,
        line: str,
        where: Mapping[str, Any],
    ) -> AnnData:
        how = {key: options[key] for key in ("decimal", "censored")}
        drop = self.drop_unnamed or options["drop_unnamed"]
        long = read_long(
            *(table, [name], [line], list(values.values()), Missing(options["na_values"])),
            where=where,
            drop_unnamed=drop,
            every=True,
            **how,
        )
        plain = list(long.drugs)
        column = {normalised(c): c for c in table.header}
        by = [column[normalised(c)] for c in self.apart if normalised(c) in column]
        long.drugs = told_apart(long.drugs, long.rest, by)
        long.values = dict(zip(values, long.values.values(), strict=True))
        long.marks = dict(zip(values, long.marks.values(), strict=True))
        long.differ = [c for c in long.differ if c not in by]
        taken = [name, line, *values.values()]
        # One tissue alone would seem to be the drugs'.
        tissue = [column[normalised(c)] for c in self.tissue if normalised(c) in column]
        obs = annotation_of(long, long.drugs, None, [*taken, *tissue], "drug").apply(typed)
        var = annotation_of(long, long.lines, None, taken, "cell line")
        var = var[var.columns.difference(obs.columns, sort=False)].apply(typed)
        if self.apart:
            first = dict(zip(reversed(long.drugs), reversed(plain), strict=True))
            obs.insert(0, "drug_name", [first[drug] for drug in obs.index])
        names = {
            column[normalised(c)]: new for c, new in self.ids.items() if normalised(c) in column
        }
        obs, var = obs.rename(columns=names), with_tissue(var.rename(columns=names), self.tissue)
        apart = describe_difference(long, {"drug": [name], "cell_line": [line]})
        aggregate = options["aggregate"] or self.repeats
        given = {**options, "aggregate": aggregate, "measure": None}
        adata = matrix_of_pairs(long_pairs(long, apart), table, given, obs, var)
        first_name, *others = values
        adata.uns["measure"] = _measure(adata.X, kinds[first_name], first_name)
        if others:
            adata.uns["layer_measures"] = {
                name: _measure(adata.layers[name], kinds[name], name) for name in others
            }
        return adata

    def _values(
        self, source: Source, frame: pd.DataFrame, where: dict[str, Any], wanted: str | None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Columns by the names of the measures they hold, the one asked for first; and kinds."""
        if self.metric:
            metric = source.columns[normalised(self.metric)]
            there = set(frame[metric].map(lambda cell: str(cell).strip()))
            given = where.pop(metric, None)
            asked = there if given is None else {given} if isinstance(given, str) else set(given)
            columns = [c for c in self.measures if c in there & asked]
            if not columns:
                raise ValueError(
                    f"{source.path}: the column {metric!r} has {sorted(there)[:10]}, of which "
                    f"{sorted(self.measures)} are known measures. Pass where={{{metric!r}: ...}} "
                    f"to rtdmf_bio.io.read_table(layout='long') for another."
                )
        else:
            columns = [c for c in self.measures if source.has(c)]
        names, kinds = {}, {}
        for c in columns:
            kind = self.measures[c]
            several = sum(self.measures[other] == kind for other in columns) > 1
            name = c.lower() if several else kind
            names[name], kinds[name] = source.columns.get(normalised(c), c), kind
        if wanted is not None:
            key = next((k for k, c in names.items() if wanted in (k, c)), kind_name(wanted))
            if key not in names:
                raise ValueError(
                    f"{source.path} has no measure {wanted!r}. It has {list(names)}; pass one of "
                    f"them as measure."
                )
            names = {key: names[key], **names}
        return names, kinds


def _measure(values: Any, kind: str, name: str) -> dict[str, Any]:
    """What a kind of measure says, but of an area without a bound where values are above it.

    Areas are fractions in some resources and sums in others, under one name.
    """
    measure = as_measure(kind, name)
    if kind == "auc" and np.nanmean(np.asarray(values) > 1) > TOO_MANY:
        return {"name": name, "higher_is": measure["higher_is"], "bounds": [0.0, np.inf]}
    return measure


def _filled(frame: pd.DataFrame, column: str, other: str | None) -> pd.DataFrame:
    """Name what has no name by its identifier."""
    if other is None:
        return frame
    blank = ~frame[column].map(is_name)
    if not blank.any():
        return frame
    return frame.assign(**{column: frame[column].where(~blank, frame[other])})


def _one_column_each(
    frame: pd.DataFrame,
    column: Mapping[str, str],
    form: LongFormat,
    names: Sequence[str],
) -> pd.DataFrame:
    """Give each metric a column of its own; repeats stay rows."""
    metric, value = (column[normalised(name)] for name in (form.metric, form.value))
    kinds = {c: kind for c, kind in form.measures.items() if kind in names}
    keys = [c for c in frame.columns if c not in (metric, value)]
    said = frame[metric].map(lambda cell: str(cell).strip())
    frame = frame[said.isin(kinds)]
    again = frame.groupby([*keys, metric], dropna=False, sort=False).cumcount().rename("again")
    wide = (
        pd.concat([frame, again], axis=1)
        .set_index([*keys, "again", metric])[value]
        .unstack(metric)
        .reset_index()
        .drop(columns="again")
    )
    wide.columns.name = None
    return wide


def told_apart(drugs: Sequence[str], rest: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Add to the name of a drug, in brackets, what differs among its rows."""
    found = pd.Series(list(drugs), dtype=object)
    added = [""] * len(found)
    for column in columns:
        cells = rest[column].map(lambda cell: str(cell).strip()).reset_index(drop=True)
        several = found.map(cells.groupby(found).nunique()) > 1
        if several.any():
            added = [
                f"{old}, {cell}".lstrip(", ") if yes else old
                for old, cell, yes in zip(added, cells, several, strict=True)
            ]
            found = found.where(~several, found + "\x00" + cells)
    return [f"{drug} [{more}]" if more else drug for drug, more in zip(drugs, added, strict=True)]


def read_wide_format(
    source: Source,
    options: Mapping[str, Any],
    *,
    drugs: str | None = None,
    kind: str | None = None,
) -> AnnData:
    """Read a wide table the way round that its names tell, as drugs in rows if they tell nothing.

    `drugs` and `kind` are what the format knows; options given by the user go first.
    """
    given = dict(options)
    measure = given.pop("measure")
    told = drugs or way_round_of(source.table)
    given["drugs"] = options["drugs"] or told or "rows"
    if options["drugs"] is told is None and None is options["drug"] is options["cell_line"]:
        source.table.note("took the rows for drugs, for want of a hint (drugs='columns' if not)")
    adata = matrix_from(source.table, {**given, "measure": None})
    adata.var = with_tissue(adata.var)
    kind = (kind_name(measure) if measure else None) or kind
    if measure and kind is None:
        raise ValueError(
            f"The measure {measure!r} is not known. Known are {list(KINDS)}; say what another is "
            f"in adata.uns['measure'], or by rtdmf_bio.io.read_table(measure=...)."
        )
    if kind is not None:
        adata.uns["measure"] = as_measure(kind)
    return adata


def name_said(source: Source) -> str:
    """Name of the file, without case and punctuation."""
    return normalised(source.path.name)


def join_beside(
    adata: AnnData, source: Source, axis: str, words: Sequence[str], keys: Sequence[str]
) -> None:
    """Annotate drugs (``obs``) or lines (``var``) by a table in the same folder, if there is one.

    It has one of `words` in its name and a column of identifiers called one of `keys`; of several
    the one that knows most is taken. What the file itself says stays.
    """
    own = getattr(adata, axis)
    names = [plain_id(name) for name in own.index]
    best: tuple[int, Any, pd.DataFrame] | None = None
    for path in source.beside(*words):
        try:
            table = open_table(path)
        except (ValueError, ImportError, OSError):
            continue
        spelled = {normalised(name): name for name in reversed(table.header)}
        key = next((spelled[normalised(k)] for k in keys if normalised(k) in spelled), None)
        if key is None:
            continue
        frame = table.frame()
        frame.index = pd.Index([plain_id(cell) for cell in frame[key]])
        frame = frame[~frame.index.duplicated()].drop(columns=key)
        known = sum(name in frame.index for name in names)
        if known and (best is None or known > best[0]):
            best = known, path, frame.reindex(names)
    if best is None:
        return
    known, path, frame = best
    for column in frame.columns.difference(own.columns, sort=False):
        own[column] = typed(frame[column].reset_index(drop=True)).to_numpy()
    setattr(adata, axis, with_tissue(own) if axis == "var" else own)
    source.table.note(f"{known} of {len(names)} annotated by {path.name} beside it")
    adata.uns["read_table"] = {"notes": list(source.table.notes)}


def plain_id(name: Any) -> str:
    """An identifier without what some files put before it."""
    return str(name).strip().removeprefix("BRD:").upper()
