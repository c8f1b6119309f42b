"""A table of the identifiers of cell lines, to tell lines that have different kinds of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from .._adata.identity import IDS, NAMES, Things
from .._adata.linking import Links, Step, places
from .._adata.same_lines import link_lines
from .._adata.tables import with_names
from .._adata.things import things_of_table

_KIND = "crosswalk"


@dataclass
class Bridge:
    """Two screens, and what a table says of their lines."""

    sides: tuple[Things, Things]
    kinds: list[str]
    steps: list[Step]
    links: tuple[Links, Links] | None = None
    rows: tuple[list[list[str]], list[list[str]]] = ([], [])
    """Of each line the rows of the table that it has."""

    def how(self, side: int, k: int, how: str) -> str:
        """How a line of one side was matched: by that by which the table has it."""
        return self.links[side].how[k] if self.links and how == _KIND else how

    def unclear(self) -> set[tuple[int, int]]:
        """Pairs of which one could be in the row of the other, or in another one."""
        found = set()
        for side, links in enumerate(self.links or ()):
            where = places(self.rows[1 - side])
            for k, row in links.unclear:
                found |= {(k, j) if side == 0 else (j, k) for j in where.get(str(row), ())}
        return found


def bridge(
    left: Things,
    right: Things,
    kinds: Sequence[str],
    crosswalk: str | os.PathLike[str] | pd.DataFrame | None,
) -> Bridge:
    """Find both screens in the table; lines that are in one row of it are the same.

    Those that only a name leads to the table are matched after names of their own.
    """
    if crosswalk is None:
        return Bridge((left, right), list(kinds), [])
    if isinstance(crosswalk, (str, os.PathLike)):
        from ..io import read_frame

        crosswalk = read_frame(crosswalk)
    table = things_of_table(with_names(crosswalk, "crosswalk"), "lines")
    if sum(map(bool, table.ids)) == 0 and not any(table.names):
        raise ValueError(
            f"crosswalk has no column of identifiers or names of cell lines, such as "
            f"{', '.join(IDS['lines'])} or {', '.join(NAMES['lines'][:3])}."
        )
    sides: list[Things] = []
    links: list[Links] = []
    weak: list[list[list[str]]] = []
    for things in (left, right):
        found = link_lines(things, table, kinds, many=True)
        rows = _rows(things, table, kinds)
        by_id = {i for i in found.partner if found.how[i] in kinds}
        ids = [
            {**own, _KIND: rows[i]} if i in by_id and rows[i] else own
            for i, own in enumerate(things.ids)
        ]
        sides.append(replace(things, ids=ids))
        links.append(found)
        by_name = {i: [str(j)] for i, j in found.partner.items() if i not in by_id}
        weak.append(
            [sorted(rows[i]) if i in by_id else by_name.get(i, []) for i in range(len(things))]
        )
    step = Step(_KIND, weak[0], weak[1], unique=True, alike=False)
    return Bridge(
        (sides[0], sides[1]),
        [*kinds, _KIND],
        [step],
        (links[0], links[1]),
        (weak[0], weak[1]),
    )


def _rows(things: Things, table: Things, kinds: Sequence[str]) -> list[frozenset[str]]:
    """Rows of the table that have an identifier of each line."""
    out: list[set[str]] = [set() for _ in range(len(things))]
    for kind in kinds:
        where = places([ids.get(kind, ()) for ids in table.ids])
        for found, ids, numbers in zip(out, things.ids, things.numbers, strict=True):
            own = ids.get(kind, frozenset()) | (numbers if kind == "cosmic_id" else frozenset())
            found |= {str(j) for one in own for j in where.get(one, ())}
    return [frozenset(found) for found in out]
