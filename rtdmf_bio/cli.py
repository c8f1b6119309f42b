"""The command ``rtdmf-bio``.

Exit codes: 0 done, 1 the data or a setting could not be used, 2 wrong arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._adata.measure import measure_of
from ._atomic import replacing
from ._version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = _parser().parse_args(argv)
    before, warnings.formatwarning = warnings.formatwarning, _one_line
    try:
        return _correct(args)
    except KeyboardInterrupt:
        print("rtdmf-bio: interrupted; no file was left unfinished.", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        print(f"rtdmf-bio: {error}", file=sys.stderr)
        return 1
    finally:
        warnings.formatwarning = before


def _one_line(message: Warning | str, *_: Any, **__: Any) -> str:
    """Say a warning without its place in the code."""
    return f"rtdmf-bio: {message}\n"


def _parser() -> argparse.ArgumentParser:
    from r_bridge.backends import choices

    parser = argparse.ArgumentParser(
        prog="rtdmf-bio",
        description="Correct and complete drug-sensitivity screens.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rtdmf-bio {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser(
        "correct",
        help="correct one screen",
        description="Correct and complete the screen in IN and write it to OUT. IN is recognised "
        "by its content: h5ad, zarr, text, Excel, parquet, R files (rds, rda) and what GDSC, "
        "DepMap, PRISM, CTRP, CCLE and others distribute. OUT is h5ad, CSV, TSV, parquet or a "
        "PharmacoSet by its ending. A table receives the corrected matrix only; a PharmacoSet in "
        "OUT is a copy of the one in IN with the corrected measure added.",
        allow_abbrev=False,
    )
    p.add_argument("input", metavar="IN", type=Path)
    p.add_argument("output", metavar="OUT", type=Path)
    p.add_argument(
        "--group-key",
        nargs="+",
        action="extend",
        metavar="COLUMN",
        help="columns of var (or of --lines) whose groups are tested, e.g. tissue",
    )
    p.add_argument(
        "--group-missing",
        choices=("error", "ignore"),
        default="error",
        help="what to do with lines that have no group",
    )
    p.add_argument("--layer", help="layer of the h5ad to correct, instead of X")
    p.add_argument("--key-added", default="rtdmf", metavar="NAME", help="name of the result")
    p.add_argument("--preset", choices=("default", "paper"), default="default")
    p.add_argument(
        "--threshold",
        type=_threshold,
        default="auto",
        metavar="SIZE",
        help="size of a high residual, in the measure's unit, or a false discovery rate such as "
        "fdr:0.05; default: by hold-out",
    )
    p.add_argument(
        "--retain", nargs="+", metavar="RULE", help="enriched, shrink, all, soft, abrupt, none"
    )
    p.add_argument("--fdr", type=float, default=0.05)
    p.add_argument(
        "--noise-sd",
        type=_number_or_name,
        metavar="SIZE",
        help="standard deviation of the error of a measurement, if it is known, or a column of obs "
        "or layer of an h5ad that holds it; default: by repeated experiments, if there are any",
    )
    p.add_argument(
        "--replicate-key",
        nargs="+",
        metavar="COLUMN",
        help="of an h5ad: column of obs, or of var, by which drugs, or lines, are the same",
    )
    p.add_argument(
        "--concentration",
        choices=("error", "log", "linear"),
        default="error",
        help="concentrations such as an IC50 in uM: refuse, take logarithms (OUT then holds ln "
        "uM), or correct as they are",
    )
    p.add_argument(
        "--extreme",
        choices=("error", "keep"),
        default="error",
        help="values that no experiment gives: refuse, or keep without fitting them",
    )
    p.add_argument("--infinite", choices=("error", "nan", "clip"), default="error")
    p.add_argument(
        "--unmeasured",
        choices=("error", "nan"),
        default="error",
        help="drugs or lines without any measurement: refuse, or carry along",
    )
    p.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    p.add_argument("--seed", type=int, default=0, help="of the hold-out")
    p.add_argument("--flags", type=Path, metavar="FILE", help="also write the flags as a table")
    p.add_argument(
        "--enrichment",
        type=Path,
        metavar="FILE",
        help="also write the enriched drug-group pairs, as CSV or TSV",
    )
    p.add_argument("--picture", type=Path, metavar="FILE", help="also draw it (png, pdf or svg)")
    p.add_argument("--force", action="store_true", help="overwrite files and results that exist")
    p.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    p.add_argument(
        "--measure",
        metavar="NAME",
        help="which of several a file holds, e.g. ln_ic50 or auc_recomputed (a wrong name lists "
        "them); of a plain table, what it holds",
    )
    t = p.add_argument_group("tables, where they are not recognised")
    t.add_argument("--format", metavar="NAME", help="what IN is; a wrong name lists them")
    t.add_argument("--layout", choices=("wide", "long"), default="wide")
    t.add_argument("--drugs-in", choices=("rows", "columns"), help="of a wide table")
    t.add_argument("--drug", nargs="+", metavar="COLUMN", help="drug names of a long table")
    t.add_argument("--cell-line", nargs="+", metavar="COLUMN", help="line names of a long table")
    t.add_argument("--value", metavar="COLUMN", help="measurements of a long table")
    t.add_argument(
        "--where",
        nargs="+",
        action="extend",
        type=_column_is,
        metavar="COLUMN=VALUE",
        help="rows of a long table to read",
    )
    t.add_argument("--obs-columns", nargs="+", default=(), metavar="COLUMN",
                   help="columns of the table that annotate drugs")  # fmt: skip
    t.add_argument("--var-columns", nargs="+", default=(), metavar="COLUMN",
                   help="columns of the table that annotate cell lines")  # fmt: skip
    t.add_argument("--drop-unnamed", action="store_true", help="leave out what has no name")
    t.add_argument("--sep", metavar="CHARACTER", help="separator; default: found out")
    t.add_argument("--decimal", choices=(".", ","), help="decimal mark; default: found out")
    t.add_argument("--encoding", metavar="NAME", help="of a text; default: found out")
    t.add_argument("--sheet", metavar="NAME", help="of an Excel file")
    t.add_argument("--skip-rows", type=int, default=0, metavar="N", help="lines above the header")
    t.add_argument("--na-values", nargs="+", default=(), metavar="TEXT")
    t.add_argument(
        "--censored",
        choices=("bound", "nan", "keep", "error"),
        default="bound",
        help="values such as >8 or inf: take at the bound and mark, leave out, or refuse; of a "
        "PharmacoSet also keep infinite ones",
    )
    t.add_argument("--transpose", action="store_true", help="write drugs as columns, to tables")
    t.add_argument(
        "--aggregate",
        choices=("mean", "median", "min", "max", "first", "last"),
        help="how to combine replicates",
    )
    t.add_argument(
        "--lines",
        type=Path,
        metavar="FILE",
        help="table of cell lines with their groups, names in its first column",
    )
    t.add_argument("--lines-key", metavar="COLUMN", help="column of --lines with the names")
    t.add_argument("--drug-info", type=Path, metavar="FILE", help="the same of the drugs")
    t.add_argument("--drug-info-key", metavar="COLUMN", help="column of --drug-info with the names")
    t.add_argument(
        "--higher-is", choices=("resistant", "sensitive"), help="direction of the measure"
    )
    r = p.add_argument_group("PharmacoSets")
    r.add_argument("--measure-name", metavar="NAME", help="of the corrected measure in OUT")
    r.add_argument(
        "--summary",
        choices=("median", "mean", "first", "last", "max", "min"),
        default="median",
        help="one value out of replicates",
    )
    r.add_argument("--object", metavar="NAME", help="which PharmacoSet of several in an rda")
    r.add_argument(
        "--backend",
        choices=choices(),
        default="auto",
        help="what reads it; only R writes one",
    )
    r.add_argument(
        "--kind", metavar="NAME", help="what the measure is, e.g. dss; a wrong name lists the kinds"
    )
    r.add_argument("--out-of-range", choices=("keep", "nan", "clip"), default="keep")
    r.add_argument("--combinations", choices=("error", "join"), default="error")
    r.add_argument("--unmatched", choices=("error", "drop"), default="error")
    return parser


def _correct(args: argparse.Namespace) -> int:
    from . import io, pp
    from ._adata.inputs import REPLICATE_SD, known_noise

    start = time.perf_counter()
    outputs = [args.output, args.flags, args.enrichment, args.picture]
    _check_outputs([path for path in outputs if path is not None], args)
    adata = _read(args)
    noise_sd = args.noise_sd
    # In an h5ad, X may be another by now than when it was read.
    if adata.uns.get("read", {}).get("format") != "anndata":
        noise_sd = known_noise(adata, vars(args))
        if noise_sd == REPLICATE_SD != args.noise_sd and args.concentration == "log":
            noise_sd = None  # it is that of the linear values
    pp.correct(
        adata,
        layer=args.layer,
        key_added=args.key_added,
        group_key=args.group_key,
        group_missing=args.group_missing,
        preset=args.preset,
        threshold=args.threshold,
        retain=args.retain,
        fdr=args.fdr,
        replicate_key=args.replicate_key,
        noise_sd=noise_sd,
        concentration=args.concentration,
        infinite=args.infinite,
        extreme=args.extreme,
        unmeasured=args.unmeasured,
        device=args.device,
        random_state=args.seed,
        progress=not args.quiet,
        overwrite=args.force,
    )
    key = args.key_added
    report = None
    if args.concentration == "log":
        name = measure_of(adata, key)["name"]
        print(
            f"rtdmf-bio: logarithms were taken, and {args.output} holds {name} in ln uM.",
            file=sys.stderr,
        )
    if _is_pset(args.output):
        from r_bridge import write_pset

        report = write_pset(
            *(adata, args.input, args.output),
            layer=key,
            measure_name=args.measure_name,
            name=args.object,
            backend=args.backend,
            overwrite=args.force,
            progress=not args.quiet,
        )
    elif _is_table(args.output):
        io.write_table(
            *(adata, args.output),
            layer=key,
            drugs="columns" if args.transpose else "rows",
            overwrite=args.force,
        )
    else:
        io.write_h5ad(adata, args.output, overwrite=args.force)
    if args.flags is not None:
        io.write_table(adata, args.flags, layer=f"{key}_flag", overwrite=args.force)
    if args.enrichment is not None:
        _write_enrichment(adata, args.enrichment, key, args.force)
    if args.picture is not None:
        _draw(adata, args.picture, key, args.group_key, args.force)
    if report is not None and report.path is None:
        print(
            f"rtdmf-bio: {args.output} was not written, for want of R; tables to merge there are "
            f"in {', '.join(map(str, report.tables))}.",
            file=sys.stderr,
        )
    if not args.quiet:
        print(summary(adata, key=key, seconds=time.perf_counter() - start))
        written = [path for path in outputs if path is not None]
        if report is not None:
            print(report)
            written.remove(args.output)
        if written:
            print("wrote    " + ", ".join(map(str, written)))
    return 0


def _check_outputs(paths: list[Path], args: argparse.Namespace) -> None:
    """Say what is wrong before the work, not after it."""
    if args.enrichment is not None and not args.group_key:
        raise ValueError("--enrichment needs groups: pass --group-key, e.g. --group-key tissue.")
    beside = []
    if _is_pset(args.output):
        from r_bridge.files import companions

        beside = [path for files in companions(args.output).values() for path in files]
    for path in [*paths, *beside]:
        if path.exists() and not args.force:
            raise FileExistsError(f"{path} exists. Pass --force to replace it.")
        if not path.resolve().parent.is_dir():
            raise FileNotFoundError(f"The folder of {path} does not exist. Create it first.")
    everything = [*paths, *beside, args.input]
    if len({path.resolve() for path in everything}) < len(everything):
        raise ValueError("Input and output files must all differ.")
    if args.flags is not None and not _is_table(args.flags):
        raise ValueError(f"{args.flags}: the name must end in .csv, .tsv, .txt or .parquet.")
    if args.picture is not None:
        _check_picture(args.picture)
    if args.transpose and not _is_table(args.output):
        raise ValueError(f"--transpose is for tables, and {args.output} is none. Leave it out.")
    if args.measure_name is not None and not _is_pset(args.output):
        raise ValueError(
            f"--measure-name is for PharmacoSets, and {args.output} is none. Leave it out."
        )
    for key, table in (("lines_key", "lines"), ("drug_info_key", "drug_info")):
        if getattr(args, key) is not None and getattr(args, table) is None:
            option = f"--{table.replace('_', '-')}"
            raise ValueError(f"{option}-key names a column of {option}. Pass {option} FILE, too.")
    path = args.output
    if not _is_table(path) and not _is_pset(path) and path.suffix.lower() != ".h5ad":
        raise ValueError(
            f"{path}: the name must end in .h5ad, .csv, .tsv, .txt, .parquet, .rds or .rda."
        )
    if _is_pset(args.output) and not _is_pset(args.input):
        raise ValueError(f"{args.output} is to be a PharmacoSet; then IN must be one, too.")


def _check_picture(path: Path) -> None:
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix and path.suffix.lstrip(".").lower() not in known:
        raise ValueError(f"{path}: the name of a picture must end in one of {', '.join(known)}.")


def _is_table(path: Path) -> bool:
    from .io import TABLE_SUFFIXES

    return str(path).lower().endswith(TABLE_SUFFIXES)


def _is_pset(path: Path) -> bool:
    from r_bridge.files import SUFFIXES

    return path.suffix.lower() in SUFFIXES


def _read_pset(args: argparse.Namespace) -> AnnData:
    from r_bridge import read_pset

    return read_pset(
        *(args.input, args.measure, args.summary),
        backend=args.backend,
        name=args.object,
        higher_is=args.higher_is,
        kind=args.kind,
        censored=args.censored,
        out_of_range=args.out_of_range,
        combinations=args.combinations,
        unmatched=args.unmatched,
        progress=not args.quiet,
    )


def _read(args: argparse.Namespace) -> AnnData:
    from r_bridge.files import NoPharmacoSetError

    from . import io

    if _is_pset(args.input):
        try:
            adata = _read_pset(args)
        except NoPharmacoSetError:
            if _is_pset(args.output):
                raise
        else:
            _refuse(args, _OF_TABLES, "a PharmacoSet")
            return adata
    _refuse(args, _OF_PSETS, "no PharmacoSet")
    if args.object is not None and not _is_pset(args.input):
        raise ValueError(f"--object is for files of R, and {args.input} is none. Leave it out.")
    adata = io.read(
        args.input,
        format=args.format,
        measure=args.measure,
        quiet=args.quiet,
        layout=args.layout,
        drugs=args.drugs_in,
        drug=_one_or_several(args.drug),
        cell_line=_one_or_several(args.cell_line),
        value=args.value,
        where=dict(args.where or ()),
        obs_columns=args.obs_columns,
        var_columns=args.var_columns,
        drop_unnamed=args.drop_unnamed,
        sep=args.sep,
        decimal=args.decimal,
        encoding=args.encoding,
        sheet=args.sheet or args.object,
        skip_rows=args.skip_rows,
        na_values=args.na_values,
        censored=args.censored,
        aggregate=args.aggregate,
        obs=args.drug_info,
        obs_key=args.drug_info_key,
        var=args.lines,
        var_key=args.lines_key,
    )
    if args.higher_is is not None:
        adata.uns["measure"] = {**measure_of(adata), "higher_is": args.higher_is}
    return adata


_OF_TABLES = (
    "format", "layout", "drugs_in", "drug", "cell_line", "value", "where", "obs_columns",
    "var_columns", "drop_unnamed", "sep", "decimal", "encoding", "sheet", "skip_rows", "na_values",
    "aggregate", "lines", "lines_key", "drug_info", "drug_info_key",
)  # fmt: skip
_OF_PSETS = ("measure_name", "summary", "backend", "kind", "out_of_range", "combinations",
             "unmatched")  # fmt: skip


def _refuse(args: argparse.Namespace, names: Sequence[str], what: str) -> None:
    """Refuse options that would be ignored, since IN is not what they are for."""
    usual = _parser().parse_args(["correct", "in", "out"])
    given = [name for name in names if getattr(args, name) != getattr(usual, name)]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(f"{args.input} is {what}, and would be read without {options}. "
                         f"Leave out what does not belong.")  # fmt: skip


def _one_or_several(names: list[str] | None) -> str | list[str] | None:
    return names[0] if names and len(names) == 1 else names


def _write_enrichment(adata: AnnData, path: Path, key: str, force: bool) -> None:
    from . import tl

    sep = "\t" if path.suffix.lower() in (".tsv", ".txt") else ","
    with replacing(path, overwrite=force) as temporary:
        tl.enrichment(adata, key=key).to_csv(temporary, sep=sep, index=False)


def _draw(adata: AnnData, path: Path, key: str, group_key: list[str] | None, force: bool) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from . import pl

    figure = pl.correction(adata, key=key, group_key=group_key)
    with replacing(path, overwrite=force) as temporary:
        figure.savefig(temporary, format=path.suffix.lstrip(".").lower() or "png", dpi=150)
    plt.close(figure)


def _noise_line(result: dict[str, Any]) -> list[str]:
    """Where the noise comes from, and how far it moved the measurements."""
    noise = result["noise"]
    if noise["source"] == "none":
        return []
    source = {
        "given": "as given",
        "replicates": "from replicates",
        "prior": "a guess from this one matrix, which cannot tell noise from a response that "
        "nothing else supports",
    }[noise["source"]]
    return [
        f"noise    sd {noise['sd']:.3g} ({source}); a typical drug moved by "
        f"{noise['moved']:.2g} of it, {noise['n_left_alone']} drug(s) left as measured"
    ]


def _found_lines(adata: AnnData, key: str, measured: int) -> list[str]:
    """What was found in the data that does not go without saying."""
    import numpy as np

    from .model.retention import is_measured

    found: dict[str, int] = adata.uns[key].get("found", {})
    bounds = measure_of(adata, adata.uns[key]["layer"]).get("bounds", ())
    share = "({:.2%} of the measured) "
    said = {
        "n_integer_na": ("", "held the smallest integer, as R writes a missing one: not measured"),
        "n_outside_bounds": (
            share,
            f"outside the bounds [{', '.join(f'{bound:g}' for bound in bounds)}]",
        ),
        "n_censored": (share, "bounds, such as >8: left out of the noise, moved to one side only"),
        "n_extreme": (share, "too far out for a measurement: fits did not see them"),
    }
    lines = [
        f"found    {n} entries {share.format(n / measured)}{text}"
        for name, (share, text) in said.items()
        if (n := found.get(name, 0))
    ]
    flag = np.asarray(adata.layers[f"{key}_flag"])
    for axis, what, table in ((1, "drug", adata.obs), (0, "cell line", adata.var)):
        if f"{key}_too_few" not in table or not table[f"{key}_too_few"].any():
            continue
        few = table[f"{key}_too_few"].to_numpy(dtype=bool)
        names, counts = list(table.index[few]), is_measured(flag).sum(axis)[few]
        shown = [f"{name} ({n})" for name, n in zip(names[:5], counts, strict=False)]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        lines.append(
            f"too few  {len(names)} {what}(s) with too few measurements to learn from: "
            f"{', '.join(shown)}{more}; what is imputed of them is little more than a mean"
        )
    return lines


def summary(adata: AnnData, *, key: str = "rtdmf", seconds: float | None = None) -> str:
    """Say in a few lines what a correction did."""
    import numpy as np

    from .model.retention import Flag, is_high, is_measured, is_retained

    result: dict[str, Any] = adata.uns[key]
    flag = np.asarray(adata.layers[f"{key}_flag"])
    measured, imputed = max(int(is_measured(flag).sum()), 1), flag == Flag.IMPUTED
    name = measure_of(adata, result["layer"]).get("name", "")
    lines = [
        f"matrix   {flag.shape[0]} drugs x {flag.shape[1]} cell lines"
        + (f", {name or result['layer']}" if name or result["layer"] != "X" else ""),
        f"imputed  {imputed.sum()} entries, {imputed.mean():.1%} of all",
        f"high     {is_high(flag).sum() / measured:.1%} of the measured entries; "
        f"{is_retained(flag).sum() / measured:.1%} retained",
        f"threshold {result['threshold']:.4g} ({result['threshold_how']}; unexplained sd "
        f"{result['unexplained_sd']:.4g})",
        *_noise_line(result),
    ]
    lines += _found_lines(adata, key, measured)
    piled = result["pile_ups"]
    if piled["share"]:
        common = [
            f"{v:.4g} ({s:.1%})" for v, s in zip(piled["values"], piled["shares"], strict=True)
        ]
        common += [f"of their own in {piled['n_drugs']} drug(s)"] if piled["n_drugs"] else []
        lines.append(
            f"pile-ups {piled['share']:.1%} of the measured entries at shared values: "
            f"{', '.join(common[:5])}; not used for the noise"
        )
    fits = result["fits"]
    cut = int((fits["stop_reason"] == "max_iterations").sum())
    if result["stop_reason"] not in ("converged", "early_stopped"):
        lines.append(f"ended    {result['stop_message']} ({cut} of {len(fits)} fits cut short)")
    errors = result["validation_rmse"]
    if errors:
        best = errors.get("imputed", errors["low_rank"])
        lines.append(
            f"held-out RMSE {best:.4g} (drug mean + line mean {errors['two_way_means']:.4g}, "
            f"grand mean {errors['grand_mean']:.4g})"
        )
    if "enrichment" in result:
        table = result["enrichment"]
        hits = int((table["qvalue"] <= result["params"]["fdr"]).sum())
        lines.append(f"enriched {hits} of {len(table)} drug-group pairs; the first:")
        lines += [
            f"         {r.drug}, {r.group}: {r.n_high_group} of {r.n_group} lines {r.side}, "
            f"{r.n_expected:.1f} expected, q = {r.qvalue:.1e}"
            for r in table.head(5).itertuples()
        ]
    else:
        lines.append("enriched no groups given (--group-key)")
    if seconds is not None:
        lines.append(f"time     {seconds:.1f} s on {result['device']}")
    return "\n".join(lines)


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _column_is(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"must be COLUMN=VALUE, got {text!r}")
    return column, value


def _threshold(text: str) -> float | str:
    if text == "auto" or text.startswith("fdr:"):
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number, auto or a rate such as fdr:0.05, got {text!r}"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
