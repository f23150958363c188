"""What has wheels: parked cars, bicycles, and a forklift."""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, Skin, face, prism
from embodied_ssl.envs.world.geometry.mesh import lathe, rotation_y
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import (
    chrome,
    dark,
    lacquer,
    plain,
    vivid,
)

METAL, STONE, WOOD, LEAF = (MATERIALS[name] for name in ("metal", "stone", "wood", "leaf"))
BOTH = (-1, 1)


def _car(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A body, a cabin of glass with a roof, wheels, lamps and bumpers; the bonnet points to −y."""
    paint, trim, glass = lacquer(rng, 0.5), dark(), plain(48, 60, 70, gloss=0.8)
    half, length = rng.uniform(0.8, 0.88), rng.uniform(3.7, 4.5)
    y, belt, roof = length / 2, rng.uniform(0.8, 0.92), rng.uniform(1.35, 1.5)
    hood, boot = -y + rng.uniform(0.9, 1.15), y - rng.uniform(0.12, 0.7)
    body = [(-y, 0.25), (y, 0.25), (y, belt - 0.06), (boot, belt), (hood, belt), (-y + 0.05, belt - 0.18), (-y, 0.55)]
    joiner.add(paint, prism(body, 2 * half, 1.0))
    _cabin(joiner, glass, paint, half, (hood, hood + 0.55, boot - 0.35, boot), belt, roof)
    for end in (-y, y):
        joiner.block(trim, (-half, end - 0.04, 0.28), (half, end + 0.04, 0.45))
    front, back = plain(250, 248, 235, emission=0.4), plain(190, 25, 25, emission=0.2)
    for sx in BOTH:
        left, right = sorted((sx * (half - 0.06), sx * (half - 0.34)))
        joiner.panel(front, (left, -y - 0.004, 0.48), (right - left, 0, 0), (0, 0.004, 0.12))
        joiner.panel(back, (right, y + 0.004, 0.6), (left - right, 0, 0), (0, 0, 0.14))
        for wy in (-y + 0.72, y - 0.72):
            wheel(joiner, sx * (half - 0.07), wy, 0.31, 0.17)
    joiner.hull((-half, -y, 0), (half, y, belt))
    joiner.hull((-0.9 * half, hood + 0.2, belt), (0.9 * half, boot, roof))
    return METAL


def _cabin(
    joiner: Joiner,
    glass: Skin,
    paint: Skin,
    half: float,
    ys: tuple[float, float, float, float],
    low: float,
    high: float,
) -> None:
    """A frustum of glass between the belt line and a painted roof, with pillars between doors."""
    y0, y1, y2, y3 = ys
    bottom = [(-half + 0.04, y0), (half - 0.04, y0), (half - 0.04, y3), (-half + 0.04, y3)]
    top = [(-half + 0.18, y1), (half - 0.18, y1), (half - 0.18, y2), (-half + 0.18, y2)]
    for k in range(4):
        n = (k + 1) % 4
        joiner.add(glass, face((*bottom[k], low), (*bottom[n], low), (*top[n], high), (*top[k], high)))
    joiner.add(paint, face(*[(*corner, high) for corner in top]))
    middle = 0.5 * (y1 + y2)
    for sx in BOTH:
        for a, b in ((middle, middle), (y0 + 0.05, y1 + 0.05), (y3 - 0.05, y2 - 0.05)):
            foot, head = (sx * (half - 0.035), a, low), (sx * (half - 0.175), b, high)
            joiner.tube(paint, [foot, head], 0.035, 3)


def _bicycle(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Leans on its stand; the front wheel points to −x."""
    paint, tyre = vivid(rng), dark()
    for x in (-0.52, 0.52):
        angle = np.linspace(0, 2 * np.pi, 11)[:-1]
        ring = np.stack([x + 0.32 * exact.cos(angle), np.zeros(10), 0.33 + 0.32 * exact.sin(angle)], axis=1)
        from_hub = [(x - 0.3, 0, 0.33), (x + 0.3, 0, 0.33)]
        for k in range(10):
            joiner.tube(tyre, [ring[k], ring[(k + 1) % 10]], 0.018, 3)
        joiner.tube(chrome(), from_hub, 0.006, 3)
    seat, crank, head = (0.2, 0, 0.85), (0.08, 0, 0.32), (-0.38, 0, 0.82)
    for path in ((crank, seat), (crank, head), (seat, head), (crank, (0.52, 0, 0.33)), (seat, (0.52, 0, 0.33))):
        joiner.tube(paint, path, 0.018, 4)
    joiner.tube(paint, [(-0.52, 0, 0.33), (-0.36, 0, 0.98)], 0.016, 4)
    joiner.tube(chrome(), [(-0.34, -0.26, 1.0), (-0.36, 0, 0.99), (-0.34, 0.26, 1.0)], 0.014, 4)
    joiner.block(dark(), (0.1, -0.07, 0.86), (0.34, 0.07, 0.92))
    joiner.hull((-0.85, -0.1, 0), (0.85, 0.1, 0.95))
    return METAL


def _forklift(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Mast and forks at the front (−y), a seat under a guard, a counterweight, four wheels."""
    paint, iron = plain(*((230, 165, 25), (205, 70, 35), (70, 120, 70))[rng.integers(3)], gloss=0.3), dark()
    joiner.block(paint, (-0.5, -0.3, 0.2), (0.5, 0.9, 0.7))
    joiner.block(paint, (-0.5, 0.45, 0.7), (0.5, 0.95, 1.05), "bottom")
    joiner.block(iron, (-0.25, 0.05, 0.7), (0.25, 0.45, 0.85), "bottom")
    joiner.block(iron, (-0.25, 0.4, 0.85), (0.25, 0.47, 1.35))
    joiner.posts(iron, [(sx * 0.45, y) for sx in (-1, 1) for y in (-0.2, 0.85)], 0.06, 0.7, 2.05)
    joiner.block(iron, (-0.5, -0.25, 2.05), (0.5, 0.9, 2.1))
    joiner.posts(iron, [(-0.3, -0.42), (0.3, -0.42)], 0.08, 0.05, 2.2)
    for z in (0.5, 1.3, 2.15):
        joiner.block(iron, (-0.34, -0.45, z), (0.34, -0.4, z + 0.06))
    for sign in (-1, 1):
        joiner.block(iron, (sign * 0.25 - 0.05, -1.3, 0.05), (sign * 0.25 + 0.05, -0.44, 0.1))
        for y, r in ((-0.12, 0.26), (0.68, 0.22)):
            wheel(joiner, sign * 0.46, y, r, 0.16)
    joiner.hull((-0.52, -0.48, 0), (0.52, 0.95, 2.1))
    joiner.hull((-0.32, -1.3, 0), (0.32, -0.45, 0.12))
    return METAL


def wheel(joiner: Joiner, x: float, y: float, radius: float, width: float, hub: Skin | None = None) -> None:
    """A tyre with its axle along x, standing on the floor, and a hub cap on the side away from the middle."""
    side = 1 if x > 0 else -1
    tyre = lathe([[0, 0], [radius, 0], [radius, width], [0.62 * radius, width]], 11, 0.5)
    cap = lathe([[0.62 * radius, width], [0.5 * radius, width + 0.012], [0, width + 0.012]], 9, 0.5)
    turn = rotation_y(side * np.pi / 2)
    place = (x - side * width / 2, y, radius)
    joiner.add(plain(28, 28, 30, gloss=0.05), tyre.transformed(place, turn))
    joiner.add(hub or chrome(), cap.transformed(place, turn))


VEHICLES: dict[str, Maker] = {
    "forklift": _forklift,
    "parked_car": _car,
    "bicycle": _bicycle,
}
