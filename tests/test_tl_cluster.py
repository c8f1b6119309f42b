"""Clusters beside known groups: scores by hand, planted blocks, chance, and the picture."""

from __future__ import annotations

from itertools import combinations, permutations

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import dendrogram
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

import rtdmf_bio as rt
from rtdmf_bio._adata.layers import named_layers
from rtdmf_bio._adata.profiles import profiles, ward
from rtdmf_bio.pl._clusters import clusters
from rtdmf_bio.tl._cluster import METHODS, agreement, chance, cluster, find_clusters

mpl.use("Agg")
import matplotlib.pyplot as plt

COLUMNS = ["method", "source", "n_items", "n_left_out", "n_groups", "n_clusters"]
SCORES = ["accuracy", "ari", "nmi"]
TRIVIAL = ["two-way means", "two-way residual"]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def screen(noise=0.02, missing=0.1, seed=0):
    """Three mechanisms of 8 drugs, each killing lines of one of three tissues of 10."""
    rng = np.random.default_rng(seed)
    mechanism, tissue = np.repeat([0, 1, 2], 8), np.repeat([0, 1, 2], 10)
    x = 0.7 + 0.1 * rng.normal(size=(24, 1)) + 0.05 * rng.normal(size=30)
    x = x - 0.3 * (mechanism[:, None] == tissue) + noise * rng.normal(size=(24, 30))
    x[rng.random(x.shape) < missing] = np.nan
    drugs, lines = rng.permutation(24), rng.permutation(30)
    adata = anndata.AnnData(
        x[np.ix_(drugs, lines)],
        pd.DataFrame({"mechanism": np.array(["EGFR", "BRAF", "DNA"])[mechanism]})
        .set_axis([f"drug{i}" for i in range(24)])
        .iloc[drugs],
        pd.DataFrame({"tissue": np.array(["skin", "lung", "bone"])[tissue]})
        .set_axis([f"line{j}" for j in range(30)])
        .iloc[lines],
    )
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    return adata


@pytest.fixture(scope="module")
def corrected():
    adata = screen(noise=0.08)
    rt.pp.correct(adata, group_key=None, progress=False)
    return adata


def real(table):
    return table[~table["source"].str.endswith(", shuffled")]


# Scores


def accuracy_over_all_matchings(groups, found):
    """Largest share over all ways to call the clusters by names of groups, each used once."""
    names, k = np.unique(groups), int(found.max()) + 1
    called = list(names) + [-1] * max(0, k - names.size)
    return max(np.mean(np.array(p)[found] == groups) for p in permutations(called, k))


def ari_over_pairs(groups, found):
    pairs = list(combinations(range(groups.size), 2))
    a = np.array([groups[i] == groups[j] for i, j in pairs])
    b = np.array([found[i] == found[j] for i, j in pairs])
    expected = a.sum() * b.sum() / len(pairs)
    return ((a & b).sum() - expected) / ((a.sum() + b.sum()) / 2 - expected)


def nmi_from_shares(groups, found):
    joint = pd.crosstab(groups, found, normalize=True).to_numpy()
    p, q = joint.sum(1), joint.sum(0)
    some = joint > 0
    information = (joint[some] * np.log((joint / np.outer(p, q))[some])).sum()
    return 2 * information / -((p * np.log(p)).sum() + (q * np.log(q)).sum())


@pytest.mark.parametrize("k", [2, 3, 4, 5], ids="{} clusters".format)
def test_scores_agree_with_their_definitions(k):
    """Three groups, with fewer, as many and more clusters."""
    rng = np.random.default_rng(k)
    groups = rng.integers(3, size=40)
    found = np.where(rng.random(40) < 0.4, groups % k, rng.integers(k, size=40))
    assert agreement(groups, found) == pytest.approx(
        {
            "accuracy": accuracy_over_all_matchings(groups, found),
            "ari": ari_over_pairs(groups, found),
            "nmi": nmi_from_shares(groups, found),
        },
        rel=1e-9,
    )
    assert agreement(groups, found) == pytest.approx(
        {
            "accuracy": agreement(groups, found)["accuracy"],
            "ari": adjusted_rand_score(groups, found),
            "nmi": normalized_mutual_info_score(groups, found),
        },
        rel=1e-9,
    )


