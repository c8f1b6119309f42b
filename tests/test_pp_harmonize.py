"""Two screens under the same names: who is who, what is merged, which way is up."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import rtdmf_bio as rt
from rtdmf_bio.pp._matching import normalised, plain


def screen(drugs, lines, *, higher_is="resistant", seed=0, **var):
    rng = np.random.default_rng(seed)
    adata = anndata.AnnData(
        rng.random((len(drugs), len(lines))),
        pd.DataFrame(index=list(drugs)),
        pd.DataFrame(var, index=list(lines)),
    )
    if higher_is:
        adata.uns["measure"] = {"name": "auc", "higher_is": higher_is, "bounds": [0, 1]}
    return adata


A = screen(["Nutlin-3a_(-)", "PLX-4720", "AZD6482 [156]", "AZD6482 [1066]", "only a"],
           ["A-375", "HT 29", "MCF7", "lonely"])  # fmt: skip
B = screen(["azd6482", "PLX4720", "nutlin-3", "only b"], ["mcf-7", "A375", "HT29"], seed=1)
ALIASES = {"NUTLIN3A": "NUTLIN3"}


def how(table, one, original):
    row = table[(table["screen"] == one) & (table["original"] == original)]
    return tuple(row[["name", "how"]].iloc[0])


@pytest.mark.parametrize(
    "name, bare, key",
    [
        ("AZD6482 [156]", "AZD6482", "azd6482"),
        ("Nutlin-3a_(-)", "Nutlin-3a", "nutlin3a"),
        ("Bleomycin_(50_uM)", "Bleomycin", "bleomycin"),
        ("(5Z)-7-Oxozeaenol", "(5Z)-7-Oxozeaenol", "5z7oxozeaenol"),
        ("Vinorelbine_", "Vinorelbine_", "vinorelbine"),
        ("(-)", "(-)", "-"),
    ],
)
def test_what_follows_in_brackets_is_no_name(name, bare, key):
    assert plain(name) == bare
    assert (normalised(bare) or "-") == key


def test_matches_are_made_and_told():
    both = rt.pp.harmonize(A, B, aliases=ALIASES)
    assert list(both.a.obs_names) == ["Nutlin-3a_(-)", "PLX-4720", "AZD6482"]
    assert list(both.b.obs_names) == list(both.a.obs_names)
    assert list(both.a.var_names) == list(both.b.var_names) == ["A-375", "HT 29", "MCF7"]
    assert how(both.drugs, "a", "Nutlin-3a_(-)") == ("Nutlin-3a_(-)", "alias")
    assert how(both.drugs, "b", "PLX4720") == ("PLX-4720", "normalised name")
    assert how(both.drugs, "a", "only a") == how(both.drugs, "b", "only b") == ("", "none")
    assert how(both.lines, "b", "HT29") == ("HT 29", "normalised name")
    assert how(both.lines, "a", "lonely") == ("", "none")
    assert len(both.drugs) == 9
    assert len(both.lines) == 7
    np.testing.assert_array_equal(both.b["PLX-4720"].X, B["PLX4720", ["A375", "HT29", "mcf-7"]].X)
    assert "Nutlin-3a_(-)" not in rt.pp.harmonize(A, B).a.obs_names


def test_aliases_may_be_a_table():
    table = pd.DataFrame({"norm_name": ["NUTLIN3A"], "unified": ["NUTLIN3"]})
    both, same = (rt.pp.harmonize(A, B, aliases=x) for x in (ALIASES, table))
    pd.testing.assert_frame_equal(both.drugs, same.drugs)


def test_harmonised_screens_pass_unchanged_and_the_given_ones_stay():
    before = A.copy()
    both = rt.pp.harmonize(A, B, aliases=ALIASES)
    again = rt.pp.harmonize(both.a, both.b)
    np.testing.assert_array_equal(again.a.X, both.a.X)
    assert set(again.drugs["how"]) == set(again.lines["how"]) == {"name"}
    np.testing.assert_array_equal(A.X, before.X)
    assert list(A.obs_names) == list(before.obs_names)


def test_replicates_are_averaged_over_what_was_measured():
    a = A.copy()
    a.X[2, 0] = np.nan
    a.X[2:4, 1] = np.nan
    a.layers["rtdmf_flag"] = np.array([[1] * 4, [1] * 4, [1, 0, 3, 1], [2, 0, 1, 1], [1] * 4])
    merged = rt.pp.harmonize(a, B).a["AZD6482"]
    assert merged.X[0, 0] == a.X[3, 0]
    assert np.isnan(merged.X[0, 1])
    assert merged.X[0, 2] == pytest.approx((a.X[2, 2] + a.X[3, 2]) / 2)
    assert merged.layers["rtdmf_flag"].tolist() == [[2, 0, 3]]


def test_whole_numbers_in_x_are_never_flags(x_among_layers):
    a, b = (screen(drugs, ["k"], higher_is=None) for drugs in (["p [1]", "p [2]", "q"], ["p", "q"]))
    a.X = np.array([[1], [2], [5]])
    assert rt.pp.harmonize(a, b).a.X.tolist() == [[1.5], [5.0]]


def test_whole_numbers_are_averaged_too_unless_they_are_flags():
    a = screen(["p [1]", "p [2]", "q"], ["k", "l"])
    a.X = np.array([[1, 4], [2, 8], [5, 5]])
    a.layers["viability"] = a.X + 1
    a.layers["rtdmf_flag"] = np.array([[1, 3], [2, 0], [1, 1]], dtype=np.int8)
    a.uns["layer_measures"] = {"viability": {"name": "viability", "higher_is": "resistant"}}
    b = screen(["p", "q"], ["k", "l"])
    merged = rt.pp.harmonize(a, b).a
    for adata in (a, b):
        del adata.uns["measure"]
    np.testing.assert_array_equal(rt.pp.harmonize(a, b).a.X, merged.X)
    assert merged.X.tolist() == [[1.5, 6.0], [5.0, 5.0]]
    assert merged.layers["viability"].tolist() == [[2.5, 7.0], [6.0, 6.0]]
    assert merged.layers["rtdmf_flag"].tolist() == [[2, 3], [1, 1]]
    assert merged.layers["rtdmf_flag"].dtype == np.int8


def test_replicates_are_refused_on_demand():
    b = B[["PLX4720"]].copy()
    assert rt.pp.harmonize(A, b, replicates="error").a.n_obs == 1  # those not shared do not matter
    with pytest.raises(ValueError, match=r"2 rows of the first.*'AZD6482 \[156\]', 'AZD6482 \[10"):
        rt.pp.harmonize(A, B, replicates="error")
    with pytest.raises(ValueError, match="rows of the second screen"):
        rt.pp.harmonize(B, A, replicates="error")


def test_identifiers_come_before_names():
    """Cell lines are renamed, and different ones share a name; identifiers are not."""
    a = screen(["d", "e"], ["X1", "X3", "X4", "X2"], COSMIC_ID=[1, 3, np.nan, 2])
    b = screen(["d", "e"], ["other", "X2", "X3", "x4"], cosmic_id=["1", "99", "3", "44"])
    both = rt.pp.harmonize(a, b)
    assert how(both.lines, "b", "other") == ("X1", "cosmic_id")
    for one in "ab":  # one name, two lines
        assert how(both.lines, one, "X2") == ("", "contradicted")
    assert how(both.lines, "b", "X3") == ("X3", "cosmic_id")
    assert how(both.lines, "b", "x4") == ("X4", "normalised name")
    assert rt.pp.harmonize(a, b, line_ids=[]).a.shape == (2, 3)
    only = rt.pp.harmonize(a, b, line_ids="cosmic_id")
    pd.testing.assert_frame_equal(only.lines, both.lines)


def test_a_line_that_comes_twice_is_taken_once_and_told():
    a = screen(["d", "e"], ["p", "q", "R"], cosmic_id=["7", "7", "8"])
    b = screen(["d", "e"], ["x", "r"], cosmic_id=[None, "7"])
    both = rt.pp.harmonize(a, b)
    assert list(both.a.var_names) == ["p"]
    assert how(both.lines, "a", "q") == ("", "duplicate")
    assert how(both.lines, "a", "R") == ("", "contradicted")
    np.testing.assert_array_equal(both.a[:, "p"].X, a[:, "p"].X)
    b.var_names = ["x", "q"]  # contradicted by its name, the twin of another by number
    b.var["depmap_id"], a.var["depmap_id"] = ["", "A"], ["A", "A", ""]
    a.var["cosmic_id"] = ["7", "6", ""]
    assert how(rt.pp.harmonize(a, b).lines, "a", "q") == ("", "duplicate")


def test_an_identifier_at_two_lines_is_that_of_the_one_with_the_name():
    """FIMM's table gives Mono-Mac-1 the number of SK-OV-3."""
    a = screen(["d", "e"], ["Mono-Mac-1", "SK-OV-3"], cosmic_id=[905959, 905959])
    b = screen(["d", "e"], ["SKOV3", "MONOMAC1"], cosmic_id=[905959, 1])
    both = rt.pp.harmonize(a, b)
    assert how(both.lines, "b", "SKOV3") == ("SK-OV-3", "cosmic_id")
    assert how(both.lines, "b", "MONOMAC1") == ("Mono-Mac-1", "normalised name")
    turned = rt.pp.harmonize(b, a)
    assert how(turned.lines, "b", "Mono-Mac-1") == ("MONOMAC1", "normalised name")


