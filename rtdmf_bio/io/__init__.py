"""Files in, tables and h5ad out; files are replaced whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._files import TABLE_SUFFIXES
from ._h5ad import write_h5ad
from ._read import read
from ._registry import formats, register_format
from ._tables import read_frame, read_table, write_table

if TYPE_CHECKING:
    from ._cells import FrameTable
    from ._finish import with_options
    from ._format import Format, LongFormat
    from ._source import Source

__all__ = [
    "TABLE_SUFFIXES",
    "Format",
    "FrameTable",
    "LongFormat",
    "Source",
    "formats",
    "read",
    "read_frame",
    "read_table",
    "register_format",
    "with_options",
    "write_h5ad",
    "write_table",
]


def __getattr__(name: str) -> Any:
    # What formats are made of needs pandas.
    if name in ("Format", "LongFormat"):
        from . import _format

        return getattr(_format, name)
    if name == "with_options":
        from ._finish import with_options

        return with_options
    if name == "FrameTable":
        from ._cells import FrameTable

        return FrameTable
    if name == "Source":
        from ._source import Source

        return Source
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
