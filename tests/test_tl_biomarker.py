"""Biomarker tests, pair by pair against scipy and scikit-learn, and their pictures."""

from __future__ import annotations

import re

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import false_discovery_control, mannwhitneyu
from sklearn.metrics import roc_auc_score

import rtdmf_bio as rt
from rtdmf_bio._adata.layers import named_layers
from rtdmf_bio.pl._biomarker import biomarker as draw
from rtdmf_bio.pl._biomarker import volcano
from rtdmf_bio.tl._biomarker import biomarker
from rtdmf_bio.tl._rank_tests import rank_tests

mpl.use("Agg")
import matplotlib.pyplot as plt

COLUMNS = [
    "drug", "group", "source", "n_mutated", "n_wild_type", "difference", "effect", "direction",
    "auroc", "pvalue", "qvalue",
]  # fmt: skip
TRIVIAL = ["two-way means", "two-way residual"]
SOURCES = ["measured", "corrected", *TRIVIAL]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture
def screen():
    """A screen, corrected: lines with KRAS mutated are sensitive to the first two drugs.

    What stands for the correction is made by hand, as it is no matter how it came about.
    """
    rng = np.random.default_rng(0)
    n, p = 12, 60
    X = 0.7 + 0.05 * rng.normal(size=(n, 1)) + 0.05 * rng.normal(size=p)
    X += 0.05 * rng.normal(size=(n, p))
    kras = rng.random(p) < 0.3
    X[:2, kras] -= 0.15
    X = np.round(X, 2)  # ties
    X[rng.random((n, p)) < 0.15] = np.nan
    var = pd.DataFrame(
        {
            "tissue": pd.Categorical(np.where(np.arange(p) % 2, "skin", "lung")),
            "KRAS_mut": kras,
            "TP53_mut": pd.array(rng.random(p) < 0.5, dtype="boolean"),
            "ALK_mut": np.arange(p) < 2,
        },
        index=[f"line{j}" for j in range(p)],
    )
    var.loc["line3", "TP53_mut"] = pd.NA
    adata = anndata.AnnData(X, pd.DataFrame(index=[f"Drug-{i}" for i in range(n)]), var)
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    adata.layers["rtdmf"] = np.where(
        np.isnan(X), 0.5, 0.8 * X + 0.2 * np.nanmean(X, axis=1, keepdims=True)
    ) + 0.01 * rng.normal(size=X.shape)
    adata.layers["rtdmf_flag"] = np.isfinite(X).astype(np.int8)
    adata.uns["rtdmf"] = {"layer": "X"}
    return adata


def sides(values, mutated):
    """Measured values of mutated and wild-type lines; NaN in `mutated` leaves a line out."""
    seen = np.isfinite(values)
    return values[seen & (mutated == 1)], values[seen & (mutated == 0)]


@pytest.fixture(scope="module")
def many():
    """Rows and groups of every kind: with ties, gaps, lines left out, an empty group, constants."""
    rng = np.random.default_rng(1)
    values = np.vstack([rng.normal(size=(4, 50)), rng.integers(0, 4, (4, 50)), np.full((1, 50), 3)])
    values[rng.random(values.shape) < 0.2] = np.nan
    members = (rng.random((7, 50)) < rng.uniform(0.1, 0.9, (7, 1))).astype(float)
    members[3, :12], members[4, :12], members[5, 30:], members[6] = np.nan, np.nan, np.nan, 0
    return values, members, rank_tests(values, members)


def test_every_pair_agrees_with_scipy_and_scikit_learn(many):
    values, members, tests = many
    for i, row in enumerate(values):
        for j, member in enumerate(members[:6]):
            inside, outside = sides(row, member)
            assert (tests.n_in[i, j], tests.n_out[i, j]) == (inside.size, outside.size)
            if i < 8:  # scipy warns of a constant row
                theirs = mannwhitneyu(inside, outside, method="asymptotic").pvalue
                assert tests.pvalue[i, j] == pytest.approx(theirs, rel=1e-10)
            both, label = np.append(inside, outside), np.arange(inside.size + outside.size)
            auroc = roc_auc_score(label < inside.size, both)
            assert tests.auroc[i, j] == pytest.approx(auroc, rel=1e-12)
            difference = inside.mean() - outside.mean()
            assert tests.difference[i, j] == pytest.approx(difference, abs=1e-13)


