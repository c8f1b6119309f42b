"""PharmacoSets of every generation, made by ``made_psets``, through every back end."""

import inspect
import itertools
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import anndata
import numpy as np
import pandas as pd
import pytest

import r_bridge
import rtdmf_bio
from r_bridge import backends
from rtdmf_bio import cli
from rtdmf_bio._adata.layers import named_layers
from rtdmf_bio.model import repeats

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made

MEASURE = "auc_recomputed"


def read(path, *args, **kwargs):
    return r_bridge.read_pset(path, *args, **{"progress": False, **kwargs})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("psets")
    return {name: made.write(folder / f"{name}.rds", made.pset(name)) for name in made.GENERATIONS}


def summarised(measure, how, fill):
    """The same summary by pandas, which knows nothing of the code under test."""
    data = made.truth()
    skip = how not in ("first", "last")
    pairs = data.experiments.assign(value=data.profiles[measure]).groupby(
        ["treatmentid", "sampleid"], sort=False
    )["value"]
    by = {"first": lambda v: v.iloc[0], "last": lambda v: v.iloc[-1]}.get(how, how)
    flat = pairs.agg(by) if skip else pairs.apply(by)
    wide = flat.unstack().reindex(index=data.treatment.index, columns=data.sample.index)
    return wide if fill else wide.dropna(how="all").dropna(how="all", axis=1)


# Every generation


@pytest.mark.parametrize("generation", made.GENERATIONS)
def test_every_generation_gives_the_matrix_behind_it(generation, files, backend):
    for measure, how, fill in itertools.product(made.MEASURES, ("mean", "last"), (False, True)):
        if generation == "tre" and how == "last":
            continue  # The order of its experiments is not kept.
        adata = read(files[generation], measure, how, fill, backend, censored="keep")
        expected = summarised(measure, how, fill)
        # pandas adds up in another order than R: the last bit may differ.
        pd.testing.assert_frame_equal(adata.to_df(), expected, check_names=False, rtol=1e-15)


@pytest.mark.parametrize("generation", made.GENERATIONS)
def test_annotation_keeps_values_types_and_gaps(generation, files, backend):
    adata = read(files[generation], MEASURE, "mean", True, backend)
    data = made.truth()
    sample = data.sample.rename(columns={"tissueid": "tissue"})
    assert list(adata.var["tissue"].cat.categories) == sorted(set(sample["tissue"].dropna()))
    assert adata.var["tissue"].isna().tolist() == sample["tissue"].isna().tolist()
    for table, expected in ((adata.var, sample), (adata.obs, data.treatment)):
        if generation == "2022a" and table is adata.obs:
            assert table.empty
            continue
        assert list(table) == list(expected)
        for name in table:
            ours, theirs = table[name], expected[name]
            assert ours.isna().tolist() == theirs.isna().tolist()
            assert ours.dropna().tolist() == theirs.dropna().tolist()
    if generation != "2022a":
        assert adata.obs["PubCHEM"].dtype == "Int32"
        assert adata.obs["approved"].dtype == "boolean"
        assert list(adata.obs["class"].cat.categories) == list("cab")


@pytest.mark.parametrize("generation", made.GENERATIONS)
def test_repeated_experiments_tell_the_noise(generation, files, monkeypatch):
    """The made files have a handful; by the rule they would be too few."""
    adata = read(files[generation], MEASURE, "mean", False, "rdata")
    assert "replicate_sd" not in adata.obs
    monkeypatch.setattr(repeats, "FEWEST", 1)
    adata = read(files[generation], MEASURE, "mean", False, "rdata")
    data = made.truth()
    drug = adata.obs_names.get_indexer(data.experiments["treatmentid"])
    line = adata.var_names.get_indexer(data.experiments["sampleid"])
    here = (drug >= 0) & (line >= 0)
    values = data.profiles[MEASURE].to_numpy(float)[here]
    expected = repeats.noise_of_summaries(values, drug[here], line[here], adata.X, "mean")
    np.testing.assert_allclose(adata.obs["replicate_sd"], expected, rtol=1e-9)
    assert "replicate_sd" not in read(files[generation], MEASURE, "max", False, "rdata").obs


