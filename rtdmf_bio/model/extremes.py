"""Values that no experiment gives: codes for "not measured", slips of a unit, single errors.

    r_ij = |D_ij - m_i| / max(s_i, s)

| symbol | variable      | shape  | meaning                                                        |
|--------|---------------|--------|----------------------------------------------------------------|
| D      | ``data``      | (n, p) | measurements, NaN where not measured                           |
| m, s_i | ``middle``,   | (k, 1) | median of a drug, and its median absolute deviation as a       |
|        | ``spread``    |        | standard deviation; of few measurements, those of the screen   |
| s      | ``screen``    | scalar | the same of the screen, or what the middle nine tenths say,    |
|        |               |        | whichever is more, since most drugs may do nothing             |
| r      | ``distance``  | (k, p) | robust spreads that an entry lies from its drug                |

Refused are, each with names and the remedy,

- a value that several entries have, apart from all others (by ``_GAP`` spreads, less where it is
  written like a code, such as -999, and more where few have it, which may be tied hits). Not 0
  where nothing is negative, nor what nearly all of a few drugs or lines have: those may kill all.
  A negative code is one at any distance, where all else is not negative;
- drugs or lines of another size than all others, as where a unit slipped (``_LARGE``, ``_SMALL``);
- entries beyond ``_IMPOSSIBLE`` spreads, if the next lies nearer by a factor of ``_APART``. Heavy
  tails go on: with Student's t of two degrees of freedom the farthest of 50,000 lies 60 to 200
  spreads off, but one in 600 such screens has a gap as wide.

What lies beyond ``FAR`` fits do not see, but the median of the drug in its place: in least squares
one entry of 1e6 moves a whole screen, by some hundred times the noise. In published screens nothing
lies as far out: up to 22 spreads are found in ln IC50 of curves that were extrapolated, up to 10 in
all others.

Where refusal is waived, fits do not see what would have been refused (:func:`harmless`): codes are
not measured to them, and drugs or lines of another size they see times a power of ten.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FAR = 25.0  # spreads
# As in mixture.py, which needs torch: a matrix is looked at before that is loaded.
_NORMAL_MAD = 1.4826
_IMPOSSIBLE, _APART = 50.0, 25.0
_GAP, _GAP_OF_CODES = 10.0, 3.0  # spreads; of a code that stands alone, the former
_MOST_CODES = 5  # to either end
_MOSTLY = 0.8  # of the entries of a value: in so few drugs, or lines, that it is theirs
_CERTAIN = 999.0  # a code of this size is one in a single drug, too
_LARGE, _SMALL = 50.0, 1 / 300  # of the typical size
_BETWEEN = 10.0  # nothing else lies within this factor of theirs
_UNLIKE = 10.0  # spreads of the logarithm of sizes, to be too small
_SIZE_OFF_ZERO = 0.25  # of its size: what nine tenths of a too small drug's entries reach
_MOST_UNLIKE = 0.1  # of the drugs, or lines
_SIZE = 0.9  # of the entries of a drug are at most its size
_FEWEST = 8  # measurements that a median is of
_SAMPLE = 1_000_000  # entries that tell the spread of a screen
_SOME = 400  # drugs, or lines, that tell the typical size
_SHOWN = 3
_NORMAL_Q95 = 1.645

_NINES = [10.0**k - 1 for k in range(1, 8)]
_CODES = frozenset(
    [
        *(-1.0, -77.0, -88.0, -100.0, -888.0, 255.0, 32767.0, -32768.0, 2.0**31 - 1),
        *(sign * nines for nines in _NINES for sign in (1, -1)),
    ]
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Names = Sequence[Any] | None


def check_extremes(data: Array, drugs: Names = None, lines: Names = None) -> None:
    """Refuse values that are no measurements.

    Parameters
    ----------
    data
        (n drugs, p lines), NaN where not measured; infinite entries are passed over.
    drugs, lines
        Their names, for the message.

    Raises
    ------
    ValueError
        Naming values, drugs and lines, and how to set them missing.
    """
    if np.isinf(data).any():
        data = np.where(np.isinf(data), np.nan, data)
    with np.errstate(over="ignore", invalid="ignore"):
        found, odd = _codes_and_sizes(data)
        if found:
            raise ValueError(_said_of_codes(found, data, drugs, lines))
        for one, what, names in zip(odd, ("drug", "cell line"), (drugs, lines), strict=True):
            if one is not None:
                raise ValueError(_said_of_sizes(one, what, names))
        single = _impossible(data)
        if single is not None:
            raise ValueError(_said_of_entries(*single, data, drugs, lines))


def _codes_and_sizes(data: Array) -> tuple[list[Code], tuple[Unlike | None, Unlike | None]]:
    """Codes, and drugs and lines of another size."""
    odd = (unlike(data), unlike(data.T))
    inside = np.zeros(data.shape, dtype=bool)
    for matrix, one in zip((inside, inside.T), odd, strict=True):
        if one is not None:
            matrix[one.at] = True
    # A cap of a drug in another unit is no code.
    found = [code for code in codes(data) if code.written or (data[~inside] == code.value).any()]
    return found, odd


@dataclass
class Harmless:
    """A matrix without what :func:`check_extremes` refuses as codes or for its size."""

    data: Array  # as fits may see it, (n, p)
    hidden: Mask | None  # where this is something else than there is; None: nowhere
    unit: Array | None  # (n, p), what such a drug or line was divided by, 1 elsewhere


def harmless(data: Array) -> Harmless:
    """Hide from fits what would have been refused, but for single entries (:func:`seen_by_fits`).

    Codes are set missing. Drugs and lines of another size are divided by the power of ten that
    comes nearest to how much larger they are: of a slipped unit the truth is left, and of anything
    else nothing that is larger than what there is. Of a drug, or line, that has nothing but codes
    fits see the median of the screen.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        found, _ = _codes_and_sizes(data)
        coded = np.isin(data, [code.value for code in found])
        seen = np.where(coded, np.nan, data) if found else data
        unit = np.ones(data.shape)
        for turn in (False, True):
            matrix, by = (seen.T, unit.T) if turn else (seen, unit)
            odd = unlike(matrix)
            if odd is not None and (odd.sizes > 0).all():
                by[odd.at] *= 10.0 ** np.rint(np.log10(odd.sizes / odd.typical))[:, None]
                seen = data / unit
                seen[coded] = np.nan
    scaled = (unit != 1).any()
    if not found and not scaled:
        return Harmless(data, None, None)
    if found:
        left = np.isfinite(seen)
        none = coded & ~(np.any(left, axis=1, keepdims=True) & np.any(left, axis=0, keepdims=True))
        seen[none] = np.nanmedian(seen)
    hidden = coded | ((unit != 1) & np.isfinite(data))
    return Harmless(seen, hidden, unit if scaled else None)


