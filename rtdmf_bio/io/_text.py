"""Text files to rows of cells, with what a file does not say of itself found out.

Text is parsed by the csv module and not by pandas, which would rename repeated columns ("A",
"A.1"), take names such as "NA" for missing and fill up rows that were cut off.
"""

from __future__ import annotations

import codecs
import csv
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, TypeVar

from .._adata.names import normalised
from ._files import SEPARATORS, suffix_of, unpacked

T = TypeVar("T")
_CANDIDATES = (",", "\t", ";", "|", " ")  # the last is for want of another
_SAMPLE_ROWS, _SAMPLE_BYTES = 50, 2**22
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What a first column of names is called; R leaves it without.
_LABELS = {
    *("drug", "drugs", "drugname", "drugid", "compound", "compoundname", "treatment", "name", "id"),
    *("cellline", "celllinename", "celllines", "line", "model", "modelid", "sample", "cosmicid"),
    *("depmapid", "gene", "wirkstoff", "substanz", "zelllinie"),
}
_NO_DATA = {
    "<!doctype": "a web page, and no data. Fetch the file again",
    "<html": "a web page, and no data. Fetch the file again",
    "<table": "a web page called a spreadsheet. Open it there and save it as xlsx or csv",
    "<?xml": "XML. Open it in a spreadsheet and save it as xlsx or csv",
    "version https://git-lfs": "a pointer of git LFS, and no data. Fetch the file again",
    "%pdf": "a PDF. Pass the table it shows as csv or xlsx",
    "{": "JSON. Save the table as csv",
    "#1.3": "GCT 1.3, whose annotation cannot be told from values. Save it as GCT 1.2 or csv",
}
_EXCEL = re.compile(r"sep=(.)", re.IGNORECASE)  # a first line for Excel
_BEYOND = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")


@dataclass
class Text:
    """A text file, and how it is to be read."""

    path: Path
    sep: str
    encoding: str = "utf-8-sig"
    skip_rows: int = 0
    trailing: bool = False
    """Whether each row ends in a separator behind which there is nothing."""
    notes: list[str] = field(default_factory=list)
    """What was found and passed over, each as the end of a sentence."""

    def rows(self) -> Iterator[list[str]]:
        """Yield the header and then the rows, each with as many cells."""
        try:
            with unpacked(self.path) as raw:
                file = io.TextIOWrapper(raw, encoding=self.encoding, newline="")
                yield from self._rows(file)
        except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{self.path} was packed, and is damaged or was cut off ({error})."
            ) from None
        except OSError as error:
            if isinstance(error, FileNotFoundError | PermissionError):
                raise
            raise ValueError(f"{self.path} cannot be read ({error}).") from None
        except csv.Error as error:
            raise ValueError(f"{self.path} cannot be read as a table ({error}).") from None

    def _rows(self, file: IO[str]) -> Iterator[list[str]]:
        for _ in range(self.skip_rows):
            file.readline()
        rows = _split(file, self.sep, self.skip_rows)
        header, ahead, comments = _header(rows)
        if not header:
            raise ValueError(f"{self.path} is empty.")
        above = 0
        while ahead and sum(map(bool, header)) <= 2 < _said(ahead[0][1]) > 3:
            # A title, whether or not it is padded to the width of the table.
            above, header = above + 1, [name.strip() for name in ahead[0][1]]
            ahead = list(islice(rows, 1))
        if above:
            self.note(f"left out {above} lines above the header")
        width = len(header)
        if self.trailing:
            # The header may end like the rows, or not.
            width = len(header) if not header[-1] else len(header) + 1
            header = header[: width - 1]
        elif ahead and len(ahead[0][1]) == width + 1:
            header.insert(0, "")
            width += 1
        elif ahead and not header[-1] and len(ahead[0][1]) == width - 1:
            header.pop()
            width -= 1
        yield header
        for number, row in chain(ahead, rows):
            if len(row) != width:
                if row[0].lstrip().startswith("#"):
                    comments += 1
                    continue
                raise ValueError(self._width_message(number, row, width, header))
            if self.trailing and row.pop().strip():
                raise ValueError(
                    f"{self.path}, line {number}: there is something behind the last separator, "
                    f"where the lines before end in one."
                )
            yield row
        if comments:
            self.note(f"skipped {comments} lines that begin with '#'")

    def _width_message(self, number: int, row: list[str], width: int, header: list[str]) -> str:
        said = f"{self.path}, line {number}: {len(row)} cells, where the header has {width}."
        inner = next((cell for cell in row if "\n" in cell or "\r" in cell), None)
        if inner is not None:
            lines = len(inner.splitlines())
            return (
                f"{said} A quote opens a cell of {lines} lines there ({inner[:30]!r}...): a quote "
                f"that is not closed takes in what follows."
            )
        if len(row) > width and sum(map(bool, header)) <= 2:
            return f"{said} If the header is further down, pass skip_rows, the lines before it."
        return f"{said} Is the file complete, and the separator {self.sep!r}?"

    def note(self, said: str) -> None:
        """Remember `said`, once."""
        if said not in self.notes:
            self.notes.append(said)