def test_a_line_matched_by_its_identifier_is_not_matched_again_by_name():
    a = screen(["d", "e"], ["TT", "K"], cosmic_id=["1", ""])
    b = screen(["d", "e"], ["TT", "other"], cosmic_id=["", "1"])
    both = rt.pp.harmonize(a, b)
    assert how(both.lines, "b", "other") == ("TT", "cosmic_id")
    assert how(both.lines, "b", "TT") == ("", "duplicate")
    assert both.b.n_vars == 1
    # Nor does one that is taken hide another of its name.
    a = screen(["d", "e"], ["first", "TT"], cosmic_id=["1", ""])
    b = screen(["d", "e"], ["T-T", "t.t"], cosmic_id=["1", ""])
    both = rt.pp.harmonize(a, b)
    assert how(both.lines, "b", "T-T") == ("first", "cosmic_id")
    assert how(both.lines, "b", "t.t") == ("TT", "normalised name")


def test_why_a_line_has_no_partner_is_asked_of_all_that_are_like_it():
    a = screen(["d", "e"], ["K", "TT"], cosmic_id=["", "1"])
    b = screen(["d", "e"], ["TT", "other"], cosmic_id=["9", "1"])
    assert how(rt.pp.harmonize(a, b).lines, "b", "TT") == ("", "contradicted")
    a = screen(["d", "e"], ["t.t", "T-T"], cosmic_id=["5", "6"])
    b = screen(["d", "e"], ["TT", "tT"], cosmic_id=["5", "7"])
    # One like it is taken, the other contradicts it.
    assert how(rt.pp.harmonize(a, b).lines, "a", "T-T") == ("", "contradicted")
    b.var["cosmic_id"] = ["5", ""]
    assert how(rt.pp.harmonize(a, b).lines, "a", "T-T") == ("T-T", "normalised name")


