"""Prediction from expression: nothing leaks, the target is what was measured, rules are found."""

from __future__ import annotations

import re
from dataclasses import replace

import anndata as ad
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.linear_model import ElasticNet

import rtdmf_bio as rt
from rtdmf_bio.pl._predict import prediction
from rtdmf_bio.tl import _held_out_lines, _predict, _transfer
from rtdmf_bio.tl._elastic_net import elastic_net
from rtdmf_bio.tl._held_out_lines import DRUG_MEAN, GENERAL, TRAININGS, Task, predict_fold
from rtdmf_bio.tl._predict import predict
from rtdmf_bio.tl._transfer import transfer

NOISE = 0.05
# Where it does not matter how well RT-DMF corrects: a tenth of the time.
FAST = {"depth": 2, "loss": "squared", "impute": "low-rank", "threshold": 0.1}
EVERY = [*TRAININGS, GENERAL, DRUG_MEAN]


def made(n_drugs=10, n_lines=90, n_genes=25, seed=0):
    """A screen that follows three of the genes by a rule for each drug, with noise and gaps."""
    rng = np.random.default_rng(seed)
    genes = rng.normal(size=(n_lines, n_genes))
    rule = np.zeros((n_genes, n_drugs))
    rule[:3] = 0.08 * rng.normal(size=(3, n_drugs))
    values = 0.6 + 0.1 * rng.normal(size=n_drugs) + genes @ rule
    values += NOISE * rng.normal(size=values.shape)
    values[rng.random(values.shape) < 0.25] = np.nan
    lines = [f"line{j}" for j in range(n_lines)]
    adata = ad.AnnData(
        values.T,
        pd.DataFrame(index=[f"drug{i}" for i in range(n_drugs)]),
        pd.DataFrame({"tissue": np.resize(["blood", "lung", "skin"], n_lines)}, index=lines),
    )
    adata.uns["measure"] = {"name": "auc", "higher_is": "resistant"}
    # Three lines without expression, others without measurements, in another order.
    table = pd.DataFrame(genes, lines, [f"gene{k}" for k in range(n_genes)]).iloc[:2:-1]
    return adata, pd.concat([table, table.iloc[:2].rename(lambda name: f"other {name}")])


def arrays(model="elastic-net", **changes):
    """What the shell makes of ``made``."""
    adata, table = made()
    known = np.arange(adata.n_vars) >= 3
    task = Task(
        values=np.array(adata.X),
        genes=table.reindex(adata.var_names).to_numpy(),
        fold=np.where(known, np.arange(adata.n_vars) % 3, -1),
        groups={"tissue": np.array(adata.var["tissue"], dtype=object)},
        chosen=np.array([0, 5, 7]),
        model=model,
        correction={"unmeasured": "nan", **FAST},
        n_genes=20,
        pretrain=None,
        device="cpu",
        random_state=0,
    )
    return replace(task, **changes)


@pytest.fixture(scope="module")
def table():
    adata, expression = made()
    return predict(adata, expression, n_folds=2, progress=False)


@pytest.fixture
def brief(monkeypatch):
    """A network that is hardly trained, where it does not matter how well it predicts."""
    monkeypatch.setattr(_transfer, "_MAX_EPOCHS", 8)


def relative(table, against="measured"):
    wide = table[table["scored_against"] == against].pivot(
        index="drug", columns="training", values="rmse"
    )
    return wide.div(wide[DRUG_MEAN], axis=0)


@pytest.mark.slow
def test_a_linear_rule_is_found(table):
    """Down to the noise, which no prediction of a measurement can beat."""
    measured = table[table["scored_against"] == "measured"].groupby("training")["rmse"].mean()
    for training in TRAININGS:
        assert 0.95 * NOISE < measured[training] < 0.65 * measured[DRUG_MEAN]
        assert measured[training] < 0.75 * measured[GENERAL]
    assert measured["measured"] < 1.4 * NOISE
    ours = table[(table["training"] == "rtdmf") & (table["scored_against"] == "measured")]
    assert ours["pearson"].median() > 0.7
    assert ours["spearman"].median() > 0.6


