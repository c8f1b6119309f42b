"""Simulated assays, in which what an error-free experiment would give is known.

Response on a logit scale, of drugs in families of one mechanism and lines of tissues:

    z = level_i + slope_i g_j + low rank (families, tissues) + hits (family x tissue) + unique
    measured = reading(z) + drug's size x line's x level's x error

``unique`` is what neither other drugs nor other lines tell, mostly to the sensitive side; an inert
drug has all but its level scaled down. AUC is a sigmoid of z, ln IC50 and log fold change are other
monotone readings of it. Noise is heteroscedastic: each drug has a size of its own, each line a
little, and it is smaller where a drug kills everything or nothing.

Nothing here was written for one method: the truth is no low rank, and no noise is known to anyone.
But the constants of ``rtdmf_bio/model/weights.py`` were fitted on seeds 0 and 1 of all conditions
but those of ``UNSEEN``, so that only other seeds, and those conditions, tell of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Assay:
    """One condition."""

    n_drugs: int = 200
    n_lines: int = 300
    measure: str = "auc"
    noise: float = 0.066  # root mean square without the largest hundredth, in units of the measure
    spread: float = 0.5  # of the noise between drugs, in log units
    tails: float = np.inf  # degrees of freedom
    gross: float = 0.0  # share of entries that are off by a gross error
    plates: float = 0.0  # size of plate effects, in units of the noise
    inert: float = 0.33  # share of drugs that do next to nothing
    unique: float = 0.5  # on the logit scale
    giants: float = 0.0  # share of entries with a response of their own of 3 on the logit scale
    hits: float = 1.5  # on the logit scale
    missing: float = 0.15  # more in some lines than in others
    modes: int | None = None  # a low rank alone, of so many modes
    replicates: int = 1
    skewed: bool = True  # unique responses, to the sensitive side
    by_level: bool = True  # noise is smaller where a drug kills everything or nothing
    unequal: float = 0.0  # spread of the drugs' responses, in log units
    follows: float = 0.0  # power of a drug's own spread that its noise grows with
    cap: float = np.inf  # what is measured above it is cut to it
    selected: bool = False  # what hardly responds is missing more often


@dataclass
class Made:
    """One screen: matrices are (n, p), in units of the measure."""

    truth: Array
    measured: Array  # NaN where missing
    complete: Array  # the same before there were gaps
    hit: Array  # boolean: planted in a family and a tissue
    tissue: Array  # (p,), number of the line's tissue
    noise_sd: Array  # (n,), root mean square of the errors by drug
    drug: Array  # (n,), rows of one number are replicates


BASE = Assay()
LN_IC50 = Assay(measure="ln_ic50", noise=0.66)
LFC = Assay(measure="lfc", noise=0.45)
CONDITIONS: dict[str, Assay] = {
    "base AUC": BASE,
    "base ln IC50": LN_IC50,
    "base log fold change": LFC,
    "all drugs active": replace(BASE, inert=0.0),
    "all active, ln IC50": replace(LN_IC50, inert=0.0),
    "no noise": replace(BASE, noise=0.0),
    "precise, .011": replace(BASE, noise=0.011),
    "precise, .011, all active": replace(BASE, noise=0.011, inert=0.0),
    "noise .03": replace(BASE, noise=0.03),
    "noise .03, all active": replace(BASE, noise=0.03, inert=0.0),
    "noise .12": replace(BASE, noise=0.12),
    "noise .2": replace(BASE, noise=0.2),
    "noise .5": replace(BASE, noise=0.5),
    "noise alike in all drugs": replace(BASE, spread=0.0),
    "20 x 60": replace(BASE, n_drugs=20, n_lines=60),
    "24 x 500": replace(BASE, n_drugs=24, n_lines=500),
    "60 x 50": replace(BASE, n_drugs=60, n_lines=50),
    "600 x 480": replace(BASE, n_drugs=600, n_lines=480),
    "complete": replace(BASE, missing=0.0),
    "50 % missing": replace(BASE, missing=0.5),
    "85 % missing": replace(BASE, missing=0.85),
    "t3 tails": replace(BASE, tails=3.0),
    "t2 tails": replace(BASE, tails=2.0),
    "t2 tails, ln IC50": replace(LN_IC50, tails=2.0),
    "3 % gross errors": replace(BASE, gross=0.03),
    "plates": replace(BASE, plates=1.0),
    "large unique responses": replace(BASE, unique=1.2),
    "single-line giants": replace(BASE, giants=0.01),
    "no unique responses": replace(BASE, unique=0.0),
    "no hits": replace(BASE, hits=0.0),
    "one mode": replace(BASE, modes=1, unique=0.0, hits=0.0),
    "symmetric unique responses": replace(BASE, skewed=False),
    "symmetric, all active": replace(BASE, skewed=False, inert=0.0),
    "symmetric, .03, all active": replace(BASE, skewed=False, noise=0.03, inert=0.0),
    "symmetric, .03": replace(BASE, skewed=False, noise=0.03),
    "noise alike at all levels": replace(BASE, by_level=False),
    "noise follows response": replace(BASE, follows=0.7, spread=0.3),
    "noise .12, all active": replace(BASE, noise=0.12, inert=0.0),
    "noise .2, ln IC50 all active": replace(LN_IC50, noise=2.0, inert=0.0),
    "precise, ln IC50": replace(LN_IC50, noise=0.11),
    "precise, ln IC50, all active": replace(LN_IC50, noise=0.11, inert=0.0),
    "no noise, ln IC50": replace(LN_IC50, noise=0.0),
    "no noise, log fold change": replace(LFC, noise=0.0),
    "no noise, all active": replace(BASE, noise=0.0, inert=0.0),
    "precise, ln IC50, .02": replace(LN_IC50, noise=0.02),
    "unequal responses": replace(BASE, unequal=0.8, inert=0.0),
    "unequal responses, ln IC50": replace(LN_IC50, unequal=0.8, inert=0.0),
    "unequal responses, precise": replace(LN_IC50, unequal=0.8, inert=0.0, noise=0.05),
    "low rank, noise alike": replace(
        BASE, modes=3, unique=0.0, hits=0.0, inert=0.0, spread=0.0, by_level=False
    ),
    "low rank, noise alike, ln IC50": replace(
        LN_IC50, modes=3, unique=0.0, hits=0.0, inert=0.0, spread=0.0, by_level=False
    ),
    "no unique, noise alike": replace(BASE, unique=0.0, spread=0.0),
    "unique, noise alike, all active": replace(BASE, spread=0.0, inert=0.0, by_level=False),
    "unique, noise .03 alike, all active": replace(
        BASE, noise=0.03, spread=0.0, inert=0.0, by_level=False
    ),
    "replicates": replace(BASE, n_drugs=100, replicates=2),
    "replicates, precise": replace(BASE, n_drugs=100, replicates=2, noise=0.011, inert=0.0),
}
# Nothing was fitted on these.
UNSEEN: dict[str, Assay] = {
    "cut at 1": replace(BASE, cap=1.0),
    "the less sensitive half missing": replace(BASE, missing=0.3, selected=True),
    "symmetric, noise follows response": replace(BASE, skewed=False, follows=0.7, spread=0.3),
    "t3 tails, plates, 50 % missing": replace(BASE, tails=3.0, plates=1.0, missing=0.5),
    "noise .2, large unique, ln IC50": replace(LN_IC50, noise=2.0, unique=1.2),
    "noise .03, one mode": replace(BASE, noise=0.03, modes=1, unique=0.0, hits=0.0),
}


def make(assay: Assay, seed: int) -> Made:
    """Make one screen; drugs and lines with fewer than three measurements are left out."""
    rng = np.random.default_rng(seed)
    n, p = assay.n_drugs, assay.n_lines
    tissue = rng.choice(12, p, p=rng.dirichlet(np.full(12, 3.0)))
    family = rng.integers(0, max(n // 6, 3), n)
    z, hit = _response(assay, rng, family, tissue)
    active = np.where(rng.random(n) < assay.inert, rng.uniform(0.02, 0.15, n), 1.0)[:, None]
    unequal = np.exp(assay.unequal * rng.normal(size=(n, 1))) if assay.unequal else 1.0
    level = rng.normal(1.2, 1.0, (n, 1))
    z = np.where(active < 1, 3.0 + rng.normal(0, 0.5, (n, 1)), level) + unequal * active * z
    drug = np.repeat(np.arange(n), assay.replicates)
    z, hit = z[drug], (hit & (active == 1))[drug]
    truth = _read(z, assay.measure)
    complete = np.minimum(truth + _error(assay, rng, z, truth, drug), assay.cap)
    measured = np.where(_gaps(assay, rng, z), np.nan, complete)
    here = np.isfinite(measured)
    drugs, lines = here.sum(1) >= 3, here.sum(0) >= 3
    keep = np.ix_(drugs, lines)
    noise_sd = np.sqrt(np.mean((complete - truth) ** 2, axis=1))
    return Made(
        truth=truth[keep],
        measured=measured[keep],
        complete=complete[keep],
        hit=hit[keep],
        tissue=tissue[lines],
        noise_sd=noise_sd[drugs],
        drug=drug[drugs],
    )


def _error(assay: Assay, rng: np.random.Generator, z: Array, truth: Array, drug: Array) -> Array:
    """Errors of all measurements, (n, p)."""
    p = truth.shape[1]
    size = np.exp(rng.normal(0, assay.spread, assay.n_drugs))[drug, None]
    size = size * np.exp(rng.normal(0, 0.2, p))
    if assay.by_level:
        # An AUC that is all or nothing hardly varies; the other readings vary less where nothing
        # is to be seen.
        slope = np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2 * 4
        size = size * (0.35 + 0.65 * slope if assay.measure == "auc" else 0.6 + 0.4 * slope)
    size = size * truth.std(1, keepdims=True) ** assay.follows
    error = rng.normal(size=truth.shape)
    if np.isfinite(assay.tails):
        error /= np.sqrt(rng.chisquare(assay.tails, truth.shape) / assay.tails)
    error *= size
    # Without the few largest, of which the mean of squares of heavy tails consists.
    usual = np.minimum(np.abs(error), np.quantile(np.abs(error), 0.99))
    unit = assay.noise / np.sqrt(np.mean(usual**2))
    if assay.plates:  # eight, of lines; each is off by an amount of its own under each drug
        plate = rng.integers(0, 8, p)
        error += assay.plates * size * rng.normal(size=(len(drug), 8))[:, plate]
    error *= unit
    wrong = rng.random(truth.shape) < assay.gross
    error[wrong] += rng.choice([-1, 1], wrong.sum()) * rng.uniform(4, 10, wrong.sum()) * assay.noise
    return error


def _gaps(assay: Assay, rng: np.random.Generator, z: Array) -> Array:
    """Where there is no measurement, boolean (n, p)."""
    if not assay.missing:
        return np.zeros(z.shape, dtype=bool)
    chance = rng.beta(8 * assay.missing, 8 * (1 - assay.missing), z.shape[1])
    if assay.selected:  # twice the chance in the half that responds less, none in the other
        chance = 2 * chance * (z > np.median(z, axis=1, keepdims=True))
    return rng.random(z.shape) < chance


def _response(
    assay: Assay, rng: np.random.Generator, family: Array, tissue: Array
) -> tuple[Array, Array]:
    """Response on the logit scale, without levels, and where hits were planted, (n, p)."""
    n, p, n_family = family.size, tissue.size, family.max() + 1
    if assay.modes is not None:
        z = 1.0 * rng.normal(size=(n, assay.modes)) @ rng.normal(size=(assay.modes, p))
        return z, np.zeros((n, p), dtype=bool)
    general = rng.normal(size=p) + 0.8 * rng.normal(size=12)[tissue]
    slope = rng.gamma(4, 0.12, n)
    line = rng.normal(size=(10, p)) + rng.normal(size=(10, 12))[:, tissue]
    own = rng.normal(size=(n, 10)) * 0.5 + rng.normal(size=(n_family, 10))[family]
    z = np.outer(slope, general) + 0.3 * (own * np.geomspace(1, 0.2, 10)) @ line
    hit = np.zeros((n, p), dtype=bool)
    for k in range(n_family):
        if rng.random() < 0.3:
            here = np.ix_(family == k, tissue == rng.integers(12))
            hit[here] = rng.random(hit[here].shape) < 0.6
    z -= assay.hits * hit
    hit &= assay.hits > 0
    unique = rng.gamma(1.0, 1.0, (n, p)) - 1 + 0.5 * rng.normal(size=(n, p))
    if not assay.skewed:
        unique *= rng.choice([-1, 1], (n, p))
    z -= assay.unique * rng.gamma(3, 1 / 3, (n, 1)) * unique
    giant = rng.random((n, p)) < assay.giants
    return z - 3.0 * giant, hit


def _read(z: Array, measure: str) -> Array:
    """The measure that would be seen without error."""
    if measure == "auc":
        return 1 / (1 + np.exp(-z))
    if measure == "ln_ic50":
        return 1.6 * z + 1.0
    return -np.log1p(np.exp(-z + 0.5)) * 1.2  # log fold change: 0 where nothing dies
