"""One spelling for an identifier in all its dresses, and what a name says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rtdmf_bio._adata.drug_names import drug_name, drug_names
from rtdmf_bio._adata.identity import canonical_id, same_names
from rtdmf_bio._adata.line_names import CCLE_TISSUES, line_name
from rtdmf_bio._adata.names import looks_like


@pytest.mark.parametrize(
    "value, one",
    [
        (905940, "905940"), (905940.0, "905940"), ("905940.0", "905940"), (" 905940 ", "905940"),
        ("COSMIC_905940", "905940"), ("COSMIC:905940", "905940"), (np.int32(7), "7"),
        ("ach-000012", "ACH-000012"), ("ACH.000012", "ACH-000012"), ("SIDM00003", "SIDM00003"),
        ("rrid:cvcl_0001", "CVCL_0001"), ("RRID: CVCL_0001", "CVCL_0001"),
        ("BRD:BRD-K12345678-001-01-9", "BRD-K12345678"),
        ("BRD-K12345678::2.5::HTS", "BRD-K12345678"),
        ("BRD.K12345678.001.01.9..2.5..HTS", "BRD-K12345678"), ("PubChem CID: 176870", "176870"),
        ("Drug_1003_IC50", "1003"), ("GDSC2:1003", "1003"), ("A375", "A375"), ("A:B", "A:B"),
        ("BRD-A02303741:carboplatin (1:1 mol/mol)", "BRD-A02303741:carboplatin (1:1 mol/mol)"),
        (np.nan, ""), (None, ""), (pd.NA, ""), ("nan", ""), ("", ""),
    ],
)  # fmt: skip
def test_identifiers_have_one_spelling(value, one):
    assert canonical_id(value) == one


def test_names_are_found_as_they_are_or_as_identifiers():
    given = ["905940", "A375", "ACH-000001", "ach-000001", "7"]
    wanted = ["905940.0", "COSMIC_905940", "A375", "a375", "ACH-000001", "ACH.000001", "7.0", ""]
    assert same_names(wanted, given) == [0, 0, 1, -1, 2, -1, 4, -1]


def test_a_tissue_behind_a_line_is_told_from_a_part_of_its_name():
    for tissue in CCLE_TISSUES:
        assert line_name(f"A375_{tissue}").key == line_name("A-375").key == "a375"
    assert line_name("HCC1187_MATCHED_NORMAL_TISSUE").key != "hcc1187"
    assert line_name("SK-N-BE(2)").key == "sknbe2"
    assert line_name("697.0").key == "697"
    assert line_name("--").key == "--"


@pytest.mark.parametrize(
    "name, text, key",
    [
        ("AZD6482 [156]", "AZD6482", ("azd6482", "", "", ())),
        ("X (rescreen) [2]", "X", ("x", "", "", ())),
        ("JQ1-(+)", "JQ1-(+)", ("jq1", "+", "", ())),
        ("(\u00b1)-X12", "(\u00b1)-X12", ("x12", "rac", "", ())),
        ("(2R,3S)-Foo", "(2R,3S)-Foo", ("foo", "2r,3s", "", ())),
        ("S-Trityl-L-cysteine", "S-Trityl-L-cysteine", ("trityllcysteine", "s", "", ())),
        ("R-406", "R-406", ("r406", "", "", ())),
        ("cisplatin", "cisplatin", ("cisplatin", "", "", ())),
        ("Bleomycin_(50_uM) [190]", "Bleomycin_(50_uM)", ("bleomycin", "", "50um", ())),
        ("A:B (1:1 mol/mol)", "A:B (1:1 mol/mol)", ("a+b", "", "1:1mol/mol", ())),
        ("Olaparib (AZD-2281)", "Olaparib (AZD-2281)", ("olaparib", "", "", ("azd2281",))),
        ("(-)", "(-)", ("(-)", "-", "", ())),
    ],
)
def test_names_of_drugs_are_taken_apart(name, text, key):
    assert (drug_name(name).text, drug_name(name).key) == (text, key)


@pytest.mark.parametrize(
    "names, bases",
    [
        (["Erlotinib_1", "JQ1_1080", "Olaparib_1017"], ["erlotinib", "jq1", "olaparib"]),
        (["X_1", "X_2", "Y_1"], ["x1", "x2", "y1"]),
        (["TW_37", "Bryostatin_1", "A", "B"], ["tw37", "bryostatin1", "a", "b"]),
        (["PARP_0108", "PARP_9482"], ["parp0108", "parp9482"]),
    ],
)  # fmt: skip
def test_numbers_behind_names_are_gdsc_s_only_where_all_have_one(names, bases):
    assert [one.base for one in drug_names(names)] == bases


def test_what_names_are_is_still_told_from_their_form():
    assert looks_like(["ACH.000001", "ach-000002"]) == "lines"
    assert looks_like(["BRD.K12345678.001.01.9", "BRD-K12345679"]) == "drugs"
    assert looks_like(["Drug_1003_IC50", "Drug_1004_IC50"]) == "drugs"
    assert looks_like(["905940", "906826"]) is None
