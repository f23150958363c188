"""What mkdocs does not know by itself: cards made from the code, tutorials that are run, pages that lie elsewhere."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(Path(__file__).parent)]

import findings  # noqa: E402

from cards import data, encoders, environments, methods, protocols, studies  # noqa: E402
from notebooks import tutorials  # noqa: E402

PACKAGE = ROOT / "build" / "package"


def on_startup(**_: Any) -> None:
    """Lay the three folders together as they are installed, before mkdocstrings looks whether they are there."""
    shutil.rmtree(PACKAGE, ignore_errors=True)
    for folder, name in {"embodied_ssl": "", "envs": "envs", "datasets": "datasets"}.items():
        shutil.copytree(ROOT / folder, PACKAGE / "embodied_ssl" / name, ignore=shutil.ignore_patterns("__pycache__"))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and name them in the sections of `nav` that end in a slash."""
    run = tutorials()
    pages: dict[str, str | bytes] = {**run, **methods.pages(run), **environments.pages(), **data.pages()}
    pages |= {**encoders.pages(), **protocols.pages(), **studies.pages(), **findings.pages()}
    pages["index.md"] = _home((ROOT / "README.md").read_text(encoding="utf-8"))
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        pages[name.lower()] = (ROOT / name).read_text(encoding="utf-8")
    pages |= {
        f"benchmarks/{path.name}": path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("benchmarks/*.md"))
    }
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    config.nav = _filled(config.nav, [file.src_uri for file in files.documentation_pages()])
    return files


def _home(readme: str) -> str:
    """The README as a page of this site: what it names is next to it, tutorials have run."""
    inside = (
        readme.replace("](docs/", "](")
        .replace("CHANGELOG.md", "changelog.md")
        .replace("CONTRIBUTING.md", "contributing.md")
    )
    return on_page_markdown(inside)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Pages name what lies in the repository; here tutorials have run, and tables of benchmarks are pages."""
    return re.sub(
        r"\]\(((?:\.\./)?tutorials/\w+)\.py\)", r"](\1.md)", markdown.replace("](../benchmarks/", "](benchmarks/")
    )


def _filled(entry: Any, pages: list[str]) -> Any:
    if isinstance(entry, list):
        return [_filled(each, pages) for each in entry]
    if isinstance(entry, dict):
        return {title: _filled(target, pages) for title, target in entry.items()}
    if not entry.endswith("/"):
        return entry
    own = [path for path in pages if path.startswith(entry)]
    return sorted(own, key=lambda path: path != f"{entry}index.md")  # it comes first, the others as they were made
