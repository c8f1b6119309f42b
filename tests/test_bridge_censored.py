"""Values of a PharmacoSet that are only known to lie beyond a bound."""

import itertools
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import r_bridge
import rtdmf_bio
from r_bridge._psets.censored import from_text, summarize_sides
from r_bridge._psets.summary import SUMMARIES, summarize
from rtdmf_bio.model import repeats

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made

MEASURE = "ic50_recomputed"


def read(path, measure=MEASURE, **kwargs):
    return r_bridge.read_pset(path, measure, **{"progress": False, **kwargs})


def pset(path, generation="current", profiles=None, info=None, raw=None):
    """Write a PharmacoSet with columns more or others, and single doses."""

    def edit(parts):
        if not hasattr(parts, "slots"):
            parts.profiles = parts.profiles.assign(**(profiles or {}))
            parts.info = parts.info.assign(**(info or {}))
        elif raw is not None:
            slot = "treatmentResponse" if "treatmentResponse" in parts.slots else "sensitivity"
            parts.slots[slot]["raw"] = raw

    return made.write(path, made.pset(generation, edit=edit))


DATA = made.truth()
N = len(DATA.experiments)
INFINITE = np.isinf(DATA.profiles[MEASURE].to_numpy())
DOSE = np.round(np.random.default_rng(5).choice([1, 2.5, 10], N) + np.arange(N) / 100, 2)
ALONE = ~DATA.experiments.duplicated(keep=False).to_numpy()


def at(adata, experiment):
    """Entry of an experiment that repeats no other."""
    drug, line = DATA.experiments.iloc[experiment]
    return adata.obs_names.get_loc(drug), adata.var_names.get_loc(line)


def of_experiments(adata, matrix):
    return np.array([matrix[at(adata, i)] for i in np.flatnonzero(INFINITE & ALONE)])


def doses(values, names=None, text=False):
    """Array of experiments x 3 doses x (viability, dose), with the largest dose in the middle."""
    each = np.stack([np.full((N, 3), 50.0), np.column_stack([values / 10, values, values / 2])], 2)
    flat = each.ravel(order="F")
    dimnames = [None if names is None else list(names), None, ["Viability", "Dose"]]
    shape = {"dim": np.array(each.shape, np.int32), "dimnames": dimnames}
    return made.R([f"{x:.12g}" for x in flat] if text else flat, shape)


# Text


@pytest.mark.parametrize(
    "text, value, side",
    [
        ("0.1", 0.1, 0),
        (" 0.008559924", 0.008559924, 0),
        (">8", 8, 1),
        ("> 8.0 ", 8, 1),
        (">=8", 8, 1),
        ("≥8", 8, 1),
        ("<0.01", 0.01, -1),
        ("<= 1e-3", 1e-3, -1),
        ("≤.5", 0.5, -1),
        ("> 10 uM", 10, 1),
        (">10µM", 10, 1),
        (">10 μM", 10, 1),
        ("<500 nM", 0.5, -1),
        ("2 mM", 2000, 0),
        (">-2.5", -2.5, 1),
        ("\u22122.5", -2.5, 0),
        ("Inf", np.inf, 0),
        ("NA", np.nan, 0),
        ("NaN", np.nan, 0),
        (" ", np.nan, 0),
        (None, np.nan, 0),
    ],
)
def test_text_is_a_number_or_a_bound(text, value, side):
    values, sides, lost = from_text([text, "1"], "uM")
    assert lost == []
    np.testing.assert_array_equal(values, [value, 1])
    assert sides.tolist() == [side, 0]


@pytest.mark.parametrize(
    "text", ["high", "> high", "1_0", "1,5", ">8 mg", "8?", "5-8", "><8", "> 10 %", "n.d."]
)
def test_text_that_is_neither_is_lost(text):
    assert from_text(["1", text, text], "uM")[2] == [text, text]


def test_a_unit_is_read_where_the_measure_has_one():
    assert from_text(["> 10 uM"], "% of full response")[2] == ["> 10 uM"]
    assert from_text(["> 10 %"], "% of full response")[2] == []


