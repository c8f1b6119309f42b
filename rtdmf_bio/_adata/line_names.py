"""What a name of a cell line says: the line, and the tissue that CCLE writes behind it."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from .identity import as_text
from .names import normalised

# MATCHED_NORMAL_TISSUE is missing on purpose: HCC1187_MATCHED_NORMAL_TISSUE is not HCC1187.
CCLE_TISSUES = (
    "ADRENAL_CORTEX", "AUTONOMIC_GANGLIA", "BILIARY_TRACT", "BONE", "BRAIN", "BREAST",
    "CENTRAL_NERVOUS_SYSTEM", "CERVIX", "COLON", "EMBRYONAL", "ENDOMETRIUM", "EYE", "FIBROBLAST",
    "GASTRIC", "GASTROINTESTINAL_TRACT", "HAEMATOPOIETIC_AND_LYMPHOID_TISSUE", "KIDNEY",
    "LARGE_INTESTINE", "LIVER", "LUNG", "OESOPHAGUS", "OVARY", "PANCREAS", "PLACENTA", "PLEURA",
    "PRIMARY", "PROSTATE", "SALIVARY_GLAND", "SKIN", "SMALL_INTESTINE", "SOFT_TISSUE", "STOMACH",
    "TESTIS", "THYROID", "UPPER_AERODIGESTIVE_TRACT", "URINARY_TRACT", "UVEA", "VULVA",
)  # fmt: skip
_TISSUE = re.compile(rf"(?P<line>.+?)_(?:{'|'.join(CCLE_TISSUES)})", re.I)
# Institutes whose name may stand before that of a line: NCI-H23, H23; NCI-SNU-1; NIH:OVCAR-3.
_INSTITUTE = re.compile(r"nci(?=h\d{2}|snu\d|n87$)|nih(?=ovcar\d)")


class LineName(NamedTuple):
    """A name, taken apart."""

    key: str
    """What has to be the same for two names to be the same."""
    whole: str
    """The same with the tissue, empty where the name has none."""
    unmarked: str
    """The key without the X that R writes before a digit."""


def line_name(name: str) -> LineName:
    """Take a name apart. What is in brackets belongs to it: NB(TU)1-10, SK-N-BE(2)."""
    text = unicodedata.normalize("NFKC", as_text(name))
    match = _TISSUE.fullmatch(text)
    key = _INSTITUTE.sub("", normalised(match["line"] if match else text)) or text
    return LineName(key, normalised(text) if match else "", re.sub(r"^x(?=\d)", "", key))
