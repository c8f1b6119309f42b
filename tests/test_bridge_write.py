"""Corrected measures on their way back into PharmacoSets."""

import inspect
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import r_bridge
import rtdmf_bio
from r_bridge._psets import slots
from r_bridge._psets.open import open_pset
from rtdmf_bio._adata.layers import named_layers

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made

MEASURE = "auc_recomputed"
NEW = "auc_recomputed_rtdmf"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("psets")
    return {name: made.write(folder / f"{name}.rds", made.pset(name)) for name in made.GENERATIONS}


@pytest.fixture
def source(files):
    return files["current"]


def corrected(path, **kwargs):
    """Read, and put in the place of a correction something whose every entry can be told apart."""
    adata = r_bridge.read_pset(path, MEASURE, "mean", progress=False, **kwargs)
    adata.layers["rtdmf"] = np.arange(adata.X.size, dtype=float).reshape(adata.shape) / 1024
    adata.layers["rtdmf_flag"] = (np.arange(adata.X.size, dtype=np.int8) % 4).reshape(adata.shape)
    return adata


def by_row(path, measure, backend="rdata"):
    """Values of a measure by row of the profiles, with the ids."""
    pset = slots.read(open_pset(path, backend=backend, progress=False))
    return pset.rows.assign(value=pset.values(measure))


def rscript(code):
    out = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    return out.stdout


# With R


@pytest.mark.parametrize("generation", made.GENERATIONS)
@pytest.mark.parametrize("ending", [".rds", ".rda"])
def test_the_copy_reads_back_to_the_same_matrix(generation, ending, files, tmp_path, needs_r):
    adata = corrected(files[generation])
    report = r_bridge.write_pset(adata, files[generation], tmp_path / f"out{ending}")
    tested = made.truth().experiments.value_counts().unstack()
    tested = tested.reindex(index=adata.obs_names, columns=adata.var_names).notna().to_numpy()
    for backend in ("r", "rdata"):
        again = r_bridge.read_pset(
            *(report.path, NEW, "mean", True, backend), layers=[f"{NEW}_flag"], progress=False
        )[adata.obs_names, adata.var_names]
        expected = np.where(tested, adata.layers["rtdmf"], np.nan)
        assert np.array_equal(again.X, expected, equal_nan=True)
        flags = np.where(tested, adata.layers["rtdmf_flag"], np.nan)
        assert np.array_equal(again.layers[f"{NEW}_flag"], flags, equal_nan=True)
        assert again.uns["measure"]["higher_is"] == "sensitive"
    listed = r_bridge.list_measures(report.path, progress=False)
    assert listed == [*made.MEASURES, NEW]


@pytest.mark.parametrize("generation", made.GENERATIONS)
def test_nothing_else_in_the_copy_changes(generation, files, tmp_path, needs_r):
    """Seen by plain R: same class, same slots, and identical but for what was added."""
    r_bridge.write_pset(corrected(files[generation]), files[generation], tmp_path / "out.rds")
    code = f"""
    a <- readRDS("{files[generation]}"); b <- readRDS("{tmp_path / "out.rds"}")
    at <- function(x, n) attr(x, n, exact = TRUE)
    slot <- intersect(c("treatmentResponse", "sensitivity"), names(attributes(a)))[1]
    stopifnot(isS4(b), identical(class(a), class(b)), attr(class(b), "package") == "PharmacoGx")
    stopifnot(identical(names(attributes(a)), names(attributes(b))))
    for (n in setdiff(names(attributes(a)), c(slot, "annotation")))
      stopifnot(identical(at(a, n), at(b, n)))
    note <- at(b, "annotation")$rtdmf_bio${NEW}
    stopifnot(identical(at(b, "annotation")[names(at(a, "annotation"))], at(a, "annotation")))
    stopifnot(note$corrected_from == "{MEASURE}", note$higher_is == "sensitive")
    r <- at(a, slot); s <- at(b, slot)
    long <- isS4(r)
    if (long) {{
      for (n in c("rowData", "colData", "metadata", ".intern"))
        stopifnot(identical(at(r, n), at(s, n)))
      r <- at(r, "assays"); s <- at(s, "assays")
    }}
    rest <- setdiff(names(r), "profiles")
    stopifnot(identical(names(r), names(s)), identical(r[rest], s[rest]))
    p <- r$profiles; q <- s$profiles
    stopifnot(identical(class(p), class(q)), identical(rownames(p), rownames(q)))
    new <- c("{NEW}", "{NEW}_flag")
    stopifnot(identical(colnames(q), c(colnames(p), new)), nrow(p) == nrow(q))
    old <- if (is.matrix(p)) q[, colnames(p)] else unclass(q)[names(p)]
    stopifnot(identical(unname(if (is.matrix(p)) p else unclass(p)[names(p)]), unname(old)))
    value <- if (is.matrix(q)) q[, new[1]] else q[[new[1]]]
    stopifnot(is.double(value), !any(is.nan(value)))
    cat("fine")
    """
    assert rscript(code) == "fine"


