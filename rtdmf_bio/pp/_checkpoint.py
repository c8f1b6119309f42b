"""Finished work of a search, kept in a file: one JSON object a line, the first says whose it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._atomic import replacing

FIXED = "fixed settings"  # the part of an identity that holds the seed, as JSON
_KIND = "rtdmf_bio tuning"


class Checkpoint:
    """Results by settings, read from ``path`` if it exists and saved after every addition.

    Parameters
    ----------
    path
        The file; None keeps everything in memory.
    identity
        What the results depend on, each part as a short text.

    Raises
    ------
    ValueError
        ``path`` holds something else, or results for another identity. It is left as it was.
    """

    def __init__(self, path: str | os.PathLike[str] | None, identity: Mapping[str, str]) -> None:
        self.path = path
        self.identity = dict(identity)
        self.notes: dict[str, Any] = {}
        self.results: dict[str, dict[str, Any]] = {}
        if path is not None and Path(path).exists():
            self._read(Path(path).read_text(encoding="utf-8", errors="replace"))

    def get(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result for ``settings``, if there is one."""
        return self.results.get(_key(settings))

    def note(self, **notes: Any) -> None:
        """Save what all results share."""
        self.notes |= notes
        self._save()

    def add(self, settings: Mapping[str, Any], result: dict[str, Any]) -> None:
        """Save one more result."""
        self.results[_key(settings)] = result
        self._save()

    def _read(self, text: str) -> None:
        lines = text.splitlines()
        if not lines:
            return
        head = _parse(lines[0])
        if head.get("kind") != _KIND or not isinstance(head.get("identity"), dict):
            raise ValueError(
                f"{self.path} is no checkpoint of rtdmf_bio.pp.tune; it was left as it was. Give "
                f"checkpoint another name."
            )
        theirs = head["identity"]
        other = [name for name in self.identity if theirs.get(name) != self.identity[name]]
        if other:
            raise ValueError(
                f"{self.path} is the checkpoint of another search: other {', '.join(other)}. It "
                f"was left as it was. Give checkpoint another name, or delete the file if that "
                f"search is done with."
            )
        self.notes = head.get("notes", {})
        for number, line in enumerate(lines[1:], start=2):
            record = _parse(line)
            if "settings" in record and isinstance(record.get("result"), dict):
                self.results[_key(record["settings"])] = record["result"]
            elif number < len(lines):  # a last line cut short by a crash is run again
                raise ValueError(
                    f"{self.path} is damaged in line {number}; it was left as it was. Remove that "
                    f"line to run its settings again."
                )

    def _save(self) -> None:
        if self.path is None:
            return
        head = {"kind": _KIND, "identity": self.identity, "notes": self.notes}
        records = [
            {"settings": json.loads(key), "result": result} for key, result in self.results.items()
        ]
        with replacing(self.path) as temporary:
            text = "".join(json.dumps(item) + "\n" for item in [head, *records])
            temporary.write_text(text, encoding="utf-8")


def saved_seed(path: str | os.PathLike[str] | None) -> int | None:
    """The seed of the search that ``path`` keeps; None without one."""
    if path is None or not Path(path).is_file():
        return None
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    identity = _parse(text.partition("\n")[0]).get("identity")
    fixed = identity.get(FIXED) if isinstance(identity, dict) else None
    seed = _parse(fixed).get("random_state") if isinstance(fixed, str) else None
    return seed if isinstance(seed, int) else None


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _parse(line: str) -> dict[str, Any]:
    try:
        item = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return item if isinstance(item, dict) else {}