@pytest.mark.parametrize("generation", made.GENERATIONS)
def test_replicates_and_experiments_are_kept(generation, files, backend):
    adata = read(files[generation], MEASURE, "mean", True, backend)
    data = made.truth()
    there = data.experiments[data.profiles[MEASURE].notna()]
    counts = there.groupby(["treatmentid", "sampleid"]).size().unstack()
    counts = counts.reindex(index=data.treatment.index, columns=data.sample.index).fillna(0)
    assert np.array_equal(adata.layers["n_replicates"], counts)
    assert adata.layers["n_replicates"].dtype == np.int32
    if generation != "tre":
        kept = adata.uns["pset"]["experiments"].astype(object)
        expected = data.experiments.astype(object)
        pd.testing.assert_frame_equal(kept, expected, check_categorical=False)


def test_back_ends_agree_in_everything(files, needs_r):
    for generation, path in files.items():
        one, other = (read(path, MEASURE, layers=made.MEASURES, backend=b) for b in ("r", "rdata"))
        assert np.array_equal(one.X, other.X, equal_nan=True)
        for name in named_layers(one):
            assert np.array_equal(one.layers[name], other.layers[name], equal_nan=True)
        pd.testing.assert_frame_equal(one.obs, other.obs)
        pd.testing.assert_frame_equal(one.var, other.var)
        ours, theirs = one.uns["pset"], other.uns["pset"]
        pd.testing.assert_frame_equal(ours["experiments"], theirs["experiments"])
        for name, table in ours["curation"].items():
            pd.testing.assert_frame_equal(table, theirs["curation"][name])
        assert (
            ours["annotation"]
            == theirs["annotation"]
            == {
                "name": "made",
                "dateCreated": "Mon Nov 23 2026",
            }
        )
        assert ours["generation"] == theirs["generation"], generation


def test_generations_are_told_apart(files):
    said = {
        name: r_bridge.describe(path, progress=False)["generation"] for name, path in files.items()
    }
    assert said == {
        "2016": "2016-2021",
        "2019": "2016-2021",
        "2021": "2016-2021",
        "2022a": "transitional (2022)",
        "2022b": "transitional (2022)",
        "current": "current",
        "tre": "TreatmentResponseExperiment",
    }


# Files


@pytest.mark.parametrize("pack", made.PACK)
@pytest.mark.parametrize("version", [2, 3])
def test_any_packing_and_version_is_read(pack, version, backend, tmp_path):
    path = tmp_path / "pset.rds"
    made.write(path, made.pset("current"), pack=pack, version=version)
    several = {"other": {"x": np.array([1.0])}, "mine": made.pset("current")}
    made.write(tmp_path / "psets.rda", several, several=True, pack=pack, version=version)
    one = read(path, MEASURE, backend=backend)
    other = read(tmp_path / "psets.rda", MEASURE, backend=backend)
    assert np.array_equal(one.X, other.X, equal_nan=True)
    assert other.uns["pset"]["object"] == "mine"


def test_the_content_of_a_file_counts_and_not_its_name(backend, tmp_path):
    made.write(tmp_path / "a.rda", made.pset("current"))
    made.write(tmp_path / "b.rds", {"x": made.pset("current")}, several=True)
    assert read(tmp_path / "a.rda", MEASURE, backend=backend).shape == (5, 7)
    assert read(tmp_path / "b.rds", MEASURE, backend=backend).shape == (5, 7)