def test_other_names_and_order_of_clusters_change_no_score():
    rng = np.random.default_rng(0)
    groups, found = rng.integers(4, size=50), rng.integers(4, size=50)
    renamed, order = np.array([7, 3, 11, 0])[found], rng.permutation(50)
    assert agreement(groups, renamed) == pytest.approx(agreement(groups, found), rel=1e-12)
    moved = agreement(groups[order], found[order])
    assert moved == pytest.approx(agreement(groups, found), rel=1e-12)
    assert agreement(groups, groups)["accuracy"] == 1


def test_accuracy_at_chance_is_far_above_one_in_k():
    """Matching picks the best names afterwards; an own simulation says how much that brings."""
    groups, found = np.repeat(np.arange(5), 6), np.arange(30) % 5
    ours = chance(groups, found, 0)
    rng = np.random.default_rng(1)
    drawn = [accuracy_over_all_matchings(groups, rng.permutation(found)) for _ in range(100)]
    error = np.std(drawn) * np.sqrt(1 / 100 + 1 / 100)
    assert ours["accuracy"] == pytest.approx(np.mean(drawn), abs=4 * error)
    assert ours["accuracy"] > 0.35
    assert abs(ours["ari"]) < 0.02
    assert ours["nmi"] > 0.1
    assert chance(groups, found, 0) == ours != chance(groups, found, 1)


# Profiles and clusters


@pytest.mark.parametrize("axis", ["drugs", "lines"])
def test_distance_is_correlation_of_what_the_drugs_mean_leaves(axis):
    x = screen(missing=0).X
    rest = x - x.mean(1, keepdims=True)
    expected = pdist(rest if axis == "drugs" else rest.T, "correlation")
    np.testing.assert_allclose(pdist(profiles(x, axis)) ** 2 / 2, expected, atol=1e-12)


@pytest.mark.parametrize("axis", ["drugs", "lines"])
def test_missing_entries_are_filled_by_the_drugs_mean(axis):
    x = screen(missing=0.3).X
    filled = np.where(np.isnan(x), np.nanmean(x, axis=1, keepdims=True), x)
    np.testing.assert_allclose(profiles(x, axis), profiles(filled, axis), atol=1e-12)


def test_hierarchical_clusters_are_those_of_scikit_learn():
    x = np.random.default_rng(0).normal(size=(60, 20))
    z = profiles(x, "drugs")
    theirs = AgglomerativeClustering(5, linkage="ward").fit_predict(z)
    ours = find_clusters(z, "hierarchical", 5, 0)
    assert adjusted_rand_score(ours, theirs) == 1


def test_k_means_is_no_worse_than_single_starts_of_scikit_learn():
    z = profiles(np.random.default_rng(0).normal(size=(60, 20)), "drugs")
    found = find_clusters(z, "k-means", 5, 0)
    within = sum(((z[found == k] - z[found == k].mean(0)) ** 2).sum() for k in range(5))
    single = [KMeans(5, n_init=1, random_state=seed).fit(z).inertia_ for seed in range(1, 11)]
    assert within <= np.median(single)


@pytest.mark.parametrize("method", METHODS)
def test_equal_items_are_no_more_clusters_than_they_are(method):
    """Twins up to a factor and an offset, which leave rounding, and no warning of k-means."""
    x = np.random.default_rng(0).normal(size=(3, 20))
    x = np.concatenate([x, 3.3 * x + 1.7, 0.1 * x])
    found = find_clusters(profiles(x, "drugs"), method, 5, 0)
    assert np.unique(found).size == 3
    assert agreement(np.arange(9) % 3, found)["ari"] == 1


# The table


