"""Which names of two screens are the same drug, which the same cell line."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..model.checks import name_some

# How annotation tables spell the two identifiers, without case and punctuation.
ID_SPELLINGS = {
    "cosmic_id": ("cosmicid", "cosmic", "cosmicsampleid"),
    "depmap_id": ("depmapid", "modelid", "depmapmodelid"),
}
_BLANK = {"", "na", "n/a", "nan", "none", "null", "<na>"}
_NONE, _DUPLICATE, _CONTRADICTED = "none", "duplicate", "contradicted"


def normalised(name: Any) -> str:
    """Lower case, letters and digits only, of any alphabet."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", str(name)).casefold())


def plain(name: Any) -> str:
    """Without what follows a name in brackets: ``AZD6482 [156]``, ``Nutlin-3a_(-)``."""
    text = str(name).strip()
    return re.sub(r"[\s_]*(\[[^\[\]]*\]|\([^()]*\))[\s_]*$", "", text) or text


def unified(aliases: Any) -> dict[str, str]:
    """Normalised name -> normalised unified name, from a mapping or a table of two columns."""
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
        normalised(k): normalised(plain(v))
        for k, v in aliases.items()
        if not _blank(k) and not _blank(v)
    }
    return {k: v for k, v in pairs.items() if k and v}


def match_drugs(
    a: Sequence[str], b: Sequence[str], aliases: Any, replicates: str
) -> tuple[pd.DataFrame, ...]:
    """Say of every row of either screen which common name it has, and how it was matched."""
    same = unified(aliases)

    def identity(name: str) -> str:
        key = normalised(plain(name)) or str(name)
        return same.get(normalised(name)) or same.get(key, key)

    keys_a, keys_b = [identity(x) for x in a], [identity(x) for x in b]
    # The first of several rows with one identity.
    twin = dict(zip(reversed(keys_a), reversed(a), strict=True))
    first = dict(zip(reversed(keys_b), reversed(b), strict=True))
    shared = set(keys_a) & set(keys_b)
    if not shared:
        raise ValueError(_no_shared(keys_a, keys_b, a, b))
    if replicates == "error":
        _refuse_replicates(shared, (keys_a, a), (keys_b, b))
    owner = dict(zip(map(str, a), keys_a, strict=True))

    def common_name(key: str) -> str:
        """Without brackets where several rows are one drug, unless another drug has that name."""
        bare = plain(twin[key])
        several = keys_a.count(key) > 1 and owner.get(bare, key) == key
        return bare if several else str(twin[key])

    common = {k: common_name(k) for k in shared}

    def how(name: str, other: str | None) -> str:
        if other is None:
            return _NONE
        if str(name) == str(other):
            return "name"
        return "normalised name" if normalised(plain(name)) == normalised(plain(other)) else "alias"

    return tuple(
        _table(
            names,
            [common.get(k, "") for k in keys],
            [how(x, others.get(k)) for x, k in zip(names, keys, strict=True)],
        )
        for names, keys, others in ((a, keys_a, first), (b, keys_b, twin))
    )


def match_lines(
    a: pd.DataFrame, b: pd.DataFrame, line_ids: str | Sequence[str] | None
) -> tuple[pd.DataFrame, ...]:
    """The same for cell lines: by identifiers, then by name, unless identifiers contradict it."""
    ids = _identifiers(a, b, line_ids)
    names = [[str(x) for x in frame.index] for frame in (a, b)]
    partner: dict[int, int] = {}
    how: dict[int, str] = {}
    steps: list[tuple[str, list[list[str]]]] = [
        *ids.items(),
        ("name", names),
        ("normalised name", [[normalised(x) for x in one] for one in names]),
    ]
    for kind, (of_a, of_b) in steps:
        taken = set(partner.values())
        place: dict[Hashable, int] = {}
        for j, key in enumerate(of_b):
            if key and j not in taken:
                place.setdefault(key, j)
        for i, key in enumerate(of_a):
            j = place.get(key, -1) if key else -1
            if j < 0 or i in partner or j in taken or _contradict(ids, i, j):
                continue
            partner[i], how[i] = j, kind
            taken.add(j)
    if not partner:
        raise ValueError(
            f"The screens share no cell line: none of {name_some(names[0])} is among "
            f"{name_some(names[1])}. Compare the names (var_names), or give both screens a column "
            f"of identifiers, such as var['cosmic_id']."
        )
    back = {j: i for i, j in partner.items()}
    kinds = [kind for _, kind in steps]

    def without(k: int, side: int) -> str:
        """Why a line has no partner: nobody was like it, or who was is taken or contradicts."""
        alike = [
            (k, m)[:: -1 if side else 1]
            for kind in kinds
            if kind[side][k]
            for m, key in enumerate(kind[1 - side])
            if key == kind[side][k]
        ]
        if not alike:
            return _NONE
        return _CONTRADICTED if all(_contradict(ids, *pair) for pair in alike) else _DUPLICATE

    return (
        _table(names[0], [names[0][i] if i in partner else "" for i in range(len(a))],
               [how[i] if i in partner else without(i, 0) for i in range(len(a))]),
        _table(names[1], [names[0][back[j]] if j in back else "" for j in range(len(b))],
               [how[back[j]] if j in back else without(j, 1) for j in range(len(b))]),
    )  # fmt: skip


