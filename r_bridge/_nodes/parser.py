"""rdata's parser, with what it lacks of R's format.

Byte code within byte code, raw vectors, the odd environments, and vectors that R keeps as a rule
(1:n, as.character(x)) are read as R reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rdata.parser import DEFAULT_ALTREP_MAP, RObject, RObjectInfo, RObjectType
from rdata.parser._ascii import ParserASCII
from rdata.parser._binary import ParserBinary
from rdata.parser._parser import BYTECODE_SPECIAL_SET
from rdata.parser._xdr import ParserXDR

from .node import R_NA

_LONGEST = 100_000_000
"""Elements that a rule may stand for: a damaged one would fill the memory."""
_UNBOUND, _BASE, _PACKAGE, _RAW, _WEAK = 252, 250, 248, 24, 23


class _Full:
    """A parser of rdata that knows all of the format; the mixin goes first."""

    _pushed: int | None = None

    def parse_int(self) -> int:
        if self._pushed is not None:
            value, self._pushed = self._pushed, None
            return value
        return super().parse_int()  # type: ignore[misc, no-any-return]

    def parse_R_object(
        self, references: Any = None, repeated: Any = None, info_int: int | None = None
    ) -> Any:
        parse: Any = super().parse_R_object  # type: ignore[misc]
        if references is None:
            references = []
        if info_int is not None and RObjectType(info_int) in BYTECODE_SPECIAL_SET:
            return parse(references, repeated, info_int)
        # Anything but a part of byte code begins anew, byte code within it included.
        flags = self.parse_int()
        kind = flags & 0xFF
        if kind in (_UNBOUND, _BASE):
            return _nothing("BASEENV")
        if kind == _PACKAGE:
            if self.parse_int() != 0:
                raise ValueError("a package's environment is damaged")
            self._parse_vector_value(references)  # type: ignore[attr-defined]
            found = _nothing("GLOBALENV")
            references.append(found)
            return found
        if kind in (_RAW, _WEAK):
            found = _nothing("EXTPTR")
            if kind == _RAW:
                self.parse_raw(self.parse_int())
            else:
                references.append(found)
            if flags & 0x200:
                found.attributes = self.parse_R_object(references)
            return found
        self._pushed = flags
        return parse(references)

    def parse_raw(self, length: int) -> None:
        self.file.read(length)  # type: ignore[attr-defined]


def _nothing(kind: str) -> Any:
    """Stand for an object that nobody looks into."""
    info = RObjectInfo(RObjectType[kind], False, False, False, 0, 0)
    return RObject(info, None, None)


class _XDR(_Full, ParserXDR):
    watch: Callable[[int], None] | None = None

    def parse_string(self, length: int) -> bytes:
        if self.watch is not None:
            self.watch(self.file.tell())
        return super().parse_string(length)


class _Native(_Full, ParserBinary):
    pass


class _ASCII(_Full, ParserASCII):
    def parse_raw(self, length: int) -> None:
        for _ in range(length):
            int(self._readline(), 16)


_PARSERS: dict[bytes, Any] = {b"X\n": _XDR, b"B\n": _Native, b"A\n": _ASCII, b"A\r": _ASCII}


def parse(body: bytes, watch: Callable[[int], None] | None = None) -> Any:
    """Parse what follows the magic of an .rda, or a whole .rds; `watch` is told how far it is."""
    parser: Any = _PARSERS[body[:2]](
        memoryview(body)[3 if body[1:2] == b"\r" else 2 :],
        expand_altrep=True,
        altrep_constructor_dict={
            **DEFAULT_ALTREP_MAP,
            b"compact_intseq": lambda state: _sequence(state, "INT", np.int32),
            b"compact_realseq": lambda state: _sequence(state, "REAL", np.float64),
            b"deferred_string": _deferred,
            b"wrap_list": DEFAULT_ALTREP_MAP[b"wrap_real"],
        },
    )
    parser.watch = watch
    parsed = parser.parse_all()
    parser.check_complete()
    return parsed


def _sequence(state: Any, kind: str, dtype: Any) -> tuple[Any, Any]:
    n, start, step = (float(x) for x in state.value)
    if not 0 <= n <= _LONGEST:
        raise ValueError(f"a sequence of {n:g} elements")
    info = RObjectInfo(RObjectType[kind], False, False, False, 0, 0)
    return info, (start + step * np.arange(int(n))).astype(dtype)


def _deferred(state: Any) -> tuple[Any, Any]:
    """Numbers to be turned into text, as R does."""
    numbers, scipen = (part.value for part in state.value)
    if np.issubdtype(numbers.dtype, np.integer):
        missing = np.ma.getmaskarray(numbers)
        values = np.asarray(numbers.data if np.ma.isMaskedArray(numbers) else numbers).tolist()
        texts = [None if gone else str(x) for x, gone in zip(values, missing, strict=True)]
    else:
        values, bits = numbers.tolist(), numbers.view(np.uint64).tolist()
        # The low word marks NA; arithmetic may have set a bit of the high one.
        gone = [
            x != x and bit & 0xFFFFFFFF == R_NA & 0xFFFFFFFF
            for x, bit in zip(values, bits, strict=True)
        ]
        texts = [
            None if na else _text(x, int(scipen[0])) for x, na in zip(values, gone, strict=True)
        ]
    info = RObjectInfo(RObjectType.STR, False, False, False, 0, 0)
    char = RObjectInfo(RObjectType.CHAR, False, False, False, 64, 0)
    return info, [RObject(char, None if x is None else x.encode(), None) for x in texts]


def _text(x: float, scipen: int) -> str:
    """``as.character``: up to 15 digits, in the shorter notation."""
    if not np.isfinite(x):
        return "NaN" if x != x else "Inf" if x > 0 else "-Inf"
    mantissa, exponent = f"{x:.14e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    digits = len(mantissa.lstrip("-").replace(".", ""))
    fixed = f"{x:.{max(0, digits - 1 - int(exponent))}f}"
    scientific = f"{mantissa}e{int(exponent):+03d}"
    return fixed if len(fixed) <= len(scientific) + scipen else scientific
