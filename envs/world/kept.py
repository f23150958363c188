"""Arrays that take long to make, kept on disk by the content that they are made of.

They lie below `$EMBODIED_SSL_CACHE`, else `$XDG_CACHE_HOME/embodied_ssl`, else `~/.cache/embodied_ssl`: files of
NumPy without pickled objects, so that nothing in them is ever executed. One that is damaged is made again; where
nothing can be written, all is made each time. Deleting the folder is harmless.
"""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VARIABLE = "EMBODIED_SSL_CACHE"
Arrays = dict[str, NDArray[Any]]


def kept(name: str, made_of: Iterable[bytes | str], make: Callable[[], Arrays]) -> Arrays:
    """The arrays that `make` makes, from disk where they have been made of the same before.

    Args:
        name: of their kind; a folder.
        made_of: all that they depend on, the way they are made and its version included.
        make: makes them.
    """
    digest = hashlib.sha256()
    for part in made_of:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    path = folder() / name / f"{digest.hexdigest()[:40]}.npz"
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {each: file[each] for each in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):  # not there, or damaged
        arrays = make()
    with suppress(OSError):  # a full disk, or a folder that cannot be written to
        _write(path, arrays)
    return arrays


def folder() -> Path:
    """Where they are kept."""
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embodied_ssl"


def _write(path: Path, arrays: Arrays) -> None:
    """Whole or not at all: several processes may write the same at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
