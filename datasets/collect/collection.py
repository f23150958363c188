"""From a specification to a directory of shards: parallel, resumable, the same bytes whatever the worker count.

    from embodied_ssl.datasets.collect.collection import collect

    print(collect("roam", "data/roam", episodes=100, seed=0, workers=2, size=96, depth=True))

A shard is a function of (specification, shard index) and nothing else; a finished one is told by the hash that it
carries. So an interrupted collection goes on when it is called again, and ends with the same bytes. So does a finished
one that is called again for more episodes: it ends as if they had been asked for at once. Until then, readers see it as
it was; where its last shard had fewer episodes than the others, a longer one takes its place at the end.
"""

import json
import os
import platform
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import embodied_ssl
from embodied_ssl.datasets.collect.counters import Counter, watch
from embodied_ssl.datasets.collect.engines import check_engine, run_jobs
from embodied_ssl.datasets.collect.places import write_places
from embodied_ssl.datasets.collect.policies import Content, added_content, policy_content, policy_name, resolve_policy
from embodied_ssl.datasets.collect.recorder import Policy, Recorder
from embodied_ssl.datasets.collect.settings import (
    contents,
    env_settings,
    environment_class,
    named_settings,
)
from embodied_ssl.datasets.collect.slurm import USUAL, Slurm
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.interrupts import saying_what_is_kept
from embodied_ssl.datasets.kinds import kind_of
from embodied_ssl.datasets.progress import progress_bar
from embodied_ssl.datasets.schema import SCHEMA_VERSION
from embodied_ssl.datasets.spec import CollectSpec, Summary, episodes_of_a_shard, installed, refuse_too_large, summarise
from embodied_ssl.datasets.store.directory import bound_to, claim, open_directory
from embodied_ssl.datasets.store.manifest import UNFINISHED, Manifest, write_manifest
from embodied_ssl.datasets.store.shards import COMPRESSIONS, ForeignShard, ShardEntry, made_by, read_entry, write_shard
from embodied_ssl.limits import Count, Seed, within_limits

_LONGER = ".longer"
_LIBRARIES = ("numpy", "opencv-python", "opencv-python-headless", "pybullet")
_OF_FILES = ("trimesh", "coacd")  # of objects and robots from files


@within_limits
def collect(
    kind: str,
    out: Path | str,
    episodes: Count = 100,
    seed: Seed = 0,
    workers: Count = 1,
    policy: str | Policy | None = None,
    compression: str = "none",
    shard_episodes: Count | None = None,
    engine: str = "loky",
    progress: bool = True,
    slurm: Slurm = USUAL,
    wait: bool = False,
    **env: Any,
) -> Summary:
    """Collect a data set into the directory `out`, finish one that was interrupted, or add episodes to one.

    Args:
        kind: a name, as `embodied-ssl envs` lists them, or `module:Name` of a kind of your own.
        out: the directory; made if need be. One that holds anything but the same data set is refused.
        episodes: how many, at least 1. More than `out` holds are added to it; fewer are refused.
        seed: at least 0. Episode e draws from SeedSequence([seed, e]).
        workers: processes. The bytes do not depend on it, nor on the engine.
        policy: a built-in name (None: the kind's first), `module:name`, or any picklable callable from observation to
            action. One with `reset(env, rng)` is told of each episode; one without must keep no state.
        compression: of the images: `none`, `lz4` or `zstd`, lossless.
        shard_episodes: episodes of a shard; None: as many as those of `out` have, else as give about 32 MB.
        engine: `loky`, or on a cluster `ray`, `dask` or `slurm` (a job for each shard, at most `workers` at a time).
        progress: whether to show a progress bar.
        slurm: what each job of the engine `slurm` asks of the cluster.
        wait: whether to wait while another process collects into `out`, instead of refusing.
        env: settings of the environment, such as size=96, depth=True, length=100.

    Raises DataError for anything that cannot be done, and KeyboardInterrupt (with a message that says how to go on).
    """
    check_engine(engine, slurm)
    folder = Path(out).expanduser()
    if shard_episodes is None:
        shard_episodes = (bound_to(folder) or {}).get("shard_episodes")
    spec, player = make_spec(kind, episodes, seed, policy, compression, shard_episodes, **env)
    kind = spec.kind

    def kept() -> str:
        return f"{len(list(folder.glob('shard-*.h5')))} of {spec.shards} shards are finished in {folder}"

    with saying_what_is_kept(kept):
        _environment(spec)  # a setting that it refuses is best refused before anything is written
        with claim(folder, wait):
            bound = {
                **json.loads(spec.text),
                "package version": embodied_ssl.__version__,
                "libraries": _libraries(spec),
            }
            is_new = bound_to(folder) is None
            open_directory(folder, bound, spec.unidentified)
            if _is_unfinished(folder) or not all(_shard_path(folder, index).exists() for index in range(spec.shards)):
                _compile(workers, progress)
            started = time.perf_counter()
            try:
                entries, made = _make_shards(
                    folder, spec, player, progress, workers=workers, engine=engine, slurm=slurm
                )
            except DataError:  # what cannot be collected does not keep the folder for itself
                if is_new and not any(folder.glob("shard-*.h5")):
                    (folder / UNFINISHED).unlink(missing_ok=True)
                raise
            _refuse_what_changed(folder, spec, made)
            _let_longer_take_their_places(folder)
            write_places(folder, spec.env, spec.contents)
            write_manifest(folder, Manifest(kind, json.loads(spec.text), embodied_ssl.__version__, tuple(entries)))
            (folder / UNFINISHED).unlink(missing_ok=True)
    return summarise(folder, kind, entries, made, time.perf_counter() - started)


