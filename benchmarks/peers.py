"""Against what a user would take: panda-gym's images, and an ego-motion loop as one would write it with PyBullet.

OPENBLAS_NUM_THREADS=1 python benchmarks/peers.py [FOLDER]

Both sides draw in one process on one core, interleaved; rates are by processor time. The ego-motion loop shows the
rooms that ours shows: same objects, triangles and textures. panda-gym is compared where it is installed
(`pip install panda-gym`); GraspEnv takes its images with the arm out of view, so ours is timed as it is and with
the same arm drawn. With FOLDER, images of all sides are written there. Takes some minutes.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
import pybullet
import pybullet_data
from numpy.typing import NDArray
from timing import installed, interleaved, options, table

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.envs.bodies.wheeled import HEIGHT_M, RADIUS_M
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.roam import RoamEnv
from embodied_ssl.envs.table import TRAVEL_MPS
from embodied_ssl.envs.world.assets import Asset, Part, Texture
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.geometry.mesh import make_mesh
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.poses import matrices_of

SCENES = ("living_room", "kitchen", "office", "library")
EPISODE_FRAMES, SIZE = 100, 96
Work = Callable[[], int]


@dataclass(frozen=True)
class Room:
    """A furnished room as files: URDFs with their place [3] (m) and quaternion, and where to start (x, y, heading)."""

    things: list[tuple[str, tuple[float, ...], tuple[float, ...]]]
    start: tuple[float, float, float]


def exported(folder: Path, scene_type: str) -> Room:
    """Write the room of an episode of RoamEnv as .urdf, .obj and .png files."""
    env = RoamEnv(scenes=scene_type, instances=(0, 4))
    env.reset(seed=1)
    files: dict[int, str] = {}
    things = []
    for placement in env.scene.placements:
        asset = placement.asset
        if id(asset) not in files:
            files[id(asset)] = export(folder / f"{scene_type}_{len(files)}", asset)
        things.append((files[id(asset)], placement.position, placement.quaternion))
    triangles = sum(len(part.mesh.triangles) for place in env.scene.placements for part in place.asset.parts)
    furniture = sum(not placement.structure for placement in env.scene.placements)
    print(f"{scene_type}: {furniture} objects, {triangles:,} triangles")
    env.close()
    return Room(things, (*env.position.tolist(), env.heading))


def export(folder: Path, asset: Asset) -> str:
    """Write an asset as a URDF that looks and collides as it does in our world; its path."""
    folder.mkdir()
    elements = []
    for number, part in enumerate(asset.parts):
        export_part(folder, f"part{number}", part)
        elements.append(f'<visual><geometry><mesh filename="part{number}.obj"/></geometry></visual>')
    for number, hull in enumerate(asset.hulls):
        rows = [f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in hull.tolist()]
        faces = [f"f 1 {corner} {corner + 1}" for corner in range(2, len(hull))]  # PyBullet takes the hull of these
        (folder / f"hull{number}.obj").write_text("\n".join(rows + faces))
        elements.append(f'<collision><geometry><mesh filename="hull{number}.obj"/></geometry></collision>')
    inertial = '<inertial><mass value="0"/><inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial>'
    path = folder / "thing.urdf"
    path.write_text(f'<robot name="thing"><link name="base">{inertial}{"".join(elements)}</link></robot>')
    return str(path)


def export_part(folder: Path, name: str, part: Part) -> None:
    """Write `name`.obj, .mtl and .png."""
    mesh = part.mesh
    rows = [f"mtllib {name}.mtl", f"o {name}"]
    rows += [f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in mesh.vertices.tolist()]
    rows += [f"vt {u:.6g} {v:.6g}" for u, v in mesh.uv.tolist()]
    rows += [f"vn {x:.6g} {y:.6g} {z:.6g}" for x, y, z in mesh.normals.tolist()]
    rows.append("usemtl cover")
    rows += ["f " + " ".join(f"{n}/{n}/{n}" for n in face) for face in (mesh.triangles + 1).tolist()]
    (folder / f"{name}.obj").write_text("\n".join(rows) + "\n")
    (folder / f"{name}.mtl").write_text(f"newmtl cover\nKd 1 1 1\nmap_Kd {name}.png\n")
    cv2.imwrite(str(folder / f"{name}.png"), part.texture.image[::-1, :, ::-1])


def loop_as_one_writes_it(file: Path, rooms: list[Room]) -> Work:
    """Each call plays one episode in the next room: load, move, look, append."""
    client = pybullet.connect(pybullet.DIRECT)
    count = 0

    def work() -> int:
        nonlocal count
        room = rooms[count % len(rooms)]
        count += 1
        pybullet.resetSimulation(physicsClientId=client)
        for path, position, quaternion in room.things:
            pybullet.loadURDF(path, position, quaternion, useFixedBase=True, physicsClientId=client)
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_CYLINDER, radius=RADIUS_M, height=HEIGHT_M, physicsClientId=client
        )
        body = pybullet.createMultiBody(1.0, shape, physicsClientId=client)
        pybullet.changeVisualShape(body, -1, rgbaColor=(0, 0, 0, 0), physicsClientId=client)
        rng = np.random.default_rng(count)
        x, y, heading = room.start
        with h5py.File(file, "w") as store:
            picture = (SIZE, SIZE, 3)
            rgb = store.create_dataset(
                "rgb", (0, *picture), "u1", maxshape=(None, *picture), chunks=(1, *picture), compression="gzip"
            )
            pose = store.create_dataset("pose", (0, 3), "f4", maxshape=(None, 3), chunks=(1, 3), compression="gzip")
            for _ in range(EPISODE_FRAMES):
                heading += rng.uniform(-0.2, 0.2)
                ahead = x + 0.08 * np.cos(heading), y + 0.08 * np.sin(heading)
                if collides(client, body, *ahead):
                    heading += 1.0
                else:
                    x, y = ahead
                for dataset, value in ((rgb, looked(client, x, y, heading)), (pose, (x, y, heading))):
                    dataset.resize(len(dataset) + 1, axis=0)
                    dataset[-1] = value
        return EPISODE_FRAMES

    return work


def collides(client: int, body: int, x: float, y: float) -> bool:
    """Whether the body would touch anything at a place, a finger's breadth above the floor."""
    place = x, y, HEIGHT_M / 2 + 0.02
    pybullet.resetBasePositionAndOrientation(body, place, (0, 0, 0, 1), physicsClientId=client)
    pybullet.performCollisionDetection(physicsClientId=client)
    return len(pybullet.getContactPoints(body, physicsClientId=client)) > 0


