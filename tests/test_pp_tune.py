"""`pp.tune`: what is tried, how it is scored and chosen, what is kept, and what is stored."""

import json
import logging
import warnings

import anndata
import joblib
import numpy as np
import pandas as pd
import pytest
import torch

import rtdmf_bio as rt
from rtdmf_bio._adata.layers import named_layers
from rtdmf_bio.model import tuning
from rtdmf_bio.pp._checkpoint import saved_seed

GRID = {"depth": [3, 2], "weight_decay": [1.0, 0.5]}
# One stage and few iterations: here it matters what is chosen, not how well it fits.
QUICK = {"impute": "low-rank", "max_iter": 300, "tol": 0.05}


def screen(n=24, p=32, seed=0, unit=1.0):
    rng = np.random.default_rng(seed)
    x = 0.6 + 0.1 * rng.normal(size=(n, 2)) @ rng.normal(size=(2, p))
    x += 0.03 * rng.normal(size=x.shape)
    x[rng.random(x.shape) < 0.1] = np.nan
    adata = anndata.AnnData(
        unit * x,
        pd.DataFrame(index=[f"drug{i}" for i in range(n)]),
        pd.DataFrame(
            {"tissue": np.resize(["skin", "lung", "blood", "colon"], p)},
            index=[f"line{j}" for j in range(p)],
        ),
    )
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    return adata


def tune(adata, grid=GRID, **kwargs):
    return rt.pp.tune(adata, grid, **{"progress": False, "crossfit": 3, **QUICK, **kwargs})


@pytest.fixture(scope="module")
def tuned():
    return tune(screen(), copy=True)


@pytest.mark.slow
def test_known_noise_acts_on_what_is_corrected_in_the_end():
    adata = screen()
    adata.obs["error"] = np.linspace(0.01, 0.03, 24)
    tune(adata, {"depth": [2]}, noise_sd="error")
    expected = rt.pp.correct(
        screen(),
        noise_sd=list(adata.obs["error"]),
        depth=2,
        crossfit=3,
        progress=False,
        copy=True,
        **QUICK,
    )
    np.testing.assert_array_equal(adata.layers["rtdmf"], expected.layers["rtdmf"])
    assert adata.uns["rtdmf"]["noise"] == expected.uns["rtdmf"]["noise"]
    with pytest.raises(ValueError, match="no column 'sd'"):
        tune(screen(), noise_sd="sd")


@pytest.mark.slow
def test_every_candidate_is_logged_as_it_is_done(caplog, capfd):
    with caplog.at_level(logging.INFO, "rtdmf_bio"):
        tune(screen(), {"depth": [3, 2]}, refit=False)
    said = [record.getMessage() for record in caplog.records if "candidate" in record.getMessage()]
    assert [text.split(":")[0] for text in said] == [
        "candidate 1 of 2, {'depth'",
        "candidate 2 of 2, {'depth'",
    ]
    assert all("'mse': 0.0" in text and "'seconds'" in text for text in said)
    assert capfd.readouterr() == ("", "")


def untouched(adata):
    before = screen()
    return (
        np.array_equal(adata.X, before.X, equal_nan=True)
        and set(adata.uns) == {"measure"}
        and not named_layers(adata)
        and adata.obs.equals(before.obs)
        and adata.var.equals(before.var)
    )


def without_time(adata, key="rtdmf"):
    return adata.uns[key]["tuning"].drop(columns="seconds")


def count_fits(monkeypatch, interrupt_at=None):
    """Count candidates evaluated; raise Ctrl-C instead of the n-th."""
    calls, original = [], tuning.evaluate

    def evaluate(task, settings, *args):
        if len(calls) + 1 == interrupt_at:
            raise KeyboardInterrupt
        calls.append(settings)
        return original(task, settings, *args)

    monkeypatch.setattr(tuning, "evaluate", evaluate)
    return calls


# What is stored


@pytest.mark.slow
def test_one_row_per_candidate_and_the_best_is_chosen(tuned):
    table = tuned.uns["rtdmf"]["tuning"]
    assert list(table.columns) == [
        "depth", "weight_decay", "validation_mse", "validation_robust", "n_iter", "stop_reason",
        "seconds", "error", "rank", "chosen",
    ]  # fmt: skip
    assert list(zip(table["depth"], table["weight_decay"], strict=True)) == [
        (3, 1.0), (3, 0.5), (2, 1.0), (2, 0.5),
    ]  # fmt: skip
    assert table["rank"].tolist() == table["validation_robust"].rank().tolist()
    assert table["chosen"].tolist() == (table["rank"] == 1).tolist()
    assert (table["n_iter"] > 0).all()
    assert (table["error"] == "").all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*still changing at max_iter")