def as_fitted(data: Array, *, keep: bool) -> Harmless:
    """What fits see of ``data``; with ``keep``, also in place of what was not refused."""
    plain = harmless(data) if keep else Harmless(data, None, None)
    seen, hidden = seen_by_fits(plain.data)
    if plain.hidden is not None:
        hidden = plain.hidden if hidden is None else hidden | plain.hidden
    return Harmless(seen, hidden, plain.unit)


def seen_by_fits(data: Array) -> tuple[Array, Mask | None]:
    """What fits see of ``data``, and where that is something else than there is.

    Returns
    -------
    The matrix with the drug's median for entries beyond ``FAR`` spreads of drug and screen, (n, p),
    and where these are; ``data`` itself and None if there are none.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        far = _Distances.of(data)
        beyond = far.distance > FAR
    if not beyond.any():
        return data, None
    out, mask = data.copy(), np.zeros(data.shape, dtype=bool)
    out[far.rows] = np.where(beyond, far.middle, data[far.rows])
    mask[far.rows] = beyond
    return out, mask


@dataclass
class Code:
    """A value that several entries have, or that is written like a code."""

    value: float
    count: int
    next: float  # value that comes nearest

    @property
    def written(self) -> bool:
        """Whether it is written like a code, such as -999."""
        return self.value in _CODES

    @property
    def gap(self) -> float:
        """Spreads that it must lie apart by; two or three hits may be tied."""
        if self.written:
            return _GAP_OF_CODES if self.count > 1 else _GAP
        return _GAP if self.count >= _FEWEST else _IMPOSSIBLE


def codes(data: Array) -> list[Code]:
    """Values at either end that lie apart from all others, the farthest last."""
    known = data[np.isfinite(data)]
    if known.size < 2 * _FEWEST:
        return []
    ends = {side: _ends(known, side) for side in (-1, 1)}
    taken = [value for end in ends.values() for value, _ in end.candidates]
    sample = _sample(known)
    rest = sample[~np.isin(sample, taken)]
    spread = _spread(rest)[1] if rest.size >= _FEWEST else 0.0
    if not spread > 0:
        return []
    matrix = np.atleast_2d(data)
    # Of whole numbers most are among those taken out.
    whole = float(np.median(np.abs(sample - np.median(sample))))
    spread = max(spread, _NORMAL_MAD * whole)
    found = []
    for end in ends.values():
        inner, apart = end.inner, False
        for value, count in reversed(end.candidates):
            code = Code(value, count, inner)
            off = abs(value - inner)
            near = code.written and value < 0 <= inner and _in_several(matrix == value)
            apart = apart or off >= code.gap * spread or near
            if apart and not _measured(code, matrix, inner):
                found.append(Code(value, count, end.inner))
            else:
                inner, apart = value, False
                end.inner = value
    return found


def _measured(code: Code, data: Array, inner: float) -> bool:
    """Whether a value apart from others may be a measurement all the same."""
    if code.value == 0 < inner:
        return True
    if code.written and abs(code.value) >= _CERTAIN:
        return False
    return _of_few(data == code.value, code.count)


def _of_few(at: Mask, count: int) -> bool:
    """Whether nearly all lie in one drug or line, or in a few that each have several."""
    for by in (at.sum(1), at.sum(0)):
        few = max(1, min(int(_MOST_UNLIKE * by.size), count // _FEWEST))
        if np.sort(by)[-few:].sum() >= _MOSTLY * count:
            return True
    return False


def _in_several(at: Mask) -> bool:
    """Whether there are some in more than one drug, and in more than one line."""
    return bool(at.any(1).sum() > 1 and at.any(0).sum() > 1)


@dataclass
class _End:
    candidates: list[tuple[float, int]]  # value and count, from the end inwards
    inner: float  # next to them


def _ends(known: Array, side: int) -> _End:
    """The values at one end, as far as they repeat or are written like codes."""
    pick, start = (np.max, -math.inf) if side > 0 else (np.min, math.inf)
    value = float(pick(known))
    candidates: list[tuple[float, int]] = []
    while math.isfinite(value):
        count = int((known == value).sum())
        if len(candidates) == _MOST_CODES or not (count > 1 or value in _CODES):
            return _End(candidates, value)
        candidates.append((value, count))
        inside = known < value if side > 0 else known > value
        value = float(pick(known, where=inside, initial=start))
    # They are all there is.
    return _End([], candidates[-1][0])


@dataclass
class Unlike:
    """Drugs, or lines, that are of another size than all others."""

    at: NDArray[np.intp]
    sizes: Array
    typical: float


def unlike(data: Array) -> Unlike | None:
    """Find rows of another size than all others; None: there are none."""
    size = np.abs(data)
    n = np.isfinite(data).sum(1)
    rows = np.flatnonzero(n)
    if rows.size < _FEWEST:
        return None
    some = rows[np.linspace(0, rows.size - 1, min(rows.size, _SOME)).astype(int)]
    sizes = np.array([_size(size[i]) for i in some])
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return None
    typical = float(np.median(sizes))
    vary = _NORMAL_MAD * float(np.median(np.abs(np.log(sizes / typical))))

    def reach(limit: float) -> Mask:
        """Whose size is at least so much."""
        most = n - np.floor(_SIZE * (n - 1)).astype(np.intp)
        return np.asarray((n > 0) & ((size >= limit).sum(1) >= most))

    def said(at: NDArray[np.intp]) -> Unlike:
        return Unlike(at, np.array([_size(size[i]) for i in at]), typical)

    large = np.flatnonzero(reach(_LARGE * typical))
    most = max(1, int(_MOST_UNLIKE * rows.size))
    if 0 < large.size <= most:
        odd = said(large)
        if reach(float(odd.sizes.min()) / _BETWEEN).sum() == large.size:
            return odd
    small = np.flatnonzero((n > 0) & ~reach(_SMALL * typical))
    if 0 < small.size <= most:
        odd = said(small)
        end = float(odd.sizes.max())
        # Where sizes vary anyway one may be small, and of a drug that does nothing, or kills all,
        # there is noise about zero; values in another unit lie off zero as those of others do.
        certain = all(_SIZE_OFF_ZERO * _size(size[i]) <= _size(size[i], 1 - _SIZE) for i in odd.at)
        certain &= int(n[odd.at].min()) >= _FEWEST and 0 < end * math.exp(_UNLIKE * vary) <= typical
        if certain and reach(_BETWEEN * end).sum() == rows.size - small.size:
            return odd
    return None


def _size(row: Array, share: float = _SIZE) -> float:
    """What this share of the absolute values do not exceed; no single one decides."""
    known = np.sort(row[np.isfinite(row)])
    return float(known[int(share * (known.size - 1))]) if known.size else 0.0


@dataclass
class _Distances:
    """How far entries lie from their drug, of drugs in which any may lie far."""

    rows: NDArray[np.intp]
    middle: Array
    spread: Array
    distance: Array
    others: float  # in the other drugs, at most

    @classmethod
    def of(cls, data: Array) -> _Distances:
        middle, screen = _spread(_sample(data[np.isfinite(data)]))
        low, high = np.fmin.reduce(data, axis=1), np.fmax.reduce(data, axis=1)
        few = np.isfinite(data).sum(1) < _FEWEST
        # Of so few measurements most may be wrong.
        reach = np.where(few, np.maximum(high - middle, middle - low), high - low)
        some = reach > FAR * screen if screen > 0 else np.zeros(len(data), dtype=bool)
        rows = np.flatnonzero(some)
        others = float(np.max(reach[~some], initial=0.0, where=np.isfinite(reach[~some])))
        own = np.array([[middle, screen] if few[i] else _middle(data[i], screen) for i in rows])
        own = own.reshape(-1, 2)
        centre, spread = own[:, :1], own[:, 1:]
        distance = np.abs(data[rows] - centre) / spread
        return cls(rows, centre, spread, distance, others / screen if screen > 0 else 0.0)


def _impossible(data: Array) -> tuple[NDArray[np.intp], Array, float] | None:
    """Places (k, 2), distances and that of the next nearer; None: all may be measurements."""
    far = _Distances.of(data)
    beyond = far.distance > FAR
    if not (far.distance > _IMPOSSIBLE).any():
        return None
    nearer = max(far.others, float(np.max(far.distance, initial=0.0, where=far.distance <= FAR)))
    ordered = np.append(np.sort(far.distance[beyond])[::-1], nearer)
    wide = (ordered[:-1] >= _IMPOSSIBLE) & (ordered[:-1] >= _APART * ordered[1:])
    if not wide.any():
        return None
    k = int(np.flatnonzero(wide)[-1])
    at = np.argwhere(far.distance >= ordered[k])
    distance = far.distance[at[:, 0], at[:, 1]]
    order = np.argsort(-distance, kind="stable")
    places = np.column_stack([far.rows[at[:, 0]], at[:, 1]])
    return places[order], distance[order], float(ordered[k + 1])


def _middle(row: Array, screen: float) -> tuple[float, float]:
    """Median of a drug, and its own spread or the screen's, whichever is more."""
    known = row[np.isfinite(row)]
    middle = float(np.median(known))
    return middle, max(_NORMAL_MAD * float(np.median(np.abs(known - middle))), screen)