def test_hedges_g_agrees_with_a_hand_computed_one():
    """Means 4 and 2, sums of squares 8 and 2: s^2 = 10 / 5, J = 1 - 3 / 19, g = J sqrt(2)."""
    values = np.array([[2.0, 4, 6, 1, 2, 3, 2, np.nan]])
    tests = rank_tests(values, np.array([[1.0, 1, 1, 0, 0, 0, 0, 0]]))
    assert tests.difference[0, 0] == pytest.approx(2)
    assert tests.effect[0, 0] == pytest.approx((16 / 19) * np.sqrt(2), rel=1e-12)


@pytest.mark.parametrize("value", [0.3, 0.0, 1e6 + 0.1])
def test_equal_values_are_no_difference(value):
    """Also where their mean is rounded."""
    tests = rank_tests(np.full((1, 7), value), np.array([[1.0, 1, 1, 0, 0, 0, 0]]))
    found = {name: number.item() for name, number in vars(tests).items()}
    assert found == {
        "n_in": 3, "n_out": 4, "difference": 0, "effect": 0, "auroc": 0.5, "pvalue": 1,
    }  # fmt: skip


def test_sides_that_differ_without_varying_have_an_infinite_effect():
    """Whatever rounding leaves of their variance, on either side of zero."""
    member = np.repeat([1.0, 0], [11, 13])
    values = np.linspace(0.1, 0.6, 20)[:, None] * np.where(member, 0.1, 0.7)
    tests = rank_tests(np.vstack([values, -values]), member[None])
    assert tests.effect.ravel().tolist() == [-np.inf] * 20 + [np.inf] * 20
    assert tests.auroc.ravel().tolist() == [0] * 20 + [1] * 20


def test_an_empty_side_gives_nan(many):
    values, _, tests = many
    assert not tests.n_in[:, 6].any()
    for name in ("difference", "effect", "auroc", "pvalue"):
        assert np.isnan(getattr(tests, name)[:, 6]).all()
        assert np.isfinite(getattr(tests, name)[:, :6]).all()
    nowhere = rank_tests(values, np.full((1, 50), np.nan))
    assert not nowhere.n_out.any()


def test_effects_are_those_of_the_unit_and_of_no_zero(many):
    """Rescaled and shifted values give the same tests; far from zero no digits are lost."""
    values, members, tests = many
    other = rank_tests(1e3 * values + 1e6, members)
    for name in ("effect", "auroc", "pvalue"):
        # A spread of 1e3 at 1e6 leaves 13 digits of 16.
        np.testing.assert_allclose(getattr(other, name), getattr(tests, name), rtol=1e-9, atol=1e-9)


def test_the_table_is_tidy_and_its_pairs_stay_together(screen):
    table = biomarker(screen)
    assert table.columns.tolist() == COLUMNS
    assert len(table) == 12 * 2 * 4  # ALK has two mutated lines only
    assert table["source"].tolist() == SOURCES * 24
    pairs = table[["drug", "group"]].to_numpy().reshape(24, 4, 2)
    assert (pairs == pairs[:, :1]).all()
    assert table.loc[table["source"] == "measured", "pvalue"].is_monotonic_increasing
    assert set(map(tuple, pairs[:2, 0])) == {("Drug-0", "KRAS_mut"), ("Drug-1", "KRAS_mut")}
    counts = table[["n_mutated", "n_wild_type"]].to_numpy().reshape(24, 4, 2)
    assert (counts == counts[:, :1]).all()


def test_each_source_is_compared_on_the_measured_entries(screen):
    """Imputed values take no part; the trivial answers are those of the baselines."""
    means = rt.baselines.two_way_means(screen.X)
    matrices = {
        "measured": screen.X,
        "corrected": screen.layers["rtdmf"],
        "two-way means": means,
        "two-way residual": screen.X - means,
    }
    table = biomarker(screen)
    mutated = {g: screen.var[g].astype(float).to_numpy() for g in ("KRAS_mut", "TP53_mut")}
    for row in table.itertuples():
        i = screen.obs_names.get_loc(row.drug)
        values = np.where(np.isfinite(screen.X[i]), matrices[row.source][i], np.nan)
        yes, no = sides(values, mutated[row.group])
        u, p = mannwhitneyu(yes, no, method="asymptotic")
        assert row.auroc == pytest.approx(1 - u / (yes.size * no.size), rel=1e-9)
        assert row.pvalue == pytest.approx(p, rel=1e-9)
        assert row.difference == pytest.approx(yes.mean() - no.mean(), rel=1e-9)
        assert row.direction == ("resistant" if row.difference > 0 else "sensitive")
    for _, part in table.groupby("source"):
        np.testing.assert_allclose(part["qvalue"], false_discovery_control(part["pvalue"]))