@pytest.mark.parametrize(
    "generation, kind", [*((name, "text") for name in made.GENERATIONS), ("current", "factor")]
)
def test_bounds_in_text_are_read_as_bounds_and_marked(kind, generation, backend, tmp_path):
    numbers = DATA.profiles["ic50_published"].to_numpy()
    text = pd.Series([None if np.isnan(x) else repr(float(x)) for x in numbers], dtype=object)
    text[numbers > 1] = "> 1 uM"
    text[numbers < 0.01] = "<0.01"
    text = text.astype("category") if kind == "factor" else text
    columns = {"ic50_published": text.array}
    if generation == "2016":  # A matrix is text as a whole.
        columns = dict.fromkeys(made.MEASURES, text.array)
    path = pset(tmp_path / "pset.rds", generation, columns)
    adata = read(path, "ic50_published", backend=backend)
    alone = np.flatnonzero(ALONE & ~np.isnan(numbers))
    expected = np.clip(numbers, 0.01, 1)
    assert [adata.X[at(adata, i)] for i in alone] == expected[alone].tolist()
    side = (numbers > 1).astype(int) - (numbers < 0.01)
    marks = adata.layers["censored"]
    assert marks.dtype == np.int8
    assert [marks[at(adata, i)] for i in alone] == side[alone].tolist()
    found = adata.uns["pset"]
    n = int((side != 0).sum())
    assert (found["n_censored"], found["n_infinite"]) == (n, 0)
    assert f"{n} of {(~np.isnan(numbers)).sum()} values of ic50_published are censored" in str(
        found["notes"]
    )


# Infinite values


@pytest.mark.parametrize(
    "where",
    [
        {"info": {"max.Dose.uM": DOSE}},
        {"info": {"max.dose": [f"{x:.12g}" for x in DOSE]}},
        {"info": {"Top concentration (µM)": DOSE}},
        {"info": {"conc_max_nM": DOSE * 1000}},
        {"info": {"Dose1.uM": DOSE / 3, "Dose2.uM": DOSE, "Dose3.uM": [np.nan] * N}},
        {"raw": doses(DOSE)},
        {"raw": doses(DOSE, DATA.experiments.index, text=True)},
        {"raw": doses(DOSE[::-1].copy(), DATA.experiments.index[::-1])},
        {"info": {"max.Dose.uM": np.where(np.arange(N) % 2, DOSE, np.nan)}, "raw": doses(DOSE)},
    ],
    ids=[
        "info",
        "info as text",
        "info by another name",
        "info in nM",
        "doses",
        "raw",
        "raw as text",
        "raw turned over",
        "both",
    ],
)
@pytest.mark.parametrize("generation", ["2016", "current"])
def test_an_infinite_ic50_stands_at_the_largest_dose_of_its_experiment(
    where, generation, backend, tmp_path
):
    adata = read(pset(tmp_path / "pset.rds", generation, **where), backend=backend)
    here = INFINITE & ALONE
    np.testing.assert_allclose(of_experiments(adata, adata.X), DOSE[here], rtol=1e-15)
    assert (of_experiments(adata, adata.layers["censored"]) == 1).all()
    finite = np.flatnonzero(ALONE & np.isfinite(DATA.profiles[MEASURE].to_numpy()))
    assert [adata.X[at(adata, i)] for i in finite] == DATA.profiles[MEASURE].iloc[finite].tolist()
    assert not any(adata.layers["censored"][at(adata, i)] for i in finite)
    found = adata.uns["pset"]
    assert (found["censored"], found["n_infinite"]) == ("bound", INFINITE.sum())
    assert found["n_censored"] == INFINITE.sum()


def test_a_long_table_says_the_doses_of_each_experiment(backend, tmp_path):
    """1 uM is the largest, 1.125 of the first repeat and 1.25 of the second."""
    adata = read(pset(tmp_path / "pset.rds", "tre"), backend=backend)
    repeat = DATA.experiments.groupby(["treatmentid", "sampleid"]).cumcount().to_numpy()
    assert (of_experiments(adata, adata.X) == 1).all()
    for i in np.flatnonzero(INFINITE & (repeat > 0)):
        assert adata.layers["censored"][at(adata, i)] == 1


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"raw": pd.DataFrame({"Dose": DOSE})},
        {"raw": doses(np.full(N, np.nan))},
        {"raw": made.R(np.zeros(1), {"dim": np.ones(3, np.int32)})},
        {"info": {"max.Dose.uM": [None] * N, "Dose": ["high"] * N}},
    ],
    ids=["nothing", "a table", "NA", "one zero", "text"],
)
def test_without_doses_it_stands_at_the_largest_finite_value_of_the_drug(where, backend, tmp_path):
    values = DATA.profiles[MEASURE].where(DATA.experiments["treatmentid"] != "5-FU", np.inf)
    path = pset(tmp_path / "pset.rds", profiles={MEASURE: values.array}, **where)
    adata = read(path, backend=backend, summary="max")
    finite = values[np.isfinite(values)]
    largest = finite.groupby(DATA.experiments["treatmentid"]).max()
    for i in np.flatnonzero(np.isinf(values)):
        drug = DATA.experiments["treatmentid"].iloc[i]
        assert adata.X[at(adata, i)] == largest.get(drug, finite.max())
        assert adata.layers["censored"][at(adata, i)] == 1
    assert (adata["5-FU"].layers["censored"][np.isfinite(adata["5-FU"].X)] == 1).all()