def test_files_are_read_as_r_itself_writes_them(files, tmp_path, needs_r):
    """Deferred and compact vectors, environments, compiled code, text and native formats."""
    code = f"""
    x <- readRDS("{files["current"]}"); response <- attr(x, "treatmentResponse")
    n <- nrow(response$info)
    attr(response$info, "row.names") <- seq_len(n)
    response$info$text <- as.character(seq_len(n))
    rownames(response$profiles) <- NULL
    response$profiles$rank <- sort(as.double(seq_len(n)))
    response$profiles$row <- seq_len(n)
    attr(x, "treatmentResponse") <- response
    attr(x, "annotation")$f <- compiler::cmpfun(function(x) x^2)
    attr(x, "annotation")$e <- list2env(list(f = function(a) a + 1, x = 1:9))
    attr(x, "annotation")$call <- quote(PharmacoSet(a, b = list(1, 2)))
    setwd("{tmp_path}")
    saveRDS(x, "a.rds"); saveRDS(x, "text.rds", ascii = TRUE); saveRDS(x, "old.rds", version = 2)
    con <- file("native.rds", "wb"); serialize(x, con, xdr = FALSE); close(con)
    y <- environment(); save(x, y, file = "b.rda"); save(x, file = "text.rda", ascii = TRUE)
    """
    subprocess.run(["Rscript", "-e", code], check=True, capture_output=True)
    made_here = read(files["current"], MEASURE)
    expected = [str(i + 1) for i in range(len(made.truth().profiles))]
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 6
    for path, reader in itertools.product(paths, ("r", "rdata")):
        adata = read(path, MEASURE, backend=reader, layers=["row", "rank"])
        # As text R writes 16 digits.
        np.testing.assert_allclose(adata.X, made_here.X, rtol=1e-15 * ("text" in path.name))
        assert adata.uns["pset"]["experiments"].index.tolist() == expected
        assert np.array_equal(adata.layers["row"], adata.layers["rank"], equal_nan=True)
        assert np.nanmax(adata.layers["row"]) > 30


def test_of_several_psets_one_is_chosen_by_name(backend, tmp_path):
    psets = {"first": made.pset("current"), "second": made.pset("2016", seed=1), "n": {}}
    path = made.write(tmp_path / "psets.rda", psets, several=True)
    with pytest.raises(ValueError, match=r"holds several PharmacoSets.*\['first', 'second'\]"):
        read(path, MEASURE, backend=backend)
    assert (
        read(path, MEASURE, name="second", backend=backend).uns["pset"]["generation"] == "2016-2021"
    )
    with pytest.raises(ValueError, match=r"no object named 'third'.*'first', 'second', 'n'"):
        read(path, MEASURE, name="third", backend=backend)
    with pytest.raises(ValueError, match=r"n in .* is no PharmacoSet, but of class list"):
        read(path, MEASURE, name="n", backend=backend)


def test_an_object_of_r_is_read_as_a_file_is(files, needs_r):
    from r_bridge._nodes import by_rpy2

    ri = by_rpy2.session()
    pset = ri.baseenv["readRDS"](str(files["current"]))
    assert np.array_equal(read(pset, MEASURE).X, read(files["current"], MEASURE).X, equal_nan=True)
    with pytest.raises(ValueError, match="the R object is no PharmacoSet, but of class double"):
        read(ri.FloatSexpVector([1.0]))
    with pytest.raises(ValueError, match="rdata reads files"):
        read(pset, backend="rdata")


def test_text_that_is_not_utf8_is_read_as_windows_1252(backend, tmp_path):
    def edit(parts):
        if not hasattr(parts, "slots"):
            names = ["Camptosar\xa0", "naïve", b"Camptosar\xa0", b"\xce\xb2", "β", None, b"\x80 5"]
            parts.treatment = parts.treatment.assign(
                Brand=pd.Series(names, dtype=object).to_numpy()
            )
        else:
            # Bytes that could be UTF-8, but are declared not to be.
            table = made._frame(parts.slots["treatment"])
            table.value["Declared"] = made.R(["Ã©"] * 7, latin1=True)
            parts.slots["treatment"] = table

    path = made.write(tmp_path / "pset.rds", made.pset("current", edit=edit))
    adata = read(path, MEASURE, "mean", True, backend)
    assert adata.obs["Brand"].astype(object).tolist()[:5] == [
        *("Camptosar\xa0", "naïve", "Camptosar\xa0", "β", "β")
    ]
    assert adata.obs["Brand"].iloc[6] == "€ 5"
    assert set(adata.obs["Declared"]) == {"Ã©"}


