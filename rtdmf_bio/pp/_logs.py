"""Concentrations on a logarithmic scale, on which their errors are alike."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .._adata.assign import assign
from .._adata.inputs import REPLICATE_SD, check_adata, matrix_of, resolve_layer
from .._adata.meaning import kind_of, refuse_logarithms
from .._adata.measure import KINDS, as_mapping, measure_of, micromolar_of, without_unit
from ..model.checks import as_numbers
from ..model.extremes import codes

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_KIND = "ln_ic50"


def log_concentrations(
    adata: AnnData, *, layer: str | None = None, copy: bool = False
) -> AnnData | None:
    """Take natural logarithms of concentrations, such as IC50, GI50 or EC50.

    On a linear scale errors grow with the value, and a few resistant lines decide everything; on a
    logarithmic one they are alike, as a correction takes them to be. The exponential of the result,
    or of what is corrected from it, is in uM.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``), NaN where not measured. The unit is read from
        ``adata.uns["measure"]["unit"]`` (``"uM"``, ``"nM"``, ``"mM"``, ``"pM"`` or ``"M"``),
        else from its name, such as ``"IC50_nM"``; without either values are taken for uM.
    layer
        Layer to take; None or ``"X"``: ``X``.
    copy
        Return a copy with logarithms instead of writing to ``adata``.

    Returns
    -------
    None, or the copy. Written are, and nothing else is touched:

    ``X``, or the layer : array (n drugs, p lines), dtype of the input if that is floating
        ln of the concentration in uM, NaN where not measured; infinite ones stay infinite.
    ``uns["measure"]``, or ``uns["layer_measures"][layer]`` : dict
        With ``ln_`` before its name, ``kind`` ``"ln_ic50"``, ``unit`` ``"ln uM"``, open bounds, the
        direction as it was (resistant if there was none), and the unit before as ``linear_unit``.

    ``layers["censored"]`` stays as it is, since a bound of a value is that of its logarithm.
    ``obs["replicate_sd"]``, the noise of linear values that readers leave, is deleted.

    Raises
    ------
    TypeError
        If this is no AnnData, or the matrix no numbers.
    ValueError
        If values are 0 or less, which no concentration is, or a code for missing ones, or the
        measure is none of a concentration, its unit is not understood or contradicts its name, or
        the values look like logarithms already.

    Warns
    -----
    UserWarning
        If ``obs["replicate_sd"]`` is deleted.

    Examples
    --------
    >>> import numpy as np
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.simulate(20, 30)
    >>> adata.X = np.exp(adata.X)
    >>> adata.uns["measure"] = {"name": "IC50", "unit": "nM", "higher_is": "resistant"}
    >>> rt.pp.log_concentrations(adata)
    >>> adata.uns["measure"]["name"], adata.uns["measure"]["unit"]
    ('ln_IC50', 'ln uM')
    """
    check_adata(adata)
    layer = resolve_layer(adata, layer)
    values, measure = logarithms(adata, layer)
    out = adata.copy() if copy else adata
    if layer == "X":
        assign(out, {("uns", "measure"): measure})
        out.X = values
        if REPLICATE_SD in out.obs:
            warnings.warn(
                f"adata.obs[{REPLICATE_SD!r}] is deleted: it is the noise of the linear values. Of "
                f"experiments read as logarithms the noise is told anew.",
                UserWarning,
                stacklevel=2,
            )
            del out.obs[REPLICATE_SD]
    else:
        measures = {**as_mapping(out.uns.get("layer_measures")), layer: measure}
        assign(out, {("uns", "layer_measures"): measures, ("layers", layer): values})
    return out if copy else None


def logarithms(adata: AnnData, layer: str) -> tuple[NDArray[Any], dict[str, Any]]:
    """Ln of a matrix of concentrations, in uM, and what it measures.

    Raises
    ------
    ValueError
        As :func:`log_concentrations`.
    """
    measure = measure_of(adata, layer)
    kind = kind_of(measure)
    if kind is not None and not KINDS[kind].linear:
        raise ValueError(
            f"The measure is stated as {measure.get('name') or kind!r}, of which no logarithms are "
            f"taken: they are of concentrations, such as an IC50. If it is one, say so: "
            f"adata.uns['measure'] = {{'name': 'IC50', 'kind': 'ic50', 'unit': 'uM'}}."
        )
    given = matrix_of(adata, layer)
    values = as_numbers(given)
    bad = np.argwhere(values <= 0)
    if bad.size:
        wrong = values[values <= 0]
        i, j = bad[0]
        raise ValueError(
            f"{len(bad)} of {int(np.isfinite(values).sum())} values are no concentrations: "
            f"{int((wrong == 0).sum())} are 0, {int((wrong < 0).sum())} below, down to "
            f"{wrong.min():.4g}; the first is that of drug {adata.obs_names[i]!r}, cell line "
            f"{adata.var_names[j]!r}. Where nothing was measured, set them to NaN. What lies "
            f"below the smallest dose gets that dose, and -1 in layers['censored']. If values "
            f"are logarithms already, say so: adata.uns['measure']['kind'] = 'ln_ic50'."
        )
    # Among logarithms they would lie where others do.
    code = next((code for code in codes(values) if code.written), None)
    if code is not None:
        raise ValueError(
            f"{code.count} values are {code.value:.10g}, far from every other (the nearest is "
            f"{code.next:.4g}), which looks like a code for 'not measured'. Set it to NaN: "
            f"adata.X[adata.X == {code.value:.10g}] = numpy.nan."
        )
    factor, unit = micromolar_of(measure)
    stated = str(measure.get("name") or kind or "concentration")
    refuse_logarithms(np.where(np.isinf(values), np.nan, values), stated)
    dtype = getattr(given, "dtype", np.dtype(float))
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    out = np.log(values) + np.log(factor)
    name = stated if unit == "uM" else without_unit(stated)
    found = {**measure, "name": f"ln_{name}", "kind": _KIND, "unit": "ln uM"}
    found.setdefault("higher_is", KINDS[_KIND].higher_is)
    found["bounds"] = [-np.inf, np.inf]
    found["linear_unit"] = unit
    return out.astype(dtype), found