def test_each_row_gets_the_value_of_its_drug_and_line(source, tmp_path, needs_r):
    """Also replicates, and experiments that have no value themselves."""
    adata = corrected(source)
    r_bridge.write_pset(adata, source, tmp_path / "out.rds")
    matrix = adata.to_df("rtdmf")
    rows = by_row(tmp_path / "out.rds", NEW)
    assert list(rows.index) == list(made.truth().experiments.index)
    for drug, line, value in rows.itertuples(index=False):
        if drug in matrix.index:
            assert value == matrix.loc[drug, line]
        else:
            assert np.isnan(value)


def test_order_and_subset_of_the_data_play_no_part(source, tmp_path, needs_r):
    adata = corrected(source)
    r_bridge.write_pset(adata, source, tmp_path / "all.rds")
    part = adata[::-1][:3, ::-2].copy()
    report = r_bridge.write_pset(part, source, tmp_path / "part.rds")
    everything = by_row(tmp_path / "all.rds", NEW)
    some = by_row(tmp_path / "part.rds", NEW)
    there = some["treatmentid"].isin(part.obs_names) & some["sampleid"].isin(part.var_names)
    assert np.array_equal(some["value"][there], everything["value"][there])
    assert some["value"][~there].isna().all()
    assert report.n_written == there.sum()


def test_pairs_without_an_experiment_go_to_a_matrix_of_their_own(source, tmp_path, needs_r):
    adata = corrected(source)
    report = r_bridge.write_pset(adata, source, tmp_path / "out.rds")
    tested = made.truth().experiments.value_counts().unstack()
    tested = tested.reindex(index=adata.obs_names, columns=adata.var_names).notna()
    expected = adata.to_df("rtdmf").mask(tested)
    assert report.n_imputed == (~tested).to_numpy().sum() > 0
    assert report.imputed == (tmp_path / "out_imputed.rds", tmp_path / "out_imputed.csv")
    assert ",NA," in report.imputed[1].read_text()
    table = pd.read_csv(report.imputed[1], index_col=0, dtype=str).astype(float)
    pd.testing.assert_frame_equal(table, expected, check_names=False, check_exact=True)
    code = f"""
    m <- readRDS("{report.imputed[0]}"); d <- read.csv("{report.imputed[1]}", row.names = 1,
      check.names = FALSE, fileEncoding = "UTF-8")
    stopifnot(is.matrix(m), is.double(m), sum(!is.na(m)) == {report.n_imputed}, !any(is.nan(m)))
    stopifnot(identical(dim(m), dim(d)), identical(colnames(m), colnames(d)))
    stopifnot(identical(rownames(m), rownames(d)), all.equal(unname(m), unname(as.matrix(d))))
    cat(sum(m, na.rm = TRUE) == {float(np.nansum(expected.to_numpy()))!r})
    """
    assert rscript(code) == "TRUE"
    assert f"{report.n_imputed} pairs have no experiment" in str(report)


def test_without_such_pairs_no_further_file_is_written(source, tmp_path, needs_r):
    adata = corrected(source)[["AZD 6482"], ["A375", "22RV1"]].copy()
    report = r_bridge.write_pset(adata, source, tmp_path / "out.rds")
    assert (report.n_imputed, report.imputed) == (0, ())
    assert [path.name for path in tmp_path.iterdir()] == ["out.rds"]


