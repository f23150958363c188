"""One shard: an HDF5 file that is written whole, checked by its own hash, and read by mapping it into memory.

A shard is an ordinary HDF5 file followed by a footer of 256 bytes (HDF5 ignores what lies behind its end): the
SHA-256 of everything before it and the identity of the work that made it. A file that was cut, altered or made by
another specification is therefore noticed without knowing anything else, and before the HDF5 library parses a byte.
"""

import hashlib
import io
import json
import math
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from embodied_ssl.datasets.errors import AGAIN, DataError
from embodied_ssl.datasets.schema import Field
from embodied_ssl.datasets.store.files import BLOCK_BYTES, write_atomically

Compression = Literal["none", "lz4", "zstd"]
COMPRESSIONS: tuple[str, ...] = ("none", "lz4", "zstd")

FOOTER_BYTES = 256
_ALIGNMENT_BYTES = 64  # so that mapped arrays start on a cache line


class ForeignShard(DataError):
    """A shard that is intact but was made by another specification."""


@dataclass(frozen=True)
class StoredArray:
    """Where an array lies in its shard: its shape, and its first byte (None: in compressed chunks, or empty)."""

    shape: tuple[int, ...]
    offset: int | None


@dataclass(frozen=True)
class ShardEntry:
    """What a data set's `dataset.json` says of one shard; enough to map its arrays without parsing HDF5."""

    file: str
    size: int
    sha256: str
    episodes: int
    rows: int
    objects: int
    arrays: dict[str, StoredArray]


def write_shard(
    path: Path,
    fields: Mapping[str, Field],
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, str | int],
    identity: str,
    compression: str = "none",
) -> ShardEntry:
    """Write a shard under a temporary name, sync it, and only then give it its own name.

    Args:
        path: where the shard is to be.
        fields: the fields that it holds, by path; `arrays` must have exactly these, of their dtype and shape.
        arrays: the contents by path.
        attributes: of the file: schema and package version, kind, spec, seed, shard index.
        identity: what the shard is a function of, in at most 64 characters; a resumed collection compares it.
        compression: of the images: `none`, `lz4` or `zstd` (one chunk per row). The rest is never compressed.

    The same arguments give the same bytes. Raises DataError where the contents do not fit the schema, or the disk
    is full or not writable; nothing is then left behind.
    """
    _fit(fields, arrays)
    # In memory first: a full disk then fails in one plain write, never inside the HDF5 library.
    image = _Image(sum(array.nbytes for array in arrays.values()) + (1 << 24))
    stored = _write_hdf5(image, fields, arrays, attributes, compression)
    pieces = _pieces(image, arrays, stored)
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    footer = _footer(digest.hexdigest(), identity)
    write_atomically(path, (*pieces, footer))
    digest.update(footer)
    return _entry(path.name, image.size + len(footer), digest.hexdigest(), stored)


def read_entry(path: Path, identity: str | None = None) -> ShardEntry:
    """Verify a whole shard against its footer and say what it holds.

    Raises DataError where it is cut, altered, no shard at all, or (with `identity`) made by another specification.
    """
    whole, made_by = _verify(path)
    if identity is not None and made_by != identity:
        raise ForeignShard(f"{path}: a shard of another collection; move it away, or collect into another directory")
    import h5py

    with h5py.File(path, "r") as file:
        stored = _layout(file)
    return _entry(path.name, path.stat().st_size, whole, stored)


def made_by(path: Path) -> str:
    """The identity in the footer of an intact shard: what it is a function of."""
    with path.open("rb") as file:
        file.seek(-FOOTER_BYTES, io.SEEK_END)
        return str(json.loads(file.read())["identity"])


