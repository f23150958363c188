"""The state of training: the weights, their optimiser and average, and what of them must survive a kill."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Batch
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.method import Method, Recipe
from embodied_ssl.methods import method_name
from embodied_ssl.training.devices.distributed import synchronize_batch_norm
from embodied_ssl.training.devices.fabric import PRECISIONS
from embodied_ssl.training.optimization import make_optimizer
from embodied_ssl.training.runs.checkpoint import (
    ENCODER,
    METHOD,
    STATE,
    is_finished,
    load_state,
    save_state,
    save_weights,
)
from embodied_ssl.training.stochastic_depth import skip_blocks

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class TrainingState:
    """What is trained, and how far it is."""

    forward: Any
    """A call of a method's loss, with the precision and the devices that Lightning gives it."""
    optimizer: Any
    average: Method | None
    """The moving average of the method, with its heads, where the recipe asks for one."""
    example: Mapping[str, Batch]
    """The first batch of each stream, on the CPU: of the main process, to look at."""

    def __init__(self, out: Path, method: Method, recipe: Recipe, fabric: "Fabric"):
        self.out = out
        self.method = method
        self.recipe = recipe
        self.fabric = fabric
        self.updates = 0
        """That are made."""
        self._shapes = _shapes(method)
        self._saved: int | None = None  # updates that the state on disk knows of

    @property
    def output_encoder(self) -> Encoder:
        """The encoder that the run leaves behind: the averaged one where the recipe asks for one."""
        return self.average.encoder if self.average is not None else self.method.output_encoder

    def begin(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Prepare a new run by `rng`, or take up the state of an interrupted one."""
        state = load_state(self.out / STATE) if (self.out / STATE).is_file() else None
        if state is None:
            self.method.prepare(streams, rng)
        else:
            self.method.load_state_dict(state["method"])
        self._set_up()
        if state is not None:
            self._take_up(state)
        elif self.fabric.is_global_zero:
            self.save()  # the first weights are part of what must survive a kill

    def save(self) -> None:
        """Write a state to go on from."""
        self.check_shapes()
        save_state(self._state(), self.out / STATE)
        self._saved = self.updates

    def finish(self) -> None:
        """Write the last state and the weights; the encoder last, since its file says that the run has ended."""
        self.save()  # from which the run can go on with more updates
        save_weights(self.average or self.method, self.out / METHOD)
        save_weights(self.output_encoder, self.out / ENCODER)

    def check_shapes(self) -> None:
        """Raise DataError where what is learned has other parts than at first: nothing could load it."""
        now = _shapes(self.method)
        if other := sorted(name for name in now.keys() | self._shapes if now.get(name) != self._shapes.get(name)):
            raise DataError(
                f"{method_name(self.method)}: {other[0]} was made, or has another shape, since `infer_shapes`; make it "
                "of its size in `__init__`, or in `infer_shapes` by a setting, and fill it afterwards"
            )

    def told(self) -> str:
        """What is kept of the run, in words."""
        if is_finished(self.out):
            return f"the run is finished in {self.out}"
        if self._saved is None:
            return "nothing is trained yet"
        return f"{self._saved:,} of {self.recipe.steps:,} updates are kept in {self.out}"

    def _set_up(self) -> None:
        """Put the method on its device, and make what follows it and what optimises it."""
        method, recipe, fabric = self.method, self.recipe, self.fabric
        fabric.to_device(method)
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            synchronize_batch_norm(method)
        skip_blocks(method.encoder, recipe.stochastic_depth)
        method.zero_grad()  # what was learned on the way to here leaves no gradient to the first update
        self.average = copy.deepcopy(method).requires_grad_(False) if recipe.ema is not None else None
        optimizer = make_optimizer(method, recipe, fused=fabric.strategy.precision.precision != PRECISIONS["16"])
        self.forward, self.optimizer = fabric.setup(_Forward(method), optimizer)

    def _state(self) -> dict[str, Any]:
        """All that the rest of the run depends on."""
        return {
            "step": self.updates,
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
        }

    def _take_up(self, state: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.average is not None:
            if state["average"].keys() != self.average.state_dict().keys():
                raise DataError(
                    f"{self.out}: was begun when the average was of the encoder alone; begin it anew in another --out"
                )
            self.average.load_state_dict(state["average"])
        self.updates = self._saved = int(state["step"])


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


class _Forward(nn.Module):
    """A method's loss as a forward pass: there Lightning sets the precision, and joins the devices."""

    def __init__(self, method: Method):
        super().__init__()
        self.method = method

    def forward(self, loss: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        return loss()
