"""What a run leaves behind: its configuration as JSON, its weights as safetensors, and a state to go on from.

RUN/run.json               method, settings, encoder, recipe, first weights and data with fingerprints, versions
RUN/samples.npy            digests of all images that it may learn from: see samples.py
RUN/encoder.safetensors    what is kept: the encoder, once training has ended
RUN/encoder-N.safetensors  the encoder after N updates, where a run that had ended with N went on with more
RUN/method.safetensors     the whole method, heads included
RUN/state.pt               to go on from: weights, optimiser and step, replaced atomically; kept when training ends
RUN/metrics.csv            what was logged, by step
"""

import hashlib
import io
import json
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import remove_temporaries, write_atomically
from embodied_ssl.encoders import Encoder, make_encoder
from embodied_ssl.method import Method
from embodied_ssl.methods import method_class
from embodied_ssl.recipe import Recipe
from embodied_ssl.training.runs.outside import CODE, PLUGINS, check_outside
from embodied_ssl.training.runs.run import CONFIGURATION, ENCODER
from embodied_ssl.zoo import run_folder

METHOD = "method.safetensors"
STATE = "state.pt"
FIRST_WEIGHTS = "first_weights"
LENGTHENED = "lengthened_after"
"""Updates after which a run had ended, before it went on with more."""
_BEGINNING = (
    "make the method as it was made for that run, by the same seed and --init (one that has been trained since is "
    "another), or name another directory"
)


def load_encoder(run: Path | str) -> Encoder:
    """The encoder that a run has learned, or `zoo/NAME`, in evaluation mode.

    Raises DataError where there is none or it is damaged.
    """
    folder = run_folder(run)
    encoder = _encoder_of(folder, read_configuration(folder))
    load_weights(encoder, folder / ENCODER)
    encoder.init = str(run)  # what learns on from it has learned from the same images
    return encoder.eval()


def load_method(run: Path | str) -> Method:
    """The whole method of a run, heads included, in evaluation mode. Raises DataError as `load_encoder` does."""
    configuration = read_configuration(run)
    check_outside(run, configuration)
    try:
        method = method_class(configuration["method"])(_encoder_of(run, configuration), **configuration["settings"])
    except TypeError as error:
        raise _damaged(run, error) from None
    load_weights(method, Path(run) / METHOD)
    return method.eval()


def is_finished(run: Path | str) -> bool:
    """Whether a run has come to its end."""
    return (Path(run) / ENCODER).is_file()


def read_configuration(run: Path | str) -> dict[str, Any]:
    """The contents of `run.json`. Raises DataError where it is missing or damaged."""
    path = Path(run) / CONFIGURATION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        missing = {"method", "settings", "encoder", "recipe", "data"} - set(content)
        if missing:
            raise ValueError(f"no {', '.join(sorted(missing))}")
        return content
    except FileNotFoundError:
        raise DataError(f"{run}: no run of embodied-ssl train ({CONFIGURATION} is missing)") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(run, error) from None


def _encoder_of(run: Path | str, configuration: dict[str, Any]) -> Encoder:
    """The encoder of a configuration, without its weights."""
    try:
        check_outside(run, configuration, configuration["encoder"]["name"])
        return make_encoder(**configuration["encoder"])
    except (TypeError, KeyError) as error:
        raise _damaged(run, error) from None


def _damaged(run: Path | str, error: Exception) -> DataError:
    return DataError(f"{Path(run) / CONFIGURATION}: damaged ({error}); train again into another directory")


def claim_run(run: Path, configuration: dict[str, Any]) -> None:
    """Make `run` the directory of a run, or find the same run there, or one that ended with fewer updates.

    The latter is open again: its encoder has another name then, and `lengthened_after` in `run.json` tells of it.
    Raises DataError if it holds anything else.
    """
    if (run / CONFIGURATION).is_file():
        there = read_configuration(run)
        longer = configuration["recipe"]["steps"] > there["recipe"]["steps"]
        _check_same(run, comparable(there), comparable(configuration), but="recipe.steps" if longer else None)
        before = [*there.get(LENGTHENED, [])]
        if longer:
            _reopen(run, there["recipe"]["steps"], configuration["recipe"]["steps"])
            before.append(there["recipe"]["steps"])
        configuration = configuration | ({LENGTHENED: before} if before else {})
    elif run.exists() and (not run.is_dir() or any(not path.name.startswith(".") for path in run.iterdir())):
        raise DataError(f"{run}: holds something else; name a new or an empty directory")
    run.mkdir(parents=True, exist_ok=True)
    remove_temporaries(run)
    write_atomically(run / CONFIGURATION, [(json.dumps(configuration, indent=2, ensure_ascii=False) + "\n").encode()])


