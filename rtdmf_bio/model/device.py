"""Where to compute, and with how many threads."""

from __future__ import annotations

import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
_ENOUGH = 2e8  # multiplications in a product, for threads within it


def pick_device(name: str, dtype: str) -> torch.device:
    """The torch device for ``name``; ``auto`` is cuda where there is one, else cpu."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = str(name).split(":")[0]
    if kind not in DEVICES:
        raise ValueError(f"The device parameter must be one of {list(DEVICES)}. Got {name!r}.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda' was asked for and torch finds none. Use device='auto'.")
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise ValueError("device='mps' was asked for and torch finds none. Use device='auto'.")
        if dtype == "float64":
            raise ValueError("device='mps' has no float64. Use dtype='float32' or device='cpu'.")
    try:
        return torch.device(name)
    except RuntimeError:
        raise ValueError(f"device={name!r} is not one that torch knows.") from None


class limited_threads:
    """Use torch threads only where the work repays them, and restore the setting.

    A product of the size of a screen (1e7 multiplications) takes under a millisecond. A second
    thread saves up to half of that on an idle machine; on a busy one the two wait for each other
    several times as long. So below three million entries, pieces of work that are independent go
    on at the same time instead, a thread each (workers.py).

    Parameters
    ----------
    n_multiplications
        Of a typical product; 0 limits to one thread in any case.
    """

    def __init__(self, n_multiplications: float) -> None:
        self.enough = n_multiplications > _ENOUGH

    def __enter__(self) -> int:
        """How many pieces of work may go on at once, each with a thread of its own."""
        self.before = torch.get_num_threads()
        if self.enough:
            return 1
        torch.set_num_threads(1)  # even if it says so: linear algebra may not have heard of it
        return self.before

    def __exit__(self, *_: object) -> None:
        if torch.get_num_threads() != self.before:
            torch.set_num_threads(self.before)


def inner_width(width: int | str) -> int:
    """A width to judge the work by; a compact chain starts with 64 modes and seldom doubles."""
    return 64 if width == "auto" else int(width)
