"""From a specification to a directory of shards: parallel, resumable, the same bytes whatever the worker count.

    from embodied_ssl.datasets.collect import collect

    print(collect("roam", "data/roam", episodes=100, seed=0, workers=2, size=96, depth=True))

A shard is a function of (specification, shard index) and nothing else; a finished one is told by the hash that it
carries. So an interrupted collection goes on when it is called again, and ends with the same bytes.
"""

import importlib
import inspect
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np

import embodied_ssl
from embodied_ssl.datasets.counters import Counter, watch
from embodied_ssl.datasets.directory import claim, open_directory
from embodied_ssl.datasets.engines import ENGINES, run_jobs
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.manifest import UNFINISHED, Manifest, write_manifest
from embodied_ssl.datasets.progress import progress_bar
from embodied_ssl.datasets.recorder import Policy, Recorder
from embodied_ssl.datasets.schema import INTERACTION_KINDS, KINDS, SCHEMA_VERSION, VIDEO_KINDS, rows_table
from embodied_ssl.datasets.shards import COMPRESSIONS, ForeignShard, ShardEntry, read_entry, write_shard
from embodied_ssl.datasets.spec import CollectSpec, Summary, episodes_of_a_shard, summarise

MOST_PIXELS = 4096  # on a side


def collect(
    kind: str,
    out: Path | str,
    episodes: int = 100,
    seed: int = 0,
    workers: int = 1,
    policy: str | Policy | None = None,
    compression: str = "none",
    shard_episodes: int | None = None,
    engine: str = "loky",
    progress: bool = True,
    **env: Any,
) -> Summary:
    """Collect a data set into the directory `out`, or finish one that was interrupted.

    Args:
        kind: `roam`, `orbit`, `grasp`, `push` or `poke`.
        out: the directory; made if need be. One that holds anything but the same data set is refused.
        episodes: how many, at least 1.
        seed: at least 0. Episode e draws from SeedSequence([seed, e]).
        workers: processes. The bytes do not depend on it, nor on the engine.
        policy: a built-in name (None: the kind's first), `module:name`, or any picklable callable from observation to
            action. One with `reset(env, rng)` is told of each episode; one without must keep no state.
        compression: of the pictures: `none`, `lz4` or `zstd`, lossless.
        shard_episodes: episodes of a shard; None: as many as give about 32 MB.
        engine: `loky`, `ray` or `dask`.
        progress: whether to show a progress bar.
        env: settings of the environment, such as size=96, depth=True, length=100.

    Raises DataError for anything that cannot be done, and KeyboardInterrupt (with a message that says how to go on).
    """
    spec = make_spec(kind, episodes, seed, policy, compression, shard_episodes, **env)
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if workers < 1:
        raise DataError(f"workers: {workers} is not a number of processes; give at least 1")
    folder = Path(out)
    with _saying_what_is_kept(folder, spec):
        player = _resolve_policy(kind, policy)
        _environment(spec)  # a setting that it refuses is best refused before anything is written
        with claim(folder):
            open_directory(folder, {**json.loads(spec.text), "package version": embodied_ssl.__version__})
            started = time.perf_counter()
            entries, made = _make_shards(folder, spec, player, workers, engine, progress)
            write_manifest(folder, Manifest(kind, json.loads(spec.text), embodied_ssl.__version__, tuple(entries)))
            (folder / UNFINISHED).unlink(missing_ok=True)
    return summarise(folder, kind, entries, made, time.perf_counter() - started)


