"""What R files hold, as tables and AnnData: the interface alone, so that it loads nothing."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from ..backends import Backend

logger = logging.getLogger("r_bridge")


def read_r(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    backend: Backend = "auto",
    progress: bool = True,
) -> AnnData | pd.DataFrame:
    """Read a matrix, data frame, SummarizedExperiment or PharmacoSet out of an R file.

    Rows and columns are those of the file: whether drugs or cell lines are in the rows is for the
    caller to say. Neither R nor any of its packages is needed, and nothing in the file is run.

    Parameters
    ----------
    path
        An ``.rds``, ``.rda`` or ``.RData`` file, however compressed.
    name
        Which object of a file that holds several, or which element of a list: ``"x"``, ``"auc"``,
        ``"x$auc"``, or ``"[[2]]"`` where there are no names. A wrong name lists them.
    backend
        As for `read_pset`.
    progress
        Whether the slow back end shows how far it is.

    Returns
    -------
    DataFrame of a matrix, table, data.frame, tibble, data.table or DataFrame
        Names of the rows as index, text; a ``RangeIndex`` where R would count them, of rows and of
        columns. Double is float64, integer int32 and logical bool. Where something is NA, integer
        is float64 with NaN, logical ``boolean``, and float64 where all is. Factors are categorical,
        text stays text; dates are numbers, as R stores them. Columns that are no plain vectors are
        left out with a warning in the log.
    AnnData of a SummarizedExperiment, of any subclass, with
        ``X`` : float64, rows x columns
            The first assay, NaN for NA.
        ``layers[<assay>]`` : the others
            float64, or int32 or bool if they are so and nothing is NA. One without a name is called
            by its number, ``"assay2"``; what is no plain matrix of numbers is left out with a
            warning.
        ``obs``, ``var`` : ``rowData`` and ``colData``
            By the names of rows and columns, or their numbers from 1 where there are none.
        ``uns["measure"]`` : dict
            ``metadata$measure``, if it is that of the first assay, else its ``name``, if
            it has one.
        ``uns["read_r"]`` : dict
            ``file``, ``object``, ``class``, ``assays`` (names, in order) and ``backend``.
    AnnData of a PharmacoSet
        As of `read_pset` without settings.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ImportError
        The back end asked for is not installed.
    ValueError
        The file is no R file or is damaged; it holds several objects, or none of these classes, or
        code (a function, a promise, a formula), an environment, or a matrix that is sparse or lies
        in another file. The message names what there is.

    Examples
    --------
    >>> r_bridge.read_r("GDSC2_Res.rds")  # doctest: +SKIP
    """
    from .._psets.open import Opened, open_file
    from .choose import choose
    from .experiments import experiment
    from .frames import frame

    path = Path(path)
    file = open_file(path, backend, progress)
    found = choose(file.objects, name, path)
    if found.kind == "PharmacoSet":
        from .._psets.read import read_pset

        opened = Opened(found.node, path.name, file.backend, path, found.name, file.warnings)
        try:
            return read_pset(opened, progress=progress)
        except ValueError as error:
            error.add_note("All settings are those of r_bridge.read_pset.")
            raise
    if found.kind == "SummarizedExperiment":
        adata, left_out = experiment(found.node, found.label)
        adata.uns["read_r"] |= {
            "file": path.name,
            "object": found.name,
            "backend": file.backend,
        }
        result: AnnData | pd.DataFrame = adata
    else:
        result, left_out = frame(found.node, found.label)
    for what in left_out:
        logger.warning("%s: left out %s.", found.label, what)
    return result
