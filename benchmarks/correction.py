"""Measure speed, memory and accuracy of the correction on the bundled GDSC1 screen.

    python benchmarks/correction.py [--only time|wide|defaults] [--quick] [--out DIR]

See README.md beside this file for what each table says.
"""

from __future__ import annotations

import argparse

from report import make_folder, make_parser, write_csv, write_tables

SECTIONS = ("time", "wide", "defaults")


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--only", choices=SECTIONS, help="run one section (default: all three)")
    parser.add_argument(
        "--wide-iterations", type=int, default=24_000, metavar="N", help="cap for the wide network"
    )
    parser.add_argument("--holdouts", type=int, default=3, metavar="N", help="for the defaults")
    given = parser.parse_args()
    make_folder(given)
    # In this order, because the time section wants a small parent process.
    for section in SECTIONS:
        if given.only in (None, section):
            globals()[f"_{section}"](given)


def _time(given: argparse.Namespace) -> None:
    from speed import time_and_memory

    write_tables(given.out, "time", time_and_memory(given.quick))


def _wide(given: argparse.Namespace) -> None:
    from wide import wide_against_compact

    runs, ratios, curves = wide_against_compact(given.quick, given.wide_iterations)
    write_csv(given.out / "wide_curves.csv", curves)
    write_tables(
        given.out,
        "wide",
        {"Runs": runs, "Seconds to the same validation error, one thread": ratios},
    )


def _defaults(given: argparse.Namespace) -> None:
    from defaults import measure, tables

    real, simulated = measure(given.quick, 1 if given.quick else given.holdouts)
    write_csv(given.out / "defaults_real.csv", real)
    write_csv(given.out / "defaults_simulated.csv", simulated)
    write_tables(given.out, "defaults", tables(real, simulated), as_csv=False)


if __name__ == "__main__":
    main()
