"""Names that resemble each other: what may be the same under two names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_CANDIDATES = 5
_ENOUGH, _LOOSE = 0.85, 0.5  # of difflib's ratio


def nearest(keys: Sequence[str], others: Sequence[str], *, loose: bool = False) -> list[int]:
    """Return the place in ``others`` of what each resembles most, -1 where nothing does.

    Both are in lower case, letters and digits only. What has other numbers is another drug or line
    (AZD6244 and AZD6482), however similar, unless that is ``loose``.
    """
    if not keys or not others:
        return [-1] * len(keys)
    alike = _shared_pairs(keys, others)
    few = min(_CANDIDATES, len(others))
    order = np.argpartition(-alike, few - 1, axis=1)[:, :few]
    out = []
    for key, row, scores in zip(keys, order, alike, strict=True):
        rated = [
            (score, -int(j))
            for j in row
            if scores[j] > 0 and (score := likeness(key, others[j], loose=loose))
        ]
        out.append(-max(rated)[1] if rated else -1)
    return out


def likeness(one: str, other: str, *, loose: bool = False) -> float:
    """Similarity from 0 to 1; 0 for what is too far apart."""
    if not one or not other:
        return 0.0
    numbers = [set(re.findall(r"\d+", text)) for text in (one, other)]
    if not loose and not (numbers[0] <= numbers[1] or numbers[0] >= numbers[1]):
        return 0.0
    ratio = difflib.SequenceMatcher(None, one, other).ratio()
    # One name goes on where the other ends, as that of a salt.
    short, long = sorted((one, other), key=len)
    if long.startswith(short) and len(short) > 3 and not short.isdecimal() and not loose:
        ratio = max(ratio, _ENOUGH)
    return ratio if ratio >= (_LOOSE if loose else _ENOUGH) else 0.0


def _shared_pairs(keys: Sequence[str], others: Sequence[str]) -> NDArray[np.float32]:
    """Share of the pairs of neighbouring letters that two names have in common."""
    pairs = [[f"^{text}"[k : k + 2] for k in range(len(text))] for text in (*keys, *others)]
    place = {pair: k for k, pair in enumerate(sorted({p for own in pairs for p in own}))}
    count = np.zeros((len(pairs), len(place)), dtype=np.float32)
    for row, own in zip(count, pairs, strict=True):
        for pair in own:
            row[place[pair]] = 1
    size = count.sum(axis=1)
    here, there = count[: len(keys)], count[len(keys) :]
    common = here @ there.T
    out: NDArray[np.float32] = common / np.maximum(
        size[: len(keys), None] + size[None, len(keys) :], 1
    )
    return out
