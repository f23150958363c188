"""What is compared where bytes are promised: the contents of a data set, whatever HDF5 and versions say about them."""

import hashlib
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.read.readers import Dataset

DECIDING = ("numpy", "opencv-python", "pybullet")  # other versions of these may make other bytes


def contents(folder: Path) -> dict[str, str]:
    """For each array of a data set, the hash of its name, dtype, shape and values, in the order of episodes."""
    dataset = Dataset.open(folder)
    found = {}
    for name in sorted(dataset.fields):
        field = dataset.fields[name]
        values = dataset.camera[field.name] if field.table == "camera" else dataset.array(name)[:]
        head = f"{name} {values.dtype.str} {values.shape}".encode()
        found[name] = hashlib.sha256(head + values.tobytes()).hexdigest()[:16]
    return found


def versions() -> dict[str, str]:
    """Of what decides about bytes besides the seed and our own code."""
    return {name: version(name) for name in DECIDING} | {"C library": " ".join(platform.libc_ver())}


def collect_all(root: Path, settings: dict[str, dict]) -> dict[str, dict[str, str]]:
    """The contents of a data set of each kind, collected here and now."""
    from embodied_ssl.datasets.collect.collection import collect

    for kind, each in settings.items():
        collect(kind, root / kind, progress=False, **each)
    return {kind: contents(root / kind) for kind in settings}


def compiled_meanwhile() -> list[str]:
    """A list that grows by the name of each function that numba compiles from now on."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        def on_start(self, event: Any) -> None:
            names.append(str(event.data["dispatcher"]))

        def on_end(self, event: Any) -> None:
            pass

    names: list[str] = []
    event.register("numba:compile", Listener())
    return names


if __name__ == "__main__":
    from embodied_ssl.envs.compiling import compile_all

    compile_all(print)
    late = compiled_meanwhile()
    found = collect_all(Path(sys.argv[1]), json.loads(sys.argv[2]))
    print(json.dumps({"contents": found, "compiled late": late}))
