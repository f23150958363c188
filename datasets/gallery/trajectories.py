"""What a page shows of whole acts: all cameras in step, the way of the gripper on their images, curves of the body."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery.curves import Panel, Signal, curves, rounded
from embodied_ssl.datasets.gallery.episodes import spread
from embodied_ssl.datasets.gallery.interactions import Interactions
from embodied_ssl.datasets.gallery.sheets import COLUMNS, Looks, frames_shown
from embodied_ssl.datasets.read.readers import Dataset

MOST_ACTS = 8
OVERHEAD = ""  # the camera of the images before and after; that of trajectories has a name
_MOST_LOOKED_AT = 2000  # from which they are chosen
_SIDE_PX = 192
_STILL = 1e-4  # that extrinsics of a camera which stands change at most
_FREE = {4: ("x", "z"), 6: ("x", "y", "z", "yaw")}
"""Joints of the gripper without an arm before those of its fingers, by how many there are in all: all but yaw slide."""
_OF_JOINTS, _QUANTITIES = ("joint_position", "joint_velocity", "joint_torque"), ("position", "velocity", "torque")
_LEAST = {"position": 0.02, "velocity": 0.02, "torque": 0.2}  # that charts span, of their units
_UNITS = {
    "rad": ("rad", "rad/s", "N·m"),
    "m": ("m", "m/s", "N"),
    "rad or m": ("rad or m", "rad/s or m/s", "N·m or N"),
}

Act = dict[str, NDArray[Any]]
Reals = NDArray[np.float64]


def acts(interactions: Interactions, budget: int) -> dict[str, Any]:
    """Some acts with all that was logged of them, as the page's script wants them; about `budget` bytes.

    Of as many outcomes as there are, drawn by seed.
    """
    dataset = interactions.dataset
    outcomes = [interactions.outcome(i) for i in range(min(len(interactions.rows), _MOST_LOOKED_AT))]
    chosen = spread(outcomes)[:MOST_ACTS].tolist()
    layers = [name for name in ("rgb", "depth", "instance") if f"interactions/{name}_before" in dataset.fields]
    looks = {view: _looks(dataset, view, interactions.rows[chosen]) for view in (OVERHEAD, *dataset.cameras)}
    shown: list[dict[str, Any]] = []
    used = 0
    for i in chosen:
        act = _act(interactions, i, layers, looks)
        size = len(act["curves"]) + sum(map(len, [*act["sheets"].values(), *act["stills"].values()]))
        if shown and used + size > budget:
            break
        used += size
        shown.append(act)
    some = f"{len(shown)} of {len(dataset):,} interactions, of every outcome alike."
    return {
        "unit": "interaction",
        "speed": 0.5,
        "about": some if len(shown) < len(dataset) else "",
        "layers": layers,
        "cameras": [_camera(dataset, name, looks[name]) for name in dataset.cameras],
        "overhead": dataset.array("interactions/rgb_before").shape[2:0:-1],
        "legends": looks[OVERHEAD].legends(),
        "episodes": shown,
    }


def _camera(dataset: Dataset, name: str, looks: Looks) -> dict[str, Any]:
    height, width = dataset.array(f"steps/images/{name}").shape[1:3]
    layers = [layer for layer in ("depth", "instance") if f"steps/{layer}/{name}" in dataset.fields]
    return {"name": name, "size": (width, height), "layers": layers, "legends": looks.legends()}


def _looks(dataset: Dataset, view: str, rows: NDArray[np.int64]) -> Looks:
    """Ranges of colours for what a camera, or the one of the images before and after, saw of these interactions."""
    if view == OVERHEAD:
        paths = [f"interactions/depth_{when}" for when in ("before", "after")]
    else:
        paths, rows = [f"steps/depth/{view}"], dataset.array("interactions/steps_start")[rows]
    return Looks.of([dataset.array(path)[rows] for path in paths if path in dataset.fields], side=_SIDE_PX)


def _act(interactions: Interactions, i: int, layers: list[str], looks: dict[str, Looks]) -> dict[str, Any]:
    dataset, row = interactions.dataset, int(interactions.rows[i])
    act = dataset.trajectory(row)
    frames = frames_shown(len(act["time"]))
    drawn_before, drawn_after, text = interactions.page.draw(interactions, i)
    sheets = {}
    for name in dataset.cameras:
        for layer, images in (("rgb", "images"), ("depth", "depth"), ("instance", "instance")):
            if f"{images}/{name}" in act:
                sheets[f"{layer}/{name}"] = looks[name].sheet(layer, act[f"{images}/{name}"][frames])
    stills = {
        f"{layer}_{when}": looks[OVERHEAD].still(layer, dataset.array(f"interactions/{layer}_{when}")[row])
        for layer in layers
        for when in ("before", "after")
        if f"interactions/{layer}_{when}" in dataset.fields
    }
    return {
        "number": row,
        "label": f"interaction {row}: {interactions.title(i)}, {text}",
        "note": "",
        "columns": COLUMNS,
        "frame": frames.tolist(),
        "frames": len(act["time"]),
        "time": rounded(act["time"][frames], 3),
        "sheets": sheets,
        "stills": stills,
        "drawn": {"before": drawn_before, "after": drawn_after},
        "ways": {name: rounded(way[frames], 1) for name, way in ways(dataset, act).items()},
        **curves(panels(dataset, act), act["time"], frames),
    }


def ways(dataset: Dataset, act: Act) -> dict[str, Reals]:
    """The gripper on the images of each camera that stands still: tip and ends of both fingers, [P, 6] px.

    (u, v) each, by the logged intrinsics and extrinsics; NaN behind the camera. `before` is the image from above.
    """
    tip, closing = act["tip_pose"][:, :3].astype("f8"), _closing(act["tip_pose"][:, 3:].astype("f8"))
    half = act["width"][:, None] / 2 * closing
    places = np.stack([tip, tip - half, tip + half], 1)  # [P, 3, 3]
    found = {"before": _projected(places, dataset.camera["intrinsics"], dataset.camera["pose"])}
    for name in dataset.cameras:
        pose = act[f"extrinsics/{name}"]
        if np.abs(pose - pose[0]).max() < _STILL:
            found[name] = _projected(places, dataset.camera[f"intrinsics_{name}"], pose[0])
    return found


def _projected(places: Reals, intrinsics: Reals, pose: NDArray[np.floating]) -> Reals:
    """World places [P, K, 3] (m) in an image, [P, 2·K] (u, v) px."""
    pose = pose.astype("f8")
    seen = (places - pose[:3, 3]) @ pose[:3, :3]
    image = seen @ intrinsics.T
    ahead = image[..., 2:] > 1e-6
    pixels = np.where(ahead, image[..., :2] / np.where(ahead, image[..., 2:], 1.0), np.nan)
    return pixels.reshape(len(places), -1)


def _closing(quaternion: Reals) -> Reals:
    """The closing direction, the second axis of the tip, [P, 3], of (x, y, z, w) [P, 4]."""
    x, y, z, w = quaternion.T
    return np.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], 1)


def panels(dataset: Dataset, act: Act) -> list[Panel]:
    """A chart for what the body does, feels and is told, and of each quantity and unit of its joints."""
    tip, told = act["tip_pose"], act["action"]
    found = [
        Panel("Tip", "m", [Signal(name, tip[:, k], told[:, k]) for k, name in enumerate("xyz")], zero=False),
        Panel("Gripper width", "m", [Signal("", act["width"], told[:, 4])], least=0.02),
        Panel("Contact force", "N", _forces(act["contact_force"]), least=1.0),
    ]
    joints = _joints(dataset, act)
    for unit in dict.fromkeys(of for _, of in joints):  # those that turn in one row of the page, those that slide below
        own = {name: place for place, (name, of) in enumerate(joints) if of == unit}
        what = "Finger" if all(name.startswith("finger") for name in own) else "Joint"
        for title, name, said in zip(_QUANTITIES, _OF_JOINTS, _UNITS[unit], strict=True):
            signals = [Signal(label, act[name][:, place]) for label, place in own.items()]
            word = "force" if said == "N" else title
            found.append(Panel(f"{what} {word}", said, signals, name != "joint_position", _LEAST[title]))
    if "reward" in act:
        found.append(Panel("Reward", "of each step", [Signal("", act["reward"])]))
    return found


def _forces(force: NDArray[np.floating]) -> list[Signal]:
    """How strongly each finger is pressed on, of forces [P, F, 3]."""
    return [Signal(f"finger {k + 1}", np.linalg.norm(force[:, k], axis=1)) for k in range(force.shape[1])]


def _joints(dataset: Dataset, act: Act) -> list[tuple[str, str]]:
    """The name of each joint, and what its position is measured in."""
    position, body = act["joint_position"], str(dataset.spec["env"].get("body", ""))
    count = position.shape[1]
    slides = count >= 2 and np.allclose(position[:, -2:].sum(1), act["width"], atol=1e-5)  # the fingers, not a linkage
    arm = count - 2 if slides else count
    fingers = [(f"finger {k + 1}", "m") for k in range(count - arm)]
    if body == "floating" and count in _FREE:
        return [(name, "rad" if name == "yaw" else "m") for name in _FREE[count]] + fingers
    unit = "rad or m" if ":" in body else "rad"
    return [(f"joint {k + 1}", unit) for k in range(arm)] + fingers
