"""What a name of a drug says: the drug, its stereoisomer, the treatment, and what is no part of it.

``(+)-JQ1`` and ``(-)-JQ1`` are two drugs, ``X (1 uM)`` and ``X (10 uM)`` two treatments; in
``AZD6482 [156]``, ``X (CTRP:30000)`` and ``X (rescreen)`` the brackets are no part of the name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .identity import Ids, ids_of_name, merged
from .names import DRUG_IDS, normalised

_GREEK = {
    "\u03b1": "alpha", "\u03b2": "beta", "\u03b3": "gamma", "\u03b4": "delta",
    "\u03b5": "epsilon", "\u03ba": "kappa", "\u03c9": "omega",
}  # fmt: skip
_WRITTEN = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-"),
        **_GREEK,
        **{greek.upper(): latin for greek, latin in _GREEK.items()},
    }
)
_SIGN = re.compile(r"\(\s*(\+/-|\+-|-/\+|\u00b1|\+|-)\s*\)")
_FORM = r"cis|trans|alpha|beta|gamma|delta|rac|racemic|racemate|endo|exo|syn|anti"
_CENTRES = r"\d*[a-z]?[RSEZ]\*?(?:,\s*\d*[a-z]?[RSEZ]\*?)*"
_STEREO = re.compile(rf"(?:{_CENTRES}|RS|(?i:{_FORM}))")
_LEADING = re.compile(rf"(?:\d+[RSEZ](?:,\d+[RSEZ])*|[RSEZ](?=-[^\W\d_]{{3}})|(?i:{_FORM}))-(?=\w)")
_TRAILING = re.compile(rf"(?<=\w)[-_ ](?i:({_FORM}))$")
_BRACKET = re.compile(r"[\s_]*(\[[^\[\]]*\]|\([^()]*\))[\s_]*$")
_UNIT = (
    r"(?:[pnum\u03bc]?M|[munkp\u03bc]?g(?:/m?l)?|I?U(?:/m?l)?|mol/mol|mol ?%|%|"
    r"h|hrs?|hours?|d|days?|Gy)"
)
_RATIO = r"\d+(?:\.\d+)?(?::\d+(?:\.\d+)?)+.*"
_TREATMENT = re.compile(rf"(?i:(?:.*[\s,])?\d+(?:[.,]\d+)?\s*{_UNIT}|{_RATIO})")
_REMARK = re.compile(
    r"(?:re-?screen(?:ed|ing)?|re-?test(?:ed)?|repeat(?:ed)?|replicate|rep|duplicate|dup|batch|"
    r"lot|run|plate|screen|set|site)\W*\w{0,4}",
    re.I,
)
_SALT = re.compile(
    r"(?i:(?:mono|di|tri|hemi)?(?:hydro(?:chloride|bromide)|hcl|hbr|mesylate|tosylate|besylate|"
    r"maleate|malate|fumarate|citrate|phosphate|sul(?:f|ph)ate|sodium|potassium|calcium|acetate|"
    r"tartrate|succinate|lactate|bromide|chloride|tfa|trifluoroacetate|hydrate)|free base|"
    r"(?:\w+ )?salt)"
)
# oncoPredict writes GDSC's number behind the name: Paclitaxel_1080.
_NUMBERED = re.compile(r"(?P<name>.*[^\W\d_].*)_(?P<id>[12]?\d{1,3})")
_MOST = 0.8


@dataclass(frozen=True)
class DrugName:
    """A name, taken apart."""

    text: str
    """The name without identifiers and remarks: rows that share it are one treatment."""
    base: str
    stereo: str = ""
    treatment: str = ""
    notes: tuple[str, ...] = ()
    """What else stands in brackets: a synonym, or anything."""
    unnumbered: str = ""
    """The base without a number behind it that may be GDSC's."""
    ids: Ids = field(default_factory=dict)
    number: str = ""
    """Number in square brackets, GDSC's for a drug that was screened twice."""

    @property
    def key(self) -> tuple[str, str, str, tuple[str, ...]]:
        """What has to be the same for two names to be the same."""
        return self.base, self.stereo, self.treatment, self.notes


def letters(name: str) -> str:
    """Lower case, letters and digits only, and the signs of stereoisomers: ``jq1(+)``."""
    text = _latin(name)
    signs = "".join(f"({_sign(sign)})" for sign in sorted(_SIGN.findall(text)))
    # What is combined stays apart.
    parts = [normalised(part) for part in re.split(r":|\s\+\s", _SIGN.sub("", text))]
    return "+".join(part for part in parts if part) + signs