@pytest.mark.parametrize("criterion", ["robust", "mse"])
def test_scores_are_those_of_the_estimator_on_the_very_split(criterion):
    """An independent path: the split of pp.holdout, the estimator, the formulas by hand."""
    adata = screen()
    rt.pp.holdout(adata)
    fold = adata.layers["holdout"]
    x = np.where(fold == 2, np.nan, adata.X)
    common = {"unmeasured": "nan", "refit": False, "retain": "none", "crossfit": 0}
    reference = rt.RTDMF(**common).fit(x, validation=fold == 1)
    tune(adata, {"depth": [2], "loss": ["clip"]}, criterion=criterion, refit=False)
    found = adata.uns["rtdmf"]
    model = rt.RTDMF(depth=2, loss="clip", **QUICK, **common).fit(x, validation=fold == 1)
    assert found["tuning_params"]["cut"] == pytest.approx(2 * reference.unexplained_sd_, rel=1e-6)
    for name, code in (("validation", 1), ("test", 2)):
        inside = fold == code
        low_rank = (adata.X - model.low_rank_)[inside]
        expected = {
            "mse": np.mean((adata.X - model.completed_)[inside] ** 2),
            "robust": np.mean(np.clip(np.abs(low_rank), 0, 2 * reference.unexplained_sd_) ** 2),
        }
        for kind, value in expected.items():
            row = found["tuning_scores"].iloc[0]
            assert row[f"{name}_{kind}"] == pytest.approx(value, rel=1e-6)
    assert found["tuning_params"]["criterion"] == criterion


@pytest.mark.slow
def test_trivial_answers_are_scored_beside_the_chosen(tuned):
    """A score says nothing without them. Balanced data, where two-way means are a formula."""
    scores = tuned.uns["rtdmf"]["tuning_scores"].set_index("answer")
    assert scores.index.tolist() == ["chosen", "two-way means", "grand mean"]
    adata = screen()
    rt.pp.holdout(adata)
    fold = adata.layers["holdout"]
    train = np.where(fold == 0, adata.X, np.nan)
    drug, line = np.zeros((24, 1)), np.zeros((1, 32))
    for _ in range(200):
        drug = np.nanmean(train - line, axis=1, keepdims=True)
        line = np.nanmean(train - drug, axis=0, keepdims=True)
    cut = tuned.uns["rtdmf"]["tuning_params"]["cut"]
    for name, prediction in (("grand mean", np.nanmean(train)), ("two-way means", drug + line)):
        for label, code in (("validation", 1), ("test", 2)):
            r = (adata.X - prediction)[fold == code]
            assert scores.loc[name, f"{label}_mse"] == pytest.approx(np.mean(r**2), rel=1e-3)
            robust = np.mean(np.minimum(r**2, cut**2))
            assert scores.loc[name, f"{label}_robust"] == pytest.approx(robust, rel=1e-3)
    assert (scores.drop("chosen").min() > scores.loc["chosen"]).all()


@pytest.mark.slow
def test_the_refit_is_the_correction_with_the_chosen_settings(tuned):
    adata = screen()
    chosen = tuned.uns["rtdmf"]["tuning_params"]["chosen"]
    rt.pp.correct(adata, **chosen, **QUICK, crossfit=3, progress=False)
    for name in ("rtdmf", "rtdmf_residual", "rtdmf_flag"):
        assert np.array_equal(adata.layers[name], tuned.layers[name], equal_nan=True)
    assert adata.obs.equals(tuned.obs)
    assert adata.var.equals(tuned.var)
    ours, plain = tuned.uns["rtdmf"], adata.uns["rtdmf"]
    assert set(ours) - set(plain) == {"tuning", "tuning_scores", "tuning_params"}
    assert ours["layer"] == plain["layer"]
    assert ours["params"] == plain["params"]
    pd.testing.assert_frame_equal(ours["enrichment"], plain["enrichment"])


@pytest.mark.slow
def test_without_refit_only_the_tables_are_stored():
    adata = screen()
    assert tune(adata, refit=False) is None
    assert set(adata.uns["rtdmf"]) == {"tuning", "tuning_scores", "tuning_params"}
    del adata.uns["rtdmf"]
    assert untouched(adata)


