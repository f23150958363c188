"""An update of every method by the trainer, against the bare forward and backward of its networks on the same views.

OPENBLAS_NUM_THREADS=1 python benchmarks/training.py [training.md] [--methods simclr,byol] [--encoders resnet8]

One thread, by processor time. In an update of `train` all calls of networks are noted: their inputs (views, features),
whether gradients were wanted, and the gradients that came back. Then the two take turns in one run: an update, with
batches, views, loss, optimiser, teachers and logs, and those calls alone once more, forward and backward. The ratio is
bare over update: 1 if nothing but networks took time. Images of 64 px, batches of the method's recipe, the studies'
encoder, or that of the method where it takes no other; DrLIM on four encoders besides. Takes about half an hour.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from timing import options
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.read import batches
from embodied_ssl.method import Method
from embodied_ssl.methods import make_method, method_class, method_names
from embodied_ssl.parts.precision import Precision
from embodied_ssl.training.callbacks import Callback
from embodied_ssl.training.devices.compilation import compiled
from embodied_ssl.training.runs.state import TrainingState
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

PRECISIONS: tuple[Precision, ...] = ("32", "bf16")
SIZE = 64  # px
STUDIES = "resnet8"
DRLIM = {"conv4": 128, "kitti_net": 128, "resnet18_small": 32, "vit_tiny": 32}  # and pairs in an update
KINDS = {"roam": {}, "hold": {"instance": True}, "grasp": {}, "push": {}, "poke": {}}
TAKEN_FROM = {
    batches.Grasps: "grasp", batches.Pushes: "push", batches.Pokes: "poke", batches.ObjectPairs: "hold",
    batches.Tracks: "hold", batches.LabelledFrames: "hold",
}  # fmt: skip
BEFORE = 3  # updates: one to warm up, one that is noted, one after it


@dataclass
class Call:
    """A call of a network while it trains."""

    function: Callable[..., Any]  # of a module
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    with_gradient: bool
    in_16_bits: bool
    weights_learn: bool  # or gradients go through it alone, as to what is made for a discriminator
    gradients: dict[int, Tensor] = field(default_factory=dict)
    """What came back to each of its outputs, by its number."""

    def again(self) -> tuple[list[Tensor], list[Tensor]]:
        """Those of its outputs that gradients came back to, made once more, and these."""
        with (
            torch.set_grad_enabled(self.with_gradient),
            torch.autocast("cpu", torch.bfloat16, self.in_16_bits),
            nullcontext() if self.weights_learn else held(self.function.__self__),  # type: ignore[attr-defined]
        ):
            outputs = tree_leaves(self.function(*self.arguments, **self.keywords))
        return [outputs[number] for number in self.gradients], [*self.gradients.values()]


class Notes:
    """Notes the calls of functions of modules, but not those that they make themselves."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._within = False
        self._weights_learn = True

    @contextmanager
    def of(self, method: Method) -> Iterator[None]:
        """Within it all calls of a method's networks are noted."""
        gradients_of = torch.autograd.grad

        def of_inputs(*arguments: Any, **keywords: Any) -> Any:
            self._weights_learn = False  # from what gradients come back to now
            found = gradients_of(*arguments, **keywords)
            self._weights_learn = True
            return found

        torch.autograd.grad = of_inputs
        try:
            with compiled(method, self.noting):
                yield
        finally:
            torch.autograd.grad = gradients_of

    def noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function like this one whose calls are noted."""
        own = any(each.requires_grad for each in function.__self__.parameters())  # type: ignore[attr-defined]

        def noted(*arguments: Any, **keywords: Any) -> Any:
            if self._within:
                return function(*arguments, **keywords)
            self._within = True
            given = tree_map(alone, (arguments, keywords))
            now = function.__self__.parameters()  # type: ignore[attr-defined]
            learn = not own or any(each.requires_grad for each in now)
            call = Call(function, *given, torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), learn)
            try:
                outputs = function(*arguments, **keywords)
            finally:
                self._within = False
            self.calls.append(call)
            for number, output in enumerate(tree_leaves(outputs)):
                if isinstance(output, Tensor) and output.requires_grad:
                    output.register_hook(partial(self._came_back, call, number))
            return outputs

        return noted

    def _came_back(self, call: Call, number: int, gradient: Tensor) -> None:
        call.gradients[number] = gradient
        call.weights_learn &= self._weights_learn

    def again(self) -> None:
        """All calls once more, forward and backward."""
        ends = [call.again() for call in self.calls]
        outputs, gradients = ([each for end in ends for each in end[i]] for i in range(2))
        torch.autograd.backward(outputs, gradients)


@contextmanager
def held(module: nn.Module) -> Iterator[None]:
    """Within it the weights of a module get no gradient."""
    learn = [each for each in module.parameters() if each.requires_grad]
    for each in learn:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in learn:
            each.requires_grad_(True)


def alone(value: Any) -> Any:
    """A tensor by itself, that gradients end at."""
    return value.detach().clone().requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value


class Beside(Callback):
    """After each update the calls of its networks by themselves; processor seconds of both."""

    def __init__(self) -> None:
        self.update: list[float] = []
        self.bare: list[float] = []
        self._notes, self._noting = Notes(), ExitStack()
        self._began = time.process_time()

    def on_update(self, state: TrainingState, metrics: Any) -> None:
        took = time.process_time() - self._began
        if state.updates == 1:
            self._noting.enter_context(self._notes.of(state.method))
        elif state.updates == 2:
            self._noting.close()
        if state.updates >= BEFORE - 1:
            bare = seconds(self._notes.again)
            state.optimizer.zero_grad(set_to_none=True)
        if state.updates > BEFORE:
            self.update.append(took)
            self.bare.append(bare)
        self._began = time.process_time()


def compared(method: Method, batch: int | None, precision: Precision, folder: Path, rounds: int) -> tuple[float, float]:
    """Processor seconds of an update and of its bare networks, medians."""
    recipe = replace(method.recipe, steps=rounds + BEFORE + 1, batch_size=batch or method.recipe.batch_size)
    settings = TrainingSettings(monitor_every=10**6, checkpoint_every=10**6, progress=False)
    data = {name: folder / TAKEN_FROM.get(spec.batch, "roam") for name, spec in method.input_streams().items()}
    beside = Beside()
    with tempfile.TemporaryDirectory(dir=folder) as out:
        train(method, Path(out) / "run", data, recipe, settings, Hardware("cpu", precision=precision), [beside])
    return statistics.median(beside.update[:rounds]), statistics.median(beside.bare[:rounds])


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def usual_encoder(name: str) -> str:
    """That of the studies, or a method's own where it is of another kind."""
    own = method_class(name).usual_encoder
    return STUDIES if own == "conv4" else own


