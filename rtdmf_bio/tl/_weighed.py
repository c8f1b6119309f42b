"""The corrected matrix under another weight of the specific part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._adata.inputs import matrix_of, values_of
from .._adata.record import KEY, SPECIFIC, stored
from ..model.checks import check_number
from ..model.parts import General
from ..model.retention import is_measured, is_retained, within_bounds

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def weighed(
    adata: AnnData, specific_weight: float, *, key: str = KEY
) -> NDArray[np.float32 | np.float64]:
    """Weigh general and specific part of a correction anew, without another fit.

    The parts are stored apart, so that one correction can serve several purposes: 1 is the estimate
    of the truth, and puts measured and imputed lines on one scale; lower weights serve comparison
    between laboratories.

    Parameters
    ----------
    adata
        Corrected by :func:`rtdmf_bio.pp.correct`, or a part of it; it is not changed. Not what
        :func:`rtdmf_bio.pp.harmonize` made of replicates, whose parts are those of the first.
    specific_weight
        How much the specific part of a measured entry counts, from 0 to 1.
    key
        The ``key_added`` of the correction.

    Returns
    -------
    Array (n drugs, p lines), dtype and unit of the corrected matrix. Imputed entries, retained ones
    (flag 3) and drugs left as measured (reliability 1) stay as they are, so that this is what
    ``pp.correct`` gives with this ``specific_weight``, but for rounding; unless ``"soft"`` retains
    some in part, or a drug or line has so few measurements that some were in no fold, and are kept
    whole.

    Raises
    ------
    TypeError, ValueError
        If there is no such correction, it was made without ``shrink``, or the weight is not a
        number from 0 to 1.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()[:60, :200].copy()
    >>> rt.pp.correct(adata, progress=False)
    >>> adata.layers["weighed"] = rt.tl.weighed(adata, 0.7)
    """
    result = stored(adata, key)
    retain = result["params"]["retain"]
    check_number("specific_weight", specific_weight, 0.0, 1.0)
    if "shrink" not in retain:
        rules = [str(rule) for rule in np.atleast_1d(retain)]
        raise ValueError(
            f"The correction {key!r} was made with retain={rules}, where nothing is weighed. "
            f"Run rtdmf_bio.pp.correct with 'shrink' among retain."
        )
    level, slope = (adata.obs[f"{key}_{name}"].to_numpy() for name in ("level", "slope"))
    general = General(level, slope, adata.var[f"{key}_sensitivity"].to_numpy())
    whole = general.weighed(specific_weight, result["mean_slope"])
    whole += specific_weight * values_of(adata, f"{key}_{SPECIFIC}")
    corrected = np.asarray(adata.layers[key])
    flag = adata.layers[f"{key}_flag"]
    shrunk = is_measured(flag) & ~is_retained(flag)
    shrunk &= (adata.obs[f"{key}_reliability"].to_numpy() < 1)[:, None]
    marks = result["params"].get("censored")
    if marks is not None and marks in adata.layers:
        whole = within_bounds(
            whole, values_of(adata, result["layer"]), np.asarray(matrix_of(adata, marks))
        )
    return np.where(shrunk, whole, corrected).astype(corrected.dtype)