class OpenShard:
    """The arrays of one shard, mapped into memory; compressed ones are read through HDF5.

    It holds operating-system handles, so it belongs to the process that made it and is never pickled.
    """

    def __init__(self, folder: Path, entry: ShardEntry, fields: Mapping[str, Field]):
        """Map `entry.file` of `folder`. Raises DataError where the file is missing or not of the recorded size."""
        self.path = folder / entry.file
        self._entry = entry
        self._fields = fields
        self._file: Any = None
        self._arrays: dict[str, np.ndarray] = {}
        try:
            with self.path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}: cannot be opened ({error}); {AGAIN}") from error
        if len(self._map) != entry.size:
            raise DataError(_size_message(self.path, len(self._map), entry.size))

    def array(self, path: str) -> np.ndarray:
        """The whole array at `path`: a read-only view of the mapped file, or (compressed) an HDF5 dataset."""
        if path not in self._arrays:
            self._arrays[path] = self._find(path)
        return self._arrays[path]

    def _find(self, path: str) -> np.ndarray:
        stored, dtype = self._entry.arrays[path], np.dtype(self._fields[path].dtype)
        if stored.offset is not None:
            return np.ndarray(stored.shape, dtype, buffer=self._map, offset=stored.offset)
        if math.prod(stored.shape) == 0:
            return np.empty(stored.shape, dtype)
        return self._open_hdf5()[path]

    def _open_hdf5(self) -> Any:
        """The HDF5 file; its hash is compared first, for a damaged one can bring the HDF5 library down."""
        if self._file is None:
            if hashlib.sha256(self._map).hexdigest() != self._entry.sha256:
                raise DataError(f"{self.path}: altered since it was written; delete it and {AGAIN}")
            import h5py
            import hdf5plugin  # noqa: F401  (registers the codecs)

            try:
                self._file = h5py.File(self.path, "r")
            except OSError as error:
                raise DataError(f"{self.path}: HDF5 cannot open it ({error}); close it elsewhere") from error
        return self._file


def _fit(fields: Mapping[str, Field], arrays: Mapping[str, np.ndarray]) -> None:
    """Raise DataError unless `arrays` are exactly the `fields`, with sizes that agree among them."""
    if missing := sorted(set(fields) ^ set(arrays)):
        raise DataError(f"a shard needs exactly the fields of its kind; missing or too many: {', '.join(missing)}")
    sizes: dict[str, int] = {}
    for path, field in fields.items():
        array = arrays[path]
        if array.dtype != np.dtype(field.dtype):
            raise DataError(f"{path}: dtype {array.dtype}, the schema says {np.dtype(field.dtype)}")
        if problem := shape_problem(field, array.shape, sizes):
            raise DataError(f"{path}: {problem}")


def shape_problem(field: Field, shape: Sequence[int], sizes: dict[str, int]) -> str | None:
    """What is wrong with `shape`, or None. `sizes` collects the value of every symbol seen so far."""
    if len(shape) != len(field.shape):
        return f"shape {tuple(shape)}, the schema says {field.shape}"
    for axis, size in zip(field.shape, shape, strict=True):
        expected = sizes.setdefault(axis, size) if isinstance(axis, str) else axis
        if size != expected:
            return f"shape {tuple(shape)}, the schema says {field.shape} with {axis} = {expected}"
    return None


class _Image(io.RawIOBase):
    """A file in memory for HDF5 to write. What is never written is zeros and takes no memory."""

    def __init__(self, usual_bytes: int):
        self._bytes = np.zeros(usual_bytes, np.uint8)  # the system gives memory when it is touched
        self._at = self.size = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def write(self, data: Any) -> int:
        end = self._at + len(data)
        self._grow(end)
        self._bytes[self._at : end] = np.frombuffer(data, np.uint8)
        self._at, self.size = end, max(self.size, end)
        return len(data)

    def readinto(self, buffer: Any) -> int:
        found = self._bytes[self._at : min(self._at + len(buffer), self.size)]
        buffer[: len(found)] = found.data
        self._at += len(found)
        return len(found)

    def truncate(self, size: int | None = None) -> int:
        self.size = self._at if size is None else size
        return self.size

    def _grow(self, size: int) -> None:
        if size > len(self._bytes):
            grown = np.zeros(2 * size, np.uint8)
            grown[: len(self._bytes)] = self._bytes
            self._bytes = grown

    def between(self, first: int, end: int) -> memoryview:
        self._grow(end)
        return self._bytes[first:end].data


def _pieces(image: _Image, arrays: Mapping[str, np.ndarray], stored: Mapping[str, StoredArray]) -> list[memoryview]:
    """The file's bytes in order: what HDF5 wrote and, where it left room for them, the arrays themselves."""
    pieces, end = [], 0
    places = sorted((place.offset, path) for path, place in stored.items() if place.offset is not None)
    for offset, path in places:
        data = np.ascontiguousarray(arrays[path]).reshape(-1).view(np.uint8).data
        pieces += [image.between(end, offset), data]
        end = offset + len(data)
    return [*pieces, image.between(end, image.size)]


