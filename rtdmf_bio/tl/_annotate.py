"""What a table says of the lines or drugs of a screen."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .._adata.assign import assign
from .._adata.fill import column_of, filled, is_gap, typed
from .._adata.gdsc import numbers_of_gdsc, says_gdsc
from .._adata.identity import IDS, SYNONYMS, named_columns
from .._adata.inputs import check_adata
from .._adata.linking import Links
from .._adata.names import normalised
from .._adata.same_drugs import drugs_of, link_drugs
from .._adata.same_lines import lines_of, link_lines
from .._adata.tables import with_names
from .._adata.things import id_columns, things_of_screen, things_of_table
from ..model.checks import check_choice, name_some

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

# Column here -> how tables call it, without case and punctuation, first come.
_SAID = {
    "lines": {
        "tissue": (
            "tissue", "oncotreelineage", "lineage", "lineage1", "tissueid", "tissuetype",
            "gdsctissuedescriptor1", "siteprimary", "ccleprimarysite", "primarysite",
            "primarytissue", "tcgadesc", "cancertypematchingtcgalabel", "tcgalabel", "cancertype",
            "primarydisease", "oncotreeprimarydisease", "disease",
        ),
        "ccle_name": ("cclename", "ccleid", "cclecelllinename"),
    },
    "drugs": {
        "moa": ("moa", "mechanismofaction", "mechanism"),
        "target": (
            "target", "targets", "repurposingtarget", "putativetarget", "drugtarget",
            "genesymbolofproteintarget",
        ),
        "pathway": ("pathway", "pathwayname", "targetpathway"),
    },
}  # fmt: skip
_NUMBERS = ("cosmic_id", "pubchem_id", "drug_id", "ctrp_id")
_AXES = {"lines": "var", "drugs": "obs"}


class _Found(NamedTuple):
    """Rows of the table for each line or drug, and how they were found."""

    rows: list[list[int]]
    ids: list[dict[str, frozenset[str]]]
    how: list[str]


def annotate(
    adata: AnnData,
    table: str | os.PathLike[str] | pd.DataFrame,
    *,
    axis: Literal["lines", "drugs"] = "lines",
    columns: str | Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Fill tissue and identifiers of lines, or target and mechanism of drugs, from a table.

    Rows are found by whichever identifier both have, else by the same name, else by the same name
    without case and punctuation where it is the only one of its kind, as in
    :func:`rtdmf_bio.pp.harmonize`.

    Parameters
    ----------
    adata
        Drugs (``obs``) x cell lines (``var``).
    table
        Table or its path, also packed: DepMap's ``Model.csv``, the model list of Cell Model
        Passports, GDSC's ``Cell_Lines_Details``, PRISM's list of compounds, or any with a column
        of identifiers or names. Names may be its index. Rows that are the same line or drug are
        taken together.
    axis
        What the table is about.
    columns
        Other columns to take from it, under their own names.
    overwrite
        Replace what is there already. Otherwise gaps alone are filled.

    Returns
    -------
    None. Written are, all of them or none:

    ``var["tissue"]``
        Categorical, from the first column of the table that is called tissue, OncotreeLineage,
        lineage, TCGA_DESC, cancer type, primary disease or the like.
    ``var["depmap_id"]``, ``["sanger_id"]``, ``["cosmic_id"]``, ``["cellosaurus_id"]``, \
``["ccle_name"]``
        Where the table has them: text, COSMIC's whole numbers. Several are parted by ``;``.
    ``obs["moa"]``, ``["target"]``, ``["pathway"]``, ``["broad_id"]``, ``["pubchem_id"]``, ...
        The same of drugs.
    ``uns["annotated_lines"]`` or ``["annotated_drugs"]``
        ``source`` (path, or ``table``), ``n`` lines or drugs, ``matched_by`` (kind of identifier,
        ``name`` or ``normalised name`` -> how many), ``columns`` written, and the names of those
        ``unmatched``, of these the ``ambiguous`` and ``contradicted`` ones, and of those of which
        the table says different things (``disagreeing``), which is left out.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If the table cannot be read, has no column of identifiers or names, has nothing to take, or
        has none of the lines or drugs.

    Warns
    -----
    UserWarning
        If some are not found, or the table says different things of one.

    Examples
    --------
    >>> import pandas as pd
    >>> import rtdmf_bio as rt
    >>> adata = rt.datasets.gdsc1()[:40, ["A375", "HT-29"]].copy()
    >>> del adata.var["tissue"]
    >>> model = pd.DataFrame(
    ...     {
    ...         "ModelID": ["ACH-000219", "ACH-000552"],
    ...         "CCLEName": ["A375_SKIN", "HT29_LARGE_INTESTINE"],
    ...         "OncotreeLineage": ["Skin", "Bowel"],
    ...     }
    ... )
    >>> rt.tl.annotate(adata, model)
    >>> list(adata.var["tissue"]), list(adata.var["depmap_id"])
    (['Skin', 'Bowel'], ['ACH-000219', 'ACH-000552'])
    >>> adata.uns["annotated_lines"]["matched_by"]
    {'normalised name': 2}
    """
    check_choice("axis", axis, tuple(_AXES))
    check_adata(adata)
    where = _AXES[axis]
    source = "table"
    if isinstance(table, (str, os.PathLike)):
        from ..io import read_frame

        source, table = os.fspath(table), read_frame(table)
    frame = with_names(table, "table")
    wanted = [columns] if isinstance(columns, str) else list(columns)
    frame, said = _relevant(frame, axis, wanted)
    own = getattr(adata, where)
    found, why = _matched(adata, own, frame, axis)
    names = [str(name) for name in own.index]
    if not any(found.rows):
        raise ValueError(
            f"table has none of the {len(names)} {axis}: they are {name_some(names)}, and it has "
            f"{name_some(_shown(frame, axis))}. Does it have the names, or identifiers that "
            f"adata.{where} has, too?"
        )
    results, disagreeing = _columns(own, frame, found, said, wanted, overwrite=overwrite, axis=axis)
    counts: dict[str, int] = {}
    for how in filter(None, found.how):
        counts[how] = counts.get(how, 0) + 1

    def those(said: str) -> NDArray[np.object_]:
        return np.array([n for n, one in zip(names, why, strict=True) if one == said], object)

    report = {
        "source": source,
        "n": len(names),
        "matched_by": counts,
        "columns": np.array(list(results), object),
        "unmatched": np.array([n for n, one in zip(names, why, strict=True) if one], object),
        "ambiguous": those("ambiguous"),
        "contradicted": those("contradicted"),
        "disagreeing": np.array(disagreeing, object),
    }
    assign(
        adata,
        {
            **{(where, name): column for name, column in results.items()},
            ("uns", f"annotated_{axis}"): report,
        },
    )
    _warn(report, axis)