def test_the_nearest_names_come_first():
    a = screen(["erlotinib hydrochloride", "imatinb"], ["k", "l"])
    b = screen(["erlotinib", "imatinib"], ["k", "l"])
    nearest = r"Nearest: 'imatinb / imatinib', 'erlotinib hydrochloride / erlotinib'"
    with pytest.raises(ValueError, match=nearest):
        rt.pp.harmonize(a, b)


def test_names_without_letters_of_the_alphabet_are_still_names():
    both = rt.pp.harmonize(screen(["青蒿素", "d"], ["k", "l"]), screen(["紫杉醇", "d"], ["k", "l"]))
    assert list(both.a.obs_names) == ["d"]
    assert how(both.drugs, "b", "紫杉醇") == ("", "none")


def test_identifiers_held_as_text_are_the_same_ones():
    """As a table reads them once a column has gaps; what says "missing" identifies nobody."""
    a = screen(["d", "e"], ["p", "q", "HeLa"], cosmic_id=["905949", "905950.0", "nan"])
    b = screen(["d", "e"], ["x", "q", "U87"], cosmic_id=["905949.0", 905950, "NA"])
    both = rt.pp.harmonize(a, b)
    assert how(both.lines, "a", "p") == ("p", "cosmic_id")
    assert how(both.lines, "a", "q") == ("q", "cosmic_id")
    assert how(both.lines, "a", "HeLa") == ("", "none")


