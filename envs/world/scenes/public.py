"""How public rooms are furnished: office, classroom, library, supermarket, restaurant, gym."""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.scenes.home import seat_around
from embodied_ssl.envs.world.scenes.interiors import add_ceiling_lamps, add_door, add_pictures, add_windows, make_shell
from embodied_ssl.envs.world.scenes.rooms import EAST, NORTH, SOUTH, WEST, Room


def _grid(length: float, pitch: float, margin: float) -> np.ndarray:
    """Evenly spaced places along a length about 0, `pitch` apart at least, `margin` clear at both ends."""
    count = max(1, int((length - 2 * margin) / pitch) + 1)
    return (np.arange(count) - (count - 1) / 2) * pitch


def _set_up_workplace(room: Room, x: float, y: float, angle: float) -> None:
    """A desk with a screen and an office chair."""
    rng = room.rng
    desk = room.place(room.piece("desk", matched=True), x, y, angle, margin=0.0)
    if desk is None:
        return
    room.seat("office_chair", desk, rng.uniform(-0.1, 0.1), -0.6, np.pi + rng.uniform(-0.5, 0.5))
    room.put_on("monitor" if rng.random() < 0.85 else "laptop", desk, rng.uniform(-0.15, 0.15), 0.12)
    if rng.random() < 0.4:
        room.put_on("file_box", desk, rng.choice([-0.45, 0.45]), 0.15)


def office(room: Room) -> None:
    """Workplaces in islands of two or along the walls behind partitions, cabinets, a printer, a whiteboard."""
    rng = room.rng
    make_shell(room, "warm" if rng.random() < 0.7 else "rough", (2.5, 3.0))
    add_door(room, wall=SOUTH)
    for kind in ("filing_cabinet", "filing_cabinet", "printer", "water_cooler", "bookshelf"):
        room.along(kind, int(rng.choice([SOUTH, WEST])), ahead=0.5, matched=kind == "filing_cabinet")
    if rng.random() < 0.7:  # islands of two desks face to face
        pitch = room.piece("desk", matched=True).width + 0.8
        for x in _grid(room.width - 0.6, pitch, 1.0):
            for y in _grid(room.depth, 3.2, 1.6):
                _set_up_workplace(room, x, y + 0.43, np.pi)
                _set_up_workplace(room, x, y - 0.43, 0.0)
    else:
        for wall in (NORTH, EAST, WEST):
            for t in _grid(room.wall_length(wall), 2.0, 1.1):
                x, y, angle = room.at_wall(wall, t, 0.42)
                _set_up_workplace(room, x, y, angle)
                if rng.random() < 0.4:
                    px, py, _ = room.at_wall(wall, t + 0.95, 0.78)
                    room.place(room.piece("partition", matched=True), px, py, angle + np.pi / 2, margin=0.0)
    window = room.piece("wide_window", matched=True)
    for wall in (NORTH, EAST):
        room.hang(window, 0.95, wall)
    for kind in ("potted_plant", "paper_bin", "potted_plant", "paper_bin"):
        room.along(kind, ahead=0.0)
    room.hang("whiteboard", 0.95)
    room.hang("wall_clock", 2.0)
    room.hang("notice_board", 1.1)
    room.hang("wall_shelf", 1.4)
    add_pictures(room, int(rng.integers(1, 4)), "poster")
    add_ceiling_lamps(room, "tube_light", 2, 2)


def classroom(room: Room) -> None:
    """Rows of school desks before a chalkboard and the teacher's desk, wide windows at one side."""
    rng = room.rng
    make_shell(room, "washable" if rng.random() < 0.5 else "warm", (2.7, 3.1), corner=0.0)
    front = NORTH if room.depth >= room.width else EAST
    length, across = max(room.width, room.depth), min(room.width, room.depth)
    room.hang("chalkboard", 0.85, front, rng.uniform(-0.3, 0.3))
    x, y, angle = room.at_wall(front, rng.uniform(-1.2, 1.2), 1.15)
    desk = room.place(room.piece("desk"), x, y, angle + np.pi)
    if desk is not None:
        room.seat("chair", desk, 0.0, -0.5, np.pi)
        room.put_on("globe" if rng.random() < 0.5 else "laptop", desk, rng.uniform(-0.4, 0.4), 0.0)
    add_door(room, wall=(front + 1) % 4)
    table = room.piece("school_desk", matched=True)
    rows = _grid(length - 2.6, 1.25, 0.7)
    for along in rows - 0.95:
        for t in _grid(across, table.width + rng.uniform(0.45, 0.6), 0.5 + table.width / 2):
            cx, cy, turn = room.at_wall(front, t, 0.0)
            inset = length / 2 - along
            c, s = exact.sin(turn), exact.cos(turn)
            placed = room.place(table, cx + c * inset, cy - s * inset, turn, margin=0.0)
            if placed is not None:
                seats = (-0.28, 0.28) if table.width > 0.9 else (0.0,)
                for offset in seats:
                    room.seat("school_chair", placed, offset, -0.36, np.pi)
    window = room.piece("wide_window", matched=True)
    side = (front + 3) % 4
    for t in (-0.25, 0.25):
        room.hang(window, 0.95, side, t * room.wall_length(side))
    for kind in ("bookshelf", "sideboard", "paper_bin", "locker"):
        room.along(kind, (front + 2) % 4, ahead=0.3 if kind != "paper_bin" else 0.0)
    room.hang("map", 1.0)
    room.hang("wall_clock", 2.2, front, 1.9) or room.hang("wall_clock", 2.2)
    room.hang("notice_board", 1.1)
    add_pictures(room, int(rng.integers(2, 6)), "poster")
    add_ceiling_lamps(room, "tube_light", 2, 2)


