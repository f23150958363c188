"""Files that are there in full or not at all."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from embodied_ssl.datasets.errors import DataError

BLOCK_BYTES = 1 << 22  # to read at once
TEMPORARY_SUFFIX = ".writing"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def write_atomically(path: Path, pieces: Sequence[bytes | memoryview]) -> None:
    """Write a file that is either there in full, safe on disk, or not there at all."""
    with appearing(path, sum(len(piece) for piece in pieces)) as temporary, temporary.open("xb", buffering=0) as file:
        for piece in pieces:
            _write_all(file.fileno(), piece)


@contextmanager
def appearing(path: Path, size: int | None = None) -> Iterator[Path]:
    """A place beside `path` to write a file to, which is `path` at the end: there in full, safe on disk, or not at all.

    size: bytes that it will have, where that is known. Raises DataError where they find no room.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(_disk_message(path, size, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def make_room(path: Path) -> None:
    """Make the folder of a file that will be written. Raises DataError, before any work, where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be made ({error.strerror}); give another place") from error
    if path.is_dir():
        raise DataError(f"{path}: a directory; give the name of a file, such as {path / path.name}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise DataError(f"{path.parent}: takes no files from you; give another place")


def remove_temporaries(folder: Path) -> None:
    """Remove what writers left in `folder` that were killed in the middle."""
    for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink(missing_ok=True)


def _write_all(descriptor: int, piece: bytes | memoryview) -> None:
    view = memoryview(piece).cast("B")
    while len(view):
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _disk_message(path: Path, size: int | None, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        it = "it" if size is None else f"its {size / 1e6:.1f} MB"
        return (
            f"{path}: no space for {it} ({error.strerror}); "
            "free some and run the same command again: what is finished is kept"
        )
    return f"{path}: cannot be written ({error.strerror or error}); choose a directory that you may write to"