def test_letters_of_any_alphabet_count():
    a = screen(["IFN-Ж", "IFN-Д", "d"], ["细胞1", "k"])
    b = screen(["ifn д", "d"], ["株1", "k"])
    both = rt.pp.harmonize(a, b)
    assert list(both.a.obs_names) == ["IFN-Д", "d"]
    assert list(both.a.var_names) == ["k"]
    aliased = rt.pp.harmonize(screen(["紫杉醇", "d"], ["k"]), screen(["Paclitaxel"], ["k"]),
                              aliases={"紫杉醇": "Paclitaxel"})  # fmt: skip
    assert how(aliased.drugs, "a", "紫杉醇") == ("紫杉醇", "alias")


def test_aliases_may_be_blank_or_have_brackets():
    for nothing in ([np.nan, "", "NA"], ["--", "?", "..."]):
        blank = pd.DataFrame({"name": ["B", "C", "D"], "unified": nothing})
        both = rt.pp.harmonize(screen("ABC", ["k"]), screen("AD", ["k"]), aliases=blank)
        assert list(both.a.obs_names) == ["A"]
    old, new = screen(["A", "JQ1 (old)"], ["k"]), screen(["A", "Foo"], ["k"])
    both = rt.pp.harmonize(old, new, aliases={"JQ1 (old)": "Foo"})
    assert how(both.drugs, "a", "JQ1 (old)") == ("JQ1 (old)", "alias")
    short, long = screen(["A", "PLX"], ["k"]), screen(["A", "Vemurafenib [12]"], ["k"])
    both = rt.pp.harmonize(short, long, aliases={"PLX": "Vemurafenib [12]"})
    assert how(both.drugs, "a", "PLX") == ("PLX", "alias")


def test_replicates_take_no_name_of_another_drug():
    a = screen(["X [2]", "X [3]", "X", "Y"], ["k"])
    a.obs["broad_id"] = [f"BRD-K{n:08d}" for n in (1, 1, 2, 3)]
    b = screen(["p", "q"], ["k"])
    b.obs["broad_id"] = ["BRD-K00000001", "BRD-K00000002"]
    assert list(rt.pp.harmonize(a, b).a.obs_names) == ["X [2]", "X"]


def test_floating_identifiers_are_identifiers():
    a = screen(["d", "e"], ["p", "q"], ModelID=["ACH-1", None], COSMICID=[906800.0, 7.0])
    b = screen(["d", "e"], ["r", "s"], depmap_id=["ACH-1", "ACH-2"], cosmic_id=[np.nan, 7])
    both = rt.pp.harmonize(a, b)
    assert how(both.lines, "a", "p") == ("p", "depmap_id")
    assert how(both.lines, "a", "q") == ("q", "cosmic_id")


