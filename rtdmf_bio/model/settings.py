"""The two named settings, and one check of every parameter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from .checks import check_choice
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
        "impute": "refined",
        "impute_weight_decay": "auto",
        "early_stopping": False,
        "patience": 10,
        "refit": True,
        "center": "two-way",
        "scale_power": 0.5,
        "max_iter": 1000,
        "tol": 5e-3,
        "retain": ("enriched", "shrink"),
        "retain_without_groups": ("shrink",),
        "specific_weight": 0.7,
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
        "center": "none",
        "scale_power": 0.0,
        "max_iter": 50_000,
        "tol": 1e-3,
        "retain": ("enriched",),
        "retain_without_groups": ("abrupt",),
        "specific_weight": 1.0,
    },
}

OPTIMIZERS = ("accelerated", "gd", "momentum", "adam", "adagrad")
DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("float32", "float64")

_CHOICES: dict[str, tuple[str, ...]] = {
    "preset": tuple(PRESETS),
    "init": INITS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "impute": ("refined", "low-rank"),
    "center": CENTERS,
    "group_missing": ("error", "ignore"),
    "infinite": ("error", "nan", "clip"),
    "unmeasured": ("error", "nan"),
    "dtype": DTYPES,
}
# name: (kind, lower bound, lower bound allowed, upper bound, named values besides a number)
_NUMBERS: dict[str, tuple[type, float, bool, float, tuple[str, ...]]] = {
    "threshold": (float, 0, True, math.inf, ("auto",)),
    "specific_weight": (float, 0, True, 1, ()),
    "depth": (int, 2, True, 20, ()),
    "width": (int, 1, True, math.inf, ("auto",)),
    "init_scale": (float, 0, False, math.inf, ()),
    "burn_in": (int, 0, True, math.inf, ()),
    "learning_rate": (float, 0, False, math.inf, ("auto",)),
    "momentum": (float, 0, True, 0.9999, ()),
    "weight_decay": (float, 0, True, math.inf, ("auto",)),
    "impute_weight_decay": (float, 0, True, math.inf, ("auto",)),
    "patience": (int, 1, True, math.inf, ()),
    "scale_power": (float, 0, True, 1, ()),
    "max_iter": (int, 1, True, math.inf, ()),
    "tol": (float, 0, True, 1, ()),
    "validation_fraction": (float, 0, False, 0.5, ()),
    "fdr": (float, 0, False, 1, ()),
    "min_group_size": (int, 1, True, math.inf, ()),
    "max_missing": (float, 0, True, 1, ()),
    "random_state": (int, 0, True, 2**32 - 1, ()),  # or what ``as_seed`` makes one of
}
_FLAGS = ("early_stopping", "refit", "progress")


def resolve(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fill what is None from the preset, and check every value.

    Raises
    ------
    ValueError, TypeError
        Naming the parameter, what it must be and what was given.
    """
    check_choice("preset", given["preset"], _CHOICES["preset"])
    preset = PRESETS[given["preset"]]
    out = {k: preset.get(k) if v is None else v for k, v in given.items()}
    for name, allowed in _CHOICES.items():
        check_choice(name, out[name], allowed)
    for name in _NUMBERS:
        _check_number(name, out[name])
    for name in _FLAGS:
        if not isinstance(out[name], bool):
            raise TypeError(f"The {name} parameter must be True or False. Got {out[name]!r}.")
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


def _check_number(name: str, value: Any) -> None:
    kind, low, closed, high, named = _NUMBERS[name]
    if isinstance(value, str) and value in named:
        return
    bound = "at least" if closed else "greater than"
    wanted = f"{'an integer' if kind is int else 'a number'} {bound} {low}"
    wanted += "" if high == math.inf else f" and at most {high}"
    wanted += f", or one of {list(named)}" if named else ""
    message = f"The {name} parameter must be {wanted}. Got {value!r}."
    if isinstance(value, bool) or not hasattr(value, "__index__" if kind is int else "__float__"):
        raise TypeError(message)
    number = float(value)
    if not (number >= low if closed else number > low) or not number <= high or number == math.inf:
        raise ValueError(message)
