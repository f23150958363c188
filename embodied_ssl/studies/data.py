"""The standard data sets of studies, by name and size, and the hashes that are committed of them.

What learns acts on instances 0 to 999 of every category, settings are chosen on 3,000 to 3,999, and what is measured is
measured on 5,000 to 5,999; rooms are told apart by the seed.

`python tests/studies/test_data.py --sizes minute hour --out data` collects them and renews the hashes.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.collect.slurm import USUAL, Slurm
from embodied_ssl.datasets.errors import unknown_name
from embodied_ssl.datasets.store.manifest import data_sha256

TABLES = {"grasps": "grasp", "pushes": "push", "pokes": "poke", "pairs": "grasp"}
"""The streams of the Curious Robot, and the sets that they are of."""

SizeName = Literal["minute", "hour", "day", "gpu"]
SIZES: tuple[SizeName, ...] = get_args(SizeName)
HASHES = Path(__file__).with_name("hashes.json")
TRAINING, CHOOSING, TEST = (0, 1000), (3000, 4000), (5000, 6000)  # instances of each category


@dataclass(frozen=True)
class StandardData:
    """A data set that studies learn from or are measured on; how it is collected, but for the place."""

    kind: str
    """Of data, as `embodied-ssl envs` lists them."""
    episodes: Mapping[SizeName, int]
    """How many, by the size of a study; what has no `gpu` has there as many as for a `day`."""
    seed: int
    """Of the collection: no two sets have the same, so that their rooms and tables differ."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the environment, where they are not the usual ones."""

    def episodes_for(self, size: SizeName) -> int:
        """How many episodes it has in studies of a size. Raises DataError for an unknown size."""
        if size not in SIZES:
            raise unknown_name("size", size, SIZES)
        return self.episodes[size if size in self.episodes else "day"]

    def command(self, size: SizeName, out: Path | str) -> str:
        """The command line that collects it."""
        options = {"episodes": self.episodes_for(size), **self.settings, "seed": self.seed}
        words = " ".join(f"--{name} {_in_words(value)}" for name, value in _one_by_one(options))
        return f"embodied-ssl collect {self.kind} --out {out} {words}"


@dataclass(frozen=True)
class Collected:
    """A standard data set on disk."""

    path: Path
    sha256: str
    """Of what it holds, as `run.json` has it."""
    committed: str | None
    """What it is where the package was made; None: nobody has committed it."""

    @property
    def differs(self) -> bool:
        """Whether the bytes are others than the committed ones."""
        return self.committed is not None and self.committed != self.sha256


def _many(minute: int, hour: int, day: int) -> dict[SizeName, int]:
    return {"minute": minute, "hour": hour, "day": day}


def _roam(length: int, instances: tuple[int, int], **more: Any) -> dict[str, Any]:
    return {"length": length, "size": 48, "instances": instances, **more}


def _hold(instances: tuple[int, int], **more: Any) -> dict[str, Any]:
    """Four scenes of two frames: views of an object share the object alone, and many objects tell more than frames."""
    return {"length": 8, "visits": 4, "size": 48, "instances": instances, **more}


def _orbit(length: int, instances: tuple[int, int], **more: Any) -> dict[str, Any]:
    return {"length": length, "size": 48, "instances": instances, **more}


def _table(instances: tuple[int, int], **more: Any) -> dict[str, Any]:
    """Four interactions on each table: a new one costs as much as these, and brings new objects to be seen again."""
    return {"size": 128, "interactions": 4, "instances": instances, **more}


