"""Noise from what was measured more than once: rows, columns, experiments, errors of fits."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import rtdmf_bio as rt
from rtdmf_bio._adata.inputs import known_noise
from rtdmf_bio.model.repeats import (
    noise_of_summaries,
    pooled,
    within_columns,
    within_pairs,
    within_rows,
)

N, P = 30, 60


@pytest.fixture(scope="module")
def assay():
    """Truth of rank 2, and the noise of each drug, from 0.02 to 0.2."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(N, 1)) + 0.3 * rng.normal(size=(N, 2)) @ rng.normal(size=(2, P))
    return truth, np.geomspace(0.02, 0.2, N)


def measured(assay, seed):
    truth, noise = assay
    return truth + noise[:, None] * np.random.default_rng(seed).normal(size=truth.shape)


def assert_alike(found, expected):
    """Each as well as some dozens of repeats tell, and all on average."""
    apart = np.log(found / expected)
    assert abs(apart.mean()) < 0.1
    assert apart.std() < 0.2


def sd(square, count):
    return np.sqrt(square / np.maximum(count, 1))


def test_rows_of_the_same_drug_tell_its_noise_whatever_their_shift(assay):
    X = np.vstack([measured(assay, 1), measured(assay, 2) + 3.0])
    X[np.random.default_rng(3).random(X.shape) < 0.1] = np.nan
    labels = np.array([*range(N)] * 2, dtype=object)
    labels[[0, N]] = None
    square, count = within_rows(X, labels)
    assert square[0] == count[0] == 0
    common = np.isfinite(X[1]) & np.isfinite(X[N + 1])
    assert count[1] == count[N + 1] == common.sum()
    assert_alike(sd(square, count)[1:N], assay[1][1:])


def test_columns_of_the_same_line_tell_the_noise_of_every_drug(assay):
    X = np.hstack([measured(assay, 1), measured(assay, 2)[:, :40] + 3.0])
    X[5, 70:] = np.nan
    labels = np.array([*range(P), *range(40)], dtype=object)
    square, count = within_columns(X, labels)
    assert count[0] == 40
    assert count[5] == 10
    assert_alike(sd(square, count)[6:], assay[1][6:])
    # Two lines with too few drugs in common say nothing.
    X[9:, P:] = np.nan
    assert not within_columns(X, labels)[1].any()


def test_experiments_on_the_same_pair_tell_the_noise_by_hand():
    values = np.array([1.0, 3.0, 5.0, 7.0, 7.5, np.nan, 2.0])
    drug = np.array([0, 0, 0, 1, 1, 1, 2])
    line = np.array([0, 0, 0, 1, 1, 1, 0])
    square, count = within_pairs(values, drug, line, (4, 2))
    np.testing.assert_allclose(square, [8.0, 0.125, 0, 0])
    np.testing.assert_array_equal(count, [2, 1, 0, 0])
    none = within_pairs(values[:1], drug[:1], line[:1], (4, 2))
    assert not none[1].any()


def test_a_drug_without_repeats_has_the_ratio_of_the_screen():
    noise = pooled(np.array([40.0, 0.0]), np.array([10.0, 0.0]), np.array([8.0, 2.0]))
    np.testing.assert_allclose(noise, [(40 + 5 * 0.5 * 8) / 15, 0.5 * 2])


def test_one_gross_error_does_not_make_all_repeats_noisy(assay):
    X = np.vstack([measured(assay, 1), measured(assay, 2)])
    labels = np.array([*range(N)] * 2, dtype=object)
    clean = sd(*within_rows(X, labels))[0]
    X[0, 0] += 50
    assert sd(*within_rows(X, labels))[0] < 1.6 * clean


