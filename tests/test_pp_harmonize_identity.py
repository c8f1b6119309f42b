"""Who is who in two screens: identifiers, names that are nearly the same, names that look it."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt

UNCLEAR = "not clear which of the other screen"


def screen(drugs, lines, obs=None, var=None, **uns):
    rng = np.random.default_rng(len(drugs))
    adata = anndata.AnnData(
        rng.random((len(drugs), len(lines))),
        pd.DataFrame(obs, index=list(drugs)),
        pd.DataFrame(var, index=list(lines)),
    )
    adata.uns.update({"measure": {"name": "auc", "higher_is": "resistant"}, **uns})
    return adata


def lines(*names, **var):
    return screen(["d"], [*names, "same"], var={k: [*v, None] for k, v in var.items()})


def drugs(*names, **obs):
    return screen([*names, "same"], ["k"], obs={k: [*v, None] for k, v in obs.items()})


def matches(table):
    """Pairs of names in both screens, with how the second one was matched."""
    a, b = (table[table["screen"] == one] for one in "ab")
    found = {}
    for _, row in b[b["name"] != ""].iterrows():
        for name in a["original"][a["name"] == row["name"]]:
            if name != "same":
                found[name, row["original"]] = row["how"]
    return found


def left_out(table, how="ambiguous"):
    return list(table["original"][table["how"] == how])


def read(path):
    table = pd.read_csv(path, index_col=0)
    return screen(table.index, table.columns.astype(str))


@pytest.mark.parametrize(
    "a, b, var_a, var_b, how",
    [
        ("x", "y", {"ModelID": "ACH-000012"}, {"DepMap_ID": "ach-000012"}, "depmap_id"),
        ("ACH-000012", "y", {}, {"depmap_id": "ACH-000012"}, "depmap_id"),
        ("ACH.000012", "ACH-000012", {}, {}, "depmap_id"),
        ("x", "SIDM00003", {"SANGER_MODEL_ID": "SIDM00003"}, {}, "sanger_id"),
        ("x", "y", {"model_id": "SIDM00003"}, {"SangerModelID": "SIDM00003"}, "sanger_id"),
        ("x", "y", {"BROAD_ID": "ACH-000012"}, {"ModelID": "ACH-000012"}, "depmap_id"),
        ("x", "y", {"RRID": "CVCL_0023"}, {"cellosaurus_id": "RRID:CVCL_0023"}, "cellosaurus_id"),
        ("RRID:CVCL_0023", "cvcl_0023", {}, {}, "cellosaurus_id"),
        ("x", "COSMIC_906826", {"COSMIC_ID": 906826}, {}, "cosmic_id"),
        ("906826", "y", {}, {"COSMIC identifier": "906826.0"}, "cosmic_id"),
        ("x", "906826.0", {"cosmic_id": 906826.0}, {}, "cosmic_id"),
        ("COSMIC:906826", "y", {}, {"COSMICID": "906826"}, "cosmic_id"),
        ("x", "y", {"cosmic_id": "905940;906826"}, {"cosmic_id": 906826}, "cosmic_id"),
        ("906826", "906826.0", {}, {}, "normalised name"),
        ("697", "697", {}, {"cosmic_id": 906800}, "name"),
    ],
)
def test_lines_are_the_same_by_identifier_wherever_it_stands(a, b, var_a, var_b, how):
    one = lines(a, **{k: [v] for k, v in var_a.items()})
    two = lines(b, **{k: [v] for k, v in var_b.items()})
    assert matches(rt.pp.harmonize(one, two).lines) == {(a, b): how}
    assert matches(rt.pp.harmonize(two, one).lines) == {(b, a): how}


@pytest.mark.parametrize("kind", [int, float, str, "category", "string"])
def test_identifiers_are_the_same_in_every_type(kind):
    one = screen(["d"], ["p", "q"], var={"cosmic_id": [906826, 905940]})
    text = str if kind == "category" else kind
    one.var["cosmic_id"] = one.var["cosmic_id"].astype(text).astype(kind)
    two = screen(["d"], ["x", "y"], var={"COSMIC_ID": [905940.0, 906826.0]})
    assert matches(rt.pp.harmonize(one, two).lines) == {
        ("p", "y"): "cosmic_id", ("q", "x"): "cosmic_id"
    }  # fmt: skip


@pytest.mark.parametrize("nothing", ["unknown", "NA", "-", "not available", "0", np.nan, None, ""])
def test_what_says_that_there_is_no_identifier_is_none(nothing):
    columns = {k: [nothing] * 5 for k in ("cosmic_id", "ModelID", "RRID", "SIDM")}
    one, two = lines(*"abcde", **columns), lines(*"vwxyz", **columns)
    assert matches(rt.pp.harmonize(one, two).lines) == {}
    ids = {k: [nothing] * 5 for k in ("pubchem_id", "broad_id", "InChIKey", "DRUG_ID")}
    assert matches(rt.pp.harmonize(drugs(*"abcde", **ids), drugs(*"vwxyz", **ids)).drugs) == {}


def test_one_identifier_for_all_is_none():
    """As in a table whose column was filled with the first number, or with one for "unknown"."""
    one, two = lines(*"abcd", RRID=["CVCL_0001"] * 4), lines(*"abcx", RRID=["CVCL_0001"] * 4)
    found = matches(rt.pp.harmonize(one, two).lines)
    assert found == {(name, name): "name" for name in "abc"}
    four = drugs(*"abcd", broad_id=["BRD-K00000001"] * 4)
    other = drugs("a", broad_id=["BRD-K00000002"])
    for pair in ((four, other), (other, four)):
        assert matches(rt.pp.harmonize(*pair).drugs) == {("a", "a"): "name"}
    ids = {"pubchem_id": [11111] * 5}
    assert matches(rt.pp.harmonize(drugs(*"abcde", **ids), drugs(*"vwxyz", **ids)).drugs) == {}


KEY, ITS_MIRROR = "DNVXATUJJDPFDM-KRWDZBQOSA-N", "DNVXATUJJDPFDM-QGZVFWFLSA-N"


@pytest.mark.parametrize(
    "a, b, obs_a, obs_b, how",
    [
        ("x", "y", {"pubchem_id": 176870.0}, {"PubCHEM": "176870"}, "pubchem_id"),
        ("CID:176870", "y", {}, {"cid": 176870}, "pubchem_id"),
        ("x", "y", {"InChIKey": KEY}, {"inchikey": KEY}, "inchikey"),
        ("BRD-K12345678-001-01-9", "BRD-K12345678-300-09-1", {}, {}, "broad_id"),
        ("BRD:BRD-K12345678-001-01-9", "y", {}, {"broad_id": "BRD-K12345678"}, "broad_id"),
        ("BRD-K12345678::2.5::HTS", "y", {}, {"broad_cpd_id": "BRD-K12345678"}, "broad_id"),
        ("X (BRD:BRD-K12345678-001-01-9)", "y", {}, {"IDs": "BRD:BRD-K12345678"}, "broad_id"),
        ("Drug_1003_IC50", "y", {}, {"DRUG_ID": 1003}, "drug_id"),
        ("Drug_1003", "y", {}, {"drug_id": "1003.0"}, "drug_id"),
        ("Drug_1003", "X [1003]", {}, {}, "drug_id"),
        ("X (GDSC1:1003)", "Drug_1003_IC50", {}, {}, "drug_id"),
        ("X (CTRP:30000)", "y", {}, {"master_cpd_id": 30000}, "ctrp_id"),
        ("176870", "y", {}, {"pubchem_id": 176870}, "pubchem_id"),
    ],
)
def test_drugs_are_the_same_by_identifier_wherever_it_stands(a, b, obs_a, obs_b, how):
    one = drugs(a, **{k: [v] for k, v in obs_a.items()})
    two = drugs(b, **{k: [v] for k, v in obs_b.items()})
    assert matches(rt.pp.harmonize(one, two).drugs) == {(a, b): how}
    assert matches(rt.pp.harmonize(two, one).drugs) == {(b, a): how}


def test_names_that_are_all_numbers_are_gdsc_s():
    one = screen(["1003", "1004", "1005"], ["k"])
    two = screen(["p", "q", "r", "1005"], ["k"], obs={"DRUG_ID": [1004, 1003, None, None]})
    found = matches(rt.pp.harmonize(one, two).drugs)
    assert found == {("1003", "q"): "drug_id", ("1004", "p"): "drug_id", ("1005", "1005"): "name"}
    one.obs_names = ["1003", "x", "y"]  # a number among names is a name
    with pytest.raises(ValueError, match="share no drug"):
        rt.pp.harmonize(one, two)


def test_a_column_of_drug_numbers_counts_where_both_are_of_gdsc():
    """Anything may be numbered from 1; GDSC's numbers are the same in all its releases."""
    names = (["p", "q", "r"], ["t", "u", "v"])
    ids = {"DRUG_ID": [1, 2, 3]}
    assert matches(rt.pp.harmonize(drugs(*names[0], **ids), drugs(*names[1], **ids)).drugs) == {}
    source = {"source": {"screen": "GDSC, release 8"}}
    gdsc = [screen([*n, "same"], ["k"], obs={"DRUG_ID": [1, 2, 3, 4]}, **source) for n in names]
    assert len(matches(rt.pp.harmonize(*gdsc).drugs)) == 3
    beside = {"PUTATIVE_TARGET": ["a", "b", "c"]}
    tables = [drugs(*n, **ids, **beside) for n in names]
    assert len(matches(rt.pp.harmonize(*tables).drugs)) == 3
    # Or the names say so themselves; or the user does.
    numbers = {"drug_id": [1, 2, 3, 4, 5]}
    own = [drugs("P", "q", "r", "s", "code", **numbers), drugs(*"pqrst", **numbers)]
    assert matches(rt.pp.harmonize(*own).drugs)["code", "t"] == "drug_id"
    asked = rt.pp.harmonize(*(drugs(*n, **ids) for n in names), drug_ids="drug_id")
    assert len(matches(asked.drugs)) == 3


