"""Runs the tutorials and makes pages of them: what was printed and drawn is what the code above it gave.

A tutorial is a Python file in the percent format of jupytext. All run in one folder: the first one alone, then the
others two at a time, each with data that the first or it itself has collected. A cell with the tag `figure:NAME` also
gives its first image to the card of a method. What has run is kept in `build/tutorials` until it, or the code, changes.
"""

import base64
import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient

DOCS = Path(__file__).parent
ROOT = DOCS.parent
BUILD = ROOT / "build" / "tutorials"
FENCE = "`````"  # longer than those in what is printed
ORDER = (
    "first_run",
    "lecture_pretext",
    "lecture_contrast",
    "lecture_bodies",
    "reading",
    "own_images",
    "own_robot",
    "own_method",
)
SETTINGS = {"TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def tutorials() -> dict[str, str | bytes]:
    """The overview, the page of each tutorial with its images, and figures of methods, by path."""
    found: dict[str, str | bytes] = {}
    work = BUILD / "work"
    digest = _digest()
    if not (done := _kept(digest)):
        shutil.rmtree(BUILD, ignore_errors=True)
        work.mkdir(parents=True)
    if not done:
        done = {ORDER[0]: _run(ORDER[0], work)}  # the others find there what it has collected
        with ThreadPoolExecutor(2) as pool:
            done |= zip(ORDER[1:], pool.map(partial(_run, folder=work), ORDER[1:]), strict=True)
    rows = []
    for name, notebook in done.items():
        page, files = _page(name, notebook)
        found |= {f"tutorials/{name}.md": page, **files}
        title, _, about = page.removeprefix("# ").partition("\n\n")
        rows.append(f"- [{title}]({name}.md): {' '.join(about.split(chr(10) * 2)[0].split())}")
    (BUILD / "digest").write_text(digest)
    return {"tutorials/index.md": _INDEX + "\n".join(rows) + "\n", **found}


_INDEX = """# Tutorials

Each page is a program: it ran when this site was built, at small scale, and what it printed and drew is what you see.
Download one from `docs/tutorials/`, open it as a notebook (`jupytext --to ipynb`), or run it with Python.

"""


def _digest() -> str:
    """Of all that the tutorials depend on: their text, the package, the examples."""
    total = hashlib.sha256()
    for folder in ("docs/tutorials", "embodied_ssl", "envs", "datasets", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()


def _kept(digest: str) -> dict[str, Any]:
    """The notebooks that have run, unless something has changed."""
    mark = BUILD / "digest"
    if not mark.is_file() or mark.read_text() != digest:
        return {}
    return {name: json.loads((BUILD / f"{name}.ipynb").read_text()) for name in ORDER}


def _run(name: str, folder: Path) -> dict[str, Any]:
    """Run a tutorial in a folder. Raises nbclient's CellExecutionError, which shows the cell, where one fails."""
    notebook = jupytext.read(DOCS / "tutorials" / f"{name}.py")
    started = time.monotonic()
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    where, quiet = {"metadata": {"path": str(folder)}}, ["--log-level=40"]
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where, extra_arguments=quiet)
    client.execute(env={**os.environ, **SETTINGS, "PYTHONPATH": path})
    print(f"tutorial {name}: {time.monotonic() - started:.0f} s", flush=True)
    (BUILD / f"{name}.ipynb").write_text(json.dumps(notebook))
    return dict(notebook)


def _page(name: str, notebook: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and the images in it."""
    parts, files = [], {}
    for number, cell in enumerate(notebook["cells"]):
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "markdown":
            parts.append(cell["source"])
            continue
        if "hidden" not in tags:
            parts.append(f"{FENCE}python\n{cell['source']}\n{FENCE}")
        for place, output in enumerate(cell["outputs"]):
            text, image = _output(output, path := f"{name}-{number}-{place}.png")
            parts.append(text)
            if image is not None:
                files[f"tutorials/{path}"] = image
                for tag in (tag for tag in tags if tag.startswith("figure:")):
                    files.setdefault(f"figures/{tag.removeprefix('figure:')}.png", image)
    return "\n\n".join(part for part in parts if part) + "\n", files


def _output(output: dict[str, Any], path: str) -> tuple[str, bytes | None]:
    """An output as Markdown, and its image, if it is one."""
    data = output.get("data", {})
    if "image/png" in data:
        return f"![]({path}){{.output}}", base64.b64decode(data["image/png"])
    if "text/html" in data:
        return f'<div class="output">{"".join(data["text/html"])}</div>', None
    text = output.get("text") or data.get("text/plain") or ""
    if output.get("name") == "stderr" or not "".join(text).strip():
        return "", None
    return f"{FENCE}{{.text .output}}\n{''.join(text).rstrip()}\n{FENCE}", None