def test_an_rda_keeps_the_name_of_the_object(tmp_path, needs_r):
    several = {"x": {}, "study": made.pset("current"), "other": made.pset("2016")}
    path = made.write(tmp_path / "in.rda", several, several=True)
    adata = corrected(path, name="study")
    # Which object it was is remembered.
    r_bridge.write_pset(adata, path, tmp_path / "out.RData")
    assert rscript(f'cat(load("{tmp_path / "out.RData"}"))') == "study"
    assert by_row(tmp_path / "out.RData", NEW)["value"].notna().any()


def test_a_second_correction_stands_beside_the_first(source, tmp_path, needs_r):
    adata = corrected(source)
    r_bridge.write_pset(adata, source, tmp_path / "one.rds")
    del adata.layers["rtdmf_flag"]
    r_bridge.write_pset(adata, tmp_path / "one.rds", tmp_path / "two.rds", measure_name="again")
    assert r_bridge.list_measures(tmp_path / "two.rds", progress=False)[-2:] == [NEW, "again"]
    # Its direction is noted in the file.
    again = r_bridge.read_pset(tmp_path / "two.rds", "again", progress=False)
    assert again.uns["measure"] == {**adata.uns["measure"], "name": "again"}
    with pytest.raises(ValueError, match=r"one.rds already has a measure 'auc_recomputed_rtdmf'"):
        r_bridge.write_pset(adata, tmp_path / "one.rds", tmp_path / "three.rds")


def test_arrays_that_name_their_byte_order_can_be_written(source, tmp_path, needs_r):
    """As arrays do that come from zarr, though it is the usual one."""
    adata = corrected(source)
    adata.layers["rtdmf"] = adata.layers["rtdmf"].astype(np.dtype("<f8").newbyteorder("<"))
    bounds = np.frombuffer(np.array([0.0, 1.0], "<f8").tobytes(), np.dtype("f8").newbyteorder("<"))
    adata.uns["measure"]["bounds"] = bounds
    assert memoryview(bounds).format == "<d"
    r_bridge.write_pset(adata, source, tmp_path / "out.rds")
    again = r_bridge.read_pset(tmp_path / "out.rds", NEW, progress=False)
    assert again.uns["measure"]["bounds"] == [0, 1]


def test_data_saved_and_loaded_can_be_written(source, tmp_path, needs_r):
    adata = corrected(source)
    rtdmf_bio.io.write_h5ad(adata, tmp_path / "x.h5ad")
    r_bridge.write_pset(anndata.read_h5ad(tmp_path / "x.h5ad"), source, tmp_path / "a.rds")
    r_bridge.write_pset(adata, source, tmp_path / "b.rds")
    one, other = (by_row(tmp_path / f"{name}.rds", NEW) for name in "ab")
    pd.testing.assert_frame_equal(one, other)


def test_combinations_are_written_to_their_rows(tmp_path, needs_r):
    def edit(parts):
        if hasattr(parts, "slots"):
            second = ["5-FU" if drug == "17-AAG" else None for drug in parts.info["treatmentid"]]
            parts.slots["treatmentResponse"] = made.long_table(parts.info, parts.profiles, second)

    path = made.write(tmp_path / "in.rds", made.pset("tre", edit=edit))
    adata = corrected(path, combinations="join")
    r_bridge.write_pset(adata, path, tmp_path / "out.rds")
    again = r_bridge.read_pset(
        tmp_path / "out.rds", NEW, combinations="join", progress=False
    ).to_df()
    drug = "17-AAG///5-FU"
    ours = again.loc[drug].dropna()
    assert len(ours) > 3
    assert np.array_equal(ours, adata.to_df("rtdmf").loc[drug, ours.index])


def test_a_source_given_as_an_object_of_r_is_left_as_it_was(source, tmp_path, needs_r):
    from r_bridge._nodes import by_rpy2

    pset = by_rpy2.session().baseenv["readRDS"](str(source))
    before = r_bridge.list_measures(pset)
    r_bridge.write_pset(corrected(source), pset, tmp_path / "out.rds")
    assert r_bridge.list_measures(pset) == before == list(made.MEASURES)
    assert r_bridge.list_measures(tmp_path / "out.rds", progress=False)[-1] == NEW


# Without R