def test_where_all_is_infinite_there_is_no_bound(tmp_path):
    path = pset(tmp_path / "pset.rds", profiles={MEASURE: [np.inf] * N})
    with pytest.raises(
        ValueError, match=r"has no bound for its 46 infinite values, as no value is"
    ):
        read(path)
    assert np.isinf(read(path, censored="keep").X).any()


@pytest.mark.parametrize(
    "kind, of_dose, side",
    [
        ("ln_ic50", np.log, 1),
        ("log10_ic50", np.log10, 1),
        ("log2_ic50", np.log2, 1),
        ("pic50", lambda dose: 6 - np.log10(dose), -1),
        ("gi50", np.asarray, 1),
    ],
)
def test_a_logarithm_stands_at_that_of_the_dose(kind, of_dose, side, tmp_path):
    values = np.where(INFINITE, side * np.inf, side * DATA.profiles[MEASURE])
    columns = {"mine": values, "ic50_published": [None] * N, MEASURE: [None] * N}
    path = pset(tmp_path / "pset.rds", profiles=columns, info={"max.Dose.uM": DOSE})
    adata = read(path, "mine", kind=kind)
    np.testing.assert_allclose(
        of_experiments(adata, adata.X), of_dose(DOSE[INFINITE & ALONE]), rtol=1e-15
    )
    assert (of_experiments(adata, adata.layers["censored"]) == side).all()


def test_a_measure_that_is_no_dose_stands_at_its_most_extreme_value(tmp_path):
    values = DATA.profiles["ic50_published"].to_numpy(copy=True)
    values[[0, 1]] = np.inf, -np.inf
    path = pset(tmp_path / "pset.rds", profiles={"mine": values}, info={"max.Dose.uM": DOSE})
    adata = read(path, "mine", higher_is="resistant", summary="last")
    for i, extreme in ((0, "max"), (1, "min")):
        same = (DATA.experiments["treatmentid"] == DATA.experiments["treatmentid"].iloc[i]).array
        own = values[same & np.isfinite(values)]
        assert adata.X[at(adata, i)] == getattr(own, extreme)()
        assert adata.layers["censored"][at(adata, i)] == (1 if extreme == "max" else -1)


def test_an_infinite_value_of_a_bounded_measure_is_out_of_range_and_not_censored(tmp_path):
    values = DATA.profiles["auc_published"].to_numpy(copy=True)
    values[0] = np.inf
    path = pset(tmp_path / "pset.rds", profiles={"auc_published": values})
    adata = read(path, "auc_published", summary="max")
    assert np.isinf(adata.X[at(adata, 0)])
    assert "censored" not in adata.layers
    assert read(path, "auc_published", summary="max", out_of_range="clip").X[at(adata, 0)] == 1


def test_finite_values_beyond_the_largest_dose_stay_and_are_counted(tmp_path):
    """Some fits extrapolate, and put what they find above those that find nothing."""
    path = pset(tmp_path / "pset.rds", info={"max.Dose.uM": [0.05] * N})
    adata = read(path)
    values = DATA.profiles[MEASURE].to_numpy()
    n = (np.isfinite(values) & (values > 0.05)).sum()
    assert n > 5
    said = f"{n} finite values of {MEASURE} lie beyond the largest dose of their experiment"
    assert said in adata.uns["pset"]["notes"][-1]
    assert (adata.X[adata.layers["censored"] == 0] > 0.05).sum() > 5


ZEROS = np.where(np.arange(N) % 9 == 4, 0.0, DATA.profiles["ic50_published"])


