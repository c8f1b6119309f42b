"""The rank of a compact chain that descends: where it starts, when modes are dropped and added.

A chain whose every mode is alive may be too narrow, and is widened by the leading modes of what it
leaves; modes that the decay has shrunk away are dropped. See problem.py for the symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .factorization import DEAD, Chain, Modes, random_chain, thin_svd
from .problem import Problem

_START_RANK = 64
_PATIENCE = 20  # checks that a chain, all of whose modes are alive, has to settle
_ADD = 3  # rounds of taking up modes that the burn-in lost


def start(problem: Problem) -> Chain:
    """The chain that a descent begins with: of the data's spectrum, or random."""
    s = problem.settings
    n, p = problem.data.shape
    if s.init != "spectral":
        generator = torch.Generator().manual_seed(s.seed)
        width, dtype = int(s.width), problem.data.dtype
        chain = random_chain((n, p), s.depth, width, s.init, s.init_scale, generator, dtype)
        return Chain([w.to(problem.data.device) for w in chain.factors])
    r = min(_START_RANK if s.width == "auto" else int(s.width), n, p)
    # Zeros at the missing entries shrink every singular value by q.
    return problem.ground.spectrum.first(r).times(s.init_scale / problem.q).chain(s.depth)


class RankControl:
    """Decides, at each check, whether a compact chain changes its shape."""

    def __init__(self, problem: Problem, may_settle: bool) -> None:
        self.problem = problem
        self.settings = problem.settings
        self.burnt_in = self.settings.loss in ("hard", "mixture") and may_settle
        self.saturated = True  # until a mode dies, the rank may be too small
        self.n_added = 0
        self.n_checks = 0  # since the chain last changed its shape

    def resize(self, chain: Chain, product: Tensor, settled: bool) -> Chain | None:
        """Drop modes that have been shrunk away; double their number while none has.

        Modes are added once the fit has settled or has had its time to, or, on the way up from a
        small start, as soon as the last one has grown to matter. Returns the chain of another
        shape, or None.
        """
        self.n_checks += 1
        modes = chain.mode_sizes()
        alive = max(int((modes > DEAD * modes[0]).sum()), 1)
        rank, full = chain.rank, min(self.problem.data.shape)
        rising = self.settings.init_scale < 1
        if not rising and alive < rank:
            self.saturated = False
        if alive <= 0.8 * rank and not rising:
            self.n_checks = 0
            return chain.modes().first(alive).chain(self.settings.depth)
        settled = settled or self.n_checks >= _PATIENCE
        due = float(modes[-1]) > 0.02 * float(modes[0]) if rising else settled
        if self.saturated and due and rank < full:
            self.n_checks = 0
            return self._grown(chain, self._missed(product), min(rank, full - rank))
        return None

    def add_missed(self, chain: Chain, product: Tensor) -> Chain | None:
        """Take up modes above the noise that the burn-in shrank away, deviations aside."""
        if not self.burnt_in or self.n_added == _ADD:
            return None
        self.n_added += 1
        missed = self._missed(product)
        noise = self.problem.noise_sd(chain.mode_sizes())
        extra = int((missed.size > self.problem.vanishing(noise)).sum())
        extra = min(extra, min(self.problem.data.shape) - chain.rank)
        return self._grown(chain, missed, extra) if extra > 0 else None

    def _missed(self, product: Tensor) -> Modes:
        """Modes of the weighted residual."""
        p = self.problem
        return thin_svd((p.target - product) * p.weights / p.q)

    def _grown(self, chain: Chain, missed: Modes, extra: int) -> Chain:
        """The chain extended by the leading modes of ``missed``."""
        more = missed.first(extra).times(self.settings.init_scale)
        return chain.modes().with_more(more).chain(self.settings.depth)
