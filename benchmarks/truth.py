"""How near the corrected matrix is to what an error-free experiment would have given.

    python benchmarks/truth.py [--only SECTION ...] [--quick] [--seeds N] [--out DIR]

SECTION is repeats (an independent repeat of the experiment), heldout (entries of real screens that
no method has seen), simulated (assays.py, whose truth is known) or flags (false discovery rate);
all, in this order, by default. Defaults are untouched, and every score stands beside that of a
trivial answer. repeats and most of heldout read ../shared/data.
"""

from __future__ import annotations

import warnings

from report import make_folder, make_parser, write_tables
from screens import DATA
from truth_made import flags, simulated
from truth_real import heldout, repeats

SECTIONS = {"repeats": repeats, "heldout": heldout, "simulated": simulated, "flags": flags}


def main() -> None:
    parser = make_parser(__doc__, "minutes: does it run at all?")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=[*SECTIONS])
    parser.add_argument(
        "--seeds", type=int, help="default: 1 of heldout, 3 of simulated, 20 of flags"
    )
    given = parser.parse_args()
    if "repeats" in given.only and not DATA.exists():
        raise SystemExit("The published screens are not here (../shared/data).")
    make_folder(given)
    warnings.simplefilter("ignore")
    for name in given.only:
        write_tables(given.out, f"truth_{name}", SECTIONS[name](given), as_csv=False)


if __name__ == "__main__":
    main()
