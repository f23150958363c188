"""Sets of objects to draw from: the household generator, PyBullet's random shapes, a folder, those of others."""

import inspect
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from embodied_ssl.envs.world.assets import Asset
from embodied_ssl.envs.world.objects.categories import CATEGORIES, make_object
from embodied_ssl.envs.world.objects.files import SUFFIXES, object_from_file
from embodied_ssl.envs.world.textures.families import nearest, stamp
from embodied_ssl.plugins import NoPlugin, added, member

OTHER_MESHES = (  # that people have, and that cannot be read
    *(".dae", ".fbx", ".3ds", ".blend", ".usd", ".usda", ".usdc", ".usdz", ".3mf", ".step", ".stp", ".iges", ".igs"),
    *(".wrl", ".x3d", ".sdf", ".ma", ".mb", ".max", ".c4d", ".skp", ".abc", ".lwo", ".ctm"),
)
BROKEN_URDFS = (168,)  # of PyBullet's random_urdfs: holds NaN


class Objects(Protocol):
    """What others add is this, or a class that makes it: an instance of a category is drawn from its number alone."""

    categories: tuple[str, ...]

    def make(self, category: str, instance: int) -> Asset:
        """One object."""


@dataclass(frozen=True)
class ObjectSet:
    """Objects to draw from. categories: their names; paths: the file of each, none for the generator.

    stamp: tells the state of a folder of files; what is kept of one that has changed since is not used. added: what
    makes the objects, where others have added it.
    """

    source: str
    categories: tuple[str, ...]
    paths: tuple[Path, ...] = ()
    stamp: int = 0
    added: Objects | None = None

    def make(self, category: str, instance: int) -> Asset:
        """One object. Raises ValueError for a category that is not in the set, and for a broken file, naming it."""
        if category not in self.categories:
            raise ValueError(f"the object set {self.source!r} has no {category!r}{nearest(category, self.categories)}")
        if self.paths:
            path, shape_only = self.paths[self.categories.index(category)], self.source == "random_urdfs"
            return object_from_file(path, category, instance, self.stamp, shape_only)
        if self.added is not None:
            return self.added.make(category, instance)
        return make_object(category, instance)


def object_set(source: str = "household", categories: Sequence[str] | str = ()) -> ObjectSet:
    """The objects that a name or a folder stands for.

    source: "household", the generator; "random_urdfs", PyBullet's 999 sound random shapes (168 holds NaN and is left
    out); the name or `module:Name` of a set that others have made; or a folder with .urdf, .obj, .glb, .gltf, .ply,
    .off or .stl files, at any depth: a file is a category, and of several of one name beside each other the first in
    this order. Which meshes are left out, and why, is said in a warning. categories: only these, such as a part to
    train on, a sequence or separated by commas; empty: all. Raises ValueError for a folder that is missing or holds no
    such file, and for a category that is not there.
    """
    if source == "household":
        whole = ObjectSet(source, tuple(CATEGORIES))
    elif source == "random_urdfs":
        whole = _random_urdfs()
    elif (others := added_objects(source)) is not None:
        whole = ObjectSet(source, tuple(others.categories), added=others)
    else:
        whole = _folder(source)
    chosen = tuple(categories.split(",")) if isinstance(categories, str) and categories else tuple(categories)
    if not chosen:
        return whole
    for name in chosen:
        if name not in whole.categories:
            raise ValueError(f"the object set {source!r} has no {name!r}{nearest(name, whole.categories)}")
    paths = tuple(whole.paths[whole.categories.index(name)] for name in chosen) if whole.paths else ()
    return ObjectSet(source, chosen, paths, whole.stamp, whole.added)


def is_folder(source: str) -> bool:
    """Whether objects come from files in a folder."""
    return source not in ("household", "random_urdfs") and added_objects(source) is None


def added_objects(source: str) -> Objects | None:
    """The objects that a name or `module:Name` of others stands for; None where it is none. Raises ValueError."""
    try:
        known = added("object_sets", _are_objects)
        if source not in known and not (re.fullmatch(r"[\w.]+:\w+", source) and not Path(source).exists()):
            return None
        found = known[source] if source in known else member(source)
    except NoPlugin as error:
        raise ValueError(f"objects {error}") from error
    if not _are_objects(found):
        raise ValueError(f"objects {source}: no set of objects; it has categories and make(category, instance)")
    objects: Any = found() if inspect.isclass(found) else found
    return objects  # type: ignore[no-any-return]  # it was looked at


def _are_objects(each: Any) -> bool:
    return hasattr(each, "categories") and callable(getattr(each, "make", None))


@lru_cache(maxsize=1)
def _random_urdfs() -> ObjectSet:
    import pybullet_data

    folder = Path(pybullet_data.getDataPath()) / "random_urdfs"
    names = tuple(f"{number:03d}" for number in range(1000) if number not in BROKEN_URDFS)
    return ObjectSet("random_urdfs", names, tuple(folder / name / f"{name}.urdf" for name in names))


def _folder(source: str) -> ObjectSet:
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f'no object set {source!r}: it is neither "household" nor "random_urdfs" nor a plugin nor a folder'
        )
    there = sorted(path for path in folder.rglob("*") if path.is_file())
    taken, left = _one_of_each_name(there)
    if not taken:
        raise ValueError(f"the folder {source} holds no {' or '.join(SUFFIXES)} file" + "".join(left[:1]))
    if left:
        more = f", and {len(left) - 5} more" if len(left) > 5 else ""
        warnings.warn(f"objects of {source}: left out are{','.join(left[:5])}{more}", stacklevel=2)
    names = tuple(path.relative_to(folder).with_suffix("").as_posix() for path in taken)
    return ObjectSet(source, names, tuple(taken), hash(tuple((path, stamp(path)) for path in there)))


def _one_of_each_name(files: list[Path]) -> tuple[list[Path], list[str]]:
    """The files that are objects, and what there is to say of other meshes."""
    named: dict[Path, list[Path]] = {}
    for path in files:
        if path.suffix.lower() in SUFFIXES:
            named.setdefault(path.with_suffix(""), []).append(path)
    taken = []
    left = [
        f" {path.name} ({path.suffix.lower()} cannot be read; export it as .glb)"
        for path in files
        if path.suffix.lower() in OTHER_MESHES
    ]
    for same in named.values():
        first, *others = sorted(same, key=lambda path: (SUFFIXES.index(path.suffix.lower()), path))
        taken.append(first)
        if first.suffix.lower() != ".urdf":  # which usually has its mesh beside it
            left += [f" {path.name} ({first.name} is taken)" for path in others]
    return sorted(taken), left
