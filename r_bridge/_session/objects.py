"""AnnData in the R session that rpy2 runs, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from rtdmf_bio._adata.columns import text_dtype
from rtdmf_bio._adata.layers import named_layers
from rtdmf_bio._adata.measure import as_mapping, measure_of
from rtdmf_bio.model.checks import check_choice

from .._nodes import by_rpy2 as r
from .._nodes.node import ATOMIC, column, settings
from .._nodes.vector import as_vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._nodes.node import Node

_LACKING = (
    "The R package SummarizedExperiment is not installed. In R: "
    "BiocManager::install('SummarizedExperiment'); on Debian: apt-get install "
    "r-bioc-summarizedexperiment."
)


def to_r(adata: AnnData, *, as_: Literal["auto", "SummarizedExperiment", "list"] = "auto") -> Any:
    """Hand an AnnData to the R session that rpy2 runs.

    Values travel by memory. Nothing is assigned in R: give the result a name there, or pass it to
    functions of R, in either interface of rpy2.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``). It is not changed.
    as_
        ``"SummarizedExperiment"``; ``"list"``, base R's ``list(assays=, rowData=, colData=,
        metadata=)``; ``"auto"``: the former if R has the package, which takes seconds to load.

    Returns
    -------
    R object of ``rpy2.rinterface``, drugs in rows and cell lines in columns, with

    ``assays`` : matrices with the names of drugs and lines
        ``X`` under the name in ``uns["measure"]``, or else ``"X"``, then the layers. Floating
        point becomes double, whole numbers integer if all fit, else double, bool logical.
    ``rowData``, ``colData`` : ``obs`` and ``var``
        Likewise; categorical becomes factor with the same order of levels.
    ``metadata`` : list
        ``measure``, from ``uns["measure"]``, and ``enrichment``, a data.frame, from
        ``uns["rtdmf"]``, if they are there.

    Missing is NA, never NaN. Left out are the rest of ``uns`` (and what in ``uns["measure"]`` is no
    text, number, bool or sequence of them), ``obsm``, ``varm``, ``obsp``, ``varp`` and ``raw``.

    Raises
    ------
    ImportError
        rpy2 or R is not installed, or SummarizedExperiment, if that is asked for.
    TypeError
        `adata` is no AnnData; a matrix is sparse, masked or on disk; values are of a kind that R
        does not have, or of several.
    ValueError
        Names of drugs, lines, columns or assays repeat; there is no ``X``; whole numbers are so
        large that R would round them; text holds NUL.

    Examples
    --------
    >>> rpy2.robjects.globalenv["se"] = r_bridge.to_r(adata)  # doctest: +SKIP
    """
    check_choice("as_", as_, ("auto", "SummarizedExperiment", "list"))
    if not isinstance(adata, AnnData):
        raise TypeError(f"to_r takes an AnnData. Got {type(adata).__name__} instead.")
    as_se = as_ != "list" and _has_package()
    if as_ == "SummarizedExperiment" and not as_se:
        raise ImportError(f"{_LACKING} Or pass as_='list'.")
    if adata.X is None:
        raise ValueError("adata.X is empty. Put the measure there, such as one of the layers.")
    measure = measure_of(adata)
    enrichment = as_mapping(adata.uns.get("rtdmf")).get("enrichment")
    matrices = [(str(measure.get("name") or "X"), adata.X), *named_layers(adata).items()]
    _unique("assays, of X by its measure and of the layers,", [name for name, _ in matrices])
    try:
        metadata = {}
        if measure:
            known = {str(key): _setting_to_r(value) for key, value in measure.items()}
            metadata["measure"] = r.named({k: v for k, v in known.items() if v is not None})
        if isinstance(enrichment, pd.DataFrame):
            metadata["enrichment"] = _frame_to_r(enrichment, "rows", "enrichment")
        packed, _ = r.call(
            "pack",
            r.named({name: _matrix_to_r(matrix, name) for name, matrix in matrices}),
            _frame_to_r(adata.obs, "drugs", "obs"),
            _frame_to_r(adata.var, "cell lines", "var"),
            r.named(metadata),
            r.logical(as_se),
        )
    except r.RError as error:
        raise ValueError(f"R does not take these data: {error}") from error
    return packed


def from_r(obj: Any, *, measure: str | Mapping[str, Any] | None = None) -> AnnData:
    """Take a SummarizedExperiment or a matrix out of the R session that rpy2 runs.

    What `to_r` made comes back equal, but that floating point is float64, whole numbers are int32,
    categories are text, and columns are nullable only where something is missing.

    Parameters
    ----------
    obj
        R object of rpy2, drugs in rows: a SummarizedExperiment, a list such as `to_r` makes, of
        which ``assays`` are enough, or a numeric, integer or logical matrix.
    measure
        What the values are: name of the measure, or a mapping for ``uns["measure"]`` such as
        ``{"name": "auc", "higher_is": "resistant"}``. It goes before ``metadata$measure``, of
        which nothing is kept if its name is another.

    Returns
    -------
    AnnData, drugs (``obs``) x cell lines (``var``), with

    ``X`` : array (n drugs, p lines)
        The assay named like the measure, else the first. Double is float64, bit by bit, but NaN
        for NA; integer is int32 and logical bool, but float64 if something is NA.
    ``layers`` : the other assays
    ``obs``, ``var`` : ``rowData`` and ``colData``
        A factor is categorical with the same levels; integer and logical with NA are nullable;
        missing text is None, or NaN in pandas 3; dates are text. Columns that are no plain vectors
        are left out.
    ``uns["measure"]`` : dict
        As given, or of ``metadata$measure``, or else with the name of ``X``, unless it is "X".
    ``uns["rtdmf"]["enrichment"]`` : DataFrame, from ``metadata$enrichment``

    Raises
    ------
    ImportError
        rpy2 or R is not installed, or SummarizedExperiment, if `obj` is one.
    TypeError
        `obj` is nothing of the above.
    ValueError
        Rows or columns have no names (none are invented: drugs and lines are found by name), or
        several have one; assays or tables do not fit together; an assay is not of numbers, or has
        no name as layer; several assays, and none is named like the given `measure`.
    """
    ri = r.session()
    wanted = "Pass a SummarizedExperiment, a list like that of to_r, or a matrix of numbers."
    if not isinstance(obj, ri.Sexp):
        raise TypeError(f"from_r takes R objects of rpy2. Got {type(obj).__name__}. {wanted}")
    kind = "/".join(obj.rclass)
    if kind.endswith("SummarizedExperiment") and not _has_package():
        raise ImportError(_LACKING)
    typeof = r.RNode(obj).kind
    # R would evaluate code that is handed to a function.
    data = obj if typeof in (*ATOMIC, "list", "S4") else ri.NULL
    try:
        parts: Any = r.RNode(r.call("unpack", data)[0])
    except r.RError as error:
        raise ValueError(str(error)) from error
    if parts.kind == "NULL":
        raise TypeError(f"from_r cannot use an R object of class {kind} ({typeof}). {wanted}")

    return adata_of(parts, measure)


def adata_of(parts: Node, measure: str | Mapping[str, Any] | None = None) -> AnnData:
    """Put together what ``unpack`` in R took apart; errors are those of `from_r`."""
    assays: Any = parts.item("assays")
    names: list[Any] = assays.names or [""] * len(assays)
    known = settings(parts.item("measure"))
    given = {"name": measure} if isinstance(measure, str) else dict(measure or {})
    if given.get("name", known.get("name")) == known.get("name"):
        given = {**known, **given}
    name = given.get("name")
    if measure is not None and name and name not in names and len(names) > 1:
        raise ValueError(f"There is no assay {name!r}, only {names}.")
    first = names.index(name) if name in names else 0
    if not name and names[first] not in ("", "X"):
        given["name"] = names[first]
    layers = names[:first] + names[first + 1 :]
    if not all(layers):
        raise ValueError("An assay has no name, which it needs as a layer. Name the assays.")
    _unique("assays", names)
    drugs, lines = _index(parts.item("rows")), _index(parts.item("columns"))
    matrices = [_matrix(assays.item(i), (len(drugs), len(lines))) for i in range(len(names))]
    adata = AnnData(
        matrices.pop(first),
        obs=_frame(parts.item("rowData"), drugs),
        var=_frame(parts.item("colData"), lines),
        layers=dict(zip(layers, matrices, strict=True)),
    )
    if given:
        adata.uns["measure"] = given
    enrichment = parts.item("enrichment")
    if enrichment is not None:
        rows = _index(parts.item("enrichment_rows"))
        adata.uns["rtdmf"] = {"enrichment": _frame(enrichment, rows)}
    return adata


def _has_package() -> bool:
    return bool(r.RNode(r.call("can_load", r.strings(["SummarizedExperiment"]))[0]).values()[0])


def _unique(what: str, names: Any) -> list[str]:
    index = pd.Index([None if pd.isna(name) else str(name) for name in names], dtype=object)
    if index.has_duplicates or index.hasnans:
        twice = index[index.duplicated() | index.isna()].unique().tolist()
        raise ValueError(f"The {what} need a name each. Rename {twice[:3]}.")
    return index.tolist()  # type: ignore[no-any-return]


def _matrix_to_r(matrix: Any, name: str) -> Any:
    plain = isinstance(matrix, np.ndarray) and not isinstance(matrix, np.ma.MaskedArray)
    if not plain or matrix.dtype.kind not in "biuf":
        raise TypeError(
            f"The assay {name!r} is a {type(matrix).__name__} of {getattr(matrix, 'dtype', '')}. "
            "Pass a plain array of numbers with NaN for missing ones (a blank of a sparse matrix "
            "means zero); if adata is backed, adata.to_memory()."
        )
    return _vector(np.asarray(matrix).ravel(order="F"), f"The assay {name!r}")


def _frame_to_r(frame: pd.DataFrame, rows: str, what: str) -> Any:
    columns = {
        name: _vector(frame.iloc[:, i].values, f"{what}[{name!r}]")
        for i, name in enumerate(_unique(f"columns of {what}", frame.columns))
    }
    return r.call("as_frame", r.named(columns), r.strings(_unique(rows, frame.index)))[0]


def _setting_to_r(value: Any) -> Any:
    """Vector of an entry of ``uns["measure"]``, None if R has nothing like it."""
    try:
        array = np.atleast_1d(np.asarray(value))
        return _vector(array, "") if array.ndim == 1 else None
    except (TypeError, ValueError):
        return None


def _vector(values: Any, what: str) -> Any:
    """Hand over a one-dimensional array of numpy or pandas."""
    vector = as_vector(values, what)
    if vector.levels is not None:
        levels = r.strings(_unique(f"levels of {what}", vector.levels))
        codes, ordered = r.integers(vector.values), r.logical(vector.ordered)
        return r.call("as_factor", codes, levels, ordered)[0]
    if vector.kind == "character":
        return r.strings(vector.values)
    if vector.kind == "double":
        return r.doubles(vector.values)
    whole = r.integers(vector.values)
    return whole if vector.kind == "integer" else r.session().baseenv["as.logical"](whole)


def _index(node: Any) -> pd.Index:
    return pd.Index([] if node is None else node.values(), dtype=text_dtype())


def _matrix(node: Any, shape: tuple[int, int]) -> NDArray[Any]:
    values = node.values()
    if isinstance(values, pd.api.extensions.ExtensionArray):
        values = values.to_numpy(np.float64, na_value=np.nan)
    if values.dtype == np.float64:
        values = np.where(np.isnan(values), np.nan, values)  # R's NA is a signalling NaN.
    return np.ascontiguousarray(values.reshape(shape, order="F"))


def _frame(node: Any, index: pd.Index) -> pd.DataFrame:
    data = {}
    for name in [] if node is None else node.names:
        values = column(node, name)
        if values is not None:
            data[name] = values
    return pd.DataFrame(data, index=index)