def test_names_alone_are_compared_on_demand():
    one, two = drugs("X", pubchem_id=[1]), drugs("Y", pubchem_id=[1])
    assert matches(rt.pp.harmonize(one, two).drugs) == {("X", "Y"): "pubchem_id"}
    assert matches(rt.pp.harmonize(one, two, drug_ids=[]).drugs) == {}
    with pytest.raises(ValueError, match="drug_ids='smiles' is not a column of both screens"):
        rt.pp.harmonize(one, two, drug_ids="smiles")


@pytest.mark.parametrize(
    "a, b",
    [
        ("NCI-H23", "NCIH23_LUNG"), ("H23", "NCI-H23"), ("MDA-MB-231", "MDA MB 231"),
        ("MDA-MB-231", "MDAMB231_BREAST"), ("42-MG-BA", "X42MGBA_CENTRAL_NERVOUS_SYSTEM"),
        ("786-O", "X786.O"), ("HCC1", "hcc-1"), ("\uff28T-29", "HT29"),
        ("SK\u2011MEL\u20112", "SKMEL2"),
        ("NCI-SNU-1", "SNU1_STOMACH"), ("697", "697_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE"),
    ],
)  # fmt: skip
def test_lines_are_the_same_however_they_are_spelled(a, b):
    assert matches(rt.pp.harmonize(lines(a), lines(b)).lines) == {(a, b): "normalised name"}
    assert matches(rt.pp.harmonize(lines(b), lines(a)).lines) == {(b, a): "normalised name"}