def _write_hdf5(
    target: _Image,
    fields: Mapping[str, Field],
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, str | int],
    compression: str,
) -> dict[str, StoredArray]:
    """Lay the arrays out in `target` as HDF5 and say where each one lies; only compressed ones are written."""
    import h5py
    from h5py import h5d, h5p

    room = h5p.create(h5p.DATASET_CREATE)  # is taken at once, and not filled
    room.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    room.set_fill_time(h5d.FILL_TIME_NEVER)

    stored: dict[str, StoredArray] = {}
    with h5py.File(target, "w", alignment_threshold=1, alignment_interval=_ALIGNMENT_BYTES) as file:
        for name, value in attributes.items():
            _set_attribute(file, name, value)
        for path, field in fields.items():
            array = arrays[path]
            storage = _filters(compression, array) if field.image else {}
            content = {"data": array} if storage else {"shape": array.shape, "dtype": array.dtype, "dcpl": room}
            dataset = file.create_dataset(path, track_times=False, **content, **storage)
            _set_attribute(dataset, "unit", field.unit)
            _set_attribute(dataset, "description", field.description)
            stored[path] = _place(dataset)
    return dict(sorted(stored.items()))  # as `_layout` finds them


def _filters(compression: str, array: np.ndarray) -> dict[str, Any]:
    """Settings of h5py for one chunk per row through a lossless codec; none for `none` and for empty arrays."""
    if compression == "none" or array.size == 0:
        return {}
    import hdf5plugin

    codec = {"lz4": hdf5plugin.LZ4, "zstd": hdf5plugin.Zstd}[compression]()
    return {"chunks": (1, *array.shape[1:]), "compression": codec}


def _set_attribute(holder: Any, name: str, value: str | int) -> None:
    """Store a number, or a text of fixed width (texts of variable width go to a heap that nothing compresses)."""
    from h5py import h5a, h5s, h5t, string_dtype  # `attrs.create` takes three times as long

    plain = value if isinstance(value, int) else value.encode()
    dtype = np.dtype("i8") if isinstance(plain, int) else string_dtype("utf-8", max(len(plain), 1))
    attribute = h5a.create(holder.id, name.encode(), h5t.py_create(dtype, logical=True), h5s.create(h5s.SCALAR))
    attribute.write(np.array(plain, dtype))


def _layout(file: Any) -> dict[str, StoredArray]:
    """Shape and offset of every array of an open HDF5 file."""
    stored: dict[str, StoredArray] = {}

    def visit(name: str, found: Any) -> None:
        if hasattr(found, "shape"):  # a dataset, no group
            stored[name] = _place(found)

    file.visititems(visit)
    return dict(sorted(stored.items()))


def _place(dataset: Any) -> StoredArray:
    return StoredArray(tuple(dataset.shape), None if dataset.chunks else dataset.id.get_offset())


def _entry(name: str, size: int, sha256: str, stored: dict[str, StoredArray]) -> ShardEntry:
    rows = "frames/rgb" if "frames/rgb" in stored else "interactions/rgb_before"
    return ShardEntry(
        file=name,
        size=size,
        sha256=sha256,
        episodes=stored["episodes/start"].shape[0],
        rows=stored[rows].shape[0],
        objects=stored["objects/index"].shape[0],
        arrays=stored,
    )


def _footer(sha256: str, identity: str) -> bytes:
    """The last bytes of a shard; text, so that `tail -c 256` shows it."""
    text = json.dumps({"embodied_ssl": "shard", "sha256": sha256, "identity": identity})
    return text.rjust(FOOTER_BYTES - 1).encode() + b"\n"


def _verify(path: Path) -> tuple[str, str]:
    """The SHA-256 of the whole file, and the identity in its footer, once its own hash has been found right."""
    damaged = DataError(f"{path}: cut, altered or no shard of embodied_ssl; delete it and {AGAIN}")
    digest = hashlib.sha256()
    try:
        remaining = path.stat().st_size - FOOTER_BYTES
        with path.open("rb") as file:
            while remaining > 0 and (block := file.read(min(BLOCK_BYTES, remaining))):
                digest.update(block)
                remaining -= len(block)
            footer = file.read()
        record = json.loads(footer)
        intact = record["sha256"] == digest.hexdigest() and record["embodied_ssl"] == "shard"
        identity = str(record["identity"])
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {AGAIN}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged from error
    if not intact or footer != _footer(record["sha256"], identity):
        raise damaged
    digest.update(footer)
    return digest.hexdigest(), identity


def _size_message(path: Path, found: int, expected: int) -> str:
    return f"{path}: {found} bytes, recorded were {expected}: cut or altered; delete it and {AGAIN}"
