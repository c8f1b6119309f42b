"""Tables in, tables and h5ad out; files are replaced whole or not at all."""

from __future__ import annotations

from ._files import TABLE_SUFFIXES
from ._h5ad import write_h5ad
from ._tables import read_table, write_table

__all__ = ["TABLE_SUFFIXES", "read_table", "write_h5ad", "write_table"]