@pytest.mark.parametrize(
    "a, b",
    [
        ("HCC1187_MATCHED_NORMAL_TISSUE", "HCC1187"),  # another sample of the patient
        ("A375_SKIN_CJ1_RESISTANT", "A375"),
        ("PC-3_[JPC-3]", "PC-3"),  # a line from Japan
        ("SK-N-BE(2)", "SK-N-BE"),
        ("H4", "NCI-H4"),
        ("A375 clone 2", "A375"),
    ],
)
def test_lines_that_only_look_the_same_are_not(a, b):
    both = rt.pp.harmonize(lines(a), lines(b))
    assert matches(both.lines) == {}


@pytest.mark.parametrize(
    "a, b, out",
    [
        (["TT", "T-T"], ["T.T"], ["TT", "T-T", "T.T"]),
        (["HCC-1"], ["HCC1", "HCC 1"], ["HCC-1", "HCC1", "HCC 1"]),
        (["TT", "T-T"], ["TT", "T.T"], ["T-T", "T.T"]),
        (["TT"], ["T-T", "TT_THYROID"], ["TT", "T-T", "TT_THYROID"]),
        (["H23", "NCI-H-23"], ["NCIH23"], ["H23", "NCI-H-23", "NCIH23"]),
    ],
)
def test_lines_that_could_be_several_are_left_out_and_named(a, b, out):
    with pytest.warns(UserWarning, match=UNCLEAR) as told:
        both = rt.pp.harmonize(lines(*a), lines(*b))
    assert left_out(both.lines) == out
    told = [one for one in told if one.category is UserWarning]
    assert len(told) == 1
    assert all(repr(name) in str(told[0].message) for name in out)
    assert f"{len(out)} cell line name(s)" in str(told[0].message)
    assert not both.lines["name"][both.lines["how"] == "ambiguous"].any()


