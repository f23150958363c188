"""What a format makes of a data set: files, each written by itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.exports.episodes import Episodes


@dataclass(frozen=True)
class Part:
    """A file of an export."""

    path: str
    """Within the folder."""
    write: Callable[[Path], None]
    """Writes it to a place; a function of the data set, the settings and, where it is `last`, of the other files. It is
    pickled."""
    steps: int = 0
    """Of the data set that are read for it."""
    last: bool = False
    """Whether it says something of the other files, and is written when they are there."""


@dataclass(frozen=True)
class Target(ABC):
    """A format, and the data set that is brought into it. Its other fields are settings."""

    episodes: Episodes
    folder: Path
    """Where it goes."""

    name: ClassVar[str]
    """Of the format, on the command line."""
    needs: ClassVar[tuple[str, str] | None] = None
    """A module that is imported, and what of the package installs it: `("pyarrow", "lerobot")`."""
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    """That its bytes depend on."""

    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """Every file, in an order that depends on the data set alone. Raises DataError for what cannot be exported."""

    @property
    def notes(self) -> Sequence[str]:
        """What was left out, or is to be known, in words."""
        return ()

    def settings(self) -> dict[str, Any]:
        """Its own settings, by name."""
        known = {each.name for each in fields(Target)}
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in known}

    def check(self) -> None:
        """Raise DataError, before any work, where what it needs is not installed."""
        if self.needs is None:
            return
        module, extra = self.needs
        try:
            __import__(module)
        except ImportError as error:
            raise DataError(f"export --to {self.name} needs {module}: pip install 'embodied-ssl[{extra}]'") from error


def grouped(sizes: Sequence[int], most: float) -> list[range]:
    """Episodes in runs whose sizes come to at most so much, or are of one episode."""
    groups: list[range] = []
    first, total = 0, 0
    for number, size in enumerate(sizes):
        if number > first and total + size > most:
            groups.append(range(first, number))
            first, total = number, 0
        total += size
    return [*groups, range(first, len(sizes))]
