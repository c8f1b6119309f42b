"""The two named settings, and one check of every parameter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .checks import check_choice, check_number
from .device import DEVICES
from .factorization import INITS
from .loss import LOSSES
from .preparation import CENTERS
from .retention import RETAIN

# Each reason stands in the documentation of RTDMF; the figures behind it in benchmarks/.
PRESETS: dict[str, dict[str, Any]] = {
    "default": {
        "depth": 3,
        "width": "auto",
        "init": "spectral",
        "init_scale": 1.0,
        "loss": "mixture",
        "burn_in": 30,
        "optimizer": "accelerated",
        "learning_rate": "auto",
        "momentum": 0.9,
        "weight_decay": 1.0,
        "impute": "process",
        "impute_weight_decay": "auto",
        "early_stopping": False,
        "patience": 10,
        "refit": True,
        "crossfit": 5,
        "center": "two-way",
        "scale_power": 0.5,
        "max_iter": 1000,
        "tol": 5e-3,
        "retain": ("enriched", "shrink"),
        "retain_without_groups": ("shrink",),
        "specific_weight": 1.0,
    },
    "paper": {
        "depth": 5,
        "width": 500,
        "init": "gaussian",
        "init_scale": 1e-3,
        "loss": "squared",
        "burn_in": 0,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "impute": "low-rank",
        "impute_weight_decay": 0.0,
        "early_stopping": True,
        "patience": 2000,
        "refit": False,
        "crossfit": 0,
        "center": "none",
        "scale_power": 0.0,
        "max_iter": 50_000,
        "tol": 1e-3,
        "retain": ("enriched",),
        "retain_without_groups": ("abrupt",),
        "specific_weight": 1.0,
    },
}


@dataclass(frozen=True)
class Parameter:
    """What a parameter may be.

    A number, if there is a lowest one, whose type is that of the number, or one of the choices;
    without either True or False.
    """

    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float = math.inf
    above: bool = False  # the lowest number itself is not allowed

    def check(self, name: str, value: Any) -> None:
        """Refuse what it may not be."""
        if self.low is not None:
            check_number(name, value, self.low, self.high, above=self.above, named=self.choices)
        elif self.choices:
            check_choice(name, value, self.choices)
        elif not isinstance(value, bool):
            raise TypeError(f"The {name} parameter must be True or False. Got {value!r}.")


_AUTO = ("auto",)
_FDR = "fdr:"

PARAMETERS: dict[str, Parameter] = {
    "preset": Parameter(tuple(PRESETS)),
    "threshold": Parameter(_AUTO, 0.0),
    "retain": Parameter(RETAIN),  # one or several
    "specific_weight": Parameter((), 0.0, 1),
    "loss": Parameter(LOSSES),
    "depth": Parameter((), 2, 20),
    "width": Parameter(_AUTO, 1),
    "init": Parameter(INITS),
    "init_scale": Parameter((), 0.0, above=True),
    "optimizer": Parameter(("accelerated", "gd", "momentum", "adam", "adagrad")),
    "learning_rate": Parameter(_AUTO, 0.0, above=True),
    "momentum": Parameter((), 0.0, 0.9999),
    "weight_decay": Parameter(_AUTO, 0.0),
    "impute": Parameter(("process", "refined", "low-rank")),
    "impute_weight_decay": Parameter(_AUTO, 0.0),
    "early_stopping": Parameter(),
    "patience": Parameter((), 1),
    "refit": Parameter(),
    "crossfit": Parameter((), 0, 100),
    "center": Parameter(CENTERS),
    "scale_power": Parameter((), 0.0, 1),
    "max_iter": Parameter((), 1),
    "tol": Parameter((), 0.0, 1),
    "burn_in": Parameter((), 0),
    "validation_fraction": Parameter((), 0.0, 0.5, above=True),
    "coverage": Parameter((), 0.5, 0.999),
    "fdr": Parameter((), 0.0, 1, above=True),
    "min_group_size": Parameter((), 1),
    "group_missing": Parameter(("error", "ignore")),
    "infinite": Parameter(("error", "nan", "clip")),
    "extreme": Parameter(("error", "keep")),
    "unmeasured": Parameter(("error", "nan")),
    "max_missing": Parameter((), 0.0, 1),
    "device": Parameter(DEVICES),  # or a numbered one, such as cuda:1
    "dtype": Parameter(("float32", "float64")),
    "random_state": Parameter((), 0, 2**32 - 1),  # or what ``as_seed`` makes one of
    "progress": Parameter(),
}
# By _rules, and by pick_device, which looks at the machine.
_CHECKED_ELSEWHERE = ("retain", "device")


def resolve(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fill what is None from the preset, and check every value.

    Raises
    ------
    ValueError, TypeError
        Naming the parameter, what it must be and what was given.
    """
    PARAMETERS["preset"].check("preset", given["preset"])
    by_fdr = fdr_of(given["threshold"])
    preset = PRESETS[given["preset"]]
    out = {k: preset.get(k) if v is None else v for k, v in given.items()}
    for name, parameter in PARAMETERS.items():
        if name not in _CHECKED_ELSEWHERE and not (name == "threshold" and by_fdr is not None):
            parameter.check(name, out[name])
    out["retain"] = _rules(out["retain"])
    if given["retain"] is None:
        out["retain_without_groups"] = preset["retain_without_groups"]
    else:
        out["retain_without_groups"] = out["retain"]
    if out["width"] == "auto" and out["init"] != "spectral":
        raise ValueError(
            f"width='auto' starts from the data's own spectrum (init='spectral'). Got "
            f"init={out['init']!r}; give an integer width for a random start."
        )
    if out["crossfit"] == 1:
        raise ValueError(
            "The crossfit parameter is a number of folds, at least 2, or 0 for none. Got 1."
        )
    if out["threshold"] == 0 and out["loss"] in ("clip", "hard"):
        raise ValueError(
            f"loss={out['loss']!r} trains on what lies below the threshold, so that must be "
            f"greater than 0. Got 0; use loss='mixture' or 'squared' with it."
        )
    if out["width"] == "auto" and out["optimizer"] in ("adam", "adagrad"):
        raise ValueError(
            f"width='auto' needs optimizer 'accelerated', 'gd' or 'momentum', which keep the "
            f"chain balanced. Got {out['optimizer']!r}; give an integer width to use it."
        )
    return out


