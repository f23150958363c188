"""A directory of shards as one data set: random access by row, and streams of batches.

    dataset = Dataset.open("data/roam")
    dataset.array("frames/rgb")[[3, 14, 15]]          # uint8 [3, H, W, 3]; rows of the whole data set
    pairs = dataset.pairs(max_gap_s=1.0)
    batches = Batches(pairs, batch_size=256, seed=0)
    batches[17]                                       # FramePairs: the batch of step 17, always the same

Opening reads `dataset.json` and nothing else. Shards are mapped into memory when first touched, by each process for
itself; a data set, a stream and `Batches` can be pickled, forked and spawned.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.datasets.errors import AGAIN, DataError, unknown_name
from embodied_ssl.datasets.images.digests import Digests, digests_of
from embodied_ssl.datasets.kinds import Kind, kind_of
from embodied_ssl.datasets.read.motor import OWN, MotorSignals
from embodied_ssl.datasets.read.object_pairs import ObjectPairs
from embodied_ssl.datasets.read.streams import Clips, Images, Interactions, Pairs
from embodied_ssl.datasets.read.tables import Table, text
from embodied_ssl.datasets.read.tracks import Tracks
from embodied_ssl.datasets.schema import Field
from embodied_ssl.datasets.store.manifest import IMAGES, MANIFEST, Manifest, read_manifest
from embodied_ssl.datasets.store.shards import OpenShard
from embodied_ssl.limits import Count

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.captions import Captions

try:
    import resource
except ImportError:  # where there is none, nothing says how many files may be open
    resource = None  # type: ignore[assignment]

MOST_OPEN_SHARDS = 512
_LARGE_ROW_BYTES = 2048  # from here on, copying row by row beats an index array
_ALIGNMENT_BYTES = 64  # a cache line; copying to elsewhere takes more than twice as long on some machines


class Dataset:
    """A data set on disk. Indices into its tables count over all shards."""

    def __init__(self, path: Path, manifest: Manifest):
        self.path = path
        self.manifest = manifest
        self.kind: str = manifest.kind
        self.spec: dict[str, Any] = manifest.spec
        self.fields: dict[str, Field] = manifest.fields
        self._open: dict[int, OpenShard] = {}  # the least recently used first

    @classmethod
    def open(cls, path: Path | str) -> "Dataset":
        """Open the data set in a directory. Raises DataError, which names the file and the remedy."""
        folder = Path(path).expanduser()
        return cls(folder, read_manifest(folder))

    def __len__(self) -> int:
        """Rows: frames of a video kind, interactions of the others."""
        return self.manifest.count("rows")

    def __repr__(self) -> str:
        return f"Dataset({str(self.path)!r}: {len(self):,} {self.declaration.rows} of {self.kind})"

    def _repr_html_(self) -> str:
        """What a notebook shows: how much there is, images, fields, and how it was collected."""
        from embodied_ssl.datasets.gallery.cards import dataset_card

        return dataset_card(self)

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in self.__dict__.items() if name != "declaration"}  # found anew by its name
        return {**own, "_open": {}}

    @cached_property
    def declaration(self) -> Kind:
        """What its kind is declared to be."""
        return kind_of(self.kind)

    @property
    def motor_signals(self) -> tuple[str, ...]:
        """Of a video: the names of the A motor signals with their units, of its kind or its own."""
        return self.declaration.motor_signals or tuple(self.spec.get("signals", ()))

    def array(self, path: str) -> "Array":
        """The field at `path`, such as `frames/rgb`, over all shards. Raises DataError where there is none."""
        if path not in self.fields:
            raise unknown_name(f"field of {self.path}", path, self.fields)
        return Array(self, self.fields[path])

    @property
    def frames(self) -> "Rows":
        """The frames of a video data set: `frames[rows]` gives every field of them."""
        return Rows(self, "frames")

    @property
    def interactions(self) -> "Rows":
        """The interactions of a data set of such: `interactions[rows]` gives every field of them."""
        return Rows(self, "interactions")

    def trajectory(self, interaction: int) -> dict[str, NDArray[Any]]:
        """The whole of an interaction, by name, [P, ...]: `time`, `tip_pose`, `action`, `images/wrist`...

        Raises DataError where none was logged, IndexError where there is no such interaction.
        """
        if "steps/time" not in self.fields:
            raise DataError(f"{self.path}: has no trajectories; collect it with --trajectory")
        start = int(self.array("interactions/steps_start")[interaction])
        rows = slice(start, start + int(self.array("interactions/steps_length")[interaction]))
        return {field.name: self.array(path)[rows] for path, field in self.fields.items() if field.table == "steps"}

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of the cameras whose images trajectories have."""
        return tuple(path.removeprefix(IMAGES) for path in self.fields if path.startswith(IMAGES))

    @cached_property
    def episodes(self) -> Table:
        """One row per episode: `start`, `length`, `seed`, `scene` (row of `scenes`), `objects_start`, `..._count`."""
        table = self._whole("episodes")
        start, length = table["start"], table["length"]
        if (length < 1).any() or (start != np.cumsum(length) - length).any() or length.sum() != len(self):
            raise DataError(
                f"{self.path}: episodes/start and episodes/length do not fit its rows; embodied-ssl check says where"
            )
        types = text(self.array("scenes/type")[:])
        return Table({**table, "scene": np.searchsorted(self.scenes, types[table["scene"]]).astype(np.int32)})

    @cached_property
    def segments(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First row and length of what goes on without a break: episodes, or the visits of each, int64 [S] both."""
        start = self.episodes["start"]
        if self.declaration.visits:
            visit = self.array(self.declaration.visits)[:]
            start = np.union1d(start, 1 + np.flatnonzero(np.diff(visit)))
        return start, np.diff(start, append=len(self))

    def states(self, rows: ArrayLike) -> NDArray[np.float64]:
        """The poses that motions are made of at some rows of a video, [..., 4, 4] or, of several, [..., K, 4, 4]."""
        found = [self.array(path)[np.asarray(rows)].astype("f8") for path in self.declaration.states]
        return found[0] if len(found) == 1 else np.stack(found, axis=-3)

    @cached_property
    def scenes(self) -> NDArray[np.str_]:
        """The names of the scene types that occur, sorted."""
        return np.unique(text(self.array("scenes/type")[:]))

    @cached_property
    def scene_names(self) -> NDArray[np.str_]:
        """The scene type of each row of `scenes/type`, to which fields of frames refer."""
        return text(self.array("scenes/type")[:])

    @cached_property
    def objects(self) -> Table:
        """One row per object and episode, as in the schema; `episode` is a row of `episodes`."""
        return self._whole("objects")

    def table(self, name: str) -> Table:
        """`interactions` or `frames`, `episodes` or `objects` whole, without images: `pandas.DataFrame` takes it.

        Every index is a row of the whole data set: `episode` of `episodes`, `object` of `objects`. Strings are str;
        `scene_type` is the name of an episode's scene.
        """
        known = (self.declaration.rows, "episodes", "objects")
        if name not in known:
            raise unknown_name(f"table of {self.path}", name, known)
        if name == "episodes":
            return Table({**self.episodes, "scene_type": self.scenes[self.episodes["scene"]]})
        return self.objects if name == "objects" else self._whole(name)

    @cached_property
    def camera(self) -> dict[str, NDArray[Any]]:
        """`intrinsics` float64 [3, 3] and, for the kinds with an overhead camera, its `pose` float32 [4, 4].

        Of the cameras of trajectories `intrinsics_NAME`; their extrinsics are in `steps/extrinsics/NAME`.
        """
        shard = self.shard(0)
        return {field.name: shard.array(path) for path, field in self.fields.items() if field.table == "camera"}

    @cached_property
    def object_numbers(self) -> NDArray[np.int64]:
        """A number for each row of `objects` that is the same for the same object in another episode."""
        return self._numbered[1].astype(np.int64)

    @property
    def object_names(self) -> tuple[str, ...]:
        """The name of the object of each number, such as `mug 17`: the same in every data set."""
        return tuple(self._numbered[0].tolist())

    @cached_property
    def _numbered(self) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
        names = zip(self.objects["category"], self.objects["instance"], strict=True)
        return np.unique(np.array([f"{category} {instance}" for category, instance in names], "U"), return_inverse=True)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Pixels (u, v) of world points [B, 3] (m) under the overhead camera of a table, float32 [B, 2]."""
        pose = self.camera["pose"].astype(np.float64)
        in_camera = (points - pose[:3, 3]) @ pose[:3, :3]
        in_image = in_camera @ self.camera["intrinsics"].T
        return (in_image[:, :2] / in_image[:, 2:]).astype(np.float32)

    def digests(self) -> Digests:
        """The digest of each of its images, uint64 [N]: of frames, or of all images before and then all after."""
        return np.concatenate([digests_of(self.array(path)) for path in self.declaration.image_paths])

    def images(self) -> Images:
        """Every image as a stream of `Frames`: of interactions those before and those after."""
        return Images(self)

    def pairs(
        self,
        max_gap: int | None = None,
        max_gap_s: float | None = None,
        motor: MotorSignals = OWN,
        seed: int = 0,
    ) -> Pairs:
        """Pairs of frames of an episode, at most `max_gap` frames or `max_gap_s` seconds apart, as `FramePairs`.

        motor: whose motor signals go with them. seed: of who is yoked to whom.
        """
        return Pairs(self, max_gap, max_gap_s, motor, seed)

    def clips(
        self, length: int, stride: int = 1, flow: bool = False, motor: MotorSignals = OWN, seed: int = 0
    ) -> Clips:
        """Runs of `length` frames of an episode, `stride` frames apart, as `Clips`; `flow`: with that logged.

        motor, seed: as of `pairs`.
        """
        return Clips(self, length, stride, flow, motor, seed)

    def trials(self) -> Interactions:
        """Interactions as a stream of batches of their own class, such as `Grasps`."""
        return Interactions(self)

    def object_pairs(self, across: str = "tables", together: Count = 1, background: str = "kept") -> ObjectPairs:
        """Two images of one object, as `ObjectPairs`: on two tables, or two views of an orbit.

        together: how many pairs of an object stand side by side in a batch, each in scenes of its own. background:
        `kept`, or `masked`, grey but for the object.
        """
        return ObjectPairs(self, across, together, background)

    def tracks(self, max_gap_s: float = 1.0) -> Tracks:
        """Both ends of tracks through videos, at most `max_gap_s` seconds apart, as `Tracks`."""
        return Tracks(self, max_gap_s)

    def captions(self, vocabulary: Sequence[str] | None = None) -> "Captions":
        """Images with captions, as `CaptionedFrames`. vocabulary: see `Captions`."""
        from embodied_ssl.datasets.read.captions import Captions

        return Captions(self, vocabulary)

    def shard(self, index: int) -> OpenShard:
        """Shard `index`, opened in this process. Raises DataError where its file is not the one that it was."""
        try:
            shard = self._open.pop(index, None) or OpenShard(self.path, self.manifest.shards[index], self.fields)
        except DataError:
            if (self.path / MANIFEST).is_file() and read_manifest(self.path) != self.manifest:
                raise DataError(f"{self.path}: was enlarged or made anew meanwhile; open it again") from None
            raise
        self._open[index] = shard
        if len(self._open) > self._most_open:
            self._open.pop(next(iter(self._open)), None)
        return shard

    @property
    def worlds(self) -> NDArray[np.int64]:
        """The world that each episode is of, int64 [E]: each its own, or what was imported its recording."""
        imported = not self.declaration.env
        return np.asarray(self.episodes["seed"]) if imported else np.arange(len(self.episodes["start"]))

    @cached_property
    def _most_open(self) -> int:
        """Shards that stay open: by a quarter of the files that a process may have; a compressed one takes two."""
        if resource is None:
            return MOST_OPEN_SHARDS
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4
        return max(1, min(MOST_OPEN_SHARDS, files if self.spec.get("compression", "none") == "none" else files // 2))

    def bounds(self, table: str) -> NDArray[np.int64]:
        """First row of each shard in a table of the whole data set, and its length at the end: int64 [shards + 1]."""
        return self._bounds[self.declaration.rows if table == "rows" else table]

    @cached_property
    def _bounds(self) -> dict[str, NDArray[np.int64]]:
        first_fields = {field.table: path for path, field in reversed(self.fields.items()) if field.table != "camera"}
        return {
            table: np.cumsum([0] + [shard.arrays[path].shape[0] for shard in self.manifest.shards], dtype=np.int64)
            for table, path in first_fields.items()
        }

    def _whole(self, table: str) -> Table:
        """All fields of a table but its images; strings as str."""
        return Table(
            {
                field.name: text(self.array(path)[:])
                for path, field in self.fields.items()
                if field.table == table and not field.image
            }
        )


class Array:
    """A field over all shards. Indexing with an integer, a slice or an array of rows reads exactly those rows."""

    def __init__(self, dataset: Dataset, field: Field):
        self._dataset, self.field = dataset, field
        self._bounds = dataset.bounds(field.table)
        self.dtype = np.dtype(field.dtype)
        self.shape = (int(self._bounds[-1]), *dataset.manifest.shards[0].arrays[field.path].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | ArrayLike) -> NDArray[Any]:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        wanted = np.asarray(rows)
        return self.read(wanted.ravel()).reshape((*wanted.shape, *self.shape[1:]))

    def read(self, rows: ArrayLike, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The given rows, [B]; negative ones count from the end. Raises IndexError where there is no such row.

        out: where to put them, of this array's dtype and shape [B, ...], best made by `room`; one that is used again
        and again saves the system the work of finding fresh memory, which can take as long as the copying.
        """
        wanted = np.asarray(rows)
        if wanted.size and wanted.dtype.kind not in "iu":
            raise IndexError(f"{self.field.path}: rows are whole numbers, not {wanted.dtype}")
        wanted = wanted.astype(np.int64)
        wanted = np.where(wanted < 0, wanted + len(self), wanted)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"{self.field.path}: rows are -{len(self)} to {len(self) - 1}")
        if out is None:
            out = self.room(len(wanted))
        elif out.shape != (len(wanted), *self.shape[1:]) or out.dtype != self.dtype:
            raise ValueError(f"{self.field.path}: out is {out.dtype} {out.shape}, not {self.dtype} [rows, ...]")
        shards = np.searchsorted(self._bounds, wanted, side="right") - 1
        local = wanted - self._bounds[shards]
        if out[:1].nbytes < _LARGE_ROW_BYTES:
            self._gather(shards, local, out)
        else:
            self._copy(shards, local, out)
        return out

    def room(self, count: int) -> NDArray[Any]:
        """Memory for `count` rows with nothing in it, at an address to which copying is fast."""
        shape = (count, *self.shape[1:])
        size = math.prod(shape) * self.dtype.itemsize
        memory = np.empty(size + _ALIGNMENT_BYTES, np.uint8)
        first = -memory.ctypes.data % _ALIGNMENT_BYTES
        return memory[first : first + size].view(self.dtype).reshape(shape)

    def _gather(self, shards: NDArray[np.intp], local: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Small rows: all those of a shard at once."""
        order = np.argsort(shards, kind="stable")
        for here in np.split(order, np.flatnonzero(np.diff(shards[order])) + 1) if len(order) else ():
            index = int(shards[here[0]])
            source = self._dataset.shard(index).array(self.field.path)
            if not isinstance(source, np.ndarray):
                self._copy(shards[here], local[here], values := np.empty((len(here), *out.shape[1:]), out.dtype))
            else:
                values = source[local[here]]
            out[here] = self._globally(values, index) if self.field.refers_to else values

    def _copy(self, shards: NDArray[np.intp], local: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Large rows: one by one, each straight to its place."""
        sources = {index: self._dataset.shard(index).array(self.field.path) for index in np.unique(shards).tolist()}
        mapped = all(isinstance(source, np.ndarray) for source in sources.values())
        if mapped and len(sources) == 1:
            source: Any = next(iter(sources.values()))
            np.take(source, local, axis=0, out=out, mode="clip")  # other modes take a copy of `out`
        elif mapped and out.flags.c_contiguous:
            self._copy_bytes(sources, shards, local, out)
        else:
            for place, (index, row) in enumerate(zip(shards.tolist(), local.tolist(), strict=True)):
                try:
                    out[place] = sources[index][row]
                except OSError as error:  # of the HDF5 library, while it unpacks a chunk
                    raise DataError(f"{self._dataset.shard(index).path}: cannot be unpacked ({error})") from error

    def _copy_bytes(
        self, sources: dict[int, Any], shards: NDArray[np.intp], local: NDArray[np.int64], out: NDArray[Any]
    ) -> None:
        """Rows of several mapped shards. Slices of bytes cost Python half of what rows of an array do."""
        size = out[0].nbytes
        target = out.reshape(-1).view(np.uint8).data
        parts = {index: source.reshape(-1).view(np.uint8).data for index, source in sources.items()}
        firsts = zip(range(0, len(target), size), shards.tolist(), (local * size).tolist(), strict=True)
        for place, index, first in firsts:
            target[place : place + size] = parts[index][first : first + size]

    def _globally(self, values: NDArray[Any], index: int) -> NDArray[Any]:
        """Rows of a table of shard `index` as rows of the whole table; -1 stays. DataError where there is no such."""
        bounds = self._dataset.bounds(str(self.field.refers_to))
        first, end = bounds[index], bounds[index + 1]
        if len(values) and not -1 <= values.min() <= values.max() <= end - first:
            raise DataError(
                f"{self._dataset.shard(index).path}: {self.field.path} names rows that are not there; "
                f"delete it and {AGAIN}"
            )
        return np.where(values >= 0, values + first, values)


class Rows:
    """All fields of a row at once: `rows[i]` or `rows[array]` gives a dictionary of arrays by name."""

    def __init__(self, dataset: Dataset, table: str):
        if (own := dataset.declaration.rows) != table:
            raise DataError(f"{dataset.path}: a {dataset.kind} data set has {own}, not {table}")
        self._dataset = dataset
        self._arrays: Mapping[str, Array] = {
            field.name: dataset.array(path) for path, field in dataset.fields.items() if field.table == table
        }

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, rows: int | slice | ArrayLike) -> dict[str, NDArray[Any]]:
        return {name: array[rows] for name, array in self._arrays.items()}


def is_video(dataset: Dataset) -> bool:
    """Whether the rows of a data set are the frames of videos."""
    return dataset.declaration.is_video
