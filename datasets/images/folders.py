"""Which images are of which class and part, by the folders that they lie in.

Known are CLASS/x, PART/CLASS/x, CLASS/PART/x, PART/x and images side by side, below any number of folders that hold
nothing else. A part is called train, training, val, valid, validation, eval, test or testing, in any case. Where there
is no test, what is called val is measured on: so ImageNet is laid out, and validation is then taken from train.

A class is the folder that images lie in, by its path below the part; a few in folders within it belong to it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from embodied_ssl.datasets.images.archives import listed

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_PARTS = {
    "train": TRAIN, "training": TRAIN,
    "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "eval": VALIDATION, "evaluation": VALIDATION,
    "test": TEST, "testing": TEST,
}  # fmt: skip

Places = dict[int, tuple[str, ...]]
"""Images by row: the folders that each lies in, and its name."""


@dataclass
class Arrangement:
    """The class and the part of each image that is taken."""

    rows: list[int] = field(default_factory=list)
    """Of the names, those that are taken."""
    label: list[str] = field(default_factory=list)
    """Name of the class; empty where images lie side by side."""
    part: list[str] = field(default_factory=list)
    """`train`, `validation` or `test`; empty where the source has none."""
    notes: list[str] = field(default_factory=list)
    """What was taken for what, and what was left out, in words."""


def arrange(names: Sequence[str]) -> Arrangement:
    """Find classes and parts by the names of images, `folder/folder/name`."""
    found = Arrangement()
    places = _unwrap(dict(enumerate(tuple(name.split("/")) for name in names)), found)
    by_part = _parts(places, found)
    labels = {
        row: (part, label)
        for part, own in by_part.items()
        for row, label in _classes(_unwrap(own, found), found).items()
    }
    found.rows = sorted(labels)
    found.part = [labels[row][0] for row in found.rows]
    found.label = [labels[row][1] for row in found.rows]
    _compare_parts(found)
    return found


def _unwrap(places: Places, found: Arrangement) -> Places:
    """Places below any number of folders, one in the other, that hold one folder more and hardly an image."""
    while True:
        beside, inside = _divide(places)
        most = sum(len(place) > 2 for place in inside.values())
        if len({place[0] for place in inside.values()}) != 1 or 2 * most <= len(places):
            return places
        _leave_out(beside, found)
        places = {row: place[1:] for row, place in inside.items()}


def _divide(places: Places) -> tuple[Places, Places]:
    """Those that lie in no folder, and those that do."""
    inside = {row: place for row, place in places.items() if len(place) > 1}
    return {row: place for row, place in places.items() if row not in inside}, inside


def _leave_out(places: Places, found: Arrangement) -> None:
    if places:
        shown = listed(place[0] if len(place) == 1 else f"{place[0]}/" for place in places.values())
        found.notes.append(f"left out, since they lie beside the folders of parts or classes: {shown}")


def _parts(places: Places, found: Arrangement) -> dict[str, Places]:
    """Places below the folders of parts, by part; one part without a name where there are none."""
    for level in (0, 1):
        deep = {row: place for row, place in places.items() if len(place) > level + 1}
        known = {place[level]: _PARTS.get(place[level].lower()) for place in deep.values()}
        kinds = set(known.values()) - {None}
        strange = None in known.values()
        if len(kinds) < 2 or (strange and TRAIN not in kinds) or (level and (strange or len(deep) < len(places))):
            continue
        if TEST not in kinds:
            found.notes.append(f"{listed(sorted(n for n in known if known[n] == VALIDATION))} is measured on, as test")
            known = {name: TEST if kind == VALIDATION else kind for name, kind in known.items()}
        taken: dict[str, Places] = {}
        for row, place in deep.items():
            if (part := known[place[level]]) is not None:
                taken.setdefault(part, {})[row] = place[:level] + place[level + 1 :]
        of_parts = {row for own in taken.values() for row in own}
        _leave_out({row: place for row, place in places.items() if row not in of_parts}, found)
        return taken
    return {"": places}


def _classes(places: Places, found: Arrangement) -> dict[int, str]:
    """The class of each image of one part. A folder is one where at least half of what it holds lies right in it."""
    beside, inside = _divide(places)
    if 2 * len(beside) >= len(places):
        return dict.fromkeys(places, "")
    _leave_out(beside, found)
    by_folder: dict[str, Places] = {}
    for row, place in inside.items():
        by_folder.setdefault(place[0], {})[row] = place[1:]
    return {
        row: f"{name}/{below}" if below else name
        for name, own in by_folder.items()
        for row, below in _classes(own, found).items()
    }


def _compare_parts(found: Arrangement) -> None:
    """Note classes that one part has and the other has not."""
    of_part = {part: {c for c, p in zip(found.label, found.part, strict=True) if p == part} for part in (TRAIN, TEST)}
    for part, other in ((TRAIN, TEST), (TEST, TRAIN)):
        alone = of_part[part] - of_part[other]
        if alone and of_part[other]:
            found.notes.append(f"in {part} alone: {listed(sorted(name or 'files in no class' for name in alone))}")


def described(label: Sequence[str], part: Sequence[str], notes: Sequence[str]) -> str:
    """Of images, in words: `3 classes (a, b, c); train 800, validation 100, test 100 images`."""
    classes, counts = sorted(set(label)), Counter(part)
    each = ", ".join(f"{name} {counts[name]:,}" for name in (TRAIN, VALIDATION, TEST) if counts[name])
    said = (
        "no classes" if classes == [""] else f"{len(classes):,} class{'es' * (len(classes) != 1)} ({listed(classes)})"
    )
    return "; ".join([said, f"{each or f'{len(label):,}'} images", *notes])