@pytest.mark.slow
def test_a_copy_leaves_the_original_alone_and_overwriting_must_be_asked_for(tuned):
    adata = screen()
    assert set(tune(adata, refit=False, copy=True).uns) == {"measure", "rtdmf"}
    assert untouched(adata)
    again = tuned.copy()
    for refit in (True, False):
        with pytest.raises(ValueError, match=r"already holds.*overwrite=True"):
            tune(again, refit=refit)
    tune(again, {"depth": [2]}, overwrite=True, refit=False)
    assert len(again.uns["rtdmf"]["tuning"]) == 1
    assert "threshold" in again.uns["rtdmf"]


@pytest.mark.slow
def test_a_layer_can_be_tuned_under_another_name():
    adata = screen()
    adata.layers["half"] = adata.X / 2
    tune(adata, {"depth": [3, 2]}, layer="half", key_added="mine")
    assert {"mine", "mine_residual", "mine_flag"} <= set(adata.layers)
    assert adata.uns["mine"]["layer"] == "half"
    assert adata.layers["mine"].mean() == pytest.approx(0.3, abs=0.05)


@pytest.mark.slow
def test_everything_survives_h5ad(tmp_path):
    """Also a column of numbers and names, and a candidate that failed."""
    adata = screen()
    tune(adata, [{"weight_decay": [1.0, "auto"]}, {"depth": [2, 1], "early_stopping": [True]}])
    rt.io.write_h5ad(adata, tmp_path / "a.h5ad")
    back, ours = anndata.read_h5ad(tmp_path / "a.h5ad").uns["rtdmf"], adata.uns["rtdmf"]
    table = ours["tuning"]
    assert table["weight_decay"].tolist() == ["1.0", "auto", "1.0", "1.0"]
    assert table["depth"].tolist() == [3, 3, 2, 1]
    assert table["early_stopping"].dtype == bool
    for name in ("tuning", "tuning_scores"):
        pd.testing.assert_frame_equal(back[name], ours[name], check_dtype=False)
    assert back["tuning_params"] == ours["tuning_params"]


# What is tried


@pytest.mark.slow
def test_without_a_grid_the_settings_as_they_are_come_first():
    """The default must be among the candidates: else a search could end below it."""
    default = tuning.filled({})
    candidates = tuning.default_candidates({})
    names = {"depth", "weight_decay", "loss"}
    assert candidates[0] == {name: default[name] for name in names}
    assert all(set(candidate) == names for candidate in candidates)
    assert len({json.dumps(c, sort_keys=True) for c in candidates}) == len(candidates) > 6
    fixed = tuning.default_candidates({"loss": "clip", "weight_decay": 2.0})
    assert [c["depth"] for c in fixed] == [3, 2, 4]
    first = tuning.default_candidates({"depth": 7})[0]
    assert first == {name: default[name] for name in names - {"depth"}}
    adata = screen()
    tune(adata, None, weight_decay=1.0, loss="mixture", refit=False)
    assert adata.uns["rtdmf"]["tuning"]["depth"].iloc[0] == default["depth"]


def test_equal_candidates_run_once_and_numpy_values_are_plain():
    adata = screen()
    tune(adata, [{"depth": np.array([2, 3, 2])}, {"depth": [3]}], refit=False)
    assert adata.uns["rtdmf"]["tuning"]["depth"].tolist() == [2, 3]
    assert type(adata.uns["rtdmf"]["tuning_params"]["chosen"]["depth"]) is int


def test_a_candidate_that_fails_is_a_row_with_its_message():
    adata = screen()
    tune(adata, {"depth": [1, 2]}, refit=False)
    table = adata.uns["rtdmf"]["tuning"]
    assert "depth parameter must be" in table["error"].iloc[0]
    assert table["error"].iloc[1] == ""
    assert np.isnan(table["validation_mse"].iloc[0])
    assert table["rank"].tolist() == [0, 1]
    assert table["stop_reason"].iloc[0] == "failed"