def make_spec(
    kind: str,
    episodes: int = 100,
    seed: int = 0,
    policy: str | Policy | None = None,
    compression: str = "none",
    shard_episodes: int | None = None,
    **env: Any,
) -> CollectSpec:
    """A specification with every default filled in, checked. Arguments as of `collect`; raises DataError."""
    if kind not in KINDS:
        raise unknown_name("environment", kind, KINDS)
    if compression not in COMPRESSIONS:
        raise unknown_name("compression", compression, COMPRESSIONS)
    settings = _env_settings(kind, env)
    for name, value, least in (("episodes", episodes, 1), ("seed", seed, 0), ("size", settings["size"], 8)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise DataError(f"{name}: {value!r}; give a whole number of at least {least}")
    if settings["size"] > MOST_PIXELS:
        raise DataError(f"size: {settings['size']}; give at most {MOST_PIXELS}")
    rows = settings["length" if kind in VIDEO_KINDS else "interactions"]
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise DataError(f"{'length' if kind in VIDEO_KINDS else 'interactions'}: {rows!r}; give at least 1")
    if shard_episodes is None:
        shard_episodes = episodes_of_a_shard(kind, settings, rows, episodes)
    elif shard_episodes < 1:
        raise DataError(f"shard_episodes: {shard_episodes}; give at least 1")
    return CollectSpec(kind, settings, _policy_name(kind, policy), episodes, seed, shard_episodes, compression)


def environment_class(kind: str) -> type[gymnasium.Env[Any, Any]]:
    """The class of a kind's environment; its constructor's signature is the list of settings."""
    entry_point = gymnasium.spec(f"embodied_ssl/{kind.capitalize()}-v0").entry_point
    module, _, name = str(entry_point).partition(":")
    return getattr(_simulation(module), name)


def built_in_policies(kind: str) -> dict[str, Callable[[], Policy]]:
    """The policies of a kind by name, the default one first."""
    module = "policies" if kind in INTERACTION_KINDS else "exploration"
    return _simulation(f"embodied_ssl.envs.{module}").POLICIES[kind]


def _simulation(module: str) -> ModuleType:
    """A module of the simulation. Raises DataError where what it needs is not installed."""
    try:
        importlib.import_module("embodied_ssl.envs.world")  # which tells what is missing
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("embodied_ssl"):
            raise
        raise DataError(str(error)) from error


def make_shard(folder: Path, spec: CollectSpec, index: int, policy: Policy) -> tuple[int, ShardEntry, bool]:
    """Simulate and write shard `index`, unless it is there and intact: (index, what it holds, whether it was made).

    A shard that was damaged is made again. Raises DataError where it belongs to another collection.
    """
    path = folder / f"shard-{index:05d}.h5"
    if path.exists():
        try:
            return index, read_entry(path, spec.identity(index)), False
        except ForeignShard:
            raise
        except DataError:
            path.unlink()
    first = index * spec.shard_episodes
    episodes = range(first, min(first + spec.shard_episodes, spec.episodes))
    env = _environment(spec)
    with Counter(folder, index) as counter:
        recorder = Recorder(spec.kind, spec.options, len(episodes) * spec.episode_rows, counter)
        for episode in episodes:
            source = np.random.SeedSequence([spec.seed, episode])
            seed = int(source.generate_state(1, np.uint64)[0] >> np.uint64(1))
            recorder.episode(env, policy, seed, np.random.default_rng(source.spawn(1)[0]))
    attributes: dict[str, str | int] = {
        "schema_version": SCHEMA_VERSION,
        "package_version": embodied_ssl.__version__,
        "kind": spec.kind,
        "spec": spec.text,
        "seed": spec.seed,
        "shard": index,
    }
    arrays = recorder.arrays()
    entry = write_shard(path, recorder.fields, arrays, attributes, spec.identity(index), spec.compression)
    return index, entry, True


def _make_shards(
    folder: Path, spec: CollectSpec, policy: Policy, workers: int, engine: str, progress: bool
) -> tuple[list[ShardEntry], set[int]]:
    """Make every shard that is not there; the entries of all, in order, and the numbers of those made."""
    entries: dict[int, ShardEntry] = {}
    made_now: set[int] = set()
    total = spec.episodes * spec.episode_rows
    jobs = ((folder, spec, index, policy) for index in range(spec.shards))
    bar = progress_bar(total, rows_table(spec.kind), spec.kind, shown=progress)
    with bar, watch(folder, bar) as watching:
        for index, entry, made in run_jobs(make_shard, jobs, workers, engine):
            entries[index] = entry
            if made:
                made_now.add(index)
            watching.finished(index, entry.rows, made)
    return [entries[index] for index in range(spec.shards)], made_now


@contextmanager
def _saying_what_is_kept(folder: Path, spec: CollectSpec) -> Iterator[None]:
    """Ctrl-C and SIGTERM in here tell how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        finished = len(list(folder.glob("shard-*.h5")))
        raise type(stop)(
            f"{str(stop) or 'interrupted'}: {finished} of {spec.shards} shards are finished in {folder}; "
            "run the same command again to go on"
        ) from None


_environments: dict[str, gymnasium.Env[Any, Any]] = {}  # of this process, at most one: building costs more than a reset


def _environment(spec: CollectSpec) -> gymnasium.Env[Any, Any]:
    """This process's environment for `spec`. Raises DataError where the environment refuses a setting."""
    key = json.dumps([spec.kind, spec.env], sort_keys=True)
    if key not in _environments:
        while _environments:
            _environments.popitem()[1].close()
        settings = {name: tuple(value) if isinstance(value, list) else value for name, value in spec.env.items()}
        try:
            _environments[key] = environment_class(spec.kind)(**settings)
        except (ValueError, TypeError, OSError) as error:
            raise DataError(f"{spec.kind}: {error}") from error
    return _environments[key]


def _env_settings(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Every setting of the environment: those given, and the defaults of its constructor."""
    parameters = _constructor_parameters(environment_class(kind))
    parameters.pop("render_mode", None)
    for name in given:
        if name not in parameters:
            raise unknown_name(f"setting of {kind}", name, parameters)
    settings = {name: given.get(name, parameter.default) for name, parameter in parameters.items()}
    try:
        return json.loads(json.dumps(settings))
    except TypeError as error:
        raise DataError(f"{kind}: settings are numbers, texts and lists of them ({error})") from error


def _constructor_parameters(owner: type) -> dict[str, inspect.Parameter]:
    """The named parameters of a constructor, and of those of its bases that it passes `**settings` on to."""
    found: dict[str, inspect.Parameter] = {}
    for each in owner.__mro__:
        if "__init__" not in vars(each):
            continue
        own = list(inspect.signature(each.__init__).parameters.values())[1:]  # type: ignore[misc]
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        found = {parameter.name: parameter for parameter in own if parameter.kind not in variadic} | found
        if all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in own):
            break
    return found


def _policy_name(kind: str, policy: str | Policy | None) -> str:
    if policy is None:
        return next(iter(built_in_policies(kind)))
    if isinstance(policy, str):
        return policy
    owner = policy if inspect.isroutine(policy) or inspect.isclass(policy) else type(policy)
    return f"{owner.__module__}:{owner.__qualname__}"


def _resolve_policy(kind: str, policy: str | Policy | None) -> Policy:
    """The policy itself, from its name if need be. Raises DataError where there is none of this name."""
    if callable(policy):
        return _made(policy)
    name = _policy_name(kind, policy)
    module, colon, attribute = name.partition(":")
    if not colon:
        known = built_in_policies(kind)
        if name not in known:
            raise unknown_name(f"policy of {kind} (or module:name for your own)", name, known)
        return known[name]()
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(f"policy {name}: {error}; the module must be importable from here") from error
    if not callable(found):
        raise DataError(f"policy {name}: not callable; give a function or class from observation to action")
    return _made(found)


def _made(policy: Any) -> Policy:
    """An instance, where a class was given."""
    if inspect.isclass(policy):
        policy = policy()
    return policy
