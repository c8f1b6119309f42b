"""R files among the formats of ``rtdmf_bio.io.read``, which finds them as an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anndata import AnnData

from rtdmf_bio._adata.names import looks_like
from rtdmf_bio.io import Format, FrameTable, Source, formats, with_options


def _sniff(source: Source) -> bool:
    return source.kind == "r"


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    """Read a PharmacoSet or a SummarizedExperiment as it is, a table as any table is read."""
    from ._objects.read import read_r
    from ._psets.read import read_pset
    from .files import NoPharmacoSetError

    name = options["sheet"]
    try:
        return read_pset(
            source.path, options["measure"], name=name, censored=options["censored"], progress=False
        )
    except ValueError as error:
        # An object of another kind, or an element of a list, which a PharmacoSet is not in.
        if name is None and not isinstance(error, NoPharmacoSetError):
            raise
    found = read_r(source.path, name=name, progress=False)
    if isinstance(found, AnnData):
        found = found.T if _lines_first(found) else found
        return with_options(found, source, options)
    table = source.with_table(FrameTable(source.path, found))
    form = next(form for form in formats() if form.sniff(table))
    return form.read(table, options)


def _lines_first(adata: AnnData) -> bool:
    first, second = looks_like(list(adata.obs_names)), looks_like(list(adata.var_names))
    return first != second and (first == "lines" or second == "drugs")


FORMATS = [Format("r", "R file", _sniff, _read)]
