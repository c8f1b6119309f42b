"""What is held out of the measured entries: a mask for one fit, or a split in three.

| ``by``    | what moves together                  | question the hold-out asks                    |
|-----------|--------------------------------------|-----------------------------------------------|
| ``entry`` | nothing                              | a gap in a screen                             |
| ``drug``  | 1 - ANCHOR of a drug's entries       | a drug tried on few lines so far              |
| ``line``  | 1 - ANCHOR of a line's entries       | a line exposed to few drugs so far            |
| ``group`` | all entries of a drug in a group     | a drug never tried in this tissue             |

A drug without any training entry has no row of W1 to learn: of it, every factorization can only
say the means of the lines. So the anchors stay, and nobody goes below ``LEAST`` entries.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NOT_MEASURED, TRAIN, VALIDATION, TEST = -1, 0, 1, 2
BY = ("entry", "drug", "line", "group")
ANCHOR = 0.2  # share of a held-out drug's or line's entries that stays in training
LEAST = 2  # training entries of every drug and line that has as many
FEWEST = 10  # a score over fewer entries says nothing


def holdout_mask(
    observed: NDArray[np.bool_], fraction: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw ``fraction`` of the observed entries, leaving every drug and line something to fit.

    Parameters
    ----------
    observed
        Which entries are measured, shape (n drugs, p lines).
    fraction
        Share of the observed entries to hold out, in (0, 1).
    rng
        The only source of randomness.

    Returns
    -------
    Boolean mask of held-out entries, shape (n, p). Entries that are the only training entry
    left of their drug or of their line are never held out, so the share may fall just short.
    """
    flat = np.flatnonzero(observed)
    wanted = round(fraction * flat.size)
    order = rng.permutation(flat)
    drug, line = np.unravel_index(order, observed.shape)
    left_drug, left_line = observed.sum(1), observed.sum(0)
    # Almost always nobody runs out, and the plain draw is right as it stands.
    take = np.zeros(flat.size, dtype=bool)
    take[:wanted] = True
    n_drug = np.bincount(drug[take], minlength=observed.shape[0])
    n_line = np.bincount(line[take], minlength=observed.shape[1])
    if (n_drug >= left_drug).any() or (n_line >= left_line).any():
        take[:] = False
        left_drug, left_line = left_drug.copy(), left_line.copy()
        taken = 0
        for k in range(flat.size):
            if taken == wanted:
                break
            i, j = drug[k], line[k]
            if left_drug[i] > 1 and left_line[j] > 1:
                left_drug[i] -= 1
                left_line[j] -= 1
                take[k] = True
                taken += 1
    mask = np.zeros(observed.shape, dtype=bool)
    mask.flat[order[take]] = True
    return mask


