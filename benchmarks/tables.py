"""Measure what reading a wide text takes, beside pandas on the same file.

    python benchmarks/tables.py [--quick] [--out DIR]

Nothing heavy is imported, as in speed.py. See README.md beside this file for what the table says.
"""

from __future__ import annotations

import csv
import random
import statistics
import tempfile
from importlib.metadata import version
from pathlib import Path

from report import Rows, make_folder, make_parser, write_tables
from speed import run_timed

# table, rows, columns, their names, what stands for missing, share of it, limits: ratio, MB
_TABLES = (
    ("lines x genes", 1178, 17_916, "ACH-{:06}", "GENE{0} ({0})", "", 0.002, 1.2, 1200),
    ("drugs x lines", 6790, 919, "BRD-K{:08}", "ACH-{:06}", "NA", 0.05, None, None),
)
_OURS = "import anndata, rtdmf_bio.io", "rtdmf_bio.io.read_table({!r}, drugs='rows')"
_READERS = {
    "pandas.read_csv": ("import pandas", "pandas.read_csv({!r})"),
    "read_table": _OURS,
    "read_table, no pyarrow": (f"import sys; sys.modules['pyarrow'] = None; {_OURS[0]}", _OURS[1]),
}


def main() -> None:
    given = make_parser(__doc__).parse_args()
    make_folder(given)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), given.quick)
    packages = ", ".join(f"{name} {version(name)}" for name in ("pandas", "pyarrow"))
    write_tables(
        given.out, "tables", {f"Wide csv of full precision, {packages}": rows}, as_csv=False
    )


def measure(folder: Path, quick: bool) -> Rows:
    """Read each table by each reader in turn, three times, each time in a fresh process."""
    rows = []
    for table, n, m, row_name, column_name, missing, share, max_ratio, max_mb in _TABLES:
        if quick:
            n, m = n // 20, m // 20
        path = folder / "table.csv"
        write(path, [row_name.format(i) for i in range(n)],
              [column_name.format(j) for j in range(m)], missing, share)  # fmt: skip
        runs = {name: [] for name in _READERS}
        for _ in range(1 if quick else 3):
            for name, (before, timed) in _READERS.items():
                runs[name].append(run_timed(before, timed.format(str(path))))
        for name, measured in runs.items():
            wall, _, _, peak = (statistics.median(column) for column in zip(*measured, strict=True))
            if name == "pandas.read_csv":
                of_pandas = wall
            limited = name == "read_table" and max_ratio
            rows.append(
                {
                    "table": f"{table}, {n} x {m}",
                    "MB": round(path.stat().st_size / 1e6),
                    "reader": name,
                    "seconds": f"{wall:.2f}",
                    "ratio": f"{wall / of_pandas:.2f}",
                    "peak_mb": round(peak),
                    "limit": f"{max_ratio}, {max_mb} MB" if limited else "",
                }
            )
    return rows


def write(path: Path, rows: list[str], columns: list[str], missing: str, share: float) -> None:
    """Write normal deviates with all their digits."""
    draw = random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["", *columns])
        for name in rows:
            cells = [missing if draw.random() < share else draw.gauss(0, 1) for _ in columns]
            writer.writerow([name, *cells])


if __name__ == "__main__":
    main()
