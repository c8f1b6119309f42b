"""The default beside other people's matrix completion: held-out error against seconds.

    python benchmarks/peers.py [--only METHOD ...] [--screen NAME ...] [--quick] [--out DIR]

METHOD is ours, peer, published, trivial, or the beginning of a name; none at all draws again. What
is not run keeps its rows of peers.csv. The peers are in requirements-peers.txt; one that is not
installed is a row that says so.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers_methods import METHODS
from report import Rows, make_folder, make_parser, read_csv, write_csv, write_tables
from rivals import rmse
from truth_common import hidden, say

from rtdmf_bio.datasets import gdsc1

Array = np.ndarray
Screen = tuple[Array, Array | None]  # measured, and the truth where it is known

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
     "LOKY_MAX_CPU_COUNT"), "1",
)  # fmt: skip
LIMIT, LIMIT_OF_LARGE, LARGE = 150, 300, 1e6  # seconds of choosing and fit; entries
LABELS = {
    "method": "method",
    "rmse": "held-out RMSE",
    "truth": "to the truth",
    "seconds": "seconds",
    "final": "final fit",
    "cpu": "processor",
    "tried": "tried",
    "chosen": "chosen",
    "note": "note",
    "version": "version",
}


def ctrpv2() -> Screen:
    from real import screen

    return np.asarray(screen("ctrpv2").X, dtype=float), None


def bundled(layer: str | None = None, cut: bool = False) -> Screen:
    adata = gdsc1()
    data = np.asarray(adata.X if layer is None else adata.layers[layer], dtype=float)
    return (data[::6, ::8] if cut else data), None


def made(n: int, p: int) -> Screen:
    """Rank 12 and effects; each drug has a noise of its own, and 2 % are off by far more."""
    rng = np.random.default_rng(12)
    truth = rng.normal(0, 1, (n, 1)) + rng.normal(0, 0.5, (1, p))
    sizes = np.geomspace(1, 0.2, 12)
    modes = rng.normal(size=(n, 12)) * sizes @ rng.normal(size=(12, p))
    truth = truth + modes / np.sqrt(np.sum(sizes**2))
    data = truth + 0.4 * np.exp(rng.normal(0, 0.5, (n, 1))) * rng.normal(size=(n, p))
    spikes = rng.random((n, p)) < 0.02
    data += spikes * rng.choice((-1, 1), (n, p)) * rng.uniform(2, 5, (n, p))
    data[rng.random((n, p)) < 0.3] = np.nan
    return data, truth


SCREENS: dict[str, Callable[[], Screen]] = {
    "GDSC1, AUC, cut": lambda: bundled(cut=True),
    "GDSC1, AUC": bundled,
    "GDSC1, ln IC50": lambda: bundled("ln_ic50"),
    "CTRPv2, AUC": ctrpv2,
    "made": lambda: made(800, 400),
    "made, large": lambda: made(5000, 1000),
}


def unknown(name: str) -> dict[str, Any]:
    return {"kind": METHODS[name].kind, "method": name, "rmse": math.nan}


def measure(name: str, data: Array, truth: Array | None, limit: float) -> dict[str, Any]:
    """One row: a method that has not seen 15 % of the entries, in a process of its own."""
    test = hidden(data, 0)
    seen = np.where(test, np.nan, data)
    row = unknown(name)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "seen.npz"), data=seen, validation=hidden(seen, 1))
        code = Path(__file__).with_name("peers_methods.py")
        command = [sys.executable, str(code), name, folder, str(limit)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=limit + 20,  # imports are no part of the time
                env={**os.environ, **ONE_THREAD},
            )
        except subprocess.TimeoutExpired:
            return row | {"note": f"over {limit:g} s"}
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"ended by {done.returncode}"])[-1]
            return row | {"note": f"failed: {last[:120]}"}
        took = json.loads(done.stdout.splitlines()[-1])
        if "seconds" not in took:
            return row | took
        fitted = np.load(Path(folder, "answer.npy"))
    row["rmse"] = rmse(fitted, data, test)
    row["truth"] = math.nan if truth is None else rmse(fitted, truth, test)
    return row | took


def too_slow(rows: Rows, name: str, screen: str, entries: int, limit: float) -> str:
    """Why a method is not tried: another screen, no larger, says that it would be over.

    A fit's seconds grow at least with the root of the entries, by all that is here.
    """
    for row in rows:
        if row["method"] == name and row["screen"] != screen and row["entries"] <= entries:
            note, final = str(row.get("note")), row.get("final")
            final = final if _known(final) else 0.0
            if note == f"over {limit:g} s" or final * (entries / row["entries"]) ** 0.5 > limit:
                return f"would be over {limit:g} s, by {row['screen']}"
    return ""


def wanted(only: list[str] | None) -> list[str]:
    return [
        name
        for name, method in METHODS.items()
        if only is None or any(o == method.kind or name.startswith(o) for o in only)
    ]


CAPTION = f"""\
One thread each. 15 % of the measured entries are held out, and nobody has seen them; 15 % of the
rest choose between the settings, `tried` of them, then all of the rest is fitted again. `seconds`
are of choosing and fit on the wall, `final fit` of the fit alone, `processor` of both without what
other work on the machine took. Ours, in bold, choose within a fit, on the same entries. A method
has {LIMIT} s, on the largest screen {LIMIT_OF_LARGE} s: it tries fewer settings, or is over."""


def tables(rows: Rows) -> dict[str, Rows]:
    """One table a screen, the least error first."""
    out = {}
    for screen in SCREENS:
        here = sorted(
            (row for row in rows if row["screen"] == screen),
            key=lambda row: (row["rmse"] != row["rmse"], row["rmse"]),
        )
        if not here:
            continue
        ran = {row["method"] for row in here}
        here += [unknown(name) | {"note": "not run"} for name in METHODS if name not in ran]
        keys = [k for k in LABELS if any(_known(row.get(k)) for row in here)]
        shown = [{LABELS[k]: row[k] if _known(row.get(k)) else None for k in keys} for row in here]
        for line, row in zip(shown, here, strict=True):
            mark = "**" if row["kind"] == "ours" else ""
            line["method"] = f"{mark}{row['method']}{mark}"
        title = f"{screen}, {here[0]['size']}"
        out[title if out else f"{CAPTION}\n\n{title}"] = shown
    return out


def _known(value: Any) -> bool:
    return value not in (None, "") and value == value


COLOUR = {"ours": "#D55E00", "peer": "0.3", "published": "#0072B2"}


def picture(rows: Rows, file: Path) -> None:
    """Error over seconds, a panel for each screen; the trivial answers are lines."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    by = {
        screen: [r for r in rows if r["screen"] == screen and r["rmse"] > 0] for screen in SCREENS
    }
    by = {screen: here for screen, here in by.items() if here}
    columns = min(2, len(by))
    lines = -(-len(by) // columns)
    figure, axes = plt.subplots(
        lines, columns, squeeze=False, layout="constrained", figsize=(7 * columns, 4.6 * lines)
    )
    for ax in axes.flat[len(by) :]:
        ax.set_axis_off()
    panels = [
        (ax, _panel(ax, here, f"{screen}: {here[0]['size']}"))
        for (screen, here), ax in zip(by.items(), axes.flat, strict=False)
    ]
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # or labels would move what they are placed by
    for ax, points in panels:
        _label(ax, points)
    figure.savefig(file)


def _panel(ax: Any, rows: Rows, title: str) -> Rows:
    """Draw all but the labels; return what is to be labelled, and where."""
    ax.set(xscale="log", title=title, xlabel="seconds, one thread", ylabel="held-out RMSE")
    points = [dict(row) for row in rows if row["kind"] != "trivial"]
    trivial = {row["method"]: row["rmse"] for row in rows if row["kind"] == "trivial"}
    x, y = (np.array([row[k] for row in points]) for k in ("seconds", "rmse"))
    means = trivial.get("drug + line means", y.max())
    top = means + 0.12 * (means - y.min())
    ax.set_xlim(x.min() / 3, x.max() * 4)
    ax.set_ylim(y.min() - 0.08 * (top - y.min()), top)
    ax.axhline(means, color="0.6", linestyle="--", linewidth=1)
    text = "; ".join(f"{name} {value:.3g}" for name, value in reversed(trivial.items()))
    ax.text(0.01, means, text, fontsize=8, color="0.45", va="bottom",
            transform=ax.get_yaxis_transform())  # fmt: skip
    for row in points:
        if row["rmse"] > top:  # at the edge, with its value
            row["method"] += f" {row['rmse']:.3g}"
            row["rmse"] = top
        colour, measured = COLOUR[row["kind"]], row["kind"] != "published"
        ax.plot(row["seconds"], row["rmse"], "o", color=colour, clip_on=False,
                markerfacecolor=colour if measured else "white")  # fmt: skip
    return points


def _label(ax: Any, points: Rows) -> None:
    """Each name at the nearest place where it covers no point and no other name, ours first."""
    frame = ax.get_window_extent()
    at = ax.transData.transform([(row["seconds"], row["rmse"]) for row in points])
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in at]
    taken += [text.get_window_extent().extents for text in ax.texts]
    turns = [(np.cos(a), np.sin(a)) for a in np.arange(0, 2 * np.pi, np.pi / 8)]
    for (x, y), row in sorted(
        zip(at, points, strict=True), key=lambda pair: (pair[1]["kind"] != "ours", pair[0][1])
    ):
        note = ax.annotate(
            row["method"], (x, y), xycoords="figure pixels", textcoords="figure pixels",
            fontsize=8, color=COLOUR[row["kind"]],
            fontweight="bold" if row["kind"] == "ours" else "normal",
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.6, "shrinkB": 5},
        )  # fmt: skip
        size = note.get_window_extent()
        for reach, (dx, dy) in itertools.product(range(8, 160, 4), turns):
            left = x + reach * dx - size.width * (1 - dx) / 2
            low = y + reach * dy - size.height * (1 - dy) / 2
            box = (left, low, left + size.width, low + size.height)
            if _inside(box, frame) and not any(_overlap(box, other) for other in taken):
                break
        taken.append(box)
        note.set_position(box[:2])


