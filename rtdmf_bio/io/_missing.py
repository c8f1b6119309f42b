"""Cells to numbers, of which some are missing and some are bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from ..model.blanks import MISSING_NAMES as MISSING_NAMES

# What a spreadsheet shows where nothing could be computed.
_ERRORS = {"#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!"}
_NUMBER = r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?"
_BOUND = re.compile(rf"(?P<side>[<>]=?)?\s*(?P<number>{_NUMBER})", re.I)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")
# Minus signs and comparisons as word processors and spreadsheets write them.
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\uff1c": "<", "\uff1e": ">", "\u2264": "<",
                        "\u2265": ">", "\u00a0": " ", "\u202f": " "})  # fmt: skip


class Missing:
    """What stands for "not measured" in a cell."""

    def __init__(self, extra: str | float | Iterable[str | float]) -> None:
        single = isinstance(extra, str) or not isinstance(extra, Iterable)
        given = [extra] if single else list(extra)  # type: ignore[arg-type]
        self.texts = MISSING_NAMES | _ERRORS | {str(item).strip() for item in given}
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

    def is_missing(self, cell: object) -> bool:
        """Whether a cell says nothing."""
        with suppress(TypeError, ValueError):
            return bool(np.isnan(self.number(cell)))
        return False

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


def with_comma(texts: Iterable[str], others: np.ndarray) -> bool | None:
    """Whether commas in numbers are decimal, by all that have one and by the other numbers.

    None if that cannot be told: 1,234 may be either, and points show that commas are something
    else.
    """
    found = [text for text in map(plain, texts) if "," in text and _BOUND.fullmatch(text)]
    if not found:
        return False
    pointed = bool((others[np.isfinite(others)] % 1 != 0).any())
    both = any("." in text for text in found)
    return None if pointed or both or all(map(_THOUSANDS.fullmatch, found)) else True


def plain(text: str) -> str:
    """Signs as a computer writes them."""
    return text.strip().translate(_SIGNS)


def bound(cell: object, comma: bool | None) -> tuple[float, int] | None:
    """Read a number written in another way, and the side that the true value lies on.

    1 for ``>8``, -1 for ``<0.01``, 0 for a number; None if it is neither.
    """
    match = _BOUND.fullmatch(plain(cell)) if isinstance(cell, str) else None
    if match is None:
        return None
    number = match["number"]
    if "," in number:
        if not comma:
            return None
        number = number.replace(",", ".")
    side = {">": 1, "<": -1}.get((match["side"] or "")[:1], 0)
    return float(number), side
