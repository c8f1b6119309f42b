"""Two screens under the same names: who is who, what is merged, which way is up."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

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


def test_identifiers_come_before_names():
    """Cell lines are renamed, and different ones share a name; identifiers are not."""
    a = screen(["d", "e"], ["X1", "X2", "X3", "X4"], COSMIC_ID=[1, 2, 3, np.nan])
    b = screen(["d", "e"], ["other", "X2", "X3", "x4"], cosmic_id=["1", "99", "3", "44"])
    both = rt.pp.harmonize(a, b)
    assert how(both.lines, "b", "other") == ("X1", "cosmic_id")
    assert how(both.lines, "b", "X2") == ("", "none")  # one name, two lines
    assert how(both.lines, "b", "X3") == ("X3", "cosmic_id")
    assert how(both.lines, "b", "x4") == ("X4", "normalised name")
    assert rt.pp.harmonize(a, b, line_ids=[]).a.shape == (2, 3)


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
    del b.uns["measure"]["bounds"]
    both = rt.pp.harmonize(A, b, align_direction=True)
    np.testing.assert_allclose(both.b.X, -rt.pp.harmonize(A, B).b.X)
    b.uns["measure"] = {}
    with pytest.warns(UserWarning, match="direction of the second screen is not known"):
        rt.pp.harmonize(A, b)


def test_a_correction_is_turned_over_with_its_screen(screen_pair):
    a, b = screen_pair
    turned = b.copy()
    turned.X = 1 - turned.X
    turned.uns["measure"] = {"name": "aac", "higher_is": "sensitive", "bounds": [0, 1]}
    for adata in (b, turned):
        rt.pp.correct(
            adata,
            group_key=None,
            dtype="float64",
            weight_decay=1.0,
            impute_weight_decay=0.5,
            progress=False,
        )
    plain_one = rt.pp.harmonize(a, b).b
    one = rt.pp.harmonize(a, turned, align_direction=True).b
    for layer in ("rtdmf", "rtdmf_residual", "rtdmf_specific", "rtdmf_flag"):
        np.testing.assert_allclose(one.layers[layer], plain_one.layers[layer], atol=1e-6)
    np.testing.assert_allclose(one.obs["rtdmf_level"], plain_one.obs["rtdmf_level"], atol=1e-6)
    np.testing.assert_allclose(
        one.var["rtdmf_sensitivity"], plain_one.var["rtdmf_sensitivity"], atol=1e-5
    )


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


def test_the_result_survives_a_file(tmp_path):
    both = rt.pp.harmonize(A, B, aliases=ALIASES)
    rt.io.write_h5ad(both.b, tmp_path / "b.h5ad")
    np.testing.assert_array_equal(anndata.read_h5ad(tmp_path / "b.h5ad").X, both.b.X)


DATA = Path(__file__).parent.parent.parent / "shared" / "data"


def published(name):
    """A screen of the data folder, without the identifiers of its lines."""
    if not DATA.exists():
        pytest.skip("the published screens are not here (../shared/data)")
    file = {"ccle": "matrix_auc_from_actarea"}.get(name, "matrix")
    table = pd.read_csv(DATA / name / f"{file}.csv.gz", index_col=0)
    if name == "ctrpv2":
        table = table[~table.index.str.contains(":")]
    adata = anndata.AnnData(
        table.to_numpy(), pd.DataFrame(index=table.index), pd.DataFrame(index=table.columns)
    )
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    return adata


@pytest.mark.parametrize(
    "a, b, n_drugs, n_lines", [("gdsc1000", "ctrpv2", 90, 597), ("ctrpv2", "ccle", 16, 449)]
)
def test_published_screens_share_what_they_are_known_to(a, b, n_drugs, n_lines):
    both = rt.pp.harmonize(
        published(a), published(b), aliases=pd.read_csv(DATA / "drug_alias.csv.gz")
    )
    assert both.a.shape == (n_drugs, n_lines)
