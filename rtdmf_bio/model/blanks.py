"""What stands for nothing among labels: one rule for files, columns and lists."""

from __future__ import annotations

from typing import Any

MISSING_NAMES = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "null", "NULL", "None"]
)
"""Texts that are no value and no label, without the blanks around them."""


def is_missing(label: Any) -> bool:
    """Whether a label or a name is none by its type: None, NaN, NaT or pandas.NA."""
    # Only a value that equals itself is a label.
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return bool(label != label)


def cleaned(label: Any) -> Any:
    """Return a label without blanks around it, None where it is none or says so in text."""
    if is_missing(label):
        return None
    if isinstance(label, str):
        text = label.strip()
        return None if text in MISSING_NAMES else text
    return label
