"""The loop: what happens in an update, from the batches to the averaged encoder, and after it."""

import math
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.interrupts import Asked
from embodied_ssl.datasets.read.batches import Batch
from embodied_ssl.method import Method, Step, checked_losses
from embodied_ssl.plugins import origin_of
from embodied_ssl.training.callbacks import Callback
from embodied_ssl.training.devices.distributed import Agreement
from embodied_ssl.training.devices.fabric import by_main_process
from embodied_ssl.training.monitor import Monitor
from embodied_ssl.training.optimization import clip_each, follow, set_schedules
from embodied_ssl.training.runs.checkpoint import is_finished
from embodied_ssl.training.runs.state import TrainingState
from embodied_ssl.training.settings import TrainingSettings

LOG_EVERY = 10
_SMALLER = "take a lower --learning_rate or a --clip, and another --out"


@dataclass(frozen=True)
class Split:
    """How the batch of an update is shared out: first over the devices, then over time."""

    per_device_batch: int
    """Samples of each stream in a micro-batch on one device."""
    micro_batches: int
    """Forward and backward passes of an update, each with a loss of its own; their gradients are averaged."""
    loss_chunks: int
    """Parts in which a loss that compares the whole batch encodes it (`Step.loss_chunks`); 1 for other losses."""


def learn(
    state: TrainingState,
    batches: Iterator[dict[str, Batch]],
    split: Split,
    settings: TrainingSettings,
    monitor: Monitor | None,
    callbacks: Sequence[Callback],
    asked: Asked,
) -> None:
    """All updates that are left of a run, and its files; the main process alone has a monitor, callbacks, and writes.

    Where one of the processes was asked to stop, all do after an update that is common to them, with a state of it.
    """
    main, steps = state.fabric.is_global_zero, state.recipe.steps
    agreed = Agreement(state.fabric.device)
    for step in range(state.updates, steps):
        last = step + 1 == steps
        saves = (step + 1) % settings.checkpoint_every == 0
        logged = step % LOG_EVERY == 0 or last or saves

        metrics = update(state, step, batches, split, settings.seed, logged)
        for callback in callbacks:
            callback.on_update(state, metrics)
        stops = bool(agreed(asked.number)) and not last

        if (step + 1) % settings.monitor_every == 0 or last:
            by_main_process(state.fabric, partial(_look, state, monitor, callbacks))
        if main and (saves or stops or last):
            _save(state, callbacks)
        if stops:
            return _stop(state, asked)
    if main and not is_finished(state.out):  # it was killed between its last state and its weights
        _save(state, callbacks)


def update(
    state: TrainingState, step: int, batches: Iterator[dict[str, Batch]], split: Split, seed: int, logged: bool
) -> dict[str, float]:
    """One update of the weights; what it logs, if it is to."""
    method, recipe, fabric = state.method, state.recipe, state.fabric
    set_schedules(state.optimizer, recipe, step)
    method.train()

    # Micro-batches: their gradients add up, and are joined over the devices after the last.
    for micro_batch in range(split.micro_batches):
        last = micro_batch + 1 == split.micro_batches
        now = _step(state, step, micro_batch, split, seed)
        batch = {name: each.to(fabric.device, non_blocking=True) for name, each in next(batches).items()}
        with fabric.no_backward_sync(state.forward, enabled=not last):
            given = state.forward(partial(method.loss, **batch, step=now))  # views and loss: by name, each []
            losses = _checked(method, given)
            fabric.backward(losses["loss"] / split.micro_batches)
    metrics = _averaged(state, step, losses) if logged else {}  # before the weights move, so that none are spoilt

    # The weights, then what follows them: a teacher, a queue, the average that is kept.
    if recipe.clip_each is not None or recipe.clip is not None:  # the scaler knows the optimiser itself, and once
        fabric.strategy.precision.unscale_gradients(state.optimizer.optimizer)
    if recipe.clip_each is not None:
        clip_each(method.parameters(), recipe.clip_each)
    if recipe.clip is not None:
        torch.nn.utils.clip_grad_norm_(method.parameters(), recipe.clip)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    method.after_step(now)
    if state.average is not None and recipe.ema is not None:
        state.check_shapes()
        follow(state.average, method, recipe.ema)
    state.updates = step + 1
    return metrics


def _checked(method: Method, given: Any) -> dict[str, torch.Tensor]:
    """Losses by name. Raises DataError where a method gives something else, or what nothing learns from."""
    losses = checked_losses(method, given)
    if not losses["loss"].requires_grad:
        raise DataError(
            f"{origin_of(method)}.loss gave a loss without a gradient; make it of parameters that learn, without "
            "`detach` or `no_grad`"
        )
    return losses


def _step(state: TrainingState, step: int, micro_batch: int, split: Split, seed: int) -> Step:
    """The randomness of a micro-batch is a function of (seed, step, rank), torch's own dropout included."""
    key = [seed, step * split.micro_batches + micro_batch, state.fabric.global_rank]
    number = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.manual_seed(number)
    rng = torch.Generator(state.fabric.device).manual_seed(number)
    return Step(step / state.recipe.steps, rng, split.loss_chunks)


def _averaged(state: TrainingState, step: int, losses: dict[str, torch.Tensor]) -> dict[str, float]:
    """The means over the devices. Raises DataError for a loss that is no finite number."""
    detached = {name: value.detach() for name, value in losses.items()}
    averaged: Any = state.fabric.all_reduce(detached, reduce_op="mean")
    metrics = {name: float(value) for name, value in averaged.items()}
    if not math.isfinite(metrics["loss"]):
        raise DataError(f"{state.out}: the loss is {metrics['loss']} at step {step}; {_SMALLER}")
    return metrics


def _look(state: TrainingState, monitor: Monitor | None, callbacks: Sequence[Callback]) -> None:
    """Tell what the monitor finds. Raises DataError where there is nothing to go on with."""
    if monitor is None:
        return
    try:
        metrics = monitor(state.output_encoder, state.fabric.device)
    except DataError as error:
        raise DataError(f"{state.out}: after {state.updates} updates {error}; {_SMALLER}") from None
    for callback in callbacks:
        callback.on_monitor(state, metrics)


def _save(state: TrainingState, callbacks: Sequence[Callback]) -> None:
    """A state to go on from, or the weights; first what callbacks write, so that a kill between loses no row of it."""
    for callback in callbacks:
        callback.on_save(state)
    state.save() if state.updates < state.recipe.steps else state.finish()


def _stop(state: TrainingState, asked: Asked) -> None:
    """Leave what is stopped to the main process: it alone tells of it, and what it ends with is what counts."""
    state.fabric.barrier()
    if not state.fabric.is_global_zero:
        raise SystemExit(0)
    asked.number = asked.number or signal.SIGTERM  # which another process has got
