"""A download that can be resumed and that ends in an R file."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def is_r_file(path: Path) -> bool:
    """Say whether a file begins as what R saves does."""
    from .._psets.open import MAGIC

    with open(path, "rb") as file:
        return file.read(8).startswith(MAGIC)


@dataclass
class Download:
    """What pooch calls to fetch a file: it resumes, and refuses what is short or no R file."""

    target: Path
    verified: bool
    progress: bool
    timeout: float
    retries: int

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        for attempt in range(self.retries + 1):
            try:
                part = self._fetch(url)
                break
            except (requests.RequestException, _BrokenOffError) as error:
                if attempt == self.retries:
                    raise ConnectionError(
                        f"The download of {url} broke off: {error}. Call again to go on with "
                        f"what has come, in {self.target.parent}."
                    ) from error
                time.sleep(min(2**attempt, 30))
        os.replace(part, output_file)

    def _fetch(self, url: str) -> Path:
        with self._get(url) as response:
            headers = response.headers
            encoded = headers.get("Content-Encoding", "identity") != "identity"
            length = None if encoded else headers.get("Content-Length")
            total = None if length is None else int(length)
            etag = headers.get("ETag", "W/")
            validator = headers.get("Last-Modified") if etag.startswith("W/") else etag
            part = self._part(url, validator, length)
            have = part.stat().st_size if part.exists() else 0
            # Nothing would tell a changed file from the one begun.
            if total is None or have > total or not (validator or self.verified):
                have = 0
            if have == 0:
                self._write(response, part, 0, total)
            elif have < (total or 0):
                more = {"Range": f"bytes={have}-", "If-Range": validator}
                with self._get(url, more) as rest:
                    span = rest.headers.get("Content-Range", "")
                    if re.fullmatch(rf"bytes {have}-\d+/{total}", span):
                        self._write(rest, part, have, total)
                    else:  # The server cannot do it, or the file has just changed.
                        self._write(response, part, 0, total)
        if not is_r_file(part):
            with open(part, "rb") as file:
                head = file.read(60)
            part.unlink()
            raise ValueError(
                f"{url} is no R file: it begins with {head!r}. A page about a file is not the file "
                "itself: pass the link behind its download button, or the DOI."
            )
        return part

    def _get(self, url: str, headers: dict[str, Any] | None = None) -> Any:
        import requests

        # Compressed on the way, bytes could not be counted.
        headers = {"Accept-Encoding": "identity", "User-Agent": "rtdmf_bio", **(headers or {})}
        response = requests.get(url, headers=headers, stream=True, timeout=self.timeout)
        code, reason = response.status_code, response.reason
        if code < 400 or "Range" in headers:
            return response
        response.close()
        if code == 429 or code >= 500:
            raise _BrokenOffError(f"the server answered {code} {reason}")
        raise FileNotFoundError(
            f"There is no file to be had at {url}: the server answered {code} {reason}. Check the "
            "link, or pass the DOI of the PharmacoSet."
        )

    def _part(self, url: str, validator: str | None, length: str | None) -> Path:
        """Name the unfinished file after what it is part of, and remove those of other files."""
        stamp = hashlib.sha256(repr((url, validator, length)).encode()).hexdigest()[:8]
        part = self.target.with_name(f"{self.target.name}.{stamp}.part")
        for other in part.parent.glob(f"{glob.escape(self.target.name)}.????????.part"):
            if other != part:
                other.unlink()
        return part

    def _write(self, response: Any, part: Path, have: int, total: int | None) -> None:
        """Write the body into `part` from byte `have` on."""
        from tqdm.auto import tqdm

        with (
            open(part, "r+b" if have else "wb") as file,
            tqdm(
                total=total,
                initial=have,
                desc=self.target.name,
                unit="B",
                unit_scale=True,
                disable=not self.progress,
            ) as bar,
        ):
            file.seek(have)
            for chunk in response.iter_content(1 << 16):
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        size = part.stat().st_size
        if total is not None and size != total:
            raise _BrokenOffError(f"{size} of {total} bytes came")


class _BrokenOffError(Exception):
    """A transfer that may be taken up again."""