@pytest.mark.parametrize(("group_key", "n"), [("mechanism", 24), ("tissue", 30)])
def test_planted_groups_are_found_and_trivial_answers_fail(group_key, n):
    trivial_of = {"mechanism": TRIVIAL, "tissue": TRIVIAL[:1]}
    table = cluster(screen(), group_key)
    assert list(table.columns) == COLUMNS + SCORES
    assert list(table["method"].unique()) == list(METHODS)
    assert (table[["n_items", "n_left_out", "n_groups"]] == [n, 0, 3]).all(axis=None)
    for _, part in table.groupby("method"):
        part = part.set_index("source")
        sources = ["measured", "KNN-imputed", *trivial_of[group_key]]
        shuffled = [f"{name}, shuffled" for name in sources]
        assert list(part.index[:-1:2]) == sources
        assert list(part.index[1::2]) == shuffled
        assert part.index[-1] == "one cluster"
        assert (part.loc[["measured", "KNN-imputed"], SCORES] == 1).all(axis=None)
        assert part.loc["one cluster", SCORES].tolist() == [1 / 3, 0, 0]
        assert part.loc["one cluster", "n_clusters"] == 1
        assert part.loc["two-way means", "ari"] < 0.3
        assert part.loc[shuffled, "accuracy"].between(0.4, 0.6).all()
        assert (part.loc[shuffled, "ari"].abs() < 0.05).all()


def test_what_differs_in_level_alone_is_found_by_the_trivial_answer_alone():
    """The control for profiles: potent and weak drugs, alike in all else."""
    rng = np.random.default_rng(0)
    potent = np.repeat([0, 1], 20)
    x = rng.normal(size=30) + 5 * potent[:, None] + 0.5 * rng.normal(size=(40, 30))
    obs = pd.DataFrame({"kind": np.array(["weak", "potent"])[potent]})
    obs.index = [f"drug{i}" for i in range(40)]
    table = cluster(anndata.AnnData(x, obs), "kind").set_index("source")
    assert (table.loc["two-way means", "ari"] == 1).all()
    assert (table.loc["measured", "ari"].abs() < 0.2).all()


def test_general_sensitivity_that_hides_a_mechanism_is_out_of_the_residual():
    """All drugs look alike but for little, and that little is their mechanism."""
    rng = np.random.default_rng(0)
    kind, general = np.repeat([0, 1], 20), rng.normal(size=60)
    specific = rng.normal(size=(2, 60))[kind]
    x = 10 * general + specific + 0.5 * rng.normal(size=(40, 60))
    obs = pd.DataFrame({"kind": np.array(["a", "b"])[kind]})
    obs.index = [f"drug{i}" for i in range(40)]
    adata = anndata.AnnData(x, obs)
    table = cluster(adata, "kind", layer="X", method="k-means").set_index("source")
    assert table.loc["two-way residual", "ari"] == 1
    # Drugs of which nothing is left are all alike, and no error.
    adata.X[:] = rng.normal(size=(40, 1)) + general
    table = cluster(adata, "kind", layer="X").set_index("source")
    assert (table.loc["two-way residual", "n_clusters"] == 1).all()


def test_a_correction_comes_after_what_it_corrected(corrected):
    table = real(cluster(corrected, "mechanism", method="hierarchical"))
    sources = ["measured", "KNN-imputed", "corrected", "specific", *TRIVIAL, "one cluster"]
    assert list(table["source"]) == sources
    named = cluster(corrected, "mechanism", method="hierarchical", layer=["X", "rtdmf"])
    named = named.set_index("source")
    table = table.set_index("source")
    assert list(named.index[::2]) == ["X", "rtdmf", *TRIVIAL, "one cluster"]
    assert table.loc["measured", SCORES].tolist() == named.loc["X", SCORES].tolist()
    assert table.loc["corrected", SCORES].tolist() == named.loc["rtdmf", SCORES].tolist()
    assert table.loc["corrected", "ari"] > 0.5


def test_nearest_neighbours_are_the_baseline():
    adata = screen(noise=0.4, missing=0.3)
    adata.layers["knn"] = rt.baselines.knn_impute(adata.X)
    table = cluster(adata, "tissue", method="hierarchical").set_index("source")
    named = cluster(adata, "tissue", method="hierarchical", layer="knn").set_index("source")
    imputed = table.loc["KNN-imputed", SCORES].tolist()
    assert imputed == named.loc["knn", SCORES].tolist() != table.loc["measured", SCORES].tolist()


