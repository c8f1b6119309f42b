"""Entrywise work on a large matrix, some rows at a time.

A formula of a dozen operations on a whole screen reads and writes as many matrices from memory; on
a few rows at a time, what lies between stays in the cache of the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

_WHOLE, _ENTRIES = 2**18, 2**16  # up to so many at once; and so many at a time beyond that


def by_rows(formula: Callable[..., tuple[Tensor, ...]], *parts: Tensor) -> tuple[Tensor, ...]:
    """What ``formula`` makes of the rows: matrices (n, p).

    Parameters
    ----------
    formula
        Takes the parts, or some rows of them, and returns matrices with as many rows.
    parts
        Matrices (n, p), columns (n, 1) and rows (1, p), of which the last are given whole.
    """
    blocks = list(_blocks(parts))
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


def _blocks(parts: tuple[Tensor, ...]) -> Iterator[slice]:
    n, p = parts[0].shape
    whole = parts[0].device.type != "cpu" or n * p <= _WHOLE
    step = n if whole else max(_ENTRIES // p, 1)
    return (slice(i, i + step) for i in range(0, n, step))


def _some(parts: tuple[Tensor, ...], block: slice) -> Iterator[Tensor]:
    n = len(parts[0])
    return (part[block] if len(part) == n else part for part in parts)
