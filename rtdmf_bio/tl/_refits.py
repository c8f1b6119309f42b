"""A screen that is corrected again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._adata.inputs import censored_of, check_adata, groups_of, matrix_of, resolve_layer
from .._adata.meaning import check_meaning
from .._adata.measure import measure_label, measure_of
from ..model.checks import check_matrix
from ..model.holdout import holdout_mask

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from ..model.checks import Checked
    from ..model.estimator import RTDMF


@dataclass
class Screen:
    """What repeated fits of one screen need, checked once."""

    params: dict[str, Any]  # of RTDMF, as given
    data: Any  # as stored, for RTDMF
    checked: Checked
    groups: dict[str, list[Any]] | None
    censored: Any
    names: dict[str, Any]
    shape: tuple[int, int]
    layer: str
    measure: str

    @classmethod
    def of(
        cls,
        adata: AnnData,
        caller: str,
        layer: str | None,
        group_key: str | Sequence[str] | None,
        random_state: int,
        model: dict[str, Any],
    ) -> Screen:
        from ..model.estimator import RTDMF
        from ..model.settings import check_names, resolve

        check_adata(adata)
        layer = resolve_layer(adata, layer)
        check_meaning(adata, layer, group_key)
        data, groups = matrix_of(adata, layer), groups_of(adata, group_key)
        known = RTDMF().get_params()
        check_names(model, known, f"{caller}() got", "its own and those of RTDMF")
        params = {**known, **model, "random_state": random_state, "progress": False}
        if isinstance(params["retain"], list):
            params["retain"] = tuple(params["retain"])
        resolve(params)
        names = {"drug_names": adata.obs_names, "line_names": adata.var_names}
        checked = check_matrix(
            data,
            infinite=params["infinite"],
            unmeasured=params["unmeasured"],
            max_missing=params["max_missing"],
            extreme=params["extreme"],
            **names,
        )
        # A layer of which nothing is known is another version of X.
        measure = measure_label(measure_of(adata, layer) or measure_of(adata))
        censored = censored_of(adata, layer)
        return cls(params, data, checked, groups, censored, names, adata.shape, layer, measure)

    def fit(self, data: Any = None, validation: Any = None, **params: Any) -> RTDMF:
        """A fitted RTDMF; what is not given is as the screen has it."""
        from ..model.estimator import RTDMF

        return RTDMF(**{**self.params, **params}).fit(
            self.data if data is None else data,
            groups=self.groups,
            censored=self.censored,
            validation=validation,
            **self.names,
        )

    def full(self, part: NDArray[Any], blank: Any) -> NDArray[Any]:
        """Put what belongs to the drugs and lines measured into the shape of the screen."""
        out = np.full(self.shape, blank, dtype=part.dtype)
        out[np.ix_(self.checked.drugs, self.checked.lines)] = part
        return out

    def drawn(self, share: float, seed: Any) -> NDArray[np.bool_]:
        """Draw entries; for a seed and its validation_fraction, those that RTDMF holds out."""
        observed = np.isfinite(self.checked.data)
        return self.full(holdout_mask(observed, share, np.random.default_rng(seed)), False)

    def two_way_means(self, hidden: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Drug mean + line mean of what is not hidden; NaN for drugs and lines not measured."""
        from ..baselines import two_way_means

        data = self.checked.data
        if hidden is not None:
            seen = ~hidden[np.ix_(self.checked.drugs, self.checked.lines)]
            data = np.where(seen, data, np.nan)
        return self.full(two_way_means(data), np.nan)

    def needs_holdout(self) -> bool:
        from ..model.settings import resolve
        from ..model.stages import Plan

        return Plan.of(resolve(self.params), track_jumps=False, unit=1.0).needs_holdout
