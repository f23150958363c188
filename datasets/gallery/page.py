"""The page of a data set: one HTML file, with its images inside, that shows at a glance what was collected.

    view("data/roam")                                        # writes data/roam.html
    view(["data/roam", "data/grasp"], "gallery.html")        # one page with a section for each

What a page shows is a function of the data alone: the same data set gives the same page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery import episodes, motion, trajectories
from embodied_ssl.datasets.gallery.cards import counts_of, settings_of
from embodied_ssl.datasets.gallery.interactions import Card, Interactions, cards
from embodied_ssl.datasets.gallery.template import Figure, render
from embodied_ssl.datasets.gallery.videos import video
from embodied_ssl.datasets.read.readers import Dataset, is_video
from embodied_ssl.datasets.store.files import make_room, write_atomically

__all__ = ["video", "view"]


@dataclass
class Section:
    """What the template needs to show one data set."""

    id: str
    name: str
    kind: str
    about: str
    tiles: list[tuple[str, str]]
    spec: list[tuple[str, str]]
    figures: list[Figure]
    wall: list[episodes.Tile] = field(default_factory=list)
    player: dict[str, Any] | None = None
    cards: list[Card] = field(default_factory=list)
    cards_of: str = ""
    cards_caption: Markup | str = ""
    map_caption: str = ""
    image: tuple[int, int] = (0, 0)  # width and height, px
    outcomes: list[tuple[str, int]] = field(default_factory=list)
    materials: list[tuple[str, str, int]] = field(default_factory=list)  # name, colour, how many cards


def view(directory: Path | str | Sequence[Path | str], out: Path | str | None = None, megabytes: float = 8.0) -> Path:
    """Write the page of one data set, or of several, and return its path.

    Args:
        directory: of a data set, or several of them: each gets a section.
        out: the page; None: beside the first data set, named after it.
        megabytes: about how large the page may be; episodes and interactions are sampled to fit.

    The page needs nothing but itself. Raises DataError for a directory that holds no sound data set, and where the
    page cannot be written.
    """
    given = [directory] if isinstance(directory, str | Path) else directory
    folders = [Path(one).expanduser() for one in given]
    if not folders:
        raise DataError("no data set to view; give at least one directory")
    first = folders[0].resolve()
    page = first.with_name(f"{first.name}.html") if out is None else Path(out).expanduser()
    datasets = [Dataset.open(folder) for folder in folders]
    make_room(page)
    budget = int(megabytes * 1e6 / len(datasets))
    sections = [_section(dataset, f"{dataset.kind}-{i}", budget) for i, dataset in enumerate(datasets)]
    title = ", ".join(section.name for section in sections)
    text = render("page.html.j2", sections=sections, title=title, command="view")
    write_atomically(page, [text.encode()])
    return page


def _section(dataset: Dataset, name: str, budget: int) -> Section:
    section = Section(
        id=name,
        name=dataset.path.resolve().name,
        kind=dataset.kind,
        about=dataset.declaration.page.about,
        tiles=counts_of(dataset),
        spec=settings_of(dataset),
        figures=[],
    )
    fill = _show_episodes if is_video(dataset) else _show_interactions
    fill(section, dataset, budget)
    return section


def _show_episodes(section: Section, dataset: Dataset, budget: int) -> None:
    labels = episodes.episode_labels(dataset)
    section.wall = episodes.wall(dataset, labels)
    used = sum(len(tile.first) + len(tile.middle) for tile in section.wall)
    section.player = episodes.scrubber(dataset, labels, max(budget - used, 0))
    some = motion.sampled_episodes(dataset)
    rows = motion.rows_of(dataset, some)
    section.tiles.insert(2, ("experience", motion.duration(dataset, some)))
    page = episodes.page_of(dataset)
    section.map_caption = page.map_caption
    section.figures = [Figure(*parts) for parts in page.figures(dataset, rows, some, labels)]


def _show_interactions(section: Section, dataset: Dataset, budget: int) -> None:
    interactions = Interactions.sample(dataset)
    page = interactions.page
    section.cards_caption = Markup(page.caption)
    if "steps/time" in dataset.fields:
        section.player = trajectories.acts(interactions, budget // 2)
        budget //= 2
    section.cards = cards(interactions, budget)
    shape = dataset.array("interactions/rgb_before").shape
    section.image = (shape[2], shape[1])
    section.cards_of = (
        f"{len(section.cards)} of {len(dataset):,}, drawn at random"
        if len(section.cards) < len(dataset)
        else f"all {len(dataset):,}"
    )
    outcomes, materials = [card.outcome for card in section.cards], [card.material for card in section.cards]
    section.outcomes = [(name, outcomes.count(name)) for name in page.outcomes]
    section.materials = [(name, interactions.colour(name), materials.count(name)) for name in interactions.materials]
    section.tiles[1:1] = page.summary(interactions)
    section.figures = [Figure(*parts) for parts in page.figures(interactions)]