@pytest.mark.parametrize("how, factor", [("mean", 2), ("median", 2), ("first", 1)])
def test_a_mean_of_two_has_half_the_variance(assay, how, factor):
    truth, noise = assay
    values = np.concatenate([measured(assay, k).ravel() for k in (1, 2)])
    drug, line = (np.tile(index.ravel(), 2) for index in np.indices(truth.shape))
    found = noise_of_summaries(values, drug, line, truth, how)
    assert_alike(found[5:], noise[5:] / np.sqrt(factor))
    assert noise_of_summaries(values, drug, line, truth, "max") is None
    some = slice(0, truth.size + 9)  # nine repeats
    assert noise_of_summaries(values[some], drug[some], line[some], truth, how) is None


def test_a_drug_without_values_has_no_noise():
    matrix = np.array([[np.nan] * 12, np.arange(12.0)])
    values = np.concatenate([np.arange(12.0), np.arange(12.0) + 1, [np.nan]])
    drug = np.array([1] * 24 + [0])
    line = np.array([*range(12), *range(12), 0])
    found = noise_of_summaries(values, drug, line, matrix, "first")
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(np.sqrt((12 * 0.5 + 5 * 0.5) / 17))


# -- on the way through the package -------------------------------------------------------------


def long_table(assay, path, n_repeats=2):
    """Every pair measured, some of them again."""
    frames = []
    for k in range(n_repeats):
        X = measured(assay, k)
        names = [f"drug{i}" for i in range(N)], [f"line{j}" for j in range(P if k == 0 else 20)]
        frame = pd.DataFrame(X[:, : len(names[1])], *names).rename_axis(index="drug")
        frames.append(frame.reset_index().melt("drug", var_name="cell_line"))
    pd.concat(frames).to_csv(path, index=False)
    return path


def test_a_table_with_repeats_brings_its_noise_along(assay, tmp_path, rough_fits):
    path = long_table(assay, tmp_path / "long.csv")
    adata = rt.io.read_table(path, layout="long", aggregate="mean")
    expected = assay[1] * np.sqrt((40 + 20 / 2) / 60)
    assert_alike(adata.obs["replicate_sd"][15:], expected[15:])
    rt.pp.correct(adata, group_key=None, noise_sd="replicate_sd", progress=False)
    assert adata.uns["rtdmf"]["noise"]["source"] == "replicates"
    np.testing.assert_array_equal(adata.obs["rtdmf_noise_sd"], adata.obs["replicate_sd"])
    once = rt.io.read_table(
        long_table(assay, tmp_path / "once.csv", 1), layout="long", aggregate="mean"
    )
    assert "replicate_sd" not in once.obs


def test_an_annotation_keeps_the_noise_beside_it(assay, tmp_path):
    path = long_table(assay, tmp_path / "long.csv")
    known = pd.DataFrame({"target": "x"}, index=[f"drug{i}" for i in range(N)])
    adata = rt.io.read_table(path, layout="long", aggregate="mean", obs=known)
    assert list(adata.obs) == ["target", "replicate_sd"]
    known = known.assign(replicate_sd=1.0)
    adata = rt.io.read_table(path, layout="long", aggregate="mean", obs=known)
    assert (adata.obs["replicate_sd"] == 1.0).all()


def screen(assay, **more):
    obs = pd.DataFrame(index=[f"drug{i}" for i in range(N)])
    var = pd.DataFrame(index=[f"line{j}" for j in range(P)])
    return anndata.AnnData(measured(assay, 0), obs, var, **more)


def test_lines_screened_twice_are_named_in_var(assay, rough_fits):
    twice = np.hstack([measured(assay, 0), measured(assay, 1)[:, :30]])
    var = pd.DataFrame({"line": [*range(P), *range(30)]}, index=[f"c{j}" for j in range(P + 30)])
    adata = anndata.AnnData(twice, screen(assay).obs, var)
    rt.pp.correct(adata, group_key=None, replicate_key="line", progress=False)
    result = adata.uns["rtdmf"]
    assert result["noise"]["source"] == "replicates"
    assert result["params"]["replicate_key"] == "line"
    assert_alike(adata.obs["rtdmf_noise_sd"][8:], assay[1][8:])
    direct = rt.RTDMF().fit(twice, line_replicates=var["line"].to_numpy())
    np.testing.assert_array_equal(direct.corrected_, adata.layers["rtdmf"])


