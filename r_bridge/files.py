"""Files that hold a PharmacoSet: their names, known without looking into one, and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class NoPharmacoSetError(ValueError):
    """The file is sound, and what it holds is no PharmacoSet."""


SUFFIXES = (".rds", ".rda", ".rdata")
"""File name endings of a PharmacoSet, in lower case."""


def companions(dest: Path) -> dict[str, tuple[Path, ...]]:
    """Files that may be written beside `dest`, by what is in them."""
    stem = dest.with_suffix("")
    return {
        part: tuple(stem.with_name(f"{stem.name}_{part}{end}") for end in (".rds", ".csv"))
        for part in ("imputed", "matrix", "experiments")
    }
