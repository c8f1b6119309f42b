"""The paper's analyses on real screens, each with its trivial answer and controls.

    python benchmarks/real.py [--only SECTION] [--out DIR]

SECTION is concordance, biomarkers, clusters or prediction, all by default, or published: the
algorithm as published, 500 wide, which takes half an hour.

Reads ../shared/data. See README.md beside this file for what each table says.
"""

from __future__ import annotations

import argparse
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from report import Rows, make_folder, write_tables
from rivals import PAPER, knn, rmse, soft_impute_centred
from screens import DATA

import rtdmf_bio as rt
from rtdmf_bio.model.holdout import holdout_mask

SECTIONS = ("concordance", "biomarkers", "clusters", "prediction")
SLOW = "published"  # half an hour, so only on demand
SCREENS = ("gdsc1000", "ctrpv2", "ccle")
PAIRS = (
    ("gdsc1000", "ctrpv2"),
    ("gdsc1000", "ccle"),
    ("ctrpv2", "ccle"),
    ("gdsc1000", "fimm"),
    ("ctrpv2", "fimm"),
    ("gdsc1000", "prism"),
    ("ctrpv2", "prism"),
)
TISSUE = {
    "gdsc1000": "GDSC Tissue descriptor 1",
    "ctrpv2": "cancer_type",
    "ccle": "Site_Primary",
    "fimm": "Tissue",
    "gdsc1": "OncotreeLineage",
}
PUBLISHED = "published objective"
TRIVIAL, CENTRED = "two-way means", "two-way residual"  # as tl.concordance names them
# Of each table of concordance: its column, and the score as tl.concordance_summary names it.
SCORES = {
    "share": "share_significant",
    "rho": "median_rho",
    "specificity": "specificity",
    "rho*": "median_rho_star",
    "specificity*": "specificity_star",
}


def screen(name: str) -> anndata.AnnData:
    """One published screen as AUC, higher = resistant; lines are known by name alone.

    With tissues and mutations of the lines, targets and pathways of the drugs, where known.
    """
    file = {"ccle": "matrix_auc_from_actarea"}.get(name, "matrix")
    table = pd.read_csv(DATA / name / f"{file}.csv.gz", index_col=0)
    table = table[~table.index.str.contains(":") | (name != "ctrpv2")]
    table = table.dropna(how="all").dropna(how="all", axis=1)
    obs, var = pd.DataFrame(index=table.index), pd.DataFrame(index=table.columns)
    if name in TISSUE:
        drugs = pd.read_csv(DATA / name / "drugs.csv.gz").set_index("drug")
        obs = drugs.reindex(obs.index)[[c for c in ("target", "pathway") if c in drugs]]
        cells = pd.read_csv(DATA / name / "cells.csv.gz").set_index("cell_line")
        var["tissue"] = cells[TISSUE[name]].reindex(var.index).fillna("unknown").astype(str)
        if name in SCREENS:
            for gene, mutated in mutations(name, cells.reindex(var.index)).items():
                var[f"{gene}_mut"] = mutated
    adata = anndata.AnnData(table.to_numpy(), obs, var)
    adata.uns["measure"] = {"name": "AUC", "higher_is": "resistant"}
    return adata


def mutations(name: str, cells: pd.DataFrame) -> dict[str, pd.Series]:
    """Mutated or not by the table of GDSC1000, for ERBB2 also amplified; missing if not known."""
    features = pd.read_csv(DATA / "gdsc_v17" / "genomic_features_v17.csv.gz", index_col=0)
    if name == "ccle":
        known = pd.read_csv(DATA / "gdsc1000" / "cells.csv.gz").dropna(subset=["ModelID"])
        cosmic = known.drop_duplicates("ModelID").set_index("ModelID")["COSMIC_ID"]
        identifier = cosmic.reindex(cells["depMapID"]).to_numpy()
    else:
        identifier = cells["COSMIC_ID" if "COSMIC_ID" in cells else "COSMICID"].to_numpy()
    table = features.reindex(pd.to_numeric(pd.Series(identifier), errors="coerce").to_numpy())
    gain = next(c for c in features if c.startswith("gain_cna") and "ERBB2" in c)
    out = {g: table[f"{g}_mut"] for g in ("BRAF", "TP53", "EGFR")}
    out["ERBB2"] = table[["ERBB2_mut", gain]].max(axis=1, skipna=False)
    return {
        gene: pd.Series(values.to_numpy(), index=cells.index).map({1: True, 0: False})
        for gene, values in out.items()
    }


