"""Simulated screens, in which the truth is known."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray

    from ..model.checks import Seed

LOW_RANKS = ("nmf", "deep")
SIGNALS = ("two_block", "mixed", "residual")
P_OUTSIDE = {"two_block": 0.05, "mixed": 0.05, "residual": 0.01}

_BLOCK_ONLY = ("block_size", "p_inside", "magnitude_inside", "magnitude_outside")
_RESIDUAL_ONLY = ("source", "naive_rank", "n_biclusters", "residual_min")

# Lowest and highest value; an integer is wanted where the lowest is one.
_NUMBERS: dict[str, tuple[float, float]] = {
    "n_drugs": (2, math.inf),
    "n_lines": (2, math.inf),
    "rank": (1, math.inf),
    "block_size": (2, math.inf),
    "p_inside": (0.0, 1.0),
    "p_outside": (0.0, 1.0),
    "naive_rank": (1, math.inf),
    "n_biclusters": (1, math.inf),
    "residual_min": (0.0, math.inf),
    "sigma": (0.0, math.inf),
    "validation": (0.0, 0.9),
    "test": (0.0, 0.9),
}


def simulate(
    n_drugs: int = 800,
    n_lines: int = 400,
    *,
    low_rank: str = "nmf",
    rank: int = 10,
    low_rank_range: tuple[float, float] = (0.0, 1.0),
    signal: str = "two_block",
    block_size: int = 20,
    p_inside: float = 0.6,
    p_outside: float | None = None,
    magnitude_inside: float | tuple[float, float] = (0.2, 0.3),
    magnitude_outside: float | tuple[float, float] = 0.3,
    source: AnnData | ArrayLike | None = None,
    naive_rank: int = 3,
    n_biclusters: int = 4,
    residual_min: float = 0.2,
    sigma: float = 0.05,
    validation: float = 0.15,
    test: float = 0.15,
    shuffle: bool = True,
    random_state: Seed = 0,
) -> AnnData:
    """Simulate a screen as the paper does: D = D1 + D2 + Sigma, low rank + signal + noise.

    Parameters
    ----------
    n_drugs, n_lines
        Shape of the screen.
    low_rank
        How D1 comes from a matrix of uniform random numbers: ``"nmf"``, by nonnegative
        factorization, or ``"deep"``, by a deep linear one of four factors, descended from a small
        balanced start (its smallest values may lie below 0).
    rank
        Rank of D1.
    low_rank_range
        Lowest and highest of the uniform numbers.
    signal
        Where D2 lies. ``"two_block"``: two square blocks of drugs x lines. ``"mixed"``: a tall, a
        narrow and a wide region and a stripe (one drug), which share drugs or lines.
        ``"residual"``: biclusters in what a low-rank fit leaves of a real screen.
    block_size
        Side B of a block. The regions of ``"mixed"`` are 2B x B, B x B/2, B x 3B/2 and 1 x 4B.
    p_inside, p_outside
        Chance that an entry inside, and outside, the blocks carries signal. None: 0.05, for
        ``"residual"`` 0.01.
    magnitude_inside, magnitude_outside
        Size of the signal there, one number or the range of a uniform draw.
    source
        Real screen for ``"residual"``, drugs x cell lines, NaN where not measured: an AnnData
        (its ``X``), or an array. None: :func:`rtdmf_bio.datasets.gdsc1`. Of a larger one random
        drugs and lines are taken; a smaller one leaves the rest of the screen without signal.
    naive_rank
        Rank of the fit to the source.
    n_biclusters
        Most biclusters to keep, of three times as many.
    residual_min
        Least residual of the source that is signal, in its unit.
    sigma
        Standard deviation of the noise.
    validation, test
        Shares of the entries held out.
    shuffle
        Shuffle drugs and lines.
    random_state
        Seed. Each part has a stream of its own: changing ``sigma`` leaves D1 and D2 as they were.

    Returns
    -------
    AnnData, n drugs (``obs``) x p cell lines (``var``), float64, without unit, with

    ``X`` : n x p
        D with NaN at the test entries: what a method may see.
    ``layers["low_rank"]``, ``["signal"]``, ``["noise"]`` : n x p
        D1, D2 and Sigma, complete; their sum is D.
    ``layers["block"]`` : bool, n x p
        Entries inside a block, region or bicluster.
    ``layers["split"]`` : int8, n x p
        0 train, 1 validation, 2 test.
    ``obs["position"]``, ``var["position"]`` : int64
        Place before shuffling, from 0; there the blocks lie together.
    ``var["group"]`` : categorical
        Line groups for the enrichment: lines in the same block or blocks, and groups as large
        among the others.
    ``uns["measure"]``, ``uns["simulation"]`` : dict
        Name, unit and direction (signal is positive, and read as sensitive); all parameters used.

    Raises
    ------
    TypeError, ValueError
        If a parameter, or the source, cannot be used.

    Warns
    -----
    UserWarning
        If a parameter was set that this kind of signal does not use.

    Notes
    -----
    Where the description and the published matrices differ or say nothing:

    - D1: uniform on [0, 1] as described; the published ones are NMF of normal numbers around 1,
      cut at 0 and halved by their largest (mean 0.11): ``low_rank_range=(0, 0.22)`` is near it.
    - D1 by four factors: start and stop are not stated; balanced, of size 0.01, 300 iterations.
    - Outside signal: 0.3 as described; published U(0.2, 0.3): ``magnitude_outside=(0.2, 0.3)``.
    - Inside the blocks: exactly ``p_inside``; published blocks also hold scattered entries (64 %).
    - ``"mixed"``: regions as measured on the published matrices; they overlap in lines and drugs,
      not in entries. Odd sides are rounded down.
    - ``"residual"``: fit and biclustering are not stated; rank 3 by truncated SVD with refilled
      gaps, spectral co-clustering of the residuals towards sensitivity.
    - Largest biclusters: those whose high residuals most exceed the share of their area.
    - Inside them as outside, published signal is at least 0.2 and positive: ``residual_min``.
    - P is the share of the source's entries outside that are kept; published: 1.3 to 1.6 P.

    References
    ----------
    Hu et al., Briefings in Bioinformatics 2025, appendix.

    Examples
    --------
    >>> import rtdmf_bio.datasets
    >>> adata = rtdmf_bio.datasets.simulate(100, 80, block_size=10)
    >>> truth = sum(adata.layers[part] for part in ("low_rank", "signal", "noise"))
    >>> bool((adata.X == truth)[adata.layers["split"] < 2].all())
    True
    >>> adata.var["group"].cat.categories[:2].tolist()
    ['block 1', 'block 2']
    """
    given = dict(locals())

    import numpy as np
    import pandas as pd
    from anndata import AnnData

    from ..model.checks import as_seed
    from . import _planted

    used = _check({**given, "random_state": as_seed(random_state)})
    shape = (n_drugs, n_lines)
    streams = dict(
        zip(
            ("low_rank", "signal", "noise", "drugs", "lines", "split"),
            np.random.default_rng(used["random_state"]).spawn(6),
            strict=True,
        )
    )

    low, high = used["low_rank_range"]
    uniform = low + (high - low) * streams["low_rank"].random(shape)
    if low_rank == "nmf":
        structure = _planted.nmf(uniform, rank, int(streams["low_rank"].integers(2**31)))
    else:
        structure = _planted.deep(uniform, rank)
    if signal == "residual":
        planted = _planted.residual_signal(
            shape,
            _source(source),
            naive_rank=naive_rank,
            n_biclusters=n_biclusters,
            residual_min=residual_min,
            p_outside=used["p_outside"],
            rng=streams["signal"],
        )
        used["source"] = "gdsc1" if source is None else type(source).__name__
    else:
        planted = _planted.block_signal(
            shape,
            signal,
            side=block_size,
            p_inside=p_inside,
            p_outside=used["p_outside"],
            inside=used["magnitude_inside"],
            outside=used["magnitude_outside"],
            rng=streams["signal"],
        )
    noise = sigma * streams["noise"].standard_normal(shape)

    drugs, lines = (
        streams[axis].permutation(size) if shuffle else np.arange(size)
        for axis, size in zip(("drugs", "lines"), shape, strict=True)
    )
    here = np.ix_(drugs, lines)
    structure, response, noise = structure[here], planted.signal[here], noise[here]
    split = _split(shape, validation, test, streams["split"])
    groups = np.array(planted.line_groups())[lines]
    return AnnData(
        np.where(split == 2, np.nan, structure + response + noise),
        obs=pd.DataFrame({"position": drugs}, index=_names("drug", n_drugs)),
        var=pd.DataFrame(
            {"position": lines, "group": pd.Categorical(groups)}, index=_names("cell_line", n_lines)
        ),
        layers={
            "low_rank": structure,
            "signal": response,
            "noise": noise,
            "block": planted.inside[here],
            "split": split,
        },
        uns={
            "measure": {
                "name": "response",
                "unit": "simulated, without unit",
                "higher_is": "sensitive",
            },
            # Tuples do not survive h5ad.
            "simulation": {
                name: np.array(value) if isinstance(value, tuple) else value
                for name, value in used.items()
            },
        },
    )


def _names(what: str, count: int) -> Any:
    import pandas as pd

    width = len(str(count))
    return pd.Index([f"{what}_{k:0{width}d}" for k in range(1, count + 1)], name=what)


def _split(
    shape: tuple[int, int], validation: float, test: float, rng: np.random.Generator
) -> NDArray[np.int8]:
    import numpy as np

    from ..model.holdout import holdout_mask

    split = np.zeros(shape, dtype=np.int8)
    for code, share in ((2, test), (1, validation)):
        left = split == 0
        if share:
            split[holdout_mask(left, share * split.size / left.sum(), rng)] = code
    return split


def _source(source: Any) -> NDArray[np.float64]:
    """Return the real matrix, NaN where not measured, turned so that up is sensitive."""
    from anndata import AnnData

    from .._adata.measure import measure_of
    from ..model.checks import check_matrix
    from ._gdsc1 import gdsc1

    source = gdsc1() if source is None else source
    direction = 1
    if isinstance(source, AnnData):
        if measure_of(source).get("higher_is") == "resistant":
            direction = -1
        source = source.X
    checked = check_matrix(source, infinite="error", unmeasured="nan", max_missing=1.0)
    return direction * checked.data


def _check(given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters this simulation uses, complete, or say which one cannot be used."""
    from ..model.checks import check_choice, check_number

    for name, choices in (("low_rank", LOW_RANKS), ("signal", SIGNALS)):
        check_choice(name, given[name], choices)
    signal = given["signal"]
    ignored = _BLOCK_ONLY if signal == "residual" else _RESIDUAL_ONLY
    defaults = inspect.signature(simulate).parameters
    unused = [name for name in ignored if given[name] is not defaults[name].default]
    if unused:
        warnings.warn(
            f"signal={signal!r} does not use {', '.join(unused)}.", UserWarning, stacklevel=3
        )
    used = {name: value for name, value in given.items() if name not in ignored}
    if used["p_outside"] is None:
        used["p_outside"] = P_OUTSIDE[signal]
    for name, (low, high) in _NUMBERS.items():
        if name in used:
            check_number(name, used[name], low, high)
    for name in ("low_rank_range", "magnitude_inside", "magnitude_outside"):
        if name in used:
            used[name] = _check_range(name, used[name])
    if not isinstance(used["shuffle"], bool):
        raise TypeError(f"The shuffle parameter must be True or False. Got {used['shuffle']!r}.")

    n, p = used["n_drugs"], used["n_lines"]
    if used["rank"] > min(n, p):
        raise ValueError(
            f"The rank parameter must be at most {min(n, p)} for {n} drugs x {p} lines. Got "
            f"{used['rank']}."
        )
    if used["validation"] + used["test"] > 0.9:
        raise ValueError(
            f"validation + test must leave at least a tenth of the entries for training. Got "
            f"{used['validation']} + {used['test']}."
        )
    if signal != "residual":
        sides = 2 if signal == "two_block" else 4
        drugs = lines = sides * used["block_size"]
        drugs += signal == "mixed"  # the stripe
        if n < drugs or p < lines:
            raise ValueError(
                f"signal={signal!r} with block_size={used['block_size']} needs at least {drugs} "
                f"drugs x {lines} lines. Got {n} x {p}; lower block_size or raise these."
            )
    return used


def _check_range(name: str, value: Any) -> tuple[float, float]:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    numbers = all(hasattr(x, "__float__") and not isinstance(x, bool) for x in pair)
    if not numbers or len(pair) != 2 or not 0 <= pair[0] <= pair[1] < math.inf:
        raise ValueError(
            f"The {name} parameter must be a number, or a lowest and a highest one, of at least 0. "
            f"Got {value!r}."
        )
    return float(pair[0]), float(pair[1])
