"""Whether a data set is sound: hashes, schema, ranges, NaN, time, rotations, references, motors against poses, acts.

for problem in check("data/roam"):
    print(problem)
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import AGAIN, DataError
from embodied_ssl.datasets.kinds import kind_of
from embodied_ssl.datasets.schema import Field
from embodied_ssl.datasets.spec import shard_identity, text_of_shards
from embodied_ssl.datasets.store.files import file_sha256
from embodied_ssl.datasets.store.manifest import MANIFEST, Manifest, read_manifest
from embodied_ssl.datasets.store.shards import OpenShard, made_by

_BLOCK_ROWS = 256  # rows looked at together: keeps memory small
_MOTOR_NOISE = 0.1  # odometry may be off by this share of the motion, many times its noise
_MOTOR_SLACK = 2e-3  # and by this, m or rad
_MOST_LISTED = 3  # rows named of each problem


def check(directory: Path | str, progress: bool = False) -> list[str]:
    """Everything that is wrong with a data set, one line each: file, field, row, what is there and what should be.

    An empty list means that it is sound. Raises DataError where the directory cannot be opened as a data set at all.
    """
    from embodied_ssl.datasets.progress import progress_bar

    folder = Path(directory).expanduser()
    manifest = read_manifest(folder)
    problems: list[str] = []
    total = manifest.count("size")
    with progress_bar(total, "B", "check", shown=progress, scale=True) as bar:
        for number, entry in enumerate(manifest.shards):
            problems += _check_shard(folder, manifest, number)
            bar.update(entry.size)
    return problems


def remarks(directory: Path | str) -> list[str]:
    """What a sound data set's user should know all the same."""
    spec = read_manifest(Path(directory).expanduser()).spec
    codes = {"its policy": spec.get("policy_code"), "what others have added to it": spec.get("added_code")}
    return [
        f"{what} is {code}; nobody can tell whether all shards were made by the same one"
        for what, code in codes.items()
        if isinstance(code, str)
    ]


def _check_shard(folder: Path, manifest: Manifest, number: int) -> list[str]:
    entry = manifest.shards[number]
    path = folder / entry.file
    found = file_sha256(path)
    if found != entry.sha256:
        return [
            f"{path}: SHA-256 {found[:12]}…, recorded was {entry.sha256[:12]}…: altered since it was written; "
            f"delete it and {AGAIN}"
        ]
    try:
        shard = OpenShard(folder, entry, manifest.fields)
        tables = {name: shard.array(name) for name in manifest.fields}
        problems = list(_references(manifest, tables))
        if not problems:  # the rest follows references
            problems = [problem for inspect in _INSPECTIONS for problem in inspect(manifest, tables)]
        return [f"{path}: {problem}" for problem in (*_origin(path, manifest, number), *problems)]
    except DataError as error:
        return [str(error)]


def _origin(path: Path, manifest: Manifest, number: int) -> Iterator[str]:
    """A shard was made by the collection that the manifest tells of, and by no other."""
    spec, episodes = text_of_shards(manifest.spec), manifest.shards[number].episodes
    if made_by(path) != shard_identity(spec, manifest.package_version, number, episodes):
        yield (
            f"of another collection than {MANIFEST} tells of: with other settings, policy, objects, textures or "
            f"version of the package; delete it and {AGAIN}"
        )


def _rows(problem: Any, offset: int = 0) -> str:
    """`row 3, 17, 20 and 5 more`, of the rows where there is a problem."""
    rows = np.flatnonzero(problem) + offset
    more = f" and {len(rows) - _MOST_LISTED} more" if len(rows) > _MOST_LISTED else ""
    return f"row {', '.join(map(str, rows[:_MOST_LISTED]))}{more}"


def _last_rows(manifest: Manifest, tables: dict[str, Any], count: int) -> NDArray[np.bool_]:
    """Which rows no motion leads on from: the last ones of episodes, and of the visits of each."""
    last = np.zeros(count, bool)
    ends = tables["episodes/start"] + tables["episodes/length"] - 1
    last[ends[(ends >= 0) & (ends < count)]] = True
    if visits := kind_of(manifest.kind).visits:
        last[:-1] |= np.diff(np.asarray(tables[visits])) != 0
    return last