def _said(row: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _header(
    rows: Iterator[tuple[int, list[str]]],
) -> tuple[list[str], list[tuple[int, list[str]]], int]:
    """Return the first row that is no comment, one row ahead, and the number of comments."""
    comments = 0
    found = next(rows, None)
    while found is not None:
        ahead = list(islice(rows, 1))
        first = found[1][0].lstrip()
        comment = first.startswith("#")
        if not comment or (
            not first.startswith("# ") and ahead and len(ahead[0][1]) == len(found[1]) > 1
        ):
            return [name.strip() for name in found[1]], ahead, comments
        comments += 1
        found = ahead[0] if ahead else None
    return [], [], comments


def _split(file: IO[str], sep: str, number: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its last line."""
    first = True
    for line in file:
        # The csv module is for quotes, behind which a row may go on in the next line, and for the
        # first line, where it refuses what cannot separate; without, it takes twice the time.
        if '"' in line or first:
            reader = csv.reader(
                chain([line], file), delimiter=sep, strict=True, skipinitialspace=sep != " "
            )
            try:
                row = next(reader)
            except csv.Error as error:
                if "end of data" in str(error) or ("limit" in str(error) and reader.line_num > 1):
                    said = f"line {number + 1}: a quote opens there that is not closed"
                    raise csv.Error(said) from None
                if reader.line_num > 1 or "limit" in str(error):
                    raise
                row = _loosely(line, sep, number, error)
            number += max(reader.line_num, 1)
            first = False
        else:
            row = line.rstrip("\r\n").split(sep)
            number += 1
        if any(cell.strip() for cell in row):
            yield number, row


def _loosely(line: str, sep: str, number: int, error: csv.Error) -> list[str]:
    """Read a line whose quotes do not enclose whole cells, but that ends where they do."""
    reader = csv.reader([line], delimiter=sep)
    row = next(reader)
    if any("\n" in cell or "\r" in cell for cell in row):
        raise csv.Error(f"line {number + 1}: {error}")
    return row


def open_text(
    path: Path, sep: str | None = None, encoding: str | None = None, skip_rows: int = 0
) -> Text:
    """Find out encoding and separator of a text file, where they are not given."""
    if sep:
        sep = {"tab": "\t", "\\t": "\t"}.get(sep, sep)
        if not isinstance(sep, str) or len(sep) != 1 or sep in '\r\n"':
            raise ValueError(f"sep must be one character, such as ';', or 'tab'. Got {sep!r}.")
    try:
        with unpacked(path) as raw:
            head = raw.read(_SAMPLE_BYTES)
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise ValueError(f"{path} was packed, and is damaged or was cut off ({error}).") from None
    known = encoding or _marked(head)
    if known is None and b"\x00" in head:
        raise ValueError(f"{path} is no text, and no other kind of table that is known.")
    try:
        lines = head.decode(known or "utf-8", errors="replace").lstrip("\ufeff").splitlines()
    except LookupError:
        raise ValueError(f"There is no encoding {encoding!r}.") from None
    if lines and (what := next((w for b, w in _NO_DATA.items() if _begins(lines[0], b)), None)):
        raise ValueError(f"{path} is {what}.")
    if skip_rows == 0 and lines and _begins(lines[0], "#1.2"):
        skip_rows = 2  # GCT has its size in the second line
    if skip_rows == 0 and lines and (said := _EXCEL.fullmatch(lines[0])):
        sep, skip_rows = sep or said[1], 1
    # The last may have been cut off.
    lines = lines[skip_rows : -1 if len(head) == _SAMPLE_BYTES and len(lines) > 2 else None]
    lines = [line for line in lines if line.strip()][:_SAMPLE_ROWS]
    long = len(lines[0]) if lines else 0
    lines = lines[: max(3, _SAMPLE_BYTES // 8 // (long + 1))]
    usual = SEPARATORS.get(suffix_of(path), ",")
    chosen = sep or _separator(lines, usual)
    text = Text(path, chosen, known or "utf-8-sig", skip_rows)
    text.trailing = _ends_in_separator(lines, chosen)
    return text


def decoded(text: Text, given: str | None, parse: Callable[[Text], T]) -> T:
    """Parse a text; where it is not UTF-8, as Windows-1252, and say so.

    Raises
    ------
    ValueError
        It is neither, or not in the encoding that was given.
    """
    try:
        return parse(text)
    except UnicodeError as error:
        if given is not None or text.encoding != "utf-8-sig":
            raise ValueError(
                f"{text.path} is not text in {given or text.encoding} ({error}). Pass another "
                f"encoding, or save it as UTF-8."
            ) from None
        with unpacked(text.path) as raw:
            content = raw.read()
        if any(_is_utf8(found) for found in _BEYOND.findall(content)):
            raise ValueError(
                f"{text.path} is not UTF-8 text, though parts of it are ({error}). Pass encoding, "
                f"or save it as UTF-8."
            ) from None
    text.encoding = "cp1252"
    try:
        out = parse(text)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{text.path} is neither UTF-8 nor Windows-1252 text ({error}). Pass encoding, or "
            f"save it as UTF-8."
        ) from None
    text.note("read as Windows-1252, as it is not UTF-8")
    return out


def _begins(line: str, with_: str) -> bool:
    return line.strip().lower().startswith(with_)


def _is_utf8(found: bytes) -> bool:
    try:
        found.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _marked(head: bytes) -> str | None:
    """Encoding by a byte-order mark, or by the zeros of UTF-16 in every other place."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    start = head[:400]
    if len(start) >= 4:
        even, odd = start[::2].count(0) / len(start[::2]), start[1::2].count(0) / len(start[1::2])
        if odd > 0.4 and even < 0.1:
            return "utf-16-le"
        if even > 0.4 and odd < 0.1:
            return "utf-16-be"
    return None


def _widths(lines: list[str], sep: str) -> list[int]:
    try:
        return [len(row) for row in csv.reader(lines, delimiter=sep, skipinitialspace=False)]
    except csv.Error:
        return []


def _separator(lines: list[str], usual: str) -> str:
    """Return the separator that gives most rows as many cells as the header, the most of them."""
    lines = [line for line in lines if not line.lstrip().startswith("#")] or lines
    scores = {sep: _score(_widths(lines, sep)) for sep in _CANDIDATES}
    # Spaces are in names: they separate only where nothing else does.
    others = [sep for sep in _CANDIDATES if sep != " " and scores[sep] > (0, 0.0, 0)]
    best = max(others or _CANDIDATES, key=lambda sep: (scores[sep], sep == usual))
    return best if scores[best] > (0, 0.0, 0) else usual


def _score(widths: list[int]) -> tuple[int, float, int]:
    """How well rows fit their header: wholly, but for titles above, or in part; and the width."""
    for rank, found in ((2, widths), (1, _below_titles(widths))):
        # R leaves the corner out; others end each row in a separator.
        if found and found[0] > 1 and set(found[1:]) <= {found[0]}:
            return rank, 1.0, found[0]
        if found and found[0] > 1 and set(found[1:]) == {found[0] + 1}:
            return rank, 1.0, found[0]
    usual = max(set(widths), key=widths.count) if widths else 1
    return 0, widths.count(usual) / len(widths) if usual > 1 else 0.0, usual if usual > 1 else 0


def _below_titles(widths: list[int]) -> list[int]:
    """Leave out lines of one or two cells above those of four or more."""
    first = next((k for k, width in enumerate(widths) if width > 2), 0)
    return widths[first:] if widths and max(widths) > 3 else []


def _ends_in_separator(lines: list[str], sep: str) -> bool:
    if len(lines) < 2 or sep == " ":
        return False
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    widths = _widths(lines, sep)
    if len(widths) != len(lines) or len(set(widths[1:])) != 1:
        return False
    ends = all(line.rstrip(" ").endswith(sep) for line in lines[1:])
    if widths[0] == widths[1]:
        return ends and lines[0].rstrip(" ").endswith(sep)
    # One cell more than the header: R's row names, unless the header has a name for them.
    first = normalised(lines[0].split(sep)[0])
    return ends and widths[1] == widths[0] + 1 and first in _LABELS
