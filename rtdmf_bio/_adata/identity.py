"""What identifies drugs and cell lines: their identifiers, in one spelling, and their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..model.blanks import is_missing
from .names import DRUG_IDS, LINE_IDS, normalised

if TYPE_CHECKING:
    import pandas as pd

IDS = {"lines": LINE_IDS, "drugs": DRUG_IDS}
"""Kinds of identifiers, most trusted first, with the form by which a name tells its kind."""
COLUMNS = {
    "lines": {
        "depmap_id": ("depmapid", "modelid", "depmapmodelid", "achid", "arxspanid", "broadid"),
        "sanger_id": ("sangermodelid", "sangerid", "sidm", "modelid"),
        "cosmic_id": ("cosmicid", "cosmic", "cosmicsampleid", "cosmicidentifier", "idsample"),
        "cellosaurus_id": (
            "cellosaurusid", "rrid", "cellosaurus", "cellosaurusaccession", "cvcl", "accession",
        ),
    },
    "drugs": {
        "broad_id": ("broadid", "brdid", "broadcpdid", "broadcompoundid", "brd", "ids"),
        "inchikey": ("inchikey", "standardinchikey"),
        "pubchem_id": ("pubchemid", "pubchem", "pubchemcid", "cid", "pubchemcompoundid"),
        "chembl_id": ("chemblid", "chembl"),
        "prism_id": ("prismid",),
        "drug_id": ("drugid", "gdscdrugid", "gdscid"),
        "ctrp_id": ("mastercpdid", "ctrpid"),
    },
}  # fmt: skip
"""How tables call their columns of identifiers, without case and punctuation."""
NAMES = {
    "lines": (
        "celllinename", "cellline", "celllines", "modelname", "cclname", "samplename", "name",
        "celllinedisplayname", "strippedcelllinename", "primarycelllinename",
        "celllineprimaryname", "cclename", "ccleid", "cclecelllinename", "cellid", "cellname",
        "sampleid", "line", "index",
    ),
    "drugs": (
        "drugname", "drug", "name", "compoundname", "compound", "cpdname", "treatmentid",
        "treatment", "genericname", "prefname", "index",
    ),
}  # fmt: skip
"""The same of columns of names."""
SYNONYMS = ("synonyms", "synonym", "aliases", "alias", "celllinealiases")
BLANK = frozenset(
    ["", "na", "n/a", "#n/a", "nan", "none", "null", "<na>", "-", "--", "?", "unknown", "0"]
)
"""What cells say instead of an identifier, in lower case."""
_WRITTEN = {
    "depmap_id": "ACH-{}", "sanger_id": "SIDM{}", "cellosaurus_id": "CVCL_{}",
    "broad_id": "BRD-{}", "chembl_id": "CHEMBL{}", "prism_id": "PRC-{}",
}  # fmt: skip
_NUMBERS = {"cosmic_id", "pubchem_id", "drug_id", "ctrp_id"}
# In other columns than these an identifier has to be of its form.
_FREE = ("depmapid", "modelid", "depmapmodelid")
_MOST = 3  # What more differently named lines or drugs have than this identifies none of them.
_BARE = re.compile(r"\d{5,8}")

Ids = dict[str, frozenset[str]]
"""Kind of identifier -> those that one drug or line has."""


@dataclass
class Things:
    """Drugs or cell lines of a screen or a table, in its order."""

    names: list[list[str]]
    """Names by which each goes; of a screen the first is its own."""
    ids: list[Ids]
    numbers: list[frozenset[str]]
    """Names that are bare numbers, and so may be identifiers."""
    synonyms: list[list[str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)


def is_blank(value: Any) -> bool:
    """Whether a cell says nothing."""
    return is_missing(value) or str(value).strip().lower() in BLANK


def as_text(value: Any) -> str:
    """Text of a cell without spaces around it; a whole number has no decimals: 905940.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return re.sub(r"^(\d+)\.0+$", r"\1", str(value).strip())


def canonical_id(value: Any) -> str:
    """Return an identifier in its one spelling, any other text as it is; empty where blank.

    ``905940.0``, ``"905940.0"`` and ``COSMIC_905940`` are ``905940``; ``rrid:CVCL_0001`` is
    ``CVCL_0001``, ``BRD:BRD-K12345678-001-01-9`` is ``BRD-K12345678``.
    """
    if is_blank(value):
        return ""
    text = as_text(value)
    return next((one for what in IDS for _, one in _formed(text, what)), text)


def same_names(wanted: Sequence[Any], given: Sequence[Any]) -> list[int]:
    """Return the place in ``given`` of each that is wanted, -1 where it is not there.

    They are the same as text, or else as identifiers, where only one of ``given`` is.
    """
    exact = {str(name): k for k, name in enumerate(given)}
    places: dict[str, list[int]] = {}
    for k, name in enumerate(given):
        places.setdefault(canonical_id(name), []).append(k)
    found = []
    for name in wanted:
        alike = places.get(canonical_id(name), [])
        found.append(exact.get(str(name), alike[0] if len(alike) == 1 else -1))
    return found