def _spread(known: Array) -> tuple[float, float]:
    """Median and robust spread, 0 where nothing varies."""
    if not known.size:
        return math.nan, 0.0
    middle = float(np.median(known))
    off = np.abs(known - middle)
    low, high = np.quantile(known, [0.05, 0.95])
    spread = max(_NORMAL_MAD * float(np.median(off)), float(high - low) / (2 * _NORMAL_Q95))
    if not spread > 0 and (off > 0).any():
        spread = _NORMAL_MAD * float(np.median(off[off > 0]))
    return middle, spread


def _sample(known: Array) -> Array:
    """So many entries of all over the screen, always the same."""
    return known if known.size <= _SAMPLE else known[:: math.ceil(known.size / _SAMPLE)]


def _place(i: int, j: int, drugs: Names, lines: Names) -> str:
    drug, line = (
        f"index {k}" if names is None else str(names[k]) for k, names in ((i, drugs), (j, lines))
    )
    return f"drug {drug!r}, cell line {line!r}"


def _keep(what: str) -> str:
    return f"If they are {what}, pass extreme='keep': they stay, and fits do not see them."


def _said_of_codes(found: list[Code], data: Array, drugs: Names, lines: Names) -> str:
    said = []
    for code in found:
        i, j = np.argwhere(data == code.value)[0]
        said.append(
            f"{code.value:.10g} stands {code.count} time(s), first at {_place(i, j, drugs, lines)}"
        )
    values = ", ".join(f"{code.value:.10g}" for code in found)

    def at(matrix: str) -> str:
        one = len(found) == 1
        return f"{matrix} == {values}" if one else f"numpy.isin({matrix}, [{values}])"

    return (
        f"The matrix holds what looks like a code for 'not measured', or a drug that kills all, "
        f"apart from every other value (the nearest is {found[0].next:.4g}): {'; '.join(said)}. If "
        f"it is a code, set it to NaN: X[{at('X')}] = numpy.nan (adata.X[{at('adata.X')}] of an "
        f"AnnData), or read the table with na_values=[{values}]. {_keep('measurements')}"
    )