def test_measured_is_the_layer_that_was_corrected(corrected):
    adata = corrected.copy()
    adata.layers["given"] = adata.X.copy()
    adata.X = np.random.default_rng(0).normal(size=adata.shape)
    rt.pp.correct(adata, layer="given", key_added="mine", group_key=None, progress=False)
    expected = cluster(corrected, "mechanism", method="hierarchical")
    ours = cluster(adata, "mechanism", method="hierarchical", key="mine")
    pd.testing.assert_frame_equal(ours, expected)


def test_sources_are_compared_one_by_one(corrected):
    """A row does not depend on which other methods and sources were asked for."""
    whole = cluster(corrected, "tissue", layer=["X", "rtdmf"])
    part = cluster(corrected, "tissue", layer=["rtdmf"], method="k-means")
    chosen = whole[(whole["method"] == "k-means") & whole["source"].str.startswith("rtdmf")]
    pd.testing.assert_frame_equal(part.head(2), chosen.reset_index(drop=True))


def test_unit_and_direction_of_the_data_change_nothing():
    adata = screen(noise=0.4)
    expected = cluster(adata, "tissue")
    assert expected["ari"].iloc[0] < 1  # else anything would do
    for factor in (-1e-3, 1024.0):
        scaled = adata.copy()
        scaled.X = factor * adata.X
        pd.testing.assert_frame_equal(cluster(scaled, "tissue"), expected)


def test_names_of_groups_and_order_of_drugs_change_nothing():
    adata = screen(noise=0.4)
    expected = real(cluster(adata, "mechanism", method="hierarchical"))
    adata.obs["mechanism"] = adata.obs["mechanism"].map({"EGFR": "z", "BRAF": "a", "DNA": "b"})
    renamed = cluster(adata[::-1].copy(), "mechanism", method="hierarchical")
    pd.testing.assert_frame_equal(real(renamed), expected)


def test_what_has_no_group_or_a_small_one_is_left_out():
    adata = screen()
    labels = adata.obs["mechanism"].astype(object)
    for name, new in (("EGFR", [None]), ("BRAF", [np.nan]), ("DNA", ["rare"] * 3)):
        labels[labels.index[labels == name][: len(new)]] = new
    labels[labels == "EGFR"] = "Nothing"  # a name, not a missing label, which "None" is
    labels.iloc[list(labels.isna()).index(True)] = "None"
    for kind in ("object", "category", "string"):
        adata.obs["label"] = labels.astype(kind)
        table = cluster(adata, "label", method="hierarchical")
        assert (table[["n_items", "n_left_out", "n_groups"]] == [19, 5, 3]).all(axis=None)
        assert table["ari"].iloc[0] == 1
        few = cluster(adata, "label", method="hierarchical", min_group_size=3)
        assert (few[["n_items", "n_left_out", "n_groups"]] == [22, 2, 4]).all(axis=None)


def test_what_was_never_measured_is_left_out():
    adata = screen()
    expected = cluster(adata[1:, 2:].copy(), "tissue", method="hierarchical")
    adata.X[0], adata.X[:, :2] = np.nan, np.nan
    table = cluster(adata, "tissue", method="hierarchical")
    assert (table["n_left_out"] == 2).all()
    pd.testing.assert_frame_equal(
        table.drop(columns="n_left_out"), expected.drop(columns="n_left_out")
    )


def test_a_column_of_both_sides_needs_the_axis():
    adata = screen()
    adata.var["mechanism"] = adata.var["tissue"]
    with pytest.raises(
        ValueError, match=r"Both adata\.obs and adata\.var have a column 'mechanism'"
    ):
        cluster(adata, "mechanism")
    for axis, n in (("drugs", 24), ("lines", 30)):
        table = cluster(adata, "mechanism", axis=axis, method="hierarchical")
        assert (table["n_items"] == n).all()