@within_limits
def make_spec(
    kind: str,
    episodes: Count = 100,
    seed: Seed = 0,
    policy: str | Policy | None = None,
    compression: str = "none",
    shard_episodes: Count | None = None,
    **env: Any,
) -> tuple[CollectSpec, Policy]:
    """A specification with every default filled in, checked, and its policy. As of `collect`; raises DataError."""
    kind = kind_of(kind).name
    if compression not in COMPRESSIONS:
        raise unknown_name("compression", compression, COMPRESSIONS)
    settings = env_settings(kind, env)
    if kind_of(kind).closed_loop and not settings["trajectory"]:
        raise DataError(f"trajectory: an episode of {kind} is logged as one; leave it on")
    if shard_episodes is None:
        shard_episodes = episodes_of_a_shard(kind, settings, kind_of(kind).rows_of_episode(settings), episodes)
    refuse_too_large(kind, settings, min(episodes, shard_episodes))
    player = resolve_policy(kind, policy)
    return CollectSpec(
        kind=kind,
        env=named_settings(kind, settings),
        policy=policy_name(kind, policy),
        episodes=episodes,
        seed=seed,
        shard_episodes=shard_episodes,
        compression=compression,
        contents=contents(settings),
        policy_code=policy_content(policy, player),
        added_code=_added_content(kind, settings),
    ), player


def _added_content(kind: str, settings: dict[str, Any]) -> Content:
    try:
        return added_content(kind, settings)
    except ValueError as error:  # of a gripper or a set of objects that is none
        raise DataError(f"{kind}: {error}") from error


def make_shard(folder: Path, spec: CollectSpec, index: int, policy: Policy) -> tuple[int, ShardEntry, bool]:
    """Simulate and write shard `index`, unless it is there and intact: (index, what it holds, whether it was made).

    A shard that was damaged is made again; beside one that has fewer episodes than it now should, a longer one is made,
    which takes its place later. Raises DataError where it belongs to another collection.
    """
    path = _shard_path(folder, index)
    for place in (path, _longer(path)):
        if place.exists():
            try:
                return index, replace(read_entry(place, spec.identity(index)), file=path.name), False
            except ForeignShard:
                if not spec.is_shorter(index, made_by(place)):
                    raise
            except DataError:
                place.unlink()
    episodes = spec.episodes_of(index)
    env = _environment(spec)
    with Counter(folder, index) as counter:
        recorder = Recorder(spec.kind, spec.options, len(episodes), spec.episode_rows, counter, spec.cameras)
        for episode in episodes:
            source = np.random.SeedSequence([spec.seed, episode])
            seed = int(source.generate_state(1, np.uint64)[0] >> np.uint64(1))
            recorder.episode(env, policy, seed, np.random.default_rng(source.spawn(1)[0]))
    attributes: dict[str, str | int] = {
        "schema_version": SCHEMA_VERSION,
        "package_version": embodied_ssl.__version__,
        "kind": spec.kind,
        "spec": spec.shard_text,
        "seed": spec.seed,
        "shard": index,
    }
    arrays = recorder.arrays()
    place = _longer(path) if path.exists() else path
    entry = write_shard(place, recorder.fields, arrays, attributes, spec.identity(index), spec.compression)
    return index, replace(entry, file=path.name), True


