"""The ways to tell that two drugs are the same, most trusted first."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, takewhile
from typing import Any

from .drug_names import DrugName, drug_name, drug_names, letters, plain
from .identity import IDS, Ids, Things, contradict, merged, only
from .linking import Links, Step, link, places

DRUG_KINDS = tuple(IDS["drugs"])
_FLAT = "UHFFFAOYSA"  # second block of an InChIKey without stereochemistry
_NUMBERED = ("drug_id", "ctrp_id")
_MOST = 0.8

Key = tuple[str, str, str, tuple[str, ...]]


@dataclass
class Drug:
    """One drug of a screen, in as many rows as it has replicates."""

    own: dict[int, DrugName]
    """Row -> its own name, taken apart."""
    names: list[str]
    """All names by which it goes, and below what has to be the same for two to be the same."""
    keys: list[Key]
    ids: Ids
    synonyms: list[str]
    aliased: bool = False

    @property
    def treatments(self) -> set[str]:
        """What is said of the treatment beside the drug; all rows say the same."""
        return {key[2] for key in self.keys}


def drugs_of(
    things: Things, kinds: Sequence[str], aliases: Mapping[str, str] | None = None
) -> list[Drug]:
    """Put rows together that are one drug under one treatment: by name, identifier or alias.

    Of identifiers in names, those of these kinds count.
    """
    first = [names[0] if names else "" for names in things.names]
    own = drug_names(first)
    unified = _unified(own, first, aliases or {})
    drugs, marks = [], []
    by_alias = {key for key, one in zip(unified, own, strict=True) if key != one.key}
    for row, (name, key) in enumerate(zip(own, unified, strict=True)):
        parts = [name, *(drug_name(text) for text in things.names[row][1:])]
        ids = only(merged([*(part.ids for part in parts), things.ids[row]]), kinds)
        keys = [key, *(part.key for part in parts[1:])]
        also = things.synonyms[row] if things.synonyms else []
        drugs.append(Drug({row: name}, things.names[row], keys, ids, also, key != name.key))
        mark: list[Hashable] = [(kind, one) for kind, many in ids.items() for one in many]
        if things.names[row]:
            mark.append(("text", name.text))
        if key in by_alias:
            mark.append(("alias", key))
        marks.append(mark)
    return _grouped(drugs, marks)


def _grouped(drugs: list[Drug], marks: Sequence[Collection[Hashable]]) -> list[Drug]:
    """Join what shares a mark and may be joined."""
    of = list(range(len(drugs)))  # row -> drug
    for mark, rows in places(marks).items():
        by_id = isinstance(mark, tuple) and mark[0] in DRUG_KINDS
        for k, row in enumerate(rows):
            for before in dict.fromkeys(of[other] for other in rows[:k]):
                one, other = drugs[before], drugs[of[row]]
                if before != of[row] and _may_join(one, other, by_id=by_id):
                    drugs[before] = _joined(one, other)
                    for moved in other.own:
                        of[moved] = before
    return [drugs[k] for k in dict.fromkeys(of)]


def _may_join(one: Drug, other: Drug, *, by_id: bool) -> bool:
    """Two names are no replicates for one identifier: tables have slips. It may be the name."""
    bases = [{name.base for name in drug.own.values()} for drug in (one, other)]
    named = all(not any(":" in base for base in own) for own in bases)
    if by_id and named and not any(_related(x, y) for x, y in product(*bases)):
        return False
    isomers = {key[1] for drug in (one, other) for key in drug.keys if key[1]}
    return (
        one.treatments == other.treatments
        and len(isomers) < 2
        and not contradict_drugs(one.ids, other.ids)
    )


def _related(one: str, other: str) -> bool:
    """Whether one name could be the other with a batch or a count behind it."""
    common = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))
    return one == other or common >= max(4, 0.6 * len(one))


def _joined(one: Drug, other: Drug) -> Drug:
    first, second = sorted((one, other), key=lambda drug: min(drug.own))
    return Drug(
        dict(sorted({**first.own, **second.own}.items())),
        [*first.names, *second.names],
        list(dict.fromkeys([*first.keys, *second.keys])),
        merged([first.ids, second.ids]),
        [*first.synonyms, *second.synonyms],
        first.aliased or second.aliased,
    )


def _unified(
    own: Sequence[DrugName], names: Sequence[str], aliases: Mapping[str, str]
) -> list[Key]:
    """What each is known by once aliases have been applied."""
    isomers: dict[str, set[str]] = {}
    for one in own:
        isomers.setdefault(one.base, set()).add(one.stereo)
    out = []
    for one, name in zip(own, names, strict=True):
        whole = aliases.get(letters(name))
        asked = (letters(one.text), letters(plain(name)), one.base)
        found = whole or next((aliases[text] for text in asked if text in aliases), None)
        if found is None or (whole is None and _is_of_another(one, drug_name(found))):
            out.append(one.key)
            continue
        base, stereo, treatment, notes = drug_name(found).key
        if whole is None:
            # An alias of the bare name is none of one isomer where there are several.
            stereo = stereo or (one.stereo if len(isomers[one.base]) > 1 else "")
            treatment, notes = treatment or one.treatment, notes or one.notes
        out.append((base, stereo, treatment, notes))
    return out


def _is_of_another(one: DrugName, alias: DrugName) -> bool:
    """Whether an alias is that of another isomer or dose, or only repeats the bare name."""
    isomer = bool(one.stereo and alias.stereo and one.stereo != alias.stereo)
    dose = bool(one.treatment and alias.treatment and one.treatment != alias.treatment)
    bare = one.base == alias.base and bool(one.stereo) and not alias.stereo
    return isomer or dose or bare


def contradict_drugs(one: Ids, other: Ids) -> bool:
    """Whether identifiers say that two drugs are different compounds.

    Other numbers of PubChem or ChEMBL say nothing: salts have their own. Two compounds of Broad
    are two, and so are stereoisomers by InChIKey.
    """
    shared = [kind for kind in one if one[kind] and other.get(kind)]
    if any(one[kind] & other[kind] for kind in shared):
        return False
    if "broad_id" in shared:
        # BRD-A is a compound whose stereochemistry is not known.
        forms = {text[4] for ids in (one, other) for text in ids["broad_id"]}
        if len(forms) == 1:
            return True
    if "inchikey" in shared:
        pairs = [
            (x.split("-"), y.split("-")) for x, y in product(one["inchikey"], other["inchikey"])
        ]
        return all(x[0] == y[0] and x[1] != y[1] and _FLAT not in (x[1], y[1]) for x, y in pairs)
    return False


def differ_in_ids(one: Drug, other: Drug, kinds: Sequence[str]) -> bool:
    """Whether two drugs have identifiers of the same kinds, and none in common."""
    # GDSC has several numbers for one drug itself.
    return contradict(one.ids, other.ids, [kind for kind in kinds if kind not in _NUMBERED])


def link_drugs(
    left: Sequence[Drug], right: Sequence[Drug], kinds: Sequence[str], *, many: bool = False
) -> Links:
    """Match drugs by identifiers of these kinds, then by name."""
    sides = (left, right)

    def pair(how: str, of: Callable[[Drug], list[Hashable]], **more: Any) -> Step:
        keys = [[list(dict.fromkeys(of(drug))) for drug in side] for side in sides]
        return Step(how, keys[0], keys[1], unique=True, **more)

    def fits(i: int, j: int) -> bool:
        """The treatment is the same, or only one says what it is."""
        one, other = left[i].treatments, right[j].treatments
        return bool(one & other) or "" in one | other

    def unclear(i: int, j: int) -> bool:
        """One says which isomer it is, and the other does not."""
        one, other = ({key[1] for key in drug.keys} for drug in (left[i], right[j]))
        return fits(i, j) and ("" in one) != ("" in other)

    name = "normalised name"
    steps = []
    for kind in kinds:
        one, treated = _of_kind(kind)
        steps += [pair(kind, treated, by_id=True), pair(kind, one, by_id=True, suits=fits)]
    steps.append(pair("name", lambda d: list(d.names)))
    steps += _number_steps(left, right, kinds)
    steps += [
        pair(name, lambda d: list(d.keys)),
        pair(name, lambda d: [key[:3] for key in d.keys], alike=False),
        pair(name, lambda d: [key[:2] for key in d.keys], alike=False, suits=fits),
        pair(name, _otherwise_spelled, alike=False, suits=fits),
        pair(name, _synonyms, alike=False, suits=fits),
        pair(name, lambda d: [key[0] for key in d.keys], alike=False, suits=unclear, joins=False),
    ]
    return link(
        steps,
        (len(left), len(right)),
        lambda i, j: contradict_drugs(left[i].ids, right[j].ids),
        many=many,
    )


def _of_kind(kind: str) -> tuple[Callable[[Drug], list[Hashable]], ...]:
    """Identifiers of a drug, and the same with its treatment."""

    def one(drug: Drug) -> list[Hashable]:
        return [*sorted(drug.ids.get(kind, ()))]

    def treated(drug: Drug) -> list[Hashable]:
        return [(text, treatment) for text in one(drug) for treatment in drug.treatments]

    return one, treated


def _otherwise_spelled(drug: Drug) -> list[Hashable]:
    """Without a number behind it that may be GDSC's, and the X that R writes before a digit."""
    bases = [(key[0], key[1]) for key in drug.keys]
    bases += [(one.unnumbered, one.stereo) for one in drug.own.values() if one.unnumbered]
    return [(re.sub(r"^x(?=\d)", "", base), stereo) for base, stereo in bases]


