"""NumPy: a file `episode-000000.npz` for each episode, and `data.json`, which says what is in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from embodied_ssl.datasets.exports.description import DESCRIPTION, describe
from embodied_ssl.datasets.exports.target import Part, Target


@dataclass(frozen=True)
class Numpy(Target):
    """An npz file for each episode: every series as it is stored, [T, ...], by its name."""

    name: ClassVar[str] = "numpy"

    def parts(self) -> Sequence[Part]:
        own = [
            Part(f"episode-{number:06d}.npz", partial(self._write, number), int(length))
            for number, length in enumerate(self.episodes.length)
        ]
        return [*own, Part(DESCRIPTION, partial(describe, self.episodes))]

    def _write(self, episode: int, path: Path) -> None:
        arrays: dict[str, Any] = {name: self.episodes.read(name, episode) for name in self.episodes.all_series}
        with path.open("wb") as file:
            np.savez(file, **arrays)
