"""Residual thresholding: how much of each residual is kept.

    R = D - L,   high = |R| >= eta,   corrected = B + w (D - B)

| symbol | variable      | shape   | meaning                                        |
|--------|---------------|---------|------------------------------------------------|
| D      | ``data``      | (n, p)  | measured matrix                                |
| L      | ``low_rank``  | (n, p)  | general part plus chain                        |
| eta    | ``threshold`` | scalar  | in the data's units                            |
| w      | ``weight``    | (n, p)  | share kept, in [0, 1]                          |
| B      | base          | (n, p)  | L; with ``shrink`` the prediction P            |

| rule     | w                                                      | |corrected - D| <= eta |
|----------|--------------------------------------------------------|------------------------|
| all      | 1 where high, else 0                                   | yes                    |
| enriched | 1 where high and in an enriched group, else 0          | no                     |
| abrupt   | 1 where high and the fit jumped in one iteration       | no                     |
| soft     | (|R| - eta) / |R| where high, else 0                   | yes                    |
| shrink   | what the noise of the drug leaves (weights.py); it     | no                     |
|          | retains what is high and more than noise               |                        |
| none     | 0                                                      | no                     |

Rules compose: an entry keeps the largest weight any of them gives it.
Source: Hu et al. 2025, RT-DMF steps (ii) and (iii); ``soft`` is the published code's clamp of
the prediction to D +- eta; ``shrink`` is ours.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

RETAIN = ("all", "enriched", "abrupt", "soft", "shrink", "none")
ABRUPT = 4.0  # a change this many times the iteration's root mean square change is abrupt


class Flag(enum.IntEnum):
    """What was done to an entry: 0 where not measured. Files hold these numbers."""

    IMPUTED = 0
    CORRECTED = 1
    NOT_RETAINED = 2
    RETAINED = 3


HIGH = (Flag.NOT_RETAINED, Flag.RETAINED)  # flags of high residuals
RETAINED = (Flag.RETAINED,)  # those of them that were retained

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass
class Retention:
    """Weight of each residual (0 where not measured), and which high residuals are retained."""

    weight: Array
    retained: Mask


def retain(
    rules: tuple[str, ...],
    residual: Array,
    high: Mask,
    threshold: float,
    *,
    enriched: Mask | None = None,
    jump: Array | None = None,
    significant: Mask | None = None,
    reliability: Array | None = None,
) -> Retention:
    """Combine the weights of ``rules``.

    A high residual counts as retained when a rule keeps it on purpose: ``all`` and ``soft``
    every one, the others those they select.

    Parameters
    ----------
    rules
        Names from ``RETAIN``.
    residual
        D - L, NaN where not measured, shape (n, p).
    high
        Which residuals are high, shape (n, p).
    threshold
        eta, in the units of ``residual``.
    enriched, jump
        What the rules of that name need, each of shape (n, p).
    significant, reliability
        What ``shrink`` needs: which residuals are more than noise, and the share of D - B that is
        kept, each of shape (n, p).
    """
    size = np.abs(np.nan_to_num(residual))
    weight = np.zeros(residual.shape)
    retained = np.zeros(residual.shape, dtype=bool)
    for rule in rules:
        if rule == "all":
            keep, w = high, high.astype(float)
        elif rule == "soft":
            keep = high
            w = np.where(high, np.maximum(1 - threshold / np.where(size > 0, size, 1.0), 0.0), 0.0)
        elif rule == "enriched":
            keep = high & _needed(enriched, rule)
            w = keep.astype(float)
        elif rule == "abrupt":
            keep = high & (_needed(jump, rule) >= ABRUPT)
            w = keep.astype(float)
        elif rule == "shrink":
            keep = high & _needed(significant, rule)
            # However far out, no single entry says that it is free of noise.
            w = np.where(np.isfinite(residual), _needed(reliability, rule), 0)
        else:  # "none"
            continue
        weight = np.maximum(weight, w)
        retained |= keep
    return Retention(weight, retained)


def _needed(given: NDArray[Any] | None, rule: str) -> NDArray[Any]:
    if given is None:
        raise ValueError(f"retain={rule!r} was asked for without what it judges by.")
    return given


def within_bounds(values: Array, data: Array, censored: NDArray[np.int8] | None) -> Array:
    """Values, none on the side of a bound that it rules out.

    Parameters
    ----------
    values, data
        (n, p); ``data`` may be NaN.
    censored
        1 where the true value is at or above ``data``, -1 where at or below, (n, p); None: nowhere.
    """
    if censored is None:
        return values
    values = np.where(censored > 0, np.fmax(values, data), values)
    return np.where(censored < 0, np.fmin(values, data), values)


def is_measured(flag: ArrayLike) -> Mask:
    """Entries that were measured."""
    return np.asarray(flag) > Flag.IMPUTED


def is_high(flag: ArrayLike) -> Mask:
    """Entries whose residual is high."""
    return np.isin(flag, HIGH)


def is_retained(flag: ArrayLike) -> Mask:
    """Entries whose high residual was retained."""
    return np.isin(flag, RETAINED)


def flags(observed: Mask, high: Mask, retained: Mask) -> NDArray[np.int8]:
    """0 imputed, 1 measured and corrected, 2 high residual not retained, 3 high retained."""
    out = np.where(observed, Flag.CORRECTED, Flag.IMPUTED)
    out = np.where(high, Flag.NOT_RETAINED, out)
    return np.where(high & retained, Flag.RETAINED, out).astype(np.int8)
