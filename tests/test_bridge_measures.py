"""What the values of a PharmacoSet are: by name, by what the user says, and against the values."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import r_bridge
from r_bridge._psets import measures
from rtdmf_bio._adata.measure import KINDS, as_measure

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made

MEASURE = "aac_published"


def read(path, measure=MEASURE, **kwargs):
    return r_bridge.read_pset(path, measure, **{"progress": False, **kwargs})


def response(sign=1, low=0.0, high=1.0, seed=3):
    """Values from low to high that rise with response, or fall."""
    area = made.truth().profiles["auc_published"]
    ranks = area.rank() + np.random.default_rng(seed).random(len(area))
    ranks = sign * (ranks - ranks.mean()) / (ranks.max() - ranks.min())
    return low + (high - low) * (ranks - ranks.min()) / (ranks.max() - ranks.min())


def write(path, name="made", generation="current", **columns):
    """Write a PharmacoSet of this name with these measures alone."""

    def edit(parts):
        if hasattr(parts, "slots"):
            parts.slots["annotation"]["name"] = [name]
        else:
            values = {key: np.asarray(column, dtype=float) for key, column in columns.items()}
            parts.profiles = pd.DataFrame(values, index=parts.profiles.index)

    return made.write(path, made.pset(generation, edit=edit))


@pytest.fixture
def pset(tmp_path):
    return lambda *args, **columns: write(tmp_path / "pset.rds", *args, **columns)


ic50 = made.truth().profiles["ic50_published"]


@pytest.mark.parametrize(
    "name, kind",
    [
        ("aac_published", "aac"),
        ("aac_recomputed_rtdmf", "aac"),
        ("auc_published", "aac"),
        ("AUC_recomputed", "aac"),
        ("ic50_recomputed", "ic50"),
        ("EC50", "ec50"),
        ("DSS", "dss"),
        ("GR_AOC", "gr_aoc"),
    ],
)
def test_a_name_of_pharmacogx_has_unit_direction_and_bounds_of_the_one_table(name, kind):
    expected = as_measure(kind, name)
    assert {"name": name, **measures.known(name)} == expected
    assert expected["unit"] == KINDS[kind].unit


@pytest.mark.parametrize("name", ["auc", "AUC", "HS", "aac_recomputed_flag"])
def test_a_name_of_several_meanings_or_none_says_nothing(name):
    """The area by its bare name is above the curve in some PharmacoSets, under it in others."""
    assert measures.known(name) == {}


def test_an_area_under_the_curve_named_as_that_above_it_is_refused(pset, backend):
    """By its values alone, whatever is to be done with those out of range."""
    path = pset(aac_published=response(-1, 1.3, 15.84))
    for policy in ("keep", "nan", "clip"):
        with pytest.raises(
            ValueError,
            match=r"pset.rds: 'aac_published' should lie within 0 to 1 \(fraction of full response"
            r"\), but \d+ of \d+ values \(all\) do not: they go from 1.3 to 15.84. It is another "
            r"measure than its name says. Say which: kind, such as 'auc_ctrp' or 'dss', or highe",
        ):
            read(path, out_of_range=policy, backend=backend)


def test_an_ic50_in_the_file_tells_the_direction_too(pset):
    path = pset(aac_published=response(-1, 0, 15.84), ic50_published=ic50)
    with pytest.raises(
        ValueError,
        match=r"0 to 1 .*, but \d+ of \d+ values \(9\d\.\d%\) do not: they go from 0 to 15.84; and "
        r"it should be higher where lines are more sensitive, but its rank correlation with "
        r"'ic50_published' over \d+ experiments is 0\.\d+\. .* such as 'auc_ctrp', or higher_is",
    ):
        read(path)


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("aac_published", response(1, 0, 92), "look like percentages.*such as 'aac_percent'"),
        ("aac_published", response(1, -3, 104), "look like percentages.*such as 'aac_percent'"),
        ("auc_recomputed", response(1, 0, 92), "look like percentages.*such as 'aac_percent'"),
        ("ic50_published", np.log(ic50), "above 0; they may be logarithms.*'ln_ic50' or 'log10"),
        ("aac_published", response(1, 0, 7.9), "such as 'auc_ctrp' or 'activity_area' or 'dss'"),
        ("aac_published", response(1, -3, 3), r"Say which: kind, or higher_is"),
    ],
    ids=[
        "percentages",
        "percentages and noise",
        "percentages by the old name",
        "logarithms",
        "activity area",
        "z-scores",
    ],
)
def test_what_the_values_can_be_is_said(name, values, message, pset):
    with pytest.raises(ValueError, match=message):
        read(pset(**{name: values}), name)


def test_a_few_values_outside_or_a_little_outside_contradict_nothing(pset):
    """Noise goes beyond bounds."""
    values = response(1, -0.05, 1.05).to_numpy(copy=True)
    known = np.flatnonzero(~np.isnan(values))
    values[known[:2]] = -1, 2
    adata = read(pset(aac_published=values))
    assert adata.uns["measure"] == as_measure("aac", MEASURE)
    found = adata.uns["pset"]
    assert (found["n_below"], found["n_above"]) == ((values < 0).sum(), (values > 1).sum())
    assert np.nanmax(adata.X) == 2


def test_who_says_the_direction_is_believed_and_nothing_else_is_said(pset):
    path = pset(aac_published=response(-1, 1.3, 15.84), ic50_published=ic50)
    for policy in ("keep", "nan", "clip"):
        adata = read(path, higher_is="resistant", out_of_range=policy)
        assert adata.uns["measure"] == {"name": MEASURE, "higher_is": "resistant"}
        assert np.nanmax(adata.X) == 15.84
        (note,) = adata.uns["pset"]["notes"]
        assert note.endswith("from 1.3 to 15.84; nothing is said of it but what was passed")
    adata = read(path, higher_is="resistant", unit="AUC")
    assert adata.uns["measure"] == {"name": MEASURE, "higher_is": "resistant", "unit": "AUC"}
    with pytest.raises(ValueError, match="Say which: kind"):  # Is the direction as by the name?
        read(path, unit="AUC")


def test_another_direction_or_unit_than_that_of_the_name_is_of_another_measure(pset):
    path = pset(aac_published=response(-1), ic50_published=ic50)
    with pytest.raises(ValueError, match=r"is 0.\d+. Say what holds: kind='auc', or higher_is="):
        read(path)
    assert read(path, higher_is="resistant").uns["measure"] == {
        "name": MEASURE,
        "higher_is": "resistant",
    }
    assert read(path, kind="auc").uns["measure"] == as_measure("auc", MEASURE)
    path = pset(aac_published=response(), ic50_published=ic50)
    assert read(path, unit="share").uns["measure"] == {
        "name": MEASURE,
        "higher_is": "sensitive",
        "unit": "share",
    }
    same = {"unit": KINDS["aac"].unit, "higher_is": "sensitive"}
    assert read(path, **same).uns["measure"] == as_measure("aac", MEASURE)


def test_a_kind_says_all_and_is_checked_like_a_name(pset):
    path = pset(aac_published=response(1, 0, 92), ic50_published=ic50, HS=response())
    assert read(path, kind="aac_percent").uns["measure"] == as_measure("aac_percent", MEASURE)
    assert read(path, "HS", kind="aac").uns["measure"] == as_measure("aac", "HS")
    with pytest.raises(
        ValueError, match=r"lie within 0 to 50 \(drug .* It is no 'dss'. Pass the k"
    ):
        read(path, kind="dss")
    with pytest.raises(ValueError, match=r"more resistant, but .*It is no 'auc_percent'"):
        read(path, kind="auc_percent")
    with pytest.raises(ValueError, match=r"kind parameter must be one of .*'dss'.*Got 'DSS2'"):
        read(path, kind="DSS2")
    with pytest.raises(ValueError, match=r"kind='dss' says direction and unit. Leave"):
        read(path, kind="dss", higher_is="sensitive")
    with pytest.raises(
        ValueError, match=r"'HS' is not known. Say what it is: kind, one of \['auc'"
    ):
        read(path, "HS")


@pytest.mark.parametrize(
    "name, columns, right",
    [
        ("FIMM", {MEASURE: response(1, 0, 45), "ic50_recomputed": ic50}, True),
        ("PSet_FIMM2016", {MEASURE: response(1, 0, 45), "aac_recomputed": response()}, True),
        ("GDSC", {MEASURE: response(1, 0, 45), "ic50_recomputed": ic50}, False),
        ("FIMM", {MEASURE: response(1, 0, 80), "ic50_recomputed": ic50}, False),
        ("FIMM", {MEASURE: response(-1, 0, 45), "ic50_recomputed": ic50}, False),
        ("FIMM", {MEASURE: response(1, 0, 45)}, False),
        ("FIMM", {"aac_recomputed": response(1, 0, 45), "ic50_recomputed": ic50}, False),
    ],
    ids=["", "other spelling", "study", "range", "direction", "no witness", "measure"],
)
def test_the_score_of_fimm_is_known_by_study_name_range_and_direction(name, columns, right, pset):
    """FIMM published its DSS, PharmacoGx calls it aac_published."""
    path = pset(name, **columns)
    measure = next(iter(columns))
    if not right:
        with pytest.raises(ValueError, match=f"{measure!r} should"):
            read(path, measure)
        return
    adata = read(path)
    assert adata.uns["measure"] == as_measure("dss", MEASURE)
    assert adata.uns["pset"]["notes"] == [
        f"aac_published of {name} is a drug sensitivity score, not what its name says"
    ]
    other = next(key for key in columns if key != MEASURE)
    assert read(path, other, layers=[MEASURE]).uns["layer_measures"][MEASURE]["kind"] == "dss"


def test_of_a_further_measure_that_contradicts_its_name_nothing_is_said(pset):
    """It is no reason to refuse the one that was asked for."""
    columns = {
        "aac_recomputed": response(),
        MEASURE: response(1, 0, 92),
        "ic50_published": ic50,
        "auc_recomputed": response(-1),
    }
    adata = read(pset(**columns), "aac_recomputed", layers=list(columns))
    assert adata.uns["measure"]["kind"] == "aac"
    assert adata.uns["layer_measures"] == {
        "aac_recomputed": as_measure("aac", "aac_recomputed"),
        MEASURE: {"name": MEASURE},
        "ic50_published": as_measure("ic50", "ic50_published"),
        "auc_recomputed": {"name": "auc_recomputed"},
    }
    one, other = adata.uns["pset"]["notes"]
    assert one.startswith("aac_published should lie within 0 to 1")
    assert other.startswith("auc_recomputed should be higher where lines are more sensitive")


def test_a_written_measure_keeps_its_kind(pset, needs_r, tmp_path):
    adata = read(pset(aac_published=response(1, 0, 92)), kind="aac_percent")
    adata.layers["rtdmf"] = adata.X / 2
    r_bridge.write_pset(adata, tmp_path / "pset.rds", tmp_path / "out.rds", progress=False)
    for backend in ("r", "rdata"):
        again = read(tmp_path / "out.rds", "aac_published_rtdmf", backend=backend)
        assert again.uns["measure"] == as_measure("aac_percent", "aac_published_rtdmf")


@pytest.mark.parametrize("name", ["pset_auc_named_aac", "pset_auc_named_aac_ic50"])
def test_made_cases_of_a_wrong_name_are_refused(name, shared_data, backend):
    path = shared_data(f"cases/{name}.rds")
    with pytest.raises(ValueError, match=r"839 of 839 values \(all\) do not.*1.285 to 15.84"):
        read(path, backend=backend)
    assert read(path, kind="auc_ctrp").uns["measure"]["higher_is"] == "resistant"


def test_fimm_itself_is_read_as_what_it_is(shared_data, backend):
    adata = read(shared_data("psets/FIMM_2016.rds"), backend=backend, layers=["aac_recomputed"])
    assert adata.uns["measure"] == as_measure("dss", MEASURE)
    assert np.nanmax(adata.X) == 44.82
    assert adata.uns["layer_measures"]["aac_recomputed"]["kind"] == "aac"
    assert read(shared_data("psets/FIMM_2016.rds"), None).uns["measure"]["kind"] == "aac"
