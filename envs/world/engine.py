"""PyBullet without the line that it prints when it is imported, and folders for the files that it reads."""

import fcntl
import os
import shutil
import tempfile
import weakref
from io import TextIOWrapper
from pathlib import Path

_PREFIX = "embodied_ssl_engine_"


def _import_quietly() -> None:
    """PyBullet's compiled code writes to the process's own standard error, past `sys.stderr`."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import pybullet  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


_import_quietly()
import pybullet as pybullet  # noqa: E402


class Scratch:
    """A temporary folder that goes with its owner; one whose process was killed goes when the next is made.

    A living process holds a lock in its folder, which the kernel lets go of when the process dies.
    """

    def __init__(self) -> None:
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = open(self.path / "new", "w")  # noqa: SIM115
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(self.path / "new", self.path / "lock")  # only now do others see it
        self.drop = weakref.finalize(self, _drop, self.path, lock)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            with open(folder / "lock", "r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # in use, or just made, or gone, or not ours
            continue


def _drop(folder: Path, lock: TextIOWrapper) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    lock.close()