def test_infinite_entries_are_not_measured(screen):
    line = np.flatnonzero(screen.var["KRAS_mut"] & np.isfinite(screen.X[0]))[0]
    before = biomarker(screen, "Drug-0", "KRAS_mut")
    screen.X[0, line] = -np.inf
    after = biomarker(screen, "Drug-0", "KRAS_mut")
    assert after["n_mutated"].tolist() == (before["n_mutated"] - 1).tolist()


def test_drugs_and_lines_without_a_measurement_are_carried_along(screen):
    """As the correction carries them along with unmeasured='nan'."""
    before = biomarker(screen, ["Drug-0", "Drug-4"])
    screen.X[3], screen.X[:, 7] = np.nan, np.nan
    after = biomarker(screen)
    assert "Drug-3" not in set(after["drug"])
    assert set(after["drug"]) > set(before["drug"])
    assert np.isfinite(after["effect"]).all()


def test_auroc_and_direction_do_not_depend_on_which_end_of_the_measure_is_sensitive(screen):
    one = biomarker(screen)
    screen.X, screen.layers["rtdmf"] = 1 - screen.X, 1 - screen.layers["rtdmf"]
    screen.uns["measure"] = {"name": "inhibition", "higher_is": "sensitive"}
    other = biomarker(screen)
    assert other["direction"].tolist() == one["direction"].tolist()
    np.testing.assert_allclose(other["auroc"], one["auroc"], rtol=1e-12)
    np.testing.assert_allclose(other["effect"], -one["effect"], rtol=1e-9)
    np.testing.assert_allclose(other["pvalue"], one["pvalue"], rtol=1e-9)


@pytest.mark.parametrize("measure", [None, {}, {"name": "auc"}, {"higher_is": ["?"]}, "auc"])
def test_without_a_known_direction_sides_are_lower_and_higher(screen, measure):
    known = biomarker(screen)
    screen.uns["measure"] = measure
    table = biomarker(screen)
    sides = {"sensitive": "lower", "resistant": "higher"}
    assert table["direction"].tolist() == known["direction"].map(sides).tolist()
    assert table["auroc"].tolist() == known["auroc"].tolist()


def test_a_drug_whose_values_are_equal_shows_no_difference(screen):
    screen.X[5] = np.where(np.isnan(screen.X[5]), np.nan, 0.3)
    row = biomarker(screen, "Drug-5", "KRAS_mut").loc[0]
    assert (row["effect"], row["auroc"], row["pvalue"], row["direction"]) == (0, 0.5, 1, "none")


def test_without_a_correction_the_measurements_are_tested(screen):
    expected = biomarker(screen)
    expected = expected[expected["source"] != "corrected"].reset_index(drop=True)
    del screen.layers["rtdmf_flag"]  # as after a search for settings without a refit
    pd.testing.assert_frame_equal(biomarker(screen), expected)


def test_before_is_the_layer_that_was_corrected(screen):
    expected = biomarker(screen)
    screen.layers["given"], screen.layers["mine"] = screen.X.copy(), screen.layers.pop("rtdmf")
    screen.layers["mine_flag"], screen.uns["mine"] = screen.layers["rtdmf_flag"], {"layer": "given"}
    screen.X = np.ones(screen.shape)
    screen.uns["layer_measures"] = {"given": {"higher_is": "resistant"}}
    screen.uns["measure"] = {"higher_is": "sensitive"}
    del screen.uns["rtdmf"]
    pd.testing.assert_frame_equal(biomarker(screen, key="mine"), expected)
    # Nothing is known of X, which is no version of the layer.
    screen.uns["measure"] = {}
    assert set(biomarker(screen, key="mine", layer="given")["direction"]) > {"sensitive"}
    screen.X = 1 + screen.layers["given"]
    assert set(biomarker(screen, key="mine", layer="X")["direction"]) == {"higher", "lower"}
    screen.X = None
    pd.testing.assert_frame_equal(biomarker(screen, key="mine"), expected)