def test_without_r_matrix_and_table_are_written_for_r(source, tmp_path):
    adata = corrected(source, backend="rdata")
    report = r_bridge.write_pset(
        adata, source, tmp_path / "out.rds", backend="rdata", progress=False
    )
    assert report.path is None
    names = ["out_experiments", "out_imputed", "out_matrix"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        name + end for name in names for end in (".csv", ".rds")
    ]
    assert "but no PharmacoSet: only R writes one" in str(report)
    table = pd.read_csv(tmp_path / "out_experiments.csv", index_col=0, dtype=str)
    table = table.astype({NEW: float, f"{NEW}_flag": float})
    data = made.truth()
    assert list(table.index) == list(data.experiments.index)
    matrix = adata.to_df("rtdmf")
    for drug, line, value, flag in table.itertuples(index=False):
        if drug in matrix.index:
            assert value == matrix.loc[drug, line]
            assert flag == adata.to_df("rtdmf_flag").loc[drug, line]
        else:
            assert np.isnan(value)
            assert np.isnan(flag)
    again = pd.read_csv(tmp_path / "out_matrix.csv", index_col=0, dtype=str).astype(float)
    pd.testing.assert_frame_equal(again, matrix, check_names=False, check_exact=True)


def test_what_is_written_without_r_merges_in_r(source, tmp_path, needs_r):
    adata = corrected(source, backend="rdata")
    r_bridge.write_pset(adata, source, tmp_path / "out.rds", backend="rdata", progress=False)
    code = f"""
    x <- readRDS("{source}"); t <- readRDS("{tmp_path / "out_experiments.rds"}")
    m <- readRDS("{tmp_path / "out_matrix.rds"}"); r <- attr(x, "treatmentResponse")
    stopifnot(identical(rownames(t), rownames(r$info)))
    stopifnot(identical(as.character(t$treatmentid), r$info$treatmentid))
    stopifnot(!any(is.nan(t${NEW})), is.integer(t${NEW}_flag))
    known <- !is.na(t${NEW})
    stopifnot(identical(t${NEW}[known], m[cbind(r$info$treatmentid, r$info$sampleid)[known, ]]))
    cat(sum(known), dim(m))
    """
    merge = re.search(r"by::\n\n(.*?)\n\n", inspect.getdoc(r_bridge.write_pset), re.S).group(1)
    merge = merge.replace("study.rds", str(source))
    rscript(f"setwd('{tmp_path}')\n{merge}")
    merged = r_bridge.read_pset(tmp_path / "out.rds", NEW, "mean", progress=False)
    assert np.array_equal(
        merged.to_df().stack().dropna(),
        adata.to_df("rtdmf")[merged.to_df().notna()].stack().dropna(),
    )
    known = made.truth().experiments["treatmentid"].isin(adata.obs_names).sum()
    assert rscript(code) == f"{known} {adata.n_obs} {adata.n_vars}"


# Refusals: nothing is written, nothing changed


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


