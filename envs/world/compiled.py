"""Functions that numba compiles, and its cache of them: a convenience, never a condition.

Numba keeps what it compiles until the function's file changes. Here it is until any file of its folder does: compiled
functions may call those of other files beside them, and name their constants.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import numba
from filelock import FileLock
from numba.core.caching import FunctionCache, NullCache

# No wrapper for C, which nobody calls and which takes a tenth of the time to compile.
_SETTINGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


class NoCache(UserWarning):
    """What is compiled cannot be kept."""


def jit(function: Callable[..., Any]) -> Any:
    """A function that is compiled when it is first called, or taken from the cache.

    Its arithmetic is IEEE 754's: no fused and no reordered operations, so that it rounds alike on every processor.
    """
    return _keeping(numba.njit(**_SETTINGS)(function))


def kernel(function: Callable[..., Any]) -> Any:
    """The same for a function that makes no arrays: those of its tuples are then passed on without being counted."""
    return _keeping(numba.njit(**(_SETTINGS | {"_nrt": False}))(function))


def inlined(function: Callable[..., Any]) -> Any:
    """The same, made part of the functions that call it."""
    return _keeping(numba.njit(**_SETTINGS, inline="always")(function))


@contextmanager
def telling_of_compiling(tell: Callable[[], object]) -> Iterator[None]:
    """Call `tell` once if anything is compiled meanwhile, before it is."""
    _listeners.append(tell)
    try:
        yield
    finally:
        if tell in _listeners:
            _listeners.remove(tell)


def caches() -> bool:
    """Whether what is compiled is kept for other processes, as far as this one knows."""
    return not _reasons


def warn() -> None:
    """Say that nothing is kept, and what to do about it."""
    warnings.warn(
        f"what numba compiles cannot be kept ({_reasons[0]}), so that every process compiles it anew, for about 20 s; "
        "set NUMBA_CACHE_DIR to a folder that can be written to",
        NoCache,
        stacklevel=2,
    )


_listeners: list[Callable[[], object]] = []
_reasons: list[str] = []  # why nothing is kept


def _keeping(function: Any) -> Any:
    try:
        function._cache = _Kept(function.py_func)
    except RuntimeError as error:  # no folder can be written to
        _reasons.append(str(error))
        function._cache = _NotKept()
    return function


def _compiling() -> None:
    """Tell whoever listens, and once whoever reads warnings if it will be for nothing."""
    while _listeners:
        _listeners.pop()()
    if _reasons and not _warned and parent_process() is None:  # whoever started this process has said it
        _warned.append(True)
        warn()


_warned: list[bool] = []


class _NotKept(NullCache):
    def load_overload(self, sig: Any, target_context: Any) -> None:
        _compiling()


class _Kept(FunctionCache):
    """Numba's cache of a function, one process at a time; a file that is damaged or cannot be written is no error.

    Numba numbers its files, and two processes that save for two kinds of processor at once may take the same number:
    a third would then run the code of the other kind.
    """

    def __init__(self, function: Callable[..., Any]):
        super().__init__(function)
        self._cache_file._source_stamp = _content_of(Path(function.__code__.co_filename).parent)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = None
        try:
            with self._alone():
                found = super().load_overload(sig, target_context)
        except Exception:  # of a damaged file, whatever unpickling ran into
            self._forget()
        if found is None:
            _compiling()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            with self._alone():
                super().save_overload(sig, data)
        except OSError as error:  # a full disk, a folder that has become read-only
            _reasons.append(str(error))
            _compiling()

    def _forget(self) -> None:
        try:
            with self._alone():
                self.flush()
        except OSError:
            return

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with ExitStack() as held:
            with suppress(OSError, NotImplementedError):  # a folder that is read-only by now, or one without locks
                held.enter_context(FileLock(Path(self.cache_path) / "embodied_ssl.lock"))
            yield


@lru_cache
def _content_of(folder: Path) -> str:
    """A digest of all code in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(f"{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