def test_general_sensitivity_hides_a_biomarker_from_all_but_the_residual(screen):
    """Lines that die of anything say nothing of KRAS; the means know only those."""
    general = 0.5 * np.random.default_rng(1).normal(size=screen.n_vars)
    screen.X += general
    table = biomarker(screen, "Drug-0", "KRAS_mut", layer="X").set_index("source")
    assert table.loc["X", "auroc"] < 0.75
    assert table.loc["two-way means", "auroc"] < 0.75
    assert table.loc["two-way residual", "auroc"] > 0.95
    # Where the means explain all, the rounding they leave is no effect.
    screen.X = np.arange(screen.n_obs)[:, None] / 7 + general
    table = biomarker(screen, "Drug-0", "KRAS_mut", layer="X").set_index("source")
    assert table.loc["two-way residual", ["effect", "auroc", "pvalue"]].tolist() == [0, 0.5, 1]


def test_what_pp_correct_writes_is_what_is_tested(screen, one_thread):
    screen.layers["given"] = screen.X.copy()
    rt.pp.correct(screen, layer="given", key_added="mine", group_key=None, progress=False)
    table = biomarker(screen, "Drug-0", "KRAS_mut", key="mine")
    named = biomarker(screen, "Drug-0", "KRAS_mut", layer=["given", "mine", "mine_specific"])
    pd.testing.assert_frame_equal(table.drop(columns="source"), named.drop(columns="source"))
    assert table["source"].tolist() == ["measured", "corrected", "specific", *TRIVIAL]
    assert set(table["direction"]) == {"sensitive"}


def test_layers_can_be_named_and_keep_their_own_measure(screen):
    screen.layers["effect"] = -screen.X
    screen.uns["layer_measures"] = {"effect": {"higher_is": "sensitive"}}
    table = biomarker(screen, "Drug-0", "KRAS_mut", layer=["X", "effect", "rtdmf"])
    assert table["source"].tolist() == ["X", "effect", "rtdmf", *TRIVIAL]
    default = biomarker(screen, "Drug-0", "KRAS_mut")
    expected = default["auroc"].tolist()
    assert table["auroc"].tolist() == pytest.approx([expected[0], *expected])
    assert table["effect"][1] == pytest.approx(-table["effect"][0])
    # What a correction imputed takes no part, even if it is tested by itself.
    corrected = biomarker(screen, "Drug-0", "KRAS_mut", layer="rtdmf")
    assert corrected.loc[0, "n_wild_type"] == default.loc[0, "n_wild_type"]
    assert corrected["effect"][0] == pytest.approx(default["effect"][1])
    # The trivial answers are in the unit and direction of the first.
    alone = biomarker(screen, "Drug-0", "KRAS_mut", layer="effect")
    assert alone["source"].tolist() == ["effect", *TRIVIAL]
    assert alone["effect"][1] == pytest.approx(-default["effect"][2])
    assert alone["auroc"][1] == pytest.approx(default["auroc"][2])
    assert alone["effect"][2] == pytest.approx(-default["effect"][3])
    assert alone["auroc"][2] == pytest.approx(default["auroc"][3])


def test_an_entry_missing_in_one_layer_is_compared_in_none(screen):
    hidden = screen.X.copy()
    hidden[:, ::3] = np.nan
    screen.layers["hidden"] = hidden
    both = biomarker(screen, layer=["X", "hidden"])
    first, second = (both[both["source"] == name] for name in ("X", "hidden"))
    np.testing.assert_array_equal(first["effect"], second["effect"])
    assert first["n_wild_type"].max() < biomarker(screen, layer="X")["n_wild_type"].max()


