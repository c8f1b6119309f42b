"""Any other table: wide, one drug or line a row, or long, if columns are named."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData

from ..._adata.measure import (
    AT_ONE_DOSE,
    KINDS,
    as_measure,
    by_mass,
    kind_name,
    unit_said,
    without_unit,
)
from ..._adata.names import DRUG_COLUMNS, LINE_COLUMNS, normalised
from .._build import matrix_from
from .._finish import with_tissue
from .._format import Format, read_wide_format
from .._source import Source

_VALUES = ("value", "response", "sensitivity", "score", "measurement")
_LIKE = ("ic50", "gi50", "ec50", "auc", "aac", "dss")


def _sniff(source: Source) -> bool:
    return source.kind == "table"


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    both = None not in (options["drug"], options["cell_line"])
    if options["layout"] == "long" or options["value"] or both:
        return _long(source, options)
    columns = _long_columns(source)
    if columns and options["drugs"] is None:
        given = {key: value for key, value in options.items() if key in columns and value}
        return _long(source, {**options, **columns, **given})
    adata = read_wide_format(source, options)
    if "measure" in adata.uns:
        return adata
    stem = source.path.name.split(".")[0]
    words = re.split(r"[^a-z0-9]+", without_unit(stem).lower())
    said = [word for word in words if word in ("ic50", "gi50", "ec50")]
    logs = any(word.startswith(("ln", "log", "neg")) for word in words)
    if said and not logs and np.nanmin(adata.X) > 0:
        # Nothing else would tell, and on a linear scale they are not to be corrected.
        unit = unit_said(stem)
        name = f"{said[0]} ({unit})" if unit else said[0]
        adata.uns["measure"] = {"name": stem} if by_mass(stem) else as_measure(said[0], name)
        source.table.note(f"taken for {name} by the name of the file (measure= if not)")
        adata.uns["read_table"] = {**adata.uns.get("read_table", {}), "notes": source.table.notes}
    return adata


def _long_columns(source: Source) -> dict[str, Any]:
    """Columns of drug, line and measure of a long table, if it has some of each."""
    found: dict[str, Any] = {}
    for key, labels in (("drug", DRUG_COLUMNS), ("cell_line", LINE_COLUMNS)):
        names = [name for name in source.header if normalised(name) in labels]
        # Names go before identifiers.
        names.sort(key=lambda name: "name" not in name.lower() and "id" in name.lower())
        if not names:
            return {}
        found[key] = names[0]
    values = _value_columns(source)
    return {**found, "value": values} if values else {}


def _value_columns(source: Source) -> list[str]:
    """Columns whose names are those of measures, the best first."""
    rank = list(KINDS)
    known = {name: kind_name(name) for name in source.header}
    found = [name for name, kind in known.items() if kind is not None]
    found.sort(key=lambda name: (known[name] in AT_ONE_DOSE, rank.index(str(known[name]))))
    plain = {name: normalised(name) for name in source.header}
    found += [
        name
        for name in source.header
        if name not in found
        and any(word in plain[name] for word in _LIKE)
        and not plain[name].endswith(("id", "ids"))
    ]
    return found or [name for name in source.header if plain[name] in _VALUES]


def _long(source: Source, options: Mapping[str, Any]) -> AnnData:
    measure, value = options["measure"], options["value"]
    values = [value] if isinstance(value, str) else list(value or _value_columns(source))
    values = values or ["value"]
    wanted = kind_name(measure) if measure else None
    first = [n for n in values if measure and (n == measure or (wanted and kind_name(n) == wanted))]
    if measure:
        first.sort(key=lambda n: (n != measure, unit_said(n) != unit_said(measure)))
    values = [*first[:1], *(name for name in values if name not in first[:1])]
    given = {**options, "layout": "long", "drugs": None, "measure": None, "value": values}
    adata = matrix_from(source.table, given)
    adata.var = with_tissue(adata.var)
    kinds = {name: kind_name(name) for name in values}
    kind = wanted or kinds[values[0]]
    if measure and kind is None and measure not in values:
        raise ValueError(
            f"{source.path}: the measure {measure!r} is not known, nor is it a column. Known are "
            f"{list(KINDS)}."
        )
    adata.uns["measure"] = as_measure(kind, values[0]) if kind else {"name": values[0]}
    further = {name: as_measure(kind, name) for name, kind in kinds.items() if kind}
    further.pop(values[0], None)
    if further:
        adata.uns["layer_measures"] = further
    return adata


FORMAT = Format("table", "table", _sniff, _read, generic=True)
