"""What there is: the PharmacoSets (PSets) in ORCESTRA's catalogue."""

from __future__ import annotations

import difflib
import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

CATALOGUE = "https://orcestra.ca/api"
"""Base address of ORCESTRA's API."""

# Where the list has stood below that address; an ORCESTRA knows one or two of them.
_LISTS = ("pset/{kind}", "public/datasets/pharmacogenomics/full", "psets/{kind}")
_COLUMNS = ("name", "dataset", "date_created", "version", "doi", "url")
_GO_ON = (
    "Try again later, or go on without the catalogue: pass the DOI or the download link of a "
    "PharmacoSet (on https://zenodo.org) to download_pset, or a file at hand to r_bridge.read_pset."
)
_ASK_PHARMACOGX = """function(canonical) {
  lapply(PharmacoGx::availablePSets(canonical = canonical), as.character)
}"""
_PHARMACOGX_COLUMNS = ("PSet Name", "Dataset Name", "Date Created", "version", "DOI", "Download")


def available_psets(
    *,
    canonical: bool = True,
    source: Literal["auto", "orcestra", "pharmacogx"] = "auto",
    timeout: float = 30,
    catalogue: str = CATALOGUE,
) -> pd.DataFrame:
    """List the PharmacoSets that ORCESTRA offers.

    Parameters
    ----------
    canonical
        Only those that ORCESTRA recommends; False: all of them.
    source
        ``"orcestra"`` asks ORCESTRA, and so does ``"auto"``. ``"pharmacogx"`` lets R do so, by
        ``PharmacoGx::availablePSets`` (``pip install rtdmf-bio[r]``).
    timeout
        Seconds to wait for an answer; not for ``"pharmacogx"``.
    catalogue
        Base address of ORCESTRA's API; not for ``"pharmacogx"``.

    Returns
    -------
    DataFrame, one row a PharmacoSet in the order of the catalogue, missing where it says nothing

    ``name`` : string, what `download_pset` takes
    ``dataset`` : string, such as GDSC
    ``date_created`` : datetime in UTC
    ``version`` : string, of the data
    ``doi`` : string
    ``url`` : string, the download link

    Raises
    ------
    ConnectionError
        The catalogue cannot be reached or answers with something else.
    ImportError
        `source` is ``"pharmacogx"`` and rpy2, R or PharmacoGx is missing.
    ValueError
        There is no such `source`.
    """
    import pandas as pd

    from rtdmf_bio.model.checks import check_choice

    check_choice("source", source, ("auto", "orcestra", "pharmacogx"))

    if source == "pharmacogx":
        rows = _ask_pharmacogx(canonical)
    else:
        rows = _ask_orcestra(catalogue, canonical, timeout)
    table = pd.DataFrame(rows, columns=list(_COLUMNS), dtype="string")
    created = pd.to_datetime(table["date_created"], errors="coerce", utc=True, format="ISO8601")
    return table.assign(date_created=created.dt.as_unit("ns"))


def find_link(name: str, catalogue: str, timeout: float) -> str:
    """Look up the download link of a PharmacoSet.

    Raises
    ------
    ConnectionError
        The catalogue cannot be reached or answers with something else.
    ValueError
        It has no PharmacoSet of this name, or not one link for it.
    """
    table = available_psets(canonical=False, timeout=timeout, catalogue=catalogue)
    names = [str(known) for known in table["name"].dropna()]
    if name not in names:
        near = [known for known in names if name.lower() in known.lower()]
        near += difflib.get_close_matches(name, names, n=5)
        raise ValueError(
            f"The catalogue has no PharmacoSet named {name!r}. "
            + (f"Near it are {', '.join(dict.fromkeys(near))}. " if near else "")
            + f"It lists {len(names)}: see available_psets(canonical=False). A file at hand "
            "needs no download: pass it to r_bridge.read_pset."
        )
    links = [str(url) for url in table.loc[table["name"] == name, "url"].dropna().unique()]
    if len(links) != 1:
        raise ValueError(
            f"The catalogue has {len(links)} links for {name!r}. Pass a link or a DOI instead"
            + (f", such as one of {', '.join(links)}." if links else ".")
        )
    return links[0]


def _ask_orcestra(catalogue: str, canonical: bool, timeout: float) -> list[dict[str, str | None]]:
    import requests

    failures = []
    for path in _LISTS:
        path = path.format(kind="canonical" if canonical else "available")
        url = f"{catalogue.rstrip('/')}/{path}"
        try:
            response = requests.get(url, timeout=timeout, headers={"User-Agent": "rtdmf_bio"})
            response.raise_for_status()
            records = response.json()
        except (requests.ConnectionError, requests.Timeout) as error:
            failures.append(f"{url}: {error}")
            break
        except requests.RequestException as error:
            failures.append(f"{url}: {error}")
            continue
        if isinstance(records, list) and (not records or any(_row(r)["name"] for r in records)):
            return [_row(record) for record in records if _offered(record, canonical)]
        failures.append(f"{url}: JSON, but no list of PharmacoSets: {str(records)[:60]}")
    raise ConnectionError(
        f"ORCESTRA does not answer with its catalogue ({'; '.join(failures)}). {_GO_ON}"
    )


def _offered(record: object, canonical: bool) -> bool:
    """Choose from the full list, where ORCESTRA leaves it to us."""
    info = _dict(_dict(record).get("info"))
    return not info.get("private") and (not canonical or bool(info.get("canonical", True)))


def _row(record: object) -> dict[str, str | None]:
    record = _dict(record)
    dataset, archive = _dict(record.get("dataset")), _dict(record.get("repositories"))
    version = dataset.get("versionInfo", record.get("version"))
    created = record.get("dateCreated", _dict(record.get("info")).get("dateCreated"))
    links = record.get("downloadLink", archive.get("downloadLink"))
    links = [_text(link) or "" for link in (links if isinstance(links, list) else [links])]
    # Of several files the R object.
    links.sort(key=lambda link: not re.search(r"\.(rds|rda|rdata)\b", link, re.IGNORECASE))
    return {
        "name": _text(record.get("name")),
        "dataset": _text(dataset.get("name")),
        "date_created": _text(created),
        "version": _text(version.get("version") if isinstance(version, dict) else version),
        "doi": _text(record.get("doi", archive.get("doi"))),
        "url": next(iter(links), None) or None,
    }


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value).strip() or None if isinstance(value, str) or is_number else None


def _ask_pharmacogx(canonical: bool) -> list[dict[str, str | None]]:
    from .._nodes import by_rpy2 as r

    r.require_pharmacogx()
    base = r.session().baseenv
    ask = base["eval"](r.session().parse(_ASK_PHARMACOGX), base)
    value, error, warnings = (
        r.RNode(part) for part in r.functions()["quietly"](ask, r.logical(canonical))
    )
    if value.kind == "NULL":
        said = "; ".join(" ".join(text.split()) for text in [*error.values(), *warnings.values()])
        raise ConnectionError(f"PharmacoGx::availablePSets failed ({said}). {_GO_ON}")
    columns = [value.item(name) for name in _PHARMACOGX_COLUMNS]
    cells = zip_longest(*([] if column is None else column.values() for column in columns))
    return [dict(zip(_COLUMNS, map(_text, row), strict=True)) for row in cells]
