"""Names for what is measured together: each the shortest end of its path that tells it from the others."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import ImageSet, image_set
from embodied_ssl.datasets.store.manifest import MANIFEST

_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tar\.\w+)$", re.IGNORECASE)


def named_sets(sources: Sequence[Path | str], label: str | None = None, skip_damaged: bool = False) -> list[ImageSet]:
    """The image sets of several sources, named so that none is taken for another: `s1/orbit by category`.

    Raises DataError where one cannot be read, and where two hold the same.
    """
    found: dict[str, ImageSet] = {}
    for source, name in zip(sources, shortest(_places(sources)), strict=True):
        images = image_set(source, label, skip_damaged=skip_damaged)
        if images.fingerprint in found:
            raise DataError(f"{source}: holds the same as {found[images.fingerprint].name}; name it once")
        by = images.name.rpartition(" by ")[2]
        of_label = f"{name} by {by}" if (Path(source) / MANIFEST).is_file() else name  # ours can have several labels
        found[images.fingerprint] = replace(images, name=of_label)
    return list(found.values())


def shortest(places: Sequence[tuple[str, ...]]) -> list[str]:
    """The shortest end of each place, joined by `/`, that no other ends with; alike ones stay alike."""
    found = []
    for place in places:
        others = [other for other in places if other != place]
        ends = range(1, len(place) + 1)
        length = next((n for n in ends if all(other[-n:] != place[-n:] for other in others)), len(place))
        found.append("/".join(place[-length:]))
    return found


def _places(sources: Sequence[Path | str]) -> list[tuple[str, ...]]:
    """The parts of whole paths, without the ending of an archive where that is not what tells it from another."""
    paths = [Path(source).expanduser().resolve() for source in sources]
    plain = [(*path.parts[:-1], _ARCHIVE.sub("", path.name)) for path in paths]
    return [own if plain.count(own) == 1 else path.parts for own, path in zip(plain, paths, strict=True)]
