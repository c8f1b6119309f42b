"""Any other table: wide, one drug or line a row, or long, if columns are named."""

from collections.abc import Mapping
from typing import Any

from anndata import AnnData

from ..._adata.measure import as_measure, kind_name
from ..._adata.names import normalised
from .._build import matrix_from
from .._format import Format, read_wide_format, with_tissue
from .._source import Source

_VALUES = {"value", "response", "sensitivity", "score", "measurement"}
_LABELS = {
    "drug": ("drug", "drugname", "compound", "compoundname", "treatment", "treatmentid", "drugid"),
    "cell_line": (
        "cellline", "celllinename", "cell", "line", "sampleid", "cellid", "ccl", "cclname", "model",
        "modelname",
    ),
}  # fmt: skip


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
    return read_wide_format(source, options)


def _long_columns(source: Source) -> dict[str, Any]:
    """Columns of drug, line and measure of a long table, if it has one of each."""
    found: dict[str, Any] = {}
    for key, labels in _LABELS.items():
        names = [source.columns[label] for label in labels if label in source.columns]
        if not names:
            return {}
        found[key] = names[0]
    values = [n for n in source.header if kind_name(n) or normalised(n) in _VALUES]
    return {**found, "value": values} if values else {}


def _long(source: Source, options: Mapping[str, Any]) -> AnnData:
    measure = options["measure"]
    value = options["value"]
    values = [value] if isinstance(value, str) else list(value or ["value"])
    if measure in values:
        values = [measure, *(name for name in values if name != measure)]
    given = {**options, "layout": "long", "drugs": None, "measure": None, "value": values}
    adata = matrix_from(source.table, given)
    adata.var = with_tissue(adata.var)
    kinds = {name: kind_name(name) for name in values}
    first = kind_name(measure) if measure else kinds[values[0]]
    if first is not None:
        adata.uns["measure"] = as_measure(first, values[0])
    further = {name: as_measure(kind, name) for name, kind in kinds.items() if kind}
    further.pop(values[0], None)
    if further:
        adata.uns["layer_measures"] = further
    return adata


FORMAT = Format("table", "table", _sniff, _read, generic=True)
