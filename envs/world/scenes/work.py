"""How working places and passages are furnished: corridor, warehouse, workshop, garage."""

import numpy as np

from embodied_ssl.envs.world.scenes.interiors import add_ceiling_lamps, add_door, add_pictures, make_shell
from embodied_ssl.envs.world.scenes.rooms import EAST, NORTH, SOUTH, WEST, Room


def corridor(room: Room) -> None:
    """Long and narrow, with doors on both sides."""
    rng = room.rng
    make_shell(
        room,
        "washable" if rng.random() < 0.7 else "warm",
        (2.4, 2.9),
        dado="tile" if rng.random() < 0.3 else None,
        corner=0.0,
    )
    sides, ends = ((NORTH, SOUTH), (EAST, WEST)) if room.width > room.depth else ((EAST, WEST), (NORTH, SOUTH))
    door = room.piece("door", matched=True)
    length = room.wall_length(sides[0])
    for wall in sides:
        pitch = rng.uniform(2.2, 3.0)
        for t in np.arange(-length / 2 + rng.uniform(0.8, 1.6), length / 2 - 0.7, pitch):
            room.hang(door, 0.0, wall, float(t), ahead=0.5)
    for wall in ends:
        room.hang(
            "double_door" if rng.random() < 0.7 else "wide_window",
            0.0 if rng.random() < 0.7 else 0.9,
            wall,
            0.0,
            ahead=0.5,
        )
    for kind in (
        "locker",
        "radiator",
        "bench",
        "potted_plant",
        "paper_bin",
        "water_cooler",
        "radiator",
        "locker",
        "chair",
    ):
        if rng.random() < 0.8:
            room.along(kind, int(rng.choice(sides)), ahead=0.0, tries=20)
    for _ in range(int(rng.integers(2, 4))):
        room.hang("notice_board", 1.1, int(rng.choice(sides)))
    add_pictures(room, int(rng.integers(4, 9)), "poster" if rng.random() < 0.6 else "picture")
    room.hang("wall_clock", 2.0)
    lengthwise = room.width > room.depth
    count = int(length / 2.5)
    add_ceiling_lamps(room, "tube_light", *((1, count) if lengthwise else (count, 1)))


def warehouse(room: Room) -> None:
    """High racks along walls and in rows, a roller door, a forklift among pallets, barrels and cartons."""
    rng = room.rng
    make_shell(room, "rough", (4.4, 5.2), corner=0.15)
    room.hang("roller_door", 0.0, SOUTH, rng.uniform(-0.3, 0.1) * room.width, ahead=1.5)
    add_door(room, wall=SOUTH)
    rack = room.piece("pallet_rack")
    pitch = rack.width + 0.02
    for wall in (NORTH, EAST):
        count = int((room.wall_length(wall) - 0.3) / pitch)
        for k in range(min(count, 3)):
            if rng.random() < 0.85:
                room.along("pallet_rack", wall, (k - (count - 1) / 2) * pitch, ahead=1.0)
    for y in (-0.5,) if room.depth < 8.5 else (0.6, -2.0):
        for k in range(int((room.width - 4.5) / pitch)):
            room.place(room.piece("pallet_rack"), -0.6 + k * pitch - room.width * 0.15, y, 0.0, margin=0.0)
    room_for = ("forklift", "hand_truck", "pallet", "pallet", "pallet", "pallet", "barrel", "barrel", "ladder")
    for kind in (
        *room_for,
        "crate",
        "crate",
        "crate",
        "cartons",
        "cartons",
        "barrel",
        "pallet",
        "traffic_cone",
        "hand_truck",
    ):
        for _ in range(6):
            x, y = rng.uniform(-0.5, 0.5, 2) * (room.width - 1.2, room.depth - 1.2)
            if room.place(room.piece(kind), x, y, rng.choice([0, np.pi / 2, np.pi]), margin=0.3):
                break
    room.along("desk", ahead=0.7)
    for _ in range(3):
        room.along("cartons", ahead=0.0)
    add_pictures(room, 2, "poster")
    room.hang("vent", room.height - 0.1, WEST)
    add_ceiling_lamps(room, "pendant", 2, 2)


