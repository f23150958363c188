"""Rows of a study on several sets, beside the numbers of a paper: cells, figures, claims."""

from collections.abc import Mapping, Sequence

from embodied_ssl.datasets.gallery.template import Figure
from embodied_ssl.report.tables import Cell
from findings import papers
from findings.committed import UNTRAINED, Committed, Measured, plain
from findings.drawing import BLUE, GREEN, GREY, ORANGE, dots
from findings.words import Comparison, listed, way

Groups = Mapping[str, Mapping[str, Cell]]
"""Cells of several rows, by what they were measured on."""
IMAGES = "labelled images of each class"
SETS = {
    "rooms": ("linear_probe", "accuracy", "roam_test", ""),
    "objects": ("linear_probe", "accuracy", "yardstick", ""),
    "materials": ("linear_probe", "accuracy", "poke_test", "material"),
    "CIFAR-10, 1 %": ("few_labels", "accuracy@50", "cifar10", ""),
    "CIFAR-10, 10 %": ("few_labels", "accuracy@500", "cifar10", ""),
    "clothes, 1 %": ("few_labels", "accuracy@50", "fashion_mnist", ""),
}
"""What all rows are measured on: of rooms, objects and materials all labels; of images 50 or 500 of each class."""


def on_all_sets(found: Committed) -> dict[str, Measured]:
    """The accuracies of all rows of the lecture on each of its sets."""
    return {name: found.measure(*of) for name, of in SETS.items()}


def cells_of(found: Committed, measured: Measured, *rows: str) -> dict[str, Cell]:
    """The cells of the encoder before training, and of rows."""
    return measured.of(found.untrained(rows[0]), *rows).cells


def grouped(found: Committed, names: Sequence[str], *rows: str) -> Groups:
    """The cells of rows, and of the encoder before training, on sets by name."""
    measures = on_all_sets(found)
    return {name: cells_of(found, measures[name], *rows) for name in names}


def side_by_side(
    of_paper: str, paper: Mapping[str, Measured] | Groups, of_ours: str, ours: Groups, *rows: str
) -> list[Figure]:
    """Dots of a paper and ours on one scale."""
    theirs = {name: own.cells if isinstance(own, Measured) else own for name, own in paper.items()}
    return [dotted(of_paper, theirs, *rows, beside=[ours]), dotted(of_ours, ours, *rows, beside=[theirs])]


def dotted(title: str, groups: Groups, *ours: str, beside: Sequence[Groups] = ()) -> Figure:
    """Dots of groups; of ours the first is orange."""
    colours = {UNTRAINED: GREY, "labels": GREEN, papers.IMAGENET: GREEN}
    bright = dict(zip(map(plain, ours), (ORANGE, BLUE), strict=False))
    return dots(title, groups, "share that is right", colours | bright, beside=beside)


def claims_of(groups: Groups, row: str, than: str) -> list[Comparison]:
    """That a row is ahead of another on each set."""
    row, than = plain(row), plain(than)
    return [Comparison(row, than, name, own[row], own[than]) for name, own in groups.items()]


def ways(groups: Mapping[str, Measured] | Groups, row: str, labels: str) -> str:
    """How much of the way from random weights to labels a row has gone, on each set."""
    each = {name: own.cells if isinstance(own, Measured) else own for name, own in groups.items()}
    return listed(f"{way(own[UNTRAINED], own[plain(row)], own[labels])} ({name})" for name, own in each.items())
