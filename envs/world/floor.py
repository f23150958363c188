"""The free floor of a scene: a grid of clearances, to start bodies, to steer them, and to spare collision queries."""

from collections.abc import Sequence

import cv2
import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world.assets import Placement, Scene
from embodied_ssl.envs.world.renderers import matrices_of

CELL_M = 0.05
STEP_M = 0.03  # wheels run over rugs and thresholds up to this high


class Floor:
    """How far each place of a scene's floor is from the nearest thing that a body of some height would touch."""

    def __init__(self, scene: Scene, body_height: float):
        """body_height: m; things that begin above it are passed under."""
        x_min, y_min, x_max, y_max = scene.bounds
        self.origin = np.array([x_min, y_min])
        self._columns = max(3, int(np.ceil((x_max - x_min) / CELL_M)))
        self._rows = max(3, int(np.ceil((y_max - y_min) / CELL_M)))
        free = np.ones((self._rows, self._columns), np.uint8)
        free[[0, -1]] = 0
        free[:, [0, -1]] = 0
        outlines = _outlines(scene.placements, body_height)
        corners = np.concatenate([np.empty((0, 2)), *outlines])
        cells, end = np.round((corners - self.origin) / CELL_M - 0.5).astype(np.int32), 0
        for outline in outlines:
            first, end = end, end + len(outline)
            cv2.fillConvexPoly(free, cells[first:end], 0)
        distance = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # Its last bit depends on where the array lies in memory; the squares are whole numbers, and their roots do not.
        self.grid = np.sqrt(np.round(np.square(distance))) * np.float32(CELL_M)

    def clearance(self, points: ArrayLike) -> NDArray[np.float32]:
        """Distance (m) to the nearest obstacle from points [N, 2], to a cell's precision; 0 outside the scene."""
        return _clearances(self.grid, self.origin, np.asarray(points, float))

    def clearance_at(self, x: float, y: float) -> float:
        """The same at one place."""
        column, row = int((x - self.origin[0]) / CELL_M), int((y - self.origin[1]) / CELL_M)
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


@numba.njit(cache=True)
def _clearances(grid, origin, points):
    clearances = np.zeros(len(points), np.float32)
    for n in range(len(points)):
        row = int(np.floor((points[n, 1] - origin[1]) / CELL_M))
        column = int(np.floor((points[n, 0] - origin[0]) / CELL_M))
        if 0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]:
            clearances[n] = grid[row, column]
    return clearances


def _outlines(placements: Sequence[Placement], body_height: float) -> list[NDArray[np.float64]]:
    """The convex outlines [K, 2] on the floor of all hulls that reach below `body_height` and above the floor."""
    outlines = []
    for placement in placements:
        x, y, z, w = placement.quaternion
        position = np.asarray(placement.position, float)
        if x == y == 0:  # upright, as nearly everything is
            turn = np.array([[1 - 2 * z * z, -2 * z * w], [2 * z * w, 1 - 2 * z * z]])
            for outline, low, high in placement.asset.footprints:
                if position[2] + low < body_height and position[2] + high > STEP_M:
                    outlines.append(outline @ turn.T + position[:2])
            continue
        turn = matrices_of((0, 0, 0), placement.quaternion)[0, :3, :3]
        for hull in placement.asset.hulls:
            corners = hull @ turn.T + position
            if corners[:, 2].min() < body_height and corners[:, 2].max() > STEP_M:
                outlines.append(cv2.convexHull(corners[:, :2].astype(np.float32))[:, 0].astype(float))
    return outlines
