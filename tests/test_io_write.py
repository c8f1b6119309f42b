"""Writing files whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from rtdmf_bio.io import read_table, write_h5ad, write_table

PROJECT = Path(__file__).parents[1]
posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")

WRITERS = [
    pytest.param(write_h5ad, "out.h5ad", id="h5ad"),
    pytest.param(write_table, "out.csv.gz", id="csv.gz"),
]
each_writer = pytest.mark.parametrize("write, name", WRITERS)


def adata(value: float = 1.0) -> ad.AnnData:
    obs = pd.DataFrame({"target": ["BRAF", None]}, index=["x", "y"])
    return ad.AnnData(np.full((2, 3), value), obs=obs)


def read(path: Path) -> ad.AnnData:
    return ad.read_h5ad(path) if path.name.endswith(".h5ad") else read_table(path)


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield
    os.umask(old)


@each_writer
def test_a_new_file_replaces_the_old_and_leaves_nothing_beside_it(tmp_path, write, name):
    """The plain case."""
    write(adata(1), tmp_path / name)
    write(adata(2), str(tmp_path / name))
    assert (read(tmp_path / name).X == 2).all()
    assert os.listdir(tmp_path) == [name]


@each_writer
@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError("disk full"), ValueError("no")])
def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path, monkeypatch, write, name, failure
):
    """Ctrl-C in a long write, or a full disk, must not cost the earlier result."""

    def half(self, target, *args, **kwargs):
        if hasattr(target, "write"):
            target.write(b"half")
        else:
            Path(target).write_bytes(b"half")
        raise failure

    write(adata(1), tmp_path / name)
    before = (tmp_path / name).read_bytes()
    monkeypatch.setattr(ad.AnnData, "write_h5ad", half)
    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    with pytest.raises(failure if isinstance(failure, type) else type(failure)):
        write(adata(2), tmp_path / name)
    assert (tmp_path / name).read_bytes() == before
    assert os.listdir(tmp_path) == [name]


@posix_only
def test_a_killed_write_leaves_the_old_file(tmp_path):
    """Clusters kill jobs with SIGKILL, which nothing in the process can catch."""
    code = """
import os, signal, sys
import anndata, numpy
from rtdmf_bio.io import write_h5ad

whole = anndata.AnnData.write_h5ad

