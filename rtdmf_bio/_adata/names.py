"""What a name can be told from: identifiers of drugs and cell lines, and names that are known."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

LINE_IDS = {
    "depmap_id": re.compile(r"ACH[-_. ]?(?P<id>\d{6})", re.I),
    "sanger_id": re.compile(r"SIDM[-_. ]?(?P<id>\d{5})", re.I),
    "cosmic_id": re.compile(r"COSMIC[-._: ]?(ID)?[-._: ]?(?P<id>\d{5,8})(\.0+)?", re.I),
    "cellosaurus_id": re.compile(r"(RRID[:_. ]*)?CVCL[-_. ]?(?P<id>[0-9A-Z]{4})", re.I),
}
"""Identifiers of cell lines that can be told by their form; a bare number is none."""
DRUG_IDS = {
    # Of Broad's identifiers the batch, the dose and the screen are no part. R writes dots.
    "broad_id": re.compile(
        r"(BRD:)?BRD[-_.]?(?P<id>[AKMU]\d{8})([-_.]\d{3}[-_.]\d{2}[-_.]\d{1,2})?"
        r"((::|\.\.)(?P<dose>\d[\d.]*)(::|\.\.)\w+)?",
        re.I,
    ),
    "inchikey": re.compile(r"(InChIKey=)?(?P<id>[A-Z]{14}-[A-Z]{10}-[A-Z])"),
    "pubchem_id": re.compile(r"(PubChem[-_.: ]*)?(CID|PubChem)[-_.: ]*0*(?P<id>\d+)", re.I),
    "chembl_id": re.compile(r"(ChEMBL:)?CHEMBL(?P<id>\d+)", re.I),
    "prism_id": re.compile(r"PRC-(?P<id>\d{9})(-\d{3}-\d{2})?", re.I),
    # GDSC's and CTRP's numbers, as gdsctools and DepMap write them.
    "drug_id": re.compile(
        r"(DRUG_(ID_)?|GDSC[12]?:)(?P<id>[1-9]\d{0,3})(_(LN_?)?(IC50|AUC))?", re.I
    ),
    "ctrp_id": re.compile(r"CTRP:(?P<id>\d+)", re.I),
}
"""The same of drugs."""
LINE_COLUMNS = frozenset({
    "cosmicid", "cosmic", "cosmicsampleid", "cosmicidentifier", "depmapid", "modelid",
    "depmapmodelid", "sangermodelid", "sangerid", "cellosaurusid", "rrid", "cvclid", "cellline",
    "celllinename", "celllinedisplayname", "strippedcelllinename", "ccleid", "cclename", "linename",
    "celllineid", "improvesampleid", "mastercclid", "celllines", "cell", "cells", "cellid",
    "cellname", "line", "ccl", "cclname", "model", "modelname", "sample", "sampleid", "samplename",
    "labid", "patient", "patientid", "dbgapsubjectid", "organoid", "tumor", "tumour", "pdx",
    "zelllinie",
})  # fmt: skip
"""What columns that identify cell lines are called, without case and punctuation."""
DRUG_COLUMNS = frozenset({
    "drug", "drugid", "drugname", "compound", "compoundid", "compoundname", "compoundcid",
    "treatment", "treatmentid", "pubchemid", "pubchemcid", "pubchem", "cid", "inchikey", "smiles",
    "broadid", "broadcpdid", "mastercpdid", "nsc", "nscid", "chemblid", "improvedrugid", "drugs",
    "agent", "inhibitor", "substance", "substanz", "wirkstoff", "treatmentname", "cpdname",
    "compounds",
})  # fmt: skip
"""The same of drugs."""
_MOST, _SOME, _ENOUGH = 0.8, 0.25, 500


def normalised(name: Any) -> str:
    """Lower case, letters and digits only, of any alphabet."""
    text = unicodedata.normalize("NFKC", str(name)).casefold().replace("\u03bc", "u")
    return re.sub(r"[\W_]", "", text)


def id_kind(names: Iterable[Any], of: dict[str, re.Pattern[str]]) -> str | None:
    """Kind of identifier that nearly all of the names are, None if they are none."""
    texts = [str(name).strip() for name in names]
    for kind, form in of.items():
        if texts and sum(bool(form.fullmatch(text)) for text in texts) >= _MOST * len(texts):
            return kind
    return None


def looks_like(names: Collection[Any]) -> str | None:
    """``lines`` or ``drugs``, where identifiers or a quarter of the names say so; else None."""
    names = list(names)[:: len(names) // _ENOUGH + 1]
    for what, of in (("lines", LINE_IDS), ("drugs", DRUG_IDS)):
        if id_kind(names, of):
            return what
    share = {what: _share(names, what) for what in ("lines", "drugs")}
    what, other = sorted(share, key=lambda name: -share[name])
    return what if share[what] >= _SOME and share[what] >= 3 * share[other] else None


def _share(names: Collection[Any], what: str) -> float:
    known = _known()[what]
    plain = [normalised(re.sub(r"\s*[(\[].*$", "", str(name))) for name in names]
    if what == "lines":
        # CCLE puts the tissue behind the name: A375_SKIN.
        first = [normalised(str(name).split("_")[0]) for name in names]
        hits = sum(p in known or f in known for p, f in zip(plain, first, strict=True))
    else:
        hits = sum(name in known for name in plain)
    return hits / max(len(plain), 1)


@cache
def _known() -> dict[str, frozenset[str]]:
    """Normalised names of the drugs and lines of the bundled screen."""
    from importlib.resources import as_file, files

    import h5py

    with (
        as_file(files("rtdmf_bio") / "datasets" / "data" / "gdsc1.h5ad") as path,
        h5py.File(path) as file,
    ):
        found = {}
        for what, axis in (("drugs", "obs"), ("lines", "var")):
            names = file[axis][file[axis].attrs["_index"]].asstr()[:]
            # Numbers alone, or a letter or two, are names by chance.
            plain = (normalised(re.sub(r"\s*[(\[].*$", "", name)) for name in names)
            found[what] = frozenset(p for p in plain if len(p) > 2 and not p.isdigit())
    return found
