"""The free floor of a scene: a grid of clearances, to start bodies, to steer them, and to spare collision queries."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Placement, Scene, footprints_of
from embodied_ssl.envs.world.compiled import jit
from embodied_ssl.envs.world.poses import matrices_of

CELL_M = 0.05
STEP_M = 0.03  # wheels run over rugs and thresholds up to this high


class Floor:
    """How far each place of a scene's floor is from the nearest object that a body of some height would touch."""

    def __init__(self, scene: Scene, body_height: float):
        """body_height: m; objects that begin above it are passed under."""
        x_min, y_min, x_max, y_max = scene.bounds
        self.origin, self._left, self._bottom = np.array([x_min, y_min]), float(x_min), float(y_min)
        self._columns = max(3, int(np.ceil((x_max - x_min) / CELL_M)))
        self._rows = max(3, int(np.ceil((y_max - y_min) / CELL_M)))
        free = np.ones((self._rows, self._columns), np.uint8)
        free[[0, -1]] = 0
        free[:, [0, -1]] = 0
        corners, lengths = _outlines(scene.placements, body_height)
        cells, end = np.round((corners - self.origin) / CELL_M - 0.5).astype(np.int32), 0
        for length in lengths:
            first, end = end, end + length
            cv2.fillConvexPoly(free, cells[first:end], 0)
        distance = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # Its last bit depends on where the array lies in memory; the squares are whole numbers, and their roots do not.
        self.grid = np.sqrt(np.round(np.square(distance))) * np.float32(CELL_M)

    def clearance(self, points: ArrayLike) -> NDArray[np.float32]:
        """Distance (m) to the nearest obstacle from points [N, 2], to a cell's precision; 0 outside the scene."""
        return _clearances(self.grid, self.origin, np.asarray(points, float))

    def clearance_at(self, x: float, y: float) -> float:
        """The same at one place."""
        column, row = int((x - self._left) / CELL_M), int((y - self._bottom) / CELL_M)
        return float(self.grid[row, column]) if 0 <= row < self._rows and 0 <= column < self._columns else 0.0

    def start(self, rng: np.random.Generator, radius: float) -> NDArray[np.float64]:
        """A place [2] (m) for a body of `radius`, in the largest connected part of the floor that it fits in.

        Raises ValueError where it fits nowhere.
        """
        fits = (self.grid > radius + CELL_M).astype(np.uint8)
        _, labels, statistics, _ = cv2.connectedComponentsWithStats(fits, connectivity=4)
        if len(statistics) < 2:
            raise ValueError(f"no free place for a body of radius {radius} m")
        largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
        rows, columns = np.nonzero(labels == largest)
        chosen = rng.integers(len(rows))
        return self.origin + (np.array([columns[chosen], rows[chosen]]) + 0.5) * CELL_M


@jit
def _clearances(grid, origin, points):
    clearances = np.zeros(len(points), np.float32)
    for n in range(len(points)):
        row = int(np.floor((points[n, 1] - origin[1]) / CELL_M))
        column = int(np.floor((points[n, 0] - origin[0]) / CELL_M))
        if 0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]:
            clearances[n] = grid[row, column]
    return clearances


def _outlines(placements: Sequence[Placement], body_height: float) -> tuple[NDArray[np.float64], list[int]]:
    """The convex outlines on the floor of all hulls that reach below `body_height` and above the floor.

    Their corners [N, 2] (m), one outline after the other, and how many corners each has.
    """
    outlines, places = [np.empty((0, 2))], [(1.0, 0.0, 0.0, 0.0)]
    for placement in placements:
        (x, y, z), turn = placement.position, placement.quaternion
        if turn[0] == turn[1] == 0:  # upright, as nearly everything is
            footprints, place = placement.asset.footprints, (1 - 2 * turn[2] * turn[2], 2 * turn[2] * turn[3], x, y)
        else:
            rotation = matrices_of((0, 0, 0), turn)[0, :3, :3]
            footprints = footprints_of([exact.product(hull, rotation.T) for hull in placement.asset.hulls])
            place = 1.0, 0.0, x, y
        for outline, low, high in footprints:
            if z + low < body_height and z + high > STEP_M:
                outlines.append(outline)
                places.append(place)
    lengths = list(map(len, outlines))
    across, along = np.concatenate(outlines).T
    cosine, sine, x, y = np.repeat(np.array(places), lengths, axis=0).T
    return np.stack([cosine * across - sine * along + x, sine * across + cosine * along + y], axis=1), lengths[1:]