def corrected(adata: anndata.AnnData) -> anndata.AnnData:
    """The screen with our correction, defaults untouched, and what the rivals make of it."""
    groups = tissue_of(adata)
    rt.pp.correct(adata, group_key=groups, progress=False)
    data = np.asarray(adata.X, dtype=float)
    mask = holdout_mask(np.isfinite(data), 0.15, np.random.default_rng(0))
    adata.layers["KNN"] = knn(data, mask, True).completed
    adata.layers["soft-impute"] = soft_impute_centred(data, mask, True).completed
    # Like the others, on all entries once validation has said when to stop.
    published = rt.RTDMF(**PAPER, refit=True)
    published.fit(data, groups=None if groups is None else adata.var[groups], validation=mask)
    adata.layers[PUBLISHED] = published.corrected_
    rt.pp.correct(adata, group_key=None, key_added="no groups", progress=False)
    return adata


def tissue_of(adata: anndata.AnnData) -> str | None:
    """The default groups; PRISM's lines have none."""
    return "tissue" if "tissue" in adata.var else None


def held_out_errors(adata: anndata.AnnData) -> dict[str, float]:
    """RMSE of each method on 15 % of the measurements that none of them has seen, by layer."""
    truth = np.asarray(adata.X, dtype=float)
    test = holdout_mask(np.isfinite(truth), 0.15, np.random.default_rng(1))
    hidden = adata.copy()
    hidden.X = np.where(test, np.nan, truth)
    means = rt.baselines.two_way_means(hidden.X)
    corrected(hidden)
    fitted = {name: hidden.layers[name] for name in LABELS if name in hidden.layers}
    del fitted["rtdmf_specific"]  # a part, which predicts nothing
    return {name: rmse(x, truth, test) for name, x in ({TRIVIAL: means} | fitted).items()}


LABELS = {
    "X": "measured",
    TRIVIAL: "drug mean + line mean",
    CENTRED: "what these leave of the measured",
    PUBLISHED: "published objective, compact chain",
    "KNN": "KNN",
    "soft-impute": "soft-impute",
    "rtdmf": "ours",
    "no groups": "ours, group_key=None",
    "rtdmf_specific": "ours, specific part alone",
}


def _concordance(given: argparse.Namespace) -> None:
    screens, errors = {}, {}
    for name in dict.fromkeys(name for pair in PAIRS for name in pair):
        adata = screen(name)
        errors[name] = held_out_errors(adata)
        screens[name] = corrected(adata)
        print(name, adata.shape, errors[name], flush=True)
    tables = _pairs(screens, LABELS, errors)
    tables |= _frontier(screens, given.out)
    write_tables(given.out, "real_concordance", tables, as_csv=False)


@cache
def _aliases() -> pd.DataFrame:
    return pd.read_csv(DATA / "drug_alias.csv.gz")


def _pairs(
    screens: dict[str, anndata.AnnData],
    label: dict[str, str],
    errors: dict[str, dict[str, float]] | None = None,
) -> dict[str, Rows]:
    """All five scores of each pair, one row for each source, under its label."""
    layers = [name for name in label if name not in (TRIVIAL, CENTRED)]
    tables = {}
    for pair in PAIRS:
        a, b = (screens[name] for name in pair)
        table = rt.tl.concordance(a, b, layer=layers, aliases=_aliases())
        summary = rt.tl.concordance_summary(table)
        tables[f"{pair[0]} - {pair[1]}, {summary['n_drugs'].iloc[0]} drugs"] = [
            {
                "method": method,
                **_scores(summary.loc[name]),
                **{f"error, {one}": errors[one].get(name) for one in pair if errors},
            }
            for name, method in label.items()
        ]
    return tables


