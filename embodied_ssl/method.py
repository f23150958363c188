"""The protocol of a method: an encoder, heads on it, and the loss of its paper."""

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Union, get_args, get_origin

import numpy as np
import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Batch
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import hints_of, within_limits
from embodied_ssl.plugins import origin_of
from embodied_ssl.recipe import Preset, Recipe

_OF_MAKING = ("name", "encoder", "image_size", "seed", "init", "preset")
"""What `make_method` takes beside the settings of a method: no names of them."""
COLUMNS = {"step", "feature_rank", "feature_deviation", "linear_probe", "knn"}
"""Of `metrics.csv` that the trainer and its monitor write: no names of losses."""


@dataclass(frozen=True)
class Step:
    """Where training is, and the randomness of this step."""

    progress: float
    """0 at the first step, towards 1."""
    rng: torch.Generator
    """On the device of the batches, seeded from (seed, step, rank)."""
    loss_chunks: int = 1
    """In how many chunks a loss that takes the whole batch is to encode it (`in_chunks`), to save memory."""


@dataclass(frozen=True)
class StreamSpec:
    """One stream that a loss takes: the type of its batches, and whether it is required."""

    batch: type[Batch]
    required: bool


@dataclass(frozen=True)
class Panel:
    """An image for a report or a notebook, and its caption."""

    image: Tensor
    """Float [3, h, w] in [0, 1]; of any size."""
    text: str = ""
    right: bool | None = None
    """Whether it shows a prediction that is right or wrong; None: neither."""


