"""A room or a yard while it is being furnished: its shell, what stands where, and what is still free.

The floor's middle is the origin. Walls are numbered 0 to 3: north (+y), east (+x), south (−y), west (−x).
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Light, Part, Placement, Scene
from embodied_ssl.envs.world.furniture.catalogue import STOCK, make_furniture
from embodied_ssl.envs.world.geometry.joinery import Piece, Skin, box_hull, tiled
from embodied_ssl.envs.world.geometry.mesh import Mesh, merge
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.scenes.walls import WallFinish, raise_wall

NORTH, EAST, SOUTH, WEST = range(4)
ANGLES = (0.0, -np.pi / 2, np.pi, np.pi / 2)  # that turn a piece's back (+y) to each wall
MOST_THINGS = 200
MOST_TRIANGLES = 8500

Rectangle = tuple[float, float, float, float]


class Placed:
    """A piece where it stands. x, y, z: m; angle: rad about z."""

    def __init__(self, piece: Piece, x: float, y: float, z: float, angle: float):
        self.piece, self.x, self.y, self.z, self.angle = piece, float(x), float(y), float(z), float(angle)
        self._cos, self._sin = exact.cos(angle), exact.sin(angle)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point of the piece's frame in the world."""
        return self.x + self._cos * x - self._sin * y, self.y + self._sin * x + self._cos * y

    def rectangle(self, margin: float = 0.0, ahead: float = 0.0) -> Rectangle:
        """The floor it covers, with `margin` m around and `ahead` m in front of it."""
        x0, y0, x1, y1 = self.piece.footprint
        x, y = self.point((x0 + x1) / 2, (y0 + y1 - ahead) / 2)
        half_x, half_y = (x1 - x0) / 2 + margin, (y1 - y0 + ahead) / 2 + margin
        c, s = abs(self._cos), abs(self._sin)
        reach_x, reach_y = c * half_x + s * half_y, s * half_x + c * half_y
        return x - reach_x, y - reach_y, x + reach_x, y + reach_y


