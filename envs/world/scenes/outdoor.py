"""How places under the sky are made: street, courtyard."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Light
from embodied_ssl.envs.world.geometry.joinery import Skin, block, box_hull, tiled
from embodied_ssl.envs.world.geometry.mesh import Mesh
from embodied_ssl.envs.world.scenes.home import seat_around
from embodied_ssl.envs.world.scenes.rooms import EAST, NORTH, SOUTH, WEST, Rectangle, Room
from embodied_ssl.envs.world.textures.finishes import family, plain

BEYOND_M = 25.0  # how far the ground goes on behind the barriers of a street
Color = tuple[float, float, float]


def daylight(rng: np.random.Generator) -> Light:
    """A sun between low and high under a clear, hazy or clouded sky."""
    around, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.2)
    x, y, z = (exact.cos(around) * exact.cos(height), exact.sin(around) * exact.cos(height), exact.sin(height))
    clouds = exact.power(rng.uniform(0, 1), 1.5)
    sun: Color = (0.95 - 0.55 * clouds, 0.9 - 0.5 * clouds, 0.8 - 0.4 * clouds)
    sky: Color = (0.36 + 0.14 * clouds, 0.42 + 0.1 * clouds, 0.5 + 0.04 * clouds)
    horizon: Color = (0.72 + 0.08 * clouds, 0.8 + 0.02 * clouds, 0.88 - 0.02 * clouds)
    zenith: Color = (0.22 + 0.4 * clouds, 0.42 + 0.26 * clouds, 0.8 - 0.05 * clouds)
    return Light((float(x), float(y), float(z)), sun, sky, (0.26, 0.25, 0.23), horizon, zenith)


def _draw_facade(rng: np.random.Generator) -> Skin:
    """What a house wears."""
    kind = rng.integers(4)
    if kind == 0:
        return family("brick", rng, 1.2, 0.0)
    if kind == 1:
        return family("paint", rng, 3.0, 0.0)
    return family("plaster", rng, 3.0, 0.0) if kind == 2 else family("stone", rng, 2.0, 0.0)


def _lay(room: Room, patches: dict[Skin, list[Rectangle]], z: float, hulls: Sequence[NDArray[np.float32]] = ()) -> None:
    """Ground in rectangles side by side, or, above z = 0, thin objects on it. What is on z = 0 carries bodies."""
    meshes: dict[Skin, list[Mesh]] = {}
    for skin, rectangles in patches.items():
        for x0, y0, x1, y1 in rectangles:
            meshes.setdefault(skin, []).append(tiled((x0, y0, z), (x1 - x0, 0, 0), (0, y1 - y0, 0), skin.tile))
    x, y = room.width / 2, room.depth / 2
    carrier = [box_hull((-x, -y, -0.2), (x, y, 0))] if z == 0 else []
    room.add_structure("floor", meshes, [*carrier, *hulls], casts_shadow=False)


def _build_houses(room: Room, wall: int, height: float, houses: int) -> None:
    """Houses side by side along a wall, each with its own face, a plinth and a cornice."""
    length = room.wall_length(wall)
    edges = np.linspace(-length / 2, length / 2, houses + 1)
    meshes: dict[Skin, list[Mesh]] = {}
    for start, end in itertools.pairwise(edges):
        skin, trim = _draw_facade(room.rng), family("concrete", room.rng, 1.5, 0.0)
        top = height * room.rng.uniform(0.92, 1.0)
        (x0, y0, _), (x1, y1, _) = room.at_wall(wall, start, 0.0), room.at_wall(wall, end, 0.0)
        along = (x1 - x0, y1 - y0, 0)
        meshes.setdefault(skin, []).append(tiled((x0, y0, 0), along, (0, 0, top), skin.tile))
        inwards = np.cross(along, (0, 0, 1)) / exact.hypot(*along)
        for low, high, out in ((0.0, 0.45, 0.04), (top - 0.25, top, 0.3), (2.95, 3.1, 0.08)):
            corners = np.array(
                [(x0, y0), (x1, y1), np.add((x0, y0), out * inwards[:2]), np.add((x1, y1), out * inwards[:2])]
            )
            box = block((*corners.min(axis=0), low), (*corners.max(axis=0), high), trim.tile)
            meshes.setdefault(trim, []).append(box)
    room.add_structure("facade", meshes, [room.barrier(wall)], casts_shadow=False)


def _dress_facade(room: Room, wall: int, floors: int, shops: float) -> None:
    """Doors and shops on the ground floor, rows of windows above."""
    rng, length = room.rng, room.wall_length(wall)
    window = room.piece("facade_window")
    pitch = rng.uniform(2.3, 3.0)
    door_due = True
    for t in np.arange(-length / 2 + pitch / 2, length / 2 - 0.6, pitch):
        if rng.random() < shops:
            room.hang("shop_front", 0.0, wall, float(t))
        elif door_due or rng.random() < 0.2:
            room.hang("house_door", 0.0, wall, float(t), ahead=0.6)
            door_due = False
        else:
            room.hang(window, 1.0, wall, float(t))
        for floor in range(1, floors):
            room.hang(window, 0.6 + 2.8 * floor, wall, float(t), clear=0.0)


def street(room: Room) -> None:
    """A road between pavements and two rows of houses; it runs along x."""
    rng = room.rng
    if room.width < room.depth:
        room.width, room.depth = room.depth, room.width
    x, y, far = room.width / 2, room.depth / 2, room.width / 2 + BEYOND_M
    room.height = rng.uniform(5.6, 7.0)
    walk = rng.uniform(2.0, 2.6)
    road, pavement = family("asphalt", rng, 3.0, 0.0), family("paving", rng, 1.6, 0.0)
    kerb, paint = family("concrete", rng, 1.0, 0.0), plain(225, 225, 220, gloss=0.0)
    edge = y - walk
    _lay(
        room,
        {
            road: [(-far, -edge, far, edge)],
            kerb: [(-far, edge, far, edge + 0.15), (-far, -edge - 0.15, far, -edge)],
            pavement: [(-far, edge + 0.15, far, y + 3), (-far, -y - 3, far, -edge - 0.15)],
        },
        0.0,
    )
    stripes = [(t, -0.06, t + 1.0, 0.06) for t in np.arange(-far / 2, far / 2, 2.4)]
    cross = rng.uniform(-0.3, 0.3) * room.width
    zebra = [(cross, t, cross + 2.0, t + 0.4) for t in np.arange(-edge + 0.2, edge - 0.5, 0.8)]
    painted = {paint: [s for s in stripes if s[2] < cross or s[0] > cross + 2] + zebra}
    _lay(room, painted, 0.006, [room.barrier(EAST), room.barrier(WEST)])
    for wall in (NORTH, SOUTH):
        _build_houses(room, wall, room.height, int(rng.integers(2, 4)))
        _dress_facade(room, wall, 2, rng.uniform(0.1, 0.5))
    for side in (-1, 1):  # barriers at both ends
        fence = room.piece("fence", matched=True)
        for t in np.arange(-y + 1.0, y - 0.9, 2.0):
            room.place(fence, side * (x - 0.06), t, np.pi / 2, margin=0.0)
    _park_cars(room, edge)
    lamp = room.piece("street_lamp", matched=True)
    for side in (-1, 1):
        for t in np.arange(-x + rng.uniform(1, 3), x - 0.5, 5.5):
            room.place(lamp, t, side * (edge + 0.35), 0 if side < 0 else np.pi)
        kinds = ("garden_tree", "bollard", "bin", "bench", "hydrant", "traffic_sign", "bollard", "planter", "bicycle")
        for kind in (*kinds, "bin", "garden_tree", "traffic_light", "bollard"):
            t = rng.uniform(-x + 0.8, x - 0.8)
            angle = np.pi if side < 0 else 0.0
            if rng.random() < 0.8:
                room.place(room.piece(kind, matched=kind == "bollard"), t, side * (edge + 0.45), angle, margin=0.15)


def _park_cars(room: Room, edge: float) -> None:
    """Cars along both kerbs."""
    rng, x = room.rng, room.width / 2
    for side in (-1, 1):
        t = -x + 2.6 + rng.uniform(0, 2)
        while t < x - 2.6:
            if rng.random() < 0.6:
                car = room.piece("parked_car")
                room.place(car, t, side * (edge - 1.0), rng.choice([-1, 1]) * np.pi / 2, margin=0.2)
            t += rng.uniform(5.2, 7.0)


def courtyard(room: Room) -> None:
    """Houses around, paving and lawns, a fountain or a tree in the middle, places to sit."""
    rng = room.rng
    x, y = room.width / 2, room.depth / 2
    room.height = rng.uniform(5.6, 6.6)
    room.ground(family(("paving", "gravel", "tile")[rng.integers(3)], rng, 1.5, 0.0))
    for wall in range(4):
        _build_houses(room, wall, room.height, 1)
        _dress_facade(room, wall, 2, 0.0)
    middle = "fountain" if rng.random() < 0.6 else "garden_tree"
    x, y = rng.uniform(-0.6, 0.6, 2)
    room.place(room.piece(middle), x, y, ahead=0.8)
    lawn = family("grass", rng, 1.5, 0.0)
    patches, corners = [], [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    for sx, sy in corners:
        if rng.random() < 0.7:
            wide, deep = rng.uniform(0.22, 0.32, 2) * (room.width, room.depth)
            x0, x1 = sorted((sx * (x - 0.9), sx * (x - 0.9 - wide)))
            y0, y1 = sorted((sy * (y - 0.9), sy * (y - 0.9 - deep)))
            patches.append((x0, y0, x1, y1))
    if patches:
        _lay(room, {lawn: patches}, 0.008)
    for x0, y0, x1, y1 in patches:
        for kind in ("garden_tree", "bush", "bush"):
            if rng.random() < 0.75:
                room.place(
                    room.piece(kind), rng.uniform(x0 + 0.5, x1 - 0.5), rng.uniform(y0 + 0.5, y1 - 0.5), margin=0.1
                )
    for _ in range(int(rng.integers(1, 3))):
        _set_terrace(room)
    for kind in (
        "bench",
        "bench",
        "bench",
        "planter",
        "planter",
        "bicycle",
        "bin",
        "bicycle",
        "hedge",
        "hedge",
        "bush",
        "planter",
    ):
        room.along(kind, ahead=0.3, gap=0.1, tries=15)
    for kind in ("street_lamp", "street_lamp", "bench", "planter"):
        for _ in range(6):
            px, py = rng.uniform(-0.42, 0.42, 2) * (room.width, room.depth)
            if room.place(room.piece(kind, matched=True), px, py, rng.choice([0, np.pi / 2]), margin=0.3):
                break


def _set_terrace(room: Room) -> None:
    """A garden table with chairs under a sunshade."""
    rng = room.rng
    for _ in range(15):
        x, y = rng.uniform(-0.4, 0.4, 2) * (room.width, room.depth)
        table = room.place(room.piece("round_table", matched=True), x, y, 0.0, margin=0.7)
        if table is not None:
            seat_around(room, table, "chair", 4, 0.2)
            if rng.random() < 0.6:
                room.place(room.piece("parasol"), x, y, 0.0, check=False)
            return
