"""One PyBullet client: what stands in the world, how it moves, and the images taken of it."""

import os
import tempfile
import weakref
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Light, Placement, Scene
from embodied_ssl.envs.world.camera import Camera
from embodied_ssl.envs.world.drawing import STILL, Drawing, Drawn
from embodied_ssl.envs.world.engine import Scratch, pybullet
from embodied_ssl.envs.world.poses import matrices_of
from embodied_ssl.envs.world.raster.frames import Frame, Item
from embodied_ssl.envs.world.raster.renderers import make_renderer
from embodied_ssl.envs.world.textures.families import image_textures

MOST_INSTANCES = 255  # instance ids are uint8, and 0 is the background
ROBOT = 255  # the id of the robot in images that show it
MOST_LINKS = 100  # links of one PyBullet body; it takes 127
MOST_BOXES = 16  # of one PyBullet shape; it drops any more without a word


class World:
    """A PyBullet DIRECT client that owns assets, stepping and images.

    Nothing survives `reset`: what is added and stepped after it depends on nothing before it, so one seed gives the
    same physics and pixels bit for bit, in any process and any order.
    """

    def __init__(
        self,
        renderer: str = "raster",
        shadows: bool = True,
        antialias: int = 2,
        time_step: float = 1 / 240,
        iterations: int = 50,
        textures: str = "",
        gui: bool = False,
    ):
        """An empty world.

        Args:
            renderer: raster or tiny.
            shadows: draw shadows.
            antialias: samples per pixel and axis.
            time_step: of the physics, s.
            iterations: of the contact solver.
            textures: a folder of images that everything wears instead of its own; empty: none.
            gui: show PyBullet's window. A process has one at most.

        Raises ValueError for a setting that is none.
        """
        self.time_step, self.iterations = time_step, iterations
        self._pictures = image_textures(textures) if textures else ()
        self._dressed: weakref.WeakKeyDictionary[Asset, Asset] = weakref.WeakKeyDictionary()
        self._make_renderer = partial(make_renderer, renderer, shadows, antialias)
        self._scratch = Scratch()
        self._hull_files: weakref.WeakKeyDictionary[Asset, dict[tuple[int, ...], str]] = weakref.WeakKeyDictionary()
        self.gui = gui
        self.client = _connect(gui)
        self._disconnect = weakref.finalize(self, pybullet.disconnect, self.client)  # if nobody closes it
        self._drawing = Drawing(self._make_renderer(), self.client)
        self._drawing_with_robot: Drawing | None = None  # made when it is asked for
        self.reset()

    def reset(self, light: Light | None = None) -> None:
        """Empty the world. It has gravity, and nothing else."""
        pybullet.resetSimulation(physicsClientId=self.client)
        pybullet.setGravity(0, 0, -9.81, physicsClientId=self.client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=self.time_step,
            numSolverIterations=self.iterations,
            deterministicOverlappingPairs=1,
            physicsClientId=self.client,
        )
        self.light = light or Light()
        self.steps = 0  # of the physics so far
        self.before_step: Callable[[], None] | None = None  # is called before each of them
        self.assets: dict[int, Asset] = {}
        self._drawing.clear()
        self._robot: list[Drawn] = []  # what only images that show the robot show
        self._robot_is_drawn = False
        self._body_of_instance: dict[int, int] = {}
        self._row_of_instance: dict[int, int] = {}
        self.upright_boxes: set[tuple[int, int]] = set()  # (body, link) of those that hold nothing else

    def add_scene(self, scene: Scene, structure: bool = False) -> None:
        """Set up a scene in an empty world, with its light; instance ids follow the order of its placements.

        structure: whether all of it counts as such, and has no instance ids.
        """
        self.light = scene.light
        resting = [placement for placement in scene.placements if placement.asset.mass == 0]
        owners = self._make_static_bodies(resting)
        for placement in scene.placements:
            asset, position, quaternion = placement.asset, placement.position, placement.quaternion
            unnamed = structure or placement.structure
            if asset.mass > 0:
                self.add(asset, position, quaternion, unnamed)
            else:
                instance = 0 if unnamed else self._register(asset, owners.get(id(placement), -1))
                self._append(Drawn(Item(asset, instance), STILL, position, quaternion))

    def add(
        self,
        asset: Asset,
        position: ArrayLike = (0, 0, 0),
        quaternion: ArrayLike = (0, 0, 0, 1),
        structure: bool = False,
    ) -> int:
        """Place an asset and return its instance id, 1 to 255 (structure: 0). position: m; quaternion: (x, y, z, w)."""
        place, turn = np.asarray(position, float).tolist(), np.asarray(quaternion, float).tolist()
        body = self._make_body(asset, place, turn) if asset.hulls else -1
        instance = 0 if structure else self._register(asset, body)
        self._append(Drawn(Item(asset, instance), (body, -1) if asset.mass > 0 else STILL, place, turn))
        return instance

    def follow(self, asset: Asset, body: int, link: int = -1, structure: bool = False) -> int:
        """Draw an asset wherever a PyBullet body's link is; return its instance id, 0 for structure."""
        instance = 0 if structure else self._register(asset, body)
        self._append(Drawn(Item(asset, instance), (body, link)))
        return instance

    def add_to_robot(
        self, asset: Asset, body: int = -1, link: int = -1, position: ArrayLike = (0, 0, 0), robot: bool = True
    ) -> None:
        """Draw an asset in images that show the robot: where a link is or, without a body, at a position (m).

        robot: whether it is of the robot itself, and has its id; else it is background.
        """
        place = np.asarray(position, float).tolist()
        self._robot.append(Drawn(Item(asset, ROBOT if robot else 0), (body, link), place))
        self._robot_is_drawn = False

    def _register(self, asset: Asset, body: int) -> int:
        instance = len(self.assets) + 1
        if instance > MOST_INSTANCES:
            raise ValueError(f"a world holds at most {MOST_INSTANCES} objects; mark walls and floors as structure")
        self.assets[instance] = asset
        self._body_of_instance[instance] = body
        return instance

    def _append(self, one: Drawn) -> None:
        asset, instance = one.item.asset, one.item.instance
        if instance:
            self._row_of_instance[instance] = len(self._drawing.drawn)
        self._drawing.add(one._replace(item=Item(self._dress(asset), instance)) if self._pictures else one)
        self._robot_is_drawn = False

    def _dress(self, asset: Asset) -> Asset:
        """The asset in images of the folder: one for each texture, which one follows from what it looked like."""
        if asset not in self._dressed:
            parts = []
            for part in asset.parts:
                number = zlib.crc32(part.texture.image.tobytes()) % len(self._pictures)
                parts.append(replace(part, texture=self._pictures[number]))
            self._dressed[asset] = replace(asset, parts=tuple(parts))
        return self._dressed[asset]

    def _make_body(self, asset: Asset, position: Sequence[float], quaternion: Sequence[float]) -> int:
        shape = self._hull_shape(asset, range(len(asset.hulls)))
        body = pybullet.createMultiBody(
            asset.mass,
            shape,
            -1,
            position,
            quaternion,
            useMaximalCoordinates=True,  # plain rigid bodies: six times faster at rest than one-link multibodies
            flags=pybullet.URDF_ENABLE_SLEEPING,  # what rests costs nothing, and wakes when touched
            physicsClientId=self.client,
        )
        material = asset.material
        pybullet.changeDynamics(
            body,
            -1,
            lateralFriction=material.friction,
            restitution=material.restitution,
            physicsClientId=self.client,
        )
        return body

    def _hull_shape(self, asset: Asset, numbers: Sequence[int]) -> int:
        """Some of an asset's convex hulls as one shape, from a file that is written once.

        PyBullet takes several hulls as one shape from files only; and each shape made from vertices handed over leaks
        8 kB for good, while those from files leak nothing.
        """
        paths = self._hull_files.setdefault(asset, {})
        key = tuple(numbers)
        if key not in paths:
            handle, paths[key] = tempfile.mkstemp(".obj", dir=self._scratch.path)
            with os.fdopen(handle, "w") as file:
                file.write(_as_obj([asset.hulls[number] for number in key]))
        return pybullet.createCollisionShape(pybullet.GEOM_MESH, fileName=paths[key], physicsClientId=self.client)

    def _make_static_bodies(self, placements: Sequence[Placement]) -> dict[int, int]:
        """Bodies for objects that never move, by id(placement). Links of a few bodies: ten times faster to make."""
        boxes, links = [], []
        owners: list[Sequence[Placement]] = []  # of each link
        for placement in placements:
            upright = placement.quaternion[0] == placement.quaternion[1] == 0
            for number, box in enumerate(placement.asset.boxes):
                if box and upright:
                    boxes.append((placement, *box))
                else:
                    shape = self._hull_shape(placement.asset, [number])
                    links.append((shape, placement.position, placement.quaternion))
                    owners.append([placement])
        first_of_boxes = len(links)
        for start in range(0, len(boxes), MOST_BOXES):
            several, middles, halves = zip(*boxes[start : start + MOST_BOXES], strict=True)
            links.append((self._box_shape(several, middles, halves), (0, 0, 0), (0, 0, 0, 1)))
            owners.append(several)
        owner: dict[int, int] = {}
        for start in range(0, len(links), MOST_LINKS):
            shapes, positions, quaternions = zip(*links[start : start + MOST_LINKS], strict=True)
            count = len(shapes)
            body = pybullet.createMultiBody(
                0,
                linkMasses=[0] * count,
                linkCollisionShapeIndices=shapes,
                linkVisualShapeIndices=[-1] * count,
                linkPositions=positions,
                linkOrientations=quaternions,
                linkInertialFramePositions=[[0, 0, 0]] * count,
                linkInertialFrameOrientations=[[0, 0, 0, 1]] * count,
                linkParentIndices=[0] * count,
                linkJointTypes=[pybullet.JOINT_FIXED] * count,
                linkJointAxis=[[0, 0, 1]] * count,
                physicsClientId=self.client,
            )
            self.upright_boxes |= {(body, link) for link in range(max(first_of_boxes - start, 0), count)}
            owner |= {id(placement): body for group in owners[start : start + MOST_LINKS] for placement in group}
        return owner

    def _box_shape(
        self, placements: Sequence[Placement], middles: Sequence[NDArray[Any]], halves: Sequence[NDArray[Any]]
    ) -> int:
        """Boxes of upright objects, each upright in the frame of its object, as one shape in the world's."""
        quaternions = [placement.quaternion for placement in placements]
        frames = matrices_of([placement.position for placement in placements], quaternions)
        places = exact.moved(frames, np.array(middles))
        return pybullet.createCollisionShapeArray(
            shapeTypes=[pybullet.GEOM_BOX] * len(placements),
            halfExtents=np.array(halves).tolist(),
            collisionFramePositions=places.tolist(),
            collisionFrameOrientations=quaternions,
            physicsClientId=self.client,
        )

    def body(self, instance: int) -> int:
        """The PyBullet body of an object; −1 for a ghost, which nothing touches."""
        return self._body_of_instance[instance]

    def worn(self, instance: int) -> Asset:
        """An object as it is drawn, in images of the folder of textures where there is one."""
        return self._drawing.drawn[self._row_of_instance[instance]].item.asset

    def pose(self, instance: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position [3] (m) and quaternion (x, y, z, w) of an object."""
        position, quaternion = self._drawing.pose(self._row_of_instance[instance])
        return np.array(position, float), np.array(quaternion, float)

    def set_pose(self, instance: int, position: ArrayLike, quaternion: ArrayLike) -> None:
        """Put an object that can move somewhere, at rest. position: m; quaternion: (x, y, z, w)."""
        pybullet.resetBasePositionAndOrientation(self.body(instance), position, quaternion, physicsClientId=self.client)

    def speed(self, instance: int) -> float:
        """Of an object, m/s, and a tenth of its turning, rad/s."""
        linear, turning = pybullet.getBaseVelocity(self.body(instance), physicsClientId=self.client)
        return float(exact.hypot(*linear) + 0.1 * exact.hypot(*turning))

    def rest(self, instance: int) -> None:
        """Let an object that can move cost nothing until something touches it."""
        pybullet.changeDynamics(
            self.body(instance), -1, activationState=pybullet.ACTIVATION_STATE_SLEEP, physicsClientId=self.client
        )

    def step(self, count: int = 1) -> None:
        """Advance physics by `count` time steps."""
        for _ in range(count):
            if self.before_step is not None:
                self.before_step()
            pybullet.stepSimulation(physicsClientId=self.client)
            self.steps += 1

    def render(self, camera: Camera, pose: ArrayLike, robot: bool = False) -> Frame:
        """The image from a camera at a camera-to-world pose [4, 4]; on request with the robot and what is around it."""
        return self.render_all([(camera, pose)], robot)[0]

    def render_all(self, views: Sequence[tuple[Camera, ArrayLike]], robot: bool = False) -> list[Frame]:
        """The images from several cameras at once: where things are is asked for once, and so is their shadow."""
        return (self._with_robot() if robot else self._drawing).draw(views, self.light)

    def _with_robot(self) -> Drawing:
        if self._drawing_with_robot is None:
            self._drawing_with_robot = Drawing(self._make_renderer(), self.client)
        if not self._robot_is_drawn:
            self._drawing_with_robot.clear()
            for one in (*self._drawing.drawn, *self._robot):
                self._drawing_with_robot.add(one)
            self._robot_is_drawn = True
        return self._drawing_with_robot

    def close(self) -> None:
        """Give back the client; closing twice is harmless."""
        if self.client >= 0:
            self._disconnect()
            self.client = -1
            for drawing in (self._drawing, self._drawing_with_robot):
                if drawing is not None:
                    drawing.renderer.close()
            self._scratch.drop()


def _connect(gui: bool) -> int:
    """A client of PyBullet. Raises ValueError where there is no window to be had."""
    if gui and not os.environ.get("DISPLAY"):
        raise ValueError("gui: there is no display (DISPLAY is not set); leave it out, or use xvfb-run")
    try:
        client = pybullet.connect(pybullet.GUI if gui else pybullet.DIRECT)
    except pybullet.error as error:
        raise ValueError(f"gui: PyBullet has one window in a process, and no other can be opened ({error})") from error
    if gui:
        pybullet.configureDebugVisualizer(pybullet.COV_ENABLE_GUI, 0, physicsClientId=client)
    return int(client)


def _as_obj(hulls: Sequence[NDArray[np.float32]]) -> str:
    """Convex hulls as the text of an .obj file, one object each; faces only have to name each vertex once."""
    lines, first = [], 1
    for number, hull in enumerate(hulls):
        lines.append(f"o {number}")
        last = len(hull) - 1
        lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in hull.tolist()]
        faces = [[first + min(k + corner, last) for corner in range(3)] for k in range(0, len(hull), 3)]
        lines += [f"f {a} {b} {c}" for a, b, c in faces]
        first += len(hull)
    return "\n".join(lines) + "\n"
