"""One trainer for every method: device, precision, accumulation, several devices, logs, and resuming bit for bit.

Lightning's Fabric puts tensors on devices and joins them; the loop is ours, since a run that ends with the same bits
after a kill takes batches and generators that depend on (seed, step, rank) alone, which its Trainer has no place for.
"""

import copy
import math
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapStyle

from embodied_ssl import __version__
from embodied_ssl.data import Sources, Taken, take_streams, write_samples
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.encoded import begin_worker, replaced
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.interrupts import Asked, postponed, saying_what_is_kept
from embodied_ssl.datasets.read.batches import Batch
from embodied_ssl.datasets.read.streams import Batches, Stream
from embodied_ssl.datasets.store.directory import claim
from embodied_ssl.encoders import Encoder
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.methods import method_name
from embodied_ssl.parts.precision import resolved, slowness
from embodied_ssl.training.checkpoint import (
    ENCODER,
    FIRST_WEIGHTS,
    METHOD,
    STATE,
    claim_run,
    is_finished,
    load_state,
    save_state,
    save_weights,
    weights_digest,
)
from embodied_ssl.training.compilation import compiled
from embodied_ssl.training.distributed import Agreement, synchronize_batch_norm
from embodied_ssl.training.logs import Log
from embodied_ssl.training.memory import keep_memory
from embodied_ssl.training.monitor import Monitor, Probe
from embodied_ssl.training.optimization import follow, learning_rate, make_optimizer, set_learning_rate
from embodied_ssl.training.outside import outside_code
from embodied_ssl.training.settings import Hardware, TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

USUAL_TRAINING = TrainingSettings()
ANY_HARDWARE = Hardware()
LOG_EVERY = 10
_SMALLER = "take a lower --learning_rate or a --clip, and another --out"
_PREPARE = 1 << 40  # a step that no run reaches: the randomness of `prepare`

