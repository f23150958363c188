"""KITTI's odometry layout: a car's cameras, and where it was (Geiger, Lenz & Urtasun, CVPR 2012)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.imports.poses import PLANAR_SIGNALS, planar_travel
from embodied_ssl.datasets.imports.source import Images, Reals, Recording, Source, Timeline, natural

UPRIGHT = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""From the first camera's axes (x right, y down, z ahead) to a world with x ahead, y left, z up."""


@dataclass(frozen=True)
class Kitti(Source):
    """KITTI's odometry layout: `sequences/NN/image_2/*.png`, `times.txt`, `calib.txt`, and `poses/NN.txt`.

    Motor signals are how far the car drove and how far it turned, made of the poses. Sequences without poses are left
    out.
    """

    camera: Literal["image_0", "image_1", "image_2", "image_3"] = "image_2"
    """which images: grey ones (0, 1) or in colour (2, 3), of the left camera or of the right one"""
    sequences: list[str] | None = None
    """which sequences, such as 00 05; None: all that have poses"""

    name: ClassVar[str] = "kitti"
    example: ClassVar[str] = "kitti/dataset --sequences 00 05 --size 96 --workers 2 --out data/kitti"

    @cached_property
    def files(self) -> Sequence[Path]:
        root = self.the_one()
        texts = [place / name for place in self._folders for name in ("times.txt", "calib.txt")]
        poses = [root / "poses" / f"{place.name}.txt" for place in self._folders]
        return [*texts, *poses, *(image for place in self._folders for image in self._images(place))]

    @property
    def signal_names(self) -> tuple[str, ...]:
        return PLANAR_SIGNALS

    @cached_property
    def recordings(self) -> Sequence[Recording]:
        return [
            Recording(f"{place / self.camera}", len(self._images(place)), f"sequence {place.name}")
            for place in self._folders
        ]

    @property
    def notes(self) -> Sequence[str]:
        root, taken = self.the_one(), {place.name for place in self._folders}
        others = sorted(place.name for place in (root / "sequences").iterdir() if place.name not in taken)
        return [f"left out: sequences {', '.join(others)}, which have no poses or were not asked for"] if others else []

    @property
    def intrinsics(self) -> Reals | None:
        projections = np.stack([self._projection(place) for place in self._folders])
        return projections[0, :, :3].copy() if (projections == projections[0]).all() else None

    def timeline(self, number: int) -> Timeline:
        place = self._folders[number]
        pose = np.tile(np.eye(4), (len(table := _table(self.the_one() / "poses" / f"{place.name}.txt", 12)), 1, 1))
        pose[:, :3] = table.reshape(-1, 3, 4)
        projection = self._projection(place)  # K [I | t]: the camera stands at -t of the one whose poses they are
        beside = np.eye(4)
        beside[:3, 3] = -np.linalg.solve(projection[:, :3], projection[:, 3])
        pose = UPRIGHT @ pose @ beside
        return Timeline(_table(place / "times.txt", 1)[:, 0], planar_travel(pose), pose)

    def images(self, number: int, rows: NDArray[np.int64]) -> Images:
        paths = self._images(self._folders[number])
        for row in rows.tolist():
            image = cv2.imread(str(paths[row]), cv2.IMREAD_COLOR)
            if image is None:
                raise DataError(f"{paths[row]}: not an image, or damaged; fetch it again")
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[misc]

    @cached_property
    def _folders(self) -> list[Path]:
        """The folder of each sequence that is taken."""
        root = self.the_one()
        if not (root / "sequences").is_dir() or not (root / "poses").is_dir():
            raise DataError(f"{root}: no folders sequences and poses in it, as the odometry benchmark has them")
        there = {path.stem for path in (root / "poses").glob("*.txt") if (root / "sequences" / path.stem).is_dir()}
        asked = there if self.sequences is None else self.sequences
        if missing := sorted(set(asked) - there):
            raise DataError(
                f"{root}: no sequence {missing[0]} with poses; there are {', '.join(sorted(there)) or 'none'}"
            )
        return [root / "sequences" / name for name in sorted(asked, key=natural)]

    def _images(self, place: Path) -> list[Path]:
        found = sorted((place / self.camera).glob("*.png"))
        if not found:
            raise DataError(f"{place / self.camera}: no PNG images in it; choose another --camera, or fetch them")
        return found

    def _projection(self, place: Path) -> Reals:
        """The projection matrix of the camera, [3, 4], out of calib.txt."""
        path, key = place / "calib.txt", f"P{self.camera[-1]}:"
        try:
            lines = [line.split() for line in path.read_text().splitlines()]
            return np.array(next(line[1:] for line in lines if line[:1] == [key]), "f8").reshape(3, 4)
        except (OSError, StopIteration, ValueError) as error:
            raise DataError(f"{path}: no line {key} of 12 numbers ({error}); fetch the calibration again") from error


def _table(path: Path, columns: int) -> Reals:
    """Numbers in lines, [n, columns]."""
    try:
        return np.loadtxt(path, "f8", ndmin=2).reshape(-1, columns)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not lines of {columns} numbers ({error})") from error