@pytest.mark.parametrize("where", ["nothing", "raw", "info"])
@pytest.mark.parametrize("generation", ["2016", "current"])
def test_a_zero_of_a_concentration_stands_at_the_smallest_dose_of_its_drug(
    where, generation, tmp_path
):
    least = DOSE / 10 if where == "info" else [np.nan] * N
    parts = {"info": {"min.Dose.uM": least}, "raw": doses(DOSE) if where == "raw" else None}
    path = pset(tmp_path / "pset.rds", generation, {MEASURE: ZEROS}, **parts)
    drug = DATA.experiments["treatmentid"].to_numpy()
    positive = pd.Series(ZEROS).where(ZEROS > 0).groupby(drug).min()
    positive = positive.fillna(positive.min())
    bound = pd.Series(DOSE / 10).groupby(drug).min() if where != "nothing" else positive
    adata, kept, left = (read(path, censored=c) for c in ("bound", "keep", "nan"))
    here = np.flatnonzero((ZEROS == 0) & ALONE)
    assert here.size
    for i in here:
        assert adata.X[at(adata, i)] == pytest.approx(bound[drug[i]], rel=1e-12)
        assert adata.layers["censored"][at(adata, i)] == -1
        assert kept.X[at(kept, i)] == 0
    assert np.nanmin(left.X) > 0
    assert (left.X > 0).sum() < (adata.X > 0).sum()
    rtdmf_bio.pp.log_concentrations(adata)
    with pytest.raises(ValueError, match=r"censored \(\d+ 0\)"):
        read(path, censored="error")


def test_a_zero_of_another_measure_is_a_value(tmp_path):
    values = np.where(np.arange(N) % 9 == 4, 0.0, DATA.profiles["auc_published"])
    path = pset(tmp_path / "pset.rds", profiles={"auc_published": values})
    assert "censored" not in read(path, "auc_published").layers


def test_the_unit_in_the_name_of_a_measure_is_that_of_its_bounds(tmp_path):
    values = 1000 * DATA.profiles[MEASURE].to_numpy()
    columns = {"ic50_nM": values}
    path = pset(tmp_path / "pset.rds", profiles=columns, info={"max.Dose.uM": DOSE})
    adata = read(path, "ic50_nM")
    assert adata.uns["measure"]["unit"] == "nM"
    here = INFINITE & ALONE
    np.testing.assert_allclose(of_experiments(adata, adata.X), 1000 * DOSE[here], rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["GDSCsmall_2016.rda", "GDSCsmall_TRE.rds", "CCLEsmall_current.rda"]
)
def test_logarithms_of_pharmacogx_own_ic50_can_be_taken(name, shared_data):
    adata = read(shared_data(f"psets/{name}"))
    assert (adata.layers["censored"] == -1).sum() == 2
    rtdmf_bio.pp.log_concentrations(adata)


# Policies


@pytest.mark.parametrize("out_of_range", ["keep", "nan", "clip"])
def test_infinite_values_follow_the_policy_whatever_is_out_of_range(out_of_range, tmp_path):
    """No IC50 is too large to be one."""
    path = pset(tmp_path / "pset.rds")
    kept, left_out, bound = (
        read(path, censored=policy, out_of_range=out_of_range, summary="max")
        for policy in ("keep", "nan", "bound")
    )
    here = bound.layers["censored"] == 1
    assert np.isinf(kept.X[here]).all()
    assert "censored" not in kept.layers
    assert "censored" not in left_out.layers
    assert np.isfinite(bound.X[here]).all()
    n = left_out.layers["n_replicates"].sum() + INFINITE.sum()
    assert bound.layers["n_replicates"].sum() == kept.layers["n_replicates"].sum() == n
    others = bound[:, kept.var_names].X[~here], kept.X[~here]
    np.testing.assert_array_equal(*others)
    assert {a.uns["pset"]["n_censored"] for a in (kept, left_out, bound)} == {INFINITE.sum()}
    with pytest.raises(
        ValueError, match=r"5 of \d+ values .* censored \(5 infinite\).*censored='bound' to take e"
    ):
        read(path, censored="error", out_of_range=out_of_range)
    with pytest.raises(ValueError, match="censored parameter must be one of"):
        read(path, censored="drop")


def test_of_text_keep_keeps_the_bounds_and_nan_leaves_them_out(tmp_path):
    text = np.where(INFINITE, ">5", "1")
    path = pset(tmp_path / "pset.rds", profiles={MEASURE: text})
    kept, left_out = (read(path, censored=policy) for policy in ("keep", "nan"))
    assert set(kept.X[kept.layers["censored"] == 1]) <= {5, 3}
    assert np.nanmax(left_out.X) == 1
    with pytest.raises(ValueError, match=r"\(5 bounds in text\)"):
        read(path, censored="error")