def _scores(row: pd.Series) -> dict[str, str]:
    """Each score with its interval."""
    return {
        column: f"{row[score]:.3f} [{row[f'{score}_low']:.2f}, {row[f'{score}_high']:.2f}]"
        if np.isfinite(row[score])
        else "-"
        for column, score in SCORES.items()
    }


def _published(given: argparse.Namespace) -> None:
    """Algorithm 1 as it stands: 500 wide, random start, early stopping."""
    names = dict.fromkeys(name for pair in PAIRS for name in pair)
    screens, fits = {name: screen(name) for name in names}, []
    for name, adata in screens.items():
        rt.pp.correct(
            adata, preset="paper", group_key=tissue_of(adata), key_added="published", progress=False
        )
        result = adata.uns["published"]
        error = result["validation_rmse"]
        fits.append(
            {
                "screen": name,
                "best iteration": result["n_iter"],
                "stopped": result["stop_reason"],
                "held-out RMSE": error["low_rank"],
                "drug mean + line mean": error["two_way_means"],
                "grand mean": error["grand_mean"],
            }
        )
        print(fits[-1], flush=True)
    label = {name: LABELS[name] for name in ("X", TRIVIAL, CENTRED)}
    tables = _pairs(screens, label | {"published": "published"})
    write_tables(given.out, "real_published", {"fits": fits, **tables}, as_csv=False)