def test_identifiers_and_tissues_tell_lines_apart_that_names_do_not():
    one = lines("TT", "T-T", cosmic_id=[1, 2])
    two = lines("T.T", "tt", cosmic_id=[2, None])
    both = rt.pp.harmonize(one, two)
    assert matches(both.lines) == {("T-T", "T.T"): "cosmic_id", ("TT", "tt"): "normalised name"}
    one, two = lines("TT_THYROID", "TT_OESOPHAGUS"), lines("tt_oesophagus", "tt_thyroid")
    assert matches(rt.pp.harmonize(one, two).lines) == {
        ("TT_THYROID", "tt_thyroid"): "normalised name",
        ("TT_OESOPHAGUS", "tt_oesophagus"): "normalised name",
    }


def test_when_all_are_ambiguous_the_error_says_so():
    one, two = screen(["d"], ["TT", "T-T"]), screen(["d"], ["T.T"])
    with pytest.raises(ValueError, match=r"share no cell line.*Ambiguous.*'TT', 'T-T', 'T.T'"):
        rt.pp.harmonize(one, two)


@pytest.mark.parametrize(
    "a, b",
    [
        ("AZD6482 [156]", "azd-6482"), ("X (CTRP:30000)", "x"), ("X (rescreen)", "x"),
        ("X (GDSC1:1003)", "X (GDSC2:1800)"), ("(+)-JQ1", "JQ1-(+)"),
        ("(R)-Roscovitine", "R-roscovitine"),
        ("Pifithrin-\u03b1", "pifithrin-alpha"), ("(5Z)-7-Oxozeaenol", "5Z-7-oxozeaenol"),
        ("Olaparib (AZD-2281)", "olaparib"), ("Olaparib (AZD-2281)", "AZD2281"),
        ("Bleomycin_(50_uM)", "bleomycin"), ("X (10 uM)", "x (10.0 \u00b5M)"),
        ("A:B (1:1 mol/mol)", "a:b (1:1 mol/mol)"), ("X5.Fluorouracil", "5-Fluorouracil"),
        ("Paclitaxel_1080", "paclitaxel"),
        ("BRD-K12345678::2.50::HTS", "BRD-K12345678::2.5::MTS004"),
    ],
)  # fmt: skip
def test_drugs_are_the_same_however_they_are_spelled(a, b):
    assert list(matches(rt.pp.harmonize(drugs(a), drugs(b)).drugs)) == [(a, b)]
    assert list(matches(rt.pp.harmonize(drugs(b), drugs(a)).drugs)) == [(b, a)]


@pytest.mark.parametrize(
    "a, b",
    [
        ("(+)-JQ1", "(-)-JQ1"), ("JQ1 (+)", "JQ1 (\u2212)"), ("(R)-Roscovitine", "S-Roscovitine"),
        ("X (R)", "X (S)"), ("(E)-Resveratrol", "(Z)-Resveratrol"), ("cis-X12", "trans-X12"),
        ("X-alpha", "X-beta"), ("IFN-\u03b1", "IFN-\u03b2"), ("(2R,3S)-X", "(2S,3R)-X"),
        ("X (10 uM)", "X (1 uM)"), ("A:B (1:1 mol/mol)", "A:B (2:1 mol/mol)"), ("A:B", "AB"),
        ("X (hydrochloride)", "X (mesylate)"), ("erlotinib hydrochloride", "erlotinib"),
        ("PARP_0108", "PARP"), ("Bryostatin_1", "Bryostatin"), ("TW_37", "TW"),
        ("BRD-K12345678::2.5::HTS", "BRD-K12345678::10::HTS"),
    ],
)  # fmt: skip
def test_drugs_that_only_look_the_same_are_not(a, b):
    """Isomers are drugs of their own, and doses and ratios treatments of their own."""
    both = rt.pp.harmonize(drugs(a), drugs(b))
    assert matches(both.drugs) == {}
    assert left_out(both.drugs, "none") == [a, b]
    # Nor are they merged within a screen.
    own = rt.pp.harmonize(drugs(a, b), drugs(a, b))
    assert own.a.n_obs == 3


