"""Read any file of drug response: recognise it, read it, say what it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._registry import formats

if TYPE_CHECKING:
    from anndata import AnnData

    from ._format import Format


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    measure: str | None = None,
    quiet: bool = False,
    **options: Any,
) -> AnnData:
    r"""Read a screen from a file as it is distributed, and say what was recognised.

    No option is needed for what public resources distribute; ``docs/formats.md`` lists them. Of
    other tables the names tell which way round they are, and nothing tells what is measured: pass
    `measure`.

    Parameters
    ----------
    path
        A file, or a folder of files that belong together. What it is is told by its header and
        content.
    format
        Name of one of :func:`formats`, instead of what is recognised.
    measure
        The measure to read into ``X``, such as ``"ln_ic50"``, where a file holds several; of a
        file that does not say what it holds, what it holds.
    quiet
        Print nothing.
    **options
        Those of :func:`read_table`, such as ``where``, ``var``, ``na_values``, ``censored`` and
        ``aggregate``; with ``layout="long"`` or names of columns the table is read by hand.

    Returns
    -------
    AnnData, drugs (``obs``) x cell lines (``var``), as of :func:`read_table`, with

    ``X``, ``layers`` : float64
        The measure asked for, and all others that the file holds, under their names.
    ``obs``, ``var`` : tables
        Identifiers and annotation that the file holds, the tissue as ``var["tissue"]``. Where one
        drug was screened under several identifiers or in several screens, each is a row of its
        own, named ``"Olaparib [1495]"``, and ``obs["drug_name"]`` is the same: pass
        ``replicate_key="drug_name"`` to :func:`rtdmf_bio.pp.correct`.
    ``uns["measure"]``, ``uns["layer_measures"]`` : dict
        ``name``, ``kind``, ``unit``, ``higher_is`` and ``bounds``, as far as known.
    ``uns["read"]`` : dict
        ``format``, ``file``, and ``said``, what was printed.

    Raises
    ------
    FileNotFoundError, ImportError
        As of :func:`read_table`.
    ValueError
        The file holds no fitted response, such as raw viabilities, combinations or annotation
        alone, or cannot be read; the message says what it is and what to do.

    Examples
    --------
    >>> import tempfile, pathlib, rtdmf_bio.io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "auc.csv")
    ...     _ = path.write_text("cell_line,Dabrafenib,Erlotinib\nA375,0.04,0.98\nPC-9,,0.31\n")
    ...     adata = rtdmf_bio.io.read(path, measure="auc")
    auc.csv: table, 2 drugs x 2 cell lines, auc (higher = resistant)
    >>> adata.to_df()
                 A375  PC-9
    Dabrafenib   0.04   NaN
    Erlotinib    0.98  0.31
    """
    from ._build import check_options
    from ._finish import measure_told, with_ids
    from ._source import Source
    from ._tables import OPTIONS

    strange = options.keys() - OPTIONS.keys()
    if strange:
        raise TypeError(
            f"read() got {sorted(strange)}; it takes format, measure, quiet and the options of "
            f"read_table, {sorted(OPTIONS)}."
        )
    given = {**OPTIONS, **options, "measure": None}
    if given["value"] is not None or None not in (given["drug"], given["cell_line"]):
        given["layout"] = "long"
    check_options(given)
    given["measure"] = measure
    if measure is not None and not isinstance(measure, str):
        raise TypeError(f"measure must be the name of one. Got {measure!r}.")
    source = Source(path, given)
    source.asked = [name for name, value in options.items() if _differs(value, OPTIONS[name])]
    form = _chosen(source, format, given)
    adata = form.read(source, given)
    with_ids(adata)
    measure_told(adata, measure)
    _say(adata, source, form, quiet)
    return adata


def _differs(value: Any, default: Any) -> bool:
    """Whether an option is another than by default; all that is empty is alike."""
    plain = isinstance(value, (str, int, float, tuple, list, dict, type(None)))
    return not plain or (value != default and bool(value or default))


def _chosen(source: Any, name: str | None, options: Mapping[str, Any]) -> Format:
    known = formats()
    if name is not None:
        found = [form for form in known if form.name == name]
        if not found:
            raise ValueError(
                f"There is no format {name!r}. Known are {[form.name for form in known]}."
            )
        if not found[0].sniff(source):
            raise ValueError(f"{source.path} is no {found[0].title}: it has other columns.")
        return found[0]
    by_hand = ("drug", "cell_line", "value", "drugs")
    asked = options["layout"] == "long" or any(options[key] is not None for key in by_hand)
    if source.kind == "table" and asked:
        return next(form for form in known if form.name == "table")
    fits = next((form for form in known if form.sniff(source)), None)
    if fits is None:
        raise ValueError(
            f"{source.path} is of no known kind. Known are {[form.title for form in known]}."
        )
    return fits


def _say(adata: AnnData, source: Any, form: Format, quiet: bool) -> None:
    """Print in a line what was read, and what was passed over; keep it."""
    import numpy as np

    from .._adata.inputs import is_censored_name
    from .._adata.measure import measure_label, measure_of
    from ..model.checks import as_numbers, name_some

    measure = measure_of(adata)
    also = [name for name in adata.layers if name and not is_censored_name(name)]
    parts = [
        f"{adata.n_obs} drugs x {adata.n_vars} cell lines",
        measure_label(measure) if measure else "measure not known (pass measure=)",
    ]
    said = f"{source.path.name}: {form.title}, {', '.join(parts)}"
    if also:
        said += f"; also {', '.join(also)}"
    if "tissue" in adata.var:
        said += "; tissue"
    several = adata.obs.get("drug_name")
    if several is not None and several.duplicated().any():
        names = list(several[several.duplicated()].unique())
        said += f"; {len(names)} drugs in several rows each ({name_some(names, 3)})"
    values = None if adata.X is None else as_numbers(adata.X)
    for what, names, axis in (("drugs", adata.obs_names, 1), ("lines", adata.var_names, 0)):
        empty = [] if values is None else names[~np.isfinite(values).any(axis)]
        if len(empty):
            said += f"; {len(empty)} {what} have no value ({name_some(list(empty), 3)})"
    report = adata.uns.get("read_table", {}).get("replicates")
    if report and report["n_pairs"]:
        said += (
            f"; {report['n_pairs']} pairs measured repeatedly, combined by {report['aggregate']}, "
            f"at most {report['largest_spread']:.3g} apart"
        )
    notes = list(adata.uns.get("read_table", {}).get("notes", []))
    said = "; ".join([said, *notes])
    adata.uns["read"] = {"format": form.name, "file": source.path.name, "said": said}
    if not quiet:
        print(said)
