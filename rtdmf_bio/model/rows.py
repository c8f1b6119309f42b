"""Entrywise work on a large matrix, some rows at a time.

A formula of a dozen operations on a whole screen reads and writes as many matrices from memory; on
a few rows at a time, what lies between stays in the cache of the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

_ENTRIES = 2**16  # at a time: a few of such matrices fit a core's cache
_WHOLE = 2**18  # entries up to which all rows are taken at once
LIGHT = 2**20  # the same of a formula of two or three operations


def by_rows(
    formula: Callable[..., tuple[Tensor, ...]], *parts: Tensor, upto: int | None = None
) -> tuple[Tensor, ...]:
    """What ``formula`` makes of the rows: matrices (n, p).

    Parameters
    ----------
    formula
        Takes the parts, or some rows of them, and returns matrices with as many rows.
    parts
        Matrices (n, p), columns (n, 1) and rows (1, p), of which the last are given whole.
    upto
        Entries up to which all rows are taken at once.
    """
    blocks = list(_blocks(parts, _WHOLE if upto is None else upto))
    if len(blocks) == 1:
        return formula(*parts)
    out: tuple[Tensor, ...] = ()
    for block in blocks:
        made = formula(*_some(parts, block))
        if not out:
            n = len(parts[0])
            out = tuple(matrix.new_empty(n, matrix.shape[1]) for matrix in made)
        for whole, matrix in zip(out, made, strict=True):
            whole[block] = matrix
    return out


def some_rows(n: int, k: int) -> Tensor:
    """The numbers of ``k`` of ``n`` rows, or of all, drawn alike every time, in their order."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:k].sort().values


def _blocks(parts: tuple[Tensor, ...], upto: int) -> Iterator[slice]:
    n, p = parts[0].shape
    all_at_once = parts[0].device.type != "cpu" or n * p <= upto
    step = n if all_at_once else max(_ENTRIES // p, 1)
    return (slice(i, i + step) for i in range(0, n, step))


def _some(parts: tuple[Tensor, ...], block: slice) -> Iterator[Tensor]:
    n = len(parts[0])
    return (part[block] if len(part) == n else part for part in parts)