REFUSED = {
    "no such layer": (
        lambda adata: {"layer": "corrected"},
        r"no layer 'corrected', only .*Run rtdmf_bio.pp.correct first",
    ),
    "x": (
        lambda adata: {"layer": "X"},
        r"layer='X' means adata.X, which was read. Pass one of \['n_replicates', 'rtdmf', ",
    ),
    "x as no layer": (
        lambda adata: {"layer": None},
        "layer=None means adata.X, which was read",
    ),
    "no name of a layer": (
        lambda adata: {"layer": ["rtdmf"]},
        r"layer must be the name of one layer, or None. Got \['rtdmf'\]",
    ),
    "x or a layer x": (
        lambda adata: adata.layers.update(X=adata.X) or {"layer": "X"},
        "Rename that layer",
    ),
    "another ending": (lambda adata: {"dest": "out.h5ad"}, "must end in .rds, .rda or .RData"),
    "names twice": (
        lambda adata: setattr(adata, "obs_names", ["A"] * adata.n_obs),
        r"drugs \['A'\] are named twice",
    ),
    "other drugs": (
        lambda adata: setattr(adata, "obs_names", list("ABCDE")),
        r"None of the drugs \(A, B, C, ...\) is in current.rds \(vorinostat, 5-FU, 17-AAG",
    ),
    "numbers for names": (
        lambda adata: setattr(adata.obs, "index", pd.RangeIndex(adata.n_obs)),
        r"None of the drugs \(0, 1, 2, ...\) is in current.rds",
    ),
    "other lines": (
        lambda adata: setattr(adata, "var_names", list("ABCDEFG")),
        r"None of the cell lines \(A, B",
    ),
    "other experiments": (
        lambda adata: adata.uns["pset"].update(
            experiments=adata.uns["pset"]["experiments"].iloc[::-1]
        ),
        r"current.rds has other experiments .*\(\d+ rows, \d+ then\)",
    ),
    "experiments without ids": (
        lambda adata: adata.uns["pset"].update(
            experiments=adata.uns["pset"]["experiments"].drop(columns="sampleid")
        ),
        r"uns\['pset'\]\['experiments'\] is no table with the columns \['treatmentid', 's",
    ),
    "experiments that are no table": (
        lambda adata: adata.uns["pset"].update(experiments=[1, 2]),
        r"uns\['pset'\]\['experiments'\] is no table",
    ),
    "no name": (lambda adata: adata.uns.pop("measure") and {}, "Pass measure_name"),
    "measure that is text": (
        lambda adata: adata.uns.update(measure="auc"),
        r"uns\['measure'\] has no name for the new measure. Pass measure_name",
    ),
    "a name that is no text": (
        lambda adata: {"measure_name": 3},
        "measure_name parameter must be text. Got 3",
    ),
    "the name of flags": (
        lambda adata: {"measure_name": "ic50_published_flag"},
        "'ic50_published_flag' is the name for flags of another measure",
    ),
    "flags with gaps": (
        lambda adata: adata.layers.update(rtdmf_flag=np.full(adata.shape, np.nan)),
        "The layer 'rtdmf_flag' holds other values than flags",
    ),
    "flags between whole numbers": (
        lambda adata: adata.layers.update(rtdmf_flag=np.full(adata.shape, 0.5)),
        "The layer 'rtdmf_flag' holds other values than flags",
    ),
    "huge flags": (
        lambda adata: adata.layers.update(rtdmf_flag=np.full(adata.shape, np.inf)),
        "The layer 'rtdmf_flag' holds other values than flags",
    ),
    "values that are text": (
        lambda adata: adata.layers.update(rtdmf=np.full(adata.shape, "a")),
        "The layer 'rtdmf' is a ndarray of <U1. Only a plain array of numbers",
    ),
    "sparse values": (
        lambda adata: adata.layers.update(rtdmf=scipy.sparse.csr_matrix(adata.shape)),
        "The layer 'rtdmf' is a csr_matrix of float64. Only a plain array of numbers",
    ),
    "measure there": (
        lambda adata: {"measure_name": "ic50_published"},
        "already has a measure 'ic50_published'",
    ),
    "no folder": (lambda adata: {"dest": "nowhere/out.rds"}, "folder .* does not exist"),
    "no overwrite": (lambda adata: {"dest": "old.rds", "overwrite": False}, r"old\S+ exists"),
}


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_and_nothing_is_written(case, source, tmp_path, backend):
    change, message = REFUSED[case]
    adata = corrected(source)
    arguments = change(adata) or {}
    for name in ("old.rds", "old_imputed.csv"):
        (tmp_path / name).write_bytes(b"old")
    dest = tmp_path / arguments.pop("dest", "out.rds")
    before = files_in(tmp_path)
    kinds = (TypeError, ValueError, FileNotFoundError, FileExistsError)
    with pytest.raises(kinds, match=message):
        r_bridge.write_pset(adata, source, dest, backend=backend, progress=False, **arguments)
    assert files_in(tmp_path) == before


def test_the_source_is_never_replaced(source, tmp_path):
    path = tmp_path / "in.rds"
    shutil.copy(source, path)
    (tmp_path / "link.rds").symlink_to(path)
    adata = corrected(path)
    for dest in ("in.rds", "link.rds"):
        with pytest.raises(ValueError, match="is the source, which is never replaced"):
            r_bridge.write_pset(adata, path, tmp_path / dest, progress=False)
    assert path.read_bytes() == Path(source).read_bytes()