def library(room: Room) -> None:
    """Shelves along the walls, stacks in rows behind reading tables."""
    rng = room.rng
    make_shell(room, "warm", (2.7, 3.4), corner=0.15)
    add_door(room, "double_door" if rng.random() < 0.6 else "door", SOUTH)
    for wall in (NORTH, WEST, EAST):
        shelf = room.piece("bookshelf", matched=True)
        for t in _grid(room.wall_length(wall), shelf.width + 0.02, shelf.width / 2 + 0.05):
            if rng.random() < 0.7:
                room.along(shelf, wall, t, ahead=0.3)
    table = room.piece("reading_table", matched=True)
    front = -room.depth / 2 + 1.1 + table.depth / 2 + 0.5
    for x in _grid(room.width, table.width + 1.0, 1.6):
        placed = room.place(table, x, front, 0.0, margin=0.25)
        if placed is not None:
            seat_around(room, placed, "chair", int(rng.integers(4, 7)))
            room.put_on("table_lamp", placed, rng.choice([-0.5, 0.5]), 0.25)
    stacks = room.piece("stacks", matched=True)
    back = front + table.depth / 2 + 1.1
    for x in _grid(room.width - 0.8, stacks.depth + rng.uniform(0.95, 1.2), 0.9):
        for k in range(3):
            if back + 1.02 * (k + 1) < room.depth / 2 - 1.0:
                room.place(stacks, x, back + 0.51 + 1.02 * k, np.pi / 2, margin=0.0)
    for kind in ("book_cart", "armchair", "potted_plant", "desk", "floor_lamp"):
        if rng.random() < 0.8:
            room.along(kind, ahead=0.4 if kind in ("desk", "armchair") else 0.0)
    add_windows(room, 2, SOUTH)
    room.hang("wall_clock", 2.1)
    add_pictures(room, 3)
    add_ceiling_lamps(room, "ceiling_lamp", 2, 2)


def supermarket(room: Room) -> None:
    """Aisles of shop shelves between walls of goods, checkouts beside the door, trolleys and fruit stands."""
    rng = room.rng
    make_shell(room, "washable" if rng.random() < 0.7 else "rough", (2.9, 3.6), corner=0.2)
    door = 1.05 - room.width / 2
    room.hang("double_door", 0.0, SOUTH, -door, ahead=1.0)  # t runs westwards along the south wall
    goods = room.piece("wall_goods")
    for wall in (NORTH, WEST):
        for t in _grid(room.wall_length(wall), goods.width + 0.03, goods.width / 2 + 0.1):
            room.along("wall_goods", wall, t, ahead=0.8)
    for x in (0.12 * room.width, 0.34 * room.width):
        till = room.place(room.piece("checkout", matched=True), x, -room.depth / 2 + 1.15, np.pi / 2, margin=0.2)
        if till is not None:
            room.seat("stool", till, 0.6, 0.55, 0.0)
    for x in _grid(room.width - 1.2, 0.9 + rng.uniform(1.05, 1.3), 0.7):
        for y in _grid(room.depth - 3.4, 2.03, 1.0):
            room.place(room.piece("shop_shelf"), x + 0.3, y + 0.6, np.pi / 2, margin=0.0)
    for _ in range(2):
        room.along("fruit_stand", EAST, ahead=0.7, tries=8)
    room.along("freezer", ahead=0.6, tries=20)
    for _ in range(40):
        if room.count > 34:
            break
        kind = ("fruit_stand", "shopping_cart", "shopping_cart", "cartons")[rng.integers(4)]
        x, y = rng.uniform(-0.45, 0.45, 2) * (room.width, room.depth)
        room.place(room.piece(kind), x, y, rng.choice([0, np.pi / 2]), margin=0.35)
    add_pictures(room, int(rng.integers(3, 6)), "poster")
    room.hang("wall_clock", 2.3)
    add_ceiling_lamps(room, "tube_light", 3, 3)