# Measures


def test_direction_and_unit_are_those_of_the_measure(files):
    adata = read(files["current"], "ic50_recomputed", layers=["auc_published"])
    assert adata.uns["measure"] == {
        "name": "ic50_recomputed",
        "kind": "ic50",
        "unit": "uM",
        "higher_is": "resistant",
        "bounds": [0.0, np.inf],
    }
    area = adata.uns["layer_measures"]["auc_published"]
    assert (area["kind"], area["higher_is"]) == ("aac", "sensitive")


def test_values_at_a_bound_are_within_it(files):
    values = made.truth().profiles[MEASURE]
    assert {0.0, 1.0} <= set(values)
    report = read(files["current"], MEASURE).uns["pset"]
    assert (report["n_below"], report["n_above"]) == (0, 0)


def renamed(**names):
    def edit(parts):
        if not hasattr(parts, "slots"):
            parts.profiles = parts.profiles.rename(columns=names)

    return edit


def test_an_unknown_measure_asks_for_its_direction(backend, tmp_path):
    path = tmp_path / "pset.rds"
    made.write(path, made.pset("current", edit=renamed(auc_published="score")))
    with pytest.raises(
        ValueError, match=r"pset.rds: the direction of the measure 'score' is not known"
    ):
        read(path, "score", backend=backend)
    adata = read(path, "score", higher_is="sensitive", unit="%", backend=backend)
    assert adata.uns["measure"] == {"name": "score", "higher_is": "sensitive", "unit": "%"}
    with pytest.raises(ValueError, match="higher_is parameter must be one of"):
        read(path, "score", higher_is="up")


def test_a_measure_that_contradicts_the_ic50_is_refused(tmp_path):
    """The area under the curve, stored under the name that used to mean the area above it."""

    def edit(parts):
        if not hasattr(parts, "slots"):
            parts.profiles = parts.profiles.assign(auc_recomputed=1 - parts.profiles[MEASURE])

    path = made.write(tmp_path / "pset.rds", made.pset("current", edit=edit))
    with pytest.raises(
        ValueError, match=r"'auc_recomputed' should be higher where lines are more s"
    ):
        read(path, MEASURE)
    assert read(path, MEASURE, higher_is="resistant").uns["measure"]["higher_is"] == "resistant"


def test_another_measure_that_is_text_is_in_nobodys_way(backend, tmp_path):
    def edit(parts):
        if not hasattr(parts, "slots"):
            parts.profiles = parts.profiles.assign(ic50_published="10?", ic50_recomputed="1")

    path = made.write(tmp_path / "pset.rds", made.pset("current", edit=edit))
    assert read(path, MEASURE, backend=backend).shape == (5, 7)
    with pytest.raises(ValueError, match=r"'ic50_published' of the profiles is text.*'10\?'"):
        read(path, "ic50_published", backend=backend)
    notes = read(path, "ic50_recomputed", backend=backend).uns["pset"]["notes"]
    assert notes == ["the measure ic50_recomputed is stored as text and was read as numbers"]


def test_without_a_measure_the_usual_one_is_taken(files, tmp_path):
    assert read(files["current"]).uns["measure"]["name"] == "auc_recomputed"
    made.write(
        tmp_path / "a.rds", made.pset("current", edit=renamed(auc_published="aac_recomputed"))
    )
    assert read(tmp_path / "a.rds").uns["measure"]["name"] == "aac_recomputed"
    made.write(tmp_path / "b.rds", made.pset("current", edit=renamed(auc_recomputed="x")))
    with pytest.raises(ValueError, match=r"b.rds has the measures \['auc_published', 'x'"):
        read(tmp_path / "b.rds")
    with pytest.raises(ValueError, match=r"has no measure 'aac'. It has .*'ic50_recomputed'"):
        read(files["current"], "aac")


