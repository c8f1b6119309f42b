"""The formats there are: those of this package, those added, and those other packages declare."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._format import Format

_ADDED: list[Format] = []
_GROUP = "rtdmf_bio.formats"


def formats() -> list[Format]:
    """List the formats that :func:`read` knows, in the order in which they are tried.

    First those added by :func:`register_format`, then those of this package, then those that other
    packages declare as entry points of the group ``rtdmf_bio.formats``, last what fits any table.

    Returns
    -------
    list of Format

    Examples
    --------
    >>> import rtdmf_bio.io
    >>> rtdmf_bio.io.formats()[-1].name
    'table'
    """
    from ._formats import FORMATS

    known = [*_ADDED, *FORMATS, *_declared()]
    return sorted(known, key=lambda form: form.generic)


def register_format(form: Format) -> None:
    """Have :func:`read` try a further format before all others.

    Parameters
    ----------
    form
        A :class:`Format`: a name, a title, a ``sniff`` that sees the header and the first rows of
        a :class:`Source`, and a ``read`` that returns the AnnData. One of the same name is
        replaced.

    Raises
    ------
    TypeError
        It is no Format.
    """
    from ._format import Format

    if not isinstance(form, Format):
        raise TypeError(f"A format must be an rtdmf_bio.io.Format. Got {type(form).__name__}.")
    _ADDED[:] = [form, *(old for old in _ADDED if old.name != form.name)]


def _declared() -> list[Format]:
    from importlib.metadata import entry_points

    found: list[Format] = []
    for point in entry_points(group=_GROUP):
        found += point.load()
    return found


def recognise(path: str | os.PathLike[str], options: Mapping[str, Any]) -> Format | None:
    """Format of a file that is one in particular, None if it is any table or none."""
    from ._source import Source

    source = Source(path, options)
    known = (form for form in formats() if not form.generic and form.name != "refused")
    return next((form for form in known if form.sniff(source)), None)