@pytest.mark.slow
def test_one_row_for_each_drug_training_and_target(table):
    assert list(table.columns) == [
        "drug", "model", "training", "scored_against", "n_lines", "rmse", "pearson", "spearman"
    ]  # fmt: skip
    assert len(table) == 10 * len(EVERY) * 2
    assert list(table["training"].unique()) == EVERY
    assert set(table["scored_against"]) == {"measured", "corrected"}
    assert not table.duplicated(["drug", "training", "scored_against"]).any()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["elastic-net", "transfer"])
def test_shuffled_expression_does_not_beat_the_drug_mean(model, monkeypatch):
    """If what was measured on held-out lines leaked, it would."""
    monkeypatch.setattr(_transfer, "_MAX_EPOCHS", 50)
    adata, expression = made()
    order = np.random.default_rng(1).permutation(len(expression))
    shuffled = expression.iloc[order].set_axis(expression.index)
    table = predict(
        adata, shuffled, model=model, n_folds=2, training="rtdmf", correction=FAST, progress=False,
    )  # fmt: skip
    for against in ("measured", "corrected"):
        assert (relative(table, against).mean() > 0.99).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["elastic-net", "transfer"])
@pytest.mark.parametrize("training", EVERY)
def test_a_held_out_line_has_no_say_in_its_prediction(training, model, brief):
    """Neither by its values nor by which of them are missing."""
    task = arrays(model)
    before = predict_fold(task, 1, training)
    assert before.shape == (3, (task.fold == 1).sum())
    values = task.values.copy()
    values[:, task.fold == 1] = np.where(np.isnan(values), 9.0, np.nan)[:, task.fold == 1]
    np.testing.assert_array_equal(predict_fold(replace(task, values=values), 1, training), before)
    values = task.values.copy()
    values[:, task.fold == 2] *= 1.5
    assert not np.array_equal(predict_fold(replace(task, values=values), 1, training), before)


@pytest.mark.parametrize("model", ["elastic-net", "transfer"])
def test_held_out_expression_is_used_for_its_own_line_alone(model, brief):
    """Scaling and choice of genes must not see it."""
    task = arrays(model)
    line = np.flatnonzero(task.fold == 1)[4]
    genes = task.genes.copy()
    genes[line] = 1e3 * np.arange(genes.shape[1])
    before, after = (predict_fold(t, 1, "knn") for t in (task, replace(task, genes=genes)))
    assert np.abs(after - before)[:, 4].min() > 0
    np.testing.assert_allclose(np.delete(after, 4, 1), np.delete(before, 4, 1), rtol=1e-5)


@pytest.mark.parametrize(
    ("training", "helped"), [("rtdmf", True), ("knn", True), ("measured", False)]
)
def test_lines_without_expression_complete_the_matrix_and_no_more(training, helped):
    task = arrays()
    values = task.values.copy()
    values[:, task.fold < 0] += np.linspace(-0.3, 0.3, len(values))[:, None]
    before, after = (predict_fold(t, 0, training) for t in (task, replace(task, values=values)))
    assert np.array_equal(before, after) != helped


@pytest.mark.slow
def test_errors_are_those_of_measured_entries(table, monkeypatch):
    """By hand, with predictions known in advance; the corrected target is not weighed."""
    adata, expression = made()
    rng = np.random.default_rng(2)
    guess = 0.5 + 0.1 * rng.normal(size=adata.shape)
    monkeypatch.setattr(
        _held_out_lines,
        "predict_fold",
        lambda task, fold, _: guess[task.chosen][:, task.fold == fold],
    )
    table = predict(adata, expression, n_folds=3, correction=FAST, progress=False)
    rt.pp.correct(adata, progress=False, specific_weight=1.0, **FAST)
    known = adata.var_names.isin(expression.index)
    for row in table.itertuples():
        i = adata.obs_names.get_loc(row.drug)
        here = known & np.isfinite(adata.X[i])
        truth = (adata.X if row.scored_against == "measured" else adata.layers["rtdmf"])[i, here]
        assert row.n_lines == here.sum() == len(truth)
        assert row.rmse == pytest.approx(np.sqrt(np.mean((guess[i, here] - truth) ** 2)), rel=1e-6)
        assert row.pearson == pytest.approx(pearsonr(guess[i, here], truth)[0], rel=1e-5)
        assert row.spearman == pytest.approx(spearmanr(guess[i, here], truth)[0], rel=1e-3)