def workshop(room: Room) -> None:
    """Workbenches under tool boards, saws and drill presses, gas cylinders, cabinets."""
    rng = room.rng
    make_shell(room, "rough", (2.8, 3.6))
    add_door(room, wall=SOUTH)
    for wall in (NORTH, WEST, EAST):
        bench = room.piece("workbench")
        for k in range(2):
            t = (k - 0.5) * (bench.width + rng.uniform(0.3, 0.9))
            if rng.random() < 0.6 and room.along("workbench", wall, t, ahead=0.7):
                room.hang("tool_board", 1.25, wall, t)
    for kind in (
        "tool_cabinet",
        "drill_press",
        "parts_shelf",
        "parts_shelf",
        "gas_cylinder",
        "gas_cylinder",
        "ladder",
        "tool_cabinet",
    ):
        room.along(kind, ahead=0.4 if kind != "gas_cylinder" else 0.0, tries=15)
    for kind in ("table_saw", "drill_press", "stool", "stool", "crate", "barrel", "table_saw"):
        for _ in range(6):
            x, y = rng.uniform(-0.5, 0.5, 2) * (room.width - 1.5, room.depth - 1.5)
            if rng.random() < 0.8 and room.place(room.piece(kind), x, y, rng.choice([0, np.pi / 2, np.pi]), margin=0.4):
                break
    for kind in ("cartons", "crate", "paper_bin", "barrel"):
        room.along(kind, ahead=0.0)
    for _ in range(2):
        room.hang("tool_board", 1.2)
        room.hang("window", 1.2)
    room.hang("wall_clock", 2.1)
    add_pictures(room, 2, "poster")
    add_ceiling_lamps(room, "pendant" if rng.random() < 0.5 else "tube_light", 2, 2)


def garage(room: Room) -> None:
    """A car behind its door, a workbench, tyres, bicycles, what is kept there."""
    rng = room.rng
    make_shell(room, "rough", (2.6, 3.2), corner=0.0)
    gate = SOUTH if room.depth >= room.width else WEST
    at = rng.uniform(-0.12, 0.12) * room.wall_length(gate)
    room.hang("garage_door", 0.0, gate, at)
    car = room.piece("parked_car")
    x, y, angle = room.at_wall(gate, at, 0.6 + car.depth / 2)
    room.place(car, x, y, angle + (np.pi if rng.random() < 0.5 else 0.0))
    add_door(room, wall=(gate + 2) % 4)
    for kind in (
        "workbench",
        "tool_cabinet",
        "parts_shelf",
        "parts_shelf",
        "tyres",
        "tyres",
        "tyres",
        "ladder",
        "bicycle",
    ):
        placed = room.along(kind, ahead=0.3 if kind in ("workbench", "tool_cabinet") else 0.0, tries=25)
        if placed is not None and kind == "workbench":
            side = next(w for w in range(4) if np.isclose(placed.angle, (0.0, -np.pi / 2, np.pi, np.pi / 2)[w]))
            room.hang("tool_board", 1.2, side, (placed.x, -placed.y, -placed.x, placed.y)[side])
    for kind in (
        "cartons",
        "cartons",
        "bin",
        "barrel",
        "bicycle",
        "traffic_cone",
        "traffic_cone",
        "crate",
        "gas_cylinder",
    ):
        room.along(kind, ahead=0.0, tries=15)
    for _ in range(2):
        room.hang("wall_shelf", rng.uniform(1.3, 1.6))
    room.hang("tool_board", 1.2)
    room.hang("window", 1.2)
    add_pictures(room, 2, "poster")
    add_ceiling_lamps(room, "tube_light", 2, 2)