@pytest.mark.parametrize("kind", ["text", "factor", "integer"])
def test_a_measure_of_another_type_is_read_as_numbers(kind, backend, tmp_path):
    numbers = [None if x != x else round(100 * x) for x in made.truth().profiles[MEASURE]]
    texts = pd.Series([None if x is None else str(x) for x in numbers], dtype=object)
    column = {
        "text": texts,
        "factor": texts.astype("category"),
        "integer": pd.Series(numbers, dtype="Int32"),
    }[kind]

    def edit(parts):
        if not hasattr(parts, "slots"):
            parts.profiles = parts.profiles.assign(count=column.array)

    path = made.write(tmp_path / "pset.rds", made.pset("current", edit=edit))
    adata = read(path, "count", "max", True, backend, higher_is="sensitive")
    expected = (100 * summarised(MEASURE, "max", True)).round()
    assert np.array_equal(adata.X, expected, equal_nan=True)


@pytest.mark.parametrize(
    "policy, low, high, missing",
    [("keep", -1.0, 2.0, 0), ("nan", 0.0, 1.0, 3), ("clip", 0.0, 1.0, 0)],
)
def test_out_of_range_values_follow_the_policy_and_are_counted(
    policy, low, high, missing, tmp_path
):
    def edit(parts):
        if not hasattr(parts, "slots"):
            values = np.linspace(0.2, 0.8, len(parts.profiles))
            values[[3, 5, 7]] = [-1, 2, 2]
            parts.profiles = parts.profiles.assign(auc_published=values)

    path = made.write(tmp_path / "pset.rds", made.pset("current", edit=edit))
    adata = read(path, "auc_published", "min", out_of_range=policy, higher_is="sensitive")
    report = adata.uns["pset"]
    assert (report["n_below"], report["n_above"], report["n_infinite"]) == (1, 2, 0)
    largest = read(path, "auc_published", "max", out_of_range=policy, higher_is="sensitive")
    assert np.nanmin(adata.X) == pytest.approx(low, abs=0.25)
    assert np.nanmax(largest.X) == pytest.approx(high, abs=0.25)
    assert len(made.truth().profiles) - adata.layers["n_replicates"].sum() == missing


# Combinations


@pytest.fixture
def combined(tmp_path):
    def edit(parts):
        if not hasattr(parts, "slots"):
            numbers = {"whole": np.arange(7, dtype=np.int32), "dose": [np.inf, *range(6)]}
            parts.treatment = parts.treatment.assign(**numbers, on=True)
        else:
            second = ["5-FU" if drug == "17-AAG" else None for drug in parts.info["treatmentid"]]
            response = made.long_table(parts.info, parts.profiles, second)
            parts.slots["treatmentResponse"] = response

    return made.write(tmp_path / "combined.rds", made.pset("tre", edit=edit))


def test_combinations_are_refused_with_the_reason(combined, backend):
    with pytest.raises(ValueError, match=r"combined.rds.*combinations.*17-AAG with 5-FU.*'join'"):
        read(combined, MEASURE, backend=backend)


def test_combinations_can_be_read_as_drugs_of_their_own(combined, backend, files):
    adata = read(combined, MEASURE, "mean", backend=backend, combinations="join")
    alone = read(files["current"], MEASURE, "mean", backend=backend)
    assert "17-AAG" not in adata.obs_names
    assert list(adata.obs_names)[-1] == "17-AAG///5-FU"
    joined, expected = adata["17-AAG///5-FU"].X, alone["17-AAG"].X
    np.testing.assert_allclose(joined, expected, rtol=1e-15)
    own = adata.obs.loc["17-AAG///5-FU"]
    assert own[["Targets", "whole", "dose", "on", "approved"]].isna().all()
    assert adata.obs["whole"].dtype == "Int32"
    assert adata.obs["dose"].dtype == np.float64
    with pytest.raises(ValueError, match="combinations parameter must be one of"):
        read(combined, MEASURE, combinations="split")


# The result