KINDS = {
    "nullable boolean": lambda x: x.astype("boolean"),
    "numbers with NaN": lambda x: x.astype("boolean").astype("Float64").astype(float),
    "nullable integers": lambda x: x.astype("boolean").astype("Int64"),
    "objects": lambda x: x.astype(object),
    "categorical of booleans": lambda x: x.astype("boolean").astype("category"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_column_of_yes_and_no_will_do(screen, kind):
    """Lines of which nothing is known are on neither side."""
    column = screen.var["KRAS_mut"].astype("boolean")
    known = screen[:, 5:].copy()
    expected = biomarker(known, "Drug-0", "KRAS_mut", layer="X").loc[0, "effect"]
    column.iloc[:5] = pd.NA
    screen.var["mine"] = KINDS[kind](column)
    row = biomarker(screen, "Drug-0", "mine").loc[0]
    assert row["effect"] == pytest.approx(expected)
    assert row["n_mutated"] + row["n_wild_type"] == np.isfinite(screen.X[0, 5:]).sum()


BLANKS = {
    "none": [],
    "NaN": [np.nan, np.nan],
    "text": ["nan", ""],
    "of both kinds": [None, " NA "],
    "blanks around labels": [" wt ", "nan"],
}


@pytest.mark.parametrize("blanks", BLANKS.values(), ids=BLANKS)
def test_labels_are_refused_and_the_remedy_works(screen, blanks):
    """Whichever label the user puts in; lines without one are on neither side."""
    status = np.where(screen.var["KRAS_mut"], "mutated", "wt").astype(object)
    status[: len(blanks)] = blanks
    screen.var["status"] = status
    without = [k for k, label in enumerate(blanks) if label != " wt "]
    with pytest.raises(ValueError, match=r"'status'\] holds 2 labels") as raised:
        biomarker(screen, group=["TP53_mut", "status"])
    said = str(raised.value)
    remedy = re.search(r"(adata\.var\['chosen'\] = .*), and pass", said).group(1)
    lines = np.isfinite(screen.X[0])
    lines[without] = False
    effects = []
    for label in ("mutated", "wt"):
        exec(remedy.replace("LABEL", repr(label)), {"adata": screen})
        table = biomarker(screen, "Drug-0", "chosen")
        assert (table["n_mutated"] + table["n_wild_type"] == lines.sum()).all()
        inside = np.array([str(x).strip() == label for x in screen.var["status"]])
        known = ~np.isin(np.arange(screen.n_vars), without)
        text = f"{label!r} tests its {inside.sum()} lines against the other "
        assert text + str((known & ~inside).sum()) in said
        assert (table["n_mutated"] == (inside & lines).sum()).all()
        effects.append(table.loc[0, "effect"])
    assert effects[0] == pytest.approx(-effects[1])


def test_of_labels_none_is_suggested(screen):
    """Mutated or wild type is the user's to say: the first label is as often the one as the
    other, and its opposite turns every effect round."""
    screen.var["status"] = np.where(screen.var["KRAS_mut"], "Mut", "WT")
    with pytest.raises(ValueError, match="cannot be told") as raised:
        biomarker(screen, group="status")
    assert "== 'Mut'" not in str(raised.value)
    assert "== 'WT'" not in str(raised.value)
    assert "== LABEL" in str(raised.value)


def test_mutations_as_labels_in_a_file_are_refused_by_name(shared_data):

    adata = rt.io.read_table(shared_data("cases/auc.csv"))
    lines = pd.read_csv(shared_data("cases/lines_mut_wt.csv"), index_col=0)
    adata.var = lines.reindex(adata.var_names)
    with pytest.raises(ValueError, match=r"2 labels \('Mut', 'WT'\).*'WT' tests its 34 lines"):
        biomarker(adata, "Dabrafenib", "BRAF_mut", layer="X")


@pytest.mark.parametrize("labels", [[0.0, 2.0], [1, -1], [True, 3]])
def test_numbers_other_than_0_and_1_are_refused(screen, labels):
    screen.var["x_mut"] = np.resize(np.array(labels, dtype=object), screen.n_vars)
    with pytest.raises(ValueError, match=rf"'x_mut'\] must say .* It holds .* ?{labels[1]:g} \("):
        biomarker(screen)


def test_small_groups_are_left_out_of_a_screen_of_all_pairs(screen):
    """Silently, unless they were asked for by name."""
    assert "ALK_mut" not in set(biomarker(screen)["group"])
    assert "ALK_mut" in set(biomarker(screen, min_size=2)["group"])
    with pytest.warns(
        UserWarning, match=r"1 group\(s\) are not in the table.*3 mutated.*'ALK_mut'"
    ):
        biomarker(screen, group=["KRAS_mut", "ALK_mut"])
    screen.X[3] = np.nan
    with pytest.warns(UserWarning, match=r"1 drug\(s\) are not in the table.*'Drug-3'"):
        biomarker(screen, ["Drug-0", "Drug-3"], "KRAS_mut")


def test_min_size_counts_either_side(screen):
    table = biomarker(screen, "Drug-0", "KRAS_mut")
    yes, no = table.loc[0, ["n_mutated", "n_wild_type"]]
    assert yes < no
    screen.var["not_KRAS"] = ~screen.var["KRAS_mut"]
    for group in ("KRAS_mut", "not_KRAS"):
        assert len(biomarker(screen, "Drug-0", group, min_size=int(yes))) == 4
        with pytest.raises(ValueError, match=rf"at least {yes + 1} of each"):
            biomarker(screen, "Drug-0", group, min_size=int(yes) + 1)


def test_a_pair_that_is_too_small_says_how_small(screen):
    screen.X[0, :2] = 0.5, np.nan
    with pytest.raises(ValueError, match=r"^Drug-0 was measured on 1 lines with ALK_mut and \d+ w"):
        biomarker(screen, "Drug-0", "ALK_mut")
    with pytest.raises(
        ValueError, match=r"None of 12 pairs has enough lines\. Drug-\d+ was .* 2 l"
    ):
        biomarker(screen, group="ALK_mut")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"drug": "drug0"}, r"obs_names has no 'drug0'\. It has 'Drug-0'"),
        ({"drug": ["Drug-1", "nothing"]}, r"has no 'nothing'\. It has 'Drug-0', .* and 7 more"),
        ({"drug": []}, r"The drug parameter must be a name or several\. Got \[\]"),
        ({"group": "BRAF_mut"}, r"var has no column 'BRAF_mut'\. It has \['tissue', 'KRAS_mut'"),
        ({"group": [3]}, r"The group parameter must be a name or several\. Got \[3\]"),
        ({"group": "tissue"}, r"holds 2 labels \('lung', 'skin'\) instead of True and False"),
        ({"layer": "nothing"}, r"layers has no 'nothing'\. It has \['rtdmf', 'rtdmf_flag'\]"),
        ({"layer": []}, "The layer parameter must be a name or several"),
        ({"key": "mine"}, r"no correction under 'mine'\. Run rtdmf_bio\.pp\.correct"),
        ({"min_size": 1}, "min_size parameter must be an integer of at least 2. Got 1"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_what_cannot_be_tested_is_said(screen, arguments, message):
    with pytest.raises(ValueError, match=message):
        biomarker(screen, **arguments)


def test_unusable_objects_are_refused(screen):
    with pytest.raises(ValueError, match="no column named <gene>_mut"):
        biomarker(anndata.AnnData(screen.X, screen.obs, screen.var[["tissue"]]))
    with pytest.raises(ValueError, match="single drug"):
        biomarker(screen[:1], group="TP53_mut")
    twice = screen.copy()
    twice.obs_names = ["Drug-0"] * twice.n_obs
    with pytest.raises(ValueError, match=r"1 drug name\(s\) occur more than once: 'Drug-0'"):
        biomarker(twice)
    sparse = anndata.AnnData(csr_matrix(np.nan_to_num(screen.X)), screen.obs, screen.var)
    with pytest.raises(TypeError, match="sparse"):
        biomarker(sparse)
    for name in TRIVIAL:
        screen.layers[name] = screen.X
        with pytest.raises(ValueError, match=f"Rename layer '{name}'"):
            biomarker(screen, layer=name)
    screen.X, screen.uns["rtdmf"] = None, {}
    del screen.layers["rtdmf_flag"]
    with pytest.raises(ValueError, match=r"adata\.X is empty\. Pass layer="):
        biomarker(screen)


def test_nothing_is_written(screen):
    before = screen.copy()
    biomarker(screen)
    draw(screen, "Drug-0", "KRAS_mut")
    np.testing.assert_array_equal(before.X, screen.X)
    pd.testing.assert_frame_equal(before.var, screen.var)
    for name, layer in named_layers(before).items():
        np.testing.assert_array_equal(layer, screen.layers[name])
    assert set(before.uns) == set(screen.uns)


def test_known_biomarkers_lead_a_real_screen():
    """TP53 makes resistant to Nutlin-3a, BRAF sensitive to its inhibitors, not so trivially."""
    table = biomarker(rt.datasets.gdsc1())
    assert len(table) > 2 * 6000
    lead = table[table["source"] == "measured"].head(3)
    assert list(zip(lead["drug"], lead["group"], lead["direction"], strict=True)) == [
        ("Nutlin-3a (-)", "TP53_mut", "resistant"),
        ("Dabrafenib", "BRAF_mut", "sensitive"),
        ("PLX-4720", "BRAF_mut", "sensitive"),
    ]
    assert lead["auroc"].between(0.84, 0.9).tolist() == [False, True, True]
    trivial = table[table["source"] == "two-way means"].head(3)
    assert trivial["auroc"].between(0.4, 0.6).all()


def test_the_picture_shows_every_line_and_the_scores(screen):
    table = biomarker(screen, "Drug-0", "KRAS_mut").set_index("source")
    figure = draw(screen, "Drug-0", "KRAS_mut")
    mutated = screen.var["KRAS_mut"].to_numpy()
    for ax, name, matrix in zip(
        figure.axes, SOURCES[:2], (screen.X, screen.layers["rtdmf"]), strict=True
    ):
        values = np.where(np.isfinite(screen.X[0]), matrix[0], np.nan)
        yes, no = sides(values, mutated)
        for points, side, at in zip(ax.collections, (no, yes), (0, 1), strict=True):
            x, y = points.get_offsets().data.T
            np.testing.assert_array_equal(np.sort(y), np.sort(side))
            assert (np.abs(x - at) < 0.31).all()
            assert np.unique(x).size == x.size
        medians = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() == 2]
        assert medians == pytest.approx([np.median(no), np.median(yes)])
        title = ax.get_title()
        row = table.loc[name]
        assert name in title
        assert f"g = {row['effect']:.2f}" in title
        assert f"AUROC {row['auroc']:.2f}" in title
        assert f"two-way means: {table.loc['two-way means', 'auroc']:.2f}" in title
        labels = [tick.get_text() for tick in ax.get_xticklabels()]
        assert labels == [f"wild type\nn = {no.size}", f"KRAS_mut\nn = {yes.size}"]
    assert figure.axes[0].get_ylabel() == "auc (higher = resistant)"
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