def _values(manifest: Manifest, tables: dict[str, Any]) -> Iterator[str]:
    """Every number in its range, and NaN exactly where the schema wants it."""
    for field in manifest.fields.values():
        values = tables[field.path]
        if np.dtype(field.dtype).kind not in "fiu" or len(values) == 0:
            continue
        nan_rows = _nan_rows(manifest, field, tables, len(values))
        for first in range(0, len(values), _BLOCK_ROWS):
            block = np.asarray(values[first : first + _BLOCK_ROWS])
            flat = block.reshape(len(block), -1)
            with np.errstate(invalid="ignore"):
                outside = ((flat < field.low) | (flat > field.high)).any(axis=1)
            if outside.any():
                row = int(np.argmax(outside))
                worst = flat[row][(flat[row] < field.low) | (flat[row] > field.high)][0]
                yield f"{field.path}: {_rows(outside, first)}: {worst} lies outside of [{field.low}, {field.high}]"
            if np.dtype(field.dtype).kind != "f":
                continue
            wanted = nan_rows[first : first + len(block)]
            finite = np.isfinite(flat)
            if field.nan == "beyond its objects":
                beyond = _beyond_objects(tables, values)[first : first + len(block)]
                finite ^= np.repeat(beyond, 7, axis=1)
            if field.path == "frames/flow":  # what leaves the view behind the camera has no flow
                finite |= np.isnan(flat)
            bad = ~finite.all(axis=1) & ~wanted
            if bad.any():
                yield f"{field.path}: {_rows(bad, first)}: not a finite number"
            missing = wanted & ~np.isnan(flat).all(axis=1)
            if missing.any():
                yield f"{field.path}: {_rows(missing, first)}: should be NaN ({field.nan})"


def _nan_rows(manifest: Manifest, field: Field, tables: dict[str, Any], count: int) -> NDArray[np.bool_]:
    if field.nan in ("last row of an episode", "last row of a visit"):
        return _last_rows(manifest, tables, count)
    if field.nan == "no object":
        return np.asarray(tables["interactions/object"]) < 0
    return np.zeros(count, bool)


