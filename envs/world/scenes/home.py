"""How homes are furnished: living room, bedroom, kitchen, bathroom."""

import numpy as np

from embodied_ssl.envs.world.scenes.interiors import add_ceiling_lamps, add_door, add_pictures, add_windows, make_shell
from embodied_ssl.envs.world.scenes.rooms import Placed, Room

TURN = np.pi


def seat_around(room: Room, table: Placed, kind: str, count: int, gap: float = 0.1) -> None:
    """Seats at the long sides of a table, then at its ends, tucked in a little."""
    width, depth = table.piece.width, table.piece.depth
    reach = depth / 2 + gap
    per_side = max(1, min((count + 1) // 2, int(width / 0.55)))
    spots = []
    for k in range(per_side):
        x = width * ((k + 0.5) / per_side - 0.5)
        spots += [(x, -reach, TURN), (x, reach, 0.0)]
    end = width / 2 + 0.24  # not tucked in: the legs stand there
    spots += [(-end, 0.0, np.pi / 2), (end, 0.0, -np.pi / 2)]
    for x, y, angle in spots[:count]:
        room.seat(kind, table, x, y, angle)


def living_room(room: Room) -> None:
    """Sofa opposite a television, a rug with a coffee table and armchairs; in a large one a corner to dine in."""
    rng = room.rng
    make_shell(room, "warm")
    wall = int(rng.integers(4))
    add_door(room, wall=(wall + int(rng.choice([1, 2, 3]))) % 4)
    add_windows(room, int(rng.integers(1, 3)), (wall + 1) % 4, curtains=0.8, radiator=0.6)
    at = rng.uniform(-0.4, 0.4)
    sofa = room.along("sofa", wall, at, gap=0.03, ahead=0.35) or room.along("sofa", ahead=0.35, tries=40)
    stand = room.along("tv_stand", (wall + 2) % 4, -at, ahead=0.7) or room.along("tv_stand", ahead=0.6, tries=20)
    if stand is not None:
        room.put_on("tv", stand, 0.0, 0.05)
    if sofa is not None:
        x, y = sofa.point(0, -1.15)
        room.place(room.piece("rug"), x, y, sofa.angle, check=False)
        table = room.place(room.piece("coffee_table"), x, y, sofa.angle)
        for side in (-1, 1):
            if table is not None and rng.random() < 0.6:
                px, py = table.point(side * 1.25, 0.0)
                room.place(room.piece("armchair", matched=True), px, py, sofa.angle + side * np.pi / 2)
    for kind in ("bookshelf", "bookshelf", "sideboard", "floor_lamp", "potted_plant"):
        room.along(kind, ahead=0.45 if kind in ("bookshelf", "sideboard") else 0.0, matched=kind == "bookshelf")
    if rng.random() < 0.5:
        room.along("potted_plant", ahead=0.0)
    if room.width * room.depth > 24:
        _dining_corner(room)
    add_pictures(room, int(rng.integers(3, 6)))
    room.hang("wall_clock", 1.7)
    room.hang("wall_shelf", 1.2)
    add_ceiling_lamps(room, "ceiling_lamp", 1, int(rng.integers(1, 3)))


def _dining_corner(room: Room) -> None:
    """A table with chairs wherever there is room."""
    for _ in range(20):
        x, y = room.rng.uniform(-0.5, 0.5, 2) * (room.width - 2, room.depth - 2)
        table = room.place(room.piece("table", matched=True), x, y, room.rng.choice([0, np.pi / 2]), margin=0.75)
        if table is not None:
            seat_around(room, table, "chair", int(room.rng.integers(3, 7)))
            return


def bedroom(room: Room) -> None:
    """A bed with nightstands and lamps, wardrobes, a chest; sometimes a desk."""
    rng = room.rng
    make_shell(room, "warm")
    wall = int(rng.integers(4))
    side_wall = (wall + int(rng.choice([1, 3]))) % 4
    bed = None
    for _ in range(8):
        at = rng.uniform(-0.25, 0.25) * room.wall_length(wall)
        bed = room.along("bed", wall, at, gap=0.0, ahead=0.5)
        if bed is not None:
            break
    if bed is not None:
        t = bed.piece.width / 2 + 0.28
        for sign in (-1, 1):
            x, y = bed.point(sign * t, 0.85)
            stand = room.place(room.piece("nightstand", matched=True), x, y, bed.angle, ahead=0.3)
            if stand is not None:
                room.put_on("table_lamp", stand, 0.0, 0.06)
        x, y = bed.point(0, -bed.piece.depth / 2 - 0.2)
        room.place(room.piece("rug"), x, y, bed.angle, check=False)
        room.hang("picture", 1.35, wall, at)
    add_door(room, wall=(wall + 2) % 4)
    add_windows(room, 1, side_wall, curtains=0.9, radiator=0.6)
    room.along("wardrobe", ahead=0.6, tries=30)
    if rng.random() < 0.5:
        room.along("wardrobe", ahead=0.6, matched=True)
    room.along("chest", ahead=0.5, tries=20)
    if rng.random() < 0.6:
        desk = room.along("desk", ahead=0.7, tries=20)
        if desk is not None:
            room.seat("chair", desk, 0.0, -0.42, np.pi)
            room.put_on("laptop" if rng.random() < 0.5 else "table_lamp", desk, rng.uniform(-0.3, 0.3), 0.0)
    for kind in ("bookshelf", "armchair", "potted_plant", "floor_lamp"):
        if rng.random() < 0.6:
            room.along(kind, ahead=0.3 if kind != "potted_plant" else 0.0)
    room.hang("mirror", 1.0)
    room.hang("wall_shelf", 1.2)
    add_pictures(room, int(rng.integers(2, 5)))
    add_ceiling_lamps(room, "ceiling_lamp", 1, 1)


def kitchen(room: Room) -> None:
    """Counters with stove, sink and fridge along two walls, cupboards over them, a table with chairs."""
    rng = room.rng
    make_shell(room, "washable", dado="tile" if rng.random() < 0.5 else "subway_tile", corner=0.2)
    wall = int(rng.integers(4))
    row = ["counter", "stove", "counter", "sink", "counter"]
    row = row[int(rng.integers(0, 2)) :]
    row = ["fridge", *row] if rng.random() < 0.6 else [*row, "fridge"]
    placed = room.row_along(row, wall, -room.wall_length(wall) / 2 + rng.uniform(0.0, 0.15), ahead=0.8)
    corner = (wall + 1) % 4
    placed += room.row_along(["counter", "counter"], corner, -room.wall_length(corner) / 2 + 0.63, ahead=0.7)
    if not any(piece.piece.asset.category == "fridge" for piece in placed):
        room.along("fridge", ahead=0.6, tries=40)
    if not any(piece.piece.asset.category == "stove" for piece in placed):
        room.along("stove", ahead=0.6, tries=40)
    add_door(room, wall=(wall + 2) % 4)
    _hang_over(room, placed, wall)
    add_windows(room, 1, (wall + 3) % 4, curtains=0.3, radiator=0.6)
    kind = "table" if room.width * room.depth > 15 else "round_table"
    for _ in range(40):
        x, y = rng.uniform(-0.5, 0.5, 2) * (room.width - 1.4, room.depth - 1.4)
        table = room.place(room.piece(kind, matched=True), x, y, rng.choice([0, np.pi / 2]), margin=0.3)
        if table is not None:
            seat_around(room, table, "chair", int(rng.integers(2, 6)))
            break
    for kind in ("sideboard", "washing_machine", "paper_bin", "potted_plant", "stool"):
        if rng.random() < 0.5:
            room.along(kind, ahead=0.4 if kind != "potted_plant" else 0.0)
    room.hang("wall_clock", 1.8)
    room.hang("wall_shelf", 1.3)
    add_pictures(room, int(rng.integers(1, 4)))
    add_ceiling_lamps(room, "ceiling_lamp", 1, 1)


def _hang_over(room: Room, placed: list[Placed], wall: int) -> None:
    """Wall cupboards over counters, a hood over the stove, a window over the sink."""
    for host in placed:
        kind = {"stove": "hood", "counter": "wall_cupboard", "sink": "window"}.get(host.piece.asset.category)
        if kind is None:
            continue
        side = next(w for w in range(4) if np.isclose(host.angle, (0.0, -np.pi / 2, np.pi, np.pi / 2)[w]))
        along = (host.x, -host.y, -host.x, host.y)[side]
        piece = room.piece(kind, matched=True)
        room.hang(piece, 1.45 if kind != "window" else 1.1, side, along, clear=0.0)


def bathroom(room: Room) -> None:
    """Tiles, a tub or shower, washbasins under mirrors, a toilet, towels."""
    rng = room.rng
    make_shell(room, "washable", dado=("tile", "subway_tile", "mosaic")[rng.integers(3)], corner=0.2)
    wall = int(rng.integers(4))
    add_door(room, wall=(wall + 2) % 4)
    reach = room.wall_length(wall) / 2
    first = "bathtub" if rng.random() < 0.65 else "shower"
    tub = room.piece(first)
    flip = rng.choice([-1, 1])
    if first == "shower":
        room.along(tub, wall, -reach + tub.width / 2, gap=0.0, ahead=0.4)
    else:
        room.along(tub, wall, flip * (reach - tub.width / 2 - 0.01), gap=0.0, ahead=0.4)
        if rng.random() < 0.5:
            shower = room.piece("shower")
            side = (wall + 3) % 4
            room.along(shower, side, -room.wall_length(side) / 2 + shower.width / 2, gap=0.0, ahead=0.3)
    for count in range(int(rng.integers(1, 3))):
        basin = room.along("washbasin", ahead=0.5, tries=40, matched=True)
        if basin is not None:
            side = next(w for w in range(4) if np.isclose(basin.angle, (0.0, -np.pi / 2, np.pi, np.pi / 2)[w]))
            along = (basin.x, -basin.y, -basin.x, basin.y)[side]
            room.hang(room.piece("mirror", matched=count > 0), 1.1, side, along)
    room.along("toilet", ahead=0.5, tries=60)
    add_windows(room, 1, (wall + 1) % 4, curtains=0.2, radiator=0.5)
    for kind in ("washing_machine", "chest", "paper_bin", "stool", "potted_plant"):
        if rng.random() < 0.65:
            room.along(kind, ahead=0.4 if kind in ("washing_machine", "chest") else 0.0)
    for _ in range(2):
        room.hang("towel_rail", rng.uniform(0.7, 1.0))
    x, y = rng.uniform(-0.2, 0.2, 2) * (room.width, room.depth)
    room.place(room.piece("bath_mat"), x, y, check=False)
    for _ in range(2):
        room.hang("wall_shelf", rng.uniform(1.1, 1.4))
    room.hang("picture", 1.4)
    add_ceiling_lamps(room, "ceiling_lamp", 1, 1)
