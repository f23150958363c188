"""One trainer for every method: device, precision, accumulation, several devices, logs, and resuming bit for bit.

Lightning's Fabric puts tensors on devices and joins them; the loop is ours (loop.py), since a run that ends with the
same bits after a kill takes batches and generators that depend on (seed, step, rank) alone, which its Trainer has no
place for.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from embodied_ssl import __version__
from embodied_ssl.data import Sources, Taken, take_streams
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.images.encoded import replaced
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.interrupts import postponed, saying_what_is_kept
from embodied_ssl.datasets.read.motor import MotorSignals
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.datasets.store.directory import claim
from embodied_ssl.method import Method, Recipe
from embodied_ssl.methods import method_name
from embodied_ssl.parts.precision import resolved, slowness
from embodied_ssl.training.callbacks import Callback, ProgressBar, check_callbacks, watched
from embodied_ssl.training.devices.compilation import compiled
from embodied_ssl.training.devices.fabric import by_main_process, launch, present
from embodied_ssl.training.devices.loading import MicroBatches, count_images, load
from embodied_ssl.training.devices.memory import keep_memory
from embodied_ssl.training.logs import LOGGERS, check_loggers
from embodied_ssl.training.loop import Split, learn
from embodied_ssl.training.monitor import Monitor, Probe
from embodied_ssl.training.runs.checkpoint import FIRST_WEIGHTS, claim_run, is_finished, weights_digest
from embodied_ssl.training.runs.outside import outside_code
from embodied_ssl.training.runs.samples import write_samples
from embodied_ssl.training.runs.state import TrainingState
from embodied_ssl.training.settings import Hardware, TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

USUAL = TrainingSettings()
ANYWHERE = Hardware()
_PREPARE = 1 << 40  # a step that no run reaches: the randomness of `prepare`
_INFER_SHAPES = _PREPARE + 1  # and of `infer_shapes`


def train(
    method: Method,
    out: Path | str,
    data: Mapping[str, Sources],
    recipe: Recipe | None = None,
    settings: TrainingSettings = USUAL,
    hardware: Hardware = ANYWHERE,
    callbacks: Sequence[Callback] = (),
    motor: Mapping[str, MotorSignals] | None = None,
) -> Path:
    """Train a method into the run directory `out`, or go on with a run that was interrupted, or ended with fewer steps.

    A run that was killed and is started again ends with the weights of an uninterrupted one, bit for bit on one
    device: the batches and all randomness of a step are functions of (seed, step, rank). Two runs on one
    kind of processor with one version of PyTorch are equal as well. Another kind (AVX2 instead of AVX-512, another GPU)
    sums in another order: its first loss agrees to 1e-4, after 20 updates of SimCLR its loss agrees to 2 % and its
    encoder's weights to 3 % of their length (measured: 0.2 % and 0.8 %), and more updates take the two further apart.

    A finished run with fewer `recipe.steps`, and all else equal, goes on from its end, with the state of its optimiser.
    From there on the learning rate, and what a method ties to the progress of training, are those of the larger number:
    with a constant schedule without warm-up the run ends as if it had had that number from the start, bit for bit; with
    a cosine the rate, which had come down to 0, starts anew from where the longer cosine is, and the run is neither of
    the two. `lengthened_after` in `run.json` tells of it, and the encoder before is kept as `encoder-N.safetensors`.

    Args:
        method: what to train; its encoder is what is kept.
        out: the run directory; made if need be. One of another configuration, or of a run that began from other first
            weights, is refused.
        data: a data set for each stream of the method's loss, by name, or several, taken one after the other.
        recipe: optimiser and schedule; None: the method's own.
        settings: how batches are drawn, and how training is watched and saved.
        hardware: where it runs, and with how many bits.
        callbacks: what looks on, beside the progress bar and the loggers.
        motor: whose motor signals go with the images of streams of pairs and clips, by name of the stream; of others
            the body's own.

    Returns the run directory. Raises DataError where the data do not fit the method, the device is absent, the
    directory holds another run, the loss diverges, or the disk is full.
    """
    out, recipe = Path(out).expanduser(), recipe or method.recipe
    check_loggers(settings.logger)
    check_callbacks(callbacks)
    taken = take_streams(method, data, settings.decode_size, settings.skip_damaged, motor=motor, seed=settings.seed)
    streams = {name: each.stream for name, each in taken.items()}
    recipe = _with_steps(recipe, streams)
    shares = method.batch_shares()
    if unknown := shares.keys() - method.input_streams().keys():
        raise unknown_name(f"stream in batch_shares of {type(method).__name__}", unknown.pop(), method.input_streams())
    with _seeded(settings.seed, _INFER_SHAPES) as rng:
        method.infer_shapes(streams, rng)
    probe = _probe(settings)
    keep_memory()

    precision = resolved(hardware.precision, device := present(hardware.device))
    fabric = launch(hardware, device, precision)
    split = _split(method, recipe, settings.accumulate, fabric.world_size)
    configuration = _configuration(method, taken, recipe, settings, precision, fabric.world_size)
    state = TrainingState(out, method, recipe, fabric)
    with saying_what_is_kept(state.told), _claimed(out, configuration, fabric):
        if fabric.is_global_zero:
            write_samples(out, taken, method.encoder.init)
        if is_finished(out):
            return out
        with _seeded(settings.seed, _PREPARE) as rng:
            state.begin(streams, rng)
        samples = {name: max(1, round(split.per_device_batch * shares.get(name, 1.0))) for name in streams}
        micro_batches = MicroBatches(streams, samples, settings.seed, fabric.global_rank, fabric.world_size)
        with _told(taken, slowness(precision, device), settings.progress) if fabric.is_global_zero else nullcontext():
            _go_on(state, micro_batches, split, settings, hardware, configuration, probe, callbacks)
        fabric.barrier()
    return out


@contextmanager
def _seeded(seed: int, step: int) -> Iterator[np.random.Generator]:
    """The randomness of what comes before the updates, a function of (seed, step): torch's own has it as well."""
    key = [seed, step]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.default_rng(key).integers(1 << 62)))
        yield np.random.default_rng(key)


