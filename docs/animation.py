"""Draws the animation of the README: a body roams with its map; an arm grasps, pushes, pokes and feels the force.

python docs/animation.py
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "benchmarks")]

from peers import draw_arm  # noqa: E402

from embodied_ssl.envs.bodies.gripper import FINGER_M, ROUND_M  # noqa: E402
from embodied_ssl.envs.bodies.panda import Panda  # noqa: E402
from embodied_ssl.envs.grasp import GraspEnv  # noqa: E402
from embodied_ssl.envs.poke import POKE_SAMPLES, PokeEnv  # noqa: E402
from embodied_ssl.envs.policies.exploration import Explore  # noqa: E402
from embodied_ssl.envs.policies.table import Antipodal, PokeObjects, PushThrough  # noqa: E402
from embodied_ssl.envs.push import PushEnv  # noqa: E402
from embodied_ssl.envs.roam import RoamEnv  # noqa: E402
from embodied_ssl.envs.table import TableEnv  # noqa: E402
from embodied_ssl.envs.world.assets import Asset, Part, Texture  # noqa: E402
from embodied_ssl.envs.world.camera import Camera, look_at  # noqa: E402
from embodied_ssl.envs.world.floor import CELL_M  # noqa: E402
from embodied_ssl.envs.world.geometry.mesh import make_mesh  # noqa: E402
from embodied_ssl.envs.world.materials import MATERIALS  # noqa: E402

Picture = NDArray[np.uint8]
Record = dict[str, Any]
SIDE, GAP, FRAMES, HELD, PERIOD_MS = 212, 8, 60, 12, 75
INK, ORANGE, GREY, PAPER = (32, 36, 42), (226, 87, 12), (170, 176, 184), (255, 255, 255)
AWAY_M, ABOVE_M = 0.36, 0.17  # of the camera beside the table, from where the tip is to act
HEAD = 26  # px above the columns
SCENE, SEED = "living_room", 5
EVERY = 4  # steps of the physics from one image of an arm to the next


def roaming() -> list[tuple[Picture, Picture]]:
    """What the body sees, and where it is."""
    env, policy = RoamEnv(size=SIDE, antialias=3, length=FRAMES + 1), Explore()
    observation, info = env.reset(seed=SEED, options={"scene": SCENE})
    policy.reset(env, np.random.default_rng(0))
    poses, seen = [info["pose"]], [observation["rgb"]]
    while len(seen) < FRAMES:
        observation, _, _, _, info = env.step(policy(observation))
        poses.append(info["pose"])
        seen.append(observation["rgb"])
    return [(rgb, _map(env, poses[: i + 1])) for i, rgb in enumerate(seen)]


def _map(env: RoamEnv, poses: list[NDArray[np.float32]]) -> Picture:
    """The floor from above, its free parts light; the way of the body, and where it looks."""
    free = np.where(env.floor.grid[..., None] > 0, PAPER, (206, 211, 217)).astype(np.uint8)
    scale = SIDE / max(free.shape[:2])
    height, width = (round(scale * side) for side in free.shape[:2])
    image = Image.new("RGB", (SIDE, SIDE), (206, 211, 217))
    corner = (SIDE - width) // 2, (SIDE - height) // 2
    image.paste(Image.fromarray(free[::-1]).resize((width, height), Image.Resampling.BOX), corner)
    pen = ImageDraw.Draw(image, "RGBA")

    def on_map(place: NDArray[np.floating]) -> tuple[float, float]:
        x, y = (place[:2] - env.floor.origin) / CELL_M * scale
        return corner[0] + float(x), corner[1] + height - float(y)

    here, ahead = poses[-1][:3, 3], poses[-1][:3, 2]
    around = np.arctan2(ahead[1], ahead[0]) + np.linspace(-0.6, 0.6, 9)
    cone = [on_map(here[:2] + 1.1 * np.array([np.cos(a), np.sin(a)])) for a in around]
    pen.polygon([on_map(here), *cone], fill=(*ORANGE, 70))
    if len(poses) > 1:
        pen.line([on_map(pose[:3, 3]) for pose in poses], fill=ORANGE, width=3, joint="curve")
    x, y = on_map(here)
    pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=ORANGE)
    return np.asarray(image)


def filmed(env: TableEnv, action: NDArray[np.float32], yaw: float) -> list[Picture]:
    """An interaction seen across the fingers, which close along `yaw`, until what was lifted is at the top."""
    place = env.point_at(env.interaction_of(action)[:2])
    side = max(((np.sin(yaw), -np.cos(yaw)), (-np.sin(yaw), np.cos(yaw))), key=lambda way: way[0] - 0.3 * way[1])
    eye = place + [AWAY_M * side[0], AWAY_M * side[1], ABOVE_M]
    camera, pose = Camera.from_fov(SIDE, SIDE, 0.85), look_at(eye, place + [0, 0, 0.03])
    heights: list[float] = []
    seen: list[Picture] = []
    step, counted = env.world.step, 0

    def stepping(count: int = 1) -> None:
        nonlocal counted
        for _ in range(count):
            step()
            if counted % EVERY == 0 and (height := env.gripper.tip()[2]) < 0.5:
                heights.append(height)
                seen.append(env.world.render(camera, pose).rgb.copy())
            counted += 1

    env.world.step = stepping  # type: ignore[method-assign]
    env.step(action)
    env.world.step = step  # type: ignore[method-assign]
    last = len(seen) if isinstance(env, PokeEnv) else int(np.argmin(heights) + np.argmax(heights[np.argmin(heights) :]))
    return seen[: last + 1]


@dataclass(frozen=True)
class Interaction:
    """The image before, a film of it, its record, the image after."""

    before: Picture
    film: list[Picture]
    record: Record
    after: Picture


def acting(env: TableEnv, policy: Any, first: int, wanted: Callable[[Record], bool]) -> Interaction:
    """The first interaction with a wanted record, on tables drawn by seeds from the first one on."""
    for seed in range(first, first + 200):
        env.reset(seed=seed)
        policy.reset(env, np.random.default_rng(seed))
        action, saved, before = policy({}), env.save(), env.frame.rgb.copy()
        record = env.step(action)[4]["record"]
        if wanted(record):
            after = env.frame.rgb.copy()
            env.restore(saved)
            draw_arm(env)
            if isinstance(env, PokeEnv):
                draw_finger(env)
            return Interaction(before, filmed(env, action, yaw(record)), record, after)
    raise RuntimeError("no table of 200 gave what was wanted")


def draw_finger(env: PokeEnv) -> None:
    """Let the round finger be seen, where the simulation has it: under the hand, link 8."""
    length = FINGER_M[2] - 2 * ROUND_M
    shape = trimesh.creation.capsule(length, ROUND_M)
    places = shape.vertices + [0, 0, Panda.TIP_BELOW_HAND_M - FINGER_M[2] + ROUND_M]
    mesh = make_mesh(places, shape.vertex_normals, np.zeros((len(places), 2)), shape.faces)
    dark = Texture(np.full((4, 4, 3), 60, np.uint8))
    finger = Asset("finger", 0, MATERIALS["rubber"], (Part(mesh, dark),), ())
    env.world.follow(finger, env.gripper.body, 8, structure=True)


def yaw(record: Record) -> float:
    """The closing direction of the fingers about the world's z, which the image's v axis runs against, rad."""
    if "angle" in record:
        return -float(record["angle"])
    way = record["end"] - record["start"] if "end" in record else (1.0, 0.0)
    return float(np.arctan2(way[1], way[0]))


def spread(frames: list[Any]) -> list[Any]:
    """So many of a film, evenly, that it ends a while before the loop begins anew."""
    rows = np.linspace(0, len(frames) - 1, FRAMES - HELD).round().astype(int)
    return [frames[row] for row in [*rows, *[rows[-1]] * HELD]]


def grasping() -> list[tuple[Picture, Picture]]:
    """An arm grasps; from above, where it closes."""
    env = GraspEnv(size=SIDE, antialias=3, body="panda")
    shown = acting(env, Antipodal(), 40, lambda record: bool(record["success"]) and _middle(record))
    (u, v), angle = shown.record["pixel"], float(shown.record["angle"])
    way = 24 * np.array([np.cos(angle), np.sin(angle)])
    plan = _drawn(shown.before, [(u - way[0], v - way[1]), (u + way[0], v + way[1])], ends=True)
    return list(zip(spread(shown.film), [plan] * FRAMES, strict=True))


def pushing() -> list[tuple[Picture, Picture]]:
    """An arm pushes; from above, along which line, and what came of it."""
    env = PushEnv(size=SIDE, antialias=3, body="panda")
    moved = lambda r: _middle(r) and np.linalg.norm(r["pose_after"][:3] - r["pose_before"][:3]) > 0.06  # noqa: E731
    shown = acting(env, PushThrough(), 20, moved)
    line = [tuple(shown.record["start_pixel"]), tuple(shown.record["end_pixel"])]
    below = [_drawn(shown.before, line)] * (FRAMES - HELD) + [_drawn(shown.after, line)] * HELD
    return list(zip(spread(shown.film), below, strict=True))


def poking() -> list[tuple[Picture, Picture]]:
    """An arm pokes; the force that its finger feels."""
    env = PokeEnv(size=SIDE, antialias=3, body="panda")
    soft = lambda r: _middle(r) and 4 < r["force"].max() < 30  # noqa: E731
    shown = acting(env, PokeObjects(), 137, soft)
    felt = [_force(shown.record, min(i * EVERY + 1, POKE_SAMPLES)) for i in range(len(shown.film))]
    return spread(list(zip(shown.film, felt, strict=True)))


def _middle(record: Record) -> bool:
    """Whether it happened about the middle of the table, in full view."""
    return int(record["object"]) > 0 and float(np.abs(np.array(record["pixel"]) - SIDE / 2).max()) < SIDE / 4


def _drawn(picture: Picture, line: list[tuple[float, float]], ends: bool = False) -> Picture:
    """An image with a line in it: with a bar at both ends, or a point at the last."""
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    way = np.subtract(line[-1], line[0])
    across = 7 * np.array([-way[1], way[0]]) / max(float(np.linalg.norm(way)), 1e-6)
    marks = [[np.add(end, across), np.subtract(end, across)] for end in line] if ends else []
    for colour, width in ((PAPER, 6), (ORANGE, 3)):
        for each in (line, *marks):
            pen.line([tuple(map(float, point)) for point in each], fill=colour, width=width)
        if not ends:
            x, y = map(float, line[-1])
            pen.ellipse((x - width, y - width, x + width, y + width), fill=colour)
    return np.asarray(image)


def _force(record: Record, known: int) -> Picture:
    """Force over depth, as far as it is known."""
    image = Image.new("RGB", (SIDE, SIDE), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    depth, force = 1000 * record["depth_travelled"], record["force"]
    left, right, top, bottom = 36, SIDE - 10, 14, SIDE - 38
    across = np.interp(depth, (depth.min(), depth.max()), (left, right))
    down = np.interp(force, (0, 1.1 * force.max()), (bottom, top))
    pen.line([(left, top), (left, bottom), (right, bottom)], fill=GREY, width=1)
    touch = float(np.interp(0, depth, across))
    pen.line([(touch, top), (touch, bottom)], fill=GREY, width=1)
    pen.text(((left + right) / 2, SIDE - 5), "depth below first contact (mm)", INK, font, anchor="ms")
    pen.text((touch, bottom + 4), "0", INK, font, anchor="mt")
    pen.text((right, bottom + 4), f"{depth.max():.0f}", INK, font, anchor="rt")
    pen.text((left - 5, float(down.min())), f"{force.max():.0f} N", INK, font, anchor="rm")
    pen.line(list(zip(across[:known].tolist(), down[:known].tolist(), strict=True)), fill=ORANGE, width=3)
    return np.asarray(image)


def main() -> None:
    """Write worlds.webp beside this file: four bodies side by side, what is seen above and what is recorded below."""
    columns = [roaming(), grasping(), pushing(), poking()]
    names, font = ("roam", "grasp", "push", "poke"), ImageFont.load_default(16)
    width, height = 4 * SIDE + 3 * GAP, HEAD + 2 * SIDE + GAP
    frames = []
    for each in zip(*columns, strict=True):
        sheet = np.full((height, width, 3), 255, np.uint8)
        for column, (above, below) in enumerate(each):
            left = column * (SIDE + GAP)
            sheet[HEAD : HEAD + SIDE, left : left + SIDE], sheet[-SIDE:, left : left + SIDE] = above, below
        image = Image.fromarray(sheet)
        for column, name in enumerate(names):
            ImageDraw.Draw(image).text((column * (SIDE + GAP) + 2, HEAD - 7), name, INK, font, anchor="ls")
        frames.append(image)
    out = HERE / "bodies.webp"
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=PERIOD_MS, loop=0, quality=72, method=6)
    print(out, f"{out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