def test_the_drug_mean_is_that_of_the_training_lines(table):
    task = arrays()
    predicted = predict_fold(task, 1, DRUG_MEAN)
    expected = np.nanmean(task.values[task.chosen][:, task.fold != 1], axis=1)
    np.testing.assert_allclose(predicted, np.tile(expected[:, None], (1, predicted.shape[1])))
    # Means of different folds differ, but say nothing of the lines.
    trivial = table[table["training"] == DRUG_MEAN]
    assert trivial["pearson"].isna().all()
    assert trivial["spearman"].isna().all()
    assert table[table["training"] == "rtdmf"]["pearson"].notna().all()


def test_general_sensitivity_leads_to_each_drug_by_a_straight_line():
    rng = np.random.default_rng(0)
    values, general, new = rng.normal(size=(3, 20)), rng.normal(size=20), rng.normal(size=4)
    values[0, :5] = np.nan
    values[2] = np.nan
    got = _held_out_lines._from_general(values, general, new)
    for i in (0, 1):
        ok = np.isfinite(values[i])
        expected = np.polyval(np.polyfit(general[ok], values[i, ok], 1), new)
        np.testing.assert_allclose(got[i], expected)
    assert np.isnan(got[2]).all()


def test_general_sensitivity_is_all_there_is_in_a_screen_of_it():
    """Where drugs differ by a constant only, the control must be as good as anything."""
    adata, expression = made()
    general = 0.05 * expression["gene0"].reindex(adata.var_names).fillna(0).to_numpy()
    noise = 0.02 * np.random.default_rng(0).normal(size=adata.shape)
    adata.X = np.linspace(0.3, 0.9, adata.n_obs)[:, None] + general + noise
    table = predict(
        adata, expression, training="measured", n_folds=3, correction=FAST, progress=False
    )
    ratio = relative(table).mean()
    assert ratio[GENERAL] < 1.02 * ratio["measured"] < 0.5


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "gaps"])
def test_the_elastic_net_agrees_with_a_plain_search(gaps):
    """Every penalty fitted from nothing by scikit-learn, to a far smaller gap."""
    rng = np.random.default_rng(0)
    x, x_new = rng.normal(size=(70, 30)), rng.normal(size=(9, 30))
    x += 1  # neither fit nor lines set aside are centred
    targets = x[:, :3] @ rng.normal(size=(3, 4)) + 2 * rng.normal(size=(70, 4)) + 5
    targets, truth = targets.T, targets.T + 0.1 * rng.normal(size=(4, 70))
    if gaps:
        targets[rng.random(targets.shape) < 0.3] = np.nan
    truth[rng.random(truth.shape) < 0.2] = np.nan
    inner = np.arange(70) % 4 == 0
    got = elastic_net(x, targets, truth, x_new, inner)
    for i in range(4):
        has, check = np.isfinite(targets[i]), inner & np.isfinite(truth[i])
        fit, y = has & ~inner, targets[i]
        top = np.abs((x[has] - x[has].mean(0)).T @ (y[has] - y[has].mean())).max() / has.sum() / 0.5
        nets = [
            ElasticNet(alpha=a, tol=1e-10, max_iter=100_000)
            for a in top * np.geomspace(1, 0.01, 20)
        ]
        errors = [
            np.mean((net.fit(x[fit], y[fit]).predict(x[check]) - truth[i, check]) ** 2)
            for net in nets
        ]
        best = nets[int(np.argmin(errors))].fit(x[has], y[has])
        np.testing.assert_allclose(got[i], best.predict(x_new), atol=0.03 * np.nanstd(y))
        assert np.argmin(errors) > 0


@pytest.mark.parametrize("model", ["elastic-net", "transfer"])
def test_drugs_do_not_depend_on_which_others_are_predicted(model, brief):
    task = arrays(model)
    every = replace(task, chosen=np.arange(len(task.values)))
    some, all_drugs = (predict_fold(t, 2, "measured") for t in (task, every))
    np.testing.assert_array_equal(some, all_drugs[task.chosen])
    adata, expression = made()
    table = predict(
        adata, expression, drugs=["drug7", "drug5"], model=model, training="measured", n_folds=2,
        correction=FAST, progress=False,
    )  # fmt: skip
    assert list(table["drug"].unique()) == ["drug5", "drug7"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["elastic-net", "transfer"])