def rows(
    names: list[str], encoders: list[str], precisions: list[Precision], folder: Path, rounds: int
) -> Iterator[str]:
    """A line of the table for each method, encoder and precision."""
    yield "| method | encoder | precision | update, core ms | its networks alone | ratio |\n|---|---|---|---|---|---|"
    asked = [(name, encoder, None) for name in names for encoder in encoders or [usual_encoder(name)]]
    if "drlim" in names and not encoders:
        asked += [("drlim", encoder, batch) for encoder, batch in DRLIM.items()]
    for name, encoder, batch in asked:
        for precision in precisions:
            method = make_method(name, encoder, SIZE)
            update, bare = compared(method, batch, precision, folder, rounds)
            cells = f"{1000 * update:,.0f} | {1000 * bare:,.0f} | {bare / update:.2f}"
            yield f"| {name} | {encoder} | {'float32' if precision == '32' else precision} | {cells} |"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("table", nargs="?", type=Path, help="a file for the table")
    parser.add_argument("--methods", default=",".join(method_names()), help="by name, with commas between; all of them")
    parser.add_argument("--encoders", default="", help="by name, with commas between, for all of these methods")
    parser.add_argument("--precisions", default=",".join(PRECISIONS), help="with commas between")
    parser.add_argument("--rounds", type=int, default=5, help="updates that are measured")
    given = parser.parse_args()
    names, encoders, precisions = (
        [part for part in given_words.split(",") if part]
        for given_words in (given.methods, given.encoders, given.precisions)
    )
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for kind, more in KINDS.items():
            collect(kind, folder / kind, 16, size=SIZE, **({"length": 50} if kind in ("roam", "hold") else {}), **more,
                    progress=False)  # fmt: skip
        lines = []
        for row in rows(names, encoders, precisions, folder, given.rounds):
            print(row, flush=True)
            lines.append(row)
    if given.table is not None:
        heading = "# Updates beside their bare networks\n\n`OPENBLAS_NUM_THREADS=1 python benchmarks/training.py`"
        given.table.write_text("\n".join([heading, "", *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