def _go_on(
    state: TrainingState,
    micro_batches: MicroBatches,
    split: Split,
    settings: TrainingSettings,
    hardware: Hardware,
    configuration: Mapping[str, Any],
    probe: Probe | None,
    callbacks: Sequence[Callback],
) -> None:
    """Make the updates that are left, watched by the main process."""
    monitor = None
    if state.fabric.is_global_zero:
        state.example = micro_batches[0]
        bar = _progress_bar(state, split, settings.progress)
        monitor = Monitor(state.example, probe, state.method.encoder.image_size, bar.warn)
        loggers = [LOGGERS[name][0](state.out, state.updates, configuration) for name in dict.fromkeys(settings.logger)]
        callbacks = [*loggers, bar, *callbacks]
    else:
        callbacks = []
    first, end = (updates * split.micro_batches for updates in (state.updates, state.recipe.steps))
    word = "stopping after this update; once more, and at once" if state.fabric.is_global_zero else ""
    with (
        watched(callbacks, state),
        compiled(state.method) if hardware.compile else nullcontext(),
        postponed(word) as asked,
        closing(load(micro_batches, first, end, hardware.workers, state.fabric.device)) as batches,
    ):
        learn(state, batches, split, settings, monitor, callbacks, asked)


def _progress_bar(state: TrainingState, split: Split, shown: bool) -> ProgressBar:
    images = count_images(state.example) * split.micro_batches * state.fabric.world_size
    return ProgressBar(method_name(state.method), state.updates, state.recipe.steps, images, shown)


def _probe(settings: TrainingSettings) -> Probe | None:
    if settings.probe_on is None:
        return None
    return Probe(image_set(settings.probe_on, skip_damaged=settings.skip_damaged))


@contextmanager
def _told(taken: Mapping[str, Taken], slow: str | None, described: bool) -> Iterator[None]:
    """Tell what is learned from, and what is slow; after training, which files were found damaged."""
    origins = [(name, origin) for name, each in taken.items() for origin in each.origins]
    for name, origin in origins if described else ():
        _say(f"{name}: {origin.describe()}")
    if slow:
        _say(slow)
    yield
    for name, origin in origins:
        if damaged := origin.damaged():
            _say(f"{name}: {replaced(damaged)}")


def _say(what: str) -> None:
    print(f"embodied-ssl: {what}", file=sys.stderr)


@contextmanager
def _claimed(out: Path, configuration: dict[str, Any], fabric: "Fabric") -> Iterator[None]:
    """Hold the run directory by the main process."""
    with ExitStack() as held:

        def hold() -> None:
            held.enter_context(claim(out))
            claim_run(out, configuration)

        by_main_process(fabric, hold)
        yield


def _with_steps(recipe: Recipe, streams: Mapping[str, Stream]) -> Recipe:
    """The recipe with as many updates as its epochs take, of the longest stream."""
    if recipe.epochs is None:
        return recipe
    per_epoch = max(map(len, streams.values())) / recipe.batch_size
    return replace(recipe, steps=max(1, round(recipe.epochs * per_epoch)), epochs=None)


def _split(method: Method, recipe: Recipe, accumulate: int, world_size: int) -> Split:
    """How a batch is shared out. Raises DataError where it can't be, before any is read."""
    smallest, rest = divmod(recipe.batch_size, accumulate * world_size)  # samples that are encoded at a time
    if smallest < 1 or rest:
        raise DataError(
            f"a batch of {recipe.batch_size} can't be split evenly over {world_size} devices and {accumulate} parts; "
            "choose a multiple"
        )
    if method.whole_batch and recipe.batch_size < 2:
        raise DataError(f"batch_size: 1; {method_name(method)} compares samples with each other, give at least 2")
    if smallest < 2 and any(isinstance(layer, nn.BatchNorm1d) for layer in method.modules()):
        raise DataError(
            f"batch_size: {recipe.batch_size} is 1 at a time; {method_name(method)} has batch norm, which takes the "
            "mean and spread over samples: give a larger one, or fewer parts"
        )
    if method.whole_batch:
        return Split(smallest * accumulate, micro_batches=1, loss_chunks=accumulate)
    return Split(smallest, micro_batches=accumulate, loss_chunks=1)


def _configuration(
    method: Method,
    streams: Mapping[str, Taken],
    recipe: Recipe,
    settings: TrainingSettings,
    precision: str,
    world_size: int,
) -> dict[str, Any]:
    """What the weights at the end depend on, and where the data lay."""
    return {
        "method": method_name(method),
        "settings": method.settings(),
        "encoder": method.encoder.settings,
        FIRST_WEIGHTS: {"sha256": weights_digest(method), "source": method.encoder.init},
        "recipe": asdict(recipe),
        "seed": settings.seed,
        "precision": precision,
        "accumulate": settings.accumulate,
        "world_size": world_size,
        "data": {name: taken.entry() for name, taken in streams.items()},
        **outside_code(method),
        "package_version": __version__,
        "torch_version": torch.__version__,
    }