@pytest.mark.parametrize("generation", made.GENERATIONS)
def test_the_result_survives_h5ad(generation, files, tmp_path):
    adata = read(files[generation], MEASURE, fill_missing=True, layers=["ic50_published"])
    rtdmf_bio.io.write_h5ad(adata, tmp_path / "x.h5ad")
    again = anndata.read_h5ad(tmp_path / "x.h5ad")
    assert np.array_equal(adata.X, again.X, equal_nan=True)
    for one, other in ((adata.obs, again.obs), (adata.var, again.var)):
        assert one.isna().to_numpy().tolist() == other.isna().to_numpy().tolist()
        assert one.astype(str).to_numpy().tolist() == other.astype(str).to_numpy().tolist()
    ours, theirs = adata.uns["pset"]["experiments"], again.uns["pset"]["experiments"]
    assert ours.astype(str).to_numpy().tolist() == theirs.astype(str).to_numpy().tolist()
    assert set(again.uns["pset"]) == set(adata.uns["pset"])


def test_awkward_columns_are_renamed_or_left_out(backend, tmp_path):
    def edit(parts):
        if not hasattr(parts, "slots"):
            parts.sample = parts.sample.assign(
                **{"a/b": 1.0, "a_b": 2.0, "tissue": "old", "cell_line": "x", "_index": "y"}
            )
            lists = pd.Series([np.array([1.0, 2.0])] * 7, index=parts.treatment.index)
            parts.treatment = parts.treatment.assign(doses=lists)

    path = made.write(tmp_path / "pset.rds", made.pset("current", edit=edit))
    adata = read(path, MEASURE, backend=backend)
    assert {"a_b", "a_b.1", "tissue", "tissue_original", "cell_line", "index"} <= set(adata.var)
    assert "doses" not in adata.obs
    rtdmf_bio.io.write_h5ad(adata, tmp_path / "x.h5ad")
    assert anndata.read_h5ad(tmp_path / "x.h5ad").var["tissue_original"].tolist() == ["old"] * 7


def test_describe_counts_and_builds_no_matrix(files, backend, monkeypatch):
    def forbidden(*args):
        raise AssertionError("a matrix was built")

    monkeypatch.setattr("r_bridge._psets.assemble.summarize", forbidden)
    data = made.truth()
    pairs = data.experiments.value_counts()
    for generation, path in files.items():
        with pytest.raises(AssertionError, match="a matrix was built"):
            r_bridge.read_pset(path, backend=backend, progress=False)
        said = r_bridge.describe(path, backend=backend, progress=False)
        assert said["measures"] == list(made.MEASURES)
        assert said["backend"] == backend
        assert (said["n_drugs"], said["n_cell_lines"], said["n_tissues"]) == (7, 8, 6)
        assert said["n_pairs"] == len(pairs)
        assert said["n_replicated_pairs"] == (pairs > 1).sum()
        # Experiments without any value cannot be told apart in a TreatmentResponseExperiment.
        assert said["n_experiments"] == len(data.experiments) or generation == "tre"
        assert r_bridge.list_measures(path, backend=backend, progress=False) == list(made.MEASURES)


# Back ends


