"""Arrays of numpy and pandas as what R has vectors for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

R_INT_NA = int(np.iinfo(np.int32).min)


@dataclass(frozen=True)
class Vector:
    """A vector of R."""

    kind: str
    """R's ``typeof``."""
    values: Any
    """int32 for logical, integer and factors, float64, or str; -2147483648 and None for NA."""
    levels: list[str] | None = None
    """Of a factor."""
    ordered: bool = False


def as_vector(values: Any, what: str) -> Vector:
    """Turn a one-dimensional array into what R has for it, NaN staying as it is.

    Whole numbers become integer if all fit, else double.

    Raises
    ------
    TypeError
        It holds values of a kind that R does not have, or of several; the message names `what`.
    ValueError
        Whole numbers are so large that R would round them.
    """
    if isinstance(values, pd.Categorical):
        codes = np.where(values.codes < 0, R_INT_NA, values.codes.astype(np.int32) + 1)
        levels = [str(level) for level in values.categories]
        return Vector("integer", codes.astype(np.int32), levels, bool(values.ordered))
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("string", "empty"):
        text = np.asarray(values, dtype=object)
        gone = pd.isna(text)
        return Vector(
            "character", [None if na else str(x) for x, na in zip(text, gone, strict=True)]
        )
    if kind not in ("boolean", "integer", "floating", "mixed-integer-float"):
        raise TypeError(f"{what} is {kind}, which R has no vector for. Make it text or numbers.")
    if kind == "integer":
        known = values[~np.asarray(pd.isna(values))]
        largest = max(abs(int(known.min())), abs(int(known.max()))) if len(known) else 0
        if largest > 2**53:
            raise ValueError(f"{what} holds {largest}, which R would round. Make it text.")
        kind = "integer" if largest < 2**31 else "floating"
    if values.dtype == object:
        values = pd.array(values)
    extension = isinstance(values, pd.api.extensions.ExtensionArray)
    if kind in ("boolean", "integer"):
        whole = (
            values.astype("Int32").to_numpy(np.int32, na_value=R_INT_NA) if extension else values
        )
        return Vector("logical" if kind == "boolean" else kind, np.asarray(whole, dtype=np.int32))
    if extension:
        values = values.to_numpy(np.float64, na_value=np.nan)
    return Vector("double", np.asarray(values, dtype=np.float64))
