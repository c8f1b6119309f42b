"""The tables that tuning stores; every column of one type that h5ad can hold."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..model.holdout import TEST, VALIDATION

if TYPE_CHECKING:
    from ..model.tuning import Task

Settings = dict[str, Any]


def summary(
    candidates: list[Settings], results: list[dict[str, Any]], fixed: Settings, criterion: str
) -> pd.DataFrame:
    """One row a candidate, ranked by ``criterion``."""
    from ..model.tuning import filled

    rows = [filled({**fixed, **candidate}) for candidate in candidates]
    names = list(dict.fromkeys(name for candidate in candidates for name in candidate))
    columns: dict[str, Any] = {name: _column([row[name] for row in rows]) for name in names}
    for name in ("mse", "robust"):
        columns[f"validation_{name}"] = [float(r.get(name, np.nan)) for r in results]
    columns["n_iter"] = [int(r.get("n_iter", 0)) for r in results]
    columns["stop_reason"] = [r.get("stop_reason", "failed") for r in results]
    columns["seconds"] = [float(r["seconds"]) for r in results]
    columns["error"] = [r.get("error", "") for r in results]
    score = np.array(columns[f"validation_{criterion}"])
    other = np.array(columns[f"validation_{'mse' if criterion == 'robust' else 'robust'}"])
    n_fitted = int(np.isfinite(score).sum())
    # Of equals the better one by the other criterion: what acts on imputation alone is a matter
    # of mse, what the second stage does not need of L one of robust. Else the first listed.
    order = np.lexsort((other, score))[:n_fitted]
    rank = np.zeros(len(score), dtype=int)
    rank[order] = np.arange(1, n_fitted + 1)
    if n_fitted > 1 and np.ptp(score[order]) == 0 == np.ptp(other[order]):
        warnings.warn(
            "All candidates have the same scores: nothing in the grid acts on them. The first was "
            "taken.",
            stacklevel=3,
        )
    index = pd.Index([str(k) for k in range(len(rank))])
    return pd.DataFrame({**columns, "rank": rank, "chosen": rank == 1}, index=index)


def _column(values: list[Any]) -> list[Any]:
    """Numbers as they are, as floats where they differ in kind; anything else as text."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= {bool, int, float}:
        return values
    if kinds <= {int, float}:
        return [float(value) for value in values]
    return ["" if value is None else str(value) for value in values]


def beside_trivial(task: Task, settings: Settings, table: pd.DataFrame) -> pd.DataFrame:
    """The chosen candidate beside the trivial answers, on validation and test entries."""
    from ..model.tuning import evaluate, scores, trivial

    row = table[table["chosen"]].iloc[0]
    tested = evaluate(task, settings, TEST)
    if "error" in tested:
        raise RuntimeError(f"The chosen candidate could not be fitted again: {tested['error']}")
    rows = [
        {
            "answer": "chosen",
            **{f"validation_{name}": row[f"validation_{name}"] for name in ("mse", "robust")},
            **{f"test_{name}": tested[name] for name in ("mse", "robust")},
        }
    ]
    for name, prediction in trivial(task).items():
        rows.append({"answer": name})
        for fold, label in ((VALIDATION, "validation"), (TEST, "test")):
            for kind, value in scores(task, prediction, prediction, fold).items():
                rows[-1][f"{label}_{kind}"] = value
    return pd.DataFrame(rows, index=pd.Index([str(k) for k in range(len(rows))]))