def test_another_direction_is_refused_or_turned_over():
    b = B.copy()
    b.uns["measure"] = {"name": "aac", "higher_is": "sensitive", "bounds": [0, 1]}
    with pytest.raises(ValueError, match=r"higher is resistant.*sensitive.*align_direction=True"):
        rt.pp.harmonize(A, b)
    both = rt.pp.harmonize(A, b, align_direction=True)
    np.testing.assert_allclose(both.b.X, 1 - rt.pp.harmonize(A, B).b.X)
    assert both.b.uns["measure"]["higher_is"] == "resistant"
    assert b.uns["measure"]["higher_is"] == "sensitive"
    b.uns["measure"] = {}
    with pytest.warns(UserWarning, match="direction of the second screen is not known"):
        rt.pp.harmonize(A, b)


@pytest.mark.parametrize(
    ("name", "other"),
    [("auc", "ln_ic50"), ("auc_recomputed", "ic50_recomputed"), ("AUC", "面积")],
)
def test_measures_of_different_kinds_are_no_silent_match(name, other):
    a, b = A.copy(), B.copy()
    a.uns["measure"]["name"], b.uns["measure"]["name"] = name, other
    said = f"first screen holds '{name}', the second '{other}'"
    with pytest.warns(UserWarning, match=said):
        rt.pp.harmonize(a, b)
    # One that is turned over has another name for a reason.
    b.uns["measure"]["higher_is"] = "sensitive"
    rt.pp.harmonize(a, b, align_direction=True)


@pytest.mark.parametrize(
    ("name", "other"),
    [("auc_published", "AUC"), ("IC50 (ln)", "ic50_recomputed"), ("面积", "面积"), (None, "auc")],
)
def test_measures_of_one_kind_match_however_they_are_called(name, other):
    a, b = A.copy(), B.copy()
    a.uns["measure"]["name"], b.uns["measure"]["name"] = name, other
    if name is None:
        del a.uns["measure"]["name"]
    rt.pp.harmonize(a, b)


@pytest.mark.parametrize(
    ("bounds", "turned"),
    [({}, None), (None, None), ([0, np.inf], [-np.inf, 0]), ([-np.inf, np.inf], [-np.inf, np.inf])],
)
def test_without_finite_bounds_only_the_sign_is_turned(bounds, turned):
    """An IC50 has no upper bound: low + high - value would be infinite everywhere."""
    b = B.copy()
    b.uns["measure"] = {"name": "pIC50", "higher_is": "sensitive", "bounds": bounds}
    if bounds == {}:
        del b.uns["measure"]["bounds"]
    both = rt.pp.harmonize(A, b, align_direction=True)
    np.testing.assert_array_equal(both.b.X, -rt.pp.harmonize(A, B).b.X)
    assert both.b.uns["measure"].get("bounds") == turned
    assert both.b.uns["measure"]["name"] == "-pIC50"


def test_a_screen_that_was_turned_over_is_corrected(rough_fits):
    """It is of another kind now, and what was read as beyond a dose lies on the other side."""
    a = screen([f"d{k}" for k in range(12)], [f"l{k}" for k in range(15)])
    b = a.copy()
    a.uns["measure"] = {"name": "pIC50", "higher_is": "sensitive"}
    b.uns["measure"] = {"name": "ln_ic50", "kind": "ln_ic50", "higher_is": "resistant"}
    b.layers["censored"] = np.zeros(b.shape, np.int8)
    b.X[2, 3], b.layers["censored"][2, 3] = 1.2, 1
    both = rt.pp.harmonize(a, b, align_direction=True)
    assert "kind" not in both.b.uns["measure"]
    assert both.b.X[2, 3] == -1.2
    assert both.b.layers["censored"][2, 3] == -1
    assert np.count_nonzero(both.b.layers["censored"]) == 1
    rt.pp.correct(both.b, group_key=None, progress=False)
    assert both.b.uns["rtdmf"]["found"]["n_censored"] == 1


def test_a_mean_of_replicates_is_beyond_a_dose_if_one_of_them_is():
    b = screen(["d [1]", "d [2]"], ["k", "l", "m", "n"])
    b.obs["drug"] = "d"
    b.layers["censored"] = np.array([[1, 0, -1, 1], [0, 0, -1, -1]], np.int8)
    merged = rt.pp.harmonize(screen(["d"], ["k", "l", "m", "n"]), b).b
    np.testing.assert_array_equal(merged.layers["censored"], [[1, 0, -1, 0]])