BAD = [
    ("name in grid", {"grid": {"dept": [2]}}, ValueError, r"grid names \['dept'\]"),
    ("no effect", {"grid": {"retain": ["all"]}}, ValueError, "cannot be tuned"),
    ("keyword", {"dept": 2}, TypeError, r"unknown parameter\(s\) \['dept'\]"),
    ("twice", {"grid": {"tol": [0.1]}}, ValueError, "both in grid and among the keywords"),
    ("no dict", {"grid": 3}, TypeError, "grid must be a dict"),
    ("names only", {"grid": ["depth"]}, TypeError, "grid must be a dict"),
    ("empty", {"grid": []}, TypeError, "grid must be a dict"),
    ("scalar", {"grid": {"depth": 3}}, TypeError, "needs to be a list"),
    ("criterion", {"criterion": "mae"}, ValueError, "criterion parameter must be"),
    ("by", {"by": "tissue"}, ValueError, "by parameter must be"),
    ("group", {"group_key": "organ"}, ValueError, "no column 'organ'"),
    ("no groups", {"by": "group", "group_key": None}, ValueError, "needs groups"),
    ("layer", {"layer": "raw"}, ValueError, "no 'raw'"),
    ("key", {"key_added": "a/b"}, ValueError, "without '/'"),
    ("folder", {"checkpoint": "none/a.jsonl"}, FileNotFoundError, "does not exist"),
]


@pytest.mark.parametrize(
    ("kwargs", "error", "message"), [c[1:] for c in BAD], ids=[c[0] for c in BAD]
)
def test_bad_input_gets_one_clear_error_before_anything_runs(kwargs, error, message, monkeypatch):
    monkeypatch.setattr(tuning, "_fit", lambda *args: pytest.fail("a fit ran"))
    adata = screen()
    with pytest.raises(error, match=message):
        tune(adata, **{"grid": GRID, **kwargs})
    assert untouched(adata)


def test_all_failing_is_one_error():
    adata = screen()
    with pytest.raises(ValueError, match=r"None of the 2 candidates.*depth parameter must be"):
        tune(adata, {"depth": [1, 0]})
    assert untouched(adata)


def test_a_failing_refit_changes_nothing(monkeypatch):
    adata = screen()

    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("rtdmf_bio.pp._tune.correct", fail)
    with pytest.raises(MemoryError):
        tune(adata, {"depth": [2]})
    assert untouched(adata)


def test_a_grid_without_effect_is_said():
    """The threshold of the mixture loss only says what is called high."""
    with pytest.warns(UserWarning, match="nothing in the grid acts on them"):
        tune(screen(), {"threshold": [0.1, 0.2]}, refit=False)


# How it is chosen