def test_the_same_seed_gives_the_same_table_and_touches_nothing(model, brief):
    adata, expression = made()
    before, genes = adata.copy(), expression.copy()
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    legacy = np.random.get_state()[1].copy()  # noqa: NPY002
    settings = {
        "model": model,
        "n_folds": 2,
        "drugs": ["drug1", "drug6"],
        "training": ["knn", "measured"],
        "correction": FAST,
        "progress": False,
    }
    one = predict(adata, expression, **settings)
    assert torch.equal(torch.get_rng_state(), random)
    np.testing.assert_array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002
    assert torch.get_num_threads() == threads
    np.testing.assert_array_equal(adata.X, before.X)
    assert not adata.layers
    assert list(adata.uns) == ["measure"]
    pd.testing.assert_frame_equal(expression, genes)
    with joblib.parallel_config("threading"):
        two = predict(adata, ad.AnnData(expression), n_jobs=2, **settings)
    assert torch.get_num_threads() == threads
    pd.testing.assert_frame_equal(one, two)
    three = predict(adata, expression, random_state=1, **settings)
    assert not np.allclose(one["rmse"], three["rmse"])


def test_a_drug_without_training_entries_stops_nothing():
    task = arrays()
    values = task.values.copy()
    values[5, task.fold != 1] = np.nan
    for training in EVERY:
        predicted = predict_fold(replace(task, values=values), 1, training)
        assert np.isnan(predicted[1]).all()
        assert np.isfinite(predicted[[0, 2]]).all()


def test_all_rows_of_a_drug_are_scored_on_the_same_entries(monkeypatch):
    """An entry that one training cannot predict is left out of all."""
    adata, expression = made()

    def hole(task, fold, training):
        out = predict_fold(task, fold, training)
        if training == "knn" and fold == 1:
            out[2] = np.nan
        return out

    monkeypatch.setattr(_held_out_lines, "predict_fold", hole)
    table = predict(
        adata, expression, training=["measured", "knn"], n_folds=3, correction=FAST, progress=False
    )
    n = table.groupby("drug", sort=False)["n_lines"].agg(["min", "max"])
    known = adata.var_names.isin(expression.index)
    assert (n["min"] == n["max"]).all()
    measured = np.isfinite(adata.X[:, known]).sum(1)
    assert list(np.flatnonzero(n["max"].to_numpy() < measured)) == [2]


@pytest.mark.slow
def test_the_network_learns_and_is_judged_by_lines_set_aside():
    rng = np.random.default_rng(0)
    x, x_new = rng.normal(size=(120, 20)), rng.normal(size=(60, 20))
    rule = 0.3 * rng.normal(size=(20, 5)) * (np.arange(20) < 4)[:, None]
    targets = 3 + (x @ rule).T + 0.1 * rng.normal(size=(5, 120))
    targets[:, ::7] = np.nan
    targets[4] = np.nan
    inner = np.arange(120) % 5 == 0
    got = transfer(x, targets, targets, x_new, inner)
    expected = 3 + (x_new @ rule).T
    error = np.sqrt(np.mean((got - expected) ** 2, axis=1))[:4]
    assert (error < 0.6 * expected[:4].std(1)).all()
    assert np.isnan(got[4]).all()
    # Lines set aside that say the opposite leave each drug at its mean, where it started.
    opposite = np.where(inner, 6 - targets, targets)
    stopped = transfer(x, targets, opposite, x_new, inner)
    means = np.nanmean(targets[:4, ~inner], axis=1, keepdims=True)
    np.testing.assert_allclose(stopped[:4], np.tile(means, (1, 60)), rtol=1e-6)