def test_a_layer_of_standard_errors_counts_by_drug(assay, rough_fits):
    rng = np.random.default_rng(5)
    errors = assay[1][:, None] * rng.uniform(0.5, 1.5, size=(N, P))
    adata = screen(assay, layers={"se": errors})
    adata.X[0, :5] = np.nan
    adata.layers["se"][0, :5] = np.nan
    rt.pp.correct(adata, group_key=None, noise_sd="se", progress=False)
    expected = np.sqrt(np.nanmean(adata.layers["se"] ** 2, axis=1))
    np.testing.assert_allclose(adata.obs["rtdmf_noise_sd"], expected)
    assert adata.uns["rtdmf"]["noise"]["source"] == "given"
    frame = pd.DataFrame(adata.layers["se"], adata.obs_names, adata.var_names)
    again = rt.RTDMF().fit(adata.to_df(), noise_sd=frame.iloc[::-1, ::-1])
    np.testing.assert_array_equal(again.corrected_, adata.layers["rtdmf"])


def test_what_is_named_wrongly_is_refused(assay):
    adata = screen(assay)
    adata.obs["who"] = adata.var["who"] = 1
    adata.obs["a"] = adata.obs["b"] = 1
    for key, message in (
        ("nothing", "Neither adata.obs nor adata.var has a column 'nothing'"),
        ("who", "both have a column 'who'"),
        (["a", "b"], "two columns of drugs"),
    ):
        with pytest.raises(ValueError, match=message):
            rt.pp.correct(adata, group_key=None, replicate_key=key)
    with pytest.raises(ValueError, match=r"no column 'se'.*layers \[\]"):
        rt.pp.correct(adata, group_key=None, noise_sd="se")
    with pytest.raises(ValueError, match="line_replicates has no label twice"):
        rt.RTDMF().fit(adata.X, line_replicates=range(P))
    errors = np.full((N, P), 0.1)
    errors[3, 4] = np.nan
    with pytest.raises(ValueError, match="or one for each measurement"):
        rt.RTDMF().fit(adata.X, noise_sd=errors)


def test_a_search_corrects_with_the_noise_that_is_named(assay, rough_fits):
    adata = screen(assay)
    adata.obs["replicate_sd"] = assay[1]
    rt.pp.tune(adata, {"depth": [3]}, group_key=None, noise_sd="replicate_sd", progress=False)
    assert adata.uns["rtdmf"]["noise"]["source"] == "replicates"
    np.testing.assert_array_equal(adata.obs["rtdmf_noise_sd"], assay[1])


def test_the_command_takes_the_noise_of_repeats(assay, tmp_path, capsys):
    from rtdmf_bio.cli import main

    path = long_table(assay, tmp_path / "long.csv")
    out = tmp_path / "out.h5ad"
    how = ["--layout", "long", "--aggregate", "mean", "--force"]
    assert main(["correct", str(path), str(out), *how]) == 0
    assert "(from replicates)" in capsys.readouterr().out
    assert anndata.read_h5ad(out).uns["rtdmf"]["params"]["noise_sd"] == "replicate_sd"
    assert main(["correct", str(path), str(out), *how, "--noise-sd", "0.1"]) == 0
    assert "(as given)" in capsys.readouterr().out
    assert main(["correct", str(path), str(out), *how, "--retain", "all"]) == 0
    assert main(["correct", str(path), str(out), *how, "--noise-sd", "0"]) == 1
    assert "Got 0 for 30 drug(s)" in capsys.readouterr().err


def test_repeats_step_back_for_what_is_said_of_noise(assay):
    adata = screen(assay)
    assert known_noise(adata, {}) is None
    adata.obs["replicate_sd"] = assay[1]
    assert known_noise(adata, {}) == known_noise(adata, {"retain": ["shrink"]}) == "replicate_sd"
    assert known_noise(adata, {"noise_sd": 0.0}) == 0.0
    for told in ({"replicate_key": "drug"}, {"retain": "all"}, {"preset": "paper"}):
        assert known_noise(adata, told) is None