def _said_of_sizes(odd: Unlike, what: str, names: Names) -> str:
    shown = [
        f"{f'index {i}' if names is None else str(names[i])!r} (up to {size:.3g})"
        for i, size in zip(odd.at[:_SHOWN], odd.sizes, strict=False)
    ]
    more = f" and {odd.at.size - _SHOWN} more" if odd.at.size > _SHOWN else ""
    ratio = float(odd.sizes[0]) / odd.typical
    times = f"{ratio:.3g} times" if ratio > 1 else f"one {1 / ratio:.3g}th of"
    return (
        f"{odd.at.size} {what}(s) have values of another size than all others, {times} what is "
        f"usual ({odd.typical:.3g}): {', '.join(shown)}{more}. Are they in another unit, such as "
        f"nM among uM or percent among fractions? Convert them, or leave them out. "
        f"If they are right, pass extreme='keep': they stay, and fits see them divided by a power "
        f"of ten, as large as others."
    )


def _said_of_entries(
    at: NDArray[np.intp], distance: Array, nearer: float, data: Array, drugs: Names, lines: Names
) -> str:
    shown = [f"{data[i, j]:.6g} ({_place(i, j, drugs, lines)})" for i, j in at[:_SHOWN]]
    more = f" and {len(at) - _SHOWN} more" if len(at) > _SHOWN else ""
    return (
        f"{len(at)} measured entries lie farther out than measurements do, up to "
        f"{distance[0]:.3g} robust spreads of their drug and of the screen, where the next lies "
        f"{nearer:.3g} off at most: {'; '.join(shown)}{more}. Correct them, or set them to NaN. "
        f"{_keep('measurements')}"
    )
