"""What all environments share: observation spaces, observations from frames, checked actions, tables of objects."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.raster.frames import Frame


def observation_space(size: int, depth: bool, instance: bool, motor_size: int = 0) -> gymnasium.spaces.Dict:
    """The Dict of what a body observes: `rgb`, and on request `depth` (m), `instance` and `motor`."""
    spaces: dict[str, gymnasium.spaces.Space[Any]] = {"rgb": gymnasium.spaces.Box(0, 255, (size, size, 3), np.uint8)}
    if depth:
        spaces["depth"] = gymnasium.spaces.Box(0, 1e6, (size, size), np.float32)
    if instance:
        spaces["instance"] = gymnasium.spaces.Box(0, 255, (size, size), np.uint8)
    if motor_size:
        spaces["motor"] = gymnasium.spaces.Box(-10, 10, (motor_size,), np.float32)
    return gymnasium.spaces.Dict(spaces)


def observe(frame: Frame, depth: bool, instance: bool, motor: ArrayLike | None = None) -> dict[str, NDArray[Any]]:
    """The observation of a frame, as `observation_space` describes it."""
    observation: dict[str, NDArray[Any]] = {"rgb": frame.rgb.copy()}  # the frame stays the environment's own
    if depth:
        observation["depth"] = frame.depth.copy()
    if instance:
        observation["instance"] = frame.instance.copy()
    if motor is not None:
        observation["motor"] = np.asarray(motor, np.float32)
    return observation


def checked_action(action: ArrayLike, space: gymnasium.spaces.Box) -> NDArray[np.float64]:
    """The action [A] as float64, within the space's bounds (motors saturate).

    Raises ValueError if its shape is another or anything in it is not a finite number.
    """
    values = np.asarray(action)
    if values.dtype.kind not in "fiu" or values.shape != space.shape:
        raise ValueError(f"an action is numbers, shape {space.shape}, not {values.dtype} {values.shape}")
    numbers = values.tolist()  # as plain numbers: of so few, NumPy would take three times as long
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"an action is finite numbers, not {numbers}")
    bounds = zip(numbers, space.low.tolist(), space.high.tolist(), strict=True)
    return np.array([min(max(value, low), high) for value, low, high in bounds], float)


def describe_objects(world: World) -> list[dict[str, Any]]:
    """A row for each object of a world as it stands now.

    index (its value in the mask), category, instance, material, position [3] (m), quaternion (x, y, z, w), size [3] (m,
    of its box in its own frame), mass (kg; 0 = it never moves), colour (sRGB, uint8 [3]) and, of its material, density
    (kg/m³), friction, restitution, stiffness (N/m) and damping (N·s/m): the numbers that physics works with.
    """
    rows = []
    for index, asset in world.assets.items():
        position, quaternion = world.pose(index)
        low, high = asset.bounds
        material = asset.material
        rows.append(
            {
                "index": index,
                "category": asset.category,
                "instance": asset.instance,
                "material": material.name,
                "position": position,
                "quaternion": quaternion,
                "size": high - low,
                "mass": asset.mass,
                "density": material.density,
                "friction": material.friction,
                "restitution": material.restitution,
                "stiffness": material.stiffness,
                "damping": material.damping,
                "colour": world.worn(index).colour,
            }
        )
    return rows


def checked_instances(instances: Sequence[int]) -> tuple[int, int]:
    """A range of instances, [first, last); ValueError where it is none."""
    try:
        first, last = (operator.index(value) for value in instances)
    except (TypeError, ValueError):
        first, last = 0, 0
    if not 0 <= first < last:
        raise ValueError(f"instances is a range [first, last) with 0 ≤ first < last, not {instances!r}")
    return first, last