_INFER_SHAPES = _PREPARE + 1  # and of `infer_shapes`
_PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def train(
    method: Method,
    out: Path | str,
    data: Mapping[str, Sources],
    recipe: Recipe | None = None,
    settings: TrainingSettings = USUAL_TRAINING,
    hardware: Hardware = ANY_HARDWARE,
) -> Path:
    """Train a method into the run directory `out`, or go on with a run that was interrupted.

    A run that was killed and is started again ends with the weights of an uninterrupted one, bit for bit on one
    device: the batches and all randomness of a step are functions of (seed, step, rank). Two runs on one
    kind of processor with one version of PyTorch are equal as well. Another kind (AVX2 instead of AVX-512, another GPU)
    sums in another order: its first loss agrees to 1e-4, after 20 updates of SimCLR its loss agrees to 2 % and its
    encoder's weights to 3 % of their length (measured: 0.2 % and 0.8 %), and more updates take the two further apart.

    Args:
        method: what to train; its encoder is what is kept.
        out: the run directory; made if need be. One of another configuration, or of a run that began from other first
            weights, is refused.
        data: a data set for each stream of the method's loss, by name, or several, taken one after the other.
        recipe: optimiser and schedule; None: the method's own.
        settings: how batches are drawn, and how training is watched and saved.
        hardware: where it runs, and with how many bits.

    Returns the run directory. Raises DataError where the data do not fit the method, the device is absent, the
    directory holds another run, the loss diverges, or the disk is full.
    """
    out, recipe = Path(out).expanduser(), recipe or method.recipe
    seed, accumulate = settings.seed, settings.accumulate
    taken = take_streams(method, data, settings.decode_size, settings.skip_damaged)
    streams = {name: each.stream for name, each in taken.items()}
    method.infer_shapes(streams, np.random.default_rng([seed, _INFER_SHAPES]))
    probe = _probe(settings)
    keep_memory()
    precision = resolved(hardware.precision, device := _present(hardware.device))
    fabric = _fabric(device, hardware.devices, hardware.nodes, precision)
    parts = 1 if method.whole_batch else accumulate  # of an update, each with a loss of its own
    share = _share(method, recipe, accumulate, fabric.world_size) * accumulate // parts
    configuration = _configuration(method, taken, recipe, seed, precision, accumulate, fabric.world_size)
    run, main = _Run(method, recipe, seed, parts, accumulate // parts, fabric, out), fabric.is_global_zero
    origins = [(name, origin) for name, each in taken.items() for origin in each.origins] if main else []
    with saying_what_is_kept(run.told), _claimed(out, configuration, fabric):
        if main:
            write_samples(out, taken, method.encoder.weights)
        if is_finished(out):
            return out
        first = run.start(streams)
        parts_of_batches = _Parts(streams, share, seed, fabric.global_rank, fabric.world_size)
        images = _pictures(parts_of_batches[0]) * parts * fabric.world_size
        for name, origin in origins if settings.progress else ():
            _say(f"{name}: {origin.describe()}")
        if main and (slow := slowness(precision, device)):
            _say(slow)
        log = Log(out, first, method_name(method), recipe.steps, images, main=main, progress=settings.progress)
        monitor = Monitor(parts_of_batches[0], probe, method.encoder.image_size, log.warn) if main else None
        word = "stopping after this update; once more, and at once" if main else ""
        with log, compiled(method) if hardware.compile else nullcontext(), postponed(word) as asked:
            batches = _loader(parts_of_batches, first * parts, recipe.steps * parts, hardware.workers, fabric)
            run.go_on(first, batches, log, monitor, settings.monitor_every, settings.checkpoint_every, asked)
        for name, origin in origins:
            if damaged := origin.damaged():
                _say(f"{name}: {replaced(damaged)}")
        fabric.barrier()
    return out


def _probe(settings: TrainingSettings) -> Probe | None:
    if settings.probe_on is None:
        return None
    return Probe(image_set(settings.probe_on, skip_damaged=settings.skip_damaged))


class _Run:
    """The moving parts of training: method, optimiser, averaged encoder, and what of them must survive a kill."""

    def __init__(
        self, method: Method, recipe: Recipe, seed: int, parts: int, inner_parts: int, fabric: "Fabric", out: Path
    ):
        self._method, self._recipe, self._seed, self._out = method, recipe, seed, out
        self._parts, self._inner_parts, self._fabric = parts, inner_parts, fabric
        self._saved: int | None = None  # updates that the state on disk knows of

    def start(self, streams: dict[str, Stream]) -> int:
        """Prepare a new run, or take up the state of an interrupted one; the step to begin with."""
        state = load_state(self._out / STATE) if (self._out / STATE).is_file() else None
        if state is None:
            self._method.prepare(streams, np.random.default_rng([self._seed, _PREPARE]))
        else:
            self._method.load_state_dict(state["method"])
        method, recipe, fabric = self._method, self._recipe, self._fabric
        fabric.to_device(method)
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            synchronize_batch_norm(method)
        self._average = copy.deepcopy(method.encoder).requires_grad_(False) if recipe.ema is not None else None
        optimizer = make_optimizer(method, recipe, fused=fabric.strategy.precision.precision != _PRECISIONS["16"])
        self._forward, self._optimizer = fabric.setup(_Forward(method), optimizer)
        if state is None:
            if fabric.is_global_zero:
                self.save(0)  # the first weights are part of what must survive a kill
            return 0
        self._optimizer.load_state_dict(state["optimizer"])
        fabric.strategy.precision.load_state_dict(state["precision"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._saved = int(state["step"])
        return self._saved

    @property
    def kept(self) -> Encoder:
        """The encoder that is kept: the averaged one where the recipe asks for one."""
        return self._average if self._average is not None else self._method.output_encoder

    def go_on(
        self,
        first: int,
        batches: Iterator[dict[str, Batch]],
        log: Log,
        monitor: Monitor | None,
        monitor_every: int,
        checkpoint_every: int,
        asked: Asked,
    ) -> None:
        """All updates from `first` on, and the files of the run; the main process alone has a monitor and writes.

        Where one of the processes was asked to stop, all do after an update that is common to them, with a state of it.
        """
        agreed = Agreement(self._fabric.device)
        for step in range(first, self._recipe.steps):
            last, saves = step + 1 == self._recipe.steps, (step + 1) % checkpoint_every == 0
            looked = step % LOG_EVERY == 0 or last or saves
            log.advance(step, self.update(step, batches, looked))
            stops = bool(agreed(asked.number)) and not last
            if (step + 1) % monitor_every == 0 or last:
                _together(self._fabric, partial(self._look, step, log, monitor))
            if monitor and (saves or stops) and not last:
                log.write()  # first: a kill between the two must lose no row, and a row too many is dropped
                self.save(step + 1)
            if stops:
                return self._stop(asked)
        if monitor:
            log.write()
            self.finish()

    def _stop(self, asked: Asked) -> None:
        """Leave what is stopped to the main process: it alone tells of it, and what it ends with is what counts."""
        self._fabric.barrier()
        if not self._fabric.is_global_zero:
            raise SystemExit(0)
        asked.number = asked.number or signal.SIGTERM  # which another process has got

    def _look(self, step: int, log: Log, monitor: Monitor | None) -> None:
        """Log what the monitor finds. Raises DataError where there is nothing to go on with."""
        if monitor is None:
            return
        try:
            log.note(step, monitor(self.kept, self._fabric.device))
        except DataError as error:
            raise DataError(f"{self._out}: after {step + 1} updates {error}; {_SMALLER}") from None

    def update(self, step: int, batches: Iterator[dict[str, Batch]], looked: bool) -> dict[str, float]:
        """One update of the weights; the logged values, if they are looked at."""
        recipe, fabric, total = self._recipe, self._fabric, self._parts
        set_learning_rate(self._optimizer, learning_rate(recipe, step))
        self._method.train()
        for part in range(total):
            now = self._step(step, part)
            moved = {name: batch.to(fabric.device, non_blocking=True) for name, batch in next(batches).items()}
            with fabric.no_backward_sync(self._forward, enabled=part + 1 < total):
                losses = self._forward(partial(self._method.loss, **moved, step=now))
                fabric.backward(losses["loss"] / total)
        values = self._values(losses, step) if looked else {}
        if recipe.clip is not None:
            fabric.clip_gradients(self._forward, self._optimizer, max_norm=recipe.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._method.after_step(now)
        if self._average is not None and recipe.ema is not None:
            follow(self._average, self._method.encoder, recipe.ema)
        return values

    def state(self, step: int) -> dict[str, Any]:
        """All that the rest of the run depends on, after `step` updates."""
        return {
            "step": step,
            "method": self._method.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "average": self._average.state_dict() if self._average is not None else None,
        }

    def save(self, step: int) -> None:
        """Write a state to go on from, after `step` updates."""
        save_state(self.state(step), self._out / STATE)
        self._saved = step

    def told(self) -> str:
        """What is kept of the run, in words."""
        if is_finished(self._out):
            return f"the run is finished in {self._out}"
        if self._saved is None:
            return "nothing is trained yet"
        return f"{self._saved:,} of {self._recipe.steps:,} updates are kept in {self._out}"

    def finish(self) -> None:
        """Write the weights; the encoder last, since its file says that the run has ended."""
        save_weights(self._method, self._out / METHOD)
        save_weights(self.kept, self._out / ENCODER)
        (self._out / STATE).unlink(missing_ok=True)

    def _step(self, step: int, part: int) -> Step:
        """The randomness of a part of an update is a function of (seed, step, rank), torch's own dropout included."""
        key = [self._seed, step * self._parts + part, self._fabric.global_rank]
        number = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
        torch.manual_seed(number)
        rng = torch.Generator(self._fabric.device).manual_seed(number)
        return Step(step / self._recipe.steps, rng, self._inner_parts)

    def _values(self, losses: dict[str, Tensor], step: int) -> dict[str, float]:
        averaged: Any = self._fabric.all_reduce(
            {name: value.detach() for name, value in losses.items()}, reduce_op="mean"
        )
        values = {name: float(value) for name, value in averaged.items()}
        if not math.isfinite(values["loss"]):
            raise DataError(f"{self._out}: the loss is {values['loss']} at step {step}; {_SMALLER}")
        return values


class _Forward(nn.Module):
    """A method's loss as a forward pass: there Lightning sets the precision, and joins the devices."""

    def __init__(self, method: Method):
        super().__init__()
        self.method = method

    def forward(self, loss: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        return loss()


@dataclass(frozen=True)
class _Parts(MapStyle[dict[str, Batch]]):
    """The batches of all streams, by number: a share of an update on one device."""

    streams: dict[str, Stream]
    size: int
    seed: int
    rank: int
    world_size: int

    def __getitem__(self, number: int) -> dict[str, Batch]:
        return {
            name: Batches(stream, self.size, self.seed, self.rank, self.world_size)[number]
            for name, stream in self.streams.items()
        }


@dataclass(frozen=True)
class _Safely(MapStyle[dict[str, Batch] | DataError]):
    """The batches, or what is wrong with them: raised in a worker process it would come with a traceback."""

    data: _Parts

    def __getitem__(self, number: int) -> dict[str, Batch] | DataError:
        try:
            return self.data[number]
        except DataError as error:
            return error


def _pictures(batches: dict[str, Batch]) -> int:
    """How many images there are in batches."""
    tensors = [getattr(batch, field.name) for batch in batches.values() for field in fields(batch)]
    return sum(tensor.flatten(0, -4).shape[0] for tensor in tensors if tensor.dtype == torch.uint8 and tensor.ndim > 3)


def _loader(data: _Parts, first: int, end: int, workers: int, fabric: "Fabric") -> Iterator[dict[str, Batch]]:
    pinned = fabric.device.type == "cuda"
    numbers = range(first, end)
    loader = DataLoader(
        _Safely(data),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        pin_memory=pinned,
        worker_init_fn=_begin_reader,
    )
    return map(_sound, iter(loader))  # `iter` draws from torch's generator: now, and not within the first update


def _begin_reader(worker: int) -> None:
    """Signals are left to the trainer, which ends its readers itself, once it has made the update that it is in."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    begin_worker(worker)


def _sound(batches: dict[str, Batch] | DataError) -> dict[str, Batch]:
    if isinstance(batches, DataError):
        raise batches
    return batches


def _say(what: str) -> None:
    print(f"embodied-ssl: {what}", file=sys.stderr)


def _present(device: str) -> str:
    """The device that is meant: of `auto`, and of Lightning's `gpu`, the one that is there."""
    if device not in ("auto", "gpu"):
        return device
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu" if device == "auto" else device


def _fabric(device: str, devices: int, nodes: int, precision: str) -> "Fabric":
    """The devices, joined. Raises DataError where they are not there."""
    from lightning_fabric import Fabric  # it takes seconds to import, which `--help` should not

    several = devices * nodes > 1
    try:
        fabric = Fabric(
            accelerator=device, devices=devices, num_nodes=nodes, precision=_PRECISIONS[precision],
            # A method may leave out heads in a step (the Curious Robot in turn).
            strategy="ddp_find_unused_parameters_true" if several else "auto",
        )  # fmt: skip
    except (RuntimeError, ValueError) as error:  # of Lightning: no such accelerator, or fewer than asked for
        raise DataError(f"no {devices} × '{device}' to train on ({' '.join(str(error).split())})") from None
    fabric.launch()
    return fabric


@contextmanager
def _claimed(out: Path, configuration: dict[str, Any], fabric: "Fabric") -> Iterator[None]:
    """Hold the run directory by the main process."""
    with ExitStack() as held:

        def hold() -> None:
            held.enter_context(claim(out))
            claim_run(out, configuration)

        _together(fabric, hold)
        yield


def _together(fabric: "Fabric", act: Callable[[], None]) -> None:
    """Act in the main process. What it refuses ends all, and it alone tells of it."""
    refusal = None
    if fabric.is_global_zero:
        try:
            act()
        except DataError as error:
            refusal = str(error)
    refusal = fabric.broadcast(refusal)
    if refusal is not None and not fabric.is_global_zero:
        raise SystemExit(0)
    if refusal is not None:
        raise DataError(refusal)


def _share(method: Method, recipe: Recipe, accumulate: int, world_size: int) -> int:
    """Samples of a part of a batch on one device. Raises DataError for too few, before any is read."""
    share, rest = divmod(recipe.batch_size, accumulate * world_size)
    if share < 1 or rest:
        raise DataError(
            f"a batch of {recipe.batch_size} can't be split evenly over {world_size} devices and {accumulate} parts; "
            "choose a multiple"
        )
    if method.whole_batch and recipe.batch_size < 2:
        raise DataError(f"batch_size: 1; {method_name(method)} compares samples with each other, give at least 2")
    if share < 2 and any(isinstance(layer, nn.BatchNorm1d) for layer in method.modules()):
        raise DataError(
            f"batch_size: {recipe.batch_size} is 1 at a time; {method_name(method)} has batch norm, which takes the "
            "mean and spread over samples: give a larger one, or fewer parts"
        )
    return share


def _configuration(
    method: Method,
    streams: Mapping[str, Taken],
    recipe: Recipe,
    seed: int,
    precision: str,
    accumulate: int,
    world_size: int,
) -> dict[str, Any]:
    """What the weights at the end depend on, and where the data lay."""
    return {
        "method": method_name(method),
        "settings": method.settings(),
        "encoder": method.encoder.settings,
        FIRST_WEIGHTS: {"sha256": weights_digest(method), "source": method.encoder.weights},
        "recipe": asdict(recipe),
        "seed": seed,
        "precision": precision,
        "accumulate": accumulate,
        "world_size": world_size,
        "data": {name: taken.entry() for name, taken in streams.items()},
        **outside_code(method),
        "package_version": __version__,
        "torch_version": torch.__version__,
    }