def _relevant(
    frame: pd.DataFrame, axis: str, wanted: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The columns that matter, each row once; and which column says what."""
    lost = [name for name in wanted if name not in frame]
    if lost:
        raise ValueError(f"table has no column {lost[0]!r}. It has {list(frame.columns)}.")
    called = {normalised(column): column for column in reversed(frame.columns)}
    said = {}
    for name, spellings in _SAID[axis].items():
        columns = [called[spelling] for spelling in spellings if spelling in called]
        column = next((c for c in columns if not all(map(is_gap, frame[c]))), None)
        if column is not None:
            said[name] = column
    ids = list(id_columns(frame, axis, list(IDS[axis])))
    names = named_columns(frame, axis)
    if not ids and not names and frame.columns[0] not in said.values():
        # As everywhere, the first column names what a table is about.
        frame = frame.rename(columns={frame.columns[0]: "name"})
        names = ["name"]
    if not ids and not names:
        raise ValueError(
            f"table has no column of identifiers or names of {axis}, such as "
            f"{', '.join(list(IDS[axis])[:3])} or name. It has {list(frame.columns)}."
        )
    if not said and not ids and not wanted:
        raise ValueError(
            f"table has nothing to take: no column such as {', '.join(_SAID[axis])}, and no "
            f"identifiers. It has {list(frame.columns)}; name some as columns."
        )
    synonyms = [column for column in frame.columns if normalised(column) in SYNONYMS]
    kept = {*ids, *names, *said.values(), *wanted, *synonyms}
    frame = frame[[column for column in frame.columns if column in kept]]
    return frame.drop_duplicates(ignore_index=True), said


def _matched(
    adata: AnnData, own: pd.DataFrame, frame: pd.DataFrame, axis: str
) -> tuple[_Found, list[str]]:
    kinds = list(IDS[axis])
    there = things_of_table(frame, axis)
    links: Links
    if axis == "lines":
        here = things_of_screen(own, axis, kinds)
        right, rows = lines_of(there, kinds)
        links = link_lines(here, right, kinds, many=True)
        items, ids = [[k] for k in range(len(here))], right.ids
    else:
        named = frame.set_axis([names[0] if names else "" for names in there.names], axis=0)
        in_columns = kinds
        if not numbers_of_gdsc(own, named, (says_gdsc(adata.uns), False)):
            in_columns = [kind for kind in kinds if kind != "drug_id"]
        left = drugs_of(things_of_screen(own, axis, in_columns), kinds)
        drugs = drugs_of(there, kinds)
        links = link_drugs(left, drugs, kinds, many=True)
        items, rows = [list(drug.own) for drug in left], [list(drug.own) for drug in drugs]
        ids = [drug.ids for drug in drugs]
    out = _Found([[] for _ in range(len(own))], [{} for _ in range(len(own))], [""] * len(own))
    why = [""] * len(own)
    for k, item in enumerate(items):
        j = links.partner.get(k)
        for row in item:
            if j is None:
                why[row] = links.why[0][k]
            else:
                out.rows[row], out.ids[row], out.how[row] = rows[j], ids[j], links.how[k]
    return out, why


def _columns(
    own: pd.DataFrame,
    frame: pd.DataFrame,
    found: _Found,
    said: dict[str, Any],
    wanted: Sequence[str],
    *,
    overwrite: bool,
    axis: str,
) -> tuple[dict[str, pd.Series], list[str]]:
    """The new columns, and those of whom the table says different things."""
    disagreeing: dict[str, None] = {}
    new: dict[str, list[Any]] = {}
    for name, column in {**said, **{name: name for name in wanted}}.items():
        cells = typed(list(frame[column]))
        if name in said:
            cells = [None if cell is None else str(cell) for cell in cells]
        values = []
        for label, rows in zip(own.index, found.rows, strict=True):
            several = list(dict.fromkeys(cells[row] for row in rows if cells[row] is not None))
            if len(several) > 1:
                disagreeing[str(label)] = None
            values.append(several[0] if len(several) == 1 else None)
        new[name] = values
    for kind in IDS[axis]:
        texts = [";".join(sorted(ids.get(kind, ()))) or None for ids in found.ids]
        numbers = kind in _NUMBERS and all(text is None or text.isdecimal() for text in texts)
        new[kind] = [int(text) if numbers and text else text for text in texts]
    out = {}
    for name, values in new.items():
        if all(value is None for value in values):
            continue
        if name in own:
            column = filled(own[name], values, overwrite=overwrite)
        else:
            column = column_of(values, own.index, labels=name in said and name != "ccle_name")
        if column is not None:
            out[name] = column
    return out, list(disagreeing)


def _shown(frame: pd.DataFrame, axis: str) -> list[str]:
    columns = named_columns(frame, axis) or list(id_columns(frame, axis, list(IDS[axis])))
    return [str(value) for value in frame[columns[0]]]


def _warn(report: dict[str, Any], axis: str) -> None:
    said = []
    lost = list(report["unmatched"])
    if lost:
        clear = [name for name in lost if name not in set(report["ambiguous"])]
        said.append(f"table lacks {len(lost)} of {report['n']} {axis}: {name_some(clear or lost)}")
        if len(report["ambiguous"]):
            said.append(f"of these could be several: {name_some(list(report['ambiguous']))}")
    if len(report["disagreeing"]):
        said.append(
            f"table says different things of {len(report['disagreeing'])} {axis}, which are left "
            f"out: {name_some(list(report['disagreeing']))}"
        )
    if said:
        warnings.warn(
            f"{'; '.join(said)}. adata.uns['annotated_{axis}'] has all of them.", stacklevel=3
        )
