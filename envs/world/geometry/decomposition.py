"""Convex pieces of concave meshes: CoACD (Wei, Liu, Ling & Su, SIGGRAPH 2022), kept on disk by the mesh's content."""

import importlib
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.geometry.solids import MOST_CORNERS
from embodied_ssl.envs.world.kept import kept

CONVEX_SHARE = 0.95  # of its hull, a mesh that fills as much counts as convex
GRID = 1e-5  # of the longest side: finer differences do not make another mesh
SETTINGS = {
    "threshold": 0.1,
    "max_convex_hull": 12,
    "preprocess_resolution": 20,
    "resolution": 500,
    "mcts_nodes": 8,
    "mcts_iterations": 30,
    "mcts_max_depth": 2,
    "decimate": True,
    "max_ch_vertex": MOST_CORNERS,
    "seed": 0,
}


def convex_pieces(corners: NDArray[np.float64]) -> list[NDArray[np.float32]]:
    """Convex hulls [K, 3] of at most 48 corners that fill a mesh of triangles [T, 3, 3], m; none where it is convex.

    Raises ModuleNotFoundError where it is not, and CoACD is not installed.
    """
    longest = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    low = corners.reshape(-1, 3).min(axis=0)
    cells = np.round((corners - low) / (GRID * longest)).astype(np.int64)
    points, number = np.unique(cells.reshape(-1, 3), axis=0, return_inverse=True)
    triangles = _canonical(number.reshape(-1, 3))
    try:
        hull = ConvexHull(points)
    except QhullError:  # flat
        return []
    if _is_closed(triangles) and _volume(points[triangles].astype(float)) > CONVEX_SHARE * hull.volume:
        return []
    importlib.import_module("coacd")  # what it made elsewhere is of no use to who cannot make it
    made_of = (f"1 {version('coacd')} {SETTINGS}", points.tobytes(), triangles.tobytes())
    found = kept("pieces", made_of, lambda: _decomposed(points * GRID, triangles))
    ends = np.cumsum(found["counts"])[:-1]
    return [(piece * longest + low).astype(np.float32) for piece in np.split(found["corners"], ends)]


def _decomposed(points: NDArray[np.float64], triangles: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    import coacd  # only concave meshes need it

    coacd.set_log_level("error")
    pieces = [piece for piece, _ in coacd.run_coacd(coacd.Mesh(points, triangles), **SETTINGS)]
    return {"corners": np.concatenate(pieces), "counts": np.array([len(piece) for piece in pieces])}


def _canonical(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Triangles [T, 3] that begin with their lowest corner, in order, without those that have no area."""
    first = triangles.argmin(axis=1)
    turned = np.take_along_axis(triangles, (first[:, None] + np.arange(3)) % 3, axis=1)
    whole = (turned[:, 0] != turned[:, 1]) & (turned[:, 1] != turned[:, 2]) & (turned[:, 0] != turned[:, 2])
    return np.unique(turned[whole], axis=0)


def _is_closed(triangles: NDArray[np.int64]) -> bool:
    """Whether each edge has a triangle on either side."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    there = {tuple(edge) for edge in edges.tolist()}
    return len(there) == len(edges) and all((b, a) in there for a, b in there)


def _volume(corners: NDArray[np.float64]) -> float:
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    return abs(exact.total((a * np.cross(b, c)).sum(axis=1))) / 6
