"""PharmacoSets (PSets) by name, link or DOI, from the network into a file."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

from .catalogue import CATALOGUE, find_link
from .fetch import Download, is_r_file

_DOI = re.compile(r"(?:doi:\s*|https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/\S+)", re.IGNORECASE)


def download_pset(
    name_or_url: str,
    dest: str | os.PathLike[str] | None = None,
    *,
    checksum: str | None = None,
    progress: bool = True,
    overwrite: bool = False,
    timeout: float = 60,
    retries: int = 2,
    catalogue: str = CATALOGUE,
) -> Path:
    """Download the file of a PharmacoSet, once.

    An R file that is already at the target is returned as it is, without asking the network; only
    `checksum`, if given, is compared. So a file at `dest` is returned whatever the link, and a
    PharmacoSet that was reissued under the same name stays the old one until ``overwrite=True``.

    A download that broke off, or was interrupted, leaves
    ``<file>.<8 digits>.part`` beside the target, and the same call goes on from there, unless the
    file has changed on the server. The target appears only when complete and verified. Two
    processes must not download to the same target at once.

    Parameters
    ----------
    name_or_url
        A name from `available_psets`, canonical or not; a link (``http://`` or ``https://``); or a
        DOI (``10.5281/zenodo.123``, ``doi:...``, ``https://doi.org/...``) of an archive on
        Zenodo, figshare or a Dataverse that holds a single R file.
    dest
        Folder (one that exists, or that ends in a separator) or file, by default the user's cache
        folder for ``rtdmf_bio``. Folders are made where missing. In a folder the file is named
        after the PharmacoSet, after the DOI, or after the link with 8 digits of its hash, so that
        two PharmacoSets never share a name.
    checksum
        What the file must have, such as ``"md5:<hex>"`` or ``"sha256:<hex>"``. By default that of
        the archive, for a DOI, and none otherwise.
    progress
        Whether to show progress, and say if nothing was to be done, on stderr.
    overwrite
        Whether to download anew if the target exists, and replace it.
    timeout
        Seconds without an answer, or without a further byte, that count as broken off.
    retries
        How often to go on by itself after a download broke off.
    catalogue
        Base address of ORCESTRA's API, for names.

    Returns
    -------
    The path of the file, for `r_bridge.read_pset`.

    Raises
    ------
    ConnectionError
        The catalogue, the DOI or the file cannot be reached, or the download broke off.
    FileExistsError
        The target exists, is no R file or has another checksum, and `overwrite` is False.
    FileNotFoundError
        The server has no such file.
    ValueError
        There is no PharmacoSet of this name; the archive has none or several R files; the
        checksum differs or cannot be understood; what came is no R file, such as a web page.
    """
    checksum = _checked(checksum)
    given = name_or_url.strip()
    doi = _DOI.fullmatch(given)
    is_link = doi is None and given.lower().startswith(("http://", "https://"))
    if doi:
        file_name = f"{doi[1]}.rds"
    elif is_link:
        file = Path(unquote(urlsplit(given).path) or "pset")
        digest = hashlib.sha256(given.encode()).hexdigest()[:8]
        file_name = f"{file.stem}-{digest}{file.suffix}"
    else:
        file_name = f"{given}.rds"
    target = _target(dest, file_name)
    if _is_there(target, checksum, overwrite):
        if progress:
            print(f"{target} is already there: nothing to download.", file=sys.stderr)
        return target

    if doi:
        url, known = _resolve(doi[1], timeout)
        checksum = checksum or _checked(known)
    else:
        url = given if is_link else find_link(given, catalogue, timeout)
    import pooch

    # Pooch's own name for the target, so that an older file keeps its place until the end.
    staged = target.with_name(f".{target.name}.new")
    staged.unlink(missing_ok=True)
    download = Download(target, checksum is not None, progress, timeout, retries)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        pooch.retrieve(url, checksum, staged.name, target.parent, downloader=download)
    except ValueError as error:
        raise ValueError(str(error).replace(staged.name, target.name)) from error
    finally:
        logger.setLevel(level)
    os.replace(staged, target)
    return target


def _checked(checksum: str | None) -> str | None:
    if checksum is None:
        return None
    kind, _, digest = checksum.strip().lower().rpartition(":")
    kind = kind or "sha256"
    known = kind in hashlib.algorithms_available
    size = hashlib.new(kind, usedforsecurity=False).digest_size if known else 0
    if size == 0 or not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", digest):
        raise ValueError(
            "The checksum parameter must look like 'md5:<32 hex digits>' or 'sha256:<64 hex "
            f"digits>'. Got {checksum!r} instead."
        )
    return f"{kind}:{digest}"


def _target(dest: str | os.PathLike[str] | None, file_name: str) -> Path:
    file_name = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", file_name)
    file_name = file_name.encode()[-150:].decode(errors="ignore")
    if dest is None:
        import pooch

        return Path(pooch.os_cache("rtdmf_bio")) / file_name
    path = Path(dest).expanduser()
    is_folder = path.is_dir() or os.fspath(dest).endswith(("/", os.sep))
    return path / file_name if is_folder else path


def _is_there(target: Path, checksum: str | None, overwrite: bool) -> bool:
    """Say whether nothing is to be downloaded, or raise if something else is in the way."""
    if not target.exists():
        return False
    if not target.is_file():
        raise FileExistsError(f"{target} exists and is no file. Choose another name.")
    if checksum is None:
        same, found = not overwrite and is_r_file(target), "is no R file"
    else:
        import pooch

        kind, _, digest = checksum.partition(":")
        got = pooch.file_hash(str(target), alg=kind)
        same, found = got == digest, f"its checksum is {kind}:{got} and not {checksum}"
    if not same and not overwrite:
        raise FileExistsError(
            f"{target} exists, but {found}. Pass overwrite=True to replace it, or another dest."
        )
    return same


def _resolve(doi: str, timeout: float) -> tuple[str, str | None]:
    """Find the link and the checksum of the only R file in the archive."""
    from pooch import downloaders

    archive = SimpleNamespace(registry={})
    try:
        repository = downloaders.doi_to_repository(
            doi, timeout=timeout, headers=downloaders.REQUESTS_HEADERS
        )
        repository.populate_registry(archive)
    # Besides requests' errors, an archive that answers otherwise makes pooch stumble anywhere.
    except Exception as error:
        raise ConnectionError(
            f"The DOI {doi} does not lead to the files of an archive ({error!r}). Check it, try "
            "again later, or pass the download link of the file itself."
        ) from error
    files: dict[str, str] = archive.registry
    fit = [name for name in files if name.lower().endswith((".rds", ".rda", ".rdata"))]
    if len(fit) != 1:
        raise ValueError(
            f"The archive {doi} has {len(fit) or 'no'} R files, where one is needed: "
            f"{', '.join(sorted(files)) or 'it is empty'}. Pass the download link of a file."
        )
    return repository.download_url(fit[0]), files[fit[0]]
