"""Tables of the benchmarks, and the files they are written to."""

from __future__ import annotations

import argparse
import csv
import math
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]


def make_parser(
    doc: str, quick: str = "tiny sizes: does it run at all?"
) -> argparse.ArgumentParser:
    """A parser of what every benchmark takes, described by the first line of ``doc``."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--out", type=Path, help="folder (default: results/ beside this file)")
    return parser


def make_folder(given: argparse.Namespace) -> None:
    """Make the folder ``given.out``, results/ beside this file where none was given."""
    if given.out is None:
        # A quick run is no evidence, and must not replace any.
        given.out = Path(tempfile.mkdtemp() if given.quick else Path(__file__).parent / "results")
    given.out.mkdir(parents=True, exist_ok=True)


def write_tables(out: Path, name: str, tables: dict[str, Rows], as_csv: bool = True) -> None:
    """Print the tables, and write them as Markdown and (one file each) as CSV."""
    parts = []
    for k, (title, rows) in enumerate(tables.items()):
        if as_csv:
            write_csv(out / (f"{name}.csv" if k == 0 else f"{name}_{k}.csv"), rows)
        parts.append(f"{title}\n\n{_markdown(rows)}")
    text = "\n\n".join([*parts, _environment()]) + "\n"
    print(f"\n{text}")
    (out / f"{name}.md").write_text(text)


def _environment() -> str:
    # From metadata: importing torch here would weigh on the processes that are measured.
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scikit-learn"))
    return f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores."


def write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, _columns(rows), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _text(v, 6) for k, v in row.items()})


def read_csv(path: Path) -> Rows:
    """Read what `write_csv` wrote; no file is no rows."""
    if not path.exists():
        return []

    def value(text: str) -> Any:
        try:
            return float(text)
        except ValueError:
            return math.nan if text == "-" else text

    with path.open(newline="") as file:
        return [{k: value(v) for k, v in row.items()} for row in csv.DictReader(file)]


def _markdown(rows: Rows) -> str:
    columns = _columns(rows)
    cells = [columns] + [[_text(row.get(c), 4) for c in columns] for row in rows]
    width = [max(len(line[k]) for line in cells) for k in range(len(columns))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, width, strict=True)) + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
    return "\n".join(lines)


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _text(value: Any, digits: int) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