def planted(seed, n=50, p=60, n_hit=15):
    """Rank 3, noise, and 15 drugs that act on half of the skin lines each: low rank, nearly."""
    rng = np.random.default_rng(seed)
    low_rank = 0.6 + 0.06 * rng.normal(size=(n, 3)) @ rng.normal(size=(3, p))
    tissue = np.repeat(["skin", "lung", "blood"], p // 3)
    signal = np.zeros((n, p))
    signal[:n_hit, tissue == "skin"] = 0.3 * (rng.random((n_hit, p // 3)) < 0.5)
    x = low_rank + signal + 0.05 * rng.normal(size=(n, p))
    x[rng.random(x.shape) < 0.1] = np.nan
    var = pd.DataFrame({"tissue": tissue}, index=[f"line{j}" for j in range(p)])
    return anndata.AnnData(x, pd.DataFrame(index=[f"drug{i}" for i in range(n)]), var), low_rank


@pytest.mark.slow
def test_the_robust_criterion_keeps_planted_signal_out_of_the_broad_structure():
    """What mse rewards is an L that takes the signal up, and then nothing is left to flag."""
    error = {"robust": [], "mse": []}
    for seed in range(3):
        adata, low_rank = planted(seed)
        for criterion in error:
            out = rt.pp.tune(
                adata, {"loss": ["squared", "mixture"], "weight_decay": [0.5, 1.0]},
                criterion=criterion, impute="low-rank", crossfit=0, retain="all",
                group_key=None, progress=False, copy=True,
            )  # fmt: skip
            found = out.X - out.layers["rtdmf_residual"]
            error[criterion].append(np.sqrt(np.nanmean((found - low_rank) ** 2)))
    assert np.mean(error["robust"]) < 0.7 * np.mean(error["mse"])
    assert all(a <= b for a, b in zip(error["robust"], error["mse"], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-3, 250.0])
def test_the_choice_does_not_depend_on_the_unit(tuned, unit):
    """A screen in percent must be tuned like one in shares; scores are in squared units."""
    other = tune(screen(unit=unit), copy=True)
    a, b = tuned.uns["rtdmf"], other.uns["rtdmf"]
    assert b["tuning_params"]["chosen"] == a["tuning_params"]["chosen"]
    assert b["tuning_params"]["cut"] == pytest.approx(unit * a["tuning_params"]["cut"], rel=1e-3)
    for name in ("validation_mse", "validation_robust"):
        scaled = unit**2 * a["tuning"][name].to_numpy()
        np.testing.assert_allclose(b["tuning"][name], scaled, rtol=1e-3)


@pytest.mark.slow
def test_of_equals_the_other_criterion_decides():
    """Imputation does not act on L: a robust search must still take its better setting."""
    adata = screen()
    keywords = {"impute": "refined", "refit": False}
    tune(adata, {"impute_weight_decay": [0.01, 0.3, 3.0]}, **keywords)
    table = adata.uns["rtdmf"]["tuning"]
    assert table["validation_robust"].nunique() == 1
    assert table["chosen"].tolist() == (table["validation_mse"].rank() == 1).tolist()
    assert not table["chosen"].iloc[0]


@pytest.mark.parametrize("settings", [{}, {"threshold": 0.1}], ids=["hold-out", "nothing open"])
@pytest.mark.parametrize("by", ["entry", "drug", "group"])
def test_no_candidate_sees_a_test_entry_or_trains_on_validation(by, settings):
    """Values of either kind must not move the fit; with nothing to choose by hold-out as well."""
    adata = screen()
    rt.pp.holdout(adata, by=by)
    fold = adata.layers["holdout"]
    task = tuning.Task(np.array(adata.X), fold, 1.0)
    fitted = tuning._fit(task, {**QUICK, **settings})
    for code in (1, 2):
        moved = np.where(fold == code, adata.X + 5, adata.X)
        again = tuning._fit(tuning.Task(moved, fold, 1.0), {**QUICK, **settings})
        np.testing.assert_allclose(again.low_rank_, fitted.low_rank_, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["drug", "line", "group"])
def test_other_holdouts_run_and_are_named(by):
    adata = screen()
    tune(adata, {"depth": [3, 2]}, by=by)
    params = adata.uns["rtdmf"]["tuning_params"]
    assert params["by"] == by
    rt.pp.holdout(adata, by=by)
    fold = adata.layers["holdout"]
    counts = [params[f"n_{name}"] for name in ("train", "validation", "test")]
    assert counts == [(fold == code).sum() for code in range(3)]


# Parallel, interrupted, resumed


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_two_at_a_time_give_the_same(tuned, backend):
    """Bits and all; the number of jobs is taken from joblib's own configuration, too."""
    with joblib.parallel_config(backend=backend, n_jobs=2 if backend == "threading" else 1):
        other = tune(screen(), copy=True, n_jobs=2 if backend == "loky" else None)
    pd.testing.assert_frame_equal(without_time(other), without_time(tuned))
    assert np.array_equal(other.layers["rtdmf"], tuned.layers["rtdmf"])


def test_threads_warnings_and_random_state_are_left_as_found():
    before = (torch.get_num_threads(), list(warnings.filters), torch.get_rng_state().sum())
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with joblib.parallel_config(backend="threading", n_jobs=2):
        tune(screen(), {"depth": [3, 2], "width": [5], "init": ["gaussian"]}, refit=False)
    assert before[:2] == (torch.get_num_threads(), warnings.filters)
    assert before[2] == torch.get_rng_state().sum()
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.slow
def test_an_interrupted_search_goes_on_where_it_ended(tuned, monkeypatch, tmp_path):
    path, adata = tmp_path / "tuning.jsonl", screen()
    count_fits(monkeypatch, interrupt_at=3)
    with pytest.raises(KeyboardInterrupt) as stopped:
        tune(adata, checkpoint=path)
    assert any("keeps the 2 candidates finished" in note for note in stopped.value.__notes__)
    assert untouched(adata)
    assert len(path.read_text().splitlines()) == 3
    monkeypatch.undo()
    calls = count_fits(monkeypatch)
    tune(adata, checkpoint=path)
    assert len(calls) == 2 + 1  # the others, and the chosen one for its test score
    pd.testing.assert_frame_equal(without_time(adata), without_time(tuned))
    assert np.array_equal(adata.layers["rtdmf"], tuned.layers["rtdmf"])


@pytest.mark.slow
def test_a_checkpoint_serves_other_grids_and_criteria(monkeypatch, tmp_path):
    """Scores of a setting do not depend on its rivals, nor on who judges."""
    path = tmp_path / "tuning.jsonl"
    tune(screen(), {"depth": [3, 2]}, checkpoint=path, refit=False)
    calls = count_fits(monkeypatch)
    tune(screen(), {"depth": [2, 4, 3]}, criterion="mse", checkpoint=path, refit=False)
    assert [c["depth"] for c in calls[:-1]] == [4]


@pytest.mark.slow
def test_a_torn_last_line_is_run_again(tuned, monkeypatch, tmp_path):
    path, adata = tmp_path / "tuning.jsonl", screen()
    tune(adata, checkpoint=path, refit=False)
    path.write_bytes(path.read_bytes()[:-40])
    calls = count_fits(monkeypatch)
    tune(adata, checkpoint=path, overwrite=True)
    assert len(calls) == 1 + 1
    assert all(json.loads(line) for line in path.read_text().splitlines())
    pd.testing.assert_frame_equal(without_time(adata), without_time(tuned))


@pytest.mark.slow
@pytest.mark.parametrize("grid", [{"depth": [3, 2]}, {"depth": [2]}], ids=["same", "other"])
def test_without_a_seed_a_checkpoint_gives_its_own(grid, monkeypatch, tmp_path):
    """Any seed will do, so the one that has results; another would be another search."""
    path = tmp_path / "tuning.jsonl"
    one, other = screen(), screen()
    tune(one, {"depth": [3, 2]}, checkpoint=path, refit=False, random_state=None)
    calls = count_fits(monkeypatch)
    tune(other, grid, checkpoint=path, refit=False, random_state=None)
    assert len(calls) == 1  # the chosen one, for its test score
    seeds = [x.uns["rtdmf"]["tuning_params"]["random_state"] for x in (one, other)]
    assert seeds[0] == seeds[1]


@pytest.mark.parametrize("text", ["", "drug,line,auc\n", '{"identity": {"fixed settings": "3"}}\n'])
def test_what_is_no_checkpoint_has_no_seed(text, tmp_path):
    path = tmp_path / "tuning.jsonl"
    path.write_text(text)
    assert saved_seed(path) is None
    assert saved_seed(tmp_path) is saved_seed(tmp_path / "none") is saved_seed(None) is None


def test_failed_candidates_are_tried_again(monkeypatch, tmp_path):
    """Memory may have run out; the next machine has more."""
    path = tmp_path / "tuning.jsonl"
    tune(screen(), {"depth": [1, 2]}, checkpoint=path, refit=False)
    calls = count_fits(monkeypatch)
    tune(screen(), {"depth": [1, 2]}, checkpoint=path, refit=False)
    assert [c["depth"] for c in calls] == [1, 2]


def other_values(path):
    adata = screen()
    adata.X[0, 0] += 0.1
    return adata, {}


def other_split(path):
    return screen(), {"random_state": 1}


def other_settings(path):
    return screen(), {"scale_power": 0.0}


def damaged(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{", *lines[2:]]))
    return screen(), {}


def a_table(path):
    path.write_text("drug,line,auc\na,b,0.5\n")
    return screen(), {}


FOREIGN = [
    (other_values, "another search: other data"),
    (other_split, "another search: other hold-out"),
    (other_settings, "another search: other fixed settings"),
    (damaged, "damaged in line 2"),
    (a_table, "no checkpoint of"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "message"), FOREIGN, ids=[c[0].__name__ for c in FOREIGN])
def test_a_foreign_checkpoint_is_refused_and_left_alone(change, message, tmp_path, monkeypatch):
    """Mixed-up scores would be believed; a file given by mistake would be lost."""
    path = tmp_path / "tuning.jsonl"
    tune(screen(), {"depth": [3, 2]}, checkpoint=path, refit=False)
    adata, kwargs = change(path)
    before = path.read_bytes()
    monkeypatch.setattr(tuning, "_fit", lambda *args: pytest.fail("a fit ran"))
    with pytest.raises(ValueError, match=message):
        tune(adata, {"depth": [3, 2]}, checkpoint=path, **kwargs)
    assert path.read_bytes() == before
    assert "rtdmf" not in adata.uns


def test_ctrl_c_while_writing_leaves_the_object_as_it_was(monkeypatch):
    adata, original, armed = screen(), pd.DataFrame.__setitem__, [True]

    def interrupted(self, key, value):
        if key == "rtdmf_n_retained" and self is adata.obs and armed:
            armed.clear()
            raise KeyboardInterrupt
        return original(self, key, value)

    monkeypatch.setattr(pd.DataFrame, "__setitem__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(adata, {"depth": [2]})
    assert untouched(adata)


def test_the_progress_bar_can_be_silenced(capsys):
    tune(screen(), {"depth": [2]}, refit=False)
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""