def test_where_nothing_is_censored_there_is_no_layer(tmp_path):
    path = pset(tmp_path / "pset.rds")
    adata = read(path, "auc_recomputed", layers=[MEASURE, "ic50_published"])
    assert set(adata.layers) - {None} == {
        "n_replicates",
        MEASURE,
        f"{MEASURE}_censored",
        "ic50_published",
    }
    assert adata.uns["pset"]["n_censored"] == 0
    alone = read(path)
    both = np.ix_(adata.obs_names.get_indexer(alone.obs_names), range(adata.n_vars))
    np.testing.assert_array_equal(adata.layers[MEASURE][both], alone.X)
    np.testing.assert_array_equal(
        adata.layers[f"{MEASURE}_censored"][both], alone.layers["censored"]
    )


def test_the_marks_survive_h5ad(tmp_path):
    adata = read(pset(tmp_path / "pset.rds"))
    rtdmf_bio.io.write_h5ad(adata, tmp_path / "x.h5ad")
    again = anndata.read_h5ad(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(again.layers["censored"], adata.layers["censored"])
    assert again.layers["censored"].dtype == np.int8


# Replicates


@pytest.mark.parametrize("how", SUMMARIES)
def test_a_summary_is_marked_where_the_true_values_could_move_it(how):
    """All replicates of up to four, of exact values and bounds, against values far beyond them."""
    entries = list(itertools.product([1.0, 2.0, 5.0], [-1, 0, 1]))
    for size in (1, 2, 3, 4) if how == "median" else (1, 2, 3):
        groups = list(itertools.product(entries, repeat=size))
        line = np.repeat(np.arange(len(groups)), size)
        value = np.array([value for group in groups for value, _ in group])
        side = np.array([side for group in groups for _, side in group], dtype=np.int8)
        shape, drug = (1, len(groups)), np.zeros(len(line), dtype=np.int64)
        stored = summarize(drug, line, value, shape, how)[0]
        above = summarize(drug, line, value + 1e6 * (side > 0), shape, how)[0] > stored
        below = summarize(drug, line, value - 1e6 * (side < 0), shape, how)[0] < stored
        expected = np.select([above & below, above, below], [0, 1, -1], 0)
        found = summarize_sides(drug, line, value, side, shape, how)
        np.testing.assert_array_equal(found, expected)


def test_the_median_of_replicates_is_that_of_their_bounds(backend, tmp_path):
    pairs = DATA.experiments.apply("|".join, axis=1)
    text = pd.Series(["1"] * N)
    entries = {"17-AAG|K562": ["0.5", "2", ">8", ">9"], "AZD 6482|22RV1": [">8", "4", "<1"]}
    for pair, values in entries.items():
        text[(pairs == pair).to_numpy()] = values
    adata = read(pset(tmp_path / "pset.rds", profiles={MEASURE: text.array}), backend=backend)
    for pair, expected in {"17-AAG|K562": (5, 1), "AZD 6482|22RV1": (4, 0)}.items():
        entry = adata[tuple(pair.split("|"))]
        assert (entry.X.item(), entry.layers["censored"].item()) == expected


def test_what_is_censored_tells_nothing_of_the_noise(tmp_path, monkeypatch):
    """Two at one bound are alike for no precision of theirs."""
    monkeypatch.setattr(repeats, "FEWEST", 1)
    values = DATA.profiles["ic50_published"].to_numpy()
    censored = (DATA.experiments == ["AZD 6482", "22RV1"]).all(axis=1).to_numpy()
    text = [">9" if far else str(x) for far, x in zip(censored, values, strict=True)]
    adata = read(pset(tmp_path / "pset.rds", profiles={MEASURE: text}))
    drug = adata.obs_names.get_indexer(DATA.experiments["treatmentid"])
    line = adata.var_names.get_indexer(DATA.experiments["sampleid"])
    here = (drug >= 0) & (line >= 0)
    exact = np.where(censored, np.nan, values)[here]
    expected = repeats.noise_of_summaries(exact, drug[here], line[here], adata.X, "median")
    np.testing.assert_allclose(adata.obs["replicate_sd"], expected, rtol=1e-12)


# Made cases


@pytest.mark.parametrize(
    "name, measure", [("pset_ic50_inf", MEASURE), ("pset_ic50_text", "ic50_published")]
)
def test_made_cases_have_bounds(name, measure, shared_data, backend):
    adata = read(shared_data(f"cases/{name}.rds"), measure, backend=backend)
    assert (adata.layers["censored"] == 1).sum() == adata.uns["pset"]["n_censored"] == 285
    assert not (adata.layers["censored"] < 0).any()
    bounds = adata.X[adata.layers["censored"] == 1]
    assert np.isfinite(bounds).all()
    if measure == "ic50_published":
        assert set(bounds) == {8}
