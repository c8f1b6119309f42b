"""Who of two lists is the same, by one way of telling after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Keys = Sequence[Collection[Hashable]]
"""What each of a list can be known by."""


class Step(NamedTuple):
    """One way of telling."""

    how: str
    left: Keys
    right: Keys
    unique: bool = False
    """Only where one on each side has the key. Of several the first is taken otherwise."""
    by_id: bool = False
    """Whoever is matched does not make a name ambiguous in later steps."""
    suits: Callable[[int, int], bool] | None = None
    """Pairs that may be the same; None: all."""
    joins: bool = True
    """Whether pairs are the same, or it is only not clear whether they are."""
    alike: bool = True
    """Whether one whose like is taken is a duplicate of it."""


@dataclass
class Links:
    """Who is who, and why the others are nobody."""

    partner: dict[int, int] = field(default_factory=dict)
    """Left -> right."""
    how: dict[int, str] = field(default_factory=dict)
    unclear: set[tuple[int, int]] = field(default_factory=set)
    """Pairs that may be the same, among others."""
    why: tuple[dict[int, str], dict[int, str]] = field(default_factory=lambda: ({}, {}))
    """Of those without a partner: ambiguous, contradicted, duplicate or none."""


def link(
    steps: Sequence[Step],
    sizes: tuple[int, int],
    contradict: Callable[[int, int], bool],
    *,
    many: bool = False,
) -> Links:
    """Match two lists; with ``many``, several on the left may have one partner."""
    out = Links()
    known: tuple[set[int], set[int]] = (set(), set())  # by their identifiers
    for step in steps:
        if step.unique:
            pairs = _unique(step, out, known, contradict, many)
        else:
            pairs = _first(step, out, contradict, many)
        for i, j in pairs:
            out.partner[i], out.how[i] = j, step.how
            if step.by_id:
                known[0].add(i)
                if not many:
                    known[1].add(j)
    _say_why(steps, sizes, out, contradict)
    return out


def places(keys: Keys) -> dict[Hashable, list[int]]:
    """Return who has each key."""
    found: dict[Hashable, list[int]] = {}
    for k, own in enumerate(keys):
        for key in own:
            found.setdefault(key, []).append(k)
    return found


def _first(
    step: Step, out: Links, contradict: Callable[[int, int], bool], many: bool
) -> list[tuple[int, int]]:
    where, taken = places(step.right), set() if many else set(out.partner.values())
    pairs = []
    for i, keys in enumerate(step.left):
        if i in out.partner:
            continue
        for j in (j for key in keys for j in where.get(key, ())):
            if j not in taken and not contradict(i, j):
                pairs.append((i, j))
                if not many:
                    taken.add(j)
                break
    return pairs


def _unique(
    step: Step,
    out: Links,
    known: tuple[set[int], set[int]],
    contradict: Callable[[int, int], bool],
    many: bool,
) -> list[tuple[int, int]]:
    """Pairs of the only ones with a key; those that are not the only ones are ambiguous."""
    left, right = places(step.left), places(step.right)
    taken = set() if many else set(out.partner.values())
    found: dict[tuple[int, int], bool] = {}  # whether both are the only ones
    for key in left.keys() & right.keys():
        here = [i for i in left[key] if i not in known[0]]
        there = [j for j in right[key] if j not in known[1]]
        for i in here:
            for j in there:
                if i in out.partner or j in taken or contradict(i, j):
                    continue
                if step.suits is None or step.suits(i, j):
                    only = len(here) == len(there) == 1
                    found[i, j] = found.get((i, j), False) or only
    sure = [pair for pair, only in found.items() if only and step.joins]
    times = Counter(i for i, _ in sure), Counter(j for _, j in sure)
    pairs = {(i, j) for i, j in sure if times[0][i] == 1 and (many or times[1][j] == 1)}
    out.unclear |= found.keys() - pairs
    return sorted(pairs)


def _say_why(
    steps: Sequence[Step],
    sizes: tuple[int, int],
    out: Links,
    contradict: Callable[[int, int], bool],
) -> None:
    matched = set(out.partner), set(out.partner.values())
    alike: list[dict[int, list[bool]]] = [{}, {}]  # whether those alike contradict
    for step in steps:
        if not step.alike:
            continue
        right = places(step.right)
        for i, keys in enumerate(step.left):
            for j in (j for key in keys for j in right.get(key, ())):
                if step.suits is not None and not step.suits(i, j):
                    continue
                for side, k in enumerate((i, j)):
                    if k not in matched[side]:
                        alike[side].setdefault(k, []).append(contradict(i, j))
    open_pairs = [(i, j) for i, j in out.unclear if i not in matched[0] and j not in matched[1]]
    for side in (0, 1):
        ambiguous = {pair[side] for pair in open_pairs}
        for k in set(range(sizes[side])) - matched[side]:
            if k in ambiguous:
                out.why[side][k] = "ambiguous"
            elif k in alike[side]:
                all_differ = all(alike[side][k])
                out.why[side][k] = "contradicted" if all_differ else "duplicate"
            else:
                out.why[side][k] = "none"