def measured(x, **layers):
    """A screen whose layers have directions of their own; X has ``x``."""
    adata = screen(["d", "e"], ["k", "l", "m"], higher_is=x)
    for name, higher_is in layers.items():
        adata.layers[name] = adata.X + 1
        if higher_is:
            adata.uns.setdefault("layer_measures", {})[name] = {
                "name": name,
                "higher_is": higher_is,
            }
    return adata


R, S = "resistant", "sensitive"


@pytest.mark.parametrize(
    "a, b, turned",
    [
        (measured(R, v=R), measured(R, v=S), {"v"}),
        (measured(R, v=R), measured(S, v=R), {"X"}),
        (measured(R, v=R), measured(S, v=S), {"X", "v"}),
        (measured(R, v=None), measured(S, v=None), {"X", "v"}),
        (measured(R, v=R), measured(S, v=None), {"X", "v"}),
        (measured(R, v=S), measured(S, v=None), {"X"}),
        (measured(R), measured(S, v=S), {"X"}),
    ],
    ids=["layer", "X", "both", "inherited", "a's alone", "a's alone, agreeing", "b's alone"],
)
def test_each_layer_is_turned_by_its_own_measure(a, b, turned):
    with pytest.raises(ValueError, match="align_direction=True"):
        rt.pp.harmonize(a, b)
    out = rt.pp.harmonize(a, b, align_direction=True).b
    np.testing.assert_array_equal(out.X, 1 - b.X if "X" in turned else b.X)
    one = b.layers["v"]
    # What has the measure of X has its bounds.
    inherited = "v" not in b.uns.get("layer_measures", {})
    expected = ((1 - one) if inherited else -one) if "v" in turned else one
    np.testing.assert_array_equal(out.layers["v"], expected)
    if "v" in a.layers:
        rt.pp.harmonize(a, out)  # they agree now


@pytest.mark.parametrize("layers", [{}, {"v": None}], ids=["X alone", "X and a layer"])
def test_x_is_turned_over_once(x_among_layers, layers):
    """Twice would be not at all, under the name of the other direction."""
    a, b = measured(R, **layers), measured(S, **layers)
    out = rt.pp.harmonize(a, b, align_direction=True).b
    np.testing.assert_array_equal(out.X, 1 - b.X)
    for name in layers:
        np.testing.assert_array_equal(out.layers[name], 1 - b.layers[name])
    assert np.corrcoef(a.X.ravel(), out.X.ravel())[0, 1] == pytest.approx(-1)
    assert out.uns["measure"]["higher_is"] == R


def test_a_correction_is_turned_over_with_its_screen(screen_pair):
    a, b = screen_pair
    # An odd number has one in the middle, which is on neither side.
    b.X[0, np.flatnonzero(np.isfinite(b.X[0]))[0]] = np.nan
    assert np.isfinite(b.X).sum() % 2 == 0
    turned = b.copy()
    turned.X = 1 - turned.X
    turned.uns["measure"] = {"name": "aac", "higher_is": "sensitive", "bounds": [0, 1]}
    for adata in (b, turned):
        rt.pp.correct(
            adata,
            group_key=None,
            dtype="float64",
            weight_decay=1.0,
            impute="refined",  # conjugate gradients repeat themselves to fewer digits
            impute_weight_decay=0.5,
            progress=False,
        )
    plain_one = rt.pp.harmonize(a, b).b
    one = rt.pp.harmonize(a, turned, align_direction=True).b
    for part in ("", "_residual", "_specific", "_flag", "_lower", "_upper", "_sd", "_qvalue"):
        layer = f"rtdmf{part}"
        np.testing.assert_allclose(one.layers[layer], plain_one.layers[layer], atol=1e-6)
    assert (one.layers["rtdmf_lower"] < one.layers["rtdmf_upper"]).all()
    side, plain_side = (x.uns["rtdmf"]["null"]["lighter_side"] for x in (one, plain_one))
    assert side == plain_side != turned.uns["rtdmf"]["null"]["lighter_side"]
    for name in ("noise_sd", "moved", "unexplained_sd", "reliability"):
        np.testing.assert_allclose(
            one.obs[f"rtdmf_{name}"], plain_one.obs[f"rtdmf_{name}"], atol=1e-6
        )
    np.testing.assert_allclose(one.obs["rtdmf_level"], plain_one.obs["rtdmf_level"], atol=1e-6)
    np.testing.assert_allclose(
        one.var["rtdmf_sensitivity"], plain_one.var["rtdmf_sensitivity"], atol=1e-5
    )
    chain, plain_chain = (x.obsm["rtdmf_factors"] @ x.varm["rtdmf_factors"].T
                          for x in (one, plain_one))  # fmt: skip
    np.testing.assert_allclose(chain, plain_chain, atol=1e-5)
    assert np.abs(chain).max() > 0.01


