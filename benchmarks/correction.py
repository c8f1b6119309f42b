"""Measure speed, memory and accuracy of the correction on the bundled GDSC1 screen.

    python benchmarks/correction.py [--only time|wide|defaults] [--quick] [--out DIR]

See README.md beside this file for what each table says.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]
SECTIONS = ("time", "wide", "defaults")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=SECTIONS, help="run one section (default: all three)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--out", type=Path, help="folder (default: results/ beside this file)")
    parser.add_argument(
        "--wide-iterations", type=int, default=24_000, metavar="N", help="cap for the wide network"
    )
    parser.add_argument("--holdouts", type=int, default=3, metavar="N", help="for the defaults")
    given = parser.parse_args()
    _make_folder(given)
    # In this order, because the time section wants a small parent process.
    for section in SECTIONS:
        if given.only in (None, section):
            globals()[f"_{section}"](given)


def _make_folder(given: argparse.Namespace) -> None:
    if given.out is None:
        # A quick run is no evidence, and must not replace any.
        given.out = Path(tempfile.mkdtemp() if given.quick else Path(__file__).parent / "results")
    given.out.mkdir(parents=True, exist_ok=True)


def _time(given: argparse.Namespace) -> None:
    from speed import time_and_memory

    rows = time_and_memory(given.quick)
    _write(given.out, "time", {"Time and memory": rows})


def _wide(given: argparse.Namespace) -> None:
    from wide import wide_against_compact

    runs, ratios, curves = wide_against_compact(given.quick, given.wide_iterations)
    _csv(given.out / "wide_curves.csv", curves)
    _write(
        given.out,
        "wide",
        {"Runs": runs, "Seconds to the same validation error, one thread": ratios},
    )


def _defaults(given: argparse.Namespace) -> None:
    from defaults import measure, tables

    real, simulated = measure(given.quick, 1 if given.quick else given.holdouts)
    _csv(given.out / "defaults_real.csv", real)
    _csv(given.out / "defaults_simulated.csv", simulated)
    _write(given.out, "defaults", tables(real, simulated), as_csv=False)


def _write(out: Path, name: str, tables: dict[str, Rows], as_csv: bool = True) -> None:
    """Print the tables, and write them as Markdown and (one file each) as CSV."""
    parts = []
    for k, (title, rows) in enumerate(tables.items()):
        if as_csv:
            _csv(out / (f"{name}.csv" if k == 0 else f"{name}_{k}.csv"), rows)
        parts.append(f"{title}\n\n{_markdown(rows)}")
    text = "\n\n".join([*parts, _environment()]) + "\n"
    print(f"\n{text}")
    (out / f"{name}.md").write_text(text)


def _environment() -> str:
    # From metadata: importing torch here would weigh on the processes that are measured.
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scikit-learn"))
    return f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores."


def _csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, _columns(rows), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _text(v, 6) for k, v in row.items()})


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


if __name__ == "__main__":
    main()
