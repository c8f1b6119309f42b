"""The paper's simulation study: who finds the planted signal again.

    python benchmarks/simulation.py [--only study|stability|speed] [--seeds 3] [--jobs 2] [--quick]

Every generator of ``datasets.simulate`` and, where present, the published matrices, by every
method. All see the training entries alone and choose their parameters on the validation entries;
flags are scored on training entries, predictions on test entries. The one exception says so in its
name: ``refitted`` is trained on training and validation entries, as a user's own call is.

The study is resumed where it was interrupted: rows in results/simulation.csv are not run again.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from report import Rows, make_folder, make_parser, read_csv, write_csv, write_tables
from rivals import PAPER, Answer, even_odds
from rivals import rtdmf as fit_rtdmf
from screens import GENERATORS, PUBLISHED, SYNTHETIC, THRESHOLD, Screen, generated, load
from wide import best_point, descend, stopping_point

from rtdmf_bio import RTDMF, baselines
from rtdmf_bio.model.settings import PRESETS
from rtdmf_bio.tl import recovery_scores

BEST = np.linspace(0.05, 0.25, 41)
SECTIONS = ("study", "stability", "speed")

# -- methods --------------------------------------------------------------------------------


def rival(name: str, **fixed: Any) -> Callable[[Screen], Answer]:
    """A baseline, its parameters by validation; its threshold by the rule that RTDMF uses."""

    def fit(screen: Screen) -> Answer:
        method = baselines.METHODS[name]
        grid = [g for g in method.grid(screen.seen) if fixed.items() <= g.items()]
        low_rank = baselines.tune(method, screen.seen, screen.validation, grid=grid).fit
        return Answer(low_rank, low_rank, even_odds(screen.seen, low_rank, screen.validation))

    return fit


def rtdmf(refit: bool = False, **params: Any) -> Callable[[Screen], Answer]:
    fit = fit_rtdmf(**params)
    return lambda screen: fit(screen.seen, screen.validation, refit)


def true_low_rank(screen: Screen) -> Answer:
    return Answer(
        screen.low_rank, screen.low_rank, even_odds(screen.seen, screen.low_rank, screen.validation)
    )


def signal_known(screen: Screen) -> Answer:
    """The default, told which signal to leave out: the most that flagging could give."""
    model = RTDMF(refit=False).fit(screen.seen - screen.signal, validation=screen.validation)
    low_rank = model.low_rank_
    return Answer(low_rank, low_rank, even_odds(screen.seen, low_rank, screen.validation))


METHODS: dict[str, Callable[[Screen], Answer]] = {
    "oracle: true low rank": true_low_rank,
    "oracle: signal known": signal_known,
    "grand mean": rival("grand_mean"),
    "drug mean + line mean": rival("two_way_means"),
    "KNN smoother": rival("knn_smooth"),
    "soft-impute": rival("soft_impute", center="none"),
    "soft-impute, centred": rival("soft_impute", center="two-way"),
    "convex MF": rival("convex_mf"),
    "RPCA": rival("rpca"),
    "DBDNMF": rival("dbdnmf"),
    "RT-DMF as published (compact)": rtdmf(**PAPER),
    "RTDMF default": rtdmf(),
    "RTDMF default, refitted": rtdmf(refit=True),
}


# -- the study ------------------------------------------------------------------------------


def study(given: argparse.Namespace) -> None:
    path, cache = given.out / "simulation.csv", given.out / "recovered"
    cache.mkdir(exist_ok=True)
    rows: Rows = read_csv(path)
    done = {(row["screen"], row["method"]) for row in rows}
    names = [name for name in PUBLISHED if (SYNTHETIC / f"{name}.npz").exists()]
    names = names[-1:] if given.quick else names
    seeds = range(1 if given.quick else given.seeds)
    names += ["/".join((*kind, str(seed))) for seed in seeds for kind in GENERATORS]
    todo = [(n, m) for n in names for m in METHODS if (n, m) not in done]
    work = joblib.Parallel(n_jobs=given.jobs, return_as="generator_unordered")
    for row in work(joblib.delayed(one)(name, m, given.quick, cache) for name, m in todo):
        print(*row.values(), sep="  ", flush=True)
        rows.append(row)
        write_csv(path, rows)
    write_tables(given.out, "simulation", tables(read_csv(path)), as_csv=False)
    pictures(read_csv(path), given.out, given.quick)


def one(name: str, method: str, quick: bool, cache: Path) -> dict[str, Any]:
    """One method on one screen: a row, and the recovered signal for the picture."""
    torch.set_num_threads(1)
    screen = load(name, quick)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a grid's far ends need more iterations than they get
        answer = METHODS[method](screen)
    seconds = time.process_time() - start
    row: dict[str, Any] = {"screen": name, "method": method}
    # At a threshold above part of the planted signal the published count drops that part from the
    # truth, and a method that flags nothing would win: beyond 0.15 all of it must be found.
    planted = np.where(screen.signal > 0, np.inf, screen.signal)

    def score(threshold: float, truth: np.ndarray = planted) -> dict[str, float]:
        return recovery_scores(
            answer.low_rank, screen.data, truth_signal=truth, truth_low_rank=screen.low_rank,
            heldout=screen.validation | screen.test, block=screen.block, threshold=threshold,
            test=screen.test, completed=answer.completed,
        )  # fmt: skip

    scores = score(THRESHOLD, screen.signal)
    # As if someone knew the truth: what a method's residuals could give at best.
    best = min((score(t) for t in BEST), key=lambda found: found["re"])
    for label, found in (
        (str(THRESHOLD), scores),
        ("own", score(answer.threshold)),
        ("best", best),
    ):
        for key in ("re", "ibre", "precision", "recall"):
            row[f"{key}_{label}"] = found[key]
    row |= {"auprc": scores["auprc"], "test_mse_x1000": 1e3 * scores["test_mse"]}
    row |= {"low_rank_rmse": scores["low_rank_rmse"], "threshold": answer.threshold}
    row["seconds"] = seconds
    if name in PUBLISHED or name.endswith("/0"):
        np.savez_compressed(cache / f"{name}_{method}.npz".replace("/", "_"), L=answer.low_rank)
    return row


def tables(rows: Rows) -> dict[str, Rows]:
    """The published matrices one by one, the generated ones as means over seeds."""
    out: dict[str, Rows] = {}
    for name in (n for n in PUBLISHED if any(row["screen"] == n for row in rows)):
        title = f"Published matrix {name}; RE / IBRE at three thresholds"
        out[title] = [_summary([row]) for row in _ordered(rows, [name])]
    for low_rank, signal in GENERATORS:
        names = {row["screen"] for row in rows if row["screen"].startswith(f"{low_rank}/{signal}/")}
        if names:
            title = f"Simulated, {low_rank} + {signal}, mean over {len(names)} seed(s)"
            out[title] = [
                _summary([row for row in rows if row["screen"] in names and row["method"] == m])
                for m in METHODS
                if any(row["screen"] in names and row["method"] == m for row in rows)
            ]
    return out


def _ordered(rows: Rows, names: list[str]) -> Rows:
    return [row for m in METHODS for row in rows if row["method"] == m and row["screen"] in names]


def _summary(rows: Rows) -> dict[str, Any]:
    def mean(key: str) -> float:
        return float(np.mean([row[key] for row in rows]))

    def pair(label: str) -> str:
        return f"{mean(f're_{label}'):.0f} / {mean(f'ibre_{label}'):.0f}"

    return {
        "method": rows[0]["method"],
        f"RE / IBRE, {THRESHOLD}": pair(str(THRESHOLD)),
        "RE / IBRE, own": pair("own"),
        "RE / IBRE, best": pair("best"),
        "own threshold": mean("threshold"),
        "test MSE x1000": mean("test_mse_x1000"),
        "precision": mean("precision_own"),
        "recall": mean("recall_own"),
        "AUPRC": mean("auprc"),
        "RMSE of L": mean("low_rank_rmse"),
        "seconds": mean("seconds"),
    }


# -- pictures -------------------------------------------------------------------------------

SHOWN = (
    "RTDMF default", "RT-DMF as published (compact)", "DBDNMF", "convex MF", "RPCA",
    "soft-impute, centred", "grand mean",
)  # fmt: skip


def pictures(rows: Rows, out: Path, quick: bool) -> None:
    """Recovered against true signal near the blocks; RE and IBRE by method."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import ListedColormap

    have = {row["screen"] for row in rows}
    names = [n for n in (*PUBLISHED, *("/".join((*kind, "0")) for kind in GENERATORS)) if n in have]
    for name in names:
        screen = load(name, quick)
        held_out = screen.validation | screen.test
        here = np.ix_(screen.drugs[:100], screen.lines[:100])
        panels = {"planted": screen.signal >= THRESHOLD}
        for method in SHOWN:
            file = out / "recovered" / f"{name}_{method}.npz".replace("/", "_")
            if file.exists():
                with np.load(file) as content:
                    panels[method] = screen.data - content["L"] >= THRESHOLD
        if len(panels) == 1:
            continue
        fig, axes = plt.subplots(2, 4, figsize=(12, 6.6), layout="constrained")
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        planted = panels["planted"]
        for ax, (title, found) in zip(axes.flat, panels.items(), strict=False):
            # 0 nothing, 1 found, 2 missed, 3 false; held-out entries take no part.
            code = np.where(found & planted, 1, np.where(planted, 2, np.where(found, 3, 0)))
            code[held_out] = 0
            colours = ListedColormap(["white", "#1b3a5c", "#f2a900", "#d1495b"])
            ax.imshow(code[here], cmap=colours, vmin=0, vmax=3, interpolation="nearest")
            wrong = (found != planted) & ~held_out
            errors = f"RE {wrong.sum()}, IBRE {(wrong & screen.block & (screen.signal != 0)).sum()}"
            ax.set_title(title if title == "planted" else f"{title}\n{errors}", fontsize=9)
            ax.set_xticks([])
            ax.set_yticks([])
        axes.flat[0].set_ylabel("drugs (blocks first)")
        axes.flat[0].set_xlabel("cell lines (blocks first)")
        handles = [plt.Rectangle((0, 0), 1, 1, color=c) for c in ("#1b3a5c", "#f2a900", "#d1495b")]
        labels = ["planted and found", "missed", "false"]
        fig.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        fig.suptitle(f"{name}: recovered signal, residual of {THRESHOLD} or more")
        fig.savefig(out / f"recovered_{name}.png".replace("/", "_"), dpi=110)
        plt.close(fig)

    table = tables(rows)
    n_rows = -(-len(table) // 3)
    fig, grid = plt.subplots(n_rows, 3, figsize=(14, 3.6 * n_rows), layout="constrained",
                             squeeze=False)  # fmt: skip
    for ax in grid.flat[len(table) :]:
        ax.set_axis_off()
    for ax, (title, lines) in zip(grid.flat, table.items(), strict=False):
        y = np.arange(len(lines))[::-1]
        pairs = [[float(x) for x in line["RE / IBRE, own"].split("/")] for line in lines]
        values = np.maximum(pairs, 0.7)  # zero has no logarithm
        ax.hlines(y, values[:, 1], values[:, 0], color="0.8", lw=2)
        for k, (label, colour) in enumerate((("RE", "#1b3a5c"), ("IBRE", "#f2a900"))):
            ax.plot(values[:, k], y, "o", color=colour, label=label)
        ax.set_yticks(y, [line["method"] for line in lines], fontsize=7)
        ax.set_xscale("log")
        ax.grid(axis="x", color="0.92")
        ax.set_title(title.split(";")[0], fontsize=9)
    grid.flat[0].legend(frameon=False, fontsize=8)
    fig.supxlabel("entries wrongly recovered, at each method's own threshold")
    fig.savefig(out / "simulation.png", dpi=110)
    plt.close(fig)


# -- stability and speed --------------------------------------------------------------------


def stability(given: argparse.Namespace) -> None:
    """Several starts: how far apart are the answers, and after how many iterations."""
    name = PUBLISHED[-1] if (SYNTHETIC / f"{PUBLISHED[-1]}.npz").exists() else "nmf/residual/0"
    screen = load(name, quick=True)
    wide = {"preset": "paper", "width": 100}
    if given.quick:
        wide |= {"max_iter": 200}
    runs = {
        "RT-DMF as published, width 100, random starts": [
            RTDMF(**wide, random_state=seed) for seed in range(5)
        ],
        "RT-DMF as published (compact): no random start": [RTDMF(**PAPER) for _ in range(2)],
        "RTDMF default: no random start": [RTDMF() for _ in range(2)],
        "RTDMF default, another hold-out each": [RTDMF(random_state=seed) for seed in range(5)],
    }
    rows = []
    for label, models in runs.items():
        start = time.process_time()
        for model in models:
            mask = None if "another" in label else screen.validation
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.set_params(refit=False).fit(screen.seen, validation=mask)
        found = [model.low_rank_ for model in models]
        spread = np.linalg.norm(screen.low_rank - screen.low_rank.mean())
        apart = [np.linalg.norm(a - b) / spread for a, b in itertools.combinations(found, 2)]
        rows.append(
            {
                "runs": f"{label} ({len(models)})",
                "distance between two L / spread of the true L": float(np.mean(apart)),
                "largest": float(np.max(apart)),
                "iterations": ", ".join(str(model.n_iter_) for model in models),
                "stopped": ", ".join(sorted({m.stop_reason_.name.lower() for m in models})),
                "seconds each": (time.process_time() - start) / len(models),
            }
        )
        print(rows[-1], flush=True)
    write_tables(given.out, "simulation_stability", {f"Stability on {name}": rows}, as_csv=False)


def speed(given: argparse.Namespace) -> None:
    """The network as published against one fit of the default, same screen, same thread."""
    here = (SYNTHETIC / f"{PUBLISHED[0]}.npz").exists() and not given.quick
    name = PUBLISHED[0] if here else "nmf/two_block/0"
    screen = load(name, quick=not here)
    torch.set_num_threads(1)
    descend(screen.seen, screen.validation, PRESETS["default"] | {"max_iter": 10})
    cap = 20 if given.quick else given.wide_iterations
    default = descend(screen.seen, screen.validation, PRESETS["default"])[-1]
    start = time.process_time()
    RTDMF().fit(screen.seen, validation=screen.validation)
    whole = time.process_time() - start
    curve = descend(
        screen.seen,
        screen.validation,
        PRESETS["paper"] | {"early_stopping": False, "max_iter": cap},
    )
    best, last = best_point(curve), curve[-1]
    stop = stopping_point(curve, PRESETS["paper"]["patience"])
    wide = {"best validation error": best, f"all {last['iteration']} iterations": last}
    if stop is not None:
        wide["its early stopping"] = stop
    rows = [
        {
            "network as published, up to": label,
            "iterations": point["iteration"],
            "validation RMSE": point["validation_rmse"],
            "seconds": point["seconds"],
            "one fit of the default (seconds)": default["seconds"],
            "ratio": point["seconds"] / default["seconds"],
            "everything by hold-out (seconds)": whole,
        }
        for label, point in wide.items()
    ]
    fits = []
    for kind in GENERATORS:
        other = generated(*kind, 0, given.quick)
        fits.append(
            {
                "screen": "/".join(kind),
                "seconds, one fit of the default": descend(
                    other.seen, other.validation, PRESETS["default"]
                )[-1]["seconds"],
            }
        )
    tables = {f"Speed on {name}, one thread": rows, "One fit of simulated screens": fits}
    write_tables(given.out, "simulation_speed", tables, as_csv=False)


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--only", choices=SECTIONS, help="run one section (default: all three)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="screens per generator")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes of the study")
    parser.add_argument("--wide-iterations", type=int, default=24_000, metavar="N")
    given = parser.parse_args()
    make_folder(given)
    for section in SECTIONS:
        if given.only in (None, section):
            {"study": study, "stability": stability, "speed": speed}[section](given)


if __name__ == "__main__":
    main()
