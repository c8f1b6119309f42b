"""The catalogue and the downloads, against a server on this machine: never the internet."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import unquote

import pandas as pd
import pooch
import pytest
import requests

from r_bridge import available_psets, download_pset
from r_bridge._download import fetch
from r_bridge._download.catalogue import CATALOGUE

BODY = b"\x1f\x8b" + bytes(hashlib.shake_256(b"a PharmacoSet").digest(300_000))
OTHER = b"\x1f\x8b" + bytes(hashlib.shake_256(b"another one").digest(300_000))
HTML = b"<!DOCTYPE html><html><title>Service unavailable</title></html>"


def md5(body):
    return "md5:" + hashlib.md5(body).hexdigest()


MD5, WRONG = md5(BODY), "md5:" + "0" * 32
DOI = "10.5281/zenodo.123"
BEGUN = 2 << 16
ZENODO = "https://zenodo.org/record/3905481/files/GDSC2.rds?download=1"


@dataclass
class Remote:
    """What the server says at one address."""

    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"v1"'})
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the connection is cut, one for each answer."""
    ranges: bool = True
    says_length: bool = True
    longest: int | None = None
    pause: float = 0.0
    on_range: tuple[bytes, str] | None = None
    """New body and ETag as soon as a range is asked for."""
    wrong_span: bool = False


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.log.append((self.path, dict(self.headers)))
        remote = self.server.remotes.get(unquote(self.path.partition("?")[0]))
        if remote is None:
            self.send_error(404)
        elif remote == "silence":
            self.server.silence.wait(3)
            self.answer(Remote(BODY if self.path.endswith(".rds") else b"[]"))
        else:
            self.answer(remote)

    def answer(self, remote):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and remote.on_range:
            remote.body, remote.headers["ETag"] = remote.on_range
        status = remote.statuses.pop(0) if remote.statuses else 200
        body = remote.body
        condition = self.headers.get("If-Range")
        headers = dict(remote.headers)
        unchanged = condition in (None, headers.get("ETag"), headers.get("Last-Modified"))
        if asked and remote.ranges and unchanged and status == 200:
            start = int(asked[1])
            stop = min(len(body), start + (remote.longest or len(body)))
            shown = start - 1 if remote.wrong_span else start
            headers["Content-Range"] = f"bytes {shown}-{stop - 1}/{len(body)}"
            status, body = 206, body[shown:stop]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if remote.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: remote.cuts.pop(0)] if remote.cuts else body
        step = max(1, len(body) // 10) if remote.pause else len(body) or 1
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            time.sleep(remote.pause)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.remotes, self.log, self.silence = {}, [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_):
        """A client that hangs up is what is tested."""

    def serve(self, path, body, **kwargs):
        self.remotes[path] = Remote(body, **kwargs)
        return self.url + path

    def serve_catalogue(self, records, path="/api/pset/{}"):
        body = json.dumps(records).encode()
        for kind in ("canonical", "available"):
            self.serve(path.format(kind), body)
        return self.url + "/api"


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """Let nothing leave this machine, write to the user's cache, or wait between retries."""
    known = socket.getaddrinfo

    def local(host, *args, **kwargs):
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, f"no network in tests: {host}")
        return known(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    naps = []
    monkeypatch.setattr(fetch, "time", SimpleNamespace(sleep=naps.append))
    return naps


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.silence.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "psets"
    folder.mkdir()
    return folder


@pytest.fixture
def target(folder):
    return folder / "a.rds"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def part_of(target):
    """The unfinished file, if there is nothing else."""
    (part,) = target.parent.iterdir()
    assert re.fullmatch(rf"{target.name}\.[0-9a-f]{{8}}\.part", part.name)
    return part


def fetched(url, target, **kwargs):
    """What is at the target after a download that was silent and alone there."""
    assert download_pset(url, target, progress=False, **kwargs) == target
    assert names(target.parent) == [target.name]
    return target.read_bytes()


@pytest.fixture
def begin(server, target, monkeypatch):
    """Break a download of BODY off after BEGUN bytes, as Ctrl-C would, and return its link."""
    whole = requests.Response.iter_content

    def begin(error=KeyboardInterrupt, checksum=None, **how):
        def broken(self, *args, **kwargs):
            chunks = whole(self, *args, **kwargs)
            yield from (next(chunks) for _ in range(2))
            raise error

        url = server.serve("/a.rds", BODY, **how)
        with monkeypatch.context() as patch:
            patch.setattr(requests.Response, "iter_content", broken)
            with pytest.raises(error):
                download_pset(url, target, progress=False, checksum=checksum)
        assert part_of(target).read_bytes() == BODY[:BEGUN]
        return url

    return begin


# --- downloads ------------------------------------------------------------------------------


def test_the_file_arrives_byte_by_byte_and_alone(server, folder):
    assert fetched(server.serve("/a/GDSC2.rds", BODY), folder / "gdsc.rds") == BODY
    assert len(server.log) == 1


def test_a_slow_server_is_waited_for(server, target):
    assert fetched(server.serve("/a.rds", BODY, pause=0.02), target, retries=0) == BODY


def test_a_server_that_falls_silent_is_an_error(server, folder, target):
    server.remotes["/a.rds"] = "silence"
    with pytest.raises(ConnectionError, match="broke off"):
        download_pset(server.url + "/a.rds", target, timeout=0.1, retries=0)
    assert names(folder) == []


def test_a_truncated_body_is_an_error_that_the_next_call_goes_on_from(server, target):
    url = server.serve("/a.rds", BODY, cuts=[200_000])
    with pytest.raises(ConnectionError, match=r"broke off.*Call again to go on"):
        download_pset(url, target, progress=False, retries=0)
    have = part_of(target).stat().st_size
    assert 0 < have < len(BODY)
    assert fetched(url, target, retries=0) == BODY
    assert server.log[-1][1]["Range"] == f"bytes={have}-"


def test_a_download_that_breaks_off_goes_on_by_itself(server, target, offline):
    assert fetched(server.serve("/a.rds", BODY, cuts=[100_000, 0, 100_000]), target) == BODY
    assert offline == [1, 2]
    assert sum("Range" in headers for _, headers in server.log) == 2


def test_an_answer_shorter_than_the_range_asked_for_is_noticed(server, target):
    """HTTP allows it, and neither requests nor urllib3 minds."""
    url = server.serve("/a.rds", BODY, cuts=[70_000], longest=100_000)
    with pytest.raises(ConnectionError, match="165536 of 300002 bytes came"):
        download_pset(url, target, progress=False, retries=1)
    assert part_of(target).stat().st_size == 165_536
    assert fetched(url, target) == BODY


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_leaves_the_part_alone_and_the_retry_resumes(server, target, begin, error):
    assert fetched(begin(error=error), target) == BODY
    assert server.log[-1][1]["Range"] == f"bytes={BEGUN}-"


def test_a_date_is_enough_to_resume(server, target, begin):
    url = begin(headers={"Last-Modified": "Mon, 01 Jun 2020"})
    assert fetched(url, target) == BODY
    assert server.log[-1][1]["If-Range"] == "Mon, 01 Jun 2020"


def test_a_complete_part_is_not_fetched_again(server, target, begin):
    """As after a kill between the last byte and the renaming."""
    url = begin()
    part_of(target).write_bytes(BODY)
    assert fetched(url, target) == BODY
    assert "Range" not in server.log[-1][1]


def test_a_part_longer_than_the_file_is_thrown_away(target, begin):
    url = begin()
    part_of(target).write_bytes(BODY + b"more")
    assert fetched(url, target) == BODY


@pytest.mark.parametrize(
    "how",
    [{"ranges": False}, {"wrong_span": True}, {"statuses": [200, 200, 416]}],
    ids=["ignored", "another", "refused"],
)
def test_a_server_without_the_range_starts_over_cleanly(server, target, begin, how):
    assert fetched(begin(**how), target) == BODY
    assert "Range" in server.log[-1][1]


@pytest.mark.parametrize(
    ("old", "new", "body"),
    [
        ({"ETag": '"v1"'}, {"ETag": '"v2"'}, OTHER),
        ({"Last-Modified": "Mon, 01 Jun 2020"}, {"Last-Modified": "Tue, 02 Jun 2020"}, OTHER),
        ({"ETag": '"v1"'}, {"ETag": '"v1"'}, OTHER[:-1]),
        ({}, {}, OTHER),
        ({"ETag": 'W/"v1"'}, {"ETag": 'W/"v1"'}, OTHER),
    ],
    ids=["ETag", "date", "length", "nothing tells", "weak ETag"],
)
def test_a_file_changed_between_the_calls_is_not_glued(server, target, begin, old, new, body):
    """Most are of the same length, so that only the validator tells."""
    begin(headers=old)
    assert fetched(server.serve("/a.rds", body, headers=new), target) == body


def test_a_file_changed_just_before_the_range_is_asked_for_is_not_glued(target, begin):
    """Only If-Range covers this moment."""
    assert fetched(begin(on_range=(OTHER, '"v2"')), target) in (BODY, OTHER)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"v1"'}], ids=["none", "weak"])
def test_a_checksum_allows_to_resume_without_a_validator(server, target, begin, headers):
    assert fetched(begin(headers=headers, checksum=MD5), target, checksum=MD5) == BODY
    assert "Range" in server.log[-1][1]


def test_a_part_of_another_link_is_not_glued(server, target, begin):
    """Even where both servers number their versions alike."""
    begin()
    assert fetched(server.serve("/b.rds", OTHER), target) == OTHER


def test_parts_of_other_targets_stay(server, folder, target, begin):
    """Brackets in a name are no pattern."""
    begin()
    part = part_of(target)
    download_pset(server.serve("/b.rds", OTHER), folder / "[ab].rds", progress=False)
    assert names(folder) == sorted(["[ab].rds", part.name])


def test_a_body_of_unknown_length_arrives(target, begin):
    assert fetched(begin(says_length=False), target) == BODY


def test_a_body_compressed_on_the_way_is_unpacked(server, target):
    """Its length is another one than that of the file."""
    headers = {"Content-Encoding": "gzip", "ETag": '"v1"'}
    assert fetched(server.serve("/a.rds", gzip.compress(BODY), headers=headers), target) == BODY
    assert server.log[0][1]["Accept-Encoding"] == "identity"


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_the_right_checksum_passes(server, target, kind):
    digest = hashlib.new(kind, BODY).hexdigest()
    given = digest.upper() if kind == "sha256" else f"{kind.upper()}:{digest}"
    assert fetched(server.serve("/a.rds", BODY), target, checksum=given) == BODY


def test_a_wrong_checksum_leaves_nothing_and_says_both(server, folder, target):
    with pytest.raises(ValueError, match=rf"\(a\.rds\).*expected {WRONG} but got {MD5[4:]}"):
        download_pset(server.serve("/a.rds", BODY), target, checksum=WRONG)
    assert names(folder) == []


@pytest.mark.parametrize("given", ["md5:123", "md4711:" + "0" * 32, "", "shake_128:", "0" * 32])
def test_a_checksum_that_is_none_is_refused_before_the_download(server, target, given):
    with pytest.raises(ValueError, match=r"must look like .* Got"):
        download_pset(server.serve("/a.rds", BODY), target, checksum=given)
    assert server.log == []


def test_a_missing_file_is_one_clear_error(server, folder, target):
    with pytest.raises(FileNotFoundError, match=r"no file to be had at .*/none\.rds.*404"):
        download_pset(server.url + "/none.rds", target)
    assert names(folder) == []
    assert len(server.log) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_ailing_server_is_asked_again_and_then_reported(server, folder, target, status):
    url = server.serve("/a.rds", BODY, statuses=[status, status])
    assert fetched(url, target) == BODY
    server.serve("/a.rds", BODY, statuses=[status] * 9)
    with pytest.raises(ConnectionError, match=f"answered {status}"):
        download_pset(url, folder / "b.rds", progress=False, retries=2)
    assert len(server.log) == 6
    assert names(folder) == ["a.rds"]


def test_an_unreachable_server_is_one_clear_error(folder, target):
    with pytest.raises(ConnectionError, match=r"download of https://nowhere\.invalid/a.rds broke"):
        download_pset("https://nowhere.invalid/a.rds", target, retries=0)
    assert names(folder) == []


@pytest.mark.parametrize("body", [HTML, b"", b"PK\x03\x04zip", b"drug,line,auc\n", b"BZ"])
def test_what_is_no_r_file_is_refused(server, folder, target, body):
    with pytest.raises(ValueError, match=r"is no R file: it begins with b.* the DOI"):
        download_pset(server.serve("/a.rds", body), target)
    assert names(folder) == []


@pytest.mark.parametrize(
    "magic",
    [
        *(b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00", b"RDX2\n", b"RDX3\n", b"RDA2\n"),
        *(b"X\n", b"A\n", b"B\n"),
    ],
)
def test_every_kind_of_r_file_passes(server, target, magic):
    assert fetched(server.serve("/a", magic + BODY), target) == magic + BODY


# --- targets --------------------------------------------------------------------------------


def test_the_second_call_asks_nobody(server, folder, capsys):
    catalogue = server.serve_catalogue(
        [{"name": "GDSC_2020(v2-8.2)", "downloadLink": server.serve("/G.rds", BODY)}]
    )
    first = download_pset("GDSC_2020(v2-8.2)", folder, catalogue=catalogue, progress=False)
    assert first.name == "GDSC_2020(v2-8.2).rds"
    asked = len(server.log)
    assert asked == 2
    assert download_pset("GDSC_2020(v2-8.2)", folder, catalogue=catalogue) == first
    assert download_pset(server.url + "/other.rds", first, checksum=MD5) == first
    assert len(server.log) == asked
    assert capsys.readouterr().err.count("already there: nothing to download") == 2


def test_progress_is_shown_and_can_be_silenced(server, folder, target, monkeypatch, capfd):
    for handler in pooch.get_logger().handlers:
        monkeypatch.setattr(handler, "stream", sys.stderr)
    url = server.serve("/a.rds", BODY)
    fetched(url, target)
    fetched(url, target)
    assert capfd.readouterr() == ("", "")
    download_pset(url, folder / "b.rds")
    out, err = capfd.readouterr()
    assert out == ""
    assert "b.rds: 100%" in err


def test_the_progress_of_a_resumed_download_starts_where_it_was(target, begin, capsys):
    download_pset(begin(), target)
    assert "44%" in capsys.readouterr().err


def test_poochs_logger_is_left_as_found(server, target):
    pooch.get_logger().setLevel("INFO")
    with pytest.raises(FileNotFoundError):
        download_pset(server.url + "/none.rds", target)
    assert pooch.get_logger().level == 20


@pytest.fixture
def occupied(target):
    """A target with another file."""
    target.write_bytes(OTHER)
    return target


def test_an_existing_target_is_kept_unless_told_otherwise(server, occupied):
    url = server.serve("/a.rds", BODY)
    assert fetched(url, occupied) == OTHER
    with pytest.raises(FileExistsError, match=rf"md5:[0-9a-f]+ and not {MD5}\. Pass overwrite"):
        download_pset(url, occupied, checksum=MD5)
    assert occupied.read_bytes() == OTHER
    assert server.log == []
    assert fetched(url, occupied, checksum=MD5, overwrite=True) == BODY


def test_a_pset_reissued_under_its_name_stays_the_old_one_until_overwritten(server, folder):
    for body in (OTHER, BODY):
        link = server.serve(f"/{len(server.remotes)}.rds", body)
        catalogue = server.serve_catalogue([{"name": "GDSC", "downloadLink": link}])
        path = download_pset("GDSC", folder, catalogue=catalogue, progress=False)
        assert path.read_bytes() == OTHER
    download_pset("GDSC", folder, catalogue=catalogue, progress=False, overwrite=True)
    assert path.read_bytes() == BODY


def test_overwriting_without_a_checksum_fetches_anew(server, occupied):
    assert fetched(server.serve("/a.rds", BODY), occupied, overwrite=True) == BODY


def test_the_old_file_stays_if_overwriting_fails(server, folder, occupied):
    url = server.serve("/a.rds", BODY, cuts=[200_000])
    with pytest.raises(ConnectionError):
        download_pset(url, occupied, overwrite=True, progress=False, retries=0)
    with pytest.raises(ValueError, match="expected"):
        download_pset(url, occupied, overwrite=True, progress=False, checksum=WRONG)
    assert occupied.read_bytes() == OTHER
    assert names(folder) == ["a.rds"]


def test_what_a_killed_call_left_beside_the_target_is_not_taken_for_the_file(server, target):
    target.with_name(".a.rds.new").write_bytes(OTHER)
    assert fetched(server.serve("/a.rds", BODY), target) == BODY


def test_a_target_that_is_no_r_file_is_in_the_way(server, folder, target):
    target.write_bytes(HTML)
    (folder / "b.rds").mkdir()
    with pytest.raises(FileExistsError, match=r"is no R file\. Pass overwrite=True"):
        download_pset(server.serve("/a.rds", BODY), target)
    with pytest.raises(FileExistsError, match="is no file"):
        download_pset("b", folder)
    assert server.log == []


def test_a_folder_gets_a_name_of_its_own_for_each_link(server, folder):
    one = server.serve("/1/files/CCLE.rds", BODY)
    two = server.serve("/2/files/CCLE.rds", OTHER)
    first = download_pset(one + "?download=1", folder, progress=False)
    second = download_pset(two + "?download=1", str(folder), progress=False)
    assert first.read_bytes() == BODY
    assert second.read_bytes() == OTHER
    assert re.fullmatch(r"CCLE-[0-9a-f]{8}\.rds", first.name)


def test_a_missing_folder_is_made_if_it_ends_in_a_separator(server, tmp_path):
    url = server.serve("/a.rds", BODY)
    path = download_pset(url, f"{tmp_path}/new/psets/", progress=False)
    assert path.parent == tmp_path / "new" / "psets"
    path = download_pset(url, f"{tmp_path}/new/file", progress=False)
    assert path == tmp_path / "new" / "file"
    assert path.is_file()


def test_by_default_the_file_goes_to_the_users_cache(server, tmp_path):
    path = download_pset(server.serve("/a.rds", BODY), progress=False)
    assert path.parent == tmp_path / "cache" / "rtdmf_bio"
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("name", "file_name"),
    [
        ("Krebs größe 2020", "Krebs größe 2020.rds"),
        ("薬剤", "薬剤.rds"),
        ("a/../b:c", "a_.._b_c.rds"),
        ("x" * 300, "x" * 146 + ".rds"),
        ("薬" * 300, "薬" * 48 + ".rds"),
    ],
    ids=["umlaut and space", "Japanese", "path", "long", "long in bytes"],
)
def test_any_name_makes_one_file_in_the_folder(server, folder, name, file_name):
    link = server.serve("/données 1.rds", BODY)
    catalogue = server.serve_catalogue([{"name": name, "downloadLink": link}])
    path = download_pset(name, folder, catalogue=catalogue, progress=False)
    assert path == folder / file_name
    assert names(folder) == [file_name]


# --- DOIs -----------------------------------------------------------------------------------


@pytest.fixture
def zenodo(monkeypatch, server):
    """Pooch's own Zenodo code, on an archive here."""

    def archive(**files):
        listing = [
            {
                "key": name,
                "checksum": md5(body),
                "links": {"self": server.serve(f"/api/records/123/files/{name}/content", body)},
            }
            for name, body in files.items()
        ]
        server.serve("/api/records/123", json.dumps({"files": listing}).encode())

    def to_url(doi, **_):
        assert doi == DOI
        return "https://zenodo.org/records/123"

    monkeypatch.setattr(pooch.downloaders, "doi_to_url", to_url)
    monkeypatch.setattr(
        pooch.downloaders.ZenodoRepository, "base_api_url", server.url + "/api/records"
    )
    return archive


@pytest.mark.parametrize(
    "given",
    [
        "10.5281/zenodo.123",
        "doi:10.5281/zenodo.123",
        "DOI: 10.5281/zenodo.123 ",
        "https://doi.org/10.5281/zenodo.123",
        "http://dx.doi.org/10.5281/zenodo.123",
    ],
)
def test_a_doi_leads_to_the_r_file_of_its_archive(zenodo, server, folder, given):
    zenodo(**{"README.md": b"# text", "GDSC2.rds": BODY})
    path = download_pset(given, folder, progress=False)
    assert path == folder / "10.5281_zenodo.123.rds"
    assert path.read_bytes() == BODY
    asked = len(server.log)
    assert download_pset(DOI, folder, progress=False) == path
    assert len(server.log) == asked


def test_the_archives_checksum_is_compared(zenodo, server, folder):
    zenodo(**{"GDSC2.RDS": BODY})
    server.serve("/api/records/123/files/GDSC2.RDS/content", OTHER)
    with pytest.raises(ValueError, match=f"expected {MD5}"):
        download_pset(DOI, folder, progress=False)
    path = download_pset(DOI, folder, progress=False, checksum=md5(OTHER))
    assert path.read_bytes() == OTHER


@pytest.mark.parametrize("count", [0, 2])
def test_an_archive_without_a_single_r_file_is_listed(zenodo, folder, count):
    zenodo(**{"README.md": b"# text"}, **{f"part{i}.rda": BODY for i in range(count)})
    listed = ", ".join(["README.md", *(f"part{i}.rda" for i in range(count))])
    with pytest.raises(ValueError, match=f"has {count or 'no'} R files.*{listed}"):
        download_pset(DOI, folder)


@pytest.mark.parametrize("answer", [b'{"status": 404}', HTML])
def test_a_doi_without_an_archive_is_one_clear_error(zenodo, server, folder, answer):
    server.serve("/api/records/123", answer)
    with pytest.raises(ConnectionError, match=r"DOI 10.5281/zenodo.123 does not lead .* link"):
        download_pset(DOI, folder)


def test_a_doi_without_a_network_is_one_clear_error(folder):
    with pytest.raises(ConnectionError, match=r"DOI 10.1000/182 does not lead"):
        download_pset("10.1000/182", folder)


# --- catalogue ------------------------------------------------------------------------------

RECORD = {
    "name": "GDSC_2020(v2-8.2)",
    "doi": "10.5281/zenodo.3905481",
    "downloadLink": ZENODO,
    "dateCreated": "2020-06-24T14:39:26.588Z",
    "dataset": {
        "name": "GDSC",
        "versionInfo": {"version": "2020(v2-8.2)", "type": "sensitivity", "publication": []},
        "sensitivity": {"version": "8.2", "source": "x"},
    },
    "availableDatatypes": [],
}
ROW = ["GDSC_2020(v2-8.2)", "GDSC", "2020(v2-8.2)", "10.5281/zenodo.3905481", ZENODO]


def rows(table):
    return table.drop(columns="date_created").astype(object).to_numpy().tolist()


def test_the_catalogue_is_a_table(server):
    catalogue = server.serve_catalogue([RECORD, {**RECORD, "name": "GDSC_new"}])
    table = available_psets(catalogue=catalogue + "/")
    assert list(table) == ["name", "dataset", "date_created", "version", "doi", "url"]
    assert rows(table) == [ROW, ["GDSC_new", *ROW[1:]]]
    assert table["date_created"][0] == pd.Timestamp("2020-06-24T14:39:26.588Z")
    assert len(server.log) == 1


@pytest.mark.parametrize(("canonical", "kind"), [(True, "canonical"), (False, "available")])
def test_canonical_chooses_the_list(server, canonical, kind):
    catalogue = server.serve_catalogue([RECORD])
    available_psets(catalogue=catalogue, canonical=canonical, source="orcestra")
    assert server.log[0][0] == f"/api/pset/{kind}"


def test_the_list_of_an_older_orcestra_is_found(server):
    """A newer one answers an old address with a sentence and status 200, and the other way."""
    catalogue = server.serve_catalogue([RECORD], "/api/psets/{}")
    server.serve("/api/pset/canonical", b"Please use the correct dataset type.")
    assert rows(available_psets(catalogue=catalogue)) == [ROW]


def test_the_list_of_a_newer_orcestra_is_found(server):
    def record(name, **info):
        return {
            "name": name,
            "version": "8.2",
            "info": {"dateCreated": "2020-06-24T14:39:26Z", "status": "complete", **info},
            "repositories": {
                "doi": "10.5281/zenodo.1",
                "downloadLink": ["https://zenodo.org/a.zip", ZENODO],
            },
        }

    listed = [
        record("A", canonical=True),
        record("B", canonical=False),
        record("C", canonical=True, private=True),
    ]
    server.serve("/api/public/datasets/pharmacogenomics/full", json.dumps(listed).encode())
    table = available_psets(catalogue=server.url + "/api")
    assert table["name"].tolist() == ["A"]
    assert table["url"].tolist() == [ZENODO]
    assert table["doi"].tolist() == ["10.5281/zenodo.1"]
    assert table["version"].tolist() == ["8.2"]
    assert table["date_created"].notna().all()
    table = available_psets(catalogue=server.url + "/api", canonical=False)
    assert table["name"].tolist() == ["A", "B"]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"dataset": None, "downloadLink": None, "doi": "", "dateCreated": "soon"},
        {"dataset": "GDSC", "downloadLink": [], "doi": {"a": 1}, "dateCreated": None},
        {"dataset": {"versionInfo": None}, "downloadLink": [None], "repositories": [1]},
        {"dataset": {"name": True}, "info": [], "unheard of": {"x": []}},
    ],
)
def test_missing_and_odd_fields_are_missing_values(server, odd):
    table = available_psets(catalogue=server.serve_catalogue([RECORD, {"name": "odd", **odd}]))
    assert table["name"].tolist() == [RECORD["name"], "odd"]
    assert table.iloc[1, 1:].isna().all()
    assert table.iloc[0].notna().all()