def restaurant(room: Room) -> None:
    """A bar with stools before bottles, booths along a wall, laid out tables with chairs."""
    rng = room.rng
    make_shell(room, "warm" if rng.random() < 0.6 else "washable", (2.6, 3.3))
    add_door(room, "double_door" if rng.random() < 0.5 else "door", SOUTH)
    at = rng.uniform(-0.2, 0.2) * room.width
    x, y, angle = room.at_wall(NORTH, at, 1.35)
    bar = room.place(room.piece("bar"), x, y, angle)
    if bar is not None:
        for t in _grid(bar.piece.width, 0.6, 0.3):
            room.seat("stool", bar, t, -0.58, 0.0)
    for k in (-1, 1):
        room.hang("bottle_shelf", 1.25, NORTH, at + 0.8 * k)
    for t in _grid(room.wall_length(WEST), 1.9, 0.9):
        x, y, angle = room.at_wall(WEST, t, 0.32)
        if rng.random() < 0.5:
            room.place(room.piece("booth", matched=True), x, y, angle)
    kind = "round_table" if rng.random() < 0.55 else "table"
    table = room.piece(kind, matched=True)
    pitch = max(table.width, 0.9) + 1.25
    for x in _grid(room.width - 0.3, pitch, 0.9):
        for y in _grid(room.depth - 2.0, 2.15, 0.75):
            shift = rng.uniform(-0.12, 0.12, 2)
            turn = rng.choice([0, np.pi / 2]) if table.width < 1.1 else 0.0
            placed = room.place(table, x + 0.25 + shift[0], y - 0.9 + shift[1], turn, margin=0.25)
            if placed is not None:
                seat_around(room, placed, "chair", int(rng.integers(2, 5)), 0.16)
    add_windows(room, 2, EAST, curtains=0.5)
    for kind in ("potted_plant", "potted_plant", "menu_board", "sideboard"):
        room.along(kind, ahead=0.0, tries=20)
    add_pictures(room, int(rng.integers(3, 6)))
    add_ceiling_lamps(room, "ceiling_lamp", 2, 2)


def gym(room: Room) -> None:
    """Treadmills along a wall, mirrors, wall bars and lockers, benches and machines between mats."""
    rng = room.rng
    make_shell(room, "rough" if rng.random() < 0.5 else "warm", (2.8, 3.6), corner=0.2)
    add_door(room, "double_door", SOUTH)
    machine = room.piece("treadmill", matched=True)
    for t in _grid(room.wall_length(EAST), machine.width + 0.35, 0.9):
        kind = "treadmill" if rng.random() < 0.7 else "exercise_bike"
        x, y, angle = room.at_wall(EAST, t, 1.15)
        room.place(room.piece(kind, matched=True), x, y, angle, margin=0.1)
    mirror = room.piece("mirror", matched=True)
    for t in _grid(room.wall_length(NORTH), mirror.width + 0.03, mirror.width):
        room.hang(mirror, 0.5, NORTH, t, clear=0.0)
    for wall, kind in ((NORTH, "dumbbell_rack"), (WEST, "wall_bars"), (WEST, "wall_bars"), (SOUTH, "locker")):
        room.along(kind, wall, ahead=0.5, tries=20, matched=True)
    for kind in (
        "weight_bench",
        "weight_bench",
        "multi_gym",
        "punching_bag",
        "multi_gym",
        "exercise_bike",
        "exercise_bike",
    ):
        for _ in range(10):
            x, y = rng.uniform(-0.5, 0.5, 2) * (room.width - 1.5, room.depth - 1.5)
            if room.place(room.piece(kind, matched=True), x, y, rng.choice([0, np.pi / 2, np.pi]), margin=0.35):
                break
    for _ in range(int(rng.integers(3, 6))):
        x, y = rng.uniform(-0.5, 0.5, 2) * (room.width - 1, room.depth - 2)
        room.place(room.piece("gym_mat"), x, y, rng.choice([0, np.pi / 2]), margin=0.2)
    for _ in range(int(rng.integers(2, 5))):
        room.along("gym_ball", ahead=0.0)
    room.along("water_cooler", ahead=0.0)
    add_pictures(room, int(rng.integers(2, 5)), "poster")
    room.hang("wall_clock", 2.2)
    add_windows(room, 2, SOUTH)
    add_ceiling_lamps(room, "tube_light", 2, 2)