@pytest.mark.parametrize("layer", [None, ["X", "rtdmf_specific"]])
def test_the_picture_names_the_trivial_answer_of_each_kind_of_source(screen, layer):
    """What knows the general sensitivity alone, and, for a specific part, what lacks only that."""
    screen.layers["rtdmf_specific"] = screen.layers["rtdmf"] - 0.5
    table = biomarker(screen, "Drug-0", "KRAS_mut", layer=layer).set_index("source")
    titles = [ax.get_title() for ax in draw(screen, "Drug-0", "KRAS_mut", layer=layer).axes]
    for title, name in zip(titles, table.index, strict=False):
        trivial = TRIVIAL["specific" in name]
        assert f"({trivial}: {table.loc[trivial, 'auroc']:.2f})" in title
    assert "residual" in titles[-1]


def test_long_names_take_several_lines(screen):
    """Side by side, titles wider than their panel would cover each other."""
    name = "A compound known by " + "a very long name " * 4
    screen.obs_names = [name, *screen.obs_names[1:]]
    figure = draw(screen, name, "KRAS_mut")
    figure.canvas.draw()
    boxes = [ax.title.get_window_extent() for ax in figure.axes]
    assert boxes[0].x1 < boxes[1].x0
    assert name.split()[-1] in figure.axes[0].get_title()