@pytest.mark.parametrize("moment", ["add_measure", "save_object"])
def test_an_interrupt_leaves_every_file_as_it_was(moment, source, tmp_path, needs_r, monkeypatch):
    from r_bridge._nodes import by_rpy2

    real = by_rpy2.call

    def stop(name, *args):
        if name == moment:
            raise KeyboardInterrupt
        return real(name, *args)

    adata = corrected(source)
    for name in ("out.rds", "out_imputed.csv"):
        (tmp_path / name).write_bytes(b"old")
    before = files_in(tmp_path)
    monkeypatch.setattr(by_rpy2, "call", stop)
    with pytest.raises(KeyboardInterrupt):
        r_bridge.write_pset(adata, source, tmp_path / "out.rds")
    assert files_in(tmp_path) == before


def test_data_and_source_are_left_untouched(source, tmp_path, needs_r):
    adata, before = corrected(source), Path(source).read_bytes()
    copy = adata.copy()
    r_bridge.write_pset(adata, source, tmp_path / "out.rds")
    assert Path(source).read_bytes() == before
    assert np.array_equal(adata.layers["rtdmf"], copy.layers["rtdmf"])
    assert list(adata.uns) == list(copy.uns)
    assert list(named_layers(adata)) == list(named_layers(copy))


def test_a_new_file_has_the_usual_permissions(source, tmp_path, needs_r):
    mask = os.umask(0)
    os.umask(mask)
    report = r_bridge.write_pset(corrected(source), source, tmp_path / "out.rds")
    for path in (report.path, *report.imputed):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_only_an_anndata_is_written(source, tmp_path):
    with pytest.raises(TypeError, match=re.escape("takes an AnnData. Got DataFrame")):
        r_bridge.write_pset(pd.DataFrame(), source, tmp_path / "out.rds")


def test_a_corrected_layer_is_named_after_that_layer(source, tmp_path, needs_r):
    adata = corrected(source, layers=["ic50_published"])
    adata.uns["rtdmf"] = {"layer": "ic50_published"}
    report = r_bridge.write_pset(adata, source, tmp_path / "out.rds")
    assert report.measure == "ic50_published_rtdmf"
    again = r_bridge.read_pset(tmp_path / "out.rds", report.measure, progress=False)
    assert again.uns["measure"]["higher_is"] == "resistant"


# Unusual sources and places


def bent(path, change, generation="current"):
    """Write a PharmacoSet with its slots changed."""
    return made.write(path, made.pset(generation, edit=made.slots(change)))


def profiles_of_2016(change):
    """Bend the profiles, a matrix."""

    def bend(slots):
        change(slots["sensitivity"]["profiles"])

    return bend


def as_text(profiles):
    profiles.value = [None if value != value else repr(value) for value in profiles.value.tolist()]


@pytest.mark.parametrize("change", [as_text, lambda p: p.attributes.update(comment=["x"])])
def test_profiles_kept_as_a_matrix_take_the_very_numbers(change, tmp_path, needs_r):
    source = bent(tmp_path / "in.rds", profiles_of_2016(change), "2016")
    adata = corrected(source)
    adata.layers["rtdmf"] = adata.layers["rtdmf"] / 3
    adata.layers["rtdmf"][0, 0] = np.nan
    r_bridge.write_pset(adata, source, tmp_path / "out.rds", measure_name="deparse.level")
    for backend in ("r", "rdata"):
        rows = by_row(tmp_path / "out.rds", "deparse.level", backend)
        matrix = adata.to_df("rtdmf")
        for drug, line, value in rows.itertuples(index=False):
            expected = matrix.loc[drug, line] if drug in matrix.index else np.nan
            assert value == expected or (np.isnan(value) and np.isnan(expected))
    code = f"""
    a <- attr(readRDS("{source}"), "sensitivity")$profiles
    b <- attr(readRDS("{tmp_path / "out.rds"}"), "sensitivity")$profiles
    new <- c("deparse.level", "deparse.level_flag")
    stopifnot(identical(colnames(b), c(colnames(a), new)), typeof(a) == typeof(b))
    stopifnot(anyNA(b[, new[1]]), !any(b[, new] %in% c("NA", "NaN")))
    stopifnot(identical(attributes(a)[-(1:2)], attributes(b)[-(1:2)]))
    stopifnot(identical(a, {{ d <- b[, 1:4]; mostattributes(d) <- attributes(a); d }}))
    cat("fine")
    """
    assert rscript(code) == "fine"


