"""Execute the text notebooks of a folder, each in a clean kernel, and render them to HTML.

    python scripts/render_vignettes.py vignettes vignettes/html

Pages and the files the notebooks save go to the second folder. The first error or warning
ends it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main(source: Path, out: Path) -> None:
    """Render every notebook of `source`, in the order of their numbers."""
    texts = sorted(source.glob("[0-9]*.py"))
    if not texts:
        sys.exit(f"{source} holds no notebook named like 1_title.py.")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # Read when jupyter is imported. The kernel is then that of this Python, whatever kernels
        # or profiles the user has, and nothing is written to the home directory.
        os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
        os.environ.pop("JUPYTER_PATH", None)
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            os.environ[name] = scratch
        # Small matrices: a second thread costs more than it brings.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        for text in texts:
            start = time.perf_counter()
            page = render(text, out)
            print(f"{page}  {time.perf_counter() - start:.1f} s", flush=True)


def render(text: Path, out: Path) -> Path:
    """Run one notebook in `out`; its page is written once all of it has run."""
    import jupytext
    from nbclient.exceptions import CellExecutionError
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import ExecutePreprocessor

    page = out / f"{text.stem}.html"
    page.unlink(missing_ok=True)
    notebook = jupytext.read(text)
    here = {"metadata": {"path": str(out), "name": text.stem}}
    # Without the kernel's advice on encryption: it talks to this process and this machine only.
    # It knows where it stands, as a script does, since it does not run there.
    options = ["--log-level=ERROR", f"--IPKernelApp.exec_lines=__file__ = {str(text.resolve())!r}"]
    runner = ExecutePreprocessor(timeout=600, kernel_name="python3", extra_arguments=options)
    try:
        runner.preprocess(notebook, here)
    except CellExecutionError as error:
        sys.exit(f"{text} failed:\n{error}")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    for said in (output.get("text", "") for output in outputs):
        if "warning" in said.lower():
            sys.exit(f"{text} printed a warning:\n{said}")
    html, _ = HTMLExporter().from_notebook_node(notebook, here)
    page.write_text(html, encoding="utf-8")
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="folder of the text notebooks")
    parser.add_argument("out", type=Path, help="folder of the pages")
    main(**vars(parser.parse_args()))
