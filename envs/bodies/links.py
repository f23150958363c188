"""The links and joints of a URDF: which hang from which, which move, and how far."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from embodied_ssl.envs.world.textures.families import nearest

MOVING = ("revolute", "continuous", "prismatic")


@dataclass(frozen=True)
class Joint:
    """A joint. lower, upper: rad or m, equal where it has no limits. effort: N·m or N, 0 where it does not say.

    mimics: the joint that it follows, times `ratio`, plus `offset`; empty: none.
    """

    name: str
    moves: bool
    parent: str
    child: str
    lower: float
    upper: float
    effort: float
    mimics: str
    ratio: float
    offset: float


class Links:
    """A URDF as a tree of links. Raises ValueError, which names the file, for what is no tree."""

    def __init__(self, file: Path, tree: "ElementTree.ElementTree[ElementTree.Element]"):
        self.file, root = file, tree.getroot()
        self.names = [str(link.get("name")) for link in root.findall("link")]
        self.joints = {joint.name: joint for joint in map(self._joint, root.findall("joint"))}
        self._above = {joint.child: joint for joint in self.joints.values()}

    def known(self, what: str, name: str, among: Iterable[str]) -> str:
        """A name, or ValueError where it is not among those that there are."""
        if name not in (there := list(among)):
            raise ValueError(f"{self.file}: {what} {name!r} is not there{nearest(name, there)}")
        return name

    def leaves(self) -> list[str]:
        """The links that nothing hangs from."""
        parents = {joint.parent for joint in self.joints.values()}
        return [name for name in self.names if name not in parents]

    def down_to(self, link: str, start: str = "") -> list[Joint]:
        """The joints from a link (the base, if not said) down to another one; ValueError where that does not hang."""
        found: list[Joint] = []
        asked = link
        while link != start and link in self._above:
            found.append(self._above[link])
            link = found[-1].parent
            if len(found) > len(self.joints):
                raise ValueError(f"{self.file}: the joints above link {link!r} run in a circle")
        if start and link != start:
            raise ValueError(f"{self.file}: the link {asked!r} does not hang from {start!r}")
        return found[::-1]

    def below(self, link: str) -> Iterator[Joint]:
        """All joints below a link."""
        for joint in self.joints.values():
            if joint.parent == link:
                yield joint
                yield from self.below(joint.child)

    def _joint(self, element: ElementTree.Element) -> Joint:
        def word(tag: str, name: str, default: str = "") -> str:
            inner = element.find(tag)
            return default if inner is None else inner.get(name, default)

        name, kind = str(element.get("name")), element.get("type")
        if not (word("parent", "link") and word("child", "link")):
            raise ValueError(f"{self.file}: joint {name!r} lacks a parent or a child")
        limited = kind in ("revolute", "prismatic")
        try:
            lower, upper = (float(word("limit", end, "0")) if limited else 0.0 for end in ("lower", "upper"))
            effort, ratio = float(word("limit", "effort", "0")), float(word("mimic", "multiplier", "1"))
            offset = float(word("mimic", "offset", "0"))
        except ValueError as error:
            raise ValueError(f"{self.file}: joint {name!r}: {error}") from error
        return Joint(
            name, kind in MOVING, word("parent", "link"), word("child", "link"), lower, upper, effort,
            word("mimic", "joint"), ratio, offset,
        )  # fmt: skip