@pytest.mark.parametrize(
    "a, b",
    [
        (["JQ1"], ["(+)-JQ1", "(-)-JQ1"]), (["JQ1"], ["(+)-JQ1"]), (["X"], ["X (R)"]),
        (["Roscovitine"], ["R-Roscovitine"]), (["X12"], ["trans-X12", "cis-X12"]),
        (["Bleomycin (10 uM)", "Bleomycin (50 uM)"], ["Bleomycin"]),
        (["X (1:1)", "X (2:1)"], ["x"]), (["X (foo)", "X (bar)"], ["X"]),
        (["Torin 2", "torin2"], ["TORIN-2"]),
        (["BRD-K12345678::2.5::HTS", "BRD-K12345678::10::HTS"], ["BRD-K12345678"]),
    ],
)  # fmt: skip
def test_drugs_that_could_be_several_are_left_out_and_named(a, b):
    for one, two in ((a, b), (b, a)):
        with pytest.warns(UserWarning, match=UNCLEAR) as told:
            both = rt.pp.harmonize(drugs(*one), drugs(*two))
        assert left_out(both.drugs) == [*one, *two]
        assert matches(both.drugs) == {}
        assert len(told) == 1


def test_of_several_treatments_each_has_its_own_partner():
    one = drugs("Bleomycin", "Bleomycin (10 uM)", "Bleomycin (50 uM)")
    two = drugs("bleomycin (50 \u03bcM)", "BLEOMYCIN")
    both = rt.pp.harmonize(one, two)
    assert set(matches(both.drugs)) == {
        ("Bleomycin", "BLEOMYCIN"), ("Bleomycin (50 uM)", "bleomycin (50 \u03bcM)")
    }  # fmt: skip
    np.testing.assert_array_equal(both.a["Bleomycin"].X, one["Bleomycin"].X)
    assert left_out(both.drugs, "none") == ["Bleomycin (10 uM)"]


def test_names_that_all_end_in_numbers_of_gdsc_are_known_without():
    names = ["Paclitaxel_1080", "Dabrafenib_1373", "Olaparib_1017", "Olaparib_1495", "Erlotinib_1"]
    both = rt.pp.harmonize(
        screen(names, ["k"]), screen(["paclitaxel", "olaparib", "Erlotinib"], ["k"])
    )
    assert list(both.a.obs_names) == ["Paclitaxel_1080", "Olaparib", "Erlotinib_1"]
    numbered = screen(["Drug_1080_IC50", "Drug_1373_IC50"], ["k"])
    found = matches(rt.pp.harmonize(screen(names, ["k"]), numbered).drugs)
    assert found == {("Paclitaxel_1080", "Drug_1080_IC50"): "drug_id",
                     ("Dabrafenib_1373", "Drug_1373_IC50"): "drug_id"}  # fmt: skip
    # A count of replicates is none: X_1, X_2, Y_1.
    counted = screen(["X_1", "X_2", "Y_1"], ["k"])
    assert rt.pp.harmonize(counted, counted.copy()).a.n_obs == 3


