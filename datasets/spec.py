"""What the bytes of a data set depend on, and what a collection has brought."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import embodied_ssl
from embodied_ssl.datasets.manifest import MANIFEST
from embodied_ssl.datasets.schema import SCHEMA_VERSION, VIDEO_KINDS, fields_for, rows_table
from embodied_ssl.datasets.shards import ShardEntry

TARGET_SHARD_BYTES = 32e6  # large enough to write at the disk's speed, small enough to lose little when interrupted
_MOST_SHARDS_OF_SMALL_SETS = 16  # so that small sets, too, keep several workers busy


@dataclass(frozen=True)
class CollectSpec:
    """Everything that the bytes of a data set depend on; made by `make_spec`.

    kind: what to collect. env: every setting of the environment's constructor. policy: a built-in name or
    `module:name`. episodes, seed: how many, and what they are drawn from. shard_episodes: episodes of each shard.
    compression: of the pictures.
    """

    kind: str
    env: dict[str, Any]
    policy: str
    episodes: int
    seed: int
    shard_episodes: int
    compression: str

    @property
    def shards(self) -> int:
        """How many shards the data set has."""
        return -(-self.episodes // self.shard_episodes)

    @property
    def episode_rows(self) -> int:
        """Frames or interactions of an episode."""
        return int(self.env["length" if self.kind in VIDEO_KINDS else "interactions"])

    @property
    def options(self) -> set[str]:
        """The optional fields that are stored."""
        return {name for name in ("depth", "instance", "flow") if self.env.get(name)}

    @cached_property
    def text(self) -> str:
        """The specification as JSON, the same for equal ones."""
        return json.dumps(asdict(self), sort_keys=True)

    def identity(self, shard: int) -> str:
        """What a shard is a function of, as 32 hexadecimal digits."""
        whole = f"{SCHEMA_VERSION} {embodied_ssl.__version__} {self.text} {shard}"
        return hashlib.sha256(whole.encode()).hexdigest()[:32]


def episodes_of_a_shard(kind: str, settings: dict[str, Any], rows: int, episodes: int) -> int:
    """Episodes that make a shard of about the target size, and no fewer shards than keep workers busy."""
    options = {name for name in ("depth", "instance", "flow") if settings.get(name)}
    sizes = {"H": settings["size"], "W": settings["size"], "A": 2, "T": 64}
    table = rows_table(kind)
    row = sum(field.row_bytes(sizes) for field in fields_for(kind, options).values() if field.table == table)
    by_size = int(TARGET_SHARD_BYTES // (row * rows))
    return max(1, min(by_size, -(-episodes // _MOST_SHARDS_OF_SMALL_SETS)))


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
        unit = rows_table(self.kind)
        kept = f" ({self.shards_kept} were there already)" if self.shards_kept else ""
        lines = {
            "data set": f"{self.path}  ({self.kind})",
            unit: f"{self.rows:,} in {self.episodes:,} episodes",
            "objects": f"{self.objects:,} placed",
            "on disk": f"{self.size_bytes / 1e6:,.1f} MB in {self.shards:,} shards{kept}",
            "success": "" if self.success_rate is None else f"{self.success_rate:.1%} of grasps",
            "rate": f"{self.rows_per_second:,.0f} {unit}/s, {self.seconds:,.1f} s in all",
            "next": f"embodied-ssl check {self.path}    embodied-ssl view {self.path}",
        }
        return "\n".join(f"{name:>13}  {text}" for name, text in lines.items() if text)


def summarise(folder: Path, kind: str, entries: Sequence[ShardEntry], made: set[int], seconds: float) -> Summary:
    """The summary of a finished data set of which the shards `made` were made now, in some seconds."""
    from embodied_ssl.datasets.readers import Dataset

    rows = sum(entry.rows for entry in entries)
    rate = None
    if kind == "grasp":
        rate = float(Dataset.open(folder).array("interactions/success")[:].mean())
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