def test_groups_the_correction_was_given_are_no_fair_test(corrected):
    """It keeps high residuals by them; drugs and corrections without groups are not concerned."""
    adata = corrected.copy()
    rt.pp.correct(adata, group_key="tissue", key_added="own", progress=False)
    with pytest.warns(UserWarning, match="'own' was given the groups 'tissue'"):
        cluster(adata, "tissue", method="hierarchical", key="own")
    with pytest.warns(UserWarning, match="'own' was given the groups 'tissue'"):
        cluster(adata, "tissue", method="hierarchical", layer="own")
    with pytest.warns(UserWarning, match="'own' was given the groups 'tissue'"):
        cluster(adata, "tissue", method="hierarchical", layer="own_specific")
    adata.var["mechanism"] = adata.var["tissue"]
    adata.obs["tissue"] = adata.obs["mechanism"]
    fair = [("tissue", "rtdmf", "lines"), ("mechanism", "own", "lines"), ("tissue", "own", "drugs")]
    for group_key, key, axis in fair:
        cluster(adata, group_key, method="hierarchical", key=key, axis=axis)


def test_the_number_of_clusters_can_be_given():
    table = cluster(screen(), "tissue", n_clusters=6)
    assert set(table["n_clusters"]) == {6, 1}
    assert (table.loc[table["source"] == "measured", "accuracy"] < 1).all()
    most = cluster(screen(), "tissue", n_clusters=30, method="hierarchical")
    assert set(most["n_clusters"]) == {30, 1}


def test_nothing_is_written(corrected):
    before = corrected.copy()
    cluster(corrected, "tissue", method="hierarchical")
    clusters(corrected, ["tissue", "mechanism"])
    np.testing.assert_array_equal(before.X, corrected.X)
    assert set(named_layers(before)) == set(named_layers(corrected))
    pd.testing.assert_frame_equal(before.var, corrected.var)
    pd.testing.assert_frame_equal(before.obs, corrected.obs)


def constant_drug(adata):
    adata.X[3] = 0.5


def once_measured(adata):
    adata.X[3, 1:] = np.nan


def constant_line(adata):
    """The line that is the mean of the others for every drug has nothing of its own."""
    adata.X = np.nan_to_num(adata.X, nan=0.5)
    adata.X[:, 3] = np.delete(adata.X, 3, axis=1).mean(1) + 0.1


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (None, {"group_key": "nonsense"}, r"Neither .* column 'nonsense'. Drugs .*'mechanism'"),
        (None, {"axis": "drugs"}, r"adata.obs has no column 'tissue'.*lines \(var\) \['tissue'\]"),
        (None, {"axis": "rows"}, "axis parameter must be one of"),
        (None, {"layer": "nonsense"}, "adata.layers has no 'nonsense'"),
        (None, {"key": "other"}, r"no correction under 'other'. Run rtdmf_bio.pp.correct"),
        (None, {"method": "dbscan"}, "method parameter must be one of .* Got 'dbscan'"),
        (None, {"n_clusters": 31}, "n_clusters parameter .* at most 30. Got 31"),
        (None, {"n_clusters": 1}, "n_clusters parameter .* at least 2"),
        (None, {"min_group_size": 1}, "min_group_size parameter .* at least 2"),
        (None, {"min_group_size": 11}, r"0 group\(s\) of at least 11 .*'bone \(10\)'"),
        (
            lambda adata: adata.var.__setitem__("tissue", ["skin"] * 30),
            {},
            r"adata.var\['tissue'\] has 1 group.* two are needed",
        ),
        (
            lambda adata: adata.var.__setitem__("tissue", [f"t{j}" for j in range(30)]),
            {},
            r"0 group\(s\) of at least 5 measured lines.*'t0 \(1\)'.* and 25 more",
        ),
        (constant_drug, {"group_key": "mechanism"}, "1 of the drugs .* constant profile in 'meas"),
        (once_measured, {"group_key": "mechanism"}, "1 of the drugs .* constant profile in 'meas"),
        (constant_line, {}, "1 of the lines have a constant profile"),
    ],
    ids=[
        "no column", "not of this axis", "no axis", "no layer", "no correction", "no method",
        "clusters beyond items", "one cluster", "minimal size", "all small", "one group",
        "groups of one", "constant drug", "drug measured once", "constant line",
    ],
)  # fmt: skip
def test_unusable_input_is_refused(change, arguments, message):
    adata = screen()
    if change is not None:
        change(adata)
    with pytest.raises(ValueError, match=message) as error:
        cluster(adata, **{"group_key": "tissue", **arguments})
    if "constant" in message:
        names = adata.obs_names if "drugs" in message else adata.var_names
        assert repr(names[3]) in str(error.value)


