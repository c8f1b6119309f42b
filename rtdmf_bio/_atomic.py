"""Replace a file whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """Yield an empty temporary file, which takes the place of `path` if the block succeeds.

    Whatever ends the block early, Ctrl-C included, removes the temporary file and leaves `path` as
    it was. A killed process leaves `path` as it was, too, but cannot remove its temporary file
    (``.*.tmp`` in the same folder). As with ``open(path, "w")``, a symbolic link is followed, an
    old file keeps its permissions and a new one gets those of the umask.

    Raises
    ------
    FileNotFoundError
        The folder of `path` does not exist.
    FileExistsError
        `path` exists and `overwrite` is False, or is a folder or device.
    PermissionError
        The old file or its folder is read-only.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write {path}: the folder {target.parent} does not exist. Create it first."
        )
    exists = target.exists()
    if exists and not target.is_file():
        raise FileExistsError(f"Cannot write {path}: it exists and is not a file.")
    if exists and not overwrite:
        raise FileExistsError(
            f"{path} exists. Pass overwrite=True to replace it, or choose another name."
        )
    # os.replace asks the folder only; open() would have asked the file.
    if exists and not os.access(target, os.W_OK):
        raise PermissionError(f"Cannot write {path}: the file is read-only.")

    # Within one folder, so that os.replace never crosses file systems, and of bounded length.
    stem = os.fsdecode(os.fsencode(target.name)[:100])
    temporary = target.with_name(f".{stem}.{os.urandom(8).hex()}.tmp")
    try:
        try:
            # Made by us and not by the writer: O_EXCL never opens another's file, and mode 0o666
            # lets the umask decide, where tempfile would give 0o600.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except PermissionError:
            raise PermissionError(
                f"Cannot write {path}: no permission to create files in {target.parent}."
            ) from None
        if exists:
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        yield temporary
        # Without this a power cut soon after may leave the new name on empty content.
        _flush(temporary, os.O_RDWR)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    # The file is in place by now; Windows and some network drives cannot flush a folder.
    with suppress(OSError):
        _flush(target.parent, os.O_RDONLY)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
