"""Screens in which the truth is known, published and made here, and where the shared data are."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtdmf_bio.datasets import simulate

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SYNTHETIC = DATA / "synthetic"
PUBLISHED = ("twoblock_b20", "mixed_b20", "residual_p0.01")
THRESHOLD = 0.15  # the planted signal starts at 0.2, the noise has 0.05
GENERATORS = list(itertools.product(("nmf", "deep"), ("two_block", "mixed", "residual")))


@dataclass
class Screen:
    """D with its truth; all (n, p), masks boolean."""

    data: np.ndarray
    low_rank: np.ndarray
    signal: np.ndarray
    block: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    drugs: np.ndarray  # order in which the blocks lie together
    lines: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """What a method may see: training and validation entries."""
        return np.where(self.test, np.nan, self.data)


def published(name: str) -> Screen:
    with np.load(SYNTHETIC / f"{name}.npz") as content:
        z = dict(content)
    shape = z["observed"].shape

    def mask(flat: np.ndarray) -> np.ndarray:
        out = np.zeros(shape, dtype=bool)
        out.flat[flat] = True
        return out

    block = np.zeros(shape, dtype=bool)
    block[np.ix_(z["row_sort"], z["column_sort"])] = mask(z["block"])
    parts = (z["observed"], z["low_rank"], z["signal"], block)
    orders = (z["row_sort"], z["column_sort"])
    return Screen(*parts, mask(z["validation"]), mask(z["test"]), *orders)


def generated(low_rank: str, signal: str, seed: int, quick: bool) -> Screen:
    small = {"n_drugs": 100, "n_lines": 90}
    if signal != "residual":
        small["block_size"] = 10
    adata = simulate(
        low_rank=low_rank, signal=signal, random_state=seed, **(small if quick else {})
    )
    names = ("low_rank", "signal", "noise", "block", "split")
    part = {name: np.asarray(adata.layers[name]) for name in names}
    return Screen(
        part["low_rank"] + part["signal"] + part["noise"],
        part["low_rank"],
        part["signal"],
        part["block"],
        part["split"] == 1,
        part["split"] == 2,
        np.argsort(adata.obs["position"].to_numpy()),
        np.argsort(adata.var["position"].to_numpy()),
    )


def load(name: str, quick: bool) -> Screen:
    if name in PUBLISHED:
        return published(name)
    low_rank, signal, seed = name.split("/")
    return generated(low_rank, signal, int(seed), quick)


def made(n_drugs: int, n_lines: int, seed: int = 0) -> np.ndarray:
    """Rank 12, effects, noise that differs between drugs, 2 % spikes, 30 % missing; of any size."""
    rng = np.random.default_rng(seed)
    shape = n_drugs, n_lines
    data = rng.normal(size=(n_drugs, 12)) @ rng.normal(size=(12, n_lines)) / np.sqrt(12)
    data += rng.normal(size=(n_drugs, 1)) + 0.5 * rng.normal(size=(1, n_lines))
    data += 0.3 * np.exp(0.5 * rng.normal(size=(n_drugs, 1))) * rng.normal(size=shape)
    data += 2 * rng.choice([-1, 0, 1], shape, p=[0.01, 0.98, 0.01])
    data[rng.random(shape) < 0.3] = np.nan
    return data