@pytest.fixture
def screen_pair(screen):
    names = [f"drug{i}" for i in range(40)], [f"line{j}" for j in range(50)]
    adata = anndata.AnnData(
        screen.copy(), pd.DataFrame(index=names[0]), pd.DataFrame(index=names[1])
    )
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant", "bounds": [0, 1]}
    return adata, adata.copy()


@pytest.mark.parametrize(
    "kwargs, b, message",
    [
        ({}, screen(["PLX-4032", "other"], ["A375"]), r"share no drug.*'PLX-4720 / PLX-4032"),
        ({}, screen(["PLX4720"], ["nobody"]), r"share no cell line: none of 'A-375'.*cosmic_id"),
        ({"line_ids": ["rrid"]}, B, r"line_ids='rrid' is not a column of both screens"),
        ({"aliases": pd.DataFrame({"a": [1]})}, B, "aliases must have two columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_matched_is_refused(kwargs, b, message):
    with pytest.raises(ValueError, match=message):
        rt.pp.harmonize(A, b, **kwargs)
    with pytest.raises(TypeError, match="aliases must map names"):
        rt.pp.harmonize(A, B, aliases=["x"])
    with pytest.raises(TypeError, match="must be an AnnData"):
        rt.pp.harmonize(A.X, B)
    with pytest.raises(ValueError, match="replicates parameter must be one of"):
        rt.pp.harmonize(A, B, replicates="first")
    with pytest.raises(ValueError, match=r"adata\.X is empty, and there are no layers"):
        rt.pp.harmonize(A, anndata.AnnData(obs=B.obs, var=B.var))
    sparse = A.copy()
    sparse.layers["counts"] = csr_matrix(A.X)
    with pytest.raises(TypeError, match="'counts' is sparse"):
        rt.pp.harmonize(sparse, B)


def test_the_result_survives_a_file(tmp_path):
    """And so do the measures of what was turned over."""
    out = rt.pp.harmonize(measured(R, v=R), measured(S, v=None), align_direction=True).b
    rt.io.write_h5ad(out, tmp_path / "b.h5ad")
    back = anndata.read_h5ad(tmp_path / "b.h5ad")
    np.testing.assert_array_equal(back.X, out.X)
    assert back.uns["measure"]["higher_is"] == R
    assert back.uns["layer_measures"]["v"]["higher_is"] == R


@pytest.mark.parametrize(
    "a, b, n_drugs, n_lines", [("gdsc1000", "ctrpv2", 90, 600), ("ctrpv2", "ccle", 16, 449)]
)
def test_published_screens_share_what_they_are_known_to(published, a, b, n_drugs, n_lines):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Left out because it is not clear")  # KM-H2 and KMH-2
        both = rt.pp.harmonize(published(a), published(b), aliases=published("aliases"))
    assert both.a.shape == (n_drugs, n_lines)