def fdr_of(threshold: Any) -> float | None:
    """The rate of a threshold such as ``"fdr:0.05"``; None for any other."""
    if not isinstance(threshold, str) or threshold == "auto":
        return None
    if not threshold.startswith(_FDR):
        raise TypeError(
            f"The threshold parameter must be a number of at least 0, 'auto', or a false discovery "
            f"rate such as 'fdr:0.05'. Got {threshold!r}."
        )
    try:
        rate = float(threshold.removeprefix(_FDR))
    except ValueError:
        rate = math.nan
    if not 0 < rate < 1:
        raise ValueError(
            f"The threshold parameter must be 'auto', a number, or a false discovery rate between "
            f"0 and 1, such as 'fdr:0.05'. Got {threshold!r}."
        )
    return rate


def check_names(given: Iterable[str], known: Iterable[str], who: str, takes: str) -> None:
    """Refuse parameters that nobody knows; ``who`` and ``takes`` begin the two sentences.

    Raises
    ------
    TypeError
        Naming them, and those that are known.
    """
    unknown = sorted(set(given) - set(known), key=str)
    if unknown:
        raise TypeError(f"{who} unknown parameter(s) {unknown}. It takes {takes}: {sorted(known)}.")


def _rules(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (str, tuple, list)):
        raise TypeError(f"The retain parameter must be one or several of {RETAIN}. Got {value!r}.")
    rules = (value,) if isinstance(value, str) else tuple(value)
    for rule in rules:
        check_choice("retain", rule, RETAIN)
    if not rules or ("none" in rules and len(rules) > 1):
        raise ValueError(
            f"The retain parameter must name at least one mode, and 'none' only alone. "
            f"Got {value!r}."
        )
    return rules