def _beyond_objects(tables: dict[str, Any], values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the poses [N, K, 7] of all objects are of none: the episode has fewer."""
    count = np.asarray(tables["episodes/objects_count"])[tables["interactions/episode"]]
    return np.arange(values.shape[1]) >= count[:, None]


def _references(manifest: Manifest, tables: dict[str, Any]) -> Iterator[str]:
    """Every row number names a row that is there, and episodes tile the rows."""
    lengths = {
        "rows": len(tables[kind_of(manifest.kind).image_paths[0]]),
        "episodes": len(tables["episodes/start"]),
        "objects": len(tables["objects/index"]),
        "scenes": len(tables["scenes/type"]),
        "steps": len(tables.get("steps/time", ())),
    }
    for field in manifest.fields.values():
        if field.refers_to:
            values = np.asarray(tables[field.path])
            beyond = values >= lengths[field.refers_to]
            if field.path == "episodes/objects_start":
                beyond = values > lengths["objects"]  # an episode without objects may start at the end
            if beyond.any():
                there = lengths[field.refers_to]
                yield f"{field.path}: {_rows(beyond)}: no such row of {field.refers_to} ({there} rows)"
    for start_path, length_path, name in _TILES:
        if start_path not in tables:
            continue
        start, length, count = np.asarray(tables[start_path]), np.asarray(tables[length_path]), lengths[name]
        expected = np.concatenate([[0], np.cumsum(length)[:-1]])
        wrong = start != expected
        if wrong.any() or length.sum() != count:
            where = _rows(wrong) if wrong.any() else "in all"
            yield f"{start_path}, {length_path}: {where}: do not tile the {count} {name}"


def _masks(manifest: Manifest, tables: dict[str, Any]) -> Iterator[str]:
    """Instance masks show only objects of their episode."""
    name = kind_of(manifest.kind).mask_path
    if name not in manifest.fields:
        return
    for episode in range(len(tables["episodes/start"])):
        start, length = int(tables["episodes/start"][episode]), int(tables["episodes/length"][episode])
        first, count = (int(tables[f"episodes/objects_{key}"][episode]) for key in ("start", "count"))
        known = np.zeros(256, bool)
        known[0] = True
        known[np.asarray(tables["objects/index"][first : first + count])] = True
        for row in range(start, start + length):
            strange = np.unique(np.asarray(tables[name][row]))
            strange = strange[~known[strange]]
            if len(strange):
                yield f"{name}: row {row}: shows {strange[0]}, which is no object of episode {episode}"
                break


def _geometry(manifest: Manifest, tables: dict[str, Any]) -> Iterator[str]:
    """Quaternions have unit length, poses are rigid."""
    for name in _QUATERNIONS:
        if name in manifest.fields:
            values = np.asarray(tables[name], float)[..., -4:]
            with np.errstate(invalid="ignore"):
                off = np.abs(np.linalg.norm(values, axis=-1) - 1) > 1e-3
            off = off.any(axis=tuple(range(1, off.ndim)))
            if off.any():
                yield f"{name}: {_rows(off)}: the quaternion has not unit length"
    for name, field in manifest.fields.items():
        if field.shape[-2:] == (4, 4):
            pose = np.asarray(tables[name], float).reshape(-1, 4, 4)
            turn = pose[:, :3, :3]
            off = np.abs(turn @ turn.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2)) > 1e-3
            off |= np.abs(np.linalg.det(turn) - 1) > 1e-3
            off |= (pose[:, 3] != [0, 0, 0, 1]).any(axis=1)
            if off.any():
                yield f"{name}: {_rows(off)}: not a rotation and a place"


def _motion(manifest: Manifest, tables: dict[str, Any]) -> Iterator[str]:
    """Time runs on, and the motors measured what the poses say."""
    if not (kind := kind_of(manifest.kind)).is_video:
        return
    time, motor = (np.asarray(tables[f"frames/{name}"]) for name in ("time", "motor"))
    inner = ~_last_rows(manifest, tables, len(time))[:-1]
    stuck = inner & (np.diff(time) <= 0)
    if stuck.any():
        yield f"frames/time: {_rows(stuck)}: the next frame is not later"
    poses = [np.asarray(tables[path], "f8") for path in kind.states]
    states = poses[0] if len(poses) == 1 else np.stack(poses, axis=-3)
    expected = kind.sensed(states[:-1], states[1:])
    with np.errstate(invalid="ignore"):
        error = np.abs(motor[:-1] - expected)
        off = inner & (error > _MOTOR_SLACK + _MOTOR_NOISE * np.abs(expected)).any(axis=1)
    if off.any():
        row = int(np.argmax(off))
        yield (
            f"frames/motor: {_rows(off)}: measured {motor[row].round(4).tolist()}, "
            f"the poses say {expected[row].round(4).tolist()}"
        )


def _trajectories(manifest: Manifest, tables: dict[str, Any]) -> Iterator[str]:
    """Samples of an act are one interval apart, from 0 on."""
    if "steps/time" not in manifest.fields:
        return
    rate = float(manifest.spec["env"]["rate"])
    start, length = (np.asarray(tables[f"interactions/steps_{what}"]) for what in ("start", "length"))
    number = np.arange(int(length.sum())) - np.repeat(start, length)
    off = np.abs(np.asarray(tables["steps/time"]) - number / rate) > 1e-9
    if off.any():
        yield f"steps/time: {_rows(off)}: not a multiple of 1/{rate:g} s from the start of the act"


_TILES = (  # first rows and how many, of what
    ("episodes/start", "episodes/length", "rows"),
    ("episodes/objects_start", "episodes/objects_count", "objects"),
    ("interactions/steps_start", "interactions/steps_length", "steps"),
)
_QUATERNIONS = (
    "objects/quaternion",
    *(f"interactions/{what}_{when}" for what in ("pose", "objects") for when in ("before", "after")),
    "steps/tip_pose",
)
_INSPECTIONS: tuple[Callable[[Manifest, dict[str, Any]], Iterator[str]], ...] = (
    _values,
    _masks,
    _geometry,
    _motion,
    _trajectories,
)
