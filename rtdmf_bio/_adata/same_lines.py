"""The ways to tell that two cell lines are the same, most trusted first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .identity import IDS, Things, contradict, merged
from .line_names import line_name
from .linking import Keys, Links, Step, link, places

LINE_KINDS = tuple(IDS["lines"])


def id_keys(things: Things, kind: str) -> Keys:
    """Identifiers of one kind, of each."""
    return [sorted(ids.get(kind, ())) for ids in things.ids]


def link_lines(
    left: Things,
    right: Things,
    kinds: Sequence[str],
    *,
    between: Sequence[Step] = (),
    many: bool = False,
) -> Links:
    """Match lines by identifiers of these kinds, then by name.

    ``between`` are ways of telling that come after the identifiers that both have.
    """
    left, right = settled(left, right, kinds), settled(right, left, kinds)
    steps = [Step(kind, id_keys(left, kind), id_keys(right, kind), by_id=True) for kind in kinds]
    steps += [step for step in between if step.by_id]
    steps.append(Step("name", left.names, right.names, unique=True))
    if "cosmic_id" in kinds:
        steps += number_steps(left, right, "cosmic_id")
    steps += [step for step in between if not step.by_id]
    steps += _name_steps(left, right)
    return link(
        steps,
        (len(left), len(right)),
        lambda i, j: contradict(left.ids[i], right.ids[j], kinds),
        many=many,
    )


def lines_of(things: Things, kinds: Sequence[str]) -> tuple[Things, list[list[int]]]:
    """Put rows of a table together that are one line, and say which they are.

    They have one name, or one identifier where one of them has no name or both have it.
    """
    of = list(range(len(things)))
    ids = [dict(own) for own in things.ids]
    marks = [
        [*((kind, one) for kind in kinds for one in own.get(kind, ())), *(("", n) for n in names)]
        for own, names in zip(things.ids, things.names, strict=True)
    ]
    keys = [set(_keys(names)) for names in things.names]
    for rows in places(marks).values():
        for row in rows[1:]:
            one, other = of[rows[0]], of[row]
            named = keys[one] & keys[other] or not keys[one] or not keys[other]
            if one != other and named and not contradict(ids[one], ids[other], kinds):
                keys[one] |= keys[other]
                ids[one] = merged([ids[one], ids[other]])
                of = [one if k == other else k for k in of]
    groups = {k: [row for row, own in enumerate(of) if own == k] for k in dict.fromkeys(of)}
    synonyms = things.synonyms or [[]] * len(things)
    joined = Things(
        [_once(name for row in rows for name in things.names[row]) for rows in groups.values()],
        [ids[k] for k in groups],
        [frozenset().union(*(things.numbers[row] for row in rows)) for rows in groups.values()],
        [_once(name for row in rows for name in synonyms[row]) for rows in groups.values()],
    )
    return joined, list(groups.values())


def settled(things: Things, others: Things, kinds: Sequence[str]) -> Things:
    """Leave an identifier that several lines have to the one that has the name of its owner, too.

    Tables of published screens hold such slips: one number at two lines of different names.
    """
    ids = [dict(own) for own in things.ids]
    spelled = [[set(names) for names in one.names] for one in (things, others)]
    keys = [[set(_keys(names)) for names in one.names] for one in (things, others)]

    def owners(rows: Sequence[int], owned: Sequence[int], kind: str) -> list[int]:
        rest = [other for other in kinds if other != kind]
        for mine, yours in (spelled, keys):
            found = [
                k
                for k in rows
                if any(
                    mine[k] & yours[j] and not contradict(ids[k], others.ids[j], rest)
                    for j in owned
                )
            ]
            if len(found) == 1:
                return found
        return []

    for kind in kinds:
        where = places(id_keys(others, kind))
        for one, rows in places(id_keys(things, kind)).items():
            owner = owners(rows, where.get(one, ()), kind) if len(rows) > 1 else []
            for k in set(rows) - set(owner) if owner else ():
                ids[k][kind] = ids[k][kind] - {str(one)}
    return replace(things, ids=ids)


def _keys(names: Iterable[str]) -> list[str]:
    return _once(line_name(name).key for name in names)


def number_steps(left: Things, right: Things, kind: str) -> list[Step]:
    """A name that is a bare number is an identifier where the other side has it as one."""
    ids = [id_keys(things, kind) for things in (left, right)]
    return [
        Step(kind, left.numbers, ids[1], by_id=True, alike=False),
        Step(kind, ids[0], right.numbers, by_id=True, alike=False),
    ]


def _name_steps(left: Things, right: Things) -> list[Step]:
    sides = [
        [[line_name(name) for name in names] for names in things.names] for things in (left, right)
    ]
    also = [
        [_keys(names) for names in things.synonyms or [[]] * len(things)]
        for things in (left, right)
    ]

    def step(part: str, *, alike: bool = False) -> Step:
        keys = [[_once(getattr(one, part) for one in names) for names in side] for side in sides]
        return Step("normalised name", keys[0], keys[1], unique=True, alike=alike)

    steps = [step("whole"), step("key", alike=True), step("unmarked")]
    if any(map(any, also)):
        keys = [
            [_once([*(one.key for one in names), *more]) for names, more in zip(*pair, strict=True)]
            for pair in zip(sides, also, strict=True)
        ]
        steps.append(Step("normalised name", keys[0], keys[1], unique=True, alike=False))
    return steps


def _once(keys: Iterable[str]) -> list[str]:
    return [key for key in dict.fromkeys(keys) if key]
