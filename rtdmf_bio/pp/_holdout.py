"""The AnnData shell around ``model.holdout``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._adata.assign import assign
from .._adata.inputs import check_adata, groups_of, matrix_of, resolve_layer
from ..model.checks import Seed, as_seed, check_choice, check_matrix
from ..model.holdout import BY, split

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def holdout(
    adata: AnnData,
    *,
    layer: str | None = None,
    by: str = "entry",
    group_key: str | Sequence[str] | None = "tissue",
    fractions: tuple[float, float] = (0.15, 0.15),
    key_added: str = "holdout",
    random_state: Seed = 0,
    overwrite: bool = False,
    copy: bool = False,
) -> AnnData | None:
    """Split the measured entries into training, validation and test.

    Every drug and cell line keeps at least two training entries, or all it has. With the same
    arguments, :func:`rtdmf_bio.pp.tune` works on this very split.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``), NaN where not measured.
    layer
        Layer to split instead of ``X``.
    by
        What is held out together, and so which question the held-out error answers:

        ``"entry"``
            Single entries at random: a gap in a screen.
        ``"drug"``
            Chosen drugs lose 80 % of their entries: a drug added lately, tried on few lines. The
            other 20 % (at least two entries) stay in training, since of a drug never measured a
            factorization can say nothing but the means of the lines.
        ``"line"``
            The same for cell lines.
        ``"group"``
            All entries of a drug in a group of lines: a drug never tried in this tissue.
    group_key
        Column of ``adata.var`` for ``by="group"``; with several, their combinations are the
        groups. Lines without a label stay in training. Ignored otherwise.
    fractions
        Shares of the measured entries for validation and for test. Blocks are not cut, so the
        shares are met to within half a block.
    key_added
        Name of the layer.
    random_state
        Seed of the draw; a NumPy Generator or RandomState to draw it from; or None for any.
    overwrite
        Replace a layer of that name.
    copy
        Return a copy with the layer instead of writing to ``adata``.

    Returns
    -------
    None, or the copy. Written is, and nothing else is touched:

    ``layers["holdout"]`` : int8 array (n drugs, p lines)
        -1 not measured (or infinite), 0 training, 1 validation, 2 test.

    Raises
    ------
    TypeError, ValueError
        If the data or a parameter cannot be used, or too few entries can be held out this way.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()
    >>> rt.pp.holdout(adata, by="drug")
    >>> print(f"{(adata.layers['holdout'] == 2).sum() / (adata.layers['holdout'] >= 0).sum():.2f}")
    0.15
    """
    check_adata(adata)
    data = matrix_of(adata, resolve_layer(adata, layer))
    if not isinstance(key_added, str) or not key_added or "/" in key_added:
        raise ValueError(f"key_added must be a name without '/'. Got {key_added!r}.")
    if key_added in adata.layers and not overwrite:
        raise ValueError(
            f"adata already holds layers[{key_added!r}]. Pass overwrite=True to replace it, or "
            f"another key_added."
        )
    checked = check_matrix(data, infinite="nan", unmeasured="nan", max_missing=1.0)
    observed = np.zeros(adata.shape, dtype=bool)
    observed[np.ix_(checked.drugs, checked.lines)] = np.isfinite(checked.data)
    fold = draw(adata, observed, by, group_key, fractions, as_seed(random_state))
    out = adata.copy() if copy else adata
    assign(out, {("layers", key_added): fold})
    return out if copy else None


def draw(
    adata: AnnData,
    observed: NDArray[np.bool_],
    by: str,
    group_key: str | Sequence[str] | None,
    fractions: tuple[float, float],
    random_state: int,
) -> NDArray[np.int8]:
    """Check the arguments and split ``observed``; see ``holdout``."""
    check_choice("by", by, BY)
    _check_fractions(fractions)
    groups = None
    if by == "group":
        named = groups_of(adata, group_key)
        if not named:
            raise ValueError(
                "by='group' needs groups of cell lines: pass group_key, a column of adata.var."
            )
        groups = _codes(named)
    rng = np.random.default_rng(random_state)
    return split(observed, by=by, fractions=fractions, rng=rng, groups=groups)


def _codes(named: dict[str, list[Any]]) -> NDArray[np.intp]:
    """One number per combination of labels, -1 where one is missing."""
    table = pd.DataFrame(named)
    codes = table.groupby(list(table), sort=False, observed=True, dropna=True).ngroup()
    return np.asarray(codes.fillna(-1), dtype=np.intp)


def _check_fractions(fractions: Any) -> None:
    try:
        validation, test = (float(f) for f in fractions)
        good = validation > 0 and test > 0 and validation + test < 1
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"The fractions parameter must be two numbers above 0, for validation and test, with "
            f"a sum below 1. Got {fractions!r}."
        )
