"""From a data set to files of another format: whole or not at all, parallel, resumable.

    from embodied_ssl.datasets.exports.exporting import export_data

    print(export_data("data/grasp", "exported/grasp", "robomimic"))

Every file is a function of (data set, settings) and nothing else, and gets its name when it is complete. So an export
that was stopped goes on when it is called again.
"""

import json
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import embodied_ssl
from embodied_ssl.datasets.collect.engines import run_jobs
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.exports.episodes import Episodes
from embodied_ssl.datasets.exports.formats import format_class
from embodied_ssl.datasets.exports.target import Part, Target
from embodied_ssl.datasets.interrupts import saying_what_is_kept
from embodied_ssl.datasets.progress import progress_bar
from embodied_ssl.datasets.spec import installed
from embodied_ssl.datasets.store.directory import claim, differing
from embodied_ssl.datasets.store.files import appearing, remove_temporaries, write_atomically
from embodied_ssl.datasets.store.manifest import data_sha256
from embodied_ssl.limits import Count, within_limits

DataFormat = Literal["lerobot", "robomimic", "minari", "rerun", "webdataset", "numpy"]
RECORD = "export.json"
"""What an export was made of, finished or not."""


@dataclass(frozen=True)
class Exported:
    """What an export has brought: `print` it for a screen."""

    path: Path
    format: str
    episodes: int
    steps: int
    files: int
    size_bytes: int
    seconds: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            ("exported", f"{self.path}  ({self.format})"),
            ("steps", f"{self.steps:,} in {self.episodes:,} episodes"),
            ("on disk", f"{self.size_bytes / 1e6:,.1f} MB in {self.files:,} files, {self.seconds:,.1f} s in all"),
            *(("note", note) for note in self.notes),
        ]
        return "\n".join(f"{name:>13}  {text}" for name, text in lines)


@within_limits
def export_data(
    directory: Path | str,
    out: Path | str,
    to: DataFormat,
    copy: bool = False,
    lossless: bool = False,
    task: str | None = None,
    workers: Count = 1,
    progress: bool = True,
) -> Exported:
    """Write a data set so that a library of others reads it, or finish an export that was interrupted.

    Args:
        directory: of the data set: a video, or interactions with trajectories.
        out: a new directory, or that of the same export.
        to: `robomimic` and `minari`: HDF5 whose images are those of the data set, by reference. `lerobot`: version 3,
            of Parquet and MP4; takes the extra `[lerobot]`. `rerun`: a recording for each episode; takes the extra
            `[rerun]`. `webdataset`: tar files with a sample for each step. `numpy`: an npz file for each episode.
        copy: of robomimic and minari: copy the images, so that the files can be moved alone.
        lossless: of lerobot: videos that keep every value of every pixel, several times larger.
        task: of lerobot: what is done, in words; None: the kind, and the object or the scene.
        workers: processes. The bytes do not depend on it.
        progress: whether to show a progress bar.

    Raises DataError for anything that cannot be done, before any work where it can be seen, and KeyboardInterrupt
    (with a message that says how to go on).
    """
    episodes, folder = Episodes.of(directory), Path(out).expanduser()
    target = _target(episodes, folder, to, {"copy": copy, "lossless": lossless, "task": task})
    target.check()
    parts = target.parts()
    record = {
        "data": data_sha256(episodes.dataset.path), "to": to, **target.settings(),
        "package version": embodied_ssl.__version__, "libraries": installed(target.libraries),
    }  # fmt: skip

    def kept() -> str:
        return f"{sum((folder / part.path).exists() for part in parts)} of {len(parts)} files are finished in {folder}"

    started = time.perf_counter()
    with saying_what_is_kept(kept), claim(folder):
        _bind(folder, record)
        _write(folder, parts, to, workers, progress)
        _tell(folder, {**record, "finished": True})
    return Exported(
        folder, to, len(episodes), int(episodes.length.sum()), len(parts),
        sum((folder / part.path).stat().st_size for part in parts), time.perf_counter() - started,
        tuple(target.notes),
    )  # fmt: skip


def _target(episodes: Episodes, folder: Path, to: str, settings: dict[str, Any]) -> Target:
    """The format with its settings. Raises DataError for one that was given and is of another format."""
    kind = format_class(to)
    known = {each.name for each in fields(kind)}
    for name, value in settings.items():
        if value and name not in known:
            raise DataError(f"export --to {to}: has no setting {name}; leave it out")
    return kind(episodes, folder, **{name: value for name, value in settings.items() if name in known})


def _bind(folder: Path, record: dict[str, Any]) -> None:
    """Say what will be in a folder, or find that it is so. Raises DataError where it holds something else."""
    path = folder / RECORD
    if path.exists():
        try:
            found = json.loads(path.read_bytes())
            found.pop("finished", None)
        except (OSError, ValueError, AttributeError) as error:
            raise DataError(f"{path}: cannot be read; delete the directory and export again") from error
        found = found if found.get("to") == record["to"] else {**record, "to": found.get("to")}  # else all differs
        if differences := differing(found, record):
            raise DataError(
                f"{folder}: holds another export, which differs in {'; '.join(differences[:4])}; "
                "repeat its command to finish it, or choose another --out"
            )
    elif strangers := sorted(each.name for each in folder.iterdir() if not each.name.startswith(".")):
        raise DataError(f"{folder}: not empty ({strangers[0]}) and no export; choose another --out")
    else:
        _tell(folder, record)


def _tell(folder: Path, record: dict[str, Any]) -> None:
    write_atomically(folder / RECORD, [json.dumps(record, indent=1, sort_keys=True).encode()])


def _write(folder: Path, parts: Any, name: str, workers: int, progress: bool) -> None:
    """Every file that is not there yet."""
    for place in {folder, *((folder / part.path).parent for part in parts)}:
        place.mkdir(parents=True, exist_ok=True)
        remove_temporaries(place)
    jobs = [(folder, part) for part in parts if not (folder / part.path).exists()]
    total = sum(part.steps for _, part in jobs)
    with progress_bar(total, "steps", f"export {name}", shown=progress) as bar:
        for last in (False, True):
            if own := [job for job in jobs if job[1].last is last]:
                for steps in run_jobs(_write_part, own, workers):
                    bar.update(steps)


def _write_part(folder: Path, part: Part) -> int:
    with appearing(folder / part.path) as place:
        part.write(place)
    return part.steps
