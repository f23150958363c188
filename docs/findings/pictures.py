"""Pictures of what was learned. They take runs and data, so they are drawn by `docs/learned.py` and committed."""

from dataclasses import dataclass
from pathlib import Path

from findings.drawing import picture

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Picture:
    """A picture beside this file."""

    name: str
    title: str
    caption: str

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"{self.name}.webp"


PICTURES = (
    Picture(
        "nearest",
        "What is nearest to it?",
        "Objects never seen, and the objects nearest to each by the features of SimCLR, of 1,500; green: of the same "
        "category. Queries are drawn by lot, one of a category; the first seed.",
    ),
    Picture(
        "attention",
        "Where it looks on tables",
        "By the head that is best on other pictures; the first seed. Each map is coloured from its least to its most. "
        "Nothing was learned from tables.",
    ),
    Picture("fill_in", "Filled in, of rooms never seen", "The first images of a batch drawn by lot; the first seed."),
)


def pictures_of(name: str) -> list[str]:
    """A picture as a card of a page, where it has been drawn."""
    own = [each for each in PICTURES if each.name == name and (HERE / each.file).is_file()]
    return [picture(each.file, each.title, each.caption) for each in own]