def test_nothing_of_this_is_imported_with_the_package():
    code = (
        "import sys, rtdmf_bio, rtdmf_bio.cli; print('r_bridge' in sys.modules)\n"
        "import r_bridge; dir(r_bridge)\n"
        "heavy = {'rpy2', 'rdata', 'pooch', 'pandas', 'anndata', 'requests', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:2] == ["False", "[]"]


def test_without_r_auto_reads_in_pure_python_and_says_why(files, monkeypatch, caplog):
    def no_r():
        raise ImportError("rpy2 is not installed.")

    monkeypatch.setattr("r_bridge._nodes.by_rpy2.session", no_r)
    with caplog.at_level(logging.INFO, "r_bridge"):
        adata = r_bridge.read_pset(files["current"], MEASURE)
    assert adata.uns["pset"]["backend"] == "rdata"
    assert "with rdata, in pure Python, because rpy2 is not installed" in caplog.text
    for backend in ("r", "pharmacogx"):
        with pytest.raises(ImportError, match="rpy2 is not installed"):
            read(files["current"], MEASURE, backend=backend)


@pytest.fixture
def planted(monkeypatch):
    """A back end more: that of pure Python under another name. Returns what it was asked for."""
    asked = []

    def read(*file):
        asked.append(file)
        return backends.BACKENDS["rdata"].read(*file)

    def check():
        asked.append("check")

    monkeypatch.setitem(backends.BACKENDS, "mine", backends.Reader(check, read, in_r=False))
    return asked


def test_a_new_back_end_is_a_row_of_the_table(planted, files, tmp_path, capsys):
    """It reads, is offered by the command and by the error, and is not taken for R."""
    path = files["current"]
    adata = read(path, MEASURE, backend="mine")
    assert [what if what == "check" else what[0] for what in planted] == ["check", path]
    assert adata.uns["pset"]["backend"] == "mine"
    assert np.array_equal(adata.X, read(path, MEASURE, backend="rdata").X, equal_nan=True)
    with pytest.raises(ValueError, match=r"one of \['auto', 'r', .*'mine'\]. Got 'yours'"):
        read(path, MEASURE, backend="yours")

    class InR:
        __sexp__ = None

    with pytest.raises(ValueError, match="The backend mine reads files"):
        read(InR(), MEASURE, backend="mine")
    adata.layers["rtdmf"] = adata.X
    report = r_bridge.write_pset(adata, path, tmp_path / "out.rds", backend="mine", progress=False)
    assert report.path is None
    assert (tmp_path / "out_matrix.rds").exists()
    args = ["correct", str(path), str(tmp_path / "out.csv"), "--measure", "nothing"]
    assert cli.main([*args, "--backend", "mine"]) == 1
    assert "no measure 'nothing'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*args, "--backend", "yours"])


def test_a_new_back_end_that_is_not_there_says_so(planted, files, monkeypatch):
    def check():
        raise ImportError("mine is not installed.")

    mine = backends.Reader(check, backends.BACKENDS["mine"].read, in_r=False)
    monkeypatch.setitem(backends.BACKENDS, "mine", mine)
    with pytest.raises(ImportError, match="mine is not installed"):
        read(files["current"], MEASURE, backend="mine")
    assert planted == []


def test_every_back_end_has_a_type_and_an_explanation():
    assert get_args(backends.Backend) == backends.choices() == ("auto", *backends.BACKENDS)
    said = inspect.getdoc(r_bridge.read_pset).partition("\nbackend\n")[2].partition("\nname\n")[0]
    assert [name for name in backends.choices() if f'``"{name}"``' not in said] == []


def test_the_command_offers_every_back_end(capsys):
    with pytest.raises(SystemExit):
        cli.main(["correct", "--help"])
    offered = capsys.readouterr().out
    assert f"--backend {{{','.join(backends.choices())}}}" in offered


def test_listing_the_back_ends_loads_none(loaded_after):
    """As the command does to say what it takes."""
    code = "import rtdmf_bio.cli as cli; cli._parser()"
    heavy = ("rpy2", "rdata", "pandas", "anndata", "numpy")
    assert loaded_after(code, "r_bridge.backends", *heavy) == ["r_bridge.backends"]


def test_rpy2_without_r_gives_one_clear_error(monkeypatch, needs_r):
    """Without R rpy2 raises anything but ImportError."""
    from r_bridge._nodes import by_rpy2

    class Broken:
        def find_spec(self, name, *_):
            if name == "rpy2.rinterface":
                raise RuntimeError("R_HOME must be set")

    monkeypatch.delitem(sys.modules, "rpy2.rinterface", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ImportError, match=r"R could not be started.*R_HOME must be set.*Install R"):
        by_rpy2.session.__wrapped__()


def test_progress_is_shown_by_the_slow_back_end_only_if_wanted(files, capfd, caplog):
    read(files["current"], MEASURE, backend="rdata", progress=True)
    assert "parsing" in capfd.readouterr().err
    read(files["current"], MEASURE, backend="rdata")
    assert capfd.readouterr() == ("", "")


def test_r_prints_nothing_and_leaves_nothing_behind(files, needs_r, capfd):
    from r_bridge._nodes import by_rpy2

    ri = by_rpy2.session()
    before = list(ri.globalenv.keys())
    read(files["current"], MEASURE, backend="r")
    with pytest.raises(ValueError, match="has no measure"):
        read(files["current"], "nothing", backend="r")
    assert capfd.readouterr() == ("", "")
    assert list(ri.globalenv.keys()) == before


def test_warnings_of_r_are_caught_and_not_printed(needs_r, capfd):
    from r_bridge._nodes import by_rpy2

    quietly, as_integer = by_rpy2.functions()["quietly"], by_rpy2.session().baseenv["as.integer"]
    value, error, warnings = map(by_rpy2.RNode, quietly(as_integer, by_rpy2.strings(["x"])))
    assert value.values().isna().all()
    assert error.kind == "NULL"
    assert warnings.values().tolist() == ["NAs introduced by coercion"]
    assert capfd.readouterr() == ("", "")


def test_starting_r_leaves_the_environment_to_others(needs_r):
    """R's LD_LIBRARY_PATH gives Python processes started later the libpython of the system."""
    code = (
        "import os; before = dict(os.environ)\n"
        "from r_bridge._nodes import by_rpy2; by_rpy2.session()\n"
        "own = ('R_', 'PYTHON_SESSION')\n"
        "print({k for k in {**before, **os.environ} if os.environ.get(k) != before.get(k)\n"
        "       and not k.startswith(own)})"
    )
    for more in ({}, {"LD_LIBRARY_PATH": "/nowhere", "PAGER": "mine"}):
        env = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PAGER")}
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={**env, **more}
        )
        assert out.stdout == "set()\n", out.stderr


