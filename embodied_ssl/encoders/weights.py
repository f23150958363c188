"""First weights from elsewhere: of a run, or of a file that another library reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders.base import Encoder
from embodied_ssl.zoo import run_folder

_WRAPPED = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Where training scripts keep the weights in what they save, the best first."""
_PREFIXES = ("module.", "_orig_mod.")
"""What training on several devices and compiling put before every name."""


def start_from(encoder: Encoder, source: Path | str) -> None:
    """Fill an encoder with weights of a run's directory, of `zoo/NAME`, or of a file, .safetensors or .pth.

    A file names them as an encoder of ours does or, for `timm/NAME` and `torchvision/NAME`, as that library does; its
    classifier is left out. Nothing in a file is executed. Raises DataError where it is missing, damaged, or of another
    network.
    """
    fill(encoder, read_weights(source), source)


def fill(encoder: Encoder, state: dict[str, Tensor], source: Path | str) -> None:
    """Fill an encoder with tensors that are named as its own, or as those of its library. `start_from` says more."""
    if set(state) == set(encoder.state_dict()):
        module: nn.Module = encoder
    else:
        try:
            module, state = encoder.adapt(state)
        except Exception as error:  # whatever a library's converter stumbles over
            raise _other(source, encoder, f"{type(error).__name__}: {error}") from None
    wanted = module.state_dict()
    differing = [name for name in wanted if name not in state or state[name].shape != wanted[name].shape]
    if differing or set(state) - set(wanted):
        found = f"{len(differing)} of {len(wanted)} tensors are missing or of another shape"
        raise _other(source, encoder, f"{found}, as {(differing or sorted(set(state) - set(wanted)))[0]}")
    wanted.update(state)  # which keeps the versions of its parts
    module.load_state_dict(wanted)


def read_weights(source: Path | str) -> dict[str, Tensor]:
    """The tensors of a run's encoder or of a file, by name. Raises DataError where there are none."""
    path = run_folder(source)
    if path.is_dir():
        path = path / "encoder.safetensors"
    if not path.is_file():
        raise DataError(
            f"{path}: no weights there; give `pretrained`, the directory of a run that has ended, `zoo/NAME`, or a file"
        )
    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else _load_pickled(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: damaged, or no file of weights ({' '.join(str(error).split())[:150]})") from None
    for key in _WRAPPED:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not all(isinstance(each, Tensor) for each in content.values()):
        raise DataError(f"{path}: holds something else than tensors by name; save a state_dict()")
    for prefix in _PREFIXES:
        content = {str(name).removeprefix(prefix): tensor for name, tensor in content.items()}
    return content


REFUSALS = RuntimeError, AssertionError, ValueError, IndexError, TypeError, AttributeError, ZeroDivisionError
"""What networks raise on images of a size that they are not made for."""


def without_classifier(
    state: dict[str, Tensor], network: nn.Module, classifiers: Sequence[str] | str | None
) -> dict[str, Tensor]:
    """A state without the tensors of a classifier that the network does not have any more."""
    names = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers or ())
    own = network.state_dict()
    dropped = tuple(f"{name}." for name in names)
    return {name: tensor for name, tensor in state.items() if name in own or not name.startswith(dropped)}


def no_weights(name: str, error: Exception) -> DataError:
    """What is said where the weights of a library can't be had."""
    why = " ".join(str(error).split())[:150]
    return DataError(
        f"{name}: its weights can't be downloaded here ({why}); fetch the file on another machine and give "
        "--init FILE, or leave out --init"
    )


def takes_no(name: str, image_size: int, usual: int, error: Exception) -> DataError:
    """What is said where a network can't see images of a size."""
    why = " ".join(str(error).split())[:150] or type(error).__name__
    remedy = f"give --image_size {usual}, which it is made for, or " if usual != image_size else ""
    return DataError(f"{name} takes no images of {image_size} px ({why}); {remedy}take another, as timm/resnet18")


def _load_pickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken or a forbidden pickle makes torch raise
        raise OSError(str(error)) from None


def _other(source: Path | str, encoder: Encoder, why: str) -> DataError:
    return DataError(f"{source}: weights of another network than {encoder.name} at {encoder.image_size} px ({why})")