def test_points_are_spread_alike_at_each_call(screen):
    one, other = (draw(screen, "Drug-0", "KRAS_mut") for _ in range(2))
    for a, b in zip(one.axes, other.axes, strict=True):
        for c, d in zip(a.collections, b.collections, strict=True):
            np.testing.assert_array_equal(c.get_offsets(), d.get_offsets())


def test_the_picture_uses_given_axes_and_units(screen):
    screen.layers["other"] = 10 * screen.X
    screen.uns["layer_measures"] = {"other": {"name": "ic50", "higher_is": "resistant"}}
    figure, axes = plt.subplots(1, 2)
    assert draw(screen, "Drug-0", "KRAS_mut", layer=["X", "other"], axes=axes) is figure
    assert [ax.get_ylabel() for ax in axes] == [
        f"{m} (higher = resistant)" for m in ("auc", "ic50")
    ]
    own = draw(screen, "Drug-0", "KRAS_mut", layer=["X", "other"])
    assert own.axes[1].get_ylim()[1] > 5 * own.axes[0].get_ylim()[1]
    with pytest.raises(ValueError, match=r"one for each of \['measured', 'corrected'\]\. Got 1"):
        draw(screen, "Drug-0", "KRAS_mut", axes=axes[:1])
    with pytest.raises(TypeError, match=r"drug parameter must be one name\. Got \['Drug-0'\]"):
        draw(screen, ["Drug-0"], "KRAS_mut")


