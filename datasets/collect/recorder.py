"""Episodes of an environment into the arrays of a shard, allocated once and filled row by row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import gymnasium
import numpy as np

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import kind_of
from embodied_ssl.datasets.schema import Field

Observation = dict[str, np.ndarray]
Policy = Callable[[Observation], np.ndarray]

_FLOW_LIMIT_PX = 65504.0  # the largest float16


class Describes(Protocol):
    """What the recorder asks of an environment besides Gymnasium's own interface."""

    def describe(self) -> dict[str, Any]:
        """The episode's scene, camera and objects."""


class Recorder:
    """The arrays of one shard while its episodes are played.

    Allocated for `episodes` of at most `episode_rows` rows each when the first observation shows its size; those that
    end early leave it partly used, and `arrays` returns what was filled. `tell` is told of the number of rows whenever
    there is another.
    """

    def __init__(
        self,
        kind: str,
        options: set[str],
        episodes: int,
        episode_rows: int,
        tell: Callable[[int], None] | None = None,
        cameras: Sequence[str] = (),
    ):
        self.kind = kind
        self._declared = kind_of(kind)
        self._tell = tell
        self.fields = self._declared.fields_for(options, cameras)
        self._steps: dict[str, list[np.ndarray]] = {  # of trajectories, by path
            path: [] for path, field in self.fields.items() if field.table == "steps"
        }
        self.rows = 0
        self._capacity, self._episode_rows = episodes * episode_rows, episode_rows
        self._rows_of: dict[str, np.ndarray] = {}  # by name, without the group
        self._episodes: list[tuple[int, int, int, int, int, int]] = []
        self._scenes: dict[str, int] = {}
        self._objects: list[tuple[int, dict[str, Any]]] = []
        self._camera: dict[str, np.ndarray] = {}

    def episode(self, env: gymnasium.Env[Any, Any], policy: Policy, seed: int, rng: np.random.Generator) -> None:
        """Play one episode to its end and store it. `rng` is the policy's."""
        try:
            observation, info = env.reset(seed=seed)
            if hasattr(policy, "reset"):
                policy.reset(env, rng)
        except (ValueError, OSError) as error:  # such as a mesh file of one's own that holds nothing
            raise DataError(f"{self.kind}: {error}") from error
        description = env.unwrapped.describe()  # type: ignore[attr-defined]
        objects_start = len(self._objects)
        self._objects += [(len(self._episodes), one) for one in description["objects"]]
        self._see_camera(description)
        first = self.rows
        if self._declared.is_video:
            self._video(env, policy, observation, info)
        else:
            rows = {int(one["index"]): objects_start + i for i, one in enumerate(description["objects"])}
            self._interactions(env, policy, observation, rows)
        scene = self._scene(description["scene"])
        count = len(self._objects) - objects_start
        self._episodes.append((first, self.rows - first, seed, scene, objects_start, count))

    def _scene(self, name: str) -> int:
        """The row of a scene type in `scenes`."""
        return self._scenes.setdefault(name, len(self._scenes))

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array of the shard by its path."""
        rows = {f"{self._declared.rows}/{name}": array[: self.rows] for name, array in self._rows_of.items()}
        rows |= {path: np.concatenate(parts) for path, parts in self._steps.items()}
        return {path: rows[path] if path in rows else self._table(field) for path, field in self.fields.items()}

    def _video(self, env: gymnasium.Env[Any, Any], policy: Policy, observation: Observation, info: dict) -> None:
        """The motion that an observation reports led to it; the row before gets it, as the motion to come."""
        if not self._rows_of:
            self._allocate(observation["rgb"], A=len(observation["motor"]))
        store, flow = self._rows_of, self._rows_of.get("flow")
        layers = [name for name in ("rgb", "depth", "instance") if name in store]
        told = [name for name in store if name not in (*layers, "motor", "command", "flow")]  # in `info`
        over = self._episode_rows == 1  # the frame of `reset` is all there is
        while True:
            row = self._next_row()
            for name in layers:
                store[name][row] = observation[name]
            for field in told:
                store[field][row] = self._scene(info[field]) if field == "scene" else info[field]
            if over:
                break
            visit = info.get("visit")
            observation, _, terminated, truncated, info = env.step(policy(observation))
            over = terminated or truncated
            store["motor"][row] = observation["motor"]
            store["command"][row] = info["command"]
            if flow is not None:
                flow[row] = np.clip(info["flow"], -_FLOW_LIMIT_PX, _FLOW_LIMIT_PX)
            if info.get("visit") != visit:  # no motion leads to another scene
                store["motor"][row] = store["command"][row] = np.nan
        store["motor"][row] = store["command"][row] = np.nan
        if flow is not None:
            flow[row] = np.nan

    def _interactions(
        self, env: gymnasium.Env[Any, Any], policy: Policy, before: Observation, rows_of_objects: dict[int, int]
    ) -> None:
        """One row per interaction: the images around it, and the environment's record of it."""
        over, references = False, {field.name: field.refers_to for field in self.fields.values()}
        while not over:
            after, _, terminated, truncated, info = env.step(policy(before))
            over = terminated or truncated
            if "record" not in info:  # it takes further steps
                before = after
                continue
            record = info["record"]
            before, after = info.get("views", (before, after))
            if not self._rows_of:
                sizes = {"T": len(record.get("force", ())), "K": len(record.get("objects_before", ()))}
                self._allocate(before["rgb"], **sizes, G=len(record.get("goal", ())))
            row = self._next_row()
            if self._steps:
                record = record | self._log_steps(info["steps"])
            for name, array in self._rows_of.items():
                if references[name] == "objects":
                    array[row] = rows_of_objects.get(int(record[name]), -1)
                elif name == "episode":
                    array[row] = len(self._episodes)
                elif self.fields[f"{self._declared.rows}/{name}"].image:
                    layer, _, when = name.rpartition("_")
                    array[row] = {"before": before, "after": after}[when][layer]
                elif name in ("pose_before", "pose_after") and int(record["object"]) < 0:
                    array[row] = np.nan  # of no object
                else:
                    array[row] = record[name]
            before = after

    def _log_steps(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Store the samples of an act, and say where they stand."""
        start = sum(map(len, self._steps["steps/time"]))
        for path, parts in self._steps.items():
            field = self.fields[path]
            parts.append(np.array([sample[field.name] for sample in samples], field.dtype))
        return {"steps_start": start, "steps_length": len(samples)}

    def _allocate(self, image: np.ndarray, **sizes: int) -> None:
        sizes |= {"N": self._capacity, "H": image.shape[0], "W": image.shape[1]}
        for field in self.fields.values():
            if field.table == self._declared.rows:
                self._rows_of[field.name] = np.zeros(field.resolve(sizes), field.dtype)

    def _next_row(self) -> int:
        if self.rows == self._capacity:
            raise DataError(f"{self.kind}: an episode went on for longer than its environment's length says")
        self.rows += 1
        if self._tell is not None:
            self._tell(self.rows)
        return self.rows - 1

    def _see_camera(self, description: dict[str, Any]) -> None:
        camera = {"intrinsics": np.asarray(description["intrinsics"], "f8")}
        if "camera/pose" in self.fields:
            camera["pose"] = np.asarray(description["camera_pose"], "f4")
        for path, field in self.fields.items():
            if path.startswith("camera/intrinsics_"):
                camera[field.name] = np.asarray(description[field.name], "f8")
        if self._camera and any((camera[name] != self._camera[name]).any() for name in camera):
            raise DataError(f"{self.kind}: the camera changes between episodes; a data set has one camera")
        self._camera = camera

    def _table(self, field: Field) -> np.ndarray:
        """An array of `episodes`, `scenes`, `objects` or `camera`."""
        if field.table == "camera":
            return self._camera[field.name]
        if field.table == "scenes":
            return _texts(list(self._scenes), field)
        if field.table == "episodes":
            column = ("start", "length", "seed", "scene", "objects_start", "objects_count").index(field.name)
            return np.array([episode[column] for episode in self._episodes], field.dtype)
        values: list[Any] = [episode if field.name == "episode" else one[field.name] for episode, one in self._objects]
        if field.dtype.startswith("S"):
            return _texts(values, field)
        return np.array(values, field.dtype).reshape(field.resolve({"O": len(values)}))


def _texts(values: list[str], field: Field) -> np.ndarray:
    """Texts as bytes of fixed width; a longer one is refused rather than cut."""
    encoded = [value.encode() for value in values]
    width = np.dtype(field.dtype).itemsize
    if long := [text for text in encoded if len(text) > width]:
        raise DataError(f"{field.path}: '{long[0].decode()}' is longer than {width} bytes")
    return np.array(encoded, field.dtype)