def _synonyms(drug: Drug) -> list[Hashable]:
    """The names, and what stands in brackets behind them or in a column of synonyms."""
    names = [(key[0], key[1]) for key in drug.keys]
    names += [(note, key[1]) for key in drug.keys for note in key[3] if len(note) > 2]
    return [*names, *(drug_name(text).key[:2] for text in drug.synonyms)]


def _number_steps(left: Sequence[Drug], right: Sequence[Drug], kinds: Sequence[str]) -> list[Step]:
    """A number in square brackets is GDSC's of ``Drug_1003``, names that are numbers are ids."""
    steps = []
    for kind in (kind for kind in kinds if kind in ("pubchem_id", *_NUMBERED)):
        for one, other, turned in ((left, right, False), (right, left, True)):
            ids = [list(drug.ids.get(kind, ())) for drug in other]
            keys = [
                [n for name in drug.names[:1] if (n := name.strip()).isdecimal()] for drug in one
            ]
            if kind == "pubchem_id":
                keys = [[n for n in own if len(n) > 3] for own in keys]
            elif sum(map(bool, keys)) < _MOST * len(one):
                # A short number among names is a name.
                keys = [[] for _ in one]
            if kind == "drug_id":
                formed = [any(key[0].startswith("drug_id:") for key in d.keys) for d in other]
                if any(formed) and not any(keys):
                    keys = [[part.number for part in d.own.values() if part.number] for d in one]
                    ids = [own if by else [] for own, by in zip(ids, formed, strict=True)]
            if any(keys):
                pair = (ids, keys) if turned else (keys, ids)
                steps.append(Step(kind, *pair, unique=True, by_id=True, alike=False))
    return steps