def test_any_locale_reads_the_same_text(files, needs_r):
    code = (
        "import sys, r_bridge\n"
        f"a = r_bridge.read_pset({str(files['current'])!r}, 'auc_recomputed', backend='r')\n"
        "sys.stdout.buffer.write(' '.join(a.obs_names).encode())"
    )
    for locale in ("C", "C.UTF-8"):
        env = {**os.environ, "LC_ALL": locale}
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=True)
        assert "β-Lapachone" in out.stdout.decode()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"summary": "mode"}, "summary parameter must be one of .*Got 'mode'"),
        ({"out_of_range": "drop"}, "out_of_range parameter must be one of"),
        ({"unmatched": "keep"}, "unmatched parameter must be one of"),
        ({"backend": "python"}, "backend parameter must be one of"),
    ],
)
def test_a_wrong_setting_is_named(wrong, message, files):
    with pytest.raises(ValueError, match=message):
        read(files["current"], MEASURE, **wrong)


@pytest.mark.parametrize(
    "values, expected",
    [
        (
            made.R(
                np.array([2**53 + 1, -(2**63), 3, 4, 5, 6, 7, 8]).view(np.float64),
                {"class": ["integer64"]},
            ),
            [2**53 + 1, pd.NA, 3, 4, 5, 6, 7],
        ),
        (
            made.R(
                np.array([1, 2, 3, 2, 1, made.NA_INT, 1, 1], np.int32),
                {"levels": ["a", None, "c"], "class": ["factor"]},
            ),
            ["a", None, "c", None, "a", None, "a"],
        ),
    ],
    ids=["integer64", "factor with NA as a level"],
)
def test_columns_of_special_classes_are_read_as_what_they_mean(values, expected, tmp_path, backend):
    edit = made.slots(
        lambda all_: made.bend(all_, "sample", lambda frame: frame.value.update(special=values))
    )
    path = made.write(tmp_path / "pset.rds", made.pset("current", edit=edit))
    found = read(path, MEASURE, backend=backend).var["special"]
    assert list(found.isna()) == [pd.isna(value) for value in expected]
    assert found.dropna().tolist() == [value for value in expected if not pd.isna(value)]
