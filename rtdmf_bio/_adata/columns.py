"""Text in the columns and names of tables, whatever the version of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def is_text(column: pd.Series | pd.Index) -> bool:
    """Whether a column is of the type of text: object, as of old, or a string type; no category.

    Whatever else is in a column of objects counts as text, as anndata takes it.
    """
    return bool(column.dtype == object or issubclass(column.dtype.type, str))


def with_labels(column: pd.Series) -> pd.Series:
    """Return a column of labels with None where there is none, by the rule that files go by.

    Text, as it is or in categories, loses the blanks around it, and what stands for nothing, such
    as "" or "NA", is missing. Numbers and truth values stay as they are.
    """
    import pandas as pd

    from ..model.blanks import cleaned

    if not is_text(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    labels = [cleaned(label) for label in column]
    return pd.Series(labels, column.index, dtype=object, name=column.name)


def text_dtype() -> Any:
    """Type that pandas gives to text: object, from 3 on str."""
    import pandas as pd

    return pd.Index(["text"]).dtype


def labels_of(column: pd.Series) -> NDArray[np.str_]:
    """Return a column as an array of nothing but text; what is missing reads "nan" or the like."""
    import numpy as np

    return np.asarray(column.astype(str), dtype=str)