def test_numbers_are_text(server):
    odd = {"name": 17, "dataset": {"versionInfo": 2.5}}
    table = available_psets(catalogue=server.serve_catalogue([RECORD, odd]))
    assert table.loc[1, ["name", "version"]].tolist() == ["17", "2.5"]


def test_an_empty_catalogue_is_an_empty_table(server):
    table = available_psets(catalogue=server.serve_catalogue([]))
    assert table.shape == (0, 6)
    assert str(table["date_created"].dtype) == "datetime64[ns, UTC]"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (HTML, 200),
        (b"", 200),
        (b"Please use the correct dataset type.", 200),
        (b'[{"name": "GDSC"', 200),
        (b'{"error": "x"}', 200),
        (b'{"name": "no list"}', 200),
        (b"[1, 2]", 200),
        (b'[{"error": 3}]', 200),
        (b"null", 200),
        (b"[]", 500),
        (HTML, 503),
    ],
)
def test_an_answer_that_is_no_list_of_psets_is_one_clear_error(server, body, status):
    catalogue = server.serve_catalogue([])
    server.serve("/api/pset/canonical", body, statuses=[status])
    with pytest.raises(ConnectionError, match=r"pset/canonical.* DOI .*download_pset.*read_pset"):
        available_psets(catalogue=catalogue)


