"""The command line, run as a user runs it (in this process, through its entry point)."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import r_bridge
import rtdmf_bio as rt
from rtdmf_bio import cli

sys.path.insert(0, str(Path(__file__).parent))
import made_psets

pytestmark = pytest.mark.usefixtures("rough_fits")


def frame(n=24, p=30, seed=0):
    rng = np.random.default_rng(seed)
    x = 0.7 + 0.1 * rng.normal(size=(n, 2)) @ rng.normal(size=(2, p)) + rng.normal(0, 0.03, (n, p))
    x[rng.random((n, p)) < 0.1] = np.nan
    return pd.DataFrame(
        x, [f"drug{i}" for i in range(n)], [f"line{j}" for j in range(p)]
    ).rename_axis("drug")


def lines(p=30):
    tissue = np.array(["skin", "lung"])[np.arange(p) % 2]
    return pd.DataFrame({"tissue": tissue}, [f"line{j}" for j in range(p)]).rename_axis("line")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame().to_csv("in.csv")
    frame().to_csv("in.tsv", sep="\t")
    frame().T.rename_axis("line").to_csv("turned.csv")
    long = frame().stack().dropna().rename("auc").rename_axis(["compound", "sample"])
    long.to_csv("long.csv")
    lines().to_csv("lines.csv")
    adata = anndata.AnnData(frame(), var=lines())
    adata.write_h5ad("in.h5ad")
    made_psets.write("in.rds", made_psets.pset_of(frame(), lines()["tissue"]))
    return tmp_path


def run(*args):
    return cli.main(["correct", *map(str, args)])


@pytest.fixture(scope="module")
def expected(rough_fits):
    adata = anndata.AnnData(frame())
    rt.pp.correct(adata, group_key=None, progress=False)
    return adata.layers["rtdmf"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "args",
    [
        ("in.csv", "out.csv"),
        ("in.tsv", "out.tsv"),
        ("in.h5ad", "out.csv"),
        ("in.csv", "out.h5ad"),
        ("turned.csv", "out.csv", "--drugs-in", "columns"),
        ("in.csv", "out.parquet"),
        ("in.csv", "out.csv.gz", "--na-values", "nothing"),
        ("in.rds", "out.csv"),
        ("in.rds", "out.h5ad", "--measure", "auc_recomputed", "--backend", "rdata"),
    ],
    ids=" ".join,
)
def test_every_format_gives_the_same_correction(folder, args, expected):
    """The format in and out must not change a number, nor lose a name."""
    if "parquet" in args[1]:
        pytest.importorskip("pyarrow")
    assert run(*args, "--quiet") == 0
    if args[1].endswith("h5ad"):
        result = anndata.read_h5ad("out.h5ad").to_df(layer="rtdmf")
    else:
        result = rt.io.read_table(args[1]).to_df()
    assert list(result.index) == list(frame().index)
    assert list(result.columns) == list(frame().columns)
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.slow
def test_long_tables_name_their_columns(folder):
    columns = ("--drug", "compound", "--cell-line", "sample", "--value", "auc")
    assert run("long.csv", "out.csv", "--layout", "long", *columns, "--quiet") == 0
    adata = rt.io.read_table(
        "long.csv", layout="long", drug="compound", cell_line="sample", value="auc"
    )
    rt.pp.correct(adata, group_key=None, progress=False)
    result = rt.io.read_table("out.csv").to_df()
    pd.testing.assert_frame_equal(result, adata.to_df(layer="rtdmf"), check_names=False)


@pytest.mark.slow
def test_everything_asked_for_is_written_and_summed_up(folder, capsys):
    code = run(
        "in.csv", "out.h5ad", "--lines", "lines.csv", "--group-key", "tissue", "--enrichment",
        "pairs.csv", "--flags", "flags.csv", "--picture", "picture.png", "--threshold", "0.06",
        "--higher-is", "resistant", "--seed", "3",
    )  # fmt: skip
    assert code == 0
    out = capsys.readouterr().out
    adata = anndata.read_h5ad("out.h5ad")
    assert adata.uns["rtdmf"]["params"]["random_state"] == 3
    pairs = pd.read_csv("pairs.csv")
    assert set(pairs["side"]) <= {"resistant", "sensitive"}
    flags = rt.io.read_table("flags.csv").X
    assert np.array_equal(flags, adata.layers["rtdmf_flag"])
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    for said in (
        "24 drugs x 30 cell lines",
        f"{(flags == 0).sum()} entries",
        "threshold 0.06 (given",
        "drug mean + line mean",
        f"of {len(pairs)} drug-group pairs",
        "noise    sd ",
        "a guess from this one matrix",
        " s on cpu",
        "wrote    out.h5ad, flags.csv, pairs.csv, picture.png",
    ):
        assert said in out


@pytest.mark.slow
def test_known_noise_and_a_false_discovery_rate_reach_the_correction(folder, capsys):
    assert run("in.csv", "out.h5ad", "--noise-sd", "0.03", "--threshold", "fdr:0.05") == 0
    out = capsys.readouterr().out
    adata = anndata.AnnData(frame())
    rt.pp.correct(adata, group_key=None, noise_sd=0.03, threshold="fdr:0.05", progress=False)
    found = anndata.read_h5ad("out.h5ad")
    for layer in ("rtdmf", "rtdmf_flag", "rtdmf_lower"):
        np.testing.assert_array_equal(found.layers[layer], adata.layers[layer])
    noise = adata.uns["rtdmf"]["noise"]
    assert (
        f"\nnoise    sd 0.03 (as given); a typical drug moved by {noise['moved']:.2g} of it, "
        f"{noise['n_left_alone']} drug(s) left as measured\n" in out
    )
    assert "(false discovery rate 0.05, by residuals of fits that have not seen the entry; " in out


def test_where_nothing_is_said_of_noise_the_summary_is_silent(screen):
    adata = anndata.AnnData(np.array(screen))
    rt.pp.correct(adata, group_key=None, retain="all", crossfit=0, impute="low-rank",
                  progress=False)  # fmt: skip
    assert "noise " not in cli.summary(adata).replace("noise and large deviation", "")
    adata.obs["drug"] = [f"drug{i // 2}" for i in range(40)]
    with pytest.warns(UserWarning, match="check the labels"):  # they are not the same drugs
        rt.pp.correct(adata, group_key=None, replicate_key="drug", crossfit=2, impute="low-rank",
                      overwrite=True, progress=False)  # fmt: skip
    assert "(from replicates); a typical drug moved by " in cli.summary(adata)


@pytest.mark.slow
def test_the_picture_orders_lines_by_every_group(folder, monkeypatch):
    lines().assign(lab=np.repeat(["east", "west"], 15)).to_csv("lines.csv")
    drawn = []
    draw = rt.pl.correction

    def correction(*args, **keywords):
        drawn.append(draw(*args, **keywords))
        return drawn[0]

    monkeypatch.setattr(rt.pl, "correction", correction)
    groups = ("--lines", "lines.csv", "--group-key", "lab", "tissue")
    assert run("in.csv", "out.csv", *groups, "--picture", "picture.png", "--quiet") == 0
    assert drawn[0].axes[0].get_xlabel() == "30 cell lines, by lab, then tissue"


def test_without_groups_the_summary_says_so(folder, capsys):
    assert run("in.csv", "out.csv") == 0
    assert "no groups given (--group-key)" in capsys.readouterr().out


def test_quiet_says_nothing(folder, capfd):
    assert run("in.csv", "out.csv", "--quiet") == 0
    assert capfd.readouterr() == ("", "")


def test_overwrites_only_with_force(folder, capsys):
    (folder / "out.csv").write_text("precious")
    assert run("in.csv", "out.csv") == 1
    assert "out.csv exists. Pass --force" in capsys.readouterr().err
    assert (folder / "out.csv").read_text() == "precious"
    assert run("in.csv", "out.csv", "--force", "--quiet") == 0
    assert rt.io.read_table("out.csv").shape == (24, 30)


def test_a_pharmacoset_makes_the_whole_trip(folder, expected, needs_r, capsys):
    args = ("in.rds", "out.rds", "--measure", "auc_recomputed", "--group-key", "tissue")
    assert run(*args) == 0
    said = capsys.readouterr().out
    missing = int(frame().isna().to_numpy().sum())
    assert "wrote    out.rds\n" in said
    assert f"{missing} pairs have no experiment" in said
    measured = frame().notna().to_numpy()
    adata = r_bridge.read_pset("in.rds")
    rt.pp.correct(adata, group_key="tissue", progress=False)
    again = r_bridge.read_pset("out.rds", "auc_recomputed_rtdmf").to_df()
    imputed = pd.read_csv("out_imputed.csv", index_col=0, dtype=str).astype(float)
    both = again.where(measured, imputed)
    pd.testing.assert_frame_equal(both, adata.to_df("rtdmf"), check_exact=True, check_names=False)
    # Any of the files, too, is a reason to ask before the work.
    (folder / "out.rds").unlink()
    assert run(*args) == 1
    assert "out_imputed.rds exists. Pass --force" in capsys.readouterr().err
    assert run(*args, "--force", "--measure-name", "mine", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert r_bridge.list_measures("out.rds") == ["auc_recomputed", "mine"]


def test_of_a_pharmacoset_kind_and_bounds_can_be_said(folder, capsys, monkeypatch):
    asked = {}

    def read(*args, **kwargs):
        asked.update(kwargs)
        raise ValueError("enough")

    monkeypatch.setattr(r_bridge, "read_pset", read, raising=False)
    assert run("in.rds", "out.csv") == 1
    assert (asked["kind"], asked["censored"]) == (None, "bound")
    assert run("in.rds", "out.csv", "--kind", "aac", "--censored", "nan") == 1
    assert (asked["kind"], asked["censored"]) == ("aac", "nan")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert run("in.rds", "out.csv", "--kind", "area") == 1
    assert "The kind parameter must be one of" in capsys.readouterr().err


@pytest.mark.slow
def test_without_r_the_trip_ends_in_tables(folder, capsys):
    """Which a quiet run says, too: the file that was asked for is not there."""
    assert run("in.rds", "out.rds", "--backend", "rdata", "--quiet") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "out.rds was not written, for want of R; tables" in said.err
    assert "out_matrix.rds" in said.err
    assert not (folder / "out.rds").exists()
    assert (folder / "out_experiments.csv").exists()


def concentrations():
    """IC50 in uM, of which one drug was measured on two lines only, and two values are bounds."""
    rng = np.random.default_rng(0)
    ln = rng.normal(2, 2, (24, 1)) + rng.normal(size=(24, 2)) @ rng.normal(size=(2, 30))
    ln += 0.4 * rng.normal(size=ln.shape)
    ln[5, 2:] = np.nan
    adata = anndata.AnnData(pd.DataFrame(np.exp(ln), frame().index, frame().columns), var=lines())
    adata.uns["measure"] = {"name": "IC50", "unit": "uM", "higher_is": "resistant"}
    adata.layers["censored"] = np.zeros(adata.shape, dtype=np.int8)
    adata.layers["censored"][0, :2] = 1
    return adata


def test_concentrations_are_refused_with_the_option_that_helps(folder, capsys):
    """And with it logarithms are taken, corrected, written and named, with a word on stderr."""
    adata = concentrations()
    adata.write_h5ad("ic50.h5ad")
    assert run("ic50.h5ad", "out.csv", "--quiet") == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "(rtdmf-bio correct --concentration log;" in err
    assert not (folder / "out.csv").exists()
    assert run("ic50.h5ad", "out.csv", "--concentration", "log", "--quiet") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "rtdmf-bio: logarithms were taken, and out.csv holds ln_IC50 in ln uM.\n"
    rt.pp.correct(adata, concentration="log", group_key=None, progress=False)
    written = pd.read_csv("out.csv", index_col=0).to_numpy()
    np.testing.assert_allclose(written, adata.layers["rtdmf"], rtol=1e-12)
    assert run("ic50.h5ad", "linear.h5ad", "--concentration", "linear", "--quiet") == 0
    assert anndata.read_h5ad("linear.h5ad").uns["rtdmf"]["layer"] == "X"


def test_a_pharmacoset_gets_logarithms_under_a_name_that_says_so(folder, needs_r, capsys):
    ic50 = concentrations().to_df()
    pset = made_psets.pset_of(ic50, lines()["tissue"], "ic50_published")
    made_psets.write("ic50.rds", pset)
    args = ("ic50.rds", "out.rds")
    assert run(*args, "--quiet") == 1
    assert "--concentration log" in capsys.readouterr().err
    assert run(*args, "--concentration", "log", "--quiet") == 0
    assert "out.rds holds ln_ic50_published in ln uM" in capsys.readouterr().err
    assert r_bridge.list_measures("out.rds") == ["ic50_published", "ln_ic50_published_rtdmf"]
    back = r_bridge.read_pset("out.rds", "ln_ic50_published_rtdmf")
    assert back.uns["measure"]["unit"] == "ln uM"
    assert (back.X[np.isfinite(back.X)] < 0).any()


def test_what_was_found_in_the_data_is_summed_up(folder, capsys):
    adata = concentrations()
    adata.write_h5ad("ic50.h5ad")
    assert run("ic50.h5ad", "out.h5ad", "--concentration", "log") == 0
    out = capsys.readouterr().out
    assert "\nfound    2 entries (0.29% of the measured) bounds, such as >8: left out" in out
    assert (
        "\ntoo few  1 drug(s) with too few measurements to learn from: drug5 (2); what is imputed"
        in out
    )
    table = frame()
    table.iloc[3, 4] = 1.3
    odd = anndata.AnnData(table, uns={"measure": {"name": "auc", "bounds": [0.0, 1.0]}})
    odd.X[7, 8] = -(2.0**31)
    odd.write_h5ad("odd.h5ad")
    n = int((odd.X > 1).sum())
    with pytest.warns(UserWarning, match="1 entries hold the smallest integer"):
        assert run("odd.h5ad", "odd.csv") == 0
    out = capsys.readouterr().out
    assert "\nfound    1 entries held the smallest integer, as R writes a missing one" in out
    assert f"\nfound    {n} entries ({n / np.isfinite(frame()).to_numpy().sum():.2%} of the" in out
    assert "measured) outside the bounds [0, 1]" in out


def test_values_that_no_experiment_gives_are_refused_or_kept(folder, capsys):
    table = frame()
    table.iloc[3, 4] = table.iloc[9, 9] = -999
    table.to_csv("codes.csv")
    assert run("codes.csv", "out.csv", "--quiet") == 1
    err = capsys.readouterr().err
    assert "-999 stands 2 time(s), first at drug 'drug3', cell line 'line4'" in err
    assert run("codes.csv", "out.csv", "--na-values", "-999", "--quiet") == 0
    assert run("codes.csv", "kept.csv", "--extreme", "keep") == 0
    assert "2 entries" in capsys.readouterr().out
    assert (pd.read_csv("kept.csv", index_col=0).to_numpy() == -999).sum() == 2


def test_a_table_the_wrong_way_round_is_told_the_option(folder, capsys):
    names = ["A375", "COLO-829", "SK-MEL-28", "A549", "HCC827", "PC-9", "MCF7", "T47D", "HT-29",
             "HCT-116", "SW480", "K-562"]  # fmt: skip
    table = frame().T.iloc[:12].set_axis(names)
    anndata.AnnData(table).write_h5ad("turned.h5ad")
    assert run("turned.h5ad", "out.csv", "--quiet") == 1
    assert "--drugs-in columns" in capsys.readouterr().err


BAD = [
    (("none.csv", "out.csv"), "none.csv"),
    (("none.h5ad", "out.csv"), "There is no file none.h5ad"),
    (("in.csv", "out.xlsx"), "must end in"),
    (("in.csv", "nowhere/out.csv"), "folder of nowhere/out.csv does not exist"),
    (("in.csv", "in.csv", "--force"), "must all differ"),
    (("in.csv", "out.csv", "--flags", "out.csv"), "must all differ"),
    (("in.rds", "out.rds", "--flags", "out_imputed.csv"), "must all differ"),
    (("in.csv", "out.csv", "--flags", "flags.xlsx"), "flags.xlsx: the name must end in .csv"),
    (("in.csv", "out.csv", "--picture", "p.xlsx"), "p.xlsx: the name of a picture must end in"),
    (("in.csv", "out.csv", "--group-key", "tissue"), "no column 'tissue'"),
    (("in.csv", "out.csv", "--enrichment", "e.csv"), "needs groups"),
    (("in.csv", "out.csv", "--threshold", "-1"), "threshold parameter"),
    (("in.csv", "out.csv", "--threshold", "fdr:7"), "a false discovery rate between 0 and 1"),
    (("in.csv", "out.csv", "--noise-sd", "-1"), "noise_sd must be a positive number"),
    (("in.csv", "out.csv", "--noise-sd", "fdr:0.05"), "no column 'fdr:0.05'"),
    (("in.csv", "out.csv", "--replicate-key", "drug"), "has a column 'drug'"),
    (("in.csv", "out.csv", "--noise-sd", "1", "--retain", "all"), "noise_sd serves retain="),
    (("in.csv", "out.csv", "--retain", "some"), "retain parameter"),
    (("in.csv", "out.csv", "--device", "toaster"), "device parameter"),
    (("in.h5ad", "out.csv", "--layer", "raw"), "no 'raw'"),
    (("in.rds", "out.rds", "--measure", "AAC"), "no measure 'AAC'. It has ['auc_recomputed']"),
    (("in.rds", "out.rds", "--object", "x"), "no object named 'x'"),
    (
        ("in.rds", "out.csv", "--lines", "lines.csv", "--sep", ";"),
        "in.rds is a PharmacoSet, and would be read without --sep, --lines.",
    ),
    (
        ("in.csv", "out.csv", "--kind", "aac", "--out-of-range", "nan"),
        "in.csv is no PharmacoSet, and would be read without --kind, --out-of-range.",
    ),
    (("in.h5ad", "out.csv", "--object", "x"), "--object is for files of R"),
    (("in.rds", "out.csv", "--measure-name", "x"), "--measure-name is for PharmacoSets"),
    (("in.csv", "out.csv", "--lines-key", "line"), "Pass --lines FILE, too"),
    (("in.h5ad", "out.rds"), "then IN must be one, too"),
    (("none.rds", "out.rds"), "none.rds does not exist"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=[" ".join(args) for args, _ in BAD])
def test_bad_input_is_one_line_and_exit_code_1(folder, args, message, capsys):
    before = sorted(path.name for path in folder.iterdir())
    assert run(*args, "--quiet") == 1
    err = capsys.readouterr().err
    assert err.startswith("rtdmf-bio: ")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["correct"],
        ["correct", "a.csv", "b.csv", "--threshold", "x"],
    ],
)
def test_wrong_arguments_exit_with_2(args):
    with pytest.raises(SystemExit) as info:
        cli.main(args)
    assert info.value.code == 2


@pytest.mark.slow
def test_interrupt_leaves_no_file(folder):
    """Ctrl-C in the middle of a long fit: exit code 130, one line, nothing written."""
    script = (
        "import sys\n"
        "from rtdmf_bio import cli\n"
        "import rtdmf_bio.model.stages as stages\n"
        "real = stages.fit_chain\n"
        "def announce(*args, **kwargs):\n"
        "    print('fitting', flush=True)\n"
        "    import time; time.sleep(60)\n"
        "stages.fit_chain = announce\n"
        "sys.exit(cli.main(['correct', 'in.csv', 'out.csv', '--quiet']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "fitting\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; no file was left unfinished" in err
    assert not (folder / "out.csv").exists()