def _formed(text: str, what: str) -> list[tuple[str, str]]:
    """Kind and spelling of the identifier that a text is by its form; none for other texts."""
    for kind, form in IDS[what].items():
        if match := form.fullmatch(text):
            return [(kind, _WRITTEN.get(kind, "{}").format(match["id"].upper()))]
    return []


def ids_of_name(name: Any, what: str) -> Ids:
    """Return the identifier that a name is, by its form."""
    return {kind: frozenset([one]) for kind, one in _formed(as_text(name), what)}


def ids_of_cell(value: Any, kind: str, what: str, free: Collection[str] = ()) -> Ids:
    """Return the identifiers in a cell of a column of this kind; several are parted by ``;``.

    Of ``free`` are the texts that are identifiers without being of the form of any.
    """
    if is_blank(value):
        return {}
    found: dict[str, set[str]] = {}
    for part in re.split(r"\s*[;,|]\s*", as_text(value)):
        text = as_text(part)
        formed = _formed(text, what)
        if not formed and not is_blank(text):
            number = kind in _NUMBERS and text.isdecimal()
            formed = [(kind, text.upper())] if number or text in free else []
        for own, one in formed:
            found.setdefault(own, set()).add(one)
    return {own: frozenset(ids) for own, ids in found.items()}


def merged(several: Iterable[Ids]) -> Ids:
    """All identifiers of several."""
    out: dict[str, frozenset[str]] = {}
    for ids in several:
        for kind, own in ids.items():
            out[kind] = out.get(kind, frozenset()) | own
    return out


def only(ids: Ids, kinds: Sequence[str]) -> Ids:
    """Those of these kinds."""
    return {kind: own for kind, own in ids.items() if kind in kinds}


def kind_of_column(column: Any, what: str) -> str | None:
    """Kind of identifier that a column is called after, None if none."""
    name = normalised(column)
    return next((kind for kind, names in COLUMNS[what].items() if name in names), None)


def ids_of_columns(
    frame: pd.DataFrame, what: str, kinds: Mapping[Any, str], *, free: bool = False
) -> list[Ids]:
    """Return the identifiers of each row in these columns, each with its kind.

    With ``free``, whatever is in them is one, also what has not the form of the kind.
    """
    rows: list[list[Ids]] = [[] for _ in range(len(frame))]
    for column, kind in kinds.items():
        values = list(frame[column])
        texts: set[str] = set()
        if free or kind not in COLUMNS[what]:
            texts = {part for v in values for part in re.split(r"\s*[;,|]\s*", as_text(v))}
        elif normalised(column) in _FREE:
            count = Counter(as_text(value) for value in values if not is_blank(value))
            texts = {text for text, n in count.items() if n <= _MOST and not re.search(r"\s", text)}
        for row, value in zip(rows, values, strict=True):
            row.append(ids_of_cell(value, kind, what, texts))
    return [merged(row) for row in rows]


def bare_numbers(names: Iterable[str]) -> frozenset[str]:
    """Return those names that are a number such as COSMIC's."""
    return frozenset(text for name in names if _BARE.fullmatch(text := as_text(name)))


def named_columns(frame: pd.DataFrame, what: str) -> list[Any]:
    """Columns of names, in the order of trust."""
    found = {normalised(column): column for column in reversed(frame.columns)}
    return [found[name] for name in NAMES[what] if name in found]


def names_of_columns(frame: pd.DataFrame, columns: Sequence[Any]) -> list[list[str]]:
    """Return the different names of each row in these columns."""
    rows: list[dict[str, None]] = [{} for _ in range(len(frame))]
    for column in columns:
        for row, value in zip(rows, frame[column], strict=True):
            if not is_blank(value):
                row[as_text(value)] = None
    return [list(row) for row in rows]


def synonyms_of_columns(frame: pd.DataFrame) -> list[list[str]]:
    """Return the names that each row has besides, where there is a column of synonyms."""
    columns = [column for column in frame.columns if normalised(column) in SYNONYMS]
    texts = names_of_columns(frame, columns)
    parts = [[part.strip() for t in row for part in re.split(r"[;|,\n]", t)] for row in texts]
    # What is left of a chemical name that was cut up is no name.
    return [[part for part in row if len(part) > 2 and not part.isdecimal()] for row in parts]


def without_placeholders(names: Sequence[Sequence[str]], ids: Sequence[Ids]) -> list[Ids]:
    """Leave out what many have: one number in all rows stands for none.

    Names that begin alike may be batches or doses of one drug.
    """
    having: dict[tuple[str, str], set[str]] = {}
    for own, known in zip(names, ids, strict=True):
        start = normalised(own[0])[:4] if own else ""
        for kind, several in known.items():
            for one in several:
                having.setdefault((kind, one), set()).add(start)
    return [
        {
            kind: frozenset(one for one in several if len(having[kind, one]) <= _MOST)
            for kind, several in known.items()
        }
        for known in ids
    ]


def contradict(one: Ids, other: Ids, kinds: Iterable[str]) -> bool:
    """Whether identifiers that both have differ, and none agrees."""
    known = [kind for kind in kinds if one.get(kind) and other.get(kind)]
    return bool(known) and all(one[kind].isdisjoint(other[kind]) for kind in known)
