"""`dataset.json`: what a directory of shards is, as a whole.

It carries the specification, the counts, the hash of each shard and the place of each array in it, and a hash of
itself. Readers trust nothing else: an altered one is refused.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embodied_ssl.datasets.errors import AGAIN, DataError
from embodied_ssl.datasets.kinds import kind_of, kinds
from embodied_ssl.datasets.schema import SCHEMA_VERSION, Field, camera_fields
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.datasets.store.shards import ShardEntry, StoredArray, shape_problem

MANIFEST = "dataset.json"
IMAGES = "steps/images/"  # of the cameras of trajectories, by their names
UNFINISHED = "collecting.json"
"""There from the start of a collection to its end, in the place of `dataset.json`: the specification."""


@dataclass(frozen=True)
class Manifest:
    """The contents of `dataset.json`."""

    kind: str
    spec: dict[str, Any]
    package_version: str
    shards: tuple[ShardEntry, ...]

    def count(self, what: str) -> int:
        """How many `episodes`, `rows` or `objects` all shards hold, or bytes (`size`)."""
        return sum(getattr(shard, what) for shard in self.shards)

    @property
    def fields(self) -> dict[str, Field]:
        """The fields that this data set has, by path."""
        arrays = self.shards[0].arrays
        cameras = [path.removeprefix(IMAGES) for path in arrays if path.startswith(IMAGES)]
        known = kind_of(self.kind).all_fields | {each.path: each for name in cameras for each in camera_fields(name)}
        return {path: known[path] for path in known if path in arrays}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `dataset.json`, atomically."""
    counts = {
        "episodes": manifest.count("episodes"),
        kind_of(manifest.kind).rows: manifest.count("rows"),
        "objects": manifest.count("objects"),
        "bytes": manifest.count("size"),
    }
    content = {
        "schema_version": SCHEMA_VERSION,
        "package_version": manifest.package_version,
        "kind": manifest.kind,
        "spec": manifest.spec,
        "counts": counts,
        "shards": [asdict(shard) for shard in manifest.shards],
    }
    content["sha256"] = _digest(content)
    write_atomically(folder / MANIFEST, [_pretty(content).encode()])


def read_manifest(folder: Path | str) -> Manifest:
    """Read and validate the `dataset.json` of `folder`, and the size of every shard.

    Raises DataError where the directory is missing, is no data set or an unfinished one, where `dataset.json` is
    damaged or of a newer schema, and where a shard is missing or cut.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    content = read_json(folder)
    version = content.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema version {version}, this package reads up to {SCHEMA_VERSION}; upgrade embodied-ssl"
        )
    if content.get("sha256") != _digest({key: value for key, value in content.items() if key != "sha256"}):
        raise DataError(f"{path}: altered since it was written; restore it, or delete it and {AGAIN}")
    _refuse_unknown_kind(path, content)
    try:
        manifest = Manifest(
            kind=content["kind"],
            spec=dict(content["spec"]),
            package_version=str(content["package_version"]),
            shards=tuple(_parse_shard(shard) for shard in content["shards"]),
        )
        _validate(manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not a valid data set ({error}); {AGAIN}") from error
    for shard in manifest.shards:
        _check_size(folder / shard.file, shard.size)
    return manifest


def data_sha256(folder: Path | str) -> str:
    """SHA-256 of what a data set holds: that of its `dataset.json`, which has the hash of each shard."""
    return hashlib.sha256((Path(folder).expanduser() / MANIFEST).read_bytes()).hexdigest()


def _refuse_unknown_kind(path: Path, content: dict[str, Any]) -> None:
    """Raise DataError for a kind that nobody has declared here; the code that it was made by says who could."""
    if (kind := content.get("kind")) in (known := kinds()):
        return
    code = content.get("spec", {}).get("added_code")
    modules = sorted({name.partition(":")[0] for name in code if ":" in name}) if isinstance(code, dict) else []
    plugin = " or ".join(modules) or "MODULE"
    raise DataError(
        f"{path}: of the kind {kind!r}, and known are {', '.join(known)}; give the plugin that declares it, as in "
        f"--plugin {plugin}"
    )


def read_json(folder: Path) -> dict[str, Any]:
    """The contents of `dataset.json` before any validation; DataError where there is none."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such directory; give the directory of a data set, as made by embodied-ssl collect or import"
        )
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        if (folder / UNFINISHED).exists():
            raise DataError(
                f"{folder}: its collection is unfinished; run the same command again to finish it"
            ) from error
        raise DataError(
            f"{folder}: no data set (it has no {MANIFEST}); make one with embodied-ssl collect or import"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON; restore it, or delete it and {AGAIN}") from error
    if not isinstance(content, dict) or "schema_version" not in content:
        raise DataError(f"{path}: not of embodied_ssl; give a directory made by embodied-ssl collect or import")
    return content


def _parse_shard(content: dict[str, Any]) -> ShardEntry:
    arrays = {
        str(path): StoredArray(
            tuple(int(size) for size in stored["shape"]), None if stored["offset"] is None else int(stored["offset"])
        )
        for path, stored in content["arrays"].items()
    }
    counts = {name: int(content[name]) for name in ("size", "episodes", "rows", "objects")}
    return ShardEntry(file=str(content["file"]), sha256=str(content["sha256"]), arrays=arrays, **counts)


def _validate(manifest: Manifest) -> None:
    """Raise ValueError unless every array is known, of its shape, and lies within its file."""
    if not manifest.shards:
        raise ValueError("no shards")
    fields = manifest.fields
    inner_sizes: dict[str, int] = {}  # pixels, signals, samples of a profile: the same in every shard
    for shard in manifest.shards:
        if Path(shard.file).name != shard.file:
            raise ValueError(f"{shard.file}: not beside {MANIFEST}")
        if set(shard.arrays) != set(fields):
            raise ValueError(f"{shard.file}: not the fields of the other shards")
        sizes = {axis: size for axis, size in inner_sizes.items() if axis not in "NEOSP"}
        sizes |= {"N": shard.rows, "E": shard.episodes, "O": shard.objects}
        for path, field in fields.items():
            _validate_array(shard, field, shard.arrays[path], sizes)
        inner_sizes = sizes


def _validate_array(shard: ShardEntry, field: Field, stored: StoredArray, sizes: dict[str, int]) -> None:
    where = f"{shard.file}: {field.path}"
    if min(stored.shape, default=0) < 0:
        raise ValueError(f"{where}: negative size")
    if problem := shape_problem(field, stored.shape, sizes):
        raise ValueError(f"{where}: {problem}")
    if stored.offset is None:
        if not field.image and 0 not in stored.shape:
            raise ValueError(f"{where}: has no place")
        return
    size = math.prod(stored.shape) * np.dtype(field.dtype).itemsize
    if stored.offset < 0 or stored.offset + size > shard.size:
        raise ValueError(f"{where}: outside of its file")


def _check_size(path: Path, expected: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: missing; {AGAIN}, which restores it") from error
    if found != expected:
        raise DataError(f"{path}: {found} bytes, recorded were {expected}: cut or altered; delete it and {AGAIN}")


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _pretty(content: dict[str, Any]) -> str:
    """One line per top-level key and per shard: a person can read it, and it stays small."""
    shards = ",\n".join(f"    {json.dumps(shard)}" for shard in content["shards"])
    lines = [
        f"  {json.dumps(key)}: " + (f"[\n{shards}\n  ]" if key == "shards" else json.dumps(value))
        for key, value in content.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"
