"""What is no screen of fitted responses: raw viabilities, combinations, annotation alone."""

from collections.abc import Mapping
from typing import Any

from anndata import AnnData

from ..._adata.measure import AT_ONE_DOSE, kind_name
from ..._adata.names import DRUG_COLUMNS, LINE_COLUMNS, normalised
from .._format import Format
from .._source import Source

# Names of columns, without case and punctuation.
_DOSES = {
    "dose", "doseum", "conc", "concentration", "concum", "cpdconcumol", "pertdose",
    "log10concentration", "concentrationum", "drugconcentration", "logconcentration",
}  # fmt: skip
_READOUTS = {
    "viability", "intensity", "response", "growth", "rawvaluelog2", "cpdavgpv", "relativecellcount",
    "inhibition", "percentviability", "lmfi", "logmfi", "bsubvaluelog2", "normalizedviability",
    "percentgrowth", "activity", "gr", "growthrate", "survival",
}  # fmt: skip
_SECOND = {
    "drug2", "drugb", "drugcol", "compound2", "compoundb", "drugname2", "nsc2", "anchorname",
    "anchorid", "libraryname", "librarydrug", "drug2name", "drugcolname", "combinationname",
    "drugnameb", "drug2id", "conc2", "concc", "synergyscore", "synergyzip", "synergybliss",
    "blissscore",
}  # fmt: skip
_LINES = {
    "oncotreelineage", "oncotreecode", "strippedcelllinename", "cclavailability", "msistatus",
    "gdsctissuedescriptor1", "sangermodelid", "samplecollectionsite",
}  # fmt: skip
_COMPOUNDS = {
    "cpdname", "repurposingtarget", "moa", "target", "putativetarget", "screeningsite",
    "targetpathway", "smiles", "genesymboloftargets", "drugname", "compoundname",
}  # fmt: skip
_NUMBERS_OF_LINES = {"age", "ageatsampling", "ploidy", "mutationalburden", "doublingtime"}


def _what(source: Source) -> str | None:
    """Say what the table is, if it is none that can be used."""
    if source.kind != "table":
        return None
    there = {normalised(name) for name in source.header}
    if len(there & _SECOND) > 0 and len(source.header) < 200:
        return (
            "combinations of drugs, where a row is a pair of drugs and not one. Keep single "
            "treatments, or name each pair as a drug of its own and read it by "
            "rtdmf_bio.io.read_table(layout='long')."
        )
    fitted = any(kind_name(name) not in (None, *AT_ONE_DOSE) for name in source.header)
    if there & _DOSES and there & _READOUTS and not fitted and _several_doses(source):
        return (
            "raw responses at each dose. Fit dose-response curves first (PharmacoGx, GRmetrics, "
            "gdscIC50, CurveCurator) and pass one value a drug and line, such as the area under "
            "the curve."
        )
    if fitted or (source.header and len(source.header) > 100):
        return None
    if {"experimentid", "runid"} <= there or {"mastercpdid", "cpdname"} <= there:
        return "one of the tables of CTRPv2. Pass the folder, or the table of curves."
    if len(there & _LINES) > 1 or {"mastercclid"} <= there or _is_lines(source, there):
        return (
            "a table of cell lines, without responses. Pass it as annotation of a screen: "
            "rtdmf_bio.io.read(screen, var=this), --lines on the command line, or "
            "rtdmf_bio.tl.annotate."
        )
    if len(there & _COMPOUNDS) > 1 and not _has_numbers(source):
        return (
            "a table of drugs, without responses. Pass it as annotation of a screen: "
            "rtdmf_bio.io.read(screen, obs=this)."
        )
    return None


def _several_doses(source: Source) -> bool:
    """Whether doses differ; a screen at a single dose is one of its own kind."""
    at = [j for j, name in enumerate(source.header) if normalised(name) in _DOSES]
    return len({str(row[at[0]]).strip() for row in source.table.sample()}) > 1


def _is_lines(source: Source, there: set[str]) -> bool:
    """Whether lines are named and there is no number beside them."""
    return bool(there & LINE_COLUMNS) and not there & DRUG_COLUMNS and not _has_numbers(source)


def _has_numbers(source: Source) -> bool:
    for j, name in enumerate(source.header):
        if normalised(name) in _NUMBERS_OF_LINES or normalised(name).endswith("id"):
            continue
        for row in source.table.sample():
            try:
                # Mutations are 0 and 1.
                if j and float(row[j]) not in (0, 1) and row[j] == row[j]:
                    return True
            except (TypeError, ValueError):
                continue
    return False


def _sniff(source: Source) -> bool:
    return _what(source) is not None


def _read(source: Source, options: Mapping[str, Any]) -> AnnData:
    raise ValueError(f"{source.path} holds {_what(source)}")


FORMAT = Format("refused", "nothing that can be corrected", _sniff, _read)
