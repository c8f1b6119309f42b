"""The columns of ``obs``, ``var`` and other tables, whatever the version of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def is_text(column: pd.Series) -> bool:
    """Whether a column is of the type of text: object, as of old, or a string type; no category.

    Whatever else is in a column of objects counts as text, as anndata takes it.
    """
    return bool(column.dtype == object or issubclass(column.dtype.type, str))