def _check_same(run: Path, there: dict[str, Any], wanted: dict[str, Any], but: str | None) -> None:
    """Raise DataError where a run is another than the one that is wanted. but: a name that may differ."""
    for name, value in wanted.items():
        if there.get(name) != value and name != but:
            why = _BEGINNING if name == FIRST_WEIGHTS else "name another directory"
            raise DataError(f"{run}: holds a run whose {name} is {there.get(name)}, not {value}; {why}")


def _reopen(run: Path, ended: int, steps: int) -> None:
    """Let a run that has ended go on with more updates. Raises DataError where it has not, or has lost its state."""
    has = f"{run}: holds a run whose recipe.steps is {ended}, not {steps}"
    if not (run / STATE).is_file():
        raise DataError(f"{has}, and {STATE} to go on from is gone; name another directory")
    if load_state(run / STATE)["step"] != ended:
        raise DataError(f"{has}; let it end with those, after which it can go on with more, or name another directory")
    if is_finished(run):  # not, where this was interrupted here
        (run / ENCODER).rename(run / f"encoder-{ended}.safetensors")


def comparable(configuration: dict[str, Any]) -> dict[str, Any]:
    """Flat, as JSON gives it back, without what the result does not depend on: where data and code lie, versions."""
    flat = {key: value for key, value in configuration.items() if not key.endswith("_version") and key != PLUGINS}
    flat["recipe"] = asdict(Recipe()) | flat["recipe"]  # what a run was not told had its default
    with suppress(DataError):  # of a method from outside that is not at hand, as they were told
        flat["settings"] = method_class(flat["method"]).with_defaults(flat["settings"])
    for group in ("settings", "encoder", "recipe"):
        flat |= {f"{group}.{key}": value for key, value in flat.pop(group).items()}
    flat |= {f"code of {piece}": digest for piece, digest in flat.pop(CODE, {}).items()}
    for name, entry in flat.pop("data").items():
        flat |= {f"data.{name}": entry["sha256"], f"part of {name}": entry.get("part", "")}
        flat |= {f"side of {name}": entry.get("side"), f"motor signals of {name}": entry.get("motor", "own")}
    if FIRST_WEIGHTS in flat:  # by content alone, wherever they lay
        flat[FIRST_WEIGHTS] = flat[FIRST_WEIGHTS]["sha256"]
    return json.loads(json.dumps(flat))


def weights_digest(module: nn.Module) -> str:
    """The sha256 of a module's parameters and buffers with their names, types and shapes, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        _check_tensor(module, name, tensor)
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().data if plain.numel() else b"")
    return digest.hexdigest()


def _check_tensor(module: nn.Module, name: str, tensor: Any) -> None:
    """Raise DataError for a part of a state that no file of weights holds."""
    if is_lazy(tensor):
        what, remedy = "has no shape yet", "make lazy layers in `infer_shapes`, or give them a batch before training"
    elif not isinstance(tensor, Tensor):
        what, remedy = f"is a {type(tensor).__name__}, no tensor", "keep it in buffers, or in settings"
    else:
        return
    raise DataError(f"{type(module).__name__}: {name} {what}; {remedy}")


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's parameters and buffers as safetensors, atomically."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(module).items()}
    memory = {name: tensor.untyped_storage().data_ptr() for name, tensor in plain.items()}
    shared = Counter(memory.values())  # which safetensors refuses
    write_atomically(path, [save_tensors({n: t.clone() if shared[memory[n]] > 1 else t for n, t in plain.items()})])


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a module from safetensors. Raises DataError where the file is missing, damaged or of another module."""
    try:
        found = load_tensors(path.read_bytes())
        if differing := sorted(set(found) ^ set(_tensors(module))):
            raise RuntimeError(f"missing or too many: {', '.join(differing)}")
        state = module.state_dict()  # with the versions of its parts, which the file does not hold
        state.update(found)
        module.load_state_dict(state)
    except FileNotFoundError:
        raise DataError(f"{path}: missing; the run has not ended, run the same embodied-ssl train again") from None
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataError(f"{path}: damaged or of another encoder ({' '.join(str(error).split())[:200]})") from None


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, each under its first name: an encoder that several methods share is there once."""
    first: dict[int, str] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        first.setdefault(id(tensor), name)
    return {name: tensor for name, tensor in module.state_dict().items() if name in first.values()}


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write the state of a run, atomically: a kill leaves the one before it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, [buffer.getbuffer()])


def load_state(path: Path) -> dict[str, Any]:
    """The state of a run; tensors and plain values only, never code. Raises DataError where damaged."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken zip archive makes torch raise
        raise DataError(f"{path}: damaged; delete it and train again ({' '.join(str(error).split())[:100]})") from None
