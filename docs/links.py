"""Checks a built site: every link and image within it leads somewhere, and no page fetches anything from elsewhere.

python docs/links.py build/site
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("source", "src"), ("video", "src"), ("iframe", "src")}
NOT_FETCHED = {"canonical", "prev", "next", "alternate"}  # kinds of <link> that a browser does not load


class Page(HTMLParser):
    """The names that a page can be entered at, and the links out of it."""

    def __init__(self, path: Path):
        super().__init__()
        self.names: set[str] = set()
        self.links: list[tuple[str, bool]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.names |= {value for key in ("id", "name") if (value := given.get(key))}
        if tag == "link" and given.get("rel") in NOT_FETCHED:
            return
        for key in ("href", "src"):
            if (target := given.get(key)) is not None:
                self.links.append((target, (tag, key) in FETCHED))


def problems(site: Path) -> list[str]:
    """What is wrong with the links of a site, one line each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    return [
        f"{path.relative_to(site)}: {target}: {problem}"
        for path, page in pages.items()
        for target, fetched in page.links
        if (problem := _problem(path, target, fetched, pages))
    ]


def _problem(path: Path, target: str, fetched: bool, pages: dict[Path, Page]) -> str:
    url = urlsplit(target)
    if url.scheme or url.netloc:
        return "is fetched from elsewhere" if fetched and url.scheme != "data" else ""
    found = (path.parent / unquote(url.path)).resolve() if url.path else path
    if found.is_dir():
        found = found / "index.html"
    if not found.is_file():
        return "is not there"
    return (
        "" if not url.fragment or found not in pages or unquote(url.fragment) in pages[found].names else "no such place"
    )


if __name__ == "__main__":
    found = problems(Path(sys.argv[1]).resolve())
    print("\n".join(found) or "every link leads somewhere")
    sys.exit(bool(found))