def test_one_identifier_at_two_names_makes_no_replicates():
    """Broad's and PubChem's tables have such slips: the name decides, or nobody does."""
    one = drugs("Vemurafenib", "PLX4032", pubchem_id=[42611257, 42611257])
    both = rt.pp.harmonize(one, drugs("vemurafenib", pubchem_id=[42611257]))
    assert matches(both.drugs) == {("Vemurafenib", "vemurafenib"): "normalised name"}
    assert left_out(both.drugs, "duplicate") == ["PLX4032"]
    with pytest.warns(UserWarning, match=UNCLEAR):
        both = rt.pp.harmonize(one, drugs("RG7204", pubchem_id=[42611257]))
    assert left_out(both.drugs) == ["Vemurafenib", "PLX4032", "RG7204"]
    counted = drugs("Olaparib_1", "Olaparib_2", "z", pubchem_id=[23725625, 23725625, 7])
    both = rt.pp.harmonize(counted, drugs("olaparib", pubchem_id=[23725625]))
    assert both.a.n_obs == 2
    # A rescreen, or another batch, is a replicate.
    one = drugs("torin2", "Torin 2", "BRD-K00000001-001-01-1", "BRD-K00000001-002-02-2",
                pubchem_id=[1, 1, None, None])  # fmt: skip
    two = drugs("torin-2", "y", broad_id=[None, "BRD-K00000001"])
    assert rt.pp.harmonize(one, two).a.n_obs == 3


def test_other_numbers_of_salts_do_not_part_drugs_but_other_compounds_do():
    """PubChem's numbers differ for 7 of 29 drugs that GDSC and FIMM share: doxorubicin, ..."""
    one, two = drugs("Doxorubicin", pubchem_id=[31703]), drugs("doxorubicin", cid=[32874])
    with pytest.warns(UserWarning, match="one name in both screens, and other ident.*'Doxorub"):
        both = rt.pp.harmonize(one, two)
    assert list(matches(both.drugs)) == [("Doxorubicin", "doxorubicin")]
    one, two = drugs("JQ1", InChIKey=[KEY]), drugs("JQ1", InChIKey=[ITS_MIRROR])
    assert left_out(rt.pp.harmonize(one, two).drugs, "contradicted") == ["JQ1", "JQ1"]
    one, two = drugs("X", broad_id=["BRD-K00000001"]), drugs("X", broad_id=["BRD-K00000002"])
    assert left_out(rt.pp.harmonize(one, two).drugs, "contradicted") == ["X", "X"]


def test_an_alias_joins_isomers_only_where_there_is_one():
    alias = {"JQ1": "JQ-one"}
    both = rt.pp.harmonize(drugs("(+)-JQ1"), drugs("JQ-one"), aliases=alias)
    assert matches(both.drugs) == {("(+)-JQ1", "JQ-one"): "alias"}
    with pytest.warns(UserWarning, match=UNCLEAR):
        both = rt.pp.harmonize(drugs("(+)-JQ1", "(-)-JQ1"), drugs("JQ-one"), aliases=alias)
    assert matches(both.drugs) == {}
    plus = {"(+)-JQ1": "JQ-one"}
    both = rt.pp.harmonize(drugs("(+)-JQ1", "(-)-JQ1"), drugs("JQ-one"), aliases=plus)
    assert matches(both.drugs) == {("(+)-JQ1", "JQ-one"): "alias"}


@pytest.mark.parametrize(
    ("a", "b", "aliases", "pairs"),
    [
        (["(+)-JQ1"], "JQ1", {"(+)-JQ1": "JQ1"}, ["(+)-JQ1"]),
        (["(+)-JQ1", "(-)-JQ1"], "JQ1", {"(+)-JQ1": "JQ1"}, ["(+)-JQ1"]),
        (["(+)-JQ1", "(-)-JQ1"], "JQ1", {"JQ1": "JQ1"}, []),
        (["(+)-JQ1"], "(-)-JQ1", {"JQ1": "(-)-JQ1"}, []),
        (["Bleo (50 uM)", "Bleo (10 uM)"], "Bleomycin", {"Bleo": "Bleomycin"}, []),
        (["Bleo (50 uM)"], "Bleomycin (10 uM)", {"Bleo": "Bleomycin (10 uM)"}, []),
    ],
)
@pytest.mark.filterwarnings("ignore:Left out")
def test_an_alias_of_the_bare_name_joins_no_isomers_or_doses(a, b, aliases, pairs):
    """One of the whole name is taken at its word."""
    both = rt.pp.harmonize(drugs(*a), drugs(b), aliases=aliases)
    assert list(matches(both.drugs)) == [(name, b) for name in pairs]


