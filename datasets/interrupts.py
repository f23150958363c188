"""SIGTERM, which clusters send before they kill, taken as a Ctrl-C: what is finished is kept, and is told."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM has asked this process to end."""


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a process ends with that was stopped: 143 by SIGTERM, 130 by Ctrl-C."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def terminable() -> Iterator[None]:
    """In here SIGTERM raises Terminated in the main thread, as Ctrl-C raises KeyboardInterrupt.

    Nothing changes in other threads, nor where somebody else has set a handler already.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends at once
    raise Terminated("terminated")