def _inside(box: tuple[float, ...], frame: Any) -> bool:
    return bool(box[0] > frame.x0 + 2 and box[1] > frame.y0 + 2
                and box[2] < frame.x1 - 2 and box[3] < frame.y1 - 2)  # fmt: skip


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def main() -> None:
    parser = make_parser(__doc__, "a cut of GDSC1: does it run at all?")
    parser.add_argument("--only", nargs="*", help="kinds, or beginnings of names (default: all)")
    parser.add_argument("--screen", nargs="+", choices=SCREENS, help="(default: all)")
    given = parser.parse_args()
    make_folder(given)
    rows = {(row["screen"], row["method"]): row for row in read_csv(given.out / "peers.csv")}
    for screen in given.screen or list(SCREENS)[: 1 if given.quick else None]:
        data, truth = SCREENS[screen]()
        limit = 10 if given.quick else LIMIT if data.size < LARGE else LIMIT_OF_LARGE
        missing = 100 * np.isnan(data).mean()
        size = f"{data.shape[0]:,} x {data.shape[1]:,}, {missing:.0f} % missing"
        for name in wanted(given.only):
            row = {"screen": screen, "size": size, "entries": data.size}
            if note := too_slow(list(rows.values()), name, screen, data.size, limit):
                row |= unknown(name) | {"note": note}
            else:
                row |= measure(name, data, truth, limit)
            rows[screen, name] = row
            say(row)
            write_csv(given.out / "peers.csv", list(rows.values()))
    order = sorted(rows.values(), key=lambda row: list(SCREENS).index(row["screen"]))
    write_csv(given.out / "peers.csv", order)
    write_tables(given.out, "peers", tables(order), as_csv=False)
    picture(order, given.out / "peers.png")


if __name__ == "__main__":
    main()