def _from_objects(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """A mask of booleans that may be missing, as pandas has them, none of which is."""
    strange = [x for x in mask.ravel() if not isinstance(x, (bool, np.bool_))]
    if strange:
        raise ValueError(
            f"validation must be True or False of every entry. {len(strange)} are neither, such as "
            f"{strange[0]!r}; fill what is missing, as by validation.fillna(False)."
        )
    return mask.astype(bool)


def validation_mask(
    given: Any,
    observed: NDArray[np.bool_],
    place: tuple[NDArray[np.intp], ...],
    shape: tuple[int, ...],
    fraction: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Entries to hold out for every choice of one fit, drawn unless they are given.

    Parameters
    ----------
    given
        None, or a boolean mask over the whole matrix.
    observed
        Which entries are measured, of the drugs and lines that have a measurement, (n, p).
    place, shape
        Where those stand in the whole matrix, as of ``numpy.ix_``, and its shape.
    fraction, rng
        As for :func:`holdout_mask`.

    Raises
    ------
    ValueError
        If the mask given cannot be used, or fewer than ``FEWEST`` entries are held out.
    """
    # Drawn in any case, so that what is drawn next is the same, whoever drew these.
    mask = holdout_mask(observed, fraction, rng)
    if given is not None:
        mask = np.asarray(given)
        if mask.dtype == object and mask.shape == shape:
            mask = _from_objects(mask)
        if mask.dtype != bool or mask.shape != shape:
            raise ValueError(
                f"validation must be a boolean mask of shape {shape}. Got {mask.dtype} of "
                f"shape {mask.shape}."
            )
        mask = mask[place] & observed
        left = observed & ~mask
        if not (left.any(1).all() and left.any(0).all()):
            raise ValueError("validation leaves a drug or a cell line without training entries.")
    if mask.sum() < FEWEST:
        raise ValueError(
            f"Only {mask.sum()} entries can be held out; at least {FEWEST} are needed to choose by "
            f"hold-out. Give threshold, weight_decay and impute_weight_decay as numbers."
        )
    return mask


def folds(
    observed: NDArray[np.bool_],
    n_folds: int,
    rng: np.random.Generator,
    first: NDArray[np.bool_] | None = None,
) -> NDArray[np.int8]:
    """Divide the measured entries among folds, each drug's as evenly as can be.

    Parameters
    ----------
    observed
        Which entries are measured, (n drugs, p lines).
    n_folds
        At least 2.
    rng
        The only source of randomness.
    first
        Entries that are fold 0, (n, p); the others are divided among the rest, two at least. None:
        all alike.

    Returns
    -------
    int8 array (n, p): the fold of each entry, or -1 where it is not measured or in none, since its
    drug or line would be left without a training entry.
    """
    fold = np.full(observed.shape, -1, dtype=np.int8)
    left, start = observed, 0
    if first is not None:
        fold[first] = 0
        left, start = observed & ~first, 1
    order = np.argsort(np.where(left, rng.random(observed.shape), np.inf), axis=1)
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(observed.shape[1])[None, :], axis=1)
    place += rng.integers(n_folds, size=(len(observed), 1))
    fold[left] = (start + place % max(n_folds - start, 2))[left]
    for here in (fold, fold.T):
        for i in np.flatnonzero((here >= 0).any(1) & (here.max(1) == _least(here))):
            # All of it in one fold: one entry, at least, has to stay.
            here[i, rng.choice(np.flatnonzero(here[i] >= 0))] = -1
    return fold


def _least(fold: NDArray[np.int8]) -> NDArray[np.int8]:
    """Lowest fold of each row, of what is in one."""
    out: NDArray[np.int8] = np.where(fold < 0, np.iinfo(np.int8).max, fold).min(1)
    return out


def split(
    observed: NDArray[np.bool_],
    *,
    by: str,
    fractions: tuple[float, float],
    rng: np.random.Generator,
    groups: NDArray[np.intp] | None = None,
) -> NDArray[np.int8]:
    """Assign every measured entry to training, validation or test.

    Parameters
    ----------
    observed
        Which entries are measured, (n drugs, p lines).
    by
        One of ``BY``.
    fractions
        Shares of the measured entries for validation and test. Blocks are not cut, so that the
        shares are met to within half a block.
    rng
        The only source of randomness.
    groups
        Group of each line (p,) for ``by="group"``, -1 for none: such a line is not held out.

    Returns
    -------
    int8 array (n, p): -1 not measured, 0 training, 1 validation, 2 test.

    Raises
    ------
    ValueError
        If a set cannot be filled to half its share, or not with ``FEWEST`` entries.
    """
    fold = np.where(observed, TRAIN, NOT_MEASURED).astype(np.int8)
    unit = np.arange(observed.size).reshape(observed.shape)  # what can be given back alone
    blocks: list[NDArray[np.intp]] = []
    if by == "group":
        if groups is None:
            raise ValueError("by='group' needs a group for each line.")
        unit = np.arange(observed.shape[0])[:, None] * (groups.max() + 1) + groups
        blocks = _blocks(unit, observed & (groups >= 0), rng)
    elif by != "entry":
        index = np.indices(observed.shape)[BY.index(by) - 1]
        blocks = [_without_anchor(block, rng) for block in _blocks(index, observed, rng)]
    wanted = [fraction * observed.sum() for fraction in fractions]
    if by == "entry":
        first, second = round(wanted[0]), round(sum(wanted))
        order = rng.permutation(np.flatnonzero(observed))
        fold.flat[order[:first]], fold.flat[order[first:second]] = VALIDATION, TEST
    else:
        for code, size in zip((VALIDATION, TEST), wanted, strict=True):
            blocks = _fill(fold, code, size, blocks)
    _feed(fold, unit, rng)
    for name, code, size in zip(("validation", "test"), (VALIDATION, TEST), wanted, strict=True):
        got = int((fold == code).sum())
        if got < max(0.5 * size, FEWEST):
            raise ValueError(
                f"Only {got} of {observed.sum()} measured entries can be held out for {name} "
                f"by={by!r}, where {size:.0f} were asked for and {FEWEST} are needed: blocks are "
                f"not cut, and every drug and cell line keeps {LEAST} training entries. Use "
                f"by='entry', other fractions, or groups of another size."
            )
    return fold


def _blocks(
    label: NDArray[np.intp], observed: NDArray[np.bool_], rng: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Flat indices of the measured entries of each label, in random order of the labels."""
    flat = np.flatnonzero(observed)
    flat = flat[np.argsort(label.flat[flat], kind="stable")]
    edges = np.flatnonzero(np.diff(label.flat[flat])) + 1
    blocks = np.split(flat, edges)
    return [blocks[k] for k in rng.permutation(len(blocks))]


def _without_anchor(block: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    n_anchor = max(round(ANCHOR * block.size), LEAST)
    return rng.permutation(block)[n_anchor:]


def _fill(
    fold: NDArray[np.int8], code: int, wanted: float, blocks: list[NDArray[np.intp]]
) -> list[NDArray[np.intp]]:
    """Take blocks in their order as long as each brings the share closer; return the others."""
    left, taken = [], 0
    for block in blocks:
        if 0 < block.size < 2 * (wanted - taken):
            fold.flat[block] = code
            taken += block.size
        else:
            left.append(block)
    return left


def _feed(fold: NDArray[np.int8], unit: NDArray[np.intp], rng: np.random.Generator) -> None:
    """Give held-out entries back to drugs and lines that are left with too little to learn from."""
    for here, there in ((fold, unit), (fold.T, unit.T)):
        enough = np.minimum(LEAST, (here != NOT_MEASURED).sum(1))
        for i in np.flatnonzero((here == TRAIN).sum(1) < enough):
            for j in rng.permutation(np.flatnonzero(here[i] > TRAIN)):
                if (here[i] == TRAIN).sum() >= enough[i]:
                    break
                here[(there == there[i, j]) & (here > TRAIN)] = TRAIN
