"""Cells to numbers, of which some are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from ..model.blanks import MISSING_NAMES as MISSING_NAMES


class Missing:
    """What stands for "not measured" in a cell."""

    def __init__(self, extra: str | float | Iterable[str | float]) -> None:
        single = isinstance(extra, str) or not isinstance(extra, Iterable)
        given = [extra] if single else list(extra)  # type: ignore[arg-type]
        self.texts = MISSING_NAMES | {str(item).strip() for item in given}
        self.numbers = []
        for item in given:
            with suppress(ValueError):
                self.numbers.append(float(item))  # type: ignore[arg-type]

    def number(self, cell: object) -> float:
        """Read one cell, NaN if missing. Raises ValueError or TypeError if it is not a number."""
        if isinstance(cell, str):
            text = cell.strip()
            if text in self.texts:
                return np.nan
            if "_" in text:  # float() reads "1_0" as 10
                raise ValueError(text)
            return float(text)
        if isinstance(cell, bool | np.bool_):
            raise TypeError(cell)
        return np.nan if cell is None or cell is pd.NA else float(cell)  # type: ignore[arg-type]

    def read(self, cells: Sequence[object]) -> tuple[np.ndarray, list[int]]:
        """Read each cell as `number` does; also return the places of what is not a number."""
        values = self._plain(cells)
        if values is not None:
            return values, []
        values, bad = np.full(len(cells), np.nan), []
        for k, cell in enumerate(cells):
            try:
                values[k] = self.number(cell)
            except (TypeError, ValueError):
                bad.append(k)
        return values, bad

    def _plain(self, cells: Sequence[object]) -> np.ndarray | None:
        """Read them all at once; None if something is no text, is not a number or has a "_"."""
        for numbers in (self._by_pyarrow, self._by_float):
            with suppress(ImportError, TypeError, ValueError):
                return numbers(cells) if "_" not in "".join(cells) else None  # type: ignore[arg-type]
        return None

    def _by_pyarrow(self, cells: Sequence[object]) -> np.ndarray:
        # Four times as fast as float(), and rounds as it does.
        import pyarrow
        from pyarrow import compute

        texts = pyarrow.array(cells, pyarrow.string())
        missing = compute.is_in(texts, pyarrow.array(list(self.texts)))
        texts = compute.if_else(missing, pyarrow.scalar(None, pyarrow.string()), texts)
        values: np.ndarray = texts.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
        if np.isfinite(values).sum() + texts.null_count < len(cells):
            raise ValueError("NaN may be written as float() refuses it")
        return values

    def _by_float(self, cells: Sequence[object]) -> np.ndarray:
        texts = list(map(str.strip, cells))  # type: ignore[arg-type]
        known = dict.fromkeys(self.texts, np.nan)
        return np.fromiter(map(float, map(known.get, texts, texts)), float, len(texts))