@pytest.mark.parametrize("ending", [".rds", ".rda"])
def test_a_full_disk_leaves_the_old_file(ending, source, tmp_path, needs_r):
    """R itself does not notice when the last of a file finds no room."""
    dest = tmp_path / f"out{ending}"
    dest.write_bytes(b"old")
    r_bridge.write_pset(corrected(source), source, tmp_path / f"whole{ending}")
    size = (tmp_path / f"whole{ending}").stat().st_size
    for path in tmp_path.glob("whole*"):
        path.unlink()
    code = f"""
    import resource, sys
    import r_bridge
    adata = r_bridge.read_pset({str(source)!r}, {MEASURE!r}, progress=False)[:1, :2].copy()
    adata.layers["rtdmf"] = adata.X * 0 + 0.5
    for limit in (0, 1, 100, {size} // 2):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            r_bridge.write_pset(adata, {str(source)!r}, {str(dest)!r})
            print("written")
        except OSError as error:
            print(error)
    """
    run = [sys.executable, "-c", inspect.cleandoc(code)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == 4
    assert all("Is the disk full?" in text or "File too large" in text for text in said), said
    assert files_in(tmp_path) == {dest.name: b"old"}


@pytest.mark.parametrize("part", ["imputed", "matrix", "experiments"])
def test_the_source_is_not_replaced_by_what_stands_beside_the_copy(part, source, tmp_path, backend):
    path = tmp_path / f"x_{part}.rds"
    shutil.copy(source, path)
    adata = corrected(path)
    with pytest.raises(ValueError, match=rf"x_{part}.rds is the source, .*other name than .*x.rds"):
        r_bridge.write_pset(adata, path, tmp_path / "x.rds", backend=backend, progress=False)
    assert files_in(tmp_path) == {path.name: Path(source).read_bytes()}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("folder", ["é", "~"])
def test_paths_and_names_in_any_script_and_locale(folder, locale, source, tmp_path, needs_r):
    (tmp_path / folder).mkdir()
    shutil.copy(source, tmp_path / folder / "in.rds")
    code = f"""
    import r_bridge
    adata = r_bridge.read_pset("{folder}/in.rds", {MEASURE!r}, progress=False)
    adata.layers["rtdmf"] = adata.X * 0 + 0.5
    r_bridge.write_pset(adata, "{folder}/in.rds", "{folder}/β.rda", measure_name="β 1")
    """
    subprocess.run(
        [sys.executable, "-X", "utf8", "-c", inspect.cleandoc(code)],
        env={**os.environ, "LC_ALL": locale, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        check=True,
    )
    path = tmp_path / folder / "β.rda"
    for backend in ("r", "rdata"):
        measures = r_bridge.list_measures(path, backend=backend, progress=False)
        assert measures == [*made.MEASURES, "β 1"]


@pytest.mark.parametrize("name", ["self", "β", "a b", "if", "value"])
def test_any_name_of_a_measure_can_be_written(name, source, tmp_path, backend):
    adata = corrected(source)
    report = r_bridge.write_pset(
        *(adata, source, tmp_path / "out.rds"), measure_name=name, backend=backend, progress=False
    )
    if backend == "r":
        assert r_bridge.list_measures(report.path, progress=False) == [*made.MEASURES, name]
    else:
        table = pd.read_csv(tmp_path / "out_experiments.csv", index_col=0)
        assert list(table) == ["treatmentid", "sampleid", name, f"{name}_flag"]


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "\ud800"])
def test_a_name_that_is_no_text_to_print_is_refused(name, source, tmp_path, backend):
    with pytest.raises(ValueError, match="cannot be the name of a measure"):
        r_bridge.write_pset(
            *(corrected(source), source, tmp_path / "out.rds"),
            measure_name=name,
            backend=backend,
            progress=False,
        )
    assert files_in(tmp_path) == {}