def _make_shards(
    folder: Path, spec: CollectSpec, policy: Policy, progress: bool, **side_by_side: Any
) -> tuple[list[ShardEntry], set[int]]:
    """Make every shard that is not there; the entries of all, in order, and the numbers of those made."""
    entries: dict[int, ShardEntry] = {}
    made_now: set[int] = set()
    total = spec.episodes * spec.episode_rows
    jobs = ((folder, spec, index, policy) for index in range(spec.shards))
    bar = progress_bar(total, kind_of(spec.kind).rows, spec.kind, shown=progress)
    with bar, watch(folder, bar) as watching:
        for index, entry, made in run_jobs(make_shard, jobs, fresh=spec.has_others_code, **side_by_side):
            entries[index] = entry
            if made:
                made_now.add(index)
            watching.finished(index, entry.rows, made)
    return [entries[index] for index in range(spec.shards)], made_now


def _refuse_what_changed(folder: Path, spec: CollectSpec, made: set[int]) -> None:
    """Objects, textures, robots are read meanwhile: DataError, and no such shards, if they are others now."""
    for name, digest in contents(spec.env).items() if made else ():
        if digest != spec.contents[name]:
            for path in map(partial(_shard_path, folder), made):
                (_longer(path) if _longer(path).exists() else path).unlink()
            raise DataError(
                f"{name}: {spec.env[name]} has changed while data were collected; the {len(made)} shards made "
                "meanwhile are deleted, run the same command again"
            )


def _libraries(spec: CollectSpec) -> dict[str, str]:
    """The versions of what bytes depend on besides the specification and this package."""
    names = _LIBRARIES + (_OF_FILES if {"objects", "body"} & spec.contents.keys() else ())
    return {**installed(names), "C library": " ".join(platform.libc_ver())}


def _shard_path(folder: Path, index: int) -> Path:
    return folder / f"shard-{index:05d}.h5"


def _longer(path: Path) -> Path:
    """Where a shard waits that is to take the place of one with fewer episodes."""
    return path.with_name(f".{path.name}{_LONGER}")


def _let_longer_take_their_places(folder: Path) -> None:
    for path in folder.glob(f".*{_LONGER}"):
        os.replace(path, folder / path.name[1:].removesuffix(_LONGER))


def _is_unfinished(folder: Path) -> bool:
    return (folder / UNFINISHED).exists()


def _compile(workers: int, progress: bool) -> None:
    """Compile the simulator here, before every worker would, and say so."""
    from embodied_ssl.envs.compiling import compile_all

    compile_all(lambda line: print(line, file=sys.stderr, flush=True) if progress else None, workers)


_environments: dict[str, gymnasium.Env[Any, Any]] = {}  # of this process, at most one: building costs more than a reset


def _environment(spec: CollectSpec) -> gymnasium.Env[Any, Any]:
    """This process's environment for `spec`. Raises DataError where the environment refuses a setting."""
    key = json.dumps([spec.kind, spec.env, spec.contents], sort_keys=True)
    if key not in _environments:
        while _environments:
            _environments.popitem()[1].close()
        settings = {name: tuple(value) if isinstance(value, list) else value for name, value in spec.env.items()}
        try:
            _environments[key] = environment_class(spec.kind)(**settings)
        except (ValueError, TypeError, OSError) as error:
            raise DataError(f"{spec.kind}: {error}") from error
    return _environments[key]
