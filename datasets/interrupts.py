"""SIGTERM, which clusters send before they kill, taken as a Ctrl-C: what is finished is kept, and is told."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

GO_ON = "; run the same command again to go on"


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


@contextmanager
def saying_what_is_kept(kept: Callable[[], str]) -> Iterator[None]:
    """Whoever stops what is in here hears what is kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        said = str(stop).removesuffix(GO_ON) or "interrupted"
        raise type(stop)(f"{said}: {kept()}{GO_ON}") from None


class Asked:
    """By which signal this process has been asked to stop; 0: by none."""

    number: int = 0


@contextmanager
def postponed(word: str) -> Iterator[Asked]:
    """In here the first Ctrl-C or SIGTERM is only noted, and takes effect at the end; a second one does at once.

    Whoever has asked sees the word, if it is not empty. Signals that are ignored stay so, and where this is not the
    main thread, all is as before.
    """
    asked, before, process = Asked(), dict[int, Any](), os.getpid()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        if asked.number:
            restore()
            signal.raise_signal(number)
        asked.number = number
        if word and os.getpid() == process:  # not in one that was forked from it
            with suppress(OSError):  # and print might be in the middle of a line of its own
                os.write(2, f"\nembodied-ssl: {word}\n".encode())

    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        before |= {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        restore()
    if asked.number:
        signal.raise_signal(asked.number)
