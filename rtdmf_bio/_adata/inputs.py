"""What functions take out of an AnnData, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.checks import as_numbers, is_sparse, name_some
from ..model.labels import noise_in_order
from .columns import with_labels
from .layers import named_layers

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

REPLICATE_SD = "replicate_sd"  # column of obs: noise of X by repeated experiments
_CENSORED = "censored"  # layer: 1 where the true value is at or above X, -1 where at or below
_MOST_LISTED = 5  # labels


def check_adata(adata: Any) -> None:
    """Refuse what is no AnnData in memory with unique names."""
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        raise TypeError(
            f"adata must be an AnnData of drugs x cell lines. Got {type(adata).__name__}; for a "
            f"plain array use rtdmf_bio.RTDMF, for a file rtdmf_bio.io.read_table."
        )
    if adata.isbacked:
        raise ValueError(
            f"adata is backed by {adata.filename}, where results cannot be stored. Load it first: "
            f"adata = adata.to_memory()."
        )
    for what, names in (("drug", adata.obs_names), ("cell line", adata.var_names)):
        if not names.is_unique:
            twice = list(names[names.duplicated()].unique())
            raise ValueError(
                f"{len(twice)} {what} name(s) occur more than once: {name_some(twice)}. Aggregate "
                f"the replicates (rtdmf_bio.io.read_table(aggregate=...)), or make names unique."
            )


def check_screens(*screens: AnnData) -> None:
    """Refuse what is no AnnData in memory, with unique names and dense matrices."""
    for adata in screens:
        check_adata(adata)
        if adata.X is None and not named_layers(adata):
            raise ValueError("adata.X is empty, and there are no layers: nothing can be compared.")
        for name, values in (("X", adata.X), *named_layers(adata).items()):
            if is_sparse(values):
                raise TypeError(
                    f"{name!r} is sparse, where a blank means zero, not 'not measured'. Make it "
                    f"dense, with NaN for missing entries, or delete it."
                )


def resolve_layer(adata: AnnData, layer: str | None) -> str:
    """Return the name of the matrix a user asks for, ``"X"`` for None and ``"X"``; it is there."""
    if layer is not None and not isinstance(layer, str):
        raise TypeError(f"layer must be the name of one layer, or None. Got {layer!r}.")
    if layer == "X" and "X" in named_layers(adata):
        raise ValueError(
            "'X' stands for adata.X, and adata.layers has an 'X', too. Rename that layer."
        )
    name = "X" if layer is None else layer
    matrix_of(adata, name)
    return name


def matrix_of(adata: AnnData, name: str) -> Any:
    """Return ``X`` or a layer as it is stored, by the name that :func:`resolve_layer` gives."""
    layers = named_layers(adata)
    if name == "X":
        if adata.X is None:
            raise ValueError(f"adata.X is empty. Pass layer=, one of {sorted(layers)}.")
        return adata.X
    if name not in layers:
        raise ValueError(f"adata.layers has no {name!r}. It has {sorted(layers)}; 'X' takes X.")
    return layers[name]


def values_of(adata: AnnData, name: str) -> NDArray[np.float64]:
    """Return the same as numbers, NaN where not measured or infinite."""
    values = as_numbers(matrix_of(adata, name))
    values[~np.isfinite(values)] = np.nan
    if np.isnan(values).all():
        raise ValueError(f"{name!r} has no measured entry: all are missing.")
    return values


def groups_of(adata: AnnData, group_key: str | Sequence[str] | None) -> dict[str, list[Any]] | None:
    """Return the labels of the lines in one or several columns of ``var``, None: no group."""
    if group_key is None:
        return None
    keys = [group_key] if isinstance(group_key, str) else list(group_key)
    for key in keys:
        if key not in adata.var:
            raise ValueError(
                f"adata.var has no column {key!r}. It has {list(adata.var.columns)}; pass one of "
                f"them as group_key, or None to do without groups of cell lines."
            )
    return {key: list(with_labels(adata.var[key])) for key in keys}


def replicates_of(adata: AnnData, replicate_key: str | Sequence[str] | None) -> dict[str, Any]:
    """Labels of drugs and of lines, as `RTDMF.fit` takes them, from columns of obs and var."""
    keys = [replicate_key] if isinstance(replicate_key, str) else list(replicate_key or ())
    found: dict[str, Any] = {}
    for key in keys:
        places = {"replicates": adata.obs, "line_replicates": adata.var}
        name, *more = [name for name, table in places.items() if key in table] or [""]
        if not name:
            raise ValueError(
                f"Neither adata.obs nor adata.var has a column {key!r}. They have "
                f"{list(adata.obs.columns)} and {list(adata.var.columns)}; pass one of them as "
                f"replicate_key, or None."
            )
        if more:
            raise ValueError(
                f"adata.obs and adata.var both have a column {key!r}. Rename the one that is not "
                f"meant by replicate_key."
            )
        if name in found:
            which = "drugs" if name == "replicates" else "cell lines"
            raise ValueError(f"replicate_key names two columns of {which}: {keys}. Give one.")
        labels = places[name][key]
        found[name] = list(labels.astype(object).where(labels.notna(), None))
    return found


def noise_of(adata: AnnData, noise_sd: Any) -> Any:
    """Noise as `RTDMF.fit` takes it: as given, by name if it has names; of a column or a layer."""
    if not isinstance(noise_sd, str):
        return noise_in_order(noise_sd, list(adata.obs_names), list(adata.var_names))
    if noise_sd in adata.obs:
        return list(adata.obs[noise_sd])
    if noise_sd in adata.layers:
        return matrix_of(adata, noise_sd)
    raise ValueError(
        f"adata.obs has no column {noise_sd!r}. It has {list(adata.obs.columns)}, and there are "
        f"the layers {list(adata.layers)}; pass one of them as noise_sd, or a number in the unit "
        f"of the measure."
    )


def censored_name(layer: str) -> str:
    """Layer with the marks of a matrix."""
    return _CENSORED if layer == "X" else f"{layer}_{_CENSORED}"


def is_censored_name(layer: str) -> bool:
    """Whether a layer holds the marks of another."""
    return layer.endswith(_CENSORED)


def censored_of(adata: AnnData, layer: str) -> Any:
    """Marks of bounds beside a matrix, as readers leave them; None: there are none.

    ``layers["censored"]`` beside ``X``, ``layers["<layer>_censored"]`` beside a layer.
    """
    name = censored_name(layer)
    return matrix_of(adata, name) if name in named_layers(adata) else None


def known_noise(adata: AnnData, settings: Mapping[str, Any]) -> Any:
    """``noise_sd`` of settings of `correct`; by default what a reader left of repeats, if of use.

    For who reads and corrects in one go: the values are then still those that were read.
    """
    from ..model.settings import PRESETS

    noise_sd, retain = settings.get("noise_sd"), settings.get("retain")
    if noise_sd is not None or settings.get("replicate_key") is not None:
        return noise_sd
    if retain is None:
        retain = PRESETS.get(settings.get("preset", "default"), {}).get("retain", ())
    return REPLICATE_SD if REPLICATE_SD in adata.obs and "shrink" in retain else None


def yes_or_no(column: pd.Series) -> NDArray[np.float64]:
    """1 where a column of lines says yes, 0 where no, NaN where nothing."""
    given, column = column, with_labels(column)
    labels = list(column.dropna().unique())
    # bool compares equal to 0 and 1, text does not.
    wrong = [label for label in labels if isinstance(label, str) or label not in (0, 1)]
    if not wrong:
        missing = column.isna()
        return np.array([np.nan if no else float(x) for x, no in zip(column, missing, strict=True)])
    where = f"adata.var[{str(column.name)!r}]"
    if not isinstance(wrong[0], str):
        raise ValueError(
            f"{where} must say of each line whether it is mutated, True or False (or 1 or 0). It "
            f"holds {_numbers_listed(column)}. Make a boolean column of it, by the value or the "
            f"limit that means so: adata.var['chosen'] = ({where} == VALUE) or ({where} > LIMIT), "
            f"and pass group='chosen'."
        )
    raise ValueError(_which_label(where, given, column, labels))


def _numbers_listed(column: pd.Series) -> str:
    """Values with the number of lines that have them, or their range if they are many."""
    count = column.value_counts().sort_index()
    if len(count) > _MOST_LISTED:
        return f"{len(count)} values from {count.index[0]:g} to {count.index[-1]:g}"
    return ", ".join(f"{value:g} ({n} lines)" for value, n in count.items())


def _which_label(where: str, given: pd.Series, column: pd.Series, labels: list[Any]) -> str:
    """Say what each label would test; which of them means mutated only the user knows."""
    count, n, known = column.value_counts(), int(column.notna().sum()), column.notna()
    stripped = list(given[known]) != list(column[known]) or bool(given[~known].notna().any())
    as_text = f"{where}.astype(str).str.strip()" if stripped else where
    blank = nothing = ""
    if n < len(column):  # a line without a label is on neither side
        none = sorted(set(given[~known].astype(str).str.strip()))
        is_none = f"{as_text}.isin({none})" if stripped else f"{where}.isna()"
        blank = f".astype('boolean').mask({is_none})"
        nothing = (
            f" The {len(column) - n} lines without a label are on neither side; if a blank means "
            f"'not mutated', leave out {blank}."
        )
    tests = ", ".join(
        f"{label!r} tests its {count[label]} lines against the other {n - count[label]}"
        for label in labels[:_MOST_LISTED]
    )
    more = len(labels) - _MOST_LISTED
    return (
        f"{where} holds {len(labels)} labels ({name_some(labels)}) instead of True and False, and "
        f"which of them is to be tested cannot be told. Make a boolean column of it: "
        f"adata.var['chosen'] = ({as_text} == LABEL){blank}, and pass group='chosen'. As LABEL, "
        f"{tests}{f' and so on for {more} more' if more > 0 else ''}.{nothing}"
    )


def named(parameter: str, value: str | Sequence[str]) -> list[str]:
    """Return the names in the order given, each once."""
    names = [value] if isinstance(value, str) else list(dict.fromkeys(value))
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"The {parameter} parameter must be a name or several. Got {value!r}.")
    return names
