"""Two screens with the same drugs and cell lines, under the same names."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from .._adata.gdsc import says_gdsc
from .._adata.inputs import check_screens, is_censored_name
from .._adata.layers import named_layers
from .._adata.measure import as_mapping, measure_of
from ..model.checks import check_choice, name_some
from ._matching import Matched, match_drugs, match_lines
from ._turning import directions, is_flags, turn_over

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_HOW = {"recomputed", "published"}  # in names of measures, such as auc_recomputed


class Harmonized(NamedTuple):
    """What :func:`harmonize` returns."""

    a: AnnData
    b: AnnData
    drugs: pd.DataFrame
    lines: pd.DataFrame


def harmonize(
    a: AnnData,
    b: AnnData,
    *,
    aliases: Mapping[str, str] | pd.DataFrame | None = None,
    line_ids: str | Sequence[str] | None = None,
    drug_ids: str | Sequence[str] | None = None,
    crosswalk: str | os.PathLike[str] | pd.DataFrame | None = None,
    align_direction: bool = False,
    replicates: Literal["mean", "error"] = "mean",
) -> Harmonized:
    """Restrict two screens to the drugs and cell lines they share, in the same order.

    Identifiers come first, in columns of ``obs`` and ``var`` or as names; then the same name; then
    the same name without case and punctuation, where it is the only one of its kind in either
    screen. What could be several is left out and named in one warning: ``T.T`` may be ``TT`` or
    ``T-T``, ``JQ1`` may be ``(+)-JQ1`` or ``(-)-JQ1``. Correct each screen first, as a whole: what
    is left here is too little to learn from.

    Parameters
    ----------
    a, b
        Drugs (``obs``) x cell lines (``var``), corrected or not.
    aliases
        Name of a drug -> its unified name, as mapping or as table of two columns.
    line_ids
        Kinds of identifiers of lines, or columns of ``var`` in both screens, in order of trust.
        None: ``depmap_id`` (ACH), ``sanger_id`` (SIDM), ``cosmic_id`` and ``cellosaurus_id``
        (CVCL, RRID), in the spellings of DepMap, GDSC, CCLE and Cell Model Passports. Empty: names
        alone.
    drug_ids
        The same for drugs and ``obs``. None: ``broad_id`` (the compound, ``BRD-K12345678``),
        ``inchikey``, ``pubchem_id``, ``chembl_id``, ``prism_id``, GDSC's ``drug_id`` and
        ``ctrp_id``. A column of numbers called ``drug_id`` counts if both screens are GDSC's.
    crosswalk
        Table of cell lines, or its path, one row for each line and a column for each kind of
        identifier, such as DepMap's ``Model.csv``, the model list of Cell Model Passports or a
        table made of Cellosaurus. Lines that are in one row of it are the same, though one screen
        has ACH and the other COSMIC.
    align_direction
        Turn ``b`` over if in one screen higher is resistant and in the other sensitive; otherwise
        that is refused. Goes for ``X``, and for each layer with a measure of its own in
        ``uns["layer_measures"]``.
    replicates
        What becomes of rows of one screen that are the same drug: ``mean`` of what was measured,
        or ``error``.

    Returns
    -------
    A named tuple of

    ``a``, ``b`` : AnnData
        Copies of the shared part, named and ordered as in ``a``. Of merged rows, flags are the
        maximum, and the columns of ``obs`` those of the first. Turned over, a value is
        low + high - value, or -value where the measure has no finite bounds; residuals and
        specific parts change their sign, and the ends of intervals their places.
    ``drugs``, ``lines`` : tables
        One row for each row (column) of either screen: ``screen``, ``original`` name, common
        ``name`` (empty if not shared), ``how`` it was matched, and ``nearest``, the most similar
        name of the other screen (empty where matched or nothing is near). ``how`` is the kind of
        identifier, ``name``, ``normalised name`` or ``alias``, and of those not shared
        ``ambiguous``, ``contradicted`` (the name is the same, the identifiers differ),
        ``duplicate`` (the one it is like has been matched to another) or ``none``. With a
        crosswalk it is that by which the line was found there. Merged rows have one ``name``.

    Notes
    -----
    Names of drugs: a number in square brackets, an identifier (``X (CTRP:30000)``) and a remark
    (``X (rescreen)``) are no part of them, and rows that differ in nothing else are replicates.
    Another dose or ratio in brackets is another treatment and another isomer another drug, so that
    neither are averaged. ``Drug_1003_IC50`` is GDSC's drug 1003; of names that all end in such
    numbers (``Paclitaxel_1080``) these are left away. Names of lines: CCLE's tissue is left away
    (``A375_SKIN``), ``COSMIC_906826``, or ``906826`` where the other screen has that number, is an
    identifier, and ``NCI-H23`` is ``H23``.

    Of lines with one identifier in one screen, that with the partner's name is taken, else the
    first. Other identifiers make two lines of one name different. Of drugs only other compounds of
    Broad, and InChIKeys of other stereoisomers, do: PubChem and ChEMBL have numbers of their own
    for each salt. Drugs that are the same by name and have other such numbers are named in a
    warning.

    Raises
    ------
    TypeError, ValueError
        If no drug or no line is shared, names are not unique, a matrix is sparse, the directions
        differ, there are replicates and ``replicates="error"``, or ``crosswalk`` cannot be read.

    Warns
    -----
    UserWarning
        If the direction of only one screen is known, their measures have other names, drugs or
        lines are ambiguous, or drugs of one name have other identifiers.

    Examples
    --------
    >>> import rtdmf_bio as rt
    >>> a = rt.datasets.gdsc1()[:40, :200].copy()
    >>> b = a[10:, 50:].copy()
    >>> b.obs_names = b.obs_names.str.upper()
    >>> both = rt.pp.harmonize(a, b)
    >>> both.a.shape, sorted(set(both.lines["how"]))
    ((30, 150), ['cosmic_id', 'none'])
    """
    check_choice("replicates", replicates, ("mean", "error"))
    check_screens(a, b)
    measures, turned = directions(a, b, align_direction)
    if "X" not in turned:
        _warn_of_kinds(a, b)
    drugs = match_drugs(
        a.obs,
        b.obs,
        aliases=aliases,
        drug_ids=drug_ids,
        of_gdsc=(says_gdsc(a.uns), says_gdsc(b.uns)),
        replicates=replicates,
    )
    lines = match_lines(a.var, b.var, line_ids=line_ids, crosswalk=crosswalk)
    _warn_of_matches(drugs, lines)
    # A name occurs once in each, where replicates have one.
    order = [list(dict.fromkeys(one["name"][one["name"] != ""])) for one in (drugs[0], lines[0])]
    parts = [
        _shared(adata, table, line, order)
        for adata, table, line in zip((a, b), drugs[:2], lines[:2], strict=True)
    ]
    if turned:
        # A layer that has its measure from X would no longer have it.
        parts[1].uns["layer_measures"] = {**as_mapping(b.uns.get("layer_measures")), **measures}
    for owner in turned:
        turn_over(parts[1], owner)

    def both(tables: tuple[pd.DataFrame, ...]) -> pd.DataFrame:
        return pd.concat(
            [table.assign(screen=name) for name, table in zip("ab", tables, strict=True)],
            ignore_index=True,
        )[["screen", "original", "name", "how", "nearest"]]

    return Harmonized(parts[0], parts[1], both(drugs[:2]), both(lines[:2]))


def _warn_of_kinds(a: AnnData, b: AnnData) -> None:
    """Say if ``X`` has measures whose names have nothing in common."""
    names = [str(measure_of(adata).get("name", "")) for adata in (a, b)]
    words = [set(re.findall(r"[^\W_]+", name.lower())) - _HOW for name in names]
    if all(names) and names[0] != names[1] and not words[0] & words[1]:
        warnings.warn(
            f"The first screen holds {names[0]!r}, the second {names[1]!r}. If these are different "
            f"measures, compare the order of their values alone.",
            stacklevel=3,
        )


def _warn_of_matches(drugs: Matched, lines: Matched) -> None:
    """Name what has been left out because it could be several, and what may be another salt."""
    said = []
    for what, tables in (("drug", drugs), ("cell line", lines)):
        names = [x for table in tables[:2] for x in table["original"][table["how"] == "ambiguous"]]
        if names:
            said.append(f"{len(names)} {what} name(s) ({name_some(list(dict.fromkeys(names)))})")
    if said:
        warnings.warn(
            f"Left out because it is not clear which of the other screen they are: "
            f"{' and '.join(said)}. The tables 'drugs' and 'lines' have them as 'ambiguous'. "
            f"Rename them, give both screens identifiers (drug_ids, line_ids), or pass aliases.",
            stacklevel=3,
        )
    if drugs.differ:
        warnings.warn(
            f"{len(drugs.differ)} drug(s) have one name in both screens, and other identifiers: "
            f"{name_some(drugs.differ)}. They were matched, since every salt has a number of its "
            f"own. Rename those that are different drugs.",
            stacklevel=3,
        )


def _shared(
    adata: AnnData, drugs: pd.DataFrame, lines: pd.DataFrame, order: Sequence[Sequence[str]]
) -> AnnData:
    """The shared part, replicates merged, in the order of the common names."""
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(drugs["name"]):
        rows.setdefault(name, []).append(i)
    line = {name: j for j, name in enumerate(lines["name"])}
    columns = [line[name] for name in order[1]]
    first = [rows[name][0] for name in order[0]]
    out = adata[first, columns].copy()
    several = [k for k, name in enumerate(order[0]) if len(rows[name]) > 1]

    def merged(name: str, values: Any) -> NDArray[Any]:
        whole = np.asarray(values)
        part = whole[np.ix_(first, columns)].copy()
        flags = is_flags(adata, name, whole)
        if several and not flags and whole.dtype.kind != "f":
            part = part.astype(np.float64)
        for k in several:
            those = whole[np.ix_(rows[order[0][k]], columns)]
            if flags and is_censored_name(name):
                # Bounds to both sides say nothing of their mean.
                part[k] = those.min(axis=0).clip(None, 0) + those.max(axis=0).clip(0)
            else:
                part[k] = _merged(those, flags)
        return part

    if adata.X is not None:
        out.X = merged("X", adata.X)
    for name, values in named_layers(adata).items():
        out.layers[name] = merged(name, values)
    out.obs_names, out.var_names = list(order[0]), list(order[1])
    return out


def _merged(rows: NDArray[Any], flags: bool) -> NDArray[Any]:
    if flags:
        return rows.max(axis=0)  # type: ignore[no-any-return]
    measured = np.isfinite(rows)
    count = measured.sum(axis=0)
    total = np.where(measured, rows, 0).sum(axis=0)
    out: NDArray[Any] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out
