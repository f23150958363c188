"""From recordings of others to a data set of the kind `video`: streaming, parallel, resumable, checked.

    from embodied_ssl.datasets.imports.hdf5 import Hdf5
    from embodied_ssl.datasets.imports.importing import import_recordings

    source = Hdf5([Path("drive.h5")], frames="camera/rgb", motor=["odometry"], rate=10)
    print(import_recordings(source, "data/drive", size=96))

A shard is a function of (files, settings, shard index) and nothing else; a finished one is told by the hash that it
carries. So an interrupted import goes on when it is called again, and ends with the same bytes.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

import embodied_ssl
from embodied_ssl.datasets.collect.counters import Counter, watch
from embodied_ssl.datasets.collect.engines import run_jobs
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.imports.source import Recording, Source, shortened
from embodied_ssl.datasets.interrupts import saying_what_is_kept
from embodied_ssl.datasets.kinds.video import KIND, POSE
from embodied_ssl.datasets.progress import progress_bar
from embodied_ssl.datasets.schema import SCHEMA_VERSION
from embodied_ssl.datasets.spec import Summary, installed, shard_episodes, shard_identity, summarise, text_of_shards
from embodied_ssl.datasets.store.directory import claim, open_directory
from embodied_ssl.datasets.store.manifest import UNFINISHED, Manifest, write_manifest
from embodied_ssl.datasets.store.shards import COMPRESSIONS, ForeignShard, ShardEntry, read_entry, write_shard
from embodied_ssl.limits import Count, within_limits

Fit = Literal["crop", "stretch"]
_LIBRARIES = ("numpy", "opencv-python", "opencv-python-headless", "av", "h5py", "pyarrow")


@within_limits
def import_recordings(
    source: Source,
    out: Path | str,
    size: Count = 96,
    fit: Fit = "crop",
    every: Count = 1,
    length: Count = 1000,
    workers: Count = 1,
    compression: str = "none",
    progress: bool = True,
) -> Summary:
    """Import recordings into the directory `out`, or finish an import that was interrupted.

    Args:
        source: files of a format, opened.
        out: the directory; made if need be. One that holds anything but the same data set is refused.
        size: of the square images that are stored, px.
        fit: how frames that are not square become so: `crop` takes the square in their middle, `stretch` all of them.
        every: takes each so many-th frame; motor signals add up over those left out.
        length: most frames of an episode; a longer recording becomes several, one after the other.
        workers: processes. The bytes do not depend on it.
        compression: of the images: `none`, `lz4` or `zstd`, lossless.
        progress: whether to show a progress bar.

    Raises DataError for anything that cannot be done, before any work where it can be seen, and KeyboardInterrupt
    (with a message that says how to go on).
    """
    if compression not in COMPRESSIONS:
        raise unknown_name("compression", compression, COMPRESSIONS)
    folder = Path(out).expanduser()
    work = _plan(source, size, fit, every, length, compression)

    def kept() -> str:
        return f"{len(list(folder.glob('shard-*.h5')))} of {work.shards} shards are finished in {folder}"

    with saying_what_is_kept(kept), claim(folder):
        open_directory(
            folder, {**work.spec, "package version": embodied_ssl.__version__, "libraries": installed(_LIBRARIES)}
        )
        started = time.perf_counter()
        entries, made = _make_shards(folder, work, workers, progress)
        write_manifest(folder, Manifest(KIND.name, work.spec, embodied_ssl.__version__, tuple(entries)))
        (folder / UNFINISHED).unlink(missing_ok=True)
    return summarise(folder, KIND.name, entries, made, time.perf_counter() - started)


@dataclass(frozen=True)
class Episode:
    """A part of a recording: its number among all, and its rows there."""

    recording: int
    first: int
    end: int


@dataclass(frozen=True)
class Work:
    """What is to be done; each process has a copy."""

    source: Source
    spec: dict[str, Any]
    episodes: list[Episode]
    scenes: list[str]
    """Of each recording."""
    options: frozenset[str]
    """The optional fields that are stored."""

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-len(self.episodes) // int(self.spec["shard_episodes"]))

    def rows_of(self, episode: Episode) -> NDArray[np.int64]:
        """Of the recording, those of an episode."""
        return np.arange(episode.first, episode.end, self.spec["every"])

    def of_shard(self, index: int) -> list[Episode]:
        """The episodes of a shard."""
        first = index * int(self.spec["shard_episodes"])
        return self.episodes[first : first + int(self.spec["shard_episodes"])]


def _plan(source: Source, size: int, fit: Fit, every: int, length: int, compression: str) -> Work:
    """What is to be done, of sources that were looked at: what can be wrong with them is told before any work."""
    recordings = source.recordings
    if not recordings:
        raise DataError(f"import {source.name}: no recordings in {', '.join(map(str, source.sources))}")
    with_pose = [_checked(source, number, each) for number, each in enumerate(recordings)]
    if len(set(with_pose)) > 1:
        without = recordings[with_pose.index(False)].name
        raise DataError(f"{without}: has no poses, and others have; import them apart")
    known = {"pose": with_pose[0], "intrinsics": source.intrinsics is not None}
    options = frozenset(name for name, there in known.items() if there)
    episodes = list(_episodes(recordings, every, length))
    sizes = {"H": size, "W": size, "A": len(source.signal_names)}
    row = sum(each.row_bytes(sizes) for each in KIND.fields_for(options).values() if each.table == KIND.rows)
    longest = max(-(-(each.end - each.first) // every) for each in episodes)
    spec = {
        "kind": KIND.name, "format": source.name, "files": source.digest(), **source.settings(),
        "signals": list(source.signal_names), "size": size, "fit": fit, "every": every, "length": length,
        "episodes": len(episodes), "shard_episodes": shard_episodes(row * longest, len(episodes)),
        "compression": compression, "seed": 0,
    }  # fmt: skip
    return Work(source, spec, episodes, [shortened(each.scene) for each in recordings], options)


def _checked(source: Source, number: int, recording: Recording) -> bool:
    """Whether a recording has poses. Raises DataError where it is not sound."""
    found = source.timeline(number)
    if {len(found.time), len(found.travelled)} != {recording.frames}:
        raise DataError(
            f"{recording.name}: {recording.frames} frames, {len(found.time)} times and {len(found.travelled)} rows of "
            "motor signals; give as many of each"
        )
    found.check(recording.name)
    return found.pose is not None


def _episodes(recordings: Any, every: int, length: int) -> Iterator[Episode]:
    for number, recording in enumerate(recordings):
        for first in range(0, recording.frames, length * every):
            yield Episode(number, first, min(first + length * every, recording.frames))


def _make_shards(folder: Path, work: Work, workers: int, progress: bool) -> tuple[list[ShardEntry], set[int]]:
    """Make every shard that is not there; the entries of all, in order, and the numbers of those made."""
    entries: dict[int, ShardEntry] = {}
    made_now: set[int] = set()
    total = sum(len(work.rows_of(episode)) for episode in work.episodes)
    jobs = ((folder, work, index) for index in range(work.shards))
    bar = progress_bar(total, KIND.rows, f"import {work.source.name}", shown=progress)
    with bar, watch(folder, bar) as watching:
        for index, entry, made in run_jobs(make_shard, jobs, workers):
            entries[index] = entry
            if made:
                made_now.add(index)
            watching.finished(index, entry.rows, made)
    return [entries[index] for index in range(work.shards)], made_now


_works: dict[str, Work] = {}  # of this process, at most one: with what its source has looked up, as all signals


def _opened(work: Work) -> Work:
    """The same work as this process has it already, from its shard before."""
    key = f"{text_of_shards(work.spec)} {work.source!r}"
    if key not in _works:
        _works.clear()
        _works[key] = work
    return _works[key]


def make_shard(folder: Path, work: Work, index: int) -> tuple[int, ShardEntry, bool]:
    """Read and write shard `index`, unless it is there and intact: (index, what it holds, whether it was made)."""
    work = _opened(work)
    path, text, episodes = folder / f"shard-{index:05d}.h5", text_of_shards(work.spec), work.of_shard(index)
    identity = shard_identity(text, embodied_ssl.__version__, index, len(episodes))
    if path.exists():
        try:
            return index, read_entry(path, identity), False
        except ForeignShard:
            raise
        except DataError:
            path.unlink()
    with Counter(folder, index) as counter:
        arrays = _arrays(work, episodes, counter)
    attributes: dict[str, str | int] = {
        "schema_version": SCHEMA_VERSION,
        "package_version": embodied_ssl.__version__,
        "kind": KIND.name,
        "spec": text,
        "seed": 0,
        "shard": index,
        "signals": ", ".join(work.source.signal_names),
    }
    fields = KIND.fields_for(work.options)
    return index, write_shard(path, fields, arrays, attributes, identity, work.spec["compression"]), True


def _arrays(work: Work, episodes: list[Episode], tell: Counter) -> dict[str, np.ndarray]:
    """Every array of a shard by its path."""
    lengths = np.array([len(work.rows_of(each)) for each in episodes], np.int64)
    starts = np.cumsum(lengths) - lengths
    scenes = [work.scenes[each.recording] for each in episodes]
    types = list(dict.fromkeys(scenes))
    sizes = {"N": int(lengths.sum()), "H": work.spec["size"], "W": work.spec["size"], "A": len(work.spec["signals"])}
    sizes |= {"E": len(episodes), "O": 0, "S": len(types)}
    fields = KIND.fields_for(work.options)
    arrays = {path: np.zeros(field.resolve(sizes), field.dtype) for path, field in fields.items()}
    arrays["episodes/start"][:], arrays["episodes/length"][:] = starts, lengths
    arrays["episodes/seed"][:] = [each.recording for each in episodes]
    arrays["episodes/scene"][:] = [types.index(scene) for scene in scenes]
    arrays["scenes/type"][:] = [scene.encode() for scene in types]
    for episode, start in zip(episodes, starts, strict=True):
        _fill(arrays, work, episode, int(start), tell)
    return arrays


def _fill(arrays: dict[str, np.ndarray], work: Work, episode: Episode, start: int, tell: Counter) -> None:
    """The rows of an episode."""
    rows = work.rows_of(episode)
    here = slice(start, start + len(rows))
    line = work.source.timeline(episode.recording)
    arrays["frames/time"][here] = line.time[rows] - line.time[rows[0]]
    travelled = line.travelled[rows] - line.travelled[rows[0]]
    arrays["frames/travelled"][here] = travelled
    arrays["frames/motor"][here] = np.diff(travelled, axis=0, append=np.nan)
    if line.pose is not None:
        arrays[POSE][here] = line.pose[rows]
    size, fit, rgb = work.spec["size"], work.spec["fit"], arrays["frames/rgb"]
    row, shape = start, None
    for image in work.source.images(episode.recording, rows):
        rgb[row], shape = square(image, size, fit), image.shape
        row += 1
        tell(row)
    if row != here.stop:
        raise DataError(f"import {work.source.name}: {row - start} of {len(rows)} frames of an episode could be read")
    if work.source.intrinsics is not None and shape is not None:
        arrays["camera/intrinsics"][:] = squared(work.source.intrinsics, shape[1], shape[0], size, fit)


def square(image: NDArray[np.uint8], size: int, fit: Fit) -> NDArray[np.uint8]:
    """An image [H, W, 3] as a square [size, size, 3]: the one in its middle, or all of it."""
    if fit == "crop":
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        image = image[top : top + side, left : left + side]
    if image.shape[:2] == (size, size):
        return image
    smaller = min(image.shape[:2]) >= size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)  # type: ignore[return-value]


def squared(intrinsics: NDArray[np.float64], width: int, height: int, size: int, fit: Fit) -> NDArray[np.float64]:
    """The pinhole matrix of images of width × height px once they are squares of `size`; pixels count at centres."""
    left = top = 0
    if fit == "crop":
        side = min(width, height)
        left, top, width, height = (width - side) // 2, (height - side) // 2, side, side
    by = np.array([size / width, size / height])
    changed = intrinsics.copy()
    changed[0, 2], changed[1, 2] = (intrinsics[:2, 2] - (left, top) + 0.5) * by - 0.5
    changed[0, :2] *= by[0]
    changed[1, :2] *= by[1]
    return changed
