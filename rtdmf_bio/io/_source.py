"""A file that is to be recognised, looked at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from .._adata.names import normalised
from ._cells import Table, TextTable, open_table
from ._files import suffix_of

_R = ("rds", "rda", "rdata")


class Source:
    """A file, or a folder, with what its beginning tells.

    Attributes
    ----------
    path
        The file or folder.
    kind
        ``"table"`` (text, Excel or parquet), ``"h5ad"``, ``"zarr"``, ``"r"`` or ``"folder"``.
    header
        Names of the columns of a table; empty of anything else.
    asked
        Names of the options that were given.
    """

    def __init__(self, path: str | os.PathLike[str], options: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._options = options
        self.asked: list[str] = []
        if not self.path.exists():
            raise FileNotFoundError(f"There is no file {self.path}.")
        self.kind = self._kind()

    def _kind(self) -> str:
        suffix = suffix_of(self.path)
        marks = ("zarr.json", ".zgroup", ".zattrs")
        if self.path.is_dir():
            return "zarr" if any((self.path / mark).exists() for mark in marks) else "folder"
        if suffix in _R:
            return "r"
        with open(self.path, "rb") as file:
            head = file.read(8)
        if head.startswith(b"\x89HDF"):
            return "h5ad"
        if suffix in ("h5ad", "h5"):
            raise ValueError(f"{self.path} is no HDF5 file, as its name says. Is it complete?")
        return "zarr" if suffix == "zarr" else "table"

    @cached_property
    def table(self) -> Table:
        """The table; only where `kind` is ``"table"``."""
        keys = ("sep", "encoding", "sheet", "skip_rows")
        return open_table(self.path, **{key: self._options[key] for key in keys})

    def with_table(self, table: Table) -> Source:
        """Return the same source with another table in place of its own."""
        new = Source(self.path, self._options)
        new.kind = "table"
        new.__dict__["table"] = table
        return new

    @cached_property
    def header(self) -> list[str]:
        """Names of the columns."""
        return self.table.header if self.kind == "table" else []

    @cached_property
    def columns(self) -> dict[str, str]:
        """Names of the columns by what they are without case and punctuation."""
        return {normalised(name): name for name in reversed(self.header)}

    def has(self, *names: str) -> bool:
        """Whether there are columns of all these names, however spelled."""
        return all(normalised(name) in self.columns for name in names)

    @cached_property
    def first_names(self) -> list[str]:
        """First cells of the first rows."""
        return [str(row[0]).strip() for row in self.table.sample()] if self.kind == "table" else []

    @property
    def axes(self) -> tuple[list[str], list[str]]:
        """Names down, of the first rows, and across; none of what is too narrow for a matrix."""
        return (self.first_names, self.header[1:]) if len(self.header) > 2 else ([], [])

    @property
    def is_text(self) -> bool:
        """Whether it is a table of text."""
        return self.kind == "table" and isinstance(self.table, TextTable)

    def beside(self, *words: str) -> list[Path]:
        """Other files of the same folder, or in it, with any of these in their names."""
        folder = self.path if self.path.is_dir() else self.path.parent
        return sorted(
            path
            for path in folder.iterdir()
            if path.is_file() and path != self.path and not path.name.startswith(".")
            if any(word in path.name.lower() for word in words)
        )