def _identifiers(
    a: pd.DataFrame, b: pd.DataFrame, line_ids: str | Sequence[str] | None
) -> dict[str, list[list[str]]]:
    out = {}
    if isinstance(line_ids, str):
        line_ids = [line_ids]
    wanted = list(ID_SPELLINGS) if line_ids is None else list(line_ids)
    for kind in wanted:
        spellings = ID_SPELLINGS.get(kind, (normalised(kind),))
        columns = [
            next((c for c in frame.columns if normalised(c) in spellings), None) for frame in (a, b)
        ]
        if None not in columns:
            out[kind] = [
                [_identifier(x) for x in frame[column]]
                for frame, column in zip((a, b), columns, strict=True)
            ]
        elif line_ids is not None:
            raise ValueError(
                f"line_ids={kind!r} is not a column of both screens. They have "
                f"{list(a.columns)} and {list(b.columns)}."
            )
    return out


def _identifier(value: Any) -> str:
    """Identifiers are read as text, whole or floating numbers, and blank in many ways."""
    if _blank(value):
        return ""
    number = isinstance(value, (int, float)) and float(value).is_integer()
    return str(int(value)) if number else re.sub(r"^(\d+)\.0+$", r"\1", str(value).strip())


def _blank(value: Any) -> bool:
    return bool(pd.isna(value)) or str(value).strip().lower() in _BLANK


def _contradict(ids: Mapping[str, list[list[str]]], i: int, j: int) -> bool:
    """Any identifier that both lines have and that differs, as long as none agrees."""
    known = [(a[i], b[j]) for a, b in ids.values() if a[i] and b[j]]
    return bool(known) and all(x != y for x, y in known)


def _table(original: Sequence[str], name: Sequence[str], how: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({"original": [str(x) for x in original], "name": name, "how": how})


def _refuse_replicates(
    shared: Collection[str], *screens: tuple[Sequence[str], Sequence[str]]
) -> None:
    for which, (keys, names) in zip(("first", "second"), screens, strict=True):
        twice = [x for x, k in zip(names, keys, strict=True) if k in shared and keys.count(k) > 1]
        if twice:
            raise ValueError(
                f"{len(twice)} rows of the {which} screen are replicates of the same drugs: "
                f"{name_some(twice)}. Keep one of each, or pass replicates='mean'."
            )


def _no_shared(
    keys_a: Sequence[str], keys_b: Sequence[str], a: Sequence[str], b: Sequence[str]
) -> str:
    """Name the most similar pairs, which may be the same drug under two names."""
    spelled = dict(zip(keys_b, b, strict=True))
    close = []
    for key, name in zip(keys_a, a, strict=True):
        found = difflib.get_close_matches(key, spelled, n=1, cutoff=0.5)
        if found:
            ratio = difflib.SequenceMatcher(None, key, found[0]).ratio()
            close.append((-ratio, f"{name} / {spelled[found[0]]}"))
    hint = f" Nearest: {name_some([text for _, text in sorted(close)])}." if close else ""
    return (
        f"The screens share no drug: none of {name_some(list(a))} is among {name_some(list(b))}."
        f"{hint} If some are the same drug, pass aliases={{name: unified name}}."
    )