@pytest.mark.parametrize("how", ["no such host", "refused", "silent"])
def test_a_catalogue_that_is_down_is_one_clear_error_and_is_asked_once(server, how):
    server.remotes["/api/pset/canonical"] = "silence"
    with contextlib.closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        catalogue = {
            "no such host": CATALOGUE,
            "refused": f"http://127.0.0.1:{unused.getsockname()[1]}/api",
            "silent": server.url + "/api",
        }[how]
        with pytest.raises(ConnectionError, match=r"DOI .*download_pset.*read_pset") as caught:
            available_psets(catalogue=catalogue, timeout=0.1)
    assert "public/datasets" not in str(caught.value)
    assert len(server.log) <= 1


def test_a_name_asks_the_whole_catalogue_and_an_unknown_one_names_its_neighbours(server, folder):
    catalogue = server.serve_catalogue([{"name": name} for name in ("GDSC_2020", "CTRPv2_2015")])
    with pytest.raises(ValueError, match=r"'GDSC'\. Near it are GDSC_2020\. It lists 2"):
        download_pset("GDSC", folder, catalogue=catalogue)
    with pytest.raises(ValueError, match=r"'CTRPv2_2051'\. Near it are CTRPv2_2015\. It"):
        download_pset("CTRPv2_2051", folder, catalogue=catalogue)
    with pytest.raises(ValueError, match=r"'zzz'\. It lists 2.*read_pset"):
        download_pset("zzz", folder, catalogue=catalogue)
    assert {path for path, _ in server.log} == {"/api/pset/available"}


