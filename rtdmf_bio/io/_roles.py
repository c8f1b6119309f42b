"""What the columns and rows of a wide table are for: names, a count, annotation, measurements."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._adata.names import DRUG_COLUMNS, LINE_COLUMNS, normalised
from ._cells import Table
from ._missing import Missing, bound
from ._numbers import Bad

IDS = LINE_COLUMNS | DRUG_COLUMNS
# What spreadsheets compute below or beside a table.
SUMMARIES = frozenset(
    {"mean", "average", "median", "sd", "stdev", "stddev", "standarddeviation", "sem", "cv", "min"}
    | {"max", "range", "total", "grandtotal", "sum", "count", "n", "mittelwert", "variance"}
)
_ABOUT_LINES = {
    *("tissue", "lineage", "cancertype", "disease", "histology", "subtype", "site", "organ"),
    *("primarysite", "tissuetype", "unit", "units", "age", "sex", "batch", "passage", "ploidy"),
    *("passagenumber", "doublingtime", "ageatsampling", "mutationalburden"),
}
_COUNTS = {"", "index", "x", "row", "rownumber", "no", "nr", "sno", "id"}
_NUMBERED = 1e5  # more than any table has rows, and less than identifiers of lines
_MUTATED = re.compile(r"(^|[_. ])mut(ated|ations?)?$", re.IGNORECASE)
_BEGINS = re.compile(r"[<>=~+\-\u2212\u2264\u2265]*\s*[.,]?\d")
_REPEAT = re.compile(r"(.+?)(\.\d+|[._ -]?rep(licate)?[._ ]?\d+)", re.IGNORECASE)
_SPREAD = re.compile(r"(.+?)[\s_.-]*\(?(sd|se|sem|std|stdev|cv)\)?", re.IGNORECASE)


def names_at(table: Table, sample: list[list[Any]], key: str | None) -> tuple[int, list[int]]:
    """Place of the column of names, and of those before it that only count the rows."""
    header = table.header
    counts: list[int] = []
    while len(counts) + 2 < len(header) and _counts(header, sample, len(counts)):
        counts.append(len(counts))
    if key is not None:
        return table.positions([key])[0], counts
    first = len(counts)
    cells = [row[first] for row in sample]
    if counts and normalised(header[first]) not in IDS and not any(map(is_word, cells)):
        return 0, []  # numbers come next, so that the count is all there is of names
    if normalised(header[first]) not in IDS and len(set(map(str, cells))) < len(cells):
        # Labels that repeat, such as the tissue; the names may stand beside them.
        for j, name in enumerate(header):
            column = {str(row[j]) for row in sample}
            if normalised(name) in IDS and len(column) == len(sample):
                return j, counts
    return first, counts


def _counts(header: Sequence[str], sample: list[list[Any]], j: int) -> bool:
    """Whether a column without much of a name numbers the rows, which may be some of many."""
    name = normalised(header[j])
    nameless = name == "" or bool(re.fullmatch(r"unnamed\d*", name))
    if not (nameless or name in _COUNTS) or not sample or j + 1 >= len(sample[0]):
        return False
    try:
        found = [float(row[j]) for row in sample]
    except (TypeError, ValueError):
        return False
    if found in ([*range(len(found))], [*range(1, len(found) + 1)]):
        return True
    beside = [str(row[j + 1]) for row in sample]
    named = normalised(header[j + 1]) in IDS or all(map(is_word, beside))
    whole = all(x % 1 == 0 and 0 <= x < _NUMBERED for x in found)
    return nameless and whole and named and len(set(beside)) == len(set(found)) == len(sample)


def is_annotation(name: str, cells: Sequence[Any], missing: Missing) -> bool:
    """Whether a column, by its name and first cells, says what rows are, not what they measured."""
    if is_labelled(name, cells, missing):
        return True
    there = [cell for cell in cells if not missing.is_missing(cell)]
    if any(isinstance(cell, (int, float)) and cell == cell for cell in cells):
        return False
    said = [cell for cell in there if isinstance(cell, str)]
    words = [cell for cell in said if is_word(cell)]
    if len(words) * 2 <= len(said) or any(bound(cell, True) for cell in said):
        return False
    return any(map(_says_something, words))


def is_labelled(name: str, cells: Sequence[Any], missing: Missing) -> bool:
    """Whether it does so by its name, or is yes and no, or dates."""
    plain = normalised(name)
    if plain in SUMMARIES or plain in _ABOUT_LINES:
        return True
    if plain in IDS and not any(_is_fraction(cell) for cell in cells):
        return True
    there = [cell for cell in cells if not missing.is_missing(cell)]
    if there and all(isinstance(cell, (bool, np.bool_, datetime.date)) for cell in there):
        return True
    yes_or_no = {str(cell).strip().removesuffix(".0") for cell in there} <= {"0", "1"}
    return bool(there) and yes_or_no and bool(_MUTATED.search(name))


def is_measured(cells: Sequence[Any], missing: Missing) -> bool:
    """Whether a good part of a whole column are numbers, whatever it began with."""
    numbers = said = 0
    for cell in cells:
        try:
            value = missing.number(cell)
        except (TypeError, ValueError):
            said += 1
        else:
            numbers += value == value
    return numbers > 0.2 * (numbers + said)


def is_word(cell: Any) -> bool:
    """Whether a cell is text that does not begin like a number, as "5 uM" and "45%" do."""
    return isinstance(cell, str) and bool(cell.strip()) and not _BEGINS.match(cell.strip())


def _says_something(word: object) -> bool:
    """Whether it is not such as "n.d." and "?", which are told when they are met."""
    text = str(word).strip()
    return len(text) > 4 or normalised(text) not in ("", "nd", "na", "no", "nt", "ns")


def _is_fraction(cell: Any) -> bool:
    try:
        return float(cell) % 1 > 0
    except (TypeError, ValueError):
        return False


def rows_of_text(
    values: np.ndarray, bad: list[Bad], names: Sequence[str]
) -> tuple[dict[int, dict[int, object]], list[Bad]]:
    """Take rows out of `bad` of which no cell is a number, and most are words."""
    by_row: dict[int, dict[int, object]] = {}
    for i, j, cell in bad:
        by_row.setdefault(i, {})[j] = cell
    found = {}
    for i, cells in by_row.items():
        said = [cell for cell in cells.values() if is_word(cell) and _says_something(cell)]
        words = len(said) > len(cells) / 2
        several = len({str(cell).strip() for cell in cells.values()}) > 1
        known = normalised(names[i]) in IDS | _ABOUT_LINES
        most = len(cells) > max(1, values.shape[1] / 2)
        if most and ((words and several) or known) and not np.isfinite(values[i]).any():
            found[i] = cells
    return found, [item for item in bad if item[0] not in found]


def rows_aside(names: Sequence[str], values: np.ndarray) -> list[int]:
    """Rows of numbers that are summaries, identifiers, or say something else of the columns."""

    def whole(i: int) -> bool:
        return not (values[i][np.isfinite(values[i])] % 1 > 0).any()

    plain = [normalised(name) for name in names]
    return [
        i
        for i, name in enumerate(plain)
        if name in SUMMARIES or name in _ABOUT_LINES or (name in IDS and whole(i))
    ]


def refuse_lost_names(names: Sequence[Any], path: Any, where: str) -> None:
    """Refuse numbers with fractions in the place of names."""
    fractions = [name for name in names if isinstance(name, (str, float)) and _is_fraction(name)]
    if len(fractions) * 2 > len(names):
        raise ValueError(
            f"{path}: {where} holds numbers such as {fractions[0]!r}, and no names. Save the table "
            f"with its names (index=True in pandas, row.names=TRUE in R)."
        )


def refuse_two_tables(
    corner: str,
    columns: Sequence[str],
    annotation: Sequence[str],
    rows: Sequence[str],
    text_rows: dict[int, dict[int, object]],
    path: Any,
) -> None:
    """Refuse a header that stands twice, below itself or beside."""
    label = normalised(corner)
    if label and label in map(normalised, annotation):
        raise ValueError(
            f"{path}: the column {corner!r} stands twice, as where tables are side by side. Put "
            f"each into a file of its own."
        )
    for i, cells in text_rows.items():
        again = sum(str(cell).strip() in set(columns) for cell in cells.values())
        if (label and normalised(rows[i]) == label) or again * 2 > len(cells):
            raise ValueError(
                f"{path}: row {i + 2} repeats the header, as where several tables follow each "
                f"other. Put each into a file of its own."
            )


def refuse_two_headers(
    header: Sequence[str], text_rows: dict[int, dict[int, object]], path: Any
) -> None:
    """Refuse groups above names, of which only one can be the names."""
    blank, twice = "" in header, len(set(header)) < len(header)
    if 0 in text_rows and (blank or twice):
        below = [str(cell) for cell in list(text_rows[0].values())[:3]]
        raise ValueError(
            f"{path} has two rows of names, {list(header[:3])} above {below}. Pass skip_rows=1 to "
            f"take the lower ones, or keep one row of names."
        )


def look_like_repeats(names: Sequence[str]) -> list[str]:
    """Names that are those of others with a number behind, as pandas and people write repeats."""
    every = set(names)
    found = [(name, match[1]) for name in names if (match := _REPEAT.fullmatch(name))]
    bases = [base for _, base in found]
    return [name for name, base in found if base in every or bases.count(base) > 1]


def refuse_spreads(names: Sequence[str], path: Any) -> None:
    """Refuse standard deviations among measurements."""
    every = {normalised(name) for name in names}
    found = [
        name
        for name in names
        if (match := _SPREAD.fullmatch(name))
        and (normalised(match[1]) in every or f"{normalised(match[1])}mean" in every)
    ]
    if len(found) > 1:
        raise ValueError(
            f"{path} has spreads among measurements, such as {found[0]!r}. Leave them out, or keep "
            f"them in a table of their own, for noise_sd."
        )