def _frontier(screens: dict[str, anndata.AnnData], out: Path) -> dict[str, Rows]:
    """Every pair over the weight of the specific part."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    weights = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)
    for adata in screens.values():
        for weight in weights:
            adata.layers[f"weight {weight:g}"] = rt.tl.weighed(adata, weight)
    tables = {}
    columns = min(len(PAIRS), 4)
    rows = -(-len(PAIRS) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(5.5 * columns, 4.5 * rows), layout="tight", squeeze=False
    )
    for ax in axes.flat[len(PAIRS) :]:
        ax.set_axis_off()
    for pair, ax in zip(PAIRS, axes.flat, strict=False):
        layers = ["X", *(f"weight {weight:g}" for weight in weights)]
        table = rt.tl.concordance(*(screens[n] for n in pair), layer=layers, aliases=_aliases())
        summary = rt.tl.concordance_summary(table).rename(index={"X": "measured"})
        # Weight 0 is as far off as the trivial answer.
        rt.pl.frontier(summary.drop(index="weight 0"), ax=ax).set_title(" - ".join(pair))
        tables[f"specific_weight, {pair[0]} - {pair[1]}"] = [
            {"specific_weight": name, **_scores(row)} for name, row in summary.iterrows()
        ]
    figure.savefig(out / "real_frontier.png", dpi=80)
    return tables


KNOWN = (
    ("dabrafenib", "BRAF"),
    ("plx4720", "BRAF"),
    ("nutlin3", "TP53"),
    ("nutlin3a", "TP53"),
    ("erlotinib", "EGFR"),
    ("gefitinib", "EGFR"),
    ("lapatinib", "ERBB2"),
)


def _biomarkers(given: argparse.Namespace) -> None:
    rows, counts = [], []
    for name in SCREENS:
        adata = screen(name)
        rt.pp.correct(adata, progress=False)
        genes = [c for c in adata.var if c.endswith("_mut")]
        table = rt.tl.biomarker(adata, group=genes)
        # Letters and digits alone, without what follows in brackets.
        bare = table["drug"].str.replace(r"\W*[\[(][^\[(]*[\])]$", "", regex=True)
        bare = bare.str.lower().str.replace(r"[\W_]", "", regex=True)
        for drug, gene in KNOWN:
            part = table[(bare == drug) & (table["group"] == f"{gene}_mut")]
            for (full, n), pair in part.groupby(["drug", "n_mutated"], sort=False):
                by = pair.set_index("source")
                rows.append(
                    {"screen": name, "drug": full, "gene": gene, "mutated": n}
                    | {f"g, {s}": by.loc[s, "effect"] for s in by.index}
                    | {f"AUROC, {s}": by.loc[s, "auroc"] for s in by.index}
                )
        found = table.assign(found=table["qvalue"] <= 0.05).groupby("source", sort=False)["found"]
        counts.append({"screen": name, "pairs": int(found.size().iloc[0]), **found.sum()})
    write_tables(
        given.out,
        "real_biomarkers",
        {"Known biomarkers": rows, "Pairs with q <= 0.05 (the trivial answer wins)": counts},
        as_csv=False,
    )


def _clusters(given: argparse.Namespace) -> None:
    rows = []
    for name, key, axis in (
        ("gdsc1000", "target", "drugs"),
        ("gdsc1000", "pathway", "drugs"),
        ("ctrpv2", "tissue", "lines"),
        ("gdsc1000", "tissue", "lines"),
    ):
        adata = screen(name)
        for where in (adata.obs, adata.var):
            for column in where.columns.intersection(["pathway", "tissue"]):
                vague = where[column].astype(str).str.match(r"(?i)other|unclassified|unknown")
                where[column] = where[column].astype(object).mask(vague, None)
        # Without groups: that clusters agree with tissues must not be the correction's own doing.
        rt.pp.correct(adata, group_key=None, progress=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = rt.tl.cluster(adata, key, axis=axis, min_group_size=3)
        scores = table.drop(columns=["n_left_out"])
        rows += [{"screen": name, "by": key, **row} for row in scores.to_dict("records")]
    write_tables(given.out, "real_clusters", {"Clusters against known groups": rows}, as_csv=False)


def _prediction(given: argparse.Namespace) -> None:
    expression = pd.read_csv(
        DATA / "expression" / "gdsc_expression_975x6163_zscored_per_sample.csv.gz", index_col=0
    ).T
    every = {"gdsc1000": 3, "ctrpv2": 6, "ccle": 1}
    rows = []
    for name in SCREENS:
        adata = screen(name)
        named = adata.var_names.str.upper().str.replace(r"[^A-Z0-9]", "", regex=True)
        here = expression.reindex(named).set_axis(adata.var_names)
        here = here[here.notna().all(axis=1)]
        drugs = list(adata.obs_names[:: every[name]])
        for model in ("elastic-net", "transfer"):
            table = rt.tl.predict(adata, here, drugs=drugs, model=model, progress=False)
            rows += _errors(table, name, model)
            print(pd.DataFrame(rows).tail(10).to_string(), flush=True)
    write_tables(given.out, "real_prediction", {"Prediction from expression": rows}, as_csv=False)


def _errors(table: pd.DataFrame, name: str, model: str) -> Rows:
    """Means over drugs, and in how many of them each training beats KNN."""
    out = []
    for (training, target), part in table.groupby(["training", "scored_against"], sort=False):
        other = table[(table["training"] == "knn") & (table["scored_against"] == target)]
        better = part.set_index("drug")["rmse"] < other.set_index("drug")["rmse"]
        row: dict[str, Any] = {"screen": name, "model": model, "training": training}
        row |= {"scored against": target, "drugs": len(part), "rmse": part["rmse"].mean()}
        row |= {"pearson": part["pearson"].mean(), "spearman": part["spearman"].mean()}
        out.append(row | {"better than KNN": float(better.mean())})
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", choices=(*SECTIONS, SLOW), help=f"run one section (default: all but {SLOW})"
    )
    parser.add_argument("--out", type=Path, help="folder (default: results/ beside this file)")
    given = parser.parse_args()
    given.quick = False
    if not DATA.exists():
        raise SystemExit("The published screens are not here (../shared/data).")
    make_folder(given)
    for section in [given.only] if given.only else SECTIONS:
        globals()[f"_{section}"](given)


if __name__ == "__main__":
    main()