def test_a_drug_without_values_in_another_layer_is_refused():
    adata = screen()
    adata.layers["other"] = adata.X.copy()
    adata.layers["other"][0] = np.nan
    with pytest.raises(ValueError, match=r"1 drug\(s\) .* no value at all in 'other'"):
        cluster(adata, "tissue", layer=["X", "other"])


def test_a_layer_by_the_name_of_the_trivial_answer_is_refused():
    adata = screen()
    adata.layers["two-way means"] = adata.X.copy()
    with pytest.raises(ValueError, match="Rename layer 'two-way means'"):
        cluster(adata, "tissue", layer="two-way means")


def test_the_mechanisms_of_a_real_screen_are_found_above_chance(shared_data):
    """Small groups by target, such as three BRAF inhibitors, cluster; potency alone does not do."""
    folder = shared_data("gdsc1000")
    matrix = pd.read_csv(folder / "matrix.csv.gz", index_col=0)
    drugs = pd.read_csv(folder / "drugs.csv.gz").set_index("drug").loc[matrix.index]
    obs = pd.DataFrame({"target": drugs["target"]})
    adata = anndata.AnnData(matrix.to_numpy(), obs, pd.DataFrame(index=matrix.columns))
    table = cluster(adata, "target", layer="X", min_group_size=3).set_index("source")
    assert (table["n_groups"] == 14).all()
    measured, shuffled = table.loc["X"], table.loc["X, shuffled"]
    assert (measured[SCORES].to_numpy() > shuffled[SCORES].to_numpy() + 0.15).all()
    assert (measured[SCORES].to_numpy() > table.loc["two-way means", SCORES].to_numpy() + 0.1).all()


# The picture


def axes_of(figure):
    """The axes by what they hold: matrix, lanes of lines, lanes of drugs."""
    matrix = next(ax for ax in figure.axes if ax.images)
    meshes = (
        [ax for ax in figure.axes if ax.get_ylabel() == "tissue"],
        [ax for ax in figure.axes if ax.get_xlabel() == "mechanism"],
    )
    return matrix, *(found[0] if found else None for found in meshes)


def test_the_picture_shows_the_differences_in_the_order_of_the_trees(corrected):
    figure = clusters(corrected, ["tissue", "mechanism"])
    matrix, _, _ = axes_of(figure)
    x = np.asarray(corrected.layers["rtdmf"], dtype=float)
    rest = pd.DataFrame(x - x.mean(1, keepdims=True), corrected.obs_names, corrected.var_names)
    drugs = [t.get_text() for t in matrix.get_yticklabels()]
    lines = [t.get_text() for t in matrix.get_xticklabels()]
    orders = [
        dendrogram(ward(profiles(x, side)), no_plot=True)["leaves"] for side in ("drugs", "lines")
    ]
    assert drugs == list(corrected.obs_names[orders[0]])
    assert lines == list(corrected.var_names[orders[1]])
    np.testing.assert_allclose(matrix.images[0].get_array(), rest.loc[drugs, lines])
    assert matrix.get_ylabel() == "24 drugs"
    assert matrix.get_xlabel() == "30 cell lines"
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert "auc (higher = resistant), minus the drug's mean" in labels
    assert any(ax.get_title().startswith("corrected") for ax in figure.axes)