def test_screens_named_by_identifiers_go_by_their_names_too():
    """As DepMap's downloads have them: ACH numbers, and names in a column."""
    depmap = screen(["BRD-K12345678-001-01-9", "y"], ["ACH-000001", "ACH-000002"],
                    obs={"name": ["dabrafenib", "z"]},
                    var={"cell_line_display_name": ["A375", "HT29"]})  # fmt: skip
    both = rt.pp.harmonize(depmap, screen(["Dabrafenib", "Y"], ["A-375", "HT29"]))
    assert both.a.shape == (2, 2)
    assert set(both.lines["how"]) == {"normalised name", "name"}
    assert "z" not in set(both.drugs["name"])


def test_when_identifiers_contradict_all_the_error_says_so():
    one = screen(["d"], ["TT"], var={"cosmic_id": [1]})
    two = screen(["d"], ["TT"], var={"cosmic_id": [2]})
    with pytest.raises(ValueError, match=r"share no cell line.*Contradicted by their.*: 'TT'\."):
        rt.pp.harmonize(one, two)


NEAR = [
    ("imatinb", "imatinib", True), ("erlotinib hydrochloride", "erlotinib", True),
    ("AZD6244", "AZD6482", False), ("lapatinib", "trametinib", False),
]  # fmt: skip


@pytest.mark.parametrize("a, b, near", NEAR)
def test_what_is_near_stands_in_the_table(a, b, near):
    both = rt.pp.harmonize(drugs(a), drugs(b))
    table = both.drugs.set_index(["screen", "original"])
    assert table.loc[("a", a), "nearest"] == b * near
    assert table.loc[("b", b), "nearest"] == a * near
    assert table.loc[("a", "same"), "nearest"] == ""


def test_nearest_lines_are_named():
    both = rt.pp.harmonize(lines("A375.old", "NCI-H2087"), lines("A375", "NCI-H2085"))
    near = both.lines.set_index(["screen", "original"])["nearest"]
    assert near["a", "A375.old"] == "A375"
    assert near["b", "A375"] == "A375.old"
    assert near["a", "NCI-H2087"] == near["b", "NCI-H2085"] == ""
    with pytest.raises(ValueError, match=r"share no cell line.*Nearest: 'A375.old / A375'"):
        rt.pp.harmonize(screen(["d"], ["A375.old"]), screen(["d"], ["A375", "x"]))


WALK = pd.DataFrame(
    {
        "ModelID": ["ACH-000001", "ACH-000002", "ACH-000003"],
        "COSMICID": [906826.0, 905940.0, np.nan],
        "SangerModelID": ["SIDM00001", None, None],
        "RRID": ["CVCL_0001", None, "CVCL_0003"],
        "CellLineName": ["CAL-120", "Foo", "Bar-1"],
        "StrippedCellLineName": ["CAL120", "FOO", "BAR1"],
        "CCLEName": ["CAL120_BREAST", "FOO_LUNG", "BAR1_SKIN"],
    }
)
PASSPORTS = pd.DataFrame(
    {
        "model_id": ["SIDM00001", "SIDM00002", "SIDM00003"],
        "model_name": ["CAL-120", "Foo", "Bar-1"],
        "synonyms": ["Cal 120;C120", "Food", None],
        "COSMIC_ID": [906826, 905940, None],
        "BROAD_ID": ["ACH-000001", "ACH-000002", "ACH-000003"],
        "RRID": ["CVCL_0001", None, "CVCL_0003"],
    }
)


@pytest.mark.parametrize("table", [WALK, PASSPORTS, WALK.set_index("ModelID")])
def test_a_crosswalk_bridges_kinds_of_identifiers(table):
    one = screen(["d"], ["ACH-000001", "ACH-000002", "ACH-000003", "ACH-000009"])
    two = screen(["d"], ["x", "COSMIC_905940", "bar 1", "z"],
                 var={"cosmic_id": [906826, None, None, 7]})  # fmt: skip
    with pytest.raises(ValueError, match="share no cell line"):
        rt.pp.harmonize(one, two)
    both = rt.pp.harmonize(one, two, crosswalk=table)
    assert matches(both.lines) == {
        ("ACH-000001", "x"): "cosmic_id",
        ("ACH-000002", "COSMIC_905940"): "cosmic_id",
        ("ACH-000003", "bar 1"): "normalised name",
    }
    assert set(both.lines["how"][both.lines["screen"] == "a"]) == {"depmap_id", "none"}
    other = screen(["d"], ["RRID:CVCL_0001"])
    assert matches(rt.pp.harmonize(one, other, crosswalk=table).lines) == {
        ("ACH-000001", "RRID:CVCL_0001"): "cellosaurus_id"
    }


