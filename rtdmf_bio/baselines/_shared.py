"""What the rivals share: signature, checks of input, and what is taken out before a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model.checks import check_matrix, name_some

Matrix = NDArray[np.float64]
Grid = list[dict[str, Any]]
P = ParamSpec("P")


class Baseline(Protocol[P]):
    """A rival: ``method(X, *, <parameters>)``, and ``method.grid(X)`` of parameters to try."""

    __name__: str
    grid: Callable[[ArrayLike], Grid]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Matrix: ...


def tuned_over(grid: Callable[[Matrix], Grid]) -> Callable[[Callable[P, Matrix]], Baseline[P]]:
    """Attach ``grid`` to a method; it sees the checked matrix."""

    def attach(method: Callable[P, Matrix]) -> Baseline[P]:
        baseline = cast("Baseline[P]", method)
        baseline.grid = lambda X: grid(check(X))
        return baseline

    return attach


def check(X: ArrayLike) -> Matrix:
    """Return a float64 copy of ``X``, NaN where not measured.

    Raises
    ------
    TypeError, ValueError
        As :func:`rtdmf_bio.model.checks.check_matrix`; infinities and unmeasured drugs or lines
        are refused, since every entry of the answer must be finite.
    """
    checked = check_matrix(X, infinite="nan", unmeasured="nan", max_missing=1.0)
    if checked.n_infinite:
        raise ValueError(
            f"The matrix holds {checked.n_infinite} infinite entries. Replace them, by NaN where "
            f"not measured."
        )
    shape = np.shape(X)
    for what, size, kept in (("drug", shape[0], checked.drugs), ("line", shape[1], checked.lines)):
        if kept.size < size:
            lost = [f"index {i}" for i in np.setdiff1d(np.arange(size), kept)]
            raise ValueError(
                f"{len(lost)} {what}(s) without any measurement: {name_some(lost)}. Drop them."
            )
    return checked.data


def hide(data: Matrix, validation: NDArray[np.bool_]) -> Matrix:
    """Return ``data`` with NaN where ``validation`` is True, which must be where it is measured."""
    if validation.dtype != bool or validation.shape != data.shape:
        raise ValueError(
            f"The validation mask must be boolean, of shape {data.shape}. Got {validation.dtype}, "
            f"of shape {validation.shape}."
        )
    unmeasured = int(np.isnan(data[validation]).sum())
    if unmeasured or not validation.any():
        raise ValueError(
            f"The validation mask must mark measured entries, at least one. Got "
            f"{validation.sum()}, of which {unmeasured} are not measured."
        )
    return np.where(validation, np.nan, data)