@pytest.mark.slow
def test_further_samples_reach_the_autoencoder_only(brief):
    adata, expression = made()
    rng = np.random.default_rng(0)
    tumours = pd.DataFrame(rng.normal(5, 2, (40, 25)), columns=expression.columns)
    settings = {"n_folds": 2, "training": "measured", "correction": FAST, "progress": False}
    with_them = predict(
        adata, expression, model="transfer", pretrain=tumours.iloc[:, ::-1], **settings
    )
    without = predict(adata, expression, model="transfer", **settings)
    assert not np.allclose(with_them["rmse"], without["rmse"])
    scaled = predict(adata, expression, model="transfer", pretrain=3 + 2 * tumours, **settings)
    np.testing.assert_allclose(scaled["rmse"], with_them["rmse"], rtol=1e-3)
    with pytest.warns(UserWarning, match="pretrain is ignored by model='elastic-net'"):
        predict(adata, expression, pretrain=tumours, **settings)
    with pytest.raises(ValueError, match=r"pretrain lacks 2 of the 25 genes.*'gene3'"):
        predict(adata, expression, model="transfer",
                pretrain=tumours.drop(columns=["gene3", "gene9"]), **settings)  # fmt: skip


def test_drugs_with_few_lines_are_left_out_and_named_if_asked_for():
    adata, expression = made()
    adata.X[3, 15:] = np.nan
    adata.X[4] = np.nan
    settings = {"training": "measured", "n_folds": 2, "correction": FAST, "progress": False}
    table = predict(adata, expression, **settings)
    assert set(adata.obs_names) - set(table["drug"]) == {"drug3", "drug4"}
    with pytest.warns(UserWarning, match=r"2 drug\(s\) are not in the table.*'drug3', 'drug4'"):
        predict(adata, expression, drugs=["drug3", "drug4", "drug6"], **settings)
    with pytest.raises(ValueError, match=r"None of 1 drug\(s\) is measured on 20 lines"):
        predict(adata, expression, drugs="drug3", **settings)


def test_correction_takes_the_parameters_of_rtdmf():
    adata, expression = made()
    settings = {"training": "rtdmf", "n_folds": 2, "progress": False}
    ours = predict(adata, expression, **settings, correction=FAST)
    other = predict(adata, expression, **settings, correction={**FAST, "retain": "none"})
    changed = other["rmse"] != ours["rmse"]
    assert changed[other["training"] == "rtdmf"].all()
    assert changed[other["scored_against"] == "corrected"].all()
    assert not changed[
        (other["training"] != "rtdmf") & (other["scored_against"] == "measured")
    ].any()


def test_defaults_spelled_out_are_defaults():
    """Whoever names the preset has not asked for another weight."""
    plain = _predict._parameters({}, "cpu", 0)
    assert plain["specific_weight"] == 1
    for spelled in ({"preset": "default"}, {"retain": ("enriched", "shrink")}):
        assert _predict._parameters(spelled, "cpu", 0) == {**plain, **spelled}
    assert _predict._parameters({"specific_weight": 0.7}, "cpu", 0)["specific_weight"] == 0.7
    for other in ({"preset": "paper"}, {"retain": "none"}):
        assert "specific_weight" not in _predict._parameters(other, "cpu", 0)


