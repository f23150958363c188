"""A section of a page: figures, a paragraph, what came of it, and the command that makes it; and pages of sections."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from embodied_ssl.datasets.gallery.template import Figure
from findings.committed import Committed, NotThere
from findings.drawing import framed
from findings.words import Comparison, Verdict, verdict


@dataclass(frozen=True)
class Section:
    """One figure or table of a lecture, or one thing that a body adds."""

    source: str
    """The paper, or nothing."""
    figures: Sequence[Figure]
    about: str
    """What is shown, in Markdown; numbers in it are made from the results."""
    claims: Sequence[Comparison]
    studies: Sequence[Committed]
    pictures: Sequence[str] = ()
    """HTML beside the figures."""

    def __post_init__(self) -> None:
        if not self.claims:  # none of the rows that it compares are there
            raise NotThere(self.studies[0].name)

    @property
    def verdict(self) -> Verdict:
        """What came of the claims."""
        return verdict(self.claims)


Makers = Mapping[str, Callable[[], Section]]
"""What makes each section, by its title."""


def page(head: str, makers: Makers, says: Mapping[str, str], first: str = "") -> str:
    """A page of the sections whose results are committed. says: what each kind of verdict is called on it."""
    sections, missing = {}, {}
    for title, make in makers.items():
        try:
            sections[title] = make()
        except NotThere as told:
            missing[title] = str(told)
    rows = [
        f'<a href="#{_anchor(title)}"><i class="verdict {kind}">{says[kind]}</i>{title}</a>'
        for title, kind in ((title, section.verdict.kind) for title, section in sections.items())
    ]
    summary = f'<div class="summary">{"".join(rows)}</div>'
    awaited = "; ".join(f"{title} (study `{study}`)" for title, study in missing.items())
    later = f"Not run yet, and here as soon as their results are committed: {awaited}." if awaited else ""
    texts = (_text(title, section, says) for title, section in sections.items())
    return "\n\n".join(part for part in [head, summary, later, first, *texts] if part) + "\n"


def made_by(found: Committed) -> str:
    """The command that makes the results of a study, and where all of them are."""
    command = found.study.command(found.name, found.size, workers=2)
    return (
        f"```sh\n{command}\n```\n\n{found.seeds()} seeds, up to {found.samples():,} samples of each stream: "
        f"[all numbers, hashes and commands](../results/{found.name}-{found.size}/tables.md)."
    )


def _text(title: str, section: Section, says: Mapping[str, str]) -> str:
    found = section.verdict
    said = f'<p class="verdict {found.kind}"><b>{says[found.kind].capitalize()}</b>: {found.words}</p>'
    source = f"*{section.source}.* " if section.source else ""
    figures = framed(section.figures, section.pictures)
    head = f"## {title} {{ #{_anchor(title)} }}"
    return "\n\n".join([head, figures, source + section.about, said, *map(made_by, section.studies)])


def _anchor(title: str) -> str:
    return "-".join("".join(each if each.isalnum() else " " for each in title.lower()).split())