def test_a_crosswalk_may_be_a_file_and_names_others_in_synonyms(tmp_path):
    PASSPORTS.to_csv(tmp_path / "list.csv.gz", index=False)
    one, two = screen(["d"], ["ACH-000001", "ACH-000002"]), screen(["d"], ["c-120", "foo"])
    both = rt.pp.harmonize(one, two, crosswalk=tmp_path / "list.csv.gz")
    assert matches(both.lines) == {
        ("ACH-000001", "c-120"): "normalised name", ("ACH-000002", "foo"): "normalised name"
    }  # fmt: skip
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none\.csv"):
        rt.pp.harmonize(one, two, crosswalk=tmp_path / "none.csv")
    with pytest.raises(ValueError, match="no column of identifiers or names of cell lines"):
        rt.pp.harmonize(one, two, crosswalk=pd.DataFrame({"age": [1]}))
    with pytest.raises(TypeError, match="crosswalk must be a table"):
        rt.pp.harmonize(one, two, crosswalk=3)


def test_a_crosswalk_contradicts_names():
    """TT and T-T are two lines, whatever a screen calls the one that it has."""
    table = pd.DataFrame({"depmap_id": ["ACH-000001", "ACH-000002"], "cosmic_id": [111111, 222222]})
    one = lines("TT", depmap_id=["ACH-000001"])
    two = lines("TT", cosmic_id=[222222])
    assert matches(rt.pp.harmonize(one, two).lines) == {("TT", "TT"): "name"}
    both = rt.pp.harmonize(one, two, crosswalk=table)
    assert left_out(both.lines, "contradicted") == ["TT", "TT"]


@pytest.mark.parametrize(
    "a, b, shape, out",
    [
        ("collide_a.csv", "collide_b.csv", (12, 2), {"lines": ["TT", "T-T", "T.T"]}),
        ("jq1_a.csv", "jq1_b.csv", (1, 4), {"drugs": ["JQ1", "(+)-JQ1", "(-)-JQ1"]}),
    ],
)
def test_names_people_have_are_not_confused(shared_data, a, b, shape, out):
    screens = [read(shared_data("cases") / file) for file in (a, b)]
    with pytest.warns(UserWarning, match=UNCLEAR):
        both = rt.pp.harmonize(*screens)
    assert both.a.shape == shape
    for name in ("drugs", "lines"):
        assert left_out(getattr(both, name)) == out.get(name, [])


def test_names_people_have_are_understood(shared_data):
    gdsc, ccle = (read(shared_data("cases") / f"{name}_names.csv") for name in ("gdsc", "ccle"))
    both = rt.pp.harmonize(gdsc, ccle)
    assert both.a.shape == (6, 40)
    np.testing.assert_array_equal(both.a.X, both.b.X)
    # By way of DepMap's table, too, which has CCLE's names.
    model = pd.read_csv(shared_data("cases") / "Model.csv.gz").set_index("CCLEName")["ModelID"]
    depmap = gdsc.copy()
    depmap.var_names = [model.get(name, name) for name in ccle.var_names]
    assert depmap.var_names.str.startswith("ACH-").sum() > 30
    # CCLE has two KMH2, of the thyroid and of lymph.
    with pytest.warns(UserWarning, match=f"{UNCLEAR}.*'KM-H2', 'ACH-"):
        bridged = rt.pp.harmonize(gdsc, depmap, crosswalk=shared_data("cases") / "Model.csv.gz")
    assert bridged.a.n_vars == 39
    np.testing.assert_array_equal(bridged.a.X, bridged.b.X)


def test_published_lines_matched_by_name_have_one_identifier(published, shared_data):
    """All lines of GDSC1 and GDSC1000 that names match have the same COSMIC identifier."""
    own = rt.datasets.gdsc1()
    known = own.var["cosmic_id"]
    own.var = own.var[[]]
    found = rt.pp.harmonize(own, published("gdsc1000")).lines
    table = pd.read_csv(shared_data("gdsc1000") / "cells.csv.gz").set_index("cell_line")
    pairs = matches(found)
    assert len(pairs) == 966
    assert all(known[a] == table["COSMIC_ID"][b] for a, b in pairs)
