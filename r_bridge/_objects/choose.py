"""Which object of a file is meant, and whether it is one that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .._nodes import node as nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .._nodes.node import Node

_WANTED = "a matrix, a data frame, a SummarizedExperiment or a PharmacoSet"
_DEEPEST = 5


class Chosen(NamedTuple):
    """An object to be read."""

    node: Any
    kind: str
    """``"PharmacoSet"``, ``"SummarizedExperiment"`` or ``"table"``."""
    name: str
    """In the file, empty for a lone one."""
    label: str
    """For messages."""


def choose(objects: Mapping[str, Node], name: str | None, path: Path) -> Chosen:
    """Return the object called `name`, or the only one there is.

    Raises
    ------
    ValueError
        There are several, or none, or it is of a kind that is not read.
    """
    every = dict(_flat(objects))
    able = {key: kind for key, node in every.items() if (kind := kind_of(node))}
    if name is not None and name not in every:
        raise ValueError(
            f"{path} holds no object named {name!r}. It has "
            f"{[key for key in every if key] or 'one object without a name; leave name out'}."
        )
    if name is None:
        if len(able) > 1:
            raise ValueError(f"{path} holds several objects. Pass name, one of {list(able)}.")
        if not able and len(objects) != 1:
            kinds = {key: describe(node) for key, node in objects.items()}
            raise ValueError(f"{path} holds nothing that is {_WANTED}, only {kinds or 'nothing'}.")
        name = next(iter(able or objects))
    within = [key for key in able if _is_within(key, name)]
    if name not in able and within:
        if len(within) > 1:
            raise ValueError(f"{name} in {path} is a list. Pass name, one of {within}.")
        name = within[0]
    label = f"{name} in {path}" if name else str(path)
    if name not in able:
        raise ValueError(f"{label} {_refusal(every[name])}")
    return Chosen(every[name], able[name], name, label)


def kind_of(node: Any) -> str:
    """``"PharmacoSet"``, ``"SummarizedExperiment"`` or ``"table"``, empty for anything else."""
    if "PharmacoSet" in nodes.classes(node):
        return "PharmacoSet"
    slots = set(node.attributes) if node.kind == "S4" else set()
    # Until 2015 the ranges, with the annotation of the rows, lay in a slot rowData.
    if {"assays", "colData"} <= slots and slots & {"elementMetadata", "rowData"}:
        return "SummarizedExperiment"
    if {"listData", "nrows"} <= slots:
        return "table"
    try:
        return "table" if nodes.is_table(node) else ""
    except nodes.TableError:
        return "table"  # Which says why it is none when it is read.


def describe(node: Any) -> str:
    """Class of an object, or what it is."""
    return "/".join(nodes.classes(node)) or node.word or str(node.kind)


def _flat(
    objects: Mapping[str, Node], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Objects by name, and the elements of plain lists among them."""
    for name, node in objects.items():
        key = f"{prefix}{name}"
        yield key, node
        if node.kind != "list" or nodes.classes(node) or depth == _DEEPEST:
            continue
        names = node.names or [""] * len(node)
        inner = {
            name or f"[[{i + 1}]]": item
            for i, name in enumerate(names)
            if (item := node.item(i)) is not None
        }
        yield from _flat(inner, f"{key}$" if key else "", depth + 1)


def _is_within(key: str, name: str) -> bool:
    return key != name and (not name or key.startswith(f"{name}$"))


def _refusal(node: Any) -> str:
    """Say what is there instead, and what to do."""
    if node.word:
        return (
            f"holds {node.word}. Only data are read, and nothing is run: save the result in R, as "
            f"{_WANTED}."
        )
    slots = set(node.attributes) if node.kind == "S4" else set()
    if "Dim" in slots or "seed" in slots:
        return (
            f"holds a matrix of class {describe(node)}, which is sparse or not in memory. Save "
            "as.matrix(x) in R, with NA where nothing was measured."
        )
    if node.kind in nodes.ATOMIC:
        dim = node.attr("dim")
        if dim is not None:
            size = " x ".join(str(n) for n in dim.values())
            return f"holds an array of {size}. Save a matrix, such as x[, , 1], in R."
        return f"holds a vector of {len(node)} values, without rows and columns. Save {_WANTED}."
    what = f"of class {describe(node)}" if describe(node) != "other" else "that is no table"
    return f"holds an object {what}. Save what is wanted of it as {_WANTED}."
