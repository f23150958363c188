"""Encoders from outside: any `nn.Module` of one's own, by one small adapter."""

import inspect
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn

from embodied_ssl import plugins
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders.base import Encoder
from embodied_ssl.encoders.weights import REFUSALS

_WANTED = (
    "an encoder takes images [B, 3, H, W] in [0, 1] and gives features [B, D], a map [B, C, h, w], or several of these "
    "as a list or by name, the deepest last"
)


class OutsideEncoder(Encoder):
    """A module of one's own, `network`, whose output is taken for stages.

    It sees float images [B, 3, H, W] in [0, 1], which it normalises itself, and gives features [B, D], a map
    [B, C, h, w], or several of these, the deepest last: a list or tuple (`stage1`, `stage2`, ...) or a dictionary, by
    name. Features are a map of 1×1; of a map they are its mean.
    """

    def __init__(self, name: str, image_size: int, network: nn.Module):
        """Raises DataError where the module takes no images of this size, or gives something else."""
        super().__init__()
        self.name = name
        self.image_size = image_size
        self.network = network
        stages, _ = _tried(self, network, torch.rand(2, 3, image_size, image_size))
        self.channels = {key: maps.shape[1] for key, maps in stages.items()}
        self.dim = self.width

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        found = self.network(images)
        if isinstance(found, Tensor):
            found = {"features" if found.ndim == 2 else "maps": found}
        elif isinstance(found, list | tuple):
            found = {f"stage{i + 1}": maps for i, maps in enumerate(found)}
        if not isinstance(found, dict) or not found:
            raise DataError(f"{self.name} gives a {type(found).__name__}; {_WANTED}")
        return {key: self._as_map(maps) for key, maps in found.items()}

    def _as_map(self, found: Any) -> Tensor:
        if not isinstance(found, Tensor) or found.ndim not in (2, 4):
            given = f"a tensor {list(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise DataError(f"{self.name} gives {given}; {_WANTED}")
        return found if found.ndim == 4 else found[:, :, None, None]


def added_encoders(built_in: Iterable[str] = ()) -> dict[str, Callable[..., nn.Module]]:
    """Classes and functions from outside that make an encoder, by name."""
    return plugins.added("encoders", _makes_one, built_in, declared=callable)


def outside_encoder(name: str) -> Callable[..., nn.Module]:
    """What `module:Name` stands for, which counts as added from now on. Raises DataError where it makes no encoder."""
    make = plugins.member(name)
    if not _makes_one(make):
        raise DataError(
            f"{name} makes no encoder; name an nn.Module that needs no argument but `image_size`, or a function that "
            "returns one and says so by its annotation"
        )
    plugins.use(name)
    return make


def make_outside(make: Callable[..., nn.Module], name: str, image_size: int) -> Encoder:
    """The encoder that a class or a function from outside makes. Raises DataError for what is none."""
    sized = "image_size" in inspect.signature(make).parameters
    network = make(image_size=image_size) if sized else make()
    if not isinstance(network, nn.Module):
        raise DataError(f"{name} makes a {type(network).__name__}, no nn.Module; {_WANTED}")
    if not isinstance(network, Encoder):
        return OutsideEncoder(name, image_size, network)
    network.name, network.image_size = name, image_size
    if not make.__module__.startswith(f"{__package__}."):  # ours are tested
        _check(network)
    return network


def _check(encoder: Encoder) -> None:
    """Raise DataError where an encoder from outside does not give what it says."""
    size = encoder.image_size
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))  # torch's own stays as it is
    stages, features = _tried(encoder, encoder, images)
    gives = {"channels": {name: maps.shape[1] for name, maps in stages.items()}, "dim": features.shape[-1]}
    for name, value in gives.items():
        if (said := getattr(encoder, name, None)) != value:
            raise DataError(f"{encoder.name}: its `{name}` is {said}, but it gives {value}; set it in `__init__`")


def _tried(encoder: Encoder, network: nn.Module, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The stages and the pooled features that an encoder gives at rest. Raises DataError where it takes no images."""
    training = network.training
    network.eval()
    with torch.no_grad():
        try:
            stages = encoder.stages(images)
            features = encoder.pool(stages)
        except NotImplementedError:
            raise DataError(f"{encoder.name} has no `stages`; write them, or extend nn.Module with `forward`") from None
        except REFUSALS as error:
            why = " ".join(str(error).split())[:150]
            raise DataError(f"{encoder.name} takes no images of {len(images[0, 0])} px ({why}); {_WANTED}") from error
    network.train(training)
    return stages, features


def _makes_one(make: Any) -> bool:
    """Whether this makes an `nn.Module` of nothing but the size of images; methods, which take an encoder, do not."""
    if isinstance(make, type):
        made: Any = make
    else:
        made = _returned(make) if inspect.isfunction(make) else None
    if not (isinstance(made, type) and issubclass(made, nn.Module)):
        return False
    parameters = inspect.signature(make).parameters.values()
    needed = {each.name for each in parameters if each.default is each.empty and each.kind not in _OPEN}
    return needed <= {"image_size"}


def _returned(function: Any) -> Any:
    """What a function says that it returns; None where it says nothing, or what is known to type checkers alone."""
    said = {name: hint for name, hint in function.__annotations__.items() if name == "return"}
    try:
        return get_type_hints(SimpleNamespace(__annotations__=said), function.__globals__).get("return")
    except NameError:
        return None


_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
