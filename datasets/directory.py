"""The directory of a collection: claimed by one process at a time, bound to one specification."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.files import remove_temporaries, write_atomically
from embodied_ssl.datasets.manifest import MANIFEST, UNFINISHED, read_json


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Make `folder` if need be and hold it for this process; the system lets go of it when the process ends.

    Raises DataError where it cannot be made, or another process is collecting into it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise DataError(f"{folder}: cannot be used as a directory ({error.strerror}); choose another --out") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{folder}: another process is collecting into it; wait for it, or stop it") from error
        except OSError:
            pass  # a file system without locks; what is written is whole all the same
        yield
    finally:
        os.close(descriptor)


def open_directory(folder: Path, spec: dict[str, Any]) -> None:
    """Bind `folder` to `spec`, or find that it is already; clear away what a killed process left half written.

    Raises DataError where it holds something else, or a collection of another specification.
    """
    bound = _bound_to(folder)
    if bound is None:
        if strangers := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
            raise DataError(f"{folder}: not empty ({strangers[0]}) and no data set; choose another --out")
        write_atomically(folder / UNFINISHED, [json.dumps(spec, indent=1, sort_keys=True).encode()])
    elif differences := _differences(_flat(bound), _flat(spec)):
        raise DataError(
            f"{folder}: holds another collection, which differs in {'; '.join(differences[:4])}; "
            "repeat its command to finish it, or choose another --out"
        )
    remove_temporaries(folder)


def _bound_to(folder: Path) -> dict[str, Any] | None:
    """The specification that `folder` is bound to, finished or not; None for none."""
    if (folder / UNFINISHED).exists():
        path = folder / UNFINISHED
        try:
            bound = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: cannot be read; delete the directory and collect again") from error
        if not isinstance(bound, dict):
            raise DataError(f"{path}: not of embodied_ssl; choose another --out")
        return bound
    if (folder / MANIFEST).exists():
        content = read_json(folder)
        return {**dict(content.get("spec", {})), "package version": content.get("package_version")}
    return None


def _flat(spec: dict[str, Any]) -> dict[str, Any]:
    """The fields of a specification, those of the environment by their own names."""
    outer = {name: value for name, value in spec.items() if name != "env"}
    inner = spec.get("env", {})
    return outer | (inner if isinstance(inner, dict) else {"env": inner})


def _differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    names = [name for name in sorted(there | here) if there.get(name) != here.get(name)]
    names = ["kind"] if "kind" in names else names  # then most else differs as well
    return [f"{name} ({there.get(name, 'absent')} there, {here.get(name, 'absent')} now)" for name in names]