class Method(nn.Module):
    """What the trainer trains. A subclass has an `__init__`, a `loss`, and where its paper asks for it the rest.

    The parameters of `__init__` are the method's configuration: the first is `encoder`, the others have defaults and
    are attributes of the same names from the first line of its body on: nothing copies them. The parameters of `loss`
    are its data: each but `step` is a batch, by the type that it is annotated with; one whose default is None can be
    left out. From these two signatures come the command line, the saved configuration, the check of the data, and the
    documentation.
    """

    recipe: Recipe = Recipe()
    usual_encoder: ClassVar[str] = "conv4"
    """The encoder that is taken where none is named."""
    presets: ClassVar[Mapping[str, Preset]] = {}
    """Other sizes than the usual one, by name: `paper` is that of the method's paper. See `presets_of`."""
    whole_batch: bool = False
    """Whether the loss is more than the mean of those of its samples: it compares them, or takes a share of them all.

    Then a batch is not split into losses of their own, but encoded in chunks (`Step.loss_chunks`), and what is compared
    is gathered from all processes (`distributed.gather`): loss and gradients are those of the whole batch on one
    device.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def __init_subclass__(cls, **options: Any) -> None:
        """Settings are held to the limits that their annotations state, and kept as attributes."""
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            hidden = [name for name in settings_of(cls) if hasattr(cls, name)]
            if hidden:
                raise TypeError(f"{cls.__name__}: the setting '{hidden[0]}' has the name of a method; take another")
            if taken := [name for name in settings_of(cls) if name in _OF_MAKING]:
                raise DataError(f"{cls.__name__}: the setting '{taken[0]}' is a parameter of make_method; take another")
            cls.__init__ = within_limits(_keeping_settings(cls.__init__))  # type: ignore[method-assign]

    if TYPE_CHECKING:  # settings and buffers are declared by a signature and by name, where a type checker can't look

        def __getattr__(self, name: str) -> Any: ...

    def loss(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The scalars of one step: `loss` is minimised, the others are logged. Called by the trainer alone.

        A subclass names its batches and takes `step: Step`; here the signature is open so that each may have its own.
        """
        raise NotImplementedError

    def stream_options(self) -> dict[str, dict[str, Any]]:
        """How streams are read from their data sets, by name of the stream: `{"pairs": {"max_gap_s": 1.0}}`."""
        return {}

    def batch_shares(self) -> dict[str, float]:
        """How many samples of a stream come for each of a batch, by its name, where not one: `{"labelled": 1 / 7}`.

        Rounded in each part of a batch that is encoded at a time (`accumulate`, devices), where there is at least one.
        """
        return {}

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Infer from the data what the shapes of weights depend on, such as the number of classes.

        Called before `prepare`, and also where a run is resumed; what was inferred is part of `settings` afterwards.
        """

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Fill buffers with what the paper computes from the data before training, such as clusters. Called once."""

    def after_step(self, step: Step) -> None:
        """What follows each update: a teacher, a queue, a centre."""

    @property
    def output_encoder(self) -> Encoder:
        """The encoder that is the result of a run: the one that learns, or its teacher."""
        return self.encoder

    def show(self, *args: Any, **kwargs: Any) -> list[list[Panel]]:
        """Rows of panels: what the method's own task shows it, and what it answers; none where it has no such task.

        Takes what `loss` takes, and changes nothing of the method. Of a large batch the first few rows are shown.
        Called by `parts.panels.panels_of`, in evaluation mode and without gradients, for reports and notebooks.
        """
        return []

    def input_streams(self) -> dict[str, StreamSpec]:
        """The streams that `loss` takes, by name, required or not. Raises DataError where it takes none."""
        if found := input_streams_of(type(self)):
            return found
        raise DataError(f"{origin_of(self)} has no loss of batches; write `def loss(self, frames: Frames, step: Step)`")

    def settings(self) -> dict[str, Any]:
        """The values of the parameters of `__init__`, without the encoder, as JSON can hold them.

        Given to `__init__` again they make a method like this one. Raises DataError for a value that is no setting.
        """
        return {name: _plain(name, getattr(self, name)) for name in settings_of(type(self))}

    @classmethod
    def with_defaults(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings as `settings` said them when there were fewer: each that is missing has its default."""
        found = dict(settings)
        for name, parameter in settings_of(cls).items():
            if parameter.default is not parameter.empty:
                usual = _plain(name, parameter.default)
                given = found.get(name, usual)
                found[name] = usual | given if isinstance(usual, dict) and isinstance(given, dict) else given
        return found


def settings_of(method: type[Method]) -> dict[str, inspect.Parameter]:
    """The settings of a class of methods by name: the parameters of its `__init__`, but for the encoder.

    `**` in an `__init__` stands for the settings of the class that it extends.
    """
    found: dict[str, inspect.Parameter] = {}
    for init in (vars(owner)["__init__"] for owner in method.__mro__ if "__init__" in vars(owner)):
        own = list(inspect.signature(init).parameters.values())[2:]
        found |= {each.name: each for each in own if each.kind is not each.VAR_KEYWORD and each.name not in found}
        if all(each.kind is not each.VAR_KEYWORD for each in own):
            break
    return found


def presets_of(method: type[Method]) -> dict[str, Preset]:
    """The sizes at which a method is trained, by name: its usual one first, `small`, then those of its own."""
    return {"small": Preset(method.usual_encoder, 64, method.recipe), **method.presets}


def input_streams_of(method: type[Method]) -> dict[str, StreamSpec]:
    """The streams that a class of methods takes, by name, read from the signature of its `loss`.

    Raises DataError for a signature that the trainer could not call.
    """
    hints = hints_of(method.loss)
    parameters = inspect.signature(method.loss).parameters
    found = {}
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)  # joint takes any
    named = {name: each for name, each in list(parameters.items())[1:] if each.kind not in open_ended}
    for name, parameter in named.items():
        if name == "step":
            continue
        batch = _batch_type(hints.get(name))
        if batch is None:
            raise DataError(
                f"{method.__name__}.loss: '{name}' has no type of batches; annotate it, as in `frames: Frames`, with "
                "one of embodied_ssl.datasets.read.batches"
            )
        found[name] = StreamSpec(batch, required=parameter.default is inspect.Parameter.empty)
    if named and "step" not in named:
        raise DataError(f"{method.__name__}.loss: it is called with `step`; add the parameter `step: Step`")
    return found


def checked_losses(method: Method, losses: Any) -> dict[str, Tensor]:
    """What the `loss` of a method gave, numbers as tensors. Raises DataError for anything but scalars by name."""
    if not isinstance(losses, dict):
        raise _no_losses(method, type(losses).__name__)
    if not isinstance(losses.get("loss"), Tensor):
        raise _no_losses(method, f"a dict of {', '.join(map(str, losses)) or 'nothing'}")
    found = {}
    for name, value in losses.items():
        scalar = torch.tensor(float(value), device=losses["loss"].device) if isinstance(value, Real) else value
        if not isinstance(name, str) or not isinstance(scalar, Tensor):
            raise _no_losses(method, f"a {type(value).__name__} by the name {name!r}")
        if scalar.ndim if name == "loss" else scalar.numel() != 1:
            raise _no_losses(method, f"'{name}' of shape {[*scalar.shape]}")
        found[name] = scalar
    if taken := found.keys() & COLUMNS:
        raise DataError(f"{origin_of(method)}.loss gave '{min(taken)}', a column of metrics.csv; take another name")
    return found


def _no_losses(method: Method, given: str) -> DataError:
    return DataError(f'{origin_of(method)}.loss gave {given}; return {{"loss": scalar, ...}}, of tensors []')


def _batch_type(hint: Any) -> type[Batch] | None:
    """The type of batch in `Batch` or `Batch | None`."""
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType, Annotated) else (hint,)
    return next((option for option in options if isinstance(option, type) and issubclass(option, Batch)), None)


def _keeping_settings(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` whose settings are attributes of the method before its body runs.

    They go past `nn.Module.__setattr__`, which takes no attribute before `nn.Module.__init__` has run. Modules and
    tensors are left to the body: they are parts of the network, which only `nn.Module` can register.
    """
    signature = inspect.signature(init)
    own = [name for name, each in list(signature.parameters.items())[2:] if each.kind is not each.VAR_KEYWORD]

    @functools.wraps(init)
    def keeping(self: Method, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        for name, value in ((name, given.arguments[name]) for name in own):
            if (before := vars(self).get(name, value)) is not value and before != value:
                raise TypeError(f"{type(self).__name__}: its own '{name}' differs from what it gives to `super()`")
            if not isinstance(value, nn.Module | Tensor):
                vars(self)[name] = value
        init(*given.args, **given.kwargs)

    return keeping


def _plain(name: str, value: Any) -> Any:
    """The value of a setting as JSON can hold it: a path as text, the fields of a dataclass by name."""
    if value is None or isinstance(value, str | int | float):  # booleans are integers
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        several = [_plain(name, each) for each in value]
        return tuple(several) if isinstance(value, tuple) else several
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(f"{name}.{key}", each) for key, each in value.items()}
    kind = type(value).__name__
    raise DataError(f"{name}: a {kind} can't be saved as a setting of a run; give its name or its file")
