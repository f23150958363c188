"""What rooms of all types share: floors, walls, ceilings, lamps' light, doors and windows."""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Light
from embodied_ssl.envs.world.geometry.joinery import Skin
from embodied_ssl.envs.world.scenes.rooms import Room
from embodied_ssl.envs.world.scenes.walls import WallFinish
from embodied_ssl.envs.world.textures.finishes import family, plain, wood

Color = tuple[float, float, float]


def draw_floor(rng: np.random.Generator, kind: str) -> Skin:
    """A floor: `warm` (boards, carpet), `washable` (tiles, terrazzo, boards) or `rough` (concrete)."""
    choices: dict[str, tuple[tuple[str, float, float], ...]] = {
        "warm": (("planks", 1.2, 0.15), ("parquet", 1.0, 0.15), ("laminate", 0.9, 0.15), ("carpet", 0.8, 0.0)),
        "washable": (("tile", 1.2, 0.2), ("terrazzo", 0.7, 0.2), ("planks", 1.2, 0.15), ("marble", 1.5, 0.25)),
        "rough": (("concrete", 2.0, 0.05), ("terrazzo", 0.6, 0.1), ("concrete", 3.0, 0.1)),
    }
    name, tile, gloss = choices[kind][rng.integers(len(choices[kind]))]
    return family(name, rng, tile, gloss)


def draw_wall(rng: np.random.Generator, papered: bool) -> Skin:
    """A wall as any room may have it. papered: whether it may have wallpaper; halls with a rough floor have none."""
    kind = rng.random()
    if kind < 0.5 or (kind < 0.75 and not papered):
        return family("plaster", rng, 2.0, 0.0)
    if kind < 0.75:
        return family("wallpaper", rng, 0.8, 0.0)
    if kind < 0.9:
        return family("paint", rng, 2.0, 0.05)
    return family("brick", rng, 1.2, 0.0)


def indoor_light(rng: np.random.Generator) -> Light:
    """Lamps, as a sun through the ceiling, between warm and cold; a sky that brightens walls and ceiling too."""
    around, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.9, 1.25)
    direction = (exact.cos(around) * exact.cos(height), exact.sin(around) * exact.cos(height), exact.sin(height))
    warmth, level = rng.uniform(-0.06, 0.12), rng.uniform(0.95, 1.2)

    def tinted(strength: float) -> Color:
        return (level * strength * (1 + warmth), level * strength, level * strength * (1 - warmth))

    sun, sky = rng.uniform(0.4, 0.55), rng.uniform(0.42, 0.52)
    dark = (0.02, 0.02, 0.02)
    x, y, z = (float(v) for v in direction)
    return Light((x, y, z), tinted(sun), tinted(sky), tinted(rng.uniform(0.42, 0.52)), dark, dark)


def make_shell(
    room: Room, floor: str, height: tuple[float, float] = (2.4, 2.8), dado: str | None = None, corner: float = 0.35
) -> None:
    """Draw floor, walls and ceiling. dado: a family that may cover the lower wall. corner: chance of an L-shape."""
    rng = room.rng
    lower = family(dado, rng, 1.0, 0.2) if dado is not None and rng.random() < 0.75 else None
    skirting = plain(235, 233, 228) if rng.random() < 0.6 else wood(rng)
    ceiling = plain(*((240, 238, 232), (228, 226, 222), (236, 240, 242))[rng.integers(3)], gloss=0.0)
    wall = draw_wall(rng, floor != "rough")
    finish = WallFinish(wall, rng.uniform(*height), skirting, lower, rng.uniform(1.1, 1.4))
    room.enclose(draw_floor(rng, floor), ceiling, finish)
    if rng.random() < corner:
        share = rng.uniform(0.18, 0.3, 2)
        room.cut_corner(int(rng.integers(4)), share[0] * room.width, share[1] * room.depth)


def add_door(room: Room, kind: str = "door", wall: int | None = None) -> None:
    """A door with room before it."""
    room.hang(kind, 0.0, wall, ahead=0.9, tries=30)


def add_windows(room: Room, count: int, wall: int, curtains: float = 0.0, radiator: float = 0.0) -> None:
    """Windows spread over a wall, with curtains and radiators by chance."""
    rng, reach = room.rng, room.wall_length(wall)
    window = room.piece("window", matched=True)
    curtain = room.piece("curtains", matched=True)
    with_curtains = rng.random() < curtains
    for k in range(count):
        at = reach * ((k + 0.5) / count - 0.5)
        hung = room.hang(window, 0.85, wall, at, clear=0.25 if with_curtains else 0.05)
        if hung is None:
            continue
        if with_curtains and room.height > 2.35:
            x, y, angle = room.at_wall(wall, at, 0.0)
            room.place(curtain, x, y, angle, 0.08, check=False)
        if rng.random() < radiator:
            room.along("radiator", wall, at, gap=0.03, ahead=0.0)


def add_ceiling_lamps(room: Room, kind: str, rows: int, columns: int) -> None:
    """Lamps in a grid under the ceiling."""
    lamp = room.piece(kind, matched=True)
    for i in range(rows):
        for k in range(columns):
            x = room.width * ((k + 0.5) / columns - 0.5)
            y = room.depth * ((i + 0.5) / rows - 0.5)
            room.place(lamp, x, y, 0.0, room.height, check=False)


def add_pictures(room: Room, count: int, kind: str = "picture") -> None:
    """Images or posters wherever walls are bare."""
    for _ in range(count):
        room.hang(kind, room.rng.uniform(1.05, 1.4))