def test_a_name_without_one_link_is_refused(server, folder):
    twice = [{"name": "A", "downloadLink": f"{server.url}/{i}.rds"} for i in range(2)]
    catalogue = server.serve_catalogue([*twice, {"name": "B"}])
    with pytest.raises(ValueError, match=r"2 links for 'A'.*/0\.rds, .*/1\.rds"):
        download_pset("A", folder, catalogue=catalogue)
    with pytest.raises(ValueError, match=r"0 links for 'B'\. Pass a link or a DOI instead\."):
        download_pset("B", folder, catalogue=catalogue)


def test_a_source_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"'orcestra', 'pharmacogx'\]. Got 'R'"):
        available_psets(source="R")


# --- PharmacoGx -----------------------------------------------------------------------------


STAND_IN = {
    "DESCRIPTION": "Package: PharmacoGx\nVersion: 0.0.1\n",
    "NAMESPACE": "export(availablePSets)",
    "R/all.R": f"""availablePSets <- function(canonical = TRUE) {{
      message("asking")
      warning("odd answer")
      if (!canonical) stop("parse error:\n  lexical error")
      data.frame(
        `Dataset Name` = factor(c("GDSC", NA)), `Date Created` = c("{RECORD["dateCreated"]}", NA),
        `PSet Name` = c("{ROW[0]}", "odd"), version = c("{ROW[2]}", NA), type = "sensitivity",
        DOI = c("{ROW[3]}", ""), Download = c("{ROW[4]}", ""), check.names = FALSE
      )
    }}""",
}
ASK = """
import sys, r_bridge
r_bridge.available_psets(source="pharmacogx").to_pickle(sys.argv[1])
try:
    r_bridge.available_psets(source="pharmacogx", canonical=False)
except ConnectionError as error:
    print(error)
"""


