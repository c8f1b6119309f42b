"""What make runs: every test by ``make test``, rooms and quick tests by ``make quick``."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = {path.name for path in (ROOT / "tests").glob("test_*.py")}

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")


def pytest_line(*args):
    """The command that make would run, or what it says against it."""
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *args],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return next((line for line in done.stdout.splitlines() if "-m pytest" in line), done.stderr)


def test_make_test_leaves_out_no_test():
    """A marker is for ``make quick`` alone."""
    for target in ("test", "test-newest"):
        line = pytest_line(target, "NEWEST_PYTHON=python3")
        assert "-m pytest" in line
        assert not re.search(r"pytest.* (-m|-k|--deselect|--ignore|tests/)", line), line
    settings = (ROOT / "pyproject.toml").read_text()
    (addopts,) = re.findall(r"^addopts = (.*)$", settings, re.M)
    assert not re.search(r"-[mk] |--deselect|--ignore", addopts)


def test_a_room_is_the_files_of_its_name():
    room = {Path(name).name for name in pytest_line("quick", "ROOM=io").split() if "tests/" in name}
    assert room == {
        "test_io.py", "test_io_cases.py", "test_io_meaning.py", "test_io_read.py",
        "test_io_write.py",
    }  # fmt: skip
    both = pytest_line("quick", "ROOM=tl pp")
    assert {"tests/test_tl_predict.py", "tests/test_pp_tune.py"} <= set(both.split())
    assert "test_pl" not in both
    assert "tests/" not in pytest_line("quick")
    assert "There are no tests of nonsense" in pytest_line("quick", "ROOM=nonsense")


def test_data_that_cannot_be_bundled_are_reached_by_the_fixture_alone():
    """It is what marks a test that needs them."""
    for name in FILES - {Path(__file__).name}:
        assert '"shared"' not in (ROOT / "tests" / name).read_text(), name
