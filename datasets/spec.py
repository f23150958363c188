"""What the bytes of a data set depend on, and what a collection has brought."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import embodied_ssl
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import built_in_kinds, kind_of
from embodied_ssl.datasets.schema import SCHEMA_VERSION
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.datasets.store.shards import ShardEntry

MOST_SHARD_BYTES = 8e9
TARGET_SHARD_BYTES = 32e6  # large enough to write at the disk's speed, small enough to lose little when interrupted
_USUAL_ACT_S = 1.0  # long; of a task of control, as many samples as its `length`
_MOST_SHARDS_OF_SMALL_SETS = 16  # so that small sets, too, keep several workers busy


@dataclass(frozen=True)
class CollectSpec:
    """Everything that the bytes of a data set depend on; made by `make_spec`.

    kind: what to collect. env: every setting of the environment's constructor. policy: a built-in name or
    `module:name`. episodes, seed: how many, and what they are drawn from. shard_episodes: episodes of each shard.
    compression: of the images. contents: the digests of files that settings name, by setting. policy_code: the
    digests of what a policy is made of, by name; a word where it cannot be identified; None for one of ours.
    added_code: the same of an environment, a gripper and objects that others have added.
    """

    kind: str
    env: dict[str, Any]
    policy: str
    episodes: int
    seed: int
    shard_episodes: int
    compression: str
    contents: dict[str, str]
    policy_code: dict[str, str] | str | None
    added_code: dict[str, str] | str | None = None

    @property
    def shards(self) -> int:
        """How many shards the data set has."""
        return -(-self.episodes // self.shard_episodes)

    @property
    def episode_rows(self) -> int:
        """Frames or interactions of an episode."""
        return kind_of(self.kind).rows_of_episode(self.env)

    @property
    def options(self) -> set[str]:
        """The optional fields that are stored."""
        return options_of(self.env)

    @property
    def cameras(self) -> list[str]:
        """Those that trajectories have images of."""
        return list(self.env.get("cameras", ())) if "trajectory" in self.options else []

    @property
    def unidentified(self) -> str | None:
        """Why the policy, or what else others have added, cannot be told from another one; None where it can."""
        words = [code for code in (self.policy_code, self.added_code) if isinstance(code, str)]
        return words[0] if words else None

    @property
    def has_others_code(self) -> bool:
        """Whether code that is no part of this package is run."""
        return self.policy_code is not None or self.added_code is not None

    @cached_property
    def text(self) -> str:
        """The specification as JSON, the same for equal ones: files stand in it by their content, not their place."""
        said = asdict(self)
        said["env"] |= said.pop("contents")
        for name in ("policy_code", "added_code"):
            if said[name] is None:
                del said[name]
        return json.dumps(said, sort_keys=True)

    @cached_property
    def shard_text(self) -> str:
        """What each shard says of it: how many episodes the others hold is none of its business."""
        return text_of_shards(json.loads(self.text))

    def episodes_of(self, shard: int) -> range:
        """The episodes of a shard; the last one may have fewer than the others."""
        first = shard * self.shard_episodes
        return range(first, min(first + self.shard_episodes, self.episodes))

    def identity(self, shard: int, episodes: int | None = None) -> str:
        """What a shard is a function of, as 32 hexadecimal digits; of so many `episodes` (None: all that it has)."""
        count = len(self.episodes_of(shard)) if episodes is None else episodes
        return shard_identity(self.shard_text, embodied_ssl.__version__, shard, count)

    def is_shorter(self, shard: int, identity: str) -> bool:
        """Whether an identity is that of the same shard of a smaller data set, with fewer episodes."""
        return any(identity == self.identity(shard, fewer) for fewer in range(1, len(self.episodes_of(shard))))


def options_of(settings: Mapping[str, Any]) -> set[str]:
    """The settings of an environment that turn optional fields on, where they are."""
    return {name for name in ("depth", "instance", "flow", "trajectory") if settings.get(name)}


def text_of_shards(spec: dict[str, Any]) -> str:
    """The specification in each shard, of that in `dataset.json`: without the number of episodes of all."""
    return json.dumps({name: value for name, value in spec.items() if name != "episodes"}, sort_keys=True)


def shard_identity(spec: str, package_version: str, shard: int, episodes: int) -> str:
    """What shard number `shard`, of so many episodes, is a function of. spec: as `text_of_shards` gives it."""
    whole = f"{SCHEMA_VERSION} {package_version} {spec} {shard} {episodes}"
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def episodes_of_a_shard(kind: str, settings: dict[str, Any], rows: int, episodes: int) -> int:
    """Episodes that make a shard of about the target size, and no fewer shards than keep workers busy."""
    return shard_episodes(_row_bytes(kind, settings) * rows, episodes)


def shard_episodes(episode_bytes: int, episodes: int) -> int:
    """The same, of the size of an episode."""
    return max(1, min(int(TARGET_SHARD_BYTES // episode_bytes), -(-episodes // _MOST_SHARDS_OF_SMALL_SETS)))


def refuse_too_large(kind: str, settings: dict[str, Any], episodes: int) -> None:
    """Raise DataError where a shard of so many episodes is more than a process holds."""
    declared, row = kind_of(kind), _row_bytes(kind, settings)
    name, rows, unit = declared.rows_setting or "shard_episodes", declared.rows_of_episode(settings), declared.rows
    size = row * rows * episodes
    if size > MOST_SHARD_BYTES:
        raise DataError(
            f"{name}: a shard of {episodes:,} × {rows:,} {unit} takes {size / 1e9:,.1f} GB, and is held in "
            f"memory until it is written; give at most {int(MOST_SHARD_BYTES // row):,} {unit} a shard"
        )


def _row_bytes(kind: str, settings: dict[str, Any]) -> int:
    declared, options = kind_of(kind), options_of(settings)
    sizes = {"H": settings["size"], "W": settings["size"], "A": len(declared.motor_signals), "T": 64}
    cameras = [name for name in settings["cameras"] if name in settings] if "trajectory" in options else []
    sizes |= {f"{side} of {name}": settings[name]["image_size"] for name in cameras for side in "HW"}
    sizes |= {"K": settings.get("clutter", 2), "J": 9, "F": 2, "G": 4, "D": 48, "U": 9}
    samples = _USUAL_ACT_S * settings.get("rate", 0.0)
    if declared.closed_loop:
        samples = settings.get("length", samples)
    tables = {declared.rows: 1.0, "steps": samples}  # so many rows of each
    fields = declared.fields_for(options, cameras).values()
    return int(sum(tables[field.table] * field.row_bytes(sizes) for field in fields if field.table in tables))


@dataclass(frozen=True)
class Summary:
    """What a collection has brought: `print` it for a screen."""

    path: Path
    kind: str
    episodes: int
    rows: int
    objects: int
    shards: int
    shards_kept: int
    size_bytes: int
    success_rate: float | None
    rows_made: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """Of the rows that this call made, all its time counted."""
        return self.rows_made / self.seconds

    def __str__(self) -> str:
        unit, named = kind_of(self.kind).rows, shlex.quote(str(self.path)) + _plugin(self.kind)
        kept = f" ({self.shards_kept} were there already)" if self.shards_kept else ""
        lines = {
            "data set": f"{self.path}  ({self.kind})",
            unit: f"{self.rows:,} in {self.episodes:,} episodes",
            "objects": f"{self.objects:,} placed" if self.objects else "",
            "on disk": f"{self.size_bytes / 1e6:,.1f} MB in {self.shards:,} shards{kept}",
            "success": "" if self.success_rate is None else f"{self.success_rate:.1%} of {unit}",
            "rate": f"{self.rows_per_second:,.0f} {unit}/s, {self.seconds:,.1f} s in all",
            "next": f"embodied-ssl check {named}    embodied-ssl view {named}",
        }
        return "\n".join(f"{name:>13}  {text}" for name, text in lines.items() if text)


def _plugin(kind: str) -> str:
    """The option that a command takes for data of a kind that is not ours."""
    if kind in built_in_kinds():
        return ""
    declared = kind_of(kind)
    return f" --plugin {declared.env.partition(':')[0] or declared.facts.__module__}"


def summarise(folder: Path, kind: str, entries: Sequence[ShardEntry], made: set[int], seconds: float) -> Summary:
    """The summary of a finished data set of which the shards `made` were made now, in some seconds."""
    from embodied_ssl.datasets.read.readers import Dataset

    rows = sum(entry.rows for entry in entries)
    dataset, rate = Dataset.open(folder), None
    if "interactions/success" in dataset.fields:
        rate = float(dataset.array("interactions/success")[:].mean())
    return Summary(
        path=folder,
        kind=kind,
        episodes=sum(entry.episodes for entry in entries),
        rows=rows,
        objects=sum(entry.objects for entry in entries),
        shards=len(entries),
        shards_kept=len(entries) - len(made),
        size_bytes=sum(entry.size for entry in entries) + (folder / MANIFEST).stat().st_size,
        success_rate=rate,
        rows_made=sum(entries[index].rows for index in made),
        seconds=seconds,
    )


def installed(names: Sequence[str]) -> dict[str, str]:
    """The versions of those of these libraries that are installed."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):  # OpenCV's module goes by several names
            found[name] = version(name)
    return found