def test_pharmacogx_gives_the_same_table_or_one_clear_error_and_prints_nothing(
    server, tmp_path, needs_r
):
    expected = available_psets(catalogue=server.serve_catalogue([RECORD, {"name": "odd"}]))
    for name, text in STAND_IN.items():
        file = tmp_path / "PharmacoGx" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    command = ["R", "CMD", "INSTALL", "--no-test-load", f"--library={tmp_path / 'library'}"]
    (tmp_path / "library").mkdir()
    subprocess.run([*command, tmp_path / "PharmacoGx"], check=True, capture_output=True)
    out = subprocess.run(
        [sys.executable, "-c", ASK, tmp_path / "table"],
        capture_output=True,
        text=True,
        env={**os.environ, "R_LIBS": str(tmp_path / "library")},
    )
    assert (out.returncode, out.stderr) == (0, "")
    assert re.match(r"PharmacoGx::availablePSets failed .*: lexical error; odd.* DOI ", out.stdout)
    pd.testing.assert_frame_equal(pd.read_pickle(tmp_path / "table"), expected)


@pytest.mark.parametrize("asked", ["session", "require_pharmacogx"])
def test_without_r_or_pharmacogx_the_error_is_that_of_the_bridge(monkeypatch, asked):
    def missing():
        raise ImportError("It is not installed.")

    monkeypatch.setattr(f"r_bridge._nodes.by_rpy2.{asked}", missing)
    with pytest.raises(ImportError, match=r"^It is not installed\.$"):
        available_psets(source="pharmacogx")


def test_importing_the_modules_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from r_bridge._download import catalogue, fetch, pull\n"
        "heavy = {'pooch', 'requests', 'pandas', 'numpy', 'rpy2', 'tqdm', 'urllib3'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