def test_trees_are_those_of_scipy(corrected):
    figure = clusters(corrected, "tissue")
    x = np.asarray(corrected.layers["rtdmf"], dtype=float)
    for side, flip in (("lines", False), ("drugs", True)):
        expected = dendrogram(ward(profiles(x, side)), no_plot=True)
        across = (np.array(expected["icoord"]) - 5) / 10  # scipy's leaves lie at 5, 15, ...
        both = np.stack([across, expected["dcoord"]], axis=2)
        both = both[..., ::-1] if flip else both
        drawn = [
            np.array(ax.collections[0].get_segments())
            for ax in figure.axes
            if ax.collections and hasattr(ax.collections[0], "get_segments")
        ]
        key = lambda path: tuple(np.round(path, 6).ravel())  # noqa: E731
        assert any(
            tree.shape == both.shape
            and np.allclose(sorted(tree, key=key), sorted(both, key=key), atol=1e-9)
            for tree in drawn
        )


def test_each_group_has_a_lane_with_its_name_and_members(corrected):
    adata = corrected.copy()
    groups = np.array(["t0", "Nothing", *(f"t{j}" for j in range(2, 10))])[
        np.r_[np.arange(10), np.zeros(18, int), 1, 1]
    ]
    adata.var["tissue"] = groups
    adata.var.loc[adata.var_names[:1], "tissue"] = "None"  # missing
    figure = clusters(adata, ["tissue", "mechanism"])
    matrix, lines, drugs = axes_of(figure)
    names = [t.get_text() for t in lines.get_yticklabels()]
    assert names[:2] == ["t0 (18)", "Nothing (3)"]
    assert names[-1] == "2 other group(s) (2)"
    assert len(names) == 9
    marked = (np.asarray(lines.collections[0].get_array())[..., :3] < 1).any(-1)
    order = [t.get_text() for t in matrix.get_xticklabels()]
    labels = adata.var.loc[order, "tissue"]
    for lane, name in zip(marked[:-1], names, strict=False):
        np.testing.assert_array_equal(lane, labels == name.split()[0])
    assert marked.sum() == 29
    bottom, top = lines.get_ylim()
    assert top < bottom  # the first lane is uppermost
    assert sorted(t.get_text() for t in drugs.get_xticklabels()) == [
        "BRAF (8)",
        "DNA (8)",
        "EGFR (8)",
    ]
    figure.canvas.draw()


def test_missing_entries_are_white_in_the_measured_picture(corrected):
    figure = clusters(corrected, "tissue", layer="X")
    drawn = np.ma.filled(axes_of(figure)[0].images[0].get_array(), np.nan)
    assert np.isnan(drawn).sum() == np.isnan(corrected.X).sum() > 0
    assert any(ax.get_title().startswith("X:") for ax in figure.axes)


def test_a_large_screen_has_no_names_and_is_drawn_without_a_correction():
    rng = np.random.default_rng(0)
    adata = anndata.AnnData(rng.normal(size=(70, 65)))
    adata.var["tissue"] = "skin"
    figure = clusters(adata, "tissue")
    matrix, _, drugs = axes_of(figure)
    assert matrix.get_xticklabels() == matrix.get_yticklabels() == []
    assert drugs is None
    assert any(ax.get_title().startswith("measured") for ax in figure.axes)


def test_a_deep_tree_is_drawn():
    """Each item joins all before it, deeper than Python recurses."""
    from rtdmf_bio.pl._clusters import _Side, _tree

    n = 3000
    tree = np.zeros((n - 1, 4))
    tree[:, 0], tree[:, 1] = np.r_[0, np.arange(n, 2 * n - 2)], np.arange(1, n)
    tree[:, 2], tree[:, 3] = np.arange(1, n), np.arange(2, n + 1)
    ax = plt.subplots()[1]
    _tree(ax, _Side("drugs", [], np.arange(n), tree, "", {}), upright=True)
    assert len(ax.collections[0].get_segments()) == n - 1


def test_the_picture_says_what_it_cannot_draw():
    adata = screen()
    adata.var["lineage"] = adata.var["tissue"]
    with pytest.raises(ValueError, match=r"'tissue' and 'lineage' are both of adata\.var"):
        clusters(adata, ["tissue", "lineage"])
    with pytest.raises(ValueError, match="column 'nonsense'"):
        clusters(adata, "nonsense")
    adata.X[0] = 0.5
    with pytest.raises(ValueError, match=f"constant profile in 'measured'.*{adata.obs_names[0]}"):
        clusters(adata, "tissue")