def plain(name: object) -> str:
    """Without what follows a name in brackets: ``AZD6482 [156]``, ``Nutlin-3a_(-)``."""
    text = str(name).strip()
    while (match := _BRACKET.search(text)) and match.start():
        text = text[: match.start()]
    return text


def _latin(text: str) -> str:
    """Without what is only another way to write it: dashes, Greek letters, full width."""
    return unicodedata.normalize("NFKC", text).translate(_WRITTEN).strip()


def drug_names(names: Sequence[str]) -> list[DrugName]:
    """Take the names of a screen apart; that they end in GDSC's numbers shows in all together."""
    found = [_NUMBERED.fullmatch(str(name).strip()) for name in names]
    numbers = [match["id"] for match in found if match]
    behind = (
        len(numbers) >= _MOST * len(names) > 0
        and len(set(numbers)) == len(numbers)
        and sum(len(number) > 2 for number in numbers) >= len(numbers) / 2
        and not any(number.startswith("0") for number in numbers)
    )
    if not behind:
        return [drug_name(str(name)) for name in names]
    out = []
    for name, match in zip(names, found, strict=True):
        one = drug_name(match["name"] if match else str(name))
        ids = {"drug_id": frozenset([match["id"]])} if match else {}
        out.append(DrugName(one.text, *one.key, ids=merged([one.ids, ids])))
    return out


@lru_cache(2**14)
def drug_name(name: str) -> DrugName:
    """Take one name apart."""
    text = name.strip()
    if ids := ids_of_name(_latin(text), "drugs"):
        return _of_id(text, ids)
    stereo: list[str] = []
    treatment: list[str] = []
    notes: list[str] = []
    kept: list[str] = []
    own: list[Ids] = []
    number = ""
    while (match := _BRACKET.search(text)) and match.start():
        inside = _latin(re.sub(r"[\s_]+", " ", match[1][1:-1]))
        own.append(ids_of_name(inside, "drugs"))
        text = text[: match.start()]
        if own[-1] or _REMARK.fullmatch(inside):
            continue
        if match[1][0] == "[" and inside.isdecimal():
            number = inside
            continue
        kept.insert(0, match[0])
        if sign := _SIGN.fullmatch(f"({inside})"):
            stereo.append(_sign(sign[1]))
        elif _STEREO.fullmatch(inside):
            stereo.append(_isomer(inside))
        elif _TREATMENT.fullmatch(inside) or _SALT.fullmatch(inside):
            treatment.append(_treatment(inside))
        elif inside:
            notes.append(letters(inside) or inside)
    base = _without_isomer(_latin(text), stereo)
    numbered = _NUMBERED.fullmatch(base)
    return DrugName(
        "".join([text, *kept]).strip(),
        letters(base) or base or text,
        ",".join(sorted(stereo)),
        ",".join(sorted(treatment)),
        tuple(sorted(notes)),
        letters(numbered["name"]) if numbered and len(numbered["id"]) > 2 else "",
        merged(own),
        number,
    )


def _of_id(text: str, ids: Ids) -> DrugName:
    """A name that is an identifier; Broad's may have a dose behind it, which is a treatment."""
    ((kind, own),) = ids.items()
    (one,) = own
    match = DRUG_IDS[kind].fullmatch(_latin(text))
    dose = (match.groupdict().get("dose") if match else "") or ""
    if re.fullmatch(r"\d+(\.\d+)?", dose):
        dose = f"{float(dose):g}"
    shown = text if dose or kind != "broad_id" else one
    return DrugName(shown, f"{kind}:{one}", treatment=dose, ids=ids)


def _without_isomer(text: str, stereo: list[str]) -> str:
    """The name without what says which stereoisomer it is, which is added to ``stereo``."""
    stereo += [_sign(sign) for sign in _SIGN.findall(text)]
    text = _SIGN.sub("", text).strip("-_ ")
    if (match := re.match(r"\(([^()]*)\)[-_ ]*(?=\w)", text)) and _STEREO.fullmatch(match[1]):
        stereo.append(_isomer(match[1]))
        text = text[match.end() :]
    for end in (_LEADING.match(text), _TRAILING.search(text)):
        if end and len(end[0]) < len(text):
            stereo.append(_isomer(end[0]))
            text = text[end.end() :] if end.start() == 0 else text[: end.start()]
    return text


def _sign(sign: str) -> str:
    return sign if sign in "+-" else "rac"


def _isomer(text: str) -> str:
    plain = re.sub(r"[^\w,*]|_", "", text).casefold()
    return "rac" if plain in ("rac", "racemic", "racemate", "rs") else plain


def _treatment(text: str) -> str:
    plain = re.sub(r"\s", "", text.casefold()).replace("\u03bc", "u").replace(",", ".")
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):g}", plain)