def looked(client: int, x: float, y: float, heading: float) -> NDArray[np.uint8]:
    """An image with PyBullet's defaults, uint8 [SIZE, SIZE, 3]."""
    target = x + np.cos(heading), y + np.sin(heading), 0.6
    view = pybullet.computeViewMatrix((x, y, 0.6), target, (0, 0, 1))
    lens = pybullet.computeProjectionMatrixFOV(np.rad2deg(1.2), 1, 0.02, 100)
    rgba = pybullet.getCameraImage(SIZE, SIZE, view, lens, physicsClientId=client)[2]
    return np.reshape(rgba, (SIZE, SIZE, 4))[..., :3].astype(np.uint8)


def roam_to_disk(folder: Path, **settings: object) -> Work:
    """Each call collects 24 episodes anew."""

    def work() -> int:
        shutil.rmtree(folder, ignore_errors=True)
        shown = {"scenes": ",".join(SCENES), "instances": (0, 4), "size": SIZE, "length": EPISODE_FRAMES}
        return collect("roam", folder, 24, progress=False, **shown, **settings).rows  # type: ignore[arg-type]

    return work


def compare_roaming(folder: Path, pictures: Path | None) -> None:
    rooms = [exported(folder, scene_type) for scene_type in SCENES]
    loop = loop_as_one_writes_it(folder / "loop.h5", rooms)
    reference = "a loop as one writes it"
    sides = {
        reference: lambda: sum(loop() for _ in rooms),
        "roam, 2×2 samples, shadows": roam_to_disk(folder / "roam"),
        "roam, 1 sample, shadows": roam_to_disk(folder / "plain", antialias=1),
    }
    table(f"ego-motion to disk, {SIZE} px", interleaved(sides, 3, time.process_time), "frames/s", reference)
    if pictures:
        with h5py.File(folder / "loop.h5") as ours, h5py.File(folder / "roam" / "shard-00003.h5") as theirs:
            shown = [
                np.concatenate(file[:: EPISODE_FRAMES // 8][:8], 1) for file in (ours["rgb"], theirs["frames/rgb"])
            ]
        cv2.imwrite(str(pictures / "rooms.png"), np.concatenate(shown)[..., ::-1])


def draw_arm(env: GraspEnv) -> None:
    """Let the arm be seen, by the meshes that panda-gym shows: 103,000 triangles."""
    import trimesh

    client = env.world.client
    whole = pybullet.loadURDF(
        str(Path(pybullet_data.getDataPath(), "franka_panda", "panda.urdf")), (0, 0, 9), physicsClientId=client
    )
    white = Texture(np.full((4, 4, 3), 230, np.uint8))
    for shape in pybullet.getVisualShapeData(whole, physicsClientId=client):
        link, file, turn = shape[1], shape[4].decode(), shape[6]
        loaded = trimesh.load(file, force="mesh", process=False)
        uv = np.zeros((len(loaded.vertices), 2))
        mesh = make_mesh(loaded.vertices, loaded.vertex_normals, uv, loaded.faces)
        mesh = mesh.transformed(rotation=matrices_of((0, 0, 0), turn)[0, :3, :3])
        asset = Asset("panda", link, MATERIALS["plastic"], (Part(mesh, white),), ())
        env.world.follow(asset, env.gripper.body, link, structure=True)
    pybullet.removeBody(whole, physicsClientId=client)


def table_with_a_panda(arm_drawn: bool) -> GraspEnv:
    env = GraspEnv(body="panda", instances=(0, 4))
    env.reset(seed=3)
    if arm_drawn:
        draw_arm(env)
    env.gripper.place([0, 0, 0.2], 0.0, 0.04)
    return env


def panda_gyms_view(env: GraspEnv, size: int) -> NDArray[np.uint8]:
    """Our table from where panda-gym looks by default: 1.4 m away, yaw 45°, pitch −30°, field of view 60°."""
    eye = 1.4 * np.array([np.sqrt(0.375), -np.sqrt(0.375), 0.5])
    return env.world.render(Camera.from_fov(size, size, np.deg2rad(60)), look_at(eye, (0, 0, 0))).rgb


def moved(env: GraspEnv) -> None:
    """The arm goes for 0.04 s along x, as far as panda-gym's goes in a step."""
    x, y, z = env.gripper.tip()
    env.gripper.move([x + (0.04 if x < 0 else -0.04) * TRAVEL_MPS, y, z], TRAVEL_MPS)


def compare_panda(pictures: Path | None) -> None:
    import gymnasium
    import panda_gym  # noqa: F401  (registers its environments)

    bare, drawn = table_with_a_panda(arm_drawn=False), table_with_a_panda(arm_drawn=True)
    for size in (SIZE, 128, 480):
        shown = {"render_mode": "rgb_array", "render_width": size, "render_height": size}
        peer = gymnasium.make("PandaPickAndPlace-v3", **shown).unwrapped  # type: ignore[arg-type]
        peer.reset(seed=3)

        def stepped(peer=peer) -> None:
            peer.step(peer.action_space.sample())
            peer.render()

        def stepped_ours(env: GraspEnv, size=size) -> None:
            moved(env)
            panda_gyms_view(env, size)

        def repeated(call: Callable[[], object], count: int = 16 if size < 200 else 4) -> Work:
            def work() -> int:
                for _ in range(count):
                    call()
                return count

            return work

        reference = "panda-gym: the image alone"
        sides = {
            reference: repeated(peer.render),
            "ours, 8 objects: the image alone": repeated(lambda size=size: panda_gyms_view(bare, size)),
            "ours, and the arm drawn: the image alone": repeated(lambda size=size: panda_gyms_view(drawn, size)),
        }
        title = f"{size} px, ours with shadows and 2×2 samples"
        table(title, interleaved(sides, 7, time.process_time), "pictures/s", reference)
        reference = "panda-gym: 0.04 s of motion and an image"
        sides = {
            reference: repeated(stepped),
            "ours, 8 objects: the same": repeated(lambda: stepped_ours(bare)),
            "ours, and the arm drawn: the same": repeated(lambda: stepped_ours(drawn)),
        }
        table(title, interleaved(sides, 7, time.process_time), "pictures/s", reference)
        if pictures:
            side_by_side = [peer.render(), panda_gyms_view(bare, size), panda_gyms_view(drawn, size)]
            cv2.imwrite(str(pictures / f"panda{size}.png"), np.concatenate(side_by_side, 1)[..., ::-1])
        peer.close()
    bare.close()
    drawn.close()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="for images of all sides")
    pictures = parser.parse_args().folder
    peers = installed("panda_gym")
    folder = Path(tempfile.mkdtemp())
    try:
        if peers:
            compare_panda(pictures)
        compare_roaming(folder, pictures)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