def half(self, target, **kwargs):
    whole(self, target, **kwargs)
    os.truncate(target, os.path.getsize(target) // 2)
    os.kill(os.getpid(), signal.SIGKILL)

anndata.AnnData.write_h5ad = half
write_h5ad(anndata.AnnData(numpy.zeros((2, 3))), sys.argv[1])
"""
    path = tmp_path / "out.h5ad"
    write_h5ad(adata(1), path)
    before = path.read_bytes()
    run = subprocess.run([sys.executable, "-c", code, path], cwd=PROJECT, capture_output=True)
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    assert path.read_bytes() == before
    assert [other.suffix for other in tmp_path.iterdir() if other != path] == [".tmp"]


@posix_only
@each_writer
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path, umask, write, name):
    """A result that only its owner can read is useless in a shared folder."""
    write(adata(), tmp_path / name)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640


@posix_only
@each_writer
def test_a_replaced_file_keeps_its_permissions(tmp_path, write, name):
    """As it would if it were opened and overwritten."""
    write(adata(1), tmp_path / name)
    (tmp_path / name).chmod(0o606)
    write(adata(2), tmp_path / name)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o606


@posix_only
@each_writer
@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_read_only_places_are_refused(tmp_path, monkeypatch, write, name, read_only):
    """os.replace alone would overwrite a file that was protected on purpose."""
    write(adata(1), tmp_path / name)
    protected = tmp_path / name if read_only == "file" else tmp_path
    protected.chmod(0o555 if protected.is_dir() else 0o444)
    if os.geteuid() == 0:  # for root nothing is read-only
        monkeypatch.setattr(os, "access", lambda path, mode: read_only != "file")
        if read_only == "folder":

            def refuse(*args):
                raise PermissionError

            monkeypatch.setattr(os, "open", refuse)
    try:
        with pytest.raises(PermissionError, match=f"Cannot write .*{name}"):
            write(adata(2), tmp_path / name)
    finally:
        tmp_path.chmod(0o755)
        monkeypatch.undo()
    assert (read(tmp_path / name).X == 1).all()


@posix_only
@each_writer
@pytest.mark.parametrize("target", ["present", "missing"])
def test_a_symbolic_link_is_followed(tmp_path, write, name, target):
    """Results often live on another disk behind a link; replacing the link would hide them."""
    store = tmp_path / "store"
    store.mkdir()
    if target == "present":
        write(adata(1), store / name)
    (tmp_path / name).symlink_to(store / name)
    write(adata(2), tmp_path / name)
    assert (tmp_path / name).is_symlink()
    assert (read(store / name).X == 2).all()
    assert os.listdir(store) == [name]


@each_writer
def test_places_that_are_no_file_are_refused(tmp_path, write, name):
    """Before any work is done, and with the remedy."""
    with pytest.raises(FileNotFoundError, match=r"folder .*absent does not exist. Create it first"):
        write(adata(), tmp_path / "absent" / name)
    (tmp_path / name).mkdir()
    with pytest.raises(FileExistsError, match="exists and is not a file"):
        write(adata(), tmp_path / name)


@each_writer
def test_an_existing_file_can_be_protected(tmp_path, write, name):
    """For scripts that must never overwrite."""
    write(adata(1), tmp_path / name, overwrite=False)
    with pytest.raises(FileExistsError, match=r"exists\. Pass overwrite=True"):
        write(adata(2), tmp_path / name, overwrite=False)
    assert (read(tmp_path / name).X == 1).all()


@each_writer
def test_anything_but_anndata_is_refused(tmp_path, write, name):
    """The usual slip is to pass the matrix or its table."""
    with pytest.raises(TypeError, match=r"writes an AnnData\. Got DataFrame instead"):
        write(adata().to_df(), tmp_path / name)
    assert not any(tmp_path.iterdir())


@each_writer
def test_a_name_of_the_greatest_length_can_be_written(tmp_path, write, name):
    """The temporary name must not grow with the name."""
    for letter in ("n", "字"):
        longest = letter * ((255 - len(name)) // len(letter.encode())) + name
        write(adata(), tmp_path / longest)
        assert os.listdir(tmp_path) == [longest]
        (tmp_path / longest).unlink()


def test_write_h5ad_changes_nothing_in_memory(tmp_path):
    """anndata's own writer turns the user's text columns into categories."""
    one = adata()
    one.raw = one.copy()
    write_h5ad(one, tmp_path / "out.h5ad")
    assert one.obs["target"].dtype == adata().obs["target"].dtype != "category"
    back = ad.read_h5ad(tmp_path / "out.h5ad")
    assert back.obs["target"].dtype == "category"
    assert back.obs["target"].isna().tolist() == [False, True]
    assert (back.raw.X == 1).all()


@pytest.mark.parametrize("dtype", ["object", "string", None], ids=str)
def test_write_h5ad_writes_text_of_any_type_also_where_none_is_left(tmp_path, dtype):
    """A subset may have no text in a column of text."""
    one = adata()
    one.obs["target"] = one.obs["target"].astype(dtype or one.obs["target"].dtype)
    for part, missing in ((one, [False, True]), (one["y"], [True])):
        write_h5ad(part, tmp_path / "out.h5ad")
        back = ad.read_h5ad(tmp_path / "out.h5ad").obs["target"]
        assert back.dtype == "category"
        assert back.isna().tolist() == missing


def test_write_h5ad_compresses(tmp_path):
    """A matrix with many equal entries should not fill the disk."""
    big = ad.AnnData(np.zeros((300, 300)))
    write_h5ad(big, tmp_path / "small.h5ad")
    write_h5ad(big, tmp_path / "large.h5ad", compression=None)
    assert (tmp_path / "small.h5ad").stat().st_size < (tmp_path / "large.h5ad").stat().st_size / 5


def test_write_h5ad_writes_what_a_view_shows(tmp_path):
    """Users subset, then save."""
    view = adata()["y"]
    view_columns = view.obs["target"].copy()
    write_h5ad(view, tmp_path / "out.h5ad")
    assert ad.read_h5ad(tmp_path / "out.h5ad").obs_names.tolist() == ["y"]
    assert view.is_view
    pd.testing.assert_series_equal(view.obs["target"], view_columns)


@pytest.mark.parametrize(
    "where, value, key",
    [
        ("uns", {"rtdmf": {"history": {"end": {1, 2}}}}, "uns/rtdmf/history/end"),
        ("uns", {"settings": (1, 2)}, "uns/settings"),
        ("uns", {"groups": [None, "x"]}, "uns/groups"),
        ("uns", {"counts": {1: 2}}, "uns/counts/1"),
        ("obs", {"mixed": [1, "a"]}, "obs/mixed"),
        ("layers", {"text": np.array([[1, "a", {}]] * 2, dtype=object)}, "layers/text"),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" in value else "",
)
def test_write_h5ad_names_the_key_that_cannot_be_stored(tmp_path, where, value, key):
    """anndata says it in a note that a command line would not show."""
    one = adata()
    for name, item in value.items():
        getattr(one, where)[name] = item
    with pytest.raises(ValueError, match=f"cannot hold what is in {key} .*Convert or remove it"):
        write_h5ad(one, tmp_path / "out.h5ad")
    assert not any(tmp_path.iterdir())


def test_write_h5ad_handles_backed_objects(tmp_path):
    """Replacing the file under an open object would lose what is written to it later."""
    path = tmp_path / "backed.h5ad"
    write_h5ad(adata(3), path)
    backed = ad.read_h5ad(path, backed="r")
    try:
        with pytest.raises(ValueError, match=r"backed by .*backed.h5ad.*adata.to_memory\(\) first"):
            write_h5ad(backed, path)
        write_h5ad(backed, tmp_path / "copy.h5ad")
        write_h5ad(backed.to_memory(), path)
    finally:
        backed.file.close()
    for name in ("backed.h5ad", "copy.h5ad"):
        assert (ad.read_h5ad(tmp_path / name).X == 3).all()