DATA: dict[str, StandardData] = {
    # To learn from
    "roam": StandardData("roam", _many(60, 1500, 6000), 0, _roam(40, TRAINING)),
    "orbit": StandardData("orbit", _many(200, 5000, 20000), 1, _orbit(10, TRAINING)),
    "hold": StandardData("hold", _many(60, 16000, 40000), 3, _hold(TRAINING, hand=False)),
    "grasp": StandardData("grasp", _many(100, 3000, 15000), 4, _table(TRAINING)),
    "push": StandardData("push", _many(25, 1500, 7500), 5, _table(TRAINING)),
    "poke": StandardData("poke", _many(40, 3000, 15000), 6, _table(TRAINING)),
    # To choose settings on
    "roam_choose": StandardData("roam", _many(60, 480, 960), 2000, _roam(16, CHOOSING)),
    "yardstick_choose": StandardData("orbit", _many(300, 1500, 1500), 2001, _orbit(2, CHOOSING)),
    "hold_choose": StandardData("hold", _many(60, 480, 960), 2003, _hold(CHOOSING, instance=True)),
    "poke_choose": StandardData("poke", _many(50, 800, 1600), 2006, _table(CHOOSING, instance=True)),
    # To measure on
    "roam_test": StandardData("roam", _many(160, 480, 960), 1000, _roam(16, TEST)),
    "yardstick": StandardData("orbit", _many(300, 1500, 1500), 2, _orbit(2, TEST)),
    "orbit_test": StandardData("orbit", _many(100, 1000, 2000), 1001, _orbit(10, TEST, instance=True)),
    "hold_test": StandardData("hold", _many(60, 480, 960), 1003, _hold(TEST, instance=True)),
    "tables_test": StandardData("grasp", _many(60, 1000, 3000), 1004, _table(TEST, instance=True)),
    "push_test": StandardData("push", _many(25, 800, 3000), 1005, _table(TEST, instance=True)),
    "poke_test": StandardData("poke", _many(50, 1000, 3000), 1006, _table(TEST, instance=True)),
}


def standard(name: str) -> StandardData:
    """The standard data set of a name. Raises DataError for an unknown one."""
    if name not in DATA:
        raise unknown_name("standard data set", name, DATA)
    return DATA[name]


def collect_standard(
    name: str,
    size: SizeName,
    out: Path | str,
    workers: int = 1,
    engine: str = "loky",
    progress: bool = True,
    slurm: Slurm = USUAL,
) -> Collected:
    """Collect a standard data set into the directory `out`, or finish it; what is there already is not made again.

    Args:
        name: of `DATA`.
        size: of the study.
        out: the directory of this one set.
        workers: as of `collect`, like `engine`, `progress` and `slurm`.

    Waits where another process, as another study, collects it just now. Says so where its bytes are others than the
    committed ones, as on a processor that rounds otherwise. Raises DataError as `collect` does.
    """
    wanted = standard(name)
    episodes = wanted.episodes_for(size)
    how: dict[str, Any] = {"workers": workers, "engine": engine, "progress": progress, "slurm": slurm, "wait": True}
    collect(wanted.kind, out, episodes, wanted.seed, **how, **wanted.settings)
    found = Collected(Path(out).expanduser(), data_sha256(out), committed_sha256(name, size))
    if found.differs:
        print(
            f"embodied-ssl: {name} ({size}): its bytes are others than where the package was made "
            f"({found.sha256[:12]}, not {str(found.committed)[:12]}), so figures may differ a little: of another "
            "processor, or of other versions of numpy, opencv or pybullet",
            file=sys.stderr,
        )
    return found


def committed_sha256(name: str, size: SizeName) -> str | None:
    """The hash of a standard data set where the package was made; None where nobody has committed it."""
    of_name: dict[str, str] = json.loads(HASHES.read_text()).get(name, {})  # by number of episodes
    return of_name.get(str(standard(name).episodes_for(size)))


def _one_by_one(options: Mapping[str, Any], of: str = "") -> Iterator[tuple[str, Any]]:
    """Options, and those within them as `scene.position`."""
    for name, value in options.items():
        yield from _one_by_one(value, f"{of}{name}.") if isinstance(value, Mapping) else [(f"{of}{name}", value)]


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