@pytest.mark.parametrize("model", ["elastic-net", "transfer"])
def test_a_gene_that_only_a_held_out_line_expresses_does_no_harm(model, brief):
    """Over the training lines its standard deviation is that of rounding, 1e-17, and not 0."""
    task = arrays(model)
    genes = task.genes.copy()
    genes[:, -1] = 0.1
    plain = predict_fold(replace(task, genes=genes, n_genes=25), 0, "measured")
    genes = genes.copy()
    genes[np.flatnonzero(task.fold == 0)[0], -1] = 5.0
    found = predict_fold(replace(task, genes=genes, n_genes=25), 0, "measured")
    assert np.abs(found - plain).max() < 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_folds": 50}, ValueError, "or pass fewer n_folds or min_lines"),
        ({"model": "forest"}, ValueError, "model parameter must be one of .*'elastic-net'"),
        ({"training": ["rtdmf", "mean"]}, ValueError, "training parameter must be one of"),
        ({"training": []}, ValueError, "training parameter must be a name or several"),
        ({"n_folds": 1}, ValueError, "n_folds parameter must be an integer of at least 2"),
        ({"n_genes": 0}, ValueError, "n_genes parameter must be an integer of at least 1"),
        ({"min_lines": 1}, ValueError, "min_lines parameter must be"),
        ({"random_state": -1}, ValueError, "random_state parameter must be"),
        ({"drugs": "nothing"}, ValueError, "adata.obs_names has no 'nothing'. It has 'drug0'"),
        ({"layer": "lost"}, ValueError, "adata.layers has no 'lost'"),
        ({"group_key": "disease"}, ValueError, "adata.var has no column 'disease'"),
        ({"correction": {"depht": 2}}, TypeError, r"unknown parameter\(s\) \['depht'\]"),
        ({"correction": "shrink"}, TypeError, "correction must be a dict"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_bad_parameters_are_refused(change, error, message):
    adata, expression = made()
    with pytest.raises(error, match=message):
        predict(adata, expression, **{"progress": False, **change})


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda t: t.to_numpy(), TypeError, "expression must be a table or an AnnData.*ndarray"),
        (lambda t: t.T, ValueError, r"0 of the 90.*Lines are its columns: pass expression\.T"),
        (lambda t: t.rename(str.upper), ValueError,
         "0 of the 90 cell lines.*at least 20.*'line0'.*expression has 'LINE89'.*names agree"),
        (lambda t: t.head(19), ValueError, "19 of the 90 cell lines"),
        (lambda t: pd.concat([t, t.head(1)]), ValueError, "1 line name.*'line89'"),
        (lambda t: t.rename(columns={"gene1": "gene0"}), ValueError, "1 gene name.*'gene0'"),
        (lambda t: t.assign(gene4=np.nan), ValueError, "87 missing.* 1 of 25.*'gene4'"),
        (lambda t: t.assign(site="lab"), TypeError, "must be numeric. Column.*'site'"),
        (lambda t: 0 * t, ValueError, "None of the 25 genes of expression varies"),
    ],
    ids=["array", "transposed", "names", "few", "twice", "gene twice", "nan", "text", "constant"],
)  # fmt: skip
def test_bad_expression_is_refused(spoil, error, message):
    adata, expression = made()
    with pytest.raises(error, match=message):
        predict(adata, spoil(expression), progress=False)


def test_missing_expression_of_other_samples_is_no_obstacle():
    """Rows that are no line of the screen are not looked at."""
    adata, expression = made()
    spoilt = expression.copy()
    spoilt.loc[[name for name in spoilt.index if name.startswith("other")]] = np.nan
    settings = {
        "training": "measured",
        "n_folds": 2,
        "drugs": "drug0",
        "correction": FAST,
        "progress": False,
    }
    pd.testing.assert_frame_equal(
        predict(adata, expression, **settings), predict(adata, spoilt, **settings)
    )


def test_the_picture_shows_each_drug_relative_to_its_mean(table):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    ax = prediction(table)
    drawn = [np.asarray(c.get_offsets())[:, 1] for c in ax.collections]
    expected = [
        np.sort(relative(table, against)[training])
        for against in ("measured", "corrected")
        for training in EVERY[:-1]
    ]
    for ours, theirs in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(ours, theirs)
    assert [t.get_text() for t in ax.get_xticklabels()] == EVERY[:-1]
    assert "drug mean" in ax.get_ylabel()
    given = plt.subplots()[1]
    both = pd.concat([table, table.assign(model="transfer")])
    assert prediction(both, ax=given) is given
    assert len(given.get_xticks()) == 8
    with pytest.raises(ValueError, match="twice"):
        prediction(pd.concat([table, table]))
    for wrong in (table.drop(columns="rmse"), table[table["training"] == "knn"], {}):
        with pytest.raises(ValueError, match=r"what rtdmf_bio\.tl\.predict returns"):
            prediction(wrong)
    plt.close("all")


def test_expression_predicts_a_real_screen(shared_data):
    """Better than the drug mean, on average over drugs."""
    path = shared_data("expression/gdsc_expression_975x6163_zscored_per_sample.csv.gz")
    adata = rt.datasets.gdsc1()[:40, :400].copy()
    plain = [re.sub("[^A-Z0-9]", "", name.upper()) for name in adata.var_names]
    expression = pd.read_csv(path, index_col=0, nrows=2000,
                             usecols=lambda name: name == "gene" or name in plain).T  # fmt: skip
    expression = expression.rename(index=dict(zip(plain, adata.var_names, strict=True)))
    table = predict(
        adata, expression, drugs=list(adata.obs_names[:40:5]), training="measured", n_folds=3,
        n_genes=300, group_key=None, correction=FAST, progress=False,
    )  # fmt: skip
    ratio = relative(table)
    assert ratio["measured"].mean() < 0.99
