"""Parameters: a wrong value is refused with its name, what it may be and what it was."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from anndata import AnnData

from rtdmf_bio import RTDMF, cli
from rtdmf_bio.model.retention import RETAIN
from rtdmf_bio.model.settings import PARAMETERS, Parameter, resolve

NAN, INF = np.nan, np.inf
NUMBERS = {name: rule for name, rule in PARAMETERS.items() if rule.low is not None}
CHOICES = {
    name: rule.choices
    for name, rule in PARAMETERS.items()
    if rule.choices and name not in {*NUMBERS, "retain", "device"}
}
SWITCHES = [name for name, rule in PARAMETERS.items() if rule == Parameter()]


def resolved(**given):
    return resolve({**RTDMF().get_params(), **given})


def test_the_table_has_every_parameter():
    """What stands in it alone, or is missing from it, is checked by nobody."""
    assert set(PARAMETERS) == set(RTDMF().get_params())
    assert {"early_stopping", "refit", "progress"} == set(SWITCHES)


@pytest.mark.parametrize("value", ["nonsense", "", 3, ["error"], True])
@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_must_be_one_of_those_listed(name, value):
    """The message names the parameter, what may be chosen and what was given."""
    with pytest.raises(
        ValueError, match=re.escape(f"The {name} parameter must be one of")
    ) as error:
        resolved(**{name: value})
    assert all(repr(choice) in str(error.value) for choice in CHOICES[name])
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("value", ["nonsense", [1], {}, True, 1j, "1"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_must_be_a_number(name, value):
    """A digit in quotes and a truth value are slips, not numbers."""
    with pytest.raises(TypeError, match=re.escape(f"The {name} parameter must be a")):
        resolved(**{name: value})


def outside():
    for name, rule in NUMBERS.items():
        kind, low, high = type(rule.low), rule.low, rule.high
        bad = [low - 1, NAN, INF, -INF] if kind is float else [low - 1]
        if rule.above:
            bad.append(low)
        if high != INF:
            bad.append(high + 1)
        for value in bad:
            yield pytest.param(name, kind(value) if kind is int else value, id=f"{name}={value}")


@pytest.mark.parametrize(("name", "value"), list(outside()))
def test_a_number_must_lie_within_its_bounds(name, value):
    with pytest.raises(ValueError, match=re.escape(f"The {name} parameter must be a")):
        resolved(**{name: value})


@pytest.mark.parametrize("value", [2.0, 2.5, np.float64(2)])
@pytest.mark.parametrize("name", [name for name, rule in NUMBERS.items() if type(rule.low) is int])
def test_a_count_must_be_an_integer(name, value):
    with pytest.raises(TypeError, match=re.escape(f"The {name} parameter must be an integer")):
        resolved(**{name: value})


@pytest.mark.parametrize("name", NUMBERS)
def test_bounds_themselves_and_named_values_are_allowed(name):
    """Or the message would forbid what it says is allowed."""
    rule = NUMBERS[name]
    kind, low, high = type(rule.low), rule.low, rule.high
    allowed = [*rule.choices, *([] if rule.above else [low])]
    allowed += [kind(high)] if high != INF else []
    for value in allowed or [kind(1)]:
        extra = {"init": "spectral", "optimizer": "gd"} if name == "width" else {}
        assert resolved(**{name: value}, **extra)[name] == value


@pytest.mark.parametrize("value", [1, 0, "True", "yes", []])
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_must_be_true_or_false(name, value):
    with pytest.raises(TypeError, match=re.escape(f"The {name} parameter must be True or False")):
        resolved(**{name: value})


@pytest.mark.parametrize(
    ("value", "error"),
    [("nonsense", ValueError), ((), ValueError), (("none", "all"), ValueError),
     (("all", 3), ValueError), (5, TypeError), (0.5, TypeError)],
)  # fmt: skip
def test_retain_must_name_rules(value, error):
    with pytest.raises(error, match="The retain parameter must"):
        resolved(retain=value)


@pytest.mark.parametrize("rule", RETAIN)
def test_retain_takes_one_rule_or_several(rule):
    for value in (rule, (rule,), [rule]):
        assert resolved(retain=value)["retain"] == (rule,)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"init": "gaussian"}, "width='auto' starts from the data's own spectrum"),
        ({"optimizer": "adam"}, "width='auto' needs optimizer"),
        ({"optimizer": "adagrad"}, "give an integer width"),
    ],
)
def test_combinations_that_cannot_work_are_refused(settings, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        resolved(**settings)


@pytest.mark.parametrize("value", ["a", -1, 1.5, [1, 2.5]])
def test_a_seed_must_be_a_seed(screen, value):
    """Like any other parameter: named, with what was given."""
    with pytest.raises((TypeError, ValueError), match="random_state"):
        RTDMF(random_state=value).fit(screen)


@pytest.mark.parametrize("loss", ["clip", "hard"])
def test_a_threshold_of_zero_cannot_train_a_loss_that_cuts_there(screen, loss):
    """Every residual is high, none trains, and L would be a matrix of zeros."""
    with pytest.raises(ValueError, match="threshold"):
        RTDMF(threshold=0, loss=loss).fit(screen)


@pytest.mark.parametrize("device", ["gpu", "", 3, None, "meta", "cpu:x", "cuda:nonsense"])
def test_a_device_must_be_one_that_is_known(screen, device):
    with pytest.raises(ValueError, match="device"):
        RTDMF(device=device).fit(screen)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a cuda device here")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_device_that_is_not_there_is_refused_with_the_remedy(screen, device):
    with pytest.raises(ValueError, match=r"torch finds none\. Use device='auto'"):
        RTDMF(device=device).fit(screen)
    assert RTDMF(device="auto").fit(screen).device_ == "cpu"


@pytest.fixture(scope="module")
def options():
    """Options of the command by the name they have in Python."""
    (commands,) = (action for action in cli._parser()._actions if action.dest == "command")
    return {action.dest: action for action in commands.choices["correct"]._actions}


def test_the_command_offers_what_the_table_allows(options):
    """It lists choices itself, for the table lies behind seconds of imports."""
    common = {name: options[name] for name in PARAMETERS.keys() & options.keys()}
    assert {"preset", "threshold", "retain", "device", "infinite"} <= set(common)
    for name, option in common.items():
        rule = PARAMETERS[name]
        if option.choices is not None:
            assert tuple(option.choices) == rule.choices, name
        elif rule.low is None:
            assert set(rule.choices) <= set(re.findall(r"[\w-]+", option.help)), name
        assert option.default == getattr(RTDMF(), name), name


def test_the_command_hands_on_each_option_under_its_own_name(options, monkeypatch, tmp_path):
    """But for --seed, which is random_state."""
    given = {}
    monkeypatch.setattr("rtdmf_bio.pp.correct", lambda _, **keywords: given.update(keywords))
    monkeypatch.setattr(cli, "_read", lambda _: AnnData(np.ones((1, 1))))
    monkeypatch.setattr("rtdmf_bio.io.write_h5ad", lambda *_, **__: None)
    said = {"preset": "paper", "threshold": "0.5", "retain": "none", "fdr": "0.5",
            "group_missing": "ignore", "infinite": "clip", "unmeasured": "nan",
            "extreme": "keep", "device": "cuda"}  # fmt: skip
    assert set(said) == PARAMETERS.keys() & options.keys()
    words = [
        word for name, value in said.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    args = ["in.h5ad", str(tmp_path / "out.h5ad"), "--seed", "7", "--quiet", *words]
    assert cli.main(["correct", *args]) == 0
    found = {name: given[name] for name in said}
    assert found == {**said, "threshold": 0.5, "retain": ["none"], "fdr": 0.5}
    assert given["random_state"] == 7
    assert PARAMETERS.keys() & given.keys() == {*said, "random_state", "progress"}


@pytest.mark.parametrize("name", [name for name, rule in PARAMETERS.items() if rule.choices])
def test_r_documents_every_choice(name):
    """In quotes, as they are typed."""
    text = (Path(cli.__file__).parents[1] / "r_bridge/rtdmfbio/R/control.R").read_text()
    blocks = re.findall(r"^#' @param ([\w,]+) (.*?)(?=^#' @)", text, re.M | re.S)
    (said,) = (said for names, said in blocks if name in names.split(","))
    assert [choice for choice in PARAMETERS[name].choices if f'`"{choice}"`' not in said] == []