def test_the_name_of_a_column_that_is_no_measure_is_taken(tmp_path, backend):
    def change(slots):
        lists = {NEW: [np.zeros(1)] * 46}
        made.bend(slots["treatmentResponse"], "profiles", lambda frame: frame.value.update(lists))

    source = bent(tmp_path / "in.rds", change)
    with pytest.raises(ValueError, match=f"already has a measure '{NEW}'"):
        r_bridge.write_pset(
            corrected(source), source, tmp_path / "out.rds", backend=backend, progress=False
        )


@pytest.mark.parametrize("there", [["text"], np.ones(2), made.POINTER, {}, None])
def test_whatever_stands_in_the_place_of_the_note_gives_way(there, tmp_path, needs_r):
    source = bent(tmp_path / "in.rds", lambda s: s["annotation"].update(rtdmf_bio=there))
    r_bridge.write_pset(corrected(source), source, tmp_path / "out.rds")
    again = r_bridge.read_pset(tmp_path / "out.rds", NEW, progress=False)
    assert again.uns["measure"]["higher_is"] == "sensitive"


@pytest.mark.parametrize(
    "bounds", [1.0, None, "a", [0, None], ["x", 1], [[0, 1]], {}, [], [1, 0], [0, 1]], ids=repr
)
def test_only_what_makes_sense_is_noted_about_a_measure(bounds, source, tmp_path, needs_r):
    """And what someone else noted is taken no more seriously."""
    adata = corrected(source)
    adata.uns["measure"] = {"name": "mine", "bounds": bounds, "unit": 3, "higher_is": ["up"]}
    r_bridge.write_pset(adata, source, tmp_path / "out.rds")
    with pytest.raises(ValueError, match="direction of the measure 'mine_rtdmf' is not known"):
        r_bridge.read_pset(tmp_path / "out.rds", "mine_rtdmf", progress=False)
    again = r_bridge.read_pset(
        tmp_path / "out.rds", "mine_rtdmf", higher_is="resistant", progress=False
    )
    expected = {"name": "mine_rtdmf", "higher_is": "resistant"}
    assert again.uns["measure"] == expected | ({"bounds": [0, 1]} if bounds == [0, 1] else {})


@pytest.mark.parametrize("bounds", [np.zeros(1), np.array([0, made.R_NA]), np.zeros(3)])
def test_a_note_that_makes_no_sense_is_passed_over(bounds, tmp_path, backend):
    note = {"unit": [None], "higher_is": ["up"], "bounds": bounds}
    source = bent(tmp_path / "in.rds", lambda s: s["annotation"].update(rtdmf_bio={MEASURE: note}))
    with pytest.raises(ValueError, match=f"direction of the measure '{MEASURE}' is not known"):
        r_bridge.read_pset(source, MEASURE, backend=backend, progress=False)
    adata = r_bridge.read_pset(
        source, MEASURE, higher_is="sensitive", backend=backend, progress=False
    )
    assert adata.uns["measure"] == {"name": MEASURE, "higher_is": "sensitive"}


@pytest.mark.parametrize("annotation", [None, ["made"]])
def test_without_an_annotation_there_is_no_note(annotation, tmp_path, needs_r):
    source = bent(tmp_path / "in.rds", lambda s: s.update(annotation=annotation))
    r_bridge.write_pset(corrected(source), source, tmp_path / "out.rds")
    assert r_bridge.list_measures(tmp_path / "out.rds", progress=False) == [*made.MEASURES, NEW]
    assert (
        rscript(f"""a <- readRDS("{source}"); b <- readRDS("{tmp_path / "out.rds"}")
    cat(identical(attr(a, "annotation"), attr(b, "annotation")))""")
        == "TRUE"
    )


def test_rows_of_several_doses_need_no_names_in_the_table_for_r(files, tmp_path, needs_r):
    source = files["tre"]
    r_bridge.write_pset(
        corrected(source), source, tmp_path / "out.rds", backend="rdata", progress=False
    )
    code = f"""
    t <- readRDS("{tmp_path / "out_experiments.rds"}")
    stopifnot(is.data.frame(t), !anyDuplicated(rownames(t)), nrow(t) == length(t$treatmentid))
    stopifnot(all.equal(t[3:2, ]$sampleid, t$sampleid[3:2])); cat(nrow(t))
    """
    assert int(rscript(code)) == len(by_row(source, MEASURE))