def by_hand():
    """A table of 40 pairs, of which 12 are significant; one effect is infinite."""
    k = np.arange(40)
    effect = np.where(k % 2, 1, -1) * (3 - k / 20)
    effect[0] = -np.inf
    table = pd.DataFrame(
        {
            "drug": [f"drug {i}" for i in k],
            "group": "BRAF_mut",
            "source": "corrected",
            "effect": effect,
            "direction": np.where(effect < 0, "sensitive", "resistant"),
            "pvalue": 10.0 ** -(12 - k / 4),
            "qvalue": np.where(k < 12, 0.01, 0.5),
        }
    )
    return pd.concat([table.assign(source="measured", qvalue=0.5), table], ignore_index=True)


def test_volcano_shows_every_pair_and_names_the_first():
    table = by_hand()
    ax = volcano(table, n_label=5)
    rows = table[table["source"] == "corrected"]
    x, y = np.vstack([points.get_offsets().data for points in ax.collections]).T
    np.testing.assert_allclose(np.sort(y), np.sort(-np.log10(rows["pvalue"])))
    np.testing.assert_allclose(np.sort(x)[1:], np.sort(rows["effect"])[1:])
    assert -np.inf < x.min() < rows["effect"][1:].abs().max() * -1
    assert ax.get_xlim()[0] < x.min()
    assert [text.get_text() for text in ax.texts] == [f"drug {k} · BRAF" for k in range(5)]
    assert ax.get_title() == "corrected: 12 of 40 pairs with q ≤ 0.05"
    counts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert counts == ["not significant", "sensitive (6)", "resistant (6)", "q = 0.05"]
    assert ax.lines[0].get_ydata()[0] == pytest.approx(12 - 11 / 4)
    assert ax.get_xlabel() == "← sensitive    effect of the mutation, Hedges' g    resistant →"


def test_volcano_names_do_not_cover_each_other():
    """Also where the points lie all but upon each other."""
    from matplotlib.text import Text

    table = by_hand()
    crowd = table["qvalue"] <= 0.05
    table.loc[crowd, "effect"] = -2
    table.loc[crowd, "pvalue"] = 10.0 ** -(10 - np.arange(crowd.sum()) / 50)
    ax = volcano(table, n_label=12)
    ax.figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in ax.texts]
    assert len(boxes) == 12
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    frame = ax.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_volcano_draws_pairs_without_a_difference_as_not_significant():
    table = by_hand().tail(40)
    table.loc[table.index[20:], ["effect", "direction", "pvalue", "qvalue"]] = [0.0, "none", 1, 1]
    ax = volcano(table, fdr=1)
    assert sum(len(points.get_offsets()) for points in ax.collections) == 40
    assert ax.get_title() == "corrected: 20 of 40 pairs with q ≤ 1"


def test_volcano_says_where_the_sensitive_lie():
    table = by_hand()
    table["direction"] = table["direction"].map(
        {"sensitive": "resistant", "resistant": "sensitive"}
    )
    label = volcano(table).get_xlabel()
    assert label == "← resistant    effect of the mutation, Hedges' g    sensitive →"


def test_volcano_draws_the_source_asked_for_on_the_axes_given(screen):
    ax = plt.subplots()[1]
    assert volcano(by_hand(), source="measured", ax=ax) is ax
    assert ax.get_title() == "measured: 0 of 40 pairs with q ≤ 0.05"
    assert not ax.texts
    assert not ax.lines
    for fdr in (0, 1):
        volcano(biomarker(screen), fdr=fdr)
    screen.layers["rtdmf_specific"] = screen.X
    assert volcano(biomarker(screen)).get_title().startswith("specific")
    del screen.layers["rtdmf_flag"]
    assert volcano(biomarker(screen)).get_title().startswith("measured")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "other"}, r"source parameter must be one of \['measured', 'corrected'\]"),
        ({"fdr": 2}, "fdr parameter must be a number of at least 0 and at most 1. Got 2"),
        ({"n_label": -1}, "n_label parameter must be an integer of at least 0. Got -1"),
        ({"table": by_hand().drop(columns="qvalue")}, r"what rtdmf_bio\.tl\.biomarker returns"),
        ({"table": by_hand().head(0)}, r"what rtdmf_bio\.tl\.biomarker returns, with rows"),
        ({"table": anndata.AnnData(np.zeros((3, 3)))}, r"what rtdmf_bio\.tl\.biomarker returns"),
    ],
    ids=["source", "fdr", "n_label", "columns", "empty", "AnnData"],
)
def test_volcano_refuses_what_it_cannot_draw(arguments, message):
    with pytest.raises(ValueError, match=message):
        volcano(**{"table": by_hand(), **arguments})
