"""Which names of two screens are the same drug, which the same cell line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from .._adata.drug_names import letters, plain
from .._adata.gdsc import numbers_of_gdsc
from .._adata.identity import is_blank
from .._adata.line_names import line_name
from .._adata.linking import Links
from .._adata.names import normalised
from .._adata.same_drugs import Drug, differ_in_ids, drugs_of, link_drugs
from .._adata.same_lines import link_lines
from .._adata.things import id_columns, kinds_wanted, things_of_screen
from ..model.checks import name_some
from ._crosswalk import bridge
from ._nearest import likeness, nearest

__all__ = ["Matched", "match_drugs", "match_lines", "normalised", "plain"]

Crosswalk: TypeAlias = str | os.PathLike[str] | pd.DataFrame | None
_WHAT = {"lines": ("line_ids", "var"), "drugs": ("drug_ids", "obs")}


class Matched(NamedTuple):
    """Of each screen, one row for each of its rows or columns."""

    a: pd.DataFrame
    b: pd.DataFrame
    differ: Sequence[str] = ()
    """Drugs that are the same by name and have other identifiers."""


def unified(aliases: Any) -> dict[str, str]:
    """Letters of a name -> unified name, from a mapping or a table of two columns."""
    if aliases is None:
        return {}
    if isinstance(aliases, pd.DataFrame):
        if aliases.shape[1] != 2:
            raise ValueError(
                f"aliases must have two columns, name and unified name. It has "
                f"{list(aliases.columns)}."
            )
        aliases = dict(zip(aliases.iloc[:, 0], aliases.iloc[:, 1], strict=True))
    if not isinstance(aliases, Mapping):
        raise TypeError(
            f"aliases must map names to unified names, or be a table of two columns. Got "
            f"{type(aliases).__name__}."
        )
    pairs = {
        letters(str(k)): str(v) for k, v in aliases.items() if not is_blank(k) and not is_blank(v)
    }
    return {k: v for k, v in pairs.items() if k and letters(plain(v))}


def match_drugs(
    a: pd.DataFrame,
    b: pd.DataFrame,
    *,
    aliases: Any = None,
    drug_ids: str | Sequence[str] | None = None,
    of_gdsc: tuple[bool, bool] = (False, False),
    replicates: str = "mean",
) -> Matched:
    """Say of every row of either screen which common name it has, and how it was matched."""
    same = unified(aliases)
    kinds = kinds_wanted("drugs", drug_ids)
    _check_columns((a, b), kinds, drug_ids, "drugs")
    in_columns = kinds
    if drug_ids is None and not numbers_of_gdsc(a, b, of_gdsc):
        in_columns = [kind for kind in kinds if kind != "drug_id"]
    free = drug_ids is not None
    sides = [
        drugs_of(things_of_screen(one, "drugs", in_columns, free=free), kinds, same)
        for one in (a, b)
    ]
    names = [[str(x) for x in one.index] for one in (a, b)]
    links = link_drugs(sides[0], sides[1], kinds)
    if not links.partner:
        raise ValueError(
            _no_shared("drug", names, _drug_keys(names), links, sides)
            + " If some are the same drug, pass aliases={name: unified name}."
        )
    if replicates == "error":
        _refuse_replicates(links, sides, names)
    common = _common_names(links, sides[0], names[0])
    back = {j: i for i, j in links.partner.items()}
    tables = []
    for side, partner in enumerate((links.partner, back)):
        name, how = [""] * len(names[side]), [""] * len(names[side])
        for k, drug in enumerate(sides[side]):
            other = partner.get(k)
            for row in drug.own:
                if other is None:
                    how[row] = links.why[side][k]
                else:
                    pair = (k, other) if side == 0 else (other, k)
                    name[row] = common[pair[0]]
                    known_by = links.how[pair[0]]
                    how[row] = _how(drug, sides[1 - side][other], row, names[side][row], known_by)
        tables.append(_table(names[side], name, how))
    differ = [
        common[i]
        for i, j in links.partner.items()
        if links.how[i] not in kinds and differ_in_ids(sides[0][i], sides[1][j], kinds)
    ]
    return _with_nearest(tables, _drug_keys(names))._replace(differ=differ)


def match_lines(
    a: pd.DataFrame,
    b: pd.DataFrame,
    *,
    line_ids: str | Sequence[str] | None = None,
    crosswalk: Crosswalk = None,
) -> Matched:
    """The same for cell lines, which have no replicates."""
    kinds = kinds_wanted("lines", line_ids)
    _check_columns((a, b), kinds, line_ids, "lines", enough=1 if crosswalk is not None else 2)
    free = line_ids is not None
    sides = [things_of_screen(one, "lines", kinds, free=free) for one in (a, b)]
    names = [[str(x) for x in one.index] for one in (a, b)]
    known = bridge(sides[0], sides[1], kinds, crosswalk)
    links = link_lines(*known.sides, known.kinds, between=known.steps)
    for pair in known.unclear():
        for why, k in zip(links.why, pair, strict=True):
            if all(one in own for own, one in zip(links.why, pair, strict=True)):
                why[k] = "ambiguous"
    if not links.partner:
        raise ValueError(
            _no_shared("cell line", names, _line_keys(names), links, names)
            + " Compare the names (var_names), or give both screens a column of identifiers, such "
            "as var['cosmic_id'], or pass a table that has those of both as crosswalk."
        )
    back = {j: i for i, j in links.partner.items()}
    how_b = {j: known.how(1, j, links.how[i]) for j, i in back.items()}
    how_a = {i: known.how(0, i, how) for i, how in links.how.items()}
    tables = [
        _table(
            names[0],
            [name if i in how_a else "" for i, name in enumerate(names[0])],
            [how_a.get(i) or links.why[0][i] for i in range(len(names[0]))],
        ),
        _table(
            names[1],
            [names[0][back[j]] if j in back else "" for j in range(len(names[1]))],
            [how_b.get(j) or links.why[1][j] for j in range(len(names[1]))],
        ),
    ]
    return _with_nearest(tables, _line_keys(names))


def _check_columns(
    frames: Sequence[pd.DataFrame],
    kinds: Sequence[str],
    given: str | Sequence[str] | None,
    what: str,
    *,
    enough: int = 2,
) -> None:
    """Refuse a kind of identifier that was asked for and that a screen has not."""
    if given is None:
        return
    parameter, where = _WHAT[what]
    for name, kind in zip([given] if isinstance(given, str) else given, kinds, strict=True):
        having = [
            bool(id_columns(frame, what, [kind]))
            or any(ids.get(kind) for ids in things_of_screen(frame[[]], what, [kind]).ids)
            for frame in frames
        ]
        if sum(having) < enough:
            raise ValueError(
                f"{parameter}={name!r} is not a column of both screens. They have "
                f"{list(frames[0].columns)} and {list(frames[1].columns)} in {where}."
            )


def _how(drug: Drug, other: Drug, row: int, name: str, how: str) -> str:
    """How one row is known to be the other drug."""
    if how not in ("name", "normalised name"):
        return how
    if name in other.names:
        return "name"
    alike = drug.own[row].base in {one.base for one in other.own.values()}
    return "alias" if not alike and (drug.aliased or other.aliased) else "normalised name"


def _common_names(links: Links, drugs: Sequence[Drug], names: Sequence[str]) -> dict[int, str]:
    """Names in the first screen; of replicates that of the drug, unless another has it."""
    out: dict[int, str] = {}
    owner = {name: k for k, drug in enumerate(drugs) for row in drug.own for name in [names[row]]}
    for k in links.partner:
        rows = list(drugs[k].own)
        bare = drugs[k].own[rows[0]].text
        free = owner.get(bare, k) == k and bare not in out.values()
        out[k] = bare if len(rows) > 1 and free else names[rows[0]]
    return out


def _table(original: Sequence[str], name: Sequence[str], how: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({"original": list(original), "name": list(name), "how": list(how)})


def _with_nearest(tables: Sequence[pd.DataFrame], keys: Sequence[Sequence[str]]) -> Matched:
    """Add to each row that is not shared the most similar one of the other screen, if any is.

    One that is not shared, either, comes before one that is.
    """
    free = [[k for k, name in enumerate(table["name"]) if not name] for table in tables]
    for side in (0, 1):
        other, found = 1 - side, [""] * len(tables[side])
        for pool in (free[other], range(len(tables[other]))):
            ask = [k for k in free[side] if not found[k]]
            near = nearest([keys[side][k] for k in ask], [keys[other][j] for j in pool])
            for k, j in zip(ask, near, strict=True):
                if j >= 0:
                    found[k] = tables[other]["original"].iloc[pool[j]]
        tables[side]["nearest"] = found
    return Matched(*tables)


def _line_keys(names: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[line_name(name).key for name in one] for one in names]


def _drug_keys(names: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[normalised(plain(name)) for name in one] for one in names]


def _left_out(links: Links, sides: Sequence[Sequence[Any]], why: str) -> list[str]:
    """Names of those that were left out for this reason."""
    found: list[str] = []
    for side, said in zip(sides, links.why, strict=True):
        for k in sorted(k for k, one in said.items() if one == why):
            found += [side[k]] if isinstance(side[k], str) else side[k].names
    return list(dict.fromkeys(found))


def _refuse_replicates(
    links: Links, sides: Sequence[Sequence[Drug]], names: Sequence[Sequence[str]]
) -> None:
    shared = list(links.partner.keys()), list(links.partner.values())
    for which, side, matched, own in zip(("first", "second"), sides, shared, names, strict=True):
        several = sorted(row for k in matched if len(side[k].own) > 1 for row in side[k].own)
        if several:
            raise ValueError(
                f"{len(several)} rows of the {which} screen are replicates of the same drugs: "
                f"{name_some([own[row] for row in several])}. Keep one of each, or pass "
                f"replicates='mean'."
            )


def _no_shared(
    what: str,
    names: Sequence[Sequence[str]],
    keys: Sequence[Sequence[str]],
    links: Links,
    sides: Sequence[Sequence[Any]],
) -> str:
    """Name the most similar pairs, which may be the same under two names."""
    loose = what == "drug"
    near = nearest(keys[0], keys[1], loose=loose)
    pairs = [
        (-likeness(keys[0][i], keys[1][j], loose=loose), f"{names[0][i]} / {names[1][j]}")
        for i, j in enumerate(near)
        if j >= 0
    ]
    text = (
        f"The screens share no {what}: none of {name_some(names[0])} is among "
        f"{name_some(names[1])}."
    )
    if left := _left_out(links, sides, "ambiguous"):
        text += f" Ambiguous, and so not matched: {name_some(left)}."
    if left := _left_out(links, sides, "contradicted"):
        text += f" Contradicted by their identifiers: {name_some(left)}."
    if pairs:
        text += f" Nearest: {name_some([text for _, text in sorted(pairs)])}."
    return text