class Room:
    """Places pieces by trial: what would overlap, or block what must stay free, is not placed."""

    def __init__(
        self, type: str, rng: np.random.Generator, object_instances: tuple[int, int], size: tuple[float, float]
    ):
        """size: of the floor along x and y, m. object_instances: range of the instances of small objects."""
        self.type, self.rng, self.object_instances = type, rng, object_instances
        self.width, self.depth = size
        self.height = np.inf
        self.triangles = 0
        self._placements: list[Placement] = []
        self._structure: list[Placement] = []
        self._solid: list[Rectangle] = []  # furniture and corners cut off
        self._free: list[Rectangle] = []  # to be kept free
        self._walls: list[list[tuple[float, float, float, float]]] = [[], [], [], []]  # from, to, low, high
        self._instances: dict[str, int] = {}
        self.hosts: list[Placed] = []  # pieces with surfaces to put objects on
        self._tops: list[tuple[float, float, float, float]] = []  # x, y, radius, z of what stands on furniture

    # The shell.

    def enclose(self, floor: Skin, ceiling: Skin, finish: WallFinish) -> None:
        """Floor, four walls and a ceiling."""
        self.height, self._finish = finish.height, finish
        x, y = self.width / 2, self.depth / 2
        self.ground(floor)
        panels: dict[Skin, list[Mesh]] = {}
        corners = [(-x, y), (x, y), (x, -y), (-x, -y)]
        for side in range(4):
            raise_wall(panels, corners[side], corners[(side + 1) % 4], finish)
        lid = tiled((-x, y, self.height), (2 * x, 0, 0), (0, -2 * y, 0), ceiling.tile)
        panels.setdefault(ceiling, []).append(lid)
        self.add_structure("wall", panels, [self.barrier(wall) for wall in range(4)], casts_shadow=False)

    def barrier(self, wall: int) -> NDArray[np.float32]:
        """A hull behind a side of the plan, where bodies stop."""
        x, y, top = self.width / 2, self.depth / 2, 2.5
        return (
            box_hull((-x - 0.3, y, 0), (x + 0.3, y + 0.3, top)),
            box_hull((x, -y, 0), (x + 0.3, y, top)),
            box_hull((-x - 0.3, -y - 0.3, 0), (x + 0.3, -y, top)),
            box_hull((-x - 0.3, -y, 0), (-x, y, top)),
        )[wall]

    def ground(self, skin: Skin) -> None:
        """The floor over the whole plan."""
        x, y = self.width / 2, self.depth / 2
        floor = {skin: [tiled((-x, -y, 0), (2 * x, 0, 0), (0, 2 * y, 0), skin.tile)]}
        self.add_structure("floor", floor, [box_hull((-x, -y, -0.2), (x, y, 0))], casts_shadow=False)

    def cut_corner(self, corner: int, width: float, depth: float) -> None:
        """Wall off a corner: an L-shaped plan. corner: 0 north-east, 1 south-east, 2 south-west, 3 north-west."""
        sx, sy = ((1, 1), (1, -1), (-1, -1), (-1, 1))[corner]
        x, y = self.width / 2, self.depth / 2
        x0, x1 = sorted((sx * x, sx * (x - width)))
        y0, y1 = sorted((sy * y, sy * (y - depth)))
        panels: dict[Skin, list[Mesh]] = {}
        inner_x, inner_y = sx * (x - width), sy * (y - depth)
        level, upright = [(x1, inner_y), (x0, inner_y)], [(inner_x, y0), (inner_x, y1)]
        for start, end in (level if sy < 0 else level[::-1], upright if sx < 0 else upright[::-1]):
            raise_wall(panels, start, end, self._finish)
        self.add_structure("wall", panels, [box_hull((x0, y0, 0), (x1, y1, 2.5))], casts_shadow=False)
        self._solid.append((x0, y0, x1, y1))
        for side in range(4):
            reach = self.wall_length(side) / 2
            if side in (NORTH, SOUTH) and (side == NORTH) == (sy > 0):
                low, high = (x0, x1) if side == NORTH else (-x1, -x0)
            elif side in (EAST, WEST) and (side == EAST) == (sx > 0):
                low, high = (-y1, -y0) if side == EAST else (y0, y1)
            else:
                continue
            self._walls[side].append((max(low, -reach), min(high, reach), 0, 9))

    def add_structure(
        self,
        category: str,
        meshes: dict[Skin, list[Mesh]],
        hulls: Sequence[NDArray[np.float32]],
        casts_shadow: bool = True,
    ) -> None:
        """Add a part of the building."""
        parts = tuple(
            Part(merge(group), skin.texture, skin.gloss, skin.emission, casts_shadow and skin.casts_shadow)
            for skin, group in meshes.items()
        )
        asset = Asset(category, 0, MATERIALS["stone"], parts, tuple(hulls))
        self._structure.append(Placement(asset, structure=True))
        self.triangles += sum(len(part.mesh.triangles) for part in parts)

    # Furniture.

    def wall_length(self, wall: int) -> float:
        """m."""
        return self.width if wall in (NORTH, SOUTH) else self.depth

    def piece(self, kind: str, matched: bool = False) -> Piece:
        """A piece of a kind. matched: always the same one in this room, as chairs around a table are."""
        if matched and kind in self._instances:
            return make_furniture(kind, self._instances[kind])
        instance = int(self.rng.integers(STOCK))
        self._instances[kind] = instance
        return make_furniture(kind, instance)

    def place(
        self,
        piece: Piece,
        x: float,
        y: float,
        angle: float = 0.0,
        z: float = 0.0,
        margin: float = 0.02,
        ahead: float = 0.0,
        check: bool = True,
    ) -> Placed | None:
        """Stand a piece on the floor, or hang it at z, if it fits.

        ahead: m in front of it that stay free. check: False where it may overlap others, such as a rug or a lamp.
        """
        placed = Placed(piece, float(x), float(y), float(z), float(angle))
        if check:
            if not self._fits(placed, margin, ahead):
                return None
            self._solid.append(placed.rectangle())
            if ahead > 0:
                self._free.append(placed.rectangle(0.0, ahead))
        return self._stand(placed)

    def _stand(self, placed: Placed) -> Placed | None:
        piece = placed.piece
        if not self.add(piece.asset, piece.triangles, (placed.x, placed.y, placed.z), placed.angle):
            return None
        if piece.surfaces:
            self.hosts.append(placed)
        return placed

    def _fits(self, placed: Placed, margin: float, ahead: float) -> bool:
        x0, y0, x1, y1 = placed.rectangle()
        x, y = self.width / 2 + 1e-6, self.depth / 2 + 1e-6
        if x0 < -x or y0 < -y or x1 > x or y1 > y:
            return False
        around = placed.rectangle(margin)
        if overlaps(around, self._solid) or overlaps(around, self._free):
            return False
        return ahead == 0 or not overlaps(placed.rectangle(-0.02, ahead), self._solid)

    @property
    def count(self) -> int:
        """Objects placed so far, without the building."""
        return len(self._placements)

    def add(self, asset: Asset, triangles: int, position: tuple[float, float, float], angle: float) -> bool:
        """Place an asset, unchecked; False where the scene is full."""
        if len(self._placements) >= MOST_THINGS or self.triangles + triangles > MOST_TRIANGLES:
            return False
        turn = (0.0, 0.0, exact.sin(angle / 2), exact.cos(angle / 2))
        x, y, z = position
        self._placements.append(Placement(asset, (float(x), float(y), float(z)), turn))
        self.triangles += triangles
        return True

    def top_is_free(self, x: float, y: float, radius: float, z: float) -> bool:
        """Whether an object of a radius fits at a point on a piece, and if so takes the place."""
        for other_x, other_y, other_radius, other_z in self._tops:
            if abs(other_z - z) < 0.05 and exact.hypot(x - other_x, y - other_y) < radius + other_radius:
                return False
        self._tops.append((x, y, radius, z))
        return True

    def floor_is_free(self, rectangle: Rectangle) -> bool:
        """Whether an object fits on the floor, and if so takes the place."""
        x0, y0, x1, y1 = rectangle
        x, y = self.width / 2, self.depth / 2
        if x0 < -x or y0 < -y or x1 > x or y1 > y or overlaps(rectangle, self._solid):
            return False
        self._solid.append(rectangle)
        return True

    def keep_free(self, rectangle: Rectangle) -> None:
        """Nothing that is placed with a check will stand there."""
        self._free.append(rectangle)

    def along(
        self,
        kind: str | Piece,
        wall: int | None = None,
        at: float | None = None,
        gap: float = 0.01,
        ahead: float = 0.6,
        tries: int = 12,
        matched: bool = False,
    ) -> Placed | None:
        """Stand a piece with its back to a wall. at: m from the wall's middle, left to right; None = anywhere."""
        piece = kind if isinstance(kind, Piece) else self.piece(kind, matched)
        top = piece.rise[1]
        for _ in range(tries if at is None or wall is None else 1):
            side = int(self.rng.integers(4)) if wall is None else wall
            half, reach = piece.width / 2, self.wall_length(side) / 2
            if reach <= half:
                continue
            t = self.rng.uniform(-reach + half, reach - half) if at is None else at
            if not self._wall_is_free(side, t - half, t + half, 0, top):
                continue
            x, y, angle = self.at_wall(side, t, piece.footprint[3] + gap)
            placed = self.place(piece, x, y, angle, ahead=ahead)
            if placed is not None:
                self._walls[side].append((t - half, t + half, 0, top))
                return placed
        return None

    def row_along(
        self, kinds: Sequence[str], wall: int, start: float, gap: float = 0.0, ahead: float = 0.7
    ) -> list[Placed]:
        """Pieces side by side along a wall, from `start` m on (left to right) as far as they fit."""
        row, t = [], start
        for kind in kinds:
            piece = self.piece(kind, matched=True)
            placed = self.along(piece, wall, t - piece.footprint[0], ahead=ahead)
            if placed is not None:
                row.append(placed)
            t += piece.width + gap + 0.025
        return row

    def hang(
        self,
        kind: str | Piece,
        z: float,
        wall: int | None = None,
        at: float | None = None,
        ahead: float = 0.0,
        tries: int = 10,
        clear: float = 0.05,
    ) -> Placed | None:
        """Fix a piece on a wall with its z = 0 at height z, beside what already hangs or stands there.

        ahead: m of floor before it that stay free, as before a door.
        """
        piece = kind if isinstance(kind, Piece) else self.piece(kind)
        low, high = piece.rise[0] + z, piece.rise[1] + z
        half = piece.width / 2
        for _ in range(tries if at is None or wall is None else 1):
            side = int(self.rng.integers(4)) if wall is None else wall
            reach = self.wall_length(side) / 2 - half - 0.03
            if reach < 0 or high > self.height:
                continue
            t = self.rng.uniform(-reach, reach) if at is None else at
            if abs(t) > reach or not self._wall_is_free(side, t - half - clear, t + half + clear, low, high):
                continue
            x, y, angle = self.at_wall(side, t, max(0.0, piece.footprint[3]))
            placed = Placed(piece, x, y, z, angle)
            if ahead > 0:
                zone = placed.rectangle(0.0, ahead)
                if overlaps(zone, self._solid):
                    continue
                self._free.append(zone)
            self._walls[side].append((t - half, t + half, low, high))
            return self._stand(placed)
        return None

    def at_wall(self, wall: int, t: float, back: float) -> tuple[float, float, float]:
        """(x, y, angle) of a piece whose back lies `back` m behind its origin, t m along a wall."""
        angle = ANGLES[wall]
        inset = (self.depth if wall in (NORTH, SOUTH) else self.width) / 2 - back
        c, s = exact.cos(angle), exact.sin(angle)
        return c * t - s * inset, s * t + c * inset, angle

    def _wall_is_free(self, wall: int, start: float, end: float, low: float, high: float) -> bool:
        return all(end <= a or start >= b or high <= c or low >= d for a, b, c, d in self._walls[wall])

    def seat(self, kind: str, host: Placed, x: float, y: float, angle: float, matched: bool = True) -> Placed | None:
        """A seat at a table: at a point of the host's frame, turned by `angle` from the host, a little askew.

        It may reach under the host, but not into anything else.
        """
        piece = self.piece(kind, matched)
        wx, wy = host.point(x, y)
        placed = Placed(piece, wx, wy, 0.0, host.angle + angle + self.rng.uniform(-0.12, 0.12))
        x0, y0, x1, y1 = inner = placed.rectangle(-0.03)
        if x0 < -self.width / 2 or y0 < -self.depth / 2 or x1 > self.width / 2 or y1 > self.depth / 2:
            return None
        own = host.rectangle()
        if overlaps(inner, (other for other in self._solid if other != own)):
            return None
        self._solid.append(inner)
        return self._stand(placed)

    # Objects on furniture and on the floor.

    def put_on(
        self, kind: str, host: Placed, x: float, y: float, angle: float = 0.0, surface: int = 0
    ) -> Placed | None:
        """A piece on another, such as a monitor on a desk, at a point of the host's frame."""
        piece = self.piece(kind)
        wx, wy = host.point(x, y)
        z = host.z + host.piece.surfaces[surface].z
        placed = Placed(piece, wx, wy, z, host.angle + angle)
        self._tops.append((wx, wy, 0.5 * max(piece.width, piece.depth), z))
        return self._stand(placed)

    def finish(self, light: Light) -> Scene:
        """The scene as it stands."""
        x, y = self.width / 2, self.depth / 2
        return Scene(self.type, (*self._structure, *self._placements), (-x, -y, x, y), light)


def overlaps(rectangle: Rectangle, others: Iterable[Rectangle]) -> bool:
    """Whether a rectangle shares more than an edge with any of the others."""
    x0, y0, x1, y1 = rectangle
    return any(x0 < right and left < x1 and y0 < top and bottom < y1 for left, bottom, right, top in others)
