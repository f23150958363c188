"""A directory that is written to: claimed by one process at a time, and bound to one specification if a collection."""

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.errors import AGAIN, DataError
from embodied_ssl.datasets.store.files import remove_temporaries, write_atomically
from embodied_ssl.datasets.store.manifest import MANIFEST, UNFINISHED, read_json

_LOCK, _OWNER = ".lock", ".owner.json"  # what is held, and who holds it (a file that is locked can be unreadable)
_PATIENCE_S = 0.3  # for who is just letting go
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # of a file system: what is written is whole all the same


@contextmanager
def claim(folder: Path, wait: bool = False) -> Iterator[None]:
    """Make `folder` if need be and hold it for this process; the system lets go of it when the process ends.

    wait: until another process that holds it has let go, after saying so. Raises DataError where it cannot be made or
    written to, or, without `wait`, another process holds it: which one, and since when.
    """
    from filelock import FileLock, Timeout

    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout:
            told = f"{folder}: {_owner(folder)} writes into it; "
            if not wait:
                raise DataError(f"{told}wait for it, or stop it") from None
            print(f"embodied-ssl: {told}waiting for it", file=sys.stderr)
            lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            message = f"{folder}: cannot be used as a directory ({error.strerror}); choose another --out"
            raise DataError(message) from error
    except NotImplementedError:  # filelock's word for the same
        pass
    try:
        about = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        write_atomically(folder / _OWNER, [json.dumps(about).encode()])
        yield
    finally:
        with suppress(OSError):
            (folder / _OWNER).unlink()
            (folder / _LOCK).unlink()  # still held: who has opened it meanwhile finds it gone, and tries anew
            if made and not any(folder.iterdir()):  # what was refused leaves nothing behind
                folder.rmdir()
        lock.release()


def _owner(folder: Path) -> str:
    """The process that holds `folder`, as far as it has said who it is."""
    try:
        about = json.loads((folder / _OWNER).read_bytes())
        return f"another process ({about['pid']} on {about['host']}, since {about['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def open_directory(folder: Path, spec: dict[str, Any], unidentified: str | None = None) -> None:
    """Bind `folder` to `spec`, or find that it is already; clear away what a killed process left half written.

    A collection of the same specification but for fewer episodes is bound to the larger number. Raises DataError where
    the folder holds something else, a collection of another specification or of more episodes, or one that was begun
    with a policy which cannot be told from another (`unidentified` says why).
    """
    bound = bound_to(folder)
    if bound is None:
        if strangers := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
            raise DataError(f"{folder}: not empty ({strangers[0]}) and no data set; choose another --out")
        _bind(folder, spec)
    elif differences := differing({**bound, "episodes": spec["episodes"]}, _as_told(spec, bound)):
        raise DataError(
            f"{folder}: holds another collection, which differs in {'; '.join(differences[:4])}; "
            "repeat its command to finish it, or choose another --out"
        )
    elif unidentified:
        raise DataError(
            f"{folder}: holds a collection whose policy is {unidentified}; nobody can tell whether it is the same one "
            "now, so it is not gone on with: use a named function or class, and collect into another --out"
        )
    elif spec["episodes"] < bound["episodes"]:
        raise DataError(
            f"{folder}: holds a collection of {bound['episodes']:,} episodes, more than {spec['episodes']:,}; "
            f"give --episodes {bound['episodes']} or more to go on with it, or choose another --out"
        )
    elif spec["episodes"] > bound["episodes"]:
        _bind(folder, spec)
    remove_temporaries(folder)


def _bind(folder: Path, spec: dict[str, Any]) -> None:
    write_atomically(folder / UNFINISHED, [json.dumps(spec, indent=1, sort_keys=True).encode()])


def _as_told(spec: dict[str, Any], bound: dict[str, Any]) -> dict[str, Any]:
    """Without the versions of libraries where those of the shards are not known: of what is finished."""
    return spec if "libraries" in bound else {name: value for name, value in spec.items() if name != "libraries"}


def bound_to(folder: Path) -> dict[str, Any] | None:
    """The specification that `folder` is bound to, finished or not; None for none."""
    if (folder / UNFINISHED).exists():
        path = folder / UNFINISHED
        try:
            bound = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: cannot be read; delete the directory and {AGAIN}") from error
        if not isinstance(bound, dict):
            raise DataError(f"{path}: not of embodied_ssl; choose another --out")
        return bound
    if (folder / MANIFEST).exists():
        content = read_json(folder)
        return {**dict(content.get("spec", {})), "package version": content.get("package_version")}
    return None


def _flat(spec: dict[str, Any]) -> dict[str, Any]:
    """The fields of a specification, those of the environment and the pieces of a policy by their own names."""
    outer = {
        name: value for name, value in spec.items() if name not in ("env", "policy_code", "added_code", "libraries")
    }
    outer |= {f"version of {name}": number for name, number in spec.get("libraries", {}).items()}
    settings = spec.get("env", {})
    outer |= settings if isinstance(settings, dict) else {"env": settings}
    for owner, code in (("policy", spec.get("policy_code", {})), ("others", spec.get("added_code", {}))):
        pieces = code if isinstance(code, dict) else {owner: code}
        outer |= {f"the code of {name}": digest for name, digest in pieces.items()}
    return outer


def differing(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """What tells one specification from another: names, and both values."""
    there, here = _flat(there), _flat(here)
    names = [name for name in sorted(there | here) if there.get(name) != here.get(name)]
    names = ["kind"] if "kind" in names else names  # then most else differs as well
    return [f"{name} ({there.get(name, 'absent')} there, {here.get(name, 'absent')} now)" for name in names]
